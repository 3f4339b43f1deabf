# SPDX-License-Identifier: Apache-2.0
"""What must hold for whatever a policy says, tried on every policy that AWS manages and every account's of ../shared/data."""

import copy
import json
import lzma
import random
import subprocess

import pytest

PRINCIPAL = "arn:aws:iam::111122223333:user/ann"
RANK = {"denied": 0, "unknown": 1, "conditional": 1, "allowed": 2}


def as_list(value):
    return value if isinstance(value, list) else [value]


def documents_of(folder):
    managed = json.loads(lzma.open(folder / "aws/managed-policies/aws-managed-policies.json.xz").read())
    yield from ((name, entry["document"]) for name, entry in managed.items())
    for path in sorted((folder / "aws/authorization-details").glob("*.json.xz")):
        account = json.loads(lzma.open(path).read())
        for policy in account["Policies"]:
            for version in policy["PolicyVersionList"]:
                if version["IsDefaultVersion"]:
                    yield f"{path.name}/{policy['PolicyName']}", version["Document"]


@pytest.fixture(scope="module")
def documents(shared_data):
    found = [(name, {**d, "Statement": as_list(d["Statement"])}) for name, d in documents_of(shared_data)]
    assert len(found) > 1000
    return found


@pytest.fixture(scope="module")
def evaluate(installed):
    """evaluate(cases) -> their answers; none of them is an error."""

    def ask(cases):
        lines = "".join(json.dumps({"id": str(i), "provider": "aws", **case}) + "\n" for i, case in enumerate(cases))
        done = subprocess.run([installed.kim, "evaluate", "-"], input=lines, capture_output=True, text=True, timeout=300)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(answers) == len(cases) and not [a for a in answers if "error" in a], done.stderr
        return answers

    return ask


def shuffled(document, seed):
    """The same said otherwise: statements and lists in another order, a statement for each action, or for few."""
    rng = random.Random(seed)
    few = 1 + sum(len(as_list(s.get("Action", []))) for s in document["Statement"]) // 2000  # 4,096 statements are read
    out = []
    for s in document["Statement"]:
        s = {k: v for k, v in s.items() if k != "Sid"}
        actions = as_list(s.get("Action", []))
        for part in [{**s, "Action": actions[i:i + few]} for i in range(0, len(actions), few)] if "Action" in s else [s]:
            part = copy.deepcopy(part)
            for key in ("Resource", "NotResource", "NotAction"):
                if isinstance(part.get(key), list):
                    rng.shuffle(part[key])
            out.append(part)
    rng.shuffle(out)
    return {**document, "Statement": out}


def questions(document, seed):
    """Requests that touch what the policy names: its actions and resources, with * filled in."""
    rng = random.Random(seed)
    actions = [a for s in document["Statement"] for a in as_list(s.get("Action", s.get("NotAction", "s3:GetObject")))]
    resources = [r for s in document["Statement"] for r in as_list(s.get("Resource", s.get("NotResource", "*")))]
    for _ in range(3):
        action = rng.choice(actions).replace("*", "GetObject" if rng.random() < 0.5 else "x")
        yield {"principal": PRINCIPAL, "action": action if ":" in action else "s3:GetObject",
               "resource": rng.choice(resources).replace("*", "x").replace("${", "").replace("}", ""), "resource_account": "111122223333"}


def asked(document, request, **more):
    return {"mode": "discover", "request": request, "policies": {"identity": [document], **more.pop("policies", {})}, **more}


def test_a_policy_gives_no_more_and_no_less_than_itself_said_otherwise(documents, evaluate):
    cases = [{"compare": {"type": "identity", "reference": d, "candidate": shuffled(d, i)}} for i, (_, d) in enumerate(documents)]
    wrong = [name for (name, _), a in zip(documents, evaluate(cases)) if a["new_access"] is not False or a["lost_access"] is not False]
    assert wrong == []


def test_order_and_splitting_change_no_answer(documents, evaluate):
    asks = [(d, r) for i, (_, d) in enumerate(documents) for r in questions(d, i)]
    plain = evaluate([asked(d, r) for d, r in asks])
    again = evaluate([asked(shuffled(d, i), r) for i, (d, r) in enumerate(asks)])
    decisions = {a["decision"] for a in plain}
    assert decisions >= {"allowed", "denied", "conditional"}
    differ = [(r, a, b) for (_, r), a, b in zip(asks, plain, again) if (a["decision"], a["reason"]) != (b["decision"], b["reason"])]
    assert differ[:3] == []


@pytest.mark.parametrize("added", [
    {"identity": [{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": ["s3:*", "ec2:*", "iam:*"], "Resource": "*"}]}]},
    {"identity": [{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*",
                                                           "Condition": {"StringNotEquals": {"aws:RequestedRegion": "eu-west-1"}}}]}]},
    {"boundary": [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}]},
    {"scp": [{"target": "o-root", "policies": [{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}]}]},
], ids=["deny", "deny-if", "boundary", "scp"])
def test_a_deny_or_a_ceiling_never_widens(documents, evaluate, added):
    asks = [(d, r) for i, (_, d) in enumerate(documents) for r in questions(d, i)]
    before = evaluate([asked(d, r) for d, r in asks])
    after = evaluate([asked(d, r, policies={**added, "identity": [d, *added.get("identity", [])]}) for d, r in asks])
    wider = [(r, a, b) for (_, r), a, b in zip(asks, before, after) if RANK[b["decision"]] > RANK[a["decision"]]]
    assert wider[:3] == []
    assert any(RANK[b["decision"]] < RANK[a["decision"]] for a, b in zip(before, after))


def in_lists(document):
    """Its normal form: each element a list, without repeats, in one order."""
    out = copy.deepcopy(document)
    out["Statement"] = as_list(out["Statement"])
    for s in out["Statement"]:
        for key in ("Action", "NotAction", "Resource", "NotResource"):
            if key in s:
                s[key] = sorted(set(as_list(s[key])))
        for block in s.get("Condition", {}).values():
            for name, values in block.items():
                block[name] = sorted({str(v).lower() if isinstance(v, bool) else v for v in as_list(values)}, key=str)
    return out


def test_a_normal_form_changes_no_answer_and_is_its_own(documents, evaluate):
    for _, d in documents:
        assert in_lists(in_lists(d)) == in_lists(d)
    asks = [(d, r) for i, (_, d) in enumerate(documents) for r in questions(d, i)]
    plain, again = evaluate([asked(d, r) for d, r in asks]), evaluate([asked(in_lists(d), r) for d, r in asks])
    differ = [(r, a, b) for (_, r), a, b in zip(asks, plain, again) if (a["decision"], a["reason"], a.get("because")) != (b["decision"], b["reason"], b.get("because"))]
    assert differ[:3] == []


@pytest.mark.parametrize("name", ["cloudsplaining-example", "cloudsplaining-test", "cloudsplaining-test-v2"])
def test_who_can_names_those_of_whom_can_says_so(shared_data, installed, tmp_path, name):
    account = tmp_path / "account.json"
    account.write_bytes(lzma.open(shared_data / "aws/authorization-details" / f"{name}.json.xz").read())

    def scan(*query):
        done = subprocess.run([installed.kim, "scan", "-q", account, "--", *query], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    listed = json.loads(scan("identities", "-o", "json"))["identities"]
    askers = [i["id"] for i in listed if i["kind"] != "group" and i["id"].startswith("arn:")]
    assert askers
    for action, resource in (("s3:GetObject", "arn:aws:s3:::b/k"), ("iam:CreateUser", "*"), ("ec2:DescribeInstances", "*")):
        named = {a["identity"]: a for a in json.loads(scan("who-can", action, resource, "-o", "json"))["answers"]}
        cases = tmp_path / "cases.jsonl"
        cases.write_text("".join(json.dumps({"id": who, "provider": "aws", "mode": "discover", "request": {"principal": who, "action": action, "resource": resource}}) + "\n" for who in askers))
        alone = {a["id"]: a for a in map(json.loads, scan("evaluate", cases).splitlines())}
        assert {who for who in askers if alone[who]["decision"] != "denied"} == set(named) & set(askers)
        for who in set(named) & set(askers):
            assert {k: v for k, v in named[who].items() if k != "identity"} == {k: v for k, v in alone[who].items() if k != "id"}
