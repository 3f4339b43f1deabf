/* SPDX-License-Identifier: Apache-2.0
 *
 * test_walk.c - a region in which a service is not: nothing there, or a fault?
 *
 * The host here answers every call with nothing in it, and knows no host whose name contains a word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "plugins/aws/live/live.h"

static const char *unknown; /* what is in the names that cannot be resolved */
static unsigned asked;

static int emit(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    (void)context, (void)records, (void)size, (void)cursor, (void)cursor_size, (void)err;
    return 0;
}

static const char *answer_to(const kim_http_request *r)
{
    const char *body = r->body != NULL ? (const char *)r->body : "";
    bool is_form = r->body != NULL && memmem(body, r->body_size, "Action=", 7) != NULL;
    if (is_form && memmem(body, r->body_size, "GetCallerIdentity", 17) != NULL)
        return "<R><Arn>arn:aws:iam::111122223333:user/kim</Arn><Account>111122223333</Account></R>";
    if (is_form && memmem(body, r->body_size, "GenerateCredentialReport", 24) != NULL)
        return "<R><State>COMPLETE</State></R>";
    return is_form || strcmp(r->sigv4_service, "s3") == 0 ? "<R/>" : "{}";
}

static int http(void *context, const kim_http_request *request, kim_http_response *response, kim_error *err)
{
    (void)context;
    asked++;
    if (strstr(request->url, unknown) != NULL)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "%s cannot be resolved", unknown);
    const char *body = answer_to(request);
    *response = (kim_http_response){.struct_size = sizeof *response, .status = 200, .body = (const uint8_t *)body,
                                    .body_size = strlen(body)};
    return 0;
}

static void http_end(void *context, kim_http_response *response)
{
    (void)context, (void)response;
}

static const char *secret(void *context, const char *name, kim_error *err)
{
    (void)context, (void)name, (void)err;
    return "AKIDEXAMPLE";
}

static void say(void *context, uint32_t level, const char *event, const char *message)
{
    (void)context, (void)level, (void)event, (void)message;
}

static int64_t now(void *context)
{
    (void)context;
    return 1700000000000;
}

static bool go_on(void *context)
{
    (void)context;
    return false;
}

/* plugin.c's, which is not linked here: one region, no other option. */
kim_setting aws_setting(const aws_plugin *self, const char *name)
{
    (void)self;
    static const char *const region[] = {"eu-south-2"};
    return (kim_setting){name, region, strcmp(name, "regions") == 0};
}

const char *aws_setting_text(const aws_plugin *self, const char *name)
{
    (void)self, (void)name;
    return NULL;
}

bool aws_setting_bool(const aws_plugin *self, const char *name)
{
    (void)self, (void)name;
    return false;
}

static int collect_without(const char *word, kim_error *err)
{
    kim_host host = {.struct_size = sizeof host, .emit = emit, .http = http, .http_response_free = http_end, .secret = secret,
                     .log = say, .now_unix_ms = now, .should_stop = go_on};
    aws_plugin self = {.host = &host};
    aws_out out;
    unknown = word;
    asked = 0;
    assert_int_equal(aws_out_start(&out, &host, 64 * 1024 * 1024, true, err), 0);
    int result = aws_collect_live(&self, KIM_COLLECT_FULL, &out, err);
    aws_out_stop(&out);
    return result;
}

static void a_service_that_is_not_in_every_region_may_lack(void **state)
{
    (void)state;
    kim_error err = {0};
    if (collect_without("https://iot.eu-south-2.amazonaws.com", &err) < 0)
        fail_msg("%s", err.message);
    unsigned without = asked;
    assert_int_equal(collect_without("nothing", &err), 0);
    assert_int_equal(asked, without); /* and all the rest was asked either way */
}

static void a_service_that_is_everywhere_and_has_no_name_is_a_fault(void **state)
{
    (void)state;
    kim_error err = {0};
    assert_int_equal(collect_without("https://kms.eu-south-2.amazonaws.com", &err), -1);
    assert_int_equal(err.code, KIM_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "kms"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_that_is_not_in_every_region_may_lack),
        cmocka_unit_test(a_service_that_is_everywhere_and_has_no_name_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
