/* SPDX-License-Identifier: Apache-2.0
 *
 * test_azure.c - what holds of Azure's engine whatever the documents say: its laws, its limits, and memory
 * that runs out. What single documents mean stands in tests/conformance/azure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controller/evaluate/azure_condition.h"
#include "controller/evaluate/evaluate.h"
#include "tests/evaluate/tiny_host.h"
#include "tests/support/fail_malloc.h"

/* ---- a case, answered ---- */

static tiny_host *host;
static case_reader *reader;

/* The answer's line; to be freed. */
static char *answered(const char *line)
{
    kim_error err = {0};
    size_t records_size = 0, size;
    kim_json_writer *writer = kim_json_writer_new(false);
    const uint8_t *records = tiny_host_normalise(host, "case", "case", line, strlen(line), &records_size, &err);
    assert_true(case_answer(reader, kim_text_of(line), records, records_size, records ? NULL : err.message, writer, &err) >= 0);
    const char *bytes = kim_json_writer_bytes(writer, &size, &err);
    char *copy = strndup(bytes, size);
    kim_json_writer_free(writer);
    return copy;
}

static void assert_says(const char *line, const char *part)
{
    char *said = answered(line);
    if (strstr(said, part) == NULL)
        fail_msg("%s does not say %s", said, part);
    free(said);
}

static int open_host(void **state)
{
    kim_error err = {0};
    (void)state;
    host = tiny_host_open("azure");
    reader = case_reader_new(NULL, &err);
    return reader ? 0 : -1;
}

static int close_host(void **state)
{
    (void)state;
    case_reader_free(reader);
    tiny_host_close(host);
    return 0;
}

/* ---- random tenants ---- */

static uint64_t seed;

static unsigned pick(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

static const char *const patterns[] = {"*", "*/read", "M.A/*", "M.A/x/read", "M.A/x/write", "M.B/*/action", "M.B/y/start/action", "*/write"};
static const char *const actions[] = {"M.A/x/read", "M.A/x/write", "M.B/y/start/action", "M.B/y/delete"};
static const char *const scopes[] = {"/", "/subscriptions/s", "/subscriptions/s/resourceGroups/g", "/subscriptions/s/resourceGroups/gg", "/subscriptions/t"};

typedef struct parts {
    char roles[8][512];       /* documents */
    char assignments[12][256];
    char denies[3][512];
    size_t role_count, assignment_count, deny_count;
} parts;

static void make_role(char *out, unsigned id, const char *yes, const char *no)
{
    snprintf(out, 512, "{\"id\":\"r%u\",\"permissions\":[{\"actions\":[%s],\"notActions\":[%s]}]}", id, yes, no);
}

static void make_parts(parts *p)
{
    p->role_count = 4;
    for (unsigned i = 0; i < 4; i++) {
        char yes[128], no[64] = "";
        snprintf(yes, sizeof yes, "\"%s\",\"%s\"", patterns[pick(8)], patterns[pick(8)]);
        if (pick(2))
            snprintf(no, sizeof no, "\"%s\"", patterns[1 + pick(7)]);
        make_role(p->roles[i], i, yes, no);
    }
    p->assignment_count = 1 + pick(5);
    for (size_t i = 0; i < p->assignment_count; i++)
        snprintf(p->assignments[i], sizeof p->assignments[i], "{\"id\":\"a%zu\",\"principalId\":\"%s\",\"roleDefinitionId\":\"r%u\",\"scope\":\"%s\"%s}", i, pick(2) ? "p" : "g",
                 pick(4), scopes[pick(5)], pick(3) ? "" : ",\"condition\":\"@Resource[a:b] StringEquals 'c'\"");
    p->deny_count = pick(3);
    for (size_t i = 0; i < p->deny_count; i++)
        snprintf(p->denies[i], sizeof p->denies[i], "{\"id\":\"d%zu\",\"denyAssignmentName\":\"d\",\"scope\":\"%s\",\"permissions\":[{\"actions\":[\"%s\"]}],\"principals\":[{\"id\":\"%s\"}]}", i,
                 scopes[pick(5)], patterns[pick(8)], pick(2) ? "00000000-0000-0000-0000-000000000000" : "g");
}

/* backwards: every list the other way round. */
static void write_case(const parts *p, const char *action, const char *scope, bool backwards, char out[16384])
{
    size_t at = (size_t)sprintf(out, "{\"id\":1,\"provider\":\"azure\",\"mode\":\"discover\",\"request\":{\"principal\":\"p\",\"action\":\"%s\",\"scope\":\"%s\"},\"groups\":{\"g\":[\"h\"],\"h\":[\"p\",\"g\"]}",
                                action, scope);
    const struct { const char *name; const char *items; size_t size, count; } lists[] = {
        {"role_definitions", p->roles[0], sizeof *p->roles, p->role_count}, {"role_assignments", p->assignments[0], sizeof *p->assignments, p->assignment_count},
        {"deny_assignments", p->denies[0], sizeof *p->denies, p->deny_count}};
    for (size_t l = 0; l < 3; l++) {
        at += (size_t)sprintf(out + at, ",\"%s\":[", lists[l].name);
        for (size_t i = 0; i < lists[l].count; i++)
            at += (size_t)sprintf(out + at, "%s%s", i ? "," : "", lists[l].items + lists[l].size * (backwards ? lists[l].count - 1 - i : i));
        at += (size_t)sprintf(out + at, "]");
    }
    sprintf(out + at, "}");
}

static int rank(const char *said)
{
    return strstr(said, "\"decision\":\"denied\"") ? 0 : strstr(said, "\"decision\":\"conditional\"") ? 1 : strstr(said, "\"decision\":\"allowed\"") ? 2 : -1;
}

static char *verdict_of(const parts *p, const char *action, const char *scope, bool backwards)
{
    char line[16384];
    write_case(p, action, scope, backwards, line);
    char *said = answered(line);
    assert_true(rank(said) >= 0);
    return said;
}

static void the_order_of_documents_never_matters(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 300; round++) {
        seed = round;
        parts p;
        make_parts(&p);
        const char *action = actions[pick(4)], *scope = scopes[pick(5)];
        char *one = verdict_of(&p, action, scope, false), *other = verdict_of(&p, action, scope, true);
        assert_int_equal(rank(one), rank(other));
        const char *condition = strstr(one, "\"if\""), *other_condition = strstr(other, "\"if\"");
        assert_string_equal(condition ? condition : "", other_condition ? other_condition : "");
        free(one);
        free(other);
    }
}

static void another_deny_never_widens_and_another_assignment_never_narrows(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 300; round++) {
        seed = round;
        parts p;
        make_parts(&p);
        const char *action = actions[pick(4)], *scope = scopes[pick(5)];
        char *before = verdict_of(&p, action, scope, false);
        parts more = p;
        snprintf(more.assignments[more.assignment_count++], sizeof *more.assignments, "{\"id\":\"new\",\"principalId\":\"h\",\"roleDefinitionId\":\"r%u\",\"scope\":\"%s\"}", pick(4), scopes[pick(5)]);
        char *wider = verdict_of(&more, action, scope, false);
        assert_true(rank(wider) >= rank(before));
        snprintf(p.denies[p.deny_count++], sizeof *p.denies, "{\"id\":\"new\",\"denyAssignmentName\":\"n\",\"scope\":\"%s\",\"permissions\":[{\"actions\":[\"%s\"]}],\"principals\":[{\"id\":\"p\"}]}",
                 scopes[pick(5)], patterns[pick(8)]);
        char *narrower = verdict_of(&p, action, scope, false);
        assert_true(rank(narrower) <= rank(before));
        free(before);
        free(wider);
        free(narrower);
    }
}

static void a_role_and_its_actions_in_two_roles_are_the_same(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 300; round++) {
        seed = round;
        parts whole = {.role_count = 1, .assignment_count = 1}, split = {.role_count = 2, .assignment_count = 2};
        char a[64], b[64], both[160], no[64];
        const char *scope = scopes[pick(5)];
        snprintf(a, sizeof a, "\"%s\"", patterns[pick(8)]);
        snprintf(b, sizeof b, "\"%s\"", patterns[pick(8)]);
        snprintf(no, sizeof no, "\"%s\"", patterns[1 + pick(7)]);
        snprintf(both, sizeof both, "%s,%s", a, b);
        make_role(whole.roles[0], 0, both, no);
        make_role(split.roles[0], 0, a, no);
        make_role(split.roles[1], 1, b, no);
        for (unsigned i = 0; i < 2; i++)
            snprintf(split.assignments[i], sizeof *split.assignments, "{\"id\":\"a%u\",\"principalId\":\"p\",\"roleDefinitionId\":\"r%u\",\"scope\":\"%s\"}", i, i, scope);
        memcpy(whole.assignments[0], split.assignments[0], sizeof *whole.assignments);
        const char *action = actions[pick(4)], *asked = scopes[pick(5)];
        char *one = verdict_of(&whole, action, asked, false), *other = verdict_of(&split, action, asked, false);
        assert_int_equal(rank(one), rank(other));
        free(one);
        free(other);
    }
}

/* ---- who-can and can ---- */

static estate *estate_of(const char *file, size_t fail_at, kim_error *err)
{
    size_t size = 0;
    const uint8_t *records = tiny_host_normalise(host, "file", "estate.json", file, strlen(file), &size, err);
    assert_non_null(records);
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
    (void)a;
    char *names = context;
    assert_true(strlen(names) + identity.size + 2 < 1024);
    snprintf(names + strlen(names), 1024 - strlen(names), "%.*s ", KIM_PRINT(identity));
    return 0;
}

static void who_can_names_whom_can_allows_and_nobody_else(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 60; round++) {
        seed = round;
        parts p;
        char file[16384], line[16384];
        kim_error err = {0};
        make_parts(&p);
        write_case(&p, "x", "/", false, line);
        const char *behind = strstr(line, "\"groups\"");
        snprintf(file, sizeof file, "{\"directory_objects\":[{\"id\":\"p\",\"userPrincipalName\":\"p\"},{\"id\":\"q\",\"userPrincipalName\":\"q\"},{\"id\":\"g\",\"securityEnabled\":true},{\"id\":\"h\",\"securityEnabled\":true}],%s",
                 behind);
        estate *es = estate_of(file, 0, &err);
        evaluator *ev = evaluator_new(es, &err);
        for (size_t s = 0; s < 5; s++)
            for (size_t a = 0; a < 4; a++) {
                question q = {.provider = KIM_TEXT("azure"), .action = kim_text_of(actions[a]), .resource = kim_text_of(scopes[s]), .discover = true};
                char named[1024] = "", wanted[1024] = "";
                assert_int_equal(evaluate_who_can(ev, &q, note_one, named, &err), 0);
                for (const char *const *who = (const char *const[]){"p", "q", NULL}; *who; who++) {
                    answer one;
                    q.identity = kim_text_of(*who);
                    assert_int_equal(evaluate_can(ev, &q, &one, &err), 0);
                    if (one.verdict != DENIED)
                        strcat(strcat(wanted, *who), " ");
                }
                assert_string_equal(named, wanted);
            }
        evaluator_free(ev);
        estate_release(es);
    }
}

/* ---- limits ---- */

static char *repeated(const char *head, const char *one, size_t count, const char *tail)
{
    char *text = malloc(strlen(head) + strlen(one) * count + strlen(tail) + 1);
    strcpy(text, head);
    char *at = text + strlen(text);
    for (size_t i = 0; i < count; i++, at += strlen(one))
        memcpy(at, one, strlen(one));
    strcpy(at, tail);
    return text;
}

static const azure_condition *compiled(const char *text, kim_arena *arena, kim_text *unread)
{
    kim_arena_reset(arena);
    text_map *keys = text_map_new(arena);
    return azure_condition_compile(kim_text_of(text), keys, arena, unread);
}

static void a_condition_ten_thousand_deep_is_refused_and_one_as_long_is_read(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    kim_text unread;
    char *deep = repeated("", "(", 10000, "true"), *bangs = repeated("", "!", 10000, "true"), *not_deep = repeated("", "!(", 10000, "true");
    char *wide = repeated("true", " AND true", 10000, "");
    assert_null(compiled(deep, arena, &unread));
    assert_non_null(strstr(unread.bytes, "nested too deep"));
    assert_null(compiled(not_deep, arena, &unread));
    assert_non_null(compiled(bangs, arena, &unread));
    assert_non_null(compiled(wide, arena, &unread));
    free(deep);
    free(bangs);
    free(not_deep);
    free(wide);
    kim_arena_free(arena);
}

static void a_comparison_that_would_take_too_long_is_unknown(void **state)
{
    (void)state;
    char *value = repeated("{\"id\":1,\"provider\":\"azure\",\"request\":{\"principal\":\"p\",\"action\":\"a/b\",\"scope\":\"/\",\"context\":{\"@Resource[a:b]\":\"", "a", 100000,
                           "\"}},\"role_definitions\":[{\"id\":\"r\",\"permissions\":[{\"actions\":[\"*\"]}]}],\"role_assignments\":[{\"principalId\":\"p\",\"roleDefinitionId\":\"r\",\"scope\":\"/\",\"condition\":\"@Resource[a:b] StringLike '");
    char *line = repeated(value, "*a", 30000, "b'\"}]}");
    assert_says(line, "\"decision\":\"unknown\"");
    free(value);
    free(line);
}

static void a_pattern_past_the_limit_is_refused(void **state)
{
    (void)state;
    char *line = repeated("{\"id\":1,\"provider\":\"azure\",\"request\":{\"principal\":\"p\",\"action\":\"a/b\",\"scope\":\"/\"},\"role_definitions\":[{\"id\":\"r\",\"permissions\":[{\"actions\":[\"", "*a", 250000,
                          "\"]}]}],\"role_assignments\":[]}");
    assert_says(line, "\"error\"");
    free(line);
}

static void groups_and_management_groups_in_circles_end(void **state)
{
    (void)state;
    assert_says("{\"id\":1,\"provider\":\"azure\",\"request\":{\"principal\":\"p\",\"action\":\"a/b\",\"scope\":\"/subscriptions/s\"},\"role_definitions\":[{\"id\":\"r\",\"permissions\":[{\"actions\":[\"*\"]}]}],"
                "\"role_assignments\":[{\"principalId\":\"c\",\"roleDefinitionId\":\"r\",\"scope\":\"/providers/Microsoft.Management/managementGroups/b\"}],"
                "\"groups\":{\"a\":[\"c\",\"p\"],\"b\":[\"a\"],\"c\":[\"b\"]},\"management_groups\":{\"a\":\"b\",\"b\":\"a\",\"/subscriptions/s\":\"a\"}}",
                "\"decision\":\"allowed\"");
}

/* ---- memory ---- */

static void without_memory_nothing_is_decided_wrongly(void **state)
{
    static const char file[] =
        "{\"role_definitions\":[{\"id\":\"r\",\"permissions\":[{\"actions\":[\"*\"],\"notActions\":[\"*/delete\"]}]}],\"role_assignments\":[{\"id\":\"a\",\"principalId\":\"g\","
        "\"principalType\":\"Group\",\"roleDefinitionId\":\"r\",\"scope\":\"/subscriptions/s\",\"condition\":\"@Resource[a:b] StringEquals 'c' OR NOT Exists @Request[d]\"}],"
        "\"deny_assignments\":[{\"id\":\"d\",\"denyAssignmentName\":\"d\",\"scope\":\"/\",\"permissions\":[{\"actions\":[\"*/write\"]}],\"principals\":[{\"id\":\"p\"}]}],"
        "\"groups\":{\"g\":[\"p\"]},\"management_groups\":{\"m\":\"/\",\"/subscriptions/s\":\"m\"}}";
    (void)state;
    for (size_t n = 1; n == 1 || fail_malloc_stop(); n++) {
        kim_error err = {0};
        answer a;
        const question q = {.provider = KIM_TEXT("azure"), .identity = KIM_TEXT("p"), .action = KIM_TEXT("x/read"), .resource = KIM_TEXT("/subscriptions/s"), .discover = true};
        char named[1024] = "";
        estate *es = estate_of(file, n, &err);
        evaluator *ev = es ? evaluator_new(es, &err) : NULL;
        int decided = ev ? evaluate_can(ev, &q, &a, &err) : -1;
        if (decided == 0)
            assert_int_equal(a.verdict, CONDITIONAL);
        int listed = ev ? evaluate_who_can(ev, &q, note_one, named, &err) : -1;
        if (listed == 0)
            assert_string_equal(named, "p ");
        if (decided < 0 || listed < 0)
            assert_int_equal(err.code, KIM_ERR_NOMEM);
        evaluator_free(ev);
        estate_release(es);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_of_documents_never_matters),
        cmocka_unit_test(another_deny_never_widens_and_another_assignment_never_narrows),
        cmocka_unit_test(a_role_and_its_actions_in_two_roles_are_the_same),
        cmocka_unit_test(who_can_names_whom_can_allows_and_nobody_else),
        cmocka_unit_test(a_condition_ten_thousand_deep_is_refused_and_one_as_long_is_read),
        cmocka_unit_test(a_comparison_that_would_take_too_long_is_unknown),
        cmocka_unit_test(a_pattern_past_the_limit_is_refused),
        cmocka_unit_test(groups_and_management_groups_in_circles_end),
        cmocka_unit_test(without_memory_nothing_is_decided_wrongly),
    };
    return cmocka_run_group_tests(tests, open_host, close_host);
}
