/* SPDX-License-Identifier: Apache-2.0
 *
 * intake.h - messages in, answers out; no socket in between, so that any byte can be tried on it.
 *
 * Everything a message writes goes into one group with its neighbours, and no answer leaves before the
 * group is on disk: an ACK says that what it acknowledges survives.
 */
#ifndef INGEST_INTAKE_H
#define INGEST_INTAKE_H

#include "controller/ingest/agents.h"

/* Where answers go: the ROUTER's routing id, an address and never an identity. */
typedef struct intake_peer {
    uint8_t size;
    uint8_t bytes[255];
} intake_peer;

typedef struct intake_options {
    store *st;
    agents *all;
    bool approve_by_hand;
    uint64_t spread_ms; /* 0: by the number of agents */
    int64_t (*now_unix_ms)(void);
    /* Sends one message; -1: that connection is gone. */
    int (*send)(void *context, const intake_peer *to, const uint8_t *bytes, size_t size);
    void (*published)(void *context); /* after the commit of a snapshot; may be NULL */
    void *context;
} intake_options;

typedef struct intake intake;
intake *intake_new(const intake_options *options, kim_error *err); /* copied */
void intake_free(intake *in); /* what is not committed is lost; NULL is fine */

/* One message on the data port, from the holder of that key. tick_ms: a clock that never goes back. */
void intake_message(intake *in, const intake_peer *from, const uint8_t key[STORE_KEY_BYTES],
                    const uint8_t *bytes, size_t size, int64_t tick_ms);
/* One message on the enrolment port; answered through `send` at once. Not within a group. */
void intake_enrol(intake *in, const intake_peer *from, const uint8_t key[STORE_KEY_BYTES],
                  const uint8_t *bytes, size_t size, int64_t tick_ms);
/* Commits what the messages since the last call wrote, then sends their answers. */
void intake_commit(intake *in);
/* Pings the silent, gives up the dead. About once a second. */
void intake_tick(intake *in, int64_t tick_ms);

#endif
