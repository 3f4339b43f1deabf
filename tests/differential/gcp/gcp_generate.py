# SPDX-License-Identifier: Apache-2.0
"""Random cases for Google Cloud: small hierarchies in which everything may meet everything. Seeded."""

import random

import gcp_conditions as conditions
from gcp_conditions import ABSENT

MANAGER = "//cloudresourcemanager.googleapis.com/"
ORG = MANAGER + "organizations/1"
FOLDERS = [MANAGER + "folders/10", MANAGER + "folders/11"]
PROJECTS = [MANAGER + "projects/alpha", MANAGER + "projects/beta"]
BUCKETS = ["//storage.googleapis.com/projects/_/buckets/logs", "//storage.googleapis.com/projects/_/buckets/site"]
ACCOUNT = "//iam.googleapis.com/projects/alpha/serviceAccounts/robot@alpha.iam.gserviceaccount.com"

PERMISSIONS = ["storage.objects.get", "storage.objects.list", "storage.buckets.get", "resourcemanager.projects.get", "iam.serviceAccounts.actAs",
               "iam.workforcePools.get"]
POOL = "iam.googleapis.com/locations/global/workforcePools/staff"
JOBS = "iam.googleapis.com/projects/77/locations/global/workloadIdentityPools/ci"
GKE = "iam.googleapis.com/projects/88/locations/global/workloadIdentityPools/alpha.svc.id.goog"
PEOPLE = ["user:ann@example.com", "user:bob@example.com", "user:cat@other.example"]
ROBOTS = ["serviceAccount:robot@alpha.iam.gserviceaccount.com"]
FEDERATED = [f"principal://{POOL}/subject/dan", f"principal://{JOBS}/subject/repo:x", f"principal://{GKE}/subject/ns/shop/sa/web"]
GROUPS = ["group:devs@example.com", "group:ops@example.com", "group:all@example.com", "group:lost@example.com"]
SETS = ["domain:example.com", "domain:other.example", f"principalSet://{POOL}/*", f"principalSet://{POOL}/group/eng", f"principalSet://{POOL}/attribute.dept/it",
        f"principalSet://{JOBS}/*", f"principalSet://{GKE}/namespace/shop", f"principalSet://{GKE}/namespace/other", "projectOwner:alpha", "projectViewer:alpha",
        "projectEditor:beta", "projectViewer:gone", "allAuthenticatedUsers", "allUsers", "deleted:user:ann@example.com?uid=1",
        "principalSet://goog/cloudIdentityCustomerId/C01"]
ROLES = ["roles/reader", "roles/admin", "projects/alpha/roles/own", "roles/owner", "roles/viewer", "roles/editor", "roles/lost"]
TAGS = [("1/env", ["prod", "test"]), ("1/team", ["red", "blue"]), ("tagKeys/7", ["tagValues/8", "tagValues/9"])]
TIMES = ["2026-01-01T00:00:00Z", "2026-11-20T10:00:00Z", "2027-01-01T00:00:00Z"]
TYPES = ["storage.googleapis.com/Object", "storage.googleapis.com/Bucket", "cloudresourcemanager.googleapis.com/Project"]
NAMES = ["projects/_/buckets/logs", "projects/_/buckets/logs/objects/2026/a.txt", "projects/_/buckets/site/objects/b"]

# What an attribute could be, for who does not know it: values on either side of everything that conditions ask.
SAMPLES = {
    "request.time": ["2025-06-01T03:00:00Z", "2026-06-01T10:30:00Z", "2026-12-01T20:00:00Z", "2027-06-01T10:00:00Z", "2025-06-01T10:00:00Z", "2026-06-01T20:00:00Z"],
    "resource.name": ["projects/_/buckets/logs", "projects/_/buckets/logs/objects/2026/a.txt", "projects/_/buckets/site/objects/b", "projects/_/buckets/site/objects/b.txt", "zzz", "zzz.txt", "projects/_/buckets/logs/objects/x"],
    "resource.type": TYPES + ["zzz"],
    "resource.service": ["storage.googleapis.com", "zzz"],
    "destination.port": [22, 443, 9999],
    "request.host": ["hr.example.com", "zzz"],
    "request.auth.access_levels": [[], ["accessPolicies/1/accessLevels/corp"]],
    "grants": [[], ["roles/reader"], ["roles/admin"], ["roles/reader", "roles/admin"], ["roles/zzz"]],
}


class Maker:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.trees = {}

    def some(self, items, least, most):
        return self.r.sample(items, min(len(items), self.r.randint(least, most)))

    # -- spellings

    def spelled(self, principal):
        """Either spelling, and addresses in any case."""
        for v1, v2 in (("user:", "principal://goog/subject/"), ("serviceAccount:", "principal://iam.googleapis.com/projects/-/serviceAccounts/"),
                       ("group:", "principalSet://goog/group/")):
            if principal.startswith(v1):
                address = principal[len(v1):]
                if self.r.random() < 0.2:
                    address = "".join(c.upper() if self.r.random() < 0.5 else c for c in address)
                return (v2 if self.r.random() < 0.5 else v1) + address
        if principal == "allUsers" and self.r.random() < 0.5:
            return "principalSet://goog/public:all"
        if principal == FEDERATED[2] and self.r.random() < 0.5:
            return "serviceAccount:alpha.svc.id.goog[shop/web]"
        return principal

    def permission(self, name):
        service, rest = name.split(".", 1)
        service = {"resourcemanager": "cloudresourcemanager"}.get(service, service)
        return f"{service}.googleapis.com/{rest}" if self.r.random() < 0.5 else name

    def pattern(self):
        name = self.r.choice(PERMISSIONS)
        if self.r.random() < 0.5:
            return self.permission(name)
        service, resource, verb = name.split(".")
        rest = self.r.choice([f"{resource}.*", f"*.{verb}", "*.*"])
        service = {"resourcemanager": "cloudresourcemanager"}.get(service, service)
        return f"{service}.googleapis.com/{rest}"

    def principals(self, least, most):
        pool = PEOPLE * 6 + ROBOTS * 3 + FEDERATED * 2 + GROUPS[:3] * 3 + GROUPS[3:] + SETS
        return [self.spelled(p) for p in self.some(pool, least, most)]

    # -- conditions

    def atom(self, use):
        r = self.r
        key, values = r.choice(TAGS)
        by_id = "_id" if key.startswith("tagKeys") else ""
        tags = [("tag" + by_id, key, r.choice(values)), ("has_tag" + by_id, key)]
        principal = [("kind", r.choice(["iam.googleapis.com/WorkspaceIdentity", "iam.googleapis.com/ServiceAccount", "iam.googleapis.com/WorkforcePoolIdentity"])),
                     ("subject", r.choice(["ann@example.com", "robot@alpha.iam.gserviceaccount.com", "dan"])), ("subject_end", "@example.com")]
        request = [("before", r.choice(TIMES)), ("from", r.choice(TIMES)), ("hours", 9, 17), ("name", r.choice(NAMES)), ("name_end", ".txt"),
                   ("extract", "/objects/{year}/", "2026"), ("extract", "buckets/{bucket}/", "logs"), ("type", r.choice(TYPES)), ("other_type", r.choice(TYPES)),
                   ("service", "storage.googleapis.com"), ("port", 443), ("host", ".example.com"), ("level", "accessPolicies/1/accessLevels/corp"),
                   ("only", "roles/reader"), ("only", "roles/reader", "roles/admin")]
        odd = [("true",), ("wrong_type",), ("bad_time",), ("no_boolean",), ("no_expression",), ("unheard_of",)]
        if r.random() < 0.08:
            return r.choice(odd)
        if r.random() < 0.08:  # another policy's attributes
            return r.choice(tags + principal + request)
        return r.choice({"grants": tags + request * 2, "denies": tags, "bounds": principal}[use])

    def tree(self, use, depth=2):
        dice = self.r.random()
        if depth == 0 or dice < 0.5:
            return self.atom(use)
        if dice < 0.65:
            return ("not", self.tree(use, depth - 1))
        return (self.r.choice(["and", "or"]), self.tree(use, depth - 1), self.tree(use, depth - 1))

    def condition(self, use, share):
        if self.r.random() >= share:
            return None
        tree = self.tree(use)
        text = conditions.text(tree)
        self.trees[text] = tree
        return {"title": "t", "expression": text}

    # -- documents

    def binding(self):
        role = self.r.choice(ROLES[:3] * 5 + ROLES)
        if self.r.random() < 0.03:
            role += "_withcond_" + "a1b2c3d4e5f6"
        made = {"role": role, "members": self.principals(0, 4)}
        condition = self.condition("grants", 0.5)
        if condition:
            made["condition"] = condition
        return made

    def deny(self, number):
        rules = []
        for _ in range(self.r.randint(1, 2)):
            rule = {"deniedPrincipals": self.principals(1, 3), "deniedPermissions": [self.pattern() for _ in range(self.r.randint(1, 2))]}
            if self.r.random() < 0.35:
                rule["exceptionPrincipals"] = self.principals(1, 2)
            if self.r.random() < 0.2:
                rule["exceptionPermissions"] = [self.pattern()]
            condition = self.condition("denies", 0.35)
            if condition:
                rule["denialCondition"] = condition
            rules.append({"denyRule": rule})
        return {"name": f"policies/x/denypolicies/d{number}", "kind": "DenyPolicy", "rules": rules}

    def resource(self, parent, attaches):
        made = {}
        if parent:
            made["parent"] = parent
        if self.r.random() < 0.8:
            made["policy"] = {"version": 3, "bindings": [self.binding() for _ in range(self.r.randint(0, 3))]}
        if attaches and self.r.random() < 0.18:
            made["deny"] = [self.deny(self.r.randint(0, 9)) for _ in range(self.r.randint(1, 2))]
        if self.r.random() < 0.4:
            made["tags"] = {k: self.r.choice(v) for k, v in self.some(TAGS, 1, 2)}
        return made

    def resources(self):
        found = {ORG: self.resource(None, True)}
        found[FOLDERS[0]] = self.resource(ORG, True)
        found[FOLDERS[1]] = self.resource(self.r.choice([ORG, FOLDERS[0]]), True)
        for p in PROJECTS:
            found[p] = self.resource(self.r.choice([ORG] + FOLDERS), True)
        for b in BUCKETS:
            found[b] = self.resource(self.r.choice(PROJECTS), False)
            if self.r.random() < 0.5:
                found[b + "/objects/2026/a.txt"] = self.resource(b, False)
        found[ACCOUNT] = self.resource(PROJECTS[0], False)
        if self.r.random() < 0.05:  # a ring, which no hierarchy can have
            found[ORG]["parent"] = PROJECTS[0]
        if self.r.random() < 0.1:
            del found[self.r.choice(list(found))]
        names = list(found)
        self.r.shuffle(names)
        return {n: found[n] for n in names}

    def groups(self):
        pool = PEOPLE * 3 + ROBOTS * 2 + GROUPS[:3] * 2 + GROUPS[3:] + FEDERATED + ["domain:example.com"]
        keys = GROUPS[:3] + [s for s in SETS if "attribute" in s or "/group/" in s or "Customer" in s]
        return {(self.spelled(g) if g.startswith("group:") and self.r.random() < 0.1 else g): [self.spelled(m) for m in self.some(pool, 0, 3)]
                for g in keys if self.r.random() < 0.92}

    def roles(self):
        found = {}
        for role in ROLES[:-1]:
            if self.r.random() < 0.04:
                continue
            held = [self.permission(p) for p in self.some(PERMISSIONS, 3, 6)]
            if role.startswith("projects/") and self.r.random() < 0.5:
                found[role] = {"name": role, "includedPermissions": held, "stage": self.r.choice(["GA", "DISABLED"]), "deleted": self.r.random() < 0.2}
            else:
                found[role] = held
        return found

    def boundaries(self):
        found = []
        for i in range(self.r.choice([0, 0, 0, 1, 1, 2])):
            rules = [{"resources": self.some([ORG] + FOLDERS + PROJECTS + [MANAGER + "projects/elsewhere"], 0, 2), "effect": "ALLOW"}
                     for _ in range(self.r.randint(0, 2))]
            entry = {"principals": self.principals(1, 4), "policy": {"name": f"organizations/1/locations/global/principalAccessBoundaryPolicies/b{i}",
                                                                      "details": {"rules": rules, "enforcementVersion": "1"}}}
            if self.r.random() < 0.7:
                entry["blocked_permissions"] = [self.r.choice(["*", "storage.*", "storage.objects.*", self.pattern()]) for _ in range(self.r.randint(0, 2))]
            condition = self.condition("bounds", 0.3)
            if condition:
                entry["condition"] = condition
            found.append(entry)
        return found

    def context(self):
        made = {}
        for key, values in SAMPLES.items():
            if self.r.random() < 0.4:
                made["iam.googleapis.com/modifiedGrantsByRole" if key == "grants" else key] = self.r.choice(values)
        return made

    def case(self, number):
        resources = self.resources()
        asked = list(resources) * 2 + [b + "/objects/" + n for b in BUCKETS for n in ("x", "2026/a.txt")]
        principal = self.r.choice(PEOPLE * 4 + ROBOTS * 2 + FEDERATED * 2 + GROUPS + ["allUsers", "allUsers", "allAuthenticatedUsers", "domain:example.com"])
        case = {"id": number, "provider": "gcp",
                "request": {"principal": self.spelled(principal), "permission": self.permission(self.r.choice(PERMISSIONS)), "resource": self.r.choice(asked),
                            "context": self.context()},
                "resources": resources, "roles": self.roles(), "groups": self.groups(), "principal_access_boundaries": self.boundaries()}
        if self.r.random() < 0.5:
            case["mode"] = "discover"
            hidden = [k if k != "grants" else "iam.googleapis.com/modifiedGrantsByRole" for k in SAMPLES]
            left = [k for k in hidden if k not in case["request"]["context"]]
            case["known_absent"] = [k for k in left if self.r.random() < 0.2]
            case["known_present"] = [k for k in left if k not in case["known_absent"] and self.r.random() < 0.2]
        return case


assert ABSENT is not None
