/* SPDX-License-Identifier: Apache-2.0
 *
 * test_items.c - the items of a list, however its bytes are cut into pieces.
 */
#include <stdio.h>
#include <stdlib.h>

#include "controller/present/cli/items.h"
#include "tests/support/cmocka.h"

typedef struct seen {
    char ids[256];
    int stop_at; /* refuse that item; 0: none */
    int count;
} seen;

static int note(void *context, const kim_json *item, kim_error *err)
{
    seen *s = context;
    if (++s->count == s->stop_at)
        return kim_fail(err, KIM_ERR_STOPPED, "enough");
    kim_text id = kim_json_text_of(item, "id");
    snprintf(s->ids + strlen(s->ids), sizeof s->ids - strlen(s->ids), "%.*s;", KIM_PRINT(id));
    return 0;
}

static const char answer[] = "{\"resource\":\"\\\"answers\\\":[\",\"inner\":{\"answers\":[{\"id\":\"no\"}]},\"answers\":[\n"
                             "{\"id\":\"1,]\"},\n{\"id\":\"\\\"]}\",\"more\":[[],{}]},\n{\"id\":\"3\"}],\"next\":\"n\"}\n";

static void each_item_comes_once_however_the_answer_is_cut(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof answer; piece++) {
        seen s = {0};
        kim_error err = {0};
        kim_arena *arena = kim_arena_new(1 << 20);
        items *it = items_new("answers", note, &s, &err);
        for (size_t at = 0; at < sizeof answer - 1; at += piece) {
            size_t size = sizeof answer - 1 - at < piece ? sizeof answer - 1 - at : piece;
            assert_int_equal(items_take(it, answer + at, size, &err), 0);
        }
        assert_string_equal(s.ids, "1,];\"]};3;");
        const kim_json *rest = items_rest(it, arena, &err);
        assert_true(kim_text_is(kim_json_text_of(rest, "next"), "n"));
        assert_true(kim_text_is(kim_json_text_of(rest, "resource"), "\"answers\":["));
        assert_int_equal(kim_json_get(rest, "answers")->count, 0);
        assert_int_equal(kim_json_get(kim_json_get(rest, "inner"), "answers")->count, 1);
        items_free(it);
        kim_arena_free(arena);
    }
}

/* Reads a whole answer; the error's message, or "". */
static const char *outcome_of(const char *text, size_t size, seen *s)
{
    static kim_error err;
    err = (kim_error){0};
    kim_arena *arena = kim_arena_new(1 << 20);
    items *it = items_new("answers", note, s, &err);
    if (items_take(it, text, size, &err) == 0)
        items_rest(it, arena, &err);
    items_free(it);
    kim_arena_free(arena);
    return err.message;
}

static const char *outcome(const char *text, seen *s)
{
    return outcome_of(text, strlen(text), s);
}

static void an_empty_list_has_no_items(void **state)
{
    (void)state;
    seen s = {0};
    assert_string_equal(outcome("{\"answers\":[]}", &s), "");
    assert_string_equal(outcome("{\"answers\":[\n]}\n", &s), "");
    assert_int_equal(s.count, 0);
}

static void a_list_that_broke_off_tells_why(void **state)
{
    (void)state;
    seen s = {0};
    const char *why = outcome("{\"answers\":[{\"id\":\"1\"}],\"error\":{\"code\":\"io\",\"message\":\"disk gone\"}}", &s);
    assert_string_equal(why, "the list broke off: disk gone");
    assert_int_equal(s.count, 1);
}

static void items_that_nobody_wants_are_passed_over(void **state)
{
    (void)state;
    kim_error err = {0};
    kim_arena *arena = kim_arena_new(1 << 20);
    items *it = items_new("answers", NULL, NULL, &err);
    assert_int_equal(items_take(it, answer, sizeof answer - 1, &err), 0);
    const kim_json *rest = items_rest(it, arena, &err);
    assert_true(kim_text_is(kim_json_text_of(rest, "next"), "n"));
    assert_int_equal(kim_json_get(rest, "answers")->count, 0);
    items_free(it);
    kim_arena_free(arena);
}

static void an_answer_cut_short_or_damaged_is_an_error(void **state)
{
    (void)state;
    seen s = {0};
    assert_string_not_equal(outcome("{\"answers\":[{\"id\":\"1\"},", &s), "");
    assert_string_not_equal(outcome("{\"answers\":[{\"id\":", &s), "");
    assert_string_not_equal(outcome("", &s), "");
    assert_string_not_equal(outcome("{\"answers\":[{]}", &s), "");
    static const char zeros[] = "{\"answers\":[\0]}";
    assert_string_not_equal(outcome_of(zeros, sizeof zeros - 1, &s), "");
}

static void who_takes_the_items_may_end_it(void **state)
{
    (void)state;
    seen s = {.stop_at = 2};
    assert_string_equal(outcome("{\"answers\":[{\"id\":\"1\"},{\"id\":\"2\"},{\"id\":\"3\"}]}", &s), "enough");
    assert_int_equal(s.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_item_comes_once_however_the_answer_is_cut),
        cmocka_unit_test(an_empty_list_has_no_items),
        cmocka_unit_test(a_list_that_broke_off_tells_why),
        cmocka_unit_test(items_that_nobody_wants_are_passed_over),
        cmocka_unit_test(an_answer_cut_short_or_damaged_is_an_error),
        cmocka_unit_test(who_takes_the_items_may_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
