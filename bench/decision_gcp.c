/* SPDX-License-Identifier: Apache-2.0
 *
 * decision_gcp - explained decisions a second, one core, in an organisation of Google Cloud; and who-can.
 *
 * An organisation of 60 folders and 500 projects with 5 buckets each; 2,000 people in 400 groups that nest
 * three deep, and a service account a project; 6,140 bindings of three members over all of these, one in ten with a condition;
 * 40 deny rules, some under a tag; boundaries on a third of the groups. The roles are the predefined ones of the file
 * ROLES (a list as roles.list?view=FULL has it), whose permissions the requests ask about. Every answer's
 * statements are read. Usage: decision_gcp ROLES [REQUESTS] [RUNS]
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <kim/json.h>

#include "controller/evaluate/evaluate.h"
#include "tests/evaluate/tiny_host.h"

enum { FOLDERS = 60, PROJECTS = 500, BUCKETS = 5, PEOPLE = 2000, GROUPS = 400, WHO_CANS = 200 };

#define MANAGER "//cloudresourcemanager.googleapis.com/"
#define BUCKET "//storage.googleapis.com/projects/_/buckets/"

static uint64_t seed = 1;

static unsigned pick(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

/* ---- the organisation, as one collected file ---- */

static char *text;
static size_t text_size, text_room;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    va_list args;
    if (text_room - text_size < 4096 && (text = realloc(text, text_room = 2 * text_room + 65536)) == NULL)
        exit(1);
    va_start(args, format);
    text_size += (size_t)vsnprintf(text + text_size, text_room - text_size, format, args);
    va_end(args);
}

static void put_member(void)
{
    unsigned kind = pick(10);
    if (kind < 6)
        put("\"group:g%u@example.com\"", pick(GROUPS));
    else if (kind < 9)
        put("\"user:p%u@example.com\"", pick(PEOPLE));
    else
        put("\"serviceAccount:robot@project-%u.iam.gserviceaccount.com\"", pick(PROJECTS));
}

static unsigned binding_count;

static void put_policy(unsigned bindings, const kim_json *roles)
{
    put("\"policy\":{\"version\":3,\"bindings\":[");
    for (unsigned i = 0; i < bindings; i++) {
        kim_text role = kim_json_text_of(&roles->items[pick((unsigned)roles->count)], "name");
        put("%s{\"role\":\"%.*s\",\"members\":[", i ? "," : "", KIM_PRINT(role));
        for (unsigned k = 0; k < 3; k++) {
            put(k ? "," : "");
            put_member();
        }
        put("]");
        if (pick(10) == 0)
            put(",\"condition\":{\"title\":\"t\",\"expression\":\"%s\"}",
                pick(2) ? "request.time < timestamp('2027-01-01T00:00:00Z')" : "resource.name.startsWith('projects/_/buckets/b') && resource.type == 'storage.googleapis.com/Bucket'");
        put("}");
    }
    put("]}");
    binding_count += bindings;
}

static void put_denies(unsigned from, unsigned count)
{
    put(",\"deny\":[");
    for (unsigned i = from; i < from + count; i++)
        put("%s{\"name\":\"policies/x/denypolicies/d%u\",\"rules\":[{\"denyRule\":{\"deniedPrincipals\":[\"principalSet://goog/public:all\"],"
            "\"exceptionPrincipals\":[\"principalSet://goog/group/g%u@example.com\"],\"deniedPermissions\":[\"%s\"]%s}}]}",
            i > from ? "," : "", i, pick(GROUPS), pick(2) ? "iam.googleapis.com/serviceAccounts.*" : "storage.googleapis.com/*.delete",
            pick(2) ? ",\"denialCondition\":{\"expression\":\"!resource.matchTag('1/env','test')\"}" : "");
    put("]");
}

static void put_organisation(const kim_json *roles)
{
    put("{\"resources\":{\"" MANAGER "organizations/1\":{");
    put_policy(40, roles);
    put_denies(0, 10);
    put("}");
    for (unsigned f = 0; f < FOLDERS; f++) {
        put(",\"" MANAGER "folders/%u\":{\"parent\":\"" MANAGER "%s/%u\",", f + 10, f < 6 ? "organizations" : "folders", f < 6 ? 1 : (f - 6) / 9 + 10);
        put_policy(10, roles);
        if (f % 10 == 0)
            put_denies(10 + f / 2, 5);
        put("}");
    }
    for (unsigned p = 0; p < PROJECTS; p++) {
        put(",\"" MANAGER "projects/project-%u\":{\"parent\":\"" MANAGER "folders/%u\",\"tags\":{\"1/env\":\"%s\"},", p, 16 + p % (FOLDERS - 6), p % 3 ? "prod" : "test");
        put_policy(8, roles);
        put("}");
        for (unsigned b = 0; b < BUCKETS; b++) {
            put(",\"" BUCKET "b%u-%u\":{\"parent\":\"" MANAGER "projects/project-%u\",", p, b, p);
            put_policy(b == 0 ? 3 : 0, roles);
            put("}");
        }
    }
    put("},\"roles\":{");
    for (size_t i = 0; i < roles->count; i++) {
        const kim_json *list = kim_json_get(&roles->items[i], "includedPermissions");
        put("%s\"%.*s\":[", i ? "," : "", KIM_PRINT(kim_json_text_of(&roles->items[i], "name")));
        for (size_t k = 0; list && k < list->count; k++)
            put("%s\"%.*s\"", k ? "," : "", KIM_PRINT(list->items[k].text));
        put("]");
    }
    put("},\"groups\":{");
    for (unsigned g = 0; g < GROUPS; g++) {
        put("%s\"group:g%u@example.com\":[", g ? "," : "", g);
        for (unsigned k = 0; k < 12; k++)
            put("%s\"user:p%u@example.com\"", k ? "," : "", pick(PEOPLE));
        for (unsigned k = 0; k < 2 && 3 * g + k + 1 < GROUPS; k++)
            put(",\"group:g%u@example.com\"", 3 * g + k + 1);
        put("]");
    }
    put("},\"principal_access_boundaries\":[");
    for (unsigned i = 0; i < 20; i++) {
        put("%s{\"principals\":[", i ? "," : "");
        for (unsigned k = 0; k < GROUPS / 60; k++)
            put("%s\"group:g%u@example.com\"", k ? "," : "", pick(GROUPS));
        put("],\"policy\":{\"name\":\"organizations/1/locations/global/principalAccessBoundaryPolicies/b%u\",\"details\":{\"rules\":[{\"effect\":\"ALLOW\",\"resources\":[\""
            MANAGER "folders/%u\",\"" MANAGER "folders/%u\"]}]}},\"blocked_permissions\":[\"storage.*\",\"iam.*\",\"compute.*\"]}", i, pick(FOLDERS) + 10, pick(6) + 10);
    }
    put("]}");
}

static estate *build(kim_error *err)
{
    tiny_host *host = tiny_host_open("gcp");
    size_t size;
    const uint8_t *records = tiny_host_normalise(host, "file", "organisation.json", text, text_size, &size, err);
    estate_builder *builder = records ? estate_builder_new(NULL, err) : NULL;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    while (builder && size > 0) {
        kim_record record;
        size_t used;
        kim_arena_reset(arena);
        if (kim_record_decode(records, size, arena, &record, &used, err) < 0 || estate_builder_add(builder, &record, err) < 0)
            return NULL;
        records += used;
        size -= used;
    }
    kim_arena_free(arena);
    tiny_host_close(host);
    return builder ? estate_build(builder, err) : NULL;
}

/* ---- the questions ---- */

static question *make_questions(kim_arena *arena, const kim_json *roles, int count)
{
    static const kim_text now = {"2026-06-01T12:00:00Z", 20}, type = {"storage.googleapis.com/Bucket", 29}, name = {"projects/_/buckets/b1", 21};
    static const context_entry context[] = {{KIM_TEXT("request.time"), {&now, 1}, NULL}, {KIM_TEXT("resource.type"), {&type, 1}, NULL}, {KIM_TEXT("resource.name"), {&name, 1}, NULL}};
    question *questions = KIM_NEW_ARRAY(arena, question, (size_t)count);
    for (int i = 0; i < count; i++) {
        const kim_json *list = NULL;
        while (list == NULL || list->count == 0)
            list = kim_json_get(&roles->items[pick((unsigned)roles->count)], "includedPermissions");
        unsigned project = pick(PROJECTS), kind = pick(3);
        questions[i] = (question){
            .provider = KIM_TEXT("gcp"), .action = kim_text_copy(arena, list->items[pick((unsigned)list->count)].text), .context = context, .context_count = 3,
            .identity = kim_text_format(arena, pick(10) ? "user:p%u@example.com" : "serviceAccount:robot@project-%u.iam.gserviceaccount.com", pick(PROJECTS)),
            .resource = kind == 0 ? kim_text_format(arena, MANAGER "projects/project-%u", project)
                                  : kim_text_format(arena, BUCKET "b%u-%u%s", project, pick(BUCKETS), kind == 1 ? "" : "/objects/report")};
    }
    return questions;
}

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

static int count_one(void *context, kim_text identity, const answer *a)
{
    (void)identity, (void)a;
    ++*(size_t *)context;
    return 0;
}

static int failed(const kim_error *err)
{
    fprintf(stderr, "decision_gcp: %s\n", err->message);
    return 1;
}

int main(int argc, char **argv)
{
    int count = argc > 2 ? atoi(argv[2]) : 50000, runs = argc > 3 ? atoi(argv[3]) : 5;
    kim_error err = {0};
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    static char roles_text[64 * 1024 * 1024];
    size_t roles_size = file ? fread(roles_text, 1, sizeof roles_text, file) : 0;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    const kim_json *roles = kim_json_parse(roles_text, roles_size, argc > 1 ? argv[1] : "ROLES", arena, &err);
    double times[64];
    size_t verdicts[4] = {0}, named = 0, people = 0;
    if (!kim_json_is(roles, KIM_JSON_ARRAY) || roles->count == 0 || runs < 1 || runs > 64) {
        fprintf(stderr, "usage: decision_gcp ROLES [REQUESTS] [RUNS]; %s\n", err.message);
        return 2;
    }
    put_organisation(roles);
    estate *es = build(&err);
    evaluator *ev = es ? evaluator_new(es, &err) : NULL;
    question *questions = make_questions(arena, roles, count);
    if (ev == NULL)
        return failed(&err);
    for (int r = 0; r < runs; r++) {
        double start = cpu_s();
        memset(verdicts, 0, sizeof verdicts);
        named = 0;
        for (int i = 0; i < count; i++) {
            answer a;
            if (evaluate_can(ev, &questions[i], &a, &err) < 0)
                return failed(&err);
            verdicts[a.verdict]++;
            for (size_t k = 0; k < a.because_count; k++)
                named += a.because[k].policy.size > 0;
        }
        times[r] = count / (cpu_s() - start);
    }
    qsort(times, (size_t)runs, sizeof *times, by_size);
    printf("%zu predefined roles, %u bindings; %d requests: %zu allowed, %zu denied, %zu unknown, %zu statements named\n", roles->count, binding_count, count, verdicts[ALLOWED],
           verdicts[DENIED], verdicts[UNKNOWN], named);
    printf("%.0f decisions/s median of %d (%.0f to %.0f)\n", times[runs / 2], runs, times[0], times[runs - 1]);
    double start = cpu_s();
    for (int i = 0; i < WHO_CANS; i++)
        if (evaluate_who_can(ev, &questions[i], count_one, &people, &err) != 0)
            return failed(&err);
    double who = (cpu_s() - start) / WHO_CANS;
    printf("who-can %.3f ms each, %.1f each of %d; one `can` for each of them %.3f ms\n", who * 1e3, (double)people / WHO_CANS, PEOPLE + PROJECTS, (PEOPLE + PROJECTS) / times[runs / 2] * 1e3);
    evaluator_free(ev);
    estate_release(es);
    kim_arena_free(arena);
    free(text);
    return 0;
}
