# SPDX-License-Identifier: Apache-2.0
"""Random AWS cases, as `kim evaluate` takes them: the same seed gives the same cases.

    python3 generate.py SEED COUNT > cases.jsonl

A case that is random in all its parts is denied for many reasons at once and shows little. So most cases have a
focus: all layers let the request pass, but for one or two that may do anything, or whose statements all meet the
request where their conditions hold. The rest are random throughout, for what nobody thought of. Names, values and
patterns come from small pools, so that they meet.
"""

import json
import random
import sys

A, B = "111122223333", "444455556666"
REGION = "eu-west-1"
LAYERS = ("identity", "resource", "boundary", "session", "scp", "rcp", "endpoint")
USERS, ROLES, SESSIONS = ("ann", "bob"), ("r", "q"), ("s1", "s2")
SERVICES = ("lambda.amazonaws.com", "ec2.amazonaws.com")

# action, resources it may be asked for ("*": it takes none), condition keys that its service gives it beside the
# global ones
ACTIONS = (
    ("s3:GetObject", ("arn:aws:s3:::b/k", "arn:aws:s3:::b/home/ann/x", "arn:aws:s3:::c/red/y"), ("s3:authType", "s3:TlsVersion")),
    ("s3:PutObject", ("arn:aws:s3:::b/k", "arn:aws:s3:::b/home/ann/x"), ("s3:x-amz-acl", "s3:TlsVersion")),
    ("s3:ListBucket", ("arn:aws:s3:::b", "arn:aws:s3:::c"), ("s3:max-keys", "s3:prefix")),
    ("s3:ListAllMyBuckets", ("*",), ("s3:authType",)),
    ("sqs:SendMessage", (f"arn:aws:sqs:{REGION}:@:q", f"arn:aws:sqs:{REGION}:@:ann"), ()),
    ("secretsmanager:GetSecretValue", (f"arn:aws:secretsmanager:{REGION}:@:secret:s",), ("secretsmanager:VersionStage",)),
    ("dynamodb:GetItem", (f"arn:aws:dynamodb:{REGION}:@:table/t",), ("dynamodb:Attributes",)),
    ("ec2:CreateTags", (f"arn:aws:ec2:{REGION}:@:instance/i-1",), ("aws:TagKeys", "aws:RequestTag/team", "aws:ResourceTag/team")),
    ("ec2:TerminateInstances", (f"arn:aws:ec2:{REGION}:@:instance/i-1", f"arn:aws:ec2:{REGION}:@:instance/i-2"), ("aws:ResourceTag/team",)),
    ("ec2:DescribeInstances", ("*",), ()),
    ("logs:GetLogEvents", (f"arn:aws:logs:{REGION}:@:log-group:g:log-stream:s",), ()),
    ("iam:PassRole", ("arn:aws:iam::@:role/r",), ("iam:PassedToService",)),
    ("lambda:InvokeFunction", (f"arn:aws:lambda:{REGION}:@:function:f",), ()),
    ("sns:Publish", (f"arn:aws:sns:{REGION}:@:t",), ()),
    ("kms:Decrypt", (f"arn:aws:kms:{REGION}:@:key/k",), ("kms:ViaService",)),
    ("sts:AssumeRole", ("arn:aws:iam::@:role/target",), ("sts:ExternalId", "sts:RoleSessionName")),
    ("sts:GetCallerIdentity", ("*",), ()),
)
ACTION_WEIGHTS = (8, 4, 5, 4, 5, 3, 4, 4, 4, 3, 3, 2, 3, 3, 6, 6, 1)
RCP_SERVICES = ("s3", "sqs", "secretsmanager", "kms", "sts", "dynamodb")

STRING, ARN, NUMERIC, DATE, BOOL, IP, SET = "String", "Arn", "Numeric", "Date", "Bool", "Ip", "Set"
KEYS = {  # key: its kind and the values that requests and policies have
    "aws:PrincipalTag/team": (STRING, ("red", "blue", "Red")),
    "aws:PrincipalTag/env": (STRING, ("prod", "test")),  # base64 as well, for BinaryEquals
    "aws:username": (STRING, ("ann", "bob", "k")),
    "aws:userid": (STRING, ("AIDAEXAMPLE1", "AROAEXAMPLE1:s1")),
    "aws:PrincipalOrgID": (STRING, ("o-1", "o-2")),
    "aws:PrincipalAccount": (STRING, (A, B)),
    "aws:ResourceAccount": (STRING, (A, B)),
    "aws:SourceVpc": (STRING, ("vpc-1", "vpc-2")),
    "aws:SourceVpce": (STRING, ("vpce-1", "vpce-2")),
    "aws:RequestedRegion": (STRING, ("eu-west-1", "us-east-1", "eu-central-1")),
    "aws:UserAgent": (STRING, ("aws-cli/2", "Mozilla/5.0")),
    "aws:SourceAccount": (STRING, (A, B)),
    "aws:RequestTag/team": (STRING, ("red", "blue")),
    "aws:ResourceTag/team": (STRING, ("red", "blue")),
    "s3:authType": (STRING, ("REST-HEADER", "REST-QUERY-STRING")),
    "s3:x-amz-acl": (STRING, ("private", "public-read")),
    "s3:prefix": (STRING, ("home/", "home/ann", "")),
    "secretsmanager:VersionStage": (STRING, ("AWSCURRENT", "AWSPREVIOUS")),
    "iam:PassedToService": (STRING, SERVICES),
    "kms:ViaService": (STRING, ("s3.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com")),
    "sts:ExternalId": (STRING, ("x1", "x2")),
    "sts:RoleSessionName": (STRING, ("ann", "s1")),
    "aws:PrincipalArn": (ARN, (f"arn:aws:iam::{A}:user/ann", f"arn:aws:iam::{A}:role/r", f"arn:aws:iam::{B}:role/r")),
    "aws:SourceArn": (ARN, (f"arn:aws:sns:{REGION}:{A}:t", f"arn:aws:sns:us-east-1:{A}:t", f"arn:aws:sqs:{REGION}:{B}:q")),
    "aws:SecureTransport": (BOOL, ("true", "false")),
    "aws:MultiFactorAuthPresent": (BOOL, ("true", "false")),
    "aws:ViaAWSService": (BOOL, ("true", "false")),
    "aws:PrincipalIsAWSService": (BOOL, ("true", "false")),
    "aws:MultiFactorAuthAge": (NUMERIC, ("60", "3600", "90")),
    "s3:max-keys": (NUMERIC, ("10", "9", "1000")),
    "s3:TlsVersion": (NUMERIC, ("1.2", "1.3")),
    "aws:CurrentTime": (DATE, ("2025-06-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")),
    "aws:TokenIssueTime": (DATE, ("2025-06-01T00:00:00Z", "2026-01-01T00:00:00Z")),
    "aws:SourceIp": (IP, ("192.0.2.1", "198.51.100.7", "2001:db8::1")),
    "aws:VpcSourceIp": (IP, ("10.0.0.5", "10.1.0.5")),
    "aws:PrincipalOrgPaths": (SET, ("o-1/r-1/ou-1/", "o-1/r-1/ou-2/", "o-2/r-2/")),
    "aws:CalledVia": (SET, ("athena.amazonaws.com", "cloudformation.amazonaws.com")),
    "aws:TagKeys": (SET, ("team", "env", "Team")),
    "dynamodb:Attributes": (SET, ("id", "name", "salary")),
}
SPECIAL = {k for _, _, own in ACTIONS for k in own}
GLOBAL = [k for k in KEYS if k not in SPECIAL]
FAR = {  # what only policies have: beyond every value of a request
    NUMERIC: ("1", "1.25", "100000"),
    DATE: ("2024-01-01", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00+01:00", "2027-01-01T00:00:00Z"),
}
OPERATORS = {
    STRING: ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike", "BinaryEquals"),
    ARN: ("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "StringLike"),
    NUMERIC: ("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"),
    DATE: ("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"),
    BOOL: ("Bool",),
    IP: ("IpAddress", "NotIpAddress"),
    SET: ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
}
TESTS = [(kind, op, prefix) for kind, ops in OPERATORS.items() for op in ops for prefix in (("ForAllValues:", "ForAnyValue:") if kind == SET else ("",))]


def any_case(rng, text):
    return rng.choice((text, text, text, text.lower(), text.upper(), text.title()))


class Case:
    """One case in the making: what it asks, and documents that meet it or miss it."""

    def __init__(self, rng, number):
        self.rng, self.id = rng, str(number)
        self.action, resources, own = rng.choices(ACTIONS, ACTION_WEIGHTS)[0]
        self.cross = rng.random() < 0.3
        self.account = B if self.cross else A
        self.resource = rng.choice(resources).replace("@", self.account)
        self.keys = GLOBAL + list(own)
        self.service = self.action.split(":")[0]
        self.is_trust = self.action == "sts:AssumeRole"
        self.takes_none = self.resource == "*"
        self.style = rng.choices(("conditions", "focus", "wild"), (40, 35, 25))[0]
        self.kind, self.principal = self.choose_principal()
        self.discover = rng.random() < 0.5
        self.context = self.choose_context()

    def chance(self, p):
        return self.rng.random() < p

    def choose_principal(self):
        pick = self.rng.choice
        kinds = ("user", "session", "role", "federated", "root", "service", "anonymous")
        kind = self.rng.choices(kinds, (34, 30, 6, 9, 0 if self.is_trust else 7, 8, 8))[0]
        user = f"arn:aws:iam::{A}:user/{pick(USERS)}"
        role = pick(ROLES)
        if role == "r" and self.chance(0.03):
            role = "AWSServiceRoleForX"
        return kind, {
            "user": user,
            "session": f"arn:aws:sts::{A}:assumed-role/{role}/{pick(SESSIONS)}",
            "role": f"arn:aws:iam::{A}:role/{role}",
            "federated": f"arn:aws:sts::{A}:federated-user/{pick(USERS)}",
            "root": f"arn:aws:iam::{A}:root",
            "service": pick(SERVICES),
            "anonymous": "*",
        }[kind]

    def choose_context(self):
        given = {}
        for key in self.keys:
            if self.chance(0.2 if self.discover else 0.5):
                kind, values = KEYS[key]
                count = self.rng.randint(1, len(values)) if kind == SET else 1
                given[key] = self.rng.sample(values, count)
        return given

    # ---- conditions ----

    def condition_values(self, key, operator):
        kind, pool = KEYS[key]
        near = list(self.context.get(key, pool))
        count = self.rng.choice((1, 1, 1, 2))
        values = [self.rng.choice(near if self.chance(0.4) else pool + FAR.get(kind, ())) for _ in range(count)]
        if kind == IP:
            values = [self.widen_address(v) for v in values]
        elif "Like" in operator or operator.startswith("Arn"):
            values = [self.widen_text(v, kind) for v in values]
        elif kind == STRING and operator != "BinaryEquals" and self.chance(0.1):
            values[0] = self.rng.choice(("${aws:username}", "${aws:PrincipalTag/team, 'red'}", "${aws:PrincipalTag/env}"))
        if operator in ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"):
            values = [any_case(self.rng, v) for v in values]
        return values if len(values) > 1 or self.chance(0.2) else values[0]

    def widen_address(self, address):
        if ":" in address:
            return self.rng.choice((address, "2001:db8::/32", "::/0"))
        head = ".".join(address.split(".")[:3])
        return self.rng.choice((address, f"{head}.0/24", f"{head}.0/31", "0.0.0.0/0"))

    def widen_text(self, value, kind):
        if not value or self.chance(0.3):
            return value
        if kind == ARN:
            parts = value.split(":")
            for at in self.rng.sample(range(2, 6), self.rng.randint(1, 2)):
                parts[at] = "*" if at < 5 else parts[at][:-1] + self.rng.choice("*?")
            return ":".join(parts)
        cut = self.rng.randint(0, len(value) - 1)
        return self.rng.choice((value[:cut] + "*", "*" + value[cut:], value[:cut] + "?" + value[cut + 1:], "*"))

    def condition(self):
        blocks = {}
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            if self.chance(0.06):
                blocks.setdefault("Null", {})[self.rng.choice(self.keys)] = self.rng.choice(("true", "false"))
                continue
            kind, operator, prefix = self.rng.choice(TESTS)
            fitting = [k for k in self.keys if KEYS[k][0] == kind] if operator != "BinaryEquals" else ["aws:PrincipalTag/env"]
            written = prefix + operator
            if self.chance(0.3) and prefix != "ForAnyValue:":  # AWS does not say what ForAnyValue with IfExists means
                written += "IfExists"
                fitting = [k for k in fitting if k in self.context] or fitting
            key = self.rng.choice(fitting)
            blocks.setdefault(written, {})[any_case(self.rng, key) if self.chance(0.05) else key] = self.condition_values(key, operator)
        return blocks

    # ---- statements ----

    def actions(self, hit):
        service, name = self.action.split(":")
        half = name[: self.rng.randint(1, len(name) - 1)]
        if hit:
            return self.rng.choice((
                self.action, self.action, any_case(self.rng, self.action), f"{service}:*", f"{service}:{half}*",
                f"{service}:*{name[-3:]}", f"{service}:?{name[1:]}", "*", [f"{service}:Other", self.action],
            ))
        return self.rng.choice(("cloudwatch:*", f"{service}:Other*", f"{service}:{name}?", ["iam:GetUser", "cloudwatch:Get*"]))

    def resources(self, hit):
        if self.takes_none:
            return self.rng.choice(("*", ["*"])) if hit else self.rng.choice(("arn:aws:s3:::b", "arn:aws:ec2:*:*:instance/*"))
        head, tail = self.resource.rsplit(":", 1)
        if hit:
            cut = self.rng.randint(1, len(tail))
            return self.rng.choice((
                "*", self.resource, f"{head}:{tail[:cut]}*", f"{head}:{tail[:-1]}?", [f"{head}:nothing", self.resource],
                f"{head}:*{tail[-1]}",
            ))
        return self.rng.choice((f"{head}:{tail}x", f"{head}:{tail.upper()}x*", f"{head}:{tail}?", "arn:aws:s3:::elsewhere/*"))

    def variable_resource(self):
        head, tail = self.resource.rsplit(":", 1)
        return self.rng.choice((
            f"{head}:${{aws:username}}", f"{head}:*${{aws:username}}*", f"{head}:{tail[:1]}*${{aws:PrincipalTag/team, '{tail[-1]}'}}",
            f"{head}:{tail}${{*}}",
        ))

    def principals(self, hit):
        """Who a resource policy's statement names."""
        own = {
            "user": [self.principal], "root": [self.principal], "federated": [self.principal], "role": [self.principal],
            "session": [self.principal, self.principal.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/").rsplit("/", 1)[0]],
        }.get(self.kind, [])
        if self.kind == "service":
            return {"Service": self.principal} if hit else self.rng.choice(({"Service": "sns.amazonaws.com"}, {"AWS": A}))
        if not hit:
            return self.rng.choice(({"AWS": f"arn:aws:iam::{A}:user/eve"}, {"AWS": "999900001111"}, {"Service": "sns.amazonaws.com"}))
        account = [A, f"arn:aws:iam::{A}:root"]
        choices = ["*", {"AWS": "*"}] + ([{"AWS": o} for o in own] * 2 + [{"AWS": a} for a in account] if own else [])
        return self.rng.choice(choices)

    def not_principals(self):
        listed = [f"arn:aws:iam::{A}:root", self.principal] if self.kind in ("user", "root", "federated") else [f"arn:aws:iam::{A}:user/eve", f"arn:aws:iam::{A}:root"]
        if self.kind == "session":
            listed = [f"arn:aws:iam::{A}:root", self.principal, self.principal.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/").rsplit("/", 1)[0]]
        return {"AWS": listed[: self.rng.randint(1, len(listed))]}

    def statement(self, layer, effect, hit=None, plain=False):
        """hit: True, it surely meets the request; None: who knows."""
        sure = hit is True
        s = {"Effect": effect}
        if self.chance(0.3):
            s["Sid"] = f"S{self.rng.randint(0, 99999)}"
        if layer in ("resource", "endpoint", "rcp"):
            if layer == "resource" and not sure and effect == "Deny" and self.chance(0.15):
                s["NotPrincipal"] = self.not_principals()
            else:
                s["Principal"] = self.principals(sure or self.chance(0.8)) if layer == "resource" else "*"
        if self.chance(0.1) and not plain and layer != "rcp":
            s["NotAction"] = self.actions(not (sure or self.chance(0.8)))
        else:
            s["Action"] = self.actions(sure or self.chance(0.85))
        if layer == "rcp":
            s["Action"] = self.rcp_actions(sure or self.chance(0.85))
        if not (layer == "resource" and self.is_trust):
            self.put_resource(s, layer, effect, sure, plain)
        if not plain and self.chance(0.15 if sure else 0.5):
            s["Condition"] = self.condition()
        return s

    def rcp_actions(self, hit):
        actions = self.actions(hit)
        one = actions if isinstance(actions, str) else actions[0]
        if self.service not in RCP_SERVICES or one == "*" or not one.lower().startswith(tuple(s + ":" for s in RCP_SERVICES)):
            return f"{self.service}:*" if self.service in RCP_SERVICES and hit else "s3:PutBucketPolicy"
        return actions

    def put_resource(self, s, layer, effect, sure, plain):
        if plain:
            s["Resource"] = "*"
        elif not sure and self.chance(0.1) and not (layer == "scp" and effect == "Allow"):
            s["NotResource"] = self.resources(not self.chance(0.7)) if not self.takes_none else self.resources(False)
        elif not sure and not self.takes_none and self.chance(0.08) and layer not in ("scp", "rcp"):
            s[self.rng.choice(("Resource", "Resource", "NotResource"))] = self.variable_resource()
        else:
            s["Resource"] = self.resources(sure or self.chance(0.85))

    def document(self, layer, statements):
        version = self.rng.choices(("2012-10-17", "2008-10-17", None), (92, 5, 3))[0]
        if layer in ("scp", "rcp"):
            version = "2012-10-17"
        document = {"Version": version} if version else {}
        document["Statement"] = statements if len(statements) != 1 or self.chance(0.9) else statements[0]
        return document

    def full(self, layer):
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        if layer in ("resource", "endpoint", "rcp"):
            everything = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
        return {"Version": "2012-10-17", "Statement": [everything]}

    def open_document(self, layer):
        """One that lets the request pass."""
        if layer != "resource" and self.chance(0.5):
            return self.full(layer)
        return self.document(layer, [self.statement(layer, "Allow", hit=True, plain=self.chance(0.7))])

    def conditional_document(self, layer):
        """Every statement meets the request, if its condition holds."""
        effects = ["Allow"] * self.rng.choice((1, 1, 2)) + ["Deny"] * self.rng.choice((0, 0, 1))
        statements = [self.statement(layer, effect, hit=True, plain=True) for effect in effects]
        for s in statements:
            if s["Effect"] == "Deny" or self.chance(0.9):
                s["Condition"] = self.condition()
        return self.document(layer, statements)

    def any_document(self, layer):
        if self.style == "conditions":
            return self.conditional_document(layer)
        statements = [self.statement(layer, "Allow") for _ in range(self.rng.choice((0, 1, 1, 2)))]
        if self.chance(0.35):
            statements.append(self.statement(layer, "Deny"))
        if not statements:
            statements.append(self.statement(layer, "Allow", hit=False))
        self.rng.shuffle(statements)
        return self.document(layer, statements)

    # ---- layers ----

    def level(self, layer, target, focus):
        policies = []
        if layer == "rcp":
            policies.append({"name": "RCPFullAWSAccess", "policy": self.full("rcp")})
            if focus:
                denies = [self.statement("rcp", "Deny") for _ in range(self.rng.choice((1, 1, 2)))]
                policies.append(self.document("rcp", denies))
            return {"target": target, "policies": policies}
        if not focus or self.chance(0.5):
            policies.append(self.full("scp"))
        if focus and self.chance(0.9):
            policies.append(self.any_document("scp"))
        return {"target": target, "policies": policies}

    def chain(self, layer, focus):
        targets = ["r-1", "ou-1", A if layer == "scp" else self.account][: self.rng.randint(1, 3)]
        chosen = self.rng.choice(targets)
        return [self.level(layer, t, focus and (t == chosen or self.chance(0.2))) for t in targets]

    def documents(self, layer, focus):
        if not focus:
            return [self.open_document(layer)]
        if layer != "identity" and self.chance(0.06):
            return []
        return [self.any_document(layer) for _ in range(self.rng.choice((1, 1, 1, 2)) if layer != "boundary" else 1)]

    def possible(self, layer):
        if layer in ("resource", "rcp", "endpoint"):
            return not (layer == "resource" and self.takes_none)
        if self.kind == "service":
            return layer == "scp"  # and it must not matter
        if self.kind == "anonymous":
            return False
        if layer == "session":
            return self.kind in ("session", "federated")
        if layer == "boundary":
            return self.kind in ("user", "session", "role")
        if layer == "scp":
            return True
        return self.kind != "root"

    def policies(self):
        layers = [layer for layer in LAYERS if self.possible(layer)]
        wild = self.style == "wild"
        focus = set(layers) if wild else set(self.rng.sample(layers, min(len(layers), self.rng.choice((1, 1, 2)))))
        present = {"identity": 0.85, "resource": 0.5, "boundary": 0.2, "session": 0.25, "scp": 0.25, "rcp": 0.2, "endpoint": 0.12}
        out = {}
        for layer in layers:
            needed = layer == "resource" and (self.cross or self.kind in ("service", "anonymous"))
            must = layer == "resource" and (self.is_trust or self.service == "kms")  # every role and key has one
            if not must and not (layer in focus and not wild) and not self.chance(0.9 if needed else present[layer]):
                continue
            if layer in ("scp", "rcp"):
                out[layer] = self.chain(layer, layer in focus)
            elif layer == "resource":
                out[layer] = self.any_document(layer) if layer in focus else self.open_document(layer)
            else:
                out[layer] = self.documents(layer, layer in focus)
        return out

    def whole(self):
        request = {"principal": self.principal, "action": any_case(self.rng, self.action) if self.chance(0.05) else self.action,
                   "resource": self.resource, "resource_account": self.account, "context": self.context}
        case = {"id": self.id, "provider": "aws", "mode": "discover" if self.discover else "strict", "request": request}
        if self.discover:
            unknown = [k for k in self.keys if k not in self.context]
            case["known_absent"] = [k for k in unknown if self.chance(0.15)]
            case["known_present"] = [k for k in unknown if k not in case["known_absent"] and self.chance(0.1)]
        case["policies"] = self.policies()
        if self.service == "s3" and not self.takes_none and self.chance(0.12):
            case["s3_public_access_block"] = {"RestrictPublicBuckets": self.chance(0.7)}
        return case


def keys_of(case):
    """The condition keys that the case's request may have."""
    return GLOBAL + next(list(own) for action, _, own in ACTIONS if action.lower() == case["request"]["action"].lower())


def names_session(case):
    """Is the session's name a key of this request's own?"""
    return "sts:RoleSessionName" in keys_of(case)


def cases(seed, count):
    for number in range(count):
        yield Case(random.Random(f"{seed}/{number}"), f"{seed}-{number}").whole()


if __name__ == "__main__":
    for one in cases(int(sys.argv[1]), int(sys.argv[2])):
        sys.stdout.write(json.dumps(one, separators=(",", ":")) + "\n")
