# SPDX-License-Identifier: Apache-2.0
"""Neutral cases answered the long way: every world that a case leaves open is tried, and in each one everything is plain.

A *world* says what every key of the context is, what time it is, and whether each condition that nobody can read holds.
In a world a case is allowed or denied, by the few lines of its algorithm; over all worlds that agree on what is known
the answer follows. Nothing here is fast, shared or compiled, and nothing was taken from the program that it is to check:
only the manual's words (kim-evaluate(7), NEUTRAL).
"""

import functools
import itertools
import re
from datetime import datetime, timezone

ABSENT = None


# ---- texts ----

def fold(text, case_):
    """ASCII letters alone fold."""
    if case_ != "insensitive":
        return text
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def as_list(value):
    return value if isinstance(value, list) else [value]


def as_text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


# ---- wildcard languages: does the pattern cover the text? ----

@functools.lru_cache(maxsize=65536)
def glob(pattern, text):
    if pattern == "":
        return text == ""
    if pattern[0] == "*":
        return any(glob(pattern[1:].lstrip("*"), text[i:]) for i in range(len(text) + 1))
    return text != "" and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


def arn(pattern, text):
    if pattern == "*":
        return True
    p, t = pattern.split(":", 5), text.split(":", 5)
    return len(p) == len(t) and all(glob(a, b) for a, b in zip(p, t))


def topics(levels, first=True):
    """The filter's levels as a predicate on a topic's levels."""
    head, rest = levels[0], levels[1:]

    def is_wild(t):
        return not (first and t[0].startswith("$"))

    if head == "#":
        return lambda t: not t or is_wild(t)
    if rest == ["#"] and head == "+":
        return lambda t: bool(t) and is_wild(t)
    tail = topics(rest, False) if rest else None

    def matches(t):
        if not t or not (is_wild(t) if head == "+" else t[0] == head):
            return False
        if rest == ["#"]:
            return True
        return tail(t[1:]) if tail else len(t) == 1

    return matches


def mqtt(pattern, text):
    levels = pattern.split("/")
    if "#" in levels[:-1] or any(("+" in l or "#" in l) and len(l) > 1 for l in levels):
        return False
    asked = text.split("/")
    if asked[-1] != "#" and "+" not in asked:
        return topics(levels)(asked)
    # A filter is covered where every topic of it is: those that say "x" for a wildcard stand for all.
    fresh = "\u2603"
    ends = [[], [fresh], [fresh] * 7] if asked[-1] == "#" else [[]]
    base = [fresh if l == "+" else l for l in (asked[:-1] if asked[-1] == "#" else asked)]
    return all(topics(levels)(base + end) for end in ends if base + end)


def nats(pattern, text):
    p, t = pattern.split("."), text.split(".")
    if ">" in p[:-1]:
        return False
    for i, token in enumerate(p):
        if token == ">":
            return len(t) > i
        if i >= len(t) or (t[i] == ">" and i == len(t) - 1):
            return False
        if token != "*" and token != t[i]:
            return False
    return len(p) == len(t)


def regex(pattern, text, case_):
    flags = re.IGNORECASE if case_ == "insensitive" else 0
    return re.search((pattern or "^$").encode(), text.encode(), flags) is not None


def path_prefix(pattern, text):
    if pattern == "":
        return True
    p = pattern.rstrip("/")
    return text == p or text[:len(p) + 1] == p + "/"


def number(text):
    text = as_text(text)
    base = {"0x": 16, "0b": 2}.get(text[:2].lower(), 10)
    return int(text, base)


LANGUAGES = {"exact": lambda p, t: p == t, "glob": glob, "arn": arn, "mqtt": mqtt, "nats": nats, "path-prefix": path_prefix, "bitmask": lambda p, t: p == t}


def names_resource(profile, pattern, text):
    case_ = profile.get("case")
    if profile.get("wildcard") == "regex-unanchored":
        return regex(pattern, text, case_)
    return LANGUAGES[profile.get("wildcard", "exact")](fold(pattern, case_), fold(text, case_))


def names_action(profile, pattern, action):
    case_ = profile.get("case")
    if profile.get("wildcard") == "bitmask":
        wanted = number(action)
        return wanted != 0 and number(pattern) & wanted == wanted
    if profile.get("wildcard") in ("glob", "arn"):
        return glob(fold(pattern, case_), fold(action, case_))
    return fold(as_text(pattern), case_) == fold(action, case_)


# ---- conditions ----

TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\')|(&&|\|\||==|!=|<=|>=|[<>!()\[\],])|([A-Za-z0-9_.:/@$-]+))')


def tokens(text):
    at, found = 0, []
    while text[at:].strip():
        m = TOKEN.match(text, at)
        if not m:
            raise ValueError(text)
        found.append((("text", re.sub(r"\\(.)", r"\1", m[1][1:-1])) if m[1] else ("op", m[2]) if m[2] else ("word", m[3])))
        at = m.end()
    return found


class Parser:
    """A condition as nested tuples; the words of kim_condition.h."""

    def __init__(self, text):
        self.rest = tokens(text)

    def take(self, op):
        if self.rest and self.rest[0] == ("op", op):
            self.rest.pop(0)
            return True
        return False

    def either(self):
        parts = [self.both()]
        while self.take("||"):
            parts.append(self.both())
        return ("any", parts)

    def both(self):
        parts = [self.one()]
        while self.take("&&"):
            parts.append(self.one())
        return ("all", parts)

    def one(self):
        if self.take("!"):
            return ("not", self.one())
        if self.take("("):
            inner = self.either()
            assert self.take(")")
            return inner
        word = self.rest.pop(0)[1]
        if word == "has" and self.take("("):
            key = self.rest.pop(0)[1]
            assert self.take(")")
            return ("has", key)
        if word in ("true", "false"):
            return ("constant", word == "true")
        kind, op = self.rest.pop(0)
        if (kind, op) == ("word", "in"):
            assert self.take("[")
            values = []
            while not self.take("]"):
                if values:
                    assert self.take(",")
                values.append(self.rest.pop(0))
            return ("in", word, values)
        return (op, word, [self.rest.pop(0)])


@functools.lru_cache(maxsize=4096)
def parse(text):
    parser = Parser(text)
    test = parser.either()
    assert not parser.rest, text
    return test


@functools.lru_cache(maxsize=4096)
def plain_number(text):
    return float(text) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) else None


def quantity(text):
    if re.match(r"\d{4}-\d\d-\d\d[Tt ]", text):
        return float(moment(text))
    return plain_number(text)


def same(given, kind, wanted):
    if given == wanted:
        return True
    a, b = plain_number(given), plain_number(wanted)
    return kind == "word" and a is not None and a == b


def compare(op, given, wanted):
    a, b = quantity(given), quantity(wanted)
    if a is None or b is None:
        return False
    return {"<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]


def holds(test, context):
    kind = test[0]
    if kind in ("any", "all"):
        return (any if kind == "any" else all)([holds(t, context) for t in test[1]])
    if kind == "not":
        return not holds(test[1], context)
    if kind == "constant":
        return test[1]
    given = context.get(test[1])
    if kind == "has":
        return given is not None
    if kind == "!=":
        return not holds(("==", test[1], test[2]), context)
    if kind in ("==", "in"):
        return any(same(g, k, w) for g in given or [] for k, w in test[2])
    return any(compare(kind, g, w) for g in given or [] for _, w in test[2])


# ---- times ----

@functools.lru_cache(maxsize=4096)
def moment(value):
    """Unix milliseconds of a number, of its text, or of RFC 3339 text; 0: none."""
    if isinstance(value, (int, float)):
        return int(value)
    if re.fullmatch(r"\d+", value):
        return int(value)
    return int(datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(timezone.utc).timestamp() * 1000)


# ---- a world ----

class World:
    def __init__(self, context, now, unread):
        self.context, self.now, self.unread = context, now, unread

    def condition(self, condition):
        if not condition or not condition["text"]:
            return True
        if condition["lang"] != "kim":
            return self.unread[condition["lang"], condition["text"]]
        return holds(parse(condition["text"]), self.context)

    def in_time(self, thing):
        starts, expires = (moment(thing.get(k) or 0) for k in ("starts", "expires"))
        return (not starts or self.now >= starts) and (not expires or self.now < expires)


# ---- a case in a world ----

class Asked:
    """One request in one world, with what is eligible as if it were activated or not."""

    def __init__(self, case, world, action, activated=False):
        self.case, self.world, self.action, self.activated = case, world, action, activated
        self.profile = case["profile"]
        self.case_ = self.profile.get("case")
        self.matches = list(self.find())

    def in_force(self, thing):
        return (self.activated or not thing.get("eligible")) and self.world.condition(thing.get("condition")) and self.world.in_time(thing)

    def ways(self):
        """name -> the orders of every way there that comes through nothing twice."""
        start = fold(self.case["request"]["identity"], self.case_)
        edges = [e for e in self.case.get("edges", []) if e["type"] == "member_of" and self.in_force(e)]
        found = {}

        def go(at, seen, orders):
            found.setdefault(at, []).append(orders)
            for e in edges:
                to = fold(e["to"], self.case_)
                if fold(e["from"], self.case_) == at and to not in seen:
                    go(to, seen | {to}, orders + ([e["order"]] if e.get("order") is not None else []))

        go(start, {start}, [])
        return found

    def chain(self):
        parents = {fold(k, self.case_): v for k, v in self.case.get("resources", {}).items()}
        at, seen = self.case["request"].get("resource", ""), []
        while at is not None and fold(at, self.case_) not in seen:
            seen.append(fold(at, self.case_))
            yield at
            at = parents.get(seen[-1])

    def find(self):
        """(statement, distance, orders) of all that match."""
        ways, chain = self.ways(), list(self.chain())
        for s in self.case.get("statements", []):
            if not self.in_force(s):
                continue
            if not self.lists(s, "actions", lambda p: names_action(self.profile, p, self.action)):
                continue
            if s.get("universe") and not any(names_action(self.profile, p, self.action) for p in s["universe"].split()):
                continue
            names = [fold(n, self.case_) for n in as_list(s["subjects"])] if s.get("subjects") is not None else ["*"]
            barred = [fold(n, self.case_) for n in as_list(s.get("not_subjects") or [])]
            if any(n in ways or n == "*" for n in barred):
                continue
            orders = [[]] if "*" in names else [o for n in names for o in ways.get(n, [])]
            reach = {"children": 1, "tree": len(chain)}.get(s.get("inherit"), 0)
            at = [d for d, r in enumerate(chain) if d <= reach and self.lists(s, "resources", lambda p: names_resource(self.profile, p, r))]
            if orders and at:
                own = [float(o) for o in as_list(s["order"])] if s.get("order") is not None else []
                yield s, at[0], min([float(x) for x in o] + own for o in orders)

    def lists(self, s, name, matches):
        if s.get(name) is not None and not any(matches(as_text(p)) for p in as_list(s[name])):
            return False
        return not any(matches(as_text(p)) for p in as_list(s.get("not_" + name) or []))

    def default(self):
        by_action = self.profile.get("default_by_action", {})
        fitting = [n for n in by_action if names_action(self.profile, n, self.action)]
        plain = [n for n in fitting if self.profile.get("wildcard") in ("bitmask",) or not re.search(r"[*?]", n) or self.profile.get("wildcard") not in ("glob", "arn")]
        best = sorted(plain or fitting, key=lambda n: (-len(n), n))
        return (by_action[best[0]] if best else self.profile.get("default", "deny")) == "allow"

    def said(self, matches, effect):
        return [m for m in matches if m[0]["effect"] == effect]

    # Each gives (allowed, who decided); who: statements, or layers by name.

    def deny_overrides(self):
        deny, allow = self.said(self.matches, "deny"), self.said(self.matches, "allow")
        if deny:
            return False, deny
        return (True, allow) if allow else (self.default(), [])

    allow_union = deny_overrides

    def first_match(self):
        listed = self.case["statements"]
        ranked = sorted(self.matches, key=lambda m: (m[2], next(i for i, s in enumerate(listed) if s is m[0])))
        return (ranked[0][0]["effect"] == "allow", ranked[:1]) if ranked else (self.default(), [])

    def most_specific(self):
        deny, allow = self.said(self.matches, "deny"), self.said(self.matches, "allow")
        heaviest = lambda ms: max((m[0].get("weight", 0) for m in ms), default=float("-inf"))
        if not deny and not allow:
            return self.default(), []
        side = allow if heaviest(allow) > heaviest(deny) else deny
        return side is allow, [m for m in side if m[0].get("weight", 0) == heaviest(side)]

    def nearest_explicit(self):
        for distance in sorted({m[1] for m in self.matches}):
            here = [m for m in self.matches if m[1] == distance]
            deny = self.said(here, "deny")
            return not deny, deny or here
        return self.default(), []

    def layered(self):
        layers = self.profile["layers"]
        usual = next(l["name"] for l in layers if l["use"] == "grant")
        of = lambda m: m[0].get("layer", usual)
        inside = lambda name: [m for m in self.matches if of(m) == name]
        lets = lambda name: bool(self.said(inside(name), "allow")) and not self.said(inside(name), "deny")

        def is_there(name):
            for s in self.case["statements"]:
                active = (self.activated or not s.get("eligible")) and self.world.in_time(s)
                speaks = not s.get("universe") or any(names_action(self.profile, p, self.action) for p in s["universe"].split())
                if s.get("layer", usual) == name and active and speaks:
                    return True
            return False

        def blocked(over):
            """The ceilings and delegations that do not let such a grant pass; over None: what nothing grants."""
            for l in layers:
                if l["use"] in ("ceiling", "delegation") and ("of" not in l or over in l["of"]) and not lets(l["name"]):
                    if l["use"] == "delegation" or is_there(l["name"]):
                        yield l["name"]

        vetoes = [m for l in layers if l["use"] == "veto" for m in inside(l["name"])]
        grants = [l["name"] for l in layers if l["use"] == "grant"]
        passing = [g for g in grants if lets(g) and not list(blocked(g))]
        refused = [m for g in grants for m in self.said(inside(g), "deny")]
        free = self.default() and not refused and not list(blocked(None))
        denies = [m for m in self.matches if m[0]["effect"] == "deny"]
        if not vetoes and (passing or free):
            return True, [m for m in self.said(self.matches, "allow") if next(l for l in layers if l["name"] == of(m))["use"] != "veto"]
        if vetoes or denies:
            return False, vetoes + denies
        if self.said([m for g in grants for m in inside(g)], "allow") or self.default():
            return False, sorted({l for over in grants + [None] for l in blocked(over)})
        return False, []

    def verdict(self):
        return getattr(self, self.profile["combining"].replace("-", "_"))()


def decide(case, world, activated=False):
    """(allowed, reason, who decided) in one world."""
    action = case["request"]["action"]
    bits = [action]
    if case["profile"].get("wildcard") == "bitmask":
        bits = [str(1 << i) for i in range(64) if number(action) >> i & 1] or [action]
    for bit in bits:
        asked = Asked(case, world, bit, activated)
        allowed, who = asked.verdict()
        if not allowed:
            break
    if allowed:
        return True, "explicit_allow", who
    if any(isinstance(m, tuple) for m in who):
        return False, "explicit_deny", who
    if not activated and decide(case, world, True)[0]:
        return False, "eligible_only", []
    return False, "ceiling" if who else "implicit_deny", who


# ---- all worlds ----

def conditions_of(case):
    for thing in case.get("statements", []) + case.get("edges", []):
        if thing.get("condition"):
            yield thing["condition"]


def tests_in(test):
    if test[0] in ("any", "all"):
        for t in test[1]:
            yield from tests_in(t)
    elif test[0] == "not":
        yield from tests_in(test[1])
    elif test[0] != "constant":
        yield test


def mentioned(case):
    """key -> the values that conditions compare it with."""
    found = {}
    for condition in conditions_of(case):
        if condition["lang"] == "kim" and condition["text"]:
            for test in tests_in(parse(condition["text"])):
                found.setdefault(test[1], set()).update(v for _, v in (test[2] if len(test) > 2 else []))
    return found


def candidates(values, may_be_absent):
    """What a key could be, as far as any test can tell: nothing, one value, two."""
    singles = set(values) | {"\u2603"}
    for v in values:
        n = quantity(v)
        if n is not None:
            singles |= {format(n + d, ".6f").rstrip("0").rstrip(".") for d in (-0.5, 0, 0.5)}
    singles = sorted(singles)
    pairs = [list(p) for p in itertools.combinations(singles, 2)]
    return ([ABSENT] if may_be_absent else []) + [[s] for s in singles] + pairs


def boundaries(case):
    found = {moment(thing[k]) for thing in case.get("statements", []) + case.get("edges", []) for k in ("starts", "expires") if thing.get(k)}
    return sorted(found)


def worlds(case):
    """(what is known in it, World): worlds with equal first parts differ in what was not read."""
    given = {k: [as_text(v) for v in as_list(values)] for k, values in case["request"].get("context", {}).items()}
    given = {k: v for k, v in given.items() if v}
    discover = case.get("mode") == "discover"
    absent, present = set(case.get("known_absent", [])), set(case.get("known_present", []))
    keys = sorted(k for k in mentioned(case) if discover and k not in case["request"].get("context", {}) and k not in absent)
    open_values = [candidates(mentioned(case)[k], k not in present) for k in keys]
    texts = sorted({(c["lang"], c["text"]) for c in conditions_of(case) if c["lang"] != "kim" and c["text"]})
    moments = boundaries(case)
    times, time_is_known = [0], True
    if "time" in given:
        times = [moment(given["time"][0])]
    elif moments:
        times = [moments[0] - 1] + moments
        time_is_known = discover and "time" not in absent
    for values in itertools.product(*open_values):
        context = {**given, **{k: v for k, v in zip(keys, values) if v is not ABSENT}}
        for now in times:
            for truths in itertools.product((False, True), repeat=len(texts)):
                yield (values if not time_is_known else (values, now)), World(context, now, dict(zip(texts, truths)))


def answer(case):
    """{"decision", "reason", "who", "worlds"}: who are the statements' ids, or layers, that decided; of strict cases alone."""
    by_known, seen = {}, []
    for known, world in worlds(case):
        found = decide(case, world)
        seen.append((world, found))
        by_known.setdefault(repr(known), set()).add(found[0])
    verdicts = {v for found in by_known.values() for v in found}
    if verdicts == {True} or verdicts == {False}:
        decision = "allowed" if True in verdicts else "denied"
    else:
        decision = "unknown" if any(len(found) > 1 for found in by_known.values()) else "conditional"
    reasons = {found[1] for _, found in seen}
    name = lambda s: s.get("id", str(next(i for i, one in enumerate(case["statements"]) if one is s)))
    who = [name(m[0]) if isinstance(m, tuple) else m for m in seen[0][1][2]] if len(seen) == 1 else None
    return {"decision": decision, "reason": reasons.pop() if len(reasons) == 1 and decision in ("allowed", "denied") else None,
            "who": who, "worlds": [(world, found[0]) for world, found in seen]}
