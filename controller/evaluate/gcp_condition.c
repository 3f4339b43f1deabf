/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_condition.c - attributes and functions of IAM Conditions, handed to CEL.
 *
 * An attribute that the request has not is an error in CEL, and an error never grants: so "not available for
 * this resource" and "cannot be evaluated" are one thing. What is merely not known stays in the answer.
 */
#include "controller/evaluate/gcp_condition.h"

#include <stdlib.h>

#include <kim/time.h>

#include "controller/evaluate/cel.h"

struct gcp_condition {
    kim_text text;
    const cel_program *program; /* NULL: it is none */
    kim_text unread;            /* what Google may understand, and kim does not; absent: nothing */
};

/* What an expression is evaluated for. */
typedef struct asking {
    const gcp_request *rq;
    gcp_condition_use use;
    bool untold;                /* the tags of a resource were asked for, and nobody read them */
} asking;

/* ---- attributes ---- */

static const context_entry *given(const question *q, kim_text key)
{
    for (size_t i = 0; i < q->context_count; i++)
        if (kim_text_equal(q->context[i].key, key))
            return &q->context[i];
    return NULL;
}

static bool is_among(kim_texts keys, kim_text key)
{
    for (size_t i = 0; i < keys.count; i++)
        if (kim_text_equal(keys.items[i], key))
            return true;
    return false;
}

static cel_value value_of(kim_arena *scratch, kim_text key, const kim_json *json)
{
    char *end;
    if (kim_json_is(json, KIM_JSON_BOOL))
        return cel_bool(json->boolean);
    if (kim_json_is(json, KIM_JSON_NUMBER)) {
        int64_t whole = kim_json_int(json, INT64_MIN);
        if (whole != INT64_MIN)
            return cel_int(whole);
        kim_text text = kim_text_copy(scratch, json->text);
        return text.bytes ? (cel_value){.type = CEL_DOUBLE, .number = strtod(text.bytes, &end)} : cel_failed(scratch, "no memory");
    }
    if (kim_json_is(json, KIM_JSON_STRING))
        return kim_text_is(key, "request.time") ? cel_timestamp(scratch, json->text) : cel_string(json->text);
    if (kim_json_is(json, KIM_JSON_ARRAY)) {
        cel_value *items = KIM_NEW_ARRAY(scratch, cel_value, json->count + 1);
        if (items == NULL)
            return cel_failed(scratch, "no memory");
        for (size_t i = 0; i < json->count; i++)
            items[i] = value_of(scratch, KIM_TEXT(""), &json->items[i]);
        return (cel_value){.type = CEL_LIST, .items = items, .count = (uint32_t)json->count};
    }
    return cel_failed(scratch, "%.*s is given as no value that conditions know", KIM_PRINT(key));
}

/* A context's value: typed where the request was JSON, else texts, as a command line has them. */
static cel_value value_of_entry(kim_arena *scratch, const context_entry *e)
{
    if (e->json)
        return value_of(scratch, e->key, e->json);
    if (kim_text_is(e->key, "request.auth.access_levels") || e->values.count != 1)
        return cel_string_list(scratch, e->values);
    kim_text text = e->values.items[0];
    if (kim_text_is(e->key, "request.time"))
        return cel_timestamp(scratch, text);
    if (kim_text_is(e->key, "destination.port"))
        return cel_int(strtoll(kim_text_copy(scratch, text).bytes, NULL, 10));
    return cel_string(text);
}

/* Is it a part of something that the context has? Then the whole is looked up next. */
static bool is_part_of_given(const question *q, kim_text path)
{
    for (size_t i = 0; i < q->context_count; i++) {
        kim_text key = q->context[i].key;
        if (path.size > key.size && path.bytes[key.size] == '.' && kim_text_starts_with(path, key))
            return true;
    }
    return false;
}

/* Could the request have it? Not "request" itself, nor what no policy can ask for. */
static bool is_attribute(kim_text path)
{
    static const char *const heads[] = {"request.", "resource.", "destination.", "origin."};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (kim_text_starts_with(path, kim_text_of(heads[i])))
            return !kim_text_is(path, "request.auth");
    return false;
}

static cel_value look_principal(const asking *a, kim_text path)
{
    const gcp_member *m = a->rq->asker;
    const char *type = gcp_member_type(m);
    if (type && kim_text_is(path, "principal.type"))
        return cel_string(kim_text_of(type));
    if (type && kim_text_is(path, "principal.subject"))
        return cel_string(m->subject);
    return cel_absent();
}

/* An attribute of the request or the resource. */
static cel_value look_request(const asking *a, kim_text path, kim_arena *scratch)
{
    const question *q = a->rq->q;
    if (is_part_of_given(q, path) || is_among(q->known_absent, path))
        return cel_absent();
    if (is_among(q->known_present, path))
        return cel_unknown(scratch, path);
    return q->discover && is_attribute(path) ? cel_unknown(scratch, path) : cel_absent();
}

static cel_value look(void *from, kim_text path, kim_arena *scratch)
{
    const asking *a = from;
    if (a->use == GCP_DENIES)
        return cel_absent(); /* denial conditions know tags alone */
    const context_entry *e = given(a->rq->q, path);
    if (e && (a->use == GCP_GRANTS || kim_text_starts_with(path, KIM_TEXT("principal."))))
        return value_of_entry(scratch, e);
    return a->use == GCP_BOUNDS ? look_principal(a, path) : look_request(a, path, scratch);
}

/* ---- tags ---- */

static bool is_string(cel_value v)
{
    return v.type == CEL_STRING;
}

static kim_text tag_of(const gcp_place *place, kim_text key)
{
    if (place->record)
        for (size_t i = 0; i < place->record->resource.tags.count; i++)
            if (kim_text_equal(place->record->resource.tags.items[i].name, key))
                return place->record->resource.tags.items[i].value;
    return KIM_NO_TEXT;
}

/* The tag's value: the resource's own, else what is inherited from nearest above. Source: Resource Manager, "Tags
 * overview", Tag inheritance. *untold: a resource on the way has tags that nobody read. */
static kim_text find_tag(const gcp_request *rq, kim_text key, bool *untold)
{
    *untold = false;
    for (size_t i = 0; i < rq->depth; i++) {
        const gcp_place *place = &rq->tree->places[rq->chain[i]];
        kim_text value = tag_of(place, key);
        if (!kim_text_is_absent(value))
            return value;
        kim_text status = place->record ? kim_pairs_get(place->record->resource.facts, "tags") : KIM_NO_TEXT;
        if (kim_text_is(status, "effective"))
            return KIM_NO_TEXT;
        *untold |= !rq->is_complete && !kim_text_is(status, "read");
    }
    return KIM_NO_TEXT;
}

static cel_value ask_tag(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    asking *a = from;
    bool untold;
    if (a->use == GCP_BOUNDS)
        return cel_failed(scratch, "the binding of a boundary knows no tags");
    if (!is_string(arguments[0]) || (count > 1 && !is_string(arguments[1])))
        return cel_failed(scratch, "no such overload");
    if (a->rq->tag)
        return cel_bool(a->rq->tag(a->rq->from, arguments[0].text, count > 1 ? arguments[1].text : KIM_NO_TEXT));
    kim_text value = find_tag(a->rq, arguments[0].text, &untold);
    a->untold |= untold;
    if (untold)
        return cel_unknown(scratch, KIM_TEXT("tags"));
    return cel_bool(!kim_text_is_absent(value) && (count == 1 || kim_text_equal(value, arguments[1].text)));
}

/* ---- other functions ---- */

/* The value under the attribute's own name, or as the call is written: api.getAttribute("NAME"). */
static const context_entry *given_attribute(const question *q, kim_text name, kim_arena *scratch)
{
    static const char *const forms[] = {"%.*s", "api.getAttribute('%.*s')", "api.getAttribute(\"%.*s\")"};
    const context_entry *e = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms && e == NULL; i++)
        e = given(q, kim_text_format(scratch, i == 0 ? "%.*s" : i == 1 ? "api.getAttribute('%.*s')" : "api.getAttribute(\"%.*s\")", KIM_PRINT(name)));
    return e;
}

static cel_value get_attribute(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    const asking *a = from;
    (void)count;
    if (a->use != GCP_GRANTS || !is_string(arguments[0]))
        return cel_failed(scratch, "no such overload");
    kim_text name = arguments[0].text;
    const question *q = a->rq->q;
    const context_entry *e = given_attribute(q, name, scratch);
    if (e)
        return e->json ? value_of(scratch, name, e->json) : cel_string_list(scratch, e->values);
    if (is_among(q->known_present, name) || (q->discover && !is_among(q->known_absent, name)))
        return cel_unknown(scratch, name);
    return arguments[1];
}

static bool is_equal_text(cel_value x, cel_value y)
{
    return x.type == y.type && (x.type == CEL_STRING ? kim_text_equal(x.text, y.text) : x.type == CEL_INT && x.integer == y.integer);
}

/* list.hasOnly(items): each of the list is one of the items */
static cel_value has_only(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    (void)from, (void)count;
    if (arguments[0].type != CEL_LIST || arguments[1].type != CEL_LIST)
        return cel_failed(scratch, "no such overload");
    for (uint32_t i = 0; i < arguments[0].count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < arguments[1].count && !found; k++)
            found = is_equal_text(arguments[0].items[i], arguments[1].items[k]);
        if (!found)
            return cel_bool(false);
    }
    return cel_bool(true);
}

/* Where `part` first stands in text; SIZE_MAX: nowhere. */
static size_t find_in(kim_text text, kim_text part)
{
    if (part.size == 0)
        return 0;
    const char *at = text.size ? memmem(text.bytes, text.size, part.bytes, part.size) : NULL;
    return at ? (size_t)(at - text.bytes) : SIZE_MAX;
}

/* text.extract("PREFIX{name}SUFFIX"). Source: the attribute reference, "Extract values from attributes". */
static cel_value extract(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    (void)from, (void)count;
    if (!is_string(arguments[0]) || !is_string(arguments[1]))
        return cel_failed(scratch, "no such overload");
    kim_text text = arguments[0].text, pattern = arguments[1].text;
    const char *open = pattern.size ? memchr(pattern.bytes, '{', pattern.size) : NULL;
    const char *close = open ? memchr(open, '}', (size_t)(pattern.bytes + pattern.size - open)) : NULL;
    if (close == NULL)
        return cel_failed(scratch, "extract: '%.*s' has no {name}", KIM_PRINT(pattern));
    kim_text prefix = {pattern.bytes, (size_t)(open - pattern.bytes)};
    kim_text suffix = {close + 1, (size_t)(pattern.bytes + pattern.size - close - 1)};
    size_t begin = find_in(text, prefix);
    if (begin == SIZE_MAX)
        return cel_string(KIM_TEXT(""));
    kim_text rest = {text.bytes + begin + prefix.size, text.size - begin - prefix.size};
    size_t end = suffix.size ? find_in(rest, suffix) : rest.size;
    return cel_string(end == SIZE_MAX ? KIM_TEXT("") : (kim_text){rest.bytes, end});
}

static cel_value date(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    (void)from, (void)count;
    if (!is_string(arguments[0]))
        return cel_failed(scratch, "no such overload");
    return cel_timestamp(scratch, kim_text_format(scratch, "%.*sT00:00:00Z", KIM_PRINT(arguments[0].text)));
}

/* What only the service knows: the context may tell it, under the function's name. */
static cel_value told(const asking *a, const char *name, kim_arena *scratch)
{
    const question *q = a->rq->q;
    kim_text key = kim_text_of(name);
    const context_entry *e = a->use == GCP_GRANTS ? given(q, key) : NULL;
    if (e)
        return e->json ? value_of(scratch, key, e->json) : cel_bool(e->values.count == 1 && kim_text_is(e->values.items[0], "true"));
    if (a->use == GCP_GRANTS && q->discover && !is_among(q->known_absent, key))
        return cel_unknown(scratch, key);
    return cel_failed(scratch, "%s: nothing is known of the request's forwarding rule", name);
}

static cel_value is_forwarding(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    (void)arguments, (void)count;
    return told(from, "compute.isForwardingRuleCreationOperation", scratch);
}

static cel_value match_schemes(void *from, const cel_value *arguments, size_t count, kim_arena *scratch)
{
    (void)count;
    cel_value scheme = told(from, "compute.loadBalancingScheme", scratch);
    if (scheme.type != CEL_STRING || arguments[0].type != CEL_LIST)
        return scheme.type == CEL_UNKNOWN ? scheme : told(from, "compute.matchLoadBalancingSchemes", scratch);
    for (uint32_t i = 0; i < arguments[0].count; i++)
        if (is_equal_text(arguments[0].items[i], scheme))
            return cel_bool(true);
    return cel_bool(false);
}

static const cel_function functions[] = {
    {"matchTag", "resource", 2, 2, ask_tag},
    {"matchTagId", "resource", 2, 2, ask_tag},
    {"hasTagKey", "resource", 1, 1, ask_tag},
    {"hasTagKeyId", "resource", 1, 1, ask_tag},
    {"getAttribute", "api", 2, 2, get_attribute},
    {"hasOnly", "*", 2, 2, has_only},
    {"extract", "*", 2, 2, extract},
    {"date", NULL, 1, 1, date},
    {"isForwardingRuleCreationOperation", "compute", 0, 0, is_forwarding},
    {"matchLoadBalancingSchemes", "compute", 1, 1, match_schemes},
};

/* ---- conditions ---- */

const gcp_condition *gcp_condition_read(kim_condition condition, bool is_case, kim_arena *arena)
{
    gcp_condition *c = KIM_NEW(arena, gcp_condition);
    kim_error why = {0};
    if (c == NULL)
        return NULL;
    c->text = condition.text;
    if (!kim_text_is(condition.lang, "cel")) {
        c->unread = kim_text_format(arena, "a condition in the language %.*s: %.*s", KIM_PRINT(condition.lang), KIM_PRINT(condition.text));
        return c;
    }
    c->program = cel_compile(condition.text, functions, sizeof functions / sizeof *functions, arena, &why);
    if (c->program == NULL && why.code == KIM_ERR_NOMEM)
        return NULL;
    if (c->program == NULL && (!is_case || why.code == KIM_ERR_LIMIT || why.code == KIM_ERR_UNSUPPORTED))
        c->unread = kim_text_format(arena, "the condition %.*s: %s", KIM_PRINT(condition.text), why.message); /* Google took it */
    return kim_arena_is_full(arena) ? NULL : c;
}

static const term *unread(const gcp_request *rq, kim_text what)
{
    return term_of(rq->scratch, TERM_UNREAD, what);
}

const term *gcp_condition_holds(const gcp_condition *c, gcp_condition_use use, const gcp_request *rq)
{
    const term *failed = use == GCP_GRANTS ? &term_false : &term_true; /* against access, either way */
    asking a = {.rq = rq, .use = use};
    const cel_scope scope = {.look = look, .from = &a};
    cel_value value;
    kim_text residual;
    kim_error why = {0};
    if (!kim_text_is_absent(c->unread))
        return unread(rq, c->unread);
    if (c->program == NULL)
        return failed;
    if (cel_eval(c->program, &scope, rq->scratch, &value, &why) < 0)
        return why.code == KIM_ERR_NOMEM ? NULL : unread(rq, kim_text_format(rq->scratch, "the condition %.*s: %s", KIM_PRINT(c->text), why.message));
    if (value.type == CEL_BOOL)
        return value.boolean ? &term_true : &term_false;
    if (value.type != CEL_UNKNOWN)
        return failed;
    if (a.untold)
        return unread(rq, kim_text_format(rq->scratch, "the tags that the condition %.*s asks for", KIM_PRINT(c->text)));
    if (cel_residual(c->program, &scope, rq->scratch, &residual, &why) < 0)
        return why.code == KIM_ERR_NOMEM ? NULL : term_of(rq->scratch, TERM_EXPRESSION, c->text);
    return term_of(rq->scratch, TERM_EXPRESSION, residual);
}

int64_t gcp_request_time(const gcp_request *rq, bool *known)
{
    const context_entry *e = given(rq->q, KIM_TEXT("request.time"));
    int64_t at = e && e->values.count == 1 ? kim_time_of_text(e->values.items[0]) : 0;
    *known = at != 0;
    return at;
}
