# SPDX-License-Identifier: Apache-2.0
"""Each part of an account that live collection asks for, by one example of AWS's own answers."""
import json

import pytest

from test_aws_live_bad import GAAD, HOST, aws, collect, users  # noqa: F401 (fixtures)

pytestmark = pytest.mark.skipif(not HOST.exists(), reason="needs the build's folder: set KIM_BUILD_DIR")

ACCOUNT = "111122223333"
DOCUMENT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "444455556666"}, "Action": "x:Y", "Resource": "*"}]}
POLICY = json.dumps(DOCUMENT)


def arn(service, rest):
    return f"arn:aws:{service}:eu-west-1:{ACCOUNT}:{rest}"


def rest(aws, service, path, document):  # noqa: F811
    aws.on(f"{service}:{path}", lambda call: call.give(document))


def lambda_(aws):  # noqa: F811
    function = arn("lambda", "function:f")
    rest(aws, "lambda", "/2015-03-31/functions", {"Functions": [{"FunctionName": "f", "FunctionArn": function, "Role": "r"}]})
    rest(aws, "lambda", f"/2015-03-31/functions/{function}/policy", {"Policy": POLICY, "RevisionId": "1"})
    rest(aws, "lambda", f"/2017-03-31/tags/{function}", {"Tags": {"team": "blue"}})
    return function


def secretsmanager(aws):  # noqa: F811
    secret = arn("secretsmanager", "secret:db-AbCdEf")
    aws.on("secretsmanager:ListSecrets", lambda c: c.give({"SecretList": [{"ARN": secret, "Name": "db"}]}))
    aws.on("secretsmanager:GetResourcePolicy", lambda c: c.give({"ARN": secret, "Name": "db", "ResourcePolicy": POLICY}) if
           c.json["SecretId"] == secret else c.refuse())
    return secret


def ecr(aws):  # noqa: F811
    repository = arn("ecr", "repository/team/web")
    aws.on("ecr:DescribeRepositories", lambda c: c.give({"repositories": [{"repositoryArn": repository, "repositoryName": "team/web",
                                                                           "registryId": ACCOUNT}]}))
    aws.on("ecr:GetRepositoryPolicy", lambda c: c.give({"registryId": ACCOUNT, "repositoryName": "team/web", "policyText": POLICY}) if
           c.json == {"repositoryName": "team/web"} else c.refuse())
    return repository


def dynamodb(aws):  # noqa: F811
    table = arn("dynamodb", "table/carts")
    aws.on("dynamodb:ListTables", lambda c: c.give({"TableNames": ["carts"]}))
    aws.on("dynamodb:DescribeTable", lambda c: c.give({"Table": {"TableName": "carts", "TableArn": table}}))
    aws.on("dynamodb:GetResourcePolicy", lambda c: c.give({"Policy": POLICY, "RevisionId": "1"}) if
           c.json == {"ResourceArn": table} else c.refuse())
    return table


def events(aws):  # noqa: F811
    bus = arn("events", "event-bus/main")
    aws.on("events:ListEventBuses", lambda c: c.give({"EventBuses": [{"Name": "main", "Arn": bus, "Policy": POLICY}]}))
    return bus


def backup(aws):  # noqa: F811
    vault = arn("backup", "backup-vault:v")
    rest(aws, "backup", "/backup-vaults/", {"BackupVaultList": [{"BackupVaultName": "v", "BackupVaultArn": vault}]})
    rest(aws, "backup", "/backup-vaults/v/access-policy", {"BackupVaultName": "v", "BackupVaultArn": vault, "Policy": POLICY})
    return vault


def efs(aws):  # noqa: F811
    system = arn("elasticfilesystem", "file-system/fs-1")
    rest(aws, "elasticfilesystem", "/2015-02-01/file-systems", {"FileSystems": [{"FileSystemId": "fs-1", "FileSystemArn": system}]})
    rest(aws, "elasticfilesystem", "/2015-02-01/file-systems/fs-1/policy", {"FileSystemId": "fs-1", "Policy": POLICY})
    return system


def apigateway(aws):  # noqa: F811
    rest(aws, "apigateway", "/restapis", {"item": [{"id": "a1b2", "name": "api", "policy": POLICY.replace('"', '\\"')}]})
    return None  # by its id alone


def sqs(aws):  # noqa: F811
    queue, url = arn("sqs", "orders"), f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/orders"
    aws.on("sqs:ListQueues", lambda c: c.give({"QueueUrls": [url]}))
    aws.on("sqs:GetQueueAttributes", lambda c: c.give({"Attributes": {"QueueArn": queue, "Policy": POLICY}}) if
           c.json == {"QueueUrl": url, "AttributeNames": ["All"]} else c.refuse())
    aws.on("sqs:ListQueueTags", lambda c: c.give({"Tags": {"team": "blue"}}))
    return queue


def sns(aws):  # noqa: F811
    topic = arn("sns", "alerts")
    aws.on("sns:ListTopics", lambda c: c.query(f"<Topics><member><TopicArn>{topic}</TopicArn></member></Topics>"))
    aws.on("sns:GetTopicAttributes", lambda c: c.query(
        f"<Attributes><entry><key>TopicArn</key><value>{topic}</value></entry><entry><key>Policy</key><value>{POLICY}</value></entry></Attributes>"))
    return topic


@pytest.mark.parametrize("service", [lambda_, secretsmanager, ecr, dynamodb, events, backup, efs, apigateway, sqs, sns],
                         ids=lambda f: f.__name__.strip("_"))
def test_a_resource_policy_is_read_and_hangs_on_its_resource(aws, collect, service):  # noqa: F811
    resource = service(aws)
    got = collect()
    assert got.status == 0, got.said
    attached = [a for a in got.of("attachment", layer="resource") if resource is None or a["resource"] == resource]
    assert len(attached) == 1, got.of("attachment")
    assert [p.get("unread") for p in got.of("policy", id=attached[0]["policy"])] == [None]
    statement = got.of("statement", policy=attached[0]["policy"])[0]
    assert (statement["actions"], statement["subjects"]) == (["x:Y"], ["AWS:444455556666"])
    assert got.of("resource", id=attached[0]["resource"])


def test_a_vpc_endpoints_policy_is_read(aws, collect):  # noqa: F811
    aws.on("ec2:DescribeVpcEndpoints", lambda c: c.answer(
        200, "<DescribeVpcEndpointsResponse><vpcEndpointSet><item><vpcEndpointId>vpce-1</vpcEndpointId><vpcId>vpc-1</vpcId>"
             f"<serviceName>com.amazonaws.eu-west-1.s3</serviceName><policyDocument>{POLICY}</policyDocument></item></vpcEndpointSet>"
             "</DescribeVpcEndpointsResponse>"))
    got = collect()
    assert got.of("attachment", layer="endpoint", resource="vpce-1"), got.said
    assert got.of("resource", id="vpce-1")[0]["facts"]["vpc"] == "vpc-1"


def test_last_accessed_is_asked_for_only_where_it_is_wanted(aws, collect):  # noqa: F811
    aws.on(GAAD, lambda c: c.query(users("ann")))
    aws.on("iam:GenerateServiceLastAccessedDetails", lambda c: c.query("<JobId>job-1</JobId>") if
           c.form["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/ann" else c.refuse())
    aws.on("iam:GetServiceLastAccessedDetails", lambda c: c.query(
        "<JobStatus>COMPLETED</JobStatus><JobType>ACTION_LEVEL</JobType><JobCreationDate>2026-01-02T00:00:00Z</JobCreationDate>"
        "<ServicesLastAccessed><member><ServiceName>Amazon S3</ServiceName><ServiceNamespace>s3</ServiceNamespace>"
        "<LastAuthenticated>2026-01-01T00:00:00Z</LastAuthenticated><TotalAuthenticatedEntities>1</TotalAuthenticatedEntities></member>"
        "</ServicesLastAccessed>") if c.form["JobId"] == "job-1" else c.refuse())
    collect()
    assert aws.asked("iam:GenerateServiceLastAccessedDetails") == []
    got = collect("last_accessed=true")
    assert got.status == 0, got.said
    ann = got.of("identity", id=f"arn:aws:iam::{ACCOUNT}:user/ann")[0]
    assert "last_accessed.s3" in ann["facts"]


def test_identity_center_is_read_down_to_who_has_what_where(aws, collect):  # noqa: F811
    instance, permission = "arn:aws:sso:::instance/ssoins-1", "arn:aws:sso:::permissionSet/ssoins-1/ps-1"
    aws.on("sso-admin:ListInstances", lambda c: c.give({"Instances": [{"InstanceArn": instance, "IdentityStoreId": "d-1", "OwnerAccountId": ACCOUNT}]}))
    aws.on("sso-admin:ListPermissionSets", lambda c: c.give({"PermissionSets": [permission]}))
    aws.on("sso-admin:DescribePermissionSet", lambda c: c.give({"PermissionSet": {"Name": "Auditor", "PermissionSetArn": permission}}))
    aws.on("sso-admin:GetPermissionsBoundaryForPermissionSet", lambda c: c.refuse("ResourceNotFoundException", 400))
    aws.on("sso-admin:ListAccountsForProvisionedPermissionSet", lambda c: c.give({"AccountIds": [ACCOUNT]}))
    aws.on("sso-admin:ListAccountAssignments", lambda c: c.give({"AccountAssignments": [
        {"AccountId": ACCOUNT, "PermissionSetArn": permission, "PrincipalType": "GROUP", "PrincipalId": "g-1"}]}) if
        c.json == {"InstanceArn": instance, "PermissionSetArn": permission, "AccountId": ACCOUNT} else c.refuse())
    aws.on("identitystore:ListUsers", lambda c: c.give({"Users": [{"UserId": "u-1", "IdentityStoreId": "d-1", "UserName": "ann"}]}))
    aws.on("identitystore:ListGroups", lambda c: c.give({"Groups": [{"GroupId": "g-1", "IdentityStoreId": "d-1", "DisplayName": "auditors"}]}))
    aws.on("identitystore:ListGroupMemberships", lambda c: c.give({"GroupMemberships": [
        {"IdentityStoreId": "d-1", "MembershipId": "m", "GroupId": "g-1", "MemberId": {"UserId": "u-1"}}]}))
    got = collect()
    assert got.status == 0, got.said
    assert got.coverage("sso")["status"] == "read"
    assert {i["id"] for i in got.of("identity", scope="aws:d-1")} >= {"u-1", "g-1"}
    assert got.of("edge", kind="member_of", **{"from": "u-1", "to": "g-1"})
    assert len(aws.asked("sso-admin:ListAccountAssignments")) == 1
