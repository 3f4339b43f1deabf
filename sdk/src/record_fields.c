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

#define ROW(part, member, field_kind, ...) \
    {.name = #member, .kind = KIM_FIELD_##field_kind, .offset = offsetof(kim_record, part.member), __VA_ARGS__}
#define KEY .is_key = 1
#define REQUIRED .is_required = 1

static const kim_field scope_fields[] = {
    ROW(as_scope, id, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(as_scope, kind, TEXT, REQUIRED, .max_bytes = WORD),
    ROW(as_scope, parent, TEXT, .max_bytes = ID),
    ROW(as_scope, name, TEXT, .max_bytes = NAME),
    ROW(as_scope, native_id, TEXT, .max_bytes = ID),
    ROW(as_scope, tags, PAIRS, .max_bytes = VALUE),
    ROW(as_scope, facts, PAIRS, .max_bytes = VALUE),
};

static const kim_field identity_fields[] = {
    ROW(identity, id, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(identity, kind, ENUM, REQUIRED, .values = identity_kinds),
    ROW(identity, name, TEXT, .max_bytes = NAME),
    ROW(identity, state, ENUM, .values = states),
    ROW(identity, external, BOOL),
    ROW(identity, ephemeral, BOOL),
    ROW(identity, owner, TEXT, .max_bytes = ID),
    ROW(identity, created_unix_ms, TIME),
    ROW(identity, last_seen_unix_ms, TIME),
    ROW(identity, tags, PAIRS, .max_bytes = VALUE),
    ROW(identity, facts, PAIRS, .max_bytes = VALUE),
};

static const kim_field key_fields[] = {
    ROW(key, identity, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(key, type, TEXT, KEY, REQUIRED, .max_bytes = WORD),
    ROW(key, issuer, TEXT, KEY, .max_bytes = ID),
    ROW(key, value, TEXT, KEY, REQUIRED, .max_bytes = ID),
};

static const kim_field edge_fields[] = {
    ROW(edge, kind, ENUM, KEY, REQUIRED, .values = edge_kinds),
    ROW(edge, from, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(edge, to, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(edge, order, INT),
    ROW(edge, eligible, BOOL),
    ROW(edge, condition, CONDITION, .max_bytes = KIM_CONDITION_MAX_BYTES),
    ROW(edge, starts_unix_ms, TIME),
    ROW(edge, expires_unix_ms, TIME),
    ROW(edge, via, TEXT, KEY, .max_bytes = ID),
    ROW(edge, to_scope, TEXT, KEY, .max_bytes = ID),
};

static const kim_field resource_fields[] = {
    ROW(resource, id, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(resource, type, TEXT, .max_bytes = WORD),
    ROW(resource, parent, TEXT, .max_bytes = ID),
    ROW(resource, name, TEXT, .max_bytes = NAME),
    ROW(resource, sensitivity, TEXT, .max_bytes = WORD),
    ROW(resource, tags, PAIRS, .max_bytes = VALUE),
    ROW(resource, facts, PAIRS, .max_bytes = VALUE),
};

static const kim_field policy_fields[] = {
    ROW(policy, id, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(policy, name, TEXT, .max_bytes = NAME),
    ROW(policy, version, TEXT, .max_bytes = WORD),
    ROW(policy, revision, TEXT, .max_bytes = NAME),
    ROW(policy, kind, TEXT, .max_bytes = WORD),
    ROW(policy, hash, TEXT, .max_bytes = WORD),
    ROW(policy, unread, TEXT, .max_bytes = VALUE),
    ROW(policy, provider_managed, BOOL),
};

static const kim_field statement_fields[] = {
    ROW(statement, policy, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(statement, index, INT, KEY),
    ROW(statement, sid, TEXT, .max_bytes = VALUE),
    ROW(statement, effect, ENUM, .values = effects),
    ROW(statement, actions, TEXTS, .max_bytes = ID),
    ROW(statement, not_actions, TEXTS, .max_bytes = ID),
    ROW(statement, resources, TEXTS, .max_bytes = ID),
    ROW(statement, not_resources, TEXTS, .max_bytes = ID),
    ROW(statement, subjects, TEXTS, .max_bytes = ID),
    ROW(statement, not_subjects, TEXTS, .max_bytes = ID),
    ROW(statement, condition, CONDITION, .max_bytes = KIM_CONDITION_MAX_BYTES),
    ROW(statement, order, TEXTS, .max_bytes = WORD),
    ROW(statement, weight, INT),
    ROW(statement, universe, TEXT, .max_bytes = NAME),
    ROW(statement, unread, TEXT, .max_bytes = VALUE),
};

static const kim_field attachment_fields[] = {
    ROW(attachment, policy, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(attachment, layer, TEXT, KEY, REQUIRED, .max_bytes = WORD),
    ROW(attachment, subject, TEXT, KEY, .max_bytes = ID),
    ROW(attachment, on_scope, TEXT, KEY, .max_bytes = ID),
    ROW(attachment, resource, TEXT, KEY, .max_bytes = ID),
    ROW(attachment, order, INT),
    ROW(attachment, inherit, ENUM, .values = inherits),
    ROW(attachment, condition, CONDITION, .max_bytes = KIM_CONDITION_MAX_BYTES),
    ROW(attachment, eligible, BOOL),
    ROW(attachment, starts_unix_ms, TIME),
    ROW(attachment, expires_unix_ms, TIME),
    ROW(attachment, origin, ENUM, .values = origins),
};

static const kim_field credential_fields[] = {
    ROW(credential, id, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(credential, identity, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(credential, kind, TEXT, .max_bytes = WORD),
    ROW(credential, state, ENUM, .values = states),
    ROW(credential, created_unix_ms, TIME),
    ROW(credential, last_used_unix_ms, TIME),
    ROW(credential, expires_unix_ms, TIME),
    ROW(credential, second_factor, BOOL),
    ROW(credential, facts, PAIRS, .max_bytes = VALUE),
};

static const kim_field usage_fields[] = {
    ROW(usage, day, INT, KEY),
    ROW(usage, identity, TEXT, KEY, REQUIRED, .max_bytes = ID),
    ROW(usage, action, TEXT, KEY, REQUIRED, .max_bytes = NAME),
    ROW(usage, resource, TEXT, KEY, .max_bytes = ID),
    ROW(usage, outcome, ENUM, KEY, REQUIRED, .values = outcomes),
    ROW(usage, count, INT),
    ROW(usage, first_unix_ms, TIME),
    ROW(usage, last_unix_ms, TIME),
    ROW(usage, via, TEXT, KEY, .max_bytes = ID),
    ROW(usage, widened, BOOL),
};

static const kim_field profile_fields[] = {
    ROW(profile, id, TEXT, KEY, REQUIRED, .max_bytes = WORD),
    ROW(profile, combining, TEXT, REQUIRED, .max_bytes = WORD),
    ROW(profile, default_effect, ENUM, .values = effects),
    ROW(profile, default_by_action, PAIRS, .max_bytes = WORD),
    ROW(profile, wildcard, TEXT, .max_bytes = WORD),
    ROW(profile, letter_case, TEXT, .max_bytes = WORD),
    ROW(profile, layers, PAIRS, .max_bytes = WORD),
    ROW(profile, catalogue, TEXT, .max_bytes = WORD),
    ROW(profile, product, TEXT, .max_bytes = NAME),
    ROW(profile, product_version, TEXT, .max_bytes = NAME),
};

static const kim_field coverage_fields[] = {
    ROW(coverage, part, TEXT, KEY, REQUIRED, .max_bytes = NAME),
    ROW(coverage, status, ENUM, REQUIRED, .values = coverage_statuses),
    ROW(coverage, why, TEXT, .max_bytes = VALUE),
    ROW(coverage, from_unix_ms, TIME),
    ROW(coverage, to_unix_ms, TIME),
    ROW(coverage, resolution, TEXT, .max_bytes = NAME),
    ROW(coverage, actions, TEXTS, .max_bytes = ID),
    ROW(coverage, resource, TEXT, .max_bytes = ID),
};

static const struct {
    const char *name;
    const kim_field *fields;
    size_t count;
} types[KIM_RECORD_TYPES] = {
#define TYPE(name) {#name, name##_fields, sizeof name##_fields / sizeof *name##_fields}
    [KIM_SCOPE] = TYPE(scope),
    [KIM_IDENTITY] = TYPE(identity),
    [KIM_KEY] = TYPE(key),
    [KIM_EDGE] = TYPE(edge),
    [KIM_RESOURCE] = TYPE(resource),
    [KIM_POLICY] = TYPE(policy),
    [KIM_STATEMENT] = TYPE(statement),
    [KIM_ATTACHMENT] = TYPE(attachment),
    [KIM_CREDENTIAL] = TYPE(credential),
    [KIM_USAGE] = TYPE(usage),
    [KIM_PROFILE] = TYPE(profile),
    [KIM_COVERAGE] = TYPE(coverage),
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
