/* SPDX-License-Identifier: Apache-2.0
 *
 * record_fields.c - the table of the twelve records: a row a field, in wire order.
 *
 * The codec, the checks, the key, the JSON form and doc/model.md all walk these rows. A new field is
 * a new last row of its type: older readers skip it, newer ones find it absent in older bytes.
 */
#include <kim/limits.h>
#include <kim/record.h>

static const char *const identity_kinds[] = {
    NULL, "human", "service", "workload", "device", "ai_agent", "group", "role", "public", NULL};
static const char *const states[] = {NULL, "active", "disabled", "deleted", NULL};
static const char *const edge_kinds[] = {NULL, "member_of", "can_become", "owns", "controls", NULL};
static const char *const effects[] = {NULL, "allow", "deny", NULL};
static const char *const inherits[] = {NULL, "none", "children", "tree", NULL};
static const char *const origins[] = {NULL, "explicit", "inherited", "default", "implicit", NULL};
static const char *const outcomes[] = {NULL, "success", "denied", "failed", NULL};
static const char *const coverage_statuses[] = {NULL, "read", "partial", "unreadable", "stale", NULL};

enum {
    WORD = 128,   /* a word of a small vocabulary: a kind, a layer, a language */
    ID = KIM_ID_MAX_BYTES,
    NAME = KIM_NAME_MAX_BYTES,
    VALUE = KIM_VALUE_MAX_BYTES,
};

#define ROW(part, member, field_kind, meaning, ...)                                               \
    {.name = #member, .kind = KIM_FIELD_##field_kind, .offset = offsetof(kim_record, part.member), \
     .help = meaning, ##__VA_ARGS__}
#define KEY .is_key = 1
#define REQUIRED .is_required = 1

static const kim_field scope_fields[] = {
    ROW(as_scope, id, TEXT,
        "`aws:111122223333`, `azure:SUBSCRIPTION/GROUP`, `gcp:projects/NUMBER`, "
        "`k8s:CLUSTER/NAMESPACE`, `dir:DOMAIN`, `ot:SITE/ZONE`; the record's `scope` is the same", KEY, REQUIRED, .max_bytes = ID),
    ROW(as_scope, kind, TEXT,
        "organisation, ou, account, management_group, subscription, resource_group, folder, "
        "project, cluster, namespace, directory, plant, zone", REQUIRED, .max_bytes = WORD),
    ROW(as_scope, parent, TEXT,
        "the id of the scope above; absent at the top, or where not known", .max_bytes = ID),
    ROW(as_scope, name, TEXT, "for people", .max_bytes = NAME),
    ROW(as_scope, native_id, TEXT, "the provider's own: an ARN", .max_bytes = ID),
    ROW(as_scope, tags, PAIRS, "as the provider has them", .max_bytes = VALUE),
    ROW(as_scope, facts, PAIRS,
        "what the provider's evaluation must know of the scope, by the provider's names", .max_bytes = VALUE),
};

static const kim_field identity_fields[] = {
    ROW(identity, id, TEXT, "native, unique within its scope", KEY, REQUIRED, .max_bytes = ID),
    ROW(identity, kind, ENUM, "what it is", REQUIRED, .values = identity_kinds),
    ROW(identity, name, TEXT, "for people", .max_bytes = NAME),
    ROW(identity, state, ENUM, "absent: active", .values = states),
    ROW(identity, external, BOOL, "belongs to another organisation"),
    ROW(identity, ephemeral, BOOL, "made for a session, and gone after it"),
    ROW(identity, owner, TEXT, "the id of the identity that answers for it", .max_bytes = ID),
    ROW(identity, created_unix_ms, TIME, "when it was made"),
    ROW(identity, last_seen_unix_ms, TIME, "when it last did anything, where the provider says so"),
    ROW(identity, tags, PAIRS, "as the provider has them", .max_bytes = VALUE),
    ROW(identity, facts, PAIRS, "what evaluation and correlation must know of it", .max_bytes = VALUE),
};

static const kim_field key_fields[] = {
    ROW(key, identity, TEXT, "whose", KEY, REQUIRED, .max_bytes = ID),
    ROW(key, type, TEXT,
        "oidc, object_guid, certificate_sha256, scim_external_id, upn, email, cluster_uid "
        "...", KEY, REQUIRED, .max_bytes = WORD),
    ROW(key, issuer, TEXT, "who gave the value, where that makes it unique: an OIDC issuer", KEY, .max_bytes = ID),
    ROW(key, value, TEXT, "exact", KEY, REQUIRED, .max_bytes = ID),
};

static const kim_field edge_fields[] = {
    ROW(edge, kind, ENUM,
        "`member_of`: `from` gains what `to` has; `can_become`: `from` may act as `to`", KEY, REQUIRED, .values = edge_kinds),
    ROW(edge, from, TEXT,
        "an identity's id; for `can_become` also a principal as a document names it", KEY, REQUIRED, .max_bytes = ID),
    ROW(edge, to, TEXT, "an identity's id", KEY, REQUIRED, .max_bytes = ID),
    ROW(edge, order, INT, "of several memberships, where it decides (first-match)"),
    ROW(edge, eligible, BOOL, "can be activated; not in force now"),
    ROW(edge, condition, CONDITION, "under which it holds", .max_bytes = KIM_CONDITION_MAX_BYTES),
    ROW(edge, starts_unix_ms, TIME, "in force from then on"),
    ROW(edge, expires_unix_ms, TIME, "no longer in force from then on"),
    ROW(edge, via, TEXT, "how: `group`, `sts:AssumeRole`, `instance_profile`", KEY, .max_bytes = ID),
    ROW(edge, to_scope, TEXT, "the scope that defines `to`; absent: the record's own", KEY, .max_bytes = ID),
    ROW(edge, ordered, BOOL, "`order` counts though it is 0"),
};

static const kim_field resource_fields[] = {
    ROW(resource, id, TEXT, "native", KEY, REQUIRED, .max_bytes = ID),
    ROW(resource, type, TEXT, "the provider's: `s3:bucket`", .max_bytes = WORD),
    ROW(resource, parent, TEXT, "the id of the resource that holds it", .max_bytes = ID),
    ROW(resource, name, TEXT, "for people", .max_bytes = NAME),
    ROW(resource, sensitivity, TEXT, "the customer's own word for it", .max_bytes = WORD),
    ROW(resource, tags, PAIRS, "as the provider has them", .max_bytes = VALUE),
    ROW(resource, facts, PAIRS, "what the provider's evaluation must know of it", .max_bytes = VALUE),
};

static const kim_field policy_fields[] = {
    ROW(policy, id, TEXT,
        "native, or `OWNER/inline/NAME` where the provider has none", KEY, REQUIRED, .max_bytes = ID),
    ROW(policy, name, TEXT, "for people", .max_bytes = NAME),
    ROW(policy, version, TEXT, "of the policy language, as written: `2012-10-17`", .max_bytes = WORD),
    ROW(policy, revision, TEXT, "of the document: `v3`", .max_bytes = NAME),
    ROW(policy, kind, TEXT, "managed, inline, resource, trust, scp, rcp, permission_set ...", .max_bytes = WORD),
    ROW(policy, hash, TEXT, "hex, of the document as the provider gave it", .max_bytes = WORD),
    ROW(policy, unread, TEXT,
        "why the document, or a part of it, could not be read; absent: all was read", .max_bytes = VALUE),
    ROW(policy, provider_managed, BOOL, "the provider's own, which the customer cannot change"),
};

static const kim_field statement_fields[] = {
    ROW(statement, policy, TEXT, "the policy's id", KEY, REQUIRED, .max_bytes = ID),
    ROW(statement, index, INT, "its place in the document, from 0", KEY),
    ROW(statement, sid, TEXT, "its own name in the document", .max_bytes = VALUE),
    ROW(statement, effect, ENUM, "absent where it could not be read", .values = effects),
    ROW(statement, actions, TEXTS, "patterns; with neither these nor the next: all actions", .max_bytes = ID),
    ROW(statement, not_actions, TEXTS, "all but these", .max_bytes = ID),
    ROW(statement, resources, TEXTS, "patterns; with neither these nor the next: all resources", .max_bytes = ID),
    ROW(statement, not_resources, TEXTS, "all but these", .max_bytes = ID),
    ROW(statement, subjects, TEXTS, "where the document names them", .max_bytes = ID),
    ROW(statement, not_subjects, TEXTS, "all but these", .max_bytes = ID),
    ROW(statement, condition, CONDITION, "under which it applies", .max_bytes = KIM_CONDITION_MAX_BYTES),
    ROW(statement, order, TEXTS, "numbers, compared part by part (first-match)", .max_bytes = WORD),
    ROW(statement, weight, INT, "the larger one counts (most-specific)"),
    ROW(statement, universe, TEXT, "which actions it speaks about, where not all", .max_bytes = NAME),
    ROW(statement, unread, TEXT,
        "why it could not be understood: it may allow or deny anything that it names", .max_bytes = VALUE),
};

static const kim_field attachment_fields[] = {
    ROW(attachment, policy, TEXT, "the policy's id", KEY, REQUIRED, .max_bytes = ID),
    ROW(attachment, layer, TEXT, "a layer of the profile", KEY, REQUIRED, .max_bytes = WORD),
    ROW(attachment, subject, TEXT, "an identity's id; absent: whom the statements name", KEY, .max_bytes = ID),
    ROW(attachment, on_scope, TEXT, "a scope's id", KEY, .max_bytes = ID),
    ROW(attachment, resource, TEXT, "a resource's id", KEY, .max_bytes = ID),
    ROW(attachment, order, INT, "of several attachments, where it decides"),
    ROW(attachment, inherit, ENUM,
        "how far below the scope or resource it reaches; absent: tree for a scope, none "
        "otherwise", .values = inherits),
    ROW(attachment, condition, CONDITION,
        "under which the attachment holds", .max_bytes = KIM_CONDITION_MAX_BYTES),
    ROW(attachment, eligible, BOOL, "can be activated; grants nothing now"),
    ROW(attachment, starts_unix_ms, TIME, "in force from then on"),
    ROW(attachment, expires_unix_ms, TIME, "no longer in force from then on"),
    ROW(attachment, origin, ENUM,
        "absent: explicit; `default`: the system allows it without a rule; `implicit`: nobody "
        "is asked", .values = origins),
    ROW(attachment, native_id, TEXT,
        "the provider's own name for the attachment, where it has one: a role binding's; so two that say the same stay two",
        KEY, .max_bytes = ID),
};

static const kim_field credential_fields[] = {
    ROW(credential, id, TEXT, "native: an access key's id, a serial number", KEY, REQUIRED, .max_bytes = ID),
    ROW(credential, identity, TEXT, "whose", KEY, REQUIRED, .max_bytes = ID),
    ROW(credential, kind, TEXT,
        "password, access_key, certificate, token, signing_certificate ...", .max_bytes = WORD),
    ROW(credential, state, ENUM, "absent: active", .values = states),
    ROW(credential, created_unix_ms, TIME, "when it was made"),
    ROW(credential, last_used_unix_ms, TIME, "when it was last used"),
    ROW(credential, expires_unix_ms, TIME, "from then on it is of no use"),
    ROW(credential, second_factor, BOOL, "asks for one, or is one"),
    ROW(credential, facts, PAIRS, "what else the provider says of it", .max_bytes = VALUE),
};

static const kim_field usage_fields[] = {
    ROW(usage, day, INT, "days since 1970-01-01 UTC", KEY),
    ROW(usage, identity, TEXT, "who", KEY, REQUIRED, .max_bytes = ID),
    ROW(usage, action, TEXT, "as a policy would name it", KEY, REQUIRED, .max_bytes = NAME),
    ROW(usage, resource, TEXT, "absent where the log does not say", KEY, .max_bytes = ID),
    ROW(usage, outcome, ENUM, "how it ended", KEY, REQUIRED, .values = outcomes),
    ROW(usage, count, INT, "how often"),
    ROW(usage, first_unix_ms, TIME, "of the day"),
    ROW(usage, last_unix_ms, TIME, "of the day"),
    ROW(usage, via, TEXT,
        "who stood behind the identity: a source identity, the caller of a role, a service", KEY, .max_bytes = ID),
    ROW(usage, widened, BOOL,
        "`resource` is a prefix that ends in `*` and stands for several; no proposal narrows below it"),
};

static const kim_field profile_fields[] = {
    ROW(profile, id, TEXT, "the provider's name: `aws`", KEY, REQUIRED, .max_bytes = WORD),
    ROW(profile, combining, TEXT,
        "deny-overrides, allow-union, first-match, most-specific, nearest-explicit or "
        "layered", REQUIRED, .max_bytes = WORD),
    ROW(profile, default_effect, ENUM, "where no statement matches; absent: deny", .values = effects),
    ROW(profile, default_by_action, PAIRS,
        "an action or a class of actions, and its own default: allow or deny", .max_bytes = WORD),
    ROW(profile, wildcard, TEXT,
        "exact, glob, arn, mqtt, nats, regex-unanchored, path-prefix or bitmask", .max_bytes = WORD),
    ROW(profile, letter_case, TEXT, "sensitive or insensitive, of actions", .max_bytes = WORD),
    ROW(profile, layers, PAIRS,
        "a layer's name, and its use: grant, ceiling, veto or delegation", .max_bytes = WORD),
    ROW(profile, catalogue, TEXT, "names a file of actions", .max_bytes = WORD),
    ROW(profile, product, TEXT,
        "whose rules these are, where the provider's name does not say", .max_bytes = NAME),
    ROW(profile, product_version, TEXT, "of the product", .max_bytes = NAME),
};

static const kim_field coverage_fields[] = {
    ROW(coverage, part, TEXT, "`iam`, `s3:bucket-policy`, `log:data:s3` ...", KEY, REQUIRED, .max_bytes = NAME),
    ROW(coverage, status, ENUM, "how it stands", REQUIRED, .values = coverage_statuses),
    ROW(coverage, why, TEXT, "it could not be read, in the provider's words", .max_bytes = VALUE),
    ROW(coverage, from_unix_ms, TIME, "of a log: the window's begin"),
    ROW(coverage, to_unix_ms, TIME, "of a log: the window's end"),
    ROW(coverage, resolution, TEXT, "of a log: what it can show: action, service", .max_bytes = NAME),
    ROW(coverage, actions, TEXTS, "patterns of the actions it speaks of; absent: all", .max_bytes = ID),
    ROW(coverage, resource, TEXT, "the one resource it speaks of; absent: the whole part", .max_bytes = ID),
};

static const struct {
    const char *name, *help;
    const kim_field *fields;
    size_t count;
} types[KIM_RECORD_TYPES] = {
#define TYPE(name, help) {#name, help, name##_fields, sizeof name##_fields / sizeof *name##_fields}
    [KIM_SCOPE] = TYPE(scope,
        "A node of the tree that things live in: organisation, OU, account, management group, "
        "subscription, resource group, folder, project, cluster, namespace, directory, plant, "
        "zone."),
    [KIM_IDENTITY] = TYPE(identity,
        "Whatever can be granted something, as one system knows it."),
    [KIM_KEY] = TYPE(key,
        "A correlation key of an identity: by these, and by evidence, identities are linked to "
        "entities."),
    [KIM_EDGE] = TYPE(edge,
        "From one identity to another: what it is part of, and what it can act as."),
    [KIM_RESOURCE] = TYPE(resource,
        "What something can be done to."),
    [KIM_POLICY] = TYPE(policy,
        "A native document or role definition: written once, however often it is attached. Its "
        "statements are records of their own."),
    [KIM_STATEMENT] = TYPE(statement,
        "One rule within a policy, as written. An absent list matches all, an empty one nothing."),
    [KIM_ATTACHMENT] = TYPE(attachment,
        "Where a policy is put in force, and for whom."),
    [KIM_CREDENTIAL] = TYPE(credential,
        "A key, password, certificate or token of an identity; never its secret."),
    [KIM_USAGE] = TYPE(usage,
        "What an identity did on a day, counted."),
    [KIM_PROFILE] = TYPE(profile,
        "How a provider's statements are to be evaluated."),
    [KIM_COVERAGE] = TYPE(coverage,
        "What was read of a part of the scope, and what was not: answers that depend on the "
        "latter are unknown."),
};

static bool is_known(kim_record_type type)
{
    return type > 0 && (unsigned)type < KIM_RECORD_TYPES;
}

const kim_field *kim_record_fields(kim_record_type type, size_t *count)
{
    *count = is_known(type) ? types[type].count : 0;
    return is_known(type) ? types[type].fields : NULL;
}

const char *kim_record_type_name(kim_record_type type)
{
    return is_known(type) ? types[type].name : NULL;
}

const char *kim_record_type_help(kim_record_type type)
{
    return is_known(type) ? types[type].help : NULL;
}

const char *kim_enum_name(const char *type, const char *field, int32_t value)
{
    for (size_t t = 1; t < KIM_RECORD_TYPES; t++) {
        for (size_t f = 0; strcmp(types[t].name, type) == 0 && f < types[t].count; f++) {
            const kim_field *row = &types[t].fields[f];
            if (row->kind != KIM_FIELD_ENUM || strcmp(row->name, field) != 0)
                continue;
            for (int32_t i = 1; row->values[i] != NULL; i++) {
                if (i == value)
                    return row->values[i];
            }
        }
    }
    return NULL;
}
