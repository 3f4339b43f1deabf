/* SPDX-License-Identifier: Apache-2.0
 *
 * records.c - a role is a policy, a rule a statement, a binding an attachment for each of its subjects.
 *
 * A rule multiplies API groups, resources and names; a statement lists the products, as patterns that say all
 * three. Where a rule has paths too, or stands for more than one record holds, several statements are made of it,
 * which then carry the rule's place as their name.
 */
#include <stdlib.h>

#include <kim/limits.h>

#include "plugins/kubernetes/names.h"
#include "plugins/kubernetes/records.h"

enum { STATEMENT_MAX_BYTES = 160 * 1024 }; /* of its resources; the rest of a record is for verbs */

int k8s_put(k8s_out *out, const kim_record *record, kim_error *err)
{
    kim_error why = {0};
    if (kim_arena_is_full(out->arena) || kim_arena_is_full(out->scratch))
        return kim_fail(err, KIM_ERR_NOMEM, "kubernetes: no memory left for records");
    if (kim_emit(out->emitter, record, &why) == 0)
        return 0;
    if (out->leaves_out && why.code == KIM_ERR_LIMIT) {
        if (out->emitter->host->log)
            out->emitter->host->log(out->emitter->host->context, KIM_LOG_WARNING, "record_left_out", why.message);
        return 0;
    }
    if (err)
        *err = why;
    return -1;
}

int k8s_put_profile(k8s_out *out, kim_error *err)
{
    static const kim_pair layers[] = {{{"role", 4}, {"grant", 5}}, {{"cluster_role", 12}, {"grant", 5}}};
    kim_record r = {.type = KIM_PROFILE, .scope = k8s_scope(out->arena, out->cluster, KIM_NO_TEXT)};
    r.profile = (kim_profile){.id = KIM_TEXT("kubernetes"), .combining = KIM_TEXT("allow-union"), .default_effect = KIM_DENY,
                              .letter_case = KIM_TEXT("sensitive"), .layers = {layers, 2}};
    return k8s_put(out, &r, err);
}

/* ---- roles ---- */

/* One policy at a time: where its statements stand. */
typedef struct document {
    k8s_out *out;
    kim_text scope, policy;
    int64_t next;     /* index of the next statement */
    kim_error unread; /* why some were left out; code 0: none were */
    kim_error *err;
} document;

/* A rule, or a part of it, that no record holds. */
static int leave_out(document *d, const kim_error *why)
{
    if (d->out->leaves_out && why->code == KIM_ERR_LIMIT) {
        d->unread = *why;
        return 0;
    }
    if (d->err)
        *d->err = *why;
    return -1;
}

static kim_text rule_name(document *d, const k8s_rule *rule, bool alone)
{
    if (rule->from.size)
        return kim_text_format(d->out->scratch, "%.*s[%zu]", KIM_PRINT(rule->from), rule->index);
    return alone && d->next == (int64_t)rule->index ? KIM_NO_TEXT : kim_text_format(d->out->scratch, "%zu", rule->index);
}

static int put_statement(document *d, const k8s_rule *rule, bool alone, bool is_paths, kim_texts resources)
{
    kim_error why = {0};
    kim_record r = {.type = KIM_STATEMENT, .scope = d->scope};
    r.statement = (kim_statement){.policy = d->policy, .sid = rule_name(d, rule, alone), .index = d->next, .effect = KIM_ALLOW,
                                  .actions = rule->verbs, .resources = resources,
                                  .universe = is_paths ? KIM_TEXT("paths") : KIM_NO_TEXT};
    d->next++;
    if (kim_arena_is_full(d->out->scratch))
        return kim_fail(d->err, KIM_ERR_NOMEM, "kubernetes: no memory left for records");
    return kim_emit(d->out->emitter, &r, &why) == 0 ? 0 : leave_out(d, &why);
}

/* API groups times resources times names; -1 where they are too many. */
static int64_t count_products(const k8s_rule *rule)
{
    size_t names = rule->resource_names.count ? rule->resource_names.count : 1, pairs, all;
    if (__builtin_mul_overflow(rule->api_groups.count, rule->resources.count, &pairs) || __builtin_mul_overflow(pairs, names, &all))
        return -1;
    return all <= K8S_RULE_MAX_RESOURCES ? (int64_t)all : -1;
}

/* [count] in scratch, or NULL. */
static kim_text *products(document *d, const k8s_rule *rule, size_t count)
{
    size_t names = rule->resource_names.count ? rule->resource_names.count : 1;
    kim_text *items = KIM_NEW_ARRAY(d->out->scratch, kim_text, count + 1), *at = items;
    for (size_t g = 0; items && g < rule->api_groups.count; g++)
        for (size_t r = 0; r < rule->resources.count; r++)
            for (size_t n = 0; n < names; n++)
                *at++ = k8s_resource(d->out->scratch, rule->api_groups.items[g], rule->resources.items[r],
                                     rule->resource_names.count ? &rule->resource_names.items[n] : NULL);
    return items;
}

/* How many of the items from `at` on one statement takes. */
static size_t share(const kim_text *items, size_t at, size_t count)
{
    size_t end = at, bytes = 0;
    while (end < count && end - at < KIM_LIST_MAX_ITEMS && (bytes += items[end].size + 5) <= STATEMENT_MAX_BYTES)
        end++;
    return end > at ? end - at : 1;
}

static int put_products(document *d, const k8s_rule *rule, const kim_text *items, size_t count)
{
    bool has_paths = rule->urls.count > 0, alone = !(count && has_paths) && (count == 0 || share(items, 0, count) == count);
    if (count == 0 && !has_paths)
        return put_statement(d, rule, true, false, (kim_texts){items, 0});
    for (size_t at = 0, taken; at < count; at += taken) {
        taken = share(items, at, count);
        if (put_statement(d, rule, alone, false, (kim_texts){items + at, taken}) < 0)
            return -1;
    }
    return has_paths ? put_statement(d, rule, alone, true, rule->urls) : 0;
}

static int put_rule(document *d, const k8s_rule *rule)
{
    int64_t count = count_products(rule);
    if (count < 0) {
        kim_error why = {0};
        kim_fail(&why, KIM_ERR_LIMIT, "%.*s: rule %zu names more than %d resources: API groups times resources times names",
                 KIM_PRINT(d->policy), rule->index, K8S_RULE_MAX_RESOURCES);
        d->next++;
        return leave_out(d, &why);
    }
    const kim_text *items = products(d, rule, (size_t)count);
    if (items == NULL)
        return kim_fail(d->err, KIM_ERR_NOMEM, "kubernetes: no memory left for records");
    return put_products(d, rule, items, (size_t)count);
}

static int put_policy(document *d, kim_policy policy, const k8s_rule *rules, size_t count)
{
    kim_record r = {.type = KIM_POLICY, .scope = d->scope, .policy = policy};
    for (size_t i = 0; i < count; i++)
        if (put_rule(d, &rules[i]) < 0)
            return -1;
    if (d->unread.code)
        r.policy.unread = kim_text_of(d->unread.message);
    return k8s_put(d->out, &r, d->err);
}

int k8s_put_rules(k8s_out *out, kim_text policy, const k8s_rule *rules, size_t count, kim_error *err)
{
    document d = {.out = out, .scope = k8s_scope(out->arena, out->cluster, KIM_NO_TEXT), .policy = policy, .err = err};
    return put_policy(&d, (kim_policy){.id = policy, .kind = KIM_TEXT("rules")}, rules, count);
}

int k8s_put_role(k8s_out *out, const k8s_object *role, kim_error *err)
{
    bool is_cluster = role->kind == K8S_CLUSTER_ROLE;
    if (!is_cluster && role->namespace.size == 0)
        return 0;
    kim_arena_reset(out->scratch);
    document d = {.out = out, .err = err};
    d.scope = k8s_scope(out->scratch, out->cluster, is_cluster ? KIM_NO_TEXT : role->namespace);
    d.policy = k8s_role(out->scratch, is_cluster ? NULL : &role->namespace, role->name);
    kim_policy policy = {
        .id = d.policy, .name = role->name, .kind = is_cluster ? KIM_TEXT("cluster_role") : KIM_TEXT("role"),
        .provider_managed = kim_text_is(kim_pairs_get(role->labels, "kubernetes.io/bootstrapping"), "rbac-defaults")};
    return put_policy(&d, policy, role->rules, role->rule_count);
}

/* ---- bindings ---- */

kim_text k8s_subject_id(kim_arena *arena, const k8s_object *binding, const k8s_subject *subject)
{
    kim_text home = subject->namespace.size ? subject->namespace : binding->kind == K8S_ROLE_BINDING ? binding->namespace : KIM_NO_TEXT;
    if (kim_text_is(subject->kind, "User"))
        return k8s_user(arena, subject->name);
    if (kim_text_is(subject->kind, "Group"))
        return k8s_group(arena, subject->name);
    return kim_text_is(subject->kind, "ServiceAccount") && home.size ? k8s_service_account(arena, home, subject->name) : KIM_NO_TEXT;
}

/* A role is looked for by its kind; a Role only where the binding has a namespace. */
static bool names_a_role(const k8s_object *binding)
{
    return kim_text_is(binding->ref_kind, "ClusterRole") ||
           (kim_text_is(binding->ref_kind, "Role") && binding->kind == K8S_ROLE_BINDING);
}

static int compare_texts(const void *a, const void *b)
{
    return kim_text_compare(*(const kim_text *)a, *(const kim_text *)b);
}

/* Each subject once. [*count] in scratch. */
static kim_text *subjects_of(k8s_out *out, const k8s_object *binding, size_t *count)
{
    kim_text *ids = KIM_NEW_ARRAY(out->scratch, kim_text, binding->subject_count + 1);
    size_t found = 0, kept = 0;
    for (size_t i = 0; ids && i < binding->subject_count; i++) {
        kim_text id = k8s_subject_id(out->scratch, binding, &binding->subjects[i]);
        if (!kim_text_is_absent(id))
            ids[found++] = id;
    }
    if (found)
        qsort(ids, found, sizeof *ids, compare_texts);
    for (size_t i = 0; i < found; i++)
        if (kept == 0 || !kim_text_equal(ids[kept - 1], ids[i]))
            ids[kept++] = ids[i];
    *count = kept;
    return ids;
}

int k8s_put_binding(k8s_out *out, const k8s_object *binding, kim_error *err)
{
    bool of_cluster = binding->kind == K8S_CLUSTER_ROLE_BINDING, to_cluster_role = kim_text_is(binding->ref_kind, "ClusterRole");
    size_t count;
    if (!names_a_role(binding) || (!of_cluster && binding->namespace.size == 0))
        return 0;
    kim_arena_reset(out->scratch);
    const kim_text *ids = subjects_of(out, binding, &count);
    kim_text scope = k8s_scope(out->scratch, out->cluster, of_cluster ? KIM_NO_TEXT : binding->namespace);
    kim_record r = {.type = KIM_ATTACHMENT, .scope = scope};
    r.attachment = (kim_attachment){.policy = k8s_role(out->scratch, to_cluster_role ? NULL : &binding->namespace, binding->ref_name),
                                    .layer = to_cluster_role ? KIM_TEXT("cluster_role") : KIM_TEXT("role"),
                                    .on_scope = scope, .native_id = binding->name};
    for (size_t i = 0; i < count; i++) {
        r.attachment.subject = ids[i];
        if (k8s_put(out, &r, err) < 0)
            return -1;
    }
    return count ? 0 : kim_arena_is_full(out->scratch) ? kim_fail(err, KIM_ERR_NOMEM, "kubernetes: no memory left for records") : 0;
}
