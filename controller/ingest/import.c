/* SPDX-License-Identifier: Apache-2.0
 *
 * import.c - records without a network, for controllers that live as long as one command.
 */
#include "controller/ingest/ingest.h"

#include <stdlib.h>

#define IMPORT_AGENT KIM_TEXT("import")
#define STATE_STREAM KIM_TEXT("import/state")
#define USAGE_STREAM KIM_TEXT("import/usage")

enum { FIRST_ROOM = 1024 };

/* What was read: changes for the state, records for usage; texts in `bytes` and `arena`. */
typedef struct import {
    kim_arena *arena, *scratch;
    store_change *changes;
    size_t change_count, change_room;
    kim_record *usage;
    size_t usage_count, usage_room;
} import;

static void *grown(void *items, size_t count, size_t *room, size_t size, kim_error *err)
{
    if (count < *room)
        return items;
    size_t more = *room ? *room * 2 : FIRST_ROOM;
    void *bigger = realloc(items, more * size);
    if (!bigger) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for %zu records", more);
        return NULL;
    }
    *room = more;
    return bigger;
}

static int keep(import *im, const kim_record *record, const uint8_t *bytes, size_t size, kim_error *err)
{
    if (record->type == KIM_USAGE) {
        kim_record *usage = grown(im->usage, im->usage_count, &im->usage_room, sizeof *usage, err);
        if (!usage)
            return -1;
        im->usage = usage;
        im->usage[im->usage_count++] = *record;
        return 0;
    }
    store_change *changes = grown(im->changes, im->change_count, &im->change_room, sizeof *changes, err);
    if (!changes)
        return -1;
    im->changes = changes;
    store_change *change = &im->changes[im->change_count++];
    *change = (store_change){.type = record->type, .scope = record->scope, .bytes = bytes, .size = size};
    kim_record_key(record, change->key);
    return 0;
}

static int read_records(import *im, const uint8_t *bytes, size_t size, kim_error *err)
{
    size_t used;
    for (size_t at = 0; at < size; at += used) {
        kim_record record;
        kim_arena_reset(im->scratch); /* usage has no lists: its texts point into bytes */
        if (kim_record_decode(bytes + at, size - at, im->scratch, &record, &used, err) < 0)
            return kim_fail_in(err, "record %zu, at byte %zu of %zu", im->change_count + im->usage_count, at, size);
        if (keep(im, &record, bytes + at, used, err) < 0)
            return -1;
    }
    return 0;
}

/* Begins a generation where none is being staged: a full one, which replaces what was published before it. */
static int stage_changes(store *st, const import *im, kim_arena *arena, kim_error *err)
{
    store_mark mark = {.agent = IMPORT_AGENT, .stream = STATE_STREAM};
    store_position at;
    if (store_position_of(st, &mark, arena, &at, err) < 0)
        return -1;
    if (at.staging == 0 && store_stage_begin(st, &mark, at.staging = at.generation + 1, true, err) < 0)
        return -1;
    return store_stage(st, &mark, at.staging, im->changes, im->change_count, err);
}

static int write_records(store *st, const import *im, kim_error *err)
{
    store_mark usage = {.agent = IMPORT_AGENT, .stream = USAGE_STREAM};
    if (store_begin(st, err) < 0)
        return -1;
    if ((im->change_count && stage_changes(st, im, im->arena, err) < 0) ||
        (im->usage_count && store_add_usage(st, &usage, im->usage, im->usage_count, err) < 0)) {
        store_abandon(st);
        return -1;
    }
    return store_commit(st, err);
}

int ingest_import(store *st, const uint8_t *records, size_t size, uint64_t *count, kim_error *err)
{
    import im = {.arena = kim_arena_new(SIZE_MAX), .scratch = kim_arena_new(SIZE_MAX)};
    int result = im.arena && im.scratch ? read_records(&im, records, size, err)
                                        : kim_fail(err, KIM_ERR_NOMEM, "no memory to import");
    if (result == 0 && (result = write_records(st, &im, err)) == 0)
        *count = im.change_count + im.usage_count;
    free(im.changes);
    free(im.usage);
    kim_arena_free(im.arena);
    kim_arena_free(im.scratch);
    return result;
}

int ingest_import_publish(store *st, int64_t at_unix_ms, kim_error *err)
{
    store_mark mark = {.agent = IMPORT_AGENT, .stream = STATE_STREAM};
    store_position at;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    int result = arena ? store_position_of(st, &mark, arena, &at, err)
                       : kim_fail(err, KIM_ERR_NOMEM, "no memory to publish");
    if (result == 0 && at.staging)
        result = store_publish(st, &mark, at.staging, 0, NULL, at_unix_ms, err);
    kim_arena_free(arena);
    return result;
}
