/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_record.c - any bytes are records or are refused; a record taken is canonical once written.
 */
#include <stdlib.h>
#include <string.h>

#include <kim/record.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void write_json(const kim_record *record, kim_arena *arena)
{
    kim_error err;
    kim_json_writer *writer = kim_json_writer_new(false);
    kim_record_write_json(record, writer);
    size_t size;
    const char *json = kim_json_writer_bytes(writer, &size, &err);
    if (json == NULL || kim_json_parse(json, size, "record", arena, &err) == NULL)
        abort();
    kim_json_writer_free(writer);
}

static void encode(const kim_record *record, kim_bytes *out)
{
    kim_error err;
    if (kim_record_check(record, &err) < 0 || kim_record_encode(record, out, &err) < 0)
        abort(); /* what was decoded may be emitted */
}

/* Bytes in other forms than the shortest may be longer than what they are written as, never shorter. */
static void check(const kim_record *record, size_t used, kim_arena *arena)
{
    kim_bytes first = {0}, second = {0};
    encode(record, &first);
    kim_record again;
    kim_error err;
    size_t used_again;
    if (first.size > used ||
        kim_record_decode(first.data, first.size, arena, &again, &used_again, &err) < 0 ||
        used_again != first.size)
        abort();
    encode(&again, &second);
    uint8_t key[KIM_RECORD_KEY_BYTES], same[KIM_RECORD_KEY_BYTES];
    kim_record_key(record, key);
    kim_record_key(&again, same);
    if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0 ||
        memcmp(key, same, sizeof key) != 0)
        abort();
    write_json(&again, arena);
    kim_bytes_free(&first);
    kim_bytes_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_arena *arena = kim_arena_new(64 * 1024 * 1024);
    kim_record record;
    kim_error err;
    size_t used;
    while (size > 0 && kim_record_decode(bytes, size, arena, &record, &used, &err) == 0) {
        if (used == 0 || used > size)
            abort();
        check(&record, used, arena);
        bytes += used;
        size -= used;
    }
    kim_arena_free(arena);
    return 0;
}
