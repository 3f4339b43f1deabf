/* SPDX-License-Identifier: Apache-2.0
 *
 * action_index.c - rows of bits, found by the action's text.
 *
 * Actions that the same patterns cover have the same row: an estate tells only a few hundred kinds of
 * actions apart, so most of a catalogue's 22,000 share theirs.
 */
#include "controller/evaluate/action_index.h"

#include <stdlib.h>

struct action_index {
    const rules *r;
    kim_arena *arena; /* the map and the rows; ends when it grows past the bound */
    text_map *actions;
    const uint64_t **rows; /* [capacity] of each action */
    size_t capacity;
    text_map *kinds;            /* which patterns cover an action, as bytes of bits */
    const uint64_t **kind_rows; /* [kind_capacity] of each kind */
    size_t kind_capacity;
    uint8_t *covered; /* [patterns / 8 + 1] scratch: a bit a pattern */
};

static bool start(action_index *index)
{
    index->arena = kim_arena_new(SIZE_MAX);
    index->actions = index->arena ? text_map_new(index->arena) : NULL;
    index->kinds = index->arena ? text_map_new(index->arena) : NULL;
    index->rows = index->kind_rows = NULL;
    index->capacity = index->kind_capacity = 0;
    return index->actions != NULL && index->kinds != NULL;
}

action_index *action_index_new(const rules *r)
{
    action_index *index = calloc(1, sizeof *index);
    if (index == NULL)
        return NULL;
    index->r = r;
    index->covered = calloc(rules_action_patterns(r) / 8 + 1, 1);
    if (index->covered == NULL || !start(index)) {
        action_index_free(index);
        return NULL;
    }
    return index;
}

void action_index_free(action_index *index)
{
    if (index == NULL)
        return;
    kim_arena_free(index->arena);
    free(index->covered);
    free(index);
}

static bool names(const rule *one, const uint8_t *covered)
{
    if (one->any_action)
        return true;
    for (size_t i = 0; i < one->action_count; i++)
        if (covered[one->actions[i] / 8] >> (one->actions[i] % 8) & 1)
            return !one->actions_turned;
    return one->actions_turned;
}

static const uint64_t *make_row(action_index *index)
{
    size_t count = rules_count(index->r);
    uint64_t *row = KIM_NEW_ARRAY(index->arena, uint64_t, count / 64 + 1);
    const rule *all = rules_all(index->r);
    for (size_t i = 0; row && i < count; i++)
        row[i / 64] |= (uint64_t)names(&all[i], index->covered) << (i % 64);
    return row;
}

/* Room for one more row, by its number; NULL without memory. */
static const uint64_t **room(action_index *index, const uint64_t **rows, size_t *capacity, size_t number)
{
    if (number < *capacity)
        return rows;
    size_t more = *capacity ? *capacity * 2 : 16;
    const uint64_t **grown = (const uint64_t **)kim_arena_array(index->arena, more, sizeof *grown);
    if (grown && *capacity)
        memcpy(grown, rows, *capacity * sizeof *grown);
    *capacity = grown ? more : *capacity;
    return grown;
}

static const uint64_t *find_row(action_index *index, kim_text action)
{
    size_t patterns = rules_action_patterns(index->r), size = patterns / 8 + 1;
    memset(index->covered, 0, size);
    for (uint32_t i = 0; i < patterns; i++)
        index->covered[i / 8] |= (uint8_t)(glob_match(rules_action_pattern(index->r, i), action) << (i % 8));
    kim_text kind = {(const char *)index->covered, size};
    uint32_t number = text_map_find(index->kinds, kind);
    if (number != UINT32_MAX)
        return index->kind_rows[number];
    number = text_map_add(index->kinds, kim_text_copy(index->arena, kind));
    const uint64_t **rows = number == UINT32_MAX ? NULL : room(index, index->kind_rows, &index->kind_capacity, number);
    if (rows == NULL)
        return NULL;
    index->kind_rows = rows;
    return index->kind_rows[number] = make_row(index);
}

const uint64_t *action_index_rules(action_index *index, kim_text action)
{
    uint32_t known = text_map_find(index->actions, action);
    if (known != UINT32_MAX)
        return index->rows[known];
    if (kim_arena_used(index->arena) > ACTION_INDEX_MAX_BYTES) {
        kim_arena_free(index->arena);
        if (!start(index))
            return NULL;
    }
    uint32_t number = text_map_add(index->actions, kim_text_copy(index->arena, action));
    if (number == UINT32_MAX)
        return NULL;
    const uint64_t **rows = room(index, index->rows, &index->capacity, number);
    if (rows == NULL)
        return NULL;
    index->rows = rows;
    return index->rows[number] = find_row(index, action);
}
