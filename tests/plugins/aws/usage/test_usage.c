/* SPDX-License-Identifier: Apache-2.0
 *
 * test_usage.c - what CloudTrail's events become, and that every log is counted once however it is read.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "plugins/aws/usage/usage.h"
#include "tests/plugins/aws/desk.h"
#include "tests/plugins/aws/usage/ledger.h"
#include "tests/support/cmocka.h"

#define A "111122223333"
#define ANN "\"userIdentity\":{\"type\":\"IAMUser\",\"principalId\":\"AIDA1\",\"arn\":\"arn:aws:iam::" A \
            ":user/ops/ann\",\"accountId\":\"" A "\",\"accessKeyId\":\"AKIA1\",\"userName\":\"ann\"}"
#define ANN_ARN "arn:aws:iam::" A ":user/ops/ann"
#define ROLE_BY(key, more) "\"userIdentity\":{\"type\":\"AssumedRole\",\"principalId\":\"AROA1:s\",\"arn\":\"arn:aws:sts::" A \
            ":assumed-role/build/s1\",\"accountId\":\"" A "\",\"accessKeyId\":\"" key "\",\"sessionContext\":{\"sessionIssuer\":{" \
            "\"type\":\"Role\",\"arn\":\"arn:aws:iam::" A ":role/ci/build\",\"accountId\":\"" A "\"}" more "}}"
#define ROLE_ARN "arn:aws:iam::" A ":role/ci/build"
#define EVENT(who, source, name, more) "{\"eventVersion\":\"1.09\"," who ",\"eventTime\":\"2026-08-01T10:00:00Z\",\"eventSource\":\"" source \
            ".amazonaws.com\",\"eventName\":\"" name "\",\"awsRegion\":\"eu-west-1\"" more ",\"eventType\":\"AwsApiCall\"," \
            "\"recipientAccountId\":\"" A "\"}"
#define LOG(events) "{\"Records\":[" events "]}"

static ledger L;

static int start(void **state)
{
    (void)state;
    ledger_start(&L);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    ledger_stop(&L);
    return 0;
}

static void read_bytes(const char *text, size_t size)
{
    kim_error err = {0};
    kim_document document = {.kind = "file", .name = "test.json", .bytes = (const uint8_t *)text, .size = size};
    if (aws_usage_normalise(&L.host, NULL, &document, &err) < 0)
        fail_msg("%s", err.message);
    ledger_settle(&L);
}

static void read_text(const char *text)
{
    read_bytes(text, strlen(text));
}

/* One use, and this one. */
static void assert_use(const char *log, const char *key)
{
    ledger_stop(&L);
    ledger_start(&L);
    read_text(log);
    if (L.use_count != 1 || strcmp(L.uses[0].key, key))
        fail_msg("%zu uses, the first '%s', not '%s'; %s", L.use_count, L.use_count ? L.uses[0].key : "", key, L.log);
}

#define DAY "20666 aws:" A " "

static void a_user_and_an_object(void **state)
{
    (void)state;
    assert_use(LOG(EVENT(ANN, "s3", "GetObject", ",\"requestParameters\":{\"bucketName\":\"b\",\"key\":\"k/1\"},\"resources\":["
                         "{\"type\":\"AWS::S3::Object\",\"ARN\":\"arn:aws:s3:::b/k/1\"},{\"accountId\":\"" A "\",\"ARN\":\"arn:aws:s3:::b\"}]")),
               DAY ANN_ARN " s3:GetObject arn:aws:s3:::b/k/1 success ");
    assert_use(LOG(EVENT(ANN, "s3", "ListObjects", ",\"requestParameters\":{\"bucketName\":\"b\"},\"resources\":["
                         "{\"ARN\":\"arn:aws:s3:::b/k/1\"},{\"ARN\":\"arn:aws:s3:::b\"}]")),
               DAY ANN_ARN " s3:ListBucket arn:aws:s3:::b success ");
    assert_int_equal(L.uses[0].first_unix_ms, 1785578400000);
}

static void every_kind_of_identity(void **state)
{
    (void)state;
#define WHO(json) LOG(EVENT("\"userIdentity\":{" json "}", "s3", "ListBuckets", ""))
    assert_use(LOG(EVENT(ROLE_BY("ASIA1", ""), "s3", "ListBuckets", "")),
               DAY ROLE_ARN " s3:ListAllMyBuckets  success arn:aws:sts::" A ":assumed-role/build/s1");
    assert_use(WHO("\"type\":\"AssumedRole\",\"arn\":\"arn:aws:sts::" A ":assumed-role/x/s\",\"accountId\":\"" A "\""),
               DAY "arn:aws:iam::" A ":role/x s3:ListAllMyBuckets  success arn:aws:sts::" A ":assumed-role/x/s");
    assert_use(WHO("\"type\":\"Root\",\"principalId\":\"" A "\",\"arn\":\"arn:aws:iam::" A ":root\",\"accountId\":\"" A "\""),
               DAY "arn:aws:iam::" A ":root s3:ListAllMyBuckets  success ");
    assert_use(WHO("\"type\":\"FederatedUser\",\"arn\":\"arn:aws:sts::" A ":federated-user/f\",\"accountId\":\"" A "\",\"sessionContext\":{"
                   "\"sessionIssuer\":{\"type\":\"IAMUser\",\"arn\":\"" ANN_ARN "\"}}"),
               DAY ANN_ARN " s3:ListAllMyBuckets  success arn:aws:sts::" A ":federated-user/f");
    assert_use(WHO("\"type\":\"AWSService\",\"invokedBy\":\"config.amazonaws.com\""),
               DAY "config.amazonaws.com s3:ListAllMyBuckets  success ");
    assert_use(WHO("\"type\":\"AWSAccount\",\"principalId\":\"AROAX:s\",\"accountId\":\"999988887777\""),
               "20666 aws:999988887777 AROAX s3:ListAllMyBuckets  success ");
    assert_use(WHO("\"type\":\"AWSAccount\",\"principalId\":\"\",\"accountId\":\"ANONYMOUS_PRINCIPAL\""),
               DAY "anonymous s3:ListAllMyBuckets  success ");
    assert_use(WHO("\"type\":\"WebIdentityUser\",\"principalId\":\"token.actions.githubusercontent.com:sts.amazonaws.com:repo:o/r:ref:x\","
                   "\"userName\":\"repo:o/r:ref:x\",\"identityProvider\":\"token.actions.githubusercontent.com\""),
               DAY "token.actions.githubusercontent.com:sts.amazonaws.com:repo:o/r:ref:x s3:ListAllMyBuckets  success ");
    assert_use(WHO("\"type\":\"IdentityCenterUser\",\"accountId\":\"" A "\",\"onBehalfOf\":{\"userId\":\"9067-u\",\"identityStoreArn\":"
                   "\"arn:aws:identitystore::" A ":identitystore/d-9067\"}"),
               "20666 aws:d-9067 9067-u s3:ListAllMyBuckets  success ");
    assert_use(WHO("\"accountId\":\"" A "\",\"invokedBy\":\"ec2.amazonaws.com\""),
               DAY "ec2.amazonaws.com s3:ListAllMyBuckets  success ");
    assert_use(WHO("\"type\":\"IAMUser\",\"accountId\":\"" A "\",\"arn\":\"" ANN_ARN "\",\"invokedBy\":\"cloudformation.amazonaws.com\""),
               DAY ANN_ARN " s3:ListAllMyBuckets  success cloudformation.amazonaws.com");
}

static void behind_a_session_stands_who_assumed_it_and_a_source_identity_before_that(void **state)
{
    (void)state;
    read_text(LOG(EVENT(ANN, "sts", "AssumeRole", ",\"requestParameters\":{\"roleArn\":\"" ROLE_ARN "\"},\"responseElements\":{"
                        "\"credentials\":{\"accessKeyId\":\"ASIA7\",\"sessionToken\":\"t\"}}") ","
                  EVENT(ROLE_BY("ASIA7", ""), "s3", "ListBuckets", "") ","
                  EVENT(ROLE_BY("ASIA7", ""), "sts", "AssumeRole", ",\"requestParameters\":{\"roleArn\":\"arn:aws:iam::" A ":role/deep\"},"
                        "\"responseElements\":{\"credentials\":{\"accessKeyId\":\"ASIA8\"}}") ","
                  EVENT(ROLE_BY("ASIA8", ""), "s3", "GetBucketAcl", ",\"requestParameters\":{\"bucketName\":\"b\"}") ","
                  EVENT(ROLE_BY("ASIA7", ",\"sourceIdentity\":\"bob\""), "s3", "GetBucketAcl", ",\"requestParameters\":{\"bucketName\":\"b\"}")));
    assert_int_equal(ledger_sum(&L, ROLE_ARN " s3:ListAllMyBuckets", "success " ANN_ARN, NULL), 1);
    assert_int_equal(ledger_sum(&L, ROLE_ARN " s3:GetBucketAcl", "success " ANN_ARN, NULL), 1); /* two roles on, it is still ann */
    assert_int_equal(ledger_sum(&L, ROLE_ARN " s3:GetBucketAcl", "success bob", NULL), 1);
    assert_int_equal(ledger_total(&L), 5);
}

static void how_it_ended(void **state)
{
    static const struct {
        const char *code, *outcome;
    } rows[] = {
        {"AccessDenied", "denied"}, {"AccessDeniedException", "denied"}, {"Client.UnauthorizedOperation", "denied"},
        {"UnauthorizedOperation", "denied"}, {"AuthorizationError", "denied"}, {"NotAuthorizedException", "denied"},
        {"NoSuchBucket", "failed"}, {"ThrottlingException", "failed"}, {"InvalidClientTokenId", "failed"},
        {"Client.InvalidInstanceID.NotFound", "failed"}, {"", "success"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char log[2048], key[512];
        snprintf(log, sizeof log, LOG(EVENT(ANN, "s3", "ListBuckets", ",\"errorCode\":\"%s\"")), rows[i].code);
        snprintf(key, sizeof key, DAY ANN_ARN " s3:ListAllMyBuckets  %s ", rows[i].outcome);
        assert_use(log, key);
    }
}

static void what_was_denied_is_what_the_message_says(void **state)
{
    (void)state;
    assert_use(LOG(EVENT(ANN, "lambda", "CreateFunction20150331", ",\"errorCode\":\"AccessDenied\",\"errorMessage\":\"User: " ANN_ARN
                         " is not authorized to perform: iam:PassRole on resource: arn:aws:iam::" A ":role/app because no identity-based"
                         " policy allows the iam:PassRole action\",\"requestParameters\":{\"functionName\":\"f\"}")),
               DAY ANN_ARN " iam:PassRole arn:aws:iam::" A ":role/app denied ");
    assert_use(LOG(EVENT(ANN, "s3", "ListBuckets", ",\"errorCode\":\"AccessDenied\",\"errorMessage\":\"Access Denied\"")),
               DAY ANN_ARN " s3:ListAllMyBuckets  denied ");
    assert_use(LOG(EVENT(ANN, "s3", "GetObject", ",\"errorCode\":\"AccessDenied\",\"errorMessage\":\"not authorized to perform: made:Up on"
                         " resource: x\",\"requestParameters\":{\"bucketName\":\"b\",\"key\":\"k\"}")),
               DAY ANN_ARN " s3:GetObject arn:aws:s3:::b/k denied ");
}

static void requests_name_their_resources(void **state)
{
    (void)state;
#define ASKED(source, name, request) LOG(EVENT(ANN, source, name, ",\"requestParameters\":{" request "}"))
    assert_use(ASKED("lambda", "Invoke", "\"functionName\":\"f\""), DAY ANN_ARN " lambda:InvokeFunction arn:aws:lambda:eu-west-1:" A ":function:f success ");
    assert_use(ASKED("lambda", "Invoke", "\"functionName\":\"arn:aws:lambda:eu-west-1:9:function:f\""),
               DAY ANN_ARN " lambda:InvokeFunction arn:aws:lambda:eu-west-1:9:function:f success ");
    assert_use(ASKED("sqs", "SendMessage", "\"queueUrl\":\"https://sqs.eu-west-1.amazonaws.com/444455556666/q\""),
               DAY ANN_ARN " sqs:SendMessage arn:aws:sqs:eu-west-1:444455556666:q success ");
    assert_use(ASKED("dynamodb", "Query", "\"tableName\":\"t\",\"indexName\":\"i\""),
               DAY ANN_ARN " dynamodb:Query arn:aws:dynamodb:eu-west-1:" A ":table/t/index/i success ");
    assert_use(ASKED("kms", "Decrypt", "\"keyId\":\"1234\""), DAY ANN_ARN " kms:Decrypt arn:aws:kms:eu-west-1:" A ":key/1234 success ");
    assert_use(ASKED("kms", "Decrypt", "\"keyId\":\"alias/mine\""), DAY ANN_ARN " kms:Decrypt  success ");
    assert_use(ASKED("ssm", "GetParameter", "\"name\":\"/a/b\""), DAY ANN_ARN " ssm:GetParameter arn:aws:ssm:eu-west-1:" A ":parameter/a/b success ");
    assert_use(ASKED("secretsmanager", "GetSecretValue", "\"secretId\":\"db\""),
               DAY ANN_ARN " secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-1:" A ":secret:db-* (widened) success ");
    assert_use(ASKED("iam", "GetRole", "\"roleName\":\"r\""), DAY ANN_ARN " iam:GetRole arn:aws:iam::" A ":role/* (widened) success ");
    assert_use(ASKED("s3", "DeleteObjects", "\"bucketName\":\"b\""), DAY ANN_ARN " s3:DeleteObject arn:aws:s3:::b/* (widened) success ");
    assert_use(ASKED("s3", "GetObject", "\"bucketName\":\"b\",\"key\":\"k\",\"versionId\":\"3\""),
               DAY ANN_ARN " s3:GetObjectVersion arn:aws:s3:::b/k success ");
    assert_use(ASKED("s3", "GetObject", "\"bucketName\":\"b\",\"key\":\"a \\u00e4\\\"\\n\\/\""), DAY ANN_ARN " s3:GetObject arn:aws:s3:::b/a \xc3\xa4\"\n/ success ");
    assert_use(ASKED("logs", "CreateLogStream", "\"logGroupName\":\"/g\",\"logStreamName\":\"s\""),
               DAY ANN_ARN " logs:CreateLogStream arn:aws:logs:eu-west-1:" A ":log-group:/g:log-stream:s success ");
    /* Several resources must be named together: none is better than one. */
    assert_use(ASKED("ec2", "RunInstances", "\"instancesSet\":{\"items\":[{\"imageId\":\"ami-1\"}]}"), DAY ANN_ARN " ec2:RunInstances  success ");
}

static void a_call_about_a_list_uses_each_of_it(void **state)
{
    (void)state;
    read_text(ASKED("ec2", "StopInstances", "\"instancesSet\":{\"items\":[{\"instanceId\":\"i-1\"},{\"instanceId\":\"i-2\"}]}"));
    read_text(ASKED("ssm", "GetParameters", "\"names\":[\"a\",\"b\",\"c\"]"));
    assert_int_equal(ledger_sum(&L, "ec2:StopInstances arn:aws:ec2:eu-west-1:" A ":instance/i-", NULL), 2);
    assert_int_equal(ledger_sum(&L, ":parameter/c ", NULL), 1);
    assert_int_equal(ledger_total(&L), 5);
}

static void what_a_call_needs_beside_itself_is_used_too(void **state)
{
    (void)state;
    read_text(ASKED("lambda", "CreateFunction20150331", "\"functionName\":\"f\",\"role\":\"arn:aws:iam::" A ":role/app\""));
    read_text(ASKED("s3", "CopyObject", "\"bucketName\":\"to\",\"key\":\"k\",\"x-amz-copy-source\":\"/from/a%20b?versionId=1\""));
    read_text(ASKED("events", "PutTargets", "\"rule\":\"r\",\"targets\":[{\"id\":\"1\",\"roleArn\":\"arn:aws:iam::" A ":role/t1\"},{\"roleArn\":\"arn:aws:iam::" A ":role/t2\"}]"));
    assert_int_equal(ledger_sum(&L, "iam:PassRole arn:aws:iam::" A ":role/app success", NULL), 1);
    assert_int_equal(ledger_sum(&L, "s3:PutObject arn:aws:s3:::to/k success", NULL), 1);
    assert_int_equal(ledger_sum(&L, "s3:GetObject arn:aws:s3:::from/a b success", NULL), 1);
    assert_int_equal(ledger_sum(&L, "iam:PassRole arn:aws:iam::" A ":role/t2 success", NULL), 1);
}

/* ---- many resources, many sessions ---- */

static char *many(size_t count, const char *(*one)(size_t i, char *room))
{
    char *text = malloc(count * 1024 + 64), room[1024];
    size_t at = (size_t)sprintf(text, "{\"Records\":[");
    for (size_t i = 0; i < count; i++)
        at += (size_t)sprintf(text + at, "%s%s", i ? "," : "", one(i, room));
    sprintf(text + at, "]}");
    return text;
}

static const char *object_of_one_bucket(size_t i, char *room)
{
    sprintf(room, EVENT(ANN, "s3", "GetObject", ",\"requestParameters\":{\"bucketName\":\"b\",\"key\":\"data/2026/part-%zu\"}"), i);
    return room;
}

static const char *object_of_two_buckets(size_t i, char *room)
{
    sprintf(room, EVENT(ANN, "s3", "GetObject", ",\"requestParameters\":{\"bucketName\":\"%s\",\"key\":\"x/%zu\"}"), i == 30 ? "other" : "b", i);
    return room;
}

static const char *object_of_many_buckets(size_t i, char *room)
{
    sprintf(room, EVENT(ANN, "s3", "GetObject", ",\"requestParameters\":{\"bucketName\":\"b%zu\",\"key\":\"x/%zu\"}"), i, i % 3);
    return room;
}

static void as_many_resources_as_a_policy_can_name_stay_exact(void **state)
{
    (void)state;
    char *log = many(64, object_of_one_bucket);
    read_text(log);
    assert_int_equal(L.use_count, 64);
    assert_int_equal(ledger_sum(&L, "(widened)", NULL), 0);
    free(log);
}

static void more_are_widened_to_the_longest_prefix_they_share_within_a_bucket(void **state)
{
    (void)state;
    char *log = many(200, object_of_one_bucket);
    read_text(log);
    assert_int_equal(L.use_count, 1);
    assert_int_equal(ledger_sum(&L, "arn:aws:s3:::b/data/2026/* (widened)", NULL), 200);
    free(log);
    ledger_stop(&L);
    log = many(200, object_of_two_buckets);
    read_text(log);
    assert_int_equal(L.use_count, 2);
    assert_int_equal(ledger_sum(&L, "arn:aws:s3:::b/x/* (widened)", NULL), 199);
    assert_int_equal(ledger_sum(&L, "arn:aws:s3:::other/x/30 success", NULL), 1); /* alone in its bucket */
    free(log);
}

static void a_prefix_never_ends_within_a_name(void **state)
{
    (void)state;
    char *log = many(1000, object_of_many_buckets);
    read_text(log);
    assert_int_equal(ledger_total(&L), 1000);
    assert_true(L.use_count <= 17);
    assert_int_equal(ledger_sum(&L, "arn:aws:s3:::b* ", NULL), 0);
    assert_int_equal(ledger_sum(&L, "arn:aws:s3:::* (widened)", NULL), 1000 - (int64_t)(L.use_count - 1));
    free(log);
}

static const char *session_of_a_build(size_t i, char *room)
{
    sprintf(room, "{\"eventVersion\":\"1.09\",\"userIdentity\":{\"type\":\"AssumedRole\",\"arn\":\"arn:aws:sts::" A ":assumed-role/build/run-%zu\","
            "\"accountId\":\"" A "\",\"sessionContext\":{\"sessionIssuer\":{\"arn\":\"" ROLE_ARN "\"}}},\"eventTime\":\"2026-08-01T10:00:00Z\","
            "\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"ListBuckets\",\"recipientAccountId\":\"" A "\"}", i);
    return room;
}

static void of_many_sessions_only_some_are_told_apart(void **state)
{
    (void)state;
    char *log = many(500, session_of_a_build);
    read_text(log);
    assert_int_equal(L.use_count, 17);
    assert_int_equal(ledger_sum(&L, "success ", NULL), 500);
    assert_int_equal(ledger_sum(&L, "run-", NULL), 16);
    free(log);
}

/* ---- forms of logs, and bad ones ---- */

static void every_form_of_a_log_gives_the_same(void **state)
{
#define ONE EVENT(ANN, "s3", "ListBuckets", "")
    static const char *const forms[] = {
        LOG(ONE), " [" ONE "]", ONE, ONE "\n", "{ \"Records\" : [ " ONE " ] , \"more\":{\"a\":[1,2,{}]} }\n\n", "{\"NextToken\":\"x\",\"Records\":[" ONE "]}",
        "{\"Records\":[]}" LOG(ONE), ONE "\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        assert_use(forms[i], DAY ANN_ARN " s3:ListAllMyBuckets  success ");
    assert_use("{\"Events\":[{\"EventId\":\"1\",\"EventName\":\"ListBuckets\",\"Resources\":[],\"CloudTrailEvent\":\"{\\\"eventVersion\\\":\\\"1.09\\\",\\\"userIdentity\\\":{"
               "\\\"type\\\":\\\"IAMUser\\\",\\\"arn\\\":\\\"" ANN_ARN "\\\",\\\"accountId\\\":\\\"" A "\\\"},\\\"eventTime\\\":\\\"2026-08-01T10:00:00Z\\\",\\\"eventSource\\\":\\\"s3.amazonaws.com\\\","
               "\\\"eventName\\\":\\\"ListBuckets\\\",\\\"recipientAccountId\\\":\\\"" A "\\\"}\"}]}", DAY ANN_ARN " s3:ListAllMyBuckets  success ");
}

static void a_bad_record_in_the_middle_costs_itself_alone(void **state)
{
    static char deep[40000];
    memset(deep, '[', 10000);
    memset(deep + 10000, ']', 10000);
    const char *const bad[] = {
        "{\"eventVersion\":\"1.09\",\"eventName\":\"GetObject\"}", /* too little */
        "{\"eventVersion\":\"1.09\",\"userIdentity\":{\"a\":\"b\" \"c\"}}", "{\"eventVersion\":\"1.09\" \"x\":1}", "{\"eventVersion\":\"1.09\",}",
        "{\"eventVersion\":\"1.09\",\"userIdentity\":[}", "17", "null", "\"text\"", "[]", "{}",
        "{\"eventVersion\":\"1.09\",\"eventName\":\"x\ny\"}", /* a newline in a string */
        "{\"eventVersion\":\"1.09\",\"eventName\":\"\xff\xfe\"}", "{\"eventVersion\":\"1.09\",\"eventName\":\"never ends}", deep,
        EVENT("\"userIdentity\":null", "s3", "ListBuckets", ""), EVENT("\"userIdentity\":{\"type\":\"IAMUser\"}", "s3", "ListBuckets", ""),
        "{\"eventVersion\":\"1.09\"," ANN ",\"eventTime\":\"yesterday\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"ListBuckets\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        static char log[65536];
        snprintf(log, sizeof log, "{\"Records\":[" ONE ",%s," ONE "]}", bad[i]);
        ledger_stop(&L);
        ledger_start(&L);
        read_text(log);
        if (ledger_total(&L) != 2)
            fail_msg("%lld events are counted around %.60s: %s", (long long)ledger_total(&L), bad[i], L.log);
        assert_says(L.log, "test.json: record 1, at byte ");
        assert_says(ledger_coverage(&L, "aws:" A, "log:management"), "could not be read");
    }
}

static void nothing_that_is_no_log_is_taken_for_one(void **state)
{
    static const char *const texts[] = {"", "{}", "[]", "hello", "{\"Records\":17}", "{\"UserDetailList\":[]}", "\x1f\x8b", "\x1f\x8b\x08", "\x00\x01\x02"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        kim_error err = {0};
        kim_document document = {.kind = "file", .name = "x", .bytes = (const uint8_t *)texts[i], .size = i == 8 ? 3 : strlen(texts[i])};
        assert_int_equal(aws_usage_normalise(&L.host, NULL, &document, &err), -1);
        assert_int_equal(err.code, KIM_ERR_INPUT);
        assert_says(err.message, "no CloudTrail event");
    }
}

static void coverage_says_what_the_log_shows_and_what_it_cannot(void **state)
{
    (void)state;
    read_text(LOG(EVENT(ANN, "s3", "GetObject", ",\"managementEvent\":false,\"eventCategory\":\"Data\",\"requestParameters\":{\"bucketName\":\"b\",\"key\":\"k\"}")
                  "," EVENT(ANN, "iam", "MakeCoffee", "") "," EVENT(ANN, "iam", "MakeCoffee", "") "," EVENT(ANN, "signin", "ConsoleLogin", "")));
    assert_string_equal(ledger_coverage(&L, "aws:" A, "log:management"),
                        "aws:" A " log:management 1 regions seen: eu-west-1 1785578400000 1785578400000");
    assert_says(ledger_coverage(&L, "aws:" A, "log:data:s3"), " 2 data events of s3 are in the log; that the trail records all of them is not proven");
    assert_says(ledger_coverage(&L, "aws:" A, "log:data:dynamodb"), " 3 no data event of dynamodb is in the log");
    assert_says(ledger_coverage(&L, "aws:" A, "log:unmapped"), "2 events stand for no IAM action that is known: iam.amazonaws.com MakeCoffee (2)");
    assert_int_equal(ledger_total(&L), 1);
}

/* ---- the shared logs ---- */

static void shared(const char *path, const char *account, int64_t uses, const char *log_says)
{
    size_t size;
    kim_error err = {0};
    char *text = desk_shared(path, &size), *at = text;
    if (!text)
        skip();
    if (strstr(path, "panther")) { /* {"rule","test","log":event}: the events alone */
        char *to = text;
        for (char *line = text; line < text + size;) {
            char *end = memchr(line, '\n', (size_t)(text + size - line)), *log = strstr(line, ",\"log\":");
            assert_non_null(log);
            end = end ? end : text + size;
            memmove(to, log + 7, (size_t)(end - 1 - (log + 7)));
            to += end - 1 - (log + 7);
            *to++ = '\n';
            line = end + 1;
        }
        size = (size_t)(to - text);
    }
    kim_document document = {.kind = "file", .name = path, .bytes = (const uint8_t *)at, .size = size};
    assert_int_equal(aws_usage_normalise(&L.host, account, &document, &err), 0);
    ledger_settle(&L);
    assert_int_equal(ledger_total(&L), uses);
    if (log_says)
        assert_says(L.log, log_says);
    else
        assert_string_equal(L.log, "");
    free(text);
}

static void an_attack_exercise_is_read_whole(void **state)
{
    (void)state;
    /* 2,900 events: 42 of services and 22 sign-ins are no calls, 4 map to nothing; lists of targets count each. */
    shared("aws/cloudtrail/invictus-stratus-2023.jsonl.xz", NULL, 2853, NULL);
    assert_says(ledger_coverage(&L, "aws:123837392027", "log:unmapped"), " 2 4 events stand for no IAM action that is known: s3.amazonaws.com GetStorageLensDashboardDataInternal (4)");
    assert_int_equal(ledger_sum(&L, "role/stratus-red-team-ec2-get-password-data-role ec2:GetPasswordData", "denied arn:aws:iam::123837392027:user/bert-jan", NULL), 29);
}

static void events_that_a_shipper_rearranged_are_read_whole(void **state)
{
    (void)state;
    shared("aws/cloudtrail/otrf-ec2-proxy-s3-exfiltration.jsonl.xz", NULL, 103, NULL);
    assert_null(ledger_coverage(&L, "aws:123456789123", "log:unmapped"));
}

static void events_of_every_odd_shape_are_read_or_told(void **state)
{
    (void)state;
    shared("aws/cloudtrail/panther-rule-tests.jsonl.xz", "123456789012", 382, "44 records in all could not be read");
}

/* ---- folders, cursors, and interruptions ---- */

static char folder[64];

static int make_folder(void **state)
{
    strcpy(folder, "/tmp/kim-usage-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return start(state);
}

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *f)
{
    (void)s;
    (void)flag;
    (void)f;
    return remove(path);
}

static int remove_folder(void **state)
{
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return stop(state);
}

static void put_file(const char *name, const char *text, size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *slash = strchr(path + strlen(folder) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, size, out), size);
    fclose(out);
}

static size_t pack(const char *text, size_t size, uint8_t *out, size_t room)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)size, .next_out = out, .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* As CloudTrail lays it out: day 1..., `hours` files a day, `events` in each with resources of their own. */
static void put_trail(unsigned day, unsigned hour, unsigned events)
{
    static char text[8 << 20];
    static uint8_t packed[4 << 20];
    char name[256];
    size_t at = (size_t)sprintf(text, "{\"Records\":[");
    for (unsigned i = 0; i < events; i++) /* every tenth hands out a session, the next uses it */
        at += i % 10 == 8 ? (size_t)sprintf(text + at, "%s" EVENT(ANN, "sts", "AssumeRole", ",\"requestParameters\":{\"roleArn\":\"" ROLE_ARN "\"},"
                                            "\"responseElements\":{\"credentials\":{\"accessKeyId\":\"ASIA%u-%u-%u\"}}"), i ? "," : "", day, hour, i)
            : (size_t)sprintf(text + at, "%s{\"eventVersion\":\"1.09\",\"userIdentity\":{\"type\":\"AssumedRole\",\"accountId\":\"" A "\",\"accessKeyId\":\"ASIA%u-%u-%u\","
                              "\"sessionContext\":{\"sessionIssuer\":{\"arn\":\"arn:aws:iam::" A ":role/r%u\"}}},\"eventTime\":\"2026-08-%02uT%02u:10:00Z\","
                              "\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"GetObject\",\"awsRegion\":\"eu-west-1\",\"requestParameters\":{\"bucketName\":\"bucket-%u\","
                              "\"key\":\"some/long/key/to/fill/a/commit/%u-%u\"},\"recipientAccountId\":\"" A "\"}",
                              i ? "," : "", day, hour, i % 10 == 9 ? i - 1 : 0, i % 150, day, hour, i % 100, hour, i);
    at += (size_t)sprintf(text + at, "]}");
    snprintf(name, sizeof name, "AWSLogs/" A "/CloudTrail/eu-west-1/2026/08/%02u/" A "_CloudTrail_eu-west-1_202608%02uT%02u05Z_%08x.json.gz", day, day, hour, day * 2654435761u + hour * 40503u);
    put_file(name, (const char *)packed, pack(text, at, packed, sizeof packed));
}

static int run(ledger *l)
{
    const char *logs[] = {folder};
    kim_error err = {0};
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    l->now_unix_ms = t.tv_sec * 1000 + t.tv_nsec / 1000000;
    int status = aws_usage_logs(&l->host, logs, 1, NULL, &err);
    if (status < 0 && err.code != KIM_ERR_STOPPED)
        fail_msg("%s", err.message);
    return status;
}

static void a_run_that_is_killed_at_any_commit_gives_the_same_as_a_whole_one(void **state)
{
    (void)state;
    for (unsigned day = 1; day <= 3; day++)
        for (unsigned hour = 0; hour < 3; hour++)
            put_trail(day, hour, 1500);
    assert_int_equal(run(&L), 0);
    assert_true(L.commits >= 4);
    size_t commits = L.commits;
    char *whole = ledger_text(&L);
    assert_int_equal(ledger_total(&L), 9 * 1500);
    assert_true(ledger_sum(&L, "success " ANN_ARN, NULL) > 0);
    for (size_t at = 1; at <= commits; at++) {
        ledger other;
        ledger_start(&other);
        other.fail_after = at;
        assert_int_equal(run(&other), -1);
        other.fail_after = 0;
        assert_int_equal(run(&other), 0);
        char *text = ledger_text(&other);
        if (strcmp(text, whole))
            fail_msg("killed at commit %zu of %zu: another result", at, commits);
        free(text);
        ledger_stop(&other);
    }
    free(whole);
}

static void a_second_run_over_the_same_logs_counts_nothing_and_commits_nothing(void **state)
{
    (void)state;
    put_trail(1, 0, 100);
    assert_int_equal(run(&L), 0);
    size_t commits = L.commits;
    assert_int_equal(run(&L), 0);
    assert_int_equal(L.commits, commits);
    assert_int_equal(ledger_total(&L), 100);
}

static void logs_that_arrive_late_and_out_of_order_are_counted_once(void **state)
{
    (void)state;
    ledger_start(&L);
    for (unsigned step = 0; step < 6; step++) {
        static const unsigned day[] = {2, 1, 3, 2, 1, 3}, hour[] = {3, 5, 1, 1, 2, 0};
        put_trail(day[step], hour[step], 50);
        assert_int_equal(run(&L), 0);
        assert_int_equal(ledger_total(&L), 50 * (step + 1));
    }
}

static void a_late_log_below_the_mark_is_found(void **state)
{
    (void)state;
    char name[128];
    for (unsigned i = 0; i < 2500; i++) { /* more than are known one by one */
        snprintf(name, sizeof name, "t/" A "_CloudTrail_x_202608%02uT%02u%02uZ_a.json", 1 + i / 1440, i / 60 % 24, i % 60);
        put_file(name, ONE, strlen(ONE));
    }
    assert_int_equal(run(&L), 0);
    assert_int_equal(ledger_total(&L), 2500);
    assert_int_equal(run(&L), 0);
    assert_int_equal(ledger_total(&L), 2500);
    put_file("t/" A "_CloudTrail_x_20260801T0000Z_late.json", ONE, strlen(ONE));
    assert_int_equal(run(&L), 0);
    assert_int_equal(ledger_total(&L), 2501);
    assert_int_equal(run(&L), 0);
    assert_int_equal(ledger_total(&L), 2501);
    snprintf(name, sizeof name, "%s/t/" A "_CloudTrail_x_20260801T0001Z_a.json", folder); /* what is deleted is no news */
    assert_int_equal(remove(name), 0);
    assert_int_equal(run(&L), 0);
    assert_int_equal(ledger_total(&L), 2501);
}

static void a_log_that_was_cut_off_is_read_on_when_the_rest_has_come(void **state)
{
    static uint8_t packed[1 << 20];
    (void)state;
    char *text = many(300, object_of_one_bucket);
    size_t size = pack(text, strlen(text), packed, sizeof packed);
    for (size_t part = 1; part <= 4; part++) {
        put_file("a.json.gz", (const char *)packed, size * part / 4);
        assert_int_equal(run(&L), 0);
        if (part < 4) {
            assert_says(L.log, "a.json.gz: the gzip data end in the middle, about byte ");
            assert_true(ledger_total(&L) < 300);
        }
        int64_t before = ledger_total(&L);
        assert_int_equal(run(&L), 0); /* no more of it: nothing to do */
        assert_int_equal(ledger_total(&L), before);
    }
    assert_int_equal(ledger_total(&L), 300);
    free(text);
}

static void lines_that_are_appended_are_read_on(void **state)
{
    static char text[1 << 20];
    size_t size = 0;
    (void)state;
    for (unsigned i = 1; i <= 5; i++) {
        size += (size_t)sprintf(text + size, "%s\n", ONE);
        put_file("growing.jsonl", text, size);
        assert_int_equal(run(&L), 0);
        assert_int_equal(ledger_total(&L), i);
        put_file("growing.jsonl", text, size - 40); /* half a line, as while it is written */
    }
}

static void a_long_log_streams_and_is_resumed_within(void **state)
{
    (void)state;
    char *text = many(40000, object_of_many_buckets); /* 20 MB: longer than is held at once */
    static uint8_t packed[8 << 20];
    put_file("long.json.gz", (const char *)packed, pack(text, strlen(text), packed, sizeof packed));
    L.fail_after = 2;
    for (int again = 0; run(&L) < 0 && again < 50; again++)
        L.fail_after = 0;
    ledger_settle(&L);
    assert_int_equal(ledger_total(&L), 40000);
    free(text);
}

static void digests_are_no_logs_and_a_missing_folder_is_told(void **state)
{
    kim_error err = {0};
    const char *logs[] = {"/nowhere/at/all"};
    (void)state;
    put_file("AWSLogs/" A "/CloudTrail-Digest/eu-west-1/2026/08/01/d.json.gz", "x", 1);
    put_file("AWSLogs/" A "/CloudTrail/readme.txt", "x", 1);
    assert_int_equal(run(&L), 0);
    assert_string_equal(L.log, "");
    assert_int_equal(aws_usage_logs(&L.host, logs, 1, NULL, &err), -1);
    assert_int_equal(err.code, KIM_ERR_IO);
    assert_says(err.message, "/nowhere/at/all");
}

static void the_sample_organisations_trail_is_read_whole(void **state)
{
    char command[1024];
    const char *source = getenv("KIM_SOURCE_DIR");
    (void)state;
    snprintf(command, sizeof command, "'%s/etc/sample/generate' '%s' --until 2026-06-30 --days 3 --events 3000 >'%s/said'", source ? source : ".",
             folder, folder);
    assert_int_equal(system(command), 0);
    strcat(folder, "/trail");
    assert_int_equal(run(&L), 0);
    *strrchr(folder, '/') = '\0';
    ledger_settle(&L);
    assert_string_equal(L.log, "");
    assert_true(ledger_total(&L) > 2000);
    for (size_t i = 0; i < L.coverage_count; i++)
        assert_null(strstr(L.coverage[i], "log:unmapped"));
    /* The build role is GitHub's, and does six things. */
    assert_true(ledger_sum(&L, "role/ci/ci-deploy ", "success arn:aws:iam::444455556666:oidc-provider/token.actions.githubusercontent.com", NULL) > 0);
    assert_int_equal(ledger_sum(&L, "role/ci/ci-deploy ", " denied ", NULL), 0);
}

static void a_log_is_recognised_by_what_is_in_it(void **state)
{
    static const struct {
        const char *name, *head;
        int answer;
    } rows[] = {
        {"x.json", LOG(ONE), 2}, {"x.json", ONE, 2}, {"x.json", "{\"Events\":[{\"EventId\":\"1\",\"CloudTrailEvent\":\"{}\"}]}", 2},
        {"x.json", "{\"UserDetailList\":[]}", 0}, {"AWSLogs", "", 2}, {"iam", "", 0},
        {A "_CloudTrail_eu-west-1_20260801T0005Z_x.json.gz", "\x1f\x8b\x08", 2}, {"y.json.gz", "\x1f\x8b\x08", 1}, {"y.tar.gz", "\x1f\x8b\x08", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (aws_usage_recognise(rows[i].name, (const uint8_t *)rows[i].head, strlen(rows[i].head)) != rows[i].answer)
            fail_msg("%s, %.30s: not %d", rows[i].name, rows[i].head, rows[i].answer);
}

#define T(name) cmocka_unit_test_setup_teardown(name, start, stop)
#define F(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_user_and_an_object),
        T(every_kind_of_identity),
        T(behind_a_session_stands_who_assumed_it_and_a_source_identity_before_that),
        T(how_it_ended),
        T(what_was_denied_is_what_the_message_says),
        T(requests_name_their_resources),
        T(a_call_about_a_list_uses_each_of_it),
        T(what_a_call_needs_beside_itself_is_used_too),
        T(as_many_resources_as_a_policy_can_name_stay_exact),
        T(more_are_widened_to_the_longest_prefix_they_share_within_a_bucket),
        T(a_prefix_never_ends_within_a_name),
        T(of_many_sessions_only_some_are_told_apart),
        T(every_form_of_a_log_gives_the_same),
        T(a_bad_record_in_the_middle_costs_itself_alone),
        T(nothing_that_is_no_log_is_taken_for_one),
        T(coverage_says_what_the_log_shows_and_what_it_cannot),
        T(an_attack_exercise_is_read_whole),
        T(events_that_a_shipper_rearranged_are_read_whole),
        T(events_of_every_odd_shape_are_read_or_told),
        F(a_run_that_is_killed_at_any_commit_gives_the_same_as_a_whole_one),
        F(a_second_run_over_the_same_logs_counts_nothing_and_commits_nothing),
        F(logs_that_arrive_late_and_out_of_order_are_counted_once),
        F(a_late_log_below_the_mark_is_found),
        F(a_log_that_was_cut_off_is_read_on_when_the_rest_has_come),
        F(lines_that_are_appended_are_read_on),
        F(a_long_log_streams_and_is_resumed_within),
        F(digests_are_no_logs_and_a_missing_folder_is_told),
        F(the_sample_organisations_trail_is_read_whole),
        T(a_log_is_recognised_by_what_is_in_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
