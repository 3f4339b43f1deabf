# SPDX-License-Identifier: Apache-2.0
"""`kim evaluate` and cel-go on the same random expressions.

    python3 differ_cel.py --kim PREFIX/bin/kim --oracle PROGRAM [--seed N] [--count N] [--keep FILE]

PROGRAM is what tests/build-oracles makes of this folder. A disagreement that EXPLAINED does not explain is made as small as
possible, printed, and fails the run; so does a run that does not show enough. And what kim says while something is unknown
must hold once it is known: the value it gives, and the expression that it says is left.
"""

import argparse
import collections
import copy
import json
import random
import sys
from pathlib import Path

import generate_cel

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from asking import Pair  # noqa: E402

VERDICTS = ("true", "false", "error", "unknown")
ENOUGH = {"verdict": 0.10, "construct": 0.01}  # shares of the cases
MINIMISED = 6

# Where cel-go is not followed: a word, and what of its answer tells.
EXPLAINED = {
    # Go panics where bytes are a map's key, and the whole evaluation ends; to kim it is an error like others, which && may absorb.
    "bytes as a key": lambda case, kim, oracle: "unhashable" in oracle.get("error", ""),
    # A name with dots is a variable, and has() of it gives its value in place of true.
    "has() of a variable with dots": lambda case, kim, oracle: "has(dotted.name" in case["expression"],
}


def verdict(answer):
    if "value" in answer:
        return str(answer["value"]["bool"]).lower() if "bool" in answer["value"] else "value"
    return next(kind for kind in ("error", "unknown", "refused") if kind in answer)


def normal(value):
    """A value with its maps in one order: Go's have none."""
    if "map" in value:
        return {"map": sorted(([normal(k), normal(v)] for k, v in value["map"]), key=json.dumps)}
    return {"list": [normal(v) for v in value["list"]]} if "list" in value else value


def disagreement(kim, oracle):
    """A word for how they differ; None where they agree. The words of an error are each one's own."""
    if verdict(kim) != verdict(oracle):
        return f"kim says {verdict(kim)}, cel-go {verdict(oracle)}"
    if "value" in kim and normal(kim["value"]) != normal(oracle["value"]):
        return "another value"
    if "unknown" in kim and sorted(kim["unknown"]) != sorted(oracle["unknown"]):
        return "other attributes are unknown"
    return None


def explanation(case, kim, oracle):
    return next((word for word, matches in EXPLAINED.items() if matches(case, kim, oracle)), None)


# ---- making small ----

def spans(text):
    """Where brackets open and close, the outermost first."""
    open_at, found = [], []
    for at, c in enumerate(text):
        if c in "([{":
            open_at.append(at)
        elif c in ")]}" and open_at:
            found.append((open_at.pop(), at + 1))
    return sorted(found)


def smaller(case):
    text = case["expression"]
    for begin, end in spans(text):
        yield {**case, "expression": text[begin + 1:end - 1]}
        yield {**case, "expression": text[:begin] + text[begin + 1:end - 1] + text[end:]}
        for leaf in ("true", "1", '"a"', "[]"):
            if len(leaf) < end - begin:
                yield {**case, "expression": text[:begin] + leaf + text[end:]}
    for size in (8, 4, 2, 1):
        for at in range(len(text)):
            yield {**case, "expression": text[:at] + text[at + size:]}
    for name in case["bindings"]:
        yield {**case, "bindings": {k: v for k, v in case["bindings"].items() if k != name}}


def minimise(pair, case, kind):
    for _ in range(40):
        candidates = [c for c in smaller(case) if c["expression"]]
        answers = pair.ask(candidates)
        same = [c for c, a in zip(candidates, answers) if disagreement(a["kim"], a["oracle"]) == kind and not explanation(c, a["kim"], a["oracle"])]
        if not same:
            return case
        case = min(same, key=lambda c: len(json.dumps(c)))
    return case


# ---- what is unknown, once it is known ----

def put(value, path, new):
    """The value with what lies at the path replaced; unchanged where the path leads nowhere."""
    if not path:
        return new
    if "map" not in value:
        return value
    return {"map": [[k, put(v, path[1:], new) if k == {"string": path[0]} else v] for k, v in value["map"]]}


def completed(case, rng):
    """The case with a value for all that was unknown."""
    whole = copy.deepcopy(case)
    for path in whole.pop("unknown", []):
        first, *rest = path.split(".")
        if path in generate_cel.VARIABLES or path == "dotted.name":
            whole["bindings"][path] = generate_cel.value(rng, generate_cel.VARIABLES.get(path, "string"))
        elif not rest:
            whole["bindings"][first] = generate_cel.request(rng) if first == "req" else generate_cel.value(rng, rng.choice(generate_cel.TYPES[:-1]))
        elif first in whole["bindings"]:
            of_another = put({"map": []}, [], generate_cel.request(rng))
            for name in rest:
                of_another = next((v for k, v in of_another.get("map", []) if k == {"string": name}), {"null": None})
            whole["bindings"][first] = put(whole["bindings"][first], rest, of_another)
    return whole


def outcome(answer):
    return "error" if "error" in answer else normal(answer["value"]) if "value" in answer else "unknown"


def is_same_condition(kind, whole, left):
    """What is left stands for the expression: as a condition, and as a value unless it is none."""
    return kind == left or (whole.get("error") is not None and left != {"bool": True} and left != {"bool": False})


def broken_promises(pair, asked, rng):
    """Yields the discovered cases whose answer does not hold of a completion."""
    rows = [(case, kim, completed(case, rng)) for case, kim in asked for _ in range(2)]
    whole = [a["kim"] for a in pair.ask([r[2] for r in rows], ("kim",))]
    left = [a["kim"] for a in pair.ask([{**r[2], "expression": r[1].get("residual", "true")} for r in rows], ("kim",))]
    for (case, kim, complete), strict, residual in zip(rows, whole, left):
        if "unknown" not in kim:
            if outcome(kim) != outcome(strict):
                yield case, kim, complete, strict
        elif not is_same_condition(outcome(strict), strict, outcome(residual)):
            yield case, kim, complete, {"expression": strict, "residual": residual}


# ---- the run ----

def shares(counter, count):
    return ", ".join(f"{name} {100 * n / count:.1f} %" for name, n in counter.most_common())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kim", required=True)
    parser.add_argument("--oracle", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--keep", help="a file for every disagreement that is left, as JSON Lines")
    options = parser.parse_args()
    pair = Pair({"kim": [options.kim, "evaluate", "-"], "oracle": [options.oracle]})
    rows = list(generate_cel.cases(options.seed, options.count))
    answers = pair.ask([case for _, case, _ in rows])
    others = pair.ask([without for _, _, without in rows], ("oracle",))

    verdicts, decisive, explained, left, same_words = collections.Counter(), collections.Counter(), collections.Counter(), [], 0
    for (name, case, _), given, other in zip(rows, answers, others):
        kim, oracle = given["kim"], given["oracle"]
        verdicts[verdict(oracle)] += 1
        decisive[name] += "not_known" in other["oracle"].get("unknown", [])
        same_words += "error" in kim and kim["error"] == oracle.get("error")
        kind = disagreement(kim, oracle)
        word = kind and explanation(case, kim, oracle)
        if word:
            explained[word] += 1
        elif kind:
            left.append((kind, case, kim, oracle))
    discovered = [(case, given["kim"]) for (_, case, _), given in zip(rows, answers) if case.get("unknown")]
    broken = list(broken_promises(pair, discovered, random.Random(options.seed)))

    count = options.count
    print(f"{count} cases: {shares(verdicts, count)}; errors in the same words: {same_words} of {verdicts['error']}")
    rarest = min(generate_cel.CONSTRUCTS, key=lambda row: decisive[row[0]])[0]
    print(f"{len(generate_cel.CONSTRUCTS)} constructs; decisive least often: {rarest}, {100 * decisive[rarest] / count:.1f} %")
    print(f"disagreements: {len(left) + sum(explained.values())}; explained: " + (", ".join(f"{n} {w}" for w, n in explained.items()) or "none"))
    print(f"{2 * len(discovered)} completions of what was unknown: {len(broken)} do not hold")
    if options.keep:
        Path(options.keep).write_text("".join(json.dumps({"kind": k, "case": c, "kim": a, "oracle": o}) + "\n" for k, c, a, o in left))
    for kind in list(dict.fromkeys(row[0] for row in left))[:MINIMISED]:
        found = [row for row in left if row[0] == kind]
        case = minimise(pair, min((row[1] for row in found), key=lambda c: len(c["expression"])), kind)
        print(f"\n{len(found)} times {kind}; the smallest:\n{json.dumps(case, ensure_ascii=False)}")
        print(json.dumps(pair.ask([case])[0], ensure_ascii=False))
    for case, kim, complete, strict in broken[:MINIMISED]:
        print(f"\nsaid: {json.dumps(kim, ensure_ascii=False)}\nof: {json.dumps(case, ensure_ascii=False)}\nbut: {json.dumps(strict, ensure_ascii=False)}\nof: {json.dumps(complete['bindings'], ensure_ascii=False)}")
    short = [f"only {verdicts[v]} cases are {v}" for v in VERDICTS if verdicts[v] < ENOUGH["verdict"] * count]
    short += [f"{row[0]} is decisive only {decisive[row[0]]} times" for row in generate_cel.CONSTRUCTS if decisive[row[0]] < ENOUGH["construct"] * count]
    short += [f"the oracle refuses {verdicts['refused']} cases"] if verdicts["refused"] else []
    print("\n".join(["", *short]) if short else "")
    return 1 if left or broken or short else 0


if __name__ == "__main__":
    sys.exit(main())
