/* SPDX-License-Identifier: Apache-2.0
 *
 * action_index.c - rows of bits, found by the action's text.
 *
 * Actions that the same patterns cover have the same row: an estate tells only a few hundred kinds of
 * actions apart, so most of a catalogue's 22,000 share theirs.
 */
#include "controller/evaluate/action_index.h"

#include <stdlib.h>

#include "controller/evaluate/catalogue.h"

struct action_index {
    const rules *r;
    const catalogue *cat;
    kim_arena *arena; /* the maps and the rows; ends when it grows past the bound */
    text_map *actions; /* as they were asked about */
    const asked_action **asked; /* [capacity] */
    kim_text last_text;         /* most questions ask about the action of the one before */
    const asked_action *last;
    size_t capacity;
    text_map *kinds;            /* which patterns cover an action, as bytes of bits */
    const uint64_t **kind_rows; /* [kind_capacity] of each kind */
    size_t kind_capacity;
    uint8_t *covered; /* [patterns / 8 + 1] scratch: a bit a pattern */
};

static bool start(action_index *index)
{
    index->arena = kim_arena_new(SIZE_MAX);
    index->actions = index->arena ? text_map_new(index->arena) : NULL; /* NULL: to be tried again */
    index->kinds = index->arena ? text_map_new(index->arena) : NULL;
    index->asked = NULL;
    index->last = NULL;
    index->kind_rows = NULL;
    index->capacity = index->kind_capacity = 0;
    return index->actions != NULL && index->kinds != NULL;
}

action_index *action_index_new(const rules *r, const catalogue *cat)
{
    action_index *index = calloc(1, sizeof *index);
    if (index == NULL)
        return NULL;
    index->r = r;
    index->cat = cat;
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

/* Room for one more pointer, by its number, in a row of them; NULL without memory. */
static void *room(action_index *index, const void *row, size_t *capacity, size_t number)
{
    if (number < *capacity)
        return (void *)row;
    size_t more = *capacity ? *capacity * 2 : 16;
    void **grown = (void **)kim_arena_array(index->arena, more, sizeof *grown);
    if (grown && *capacity)
        memcpy(grown, row, *capacity * sizeof *grown);
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

static bool assumes(kim_text action)
{
    return kim_text_starts_with(action, KIM_TEXT("sts:assumerole")) || kim_text_is(action, "sts:tagsession") ||
           kim_text_is(action, "sts:setsourceidentity");
}

static asked_action *learn(action_index *index, kim_text action)
{
    asked_action *one = KIM_NEW(index->arena, asked_action);
    kim_text lower = kim_text_lower(index->arena, action);
    const char *colon = one && lower.size ? memchr(lower.bytes, ':', lower.size) : NULL;
    if (one == NULL || kim_text_is_absent(lower))
        return NULL;
    *one = (asked_action){.lower = lower, .is_one = colon && !glob_has_wildcard(lower), .takes_rcp = true};
    if (!one->is_one)
        return one;
    const catalogue_service *service = index->cat ? catalogue_service_find(index->cat, (kim_text){lower.bytes, (size_t)(colon - lower.bytes)}) : NULL;
    int32_t id = index->cat ? catalogue_action(index->cat, lower) : -1;
    one->takes_rcp = index->cat == NULL || (service && service->takes_rcp);
    one->takes_no_resource = id >= 0 && catalogue_takes_no_resource(index->cat, id);
    one->assumes = assumes(lower);
    one->is_assume_role = kim_text_is(lower, "sts:assumerole");
    one->is_bucket_policy = kim_text_is(lower, "s3:getbucketpolicy") || kim_text_is(lower, "s3:putbucketpolicy") ||
                            kim_text_is(lower, "s3:deletebucketpolicy");
    one->is_whoami = kim_text_is(lower, "sts:getcalleridentity");
    one->is_kms = kim_text_starts_with(lower, KIM_TEXT("kms:"));
    one->rules = find_row(index, lower);
    return one->rules ? one : NULL;
}

const asked_action *action_index_find(action_index *index, kim_text action)
{
    if (index->last && kim_text_equal(index->last_text, action))
        return index->last;
    uint32_t known = text_map_find(index->actions, action);
    if (known != UINT32_MAX) {
        index->last_text = text_map_text(index->actions, known);
        return index->last = index->asked[known];
    }
    asked_action *one = learn(index, action);
    kim_text copy = one ? kim_text_copy(index->arena, action) : KIM_NO_TEXT;
    uint32_t number = kim_text_is_absent(copy) ? UINT32_MAX : text_map_count(index->actions);
    const asked_action **asked = number == UINT32_MAX ? NULL : room(index, index->asked, &index->capacity, number);
    if (asked == NULL)
        return NULL;
    index->asked = asked;
    index->asked[number] = one;
    return text_map_add(index->actions, copy) == number ? one : NULL;
}

bool action_index_trim(action_index *index)
{
    if (index->actions && index->kinds && kim_arena_used(index->arena) <= ACTION_INDEX_MAX_BYTES)
        return true;
    kim_arena_free(index->arena);
    return start(index);
}
