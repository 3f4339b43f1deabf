/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <kim/text.h>

static void absent_is_not_empty_but_compares_as_empty(void **state)
{
    (void)state;
    assert_true(kim_text_is_absent(KIM_NO_TEXT));
    assert_false(kim_text_is_absent(KIM_TEXT("")));
    assert_true(kim_text_equal(KIM_NO_TEXT, KIM_TEXT("")));
    assert_int_equal(kim_text_compare(KIM_NO_TEXT, KIM_TEXT("")), 0);
    assert_true(kim_text_starts_with(KIM_NO_TEXT, KIM_TEXT("")));
    assert_true(kim_text_ends_with(KIM_NO_TEXT, KIM_NO_TEXT));
}

static void only_ascii_letters_fold(void **state)
{
    (void)state;
    assert_true(kim_text_equal_nocase(KIM_TEXT("S3:GetObject"), KIM_TEXT("s3:getobject")));
    assert_false(kim_text_equal_nocase(KIM_TEXT("\xc3\x89"), KIM_TEXT("\xc3\xa9"))); /* É, é */
    assert_false(kim_text_equal_nocase(KIM_TEXT("@[`{"), KIM_TEXT("`{@["))); /* beside the letters */
    assert_false(kim_text_equal_nocase(KIM_TEXT("ab"), KIM_TEXT("abc")));
}

static void beginnings_and_ends_are_bytes(void **state)
{
    (void)state;
    assert_true(kim_text_starts_with(KIM_TEXT("arn:aws"), KIM_TEXT("arn:")));
    assert_false(kim_text_starts_with(KIM_TEXT("arn"), KIM_TEXT("arn:")));
    assert_true(kim_text_ends_with(KIM_TEXT("a/*"), KIM_TEXT("/*")));
    assert_false(kim_text_ends_with(KIM_TEXT("*"), KIM_TEXT("/*")));
}

static void order_is_by_bytes_and_a_prefix_comes_first(void **state)
{
    (void)state;
    assert_true(kim_text_compare(KIM_TEXT("a"), KIM_TEXT("b")) < 0);
    assert_true(kim_text_compare(KIM_TEXT("ab"), KIM_TEXT("a")) > 0);
    assert_true(kim_text_compare(KIM_TEXT("z"), KIM_TEXT("\xc3\xa9")) < 0);
    assert_int_equal(kim_text_compare(KIM_TEXT("a"), KIM_TEXT("a")), 0);
}

static void utf8_is_taken_only_in_its_one_form(void **state)
{
    (void)state;
    static const struct {
        kim_text text;
        size_t good;
    } cases[] = {
        {KIM_TEXT("plain ascii, more than eight"), 28},
        {KIM_TEXT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), 9},
        {KIM_TEXT("\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), 18},
        {KIM_TEXT("\xed\x9f\xbf\xee\x80\x80"), 6}, /* beside the surrogates */
        {KIM_TEXT("ab\x80"), 2},               /* a continuation alone */
        {KIM_TEXT("\xc0\xaf"), 0},             /* overlong */
        {KIM_TEXT("\xc1\xbf"), 0},
        {KIM_TEXT("\xe0\x9f\xbf"), 0},
        {KIM_TEXT("\xf0\x8f\xbf\xbf"), 0},
        {KIM_TEXT("\xed\xa0\x80"), 0},         /* a surrogate */
        {KIM_TEXT("\xf4\x90\x80\x80"), 0},     /* past U+10FFFF */
        {KIM_TEXT("\xf5\x80\x80\x80"), 0},
        {KIM_TEXT("1234567\xc3"), 7},          /* cut short */
        {KIM_TEXT("\xf0\x9f\x98"), 0},
        {KIM_TEXT("\xe2\x28\xa1"), 0},
        {KIM_TEXT("12345678\xff"), 8},
        {KIM_TEXT(""), 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(kim_text_utf8_size(cases[i].text), cases[i].good);
    assert_true(kim_text_is_utf8(KIM_NO_TEXT));
}

static void a_control_character_is_known_by_its_front(void **state)
{
    (void)state;
    assert_int_equal(kim_text_control_size(KIM_TEXT("")), 0);
    assert_int_equal(kim_text_control_size(KIM_NO_TEXT), 0);
    assert_int_equal(kim_text_control_size(KIM_TEXT("\0")), 1);
    assert_int_equal(kim_text_control_size(KIM_TEXT("\033[2J")), 1);
    assert_int_equal(kim_text_control_size(KIM_TEXT("\x7f")), 1);
    assert_int_equal(kim_text_control_size(KIM_TEXT("\xc2\x80")), 2);
    assert_int_equal(kim_text_control_size(KIM_TEXT("\xc2\x9f")), 2);
    assert_int_equal(kim_text_control_size(KIM_TEXT("\xc2\xa0")), 0);
    assert_int_equal(kim_text_control_size(KIM_TEXT("\xc2")), 0);
    assert_int_equal(kim_text_control_size(KIM_TEXT(" ")), 0);
}

static void copies_are_c_strings_and_absent_stays_absent(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(1024);
    kim_text copy = kim_text_copy(arena, (kim_text){"abcdef", 3});
    assert_string_equal(copy.bytes, "abc");
    assert_true(kim_text_is_absent(kim_text_copy(arena, KIM_NO_TEXT)));
    assert_false(kim_text_is_absent(kim_text_copy(arena, KIM_TEXT(""))));
    assert_string_equal(kim_text_lower(arena, KIM_TEXT("S3:Get\xc3\x89")).bytes, "s3:get\xc3\x89");
    kim_text said = kim_text_format(arena, "%s/%d", "a", 7);
    assert_string_equal(said.bytes, "a/7");
    assert_int_equal(said.size, 3);
    assert_false(kim_arena_is_full(arena));
    kim_arena_free(arena);
}

static void a_copy_that_does_not_fit_is_absent_and_the_arena_remembers(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(3);
    assert_true(kim_text_is_absent(kim_text_copy(arena, KIM_TEXT("abc")))); /* and the NUL: 4 */
    assert_true(kim_text_is_absent(kim_text_lower(arena, KIM_TEXT("A"))));
    assert_true(kim_text_is_absent(kim_text_format(arena, "%d", 1)));
    assert_true(kim_arena_is_full(arena));
    kim_arena_free(arena);
}

static void a_pair_is_found_by_its_exact_name(void **state)
{
    (void)state;
    const kim_pair items[] = {{KIM_TEXT("Team"), KIM_TEXT("a")}, {KIM_TEXT("team"), KIM_TEXT("b")}};
    kim_pairs pairs = {items, 2};
    assert_true(kim_text_is(kim_pairs_get(pairs, "team"), "b"));
    assert_true(kim_text_is_absent(kim_pairs_get(pairs, "TEAM")));
    assert_true(kim_text_is_absent(kim_pairs_get((kim_pairs){NULL, 0}, "team")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_is_not_empty_but_compares_as_empty),
        cmocka_unit_test(only_ascii_letters_fold),
        cmocka_unit_test(beginnings_and_ends_are_bytes),
        cmocka_unit_test(order_is_by_bytes_and_a_prefix_comes_first),
        cmocka_unit_test(utf8_is_taken_only_in_its_one_form),
        cmocka_unit_test(a_control_character_is_known_by_its_front),
        cmocka_unit_test(copies_are_c_strings_and_absent_stays_absent),
        cmocka_unit_test(a_copy_that_does_not_fit_is_absent_and_the_arena_remembers),
        cmocka_unit_test(a_pair_is_found_by_its_exact_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
