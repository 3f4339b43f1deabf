# SPDX-License-Identifier: Apache-2.0
"""explain, effective and diff: what they say of small accounts, written as AWS's own get-account-authorization-details."""

import json
import subprocess

import pytest

ACCOUNT = "111122223333"
ANN = f"arn:aws:iam::{ACCOUNT}:user/ann"
BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
DEV = f"arn:aws:iam::{ACCOUNT}:group/dev"


def statement(action, resource="*", effect="Allow", **more):
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def account(users, groups=None):
    """{"ann": (["dev"], [statement])} -> an account; an inline policy each."""

    def inline(statements):
        return [{"PolicyName": "own", "PolicyDocument": document(*statements)}] if statements else []

    return {
        "UserDetailList": [
            {"Path": "/", "UserName": name, "UserId": f"AIDA{name.upper():A>16}", "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
             "CreateDate": "2026-01-01T00:00:00Z", "UserPolicyList": inline(own), "GroupList": of, "AttachedManagedPolicies": []}
            for name, (of, own) in users.items()
        ],
        "GroupDetailList": [
            {"Path": "/", "GroupName": name, "GroupId": f"AGPA{name.upper():A>16}", "Arn": f"arn:aws:iam::{ACCOUNT}:group/{name}",
             "CreateDate": "2026-01-01T00:00:00Z", "GroupPolicyList": inline(own), "AttachedManagedPolicies": []}
            for name, own in (groups or {}).items()
        ],
        "RoleDetailList": [],
        "Policies": [],
    }


@pytest.fixture
def kim(installed, tmp_path):
    """kim(account, "explain", ...) scans; kim.diff(before, after) compares; both give the JSON that is printed."""

    def write(name, content):
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return path

    def run(*argv):
        done = subprocess.run([installed.kim, *argv], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def scan(content, *query):
        return run("scan", "-q", write("account.json", content), "--", *query, "-o", "json")

    scan.diff = lambda before, after: run("diff", "-q", "-o", "json", write("before.json", before), write("after.json", after))["differences"]
    return scan


# ---- explain ----


def test_an_explanation_leads_from_the_statement_over_the_group_to_the_user(kim):
    told = kim(account({"ann": (["dev"], [])}, {"dev": [statement("s3:Get*")]}), "explain", ANN, "s3:GetBucketLocation", "*")
    assert told["decision"] == "allowed"
    assert told["explanation"] == [
        "allowed: a statement allows it, and nothing takes it away",
        "identity: statement 0 of own allows s3:Get* on *",
        f"  its policy is attached to group {DEV}",
        f"  human {ANN} is a member of group {DEV}",
    ]


def test_an_explanation_of_a_deny_names_what_it_denies_and_its_condition(kim):
    deny = statement("*", effect="Deny", Condition={"Bool": {"aws:SecureTransport": "false"}})
    told = kim(account({"ann": ([], [statement("s3:*"), deny])}), "explain", ANN, "s3:ListAllMyBuckets", "*", "-c", "aws:SecureTransport=false")
    assert told["decision"] == "denied" and told["reason"] == "explicit_deny"
    assert told["explanation"][0] == "denied: a statement denies it"
    assert "identity: statement 1 of own denies * on *" in told["explanation"]
    assert any("under the condition" in line and "aws:SecureTransport" in line for line in told["explanation"])


def test_nothing_that_allows_is_said_so(kim):
    told = kim(account({"ann": ([], [])}), "explain", ANN, "s3:ListAllMyBuckets", "*")
    assert told["explanation"][0] == "denied: no statement allows it"


# ---- effective ----


def test_a_whole_service_is_one_word_and_so_is_all_that_begins_alike(kim):
    grants = kim(account({"ann": ([], [statement(["sqs:*", "s3:Get*", "s3:ListAllMyBuckets"])])}), "effective", ANN)["grants"]
    assert [g["actions"] for g in grants] == [["s3:Get*", "s3:ListAllMyBuckets", "sqs:*"]]
    assert grants[0]["provider"] == "aws" and grants[0]["identity"] == ANN and grants[0]["decision"] == "allowed"


def test_an_administrator_may_do_everything_but_what_a_role_must_trust_him_for(kim):
    everything, asked_of_nobody = kim(account({"ann": ([], [statement("*")])}), "effective", ANN)["grants"]
    assert (everything["actions"], everything["resource"], everything["reason"]) == (["*"], "*", "explicit_allow")
    assert {"sts:AssumeRole", "sts:GetCallerIdentity"} <= set(everything["not_actions"]) and len(everything["not_actions"]) < 10
    assert (asked_of_nobody["actions"], asked_of_nobody["reason"]) == (["sts:GetCallerIdentity"], "bypass")


def test_a_deny_leaves_the_other_actions_by_their_names(kim):
    grants = kim(account({"ann": ([], [statement("sqs:*"), statement("sqs:DeleteQueue", effect="Deny")])}), "effective", ANN)["grants"]
    actions = {a for g in grants for a in g["actions"]}
    assert "sqs:DeleteQueue" not in actions and "sqs:*" not in actions and {"sqs:CreateQueue", "sqs:DeleteMessage", "sqs:Get*"} <= actions


def test_what_depends_on_a_condition_stands_apart_with_it(kim):
    conditional = statement("sqs:*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})
    grants = kim(account({"ann": ([], [statement("sns:*"), conditional])}), "effective", ANN)["grants"]
    by_decision = {g["decision"]: g for g in grants}
    assert by_decision["allowed"]["actions"] == ["sns:*"] and by_decision["conditional"]["actions"] == ["sqs:*"]
    assert by_decision["conditional"]["if"] == [{"key": "aws:RequestedRegion", "op": "StringEquals", "values": ["eu-west-1"]}]


def test_several_identities_are_shown_each_by_itself(kim):
    grants = kim(account({"ann": ([], [statement("sqs:*")]), "bob": ([], [statement("sns:*")])}), "effective", BOB, ANN)["grants"]
    assert [(g["identity"], g["actions"]) for g in grants] == [(BOB, ["sns:*"]), (ANN, ["sqs:*"])]


def test_every_grant_of_the_effective_set_is_confirmed_by_can(kim):
    content = account({"ann": (["dev"], [statement("s3:*", "arn:aws:s3:::b/*"), statement("s3:Delete*", effect="Deny")])},
                      {"dev": [statement(["iam:Get*", "iam:List*"])]})
    for grant in kim(content, "effective", ANN)["grants"]:
        action = grant["actions"][0].replace("Get*", "GetUser").replace("List*", "ListUsers").replace("s3:Abort*", "s3:AbortMultipartUpload")
        if "*" not in action:
            assert kim(content, "can", ANN, action, grant["resource"])["decision"] == grant["decision"]


# ---- diff ----


def test_what_was_granted_is_gained_and_the_other_way_round_lost(kim):
    before, after = account({"ann": ([], [statement("sqs:*")])}), account({"ann": ([], [statement("sqs:*"), statement("kms:Decrypt")])})
    (gained,) = kim.diff(before, after)
    assert (gained["difference"], gained["identity"], gained["actions"]) == ("gained", ANN, ["kms:Decrypt"])
    assert (gained["before"], gained["after"]) == ("denied", "allowed")
    (lost,) = kim.diff(after, before)
    assert (lost["difference"], lost["actions"], lost["before"], lost["after"]) == ("lost", ["kms:Decrypt"], "allowed", "denied")


def test_a_policy_that_is_only_written_otherwise_is_no_difference(kim):
    together = account({"ann": ([], [statement(["sqs:*", "sns:Publish"])])})
    apart = account({"ann": (["dev"], [statement("sns:Publish")])}, {"dev": [statement("sqs:*")]})
    assert kim.diff(together, apart) == []
    assert kim.diff(together, together) == []


def test_a_condition_that_is_put_on_takes_away(kim):
    free = account({"ann": ([], [statement("sqs:*")])})
    bound = account({"ann": ([], [statement("sqs:*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})])})
    (lost,) = kim.diff(free, bound)
    assert (lost["difference"], lost["before"], lost["after"], lost["actions"]) == ("lost", "allowed", "conditional", ["sqs:*"])
    (gained,) = kim.diff(bound, free)
    assert (gained["difference"], gained["before"], gained["after"]) == ("gained", "conditional", "allowed")


def test_another_condition_is_a_change_and_the_same_in_another_order_is_none(kim):
    def regions(*names):
        return account({"ann": ([], [statement("sqs:*", Condition={"StringEquals": {"aws:RequestedRegion": list(names)}})])})

    (changed,) = kim.diff(regions("eu-west-1"), regions("eu-west-2"))
    assert changed["difference"] == "changed"
    assert changed["if"] == [{"key": "aws:RequestedRegion", "op": "StringEquals", "values": ["eu-west-2"]}]
    assert kim.diff(regions("eu-west-1", "eu-west-2"), regions("eu-west-2", "eu-west-1")) == []


def test_a_group_s_change_is_each_member_s_and_a_newcomer_is_known_only_after(kim):
    before = account({"ann": (["dev"], [])}, {"dev": [statement("sqs:*")]})
    after = account({"ann": (["dev"], []), "bob": (["dev"], [])}, {"dev": [statement("sqs:*"), statement("sns:*")]})
    found = {(d["identity"], tuple(d["actions"])): d for d in kim.diff(before, after)}
    assert set(found) == {(ANN, ("sns:*",)), (BOB, ("sns:*",)), (BOB, ("sqs:*",))}
    assert all(found[key].get("known_only") == ("after" if key[0] == BOB else None) for key in found)
