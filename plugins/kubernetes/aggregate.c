/* SPDX-License-Identifier: Apache-2.0
 *
 * aggregate.c - what the aggregation controller comes to, without its rounds.
 *
 * It copies rules from selected role to selecting role until nothing changes. So a role ends with the listed
 * rules of every role that can be reached over selections, through aggregated roles: one walk says which.
 */
#include <stdlib.h>

#include "plugins/kubernetes/aggregate.h"

/* ---- selectors ---- */

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9], at most 63 bytes. */
static bool is_name(kim_text text)
{
    if (text.size == 0 || text.size > 63 || !is_alphanumeric(text.bytes[0]) || !is_alphanumeric(text.bytes[text.size - 1]))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (!is_alphanumeric(text.bytes[i]) && memchr("-_.", text.bytes[i], 3) == NULL)
            return false;
    return true;
}

/* A DNS subdomain (RFC 1123): labels of a-z, 0-9 and inner dashes. */
static bool is_subdomain(kim_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.bytes[i], before = i ? text.bytes[i - 1] : '.', after = i + 1 < text.size ? text.bytes[i + 1] : '.';
        bool inner = before != '.' && after != '.';
        if (c == '-' ? before == '.' || after == '.' : c == '.' ? !inner : !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
            return false;
    }
    return text.size > 0 && text.size <= 253 && text.bytes[0] != '.' && text.bytes[text.size - 1] != '.';
}

static bool is_key(kim_text key)
{
    const char *slash = key.size ? memchr(key.bytes, '/', key.size) : NULL;
    if (slash == NULL)
        return is_name(key);
    size_t at = (size_t)(slash - key.bytes);
    return is_subdomain((kim_text){key.bytes, at}) && is_name((kim_text){slash + 1, key.size - at - 1});
}

static bool is_value(kim_text value)
{
    return value.size == 0 || is_name(value);
}

static bool is_in(kim_texts values, kim_text one)
{
    for (size_t i = 0; i < values.count; i++)
        if (kim_text_equal(values.items[i], one))
            return true;
    return false;
}

static kim_text label(kim_pairs labels, kim_text key)
{
    for (size_t i = labels.count; i-- > 0;)
        if (kim_text_equal(labels.items[i].name, key))
            return labels.items[i].value;
    return KIM_NO_TEXT;
}

typedef struct operation {
    const char *name;
    bool takes_values, wants_present, negates;
} operation;

static const operation *operation_of(kim_text name)
{
    static const operation operations[] = {
        {"In", true, true, false}, {"NotIn", true, false, true}, {"Exists", false, true, false}, {"DoesNotExist", false, false, true}};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (kim_text_is(name, operations[i].name))
            return &operations[i];
    return NULL;
}

static bool expression_is_valid(const k8s_expression *e)
{
    const operation *op = operation_of(e->op);
    if (op == NULL || op->takes_values != (e->values.count > 0) || !is_key(e->key))
        return false;
    for (size_t i = 0; i < e->values.count; i++)
        if (!is_value(e->values.items[i]))
            return false;
    return true;
}

bool k8s_selector_is_valid(const k8s_selector *selector)
{
    for (size_t i = 0; i < selector->labels.count; i++)
        if (!is_key(selector->labels.items[i].name) || !is_value(selector->labels.items[i].value))
            return false;
    for (size_t i = 0; i < selector->count; i++)
        if (!expression_is_valid(&selector->expressions[i]))
            return false;
    return true;
}

/* An absent key satisfies NotIn and DoesNotExist. */
static bool expression_holds(const k8s_expression *e, kim_pairs labels)
{
    const operation *op = operation_of(e->op);
    kim_text value = label(labels, e->key);
    if (op == NULL || kim_text_is_absent(value))
        return op && !op->wants_present;
    return op->takes_values ? is_in(e->values, value) != op->negates : !op->negates;
}

bool k8s_selector_matches(const k8s_selector *selector, kim_pairs labels)
{
    if (!k8s_selector_is_valid(selector))
        return false;
    for (size_t i = 0; i < selector->labels.count; i++) {
        kim_text key = selector->labels.items[i].name, value = label(labels, key);
        if (kim_text_is_absent(value) || !kim_text_equal(value, label(selector->labels, key)))
            return false;
    }
    for (size_t i = 0; i < selector->count; i++)
        if (!expression_holds(&selector->expressions[i], labels))
            return false;
    return true;
}

/* ---- aggregation ---- */

typedef struct aggregation {
    k8s_object *roles;      /* [count]: the ClusterRoles */
    size_t count;
    bool *is_computed;      /* [count] */
    const k8s_rule **rules; /* [count]: of a computed role, its rules to be */
    size_t *rule_counts;
    size_t *reached;        /* [count]: the walk's queue */
    size_t *round;          /* [count]: the walk that came by last */
    kim_arena *arena;
} aggregation;

static bool selects(const k8s_object *role, const k8s_object *other)
{
    if (kim_text_equal(role->name, other->name))
        return false;
    for (size_t i = 0; i < role->selector_count; i++)
        if (k8s_selector_matches(&role->selectors[i], other->labels))
            return true;
    return false;
}

static bool is_computed(const k8s_object *role, bool live_stay)
{
    bool valid = role->is_aggregated && !(live_stay && (role->uid.size || role->version.size));
    for (size_t i = 0; i < role->selector_count && valid; i++)
        valid = k8s_selector_is_valid(&role->selectors[i]);
    return valid;
}

static _Thread_local const k8s_object *sorting; /* qsort hands nothing through */

static int by_name(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    int order = kim_text_compare(sorting[a].name, sorting[b].name);
    return order ? order : a < b ? -1 : a > b;
}

static size_t walk(aggregation *a, size_t role)
{
    size_t count = 0;
    a->round[role] = role + 1;
    a->reached[count++] = role;
    for (size_t at = 0; at < count; at++)
        for (size_t i = 0; a->is_computed[a->reached[at]] && i < a->count; i++)
            if (a->round[i] != role + 1 && selects(&a->roles[a->reached[at]], &a->roles[i])) {
                a->round[i] = role + 1;
                a->reached[count++] = i;
            }
    return count;
}

/* Sorted by the names of the roles that list them. Two roles may list the same rule: each is named then. */
static int compute(aggregation *a, size_t role, kim_error *err)
{
    size_t reached = walk(a, role), total = 0;
    sorting = a->roles;
    qsort(a->reached, reached, sizeof *a->reached, by_name);
    for (size_t i = 0; i < reached; i++)
        total += a->is_computed[a->reached[i]] ? 0 : a->roles[a->reached[i]].rule_count;
    k8s_rule *rules = KIM_NEW_ARRAY(a->arena, k8s_rule, total + 1);
    if (rules == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory left for aggregated ClusterRoles");
    a->rules[role] = rules;
    a->rule_counts[role] = total;
    for (size_t i = 0; i < reached; i++) {
        const k8s_object *from = &a->roles[a->reached[i]];
        for (size_t k = 0; !a->is_computed[a->reached[i]] && k < from->rule_count; k++) {
            *rules = from->rules[k];
            rules++->from = from->name;
        }
    }
    return 0;
}

int k8s_aggregate(k8s_set *set, bool live_stay, kim_error *err)
{
    aggregation a = {.roles = set->of[K8S_CLUSTER_ROLE].items, .count = set->of[K8S_CLUSTER_ROLE].count, .arena = set->arena};
    size_t computed = 0;
    for (size_t i = 0; i < a.count; i++)
        computed += is_computed(&a.roles[i], live_stay);
    if (computed == 0)
        return 0;
    if (computed > K8S_AGGREGATED_MAX)
        return kim_fail(err, KIM_ERR_LIMIT, "%zu ClusterRoles are aggregated; at most %d are computed", computed, K8S_AGGREGATED_MAX);
    a.is_computed = KIM_NEW_ARRAY(a.arena, bool, a.count);
    a.rules = (const k8s_rule **)kim_arena_array(a.arena, a.count, sizeof *a.rules);
    a.rule_counts = KIM_NEW_ARRAY(a.arena, size_t, a.count);
    a.reached = KIM_NEW_ARRAY(a.arena, size_t, a.count);
    a.round = KIM_NEW_ARRAY(a.arena, size_t, a.count);
    if (kim_arena_is_full(a.arena))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory left for aggregated ClusterRoles");
    for (size_t i = 0; i < a.count; i++)
        a.is_computed[i] = is_computed(&a.roles[i], live_stay);
    for (size_t i = 0; i < a.count; i++)
        if (a.is_computed[i] && compute(&a, i, err) < 0)
            return -1;
    for (size_t i = 0; i < a.count; i++)
        if (a.is_computed[i]) {
            a.roles[i].rules = a.rules[i];
            a.roles[i].rule_count = a.rule_counts[i];
        }
    return 0;
}
