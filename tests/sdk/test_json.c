/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <kim/json.h>
#include <kim/limits.h>

#include "tests/support/fail_malloc.h"

static kim_arena *arena;
static kim_error err;

static int setup(void **state)
{
    (void)state;
    arena = kim_arena_new(SIZE_MAX);
    err = (kim_error){0};
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    kim_arena_free(arena);
    return 0;
}

/* Parses from memory that ends exactly where the document does, and is gone before it is looked at. */
static const kim_json *parse(const char *bytes, size_t size)
{
    char *copy = malloc(size + 1);
    memcpy(copy + 1, bytes, size);
    const kim_json *json = kim_json_parse(copy + 1, size, "doc.json", arena, &err);
    free(copy);
    return json;
}

static const kim_json *read_json(const char *text)
{
    const kim_json *json = parse(text, strlen(text));
    if (json == NULL)
        fail_msg("%s", err.message);
    return json;
}

static void assert_refused(kim_text text, const char *says)
{
    assert_null(parse(text.bytes, text.size));
    assert_int_equal(err.code, KIM_ERR_INPUT);
    assert_says(err.message, says);
}

static void a_document_becomes_a_tree_in_the_order_written(void **state)
{
    (void)state;
    const kim_json *json = read_json("{\"a\":[1,-2.5e+3,\"x\"],\"b\":{\"c\":null},\"d\":true,\"e\":[],\"f\":{}}");
    assert_int_equal(json->type, KIM_JSON_OBJECT);
    assert_int_equal(json->count, 5);
    assert_true(kim_text_is(json->members[0].name, "a"));
    const kim_json *list = kim_json_get(json, "a");
    assert_ptr_equal(list, json->members[0].value);
    assert_int_equal(list->count, 3);
    assert_true(kim_text_is(list->items[1].text, "-2.5e+3")); /* as written */
    assert_int_equal(list->items[2].type, KIM_JSON_STRING);
    assert_true(kim_json_is(kim_json_get(kim_json_get(json, "b"), "c"), KIM_JSON_NULL));
    assert_true(kim_json_bool(kim_json_get(json, "d"), false));
    assert_int_equal(kim_json_get(json, "e")->count, 0);
    assert_non_null(kim_json_get(json, "e")->items); /* empty, not absent */
    assert_int_equal(kim_json_get(json, "f")->type, KIM_JSON_OBJECT);
}

static void any_value_may_be_the_whole_document(void **state)
{
    (void)state;
    assert_true(kim_text_is(read_json(" 12 ")->text, "12"));
    assert_true(kim_text_is(read_json("12")->text, "12"));
    assert_true(kim_text_is(read_json("\"\"")->text, ""));
    assert_false(kim_text_is_absent(read_json("\"\"")->text));
    assert_int_equal(read_json("\n null\r\n\t")->type, KIM_JSON_NULL);
    assert_int_equal(read_json("\xef\xbb\xbf[]")->type, KIM_JSON_ARRAY); /* a byte order mark is passed over */
}

static void each_value_knows_the_line_it_begins_on(void **state)
{
    (void)state;
    const kim_json *json = read_json("\n{\n \"a\" :\n  [ 1,\n 2 ]\n,\"b\":{\"c\":\r\n\"x\"}}\n");
    assert_int_equal(json->line, 2);
    assert_int_equal(kim_json_get(json, "a")->line, 4);
    assert_int_equal(kim_json_get(json, "a")->items[0].line, 4);
    assert_int_equal(kim_json_get(json, "a")->items[1].line, 5);
    assert_int_equal(kim_json_get(json, "b")->line, 6);
    assert_int_equal(kim_json_get(kim_json_get(json, "b"), "c")->line, 7);
    assert_int_equal(read_json("\n\n7")->line, 3);
}

static void escapes_are_decoded_and_a_nul_is_a_character(void **state)
{
    (void)state;
    kim_text text = read_json("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC\\ud83d\\uDE00\\u0000z\"")->text;
    static const char expected[] = "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0z";
    assert_int_equal(text.size, sizeof expected - 1);
    assert_memory_equal(text.bytes, expected, text.size);
    assert_true(kim_text_is(read_json("\"\\\\ud800\"")->text, "\\ud800")); /* an escaped backslash */
}

static void what_is_not_json_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        kim_text text;
        const char *says;
    } cases[] = {
        {KIM_TEXT(""), "doc.json:1: "},
        {KIM_TEXT("  \n "), "doc.json:2: "},
        {KIM_TEXT("{\"a\":1,}"), "doc.json:1: "},
        {KIM_TEXT("[1,\n2,\n]"), "doc.json:3: "},
        {KIM_TEXT("[1 2]"), "doc.json:1: "},
        {KIM_TEXT("[1\n"), "doc.json:2: "},
        {KIM_TEXT("{\"a\"}"), "doc.json:1: "},
        {KIM_TEXT("{a:1}"), "doc.json:1: "},
        {KIM_TEXT("{1:1}"), "doc.json:1: "},
        {KIM_TEXT("[}"), "doc.json:1: "},
        {KIM_TEXT("]"), "doc.json:1: "},
        {KIM_TEXT("nul"), "doc.json:1: "},
        {KIM_TEXT("True"), "doc.json:1: "},
        {KIM_TEXT("NaN"), "doc.json:1: "},
        {KIM_TEXT("01"), "doc.json:1: "},
        {KIM_TEXT("+1"), "doc.json:1: "},
        {KIM_TEXT("1."), "doc.json:1: "},
        {KIM_TEXT(".5"), "doc.json:1: "},
        {KIM_TEXT("1e"), "doc.json:1: "},
        {KIM_TEXT("-"), "doc.json:1: "},
        {KIM_TEXT("0x10"), "doc.json:1: "},
        {KIM_TEXT("'a'"), "doc.json:1: "},
        {KIM_TEXT("// c\n1"), "doc.json:1: "},
        {KIM_TEXT("/* c */ 1"), "doc.json:1: "},
        {KIM_TEXT("\"a"), "doc.json:1: "},
        {KIM_TEXT("\"a\nb\""), "doc.json:1: "},  /* a bare control character */
        {KIM_TEXT("\"\t\""), "doc.json:1: "},
        {KIM_TEXT("\"\0\""), "doc.json:1: "},
        {KIM_TEXT("\"\\x\""), "doc.json:1: "},
        {KIM_TEXT("\"\\u12\""), "doc.json:1: "},
        {KIM_TEXT("\"\\u12g4\""), "doc.json:1: "},
        {KIM_TEXT("\"\\"), "doc.json:1: "},
        {KIM_TEXT("\"\\u"), "doc.json:1: "},
        {KIM_TEXT("{} {}"), "doc.json:1: "},
        {KIM_TEXT("{}\n\nx"), "doc.json:3: "},
        {KIM_TEXT("1 2"), "doc.json:1: "},
        {KIM_TEXT("{}\0"), "doc.json:1: "},
        {KIM_TEXT("\xff\xfe{\0}\0"), "doc.json:1: "}, /* UTF-16 */
        {KIM_TEXT("\xef\xbb\xbf\xef\xbb\xbf{}"), "doc.json:1: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(cases[i].text, cases[i].says);
}

static void texts_that_are_not_utf8_are_refused_with_their_line(void **state)
{
    (void)state;
    assert_refused(KIM_TEXT("[\n\"\xff\"]"), "doc.json:2: a byte is not UTF-8");
    assert_refused(KIM_TEXT("\"\xc0\xaf\""), "UTF-8");
    assert_refused(KIM_TEXT("\"\xed\xa0\x80\""), "UTF-8");
    assert_refused(KIM_TEXT("{\"\xf4\x90\x80\x80\":1}"), "UTF-8");
}

static void half_a_surrogate_pair_is_refused_with_its_line(void **state)
{
    (void)state;
    static const kim_text halves[] = {
        KIM_TEXT("[\n\"\\ud800\"]"), KIM_TEXT("[\n\"\\uDC00\"]"), KIM_TEXT("[\n\"\\ud83d\\ud83d\\ude00\"]"),
        KIM_TEXT("[\n\"\\ud83dx\"]"), KIM_TEXT("[\n\"\\\\\\ud800\"]"), KIM_TEXT("[\n{\"\\udfff\":1}]"),
        KIM_TEXT("[\n\"\\ud83d\\u0041\"]"), KIM_TEXT("[\n\"\\ud83d\\n\"]"),
    };
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++)
        assert_refused(halves[i], "doc.json:2: an escape \\uD800 to \\uDFFF stands without its other half");
}

static const kim_json *nested(size_t depth)
{
    char *text = malloc(2 * depth);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    const kim_json *json = parse(text, 2 * depth);
    free(text);
    return json;
}

static void documents_nest_to_the_limit_and_no_deeper(void **state)
{
    (void)state;
    assert_non_null(nested(KIM_JSON_MAX_DEPTH));
    assert_null(nested(KIM_JSON_MAX_DEPTH + 1));
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_says(err.message, "doc.json:1: arrays and objects nest deeper than 512 levels");
    assert_null(nested(1000 * 1000));
    assert_int_equal(err.code, KIM_ERR_LIMIT);
}

static void of_duplicate_names_all_are_kept_and_the_last_one_counts(void **state)
{
    (void)state;
    const kim_json *json = read_json("{\"a\":1,\"b\":2,\"a\":3}");
    assert_int_equal(json->count, 3);
    assert_int_equal(kim_json_int(kim_json_get(json, "a"), 0), 3);
    assert_int_equal(kim_json_int(kim_json_get(json, "b"), 0), 2);
    assert_null(kim_json_get(json, "A"));
    assert_null(kim_json_get(json, ""));
}

static void accessors_take_the_wrong_type_and_give_nothing(void **state)
{
    (void)state;
    const kim_json *json = read_json("{\"s\":\"x\",\"n\":1,\"l\":[\"y\",2,null,[\"z\"],true],\"b\":false,\"o\":{\"s\":\"in\"}}");
    assert_null(kim_json_get(NULL, "s"));
    assert_null(kim_json_get(kim_json_get(json, "l"), "s"));
    assert_true(kim_text_is_absent(kim_json_text(NULL)));
    assert_true(kim_text_is_absent(kim_json_text(kim_json_get(json, "o"))));
    assert_true(kim_text_is(kim_json_text_of(json, "s"), "x"));
    assert_true(kim_text_is(kim_json_text_of(json, "n"), "1"));
    assert_true(kim_text_is(kim_json_text_of(json, "b"), "false"));
    assert_true(kim_text_is_absent(kim_json_text_of(json, "none")));
    assert_false(kim_json_is(NULL, KIM_JSON_NULL));
    assert_true(kim_json_bool(kim_json_get(json, "s"), true));
    assert_int_equal(kim_json_int(kim_json_get(json, "s"), -7), -7);
    assert_string_equal(kim_json_type_name(KIM_JSON_OBJECT), "object");
}

static void one_value_is_a_list_of_one_and_what_is_no_text_is_left_out(void **state)
{
    (void)state;
    const kim_json *json = read_json("{\"s\":\"x\",\"l\":[\"y\",2,null,[\"z\"],true],\"e\":[]}");
    kim_texts one = kim_json_texts(kim_json_get(json, "s"), arena);
    assert_int_equal(one.count, 1);
    assert_true(kim_text_is(one.items[0], "x"));
    kim_texts three = kim_json_texts(kim_json_get(json, "l"), arena);
    assert_int_equal(three.count, 3);
    assert_true(kim_text_is(three.items[1], "2"));
    assert_true(kim_text_is(three.items[2], "true"));
    kim_texts none = kim_json_texts(kim_json_get(json, "e"), arena);
    assert_int_equal(none.count, 0);
    assert_non_null(none.items); /* an empty list matches nothing, an absent one all */
    assert_null(kim_json_texts(NULL, arena).items);
}

static void integers_are_read_to_the_last_bit_and_anything_else_is_otherwise(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {
        {"0", 0}, {"-0", 0}, {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN},
        {"9223372036854775808", 42}, {"-9223372036854775809", 42}, {"99999999999999999999999", 42},
        {"1.0", 42}, {"1e3", 42}, {"\"1\"", 42}, {"true", 42}, {"-17", -17},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(kim_json_int(read_json(cases[i].text), 42), cases[i].value);
}

static void a_document_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    static const char whole[] = "{\"a\":[1,2.5,\"x\\u00e9\\ud83d\\ude00\",true,false,null],\"\xc3\xa9\":{\"b\":{}}}";
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        assert_null(parse(whole, size));
        assert_int_equal(err.code, KIM_ERR_INPUT);
    }
    assert_non_null(parse(whole, sizeof whole - 1));
}

static void the_arenas_ceiling_bounds_a_flat_document_too(void **state)
{
    (void)state;
    enum { SIZE = 1000 * 1000 };
    char *text = malloc(SIZE + 1);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = i % 2 ? ',' : '0';
    text[0] = '[';
    text[SIZE - 1] = ']';
    text[SIZE - 2] = '0';
    text[1] = ' ';
    kim_arena *small = kim_arena_new(1024 * 1024);
    assert_null(kim_json_parse(text, SIZE, "flat", small, &err));
    assert_int_equal(err.code, KIM_ERR_NOMEM);
    assert_says(err.message, "flat:1: ");
    kim_arena_free(small);
    assert_non_null(parse(text, SIZE));
    free(text);
}

static void whatever_allocation_fails_it_says_so_and_leaves_nothing_behind(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,2,{\"b\":\"long \\u00e9 escape that needs a buffer\"}],\"c\":[[[[[[]]]]]]}";
    bool failed = true;
    size_t n;
    for (n = 1; failed; n++) {
        kim_arena *own = kim_arena_new(SIZE_MAX);
        fail_malloc_start(n);
        const kim_json *json = kim_json_parse(text, sizeof text - 1, "doc", own, &err);
        failed = fail_malloc_stop();
        assert_int_equal(json == NULL, failed);
        if (failed)
            assert_int_equal(err.code, KIM_ERR_NOMEM);
        kim_arena_free(own);
    }
    assert_true(n > 6); /* the parser, yajl's parts, the stacks, the arena */
}

static void an_error_need_not_be_asked_for(void **state)
{
    (void)state;
    assert_null(kim_json_parse("[", 1, "doc", arena, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_document_becomes_a_tree_in_the_order_written, setup, teardown),
        cmocka_unit_test_setup_teardown(any_value_may_be_the_whole_document, setup, teardown),
        cmocka_unit_test_setup_teardown(each_value_knows_the_line_it_begins_on, setup, teardown),
        cmocka_unit_test_setup_teardown(escapes_are_decoded_and_a_nul_is_a_character, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_json_is_refused_with_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(texts_that_are_not_utf8_are_refused_with_their_line, setup, teardown),
        cmocka_unit_test_setup_teardown(half_a_surrogate_pair_is_refused_with_its_line, setup, teardown),
        cmocka_unit_test_setup_teardown(documents_nest_to_the_limit_and_no_deeper, setup, teardown),
        cmocka_unit_test_setup_teardown(of_duplicate_names_all_are_kept_and_the_last_one_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(accessors_take_the_wrong_type_and_give_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(one_value_is_a_list_of_one_and_what_is_no_text_is_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(integers_are_read_to_the_last_bit_and_anything_else_is_otherwise, setup, teardown),
        cmocka_unit_test_setup_teardown(a_document_cut_at_any_byte_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_arenas_ceiling_bounds_a_flat_document_too, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_allocation_fails_it_says_so_and_leaves_nothing_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_need_not_be_asked_for, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
