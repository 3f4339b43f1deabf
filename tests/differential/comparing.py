# SPDX-License-Identifier: Apache-2.0
"""Two random documents compared, and the answer tried with requests.

    python3 comparing.py --kim PREFIX/bin/kim [--seed N] [--count N]

Where kim names a request that only one document allows, `kim evaluate` must say so of both. Where it says that there
is none, random requests must not find one either. Half of the pairs differ in one place only.
"""

import argparse
import collections
import copy
import json
import random
import subprocess
import sys

import generate

TRIED = 8  # random requests a pair
SIDES = (("new_access", "candidate", "reference"), ("lost_access", "reference", "candidate"))
FULL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ELSEWHERE = "777788889999"  # an account of nobody: there a resource policy has to allow by itself


def ask(kim, cases):
    lines = "".join(json.dumps(case, separators=(",", ":")) + "\n" for case in cases)
    done = subprocess.run([kim, "evaluate", "-"], input=lines, capture_output=True, text=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if len(answers) != len(cases):
        sys.exit(f"kim ended with {done.returncode} after {len(answers)} of {len(cases)} cases: {done.stderr}")
    return answers


def altered(rng, maker, layer, document):
    """The document with one thing changed."""
    other = copy.deepcopy(document)
    statements = other["Statement"] if isinstance(other["Statement"], list) else [other["Statement"]]
    other["Statement"] = statements
    chosen = rng.choice(statements)
    change = rng.choice(("condition", "effect", "resource", "add", "drop", "order"))
    if change == "condition" and chosen.pop("Condition", None) is None:
        chosen["Condition"] = maker.condition()
    elif change == "effect":
        chosen["Effect"] = "Deny" if chosen["Effect"] == "Allow" else "Allow"
    elif change == "resource" and "Resource" in chosen:
        chosen["Resource"] = maker.resources(True)
    elif change == "add":
        statements.append(maker.statement(layer, rng.choice(("Allow", "Deny"))))
    elif change == "drop" and len(statements) > 1:
        statements.remove(chosen)
    else:
        rng.shuffle(statements)
    return other


def pair(seed, number):
    """A case that compares, and what makes requests for it."""
    rng = random.Random(f"compare/{seed}/{number}")
    while True:
        maker = generate.Case(rng, number)
        if maker.kind == "user" and not maker.is_trust and maker.service != "kms" and maker.action != "sts:GetCallerIdentity":
            break
    layer = "resource" if rng.random() < 0.3 and not maker.takes_none else "identity"
    reference = maker.any_document(layer)
    candidate = altered(rng, maker, layer, reference) if rng.random() < 0.5 else maker.any_document(layer)
    case = {"id": str(number), "provider": "aws", "compare": {"type": layer, "reference": reference, "candidate": candidate}}
    return case, maker


def requests_for(maker, rng):
    for _ in range(TRIED):
        context = {k: rng.sample(v, rng.randint(1, len(v)) if kind == generate.SET else 1)
                   for k, (kind, v) in generate.KEYS.items() if k in maker.keys and rng.random() < 0.6}
        # what every request of this user carries
        context.update({"aws:PrincipalArn": [maker.principal], "aws:PrincipalAccount": [generate.A], "aws:username": [maker.principal.rsplit("/", 1)[1]],
                        "aws:PrincipalIsAWSService": ["false"], "aws:userid": ["AIDAEXAMPLE1"]})
        context.pop("aws:TokenIssueTime", None)
        yield {"principal": maker.principal, "action": maker.action, "resource": maker.resource, "context": context}


def allowed_by(case, side, request):
    """A case that is allowed exactly where that document allows the request."""
    document = case["compare"][side]
    if case["compare"]["type"] == "identity":
        policies, account = {"identity": [document]}, request["principal"].split(":")[4]
    else:
        policies, account = {"identity": [FULL], "resource": document}, ELSEWHERE
        if not request["principal"].startswith("arn:") or ":federated-user/" in request["principal"]:
            policies.pop("identity")
    return {"id": case["id"], "provider": "aws", "request": {**request, "resource_account": account}, "policies": policies}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kim", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=3000)
    options = parser.parse_args()
    pairs = [pair(options.seed, n) for n in range(options.count)]
    answers = ask(options.kim, [case for case, _ in pairs])
    tallied, wrong, questions = collections.Counter(), [], []
    for (case, maker), answer in zip(pairs, answers):
        if "error" in answer:
            wrong.append(("refused", case, answer))
            continue
        rng = random.Random(case["id"])
        for member, only, other in SIDES:
            tallied[f"{member} {answer[member]}"] += 1
            if answer[member] is True:
                named = [b["request"] for b in answer["because"] if b["only"] == only]
                if not named:
                    wrong.append((f"{member} without a request", case, answer))
                questions += [(member, True, case, answer, only, other, request) for request in named[:1]]
            elif answer[member] is False:
                questions += [(member, False, case, answer, only, other, request) for request in requests_for(maker, rng)]
    verdicts = iter(ask(options.kim, [allowed_by(q[2], side, q[6]) for q in questions for side in q[4:6]]))
    for member, claims, case, answer, only, other, request in questions:
        by_only, by_other = next(verdicts), next(verdicts)
        found = by_only.get("decision") == "allowed" and by_other.get("decision") != "allowed"
        if found != claims:
            wrong.append((f"{member} is {claims}, and {json.dumps(request)} is {by_only.get('decision')} by the {only}, "
                          f"{by_other.get('decision')} by the {other}", case, answer))
    print(f"{options.count} pairs: " + ", ".join(f"{n} {k}" for k, n in sorted(tallied.items())) + f"; {len(questions)} requests tried")
    one_each = {case["id"]: (what, case, answer) for what, case, answer in wrong}
    for what, case, answer in sorted(one_each.values(), key=lambda w: len(json.dumps(w[1])))[:8]:
        print(f"\n{what}\n  {json.dumps(case['compare'])}\n  {json.dumps(answer)}")
    undecided = tallied["new_access unknown"] + tallied["lost_access unknown"]
    print(f"{len(one_each)} answers are wrong; {undecided} sides are unknown")
    return 1 if wrong or undecided > options.count * 0.05 else 0


if __name__ == "__main__":
    sys.exit(main())
