# SPDX-License-Identifier: Apache-2.0
"""`kim evaluate` and a plain reading of AWS's pages (plain.py) on the same random cases (dense.py), in strict mode.

    python3 beside_plain.py --kim PREFIX/bin/kim [--seed N] [--count N]

Decision and reason must be equal. Every disagreement fails the run; the shortest are printed.
"""

import argparse
import collections
import json
import sys

import dense
import plain
from comparing import ask


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kim", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    options = parser.parse_args()
    cases = list(dense.cases(options.seed, options.count))
    tallied, wrong = collections.Counter(), []
    for case, kim in zip(cases, ask(options.kim, cases)):
        wanted = plain.decide(case)
        tallied[" ".join(wanted)] += 1
        if (kim.get("decision"), kim.get("reason")) != wanted:
            wrong.append((case, kim, wanted))
    print(f"{options.count} cases: " + ", ".join(f"{n} {k}" for k, n in sorted(tallied.items())))
    for case, kim, wanted in sorted(wrong, key=lambda w: len(json.dumps(w[0])))[:5]:
        print(f"\n{json.dumps(case)}\n  kim:   {json.dumps(kim)}\n  plain: {wanted}")
    print(f"{len(wrong)} answers differ")
    return 1 if wrong or len(tallied) < 5 else 0


if __name__ == "__main__":
    sys.exit(main())
