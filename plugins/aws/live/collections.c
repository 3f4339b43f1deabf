/* SPDX-License-Identifier: Apache-2.0
 *
 * collections.c - the table.
 *
 * Source: each service's API reference (names, tokens, codes); Service Authorization Reference (which
 * action an operation needs).
 */
#include "plugins/aws/live/collections.h"

#define SCP "=SERVICE_CONTROL_POLICY"
#define RCP "=RESOURCE_CONTROL_POLICY"

static const aws_collection collections[] = {
    /* ---- IAM ---- */
    {.kind = "iam:GetAccountAuthorizationDetails", .form = "MaxItems=500", .token_in = "Marker", .token_out = "Marker", .part = "iam"},
    {.kind = "iam:ListUsers", .form = "MaxItems=500", .token_in = "Marker", .token_out = "Marker", .part = "iam:users"},
    {.kind = "iam:ListAccessKeys", .under = "iam:ListUsers", .items = "Users", .args = {"UserName"}, .form = "UserName={0}",
     .token_in = "Marker", .token_out = "Marker", .part = "iam:access-keys", .resource = "arn:{p}:iam::{a}:user/{0}"},
    {.kind = "iam:GetAccessKeyLastUsed", .under = "iam:ListAccessKeys", .items = "AccessKeyMetadata", .args = {"AccessKeyId"},
     .form = "AccessKeyId={0}", .part = "iam:access-key-use", .resource = "{0}"},
    {.kind = "iam:ListMFADevices", .under = "iam:ListUsers", .items = "Users", .args = {"UserName"}, .form = "UserName={0}",
     .token_in = "Marker", .token_out = "Marker", .part = "iam:mfa", .resource = "arn:{p}:iam::{a}:user/{0}"},
    {.kind = "iam:GenerateCredentialReport", .until = "State=COMPLETE", .part = "iam:credential-report", .flags = AWS_SILENT},
    {.kind = "iam:GetCredentialReport", .under = "iam:GenerateCredentialReport", .items = "", .part = "iam:credential-report"},
    {.kind = "iam:ListSAMLProviders", .part = "iam:federation"},
    {.kind = "iam:ListOpenIDConnectProviders", .part = "iam:federation"},
    {.kind = "iam:GetOpenIDConnectProvider", .under = "iam:ListOpenIDConnectProviders", .items = "OpenIDConnectProviderList",
     .args = {"Arn"}, .form = "OpenIDConnectProviderArn={0}", .part = "iam:federation", .resource = "{0}"},
    {.kind = "iam:GenerateServiceLastAccessedDetails", .under = "iam:GetAccountAuthorizationDetails", .items = "UserDetailList",
     .args = {"Arn"}, .form = "Arn={0}&Granularity=ACTION_LEVEL", .part = "iam:last-accessed", .resource = "{0}",
     .flags = AWS_SILENT | AWS_IF_LAST_ACCESSED},
    {.kind = "iam:GenerateServiceLastAccessedDetails", .under = "iam:GetAccountAuthorizationDetails", .items = "RoleDetailList",
     .args = {"Arn"}, .form = "Arn={0}&Granularity=ACTION_LEVEL", .part = "iam:last-accessed", .resource = "{0}",
     .flags = AWS_SILENT | AWS_IF_LAST_ACCESSED},
    {.kind = "iam:GetServiceLastAccessedDetails", .under = "iam:GenerateServiceLastAccessedDetails", .items = "",
     .args = {"^0", "JobId"}, .form = "JobId={1}", .token_in = "Marker", .token_out = "Marker", .until = "JobStatus=COMPLETED",
     .part = "iam:last-accessed", .resource = "{0}"},

    /* ---- Organizations ---- */
    {.kind = "organizations:DescribeOrganization", .part = "organizations", .none = "AWSOrganizationsNotInUseException",
     .flags = AWS_ORGANISATION},
    {.kind = "organizations:ListRoots", .under = "organizations:DescribeOrganization", .items = "", .token_in = "NextToken",
     .token_out = "NextToken", .part = "organizations"},
    {.kind = "organizations:ListOrganizationalUnitsForParent", .under = "organizations:ListRoots", .items = "Roots", .args = {"Id"},
     .form = "{\"ParentId\":\"{0}\"}", .token_in = "NextToken", .token_out = "NextToken", .part = "organizations"},
    {.kind = "organizations:ListOrganizationalUnitsForParent", .under = "organizations:ListOrganizationalUnitsForParent",
     .items = "OrganizationalUnits", .args = {"Id"}, .form = "{\"ParentId\":\"{0}\"}", .token_in = "NextToken",
     .token_out = "NextToken", .part = "organizations"},
    {.kind = "organizations:ListAccountsForParent", .under = "organizations:ListRoots", .items = "Roots", .args = {"Id"},
     .form = "{\"ParentId\":\"{0}\"}", .token_in = "NextToken", .token_out = "NextToken", .part = "organizations"},
    {.kind = "organizations:ListAccountsForParent", .under = "organizations:ListOrganizationalUnitsForParent",
     .items = "OrganizationalUnits", .args = {"Id"}, .form = "{\"ParentId\":\"{0}\"}", .token_in = "NextToken",
     .token_out = "NextToken", .part = "organizations"},
#define POLICIES_OF(parent, list, type)                                                                                     \
    {.kind = "organizations:ListPoliciesForTarget", .under = parent, .items = list, .args = {"Id", type},                    \
     .form = "{\"TargetId\":\"{0}\",\"Filter\":\"{1}\"}", .token_in = "NextToken", .token_out = "NextToken",               \
     .part = "organizations"}
    POLICIES_OF("organizations:ListRoots", "Roots", SCP),
    POLICIES_OF("organizations:ListRoots", "Roots", RCP),
    POLICIES_OF("organizations:ListOrganizationalUnitsForParent", "OrganizationalUnits", SCP),
    POLICIES_OF("organizations:ListOrganizationalUnitsForParent", "OrganizationalUnits", RCP),
    POLICIES_OF("organizations:ListAccountsForParent", "Accounts", SCP),
    POLICIES_OF("organizations:ListAccountsForParent", "Accounts", RCP),
#undef POLICIES_OF
#define POLICIES(type)                                                                                                       \
    {.kind = "organizations:ListPolicies", .under = "organizations:ListRoots", .items = "", .args = {type},                  \
     .form = "{\"Filter\":\"{0}\"}", .token_in = "NextToken", .token_out = "NextToken", .part = "organizations"}
    POLICIES(SCP),
    POLICIES(RCP),
#undef POLICIES
    {.kind = "organizations:DescribePolicy", .under = "organizations:ListPolicies", .items = "Policies", .args = {"Id"},
     .form = "{\"PolicyId\":\"{0}\"}", .part = "organizations"},
    {.kind = "organizations:ListDelegatedAdministrators", .under = "organizations:ListRoots", .items = "", .token_in = "NextToken",
     .token_out = "NextToken", .part = "organizations:delegated-administrators"},
    {.kind = "organizations:ListDelegatedServicesForAccount", .under = "organizations:ListDelegatedAdministrators",
     .items = "DelegatedAdministrators", .args = {"Id"}, .form = "{\"AccountId\":\"{0}\"}", .token_in = "NextToken",
     .token_out = "NextToken", .part = "organizations:delegated-administrators"},

    /* ---- S3 ---- */
    {.kind = "s3control:GetPublicAccessBlock", .form = "GET /v20180820/configuration/publicAccessBlock",
     .part = "s3:public-access-block", .action = "s3:GetAccountPublicAccessBlock", .none = "NoSuchPublicAccessBlockConfiguration"},
    {.kind = "s3:ListBuckets", .form = "GET /?max-buckets=1000", .token_in = "continuation-token", .token_out = "ContinuationToken",
     .part = "s3:bucket-policy", .action = "s3:ListAllMyBuckets"},
#define BUCKET(operation, query, coverage, grant, absent, more)                                                              \
    {.kind = "s3:" operation, .under = "s3:ListBuckets", .items = "Buckets", .args = {"Name", "BucketRegion"},               \
     .form = "GET /{0}?" query, .part = coverage, .resource = "arn:{p}:s3:::{0}", .action = grant, .none = absent,           \
     .flags = AWS_BUCKET | (more)}
    BUCKET("GetBucketPolicy", "policy", "s3:bucket-policy", "s3:GetBucketPolicy", "NoSuchBucketPolicy", AWS_BODY_IS_POLICY | AWS_POLICY),
    BUCKET("GetPublicAccessBlock", "publicAccessBlock", "s3:public-access-block", "s3:GetBucketPublicAccessBlock",
           "NoSuchPublicAccessBlockConfiguration", 0),
    BUCKET("GetBucketAcl", "acl", "s3:bucket-acl", "s3:GetBucketAcl", NULL, 0),
    BUCKET("GetBucketOwnershipControls", "ownershipControls", "s3:bucket-acl", "s3:GetBucketOwnershipControls",
           "OwnershipControlsNotFoundError", 0),
    BUCKET("GetBucketTagging", "tagging", "s3:tags", "s3:GetBucketTagging", "NoSuchTagSet", 0),
#undef BUCKET

    /* ---- KMS ---- */
    {.kind = "kms:ListKeys", .form = "{\"Limit\":1000}", .token_in = "Marker", .token_out = "NextMarker", .part = "kms:key-policy",
     .flags = AWS_REGIONAL},
#define KEY(operation, more, coverage, in, out, is)                                                                              \
    {.kind = "kms:" operation, .under = "kms:ListKeys", .items = "Keys", .args = {"KeyArn"}, .form = "{\"KeyId\":\"{0}\"" more "}", \
     .token_in = in, .token_out = out, .part = coverage, .resource = "{0}", .flags = is}
    KEY("DescribeKey", "", "kms:keys", NULL, NULL, 0),
    KEY("GetKeyPolicy", ",\"PolicyName\":\"default\"", "kms:key-policy", NULL, NULL, AWS_POLICY),
    KEY("ListGrants", "", "kms:grants", "Marker", "NextMarker", 0),
    KEY("ListResourceTags", "", "kms:tags", "Marker", "NextMarker", 0),
#undef KEY

    /* ---- queues, topics, functions, secrets, images, tables, buses ---- */
    {.kind = "sqs:ListQueues", .form = "{\"MaxResults\":1000}", .token_in = "NextToken", .token_out = "NextToken",
     .part = "sqs:queue-policy", .flags = AWS_REGIONAL},
    {.kind = "sqs:GetQueueAttributes", .under = "sqs:ListQueues", .items = "QueueUrls", .args = {"."},
     .form = "{\"QueueUrl\":\"{0}\",\"AttributeNames\":[\"All\"]}", .part = "sqs:queue-policy", .resource = "{0}"},
    {.kind = "sqs:ListQueueTags", .under = "sqs:GetQueueAttributes", .items = "Attributes", .args = {"QueueArn", "^0"},
     .form = "{\"QueueUrl\":\"{1}\"}", .part = "sqs:tags", .resource = "{0}"},
    {.kind = "sns:ListTopics", .token_in = "NextToken", .token_out = "NextToken", .part = "sns:topic-policy", .flags = AWS_REGIONAL},
    {.kind = "sns:GetTopicAttributes", .under = "sns:ListTopics", .items = "Topics", .args = {"TopicArn"}, .form = "TopicArn={0}",
     .part = "sns:topic-policy", .resource = "{0}", .flags = AWS_POLICY},
    {.kind = "sns:ListTagsForResource", .under = "sns:ListTopics", .items = "Topics", .args = {"TopicArn"}, .form = "ResourceArn={0}",
     .part = "sns:tags", .resource = "{0}"},
    {.kind = "lambda:ListFunctions", .form = "GET /2015-03-31/functions", .token_in = "Marker", .token_out = "NextMarker",
     .part = "lambda:policy", .flags = AWS_REGIONAL},
    {.kind = "lambda:GetPolicy", .under = "lambda:ListFunctions", .items = "Functions", .args = {"FunctionArn"},
     .form = "GET /2015-03-31/functions/{0}/policy", .part = "lambda:policy", .resource = "{0}",
     .none = "ResourceNotFoundException", .flags = AWS_POLICY},
    {.kind = "lambda:ListTags", .under = "lambda:ListFunctions", .items = "Functions", .args = {"FunctionArn"},
     .form = "GET /2017-03-31/tags/{0}", .part = "lambda:tags", .resource = "{0}"},
    {.kind = "secretsmanager:ListSecrets", .token_in = "NextToken", .token_out = "NextToken", .part = "secretsmanager:resource-policy",
     .flags = AWS_REGIONAL},
    {.kind = "secretsmanager:GetResourcePolicy", .under = "secretsmanager:ListSecrets", .items = "SecretList", .args = {"ARN"},
     .form = "{\"SecretId\":\"{0}\"}", .part = "secretsmanager:resource-policy", .resource = "{0}", .flags = AWS_POLICY},
    {.kind = "ecr:DescribeRepositories", .token_in = "nextToken", .token_out = "nextToken", .part = "ecr:repository-policy",
     .flags = AWS_REGIONAL},
    {.kind = "ecr:GetRepositoryPolicy", .under = "ecr:DescribeRepositories", .items = "repositories",
     .args = {"repositoryArn", "repositoryName"}, .form = "{\"repositoryName\":\"{1}\"}", .part = "ecr:repository-policy",
     .resource = "{0}", .none = "RepositoryPolicyNotFoundException", .flags = AWS_POLICY},
    {.kind = "dynamodb:ListTables", .token_in = "ExclusiveStartTableName", .token_out = "LastEvaluatedTableName",
     .part = "dynamodb:resource-policy", .flags = AWS_REGIONAL},
    {.kind = "dynamodb:DescribeTable", .under = "dynamodb:ListTables", .items = "TableNames", .args = {"."},
     .form = "{\"TableName\":\"{0}\"}", .part = "dynamodb:tables", .resource = "arn:{p}:dynamodb:{r}:{a}:table/{0}"},
    {.kind = "dynamodb:GetResourcePolicy", .under = "dynamodb:DescribeTable", .items = "Table", .args = {"TableArn"},
     .form = "{\"ResourceArn\":\"{0}\"}", .part = "dynamodb:resource-policy", .resource = "{0}", .none = "PolicyNotFoundException", .flags = AWS_POLICY},
    {.kind = "events:ListEventBuses", .token_in = "NextToken", .token_out = "NextToken", .part = "events:bus-policy",
     .flags = AWS_REGIONAL},

    /* ---- interfaces and stores ---- */
    {.kind = "apigateway:GetRestApis", .form = "GET /restapis?limit=500", .token_in = "position", .token_out = "position",
     .part = "apigateway:policy", .action = "apigateway:GET", .flags = AWS_REGIONAL},
    {.kind = "backup:ListBackupVaults", .form = "GET /backup-vaults/", .token_in = "nextToken", .token_out = "NextToken",
     .part = "backup:vault-policy", .flags = AWS_REGIONAL | AWS_NOT_EVERYWHERE},
    {.kind = "backup:GetBackupVaultAccessPolicy", .under = "backup:ListBackupVaults", .items = "BackupVaultList",
     .args = {"BackupVaultArn", "BackupVaultName"}, .form = "GET /backup-vaults/{1}/access-policy", .part = "backup:vault-policy",
     .resource = "{0}", .none = "ResourceNotFoundException", .flags = AWS_POLICY},
    {.kind = "efs:DescribeFileSystems", .form = "GET /2015-02-01/file-systems", .token_in = "Marker", .token_out = "NextMarker",
     .part = "elasticfilesystem:file-system-policy", .action = "elasticfilesystem:DescribeFileSystems", .flags = AWS_REGIONAL | AWS_NOT_EVERYWHERE},
    {.kind = "efs:DescribeFileSystemPolicy", .under = "efs:DescribeFileSystems", .items = "FileSystems",
     .args = {"FileSystemArn", "FileSystemId"}, .form = "GET /2015-02-01/file-systems/{1}/policy", .part = "elasticfilesystem:file-system-policy",
     .resource = "{0}", .action = "elasticfilesystem:DescribeFileSystemPolicy", .none = "PolicyNotFound", .flags = AWS_POLICY},
    {.kind = "ec2:DescribeVpcEndpoints", .form = "MaxResults=1000", .token_in = "NextToken", .token_out = "NextToken",
     .part = "ec2:vpc-endpoint-policy", .flags = AWS_REGIONAL},

    /* ---- Identity Center ---- */
    {.kind = "sso-admin:ListInstances", .token_in = "NextToken", .token_out = "NextToken", .part = "sso",
     .action = "sso:ListInstances", .flags = AWS_REGIONAL | AWS_NOT_EVERYWHERE},
    {.kind = "sso-admin:ListPermissionSets", .under = "sso-admin:ListInstances", .items = "Instances", .args = {"InstanceArn"},
     .form = "{\"InstanceArn\":\"{0}\"}", .token_in = "NextToken", .token_out = "NextToken", .part = "sso", .resource = "{0}",
     .action = "sso:ListPermissionSets"},
#define PERMISSION_SET(operation, in, absent)                                                                                \
    {.kind = "sso-admin:" operation, .under = "sso-admin:ListPermissionSets", .items = "PermissionSets", .args = {"^0", "."}, \
     .form = "{\"InstanceArn\":\"{0}\",\"PermissionSetArn\":\"{1}\"}", .token_in = in, .token_out = in, .part = "sso",       \
     .resource = "{1}", .action = "sso:" operation, .none = absent}
    PERMISSION_SET("DescribePermissionSet", NULL, NULL),
    PERMISSION_SET("ListManagedPoliciesInPermissionSet", "NextToken", NULL),
    PERMISSION_SET("GetInlinePolicyForPermissionSet", NULL, NULL),
    PERMISSION_SET("ListCustomerManagedPolicyReferencesInPermissionSet", "NextToken", NULL),
    PERMISSION_SET("GetPermissionsBoundaryForPermissionSet", NULL, "ResourceNotFoundException"),
    PERMISSION_SET("ListAccountsForProvisionedPermissionSet", "NextToken", NULL),
#undef PERMISSION_SET
    {.kind = "sso-admin:ListAccountAssignments", .under = "sso-admin:ListAccountsForProvisionedPermissionSet", .items = "AccountIds",
     .args = {"^0", "^1", "."}, .form = "{\"InstanceArn\":\"{0}\",\"PermissionSetArn\":\"{1}\",\"AccountId\":\"{2}\"}",
     .token_in = "NextToken", .token_out = "NextToken", .part = "sso", .resource = "{1}", .action = "sso:ListAccountAssignments"},
    {.kind = "identitystore:ListUsers", .under = "sso-admin:ListInstances", .items = "Instances", .args = {"IdentityStoreId"},
     .form = "{\"IdentityStoreId\":\"{0}\"}", .token_in = "NextToken", .token_out = "NextToken", .part = "identitystore"},
    {.kind = "identitystore:ListGroups", .under = "sso-admin:ListInstances", .items = "Instances", .args = {"IdentityStoreId"},
     .form = "{\"IdentityStoreId\":\"{0}\"}", .token_in = "NextToken", .token_out = "NextToken", .part = "identitystore"},
    {.kind = "identitystore:ListGroupMemberships", .under = "identitystore:ListGroups", .items = "Groups", .args = {"^0", "GroupId"},
     .form = "{\"IdentityStoreId\":\"{0}\",\"GroupId\":\"{1}\"}", .token_in = "NextToken", .token_out = "NextToken",
     .part = "identitystore"},

    /* ---- IoT Core ---- */
    {.kind = "iot:ListThings", .form = "GET /things?maxResults=250", .token_in = "nextToken", .token_out = "nextToken", .part = "iot",
     .flags = AWS_REGIONAL | AWS_NOT_EVERYWHERE},
    {.kind = "iot:ListThingPrincipals", .under = "iot:ListThings", .items = "things", .args = {"thingName"},
     .form = "GET /things/{0}/principals", .token_in = "nextToken", .token_out = "nextToken", .part = "iot",
     .resource = "arn:{p}:iot:{r}:{a}:thing/{0}"},
    {.kind = "iot:ListCertificates", .form = "GET /certificates?pageSize=250", .token_in = "marker", .token_out = "nextMarker",
     .part = "iot", .flags = AWS_REGIONAL | AWS_NOT_EVERYWHERE},
    {.kind = "iot:DescribeCertificate", .under = "iot:ListCertificates", .items = "certificates", .args = {"certificateId"},
     .form = "GET /certificates/{0}", .part = "iot", .resource = "arn:{p}:iot:{r}:{a}:cert/{0}"},
    {.kind = "iot:ListPolicies", .form = "GET /policies?pageSize=250", .token_in = "marker", .token_out = "nextMarker", .part = "iot",
     .flags = AWS_REGIONAL | AWS_NOT_EVERYWHERE},
    {.kind = "iot:GetPolicy", .under = "iot:ListPolicies", .items = "policies", .args = {"policyName"}, .form = "GET /policies/{0}",
     .part = "iot", .resource = "arn:{p}:iot:{r}:{a}:policy/{0}"},
    {.kind = "iot:ListTargetsForPolicy", .under = "iot:ListPolicies", .items = "policies", .args = {"policyName"},
     .form = "POST /policy-targets/{0}", .token_in = "marker", .token_out = "nextMarker", .part = "iot",
     .resource = "arn:{p}:iot:{r}:{a}:policy/{0}"},
    {.kind = "iot:ListRoleAliases", .form = "GET /role-aliases?pageSize=250", .token_in = "marker", .token_out = "nextMarker",
     .part = "iot", .flags = AWS_REGIONAL | AWS_NOT_EVERYWHERE},
    {.kind = "iot:DescribeRoleAlias", .under = "iot:ListRoleAliases", .items = "roleAliases", .args = {"."},
     .form = "GET /role-aliases/{0}", .part = "iot", .resource = "arn:{p}:iot:{r}:{a}:rolealias/{0}"},
};

const aws_collection *aws_collections(size_t *count)
{
    *count = sizeof collections / sizeof *collections;
    return collections;
}
