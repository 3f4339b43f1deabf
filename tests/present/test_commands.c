/* SPDX-License-Identifier: Apache-2.0
 *
 * test_commands.c - the table of commands, and command lines read against it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "controller/present/cli/commands.h"
#include "tests/support/cmocka.h"

static invocation in;
static kim_error err;
static char *words[64];

/* Reads a line of words with single spaces between. */
static int read_line(const char *line)
{
    static char copy[4096];
    int count = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *rest, *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    err = (kim_error){0};
    return commands_read(&in, (const char **)words, count, &err);
}

static void assert_refused(const char *line, const char *message)
{
    assert_int_equal(read_line(line), -1);
    assert_int_equal(err.code, KIM_ERR_INPUT);
    if (strstr(err.message, message) == NULL)
        fail_msg("'%s' is not in '%s'", message, err.message);
}

static void options_may_stand_anywhere_and_in_every_form(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "can -o json ann s3:GetObject b", "can ann s3:GetObject b --output json", "can ann --output=json s3:GetObject b",
        "can ann s3:GetObject b -ojson",  "-o json can ann s3:GetObject b",       "can -qo json ann s3:GetObject b",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (read_line(lines[i]) < 0)
            fail_msg("%s: %s", lines[i], err.message);
        assert_string_equal(in.command->name, "can");
        assert_int_equal(in.form, AS_JSON);
        assert_int_equal(in.argument_count, 3);
        assert_string_equal(in.arguments[0], "ann");
        assert_string_equal(in.arguments[1], "s3:GetObject");
        assert_string_equal(in.arguments[2], "b");
    }
}

static void a_command_of_two_words_is_one_command(void **state)
{
    (void)state;
    assert_int_equal(read_line("agent add web-17 --scope aws:1 --scope aws:2"), 0);
    assert_string_equal(in.command->name, "agent add");
    assert_int_equal(in.argument_count, 1);
    assert_int_equal(in.given_count, 2);
    assert_string_equal(in.given[0].value, "aws:1");
    assert_string_equal(in.given[1].value, "aws:2");
}

static void what_follows_two_dashes_is_an_argument_though_it_begins_with_one(void **state)
{
    (void)state;
    assert_int_equal(read_line("show -- -odd-name"), 0);
    assert_int_equal(in.argument_count, 1);
    assert_string_equal(in.arguments[0], "-odd-name");
}

static void of_scan_it_is_the_query(void **state)
{
    (void)state;
    assert_int_equal(read_line("scan a.json b -- who-can x y -o json"), 0);
    assert_int_equal(in.argument_count, 2);
    assert_int_equal(in.rest_count, 5);
    assert_string_equal(in.rest[0], "who-can");
    assert_int_equal(in.form, AS_TABLE);
}

static void a_dash_alone_is_an_argument(void **state)
{
    (void)state;
    assert_int_equal(read_line("evaluate -"), 0);
    assert_string_equal(in.arguments[0], "-");
}

static void what_is_unknown_is_named_with_what_is_near(void **state)
{
    (void)state;
    assert_refused("satus", "there is no command 'satus'; did you mean 'status'?");
    assert_refused("who_can a b", "did you mean 'who-can'?");
    assert_refused("agent ad x", "there is no command 'agent ad'; did you mean 'agent add'?");
    assert_refused("xyzzy", "`kim help` lists them all");
    assert_refused("who-can a b --mdoe strict", "kim who-can has no option '--mdoe'; did you mean '--mode'?");
    assert_refused("who-can a b --xyzzy", "`kim help who-can` lists them");
    assert_refused("who-can a b -z", "has no option '-z'");
}

static void what_does_not_fit_is_refused_with_what_does(void **state)
{
    (void)state;
    assert_refused("can ann", "something is missing: kim can IDENTITY ACTION RESOURCE");
    assert_refused("status now", "'now' is one too many");
    assert_refused("can a b c --mode lax", "--mode is 'lax'; it is one of: discover strict");
    assert_refused("can a b c -m", "-m needs a value: -m MODE");
    assert_refused("can a b c --mode", "--mode needs a value: --mode MODE");
    assert_refused("can a b c -m strict -m strict", "--mode is given twice");
    assert_refused("can a b c --exit-code=1", "--exit-code takes no value");
    assert_refused("status -o yaml", "it is one of: table json csv");
    assert_refused("status --filter x", "kim status has no option '--filter'");
}

static void help_may_be_asked_for_without_the_arguments(void **state)
{
    (void)state;
    assert_int_equal(read_line("can --help"), 0);
    assert_true(in.wants_help);
    assert_int_equal(read_line("-h"), 0);
    assert_true(in.wants_help);
    assert_null(in.command);
}

static void more_options_than_fit_are_refused(void **state)
{
    (void)state;
    static const char *many[2 * OPTIONS_GIVEN_MAX + 8] = {"can", "a", "b", "c"};
    for (int i = 0; i < OPTIONS_GIVEN_MAX + 1; i++) {
        many[4 + 2 * i] = "-c";
        many[5 + 2 * i] = "k=v";
    }
    assert_int_equal(commands_read(&in, many, 4 + 2 * (OPTIONS_GIVEN_MAX + 1), &err), -1);
    assert_int_equal(err.code, KIM_ERR_INPUT);
}

/* ---- the table itself ---- */

static void every_command_has_what_help_needs(void **state)
{
    (void)state;
    size_t count;
    const command *all = commands_all(&count);
    for (size_t i = 0; i < count; i++) {
        char begin[64];
        assert_non_null(all[i].run);
        assert_true(strlen(all[i].summary) > 10);
        assert_true(all[i].summary[strlen(all[i].summary) - 1] != '.');
        assert_true(all[i].max_arguments < 0 || all[i].min_arguments <= all[i].max_arguments);
        snprintf(begin, sizeof begin, "kim %s", all[i].name);
        if (strcmp(all[i].name, "agents") != 0 && strncmp(all[i].examples, begin, strlen(begin)) != 0)
            fail_msg("the examples of '%s' begin with another command", all[i].name);
    }
}

/* An example that the parser refuses would mislead. Quotes are the shell's: none of them holds a space. */
static void every_example_is_a_command_line_that_is_read(void **state)
{
    (void)state;
    size_t count;
    const command *all = commands_all(&count);
    for (size_t i = 0; i < count; i++)
        for (const char *at = all[i].examples; *at != '\0';) {
            char line[512];
            size_t size = strcspn(at, "\n");
            snprintf(line, sizeof line, "%.*s", (int)size, at);
            *(strpbrk(line, "<>") != NULL ? strpbrk(line, "<>") : line + strlen(line)) = '\0';
            if (read_line(line + strlen("kim ")) < 0)
                fail_msg("%s: %s", line, err.message);
            assert_ptr_equal(in.command, &all[i]);
            at += size + (at[size] == '\n');
        }
}

static void no_command_hides_a_common_option(void **state)
{
    (void)state;
    size_t count;
    const command *all = commands_all(&count);
    for (size_t i = 0; i < count; i++)
        for (const option *o = all[i].options; o->name != NULL; o++)
            for (const option *c = commands_common_options(); c->name != NULL; c++) {
                assert_string_not_equal(o->name, c->name);
                assert_true(o->letter == 0 || o->letter != c->letter);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_anywhere_and_in_every_form),
        cmocka_unit_test(a_command_of_two_words_is_one_command),
        cmocka_unit_test(what_follows_two_dashes_is_an_argument_though_it_begins_with_one),
        cmocka_unit_test(of_scan_it_is_the_query),
        cmocka_unit_test(a_dash_alone_is_an_argument),
        cmocka_unit_test(what_is_unknown_is_named_with_what_is_near),
        cmocka_unit_test(what_does_not_fit_is_refused_with_what_does),
        cmocka_unit_test(help_may_be_asked_for_without_the_arguments),
        cmocka_unit_test(more_options_than_fit_are_refused),
        cmocka_unit_test(every_command_has_what_help_needs),
        cmocka_unit_test(every_example_is_a_command_line_that_is_read),
        cmocka_unit_test(no_command_hides_a_common_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
