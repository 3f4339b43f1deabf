/* SPDX-License-Identifier: Apache-2.0
 *
 * test_wildcard - patterns against texts, and against each other: compared with trying every short text.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "controller/evaluate/samples.h"
#include "controller/evaluate/wildcard.h"

static bool matches(const char *pattern, const char *text)
{
    return glob_match(kim_text_of(pattern), kim_text_of(text));
}

static void a_star_stands_for_any_run_and_a_question_mark_for_one_character(void **state)
{
    (void)state;
    assert_true(matches("", ""));
    assert_true(matches("*", ""));
    assert_true(matches("a*c", "ac"));
    assert_true(matches("a*c", "abbbc"));
    assert_true(matches("*a*b*", "xaxbx"));
    assert_true(matches("a?c", "abc"));
    assert_false(matches("a?c", "ac"));
    assert_false(matches("a*c", "abcd"));
    assert_false(matches("", "a"));
    assert_true(matches("*:*", "s3:GetObject"));
}

static void a_question_mark_takes_a_whole_character_of_utf8(void **state)
{
    (void)state;
    assert_true(matches("a?c", "a\xc3\xa9""c"));
    assert_false(matches("a??c", "a\xc3\xa9""c"));
}

static void letters_fold_only_where_it_is_asked_for(void **state)
{
    (void)state;
    assert_true(glob_match_nocase(KIM_TEXT("S3:get*"), KIM_TEXT("s3:GetObject")));
    assert_false(matches("S3:get*", "s3:GetObject"));
}

/* Calls f with every text over a, b and c up to four characters. */
enum { TEXTS = 1 + 3 + 9 + 27 + 81 };
static void every_text(char texts[TEXTS][8])
{
    size_t count = 1, from = 0;
    texts[0][0] = '\0';
    for (int size = 1; size <= 4; size++) {
        size_t until = count;
        for (; from < until; from++)
            for (char c = 'a'; c <= 'c'; c++)
                snprintf(texts[count++], sizeof *texts, "%s%c", texts[from], c);
    }
}

static const char *const patterns[] = {"", "*", "a", "a*", "*a", "?", "a?", "?a", "a*b", "*a*", "ab", "a*b*", "??", "*b?", "?*", "b*", "*c", "ab*", "a*a"};
enum { PATTERNS = sizeof patterns / sizeof *patterns };

static void how_two_patterns_relate_is_what_trying_every_text_shows(void **state)
{
    static char texts[TEXTS][8];
    (void)state;
    every_text(texts);
    for (size_t a = 0; a < PATTERNS; a++)
        for (size_t b = 0; b < PATTERNS; b++) {
            bool some = false, all = true;
            for (size_t t = 0; t < TEXTS; t++)
                if (matches(patterns[a], texts[t])) {
                    some |= matches(patterns[b], texts[t]);
                    all &= matches(patterns[b], texts[t]);
                }
            glob_relation expected = all && some ? GLOB_WITHIN : some ? GLOB_OVERLAPS : GLOB_DISJOINT;
            glob_relation found = glob_relate(kim_text_of(patterns[a]), kim_text_of(patterns[b]));
            if (found != expected)
                fail_msg("'%s' and '%s': %d instead of %d", patterns[a], patterns[b], found, expected);
        }
}

static void a_relation_that_takes_too_many_steps_is_never_a_wrong_yes_or_no(void **state)
{
    char a[512] = "", b[512] = "";
    (void)state;
    for (int i = 0; i < 60; i++) {
        strcat(a, "*a?");
        strcat(b, "?*b*a");
    }
    assert_int_not_equal(glob_relate(kim_text_of(a), kim_text_of(b)), GLOB_WITHIN);
}

static void samples_hold_a_text_for_each_way_that_some_text_matches(void **state)
{
    static char texts[TEXTS][8];
    (void)state;
    every_text(texts);
    for (size_t a = 0; a < PATTERNS; a++)
        for (size_t b = a; b < PATTERNS; b++) {
            kim_arena *arena = kim_arena_new((size_t)1 << 24);
            const units both[2] = {units_of_pattern(kim_text_of(patterns[a]), arena), units_of_pattern(kim_text_of(patterns[b]), arena)};
            samples found = {.is_complete = true};
            assert_int_equal(samples_find(both, 2, units_of_pattern(KIM_TEXT("*"), arena), arena, &found), 0);
            assert_true(found.is_complete);
            unsigned ways = 0, sampled = 0;
            for (size_t t = 0; t < TEXTS; t++)
                ways |= 1u << (matches(patterns[a], texts[t]) + 2 * matches(patterns[b], texts[t]));
            for (size_t i = 0; i < found.count; i++)
                sampled |= 1u << (glob_match(kim_text_of(patterns[a]), found.items[i]) + 2 * glob_match(kim_text_of(patterns[b]), found.items[i]));
            if ((ways & ~sampled) != 0)
                fail_msg("'%s' and '%s': ways %x, sampled %x", patterns[a], patterns[b], ways, sampled);
            kim_arena_free(arena);
        }
}

static void a_pattern_of_an_arn_keeps_its_stars_within_their_parts(void **state)
{
    kim_arena *arena = kim_arena_new((size_t)1 << 24);
    const units one[1] = {units_of_arn(KIM_TEXT("arn:aws:s3:*:*:b/*"), false, arena)};
    samples found = {.is_complete = true};
    (void)state;
    assert_int_equal(samples_find(one, 1, units_of_arn(KIM_TEXT("arn:aws:s3:?*:*:?*"), false, arena), arena, &found), 0);
    for (size_t i = 0; i < found.count; i++) {
        size_t colons = 0;
        for (size_t k = 0; k < found.items[i].size; k++)
            colons += found.items[i].bytes[k] == ':';
        assert_true(colons >= 5);
    }
    assert_true(found.count >= 2);
    kim_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_star_stands_for_any_run_and_a_question_mark_for_one_character),
        cmocka_unit_test(a_question_mark_takes_a_whole_character_of_utf8),
        cmocka_unit_test(letters_fold_only_where_it_is_asked_for),
        cmocka_unit_test(how_two_patterns_relate_is_what_trying_every_text_shows),
        cmocka_unit_test(a_relation_that_takes_too_many_steps_is_never_a_wrong_yes_or_no),
        cmocka_unit_test(samples_hold_a_text_for_each_way_that_some_text_matches),
        cmocka_unit_test(a_pattern_of_an_arn_keeps_its_stars_within_their_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
