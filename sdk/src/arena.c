/* SPDX-License-Identifier: Apache-2.0
 *
 * arena.c - allocations are cut from the front of a chain of chunks.
 *
 * Chunks double in size, so a large piece of work costs few calls and a small one little memory. The
 * chain outlives a reset: the next piece of work walks along it again and adds at its end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <kim/arena.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif

/* What nobody was given yet must not be read: AddressSanitizer sees to it. `forbid` stays a call of its own: where
 * it is inlined, gcc 14 takes memory that nobody wrote yet for memory that is read, and warns. */
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
static __attribute__((noinline)) void forbid(void *start, size_t size)
{
    ASAN_POISON_MEMORY_REGION(start, size);
}
static void permit(void *start, size_t size)
{
    ASAN_UNPOISON_MEMORY_REGION(start, size);
}
#else
static void forbid(void *start, size_t size)
{
    (void)start, (void)size;
}
static void permit(void *start, size_t size)
{
    (void)start, (void)size;
}
#endif

enum {
    FIRST_CHUNK_BYTES = 4 * 1024 - 64,    /* with malloc's own header below a page */
    LAST_CHUNK_BYTES = 4 * 1024 * 1024,   /* doubling ends here: what is wasted stays small */
};

typedef struct chunk {
    struct chunk *next;
    size_t capacity, used;
    _Alignas(max_align_t) unsigned char bytes[];
} chunk;

struct kim_arena {
    size_t max_bytes;
    size_t used; /* what was given out since the start or the reset, with the gaps between */
    bool full;
    chunk *first, *current; /* chunks after current are empty */
};

kim_arena *kim_arena_new(size_t max_bytes)
{
    kim_arena *arena = calloc(1, sizeof *arena);
    if (arena != NULL)
        arena->max_bytes = max_bytes;
    return arena;
}

void kim_arena_free(kim_arena *arena)
{
    if (arena == NULL)
        return;
    for (chunk *c = arena->first, *next; c != NULL; c = next) {
        next = c->next;
        permit(c->bytes, c->capacity);
        free(c);
    }
    free(arena);
}

static chunk *add_chunk(kim_arena *arena, size_t bytes)
{
    size_t capacity = FIRST_CHUNK_BYTES;
    if (arena->current != NULL) {
        capacity = arena->current->capacity;
        capacity = capacity < LAST_CHUNK_BYTES / 2 ? capacity * 2 : LAST_CHUNK_BYTES;
    }
    if (capacity < bytes)
        capacity = bytes;
    if (capacity > SIZE_MAX - sizeof(chunk))
        return NULL;
    chunk *c = malloc(sizeof *c + capacity);
    if (c == NULL)
        return NULL;
    c->capacity = capacity;
    c->used = 0;
    forbid(c->bytes, capacity);
    chunk **link = arena->current ? &arena->current->next : &arena->first;
    c->next = *link;
    *link = c;
    return c;
}

static void *take(kim_arena *arena, size_t bytes, size_t align)
{
    if (arena->full)
        return NULL;
    chunk *c = arena->current;
    size_t gap = c ? -c->used & (align - 1) : 0;
    if (bytes > arena->max_bytes - arena->used ||
        gap > arena->max_bytes - arena->used - bytes)
        goto full;
    if (c == NULL || gap > c->capacity - c->used || bytes > c->capacity - c->used - gap) {
        chunk *next = c ? c->next : arena->first;
        if (next == NULL || next->capacity < bytes)
            next = add_chunk(arena, bytes);
        if (next == NULL)
            goto full;
        arena->current = c = next;
        gap = 0;
    }
    void *start = c->bytes + c->used + gap;
    c->used += gap + bytes;
    arena->used += gap + bytes;
    permit(start, bytes);
    return start;
full:
    arena->full = true;
    return NULL;
}

void *kim_arena_alloc(kim_arena *arena, size_t bytes)
{
    void *start = take(arena, bytes, _Alignof(max_align_t));
    if (start != NULL)
        memset(start, 0, bytes);
    return start;
}

void *kim_arena_array(kim_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        arena->full = true;
        return NULL;
    }
    return kim_arena_alloc(arena, bytes);
}

char *kim_arena_bytes(kim_arena *arena, size_t bytes)
{
    return take(arena, bytes, 1);
}

bool kim_arena_is_full(const kim_arena *arena)
{
    return arena->full;
}

size_t kim_arena_used(const kim_arena *arena)
{
    return arena->used;
}

size_t kim_arena_left(const kim_arena *arena)
{
    return arena->full ? 0 : arena->max_bytes - arena->used;
}

void kim_arena_reset(kim_arena *arena)
{
    for (chunk *c = arena->first; c != NULL; c = c->next) {
        c->used = 0;
        forbid(c->bytes, c->capacity);
    }
    arena->used = 0;
    arena->full = false;
    arena->current = arena->first;
}
