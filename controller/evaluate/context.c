/* SPDX-License-Identifier: Apache-2.0
 *
 * context.c - an open hash from folded names to numbers, in one arena.
 */
#include "controller/evaluate/context.h"

struct key_table {
    kim_arena *arena;
    kim_text *names; /* [capacity] */
    uint32_t *slots; /* [capacity * 2]: a number + 1 */
    uint32_t count, capacity;
};

key_table *key_table_new(kim_arena *arena)
{
    key_table *keys = KIM_NEW(arena, key_table);
    if (keys)
        keys->arena = arena;
    return keys;
}

static uint32_t hash(kim_text name)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.bytes[i];
        h = (h ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) * 16777619u;
    }
    return h;
}

static void place(key_table *keys, uint32_t number)
{
    uint32_t at = hash(keys->names[number]) & (keys->capacity * 2 - 1);
    while (keys->slots[at])
        at = (at + 1) & (keys->capacity * 2 - 1);
    keys->slots[at] = number + 1;
}

static bool grow(key_table *keys)
{
    uint32_t capacity = keys->capacity ? keys->capacity * 2 : 16;
    kim_text *names = KIM_NEW_ARRAY(keys->arena, kim_text, capacity);
    uint32_t *slots = KIM_NEW_ARRAY(keys->arena, uint32_t, (size_t)capacity * 2);
    if (names == NULL || slots == NULL)
        return false;
    if (keys->count)
        memcpy(names, keys->names, keys->count * sizeof *names);
    keys->names = names;
    keys->slots = slots;
    keys->capacity = capacity;
    for (uint32_t i = 0; i < keys->count; i++)
        place(keys, i);
    return true;
}

uint32_t key_table_find(const key_table *keys, kim_text name)
{
    if (keys->capacity == 0)
        return UINT32_MAX;
    uint32_t at = hash(name) & (keys->capacity * 2 - 1);
    for (; keys->slots[at]; at = (at + 1) & (keys->capacity * 2 - 1))
        if (kim_text_equal_nocase(keys->names[keys->slots[at] - 1], name))
            return keys->slots[at] - 1;
    return UINT32_MAX;
}

uint32_t key_table_add(key_table *keys, kim_text name)
{
    uint32_t known = key_table_find(keys, name);
    if (known != UINT32_MAX)
        return known;
    if (keys->count == keys->capacity && !grow(keys))
        return UINT32_MAX;
    kim_text lower = kim_text_lower(keys->arena, name);
    if (kim_text_is_absent(lower))
        return UINT32_MAX;
    keys->names[keys->count] = lower;
    place(keys, keys->count);
    return keys->count++;
}

uint32_t key_table_count(const key_table *keys)
{
    return keys->count;
}

kim_text key_table_name(const key_table *keys, uint32_t key)
{
    return keys->names[key];
}
