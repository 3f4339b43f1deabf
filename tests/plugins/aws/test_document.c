/* SPDX-License-Identifier: Apache-2.0
 *
 * test_document.c - a policy document is kept as written, and what cannot be understood is named.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <kim/limits.h>

#include "plugins/aws/document.h"
#include "tests/plugins/aws/desk.h"

typedef struct fixture {
    desk desk;
    aws_out out;
} fixture;

static int start(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    desk_start(&f->desk);
    assert_int_equal(aws_out_start(&f->out, &f->desk.host, 64 * 1024 * 1024, true, NULL), 0);
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

static const aws_policy a_policy = {.scope = {"aws:1", 5}, .id = {"p", 1}, .name = {"p", 1}, .kind = {"inline", 6}};

static const desk *put(fixture *f, const kim_json *document)
{
    kim_error err = {0};
    desk_clear(&f->desk);
    if (aws_document_put(&f->out, &a_policy, document, &err) < 0 || aws_out_flush(&f->out, &err) < 0)
        fail_msg("%s", err.message);
    return &f->desk;
}

static const desk *read_document(fixture *f, const char *text)
{
    kim_error err = {0};
    kim_arena_reset(f->out.arena);
    const kim_json *json = kim_json_parse(text, strlen(text), "test", f->out.arena, &err);
    if (json == NULL)
        fail_msg("%s", err.message);
    return put(f, json);
}

static const char *statement(fixture *f, const char *elements)
{
    char text[4096];
    snprintf(text, sizeof text, "{\"Version\":\"2012-10-17\",\"Statement\":[{%s}]}", elements);
    return desk_one(read_document(f, text), "\"record\":\"statement\"", NULL);
}

static void assert_unread(fixture *f, const char *elements, const char *why)
{
    const char *record = statement(f, elements), *unread = strstr(record, "\"unread\":\"");
    if (unread == NULL || strstr(unread, why) == NULL)
        fail_msg("%s does not say '%s'", record, why);
}

static void assert_policy_unread(fixture *f, const char *text, const char *why, size_t statements)
{
    const desk *d = read_document(f, text);
    const char *policy = desk_one(d, "\"record\":\"policy\"", "\"unread\":\"", NULL);
    if (strstr(policy, why) == NULL)
        fail_msg("%s does not say '%s'", policy, why);
    assert_int_equal(desk_count(d, "\"record\":\"statement\"", NULL), statements);
}

static void assert_holds(const char *record, const char *piece)
{
    if (strstr(record, piece) == NULL)
        fail_msg("%s does not hold %s", record, piece);
}

static void a_single_value_is_a_list_of_one(void **state)
{
    const char *s = statement(*state, "\"Sid\":\"A\",\"Effect\":\"Allow\",\"Action\":\"s3:Get*\",\"Resource\":\"*\"");
    assert_holds(s, "\"sid\":\"A\",\"effect\":\"allow\",\"actions\":[\"s3:Get*\"],\"resources\":[\"*\"]");
    assert_null(strstr(s, "unread"));
}

static void lists_and_their_opposites_are_kept_in_order(void **state)
{
    const char *s = statement(*state, "\"Effect\":\"Deny\",\"NotAction\":[\"b:B\",\"a:A\"],\"NotResource\":[\"arn:aws:s3:::b/*\"]");
    assert_holds(s, "\"effect\":\"deny\",\"not_actions\":[\"b:B\",\"a:A\"],\"not_resources\":[\"arn:aws:s3:::b/*\"]");
}

static void an_empty_list_stays_empty_and_an_absent_element_absent(void **state)
{
    const char *s = statement(*state, "\"Effect\":\"Allow\",\"Action\":[]");
    assert_holds(s, "\"actions\":[]");
    assert_null(strstr(s, "resources"));
    assert_null(strstr(s, "subjects"));
    assert_null(strstr(s, "unread"));
}

static void principals_carry_their_type(void **state)
{
    assert_holds(statement(*state, "\"Effect\":\"Allow\",\"Principal\":\"*\""), "\"subjects\":[\"*\"]");
    assert_holds(statement(*state, "\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"}"), "\"subjects\":[\"AWS:*\"]");
    assert_holds(statement(*state, "\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"111122223333\",\"arn:aws:iam::1:root\"],\"Service\":\"ec2.amazonaws.com\","
                                   "\"Federated\":\"accounts.google.com\",\"CanonicalUser\":\"79a5\"}"),
                 "\"subjects\":[\"AWS:111122223333\",\"AWS:arn:aws:iam::1:root\",\"Service:ec2.amazonaws.com\",\"Federated:accounts.google.com\",\"CanonicalUser:79a5\"]");
    assert_holds(statement(*state, "\"Effect\":\"Deny\",\"NotPrincipal\":{\"AWS\":\"arn:aws:iam::1:root\"}"), "\"not_subjects\":[\"AWS:arn:aws:iam::1:root\"]");
    assert_holds(statement(*state, "\"Effect\":\"Allow\",\"Principal\":{\"AWS\":111122223333}"), "\"subjects\":[\"AWS:111122223333\"]");
    assert_holds(statement(*state, "\"Effect\":\"Allow\",\"Principal\":{}"), "\"subjects\":[]");
}

static void a_condition_is_its_compact_text_as_written(void **state)
{
    const char *s = statement(*state, "\"Effect\":\"Allow\",\"Condition\":{ \"Bool\" : {\"aws:SecureTransport\": false}, \"NumericLessThan\":{\"s3:max-keys\":[10, \"20\"]}}");
    assert_holds(s, "{\\\"Bool\\\":{\\\"aws:SecureTransport\\\":false},\\\"NumericLessThan\\\":{\\\"s3:max-keys\\\":[10,\\\"20\\\"]}}");
    assert_null(strstr(statement(*state, "\"Effect\":\"Allow\",\"Condition\":{}"), "condition"));
}

static void what_a_statement_may_not_hold_is_named(void **state)
{
    assert_unread(*state, "\"Effect\":\"allow\"", "Effect is allow; it must be Allow or Deny");
    assert_unread(*state, "\"Action\":\"s3:*\"", "has no Effect");
    assert_unread(*state, "\"Effect\":[\"Allow\"]", "Effect is array");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Actions\":\"s3:*\"", "unknown element 'Actions'");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Action\":[\"s3:*\",{}]", "Action holds object where a string belongs");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Action\":\"a:A\",\"NotAction\":\"a:B\"", "has both Action and NotAction");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Effect\":\"Deny\"", "Effect stands twice");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Principal\":\"arn:aws:iam::1:root\"", "Principal is neither * nor an object");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Principal\":{\"Aws\":\"*\"}", "Principal has the unknown type 'Aws'");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Condition\":[]", "Condition is array, not an object");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Condition\":{\"Bool\":\"x\"}", "Condition's 'Bool' is string, not an object");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Condition\":{\"Bool\":{\"k\":{}}}", "Condition's 'Bool' has 'k' with a value that is no string");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Condition\":{\"Bool\":{\"k\":[[\"a\"]]}}", "has 'k' with a value");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Condition\":{\"Bool\":{\"k\":null}}", "has 'k' with a value");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Condition\":{\"Bool\":{\"k\":\"a\"},\"Bool\":{}}", "Condition has 'Bool' twice");
    assert_unread(*state, "\"Effect\":\"Allow\",\"Sid\":{}", "Sid is object");
}

static void a_deny_that_is_only_partly_understood_is_still_a_deny(void **state)
{
    assert_holds(statement(*state, "\"Effect\":\"Deny\",\"Action\":\"s3:*\",\"Recource\":\"*\""), "\"effect\":\"deny\",\"actions\":[\"s3:*\"]");
}

static void statements_may_stand_alone_or_not_at_all(void **state)
{
    const desk *d = read_document(*state, "{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"a:A\"}}");
    desk_one(d, "\"record\":\"statement\"", NULL);
    assert_null(strstr(desk_one(d, "\"record\":\"policy\"", NULL), "version"));
    d = read_document(*state, "{\"Version\":\"2008-10-17\",\"Id\":\"x\",\"Statement\":[]}");
    assert_holds(desk_one(d, "\"record\":\"policy\"", NULL), "\"version\":\"2008-10-17\"");
    assert_int_equal(d->count, 1);
    assert_int_equal(read_document(*state, "{}")->count, 1);
}

static void statements_are_numbered_and_may_share_a_sid(void **state)
{
    const desk *d = read_document(*state, "{\"Statement\":[{\"Sid\":\"S\",\"Effect\":\"Allow\"},{\"Sid\":\"S\",\"Effect\":\"Deny\"}]}");
    desk_one(d, "\"index\":0", "\"effect\":\"allow\"", NULL);
    desk_one(d, "\"index\":1", "\"effect\":\"deny\"", NULL);
}

static void a_document_that_cannot_be_relied_on_has_no_statements(void **state)
{
    assert_policy_unread(*state, "{\"Version\":\"2012-10-18\",\"Statement\":[{\"Effect\":\"Allow\"}]}", "Version is '2012-10-18'; known are", 0);
    assert_policy_unread(*state, "{\"Version\":1,\"Statement\":[{\"Effect\":\"Allow\"}]}", "Version is 'number'", 0);
    assert_policy_unread(*state, "{\"Statement\":\"x\"}", "Statement is string, not a list of statements", 0);
    assert_policy_unread(*state, "{\"Statement\":[],\"Statement\":[]}", "Statement stands twice", 0);
    assert_policy_unread(*state, "[]", "the document is array, not an object", 0);
    assert_policy_unread(*state, "null", "the document is null, not an object", 0);
    assert_policy_unread(*state, "\"{\\\"Statement\\\":\"", "the document is no JSON", 0);
}

static void an_unknown_element_of_the_document_is_named_and_its_statements_are_read(void **state)
{
    assert_policy_unread(*state, "{\"Statements\":[],\"Statement\":[{\"Effect\":\"Allow\"}]}", "unknown element 'Statements'", 1);
}

static void a_document_may_come_as_text_or_url_encoded(void **state)
{
    fixture *f = *state;
    char *plain = desk_sorted(read_document(f, "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:a+b\"}]}"));
    char *text = desk_sorted(read_document(f, "\"{\\\"Version\\\": \\\"2012-10-17\\\",\\n \\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"s3:a+b\\\"}]}\""));
    char *url = desk_sorted(read_document(f, "\"%7B%22Version%22%3A%20%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2c%22Action%22%3A%22s3%3Aa+b%22%7D%5D%7D\""));
    assert_string_equal(plain, text);
    assert_string_equal(plain, url);
    free(plain);
    free(text);
    free(url);
}

static void too_much_is_cut_down_to_what_can_be_said(void **state)
{
    fixture *f = *state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "{\"Statement\":[{\"Effect\":\"Deny\",\"Action\":[\"a:A\"");
    for (size_t i = 0; i < KIM_LIST_MAX_ITEMS; i++)
        fprintf(out, ",\"a:%zu\"", i);
    fprintf(out, "]},{\"Effect\":\"Allow\",\"Action\":\"b:B\"}]}");
    fclose(out);
    const desk *d = read_document(f, text);
    desk_one(d, "\"index\":0", "\"effect\":\"deny\"", "\"unread\":", NULL);
    assert_null(strstr(desk_one(d, "\"index\":1", NULL), "unread"));
    free(text);
}

static void more_statements_than_are_read_is_said(void **state)
{
    fixture *f = *state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fprintf(out, "{\"Statement\":[{\"Effect\":\"Allow\"}");
    for (size_t i = 0; i < KIM_POLICY_MAX_STATEMENTS; i++)
        fprintf(out, ",{\"Effect\":\"Allow\"}");
    fprintf(out, "]}");
    fclose(out);
    assert_policy_unread(f, text, "has 4097 statements; the first 4096 are read", KIM_POLICY_MAX_STATEMENTS);
    free(text);
}

/* Every document of a file {name: document or {"document":...}}; how many could not be read whole. */
static size_t read_all(fixture *f, const char *path, const char *inside, size_t *unread)
{
    size_t size, count = 0;
    kim_error err = {0};
    char *text = desk_shared(path, &size);
    if (text == NULL)
        skip();
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    const kim_json *root = kim_json_parse(text, size, path, arena, &err);
    assert_non_null(root);
    *unread = 0;
    for (size_t i = 0; i < root->count; i++) {
        const kim_json *document = root->members[i].value;
        if (kim_json_get(document, "$notJson"))
            continue;
        if (inside)
            document = kim_json_get(document, inside);
        kim_arena_reset(f->out.arena);
        *unread += desk_count(put(f, document), "\"unread\":", NULL) > 0;
        assert_true(desk_count(&f->desk, "\"record\":\"statement\"", NULL) > 0);
        count++;
    }
    kim_arena_free(arena);
    free(text);
    return count;
}

static void every_managed_policy_is_read_whole(void **state)
{
    size_t unread;
    assert_int_equal(read_all(*state, "aws/managed-policies/aws-managed-policies.json.xz", "document", &unread), 1642);
    assert_int_equal(unread, 0);
}

static void every_published_example_is_read_whole(void **state)
{
    size_t unread;
    assert_int_equal(read_all(*state, "aws/policy-examples/service-control-policy-examples.json.xz", NULL, &unread), 56);
    assert_int_equal(unread, 0);
    assert_int_equal(read_all(*state, "aws/policy-examples/resource-control-policy-examples.json.xz", NULL, &unread), 23);
    assert_int_equal(unread, 0);
    assert_int_equal(read_all(*state, "aws/policy-examples/data-perimeter-policy-examples.json.xz", NULL, &unread), 29);
    assert_int_equal(unread, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
        TEST(a_single_value_is_a_list_of_one),
        TEST(lists_and_their_opposites_are_kept_in_order),
        TEST(an_empty_list_stays_empty_and_an_absent_element_absent),
        TEST(principals_carry_their_type),
        TEST(a_condition_is_its_compact_text_as_written),
        TEST(what_a_statement_may_not_hold_is_named),
        TEST(a_deny_that_is_only_partly_understood_is_still_a_deny),
        TEST(statements_may_stand_alone_or_not_at_all),
        TEST(statements_are_numbered_and_may_share_a_sid),
        TEST(a_document_that_cannot_be_relied_on_has_no_statements),
        TEST(an_unknown_element_of_the_document_is_named_and_its_statements_are_read),
        TEST(a_document_may_come_as_text_or_url_encoded),
        TEST(too_much_is_cut_down_to_what_can_be_said),
        TEST(more_statements_than_are_read_is_said),
        TEST(every_managed_policy_is_read_whole),
        TEST(every_published_example_is_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
