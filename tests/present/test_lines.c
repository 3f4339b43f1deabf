/* SPDX-License-Identifier: Apache-2.0
 *
 * test_lines.c - lines of bounded length, and what is peeked at in them.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "controller/present/cli/lines.h"
#include "controller/present/cli/peek.h"
#include "tests/support/cmocka.h"

enum { MAX = 100 };

static lines *opened(const char *text, size_t size)
{
    kim_error err;
    char path[] = "/tmp/kim-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
    lines *in = lines_open(path, MAX, &err);
    unlink(path);
    assert_non_null(in);
    return in;
}

static void assert_next(lines *in, const char *expected, bool expected_too_long)
{
    kim_text line;
    bool too_long;
    kim_error err;
    assert_int_equal(lines_next(in, &line, &too_long, &err), 1);
    assert_int_equal(too_long, expected_too_long);
    if (!kim_text_is(line, expected))
        fail_msg("'%.*s' is not '%s'", KIM_PRINT(line), expected);
}

static void assert_end(lines *in)
{
    kim_text line;
    bool too_long;
    kim_error err;
    assert_int_equal(lines_next(in, &line, &too_long, &err), 0);
    lines_close(in);
}

static void lines_come_without_their_newlines_the_last_one_too_that_has_none(void **state)
{
    (void)state;
    lines *in = opened("one\n\nthree", 10);
    assert_next(in, "one", false);
    assert_next(in, "", false);
    assert_next(in, "three", false);
    assert_int_equal(lines_number(in), 3);
    assert_end(in);
    assert_end(opened("", 0));
}

/* Around the limit, and far beyond the buffer. */
static void a_line_past_the_limit_comes_cut_and_the_next_one_whole(void **state)
{
    (void)state;
    static char text[2 * 1024 * 1024];
    static const size_t sizes[] = {MAX - 1, MAX, MAX + 1, 256 * 1024, 256 * 1024 + MAX, 1024 * 1024 + 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char expected[MAX + 1];
        size_t kept = sizes[i] < MAX ? sizes[i] : MAX;
        memset(text, 'x', sizes[i]);
        memcpy(text + sizes[i], "\nnext\n", 6);
        memset(expected, 'x', kept);
        expected[kept] = '\0';
        lines *in = opened(text, sizes[i] + 6);
        assert_next(in, expected, sizes[i] > MAX);
        assert_next(in, "next", false);
        assert_end(in);
        in = opened(text, sizes[i]);
        assert_next(in, expected, sizes[i] > MAX);
        assert_end(in);
    }
}

static void a_pipe_that_pauses_would_make_wait_and_one_that_ended_would_not(void **state)
{
    (void)state;
    int ends[2], was = dup(STDIN_FILENO);
    kim_error err;
    assert_int_equal(pipe(ends), 0);
    dup2(ends[0], STDIN_FILENO);
    lines *in = lines_open("-", MAX, &err);
    assert_true(lines_would_wait(in));
    assert_int_equal(write(ends[1], "a\nb\nhal", 7), 7);
    assert_false(lines_would_wait(in));
    assert_next(in, "a", false);
    assert_false(lines_would_wait(in)); /* "b" is here already */
    assert_next(in, "b", false);
    assert_true(lines_would_wait(in));
    close(ends[1]);
    assert_false(lines_would_wait(in));
    assert_next(in, "hal", false);
    assert_end(in);
    dup2(was, STDIN_FILENO);
    close(was);
    close(ends[0]);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    kim_error err;
    assert_null(lines_open("/nonexistent/x", MAX, &err));
    assert_int_equal(err.code, KIM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/x"));
    lines *in = lines_open("/", MAX, &err);
    kim_text line;
    bool too_long;
    assert_int_equal(lines_next(in, &line, &too_long, &err), -1);
    assert_non_null(strstr(err.message, "Is a directory"));
    lines_close(in);
}

/* ---- peeking ---- */

static void assert_peek(const char *object, const char *name, const char *expected)
{
    kim_text value = peek_member(kim_text_of(object), name);
    if (expected == NULL ? !kim_text_is_absent(value) : !kim_text_is(value, expected))
        fail_msg("%s of %s is '%.*s', not '%s'", name, object, KIM_PRINT(value), expected);
}

static void a_member_is_found_at_the_top_alone(void **state)
{
    (void)state;
    assert_peek("{\"id\":\"1\",\"provider\":\"aws\"}", "provider", "\"aws\"");
    assert_peek("  { \"a\" : {\"provider\":\"x\"} , \"provider\" : \"aws\" } ", "provider", "\"aws\"");
    assert_peek("{\"a\":[{\"provider\":\"x\"},[[\"}\"]],1],\"provider\":12 }", "provider", "12");
    assert_peek("{\"a\":\"\\\"provider\\\":\\\\\",\"provider\":{\"b\":[1,2]}}", "provider", "{\"b\":[1,2]}");
    assert_peek("{\"a\":{\"provider\":\"x\"}}", "provider", NULL);
    assert_peek("{\"a\":1,\"a\":2}", "a", "2");
    assert_peek("{}", "a", NULL);
    assert_peek("[\"provider\"]", "provider", NULL);
}

static void what_is_cut_short_is_looked_at_as_far_as_it_goes(void **state)
{
    (void)state;
    const char *whole = "{\"id\":\"7\",\"a\":[{\"b\":\"c\\\"\"},true],\"provider\":\"aws\"}";
    for (size_t size = 0; size < strlen(whole); size++) {
        kim_text cut = {whole, size};
        kim_text id = peek_string(cut, "id");
        assert_true(size < 9 ? kim_text_is_absent(id) : kim_text_is(id, "7"));
        assert_true(kim_text_is_absent(peek_string(cut, "provider")) || size == strlen(whole) - 1);
    }
}

static void no_damage_makes_it_run_on(void **state)
{
    (void)state;
    static const char *const bad[] = {"{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":}", "{\"a\":]", "{\"a\":[}", "{,}", "{\"a\" 1}",
                                      "{\"a\":\"\\", "{\"a\":1,,\"b\":2}", "", "nul", "{\"a\":[1,2", "{\"a\":[,,,"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        peek_member(kim_text_of(bad[i]), "b");
    peek_member((kim_text){"{\"a\":[1\0,2],\"b\":1}", 19}, "b");
    peek_member((kim_text){"{\"a\":\0}", 7}, "b");
}

static void only_a_plain_string_is_taken_as_one(void **state)
{
    (void)state;
    assert_true(kim_text_is(peek_string(KIM_TEXT("{\"p\":\"aws\"}"), "p"), "aws"));
    assert_true(kim_text_is_absent(peek_string(KIM_TEXT("{\"p\":\"a\\u0077s\"}"), "p")));
    assert_true(kim_text_is_absent(peek_string(KIM_TEXT("{\"p\":1}"), "p")));
    assert_true(kim_text_is_absent(peek_string(KIM_TEXT("{\"p\":\"x\" \"}"), "p")) ||
                !kim_text_is(peek_string(KIM_TEXT("{\"p\":\"x\" \"}"), "p"), "x\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_without_their_newlines_the_last_one_too_that_has_none),
        cmocka_unit_test(a_line_past_the_limit_comes_cut_and_the_next_one_whole),
        cmocka_unit_test(a_pipe_that_pauses_would_make_wait_and_one_that_ended_would_not),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(a_member_is_found_at_the_top_alone),
        cmocka_unit_test(what_is_cut_short_is_looked_at_as_far_as_it_goes),
        cmocka_unit_test(no_damage_makes_it_run_on),
        cmocka_unit_test(only_a_plain_string_is_taken_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
