/* SPDX-License-Identifier: Apache-2.0
 *
 * test_words.c - JSON of the API in words for people.
 */
#include "controller/present/cli/words.h"
#include "tests/support/cmocka.h"

static kim_arena *arena;

static const kim_json *parsed(const char *text)
{
    kim_error err;
    const kim_json *json = kim_json_parse(text, strlen(text), "test", arena, &err);
    if (json == NULL)
        fail_msg("%s", err.message);
    return json;
}

static void assert_words(kim_text words, const char *expected)
{
    if (!kim_text_is(words, expected))
        fail_msg("'%.*s' is not '%s'", KIM_PRINT(words), expected);
}

static void conditions_read_like_sentences(void **state)
{
    (void)state;
    assert_words(words_condition(parsed("[{\"key\":\"aws:SourceIp\",\"op\":\"IpAddress\",\"values\":[\"192.0.2.0/24\",\"::1\"]}]"), arena),
                 "aws:SourceIp IpAddress 192.0.2.0/24, ::1");
    assert_words(words_condition(parsed("[{\"any\":[{\"resource\":\"a\"},{\"not\":{\"expression\":\"x > 1\"}}]},{\"all\":[{\"resource\":\"b\"}]}]"), arena),
                 "(resource is a or not x > 1) and (resource is b)");
    assert_true(words_condition(NULL, arena).size == 0);
}

static void terms_nested_without_end_do_not_run_on(void **state)
{
    (void)state;
    enum { DEPTH = 200 };
    char text[DEPTH * 16] = "[";
    for (int i = 0; i < DEPTH; i++)
        strcat(text, "{\"not\":");
    strcat(text, "1");
    for (int i = 0; i < DEPTH; i++)
        strcat(text, "}");
    strcat(text, "]");
    kim_text words = words_condition(parsed(text), arena);
    assert_true(kim_text_ends_with(words, KIM_TEXT("...")));
}

static void reasons_name_layer_policy_and_statement(void **state)
{
    (void)state;
    assert_words(words_because(parsed("[{\"layer\":\"identity\",\"policy\":\"Admin\",\"statement\":\"0\"},{\"layer\":\"scp\",\"policy\":\"o-root\"}]"), arena),
                 "identity: Admin/0; scp: o-root");
    assert_words(words_why(parsed("{\"if\":[{\"resource\":\"x\"}],\"because\":[{\"layer\":\"identity\",\"policy\":\"P\"}]}"), arena),
                 "if resource is x; by identity: P");
    assert_words(words_why(parsed("{\"if\":[{\"unread\":\"kms\"}],\"unread\":[\"kms\"]}"), arena), "not read: kms");
}

static void a_word_to_paste_is_one_word_of_a_shell(void **state)
{
    (void)state;
    assert_words(words_shell(KIM_TEXT("arn:aws:iam::111122223333:user/a.b+c=d,e@f_g-h"), arena),
                 "arn:aws:iam::111122223333:user/a.b+c=d,e@f_g-h");
    assert_words(words_shell(KIM_TEXT("my account.json"), arena), "'my account.json'");
    assert_words(words_shell(KIM_TEXT("$(reboot)`reboot`;\\*?~"), arena), "'$(reboot)`reboot`;\\*?~'");
    assert_words(words_shell(KIM_TEXT("'ann's'"), arena), "''\\''ann'\\''s'\\'''");
    assert_words(words_shell(KIM_TEXT("j\u00f6rg"), arena), "'j\u00f6rg'");
    assert_words(words_shell(KIM_TEXT(""), arena), "''");
}

static void what_nobody_should_paste_is_no_word(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\nreboot", "\033[2J", "a\x7f", "a\xc2\x9b", "a\xff", "-o", "--help"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_true(kim_text_is_absent(words_shell(kim_text_of(bad[i]), arena)));
    assert_true(kim_text_is_absent(words_shell(KIM_NO_TEXT, arena)));
}

static void times_are_utc(void **state)
{
    (void)state;
    assert_words(words_time(parsed("1795285800000"), arena), "2026-11-21 18:30");
    assert_true(words_time(parsed("0"), arena).size == 0);
    assert_true(words_time(NULL, arena).size == 0);
    assert_words(words_duration(90061000, arena), "1 d 1 h");
    assert_words(words_duration(59000, arena), "59 s");
    assert_words(words_duration(0, arena), "0 s");
}

static int begin(void **state)
{
    (void)state;
    arena = kim_arena_new(1 << 22);
    return arena == NULL;
}

static int end(void **state)
{
    (void)state;
    kim_arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_read_like_sentences),
        cmocka_unit_test(terms_nested_without_end_do_not_run_on),
        cmocka_unit_test(reasons_name_layer_policy_and_statement),
        cmocka_unit_test(a_word_to_paste_is_one_word_of_a_shell),
        cmocka_unit_test(what_nobody_should_paste_is_no_word),
        cmocka_unit_test(times_are_utc),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
