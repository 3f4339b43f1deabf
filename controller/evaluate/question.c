/* SPDX-License-Identifier: Apache-2.0
 *
 * question.c - a request's JSON, in the provider's own words, to a question.
 */
#include "controller/evaluate/evaluate.h"

/* One row a member: which providers know it and where it goes. */
typedef struct member_row {
    const char *provider; /* NULL: any */
    const char *name;
    size_t offset;        /* of a text in question; SIZE_MAX: read by itself */
} member_row;

#define TEXT_AT(member) offsetof(question, member)
static const member_row members[] = {
    {"aws", "principal", SIZE_MAX},
    {"aws", "action", TEXT_AT(action)},
    {"aws", "resource", TEXT_AT(resource)},
    {"aws", "resource_account", TEXT_AT(resource_account)},
    {"azure", "principal", SIZE_MAX},
    {"azure", "action", TEXT_AT(action)},
    {"azure", "data", SIZE_MAX},
    {"azure", "scope", TEXT_AT(resource)},
    {"gcp", "principal", SIZE_MAX},
    {"gcp", "permission", TEXT_AT(action)},
    {"gcp", "resource", TEXT_AT(resource)},
    {"neutral", "identity", TEXT_AT(identity)},
    {"neutral", "action", TEXT_AT(action)},
    {"neutral", "resource", TEXT_AT(resource)},
    {NULL, "context", SIZE_MAX},
};

static int read_principal(const kim_json *value, kim_text provider, question *out, kim_error *err)
{
    if (kim_json_is(value, KIM_JSON_STRING)) {
        out->identity = value->text;
        return 0;
    }
    if (!kim_text_is(provider, "aws"))
        return kim_fail(err, KIM_ERR_INPUT, "request.principal: write a string");
    const kim_json *federated = kim_json_get(value, "Federated");
    if (kim_json_is(federated, KIM_JSON_STRING) && value->count == 1) {
        out->federated = federated->text;
        return 0;
    }
    return kim_fail(err, KIM_ERR_INPUT, "request.principal: write a string, or {\"Federated\":\"NAME\"}");
}

/* Values are texts, or lists of them; Google Cloud's attributes may be more than that. */
static int read_context(const kim_json *value, kim_arena *arena, question *out, kim_error *err)
{
    bool texts_only = !kim_text_is(out->provider, "gcp");
    if (!kim_json_is(value, KIM_JSON_OBJECT))
        return kim_fail(err, KIM_ERR_INPUT, "request.context: write an object of keys and their values");
    context_entry *entries = KIM_NEW_ARRAY(arena, context_entry, value->count ? value->count : 1);
    if (entries == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a request's context");
    for (size_t i = 0; i < value->count; i++) {
        const kim_json *given = value->members[i].value;
        entries[i].key = value->members[i].name;
        entries[i].json = given;
        entries[i].values = kim_json_texts(given, arena);
        bool is_list = kim_json_is(given, KIM_JSON_ARRAY);
        if (texts_only && (entries[i].values.items == NULL || (is_list && entries[i].values.count != given->count)))
            return kim_fail(err, KIM_ERR_INPUT, "request.context: '%.*s' is no string and no list of strings",
                            KIM_PRINT(entries[i].key));
    }
    out->context = entries;
    out->context_count = value->count;
    return 0;
}

/* A provider without words of its own, such as a profile's id, has the neutral ones. */
static kim_text words_of(kim_text provider)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].provider && kim_text_is(provider, members[i].provider))
            return provider;
    return KIM_TEXT("neutral");
}

static const member_row *find_row(kim_text provider, kim_text name)
{
    provider = words_of(provider);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if ((members[i].provider == NULL || kim_text_is(provider, members[i].provider)) && kim_text_is(name, members[i].name))
            return &members[i];
    return NULL;
}

/* How the provider calls what is to be done. */
static const char *name_of_action(kim_text provider)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (members[i].offset == TEXT_AT(action) && members[i].provider && kim_text_is(provider, members[i].provider))
            return members[i].name;
    return "action";
}

/* ---- a cluster's requests, in the words of the API server ---- */

static const struct { const char *name; size_t offset; } kubernetes_members[] = {
    {"verb", offsetof(kubernetes_request, verb)},
    {"api_group", offsetof(kubernetes_request, api_group)},
    {"resource", offsetof(kubernetes_request, resource)},
    {"subresource", offsetof(kubernetes_request, subresource)},
    {"name", offsetof(kubernetes_request, name)},
    {"namespace", offsetof(kubernetes_request, namespace)},
    {"path", offsetof(kubernetes_request, path)},
    {"cluster", offsetof(kubernetes_request, cluster)},
};
enum { KUBERNETES_MEMBERS = sizeof kubernetes_members / sizeof *kubernetes_members };

static int read_groups(const kim_json *value, kim_arena *arena, kim_texts *out, kim_error *err)
{
    bool is_list = kim_json_is(value, KIM_JSON_ARRAY);
    *out = kim_json_texts(value, arena);
    for (size_t i = 0; is_list && i < value->count; i++)
        is_list = kim_json_is(&value->items[i], KIM_JSON_STRING);
    if (!is_list && !kim_json_is(value, KIM_JSON_STRING))
        return kim_fail(err, KIM_ERR_INPUT, "request.groups: write a list of strings");
    return out->items ? 0 : kim_fail(err, KIM_ERR_NOMEM, "no memory for a request's groups");
}

static int read_kubernetes_member(const kim_json_member *m, kim_arena *arena, question *q, kubernetes_request *r, kim_error *err)
{
    kim_text *to = kim_text_is(m->name, "user") ? &q->identity : NULL;
    if (m->value->type == KIM_JSON_NULL)
        return 0;
    if (kim_text_is(m->name, "groups"))
        return read_groups(m->value, arena, &r->groups, err);
    for (size_t i = 0; i < KUBERNETES_MEMBERS && to == NULL; i++)
        if (kim_text_is(m->name, kubernetes_members[i].name))
            to = (kim_text *)((char *)r + kubernetes_members[i].offset);
    if (to == NULL)
        return kim_fail(err, KIM_ERR_INPUT, "request: unknown key '%.*s'; known are user, groups, verb, api_group, resource, subresource, name, "
                                            "namespace, path, cluster", KIM_PRINT(m->name));
    if (!kim_json_is(m->value, KIM_JSON_STRING))
        return kim_fail(err, KIM_ERR_INPUT, "request.%.*s: write a string", KIM_PRINT(m->name));
    *to = m->value->text;
    return 0;
}

/* What is left out is empty, as in the API server's attributes; a path that is not empty makes it no resource's request. */
static int read_kubernetes(const kim_json *request, kim_arena *arena, question *out, kim_error *err)
{
    question q = {.provider = out->provider};
    kubernetes_request *r = KIM_NEW(arena, kubernetes_request);
    if (r == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a request");
    for (size_t i = 0; i < request->count; i++)
        if (read_kubernetes_member(&request->members[i], arena, &q, r, err) < 0)
            return -1;
    if (kim_text_is_absent(q.identity) && r->groups.count == 0)
        return kim_fail(err, KIM_ERR_INPUT, "request: who asks is missing; write \"user\", \"groups\" or both");
    if (kim_text_is_absent(r->verb))
        return kim_fail(err, KIM_ERR_INPUT, "request: \"verb\" is missing");
    if (kim_text_is_absent(r->resource) && kim_text_is_absent(r->path))
        return kim_fail(err, KIM_ERR_INPUT, "request: what is asked for is missing; write \"resource\" or \"path\"");
    if (r->resource.size && r->path.size)
        return kim_fail(err, KIM_ERR_INPUT, "request: \"resource\" and \"path\" are two requests; write one of them");
    if (r->path.size == 0 && !kim_text_is_absent(r->resource))
        r->path = KIM_NO_TEXT;
    q.kubernetes = r;
    *out = q;
    return 0;
}

int question_read(const kim_json *request, kim_text provider, kim_arena *arena, question *out, kim_error *err)
{
    question q = {.provider = provider};
    if (kim_json_is(request, KIM_JSON_OBJECT) && kim_text_is(provider, "kubernetes")) {
        int result = read_kubernetes(request, arena, &q, err);
        if (result == 0)
            *out = q;
        return result;
    }
    if (!kim_json_is(request, KIM_JSON_OBJECT))
        return kim_fail(err, KIM_ERR_INPUT, "request: write an object with the identity, the action and the resource");
    for (size_t i = 0; i < request->count; i++) {
        const kim_json_member *m = &request->members[i];
        const member_row *row = find_row(provider, m->name);
        if (row == NULL)
            return kim_fail(err, KIM_ERR_INPUT, "request: unknown key '%.*s' for provider %.*s", KIM_PRINT(m->name), KIM_PRINT(provider));
        bool is_neutral = row->provider && kim_text_is(kim_text_of(row->provider), "neutral");
        if (is_neutral && m->value->type == KIM_JSON_NULL)
            continue; /* as if it were not there */
        if (is_neutral && kim_json_is(m->value, KIM_JSON_NUMBER)) { /* a bit, a node's number */
            *(kim_text *)((char *)&q + row->offset) = m->value->text;
        } else if (kim_text_is(m->name, "principal")) {
            if (read_principal(m->value, provider, &q, err) < 0)
                return -1;
        } else if (kim_text_is(m->name, "context")) {
            if (read_context(m->value, arena, &q, err) < 0)
                return -1;
        } else if (kim_text_is(m->name, "data")) {
            if (m->value->type != KIM_JSON_NULL && !kim_json_is(m->value, KIM_JSON_BOOL))
                return kim_fail(err, KIM_ERR_INPUT, "request.data: write true for a data action, false for a control action");
            q.data = kim_json_bool(m->value, false);
        } else if (!kim_json_is(m->value, KIM_JSON_STRING)) {
            return kim_fail(err, KIM_ERR_INPUT, "request.%.*s: write a string", KIM_PRINT(m->name));
        } else {
            *(kim_text *)((char *)&q + row->offset) = m->value->text;
        }
    }
    if (q.identity.size == 0 && q.federated.size == 0)
        return kim_fail(err, KIM_ERR_INPUT, "request: who asks is missing; write \"%s\"", find_row(provider, KIM_TEXT("principal")) ? "principal" : "identity");
    if (q.action.size == 0)
        return kim_fail(err, KIM_ERR_INPUT, "request: \"%s\" is missing", name_of_action(provider));
    if (kim_text_is(provider, "azure") && q.resource.size == 0)
        return kim_fail(err, KIM_ERR_INPUT, "request: \"scope\" is missing; write \"/\" for the tenant");
    *out = q;
    return 0;
}
