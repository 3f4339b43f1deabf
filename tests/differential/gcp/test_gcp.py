# SPDX-License-Identifier: Apache-2.0
"""`kim evaluate` and gcp_naive.py on the same random cases for Google Cloud.

KIM_GCP_CASES (2000) is how many, KIM_GCP_SEED (1) where they begin. The naive evaluator tries everything that nobody knows; so
it is exact where kim may be coarse: kim does not see that an expression of which a part cannot be evaluated can never hold, and
says "conditional" or "unknown" then. That is counted and bounded. A definite answer of kim's must be right, always.
"""

import collections
import json
import os
import subprocess

import gcp_generate
import pytest
from gcp_naive import Naive, TooManyWorlds

COUNT = int(os.environ.get("KIM_GCP_CASES", "2000"))
SEED = os.environ.get("KIM_GCP_SEED", "1")
SHARES = {"allowed": 0.10, "denied": 0.20, "unknown": 0.05, "conditional": 0.01}  # of the cases, at least
REASONS = {"explicit_deny": 0.02, "implicit_deny": 0.10, "ceiling": 0.01}
CONSTRUCTS = {  # what must be in the cases that often, per thousand
    "deny": 300, "principal_access_boundaries": 200, "denialCondition": 50, "exceptionPrincipals": 100, "exceptionPermissions": 50, "condition": 500,
    "_withcond_": 20, "principal://goog/subject/": 500, "principalSet://goog/public:all": 50, "svc.id.goog[": 50, "projectOwner:": 50, "deleted:": 50,
    "matchTag": 100, "matchTagId": 20, "extract(": 50, "hasOnly(": 50, '"DISABLED"': 50, "known_absent": 100, "domain:": 100, "namespace/": 50,
}
COARSE = 0.02  # of the cases, at most


@pytest.fixture(scope="module")
def compared(installed):
    """[(case, answer, verdicts that are right, reason)]"""
    made = []
    for i in range(COUNT):
        maker = gcp_generate.Maker(f"{SEED}/{i}")
        made.append((maker.case(i), maker.trees))
    asked = "".join(json.dumps(case) + "\n" for case, _ in made)
    done = subprocess.run([installed.kim, "evaluate", "-"], input=asked, capture_output=True, text=True, timeout=600)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == COUNT, done.stderr
    found = []
    for (case, trees), answer in zip(made, answers):
        try:
            found.append((case, answer, *Naive(case, trees, gcp_generate.SAMPLES).answer()))
        except TooManyWorlds:
            continue
    assert len(found) > 0.99 * COUNT
    return found


def is_coarse(answer, right, reason):
    """Less is said than could be: not definite, or a grant that can never hold is taken for one that a boundary cut."""
    if answer.get("decision") == "denied":
        return right == {"denied"} and (answer["reason"], reason) == ("ceiling", "implicit_deny")
    return answer.get("decision") in ("conditional", "unknown") and right <= {"allowed", "denied"}


def test_no_answer_is_wrong(compared):
    wrong = []
    for case, answer, right, reason in compared:
        fits = answer.get("decision") in right and (answer["decision"] != "denied" or answer["reason"] == reason)
        if not fits and not is_coarse(answer, right, reason):
            wrong.append(f"{json.dumps(case)}\n  kim: {json.dumps(answer)}\n  naive: {sorted(right)} {reason}")
    assert not wrong, f"{len(wrong)} of {len(compared)}\n" + "\n".join(wrong[:3])


def test_few_answers_are_coarser_than_they_could_be(compared):
    assert sum(is_coarse(answer, right, reason) for _, answer, right, reason in compared) < COARSE * len(compared)


def test_because_names_the_layer_that_decided(compared):
    layers = {"explicit_allow": {"allow"}, "explicit_deny": {"deny"}, "ceiling": {"principal_access_boundary"}, "implicit_deny": set()}
    for _, answer, _, _ in compared:
        named = {b["layer"] for b in answer["because"]}
        if answer["reason"] in layers:
            assert named == layers[answer["reason"]], answer


def test_the_cases_show_enough(compared):
    verdicts = collections.Counter(answer["decision"] for _, answer, _, _ in compared)
    reasons = collections.Counter(answer["reason"] for _, answer, _, _ in compared)
    texts = [json.dumps(case) for case, *_ in compared]
    lacking = {k: verdicts[k] for k, share in SHARES.items() if verdicts[k] < share * len(compared)}
    lacking |= {k: reasons[k] for k, share in REASONS.items() if reasons[k] < share * len(compared)}
    lacking |= {k: n for k, least in CONSTRUCTS.items() if (n := sum(k in t for t in texts)) < least * len(compared) / 1000}
    assert not lacking, f"{lacking} of {len(compared)}; {verdicts}; {reasons}"
