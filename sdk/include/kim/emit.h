/* SPDX-License-Identifier: Apache-2.0
 *
 * emit.h - from kim_record to host->emit: checks, encodes and gathers records into batches.
 */
#ifndef KIM_EMIT_H
#define KIM_EMIT_H

#include <kim/limits.h>
#include <kim/plugin.h>
#include <kim/record.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Records that one cursor may hold: with the cursor they still fit one frame. */
enum { KIM_EMIT_HELD_MAX_BYTES = KIM_FRAME_MAX_BYTES - KIM_CURSOR_MAX_BYTES - 4096 };

typedef struct kim_emitter {
    const kim_host *host;
    kim_bytes pending; /* encoded, not handed over yet; at most KIM_BATCH_TARGET_BYTES and a record,
                          or, where held, KIM_EMIT_HELD_MAX_BYTES */
    uint64_t count;    /* records taken so far */
    bool hold;         /* set it after the start where records go with cursors (usage, watch): then
                          only kim_emit_flush hands over, so that no record leaves without its cursor */
} kim_emitter;

void kim_emitter_start(kim_emitter *emitter, const kim_host *host);
/* Copies the record. Hands a batch over when one is full, but for an emitter that holds.
 * Errors: those of kim_record_check and host->emit; KIM_ERR_LIMIT past KIM_EMIT_HELD_MAX_BYTES: flush
 * with a cursor, then emit it again */
int kim_emit(kim_emitter *emitter, const kim_record *record, kim_error *err);
/* Hands over what is pending; with a cursor (at most KIM_CURSOR_MAX_BYTES), as one commit. Without a
 * cursor and with nothing pending it does nothing. What was pending is gone, on failure too. */
int kim_emit_flush(kim_emitter *emitter, const uint8_t *cursor, size_t cursor_size, kim_error *err);
void kim_emitter_stop(kim_emitter *emitter); /* drops what is pending; NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
