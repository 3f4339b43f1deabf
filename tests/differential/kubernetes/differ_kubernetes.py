# SPDX-License-Identifier: Apache-2.0
"""`kim evaluate` and Kubernetes' own authorizer on the same random cases.

    python3 kubernetes_differential.py --kim PREFIX/bin/kim --oracle PROGRAM [--seed N] [--count N]

PROGRAM is what tests/build-oracles makes of the folder here. Beside each case stand others in which one construct is
taken away, or set right: where that turns the authorizer's verdict, the construct decided. All of them are compared. So are
two lists of rules with the policy comparator, and what a writer may grant with the storage that prevents escalation; the
requests that kim names as witnesses are tried with the authorizer. A disagreement fails the run, and so does a run that shows too
little: its statistics are printed, with what they must be.
"""

import argparse
import collections
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import generate_kubernetes as cases
from asking import Pair

ENOUGH_VERDICT, ENOUGH_DECISIVE, MOST_SKIPPED = 0.10, 0.01, 0.02


class Run:
    def __init__(self, kim, oracle):
        self.pair = Pair({"kim": [kim, "evaluate", "-"], "oracle": [oracle]})
        self.wrong, self.asked, self.skipped = [], 0, 0

    def both(self, lines, members):
        """The authority's answers (None: it has none of its own), compared with kim's."""
        answers = self.pair.ask(lines)
        self.asked += len(lines)
        for line, answer in zip(lines, answers):
            our, their = answer["kim"], answer["oracle"]
            if "skip" in their:
                self.skipped += 1
            elif [our.get(m) for m in members] != [their.get(m) for m in members]:
                self.wrong.append((line, our, their))
        return [None if "skip" in a["oracle"] else a["oracle"] for a in answers], [a["kim"] for a in answers]


def requests(run, seed, count):
    base = [cases.case(seed, n) for n in range(count)]
    answers, _ = run.both(base, ("decision", "reason"))
    reasons = collections.Counter(a["reason"] for a in answers if a)
    verdicts = collections.Counter(a["decision"] for a in answers if a)
    decisive = collections.Counter()
    altered = [(construct, n, cases.changed(case, construct)) for n, case in enumerate(base) if answers[n] for construct in cases.CONSTRUCTS]
    altered = [(construct, n, case) for construct, n, case in altered if case]
    after, _ = run.both([case for _, _, case in altered], ("decision", "reason"))
    for (construct, n, _), answer in zip(altered, after):
        decisive[construct] += answer is not None and answer["decision"] != answers[n]["decision"]
    fine = True
    print(f"{count} cases, with what was changed in them {run.asked}; {run.skipped} without an answer that depends on no order of visits")
    for verdict in ("allowed", "denied"):
        share = verdicts[verdict] / count
        fine &= share >= ENOUGH_VERDICT
        print(f"  {verdict:10} {share:7.1%}   (at least {ENOUGH_VERDICT:.0%})")
    print("  reasons    " + ", ".join(f"{r} {n / count:.1%}" for r, n in reasons.most_common()))
    for construct, turned in sorted(((c, decisive[c]) for c in cases.CONSTRUCTS), key=lambda item: item[1]):
        share = turned / count
        fine &= share >= ENOUGH_DECISIVE
        print(f"  decided by {construct:34} {share:7.2%}" + ("" if share >= ENOUGH_DECISIVE else f"   TOO FEW: at least {ENOUGH_DECISIVE:.0%}"))
    return fine and run.skipped <= MOST_SKIPPED * run.asked


def comparisons(run, seed, count):
    lines = [cases.comparison(seed, n) for n in range(count)]
    theirs, ours = run.both(lines, ("new_access", "lost_access"))
    tallied = collections.Counter((a["new_access"], a["lost_access"]) for a in theirs)
    tried = []
    for line, answer in zip(lines, ours):
        sides = {b["only"]: b["request"] for b in answer.get("because", [])}
        expected = {only for member, only in (("new_access", "candidate"), ("lost_access", "reference")) if answer.get(member) is True}
        if set(sides) != expected:
            run.wrong.append((line, answer, "a witness for each side that is true, and for no other"))
        for only, request in sides.items():
            for side in ("reference", "candidate"):
                tried.append((line, answer, side == only, {"id": line["id"], "rules": line["compare"][side], "request": request}))
    for (line, answer, should, asked), verdict in zip(tried, run.pair.ask([t[3] for t in tried], who=("oracle",))):
        if verdict["oracle"].get("allowed") != should:
            run.wrong.append((line, answer, f"the witness {json.dumps(asked['request'])}: {verdict}"))
    print(f"{count} pairs of rules: " + ", ".join(f"new {n} lost {l}: {k}" for (n, l), k in sorted(tallied.items())) + f"; {len(tried) // 2} witnesses tried")
    return min(tallied[(n, l)] for n in (True, False) for l in (True, False)) >= 0.05 * count


def grants(run, seed, count):
    theirs, _ = run.both([cases.grant(seed, n) for n in range(count)], ("decision", "reason"))
    tallied = collections.Counter(a["decision"] for a in theirs)
    print(f"{count} grants: " + ", ".join(f"{v} {n}" for v, n in tallied.most_common()))
    return min(tallied["allowed"], tallied["denied"]) >= 0.2 * count


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kim", required=True)
    parser.add_argument("--oracle", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    run = Run(options.kim, options.oracle)
    enough = [part(run, options.seed, options.count) for part in (requests, comparisons, grants)]
    for line, our, their in sorted(run.wrong, key=lambda w: len(json.dumps(w[0])))[:8]:
        print(f"\n{json.dumps(line)}\n  kim        {json.dumps(our)}\n  Kubernetes {json.dumps(their)}")
    print(f"{len(run.wrong)} answers differ")
    return 0 if all(enough) and not run.wrong else 1


if __name__ == "__main__":
    sys.exit(main())
