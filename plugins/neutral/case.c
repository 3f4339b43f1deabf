/* SPDX-License-Identifier: Apache-2.0
 *
 * case.c - each object of a case is read along a table: key, reader, field.
 *
 * A key that has no row is refused by name, so the tables are also the list of what may be written.
 * Everything is read before the first record is emitted: a case goes out whole or not at all.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <kim/limits.h>
#include <kim/time.h>

#include "plugins/neutral/case.h"

/* One statement of the case: what it says, and how it is attached. */
typedef struct rule {
    kim_text id;
    kim_statement statement;
    kim_attachment attachment;
} rule;

typedef struct question {
    kim_text identity, resource;
} question;

/* A case, or a document that says the same without a request. */
typedef struct neutral_case {
    kim_text scope;
    kim_profile profile;
    question question;      /* of a case */
    bool is_document;
    kim_identity *identities; /* as a document declares them */
    size_t identity_count;
    rule *rules;
    size_t rule_count;
    kim_edge *edges;
    size_t edge_count;
    kim_pairs parents; /* child -> parent */
} neutral_case;

typedef struct reader {
    kim_arena *arena;
    const char *what; /* the object at hand, for messages: "statements[3]" */
    kim_error *err;
} reader;

typedef struct key {
    const char *name;
    int (*read)(reader *r, const char *name, const kim_json *value, void *field); /* NULL: read elsewhere */
    size_t offset;
} key;

/* ---- readers of one value ---- */

static int wrong(reader *r, const char *name, const kim_json *value, const char *wanted)
{
    return kim_fail(r->err, KIM_ERR_INPUT, "case: %s: %s is %s; it must be %s", r->what, name,
                    kim_json_type_name(value->type), wanted);
}

static int read_text(reader *r, const char *name, const kim_json *value, void *field)
{
    if (!kim_json_is(value, KIM_JSON_STRING) && !kim_json_is(value, KIM_JSON_NUMBER))
        return wrong(r, name, value, "a string");
    *(kim_text *)field = value->text;
    return 0;
}

static int read_texts(reader *r, const char *name, const kim_json *value, void *field)
{
    kim_texts *texts = field;
    *texts = kim_json_texts(value, r->arena);
    if (value->type == KIM_JSON_OBJECT || value->type == KIM_JSON_NULL ||
        texts->count != (value->type == KIM_JSON_ARRAY ? value->count : 1))
        return wrong(r, name, value, "a string or a list of strings");
    return 0;
}

static int read_int(reader *r, const char *name, const kim_json *value, void *field)
{
    int64_t number = kim_json_int(value, INT64_MIN);
    if (number == INT64_MIN)
        return wrong(r, name, value, "a whole number");
    *(int64_t *)field = number;
    return 0;
}

static int read_bool(reader *r, const char *name, const kim_json *value, void *field)
{
    if (!kim_json_is(value, KIM_JSON_BOOL))
        return wrong(r, name, value, "true or false");
    *(bool *)field = value->boolean;
    return 0;
}

/* A membership's order counts though it is 0. */
static int read_edge_order(reader *r, const char *name, const kim_json *value, void *field)
{
    kim_edge *e = field;
    e->ordered = true;
    return read_int(r, name, value, &e->order);
}

/* Unix milliseconds as a number or as its text, or RFC 3339; the number 0 is no time. */
static int read_time(reader *r, const char *name, const kim_json *value, void *field)
{
    bool is_text = kim_json_is(value, KIM_JSON_STRING);
    const kim_json number = {.type = KIM_JSON_NUMBER, .text = value->text};
    int64_t at = is_text ? kim_time_of_text(value->text) : 0;
    if (at == 0)
        at = !is_text ? kim_json_int(value, -1) : value->text.size ? kim_json_int(&number, -1) : -1;
    if (at < 0)
        return wrong(r, name, value, "Unix milliseconds or a time such as 2026-11-20T10:00:00Z");
    *(int64_t *)field = at;
    return 0;
}

/* A word of an enumeration of records, such as kim_enum_name("edge", "kind", 1). */
static int read_word(reader *r, const char *name, const kim_json *value, const char *type, const char *enumeration, int32_t *field)
{
    kim_text known = KIM_NO_TEXT;
    for (int32_t i = 1; kim_enum_name(type, enumeration, i); i++) {
        const char *word = kim_enum_name(type, enumeration, i);
        if (kim_json_is(value, KIM_JSON_STRING) && kim_text_is(value->text, word)) {
            *field = i;
            return 0;
        }
        known = kim_text_format(r->arena, "%.*s%s%s", KIM_PRINT(known), known.size ? ", " : "", word);
    }
    return kim_fail(r->err, KIM_ERR_INPUT, "case: %s: %s '%.80s' is not known; write one of %.*s", r->what, name,
                    kim_json_is(value, KIM_JSON_STRING) ? value->text.bytes : kim_json_type_name(value->type), KIM_PRINT(known));
}

static int read_effect(reader *r, const char *name, const kim_json *value, void *field)
{
    return read_word(r, name, value, "statement", "effect", field);
}

static int read_inherit(reader *r, const char *name, const kim_json *value, void *field)
{
    return read_word(r, name, value, "attachment", "inherit", field);
}

static int read_origin(reader *r, const char *name, const kim_json *value, void *field)
{
    return read_word(r, name, value, "attachment", "origin", field);
}

static int read_edge_kind(reader *r, const char *name, const kim_json *value, void *field)
{
    return read_word(r, name, value, "edge", "kind", field);
}

static int read_object(reader *r, const kim_json *object, const key *keys, void *into);

static int read_condition(reader *r, const char *name, const kim_json *value, void *field)
{
    static const key keys[] = {
        {"lang", read_text, offsetof(kim_condition, lang)},
        {"text", read_text, offsetof(kim_condition, text)},
        {NULL},
    };
    kim_condition *condition = field;
    if (read_object(r, value, keys, condition) < 0)
        return kim_fail_in(r->err, "%s", name);
    if (condition->lang.bytes == NULL || condition->text.bytes == NULL)
        return wrong(r, name, value, "{\"lang\":\"kim\",\"text\":\"...\"}");
    return 0;
}

/* {"subscribe":"allow", ...} */
static int read_pairs(reader *r, const char *name, const kim_json *value, void *field)
{
    kim_pairs *pairs = field;
    if (!kim_json_is(value, KIM_JSON_OBJECT))
        return wrong(r, name, value, "an object of strings");
    kim_pair *items = KIM_NEW_ARRAY(r->arena, kim_pair, value->count ? value->count : 1);
    for (size_t i = 0; items && i < value->count; i++) {
        items[i] = (kim_pair){value->members[i].name, kim_json_text(value->members[i].value)};
        if (items[i].value.bytes == NULL)
            return wrong(r, name, value, "an object of strings");
    }
    *pairs = (kim_pairs){items, items ? value->count : 0};
    return 0;
}

typedef struct layer {
    kim_text name, use;
    kim_texts of;
} layer;

/* "ceiling", or "ceiling:role,identity" for one that is over these layers alone. */
static kim_text use_of(reader *r, const layer *one)
{
    kim_text use = one->use;
    for (size_t i = 0; i < one->of.count; i++)
        use = kim_text_format(r->arena, "%.*s%s%.*s", KIM_PRINT(use), i ? "," : ":", KIM_PRINT(one->of.items[i]));
    return use;
}

/* [{"name":"role","use":"grant"}, {"name":"zone","use":"ceiling","of":["role"]} ...] as name -> use. */
static int read_layers(reader *r, const char *name, const kim_json *value, void *field)
{
    static const key keys[] = {
        {"name", read_text, offsetof(layer, name)},
        {"use", read_text, offsetof(layer, use)},
        {"of", read_texts, offsetof(layer, of)},
        {NULL},
    };
    static const char wanted[] = "a list of {\"name\",\"use\"}, of ceilings and delegations also \"of\"";
    if (!kim_json_is(value, KIM_JSON_ARRAY))
        return wrong(r, name, value, wanted);
    kim_pair *items = KIM_NEW_ARRAY(r->arena, kim_pair, value->count ? value->count : 1);
    for (size_t i = 0; items && i < value->count; i++) {
        layer one = {.of = {NULL, 0}};
        if (read_object(r, &value->items[i], keys, &one) < 0)
            return kim_fail_in(r->err, "%s", name);
        if (one.name.bytes == NULL || one.use.bytes == NULL)
            return wrong(r, name, value, wanted);
        if (one.of.items && one.of.count == 0)
            return kim_fail(r->err, KIM_ERR_INPUT, "case: profile: layer '%.80s' is over none: of is empty; leave it out where it is over all", one.name.bytes);
        items[i] = (kim_pair){one.name, use_of(r, &one)};
    }
    *(kim_pairs *)field = (kim_pairs){items, items ? value->count : 0};
    return 0;
}

/* ---- objects ---- */

static int unknown_key(reader *r, kim_text name, const key *keys)
{
    kim_text known = kim_text_of(keys->name);
    for (keys++; keys->name; keys++)
        known = kim_text_format(r->arena, "%.*s, %s", KIM_PRINT(known), keys->name);
    return kim_fail(r->err, KIM_ERR_INPUT, "case: unknown key '%.80s' in %s; known are %.*s",
                    name.bytes ? name.bytes : "", r->what, KIM_PRINT(known));
}

static int read_object(reader *r, const kim_json *object, const key *keys, void *into)
{
    if (!kim_json_is(object, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "case: %s is %s; it must be an object", r->what,
                        object ? kim_json_type_name(object->type) : "missing");
    for (size_t i = 0; i < object->count; i++) {
        const kim_json_member *member = &object->members[i];
        const key *k = keys;
        while (k->name && !kim_text_is(member->name, k->name))
            k++;
        if (k->name == NULL)
            return unknown_key(r, member->name, keys);
        if (k->read && member->value->type != KIM_JSON_NULL && k->read(r, k->name, member->value, (char *)into + k->offset) < 0)
            return -1;
    }
    return 0;
}

/* {"combining":...,"case":...}: the words themselves are the evaluator's to know, but for the few here. */
static const key profile_keys[] = {
    {"combining", read_text, offsetof(kim_profile, combining)},
    {"default", read_effect, offsetof(kim_profile, default_effect)},
    {"default_by_action", read_pairs, offsetof(kim_profile, default_by_action)},
    {"wildcard", read_text, offsetof(kim_profile, wildcard)},
    {"case", read_text, offsetof(kim_profile, letter_case)},
    {"layers", read_layers, offsetof(kim_profile, layers)},
    {NULL},
};

static const key request_keys[] = {
    {"identity", read_text, offsetof(question, identity)},
    {"resource", read_text, offsetof(question, resource)},
    {"action", NULL, 0},
    {"context", NULL, 0},
    {NULL},
};

static const key statement_keys[] = {
    {"id", read_text, offsetof(rule, id)},
    {"effect", read_effect, offsetof(rule, statement.effect)},
    {"subjects", read_texts, offsetof(rule, statement.subjects)},
    {"not_subjects", read_texts, offsetof(rule, statement.not_subjects)},
    {"actions", read_texts, offsetof(rule, statement.actions)},
    {"not_actions", read_texts, offsetof(rule, statement.not_actions)},
    {"resources", read_texts, offsetof(rule, statement.resources)},
    {"not_resources", read_texts, offsetof(rule, statement.not_resources)},
    {"layer", read_text, offsetof(rule, attachment.layer)},
    {"order", read_texts, offsetof(rule, statement.order)},
    {"weight", read_int, offsetof(rule, statement.weight)},
    {"inherit", read_inherit, offsetof(rule, attachment.inherit)},
    {"origin", read_origin, offsetof(rule, attachment.origin)},
    {"universe", read_text, offsetof(rule, statement.universe)},
    {"condition", read_condition, offsetof(rule, statement.condition)},
    {"eligible", read_bool, offsetof(rule, attachment.eligible)},
    {"starts", read_time, offsetof(rule, attachment.starts_unix_ms)},
    {"expires", read_time, offsetof(rule, attachment.expires_unix_ms)},
    {NULL},
};

static const key edge_keys[] = {
    {"from", read_text, offsetof(kim_edge, from)},
    {"type", read_edge_kind, offsetof(kim_edge, kind)},
    {"to", read_text, offsetof(kim_edge, to)},
    {"order", read_edge_order, 0},
    {"via", read_text, offsetof(kim_edge, via)},
    {"eligible", read_bool, offsetof(kim_edge, eligible)},
    {"condition", read_condition, offsetof(kim_edge, condition)},
    {"starts", read_time, offsetof(kim_edge, starts_unix_ms)},
    {"expires", read_time, offsetof(kim_edge, expires_unix_ms)},
    {NULL},
};

static int read_identity_kind(reader *r, const char *name, const kim_json *value, void *field)
{
    return read_word(r, name, value, "identity", "kind", field);
}

static const key identity_keys[] = {
    {"id", read_text, offsetof(kim_identity, id)},
    {"kind", read_identity_kind, offsetof(kim_identity, kind)},
    {"name", read_text, offsetof(kim_identity, name)},
    {NULL},
};

static const key document_keys[] = {
    {"scope", read_text, offsetof(neutral_case, scope)},
    {"name", read_text, offsetof(neutral_case, profile.id)},
    {"product", read_text, offsetof(neutral_case, profile.product)},
    {"profile", NULL, 0}, {"identities", NULL, 0}, {"statements", NULL, 0}, {"edges", NULL, 0}, {"resources", NULL, 0}, {NULL},
};

/* Rows without a reader are taken by read_case, or are the evaluator's to read. */
static const key case_keys[] = {
    {"id", NULL, 0}, {"provider", NULL, 0}, {"mode", NULL, 0}, {"profile", NULL, 0}, {"request", NULL, 0},
    {"statements", NULL, 0}, {"edges", NULL, 0}, {"resources", NULL, 0}, {"known_absent", NULL, 0},
    {"known_present", NULL, 0}, {NULL},
};

/* ---- a whole case ---- */

/* The members of a list, each read along `keys` into an element of `size` bytes. */
static int read_list(reader *r, const kim_json *root, const char *name, const key *keys, size_t size, void **items, size_t *count)
{
    const kim_json *list = kim_json_get(root, name);
    if (list == NULL || list->type == KIM_JSON_NULL)
        return 0;
    if (!kim_json_is(list, KIM_JSON_ARRAY))
        return kim_fail(r->err, KIM_ERR_INPUT, "case: %s is %s; it must be a list", name, kim_json_type_name(list->type));
    char *at = kim_arena_array(r->arena, list->count ? list->count : 1, size);
    *items = at;
    for (size_t i = 0; at && i < list->count; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s[%zu]", name, i);
        r->what = what;
        int result = read_object(r, &list->items[i], keys, at + i * size);
        r->what = "the case";
        if (result < 0)
            return -1;
    }
    *count = list->count;
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    return kim_text_compare((*(rule *const *)a)->id, (*(rule *const *)b)->id);
}

/* A statement's id is its policy's, so no two may have the same; without one it is where it stands. */
static int name_policies(reader *r, neutral_case *c)
{
    rule **sorted = KIM_NEW_ARRAY(r->arena, rule *, c->rule_count ? c->rule_count : 1);
    if (sorted == NULL)
        return kim_fail(r->err, KIM_ERR_LIMIT, "case: %zu statements take more memory than a case may", c->rule_count);
    for (size_t i = 0; i < c->rule_count; i++) {
        c->rules[i].statement.sid = c->rules[i].id;
        c->rules[i].statement.index = (int64_t)i; /* where it stands: of equal orders the earlier one counts */
        if (c->rules[i].id.size == 0 && c->is_document)
            return kim_fail(r->err, KIM_ERR_INPUT, "case: statements[%zu] has no id; in a document each needs its own", i);
        if (c->rules[i].id.size == 0)
            c->rules[i].id = kim_text_format(r->arena, "[%zu]", i);
        sorted[i] = &c->rules[i];
    }
    qsort(sorted, c->rule_count, sizeof *sorted, compare_ids);
    for (size_t i = 0; i + 1 < c->rule_count; i++)
        if (kim_text_equal(sorted[i]->id, sorted[i + 1]->id))
            return kim_fail(r->err, KIM_ERR_INPUT, "case: two statements have the id '%.*s'; each needs its own",
                            (int)(sorted[i]->id.size < 80 ? sorted[i]->id.size : 80), sorted[i]->id.bytes);
    return 0;
}

static kim_text usual_layer(const kim_profile *profile)
{
    for (size_t i = 0; i < profile->layers.count; i++)
        if (kim_text_is(profile->layers.items[i].value, "grant"))
            return profile->layers.items[i].name;
    return KIM_TEXT("statements");
}

static int check_rules(reader *r, neutral_case *c)
{
    bool no_denies = kim_text_is(c->profile.combining, "allow-union");
    for (size_t i = 0; i < c->rule_count; i++) {
        rule *one = &c->rules[i];
        if (one->statement.effect == 0)
            return kim_fail(r->err, KIM_ERR_INPUT, "case: statements[%zu]: effect is missing; write allow or deny", i);
        if (no_denies && one->statement.effect == KIM_DENY)
            return kim_fail(r->err, KIM_ERR_INPUT, "case: statement '%.80s' has effect deny, which allow-union does not know",
                            one->id.bytes ? one->id.bytes : "");
        if (one->attachment.layer.bytes == NULL)
            one->attachment.layer = usual_layer(&c->profile);
    }
    return name_policies(r, c);
}

static int read_case(reader *r, const kim_json *root, neutral_case *c)
{
    r->what = c->is_document ? "the document" : "the case";
    if (read_object(r, root, c->is_document ? document_keys : case_keys, c) < 0)
        return -1;
    r->what = "profile";
    if (read_object(r, kim_json_get(root, "profile"), profile_keys, &c->profile) < 0)
        return -1;
    if (c->profile.combining.bytes == NULL)
        return kim_fail(r->err, KIM_ERR_INPUT, "case: profile.combining is missing; write deny-overrides, allow-union, "
                        "first-match, most-specific, nearest-explicit or layered");
    r->what = "request";
    if (!c->is_document && read_object(r, kim_json_get(root, "request"), request_keys, &c->question) < 0)
        return -1;
    r->what = "the case";
    if (read_list(r, root, "identities", identity_keys, sizeof *c->identities, (void **)&c->identities, &c->identity_count) < 0 ||
        read_list(r, root, "statements", statement_keys, sizeof *c->rules, (void **)&c->rules, &c->rule_count) < 0 ||
        read_list(r, root, "edges", edge_keys, sizeof *c->edges, (void **)&c->edges, &c->edge_count) < 0)
        return -1;
    for (size_t i = 0; i < c->edge_count; i++)
        if (c->edges[i].kind == 0 || c->edges[i].from.bytes == NULL || c->edges[i].to.bytes == NULL)
            return kim_fail(r->err, KIM_ERR_INPUT, "case: edges[%zu] needs from, type and to", i);
    const kim_json *resources = kim_json_get(root, "resources");
    if (resources && resources->type != KIM_JSON_NULL && read_pairs(r, "resources", resources, &c->parents) < 0)
        return -1;
    return check_rules(r, c);
}

static int emit_rule(kim_emitter *emitter, kim_text scope, rule *one, kim_error *err)
{
    kim_record policy = {.type = KIM_POLICY, .scope = scope, .policy = {.id = one->id, .name = one->id, .kind = KIM_TEXT("rule")}};
    one->statement.policy = one->attachment.policy = one->id;
    kim_record statement = {.type = KIM_STATEMENT, .scope = scope, .statement = one->statement};
    kim_record attachment = {.type = KIM_ATTACHMENT, .scope = scope, .attachment = one->attachment};
    if (kim_emit(emitter, &policy, err) < 0 || kim_emit(emitter, &statement, err) < 0 || kim_emit(emitter, &attachment, err) < 0)
        return -1;
    return 0;
}

/* The resources with parents, and the one that is asked about. */
static int emit_resources(kim_emitter *emitter, const neutral_case *c, kim_error *err)
{
    bool asked = c->question.resource.size == 0;
    for (size_t i = 0; i < c->parents.count; i++) {
        kim_record resource = {.type = KIM_RESOURCE, .scope = c->scope,
                               .resource = {.id = c->parents.items[i].name, .parent = c->parents.items[i].value}};
        asked = asked || kim_text_equal(resource.resource.id, c->question.resource);
        if (kim_emit(emitter, &resource, err) < 0)
            return -1;
    }
    kim_record resource = {.type = KIM_RESOURCE, .scope = c->scope, .resource = {.id = c->question.resource}};
    return asked ? 0 : kim_emit(emitter, &resource, err);
}

static int emit_case(kim_emitter *emitter, neutral_case *c, kim_error *err)
{
    kim_record scope = {.type = KIM_SCOPE, .scope = c->scope, .as_scope = {.id = c->scope, .kind = c->is_document ? KIM_TEXT("plant") : KIM_TEXT("case")}};
    kim_record profile = {.type = KIM_PROFILE, .scope = c->scope, .profile = c->profile};
    kim_record identity = {.type = KIM_IDENTITY, .scope = c->scope, .identity = {.id = c->question.identity, .kind = KIM_WORKLOAD}};
    if (kim_text_is_absent(profile.profile.id))
        profile.profile.id = KIM_TEXT("neutral");
    if (profile.profile.default_effect == 0)
        profile.profile.default_effect = KIM_DENY;
    if (kim_emit(emitter, &scope, err) < 0 || kim_emit(emitter, &profile, err) < 0 ||
        (c->question.identity.size && kim_emit(emitter, &identity, err) < 0))
        return -1;
    for (size_t i = 0; i < c->rule_count; i++)
        if (emit_rule(emitter, c->scope, &c->rules[i], err) < 0)
            return -1;
    for (size_t i = 0; i < c->edge_count; i++) {
        kim_record edge = {.type = KIM_EDGE, .scope = c->scope, .edge = c->edges[i]};
        if (kim_emit(emitter, &edge, err) < 0)
            return -1;
    }
    return emit_resources(emitter, c, err);
}

/* ---- whom a document names ---- */

typedef struct named {
    kim_text id;
    int32_t kind; /* 0: not declared */
} named;

static int compare_names(const void *left, const void *right)
{
    const named *a = left, *b = right;
    int order = kim_text_compare(a->id, b->id);
    return order ? order : b->kind - a->kind;
}

/* Declared ones, and all that memberships and statements name: a group where something is a member of it. */
static int emit_names(kim_emitter *emitter, kim_arena *arena, const neutral_case *c, kim_error *err)
{
    size_t most = 2 * c->edge_count, count = 0;
    for (size_t i = 0; i < c->rule_count; i++)
        most += c->rules[i].statement.subjects.count;
    named *names = KIM_NEW_ARRAY(arena, named, most + 1);
    if (names == NULL)
        return kim_fail(err, KIM_ERR_LIMIT, "it takes more memory than a document may");
    for (size_t i = 0; i < c->edge_count; i++) {
        names[count++] = (named){c->edges[i].from, 0};
        names[count++] = (named){c->edges[i].to, c->edges[i].kind == KIM_MEMBER_OF ? KIM_GROUP : 0};
    }
    for (size_t i = 0; i < c->rule_count; i++)
        for (size_t k = 0; k < c->rules[i].statement.subjects.count; k++)
            if (!kim_text_is(c->rules[i].statement.subjects.items[k], "*"))
                names[count++] = (named){c->rules[i].statement.subjects.items[k], 0};
    qsort(names, count, sizeof *names, compare_names);
    for (size_t i = 0; i < count; i++) {
        kim_record record = {.type = KIM_IDENTITY, .scope = c->scope, .identity = {.id = names[i].id, .kind = names[i].kind ? names[i].kind : KIM_WORKLOAD}};
        if ((i == 0 || !kim_text_equal(names[i - 1].id, names[i].id)) && kim_emit(emitter, &record, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < c->identity_count; i++) { /* what is declared replaces what is only named */
        kim_record record = {.type = KIM_IDENTITY, .scope = c->scope, .identity = c->identities[i]};
        record.identity.kind = record.identity.kind ? record.identity.kind : KIM_WORKLOAD;
        if (kim_emit(emitter, &record, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- the two forms ---- */

static int normalise(kim_emitter *emitter, kim_arena *arena, neutral_case *c, const kim_json *root, kim_error *err)
{
    reader r = {.arena = arena, .err = err};
    emitter->pending.size = 0;
    if (read_case(&r, root, c) < 0)
        return -1;
    if (kim_arena_is_full(arena))
        return kim_fail(err, KIM_ERR_LIMIT, "case: it takes more memory than a case may");
    if (emit_case(emitter, c, err) < 0 || (c->is_document && emit_names(emitter, arena, c, err) < 0)) {
        emitter->pending.size = 0;
        return kim_fail_in(err, "case");
    }
    return kim_emit_flush(emitter, NULL, 0, err);
}

int neutral_case_normalise(kim_emitter *emitter, kim_arena *arena, const char *name, const char *bytes,
                           size_t size, kim_error *err)
{
    neutral_case c = {.scope = KIM_TEXT("neutral:case")};
    kim_arena_reset(arena);
    emitter->pending.size = 0;
    const kim_json *root = kim_json_parse(bytes, size, name && *name ? name : "case", arena, err);
    return root ? normalise(emitter, arena, &c, root, err) : -1;
}

int neutral_document_normalise(kim_emitter *emitter, kim_arena *arena, const char *name, const char *bytes,
                               size_t size, kim_error *err)
{
    const char *slash = strrchr(name, '/'), *file = slash ? slash + 1 : name, *dot = strchr(file, '.');
    neutral_case c = {.is_document = true};
    kim_arena_reset(arena);
    const kim_json *root = kim_json_parse(bytes, size, name, arena, err);
    c.scope = kim_text_format(arena, "neutral:%.*s", (int)(dot && dot > file ? (size_t)(dot - file) : strlen(file)), file);
    if (root == NULL)
        return -1;
    return normalise(emitter, arena, &c, root, err) < 0 ? kim_fail_in(err, "%s", name) : 0;
}

int neutral_recognise(const char *head, size_t size)
{
    size_t at = 0;
    while (at < size && memchr(" \t\r\n", head[at], 4))
        at++;
    bool is_object = at < size && head[at] == '{';
    return is_object && memmem(head, size, "\"profile\"", 9) && memmem(head, size, "\"combining\"", 11) ? 2 : 0;
}
