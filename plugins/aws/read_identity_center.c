/* SPDX-License-Identifier: Apache-2.0
 *
 * read_identity_center.c - people and groups of an identity store, permission sets, and who has which where.
 *
 * People are of the store's scope, "aws:d-1". What they may do lies in the role that Identity Center
 * makes in each account for a permission set; an assignment is therefore an edge to that role, and is
 * made once everything is read.
 *
 * Source: Identity Store API Reference; IAM Identity Center API Reference; IAM User Guide, "AWS STS
 * principals" (AWSReservedSSO_NAME_SUFFIX).
 */
#include "plugins/aws/arn.h"
#include "plugins/aws/parts.h"
#include "plugins/aws/read.h"

/* ---- the identity store ---- */

static int take_store(aws_reading *r, const kim_json *value)
{
    kim_text store = aws_read_subject(r, value, "IdentityStoreId", NULL);
    if (store.size == 0)
        return aws_read_untold(r, "the identity store (IdentityStoreId)");
    r->scope = aws_concat(r->keep, KIM_TEXT("aws:"), store);
    kim_record record = {.type = KIM_SCOPE, .as_scope = {.id = r->scope, .kind = KIM_TEXT("directory"), .native_id = store}};
    return aws_read_put(r, &record);
}

static int put_key(aws_reading *r, kim_text identity, const char *type, kim_text issuer, kim_text value)
{
    kim_record record = {.type = KIM_KEY, .key = {.identity = identity, .type = kim_text_of(type), .issuer = issuer, .value = value}};
    return value.size ? aws_read_put(r, &record) : 0;
}

/* [{"Issuer","Id"}]: what a SCIM provisioner knows them by. */
static int put_external_ids(aws_reading *r, kim_text identity, const kim_json *ids)
{
    for (size_t i = 0; kim_json_is(ids, KIM_JSON_ARRAY) && i < ids->count; i++)
        if (put_key(r, identity, "scim_external_id", kim_json_text_of(&ids->items[i], "Issuer"), kim_json_text_of(&ids->items[i], "Id")) < 0)
            return -1;
    return 0;
}

static int put_store_identity(aws_reading *r, const kim_json *value, kim_text id, int32_t kind, kim_text name)
{
    kim_pair fact = {KIM_TEXT("user_name"), kim_json_text_of(value, "UserName")};
    kim_record record = {.type = KIM_IDENTITY,
                         .identity = {.id = id, .kind = kind, .name = name,
                                      .state = kim_text_is(kim_json_text_of(value, "UserStatus"), "DISABLED") ? KIM_DISABLED : 0,
                                      .created_unix_ms = aws_time(kim_json_get(value, "CreatedAt")),
                                      .facts = {&fact, fact.value.size ? 1 : 0}}};
    if (id.size == 0)
        return aws_read_skip(r, "identitystore", KIM_NO_TEXT, "an entry of the identity store has no id");
    if (aws_read_put(r, &record) < 0)
        return -1;
    return put_external_ids(r, id, kim_json_get(value, "ExternalIds"));
}

static int read_store_user(aws_reading *r, const kim_json *user)
{
    kim_text id = kim_json_text_of(user, "UserId"), name = kim_json_text_of(user, "DisplayName"), login = kim_json_text_of(user, "UserName");
    const kim_json *emails = kim_json_get(user, "Emails");
    if (take_store(r, user) < 0 || put_store_identity(r, user, id, KIM_HUMAN, name.size ? name : login) < 0)
        return -1;
    if (id.size == 0)
        return 0;
    for (size_t i = 0; kim_json_is(emails, KIM_JSON_ARRAY) && i < emails->count; i++)
        if (put_key(r, id, "email", KIM_NO_TEXT, kim_json_text_of(&emails->items[i], "Value")) < 0)
            return -1;
    return put_key(r, id, "upn", KIM_NO_TEXT, login);
}

static int read_store_group(aws_reading *r, const kim_json *group)
{
    if (take_store(r, group) < 0)
        return -1;
    return put_store_identity(r, group, kim_json_text_of(group, "GroupId"), KIM_GROUP, kim_json_text_of(group, "DisplayName"));
}

static int read_membership(aws_reading *r, const kim_json *membership)
{
    kim_text user = kim_json_text_of(kim_json_get(membership, "MemberId"), "UserId"), group = kim_json_text_of(membership, "GroupId");
    if (take_store(r, membership) < 0)
        return -1;
    if (user.size == 0 || group.size == 0)
        return aws_read_skip(r, "identitystore", KIM_NO_TEXT, "a membership has no GroupId or no UserId");
    kim_record edge = {.type = KIM_EDGE, .edge = {.kind = KIM_MEMBER_OF, .from = user, .to = group, .via = KIM_TEXT("group")}};
    return aws_read_put(r, &edge);
}

/* ---- permission sets ---- */

/* {"InstanceArn","IdentityStoreId","OwnerAccountId"} */
static int read_instance(aws_reading *r, const kim_json *instance)
{
    kim_text arn = kim_json_text_of(instance, "InstanceArn");
    kim_pair facts[2];
    size_t count = 0;
    if (take_store(r, instance) < 0)
        return -1;
    if (arn.size)
        facts[count++] = (kim_pair){KIM_TEXT("instance_arn"), arn};
    if (kim_json_text_of(instance, "OwnerAccountId").size)
        facts[count++] = (kim_pair){KIM_TEXT("owner_account"), kim_json_text_of(instance, "OwnerAccountId")};
    kim_record record = {.type = KIM_SCOPE,
                         .as_scope = {.id = r->scope, .kind = KIM_TEXT("directory"), .name = kim_json_text_of(instance, "Name"),
                                      .facts = {count ? facts : NULL, count}}};
    return aws_read_put(r, &record);
}

/* Permission sets are of the scope of their instance, "aws:ssoins-1", as their ARN tells it:
 * arn:aws:sso:::permissionSet/ssoins-1/ps-1. */
static int take_permission_set(aws_reading *r, kim_text arn)
{
    aws_arn split;
    const char *slash = aws_arn_split(arn, &split) ? memchr(split.resource.bytes, '/', split.resource.size) : NULL;
    if (slash == NULL)
        return aws_read_untold(r, "the permission set (PermissionSetArn)");
    kim_text rest = {slash + 1, (size_t)(split.resource.bytes + split.resource.size - slash - 1)};
    const char *end = memchr(rest.bytes, '/', rest.size);
    kim_text instance = {rest.bytes, end ? (size_t)(end - rest.bytes) : rest.size};
    r->scope = aws_concat(r->keep, KIM_TEXT("aws:"), instance);
    kim_record record = {.type = KIM_SCOPE, .as_scope = {.id = r->scope, .kind = KIM_TEXT("directory"), .native_id = instance}};
    return aws_read_put(r, &record);
}

static int put_permission_set(aws_reading *r, kim_text arn, kim_text name)
{
    kim_record record = {.type = KIM_POLICY, .policy = {.id = arn, .name = name, .kind = KIM_TEXT("permission_set")}};
    if (take_permission_set(r, arn) < 0)
        return -1;
    return aws_read_put(r, &record);
}

static int read_permission_sets(aws_reading *r, const kim_json *document)
{
    kim_texts sets = kim_json_texts(kim_json_get(document, "PermissionSets"), r->out->arena);
    for (size_t i = 0; i < sets.count; i++)
        if (put_permission_set(r, sets.items[i], KIM_NO_TEXT) < 0)
            return -1;
    return 0;
}

static int read_permission_set(aws_reading *r, const kim_json *document)
{
    const kim_json *set = kim_json_get(document, "PermissionSet");
    return put_permission_set(r, kim_json_text_of(set, "PermissionSetArn"), kim_json_text_of(set, "Name"));
}

static kim_text permission_set_of(aws_reading *r, const kim_json *document)
{
    kim_text arn = aws_read_subject(r, document, "PermissionSetArn", NULL);
    return kim_text_starts_with(r->context->subject2, KIM_TEXT("arn:")) ? r->context->subject2 : arn;
}

static int read_set_inline(aws_reading *r, const kim_json *document)
{
    const kim_json *policy = kim_json_get(document, "InlinePolicy");
    kim_text arn = permission_set_of(r, document);
    if (take_permission_set(r, arn) < 0)
        return -1;
    if (kim_json_text(policy).size == 0)
        return 0; /* it has none */
    return aws_read_document(r, aws_concat(r->out->arena, arn, KIM_TEXT("/inline")), KIM_TEXT("inline"), "inline", policy);
}

/* What a permission set attaches is attached again to its role in each account, where it counts; here
 * only the set's own facts are kept. */
static int read_set_managed(aws_reading *r, const kim_json *document)
{
    const kim_json *list = kim_json_get(document, "AttachedManagedPolicies");
    kim_text arn = permission_set_of(r, document);
    if (take_permission_set(r, arn) < 0)
        return -1;
    for (size_t i = 0; kim_json_is(list, KIM_JSON_ARRAY) && i < list->count; i++) {
        kim_text policy = kim_json_text_of(&list->items[i], "Arn");
        kim_record record = {.type = KIM_RESOURCE,
                             .resource = {.id = aws_concat3(r->out->arena, arn, KIM_TEXT("/"), policy),
                                          .type = KIM_TEXT("sso:managed-policy"), .parent = arn, .name = kim_json_text_of(&list->items[i], "Name")}};
        if (aws_read_put(r, &record) < 0)
            return -1;
    }
    return 0;
}

/* {"AccountId","PermissionSetArn","PrincipalType","PrincipalId"} */
static int read_assignment(aws_reading *r, const kim_json *assignment)
{
    kim_text set = kim_json_text_of(assignment, "PermissionSetArn"), account = kim_json_text_of(assignment, "AccountId");
    kim_text who = kim_json_text_of(assignment, "PrincipalId");
    if (take_permission_set(r, set) < 0)
        return -1;
    if (who.size == 0 || account.size == 0)
        return aws_read_skip(r, "sso", KIM_NO_TEXT, "an assignment has no PrincipalId or no AccountId");
    aws_note note = {.kind = AWS_NOTE_ASSIGNMENT, .scope = r->scope, .a = who, .b = account, .c = set};
    return aws_out_note(r->out, &note, r->err);
}

/* Rows without a reader: customer managed policies and the boundary of a set are attached to its roles. */
const aws_row aws_rows_identity_center[] = {
    {"sso-admin:ListInstances", "Instances[].IdentityStoreId", "Instances", read_instance, NULL, "sso"},
    {"sso-admin:ListPermissionSets", "PermissionSets[]", NULL, read_permission_sets, NULL, "sso"},
    {"sso-admin:DescribePermissionSet", "PermissionSet.PermissionSetArn", NULL, read_permission_set, NULL, "sso"},
    {"sso-admin:GetInlinePolicyForPermissionSet", "InlinePolicy", NULL, read_set_inline, "PermissionSetArn", "sso"},
    {"sso-admin:ListManagedPoliciesInPermissionSet", "AttachedManagedPolicies[]", NULL, read_set_managed, "PermissionSetArn", "sso"},
    {"sso-admin:ListCustomerManagedPolicyReferencesInPermissionSet", "CustomerManagedPolicyReferences[]", NULL, NULL, "PermissionSetArn", "sso"},
    {"sso-admin:GetPermissionsBoundaryForPermissionSet", "PermissionsBoundary{}", NULL, NULL, "PermissionSetArn", "sso"},
    {"sso-admin:ListAccountsForProvisionedPermissionSet", "AccountIds[]", NULL, NULL, "PermissionSetArn", "sso"},
    {"sso-admin:ListAccountAssignments", "AccountAssignments[]", "AccountAssignments", read_assignment, NULL, "sso"},
    {"identitystore:ListUsers", "Users[].UserId Users[].IdentityStoreId", "Users", read_store_user, "IdentityStoreId", "identitystore"},
    {"identitystore:ListGroups", "Groups[].GroupId Groups[].IdentityStoreId", "Groups", read_store_group, "IdentityStoreId", "identitystore"},
    {"identitystore:ListGroupMemberships", "GroupMemberships[]", "GroupMemberships", read_membership, "IdentityStoreId", "identitystore"},
    {NULL},
};
