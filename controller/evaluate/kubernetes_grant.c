/* SPDX-License-Identifier: Apache-2.0
 *
 * kubernetes_grant.c - may this user write that role, or bind it?
 *
 * Whoever may write roles and bindings could give out anything. So the API server also asks whether the writer has
 * what is given: each rule is broken down to one verb, group, resource and name, and each of these must be covered by one
 * rule of the writer's; or the writer has the verb escalate on the role, or bind on the role that is bound.
 * Source: pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased/storage.go, escalation_check.go,
 * ConfirmNoEscalation in pkg/registry/rbac/validation/rule.go; kubernetes.io/docs/reference/access-authn-authz/rbac,
 * "Privilege escalation prevention and bootstrapping"
 */
#include "controller/evaluate/kubernetes.h"

enum { STEPS_MAX = 20 * 1000 * 1000, MISSING_MAX = 64 };

#define RBAC KIM_TEXT("rbac.authorization.k8s.io")

typedef struct granting {
    const k8s_cluster *c;
    kim_arena *arena, *scratch;
    k8s_asker asker;
    kim_text verb;         /* create, update or patch */
    const kim_json *object;
    bool is_binding, is_cluster;
    kim_text name, namespace;
    size_t steps, missing;
    const k8s_rule *covering[BECAUSE_MAX];
    size_t covering_count;
    kim_json_writer *list; /* of what is missing */
    kim_error *err;
} granting;

/* ---- what is written ---- */

static int read_groups(const kim_json *value, kim_arena *arena, kim_texts *out, kim_error *err)
{
    *out = kim_json_texts(value, arena);
    if (value && value->type != KIM_JSON_NULL && (out->items == NULL || (kim_json_is(value, KIM_JSON_ARRAY) && out->count != value->count)))
        return kim_fail(err, KIM_ERR_INPUT, "may_grant.groups: write a list of strings");
    return 0;
}

static int read_may_grant(granting *g, const kim_json *may_grant)
{
    static const struct { const char *name; bool is_binding, is_cluster; } forms[] = {
        {"role", false, false}, {"cluster_role", false, true}, {"role_binding", true, false}, {"cluster_role_binding", true, true}};
    static const char *const verbs[] = {"create", "update", "patch"};
    kim_texts groups;
    kim_text user = kim_json_text_of(may_grant, "user"), verb = kim_json_text_of(may_grant, "verb");
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (kim_json_get(may_grant, forms[i].name)) {
            g->object = kim_json_get(may_grant, forms[i].name);
            g->is_binding = forms[i].is_binding;
            g->is_cluster = forms[i].is_cluster;
        }
    const kim_json *metadata = kim_json_get(g->object, "metadata");
    g->name = kim_json_text_of(metadata, "name");
    g->namespace = g->is_cluster ? KIM_TEXT("") : kim_json_text_of(metadata, "namespace");
    g->verb = kim_text_is_absent(verb) ? kim_text_of(verbs[0]) : verb;
    bool known = false;
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        known = known || kim_text_is(g->verb, verbs[i]);
    if (!known)
        return kim_fail(g->err, KIM_ERR_INPUT, "may_grant.verb: write create, update or patch");
    if (!g->is_cluster && g->namespace.size == 0)
        return kim_fail(g->err, KIM_ERR_INPUT, "may_grant: the object's metadata.namespace is missing");
    if (read_groups(kim_json_get(may_grant, "groups"), g->arena, &groups, g->err) < 0)
        return -1;
    if (kim_text_is_absent(user) && groups.count == 0)
        return kim_fail(g->err, KIM_ERR_INPUT, "may_grant: who writes is missing; write \"user\", \"groups\" or both");
    return kubernetes_asker_given(g->c, kim_text_is_absent(user) ? KIM_TEXT("") : user, groups, g->arena, &g->asker, g->err);
}

/* ---- asking ---- */

/* The asker's rule that allows it; NULL: none. */
static const k8s_rule *ask(granting *g, const kubernetes_request *r)
{
    k8s_asked asked;
    if (kubernetes_ask(g->c, r, g->scratch, &asked, g->err) < 0)
        return NULL;
    g->steps += 1 + g->asker.count;
    return kubernetes_asker_may(&asked, &g->asker);
}

/* escalate on the role that is written: by its name only where it is there already; bind on the role that is bound. */
static const k8s_rule *find_lift(granting *g)
{
    kubernetes_request r = {.verb = KIM_TEXT("escalate"), .api_group = RBAC, .resource = g->is_cluster ? KIM_TEXT("clusterroles") : KIM_TEXT("roles"),
                            .name = kim_text_is(g->verb, "create") ? KIM_TEXT("") : g->name, .namespace = g->namespace};
    if (g->is_binding) {
        const kim_json *ref = kim_json_get(g->object, "roleRef");
        kim_text kind = kim_json_text_of(ref, "kind");
        r.verb = KIM_TEXT("bind");
        r.resource = kim_text_is(kind, "ClusterRole") ? KIM_TEXT("clusterroles") : KIM_TEXT("roles");
        r.name = kim_json_text_of(ref, "name");
        if (!kim_text_is(kind, "ClusterRole") && !kim_text_is(kind, "Role"))
            return NULL;
    }
    r.name = kim_text_is_absent(r.name) ? KIM_TEXT("") : r.name;
    return ask(g, &r);
}

/* ---- what is given ---- */

static void write_texts(const char *name, kim_text only, kim_json_writer *writer)
{
    kim_json_key(writer, name);
    kim_json_begin_array(writer);
    kim_json_put_text(writer, only);
    kim_json_end_array(writer);
}

/* The part of a rule that is not covered, as the API server breaks it down. */
static void write_missing(granting *g, kim_text verb, const kubernetes_request *r, bool has_name)
{
    if (g->missing++ >= MISSING_MAX)
        return;
    kim_json_begin_object(g->list);
    write_texts("verbs", verb, g->list);
    if (!kim_text_is_absent(r->path)) {
        write_texts("nonResourceURLs", r->path, g->list);
    } else {
        char *bytes = kim_arena_bytes(g->scratch, r->resource.size + r->subresource.size + 2);
        kim_text resource = kim_text_is_absent(r->subresource) || bytes == NULL ? r->resource : kubernetes_combined(bytes, r->resource, r->subresource);
        write_texts("apiGroups", r->api_group, g->list);
        write_texts("resources", resource, g->list);
        if (has_name)
            write_texts("resourceNames", r->name, g->list);
    }
    kim_json_end_object(g->list);
}

static void keep_covering(granting *g, const k8s_rule *r)
{
    for (size_t i = 0; i < g->covering_count; i++)
        if (g->covering[i] == r)
            return;
    if (g->covering_count < BECAUSE_MAX)
        g->covering[g->covering_count++] = r;
}

/* A rule covers a text with wildcards where it has the same text, or a wildcard of its own: so the text is asked for as it
 * is. A pattern for every name is covered only by rules for every name. */
static int judge_pattern(granting *g, const k8s_rule *given, kim_text pattern)
{
    kubernetes_request r = {.namespace = g->namespace, .path = given->is_paths ? pattern : KIM_NO_TEXT};
    kubernetes_name n = {.name = KIM_NO_TEXT};
    kim_arena_reset(g->scratch);
    if (!given->is_paths) {
        if (kubernetes_name_read(pattern, g->scratch, &n, g->err) < 0)
            return -1;
        r.api_group = n.api_group;
        r.resource = n.resource;
        r.subresource = n.subresource;
        r.name = kim_text_is_absent(n.name) ? KIM_TEXT("") : n.name;
    }
    for (size_t i = 0; i < given->source->actions.count; i++) {
        k8s_asked asked;
        r.verb = given->source->actions.items[i];
        if (kubernetes_ask(g->c, &r, g->scratch, &asked, g->err) < 0)
            return -1;
        if (kim_text_is_absent(n.name))
            asked.name = K8S_UNKNOWN;
        const k8s_rule *covering = kubernetes_asker_may(&asked, &g->asker);
        if (covering)
            keep_covering(g, covering);
        else
            write_missing(g, r.verb, &r, !kim_text_is_absent(n.name));
        if ((g->steps += 1 + g->asker.count) > STEPS_MAX)
            return kim_fail(g->err, KIM_ERR_LIMIT, "may_grant: the rules stand for more than is judged");
    }
    return 0;
}

static int judge_role(granting *g, uint32_t number)
{
    const k8s_role *role = number == K8S_UNKNOWN ? NULL : &g->c->roles[number];
    for (uint32_t i = 0; role && i < role->rule_count; i++) {
        const k8s_rule *given = &g->c->rules[role->first_rule + i];
        for (size_t k = 0; k < given->source->resources.count; k++)
            if (judge_pattern(g, given, given->source->resources.items[k]) < 0)
                return -1;
    }
    return 0;
}

/* A ClusterRole that gathers rules by labels may come to hold anything: its writer needs everything. */
static int judge_aggregation(granting *g, bool is_aggregated)
{
    static const kubernetes_request everything[] = {
        {.verb = {"*", 1}, .api_group = {"*", 1}, .resource = {"*", 1}, .name = {"", 0}, .namespace = {"", 0}},
        {.verb = {"*", 1}, .path = {"*", 1}, .namespace = {"", 0}}};
    for (size_t i = 0; is_aggregated && i < 2; i++) {
        k8s_asked asked;
        if (kubernetes_ask(g->c, &everything[i], g->scratch, &asked, g->err) < 0)
            return -1;
        asked.name = K8S_UNKNOWN;
        const k8s_rule *covering = kubernetes_asker_may(&asked, &g->asker);
        if (covering)
            keep_covering(g, covering);
        else
            write_missing(g, everything[i].verb, &everything[i], false);
    }
    return 0;
}

static bool is_aggregated(const kim_json *object)
{
    const kim_json *selectors = kim_json_get(kim_json_get(object, "aggregationRule"), "clusterRoleSelectors");
    return kim_json_is(selectors, KIM_JSON_ARRAY) && selectors->count > 0;
}

/* The one that is there before an update, where the case has it. */
static const kim_json *object_before(const granting *g, const kim_json *line)
{
    const kim_json *list = kim_json_get(kim_json_get(line, "objects"), "cluster_roles");
    for (size_t i = 0; kim_json_is(list, KIM_JSON_ARRAY) && i < list->count; i++)
        if (kim_text_equal(kim_json_text_of(kim_json_get(&list->items[i], "metadata"), "name"), g->name))
            return &list->items[i];
    return NULL;
}

/* 1: there is nothing to judge, for the role that is bound is not there. */
static int judge(granting *g, const kim_json *line)
{
    if (!g->is_binding) {
        bool was = !kim_text_is(g->verb, "create") && is_aggregated(object_before(g, line));
        bool gathers = g->is_cluster && (is_aggregated(g->object) || was);
        if (judge_role(g, kubernetes_role_number(g->c, "cluster_role", KIM_TEXT("granted"))) < 0)
            return -1;
        return judge_aggregation(g, gathers);
    }
    const kim_json *ref = kim_json_get(g->object, "roleRef");
    kim_text kind = kim_json_text_of(ref, "kind"), name = kim_json_text_of(ref, "name");
    uint32_t number = K8S_UNKNOWN;
    if (kim_text_is(kind, "ClusterRole"))
        number = kubernetes_role_number(g->c, "cluster_role", name);
    else if (kim_text_is(kind, "Role") && !g->is_cluster)
        number = kubernetes_role_number(g->c, "role", kim_text_format(g->arena, "%.*s/%.*s", KIM_PRINT(g->namespace), KIM_PRINT(name)));
    return number == K8S_UNKNOWN ? 1 : judge_role(g, number);
}

/* ---- the answer ---- */

static because because_of(const granting *g, const k8s_rule *r)
{
    const k8s_role *role = &g->c->roles[r->role];
    return (because){.layer = role->layer, .policy = role->id, .statement = r->name, .source = r->source};
}

static int write_answer(granting *g, const kim_json *line, kim_json_writer *writer)
{
    because reasons[BECAUSE_MAX];
    answer a = {.verdict = ALLOWED, .reason = g->asker.is_master ? BYPASS : EXPLICIT_ALLOW, .because = reasons};
    const k8s_rule *lift = g->asker.is_master ? NULL : find_lift(g);
    bool is_free = g->asker.is_master || lift;
    int result = is_free ? 0 : judge(g, line);
    if (result < 0)
        return -1;
    if (lift)
        reasons[a.because_count++] = because_of(g, lift);
    for (size_t i = 0; !is_free && i < g->covering_count && g->missing == 0; i++)
        reasons[a.because_count++] = because_of(g, g->covering[i]);
    if (result == 1 || g->missing)
        a = (answer){.verdict = DENIED, .reason = IMPLICIT_DENY};
    answer_write(&a, writer);
    if (g->missing) {
        size_t size;
        kim_json_end_array(g->list);
        const char *bytes = kim_json_writer_bytes(g->list, &size, g->err);
        const kim_json *list = bytes ? kim_json_parse(bytes, size, "missing", g->arena, g->err) : NULL;
        if (list == NULL)
            return -1;
        kim_json_key(writer, "missing");
        kim_json_put_json(writer, list);
        kim_json_key(writer, "missing_total");
        kim_json_put_int(writer, (int64_t)g->missing);
    }
    return 0;
}

int kubernetes_may_grant(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    const kubernetes_index *index = engine_compiled(&kubernetes_engine, es, err);
    granting g = {.arena = kim_arena_new(SIZE_MAX), .scratch = kim_arena_new(SIZE_MAX), .list = kim_json_writer_new(false), .err = err};
    int result = -1;
    if (index && !kim_text_is_absent(index->first_unread))
        kim_fail(err, KIM_ERR_INPUT, "%.*s", KIM_PRINT(index->first_unread));
    else if (index && (g.arena == NULL || g.scratch == NULL || g.list == NULL))
        kim_fail(err, KIM_ERR_NOMEM, "no memory to judge what is granted");
    else if (index && (g.c = kubernetes_cluster_of(index, KIM_NO_TEXT, KIM_NO_TEXT, err)) != NULL) {
        kim_json_begin_array(g.list);
        if (read_may_grant(&g, kim_json_get(line, "may_grant")) == 0)
            result = write_answer(&g, line, writer);
    }
    kim_json_writer_free(g.list);
    kim_arena_free(g.arena);
    kim_arena_free(g.scratch);
    return result;
}
