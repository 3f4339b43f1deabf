/* SPDX-License-Identifier: Apache-2.0
 *
 * parse.c - CEL's grammar, a function a rule; after the first fault every step gives nothing.
 *
 * Source: cel-spec, langdef.md, "Syntax"; the grammar CEL.g4 that cel-go parses with, where they differ.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/evaluate/cel/syntax.h"
#include "controller/evaluate/cel/text.h"

typedef enum token_kind {
    TOKEN_END, TOKEN_NAME, TOKEN_QUOTED_NAME, TOKEN_INT, TOKEN_UINT, TOKEN_DOUBLE, TOKEN_STRING, TOKEN_BYTES,
    TOKEN_IN, TOKEN_TRUE, TOKEN_FALSE, TOKEN_NULL,
    TOKEN_EQUAL, TOKEN_NOT_EQUAL, TOKEN_LESS_EQUAL, TOKEN_GREATER_EQUAL, TOKEN_AND, TOKEN_OR,
    TOKEN_CHARACTER, /* any of <>[]{}().,-!?:+*%/ ; its character is `sign` */
} token_kind;

typedef struct token {
    token_kind kind;
    char sign;
    size_t at, end;
} token;

typedef struct parser {
    kim_text text;
    token token;     /* the next one */
    int depth;
    kim_arena *arena;
    kim_error *err;
    bool failed;
} parser;

int cel_refuse(kim_text text, size_t at, kim_error *err, kim_code code, const char *format, ...)
{
    char why[400];
    size_t line = 1, column = 1;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < at && i < text.size; i++) {
        if (text.bytes[i] == '\n')
            line++, column = 1;
        else if (((unsigned char)text.bytes[i] & 0xc0) != 0x80)
            column++;
    }
    return kim_fail(err, code, "%zu:%zu: %s", line, column, why);
}

#define REFUSE(p, at, ...) \
    ((p)->failed ? (void)0 : (void)((p)->failed = true, cel_refuse((p)->text, (at), (p)->err, KIM_ERR_INPUT, __VA_ARGS__)))

/* ---- tokens ---- */

static char at(const parser *p, size_t i)
{
    return i < p->text.size ? p->text.bytes[i] : '\0';
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

static size_t skip_blanks(const parser *p, size_t i)
{
    for (;;) {
        while (i < p->text.size && strchr(" \t\r\n\f", p->text.bytes[i]) && p->text.bytes[i])
            i++;
        if (at(p, i) != '/' || at(p, i + 1) != '/')
            return i;
        while (i < p->text.size && p->text.bytes[i] != '\n')
            i++;
    }
}

static size_t skip_digits(const parser *p, size_t i)
{
    while (is_digit(at(p, i)))
        i++;
    return i;
}

static token number(const parser *p, size_t start)
{
    token t = {.kind = TOKEN_INT, .at = start};
    size_t i = start;
    if (at(p, i) == '0' && at(p, i + 1) == 'x' && is_hex(at(p, i + 2))) {
        for (i += 2; is_hex(at(p, i));)
            i++;
    } else {
        i = skip_digits(p, i);
        if (at(p, i) == '.' && is_digit(at(p, i + 1))) {
            t.kind = TOKEN_DOUBLE;
            i = skip_digits(p, i + 1);
        }
        size_t e = i + 1 + (at(p, i + 1) == '+' || at(p, i + 1) == '-');
        if ((at(p, i) == 'e' || at(p, i) == 'E') && is_digit(at(p, e))) {
            t.kind = TOKEN_DOUBLE;
            i = skip_digits(p, e);
        }
    }
    if (t.kind == TOKEN_INT && (at(p, i) == 'u' || at(p, i) == 'U')) {
        t.kind = TOKEN_UINT;
        i++;
    }
    t.end = i;
    return t;
}

static bool is_triple(const parser *p, size_t i, char quote)
{
    return at(p, i) == quote && at(p, i + 1) == quote && at(p, i + 2) == quote;
}

/* Where the literal ends whose first quote is at i; 0: it does not. */
static size_t string_end(const parser *p, size_t i, bool is_raw)
{
    char quote = p->text.bytes[i];
    bool triple = is_triple(p, i, quote);
    for (i += triple ? 3 : 1; i < p->text.size; i++) {
        char c = p->text.bytes[i];
        if (c == '\\' && !is_raw)
            i++;
        else if (triple ? is_triple(p, i, quote) : c == quote)
            return i + (triple ? 3 : 1);
        else if (!triple && (c == '\n' || c == '\r'))
            return 0;
    }
    return 0;
}

static bool is_quote(char c) { return c == '"' || c == '\''; }

/* How many letters stand before a literal's quote; -1: no literal begins here. */
static int literal_prefix(const parser *p, size_t i, bool *is_bytes, bool *is_raw)
{
    int n = 0;
    *is_bytes = *is_raw = false;
    if (at(p, i) == 'b' || at(p, i) == 'B')
        *is_bytes = true, n++;
    if (at(p, i + (size_t)n) == 'r' || at(p, i + (size_t)n) == 'R')
        *is_raw = true, n++;
    return is_quote(at(p, i + (size_t)n)) ? n : -1;
}

static token word(const parser *p, size_t start)
{
    static const struct { const char *word; token_kind kind; } own[] = {
        {"in", TOKEN_IN}, {"true", TOKEN_TRUE}, {"false", TOKEN_FALSE}, {"null", TOKEN_NULL},
    };
    token t = {.kind = TOKEN_NAME, .at = start, .end = start};
    while (is_letter(at(p, t.end)) || is_digit(at(p, t.end)))
        t.end++;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (kim_text_is((kim_text){p->text.bytes + start, t.end - start}, own[i].word))
            t.kind = own[i].kind;
    return t;
}

static token sign(parser *p, size_t start)
{
    static const struct { char text[3]; token_kind kind; } pairs[] = {
        {"==", TOKEN_EQUAL}, {"!=", TOKEN_NOT_EQUAL}, {"<=", TOKEN_LESS_EQUAL}, {">=", TOKEN_GREATER_EQUAL},
        {"&&", TOKEN_AND}, {"||", TOKEN_OR},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (at(p, start) == pairs[i].text[0] && at(p, start + 1) == pairs[i].text[1])
            return (token){.kind = pairs[i].kind, .at = start, .end = start + 2};
    if (!strchr("<>[]{}().,-!?:+*%/", p->text.bytes[start]) || p->text.bytes[start] == '\0')
        REFUSE(p, start, "Syntax error: no token begins with this character");
    return (token){.kind = TOKEN_CHARACTER, .sign = p->text.bytes[start], .at = start, .end = start + 1};
}

static token quoted_name(parser *p, size_t start)
{
    size_t i = start + 1;
    while (is_letter(at(p, i)) || is_digit(at(p, i)) || (at(p, i) && strchr(".-/ ", at(p, i))))
        i++;
    if (at(p, i) != '`' || i == start + 1)
        REFUSE(p, start, "Syntax error: a name in backquotes is letters, digits and _ . - / and spaces");
    return (token){.kind = TOKEN_QUOTED_NAME, .at = start, .end = i + 1};
}

static token literal(parser *p, size_t start, size_t quote, bool is_bytes, bool is_raw)
{
    size_t end = string_end(p, quote, is_raw);
    if (end == 0)
        REFUSE(p, start, "Syntax error: a quote is not closed");
    return (token){.kind = is_bytes ? TOKEN_BYTES : TOKEN_STRING, .at = start, .end = end};
}

static token read_token(parser *p, size_t from)
{
    bool is_bytes, is_raw;
    size_t i = skip_blanks(p, from);
    if (i >= p->text.size || p->failed)
        return (token){.kind = TOKEN_END, .at = i, .end = i};
    int prefix = literal_prefix(p, i, &is_bytes, &is_raw);
    if (prefix >= 0)
        return literal(p, i, i + (size_t)prefix, is_bytes, is_raw);
    if (is_digit(at(p, i)))
        return number(p, i);
    if (at(p, i) == '.' && is_digit(at(p, i + 1)))
        return number(p, i);
    if (is_letter(at(p, i)))
        return word(p, i);
    return at(p, i) == '`' ? quoted_name(p, i) : sign(p, i);
}

static token take(parser *p)
{
    token t = p->token;
    p->token = read_token(p, t.end);
    return t;
}

static bool is_sign(const parser *p, char c)
{
    return p->token.kind == TOKEN_CHARACTER && p->token.sign == c;
}

static bool take_sign(parser *p, char c)
{
    if (!is_sign(p, c))
        return false;
    take(p);
    return true;
}

static kim_text token_text(const parser *p, token t)
{
    return (kim_text){p->text.bytes + t.at, t.end - t.at};
}

static void refuse_token(parser *p, const char *expected)
{
    kim_text t = token_text(p, p->token);
    if (p->token.kind == TOKEN_END)
        REFUSE(p, p->token.at, "Syntax error: the expression ends where %s is expected", expected);
    else
        REFUSE(p, p->token.at, "Syntax error: '%.*s' where %s is expected", (int)(t.size < 60 ? t.size : 60), t.bytes, expected);
}

static void expect(parser *p, char c)
{
    char expected[4] = {'\'', c, '\'', '\0'};
    if (!take_sign(p, c))
        refuse_token(p, expected);
}

/* ---- nodes ---- */

/* A node over its items, which are copied. */
static cel_node *node(parser *p, node_kind kind, size_t where, cel_node *const *items, size_t count)
{
    cel_node *n = p->failed ? NULL : KIM_NEW(p->arena, cel_node);
    cel_node **copy = count && n ? KIM_NEW_ARRAY(p->arena, cel_node *, count) : NULL;
    size_t depth = 0;
    if (n == NULL || (count && copy == NULL)) {
        if (!p->failed)
            kim_fail(p->err, KIM_ERR_NOMEM, "no memory for an expression");
        p->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        copy[i] = items[i];
        if (items[i]->depth > depth)
            depth = items[i]->depth;
    }
    if (depth >= CEL_MAX_DEPTH) {
        cel_refuse(p->text, where, p->err, KIM_ERR_LIMIT, "the expression is more than %d operators deep", CEL_MAX_DEPTH);
        p->failed = true;
        return NULL;
    }
    *n = (cel_node){.kind = kind, .depth = (uint16_t)(depth + 1), .slot = NO_SLOT, .at = (uint32_t)where, .items = copy, .count = (uint32_t)count};
    return n;
}

static cel_node *constant(parser *p, size_t where, cel_value value)
{
    cel_node *n = node(p, NODE_CONSTANT, where, NULL, 0);
    if (n)
        n->value = value;
    return n;
}

static cel_node *named(parser *p, node_kind kind, size_t where, kim_text name, cel_node *const *items, size_t count)
{
    cel_node *n = node(p, kind, where, items, count);
    if (n)
        n->name = name;
    return n;
}

static cel_node *operation(parser *p, const char *name, size_t where, cel_node *a, cel_node *b)
{
    cel_node *items[] = {a, b};
    return named(p, NODE_CALL, where, kim_text_of(name), items, b ? 2 : 1);
}

/* Nodes being collected; on the C heap of the arena, doubled as it fills. */
typedef struct collection {
    cel_node **items;
    size_t count, capacity;
} collection;

static void collect(parser *p, collection *c, cel_node *n)
{
    if (c->count == c->capacity && !p->failed) {
        size_t capacity = c->capacity ? 2 * c->capacity : 4;
        cel_node **grown = KIM_NEW_ARRAY(p->arena, cel_node *, capacity);
        if (grown == NULL) {
            kim_fail(p->err, KIM_ERR_NOMEM, "no memory for an expression");
            p->failed = true;
            return;
        }
        if (c->count)
            memcpy(grown, c->items, c->count * sizeof *grown);
        c->items = grown;
        c->capacity = capacity;
    }
    if (!p->failed)
        c->items[c->count++] = n;
}

/* ---- literals ---- */

static cel_node *integer(parser *p, token t, bool negative)
{
    kim_text text = token_text(p, t);
    bool is_uint = t.kind == TOKEN_UINT;
    uint64_t value;
    text.size -= is_uint;
    if (!cel_read_natural(text, true, &value) || (!is_uint && value > (uint64_t)INT64_MAX + negative)) {
        REFUSE(p, t.at, "invalid %s literal", is_uint ? "uint" : "int");
        return NULL;
    }
    if (is_uint)
        return constant(p, t.at, (cel_value){.type = CEL_UINT, .natural = value});
    return constant(p, t.at, cel_int((int64_t)(negative ? 0 - value : value)));
}

static cel_node *floating(parser *p, token t, bool negative)
{
    double value;
    if (!cel_read_double(token_text(p, t), &value)) {
        REFUSE(p, t.at, "invalid double literal");
        return NULL;
    }
    return constant(p, t.at, (cel_value){.type = CEL_DOUBLE, .number = negative ? -value : value});
}

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* A number of exactly `digits` digits at i; -1: there is none. */
static int64_t escaped_number(kim_text body, size_t i, size_t digits, int base)
{
    int64_t value = 0;
    if (body.size - i < digits)
        return -1;
    for (size_t end = i + digits; i < end; i++) {
        if (!is_hex(body.bytes[i]) || hex_value(body.bytes[i]) >= base)
            return -1;
        value = value * base + hex_value(body.bytes[i]);
    }
    return value;
}

/* Writes what the escape whose letter is at i stands for; returns where it ends, 0: it is none. */
static size_t unescape(kim_text body, size_t i, bool is_bytes, char *out, size_t *size)
{
    static const char letters[] = "abfnrtv\\'\"`?", meanings[] = "\a\b\f\n\r\t\v\\'\"`?";
    char c = body.bytes[i];
    const char *known = c ? strchr(letters, c) : NULL;
    if (known) {
        out[(*size)++] = meanings[known - letters];
        return i + 1;
    }
    bool octal = c >= '0' && c <= '3';
    size_t digits = octal ? 3 : c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (digits == 0 || (is_bytes && (c == 'u' || c == 'U')))
        return 0;
    int64_t value = escaped_number(body, octal ? i : i + 1, digits, octal ? 8 : 16);
    if (value < 0 || (!is_bytes && (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))))
        return 0;
    if (is_bytes)
        out[(*size)++] = (char)value;
    else
        *size += cel_put_utf8(out + *size, (uint32_t)value);
    return (octal ? i : i + 1) + digits;
}

/* The text between a literal's quotes: line ends become \n, escapes what they stand for. */
static bool unquote(parser *p, token t, kim_text *out)
{
    kim_text body = token_text(p, t);
    bool is_bytes, is_raw;
    int prefix = literal_prefix(p, t.at, &is_bytes, &is_raw);
    size_t quotes = is_triple(p, t.at + (size_t)prefix, body.bytes[prefix]) && body.size - (size_t)prefix >= 6 ? 3 : 1, size = 0;
    body = (kim_text){body.bytes + prefix + quotes, body.size - (size_t)prefix - 2 * quotes};
    char *bytes = kim_arena_bytes(p->arena, body.size + 1);
    for (size_t i = 0; bytes && i < body.size;) {
        if (body.bytes[i] == '\r') {
            bytes[size++] = '\n';
            i += body.size - i > 1 && body.bytes[i + 1] == '\n' ? 2 : 1;
        } else if (body.bytes[i] != '\\' || is_raw) {
            bytes[size++] = body.bytes[i++];
        } else if (i + 1 == body.size || (i = unescape(body, i + 1, is_bytes, bytes, &size)) == 0) {
            REFUSE(p, t.at, "an escape in this literal is none of CEL's; write \\\\ for a backslash");
            return false;
        }
    }
    if (bytes == NULL) {
        kim_fail(p->err, KIM_ERR_NOMEM, "no memory for an expression");
        p->failed = true;
        return false;
    }
    *out = (kim_text){bytes, size};
    return true;
}

static cel_node *string(parser *p, token t)
{
    kim_text text;
    if (p->failed || !unquote(p, t, &text))
        return NULL;
    return constant(p, t.at, (cel_value){.type = t.kind == TOKEN_BYTES ? CEL_BYTES : CEL_STRING, .text = text});
}

/* ---- macros ---- */

static bool same_name(const cel_node *n, const char *name)
{
    return kim_text_is(n->name, name);
}

/* has(e.f): the select itself, asked whether it is there. */
static cel_node *has_macro(parser *p, cel_node *argument)
{
    if (argument->kind != NODE_SELECT && argument->kind != NODE_HAS) {
        REFUSE(p, argument->at, "invalid argument to has() macro");
        return NULL;
    }
    argument->kind = NODE_HAS;
    return argument;
}

static cel_node *expand(parser *p, cel_node *call)
{
    static const struct { const char *name; uint32_t items; fold_kind fold; } folds[] = {
        {"all", 3, FOLD_ALL}, {"exists", 3, FOLD_EXISTS}, {"exists_one", 3, FOLD_EXISTS_ONE},
        {"filter", 3, FOLD_FILTER}, {"map", 3, FOLD_MAP}, {"map", 4, FOLD_MAP},
    };
    if (call == NULL)
        return NULL;
    if (!call->is_method)
        return same_name(call, "has") && call->count == 1 ? has_macro(p, call->items[0]) : call;
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        if (call->count != folds[i].items || !same_name(call, folds[i].name))
            continue;
        const cel_node *variable = call->items[1];
        if (variable->kind != NODE_NAME) {
            REFUSE(p, variable->at, "argument must be a simple name");
            return NULL;
        }
        if (same_name(variable, "__result__") || same_name(variable, "@result")) {
            REFUSE(p, variable->at, "iteration variable overwrites accumulator variable");
            return NULL;
        }
        call->kind = NODE_FOLD;
        call->fold = folds[i].fold;
        call->name = variable->name;
        memmove(call->items + 1, call->items + 2, (call->count - 2) * sizeof *call->items);
        call->count--;
        return call;
    }
    return call;
}

/* ---- the grammar ---- */

static cel_node *expression(parser *p);

/* Expressions up to the closing sign, separated by commas. */
static void expressions(parser *p, collection *c, char closing, bool may_trail)
{
    if (take_sign(p, closing))
        return;
    if (may_trail && take_sign(p, ',')) { /* [,] is an empty list to cel-go's grammar */
        expect(p, closing);
        return;
    }
    do {
        if (may_trail && c->count && is_sign(p, closing))
            break;
        collect(p, c, expression(p));
    } while (!p->failed && take_sign(p, ','));
    expect(p, closing);
}

static void entries(parser *p, collection *c)
{
    if (take_sign(p, '}'))
        return;
    if (take_sign(p, ',')) {
        expect(p, '}');
        return;
    }
    do {
        if (c->count && is_sign(p, '}'))
            break;
        collect(p, c, expression(p));
        expect(p, ':');
        collect(p, c, expression(p));
    } while (!p->failed && take_sign(p, ','));
    expect(p, '}');
}

static bool is_reserved(kim_text name)
{
    static const char *const words[] = {
        "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
        "namespace", "return", "var", "void", "while",
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (kim_text_is(name, words[i]))
            return true;
    return false;
}

/* A call's arguments after its "(", behind the receiver where it has one. */
static cel_node *call(parser *p, size_t where, kim_text name, cel_node *receiver)
{
    collection c = {0};
    if (receiver)
        collect(p, &c, receiver);
    expressions(p, &c, ')', false);
    cel_node *n = named(p, NODE_CALL, where, name, c.items, c.count);
    if (n)
        n->is_method = receiver != NULL;
    return expand(p, n);
}

static kim_text keep(parser *p, kim_text text)
{
    kim_text copy = kim_text_copy(p->arena, text);
    if (copy.bytes == NULL && !p->failed) {
        kim_fail(p->err, KIM_ERR_NOMEM, "no memory for an expression");
        p->failed = true;
    }
    return copy;
}

/* A name, with its leading dot where it has one, or a call of a function. */
static cel_node *name_or_call(parser *p)
{
    size_t start = p->token.at;
    bool dotted = take_sign(p, '.');
    if (p->token.kind != TOKEN_NAME) {
        refuse_token(p, "a name");
        return NULL;
    }
    kim_text name = token_text(p, take(p));
    if (is_reserved(name) && !is_sign(p, '{')) {
        REFUSE(p, start, "reserved identifier: %.*s", KIM_PRINT(name));
        return NULL;
    }
    if (take_sign(p, '('))
        return call(p, start, keep(p, name), NULL);
    return named(p, NODE_NAME, start, dotted ? kim_text_format(p->arena, ".%.*s", KIM_PRINT(name)) : keep(p, name), NULL, 0);
}

static cel_node *listed(parser *p, node_kind kind)
{
    collection c = {0};
    size_t where = take(p).at;
    if (kind == NODE_LIST)
        expressions(p, &c, ']', true);
    else
        entries(p, &c);
    return node(p, kind, where, c.items, c.count);
}

static cel_node *nested(parser *p)
{
    take(p);
    cel_node *n = expression(p);
    expect(p, ')');
    return n;
}

static cel_node *primary(parser *p)
{
    token t = p->token;
    switch (t.kind) {
    case TOKEN_TRUE:
    case TOKEN_FALSE:
        take(p);
        return constant(p, t.at, cel_bool(t.kind == TOKEN_TRUE));
    case TOKEN_NULL:
        take(p);
        return constant(p, t.at, (cel_value){.type = CEL_NULL});
    case TOKEN_INT:
    case TOKEN_UINT:
        return integer(p, take(p), false);
    case TOKEN_DOUBLE:
        return floating(p, take(p), false);
    case TOKEN_STRING:
    case TOKEN_BYTES:
        return string(p, take(p));
    case TOKEN_NAME:
        return name_or_call(p);
    default:
        if (is_sign(p, '.'))
            return name_or_call(p);
        if (is_sign(p, '('))
            return nested(p);
        if (is_sign(p, '['))
            return listed(p, NODE_LIST);
        if (is_sign(p, '{'))
            return listed(p, NODE_MAP);
        refuse_token(p, "a value");
        return NULL;
    }
}

static cel_node *selected(parser *p, cel_node *operand)
{
    size_t where = take(p).at;
    bool quoted = p->token.kind == TOKEN_QUOTED_NAME;
    if (is_sign(p, '?'))
        REFUSE(p, where, "unsupported syntax '.?'");
    if (p->token.kind != TOKEN_NAME && !quoted) {
        refuse_token(p, "a name");
        return NULL;
    }
    kim_text name = token_text(p, take(p));
    if (quoted)
        name = (kim_text){name.bytes + 1, name.size - 2};
    else if (take_sign(p, '('))
        return call(p, where, keep(p, name), operand);
    return named(p, NODE_SELECT, where, keep(p, name), &operand, 1);
}

static cel_node *indexed(parser *p, cel_node *operand)
{
    size_t where = take(p).at;
    if (is_sign(p, '?'))
        REFUSE(p, where, "unsupported syntax '[?'");
    cel_node *items[] = {operand, expression(p)};
    expect(p, ']');
    return node(p, NODE_INDEX, where, items, 2);
}

/* .name, .name(...) and [index] behind an operand. A brace makes plain names a message's type. */
static cel_node *tail(parser *p, cel_node *n, bool may_be_type)
{
    while (!p->failed) {
        if (is_sign(p, '.'))
            n = selected(p, n), may_be_type = may_be_type && n && n->kind == NODE_SELECT;
        else if (is_sign(p, '['))
            n = indexed(p, n), may_be_type = false;
        else
            break;
    }
    if (!p->failed && may_be_type && is_sign(p, '{')) {
        cel_refuse(p->text, p->token.at, p->err, KIM_ERR_UNSUPPORTED, "messages are not constructed here: no message type is known");
        p->failed = true;
    }
    return p->failed ? NULL : n;
}

static cel_node *member(parser *p)
{
    bool is_name = p->token.kind == TOKEN_NAME || is_sign(p, '.');
    cel_node *n = primary(p);
    return tail(p, n, is_name && n && n->kind == NODE_NAME);
}

/* A number with its minus is a literal, and the only operand that ! takes a minus before. */
static cel_node *negative_number(parser *p)
{
    take(p);
    token t = take(p);
    return tail(p, t.kind == TOKEN_INT ? integer(p, t, true) : floating(p, t, true), false);
}

static bool is_number_next(const parser *p)
{
    token next = read_token((parser *)p, p->token.end);
    return next.kind == TOKEN_INT || next.kind == TOKEN_DOUBLE;
}

/* Of several signs in a row each pair falls away, whatever the operand is. */
static cel_node *unary(parser *p)
{
    size_t where = p->token.at, count = 1;
    char c = is_sign(p, '!') ? '!' : is_sign(p, '-') ? '-' : '\0';
    if (c == '\0')
        return member(p);
    if (c == '-' && is_number_next(p))
        return negative_number(p);
    for (take(p); take_sign(p, c);)
        count++;
    cel_node *n = c == '!' && is_sign(p, '-') && is_number_next(p) ? negative_number(p) : member(p);
    return count % 2 && !p->failed ? operation(p, c == '!' ? "!_" : "-_", where, n, NULL) : n;
}

/* The operator's name where it binds as tightly as `level` says; NULL: another token. */
static const char *binary_operator(const parser *p, int level)
{
    static const struct { token_kind kind; char sign; int level; const char *name; } operators[] = {
        {TOKEN_CHARACTER, '<', 0, "_<_"}, {TOKEN_CHARACTER, '>', 0, "_>_"}, {TOKEN_LESS_EQUAL, 0, 0, "_<=_"},
        {TOKEN_GREATER_EQUAL, 0, 0, "_>=_"}, {TOKEN_EQUAL, 0, 0, "_==_"}, {TOKEN_NOT_EQUAL, 0, 0, "_!=_"},
        {TOKEN_IN, 0, 0, "@in"}, {TOKEN_CHARACTER, '+', 1, "_+_"}, {TOKEN_CHARACTER, '-', 1, "_-_"},
        {TOKEN_CHARACTER, '*', 2, "_*_"}, {TOKEN_CHARACTER, '/', 2, "_/_"}, {TOKEN_CHARACTER, '%', 2, "_%_"},
    };
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (operators[i].level == level && p->token.kind == operators[i].kind && p->token.sign == operators[i].sign)
            return operators[i].name;
    return NULL;
}

/* Comparisons, then sums, then products: all of them from left to right. */
static cel_node *binary(parser *p, int level)
{
    const char *name;
    cel_node *n = level == 3 ? unary(p) : binary(p, level + 1);
    while (level < 3 && !p->failed && (name = binary_operator(p, level)) != NULL) {
        size_t where = take(p).at;
        cel_node *right = level == 2 ? unary(p) : binary(p, level + 1);
        n = p->failed ? NULL : operation(p, name, where, n, right);
    }
    return n;
}

static cel_node *logical(parser *p, node_kind kind)
{
    collection c = {0};
    size_t where = p->token.at;
    token_kind operator = kind == NODE_AND ? TOKEN_AND : TOKEN_OR;
    cel_node *n = kind == NODE_AND ? binary(p, 0) : logical(p, NODE_AND);
    if (p->token.kind != operator || p->failed)
        return n;
    collect(p, &c, n);
    while (!p->failed && p->token.kind == operator) {
        take(p);
        collect(p, &c, kind == NODE_AND ? binary(p, 0) : logical(p, NODE_AND));
    }
    return node(p, kind, where, c.items, c.count);
}

static cel_node *expression(parser *p)
{
    if (!p->failed && ++p->depth > CEL_MAX_DEPTH) {
        cel_refuse(p->text, p->token.at, p->err, KIM_ERR_LIMIT, "the expression nests deeper than %d", CEL_MAX_DEPTH);
        p->failed = true;
    }
    if (p->failed)
        return NULL;
    cel_node *n = logical(p, NODE_OR);
    if (!p->failed && is_sign(p, '?')) {
        size_t where = take(p).at;
        cel_node *items[3] = {n, logical(p, NODE_OR)};
        expect(p, ':');
        items[2] = expression(p);
        n = p->failed ? NULL : node(p, NODE_CHOICE, where, items, 3);
    }
    p->depth--;
    return p->failed ? NULL : n;
}

cel_node *cel_parse(kim_text text, kim_arena *arena, kim_error *err)
{
    parser p = {.text = text, .arena = arena, .err = err};
    if (text.size > CEL_MAX_BYTES) {
        kim_fail(err, KIM_ERR_LIMIT, "the expression is longer than %d bytes", CEL_MAX_BYTES);
        return NULL;
    }
    size_t valid = kim_text_utf8_size(text);
    if (valid < text.size)
        REFUSE(&p, valid, "the expression is not UTF-8");
    p.token = read_token(&p, 0);
    cel_node *n = expression(&p);
    if (!p.failed && p.token.kind != TOKEN_END)
        refuse_token(&p, "an operator or the end");
    return p.failed ? NULL : n;
}
