/* SPDX-License-Identifier: Apache-2.0
 *
 * protocol.h - the messages between kim-agent and kim-controller, and their bytes.
 *
 * doc/protocol.md is the reference, and complete enough to write either side in another language. A
 * message is one ZeroMQ frame: a msgpack array [number, field, ...] in the order of the structs below.
 * Unknown trailing fields are skipped; fields that an older peer left out are zero. One table in
 * protocol.c drives both directions.
 *
 * Streams: "PROVIDER/state" and "PROVIDER/usage", PROVIDER being the operator's name of the provider
 * instance. Each stream numbers its messages from 1 within a spool: `sequence`. In a usage stream it
 * goes up by one. In a state stream SNAPSHOT_BEGIN may leap forward (a snapshot that was never sent
 * was replaced by a newer one); the DATA and SNAPSHOT_COMMIT after it go up by one.
 */
#ifndef KIM_PROTOCOL_H
#define KIM_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kim/error.h>
#include <kim/limits.h>
#include <kim/record.h>

enum { PROTOCOL_VERSION_MIN = 1, PROTOCOL_VERSION_MAX = 1 };

enum {
    PROTOCOL_KEY_BYTES = 32,         /* a CURVE public key, raw */
    PROTOCOL_SPOOL_BYTES = 16,       /* names a spool: random, made with it */
    PROTOCOL_NONCE_BYTES = 16,       /* names a run of an agent */
    PROTOCOL_MAX_STREAMS = 64,       /* of one agent: 32 providers */
    PROTOCOL_STREAM_MAX_BYTES = 128,
    PROTOCOL_NAME_MAX_BYTES = 128,   /* an agent's or provider's name */
    PROTOCOL_TEXT_MAX_BYTES = 1024,  /* a reason in words */
    PROTOCOL_CURSOR_MAX_BYTES = KIM_CURSOR_MAX_BYTES,
    PROTOCOL_TOKEN_MAX_BYTES = 512,
    PROTOCOL_COMMAND_MAX_BYTES = 256 * 1024,
    PROTOCOL_WINDOW = 8,             /* messages in flight that a controller grants unless it says otherwise */
    PROTOCOL_PING_MS = 15000,        /* a side that sent nothing for so long sends PING */
    PROTOCOL_DEAD_MS = 45000,        /* a side that heard nothing for so long gives the session up */
};

typedef enum protocol_type {
    PROTOCOL_HELLO = 1,
    PROTOCOL_WELCOME = 2,
    PROTOCOL_SNAPSHOT_BEGIN = 3,
    PROTOCOL_DATA = 4,
    PROTOCOL_SNAPSHOT_COMMIT = 5,
    PROTOCOL_ACK = 6,
    PROTOCOL_NACK = 7,
    PROTOCOL_RESYNC = 8,
    PROTOCOL_PING = 9,
    PROTOCOL_PONG = 10,
    PROTOCOL_COMMAND = 11,
    PROTOCOL_RESULT = 12,
    PROTOCOL_ROTATE = 13,
    PROTOCOL_STATUS = 14,
    PROTOCOL_ENROL = 20,
    PROTOCOL_ENROLLED = 21,
} protocol_type;
const char *protocol_type_name(int type); /* "HELLO" ...; NULL for an unknown one */

typedef enum protocol_class {
    PROTOCOL_RETRY = 1,         /* not now: say HELLO again after retry_after_ms */
    PROTOCOL_POISON = 2,        /* this will never be taken; the stream goes on behind it */
    PROTOCOL_UNKNOWN_AGENT = 3, /* the key is not enrolled here (any more), or waits for approval */
    PROTOCOL_REVOKED = 4,
    PROTOCOL_CLOCK = 5,         /* the clocks differ too much */
    PROTOCOL_PROTOCOL = 6,      /* malformed, out of order, or no common version */
    PROTOCOL_OVERLOAD = 7,      /* as retry, and slower */
} protocol_class;
const char *protocol_class_name(int class); /* "retry" ...; NULL for an unknown one */

/* HELLO.streams */
typedef struct protocol_stream_hello {
    kim_text stream;
    kim_text plugin, plugin_version; /* "aws", "0.1.0" */
    bool unsigned_plugin;            /* loaded although it is not signed */
} protocol_stream_hello;

/* WELCOME.streams: how far the controller has come with a stream. */
typedef struct protocol_stream_position {
    kim_text stream;
    uint64_t sequence;   /* the last message applied of HELLO's spool; 0: none */
    uint64_t generation; /* the snapshot that is published; 0: none */
    uint64_t count;      /* its records */
    uint8_t digest[KIM_RECORD_HASH_BYTES];
    const uint8_t *cursor; /* the cursor of the last DATA applied, whatever spool it came from; */
    size_t cursor_size;    /* 0: none kept */
} protocol_stream_position;

typedef struct protocol_hello {   /* 1, agent: the first message of a connection */
    uint64_t version_min, version_max;
    kim_text agent;               /* its name, for messages; its CURVE key is what identifies it */
    uint8_t spool[PROTOCOL_SPOOL_BYTES];
    uint8_t nonce[PROTOCOL_NONCE_BYTES];
    kim_text software;            /* "kim-agent 0.1.0" */
    int64_t now_unix_ms;
    protocol_stream_hello streams[PROTOCOL_MAX_STREAMS];
    size_t stream_count;
} protocol_hello;

typedef struct protocol_welcome { /* 2, controller: answers HELLO */
    uint64_t version;             /* chosen from HELLO's range */
    uint64_t session;             /* not 0; every later message of the agent carries it */
    uint64_t credit;              /* how many messages the agent may send before credit is added */
    uint64_t spread_ms;           /* on its next reconnect the agent waits a random part of it */
    int64_t now_unix_ms;
    protocol_stream_position streams[PROTOCOL_MAX_STREAMS]; /* each that HELLO named */
    size_t stream_count;
} protocol_welcome;

typedef struct protocol_begin {   /* 3, agent */
    uint64_t session;
    kim_text stream;
    uint64_t sequence;
    uint64_t generation;          /* of the snapshot that begins; greater than any before it */
    uint64_t base;                /* 0: full, what is not mentioned is gone; else it is a change of that
                                     generation, which must be the one published */
    uint64_t count;               /* records in it once published; as SNAPSHOT_COMMIT says again */
} protocol_begin;

enum { PROTOCOL_PLAIN = 0, PROTOCOL_ZSTD = 1 }; /* data.encoding */

typedef struct protocol_data {    /* 4, agent */
    uint64_t session;
    kim_text stream;
    uint64_t sequence;
    uint64_t count;               /* entries in it */
    uint64_t raw_bytes;           /* their size when inflated: <= KIM_BATCH_MAX_BYTES */
    uint64_t encoding;
    const uint8_t *bytes;         /* [size] */
    size_t size;
    const uint8_t *cursor;        /* usage: where its source stands after it; to be kept beside the mark */
    size_t cursor_size;
} protocol_data;

typedef struct protocol_commit {  /* 5, agent */
    uint64_t session;
    kim_text stream;
    uint64_t sequence;
    uint64_t generation;
    uint64_t count;               /* records that the stream has once this is published */
    uint8_t digest[KIM_RECORD_HASH_BYTES]; /* of them: kim_digest_add over kim_record_hash */
} protocol_commit;

typedef struct protocol_ack {     /* 6, controller */
    uint64_t session;
    kim_text stream;
    uint64_t sequence;            /* everything up to it is applied and durable: cumulative */
    uint64_t credit;              /* so many more messages may be sent, of any stream */
} protocol_ack;

typedef struct protocol_nack {    /* 7, controller */
    uint64_t session;             /* 0: there is none */
    kim_text stream;              /* empty: the whole session */
    uint64_t sequence;            /* the message refused; 0: none in particular */
    uint64_t class;               /* protocol_class */
    kim_text text;                /* what is wrong, where, and what to do */
    uint64_t retry_after_ms;
    uint64_t credit;              /* as in ACK */
} protocol_nack;

typedef struct protocol_resync {  /* 8, controller */
    kim_text stream;              /* send it in full; empty: there is no session, say HELLO */
    kim_text text;
} protocol_resync;

typedef struct protocol_ping {    /* 9 PING and 10 PONG, both sides */
    uint64_t session;
    uint64_t token;               /* PONG repeats PING's */
    int64_t now_unix_ms;
} protocol_ping;

typedef struct protocol_command { /* 11, controller; approvals are inside bytes */
    uint64_t session;
    uint64_t id;
    kim_text provider;
    const uint8_t *bytes;         /* JSON */
    size_t size;
} protocol_command;

typedef struct protocol_result {  /* 12, agent */
    uint64_t session;
    uint64_t id;
    uint64_t code;                /* kim_code */
    kim_text text;
    const uint8_t *bytes;         /* JSON */
    size_t size;
} protocol_result;

typedef struct protocol_rotate {  /* 13, agent: this key too from now on; both hold until its first use */
    uint64_t session;
    uint8_t public_key[PROTOCOL_KEY_BYTES];
} protocol_rotate;

typedef struct protocol_status {  /* 14, agent: how a provider fares; sent when it changes */
    uint64_t session;
    kim_text provider;
    int64_t collected_unix_ms;    /* the last collect that went well; 0: none */
    int64_t usage_unix_ms;
    uint64_t code;                /* kim_code of what fails now; 0: nothing */
    kim_text text;
    uint64_t backlog_bytes;       /* waiting in the spool */
} protocol_status;

typedef struct protocol_enrol {   /* 20, agent, on the enrolment port */
    uint64_t version_min, version_max;
    kim_text token;               /* as `kim agent add` gave it */
    uint8_t public_key[PROTOCOL_KEY_BYTES]; /* what it will come with on the data port */
    kim_text software;
    int64_t now_unix_ms;
} protocol_enrol;

typedef struct protocol_enrolled { /* 21, controller: answers ENROL; a refusal is a NACK */
    kim_text agent;               /* its name from now on */
    bool approved;                /* false: waits for a person */
    int64_t now_unix_ms;
} protocol_enrolled;

typedef struct protocol_message {
    protocol_type type;
    union {
        protocol_hello hello;
        protocol_welcome welcome;
        protocol_begin begin;
        protocol_data data;
        protocol_commit commit;
        protocol_ack ack;
        protocol_nack nack;
        protocol_resync resync;
        protocol_ping ping; /* PONG too */
        protocol_command command;
        protocol_result result;
        protocol_rotate rotate;
        protocol_status status;
        protocol_enrol enrol;
        protocol_enrolled enrolled;
    };
} protocol_message;

/* Appends the message's bytes.
 * Errors: KIM_ERR_NOMEM; KIM_ERR_LIMIT, KIM_ERR_INPUT for what the decoder would refuse too */
int protocol_encode(const protocol_message *message, kim_bytes *out, kim_error *err);

/* Reads one message; texts and bytes in it point into `bytes`. Allocates nothing.
 * Errors: KIM_ERR_INPUT  malformed: names the message, the field and the byte
 *         KIM_ERR_LIMIT  past a limit, likewise
 *         KIM_ERR_UNSUPPORTED  a message number that this version does not know */
int protocol_decode(const uint8_t *bytes, size_t size, protocol_message *out, kim_error *err);

/* ---- what is in DATA ---- */

/* Entries lie end to end: a record as kim_record_encode writes it, or the news that one is gone, a
 * msgpack array [0, type, scope, key]. In a usage stream every entry is a usage record. */
typedef struct protocol_entry {
    bool gone;
    const uint8_t *bytes;  /* a record's, for kim_record_decode; NULL where gone */
    size_t size;
    kim_record_type type;  /* where gone: what was there */
    kim_text scope;
    uint8_t key[KIM_RECORD_KEY_BYTES];
} protocol_entry;

void protocol_put_gone(kim_bytes *out, kim_record_type type, kim_text scope,
                       const uint8_t key[KIM_RECORD_KEY_BYTES]);
/* The entry at *offset, which moves behind it. 1: here it is; 0: the end; -1: KIM_ERR_INPUT. A record
 * is only measured here: decode it to know that it is sound. */
int protocol_next_entry(const uint8_t *bytes, size_t size, size_t *offset, protocol_entry *entry,
                        kim_error *err);

/* Fills data's count, raw_bytes, encoding, bytes and size from entries, compressed where that makes
 * them smaller. data->bytes points into `packed` or to `entries`. */
int protocol_deflate(const uint8_t *entries, size_t size, uint64_t count, kim_bytes *packed,
                     protocol_data *data, kim_error *err);
/* The entries of a DATA message: into `out` (emptied first), or where they are when plain.
 * Never inflates past data->raw_bytes, nor that past KIM_BATCH_MAX_BYTES.
 * Errors: KIM_ERR_LIMIT, KIM_ERR_INPUT (not zstd, or not of the size it claims), KIM_ERR_NOMEM */
int protocol_inflate(const protocol_data *data, kim_bytes *out, const uint8_t **entries, size_t *size,
                     kim_error *err);

#endif
