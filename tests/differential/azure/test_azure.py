# SPDX-License-Identifier: Apache-2.0
"""kim answers 2,000 random cases of Azure RBAC as our own second reading of Microsoft's pages does; what it says of two
roles holds for requests; and real documents read.

No independent evaluator of Azure RBAC exists to ask; differ_azure.py says how these two are compared.
KIM_DIFFERENTIAL_AZURE_CASES and KIM_DIFFERENTIAL_SEED ask for more, or for others.
"""

import json
import lzma
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
SEED = os.environ.get("KIM_DIFFERENTIAL_SEED", "1")
DATA = Path(os.environ.get("KIM_SOURCE_DIR", HERE.parents[2])).parent / "shared" / "data" / "azure"


def answers(installed, cases):
    lines = "".join(json.dumps(case) + "\n" for case in cases)
    done = subprocess.run([installed.kim, "evaluate", "-"], input=lines, capture_output=True, text=True, timeout=300)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(cases), done.stderr
    return found


@pytest.fixture(scope="module")
def roles():
    """The built-in roles as Azure lists them."""
    path = DATA / "roles" / "built-in-roles.json.xz"
    if not path.exists():
        pytest.skip("needs ../shared/data/azure")
    return json.loads(lzma.open(path).read())


def test_kim_answers_as_the_second_reading(installed, run):
    done = run(
        [sys.executable, HERE / "differ_azure.py", "--kim", installed.kim,
         "--count", os.environ.get("KIM_DIFFERENTIAL_AZURE_CASES", "2000"), "--seed", SEED],
        status=None,
        patience_s=1200,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_documents_given_twice_say_what_they_say_once(installed):
    import generate_azure

    once = [generate_azure.case(int(SEED) * 10**7 + 5 * 10**6 + i) for i in range(300)]
    lists = ("role_definitions", "role_assignments", "deny_assignments", "eligible_assignments")
    twice = [{**case, **{name: case[name] * 2 for name in lists}} for case in once]
    for a, b in zip(answers(installed, once), answers(installed, twice)):
        assert a == b


def compare(reference, candidate):
    return {"id": 1, "provider": "azure", "compare": {"type": "role", "reference": reference, "candidate": candidate}}


def test_every_built_in_role_reads_and_is_itself(installed, roles):
    turned = [{**role, "permissions": [{**p, "actions": p["actions"][::-1] + p["actions"][:1]} for p in role["permissions"][::-1]]} for role in roles]
    for role, answer in zip(roles, answers(installed, [compare(role, other) for role, other in zip(roles, turned)])):
        assert (answer.get("new_access"), answer.get("lost_access")) == (False, False), (role["roleName"], answer)


def test_what_is_said_of_two_roles_holds_for_requests(installed, roles):
    rng = random.Random(int(SEED))
    pairs = [tuple(rng.sample(roles, 2)) for _ in range(250)]
    by_name = {role["roleName"]: role for role in roles}
    pairs += [(by_name[a], by_name[b]) for a, b in (("Owner", "Contributor"), ("Reader", "Contributor"), ("Reader", "Owner"))]
    cases, wanted = [], []
    found = answers(installed, [compare(*pair) for pair in pairs])
    for pair, answer in zip(pairs, found):
        assert {w["only"] for w in answer["because"]} == {side for side, key in (("candidate", "new_access"), ("reference", "lost_access")) if answer[key] is True}
        for witness in answer["because"]:
            for role, side in zip(pair, ("reference", "candidate")):
                assignment = {"principalId": "p", "roleDefinitionId": role["name"], "scope": "/"}
                cases.append({"id": 1, "provider": "azure", "request": {**witness["request"], "principal": "p"}, "role_definitions": [role], "role_assignments": [assignment]})
                wanted.append("allowed" if witness["only"] == side else "denied")
    assert len(cases) > 500
    for case, answer, want in zip(cases, answers(installed, cases), wanted):
        assert answer.get("decision") == want, (case, answer)
    assert (found[-3]["new_access"], found[-3]["lost_access"]) == (False, True)  # a Contributor is no Owner
    assert (found[-1]["new_access"], found[-1]["lost_access"]) == (True, False)


def recorded():
    """Real answers of the APIs, each as a file would have it."""
    path = DATA / "api-responses"
    if not path.exists():
        return
    for name, body in json.loads((path / "rest-api-specs-authorization.json").read_text()).items():
        yield name.rsplit("/", 1)[-1], body
    for name, body in json.loads(lzma.open(path / "fixinventory.json.xz").read()).items():
        if name.startswith("authorization/") or name in ("graph/groups.json", "graph/users.json", "graph/serviceprincipals.json", "graph/roleDefinitions.json", "graph/organization.json"):
            yield name, body
    for name, exchanges in json.loads(lzma.open(path / "c7n-cassettes.json.xz").read()).items():
        for i, exchange in enumerate(exchanges):
            if "/providers/Microsoft.Authorization/role" in exchange["request"]["uri"] and isinstance(exchange["response"], dict) and "value" in exchange["response"]:
                yield f"{name}-{i}", exchange["response"]


@pytest.mark.parametrize("name,body", list(recorded()), ids=lambda one: one if isinstance(one, str) else "")
def test_a_recorded_answer_reads(installed, tmp_path, name, body):
    (tmp_path / "answer.json").write_text(json.dumps(body))
    done = subprocess.run([installed.kim, "scan", "-q", tmp_path / "answer.json", "--provider", "azure", "-o", "json"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    fewest = 3 if "organization" in name else 4  # two scopes and the profile are always there
    assert not report["not_read"] and sum(report["status"]["records"].values()) >= fewest, done.stdout[:400]
