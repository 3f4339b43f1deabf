/* SPDX-License-Identifier: Apache-2.0
 *
 * case.c - a case is read twice: its keys are checked before anything is put, so that it goes out
 * whole or not at all.
 */
#include <kim/limits.h>

#include "plugins/aws/arn.h"
#include "plugins/aws/case.h"
#include "plugins/aws/document.h"
#include "plugins/aws/parts.h"

/* ---- what keys there are ---- */

static const char *const case_keys[] = {
    "id", "provider", "mode", "request", "policies", "principal_organization", "resource_organization",
    "s3_public_access_block", "known_absent", "known_present", "compare", "expand", NULL};
static const char *const request_keys[] = {"principal", "action", "resource", "resource_account", "context", NULL};
static const char *const policies_keys[] = {"identity", "boundary", "session", "scp", "rcp", "endpoint", "resource", NULL};
static const char *const level_keys[] = {"target", "policies", NULL};
static const char *const named_keys[] = {"name", "policy", NULL};
static const char *const compare_keys[] = {"type", "reference", "candidate", NULL};
static const char *const block_keys[] = {
    "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets",
    "PublicAccessBlockConfiguration", NULL};

static bool is_one_of(kim_text name, const char *const *known)
{
    while (*known && !kim_text_is(name, *known))
        known++;
    return *known != NULL;
}

static int check_keys(aws_out *out, const kim_json *object, const char *what, const char *const *known, kim_error *err)
{
    if (!kim_json_is(object, KIM_JSON_OBJECT))
        return kim_fail(err, KIM_ERR_INPUT, "case: %s is %s; it must be an object", *what ? what : "the line",
                        object ? kim_json_type_name(object->type) : "missing");
    for (size_t i = 0; i < object->count; i++) {
        if (is_one_of(object->members[i].name, known))
            continue;
        kim_text list = kim_text_of(known[0]);
        for (size_t k = 1; known[k]; k++)
            list = aws_concat3(out->arena, list, KIM_TEXT(", "), kim_text_of(known[k]));
        return kim_fail(err, KIM_ERR_INPUT, "case: unknown key '%s'%s%s; known are %.*s",
                        aws_shown(out->arena, object->members[i].name).bytes, *what ? " in " : "", what, KIM_PRINT(list));
    }
    return 0;
}

static bool is_given(const kim_json *value)
{
    return value != NULL && value->type != KIM_JSON_NULL;
}

/* ---- documents ---- */

/* {"name","policy"} in place of a bare document. */
static bool is_named(const kim_json *item)
{
    return kim_json_get(item, "policy") && !kim_json_get(item, "Statement") && !kim_json_get(item, "Version");
}

static int check_document(aws_out *out, const kim_json *item, const char *what, kim_error *err)
{
    if (!is_named(item)) {
        if (kim_json_is(item, KIM_JSON_OBJECT) || kim_json_is(item, KIM_JSON_STRING))
            return 0;
        return kim_fail(err, KIM_ERR_INPUT, "case: %s holds %s; a policy document belongs there", what,
                        item ? kim_json_type_name(item->type) : "nothing");
    }
    if (check_keys(out, item, what, named_keys, err) < 0)
        return -1;
    if (kim_json_get(item, "name") && !kim_json_is(kim_json_get(item, "name"), KIM_JSON_STRING))
        return kim_fail(err, KIM_ERR_INPUT, "case: %s: name must be a string", what);
    return 0;
}

static int check_documents(aws_out *out, const kim_json *list, const char *what, kim_error *err)
{
    if (!kim_json_is(list, KIM_JSON_ARRAY))
        return kim_fail(err, KIM_ERR_INPUT, "case: %s is %s; it must be a list of policy documents", what,
                        list ? kim_json_type_name(list->type) : "missing");
    for (size_t i = 0; i < list->count; i++)
        if (check_document(out, &list->items[i], what, err) < 0)
            return -1;
    return 0;
}

static int check_levels(aws_out *out, const kim_json *levels, const char *what, kim_error *err)
{
    enum { LEVELS_MAX = KIM_SCOPE_MAX_DEPTH / 2 - 2 }; /* both chains, accounts and organisation may be one chain */
    if (!kim_json_is(levels, KIM_JSON_ARRAY))
        return kim_fail(err, KIM_ERR_INPUT, "case: %s is %s; it must be a list of {\"target\",\"policies\"}", what,
                        kim_json_type_name(levels->type));
    if (levels->count > LEVELS_MAX)
        return kim_fail(err, KIM_ERR_LIMIT, "case: %s has %zu levels; at most %d are read (AWS has 7)", what,
                        levels->count, LEVELS_MAX);
    for (size_t i = 0; i < levels->count; i++) {
        if (check_keys(out, &levels->items[i], what, level_keys, err) < 0 ||
            check_documents(out, kim_json_get(&levels->items[i], "policies"), what, err) < 0)
            return -1;
        const kim_json *target = kim_json_get(&levels->items[i], "target");
        if (target && !kim_json_is(target, KIM_JSON_STRING))
            return kim_fail(err, KIM_ERR_INPUT, "case: %s: target must be a string", what);
    }
    return 0;
}

/* ---- one case ---- */

typedef struct case_reader {
    aws_out *out;
    const kim_json *request, *policies;
    kim_text identity;       /* its id */
    kim_text resource;       /* its id; absent: the request names none */
    kim_text account, resource_account; /* absent: none */
    kim_text scope, resource_scope;
    kim_text *ids;           /* [id_room], open addressing: the policies' ids so far */
    size_t id_room;          /* a power of two */
} case_reader;

static bool take_id(case_reader *r, kim_text id)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < id.size; i++)
        hash = (hash ^ (unsigned char)id.bytes[i]) * 1099511628211u;
    size_t at = hash & (r->id_room - 1);
    while (r->ids[at].bytes) {
        if (kim_text_equal(r->ids[at], id))
            return false;
        at = (at + 1) & (r->id_room - 1);
    }
    r->ids[at] = id;
    return true;
}

static int make_room_for_ids(case_reader *r, kim_error *err)
{
    size_t documents = 8;
    for (size_t i = 0; i < (r->policies ? r->policies->count : 0); i++) {
        const kim_json *list = r->policies->members[i].value;
        documents += list->count;
        for (size_t k = 0; list->type == KIM_JSON_ARRAY && k < list->count; k++) {
            const kim_json *policies = kim_json_get(&list->items[k], "policies");
            documents += kim_json_is(policies, KIM_JSON_ARRAY) ? policies->count : 0;
        }
    }
    for (r->id_room = 16; r->id_room < 2 * documents; r->id_room *= 2)
        ;
    r->ids = KIM_NEW_ARRAY(r->out->arena, kim_text, r->id_room);
    return r->ids ? 0 : kim_fail(err, KIM_ERR_LIMIT, "case: %zu documents take more memory than a case may", documents);
}

/* Where a document stands in the case, and what follows from it. */
typedef struct place {
    const char *layer, *kind;
    kim_text scope;
    kim_text subject, on_scope, resource; /* what it is attached to */
    kim_text prefix;                      /* of its id: "o-root/" */
    kim_text stands;                      /* its id where it has no name of its own: "identity[0]" */
} place;

static int put_attachment(case_reader *r, const place *at, kim_text policy, kim_error *err)
{
    kim_record record = {.type = KIM_ATTACHMENT, .scope = at->scope,
                         .attachment = {.policy = policy, .layer = kim_text_of(at->layer), .subject = at->subject,
                                        .on_scope = at->on_scope, .resource = at->resource}};
    return aws_put(r->out, &record, err);
}

/* `wanted`, or, where a policy of the case has that id already, where the document stands. */
static kim_text free_id(case_reader *r, kim_text wanted, kim_text stands)
{
    if (wanted.size && take_id(r, wanted))
        return wanted;
    while (stands.bytes && !take_id(r, stands)) /* someone's name is our place */
        stands = aws_concat(r->out->arena, stands, KIM_TEXT("'"));
    return stands;
}

static int put_document(case_reader *r, const place *at, const kim_json *item, kim_error *err)
{
    bool named = is_named(item);
    kim_text name = named ? kim_json_text_of(item, "name") : KIM_NO_TEXT;
    kim_text wanted = name.size && at->prefix.size ? aws_concat(r->out->arena, at->prefix, name) : name;
    kim_text id = free_id(r, wanted, at->stands);
    aws_policy as = {.scope = at->scope, .id = id, .name = name.size ? name : id, .kind = kim_text_of(at->kind)};
    if (aws_document_put(r->out, &as, named ? kim_json_get(item, "policy") : item, err) < 0)
        return -1;
    return put_attachment(r, at, id, err);
}

/* A policy that allows nothing: what stands for "set, and empty". */
static int put_empty(case_reader *r, const place *at, kim_text stands, kim_error *err)
{
    kim_text id = free_id(r, KIM_NO_TEXT, stands);
    kim_record policy = {.type = KIM_POLICY, .scope = at->scope, .policy = {.id = id, .name = id, .kind = kim_text_of(at->kind)}};
    if (aws_put(r->out, &policy, err) < 0)
        return -1;
    return put_attachment(r, at, id, err);
}

static kim_text numbered(kim_arena *arena, kim_text what, size_t index)
{
    char digits[24], *end = digits + sizeof digits, *at = end;
    *--at = ']';
    do
        *--at = (char)('0' + index % 10);
    while ((index /= 10) != 0);
    *--at = '[';
    return aws_concat(arena, what, (kim_text){at, (size_t)(end - at)});
}

static int put_documents(case_reader *r, place at, const kim_json *list, kim_text what, kim_error *err)
{
    for (size_t i = 0; i < list->count; i++) {
        at.stands = numbered(r->out->arena, what, i);
        if (put_document(r, &at, &list->items[i], err) < 0)
            return -1;
    }
    return 0;
}

/* Identity, boundary, session: attached to the identity. Endpoint: to the resource "endpoint". */
static int put_lists(case_reader *r, kim_error *err)
{
    static const struct { const char *name, *kind; bool empty_counts; } lists[] = {
        {"identity", "inline", false}, {"boundary", "boundary", true}, {"session", "session", true}, {"endpoint", "endpoint", true},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const kim_json *list = kim_json_get(r->policies, lists[i].name);
        if (!is_given(list))
            continue;
        bool endpoint = kim_text_is(kim_text_of(lists[i].name), "endpoint");
        place at = {.layer = lists[i].name, .kind = lists[i].kind, .scope = endpoint ? r->resource_scope : r->scope,
                    .subject = endpoint ? KIM_NO_TEXT : r->identity, .resource = endpoint ? KIM_TEXT("endpoint") : KIM_NO_TEXT};
        kim_text what = kim_text_of(lists[i].name);
        if (list->count == 0 && lists[i].empty_counts ? put_empty(r, &at, what, err) < 0
                                                      : put_documents(r, at, list, what, err) < 0)
            return -1;
    }
    return 0;
}

static bool names_a_role(kim_text resource)
{
    aws_arn arn;
    return aws_arn_split(resource, &arn) && kim_text_is(arn.service, "iam") && kim_text_is(aws_arn_kind(&arn), "role");
}

static int put_resource(case_reader *r, const kim_json *block, kim_error *err)
{
    const kim_json *document = kim_json_get(r->policies, "resource");
    kim_text id = r->resource.bytes ? r->resource : KIM_TEXT("*");
    kim_record record = {.type = KIM_RESOURCE, .scope = r->resource_scope,
                         .resource = {.id = id, .type = aws_resource_type(r->out->arena, id),
                                      .facts = aws_public_access_block(r->out->arena, block)}};
    if (aws_put(r->out, &record, err) < 0)
        return -1;
    if (!is_given(document))
        return 0;
    place at = {.layer = "resource", .kind = names_a_role(id) ? "trust" : "resource", .scope = r->resource_scope,
                .resource = id, .stands = KIM_TEXT("resource")};
    return put_document(r, &at, document, err);
}

/* ---- scopes and what is attached to them ---- */

/* *parent: what it hangs below, and then itself. */
static int put_scope(case_reader *r, kim_text id, const char *kind, kim_text name, kim_text *parent, kim_error *err)
{
    kim_record record = {.type = KIM_SCOPE, .scope = id,
                         .as_scope = {.id = id, .kind = kim_text_of(kind), .parent = *parent, .name = name}};
    *parent = id;
    return aws_put(r->out, &record, err);
}

/* The levels of one layer, root first, below *parent; each with its policies. */
static int put_levels(case_reader *r, const char *layer, kim_text *parent, kim_error *err)
{
    const kim_json *levels = kim_json_get(r->policies, layer);
    kim_arena *arena = r->out->arena;
    for (size_t i = 0; is_given(levels) && i < levels->count; i++) {
        kim_text target = kim_json_text_of(&levels->items[i], "target");
        const kim_json *policies = kim_json_get(&levels->items[i], "policies");
        kim_text id = kim_text_format(arena, "aws:case/%s/%zu/", layer, i);
        id = aws_concat(arena, id, target);
        place at = {.layer = layer, .kind = layer, .scope = id, .on_scope = id,
                    .prefix = aws_concat(arena, target, KIM_TEXT("/"))};
        if (put_scope(r, id, "ou", target, parent, err) < 0)
            return -1;
        if (policies->count == 0 ? put_empty(r, &at, aws_concat(arena, at.prefix, KIM_TEXT("[]")), err) < 0
                                 : put_documents(r, at, policies, at.prefix, err) < 0)
            return -1;
    }
    return 0;
}

static int put_organization(case_reader *r, kim_text organization, kim_text *parent, kim_error *err)
{
    if (organization.size == 0)
        return 0;
    return put_scope(r, aws_concat(r->out->arena, KIM_TEXT("aws:"), organization), "organisation", organization, parent, err);
}

static int put_scopes(case_reader *r, const kim_json *root, kim_error *err)
{
    bool one_account = kim_text_equal(r->scope, r->resource_scope);
    kim_text mine = kim_json_text_of(root, "principal_organization"), theirs = kim_json_text_of(root, "resource_organization");
    kim_text parent = KIM_NO_TEXT;
    if (put_organization(r, mine.size || !one_account ? mine : theirs, &parent, err) < 0 ||
        put_levels(r, "scp", &parent, err) < 0 ||
        (one_account && put_levels(r, "rcp", &parent, err) < 0) ||
        put_scope(r, r->scope, "account", r->account, &parent, err) < 0)
        return -1;
    if (one_account)
        return 0;
    parent = KIM_NO_TEXT;
    if (mine.size && kim_text_equal(mine, theirs))
        parent = aws_concat(r->out->arena, KIM_TEXT("aws:"), mine);
    else if (put_organization(r, theirs, &parent, err) < 0)
        return -1;
    if (put_levels(r, "rcp", &parent, err) < 0)
        return -1;
    return put_scope(r, r->resource_scope, "account", r->resource_account, &parent, err);
}

/* ---- who asks ---- */

static int32_t identity_kind(const case_reader *r, bool federated)
{
    static const struct { const char *first; int32_t kind; } kinds[] = {
        {"user", KIM_HUMAN}, {"federated-user", KIM_HUMAN}, {"role", KIM_ROLE}, {"assumed-role", KIM_ROLE}, {"group", KIM_GROUP},
    };
    aws_arn arn;
    if (federated || aws_is_account(r->identity))
        return KIM_HUMAN;
    if (kim_text_is(r->identity, "*"))
        return KIM_PUBLIC;
    if (!aws_arn_split(r->identity, &arn))
        return KIM_SERVICE;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kim_text_is(aws_arn_kind(&arn), kinds[i].first))
            return kinds[i].kind;
    return KIM_HUMAN; /* the root user */
}

static int read_request(case_reader *r, bool *federated, kim_error *err)
{
    const kim_json *principal = kim_json_get(r->request, "principal");
    kim_text provider = kim_json_text_of(principal, "Federated");
    *federated = provider.size > 0 && principal->count == 1;
    r->identity = *federated ? aws_concat(r->out->arena, KIM_TEXT("Federated:"), provider) : kim_json_text(principal);
    if (r->identity.size == 0)
        return kim_fail(err, KIM_ERR_INPUT, "case: request.principal is %s; it must be an ARN, an account id, a service, "
                        "\"*\" or {\"Federated\":\"...\"}", principal ? "no principal" : "missing");
    r->resource = kim_json_text_of(r->request, "resource");
    if (r->resource.size == 0)
        r->resource = KIM_NO_TEXT;
    r->account = *federated ? KIM_NO_TEXT : aws_account_of(r->identity);
    r->resource_account = kim_json_text_of(r->request, "resource_account");
    if (r->resource_account.size == 0)
        r->resource_account = aws_account_of(r->resource);
    if (r->resource_account.bytes == NULL)
        r->resource_account = r->account;
    r->scope = r->account.bytes ? aws_scope_of(r->out->arena, r->account) : KIM_TEXT("aws:case");
    r->resource_scope = r->resource_account.bytes ? aws_scope_of(r->out->arena, r->resource_account) : KIM_TEXT("aws:case/resource");
    return 0;
}

static int check_policies(aws_out *out, const kim_json *policies, kim_error *err)
{
    if (!is_given(policies))
        return 0;
    if (check_keys(out, policies, "policies", policies_keys, err) < 0)
        return -1;
    for (size_t i = 0; i < policies->count; i++) {
        kim_text name = policies->members[i].name;
        const kim_json *value = policies->members[i].value;
        const char *what = kim_text_format(out->arena, "policies.%.*s", KIM_PRINT(name)).bytes;
        if (!is_given(value) || what == NULL)
            continue;
        int (*check)(aws_out *, const kim_json *, const char *, kim_error *) =
            kim_text_is(name, "resource") ? check_document
            : kim_text_is(name, "scp") || kim_text_is(name, "rcp") ? check_levels
                                                                   : check_documents;
        if (check(out, value, what, err) < 0)
            return -1;
    }
    return 0;
}

static int put_case(aws_out *out, const kim_json *root, kim_error *err)
{
    case_reader r = {.out = out, .request = kim_json_get(root, "request"), .policies = kim_json_get(root, "policies")};
    const kim_json *block = kim_json_get(root, "s3_public_access_block");
    bool federated;
    if (!is_given(r.policies))
        r.policies = NULL;
    if (check_keys(out, r.request, "request", request_keys, err) < 0 || read_request(&r, &federated, err) < 0 ||
        check_policies(out, r.policies, err) < 0 || make_room_for_ids(&r, err) < 0 ||
        (is_given(block) && check_keys(out, block, "s3_public_access_block", block_keys, err) < 0))
        return -1;
    kim_record identity = {.type = KIM_IDENTITY, .scope = r.scope,
                           .identity = {.id = r.identity, .kind = identity_kind(&r, federated), .external = federated}};
    if (aws_put_profile(out, r.scope, err) < 0 || put_scopes(&r, root, err) < 0 || aws_put(out, &identity, err) < 0 ||
        put_lists(&r, err) < 0 || put_resource(&r, block, err) < 0)
        return -1;
    return 0;
}

/* ---- documents without a request ---- */

static int put_bare(aws_out *out, const char *id, kim_text kind, const kim_json *document, kim_error *err)
{
    if (is_named(document))
        document = kim_json_get(document, "policy");
    aws_policy as = {.scope = KIM_TEXT("aws:case"), .id = kim_text_of(id), .name = kim_text_of(id), .kind = kind};
    return aws_document_put(out, &as, document, err);
}

static int put_compare(aws_out *out, const kim_json *compare, kim_error *err)
{
    static const char *const types[] = {"identity", "resource", "boundary", "session", "scp", "rcp", NULL};
    kim_text type = kim_json_text_of(compare, "type");
    const kim_json *reference = kim_json_get(compare, "reference"), *candidate = kim_json_get(compare, "candidate");
    if (check_keys(out, compare, "compare", compare_keys, err) < 0 ||
        check_document(out, reference, "compare.reference", err) < 0 ||
        check_document(out, candidate, "compare.candidate", err) < 0)
        return -1;
    if (!is_one_of(type, types))
        return kim_fail(err, KIM_ERR_INPUT, "case: compare.type '%s' is not known; write identity, resource, boundary, "
                        "session, scp or rcp", aws_shown(out->arena, type).bytes);
    if (put_bare(out, "reference", type, reference, err) < 0)
        return -1;
    return put_bare(out, "candidate", type, candidate, err);
}

static int put_any(aws_out *out, const kim_json *root, kim_error *err)
{
    if (check_keys(out, root, "", case_keys, err) < 0)
        return -1;
    const kim_json *compare = kim_json_get(root, "compare"), *expand = kim_json_get(root, "expand");
    if (compare == NULL && expand == NULL)
        return put_case(out, root, err);
    if (aws_put_profile(out, KIM_TEXT("aws:case"), err) < 0)
        return -1;
    if (compare)
        return put_compare(out, compare, err);
    if (check_document(out, expand, "expand", err) < 0)
        return -1;
    return put_bare(out, "document", KIM_TEXT("identity"), expand, err);
}

int aws_case_normalise(aws_out *out, const char *name, const char *bytes, size_t size, kim_error *err)
{
    kim_arena_reset(out->arena);
    const kim_json *root = kim_json_parse(bytes, size, name && *name ? name : "case", out->arena, err);
    if (root == NULL || put_any(out, root, err) < 0) {
        out->emitter.pending.size = 0;
        return -1;
    }
    if (kim_arena_is_full(out->arena)) {
        out->emitter.pending.size = 0;
        return kim_fail(err, KIM_ERR_LIMIT, "case: it takes more memory than a case may");
    }
    return kim_emit_flush(&out->emitter, NULL, 0, err);
}
