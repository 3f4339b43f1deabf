# SPDX-License-Identifier: Apache-2.0
"""`kim evaluate` and naive.py on the same random neutral cases.

    python3 differ_neutral.py --kim PREFIX/bin/kim [--seed N] [--count N] [--keep FILE]

Both must come to the same decision; to the same reason, where it is one; in strict cases the same statements must have
decided; and what kim says that an answer depends on must hold in exactly the worlds that are allowed. A disagreement is
made as small as possible, printed, and fails the run; so does a run that does not show enough.
"""

import argparse
import collections
import copy
import json
import sys
from pathlib import Path

import generate_neutral
import naive

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from asking import Pair  # noqa: E402

ENOUGH = {"verdict": 0.10, "construct": 0.01}  # shares of the cases
VERDICTS = ("allowed", "explicitly denied", "denied", "conditional", "unknown")
MINIMISED = 6


# ---- what kim says is left ----

def holds(term, world):
    if isinstance(term, list):
        return all(holds(t, world) for t in term)
    if "key" in term:
        if term["key"] == "time" and term["op"] in ("from", "until"):
            return (world.now >= naive.moment(term["values"][0])) == (term["op"] == "from")
        if term["op"] == "has":
            return term["key"] in world.context
        # A number stands without quotes or with them; the term does not say.
        texts, words = ((term["op"], term["key"], [(kind, v) for v in term["values"]]) for kind in ("text", "word"))
        return naive.holds(words, world.context) if term["op"] in ("==", "!=", "in") else naive.holds(texts, world.context)
    if "not" in term:
        return not holds(term["not"], world)
    kind, parts = next(iter(term.items()))
    return (any if kind == "any" else all)([holds(t, world) for t in parts])


def quotes_a_number(case):
    return any('"3"' in c["text"] or "'3'" in c["text"] for c in naive.conditions_of(case))


def disagreement(case, kim, wanted):
    """A word for how they differ; None where they agree."""
    if "error" in kim:
        return "kim refuses the case"
    if kim["decision"] != wanted["decision"]:
        return f"kim says {kim['decision']}, the naive one {wanted['decision']}"
    if wanted["reason"] and kim["reason"] != wanted["reason"]:
        return f"kim's reason is {kim['reason']}, the naive one's {wanted['reason']}"
    if wanted["who"] is not None and kim["reason"] != "eligible_only":
        named = {b.get("statement", b["layer"]) for b in kim["because"]}
        if named != set(wanted["who"]):
            return "other statements decided"
    if kim["decision"] == "conditional" and not quotes_a_number(case):
        if any(holds(kim["if"], world) != allowed for world, allowed in wanted["worlds"]):
            return "the condition does not hold where it is allowed"
    return None


# ---- smaller cases ----

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
        for key in (list(part) if isinstance(part, dict) else range(len(part))):
            if key not in ("provider", "profile", "request", "combining", "wildcard", "identity", "action", "effect", "id", "from", "to", "type", "lang", "text", "name", "use"):
                yield without(path, key)
            if isinstance(part[key], (dict, list)):
                yield from walk(part[key], path + [key])

    return walk(case, [])


def valid(case):
    """Taking something away may leave what is no case."""
    if "statements" not in case or "edges" not in case:
        return False
    layers = [l["name"] for l in case["profile"].get("layers", [])]
    if case["profile"]["combining"] != "layered":
        return True
    if not any(l["use"] == "grant" for l in case["profile"].get("layers", [])):
        return False
    used = [s["layer"] for s in case["statements"] if "layer" in s] + [n for l in case["profile"]["layers"] for n in l.get("of", [])]
    return all(n in layers for n in used) and all(l.get("of", ["x"]) for l in case["profile"]["layers"])


def minimise(pair, case, kind):
    for _ in range(60):
        candidates = [c for c in smaller(case) if valid(c)]
        for candidate, given in zip(candidates, pair.ask(candidates, ("kim",)) if candidates else []):
            if disagreement(candidate, given["kim"], naive.answer(candidate)) == kind:
                case = candidate
                break
        else:
            return case
    return case


# ---- the run ----

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kim", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--keep", help="a file for every disagreement, as JSON Lines")
    options = parser.parse_args()
    pair = Pair({"kim": [options.kim, "evaluate", "-"]})
    cases = list(generate_neutral.cases(options.seed, options.count))
    made = [case.pop("made") for case in cases]
    verdicts, constructs, wrong, worlds = collections.Counter(), collections.Counter(), [], 0
    for case, words, given in zip(cases, made, pair.ask(cases, ("kim",))):
        wanted = naive.answer(case)
        worlds += len(wanted["worlds"])
        constructs.update(words)
        verdicts["explicitly denied" if wanted["reason"] == "explicit_deny" else wanted["decision"]] += 1
        kind = disagreement(case, given["kim"], wanted)
        if kind:
            wrong.append((kind, case, given["kim"]))

    share = lambda n: f"{100 * n / options.count:.1f} %"
    print(f"{options.count} cases in {worlds} worlds: " + ", ".join(f"{v} {share(verdicts[v])}" for v in VERDICTS))
    rarest = constructs.most_common()[-3:]
    print(f"{len(constructs)} constructs, the rarest: " + ", ".join(f"{c} {share(n)}" for c, n in rarest))
    if options.keep:
        Path(options.keep).write_text("".join(json.dumps({"kind": k, "case": c, "kim": a}) + "\n" for k, c, a in wrong))
    kinds = collections.Counter(kind for kind, _, _ in wrong)
    for kind, times in kinds.most_common(MINIMISED):
        case = min((c for k, c, _ in wrong if k == kind), key=lambda c: len(json.dumps(c)))
        small = minimise(pair, case, kind)
        told = naive.answer(small)
        print(f"\n{times} times {kind}: case {case['id']}, made small:\n{json.dumps(small)}\n  kim:   {json.dumps(pair.ask([small], ('kim',))[0]['kim'])}\n"
              f"  naive: {json.dumps({k: told[k] for k in ('decision', 'reason', 'who')})}")
    short = [f"only {share(verdicts[v])} are {v}" for v in VERDICTS if verdicts[v] < ENOUGH["verdict"] * options.count]
    short += [f"only {share(n)} have {c}" for c, n in constructs.items() if n < ENOUGH["construct"] * options.count]
    for s in short:
        print(f"not enough: {s}")
    print(f"{len(wrong)} disagreements")
    return 1 if wrong or short else 0


if __name__ == "__main__":
    sys.exit(main())
