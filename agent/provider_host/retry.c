/* SPDX-License-Identifier: Apache-2.0
 *
 * retry.c - tables of codes and statuses.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "agent/provider_host/retry.h"

enum { CODE_WITHIN_BYTES = 4096 };

static const struct {
    const char *code;
    retry_reason reason;
} codes[] = {
    {"BandwidthLimitExceeded", RETRY_THROTTLE},
    {"EC2ThrottledException", RETRY_THROTTLE},
    {"PriorRequestNotComplete", RETRY_THROTTLE},
    {"ProvisionedThroughputExceededException", RETRY_THROTTLE},
    {"RequestLimitExceeded", RETRY_THROTTLE},
    {"RequestThrottled", RETRY_THROTTLE},
    {"RequestThrottledException", RETRY_THROTTLE},
    {"SlowDown", RETRY_THROTTLE},
    {"Throttling", RETRY_THROTTLE},
    {"ThrottledException", RETRY_THROTTLE},
    {"ThrottlingException", RETRY_THROTTLE},
    {"TooManyRequestsException", RETRY_THROTTLE},
    {"TransactionInProgressException", RETRY_THROTTLE},
    {"InternalError", RETRY_TROUBLE},
    {"InternalFailure", RETRY_TROUBLE},
    {"RequestTimeout", RETRY_TROUBLE},
    {"RequestTimeoutException", RETRY_TROUBLE},
    {"ServiceUnavailable", RETRY_TROUBLE},
    {"AuthFailure", RETRY_CLOCK}, /* EC2's word for any bad signature */
    {"InvalidSignatureException", RETRY_CLOCK},
    {"RequestExpired", RETRY_CLOCK},
    {"RequestInTheFuture", RETRY_CLOCK},
    {"RequestTimeTooSkewed", RETRY_CLOCK},
    {"SignatureDoesNotMatch", RETRY_CLOCK},
};

/* Copies letters and digits from `at` on; "com.amazon#Code:http://..." gives "Code". */
static void copy_code(const char *at, const char *end, char code[RETRY_CODE_CHARS])
{
    size_t size = 0;
    for (; at < end; at++) {
        if (isalnum((unsigned char)*at) || *at == '.' || *at == '_') {
            if (size + 1 < RETRY_CODE_CHARS)
                code[size++] = *at;
        } else if (*at == '#') {
            size = 0;
        } else {
            break;
        }
    }
    code[size] = '\0';
}

/* Where the text after `name` in the body begins, or NULL. */
static const char *after(const char *body, size_t size, const char *name)
{
    const char *found = memmem(body, size, name, strlen(name));
    return found != NULL ? found + strlen(name) : NULL;
}

/* The string that follows "name" : in JSON, or NULL. */
static const char *json_string(const char *body, size_t size, const char *name)
{
    const char *at = after(body, size, name), *end = body + size;
    while (at != NULL && at < end && (isspace((unsigned char)*at) || *at == ':'))
        at++;
    return at != NULL && at < end && *at == '"' ? at + 1 : NULL;
}

void retry_aws_code(const char *error_type, const uint8_t *bytes, size_t size, char code[RETRY_CODE_CHARS])
{
    const char *body = (const char *)bytes;
    code[0] = '\0';
    if (error_type != NULL && error_type[0] != '\0') {
        copy_code(error_type, error_type + strlen(error_type), code);
        return;
    }
    if (body == NULL || size == 0)
        return;
    if (size > CODE_WITHIN_BYTES)
        size = CODE_WITHIN_BYTES;
    const char *at = json_string(body, size, "\"__type\"");
    if (at == NULL)
        at = json_string(body, size, "\"code\"");
    if (at == NULL)
        at = json_string(body, size, "\"Code\"");
    if (at == NULL)
        at = after(body, size, "<Code>");
    if (at != NULL)
        copy_code(at, body + size, code);
}

retry_reason retry_judge(int32_t status, const char *code)
{
    if (status < 400)
        return RETRY_NONE;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        if (strcmp(codes[i].code, code) == 0)
            return codes[i].reason;
    }
    if (status == 429)
        return RETRY_THROTTLE;
    return status == 500 || status == 502 || status == 503 || status == 504 ? RETRY_TROUBLE : RETRY_NONE;
}

int64_t retry_date_unix_ms(const char *value)
{
    time_t at = value != NULL ? curl_getdate(value, NULL) : -1;
    return at >= 0 ? (int64_t)at * 1000 : -1;
}

int64_t retry_after_ms(const char *value, int64_t now_unix_ms)
{
    if (value == NULL)
        return -1;
    size_t digits = strspn(value, "0123456789");
    if (digits > 0 && value[digits] == '\0')
        return digits > 9 ? INT64_MAX / 2 : strtoll(value, NULL, 10) * 1000;
    int64_t at = retry_date_unix_ms(value);
    if (at < 0)
        return -1;
    return at > now_unix_ms ? at - now_unix_ms : 0;
}

int64_t retry_ceiling_ms(uint32_t attempt, int64_t base_ms, int64_t max_ms)
{
    int64_t ceiling = attempt < 20 ? base_ms << attempt : max_ms;
    return ceiling < max_ms ? ceiling : max_ms;
}
