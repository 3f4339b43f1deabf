# SPDX-License-Identifier: Apache-2.0
"""What `kim propose` writes: policies that fit, that Terraform reads the same, and that still allow what was done."""

import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROD = "arn:aws:iam::444455556666"
OWNED_ELSEWHERE = re.compile(r":role/(aws-reserved|aws-service-role)/")
POLICY_MAX_BYTES = 6144  # of a managed policy, white space not counted: IAM User Guide, "IAM and AWS STS quotas"
ACCOUNT = "111122223333"
ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"


@pytest.fixture(scope="module")
def scan(installed, source_dir, tmp_path_factory):
    """scan("gaps", "-o", "json") asks the sample organisation."""
    sample = tmp_path_factory.mktemp("sample")
    subprocess.run([sys.executable, source_dir / "etc/sample/generate", sample, "--events", "4000"], check=True, capture_output=True, timeout=120)
    return scanner(installed, sample)


def scanner(installed, *sources):
    def ask(*query, status=0):
        query = ["-q", "--", *query] if query else []  # else the report
        done = subprocess.run([installed.kim, "scan", *sources, *query], capture_output=True, text=True, timeout=120)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    return ask


@pytest.fixture(scope="module")
def identities(scan):
    """The largest gaps of those that can be changed by themselves."""
    gaps = json.loads(scan("gaps", "-o", "json"))["gaps"]
    own = [g["identity"] for g in gaps if not OWNED_ELSEWHERE.search(g["identity"])]
    assert len(own) >= 8
    return own[:8]


def documents_of(text):
    """JSON documents, one after the other."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        document, at = decoder.raw_decode(text, at)
        found.append(document)
    return found


def listed(value):
    return value if isinstance(value, list) else [value]


@pytest.fixture(scope="module")
def terraform():
    """terraform(text): what a real parser of the language makes of it."""
    tools = Path(os.environ.get("KIM_TOOLS", "none"))
    if not (tools / "node_modules" / "@cdktf" / "hcl2json").is_dir() or not shutil.which("node"):
        pytest.skip("needs node, and KIM_TOOLS to name the folder of the tools in tests/tools.versions; ./check has both")
    program = """
        const {parse} = require("@cdktf/hcl2json");
        parse("proposal.tf", require("fs").readFileSync(0, "utf8")).then(
            (tree) => { process.stdout.write(JSON.stringify(tree)); }, (bad) => { console.error(String(bad)); process.exitCode = 1; });
    """

    def read(text, status=0):
        done = subprocess.run(["node", "-e", program], input=text, capture_output=True, text=True, timeout=120,
                              env={**os.environ, "NODE_PATH": str(tools / "node_modules")})
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout) if status == 0 else None

    return read


def unescaped(template):
    """A template's text as Terraform writes it out: the parser leaves $${ and %%{ as they stand."""
    return template.replace("$${", "${").replace("%%{", "%{")


def assert_same_in_terraform(tree, documents, identity):
    policies = tree["resource"]["aws_iam_policy"]
    kind, name = re.search(r":(role|user)/(?:.*/)?([^/]+)$", identity).groups()
    attachments = tree["resource"][f"aws_iam_{kind}_policy_attachment"]
    assert [json.loads(unescaped(p[0]["policy"])) for p in policies.values()] == documents
    assert len({p[0]["name"] for p in policies.values()}) == len(documents)
    assert list(attachments) == list(policies)
    for label, (attachment,) in attachments.items():
        assert attachment == {kind: name, "policy_arn": f"${{aws_iam_policy.{label}.arn}}"}


def test_a_policy_is_one_that_iam_would_take(scan, identities):
    for identity in identities:
        for document in documents_of(scan("propose", identity)):
            assert list(document) == ["Version", "Statement"] and document["Version"] == "2012-10-17"
            assert len(json.dumps(document, separators=(",", ":"))) <= POLICY_MAX_BYTES
            for statement in document["Statement"]:
                assert statement["Effect"] in ("Allow", "Deny")
                assert ("Action" in statement) != ("NotAction" in statement)
                assert ("Resource" in statement) != ("NotResource" in statement)


def test_every_proposal_is_proven(scan, identities):
    for identity in identities:
        (proposal,) = json.loads(scan("propose", identity, "-o", "json"))["proposals"]
        replay = proposal["replay"]
        assert replay["still_allowed"] == replay["used"], identity
        assert replay["new_access"] is False and replay["needless"] == 0, identity
        assert proposal["proposed"] <= proposal["granted"], identity
        assert proposal["document"]["Statement"] == [s for d in documents_of(scan("propose", identity)) for s in d["Statement"]]


def test_terraform_makes_the_same_policies(scan, identities, terraform):
    for identity in identities[:4]:
        documents = documents_of(scan("propose", identity))
        assert_same_in_terraform(terraform(scan("propose", identity, "--format", "terraform")), documents, identity)


def keys_of(account):
    """A key's policy that leaves the decision to IAM: without one, no policy of an identity allows anything on it."""
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "kms:*", "Resource": "*"}
    return {"resource": {"Version": "2012-10-17", "Statement": [root]}}


def test_what_was_done_is_allowed_by_the_new_policy_alone_and_what_was_not_is_not(scan, identities, kim):
    asked, cases = [], []
    for identity in identities:
        account = identity.split(":")[4]
        documents = documents_of(scan("propose", identity))
        usage = json.loads(scan("show", identity, "-o", "json")).get("usage", {}).get("actions", [])
        allows = [s for d in documents for s in d["Statement"] if s["Effect"] == "Allow"]
        unless_denied = any(s["Effect"] == "Deny" and "Condition" in s for d in documents for s in d["Statement"])
        proposed = {a.lower() for s in allows for a in listed(s.get("Action", []))}

        def ask(action, resource, expected):
            asked.append((identity, action, resource, expected))
            cases.append({"id": str(len(cases)), "provider": "aws", "mode": "discover",
                          "request": {"principal": identity, "action": action, "resource": resource, "resource_account": account},
                          "policies": {"identity": documents, **(keys_of(account) if action.startswith("kms:") else {})}})

        for use in usage:
            for statement in allows:
                actions = [a.lower() for a in listed(statement.get("Action", []))]
                if use["outcome"] != "success" or use["action"].lower() not in actions:
                    continue
                for resource in listed(statement.get("Resource", "*")):
                    ask(use["action"], resource.replace("*", "x") if resource != "*" else "*",
                        {"conditional"} if unless_denied or "Condition" in statement else {"allowed"})
        for action in ("iam:CreateUser", "ec2:TerminateInstances", "s3:DeleteBucket"):
            if action.lower() not in proposed:
                ask(action, "*", {"denied"})
    assert sum(expected != {"denied"} for *_, expected in asked) >= 20
    answers = [json.loads(line) for line in kim("evaluate", "-", input="".join(json.dumps(c) + "\n" for c in cases)).stdout.splitlines()]
    wrong = [(a["decision"], q) for a, q in zip(answers, asked, strict=True) if a["decision"] not in q[3]]
    assert not wrong


def test_a_role_that_is_defined_elsewhere_is_refused_with_the_place_to_change(scan):
    reserved = next(g["identity"] for g in json.loads(scan("gaps", "-o", "json"))["gaps"] if ":role/aws-reserved/" in g["identity"])
    assert scan("propose", reserved, status=4) == ""


# ---- an account of our own ----


def event(name, source, parameters, minute):
    return {"eventVersion": "1.08", "eventTime": f"2026-08-01T00:{minute % 60:02}:00Z", "eventSource": source, "eventName": name,
            "awsRegion": "eu-west-1", "sourceIPAddress": "192.0.2.1", "userIdentity": {"type": "IAMUser", "arn": ANN, "accountId": ACCOUNT, "userName": "ann"},
            "requestParameters": parameters, "eventID": f"{minute}", "eventType": "AwsApiCall", "recipientAccountId": ACCOUNT,
            "managementEvent": True, "eventCategory": "Management"}


@pytest.fixture
def account(installed, tmp_path):
    """account(statements, events): an account with one user, whose trail has these events."""

    def make(statements, events, arn=ANN):
        folder = tmp_path / "account"
        trail = folder / "trail"
        trail.mkdir(parents=True)
        details = {"UserDetailList": [{"Path": "/", "UserName": "ann", "UserId": "AIDAEXAMPLEANNEXAMPLE", "Arn": arn, "CreateDate": "2024-01-01T00:00:00+00:00",
                                       "UserPolicyList": [{"PolicyName": "all", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
                                       "GroupList": [], "AttachedManagedPolicies": [], "Tags": []}],
                   "GroupDetailList": [], "RoleDetailList": [], "Policies": []}
        (folder / "account.json").write_text(json.dumps(details))
        with gzip.open(trail / f"{ACCOUNT}_CloudTrail_eu-west-1_20260801T0005Z_abcdefghijklmnop.json.gz", "wt") as out:
            json.dump({"Records": events}, out)
        return scanner(installed, folder / "account.json", trail)

    return make


def test_policy_variables_and_quotes_come_through_terraform_as_they_were(account, terraform):
    deny = {"Effect": "Deny", "Action": ["s3:DeleteBucket", "s3:PutBucketPolicy"], "NotResource": ["arn:aws:s3:::home-${aws:username}"],
            "Condition": {"StringNotLike": {"aws:PrincipalTag/team": ["${aws:PrincipalTag/a}%{b}$${c}\\\"\n<<POLICY\nPOLICY"]}}}
    ask = account([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, deny],
                  [event("GetBucketTagging", "s3.amazonaws.com", {"bucketName": "home-ann"}, 1)])
    documents = documents_of(ask("propose", ANN))
    assert deny in documents[0]["Statement"]
    tree = terraform(ask("propose", ANN, "--format", "terraform"))
    (policy,) = tree["resource"]["aws_iam_policy"].values()
    assert "$${aws:username}" in policy[0]["policy"] and "%%{b}" in policy[0]["policy"]
    assert json.loads(unescaped(policy[0]["policy"])) == documents[0]


def test_a_policy_past_the_quota_becomes_several(account, terraform):
    deny = {"Effect": "Deny", "Action": [f"service{i}:AnActionWithALongName{i}" for i in range(400)], "Resource": ["*"]}
    ask = account([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, deny],
                  [event("GetBucketTagging", "s3.amazonaws.com", {"bucketName": f"b{i}"}, i) for i in range(3)])
    documents = documents_of(ask("propose", ANN))
    assert 2 < len(documents) <= 10
    assert all(len(json.dumps(d, separators=(",", ":"))) <= POLICY_MAX_BYTES for d in documents)
    denied = [a for d in documents for s in d["Statement"] if s["Effect"] == "Deny" for a in s["Action"]]
    assert sorted(denied) == sorted(deny["Action"])
    assert_same_in_terraform(terraform(ask("propose", ANN, "--format", "terraform")), documents, ANN)


def test_what_takes_more_policies_than_can_be_attached_is_refused(account):
    deny = {"Effect": "Deny", "Action": [f"service{i}:AnActionWithALongName{i}" for i in range(2500)], "Resource": ["*"]}
    ask = account([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, deny], [event("ListBuckets", "s3.amazonaws.com", None, 1)])
    assert ask("propose", ANN, status=4) == ""
    assert ask("propose", ANN, "-o", "json")  # the whole of it, for who would cut it otherwise


@pytest.mark.parametrize("name, word", [("ann", "{}"), ("$(reboot)", "'{}'"), ("\x9b2J", None), ("a\nreboot", None)])
def test_the_report_names_nobody_who_would_harm_the_one_who_pastes_it(account, name, word):
    arn = ANN.replace("ann", name)
    events = [event("ListBuckets", "s3.amazonaws.com", None, 1)]
    events[0]["userIdentity"].update(arn=arn, userName=name)
    report = account([{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}], events, arn)()
    proposing = [line.split(" -- propose ", 1)[1] for line in report.splitlines() if " -- propose " in line]
    assert proposing == ([word.format(arn)] if word else [])
