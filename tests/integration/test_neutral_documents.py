# SPDX-License-Identifier: Apache-2.0
"""kim scan on a neutral document: a plant's broker, in kim's own words."""

import json

import pytest

DOCUMENT = {
    "scope": "ot:plant1", "name": "broker",
    "profile": {"combining": "first-match", "wildcard": "mqtt", "default_by_action": {"receive": "allow"}},
    "identities": [{"id": "robot-17", "kind": "device"}],
    "statements": [
        {"id": "w1", "effect": "deny", "subjects": ["role:writer"], "actions": ["publish"], "resources": ["plant/+/cmd"], "order": 10},
        {"id": "w2", "effect": "allow", "subjects": ["role:writer"], "actions": ["publish"], "resources": ["plant/#"], "order": 20},
        {"id": "o1", "effect": "allow", "subjects": ["hmi"], "actions": ["publish"], "resources": ["plant/4/cmd"],
         "condition": {"lang": "kim", "text": "station == \"HMI-3\""}},
    ],
    "edges": [{"from": "robot-17", "type": "member_of", "to": "role:writer", "order": 1}],
}


@pytest.fixture
def plant(tmp_path):
    path = tmp_path / "plant.json"
    path.write_text(json.dumps(DOCUMENT))
    return path


def test_it_answers_who_may_do_what(kim, plant):
    can = json.loads(kim("scan", plant, "--", "can", "robot-17", "publish", "plant/4/state", "-o", "json").stdout)
    assert (can["decision"], can["because"]) == ("allowed", [{"layer": "statements", "policy": "w2", "statement": "w2"}])
    who = json.loads(kim("scan", plant, "--", "who-can", "publish", "plant/4/cmd", "-o", "json").stdout)["answers"]
    assert [(w["identity"], w["decision"], w["if"]) for w in who] == [("hmi", "conditional", [{"key": "station", "op": "==", "values": ["HMI-3"]}])]
    what = json.loads(kim("scan", plant, "--", "what-can", "robot-17", "-o", "json").stdout)["answers"]
    assert [(w["action"], w["resource"], w["decision"], w.get("if")) for w in what] == [
        ("publish", "plant/#", "conditional", [{"not": {"resource": "plant/+/cmd"}}]), ("receive", "*", "allowed", None)]


def test_requests_are_asked_in_neutral_words(kim, plant, tmp_path):
    requests = tmp_path / "requests.jsonl"
    requests.write_text('{"id":1,"request":{"identity":"robot-17","action":"publish","resource":"plant/4/cmd"}}\n')
    answer = json.loads(kim("scan", plant, "--", "evaluate", requests).stdout)
    assert (answer["decision"], answer["reason"]) == ("denied", "explicit_deny")


def test_a_document_without_ids_is_refused_with_its_place(kim, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({**DOCUMENT, "statements": [{"effect": "allow"}]}))
    done = kim("scan", path, "--provider", "neutral", status=None)
    assert "statements[0] has no id" in done.stdout + done.stderr
