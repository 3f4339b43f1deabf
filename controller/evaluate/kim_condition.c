/* SPDX-License-Identifier: Apache-2.0
 *
 * kim_condition.c - read and decided in one descent; after the first fault every step gives nothing.
 */
#include "controller/evaluate/kim_condition.h"

#include <stdlib.h>

typedef struct reader {
    kim_text text;
    size_t at;
    int depth;
    kim_lookup_function *look;
    void *from;
    kim_arena *scratch;
    const char *fault;
} reader;

static void skip(reader *r)
{
    while (r->at < r->text.size && strchr(" \t\r\n", r->text.bytes[r->at]))
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

static kim_text read_name(reader *r)
{
    skip(r);
    size_t start = r->at;
    while (r->at < r->text.size && is_name(r->text.bytes[r->at]))
        r->at++;
    if (r->at == start && !r->fault)
        r->fault = "a name is missing";
    return (kim_text){r->text.bytes + start, r->at - start};
}

/* A text in quotes (with \" and \\), or a bare number, true or false. */
static kim_text read_value(reader *r)
{
    skip(r);
    if (r->at == r->text.size || r->text.bytes[r->at] != '"')
        return read_name(r);
    char *copy = kim_arena_bytes(r->scratch, r->text.size - r->at);
    size_t size = 0;
    for (r->at++; copy && r->at < r->text.size && r->text.bytes[r->at] != '"'; r->at++) {
        if (r->text.bytes[r->at] == '\\' && r->at + 1 < r->text.size)
            r->at++;
        copy[size++] = r->text.bytes[r->at];
    }
    if (r->at == r->text.size || copy == NULL)
        r->fault = r->fault ? r->fault : "a quote is not closed";
    else
        r->at++;
    return (kim_text){copy, size};
}

static kim_texts read_list(reader *r)
{
    kim_text *items = KIM_NEW_ARRAY(r->scratch, kim_text, r->text.size - r->at + 1);
    size_t count = 0;
    if (!take(r, "[") || items == NULL) {
        r->fault = r->fault ? r->fault : "a list is missing: write [\"a\", \"b\"]";
        return (kim_texts){items, 0};
    }
    while (!r->fault && !take(r, "]")) {
        if (count && !take(r, ","))
            r->fault = "a comma is missing";
        items[count++] = read_value(r);
    }
    return (kim_texts){items, count};
}

static bool number(kim_text text, double *out)
{
    char copy[64], *end;
    if (text.size == 0 || text.size >= sizeof copy)
        return false;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0';
}

static bool compares(kim_text given, const char *op, kim_text wanted)
{
    double a, b;
    if (op[0] == '=' || op[0] == 'i')
        return kim_text_equal(given, wanted);
    if (!number(given, &a) || !number(wanted, &b))
        return false;
    return op[0] == '<' ? (op[1] ? a <= b : a < b) : (op[1] ? a >= b : a > b);
}

static const term *decide(reader *r, kim_text key, const char *op, kim_texts wanted)
{
    key_value value = r->look(r->from, key);
    if (value.state == KEY_UNKNOWN || value.state == KEY_PRESENT)
        return term_condition(r->scratch, key, kim_text_of(op), wanted);
    for (size_t i = 0; value.state == KEY_GIVEN && i < value.values.count; i++)
        for (size_t k = 0; k < wanted.count; k++)
            if (compares(value.values.items[i], op, wanted.items[k]))
                return &term_true;
    return &term_false;
}

static const term *comparison(reader *r)
{
    static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">"};
    kim_text key = read_name(r);
    if (take(r, "in ") || take(r, "in["))  {
        if (r->text.bytes[r->at - 1] == '[')
            r->at--;
        kim_texts list = read_list(r);
        return r->fault ? NULL : decide(r, key, "in", list);
    }
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!take(r, ops[i]))
            continue;
        kim_text *value = KIM_NEW(r->scratch, kim_text);
        kim_text read = read_value(r);
        if (r->fault || value == NULL)
            return NULL;
        *value = read;
        if (i == 1)
            return term_not(r->scratch, decide(r, key, "==", (kim_texts){value, 1}));
        return decide(r, key, ops[i], (kim_texts){value, 1});
    }
    r->fault = r->fault ? r->fault : "a comparison is missing: write == != < <= > >= or in";
    return NULL;
}

static const term *either(reader *r);

static const term *unary(reader *r)
{
    if (r->fault || ++r->depth > KIM_CONDITION_MAX_DEPTH) {
        r->fault = r->fault ? r->fault : "it nests too deep";
        return NULL;
    }
    const term *t;
    if (take(r, "!")) {
        t = term_not(r->scratch, unary(r));
    } else if (take(r, "(")) {
        t = either(r);
        if (!take(r, ")") && !r->fault)
            r->fault = "a ) is missing";
    } else if (take(r, "has(")) {
        kim_text key = read_name(r);
        if (!take(r, ")") && !r->fault)
            r->fault = "a ) is missing";
        key_value value = r->look(r->from, key);
        t = value.state == KEY_UNKNOWN ? term_condition(r->scratch, key, KIM_TEXT("has"), (kim_texts){&key, 0})
            : value.state == KEY_ABSENT ? &term_false : &term_true;
    } else {
        t = comparison(r);
    }
    r->depth--;
    return r->fault ? NULL : t;
}

static const term *both(reader *r)
{
    const term *t = unary(r);
    while (!r->fault && take(r, "&&"))
        t = term_and(r->scratch, t, unary(r));
    return t;
}

static const term *either(reader *r)
{
    const term *t = both(r);
    while (!r->fault && take(r, "||"))
        t = term_or(r->scratch, t, both(r));
    return t;
}

const term *kim_condition_decide(kim_text text, kim_lookup_function *look, void *from, kim_arena *scratch, kim_error *err)
{
    reader r = {.text = text, .look = look, .from = from, .scratch = scratch};
    const term *t = either(&r);
    skip(&r);
    if (!r.fault && r.at != text.size)
        r.fault = "it goes on after its end";
    if (r.fault) {
        kim_fail(err, KIM_ERR_INPUT, "condition, at byte %zu: %s", r.at, r.fault);
        return NULL;
    }
    if (t == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a condition");
    return t;
}
