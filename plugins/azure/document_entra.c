/* SPDX-License-Identifier: Apache-2.0
 *
 * document_entra.c - Microsoft Graph's documents: principals, directory roles, permissions of applications.
 *
 * A directory role is a policy whose one universe is "directory"; a permission that an API offers to
 * applications (an app role) is a policy of the universe "graph", and hangs on the API that offers it.
 */
#include "plugins/azure/document.h"

/* ---- directory roles ---- */

static int read_role_definition(azure_reader *r, const kim_json *document)
{
    kim_arena *arena = r->out->arena;
    const kim_json *list = azure_get(document, "rolePermissions");
    bool enabled = kim_json_bool(azure_get(document, "isEnabled"), true);
    kim_record policy = {.type = KIM_POLICY, .scope = azure_directory(r),
                         .policy = {.id = azure_last(arena, azure_either(document, "id", "templateId")), .name = azure_text(document, "displayName"),
                                    .kind = KIM_TEXT("directory_role"), .provider_managed = kim_json_bool(azure_get(document, "isBuiltIn"), false)}};
    if (policy.policy.id.size == 0)
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: a directory role needs an id", r->where);
    if (!kim_json_is(list, KIM_JSON_ARRAY) && azure_problem(r, &policy.policy.unread, "rolePermissions is no list") < 0)
        return -1;
    if (azure_put(r->out, &policy, r->err) < 0)
        return -1;
    for (size_t i = 0; enabled && kim_json_is(list, KIM_JSON_ARRAY) && i < list->count; i++) {
        kim_record record = {.type = KIM_STATEMENT, .scope = policy.scope,
                             .statement = {.policy = policy.policy.id, .index = (int64_t)i, .sid = kim_text_format(arena, "%zu", i),
                                           .effect = KIM_ALLOW, .universe = KIM_TEXT("directory")}};
        kim_text condition = azure_text(&list->items[i], "condition");
        if (condition.size) /* "$ResourceIsSelf": not the language of role assignments */
            record.statement.condition = (kim_condition){KIM_TEXT("entra"), condition};
        if (azure_texts(r, &list->items[i], "allowedResourceActions", &record.statement.actions, &record.statement.unread) < 0)
            return -1;
        if ((record.statement.actions.count || record.statement.unread.size) && azure_put(r->out, &record, r->err) < 0)
            return -1;
    }
    return 0;
}

/* "/", "/administrativeUnits/ID", "/APPLICATION": where a directory role holds. */
static void place_of(azure_reader *r, kim_text id, kim_attachment *a)
{
    static const char units[] = "/administrativeunits/";
    kim_text path = azure_id(r->out->arena, id), tenant = azure_directory(r);
    if (kim_text_is(path, "/"))
        a->on_scope = tenant;
    else if (kim_text_starts_with(path, kim_text_of(units)) && memchr(path.bytes + sizeof units - 1, '/', path.size - (sizeof units - 1)) == NULL)
        a->on_scope = kim_text_format(r->out->arena, "%.*s/au/%.*s", KIM_PRINT(tenant), KIM_PRINT(azure_last(r->out->arena, path)));
    else
        a->resource = path;
}

static int put_unit(azure_reader *r, kim_text scope, kim_text name)
{
    kim_record record = {.type = KIM_SCOPE, .scope = scope,
                         .as_scope = {.id = scope, .kind = KIM_TEXT("administrative_unit"), .parent = azure_directory(r), .name = name}};
    return azure_put(r->out, &record, r->err);
}

static int read_role_assignment(azure_reader *r, bool eligible, const kim_json *document)
{
    kim_arena *arena = r->out->arena;
    kim_text role = azure_text(document, "roleDefinitionId"), principal = azure_text(document, "principalId"), id = azure_text(document, "id");
    kim_text scope = azure_either(document, "directoryScopeId", "appScopeId");
    if (role.size == 0 || principal.size == 0 || kim_text_is_absent(scope))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: an assignment of a directory role needs principalId, roleDefinitionId and directoryScopeId", r->where);
    kim_record record = {.type = KIM_ATTACHMENT, .scope = azure_directory(r),
                         .attachment = {.policy = azure_last(arena, role), .subject = azure_last(arena, principal),
                                        .layer = azure_is_void(document) ? KIM_TEXT("void") : eligible ? KIM_TEXT("eligible") : KIM_TEXT("assignment"),
                                        .inherit = KIM_INHERIT_TREE, .eligible = eligible, .origin = KIM_EXPLICIT}};
    place_of(r, scope, &record.attachment);
    record.attachment.native_id = id.size ? azure_id(arena, id) : KIM_NO_TEXT;
    if (azure_read_terms(r, document, &record.attachment) < 0)
        return -1;
    if (kim_text_is_absent(record.attachment.native_id))
        record.attachment.native_id = azure_nameless(arena, &record.attachment);
    bool is_unit = record.attachment.on_scope.size > record.scope.size;
    if (is_unit && put_unit(r, record.attachment.on_scope, KIM_NO_TEXT) < 0)
        return -1;
    return azure_put(r->out, &record, r->err);
}

/* ---- app roles ---- */

static int put_app_role(azure_reader *r, const kim_json *role)
{
    kim_arena *arena = r->out->arena;
    kim_text id = azure_text(role, "id"), value = azure_text(role, "value");
    if (id.size == 0)
        return 0;
    kim_record policy = {.type = KIM_POLICY, .scope = azure_directory(r),
                         .policy = {.id = azure_last(arena, id), .name = value.size ? value : azure_text(role, "displayName"),
                                    .kind = KIM_TEXT("app_role"), .provider_managed = true}};
    kim_text *actions = KIM_NEW_ARRAY(arena, kim_text, 1);
    if (azure_put(r->out, &policy, r->err) < 0)
        return -1;
    if (actions == NULL || value.size == 0 || !kim_json_bool(azure_get(role, "isEnabled"), true))
        return 0;
    actions[0] = value;
    kim_record record = {.type = KIM_STATEMENT, .scope = policy.scope,
                         .statement = {.policy = policy.policy.id, .sid = KIM_TEXT("0"), .effect = KIM_ALLOW,
                                       .actions = {actions, 1}, .universe = KIM_TEXT("graph")}};
    return azure_put(r->out, &record, r->err);
}

static int read_app_role_assignment(azure_reader *r, const kim_json *document)
{
    kim_arena *arena = r->out->arena;
    kim_text role = azure_text(document, "appRoleId"), principal = azure_text(document, "principalId"), resource = azure_text(document, "resourceId");
    if (role.size == 0 || principal.size == 0 || resource.size == 0)
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: an app role assignment needs principalId, resourceId and appRoleId", r->where);
    kim_record record = {.type = KIM_ATTACHMENT, .scope = azure_directory(r),
                         .attachment = {.policy = azure_last(arena, role), .layer = KIM_TEXT("assignment"), .subject = azure_last(arena, principal),
                                        .resource = azure_last(arena, resource), .origin = KIM_EXPLICIT, .native_id = azure_text(document, "id")}};
    /* The GUID of nothing but zeros is access without a role. */
    if (kim_text_is(record.attachment.policy, "00000000-0000-0000-0000-000000000000"))
        return 0;
    if (azure_put_principal(r, record.attachment.subject, azure_text(document, "principalType"), azure_text(document, "principalDisplayName")) < 0 ||
        azure_put_principal(r, record.attachment.resource, KIM_TEXT("ServicePrincipal"), azure_text(document, "resourceDisplayName")) < 0)
        return -1;
    return azure_put(r->out, &record, r->err);
}

/* ---- principals ---- */

static int put_identity(azure_reader *r, const kim_json *document, int32_t kind)
{
    kim_text id = azure_text(document, "id"), upn = azure_text(document, "userPrincipalName"), app = azure_text(document, "appId");
    const kim_json *enabled = azure_get(document, "accountEnabled");
    if (id.size == 0)
        return 0;
    int64_t created = azure_time(document, "createdDateTime");
    kim_record record = {.type = KIM_IDENTITY, .scope = azure_directory(r),
                         .identity = {.id = azure_last(r->out->arena, id), .kind = kind, .name = azure_text(document, "displayName"),
                                      .state = kim_json_bool(enabled, true) ? KIM_ACTIVE : KIM_DISABLED,
                                      .external = kim_text_equal_nocase(azure_text(document, "userType"), KIM_TEXT("Guest")),
                                      .created_unix_ms = created > 0 ? created : 0}};
    kim_record key = {.type = KIM_KEY, .scope = record.scope,
                      .key = {.identity = record.identity.id, .type = upn.size ? KIM_TEXT("upn") : KIM_TEXT("application_id"), .value = upn.size ? upn : app}};
    if (azure_put(r->out, &record, r->err) < 0)
        return -1;
    return key.key.value.size ? azure_put(r->out, &key, r->err) : 0;
}

static int read_members(azure_reader *r, const kim_json *members, kim_text group, const char *via)
{
    for (size_t i = 0; kim_json_is(members, KIM_JSON_ARRAY) && i < members->count; i++) {
        const kim_json *one = &members->items[i];
        kim_text id = kim_json_is(one, KIM_JSON_STRING) ? one->text : azure_text(one, "id");
        if (id.size == 0)
            return kim_fail(r->err, KIM_ERR_INPUT, "%s: a member of '%.*s' has no id", r->where, KIM_PRINT(group));
        azure_kind kind = kim_json_is(one, KIM_JSON_OBJECT) ? azure_kind_of(one) : AZURE_UNKNOWN;
        if (azure_put_member(r, id, group, via) < 0 ||
            ((kind == ENTRA_USER || kind == ENTRA_GROUP || kind == ENTRA_SERVICE_PRINCIPAL) && entra_read(r, kind, false, one) < 0))
            return -1;
    }
    return 0;
}

static int read_service_principal(azure_reader *r, const kim_json *document)
{
    const kim_json *roles = azure_get(document, "appRoles");
    bool managed = kim_text_equal_nocase(azure_text(document, "servicePrincipalType"), KIM_TEXT("ManagedIdentity"));
    if (put_identity(r, document, managed ? KIM_WORKLOAD : KIM_SERVICE) < 0)
        return -1;
    for (size_t i = 0; kim_json_is(roles, KIM_JSON_ARRAY) && i < roles->count; i++)
        if (put_app_role(r, &roles->items[i]) < 0)
            return -1;
    return 0;
}

static int read_unit(azure_reader *r, const kim_json *document)
{
    kim_text id = azure_last(r->out->arena, azure_text(document, "id"));
    kim_text scope = kim_text_format(r->out->arena, "%.*s/au/%.*s", KIM_PRINT(azure_directory(r)), KIM_PRINT(id));
    if (put_unit(r, scope, azure_text(document, "displayName")) < 0)
        return -1;
    return read_members(r, azure_get(document, "members"), scope, "administrative_unit");
}

int azure_read_groups(azure_reader *r, const kim_json *groups)
{
    if (!kim_json_is(groups, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s: groups is %s; it must be an object of groups and their members", r->where,
                        kim_json_type_name(groups->type));
    for (size_t i = 0; i < groups->count; i++) {
        const kim_json *members = groups->members[i].value;
        kim_text id = azure_last(r->out->arena, groups->members[i].name);
        kim_record group = {.type = KIM_IDENTITY, .scope = azure_directory(r), .identity = {.id = id, .kind = KIM_GROUP}};
        if (members->type != KIM_JSON_NULL && !kim_json_is(members, KIM_JSON_ARRAY))
            return kim_fail(r->err, KIM_ERR_INPUT, "%s: groups: '%.128s' is no list of members", r->where,
                            kim_text_copy(r->out->arena, groups->members[i].name).bytes);
        if (azure_put(r->out, &group, r->err) < 0 || read_members(r, members, id, "group") < 0)
            return -1;
    }
    return 0;
}

static int read_group(azure_reader *r, const kim_json *document)
{
    if (put_identity(r, document, KIM_GROUP) < 0)
        return -1;
    return read_members(r, azure_get(document, "members"), azure_last(r->out->arena, azure_text(document, "id")), "group");
}

int entra_read(azure_reader *r, azure_kind kind, bool eligible, const kim_json *document)
{
    switch (kind) {
    case ENTRA_ROLE_DEFINITION:
        return read_role_definition(r, document);
    case ENTRA_ROLE_ASSIGNMENT:
        return read_role_assignment(r, eligible, document);
    case ENTRA_ELIGIBLE_ASSIGNMENT:
        return read_role_assignment(r, true, document);
    case ENTRA_APP_ROLE:
        return put_app_role(r, document);
    case ENTRA_APP_ROLE_ASSIGNMENT:
        return read_app_role_assignment(r, document);
    case ENTRA_USER:
        return put_identity(r, document, KIM_HUMAN);
    case ENTRA_GROUP:
        return read_group(r, document);
    case ENTRA_SERVICE_PRINCIPAL:
        return read_service_principal(r, document);
    case ENTRA_ADMINISTRATIVE_UNIT:
        return read_unit(r, document);
    default:
        return 0;
    }
}
