/* SPDX-License-Identifier: Apache-2.0
 *
 * http.h - the host's HTTP: a provider says what it wants, the host sees to the rest.
 *
 * The host does TLS, proxy, signing, retry (full jitter, Retry-After), rate limits, the deadline, the
 * allow-list of hosts, and recording and replay for tests with secrets redacted. Providers link no
 * HTTP library.
 */
#ifndef KIM_HTTP_H
#define KIM_HTTP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* request.sign */
enum { KIM_HTTP_UNSIGNED = 0, KIM_HTTP_AWS_SIGV4 = 1, KIM_HTTP_BEARER = 2 };

typedef struct kim_http_header {
    const char *name, *value;
} kim_http_header;

typedef struct kim_http_request {
    uint32_t struct_size;
    const char *method;             /* "GET", "POST" ... */
    const char *url;                /* absolute; https, or http for an endpoint the operator overrode */
    const kim_http_header *headers; /* [header_count] */
    uint32_t header_count;
    const uint8_t *body;            /* NULL: none */
    size_t body_size;
    uint32_t sign;
    /* For KIM_HTTP_AWS_SIGV4: what to sign for. The keys come from the operator's options of these
     * names through `secret`, or from `access_key` below for a session that the provider assumed. */
    const char *sigv4_service, *sigv4_region;
    const char *access_key, *secret_key, *session_token; /* NULL: the operator's */
    const char *bearer;
    const char *rate_group;         /* requests of a group share a budget: "iam" */
    uint32_t rate_per_s;            /* of the group; 0: the host's default */
    uint32_t attempts_max;          /* with retries; 0: the host's default */
    uint32_t timeout_ms;            /* of one attempt; 0: the host's default */
    size_t max_bytes;               /* of the response's body; 0: the host's default */
} kim_http_request;

typedef struct kim_http_response {
    uint32_t struct_size;
    int32_t status;                 /* of the last attempt; answers of 4xx and 5xx are answers, not errors */
    const kim_http_header *headers; /* names in lower case */
    uint32_t header_count;
    const uint8_t *body;
    size_t body_size;
    uint32_t attempts;
    void *owner;                    /* the host's; http_response_free ends all */
} kim_http_response;

/* host->http errors: KIM_ERR_NETWORK (all attempts failed; says the last reason), KIM_ERR_THROTTLED and
 * KIM_ERR_DENIED never (they are answers, once retries are used up), KIM_ERR_LIMIT (body past max_bytes),
 * KIM_ERR_TIMEOUT (the call's deadline), KIM_ERR_NOT_FOUND (there is no host of that name), KIM_ERR_STOPPED, KIM_ERR_INPUT (not on the allow-list). */

#ifdef __cplusplus
}
#endif

#endif
