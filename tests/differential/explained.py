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
        "deny-not-principal", USER_GUIDE + "reference_policies_elements_notprincipal.html",
        "Deny with NotPrincipal denies whoever is not listed, with the account and, for a session, with the role. It takes "
        "the account's ARN alone, or the principal's alone, as enough.",
        lambda case, kim, oracle: has_deny_not_principal(case) and kim.get("reason") == "explicit_deny" and not oracle.get("explicit"),
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
