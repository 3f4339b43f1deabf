/* SPDX-License-Identifier: Apache-2.0
 *
 * context.c - the names of keys: a text_map without case that keeps copies.
 */
#include "controller/evaluate/context.h"

#include "controller/evaluate/text_map.h"

struct key_table {
    kim_arena *arena;
    text_map *names;
    kim_text *spellings; /* [capacity] as first written */
    size_t capacity;
};

key_table *key_table_new(kim_arena *arena)
{
    key_table *keys = KIM_NEW(arena, key_table);
    text_map *names = text_map_new_nocase(arena);
    if (keys == NULL || names == NULL)
        return NULL;
    *keys = (key_table){.arena = arena, .names = names};
    return keys;
}

uint32_t key_table_find(const key_table *keys, kim_text name)
{
    return text_map_find(keys->names, name);
}

uint32_t key_table_add(key_table *keys, kim_text name)
{
    uint32_t known = key_table_find(keys, name);
    if (known != UINT32_MAX)
        return known;
    kim_text lower = kim_text_lower(keys->arena, name), spelling = kim_text_copy(keys->arena, name);
    uint32_t number = text_map_count(keys->names);
    if (number == keys->capacity) {
        size_t capacity = keys->capacity ? keys->capacity * 2 : 32;
        kim_text *grown = KIM_NEW_ARRAY(keys->arena, kim_text, capacity);
        if (grown == NULL)
            return UINT32_MAX;
        if (number)
            memcpy(grown, keys->spellings, number * sizeof *grown);
        keys->spellings = grown;
        keys->capacity = capacity;
    }
    keys->spellings[number] = spelling;
    return kim_text_is_absent(lower) || kim_text_is_absent(spelling) ? UINT32_MAX : text_map_add(keys->names, lower);
}

uint32_t key_table_count(const key_table *keys)
{
    return text_map_count(keys->names);
}

kim_text key_table_name(const key_table *keys, uint32_t key)
{
    return text_map_text(keys->names, key);
}

kim_text key_table_spelling(const key_table *keys, uint32_t key)
{
    return keys->spellings[key];
}
