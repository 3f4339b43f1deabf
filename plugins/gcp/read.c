/* SPDX-License-Identifier: Apache-2.0
 *
 * read.c - an element is known by its members: a row a kind, the surest first.
 *
 * Sources: the REST references of IAM v1, v2, v3, Resource Manager v1, v3, Cloud Asset v1 and Cloud Identity v1, and
 * gcloud, which prints their resources with --format json.
 */
#include "plugins/gcp/read.h"

#include <stdarg.h>
#include <stdio.h>

#include <kim/limits.h>
#include <kim/time.h>

#include "plugins/gcp/blocked.h"
#include "plugins/gcp/case.h"
#include "plugins/gcp/document.h"
#include "plugins/gcp/names.h"
#include "plugins/gcp/split.h"

/* A document while it is read, for the first or the second time. */
typedef struct reading {
    gcp_out *out;              /* NULL: the first time */
    gcp_places *places;
    kim_arena *arena;          /* for the element at hand */
    const gcp_context *context;
    kim_text resource;         /* what the element is about, where something around it tells */
    gcp_place *below;          /* of a list of ancestors: the one before */
    size_t taken;
    int depth;                 /* of elements in elements */
    kim_error *err;
} reading;

typedef int element_reader(reading *r, const kim_json *element);

/* ---- helpers ---- */

static bool is_learning(const reading *r)
{
    return r->out == NULL;
}

static kim_text text_of(const kim_json *object, const char *name)
{
    const kim_json *value = kim_json_get(object, name);
    return kim_json_is(value, KIM_JSON_STRING) && value->text.size ? value->text : KIM_NO_TEXT;
}

/* Of either of two spellings: exports have snake_case, the API camelCase. */
static const kim_json *either(const kim_json *object, const char *one, const char *other)
{
    const kim_json *value = kim_json_get(object, one);
    return value ? value : kim_json_get(object, other);
}

static bool has(kim_text text, const char *part)
{
    return text.size && memmem(text.bytes, text.size, part, strlen(part)) != NULL;
}

/* Where a resource's records belong, and what belongs to no project. */
static kim_text scope_of(reading *r, kim_text resource)
{
    gcp_place *place = gcp_place_of(r->places, resource);
    if (place == NULL && r->places->organisation)
        place = r->places->organisation;
    return place ? gcp_place_scope(place, r->arena) : KIM_TEXT("gcp:files");
}

static kim_text root_scope(reading *r, kim_text resource)
{
    gcp_place *root = gcp_places_root(r->places, gcp_place_of(r->places, resource));
    return root ? gcp_place_scope(root, r->arena) : KIM_TEXT("gcp:files");
}

/* A resource's one name: projects by their id. */
static kim_text name_of(reading *r, kim_text resource)
{
    kim_text part = gcp_manager_part(resource);
    gcp_place *place = part.size ? gcp_places_get(r->places, part) : NULL;
    if (place)
        return gcp_place_name(place, r->arena);
    kim_text bucket = gcp_after(resource, "//storage.googleapis.com/");
    if (bucket.size && memchr(bucket.bytes, '/', bucket.size) == NULL)
        return kim_text_format(r->arena, "//storage.googleapis.com/projects/_/buckets/%.*s", KIM_PRINT(bucket));
    return resource;
}

static int leave_out(reading *r, kim_text resource, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Something that cannot be read: said, and gone on behind it. */
static int leave_out(reading *r, kim_text resource, const char *format, ...)
{
    char why[400];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    kim_error said = {0}; /* kim_fail keeps to whole characters */
    kim_fail(&said, KIM_ERR_INPUT, "%s: %s", r->context->origin, why);
    return is_learning(r) ? 0 : gcp_put_unread(r->out, root_scope(r, resource), "iam", resource, said.message, r->err);
}

/* A document that is there, and what is wrong with it. Errors that end the run go on. */
static int or_leave_out(reading *r, int result, kim_text resource)
{
    if (result == 0 || r->err == NULL || (r->err->code != KIM_ERR_INPUT && r->err->code != KIM_ERR_LIMIT))
        return result;
    kim_error why = *r->err;
    return leave_out(r, resource, "%s", why.message);
}

/* Puts a resource that is no project, folder or organisation. */
static int put_resource(reading *r, kim_text name, kim_text type, kim_text parent, kim_pairs tags, kim_pairs facts)
{
    kim_record record = {.type = KIM_RESOURCE, .scope = scope_of(r, parent.size ? parent : name),
                         .resource = {.id = name, .type = type, .parent = parent, .tags = tags, .facts = facts}};
    return gcp_put(r->out, &record, r->err);
}

/* ---- projects, folders, organisations ---- */

/* {"type":"folder","id":"1"} of Resource Manager v1, or "folders/1" of v3. */
static gcp_place *parent_of(reading *r, const kim_json *parent)
{
    static const struct { const char *type, *plural; } types[] = {{"project", "projects"}, {"folder", "folders"}, {"organization", "organizations"}};
    kim_text type = text_of(parent, "type"), id = kim_json_text_of(parent, "id");
    if (kim_json_is(parent, KIM_JSON_STRING))
        return gcp_places_get(r->places, parent->text);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kim_text_is(type, types[i].type) && id.size)
            return gcp_places_get(r->places, kim_text_format(r->arena, "%s/%.*s", types[i].plural, KIM_PRINT(id)));
    return NULL;
}

static bool is_gone(const kim_json *e)
{
    kim_text state = text_of(e, "lifecycleState");
    if (state.size == 0)
        state = text_of(e, "state");
    return has(state, "DELETE");
}

static void learn_place(reading *r, gcp_place *place, const kim_json *e, kim_text name)
{
    gcp_place *parent = parent_of(r, kim_json_get(e, "parent"));
    if (place == NULL)
        return;
    if (name.size)
        place->name = kim_text_copy(r->places->arena, name);
    place->is_deleted |= is_gone(e);
    if (parent)
        gcp_places_set_parent(r->places, place, parent);
    else
        place->no_parent = true;
}

static int read_project(reading *r, const kim_json *e)
{
    kim_text id = text_of(e, "projectId"), number = kim_json_text_of(e, "projectNumber");
    if (number.size == 0)
        number = gcp_after(text_of(e, "name"), "projects/");
    gcp_places_same(r->places, id, number);
    kim_text name = text_of(e, "displayName");
    if (name.size == 0 && !kim_text_starts_with(text_of(e, "name"), KIM_TEXT("projects/")))
        name = text_of(e, "name");
    learn_place(r, gcp_places_get(r->places, kim_text_format(r->arena, "projects/%.*s", KIM_PRINT(id))), e, name);
    return 0;
}

static int read_folder(reading *r, const kim_json *e)
{
    learn_place(r, gcp_places_get(r->places, text_of(e, "name")), e, text_of(e, "displayName"));
    return 0;
}

static int read_organisation(reading *r, const kim_json *e)
{
    gcp_place *place = gcp_places_get(r->places, text_of(e, "name"));
    kim_text customer = text_of(kim_json_get(e, "owner"), "directoryCustomerId");
    if (customer.size == 0)
        customer = text_of(e, "directoryCustomerId");
    learn_place(r, place, e, text_of(e, "displayName"));
    if (place && customer.size)
        place->customer = kim_text_copy(r->places->arena, customer);
    return 0;
}

/* gcloud projects get-ancestors: [{"id","type"}], the project first. */
static int read_ancestor(reading *r, const kim_json *e)
{
    gcp_place *place = parent_of(r, e);
    if (r->below && place)
        gcp_places_set_parent(r->places, r->below, place);
    r->below = place;
    return 0;
}

static int read_ancestry(reading *r, const kim_json *e)
{
    const kim_json *list = kim_json_get(e, "ancestor");
    r->below = NULL;
    for (size_t i = 0; i < list->count; i++)
        read_ancestor(r, kim_json_get(&list->items[i], "resourceId") ? kim_json_get(&list->items[i], "resourceId") : &list->items[i]);
    r->below = NULL;
    return 0;
}

/* ---- allow policies ---- */

static int put_allow(reading *r, kim_text resource, const kim_json *policy)
{
    bool differs;
    kim_text name = name_of(r, resource), part = gcp_manager_part(name);
    gcp_place *place = part.size ? gcp_places_get(r->places, part) : NULL;
    if (is_learning(r)) {
        if (place)
            place->has_policy = true;
        return 0;
    }
    kim_text etag = text_of(policy, "etag");
    if (!gcp_out_first(r->out, "allow", name, etag.size ? etag : KIM_TEXT("?"), &differs, r->err))
        return differs ? leave_out(r, name, "the allow policy of %.*s was read before, and was another one: give one snapshot", KIM_PRINT(name)) : 0;
    if (place == NULL) {
        gcp_place *in = gcp_place_of(r->places, resource);
        if (put_resource(r, name, KIM_NO_TEXT, in ? gcp_place_name(in, r->arena) : KIM_NO_TEXT, (kim_pairs){0}, (kim_pairs){0}) < 0)
            return -1;
    }
    kim_text scope = scope_of(r, name);
    const char *what = kim_text_format(r->arena, "the allow policy of %.*s", KIM_PRINT(name)).bytes;
    int result = gcp_put_allow(r->out, scope, name, policy, what ? what : "", r->err);
    if (result < 0 && r->err && (r->err->code == KIM_ERR_INPUT || r->err->code == KIM_ERR_LIMIT)) {
        kim_error why = *r->err;
        return gcp_put_allow_unread(r->out, scope, name, kim_text_of(why.message), r->err);
    }
    return result;
}

static int read_allow(reading *r, const kim_json *e)
{
    kim_text resource = r->resource, storage = gcp_after(text_of(e, "resourceId"), "projects/");
    const char *bucket = storage.size ? memmem(storage.bytes, storage.size, "/buckets/", 9) : NULL;
    if (bucket) /* storage#policy says of which bucket it is */
        resource = kim_text_format(r->arena, "//storage.googleapis.com/projects/_%.*s", (int)(storage.bytes + storage.size - bucket), bucket);
    if (resource.size == 0)
        return leave_out(r, KIM_NO_TEXT, "an allow policy that does not say whose it is; name the file get-iam-policy__projects%%2FPROJECT.json, "
                         "or put it below a folder projects/PROJECT");
    return put_allow(r, resource, e);
}

/* {"resource":"//...","policy":{...}}: a search result of the inventory, and what anyone may write by hand. */
static int read_search_result(reading *r, const kim_json *e)
{
    kim_text resource = text_of(e, "resource");
    gcp_place *project = gcp_places_get(r->places, text_of(e, "project")), *at = gcp_place_of(r->places, resource);
    gcp_place *organisation = gcp_places_get(r->places, text_of(e, "organization"));
    if (project && at && at != project && kim_text_starts_with(at->part, KIM_TEXT("projects/")) && kim_text_starts_with(project->part, KIM_TEXT("projects/"))) {
        gcp_places_same(r->places, at->id, project->number);
        project = gcp_places_get(r->places, text_of(e, "project"));
    }
    (void)organisation; /* it is known now */
    if (put_allow(r, resource, kim_json_get(e, "policy")) < 0)
        return -1;
    if (is_learning(r) || gcp_manager_part(resource).size || project == NULL)
        return 0;
    return put_resource(r, name_of(r, resource), text_of(e, "assetType"), gcp_place_name(project, r->arena), (kim_pairs){0}, (kim_pairs){0});
}

/* gcloud projects get-ancestors-iam-policy [--include-deny]: [{"id","type","policy"}] */
static int read_ancestor_policy(reading *r, const kim_json *e)
{
    gcp_place *place = parent_of(r, e);
    const kim_json *policies = kim_json_get(e, "policies"), *policy = kim_json_get(e, "policy");
    if (place == NULL)
        return leave_out(r, KIM_NO_TEXT, "an ancestor of the type '%s' is not known", gcp_shown(r->arena, text_of(e, "type")).bytes);
    if (r->below && r->below != place)
        gcp_places_set_parent(r->places, r->below, place);
    r->below = place;
    kim_text name = gcp_place_name(place, r->arena);
    for (size_t i = 0; kim_json_is(policies, KIM_JSON_ARRAY) && i < policies->count; i++) {
        const kim_json *one = &policies->items[i];
        if (kim_json_get(one, "bindings") && put_allow(r, name, one) < 0)
            return -1;
    }
    if (policy && kim_json_get(policy, "rules") == NULL)
        return put_allow(r, name, policy);
    return 0;
}

/* ---- roles ---- */

static int read_role(reading *r, const kim_json *e)
{
    bool differs;
    kim_text name = text_of(e, "name");
    bool is_full = kim_json_is(kim_json_get(e, "includedPermissions"), KIM_JSON_ARRAY) || kim_json_bool(kim_json_get(e, "deleted"), false);
    if (is_learning(r))
        return 0;
    if (is_full && !gcp_out_first(r->out, "role", name, KIM_TEXT("?"), &differs, r->err))
        return 0;
    kim_text part = kim_text_starts_with(name, KIM_TEXT("roles/")) ? KIM_NO_TEXT : name;
    kim_text scope = root_scope(r, KIM_NO_TEXT);
    gcp_place *place = part.size ? gcp_place_of(r->places, kim_text_format(r->arena, "/%.*s", KIM_PRINT(part))) : NULL;
    if (place)
        scope = gcp_place_scope(place, r->arena);
    return or_leave_out(r, gcp_put_role(r->out, scope, name, e, kim_text_format(r->arena, "the role %.*s", KIM_PRINT(name)).bytes, r->err), KIM_NO_TEXT);
}

/* ---- deny policies and boundaries ---- */

/* policies/cloudresourcemanager.googleapis.com%2Fprojects%2F1/denypolicies/ID */
static int read_deny(reading *r, const kim_json *e)
{
    bool differs;
    kim_text name = text_of(e, "name"), point = gcp_after(name, "policies/");
    const char *end = point.size ? memmem(point.bytes, point.size, "/denypolicies/", 14) : NULL;
    if (end)
        point = gcp_percent_decoded(r->arena, (kim_text){point.bytes, (size_t)(end - point.bytes)});
    kim_text resource = end ? gcp_resource_name(r->arena, point) : r->resource;
    if (resource.size == 0)
        return leave_out(r, KIM_NO_TEXT, "a deny policy whose name '%s' does not say what it is attached to", gcp_shown(r->arena, name).bytes);
    resource = name_of(r, resource);
    if (is_learning(r) || !kim_json_get(e, "rules")) /* listings have no rules */
        return 0;
    if (!gcp_out_first(r->out, "deny", name, text_of(e, "etag"), &differs, r->err))
        return 0;
    return or_leave_out(r, gcp_put_deny(r->out, scope_of(r, resource), resource, name, e, name.bytes, r->err), resource);
}

static int read_boundary(reading *r, const kim_json *e)
{
    bool differs;
    kim_text name = text_of(e, "name");
    const kim_json *details = kim_json_get(e, "details");
    if (is_learning(r) || !gcp_out_first(r->out, "boundary", name, text_of(e, "etag"), &differs, r->err))
        return 0;
    kim_text scope = root_scope(r, kim_text_format(r->arena, "/%.*s", KIM_PRINT(name)));
    gcp_blocked blocked = gcp_blocked_of(kim_json_text_of(details, "enforcementVersion"), r->arena);
    return or_leave_out(r, gcp_put_boundary(r->out, scope, name, e, blocked, name.bytes, r->err), KIM_NO_TEXT);
}

static int read_policy_binding(reading *r, const kim_json *e)
{
    kim_text name = text_of(e, "name"), policy = text_of(e, "policy"), set = text_of(kim_json_get(e, "target"), "principalSet");
    if (is_learning(r))
        return 0;
    if (policy.size == 0 || set.size == 0)
        return leave_out(r, KIM_NO_TEXT, "the policy binding '%s' lacks its policy or its target", gcp_shown(r->arena, name).bytes);
    kim_text scope = root_scope(r, kim_text_format(r->arena, "/%.*s", KIM_PRINT(policy)));
    kim_text part = gcp_manager_part(set);
    gcp_place *place = part.size ? gcp_places_get(r->places, part) : NULL;
    return or_leave_out(r, gcp_put_bound(r->out, scope, policy, place ? gcp_place_name(place, r->arena) : set, name, kim_json_get(e, "condition"), name.bytes, r->err), KIM_NO_TEXT);
}

/* ---- service accounts ---- */

static int read_account(reading *r, const kim_json *e)
{
    kim_text email = kim_text_lower(r->arena, text_of(e, "email")), project = text_of(e, "projectId"), unique = kim_json_text_of(e, "uniqueId");
    kim_text path = gcp_after(text_of(e, "name"), "projects/");
    const char *slash = path.size ? memchr(path.bytes, '/', path.size) : NULL;
    if (project.size == 0 && slash)
        project = (kim_text){path.bytes, (size_t)(slash - path.bytes)};
    gcp_place *place = gcp_places_get(r->places, kim_text_format(r->arena, "projects/%.*s", KIM_PRINT(project)));
    if (is_learning(r) || place == NULL)
        return 0;
    kim_text id = kim_text_format(r->arena, "serviceAccount:%.*s", KIM_PRINT(email)), parent = gcp_place_name(place, r->arena);
    kim_text in = gcp_after(parent, GCP_MANAGER);
    kim_text resource = kim_text_format(r->arena, GCP_IAM "%.*s/serviceAccounts/%.*s", KIM_PRINT(in), KIM_PRINT(email));
    const kim_pair facts[] = {{KIM_TEXT("unique_id"), unique}};
    const kim_pair aliases[] = {
        {KIM_TEXT("alias"), kim_text_format(r->arena, GCP_IAM "%.*s/serviceAccounts/%.*s", KIM_PRINT(in), KIM_PRINT(unique))},
        {KIM_TEXT("alias.any"), kim_text_format(r->arena, GCP_IAM "projects/-/serviceAccounts/%.*s", KIM_PRINT(email))},
    };
    kim_record identity = {.type = KIM_IDENTITY, .scope = gcp_place_scope(place, r->arena),
                           .identity = {.id = id, .kind = KIM_WORKLOAD, .name = text_of(e, "displayName"), .facts = {facts, unique.size > 0},
                                        .state = kim_json_bool(kim_json_get(e, "disabled"), false) ? KIM_DISABLED : KIM_ACTIVE}};
    if (identity.identity.name.size == 0 || identity.identity.name.size > KIM_NAME_MAX_BYTES)
        identity.identity.name = email;
    if (gcp_put(r->out, &identity, r->err) < 0)
        return -1;
    return put_resource(r, resource, KIM_TEXT("iam.googleapis.com/ServiceAccount"), parent, (kim_pairs){0},
                        (kim_pairs){unique.size ? aliases : aliases + 1, unique.size ? 2 : 1});
}

/* projects/P/serviceAccounts/EMAIL/keys/ID */
static int read_key(reading *r, const kim_json *e)
{
    kim_text name = text_of(e, "name");
    const char *begin = memmem(name.bytes, name.size, "/serviceAccounts/", 17), *end = memmem(name.bytes, name.size, "/keys/", 6);
    if (is_learning(r) || begin == NULL || end == NULL || end < begin + 17)
        return 0;
    kim_text email = kim_text_lower(r->arena, (kim_text){begin + 17, (size_t)(end - begin - 17)});
    kim_text id = kim_text_format(r->arena, "serviceAccount:%.*s", KIM_PRINT(email));
    const kim_pair facts[] = {{KIM_TEXT("type"), text_of(e, "keyType")}, {KIM_TEXT("origin"), text_of(e, "keyOrigin")}};
    kim_record record = {.type = KIM_CREDENTIAL, .scope = scope_of(r, kim_text_format(r->arena, "/%.*s", KIM_PRINT(name))),
                         .credential = {.id = name, .identity = id, .kind = KIM_TEXT("key"),
                                        .state = kim_json_bool(kim_json_get(e, "disabled"), false) ? KIM_DISABLED : KIM_ACTIVE,
                                        .created_unix_ms = kim_time_of_text(text_of(e, "validAfterTime")),
                                        .expires_unix_ms = kim_time_of_text(text_of(e, "validBeforeTime")),
                                        .facts = {facts, facts[0].value.size && facts[1].value.size ? 2 : facts[0].value.size ? 1 : 0}}};
    return gcp_put(r->out, &record, r->err);
}

/* ---- groups ---- */

static int read_group(reading *r, const kim_json *e)
{
    kim_text email = text_of(kim_json_get(e, "groupKey"), "id");
    if (email.size == 0)
        email = text_of(e, "email");
    if (is_learning(r) || email.size == 0)
        return 0;
    kim_record record = {.type = KIM_IDENTITY, .scope = root_scope(r, KIM_NO_TEXT),
                         .identity = {.id = kim_text_format(r->arena, "group:%.*s", KIM_PRINT(kim_text_lower(r->arena, email))), .kind = KIM_GROUP,
                                      .name = text_of(e, "displayName")}};
    return gcp_put(r->out, &record, r->err);
}

/* When the last of a membership's roles ends; 0: it does not. */
static int64_t expiry_of(const kim_json *e)
{
    const kim_json *roles = kim_json_get(e, "roles");
    int64_t last = 0;
    for (size_t i = 0; kim_json_is(roles, KIM_JSON_ARRAY) && i < roles->count; i++) {
        int64_t at = kim_time_of_text(text_of(kim_json_get(&roles->items[i], "expiryDetail"), "expireTime"));
        if (at == 0)
            return 0;
        last = at > last ? at : last;
    }
    return last;
}

static int mark_group_read(reading *r)
{
    static const kim_pair read[] = {{{"members", 7}, {"read", 4}}};
    if (is_learning(r) || r->context->group.size == 0)
        return 0;
    kim_record group = {.type = KIM_IDENTITY, .scope = root_scope(r, KIM_NO_TEXT), .identity = {.id = r->context->group, .kind = KIM_GROUP, .facts = {read, 1}}};
    return gcp_put(r->out, &group, r->err);
}

/* Of Cloud Identity ("preferredMemberKey") and of the Admin SDK ("email", "type"). */
static int read_membership(reading *r, const kim_json *e)
{
    kim_text email = text_of(kim_json_get(e, "preferredMemberKey"), "id"), type = text_of(e, "type");
    if (email.size == 0)
        email = text_of(e, "email");
    if (is_learning(r))
        return 0;
    if (r->context->group.size == 0)
        return leave_out(r, KIM_NO_TEXT, "a list of members that does not say of which group; name the file memberships__GROUP@DOMAIN.json");
    const char *kind = kim_text_is(type, "GROUP") ? "group" : kim_text_is(type, "SERVICE_ACCOUNT") || kim_text_ends_with(email, KIM_TEXT(".gserviceaccount.com")) ? "serviceAccount" : "user";
    kim_text member = kim_text_format(r->arena, "%s:%.*s", kind, KIM_PRINT(kim_text_lower(r->arena, email)));
    if (kim_text_is(type, "CUSTOMER"))
        member = kim_text_format(r->arena, "principalSet://goog/cloudIdentityCustomerId/%.*s", KIM_PRINT(kim_json_text_of(e, "id")));
    else if (email.size == 0)
        return leave_out(r, KIM_NO_TEXT, "a member of %.*s without an address", KIM_PRINT(r->context->group));
    kim_text scope = root_scope(r, KIM_NO_TEXT);
    kim_record edge = {.type = KIM_EDGE, .scope = scope,
                       .edge = {.kind = KIM_MEMBER_OF, .from = member, .to = r->context->group, .via = KIM_TEXT("group"), .expires_unix_ms = expiry_of(e)}};
    return mark_group_read(r) < 0 || gcp_put_identity(r->out, scope, member, r->err) < 0 ? -1 : gcp_put(r->out, &edge, r->err);
}

/* ---- tags ---- */

static kim_text cut_last(kim_text path)
{
    kim_text last = gcp_last_part(path);
    return path.size > last.size ? (kim_text){path.bytes, path.size - last.size - 1} : KIM_NO_TEXT;
}

/* A tag binding, or an effective tag: the value, and its key, by id and by name. */
static int read_tag(reading *r, const kim_json *e)
{
    kim_text parent = text_of(e, "parent"), spaced = text_of(e, "namespacedTagValue");
    bool effective = kim_json_get(e, "tagKey") != NULL;
    kim_text resource = parent.size ? parent : r->resource;
    if (spaced.size == 0)
        spaced = text_of(e, "tagValueNamespacedName");
    if (is_learning(r))
        return 0;
    if (resource.size == 0)
        return leave_out(r, KIM_NO_TEXT, "a tag that does not say of what; name the file tags-bindings__RESOURCE.json");
    kim_pair tags[2];
    size_t count = 0;
    if (spaced.size && cut_last(spaced).size)
        tags[count++] = (kim_pair){cut_last(spaced), gcp_last_part(spaced)};
    if (text_of(e, "tagKey").size && text_of(e, "tagValue").size)
        tags[count++] = (kim_pair){text_of(e, "tagKey"), text_of(e, "tagValue")};
    const kim_pair facts[] = {{KIM_TEXT("tags"), effective ? KIM_TEXT("effective") : KIM_TEXT("read")}};
    kim_text name = name_of(r, resource);
    kim_record record = {.type = KIM_RESOURCE, .scope = scope_of(r, name), .resource = {.id = name, .tags = {tags, count}, .facts = {facts, 1}}};
    return gcp_put(r->out, &record, r->err);
}

/* ---- the inventory ---- */

static int read_element(reading *r, const kim_json *e);

/* "projects/1", "folders/2", "organizations/3": each below the next. inventory: its policies were exported too. */
static void learn_ancestors(reading *r, const kim_json *ancestors, gcp_place *below, bool inventory)
{
    for (size_t i = 0; kim_json_is(ancestors, KIM_JSON_ARRAY) && i < ancestors->count; i++) {
        gcp_place *place = gcp_places_get(r->places, kim_json_text(&ancestors->items[i]));
        if (place == NULL || place == below)
            continue;
        if (below)
            gcp_places_set_parent(r->places, below, place);
        if (below && inventory) { /* two that meet in it show that the export began there, or above */
            if (place->child == NULL)
                place->child = below;
            else if (place->child != below)
                place->is_covered = true;
        }
        if (inventory && kim_text_starts_with(place->part, KIM_TEXT("projects/")))
            place->is_covered = true;
        below = place;
    }
}

static gcp_place *first_ancestor(reading *r, const kim_json *ancestors)
{
    return kim_json_is(ancestors, KIM_JSON_ARRAY) && ancestors->count ? gcp_places_get(r->places, kim_json_text(&ancestors->items[0])) : NULL;
}

static kim_text parent_in(reading *r, const kim_json *e)
{
    kim_text parent = text_of(e, "parentFullResourceName");
    if (parent.size == 0)
        parent = text_of(kim_json_get(e, "resource"), "parent");
    if (parent.size)
        return name_of(r, parent);
    gcp_place *place = first_ancestor(r, kim_json_get(e, "ancestors"));
    if (place == NULL)
        place = gcp_places_get(r->places, text_of(e, "project"));
    return place ? gcp_place_name(place, r->arena) : KIM_NO_TEXT;
}

static int read_asset(reading *r, const kim_json *e)
{
    kim_text name = text_of(e, "name"), part = gcp_manager_part(name);
    const kim_json *policy = either(e, "iam_policy", "iamPolicy"), *ancestors = kim_json_get(e, "ancestors");
    const kim_json *data = kim_json_get(kim_json_get(e, "resource"), "data");
    gcp_place *own = part.size ? gcp_places_get(r->places, part) : NULL, *first = first_ancestor(r, ancestors);
    if (own && first && own != first && kim_text_starts_with(part, KIM_TEXT("projects/"))) {
        gcp_places_same(r->places, own->id, first->number);
        own = gcp_places_get(r->places, part);
    }
    if (is_learning(r)) {
        r->places->has_inventory |= own && policy;
        learn_ancestors(r, ancestors, own, policy != NULL);
    }
    kim_text around = r->resource;
    r->resource = name;
    int result = policy ? put_allow(r, name, policy) : 0;
    if (result == 0 && kim_json_is(data, KIM_JSON_OBJECT))
        result = read_element(r, data);
    r->resource = around;
    if (result < 0 || is_learning(r) || own || has(name, "/serviceAccounts/")) /* an account stands by its number there, and says so itself */
        return result;
    return put_resource(r, name_of(r, name), kim_json_text(either(e, "asset_type", "assetType")), parent_in(r, e), (kim_pairs){0}, (kim_pairs){0});
}

/* ---- one collected file ---- */

static int read_collected(reading *r, const kim_json *e)
{
    const kim_json *resources = kim_json_get(e, "resources");
    for (size_t i = 0; kim_json_is(resources, KIM_JSON_OBJECT) && i < resources->count; i++) {
        kim_text name = resources->members[i].name, parent = text_of(resources->members[i].value, "parent");
        gcp_place *place = gcp_manager_part(name).size ? gcp_places_get(r->places, gcp_manager_part(name)) : NULL;
        gcp_place *above = gcp_manager_part(parent).size ? gcp_places_get(r->places, gcp_manager_part(parent)) : NULL;
        if (place && above)
            gcp_places_set_parent(r->places, place, above);
        if (place)
            place->has_policy = true;
    }
    if (is_learning(r))
        return 0;
    return gcp_put_collected(r->out, root_scope(r, KIM_NO_TEXT), e, r->err);
}

/* ---- which element is it? ---- */

static bool name_has(const kim_json *e, const char *part)
{
    return has(text_of(e, "name"), part);
}

static bool name_begins(const kim_json *e, const char *part)
{
    return kim_text_starts_with(text_of(e, "name"), kim_text_of(part));
}

static bool is_asset(const kim_json *e) { return either(e, "asset_type", "assetType") && name_begins(e, "//"); }
static bool is_search_result(const kim_json *e)
{
    return kim_text_starts_with(text_of(e, "resource"), KIM_TEXT("//")) && kim_json_is(kim_json_get(e, "policy"), KIM_JSON_OBJECT);
}
static bool is_ancestor(const kim_json *e)
{
    kim_text type = text_of(e, "type");
    return kim_json_text_of(e, "id").size && (kim_text_is(type, "project") || kim_text_is(type, "folder") || kim_text_is(type, "organization"));
}
static bool is_ancestor_policy(const kim_json *e) { return is_ancestor(e) && (kim_json_get(e, "policy") || kim_json_get(e, "policies")); }
static bool is_deny(const kim_json *e)
{
    const kim_json *rules = kim_json_get(e, "rules");
    return name_has(e, "/denypolicies/") || (kim_json_is(rules, KIM_JSON_ARRAY) && rules->count && kim_json_get(&rules->items[0], "denyRule"));
}
static bool is_boundary(const kim_json *e) { return name_has(e, "/principalAccessBoundaryPolicies/") && !kim_json_get(e, "target"); }
static bool is_policy_binding(const kim_json *e) { return kim_json_get(e, "target") && (name_has(e, "/policyBindings/") || kim_json_get(e, "policyKind")); }
static bool is_role(const kim_json *e)
{
    return (name_begins(e, "roles/") || name_has(e, "/roles/")) &&
           (kim_json_get(e, "includedPermissions") || kim_json_get(e, "title") || kim_json_get(e, "stage") || kim_json_get(e, "etag"));
}
static bool is_key(const kim_json *e) { return name_has(e, "/serviceAccounts/") && name_has(e, "/keys/"); }
static bool is_account(const kim_json *e) { return name_has(e, "/serviceAccounts/") && text_of(e, "email").size; }
static bool is_project(const kim_json *e) { return text_of(e, "projectId").size && (kim_json_text_of(e, "projectNumber").size || name_begins(e, "projects/")); }
static bool is_folder(const kim_json *e) { return name_begins(e, "folders/") && (kim_json_get(e, "parent") || kim_json_get(e, "displayName")); }
static bool is_organisation(const kim_json *e)
{
    kim_text number = gcp_after(text_of(e, "name"), "organizations/");
    return number.size && memchr(number.bytes, '/', number.size) == NULL;
}
static bool is_ancestry(const kim_json *e) { return kim_json_is(kim_json_get(e, "ancestor"), KIM_JSON_ARRAY); }
static bool is_membership(const kim_json *e) { return kim_json_get(e, "preferredMemberKey") || kim_text_is(text_of(e, "kind"), "admin#directory#member"); }
static bool is_group(const kim_json *e) { return kim_json_get(e, "groupKey") || kim_text_is(text_of(e, "kind"), "admin#directory#group"); }
static bool is_tag(const kim_json *e)
{
    return text_of(e, "tagValue").size && (name_begins(e, "tagBindings/") || kim_json_get(e, "namespacedTagValue") || kim_json_get(e, "tagKey"));
}
static bool is_allow(const kim_json *e)
{
    const kim_json *bindings = kim_json_get(e, "bindings");
    if (kim_json_is(bindings, KIM_JSON_ARRAY)) /* Kubernetes has bindings of another kind */
        return bindings->count == 0 || kim_json_get(&bindings->items[0], "role");
    return bindings == NULL && text_of(e, "etag").size && e->count <= 2 && (e->count == 1 || kim_json_get(e, "version")); /* an empty one */
}
static bool is_collected(const kim_json *e)
{
    const kim_json *resources = kim_json_get(e, "resources");
    bool named = kim_json_is(resources, KIM_JSON_OBJECT) && resources->count && kim_text_starts_with(resources->members[0].name, KIM_TEXT("//"));
    return named || (kim_json_is(kim_json_get(e, "roles"), KIM_JSON_OBJECT) && (resources || kim_json_get(e, "groups")));
}

static const struct row {
    bool (*is)(const kim_json *e);
    element_reader *read;
} rows[] = {
    {is_asset, read_asset}, {is_search_result, read_search_result}, {is_ancestor_policy, read_ancestor_policy}, {is_ancestor, read_ancestor},
    {is_deny, read_deny}, {is_policy_binding, read_policy_binding}, {is_boundary, read_boundary}, {is_role, read_role}, {is_key, read_key},
    {is_account, read_account}, {is_project, read_project}, {is_folder, read_folder}, {is_organisation, read_organisation},
    {is_ancestry, read_ancestry}, {is_membership, read_membership}, {is_group, read_group}, {is_tag, read_tag}, {is_collected, read_collected},
    {is_allow, read_allow},
};
enum { ROWS = sizeof rows / sizeof *rows };

/* Lists that the APIs' answers hold their elements in. */
static const char *const pages[] = {"roles", "accounts", "keys", "policies", "principalAccessBoundaryPolicies", "policyBindings", "projects", "folders",
                                    "organizations", "assets", "results", "memberships", "members", "groups", "tagBindings", "effectiveTags"};

static const kim_json *page_in(const kim_json *e)
{
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        const kim_json *list = kim_json_get(e, pages[i]);
        if (kim_json_is(list, KIM_JSON_ARRAY) && (list->count == 0 || kim_json_is(&list->items[0], KIM_JSON_OBJECT)))
            return list;
    }
    return NULL;
}

static int read_element(reading *r, const kim_json *e)
{
    enum { DEPTH_MAX = 4 };
    for (size_t i = 0; i < ROWS; i++)
        if (kim_json_is(e, KIM_JSON_OBJECT) && rows[i].is(e)) {
            r->taken++;
            return rows[i].read(r, e);
        }
    const kim_json *list = page_in(e), *asset = kim_json_get(e, "asset");
    if (r->depth == DEPTH_MAX || !kim_json_is(e, KIM_JSON_OBJECT))
        return 0;
    r->depth++;
    int result = 0;
    if (list && (kim_json_get(e, "memberships") == list || kim_json_get(e, "members") == list)) /* of a group, if only an empty one */
        result = mark_group_read(r);
    if (list)
        r->taken++;
    for (size_t i = 0; list && i < list->count && result == 0; i++)
        result = read_element(r, &list->items[i]);
    if (list == NULL && kim_json_is(asset, KIM_JSON_OBJECT))
        result = read_element(r, asset);
    r->depth--;
    return result;
}

/* ---- a document ---- */

static int read_values(reading *r, kim_text bytes)
{
    gcp_split split = gcp_split_start(bytes);
    kim_text value;
    size_t broken = 0;
    while (gcp_split_next(&split, &value)) {
        kim_error why = {0};
        kim_arena_reset(r->arena);
        const kim_json *e = kim_json_parse(value.bytes, value.size, r->context->origin, r->arena, &why);
        if (e == NULL && why.code == KIM_ERR_NOMEM)
            return kim_fail(r->err, KIM_ERR_LIMIT, "%s: an element of %zu bytes takes more memory than it may", r->context->origin, value.size);
        if (e == NULL && broken++ == 0 && leave_out(r, KIM_NO_TEXT, "%s", why.message) < 0)
            return -1;
        if (e && read_element(r, e) < 0)
            return -1;
    }
    if (split.is_cut && leave_out(r, KIM_NO_TEXT, "the text is cut short") < 0)
        return -1;
    bool empty_list = r->context->group.size && r->taken == 0 && !broken && !split.is_cut && bytes.size && bytes.bytes[0] == '[';
    if (empty_list) { /* gcloud's list of the members of an empty group */
        r->taken = 1;
        return mark_group_read(r);
    }
    return 0;
}

int gcp_learn(gcp_places *places, kim_arena *arena, const gcp_context *context, kim_text bytes, kim_error *err)
{
    reading r = {.places = places, .arena = arena, .context = context, .resource = context->resource, .err = err};
    return read_values(&r, bytes);
}

int gcp_read(gcp_out *out, gcp_places *places, const gcp_context *context, kim_text bytes, kim_error *err)
{
    reading r = {.out = out, .places = places, .arena = out->arena, .context = context, .resource = context->resource, .err = err};
    out->places = places;
    int result = read_values(&r, bytes);
    out->places = NULL;
    if (result < 0)
        return -1;
    return r.taken ? 0 : kim_fail(err, KIM_ERR_INPUT, "%s: nothing in it is known of Google Cloud; see the list of files in the manual", context->origin);
}

/* ---- the end ---- */

static int put_place(gcp_out *out, gcp_places *places, gcp_place *place, kim_error *err)
{
    kim_arena *arena = out->arena;
    kim_arena_reset(arena);
    gcp_place *parent = gcp_place_parent(place);
    kim_text scope = gcp_place_scope(place, arena), name = gcp_place_name(place, arena), alias = gcp_place_alias(place, arena);
    const kim_pair facts[] = {{KIM_TEXT("alias"), alias}};
    kim_record as_scope = {.type = KIM_SCOPE, .scope = scope,
                           .as_scope = {.id = scope, .kind = kim_text_of(gcp_place_kind(place)), .name = place->name, .native_id = name,
                                        .parent = parent ? gcp_place_scope(parent, arena) : KIM_NO_TEXT}};
    kim_record resource = {.type = KIM_RESOURCE, .scope = scope,
                           .resource = {.id = name, .name = place->name, .parent = parent ? gcp_place_name(parent, arena) : KIM_NO_TEXT,
                                        .facts = {facts, alias.size > 0},
                                        .type = kim_text_format(arena, "cloudresourcemanager.googleapis.com/%s",
                                                                *gcp_place_kind(place) == 'p' ? "Project" : *gcp_place_kind(place) == 'f' ? "Folder" : "Organization")}};
    if (gcp_put(out, &as_scope, err) < 0 || gcp_put(out, &resource, err) < 0 || gcp_put_profile(out, scope, err) < 0)
        return -1;
    bool covered = false;
    for (gcp_place *at = place; at && places->has_inventory && !covered; at = gcp_place_parent(at))
        covered = at->is_covered;
    if (!place->has_policy && !covered)
        return gcp_put_allow_unread(out, scope, name, KIM_TEXT("no file has it"), err);
    return 0;
}

/* An organisation's domain is its customer's, and all in it are the organisation's principals. */
static int put_customer(gcp_out *out, gcp_place *place, kim_error *err)
{
    kim_arena *arena = out->arena;
    kim_text scope = gcp_place_scope(place, arena), domain = kim_text_format(arena, "domain:%.*s", KIM_PRINT(kim_text_lower(arena, place->name)));
    kim_text customer = kim_text_format(arena, "principalSet://goog/cloudIdentityCustomerId/%.*s", KIM_PRINT(place->customer));
    kim_record to_customer = {.type = KIM_EDGE, .scope = scope, .edge = {.kind = KIM_MEMBER_OF, .from = domain, .to = customer, .via = KIM_TEXT("domain")}};
    kim_record to_set = {.type = KIM_EDGE, .scope = scope,
                         .edge = {.kind = KIM_MEMBER_OF, .from = customer, .to = gcp_place_name(place, arena), .via = KIM_TEXT("customer")}};
    if (place->name.size == 0 || place->customer.size == 0)
        return 0;
    return gcp_put_identity(out, scope, domain, err) < 0 || gcp_put_identity(out, scope, customer, err) < 0 || gcp_put(out, &to_customer, err) < 0
               ? -1 : gcp_put(out, &to_set, err);
}

/* A table lies in its data set though the inventory says the project: what is known and begins its name. */
static int put_nearer_parent(void *context, const kim_record *record, kim_error *err)
{
    gcp_out *out = context;
    kim_text name = record->resource.id;
    if (!kim_text_starts_with(record->resource.parent, KIM_TEXT(GCP_MANAGER)) || kim_text_starts_with(name, KIM_TEXT(GCP_MANAGER)))
        return 0;
    for (size_t at = name.size; at-- > 2;) {
        if (name.bytes[at] != '/')
            continue;
        kim_record like = {.type = KIM_RESOURCE, .scope = record->scope, .resource = {.id = {name.bytes, at}}};
        if (gcp_out_find(out, &like) == NULL)
            continue;
        kim_record *own = (kim_record *)(uintptr_t)record; /* the table's own: only the parent is another */
        own->resource.parent = gcp_out_find(out, &like)->resource.id;
        return 0;
    }
    (void)err;
    return 0;
}

int gcp_read_end(gcp_out *out, gcp_places *places, kim_error *err)
{
    out->places = NULL; /* an organisation's own records are its own */
    for (size_t i = 0; i < places->count; i++) {
        gcp_place *place = places->items[i];
        if (place->same == NULL && !place->is_deleted && (put_place(out, places, place, err) < 0 || put_customer(out, place, err) < 0))
            return -1;
    }
    if (places->count == 0 && gcp_put_profile(out, KIM_TEXT("gcp:files"), err) < 0)
        return -1;
    return gcp_out_each(out, KIM_RESOURCE, put_nearer_parent, out, err);
}

/* ---- what a name and the first bytes tell ---- */

int gcp_recognise_document(kim_text name, kim_text head)
{
    /* Between spaces: all must be there. The surest first. */
    static const struct { const char *marks; int sure; } signs[] = {
        {"\"asset_type\" \"//", 2}, {"\"assetType\" \"//", 2}, {"\"denyRule\"", 2}, {"/denypolicies/", 2}, {"principalAccessBoundaryPolicies", 2},
        {"PRINCIPAL_ACCESS_BOUNDARY", 2}, {"\"includedPermissions\"", 2}, {"\"roles/ \"title\"", 2}, {"/roles/ \"title\" \"etag\"", 2}, {"/serviceAccounts/", 2}, {"\"projectNumber\" \"projectId\"", 2},
        {"\"projectId\" \"projects/", 2}, {"\"folders/ \"displayName\"", 2}, {"\"organizations/ \"displayName\"", 2}, {"\"preferredMemberKey\"", 2}, {"admin#directory#", 2},
        {"\"groupKey\"", 2}, {"\"tagValues/", 2}, {"\"bindings\" \"role\" \"members\"", 2}, {"\"//cloudresourcemanager.googleapis.com/", 2}, {"\"ancestor\" \"resourceId\"", 2},
        {"\"resource\" \"//", 1},
    };
    size_t blank = 0;
    while (blank < head.size && head.bytes[blank] && strchr(" \t\r\n\xEF\xBB\xBF", head.bytes[blank]))
        blank++;
    if (blank == head.size || (head.bytes[blank] != '{' && head.bytes[blank] != '['))
        return 0;
    bool named = has(name, "iam-policy") || has(name, "memberships") || has(name, "get-ancestors");
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        bool all = true;
        for (const char *at = signs[i].marks, *end; all && *at; at = *end ? end + 1 : end) {
            end = strchr(at, ' ');
            if (end == NULL)
                end = at + strlen(at);
            all = memmem(head.bytes, head.size, at, (size_t)(end - at)) != NULL;
        }
        if (all)
            return signs[i].sure;
    }
    return named && (has(head, "\"etag\"") || head.size - blank <= 4 || has(head, "\"memberships\"") || has(head, "\"type\"")) ? 2 : 0;
}

/* The segment behind "/projects/" and its like in a path. */
static kim_text segment_behind(kim_text path, const char *mark)
{
    size_t size = strlen(mark);
    for (size_t i = 0; i + size < path.size; i++) {
        if ((i > 0 && path.bytes[i - 1] != '/') || memcmp(path.bytes + i, mark, size) != 0)
            continue;
        kim_text rest = {path.bytes + i + size, path.size - i - size};
        const char *end = memchr(rest.bytes, '/', rest.size);
        if (end)
            return (kim_text){rest.bytes, (size_t)(end - rest.bytes)};
    }
    return KIM_NO_TEXT;
}

static kim_text subject_of(kim_arena *arena, kim_text path)
{
    const char *at = NULL;
    for (size_t i = 0; i + 2 <= path.size; i++)
        if (path.bytes[i] == '_' && path.bytes[i + 1] == '_')
            at = path.bytes + i + 2;
    if (at == NULL)
        return KIM_NO_TEXT;
    kim_text subject = {at, (size_t)(path.bytes + path.size - at)};
    if (memchr(subject.bytes, '/', subject.size))
        return KIM_NO_TEXT; /* of a folder's name */
    static const char *const endings[] = {".jsonl", ".ndjson", ".json"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (kim_text_ends_with(subject, kim_text_of(endings[i]))) {
            subject.size -= strlen(endings[i]);
            break;
        }
    return gcp_percent_decoded(arena, subject);
}

void gcp_context_of_path(kim_arena *arena, const char *path, gcp_context *context)
{
    static const char *const folders[] = {"projects/", "folders/", "organizations/"};
    kim_text whole = kim_text_of(path), subject = subject_of(arena, whole);
    bool members = has(whole, "membership") || has(whole, "members");
    if (subject.size && members && memchr(subject.bytes, '@', subject.size)) {
        kim_text bare = gcp_after(subject, "group:");
        context->group = kim_text_format(arena, "group:%.*s", KIM_PRINT(kim_text_lower(arena, bare.size ? bare : subject)));
        return;
    }
    if (subject.size) {
        kim_text name = gcp_resource_name(arena, subject);
        const char *form = has(whole, "organization") ? GCP_MANAGER "organizations/" : has(whole, "folder") ? GCP_MANAGER "folders/"
                           : has(whole, "bucket") ? "//storage.googleapis.com/projects/_/buckets/" : GCP_MANAGER "projects/";
        const char *at = memchr(subject.bytes, '@', subject.size);
        kim_text domain = at ? (kim_text){at + 1, (size_t)(subject.bytes + subject.size - at - 1)} : KIM_NO_TEXT;
        if (name.size)
            context->resource = name;
        else if (kim_text_ends_with(domain, KIM_TEXT(".iam.gserviceaccount.com")))
            context->resource = kim_text_format(arena, GCP_IAM "projects/%.*s/serviceAccounts/%.*s", (int)(domain.size - 24), domain.bytes, KIM_PRINT(kim_text_lower(arena, subject)));
        else if (at == NULL && memchr(subject.bytes, '/', subject.size) == NULL)
            context->resource = kim_text_format(arena, "%s%.*s", form, KIM_PRINT(subject));
        return;
    }
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        kim_text segment = segment_behind(whole, folders[i]);
        if (segment.size == 0)
            continue;
        segment = gcp_percent_decoded(arena, segment);
        context->resource = kim_text_format(arena, GCP_MANAGER "%s%.*s", folders[i], KIM_PRINT(segment));
        return;
    }
}
