/* SPDX-License-Identifier: Apache-2.0
 *
 * read_collected.c - one file of several accounts and organisations: the answers of many calls, gathered.
 *
 *   {"Accounts":{"111122223333":{"AuthorizationDetails":{...},"Buckets":[...],"ResourcePolicies":[...],
 *                                "VpcEndpoints":[...],"AccountPublicAccessBlock":{...},"OrganizationId":"o-1"}},
 *    "Organizations":{"o-1":{"Organization":{...},"OrganizationalUnits":{"ou-1":{"parent","scps","rcps"}},
 *                            "Accounts":{"111122223333":{"ou","scps","rcps"}},"Policies":{"ARN":{"Name","Type","Content"}}}}}
 *
 * Each part is handed, as text, to the reader of the answer that it is.
 */
#include <stdio.h>
#include <string.h>

#include "plugins/aws/arn.h"
#include "plugins/aws/parts.h"
#include "plugins/aws/read.h"
#include "plugins/aws/split.h"

/* The text between quotes, unescaped. */
static kim_text unquoted(aws_reading *r, kim_text name)
{
    if (memchr(name.bytes, '\\', name.size) == NULL)
        return kim_text_copy(r->keep, name);
    kim_text quoted = aws_concat3(r->keep, KIM_TEXT("\""), name, KIM_TEXT("\""));
    const kim_json *text = quoted.bytes ? kim_json_parse(quoted.bytes, quoted.size, r->origin, r->keep, NULL) : NULL;
    return text ? text->text : kim_text_copy(r->keep, name);
}

/* A part that is a whole answer of its own. */
static int hand_on(aws_reading *r, const char *kind, kim_text account, kim_text json)
{
    char origin[512];
    aws_context context = *r->context;
    snprintf(origin, sizeof origin, "%.300s: account %.40s", r->origin, account.bytes);
    context.account = account;
    context.subject = KIM_NO_TEXT;
    context.origin = kim_text_of(origin);
    return aws_normalise(r->out, kind, &context, json, r->err);
}

/* ---- an account ---- */

/* An empty list says that there are no tags; none says that nobody asked. */
static kim_pairs bucket_tags(aws_reading *r, const kim_json *tags)
{
    if (kim_json_is(tags, KIM_JSON_ARRAY) && tags->count == 0)
        return (kim_pairs){KIM_NEW(r->out->arena, kim_pair), 0};
    return aws_tags(r->out->arena, tags);
}

/* {"Name","Region","Arn","Policy","PublicAccessBlockConfiguration","TagSet"} */
static int read_bucket(aws_reading *r, const kim_json *bucket)
{
    kim_text name = kim_json_text_of(bucket, "Name"), arn = kim_json_text_of(bucket, "Arn");
    if (arn.size == 0 && name.size == 0)
        return aws_read_skip(r, "s3:bucket-policy", KIM_NO_TEXT, "a bucket has neither Arn nor Name");
    if (arn.size == 0)
        arn = aws_read_arn(r, "s3", KIM_TEXT(""), KIM_TEXT(""), name);
    kim_record record = {.type = KIM_RESOURCE,
                         .resource = {.id = arn, .type = KIM_TEXT("s3:bucket"), .name = name,
                                      .tags = bucket_tags(r, kim_json_get(bucket, "TagSet")),
                                      .facts = aws_public_access_block(r->out->arena, kim_json_get(bucket, "PublicAccessBlockConfiguration"))}};
    if (aws_read_put(r, &record) < 0)
        return -1;
    return aws_read_resource_policy(r, arn, kim_json_get(bucket, "Policy"));
}

/* {"ResourceArn","Policy"} */
static int read_resource(aws_reading *r, const kim_json *entry)
{
    kim_text arn = kim_json_text_of(entry, "ResourceArn");
    if (arn.size == 0)
        return aws_read_skip(r, "resources", KIM_NO_TEXT, "a resource policy has no ResourceArn");
    return aws_read_resource_policy(r, arn, kim_json_get(entry, "Policy"));
}

typedef struct element_part {
    const char *member;
    aws_reader *read;
    const char *part; /* of coverage */
    const char *list; /* the part that a whole list is; NULL: none */
} element_part;

static const element_part element_parts[] = {
    {"Buckets", read_bucket, "s3:bucket-policy", "s3:bucket"},
    {"ResourcePolicies", read_resource, "resources", NULL},
};

/* One element of a part; what is wrong with it alone is coverage. */
static int read_element(aws_reading *r, const element_part *part, kim_text element)
{
    kim_error why = {0};
    kim_arena_reset(r->out->arena);
    const kim_json *value = kim_json_parse(element.bytes, element.size, r->origin, r->out->arena, &why);
    return value ? part->read(r, value) : aws_read_skip(r, part->part, KIM_NO_TEXT, "%.300s", why.message);
}

static int read_elements(aws_reading *r, const element_part *part, kim_text list)
{
    const char *outer = r->origin;
    char origin[512];
    aws_split elements = aws_split_inside(list);
    kim_text element;
    int result = aws_split_kind(list) == '[' ? 0 : aws_read_skip(r, part->part, KIM_NO_TEXT, "%s is no list", part->member);
    r->origin = origin;
    for (size_t i = 0; result == 0 && aws_split_next(&elements, &element); i++) {
        snprintf(origin, sizeof origin, "%.300s: %s[%zu]", outer, part->member, i);
        result = read_element(r, part, element);
    }
    r->origin = outer;
    if (result == 0 && elements.fault)
        return aws_read_skip(r, part->part, KIM_NO_TEXT, "%s %s; only what stands before was read", part->member, elements.fault);
    if (result < 0 || aws_split_kind(list) != '[')
        return result;
    if (part->list && aws_read_covered(r, part->list, KIM_NO_TEXT) < 0)
        return -1;
    return aws_read_covered(r, part->part, KIM_NO_TEXT);
}

/* Members of an account that are whole answers. */
static const struct { const char *member, *kind; } answers[] = {
    {"AuthorizationDetails", "iam:GetAccountAuthorizationDetails"},
    {"AccountPublicAccessBlock", "s3control:GetPublicAccessBlock"},
};

static int read_account_member(aws_reading *r, kim_text account, kim_text name, kim_text value)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
        if (kim_text_is(name, answers[i].member))
            return aws_split_kind(value) == '{' ? hand_on(r, answers[i].kind, account, value) : 0;
    for (size_t i = 0; i < sizeof element_parts / sizeof *element_parts; i++)
        if (kim_text_is(name, element_parts[i].member))
            return aws_split_kind(value) == 'n' ? 0 : read_elements(r, &element_parts[i], value);
    if (kim_text_is(name, "VpcEndpoints")) {
        kim_text whole = aws_concat3(r->keep, KIM_TEXT("{\"VpcEndpoints\":"), value, KIM_TEXT("}"));
        if (whole.bytes == NULL || aws_split_kind(value) != '[')
            return aws_read_skip(r, "ec2:vpc-endpoint", KIM_NO_TEXT, "VpcEndpoints is no list, or too long");
        return hand_on(r, "ec2:DescribeVpcEndpoints", account, whole) < 0 ? -1 : aws_read_covered(r, "ec2:vpc-endpoint", KIM_NO_TEXT);
    }
    if (kim_text_is(name, "OrganizationId")) {
        kim_text organization = aws_split_kind(value) == '"' ? unquoted(r, (kim_text){value.bytes + 1, value.size - 2}) : KIM_NO_TEXT;
        kim_record scope = {.type = KIM_SCOPE,
                            .as_scope = {.id = r->scope, .kind = KIM_TEXT("account"),
                                         .parent = organization.size ? aws_concat(r->keep, KIM_TEXT("aws:"), organization) : KIM_NO_TEXT}};
        return aws_read_put(r, &scope);
    }
    return aws_read_skip(r, "resources", KIM_NO_TEXT, "account %.*s: the part '%.*s' is not known", KIM_PRINT(account),
                         (int)(name.size < 80 ? name.size : 80), name.bytes);
}

static int read_account(aws_reading *r, kim_text account, kim_text value)
{
    aws_split members = aws_split_inside(value);
    kim_text name, part;
    if (aws_read_account_id(r, account) < 0)
        return -1;
    while (aws_split_member(&members, &name, &part))
        if (read_account_member(r, account, name, part) < 0)
            return -1;
    return members.fault ? aws_read_skip(r, "iam", KIM_NO_TEXT, "account %.*s %s", KIM_PRINT(account), members.fault) : 0;
}

/* ---- an organisation ---- */

static kim_text level_of(aws_reading *r, kim_text organization, kim_text id)
{
    if (aws_is_account(id))
        return aws_scope_of(r->out->arena, id);
    kim_text scope = aws_concat3(r->out->arena, KIM_TEXT("aws:"), organization, KIM_TEXT("/"));
    return aws_concat(r->out->arena, scope, id);
}

/* A level on which no SCP hangs allows nothing, which is not the same as one that nobody told of. */
static int attach_nothing(aws_reading *r, kim_text level)
{
    const char *layer = "scp";
    kim_text id = aws_concat3(r->out->arena, level, KIM_TEXT("/no-"), kim_text_of(layer));
    kim_record policy = {.type = KIM_POLICY, .policy = {.id = id, .name = KIM_TEXT("none attached"), .kind = kim_text_of(layer)}};
    kim_record record = {.type = KIM_ATTACHMENT,
                         .attachment = {.policy = id, .layer = kim_text_of(layer), .on_scope = level}};
    return aws_read_put(r, &policy) < 0 ? -1 : aws_read_put(r, &record);
}

static int attach_all(aws_reading *r, kim_text level, const char *layer, const kim_json *policies)
{
    kim_texts arns = kim_json_texts(policies, r->out->arena);
    if (kim_json_is(policies, KIM_JSON_ARRAY) && policies->count == 0 && strcmp(layer, "scp") == 0)
        return attach_nothing(r, level);
    for (size_t i = 0; i < arns.count; i++) {
        kim_record record = {.type = KIM_ATTACHMENT,
                             .attachment = {.policy = arns.items[i], .layer = kim_text_of(layer), .on_scope = level}};
        if (aws_read_put(r, &record) < 0)
            return -1;
    }
    return 0;
}

/* {"parent"|"ou","scps":[ARN],"rcps":[ARN]} by the level's id. */
static int read_level(aws_reading *r, kim_text organization, kim_text id, const kim_json *level)
{
    kim_text parent = kim_json_text_of(level, "parent"), scope = level_of(r, organization, id);
    if (parent.size == 0)
        parent = kim_json_text_of(level, "ou");
    bool account = aws_is_account(id);
    kim_record record = {.type = KIM_SCOPE, .scope = scope,
                         .as_scope = {.id = scope, .kind = account ? KIM_TEXT("account") : KIM_TEXT("ou"), .name = kim_json_text_of(level, "Name"),
                                      .parent = parent.size && !kim_text_equal(parent, organization)
                                                    ? level_of(r, organization, parent) : aws_concat(r->out->arena, KIM_TEXT("aws:"), organization)}};
    if (aws_put(r->out, &record, r->err) < 0 || attach_all(r, scope, "scp", kim_json_get(level, "scps")) < 0)
        return -1;
    return attach_all(r, scope, "rcp", kim_json_get(level, "rcps"));
}

static int read_levels(aws_reading *r, kim_text organization, const kim_json *levels)
{
    for (size_t i = 0; kim_json_is(levels, KIM_JSON_OBJECT) && i < levels->count; i++)
        if (read_level(r, organization, levels->members[i].name, levels->members[i].value) < 0)
            return -1;
    return 0;
}

/* {"Name","Type","Content"} by the policy's ARN. */
static int read_policies(aws_reading *r, const kim_json *policies)
{
    for (size_t i = 0; kim_json_is(policies, KIM_JSON_OBJECT) && i < policies->count; i++) {
        aws_arn split;
        kim_text arn = policies->members[i].name;
        const kim_json *policy = policies->members[i].value, *content = kim_json_get(policy, "Content");
        kim_text type = kim_json_text_of(policy, "Type");
        bool rcp = kim_text_is(type, "RESOURCE_CONTROL_POLICY"), scp = kim_text_is(type, "SERVICE_CONTROL_POLICY");
        aws_policy as = {.scope = r->scope, .id = arn, .name = kim_json_text_of(policy, "Name"),
                         .kind = rcp ? KIM_TEXT("rcp") : KIM_TEXT("scp"),
                         .provider_managed = aws_arn_split(arn, &split) && kim_text_is(split.account, "aws")};
        if (!rcp && !scp && type.size)
            continue; /* tags, backups and the like decide on no access */
        if (content ? aws_document_put(r->out, &as, content, r->err) < 0
                    : aws_document_put_unread(r->out, &as, KIM_TEXT("its Content is not in the file"), r->err) < 0)
            return -1;
    }
    return 0;
}

/* AWS's own, which every organisation has and a collector may leave out.
 * Source: AWS Organizations User Guide, "Service control policies", "Resource control policies". */
static const struct { kim_text arn; const char *name, *type, *statement; } full_access[] = {
    {KIM_TEXT("arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"), "FullAWSAccess",
     "SERVICE_CONTROL_POLICY", "{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}"},
    {KIM_TEXT("arn:aws:organizations::aws:policy/resource_control_policy/p-RCPFullAWSAccess"), "RCPFullAWSAccess",
     "RESOURCE_CONTROL_POLICY", "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}"},
};

static int put_full_access(aws_reading *r, const kim_json *told)
{
    for (size_t i = 0; i < sizeof full_access / sizeof *full_access; i++) {
        if (kim_json_get_text(told, full_access[i].arn))
            continue;
        kim_text text = kim_text_format(r->out->arena, "{\"%.*s\":{\"Name\":\"%s\",\"Type\":\"%s\",\"Content\":{\"Version\":\"2012-10-17\",\"Statement\":[%s]}}}",
                                        KIM_PRINT(full_access[i].arn), full_access[i].name, full_access[i].type, full_access[i].statement);
        const kim_json *own = text.bytes ? kim_json_parse(text.bytes, text.size, r->origin, r->out->arena, r->err) : NULL;
        if (own == NULL || read_policies(r, own) < 0)
            return -1;
    }
    return 0;
}

static int read_organization(aws_reading *r, kim_text id, kim_text value)
{
    kim_arena_reset(r->out->arena);
    kim_error why = {0};
    r->scope = aws_concat(r->keep, KIM_TEXT("aws:"), id);
    const kim_json *organization = kim_json_parse(value.bytes, value.size, r->origin, r->out->arena, &why);
    if (organization == NULL)
        return aws_read_skip(r, "organizations", KIM_NO_TEXT, "organisation %.*s: %.300s", KIM_PRINT(id), why.message);
    const kim_json *own = kim_json_get(organization, "Organization");
    kim_text root = kim_json_text_of(own, "RootId"), manager = kim_json_text_of(own, "MasterAccountId");
    kim_pair facts[3];
    size_t count = 0;
    if (kim_json_get(organization, "Accounts"))
        facts[count++] = (kim_pair){KIM_TEXT("accounts"), KIM_TEXT("all")}; /* who is not among them is no member */
    if (manager.size)
        facts[count++] = (kim_pair){KIM_TEXT("management_account"), manager};
    if (root.size)
        facts[count++] = (kim_pair){KIM_TEXT("root"), root};
    kim_record record = {.type = KIM_SCOPE,
                         .as_scope = {.id = r->scope, .kind = KIM_TEXT("organisation"), .name = id,
                                      .native_id = kim_json_text_of(own, "Arn"), .facts = {count ? facts : NULL, count}}};
    if (aws_read_put(r, &record) < 0 || aws_put_profile(r->out, r->scope, r->err) < 0 ||
        (root.size && kim_json_get_text(kim_json_get(organization, "OrganizationalUnits"), root) == NULL &&
         read_level(r, id, root, NULL) < 0) ||
        read_levels(r, id, kim_json_get(organization, "Roots")) < 0 ||
        read_levels(r, id, kim_json_get(organization, "OrganizationalUnits")) < 0 ||
        read_levels(r, id, kim_json_get(organization, "Accounts")) < 0 ||
        read_policies(r, kim_json_get(organization, "Policies")) < 0 ||
        put_full_access(r, kim_json_get(organization, "Policies")) < 0)
        return -1;
    return aws_read_covered(r, "organizations", KIM_NO_TEXT);
}

/* ---- the file ---- */

static int read_members(aws_reading *r, const char *member, int (*read)(aws_reading *r, kim_text name, kim_text value))
{
    aws_split members = aws_split_inside(aws_split_open(r->document, member));
    kim_text name, value;
    while (aws_split_member(&members, &name, &value)) {
        name = unquoted(r, name);
        if (name.bytes == NULL)
            return kim_fail(r->err, KIM_ERR_LIMIT, "%s: %s has names that take more memory than an answer may", r->origin, member);
        if (read(r, name, value) < 0)
            return -1;
    }
    return members.fault ? aws_read_skip(r, "iam", KIM_NO_TEXT, "%s %s; only what stands before was read", member, members.fault) : 0;
}

static int read_collected(aws_reading *r, const kim_json *nothing)
{
    (void)nothing;
    if (read_members(r, "Accounts", read_account) < 0)
        return -1;
    return read_members(r, "Organizations", read_organization);
}

const aws_row aws_rows_collected[] = {
    {"collected", "Accounts{}", AWS_UNPARSED, read_collected, NULL, "iam"},
    {"collected", "Organizations{}", AWS_UNPARSED, read_collected, NULL, "iam"},
    {NULL},
};
