/* SPDX-License-Identifier: Apache-2.0
 *
 * delta.h - one state stream: what a collect found, against what the controller holds.
 *
 * A folder with base.map (key and hash of every record of the snapshot that was acknowledged last),
 * and at most one waiting snapshot: pending.snap, ready to ship, and the map that becomes the base with
 * its acknowledgement. A newer collect replaces a waiting snapshot that was not sent whole; one whose
 * SNAPSHOT_COMMIT has left may have been published, and stays until that is known. Records that no
 * collect says but the log's reading does (coverage) are kept beside, and are part of every snapshot.
 *
 * One thread collects, another ships; both may call at any time.
 */
#ifndef KIM_AGENT_DELTA_H
#define KIM_AGENT_DELTA_H

#include "sdk/protocol.h"

typedef struct delta delta;

/* Errors: KIM_ERR_IO, KIM_ERR_NOMEM. A damaged map or snapshot is put aside and *noted says so: the next
 * snapshot is then full. */
delta *delta_open(const char *folder, kim_error *noted, kim_error *err);
void delta_close(delta *d); /* NULL is fine */

/* ---- collecting ---- */

/* Begins a full set, and forgets one that was begun before. Errors: KIM_ERR_IO */
int delta_begin(delta *d, kim_error *err);
/* Encoded records, end to end. A key that comes twice counts once, as it came last.
 * Errors: KIM_ERR_INPUT, KIM_ERR_IO, KIM_ERR_NOMEM */
int delta_add(delta *d, const uint8_t *records, size_t size, kim_error *err);
void delta_abandon(delta *d); /* a failed collect changes nothing */

typedef enum delta_outcome {
    DELTA_FAILED = -1,
    DELTA_UNCHANGED = 0, /* what the controller holds is what was found */
    DELTA_WAITING = 1,   /* a snapshot waits to be shipped */
    DELTA_HELD = 2,      /* not taken: an earlier snapshot's fate is not known yet; collect again then */
} delta_outcome;
delta_outcome delta_finish(delta *d, kim_error *err);

/* Records that a log's reading said (coverage). Kept, and in every snapshot from now on. 1 where that
 * changed something, 0 where not. */
int delta_add_beside(delta *d, const uint8_t *records, size_t size, kim_error *err);
/* A snapshot of what is held plus what lies beside, without a collect. */
delta_outcome delta_finish_beside(delta *d, kim_error *err);
bool delta_is_in_doubt(delta *d);
/* The controller holds something else than the base: a full collect is asked for. Reading clears it. */
bool delta_wants_full(delta *d);

/* ---- shipping ---- */

typedef struct delta_pending {
    uint64_t generation, base, first_sequence, last_sequence, count;
    uint8_t digest[KIM_RECORD_HASH_BYTES];
    uint64_t bytes; /* on disk */
} delta_pending;
/* false: nothing waits. */
bool delta_pending_of(delta *d, delta_pending *out);

/* What the controller holds, from WELCOME. 1: the waiting snapshot turns out to be published, or
 * nothing had to be done; 0: both differ, all is dropped and a full collect is asked for. */
int delta_position(delta *d, const protocol_stream_position *at, kim_error *err);
/* The message of that sequence within the waiting snapshot of that generation, its stream and session left
 * to the caller; bytes in it are good until the next call. 1; 0 where that generation waits no more;
 * -1 with err, KIM_ERR_CORRUPT: it is damaged, was put aside, and a full collect is asked for. Asking for
 * SNAPSHOT_COMMIT puts it in doubt. */
int delta_message(delta *d, uint64_t generation, uint64_t sequence, protocol_message *out, kim_error *err);
/* Published. Errors: KIM_ERR_IO */
int delta_acknowledge(delta *d, uint64_t sequence, kim_error *err);
/* RESYNC or poison: nothing of it is kept, and a full collect is asked for.
 * aside  keep a copy of the waiting snapshot in bad/ */
int delta_reset(delta *d, bool aside, kim_error *err);

#endif
