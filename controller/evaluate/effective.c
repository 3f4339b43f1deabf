/* SPDX-License-Identifier: Apache-2.0
 *
 * effective.c - what_can's rows, gathered by how they are granted.
 *
 * Two rows belong together where resource, exceptions and the answer as written are equal. Where the
 * catalogue has no others, its actions are written as "s3:*" or "s3:Get*", and most of it as "*" but the rest.
 */
#include "controller/evaluate/effective.h"

#include <stdlib.h>

#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/name_list.h"
#include "controller/evaluate/text_map.h"

typedef struct group {
    kim_text resource;
    kim_texts not_actions;
    kim_text mark;
    kim_text answer;   /* as JSON */
    name_list actions;
} group;

typedef struct gathering {
    kim_arena *arena;
    kim_json_writer *writer;
    text_map *keys;    /* one a group */
    group *groups;     /* [text_map_count(keys)] */
    size_t room;
    effective_mark *mark;
    void *user;
    kim_error *err;
} gathering;

/* ---- gathering ---- */

static group *group_for(gathering *g, kim_text key)
{
    uint32_t before = text_map_count(g->keys);
    uint32_t number = text_map_find(g->keys, key);
    if (number != UINT32_MAX)
        return &g->groups[number];
    if (before == g->room) {
        size_t room = g->room ? g->room * 2 : 64;
        group *groups = KIM_NEW_ARRAY(g->arena, group, room);
        if (groups == NULL)
            return NULL;
        if (before)
            memcpy(groups, g->groups, before * sizeof *groups);
        g->groups = groups;
        g->room = room;
    }
    kim_text kept = kim_text_copy(g->arena, key);
    if (kim_text_is_absent(kept) || text_map_add(g->keys, kept) != before)
        return NULL;
    g->groups[before] = (group){.actions = {.arena = g->arena}};
    return &g->groups[before];
}

static kim_texts copy_texts(kim_arena *arena, kim_texts from)
{
    kim_text *items = from.count ? KIM_NEW_ARRAY(arena, kim_text, from.count) : NULL;
    for (size_t i = 0; items && i < from.count; i++)
        items[i] = kim_text_copy(arena, from.items[i]);
    return (kim_texts){items, items ? from.count : 0};
}

/* The answer, then what else tells grants apart: one JSON value each, so that no two keys run together. */
static kim_text key_of(gathering *g, const grant *what, const answer *a, kim_text mark, size_t *answer_size)
{
    size_t size = 0;
    kim_json_writer_reset(g->writer);
    kim_json_begin_object(g->writer);
    answer_write(a, g->writer);
    kim_json_end_object(g->writer);
    kim_json_end_line(g->writer);
    if (kim_json_writer_bytes(g->writer, answer_size, g->err) == NULL)
        return KIM_NO_TEXT;
    kim_json_put_text(g->writer, what->resource);
    kim_json_end_line(g->writer);
    kim_json_put_text(g->writer, mark);
    kim_json_end_line(g->writer);
    kim_json_put_texts(g->writer, what->not_actions);
    kim_json_end_line(g->writer);
    const char *bytes = kim_json_writer_bytes(g->writer, &size, g->err);
    return (kim_text){bytes, bytes ? size : 0};
}

static int gather(void *gathered, const grant *what, const answer *a)
{
    gathering *g = gathered;
    size_t answer_size = 0;
    kim_error fault = {0};
    kim_text mark = g->mark(g->user, what, a, &fault);
    if (fault.code) {
        *g->err = fault;
        return -1;
    }
    if (kim_text_is_absent(mark))
        return 0;
    kim_text key = key_of(g, what, a, mark, &answer_size);
    group *of = kim_text_is_absent(key) ? NULL : group_for(g, key);
    if (of && kim_text_is_absent(of->answer)) {
        of->answer = kim_text_copy(g->arena, (kim_text){key.bytes, answer_size});
        of->resource = kim_text_copy(g->arena, what->resource);
        of->mark = kim_text_copy(g->arena, mark);
        of->not_actions = copy_texts(g->arena, what->not_actions);
    }
    if (of)
        name_list_add(&of->actions, kim_text_copy(g->arena, what->action));
    if (of == NULL || of->actions.failed || kim_arena_is_full(g->arena))
        return kim_fail(g->err, KIM_ERR_NOMEM, "no memory to list what is granted");
    return 0;
}

/* ---- in few words ---- */

static int by_number(const void *left, const void *right)
{
    const int32_t *a = left, *b = right;
    return *a < *b ? -1 : *a > *b;
}

/* "s3:Get" of "s3:GetObject": the service and the first word. */
static kim_text first_word(kim_text name)
{
    size_t at = 0;
    while (at < name.size && name.bytes[at] != ':')
        at++;
    for (at += 2; at < name.size && name.bytes[at] >= 'a' && name.bytes[at] <= 'z';)
        at++;
    return (kim_text){name.bytes, at < name.size ? at : name.size};
}

static bool begins_so(const catalogue *cat, int32_t action, kim_text word)
{
    kim_text name = catalogue_name(cat, action);
    return name.size >= word.size && kim_text_equal_nocase((kim_text){name.bytes, word.size}, word);
}

/* How many of the sorted ids from `at` on are all of the catalogue's actions from `first` to before `end`; 0: not all are. */
static size_t covers(const int32_t *ids, size_t count, size_t at, int32_t first, int32_t end)
{
    size_t wanted = (size_t)(end - first);
    return ids[at] == first && count - at >= wanted && ids[at + wanted - 1] == end - 1 ? wanted : 0;
}

/* The most that can be said from ids[at] on: "s3:*", "s3:Get*" or the action; *taken: how many it stands for. */
static kim_text say_from(const catalogue *cat, const int32_t *ids, size_t count, size_t at, kim_arena *arena, size_t *taken)
{
    const catalogue_service *service = catalogue_service_of(cat, ids[at]);
    kim_text name = catalogue_name(cat, ids[at]), word = first_word(name);
    int32_t end = ids[at];
    *taken = covers(ids, count, at, service->first, service->first + service->count);
    if (*taken > 1)
        return kim_text_format(arena, "%.*s:*", KIM_PRINT(service->prefix));
    while (end < service->first + service->count && begins_so(cat, end, word))
        end++;
    *taken = ids[at] > service->first && begins_so(cat, ids[at] - 1, word) ? 0 : covers(ids, count, at, ids[at], end);
    if (*taken > 1)
        return kim_text_format(arena, "%.*s*", KIM_PRINT(word));
    *taken = 1;
    return name;
}

/* A service's actions become "s3:*" and those of one first word "s3:Get*", where the catalogue has no others. */
static kim_texts say_ids(const catalogue *cat, const int32_t *ids, size_t count, kim_arena *arena)
{
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, count + 1);
    size_t said = 0, taken;
    for (size_t at = 0; items && at < count; at += taken)
        items[said++] = say_from(cat, ids, count, at, arena, &taken);
    return (kim_texts){items, said};
}

/* Of all ids of the catalogue those that are not among these. */
static size_t others_of(const int32_t *ids, size_t count, size_t total, int32_t *others)
{
    size_t found = 0, at = 0;
    for (size_t id = 0; id < total; id++)
        if (at < count && ids[at] == (int32_t)id)
            at++;
        else
            others[found++] = (int32_t)id;
    return found;
}

/* Sets out->actions, and where they are most of the catalogue, out->not_actions too. names: settled. */
static bool say_briefly(const catalogue *cat, const name_list *names, kim_arena *arena, effective_grant *out)
{
    size_t total = cat ? catalogue_count(cat) : 0, count = 0;
    int32_t *ids = KIM_NEW_ARRAY(arena, int32_t, names->count + 1), *others = KIM_NEW_ARRAY(arena, int32_t, total + 1);
    if (ids == NULL || others == NULL)
        return false;
    while (cat && count < names->count && (ids[count] = catalogue_action(cat, names->items[count])) >= 0)
        count++;
    out->actions = (kim_texts){names->items, names->count};
    if (count == 0 || count < names->count || out->not_actions.count)
        return true; /* patterns of a provider without a catalogue */
    qsort(ids, count, sizeof *ids, by_number);
    if (count <= total / 2) {
        out->actions = say_ids(cat, ids, count, arena);
        return out->actions.items != NULL;
    }
    static const kim_text everything = {"*", 1};
    out->actions = (kim_texts){&everything, 1};
    out->not_actions = say_ids(cat, others, others_of(ids, count, total, others), arena);
    return out->not_actions.items != NULL;
}

/* ---- the order ---- */

static int by_resource(const void *left, const void *right)
{
    const group *a = left, *b = right;
    int order = kim_text_compare(a->resource, b->resource);
    if (order == 0 && a->actions.count && b->actions.count)
        order = kim_text_compare(a->actions.items[0], b->actions.items[0]);
    return order ? order : kim_text_compare(a->answer, b->answer);
}

static int hand_over(gathering *g, evaluator *ev, const question *q, kim_text provider, effective_function *found, void *user)
{
    const catalogue *cat = estate_catalogue(ev->es, provider);
    size_t count = text_map_count(g->keys);
    for (size_t i = 0; i < count; i++)
        name_list_settle(&g->groups[i].actions);
    if (count)
        qsort(g->groups, count, sizeof *g->groups, by_resource);
    for (size_t i = 0; i < count; i++) {
        const group *of = &g->groups[i];
        effective_grant one = {
            .provider = provider, .identity = q->identity, .not_actions = of->not_actions, .resource = of->resource, .mark = of->mark,
            .answer = kim_json_parse(of->answer.bytes, of->answer.size, "answer", g->arena, g->err)};
        if (one.answer == NULL || !say_briefly(cat, &of->actions, g->arena, &one))
            return kim_fail(g->err, KIM_ERR_NOMEM, "no memory to list what is granted");
        int result = found(user, &one);
        if (result)
            return result;
    }
    return 0;
}

static kim_text take_all(void *user, const grant *what, const answer *a, kim_error *err)
{
    (void)user, (void)what, (void)a, (void)err;
    return KIM_TEXT("");
}

int evaluate_effective(evaluator *ev, const question *q, effective_function *found, void *user, kim_error *err)
{
    return evaluate_effective_marked(ev, q, take_all, found, user, err);
}

int evaluate_effective_marked(evaluator *ev, const question *q, effective_mark *mark, effective_function *found, void *user,
                              kim_error *err)
{
    kim_error ignored;
    gathering g = {.arena = kim_arena_new(SIZE_MAX), .writer = kim_json_writer_new(false), .mark = mark, .user = user,
                   .err = err ? err : &ignored};
    g.keys = g.arena ? text_map_new(g.arena) : NULL;
    kim_text provider = g.keys && g.writer ? evaluate_provider(ev, q, err) : KIM_NO_TEXT;
    int result = -1;
    if (g.keys == NULL || g.writer == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory to list what is granted");
    else if (!kim_text_is_absent(provider) && (result = evaluate_what_can(ev, q, gather, &g, err)) == 0)
        result = hand_over(&g, ev, q, provider, found, user);
    kim_json_writer_free(g.writer);
    kim_arena_free(g.arena);
    return result;
}
