/* SPDX-License-Identifier: Apache-2.0
 *
 * text_map.c - an open hash in an arena; it doubles, and what it leaves behind ends with the arena.
 *
 * A slot holds half of the hash beside the number, so that a search mostly reads one slot and one text.
 */
#include "controller/evaluate/text_map.h"

struct text_map {
    kim_arena *arena;
    kim_text *texts; /* [capacity] */
    uint64_t *slots; /* [slot_count] the hash's upper half, and the number + 1; 0: free */
    size_t slot_count; /* a power of two */
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

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 32;
}

/* The last eight bytes of a text, or all of a shorter one, which is not empty; each in a load or two. */
static uint64_t tail(const char *bytes, size_t size)
{
    uint64_t word;
    uint32_t low, high;
    if (size >= sizeof word) {
        memcpy(&word, bytes + size - sizeof word, sizeof word);
        return word;
    }
    if (size >= sizeof low) {
        memcpy(&low, bytes, sizeof low);
        memcpy(&high, bytes + size - sizeof high, sizeof high);
        return low | (uint64_t)high << 32;
    }
    return (uint8_t)bytes[0] | (uint64_t)(uint8_t)bytes[size / 2] << 8 | (uint64_t)(uint8_t)bytes[size - 1] << 16;
}

static uint64_t hash_of(kim_text text, bool nocase)
{
    uint64_t h = text.size, word;
    size_t i = 0;
    for (; i + sizeof word <= text.size; i += sizeof word) {
        memcpy(&word, text.bytes + i, sizeof word);
        h = mix(h, nocase ? kim_text_fold8(word) : word);
    }
    if (i < text.size) {
        word = tail(text.bytes, text.size);
        h = mix(h, nocase ? kim_text_fold8(word) : word);
    }
    return mix(h, 0); /* once more: what the last byte says reached only the upper bits */
}

uint64_t text_map_hash(kim_text text)
{
    return hash_of(text, false);
}

static uint64_t hash(const text_map *map, kim_text text)
{
    return hash_of(text, map->nocase);
}

static void place(text_map *map, uint64_t h, uint32_t number)
{
    size_t mask = map->slot_count - 1, at = h & mask;
    while (map->slots[at])
        at = (at + 1) & mask;
    map->slots[at] = (h & ~(uint64_t)UINT32_MAX) | (number + UINT64_C(1));
}

/* Makes room for so many texts in all. False without memory. */
static bool grow(text_map *map, uint32_t capacity)
{
    size_t slots = 16;
    while (slots / 2 < capacity)
        slots *= 2;
    kim_text *texts = KIM_NEW_ARRAY(map->arena, kim_text, capacity);
    if (texts == NULL || capacity > UINT32_MAX / 4)
        return false;
    if (map->count)
        memcpy(texts, map->texts, map->count * sizeof *texts);
    map->texts = texts;
    map->capacity = capacity;
    if (slots == map->slot_count)
        return true;
    map->slots = KIM_NEW_ARRAY(map->arena, uint64_t, slots);
    map->slot_count = map->slots ? slots : 0;
    for (uint32_t i = 0; i < map->count && map->slots; i++)
        place(map, hash(map, map->texts[i]), i);
    return map->slots != NULL;
}

bool text_map_reserve(text_map *map, size_t count)
{
    return count <= map->capacity || (count < UINT32_MAX / 4 && grow(map, (uint32_t)count));
}

static uint32_t find(const text_map *map, kim_text text, uint64_t h)
{
    if (map->slot_count == 0)
        return UINT32_MAX;
    size_t mask = map->slot_count - 1;
    for (size_t at = h & mask; map->slots[at]; at = (at + 1) & mask) {
        uint32_t number = (uint32_t)map->slots[at] - 1;
        if ((map->slots[at] ^ h) >> 32)
            continue;
        if (map->nocase ? kim_text_equal_nocase(map->texts[number], text) : kim_text_equal(map->texts[number], text))
            return number;
    }
    return UINT32_MAX;
}

text_map *text_map_copy(const text_map *map, kim_arena *arena)
{
    text_map *copy = KIM_NEW(arena, text_map);
    kim_text *texts = KIM_NEW_ARRAY(arena, kim_text, map->capacity + 1);
    uint64_t *slots = KIM_NEW_ARRAY(arena, uint64_t, map->slot_count + 1);
    if (copy == NULL || texts == NULL || slots == NULL)
        return NULL;
    *copy = *map;
    copy->arena = arena;
    copy->texts = texts;
    copy->slots = slots;
    if (map->count)
        memcpy(texts, map->texts, map->count * sizeof *texts);
    if (map->slot_count)
        memcpy(slots, map->slots, map->slot_count * sizeof *slots);
    return copy;
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
    if (map->count == map->capacity && !grow(map, map->capacity ? map->capacity * 2 : 8))
        return UINT32_MAX;
    map->texts[map->count] = text;
    place(map, h, map->count);
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
