# SPDX-License-Identifier: Apache-2.0
"""kim and our second reading of Azure RBAC answer the same random cases.

  differ_azure.py --kim KIM --count N --seed S [--show N]

Verdicts and reasons must be equal, and every verdict and construct must have had its share, so that a generator that
went lame is noticed. In discover mode the second reading tries values, and the reason of a denial is not compared;
where it finds one verdict alone and kim says that it depends, no tried value told kim's expressions apart (it does not
reason about what two of them say together): that is counted, and bounded.
"""

import argparse
import collections
import json
import subprocess
import sys
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import generate_azure
import naive_azure

SHARES = {"allowed": 0.12, "denied/explicit_deny": 0.05, "denied/implicit_deny": 0.2, "denied/eligible_only": 0.005, "conditional": 0.02, "unknown": 0.004}
CONSTRUCTS = {"ActionMatches": 0.2, "SubOperationMatches": 0.1, "ForAllOfAllValues": 0.1, "Exists": 0.05, "GuidEquals": 0.03, "DateTimeLessThan": 0.02,
              "startDateTime": 0.1, "doNotApplyToChildScopes": 0.1, "excludePrincipals": 0.3, "SystemDefined": 0.2, "key_case_sensitive": 0.1, '"Unknown"': 0.03}


def second(case):
    return naive_azure.decide(case)


def kims(kim, cases):
    lines = "".join(json.dumps(case, separators=(",", ":")) + "\n" for case in cases)
    done = subprocess.run([*kim, "-"] if len(kim) > 1 else kim, input=lines, capture_output=True, text=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(cases):
        sys.exit(f"kim answered {len(answers)} of {len(cases)} cases: {done.stderr[:400]}")
    return answers


def agree(case, answer, wanted):
    verdict, reason = wanted
    exact = case.get("mode") != "discover" or verdict != "denied"
    return answer.get("decision") == verdict and (not exact or answer.get("reason") == reason)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kim", required=True, help="the program kim, or answer_cases")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=5)
    asked = parser.parse_args()
    cases = [generate_azure.case(asked.seed * 10**7 + i) for i in range(asked.count)]
    answers = kims([asked.kim, "evaluate"] if asked.kim.endswith("kim") else [asked.kim], cases)
    with Pool(2) as pool:
        wanted = pool.map(second, cases, chunksize=50)
    verdicts, constructs, wrong, cautious = collections.Counter(), collections.Counter(), [], 0
    skipped = sum(want is None for want in wanted)
    for case, answer, want in zip(cases, answers, wanted):
        if want is None:
            continue
        verdicts[want[0]] += 1
        verdicts["/".join(map(str, want))] += 1
        text = json.dumps(case)
        constructs.update(c for c in CONSTRUCTS if c in text)
        if agree(case, answer, want):
            continue
        if case.get("mode") == "discover" and answer.get("decision") in ("conditional", "unknown") and want[0] != "unknown":
            cautious += 1
        else:
            wrong.append((case, answer, want))
    print(f"{len(cases)} cases: {len(wrong)} differ, {skipped} with too many contexts to try, {cautious} where no tried value decides otherwise; {dict(verdicts)}")
    for case, answer, want in wrong[: asked.show]:
        print(json.dumps(case), "\n  kim:", json.dumps(answer), "\n  second reading:", want)
    lame = [f"{name}: {verdicts[name]}" for name, share in SHARES.items() if verdicts[name] < share * len(cases)]
    lame += [f"{name}: {constructs[name]}" for name, share in CONSTRUCTS.items() if constructs[name] < share * len(cases)]
    if lame:
        print("too few of", lame)
    sys.exit(1 if wrong or lame or cautious > 0.02 * len(cases) or skipped > 0.3 * len(cases) else 0)


if __name__ == "__main__":
    main()
