# SPDX-License-Identifier: Apache-2.0
"""One estate of several providers: whose question it is follows from who is asked about, or what."""

import json
import subprocess

import pytest

ANN = "arn:aws:iam::111122223333:user/ann"
DEV = "aaaaaaaa-0000-0000-0000-000000000001"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
CONTRIBUTOR = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c"

# As `aws iam get-account-authorization-details` prints it.
AWS = {
    "UserDetailList": [
        {"Path": "/", "UserName": "ann", "UserId": "AIDAAAAAAAAAAAAAAANN", "Arn": ANN, "CreateDate": "2026-01-01T00:00:00Z", "GroupList": [],
         "AttachedManagedPolicies": [], "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": {
             "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}}]}],
    "GroupDetailList": [], "RoleDetailList": [], "Policies": [],
}
# As `az role definition list` and `az role assignment list --all` print them.
AZURE_ROLES = [
    {"id": CONTRIBUTOR, "name": CONTRIBUTOR[-36:], "type": "Microsoft.Authorization/roleDefinitions", "roleName": "Contributor",
     "roleType": "BuiltInRole", "assignableScopes": ["/"],
     "permissions": [{"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"], "dataActions": [], "notDataActions": []}]}]
AZURE_ASSIGNMENTS = [
    {"id": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleAssignments/11111111-0000-0000-0000-000000000001",
     "name": "11111111-0000-0000-0000-000000000001", "type": "Microsoft.Authorization/roleAssignments", "scope": SUBSCRIPTION,
     "principalId": DEV, "principalType": "User", "principalName": "dev@example.com", "roleDefinitionId": CONTRIBUTOR,
     "roleDefinitionName": "Contributor"}]


@pytest.fixture
def ask(installed, tmp_path):
    """ask("who-can", ...) of an estate of AWS and Azure: (exit status, what it printed as JSON or else its error)."""
    for name, content in {"aws": AWS, "roles": AZURE_ROLES, "assignments": AZURE_ASSIGNMENTS}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))

    def run(*query):
        done = subprocess.run([installed.kim, "scan", "-q", tmp_path, "--", *query, "-o", "json"], capture_output=True, text=True, timeout=120)
        return done.returncode, json.loads(done.stdout) if done.returncode == 0 else done.stderr

    return run


def test_an_identity_is_asked_about_by_the_rules_of_its_own_provider(ask):
    assert ask("can", ANN, "s3:ListAllMyBuckets", "*")[1]["decision"] == "allowed"
    assert ask("can", DEV, "Microsoft.Compute/virtualMachines/read", SUBSCRIPTION)[1]["decision"] == "allowed"
    assert ask("can", DEV, "Microsoft.Authorization/locks/write", SUBSCRIPTION)[1]["decision"] == "denied"


def test_who_can_is_asked_of_the_provider_whose_resource_it_is(ask):
    assert [a["identity"] for a in ask("who-can", "s3:GetObject", "arn:aws:s3:::b/k")[1]["answers"]] == [ANN]
    assert [a["identity"] for a in ask("who-can", "Microsoft.Compute/virtualMachines/read", SUBSCRIPTION)[1]["answers"]] == [DEV]


def test_an_action_tells_its_provider_where_the_resource_does_not(ask):
    assert [a["identity"] for a in ask("who-can", "s3:ListAllMyBuckets", "*")[1]["answers"]] == [ANN]
    assert [a["identity"] for a in ask("who-can", "Microsoft.Compute/virtualMachines/read", SUBSCRIPTION.upper())[1]["answers"]] == [DEV]


def test_where_nothing_tells_the_provider_must_be_said(ask):
    status, error = ask("who-can", "list", "*")
    assert status == 4 and "the estate has several providers (aws, azure); say which is meant: --provider" in error
    assert [a["identity"] for a in ask("who-can", "s3:ListAllMyBuckets", "*", "--provider", "aws")[1]["answers"]] == [ANN]


def test_the_effective_sets_of_one_person_stand_side_by_side(ask):
    grants = ask("effective", ANN, DEV)[1]["grants"]
    assert {(g["identity"], g["provider"]) for g in grants} == {(ANN, "aws"), (DEV, "azure")}


def test_an_explanation_tells_the_scope_that_a_role_reaches(ask):
    told = ask("explain", DEV, "Microsoft.Compute/virtualMachines/read", f"{SUBSCRIPTION}/resourceGroups/rg")[1]["explanation"]
    assert told[0].startswith("allowed")
    assert any("Contributor" in line for line in told) and any("it is in force on subscription azure:" in line for line in told)


def test_only_a_provider_with_a_catalogue_has_counted_gaps(ask):
    assert [g["identity"] for g in ask("gaps")[1]["gaps"]] == [ANN]
    status, error = ask("propose", DEV)
    assert status == 4 and "its provider, azure, has no catalogue" in error
