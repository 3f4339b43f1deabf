/* SPDX-License-Identifier: Apache-2.0
 *
 * target.c - a table from actions and request parameters to ARNs.
 *
 * A row's form is an ARN with holes: {P} partition, {R} region, {A} account, {name} a request parameter
 * (a/b descends). The first row of an action whose parameters are all there is taken. The ARN shapes are
 * the catalogue's (Service Authorization Reference, "Resource types defined by ..."); the parameters'
 * names are the API's, as CloudTrail writes them (first letter small).
 */
#define _GNU_SOURCE /* memmem */
#include "plugins/aws/usage/target.h"

#include <stdio.h>

static const struct row {
    const char *prefix;
    const char *actions; /* names parted by blanks; a last '*' stands for any end; "*" alone: all */
    const char *form;
} rows[] = {
    {"acm", "DeleteCertificate DescribeCertificate ExportCertificate GetCertificate RenewCertificate",
     "{certificateArn}"},
    {"cloudformation", "CreateStack DeleteStack UpdateStack DescribeStackEvents DescribeStackResources GetTemplate",
     "arn:{P}:cloudformation:{R}:{A}:stack/{stackName}/*"},
    {"cloudtrail", "DeleteTrail GetEventSelectors GetTrailStatus PutEventSelectors StartLogging StopLogging UpdateTrail",
     "arn:{P}:cloudtrail:{R}:{A}:trail/{name}"},
    {"cloudtrail", "GetEventSelectors PutEventSelectors", "arn:{P}:cloudtrail:{R}:{A}:trail/{trailName}"},
    {"cloudwatch", "PutMetricAlarm", "arn:{P}:cloudwatch:{R}:{A}:alarm:{alarmName}"},
    {"dynamodb", "Query Scan", "arn:{P}:dynamodb:{R}:{A}:table/{tableName}/index/{indexName}"},
    {"dynamodb", "CreateTable DeleteItem DeleteTable DescribeContinuousBackups DescribeTable DescribeTimeToLive "
     "GetItem PutItem Query Scan UpdateContinuousBackups UpdateItem UpdateTable UpdateTimeToLive",
     "arn:{P}:dynamodb:{R}:{A}:table/{tableName}"},
    {"ec2", "GetConsoleOutput GetConsoleScreenshot GetPasswordData", "arn:{P}:ec2:{R}:{A}:instance/{instanceId}"},
    {"ec2", "MonitorInstances RebootInstances StartInstances StopInstances TerminateInstances UnmonitorInstances",
     "arn:{P}:ec2:{R}:{A}:instance/{instancesSet/items/instanceId}"},
    {"ec2", "DeleteVolume", "arn:{P}:ec2:{R}:{A}:volume/{volumeId}"},
    {"ec2", "DeleteSnapshot ModifySnapshotAttribute", "arn:{P}:ec2:{R}::snapshot/{snapshotId}"},
    {"ec2", "AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress DeleteSecurityGroup "
     "RevokeSecurityGroupEgress RevokeSecurityGroupIngress",
     "arn:{P}:ec2:{R}:{A}:security-group/{groupId}"},
    {"ecr", "BatchCheckLayerAvailability BatchDeleteImage BatchGetImage CompleteLayerUpload CreateRepository "
     "DeleteRepository DescribeImages GetDownloadUrlForLayer GetLifecyclePolicy GetRepositoryPolicy "
     "InitiateLayerUpload ListImages PutImage SetRepositoryPolicy UploadLayerPart",
     "arn:{P}:ecr:{R}:{A}:repository/{repositoryName}"},
    {"eks", "DeleteCluster DescribeCluster ListNodegroups UpdateClusterConfig UpdateClusterVersion",
     "arn:{P}:eks:{R}:{A}:cluster/{name}"},
    {"firehose", "PutRecord PutRecordBatch", "arn:{P}:firehose:{R}:{A}:deliverystream/{deliveryStreamName}"},
    /* A name without its path: the ARN cannot be known, but its kind can. */
    {"iam", "AttachRolePolicy CreateRole DeleteRole DeleteRolePolicy DetachRolePolicy GetRole GetRolePolicy "
     "ListAttachedRolePolicies ListRolePolicies PutRolePermissionsBoundary PutRolePolicy TagRole UntagRole "
     "UpdateAssumeRolePolicy UpdateRole", "arn:{P}:iam::{A}:role/*{?roleName}"},
    {"iam", "AttachUserPolicy CreateAccessKey CreateLoginProfile CreateUser DeleteAccessKey DeleteLoginProfile DeleteUser "
     "DeleteUserPolicy DetachUserPolicy GetUser GetUserPolicy ListAccessKeys ListAttachedUserPolicies "
     "ListUserPolicies PutUserPermissionsBoundary PutUserPolicy TagUser UntagUser UpdateAccessKey "
     "UpdateLoginProfile UpdateUser", "arn:{P}:iam::{A}:user/*{?userName}"},
    {"iam", "AddUserToGroup AttachGroupPolicy CreateGroup DeleteGroup DeleteGroupPolicy DetachGroupPolicy GetGroup "
     "GetGroupPolicy ListAttachedGroupPolicies ListGroupPolicies PutGroupPolicy RemoveUserFromGroup",
     "arn:{P}:iam::{A}:group/*{?groupName}"},
    {"iam", "CreatePolicyVersion DeletePolicy DeletePolicyVersion GetPolicy GetPolicyVersion "
     "ListEntitiesForPolicy ListPolicyVersions SetDefaultPolicyVersion", "{policyArn}"},
    {"kinesis", "DescribeStream DescribeStreamSummary GetRecords GetShardIterator ListShards PutRecord PutRecords",
     "arn:{P}:kinesis:{R}:{A}:stream/{streamName}"},
    {"kms", "*", "arn:{P}:kms:{R}:{A}:key/{keyId}"},
    {"lambda", "GetLayerVersion PublishLayerVersion DeleteLayerVersion", "arn:{P}:lambda:{R}:{A}:layer:{layerName}"},
    {"lambda", "AddPermission CreateAlias CreateFunction DeleteFunction GetFunction GetFunctionConfiguration GetPolicy "
     "InvokeFunction ListVersionsByFunction PublishVersion RemovePermission UpdateAlias "
     "UpdateFunctionCode UpdateFunctionConfiguration", "arn:{P}:lambda:{R}:{A}:function:{functionName}"},
    {"logs", "*", "arn:{P}:logs:{R}:{A}:log-group:{logGroupName}:log-stream:{logStreamName}"},
    {"logs", "*", "arn:{P}:logs:{R}:{A}:log-group:{logGroupName}:log-stream:"},
    {"rds", "DeleteDBInstance ModifyDBInstance RebootDBInstance StartDBInstance StopDBInstance",
     "arn:{P}:rds:{R}:{A}:db:{dBInstanceIdentifier}"},
    {"route53", "ChangeResourceRecordSets GetHostedZone ListResourceRecordSets",
     "arn:{P}:route53:::hostedzone/{hostedZoneId}"},
    {"s3", "GetBucketObjectLockConfiguration PutBucketObjectLockConfiguration", "arn:{P}:s3:::{bucketName}"},
    {"s3", "AbortMultipartUpload BypassGovernanceRetention DeleteObject* GetObject* ListMultipartUploadParts "
     "PutObject* RestoreObject", "arn:{P}:s3:::{bucketName}/{key}"},
    {"s3", "DeleteObject", "arn:{P}:s3:::{bucketName}/*"},
    {"s3", "CreateBucket DeleteBucket* GetAccelerateConfiguration GetAnalyticsConfiguration GetBucket* "
     "GetEncryptionConfiguration GetIntelligentTieringConfiguration GetInventoryConfiguration "
     "GetLifecycleConfiguration GetMetricsConfiguration GetReplicationConfiguration ListBucket* "
     "PutAccelerateConfiguration PutAnalyticsConfiguration PutBucket* PutEncryptionConfiguration "
     "PutIntelligentTieringConfiguration PutInventoryConfiguration PutLifecycleConfiguration "
     "PutMetricsConfiguration PutReplicationConfiguration", "arn:{P}:s3:::{bucketName}"},
    {"secretsmanager", "CreateSecret", "arn:{P}:secretsmanager:{R}:{A}:secret:{name}-*"},
    {"secretsmanager", "CancelRotateSecret DeleteResourcePolicy DeleteSecret DescribeSecret GetResourcePolicy "
     "GetSecretValue ListSecretVersionIds PutResourcePolicy PutSecretValue RestoreSecret RotateSecret "
     "UpdateSecret UpdateSecretVersionStage", "arn:{P}:secretsmanager:{R}:{A}:secret:{secretId}-*"},
    {"sns", "CreateTopic", "arn:{P}:sns:{R}:{A}:{name}"},
    {"sns", "*", "{topicArn}"},
    {"sns", "Publish", "{targetArn}"},
    {"sqs", "CreateQueue", "arn:{P}:sqs:{R}:{A}:{queueName}"},
    {"sqs", "*", "{@queueUrl}"},
    {"ssm", "DeleteParameter GetParameter GetParameterHistory PutParameter", "arn:{P}:ssm:{R}:{A}:parameter/{name}"},
    {"ssm", "DeleteParameters GetParameters", "arn:{P}:ssm:{R}:{A}:parameter/{names}"},
    {"ssm", "GetParametersByPath", "arn:{P}:ssm:{R}:{A}:parameter/{path}"},
    {"states", "*", "{stateMachineArn}"},
    {"sts", "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity", "{roleArn}"},
};

static bool among(const char *names, const char *name)
{
    size_t size = strlen(name);
    if (names[0] == '*' && !names[1])
        return true;
    for (const char *at = names; *at;) {
        size_t length = strcspn(at, " ");
        if (at[length - 1] == '*' ? size >= length - 1 && !memcmp(at, name, length - 1)
                                  : size == length && !memcmp(at, name, length))
            return true;
        at += length + (at[length] == ' ');
    }
    return false;
}

/* ---- building an ARN in the list's text; `full` is sticky ---- */

typedef struct builder {
    target_list *list;
    size_t begin;
    bool full;
} builder;

static void put(builder *b, kim_text text)
{
    target_list *list = b->list;
    if (b->full || text.size > sizeof list->text - list->used ||
        list->used + text.size - b->begin > TARGET_MAX_BYTES) {
        b->full = true;
        return;
    }
    if (text.size)
        memcpy(list->text + list->used, text.bytes, text.size);
    list->used += text.size;
}

static kim_text built(builder *b)
{
    if (b->full) {
        b->list->used = b->begin;
        return KIM_NO_TEXT;
    }
    return (kim_text){b->list->text + b->begin, b->list->used - b->begin};
}

/* Room to unescape into; absent where there is none. */
static kim_text plain(target_list *list, kim_text raw)
{
    if (raw.size > sizeof list->text - list->used)
        return KIM_NO_TEXT;
    kim_text text = event_unescape(raw, list->text + list->used);
    if (text.bytes == list->text + list->used)
        list->used += text.size;
    return text;
}

static bool is_arn(kim_text text)
{
    return text.size > 8 && !memcmp(text.bytes, "arn:", 4);
}

static const char *name_of(kim_text hole, const char *path[4], char names[64])
{
    size_t n = 0;
    snprintf(names, 64, "%.*s", KIM_PRINT(hole));
    for (char *at = names; at && n < 3; n++) {
        path[n] = at;
        at = strchr(at, '/');
        if (at)
            *at++ = '\0';
    }
    path[n] = NULL;
    return names;
}

/* https://sqs.REGION.amazonaws.com/ACCOUNT/NAME or https://queue.amazonaws.com/ACCOUNT/NAME */
static bool put_queue(builder *b, const event *e, kim_text url, kim_text partition)
{
    kim_text parts[2] = {{0}};
    size_t end = url.size;
    for (size_t i = 2; i-- > 0;) {
        size_t begin = end;
        while (begin && url.bytes[begin - 1] != '/')
            begin--;
        if (!begin)
            return false;
        parts[i] = (kim_text){url.bytes + begin, end - begin};
        end = begin - 1;
    }
    if (parts[0].size != 12 || !parts[1].size)
        return false;
    put(b, KIM_TEXT("arn:"));
    put(b, partition);
    put(b, KIM_TEXT(":sqs:"));
    put(b, e->region);
    put(b, KIM_TEXT(":"));
    put(b, parts[0]);
    put(b, KIM_TEXT(":"));
    put(b, parts[1]);
    return !b->full;
}

/* Fills one row's form, the nth element where a hole is a list. A value that is an ARN itself takes the
 * whole form's place. False where a parameter is not there. */
static bool fill(const event *e, const struct row *row, size_t nth, kim_text account, kim_text partition,
                 target_list *list, target *out)
{
    size_t before = list->used;
    kim_text values[3], whole = KIM_NO_TEXT;
    size_t count = 0;
    bool wide = false;
    for (const char *at = row->form; (at = strchr(at, '{')) != NULL; at++) {
        const char *close = strchr(at, '}');
        kim_text hole = {at + 1, (size_t)(close - at - 1)};
        if (hole.size == 1 && strchr("PRA", hole.bytes[0]))
            continue;
        char names[64];
        const char *path[4];
        bool only_asked = hole.bytes[0] == '?', is_queue = hole.bytes[0] == '@';
        hole.bytes += only_asked || is_queue;
        hole.size -= only_asked || is_queue;
        name_of(hole, path, names);
        kim_text value = event_find(e, e->request, path, nth);
        if (kim_text_is_absent(value) || !value.size || count == 3)
            return false;
        value = plain(list, value);
        if (kim_text_is_absent(value))
            return false;
        wide |= only_asked;
        if (is_arn(value) && !only_asked)
            whole = value;
        if (!strcmp(row->prefix, "kms") && memmem(value.bytes, value.size, "alias/", 6))
            return false; /* the decision is on the key behind the alias */
        values[count++] = value;
    }
    if (nth && !count)
        return false;
    builder b = {.list = list, .begin = list->used};
    if (whole.bytes) { /* with more than it, the form would hold one ARN within another */
        *out = (target){.arn = whole};
        return count == 1;
    }
    count = 0;
    for (const char *at = row->form; *at;) {
        const char *open = strchr(at, '{');
        if (!open) {
            put(&b, kim_text_of(at));
            break;
        }
        put(&b, (kim_text){at, (size_t)(open - at)});
        const char *close = strchr(open, '}');
        if (close - open == 2 && open[1] == 'P')
            put(&b, partition);
        else if (close - open == 2 && open[1] == 'R')
            put(&b, e->region);
        else if (close - open == 2 && open[1] == 'A')
            put(&b, account);
        else if (open[1] == '?')
            count++;
        else if (open[1] == '@') {
            if (!put_queue(&b, e, values[count++], partition))
                b.full = true;
        } else {
            kim_text value = values[count++];
            if (value.size && value.bytes[0] == '/' && open > row->form && open[-1] == '/') {
                value.bytes++;
                value.size--;
            }
            put(&b, value);
        }
        at = close + 1;
    }
    out->arn = built(&b);
    if (kim_text_is_absent(out->arn) || !is_arn(out->arn)) {
        list->used = before;
        return false;
    }
    out->widened = wide || out->arn.bytes[out->arn.size - 1] == '*';
    return true;
}

/* Services that write the resource their decision was about into `resources`, also for actions that may
 * be about one of several types. */
static bool is_exact(const action *a)
{
    static const char *const SERVICES[] = {"dynamodb", "kinesis", "kms", "lambda", "s3", "secretsmanager", "sns", "sqs", "sts"};
    for (size_t i = 0; i < sizeof SERVICES / sizeof *SERVICES; i++)
        if (strlen(SERVICES[i]) == a->prefix_size && !memcmp(SERVICES[i], a->text, a->prefix_size))
            return true;
    return false;
}

void targets_prepare(action *a)
{
    static const char OBJECTS[] = "AbortMultipartUpload DeleteObject* GetObject* ListMultipartUploadParts "
                                  "PutObject* ReplicateDelete ReplicateObject* RestoreObject";
    const char *name = a->text + a->prefix_size + 1;
    a->row_count = 0;
    a->on_object = a->prefix_size == 2 && !memcmp(a->text, "s3", 2) && among(OBJECTS, name);
    a->by_resources = a->takes == TAKES_ONE || (a->takes == TAKES_ANY && is_exact(a));
    if (a->takes == TAKES_NONE || a->takes == TAKES_SEVERAL)
        return;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].prefix) == a->prefix_size && !memcmp(rows[i].prefix, a->text, a->prefix_size) &&
            among(rows[i].actions, name) && a->row_count < sizeof a->rows)
            a->rows[a->row_count++] = (uint8_t)i;
}

/* Is one of the event's own resources what this action is decided on? By service, and for S3 by shape:
 * an object's ARN has a key, a bucket's has none. */
static bool fits(kim_text arn, const action *a)
{
    bool is_sts = a->prefix_size == 3 && !memcmp(a->text, "sts", 3); /* what it asks for is iam's: a role */
    const char *prefix = is_sts ? "iam" : a->text;
    if (!is_arn(arn))
        return false;
    const char *service = memchr(arn.bytes + 4, ':', arn.size - 4);
    if (!service || (size_t)(arn.bytes + arn.size - service) < a->prefix_size + 2 ||
        memcmp(service + 1, prefix, a->prefix_size) || service[1 + a->prefix_size] != ':')
        return false;
    return a->prefix_size != 2 || memcmp(a->text, "s3", 2) || (memchr(arn.bytes, '/', arn.size) != NULL) == a->on_object;
}

static void from_resources(const event *e, const action *a, target_list *list)
{
    for (size_t i = 0; i < e->resource_count; i++)
        if (e->resources[i].size <= TARGET_MAX_BYTES && fits(e->resources[i], a)) {
            list->items[0] = (target){.arn = plain(list, e->resources[i])};
            list->count = !kim_text_is_absent(list->items[0].arn);
            return;
        }
}

static void from_rows(const event *e, const action *a, kim_text account, kim_text partition, target_list *list)
{
    for (size_t i = 0; i < a->row_count && e->request && !list->count; i++)
        while (list->count < TARGET_MAX &&
               fill(e, &rows[a->rows[i]], list->count, account, partition, list, &list->items[list->count]))
            if (list->items[list->count++].widened)
                break;
}

void targets_find(const event *e, const action *a, kim_text account, kim_text partition, target_list *list)
{
    list->count = 0;
    list->used = 0;
    bool by_index = a->row_count && !strcmp(rows[a->rows[0]].prefix, "dynamodb"); /* `resources` has the table then */
    if (by_index)
        from_rows(e, a, account, partition, list);
    if (!list->count && a->by_resources)
        from_resources(e, a, list);
    if (!list->count && !by_index)
        from_rows(e, a, account, partition, list);
}

bool target_also(const event *e, const action_also *also, size_t nth, kim_text partition, target_list *list,
                 target *out)
{
    kim_text value = event_find(e, e->request, also->path, nth);
    if (kim_text_is_absent(value))
        return false;
    list->count = 0;
    list->used = 0;
    value = plain(list, value);
    if (kim_text_is_absent(value) || value.size > TARGET_MAX_BYTES)
        return false;
    *out = (target){.arn = value};
    if (also->kind == ALSO_ARN)
        return is_arn(value);
    builder b = {.list = list, .begin = list->used};
    if (value.size && value.bytes[0] == '/')
        value = (kim_text){value.bytes + 1, value.size - 1};
    const char *query = value.size ? memchr(value.bytes, '?', value.size) : NULL;
    if (query)
        value.size = (size_t)(query - value.bytes);
    put(&b, KIM_TEXT("arn:"));
    put(&b, partition);
    put(&b, KIM_TEXT(":s3:::"));
    for (size_t i = 0; i < value.size; i++) { /* the header is URL-encoded */
        unsigned byte;
        if (value.bytes[i] == '%' && i + 2 < value.size && sscanf(value.bytes + i + 1, "%2x", &byte) == 1 && byte) {
            char c = (char)byte;
            put(&b, (kim_text){&c, 1});
            i += 2;
        } else
            put(&b, (kim_text){value.bytes + i, 1});
    }
    out->arn = built(&b);
    return !kim_text_is_absent(out->arn) && memchr(value.bytes, '/', value.size);
}

bool target_table_row(size_t i, const char **prefix, const char **actions, const char **form)
{
    if (i >= sizeof rows / sizeof *rows)
        return false;
    *prefix = rows[i].prefix;
    *actions = rows[i].actions;
    *form = rows[i].form;
    return true;
}
