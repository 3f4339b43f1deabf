/* SPDX-License-Identifier: Apache-2.0
 *
 * action_index.c - rows of bits, found by the action's text.
 */
#include "controller/evaluate/action_index.h"

#include <stdlib.h>

struct action_index {
    const rules *r;
    kim_arena *arena; /* the map and the rows; ends when it grows past the bound */
    text_map *actions;
    const uint64_t **rows; /* [capacity] */
    size_t capacity;
    uint8_t *covered; /* [patterns] scratch: does the pattern cover the action? */
};

static bool start(action_index *index)
{
    index->arena = kim_arena_new(SIZE_MAX);
    index->actions = index->arena ? text_map_new(index->arena) : NULL;
    index->rows = NULL;
    index->capacity = 0;
    return index->actions != NULL;
}

action_index *action_index_new(const rules *r)
{
    action_index *index = calloc(1, sizeof *index);
    if (index == NULL)
        return NULL;
    index->r = r;
    index->covered = malloc(rules_action_patterns(r) + 1);
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
        if (covered[one->actions[i]])
            return !one->actions_turned;
    return one->actions_turned;
}

static const uint64_t *make_row(action_index *index, kim_text action)
{
    size_t count = rules_count(index->r), patterns = rules_action_patterns(index->r);
    uint64_t *row = KIM_NEW_ARRAY(index->arena, uint64_t, count / 64 + 1);
    if (row == NULL)
        return NULL;
    for (uint32_t i = 0; i < patterns; i++)
        index->covered[i] = glob_match(rules_action_pattern(index->r, i), action);
    const rule *all = rules_all(index->r);
    for (size_t i = 0; i < count; i++)
        row[i / 64] |= (uint64_t)names(&all[i], index->covered) << (i % 64);
    return row;
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
    if (number >= index->capacity) {
        size_t capacity = index->capacity ? index->capacity * 2 : 16;
        const uint64_t **rows = (const uint64_t **)kim_arena_array(index->arena, capacity, sizeof *rows);
        if (rows == NULL)
            return NULL;
        if (index->capacity)
            memcpy(rows, index->rows, index->capacity * sizeof *rows);
        index->rows = rows;
        index->capacity = capacity;
    }
    return index->rows[number] = make_row(index, action);
}
