/* SPDX-License-Identifier: Apache-2.0
 *
 * inclusion.c - a statement is a text for all but its actions, and a set of those.
 *
 * A policy allows more with another allow and less with another deny, whatever they say. So policies
 * that share most of their statements, as two versions of one do, need no request to be tried.
 */
#include "controller/evaluate/inclusion.h"

#include "controller/evaluate/name_list.h"
#include "controller/evaluate/text_map.h"

/* Elements in one order, each with its length before it, so that no two lists give the same text. */
static kim_text written(kim_texts list, const char *name, bool fold, kim_arena *arena)
{
    name_list items = {.arena = arena};
    kim_text text = kim_text_format(arena, "%s%c", name, list.items ? '=' : '-');
    for (size_t i = 0; i < list.count; i++)
        name_list_add(&items, fold ? kim_text_lower(arena, list.items[i]) : list.items[i]);
    name_list_settle(&items);
    for (size_t i = 0; i < items.count; i++)
        text = kim_text_format(arena, "%.*s%zu:%.*s", KIM_PRINT(text), items.items[i].size, KIM_PRINT(items.items[i]));
    return text;
}

/* All of a statement but its actions. */
static kim_text frame_of(const rule *one, kim_arena *arena)
{
    const kim_statement *s = one->source;
    kim_text not_actions = written(s->not_actions, "N", true, arena), subjects = written(s->subjects, "P", false, arena);
    kim_text not_subjects = written(s->not_subjects, "Q", false, arena), resources = written(s->resources, "R", false, arena);
    kim_text not_resources = written(s->not_resources, "S", false, arena);
    return kim_text_format(arena, "%d%c%.*s%.*s%.*s%.*s%.*s%.*s", (int)one->effect, s->actions.items ? 'a' : '-', KIM_PRINT(not_actions),
                           KIM_PRINT(subjects), KIM_PRINT(not_subjects), KIM_PRINT(resources), KIM_PRINT(not_resources),
                           KIM_PRINT(s->condition.text));
}

static kim_text with_action(kim_text frame, kim_text action, kim_arena *arena)
{
    kim_text lower = kim_text_lower(arena, action);
    return kim_text_format(arena, "%.*s\n%.*s", KIM_PRINT(frame), KIM_PRINT(lower));
}

/* Adds the policy's statements of that effect, an action each, to the map; or looks whether all are in it. */
static bool put_or_find(const policy_rules *p, int32_t effect, bool put, text_map *map, kim_arena *arena)
{
    for (size_t i = 0; p && i < p->count; i++) {
        const rule *one = &p->rules[i];
        if (one->effect != effect)
            continue;
        kim_text frame = frame_of(one, arena);
        size_t count = one->source->actions.items ? one->source->actions.count : 1;
        for (size_t a = 0; a < count; a++) {
            kim_text entry = one->source->actions.items ? with_action(frame, one->source->actions.items[a], arena) : frame;
            if (kim_text_is_absent(entry) || (put ? text_map_add(map, entry) : text_map_find(map, entry)) == UINT32_MAX)
                return false;
        }
    }
    return true;
}

static bool has_all(const policy_rules *of, const policy_rules *in, int32_t effect, kim_arena *arena)
{
    text_map *map = text_map_new(arena);
    return map && put_or_find(in, effect, true, map, arena) && put_or_find(of, effect, false, map, arena);
}

/* Variables are read by the version of the language. */
static bool speak_alike(const policy_rules *a, const policy_rules *b)
{
    return a == NULL || b == NULL || (a->source && b->source && kim_text_equal(a->source->version, b->source->version));
}

bool policy_surely_includes(const policy_rules *wide, const policy_rules *narrow, kim_arena *arena)
{
    return speak_alike(wide, narrow) && has_all(narrow, wide, KIM_ALLOW, arena) && has_all(wide, narrow, KIM_DENY, arena) &&
           !kim_arena_is_full(arena);
}
