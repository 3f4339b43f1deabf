/* SPDX-License-Identifier: Apache-2.0
 *
 * spool.h - one usage stream's batches, on disk until the controller has them.
 *
 * A folder of append-only segments of about SPOOL_SEGMENT_BYTES. A batch and the cursor that its source
 * stands at behind it are one record, so they are kept or lost together; each record has a checksum.
 * A damaged tail, as a crash leaves it, is cut off when the spool is opened. Damage inside is found on reading: the
 * segment is set aside, and the spool goes back to the cursor in front of it, so that the source
 * reads on from there. One thread appends, another ships; both may call at any time.
 */
#ifndef KIM_AGENT_SPOOL_H
#define KIM_AGENT_SPOOL_H

#include "sdk/protocol.h"

enum { SPOOL_SEGMENT_BYTES = 8 * 1024 * 1024 };

typedef struct spool spool;

typedef struct spool_limits {
    uint64_t max_bytes;     /* of what waits; past it appending is refused */
    uint64_t segment_bytes; /* 0: SPOOL_SEGMENT_BYTES */
} spool_limits;

/* folder  made where it is not there (0700)
 * noted   filled with what was found damaged and mended, "" of nothing; [KIM_ERROR's message size]
 * Errors: KIM_ERR_IO, KIM_ERR_NOMEM
 * Cost: the last segment is read, whatever waits in front of it. */
spool *spool_open(const char *folder, const spool_limits *limits, kim_error *noted, kim_error *err);
void spool_close(spool *sp); /* NULL is fine */

/* One batch of entries and its cursor: durable when this returns.
 * Errors: KIM_ERR_LIMIT (full: nothing was taken, and the source waits), KIM_ERR_IO (likewise), KIM_ERR_NOMEM,
 *         KIM_ERR_CONFLICT (the spool went back to an earlier cursor since spool_cursor was asked: likewise) */
int spool_append(spool *sp, const uint8_t *entries, size_t size, uint64_t count, const uint8_t *cursor,
                 size_t cursor_size, kim_error *err);
/* The cursor behind the last batch, appended to `out`: where the source begins to read. */
int spool_cursor(spool *sp, kim_bytes *out, kim_error *err);

/* Has a controller ever said where this stream stands? Before that nothing is appended. */
bool spool_is_anchored(spool *sp);
/* The controller holds everything up to `sequence`, and `cursor` with it: go on from there. What waits
 * is kept where it follows on that, and dropped where it does not. 1: dropped, 0: kept. */
int spool_anchor(spool *sp, uint64_t sequence, const uint8_t *cursor, size_t cursor_size, kim_error *err);

/* The next batch to ship, in order; what it points at is good until the next call. 1: here it is; 0: none
 * waits; -1 with err: KIM_ERR_CORRUPT (set aside; the source will be read again), KIM_ERR_IO. */
int spool_next(spool *sp, protocol_data *data, kim_error *err);
/* Everything up to `sequence` has arrived. */
int spool_acknowledge(spool *sp, uint64_t sequence, kim_error *err);
/* Copies the batch `sequence` (the last one given by spool_next, or before) to bad/. */
int spool_set_aside(spool *sp, uint64_t sequence, kim_error *err);

uint64_t spool_waiting_bytes(spool *sp);

#endif
