/* SPDX-License-Identifier: Apache-2.0
 *
 * cluster.c - what follows from all objects together: who there is, who is in which group, who may act as whom.
 *
 * No document lists users and groups: those that bindings name are known, and those that every cluster has. The
 * memberships are the ones that the API server gives by itself.
 */
#include <stdlib.h>

#include "plugins/kubernetes/names.h"
#include "plugins/kubernetes/records.h"

enum { TARGETS_MAX = 4096 }; /* of one role, to act as; those past it are found by asking who can impersonate them */

#define AUTHENTICATED KIM_TEXT("group:system:authenticated")
#define ACCOUNTS KIM_TEXT("group:system:serviceaccounts")

/* One identity, as somebody names it. */
typedef struct named {
    kim_text id, name, namespace; /* namespace: of a service account */
    int32_t kind;
    const k8s_object *account;    /* the object; NULL: it is only named */
} named;

/* Somebody or something that a rule lets one act as. */
typedef struct target {
    kim_text to;
    bool is_token;    /* by a token for it; else by impersonation */
    bool is_account;  /* in a namespace */
} target;

typedef struct cluster {
    k8s_out *out;
    const k8s_set *set;
    const kim_text *lacking; /* [K8S_KINDS] */
    named *all;         /* [count] */
    size_t count, room;
    kim_text *groups;   /* [group_count]: "system:serviceaccounts:NAMESPACE", sorted, each once */
    size_t group_count;
    const k8s_object **roles[2]; /* Roles and ClusterRoles, by namespace and name */
    target *targets;    /* [TARGETS_MAX], of the role at hand */
    kim_text scope;
    kim_error *err;
} cluster;

static int no_memory(const cluster *c)
{
    return kim_fail(c->err, KIM_ERR_NOMEM, "kubernetes: no memory left for who there is in the cluster");
}

static int put(cluster *c, const kim_record *record)
{
    return k8s_put(c->out, record, c->err);
}

/* ---- who there is ---- */

static int add(cluster *c, named one)
{
    if (c->count == c->room) {
        size_t room = c->room ? c->room * 2 : 256;
        named *all = KIM_NEW_ARRAY(c->out->arena, named, room);
        if (all == NULL)
            return no_memory(c);
        if (c->count)
            memcpy(all, c->all, c->count * sizeof *all);
        c->all = all;
        c->room = room;
    }
    c->all[c->count++] = one;
    return kim_text_is_absent(one.id) ? no_memory(c) : 0;
}

static int add_account(cluster *c, kim_text namespace, kim_text name, const k8s_object *object)
{
    kim_arena *arena = c->out->arena;
    if (namespace.size == 0)
        return 0;
    return add(c, (named){.id = k8s_service_account(arena, namespace, name), .name = k8s_role(arena, &namespace, name),
                          .namespace = namespace, .kind = KIM_WORKLOAD, .account = object});
}

static int add_user(cluster *c, kim_text name)
{
    static const struct { const char *prefix; int32_t kind; } kinds[] = {{"system:anonymous", KIM_PUBLIC}, {"system:", KIM_SERVICE}, {"", KIM_HUMAN}};
    static const char account[] = "system:serviceaccount:";
    size_t k = 0;
    const char *colon = NULL;
    if (kim_text_starts_with(name, KIM_TEXT(account))) {
        kim_text rest = {name.bytes + sizeof account - 1, name.size - (sizeof account - 1)};
        colon = rest.size ? memchr(rest.bytes, ':', rest.size) : NULL;
        if (colon && colon > rest.bytes)
            return add_account(c, (kim_text){rest.bytes, (size_t)(colon - rest.bytes)},
                               (kim_text){colon + 1, rest.size - (size_t)(colon + 1 - rest.bytes)}, NULL);
    }
    while (!kim_text_starts_with(name, kim_text_of(kinds[k].prefix)))
        k++;
    return add(c, (named){.id = k8s_user(c->out->arena, name), .name = name, .kind = kinds[k].kind});
}

static int add_group(cluster *c, kim_text name)
{
    return add(c, (named){.id = k8s_group(c->out->arena, name), .name = name, .kind = KIM_GROUP});
}

static int add_subject(cluster *c, const k8s_object *binding, const k8s_subject *subject)
{
    if (kim_text_is(subject->kind, "User"))
        return add_user(c, subject->name);
    if (kim_text_is(subject->kind, "Group"))
        return add_group(c, subject->name);
    kim_text home = binding->kind == K8S_ROLE_BINDING ? binding->namespace : KIM_NO_TEXT;
    if (kim_text_is(subject->kind, "ServiceAccount"))
        return add_account(c, subject->namespace.size ? subject->namespace : home, subject->name, NULL);
    return 0;
}

static int by_id(const void *left, const void *right)
{
    const named *a = left, *b = right;
    int order = kim_text_compare(a->id, b->id);
    return order ? order : (a->account == NULL) - (b->account == NULL);
}

static int compare_texts(const void *a, const void *b)
{
    return kim_text_compare(*(const kim_text *)a, *(const kim_text *)b);
}

static void keep_one_each(cluster *c)
{
    size_t kept = 0;
    qsort(c->all, c->count, sizeof *c->all, by_id);
    for (size_t i = 0; i < c->count; i++)
        if (kept == 0 || !kim_text_equal(c->all[kept - 1].id, c->all[i].id))
            c->all[kept++] = c->all[i];
    c->count = kept;
}

/* The group of each namespace that has service accounts. */
static int add_account_groups(cluster *c)
{
    size_t before = c->count, count = 0;
    kim_text *spaces = KIM_NEW_ARRAY(c->out->arena, kim_text, before + 1);
    if (spaces == NULL)
        return no_memory(c);
    for (size_t i = 0; i < before; i++)
        if (c->all[i].namespace.size)
            spaces[count++] = c->all[i].namespace;
    qsort(spaces, count, sizeof *spaces, compare_texts);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || !kim_text_equal(spaces[i], spaces[i - 1])) {
            kim_text name = kim_text_format(c->out->arena, "system:serviceaccounts:%.*s", KIM_PRINT(spaces[i]));
            if (add_group(c, name) < 0)
                return -1;
        }
    return 0;
}

static int find_all(cluster *c)
{
    static const char *const groups[] = {"system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:masters"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (add_group(c, kim_text_of(groups[i])) < 0)
            return -1;
    if (add_user(c, KIM_TEXT("system:anonymous")) < 0)
        return -1;
    for (size_t i = 0; i < c->set->of[K8S_SERVICE_ACCOUNT].count; i++) {
        const k8s_object *account = &c->set->of[K8S_SERVICE_ACCOUNT].items[i];
        if (add_account(c, account->namespace, account->name, account) < 0)
            return -1;
    }
    for (k8s_kind kind = K8S_ROLE_BINDING; kind <= K8S_CLUSTER_ROLE_BINDING; kind++)
        for (size_t i = 0; i < c->set->of[kind].count; i++) {
            const k8s_object *binding = &c->set->of[kind].items[i];
            for (size_t s = 0; s < binding->subject_count; s++)
                if (add_subject(c, binding, &binding->subjects[s]) < 0)
                    return -1;
        }
    if (add_account_groups(c) < 0)
        return -1;
    keep_one_each(c);
    return 0;
}

/* What other clouds take an account for; see doc/model.md. */
static kim_pairs account_facts(cluster *c, const k8s_object *account)
{
    static const char *const known[] = {"azure.workload.identity/client-id", "azure.workload.identity/tenant-id",
                                        "eks.amazonaws.com/role-arn", "iam.gke.io/gcp-service-account"};
    enum { KNOWN = sizeof known / sizeof *known };
    kim_pair *facts = KIM_NEW_ARRAY(c->out->scratch, kim_pair, KNOWN + 1);
    size_t count = 0;
    for (size_t i = 0; facts && account && i < KNOWN; i++) {
        kim_text value = kim_pairs_get(account->annotations, known[i]);
        if (value.size)
            facts[count++] = (kim_pair){kim_text_of(known[i]), value};
    }
    if (facts && account && account->uid.size)
        facts[count++] = (kim_pair){KIM_TEXT("uid"), account->uid};
    return (kim_pairs){count ? facts : NULL, count};
}

static int put_identity(cluster *c, const named *one)
{
    kim_arena_reset(c->out->scratch);
    bool is_gone = one->namespace.size && one->account == NULL && kim_text_is_absent(c->lacking[K8S_SERVICE_ACCOUNT]);
    kim_record r = {.type = KIM_IDENTITY, .scope = k8s_scope(c->out->scratch, c->out->cluster, one->namespace)};
    r.identity = (kim_identity){.id = one->id, .kind = one->kind, .name = one->name, .state = is_gone ? KIM_DELETED : 0,
                                .facts = account_facts(c, one->account)};
    if (one->account) {
        r.identity.created_unix_ms = one->account->created_unix_ms;
        r.identity.tags = one->account->labels;
    }
    return put(c, &r);
}

/* ---- who is in which group ---- */

static int put_member(cluster *c, kim_text scope, kim_text from, kim_text to)
{
    kim_record r = {.type = KIM_EDGE, .scope = scope};
    r.edge = (kim_edge){.kind = KIM_MEMBER_OF, .from = from, .to = to, .via = KIM_TEXT("automatic")};
    if (!kim_text_equal(scope, c->scope))
        r.edge.to_scope = c->scope;
    return put(c, &r);
}

/* Source: kubernetes.io/docs/reference/access-authn-authz/authentication, "Authentication strategies",
 * "Service account tokens", "Anonymous requests". A group's members are authenticated. */
static int put_memberships(cluster *c, const named *one)
{
    kim_arena_reset(c->out->scratch);
    if (one->namespace.size) {
        kim_text group = kim_text_format(c->out->scratch, "%.*s:%.*s", KIM_PRINT(ACCOUNTS), KIM_PRINT(one->namespace));
        return put_member(c, k8s_scope(c->out->scratch, c->out->cluster, one->namespace), one->id, group);
    }
    if (kim_text_is(one->id, "system:anonymous"))
        return put_member(c, c->scope, one->id, KIM_TEXT("group:system:unauthenticated"));
    if (kim_text_is(one->id, "group:system:unauthenticated") || kim_text_equal(one->id, AUTHENTICATED))
        return 0;
    bool of_namespace = kim_text_starts_with(one->id, KIM_TEXT("group:system:serviceaccounts:"));
    return put_member(c, c->scope, one->id, of_namespace ? ACCOUNTS : AUTHENTICATED);
}

/* ---- who may act as whom ---- */

static bool has(kim_texts list, const char *one)
{
    for (size_t i = 0; i < list.count; i++)
        if (kim_text_is(list.items[i], "*") || kim_text_is(list.items[i], one))
            return true;
    return false;
}

static bool has_subresource(kim_texts resources, const char *whole, const char *any)
{
    return has(resources, whole) || has(resources, any);
}

static void add_target(cluster *c, size_t *count, target one)
{
    if (*count < TARGETS_MAX)
        c->targets[*count] = one;
    (*count)++;
}

/* One way to act as users, groups or service accounts, by name or as any. namespace: absent, the whole cluster. */
static void add_targets(cluster *c, size_t *count, const k8s_rule *rule, const char *what, bool is_token, kim_text namespace)
{
    kim_arena *arena = c->out->scratch;
    static const kim_text any = {"*", 1};
    kim_texts names = rule->resource_names.count ? rule->resource_names : (kim_texts){&any, 1};
    bool is_account = strcmp(what, "serviceaccounts") == 0;
    for (size_t i = 0; i < names.count && *count <= TARGETS_MAX; i++) {
        kim_text name = names.items[i], to;
        if (is_account)
            to = k8s_service_account(arena, namespace.size ? namespace : any, name);
        else if (strcmp(what, "groups") == 0)
            to = k8s_group(arena, name);
        else
            to = rule->resource_names.count ? k8s_user(arena, name) : KIM_TEXT("user:*");
        add_target(c, count, (target){to, is_token, is_account});
    }
}

/* Source: kubernetes.io/docs/reference/access-authn-authz/user-impersonation; TokenRequest in
 * kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1. */
static size_t find_targets(cluster *c, const k8s_object *role, kim_text namespace)
{
    size_t count = 0;
    for (size_t i = 0; i < role->rule_count; i++) {
        const k8s_rule *rule = &role->rules[i];
        if (!has(rule->api_groups, ""))
            continue;
        if (has(rule->verbs, "impersonate")) {
            if (namespace.size == 0 && has(rule->resources, "users"))
                add_targets(c, &count, rule, "users", false, namespace);
            if (namespace.size == 0 && has(rule->resources, "groups"))
                add_targets(c, &count, rule, "groups", false, namespace);
            if (has(rule->resources, "serviceaccounts"))
                add_targets(c, &count, rule, "serviceaccounts", false, namespace);
        }
        if (has(rule->verbs, "create") && has_subresource(rule->resources, "serviceaccounts/token", "*/token"))
            add_targets(c, &count, rule, "serviceaccounts", true, namespace);
    }
    return count;
}

static int by_place(const void *left, const void *right)
{
    const k8s_object *a = *(const k8s_object *const *)left, *b = *(const k8s_object *const *)right;
    int order = kim_text_compare(a->namespace, b->namespace);
    return order ? order : kim_text_compare(a->name, b->name);
}

static int sort_roles(cluster *c)
{
    for (k8s_kind kind = K8S_ROLE; kind <= K8S_CLUSTER_ROLE; kind++) {
        size_t count = c->set->of[kind].count;
        c->roles[kind] = (const k8s_object **)kim_arena_array(c->out->arena, count + 1, sizeof *c->roles[kind]);
        if (c->roles[kind] == NULL)
            return no_memory(c);
        for (size_t i = 0; i < count; i++)
            c->roles[kind][i] = &c->set->of[kind].items[i];
        if (count)
            qsort(c->roles[kind], count, sizeof *c->roles[kind], by_place);
    }
    return 0;
}

static const k8s_object *role_of(const cluster *c, const k8s_object *binding)
{
    bool is_cluster = kim_text_is(binding->ref_kind, "ClusterRole");
    k8s_kind kind = is_cluster ? K8S_CLUSTER_ROLE : K8S_ROLE;
    if (!is_cluster && (!kim_text_is(binding->ref_kind, "Role") || binding->namespace.size == 0))
        return NULL;
    k8s_object wanted = {.name = binding->ref_name, .namespace = is_cluster ? KIM_TEXT("") : binding->namespace};
    const k8s_object *key = &wanted;
    const k8s_object **found = bsearch(&key, c->roles[kind], c->set->of[kind].count, sizeof key, by_place);
    return found ? *found : NULL;
}

static int put_becoming(cluster *c, const k8s_object *binding)
{
    kim_text namespace = binding->kind == K8S_ROLE_BINDING ? binding->namespace : KIM_NO_TEXT;
    const k8s_object *role = binding->kind == K8S_ROLE_BINDING && namespace.size == 0 ? NULL : role_of(c, binding);
    if (role == NULL)
        return 0;
    kim_arena_reset(c->out->scratch);
    kim_text scope = k8s_scope(c->out->scratch, c->out->cluster, namespace);
    size_t count = find_targets(c, role, namespace);
    for (size_t t = 0; t < count && t < TARGETS_MAX; t++)
        for (size_t s = 0; s < binding->subject_count; s++) {
            kim_record r = {.type = KIM_EDGE, .scope = scope};
            r.edge = (kim_edge){.kind = KIM_CAN_BECOME, .from = k8s_subject_id(c->out->scratch, binding, &binding->subjects[s]), .to = c->targets[t].to,
                                .via = c->targets[t].is_token ? KIM_TEXT("serviceaccounts/token") : KIM_TEXT("impersonate"),
                                .to_scope = !kim_text_equal(scope, c->scope) && !c->targets[t].is_account ? c->scope : KIM_NO_TEXT};
            if (r.edge.from.size && put(c, &r) < 0)
                return -1;
        }
    return 0;
}

/* ---- scopes and coverage ---- */

static int by_namespace(const void *left, const void *right)
{
    const k8s_object *a = *(const k8s_object *const *)left, *b = *(const k8s_object *const *)right;
    kim_text x = a->kind == K8S_NAMESPACE ? a->name : a->namespace, y = b->kind == K8S_NAMESPACE ? b->name : b->namespace;
    int order = kim_text_compare(x, y);
    return order ? order : (int)b->kind - (int)a->kind; /* the namespace itself first */
}

static int put_namespace(cluster *c, const k8s_object *object)
{
    bool is_itself = object->kind == K8S_NAMESPACE;
    kim_text name = is_itself ? object->name : object->namespace;
    kim_arena_reset(c->out->scratch);
    kim_text id = k8s_scope(c->out->scratch, c->out->cluster, name);
    kim_record r = {.type = KIM_SCOPE, .scope = id};
    r.as_scope = (kim_scope){.id = id, .kind = KIM_TEXT("namespace"), .parent = c->scope, .name = name,
                             .native_id = is_itself && object->uid.size ? object->uid : KIM_NO_TEXT,
                             .tags = is_itself ? object->labels : (kim_pairs){NULL, 0}};
    return name.size ? put(c, &r) : 0;
}

/* The namespaces that are there, and those that objects say they are in. */
static int put_namespaces(cluster *c)
{
    static const k8s_kind in_one[] = {K8S_NAMESPACE, K8S_ROLE, K8S_ROLE_BINDING, K8S_SERVICE_ACCOUNT};
    size_t total = 0, count = 0;
    for (size_t k = 0; k < sizeof in_one / sizeof *in_one; k++)
        total += c->set->of[in_one[k]].count;
    const k8s_object **all = (const k8s_object **)kim_arena_array(c->out->arena, total + 1, sizeof *all);
    if (all == NULL)
        return no_memory(c);
    for (size_t k = 0; k < sizeof in_one / sizeof *in_one; k++)
        for (size_t i = 0; i < c->set->of[in_one[k]].count; i++)
            all[count++] = &c->set->of[in_one[k]].items[i];
    qsort(all, count, sizeof *all, by_namespace);
    for (size_t i = 0; i < count; i++) {
        kim_text name = all[i]->kind == K8S_NAMESPACE ? all[i]->name : all[i]->namespace;
        kim_text before = i == 0 ? KIM_NO_TEXT : all[i - 1]->kind == K8S_NAMESPACE ? all[i - 1]->name : all[i - 1]->namespace;
        if (!(i && kim_text_equal(name, before)) && put_namespace(c, all[i]) < 0)
            return -1;
    }
    return 0;
}

static int put_scopes(cluster *c)
{
    kim_record r = {.type = KIM_SCOPE, .scope = c->scope};
    r.as_scope = (kim_scope){.id = c->scope, .kind = KIM_TEXT("cluster"), .name = c->out->cluster};
    for (size_t i = 0; i < c->set->of[K8S_NAMESPACE].count; i++)
        if (kim_text_is(c->set->of[K8S_NAMESPACE].items[i].name, "kube-system") && c->set->of[K8S_NAMESPACE].items[i].uid.size)
            r.as_scope.native_id = c->set->of[K8S_NAMESPACE].items[i].uid; /* a cluster has no other id of its own */
    return put(c, &r) < 0 ? -1 : put_namespaces(c);
}

const char *k8s_kind_part(k8s_kind kind)
{
    static const char *const parts[K8S_KINDS] = {"roles", "clusterroles", "rolebindings", "clusterrolebindings", "serviceaccounts", "namespaces"};
    return parts[kind];
}

static int put_coverage(cluster *c)
{
    for (k8s_kind kind = 0; kind < K8S_KINDS; kind++) {
        kim_record r = {.type = KIM_COVERAGE, .scope = c->scope};
        bool is_read = kim_text_is_absent(c->lacking[kind]);
        r.coverage = (kim_coverage){.part = kim_text_of(k8s_kind_part(kind)), .status = is_read ? KIM_READ : KIM_PARTIAL, .why = c->lacking[kind]};
        if (put(c, &r) < 0)
            return -1;
    }
    return 0;
}

int k8s_put_cluster(k8s_out *out, const k8s_set *set, const kim_text lacking[K8S_KINDS], kim_error *err)
{
    cluster c = {.out = out, .set = set, .lacking = lacking, .scope = k8s_scope(out->arena, out->cluster, KIM_NO_TEXT), .err = err};
    c.targets = KIM_NEW_ARRAY(out->arena, target, TARGETS_MAX);
    if (c.targets == NULL || kim_text_is_absent(c.scope))
        return no_memory(&c);
    if (k8s_put_profile(out, err) < 0 || put_scopes(&c) < 0 || put_coverage(&c) < 0 || find_all(&c) < 0 || sort_roles(&c) < 0)
        return -1;
    for (size_t i = 0; i < c.count; i++)
        if (put_identity(&c, &c.all[i]) < 0 || put_memberships(&c, &c.all[i]) < 0)
            return -1;
    for (k8s_kind kind = K8S_ROLE; kind <= K8S_CLUSTER_ROLE; kind++)
        for (size_t i = 0; i < set->of[kind].count; i++)
            if (k8s_put_role(out, &set->of[kind].items[i], err) < 0)
                return -1;
    for (k8s_kind kind = K8S_ROLE_BINDING; kind <= K8S_CLUSTER_ROLE_BINDING; kind++)
        for (size_t i = 0; i < set->of[kind].count; i++)
            if (k8s_put_binding(out, &set->of[kind].items[i], err) < 0 || put_becoming(&c, &set->of[kind].items[i]) < 0)
                return -1;
    return 0;
}
