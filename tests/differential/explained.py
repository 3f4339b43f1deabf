# SPDX-License-Identifier: Apache-2.0
"""Where iam-simulate answers otherwise than AWS documents: each class once, with the page and a predicate.

A class either *restates* the case, so that it says the same in a way that iam-simulate understands (then both must agree
on the restated case, and only then is the disagreement explained), or *excuses* it. A class that explains nothing in a
whole run is reported too: perhaps iam-simulate has learnt it.
"""

import copy
import re
from dataclasses import dataclass
from typing import Callable, Optional

from generate import KEYS

USER_GUIDE = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"
SCP_PAGE = "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html"


@dataclass
class Explanation:
    name: str
    page: str
    why: str
    matches: Callable  # (case, kim's answer, the oracle's) -> bool
    restate: Optional[Callable] = None  # changes a copy of the case in place


def documents(case, layers=None):
    for layer, value in case["policies"].items():
        if layers and layer not in layers:
            continue
        levels = value if layer in ("scp", "rcp") else [{"policies": value if isinstance(value, list) else [value]}]
        for level in levels:
            for document in level["policies"]:
                yield document.get("policy", document)


def statements(case, layers=None):
    for document in documents(case, layers):
        listed = document["Statement"]
        yield from listed if isinstance(listed, list) else [listed]


def principal(case):
    return case["request"]["principal"]


# ---- variables in the old version ----

def is_old(document):
    return document.get("Version") != "2012-10-17"


def has_variables(part):
    return "${" in str(part)


def literal(part):
    """The same text without variables: a dollar sign of its own, as version 2012 writes it."""
    if isinstance(part, str):
        return part.replace("${", "${$}{")
    if isinstance(part, list):
        return [literal(p) for p in part]
    return {k: literal(v) for k, v in part.items()} if isinstance(part, dict) else part


def write_literally(case):
    for document in documents(case):
        if is_old(document):
            document["Version"] = "2012-10-17"
            document["Statement"] = literal(document["Statement"])


# ---- variables without a value ----

VARIABLE = re.compile(r"\$\{([^}]*)\}")


def has_no_value(text, case):
    """Does it hold a variable that surely has no value and no default?"""
    given = {k.lower() for k, v in case["request"]["context"].items() if len(v) == 1}
    open_keys = set() if case["mode"] == "strict" else {k.lower() for k in KEYS} - {k.lower() for k in [*case["request"]["context"], *case.get("known_absent", [])]}
    return any(name.lower() not in given | open_keys and "," not in name and name not in "*?$" for name in VARIABLE.findall(text))


def each_void_test(case):
    for document in documents(case):
        for statement in [] if is_old(document) else document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]:
            for operator, block in statement.get("Condition", {}).items():
                for key, values in block.items():
                    if "not" in operator.lower() and any(has_no_value(v, case) for v in (values if isinstance(values, list) else [values])):
                        yield operator, block, key


def name_nobody(case):
    """A value that no request has is as good as none: nothing equals it."""
    for operator, block, key in list(each_void_test(case)):
        nobody = "arn:aws:nobody:::" if "arn" in operator.lower() else "nobody"
        values = block[key] if isinstance(block[key], list) else [block[key]]
        block[key] = [nobody if has_no_value(v, case) else v for v in values]


# ---- who is exempt ----

def is_root(case):
    return principal(case).endswith(":root")


def allow_everything(case):
    case["policies"]["identity"] = [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]


def is_service(case):
    return principal(case).endswith(".amazonaws.com")


def is_service_linked(case):
    return bool(re.search(r"(:assumed-role|:role(/aws-service-role/[^/]+)?)/AWSServiceRoleFor", principal(case)))


def drop(*layers):
    def restate(case):
        for layer in layers:
            case["policies"].pop(layer, None)
    return restate


# ---- session policies and grants that they do not limit ----

def is_session(case):
    return ":assumed-role/" in principal(case) or ":federated-user/" in principal(case)


def names_the_session(statement, case):
    named = statement.get("Principal")
    if named == "*":
        return True
    named = named.get("AWS", []) if isinstance(named, dict) else []
    named = named if isinstance(named, list) else [named]
    return "*" in named or principal(case) in named


def has_session_grant(case):
    return "session" in case["policies"] and is_session(case) and any(
        s["Effect"] == "Allow" and names_the_session(s, case) for s in statements(case, ("resource",)))


def is_federated_alone(case):
    return ":federated-user/" in principal(case) and "session" not in case["policies"]


def allow_nothing(case):
    case["policies"]["session"] = []


# ---- addresses ----

def all_of_ipv4(case):
    return "0.0.0.0/0" in str(case["policies"])


def in_two_halves(part):
    if part == "0.0.0.0/0":
        return ["0.0.0.0/1", "128.0.0.0/1"]
    if isinstance(part, list):
        return [half for p in part for half in (in_two_halves(p) if isinstance(p, str) and p == "0.0.0.0/0" else [in_two_halves(p)])]
    return {k: in_two_halves(v) for k, v in part.items()} if isinstance(part, dict) else part


def halve_ipv4(case):
    case["policies"] = in_two_halves(case["policies"])


def family(address):
    return 6 if ":" in address else 4


NEVER_ASKED = {4: "203.0.113.99", 6: "2001:db8:ffff::1"}


def of_one_family(values, given):
    """Addresses of the other family never match: an address of this one that nobody has never does either."""
    listed = values if isinstance(values, list) else [values]
    return [v if family(v) == family(given) else NEVER_ASKED[family(given)] for v in listed]


def each_address_test(case):
    context = {k.lower(): v[0] for k, v in case["request"]["context"].items()}
    for statement in statements(case):
        for operator, block in statement.get("Condition", {}).items():
            for key in block:
                if "IpAddress" in operator and key.lower() in context:
                    yield block, key, context[key.lower()]


def has_both_families(case):
    return any(of_one_family(block[key], given) != (block[key] if isinstance(block[key], list) else [block[key]])
               for block, key, given in each_address_test(case))


def keep_one_family(case):
    for block, key, given in each_address_test(case):
        block[key] = of_one_family(block[key], given)


# ---- discovery ----

def tests(case):
    for statement in statements(case):
        for operator, block in statement.get("Condition", {}).items():
            for key in block:
                yield operator, key.lower()


def discovers(case, is_affected):
    """Is an operator asked about a key that is not known?"""
    if case["mode"] != "discover":
        return False
    known = {k.lower() for k in [*case["request"]["context"], *case.get("known_absent", [])]}
    return any(is_affected(operator) and key not in known for operator, key in tests(case))


def leaves(condition):
    if condition["conditionType"] == "condition":
        yield condition
    for part in condition.get("conditions", []):
        yield from leaves(part)


def names_a_key_twice(residual):
    found = [leaf["key"].lower() for leaf in leaves(residual or {"conditionType": "always"})]
    return len(found) > len(set(found))


def has_unknown_variable(case):
    known = {k.lower() for k in [*case["request"]["context"], *case.get("known_absent", [])]}
    used = {v.split(",")[0].strip().lower() for v in re.findall(r"\$\{([^}]*)\}", str(case["policies"]))}
    return case["mode"] == "discover" and bool({v for v in used if ":" in v} - known)


def has_not_resource_variable(case):
    return any(has_variables(s.get("NotResource", "")) for s in statements(case))


def has_wildcard_before_separator(case):
    listed = [s.get(element, []) for s in statements(case) for element in ("Resource", "NotResource")]
    patterns = [p for one in listed for p in (one if isinstance(one, list) else [one])]
    return any(re.match(r"(?:[^:]*:){5}[^:/]*(\$\{|[*?][^:/]*[:/])", p) for p in patterns)


# ---- S3 Block Public Access ----

TRUSTED_KEYS = {k.lower() for k in (
    "aws:SourceIp", "aws:SourceArn", "aws:SourceVpc", "aws:SourceVpce", "aws:SourceOwner", "aws:SourceAccount", "aws:userid",
    "aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:PrincipalArn", "aws:PrincipalAccount",
    "s3:x-amz-server-side-encryption-aws-kms-key-id", "s3:DataAccessPointArn", "s3:DataAccessPointAccount")}


def limits_to_trusted(statement):
    """Does it compare one of the keys with values, so that a request without the key does not match?"""
    return any(key.lower() in TRUSTED_KEYS and not re.search("Not|IfExists|ForAllValues|Null", operator)
               for operator, block in statement.get("Condition", {}).items() for key in block)


def is_public_but_for_conditions(case):
    grants = [s for s in statements(case, ("resource",)) if s["Effect"] == "Allow" and s.get("Principal") in ("*", {"AWS": "*"})]
    return bool(grants) and all(limits_to_trusted(s) for s in grants)


def has_deny_not_principal(case):
    return any(s["Effect"] == "Deny" and "NotPrincipal" in s for s in statements(case, ("resource",)))


CLASSES = [
    Explanation(
        "variables-in-2008", USER_GUIDE + "reference_policies_elements_version.html",
        "In version 2008-10-17, and so without a Version, a variable is literal text. It fills them in.",
        lambda case, kim, oracle: any(is_old(d) and has_variables(d) for d in documents(case)),
        write_literally,
    ),
    Explanation(
        "root-user", USER_GUIDE + "reference_policies_evaluation-logic_policy-eval-denyallow.html",
        "The root user has full access without a policy. It wants an identity policy.",
        lambda case, kim, oracle: is_root(case),
        allow_everything,
    ),
    Explanation(
        "scp-and-services", SCP_PAGE,
        "SCPs do not bind service principals. It applies the SCPs that it is given.",
        lambda case, kim, oracle: is_service(case) and "scp" in case["policies"],
        drop("scp"),
    ),
    Explanation(
        "service-linked-roles", SCP_PAGE,
        "Neither SCPs nor RCPs bind service-linked roles. It applies both.",
        lambda case, kim, oracle: is_service_linked(case),
        drop("scp", "rcp"),
    ),
    Explanation(
        "session-policy-and-session-grant", USER_GUIDE + "access_policies.html#policies_session",
        "What a resource policy grants to the session itself, or to everyone, is not limited by the session policy in one "
        "account. It limits it.",
        lambda case, kim, oracle: has_session_grant(case) and not oracle.get("explicit")
        and (kim["decision"], oracle["decision"]) in (("allowed", "denied"), ("conditional", "denied"), ("allowed", "conditional")),
    ),
    Explanation(
        "federated-user-alone", "https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html",
        "A federated user session without a session policy has only what resource policies grant to it. It gives it all that "
        "the user has.",
        lambda case, kim, oracle: is_federated_alone(case),
        allow_nothing,
    ),
    Explanation(
        "all-of-ipv4", USER_GUIDE + "reference_policies_elements_condition_operators.html#Conditions_IPAddress",
        "0.0.0.0/0 is every IPv4 address. To it no address lies in a range with the prefix 0.",
        lambda case, kim, oracle: all_of_ipv4(case),
        halve_ipv4,
    ),
    Explanation(
        "ip-families", USER_GUIDE + "reference_policies_elements_condition_operators.html#Conditions_IPAddress",
        "NotIpAddress holds for every address outside the range, one of the other family too. To it it does not.",
        lambda case, kim, oracle: has_both_families(case),
        keep_one_family,
    ),
    Explanation(
        "discovered-boundary", USER_GUIDE + "access_policies_boundaries.html",
        "What a resource policy grants to a role's ARN is limited by the boundary, and so depends on the boundary's conditions. "
        "Its discovery mode leaves these out. (What kim says is checked by filling in the keys.)",
        lambda case, kim, oracle: case["mode"] == "discover" and "boundary" in case["policies"] and "resource" in case["policies"]
        and (kim["decision"], oracle["decision"]) == ("conditional", "allowed"),
    ),
    Explanation(
        "discovered-and-settled", USER_GUIDE + "reference_policies_evaluation-logic_policy-eval-denyallow.html",
        "Tests of one key may together hold always (an allow if prod, another if not) or never (an allow if prod, a deny if prod). "
        "It names them as conditions. (What kim says is checked by filling in the keys.)",
        lambda case, kim, oracle: case["mode"] == "discover" and kim["decision"] in ("allowed", "denied")
        and oracle["decision"] == "conditional" and names_a_key_twice(oracle.get("residual")),
    ),
    Explanation(
        "discovered-null", USER_GUIDE + "reference_policies_elements_condition_operators.html#Conditions_Null",
        "Whether a key exists that is not known is not known. To its discovery mode Null and ForAllValues hold there, as if "
        "the key were absent. (What kim says is checked by filling in the keys.)",
        lambda case, kim, oracle: discovers(case, lambda operator: operator == "Null" or operator.startswith("ForAllValues:"))
        and "conditional" in (kim["decision"], oracle["decision"]),
    ),
    Explanation(
        "discovered-variable", USER_GUIDE + "reference_policies_variables.html",
        "A variable whose key is not known may have any value. To its discovery mode it has none. (What kim says is checked "
        "by filling in the keys.)",
        lambda case, kim, oracle: has_unknown_variable(case),
    ),
    Explanation(
        "negated-test-of-no-value", USER_GUIDE + "reference_policies_variables.html#policy-vars-no-value",
        "A variable without a value is like nothing and equal to nothing, so that inverted operators match. To it the test does "
        "not hold.",
        lambda case, kim, oracle: any(each_void_test(case)),
        name_nobody,
    ),
    Explanation(
        "not-resource-variable", USER_GUIDE + "reference_policies_variables.html",
        "A resource with a variable that has no value does not match, in NotResource too. To it NotResource with such a variable "
        "sometimes matches every resource.",
        lambda case, kim, oracle: has_not_resource_variable(case),
    ),
    Explanation(
        "wildcard-before-separator", USER_GUIDE + "reference_policies_elements_resource.html",
        "A wildcard covers any characters of an ARN's last part. To it one that stands before a slash or colon of the pattern "
        "ends there; and it takes the separators in a variable's name for such ones.",
        lambda case, kim, oracle: has_wildcard_before_separator(case),
    ),
    Explanation(
        "public-by-its-own-list", "https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html",
        "A bucket policy is not public where every grant to everyone is limited by a fixed value of a key that AWS lists. It "
        "does not know all of these keys.",
        lambda case, kim, oracle: "s3-bpa" in oracle.get("blocked_by", []) and is_public_but_for_conditions(case),
    ),
    Explanation(
        "deny-not-principal", USER_GUIDE + "reference_policies_elements_notprincipal.html",
        "Deny with NotPrincipal denies whoever is not listed, with the account and, for a session, with the role. It takes "
        "the account's ARN alone, or the principal's alone, as enough.",
        lambda case, kim, oracle: has_deny_not_principal(case) and not oracle.get("explicit")
        and (kim.get("reason") == "explicit_deny" or kim["decision"] == "conditional"),
    ),
]


def explain(case, kim, oracle):
    """The classes that match, and the case restated by those that can (None: it needs no second question)."""
    found = [c for c in CLASSES if c.matches(case, kim, oracle)]
    if not any(c.restate for c in found):
        return found, None
    restated = copy.deepcopy(case)
    for c in found:
        if c.restate:
            c.restate(restated)
    return found, restated
