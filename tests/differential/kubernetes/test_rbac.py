# SPDX-License-Identifier: Apache-2.0
"""kim answers 2,000 random cases, and 30,000 that differ from them in one thing, as Kubernetes' own authorizer does; and real
clusters, read from files, as that authorizer reads their objects.

differ_kubernetes.py says how; KIM_DIFFERENTIAL_KUBERNETES_CASES and KIM_DIFFERENTIAL_SEED ask for more, or for others.
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
QUESTIONS = 1500 # of each cluster


def test_kim_answers_as_kubernetes(installed, oracle, run):
    done = run(
        [sys.executable, HERE / "differ_kubernetes.py", "--kim", installed.kim, "--oracle", oracle("kubernetes"),
         "--count", os.environ.get("KIM_DIFFERENTIAL_KUBERNETES_CASES", "2000"), "--seed", os.environ.get("KIM_DIFFERENTIAL_SEED", "1")],
        status=None,
        patience_s=1800,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


MEMBERS = {"Role": "roles", "RoleBinding": "role_bindings", "ClusterRole": "cluster_roles", "ClusterRoleBinding": "cluster_role_bindings"}


def take(document, objects, kind=None):
    """Adds a document's objects to those of a case."""
    if "items" in document:
        inner = document.get("kind", "List").removesuffix("List")
        for item in document["items"]:
            take(item, objects, inner)
    elif document.get("kind", kind) in MEMBERS:
        objects[MEMBERS[document.get("kind", kind)]].append(document)


def clusters(shared_data):
    """name -> what kim scan reads, and the objects in it."""
    yaml = pytest.importorskip("yaml")
    found = {}
    bootstrap = shared_data / "k8s" / "bootstrap-policy"
    found["bootstrap"] = ([bootstrap], {m: [] for m in MEMBERS.values()})
    for path in sorted(bootstrap.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            take(document, found["bootstrap"][1])
    for name in ("kubehound-test-cluster", "fixinventory"):
        documents = json.loads(lzma.open(shared_data / "k8s" / "api-responses" / f"{name}.json.xz").read())
        found[name] = (documents, {m: [] for m in MEMBERS.values()})
        for document in documents.values():
            take(document, found[name][1])
    return found


def texts(objects, member):
    return sorted({t for kind in ("roles", "cluster_roles") for role in objects[kind] for rule in role.get("rules") or [] for t in rule.get(member) or []})


def requests(name, objects, groups_of_all):
    """Who, what and where come from the cluster's own objects; an asker mostly has a binding where it asks."""
    rng = random.Random(f"cluster/{name}")
    verbs, groups, resources = texts(objects, "verbs"), texts(objects, "apiGroups"), texts(objects, "resources")
    names, urls = texts(objects, "resourceNames") or ["x"], texts(objects, "nonResourceURLs") or ["/healthz"]
    bindings = objects["role_bindings"] + objects["cluster_role_bindings"]
    spaces = sorted({b["metadata"]["namespace"] for b in objects["role_bindings"]}) + ["default"]
    for number in range(QUESTIONS):
        binding = rng.choice(bindings)
        subject = rng.choice(binding.get("subjects") or [{"kind": "User", "name": "ann"}])
        request = {"user": "ann", "groups": rng.sample(groups_of_all, rng.randint(0, 1)), "verb": rng.choice(verbs)}
        space = subject.get("namespace") or binding["metadata"].get("namespace", "default")
        if subject["kind"] == "User":
            request["user"] = subject["name"]
        elif subject["kind"] == "Group":
            request["groups"].append(subject["name"])
        else:
            request["user"] = f"system:serviceaccount:{space}:{subject['name']}"
        if rng.random() < 0.1:
            request["path"] = rng.choice(urls).replace("*", "x")
        else:
            resource, _, subresource = rng.choice(resources).partition("/")
            request.update(api_group=rng.choice(groups), resource=resource, subresource=subresource,
                           name=rng.choice(names) if rng.random() < 0.4 else "",
                           namespace=rng.choice([binding["metadata"].get("namespace", ""), "", rng.choice(spaces)]))
        role = [r for kind in ("roles", "cluster_roles") for r in objects[kind] if r["metadata"]["name"] == binding["roleRef"]["name"] and r.get("rules")]
        rule = rng.choice(role[0]["rules"]) if role and rng.random() < 0.6 else {}
        if rule.get("resources") and "path" not in request:
            resource, _, subresource = rng.choice(rule["resources"]).partition("/")
            request.update(verb=rng.choice(rule["verbs"]), api_group=rng.choice(rule["apiGroups"]), resource=resource, subresource=subresource)
        elif rule.get("nonResourceURLs") and "path" in request:
            request.update(verb=rng.choice(rule["verbs"]), path=rng.choice(rule["nonResourceURLs"]))
        yield {"id": str(number), "request": request}


@pytest.mark.parametrize("name", ["bootstrap", "kubehound-test-cluster", "fixinventory"])
def test_a_cluster_read_from_files_is_asked_as_kubernetes_reads_its_objects(name, installed, oracle, shared_data, tmp_path):
    files, objects = clusters(shared_data)[name]
    if isinstance(files, dict):
        for file, document in files.items():
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).write_text(json.dumps(document))
        files = [tmp_path]
    asked = list(requests(name, objects, ["system:authenticated", "system:masters", "system:serviceaccounts"]))
    lines = "".join(json.dumps(q) + "\n" for q in asked)
    manifests = not any(o["metadata"].get("uid") for o in objects["cluster_roles"])
    kept = json.dumps({"keep": True, "aggregate": manifests, "objects": objects}) + "\n"
    theirs = subprocess.run([oracle("kubernetes")], input=kept + lines, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    (tmp_path / "requests.jsonl").write_text(lines)
    ours = subprocess.run([installed.kim, "scan", *files, "--quiet", "--", "evaluate", tmp_path / "requests.jsonl"], capture_output=True, text=True)
    ours = ours.stdout.splitlines()
    assert len(ours) == len(theirs) == QUESTIONS
    allowed = 0
    for question, our, their in zip(asked, map(json.loads, ours), map(json.loads, theirs)):
        allowed += their["decision"] == "allowed"
        assert (our.get("decision"), our.get("reason")) == (their["decision"], their["reason"]), (question, our, their)
    assert 0.1 * QUESTIONS < allowed < 0.9 * QUESTIONS
