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

static const member_row *find_row(kim_text provider, kim_text name)
{
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

int question_read(const kim_json *request, kim_text provider, kim_arena *arena, question *out, kim_error *err)
{
    question q = {.provider = provider};
    if (!kim_json_is(request, KIM_JSON_OBJECT))
        return kim_fail(err, KIM_ERR_INPUT, "request: write an object with the identity, the action and the resource");
    for (size_t i = 0; i < request->count; i++) {
        const kim_json_member *m = &request->members[i];
        const member_row *row = find_row(provider, m->name);
        if (row == NULL)
            return kim_fail(err, KIM_ERR_INPUT, "request: unknown key '%.*s' for provider %.*s", KIM_PRINT(m->name), KIM_PRINT(provider));
        if (kim_text_is(m->name, "principal")) {
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
