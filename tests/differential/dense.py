# SPDX-License-Identifier: Apache-2.0
"""Random AWS cases, dense with what is rarely written: the same seed gives the same cases."""
import random

A, B = "111122223333", "444455556666"
IAM = "arn:aws:iam::"
PRINCIPALS = (
    f"{IAM}{A}:user/ann", f"{IAM}{A}:user/p/ann", f"{IAM}{A}:role/r", f"{IAM}{A}:role/p/r",
    f"arn:aws:sts::{A}:assumed-role/r/s1", f"arn:aws:sts::{A}:assumed-role/r/s2", f"arn:aws:sts::{A}:federated-user/f",
    f"{IAM}{A}:root", A, "lambda.amazonaws.com", "*",
    f"{IAM}{A}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX", f"arn:aws:sts::{A}:assumed-role/AWSServiceRoleForX/s",
)
IDP = ({"Federated": "accounts.google.com"}, {"Federated": f"{IAM}{B}:oidc-provider/t.example.com"}, {"Federated": f"{IAM}{A}:saml-provider/p"})
ACTIONS = (  # action, resources
    ("s3:GetObject", ("arn:aws:s3:::b/a", "arn:aws:s3:::b/a/b", "arn:aws:s3:::b/A")),
    ("s3:ListBucket", ("arn:aws:s3:::b",)),
    ("s3:PutBucketPolicy", ("arn:aws:s3:::b",)),
    ("s3:ListAllMyBuckets", ("*",)),
    ("kms:Decrypt", ("arn:aws:kms:eu-west-1:@:key/k",)),
    ("kms:CreateAlias", ("arn:aws:kms:eu-west-1:@:alias/a",)),
    ("kms:ListKeys", ("*",)),
    ("sqs:SendMessage", ("arn:aws:sqs:eu-west-1:@:a", "arn:aws:sqs:eu-west-1:@:a:b")),
    ("sts:AssumeRole", ("arn:aws:iam::@:role/t",)),
    ("sts:AssumeRoleWithWebIdentity", ("arn:aws:iam::@:role/t",)),
    ("sts:TagSession", ("arn:aws:iam::@:role/t",)),
    ("sts:GetCallerIdentity", ("*",)),
    ("iam:PassRole", ("arn:aws:iam::@:role/t",)),
    ("iam:GetUser", ("arn:aws:iam::@:user/ann",)),
    ("foo:Bar", ("arn:aws:foo:eu-west-1:@:x/a",)),
    ("ec2:DescribeInstances", ("*",)),
)
KEYS = {  # key: (operator family, values that a request or a policy has)
    "aws:PrincipalTag/t": ("String", ("a", "A", "b", "ab", "", "a*", "?", "${x}")),
    "aws:username": ("String", ("a", "ann", "b")),
    "aws:TagKeys": ("Set", ("a", "A", "b", "ab", "")),
    "aws:SourceIp": ("Ip", ("10.0.0.5", "10.0.0.9", "10.0.1.5", "2001:db8::5", "::ffff:10.0.0.5", "no address")),
    "aws:MultiFactorAuthPresent": ("Bool", ("true", "false", "True", "1")),
    "aws:MultiFactorAuthAge": ("Numeric", ("5", "5.0", "-1", "1e1", "10", "x")),
    "aws:CurrentTime": ("Date", ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01", "1767225600", "2026-01-01T00:00:00.5Z", "x")),
    "aws:SourceArn": ("Arn", ("arn:aws:sns:eu-west-1:111122223333:t", "arn:aws:sns:eu-west-1:111122223333:t:u", "arn:aws:sns::111122223333:a", "no arn")),
    "aws:SourceVpc": ("String", ("vpc-1", "vpc-2")),
    "aws:PrincipalTag/key": ("Binary", ("a2lt", "S2lt", "?")),
}
WANTED = {  # what only policies have
    "String": ("*", "a?", "?", "", "${aws:username}", "${aws:username, 'a'}", "${*}", "a${*}", "${aws:PrincipalTag/t}", "${AWS:UserName}*", "${$}{x}", "${", "*${aws:PrincipalTag/t}*"),
    "Ip": ("10.0.0.0/24", "10.0.0.4/30", "0.0.0.0/0", "::/0", "2001:db8::/32", "10.0.0.5/32", "10.0.0.0/33", "x"),
    "Bool": ("TRUE", "x", "${aws:MultiFactorAuthPresent}"),
    "Numeric": ("0", "1e1", "+5", "x"),
    "Date": ("2026-01-01T00:00Z", "2025-12-31T23:00:00-01:00", "2026-01", "x", "2026-01-01T00:00:00.500Z"),
    "Arn": ("arn:aws:sns:*:*:*", "arn:aws:sns:eu-west-?:111122223333:t", "*", "arn:aws:sns:eu-west-1:111122223333:${aws:username}*", "arn:*:t", "arn:aws:sns:eu-west-1:${aws:PrincipalTag/t}:t", "x", "arn:aws:sns:*:111122223333:?"),
    "Binary": ("a2lt", "x"),
    "Set": ("*", "a?", "?", "${aws:username}", "${aws:username, 'b'}", "${*}"),
}
OPS = {
    "String": ("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"),
    "Ip": ("IpAddress", "NotIpAddress"), "Bool": ("Bool",), "Binary": ("BinaryEquals",),
    "Numeric": ("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"),
    "Date": ("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"),
    "Arn": ("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "StringLike", "StringNotLike"),
}
OPS["Set"] = OPS["String"]


class Maker:
    def __init__(self, rng, number, focus=False):
        self.rng, self.number, self.focus = rng, number, focus
        self.action, resources = rng.choice(ACTIONS)
        self.principal = rng.choice(IDP) if self.action == "sts:AssumeRoleWithWebIdentity" and rng.random() < 0.7 else rng.choice(PRINCIPALS)
        self.account = rng.choice((A, A, B))
        self.resource = rng.choice(resources).replace("@", self.account)
        self.keys = rng.sample(list(KEYS), rng.randint(1, 4))
        self.old = rng.random() < 0.1

    def p(self, x):
        return self.rng.random() < x

    def pick(self, *a):
        return self.rng.choice(a)

    def some(self, items, most=2):
        got = [self.rng.choice(items) for _ in range(self.rng.choice((1,) * 3 + tuple(range(2, most + 1))))]
        return got[0] if len(got) == 1 and self.p(0.7) else got

    def context(self, share=0.7):
        out = {}
        for key in self.keys:
            family, values = KEYS[key]
            if self.p(share):
                out[key if self.p(0.9) else key.upper()] = self.rng.sample(values, self.pick(0, 1, 2, 3) if family == "Set" else 2 if self.p(0.05) else 1)
        return out

    def values(self, key, family):
        pool = KEYS[key][1] + WANTED.get(family, ()) + WANTED.get(KEYS[key][0], ())
        if self.p(0.01):
            return []
        return self.some(pool, 3)

    def condition(self):
        out = {}
        for _ in range(self.pick(1, 1, 1, 2, 3)):
            key = self.rng.choice(self.keys)
            family = KEYS[key][0]
            if self.p(0.1):
                out.setdefault(self.pick("Null", "Null", "null"), {})[key] = self.pick("true", "false", "True", ["true", "false"], "x", True, False)
                continue
            if self.p(0.1):
                family = self.rng.choice(list(OPS))
            op = self.rng.choice(OPS[family])
            if self.p(0.8 if KEYS[key][0] == "Set" else 0.1):
                op = self.pick("ForAllValues:", "ForAnyValue:") + op
            if self.p(0.25):
                op += "IfExists"
            if self.p(0.05):
                op = self.pick(op.lower(), op.upper())
            out.setdefault(op, {})[key if self.p(0.9) else key.lower()] = self.values(key, family)
        for block in out.values():  # one spelling of a key in a block
            seen = {}
            for k in list(block):
                if seen.setdefault(k.lower(), k) != k:
                    del block[k]
        return out

    def actions(self):
        service, name = self.action.split(":")
        return self.some((self.action, self.action, self.action.upper(), f"{service}:*", "*", f"{service}:{name[:3]}*", f"{service}:?{name[1:]}", f"{service}:{name}?", "s3:*", "*:*", f"{service}:*{name[-1]}", "x:y", f"{service[:-1]}?:{name}"), 3)

    def resources(self):
        r, head, tail = self.resource, self.resource.rsplit(":", 1)[0], self.resource.rsplit(":", 1)[-1]
        pool = ("*", "*", r, r, r.upper(), r + "*", r[:-1] + "?", r + "?", "arn:aws:s3:::*", "arn:*:*:*:*:*", "arn:aws:*", "arn:aws:s3", "arn:aws:sqs:eu-west-1", "arn:aws:s3:::b/${aws:username}",
                "arn:aws:s3:::b/${aws:username}*", "arn:aws:s3:::b/${aws:username, 'a'}", "arn:aws:s3:::b/${aws:PrincipalTag/t}", "arn:aws:s3:::b/A${*}", "arn:aws:s3:::b/?${*}",
                f"{head}:*{tail[-1]}", f"{head}:${{aws:username}}", f"arn:aws:sqs:eu-west-1:{self.account}:*:b", "arn:aws:sqs:*:*:*", "arn:aws:s3:*:*:*", "arn:aws:iam::*:role/*", f"arn:aws:iam::${{aws:PrincipalTag/t}}:role/t", "")
        return self.some(pool, 3)

    def principal_element(self):
        own = self.principal if isinstance(self.principal, str) else "x"
        role = f"{IAM}{A}:role/r"
        named = {"AWS": self.some((own, own, role, f"{IAM}{A}:root", A, f"{IAM}{B}:root", f"{IAM}{A}:user/ann", f"{IAM}{A}:user/*", f"{IAM}{A}:role/p/r", f"arn:aws:sts::{A}:assumed-role/r/s1", "AIDAEXAMPLE", "*", f"{IAM}{A}:role/aws-service-role/x.amazonaws.com/AWSServiceRoleForX", f"{IAM}{B}:user/ann", f"arn:aws:sts::{A}:federated-user/f"), 4)}
        if self.p(0.2):
            named["Service"] = self.some(("lambda.amazonaws.com", "sns.amazonaws.com", "*"))
        if self.p(0.2) or not isinstance(self.principal, str):
            named["Federated"] = self.some(("accounts.google.com", f"{IAM}{B}:oidc-provider/t.example.com", f"{IAM}{A}:saml-provider/p", "www.amazon.com"))
        if self.p(0.05):
            named["CanonicalUser"] = "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"
        if self.p(0.1):
            del named["AWS"]
        return "*" if self.p(0.25) else named

    def statement(self, layer):
        s = {"Effect": "Allow" if self.p(0.8 if self.focus else 0.65) else "Deny"}
        if layer in ("resource", "endpoint", "rcp") and self.p(0.97):
            s["NotPrincipal" if self.p(0.12) else "Principal"] = self.principal_element()
        sure = 0.9 if self.focus else 0.4
        if self.focus and self.p(0.6) and layer in ("resource", "endpoint", "rcp"):
            s.pop("NotPrincipal", 0)
            s["Principal"] = "*"
        if self.p(sure):
            s["Action"] = self.pick("*", self.action)
        else:
            s["NotAction" if self.p(0.15) else "Action"] = self.actions()
        if not (layer == "resource" and self.action.startswith("sts:") and self.p(0.9)):
            if self.p(sure):
                s["Resource"] = self.pick("*", self.resource) if self.resource != "*" else "*"
            else:
                s["NotResource" if self.p(0.15) else "Resource"] = self.resources()
        if self.p(0.8 if self.focus else 0.5):
            s["Condition"] = self.condition()
        return s

    def document(self, layer):
        d = {} if self.old and self.p(0.5) else {"Version": "2008-10-17" if self.old else "2012-10-17"}
        statements = [self.statement(layer) for _ in range((self.pick(1, 1, 2, 2, 3) if self.focus else self.pick(0, 1, 1, 1, 2, 2, 3)))]
        d["Statement"] = statements[0] if len(statements) == 1 and self.p(0.2) else statements
        return d

    def full(self, layer):
        s = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        if layer in ("resource", "endpoint", "rcp"):
            s["Principal"] = "*"
        return {"Version": "2012-10-17", "Statement": [s]}

    def one(self, layer):
        return self.full(layer) if self.p(0.4) else self.document(layer)

    def many(self, layer):
        return [self.one(layer) for _ in range(self.pick(1, 1, 1, 2) if self.focus else self.pick(0, 1, 1, 1, 1, 2))]

    def whole(self):
        policies = {}
        for layer, share in (("identity", 0.85), ("boundary", 0.25), ("session", 0.3), ("endpoint", 0.15)):
            if self.p(share):
                policies[layer] = self.many(layer)
        if self.p(0.65):
            policies["resource"] = self.one("resource")
        for layer, share in (("scp", 0.25), ("rcp", 0.2)):
            if self.p(share):
                policies[layer] = [{"target": t, "policies": self.many(layer)} for t in ("r-1", "ou-1", A)[: self.pick(1, 2, 3)]]
        case = {"id": str(self.number), "provider": "aws", "request": {"principal": self.principal, "action": self.action if self.p(0.9) else self.action.upper(), "resource": self.resource, "context": self.context()}, "policies": policies}
        if self.p(0.8):
            case["request"]["resource_account"] = self.account
        if self.p(0.15):
            case["s3_public_access_block"] = {"RestrictPublicBuckets": self.p(0.8)}
        return case


def cases(seed, count):
    for n in range(count):
        yield Maker(random.Random(f"dense/{seed}/{n}"), n).whole()
