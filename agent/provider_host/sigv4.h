/* SPDX-License-Identifier: Apache-2.0
 *
 * sigv4.h - AWS Signature Version 4 of one request. Pure: the moment comes in.
 *
 * Source: AWS IAM User Guide, "AWS Signature Version 4 for API requests", "Create a signed AWS API
 * request". libcurl's own CURLOPT_AWS_SIGV4 is not used: in 7.88 it neither sorts nor encodes the
 * query, and it signs at a clock that cannot be corrected.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_SIGV4_H
#define KIM_AGENT_PROVIDER_HOST_SIGV4_H

#include <kim/error.h>
#include <kim/http.h>

typedef struct sigv4_request {
    const char *method;
    const char *url;                /* as sent: the path and query already percent-encoded once */
    const kim_http_header *headers; /* [header_count] to be sent; all but a few hop-by-hop ones are signed */
    uint32_t header_count;
    const uint8_t *body;
    size_t body_size;
    const char *service, *region;
    const char *access_key, *secret_key;
    const char *session_token;      /* NULL or "": none */
    int64_t at_unix_ms;
} sigv4_request;

enum { SIGV4_HASH_CHARS = 65, SIGV4_DATE_CHARS = 17, SIGV4_AUTHORIZATION_CHARS = 2048 };

/* What to send beside the request's own headers. */
typedef struct sigv4_signature {
    char date[SIGV4_DATE_CHARS];        /* x-amz-date */
    char body_hash[SIGV4_HASH_CHARS];   /* x-amz-content-sha256, which S3 wants; "" for other services */
    char authorization[SIGV4_AUTHORIZATION_CHARS];
} sigv4_signature;

/* Errors: KIM_ERR_INPUT (no key, a URL that is none), KIM_ERR_LIMIT (more headers or query parameters
 * than 128, or an authorization past its size), KIM_ERR_NOMEM */
int sigv4_sign(const sigv4_request *request, sigv4_signature *signature, kim_error *err);

#endif
