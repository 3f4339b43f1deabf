/* SPDX-License-Identifier: Apache-2.0
 *
 * emit.c - records gather in one buffer and leave it together.
 *
 * A call of host->emit crosses a process border, so it is made once a batch and not once a record.
 */
#include <string.h>

#include <kim/emit.h>
#include <kim/limits.h>

void kim_emitter_start(kim_emitter *emitter, const kim_host *host)
{
    *emitter = (kim_emitter){.host = host};
}

int kim_emit(kim_emitter *emitter, const kim_record *record, kim_error *err)
{
    if (kim_record_check(record, err) < 0)
        return -1;
    size_t before = emitter->pending.size;
    if (kim_record_encode(record, &emitter->pending, err) < 0) {
        emitter->pending.size = before;
        return -1;
    }
    if (emitter->hold && emitter->pending.size > KIM_EMIT_HELD_MAX_BYTES) {
        emitter->pending.size = before;
        return kim_fail(err, KIM_ERR_LIMIT,
                        "more than %d bytes of records are held for one cursor; flush them with "
                        "an earlier cursor first", KIM_EMIT_HELD_MAX_BYTES);
    }
    emitter->count++;
    if (!emitter->hold && emitter->pending.size >= KIM_BATCH_TARGET_BYTES)
        return kim_emit_flush(emitter, NULL, 0, err);
    return 0;
}

int kim_emit_flush(kim_emitter *emitter, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    if (cursor != NULL && cursor_size > KIM_CURSOR_MAX_BYTES)
        return kim_fail(err, KIM_ERR_LIMIT, "a cursor has %zu bytes; at most %d are kept",
                        cursor_size, KIM_CURSOR_MAX_BYTES);
    if (emitter->pending.size == 0 && cursor == NULL)
        return 0;
    const kim_host *host = emitter->host;
    int result = host->emit(host->context, emitter->pending.data, emitter->pending.size, cursor,
                            cursor_size, err);
    emitter->pending.size = 0;
    return result;
}

void kim_emitter_stop(kim_emitter *emitter)
{
    if (emitter == NULL)
        return;
    kim_bytes_free(&emitter->pending);
}
