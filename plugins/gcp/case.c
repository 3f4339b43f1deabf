/* SPDX-License-Identifier: Apache-2.0
 *
 * case.c - the case's own keys are checked against tables; its documents are read by document.c.
 *
 * Everything is put twice: once dry, which finds whatever is wrong, and then for good.
 */
#include "plugins/gcp/case.h"

#include <stdarg.h>
#include <stdio.h>

#include "plugins/gcp/document.h"
#include "plugins/gcp/names.h"

#define SCOPE KIM_TEXT("gcp:case")

static const char *const case_keys[] = {"id", "provider", "mode", "request", "resources", "roles", "groups", "principal_access_boundaries",
                                        "known_absent", "known_present", "compare", "expand", NULL};
static const char *const request_keys[] = {"principal", "permission", "resource", "context", NULL};
static const char *const resource_keys[] = {"parent", "policy", "deny", "tags", NULL};
static const char *const boundary_keys[] = {"principals", "policy", "blocked_permissions", "condition", "binding", NULL};
static const char *const compare_keys[] = {"type", "reference", "candidate", NULL};

static bool is_given(const kim_json *value)
{
    return value != NULL && value->type != KIM_JSON_NULL;
}

static int check_keys(gcp_out *out, const kim_json *object, const char *what, const char *const *known, kim_error *err)
{
    if (!kim_json_is(object, KIM_JSON_OBJECT))
        return kim_fail(err, KIM_ERR_INPUT, "%s is %s; it must be an object", *what ? what : "the line",
                        object ? kim_json_type_name(object->type) : "missing");
    for (size_t i = 0; i < object->count; i++) {
        size_t k = 0;
        while (known[k] && !kim_text_is(object->members[i].name, known[k]))
            k++;
        if (known[k])
            continue;
        char list[256] = "";
        for (k = 0; known[k]; k++)
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", k ? ", " : "", known[k]);
        return kim_fail(err, KIM_ERR_INPUT, "unknown key '%s'%s%s; known are %s", gcp_shown(out->arena, object->members[i].name).bytes,
                        *what ? " in " : "", what, list);
    }
    return 0;
}

static const char *place(gcp_out *out, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    kim_text whole = kim_text_of(text);
    whole.size = kim_text_utf8_size(whole); /* a cut may have halved a character */
    const char *copy = kim_text_copy(out->arena, whole).bytes;
    return copy ? copy : "";
}

/* ---- names that are taken ---- */

/* Texts so far; open addressing. */
typedef struct name_set {
    kim_text *slots; /* [room] */
    size_t room;     /* a power of two */
} name_set;

static int make_set(gcp_out *out, name_set *set, size_t most, kim_error *err)
{
    for (set->room = 16; set->room < 2 * most; set->room *= 2)
        ;
    set->slots = KIM_NEW_ARRAY(out->arena, kim_text, set->room);
    return set->slots ? 0 : kim_fail(err, KIM_ERR_LIMIT, "%zu names take more memory than a case may", most);
}

/* False where it was there already. */
static bool take(name_set *set, kim_text name)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */
    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (unsigned char)name.bytes[i]) * UINT64_C(0x100000001B3);
    size_t at = (hash ^ hash >> 32) & (set->room - 1);
    for (; set->slots[at].bytes; at = (at + 1) & (set->room - 1))
        if (kim_text_equal(set->slots[at], name))
            return false;
    set->slots[at] = name;
    return true;
}

/* ---- a whole case ---- */

typedef struct case_reader {
    gcp_out *out;
    kim_text scope;
    const kim_json *root;
    name_set policies; /* ids of roles, deny policies, boundaries */
    kim_error *err;
} case_reader;

/* Members of an object, of equal names the last alone; read goes through them in the order of the last ones. */
typedef int member_reader(case_reader *r, kim_text name, const kim_json *value);

static int each_member(case_reader *r, const char *key, member_reader *read)
{
    const kim_json *object = kim_json_get(r->root, key);
    name_set names;
    if (!is_given(object))
        return 0;
    if (!kim_json_is(object, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s is %s; it must be an object", key, kim_json_type_name(object->type));
    if (make_set(r->out, &names, object->count, r->err) < 0)
        return -1;
    for (size_t i = object->count; i-- > 0;)
        if (take(&names, object->members[i].name) && read(r, object->members[i].name, object->members[i].value) < 0)
            return -1;
    return 0;
}

/* `wanted`, or, where a policy of the case has that id already, where the document stands. */
static kim_text free_id(case_reader *r, kim_text wanted, kim_text stands)
{
    if (wanted.size && take(&r->policies, wanted))
        return wanted;
    while (stands.bytes && !take(&r->policies, stands))
        stands = kim_text_format(r->out->arena, "%.*s'", KIM_PRINT(stands));
    return stands;
}

static int read_role(case_reader *r, kim_text name, const kim_json *value)
{
    if (name.size == 0)
        return kim_fail(r->err, KIM_ERR_INPUT, "roles: a role without a name");
    take(&r->policies, name);
    if (!is_given(value))
        return kim_fail(r->err, KIM_ERR_INPUT, "roles: %s is null; it must be a list of permissions, or a role", gcp_shown(r->out->arena, name).bytes);
    return gcp_put_role(r->out, r->scope, name, value, place(r->out, "roles.%s", gcp_shown(r->out->arena, name).bytes), r->err);
}

static int read_group(case_reader *r, kim_text name, const kim_json *value)
{
    return gcp_put_members(r->out, r->scope, name, value, place(r->out, "groups.%s", gcp_shown(r->out->arena, name).bytes), r->err);
}

/* ---- resources ---- */

static int read_tags(case_reader *r, const kim_json *tags, const char *what, kim_pairs *pairs)
{
    *pairs = (kim_pairs){NULL, 0};
    if (!is_given(tags))
        return 0;
    if (!kim_json_is(tags, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s.tags is %s; it must be an object", what, kim_json_type_name(tags->type));
    kim_pair *items = KIM_NEW_ARRAY(r->out->arena, kim_pair, tags->count + 1);
    name_set names;
    if (items == NULL || make_set(r->out, &names, tags->count, r->err) < 0)
        return kim_fail(r->err, KIM_ERR_LIMIT, "%s.tags: it takes more memory than a case may", what);
    for (size_t i = tags->count; i-- > 0;) {
        const kim_json *value = tags->members[i].value;
        if (!kim_json_is(value, KIM_JSON_STRING))
            return kim_fail(r->err, KIM_ERR_INPUT, "%s.tags.%s is %s; it must be a string", what,
                            gcp_shown(r->out->arena, tags->members[i].name).bytes, kim_json_type_name(value->type));
        if (take(&names, tags->members[i].name))
            items[pairs->count++] = (kim_pair){tags->members[i].name, value->text};
    }
    pairs->items = items;
    return 0;
}

static int read_denies(case_reader *r, kim_text resource, const kim_json *list, const char *what)
{
    if (!is_given(list))
        return 0;
    if (!kim_json_is(list, KIM_JSON_ARRAY))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s.deny is %s; it must be a list of deny policies", what, kim_json_type_name(list->type));
    for (size_t i = 0; i < list->count; i++) {
        kim_text stands = kim_text_format(r->out->arena, "%.*s/deny[%zu]", KIM_PRINT(resource), i);
        kim_text id = free_id(r, kim_json_text_of(&list->items[i], "name"), stands);
        if (gcp_put_deny(r->out, r->scope, resource, id, &list->items[i], place(r->out, "%s.deny[%zu]", what, i), r->err) < 0)
            return -1;
    }
    return 0;
}

static int read_resource(case_reader *r, kim_text name, const kim_json *value)
{
    static const kim_json empty = {.type = KIM_JSON_OBJECT};
    const char *what = place(r->out, "resources.%s", gcp_shown(r->out->arena, name).bytes);
    const kim_json *from = is_given(value) ? value : &empty, *parent = kim_json_get(from, "parent");
    kim_pairs tags;
    if (check_keys(r->out, from, what, resource_keys, r->err) < 0 || read_tags(r, kim_json_get(from, "tags"), what, &tags) < 0)
        return -1;
    if (is_given(parent) && !kim_json_is(parent, KIM_JSON_STRING))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s.parent is %s; it must be a resource's name", what, kim_json_type_name(parent->type));
    kim_record record = {.type = KIM_RESOURCE, .scope = r->scope,
                         .resource = {.id = name, .parent = is_given(parent) && parent->text.size ? parent->text : KIM_NO_TEXT, .tags = tags}};
    if (gcp_put(r->out, &record, r->err) < 0 ||
        gcp_put_allow(r->out, r->scope, name, kim_json_get(from, "policy"), place(r->out, "%s.policy", what), r->err) < 0)
        return -1;
    return read_denies(r, name, kim_json_get(from, "deny"), what);
}

/* ---- boundaries ---- */

static int read_boundary(case_reader *r, const kim_json *entry, size_t index)
{
    const char *what = place(r->out, "principal_access_boundaries[%zu]", index);
    if (check_keys(r->out, entry, what, boundary_keys, r->err) < 0)
        return -1;
    const kim_json *policy = kim_json_get(entry, "policy"), *principals = kim_json_get(entry, "principals");
    const kim_json *list = kim_json_get(entry, "blocked_permissions"), *binding = kim_json_get(entry, "binding");
    const kim_json *condition = kim_json_get(entry, "condition");
    kim_text target = kim_json_text_of(kim_json_get(binding, "target"), "principalSet");
    kim_texts blocked = kim_json_texts(list, r->out->arena);
    if (is_given(list) && (!kim_json_is(list, KIM_JSON_ARRAY) || blocked.count != list->count))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s.blocked_permissions: it must be a list of strings", what);
    if (is_given(principals) && !kim_json_is(principals, KIM_JSON_ARRAY))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s.principals: it must be a list of strings", what);
    if (is_given(binding) && !kim_json_is(binding, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "%s.binding: it must be a policy binding", what);
    if (!is_given(condition))
        condition = kim_json_get(binding, "condition");
    kim_text id = free_id(r, kim_json_text_of(policy, "name"), kim_text_of(what));
    gcp_blocked blocks = {is_given(list) ? &blocked : NULL, NULL};
    if (gcp_put_boundary(r->out, r->scope, id, policy, blocks, place(r->out, "%s.policy", what), r->err) < 0)
        return -1;
    for (size_t i = 0; is_given(principals) && i < principals->count; i++) {
        if (!kim_json_is(&principals->items[i], KIM_JSON_STRING))
            return kim_fail(r->err, KIM_ERR_INPUT, "%s.principals: it must be a list of strings", what);
        if (gcp_put_bound(r->out, r->scope, id, principals->items[i].text, KIM_NO_TEXT, condition, what, r->err) < 0)
            return -1;
    }
    if (!is_given(principals) && target.size)
        return gcp_put_bound(r->out, r->scope, id, target, KIM_NO_TEXT, condition, what, r->err);
    return 0;
}

static int read_boundaries(case_reader *r)
{
    const kim_json *list = kim_json_get(r->root, "principal_access_boundaries");
    if (!is_given(list))
        return 0;
    if (!kim_json_is(list, KIM_JSON_ARRAY))
        return kim_fail(r->err, KIM_ERR_INPUT, "principal_access_boundaries is %s; it must be a list", kim_json_type_name(list->type));
    for (size_t i = 0; i < list->count; i++)
        if (read_boundary(r, &list->items[i], i) < 0)
            return -1;
    return 0;
}

/* ---- documents without a request ---- */

static int read_compare(case_reader *r, const kim_json *compare)
{
    kim_text type = kim_json_text_of(compare, "type");
    static const char *const sides[] = {"reference", "candidate"};
    if (check_keys(r->out, compare, "compare", compare_keys, r->err) < 0)
        return -1;
    if (!kim_text_is(type, "role") && !kim_text_is(type, "deny"))
        return kim_fail(r->err, KIM_ERR_INPUT, "compare.type '%s' is not known; write role or deny", gcp_shown(r->out->arena, type).bytes);
    for (size_t i = 0; i < 2; i++) {
        const kim_json *document = kim_json_get(compare, sides[i]);
        const char *what = place(r->out, "compare.%s", sides[i]);
        if (!is_given(document))
            return kim_fail(r->err, KIM_ERR_INPUT, "%s is missing", what);
        if ((kim_text_is(type, "role") ? gcp_put_role(r->out, r->scope, kim_text_of(sides[i]), document, what, r->err)
                                       : gcp_put_deny(r->out, r->scope, KIM_TEXT(GCP_MANAGER "projects/p"), kim_text_of(sides[i]), document, what, r->err)) < 0)
            return -1;
    }
    return 0;
}

/* A role, or an allow policy, whose roles stand beside it. */
static int read_expand(case_reader *r, const kim_json *document)
{
    if (kim_json_get(document, "bindings"))
        return gcp_put_allow(r->out, r->scope, KIM_TEXT(GCP_MANAGER "projects/p"), document, "expand", r->err);
    return gcp_put_role(r->out, r->scope, KIM_TEXT("document"), document, "expand", r->err);
}

/* ---- one line ---- */

/* As many ids as its documents may need. */
static int make_room_for_ids(case_reader *r)
{
    const kim_json *roles = kim_json_get(r->root, "roles"), *resources = kim_json_get(r->root, "resources");
    const kim_json *boundaries = kim_json_get(r->root, "principal_access_boundaries");
    size_t most = 8 + (kim_json_is(roles, KIM_JSON_OBJECT) ? roles->count : 0) + (kim_json_is(boundaries, KIM_JSON_ARRAY) ? boundaries->count : 0);
    for (size_t i = 0; kim_json_is(resources, KIM_JSON_OBJECT) && i < resources->count; i++) {
        const kim_json *list = kim_json_get(resources->members[i].value, "deny");
        most += kim_json_is(list, KIM_JSON_ARRAY) ? list->count : 0;
    }
    return make_set(r->out, &r->policies, most, r->err);
}

static int put_documents(case_reader *r)
{
    return each_member(r, "roles", read_role) < 0 || each_member(r, "groups", read_group) < 0 || each_member(r, "resources", read_resource) < 0
               ? -1 : read_boundaries(r);
}

static int put_case(case_reader *r)
{
    kim_record scope = {.type = KIM_SCOPE, .scope = SCOPE, .as_scope = {.id = SCOPE, .kind = KIM_TEXT("case")}};
    const kim_json *compare = kim_json_get(r->root, "compare"), *expand = kim_json_get(r->root, "expand");
    if (make_room_for_ids(r) < 0 || gcp_put(r->out, &scope, r->err) < 0 || gcp_put_profile(r->out, SCOPE, r->err) < 0)
        return -1;
    if (compare)
        return read_compare(r, compare);
    if (expand)
        return each_member(r, "roles", read_role) < 0 ? -1 : read_expand(r, expand);
    return put_documents(r);
}

int gcp_put_collected(gcp_out *out, kim_text scope, const kim_json *root, kim_error *err)
{
    case_reader r = {.out = out, .scope = scope, .root = root, .err = err};
    return make_room_for_ids(&r) < 0 ? -1 : put_documents(&r);
}

static int put_twice(case_reader *r)
{
    const kim_json *request = kim_json_get(r->root, "request");
    if (check_keys(r->out, r->root, "", case_keys, r->err) < 0)
        return -1;
    if (kim_json_get(r->root, "compare") == NULL && kim_json_get(r->root, "expand") == NULL && check_keys(r->out, request, "request", request_keys, r->err) < 0)
        return -1;
    r->out->dry = true;
    int result = put_case(r);
    r->out->dry = false;
    if (result == 0 && kim_arena_is_full(r->out->arena))
        result = kim_fail(r->err, KIM_ERR_LIMIT, "it takes more memory than a case may");
    return result == 0 ? put_case(r) : result;
}

int gcp_case_normalise(gcp_out *out, const char *name, const char *bytes, size_t size, kim_error *err)
{
    kim_arena_reset(out->arena);
    const kim_json *root = kim_json_parse(bytes, size, name && *name ? name : "case", out->arena, err);
    case_reader r = {.out = out, .scope = SCOPE, .root = root, .err = err};
    if (root == NULL)
        return -1;
    if (put_twice(&r) < 0 || kim_arena_is_full(out->arena)) {
        out->emitter.pending.size = 0;
        if (kim_arena_is_full(out->arena))
            return kim_fail(err, KIM_ERR_LIMIT, "case: it takes more memory than a case may");
        return kim_fail_in(err, "case");
    }
    return kim_emit_flush(&out->emitter, NULL, 0, err);
}
