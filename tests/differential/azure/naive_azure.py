# SPDX-License-Identifier: Apache-2.0
"""A second reading of Microsoft's pages on Azure RBAC: every step as written there, by brute force, for small cases.

It shares no code with kim and is made to be read beside the documentation, not to be fast. It is our own, so it shows
where the two readings differ, not that either is Microsoft's.

Steps: Microsoft Learn, "What is Azure RBAC?", section "How Azure RBAC determines if a user has access to a resource".
"""

import functools
import itertools
import math
import re
from datetime import datetime, timedelta, timezone

ALL_PRINCIPALS = "00000000-0000-0000-0000-000000000000"
ABSENT, UNKNOWN = object(), object()
TRIED_MOST = 400  # contexts, of one case in discover mode

# ---- documents ----


def prop(document, name):
    """A member of a REST document, or of the flat one that az prints."""
    for place in (document, document.get("properties") or {}):
        if place.get(name) is not None:
            return place[name]
    return None


def segments(scope):
    return [s for s in scope.lower().split("/") if s]


def last(text):
    return segments(text)[-1] if segments(text) else ""


# ---- "Understand scope" ----


def management_groups_above(scope, parents):
    """The management groups that a subscription, or one of them, lies in."""
    known = {tuple(segments(child)) if child.startswith("/") else ("mg", child.lower()): last(parent) for child, parent in parents.items()}
    path = segments(scope)
    if path[:1] == ["subscriptions"]:
        at = known.get(tuple(path[:2]))
    elif path[:3] == ["providers", "microsoft.management", "managementgroups"] and len(path) > 3:
        at = path[3]
    else:
        at = None
    found = []
    while at is not None and at not in found:
        found.append(at)
        at = known.get(("mg", at))
    return found


def scope_covers(assigned, scope, parents):
    inner, outer = segments(scope), segments(assigned)
    if inner[: len(outer)] == outer:
        return True  # the same, or a beginning by whole segments; "/" begins all
    return len(outer) == 4 and outer[:3] == ["providers", "microsoft.management", "managementgroups"] and outer[3] in management_groups_above(scope, parents)


# ---- "Understand role definitions" ----


def matches(pattern, action):
    parts = [re.escape(part) for part in pattern.lower().split("*")]
    return re.fullmatch(".*".join(parts), action.lower(), re.DOTALL) is not None


def permission_covers(permission, action, data):
    yes, no = ("dataActions", "notDataActions") if data else ("actions", "notActions")
    return any(matches(p, action) for p in permission.get(yes) or []) and not any(matches(p, action) for p in permission.get(no) or [])


# ---- groups ----


def groups_of(principal, groups):
    """The principal and all groups that it is in, transitively."""
    found = {principal.lower()}
    while True:
        more = {g.lower() for g, members in groups.items() if {m.lower() for m in members} & found} - found
        if not more:
            return found
        found |= more


# ---- "Azure role assignment condition format and syntax" ----

TOKEN = re.compile(r"\s*(?:(@?\w+\s*\[[^\]]*\])|'((?:[^']|'')*)'|(&&|\|\||[(){},!])|([^\s(){},'!&|\[\]]+))")


def tokens(text):
    at, out = 0, []
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if not found:
            raise ValueError(f"no token at {text[at:at + 20]!r}")
        attribute, string, mark, word = found.groups()
        out.append(("attribute", attribute) if attribute else ("string", string.replace("''", "'")) if string is not None
                   else ("mark", {"&&": "AND", "||": "OR"}.get(mark, mark)) if mark
                   else ("mark", word.upper()) if word.upper() in ("AND", "OR") else ("mark", "!") if word.upper() == "NOT" else ("word", word))
        at = found.end()
    return out + [("end", "")]


def key_of(attribute):
    """Attributes are compared without regard to case, but for a tag's key that says otherwise."""
    text = re.sub(r"\s", "", attribute).lstrip("@")
    source, path = text[:-1].split("[", 1)
    found = re.fullmatch(r"(.*:)([^:]*)(<\$key_case_sensitive\$>)", path, re.I)
    if found:
        return source.lower() + "[" + found[1].lower() + found[2] + found[3].lower()
    return source.lower() + "[" + path.lower()


class Parser:
    """Recursive descent to tuples: ("or", [..]), ("compare", left, quantifier, operator, right) ..."""

    def __init__(self, text):
        self.tokens, self.at = tokens(text), 0

    @property
    def token(self):
        return self.tokens[self.at]

    def take(self, kind=None, text=None):
        token = self.token
        if (kind and token[0] != kind) or (text and token[1] != text):
            raise ValueError(f"{text or kind} expected, not {token}")
        self.at += 1
        return token

    def whole(self):
        tree = self.row("or", "OR", lambda: self.row("and", "AND", self.unary))
        self.take("end")
        return tree

    def row(self, kind, mark, one):
        items = [one()]
        while self.token == ("mark", mark):
            self.take()
            items.append(one())
        return items[0] if len(items) == 1 else (kind, items)

    def unary(self):
        if self.token == ("mark", "!"):
            self.take()
            return ("not", self.unary())
        if self.token == ("mark", "("):
            self.take()
            tree = self.row("or", "OR", lambda: self.row("and", "AND", self.unary))
            self.take("mark", ")")
            return tree
        kind, text = self.token
        if kind == "word" and text.lower() in ("actionmatches", "suboperationmatches"):
            self.take()
            return (text.lower(), self.operand()[1])
        if kind == "word" and text.lower() in ("exists", "notexists"):
            self.take()
            tree = ("exists", key_of(self.take("attribute")[1]))
            return ("not", tree) if text.lower() == "notexists" else tree
        left = self.operand()
        operator = self.take("word")[1]
        quantifier, _, name = operator.rpartition(":")
        return ("compare", left, quantifier.lower(), name.lower(), self.operand())

    def operand(self):
        kind, text = self.take()
        if kind == "attribute":
            return ("attribute", key_of(text))
        if kind in ("string", "word"):
            return ("values", [text])
        if (kind, text) != ("mark", "{"):
            raise ValueError(f"a value expected, not {text}")
        values = []
        while self.token != ("mark", "}"):
            values.append(self.take()[1])
            if self.token == ("mark", ","):
                self.take()
        self.take()
        return ("values", values)


def number(text):
    return int(text)


def instant(text):
    """100 nanoseconds since year 1: Python's own datetime keeps microseconds alone."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?(\.\d+)?)?(Z|[+-]\d\d:\d\d)?", text)
    base = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00'}{found[3] or ':00'}+00:00") - datetime(1, 1, 1, tzinfo=timezone.utc)
    zone = timedelta(0)
    if found[5] and found[5] != "Z":
        zone = timedelta(hours=int(found[5][1:3]), minutes=int(found[5][4:6])) * (-1 if found[5][0] == "-" else 1)
    return (base - zone) // timedelta(seconds=1) * 10**9 + int(((found[4] or ".")[1:] + "0" * 9)[:9])


def guid(text):
    bare = text.rsplit("/", 1)[-1].lower()
    return bare.replace("-", "") if re.fullmatch(r"[0-9a-f]{32}", bare.replace("-", "")) else text.lower()


def like(text, pattern):
    expression = "".join({"*": ".*", "?": "."}.get(p, re.escape(p[-1])) for p in re.findall(r"\\[*?]|.", pattern, re.DOTALL))
    return re.fullmatch(expression, text, re.DOTALL) is not None


BASE = {
    "stringequals": lambda a, b: a == b, "stringstartswith": lambda a, b: a.startswith(b), "stringlike": like,
    "boolequals": lambda a, b: a.lower() == b.lower(), "guidequals": lambda a, b: guid(a) == guid(b),
}
for prefix, read in (("numeric", number), ("datetime", instant)):
    for name, test in (("equals", lambda a, b: a == b), ("lessthan", lambda a, b: a < b), ("lessthanequals", lambda a, b: a <= b),
                       ("greaterthan", lambda a, b: a > b), ("greaterthanequals", lambda a, b: a >= b)):
        BASE[prefix + name] = lambda a, b, read=read, test=test: test(read(a), read(b))


def operator(name):
    """The test on one pair of values, and whether the operator negates it."""
    negated = "not" in name
    plain = name.replace("not", "", 1)
    if plain.endswith("ignorecase"):
        inner = BASE[plain[: -len("ignorecase")]]
        return (lambda a, b: inner(a.lower(), b.lower())), negated
    return BASE[plain], negated


def holds(tree, request):
    kind = tree[0]
    if kind == "or":
        return any(holds(t, request) for t in tree[1])
    if kind == "and":
        return all(holds(t, request) for t in tree[1])
    if kind == "not":
        return not holds(tree[1], request)
    if kind == "exists":
        return request["attributes"].get(tree[1], ABSENT) is not ABSENT
    if kind == "actionmatches":
        return any(matches(p, request["action"]) for p in tree[1])
    if kind == "suboperationmatches":
        return any(matches(p, v) for p in tree[1] for v in values_of(("attribute", "request[suboperation"), request))
    _, left, quantifier, name, right = tree
    test, negated = operator(name)
    lefts, rights = values_of(left, request), values_of(right, request)
    if not quantifier:  # StringNotEquals is the negation of StringEquals
        return any(test(a, b) for a in lefts for b in rights) != negated
    each = {"any": any, "all": all}
    outer, inner = re.fullmatch(r"for(any|all)of(any|all)values", quantifier).groups()
    return each[outer](each[inner](test(a, b) != negated for b in rights) for a in lefts)


def values_of(side, request):
    if side[0] == "values":
        return side[1]
    value = request["attributes"].get(side[1], ABSENT)
    values = [] if value is ABSENT else value if isinstance(value, list) else [value]
    return [str(v).lower() if isinstance(v, bool) else str(v) for v in values]


def attributes_in(tree, found):
    """Each attribute of a condition, and the values that it is compared with."""
    if tree[0] in ("or", "and"):
        for t in tree[1]:
            attributes_in(t, found)
    elif tree[0] == "not":
        attributes_in(tree[1], found)
    elif tree[0] == "exists":
        found.setdefault(tree[1], [])
    elif tree[0] == "suboperationmatches":
        found.setdefault("request[suboperation", []).extend(tree[1])
    elif tree[0] == "compare":
        for one, other in ((tree[1], tree[4]), (tree[4], tree[1])):
            if one[0] == "attribute":
                found.setdefault(one[1], []).extend(other[1] if other[0] == "values" else [])
    return found


# ---- the steps ----


def when(document, now):
    """True, False, or UNKNOWN without the request's time."""
    start, end = prop(document, "startDateTime"), prop(document, "endDateTime")
    if not start and not end:
        return True
    if now is ABSENT:
        return UNKNOWN
    at = instant(now) // 10**6
    return (not start or at >= instant(start) // 10**6) and (not end or at < instant(end) // 10**6)


@functools.cache
def parsed(text):
    return Parser(text).whole()


def condition_of(document):
    text = prop(document, "condition")
    return parsed(text) if text else None


def decide_known(case, request):
    """The four answers for one request of which every attribute is known."""
    asked = case["request"]
    who = groups_of(asked["principal"], case.get("groups") or {})
    action, data, scope = asked["action"], bool(asked.get("data")), asked["scope"]
    parents = case.get("management_groups") or {}
    roles = {last(prop(r, "id") or prop(r, "name")): r for r in case.get("role_definitions") or []}

    def applies(permission, document):
        if not permission_covers(permission, action, data):
            return False
        for condition in (condition_of(document), condition_of(permission)):
            if condition and not holds(condition, request):
                return False
        return True

    for deny in case.get("deny_assignments") or []:
        here = segments(prop(deny, "scope")) == segments(scope)
        if not (here or (scope_covers(prop(deny, "scope"), scope, parents) and not prop(deny, "doNotApplyToChildScopes"))):
            continue
        named = {p["id"].lower() for p in prop(deny, "principals") or []}
        excluded = {p["id"].lower() for p in prop(deny, "excludePrincipals") or []}
        if not (ALL_PRINCIPALS in named or named & who) or excluded & who or (prop(deny, "denyAssignmentEffect") or "enforced").lower() == "audit":
            continue
        if any(applies(p, deny) for p in prop(deny, "permissions") or []):
            return "denied", "explicit_deny"

    def granted(assignments):
        best = False
        for a in assignments:
            if prop(a, "principalId").lower() not in who or prop(a, "principalType") == "Unknown" or not scope_covers(prop(a, "scope"), scope, parents):
                continue
            role = roles.get(last(prop(a, "roleDefinitionId")))
            if role is None:
                permits = not condition_of(a) or holds(condition_of(a), request)
                best = best or (UNKNOWN if permits and when(a, request["now"]) is not False else False)
            elif any(applies(p, a) for p in prop(role, "permissions") or []):
                in_force = when(a, request["now"])
                if in_force is True:
                    return True
                best = best or in_force
        return best

    got = granted(case.get("role_assignments") or [])
    if got is True:
        return "allowed", "explicit_allow"
    if got is UNKNOWN:
        return "unknown", "unread"
    return ("denied", "eligible_only") if granted(case.get("eligible_assignments") or []) else ("denied", "implicit_deny")


def decide(case):
    """As `kim evaluate` answers: in discover mode every value that could tell conditions apart is tried; None: too many."""
    context = {key_of(k): v for k, v in (case["request"].get("context") or {}).items()}
    given = set(context)  # with no value: known to be absent
    context = {k: v for k, v in context.items() if v is not None and v != []}
    now = context.get("environment[utcnow", ABSENT)
    if case.get("mode") != "discover":
        return decide_known(case, {"action": case["request"]["action"], "attributes": context, "now": now})
    documents = [d for part in ("role_assignments", "deny_assignments", "eligible_assignments") for d in case.get(part) or []]
    documents += [p for d in documents + (case.get("role_definitions") or []) for p in prop(d, "permissions") or []]
    wanted = {}
    for condition in filter(None, map(condition_of, documents)):
        attributes_in(condition, wanted)
    for key in case.get("known_absent") or []:
        wanted.pop(key_of(key), None)
    present = {key_of(k) for k in case.get("known_present") or []}
    unknown = {k: v for k, v in wanted.items() if k not in given}
    answers = set()
    choices = [[(k, v) for v in ([] if k in present else [ABSENT]) + candidates(values)] for k, values in sorted(unknown.items())]
    if math.prod(map(len, choices)) > TRIED_MOST:
        return None
    for chosen in itertools.product(*choices):
        known = {**context, **{k: v for k, v in chosen if v is not ABSENT}}
        answers.add(decide_known(case, {"action": case["request"]["action"], "attributes": known, "now": now}))
    verdicts = {verdict for verdict, _ in answers}
    if len(answers) == 1:
        return answers.pop()
    if verdicts == {"denied"}:
        return "denied", None
    return ("unknown", "unread") if "unknown" in verdicts else ("conditional", "condition")


def candidates(values):
    """Values on every side of those that a condition names, and several at once."""
    out = []
    for v in dict.fromkeys(values):
        out.append(v)
        if re.fullmatch(r"-?\d+", v):
            out += [str(int(v) - 1), str(int(v) + 1)]
    plain = [v for v in out if not re.search(r"[*?\\]", v)]
    return plain + [v.replace("*", "x").replace("?", "y").replace("\\", "") for v in out if v not in plain] + neutral(out) + ([plain] if len(plain) > 1 else [])


def neutral(values):
    """One that is like none of them, but of their kind."""
    if values and all(re.fullmatch(r"-?\d+", v) for v in values):
        return []
    if values and all(re.match(r"\d{4}-\d\d-\d\d", v) for v in values):
        return ["1999-01-01T00:00:00Z", "2999-01-01T00:00:00Z"]
    if values and all(v.lower() in ("true", "false") for v in values):
        return ["true", "false"]
    return ["zz-none"]
