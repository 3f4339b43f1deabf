/* SPDX-License-Identifier: Apache-2.0
 *
 * out.h - records on their way out: what several documents say of one thing becomes one record.
 *
 * A group stands in the list of groups, as the subject of an assignment and as somebody's parent. Records
 * with the same key are joined field by field when all has been read: what is absent is filled in, of two
 * values the greater stays. That is commutative and idempotent, so the order of the documents cannot matter.
 */
#ifndef AZURE_OUT_H
#define AZURE_OUT_H

#include <kim/emit.h>

typedef struct azure_out {
    const kim_host *host;
    kim_emitter emitter;
    kim_arena *arena;     /* of the document at hand, and of the records that wait */
    kim_record *waiting;  /* [count] */
    size_t count, capacity;
} azure_out;

/* max_bytes  what one case, or all documents of a collection, may take
 * Errors: KIM_ERR_NOMEM */
int azure_out_start(azure_out *out, const kim_host *host, size_t max_bytes, kim_error *err);
void azure_out_stop(azure_out *out); /* fine on a zeroed struct */

/* Keeps the record until azure_out_flush. Its texts must live as long: in out->arena, or constants.
 * Errors: KIM_ERR_NOMEM and those of kim_record_check */
int azure_put(azure_out *out, const kim_record *record, kim_error *err);
/* Joins what waits and sends it. Errors: those of host->emit, KIM_ERR_NOMEM */
int azure_out_flush(azure_out *out, kim_error *err);
/* Forgets what waits and resets the arena. */
void azure_out_drop(azure_out *out);

#endif
