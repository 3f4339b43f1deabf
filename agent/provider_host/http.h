/* SPDX-License-Identifier: Apache-2.0
 *
 * http.h - the provider host's HTTP service: what kim_host.http and http_response_free do.
 *
 * It sees to TLS, proxy, SigV4, retry, rate, deadline, allow-list, size and recording, so that every
 * provider gets them alike. It opens no socket and resolves no name: connections come from `dial`.
 * Clock, chance and waiting come from http_world, so that tests are exact.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_HTTP_H
#define KIM_AGENT_PROVIDER_HOST_HTTP_H

#include "agent/provider_host/allow.h"

#include <kim/http.h>
#include <kim/plugin.h>

enum {
    HTTP_DEFAULT_ATTEMPTS = 6,                      /* about 30 s of patience with the waits below */
    HTTP_DEFAULT_TIMEOUT_MS = 30000,                /* of one attempt */
    HTTP_DEFAULT_RATE_PER_S = 10,                   /* of a rate group: half of IAM's own limit */
    HTTP_DEFAULT_MAX_BYTES = 64 * 1024 * 1024,      /* of a body, inflated: many times any API page */
    HTTP_MAX_HEADERS = 256,
    HTTP_MAX_HEADER_BYTES = 64 * 1024,              /* of one response, all headers together */
    HTTP_MAX_REDIRECTS = 3,                         /* to the same host; none to another */
    HTTP_WAIT_BASE_MS = 200,                        /* attempt n waits a random part of base * 2^n ... */
    HTTP_WAIT_MAX_MS = 20000,                       /* ... but no longer than this */
    HTTP_WAIT_SLICE_MS = 50,
    HTTP_RETRY_AFTER_MAX_MS = 120000,               /* a server that asks for more is not believed */
};

/* All fields may be 0 or NULL: the default above, or none. Borrowed for the service's life. */
typedef struct http_options {
    allow_list allow;
    const char *ca_file;     /* PEM; NULL: the system's */
    const char *proxy;       /* http://[user:password@]host:port; https goes through it by CONNECT. The
                              * environment's proxies are never taken. `dial` must reach it. */
    uint32_t attempts_max, timeout_ms;
    uint32_t rate_per_s;     /* of every rate group, whatever the provider says */
    size_t max_bytes;
    const char *record_path; /* every exchange is appended there as a JSON line, without secrets */
    const char *replay_path; /* answers come from there, and nothing is sent */
} http_options;

/* What the service needs of its surroundings; `context` is each call's first argument. Fill it by
 * http_world_system() and then set context, dial, secret, log and should_stop. */
typedef struct http_world {
    void *context;
    int (*dial)(void *context, const char *host, uint16_t port, kim_error *err);
    const char *(*secret)(void *context, const char *name, kim_error *err); /* NULL: there are none */
    void (*log)(void *context, uint32_t level, const char *event, const char *message);
    bool (*should_stop)(void *context);
    int64_t (*now_unix_ms)(void *context);
    int64_t (*monotonic_ms)(void *context);
    uint32_t (*random)(void *context, uint32_t below); /* 0 <= result < below */
    /* Waits this long or less. The service waits in slices of HTTP_WAIT_SLICE_MS and asks should_stop
     * between them. */
    void (*wait)(void *context, int64_t ms);
} http_world;

/* The system's clocks, chance and waiting; the rest NULL, to be set by the caller. */
void http_world_system(http_world *world);

typedef struct http_service http_service;

/* One service a process, used by one thread. libcurl is loaded by then and initialised here; open
 * all that must be opened before the sandbox closes (the CA file is read here, recordings opened).
 *
 * Returns what http_service_free() frees; or NULL with err: KIM_ERR_IO (CA, recording), KIM_ERR_INPUT
 * (a recording that is none), KIM_ERR_NOMEM
 */
http_service *http_service_new(const http_options *options, const http_world *world, kim_error *err);
void http_service_free(http_service *service); /* NULL is fine */

/* No exchange goes on past this moment of world->monotonic_ms; 0: no such moment. Set it before each
 * call into the plugin. */
void http_service_deadline(http_service *service, int64_t at_monotonic_ms);

/* Nothing will be asked for a while: closes the connections and frees what TLS keeps for them (libcurl
 * holds the parsed authorities, some 3 MB, for a day). The next request opens anew. */
void http_service_rest(http_service *service); /* NULL is fine */

/* One exchange, with retries; kim_host.http without the host's context. Requests are repeated whatever
 * their method: send what must not be done twice with attempts_max 1.
 *
 * Retried: no answer or one cut short, 429, 500, 502, 503, 504, and for SigV4 a throttling code in the
 * body of another 4xx; a clock that is off is corrected from the answer's Date and tried once more.
 * Retry-After is obeyed up to HTTP_RETRY_AFTER_MAX_MS. Where the deadline leaves no time to wait, the
 * last answer is the answer.
 * Errors: kim/http.h. After -1 the response is empty. The response is good until http_response_end.
 */
int http_send(http_service *service, const kim_http_request *request, kim_http_response *response,
              kim_error *err);
void http_response_end(kim_http_response *response); /* also an empty one; frees and clears it */

#endif
