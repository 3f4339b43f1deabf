# SPDX-License-Identifier: Apache-2.0
"""What holds of Google Cloud IAM whatever the policies say, on random cases and on every predefined role.

Verdicts are ordered: denied, then unknown and conditional, then allowed.
"""

import copy
import json
import lzma
import os
import random
import subprocess
from pathlib import Path

import gcp_generate
import pytest

COUNT = 300
CASE_MAX_BYTES = 786432
RANK = {"denied": 0, "unknown": 1, "conditional": 1, "allowed": 2}
PUBLISHED = Path(os.environ.get("KIM_SOURCE_DIR", ".")) / ".." / "shared" / "data" / "gcp" / "roles" / "predefined-roles.json.xz"


@pytest.fixture(scope="module")
def ask(installed):
    def answers(cases):
        asked = "".join(json.dumps(case) + "\n" for case in cases)
        done = subprocess.run([installed.kim, "evaluate", "-"], input=asked, capture_output=True, text=True, timeout=600)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(found) == len(cases), done.stderr
        return found
    return answers


@pytest.fixture(scope="module")
def cases():
    return [gcp_generate.Maker(f"law/{i}").case(i) for i in range(COUNT)]


@pytest.fixture(scope="module")
def plain(ask, cases):
    return ask(cases)


def bindings_of(case):
    return [r["policy"]["bindings"] for r in case["resources"].values() if (r.get("policy") or {}).get("bindings")]


def changed(cases, change):
    """A copy of each case after change(case, random), which may give a case of its own."""
    made = []
    for i, case in enumerate(cases):
        one = copy.deepcopy(case)
        made.append(change(one, random.Random(i)) or one)
    return made


def differing(before, after, fits):
    return [f"{json.dumps(a)}\n  {json.dumps(b)}" for a, b in zip(before, after) if not fits(a, b)][:3]


def same(a, b):
    return (a.get("decision"), a.get("reason")) == (b.get("decision"), b.get("reason"))


def test_order_never_matters(ask, cases, plain):
    def shuffle(case, chance):
        for name in ("resources", "roles", "groups"):
            items = list(case[name].items())
            chance.shuffle(items)
            case[name] = dict(items)
        chance.shuffle(case["principal_access_boundaries"])
        for resource in case["resources"].values():
            chance.shuffle(resource.get("deny") or [])
        for bindings in bindings_of(case):
            chance.shuffle(bindings)
            for binding in bindings:
                chance.shuffle(binding.get("members", []))
        for members in case["groups"].values():
            chance.shuffle(members)
    assert not differing(plain, ask(changed(cases, shuffle)), same)


def test_a_binding_may_be_split(ask, cases, plain):
    def split(case, chance):
        for bindings in bindings_of(case):
            bindings[:] = [{**binding, "members": [member]} for binding in bindings for member in binding.get("members", [])]
    assert not differing(plain, ask(changed(cases, split)), same)


def test_another_deny_policy_never_widens(ask, cases, plain):
    def deny(case, chance):
        resource = chance.choice([n for n in case["resources"] if n.startswith("//cloudresourcemanager")])
        rule = {"deniedPrincipals": [chance.choice(gcp_generate.GROUPS + ["principalSet://goog/public:all"] * 4)],
                "deniedPermissions": [chance.choice(["storage.googleapis.com/objects.*", "storage.googleapis.com/*.*", "iam.googleapis.com/*.*"])]}
        case["resources"][resource].setdefault("deny", []).append({"name": "another", "rules": [{"denyRule": rule}]})
    after = ask(changed(cases, deny))
    assert not differing(plain, after, lambda a, b: RANK[b["decision"]] <= RANK[a["decision"]])
    assert sum(not same(a, b) for a, b in zip(plain, after)) > COUNT / 20


def test_the_first_boundary_never_widens(ask, cases):
    def without(case, chance):
        case["principal_access_boundaries"] = []

    def bound(case, chance):
        place = chance.choice([n for n in case["resources"] if n.startswith("//cloudresourcemanager")])
        case["principal_access_boundaries"] = [{"principals": [chance.choice(gcp_generate.PEOPLE + gcp_generate.GROUPS)],
                                                "policy": {"name": "b", "details": {"rules": [{"effect": "ALLOW", "resources": [place]}]}}}]
    before, after = ask(changed(cases, without)), ask(changed(cases, bound))
    assert not differing(before, after, lambda a, b: RANK[b["decision"]] <= RANK[a["decision"]])
    assert sum(not same(a, b) for a, b in zip(before, after)) > COUNT / 50


def test_another_binding_never_narrows(ask, cases, plain):
    def grant(case, chance):
        resource = case["resources"][chance.choice(list(case["resources"]))]
        policy = resource["policy"] = resource.get("policy") or {}
        policy.setdefault("bindings", []).append({"role": chance.choice(gcp_generate.ROLES), "members": [chance.choice(gcp_generate.PEOPLE + gcp_generate.GROUPS)]})
    # A holder of a basic role may be among those whom a deny rule names: only cases without one.
    free = [i for i, case in enumerate(cases) if '"denyRule"' not in json.dumps(case) and "project" not in json.dumps(case["principal_access_boundaries"]).replace("projects/", "")]
    after = ask(changed([cases[i] for i in free], grant))
    assert len(free) > COUNT / 10
    assert not differing([plain[i] for i in free], after, lambda a, b: RANK[b["decision"]] >= RANK[a["decision"]])


def test_no_role_differs_from_itself(ask):
    if not PUBLISHED.exists():
        pytest.skip(f"{PUBLISHED} is not there")
    roles = [role for role in json.loads(lzma.open(PUBLISHED).read()) if role.get("includedPermissions")]
    lines = []
    for role in roles:
        backwards = {**role, "includedPermissions": role["includedPermissions"][::-1]}
        line = {"provider": "gcp", "compare": {"type": "role", "reference": role, "candidate": backwards}}
        if len(json.dumps(line)) < CASE_MAX_BYTES:
            lines.append(line)
    found = ask(lines)
    assert len(lines) > 0.98 * len(roles)
    assert not [a for a in found if a.get("new_access") is not False or a.get("lost_access") is not False][:3]


def confirming(kind, document, found):
    """The case in which the request that was found meets one of two compared documents."""
    request = found["request"]
    resource = {"policy": {"bindings": [{"role": "r", "members": [request["principal"]]}]}, "tags": found.get("tags", {})}
    if kind == "deny":
        resource["deny"] = [document]
    return {"provider": "gcp", "request": request, "resources": {request["resource"]: resource}, "groups": found.get("groups", {}),
            "roles": {"r": document if kind == "role" else [request["permission"]]}}


def random_deny(chance):
    who = ["principalSet://goog/public:all", "principal://goog/subject/ann@example.com", "principalSet://goog/group/g@example.com", "user:bob@example.com"]
    what = ["storage.googleapis.com/objects.get", "storage.googleapis.com/objects.*", "storage.googleapis.com/*.get", "iam.googleapis.com/*.*", "storage.objects.list"]
    rules = []
    for _ in range(chance.randint(1, 3)):
        rule = {"deniedPrincipals": chance.sample(who, chance.randint(1, 2)), "deniedPermissions": chance.sample(what, chance.randint(1, 2))}
        if chance.random() < 0.4:
            rule["exceptionPrincipals"] = [chance.choice(who[1:])]
        if chance.random() < 0.3:
            rule["exceptionPermissions"] = [chance.choice(what)]
        if chance.random() < 0.3:
            rule["denialCondition"] = {"expression": chance.choice(["resource.matchTag('1/env', 'prod')", "!resource.matchTag('1/env', 'prod')", "resource.hasTagKey('1/env')"])}
        rules.append({"denyRule": rule})
    return {"name": "policies/x/denypolicies/d", "rules": rules}


def test_what_compare_finds_evaluate_confirms(ask):
    chance = random.Random(5)
    lines = []
    for i in range(120):
        kind = "role" if i % 3 == 0 else "deny"
        made = ((lambda: {"includedPermissions": chance.sample(gcp_generate.PERMISSIONS, chance.randint(0, 4))}) if kind == "role" else (lambda: random_deny(chance)))
        lines.append({"provider": "gcp", "compare": {"type": kind, "reference": made(), "candidate": made()}})
    checks = []
    for line, found in zip(lines, ask(lines)):
        compare = line["compare"]
        only = {one["only"] for one in found["because"]}
        assert ("candidate" in only, "reference" in only) == (found["new_access"], found["lost_access"]), found
        for one in found["because"]:
            checks += [(confirming(compare["type"], compare[side], one), side == one["only"], found) for side in ("reference", "candidate")]
    assert len(checks) > 100
    answers = ask([case for case, _, _ in checks])
    wrong = [f"{json.dumps(case)}\n  {json.dumps(answer)}\n  {json.dumps(found)}"
             for (case, allowed, found), answer in zip(checks, answers) if (answer.get("decision") == "allowed") != allowed]
    assert not wrong, "\n".join(wrong[:3])
