/* SPDX-License-Identifier: Apache-2.0
 *
 * decision_azure - explained decisions a second, one core, in a tenant of Azure; and who-can.
 *
 * A tree of 40 management groups over 200 subscriptions of 10 resource groups; 2,000 people in 400 groups
 * that nest three deep; 6,000 role assignments over all of these (one in ten with a condition, one in fifty
 * scheduled) and 40 deny assignments. The roles are the built-in ones of the file ROLES (a list as `az role
 * definition list` prints it), actions and patterns of which the requests ask about; every answer's
 * statements are read. Usage: decision_azure ROLES [REQUESTS] [RUNS]
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <kim/json.h>

#include "controller/evaluate/evaluate.h"
#include "tests/evaluate/tiny_host.h"

enum { MANAGEMENT_GROUPS = 40, SUBSCRIPTIONS = 200, RESOURCE_GROUPS = 10, PEOPLE = 2000, GROUPS = 400, ASSIGNMENTS = 6000, DENIES = 40, WHO_CANS = 200 };

static uint64_t seed = 1;

static unsigned pick(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

/* ---- the tenant, as one collected file ---- */

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

static void put_bytes(const char *bytes, size_t size)
{
    if (text_room - text_size < size + 4096 && (text = realloc(text, text_room = 2 * text_room + size + 65536)) == NULL)
        exit(1);
    memcpy(text + text_size, bytes, size);
    text_size += size;
}

static const char *scope_of(char out[256], bool resource)
{
    unsigned kind = pick(resource ? 4 : 10), s = pick(SUBSCRIPTIONS), g = pick(RESOURCE_GROUPS);
    if (!resource && kind < 1)
        snprintf(out, 256, "/providers/Microsoft.Management/managementGroups/mg-%u", pick(MANAGEMENT_GROUPS));
    else if (!resource && kind < 4)
        snprintf(out, 256, "/subscriptions/10000000-0000-4000-8000-%012u", s);
    else if (kind < (resource ? 1 : 8))
        snprintf(out, 256, "/subscriptions/10000000-0000-4000-8000-%012u/resourceGroups/rg-%u", s, g);
    else
        snprintf(out, 256, "/subscriptions/10000000-0000-4000-8000-%012u/resourceGroups/rg-%u/providers/Microsoft.Storage/storageAccounts/sa%u%s", s, g, pick(20),
                 resource ? "/blobServices/default/containers/c" : "");
    return out;
}

#define ID(kind) kind "0000000-0000-4000-8000-%012u"

static void put_assignment(unsigned i, const kim_json *roles)
{
    char scope[256];
    bool to_group = pick(3) != 0;
    kim_text role = kim_json_text_of(&roles->items[pick(4) ? pick((unsigned)roles->count) : i % 60], "name");
    put("%s{\"id\":\"ra-%u\",\"principalType\":\"%s\",\"roleDefinitionId\":\"/x/%.*s\",\"scope\":\"%s\",\"principalId\":\"", i ? "," : "", i, to_group ? "Group" : "User",
        KIM_PRINT(role), scope_of(scope, false));
    if (to_group)
        put(ID("b") "\"", pick(GROUPS));
    else
        put(ID("a") "\"", pick(PEOPLE));
    if (i % 10 == 3)
        put(",\"conditionVersion\":\"2.0\",\"condition\":\"((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'} AND NOT "
            "SubOperationMatches{'Blob.List'})) OR (@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'c%u'))\"", i % 7);
    if (i % 50 == 7)
        put(",\"startDateTime\":\"2026-01-01T00:00:00Z\",\"endDateTime\":\"2027-01-01T00:00:00Z\"");
    put("}");
}

static void put_tenant(const char *roles_text, size_t roles_size, const kim_json *roles)
{
    char scope[256];
    put("{\"tenant\":\"99999999-0000-4000-8000-000000000009\",\"role_definitions\":");
    put_bytes(roles_text, roles_size);
    put(",\"role_assignments\":[");
    for (unsigned i = 0; i < ASSIGNMENTS; i++)
        put_assignment(i, roles);
    put("],\"deny_assignments\":[");
    for (unsigned i = 0; i < DENIES; i++)
        put("%s{\"id\":\"d-%u\",\"denyAssignmentName\":\"deny-%u\",\"scope\":\"%s\",\"permissions\":[{\"actions\":[\"*/delete\",\"*/write\"],\"notActions\":[\"Microsoft.Storage/*\"]}],"
            "\"principals\":[{\"id\":\"00000000-0000-0000-0000-000000000000\",\"type\":\"SystemDefined\"}],\"excludePrincipals\":[{\"id\":\"" ID("b") "\",\"type\":\"Group\"}]}",
            i ? "," : "", i, i, scope_of(scope, false), pick(GROUPS));
    put("],\"groups\":{");
    for (unsigned g = 0; g < GROUPS; g++) {
        put("%s\"" ID("b") "\":[", g ? "," : "", g);
        for (unsigned k = 0; k < 12; k++)
            put("%s\"" ID("a") "\"", k ? "," : "", pick(PEOPLE));
        for (unsigned k = 0; k < 2 && 3 * g + k + 1 < GROUPS; k++)
            put(",\"" ID("b") "\"", 3 * g + k + 1);
        put("]");
    }
    put("},\"management_groups\":{");
    for (unsigned m = 0; m < MANAGEMENT_GROUPS; m++)
        put("%s\"mg-%u\":\"%s%.0u\"", m ? "," : "", m, m ? "mg-" : "/", m ? (m - 1) / 3 : 0);
    for (unsigned s = 0; s < SUBSCRIPTIONS; s++)
        put(",\"/subscriptions/10000000-0000-4000-8000-%012u\":\"mg-%u\"", s, 13 + s % 27);
    put("},\"directory_objects\":[");
    for (unsigned p = 0; p < PEOPLE; p++)
        put("%s{\"id\":\"" ID("a") "\",\"userPrincipalName\":\"p%u@example.com\"}", p ? "," : "", p, p);
    put("]}");
}

static estate *build(kim_error *err)
{
    tiny_host *host = tiny_host_open("azure");
    size_t size;
    const uint8_t *records = tiny_host_normalise(host, "file", "tenant.json", text, text_size, &size, err);
    estate_builder *builder = records ? estate_builder_new(NULL, err) : NULL;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    while (builder && size > 0) {
        kim_record record;
        size_t used;
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
    static const kim_text now = {"2026-06-01T12:00:00Z", 20}, container = {"c3", 2};
    static const context_entry context[] = {
        {KIM_TEXT("@Environment[UtcNow]"), {&now, 1}, NULL}, {KIM_TEXT("@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]"), {&container, 1}, NULL}};
    question *questions = KIM_NEW_ARRAY(arena, question, (size_t)count);
    for (int i = 0; i < count; i++) {
        char scope[256];
        const kim_json *permissions = kim_json_get(&roles->items[pick((unsigned)roles->count)], "permissions");
        bool data = pick(3) == 0;
        const kim_json *list = permissions && permissions->count ? kim_json_get(&permissions->items[0], data ? "dataActions" : "actions") : NULL;
        kim_text action = list && list->count ? list->items[pick((unsigned)list->count)].text : KIM_TEXT("Microsoft.Storage/storageAccounts/read");
        questions[i] = (question){.provider = KIM_TEXT("azure"), .identity = kim_text_format(arena, ID("a"), pick(PEOPLE)), .action = action, .data = data,
                                  .resource = kim_text_copy(arena, kim_text_of(scope_of(scope, true))), .context = context, .context_count = 2};
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
        fprintf(stderr, "usage: decision_azure ROLES [REQUESTS] [RUNS]; %s\n", err.message);
        return 2;
    }
    put_tenant(roles_text, roles_size, roles);
    estate *es = build(&err);
    evaluator *ev = es ? evaluator_new(es, &err) : NULL;
    question *questions = make_questions(arena, roles, count);
    if (ev == NULL) {
        fprintf(stderr, "decision_azure: %s\n", err.message);
        return 1;
    }
    for (int r = 0; r < runs; r++) {
        double start = cpu_s();
        memset(verdicts, 0, sizeof verdicts);
        named = 0;
        for (int i = 0; i < count; i++) {
            answer a;
            if (evaluate_can(ev, &questions[i], &a, &err) < 0) {
                fprintf(stderr, "decision_azure: %s\n", err.message);
                return 1;
            }
            verdicts[a.verdict]++;
            for (size_t k = 0; k < a.because_count; k++)
                named += a.because[k].statement.size > 0;
        }
        times[r] = count / (cpu_s() - start);
    }
    qsort(times, (size_t)runs, sizeof *times, by_size);
    printf("%zu built-in roles, %d assignments; %d requests: %zu allowed, %zu denied, %zu unknown, %zu statements named\n", roles->count, ASSIGNMENTS, count,
           verdicts[ALLOWED], verdicts[DENIED], verdicts[UNKNOWN], named);
    printf("%.0f decisions/s median of %d (%.0f to %.0f)\n", times[runs / 2], runs, times[0], times[runs - 1]);
    double start = cpu_s();
    for (int i = 0; i < WHO_CANS; i++)
        if (evaluate_who_can(ev, &questions[i], count_one, &people, &err) != 0)
            return 1;
    double who = (cpu_s() - start) / WHO_CANS;
    printf("who-can %.3f ms each, %.1f people each of %d; one `can` for each of them %.3f ms\n", who * 1e3, (double)people / WHO_CANS, PEOPLE, PEOPLE / times[runs / 2] * 1e3);
    evaluator_free(ev);
    estate_release(es);
    kim_arena_free(arena);
    free(text);
    return 0;
}
