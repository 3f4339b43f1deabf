# SPDX-License-Identifier: Apache-2.0
"""`kim evaluate` against what the providers' own documentation says, sentence by sentence.

A line of PROVIDER/*.jsonl is one case: `says` is what it shows, `page` where that is written ("kim": it is kim's
own contract, doc/kim-evaluate.7), `case` what is asked, `expect` what the answer must hold:

  decision, reason, new_access, lost_access, actions   exactly
  value, unknown, residual                             exactly, of an expression
  if        the residual condition, whatever the order of terms and values
  because   each of these is named; a given layer, policy and statement must be equal
  error     the refusal contains this text; and the answer holds nothing else
"""

import json
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
LINES = [json.loads(line) for path in sorted(HERE.glob("*/*.jsonl")) for line in path.read_text().splitlines()]
EXACT = ("decision", "reason", "new_access", "lost_access", "actions", "value", "unknown", "residual")


def normal(term):
    """A term in one order: of lists that are sets, and of a condition's values."""
    if isinstance(term, list):
        return sorted((normal(t) for t in term), key=json.dumps)
    if isinstance(term, dict):
        return {k: sorted(v) if k == "values" else normal(v) for k, v in sorted(term.items())}
    return term


def named(wanted, because):
    return any(all(str(b.get(k)) == v for k, v in wanted.items()) for b in because)


def difference(expect, answer):
    """What the answer does not hold, in words; empty where it holds all."""
    if "error" in expect:
        fits = expect["error"] in answer.get("error", "") and "decision" not in answer and "value" not in answer
        return [] if fits else [f"error: {answer.get('error')!r} instead of one that says {expect['error']!r}"]
    found = [f"{k}: {answer.get(k)!r} instead of {expect[k]!r}" for k in EXACT if k in expect and answer.get(k) != expect[k]]
    if "if" in expect and normal(answer.get("if")) != normal(expect["if"]):
        found.append(f"if: {json.dumps(answer.get('if'))} instead of {json.dumps(expect['if'])}")
    if expect.get("decision") in ("allowed", "denied") and answer.get("if"):
        found.append(f"if: {json.dumps(answer['if'])} with {answer['decision']}")
    missing = [b for b in expect.get("because", []) if not named(b, answer.get("because", []))]
    if missing:
        found.append(f"because: {json.dumps(answer.get('because'))} lacks {json.dumps(missing)}")
    if "error" in answer:
        found.append(f"error: {answer['error']}")
    return found


@pytest.fixture(scope="module")
def answers(installed):
    """Each file's cases, asked in one run, so that a crash in one file leaves the others standing."""
    import subprocess

    given = {}
    for path in sorted(HERE.glob("*/*.jsonl")):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        asked = "".join(json.dumps({"id": line["id"], **line["case"]}) + "\n" for line in lines)
        done = subprocess.run([installed.kim, "evaluate", "-"], input=asked, capture_output=True, text=True, timeout=120)
        for line in done.stdout.splitlines():
            answer = json.loads(line)
            given[answer.get("id")] = answer
        faults = any("error" in line["expect"] for line in lines)
        given[path.name] = (done.returncode, int(faults), done.stderr)
    return given


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["id"])
def test_case(line, answers):
    assert line["id"] in answers, "no answer: the program ended before it"
    found = difference(line["expect"], answers[line["id"]])
    assert not found, f"{line['says']} ({line['page']})\n" + "\n".join(found) + "\n" + json.dumps(line["case"])


@pytest.mark.parametrize("path", sorted(HERE.glob("*/*.jsonl")), ids=lambda path: path.name)
def test_exit_status_says_whether_a_case_could_not_be_read(path, answers):
    status, expected, stderr = answers[path.name]
    assert status == expected, stderr


PAGES = (
    "https://docs.aws.amazon.com/", "https://aws.amazon.com/", "https://learn.microsoft.com/", "https://cloud.google.com/",
    "https://github.com/google/cel-spec/blob/master/doc/langdef.md#",
    "https://kubernetes.io/docs/", "https://docs.oasis-open.org/mqtt/", "https://docs.nats.io/", "https://www.rabbitmq.com/docs/", "https://mosquitto.org/documentation/",
    "https://www.openldap.org/doc/", "https://eclipse.dev/ditto/", "https://reference.opcfoundation.org/",
)


def test_every_case_says_what_it_shows_and_where_that_is_written():
    ids = [line["id"] for line in LINES]
    assert len(set(ids)) == len(ids)
    for line in LINES:
        assert line["says"]
        assert line["page"] == "kim" or line["page"].startswith(PAGES), line["id"]
