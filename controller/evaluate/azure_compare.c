/* SPDX-License-Identifier: Apache-2.0
 *
 * azure_compare.c - does one role allow what another does not, and which actions does one name?
 *
 * A role is a set of action texts on each plane: patterns with `*`, less others. All patterns of both
 * roles are walked together as one automaton, whose states are the ways in which a text can stand to all
 * of them; the first text of each way is the witness of all that stand so. What then depends on
 * conditions is settled as a term, or by trying the values that the conditions themselves name.
 */
#include <stdlib.h>

#include "controller/evaluate/azure.h"
#include "controller/evaluate/name_list.h"
#include "controller/evaluate/wildcard.h"

enum {
    COMPARE_MAX_STATES = 200000,
    COMPARE_MAX_BYTES = 512 * 1024 * 1024,
    COMPARE_MAX_CONTEXTS = 4096,  /* tried for one kind of action */
    COMPARE_MAX_ATTRIBUTES = 6,   /* with a value in a context that is tried */
    COMPARE_MAX_VALUES = 8,       /* tried for one attribute */
    OPERATIONS_MAX_DEPTH = 16,    /* lists in lists of operations */
};

typedef enum says { SAYS_NO, SAYS_YES, SAYS_PERHAPS } says;

/* One request that one side alone allows. */
typedef struct witness {
    says found;
    kim_text action;
    azure_universe universe;
    size_t attribute_count;
    uint32_t keys[COMPARE_MAX_ATTRIBUTES];
    azure_value values[COMPARE_MAX_ATTRIBUTES];
} witness;

typedef struct state {
    uint32_t *active;  /* [count] positions, sorted */
    uint32_t count;
    uint32_t parent;
    char byte;         /* that led here from the parent */
} state;

typedef struct comparison {
    const azure_model *m;
    kim_arena *arena, *scratch;
    azure_universe universe;
    text_map *patterns;  /* of both roles on this plane, of their conditions and the guards */
    uint32_t *bases;     /* [pattern] the position before its first byte */
    size_t pattern_count;
    uint32_t *owner;     /* of a position: which of `patterns` */
    state *states;
    size_t state_count, state_capacity;
    uint32_t *slots;     /* open hash of state + 1 */
    size_t slot_count;
    bool *matched;       /* [pattern_count], of the state at hand */
    uint32_t *index_of;  /* by the model's number: the number here */
    bool complete;
    witness sides[2];    /* what the reference alone allows, what the candidate alone allows */
    const azure_role *roles[2];
} comparison;

/* ---- the automaton ---- */

static kim_text text_of(const comparison *c, size_t pattern)
{
    return text_map_text(c->patterns, (uint32_t)pattern);
}

/* Which patterns tell an action of this universe from others (azure_universe_of). */
static const char *const guards[] = {
    "*/*", "*.*", "*/allentities/*", "microsoft.directory/*", "microsoft.aad.*", "microsoft.office365.*", "microsoft.azure.*", "microsoft.commerce.*",
    "microsoft.teams/*", "microsoft.hardware.support/*", "microsoft.viva.*", "microsoft.windows.*", "microsoft.graph.*"};
enum { GUARDS = sizeof guards / sizeof *guards };

static int compare_positions(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Adds a position and, behind stars, those that follow without a byte. */
static size_t close_over(const comparison *c, uint32_t position, uint32_t *out, size_t count)
{
    uint32_t p = c->owner[position];
    kim_text text = text_of(c, p);
    for (uint32_t at = position - c->bases[p];; at++) {
        out[count++] = c->bases[p] + at;
        if (at >= text.size || text.bytes[at] != '*')
            return count;
    }
}

static size_t step(const comparison *c, const state *from, int byte, uint32_t *out)
{
    size_t count = 0, kept = 0;
    for (uint32_t i = 0; i < from->count; i++) {
        uint32_t p = c->owner[from->active[i]], at = from->active[i] - c->bases[p];
        kim_text text = text_of(c, p);
        if (at == text.size)
            continue;
        if (text.bytes[at] == '*')
            count = close_over(c, from->active[i], out, count);
        else if ((unsigned char)text.bytes[at] == byte)
            count = close_over(c, from->active[i] + 1, out, count);
    }
    if (count)
        qsort(out, count, sizeof *out, compare_positions);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || out[kept - 1] != out[i])
            out[kept++] = out[i];
    return kept;
}

static uint64_t hash_of(const uint32_t *active, size_t count)
{
    uint64_t h = count;
    for (size_t i = 0; i < count; i++) {
        h = (h ^ active[i]) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    return h;
}

static bool grow(comparison *c)
{
    size_t slot_count = c->slot_count ? c->slot_count * 2 : 1024;
    uint32_t *slots = calloc(slot_count, sizeof *slots);
    state *states = realloc(c->states, slot_count / 2 * sizeof *states);
    if (states)
        c->states = states;
    if (slots == NULL || states == NULL) {
        free(slots);
        return false;
    }
    for (size_t i = 0; i < c->state_count; i++) {
        size_t at = hash_of(states[i].active, states[i].count) & (slot_count - 1);
        while (slots[at])
            at = (at + 1) & (slot_count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(c->slots);
    c->slots = slots;
    c->slot_count = slot_count;
    c->state_capacity = slot_count / 2;
    return true;
}

/* Takes the state where it is new. False without memory. */
static bool add_state(comparison *c, const uint32_t *active, size_t count, uint32_t parent, char byte)
{
    if (c->state_count == c->state_capacity && !grow(c))
        return false;
    size_t at = hash_of(active, count) & (c->slot_count - 1);
    for (; c->slots[at]; at = (at + 1) & (c->slot_count - 1)) {
        const state *known = &c->states[c->slots[at] - 1];
        if (known->count == count && memcmp(known->active, active, count * sizeof *active) == 0)
            return true;
    }
    if (c->state_count == COMPARE_MAX_STATES) {
        c->complete = false;
        return true;
    }
    uint32_t *copy = KIM_NEW_ARRAY(c->arena, uint32_t, count + 1);
    if (copy == NULL) {
        c->complete = false;
        return true;
    }
    memcpy(copy, active, count * sizeof *active);
    c->states[c->state_count] = (state){copy, (uint32_t)count, parent, byte};
    c->slots[at] = (uint32_t)++c->state_count;
    return true;
}

static kim_text witness_text(const comparison *c, size_t at, kim_arena *arena)
{
    size_t size = 0;
    for (size_t i = at; i; i = c->states[i].parent)
        size++;
    char *bytes = kim_arena_bytes(arena, size + 1);
    kim_text text = {bytes, size};
    for (size_t i = at; bytes && i; i = c->states[i].parent)
        bytes[--size] = c->states[i].byte;
    return text;
}

/* ---- what a role says of the state at hand ---- */

static bool one_matched(const comparison *c, const uint32_t *patterns, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (c->matched[c->index_of[patterns[i]]])
            return true;
    return false;
}

static bool covers(const comparison *c, const azure_permission *p)
{
    return p->universe == c->universe && one_matched(c, p->actions, p->action_count) && !one_matched(c, p->not_actions, p->not_action_count);
}

/* ---- contexts ---- */

typedef struct trial {
    const comparison *c;
    const uint32_t *keys;
    const azure_value *values; /* NULL in a text: absent */
    size_t count;
} trial;

static azure_attribute look_at_nothing(void *from, uint32_t key)
{
    (void)from, (void)key;
    return (azure_attribute){.state = AZURE_NOT_KNOWN};
}

static azure_attribute look_at_trial(void *from, uint32_t key)
{
    const trial *t = from;
    for (size_t i = 0; i < t->count; i++)
        if (t->keys[i] == key && t->values[i].text.bytes)
            return (azure_attribute){AZURE_GIVEN, &t->values[i], 1};
    return (azure_attribute){.state = AZURE_ABSENT};
}

/* When a role allows the action; what it depends on beside the request's attributes is unread. */
static const term *allows(comparison *c, const azure_role *role, kim_text action, azure_attribute (*look)(void *, uint32_t), void *from)
{
    const azure_facts facts = {.action = action, .look = look, .from = from};
    const term *any = &term_false;
    for (size_t i = 0; i < role->count && any != &term_true; i++) {
        const azure_permission *p = &role->permissions[i];
        if (!covers(c, p))
            continue;
        const term *one = p->terms == NULL       ? &term_true
                          : p->terms->condition ? azure_condition_decide(p->terms->condition, &facts, c->scratch)
                                                : term_of(c->scratch, TERM_UNREAD, p->terms->foreign.size ? p->terms->foreign : p->terms->unread);
        any = term_or(c->scratch, any, one);
    }
    return any;
}

/* The attributes and the values that the conditions of what covers the action name. */
typedef struct choices {
    uint32_t keys[COMPARE_MAX_ATTRIBUTES];
    azure_value values[COMPARE_MAX_ATTRIBUTES][COMPARE_MAX_VALUES];
    size_t value_counts[COMPARE_MAX_ATTRIBUTES], count;
} choices;

static void add_choice(void *into, uint32_t key, const azure_value *value)
{
    choices *c = into;
    size_t at = 0;
    while (at < c->count && c->keys[at] != key)
        at++;
    if (at == COMPARE_MAX_ATTRIBUTES)
        return;
    if (at == c->count) {
        c->keys[c->count++] = key;
        c->values[at][c->value_counts[at]++] = (azure_value){AZURE_STRING, KIM_NO_TEXT}; /* absent */
        c->values[at][c->value_counts[at]++] = (azure_value){AZURE_STRING, KIM_TEXT("another value")};
    }
    if (value == NULL || c->value_counts[at] == COMPARE_MAX_VALUES)
        return;
    for (size_t i = 0; i < c->value_counts[at]; i++)
        if (c->values[at][i].text.bytes && kim_text_equal(c->values[at][i].text, value->text))
            return;
    c->values[at][c->value_counts[at]++] = *value;
}

static bool try_contexts(comparison *c, kim_text action, int side, witness *out)
{
    choices all = {.count = 0};
    size_t digits[COMPARE_MAX_ATTRIBUTES] = {0};
    for (int r = 0; r < 2; r++)
        for (size_t i = 0; i < c->roles[r]->count; i++)
            if (covers(c, &c->roles[r]->permissions[i]) && c->roles[r]->permissions[i].terms && c->roles[r]->permissions[i].terms->condition)
                azure_condition_values(c->roles[r]->permissions[i].terms->condition, add_choice, &all);
    for (size_t tried = 0; tried < COMPARE_MAX_CONTEXTS; tried++) {
        azure_value values[COMPARE_MAX_ATTRIBUTES];
        for (size_t i = 0; i < all.count; i++)
            values[i] = all.values[i][digits[i]];
        trial t = {c, all.keys, values, all.count};
        kim_arena_reset(c->scratch);
        if (allows(c, c->roles[side], action, look_at_trial, &t) == &term_true && allows(c, c->roles[!side], action, look_at_trial, &t) == &term_false) {
            out->attribute_count = all.count;
            memcpy(out->keys, all.keys, sizeof out->keys);
            memcpy(out->values, values, sizeof values);
            return true;
        }
        size_t at = 0;
        while (at < all.count && ++digits[at] == all.value_counts[at])
            digits[at++] = 0;
        if (at == all.count)
            return false;
    }
    return false;
}

/* ---- one state ---- */

static bool reads_well(kim_text action)
{
    return memchr(action.bytes, '/', action.size) && action.bytes[0] != '/' && action.bytes[action.size - 1] != '/' && !memmem(action.bytes, action.size, "//", 2);
}

static void look_at(comparison *c, size_t at)
{
    memset(c->matched, 0, c->pattern_count * sizeof *c->matched);
    for (uint32_t i = 0; i < c->states[at].count; i++) {
        uint32_t position = c->states[at].active[i], p = c->owner[position];
        if (position - c->bases[p] == text_of(c, p).size)
            c->matched[p] = true;
    }
}

/* Does the role of this side alone allow the texts of the state at hand? */
static void test_side(comparison *c, int side, kim_text action)
{
    witness *w = &c->sides[side], found = {.universe = c->universe};
    if (w->found == SAYS_YES && (reads_well(w->action) || !reads_well(action)))
        return;
    kim_arena_reset(c->scratch);
    const term *mine = allows(c, c->roles[side], action, look_at_nothing, NULL);
    const term *other = mine == &term_false ? &term_true : allows(c, c->roles[!side], action, look_at_nothing, NULL);
    const term *t = term_settle(term_and(c->scratch, mine, term_not(c->scratch, other)));
    if (t == NULL || t == &term_false)
        return;
    if (t == &term_true || try_contexts(c, action, side, &found)) {
        found.found = SAYS_YES;
        found.action = kim_text_copy(c->arena, action);
        *w = found;
    } else if (w->found == SAYS_NO) {
        w->found = SAYS_PERHAPS;
    }
}

/* Can anything that one of the roles allows still come of this state? */
static bool is_alive(const comparison *c, const uint32_t *active, size_t count, const bool *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (wanted[c->owner[active[i]]])
            return true;
    return false;
}

static bool walk(comparison *c, const bool *wanted, uint32_t *buffer)
{
    size_t count = 0;
    for (size_t p = 0; p < c->pattern_count; p++)
        count = close_over(c, c->bases[p], buffer, count);
    c->state_count = 0;
    if (c->slots)
        memset(c->slots, 0, c->slot_count * sizeof *c->slots);
    if (!add_state(c, buffer, count, 0, 0))
        return false;
    for (size_t at = 0; at < c->state_count; at++) {
        bool next[256] = {false};
        int other = -1;
        kim_text action = witness_text(c, at, c->scratch);
        if (kim_text_is_absent(action))
            return false;
        if (at) {
            action = kim_text_copy(c->arena, action);
            look_at(c, at);
            if (azure_universe_of(action, c->universe == AZURE_DATA) == c->universe)
                for (int side = 0; side < 2; side++)
                    test_side(c, side, action);
        }
        for (uint32_t i = 0; i < c->states[at].count; i++) {
            uint32_t p = c->owner[c->states[at].active[i]], place = c->states[at].active[i] - c->bases[p];
            kim_text text = text_of(c, p);
            if (place < text.size && text.bytes[place] != '*')
                next[(unsigned char)text.bytes[place]] = true;
        }
        for (int b = 'a'; b <= 'z' && other < 0; b++)
            other = next[b] ? -1 : b;
        for (int b = '0'; b < 256 && other < 0; b++)
            other = next[b] ? -1 : b;
        if (other >= 0)
            next[other] = true; /* stands for all that no pattern names here */
        for (int i = 0; i < 256; i++) { /* a letter first: it makes the best witness */
            int b = i ? i : other;
            size_t reached = b > 0 && next[b] && (i == 0 || b != other) ? step(c, &c->states[at], b, buffer) : 0;
            if (reached && is_alive(c, buffer, reached, wanted) && !add_state(c, buffer, reached, (uint32_t)at, (char)b))
                return false;
        }
    }
    return true;
}

/* ---- one plane ---- */

/* Stars in a row say what one says; then no position leads to more than two. */
static kim_text without_repeated_stars(kim_text pattern, kim_arena *arena)
{
    char *bytes = kim_arena_bytes(arena, pattern.size + 1);
    size_t size = 0;
    for (size_t i = 0; bytes && i < pattern.size; i++)
        if (pattern.bytes[i] != '*' || size == 0 || bytes[size - 1] != '*')
            bytes[size++] = pattern.bytes[i];
    return (kim_text){bytes, bytes ? size : 0};
}

static void add_action(void *into, kim_text pattern)
{
    comparison *c = into;
    text_map_add(c->patterns, without_repeated_stars(pattern, c->arena));
}

static void add_patterns(comparison *c, const uint32_t *numbers, size_t count, bool *wanted)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t here = text_map_add(c->patterns, without_repeated_stars(text_map_text(c->m->patterns, numbers[i]), c->arena));
        c->index_of[numbers[i]] = here;
        if (wanted && here != UINT32_MAX)
            wanted[here] = true;
    }
}

/* All patterns that matter on this plane: the roles' own first, since `wanted`, those that allow, has room
 * for these alone. */
static void gather(comparison *c, bool *wanted)
{
    for (int pass = 0; pass < 2; pass++)
        for (int r = 0; r < 2; r++)
            for (size_t i = 0; i < c->roles[r]->count; i++) {
                const azure_permission *p = &c->roles[r]->permissions[i];
                if (p->universe == c->universe && pass == 0) {
                    add_patterns(c, p->actions, p->action_count, wanted);
                    add_patterns(c, p->not_actions, p->not_action_count, NULL);
                } else if (p->universe == c->universe && p->terms && p->terms->condition) {
                    azure_condition_actions(p->terms->condition, add_action, c);
                }
            }
    for (size_t g = 0; g < GUARDS; g++)
        text_map_add(c->patterns, kim_text_of(guards[g]));
    c->pattern_count = text_map_count(c->patterns);
}

/* The positions of all patterns end to end. */
static bool number_positions(comparison *c, size_t *positions)
{
    *positions = 0;
    c->bases = KIM_NEW_ARRAY(c->arena, uint32_t, c->pattern_count + 1);
    c->matched = KIM_NEW_ARRAY(c->arena, bool, c->pattern_count + 1);
    for (size_t p = 0; c->bases && p < c->pattern_count; p++) {
        c->bases[p] = (uint32_t)*positions;
        *positions += text_of(c, p).size + 1;
    }
    c->owner = KIM_NEW_ARRAY(c->arena, uint32_t, *positions + 1);
    for (size_t p = 0; c->bases && c->owner && p < c->pattern_count; p++)
        for (size_t i = 0; i <= text_of(c, p).size; i++)
            c->owner[c->bases[p] + i] = (uint32_t)p;
    return c->bases && c->owner && c->matched;
}

static bool compare_plane(comparison *c, azure_universe universe)
{
    size_t most = text_map_count(c->m->patterns) + 1, positions;
    bool *wanted = KIM_NEW_ARRAY(c->arena, bool, most);
    c->universe = universe;
    c->patterns = text_map_new(c->arena);
    c->index_of = KIM_NEW_ARRAY(c->arena, uint32_t, most);
    if (wanted == NULL || c->patterns == NULL || c->index_of == NULL)
        return false;
    gather(c, wanted);
    uint32_t *buffer = number_positions(c, &positions) ? KIM_NEW_ARRAY(c->arena, uint32_t, 4 * positions + 4) : NULL;
    bool *wanted_here = KIM_NEW_ARRAY(c->arena, bool, c->pattern_count + 1);
    if (buffer == NULL || wanted_here == NULL)
        return false;
    memcpy(wanted_here, wanted, (c->pattern_count < most ? c->pattern_count : most) * sizeof *wanted);
    return walk(c, wanted_here, buffer);
}

/* ---- the answer ---- */

static void write_value(const azure_value *value, kim_json_writer *writer)
{
    if (value->type == AZURE_BOOL)
        kim_json_put_bool(writer, kim_text_equal_nocase(value->text, KIM_TEXT("true")));
    else
        kim_json_put_text(writer, value->text);
}

static void write_witness(const comparison *c, int side, kim_json_writer *writer)
{
    const witness *w = &c->sides[side];
    kim_json_begin_object(writer);
    kim_json_key(writer, "only");
    kim_json_put_string(writer, side ? "candidate" : "reference");
    kim_json_key(writer, "request");
    kim_json_begin_object(writer);
    kim_json_key(writer, "action");
    kim_json_put_text(writer, w->action);
    kim_json_key(writer, "data");
    kim_json_put_bool(writer, w->universe == AZURE_DATA);
    kim_json_key(writer, "scope");
    kim_json_put_string(writer, "/");
    kim_json_key(writer, "context");
    kim_json_begin_object(writer);
    for (size_t i = 0; i < w->attribute_count; i++) {
        if (w->values[i].text.bytes == NULL)
            continue;
        kim_text key = kim_text_format(c->scratch, "@%.*s", KIM_PRINT(text_map_text(c->m->keys, w->keys[i])));
        kim_json_key_text(writer, key);
        write_value(&w->values[i], writer);
    }
    kim_json_end_object(writer);
    kim_json_end_object(writer);
    kim_json_end_object(writer);
}

static void write_side(const char *name, says found, kim_json_writer *writer)
{
    kim_json_key(writer, name);
    if (found == SAYS_PERHAPS)
        kim_json_put_string(writer, "unknown");
    else
        kim_json_put_bool(writer, found == SAYS_YES);
}

static void write_answer(comparison *c, kim_json_writer *writer)
{
    kim_arena_reset(c->scratch);
    for (int side = 0; side < 2; side++)
        if (!c->complete && c->sides[side].found == SAYS_NO)
            c->sides[side].found = SAYS_PERHAPS;
    write_side("new_access", c->sides[1].found, writer);
    write_side("lost_access", c->sides[0].found, writer);
    kim_json_key(writer, "because");
    kim_json_begin_array(writer);
    for (int side = 1; side >= 0; side--)
        if (c->sides[side].found == SAYS_YES)
            write_witness(c, side, writer);
    kim_json_end_array(writer);
    if (c->sides[0].found == SAYS_PERHAPS || c->sides[1].found == SAYS_PERHAPS) {
        kim_json_key(writer, "why");
        kim_json_put_string(writer, c->complete ? "the permissions have conditions, and none of the contexts that were tried tells them apart"
                                                : "the roles tell more kinds of actions apart than were tried");
    }
}

static const azure_role *role_named(const azure_model *m, const char *id)
{
    uint32_t number = text_map_find(m->role_ids, kim_text_of(id));
    return number == UINT32_MAX ? NULL : &m->roles[number];
}

static int fail_unread(const azure_model *m, kim_error *err)
{
    return kim_fail(err, KIM_ERR_INPUT, "%.*s", KIM_PRINT(m->first_unread));
}

int azure_compare(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    kim_text type = kim_json_text_of(kim_json_get(line, "compare"), "type");
    const azure_model *m = engine_compiled(&azure_engine, es, err);
    if (m == NULL)
        return -1;
    if (!kim_text_is_absent(type) && !kim_text_is(type, "role") && !kim_text_is(type, "role_definition") && !kim_text_is(type, "role_definitions"))
        return kim_fail(err, KIM_ERR_INPUT, "compare: type '%.*s' is none; write role", (int)(type.size < 64 ? type.size : 64), type.bytes);
    if (!kim_text_is_absent(m->first_unread))
        return fail_unread(m, err);
    comparison c = {.m = m, .arena = kim_arena_new(COMPARE_MAX_BYTES), .scratch = kim_arena_new(COMPARE_MAX_BYTES), .complete = true,
                    .roles = {role_named(m, "reference"), role_named(m, "candidate")}};
    bool good = c.arena && c.scratch && c.roles[0] && c.roles[1];
    for (int universe = 0; good && universe < AZURE_UNIVERSES; universe++)
        good = compare_plane(&c, (azure_universe)universe);
    if (good)
        write_answer(&c, writer);
    kim_arena_free(c.arena);
    kim_arena_free(c.scratch);
    free(c.states);
    free(c.slots);
    return good ? 0 : kim_fail(err, KIM_ERR_NOMEM, "no memory to compare roles");
}

/* ---- expand ---- */

typedef struct operation_list {
    kim_arena *arena;
    kim_text *names; /* [count] lower case */
    bool *data;
    size_t count, room;
} operation_list;

/* {"name","isDataAction"}, a name alone (either plane then), or a provider with its operations inside. */
static void gather_operations(operation_list *out, const kim_json *value, int depth)
{
    static const char *const inner[] = {"operations", "resourceTypes", "value"};
    if (depth > OPERATIONS_MAX_DEPTH)
        return;
    if (kim_json_is(value, KIM_JSON_ARRAY)) {
        for (size_t i = 0; i < value->count; i++)
            gather_operations(out, &value->items[i], depth + 1);
        return;
    }
    bool has_inner = false;
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++) {
        const kim_json *list = kim_json_get(value, inner[i]);
        has_inner = has_inner || list;
        if (list)
            gather_operations(out, list, depth + 1);
    }
    kim_text name = kim_json_is(value, KIM_JSON_STRING) ? value->text : kim_json_text_of(value, "name");
    if (has_inner || name.size == 0 || out->count == out->room)
        return;
    out->names[out->count] = kim_text_lower(out->arena, name);
    out->data[out->count++] = kim_json_bool(kim_json_get(value, "isDataAction"), false);
}

static size_t count_values(const kim_json *value, int depth)
{
    size_t total = 1;
    if (depth <= OPERATIONS_MAX_DEPTH && kim_json_is(value, KIM_JSON_ARRAY))
        for (size_t i = 0; i < value->count; i++)
            total += count_values(&value->items[i], depth + 1);
    if (depth <= OPERATIONS_MAX_DEPTH && kim_json_is(value, KIM_JSON_OBJECT))
        for (size_t i = 0; i < value->count; i++)
            total += count_values(value->members[i].value, depth + 1);
    return total;
}

static bool names_it(const azure_model *m, const azure_permission *p, kim_text action)
{
    bool named = false;
    for (size_t i = 0; i < p->action_count && !named; i++)
        named = azure_action_match(text_map_text(m->patterns, p->actions[i]), action);
    for (size_t i = 0; i < p->not_action_count && named; i++)
        named = !azure_action_match(text_map_text(m->patterns, p->not_actions[i]), action);
    return named;
}

static bool is_removed(const azure_model *m, const azure_permission *p, kim_text pattern)
{
    for (size_t i = 0; i < p->not_action_count; i++)
        if (glob_relate(pattern, text_map_text(m->patterns, p->not_actions[i])) == GLOB_WITHIN)
            return true;
    return false;
}

/* One plane's actions, sorted: operations that the role has, or its patterns where none are given. */
static int write_plane(const azure_model *m, const azure_role *role, azure_universe universe, const operation_list *known, const char *name,
                       kim_arena *arena, kim_json_writer *writer, kim_error *err)
{
    name_list list = {.arena = arena};
    for (size_t i = 0; i < role->count; i++) {
        const azure_permission *p = &role->permissions[i];
        if (p->universe != universe)
            continue;
        for (size_t k = 0; k < known->count; k++)
            if (known->data[k] == (universe == AZURE_DATA) && names_it(m, p, known->names[k]))
                name_list_add(&list, known->names[k]);
        for (size_t k = 0; known->count == 0 && k < p->action_count; k++)
            if (!is_removed(m, p, text_map_text(m->patterns, p->actions[k])))
                name_list_add(&list, text_map_text(m->patterns, p->actions[k]));
    }
    name_list_settle(&list);
    if (list.failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a list of actions");
    kim_json_key(writer, name);
    static const kim_text nothing[1];
    kim_json_put_texts(writer, (kim_texts){list.count ? list.items : nothing, list.count});
    return 0;
}

int azure_expand(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    const azure_model *m = engine_compiled(&azure_engine, es, err);
    if (m == NULL)
        return -1;
    if (!kim_text_is_absent(m->first_unread))
        return fail_unread(m, err);
    const azure_role *role = role_named(m, "document");
    const kim_json *operations = kim_json_get(line, "operations");
    operation_list known = {.arena = kim_arena_new(COMPARE_MAX_BYTES), .room = operations ? count_values(operations, 0) : 0};
    int result = 0;
    if (known.arena) {
        known.names = KIM_NEW_ARRAY(known.arena, kim_text, known.room + 1);
        known.data = KIM_NEW_ARRAY(known.arena, bool, known.room + 1);
    }
    if (known.arena == NULL || known.names == NULL || known.data == NULL || role == NULL)
        result = kim_fail(err, KIM_ERR_NOMEM, "no memory for a list of actions");
    else if (operations)
        gather_operations(&known, operations, 0);
    bool directory = role && role->count && role->permissions[0].universe == AZURE_DIRECTORY;
    if (result == 0)
        result = write_plane(m, role, directory ? AZURE_DIRECTORY : AZURE_CONTROL, &known, "actions", known.arena, writer, err);
    if (result == 0 && !directory)
        result = write_plane(m, role, AZURE_DATA, &known, "data_actions", known.arena, writer, err);
    kim_arena_free(known.arena);
    return result;
}
