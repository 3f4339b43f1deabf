/* SPDX-License-Identifier: Apache-2.0
 *
 * sessions.h - what the files behind intake.h share: sessions, the group being written, the answers
 * that wait for it.
 */
#ifndef INGEST_SESSIONS_H
#define INGEST_SESSIONS_H

#include "controller/ingest/intake.h"
#include "sdk/protocol.h"

enum {
    RETRY_AFTER_MS = 1000,
    OVERLOAD_AFTER_MS = 30000,
    ASK_AGAIN_MS = 300000,               /* revoked, or not approved yet */
    DECODE_MAX_BYTES = 96 * 1024 * 1024, /* a batch of 1 MiB made of the smallest usage records */
};

typedef struct stream {
    char *name;
    bool is_usage;
    bool passing;        /* messages pass unread until the next SNAPSHOT_BEGIN */
    uint64_t sequence;   /* the last message taken */
    uint64_t durable;    /* what ACK names: of a state stream, the last SNAPSHOT_COMMIT */
    uint64_t generation; /* published */
    uint64_t staging;    /* being staged; 0: none */
} stream;

typedef struct session session;
struct session {
    agent *of;
    intake_peer peer;
    uint64_t number;
    uint8_t spool[PROTOCOL_SPOOL_BYTES], nonce[PROTOCOL_NONCE_BYTES], nonce_before[PROTOCOL_NONCE_BYTES];
    unsigned swaps;      /* how often the nonce went back to the one before */
    int64_t swapped_ms;
    stream *streams;     /* [stream_count] */
    size_t stream_count;
    bool is_open;
    int64_t heard_ms, sent_ms;
    uint64_t group;      /* the last group that it wrote in */
    session *next, *previous; /* of all open sessions */
};

typedef struct answer {
    intake_peer to;
    size_t at, size; /* in the bytes of all answers */
} answer;

struct intake {
    intake_options options;
    session *sessions;  /* the open ones; each belongs to its agent */
    bool in_group, group_failed, published;
    uint64_t group;     /* its number */
    kim_error why;      /* why it failed */
    answer *answers;
    size_t answer_count, answer_room;
    kim_bytes sending, inflated;
    kim_arena *arena, *scratch;
    int64_t tick_ms, enrol_second;
    unsigned enrol_count;
};

/* ---- answers: they wait for the group that they speak of ---- */

void send_later(intake *in, const intake_peer *to, const protocol_message *message);
/* with_sessions: not those of the enrolment port, whose addresses mean other connections */
void send_answers(intake *in, bool with_sessions);
void nack(intake *in, const intake_peer *to, uint64_t session_number, kim_text stream_name,
          uint64_t sequence, protocol_class class, const char *text, uint64_t retry_after_ms);
void resync(intake *in, const intake_peer *to, kim_text stream_name, const char *text);
void ack(intake *in, session *s, const stream *st);

/* ---- sessions ---- */

session *session_of(agent *a); /* made where there is none; NULL without memory */
void open_session(intake *in, session *s);
void close_session(intake *in, session *s); /* NULL and a closed one are fine */
/* Says why, and ends the session: the agent comes back with HELLO. */
void end_session(intake *in, session *s, kim_text stream_name, uint64_t sequence, protocol_class class,
                 const char *text, uint64_t retry_after_ms);
stream *stream_of(const session *s, kim_text name); /* NULL: HELLO did not name it */

/* ---- groups ---- */

/* To be called before the session writes to the store. */
int begin_group(intake *in, session *s, kim_error *err);
/* The store failed: whatever else is in the group is not kept either. */
void fail_group(intake *in, const kim_error *why);

/* ---- messages of streams (streams.c) ---- */

void take_begin(intake *in, session *s, const protocol_message *message);
void take_data(intake *in, session *s, const protocol_message *message);
void take_commit(intake *in, session *s, const protocol_message *message);

#endif
