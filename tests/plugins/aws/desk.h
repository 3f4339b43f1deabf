/* SPDX-License-Identifier: Apache-2.0
 *
 * desk.h - a host in memory: what a provider emits, as lines of JSON to compare.
 */
#ifndef TEST_DESK_H
#define TEST_DESK_H

#include <kim/emit.h>

typedef struct desk {
    kim_host host;
    char **lines; /* [count], each a record as JSON, in the order they came */
    size_t count, room;
    uint8_t digest[KIM_RECORD_HASH_BYTES]; /* of the records with distinct keys */
    kim_error refused;                     /* why a record was refused; a provider must never let it come to that */
    char log[8192];                        /* what was logged, a line each */
} desk;

void desk_start(desk *d);
void desk_stop(desk *d);
void desk_clear(desk *d);

/* How many records hold all of these pieces of JSON: desk_count(d, "\"record\":\"edge\"", "...", NULL). */
size_t desk_count(const desk *d, const char *piece, ...) __attribute__((sentinel));
/* The one record that holds them all; the test fails where there is none or another one. */
const char *desk_one(const desk *d, const char *piece, ...) __attribute__((sentinel));
/* The records, sorted, joined by newlines; the caller frees it. */
char *desk_sorted(const desk *d);
void desk_print(const desk *d);

/* A file below KIM_SOURCE_DIR/../shared/data, .xz unpacked; NULL where the folder is not there. The caller frees it. */
char *desk_shared(const char *path, size_t *size);

#endif
