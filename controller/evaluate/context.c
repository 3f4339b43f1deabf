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
    bool *mixed;         /* [capacity] and in another way too */
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

static bool make_room(key_table *keys, uint32_t number)
{
    if (number < keys->capacity)
        return true;
    size_t capacity = keys->capacity ? keys->capacity * 2 : 32;
    kim_text *spellings = KIM_NEW_ARRAY(keys->arena, kim_text, capacity);
    bool *mixed = KIM_NEW_ARRAY(keys->arena, bool, capacity);
    if (spellings == NULL || mixed == NULL)
        return false;
    if (number) {
        memcpy(spellings, keys->spellings, number * sizeof *spellings);
        memcpy(mixed, keys->mixed, number * sizeof *mixed);
    }
    keys->spellings = spellings;
    keys->mixed = mixed;
    keys->capacity = capacity;
    return true;
}

uint32_t key_table_add(key_table *keys, kim_text name)
{
    uint32_t known = key_table_find(keys, name);
    if (known != UINT32_MAX) {
        if (!kim_text_equal(keys->spellings[known], name))
            keys->mixed[known] = true;
        return known;
    }
    kim_text lower = kim_text_lower(keys->arena, name), spelling = kim_text_copy(keys->arena, name);
    uint32_t number = text_map_count(keys->names);
    if (!make_room(keys, number))
        return UINT32_MAX;
    keys->spellings[number] = spelling;
    return kim_text_is_absent(lower) || kim_text_is_absent(spelling) ? UINT32_MAX : text_map_add(keys->names, lower);
}

key_table *key_table_copy(const key_table *keys, kim_arena *arena)
{
    key_table *copy = KIM_NEW(arena, key_table);
    if (copy == NULL)
        return NULL;
    *copy = (key_table){.arena = arena, .names = text_map_copy(keys->names, arena)};
    if (keys->capacity) {
        copy->spellings = KIM_NEW_ARRAY(arena, kim_text, keys->capacity);
        copy->mixed = KIM_NEW_ARRAY(arena, bool, keys->capacity);
    }
    if (copy->names == NULL || kim_arena_is_full(arena))
        return NULL;
    copy->capacity = keys->capacity;
    if (keys->capacity) {
        memcpy(copy->spellings, keys->spellings, keys->capacity * sizeof *copy->spellings);
        memcpy(copy->mixed, keys->mixed, keys->capacity * sizeof *copy->mixed);
    }
    return copy;
}

bool key_table_is_mixed(const key_table *keys, uint32_t key)
{
    return keys->mixed[key];
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
