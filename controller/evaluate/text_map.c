/* SPDX-License-Identifier: Apache-2.0
 *
 * text_map.c - an open hash in an arena; it doubles, and what it leaves behind ends with the arena.
 */
#include "controller/evaluate/text_map.h"

struct text_map {
    kim_arena *arena;
    kim_text *texts;  /* [capacity] */
    uint64_t *hashes; /* [capacity] */
    uint32_t *slots;  /* [capacity * 2]: a number + 1 */
    uint32_t count, capacity;
    bool nocase;
};

text_map *text_map_new(kim_arena *arena)
{
    text_map *map = KIM_NEW(arena, text_map);
    if (map)
        map->arena = arena;
    return map;
}

text_map *text_map_new_nocase(kim_arena *arena)
{
    text_map *map = text_map_new(arena);
    if (map)
        map->nocase = true;
    return map;
}

/* FNV-1a of the folded bytes. */
static uint64_t hash_nocase(kim_text text)
{
    uint64_t h = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char b = (unsigned char)text.bytes[i];
        h = (h ^ (b >= 'A' && b <= 'Z' ? b + 32u : b)) * UINT64_C(0x100000001B3);
    }
    return h;
}

static uint64_t hash(const text_map *map, kim_text text)
{
    if (map->nocase)
        return hash_nocase(text);
    uint64_t h = text.size;
    size_t i = 0;
    for (; i + 8 <= text.size; i += 8) {
        uint64_t word;
        memcpy(&word, text.bytes + i, sizeof word);
        h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 32;
    }
    for (; i < text.size; i++)
        h = (h ^ (unsigned char)text.bytes[i]) * UINT64_C(0x100000001B3);
    return h ^ h >> 29;
}

static void place(text_map *map, uint32_t number)
{
    size_t mask = (size_t)map->capacity * 2 - 1, at = map->hashes[number] & mask;
    while (map->slots[at])
        at = (at + 1) & mask;
    map->slots[at] = number + 1;
}

static bool grow(text_map *map)
{
    uint32_t capacity = map->capacity ? map->capacity * 2 : 8;
    kim_text *texts = KIM_NEW_ARRAY(map->arena, kim_text, capacity);
    uint64_t *hashes = KIM_NEW_ARRAY(map->arena, uint64_t, capacity);
    uint32_t *slots = KIM_NEW_ARRAY(map->arena, uint32_t, (size_t)capacity * 2);
    if (texts == NULL || hashes == NULL || slots == NULL || capacity > UINT32_MAX / 4)
        return false;
    if (map->count) {
        memcpy(texts, map->texts, map->count * sizeof *texts);
        memcpy(hashes, map->hashes, map->count * sizeof *hashes);
    }
    map->texts = texts;
    map->hashes = hashes;
    map->slots = slots;
    map->capacity = capacity;
    for (uint32_t i = 0; i < map->count; i++)
        place(map, i);
    return true;
}

static uint32_t find(const text_map *map, kim_text text, uint64_t h)
{
    if (map->capacity == 0)
        return UINT32_MAX;
    size_t mask = (size_t)map->capacity * 2 - 1;
    for (size_t at = h & mask; map->slots[at]; at = (at + 1) & mask) {
        uint32_t number = map->slots[at] - 1;
        if (map->hashes[number] == h && (map->nocase ? kim_text_equal_nocase : kim_text_equal)(map->texts[number], text))
            return number;
    }
    return UINT32_MAX;
}

uint32_t text_map_find(const text_map *map, kim_text text)
{
    return find(map, text, hash(map, text));
}

uint32_t text_map_add(text_map *map, kim_text text)
{
    uint64_t h = hash(map, text);
    uint32_t known = find(map, text, h);
    if (known != UINT32_MAX)
        return known;
    if (map->count == map->capacity && !grow(map))
        return UINT32_MAX;
    map->texts[map->count] = text;
    map->hashes[map->count] = h;
    place(map, map->count);
    return map->count++;
}

uint32_t text_map_count(const text_map *map)
{
    return map->count;
}

kim_text text_map_text(const text_map *map, uint32_t number)
{
    return map->texts[number];
}
