/* SPDX-License-Identifier: Apache-2.0
 *
 * test_regex - regular expressions as RE2 and Go have them, in linear time.
 */
#include "tests/support/cmocka.h"

#include "controller/evaluate/cel/regex.h"

static kim_arena *arena;

static int start(void **state)
{
    (void)state;
    arena = kim_arena_new((size_t)256 << 20);
    return arena ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    kim_arena_free(arena);
    return 0;
}

/* 1, 0; -1: no pattern, for the reason in err. */
static int search(const char *pattern, kim_text text, kim_error *err)
{
    kim_arena_reset(arena);
    const regex *r = regex_compile(kim_text_of(pattern), arena, err);
    return r ? regex_search(r, text, arena) : -1;
}

static void assert_matches(const char *pattern, const char *text, bool matches)
{
    kim_error err = {0};
    int found = search(pattern, kim_text_of(text), &err);
    if (found != matches)
        print_message("# '%s' in '%s': %d %s\n", pattern, text, found, err.message);
    assert_int_equal(found, matches);
}

static void assert_refused(const char *pattern, const char *why)
{
    kim_error err = {0};
    assert_int_equal(search(pattern, KIM_TEXT(""), &err), -1);
    if (err.code != KIM_ERR_INPUT || strcmp(err.message, why) != 0)
        print_message("# '%s': %s\n", pattern, err.message);
    assert_int_equal(err.code, KIM_ERR_INPUT);
    assert_string_equal(err.message, why);
}

static void a_pattern_matches_anywhere_unless_it_says_otherwise(void **state)
{
    (void)state;
    assert_matches("b", "abc", true);
    assert_matches("^b", "abc", false);
    assert_matches("c$", "abc", true);
    assert_matches("^$", "", true);
    assert_matches("\\Ab|c\\z", "abc", true);
    assert_matches("b$", "b\n", false); /* the end is the end of the text */
    assert_matches("(?m)^b$", "a\nb\nc", true);
}

static void alternatives_groups_and_repeats(void **state)
{
    (void)state;
    assert_matches("^(a|bc)+$", "abcabc", true);
    assert_matches("^(?:a|bc){2,3}$", "abcabca", false);
    assert_matches("^a{2}$", "aaa", false);
    assert_matches("^a{0}$", "", true);
    assert_matches("^a{,2}$", "a{,2}", true); /* no repeat, and so itself */
    assert_matches("^(a?){3}a{3}$", "aaa", true);
    assert_matches("^(|a)*b", "aab", true);
    assert_matches("^(?P<x>a)(?<y>b)$", "ab", true);
}

static void classes_hold_ranges_and_named_sets(void **state)
{
    (void)state;
    assert_matches("^[a-c]+$", "abc", true);
    assert_matches("^[^a-c]+$", "abd", false);
    assert_matches("^[]a-]+$", "]-a", true);
    assert_matches("^[\\d[:space:]]+$", "1 2", true);
    assert_matches("^[[:^alpha:]]$", "1", true);
    assert_matches("^\\w\\W\\s\\S$", "_- x", true);
    assert_matches("^\\p{Greek}\\pL\\P{Lu}\\p{^Han}$", "\xce\xb1\xc3\xa9" "ab", true);
    assert_matches("^.$", "\xe6\x97\xa5", true); /* a character, not a byte */
    assert_matches("^.$", "\n", false);
    assert_matches("(?s)^.$", "\n", true);
}

static void case_folds_as_unicode_has_it(void **state)
{
    (void)state;
    assert_matches("(?i)^straSSe$", "STRAssE", true);
    assert_matches("(?i)^k$", "\xe2\x84\xaa", true); /* the Kelvin sign */
    assert_matches("(?i)^[k-m]$", "\xe2\x84\xaa", true);
    assert_matches("(?i)^\\W$", "\xe2\x84\xaa", false);
    assert_matches("(?i)a(?-i)b", "Ab", true);
    assert_matches("(?i)a(?-i)b", "AB", false);
    assert_matches("(?:(?i)a)b", "AB", false); /* flags end with their group */
    assert_matches("^\xc3\xa9$", "\xc3\x89", false);
}

static void escapes_stand_for_characters(void **state)
{
    (void)state;
    assert_matches("^\\x41\\x{1F431}\\101\\t\\.\\_\\Q.*\\E$", "A\xf0\x9f\x90\xb1" "A\t._.*", true);
    assert_matches("\\bb\\B", "a bc", true);
    assert_matches("\\bb\\b", "a bc", false);
}

static void what_is_no_pattern_is_refused_in_gos_words(void **state)
{
    (void)state;
    assert_refused("(a", "missing closing ): `(a`");
    assert_refused("a)", "unexpected ): `a)`");
    assert_refused("[a", "missing closing ]: `[a`");
    assert_refused("a**", "invalid nested repetition operator: `**`");
    assert_refused("*", "missing argument to repetition operator: `*`");
    assert_refused("(|*)", "missing argument to repetition operator: `*`");
    assert_refused("a{2,1}", "invalid repeat count: `{2,1}`");
    assert_refused("a{1001}", "invalid repeat count: `{1001}`");
    assert_refused("(a{100}){11}", "invalid repeat count: `{11}`");
    assert_refused("\\1", "invalid escape sequence: `\\1`");
    assert_refused("\\C", "invalid escape sequence: `\\C`");
    assert_refused("a\\", "trailing backslash at end of expression: ``");
    assert_refused("(?=a)", "invalid or unsupported Perl syntax: `(?=`");
    assert_refused("(?<=a)", "invalid named capture: `(?<=a)`");
    assert_refused("(?P<>a)", "invalid named capture: `(?P<>`");
    assert_refused("[b-a]", "invalid character class range: `b-a`");
    assert_refused("\\p{None}", "invalid character class range: `\\p{None}`");
}

static void no_pattern_takes_more_than_linear_time(void **state)
{
    enum { SIZE = 200000 };
    static char text[SIZE];
    kim_error err = {0};
    (void)state;
    memset(text, 'a', SIZE);
    static const char *const hard[] = {"(a*)*b", "(a|aa)+b", "(a|a?)+b", "^(a+)+$b", "(.*)(.*)(.*)(.*)(.*)b", "(?:a?){30}a{30}b"};
    for (size_t i = 0; i < sizeof hard / sizeof *hard; i++)
        assert_int_equal(search(hard[i], (kim_text){text, SIZE}, &err), 0);
}

static void what_becomes_too_large_or_too_deep_is_refused(void **state)
{
    static char pattern[40000];
    kim_error err = {0};
    (void)state;
    for (size_t i = 0; i < 200; i++)
        memcpy(pattern + 7 * i, "a{1000}", 8);
    assert_int_equal(search(pattern, KIM_TEXT("a"), &err), -1);
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    memset(pattern, '(', 2000);
    pattern[2000] = '\0';
    assert_int_equal(search(pattern, KIM_TEXT("a"), &err), -1);
    assert_non_null(strstr(err.message, "expression nests too deeply"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pattern_matches_anywhere_unless_it_says_otherwise),
        cmocka_unit_test(alternatives_groups_and_repeats),
        cmocka_unit_test(classes_hold_ranges_and_named_sets),
        cmocka_unit_test(case_folds_as_unicode_has_it),
        cmocka_unit_test(escapes_stand_for_characters),
        cmocka_unit_test(what_is_no_pattern_is_refused_in_gos_words),
        cmocka_unit_test(no_pattern_takes_more_than_linear_time),
        cmocka_unit_test(what_becomes_too_large_or_too_deep_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
