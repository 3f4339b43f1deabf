/* SPDX-License-Identifier: Apache-2.0
 *
 * test_pools.c - what is kept between requests, and for which estate.
 */
#include "controller/present/http/pools.h"
#include "tests/present/plain_backend.h"
#include "tests/support/cmocka.h"

static estate *older, *newer;
static pools *p;

static estate *another_estate(void)
{
    http_backend backend = plain_backend(0);
    estate *es = backend.estate(NULL);
    plain_backend_end(); /* ours alone from now on */
    return es;
}

static int begin(void **state)
{
    (void)state;
    kim_error err;
    older = another_estate();
    newer = another_estate();
    p = pools_new(NULL, &err);
    return p == NULL;
}

static int end(void **state)
{
    (void)state;
    pools_free(p);
    estate_release(older);
    estate_release(newer);
    return 0;
}

static evaluator *take(estate *es)
{
    kim_error err = {0};
    evaluator *ev = pools_take_evaluator(p, es, &err);
    if (ev == NULL)
        fail_msg("%s", err.message);
    return ev;
}

static void an_evaluator_given_back_is_the_next_ones(void **state)
{
    (void)state;
    evaluator *one = take(older), *two = take(older);
    assert_ptr_not_equal(one, two);
    pools_give_evaluator(p, older, one);
    pools_give_evaluator(p, older, two);
    assert_ptr_equal(take(older), two);
    assert_ptr_equal(take(older), one);
    pools_give_evaluator(p, older, one);
    pools_give_evaluator(p, older, two);
    pools_give_evaluator(p, older, NULL);
}

/* A long answer over the estate before ends after short ones over the newest. */
static void what_comes_back_late_for_an_older_estate_drives_nothing_out(void **state)
{
    (void)state;
    kim_error err;
    evaluator *late = take(older), *kept = take(newer);
    pools_give_evaluator(p, newer, kept);
    pools_give_evaluator(p, older, late);
    evaluator *fresh = evaluator_new(newer, &err); /* would get the memory of `kept`, were that freed */
    assert_ptr_not_equal(fresh, kept);
    assert_ptr_equal(take(newer), kept);
    pools_give_evaluator(p, newer, kept);
    evaluator_free(fresh);
}

static void *make_mark(estate *es, kim_error *err)
{
    (void)es, (void)err;
    static int mark;
    return &mark;
}

static bool has_ended;

static void note_end(void *mark)
{
    (void)mark;
    has_ended = true;
}

/* Else it stays in memory, as large as it is, until somebody asks who gives an evaluator back. */
static void a_question_about_a_newer_estate_lets_the_older_go(void **state)
{
    (void)state;
    kim_error err;
    estate *es = another_estate();
    has_ended = false;
    assert_non_null(estate_derived(es, ESTATE_SLOTS - 1, make_mark, note_end, &err));
    evaluator *one = take(es), *two = take(es);
    pools_give_evaluator(p, es, one);
    evaluator *next = take(newer);
    assert_false(has_ended); /* two still rests on it */
    pools_give_evaluator(p, es, two);
    estate_release(es);
    assert_true(has_ended);
    pools_give_evaluator(p, newer, next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_evaluator_given_back_is_the_next_ones, begin, end),
        cmocka_unit_test_setup_teardown(what_comes_back_late_for_an_older_estate_drives_nothing_out, begin, end),
        cmocka_unit_test_setup_teardown(a_question_about_a_newer_estate_lets_the_older_go, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
