/* SPDX-License-Identifier: Apache-2.0
 *
 * emit.h - from kim_record to host->emit: checks, encodes and gathers records into batches.
 */
#ifndef KIM_EMIT_H
#define KIM_EMIT_H

#include <kim/plugin.h>
#include <kim/record.h>

typedef struct kim_emitter {
    const kim_host *host;
    kim_bytes pending; /* encoded, not handed over yet; at most KIM_BATCH_TARGET_BYTES and a record */
    uint64_t count;    /* records taken so far */
} kim_emitter;

void kim_emitter_start(kim_emitter *emitter, const kim_host *host);
/* Copies the record. May hand a batch over (collect and normalise; not used with cursors).
 * Errors: those of kim_record_check and host->emit */
int kim_emit(kim_emitter *emitter, const kim_record *record, kim_error *err);
/* Hands over what is pending; with a cursor, as one commit. */
int kim_emit_flush(kim_emitter *emitter, const uint8_t *cursor, size_t cursor_size, kim_error *err);
void kim_emitter_stop(kim_emitter *emitter); /* drops what is pending */

#endif
