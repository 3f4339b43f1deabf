/* SPDX-License-Identifier: Apache-2.0
 *
 * kubernetes - explained decisions a second, one core, and who-can: the default roles, bound thousands of times.
 *
 * Usage: kubernetes FOLDER [BINDINGS] [RUNS]. FOLDER holds the default roles and bindings as YAML; to these come service
 * accounts, each bound to view, edit or admin in one of 200 namespaces. Requests differ in user, namespace, verb, resource and
 * name; half of them are granted, and every answer's statements are read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "controller/evaluate/evaluate.h"
#include "tests/evaluate/tiny_host.h"

enum { NAMESPACES = 200, REQUESTS = 20000, RUNS_MAX = 64 };

static kim_arena *arena;
static estate_builder *builder;
static tiny_host *host;

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void stop(const char *why)
{
    fprintf(stderr, "kubernetes: %s\n", why);
    exit(2);
}

static void take(const char *name, const char *bytes, size_t size)
{
    kim_error err = {0};
    size_t records_size = 0;
    const uint8_t *records = tiny_host_normalise(host, "file", name, bytes, size, &records_size, &err);
    while (records && records_size) {
        kim_record record;
        size_t used;
        if (kim_record_decode(records, records_size, arena, &record, &used, &err) < 0 || estate_builder_add(builder, &record, &err) < 0)
            stop(err.message);
        records += used;
        records_size -= used;
    }
    if (records == NULL)
        stop(err.message);
}

static void take_file(const char *folder, const char *name)
{
    static char bytes[1 << 20];
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        stop(path);
    size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    take(path, bytes, size);
}

static void bind(int count)
{
    static const char *const roles[] = {"view", "edit", "admin"};
    char *bytes = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&bytes, &size);
    fprintf(f, "{\"kind\":\"RoleBindingList\",\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\"items\":[");
    for (int i = 0; i < count; i++)
        fprintf(f, "%s{\"metadata\":{\"name\":\"b%d\",\"namespace\":\"ns-%d\"},\"roleRef\":{\"kind\":\"ClusterRole\",\"name\":\"%s\"},"
                   "\"subjects\":[{\"kind\":\"ServiceAccount\",\"name\":\"app-%d\"},{\"kind\":\"Group\",\"name\":\"team-%d\"}]}",
                i ? "," : "", i, i % NAMESPACES, roles[i % 3], i, i % 50);
    fprintf(f, "]}");
    fclose(f);
    take("bindings", bytes, size);
    free(bytes);
}

static question *make_questions(int bindings)
{
    static const char *const verbs[] = {"get", "list", "delete", "create"}, *const resources[] = {"pods", "secrets", "deployments", "nodes", "configmaps"};
    question *questions = KIM_NEW_ARRAY(arena, question, REQUESTS);
    for (int i = 0; i < REQUESTS; i++) {
        int app = i % bindings, resource = i % 5;
        kubernetes_request *r = KIM_NEW(arena, kubernetes_request);
        kim_text *groups = KIM_NEW_ARRAY(arena, kim_text, 3);
        groups[0] = KIM_TEXT("system:serviceaccounts");
        groups[1] = kim_text_format(arena, "system:serviceaccounts:ns-%d", app % NAMESPACES);
        groups[2] = KIM_TEXT("system:authenticated");
        *r = (kubernetes_request){.groups = {groups, 3}, .verb = kim_text_of(verbs[i / 5 % 4]), .api_group = kim_text_of(resource == 2 ? "apps" : ""),
                                  .resource = kim_text_of(resources[resource]), .subresource = KIM_NO_TEXT,
                                  .name = i % 3 ? kim_text_format(arena, "thing-%d", i) : KIM_TEXT(""),
                                  .namespace = kim_text_format(arena, "ns-%d", (app + (i % 8 == 0)) % NAMESPACES)};
        questions[i] = (question){.provider = KIM_TEXT("kubernetes"), .kubernetes = r,
                                  .identity = kim_text_format(arena, "system:serviceaccount:ns-%d:app-%d", app % NAMESPACES, app)};
    }
    return questions;
}

static int count_one(void *user, kim_text identity, const answer *a)
{
    (void)identity;
    *(size_t *)user += a->verdict == ALLOWED;
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const files[] = {"cluster-roles.yaml", "cluster-role-bindings.yaml", "controller-roles.yaml", "controller-role-bindings.yaml",
                                        "namespace-roles.yaml", "namespace-role-bindings.yaml"};
    int bindings = argc > 2 ? atoi(argv[2]) : 4000, runs = argc > 3 ? atoi(argv[3]) : 9;
    kim_error err = {0};
    double times[RUNS_MAX], who[RUNS_MAX];
    size_t allowed = 0, named = 0, answers = 0;
    if (argc < 2 || bindings < 1 || runs < 1 || runs > RUNS_MAX)
        stop("usage: kubernetes FOLDER [BINDINGS] [RUNS]");
    arena = kim_arena_new((size_t)-1);
    host = tiny_host_open("kubernetes");
    builder = estate_builder_new(NULL, &err);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        take_file(argv[1], files[i]);
    bind(bindings);
    estate *es = estate_build(builder, &err);
    evaluator *ev = es ? evaluator_new(es, &err) : NULL;
    if (ev == NULL)
        stop(err.message);
    question *questions = make_questions(bindings);
    const question q = {.provider = KIM_TEXT("kubernetes"), .action = KIM_TEXT("get"), .resource = KIM_TEXT("secrets@ns-7"), .derive = true};
    for (int r = -1; r < runs; r++) { /* the first one makes the index */
        double start = cpu_s();
        allowed = named = answers = 0;
        for (int i = 0; i < REQUESTS; i++) {
            answer a;
            if (evaluate_can(ev, &questions[i], &a, &err) < 0)
                stop(err.message);
            allowed += a.verdict == ALLOWED;
            for (size_t k = 0; k < a.because_count; k++)
                named += a.because[k].statement.size > 0;
        }
        double middle = cpu_s();
        if (evaluate_who_can(ev, &q, count_one, &answers, &err) != 0)
            stop(err.message);
        if (r >= 0) {
            times[r] = middle - start;
            who[r] = (cpu_s() - middle) * 1e6;
        }
    }
    qsort(times, (size_t)runs, sizeof *times, by_size);
    qsort(who, (size_t)runs, sizeof *who, by_size);
    printf("%.0f decisions/s median, %.0f best; %zu of %d allowed, %zu statements named; who-can %.0f us median, %zu allowed\n",
           REQUESTS / times[runs / 2], REQUESTS / times[0], allowed, REQUESTS, named, who[runs / 2], answers);
    evaluator_free(ev);
    estate_release(es);
    tiny_host_close(host);
    kim_arena_free(arena);
    return 0;
}
