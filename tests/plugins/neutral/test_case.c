/* SPDX-License-Identifier: Apache-2.0
 *
 * test_case.c - a neutral case becomes records that carry every word of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "plugins/neutral/case.h"
#include "tests/plugins/aws/desk.h"

typedef struct fixture {
    desk desk;
    kim_emitter emitter;
    kim_arena *arena;
} fixture;

static int start(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    desk_start(&f->desk);
    kim_emitter_start(&f->emitter, &f->desk.host);
    f->arena = kim_arena_new(32 * 1024 * 1024);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    fixture *f = *state;
    kim_emitter_stop(&f->emitter);
    kim_arena_free(f->arena);
    desk_stop(&f->desk);
    free(f);
    return 0;
}

static const desk *read_case(fixture *f, const char *line)
{
    kim_error err = {0};
    desk_clear(&f->desk);
    if (neutral_case_normalise(&f->emitter, f->arena, "case 5", line, strlen(line), &err) < 0)
        fail_msg("%s", err.message);
    return &f->desk;
}

static void assert_refused(fixture *f, const char *line, const char *why)
{
    kim_error err = {0};
    desk_clear(&f->desk);
    assert_int_equal(neutral_case_normalise(&f->emitter, f->arena, "case 5", line, strlen(line), &err), -1);
    if (strstr(err.message, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, why);
    assert_int_equal(f->desk.count, 0);
}

#define PROFILE "\"profile\":{\"combining\":\"deny-overrides\",\"wildcard\":\"mqtt\"}"
#define REQUEST "\"request\":{\"identity\":\"robot-17\",\"action\":\"publish\",\"resource\":\"plant/4/cmd\"}"

static void every_word_of_a_statement_arrives(void **state)
{
    const desk *d = read_case(*state,
        "{\"id\":\"5\",\"provider\":\"neutral\",\"profile\":{\"combining\":\"first-match\",\"default\":\"allow\",\"default_by_action\":{\"subscribe\":\"allow\"},"
        "\"wildcard\":\"mqtt\",\"case\":\"insensitive\",\"layers\":[{\"name\":\"ban\",\"use\":\"veto\"},{\"name\":\"role\",\"use\":\"grant\"}]}," REQUEST ","
        "\"statements\":[{\"id\":\"s1\",\"effect\":\"deny\",\"subjects\":[\"group:cell-4\"],\"not_subjects\":[],\"actions\":[\"publish\"],\"resources\":[\"plant/+/cmd\"],"
        "\"layer\":\"ban\",\"order\":[1,10,20],\"weight\":3,\"inherit\":\"children\",\"origin\":\"default\",\"condition\":{\"lang\":\"kim\",\"text\":\"a == b\"},"
        "\"eligible\":true,\"starts\":1000,\"expires\":\"1970-01-01T00:00:02Z\"},{\"effect\":\"allow\"}],"
        "\"edges\":[{\"from\":\"robot-17\",\"type\":\"member_of\",\"to\":\"group:cell-4\",\"order\":1}],"
        "\"resources\":{\"plant/4/cmd\":\"plant/4\",\"plant/4\":\"plant\"}}");
    desk_one(d, "\"record\":\"profile\"", "\"combining\":\"first-match\"", "\"default_effect\":\"allow\"", "\"default_by_action\":{\"subscribe\":\"allow\"}",
             "\"letter_case\":\"insensitive\"", "\"layers\":{\"ban\":\"veto\",\"role\":\"grant\"}", NULL);
    desk_one(d, "\"record\":\"statement\"", "\"policy\":\"s1\"", "\"sid\":\"s1\"", "\"effect\":\"deny\"", "\"subjects\":[\"group:cell-4\"]", "\"not_subjects\":[]",
             "\"actions\":[\"publish\"]", "\"resources\":[\"plant/+/cmd\"]", "\"order\":[\"1\",\"10\",\"20\"]", "\"weight\":3", "a == b", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"policy\":\"s1\"", "\"layer\":\"ban\"", "\"inherit\":\"children\"", "\"origin\":\"default\"",
             "\"eligible\":true", "\"starts_unix_ms\":1000", "\"expires_unix_ms\":2000", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"policy\":\"[1]\"", "\"layer\":\"role\"", NULL);
    desk_one(d, "\"record\":\"edge\"", "\"kind\":\"member_of\"", "\"from\":\"robot-17\"", "\"to\":\"group:cell-4\"", "\"order\":1", NULL);
    desk_one(d, "\"record\":\"resource\"", "\"id\":\"plant/4/cmd\"", "\"parent\":\"plant/4\"", NULL);
    desk_one(d, "\"record\":\"resource\"", "\"id\":\"plant/4\"", "\"parent\":\"plant\"", NULL);
    desk_one(d, "\"record\":\"identity\"", "\"id\":\"robot-17\"", NULL);
}

static void an_absent_list_stays_absent_and_an_empty_one_empty(void **state)
{
    const desk *d = read_case(*state, "{" PROFILE "," REQUEST ",\"statements\":[{\"id\":\"s\",\"effect\":\"allow\",\"actions\":[]}]}");
    const char *statement = desk_one(d, "\"record\":\"statement\"", "\"actions\":[]", NULL);
    assert_null(strstr(statement, "subjects"));
    assert_null(strstr(statement, "resources"));
}

static void unknown_keys_and_words_are_refused_by_name(void **state)
{
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"rules\":[]}", "unknown key 'rules' in the case; known are id, provider");
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"statements\":[{\"effect\":\"allow\",\"action\":\"x\"}]}", "unknown key 'action' in statements[0]");
    assert_refused(*state, "{" PROFILE ",\"request\":{\"who\":\"x\"}}", "unknown key 'who' in request");
    assert_refused(*state, "{\"profile\":{\"combine\":1}}", "unknown key 'combine' in profile");
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"statements\":[{\"effect\":\"permit\"}]}", "effect 'permit' is not known; write one of allow, deny");
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"statements\":[{\"effect\":\"allow\",\"inherit\":\"all\"}]}", "write one of none, children, tree");
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"edges\":[{\"from\":\"a\",\"type\":\"is\",\"to\":\"b\"}]}", "type 'is' is not known");
}

static void what_cannot_be_read_is_refused_with_what_to_write(void **state)
{
    assert_refused(*state, "{" REQUEST "}", "profile is missing");
    assert_refused(*state, "{\"profile\":{}," REQUEST "}", "profile.combining is missing");
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"statements\":[{\"id\":\"s\"}]}", "statements[0]: effect is missing");
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"statements\":{}}", "statements is object; it must be a list");
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"statements\":[{\"effect\":\"allow\",\"actions\":[{}]}]}", "actions is array; it must be a string or a list of strings");
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"statements\":[{\"id\":\"s\",\"effect\":\"allow\"},{\"id\":\"s\",\"effect\":\"deny\"}]}", "two statements have the id 's'");
    assert_refused(*state, "{\"profile\":{\"combining\":\"allow-union\"}," REQUEST ",\"statements\":[{\"id\":\"s9\",\"effect\":\"deny\"}]}", "statement 's9' has effect deny, which allow-union does not know");
    assert_refused(*state, "{" PROFILE "," REQUEST ",\"edges\":[{\"from\":\"a\"}]}", "edges[0] needs from, type and to");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        TEST(every_word_of_a_statement_arrives),
        TEST(an_absent_list_stays_absent_and_an_empty_one_empty),
        TEST(unknown_keys_and_words_are_refused_by_name),
        TEST(what_cannot_be_read_is_refused_with_what_to_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
