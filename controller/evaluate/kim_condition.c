/* SPDX-License-Identifier: Apache-2.0
 *
 * kim_condition.c - a condition is read once into a tree; after the first fault every step of the reader gives nothing.
 */
#include "controller/evaluate/kim_condition.h"

#include <kim/time.h>

#include <math.h>
#include <stdlib.h>

typedef enum test_kind { TEST_HAS, TEST_EQUAL, TEST_LESS, TEST_NOT, TEST_ANY, TEST_ALL, TEST_TRUE, TEST_FALSE } test_kind;

struct kim_test {
    test_kind kind;
    kim_text key, op;          /* op as written: "==", "in", "<" ... */
    kim_texts values;          /* of EQUAL any; of LESS one */
    const bool *are_bare;      /* [values.count]: a number without quotes */
    const kim_test *const *items; /* [count] of NOT, ANY, ALL */
    size_t count;
};

typedef struct reader {
    kim_text text;
    size_t at;
    int depth, parts;
    kim_arena *arena;
    const char *fault;
} reader;

/* ---- reading: words ---- */

static const kim_test *fail(reader *r, const char *fault)
{
    r->fault = r->fault ? r->fault : fault;
    return NULL;
}

static void skip(reader *r)
{
    while (r->at < r->text.size && memchr(" \t\r\n", r->text.bytes[r->at], 4))
        r->at++;
}

static bool take(reader *r, const char *token)
{
    size_t size = strlen(token);
    skip(r);
    if (r->text.size - r->at < size || memcmp(r->text.bytes + r->at, token, size) != 0)
        return false;
    r->at += size;
    return true;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_.:/-@$", c));
}

/* The word that comes next, which stays to be read. */
static kim_text peek_word(reader *r)
{
    skip(r);
    size_t end = r->at;
    while (end < r->text.size && is_name(r->text.bytes[end]))
        end++;
    return (kim_text){r->text.bytes + r->at, end - r->at};
}

static kim_text read_word(reader *r, const char *fault)
{
    kim_text word = peek_word(r);
    if (word.size == 0)
        fail(r, fault);
    r->at += word.size;
    return word;
}

/* Where the quote that was opened before `at` closes; text.size: nowhere. */
static size_t quote_end(const reader *r, size_t at, char quote, size_t *escapes)
{
    for (*escapes = 0; at < r->text.size && r->text.bytes[at] != quote; at++)
        if (r->text.bytes[at] == '\\' && at + 1 < r->text.size) {
            ++*escapes;
            at++;
        }
    return at;
}

static kim_text read_quoted(reader *r, char quote)
{
    size_t start = r->at + 1, escapes, end = quote_end(r, start, quote, &escapes);
    if (end == r->text.size) {
        fail(r, "a quote is not closed");
        return KIM_NO_TEXT;
    }
    r->at = end + 1;
    if (escapes == 0)
        return (kim_text){r->text.bytes + start, end - start};
    char *copy = kim_arena_bytes(r->arena, end - start);
    size_t size = 0;
    for (size_t i = start; copy && i < end; i++) {
        i += r->text.bytes[i] == '\\';
        copy[size++] = r->text.bytes[i];
    }
    return (kim_text){copy, size};
}

static bool is_number(kim_text text, double *out)
{
    char copy[64], *end;
    if (text.size == 0 || text.size >= sizeof copy || strchr("+-.0123456789", text.bytes[0]) == NULL)
        return false; /* no "inf", no "nan", no leading space */
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0' && strpbrk(copy, "xX") == NULL && isfinite(*out);
}

/* Without quotes 3 and 3.0 are one number, written one way. */
static kim_text canonical(reader *r, kim_text word, bool *is_number_word)
{
    double value;
    *is_number_word = is_number(word, &value);
    if (!*is_number_word)
        return word;
    kim_text brief = kim_text_format(r->arena, "%.15g", value);
    double again;
    return !kim_text_is_absent(brief) && is_number(brief, &again) && again == value ? brief : kim_text_format(r->arena, "%.17g", value);
}

/* *is_bare: a number without quotes. */
static kim_text read_value(reader *r, bool *is_bare)
{
    if (++r->parts > KIM_CONDITION_MAX_PARTS)
        fail(r, "it has more values than may be");
    skip(r);
    char c = r->at < r->text.size ? r->text.bytes[r->at] : '\0';
    *is_bare = false;
    if (c == '"' || c == '\'')
        return read_quoted(r, c);
    return canonical(r, read_word(r, "a value is missing: a text in quotes, a number or a word"), is_bare);
}

/* ---- reading: tests ---- */

static const kim_test *make(reader *r, kim_test value)
{
    kim_test *t = KIM_NEW(r->arena, kim_test);
    if (t == NULL)
        return fail(r, "no memory");
    *t = value;
    return t;
}

/* How many values a list that begins here can have at most: one more than its commas. */
static size_t list_room(const reader *r)
{
    size_t room = 1;
    for (size_t i = r->at; i < r->text.size && r->text.bytes[i] != ']'; i++)
        room += r->text.bytes[i] == ',';
    return room;
}

static const kim_test *read_list(reader *r, kim_text key)
{
    if (!take(r, "["))
        return fail(r, "a list is missing: write [\"a\", \"b\"]");
    size_t room = list_room(r), count = 0;
    kim_text *items = KIM_NEW_ARRAY(r->arena, kim_text, room);
    bool *bare = KIM_NEW_ARRAY(r->arena, bool, room);
    while (items && bare && !r->fault && !take(r, "]")) {
        if (count && !take(r, ","))
            return fail(r, "a comma is missing");
        if (count == room) { /* a ']' within quotes: there is more than was counted */
            kim_text *more = KIM_NEW_ARRAY(r->arena, kim_text, room * 2);
            bool *more_bare = KIM_NEW_ARRAY(r->arena, bool, room * 2);
            if (more == NULL || more_bare == NULL)
                return fail(r, "no memory");
            items = memcpy(more, items, room * sizeof *items);
            bare = memcpy(more_bare, bare, room * sizeof *bare);
            room *= 2;
        }
        items[count] = read_value(r, &bare[count]);
        count++;
    }
    return r->fault ? NULL : make(r, (kim_test){.kind = TEST_EQUAL, .key = key, .op = KIM_TEXT("in"), .values = {items, count}, .are_bare = bare});
}

static const kim_test *negated(reader *r, const kim_test *t)
{
    const kim_test **items = (const kim_test **)kim_arena_alloc(r->arena, sizeof *items);
    if (t == NULL || items == NULL)
        return fail(r, "no memory");
    items[0] = t;
    return make(r, (kim_test){.kind = TEST_NOT, .items = items, .count = 1});
}

static const kim_test *read_comparison(reader *r)
{
    static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">"};
    kim_text key = read_word(r, "a name is missing");
    if (kim_text_is(peek_word(r), "in")) {
        r->at += 2;
        return read_list(r, key);
    }
    for (size_t i = 0; i < sizeof ops / sizeof *ops && !r->fault; i++) {
        if (!take(r, ops[i]))
            continue;
        kim_text *value = KIM_NEW(r->arena, kim_text);
        bool *bare = KIM_NEW(r->arena, bool);
        if (value == NULL || bare == NULL)
            return fail(r, "no memory");
        *value = read_value(r, bare);
        kim_test t = {.kind = i < 2 ? TEST_EQUAL : TEST_LESS, .key = key, .op = kim_text_of(i == 1 ? "==" : ops[i]), .values = {value, 1}, .are_bare = bare};
        const kim_test *made = r->fault ? NULL : make(r, t);
        return made && i == 1 ? negated(r, made) : made;
    }
    return fail(r, "a comparison is missing: write == != < <= > >= or in");
}

static const kim_test *read_either(reader *r);

/* Goes past a word and the parenthesis behind it, if there is one. */
static bool opens_after(reader *r, kim_text word)
{
    size_t start = r->at;
    r->at += word.size;
    bool opens = take(r, "(");
    r->at = opens ? r->at : start;
    return opens;
}

static const kim_test *read_one(reader *r)
{
    const kim_test *t;
    if (++r->depth > KIM_CONDITION_MAX_DEPTH)
        return fail(r, "it nests too deep");
    if (++r->parts > KIM_CONDITION_MAX_PARTS)
        return fail(r, "it has more tests than may be");
    kim_text word = peek_word(r);
    if (take(r, "!")) {
        t = read_one(r);
        t = t ? negated(r, t) : NULL;
    } else if (take(r, "(")) {
        t = read_either(r);
        if (t && !take(r, ")"))
            t = fail(r, "a ) is missing");
    } else if (kim_text_is(word, "has") && opens_after(r, word)) {
        kim_text key = read_word(r, "a name is missing");
        t = !r->fault && take(r, ")") ? make(r, (kim_test){.kind = TEST_HAS, .key = key}) : fail(r, "a ) is missing");
    } else if (kim_text_is(word, "true") || kim_text_is(word, "false")) {
        r->at += word.size;
        t = make(r, (kim_test){.kind = kim_text_is(word, "true") ? TEST_TRUE : TEST_FALSE});
    } else {
        t = read_comparison(r);
    }
    r->depth--;
    return r->fault ? NULL : t;
}

/* One or more of what `part` reads, with `token` between. */
static const kim_test *read_row(reader *r, const kim_test *part(reader *), const char *token, test_kind kind)
{
    const kim_test *first = part(r), **items = NULL;
    size_t count = 1, room = 0;
    while (first && !r->fault && take(r, token)) {
        if (count >= room) {
            size_t wider = room ? room * 2 : 4;
            const kim_test **grown = (const kim_test **)kim_arena_array(r->arena, wider, sizeof *grown);
            if (grown == NULL)
                return fail(r, "no memory");
            if (items)
                memcpy(grown, items, count * sizeof *grown);
            grown[0] = first;
            items = grown;
            room = wider;
        }
        items[count++] = part(r);
    }
    if (r->fault || count == 1)
        return r->fault ? NULL : first;
    return make(r, (kim_test){.kind = kind, .items = items, .count = count});
}

static const kim_test *read_both(reader *r)
{
    return read_row(r, read_one, "&&", TEST_ALL);
}

static const kim_test *read_either(reader *r)
{
    return read_row(r, read_both, "||", TEST_ANY);
}

const kim_test *kim_test_read(kim_text text, kim_arena *arena, kim_error *err)
{
    reader r = {.text = text.bytes ? text : KIM_TEXT(""), .arena = arena};
    const kim_test *t = read_either(&r);
    skip(&r);
    if (!r.fault && r.at != r.text.size)
        fail(&r, "it goes on after its end");
    if (kim_arena_is_full(arena))
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a condition");
    else if (r.fault)
        kim_fail(err, KIM_ERR_INPUT, "condition, at byte %zu: %s", r.at, r.fault);
    return r.fault || kim_arena_is_full(arena) ? NULL : t;
}

/* ---- deciding ---- */

static bool equals(kim_text given, kim_text wanted, bool is_bare)
{
    double a, b;
    if (kim_text_equal(given, wanted))
        return true;
    return is_bare && is_number(given, &a) && is_number(wanted, &b) && a == b;
}

static bool is_time(kim_text text, double *out)
{
    int64_t at = kim_time_of_text(text);
    *out = (double)at;
    return at != 0;
}

static bool compares(kim_text given, kim_text op, kim_text wanted)
{
    double a, b;
    bool given_is_time = is_time(given, &a), wanted_is_time = is_time(wanted, &b);
    if (!(given_is_time || is_number(given, &a)) || !(wanted_is_time || is_number(wanted, &b)))
        return false;
    bool or_equal = op.size == 2;
    return (op.bytes[0] == '<' ? a < b : a > b) || (or_equal && a == b);
}

static bool holds(const kim_test *t, kim_text given)
{
    for (size_t i = 0; i < t->values.count; i++)
        if (t->kind == TEST_LESS ? compares(given, t->op, t->values.items[i]) : equals(given, t->values.items[i], t->are_bare[i]))
            return true;
    return false;
}

/* The test of the values of one kind: numbers, or texts. */
static const term *leave_kind(const kim_test *t, bool numbers, kim_arena *scratch)
{
    kim_text *values = KIM_NEW_ARRAY(scratch, kim_text, t->values.count + 1);
    size_t count = 0;
    for (size_t i = 0; values && i < t->values.count; i++)
        if (t->are_bare[i] == numbers)
            values[count++] = t->values.items[i];
    if (values == NULL || count == 0)
        return values ? &term_false : NULL;
    const term *left = term_condition(scratch, t->key, t->op, (kim_texts){values, count});
    if (left && numbers)
        ((term *)left)->text = KIM_TEXT("number"); /* == 3 is true of "3.0", == "3" is not */
    return left;
}

static const term *decide_comparison(const kim_test *t, key_value value, kim_arena *scratch)
{
    if ((value.state == KEY_UNKNOWN || value.state == KEY_PRESENT) && t->kind == TEST_LESS)
        return term_condition(scratch, t->key, t->op, t->values);
    if (value.state == KEY_UNKNOWN || value.state == KEY_PRESENT)
        return term_or(scratch, leave_kind(t, true, scratch), leave_kind(t, false, scratch));
    for (size_t i = 0; value.state == KEY_GIVEN && i < value.values.count; i++)
        if (holds(t, value.values.items[i]))
            return &term_true;
    return &term_false;
}

static const term *decide_has(const kim_test *t, key_value value, kim_arena *scratch)
{
    static const kim_text none;
    if (value.state == KEY_UNKNOWN)
        return term_condition(scratch, t->key, KIM_TEXT("has"), (kim_texts){&none, 0});
    return value.state == KEY_ABSENT ? &term_false : &term_true;
}

static const term *decide_row(const kim_test *t, kim_lookup_function *look, void *from, kim_arena *scratch)
{
    const term *stop = t->kind == TEST_ALL ? &term_false : &term_true;
    const term **items = (const term **)kim_arena_array(scratch, t->count, sizeof *items);
    for (size_t i = 0; items && i < t->count; i++) {
        items[i] = kim_test_decide(t->items[i], look, from, scratch);
        if (items[i] == stop)
            return stop;
    }
    if (items == NULL)
        return NULL;
    return t->kind == TEST_ALL ? term_all(scratch, items, t->count) : term_any(scratch, items, t->count);
}

const term *kim_test_decide(const kim_test *t, kim_lookup_function *look, void *from, kim_arena *scratch)
{
    switch (t->kind) {
    case TEST_TRUE:
        return &term_true;
    case TEST_FALSE:
        return &term_false;
    case TEST_HAS:
        return decide_has(t, look(from, t->key), scratch);
    case TEST_EQUAL:
    case TEST_LESS:
        return decide_comparison(t, look(from, t->key), scratch);
    case TEST_NOT:
        return term_not(scratch, kim_test_decide(t->items[0], look, from, scratch));
    default:
        return decide_row(t, look, from, scratch);
    }
}
