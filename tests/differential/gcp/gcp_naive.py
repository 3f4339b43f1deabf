# SPDX-License-Identifier: Apache-2.0
"""Google Cloud's policies evaluated as plainly as they are described, and as slowly: a second opinion for tests.

Everything that nobody knows is tried: each way in which the unread roles and groups could be, and each value that
an attribute could have. The answer follows from what comes out everywhere. Written from Google's pages (deny-overview,
principal-access-boundary-policies, conditions-overview, principal-identifiers), and from nothing of kim's.
"""

import itertools

from gcp_conditions import ABSENT, ERROR, UNHEARD_OF, is_text, worth

MOST_WORLDS = 20000


class TooManyWorlds(Exception):
    pass


# ---- names ----

V2 = {"resourcemanager": "cloudresourcemanager"}


def permission(name):
    """Both spellings as (service, resource.verb)."""
    if "/" in name:
        domain, rest = name.split("/", 1)
        service = domain.removesuffix(".googleapis.com")
        return next((v1 for v1, v2 in V2.items() if v2 == service), service), rest
    service, _, rest = name.partition(".")
    return service, rest


def covers(pattern, name):
    """SERVICE/RESOURCE.VERB, either part *."""
    (a, ours), (b, theirs) = permission(pattern), permission(name)
    if a != b:
        return False
    if ours in ("*", "*.*"):
        return True
    want, have = ours.split("."), theirs.split(".")
    return len(want) == len(have) and all(w in ("*", h) for w, h in zip(want, have))


def blocks(pattern, name):
    return pattern == "*" or covers(pattern, name)


def who(text):
    """One name for both spellings; addresses in lower case."""
    for v2, v1 in (("principal://goog/subject/", "user:"), ("principal://iam.googleapis.com/projects/-/serviceAccounts/", "serviceAccount:"),
                   ("principalSet://goog/group/", "group:")):
        if text.startswith(v2):
            text = v1 + text[len(v2):]
    if text == "principalSet://goog/public:all":
        return "allUsers"
    kind, colon, rest = text.partition(":")
    if kind == "serviceAccount" and "[" in rest:
        pool, _, inside = rest[:-1].partition("[")
        space, _, account = inside.partition("/")
        return f"principal://gke/{pool}/subject/ns/{space}/sa/{account}"
    if ".svc.id.goog/" in text and "://gke/" not in text:
        scheme, _, path = text.partition("://")
        return scheme + "://gke/" + path.split("/workloadIdentityPools/")[1]
    return kind + colon + rest.lower() if kind in ("user", "serviceAccount", "group", "domain") else text


# ---- worlds ----

class World:
    """One way in which things that are not known could be; asked for a choice it does not have, it notes the question."""

    def __init__(self, choices):
        self.choices = choices
        self.wanted = []

    def choose(self, what, options):
        if what in self.choices:
            return self.choices[what]
        self.wanted.append((what, options))
        return options[0]


class Naive:
    def __init__(self, case, trees, samples):
        """trees: condition text -> tree; samples: attribute -> values that it could have"""
        self.case, self.trees, self.samples = case, trees, samples
        request = case["request"]
        self.resource, self.permission = request["resource"], request["permission"]
        self.asker = who(request["principal"])
        self.context = request.get("context", {})
        self.groups = {who(k): [who(m) for m in v] for k, v in case.get("groups", {}).items()}
        self.chain = self.find_chain()

    def find_chain(self):
        resources = self.case.get("resources", {})
        at = self.resource
        if at not in resources:  # the longest listed name that it lies under
            above = [n for n in resources if at.startswith(n + "/")]
            at = max(above, key=len) if above else None
        chain = []
        while at is not None and at not in chain:
            chain.append(at)
            at = (resources.get(at) or {}).get("parent")
        return chain

    def listed(self, name):
        return self.case.get("resources", {}).get(name) or {}

    # -- who belongs where

    def belongs(self, world, principal_set, seen=()):
        s = who(principal_set)
        if s == self.asker or s == "allUsers":
            return not s.startswith("deleted:")
        nobody = self.asker == "allUsers" or self.asker.startswith("deleted:")
        anonymous = nobody or self.asker == "allAuthenticatedUsers"  # of whom nothing is known
        if s.startswith("deleted:") or s in seen:
            return False
        if s == "allAuthenticatedUsers":
            return not nobody and not self.asker.startswith(("principal://", "principalSet://iam.", "principalSet://gke/")) and ".svc.id.goog[" not in self.asker
        if s.startswith("domain:"):
            if self.asker.startswith("user:") and self.asker.rpartition("@")[2] == s[7:]:
                return True
        if s.startswith("principalSet://"):
            path, ours = s[15:], self.asker[12:] if self.asker.startswith("principal://") else ""
            if path.endswith("/*") and ours.startswith(path[:-1]):
                return True
            if path.endswith("/*") and any([self.belongs(world, g, seen + (s,)) for g in self.groups if g.startswith(s[:-1])]):
                return True  # whoever is in a part of a pool
            pool, _, space = path.partition("/namespace/")
            if path.startswith("gke/") and space and ours.startswith(f"{pool}/subject/ns/{space}/"):
                return True
        if s.startswith(("projectOwner:", "projectEditor:", "projectViewer:")):
            return self.holds_basic(world, s, seen + (s,))
        if s in self.groups:
            return any([self.belongs(world, m, seen + (s,)) for m in self.groups[s]])
        if anonymous:
            return False
        if s.startswith("group:") or s.startswith("principalSet://goog/"):
            return world.choose(("member", s), [False, True])
        if s.startswith("principalSet://") and not s.endswith("/*") and "/namespace/" not in s:
            same = self.asker.startswith("principal://") and self.asker[12:].rpartition("/subject/")[0] == s[15:].rpartition("/attribute.")[0].rpartition("/group/")[0]
            same = same or (self.asker.startswith("principal://") and s[15:].startswith(self.asker[12:].rpartition("/subject/")[0] + "/"))
            return world.choose(("member", s), [False, True]) if same else False
        return False

    def holds_basic(self, world, s, seen):
        kind, _, project = s.partition(":")
        role = "roles/" + kind.removeprefix("project").lower()
        name = "//cloudresourcemanager.googleapis.com/projects/" + project
        if name not in self.case.get("resources", {}):
            return False if self.asker in ("allUsers", "allAuthenticatedUsers") or self.asker.startswith("deleted:") else world.choose(("holders", s), [False, True])
        found = False
        for binding in (self.listed(name).get("policy") or {}).get("bindings", []):
            if binding["role"] == role:
                member = any([self.belongs(world, m, seen) for m in binding.get("members", [])])
                found |= member and self.grants(world, binding.get("condition"))
        return found

    # -- conditions

    def environment(self, world, keys):
        env = {}
        for key in keys:
            name = {"grants": "iam.googleapis.com/modifiedGrantsByRole"}.get(key, key)
            if name in self.context:
                env[key] = self.context[name]
            elif self.case.get("mode") != "discover" or name in self.case.get("known_absent", []):
                env[key] = ABSENT
            elif name in self.case.get("known_present", []):
                env[key] = world.choose(("key", key), self.samples[key])
            else:
                env[key] = world.choose(("key", key), self.samples[key] + [ABSENT])
        return env

    def tags(self):
        found = {}
        for name in reversed(self.chain):
            found.update(self.listed(name).get("tags") or {})
        return found

    KEYS = ("request.time", "resource.name", "resource.type", "resource.service", "destination.port", "request.host",
            "request.auth.access_levels", "grants")

    def used_keys(self, tree):
        from gcp_conditions import ATOMS, atoms
        return {ATOMS[a[0]][2] for a in atoms(tree)} & set(self.KEYS)

    def grants(self, world, condition):
        if not condition:
            return True
        tree = self.trees[condition["expression"]]
        env = dict.fromkeys(("principal.type", "principal.subject"), ABSENT)
        env |= {k: ABSENT for k in self.KEYS} | self.environment(world, sorted(self.used_keys(tree))) | {"tags": self.tags()}
        return is_text(tree) and worth(tree, env) is True

    def denies(self, condition):
        if not condition:
            return True
        tree = self.trees[condition["expression"]]
        env = dict.fromkeys(self.KEYS + ("principal.type", "principal.subject"), ABSENT) | {"tags": self.tags(), "grants": UNHEARD_OF}
        return not is_text(tree) or worth(tree, env) is not False

    def binds(self, condition):
        if not condition:
            return True
        tree = self.trees[condition["expression"]]
        env = dict.fromkeys(self.KEYS + ("principal.type", "principal.subject"), ABSENT)
        env["grants"] = UNHEARD_OF
        kind, _, address = self.asker.partition(":")
        types = {"user": "WorkspaceIdentity", "serviceAccount": "ServiceAccount"}
        if kind in types:
            env |= {"principal.type": "iam.googleapis.com/" + types[kind], "principal.subject": address}
        elif kind == "principal":
            workforce = "/workforcePools/" in self.asker
            env |= {"principal.type": "iam.googleapis.com/" + ("WorkforcePoolIdentity" if workforce else "WorkloadPoolIdentity"),
                    "principal.subject": self.asker.partition("/subject/")[2]}
        return not is_text(tree) or worth(tree, env) is not False

    # -- the three policies

    def role_gives(self, world, role):
        held = self.case.get("roles", {}).get(role, None)
        if held is None:
            return world.choose(("role", role), [False, True])
        if isinstance(held, dict):
            held = [] if held.get("deleted") or held.get("stage") == "DISABLED" else held.get("includedPermissions", [])
        return permission(self.permission) in [permission(p) for p in held]

    def allowed(self, world):
        found = False
        for name in self.chain:
            for i, binding in enumerate((self.listed(name).get("policy") or {}).get("bindings", [])):
                role, hidden = binding["role"].partition("_withcond_")[::2]
                if not any([self.belongs(world, m) for m in binding.get("members", [])]) or not self.role_gives(world, role):
                    continue
                if "_withcond_" in binding["role"] and not world.choose(("hidden", name, i), [False, True]):
                    continue
                found |= self.grants(world, binding.get("condition"))
        return found

    def denied(self, world):
        found = False
        for name in self.chain:
            for policy in self.listed(name).get("deny") or []:
                for rule in policy.get("rules", []):
                    rule = rule["denyRule"]
                    speaks = any(covers(p, self.permission) for p in rule.get("deniedPermissions", []))
                    spared = any(covers(p, self.permission) for p in rule.get("exceptionPermissions", []))
                    if not speaks or spared:
                        continue
                    among = any([self.belongs(world, p) for p in rule.get("deniedPrincipals", [])])
                    except_ = any([self.belongs(world, p) for p in rule.get("exceptionPrincipals", [])])
                    found |= among and not except_ and self.denies(rule.get("denialCondition"))
        return found

    def within(self, world):
        blocked = eligible = False
        for entry in self.case.get("principal_access_boundaries", []):
            if not any([self.belongs(world, p) for p in entry["principals"]]) or not self.binds(entry.get("condition")):
                continue
            eligible |= any(r in self.chain for rule in entry["policy"]["details"]["rules"] for r in rule["resources"])
            listed = entry.get("blocked_permissions")
            blocked |= listed is None or any(blocks(p, self.permission) for p in listed)
        return eligible or not blocked

    # -- all worlds

    def outcomes(self):
        """[(what was unread, what was chosen for keys, granted, denied, within)] over all worlds."""
        pending, found = [{}], []
        while pending:
            choices = pending.pop()
            world = World(choices)
            result = self.allowed(world), self.denied(world), self.within(world)
            if world.wanted:
                what, options = world.wanted[0]
                pending += [{**choices, what: o} for o in options]
            else:
                found.append((choices, *result))
            if len(found) + len(pending) > MOST_WORLDS:
                raise TooManyWorlds
        return found

    def answer(self):
        """The set of verdicts that are right (two only where the words leave both), and the reason of a denial."""
        found = self.outcomes()
        allowed = [g and w and not d for _, g, d, w in found]
        if not any(allowed):
            return {"denied"}, self.reason(found)
        if all(allowed):
            return {"allowed"}, "explicit_allow"
        unread = sorted({what for choices, *_ in found for what in choices if what[0] != "key"})
        verdicts = set()
        for values in itertools.product([False, True], repeat=len(unread)):
            fixed = dict(zip(unread, values))
            some = [a for a, (choices, *_) in zip(allowed, found) if all(choices.get(k, v) == v for k, v in fixed.items())]
            verdicts.add("allowed" if all(some) else "denied" if not any(some) else "conditional")
        if len(verdicts) > 1:
            return {"unknown"}, "unread"
        return ({"conditional", "unknown"} if unread else {"conditional"}), None

    @staticmethod
    def reason(found):
        if all(d for _, g, d, w in found):
            return "explicit_deny"
        if not any(g for _, g, d, w in found):
            return "implicit_deny"
        return "ceiling" if not any(g and w for _, g, d, w in found) else "explicit_deny"


__all__ = ["Naive", "TooManyWorlds", "ERROR"]
