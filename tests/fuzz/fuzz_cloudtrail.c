/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_cloudtrail.c - any bytes are a log or are told; what is emitted is always good, and a cursor made of any
 * bytes is refused or comes back the same.
 */
#include <stdlib.h>
#include <string.h>

#include <kim/record.h>

#include "plugins/aws/usage/state.h"
#include "plugins/aws/usage/usage.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int take(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    kim_arena *arena = kim_arena_new(64 * 1024 * 1024);
    (void)context;
    (void)cursor;
    (void)cursor_size;
    for (size_t at = 0, used; at < size; at += used) {
        kim_record record;
        if (kim_record_decode(records + at, size - at, arena, &record, &used, err) < 0 || kim_record_check(&record, err) < 0)
            abort();
    }
    kim_arena_free(arena);
    return 0;
}

static void read_log(const uint8_t *bytes, size_t size)
{
    const kim_host host = {.struct_size = sizeof host, .emit = take};
    const kim_document document = {.kind = "file", .name = "AWSLogs/111122223333/x.json", .bytes = bytes, .size = size};
    kim_error err = {0};
    if (aws_usage_normalise(&host, "111122223333", &document, &err) < 0 && err.code != KIM_ERR_INPUT)
        abort(); /* whatever a log holds, the most that it may cost is itself */
    aws_usage_recognise("x.json", bytes, size);
}

static void read_cursor(const uint8_t *bytes, size_t size)
{
    static usage_state state;
    static uint8_t again[KIM_CURSOR_MAX_BYTES];
    if (size <= KIM_CURSOR_MAX_BYTES && state_decode(&state, bytes, size, NULL) == 0 && size &&
        (state_encode(&state, again) != size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size && bytes[0] == 'K')
        read_cursor(bytes, size);
    else
        read_log(bytes, size);
    return 0;
}
