/* SPDX-License-Identifier: Apache-2.0
 *
 * test_sigv4.c - signatures against AWS's published vectors (aws-sig-v4-test-suite), and the two
 * ways in which S3 differs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "agent/provider_host/sigv4.h"

#define AT_UNIX_MS 1440938160000 /* 2015-08-30T12:36:00Z */
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

/* A row of the suite: the request, and the signature that AWS says it has. */
typedef struct vector {
    const char *method, *target;
    kim_http_header headers[3];
    const char *body, *token;
    const char *signed_headers, *signature;
} vector;

static const vector vectors[] = {
    /* get-vanilla-with-session-token */
    {"GET", "/", {{0}}, NULL, "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
     "host;x-amz-date;x-amz-security-token", "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
    /* get-header-value-trim */
    {"GET", "/", {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}, NULL, NULL,
     "host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    /* get-utf8 */
    {"GET", "/\xe1\x88\xb4", {{0}}, NULL, NULL, "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    /* get-space-normalized */
    {"GET", "/example space/", {{0}}, NULL, NULL, "host;x-amz-date",
     "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
    /* get-vanilla-query-order-encoded */
    {"GET", "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1", {{0}}, NULL, NULL, "host;x-amz-date",
     "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
    /* get-vanilla-query-unreserved */
    {"GET", "/?-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz="
            "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", {{0}}, NULL, NULL,
     "host;x-amz-date", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
    /* get-vanilla-utf8-query */
    {"GET", "/?\xe1\x88\xb4=bar", {{0}}, NULL, NULL, "host;x-amz-date",
     "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
    /* get-slash-pointless-dot-normalized */
    {"GET", "/./example", {{0}}, NULL, NULL, "host;x-amz-date",
     "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
    /* post-x-www-form-urlencoded */
    {"POST", "/", {{"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Length", "13"},
                   {"x-amz-content-sha256", "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"}},
     "Param1=value1", NULL, "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
     "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
};

static sigv4_signature sign(const vector *v, const char *service)
{
    char url[512] = "https://example.amazonaws.com";
    strcat(url, v->target);
    sigv4_request request = {
        .method = v->method, .url = url, .headers = v->headers, .body = (const uint8_t *)v->body,
        .body_size = v->body != NULL ? strlen(v->body) : 0, .service = service, .region = "us-east-1",
        .access_key = "AKIDEXAMPLE", .secret_key = SECRET, .session_token = v->token, .at_unix_ms = AT_UNIX_MS,
    };
    while (request.header_count < 3 && v->headers[request.header_count].name != NULL)
        request.header_count++;
    sigv4_signature signature;
    kim_error err = {0};
    if (sigv4_sign(&request, &signature, &err) < 0)
        fail_msg("%s", err.message);
    return signature;
}

static void a_request_of_the_published_suite_gets_the_published_signature(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        sigv4_signature s = sign(&vectors[i], "service");
        char expected[1024];
        snprintf(expected, sizeof expected,
                 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                 "SignedHeaders=%s, Signature=%s", vectors[i].signed_headers, vectors[i].signature);
        assert_string_equal(s.authorization, expected);
        assert_string_equal(s.date, "20150830T123600Z");
        assert_string_equal(s.body_hash, "");
    }
}

static void an_encoded_path_is_encoded_again_except_for_s3(void **state)
{
    (void)state;
    vector wire = {.method = "GET", .target = "/a%20b"}, raw = {.method = "GET", .target = "/a b"};
    assert_string_equal(sign(&wire, "s3").authorization, sign(&raw, "s3").authorization);
    assert_string_not_equal(sign(&wire, "lambda").authorization, sign(&raw, "lambda").authorization);
}

static void s3_keeps_its_slashes_and_sends_the_hash_of_the_body(void **state)
{
    (void)state;
    vector twice = {.method = "GET", .target = "/a//b"}, once = {.method = "GET", .target = "/a/b"};
    assert_string_not_equal(sign(&twice, "s3").authorization, sign(&once, "s3").authorization);
    assert_string_equal(sign(&twice, "lambda").authorization, sign(&once, "lambda").authorization);
    assert_string_equal(sign(&once, "s3").body_hash,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void without_a_key_nothing_is_signed_and_the_message_names_what_to_set(void **state)
{
    (void)state;
    sigv4_request request = {.method = "GET", .url = "https://iam.amazonaws.com/", .service = "iam",
                             .region = "us-east-1", .access_key = "", .secret_key = SECRET};
    sigv4_signature signature;
    kim_error err = {0};
    assert_int_equal(sigv4_sign(&request, &signature, &err), -1);
    assert_int_equal(err.code, KIM_ERR_INPUT);
    assert_non_null(strstr(err.message, "access_key_id"));
    assert_null(strstr(err.message, SECRET));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_of_the_published_suite_gets_the_published_signature),
        cmocka_unit_test(an_encoded_path_is_encoded_again_except_for_s3),
        cmocka_unit_test(s3_keeps_its_slashes_and_sends_the_hash_of_the_body),
        cmocka_unit_test(without_a_key_nothing_is_signed_and_the_message_names_what_to_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
