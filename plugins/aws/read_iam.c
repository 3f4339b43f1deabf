/* SPDX-License-Identifier: Apache-2.0
 *
 * read_iam.c - users, groups, roles and their policies; keys, passwords, second factors; last use.
 *
 * Source: IAM API Reference, one page an operation; the shapes are those of the AWS CLI's output.
 */
#include <stdio.h>
#include <stdlib.h>

#include <kim/time.h>

#include "plugins/aws/arn.h"
#include "plugins/aws/parts.h"
#include "plugins/aws/read.h"

/* ---- identities ---- */

/* What differs between users, groups and roles. */
typedef struct owner_kind {
    int32_t kind;
    const char *word;    /* "user": also the ARN's */
    const char *name, *id;
    const char *inline_list;
    const char *last_seen;
} owner_kind;

static const owner_kind a_user = {KIM_HUMAN, "user", "UserName", "UserId", "UserPolicyList", "PasswordLastUsed"};
static const owner_kind a_group = {KIM_GROUP, "group", "GroupName", "GroupId", "GroupPolicyList", NULL};
static const owner_kind a_role = {KIM_ROLE, "role", "RoleName", "RoleId", "RolePolicyList", NULL};

/* Members that are kept as facts. */
static const struct { const char *member, *fact; } owner_facts[] = {
    {"Path", "path"}, {"MaxSessionDuration", "max_session_s"}, {"Description", "description"},
};

static kim_pairs facts_of(aws_reading *r, const kim_json *owner, const owner_kind *kind)
{
    enum { FACTS = sizeof owner_facts / sizeof *owner_facts };
    kim_pair *items = KIM_NEW_ARRAY(r->out->arena, kim_pair, FACTS + 1);
    size_t count = 0;
    kim_text unique = kim_json_text_of(owner, kind->id);
    if (items && unique.size)
        items[count++] = (kim_pair){KIM_TEXT("unique_id"), unique};
    for (size_t i = 0; items && i < FACTS; i++) {
        kim_text value = kim_json_text_of(owner, owner_facts[i].member);
        if (value.size)
            items[count++] = (kim_pair){kim_text_of(owner_facts[i].fact), value};
    }
    return (kim_pairs){count ? items : NULL, count};
}

static int put_identity(aws_reading *r, const kim_json *owner, const owner_kind *kind, kim_text arn)
{
    const kim_json *last_used = kim_json_get(kim_json_get(owner, "RoleLastUsed"), "LastUsedDate");
    kim_record record = {
        .type = KIM_IDENTITY,
        .identity = {.id = arn, .kind = kind->kind, .name = kim_json_text_of(owner, kind->name),
                     .created_unix_ms = aws_time(kim_json_get(owner, "CreateDate")),
                     .last_seen_unix_ms = aws_time(kind->last_seen ? kim_json_get(owner, kind->last_seen) : last_used),
                     .tags = aws_tags(r->out->arena, kim_json_get(owner, "Tags")),
                     .facts = facts_of(r, owner, kind)}};
    return aws_read_put(r, &record);
}

static int put_inline(aws_reading *r, kim_text owner, kim_text name, const kim_json *document)
{
    if (name.size == 0)
        return aws_read_skip(r, "iam", KIM_NO_TEXT, "an inline policy of %.*s has no PolicyName", KIM_PRINT(owner));
    kim_text id = aws_concat3(r->out->arena, owner, KIM_TEXT("/inline/"), name);
    if (aws_read_document(r, id, name, "inline", document) < 0)
        return -1;
    return aws_read_attach(r, id, "identity", owner, KIM_NO_TEXT);
}

static int put_attached(aws_reading *r, kim_text owner, const kim_json *list)
{
    for (size_t i = 0; kim_json_is(list, KIM_JSON_ARRAY) && i < list->count; i++) {
        kim_text policy = kim_json_text_of(&list->items[i], "PolicyArn");
        if (policy.size == 0 ? aws_read_skip(r, "iam", KIM_NO_TEXT, "an attached policy of %.*s has no PolicyArn", KIM_PRINT(owner)) < 0
                             : aws_read_attach(r, policy, "identity", owner, KIM_NO_TEXT) < 0)
            return -1;
    }
    return 0;
}

/* What hangs on an identity in the answer itself: inline and attached policies and the boundary. */
static int put_policies(aws_reading *r, const kim_json *owner, const owner_kind *kind, kim_text arn)
{
    const kim_json *list = kim_json_get(owner, kind->inline_list), *boundary = kim_json_get(owner, "PermissionsBoundary");
    for (size_t i = 0; kim_json_is(list, KIM_JSON_ARRAY) && i < list->count; i++)
        if (put_inline(r, arn, kim_json_text_of(&list->items[i], "PolicyName"), kim_json_get(&list->items[i], "PolicyDocument")) < 0)
            return -1;
    if (put_attached(r, arn, kim_json_get(owner, "AttachedManagedPolicies")) < 0)
        return -1;
    kim_text limit = kim_json_text_of(boundary, "PermissionsBoundaryArn");
    return limit.size ? aws_read_attach(r, limit, "boundary", arn, KIM_NO_TEXT) : 0;
}

/* The ARN of a user, group or role; where it is missing the account cannot be told. */
static int take_owner(aws_reading *r, const kim_json *owner, const owner_kind *kind, kim_text *arn)
{
    aws_arn split;
    *arn = kim_json_text_of(owner, "Arn");
    if (!aws_arn_split(*arn, &split) || !kim_text_is(aws_arn_kind(&split), kind->word)) {
        kim_text name = kim_json_text_of(owner, kind->name);
        *arn = KIM_NO_TEXT;
        return aws_read_skip(r, "iam", KIM_NO_TEXT, "the %s '%.*s' has no ARN of a %s", kind->word, KIM_PRINT(name), kind->word);
    }
    if (aws_read_account(r, *arn) < 0)
        return -1;
    return put_identity(r, owner, kind, *arn);
}

static int put_member(aws_reading *r, kim_text user, kim_text group)
{
    aws_note note = {.kind = AWS_NOTE_MEMBER, .scope = r->scope, .a = user, .b = group};
    return aws_out_note(r->out, &note, r->err);
}

static int read_user(aws_reading *r, const kim_json *user)
{
    kim_text arn;
    if (take_owner(r, user, &a_user, &arn) < 0)
        return -1;
    if (arn.bytes == NULL)
        return 0;
    kim_texts groups = kim_json_texts(kim_json_get(user, "GroupList"), r->out->arena);
    for (size_t i = 0; i < groups.count; i++)
        if (put_member(r, arn, groups.items[i]) < 0)
            return -1;
    return put_policies(r, user, &a_user, arn);
}

static int read_group(aws_reading *r, const kim_json *group)
{
    kim_text arn;
    if (take_owner(r, group, &a_group, &arn) < 0)
        return -1;
    return arn.bytes ? put_policies(r, group, &a_group, arn) : 0;
}

/* ---- roles ---- */

typedef struct trust_walk {
    aws_reading *r;
    kim_text role;
} trust_walk;

/* Whom a trust principal stands for, as an identity's id. Account ids and root ARNs are the account. */
static kim_text identity_of(aws_reading *r, kim_text principal)
{
    const char *colon = memchr(principal.bytes, ':', principal.size);
    if (colon == NULL)
        return principal; /* "*" */
    size_t before = (size_t)(colon + 1 - principal.bytes);
    kim_text id = {colon + 1, principal.size - before};
    return aws_is_account(id) ? aws_read_arn(r, "iam", KIM_TEXT(""), id, KIM_TEXT("root")) : id;
}

static int put_trust(void *context, kim_text principal, kim_text via, kim_condition condition, kim_error *err)
{
    trust_walk *walk = context;
    kim_record edge = {.type = KIM_EDGE,
                       .edge = {.kind = KIM_CAN_BECOME, .from = identity_of(walk->r, principal), .to = walk->role,
                                .condition = condition, .via = via}};
    (void)err;
    return aws_read_put(walk->r, &edge);
}

static int put_instance_profile(aws_reading *r, const kim_json *profile, kim_text role)
{
    kim_text arn = kim_json_text_of(profile, "Arn");
    if (arn.size == 0)
        return 0;
    kim_pair fact = {KIM_TEXT("role"), role};
    kim_record record = {.type = KIM_RESOURCE,
                         .resource = {.id = arn, .type = KIM_TEXT("iam:instance-profile"),
                                      .name = kim_json_text_of(profile, "InstanceProfileName"),
                                      .tags = aws_tags(r->out->arena, kim_json_get(profile, "Tags")),
                                      .facts = {&fact, role.size ? 1 : 0}}};
    return aws_read_put(r, &record);
}

static int read_role(aws_reading *r, const kim_json *role)
{
    kim_text arn;
    if (take_owner(r, role, &a_role, &arn) < 0)
        return -1;
    if (arn.bytes == NULL)
        return 0;
    const kim_json *trust = kim_json_get(role, "AssumeRolePolicyDocument"), *profiles = kim_json_get(role, "InstanceProfileList");
    trust_walk walk = {r, arn};
    if (trust != NULL) {
        kim_text id = aws_concat(r->out->arena, arn, KIM_TEXT("/trust"));
        if (aws_read_document(r, id, KIM_TEXT("trust"), "trust", trust) < 0 ||
            aws_read_attach(r, id, "resource", KIM_NO_TEXT, arn) < 0 ||
            aws_document_each_trust(r->out, trust, put_trust, &walk, r->err) < 0)
            return -1;
    }
    for (size_t i = 0; kim_json_is(profiles, KIM_JSON_ARRAY) && i < profiles->count; i++)
        if (put_instance_profile(r, &profiles->items[i], arn) < 0)
            return -1;
    return put_policies(r, role, &a_role, arn);
}

static int read_listed_profile(aws_reading *r, const kim_json *profile)
{
    const kim_json *roles = kim_json_get(profile, "Roles");
    if (aws_read_account(r, kim_json_text_of(profile, "Arn")) < 0)
        return -1;
    kim_text role = kim_json_is(roles, KIM_JSON_ARRAY) && roles->count ? kim_json_text_of(&roles->items[0], "Arn") : KIM_NO_TEXT;
    return put_instance_profile(r, profile, role);
}

/* {"User":{...}}, {"Role":{...}}, {"Group":{...},"Users":[...]} */
static int read_one_user(aws_reading *r, const kim_json *document)
{
    return read_user(r, kim_json_get(document, "User"));
}

static int read_one_role(aws_reading *r, const kim_json *document)
{
    return read_role(r, kim_json_get(document, "Role"));
}

static int read_group_with_users(aws_reading *r, const kim_json *document)
{
    const kim_json *group = kim_json_get(document, "Group"), *users = kim_json_get(document, "Users");
    kim_text arn = kim_json_text_of(group, "Arn");
    if (read_group(r, group) < 0)
        return -1;
    for (size_t i = 0; arn.size && kim_json_is(users, KIM_JSON_ARRAY) && i < users->count; i++) {
        if (read_user(r, &users->items[i]) < 0)
            return -1;
        kim_text user = kim_json_text_of(&users->items[i], "Arn");
        if (user.size && put_member(r, user, arn) < 0)
            return -1;
    }
    return 0;
}

/* ---- policies ---- */

/* Puts a policy's own facts; the scope of AWS's own policies is the account that uses them. */
static int take_policy(aws_reading *r, const kim_json *policy, aws_policy *as)
{
    aws_arn split;
    kim_text arn = kim_json_text_of(policy, "Arn");
    if (!aws_arn_split(arn, &split))
        return aws_read_skip(r, "iam", KIM_NO_TEXT, "a policy has no ARN");
    if (aws_read_account(r, arn) < 0)
        return -1;
    *as = (aws_policy){.scope = r->scope, .id = arn, .name = kim_json_text_of(policy, "PolicyName"), .kind = KIM_TEXT("managed"),
                       .revision = kim_json_text_of(policy, "DefaultVersionId"),
                       .provider_managed = kim_text_is(split.account, "aws")};
    if (as->name.size == 0)
        as->name = aws_arn_name(&split);
    return 1;
}

static int put_default_version(aws_reading *r, const kim_json *policy, aws_policy as)
{
    const kim_json *versions = kim_json_get(policy, "PolicyVersionList"), *found = NULL;
    as.scope = r->scope;
    for (size_t i = 0; kim_json_is(versions, KIM_JSON_ARRAY) && i < versions->count; i++) {
        const kim_json *version = &versions->items[i];
        if (kim_json_bool(kim_json_get(version, "IsDefaultVersion"), false) ||
            (found == NULL && as.revision.size && kim_text_equal(kim_json_text_of(version, "VersionId"), as.revision)))
            found = version;
    }
    if (found == NULL)
        return aws_document_put_unread(r->out, &as, versions ? KIM_TEXT("its default version is not among its versions")
                                                             : KIM_TEXT("its document was not asked for"), r->err);
    if (as.revision.size == 0)
        as.revision = kim_json_text_of(found, "VersionId");
    return aws_document_put(r->out, &as, kim_json_get(found, "Document"), r->err);
}

/* AWS's own policies belong to every account that the answer speaks of: files of several are merged. */
static int read_policy(aws_reading *r, const kim_json *policy)
{
    aws_policy as;
    int result = take_policy(r, policy, &as);
    if (result <= 0)
        return result;
    if (!as.provider_managed)
        return put_default_version(r, policy, as);
    for (size_t i = 0; i < r->account_count; i++)
        if (aws_read_account_id(r, r->accounts[i]) < 0 || put_default_version(r, policy, as) < 0)
            return -1;
    return 0;
}

static int read_one_policy(aws_reading *r, const kim_json *document)
{
    return read_policy(r, kim_json_get(document, "Policy"));
}

/* {"PolicyVersion":{"Document","VersionId","IsDefaultVersion"}}: of which policy only the caller knows. */
static int read_policy_version(aws_reading *r, const kim_json *document)
{
    const kim_json *version = kim_json_get(document, "PolicyVersion");
    kim_text arn = aws_read_subject(r, document, "PolicyArn", "Arn", NULL);
    aws_arn split;
    if (!aws_arn_split(arn, &split))
        return aws_read_untold(r, "the policy's ARN (PolicyArn)");
    if (aws_read_account(r, arn) < 0)
        return -1;
    if (!kim_json_bool(kim_json_get(version, "IsDefaultVersion"), true))
        return 0; /* only the default version counts */
    aws_policy as = {.scope = r->scope, .id = arn, .name = aws_arn_name(&split), .kind = KIM_TEXT("managed"),
                     .revision = kim_json_text_of(version, "VersionId"), .provider_managed = kim_text_is(split.account, "aws")};
    return aws_document_put(r->out, &as, kim_json_get(version, "Document"), r->err);
}

/* ---- by name: whose ARN is known once everything is read ---- */

/* The owner's kind and name, from the member that carries it, or from the operation and the subject. */
static const owner_kind *take_name(aws_reading *r, const kim_json *document, kim_text *name)
{
    static const owner_kind *const kinds[] = {&a_user, &a_group, &a_role};
    for (size_t i = 0; i < 3; i++) {
        *name = kim_json_text_of(document, kinds[i]->name);
        if (name->size)
            return kinds[i];
    }
    *name = r->context->subject;
    for (size_t i = 0; i < 3; i++) {
        char word[16];
        snprintf(word, sizeof word, "%c%s", kinds[i]->word[0] - 'a' + 'A', kinds[i]->word + 1);
        if (strstr(strchr(r->kind, ':'), word))
            return kinds[i];
    }
    return NULL;
}

static int take_named(aws_reading *r, const kim_json *document, const owner_kind **kind, kim_text *name)
{
    *kind = take_name(r, document, name);
    if (*kind == NULL || name->size == 0)
        return aws_read_untold(r, "whose it is (UserName, GroupName or RoleName)");
    return aws_read_account(r, *name);
}

static int read_attached_by_name(aws_reading *r, const kim_json *document)
{
    const owner_kind *kind;
    aws_note note = {.kind = AWS_NOTE_ATTACHED};
    const kim_json *list = kim_json_get(document, "AttachedPolicies");
    if (take_named(r, document, &kind, &note.a) < 0)
        return -1;
    note.scope = r->scope;
    note.b = kim_text_of(kind->word);
    for (size_t i = 0; kim_json_is(list, KIM_JSON_ARRAY) && i < list->count; i++) {
        note.c = kim_json_text_of(&list->items[i], "PolicyArn");
        if (note.c.size && aws_out_note(r->out, &note, r->err) < 0)
            return -1;
    }
    return 0;
}

/* {"UserName","PolicyName","PolicyDocument"} */
static int read_inline_by_name(aws_reading *r, const kim_json *document)
{
    const owner_kind *kind;
    size_t size;
    aws_note note = {.kind = AWS_NOTE_INLINE, .c = kim_json_text_of(document, "PolicyName")};
    if (take_named(r, document, &kind, &note.a) < 0)
        return -1;
    if (note.c.size == 0)
        note.c = r->context->subject2;
    note.scope = r->scope;
    note.b = kim_text_of(kind->word);
    kim_json_writer_reset(r->out->writer);
    kim_json_put_json(r->out->writer, kim_json_get(document, "PolicyDocument"));
    note.d.bytes = kim_json_writer_bytes(r->out->writer, &size, NULL);
    note.d.size = note.d.bytes ? size : 0;
    return aws_out_note(r->out, &note, r->err);
}

static int read_groups_of_user(aws_reading *r, const kim_json *document)
{
    const kim_json *groups = kim_json_get(document, "Groups");
    kim_text user = aws_read_subject(r, document, "UserName", NULL);
    if (user.size == 0)
        return aws_read_untold(r, "the user's name (UserName)");
    for (size_t i = 0; kim_json_is(groups, KIM_JSON_ARRAY) && i < groups->count; i++)
        if (read_group(r, &groups->items[i]) < 0 || put_member(r, user, kim_json_text_of(&groups->items[i], "Arn")) < 0)
            return -1;
    return 0;
}

/* ---- credentials ---- */

static int note_credential(aws_reading *r, kim_text user, kim_credential credential)
{
    if (user.size == 0)
        return aws_read_untold(r, "the user's name (UserName)");
    if (aws_read_account(r, user) < 0)
        return -1;
    aws_note note = {.kind = AWS_NOTE_CREDENTIAL, .scope = r->scope, .a = user, .credential = credential};
    return aws_out_note(r->out, &note, r->err);
}

static int32_t state_of(kim_text status)
{
    return kim_text_is(status, "Inactive") ? KIM_DISABLED : KIM_ACTIVE;
}

static int read_access_key(aws_reading *r, const kim_json *key)
{
    return note_credential(r, aws_read_subject(r, key, "UserName", NULL), (kim_credential){
        .id = kim_json_text_of(key, "AccessKeyId"), .kind = KIM_TEXT("access_key"),
        .state = state_of(kim_json_text_of(key, "Status")), .created_unix_ms = aws_time(kim_json_get(key, "CreateDate"))});
}

static int read_certificate(aws_reading *r, const kim_json *certificate)
{
    return note_credential(r, aws_read_subject(r, certificate, "UserName", NULL), (kim_credential){
        .id = kim_json_text_of(certificate, "CertificateId"), .kind = KIM_TEXT("signing_certificate"),
        .state = state_of(kim_json_text_of(certificate, "Status")), .created_unix_ms = aws_time(kim_json_get(certificate, "UploadDate"))});
}

static int read_ssh_key(aws_reading *r, const kim_json *key)
{
    return note_credential(r, aws_read_subject(r, key, "UserName", NULL), (kim_credential){
        .id = kim_json_text_of(key, "SSHPublicKeyId"), .kind = KIM_TEXT("ssh_key"),
        .state = state_of(kim_json_text_of(key, "Status")), .created_unix_ms = aws_time(kim_json_get(key, "UploadDate"))});
}

static int read_service_credential(aws_reading *r, const kim_json *credential)
{
    kim_pair fact = {KIM_TEXT("service"), kim_json_text_of(credential, "ServiceName")};
    return note_credential(r, aws_read_subject(r, credential, "UserName", NULL), (kim_credential){
        .id = kim_json_text_of(credential, "ServiceSpecificCredentialId"), .kind = KIM_TEXT("service_password"),
        .state = state_of(kim_json_text_of(credential, "Status")), .created_unix_ms = aws_time(kim_json_get(credential, "CreateDate")),
        .expires_unix_ms = aws_time(kim_json_get(credential, "ExpirationDate")), .facts = {&fact, fact.value.size ? 1 : 0}});
}

static int read_mfa_device(aws_reading *r, const kim_json *device)
{
    const kim_json *user = kim_json_get(device, "User"); /* of ListVirtualMFADevices */
    if (user == NULL && kim_json_get(device, "UserName") == NULL && kim_json_get(device, "EnableDate") == NULL)
        return 0; /* a virtual device that nobody has */
    kim_text owner = user ? kim_json_text_of(user, "Arn") : aws_read_subject(r, device, "UserName", NULL);
    return note_credential(r, owner, (kim_credential){
        .id = kim_json_text_of(device, "SerialNumber"), .kind = KIM_TEXT("mfa_device"), .second_factor = true,
        .state = KIM_ACTIVE, .created_unix_ms = aws_time(kim_json_get(device, "EnableDate"))});
}

static kim_pairs last_used_facts(aws_reading *r, kim_text service, kim_text region)
{
    kim_pair *facts = KIM_NEW_ARRAY(r->out->arena, kim_pair, 2);
    size_t count = 0;
    if (facts && service.size && !kim_text_is(service, "N/A"))
        facts[count++] = (kim_pair){KIM_TEXT("last_used_service"), service};
    if (facts && region.size && !kim_text_is(region, "N/A"))
        facts[count++] = (kim_pair){KIM_TEXT("last_used_region"), region};
    return (kim_pairs){count ? facts : NULL, count};
}

/* {"UserName","AccessKeyLastUsed":{"LastUsedDate","ServiceName","Region"}} */
static int read_key_last_used(aws_reading *r, const kim_json *document)
{
    const kim_json *used = kim_json_get(document, "AccessKeyLastUsed");
    kim_text key = aws_read_subject(r, document, "AccessKeyId", NULL);
    if (key.size == 0)
        return aws_read_untold(r, "the key's id (AccessKeyId)");
    if (aws_read_account(r, KIM_NO_TEXT) < 0)
        return -1;
    aws_note note = {.kind = AWS_NOTE_KEY_USED, .scope = r->scope, .a = key, .b = kim_json_text_of(document, "UserName"),
                     .credential = {.last_used_unix_ms = aws_time(kim_json_get(used, "LastUsedDate")),
                                    .facts = last_used_facts(r, kim_json_text_of(used, "ServiceName"), kim_json_text_of(used, "Region"))}};
    return aws_out_note(r->out, &note, r->err);
}

static int read_login_profile(aws_reading *r, const kim_json *document)
{
    const kim_json *profile = kim_json_get(document, "LoginProfile");
    return note_credential(r, aws_read_subject(r, profile, "UserName", NULL), (kim_credential){
        .id = KIM_TEXT("password"), .kind = KIM_TEXT("password"), .state = KIM_ACTIVE,
        .created_unix_ms = aws_time(kim_json_get(profile, "CreateDate"))});
}

/* ---- the credential report ---- */

static int base64_of(char c)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* The bytes of base64 text (white space is passed over), or absent where it is none. */
static kim_text base64_decoded(kim_arena *arena, kim_text text)
{
    char *bytes = kim_arena_bytes(arena, text.size / 4 * 3 + 4);
    size_t size = 0;
    uint32_t bits = 0;
    unsigned have = 0;
    for (size_t i = 0; bytes && i < text.size && text.bytes[i] != '='; i++) {
        int value = base64_of(text.bytes[i]);
        if (value < 0 && strchr("\r\n \t", text.bytes[i]))
            continue;
        if (value < 0)
            return KIM_NO_TEXT;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            bytes[size++] = (char)(bits >> have & 0xff);
        }
    }
    return (kim_text){bytes, bytes ? size : 0};
}

enum { REPORT_COLUMNS_MAX = 64 };

typedef struct report_row {
    const kim_text *names; /* [count] */
    kim_text cells[REPORT_COLUMNS_MAX];
    size_t count;
} report_row;

/* Cuts a line of the report: names of users hold no comma and no quote (IAM API: CreateUser). */
static size_t cut_line(kim_text line, kim_text cells[REPORT_COLUMNS_MAX])
{
    size_t count = 0;
    while (count < REPORT_COLUMNS_MAX) {
        const char *comma = line.size ? memchr(line.bytes, ',', line.size) : NULL;
        size_t size = comma ? (size_t)(comma - line.bytes) : line.size;
        cells[count++] = (kim_text){line.bytes, size};
        if (comma == NULL)
            break;
        line = (kim_text){comma + 1, line.size - size - 1};
    }
    return count;
}

static kim_text cell(const report_row *row, const char *format, int number)
{
    char name[64];
    snprintf(name, sizeof name, format, number);
    for (size_t i = 0; i < row->count; i++)
        if (kim_text_is(row->names[i], name))
            return row->cells[i];
    return KIM_NO_TEXT;
}

static int64_t cell_time(const report_row *row, const char *format, int number)
{
    return kim_time_of_text(cell(row, format, number));
}

static bool cell_true(const report_row *row, const char *format, int number)
{
    return kim_text_is(cell(row, format, number), "true");
}

static int put_reported_password(aws_reading *r, const report_row *row, kim_text arn)
{
    kim_text enabled = cell(row, "password_enabled", 0);
    int64_t used = cell_time(row, "password_last_used", 0);
    bool root = kim_text_is(cell(row, "user", 0), "<root_account>"); /* its columns say not_supported */
    if (!root && !kim_text_is(enabled, "true") && used == 0)
        return 0;
    kim_record record = {.type = KIM_CREDENTIAL,
                         .credential = {.id = aws_concat(r->out->arena, arn, KIM_TEXT("/password")), .identity = arn,
                                        .kind = KIM_TEXT("password"), .state = kim_text_is(enabled, "false") ? KIM_DISABLED : KIM_ACTIVE,
                                        .created_unix_ms = cell_time(row, "password_last_changed", 0), .last_used_unix_ms = used,
                                        .expires_unix_ms = cell_time(row, "password_next_rotation", 0),
                                        .second_factor = cell_true(row, "mfa_active", 0)}};
    return aws_read_put(r, &record);
}

static int note_reported_key(aws_reading *r, const report_row *row, kim_text arn, int number)
{
    int64_t created = cell_time(row, "access_key_%d_last_rotated", number);
    bool active = cell_true(row, "access_key_%d_active", number);
    if (!active && created == 0)
        return 0;
    aws_note note = {.kind = AWS_NOTE_REPORTED_KEY, .scope = r->scope, .a = arn,
                     .credential = {.id = kim_text_format(r->out->arena, "%.*s/access_key_%d", KIM_PRINT(arn), number),
                                    .identity = arn, .kind = KIM_TEXT("access_key"), .state = active ? KIM_ACTIVE : KIM_DISABLED,
                                    .created_unix_ms = created,
                                    .last_used_unix_ms = cell_time(row, "access_key_%d_last_used_date", number),
                                    .facts = last_used_facts(r, cell(row, "access_key_%d_last_used_service", number),
                                                             cell(row, "access_key_%d_last_used_region", number))}};
    return aws_out_note(r->out, &note, r->err);
}

static int put_reported_certificate(aws_reading *r, const report_row *row, kim_text arn, int number)
{
    int64_t created = cell_time(row, "cert_%d_last_rotated", number);
    bool active = cell_true(row, "cert_%d_active", number);
    kim_record record = {.type = KIM_CREDENTIAL,
                         .credential = {.id = kim_text_format(r->out->arena, "%.*s/signing_certificate_%d", KIM_PRINT(arn), number),
                                        .identity = arn, .kind = KIM_TEXT("signing_certificate"),
                                        .state = active ? KIM_ACTIVE : KIM_DISABLED, .created_unix_ms = created}};
    return active || created ? aws_read_put(r, &record) : 0;
}

static int read_report_row(aws_reading *r, const report_row *row)
{
    kim_text arn = cell(row, "arn", 0), name = cell(row, "user", 0);
    aws_arn split;
    if (!aws_arn_split(arn, &split))
        return aws_read_skip(r, "credentials", KIM_NO_TEXT, "a row of the credential report has no ARN");
    if (aws_read_account(r, arn) < 0)
        return -1;
    kim_record identity = {.type = KIM_IDENTITY,
                           .identity = {.id = arn, .kind = KIM_HUMAN, .name = name,
                                        .created_unix_ms = cell_time(row, "user_creation_time", 0),
                                        .last_seen_unix_ms = cell_time(row, "password_last_used", 0)}};
    kim_record second = {.type = KIM_CREDENTIAL,
                         .credential = {.id = aws_concat(r->out->arena, arn, KIM_TEXT("/mfa")), .identity = arn,
                                        .kind = KIM_TEXT("mfa"), .state = KIM_ACTIVE, .second_factor = true}};
    if (aws_read_put(r, &identity) < 0 || put_reported_password(r, row, arn) < 0 ||
        (cell_true(row, "mfa_active", 0) && aws_read_put(r, &second) < 0))
        return -1;
    for (int number = 1; number <= 2; number++)
        if (note_reported_key(r, row, arn, number) < 0 || put_reported_certificate(r, row, arn, number) < 0)
            return -1;
    return 0;
}

static int read_credential_report(aws_reading *r, const kim_json *document)
{
    kim_text names[REPORT_COLUMNS_MAX], content = kim_json_text_of(document, "Content"), rest = content;
    if (!kim_text_starts_with(content, KIM_TEXT("user,")))
        rest = base64_decoded(r->out->arena, content);
    if (!kim_text_starts_with(rest, KIM_TEXT("user,")))
        return aws_read_skip(r, "credentials", KIM_NO_TEXT, "Content is no credential report (CSV, base64)");
    size_t columns = 0;
    for (size_t line = 0; rest.size; line++) {
        const char *end = memchr(rest.bytes, '\n', rest.size);
        kim_text text = {rest.bytes, end ? (size_t)(end - rest.bytes) : rest.size};
        rest = end ? (kim_text){end + 1, rest.size - text.size - 1} : (kim_text){rest.bytes, 0};
        if (text.size && text.bytes[text.size - 1] == '\r')
            text.size--;
        report_row row = {.names = names};
        row.count = cut_line(text, line ? row.cells : names);
        if (line == 0)
            columns = row.count;
        else if (text.size && row.count != columns) {
            if (aws_read_skip(r, "credentials", KIM_NO_TEXT, "line %zu of the credential report has %zu columns, not %zu",
                              line + 1, row.count, columns) < 0)
                return -1;
        } else if (text.size && read_report_row(r, &row) < 0) {
            return -1;
        }
    }
    return aws_read_covered(r, "credentials", KIM_NO_TEXT);
}

/* ---- last accessed ---- */

enum { DAY_MS = 24 * 60 * 60 * 1000 };
/* Source: IAM User Guide, "Refine permissions using last accessed information": 400 days. */
#define TRACKED_MS (400 * (int64_t)DAY_MS)

enum { LAST_USES_MAX = 2048 }; /* 456 services are known; with their tracked actions it stays below a record's size */

typedef struct last_uses {
    aws_reading *r;
    kim_pair *items; /* [count] */
    size_t count;
    bool by_action, too_many;
} last_uses;

/* last_accessed.s3 = 2025-11-01T08:00:00+00:00, last_accessed.s3:GetObject = ... */
static void add_last_use(last_uses *uses, kim_text service, const char *separator, kim_text action, const kim_json *at)
{
    kim_arena *arena = uses->r->out->arena;
    kim_text name = aws_concat3(arena, service, kim_text_of(separator), action);
    if (aws_time(at) == 0 || service.size == 0)
        return;
    uses->too_many = uses->too_many || uses->count == LAST_USES_MAX;
    if (uses->count < LAST_USES_MAX)
        uses->items[uses->count++] = (kim_pair){aws_concat(arena, KIM_TEXT("last_accessed."), name), kim_json_text(at)};
}

static void add_service(last_uses *uses, const kim_json *service)
{
    const kim_json *actions = kim_json_get(service, "TrackedActionsLastAccessed");
    kim_text name = kim_json_text_of(service, "ServiceNamespace");
    add_last_use(uses, name, "", KIM_TEXT(""), kim_json_get(service, "LastAuthenticated"));
    for (size_t i = 0; kim_json_is(actions, KIM_JSON_ARRAY) && i < actions->count; i++) {
        uses->by_action = true;
        add_last_use(uses, name, ":", kim_json_text_of(&actions->items[i], "ActionName"), kim_json_get(&actions->items[i], "LastAccessedTime"));
    }
}

static int put_last_uses(aws_reading *r, kim_text identity, const last_uses *uses)
{
    static const owner_kind *const kinds[] = {&a_user, &a_group, &a_role};
    aws_arn arn;
    for (size_t i = 0; aws_arn_split(identity, &arn) && i < 3; i++) {
        kim_record record = {.type = KIM_IDENTITY,
                             .identity = {.id = identity, .kind = kinds[i]->kind, .facts = {uses->items, uses->count}}};
        if (kim_text_is(aws_arn_kind(&arn), kinds[i]->word) && uses->count && aws_read_put(r, &record) < 0)
            return -1;
    }
    return 0;
}

/* {"JobCompletionDate","ServicesLastAccessed":[{"ServiceNamespace","LastAuthenticated","TrackedActionsLastAccessed":[...]}]}:
 * a date without a count, so it is a fact of the identity and no usage; the coverage says how fine it is. */
static int read_last_accessed(aws_reading *r, const kim_json *document)
{
    const kim_json *services = kim_json_get(document, "ServicesLastAccessed");
    kim_text identity = aws_read_subject(r, document, "Arn", NULL);
    last_uses uses = {.r = r, .items = KIM_NEW_ARRAY(r->out->arena, kim_pair, LAST_USES_MAX)};
    if (!kim_text_starts_with(identity, KIM_TEXT("arn:")))
        return aws_read_untold(r, "whose it is (Arn)");
    if (aws_read_account(r, identity) < 0)
        return -1;
    if (!kim_text_is(kim_json_text_of(document, "JobStatus"), "COMPLETED"))
        return aws_read_skip(r, "last-accessed", identity, "the job is not completed");
    for (size_t i = 0; uses.items && kim_json_is(services, KIM_JSON_ARRAY) && i < services->count; i++)
        add_service(&uses, &services->items[i]);
    int64_t to = aws_time(kim_json_get(document, "JobCompletionDate"));
    kim_record coverage = {.type = KIM_COVERAGE,
                           .coverage = {.part = KIM_TEXT("last-accessed"), .status = uses.too_many ? KIM_PARTIAL : KIM_READ, .to_unix_ms = to,
                                        .why = uses.too_many ? KIM_TEXT("more services and actions than are kept") : KIM_NO_TEXT,
                                        .from_unix_ms = to > TRACKED_MS ? to - TRACKED_MS : 0,
                                        .resolution = uses.by_action ? KIM_TEXT("action") : KIM_TEXT("service"), .resource = identity}};
    return put_last_uses(r, identity, &uses) < 0 ? -1 : aws_read_put(r, &coverage);
}

/* ---- identity providers, and the account itself ---- */

static int put_provider(aws_reading *r, const kim_json *provider, kim_text arn)
{
    aws_arn split;
    if (!aws_arn_split(arn, &split))
        return aws_read_untold(r, "the identity provider's ARN (Arn)");
    if (aws_read_account(r, arn) < 0)
        return -1;
    kim_texts clients = kim_json_texts(kim_json_get(provider, "ClientIDList"), r->out->arena);
    kim_text joined = KIM_NO_TEXT;
    for (size_t i = 0; i < clients.count; i++)
        joined = i ? aws_concat3(r->out->arena, joined, KIM_TEXT(" "), clients.items[i]) : clients.items[0];
    kim_pair facts[2];
    size_t count = 0;
    if (kim_json_text_of(provider, "Url").size)
        facts[count++] = (kim_pair){KIM_TEXT("url"), kim_json_text_of(provider, "Url")};
    if (joined.size)
        facts[count++] = (kim_pair){KIM_TEXT("clients"), joined};
    kim_record record = {.type = KIM_RESOURCE,
                         .resource = {.id = arn, .type = aws_resource_type(r->out->arena, arn), .name = aws_arn_name(&split),
                                      .tags = aws_tags(r->out->arena, kim_json_get(provider, "Tags")),
                                      .facts = {count ? facts : NULL, count}}};
    return aws_read_put(r, &record);
}

static int read_provider(aws_reading *r, const kim_json *provider)
{
    return put_provider(r, provider, kim_json_text_of(provider, "Arn"));
}

static int read_one_provider(aws_reading *r, const kim_json *provider)
{
    return put_provider(r, provider, aws_read_subject(r, provider, "Arn", "OpenIDConnectProviderArn", "SAMLProviderArn", NULL));
}

static int read_aliases(aws_reading *r, const kim_json *document)
{
    const kim_json *aliases = kim_json_get(document, "AccountAliases");
    if (aws_read_account(r, KIM_NO_TEXT) < 0)
        return -1;
    if (!kim_json_is(aliases, KIM_JSON_ARRAY) || aliases->count == 0)
        return 0;
    kim_record scope = {.type = KIM_SCOPE, .as_scope = {.id = r->scope, .kind = KIM_TEXT("account"), .name = kim_json_text(&aliases->items[0])}};
    return aws_read_put(r, &scope);
}

/* {"SummaryMap":{"AccountMFAEnabled":1,"AccountAccessKeysPresent":0}}: what the root user has. */
static int read_summary(aws_reading *r, const kim_json *document)
{
    const kim_json *map = kim_json_get(document, "SummaryMap");
    if (aws_read_account(r, KIM_NO_TEXT) < 0)
        return -1;
    kim_text root = aws_read_arn(r, "iam", KIM_TEXT(""), r->account, KIM_TEXT("root"));
    kim_record identity = {.type = KIM_IDENTITY, .identity = {.id = root, .kind = KIM_HUMAN, .name = KIM_TEXT("<root_account>")}};
    kim_record second = {.type = KIM_CREDENTIAL,
                         .credential = {.id = aws_concat(r->out->arena, root, KIM_TEXT("/mfa")), .identity = root,
                                        .kind = KIM_TEXT("mfa"), .state = KIM_ACTIVE, .second_factor = true}};
    if (aws_read_put(r, &identity) < 0)
        return -1;
    return kim_json_int(kim_json_get(map, "AccountMFAEnabled"), 0) > 0 ? aws_read_put(r, &second) : 0;
}

/* ---- rows ---- */

#define DETAILS "iam:GetAccountAuthorizationDetails"

const aws_row aws_rows_iam[] = {
    {DETAILS, "UserDetailList[]", "UserDetailList", read_user, NULL, "iam"},
    {DETAILS, "GroupDetailList[]", "GroupDetailList", read_group, NULL, "iam"},
    {DETAILS, "RoleDetailList[]", "RoleDetailList", read_role, NULL, "iam"},
    {DETAILS, "Policies[].PolicyVersionList", "Policies", read_policy, NULL, "iam"},
    {"iam:ListUsers", "Users[].Arn Users[].UserName", "Users", read_user, NULL, "iam"},
    {"iam:GetGroup", "Group.Arn Users[]", NULL, read_group_with_users, NULL, "iam"},
    {"iam:ListGroups", "Groups[].Arn", "Groups", read_group, NULL, "iam"},
    {"iam:ListGroupsForUser", "Groups[].Arn", NULL, read_groups_of_user, "UserName", "iam"},
    {"iam:ListRoles", "Roles[].AssumeRolePolicyDocument", "Roles", read_role, NULL, "iam"},
    {"iam:ListPolicies", "Policies[].PolicyId Policies[].DefaultVersionId", "Policies", read_policy, NULL, "iam"},
    {"iam:GetUser", "User.UserName", NULL, read_one_user, NULL, "iam"},
    {"iam:GetRole", "Role.RoleName", NULL, read_one_role, NULL, "iam"},
    {"iam:GetPolicy", "Policy.Arn", NULL, read_one_policy, NULL, "iam"},
    {"iam:GetPolicyVersion", "PolicyVersion.Document", NULL, read_policy_version, "PolicyArn", "iam"},
    {"iam:GetUserPolicy", "UserName PolicyName PolicyDocument", NULL, read_inline_by_name, NULL, "iam"},
    {"iam:GetGroupPolicy", "GroupName PolicyName PolicyDocument", NULL, read_inline_by_name, NULL, "iam"},
    {"iam:GetRolePolicy", "RoleName PolicyName PolicyDocument", NULL, read_inline_by_name, NULL, "iam"},
    {"iam:ListAttachedUserPolicies", "AttachedPolicies[]", NULL, read_attached_by_name, "UserName", "iam"},
    {"iam:ListAttachedGroupPolicies", "AttachedPolicies[]", NULL, read_attached_by_name, "GroupName", "iam"},
    {"iam:ListAttachedRolePolicies", "AttachedPolicies[]", NULL, read_attached_by_name, "RoleName", "iam"},
    {"iam:ListInstanceProfiles", "InstanceProfiles[].Arn", "InstanceProfiles", read_listed_profile, NULL, "iam"},
    {"iam:GetCredentialReport", "Content ReportFormat", NULL, read_credential_report, NULL, "credentials"},
    {"iam:ListAccessKeys", "AccessKeyMetadata[]", "AccessKeyMetadata", read_access_key, "UserName", "credentials"},
    {"iam:GetAccessKeyLastUsed", "AccessKeyLastUsed{}", NULL, read_key_last_used, "AccessKeyId", "credentials"},
    {"iam:GetLoginProfile", "LoginProfile{}", NULL, read_login_profile, "UserName", "credentials"},
    {"iam:ListMFADevices", "MFADevices[]", "MFADevices", read_mfa_device, "UserName", "credentials"},
    {"iam:ListVirtualMFADevices", "VirtualMFADevices[]", "VirtualMFADevices", read_mfa_device, NULL, "credentials"},
    {"iam:ListSigningCertificates", "Certificates[].CertificateId", "Certificates", read_certificate, "UserName", "credentials"},
    {"iam:ListSSHPublicKeys", "SSHPublicKeys[]", "SSHPublicKeys", read_ssh_key, "UserName", "credentials"},
    {"iam:ListServiceSpecificCredentials", "ServiceSpecificCredentials[]", "ServiceSpecificCredentials", read_service_credential, "UserName", "credentials"},
    {"iam:GetServiceLastAccessedDetails", "JobStatus JobCreationDate", NULL, read_last_accessed, "Arn", "last-accessed"},
    {"iam:ListSAMLProviders", "SAMLProviderList[]", "SAMLProviderList", read_provider, NULL, "iam"},
    {"iam:ListOpenIDConnectProviders", "OpenIDConnectProviderList[]", "OpenIDConnectProviderList", read_provider, NULL, "iam"},
    {"iam:GetOpenIDConnectProvider", "ClientIDList[] Url", NULL, read_one_provider, "OpenIDConnectProviderArn", "iam"},
    {"iam:GetSAMLProvider", "SAMLMetadataDocument", NULL, read_one_provider, "SAMLProviderArn", "iam"},
    {"iam:ListAccountAliases", "AccountAliases[]", NULL, read_aliases, NULL, "iam"},
    {"iam:GetAccountSummary", "SummaryMap{}", NULL, read_summary, NULL, "credentials"},
    {"iam:ListUserPolicies", "PolicyNames[]", NULL, NULL, NULL, "iam"},
    {"iam:ListRolePolicies", "PolicyNames[]", NULL, NULL, NULL, "iam"},
    {"iam:ListGroupPolicies", "PolicyNames[]", NULL, NULL, NULL, "iam"},
    {"iam:GetAccountPasswordPolicy", "PasswordPolicy{}", NULL, NULL, NULL, "iam"},
    {"sts:GetCallerIdentity", "UserId Account Arn", NULL, NULL, NULL, "iam"},
    {NULL},
};
