/* SPDX-License-Identifier: Apache-2.0
 *
 * test_kim_condition.c - the neutral condition language says what its header says, and no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "controller/evaluate/kim_condition.h"

static kim_arena *arena;

static int start(void **state)
{
    (void)state;
    arena = kim_arena_new(SIZE_MAX);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kim_arena_free(arena);
    return 0;
}

/* station HMI-3, level 7, shift day and late, at a time, odd "x]\"y"; open is not known, door is there with some value. */
static key_value look(void *from, kim_text key)
{
    static const struct { const char *key; kim_text values[2]; size_t count; } given[] = {
        {"station", {{"HMI-3", 5}}, 1},
        {"level", {{"7", 1}}, 1},
        {"shift", {{"day", 3}, {"late", 4}}, 2},
        {"at", {{"2026-11-20T10:00:00Z", 20}}, 1},
        {"odd", {{"x]\"y", 4}}, 1},
    };
    (void)from;
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (kim_text_is(key, given[i].key))
            return (key_value){KEY_GIVEN, {given[i].values, given[i].count}};
    return (key_value){.state = kim_text_is(key, "open") ? KEY_UNKNOWN : kim_text_is(key, "door") ? KEY_PRESENT : KEY_ABSENT};
}

static const term *decide(const char *text)
{
    kim_error err = {0};
    const kim_test *test = kim_test_read(kim_text_of(text), arena, &err);
    if (test == NULL)
        fail_msg("%s: %s", text, err.message);
    return kim_test_decide(test, look, NULL, arena);
}

static void assert_is(const char *text, const term *expected)
{
    if (decide(text) != expected)
        fail_msg("%s is not %s", text, expected == &term_true ? "true" : "false");
}

static void values_are_compared_as_texts(void **state)
{
    (void)state;
    assert_is("station == \"HMI-3\"", &term_true);
    assert_is("station == 'HMI-3'", &term_true);
    assert_is("station == HMI-3", &term_true);
    assert_is("station == \"hmi-3\"", &term_false);
    assert_is("station != \"HMI-3\"", &term_false);
    assert_is("Station == \"HMI-3\"", &term_false);
    assert_is("odd == \"x]\\\"y\"", &term_true);
    assert_is("odd in [\"a]\", \"x]\\\"y\", 'b', \"c\"]", &term_true);
}

static void without_quotes_a_number_is_a_number(void **state)
{
    (void)state;
    assert_is("level == 7", &term_true);
    assert_is("level == 7.0", &term_true);
    assert_is("level == \"7.0\"", &term_false);
    assert_is("level in [6, 7.0]", &term_true);
    assert_is("level >= 7 && level < 8 && level <= 7 && level > -1", &term_true);
    assert_is("level < \"8\"", &term_true);
    assert_is("level < x || level > x", &term_false);
    assert_is("station < 9", &term_false);
    assert_is("level == 0x7", &term_false);
}

static void times_are_compared_as_times(void **state)
{
    (void)state;
    assert_is("at < \"2026-11-20T11:30:00+01:00\"", &term_true);
    assert_is("at < \"2026-11-20T09:30:00Z\"", &term_false);
    assert_is("at >= \"2026-11-20T11:00:00+01:00\"", &term_true);
    assert_is("at > 1700000000000", &term_true);
}

static void one_of_several_values_is_enough(void **state)
{
    (void)state;
    assert_is("shift == \"late\"", &term_true);
    assert_is("shift != \"late\"", &term_false);
    assert_is("shift in [\"night\", \"day\"]", &term_true);
    assert_is("shift in []", &term_false);
}

static void an_absent_key_compares_to_nothing(void **state)
{
    (void)state;
    assert_is("gone == \"day\"", &term_false);
    assert_is("gone != \"day\"", &term_true);
    assert_is("gone < 1 || gone >= 1", &term_false);
    assert_is("!has(gone) && has ( station ) && has(door)", &term_true);
}

static void and_binds_tighter_than_or(void **state)
{
    (void)state;
    assert_is("station == \"x\" || station == \"y\" && level == 7", &term_false);
    assert_is("level == 7 || station == \"y\" && station == \"x\"", &term_true);
    assert_is("(level == 7 || station == \"y\") && station == \"x\"", &term_false);
    assert_is("!(level > 7) && !!true && !false", &term_true);
}

static void what_is_not_known_is_left_over(void **state)
{
    const term *t = decide("open == \"yes\" && station == \"HMI-3\"");
    (void)state;
    assert_int_equal(t->kind, TERM_CONDITION);
    assert_true(kim_text_is(t->key, "open") && kim_text_is(t->op, "==") && kim_text_is(t->values.items[0], "yes"));
    assert_int_equal(decide("open != \"yes\"")->kind, TERM_NOT);
    assert_int_equal(decide("door == \"shut\"")->kind, TERM_CONDITION);
    assert_true(kim_text_is(decide("has(open)")->op, "has"));
    assert_is("open == \"yes\" || level == 7", &term_true);
    assert_is("open in []", &term_false);
    assert_int_equal(term_settle(decide("has(open) || open != \"yes\""))->kind, TERM_TRUE);
}

static void a_condition_that_is_none_is_refused_with_its_place(void **state)
{
    static const struct { const char *text; size_t at; } wrong[] = {
        {"", 0}, {"station", 7}, {"station ==", 10}, {"station == \"HMI", 11}, {"(level > 1", 10}, {"level > 1)", 9}, {"station in \"x\"", 11},
        {"== \"x\"", 0}, {"a == \"b\" &&", 11}, {"a in [\"b\" \"c\"]", 10}, {"has(a", 5}, {"has()", 4}, {"!", 1}, {"a = b", 2}, {"a == b c", 7}};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kim_error err = {0};
        char place[32];
        snprintf(place, sizeof place, "at byte %zu:", wrong[i].at);
        assert_null(kim_test_read(kim_text_of(wrong[i].text), arena, &err));
        if (strstr(err.message, place) == NULL)
            fail_msg("%s: %s", wrong[i].text, err.message);
    }
}

static void limits_are_kept(void **state)
{
    static char many[200000];
    kim_error err = {0};
    (void)state;
    memset(many, '(', 10000);
    assert_null(kim_test_read(kim_text_of(many), arena, &err));
    assert_non_null(strstr(err.message, "nests too deep"));
    memset(many, '!', 10000);
    assert_null(kim_test_read(kim_text_of(many), arena, &err));
    memset(many, 0, sizeof many);
    for (size_t i = 0; i < 10000; i++)
        strcpy(many + strlen(many), i ? "&&a==b" : "a==b");
    assert_null(kim_test_read(kim_text_of(many), arena, &err));
    assert_non_null(strstr(err.message, "more"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        TEST(values_are_compared_as_texts),
        TEST(without_quotes_a_number_is_a_number),
        TEST(times_are_compared_as_times),
        TEST(one_of_several_values_is_enough),
        TEST(an_absent_key_compares_to_nothing),
        TEST(and_binds_tighter_than_or),
        TEST(what_is_not_known_is_left_over),
        TEST(a_condition_that_is_none_is_refused_with_its_place),
        TEST(limits_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
