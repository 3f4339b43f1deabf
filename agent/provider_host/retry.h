/* SPDX-License-Identifier: Apache-2.0
 *
 * retry.h - is this answer worth another try, and after how long? Pure.
 *
 * Sources: RFC 9110 10.2.3 (Retry-After); AWS SDKs and Tools Reference Guide, "Retry behavior"
 * (throttling and transient codes, full jitter); AWS Signature Version 4, "Troubleshooting" (clock).
 */
#ifndef KIM_AGENT_PROVIDER_HOST_RETRY_H
#define KIM_AGENT_PROVIDER_HOST_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum retry_reason {
    RETRY_NONE,     /* an answer */
    RETRY_TROUBLE,  /* 500, 502, 503, 504, or a code that means the same */
    RETRY_THROTTLE, /* 429, or a throttling code in another 4xx, or 503 SlowDown */
    RETRY_CLOCK,    /* refused because our clock and theirs differ */
} retry_reason;

enum { RETRY_CODE_CHARS = 64 };

/* What AWS calls the error: from x-amzn-errortype where given, else from the body: {"__type": ...} or
 * {"code": ...} of JSON, <Code> of XML. "" where there is none. Reads at most 4 KiB of the body. */
void retry_aws_code(const char *error_type, const uint8_t *body, size_t size, char code[RETRY_CODE_CHARS]);

/* code: "" for other than AWS. */
retry_reason retry_judge(int32_t status, const char *code);

/* A Retry-After header (seconds, or a date) as milliseconds from now; -1 for NULL and for nonsense. */
int64_t retry_after_ms(const char *value, int64_t now_unix_ms);
/* A Date header as Unix milliseconds; -1 for NULL and for nonsense. */
int64_t retry_date_unix_ms(const char *value);

/* The longest wait before attempt + 1 (attempt from 1): base * 2^attempt, at most max. Full jitter
 * takes a random part of it. */
int64_t retry_ceiling_ms(uint32_t attempt, int64_t base_ms, int64_t max_ms);

#endif
