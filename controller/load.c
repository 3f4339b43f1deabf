/* SPDX-License-Identifier: Apache-2.0
 *
 * load.c - each record is decoded where the store holds it, and copied once.
 */
#include "controller/load.h"

#include "controller/evaluate/evaluate.h"

enum { CHANGES_MAX = 50000 }; /* records; an estate that changes more is read quicker whole */

typedef struct load {
    estate_builder *builder;
    kim_arena *arena;
} load;

/* Of changes, what has ended is dropped. */
static int load_record(void *context, const store_record *kept, kim_error *err)
{
    load *ld = context;
    kim_record record;
    size_t used;
    kim_arena_reset(ld->arena);
    if (kim_record_decode(kept->bytes, kept->size, ld->arena, &record, &used, err) < 0)
        return kim_fail_in(err, "a record of agent %.*s in the store", KIM_PRINT(kept->agent));
    return kept->to_unix_ms ? estate_builder_drop(ld->builder, &record, err) : estate_builder_add(ld->builder, &record, err);
}

/* Takes the builder. result: of the walk that filled it. */
static estate *finish(load *ld, int result, kim_error *err)
{
    estate *built = NULL;
    if (ld->builder && ld->arena && result == 0)
        built = estate_build(ld->builder, err);
    else
        estate_builder_free(ld->builder);
    if (ld->builder && !ld->arena)
        kim_fail(err, KIM_ERR_NOMEM, "no memory to load the estate");
    kim_arena_free(ld->arena);
    return built;
}

estate *estate_load(store *st, const char *catalogues_dir, int64_t *at_unix_ms, kim_error *err)
{
    load ld = {.builder = estate_builder_new(catalogues_dir, err), .arena = kim_arena_new(SIZE_MAX)};
    int64_t at = 0; /* read first: what is published in between is read twice, never missed */
    int result = ld.builder && ld.arena ? store_published_at(st, &at, err) : -1;
    if (result == 0)
        result = store_records(st, &(store_filter){0}, load_record, &ld, err);
    estate *built = finish(&ld, result, err);
    if (built)
        *at_unix_ms = at;
    return built;
}

estate *estate_reload(store *st, estate *before, int64_t *at_unix_ms, kim_error *err)
{
    int64_t until = *at_unix_ms;
    int result = 1;
    load ld = {.builder = NULL};
    if (*at_unix_ms && estate_may_change(before)) {
        ld = (load){.builder = estate_builder_from(before, err), .arena = kim_arena_new(SIZE_MAX)};
        result = ld.builder && ld.arena ? store_changes(st, *at_unix_ms, CHANGES_MAX, load_record, &ld, &until, err) : -1;
    }
    estate *built = finish(&ld, result, err);
    if (result > 0) /* too much */
        return estate_load(st, estate_catalogues_dir(before), at_unix_ms, err);
    if (built) {
        evaluate_carry(built);
        *at_unix_ms = until;
    }
    return built;
}
