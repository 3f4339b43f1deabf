/* SPDX-License-Identifier: Apache-2.0
 *
 * http.h - the API on a Unix socket: what it needs of the controller, and its start and stop.
 *
 * The API reads the estate, the evaluator and the store's usage itself. What only the controller's main
 * knows (the agents, when a new estate is published) it asks of a table of functions, http_backend,
 * that main.c fills. doc/api.md is the reference of the routes; routes.c has them in one table.
 */
#ifndef KIM_HTTP_SERVER_H
#define KIM_HTTP_SERVER_H

#include "controller/estate/estate.h"
#include "controller/store/store.h"

enum {
    HTTP_TOKEN_BYTES = 128,                /* an enrolment token as text, with its NUL */
    HTTP_BODY_MAX_BYTES = 8 * 1024 * 1024, /* a request's body; more is sent as more requests */
    HTTP_CONNECTIONS_MAX = 64,             /* a thread each; more wait in the listen queue */
};

/* What a caller may do; each includes the ones before it. */
typedef enum http_role { HTTP_VIEWER = 1, HTTP_REVIEWER, HTTP_APPROVER, HTTP_ADMINISTRATOR } http_role;

typedef struct http_status {
    int64_t started_unix_ms;
    int64_t published_unix_ms; /* when the estate in force was published; 0: none was yet */
    uint64_t usage_rows;       /* kept by the store; 0: none, or not counted */
    /* Where agents connect and enrol, and the key that they need, as kim-agent.conf names them; absent:
     * no agents are listened for. Good until http_stop. */
    kim_text controller, controller_enrol, controller_key;
} http_status;

/* A provider instance of an agent: one stream of snapshots. */
typedef struct http_stream {
    kim_text name;             /* the provider instance: "aws-main" */
    kim_text provider;         /* "aws" */
    uint64_t generation;       /* of the last snapshot published */
    uint64_t records;
    int64_t committed_unix_ms; /* 0: never */
    kim_text problem;          /* why the last attempt was refused or failed; absent: none */
} http_stream;

typedef struct http_agent {
    kim_text name;
    kim_text state;            /* "invited" (has a token), "pending" (key came, waits for approval), "active", "revoked" */
    kim_texts scopes;          /* it may speak for */
    kim_text key;              /* its CURVE public key in Z85; absent while invited */
    kim_text version;          /* of its program; absent: not seen */
    bool connected;
    int64_t added_unix_ms, last_seen_unix_ms; /* 0: never */
    const http_stream *streams;
    size_t stream_count;
} http_agent;

/* Called for each; a nonzero result ends the walk and is returned. What is passed ends with the call. */
typedef int http_agent_function(void *found_context, const http_agent *agent);

/* What main.c provides. Every function may be called by several threads at once. All but `estate` and
 * `now_unix_ms` return 0, or -1 with err (its code becomes the HTTP status); one that is NULL makes its
 * routes answer "unsupported". */
typedef struct http_backend {
    void *context; /* the first argument of every call */
    /* The estate in force, held: the API releases it. NULL while there is none. */
    estate *(*estate)(void *context);
    /* The one that was in force before it, held; NULL while there is none. NULL: it is not kept. */
    estate *(*estate_before)(void *context);
    int64_t (*now_unix_ms)(void *context);
    int (*status)(void *context, http_status *out, kim_error *err);

    int (*agents)(void *context, http_agent_function *found, void *found_context, kim_error *err);
    /* A new agent, or a new token for one that never enrolled. token: NUL-terminated, shown once.
     * Errors: KIM_ERR_CONFLICT (enrolled already), KIM_ERR_INPUT (name, scope) */
    int (*agent_add)(void *context, kim_text name, kim_texts scopes, char token[HTTP_TOKEN_BYTES],
                     int64_t *expires_unix_ms, kim_error *err);
    /* Errors: KIM_ERR_NOT_FOUND, KIM_ERR_CONFLICT (nothing to approve; revoked already) */
    int (*agent_approve)(void *context, kim_text name, kim_error *err);
    int (*agent_revoke)(void *context, kim_text name, kim_error *err);

    /* Private controllers only: checks and keeps encoded records (end to end, usage too); all or none
     * of a call. Then publish builds the estate from all that was imported. */
    int (*import)(void *context, const uint8_t *records, size_t size, uint64_t *count, kim_error *err);
    int (*publish)(void *context, kim_error *err);
} http_backend;

typedef struct http_options {
    const char *socket_path;    /* made with 0600; a dead socket of that name is replaced */
    const char *catalogues_dir; /* for cases; NULL: none */
    http_role role;             /* of a caller on this socket; others than our own user and root are refused */
    store *store;               /* usage is read from it; borrowed until http_stop; NULL: there is none */
    http_backend backend;       /* copied */
} http_options;

typedef struct http_server http_server;

/* Listens and answers, on threads of its own, when this returns.
 *
 * Errors: KIM_ERR_IO (the socket cannot be made, with its path and why),
 *         KIM_ERR_CONFLICT (another controller listens on it), KIM_ERR_NOMEM
 */
http_server *http_start(const http_options *options, kim_error *err);
/* Finishes what is being answered, removes the socket. NULL is fine. */
void http_stop(http_server *server);

#endif
