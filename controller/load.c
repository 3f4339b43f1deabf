/* SPDX-License-Identifier: Apache-2.0
 *
 * load.c - each record is decoded where the store holds it, and copied once.
 */
#include "controller/load.h"

typedef struct load {
    estate_builder *builder;
    kim_arena *arena;
} load;

static int load_record(void *context, const store_record *kept, kim_error *err)
{
    load *ld = context;
    kim_record record;
    size_t used;
    kim_arena_reset(ld->arena);
    if (kim_record_decode(kept->bytes, kept->size, ld->arena, &record, &used, err) < 0)
        return kim_fail_in(err, "a record of agent %.*s in the store", KIM_PRINT(kept->agent));
    return estate_builder_add(ld->builder, &record, err);
}

estate *estate_load(store *st, const char *catalogues_dir, kim_error *err)
{
    load ld = {.builder = estate_builder_new(catalogues_dir, err), .arena = kim_arena_new(SIZE_MAX)};
    estate *built = NULL;
    if (ld.builder && !ld.arena)
        kim_fail(err, KIM_ERR_NOMEM, "no memory to load the estate");
    if (ld.builder && ld.arena && store_records(st, &(store_filter){0}, load_record, &ld, err) == 0)
        built = estate_build(ld.builder, err);
    else
        estate_builder_free(ld.builder);
    kim_arena_free(ld.arena);
    return built;
}
