# SPDX-License-Identifier: Apache-2.0
"""Random neutral cases: every combining algorithm with every wildcard language, and all that a statement can say.

cases(seed, count) yields them; each has a private member "made" (a list of words) that says what is in it, which the
driver takes out before it asks.
"""

import random

import naive

COMBINING = ("deny-overrides", "allow-union", "first-match", "most-specific", "nearest-explicit", "layered")
SUBJECTS = ("ann", "bob", "g1", "g2", "g3", "g4")

# For each language: resources that are asked about, and patterns; the last of each are odd.
WORDS = {
    "exact": (["a", "a/b", "A", "*"], ["a", "a/b", "A", "*", "b"]),
    "glob": (["a", "a/b/c", "axc", "A/b", ""], ["*", "a*", "a?c", "*/c", "a/*/c", "?", "a/b", "**", "A*"]),
    "arn": (["arn:aws:s3:::b/k", "arn:aws:s3:::b", "arn:aws:sqs:eu:1:q:x", "plain"],
            ["*", "arn:aws:s3:::b/*", "arn:aws:s3:::*", "arn:*:s3:::b", "arn:aws:sqs:*:*:q*", "arn:aws:*", "plain", "pl*", "arn:aws:s3:::?"]),
    "mqtt": (["plant/4/cmd", "plant", "plant/4", "$SYS/up", "/plant", "plant/#", "plant/+/cmd", "#", "+", "plant//cmd", "Plant/4/cmd"],
             ["#", "+", "plant/#", "plant/+/cmd", "plant/4/#", "+/4/cmd", "+/#", "/#", "$SYS/#", "plant/4/cmd", "plant/+/+", "plant/#/cmd", "pl+/4/cmd", "+/+/#"]),
    "nats": (["plant.4.cmd", "plant", "plant.4", "plant.>", "plant.*.cmd", ">", "PLANT.4"],
             [">", "*", "plant.>", "plant.*.cmd", "plant.4.>", "*.4.cmd", "plant.4", "plant.>.cmd", "plant.*", "*.>"]),
    "regex-unanchored": (["plant.cmd", "implants", "plant", "xx/plant/y", "PLANT", ""], ["plant", "^plant$", "^plant\\.", "(cmd|y)$", "pl.nt", "", "^$", "[^x]", "^implants?$"]),
    "path-prefix": (["/a/b/c", "/a", "/ab", "a/b", "/a/", "/"], ["/a", "/a/", "/a/b", "/", "", "a", "/a/b/c", "/A"]),
    "bitmask": (["node", "node/x"], ["node", "node/x", "other"]),
}
ACTIONS = {
    "glob": (["read", "readAll", "write", "Read"], ["read", "read*", "*", "write", "?rite", "READ"]),
    "bitmask": (["0x01", "4", "0x08", "5", "0b10"], ["0x01", "5", "0x0f", "4", "0", "0b1010"]),
    "": (["publish", "subscribe", "receive", "Publish"], ["publish", "subscribe", "receive", "PUBLISH"]),
}
ACTIONS["arn"] = ACTIONS["glob"]
PARENTS = ({"a/b": "a", "a": "root"}, {"plant/4/cmd": "plant/4", "plant/4": "plant", "plant": "site"}, {"/a/b/c": "/a", "/a": "/"}, {"plant.4.cmd": "plant.4", "plant.4": "plant"},
           {"arn:aws:s3:::b/k": "arn:aws:s3:::b"}, {"node/x": "node", "node": "rack", "rack": "node/x"}, {"implants": "plant", "plant": "xx/plant/y"}, {"axc": "a"})
TIMES = (1000, 2000, "1970-01-01T00:00:01.5Z", "1970-01-01T01:00:02+01:00", "1700")
NOWS = ("999", 1000, "1970-01-01T00:00:01.5Z", "2000", 5000)


class Maker:
    def __init__(self, rng):
        self.rng, self.made = rng, set()

    def chance(self, share, word=None):
        hit = self.rng.random() < share
        if hit and word:
            self.made.add(word)
        return hit

    def some(self, of, most=2):
        return self.rng.sample(list(of), self.rng.randint(1, min(most, len(of))))

    # ---- conditions ----

    def test(self):
        rng = self.rng
        key = rng.choice(("station", "shift", "level"))
        kind = rng.choice(("==", "==", "!=", "in", "has", "bound"))
        if kind == "has":
            return f"has({key})"
        if kind == "bound" or key == "level":
            if kind in ("==", "!="):
                return f"level {kind} {rng.choice(('3', '3.0', chr(34) + '3' + chr(34), '5'))}"
            return f"level {rng.choice(('<', '<=', '>', '>='))} {rng.choice((3, 5))}"
        values = {"station": ("HMI-3", "HMI-4"), "shift": ("day", "late")}[key]
        if kind == "in":
            return f"{key} in [{', '.join(chr(34) + v + chr(34) for v in self.some(values))}]"
        quote = rng.choice("\"'")
        return f"{key} {kind} {quote}{rng.choice(values)}{quote}"

    def condition(self):
        if self.chance(0.29, "condition: another language"):
            return {"lang": "rego", "text": self.rng.choice(("allow", "input.x"))}
        text = self.test()
        if self.chance(0.3, "condition: joined"):
            text = f"{text} {self.rng.choice(('&&', '||'))} {self.test()}"
        if self.chance(0.15, "condition: turned"):
            text = f"!({text})"
        self.made.add("condition: kim")
        return {"lang": "kim", "text": text}

    def bounds(self, thing):
        if self.chance(0.5, "starts"):
            thing["starts"] = self.rng.choice(TIMES)
        if "starts" not in thing or self.chance(0.4):
            self.made.add("expires")
            thing["expires"] = self.rng.choice(TIMES)

    # ---- statements ----

    def fitting(self, patterns, fits):
        """Mostly those that fit the request: what does not match teaches little."""
        good = [p for p in patterns if fits(p)]
        return good if good and self.rng.random() < 0.85 else patterns

    def statement(self, number, profile, request):
        rng, language = self.rng, profile.get("wildcard", "exact")
        actions = self.fitting(ACTIONS.get(language, ACTIONS[""])[1], lambda p: naive.names_action(profile, p, request["action"]))
        patterns = self.fitting(WORDS[language][1], lambda p: naive.names_resource(profile, p, request.get("resource", "")))
        s = {"effect": "allow" if profile["combining"] == "allow-union" or rng.random() < 0.6 else "deny"}
        if not self.chance(0.05, "statement: without id"):
            s["id"] = f"s{number}"
        if self.chance(0.5, "subjects"):
            s["subjects"] = self.some(SUBJECTS, 3)
            if self.chance(0.3) and "ann" not in s["subjects"]:
                s["subjects"].append("ann")
            if self.chance(0.03, "subjects: *"):
                s["subjects"].append("*")
        elif self.chance(0.05, "subjects: empty"):
            s["subjects"] = []
        if self.chance(0.06, "not_subjects"):
            s["not_subjects"] = self.some(SUBJECTS)
        if self.chance(0.6, "actions"):
            s["actions"] = self.some(actions, 3)
        elif self.chance(0.2, "not_actions"):
            s["not_actions"] = self.some(actions)
        elif self.chance(0.05, "actions: empty"):
            s["actions"] = []
        if self.chance(0.7, "resources"):
            s["resources"] = self.some(patterns, 3)
        if self.chance(0.08, "not_resources"):
            s["not_resources"] = self.some(patterns, 1)
        if self.chance(0.65):
            s["condition"] = self.condition()
        if self.chance(0.07, "eligible"):
            s["eligible"] = True
        if self.chance(0.12):
            self.bounds(s)
        if profile["combining"] == "first-match" and self.chance(0.9, "order"):
            s["order"] = [rng.randint(0, 2) for _ in range(rng.randint(1, 3))] if self.chance(0.7) else rng.choice((0, 1, 2, -1, 1.5))
        if profile["combining"] == "most-specific" and self.chance(0.85, "weight"):
            s["weight"] = rng.randint(-2, 3)
        if self.chance(0.75 if profile["combining"] == "nearest-explicit" else 0.1, "inherit"):
            s["inherit"] = rng.choice(("none", "children", "tree", "tree"))
        if profile["combining"] == "layered":
            layer = rng.choice(profile["layers"])
            if layer["use"] != "grant" or self.chance(0.8):
                s["layer"] = layer["name"]
            if layer["use"] == "ceiling" and self.chance(0.3, "universe"):
                s["universe"] = " ".join(self.some(actions))
            if layer["use"] in ("ceiling", "delegation") and rng.random() < 0.7:
                s["effect"] = "allow"
        return s

    # ---- the rest ----

    def layers(self):
        layers = [{"name": "role", "use": "grant"}]
        for name, use, share in (("own", "grant", 0.4), ("zone", "ceiling", 0.6), ("site", "ceiling", 0.3), ("ban", "veto", 0.3), ("owner", "delegation", 0.15)):
            if self.chance(share, f"layer: {use}"):
                layers.append({"name": name, "use": use})
        granting = [l["name"] for l in layers if l["use"] == "grant"]
        for l in layers:
            if l["use"] in ("ceiling", "delegation") and self.chance(0.25, "layer: of"):
                l["of"] = self.some(granting)
        return layers

    def edges(self, profile):
        rng, edges = self.rng, []
        for _ in range(rng.choice((0, 1, 2, 3, 5))):
            e = {"from": rng.choice(SUBJECTS), "type": "member_of", "to": rng.choice(SUBJECTS[2:])}
            if not edges and rng.random() < 0.7:
                e["from"] = "ann"
            if profile["combining"] == "first-match" and self.chance(0.6, "edge: order"):
                e["order"] = rng.randint(0, 2)
            if self.chance(0.06, "edge: eligible"):
                e["eligible"] = True
            if self.chance(0.08, "edge: condition"):
                e["condition"] = self.condition()
            if self.chance(0.05, "edge: times"):
                self.bounds(e)
            key = (e["from"], e["to"])
            if key not in [(x["from"], x["to"]) for x in edges]:
                edges.append(e)
        if any(e["from"] == "ann" for e in edges):
            self.made.add("edges")
        return edges

    def case(self, number):
        rng = self.rng
        language = rng.choice(list(WORDS))
        profile = {"combining": COMBINING[number % len(COMBINING)], "wildcard": language}
        self.made |= {"combining: " + profile["combining"], "wildcard: " + language}
        if self.chance(0.3, "case: insensitive"):
            profile["case"] = "insensitive"
        elif self.chance(0.65):
            profile["case"] = "sensitive"
        if self.chance(0.1, "default: allow"):
            profile["default"] = "allow"
        asked, patterns = ACTIONS.get(language, ACTIONS[""])
        if self.chance(0.1, "default_by_action"):
            profile["default_by_action"] = {a: rng.choice(("allow", "deny")) for a in self.some([p for p in patterns if p != "0"])}
        if profile["combining"] == "layered":
            profile["layers"] = self.layers()
        case = {"id": number, "provider": "neutral", "mode": "strict", "profile": profile,
                "request": {"identity": "ann" if rng.random() < 0.95 else "stranger", "action": rng.choice(asked)}}
        if not self.chance(0.03, "resource: absent"):
            case["request"]["resource"] = rng.choice(WORDS[language][0])
        context = {}
        if self.chance(0.35):
            context["station"] = rng.choice((["HMI-3"], "HMI-4", ["HMI-3", "HMI-4"]))
        if self.chance(0.25):
            context["level"] = rng.choice((3, "5", ["2", "7"], "x"))
        if self.chance(0.75, "time"):
            context["time"] = rng.choice(NOWS)
        if self.chance(0.75, "mode: discover"):
            case["mode"] = "discover"
            if self.chance(0.15, "known_absent"):
                case["known_absent"] = self.some(("station", "shift", "level", "time"))
            if self.chance(0.1, "known_present"):
                case["known_present"] = self.some(("station", "shift", "level"))
        if context or self.chance(0.5):
            case["request"]["context"] = context
        case["statements"] = [self.statement(i, profile, case["request"]) for i in range(rng.choice((1, 2, 3, 3, 4, 5, 6)))]
        case["edges"] = self.edges(profile)
        if self.chance(0.8 if profile["combining"] == "nearest-explicit" else 0.15, "resources: parents"):
            fitting = [p for p in PARENTS if case["request"].get("resource", "") in p]
            case["resources"] = rng.choice(fitting or PARENTS)
        case["made"] = sorted(self.made)
        return case


def cases(seed, count):
    for number in range(count):
        yield Maker(random.Random(f"{seed}/{number}")).case(number)
