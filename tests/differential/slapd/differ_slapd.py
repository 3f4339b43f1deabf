# SPDX-License-Identifier: Apache-2.0
"""OpenLDAP's slapacl, and kim on what its access rules say as neutral cases.

    python3 differ_slapd.py --kim PREFIX/bin/kim [--seed N] [--count N]

Random `access to ... by ...` rules stand over a small directory. slapacl says of each identity, entry, attribute and level
whether it may; each such verdict must be kim's too. Every `by` becomes two statements, one that allows the levels it gives and one
that denies the others; a rule that no `by` ends is ended by a deny of everyone, as slapd.access(5) has it. The order is that of the
rules, then of their clauses: a membership has none, so that a group's clause counts where it stands.
"""

import argparse
import collections
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from asking import Pair  # noqa: E402

PAGE = "slapd.access(5), https://www.openldap.org/doc/admin25/access-control.html"
BASE = "dc=kim,dc=test"
PEOPLE = [f"cn={n},ou=people,{BASE}" for n in ("ann", "bob", "eve")]
DEVICES = [f"cn={n},ou=devices,{BASE}" for n in ("r1", "r2")]
GROUPS = {f"cn=ops,{BASE}": PEOPLE[:2], f"cn=all,{BASE}": PEOPLE}
CONTAINERS = [BASE, f"ou=people,{BASE}", f"ou=devices,{BASE}"]
ENTRIES = CONTAINERS + PEOPLE + DEVICES
LEVELS = ("none", "disclose", "auth", "compare", "search", "read", "write", "manage")
ASKED = ("disclose", "auth", "compare", "search", "read", "write", "manage")
ATTRIBUTES = ("description", "sn", "title")
ENOUGH = 0.10  # allowed and denied, shares of all


# ---- the directory and its rules ----

def ldif():
    yield f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: kim\no: kim\n"
    for dn in CONTAINERS[1:]:
        yield f"dn: {dn}\nobjectClass: organizationalUnit\nou: {re.match('ou=([a-z]+)', dn)[1]}\n"
    for dn in PEOPLE + DEVICES:
        yield f"dn: {dn}\nobjectClass: inetOrgPerson\ncn: {re.match('cn=([a-z0-9]+)', dn)[1]}\nsn: x\ndescription: x\n"
    for dn, members in GROUPS.items():
        yield f"dn: {dn}\nobjectClass: groupOfNames\ncn: {re.match('cn=([a-z]+)', dn)[1]}\n" + "".join(f"member: {m}\n" for m in members)


def rule(rng):
    what = rng.choice((("*", None), ("exact", rng.choice(ENTRIES)), ("one", rng.choice(CONTAINERS)), ("subtree", rng.choice(CONTAINERS)), ("children", rng.choice(CONTAINERS))))
    attributes = rng.sample(ATTRIBUTES, rng.randint(1, 2)) if rng.random() < 0.5 else []
    by = []
    for _ in range(rng.randint(1, 4)):
        who = rng.choice((("*", None), ("users", None), ("anonymous", None), ("self", None), ("dn.exact", rng.choice(PEOPLE + DEVICES)),
                          ("dn.subtree", rng.choice(CONTAINERS)), ("group.exact", rng.choice(sorted(GROUPS)))))
        by.append((who, None if rng.random() < 0.2 else rng.choice(LEVELS)))
        if who[0] == "*":
            break  # slapd refuses what could never be reached
    return what, attributes, by


def written(one):
    (style, dn), attributes, by = one
    text = "access to " + ("*" if style == "*" and not attributes else "" if style == "*" else f'dn.{style}="{dn}"')
    text += f" attrs={','.join(attributes)}" if attributes else ""
    for (who, name), level in by:
        text += f"\n  by {who}" + (f'="{name}"' if name else "") + (f" {level}" if level else " break")
    return text


# ---- the same in neutral words ----

def pattern(style, dn):
    return {"*": "", "exact": f"^{dn}$", "one": f"^[^,]+,{dn}$", "subtree": f"^(.+,)?{dn}$", "children": f"^.+,{dn}$"}[style] if dn else None


def subjects(who, name):
    """None: everyone."""
    return {"*": None, "users": ["users"], "anonymous": ["anonymous"]}.get(who, [name if who != "dn.subtree" else f"below {name}"])


def edges(identity):
    if identity == "anonymous":
        return []
    held = ["users"] + [g for g, members in GROUPS.items() if identity in members]
    held += [f"below {c}" for c in CONTAINERS if identity == c or identity.endswith("," + c)]
    return [{"from": identity, "type": "member_of", "to": h} for h in held]


def statements(rules, identity, entry):
    for i, ((style, dn), attributes, by) in enumerate(rules):
        common = {"resources": [pattern(style, dn)]} if dn else {}
        of = attributes or ATTRIBUTES
        passed = []  # who goes on to the next rule
        for j, ((who, name), level) in enumerate(by + [(("*", None), "none")]):
            if who == "self" and identity != entry:
                continue
            named = [identity] if who == "self" else subjects(who, name)
            whom = {**({"subjects": named} if named else {}), "not_subjects": list(passed)}
            if level is None:
                passed += named or ["*"]
                continue
            given = [f"{a}/{l}" for a in of for l in LEVELS[:LEVELS.index(level) + 1]]
            everything = [f"{a}/{l}" for a in of for l in LEVELS]
            yield {"id": f"{i}.{j} allow", "effect": "allow", "actions": given, "order": [i, j, 0], **whom, **common}
            yield {"id": f"{i}.{j} deny", "effect": "deny", "actions": everything, "order": [i, j, 1], **whom, **common}


def case(number, rules, identity, entry, asked):
    return {"id": number, "provider": "neutral", "profile": {"combining": "first-match", "wildcard": "regex-unanchored"},
            "request": {"identity": identity, "action": asked, "resource": entry},
            "statements": list(statements(rules, identity, entry)), "edges": edges(identity)}


# ---- the run ----

class Directory:
    def __init__(self, rules):
        self.folder = tempfile.TemporaryDirectory(prefix="kim-slapd-")
        folder = Path(self.folder.name)
        (folder / "db").mkdir()
        self.conf = folder / "slapd.conf"
        schemas = "".join(f"include /etc/ldap/schema/{s}.schema\n" for s in ("core", "cosine", "inetorgperson"))
        self.conf.write_text(f'{schemas}modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {folder}/pid\ndatabase mdb\nmaxsize 10485760\nsuffix "{BASE}"\n'
                             f"directory {folder}/db\n" + "".join(written(r) + "\n" for r in rules))
        self.run("slapadd", "-q", stdin="\n".join(ldif()))

    def run(self, program, *arguments, stdin=None):
        done = subprocess.run([program, "-f", self.conf, *arguments], input=stdin, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{program} ends with {done.returncode}: {done.stderr}\n{self.conf.read_text()}"
        return done.stdout + done.stderr

    def may(self, identity, entry, asked):
        """slapacl prints a line for each, in order."""
        who = [] if identity == "anonymous" else ["-D", identity]
        said = self.run("slapacl", *who, "-b", entry, *asked)
        verdicts = re.findall(r": (ALLOWED|DENIED)\b", said)
        assert len(verdicts) == len(asked), f"{len(verdicts)} verdicts on {asked}: {said}"
        return [v == "ALLOWED" for v in verdicts]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kim", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20000)
    options = parser.parse_args()
    rng, asked = random.Random(options.seed), []
    words = [f"{a}/{l}" for a in ATTRIBUTES for l in ASKED]
    while len(asked) < options.count:
        rules = [rule(rng) for _ in range(rng.randint(2, 6))]
        directory = Directory(rules)
        for _ in range(6):
            identity, entry = rng.choice(PEOPLE + DEVICES + ["anonymous"]), rng.choice(ENTRIES)
            entry = identity if rng.random() < 0.2 and identity != "anonymous" else entry
            asked += [(case(len(asked) + i, rules, identity, entry, w), ok, rules) for i, (w, ok) in enumerate(zip(words, directory.may(identity, entry, words)))]
        directory.folder.cleanup()
    tally, wrong = collections.Counter(ok for _, ok, _ in asked), []
    for (one, ok, rules), given in zip(asked, Pair({"kim": [options.kim, "evaluate", "-"]}).ask([a[0] for a in asked], ("kim",))):
        if given["kim"].get("decision") != ("allowed" if ok else "denied"):
            wrong.append((one, ok, given["kim"], rules))
    print(f"{len(asked)} verdicts of slapacl: allowed {100 * tally[True] / len(asked):.1f} %, denied {100 * tally[False] / len(asked):.1f} %")
    for one, ok, kim, rules in sorted(wrong, key=lambda w: len(json.dumps(w[3])))[:3]:
        print("\n" + "\n".join(written(r) for r in rules) + f"\n  slapacl {'allows' if ok else 'denies'} {json.dumps(one['request'])}\n  kim: {json.dumps(kim)}")
    print(f"{len(wrong)} disagreements ({PAGE})")
    return 1 if wrong or min(tally[True], tally[False]) < ENOUGH * len(asked) else 0


if __name__ == "__main__":
    sys.exit(main())
