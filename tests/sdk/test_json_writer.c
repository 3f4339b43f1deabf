/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <math.h>

#include <kim/json.h>
#include <kim/limits.h>

#include "tests/support/fail_malloc.h"

static kim_json_writer *writer;
static kim_error err;

static int setup(void **state)
{
    (void)state;
    writer = kim_json_writer_new(false);
    err = (kim_error){0};
    return writer ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    kim_json_writer_free(writer);
    return 0;
}

static void assert_written(const char *expected)
{
    size_t size;
    const char *bytes = kim_json_writer_bytes(writer, &size, &err);
    if (bytes == NULL)
        fail_msg("%s", err.message);
    assert_string_equal(bytes, expected); /* it is a C string too */
    assert_int_equal(size, strlen(expected));
}

static void assert_fault(kim_code code)
{
    size_t size = 77;
    assert_null(kim_json_writer_bytes(writer, &size, &err));
    assert_int_equal(err.code, code);
    assert_int_equal(size, 77); /* outputs are left alone on failure */
}

static void calls_become_the_document_they_read_like(void **state)
{
    (void)state;
    const kim_text texts[] = {KIM_TEXT("x"), KIM_TEXT("")};
    kim_json_begin_object(writer);
    kim_json_key(writer, "a");
    kim_json_begin_array(writer);
    kim_json_put_int(writer, INT64_MIN);
    kim_json_put_bool(writer, true);
    kim_json_put_null(writer);
    kim_json_begin_array(writer);
    kim_json_end_array(writer);
    kim_json_end_array(writer);
    kim_json_key_text(writer, KIM_TEXT("b"));
    kim_json_put_texts(writer, (kim_texts){texts, 2});
    kim_json_key(writer, "absent");
    kim_json_put_texts(writer, (kim_texts){NULL, 0});
    kim_json_key(writer, "none");
    kim_json_put_text(writer, KIM_NO_TEXT);
    kim_json_end_object(writer);
    assert_written("{\"a\":[-9223372036854775808,true,null,[]],\"b\":[\"x\",\"\"],\"absent\":null,\"none\":null}");
}

static void for_people_it_is_indented_by_two(void **state)
{
    (void)state;
    kim_json_writer_free(writer);
    writer = kim_json_writer_new(true);
    kim_json_begin_object(writer);
    kim_json_key(writer, "a");
    kim_json_begin_array(writer);
    kim_json_put_int(writer, 1);
    kim_json_put_int(writer, 2);
    kim_json_end_array(writer);
    kim_json_key(writer, "e");
    kim_json_begin_object(writer);
    kim_json_end_object(writer);
    kim_json_end_object(writer);
    kim_json_end_line(writer);
    assert_written("{\n  \"a\": [\n    1,\n    2\n  ],\n  \"e\": {}\n}\n");
}

static void lines_follow_each_other(void **state)
{
    (void)state;
    kim_json_put_int(writer, 1);
    kim_json_end_line(writer);
    kim_json_begin_array(writer);
    kim_json_end_array(writer);
    kim_json_end_line(writer);
    assert_written("1\n[]\n");
    kim_json_writer_reset(writer);
    kim_json_put_string(writer, "again");
    assert_written("\"again\"");
}

static void texts_are_escaped_only_where_json_asks_for_it(void **state)
{
    (void)state;
    kim_json_put_text(writer, KIM_TEXT("\"\\/\b\f\n\r\t\x01\x1f\x7f\0z\xc3\xa9\xf0\x9f\x98\x80"));
    assert_written("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000z\xc3\xa9\xf0\x9f\x98\x80\"");
}

static void doubles_have_the_fewest_digits_that_read_back(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"}, {1.0 / 3, "0.3333333333333333"}, {1e300, "1e+300"}, {-2, "-2"}, {5e-324, "5e-324"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kim_json_writer_reset(writer);
        kim_json_put_double(writer, cases[i].value);
        assert_written(cases[i].text);
    }
    kim_json_put_double(writer, NAN);
    assert_fault(KIM_ERR_INPUT);
}

static void text_that_is_not_utf8_is_a_fault_that_stays(void **state)
{
    (void)state;
    kim_json_begin_array(writer);
    kim_json_put_string(writer, "\xff");
    kim_json_put_string(writer, "good");
    kim_json_end_array(writer);
    assert_fault(KIM_ERR_INPUT);
    assert_fault(KIM_ERR_INPUT);
    kim_json_writer_reset(writer);
    kim_json_put_int(writer, 1);
    assert_written("1");
}

static void two_values(void) { kim_json_put_int(writer, 1), kim_json_put_int(writer, 2); }
static void value_without_name(void) { kim_json_begin_object(writer), kim_json_put_int(writer, 1); }
static void name_twice(void) { kim_json_begin_object(writer), kim_json_key(writer, "a"), kim_json_key(writer, "b"); }
static void name_without_value(void) { kim_json_begin_object(writer), kim_json_key(writer, "a"), kim_json_end_object(writer); }
static void name_in_array(void) { kim_json_begin_array(writer), kim_json_key(writer, "a"); }
static void name_outside(void) { kim_json_key(writer, "a"); }
static void crossed_ends(void) { kim_json_begin_array(writer), kim_json_end_object(writer); }
static void end_too_many(void) { kim_json_end_array(writer); }
static void line_too_early(void) { kim_json_begin_array(writer), kim_json_end_line(writer); }
static void empty_line(void) { kim_json_end_line(writer); }

static void calls_out_of_order_are_faults(void **state)
{
    (void)state;
    void (*const wrong[])(void) = {two_values, value_without_name, name_twice, name_without_value, name_in_array,
                                   name_outside, crossed_ends, end_too_many, line_too_early, empty_line};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kim_json_writer_reset(writer);
        wrong[i]();
        assert_fault(KIM_ERR_INTERNAL);
    }
}

static void nesting_without_end_is_a_fault_and_no_overflow(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++)
        kim_json_begin_array(writer);
    assert_fault(KIM_ERR_INTERNAL);
}

static void what_was_read_is_written_as_it_stood(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[1,-2.50E+3,\"x\\n\\u0001\",{\"b\":null,\"b\":true}],\"\xc3\xa9\":[],\"o\":{},\"big\":123456789012345678901234567890}";
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    kim_json_put_json(writer, kim_json_parse(text, sizeof text - 1, "doc", arena, &err));
    assert_written(text);
    kim_json_writer_reset(writer);
    kim_json_put_json(writer, NULL);
    assert_written("null");
    kim_arena_free(arena);
}

static void whatever_may_be_read_may_be_written_within_an_answer(void **state)
{
    (void)state;
    char text[2 * KIM_JSON_MAX_DEPTH];
    memset(text, '[', KIM_JSON_MAX_DEPTH);
    memset(text + KIM_JSON_MAX_DEPTH, ']', KIM_JSON_MAX_DEPTH);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    const kim_json *deepest = kim_json_parse(text, sizeof text, "doc", arena, &err);
    for (int i = 0; i < 10; i++)
        kim_json_begin_array(writer);
    kim_json_put_json(writer, deepest);
    for (int i = 0; i < 10; i++)
        kim_json_end_array(writer);
    size_t size;
    assert_non_null(kim_json_writer_bytes(writer, &size, &err));
    assert_int_equal(size, 2 * (KIM_JSON_MAX_DEPTH + 10));
    kim_arena_free(arena);
}

static void without_memory_it_says_so(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        fail_malloc_start(n);
        kim_json_writer *own = kim_json_writer_new(false);
        const char *bytes = NULL;
        size_t size;
        if (own != NULL) {
            kim_json_begin_array(own);
            for (int i = 0; i < 2000; i++)
                kim_json_put_int(own, i);
            kim_json_end_array(own);
            bytes = kim_json_writer_bytes(own, &size, &err);
        }
        failed = fail_malloc_stop();
        assert_int_equal(bytes == NULL, failed);
        if (failed && own != NULL)
            assert_int_equal(err.code, KIM_ERR_NOMEM);
        kim_json_writer_free(own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_become_the_document_they_read_like, setup, teardown),
        cmocka_unit_test_setup_teardown(for_people_it_is_indented_by_two, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_follow_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_are_escaped_only_where_json_asks_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(doubles_have_the_fewest_digits_that_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(text_that_is_not_utf8_is_a_fault_that_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(calls_out_of_order_are_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(nesting_without_end_is_a_fault_and_no_overflow, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_read_is_written_as_it_stood, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_may_be_read_may_be_written_within_an_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(without_memory_it_says_so, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
