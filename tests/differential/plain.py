# SPDX-License-Identifier: Apache-2.0
"""AWS's decision, written down as the pages tell it: one request, all of it known, no speed and no index.

    decide(case) -> (decision, reason)        the case as `kim evaluate` takes it, in strict mode

Every element is looked at for every statement, texts are compared character by character, and nothing is shared
with kim. What a page leaves open is decided as kim-evaluate(7) says.

Sources: IAM User Guide, "Policy evaluation logic" and its sub-pages, "Condition operators", "Variables and tags",
"Single-valued vs. multivalued context keys", "Principal", "NotPrincipal", "Resource"; Organizations User Guide, "SCP
evaluation", "RCP evaluation"; KMS Developer Guide, "Key policies"; S3 User Guide, "Blocking public access".
"""

import base64
import binascii
import datetime
import ipaddress
import re

ANY, ONE = object(), object()  # * and ?

# What the random cases ask for that the catalogue says something of.
NO_RESOURCE = {"s3:listallmybuckets", "kms:listkeys", "ec2:describeinstances", "sts:getcalleridentity", "iam:listusers"}
UNDER_RCP = {"s3", "sts", "kms", "sqs", "secretsmanager", "dynamodb", "ecr", "logs", "aoss", "cognito-identity", "cognito-idp"}


# ---- texts ----

def tokens(text, variables, context, wild=True):
    """The text as characters, ANY and ONE; None where a variable of it has no value."""
    out, at = [], 0
    while at < len(text):
        close = text.find("}", at) if variables and text.startswith("${", at) else -1
        if close >= 0:
            value = variable(text[at + 2:close], context)
            if value is None:
                return None
            out += value
            at = close + 1
            continue
        out.append({"*": ANY, "?": ONE}.get(text[at], text[at]) if wild else text[at])
        at += 1
    return out


def variable(inner, context):
    if inner in ("*", "?", "$"):
        return inner
    name, comma, rest = inner.partition(",")
    values = context.get(name.strip(" ").lower(), [])
    if len(values) == 1:
        return values[0]
    rest = rest.strip(" ")
    return rest[1:-1] if comma and len(rest) >= 2 and rest[0] == rest[-1] == "'" else None


def covers(pattern, text):
    """pattern: of tokens()."""
    reached = {0}
    for character in text + "\0":
        closed = set()
        for at in reached:
            closed.add(at)
            while at < len(pattern) and pattern[at] is ANY:
                at += 1
                closed.add(at)
        if character == "\0":
            return len(pattern) in closed
        reached = {at if pattern[at] is ANY else at + 1 for at in closed
                   if at < len(pattern) and (pattern[at] in (ANY, ONE) or pattern[at] == character)}
    return False


def arn_parts(text, variables):
    """Cut at the first five colons; those of a variable do not count."""
    parts, inside = [""], False
    for at, character in enumerate(text):
        if variables and text.startswith("${", at) and "}" in text[at:]:
            inside = True
        if character == ":" and not inside and len(parts) < 6:
            parts.append("")
            continue
        inside = inside and character != "}"
        parts[-1] += character
    return parts


# ---- conditions ----

def number(text):
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return None
    return float(text)


DATE = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?")


def date(text):
    found = DATE.fullmatch(text)
    if not found:
        return number(text)
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    moment = datetime.datetime(int(year), int(month), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=datetime.timezone.utc)
    shift = 0
    if zone and zone != "Z":
        shift = (int(zone[1:3]) * 60 + int(zone[4:6])) * (-60 if zone[0] == "-" else 60)
    return moment.timestamp() - shift + (round(float(fraction), 3) if fraction else 0)


def truth(text):
    return {"true": True, "false": False}.get(text.lower())


def binary(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def address(text):
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def in_network(have, want):
    return have.version == want.version and have.subnet_of(want)


def is_arn(text):
    return text if len(text.split(":")) >= 6 else None


def plain(text):
    return text


def filled_text(want, variables, context):
    got = tokens(want, variables, context, wild=False)
    return None if got is None else "".join(got)


def equal_text(have, want, variables, context):
    want = filled_text(want, variables, context)
    return None if want is None else have == want


def fold(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def equal_folded(have, want, variables, context):
    want = filled_text(want, variables, context)
    return None if want is None else fold(have) == fold(want)


def like(have, want, variables, context):
    want = tokens(want, variables, context)
    return None if want is None else covers(want, have)


def arn_like(have, want, variables, context):
    parts = [tokens(p, variables, context) for p in arn_parts(want, variables)]
    if None in parts:
        return None
    if want == "*":
        return True
    return len(parts) == 6 and all(covers(p, h) for p, h in zip(parts, have.split(":", 5)))


def by(read, compare):
    def test(have, want, variables, context):
        want = read(want)
        return want is not None and compare(have, want)
    return test


def bool_equals(have, want, variables, context):
    want = filled_text(want, variables, context)
    return None if want is None else truth(want) is not None and have == truth(want)


TEXT, NUMBER, MOMENT = (plain, True), (number, False), (date, False)
OPERATORS = {  # name: how a request's value is read, whether the policy's has variables, the comparison
    "stringequals": (*TEXT, equal_text), "stringequalsignorecase": (*TEXT, equal_folded), "stringlike": (*TEXT, like),
    "bool": (truth, True, bool_equals), "binaryequals": (binary, False, by(binary, lambda h, w: h == w)),
    "ipaddress": (address, False, by(address, in_network)), "arnequals": (is_arn, True, arn_like), "arnlike": (is_arn, True, arn_like),
}
for kind, (read, _) in (("numeric", NUMBER), ("date", MOMENT)):
    for suffix, compare in (("equals", lambda h, w: h == w), ("lessthan", lambda h, w: h < w), ("lessthanequals", lambda h, w: h <= w),
                            ("greaterthan", lambda h, w: h > w), ("greaterthanequals", lambda h, w: h >= w)):
        OPERATORS[kind + suffix] = (read, False, by(read, compare))
NEGATED = {"stringnotequals": "stringequals", "stringnotequalsignorecase": "stringequalsignorecase", "stringnotlike": "stringlike",
           "numericnotequals": "numericequals", "datenotequals": "dateequals", "notipaddress": "ipaddress", "arnnotequals": "arnequals",
           "arnnotlike": "arnlike"}


def passes(value, wanted, name, negated, variables, context):
    """Does one value of the request pass the test? What cannot be read, and a variable without a value, equals nothing."""
    read, takes_variables, compare = OPERATORS[name]
    have = read(value)
    return (have is not None and any(compare(have, w, variables and takes_variables, context) for w in wanted)) != negated


def test_holds(operator, key, wanted, variables, context):
    wanted = [str(w).lower() if isinstance(w, bool) else str(w) for w in (wanted if isinstance(wanted, list) else [wanted])]
    name, values = operator.lower(), context.get(key.lower(), [])
    if name == "null":
        return any(truth(w) == (not values) for w in wanted)
    quantifier = "each"
    for prefix, which in (("forallvalues:", "all"), ("foranyvalue:", "any")):
        if name.startswith(prefix):
            name, quantifier = name[len(prefix):], which
    if name.endswith("ifexists"):
        name = name[:-len("ifexists")]
        if not values:
            return True
    negated = name in NEGATED
    name = NEGATED.get(name, name)
    if quantifier != "each":
        if not any(values):  # none, or empty texts alone
            return quantifier == "all"
        return (all if quantifier == "all" else any)(passes(v, wanted, name, negated, variables, context) for v in values)
    if not values:
        return negated
    return (all if negated else any)(passes(v, wanted, name, negated, variables, context) for v in values)


def condition_holds(condition, variables, context):
    return all(test_holds(op, key, wanted, variables, context) for op, block in condition.items() for key, wanted in block.items())


# ---- who asks ----

class Caller:
    def __init__(self, principal, has_boundary):
        self.text, self.account, self.kind, self.role, self.session = principal, None, None, None, None
        self.has_boundary = False
        if isinstance(principal, dict):
            self.kind, self.text = "provider", principal["Federated"]
        elif principal == "*":
            self.kind = "anonymous"
        elif re.fullmatch(r"\d{12}", principal):
            self.kind, self.account, self.text = "root", principal, f"arn:aws:iam::{principal}:root"
        elif not principal.startswith("arn:"):
            self.kind = "service"
        else:
            self.account, rest = principal.split(":", 5)[4:]
            self.kind = {"root": "root", "user": "user", "role": "role", "assumed-role": "session", "federated-user": "federated"}[rest.split("/")[0]]
            if self.kind == "session":
                self.role, self.session = rest.split("/", 2)[1:]
            if self.kind == "role":
                self.role = rest.rsplit("/", 1)[1]
        self.has_boundary = has_boundary and self.account is not None
        self.is_linked = ":role/aws-service-role/" in self.text or (self.kind == "session" and self.role.startswith("AWSServiceRoleFor"))

    def has_role(self):
        return self.kind in ("role", "session")

    def how_named(self, kind, name):
        """None, or how a principal of a policy means this caller: everyone, account, role, self."""
        if kind == "AWS":
            if name == "*":
                return "everyone"
            if re.fullmatch(r"\d{12}", name):
                return "account" if self.account == name else None
            if not name.startswith("arn:") or name.count(":") < 5:
                return None
            account, rest = name.split(":", 5)[4:]
            if rest == "root":
                return "account" if self.account == account else None
            if rest.startswith("role/"):
                if self.kind == "role":
                    return "role" if name == self.text else None
                return "role" if self.kind == "session" and (account, rest.rsplit("/", 1)[1]) == (self.account, self.role) else None
            return "self" if name == self.text else None
        if kind == "Service":
            return "self" if self.kind == "service" and name in ("*", self.text) else None
        if kind == "Federated":
            return "self" if self.kind == "provider" and name in ("*", self.text) else None
        return None

    def names(self, element):
        """All the ways in which a Principal element means this caller."""
        if element == "*":
            return {"everyone"}
        listed = [(kind, n) for kind, names in element.items() for n in (names if isinstance(names, list) else [names])]
        return {self.how_named(kind, n) for kind, n in listed} - {None}

    def is_spared(self, element):
        """By NotPrincipal with Deny: named itself, with its role where it is a session, and with its account."""
        ways = self.names(element)
        if self.has_boundary:
            return False
        if "everyone" in ways:
            return True
        if self.kind == "root":
            return "account" in ways
        if self.account and "account" not in ways:
            return False
        if self.kind == "role":
            return "role" in ways
        if self.kind == "session":
            return {"role", "self"} <= ways
        return "self" in ways


# ---- statements ----

def listed(value):
    return value if isinstance(value, list) else [value]


class Request:
    def __init__(self, case):
        r = case["request"]
        self.action, self.resource = r["action"].lower(), r.get("resource") or "*"
        self.context = {k.lower(): v if isinstance(v, list) else [v] for k, v in r.get("context", {}).items()}
        policies = case.get("policies", {})
        self.caller = Caller(r["principal"], "boundary" in policies and policies["boundary"] is not None)
        named = self.resource.split(":")[4] if self.resource.count(":") >= 5 else ""
        self.account = r.get("resource_account") or (named if re.fullmatch(r"\d{12}", named) else None) or self.caller.account
        self.service = self.action.split(":")[0]
        self.takes_none = self.action in NO_RESOURCE

    def service_of_resource(self):
        return self.resource.split(":")[2] if self.resource.count(":") >= 5 else ""

    def resource_must_allow(self):
        """The resource's own policy, in one account too: trust policies and key policies."""
        if self.action.startswith("sts:assumerole") or self.action in ("sts:tagsession", "sts:setsourceidentity"):
            return True
        return self.service == "kms" and not self.takes_none and self.resource.count(":") >= 5 and self.resource.split(":", 5)[5].startswith("key/")


def action_matches(patterns, action):
    return any(covers(tokens(p.lower(), False, {}), action) for p in listed(patterns))


def resource_matches(pattern, request, variables, extends):
    """True, False, or None where a variable has no value."""
    if pattern == "*":
        return True
    parts = arn_parts(pattern, variables)
    if len(parts) < 6 and not extends:
        whole = tokens(pattern, variables, request.context)
        return None if whole is None else covers(whole, request.resource)
    filled = [tokens(p, variables and i == 5, request.context) for i, p in enumerate(parts)]
    have = request.resource.split(":", 5)
    if None in filled:
        return None if len(have) == 6 and all(covers(f, h) for f, h in zip(filled[:5], have)) else False
    if len(have) < 6:
        return False
    return all(covers(f, h) for f, h in zip(filled, have))


def resources_match(statement, request, variables, extends):
    turned = "NotResource" in statement
    if not turned and "Resource" not in statement:
        return True
    patterns = listed(statement["NotResource" if turned else "Resource"])
    if request.takes_none:
        return ("*" in patterns) != turned
    found = [resource_matches(p, request, variables, extends) for p in patterns]
    if turned:
        return True not in found and None not in found
    return True in found


def applies(statement, document, request, extends):
    variables = document.get("Version") == "2012-10-17"
    if "Action" in statement and not action_matches(statement["Action"], request.action):
        return False
    if "NotAction" in statement and action_matches(statement["NotAction"], request.action):
        return False
    return resources_match(statement, request, variables, extends) and condition_holds(statement.get("Condition", {}), variables, request.context)


def ways_named(statement, request):
    """How a statement of a policy that names principals means the caller; empty: not at all."""
    if "NotPrincipal" in statement:
        if statement["Effect"] == "Deny":
            return set() if request.caller.is_spared(statement["NotPrincipal"]) else {"everyone"}
        return set() if request.caller.names(statement["NotPrincipal"]) else {"everyone"}
    return request.caller.names(statement["Principal"]) if "Principal" in statement else set()


# ---- layers ----

def statements(documents):
    for document in documents:
        document = document.get("policy", document)
        for statement in listed(document.get("Statement", [])):
            yield statement, document


def says(documents, request, names=False, extends=False, lenient=False):
    """(the ways in which the documents allow, whether they deny)"""
    ways, denies = set(), False
    for statement, document in statements(documents):
        if names and not (lenient and "Principal" not in statement and "NotPrincipal" not in statement):
            meant = ways_named(statement, request)
        else:
            meant = {"everyone"}
        if meant and applies(statement, document, request, extends):
            denies |= statement["Effect"] == "Deny"
            ways |= meant if statement["Effect"] == "Allow" else set()
    return ways, denies


def chain(levels, request, names):
    allows, denies = True, False
    for level in levels or []:
        ways, denied = says(level["policies"], request, names, lenient=True)
        allows, denies = allows and bool(ways), denies or denied
    return allows, denies


# ---- S3 Block Public Access ----

FIXING = {k.lower(): how for how, keys in {
    "text": ("aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:SourceArn", "aws:SourceVpc", "aws:SourceVpce", "aws:SourceOwner",
             "aws:SourceAccount", "aws:SourceOrgID", "s3:x-amz-server-side-encryption-aws-kms-key-id", "aws:userid", "s3:DataAccessPointAccount"),
    "arn": ("aws:PrincipalArn", "s3:DataAccessPointArn"), "network": ("aws:SourceIp",)}.items() for k in keys}


def is_fixed(value, how):
    if how == "network":
        network, _, bits = value.partition("/")
        return not bits or int(re.match(r"\d*", bits)[0] or 0) >= (32 if ":" in network else 8)
    if "${" in value:
        return False
    if how == "text":
        return "*" not in value and "?" not in value
    parts = value.split(":", 5)
    return len(parts) == 6 and not set("*?") & set(parts[4]) and bool(parts[4] or not set("*?") & set(parts[5]))


def fixes(operator, key, values):
    how = FIXING.get(key.lower())
    if how is None or re.search("not|ifexists$|^forallvalues|^null$", operator.lower()):
        return False
    return bool(listed(values)) and all(is_fixed(str(v), how) for v in listed(values))


def is_public(document):
    for statement, _ in statements([document]):
        p = statement.get("Principal")
        everyone = "NotPrincipal" in statement or p == "*" or (isinstance(p, dict) and ("*" in listed(p.get("AWS", [])) or p.get("Federated")))
        if statement["Effect"] == "Allow" and everyone and not any(
                fixes(op, key, values) for op, block in statement.get("Condition", {}).items() for key, values in block.items()):
            return True
    return False


# ---- the decision ----

def decide(case):
    request, policies = Request(case), {k: v for k, v in case.get("policies", {}).items() if v is not None}
    caller = request.caller
    if request.action == "sts:getcalleridentity" and caller.kind not in ("anonymous", "provider"):
        return "allowed", "bypass"
    if request.action == "sts:assumerole" and caller.kind == "root":
        return "denied", "implicit_deny"
    identity = boundary = session = (set(), False)
    in_account = caller.account is not None
    boundary_allows = session_allows = True
    if in_account and caller.kind != "root":
        identity = says(policies.get("identity", []), request, extends=True)
        if "boundary" in policies:
            boundary = says(policies["boundary"], request, extends=True)
            boundary_allows = bool(boundary[0])
    if in_account:
        if "session" in policies:
            session = says(policies["session"], request, extends=True)
            session_allows = bool(session[0])
        elif caller.kind == "federated":
            session_allows = False
    identity_allows = bool(identity[0]) or caller.kind == "root"
    ways, resource_denies = says([policies["resource"]], request, names=True) if "resource" in policies else (set(), False)
    own = in_account and caller.account == request.account
    if own and caller.kind == "root" and request.action in ("s3:getbucketpolicy", "s3:putbucketpolicy", "s3:deletebucketpolicy"):
        resource_denies = False
    block = case.get("s3_public_access_block") or {}
    if block.get("RestrictPublicBuckets") and (request.service_of_resource() == "s3" or request.service == "s3") and not own and caller.kind != "service" and "resource" in policies and is_public(policies["resource"]):
        ways = set()
    scp = chain(policies.get("scp"), request, False) if in_account and not caller.is_linked else (True, False)
    rcp = chain(policies.get("rcp"), request, True) if request.service in UNDER_RCP and not caller.is_linked else (True, False)
    endpoint_allows, endpoint_denies = True, False
    if "endpoint" in policies:
        meant, endpoint_denies = says(policies["endpoint"], request, names=True)
        endpoint_allows = bool(meant)
    if any((identity[1], boundary[1], session[1], resource_denies, scp[1], rcp[1], endpoint_denies)):
        return "denied", "explicit_deny"
    limited = identity_allows and boundary_allows and session_allows
    if not in_account:
        granted = bare = bool(ways)
    elif not own:
        granted, bare = bool(ways) and limited, bool(ways) and identity_allows
    else:
        required = request.resource_must_allow()
        granted = bool(ways & {"everyone", "self"}) or ("role" in ways and boundary_allows and session_allows) or ("account" in ways and limited) or (limited and not required)
        bare = bool(ways & {"everyone", "self", "role"}) or ("account" in ways and identity_allows) or (identity_allows and not required)
    if granted and scp[0] and rcp[0] and endpoint_allows:
        return "allowed", "explicit_allow"
    return "denied", "ceiling" if bare else "implicit_deny"
