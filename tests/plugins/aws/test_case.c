/* SPDX-License-Identifier: Apache-2.0
 *
 * test_case.c - a case of `kim evaluate` becomes the records that collection would give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "plugins/aws/case.h"
#include "tests/plugins/aws/desk.h"

typedef struct fixture {
    desk desk;
    aws_out out;
} fixture;

static int start(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    desk_start(&f->desk);
    assert_int_equal(aws_out_start(&f->out, &f->desk.host, 32 * 1024 * 1024, false, NULL), 0);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    fixture *f = *state;
    aws_out_stop(&f->out);
    desk_stop(&f->desk);
    free(f);
    return 0;
}

static const desk *read_case(fixture *f, const char *line)
{
    kim_error err = {0};
    desk_clear(&f->desk);
    if (aws_case_normalise(&f->out, "case 1", line, strlen(line), &err) < 0)
        fail_msg("%s", err.message);
    return &f->desk;
}

static void assert_refused(fixture *f, const char *line, const char *why)
{
    kim_error err = {0};
    desk_clear(&f->desk);
    assert_int_equal(aws_case_normalise(&f->out, "case 1", line, strlen(line), &err), -1);
    if (strstr(err.message, why) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, why);
    assert_int_equal(f->desk.count, 0);
}

#define ANN "\"request\":{\"principal\":\"arn:aws:iam::111122223333:user/ann\",\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/k\"}"
#define ALLOW "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}"

static void an_identity_document_is_a_policy_a_statement_and_an_attachment(void **state)
{
    const desk *d = read_case(*state, "{\"id\":\"1\",\"provider\":\"aws\"," ANN ",\"policies\":{\"identity\":[" ALLOW "]}}");
    desk_one(d, "\"record\":\"identity\"", "\"scope\":\"aws:111122223333\"", "\"id\":\"arn:aws:iam::111122223333:user/ann\"", "\"kind\":\"human\"", NULL);
    desk_one(d, "\"record\":\"policy\"", "\"id\":\"identity[0]\"", "\"version\":\"2012-10-17\"", NULL);
    desk_one(d, "\"record\":\"statement\"", "\"policy\":\"identity[0]\"", "\"effect\":\"allow\"", "\"actions\":[\"s3:*\"]", "\"resources\":[\"*\"]", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"policy\":\"identity[0]\"", "\"layer\":\"identity\"", "\"subject\":\"arn:aws:iam::111122223333:user/ann\"", NULL);
    desk_one(d, "\"record\":\"profile\"", "\"id\":\"aws\"", "\"combining\":\"layered\"", NULL);
    desk_one(d, "\"record\":\"resource\"", "\"id\":\"arn:aws:s3:::b/k\"", "s3:object", NULL);
}

static void a_named_document_has_its_name_as_id_and_gives_way_where_it_stands_twice(void **state)
{
    const desk *d = read_case(*state, "{" ANN ",\"policies\":{\"identity\":[{\"name\":\"p\",\"policy\":" ALLOW "},{\"name\":\"p\",\"policy\":" ALLOW "}],"
                                      "\"boundary\":[{\"name\":\"identity[1]\",\"policy\":" ALLOW "}]}}");
    desk_one(d, "\"record\":\"policy\"", "\"id\":\"p\"", NULL);
    desk_one(d, "\"record\":\"policy\"", "\"id\":\"identity[1]\"", "\"name\":\"p\"", NULL);
    desk_one(d, "\"record\":\"policy\"", "\"id\":\"boundary[0]\"", "\"name\":\"identity[1]\"", NULL);
    assert_int_equal(desk_count(d, "\"record\":\"statement\"", NULL), 3);
}

static void a_boundary_that_is_set_and_empty_is_an_attachment_without_statements(void **state)
{
    const desk *d = read_case(*state, "{" ANN ",\"policies\":{\"identity\":[],\"boundary\":[],\"session\":null}}");
    desk_one(d, "\"record\":\"attachment\"", "\"layer\":\"boundary\"", "\"policy\":\"boundary\"", NULL);
    assert_int_equal(desk_count(d, "\"record\":\"statement\"", NULL), 0);
    assert_int_equal(desk_count(d, "\"record\":\"attachment\"", NULL), 1);
}

static void the_levels_hang_above_the_account_with_the_organisation_on_top(void **state)
{
    const desk *d = read_case(*state,
        "{" ANN ",\"policies\":{\"scp\":[{\"target\":\"o-root\",\"policies\":[{\"name\":\"Full\",\"policy\":" ALLOW "}]},"
        "{\"target\":\"111122223333\",\"policies\":[]}],\"rcp\":[{\"target\":\"o-root\",\"policies\":[" ALLOW "]}]},"
        "\"principal_organization\":\"o-1\",\"resource_organization\":\"o-1\"}");
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:o-1\"", "\"kind\":\"organisation\"", NULL);
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:case/scp/0/o-root\"", "\"parent\":\"aws:o-1\"", NULL);
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:case/scp/1/111122223333\"", "\"parent\":\"aws:case/scp/0/o-root\"", NULL);
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:case/rcp/0/o-root\"", "\"parent\":\"aws:case/scp/1/111122223333\"", NULL);
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:111122223333\"", "\"parent\":\"aws:case/rcp/0/o-root\"", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"policy\":\"o-root/Full\"", "\"layer\":\"scp\"", "\"on_scope\":\"aws:case/scp/0/o-root\"", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"policy\":\"111122223333/[]\"", "\"layer\":\"scp\"", NULL);
    desk_one(d, "\"record\":\"policy\"", "\"id\":\"o-root/[0]\"", "\"kind\":\"rcp\"", NULL);
}

static void the_resource_s_account_has_a_chain_of_its_own(void **state)
{
    const desk *d = read_case(*state,
        "{\"request\":{\"principal\":\"arn:aws:iam::111122223333:role/r\",\"action\":\"s3:GetObject\",\"resource\":\"arn:aws:s3:::b/k\",\"resource_account\":\"444455556666\"},"
        "\"policies\":{\"scp\":[{\"target\":\"r-1\",\"policies\":[" ALLOW "]}],\"rcp\":[{\"target\":\"r-2\",\"policies\":[" ALLOW "]}],\"resource\":" ALLOW "},"
        "\"s3_public_access_block\":{\"RestrictPublicBuckets\":true}}");
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:111122223333\"", "\"parent\":\"aws:case/scp/0/r-1\"", NULL);
    desk_one(d, "\"record\":\"scope\"", "\"id\":\"aws:444455556666\"", "\"parent\":\"aws:case/rcp/0/r-2\"", NULL);
    desk_one(d, "\"record\":\"resource\"", "\"scope\":\"aws:444455556666\"", "\"s3.restrict_public_buckets\":\"true\"", NULL);
    desk_one(d, "\"record\":\"attachment\"", "\"layer\":\"resource\"", "\"resource\":\"arn:aws:s3:::b/k\"", "\"scope\":\"aws:444455556666\"", NULL);
}

static void every_form_of_principal_is_an_identity(void **state)
{
    static const struct { const char *principal, *id, *kind, *scope; } forms[] = {
        {"\"arn:aws:sts::111122223333:assumed-role/r/s\"", "arn:aws:sts::111122223333:assumed-role/r/s", "role", "aws:111122223333"},
        {"\"arn:aws:iam::111122223333:root\"", "arn:aws:iam::111122223333:root", "human", "aws:111122223333"},
        {"\"111122223333\"", "111122223333", "human", "aws:111122223333"},
        {"\"lambda.amazonaws.com\"", "lambda.amazonaws.com", "service", "aws:case"},
        {"\"*\"", "*", "public", "aws:case"},
        {"{\"Federated\":\"accounts.google.com\"}", "Federated:accounts.google.com", "human", "aws:case"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char line[512], id[256], kind[64], scope[64];
        snprintf(line, sizeof line, "{\"request\":{\"principal\":%s,\"action\":\"a:b\",\"resource\":\"*\"}}", forms[i].principal);
        snprintf(id, sizeof id, "\"id\":\"%s\"", forms[i].id);
        snprintf(kind, sizeof kind, "\"kind\":\"%s\"", forms[i].kind);
        snprintf(scope, sizeof scope, "\"scope\":\"%s\"", forms[i].scope);
        desk_one(read_case(*state, line), "\"record\":\"identity\"", id, kind, scope, NULL);
    }
}

static void documents_to_compare_and_to_expand_are_attached_to_nothing(void **state)
{
    const desk *d = read_case(*state, "{\"provider\":\"aws\",\"compare\":{\"type\":\"resource\",\"reference\":" ALLOW ",\"candidate\":" ALLOW "}}");
    desk_one(d, "\"record\":\"policy\"", "\"id\":\"reference\"", "\"kind\":\"resource\"", NULL);
    desk_one(d, "\"record\":\"statement\"", "\"policy\":\"candidate\"", NULL);
    assert_int_equal(desk_count(d, "\"record\":\"attachment\"", NULL), 0);
    desk_one(read_case(*state, "{\"expand\":" ALLOW "}"), "\"record\":\"policy\"", "\"id\":\"document\"", NULL);
}

static void unknown_keys_are_refused_by_name_and_nothing_goes_out(void **state)
{
    assert_refused(*state, "{" ANN ",\"polices\":{}}", "unknown key 'polices'; known are id, provider");
    assert_refused(*state, "{" ANN ",\"policies\":{\"identity\":[" ALLOW "],\"group\":[]}}", "unknown key 'group' in policies");
    assert_refused(*state, "{\"request\":{\"principal\":\"*\",\"who\":1}}", "unknown key 'who' in request");
    assert_refused(*state, "{" ANN ",\"policies\":{\"scp\":[{\"targets\":1}]}}", "unknown key 'targets'");
    assert_refused(*state, "{" ANN ",\"policies\":{\"identity\":[{\"policy\":" ALLOW ",\"nane\":\"x\"}]}}", "unknown key 'nane'");
    assert_refused(*state, "{\"compare\":{\"type\":\"resource\",\"reference\":{},\"candidate\":{},\"x\":1}}", "unknown key 'x' in compare");
}

static void what_is_no_case_is_refused_with_what_to_write(void **state)
{
    assert_refused(*state, "[]", "array");
    assert_refused(*state, "{\"request\":{}}", "request.principal is missing");
    assert_refused(*state, "{\"request\":{\"principal\":[\"a\"]}}", "request.principal is no principal");
    assert_refused(*state, "{}", "request is missing");
    assert_refused(*state, "{" ANN ",\"policies\":{\"identity\":" ALLOW "}}", "policies.identity is object; it must be a list");
    assert_refused(*state, "{" ANN ",\"policies\":{\"identity\":[7]}}", "policies.identity holds number");
    assert_refused(*state, "{" ANN ",\"policies\":{\"scp\":[{\"target\":\"r\"}]}}", "policies.scp is missing");
    assert_refused(*state, "{\"compare\":{\"type\":\"role\",\"reference\":{},\"candidate\":{}}}", "compare.type 'role' is not known");
    assert_refused(*state, "{\"request\":", "case 1:1:");
}

static void a_refused_case_leaves_nothing_behind_for_the_next(void **state)
{
    fixture *f = *state;
    kim_error err;
    const char *bad = "{" ANN ",\"policies\":{\"identity\":[" ALLOW "],\"boundary\":[1]}}";
    assert_int_equal(aws_case_normalise(&f->out, "case 1", bad, strlen(bad), &err), -1);
    const desk *d = read_case(f, "{\"expand\":" ALLOW "}");
    assert_int_equal(desk_count(d, "\"record\":\"policy\"", NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        TEST(an_identity_document_is_a_policy_a_statement_and_an_attachment),
        TEST(a_named_document_has_its_name_as_id_and_gives_way_where_it_stands_twice),
        TEST(a_boundary_that_is_set_and_empty_is_an_attachment_without_statements),
        TEST(the_levels_hang_above_the_account_with_the_organisation_on_top),
        TEST(the_resource_s_account_has_a_chain_of_its_own),
        TEST(every_form_of_principal_is_an_identity),
        TEST(documents_to_compare_and_to_expand_are_attached_to_nothing),
        TEST(unknown_keys_are_refused_by_name_and_nothing_goes_out),
        TEST(what_is_no_case_is_refused_with_what_to_write),
        TEST(a_refused_case_leaves_nothing_behind_for_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
