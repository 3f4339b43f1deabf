/* SPDX-License-Identifier: Apache-2.0
 *
 * test_kubernetes.c - what holds of Kubernetes' engine whatever roles and bindings say: its laws, its notation, and
 * memory that runs out. What single objects mean stands in tests/conformance/kubernetes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/evaluate/evaluate.h"
#include "controller/evaluate/kubernetes_name.h"
#include "tests/evaluate/tiny_host.h"
#include "tests/support/fail_malloc.h"

enum { FILE_BYTES = 16384, NAMES_BYTES = 1024 };

static tiny_host *host;

static int open_host(void **state)
{
    (void)state;
    host = tiny_host_open("kubernetes");
    return 0;
}

static int close_host(void **state)
{
    (void)state;
    tiny_host_close(host);
    return 0;
}

/* fail_at  which allocation fails, from when the records are there; 0: none. NULL with err */
static estate *estate_of(const char *file, size_t fail_at, kim_error *err)
{
    size_t size = 0;
    const uint8_t *records = tiny_host_normalise(host, "file", "cluster.yaml", file, strlen(file), &size, err);
    if (records == NULL)
        fail_msg("%s", err->message);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    if (fail_at)
        fail_malloc_start(fail_at);
    estate_builder *builder = estate_builder_new(NULL, err);
    bool good = builder != NULL;
    while (good && size > 0) {
        kim_record record;
        size_t used = 0;
        good = kim_record_decode(records, size, arena, &record, &used, err) == 0 && estate_builder_add(builder, &record, err) == 0;
        records += used;
        size -= used;
    }
    estate *es = NULL;
    if (good)
        es = estate_build(builder, err);
    else
        estate_builder_free(builder);
    kim_arena_free(arena);
    return es;
}

static int note_one(void *context, kim_text identity, const answer *a)
{
    char *names = context;
    (void)a;
    assert_true(strlen(names) + identity.size + 2 < NAMES_BYTES);
    snprintf(names + strlen(names), NAMES_BYTES - strlen(names), "%.*s ", KIM_PRINT(identity));
    return 0;
}

static int note_grant(void *context, const grant *g, const answer *a)
{
    char *names = context;
    (void)a;
    assert_true(strlen(names) + g->action.size + g->resource.size + 3 < NAMES_BYTES);
    snprintf(names + strlen(names), NAMES_BYTES - strlen(names), "%.*s %.*s\n", KIM_PRINT(g->action), KIM_PRINT(g->resource));
    return 0;
}

/* ---- random clusters ---- */

#define RBAC "apiVersion: rbac.authorization.k8s.io/v1\n"

static uint64_t seed;

static unsigned pick(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

static const char *const verbs[] = {"get", "list", "*"}, *const api_groups[] = {"", "apps", "*"};
static const char *const resources[] = {"pods", "pods/log", "*/log", "*", "deployments"}, *const namespaces[] = {"web", "db"};
static const char *const subjects[] = {"{kind: User, name: ann}", "{kind: User, name: bob}", "{kind: Group, name: team}",
                                       "{kind: ServiceAccount, name: app, namespace: web}", "{kind: Group, name: 'system:serviceaccounts'}"};
static const char *const identities[] = {"ann", "bob", "system:serviceaccount:web:app"};
static const char *const asked[] = {"pods@web", "pods@db:a", "pods/log@web:a", "deployments.apps@web:b", "deployments.apps", "pods@web:*", "pods@*"};

enum { ROLES = 4, BINDINGS_MAX = 6, CLUSTERS = 100, ASKED = sizeof asked / sizeof *asked, IDENTITIES = sizeof identities / sizeof *identities };

typedef struct cluster {
    char roles[ROLES][512], bindings[BINDINGS_MAX][512];
    size_t binding_count;
} cluster;

static void make_rule(char *out, size_t size)
{
    snprintf(out, size, "  - {verbs: ['%s'], apiGroups: ['%s'], resources: ['%s', '%s']%s}\n", verbs[pick(3)], api_groups[pick(3)], resources[pick(5)],
             resources[pick(5)], pick(3) ? "" : ", resourceNames: [a]");
}

static void make_binding(char out[512], size_t number)
{
    char space[64] = "";
    if (pick(3))
        snprintf(space, sizeof space, ", namespace: %s", namespaces[pick(2)]);
    snprintf(out, 512, "---\n" RBAC "kind: %s\nmetadata: {name: b%zu%s}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: r%u}\nsubjects: [%s]\n",
             *space ? "RoleBinding" : "ClusterRoleBinding", number, space, pick(ROLES), subjects[pick(5)]);
}

static void make_cluster(cluster *c, uint64_t number)
{
    seed = number;
    for (unsigned i = 0; i < ROLES; i++) {
        char one[160], other[160];
        make_rule(one, sizeof one);
        make_rule(other, sizeof other);
        snprintf(c->roles[i], sizeof c->roles[i], "---\n" RBAC "kind: ClusterRole\nmetadata: {name: r%u, uid: u%u}\nrules:\n%s%s", i, i, one, other);
    }
    c->binding_count = 1 + pick(BINDINGS_MAX - 1);
    for (size_t i = 0; i < c->binding_count; i++)
        make_binding(c->bindings[i], i);
}

/* backwards: the objects the other way round. */
static estate *build_cluster(const cluster *c, bool backwards)
{
    char file[FILE_BYTES] = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: app, namespace: web}}\n"
                            "---\n" RBAC "kind: RoleList\nitems: []\n---\n" RBAC "kind: RoleBindingList\nitems: []\n"
                            "---\n" RBAC "kind: ClusterRoleBindingList\nitems: []\n";
    kim_error err = {0};
    for (size_t i = 0; i < ROLES; i++)
        strcat(file, c->roles[backwards ? ROLES - 1 - i : i]);
    for (size_t i = 0; i < c->binding_count; i++)
        strcat(file, c->bindings[backwards ? c->binding_count - 1 - i : i]);
    estate *es = estate_of(file, 0, &err);
    assert_non_null(es);
    return es;
}

static question question_of(const char *who, const char *what, bool discover)
{
    return (question){.provider = KIM_TEXT("kubernetes"), .identity = kim_text_of(who), .action = KIM_TEXT("get"), .resource = kim_text_of(what),
                      .discover = discover, .derive = true};
}

static verdict answered(evaluator *ev, const char *who, const char *what, bool discover)
{
    const question q = question_of(who, what, discover);
    kim_error err = {0};
    answer a;
    if (evaluate_can(ev, &q, &a, &err) < 0)
        fail_msg("%s", err.message);
    return a.verdict;
}

static void the_order_of_objects_never_matters(void **state)
{
    (void)state;
    size_t granted = 0, refused = 0;
    for (uint64_t round = 0; round < CLUSTERS; round++) {
        cluster c;
        kim_error err = {0};
        make_cluster(&c, round);
        estate *one = build_cluster(&c, false), *other = build_cluster(&c, true);
        evaluator *ev = evaluator_new(one, &err), *other_ev = evaluator_new(other, &err);
        for (size_t i = 0; i < IDENTITIES; i++)
            for (size_t k = 0; k < ASKED; k++) {
                verdict v = answered(ev, identities[i], asked[k], true);
                assert_int_equal(v, answered(other_ev, identities[i], asked[k], true));
                granted += v == ALLOWED;
                refused += v == DENIED;
            }
        evaluator_free(ev);
        evaluator_free(other_ev);
        estate_release(one);
        estate_release(other);
    }
    assert_true(granted > 100 && refused > 100); /* or nothing was compared */
}

static int width(verdict v)
{
    return v == DENIED ? 0 : v == ALLOWED ? 2 : 1;
}

static void another_binding_never_narrows(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < CLUSTERS; round++) {
        cluster c;
        kim_error err = {0};
        make_cluster(&c, round);
        estate *before = build_cluster(&c, false);
        make_binding(c.bindings[c.binding_count], c.binding_count);
        c.binding_count++;
        estate *after = build_cluster(&c, false);
        evaluator *ev = evaluator_new(before, &err), *wider = evaluator_new(after, &err);
        for (size_t i = 0; i < IDENTITIES; i++)
            for (size_t k = 0; k < ASKED; k++)
                assert_true(width(answered(wider, identities[i], asked[k], true)) >= width(answered(ev, identities[i], asked[k], true)));
        evaluator_free(ev);
        evaluator_free(wider);
        estate_release(before);
        estate_release(after);
    }
}

static void who_can_names_whom_can_allows_and_nobody_else(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < CLUSTERS; round++) {
        cluster c;
        kim_error err = {0};
        make_cluster(&c, round);
        estate *es = build_cluster(&c, false);
        evaluator *ev = evaluator_new(es, &err);
        size_t count;
        const kim_record *all = estate_records(es, KIM_IDENTITY, &count);
        for (size_t k = 0; k < ASKED; k++)
            for (int discover = 0; discover < 2; discover++) {
                question q = question_of("", asked[k], discover);
                char named[NAMES_BYTES] = "";
                q.identity = KIM_NO_TEXT;
                assert_int_equal(evaluate_who_can(ev, &q, note_one, named, &err), 0);
                for (size_t i = 0; i < count; i++) {
                    kim_text id = all[i].identity.id;
                    char whole[132], text[128];
                    snprintf(text, sizeof text, "%.*s", KIM_PRINT(id));
                    snprintf(whole, sizeof whole, "%s ", text);
                    const char *found = strstr(named, whole);
                    bool is_named = found && (found == named || found[-1] == ' ');
                    assert_int_equal(is_named, answered(ev, text, asked[k], discover) != DENIED);
                }
            }
        evaluator_free(ev);
        estate_release(es);
    }
}

/* ---- the notation ---- */

static void a_resource_that_is_called_as_clusters_begin_is_one(void **state)
{
    static const char file[] = RBAC "kind: ClusterRole\nmetadata: {name: r, uid: u}\nrules:\n- {verbs: [get], apiGroups: [''], resources: [k8s], resourceNames: [a/b]}\n"
                               "---\n" RBAC "kind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {kind: ClusterRole, name: r}\nsubjects: [{kind: User, name: ann}]\n"
                               "---\n" RBAC "kind: RoleList\nitems: []\n---\n" RBAC "kind: RoleBindingList\nitems: []\n";
    kim_error err = {0};
    char listed[NAMES_BYTES] = "";
    (void)state;
    estate *es = estate_of(file, 0, &err);
    evaluator *ev = evaluator_new(es, &err);
    assert_int_equal(answered(ev, "ann", "%6B8s:a/b", false), ALLOWED);
    assert_int_equal(answered(ev, "ann", "%6B8s:a", false), DENIED);
    const question q = question_of("ann", "", false);
    assert_int_equal(evaluate_what_can(ev, &q, note_grant, listed, &err), 0);
    assert_string_equal(listed, "get %6B8s:a/b\n");
    evaluator_free(ev);
    estate_release(es);
}

static void what_is_written_is_read_again(void **state)
{
    static const struct { const char *cluster, *pattern, *namespace, *written; } rows[] = {
        {"", "pods", "", "pods"},
        {"prod", "pods/log:api-0", "web", "k8s:prod/pods/log@web:api-0"},
        {"", "deployments.apps", "a:b%", "deployments.apps@a%3Ab%25"},
        {"", "pods", "*", "pods@%2A"},
        {"", "k8s:a/b", "", "%6B8s:a/b"},
        {"prod", "/livez/*", "", "k8s:prod//livez/*"},
    };
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kubernetes_name n;
        kim_error err = {0};
        kim_text written = kubernetes_name_in(arena, kim_text_of(rows[i].cluster), kim_text_of(rows[i].pattern), kim_text_of(rows[i].namespace), false);
        assert_string_equal(written.bytes, rows[i].written);
        assert_int_equal(kubernetes_name_read(written, arena, &n, &err), 0);
        assert_true(kim_text_is(n.cluster, rows[i].cluster) && kim_text_is(n.namespace, rows[i].namespace) && !n.any_namespace);
    }
    kim_arena_free(arena);
}

static void what_begins_with_an_empty_list_is_read(void **state)
{
    kim_error err = {0};
    (void)state;
    estate *es = estate_of("{items: [], apiVersion: rbac.authorization.k8s.io/v1, kind: RoleList}", 0, &err);
    assert_non_null(es);
    estate_release(es);
}

/* ---- memory ---- */

static void without_memory_nothing_is_decided_wrongly(void **state)
{
    static const char file[] =
        RBAC "kind: ClusterRole\nmetadata: {name: r, uid: u}\nrules:\n- {verbs: [get], apiGroups: [''], resources: [pods, '*/log'], resourceNames: [a]}\n"
        "- {verbs: ['*'], nonResourceURLs: [/healthz, /livez/*]}\n"
        "---\n" RBAC "kind: RoleBinding\nmetadata: {name: b, namespace: web}\nroleRef: {kind: ClusterRole, name: r}\nsubjects: [{kind: Group, name: team}, {kind: User, name: ann}]\n"
        "---\n" RBAC "kind: ClusterRoleBindingList\nitems: []\n---\n" RBAC "kind: RoleList\nitems: []\n"
        "---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: app, namespace: web}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: web}}\n";
    size_t failed = 0, n;
    (void)state;
    for (n = 1; n == 1 || fail_malloc_stop(); n++) {
        kim_error err = {0};
        const question sure = question_of("ann", "pods@web:a", true), part = question_of("ann", "pods@*", true), named = question_of("ann", "pods@web:*", true);
        const question rows = question_of("ann", "", true);
        answer a;
        char names[NAMES_BYTES] = "", grants[NAMES_BYTES] = "";
        estate *es = estate_of(file, n, &err);
        evaluator *ev = es ? evaluator_new(es, &err) : NULL;
        int results[5] = {-1, -1, -1, -1, -1};
        if (ev && (results[0] = evaluate_can(ev, &sure, &a, &err)) == 0)
            assert_int_equal(a.verdict, ALLOWED);
        if (ev && (results[1] = evaluate_can(ev, &part, &a, &err)) == 0)
            assert_int_equal(a.verdict, DENIED); /* "a" is no list of them */
        if (ev && (results[2] = evaluate_can(ev, &named, &a, &err)) == 0)
            assert_int_equal(a.verdict, CONDITIONAL);
        if (ev && (results[3] = evaluate_who_can(ev, &sure, note_one, names, &err)) == 0)
            assert_string_equal(names, "ann group:system:masters group:team ");
        if (ev && (results[4] = evaluate_what_can(ev, &rows, note_grant, grants, &err)) == 0)
            assert_string_equal(grants, "get */log@web:a\nget pods@web:a\n");
        for (size_t i = 0; i < 5; i++)
            failed += results[i] < 0;
        if (results[0] < 0 || results[1] < 0 || results[2] < 0 || results[3] < 0 || results[4] < 0)
            assert_int_equal(err.code, KIM_ERR_NOMEM);
        evaluator_free(ev);
        estate_release(es);
    }
    assert_true(failed > 0 && n > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_objects_never_matters),
        cmocka_unit_test(another_binding_never_narrows),
        cmocka_unit_test(who_can_names_whom_can_allows_and_nobody_else),
        cmocka_unit_test(a_resource_that_is_called_as_clusters_begin_is_one),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_begins_with_an_empty_list_is_read),
        cmocka_unit_test(without_memory_nothing_is_decided_wrongly),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
