/* SPDX-License-Identifier: Apache-2.0
 *
 * ingest.h - what agents send, checked and kept; and who may send.
 *
 * One thread owns the sockets and writes to the store. An agent is its CURVE key: the key is looked up
 * anew for each message, so that a revoked agent's next message is refused. doc/protocol.md says what
 * passes over the wire.
 */
#ifndef INGEST_H
#define INGEST_H

#include "controller/store/store.h"

enum {
    INGEST_SECRET_BYTES = 32, /* a CURVE key, raw */
    INGEST_KEY_TEXT_BYTES = 41, /* a key in Z85, with its NUL */
    INGEST_ENDPOINT_BYTES = 256,
    INGEST_TOKEN_BYTES = 64,  /* an enrolment token as text, with its NUL */
    INGEST_AGENT_MAX_SCOPES = 1024,
};

/* The controller's key pair: folder/controller.key, made where it is not there yet, and
 * folder/controller.pub, which agents need (both 0600, in Z85).
 * Errors: KIM_ERR_IO, KIM_ERR_CORRUPT (a file that holds no key) */
int ingest_keys_load(const char *folder, uint8_t public_key[INGEST_SECRET_BYTES],
                     uint8_t secret_key[INGEST_SECRET_BYTES], kim_error *err);
void ingest_key_text(const uint8_t key[INGEST_SECRET_BYTES], char text[INGEST_KEY_TEXT_BYTES]);

typedef struct ingest ingest;

typedef struct ingest_options {
    const char *data_endpoint;  /* "tcp://0.0.0.0:7601"; port 0 or '*': a free one */
    const char *enrol_endpoint; /* the same for enrolment; NULL: none */
    uint8_t public_key[INGEST_SECRET_BYTES], secret_key[INGEST_SECRET_BYTES];
    bool approve_by_hand;       /* an agent that enrolled waits for an administrator */
    uint64_t token_lifetime_ms; /* 0: 24 hours */
    uint64_t spread_ms;         /* over how long agents spread their return; 0: by their number */
    int64_t (*now_unix_ms)(void); /* NULL: the system's clock */
    /* Called from ingest's thread after a snapshot was published. */
    void (*published)(void *context);
    void *context;
} ingest_options;

/* Binds, proves that an unknown key is refused, and goes on in threads of its own.
 *
 * options  copied; st must outlive the ingest
 * Errors: KIM_ERR_IO (cannot bind: the endpoint and why), KIM_ERR_INTERNAL (an unknown key was let in),
 *         KIM_ERR_NOMEM, and those of reading the store */
ingest *ingest_start(store *st, const ingest_options *options, kim_error *err);
/* Finishes the message at hand. NULL is fine. */
void ingest_stop(ingest *in);

/* Where it listens, with the ports that were chosen: "tcp://127.0.0.1:40123"; "" for none. */
const char *ingest_data_endpoint(const ingest *in);
const char *ingest_enrol_endpoint(const ingest *in);

/* ---- administration: by any thread ---- */

/* Invites an agent of that name, or makes a new token for one that was invited before.
 *
 * name    letters, digits, '.', '_' and '-', at most 128
 * scopes  whose records it may define: a scope's id covers the ids under it by name ("k8s:prod" covers
 *         "k8s:prod/ns"), and one that ends in '*' all that begin so ("aws:*")
 * token   filled: to be shown once; only its hash is kept
 * Errors: KIM_ERR_INPUT (name, scopes), KIM_ERR_CONFLICT (enrolled already), and those of the store */
int ingest_agent_add(ingest *in, kim_text name, kim_texts scopes, char token[INGEST_TOKEN_BYTES],
                     int64_t *expires_unix_ms, kim_error *err);
/* Errors: KIM_ERR_NOT_FOUND, KIM_ERR_CONFLICT, and those of the store */
int ingest_agent_approve(ingest *in, kim_text name, kim_error *err);
int ingest_agent_revoke(ingest *in, kim_text name, kim_error *err);

/* A provider instance of an agent, as its agent told of it last. */
typedef struct ingest_provider {
    kim_text name;           /* "aws-main" */
    kim_text plugin;         /* "aws"; absent: not told since the controller started */
    bool unsigned_plugin;
    uint64_t generation, records, refused; /* of its published snapshot; refused: out of its scopes */
    int64_t published_unix_ms;
    kim_text problem;        /* why it last failed; absent: it is well */
} ingest_provider;

typedef struct ingest_agent {
    store_agent kept;        /* last_seen_unix_ms is up to date */
    bool connected;
    const ingest_provider *providers; /* [provider_count] */
    size_t provider_count;
} ingest_agent;
/* What it gets is good until it returns; a result other than 0 ends the walk and is returned. */
typedef int ingest_agent_function(void *context, const ingest_agent *agent, kim_error *err);
int ingest_agents(ingest *in, ingest_agent_function *each, void *context, kim_error *err);

/* ---- without a network: private controllers ---- */

/* Checks encoded records that lie end to end and keeps them under the agent's name "import"; all or
 * none. Records other than usage are staged until ingest_import_publish.
 * Errors: KIM_ERR_INPUT and KIM_ERR_LIMIT, naming the record and the byte, and those of the store */
int ingest_import(store *st, const uint8_t *records, size_t size, uint64_t *count, kim_error *err);
int ingest_import_publish(store *st, int64_t at_unix_ms, kim_error *err);

#endif
