/* SPDX-License-Identifier: Apache-2.0
 *
 * samples.c - all patterns walked at once, breadth first, so that each kind of text is met at its shortest.
 *
 * A state is the set of positions reached in every pattern. From a state only characters matter that some
 * pattern waits for there, and one of each sort that none does.
 */
#include "controller/evaluate/samples.h"

#include <stdlib.h>

typedef struct state {
    uint32_t from;
    uint8_t letter;
} state;

typedef struct walk {
    const units *patterns; /* [count], the last is `within` */
    size_t count, words;   /* words of a state's sets */
    size_t *offsets;       /* [count] the first bit of each pattern's positions */
    uint64_t *sets;        /* [total][words] */
    state *states;
    size_t total, capacity;
    uint32_t *table;
    size_t table_size;
    uint8_t others[3];     /* a letter, a digit, another: none of them in any pattern */
    size_t other_count;
} walk;

static bool has(const uint64_t *set, size_t bit)
{
    return set[bit / 64] >> (bit % 64) & 1;
}

static bool is_run(uint16_t unit)
{
    return unit == UNIT_ANY_RUN || unit == UNIT_RUN_IN_PART;
}

static bool accepts(uint16_t unit, uint8_t letter)
{
    switch (unit) {
    case UNIT_ANY_RUN:
    case UNIT_ANY_ONE:
        return true;
    case UNIT_RUN_IN_PART:
    case UNIT_ONE_IN_PART:
        return letter != ':';
    case UNIT_ONE_DIGIT:
        return letter >= '0' && letter <= '9';
    default:
        return unit >= UNIT_LETTER ? (unit - UNIT_LETTER) == (letter >= 'A' && letter <= 'Z' ? letter + 32 : letter) : unit == letter;
    }
}

static void reach(const walk *w, size_t p, size_t position, uint64_t *set)
{
    size_t bit = w->offsets[p] + position;
    set[bit / 64] |= UINT64_C(1) << (bit % 64);
    if (position < w->patterns[p].count && is_run(w->patterns[p].items[position]))
        reach(w, p, position + 1, set);
}

static void step(const walk *w, const uint64_t *from, uint8_t letter, uint64_t *to)
{
    memset(to, 0, w->words * sizeof *to);
    for (size_t p = 0; p < w->count; p++)
        for (size_t i = 0; i < w->patterns[p].count; i++) {
            uint16_t unit = w->patterns[p].items[i];
            if (has(from, w->offsets[p] + i) && accepts(unit, letter))
                reach(w, p, is_run(unit) ? i : i + 1, to);
        }
}

/* Can a text still get to the end of `within`? */
static bool is_alive(const walk *w, const uint64_t *set)
{
    size_t p = w->count - 1;
    for (size_t i = 0; i <= w->patterns[p].count; i++)
        if (has(set, w->offsets[p] + i))
            return true;
    return false;
}

static size_t hash(const uint64_t *set, size_t words)
{
    uint64_t h = 0;
    for (size_t i = 0; i < words; i++) {
        h = (h ^ set[i]) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 31;
    }
    return (size_t)h;
}

/* 1 where there is no room for more states, -1 without memory. */
static int visit(walk *w, const uint64_t *set, uint32_t from, uint8_t letter)
{
    size_t at = hash(set, w->words) & (w->table_size - 1);
    for (; w->table[at]; at = (at + 1) & (w->table_size - 1))
        if (memcmp(w->sets + (size_t)(w->table[at] - 1) * w->words, set, w->words * sizeof *set) == 0)
            return 0;
    if (w->total == SAMPLES_MAX_STATES)
        return 1;
    if (w->total == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 256;
        uint64_t *sets = realloc(w->sets, capacity * w->words * sizeof *sets);
        if (sets)
            w->sets = sets;
        state *states = realloc(w->states, capacity * sizeof *states);
        if (states)
            w->states = states;
        if (sets == NULL || states == NULL)
            return -1;
        w->capacity = capacity;
    }
    memcpy(w->sets + w->total * w->words, set, w->words * sizeof *set);
    w->states[w->total] = (state){from, letter};
    w->table[at] = (uint32_t)++w->total;
    return 0;
}

/* Characters that no pattern names: they stand for all such. */
static void find_others(walk *w)
{
    static const char *const sorts[] = {"xyzkqwvjhgufbdmnprtaceilos", "9876543210", "-_+=@,/XYZKQ"};
    bool named[256] = {false};
    for (size_t p = 0; p < w->count; p++)
        for (size_t i = 0; i < w->patterns[p].count; i++) {
            uint16_t unit = w->patterns[p].items[i];
            if (unit < 256)
                named[unit] = true;
            else if (unit >= UNIT_LETTER)
                named[unit - UNIT_LETTER] = named[unit - UNIT_LETTER - 32] = true;
        }
    for (size_t s = 0; s < sizeof sorts / sizeof *sorts; s++)
        for (const char *c = sorts[s]; *c; c++)
            if (!named[(unsigned char)*c]) {
                w->others[w->other_count++] = (uint8_t)*c;
                break;
            }
}

static size_t next_letters(const walk *w, const uint64_t *set, uint8_t letters[260])
{
    bool wanted[256] = {false};
    size_t count = 0;
    for (size_t p = 0; p < w->count; p++)
        for (size_t i = 0; i < w->patterns[p].count; i++) {
            uint16_t unit = w->patterns[p].items[i];
            if (!has(set, w->offsets[p] + i))
                continue;
            if (unit < 256)
                wanted[unit] = true;
            else if (unit >= UNIT_LETTER)
                wanted[unit - UNIT_LETTER] = true;
            else if (unit == UNIT_RUN_IN_PART || unit == UNIT_ONE_IN_PART)
                wanted[':'] = true;
        }
    for (size_t i = 0; i < w->other_count; i++)
        letters[count++] = w->others[i];
    for (int c = 0; c < 256; c++)
        if (wanted[c])
            letters[count++] = (uint8_t)c;
    return count;
}

static int explore(walk *w, bool *complete)
{
    uint64_t *next = calloc(w->words, sizeof *next);
    int result = next ? 0 : -1;
    for (size_t p = 0; p < w->count && next; p++)
        reach(w, p, 0, next);
    if (next)
        result = visit(w, next, 0, 0);
    for (size_t i = 0; i < w->total && result == 0; i++) {
        uint8_t letters[260];
        size_t count = next_letters(w, w->sets + i * w->words, letters);
        for (size_t k = 0; k < count && result == 0; k++) {
            step(w, w->sets + i * w->words, letters[k], next);
            if (is_alive(w, next))
                result = visit(w, next, (uint32_t)i, letters[k]);
        }
    }
    *complete &= result == 0;
    free(next);
    return result < 0 ? -1 : 0;
}

static kim_text spell(const walk *w, size_t index, kim_arena *arena)
{
    size_t size = 0;
    for (size_t at = index; at != 0; at = w->states[at].from)
        size++;
    char *bytes = kim_arena_bytes(arena, size + 1);
    if (bytes == NULL)
        return KIM_NO_TEXT;
    bytes[size] = '\0';
    size_t left = size;
    for (size_t at = index; at != 0; at = w->states[at].from)
        bytes[--left] = (char)w->states[at].letter;
    return (kim_text){bytes, size};
}

int samples_add(samples *out, kim_text text, kim_arena *arena)
{
    if (kim_text_is_absent(text))
        return -1;
    if (out->count == out->capacity) {
        size_t capacity = out->capacity ? out->capacity * 2 : 16;
        kim_text *items = KIM_NEW_ARRAY(arena, kim_text, capacity);
        if (items == NULL)
            return -1;
        if (out->count)
            memcpy(items, out->items, out->count * sizeof *items);
        out->items = items;
        out->capacity = capacity;
    }
    out->items[out->count++] = text;
    return 0;
}

static bool matches(units pattern, kim_text text)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.size) {
        if (p < pattern.count && is_run(pattern.items[p])) {
            star = p++;
            resume = t;
        } else if (p < pattern.count && accepts(pattern.items[p], (uint8_t)text.bytes[t])) {
            p++;
            t++;
        } else if (star != SIZE_MAX && accepts(pattern.items[star], (uint8_t)text.bytes[resume])) {
            p = star + 1;
            t = ++resume;
        } else {
            return false;
        }
    }
    while (p < pattern.count && is_run(pattern.items[p]))
        p++;
    return p == pattern.count;
}

/* The vectors of matches that are taken already. */
typedef struct vectors {
    uint64_t *items; /* [count][words] */
    size_t count, words;
} vectors;

static bool is_taken(const vectors *v, const uint64_t *vector)
{
    for (size_t i = 0; i < v->count; i++)
        if (memcmp(v->items + i * v->words, vector, v->words * sizeof *vector) == 0)
            return true;
    return false;
}

static int take(vectors *v, const uint64_t *vector)
{
    uint64_t *items = realloc(v->items, (v->count + 1) * v->words * sizeof *items);
    if (items == NULL)
        return -1;
    v->items = items;
    memcpy(items + v->count++ * v->words, vector, v->words * sizeof *vector);
    return 0;
}

/* A text of the pattern that looks like one: a word for each run, in an ARN what stands in such a part. Absent
 * without memory. */
static kim_text nice_text(units pattern, kim_arena *arena)
{
    static const kim_text by_part[] = {
        {"arn", 3}, {"aws", 3}, {"s3", 2}, {"us-east-1", 9}, {"111122223333", 12}, {"kim-example", 11},
    };
    static const kim_text word = {"kim-example", 11};
    char *bytes = kim_arena_bytes(arena, pattern.count * word.size + 1 + word.size);
    size_t size = 0, part = 0;
    for (size_t i = 0; bytes && i < pattern.count; i++) {
        uint16_t unit = pattern.items[i];
        bool is_one = unit == UNIT_ANY_ONE || unit == UNIT_ONE_IN_PART;
        if (is_one && i + 1 < pattern.count && is_run(pattern.items[i + 1]))
            continue; /* "?*" is some text */
        if (is_run(unit)) {
            const kim_text *text = unit == UNIT_RUN_IN_PART ? &by_part[part] : &word;
            memcpy(bytes + size, text->bytes, text->size);
            size += text->size;
            continue;
        }
        part += unit == ':' && part + 1 < sizeof by_part / sizeof *by_part;
        bytes[size++] = is_one ? (part == 4 ? '1' : 'x') : unit == UNIT_ONE_DIGIT ? '1' : (char)(unit >= UNIT_LETTER ? unit - UNIT_LETTER : unit);
    }
    return bytes ? (kim_text){bytes, size} : KIM_NO_TEXT;
}

static void match_all(const walk *w, kim_text text, vectors *v, uint64_t *vector)
{
    memset(vector, 0, v->words * sizeof *vector);
    for (size_t p = 0; p < w->count; p++)
        vector[p / 64] |= (uint64_t)matches(w->patterns[p], text) << (p % 64);
}

/* The patterns' own texts come before the shortest of a kind. */
static int choose_nice(const walk *w, vectors *v, uint64_t *vector, kim_arena *arena, samples *out)
{
    for (size_t p = 0; p < w->count; p++) {
        kim_text text = nice_text(w->patterns[p], arena);
        if (kim_text_is_absent(text))
            return -1;
        match_all(w, text, v, vector);
        size_t last = w->count - 1;
        if ((vector[last / 64] >> (last % 64) & 1) && !is_taken(v, vector) && (take(v, vector) < 0 || samples_add(out, text, arena) < 0))
            return -1;
    }
    return 0;
}

static int choose(const walk *w, kim_arena *arena, samples *out)
{
    vectors v = {.words = w->count / 64 + 1};
    uint64_t *vector = calloc(v.words, sizeof *vector);
    int result = vector ? 0 : -1;
    for (size_t i = 0; i < out->count && result == 0; i++) { /* what is there already */
        match_all(w, out->items[i], &v, vector);
        if (!is_taken(&v, vector))
            result = take(&v, vector);
    }
    if (result == 0)
        result = choose_nice(w, &v, vector, arena, out);
    for (size_t i = 0; i < w->total && result == 0; i++) {
        const uint64_t *set = w->sets + i * w->words;
        memset(vector, 0, v.words * sizeof *vector);
        for (size_t p = 0; p < w->count; p++)
            vector[p / 64] |= (uint64_t)has(set, w->offsets[p] + w->patterns[p].count) << (p % 64);
        size_t last = w->count - 1;
        if (!(vector[last / 64] >> (last % 64) & 1) || is_taken(&v, vector))
            continue;
        result = take(&v, vector) < 0 ? -1 : samples_add(out, spell(w, i, arena), arena);
    }
    free(v.items);
    free(vector);
    return result;
}

int samples_find(const units *patterns, size_t count, units within, kim_arena *arena, samples *out)
{
    walk w = {.count = count + 1, .table_size = 65536};
    units *all = KIM_NEW_ARRAY(arena, units, count + 1);
    w.offsets = KIM_NEW_ARRAY(arena, size_t, count + 1);
    w.table = calloc(w.table_size, sizeof *w.table);
    int result = all && w.offsets && w.table ? 0 : -1;
    if (result == 0) {
        size_t bits = 0;
        if (count)
            memcpy(all, patterns, count * sizeof *all);
        all[count] = within;
        w.patterns = all;
        for (size_t p = 0; p <= count; p++) {
            w.offsets[p] = bits;
            bits += all[p].count + 1;
        }
        w.words = bits / 64 + 1;
        find_others(&w);
        result = explore(&w, &out->is_complete);
    }
    if (result == 0)
        result = choose(&w, arena, out);
    free(w.sets);
    free(w.states);
    free(w.table);
    return result;
}

units units_of_arn(kim_text pattern, bool extend, kim_arena *arena)
{
    enum { EXTRA = 16 };
    uint16_t *items = KIM_NEW_ARRAY(arena, uint16_t, pattern.size + EXTRA);
    size_t colons = 0, count = 0;
    if (items == NULL)
        return (units){NULL, 0};
    bool everything = kim_text_is(pattern, "*");
    for (size_t i = 0; i < pattern.size; i++) {
        unsigned char c = (unsigned char)pattern.bytes[i];
        bool last = colons >= 5 || everything;
        colons += c == ':';
        items[count++] = c == '*' ? (last ? UNIT_ANY_RUN : UNIT_RUN_IN_PART) : c == '?' ? (last ? UNIT_ANY_ONE : UNIT_ONE_IN_PART) : c;
    }
    for (; extend && !everything && colons < 5; colons++) {
        items[count++] = ':';
        items[count++] = colons == 4 ? UNIT_ANY_RUN : UNIT_RUN_IN_PART;
    }
    return (units){items, count};
}

units units_nocase(units pattern, kim_arena *arena)
{
    uint16_t *items = KIM_NEW_ARRAY(arena, uint16_t, pattern.count ? pattern.count : 1);
    for (size_t i = 0; items && i < pattern.count; i++) {
        uint16_t u = pattern.items[i];
        if (u >= 'A' && u <= 'Z')
            u = (uint16_t)(u + 32);
        items[i] = u >= 'a' && u <= 'z' ? (uint16_t)(UNIT_LETTER + u) : u;
    }
    return (units){items, items ? pattern.count : 0};
}
