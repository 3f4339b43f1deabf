/* SPDX-License-Identifier: Apache-2.0
 *
 * read_listings.c - resources as lists and descriptions name them, and their tags, by a table of members.
 *
 * Source: each service's API Reference, the operation that the row names.
 */
#include "plugins/aws/arn.h"
#include "plugins/aws/parts.h"
#include "plugins/aws/read.h"

typedef struct listing {
    const char *kind;
    const char *inside;           /* the member that holds the description; NULL: the element itself is it */
    const char *arn, *name;       /* its members; arn NULL: the element is a string, an ARN or a URL */
    const char *tags, *role;      /* NULL: none */
    const char *policy;
} listing;

static const listing listings[] = {
    {"kms:ListKeys", NULL, "KeyArn", NULL, NULL, NULL, NULL},
    {"sns:ListTopics", NULL, "TopicArn", NULL, NULL, NULL, NULL},
    {"lambda:ListFunctions", NULL, "FunctionArn", "FunctionName", NULL, "Role", NULL},
    {"secretsmanager:ListSecrets", NULL, "ARN", "Name", "Tags", NULL, NULL},
    {"ecr:DescribeRepositories", NULL, "repositoryArn", "repositoryName", NULL, NULL, NULL},
    {"dynamodb:DescribeTable", "Table", "TableArn", "TableName", NULL, NULL, NULL},
    {"events:ListEventBuses", NULL, "Arn", "Name", NULL, NULL, "Policy"},
    {"backup:ListBackupVaults", NULL, "BackupVaultArn", "BackupVaultName", NULL, NULL, NULL},
    {"efs:DescribeFileSystems", NULL, "FileSystemArn", "Name", "Tags", NULL, NULL},
};

static int put_listed(aws_reading *r, const listing *at, const kim_json *value)
{
    const kim_json *one = at->inside ? kim_json_get(value, at->inside) : value;
    kim_text arn = kim_json_text_of(one, at->arn);
    kim_pair fact = {KIM_TEXT("role"), at->role ? kim_json_text_of(one, at->role) : KIM_NO_TEXT};
    if (!kim_text_starts_with(arn, KIM_TEXT("arn:")))
        return aws_read_skip(r, "resources", KIM_NO_TEXT, "an entry has no %s", at->arn);
    if (aws_read_account(r, arn) < 0)
        return -1;
    kim_record record = {.type = KIM_RESOURCE,
                         .resource = {.id = arn, .type = aws_resource_type(r->out->arena, arn),
                                      .name = at->name ? kim_json_text_of(one, at->name) : KIM_NO_TEXT,
                                      .tags = at->tags ? aws_tags(r->out->arena, kim_json_get(one, at->tags)) : (kim_pairs){NULL, 0},
                                      .facts = {&fact, fact.value.size ? 1 : 0}}};
    if (aws_read_put(r, &record) < 0)
        return -1;
    const kim_json *policy = at->policy ? kim_json_get(one, at->policy) : NULL;
    return policy ? aws_read_resource_policy(r, arn, policy) : 0;
}

static int read_listed(aws_reading *r, const kim_json *value)
{
    for (size_t i = 0; i < sizeof listings / sizeof *listings; i++)
        if (strcmp(listings[i].kind, r->kind) == 0)
            return put_listed(r, &listings[i], value);
    return aws_read_untold(r, "what it lists");
}

static int read_table_names(aws_reading *r, const kim_json *document)
{
    return aws_read_names(r, kim_json_get(document, "TableNames"), "dynamodb", "table");
}

/* {"Tags":[...]} or {"Tags":{...}} of what was asked about. */
static int read_tags(aws_reading *r, const kim_json *document)
{
    kim_text id = aws_read_subject(r, document, "ResourceArn", "KeyId", "Resource", "QueueUrl", NULL);
    const kim_json *tags = kim_json_get(document, "Tags");
    if (kim_text_starts_with(id, KIM_TEXT("https://"))) {
        id = aws_queue_of_url(r, id);
    } else if (!kim_text_starts_with(id, KIM_TEXT("arn:"))) {
        return aws_read_untold(r, "the resource (ResourceArn)");
    }
    if (id.size == 0)
        return aws_read_untold(r, "the queue");
    if (aws_read_account(r, id) < 0)
        return -1;
    kim_record record = {.type = KIM_RESOURCE,
                         .resource = {.id = id, .type = aws_resource_type(r->out->arena, id), .tags = aws_tags(r->out->arena, tags)}};
    return aws_read_put(r, &record);
}

const aws_row aws_rows_listings[] = {
    {"kms:ListKeys", "Keys[].KeyArn", "Keys", read_listed, NULL, "kms:key-policy"},
    {"kms:ListResourceTags", "Tags[].TagKey", NULL, read_tags, "KeyId", "kms:tags"},
    {"sqs:ListQueues", "QueueUrls[]", NULL, NULL, NULL, "sqs:queue-policy"},
    {"sqs:ListQueueTags", "Tags{}", NULL, read_tags, "QueueUrl", "sqs:tags"},
    {"sns:ListTopics", "Topics[].TopicArn", "Topics", read_listed, NULL, "sns:topic-policy"},
    {"sns:ListTagsForResource", "Tags[].Key", NULL, read_tags, "ResourceArn", "sns:tags"},
    {"lambda:ListFunctions", "Functions[].FunctionArn", "Functions", read_listed, NULL, "lambda:policy"},
    {"lambda:ListTags", "Tags{}", NULL, read_tags, "Resource", "lambda:tags"},
    {"secretsmanager:ListSecrets", "SecretList[].ARN", "SecretList", read_listed, NULL, "secretsmanager:resource-policy"},
    {"ecr:DescribeRepositories", "repositories[].repositoryArn", "repositories", read_listed, NULL, "ecr:repository-policy"},
    {"dynamodb:ListTables", "TableNames[]", NULL, read_table_names, NULL, "dynamodb:resource-policy"},
    {"dynamodb:DescribeTable", "Table.TableArn", NULL, read_listed, NULL, "dynamodb:resource-policy"},
    {"events:ListEventBuses", "EventBuses[].Arn", "EventBuses", read_listed, NULL, "events:bus-policy"},
    {"backup:ListBackupVaults", "BackupVaultList[].BackupVaultArn", "BackupVaultList", read_listed, NULL, "backup:vault-policy"},
    {"efs:DescribeFileSystems", "FileSystems[].FileSystemArn", "FileSystems", read_listed, NULL, "elasticfilesystem:file-system-policy"},
    {NULL},
};
