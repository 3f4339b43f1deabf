/* SPDX-License-Identifier: Apache-2.0
 *
 * document.c - elements by a table: each has a reader, may stand once, and says itself what is wrong.
 */
#include <stdio.h>

#include <kim/limits.h>

#include "plugins/aws/arn.h"
#include "plugins/aws/document.h"

enum {
    COMPLAINTS_MAX = 8,     /* further ones of the same part only count */
    UNREAD_MAX_BYTES = 900, /* stays below KIM_NAME_MAX_BYTES */
    MEMBERS_MAX = 1024,     /* of one object: more do not fit AWS's largest document (20 kB), and each is compared with all */
};

/* What is wrong with the part at hand, told in one text. */
typedef struct complaints {
    kim_arena *arena;
    kim_text text; /* absent: nothing */
    unsigned count;
} complaints;

static void complain(complaints *c, kim_text text)
{
    if (++c->count > COMPLAINTS_MAX || c->text.size + text.size + 2 > UNREAD_MAX_BYTES)
        return;
    c->text = c->text.bytes ? aws_concat3(c->arena, c->text, KIM_TEXT("; "), text) : text;
}

#define COMPLAIN(c, ...) complain((c), kim_text_format((c)->arena, __VA_ARGS__))

/* ---- elements of a statement ---- */

typedef struct statement_reader {
    aws_out *out;
    kim_statement *statement;
    complaints wrong;
    const char *element; /* the one being read */
} statement_reader;

static void read_sid(statement_reader *r, const kim_json *value, void *field)
{
    kim_text *sid = field;
    if (!kim_json_is(value, KIM_JSON_STRING) && !kim_json_is(value, KIM_JSON_NUMBER))
        COMPLAIN(&r->wrong, "Sid is %s, not a string", kim_json_type_name(value->type));
    else
        *sid = value->text;
}

static void read_effect(statement_reader *r, const kim_json *value, void *field)
{
    int32_t *effect = field;
    if (kim_json_is(value, KIM_JSON_STRING) && kim_text_is(value->text, "Allow"))
        *effect = KIM_ALLOW;
    else if (kim_json_is(value, KIM_JSON_STRING) && kim_text_is(value->text, "Deny"))
        *effect = KIM_DENY;
    else
        COMPLAIN(&r->wrong, "Effect is %.80s; it must be Allow or Deny",
                 kim_json_is(value, KIM_JSON_STRING) ? aws_shown(r->out->arena, value->text).bytes
                                                     : kim_json_type_name(value->type));
}

static bool is_scalar(const kim_json *value)
{
    return kim_json_is(value, KIM_JSON_STRING) || kim_json_is(value, KIM_JSON_NUMBER) || kim_json_is(value, KIM_JSON_BOOL);
}

/* A string or a list of them, each with `prefix` before it, behind what `list` has room for. False
 * where the value is something else; then the complaint is made. */
static bool add_strings(statement_reader *r, const kim_json *value, const char *prefix, kim_text *items, size_t *count)
{
    size_t values = kim_json_is(value, KIM_JSON_ARRAY) ? value->count : 1;
    for (size_t i = 0; i < values; i++) {
        const kim_json *one = kim_json_is(value, KIM_JSON_ARRAY) ? &value->items[i] : value;
        if (!is_scalar(one)) {
            COMPLAIN(&r->wrong, "%s holds %s where a string belongs", r->element, kim_json_type_name(one->type));
            return false;
        }
        kim_text text = kim_json_text(one);
        items[(*count)++] = *prefix ? aws_concat(r->out->arena, kim_text_of(prefix), text) : text;
    }
    return true;
}

static const kim_text no_items[1]; /* an empty list is not an absent one */

static void read_strings(statement_reader *r, const kim_json *value, void *field)
{
    kim_texts *list = field;
    size_t room = kim_json_is(value, KIM_JSON_ARRAY) ? value->count : 1, count = 0;
    kim_text *items = KIM_NEW_ARRAY(r->out->arena, kim_text, room ? room : 1);
    if (items != NULL && add_strings(r, value, "", items, &count))
        *list = (kim_texts){count ? items : no_items, count};
}

static void read_principal(statement_reader *r, const kim_json *value, void *field)
{
    static const struct { const char *name, *prefix; } types[] = {
        {"AWS", "AWS:"}, {"Service", "Service:"}, {"Federated", "Federated:"}, {"CanonicalUser", "CanonicalUser:"},
    };
    static const kim_text everyone[] = {{"*", 1}};
    kim_texts *list = field;
    if (kim_json_is(value, KIM_JSON_STRING) && kim_text_is(value->text, "*")) {
        *list = (kim_texts){everyone, 1};
        return;
    }
    if (!kim_json_is(value, KIM_JSON_OBJECT)) {
        COMPLAIN(&r->wrong, "%s is neither * nor an object of principals", r->element);
        return;
    }
    size_t room = 0, count = 0;
    for (size_t i = 0; i < value->count; i++)
        room += kim_json_is(value->members[i].value, KIM_JSON_ARRAY) ? value->members[i].value->count : 1;
    kim_text *items = KIM_NEW_ARRAY(r->out->arena, kim_text, room ? room : 1);
    if (items == NULL)
        return;
    for (size_t i = 0; i < value->count; i++) {
        const char *prefix = NULL;
        for (size_t t = 0; t < sizeof types / sizeof *types; t++)
            if (kim_text_is(value->members[i].name, types[t].name))
                prefix = types[t].prefix;
        if (prefix == NULL)
            COMPLAIN(&r->wrong, "%s has the unknown type '%s'", r->element,
                     aws_shown(r->out->arena, value->members[i].name).bytes);
        if (prefix == NULL || !add_strings(r, value->members[i].value, prefix, items, &count))
            return;
    }
    *list = (kim_texts){count ? items : no_items, count};
}

/* {operator: {key: value or [values]}}: says what does not have that shape. */
static bool condition_has_its_shape(statement_reader *r, const kim_json *value)
{
    if (!kim_json_is(value, KIM_JSON_OBJECT)) {
        COMPLAIN(&r->wrong, "Condition is %s, not an object", kim_json_type_name(value->type));
        return false;
    }
    if (value->count > MEMBERS_MAX) {
        COMPLAIN(&r->wrong, "Condition has %zu operators", value->count);
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < value->count; i++) {
        const char *op = aws_shown(r->out->arena, value->members[i].name).bytes;
        const kim_json *keys = value->members[i].value;
        if (kim_json_get_text(value, value->members[i].name) != keys) {
            COMPLAIN(&r->wrong, "Condition has '%s' twice", op);
            good = false;
        }
        if (!kim_json_is(keys, KIM_JSON_OBJECT)) {
            COMPLAIN(&r->wrong, "Condition's '%s' is %s, not an object", op, kim_json_type_name(keys->type));
            good = false;
            continue;
        }
        if (keys->count > MEMBERS_MAX) {
            COMPLAIN(&r->wrong, "Condition's '%s' has %zu keys", op, keys->count);
            return false;
        }
        for (size_t k = 0; k < keys->count; k++) {
            const kim_json *values = keys->members[k].value;
            bool scalars = is_scalar(values) || kim_json_is(values, KIM_JSON_ARRAY);
            for (size_t v = 0; kim_json_is(values, KIM_JSON_ARRAY) && v < values->count; v++)
                scalars = scalars && is_scalar(&values->items[v]);
            if (kim_json_get_text(keys, keys->members[k].name) != values || !scalars) {
                COMPLAIN(&r->wrong, "Condition's '%s' has '%s' %s", op,
                         aws_shown(r->out->arena, keys->members[k].name).bytes,
                         scalars ? "twice" : "with a value that is no string, number, boolean or list of them");
                good = false;
            }
        }
    }
    return good;
}

/* The compact JSON text of a value, in the arena. */
static kim_text written_again(aws_out *out, const kim_json *value)
{
    size_t size;
    kim_json_writer_reset(out->writer);
    kim_json_put_json(out->writer, value);
    const char *bytes = kim_json_writer_bytes(out->writer, &size, NULL);
    return bytes ? kim_text_copy(out->arena, (kim_text){bytes, size}) : KIM_NO_TEXT;
}

static void read_condition(statement_reader *r, const kim_json *value, void *field)
{
    kim_condition *condition = field;
    if (!condition_has_its_shape(r, value) || value->count == 0)
        return; /* {} asks for nothing: as if it were not there */
    *condition = (kim_condition){KIM_TEXT("aws"), written_again(r->out, value)};
    if (condition->text.bytes == NULL)
        COMPLAIN(&r->wrong, "Condition cannot be written again as JSON");
}

static const struct element {
    const char *name;
    void (*read)(statement_reader *r, const kim_json *value, void *field);
    size_t offset; /* of the field in kim_statement */
} elements[] = {
    {"Effect", read_effect, offsetof(kim_statement, effect)},
    {"Action", read_strings, offsetof(kim_statement, actions)},
    {"Resource", read_strings, offsetof(kim_statement, resources)},
    {"Sid", read_sid, offsetof(kim_statement, sid)},
    {"Condition", read_condition, offsetof(kim_statement, condition)},
    {"Principal", read_principal, offsetof(kim_statement, subjects)},
    {"NotAction", read_strings, offsetof(kim_statement, not_actions)},
    {"NotResource", read_strings, offsetof(kim_statement, not_resources)},
    {"NotPrincipal", read_principal, offsetof(kim_statement, not_subjects)},
};
enum { ELEMENTS = sizeof elements / sizeof *elements };

/* Elements of which a statement may have one only. */
static const struct { const char *one, *other; } rivals[] = {
    {"Action", "NotAction"}, {"Resource", "NotResource"}, {"Principal", "NotPrincipal"},
};

static void read_member(statement_reader *r, const kim_json *statement, const kim_json_member *member)
{
    for (size_t i = 0; i < ELEMENTS; i++) {
        if (!kim_text_is(member->name, elements[i].name))
            continue;
        r->element = elements[i].name;
        if (kim_json_get_text(statement, member->name) != member->value)
            COMPLAIN(&r->wrong, "%s stands twice", r->element);
        else
            elements[i].read(r, member->value, (char *)r->statement + elements[i].offset);
        return;
    }
    COMPLAIN(&r->wrong, "unknown element '%s'", aws_shown(r->out->arena, member->name).bytes);
}

/* The record of one statement; its policy and index are the caller's. */
static void read_statement(aws_out *out, const kim_json *value, kim_statement *statement)
{
    statement_reader r = {.out = out, .statement = statement, .wrong = {.arena = out->arena}};
    if (!kim_json_is(value, KIM_JSON_OBJECT)) {
        COMPLAIN(&r.wrong, "the statement is %s, not an object", kim_json_type_name(value->type));
    } else if (value->count > MEMBERS_MAX) {
        COMPLAIN(&r.wrong, "the statement has %zu elements", value->count);
    } else {
        for (size_t i = 0; i < value->count; i++)
            read_member(&r, value, &value->members[i]);
        for (size_t i = 0; i < sizeof rivals / sizeof *rivals; i++)
            if (kim_json_get(value, rivals[i].one) && kim_json_get(value, rivals[i].other))
                COMPLAIN(&r.wrong, "has both %s and %s", rivals[i].one, rivals[i].other);
        if (kim_json_get(value, "Effect") == NULL)
            COMPLAIN(&r.wrong, "has no Effect");
    }
    statement->unread = r.wrong.text;
}

/* ---- the document ---- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

kim_text aws_percent_decoded(kim_arena *arena, kim_text text)
{
    char *bytes = kim_arena_bytes(arena, text.size + 1);
    if (bytes == NULL)
        return KIM_NO_TEXT;
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        int high = -1, low = -1;
        if (text.bytes[i] == '%' && i + 2 < text.size) {
            high = digit_of(text.bytes[i + 1]);
            low = digit_of(text.bytes[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            bytes[size++] = (char)(high * 16 + low);
            i += 2;
        } else {
            bytes[size++] = text.bytes[i];
        }
    }
    bytes[size] = '\0';
    return (kim_text){bytes, size};
}

/* The document as an object: parsed, where it came as a string. NULL with what is wrong. */
static const kim_json *opened(aws_out *out, const kim_json *document, complaints *wrong)
{
    if (kim_json_is(document, KIM_JSON_STRING)) {
        kim_error why = {0};
        kim_text text = document->text;
        if (text.size && text.bytes[0] == '%')
            text = aws_percent_decoded(out->arena, text);
        document = text.bytes ? kim_json_parse(text.bytes, text.size, "policy", out->arena, &why) : NULL;
        if (document == NULL) {
            COMPLAIN(wrong, "the document is no JSON: %.300s", why.message);
            return NULL;
        }
    }
    if (kim_json_is(document, KIM_JSON_OBJECT))
        return document;
    COMPLAIN(wrong, "the document is %s, not an object", document ? kim_json_type_name(document->type) : "missing");
    return NULL;
}

/* Reads the elements around the statements. False where the statements cannot be relied on. */
static bool read_envelope(aws_out *out, const kim_json *document, kim_policy *policy, complaints *wrong)
{
    if (document->count > MEMBERS_MAX) {
        COMPLAIN(wrong, "the document has %zu elements", document->count);
        return false;
    }
    bool good = true;
    for (size_t i = 0; i < document->count; i++) {
        kim_text name = document->members[i].name;
        const kim_json *value = document->members[i].value;
        bool is_version = kim_text_is(name, "Version"), is_statement = kim_text_is(name, "Statement");
        if (!is_version && !is_statement && !kim_text_is(name, "Id")) {
            COMPLAIN(wrong, "unknown element '%s'", aws_shown(out->arena, name).bytes);
        } else if (kim_json_get_text(document, name) != value) {
            COMPLAIN(wrong, "%s stands twice", aws_shown(out->arena, name).bytes);
            good = false;
        } else if (is_version) {
            policy->version = kim_json_is(value, KIM_JSON_STRING) ? value->text : KIM_NO_TEXT;
            if (!kim_text_is(policy->version, "2012-10-17") && !kim_text_is(policy->version, "2008-10-17")) {
                COMPLAIN(wrong, "Version is '%s'; known are 2012-10-17 and 2008-10-17",
                         policy->version.bytes ? aws_shown(out->arena, policy->version).bytes
                                               : kim_json_type_name(value->type));
                good = false;
            }
        } else if (is_statement && !kim_json_is(value, KIM_JSON_OBJECT) && !kim_json_is(value, KIM_JSON_ARRAY)) {
            COMPLAIN(wrong, "Statement is %s, not a list of statements", kim_json_type_name(value->type));
            good = false;
        }
    }
    return good;
}

/* Hex of the hash over the document's compact JSON: the same however the answer wraps it. */
static kim_text hash_of(aws_out *out, const kim_json *document)
{
    kim_text text = written_again(out, document);
    uint8_t hash[KIM_RECORD_HASH_BYTES];
    char *hex = kim_arena_bytes(out->arena, 2 * sizeof hash + 1);
    if (text.bytes == NULL || hex == NULL)
        return KIM_NO_TEXT;
    kim_record_hash((const uint8_t *)text.bytes, text.size, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        hex[2 * i] = "0123456789abcdef"[hash[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
    }
    hex[2 * sizeof hash] = '\0';
    return (kim_text){hex, 2 * sizeof hash};
}

static kim_record policy_record(const aws_policy *as)
{
    return (kim_record){.type = KIM_POLICY, .scope = as->scope,
                        .policy = {.id = as->id, .name = as->name, .revision = as->revision, .kind = as->kind,
                                   .provider_managed = as->provider_managed}};
}

static int put_statements(aws_out *out, const aws_policy *as, const kim_json *statements, size_t count, kim_error *err)
{
    for (size_t i = 0; i < count; i++) {
        kim_record record = {.type = KIM_STATEMENT, .scope = as->scope,
                             .statement = {.policy = as->id, .index = (int64_t)i}};
        read_statement(out, kim_json_is(statements, KIM_JSON_ARRAY) ? &statements->items[i] : statements,
                       &record.statement);
        if (aws_put(out, &record, err) < 0)
            return -1;
    }
    return 0;
}

int aws_document_put(aws_out *out, const aws_policy *as, const kim_json *document, kim_error *err)
{
    kim_record policy = policy_record(as);
    complaints wrong = {.arena = out->arena};
    size_t count = 0;
    const kim_json *statements = NULL, *object = opened(out, document, &wrong);
    if (object != NULL && read_envelope(out, object, &policy.policy, &wrong)) {
        statements = kim_json_get(object, "Statement");
        count = kim_json_is(statements, KIM_JSON_ARRAY) ? statements->count : statements != NULL;
        if (count > KIM_POLICY_MAX_STATEMENTS) {
            COMPLAIN(&wrong, "has %zu statements; the first %d are read", count, KIM_POLICY_MAX_STATEMENTS);
            count = KIM_POLICY_MAX_STATEMENTS;
        }
    }
    if (object != NULL && out->join != NULL)
        policy.policy.hash = hash_of(out, object);
    policy.policy.unread = wrong.text;
    if (kim_arena_is_full(out->arena))
        return kim_fail(err, KIM_ERR_LIMIT, "policy %.200s: reading it takes more memory than one document may",
                        as->id.bytes ? as->id.bytes : "");
    bool first = aws_out_first_document(out, &policy);
    if (aws_put(out, &policy, err) < 0)
        return -1;
    return first ? put_statements(out, as, statements, count, err) : 0;
}

int aws_document_put_unread(aws_out *out, const aws_policy *as, kim_text why, kim_error *err)
{
    kim_record policy = policy_record(as);
    policy.policy.unread = why;
    return aws_put(out, &policy, err);
}

/* ---- who may assume a role ---- */

static bool pattern_covers(kim_text pattern, kim_text action)
{
    size_t p = 0, a = 0, star = SIZE_MAX, mark = 0;
    while (a < action.size) {
        char wanted = p < pattern.size ? pattern.bytes[p] : '\0';
        if (p < pattern.size && wanted == '*') {
            star = p++;
            mark = a;
        } else if (p < pattern.size &&
                   (wanted == '?' || kim_text_equal_nocase((kim_text){pattern.bytes + p, 1}, (kim_text){action.bytes + a, 1}))) {
            p++;
            a++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            a = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.bytes[p] == '*')
        p++;
    return p == pattern.size;
}

static bool any_covers(kim_texts patterns, kim_text action)
{
    for (size_t i = 0; i < patterns.count; i++)
        if (pattern_covers(patterns.items[i], action))
            return true;
    return false;
}

/* How a principal of each kind becomes a role. Source: STS API Reference, AssumeRole*. */
static const struct { const char *prefix, *part, *via; } ways[] = {
    {"AWS:", "", "sts:AssumeRole"},
    {"Service:", "", "sts:AssumeRole"},
    {"Federated:", ":saml-provider/", "sts:AssumeRoleWithSAML"},
    {"Federated:", "", "sts:AssumeRoleWithWebIdentity"},
    {"*", "", "sts:AssumeRole"},
};

static bool text_holds(kim_text text, const char *part)
{
    return *part == '\0' || memmem(text.bytes, text.size, part, strlen(part)) != NULL;
}

static int tell_trust(const kim_statement *s, kim_text principal, aws_trust_function *function, void *context, kim_error *err)
{
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        kim_text via = kim_text_of(ways[i].via);
        if (!kim_text_starts_with(principal, kim_text_of(ways[i].prefix)) || !text_holds(principal, ways[i].part))
            continue;
        bool named = s->actions.items ? any_covers(s->actions, via)
                                      : s->not_actions.items && !any_covers(s->not_actions, via);
        return named ? function(context, principal, via, s->condition, err) : 0;
    }
    return 0;
}

int aws_document_each_trust(aws_out *out, const kim_json *document, aws_trust_function *function, void *context, kim_error *err)
{
    complaints wrong = {.arena = out->arena};
    const kim_json *object = opened(out, document, &wrong), *list = kim_json_get(object, "Statement");
    size_t count = kim_json_is(list, KIM_JSON_ARRAY) ? list->count : list != NULL;
    for (size_t i = 0; i < count && i < KIM_POLICY_MAX_STATEMENTS; i++) {
        kim_statement s = {0};
        read_statement(out, kim_json_is(list, KIM_JSON_ARRAY) ? &list->items[i] : list, &s);
        if (s.effect != KIM_ALLOW)
            continue;
        if (s.not_subjects.items != NULL && tell_trust(&s, KIM_TEXT("*"), function, context, err) < 0)
            return -1;
        for (size_t k = 0; k < s.subjects.count; k++)
            if (tell_trust(&s, s.subjects.items[k], function, context, err) < 0)
                return -1;
    }
    return 0;
}
