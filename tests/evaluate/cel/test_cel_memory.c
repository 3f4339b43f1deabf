/* SPDX-License-Identifier: Apache-2.0
 *
 * test_cel_memory - memory runs out at every place of compiling, evaluating and simplifying, and each says so.
 */
#include "tests/support/cmocka.h"

#include "controller/evaluate/cel.h"
#include "tests/support/fail_malloc.h"

static const char *const expressions[] = {
    "a.b.c == 'x' && [1, 2, 3].map(x, x > 1, [x, x + 1]).filter(y, y.size() > 1).exists(z, z[0] == 2)",
    "'abc'.matches('(?i)[a-c]{2,}\\\\pL|x*(y|z)+') && s.matches(p)",
    "timestamp('2026-11-20T10:00:00Z').getHours('Europe/Berlin') == 11 && string(1.5) + string(duration('1s')) == '1.51s'",
    "u.v && {'a': [u, b'x', 1u]}.a.size() == 3 || (u ? r : -1) in [int('7'), 0x10, 1.5e3]",
    "missing.field || 1 / 0 > [1][2] || {}['k'] || unheard(1, 2, 3, 4, 5, 6)",
};

static cel_value look(void *from, kim_text path, kim_arena *scratch)
{
    (void)from, (void)scratch;
    if (kim_text_is(path, "a.b"))
        return cel_absent();
    return kim_text_is(path, "s") || kim_text_is(path, "p") ? cel_string(KIM_TEXT("abc")) : cel_absent();
}

/* Large enough, and small enough that its blocks are many. */
static kim_arena *new_arena(void)
{
    return kim_arena_new((size_t)16 << 20);
}

/* 0, or the code of what went wrong. */
static kim_code work(const char *expression)
{
    static const kim_text unknown[] = {{"u", 1}};
    const cel_scope scope = {.look = look, .unknown = {unknown, 1}};
    kim_error err = {0};
    cel_value v;
    kim_text residual;
    kim_arena *arena = new_arena(), *scratch = new_arena();
    kim_code code = arena && scratch ? KIM_OK : KIM_ERR_NOMEM;
    if (code == KIM_OK) {
        cel_program *program = cel_compile(kim_text_of(expression), NULL, 0, arena, &err);
        if (program == NULL || cel_eval(program, &scope, scratch, &v, &err) < 0 || cel_residual(program, &scope, scratch, &residual, &err) < 0)
            code = err.code;
    }
    kim_arena_free(arena);
    kim_arena_free(scratch);
    return code;
}

static void each_allocation_that_fails_is_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        size_t n = 1;
        assert_int_equal(work(expressions[i]), KIM_OK);
        for (; n == 1 || fail_malloc_stop(); n++) {
            fail_malloc_start(n);
            kim_code code = work(expressions[i]);
            assert_true(code == KIM_OK || code == KIM_ERR_NOMEM);
        }
        assert_true(n > 3);
    }
}

/* An arena's ceiling is met at far more places than malloc is asked at. */
static void each_ceiling_of_an_arena_is_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        size_t met = 0;
        for (size_t bytes = 0; bytes < 60000; bytes += 24) {
            static const kim_text unknown[] = {{"u", 1}};
            const cel_scope scope = {.look = look, .unknown = {unknown, 1}};
            kim_error err = {0};
            cel_value v;
            kim_text residual;
            kim_arena *arena = kim_arena_new(bytes), *scratch = kim_arena_new(bytes);
            cel_program *program = cel_compile(kim_text_of(expressions[i]), NULL, 0, arena, &err);
            if (program == NULL || cel_eval(program, &scope, scratch, &v, &err) < 0 || cel_residual(program, &scope, scratch, &residual, &err) < 0) {
                assert_int_equal(err.code, KIM_ERR_NOMEM);
                met++;
            }
            kim_arena_free(arena);
            kim_arena_free(scratch);
        }
        assert_true(met > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_that_fails_is_reported),
        cmocka_unit_test(each_ceiling_of_an_arena_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
