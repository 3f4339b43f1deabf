# SPDX-License-Identifier: Apache-2.0
"""`kim scan ESTATE -- QUERY` against what the providers' own documentation says.

A file of estates/ is one collected estate and queries on it. A query holds `says` and `page` as a line of
test_conformance.py does, and one of

  case + expect        a line of `evaluate`; what the answer must hold, as there; unread: some text of it says this
  ask + answers        `who-can`: everybody who is not denied, with the decision, and nobody else
  ask + actions        `what-can` of one resource: every action with its decision
  ask + has, lacks     `what-can`: these actions on these resources are among the answers, those are not
  ask + decision       `can`
"""

import json
import subprocess
from pathlib import Path

import pytest

from test_conformance import difference

FILES = sorted((Path(__file__).resolve().parent / "estates").glob("*.json"))
QUERIES = [(path, query) for path in FILES for query in json.loads(path.read_text())["queries"]]


def scan(installed, path, *query, input=None):
    done = subprocess.run([installed.kim, "scan", "-q", path, "--", *query], input=input, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def estates(tmp_path_factory):
    """Each file's estate by itself."""
    folder = tmp_path_factory.mktemp("estates")
    for path in FILES:
        (folder / path.name).write_text(json.dumps(json.loads(path.read_text())["estate"]))
    return folder


@pytest.fixture(scope="module")
def evaluated(installed, estates):
    """The answers to each file's cases, asked in one run."""
    found = {}
    for path in FILES:
        cases = [q for q in json.loads(path.read_text())["queries"] if "case" in q]
        asked = estates / (path.stem + ".jsonl")
        asked.write_text("".join(json.dumps({"id": q["id"], **q["case"]}) + "\n" for q in cases))
        for line in scan(installed, estates / path.name, "evaluate", asked).splitlines():
            found[json.loads(line)["id"]] = json.loads(line)
    return found


def differences(query, text):
    answer = json.loads(text)
    if "decision" in query:
        return [] if answer["decision"] == query["decision"] else [f"{answer['decision']} instead of {query['decision']}"]
    if "answers" in query:
        got = {a["identity"]: a["decision"] for a in answer["answers"]}
        assert len(got) == len(answer["answers"]), "somebody is named twice"
        wanted = query["answers"]
    elif "actions" in query:
        got, wanted = {a["action"]: a["decision"] for a in answer["answers"]}, query["actions"]
    else:
        got = {(a["action"], a["resource"]): a["decision"] for a in answer["answers"]}
        wanted = {(action, resource): decision for action, resource, decision in query["has"]}
        kept = set(wanted) | {tuple(one) for one in query["lacks"]}
        got = {k: v for k, v in got.items() if k in kept}
    return [f"{k}: {got.get(k, 'not named')} instead of {wanted.get(k, 'not named')}" for k in got | wanted if got.get(k) != wanted.get(k)]


@pytest.mark.parametrize("path,query", QUERIES, ids=lambda one: one["id"] if isinstance(one, dict) else one.stem)
def test_query(path, query, request):
    installed, estates = request.getfixturevalue("installed"), request.getfixturevalue("estates")
    if "case" in query:
        answer = request.getfixturevalue("evaluated")[query["id"]]
        found = difference(query["expect"], answer)
        found += [f"unread: {answer.get('unread')} lacks {u}" for u in query["expect"].get("unread", []) if not any(u in one for one in answer.get("unread", []))]
    else:
        answer = scan(installed, estates / path.name, *query["ask"], "-o", "json")
        found = differences(query, answer)
    assert not found, f"{query['says']} ({query['page']})\n" + "\n".join(found) + f"\n{answer}"
