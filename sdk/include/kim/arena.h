/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.h - memory for one piece of work, with one ceiling and one end.
 */
#ifndef KIM_ARENA_H
#define KIM_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kim_arena kim_arena;

/* max_bytes  what all allocations together may take; SIZE_MAX for no ceiling of its own
 * Returns what kim_arena_free() frees, or NULL without memory. Nothing but a header is allocated yet. */
kim_arena *kim_arena_new(size_t max_bytes);
void kim_arena_free(kim_arena *arena); /* NULL is fine */

/* Zeroed, aligned for any type; NULL past the ceiling or without memory, and from then on the arena
 * is full: every later call returns NULL too, so that a run of allocations is checked once. */
void *kim_arena_alloc(kim_arena *arena, size_t bytes);
/* The same for an array; NULL too where count * size does not fit a size_t. */
void *kim_arena_array(kim_arena *arena, size_t count, size_t size);
/* Like kim_arena_alloc but not zeroed: for texts that are filled at once. Aligned to 1. */
char *kim_arena_bytes(kim_arena *arena, size_t bytes);

bool kim_arena_is_full(const kim_arena *arena);
size_t kim_arena_used(const kim_arena *arena);
/* What the ceiling still allows; 0 once full. */
size_t kim_arena_left(const kim_arena *arena);

/* Forgets all allocations and keeps the memory for the next piece of work; no longer full. */
void kim_arena_reset(kim_arena *arena);

#define KIM_NEW(arena, type) ((type *)kim_arena_alloc((arena), sizeof(type)))
#define KIM_NEW_ARRAY(arena, type, count) ((type *)kim_arena_array((arena), (count), sizeof(type)))

#ifdef __cplusplus
}
#endif

#endif
