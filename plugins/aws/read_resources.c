/* SPDX-License-Identifier: Apache-2.0
 *
 * read_resources.c - resources and the policies that hang on them.
 *
 * Most services answer with a policy and, somewhere, the resource's ARN. A table says where; only what
 * is more than that (buckets, ACLs, keys and their grants, endpoints, APIs) has a reader of its own.
 *
 * Source: each service's API Reference, the operation that the row names.
 */
#include <stdio.h>

#include "plugins/aws/arn.h"
#include "plugins/aws/parts.h"
#include "plugins/aws/read.h"

/* ---- one policy of one resource ---- */

typedef struct policy_place {
    const char *kind;
    const char *policy[2]; /* members that lead to it */
    const char *arn[2];    /* the same for the resource's ARN; {NULL}: nowhere */
    const char *ids[2];    /* members that hold the ARN or the last part of it, else the call's subject */
    const char *format;    /* of the ARN from that: "s3:::%", "kms:R:A:key/%"; R region, A account */
} policy_place;

static const policy_place places[] = {
    {"s3:GetBucketPolicy", {"Policy"}, {NULL}, {"Bucket", "BucketName"}, "s3:::%"},
    {"kms:GetKeyPolicy", {"Policy"}, {NULL}, {"KeyId", "KeyArn"}, "kms:R:A:key/%"},
    {"sqs:GetQueueAttributes", {"Attributes", "Policy"}, {"Attributes", "QueueArn"}, {"QueueArn"}, "sqs:R:A:%"},
    {"sns:GetTopicAttributes", {"Attributes", "Policy"}, {"Attributes", "TopicArn"}, {"TopicArn"}, "sns:R:A:%"},
    {"lambda:GetPolicy", {"Policy"}, {NULL}, {"FunctionArn", "FunctionName"}, "lambda:R:A:function:%"},
    {"secretsmanager:GetResourcePolicy", {"ResourcePolicy"}, {"ARN"}, {"SecretId"}, "secretsmanager:R:A:secret:%"},
    {"ecr:GetRepositoryPolicy", {"policyText"}, {NULL}, {"repositoryName"}, "ecr:R:A:repository/%"},
    {"dynamodb:GetResourcePolicy", {"Policy"}, {NULL}, {"ResourceArn"}, "dynamodb:R:A:table/%"},
    {"events:DescribeEventBus", {"Policy"}, {"Arn"}, {"Name"}, "events:R:A:event-bus/%"},
    {"backup:GetBackupVaultAccessPolicy", {"Policy"}, {"BackupVaultArn"}, {"BackupVaultName"}, "backup:R:A:backup-vault:%"},
    {"efs:DescribeFileSystemPolicy", {"Policy"}, {NULL}, {"FileSystemArn", "FileSystemId"}, "elasticfilesystem:R:A:file-system/%"},
    {"glacier:GetVaultAccessPolicy", {"policy", "Policy"}, {NULL}, {"vaultName"}, "glacier:R:A:vaults/%"},
    {"es:DescribeElasticsearchDomain", {"DomainStatus", "AccessPolicies"}, {"DomainStatus", "ARN"}, {"DomainName"}, "es:R:A:domain/%"},
    {"aws:ResourcePolicy", {"Policy"}, {"ResourceArn"}, {"ResourceArn"}, "%"},
};

static const kim_json *follow(const kim_json *document, const char *const path[2])
{
    for (int i = 0; i < 2 && path[i]; i++)
        document = kim_json_get(document, path[i]);
    return document;
}

/* The ARN by the place's format; absent where region or account is needed and not known. */
static kim_text formatted_arn(aws_reading *r, const char *format, kim_text name)
{
    kim_arena *arena = r->out->arena;
    kim_text account = r->account.size ? r->account : r->context->account, region = r->context->region;
    kim_text arn = aws_concat3(arena, KIM_TEXT("arn:"), aws_read_partition(r), KIM_TEXT(":"));
    for (; *format; format++) {
        kim_text piece = *format == 'R' ? region : *format == 'A' ? account : *format == '%' ? name : (kim_text){format, 1};
        if (piece.size == 0)
            return KIM_NO_TEXT;
        arn = aws_concat(arena, arn, piece);
    }
    return arn;
}

/* The resource that a policy's own statements name, where they name one: "arn:aws:s3:::b" of
 * "arn:aws:s3:::b/ *". Buckets and functions must be named so in their policies. */
static kim_text named_in_policy(aws_reading *r, const kim_json *policy, const char *service)
{
    const kim_json *document = kim_json_is(policy, KIM_JSON_STRING)
        ? kim_json_parse(policy->text.bytes, policy->text.size, "policy", r->out->arena, NULL) : policy;
    const kim_json *list = kim_json_get(document, "Statement");
    size_t count = kim_json_is(list, KIM_JSON_ARRAY) ? list->count : list != NULL;
    for (size_t i = 0; i < count; i++) {
        kim_texts names = kim_json_texts(kim_json_get(list->type == KIM_JSON_ARRAY ? &list->items[i] : list, "Resource"), r->out->arena);
        aws_arn arn;
        if (names.count == 0 || !aws_arn_split(names.items[0], &arn) || !kim_text_is(arn.service, service))
            continue;
        kim_text whole = names.items[0];
        const char *end = memchr(arn.resource.bytes, '/', arn.resource.size);
        if (kim_text_is(arn.service, "s3") && end)
            whole.size = (size_t)(end - whole.bytes);
        if (memchr(whole.bytes, '*', whole.size) == NULL && memchr(whole.bytes, '?', whole.size) == NULL)
            return whole;
    }
    return KIM_NO_TEXT;
}

/* arn:...:function:NAME without the alias or version that may follow. */
static kim_text without_qualifier(kim_text arn)
{
    size_t colons = 0;
    for (size_t i = 0; i < arn.size; i++)
        if (arn.bytes[i] == ':' && ++colons == 7)
            return (kim_text){arn.bytes, i};
    return arn;
}

kim_text aws_queue_of_url(aws_reading *r, kim_text url)
{
    kim_text parts[8];
    size_t count = 0;
    for (size_t i = 0, from = 0; i <= url.size && count < 8; i++)
        if (i == url.size || url.bytes[i] == '/') {
            parts[count++] = (kim_text){url.bytes + from, i - from};
            from = i + 1;
        }
    if (count != 5 || !kim_text_starts_with(parts[2], KIM_TEXT("sqs.")) || !aws_is_account(parts[3]))
        return KIM_NO_TEXT;
    kim_text region = {parts[2].bytes + 4, parts[2].size - 4};
    const char *dot = memchr(region.bytes, '.', region.size);
    region.size = dot ? (size_t)(dot - region.bytes) : region.size;
    return aws_read_arn(r, "sqs", region, parts[3], parts[4]);
}

static kim_text arn_of(aws_reading *r, const policy_place *at, const kim_json *document, const kim_json *policy)
{
    const kim_json *told = at->arn[0] ? follow(document, at->arn) : NULL;
    char service[32];
    if (kim_json_is(told, KIM_JSON_STRING) && told->text.size)
        return told->text;
    kim_text name = aws_read_subject(r, document, at->ids[0], at->ids[1], NULL);
    if (kim_text_starts_with(name, KIM_TEXT("arn:")))
        return kim_text_is(kim_text_of(at->kind), "lambda:GetPolicy") ? without_qualifier(name) : name;
    if (kim_text_starts_with(name, KIM_TEXT("https://")))
        return aws_queue_of_url(r, name);
    kim_text arn = name.size ? formatted_arn(r, at->format, name) : KIM_NO_TEXT;
    snprintf(service, sizeof service, "%.*s", (int)strcspn(at->kind, ":"), at->kind);
    if (arn.size == 0 && (strcmp(service, "s3") == 0 || strcmp(service, "lambda") == 0 || strcmp(service, "dynamodb") == 0))
        arn = without_qualifier(named_in_policy(r, policy, service));
    return arn;
}

static int put_place(aws_reading *r, const policy_place *at, const kim_json *document)
{
    const kim_json *policy = follow(document, at->policy);
    kim_text registry = kim_json_text_of(document, "registryId"); /* ECR names the account so */
    if (aws_is_account(registry) && aws_read_account_id(r, registry) < 0)
        return -1;
    kim_text arn = arn_of(r, at, document, policy);
    if (arn.size == 0)
        return aws_read_untold(r, "the resource (or its region and account)");
    if (aws_read_account(r, arn) < 0 || aws_read_resource_policy(r, arn, policy) < 0)
        return -1;
    return 0;
}

static int read_policy_place(aws_reading *r, const kim_json *document)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].kind, r->kind) == 0)
            return put_place(r, &places[i], document);
    return aws_read_untold(r, "a place of a policy");
}

/* ---- buckets ---- */

static kim_text bucket_arn(aws_reading *r, const kim_json *document)
{
    kim_text name = aws_read_subject(r, document, "Bucket", "BucketName", "BucketArn", "ResourceArn", NULL);
    if (name.size == 0 || kim_text_starts_with(name, KIM_TEXT("arn:")))
        return name;
    return aws_read_arn(r, "s3", KIM_TEXT(""), KIM_TEXT(""), name);
}

static int put_bucket(aws_reading *r, kim_text arn, kim_pairs tags, kim_pairs facts)
{
    aws_arn split;
    kim_record record = {.type = KIM_RESOURCE, .resource = {.id = arn, .type = KIM_TEXT("s3:bucket"), .tags = tags, .facts = facts}};
    if (aws_arn_split(arn, &split))
        record.resource.name = split.resource;
    return aws_read_put(r, &record);
}

static int take_bucket(aws_reading *r, const kim_json *document, kim_text *arn)
{
    *arn = bucket_arn(r, document);
    if (arn->size == 0)
        return aws_read_untold(r, "the bucket (Bucket)");
    return aws_read_account(r, KIM_NO_TEXT);
}

/* {"PublicAccessBlockConfiguration":{...}} of a bucket; of the account, where no bucket is told. */
static int read_bucket_block(aws_reading *r, const kim_json *document)
{
    kim_text arn = bucket_arn(r, document);
    kim_pairs facts = aws_public_access_block(r->out->arena, document);
    if (aws_read_account(r, KIM_NO_TEXT) < 0)
        return -1;
    if (arn.size)
        return put_bucket(r, arn, (kim_pairs){NULL, 0}, facts);
    return aws_read_untold(r, "the bucket (Bucket)");
}

static int read_account_block(aws_reading *r, const kim_json *document)
{
    kim_text account = aws_read_subject(r, document, "AccountId", NULL);
    if (account.size ? aws_read_account_id(r, account) < 0 : aws_read_account(r, KIM_NO_TEXT) < 0)
        return -1;
    kim_record scope = {.type = KIM_SCOPE,
                        .as_scope = {.id = r->scope, .kind = KIM_TEXT("account"), .facts = aws_public_access_block(r->out->arena, document)}};
    return aws_read_put(r, &scope);
}

/* {"OwnershipControls":{"Rules":[{"ObjectOwnership":"BucketOwnerEnforced"}]}}: such a bucket has no ACLs. */
static int read_bucket_ownership(aws_reading *r, const kim_json *document)
{
    const kim_json *rules = kim_json_get(kim_json_get(document, "OwnershipControls"), "Rules");
    kim_text arn;
    if (take_bucket(r, document, &arn) < 0)
        return -1;
    kim_pair fact = {KIM_TEXT("s3.object_ownership"),
                     kim_json_is(rules, KIM_JSON_ARRAY) && rules->count ? kim_json_text_of(&rules->items[0], "ObjectOwnership") : KIM_NO_TEXT};
    return put_bucket(r, arn, (kim_pairs){NULL, 0}, (kim_pairs){&fact, fact.value.size ? 1 : 0});
}

static int read_bucket_tags(aws_reading *r, const kim_json *document)
{
    kim_text arn;
    if (take_bucket(r, document, &arn) < 0)
        return -1;
    return put_bucket(r, arn, aws_tags(r->out->arena, kim_json_get(document, "TagSet")), (kim_pairs){NULL, 0});
}

static int read_listed_bucket(aws_reading *r, const kim_json *bucket)
{
    kim_text name = kim_json_text_of(bucket, "Name");
    if (name.size == 0)
        return aws_read_skip(r, "s3:bucket", KIM_NO_TEXT, "a bucket has no Name");
    if (aws_read_account(r, KIM_NO_TEXT) < 0)
        return -1;
    return put_bucket(r, aws_read_arn(r, "s3", KIM_TEXT(""), KIM_TEXT(""), name), (kim_pairs){NULL, 0}, (kim_pairs){NULL, 0});
}

/* What an ACL's permission allows on a bucket. Source: S3 User Guide, "Mapping of ACL permissions and
 * access policy permissions". */
static const struct { const char *permission, *actions[4]; } acl_permissions[] = {
    {"READ", {"s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"}},
    {"WRITE", {"s3:PutObject"}},
    {"READ_ACP", {"s3:GetBucketAcl"}},
    {"WRITE_ACP", {"s3:PutBucketAcl"}},
};

static void write_acl_actions(kim_json_writer *w, kim_text permission)
{
    kim_json_begin_array(w);
    for (size_t i = 0; i < sizeof acl_permissions / sizeof *acl_permissions; i++)
        for (size_t k = 0; k < 4 && acl_permissions[i].actions[k]; k++)
            if (kim_text_is(permission, "FULL_CONTROL") || kim_text_is(permission, acl_permissions[i].permission))
                kim_json_put_string(w, acl_permissions[i].actions[k]);
    kim_json_end_array(w);
}

/* Whom a grantee stands for, as a Principal; false for one that gets nothing by it (the owner, log delivery). */
static bool write_grantee(kim_json_writer *w, const kim_json *grantee, kim_text owner)
{
    kim_text uri = kim_json_text_of(grantee, "URI"), id = kim_json_text_of(grantee, "ID");
    bool everyone = kim_text_ends_with(uri, KIM_TEXT("/global/AllUsers"));
    bool signed_in = kim_text_ends_with(uri, KIM_TEXT("/global/AuthenticatedUsers"));
    if (!everyone && !signed_in && (id.size == 0 || kim_text_equal(id, owner)))
        return false;
    kim_json_begin_object(w);
    kim_json_key(w, "Effect");
    kim_json_put_string(w, "Allow");
    kim_json_key(w, "Principal");
    if (everyone) {
        kim_json_put_string(w, "*");
    } else {
        kim_json_begin_object(w);
        kim_json_key(w, signed_in ? "AWS" : "CanonicalUser");
        kim_json_put_text(w, signed_in ? KIM_TEXT("*") : id);
        kim_json_end_object(w);
    }
    return true;
}

/* {"Owner":{"ID"},"Grants":[{"Grantee":{"URI"|"ID"},"Permission"}]}: the same in the policy language, kept
 * until it is known whether ACLs count on this bucket (IgnorePublicAcls). */
static int read_bucket_acl(aws_reading *r, const kim_json *document)
{
    const kim_json *grants = kim_json_get(document, "Grants");
    kim_text arn, owner = kim_json_text_of(kim_json_get(document, "Owner"), "ID");
    if (take_bucket(r, document, &arn) < 0)
        return -1;
    kim_json_writer *w = r->out->writer;
    size_t count = 0, size;
    kim_json_writer_reset(w);
    kim_json_begin_object(w);
    kim_json_key(w, "Version");
    kim_json_put_string(w, "2012-10-17");
    kim_json_key(w, "Statement");
    kim_json_begin_array(w);
    for (size_t i = 0; kim_json_is(grants, KIM_JSON_ARRAY) && i < grants->count; i++) {
        if (!write_grantee(w, kim_json_get(&grants->items[i], "Grantee"), owner))
            continue;
        kim_json_key(w, "Action");
        write_acl_actions(w, kim_json_text_of(&grants->items[i], "Permission"));
        kim_json_key(w, "Resource");
        kim_json_begin_array(w);
        kim_json_put_text(w, arn);
        kim_json_put_text(w, aws_concat(r->out->arena, arn, KIM_TEXT("/*")));
        kim_json_end_array(w);
        kim_json_end_object(w);
        count++;
    }
    kim_json_end_array(w);
    kim_json_end_object(w);
    const char *bytes = kim_json_writer_bytes(w, &size, r->err);
    if (bytes == NULL)
        return -1;
    aws_note note = {.kind = AWS_NOTE_ACL, .scope = r->scope, .a = arn, .d = {bytes, size}};
    if (count && aws_out_note(r->out, &note, r->err) < 0)
        return -1;
    return put_bucket(r, arn, (kim_pairs){NULL, 0}, (kim_pairs){NULL, 0});
}

/* ---- keys ---- */

static kim_text key_arn(aws_reading *r, kim_text id)
{
    return id.size == 0 || kim_text_starts_with(id, KIM_TEXT("arn:")) ? id : formatted_arn(r, "kms:R:A:key/%", id);
}

/* {"KeyMetadata":{"Arn","KeyManager","KeyState","Description"}} */
static int read_key(aws_reading *r, const kim_json *document)
{
    static const struct { const char *member, *fact; } members[] = {
        {"KeyManager", "kms.manager"}, {"KeyState", "kms.state"}, {"Origin", "kms.origin"},
    };
    const kim_json *key = kim_json_get(document, "KeyMetadata");
    kim_text arn = kim_json_text_of(key, "Arn");
    kim_pair facts[3];
    size_t count = 0;
    if (arn.size == 0)
        return aws_read_skip(r, "kms:key-policy", KIM_NO_TEXT, "a key has no Arn");
    if (aws_read_account(r, arn) < 0)
        return -1;
    for (size_t i = 0; i < 3; i++)
        if (kim_json_text_of(key, members[i].member).size)
            facts[count++] = (kim_pair){kim_text_of(members[i].fact), kim_json_text_of(key, members[i].member)};
    kim_record record = {.type = KIM_RESOURCE,
                         .resource = {.id = arn, .type = KIM_TEXT("kms:key"), .name = kim_json_text_of(key, "Description"),
                                      .facts = {count ? facts : NULL, count}}};
    return aws_read_put(r, &record);
}

/* The constraints of a grant as a condition element. */
static void write_constraints(kim_json_writer *w, const kim_json *constraints)
{
    static const char *const kinds[] = {"EncryptionContextEquals", "EncryptionContextSubset"};
    kim_json_begin_object(w);
    kim_json_key(w, "StringEquals");
    kim_json_begin_object(w);
    for (size_t k = 0; k < 2; k++) {
        const kim_json *pairs = kim_json_get(constraints, kinds[k]);
        for (size_t i = 0; kim_json_is(pairs, KIM_JSON_OBJECT) && i < pairs->count; i++) {
            char name[256];
            snprintf(name, sizeof name, "kms:EncryptionContext:%.200s", pairs->members[i].name.bytes);
            kim_json_key(w, name);
            kim_json_put_text(w, kim_json_text(pairs->members[i].value));
        }
    }
    kim_json_end_object(w);
    kim_json_end_object(w);
}

static kim_text constraints_of(aws_reading *r, const kim_json *grant)
{
    const kim_json *constraints = kim_json_get(grant, "Constraints");
    size_t size;
    if (!kim_json_is(constraints, KIM_JSON_OBJECT) || constraints->count == 0)
        return KIM_NO_TEXT;
    kim_json_writer_reset(r->out->writer);
    write_constraints(r->out->writer, constraints);
    const char *bytes = kim_json_writer_bytes(r->out->writer, &size, NULL);
    return bytes ? kim_text_copy(r->out->arena, (kim_text){bytes, size}) : KIM_NO_TEXT;
}

/* {"KeyId","GrantId","GranteePrincipal","Operations":["Decrypt"],"Constraints"}: a policy of one statement.
 * Source: KMS Developer Guide, "Grants in AWS KMS". */
static int read_grant(aws_reading *r, const kim_json *grant)
{
    kim_text key = aws_read_subject(r, grant, "KeyId", NULL), id = kim_json_text_of(grant, "GrantId");
    kim_text grantee = kim_json_text_of(grant, "GranteePrincipal");
    if (kim_text_starts_with(key, KIM_TEXT("arn:")) && aws_read_account(r, key) < 0)
        return -1;
    key = key_arn(r, key);
    if (key.size == 0)
        return aws_read_untold(r, "the key (KeyId), or its region and account");
    if (aws_read_account(r, key) < 0)
        return -1;
    if (id.size == 0 || grantee.size == 0)
        return aws_read_skip(r, "kms:grants", key, "a grant has no GrantId or no GranteePrincipal");
    kim_arena *arena = r->out->arena;
    kim_texts operations = kim_json_texts(kim_json_get(grant, "Operations"), arena);
    kim_text *actions = KIM_NEW_ARRAY(arena, kim_text, operations.count + 1);
    for (size_t i = 0; actions && i < operations.count; i++)
        actions[i] = aws_concat(arena, KIM_TEXT("kms:"), operations.items[i]);
    bool arn = kim_text_starts_with(grantee, KIM_TEXT("arn:"));
    kim_text subject = aws_concat(arena, arn ? KIM_TEXT("AWS:") : KIM_TEXT("Service:"), grantee);
    kim_text policy = aws_concat3(arena, key, KIM_TEXT("/grant/"), id), condition = constraints_of(r, grant);
    kim_record record = {.type = KIM_POLICY, .policy = {.id = policy, .name = kim_json_text_of(grant, "Name"), .kind = KIM_TEXT("grant")}};
    kim_record statement = {.type = KIM_STATEMENT,
                            .statement = {.policy = policy, .effect = KIM_ALLOW, .actions = {actions, actions ? operations.count : 0},
                                          .resources = {&key, 1}, .subjects = {&subject, 1}}};
    if (condition.size)
        statement.statement.condition = (kim_condition){KIM_TEXT("aws"), condition};
    if (record.policy.name.size == 0)
        record.policy.name = id;
    record.scope = r->scope;
    bool again = aws_out_find(r->out, &record) != NULL;
    if (aws_read_put(r, &record) < 0 || (!again && aws_read_put(r, &statement) < 0))
        return -1;
    return aws_read_attach(r, policy, "resource", KIM_NO_TEXT, key);
}

/* ---- endpoints and APIs ---- */

/* {"VpcEndpointId","VpcId","ServiceName","PolicyDocument","Tags"} */
static int read_endpoint(aws_reading *r, const kim_json *endpoint)
{
    kim_text id = kim_json_text_of(endpoint, "VpcEndpointId"), owner = kim_json_text_of(endpoint, "OwnerId");
    const kim_json *document = kim_json_get(endpoint, "PolicyDocument");
    if (owner.size ? aws_read_account_id(r, owner) < 0 : aws_read_account(r, KIM_NO_TEXT) < 0)
        return -1;
    if (id.size == 0)
        return aws_read_skip(r, "ec2:vpc-endpoint", KIM_NO_TEXT, "an endpoint has no VpcEndpointId");
    kim_pair facts[2];
    size_t count = 0;
    if (kim_json_text_of(endpoint, "VpcId").size)
        facts[count++] = (kim_pair){KIM_TEXT("vpc"), kim_json_text_of(endpoint, "VpcId")};
    if (kim_json_text_of(endpoint, "ServiceName").size)
        facts[count++] = (kim_pair){KIM_TEXT("service"), kim_json_text_of(endpoint, "ServiceName")};
    kim_record record = {.type = KIM_RESOURCE,
                         .resource = {.id = id, .type = KIM_TEXT("ec2:vpc-endpoint"),
                                      .tags = aws_tags(r->out->arena, kim_json_get(endpoint, "Tags")), .facts = {count ? facts : NULL, count}}};
    if (aws_read_put(r, &record) < 0)
        return -1;
    if (document == NULL || document->type == KIM_JSON_NULL)
        return 0; /* interface endpoints without a policy: full access */
    kim_text policy = aws_concat(r->out->arena, id, KIM_TEXT("/policy"));
    if (aws_read_document(r, policy, KIM_TEXT("policy"), "endpoint", document) < 0)
        return -1;
    return aws_read_attach(r, policy, "endpoint", KIM_NO_TEXT, id);
}

/* API Gateway escapes its policy once more: {\"Version\":\"2012-10-17\" ... */
static const kim_json *unescaped(aws_reading *r, const kim_json *policy)
{
    if (!kim_json_is(policy, KIM_JSON_STRING) || !kim_text_starts_with(policy->text, KIM_TEXT("{\\")))
        return policy;
    kim_text quoted = aws_concat3(r->out->arena, KIM_TEXT("\""), policy->text, KIM_TEXT("\""));
    const kim_json *again = quoted.bytes ? kim_json_parse(quoted.bytes, quoted.size, "policy", r->out->arena, NULL) : NULL;
    return again ? again : policy;
}

/* {"id","name","policy","tags"}: what it governs is execute-api, not the API's own management. */
static int read_rest_api(aws_reading *r, const kim_json *api)
{
    kim_text id = kim_json_text_of(api, "id");
    if (aws_read_account(r, KIM_NO_TEXT) < 0)
        return -1;
    if (id.size == 0 || r->context->region.size == 0)
        return aws_read_untold(r, "its region (a folder named after it)");
    kim_text arn = aws_read_arn(r, "execute-api", r->context->region, r->account, id);
    kim_record record = {.type = KIM_RESOURCE,
                         .resource = {.id = arn, .type = KIM_TEXT("execute-api:api"), .name = kim_json_text_of(api, "name"),
                                      .tags = aws_tags(r->out->arena, kim_json_get(api, "tags"))}};
    if (aws_read_put(r, &record) < 0)
        return -1;
    return kim_json_get(api, "policy") ? aws_read_resource_policy(r, arn, unescaped(r, kim_json_get(api, "policy"))) : 0;
}

const aws_row aws_rows_resources[] = {
    {"aws:ResourcePolicy", "ResourceArn Policy", NULL, read_policy_place, NULL, "resources"},
    {"s3:GetBucketPolicy", "Bucket Policy", NULL, read_policy_place, "Bucket", "s3:bucket-policy"},
    {"s3:GetBucketPolicy", "Policy", NULL, read_policy_place, "Bucket", "s3:bucket-policy"},
    {"s3:GetPublicAccessBlock", "PublicAccessBlockConfiguration{}", NULL, read_bucket_block, "Bucket", "s3:bucket-policy"},
    {"s3control:GetPublicAccessBlock", "PublicAccessBlockConfiguration{}", NULL, read_account_block, "AccountId", "s3:bucket-policy"},
    {"s3:GetBucketAcl", "Owner{} Grants[]", NULL, read_bucket_acl, "Bucket", "s3:bucket-acl"},
    {"s3:GetBucketOwnershipControls", "OwnershipControls{}", NULL, read_bucket_ownership, "Bucket", "s3:bucket-acl"},
    {"s3:GetBucketTagging", "TagSet[]", NULL, read_bucket_tags, "Bucket", "s3:bucket"},
    {"s3:ListBuckets", "Buckets[].CreationDate", "Buckets", read_listed_bucket, NULL, "s3:bucket"},
    {"kms:DescribeKey", "KeyMetadata{}", NULL, read_key, NULL, "kms:key-policy"},
    {"kms:GetKeyPolicy", "KeyId Policy", NULL, read_policy_place, "KeyId", "kms:key-policy"},
    {"kms:GetKeyPolicy", "Policy", NULL, read_policy_place, "KeyId", "kms:key-policy"},
    {"kms:ListGrants", "Grants[].GrantId", "Grants", read_grant, "KeyId", "kms:grants"},
    {"sqs:GetQueueAttributes", "Attributes.QueueArn", NULL, read_policy_place, "QueueUrl", "sqs:queue-policy"},
    {"sns:GetTopicAttributes", "Attributes.TopicArn", NULL, read_policy_place, "TopicArn", "sns:topic-policy"},
    {"lambda:GetPolicy", "FunctionName Policy", NULL, read_policy_place, "FunctionName", "lambda:policy"},
    {"lambda:GetPolicy", "Policy RevisionId", NULL, read_policy_place, "FunctionName", "lambda:policy"},
    {"lambda:GetPolicy", "Policy", NULL, read_policy_place, "FunctionName", "lambda:policy"},
    {"secretsmanager:GetResourcePolicy", "ARN Name", NULL, read_policy_place, "SecretId", "secretsmanager:resource-policy"},
    {"ecr:GetRepositoryPolicy", "repositoryName policyText", NULL, read_policy_place, "repositoryName", "ecr:repository-policy"},
    {"dynamodb:GetResourcePolicy", "Policy RevisionId", NULL, read_policy_place, "ResourceArn", "dynamodb:resource-policy"},
    {"events:DescribeEventBus", "Name Arn Policy", NULL, read_policy_place, "Name", "events:event-bus-policy"},
    {"apigateway:GetRestApis", "items[].id", "items", read_rest_api, NULL, "apigateway:policy"},
    {"backup:GetBackupVaultAccessPolicy", "BackupVaultArn Policy", NULL, read_policy_place, "BackupVaultName", "backup:vault-policy"},
    {"efs:DescribeFileSystemPolicy", "FileSystemId Policy", NULL, read_policy_place, "FileSystemId", "elasticfilesystem:file-system-policy"},
    {"glacier:GetVaultAccessPolicy", "policy.Policy", NULL, read_policy_place, "vaultName", "glacier:vault-policy"},
    {"es:DescribeElasticsearchDomain", "DomainStatus.ARN", NULL, read_policy_place, NULL, "es:domain-policy"},
    {"ec2:DescribeVpcEndpoints", "VpcEndpoints[].VpcEndpointId", "VpcEndpoints", read_endpoint, NULL, "ec2:vpc-endpoint"},
    {NULL},
};
