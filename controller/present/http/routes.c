/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.c - the whole API on one screen, and the checks that every request passes.
 *
 * A row says all that is to be checked: method, path, caller, parameters. So a handler begins with a
 * request that fits, and no handler can forget a check.
 */
#include <stdlib.h>

#include "controller/present/http/handlers.h"

#define QUESTION "context* mode known_absent* known_present* resource_account plane provider"

static const route routes[] = {
    {"GET",  "/v1/status",                HTTP_VIEWER,        show_status,       false, ""},
    {"GET",  "/v1/agents",                HTTP_VIEWER,        list_agents,       false, ""},
    {"POST", "/v1/agents",                HTTP_ADMINISTRATOR, add_agent,         false, ""},
    {"POST", "/v1/agents/{name}/approve", HTTP_ADMINISTRATOR, approve_agent,     false, ""},
    {"POST", "/v1/agents/{name}/revoke",  HTTP_ADMINISTRATOR, revoke_agent,      false, ""},
    {"GET",  "/v1/identities",            HTTP_VIEWER,        list_identities,   true,  "filter kind* scope limit page"},
    {"GET",  "/v1/identities/show",       HTTP_VIEWER,        show_identity,     true,  "id!"},
    {"GET",  "/v1/can",                   HTTP_VIEWER,        answer_can,        false, "identity! action! resource! " QUESTION},
    {"GET",  "/v1/explain",               HTTP_VIEWER,        answer_explain,    false, "identity! action! resource! " QUESTION},
    {"GET",  "/v1/who-can",               HTTP_VIEWER,        answer_who_can,    true,  "action! resource! " QUESTION},
    {"GET",  "/v1/what-can",              HTTP_VIEWER,        answer_what_can,   true,  "identity! resource " QUESTION},
    {"GET",  "/v1/effective",             HTTP_VIEWER,        answer_effective,  true,  "identity* resource " QUESTION},
    {"GET",  "/v1/diff",                  HTTP_VIEWER,        show_diff,         true,  ""},
    {"GET",  "/v1/gaps",                  HTTP_VIEWER,        list_gaps,         true,  "identity scope kind days limit"},
    {"GET",  "/v1/findings",              HTTP_VIEWER,        list_findings,     true,  "identity scope kind days limit"},
    {"GET",  "/v1/proposals",             HTTP_VIEWER,        list_proposals,    true,  "identity scope days limit"},
    {"POST", "/v1/evaluate",              HTTP_VIEWER,        evaluate_cases,    true,  ""},
    {"POST", "/v1/evaluate-requests",     HTTP_VIEWER,        evaluate_requests, true,  "mode derive"},
    {"POST", "/v1/records",               HTTP_ADMINISTRATOR, import_records,    false, ""},
    {"POST", "/v1/publish",               HTTP_ADMINISTRATOR, publish_estate,    false, ""},
};

const route *routes_all(size_t *count)
{
    *count = sizeof routes / sizeof *routes;
    return routes;
}

/* ---- finding a route ---- */

static bool path_fits(const char *pattern, kim_text path, kim_text *name)
{
    const char *brace = strchr(pattern, '{');
    if (brace == NULL)
        return kim_text_is(path, pattern);
    kim_text before = {pattern, (size_t)(brace - pattern)};
    kim_text after = kim_text_of(strchr(brace, '}') + 1);
    if (path.size <= before.size + after.size || !kim_text_starts_with(path, before) ||
        !kim_text_ends_with(path, after))
        return false;
    *name = (kim_text){path.bytes + before.size, path.size - before.size - after.size};
    return memchr(name->bytes, '/', name->size) == NULL;
}

const route *routes_find(const char *method, kim_text path, kim_text *name, kim_text *allowed,
                         kim_arena *arena)
{
    *name = *allowed = KIM_NO_TEXT;
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (!path_fits(routes[i].path, path, name))
            continue;
        if (strcmp(routes[i].method, method) == 0)
            return &routes[i];
        *allowed = kim_text_is_absent(*allowed)
                       ? kim_text_of(routes[i].method)
                       : kim_text_format(arena, "%.*s, %s", KIM_PRINT(*allowed), routes[i].method);
    }
    return NULL;
}

/* ---- parameters ---- */

/* The next name of a route's list, and the mark behind it ('!', '*' or none). */
static bool next_param(const char **at, kim_text *name, char *mark)
{
    while (**at == ' ')
        (*at)++;
    if (**at == '\0')
        return false;
    size_t size = strcspn(*at, " !*");
    *name = (kim_text){*at, size};
    *mark = (*at)[size];
    *at += size + (*mark == '!' || *mark == '*');
    return true;
}

static size_t count_param(const request *rq, kim_text name)
{
    size_t count = 0;
    for (size_t i = 0; i < rq->param_count; i++)
        count += kim_text_equal(rq->params[i].name, name);
    return count;
}

static bool is_param_of(const route *r, kim_text name)
{
    kim_text known;
    char mark;
    for (const char *at = r->params; next_param(&at, &known, &mark);)
        if (kim_text_equal(known, name))
            return true;
    return false;
}

static int check_params(const request *rq, const route *r, kim_error *err)
{
    for (size_t i = 0; i < rq->param_count; i++)
        if (!is_param_of(r, rq->params[i].name))
            return kim_fail(err, KIM_ERR_INPUT, "%s has no parameter '%.*s'; it takes: %s", r->path,
                            (int)(rq->params[i].name.size < 64 ? rq->params[i].name.size : 64),
                            rq->params[i].name.bytes, *r->params ? r->params : "none");
    kim_text name;
    char mark;
    for (const char *at = r->params; next_param(&at, &name, &mark);) {
        size_t count = count_param(rq, name);
        if (mark == '!' && count == 0)
            return kim_fail(err, KIM_ERR_INPUT, "%s needs the parameter '%.*s'", r->path, KIM_PRINT(name));
        if (mark != '*' && count > 1)
            return kim_fail(err, KIM_ERR_INPUT, "%s takes the parameter '%.*s' once, and it came %zu times",
                            r->path, KIM_PRINT(name), count);
    }
    return 0;
}

kim_text request_param(const request *rq, const char *name)
{
    for (size_t i = 0; i < rq->param_count; i++)
        if (kim_text_is(rq->params[i].name, name))
            return rq->params[i].value;
    return KIM_NO_TEXT;
}

kim_texts request_params(const request *rq, const char *name)
{
    size_t count = count_param(rq, kim_text_of(name));
    kim_text *items = count > 0 ? KIM_NEW_ARRAY(rq->arena, kim_text, count) : NULL;
    if (items == NULL)
        return (kim_texts){NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < rq->param_count; i++)
        if (kim_text_is(rq->params[i].name, name))
            items[n++] = rq->params[i].value;
    return (kim_texts){items, n};
}

int request_number(const request *rq, const char *name, int64_t min, int64_t max, int64_t otherwise,
                   int64_t *out, kim_error *err)
{
    kim_text text = request_param(rq, name);
    *out = otherwise;
    if (kim_text_is_absent(text))
        return 0;
    int64_t value = 0;
    bool good = text.size > 0 && text.size <= 18;
    for (size_t i = 0; good && i < text.size; i++) {
        good = text.bytes[i] >= '0' && text.bytes[i] <= '9';
        value = value * 10 + (text.bytes[i] - '0');
    }
    if (!good || value < min || value > max)
        return kim_fail(err, KIM_ERR_INPUT, "parameter '%s' is '%.*s'; write a whole number from %lld to %lld",
                        name, (int)(text.size < 32 ? text.size : 32), text.bytes, (long long)min, (long long)max);
    *out = value;
    return 0;
}

static int shown_size(kim_text text)
{
    return (int)(text.size < 128 ? text.size : 128);
}

static bool is_one_of(kim_text value, const char *known)
{
    for (const char *at = known; *at != '\0';) {
        size_t size = strcspn(at, ",");
        if (kim_text_equal(value, (kim_text){at, size}))
            return true;
        at += size;
        at += strspn(at, ", ");
    }
    return false;
}

int request_check_choice(const request *rq, const char *name, const char *known, kim_error *err)
{
    for (size_t i = 0; i < rq->param_count; i++) {
        kim_text value = rq->params[i].value;
        if (kim_text_is(rq->params[i].name, name) && !is_one_of(value, known))
            return kim_fail(err, KIM_ERR_INPUT, "parameter '%s' is '%.*s'; known are %s", name, shown_size(value),
                            value.bytes, known);
    }
    return 0;
}

int64_t request_usage_end_unix_ms(const request *rq, const estate *es)
{
    size_t count;
    int64_t end = 0;
    const kim_record *items = estate_records(es, KIM_COVERAGE, &count);
    for (size_t i = 0; i < count; i++)
        if (kim_text_starts_with(items[i].coverage.part, KIM_TEXT("log:")) && items[i].coverage.to_unix_ms > end)
            end = items[i].coverage.to_unix_ms;
    return end != 0 ? end : rq->backend->now_unix_ms(rq->backend->context);
}

/* The only one of that name among the groups, or among all others. NULL: none, or several (with err). */
static const kim_record *find_named(const estate *es, kim_text name, bool groups, kim_error *err)
{
    size_t count;
    const kim_record *records = estate_records(es, KIM_IDENTITY, &count), *found = NULL;
    for (size_t i = 0; i < count; i++) {
        if ((records[i].identity.kind == KIM_GROUP) != groups || !kim_text_equal(records[i].identity.name, name))
            continue;
        if (found != NULL) {
            kim_text first = found->identity.id, second = records[i].identity.id;
            kim_fail(err, KIM_ERR_CONFLICT, "several identities are named '%.*s', such as %.*s and %.*s; give the id",
                     shown_size(name), name.bytes, shown_size(first), first.bytes, shown_size(second), second.bytes);
            return NULL;
        }
        found = &records[i];
    }
    return found;
}

const kim_record *request_find_identity(const estate *es, kim_text id_or_name, kim_error *err)
{
    kim_error why = {.code = KIM_OK};
    const kim_record *found = estate_find(es, KIM_IDENTITY, id_or_name);
    if (found == NULL)
        found = find_named(es, id_or_name, false, &why);
    if (found == NULL && why.code == KIM_OK)
        found = find_named(es, id_or_name, true, &why);
    if (found != NULL)
        return found;
    if (why.code != KIM_OK)
        *err = why;
    else
        kim_fail(err, KIM_ERR_NOT_FOUND, "no identity has the id or the name '%.*s'; `kim identities --filter PART` looks for one",
                 shown_size(id_or_name), id_or_name.bytes);
    return NULL;
}

int request_name_identity(request *rq, const estate *es, kim_error *err)
{
    for (size_t i = 0; i < rq->param_count; i++) {
        kim_error why;
        if (!kim_text_is(rq->params[i].name, "identity"))
            continue;
        const kim_record *found = request_find_identity(es, rq->params[i].value, &why);
        if (found == NULL && why.code == KIM_ERR_CONFLICT) {
            *err = why;
            return -1;
        }
        if (found != NULL) /* a copy: the estate may go before the request does */
            rq->params[i].value = kim_text_copy(rq->arena, found->identity.id);
    }
    return 0;
}

estate *request_estate(const request *rq, kim_error *err)
{
    estate *es = rq->backend->estate(rq->backend->context);
    if (es == NULL)
        kim_fail(err, KIM_ERR_CONFLICT,
                 "there is no estate yet: no agent has delivered a snapshot; see `kim agents`");
    return es;
}

/* ---- answering ---- */

unsigned routes_status_of(kim_code code)
{
    static const unsigned statuses[] = {
        [KIM_ERR_INPUT] = 400,     [KIM_ERR_LIMIT] = 413,       [KIM_ERR_NOMEM] = 503,   [KIM_ERR_IO] = 500,
        [KIM_ERR_NETWORK] = 500,   [KIM_ERR_DENIED] = 403,      [KIM_ERR_THROTTLED] = 503,
        [KIM_ERR_NOT_FOUND] = 404, [KIM_ERR_CONFLICT] = 409,    [KIM_ERR_TIMEOUT] = 504, [KIM_ERR_STOPPED] = 503,
        [KIM_ERR_UNSUPPORTED] = 501, [KIM_ERR_VERSION] = 400,   [KIM_ERR_CORRUPT] = 500, [KIM_ERR_INTERNAL] = 500,
    };
    return (size_t)code < sizeof statuses / sizeof *statuses && statuses[code] ? statuses[code] : 500;
}

static const char *role_name(http_role role)
{
    static const char *const names[] = {"nobody", "viewer", "reviewer", "approver", "administrator"};
    return names[role];
}

static int check(const request *rq, const route *r, kim_error *err)
{
    if (rq->role < r->role)
        return kim_fail(err, KIM_ERR_DENIED, "%s %s is for the role %s, and this caller is %s", r->method, r->path,
                        role_name(r->role), role_name(rq->role));
    return check_params(rq, r, err);
}

void routes_answer(request *rq, const route *found, kim_text allowed, reply *rp)
{
    kim_error err = {.code = KIM_OK, .message = ""};
    int shown = (int)(rq->path.size < 128 ? rq->path.size : 128);
    if (found == NULL && kim_text_is_absent(allowed)) {
        kim_fail(&err, KIM_ERR_NOT_FOUND, "there is no route %.*s; doc/api.md lists them all", shown, rq->path.bytes);
        reply_fail(rp, 404, "not_found", err.message);
    } else if (found == NULL) {
        kim_fail(&err, KIM_ERR_INPUT, "%.*s takes %.*s, not %.16s", shown, rq->path.bytes, KIM_PRINT(allowed), rq->method);
        reply_fail(rp, 405, "method", err.message);
    } else if (check(rq, found, &err) < 0 || found->handler(rq, rp, &err) < 0) {
        reply_fail(rp, routes_status_of(err.code), kim_code_name(err.code), err.message);
    }
    reply_finish(rp, NULL);
}
