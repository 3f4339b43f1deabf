/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_host.h - a host for fuzzed providers: what they emit must be records, whatever they were given.
 */
#ifndef FUZZ_AWS_HOST_H
#define FUZZ_AWS_HOST_H

#include <stdlib.h>

#include <kim/emit.h>

static inline int fuzz_emit(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    kim_arena *arena = kim_arena_new(64 * 1024 * 1024);
    (void)context, (void)cursor, (void)cursor_size;
    while (size > 0) {
        kim_record record;
        size_t used;
        kim_arena_reset(arena);
        if (kim_record_decode(records, size, arena, &record, &used, err) < 0 || kim_record_check(&record, err) < 0)
            abort();
        records += used;
        size -= used;
    }
    kim_arena_free(arena);
    return 0;
}

static inline void fuzz_log(void *context, uint32_t level, const char *event, const char *message)
{
    (void)context, (void)level;
    if (*event == '\0' || !kim_text_is_utf8(kim_text_of(message)))
        abort();
}

static const kim_host fuzz_host = {
    .struct_size = sizeof(kim_host), .abi_major = KIM_ABI_MAJOR, .abi_minor = KIM_ABI_MINOR, .emit = fuzz_emit, .log = fuzz_log,
};

#endif
