/* SPDX-License-Identifier: Apache-2.0
 *
 * case.c - a case is read whole, then emitted: it goes out whole or not at all.
 */
#include <stdio.h>
#include <stdlib.h>

#include <kim/limits.h>

#include "plugins/kubernetes/aggregate.h"
#include "plugins/kubernetes/case.h"
#include "plugins/kubernetes/records.h"

typedef struct reading {
    kim_arena *arena;
    const kim_json *root;
    k8s_set set;
    kim_error *err;
} reading;

/* ---- keys ---- */

static int check_keys(reading *r, const kim_json *object, const char *what, const char *const *known)
{
    if (!kim_json_is(object, KIM_JSON_OBJECT))
        return kim_fail(r->err, KIM_ERR_INPUT, "case: %s is %s; it must be an object", what, kim_json_type_name(object->type));
    for (size_t i = 0; i < object->count; i++) {
        kim_text name = object->members[i].name, all = kim_text_of(known[0]);
        size_t k = 0;
        while (known[k] && !kim_text_is(name, known[k]))
            k++;
        if (known[k])
            continue;
        for (k = 1; known[k]; k++)
            all = kim_text_format(r->arena, "%.*s, %s", KIM_PRINT(all), known[k]);
        return kim_fail(r->err, KIM_ERR_INPUT, "case: unknown key '%.*s' in %s; known are %.*s", (int)(name.size < 80 ? name.size : 80),
                        name.bytes, what, KIM_PRINT(all));
    }
    return 0;
}

static bool is_null(const kim_json *value)
{
    return value == NULL || value->type == KIM_JSON_NULL;
}

/* ---- objects ---- */

static int compare_roles(const void *left, const void *right)
{
    const k8s_object *a = left, *b = right;
    int order = kim_text_compare(a->namespace, b->namespace);
    if (order == 0)
        order = kim_text_compare(a->name, b->name);
    return order ? order : a->place < b->place ? -1 : a->place > b->place;
}

/* The first of each name stays. */
static void keep_first(k8s_set *set, k8s_kind kind)
{
    k8s_object *items = set->of[kind].items;
    size_t count = set->of[kind].count, kept = 0;
    if (count)
        qsort(items, count, sizeof *items, compare_roles);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || !kim_text_equal(items[kept - 1].name, items[i].name) || !kim_text_equal(items[kept - 1].namespace, items[i].namespace))
            items[kept++] = items[i];
    set->of[kind].count = kept;
}

static int read_objects(reading *r)
{
    static const char *const known[] = {"roles", "role_bindings", "cluster_roles", "cluster_role_bindings", NULL};
    const kim_json *objects = kim_json_get(r->root, "objects");
    if (is_null(objects))
        return 0;
    if (check_keys(r, objects, "objects", known) < 0)
        return -1;
    for (k8s_kind kind = 0; kind < K8S_KINDS; kind++) {
        const char *name = k8s_kind_member(kind);
        const kim_json *list = name ? kim_json_get(objects, name) : NULL;
        if (is_null(list))
            continue;
        if (!kim_json_is(list, KIM_JSON_ARRAY))
            return kim_fail(r->err, KIM_ERR_INPUT, "case: objects.%s is %s; it must be a list", name, kim_json_type_name(list->type));
        for (size_t i = 0; i < list->count; i++) {
            char where[64];
            snprintf(where, sizeof where, "case: objects.%s[%zu]", name, i);
            if (k8s_set_add(&r->set, kind, &list->items[i], where, r->err) < 0)
                return -1;
        }
    }
    keep_first(&r->set, K8S_ROLE);
    keep_first(&r->set, K8S_CLUSTER_ROLE);
    const kim_json *aggregate = kim_json_get(r->root, "aggregate");
    if (!is_null(aggregate) && !kim_json_is(aggregate, KIM_JSON_BOOL))
        return kim_fail(r->err, KIM_ERR_INPUT, "case: aggregate is %s; it must be true or false", kim_json_type_name(aggregate->type));
    return kim_json_bool(aggregate, false) ? k8s_aggregate(&r->set, false, r->err) : 0;
}

static int put_objects(reading *r, k8s_out *out)
{
    for (k8s_kind kind = K8S_ROLE; kind <= K8S_CLUSTER_ROLE_BINDING; kind++)
        for (size_t i = 0; i < r->set.of[kind].count; i++) {
            const k8s_object *object = &r->set.of[kind].items[i];
            bool is_role = kind == K8S_ROLE || kind == K8S_CLUSTER_ROLE;
            if ((is_role ? k8s_put_role : k8s_put_binding)(out, object, r->err) < 0)
                return -1;
        }
    return 0;
}

/* ---- the other forms ---- */

/* Rules that stand alone: a member of the case, or of one of its members. */
typedef struct alone {
    const char *where, *policy;
    const kim_json *list;
    const k8s_rule *rules;
    size_t count;
} alone;

static int read_alone(reading *r, alone *a)
{
    a->rules = k8s_rules_read(a->list, a->where, r->arena, &a->count, r->err);
    return a->rules ? 0 : -1;
}

static int read_compare(reading *r, const kim_json *compare, alone *found, size_t *count)
{
    static const char *const known[] = {"type", "reference", "candidate", NULL};
    if (check_keys(r, compare, "compare", known) < 0)
        return -1;
    if (!kim_text_is(kim_json_text_of(compare, "type"), "rules"))
        return kim_fail(r->err, KIM_ERR_INPUT, "case: compare.type: for Kubernetes write rules");
    found[0] = (alone){"case: compare.reference", "reference", kim_json_get(compare, "reference")};
    found[1] = (alone){"case: compare.candidate", "candidate", kim_json_get(compare, "candidate")};
    *count = 2;
    for (size_t i = 0; i < 2; i++)
        if (!kim_json_is(found[i].list, KIM_JSON_ARRAY) && !(found[i].list && found[i].list->type == KIM_JSON_NULL))
            return kim_fail(r->err, KIM_ERR_INPUT, "%s: write a list of rules", found[i].where);
    return 0;
}

/* {"user","groups","verb","role":ROLE} or {...,"binding":BINDING}: what a role would give, or one that is bound. */
static int read_may_grant(reading *r, const kim_json *may_grant, alone *found, size_t *count)
{
    static const char *const known[] = {"user", "groups", "verb", "role", "cluster_role", "role_binding", "cluster_role_binding", NULL};
    static const struct { const char *name; k8s_kind kind; } forms[] = {
        {"role", K8S_ROLE}, {"cluster_role", K8S_CLUSTER_ROLE}, {"role_binding", K8S_ROLE_BINDING}, {"cluster_role_binding", K8S_CLUSTER_ROLE_BINDING}};
    k8s_set one = {.arena = r->arena};
    size_t given = 0;
    if (check_keys(r, may_grant, "may_grant", known) < 0)
        return -1;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const kim_json *object = kim_json_get(may_grant, forms[i].name);
        char where[64];
        snprintf(where, sizeof where, "case: may_grant.%s", forms[i].name);
        if (object == NULL)
            continue;
        if (k8s_set_add(&one, forms[i].kind, object, where, r->err) < 0)
            return -1;
        given++;
        found[0] = (alone){where, "granted", kim_json_get(object, "rules")};
        *count = forms[i].kind == K8S_ROLE || forms[i].kind == K8S_CLUSTER_ROLE;
        if (*count && read_alone(r, &found[0]) < 0)
            return -1;
        found[0].where = "case: may_grant";
    }
    return given == 1 ? 0 : kim_fail(r->err, KIM_ERR_INPUT, "case: may_grant: write one of role, cluster_role, role_binding, cluster_role_binding");
}

static int read_form(reading *r, alone *found, size_t *count)
{
    static const char *const known[] = {"id", "provider", "mode", "request", "objects", "aggregate", "compare", "expand", "may_grant",
                                        "known_absent", "known_present", NULL};
    const kim_json *compare = kim_json_get(r->root, "compare"), *expand = kim_json_get(r->root, "expand");
    const kim_json *may_grant = kim_json_get(r->root, "may_grant");
    if (check_keys(r, r->root, "the case", known) < 0)
        return -1;
    if (compare && read_compare(r, compare, found, count) < 0)
        return -1;
    if (may_grant)
        return read_may_grant(r, may_grant, found, count);
    if (expand) {
        found[0] = (alone){"case: expand", "expand", expand};
        *count = 1;
    }
    for (size_t i = 0; i < *count; i++)
        if (read_alone(r, &found[i]) < 0)
            return -1;
    return 0;
}

static int put_alone(reading *r, k8s_out *out, const alone *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        kim_arena_reset(out->scratch);
        if (k8s_put_rules(out, kim_text_of(found[i].policy), found[i].rules, found[i].count, r->err) < 0)
            return -1;
    }
    return 0;
}

int k8s_case_normalise(kim_emitter *emitter, kim_arena *arena, kim_arena *scratch, const char *name, const char *bytes, size_t size,
                       kim_error *err)
{
    reading r = {.arena = arena, .set = {.arena = arena}, .err = err};
    k8s_out out = {.emitter = emitter, .arena = arena, .scratch = scratch, .cluster = KIM_TEXT("case")};
    alone found[2] = {{NULL}};
    size_t count = 0;
    kim_arena_reset(arena);
    kim_arena_reset(scratch);
    emitter->pending.size = 0;
    r.root = kim_json_parse(bytes, size, name && *name ? name : "case", arena, err);
    if (r.root == NULL || read_form(&r, found, &count) < 0 || read_objects(&r) < 0)
        return -1;
    if (kim_arena_is_full(arena))
        return kim_fail(err, KIM_ERR_LIMIT, "case: it takes more memory than a case may");
    if (k8s_put_profile(&out, err) < 0 || put_objects(&r, &out) < 0 || put_alone(&r, &out, found, count) < 0) {
        emitter->pending.size = 0;
        return kim_fail_in(err, "case");
    }
    return kim_emit_flush(emitter, NULL, 0, err);
}
