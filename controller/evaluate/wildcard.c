/* SPDX-License-Identifier: Apache-2.0
 *
 * wildcard.c - matching by one back-track point; relations by walking two automata side by side.
 *
 * A `*` that matched too little is simply tried again one character later, and only the last `*` needs
 * remembering: an earlier one cannot do better. For relations, a pattern is an automaton with one state
 * a position. Every text of `a` lies in `b` if no walk through `a` can reach its end while the set of
 * `b`'s positions reached by the same characters holds none at `b`'s end.
 */
#include "controller/evaluate/wildcard.h"

#include <stdlib.h>

static unsigned char fold(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static bool continues(unsigned char c) /* a code point's second or later byte */
{
    return (c & 0xC0) == 0x80;
}

static bool match(kim_text pattern, kim_text text, bool nocase)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.size) {
        unsigned char c = (unsigned char)text.bytes[t];
        if (p < pattern.size) {
            unsigned char w = (unsigned char)pattern.bytes[p];
            if (w == '*') {
                star = ++p;
                resume = t;
                if (p == pattern.size)
                    return true;
                continue;
            }
            if (w == '?') {
                do
                    t++;
                while (t < text.size && continues((unsigned char)text.bytes[t]));
                p++;
                continue;
            }
            if (w == c || (nocase && fold(w) == fold(c))) {
                p++;
                t++;
                continue;
            }
        }
        if (star == SIZE_MAX)
            return false;
        p = star;
        t = ++resume;
    }
    while (p < pattern.size && pattern.bytes[p] == '*')
        p++;
    return p == pattern.size;
}

bool glob_match(kim_text pattern, kim_text text)
{
    return match(pattern, text, false);
}

bool glob_match_nocase(kim_text pattern, kim_text text)
{
    return match(pattern, text, true);
}

bool glob_has_wildcard(kim_text pattern)
{
    return pattern.size && (memchr(pattern.bytes, '*', pattern.size) || memchr(pattern.bytes, '?', pattern.size));
}

size_t glob_literal(kim_text pattern)
{
    size_t i = 0;
    while (i < pattern.size && pattern.bytes[i] != '*' && pattern.bytes[i] != '?')
        i++;
    return i;
}

bool glob_match_after(kim_text pattern, size_t literal, kim_text text)
{
    if (text.size < literal || (literal && memcmp(pattern.bytes, text.bytes, literal) != 0))
        return false;
    return match((kim_text){pattern.bytes + literal, pattern.size - literal}, (kim_text){text.bytes + literal, text.size - literal}, false);
}

bool units_match(units pattern, kim_text text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.size) {
        if (p < pattern.count) {
            uint16_t w = pattern.items[p];
            if (w == UNIT_ANY_RUN) {
                star = ++p;
                resume = t;
                continue;
            }
            if (w == UNIT_ANY_ONE) {
                do
                    t++;
                while (t < text.size && continues((unsigned char)text.bytes[t]));
                p++;
                continue;
            }
            if (w == (unsigned char)text.bytes[t]) {
                p++;
                t++;
                continue;
            }
        }
        if (star == SIZE_MAX)
            return false;
        p = star;
        t = ++resume;
    }
    while (p < pattern.count && pattern.items[p] == UNIT_ANY_RUN)
        p++;
    return p == pattern.count;
}

static units make_units(kim_text text, bool wild, kim_arena *arena)
{
    uint16_t *items = kim_arena_array(arena, text.size ? text.size : 1, sizeof *items);
    if (items == NULL)
        return (units){NULL, 0};
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        items[i] = wild && c == '*' ? UNIT_ANY_RUN : wild && c == '?' ? UNIT_ANY_ONE : c;
    }
    return (units){items, text.size};
}

units units_of_pattern(kim_text pattern, kim_arena *arena)
{
    return make_units(pattern, true, arena);
}

units units_of_text(kim_text text, kim_arena *arena)
{
    return make_units(text, false, arena);
}

/* ---- relations ---- */

/* A walk's state: a position in `a`, and the set of positions in `b` as bits. */
typedef struct walk {
    units a, b;
    size_t words;      /* of a set: positions 0..b.count */
    uint64_t *states;  /* [count][1 + words]: the position, then the set */
    size_t count, capacity;
    uint32_t *table;   /* open hash of state index + 1 */
    size_t table_size;
    bool overflow;
} walk;

static void set_add(uint64_t *set, size_t i)
{
    set[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool set_has(const uint64_t *set, size_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

/* Adds a position and all that are reached from it by an empty run. */
static void set_close(units pattern, uint64_t *set, size_t at)
{
    set_add(set, at);
    while (at < pattern.count && pattern.items[at] == UNIT_ANY_RUN)
        set_add(set, ++at);
}

static uint64_t hash_words(const uint64_t *words, size_t count)
{
    uint64_t h = UINT64_C(0x9E3779B97F4A7C15);
    for (size_t i = 0; i < count; i++) {
        h ^= words[i];
        h *= UINT64_C(0xBF58476D1CE4E5B9);
        h ^= h >> 29;
    }
    return h;
}

static bool grow(walk *w)
{
    size_t row = 1 + w->words, capacity = w->capacity ? w->capacity * 2 : 64;
    if (capacity > GLOB_MAX_STATES || capacity * row > GLOB_MAX_STATES * 16)
        return false;
    uint64_t *states = realloc(w->states, capacity * row * sizeof *states);
    if (states == NULL)
        return false;
    w->states = states;
    uint32_t *table = calloc(capacity * 2, sizeof *table);
    if (table == NULL)
        return false;
    free(w->table);
    w->table = table;
    w->table_size = capacity * 2;
    w->capacity = capacity;
    for (size_t i = 0; i < w->count; i++) {
        size_t at = hash_words(states + i * row, row) & (w->table_size - 1);
        while (table[at])
            at = (at + 1) & (w->table_size - 1);
        table[at] = (uint32_t)i + 1;
    }
    return true;
}

static void visit(walk *w, size_t position, const uint64_t *set)
{
    size_t row = 1 + w->words;
    if (w->count == w->capacity && !grow(w)) {
        w->overflow = true;
        return;
    }
    uint64_t *fresh = w->states + w->count * row;
    fresh[0] = position;
    memcpy(fresh + 1, set, w->words * sizeof *set);
    size_t at = hash_words(fresh, row) & (w->table_size - 1);
    while (w->table[at]) {
        if (memcmp(w->states + (size_t)(w->table[at] - 1) * row, fresh, row * sizeof *fresh) == 0)
            return;
        at = (at + 1) & (w->table_size - 1);
    }
    w->table[at] = (uint32_t)++w->count;
}

/* Where `b`'s positions go on one character: a byte, or -1 for one that no pattern names. */
static bool step(const walk *w, const uint64_t *from, int c, uint64_t *to)
{
    memset(to, 0, w->words * sizeof *to);
    bool any = false;
    for (size_t i = 0; i < w->b.count; i++) {
        if (!set_has(from, i))
            continue;
        uint16_t unit = w->b.items[i];
        if (unit == UNIT_ANY_RUN)
            set_close(w->b, to, i), any = true;
        else if (unit == UNIT_ANY_ONE || (c >= 0 && unit == c))
            set_close(w->b, to, i + 1), any = true;
    }
    return any;
}

/* The characters that can tell positions apart: those either pattern names, and one that none does.
 * Multi-byte characters are taken byte by byte: a `?` against part of one is settled by the caller's
 * patterns being UTF-8, where it can only make GLOB_WITHIN into GLOB_OVERLAPS. */
static size_t alphabet(units a, units b, int letters[257])
{
    bool seen[256] = {false};
    size_t count = 0;
    const units both[2] = {a, b};
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < both[k].count; i++) {
            uint16_t unit = both[k].items[i];
            if (unit < 256 && !seen[unit]) {
                seen[unit] = true;
                letters[count++] = unit;
            }
        }
    letters[count++] = -1;
    return count;
}

/* Goes from one state along every character its position in `a` allows. */
static void expand(walk *w, size_t index, const int *letters, size_t letter_count, uint64_t *next)
{
    size_t row = 1 + w->words;
    size_t position = (size_t)w->states[index * row];
    if (position == w->a.count)
        return;
    uint16_t unit = w->a.items[position];
    if (unit == UNIT_ANY_RUN) { /* an empty run: on to the next position with the same set */
        memcpy(next, w->states + index * row + 1, w->words * sizeof *next);
        visit(w, position + 1, next);
    }
    for (size_t k = 0; k < letter_count && !w->overflow; k++) {
        if (unit < 256 && letters[k] != unit)
            continue;
        step(w, w->states + index * row + 1, letters[k], next);
        visit(w, unit == UNIT_ANY_RUN ? position : position + 1, next);
    }
}

glob_relation units_relate(units a, units b)
{
    walk w = {.a = a, .b = b, .words = b.count / 64 + 1};
    int letters[257];
    size_t letter_count = alphabet(a, b, letters);
    bool inside = false, outside = false;
    uint64_t *next = calloc(w.words, sizeof *next);
    if (next == NULL)
        return GLOB_OVERLAPS;
    set_close(b, next, 0);
    visit(&w, 0, next);
    for (size_t i = 0; i < w.count && !(inside && outside) && !w.overflow; i++) {
        const uint64_t *state = w.states + i * (1 + w.words);
        if (state[0] == a.count) {
            if (set_has(state + 1, b.count))
                inside = true;
            else
                outside = true;
        }
        expand(&w, i, letters, letter_count, next);
    }
    glob_relation relation = w.overflow || (inside && outside) ? GLOB_OVERLAPS
                             : inside                         ? GLOB_WITHIN
                                                              : GLOB_DISJOINT;
    free(next);
    free(w.states);
    free(w.table);
    return relation;
}

glob_relation glob_relate(kim_text a, kim_text b)
{
    if (!glob_has_wildcard(a))
        return glob_match(b, a) ? GLOB_WITHIN : GLOB_DISJOINT;
    if (kim_text_equal(a, b) || kim_text_is(b, "*"))
        return GLOB_WITHIN;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    units ua = units_of_pattern(a, arena), ub = units_of_pattern(b, arena);
    glob_relation relation = ua.items && ub.items ? units_relate(ua, ub) : GLOB_OVERLAPS;
    kim_arena_free(arena);
    return relation;
}
