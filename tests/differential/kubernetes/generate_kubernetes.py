# SPDX-License-Identifier: Apache-2.0
"""Random Kubernetes cases, seeded: small clusters in which most of what is asked for nearly happens.

Vocabularies are small and odd on purpose, so that texts meet: a resource that is called "*", an API group "apps/v1", a
subject of kind "user", a role that is not there, a name twice. A case is made around its request: rules and bindings mostly
fit it, each with one thing that may not.
"""

import copy
import random

USERS = ["ann", "bob", "Ann", "", "*", "group:dev", "user:ann", "system:anonymous", "system:serviceaccount:ns1:app", "system:serviceaccount:ns2:app",
         "system:serviceaccount:ns1:", "system:serviceaccount::app", "system:serviceaccount:ns1:a:b", "system:kube-scheduler"]
GROUPS = ["dev", "ops", "Dev", "*", "", "system:authenticated", "system:serviceaccounts", "system:serviceaccounts:ns1"]
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "", "GET"]
API_GROUPS = ["", "apps", "batch", "rbac.authorization.k8s.io", "apps/v1", "a.b", "Apps"]
RESOURCES = [("pods", ""), ("pods", "log"), ("pods", "exec"), ("deployments", ""), ("deployments", "scale"), ("secrets", ""), ("*", ""), ("*", "log"),
             ("pods", "*"), ("deployments.apps", ""), ("a", "b/c"), ("", "log"), ("", ""), ("pods/log", ""), ("Pods", ""), ("a.b", ""), ("serviceaccounts", "token")]
NAMES = ["a", "b", "", "*", "a:b", "%61", "A", "x@y"]
NAMESPACES = ["ns1", "ns2", "", "ns1/x", "NS1", "n:s"]
PATHS = ["/healthz", "/healthz/etcd", "/a", "/a/", "/a/b", "/ab", "/", "", "healthz", "/a*", "*", "/version", "/a%2Fb"]
URLS = ["*", "/*", "/healthz", "/healthz*", "/healthz/*", "/a*", "/a/*", "/a**", "/a*b", "/", "", "healthz", "*/b", "/a", "/version"]
ODD_KINDS = {"User": ["user", "Users", ""], "Group": ["group", "", "User"], "ServiceAccount": ["serviceaccount", "User", ""]}
RBAC = "rbac.authorization.k8s.io"


def combined(resource, subresource):
    return f"{resource}/{subresource}" if subresource else resource


class Maker:
    """A case around one request."""

    def __init__(self, rng):
        self.rng = rng
        self.roles, self.role_bindings, self.cluster_roles, self.cluster_role_bindings = [], [], [], []

    def chance(self, share):
        return self.rng.random() < share

    def pick(self, items):
        return self.rng.choice(items)

    def some(self, items, most=2):
        return self.rng.sample(items, self.rng.randint(0, min(most, len(items))))

    # ---- the request ----

    def request(self):
        rng = self.rng
        self.user = self.pick(USERS)
        self.groups = self.some(GROUPS, 3)
        if self.chance(0.06):
            self.groups.append("system:masters")
        self.verb = self.pick(VERBS) if self.chance(0.5) else self.pick(VERBS[:4])
        self.is_path = self.chance(0.38)
        self.namespace = self.pick(NAMESPACES) if self.chance(0.4) else self.pick(["ns1", "ns1", ""])
        self.api_group, (self.resource, self.subresource) = self.pick(API_GROUPS), self.pick(RESOURCES)
        self.name, self.path = (self.pick(NAMES) if self.chance(0.7) else ""), self.pick(PATHS)
        made = {"user": self.user, "groups": self.groups, "verb": self.verb}
        if self.is_path:
            made["path"] = self.path
            if self.path == "" or self.chance(0.9):
                self.namespace = ""
            else:
                made["namespace"] = self.namespace
            return made
        made.update(api_group=self.api_group, resource=self.resource, subresource=self.subresource, name=self.name, namespace=self.namespace)
        for member in ("subresource", "name", "namespace", "api_group"):
            if made[member] == "" and rng.random() < 0.3:
                del made[member]
        return made

    # ---- rules ----

    def near(self, right, wildcards, others, share=0.94):
        """A list that mostly holds what fits: the text itself, or a wildcard."""
        items = self.some(others, 1)
        if self.chance(share):
            items.append(right if self.chance(0.5) else self.pick(wildcards))
        self.rng.shuffle(items)
        return items

    def listed(self, rule, member, items):
        if items or self.chance(0.5):
            rule[member] = items
        elif self.chance(0.3):
            rule[member] = None

    def rule(self):
        rule = {}
        self.listed(rule, "verbs", self.near(self.verb, ["*"], VERBS))
        if self.is_path if self.chance(0.9) else self.chance(0.5):
            prefixes = [u for u in URLS if u.endswith("*") and u != "*" and self.path.startswith(u.rstrip("*"))]
            fitting = [self.pick(prefixes)] if prefixes and self.chance(0.6) else ["*"]
            self.listed(rule, "nonResourceURLs", self.near(self.path, fitting, URLS))
            if self.chance(0.9):
                return rule
        any_subresource = ["*/" + self.subresource] if self.subresource else ["*/*"]
        others = [combined(*r) for r in RESOURCES] + ["*/log", "*/scale", "*/*", "pods/*", "pods/", "*/"]
        self.listed(rule, "apiGroups", self.near(self.api_group, ["*"], API_GROUPS))
        self.listed(rule, "resources", self.near(combined(self.resource, self.subresource), ["*"] + any_subresource * 2, others))
        if self.chance(0.6):
            self.listed(rule, "resourceNames", self.near(self.name, [self.name], NAMES, 0.4))
        return rule

    def rules(self):
        return [self.rule() for _ in range(self.rng.choice((0, 1, 1, 1, 1, 2)))]

    # ---- objects ----

    def metadata(self, name, namespace=None):
        made = {"name": name}
        if namespace is not None:
            made["namespace"] = namespace
        if self.chance(0.1):
            made.update(uid="6f1c", resourceVersion="17", managedFields=[{"manager": "kubectl", "fieldsV1": {"f:rules": {}}}], annotations=None)
        return made

    def add_role(self, name, namespace):
        role = {"metadata": self.metadata(name, namespace)}
        if not self.chance(0.05):
            role["rules"] = None if self.chance(0.05) else self.rules()
        if self.chance(0.3):
            role.update(apiVersion=f"{RBAC}/v1", kind="Role" if namespace else "ClusterRole")
        (self.cluster_roles if namespace is None else self.roles).append(role)

    def subject(self):
        kinds = ["User", "Group", "ServiceAccount"]
        account = self.user.split(":", 3) if self.user.startswith("system:serviceaccount:") else None
        kind = self.pick(kinds + (["ServiceAccount"] * 2 if account else []))
        name = {"User": self.user, "Group": self.pick(self.groups or GROUPS), "ServiceAccount": account[3] if account else "app"}[kind]
        made = {"kind": kind, "name": name}
        if not self.chance(0.88):
            made["name"] = self.pick({"User": USERS, "Group": GROUPS, "ServiceAccount": ["app", "b", ""]}[kind])
        if kind == "ServiceAccount" and self.chance(0.6):
            made["namespace"] = account[2] if account and self.chance(0.8) else self.pick(["ns1", "ns2", ""])
        elif kind != "ServiceAccount" and self.chance(0.1):
            made["namespace"] = "ns1"
        if self.chance(0.22):
            made["kind"] = self.pick(ODD_KINDS[kind])
        if self.chance(0.4):
            made["apiGroup"] = self.pick([RBAC, "", "v1", "other.example"])
        return made

    def subjects(self):
        return [self.subject() for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3)))]

    def binding(self, number, namespace):
        to_cluster_role = namespace is None or self.chance(0.5)
        ref = {"kind": "ClusterRole" if to_cluster_role else "Role", "name": self.pick(["r1", "r1", "r1", "r2", "gone"])}
        if self.chance(0.12):
            ref["kind"] = self.pick(["Role", "role", "clusterrole", ""])
        if self.chance(0.6):
            ref["apiGroup"] = self.pick([RBAC, RBAC, "", "other"])
        made = {"metadata": self.metadata(f"b{number}", namespace), "roleRef": ref}
        if not self.chance(0.05):
            made["subjects"] = self.subjects()
        return made

    def objects(self):
        home = self.namespace or "ns1"
        for name in ("r1", "r2"):
            if self.chance(0.9):
                self.add_role(name, None)
            if self.chance(0.7):
                self.add_role(name, home if self.chance(0.85) else self.pick(NAMESPACES))
        if self.chance(0.3):
            self.add_role("r1", None)  # a name twice
        if self.chance(0.3):
            self.add_role("r1", home)
        for n in range(self.rng.choice((1, 1, 2) if self.is_path else (0, 1, 1, 1, 2))):
            self.cluster_role_bindings.append(self.binding(n, None))
        for n in range(self.rng.choice((0, 1, 2, 3))):
            self.role_bindings.append(self.binding(n, home if self.chance(0.8) else self.pick(NAMESPACES)))
        made = {"roles": self.roles, "role_bindings": self.role_bindings, "cluster_roles": self.cluster_roles,
                "cluster_role_bindings": self.cluster_role_bindings}
        return {k: (None if not v and self.chance(0.2) else v) for k, v in made.items() if v or self.chance(0.7)}

    # ---- aggregation ----

    def labels(self):
        return {k: self.pick(["true", "true", "x", ""]) for k in self.some(["agg/to-view", "tier"], 2)}

    def selector(self):
        made = {}
        if self.chance(0.7):
            made["matchLabels"] = self.labels()
        if self.chance(0.4):
            made["matchExpressions"] = [self.expression() for _ in range(self.rng.randint(1, 2))]
        return made

    def expression(self):
        operator = self.pick(["In", "NotIn", "Exists", "DoesNotExist"])
        values = self.some(["true", "x", "y", ""], 3) or ["true"] if operator in ("In", "NotIn") else []
        if self.chance(0.04):
            values = ["not valid!"]
        made = {"key": self.pick(["agg/to-view", "tier"]), "operator": operator if not self.chance(0.03) else "in"}
        if values or self.chance(0.3):
            made["values"] = values
        if self.chance(0.03):
            made["key"] = self.pick(["-bad", "Bad/x", "a/b/c", ""])
        return made

    def aggregate(self):
        """Three more ClusterRoles; one or two gather others, most often the one that is bound most."""
        for number in range(3):
            self.add_role(f"part{number}", None)
        for role in self.cluster_roles:
            if self.chance(0.8):
                role["metadata"]["labels"] = self.labels()
        bound = [role for role in self.cluster_roles if role["metadata"]["name"] == "r1"][:1]
        for role in bound * self.chance(0.8) + self.rng.sample(self.cluster_roles, 1):
            role["aggregationRule"] = {"clusterRoleSelectors": [self.selector() for _ in range(self.rng.choice((0, 1, 1, 2)))]}
            if self.chance(0.8):
                role["rules"] = []


def case(seed, number):
    rng = random.Random(f"kubernetes/{seed}/{number}")
    maker = Maker(rng)
    made = {"id": str(number), "provider": "kubernetes", "request": maker.request()}
    objects = maker.objects()
    if rng.random() < 0.25:
        maker.aggregate()
        objects["cluster_roles"] = maker.cluster_roles
        made["aggregate"] = True
    made["objects"] = objects
    return made


# ---- what decides: each construct taken away, or set right, and asked again ----

def each_rule(case):
    for kind in ("roles", "cluster_roles"):
        for role in case["objects"].get(kind) or []:
            yield from role.get("rules") or []


def each_binding(case):
    for kind in ("role_bindings", "cluster_role_bindings"):
        for binding in case["objects"].get(kind) or []:
            yield kind, binding


def without_items(member, unwanted):
    def change(case):
        for rule in each_rule(case):
            if rule.get(member):
                rule[member] = [i for i in rule[member] if not unwanted(i)]
    return change


def without_subjects(unwanted):
    def change(case):
        for _, binding in each_binding(case):
            binding["subjects"] = [s for s in binding.get("subjects") or [] if not unwanted(s)]
    return change


def without_objects(kind, unwanted=lambda o: True):
    def change(case):
        case["objects"][kind] = [o for o in case["objects"].get(kind) or [] if not unwanted(o)]
    return change


def drop_names(case):
    for rule in each_rule(case):
        rule.pop("resourceNames", None)


def fill_empty(case):
    for rule in each_rule(case):
        for member in ("verbs", "apiGroups", "resources"):
            if not rule.get(member):
                rule[member] = ["*"]


def right_kinds(case):
    right = {"user": "User", "group": "Group", "serviceaccount": "ServiceAccount", "Users": "User", "": "User"}
    for _, binding in each_binding(case):
        for subject in binding.get("subjects") or []:
            subject["kind"] = right.get(subject["kind"], subject["kind"])


def right_refs(case):
    for kind, binding in each_binding(case):
        if kind == "cluster_role_bindings" or binding["roleRef"]["kind"].lower() != "role":
            binding["roleRef"]["kind"] = "ClusterRole"


def find_roles(case):
    """Whatever role is bound and not there is there, and allows everything."""
    case["objects"].setdefault("cluster_roles", [])
    case["objects"]["cluster_roles"] = (case["objects"]["cluster_roles"] or []) + [
        {"metadata": {"name": "gone"}, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}]}]


def keep_last(case):
    for kind in ("roles", "cluster_roles"):
        last = {(r["metadata"]["name"], r["metadata"].get("namespace")): r for r in case["objects"].get(kind) or []}
        case["objects"][kind] = list(last.values())


def leave_masters(case):
    case["request"]["groups"] = [g for g in case["request"]["groups"] if g != "system:masters"]


def leave_namespace(case):
    case["request"].pop("namespace", None)


def do_not_aggregate(case):
    case.pop("aggregate", None)


def drop_account_namespaces(case):
    for _, binding in each_binding(case):
        for subject in binding.get("subjects") or []:
            if subject["kind"] == "ServiceAccount":
                subject.pop("namespace", None)


CONSTRUCTS = {
    "verb *": without_items("verbs", lambda v: v == "*"),
    "verb by name": without_items("verbs", lambda v: v != "*"),
    "API group *": without_items("apiGroups", lambda g: g == "*"),
    "API group by name": without_items("apiGroups", lambda g: g != "*"),
    "resource *": without_items("resources", lambda r: r == "*"),
    "resource */SUBRESOURCE": without_items("resources", lambda r: r.startswith("*/")),
    "resource by name": without_items("resources", lambda r: r != "*" and "/" not in r),
    "RESOURCE/SUBRESOURCE": without_items("resources", lambda r: "/" in r and not r.startswith("*/")),
    "resourceNames": drop_names,
    "empty lists": fill_empty,
    "path by name": without_items("nonResourceURLs", lambda u: not u.endswith("*")),
    "path PREFIX*": without_items("nonResourceURLs", lambda u: u.endswith("*") and u != "*"),
    "path *": without_items("nonResourceURLs", lambda u: u == "*"),
    "ClusterRoleBinding": without_objects("cluster_role_bindings"),
    "RoleBinding to a Role": without_objects("role_bindings", lambda b: b["roleRef"]["kind"] == "Role"),
    "RoleBinding to a ClusterRole": without_objects("role_bindings", lambda b: b["roleRef"]["kind"] == "ClusterRole"),
    "the request's namespace": leave_namespace,
    "subject User": without_subjects(lambda s: s["kind"] == "User"),
    "subject Group": without_subjects(lambda s: s["kind"] == "Group"),
    "subject ServiceAccount": without_subjects(lambda s: s["kind"] == "ServiceAccount"),
    "a service account's namespace": drop_account_namespaces,
    "a subject's kind": right_kinds,
    "a roleRef's kind": right_refs,
    "a role that is not there": find_roles,
    "a role's name twice": keep_last,
    "system:masters": leave_masters,
    "aggregation": do_not_aggregate,
}


def changed(case, construct):
    """The case with that changed; None: it stays the same."""
    other = copy.deepcopy(case)
    CONSTRUCTS[construct](other)
    return other if other != case else None


# ---- two lists of rules; what may be granted ----

def plain_rules(rng, count):
    """Rules as a server takes them: of resources, or of paths."""
    rules = []
    for _ in range(count):
        if rng.random() < 0.2:
            rules.append({"verbs": rng.sample(VERBS[:6] + ["*"], rng.randint(1, 2)), "nonResourceURLs": rng.sample(URLS, rng.randint(1, 2))})
            continue
        rule = {"verbs": rng.sample(VERBS[:6] + ["*"], rng.randint(1, 3)), "apiGroups": rng.sample(API_GROUPS[:4] + ["*"], rng.randint(1, 2)),
                "resources": rng.sample(["pods", "pods/log", "*", "*/log", "deployments", "deployments/scale", "*/scale", "a/b/c", "*/b/c", "pods/*", "*/*"],
                                        rng.randint(1, 3))}
        if rng.random() < 0.3:
            rule["resourceNames"] = rng.sample(NAMES, rng.randint(1, 3))
        rules.append(rule)
    return rules


def altered(rng, rules):
    rules = copy.deepcopy(rules)
    change = rng.choice(("widen", "narrow", "split", "shuffle", "drop", "name"))
    rule = rng.choice(rules)
    member = rng.choice([m for m in rule if rule[m]])
    if change == "widen":
        rule[member] = rule[member] + ["*"]
    elif change == "narrow" and len(rule[member]) > 1:
        rule[member].pop()
    elif change == "split":
        rules.remove(rule)
        rules += [{**rule, member: [item]} for item in rule[member]]
    elif change == "drop" and len(rules) > 1:
        rules.remove(rule)
    elif change == "name" and "resources" in rule:
        rule["resourceNames"] = ["a"]
    rng.shuffle(rules)
    return rules


def comparison(seed, number):
    rng = random.Random(f"kubernetes/compare/{seed}/{number}")
    reference = plain_rules(rng, rng.randint(1, 4))
    candidate = altered(rng, reference) if rng.random() < 0.7 else plain_rules(rng, rng.randint(1, 3))
    return {"id": str(number), "provider": "kubernetes", "compare": {"type": "rules", "reference": reference, "candidate": candidate}}


def grant(seed, number):
    """A writer with some rules, and what it writes: often a part of what it has."""
    rng = random.Random(f"kubernetes/grant/{seed}/{number}")
    owned = plain_rules(rng, rng.randint(1, 4))
    if rng.random() < 0.3:
        verb, of = rng.choice((("escalate", "roles"), ("escalate", "clusterroles"), ("bind", "roles"), ("bind", "clusterroles"), ("*", "*")))
        owned.append({"verbs": [verb], "apiGroups": [RBAC], "resources": [of], **({"resourceNames": rng.sample(["new", "r1", "gone"], 1)} if rng.random() < 0.4 else {})})
    if rng.random() < 0.1:
        owned += [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
    given = altered(rng, rng.sample(owned, rng.randint(1, len(owned)))) if rng.random() < 0.7 else plain_rules(rng, 1)
    in_namespace = rng.random() < 0.4
    subject = [{"kind": "User", "name": "ann"}]
    objects = {"cluster_roles": [{"metadata": {"name": "owned"}, "rules": owned}, {"metadata": {"name": "r1"}, "rules": given}],
               "roles": [{"metadata": {"name": "r1", "namespace": "ns1"}, "rules": given}], "role_bindings": [], "cluster_role_bindings": []}
    binding = {"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "owned"}, "subjects": subject}
    if in_namespace:
        binding["metadata"]["namespace"] = "ns1"
    objects["role_bindings" if in_namespace else "cluster_role_bindings"].append(binding)
    form = rng.choice(("role", "cluster_role", "role_binding", "cluster_role_binding"))
    asked = {"user": "ann" if rng.random() < 0.95 else "bob", "groups": ["system:masters"] if rng.random() < 0.05 else []}
    if rng.random() < 0.7:
        asked["verb"] = rng.choice(("create", "update"))
    name = rng.choice(("new", "r1"))
    metadata = {"name": name, **({} if form.startswith("cluster") else {"namespace": rng.choice(("ns1", "ns1", "ns2"))})}
    if form.endswith("role"):
        made = {"metadata": metadata, "rules": given}
        if form == "cluster_role" and rng.random() < 0.2:
            made["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}] * rng.randint(0, 1)}
        if form == "cluster_role" and rng.random() < 0.1:
            objects["cluster_roles"][1]["aggregationRule"] = {"clusterRoleSelectors": [{}]}
    else:
        made = {"metadata": metadata, "roleRef": {"kind": rng.choice(("Role", "ClusterRole")), "name": rng.choice(("r1", "r1", "owned", "gone"))}, "subjects": subject}
    asked[form] = made
    return {"id": str(number), "provider": "kubernetes", "may_grant": asked, "objects": objects}
