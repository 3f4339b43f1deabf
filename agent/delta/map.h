/* SPDX-License-Identifier: Apache-2.0
 *
 * map.h - the keys and hashes of a snapshot's records, sorted, in one file.
 */
#ifndef KIM_AGENT_DELTA_MAP_H
#define KIM_AGENT_DELTA_MAP_H

#include <kim/record.h>

/* One record, as it stands in the file: fixed size, native order (a spool does not travel). */
typedef struct map_entry {
    uint8_t key[KIM_RECORD_KEY_BYTES];
    uint8_t hash[KIM_RECORD_HASH_BYTES];
    uint32_t type;
    uint32_t scope; /* index into the scopes */
} map_entry;

typedef struct map {
    uint64_t generation;    /* 0: nothing was acknowledged yet */
    uint64_t last_sequence; /* of its SNAPSHOT_COMMIT */
    uint64_t count;
    uint8_t digest[KIM_RECORD_HASH_BYTES];
    const map_entry *entries; /* [count], by key */
    uint32_t scope_count;
    kim_text *scopes;       /* [scope_count] */
    void *mapped;
    size_t mapped_size;
} map;

/* Only the head (generation, count, digest). 1; 0: no such file; -1 KIM_ERR_CORRUPT, KIM_ERR_IO */
int map_head(const char *path, map *out, kim_error *err);
/* All of it, checked. As map_head; ended by map_close. */
int map_open(const char *path, map *out, kim_error *err);
void map_close(map *m);
/* Writes `m` (entries, scopes and head) durably, over what was there. */
int map_write(const char *path, const map *m, kim_error *err);

#endif
