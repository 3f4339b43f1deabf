/* SPDX-License-Identifier: Apache-2.0
 *
 * document.c - each element is read where the API puts it; members that kim does not know are passed over.
 *
 * Sources: the REST references of IAM v1 (Policy, Role), v2 (DenyRule), v3 (PrincipalAccessBoundaryPolicy,
 * PolicyBinding).
 */
#include "plugins/gcp/document.h"

#include <kim/limits.h>

#include "plugins/gcp/names.h"
#include "plugins/gcp/places.h"

enum { PART_MAX_PERMISSIONS = 2048 }; /* of a role in one statement: a record holds 256 KiB, and Owner more than that */

static bool is_given(const kim_json *value)
{
    return value != NULL && value->type != KIM_JSON_NULL;
}

static int wrong(const kim_json *value, const char *what, const char *member, const char *wanted, kim_error *err)
{
    return kim_fail(err, KIM_ERR_INPUT, "%s%s%s: it is %s; it must be %s", what, *member ? "." : "", member,
                    value ? kim_json_type_name(value->type) : "missing", wanted);
}

/* A list of strings; absent and null: an empty one. */
static int read_texts(gcp_out *out, const kim_json *object, const char *member, const char *what, kim_texts *texts, kim_error *err)
{
    static const kim_text none;
    const kim_json *list = kim_json_get(object, member);
    *texts = (kim_texts){&none, 0};
    if (!is_given(list))
        return 0;
    if (!kim_json_is(list, KIM_JSON_ARRAY))
        return wrong(list, what, member, "a list of strings", err);
    for (size_t i = 0; i < list->count; i++)
        if (!kim_json_is(&list->items[i], KIM_JSON_STRING))
            return wrong(&list->items[i], what, member, "a list of strings", err);
    if (list->count)
        *texts = kim_json_texts(list, out->arena);
    return 0;
}

int gcp_condition(const kim_json *condition, const char *what, kim_condition *into, kim_error *err)
{
    *into = (kim_condition){KIM_NO_TEXT, KIM_NO_TEXT};
    if (!is_given(condition))
        return 0;
    const kim_json *expression = kim_json_get(condition, "expression");
    if (!kim_json_is(condition, KIM_JSON_OBJECT) || (is_given(expression) && !kim_json_is(expression, KIM_JSON_STRING)))
        return wrong(condition, what, "condition", "an object with an expression", err);
    *into = (kim_condition){KIM_TEXT("cel"), is_given(expression) ? expression->text : KIM_TEXT("")};
    return 0;
}

/* ---- identities ---- */

/* A service account belongs to its project, everybody else to the organisation, where these are known. */
static kim_text home_of(gcp_out *out, kim_text scope, kim_text id)
{
    kim_text suffix = KIM_TEXT(".iam.gserviceaccount.com");
    const char *at = id.size ? memchr(id.bytes, '@', id.size) : NULL;
    kim_text domain = at ? (kim_text){at + 1, (size_t)(id.bytes + id.size - at - 1)} : KIM_NO_TEXT;
    gcp_place *place = NULL;
    if (out->places == NULL)
        return scope;
    if (kim_text_starts_with(id, KIM_TEXT("serviceAccount:")) && kim_text_ends_with(domain, suffix))
        place = gcp_places_find(out->places, kim_text_format(out->arena, "projects/%.*s", (int)(domain.size - suffix.size), domain.bytes));
    if (place == NULL)
        place = gcp_places_root(out->places, gcp_places_find(out->places, gcp_after(scope, "gcp:")));
    return place ? gcp_place_scope(place, out->arena) : scope;
}

int gcp_put_identity(gcp_out *out, kim_text scope, kim_text id, kim_error *err)
{
    if (out->join == NULL || kim_text_starts_with(id, KIM_TEXT("//")))
        return 0;
    kim_text at = KIM_NO_TEXT;
    bool deleted = kim_text_starts_with(id, KIM_TEXT("deleted:"));
    for (size_t i = 0; i < id.size && at.bytes == NULL; i++)
        if (id.bytes[i] == ':' && memchr(id.bytes, '@', id.size))
            at = (kim_text){id.bytes + i + 1, id.size - i - 1};
    kim_record record = {.type = KIM_IDENTITY, .scope = home_of(out, scope, id),
                         .identity = {.id = id, .kind = gcp_member_kind(id), .name = deleted ? KIM_NO_TEXT : at, .state = deleted ? KIM_DELETED : 0}};
    return gcp_put(out, &record, err);
}

int gcp_put_members(gcp_out *out, kim_text scope, kim_text set, const kim_json *members, const char *what, kim_error *err)
{
    static const kim_pair read[] = {{{"members", 7}, {"read", 4}}};
    kim_text id = gcp_member_id(out->arena, set);
    if (!kim_json_is(members, KIM_JSON_ARRAY))
        return wrong(members, what, "", "a list of members", err);
    kim_record record = {.type = KIM_IDENTITY, .scope = home_of(out, scope, id), .identity = {.id = id, .kind = gcp_member_kind(id), .facts = {read, 1}}};
    if (gcp_put(out, &record, err) < 0)
        return -1;
    for (size_t i = 0; i < members->count; i++) {
        if (!kim_json_is(&members->items[i], KIM_JSON_STRING))
            return wrong(&members->items[i], what, "", "a list of members", err);
        kim_text member = gcp_member_id(out->arena, members->items[i].text);
        kim_record edge = {.type = KIM_EDGE, .scope = scope, .edge = {.kind = KIM_MEMBER_OF, .from = member, .to = id, .via = KIM_TEXT("group")}};
        if (gcp_put_identity(out, scope, member, err) < 0 || gcp_put(out, &edge, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- allow policies ---- */

static int put_binding(gcp_out *out, kim_text scope, kim_text resource, const kim_json *binding, size_t index, const char *policy, kim_error *err)
{
    kim_text role = kim_json_text_of(binding, "role");
    kim_text what = kim_text_format(out->arena, "%s.bindings[%zu]", policy, index), native_id = kim_text_format(out->arena, "bindings[%zu]", index);
    kim_texts members;
    kim_condition condition;
    if (what.bytes == NULL)
        return kim_fail(err, KIM_ERR_LIMIT, "%s: it takes more memory than it may", policy);
    if (!kim_json_is(binding, KIM_JSON_OBJECT))
        return wrong(binding, what.bytes, "", "an object", err);
    if (role.size == 0)
        return wrong(kim_json_get(binding, "role"), what.bytes, "role", "a role's name", err);
    if (read_texts(out, binding, "members", what.bytes, &members, err) < 0 || gcp_condition(kim_json_get(binding, "condition"), what.bytes, &condition, err) < 0)
        return -1;
    for (size_t i = 0; i < members.count; i++) {
        kim_text member = gcp_member_id(out->arena, members.items[i]);
        kim_record record = {.type = KIM_ATTACHMENT, .scope = scope,
                             .attachment = {.policy = role, .layer = KIM_TEXT("allow"), .subject = member, .resource = resource,
                                            .inherit = KIM_INHERIT_TREE, .condition = condition, .native_id = native_id}};
        if (gcp_put_identity(out, scope, member, err) < 0 || gcp_put(out, &record, err) < 0)
            return -1;
    }
    return 0;
}

int gcp_put_allow(gcp_out *out, kim_text scope, kim_text resource, const kim_json *policy, const char *what, kim_error *err)
{
    const kim_json *bindings = kim_json_get(policy, "bindings");
    if (!is_given(policy))
        return 0;
    if (!kim_json_is(policy, KIM_JSON_OBJECT))
        return wrong(policy, what, "", "an allow policy", err);
    if (is_given(bindings) && !kim_json_is(bindings, KIM_JSON_ARRAY))
        return wrong(bindings, what, "bindings", "a list", err);
    for (size_t i = 0; is_given(bindings) && i < bindings->count; i++)
        if (put_binding(out, scope, resource, &bindings->items[i], i, what, err) < 0)
            return -1;
    return 0;
}

static kim_text allow_id(gcp_out *out, kim_text resource)
{
    return kim_text_format(out->arena, "%.*s/allow", KIM_PRINT(resource));
}

int gcp_put_allow_unread(gcp_out *out, kim_text scope, kim_text resource, kim_text why, kim_error *err)
{
    kim_text id = allow_id(out, resource);
    kim_record policy = {.type = KIM_POLICY, .scope = scope, .policy = {.id = id, .name = resource, .kind = KIM_TEXT("allow"), .unread = why}};
    kim_record attachment = {.type = KIM_ATTACHMENT, .scope = scope,
                             .attachment = {.policy = id, .layer = KIM_TEXT("allow"), .resource = resource, .inherit = KIM_INHERIT_TREE}};
    return gcp_put(out, &policy, err) < 0 ? -1 : gcp_put(out, &attachment, err);
}

/* ---- roles ---- */

static bool is_off(const kim_json *role)
{
    return kim_json_bool(kim_json_get(role, "deleted"), false) || kim_text_is(kim_json_text_of(role, "stage"), "DISABLED");
}

int gcp_put_role(gcp_out *out, kim_text scope, kim_text name, const kim_json *role, const char *what, kim_error *err)
{
    static const kim_text none;
    bool is_object = kim_json_is(role, KIM_JSON_OBJECT);
    const kim_json *list = is_object ? kim_json_get(role, "includedPermissions") : role;
    kim_texts permissions = {&none, 0};
    if (role && !is_object && !kim_json_is(role, KIM_JSON_ARRAY))
        return wrong(role, what, "", "a list of permissions, or a role", err);
    for (size_t i = 0; kim_json_is(list, KIM_JSON_ARRAY) && i < list->count; i++)
        if (!kim_json_is(&list->items[i], KIM_JSON_STRING))
            return wrong(&list->items[i], what, "", "a list of permissions", err);
    bool is_listed = kim_json_is(list, KIM_JSON_ARRAY), off = is_object && is_off(role);
    if (is_listed && !off && list->count)
        permissions = kim_json_texts(list, out->arena);
    kim_record policy = {.type = KIM_POLICY, .scope = scope,
                         .policy = {.id = name, .name = is_object ? kim_json_text_of(role, "title") : KIM_NO_TEXT, .kind = KIM_TEXT("role"),
                                    .provider_managed = kim_text_starts_with(name, KIM_TEXT("roles/")),
                                    .unread = is_listed || off ? KIM_NO_TEXT : KIM_TEXT("its permissions were not listed")}};
    if (out->join && (is_listed || off))
        policy.policy.hash = KIM_TEXT("read"); /* so that a listing without permissions does not hide it */
    if (policy.policy.name.size > KIM_NAME_MAX_BYTES || policy.policy.name.size == 0)
        policy.policy.name = KIM_NO_TEXT;
    if (gcp_put(out, &policy, err) < 0)
        return -1;
    for (size_t at = 0; at < permissions.count; at += PART_MAX_PERMISSIONS) {
        size_t count = permissions.count - at < PART_MAX_PERMISSIONS ? permissions.count - at : PART_MAX_PERMISSIONS;
        kim_record part = {.type = KIM_STATEMENT, .scope = scope,
                           .statement = {.policy = name, .index = (int64_t)(at / PART_MAX_PERMISSIONS), .effect = KIM_ALLOW,
                                         .actions = {permissions.items + at, count}}};
        if (gcp_put(out, &part, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- deny policies ---- */

static int put_identities(gcp_out *out, kim_text scope, kim_texts members, kim_error *err)
{
    for (size_t i = 0; out->join && i < members.count; i++)
        if (gcp_put_identity(out, scope, gcp_member_id(out->arena, members.items[i]), err) < 0)
            return -1;
    return 0;
}

static kim_texts member_ids(gcp_out *out, kim_texts members)
{
    kim_text *items = KIM_NEW_ARRAY(out->arena, kim_text, members.count + 1);
    for (size_t i = 0; items && i < members.count; i++)
        items[i] = gcp_member_id(out->arena, members.items[i]);
    return (kim_texts){items, items ? members.count : 0};
}

static int put_deny_rule(gcp_out *out, kim_text scope, kim_text id, size_t index, const kim_json *rule, const char *policy, kim_error *err)
{
    kim_text what = kim_text_format(out->arena, "%s.rules[%zu]", policy, index);
    const kim_json *inner = kim_json_get(rule, "denyRule"), *from = is_given(inner) ? inner : rule;
    kim_texts principals, exceptions, permissions, spared;
    kim_condition condition;
    if (what.bytes == NULL)
        return kim_fail(err, KIM_ERR_LIMIT, "%s: it takes more memory than it may", policy);
    if (!kim_json_is(from, KIM_JSON_OBJECT))
        return wrong(from, what.bytes, "denyRule", "an object", err);
    if (read_texts(out, from, "deniedPrincipals", what.bytes, &principals, err) < 0 ||
        read_texts(out, from, "exceptionPrincipals", what.bytes, &exceptions, err) < 0 ||
        read_texts(out, from, "deniedPermissions", what.bytes, &permissions, err) < 0 ||
        read_texts(out, from, "exceptionPermissions", what.bytes, &spared, err) < 0 ||
        gcp_condition(kim_json_get(from, "denialCondition"), what.bytes, &condition, err) < 0 ||
        put_identities(out, scope, principals, err) < 0 || put_identities(out, scope, exceptions, err) < 0)
        return -1;
    kim_text description = kim_json_text_of(rule, "description");
    kim_record record = {.type = KIM_STATEMENT, .scope = scope,
                         .statement = {.policy = id, .index = (int64_t)index, .effect = KIM_DENY, .condition = condition,
                                       .sid = description.size && description.size <= KIM_NAME_MAX_BYTES ? description : KIM_NO_TEXT,
                                       .subjects = member_ids(out, principals), .not_subjects = member_ids(out, exceptions),
                                       .actions = permissions, .not_actions = spared}};
    return gcp_put(out, &record, err);
}

int gcp_put_deny(gcp_out *out, kim_text scope, kim_text resource, kim_text id, const kim_json *policy, const char *what, kim_error *err)
{
    if (!kim_json_is(policy, KIM_JSON_OBJECT))
        return wrong(policy, what, "", "a deny policy", err);
    const kim_json *rules = kim_json_get(policy, "rules");
    bool bare = kim_json_get(policy, "denyRule") || kim_json_get(policy, "deniedPrincipals");
    if (is_given(rules) && !kim_json_is(rules, KIM_JSON_ARRAY))
        return wrong(rules, what, "rules", "a list", err);
    kim_text name = kim_json_text_of(policy, "displayName");
    kim_record record = {.type = KIM_POLICY, .scope = scope,
                         .policy = {.id = id, .name = out->join && name.size <= KIM_NAME_MAX_BYTES ? name : KIM_NO_TEXT, .kind = KIM_TEXT("deny")}};
    if (out->join)
        record.policy.hash = KIM_TEXT("read");
    kim_record attachment = {.type = KIM_ATTACHMENT, .scope = scope,
                             .attachment = {.policy = id, .layer = KIM_TEXT("deny"), .resource = resource, .inherit = KIM_INHERIT_TREE}};
    if (gcp_put(out, &record, err) < 0 || gcp_put(out, &attachment, err) < 0)
        return -1;
    if (bare)
        return put_deny_rule(out, scope, id, 0, policy, what, err);
    for (size_t i = 0; is_given(rules) && i < rules->count; i++)
        if (put_deny_rule(out, scope, id, i, &rules->items[i], what, err) < 0)
            return -1;
    return 0;
}

/* ---- boundaries ---- */

static int put_boundary_rule(gcp_out *out, kim_text scope, kim_text id, size_t index, const kim_json *rule, const char *policy, kim_error *err)
{
    kim_text what = kim_text_format(out->arena, "%s.rules[%zu]", policy, index), effect = kim_json_text_of(rule, "effect");
    kim_texts resources;
    if (what.bytes == NULL)
        return kim_fail(err, KIM_ERR_LIMIT, "%s: it takes more memory than it may", policy);
    if (!kim_json_is(rule, KIM_JSON_OBJECT))
        return wrong(rule, what.bytes, "", "an object", err);
    if (effect.size && !kim_text_is(effect, "ALLOW"))
        return kim_fail(err, KIM_ERR_INPUT, "%s.effect '%s' is not known; the one effect is ALLOW", what.bytes, gcp_shown(out->arena, effect).bytes);
    if (read_texts(out, rule, "resources", what.bytes, &resources, err) < 0)
        return -1;
    kim_text description = kim_json_text_of(rule, "description");
    kim_record record = {.type = KIM_STATEMENT, .scope = scope,
                         .statement = {.policy = id, .index = (int64_t)index, .effect = KIM_ALLOW, .resources = resources,
                                       .sid = description.size && description.size <= KIM_NAME_MAX_BYTES ? description : KIM_NO_TEXT}};
    return gcp_put(out, &record, err);
}

int gcp_put_boundary(gcp_out *out, kim_text scope, kim_text id, const kim_json *policy, gcp_blocked blocked, const char *what, kim_error *err)
{
    const kim_json *details = kim_json_get(policy, "details"), *from = is_given(details) ? details : policy;
    const kim_json *rules = kim_json_get(from, "rules");
    if (!kim_json_is(policy, KIM_JSON_OBJECT) || !kim_json_is(from, KIM_JSON_OBJECT))
        return wrong(policy, what, "", "a principal access boundary policy", err);
    if (is_given(rules) && !kim_json_is(rules, KIM_JSON_ARRAY))
        return wrong(rules, what, "rules", "a list", err);
    size_t count = is_given(rules) ? rules->count : 0;
    kim_text name = kim_json_text_of(policy, "displayName");
    kim_record record = {.type = KIM_POLICY, .scope = scope,
                         .policy = {.id = id, .kind = KIM_TEXT("principal_access_boundary"), .version = kim_json_text_of(from, "enforcementVersion"),
                                    .name = out->join && name.size && name.size <= KIM_NAME_MAX_BYTES ? name : KIM_NO_TEXT}};
    if (out->join)
        record.policy.hash = KIM_TEXT("read");
    kim_record blocks = {.type = KIM_STATEMENT, .scope = scope,
                         .statement = {.policy = id, .index = (int64_t)count, .effect = KIM_DENY}};
    if (blocked.permissions)
        blocks.statement.actions = *blocked.permissions;
    if (blocked.exceptions)
        blocks.statement.not_actions = *blocked.exceptions;
    if (gcp_put(out, &record, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (put_boundary_rule(out, scope, id, i, &rules->items[i], what, err) < 0)
            return -1;
    return gcp_put(out, &blocks, err);
}

int gcp_put_bound(gcp_out *out, kim_text scope, kim_text boundary, kim_text principal, kim_text native_id, const kim_json *condition,
                  const char *what, kim_error *err)
{
    kim_condition when;
    kim_text id = gcp_member_id(out->arena, principal);
    if (gcp_condition(condition, what, &when, err) < 0)
        return -1;
    kim_record record = {.type = KIM_ATTACHMENT, .scope = scope,
                         .attachment = {.policy = boundary, .layer = KIM_TEXT("principal_access_boundary"), .subject = id, .condition = when, .native_id = native_id}};
    return gcp_put_identity(out, scope, id, err) < 0 ? -1 : gcp_put(out, &record, err);
}
