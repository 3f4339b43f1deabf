/* SPDX-License-Identifier: Apache-2.0
 *
 * action.c - tables, and the walk over them.
 */
#include "plugins/aws/usage/action.h"

#include <ctype.h>
#include <stdio.h>
#include <strings.h>

#include "plugins/aws/usage/target.h"

static const struct service {
    const char *prefix;
    const char *names; /* front-coded: action_names.awk */
} services[] = {
#include "plugins/aws/usage/action_names.inc"
};

/* eventSource without ".amazonaws.com", where it is not the IAM prefix itself; several in turn. */
static const struct source {
    const char *source, *prefix;
} sources[] = {
    {"a2i-runtime.sagemaker", "sagemaker"},
    {"agreement-marketplace", "aws-marketplace"},
    {"api.detective", "detective"},
    {"api.ecr", "ecr"},
    {"api.ecr-public", "ecr-public"},
    {"api.iotdeviceadvisor", "iotdeviceadvisor"},
    {"api.iotwireless", "iotwireless"},
    {"api.mediatailor", "mediatailor"},
    {"api.pricing", "pricing"},
    {"api.sagemaker", "sagemaker"},
    {"api.tunneling.iot", "iot"},
    {"appconfigdata", "appconfig"},
    {"appstream2", "appstream"},
    {"awsconfig", "config"},
    {"bedrock-agent", "bedrock"},
    {"bedrock-agent-runtime", "bedrock"},
    {"bedrock-agentcore-control", "bedrock-agentcore"},
    {"bedrock-data-automation", "bedrock"},
    {"bedrock-runtime", "bedrock"},
    {"billingconsole", "billing"},
    {"billingconsole", "account"},
    {"billingconsole", "payments"},
    {"catalog.marketplace", "aws-marketplace"},
    {"cloudcontrolapi", "cloudformation"},
    {"cloudhsmv2", "cloudhsm"},
    {"data.iot", "iot"},
    {"data.mediastore", "mediastore"},
    {"data-ats.iot", "iot"},
    {"data-signer", "signer"},
    {"deployment-marketplace", "aws-marketplace"},
    {"discovery-marketplace", "aws-marketplace"},
    {"edge.sagemaker", "sagemaker"},
    {"email", "ses"},
    {"entitlement.marketplace", "aws-marketplace"},
    {"eventsv2", "events"},
    {"featurestore-runtime.sagemaker", "sagemaker"},
    {"forecastquery", "forecast"},
    {"identity-chime", "chime"},
    {"ingest.timestream", "timestream"},
    {"iotdata", "iot"},
    {"iotjobsdata", "iot"},
    {"iotsecuredtunneling", "iot"},
    {"ivsrealtime", "ivs"},
    {"mail-manager", "ses"},
    {"marketplacecatalog", "aws-marketplace"},
    {"media-pipelines-chime", "chime"},
    {"meetings-chime", "chime"},
    {"memory-db", "memorydb"},
    {"messaging-chime", "chime"},
    {"metering-marketplace", "aws-marketplace"},
    {"metering.marketplace", "aws-marketplace"},
    {"migrationhub-config", "mgh"},
    {"models-v2-lex", "lex"},
    {"models.lex", "lex"},
    {"monitoring", "cloudwatch"},
    {"mturk-requester", "mechanicalturk"},
    {"opensearch", "es"},
    {"participant.connect", "connect"},
    {"personalize-events", "personalize"},
    {"personalize-runtime", "personalize"},
    {"pinpoint", "mobiletargeting"},
    {"pinpoint-sms-voice", "sms-voice"},
    {"query.timestream", "timestream"},
    {"runtime-v2-lex", "lex"},
    {"runtime.lex", "lex"},
    {"runtime.sagemaker", "sagemaker"},
    {"s3-control", "s3"},
    {"s3-outposts", "s3-outposts"},
    {"servicecatalog-appregistry", "servicecatalog"},
    {"sms-voice.pinpoint", "sms-voice"},
    {"streams.dynamodb", "dynamodb"},
    {"tagging", "tag"},
    {"voice-chime", "chime"},
};

/* What is spelt otherwise. An empty action: nothing that IAM decides by an action. */
static const struct spelling {
    const char *event, *action;
} spellings[] = {
    {"access-analyzer:GetFindingV2", "access-analyzer:GetFinding"},
    {"access-analyzer:ListFindingsV2", "access-analyzer:ListFindings"},
    {"bedrock:Converse", "bedrock:InvokeModel"},
    {"bedrock:ConverseStream", "bedrock:InvokeModelWithResponseStream"},
    {"bedrock:StartAsyncInvoke", "bedrock:InvokeModel"},
    {"bedrock-runtime:Converse", "bedrock:InvokeModel"},
    {"bedrock-runtime:ConverseStream", "bedrock:InvokeModelWithResponseStream"},
    {"bedrock-runtime:StartAsyncInvoke", "bedrock:InvokeModel"},
    {"budgets:CreateBudget", "budgets:ModifyBudget"},
    {"budgets:CreateNotification", "budgets:ModifyBudget"},
    {"budgets:CreateSubscriber", "budgets:ModifyBudget"},
    {"budgets:DeleteBudget", "budgets:ModifyBudget"},
    {"budgets:DeleteNotification", "budgets:ModifyBudget"},
    {"budgets:DeleteSubscriber", "budgets:ModifyBudget"},
    {"budgets:DescribeBudget", "budgets:ViewBudget"},
    {"budgets:DescribeBudgetNotificationsForAccount", "budgets:ViewBudget"},
    {"budgets:DescribeBudgetPerformanceHistory", "budgets:ViewBudget"},
    {"budgets:DescribeBudgets", "budgets:ViewBudget"},
    {"budgets:DescribeNotificationsForBudget", "budgets:ViewBudget"},
    {"budgets:DescribeSubscribersForNotification", "budgets:ViewBudget"},
    {"budgets:UpdateBudget", "budgets:ModifyBudget"},
    {"budgets:UpdateNotification", "budgets:ModifyBudget"},
    {"budgets:UpdateSubscriber", "budgets:ModifyBudget"},
    {"cloudfront:CreateDistributionWithTags", "cloudfront:CreateDistribution"},
    {"dynamodb:BatchExecuteStatement", NULL}, /* PartiQL: which of four actions, the event does not say */
    {"kms:ReEncrypt", "kms:ReEncryptFrom"},
    {"lambda:GetLayerVersionByArn", "lambda:GetLayerVersion"},
    {"lambda:Invoke", "lambda:InvokeFunction"},
    {"lambda:InvokeAsync", "lambda:InvokeFunction"},
    {"lambda:InvokeWithResponseStream", "lambda:InvokeFunction"},
    {"s3:CompleteMultipartUpload", "s3:PutObject"},
    {"s3:CopyObject", "s3:PutObject"},
    {"s3:CreateMultipartUpload", "s3:PutObject"},
    {"s3:CreateSession", "s3express:CreateSession"},
    {"s3:DeleteAccountPublicAccessBlock", "s3:PutAccountPublicAccessBlock"},
    {"s3:DeleteBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration"},
    {"s3:DeleteBucketCors", "s3:PutBucketCORS"},
    {"s3:DeleteBucketEncryption", "s3:PutEncryptionConfiguration"},
    {"s3:DeleteBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration"},
    {"s3:DeleteBucketInventoryConfiguration", "s3:PutInventoryConfiguration"},
    {"s3:DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"},
    {"s3:DeleteBucketMetricsConfiguration", "s3:PutMetricsConfiguration"},
    {"s3:DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls"},
    {"s3:DeleteBucketPublicAccessBlock", "s3:PutBucketPublicAccessBlock"},
    {"s3:DeleteBucketReplication", "s3:PutReplicationConfiguration"},
    {"s3:DeleteBucketTagging", "s3:PutBucketTagging"},
    {"s3:DeleteObjects", "s3:DeleteObject"},
    {"s3:DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock"},
    {"s3:GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration"},
    {"s3:GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration"},
    {"s3:GetBucketEncryption", "s3:GetEncryptionConfiguration"},
    {"s3:GetBucketIntelligentTieringConfiguration", "s3:GetIntelligentTieringConfiguration"},
    {"s3:GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration"},
    {"s3:GetBucketLifecycle", "s3:GetLifecycleConfiguration"},
    {"s3:GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"},
    {"s3:GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration"},
    {"s3:GetBucketNotificationConfiguration", "s3:GetBucketNotification"},
    {"s3:GetBucketReplication", "s3:GetReplicationConfiguration"},
    {"s3:GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration"},
    {"s3:GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"},
    {"s3:HeadBucket", "s3:ListBucket"},
    {"s3:HeadObject", "s3:GetObject"},
    {"s3:ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration"},
    {"s3:ListBucketIntelligentTieringConfigurations", "s3:GetIntelligentTieringConfiguration"},
    {"s3:ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration"},
    {"s3:ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration"},
    {"s3:ListBuckets", "s3:ListAllMyBuckets"},
    {"s3:ListMultipartUploads", "s3:ListBucketMultipartUploads"},
    {"s3:ListObjects", "s3:ListBucket"},
    {"s3:ListObjectsV2", "s3:ListBucket"},
    {"s3:ListObjectVersions", "s3:ListBucketVersions"},
    {"s3:ListParts", "s3:ListMultipartUploadParts"},
    {"s3:PostObject", "s3:PutObject"},
    {"s3:PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration"},
    {"s3:PutBucketAnalyticsConfiguration", "s3:PutAnalyticsConfiguration"},
    {"s3:PutBucketEncryption", "s3:PutEncryptionConfiguration"},
    {"s3:PutBucketIntelligentTieringConfiguration", "s3:PutIntelligentTieringConfiguration"},
    {"s3:PutBucketInventoryConfiguration", "s3:PutInventoryConfiguration"},
    {"s3:PutBucketLifecycle", "s3:PutLifecycleConfiguration"},
    {"s3:PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"},
    {"s3:PutBucketMetricsConfiguration", "s3:PutMetricsConfiguration"},
    {"s3:PutBucketNotificationConfiguration", "s3:PutBucketNotification"},
    {"s3:PutBucketReplication", "s3:PutReplicationConfiguration"},
    {"s3:PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration"},
    {"s3:PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"},
    {"s3:SelectObjectContent", "s3:GetObject"},
    {"s3:UploadPart", "s3:PutObject"},
    {"s3:UploadPartCopy", "s3:PutObject"},
    {"s3:WriteGetObjectResponse", "s3-object-lambda:WriteGetObjectResponse"},
    {"signin:CheckMfa", ""},
    {"signin:ConsoleLogin", ""},
    {"signin:CredentialChallenge", ""},
    {"signin:CredentialVerification", ""},
    {"signin:ExitRole", ""},
    {"signin:ExternalIdPDirectoryLogin", ""},
    {"signin:GetSigninToken", ""},
    {"signin:PasswordRecoveryCompleted", ""},
    {"signin:PasswordRecoveryRequested", ""},
    {"signin:PasswordUpdated", ""},
    {"signin:RenewRole", ""},
    {"signin:SwitchRole", ""},
    {"signin:UserAuthentication", ""},
    {"sns:PublishBatch", "sns:Publish"},
    {"sqs:ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility"},
    {"sqs:DeleteMessageBatch", "sqs:DeleteMessage"},
    {"sqs:SendMessageBatch", "sqs:SendMessage"},
    {"sso:Authenticate", ""},
    {"sso:Federate", ""},
    {"sso:Logout", ""},
    {"verifiedpermissions:BatchGetPolicy", "verifiedpermissions:GetPolicy"},
    {"verifiedpermissions:BatchIsAuthorized", "verifiedpermissions:IsAuthorized"},
    {"verifiedpermissions:BatchIsAuthorizedWithToken", "verifiedpermissions:IsAuthorizedWithToken"},
};

/* Sorted by event: rows of one stand together. iam:PassRole is no API call: it shows only in the
 * role that another call hands over (IAM User Guide, "Grant a user permissions to pass a role"). */
static const action_also alsos[] = {
    {"autoscaling:CreateAutoScalingGroup", "iam:PassRole", ALSO_ARN, {"serviceLinkedRoleARN"}},
    {"batch:CreateComputeEnvironment", "iam:PassRole", ALSO_ARN, {"serviceRole"}},
    {"cloudformation:CreateChangeSet", "iam:PassRole", ALSO_ARN, {"roleARN"}},
    {"cloudformation:CreateStack", "iam:PassRole", ALSO_ARN, {"roleARN"}},
    {"cloudformation:DeleteStack", "iam:PassRole", ALSO_ARN, {"roleARN"}},
    {"cloudformation:UpdateStack", "iam:PassRole", ALSO_ARN, {"roleARN"}},
    {"cloudtrail:CreateTrail", "iam:PassRole", ALSO_ARN, {"cloudWatchLogsRoleArn"}},
    {"cloudtrail:UpdateTrail", "iam:PassRole", ALSO_ARN, {"cloudWatchLogsRoleArn"}},
    {"codebuild:CreateProject", "iam:PassRole", ALSO_ARN, {"serviceRole"}},
    {"codebuild:UpdateProject", "iam:PassRole", ALSO_ARN, {"serviceRole"}},
    {"codepipeline:CreatePipeline", "iam:PassRole", ALSO_ARN, {"pipeline", "roleArn"}},
    {"codepipeline:UpdatePipeline", "iam:PassRole", ALSO_ARN, {"pipeline", "roleArn"}},
    {"config:PutConfigurationRecorder", "iam:PassRole", ALSO_ARN, {"configurationRecorder", "roleARN"}},
    {"ecs:CreateService", "iam:PassRole", ALSO_ARN, {"role"}},
    {"ecs:RegisterTaskDefinition", "iam:PassRole", ALSO_ARN, {"executionRoleArn"}},
    {"ecs:RegisterTaskDefinition", "iam:PassRole", ALSO_ARN, {"taskRoleArn"}},
    {"ecs:RunTask", "iam:PassRole", ALSO_ARN, {"overrides", "executionRoleArn"}},
    {"ecs:RunTask", "iam:PassRole", ALSO_ARN, {"overrides", "taskRoleArn"}},
    {"eks:CreateCluster", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"eks:CreateNodegroup", "iam:PassRole", ALSO_ARN, {"nodeRole"}},
    {"events:PutTargets", "iam:PassRole", ALSO_ARN, {"targets", "roleArn"}},
    {"glue:CreateCrawler", "iam:PassRole", ALSO_ARN, {"role"}},
    {"glue:CreateDevEndpoint", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"glue:CreateJob", "iam:PassRole", ALSO_ARN, {"role"}},
    {"iot:CreateRoleAlias", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"kms:ReEncryptFrom", "kms:ReEncryptTo", ALSO_ARN, {"destinationKeyId"}},
    {"lambda:CreateFunction", "iam:PassRole", ALSO_ARN, {"role"}},
    {"lambda:UpdateFunctionConfiguration", "iam:PassRole", ALSO_ARN, {"role"}},
    {"pipes:CreatePipe", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"rds:AddRoleToDBCluster", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"rds:AddRoleToDBInstance", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"s3:PutObject", "s3:GetObject", ALSO_COPY_SOURCE, {"x-amz-copy-source"}},
    {"sagemaker:CreateModel", "iam:PassRole", ALSO_ARN, {"executionRoleArn"}},
    {"sagemaker:CreateNotebookInstance", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"sagemaker:CreateProcessingJob", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"sagemaker:CreateTrainingJob", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"scheduler:CreateSchedule", "iam:PassRole", ALSO_ARN, {"target", "roleArn"}},
    {"states:CreateStateMachine", "iam:PassRole", ALSO_ARN, {"roleArn"}},
    {"states:UpdateStateMachine", "iam:PassRole", ALSO_ARN, {"roleArn"}},
};

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})
const action_data action_data_events[] = {
    {"bedrock", LIST("bedrock:InvokeModelWithResponseStream", "bedrock:Retrieve", "bedrock:RetrieveAndGenerate",
                     "bedrock:InvokeAgent", "bedrock:InvokeFlow")},
    {"cloudwatch", LIST("cloudwatch:PutMetricData", "cloudwatch:GetMetricData", "cloudwatch:GetMetricStatistics")},
    {"dynamodb", LIST("dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:ConditionCheckItem",
                      "dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:GetRecords", "dynamodb:GetShardIterator",
                      "dynamodb:PartiQL*", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:Scan",
                      "dynamodb:UpdateItem")},
    {"ebs", LIST("ebs:CompleteSnapshot", "ebs:GetSnapshotBlock", "ebs:ListChangedBlocks",
                 "ebs:ListSnapshotBlocks", "ebs:PutSnapshotBlock", "ebs:StartSnapshot")},
    {"kinesis", LIST("kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:PutRecord",
                     "kinesis:PutRecords", "kinesis:SubscribeToShard")},
    {"lambda", LIST("lambda:InvokeAsync", "lambda:InvokeFunction", "lambda:InvokeFunctionUrl")},
    {"rds-data", LIST("rds-data:BatchExecuteStatement", "rds-data:BeginTransaction", "rds-data:CommitTransaction",
                      "rds-data:ExecuteSql", "rds-data:ExecuteStatement", "rds-data:RollbackTransaction")},
    {"s3", LIST("s3:AbortMultipartUpload", "s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObject*",
                "s3:GetObject", "s3:GetObject*", "s3:ListBucket", "s3:ListBucketMultipartUploads",
                "s3:ListBucketVersions", "s3:ListMultipartUploadParts", "s3:PutObject", "s3:PutObject*",
                "s3:RestoreObject")},
    {"sns", LIST("sns:Publish")},
    {"sqs", LIST("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage")},
    {"states", LIST("states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess",
                    "states:StartSyncExecution")},
    {NULL, NULL},
};

/* API Gateway's IAM actions are the methods of its REST API, but for a few; botocore's models have them.
 * The exceptions first. */
static const char *verb_of(kim_text name)
{
    static const struct {
        const char *name, *verb;
        bool is_prefix;
    } verbs[] = {
        {"DisablePortal", NULL, false},
        {"ImportApi", "PUT", false},
        {"ImportDocumentationParts", "PUT", false},
        {"ReimportApi", "PUT", false},
        {"ResetAuthorizersCache", "DELETE", false},
        {"TagResource", NULL, false}, /* PUT or POST, by which of the two APIs */
        {"UntagResource", "DELETE", false},
        {"Flush", "DELETE", true},
        {"Delete", "DELETE", true},
        {"Get", "GET", true},
        {"List", "GET", true},
        {"Export", "GET", true},
        {"Update", "PATCH", true},
        {"Put", "PUT", true},
        {"Create", "POST", true},
        {"Generate", "POST", true},
        {"Import", "POST", true},
        {"Reject", "POST", true},
        {"Test", "POST", true},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        size_t size = strlen(verbs[i].name);
        if (name.size >= size && !memcmp(name.bytes, verbs[i].name, size) &&
            (verbs[i].is_prefix || name.size == size))
            return verbs[i].verb;
    }
    return NULL;
}

/* Finds a name under a prefix, letters folded, and writes "prefix:Name" as the catalogue has it. */
static bool spell(const char *prefix, kim_text name, char out[ACTION_MAX_BYTES], action_takes *takes)
{
    char found[ACTION_MAX_BYTES];
    size_t low = 0, high = sizeof services / sizeof *services;
    while (low < high) { /* sorted as the catalogue is: by prefix and a colon */
        size_t middle = (low + high) / 2;
        char a[ACTION_MAX_BYTES], b[ACTION_MAX_BYTES];
        snprintf(a, sizeof a, "%s:", services[middle].prefix);
        snprintf(b, sizeof b, "%s:", prefix);
        int order = strcmp(a, b);
        if (order == 0) {
            for (const char *at = services[middle].names; *at; at++) {
                size_t size = (size_t)(*at++ - '!');
                while (*at != '\n' && size < sizeof found)
                    found[size++] = *at++;
                size--; /* the digit */
                if (size == name.size && !strncasecmp(found, name.bytes, size)) {
                    *takes = (action_takes)(found[size] - '0');
                    snprintf(out, ACTION_MAX_BYTES, "%s:%.*s", prefix, (int)size, found);
                    return true;
                }
            }
            return false;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool action_spell(kim_text written, char out[ACTION_MAX_BYTES], action_takes *takes)
{
    const char *colon = written.size ? memchr(written.bytes, ':', written.size) : NULL;
    char prefix[64];
    size_t size = colon ? (size_t)(colon - written.bytes) : 0;
    if (!colon || size >= sizeof prefix)
        return false;
    for (size_t i = 0; i < size; i++)
        prefix[i] = (char)tolower((unsigned char)written.bytes[i]);
    prefix[size] = '\0';
    return spell(prefix, (kim_text){colon + 1, written.size - size - 1}, out, takes);
}

/* The name without the API's version at its end: "20150331", "20150331v2", "2020_05_31". */
static kim_text without_version(kim_text name)
{
    size_t size = name.size;
    if (size > 2 && isdigit((unsigned char)name.bytes[size - 1]) && name.bytes[size - 2] == 'v')
        size -= 2;
    size_t digits = 0;
    while (size && digits < 8 && (isdigit((unsigned char)name.bytes[size - 1]) || name.bytes[size - 1] == '_'))
        digits += name.bytes[--size] != '_';
    return digits == 8 ? (kim_text){name.bytes, size} : name;
}

static bool is_source(const char *row, kim_text source)
{
    return strlen(row) == source.size && !strncasecmp(row, source.bytes, source.size);
}

/* The tables and the catalogue under one prefix. */
static bool resolve_under(const char *prefix, kim_text name, action *out)
{
    char call[ACTION_MAX_BYTES];
    if (snprintf(call, sizeof call, "%s:%.*s", prefix, KIM_PRINT(name)) >= (int)sizeof call)
        return false;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++)
        if (!strcasecmp(spellings[i].event, call)) {
            if (!spellings[i].action)
                return true; /* known to have no single action */
            out->kind = *spellings[i].action && action_spell(kim_text_of(spellings[i].action), out->text, &out->takes)
                            ? ACTION_KNOWN : *spellings[i].action ? ACTION_UNMAPPED : ACTION_NONE;
            return true;
        }
    if (!strcmp(prefix, "apigateway")) {
        const char *verb = verb_of(name);
        if (!spell(prefix, name, out->text, &out->takes) &&
            (!verb || !spell(prefix, kim_text_of(verb), out->text, &out->takes)))
            return false;
        out->kind = ACTION_KNOWN;
        return true;
    }
    if (!spell(prefix, name, out->text, &out->takes))
        return false;
    out->kind = ACTION_KNOWN;
    return true;
}

static bool resolve_name(kim_text source, kim_text name, action *out)
{
    char prefix[64];
    if (source.size && source.size < sizeof prefix) {
        for (size_t i = 0; i < source.size; i++)
            prefix[i] = (char)tolower((unsigned char)source.bytes[i]);
        prefix[source.size] = '\0';
        if (resolve_under(prefix, name, out))
            return true;
    }
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (is_source(sources[i].source, source) && resolve_under(sources[i].prefix, name, out))
            return true;
    return false;
}

static void complete(action *out)
{
    out->size = strlen(out->text);
    out->prefix_size = strcspn(out->text, ":");
    out->has_version = action_versioned(out->text) != NULL;
    targets_prepare(out);
    for (size_t i = 0; i < sizeof alsos / sizeof *alsos; i++)
        if (!strcmp(alsos[i].event, out->text)) {
            if (!out->also_count++)
                out->also = &alsos[i];
        }
}

void action_resolve(kim_text source, kim_text name, kim_text type, action *out)
{
    static const char *const NOT_CALLS[] = {"AwsServiceEvent", "AwsConsoleSignIn", "AwsCloudTrailInsight"};
    static const char HOST[] = ".amazonaws.com";
    *out = (action){.kind = ACTION_UNMAPPED};
    for (size_t i = 0; i < sizeof NOT_CALLS / sizeof *NOT_CALLS; i++)
        if (kim_text_is(type, NOT_CALLS[i])) {
            out->kind = ACTION_NONE;
            return;
        }
    if (source.size > sizeof HOST - 1 && !memcmp(source.bytes + source.size - (sizeof HOST - 1), HOST, sizeof HOST - 1))
        source.size -= sizeof HOST - 1;
    kim_text plain = without_version(name);
    if (!resolve_name(source, name, out) && plain.size < name.size)
        resolve_name(source, plain, out);
    if (out->kind == ACTION_KNOWN)
        complete(out);
}

void action_written(kim_text text, action *out)
{
    *out = (action){.kind = ACTION_UNMAPPED};
    if (!action_spell(text, out->text, &out->takes))
        return;
    out->kind = ACTION_KNOWN;
    complete(out);
}

const char *action_versioned(const char *text)
{
    static const struct {
        const char *plain, *versioned;
    } rows[] = {
        {"s3:DeleteObject", "s3:DeleteObjectVersion"},
        {"s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"},
        {"s3:GetObject", "s3:GetObjectVersion"},
        {"s3:GetObjectAcl", "s3:GetObjectVersionAcl"},
        {"s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"},
        {"s3:GetObjectTagging", "s3:GetObjectVersionTagging"},
        {"s3:GetObjectTorrent", "s3:GetObjectVersionTorrent"},
        {"s3:PutObjectAcl", "s3:PutObjectVersionAcl"},
        {"s3:PutObjectTagging", "s3:PutObjectVersionTagging"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].plain, text))
            return rows[i].versioned;
    return NULL;
}

const char *action_table_row(size_t i, const char **to)
{
    size_t first = sizeof spellings / sizeof *spellings, second = sizeof alsos / sizeof *alsos;
    if (i < first) {
        *to = spellings[i].action;
        return spellings[i].event;
    }
    if (i - first < second) {
        *to = alsos[i - first].action;
        return alsos[i - first].event;
    }
    return NULL;
}
