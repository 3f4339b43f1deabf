# SPDX-License-Identifier: Apache-2.0
"""`kim evaluate` and iam-simulate on the same random cases.

    python3 differential.py --kim PREFIX/bin/kim --oracle FOLDER [--seed N] [--count N] [--keep FILE]

FOLDER/node_modules holds what tests/tools.versions pins (./check puts it there). Both programs run beside each other on one stream of cases. A
disagreement that explained.py does not explain is made as small as possible, printed, and fails the run; so does a
run that does not show enough (its statistics are printed, with what they must be).
"""

import argparse
import collections
import copy
import json
import random
import sys
from pathlib import Path

import explained
import generate
from asking import Pair

HERE = Path(__file__).resolve().parent
MINIMISED = 6  # disagreements of different kinds that are made small
ENOUGH = {"verdict": 0.10, "layer": 0.01, "operator": 50}  # shares of the cases; times true and false


# ---- discovery, checked against strict answers ----
#
# What "conditional if C" promises: fill in whatever was not known, and the strict answer is "allowed" exactly where C
# holds. C's tests are asked too, as conditions of a small policy, so that nothing here has to know an operator.

SESSION_NAME = "sts:RoleSessionName"


def is_role(case):
    return ":role/" in case["request"]["principal"]


def completed(case, rng):
    """The case with every key given a value, or absent."""
    whole = copy.deepcopy(case)
    request, absent, present = whole["request"], whole.pop("known_absent", []), whole.pop("known_present", [])
    whole["mode"] = "strict"
    for key in generate.keys_of(case):
        if key not in request["context"] and key not in absent and (key in present or rng.random() < 0.5):
            kind, values = generate.KEYS[key]
            request["context"][key] = rng.sample(values, rng.randint(1, len(values)) if kind == generate.SET else 1)
    if is_role(case):
        request["principal"] = request["principal"].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/" + rng.choice(generate.SESSIONS)
    return whole


def is_test(term):
    return "key" in term or "resource" in term


def tests_of(term):
    if isinstance(term, list):
        return [t for part in term for t in tests_of(part)]
    return [term] if is_test(term) else tests_of(next(iter(term.values())))


def asks_test(test, whole):
    """A case that is allowed exactly where the test holds in the completed case."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": test.get("resource", "*")}
    if "key" in test:
        statement["Condition"] = {test["op"]: {test["key"]: test["values"]}}
    request = {**whole["request"], "principal": f"arn:aws:iam::{generate.A}:user/x", "action": "s3:GetObject", "resource_account": generate.A}
    if test.get("key") == SESSION_NAME and not generate.names_session(whole):
        request["context"] = {**request["context"], SESSION_NAME: [whole["request"]["principal"].rsplit("/", 1)[1]]}
    return {"id": "test", "provider": "aws", "mode": "strict", "request": request, "policies": {"identity": [{"Version": "2012-10-17", "Statement": [statement]}]}}


def holds(term, truths):
    """truths: of each test, in the order of tests_of."""
    if isinstance(term, list):
        return all([holds(t, truths) for t in term])
    if is_test(term):
        return next(truths)
    if "not" in term:
        return not holds(term["not"], truths)
    kind, parts = next(iter(term.items()))
    return (any if kind == "any" else all)([holds(t, truths) for t in parts])


def check_completions(pair, asked, rng):
    """Yields the cases whose discovered answer does not say what the strict answers are."""
    rows = []
    for case, kim in asked:
        if kim["decision"] == "unknown" or "error" in kim or (is_role(case) and generate.names_session(case)):
            continue
        for _ in range(2):
            rows.append((case, kim, completed(case, rng)))
    questions, wanted = [], []
    for case, kim, whole in rows:
        questions.append(whole)
        tests = tests_of(kim.get("if", []))
        wanted.append(len(tests))
        questions += [asks_test(t, whole) for t in tests]
    answers = iter([given["kim"]["decision"] for given in pair.ask(questions, ("kim",))])
    for (case, kim, whole), count in zip(rows, wanted):
        strict = next(answers)
        truths = [next(answers) == "allowed" for _ in range(count)]
        promised = kim["decision"] == "allowed" or (kim["decision"] == "conditional" and holds(kim["if"], iter(truths)))
        if promised != (strict == "allowed"):
            yield case, kim, whole, strict
    return


# ---- comparing ----

def disagreement(case, kim, oracle):
    """A word for how they differ; None where they agree."""
    if "error" in kim:
        return "kim refuses the case"
    if kim["decision"] != oracle["decision"]:
        return f"kim says {kim['decision']}, the oracle {oracle['decision']}"
    # Discovered, a request may be denied because an allow and a deny leave nothing between them.
    if case["mode"] == "strict" and kim["decision"] == "denied" and (kim["reason"] == "explicit_deny") != oracle["explicit"] and "s3-bpa" not in oracle["blocked_by"]:
        return f"kim says {kim['reason']}, the oracle {'an explicit' if oracle['explicit'] else 'no explicit'} deny"
    return None


def smaller(case):
    """The case with one thing less, in every way."""
    def without(path, key):
        copied = copy.deepcopy(case)
        part = copied
        for step in path:
            part = part[step]
        del part[key]
        return copied

    def walk(part, path):
        if isinstance(part, dict):
            for key, value in part.items():
                if key not in ("Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "mode", "context", "Statement", "principal", "action", "resource", "provider", "request", "policies", "id", "target", "Version"):
                    yield without(path, key)
                yield from walk(value, path + [key])
        elif isinstance(part, list):
            for at, value in enumerate(part):
                if len(part) > 1 or path[-1] in generate.LAYERS:
                    yield without(path, at)
                yield from walk(value, path + [at])

    yield from walk({k: v for k, v in case.items() if k != "id"}, [])


# ---- statistics ----

class Statistics:
    def __init__(self):
        self.count, self.refused = 0, 0
        self.verdicts, self.layers, self.operators, self.modes = (collections.Counter() for _ in range(4))

    def add(self, case, kim, oracle):
        self.count += 1
        if "refused" in oracle:
            self.refused += 1
            return
        verdict = oracle["decision"]
        if verdict == "denied":
            verdict = "explicitly denied" if oracle["explicit"] else "implicitly denied"
        self.verdicts[verdict] += 1
        self.modes[case["mode"]] += 1
        self.operators.update(oracle["operators"])
        layers = {b["layer"] for b in kim.get("because", [])}
        if len(layers) == 1:  # that layer alone decided
            self.layers[layers.pop()] += 1

    def shortcomings(self):
        for verdict in ("allowed", "explicitly denied", "implicitly denied", "conditional"):
            if self.verdicts[verdict] < ENOUGH["verdict"] * self.count:
                yield f"only {self.verdicts[verdict]} cases are {verdict}"
        for layer in generate.LAYERS:
            if self.layers[layer] < ENOUGH["layer"] * self.count:
                yield f"the layer {layer} alone decides only {self.layers[layer]} cases"
        for operator in {prefix + op for _, op, prefix in generate.TESTS} | {"Null"}:
            for value in ("true", "false"):
                times = sum(n for o, n in self.operators.items() if o in (f"{operator} {value}", f"{operator}IfExists {value}"))
                if times < ENOUGH["operator"]:
                    yield f"{operator} is {value} only {times} times"
        if self.refused > 0.02 * self.count:
            yield f"the oracle refuses {self.refused} cases"

    def show(self):
        share = lambda counter: ", ".join(f"{k} {100 * v / self.count:.1f} %" for k, v in counter.most_common())
        print(f"{self.count} cases: {share(self.modes)}; refused by the oracle: {self.refused}")
        print(f"verdicts: {share(self.verdicts)}")
        print(f"decided by one layer alone: {share(self.layers)}")
        rarest = min(self.operators.items(), key=lambda o: o[1], default=("none", 0))
        print(f"operators, true and false: {len(self.operators)}; the rarest is {rarest[0]}, {rarest[1]} times")


# ---- the run ----

def settle(pair, disagreements):
    """Takes out what explained.py explains. Returns what is left and how often each class helped."""
    left, helped, again = [], collections.Counter(), []
    for case, given, kind in disagreements:
        found, restated = explained.explain(case, given["kim"], given["oracle"])
        if restated:
            again.append((case, given, kind, found, restated))
        elif found:
            helped.update(c.name for c in found)
        else:
            left.append((case, given, kind))
    second = pair.ask([a[4] for a in again], ("oracle",)) if again else []
    for (case, given, kind, found, restated), answer in zip(again, second):
        oracle = answer["oracle"]
        excused = any(not c.restate and c.matches(restated, given["kim"], oracle) for c in explained.CLASSES)
        if "refused" in oracle or excused or disagreement(case, given["kim"], oracle) is None:
            helped.update(c.name for c in found)
        else:
            left.append((case, given, kind))
    return left, helped


def minimise(pair, case, kind):
    """The smallest case found that disagrees in the same way and is not explained either."""
    for _ in range(60):
        candidates = list(smaller(case))
        same = [(candidate, given, kind) for candidate, given in zip(candidates, pair.ask(candidates))
                if "refused" not in given["oracle"] and disagreement(candidate, given["kim"], given["oracle"]) == kind]
        left, _ = settle(pair, same)
        if not left:
            return case
        case = left[0][0]
    return case


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kim", required=True)
    parser.add_argument("--oracle", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--keep", help="a file for every disagreement that is left, as JSON Lines")
    options = parser.parse_args()
    commands = {"kim": [options.kim, "evaluate", "-"], "oracle": ["node", str(HERE / "oracle.mjs"), options.oracle]}
    pair, statistics, disagreements = Pair(commands), Statistics(), []

    cases = list(generate.cases(options.seed, options.count))
    answers = pair.ask(cases)
    discovered = [(case, given["kim"]) for case, given in zip(cases, answers) if case["mode"] == "discover"]
    broken = list(check_completions(pair, discovered, random.Random(options.seed)))
    for case, given in zip(cases, answers):
        statistics.add(case, given["kim"], given["oracle"])
        kind = None if "refused" in given["oracle"] else disagreement(case, given["kim"], given["oracle"])
        if kind:
            disagreements.append((case, given, kind))
    left, helped = settle(pair, disagreements)

    statistics.show()
    print(f"disagreements: {len(disagreements)}; explained: " + (", ".join(f"{n} {c}" for n, c in helped.most_common()) or "none"))
    for c in explained.CLASSES:
        if not helped[c.name]:
            print(f"{c.name} explains nothing in this run")
    if options.keep:
        Path(options.keep).write_text("".join(json.dumps({"kind": k, "case": c, **g}) + "\n" for c, g, k in left))
    kinds = collections.Counter(kind for _, _, kind in left)
    for kind, times in kinds.most_common(MINIMISED):
        case = min((c for c, _, k in left if k == kind), key=lambda c: len(json.dumps(c)))
        small = minimise(pair, case, kind)
        given = pair.ask([small])[0]
        print(f"\n{times} times {kind}: case {case['id']}, made small:\n{json.dumps(small)}\n  kim:    {json.dumps(given['kim'])}\n"
              f"  oracle: {json.dumps({k: v for k, v in given['oracle'].items() if k != 'operators'})}")
    print(f"discovered answers: {len(discovered)}, each filled in twice; {len(broken)} promise what the strict answer is not")
    for case, kim, whole, strict in sorted(broken, key=lambda b: len(json.dumps(b[0])))[:3]:
        print(f"{json.dumps(case)}\n  discovered: {json.dumps(kim)}\n  filled in, it is {strict}: {json.dumps(whole['request'])}")
    short = list(statistics.shortcomings())
    for s in short:
        print(f"not enough: {s}")
    print(f"{len(left)} disagreements are not explained")
    return 1 if left or short or broken else 0


if __name__ == "__main__":
    sys.exit(main())
