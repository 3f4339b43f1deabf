/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_change.c - the rules of a newer estate, of which the documents of some policies changed.
 *
 * Who holds what is as it was, and is told by numbers: holders, levels and targets are the older rules' own.
 * The changed policies get new rules behind all others, and the sets that they are in point there. Where more
 * than documents changed there is no short way, and all is compiled anew.
 */
#include "controller/evaluate/engine.h"
#include "controller/evaluate/rules_parts.h"

/* Policies whose documents changed. */
typedef struct touched {
    uint32_t *numbers; /* [count] in arena, each once */
    size_t count, room;
    bool is_more;      /* something else changed, or there is no memory */
} touched;

static void touch(touched *t, uint32_t number, kim_arena *arena)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->numbers[i] == number)
            return;
    if (t->count == t->room) {
        size_t room = t->room ? t->room * 2 : 16;
        uint32_t *grown = KIM_NEW_ARRAY(arena, uint32_t, room);
        if (grown == NULL) {
            t->is_more = true;
            return;
        }
        if (t->count)
            memcpy(grown, t->numbers, t->count * sizeof *grown);
        t->numbers = grown;
        t->room = room;
    }
    t->numbers[t->count++] = number;
}

enum { TOUCHED_MAX = 1024 }; /* policies; past them compiling anew is as quick */

static void find_touched(const rules *before, const estate *es, kim_arena *arena, touched *t)
{
    for (int type = 1; type < KIM_RECORD_TYPES && !t->is_more; type++) {
        size_t count;
        const kim_record *items = estate_changed(es, (kim_record_type)type, &count);
        for (size_t i = 0; i < count && !t->is_more; i++) {
            uint32_t number = UINT32_MAX;
            if (!engine_reads(&aws_engine, items[i].scope))
                continue;
            if (type == KIM_POLICY || type == KIM_STATEMENT)
                number = rules_policy_number(before, items[i].scope, type == KIM_POLICY ? items[i].policy.id : items[i].statement.policy, arena);
            t->is_more = number == UINT32_MAX || t->count == TOUCHED_MAX;
            if (!t->is_more)
                touch(t, number, arena);
        }
    }
}

/* Records of the type whose first key is that id and whose scope is that one; the statements' are in order. */
static size_t find_records(const estate *es, kim_record_type type, kim_text scope, kim_text id, kim_arena *arena, const kim_record ***found)
{
    size_t total, low = 0, count = 0, end;
    const kim_record *items = estate_records(es, type, &total);
    for (size_t high = total; low < high;) {
        size_t middle = (low + high) / 2;
        if (kim_text_compare(estate_id(&items[middle]), id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < total && kim_text_equal(estate_id(&items[end]), id);)
        end++;
    *found = (const kim_record **)kim_arena_array(arena, end - low + 1, sizeof **found);
    for (size_t i = low; i < end && *found; i++)
        if (kim_text_equal(items[i].scope, scope))
            (*found)[count++] = &items[i];
    return count;
}

/* What a touched policy is now. */
typedef struct document {
    uint32_t number;
    kim_text scope;
    const kim_record **statements; /* [count] */
    size_t count;
    const kim_record *policy;      /* NULL: only its statements are known */
} document;

/* "SCOPE\nID" is how policies are named. False where it came or went, rather than changed. */
static bool read_document(const rules *before, const estate *es, kim_arena *arena, uint32_t number, document *out)
{
    kim_text name = text_map_text(before->policy_names, number);
    const policy_rules *p = &before->policies[number];
    const kim_record **policies;
    *out = (document){.number = number, .scope = {name.bytes, name.size - p->id.size - 1}};
    size_t count = find_records(es, KIM_POLICY, out->scope, p->id, arena, &policies);
    out->count = find_records(es, KIM_STATEMENT, out->scope, p->id, arena, &out->statements);
    if (policies == NULL || out->statements == NULL || count > 1)
        return false;
    out->policy = count ? policies[0] : NULL;
    return (out->policy != NULL) == (p->source != NULL) && (out->policy || out->count);
}

/* Does a condition of the rules look at a key that is written in several ways? */
static bool has_mixed_key(const rules *r, const rule *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; all[i].condition && k < aws_condition_count(all[i].condition); k++)
            if (key_table_is_mixed(r->keys, aws_condition_test(all[i].condition, k).key))
                return true;
    return false;
}

/* Copies what compiling adds to; the rest stays the older rules' own. NULL without memory. */
static rules *begin(const rules *before, estate *es, kim_arena *arena, size_t added)
{
    rules *r = KIM_NEW(arena, rules);
    if (r == NULL)
        return NULL;
    *r = *before;
    r->es = es;
    r->arena = arena;
    r->keys = key_table_copy(before->keys, arena);
    r->patterns = text_map_copy(before->patterns, arena);
    r->resource_texts = text_map_copy(before->resource_texts, arena);
    r->condition_texts = text_map_copy(before->condition_texts, arena);
    r->resources = (const arn_pattern **)kim_arena_array(arena, before->resource_room + 1, sizeof *r->resources);
    r->conditions = (const aws_condition **)kim_arena_array(arena, before->condition_room + 1, sizeof *r->conditions);
    r->policies = KIM_NEW_ARRAY(arena, policy_rules, text_map_count(before->policy_names) + 1);
    r->sets = KIM_NEW_ARRAY(arena, policy_set, before->set_room);
    r->all = rules_room(arena, before->count + added);
    r->changed_sets = KIM_NEW_ARRAY(arena, bool, before->set_room);
    if (kim_arena_is_full(arena) || r->keys == NULL || r->patterns == NULL || r->resource_texts == NULL || r->condition_texts == NULL)
        return NULL;
    if (before->resource_room)
        memcpy(r->resources, before->resources, before->resource_room * sizeof *r->resources);
    if (before->condition_room)
        memcpy(r->conditions, before->conditions, before->condition_room * sizeof *r->conditions);
    memcpy(r->policies, before->policies, text_map_count(before->policy_names) * sizeof *r->policies);
    memcpy(r->sets, before->sets, before->set_room * sizeof *r->sets);
    memcpy(r->all, before->all, before->count * sizeof *r->all);
    return r;
}

/* Texts stay where they are: with the estate's arena, not its arrays. */
static kim_record *copy_record(kim_arena *arena, const kim_record *record)
{
    kim_record *copy = KIM_NEW(arena, kim_record);
    if (copy)
        *copy = *record;
    return copy;
}

static bool recompile(rules *r, const document *d)
{
    policy_rules *p = &r->policies[d->number];
    size_t first = r->count;
    kim_record *policy = d->policy ? copy_record(r->arena, d->policy) : NULL;
    p->source = policy ? &policy->policy : NULL;
    p->unread = p->source ? p->source->unread : KIM_NO_TEXT;
    p->rules = r->all + first;
    p->first = (uint32_t)first;
    p->count = d->count;
    r->count += d->count;
    for (size_t i = 0; i < d->count; i++) {
        const kim_record *statement = copy_record(r->arena, d->statements[i]);
        if (statement == NULL || rules_compile_one(r, p, &statement->statement, r->all + first + i) < 0)
            return false;
    }
    return !has_mixed_key(r, r->all + first, d->count);
}

/* The sets that the policy is in have its newer rules. */
static bool put_in_sets(rules *r, const policy_rules *policy)
{
    for (uint32_t i = r->set_starts[policy->number]; i < r->set_starts[policy->number + 1]; i++) {
        policy_set *set = &r->sets[r->set_members[i]];
        const policy_rules **items = (const policy_rules **)kim_arena_array(r->arena, set->count, sizeof *items);
        if (items == NULL)
            return false;
        for (uint32_t k = 0; k < set->count; k++)
            items[k] = set->items[k]->number == policy->number ? policy : set->items[k];
        if (!rules_fill_set(r, items, set->count, set))
            return false;
        r->changed_sets[r->set_members[i]] = true;
    }
    return true;
}

rules *rules_change(const rules *before, estate *es)
{
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    touched t = {.is_more = arena == NULL || estate_is_complete(es)};
    rules *r = NULL;
    size_t added = 0;
    if (!t.is_more)
        find_touched(before, es, arena, &t);
    document *documents = t.is_more ? NULL : KIM_NEW_ARRAY(arena, document, t.count + 1);
    bool fine = documents != NULL;
    for (size_t i = 0; i < t.count && fine; i++) {
        const policy_rules *p = &before->policies[t.numbers[i]];
        fine = read_document(before, es, arena, t.numbers[i], &documents[i]) && !has_mixed_key(before, p->rules, p->count);
        added += documents[i].count;
    }
    if (fine)
        fine = (r = begin(before, es, arena, added)) != NULL;
    for (size_t i = 0; i < t.count && fine; i++)
        fine = recompile(r, &documents[i]) && put_in_sets(r, &r->policies[t.numbers[i]]);
    if (!fine || kim_arena_is_full(arena)) {
        kim_arena_free(arena);
        return NULL;
    }
    return r;
}
