/* SPDX-License-Identifier: Apache-2.0
 *
 * document.c - which document it is, and those of Azure Resource Manager.
 *
 * A role is a policy by its GUID, each permission object one statement a plane; an assignment is an
 * attachment of it. A deny assignment is a policy of its own that names its principals itself.
 */
#include <stdarg.h>
#include <stdio.h>

#include <kim/limits.h>
#include <kim/time.h>

#include "plugins/azure/document.h"

enum { UNREAD_MAX_BYTES = 900 }; /* stays below KIM_NAME_MAX_BYTES */

/* ---- members ---- */

static const kim_json *member(const kim_json *object, kim_text name)
{
    if (!kim_json_is(object, KIM_JSON_OBJECT))
        return NULL;
    for (size_t i = object->count; i-- > 0;)
        if (object->members[i].value->type != KIM_JSON_NULL && kim_text_equal_nocase(object->members[i].name, name))
            return object->members[i].value;
    return NULL;
}

const kim_json *azure_get(const kim_json *document, const char *name)
{
    const kim_json *here = member(document, kim_text_of(name));
    return here ? here : member(member(document, KIM_TEXT("properties")), kim_text_of(name));
}

kim_text azure_text(const kim_json *document, const char *name)
{
    const kim_json *value = azure_get(document, name);
    return kim_json_is(value, KIM_JSON_STRING) ? value->text : KIM_NO_TEXT;
}

/* The first of two names that is there: REST's and PowerShell's. */
kim_text azure_either(const kim_json *document, const char *one, const char *other)
{
    kim_text text = azure_text(document, one);
    return kim_text_is_absent(text) ? azure_text(document, other) : text;
}

int azure_problem(azure_reader *r, kim_text *unread, const char *format, ...)
{
    char text[UNREAD_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (r->strict)
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: %s", r->where, text);
    if (r->out->host->log)
        r->out->host->log(r->out->host->context, KIM_LOG_WARNING, "document_unread", text);
    kim_text why = kim_text_of(text);
    why.size = kim_text_utf8_size(why);
    *unread = kim_text_copy(r->out->arena, why);
    return 0;
}

int azure_texts(azure_reader *r, const kim_json *document, const char *name, kim_texts *out, kim_text *unread)
{
    const kim_json *list = azure_get(document, name);
    *out = (kim_texts){NULL, 0};
    if (list == NULL)
        return 0;
    if (kim_json_is(list, KIM_JSON_ARRAY))
        *out = kim_json_texts(list, r->out->arena);
    bool good = kim_json_is(list, KIM_JSON_ARRAY) && out->count == list->count;
    for (size_t i = 0; good && i < list->count; i++)
        good = kim_json_is(&list->items[i], KIM_JSON_STRING);
    if (good)
        return 0;
    *out = (kim_texts){NULL, 0};
    return azure_problem(r, unread, "%s is no list of strings", name);
}

int64_t azure_time(const kim_json *document, const char *name)
{
    kim_text text = azure_text(document, name);
    int64_t at = kim_time_of_text(text);
    return at || text.size == 0 ? at : -1;
}

kim_text azure_directory(azure_reader *r)
{
    return kim_text_format(r->out->arena, "dir:%.*s", KIM_PRINT(r->tenant));
}

/* ---- scopes, principals ---- */

static int put_scope(azure_reader *r, kim_text id, const char *kind, kim_text parent, kim_text native_id, kim_text name)
{
    kim_record record = {.type = KIM_SCOPE, .scope = id,
                         .as_scope = {.id = id, .kind = kim_text_of(kind), .parent = parent, .native_id = native_id, .name = name}};
    return azure_put(r->out, &record, r->err);
}

int azure_put_profile(azure_reader *r)
{
    static const kim_pair layers[] = {
        {{"assignment", 10}, {"grant", 5}}, {{"eligible", 8}, {"grant", 5}}, {{"deny", 4}, {"veto", 4}}};
    kim_text tenant = kim_text_format(r->out->arena, "azure:%.*s", KIM_PRINT(r->tenant));
    kim_record record = {.type = KIM_PROFILE, .scope = tenant,
                         .profile = {.id = KIM_TEXT("azure"), .combining = KIM_TEXT("layered"), .default_effect = KIM_DENY,
                                     .wildcard = KIM_TEXT("glob"), .letter_case = KIM_TEXT("insensitive"),
                                     .layers = {layers, sizeof layers / sizeof *layers}, .product = KIM_TEXT("Azure RBAC and Entra ID")}};
    if (azure_put(r->out, &record, r->err) < 0 ||
        put_scope(r, tenant, "organisation", KIM_NO_TEXT, KIM_TEXT("/"), KIM_NO_TEXT) < 0)
        return -1;
    return put_scope(r, azure_directory(r), "directory", KIM_NO_TEXT, KIM_NO_TEXT, KIM_NO_TEXT);
}

/* The scopes of a place, but for who is whose parent: only their own documents tell that. */
int azure_put_scope(azure_reader *r, const azure_place *p)
{
    kim_arena *arena = r->out->arena;
    if (p->group.size)
        return put_scope(r, p->scope, "management_group", KIM_NO_TEXT, KIM_NO_TEXT, KIM_NO_TEXT);
    if (p->subscription.size == 0)
        return 0;
    kim_text subscription = kim_text_format(arena, "azure:%.*s", KIM_PRINT(p->subscription));
    if (put_scope(r, subscription, "subscription", KIM_NO_TEXT, KIM_NO_TEXT, KIM_NO_TEXT) < 0)
        return -1;
    return kim_text_equal(subscription, p->scope) ? 0 : put_scope(r, p->scope, "resource_group", subscription, KIM_NO_TEXT, KIM_NO_TEXT);
}

static int32_t kind_of_principal(kim_text type)
{
    static const struct { const char *type; int32_t kind; } kinds[] = {
        {"User", KIM_HUMAN}, {"Group", KIM_GROUP}, {"ForeignGroup", KIM_GROUP}, {"ServicePrincipal", KIM_SERVICE},
        {"MSI", KIM_WORKLOAD}, {"Application", KIM_SERVICE}, {"Device", KIM_DEVICE}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kim_text_equal_nocase(type, kim_text_of(kinds[i].type)))
            return kinds[i].kind;
    return 0;
}

int azure_put_principal(azure_reader *r, kim_text id, kim_text type, kim_text name)
{
    kim_record record = {.type = KIM_IDENTITY, .scope = azure_directory(r),
                         .identity = {.id = id, .kind = kind_of_principal(type), .name = name,
                                      .external = kim_text_equal_nocase(type, KIM_TEXT("ForeignGroup"))}};
    return id.size && record.identity.kind ? azure_put(r->out, &record, r->err) : 0;
}

int azure_put_member(azure_reader *r, kim_text member_id, kim_text group, const char *via)
{
    kim_record record = {.type = KIM_EDGE, .scope = azure_directory(r),
                         .edge = {.kind = KIM_MEMBER_OF, .from = azure_last(r->out->arena, member_id), .to = group, .via = kim_text_of(via)}};
    return azure_put(r->out, &record, r->err);
}

/* ---- permissions ---- */

/* A language of another version is one that nobody here reads. */
static kim_condition condition_of(azure_reader *r, const kim_json *document)
{
    kim_text condition = azure_text(document, "condition"), version = azure_text(document, "conditionVersion");
    bool known = version.size == 0 || kim_text_is(version, "2.0") || kim_text_is(version, "1.0");
    if (condition.size == 0)
        return (kim_condition){KIM_NO_TEXT, KIM_NO_TEXT};
    version.size = version.size < 16 ? kim_text_utf8_size(version) : 0;
    return (kim_condition){known ? KIM_TEXT("azure") : kim_text_format(r->out->arena, "azure/%.*s", KIM_PRINT(version)), condition};
}

/* One statement for each plane that a permission object speaks about. */
static int put_permission(azure_reader *r, kim_record policy, const kim_json *one, size_t index, const kim_statement *like)
{
    static const struct { const char *universe, *actions, *not_actions; } planes[] = {
        {"control", "actions", "notActions"}, {"data", "dataActions", "notDataActions"}};
    for (size_t i = 0; i < 2; i++) {
        kim_record record = {.type = KIM_STATEMENT, .scope = policy.scope, .statement = *like};
        kim_statement *s = &record.statement;
        s->policy = policy.policy.id;
        s->index = (int64_t)(2 * index + i);
        s->sid = kim_text_format(r->out->arena, "%zu", index);
        s->universe = kim_text_of(planes[i].universe);
        if (azure_texts(r, one, planes[i].actions, &s->actions, &s->unread) < 0 ||
            azure_texts(r, one, planes[i].not_actions, &s->not_actions, &s->unread) < 0)
            return -1;
        if (s->actions.count == 0 && kim_text_is_absent(s->unread))
            continue;
        s->condition = condition_of(r, one);
        if (s->not_actions.count == 0)
            s->not_actions = (kim_texts){NULL, 0};
        if (azure_put(r->out, &record, r->err) < 0)
            return -1;
    }
    return 0;
}

/* "permissions", or the lists beside the name as PowerShell has them. */
static int put_permissions(azure_reader *r, kim_record policy, const kim_json *document, const kim_statement *like)
{
    const kim_json *list = azure_get(document, "permissions");
    if (list && !kim_json_is(list, KIM_JSON_ARRAY)) {
        if (azure_problem(r, &policy.policy.unread, "permissions is no list") < 0)
            return -1;
        list = NULL;
    } else if (list == NULL) {
        return azure_put(r->out, &policy, r->err) < 0 ? -1 : put_permission(r, policy, document, 0, like);
    }
    if (azure_put(r->out, &policy, r->err) < 0)
        return -1;
    for (size_t i = 0; list && i < list->count; i++) {
        if (!kim_json_is(&list->items[i], KIM_JSON_OBJECT))
            return kim_fail(r->err, KIM_ERR_INPUT, "%s: permissions[%zu] is no object", r->where, i);
        if (put_permission(r, policy, &list->items[i], i, like) < 0)
            return -1;
    }
    return 0;
}

/* `name` is the GUID of REST and of az; PowerShell has it as `Id`, and az's own templates know only the name. */
static kim_text role_id(kim_arena *arena, const kim_json *document)
{
    kim_text id = azure_text(document, "id");
    return azure_last(arena, id.size ? id : azure_text(document, "name"));
}

static int read_role_definition(azure_reader *r, const kim_json *document)
{
    kim_text type = azure_text(document, "roleType"), name = azure_either(document, "roleName", "name");
    const kim_json *properties = azure_get(document, "properties");
    if (type.size == 0)
        type = azure_text(properties, "type");
    kim_record policy = {.type = KIM_POLICY, .scope = kim_text_format(r->out->arena, "azure:%.*s", KIM_PRINT(r->tenant)),
                         .policy = {.id = role_id(r->out->arena, document), .name = name, .kind = KIM_TEXT("role"),
                                    .provider_managed = kim_text_equal_nocase(type, KIM_TEXT("BuiltInRole"))}};
    if (policy.policy.id.size == 0)
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: a role definition needs an id or a name", r->where);
    return put_permissions(r, policy, document, &(kim_statement){.effect = KIM_ALLOW});
}

/* ---- assignments ---- */

/* The condition and the times that an assignment holds under. */
int azure_read_terms(azure_reader *r, const kim_json *document, kim_attachment *a)
{
    kim_text unread = KIM_NO_TEXT;
    int64_t starts = azure_time(document, "startDateTime"), expires = azure_time(document, "endDateTime");
    a->condition = condition_of(r, document);
    if (starts >= 0 && expires >= 0) {
        a->starts_unix_ms = starts;
        a->expires_unix_ms = expires;
        return 0;
    }
    if (azure_problem(r, &unread, "startDateTime or endDateTime is no time") < 0)
        return -1;
    a->condition = (kim_condition){KIM_TEXT("none"), unread};
    return 0;
}

/* Of two assignments without an id one may differ in its terms alone. */
kim_text azure_nameless(kim_arena *arena, const kim_attachment *a)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
    for (size_t i = 0; i < a->condition.text.size; i++)
        hash = (hash ^ (unsigned char)a->condition.text.bytes[i]) * UINT64_C(0x100000001B3);
    return kim_text_format(arena, "%016llx %lld %lld", (unsigned long long)hash, (long long)a->starts_unix_ms, (long long)a->expires_unix_ms);
}

/* An instance that was refused or taken back grants nothing. */
bool azure_is_void(const kim_json *document)
{
    static const char *const words[] = {"Denied", "Revoked", "Canceled", "Failed", "AdminDenied", "TimedOut", "Invalid"};
    kim_text status = azure_text(document, "status");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (kim_text_equal_nocase(status, kim_text_of(words[i])))
            return true;
    return false;
}

static int read_role_assignment(azure_reader *r, bool eligible, const kim_json *document)
{
    kim_arena *arena = r->out->arena;
    kim_text id = azure_either(document, "id", "roleAssignmentId"), scope = azure_text(document, "scope");
    kim_text role = azure_text(document, "roleDefinitionId"), principal = azure_either(document, "principalId", "objectId");
    kim_text type = azure_either(document, "principalType", "objectType");
    kim_text name = azure_either(document, "principalName", "displayName");
    if (kim_text_is_absent(scope))
        scope = azure_scope_of_id(id);
    if (kim_text_is_absent(scope) || role.size == 0 || principal.size == 0)
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: a role assignment needs principalId, roleDefinitionId and scope", r->where);
    azure_place place = azure_place_of(arena, r->tenant, scope);
    /* The principal was deleted: shown, but nobody can ask as it. */
    bool orphaned = kim_text_equal_nocase(type, KIM_TEXT("Unknown")) || azure_is_void(document);
    kim_record record = {.type = KIM_ATTACHMENT, .scope = place.scope,
                         .attachment = {.policy = azure_last(arena, role), .subject = azure_last(arena, principal),
                                        .layer = orphaned ? KIM_TEXT("void") : eligible ? KIM_TEXT("eligible") : KIM_TEXT("assignment"),
                                        .on_scope = place.on_scope, .resource = place.resource, .inherit = KIM_INHERIT_TREE,
                                        .eligible = eligible, .origin = KIM_EXPLICIT}};
    record.attachment.native_id = id.size ? azure_id(arena, id) : KIM_NO_TEXT;
    if (azure_read_terms(r, document, &record.attachment) < 0 || azure_put_scope(r, &place) < 0 ||
        azure_put_principal(r, record.attachment.subject, type, name) < 0)
        return -1;
    if (kim_text_is_absent(record.attachment.native_id))
        record.attachment.native_id = azure_nameless(arena, &record.attachment);
    return azure_put(r->out, &record, r->err);
}

/* ---- deny assignments ---- */

/* [{"id","type"}] as subjects: "*" for all principals. */
static int read_principals(azure_reader *r, const kim_json *document, const char *name, kim_texts *out, kim_text *unread)
{
    const kim_json *list = azure_get(document, name);
    if (list == NULL)
        return 0;
    if (!kim_json_is(list, KIM_JSON_ARRAY))
        return azure_problem(r, unread, "%s is no list", name);
    kim_text *items = KIM_NEW_ARRAY(r->out->arena, kim_text, list->count ? list->count : 1);
    size_t count = 0;
    for (size_t i = 0; items && i < list->count; i++) {
        kim_text id = azure_either(&list->items[i], "id", "objectId"), type = azure_either(&list->items[i], "type", "objectType");
        if (kim_text_is_absent(id))
            return azure_problem(r, unread, "%s[%zu] has no id", name, i);
        id = azure_last(r->out->arena, id);
        items[count++] = kim_text_is(id, "00000000-0000-0000-0000-000000000000") ? KIM_TEXT("*") : id;
        if (azure_put_principal(r, id, type, azure_text(&list->items[i], "displayName")) < 0)
            return -1;
    }
    *out = (kim_texts){items, count};
    return 0;
}

static int read_deny_assignment(azure_reader *r, const kim_json *document)
{
    kim_arena *arena = r->out->arena;
    kim_text id = azure_text(document, "id"), scope = azure_text(document, "scope"), effect = azure_text(document, "denyAssignmentEffect");
    kim_statement like = {.effect = KIM_DENY};
    const kim_json *here = azure_get(document, "doNotApplyToChildScopes");
    if (kim_text_is_absent(scope))
        scope = azure_scope_of_id(id);
    if (id.size == 0)
        id = azure_either(document, "name", "denyAssignmentName");
    if (kim_text_is_absent(scope) || id.size == 0)
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: a deny assignment needs an id and a scope", r->where);
    azure_place place = azure_place_of(arena, r->tenant, scope);
    kim_record policy = {.type = KIM_POLICY, .scope = place.scope,
                         .policy = {.id = azure_id(arena, id), .name = azure_either(document, "denyAssignmentName", "name"),
                                    .kind = KIM_TEXT("deny_assignment"),
                                    .provider_managed = kim_json_bool(azure_get(document, "isSystemProtected"), false)}};
    kim_record record = {.type = KIM_ATTACHMENT, .scope = place.scope,
                         .attachment = {.policy = policy.policy.id, .layer = KIM_TEXT("deny"), .on_scope = place.on_scope,
                                        .resource = place.resource, .inherit = kim_json_bool(here, false) ? KIM_INHERIT_NONE : KIM_INHERIT_TREE,
                                        .origin = KIM_EXPLICIT}};
    if (kim_text_equal_nocase(effect, KIM_TEXT("audit")))
        record.attachment.layer = KIM_TEXT("audit"); /* it is logged, and blocks nothing */
    else if (effect.size && !kim_text_equal_nocase(effect, KIM_TEXT("enforced")) &&
             azure_problem(r, &like.unread, "denyAssignmentEffect '%.64s' is not known; known are enforced and audit",
                           kim_text_copy(arena, effect).bytes) < 0)
        return -1;
    if (here && !kim_json_is(here, KIM_JSON_BOOL) &&
        azure_problem(r, &like.unread, "doNotApplyToChildScopes is %s, not true or false", kim_json_type_name(here->type)) < 0)
        return -1;
    if (read_principals(r, document, "principals", &like.subjects, &like.unread) < 0 ||
        read_principals(r, document, "excludePrincipals", &like.not_subjects, &like.unread) < 0)
        return -1;
    if (like.not_subjects.count == 0)
        like.not_subjects = (kim_texts){NULL, 0};
    if (like.subjects.items == NULL) { /* absent would mean everyone */
        static const kim_text nobody[1];
        like.subjects = (kim_texts){nobody, 0};
    }
    if (azure_read_terms(r, document, &record.attachment) < 0 || azure_put_scope(r, &place) < 0 ||
        azure_put(r->out, &record, r->err) < 0)
        return -1;
    return put_permissions(r, policy, document, &like);
}

/* ---- subscriptions, management groups ---- */

static int read_subscription(azure_reader *r, const kim_json *document)
{
    kim_text id = azure_either(document, "subscriptionId", "id"), tenant = azure_text(document, "tenantId");
    kim_text scope = kim_text_format(r->out->arena, "azure:%.*s", KIM_PRINT(azure_last(r->out->arena, id)));
    if (id.size == 0)
        return 0;
    azure_reader other = *r;
    if (tenant.size) {
        other.tenant = kim_text_lower(r->out->arena, tenant);
        if (azure_put_profile(&other) < 0)
            return -1;
    }
    kim_record record = {.type = KIM_SCOPE, .scope = scope,
                         .as_scope = {.id = scope, .kind = KIM_TEXT("subscription"), .name = azure_either(document, "displayName", "name"),
                                      .native_id = kim_text_format(r->out->arena, "/subscriptions/%.*s", KIM_PRINT(azure_last(r->out->arena, id)))}};
    return azure_put(r->out, &record, r->err);
}

static int put_parent(azure_reader *r, kim_text child, bool is_subscription, kim_text parent, kim_text name)
{
    kim_arena *arena = r->out->arena;
    kim_text above = kim_text_is(azure_id(arena, parent), "/") ? kim_text_format(arena, "azure:%.*s", KIM_PRINT(r->tenant))
                                                               : azure_group_scope(arena, r->tenant, parent);
    kim_text id = is_subscription ? kim_text_format(arena, "azure:%.*s", KIM_PRINT(azure_last(arena, child)))
                                  : azure_group_scope(arena, r->tenant, child);
    return put_scope(r, id, is_subscription ? "subscription" : "management_group", above, KIM_NO_TEXT, name);
}

static bool is_subscription_id(kim_text id)
{
    static const char prefix[] = "/subscriptions/";
    return id.size >= sizeof prefix - 1 && kim_text_equal_nocase((kim_text){id.bytes, sizeof prefix - 1}, KIM_TEXT("/subscriptions/"));
}

/* A management group and, as deep as they were expanded, its children. */
static int read_management_group(azure_reader *r, const kim_json *document, int depth)
{
    kim_text id = azure_either(document, "id", "name"), tenant = azure_text(document, "tenantId");
    const kim_json *details = azure_get(document, "details"), *children = azure_get(document, "children");
    kim_text parent = azure_text(azure_get(details, "parent"), "id");
    kim_text type = azure_text(document, "type");
    azure_reader own = *r;
    if (tenant.size)
        own.tenant = kim_text_lower(r->out->arena, tenant);
    bool is_subscription = is_subscription_id(id) || kim_text_equal_nocase(type, KIM_TEXT("/subscriptions"));
    if (id.size == 0 || depth > KIM_SCOPE_MAX_DEPTH)
        return 0;
    if (depth == 0 && azure_put_profile(&own) < 0)
        return -1;
    if (kim_text_is_absent(parent) && depth == 0)
        parent = KIM_TEXT("/");
    if (!kim_text_is_absent(parent) && put_parent(&own, id, is_subscription, parent, azure_either(document, "displayName", "name")) < 0)
        return -1;
    for (size_t i = 0; kim_json_is(children, KIM_JSON_ARRAY) && i < children->count; i++) {
        const kim_json *child = &children->items[i];
        kim_text child_id = azure_either(child, "id", "name");
        bool child_is_subscription = is_subscription_id(child_id) || kim_text_equal_nocase(azure_text(child, "type"), KIM_TEXT("/subscriptions"));
        if (child_id.size == 0)
            continue;
        if (put_parent(&own, child_id, child_is_subscription, id, azure_either(child, "displayName", "name")) < 0 ||
            read_management_group(&own, child, depth + 1) < 0)
            return -1;
    }
    return 0;
}

static bool is_guid(kim_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        char c = text.bytes[i];
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'f')))
            return false;
    }
    return text.size == 36;
}

int azure_read_management_groups(azure_reader *r, const kim_json *parents)
{
    if (!kim_json_is(parents, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: management_groups is %s; it must be an object of children and their parents",
                        r->where, kim_json_type_name(parents->type));
    for (size_t i = 0; i < parents->count; i++) {
        kim_text child = parents->members[i].name;
        const kim_json *parent = parents->members[i].value;
        if (parent->type == KIM_JSON_NULL)
            continue;
        if (!kim_json_is(parent, KIM_JSON_STRING))
            return kim_fail(r->err, KIM_ERR_INPUT, "%s: management_groups: the parent of '%.128s' is no string", r->where,
                            kim_text_copy(r->out->arena, child).bytes);
        bool is_subscription = is_subscription_id(azure_id(r->out->arena, child));
        if (put_parent(r, child, is_subscription, parent->text, KIM_NO_TEXT) < 0 ||
            (is_guid(child) && put_parent(r, child, true, parent->text, KIM_NO_TEXT) < 0)) /* a subscription by its number alone */
            return -1;
    }
    return 0;
}

/* ---- what is shown, and does not decide ---- */

static int read_lock(azure_reader *r, const kim_json *document)
{
    kim_arena *arena = r->out->arena;
    kim_text id = azure_text(document, "id"), scope = azure_scope_of_id(id);
    if (kim_text_is_absent(scope))
        return 0;
    azure_place place = azure_place_of(arena, r->tenant, scope);
    kim_record policy = {.type = KIM_POLICY, .scope = place.scope,
                         .policy = {.id = azure_id(arena, id), .name = azure_text(document, "name"), .kind = KIM_TEXT("lock"),
                                    .revision = azure_text(document, "level")}};
    kim_record record = {.type = KIM_ATTACHMENT, .scope = place.scope,
                         .attachment = {.policy = policy.policy.id, .layer = KIM_TEXT("lock"), .on_scope = place.on_scope,
                                        .resource = place.resource, .inherit = KIM_INHERIT_TREE}};
    if (azure_put_scope(r, &place) < 0 || azure_put(r->out, &policy, r->err) < 0)
        return -1;
    return azure_put(r->out, &record, r->err);
}

/* ---- which document ---- */

static bool type_says(const kim_json *document, const char *what)
{
    kim_text type = azure_text(document, "type"), id = azure_text(document, "id"), word = kim_text_of(what);
    for (size_t i = 0; i + word.size <= type.size; i++)
        if (kim_text_equal_nocase((kim_text){type.bytes + i, word.size}, word))
            return true;
    for (size_t i = 0; i + word.size <= id.size; i++)
        if (kim_text_equal_nocase((kim_text){id.bytes + i, word.size}, word))
            return true;
    return false;
}

static bool has(const kim_json *document, const char *name)
{
    return azure_get(document, name) != NULL;
}

azure_kind azure_kind_of(const kim_json *d)
{
    static const struct { const char *type; azure_kind kind; } types[] = {
        {"Microsoft.Authorization/roleDefinitions", AZURE_ROLE_DEFINITION},
        {"Microsoft.Authorization/denyAssignments", AZURE_DENY_ASSIGNMENT},
        {"Microsoft.Authorization/roleEligibility", AZURE_ELIGIBLE_ASSIGNMENT},
        {"Microsoft.Authorization/roleAssignment", AZURE_ROLE_ASSIGNMENT},
        {"Microsoft.Authorization/locks", AZURE_LOCK},
        {"Microsoft.Authorization/classicAdministrators", AZURE_CLASSIC_ADMINISTRATOR}};
    if (!kim_json_is(d, KIM_JSON_OBJECT))
        return AZURE_UNKNOWN;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (type_says(d, types[i].type))
            return types[i].kind;
    if (has(d, "rolePermissions"))
        return ENTRA_ROLE_DEFINITION;
    if (has(d, "appRoleId"))
        return ENTRA_APP_ROLE_ASSIGNMENT;
    if (has(d, "directoryScopeId") || has(d, "appScopeId"))
        return has(d, "roleEligibilityScheduleId") ? ENTRA_ELIGIBLE_ASSIGNMENT : ENTRA_ROLE_ASSIGNMENT;
    if (has(d, "denyAssignmentName") || (has(d, "principals") && (has(d, "permissions") || has(d, "actions") || has(d, "dataActions"))))
        return AZURE_DENY_ASSIGNMENT;
    if (has(d, "roleDefinitionId") && (has(d, "principalId") || has(d, "objectId")))
        return has(d, "roleEligibilityScheduleId") ? AZURE_ELIGIBLE_ASSIGNMENT : AZURE_ROLE_ASSIGNMENT;
    if (kim_json_is(azure_get(d, "permissions"), KIM_JSON_ARRAY) || has(d, "assignableScopes") ||
        ((has(d, "actions") || has(d, "dataActions")) && (has(d, "id") || has(d, "name"))))
        return AZURE_ROLE_DEFINITION;
    kim_text odata = azure_text(d, "@odata.type"), type = azure_text(d, "type");
    if (kim_text_is(odata, "#microsoft.graph.administrativeUnit"))
        return ENTRA_ADMINISTRATIVE_UNIT;
    if (kim_text_is(odata, "#microsoft.graph.servicePrincipal") || has(d, "appRoles") || has(d, "servicePrincipalType"))
        return ENTRA_SERVICE_PRINCIPAL;
    if (has(d, "allowedMemberTypes") && has(d, "value"))
        return ENTRA_APP_ROLE;
    if (kim_text_is(odata, "#microsoft.graph.group") || has(d, "securityEnabled") || has(d, "groupTypes"))
        return ENTRA_GROUP;
    if (kim_text_is(odata, "#microsoft.graph.user") || has(d, "userPrincipalName"))
        return ENTRA_USER;
    if (has(d, "verifiedDomains"))
        return ENTRA_ORGANIZATION;
    if (kim_text_equal_nocase(type, KIM_TEXT("Microsoft.Management/managementGroups")) || kim_text_equal_nocase(type, KIM_TEXT("/providers/Microsoft.Management/managementGroups")))
        return AZURE_MANAGEMENT_GROUP;
    if (has(d, "subscriptionId") || (has(d, "tenantId") && has(d, "id") && has(d, "state")))
        return AZURE_SUBSCRIPTION;
    return AZURE_UNKNOWN;
}

int azure_read(azure_reader *r, azure_kind kind, bool eligible, const kim_json *document)
{
    switch (kind) {
    case AZURE_ROLE_DEFINITION:
        return read_role_definition(r, document);
    case AZURE_ROLE_ASSIGNMENT:
        return read_role_assignment(r, eligible, document);
    case AZURE_ELIGIBLE_ASSIGNMENT:
        return read_role_assignment(r, true, document);
    case AZURE_DENY_ASSIGNMENT:
        return read_deny_assignment(r, document);
    case AZURE_SUBSCRIPTION:
        return read_subscription(r, document);
    case AZURE_MANAGEMENT_GROUP:
        return read_management_group(r, document, 0);
    case AZURE_LOCK:
        return read_lock(r, document);
    case AZURE_CLASSIC_ADMINISTRATOR: /* they ended in August 2024 */
    case AZURE_UNKNOWN:
    case AZURE_KINDS:
        return 0;
    default:
        return entra_read(r, kind, eligible, document);
    }
}
