/* SPDX-License-Identifier: Apache-2.0
 *
 * test_action.c - which IAM action an event stands for.
 */
#include <stdio.h>

#include "plugins/aws/usage/action.h"
#include "plugins/aws/usage/target.h"
#include "tests/plugins/aws/desk.h"
#include "tests/support/cmocka.h"

static void assert_action(const char *source, const char *name, const char *text)
{
    action a;
    action_resolve(kim_text_of(source), kim_text_of(name), KIM_TEXT("AwsApiCall"), &a);
    if (a.kind == ACTION_KNOWN ? strcmp(a.text, text) != 0 : strcmp(a.kind == ACTION_NONE ? "none" : "unmapped", text) != 0)
        fail_msg("%s %s is %s and not %s", source, name,
                 a.kind == ACTION_KNOWN ? a.text : a.kind == ACTION_NONE ? "none" : "unmapped", text);
}

static void a_call_named_like_its_action_is_that_action_in_the_catalogues_spelling(void **state)
{
    (void)state;
    assert_action("dynamodb.amazonaws.com", "GetItem", "dynamodb:GetItem");
    assert_action("iam.amazonaws.com", "CreateRole", "iam:CreateRole");
    assert_action("s3.amazonaws.com", "GetBucketCors", "s3:GetBucketCORS");
    assert_action("sts.amazonaws.com", "AssumeRoleWithWebIdentity", "sts:AssumeRoleWithWebIdentity");
}

static void a_call_that_is_spelt_otherwise_is_the_action_that_its_manual_names(void **state)
{
    (void)state;
    assert_action("s3.amazonaws.com", "ListObjects", "s3:ListBucket");
    assert_action("s3.amazonaws.com", "HeadObject", "s3:GetObject");
    assert_action("s3.amazonaws.com", "ListBuckets", "s3:ListAllMyBuckets");
    assert_action("lambda.amazonaws.com", "Invoke", "lambda:InvokeFunction");
    assert_action("monitoring.amazonaws.com", "PutMetricAlarm", "cloudwatch:PutMetricAlarm");
    assert_action("email.amazonaws.com", "SendEmail", "ses:SendEmail");
    assert_action("tagging.amazonaws.com", "GetResources", "tag:GetResources");
    assert_action("sqs.amazonaws.com", "SendMessageBatch", "sqs:SendMessage");
}

static void the_version_that_lambda_appends_is_no_part_of_the_name(void **state)
{
    (void)state;
    assert_action("lambda.amazonaws.com", "CreateFunction20150331", "lambda:CreateFunction");
    assert_action("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", "lambda:UpdateFunctionCode");
    assert_action("lambda.amazonaws.com", "ListTags20170331", "lambda:ListTags");
    assert_action("cloudfront.amazonaws.com", "CreateInvalidation2020_05_31", "cloudfront:CreateInvalidation");
}

static void api_gateway_decides_by_http_method(void **state)
{
    (void)state;
    assert_action("apigateway.amazonaws.com", "GetRestApis", "apigateway:GET");
    assert_action("apigateway.amazonaws.com", "CreateDeployment", "apigateway:POST");
    assert_action("apigateway.amazonaws.com", "UpdateStage", "apigateway:PATCH");
    assert_action("apigateway.amazonaws.com", "FlushStageCache", "apigateway:DELETE");
    assert_action("apigateway.amazonaws.com", "ImportApi", "apigateway:PUT");
    assert_action("apigateway.amazonaws.com", "TagResource", "unmapped");
}

static void a_sign_in_is_nothing_that_an_action_decides(void **state)
{
    action a;
    (void)state;
    assert_action("signin.amazonaws.com", "ConsoleLogin", "none");
    assert_action("signin.amazonaws.com", "SwitchRole", "none");
    action_resolve(KIM_TEXT("ec2.amazonaws.com"), KIM_TEXT("SharedSnapshotVolumeCreated"), KIM_TEXT("AwsServiceEvent"), &a);
    assert_int_equal(a.kind, ACTION_NONE);
}

static void what_nobody_knows_stays_unmapped(void **state)
{
    (void)state;
    assert_action("iam.amazonaws.com", "MakeCoffee", "unmapped");
    assert_action("coffee.amazonaws.com", "GetItem", "unmapped");
    assert_action("", "", "unmapped");
    assert_action("dynamodb.amazonaws.com", "BatchExecuteStatement", "unmapped");
    assert_action("s3.amazonaws.com", "20150331", "unmapped");
}

static void every_action_that_a_table_names_is_in_the_catalogue(void **state)
{
    char spelt[ACTION_MAX_BYTES];
    action_takes takes;
    const char *to, *from;
    (void)state;
    size_t rows = 0;
    for (; (from = action_table_row(rows, &to)) != NULL; rows++)
        if (to && *to && (!action_spell(kim_text_of(to), spelt, &takes) || strcmp(spelt, to)))
            fail_msg("%s: the catalogue has no %s", from, to);
    assert_true(rows > 100);
    for (size_t i = 0; action_data_events[i].prefix; i++)
        for (size_t k = 0; action_data_events[i].actions[k]; k++) {
            to = action_data_events[i].actions[k];
            if (to[strlen(to) - 1] != '*' && (!action_spell(kim_text_of(to), spelt, &takes) || strcmp(spelt, to)))
                fail_msg("the catalogue has no %s", to);
        }
}

/* An ARN pattern of the catalogue, its ${holes} standing for anything, over a form with its {holes} filled. */
static bool matches(const char *pattern, const char *text)
{
    if (!*pattern)
        return !*text;
    if (pattern[0] == '$' && pattern[1] == '{') {
        const char *rest = strchr(pattern, '}') + 1;
        for (;; text++) {
            if (matches(rest, text))
                return true;
            if (!*text)
                return false;
        }
    }
    return *pattern == *text && matches(pattern + 1, text + 1);
}

static void the_arns_that_requests_are_turned_into_are_of_a_type_that_the_action_takes(void **state)
{
    char path[4096], line[65536];
    const char *source = getenv("KIM_SOURCE_DIR"), *prefix, *actions, *form;
    (void)state;
    snprintf(path, sizeof path, "%s/etc/catalogue/aws.catalogue", source ? source : ".");
    for (size_t i = 0; target_table_row(i, &prefix, &actions, &form); i++) {
        char filled[512], name[128];
        size_t size = 0;
        for (const char *c = form; *c; c++) {
            if (*c == '{') {
                size += c[1] == '?' ? 0 : (size_t)snprintf(filled + size, sizeof filled - size, "%s", c[1] == 'P' && c[2] == '}' ? "aws" : "x");
                c = strchr(c, '}');
            } else
                filled[size++] = *c;
        }
        filled[size] = '\0';
        FILE *catalogue = fopen(path, "r");
        assert_non_null(catalogue);
        bool found = form[0] == '{', in_service = false;
        while (!found && fgets(line, sizeof line, catalogue)) {
            char *save, *kind = strtok_r(line, "\t\n", &save), *first = strtok_r(NULL, "\t\n", &save), *second = strtok_r(NULL, "\t\n", &save);
            if (kind && !strcmp(kind, "service"))
                in_service = !strcmp(first, prefix) || (!strcmp(prefix, "sts") && !strcmp(first, "iam"));
            else if (in_service && kind && !strcmp(kind, "resource") && second)
                found = matches(second, filled);
        }
        fclose(catalogue);
        if (!found)
            fail_msg("%s %s: no resource of the catalogue is like %s", prefix, actions, filled);
        for (const char *at = actions; *at;) { /* names without '*' are actions, and take a resource */
            size_t length = strcspn(at, " ");
            char spelt[ACTION_MAX_BYTES];
            action_takes takes;
            snprintf(name, sizeof name, "%s:%.*s", prefix, (int)length, at);
            if (at[length - 1] != '*') {
                if (!action_spell(kim_text_of(name), spelt, &takes) || strcmp(spelt, name))
                    fail_msg("the catalogue has no %s", name);
                if (takes == TAKES_NONE || takes == TAKES_SEVERAL)
                    fail_msg("%s takes no single resource", name);
            }
            at += length + (at[length] == ' ');
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_named_like_its_action_is_that_action_in_the_catalogues_spelling),
        cmocka_unit_test(a_call_that_is_spelt_otherwise_is_the_action_that_its_manual_names),
        cmocka_unit_test(the_version_that_lambda_appends_is_no_part_of_the_name),
        cmocka_unit_test(api_gateway_decides_by_http_method),
        cmocka_unit_test(a_sign_in_is_nothing_that_an_action_decides),
        cmocka_unit_test(what_nobody_knows_stays_unmapped),
        cmocka_unit_test(every_action_that_a_table_names_is_in_the_catalogue),
        cmocka_unit_test(the_arns_that_requests_are_turned_into_are_of_a_type_that_the_action_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
