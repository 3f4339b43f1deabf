# SPDX-License-Identifier: Apache-2.0
"""What holds of every cluster: kim's own answers held against each other, over the default roles of an API server."""

import copy
import json
import random

import pytest

OBJECTS = ("roles", "role_bindings", "cluster_roles", "cluster_role_bindings")
MEMBERS = {"Role": "roles", "RoleBinding": "role_bindings", "ClusterRole": "cluster_roles", "ClusterRoleBinding": "cluster_role_bindings"}


@pytest.fixture(scope="module")
def cluster(shared_data):
    yaml = pytest.importorskip("yaml")
    found = {name: [] for name in OBJECTS}
    for path in sorted((shared_data / "k8s/bootstrap-policy").glob("*.yaml")):
        for item in yaml.safe_load(path.read_text())["items"]:
            found[MEMBERS[item["kind"]]].append(item)
    return found


def asked(kim, cases):
    lines = "".join(json.dumps(c) + "\n" for c in cases)
    return [json.loads(line) for line in kim("evaluate", "-", input=lines).stdout.splitlines()]


def requests(cluster, count, seed):
    rng = random.Random(seed)
    rules = [r for k in ("roles", "cluster_roles") for role in cluster[k] for r in role["rules"] or [] if r.get("resources")]
    subjects = [s for k in ("role_bindings", "cluster_role_bindings") for b in cluster[k] for s in b.get("subjects") or []]
    for _ in range(count):
        rule, subject = rng.choice(rules), rng.choice(subjects)
        resource, _, subresource = rng.choice(rule["resources"]).partition("/")
        user = f"system:serviceaccount:{subject['namespace']}:{subject['name']}" if subject["kind"] == "ServiceAccount" else subject["name"]
        yield {"user": user if subject["kind"] != "Group" else "ann", "groups": [subject["name"]] if subject["kind"] == "Group" else [],
               "verb": rng.choice(rule["verbs"]), "api_group": rng.choice(rule["apiGroups"]), "resource": resource, "subresource": subresource,
               "namespace": rng.choice(["", "kube-system", "default"])}


def shuffled(cluster, rng):
    other = copy.deepcopy(cluster)
    for items in other.values():
        rng.shuffle(items)
        for item in items:
            rng.shuffle(item.get("rules") or [])
            rng.shuffle(item.get("subjects") or [])
    return other


def split(cluster):
    """Each rule as one rule for each of its verbs."""
    other = copy.deepcopy(cluster)
    for kind in ("roles", "cluster_roles"):
        for role in other[kind]:
            role["rules"] = [{**rule, "verbs": [verb]} for rule in role["rules"] or [] for verb in rule["verbs"]]
    return other


def bound(cluster):
    other = copy.deepcopy(cluster)
    other["cluster_role_bindings"].append({"metadata": {"name": "more"}, "roleRef": {"kind": "ClusterRole", "name": "system:kube-scheduler"},
                                           "subjects": [{"kind": "Group", "name": "system:masters"}, {"kind": "User", "name": "ann"}]})
    return other


def test_order_and_splitting_change_nothing_and_a_binding_narrows_nothing(kim, cluster):
    rng = random.Random(1)
    cases = [{"id": str(n), "provider": "kubernetes", "aggregate": True, "request": r} for n, r in enumerate(requests(cluster, 60, 1))]
    plain = asked(kim, [{**c, "objects": cluster} for c in cases])
    assert {a["decision"] for a in plain} == {"allowed", "denied"}
    for other in (shuffled(cluster, rng), split(cluster)):
        assert [a["decision"] for a in asked(kim, [{**c, "objects": other} for c in cases])] == [a["decision"] for a in plain]
    for before, after in zip(plain, asked(kim, [{**c, "objects": bound(cluster)} for c in cases])):
        assert not (before["decision"] == "allowed" and after["decision"] != "allowed"), (before, after)


def test_a_role_compared_with_itself_is_the_same(kim, cluster):
    rules = [role["rules"] for kind in ("roles", "cluster_roles") for role in cluster[kind] if role["rules"]]
    cases = [{"id": str(n), "provider": "kubernetes", "compare": {"type": "rules", "reference": r, "candidate": list(reversed(r))}} for n, r in enumerate(rules)]
    assert len(cases) > 50
    for answer in asked(kim, cases):
        assert (answer["new_access"], answer["lost_access"], answer["because"]) == (False, False, []), answer


@pytest.mark.parametrize("action,resource", [("get", "secrets@kube-system"), ("list", "pods"), ("update", "leases.coordination.k8s.io@kube-system:x"),
                                             ("create", "pods/exec@default"), ("get", "/healthz"), ("get", "secrets@*:*")])
def test_whoever_is_named_can_and_whoever_is_not_cannot(action, resource, kim, shared_data):
    files = shared_data / "k8s/bootstrap-policy"
    rows = json.loads(kim("scan", files, "--quiet", "--", "who-can", action, resource, "--mode", "strict", "-o", "json").stdout)["answers"]
    named = {row["identity"]: row["decision"] for row in rows}
    everybody = [i["id"] for i in json.loads(kim("scan", files, "--quiet", "--", "identities", "-o", "json").stdout)["identities"]]
    assert "group:system:masters" in named
    rng = random.Random(resource)
    for identity in rng.sample(everybody, 4) + rng.sample(sorted(named), min(4, len(named))):
        answer = json.loads(kim("scan", files, "--quiet", "--", "can", identity, action, resource, "--mode", "strict", "-o", "json").stdout)
        assert answer["decision"] == named.get(identity, "denied"), (identity, answer)
