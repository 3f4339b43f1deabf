/* SPDX-License-Identifier: Apache-2.0
 *
 * objects.c - each object is read along a table: member, reader, field.
 */
#include <stddef.h>
#include <stdio.h>

#include <kim/limits.h>
#include <kim/time.h>

#include "plugins/kubernetes/objects.h"

typedef struct reader {
    kim_arena *arena;
    const char *where;
    char path[128]; /* of the object at hand, below where: "rules[3]"; empty: where itself */
    kim_error *err;
} reader;

typedef struct member {
    const char *name;
    int (*read)(reader *r, const char *name, const kim_json *value, void *field);
    size_t offset;
} member;

static const struct { const char *name, *member; } kinds[K8S_KINDS] = {
    [K8S_ROLE] = {"Role", "roles"},
    [K8S_CLUSTER_ROLE] = {"ClusterRole", "cluster_roles"},
    [K8S_ROLE_BINDING] = {"RoleBinding", "role_bindings"},
    [K8S_CLUSTER_ROLE_BINDING] = {"ClusterRoleBinding", "cluster_role_bindings"},
    [K8S_SERVICE_ACCOUNT] = {"ServiceAccount", NULL},
    [K8S_NAMESPACE] = {"Namespace", NULL},
};

const char *k8s_kind_name(k8s_kind kind)
{
    return kinds[kind].name;
}

const char *k8s_kind_member(k8s_kind kind)
{
    return kinds[kind].member;
}

k8s_kind k8s_kind_of(kim_text name)
{
    k8s_kind kind = 0;
    while (kind < K8S_KINDS && !kim_text_is(name, kinds[kind].name))
        kind++;
    return kind;
}

/* ---- values ---- */

static int wrong(reader *r, const char *name, const kim_json *value, const char *wanted)
{
    return kim_fail(r->err, KIM_ERR_INPUT, "%s: %s%s%s is %s; it must be %s", r->where, r->path, *r->path && *name ? "." : "", name,
                    kim_json_type_name(value->type), wanted);
}

static int no_memory(reader *r)
{
    return kim_fail(r->err, KIM_ERR_NOMEM, "%s: no memory left for what it holds", r->where);
}

static bool is_null(const kim_json *value)
{
    return value == NULL || value->type == KIM_JSON_NULL;
}

static int read_text(reader *r, const char *name, const kim_json *value, void *field)
{
    if (!kim_json_is(value, KIM_JSON_STRING))
        return wrong(r, name, value, "a string");
    *(kim_text *)field = value->text;
    return 0;
}

static int read_time(reader *r, const char *name, const kim_json *value, void *field)
{
    if (!kim_json_is(value, KIM_JSON_STRING))
        return wrong(r, name, value, "a time");
    *(int64_t *)field = kim_time_of_text(value->text);
    return 0;
}

/* null in a list of strings is the empty string, as the server decodes it. */
static int read_texts(reader *r, const char *name, const kim_json *value, void *field)
{
    if (!kim_json_is(value, KIM_JSON_ARRAY))
        return wrong(r, name, value, "a list of strings");
    kim_text *items = KIM_NEW_ARRAY(r->arena, kim_text, value->count + 1);
    if (items == NULL)
        return no_memory(r);
    for (size_t i = 0; i < value->count; i++) {
        items[i] = is_null(&value->items[i]) ? KIM_TEXT("") : value->items[i].text;
        if (!is_null(&value->items[i]) && value->items[i].type != KIM_JSON_STRING)
            return wrong(r, name, value, "a list of strings");
    }
    *(kim_texts *)field = (kim_texts){items, value->count};
    return 0;
}

static int read_pairs(reader *r, const char *name, const kim_json *value, void *field)
{
    if (!kim_json_is(value, KIM_JSON_OBJECT))
        return wrong(r, name, value, "an object of strings");
    kim_pair *items = KIM_NEW_ARRAY(r->arena, kim_pair, value->count + 1);
    if (items == NULL)
        return no_memory(r);
    for (size_t i = 0; i < value->count; i++) {
        const kim_json *one = value->members[i].value;
        items[i] = (kim_pair){value->members[i].name, is_null(one) ? KIM_TEXT("") : one->text};
        if (!is_null(one) && one->type != KIM_JSON_STRING)
            return wrong(r, name, value, "an object of strings");
    }
    *(kim_pairs *)field = (kim_pairs){items, value->count};
    return 0;
}

static int read_object(reader *r, const kim_json *json, const member *members, void *into)
{
    if (is_null(json))
        return 0;
    if (!kim_json_is(json, KIM_JSON_OBJECT))
        return wrong(r, "", json, "an object");
    for (const member *m = members; m->name; m++) {
        const kim_json *value = kim_json_get(json, m->name);
        if (!is_null(value) && m->read(r, m->name, value, (char *)into + m->offset) < 0)
            return -1;
    }
    return 0;
}

/* A list of objects, each read along `members` into an element of `size` bytes that begins as `blank`. */
static void *read_list(reader *r, const char *name, const kim_json *value, const member *members, size_t size, const void *blank, size_t *count)
{
    if (!kim_json_is(value, KIM_JSON_ARRAY)) {
        wrong(r, name, value, "a list");
        return NULL;
    }
    char *items = kim_arena_array(r->arena, value->count + 1, size);
    if (items == NULL) {
        no_memory(r);
        return NULL;
    }
    size_t outer = strlen(r->path);
    for (size_t i = 0; i < value->count; i++) {
        memcpy(items + i * size, blank, size);
        snprintf(r->path + outer, sizeof r->path - outer, "%s%s[%zu]", outer ? "." : "", name, i);
        if (read_object(r, &value->items[i], members, items + i * size) < 0)
            return NULL;
        r->path[outer] = '\0';
    }
    *count = value->count;
    return items;
}

/* ---- objects ---- */

#define EMPTY {"", 0}
static const kim_text no_text;
#define NO_TEXTS {&no_text, 0}

static const member rule_members[] = {
    {"verbs", read_texts, offsetof(k8s_rule, verbs)},
    {"apiGroups", read_texts, offsetof(k8s_rule, api_groups)},
    {"resources", read_texts, offsetof(k8s_rule, resources)},
    {"resourceNames", read_texts, offsetof(k8s_rule, resource_names)},
    {"nonResourceURLs", read_texts, offsetof(k8s_rule, urls)},
    {NULL},
};

static const member subject_members[] = {
    {"kind", read_text, offsetof(k8s_subject, kind)},
    {"name", read_text, offsetof(k8s_subject, name)},
    {"namespace", read_text, offsetof(k8s_subject, namespace)},
    {NULL},
};

static const member expression_members[] = {
    {"key", read_text, offsetof(k8s_expression, key)},
    {"operator", read_text, offsetof(k8s_expression, op)},
    {"values", read_texts, offsetof(k8s_expression, values)},
    {NULL},
};

static int read_rules(reader *r, const char *name, const kim_json *value, void *field)
{
    static const k8s_rule blank = {NO_TEXTS, NO_TEXTS, NO_TEXTS, NO_TEXTS, NO_TEXTS};
    k8s_object *object = field;
    k8s_rule *rules = read_list(r, name, value, rule_members, sizeof *rules, &blank, &object->rule_count);
    for (size_t i = 0; rules && i < object->rule_count; i++)
        rules[i].index = i;
    object->rules = rules;
    return rules ? 0 : -1;
}

static int read_subjects(reader *r, const char *name, const kim_json *value, void *field)
{
    static const k8s_subject blank = {EMPTY, EMPTY, EMPTY};
    k8s_object *object = field;
    object->subjects = read_list(r, name, value, subject_members, sizeof blank, &blank, &object->subject_count);
    return object->subjects ? 0 : -1;
}

static int read_expressions(reader *r, const char *name, const kim_json *value, void *field)
{
    static const k8s_expression blank = {EMPTY, EMPTY, NO_TEXTS};
    k8s_selector *selector = field;
    selector->expressions = read_list(r, name, value, expression_members, sizeof blank, &blank, &selector->count);
    return selector->expressions ? 0 : -1;
}

static const member selector_members[] = {
    {"matchLabels", read_pairs, offsetof(k8s_selector, labels)},
    {"matchExpressions", read_expressions, 0},
    {NULL},
};

static int read_selectors(reader *r, const char *name, const kim_json *value, void *field)
{
    static const k8s_selector blank;
    k8s_object *object = field;
    object->selectors = read_list(r, name, value, selector_members, sizeof blank, &blank, &object->selector_count);
    return object->selectors ? 0 : -1;
}

static int read_aggregation(reader *r, const char *name, const kim_json *value, void *field)
{
    static const member members[] = {{"clusterRoleSelectors", read_selectors, 0}, {NULL}};
    k8s_object *object = field;
    (void)name;
    object->is_aggregated = true;
    return read_object(r, value, members, object);
}

static int read_role_ref(reader *r, const char *name, const kim_json *value, void *field)
{
    static const member members[] = {
        {"kind", read_text, offsetof(k8s_object, ref_kind)},
        {"name", read_text, offsetof(k8s_object, ref_name)},
        {NULL},
    };
    (void)name;
    return read_object(r, value, members, field);
}

static int read_metadata(reader *r, const char *name, const kim_json *value, void *field)
{
    static const member members[] = {
        {"name", read_text, offsetof(k8s_object, name)},
        {"namespace", read_text, offsetof(k8s_object, namespace)},
        {"uid", read_text, offsetof(k8s_object, uid)},
        {"resourceVersion", read_text, offsetof(k8s_object, version)},
        {"creationTimestamp", read_time, offsetof(k8s_object, created_unix_ms)},
        {"labels", read_pairs, offsetof(k8s_object, labels)},
        {"annotations", read_pairs, offsetof(k8s_object, annotations)},
        {NULL},
    };
    (void)name;
    return read_object(r, value, members, field);
}

static const member role_members[] = {
    {"metadata", read_metadata, 0}, {"rules", read_rules, 0}, {"aggregationRule", read_aggregation, 0}, {NULL}};
static const member binding_members[] = {
    {"metadata", read_metadata, 0}, {"roleRef", read_role_ref, 0}, {"subjects", read_subjects, 0}, {NULL}};
static const member plain_members[] = {{"metadata", read_metadata, 0}, {NULL}};

static const member *members_of(k8s_kind kind)
{
    switch (kind) {
    case K8S_ROLE:
    case K8S_CLUSTER_ROLE:
        return role_members;
    case K8S_ROLE_BINDING:
    case K8S_CLUSTER_ROLE_BINDING:
        return binding_members;
    default:
        return plain_members;
    }
}

static k8s_object *room_for_one(k8s_set *set, k8s_kind kind)
{
    if (set->of[kind].count == set->of[kind].room) {
        size_t room = set->of[kind].room ? set->of[kind].room * 2 : 16;
        k8s_object *items = KIM_NEW_ARRAY(set->arena, k8s_object, room);
        if (items == NULL)
            return NULL;
        if (set->of[kind].count)
            memcpy(items, set->of[kind].items, set->of[kind].count * sizeof *items);
        set->of[kind].items = items;
        set->of[kind].room = room;
    }
    return &set->of[kind].items[set->of[kind].count];
}

int k8s_set_add(k8s_set *set, k8s_kind kind, const kim_json *json, const char *where, kim_error *err)
{
    reader r = {.arena = set->arena, .where = where, .err = err};
    k8s_object *object = room_for_one(set, kind);
    if (object == NULL)
        return no_memory(&r);
    *object = (k8s_object){.kind = kind, .place = set->of[kind].count, .name = EMPTY, .namespace = EMPTY, .uid = EMPTY, .version = EMPTY, .ref_kind = EMPTY, .ref_name = EMPTY};
    if (is_null(json))
        return kim_fail(err, KIM_ERR_INPUT, "%s is null; it must be an object", where);
    if (read_object(&r, json, members_of(kind), object) < 0)
        return -1;
    object->is_aggregated = object->is_aggregated && kind == K8S_CLUSTER_ROLE;
    set->of[kind].count++;
    return 0;
}

const k8s_rule *k8s_rules_read(const kim_json *list, const char *where, kim_arena *arena, size_t *count, kim_error *err)
{
    reader r = {.arena = arena, .where = where, .err = err};
    k8s_object object = {.rules = NULL};
    const kim_json none = {.type = KIM_JSON_ARRAY};
    if (read_rules(&r, "", is_null(list) ? &none : list, &object) < 0)
        return NULL;
    *count = object.rule_count;
    return object.rules;
}
