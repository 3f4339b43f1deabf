# SPDX-License-Identifier: Apache-2.0
"""Random CEL expressions with bindings: typed, so that most of them evaluate, and wrong often enough.

Each case is about one construct, a row of CONSTRUCTS, which stands where it is likely to decide. `without` is the same
expression with an unknown in its place: where the answer then depends on that, the construct is decisive.
"""

import random
import string
import struct
import zoneinfo

MISPLACED = 0.02   # of the operands: a value of another type
DEPTH = 3

TEXTS = ["", "a", "ab", "abc", "b", "é", "日本", "a.b", "2", "-7", "true", "1.5", "x/y/z", "A", "\U0001f431", "Kk\u212a", "a\nb", "projects/p/b"]
INTS = [0, 1, -1, 2, 3, 7, 10, -3, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 100000]
UINTS = [0, 1, 2, 3, 7, 2**53 + 1, 2**63, 2**64 - 1]
DOUBLES = ["0.0", "1.0", "1.5", "-1.5", "2.0", "3.0", "1e308", "9007199254740993.0", "1e-7", "0.1", "123456789.5", "1e20", "-0.0", "4611686018427387904.0", "9223372036854775807.0"]
BYTES = ["", "a", "\\xff", "\\303\\251", "abc", "\\000"]
TIMES = ["1970-01-01T00:00:00Z", "2026-03-29T00:59:59.5Z", "2000-02-29T12:30:00.123456789Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z",
         "2026-11-20T10:00:00+05:30", "1969-12-31T23:59:59.999999999Z", "2023-11-05T06:30:00-04:00", "2100-07-01T00:00:00Z"]
DURATIONS = ["0", "1s", "-1s", "1h30m", "3.5s", "100ms", "1us", "1ns", "-2h45m10.5s", "2562047h47m16.854775807s", "24h", "59m59.999999999s"]
ZONES = ["UTC", "", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "Africa/Casablanca",
         "Etc/GMT+5", "+05:30", "-08:00", "00:00", "23:59", "-00:30", "Europe/Dublin", "America/Nuuk"]
BAD_TIMES = ["", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01", "2026-01-01t00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00", "0000-01-01T00:00:00Z",
             "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+24:00", "9999-12-31T23:59:59-01:00", "2026-01-01T00:00:00.1234567891234Z"]
BAD_DURATIONS = ["", "1", "s", "1d", "1h-1m", ".s", "1.5.5s", "--1s", "9223372036.854775808s", "9223372036854775807ns", "1e3s", "+1m", "1µs", ".5h", "1.s", "0.0000000001s"]
NUMBERS_AS_TEXT = ["1", "-1", "+5", "0x10", "1.5", "1e3", "", " 1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "1_000", "0b1", "NaN", "inf", "-Infinity", "+nan", ".5", "5.", "1e400", "0x1p-2", "0x1.8", "007", "1__0"]
BOOLS_AS_TEXT = ["true", "TRUE", "True", "tRUE", "t", "1", "0", "f", "False", "no", ""]
PATTERNS = ["a", "^a", "b$", "^$", "a|b", "(a|b)+", "[a-c]{2,}", ".", "^.$", "é", "\\\\d+", "\\\\w", "(?i)k", "(?i)[k-m]", "[^a]", "\\\\bb\\\\b", "\\\\p{L}", "\\\\p{Han}+", "(?s)a.b", "(?m)^b$",
            "^projects/[^/]+/", "\\\\.", "\\\\x61", "[[:alpha:]]", "(?P<n>a)", "a{0}", "x*", "\\\\Qa.b\\\\E", "\\\\z", "[\\\\d.]", "(?:a)(?i:B)", "[^\\\\w]", "(?U)a+"]
BAD_PATTERNS = ["(", ")", "[", "a**", "*", "a{2,1}", "a{1001}", "\\\\1", "(?=a)", "(?!a)", "\\\\q", "(?P<>a)", "[b-a]", "\\\\p{Nothing}", "a{,2}", "(?i", "\\\\C", "x{2}{3}", "(?P<n>a)(?P=n)", "\\\\", "[[:nope:]]", "|*"]

ALL_ZONES = sorted(z for z in zoneinfo.available_timezones() if "/" in z and not z.startswith(("posix", "right", "SystemV")))
LETTERS = "abkABK019_ .-/é日\u017f\u212a\n"

TYPES = ("bool", "int", "uint", "double", "string", "bytes", "list", "map", "timestamp", "duration", "null", "type")
VARIABLES = {"vb": "bool", "vi": "int", "vu": "uint", "vd": "double", "vs": "string", "vy": "bytes", "vl": "list", "vm": "map", "vt": "timestamp", "vr": "duration", "vn": "null"}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


# ---- texts of all kinds ----

def any_text(rng):
    return "".join(rng.choice(LETTERS) for _ in range(rng.choice((0, 1, 1, 2, 3, 5, 8))))


def any_double(rng):
    """A finite double of any size, in as many digits as Python needs."""
    while True:
        bits = rng.getrandbits(64) if rng.random() < 0.5 else struct.unpack("<Q", struct.pack("<d", rng.choice((1, -1)) * 10 ** rng.uniform(-8, 20)))[0]
        number = struct.unpack("<d", struct.pack("<Q", bits))[0]
        if number == number and abs(number) != float("inf"):
            return repr(number)


def any_time(rng):
    fraction = rng.choice(("", "", ".5", ".123456789", ".000001"))
    offset = rng.choice(("Z", "Z", "Z", "+05:30", "-03:00", "+00:00", "-00:30"))
    year = rng.choice((rng.randint(2, 9998), rng.randint(1850, 2110), rng.randint(1995, 2038)))
    return f"{year:04d}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}T{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}{fraction}{offset}"


def any_duration(rng):
    units = ("h", "m", "s", "ms", "us", "ns", "\u00b5s", "\u03bcs")
    return rng.choice(("", "", "-", "+")) + "".join(
        f"{rng.choice((str(rng.randint(0, 99)), f'{rng.randint(0, 9)}.{rng.randint(0, 10**rng.randint(1, 12))}', f'.{rng.randint(0, 999)}', str(rng.randint(0, 2**40))))}{rng.choice(units)}"
        for _ in range(rng.choice((1, 1, 2, 3))))


def any_pattern(rng, depth=3):
    """A regular expression, by its grammar."""
    pick = rng.choice
    if depth == 0 or rng.random() < 0.3:
        return pick((pick("abkABK01é"), pick("abk"), ".", "^", "$", "\\d", "\\W", "\\s", "\\b", "\\B", "\\A", "\\z", "\\.", "\\-", "\\x6b", "\\x{212A}", "\\141", "\\Q.a\\E", "\\pL", "\\p{Lu}", "\\P{Ll}", "\\p{^Han}", "\\p{Greek}",
                     "\\p{letter}", "[ab]", "[^k]", "[a-k1-9]", "[\\w.]", "[^\\s]", "[[:upper:]_]", "[[:^digit:]]", "[\\pN-]", "[]a]", "[a-]", "[^a-zA-Z]"))
    kind = rng.random()
    if kind < 0.35:
        return any_pattern(rng, depth - 1) + any_pattern(rng, depth - 1)
    if kind < 0.5:
        return any_pattern(rng, depth - 1) + "|" + any_pattern(rng, depth - 1)
    if kind < 0.75:
        return any_pattern(rng, depth - 1) + pick(("*", "+", "?", "*?", "+?", "{2}", "{1,3}", "{0,2}", "{,2}", "{2,}", "{0}", "??"))
    return pick(("(", "(?:", "(?i)", "(?i:", "(?s:", "(?m:", "(?-i:", "(?is-m:", "(?P<a>", "(?<b>", "(?U:")) + any_pattern(rng, depth - 1) + ")"


class Maker:
    def __init__(self, rng, mistakes):
        self.rng, self.mistakes = rng, mistakes
        self.scope = []  # names of macros' variables, with their types

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, items):
        return self.rng.choice(items)

    # ---- leaves ----

    def text_literal(self, text):
        style = self.rng.random()
        if style < 0.7 or "\n" in text:
            return quoted(text)
        if style < 0.8:
            return "'" + text.replace("'", "\\'") + "'"
        if style < 0.9 and text:
            return '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"'
        return self.pick(("r", "R", "")) + "'''" + text + "'''"

    def literal(self, kind):
        pick = self.pick
        if kind == "bool":
            return pick(("true", "false"))
        if kind == "int":
            i = pick(INTS)
            return hex(i) if self.chance(0.1) else str(i)
        if kind == "uint":
            return f"{pick(UINTS)}{pick('uU')}"
        if kind == "double":
            if self.chance(0.3):
                number = any_double(self.rng)
                return number if "." in number or "e" in number else number + ".0"
            return pick(('double("NaN")', 'double("-inf")')) if self.chance(0.08) else pick(DOUBLES)
        if kind == "string":
            return self.text_literal(any_text(self.rng) if self.chance(0.3) else pick(TEXTS))
        if kind == "bytes":
            return f'{pick("bB")}"{pick(BYTES)}"'
        if kind == "list":
            return "[" + ", ".join(self.literal(pick(("int", "int", "string", "double", "uint"))) for _ in range(pick((0, 1, 2, 3)))) + pick(("", "", ",")) + "]"
        if kind == "map":
            return "{" + ", ".join(f"{self.literal(pick(('string', 'string', 'int', 'uint', 'bool')))}: {self.literal(pick(('int', 'string', 'bool')))}" for _ in range(pick((0, 1, 1, 2)))) + "}"
        if kind == "timestamp":
            return f'timestamp("{any_time(self.rng) if self.chance(0.4) else pick(TIMES)}")'
        if kind == "duration":
            return f'duration("{any_duration(self.rng) if self.chance(0.3) else pick(DURATIONS)}")'
        if kind == "null":
            return "null"
        return pick(("int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type", "type", "google.protobuf.Timestamp", "google.protobuf.Duration"))

    def leaf(self, kind):
        near = [name for name, its in self.scope if its == kind or its is None]
        if near and self.chance(0.6):
            return self.pick(near)
        names = [name for name, its in VARIABLES.items() if its == kind]
        if names and self.chance(0.5):
            return self.pick(names)
        if self.chance(0.15):
            paths = {"string": ("req.name", "req.auth.claims.iss", 'req["name"]', "req.auth.groups[0]"), "list": ("req.auth.groups",), "map": ("req.auth.claims", "req.auth", "req"),
                     "timestamp": ("req.time",), "int": ("req.auth.claims.level", "req.list[1]"), "bool": ("has(req.name)", "has(req.auth.nothing)")}
            if kind in paths:
                return self.pick(paths[kind])
        return self.literal(kind)

    # ---- expressions ----

    def of(self, kind, depth):
        """An expression of that type, mostly."""
        if self.chance(self.mistakes):
            kind = self.pick(TYPES)
            if self.chance(0.3):
                return self.pick(("missing", "req.missing", "1 / 0", "[0][5]", "int('x')", "unheard(1)"))
        rows = [row for row in CONSTRUCTS if row[1] == kind]
        if depth <= 0 or not rows or self.chance(0.25):
            return self.leaf(kind)
        return self.bracketed(self.pick(rows)[2](self, depth - 1))

    def bracketed(self, text):
        return f"({text})"

    def fold(self, depth, macro, body_kind, range_text=None):
        """A macro over a list or a map."""
        name = self.pick(("x", "x", "y", "vi"))
        over_map = range_text is None and self.chance(0.15)
        if over_map:
            count = 2 if macro in ("all", "exists") and self.chance(0.3) else 1
            keys = self.rng.sample(["'a'", "'b'", "1", "2u", "true"], count)
            range_text = "{" + ", ".join(f"{k}: {self.literal('int')}" for k in keys) + "}"
            kind = None
        elif range_text is None:
            kind = self.pick(("int", "int", "string", "double", "list"))
            range_text = "[" + ", ".join(self.of(kind, 0) for _ in range(self.pick((0, 1, 2, 3, 3, 4)))) + "]"
            if self.chance(0.3):
                range_text, kind = self.of("list", depth), None
        else:
            kind = None
        self.scope.append((name, kind))
        bodies = [self.of(k, depth) for k in body_kind]
        self.scope.pop()
        return f"({range_text}).{macro}({name}, {', '.join(bodies)})"

    def pattern(self):
        if self.chance(0.5):
            return quoted(any_pattern(self.rng))
        text = self.pick(BAD_PATTERNS) if self.chance(max(0.1, self.mistakes)) else self.pick(PATTERNS) + (self.pick(PATTERNS) if self.chance(0.2) else "")
        return f'"{text}"'


def binary(operator, kinds):
    def make(m, depth):
        left, right = m.pick(kinds)
        return f"{m.of(left, depth)}{m.pick((' ', ''))}{operator} {m.of(right, depth)}" if operator != "in" else f"{m.of(left, depth)} in {m.of(right, depth)}"
    return make


def same(*kinds):
    return [(kind, kind) for kind in kinds]


NUMBERS = ("int", "uint", "double")
MIXED = [(a, b) for a in NUMBERS for b in NUMBERS]
ORDERED = same("int", "uint", "double", "string", "bytes", "bool", "timestamp", "duration") + MIXED
EQUAL = same(*TYPES) + MIXED + same("list", "map", "string")


def method(name, kind, *arguments):
    def make(m, depth):
        rest = [a(m, depth) if callable(a) else m.of(a, depth) for a in arguments]
        if m.chance(0.1):
            return f"{name}({', '.join([m.of(kind, depth)] + rest)})"
        return f"({m.of(kind, depth)}).{name}({', '.join(rest)})"
    return make


def convert(name, *kinds):
    texts = {"int": NUMBERS_AS_TEXT, "uint": NUMBERS_AS_TEXT, "double": NUMBERS_AS_TEXT, "bool": BOOLS_AS_TEXT, "timestamp": TIMES + BAD_TIMES, "duration": DURATIONS + BAD_DURATIONS}
    others = {"double": any_double, "timestamp": any_time, "duration": any_duration}
    def make(m, depth):
        kind = m.pick(kinds)
        if kind == "string" and name in texts and m.chance(0.8):
            return f"{name}({quoted(others[name](m.rng) if name in others and m.chance(0.4) else m.pick(texts[name]))})"
        return f"{name}({m.of(kind, depth)})"
    return make


def zoned(*names):
    def make(m, depth):
        name = m.pick(names)
        if m.chance(0.3):
            return f"({m.of('timestamp', depth)}).{name}()"
        zone = m.pick(ALL_ZONES if m.chance(0.5) else ZONES)
        if m.chance(max(0.05, m.mistakes)):
            zone = m.pick(("Nowhere/At_All", "24:00", "5", "1:60", "europe/berlin", "x:y", "UTC ", ":", "+:30", "1:+5"))
        return f"({m.of('timestamp', depth)}).{name}({quoted(zone)})"
    return make


def duration_part(name):
    return lambda m, depth: f"({m.of('duration', depth)}).{name}()"


def choice(kind):
    return lambda m, depth: f"{m.of('bool', depth)} ? {m.of(kind, depth)} : {m.of(kind, depth)}"


def chain(operator):
    return lambda m, depth: f" {operator} ".join(m.of("bool", depth) for _ in range(m.pick((2, 2, 3, 4))))


def folded(macro, *bodies):
    return lambda m, depth: m.fold(depth, macro, bodies)


def has(m, depth):
    return f"has({m.pick(('req.name', 'req.nothing', 'req.auth.claims.iss', 'req.auth.claims.nothing', 'vm.a', 'vs.a', 'req.auth.nothing.more'))})" if m.chance(0.7) else f"has(({m.of('map', depth)}).a)"


# What a case may be about: a name, the type of its value, and how it is made.
CONSTRUCTS = [
    ("&&", "bool", chain("&&")), ("||", "bool", chain("||")), ("!", "bool", lambda m, d: m.pick(("!", "!", "!!!")) + f"({m.of('bool', d)})"),
    ("?: bool", "bool", choice("bool")), ("?: string", "string", choice("string")), ("?: int", "int", choice("int")),
    ("==", "bool", binary("==", EQUAL)), ("!=", "bool", binary("!=", EQUAL)),
    ("<", "bool", binary("<", ORDERED)), ("<=", "bool", binary("<=", ORDERED)), (">", "bool", binary(">", ORDERED)), (">=", "bool", binary(">=", ORDERED)),
    ("in list", "bool", binary("in", [("int", "list"), ("string", "list"), ("double", "list")])), ("in map", "bool", binary("in", [("string", "map"), ("int", "map")])),
    ("+ int", "int", binary("+", same("int"))), ("- int", "int", binary("-", same("int"))), ("* int", "int", binary("*", same("int"))),
    ("/ int", "int", binary("/", same("int"))), ("% int", "int", binary("%", same("int"))), ("- sign", "int", lambda m, d: f"-({m.of('int', d)})"),
    ("+ uint", "uint", binary("+", same("uint"))), ("- uint", "uint", binary("-", same("uint"))), ("* uint", "uint", binary("*", same("uint"))),
    ("/ uint", "uint", binary("/", same("uint"))), ("% uint", "uint", binary("%", same("uint"))),
    ("+ double", "double", binary("+", same("double"))), ("* double", "double", binary("*", same("double"))), ("/ double", "double", binary("/", same("double"))), ("- double", "double", binary("-", same("double"))),
    ("+ string", "string", binary("+", same("string"))), ("+ bytes", "bytes", binary("+", same("bytes"))), ("+ list", "list", binary("+", same("list"))),
    ("+ timestamp", "timestamp", binary("+", [("timestamp", "duration"), ("duration", "timestamp")])), ("- timestamp", "timestamp", binary("-", [("timestamp", "duration")])),
    ("- timestamps", "duration", binary("-", same("timestamp"))), ("+ duration", "duration", binary("+", same("duration"))), ("- duration", "duration", binary("-", same("duration"))),
    ("- duration sign", "duration", lambda m, d: f"-({m.of('duration', d)})"),
    ("size", "int", lambda m, d: m.pick(("size({})", "({}).size()")).format(m.of(m.pick(("string", "bytes", "list", "map")), d))),
    ("contains", "bool", method("contains", "string", "string")), ("startsWith", "bool", method("startsWith", "string", "string")), ("endsWith", "bool", method("endsWith", "string", "string")),
    ("matches", "bool", method("matches", "string", lambda m, d: m.pattern())),
    ("index list", "int", lambda m, d: f"[1, 2, {m.of('int', d)}][{m.pick(('0', '1', '2', '3', '-1', '1u', '2.0', '1.5')) if m.chance(0.7) else m.of('int', d)}]"),
    ("index map", "int", lambda m, d: f"{{'a': 1, 1: 2, 2u: 3, true: {m.of('int', d)}}}[{m.pick((chr(39) + 'a' + chr(39), '1', '1u', '2', '2.0', 'true', 'false', '3')) if m.chance(0.7) else m.of('string', d)}]"),
    ("select", "int", lambda m, d: f"{{'a': {m.of('int', d)}, 'b': 2}}.{m.pick(('a', 'a', 'b', 'c', '`a`'))}"), ("has", "bool", has),
    ("all", "bool", folded("all", "bool")), ("exists", "bool", folded("exists", "bool")), ("exists_one", "bool", folded("exists_one", "bool")),
    ("filter", "list", folded("filter", "bool")), ("map", "list", folded("map", "int")), ("map filter", "list", folded("map", "bool", "string")),
    ("list", "list", lambda m, d: "[" + ", ".join(m.of(m.pick(TYPES), d) for _ in range(m.pick((1, 2, 3)))) + "]"),
    ("map literal", "map", lambda m, d: "{" + ", ".join(f"{m.of(m.pick(('string', 'int', 'uint', 'bool', 'double')), d)}: {m.of(m.pick(TYPES), d)}" for _ in range(m.pick((1, 1, 2)))) + "}"),
    ("int()", "int", convert("int", "int", "uint", "double", "string", "timestamp", "duration")), ("uint()", "uint", convert("uint", "int", "uint", "double", "string")),
    ("double()", "double", convert("double", "int", "uint", "double", "string")), ("string()", "string", convert("string", "int", "uint", "double", "string", "bytes", "bool", "timestamp", "duration")),
    ("bytes()", "bytes", convert("bytes", "string", "bytes")), ("bool()", "bool", convert("bool", "bool", "string")),
    ("timestamp()", "timestamp", convert("timestamp", "int", "string", "string", "timestamp")), ("duration()", "duration", convert("duration", "string", "duration")),
    ("type()", "type", lambda m, d: f"type({m.of(m.pick(TYPES), d)})"), ("dyn()", "int", lambda m, d: f"dyn({m.of('int', d)})"),
    ("date parts", "int", zoned("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear")),
    ("clock parts", "int", zoned("getHours", "getMinutes", "getSeconds", "getMilliseconds")),
    ("duration parts", "int", lambda m, d: duration_part(m.pick(("getHours", "getMinutes", "getSeconds", "getMilliseconds")))(m, d)),
    ("attribute", "string", lambda m, d: m.pick(("req.name", "req.auth.claims.iss", "req.auth.groups[0]", 'req["auth"].claims["iss"]', "req[vs]", "dotted.name", "(vb ? req : vm).name", ".vs", "req.auth[vs]"))),
    ("unheard", "int", lambda m, d: m.pick(("unheard({})", "({}).unheard()", "unheard({}, 1)", "({}).unheard(1, 2)", "size({}, 1)", "({}).getHours(1, 2)", "int({}, 2)", "startsWith({})", "unheard()", "timestamp()")).format(m.of("int", d))),
]


# ---- bindings ----

def value(rng, kind):
    if kind == "bool":
        return {"bool": rng.random() < 0.5}
    if kind == "int":
        i = rng.choice(INTS)
        return {"int": i if abs(i) < 2**53 or rng.random() < 0.5 else str(i)}
    if kind == "uint":
        return {"uint": rng.choice(UINTS)}
    if kind == "double":
        return {"double": rng.choice(DOUBLES + ["NaN", "Infinity", "-Infinity"])}
    if kind == "string":
        return {"string": rng.choice(TEXTS)}
    if kind == "bytes":
        return {"bytes": rng.choice(["", "YQ==", "/w==", "w6k="])}
    if kind == "list":
        return {"list": [value(rng, rng.choice(("int", "string", "double", "uint", "bool", "null"))) for _ in range(rng.randint(0, 3))]}
    if kind == "map":
        keys = rng.sample([{"string": "a"}, {"string": "name"}, {"int": 1}, {"uint": 2}, {"bool": True}], rng.choice((0, 1, 1, 1)))
        return {"map": [[k, value(rng, rng.choice(("int", "string", "list")))] for k in keys]}
    if kind == "timestamp":
        return {"timestamp": rng.choice(TIMES)}
    if kind == "duration":
        return {"duration": rng.choice(DURATIONS[1:])}
    return {"null": None}


def request(rng):
    string_map = lambda **members: {"map": [[{"string": k}, v] for k, v in members.items()]}
    claims = string_map(**{k: v for k, v in (("iss", value(rng, "string")), ("level", value(rng, "int"))) if rng.random() < 0.8})
    auth = string_map(claims=claims, groups={"list": [value(rng, "string") for _ in range(rng.choice((0, 1, 2)))]}, a=value(rng, "string"))
    return string_map(name=value(rng, "string"), time=value(rng, "timestamp"), auth=auth, list={"list": [value(rng, "int"), value(rng, "int")]})


def bindings(rng, discover):
    given, unknown = {}, []
    for name, kind in {**VARIABLES, "req": "request", "dotted.name": "string"}.items():
        fate = rng.random()
        if discover and fate < 0.4:
            unknown.append(rng.choice(("req", "req.name", "req.auth", "req.auth.claims", "req.auth.groups", "req.time")) if name == "req" else name)
            if name != "req" or unknown[-1] == "req":
                continue
        elif fate > 0.97:
            continue
        given[name] = request(rng) if name == "req" else value(rng, kind)
    return given, unknown


def garbled(rng, text):
    """The text with one character more, less or other."""
    at = rng.randrange(len(text) + 1)
    kept = rng.choice((0, 1))
    return text[:at] + rng.choice(("", rng.choice(string.printable), rng.choice("()[]{}.,?:!-\"'`&|"))) + text[at + kept:]


HERE = "\0"  # in a frame: where the construct goes


def frame(m, kind):
    """Where an expression of that type likely decides."""
    other = m.of(kind, 0)
    if kind == "bool" and m.chance(0.2):
        beside = m.of("bool", 2)
        return m.pick((f"({HERE}) && {beside}", f"{beside} || ({HERE})", f"{beside} ? ({HERE}) : false", f"[1, 2].all(z, ({HERE}) || {beside})", f"['a', 'b'].exists(z, {beside} && ({HERE}))",
                       f"[1, 2, 3].filter(z, ({HERE}))", f"[3].map(z, ({HERE}), z)"))
    if kind == "bool":
        return m.pick((HERE, HERE, f"!({HERE})", f"({HERE}) && true", f"false || ({HERE})", f"({HERE}) ? 1 : 2", f"({HERE}) == {other}"))
    return m.pick((HERE, f"({HERE}) == {other}", f"({HERE}) != {other}", f"({HERE}) in [{other}, {m.of(kind, 0)}]", f"[{HERE}]", f"{{1: {HERE}}}", f"[{HERE}].exists(x, x == {other})"))


def cases(seed, count):
    for number in range(count):
        rng = random.Random(f"cel/{seed}/{number}")
        discover = rng.random() < 0.45
        maker = Maker(rng, rng.choice((0, 0, MISPLACED, MISPLACED, 0.12)))
        name, kind, make = CONSTRUCTS[number % len(CONSTRUCTS)]
        text = make(maker, rng.randint(0, DEPTH - 1))
        around = frame(maker, kind)
        given, unknown = bindings(rng, discover)
        expression = around.replace(HERE, text)
        if rng.random() < 0.05:
            expression = garbled(rng, expression)
        case = {"id": str(number), "provider": "cel", "expression": expression, "bindings": given}
        if unknown:
            case["unknown"] = unknown
        without = {**case, "expression": around.replace(HERE, "not_known"), "unknown": unknown + ["not_known"]}
        yield name, case, without
