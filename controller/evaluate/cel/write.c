/* SPDX-License-Identifier: Apache-2.0
 *
 * write.c - an expression as text again, and what is left of it where a part is known.
 *
 * The text parses to the same tree: brackets stand where the operators' order asks for them, and nowhere else.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "controller/evaluate/cel/eval.h"
#include "controller/evaluate/cel/text.h"
#include "controller/evaluate/cel/time.h"

/* ---- a growing text ---- */

typedef struct writer {
    kim_arena *arena;
    char *bytes;
    size_t size, capacity;
    bool failed;   /* no memory */
    bool too_long; /* past CEL_MAX_TEXT_BYTES */
} writer;

static void put(writer *w, kim_text text)
{
    if (w->failed || w->too_long)
        return;
    if (w->size + text.size > w->capacity) {
        size_t capacity = 2 * (w->size + text.size) + 256;
        char *grown = kim_arena_bytes(w->arena, capacity);
        w->too_long = capacity > 2 * CEL_MAX_TEXT_BYTES;
        w->failed = grown == NULL;
        if (w->failed || w->too_long)
            return;
        if (w->size)
            memcpy(grown, w->bytes, w->size);
        w->bytes = grown;
        w->capacity = capacity;
    }
    if (text.size)
        memcpy(w->bytes + w->size, text.bytes, text.size);
    w->size += text.size;
}

static void put_string(writer *w, const char *text)
{
    put(w, kim_text_of(text));
}

__attribute__((format(printf, 2, 3))) static void put_format(writer *w, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    put_string(w, text);
}

/* ---- values ---- */

static void put_character(writer *w, unsigned char c, bool is_bytes)
{
    static const char letters[] = "abfnrtv\\\"", meanings[] = "\a\b\f\n\r\t\v\\\"";
    const char *known = c ? strchr(meanings, c) : NULL;
    if (known)
        put_format(w, "\\%c", letters[known - meanings]);
    else if (c < 0x20 || c == 0x7f || (is_bytes && c >= 0x80))
        put_format(w, "\\%03o", c);
    else
        put(w, (kim_text){(const char *)&c, 1});
}

static void put_quoted(writer *w, kim_text text, bool is_bytes)
{
    put_string(w, is_bytes ? "b\"" : "\"");
    for (size_t i = 0; i < text.size; i++)
        put_character(w, (unsigned char)text.bytes[i], is_bytes);
    put_string(w, "\"");
}

static void put_double(writer *w, double value)
{
    char bytes[CEL_DOUBLE_BYTES];
    kim_text text = cel_write_double(value, 'g', bytes);
    if (isnan(value) || isinf(value)) {
        put_string(w, isnan(value) ? "double(\"NaN\")" : value < 0 ? "double(\"-Infinity\")" : "double(\"Infinity\")");
        return;
    }
    put(w, text);
    if (!memchr(text.bytes, '.', text.size) && !memchr(text.bytes, 'e', text.size))
        put_string(w, ".0");
}

static void put_value(writer *w, cel_value v)
{
    char bytes[CEL_TIMESTAMP_BYTES];
    switch (v.type) {
    case CEL_NULL:
        put_string(w, "null");
        break;
    case CEL_BOOL:
        put_string(w, v.boolean ? "true" : "false");
        break;
    case CEL_INT:
        put_format(w, "%lld", (long long)v.integer);
        break;
    case CEL_UINT:
        put_format(w, "%lluu", (unsigned long long)v.natural);
        break;
    case CEL_DOUBLE:
        put_double(w, v.number);
        break;
    case CEL_STRING:
    case CEL_BYTES:
        put_quoted(w, v.text, v.type == CEL_BYTES);
        break;
    case CEL_LIST:
    case CEL_MAP:
        put_string(w, v.type == CEL_LIST ? "[" : "{");
        for (uint32_t i = 0; i < v.count && !w->failed && !w->too_long; i++) {
            put_string(w, i ? ", " : "");
            if (v.type == CEL_MAP) {
                put_value(w, v.entries[i].key);
                put_string(w, ": ");
            }
            put_value(w, v.type == CEL_LIST ? v.items[i] : v.entries[i].value);
        }
        put_string(w, v.type == CEL_LIST ? "]" : "}");
        break;
    case CEL_TIMESTAMP:
        put_string(w, "timestamp(\"");
        put(w, cel_write_timestamp(v, false, bytes));
        put_string(w, "\")");
        break;
    case CEL_DURATION:
        put_string(w, "duration(\"");
        put(w, cel_write_duration(v.integer, bytes));
        put_string(w, "\")");
        break;
    default: /* a type's name */
        put(w, v.text);
    }
}

/* ---- expressions ---- */

/* How tightly a node's outermost operator binds. */
typedef enum level { CHOICE, OR, AND, RELATION, SUM, PRODUCT, SIGN, MEMBER } level;

typedef struct operator_text {
    const char *name, *text;
    level level;
} operator_text;

static const operator_text operators[] = {
    {"_<_", " < ", RELATION}, {"_<=_", " <= ", RELATION}, {"_>_", " > ", RELATION}, {"_>=_", " >= ", RELATION},
    {"_==_", " == ", RELATION}, {"_!=_", " != ", RELATION}, {"@in", " in ", RELATION}, {"_+_", " + ", SUM},
    {"_-_", " - ", SUM}, {"_*_", " * ", PRODUCT}, {"_/_", " / ", PRODUCT}, {"_%_", " % ", PRODUCT},
    {"!_", "!", SIGN}, {"-_", "-", SIGN},
};

static const operator_text *operator_of(const cel_node *n)
{
    for (size_t i = 0; n->kind == NODE_CALL && i < sizeof operators / sizeof *operators; i++)
        if (kim_text_is(n->name, operators[i].name))
            return &operators[i];
    return NULL;
}

static bool is_negative(cel_value v)
{
    return (v.type == CEL_INT && v.integer < 0) || (v.type == CEL_DOUBLE && signbit(v.number));
}

static level level_of(const cel_node *n)
{
    const operator_text *o = operator_of(n);
    if (o)
        return o->level;
    if (n->kind == NODE_CONSTANT)
        return is_negative(n->value) ? SIGN : MEMBER;
    return n->kind == NODE_CHOICE ? CHOICE : n->kind == NODE_OR ? OR : n->kind == NODE_AND ? AND : MEMBER;
}

static void put_node(writer *w, const cel_node *n, level at_least);

/* A node's items from one of them on. */
static void put_items(writer *w, const cel_node *n, uint32_t from, const char *between, level at_least)
{
    for (uint32_t i = from; i < n->count; i++) {
        put_string(w, i > from ? between : "");
        put_node(w, n->items[i], at_least);
    }
}

static bool is_plain_name(kim_text name)
{
    static const char *const taken[] = {"in", "true", "false", "null"};
    for (size_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];
        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_' && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (kim_text_is(name, taken[i]))
            return false;
    return name.size > 0;
}

static void put_field(writer *w, kim_text name)
{
    const char *quote = is_plain_name(name) ? "" : "`";
    put_string(w, quote);
    put(w, name);
    put_string(w, quote);
}

static void put_call(writer *w, const cel_node *n)
{
    const operator_text *o = operator_of(n);
    bool is_number = o && n->items[0]->kind == NODE_CONSTANT && n->items[0]->value.type != CEL_STRING;
    if (o && o->level == SIGN) {
        put_string(w, o->text);
        put_node(w, n->items[0], is_number && o->text[0] == '-' ? MEMBER + 1 : MEMBER); /* -1 would be a number itself */
    } else if (o) {
        put_node(w, n->items[0], o->level);
        put_string(w, o->text);
        put_node(w, n->items[1], o->level + 1);
    } else {
        if (n->is_method) {
            put_node(w, n->items[0], MEMBER);
            put_string(w, ".");
        }
        put(w, n->name);
        put_string(w, "(");
        put_items(w, n, n->is_method, ", ", CHOICE);
        put_string(w, ")");
    }
}

static void put_fold(writer *w, const cel_node *n)
{
    static const char *const names[] = {
        [FOLD_ALL] = "all", [FOLD_EXISTS] = "exists", [FOLD_EXISTS_ONE] = "exists_one", [FOLD_FILTER] = "filter", [FOLD_MAP] = "map",
    };
    put_node(w, n->items[0], MEMBER);
    put_string(w, ".");
    put_string(w, names[n->fold]);
    put_string(w, "(");
    put(w, n->name);
    put_string(w, ", ");
    put_items(w, n, 1, ", ", CHOICE);
    put_string(w, ")");
}

static void put_select(writer *w, const cel_node *n)
{
    put_string(w, n->kind == NODE_HAS ? "has(" : "");
    put_node(w, n->items[0], MEMBER);
    put_string(w, ".");
    put_field(w, n->name);
    put_string(w, n->kind == NODE_HAS ? ")" : "");
}

static void put_map(writer *w, const cel_node *n)
{
    put_string(w, "{");
    for (uint32_t i = 0; i < n->count; i += 2) {
        put_string(w, i ? ", " : "");
        put_node(w, n->items[i], CHOICE);
        put_string(w, ": ");
        put_node(w, n->items[i + 1], CHOICE);
    }
    put_string(w, "}");
}

static void put_bare(writer *w, const cel_node *n)
{
    switch (n->kind) {
    case NODE_CONSTANT:
        put_value(w, n->value);
        break;
    case NODE_NAME:
        put(w, n->name);
        break;
    case NODE_SELECT:
    case NODE_HAS:
        put_select(w, n);
        break;
    case NODE_INDEX:
        put_node(w, n->items[0], MEMBER);
        put_string(w, "[");
        put_node(w, n->items[1], CHOICE);
        put_string(w, "]");
        break;
    case NODE_CALL:
        put_call(w, n);
        break;
    case NODE_AND:
        put_items(w, n, 0, " && ", RELATION);
        break;
    case NODE_OR:
        put_items(w, n, 0, " || ", AND);
        break;
    case NODE_CHOICE:
        put_node(w, n->items[0], OR);
        put_string(w, " ? ");
        put_node(w, n->items[1], OR);
        put_string(w, " : ");
        put_node(w, n->items[2], CHOICE);
        break;
    case NODE_LIST:
        put_string(w, "[");
        put_items(w, n, 0, ", ", CHOICE);
        put_string(w, "]");
        break;
    case NODE_MAP:
        put_map(w, n);
        break;
    case NODE_FOLD:
        put_fold(w, n);
        break;
    }
}

static void put_node(writer *w, const cel_node *n, level at_least)
{
    bool brackets = level_of(n) < at_least;
    put_string(w, brackets ? "(" : "");
    put_bare(w, n);
    put_string(w, brackets ? ")" : "");
}

kim_text cel_text(const cel_program *program, kim_arena *arena)
{
    writer w = {.arena = arena};
    put_node(&w, program->root, CHOICE);
    return w.failed || w.too_long ? KIM_NO_TEXT : (kim_text){w.bytes, w.size};
}

/* ---- what is left ---- */

static cel_node *simplify(evaluation *e, cel_node *n, bool as_condition);

/* Does it name a macro's variable? */
static bool is_open(const cel_node *n)
{
    if (n->kind == NODE_NAME)
        return n->slot != NO_SLOT;
    for (uint32_t i = 0; i < n->count; i++)
        if (is_open(n->items[i]))
            return true;
    return false;
}

static cel_node *copy(evaluation *e, const cel_node *n)
{
    cel_node *c = KIM_NEW(e->arena, cel_node);
    cel_node **items = n->count ? KIM_NEW_ARRAY(e->arena, cel_node *, n->count) : NULL;
    if (c == NULL || (n->count && items == NULL)) {
        break_off(e, KIM_ERR_NOMEM, "no memory to simplify an expression");
        return NULL;
    }
    *c = *n;
    c->items = items;
    if (n->count)
        memcpy(items, n->items, n->count * sizeof *items);
    return c;
}

static cel_node *known(evaluation *e, cel_value v)
{
    cel_node constant = {.kind = NODE_CONSTANT, .slot = NO_SLOT, .value = v};
    return copy(e, &constant);
}

static bool is_known(const cel_node *n, bool boolean)
{
    return n->kind == NODE_CONSTANT && n->value.type == CEL_BOOL && n->value.boolean == boolean;
}

/* Can its value only be true, false or an error? */
static bool is_boolean(const cel_node *n)
{
    const operator_text *o = operator_of(n);
    switch (n->kind) {
    case NODE_AND:
    case NODE_OR:
    case NODE_HAS:
        return true;
    case NODE_FOLD:
        return n->fold == FOLD_ALL || n->fold == FOLD_EXISTS || n->fold == FOLD_EXISTS_ONE;
    default:
        return o && (o->level == RELATION || o->text[0] == '!');
    }
}

/* && without what is surely true, || without what is surely false. */
static cel_node *simplify_logical(evaluation *e, const cel_node *n, bool as_condition)
{
    cel_node *c = copy(e, n);
    uint32_t count = 0;
    for (uint32_t i = 0; c && i < n->count; i++) {
        cel_node *item = simplify(e, n->items[i], true);
        if (item == NULL)
            return NULL;
        if (!is_known(item, n->kind == NODE_AND))
            c->items[count++] = item;
    }
    if (c == NULL)
        return NULL;
    if (count == 0)
        return known(e, cel_bool(n->kind == NODE_AND));
    if (count == 1 && (as_condition || is_boolean(c->items[0])))
        return c->items[0];
    if (count == 1) /* of what is no condition, the operator makes one, or an error */
        c->items[count++] = known(e, cel_bool(n->kind == NODE_AND));
    c->count = count;
    return c->items[count - 1] ? c : NULL;
}

/* The front of an attribute stays as it is written; its indexes may be known. */
static cel_node *simplify_attribute(evaluation *e, cel_node *n)
{
    if (n->kind == NODE_NAME)
        return n;
    if (n->kind != NODE_SELECT && n->kind != NODE_HAS && n->kind != NODE_INDEX)
        return simplify(e, n, false);
    cel_node *c = copy(e, n);
    if (c == NULL || (c->items[0] = simplify_attribute(e, n->items[0])) == NULL)
        return NULL;
    if (n->kind == NODE_INDEX && (c->items[1] = simplify(e, n->items[1], false)) == NULL)
        return NULL;
    return c;
}

static cel_node *simplify_parts(evaluation *e, cel_node *n, bool as_condition)
{
    cel_node *c = copy(e, n);
    const operator_text *o = operator_of(n);
    for (uint32_t i = n->has_receiver_path; c && i < n->count; i++) {
        bool condition = n->kind == NODE_CHOICE ? i == 0 || as_condition : n->kind == NODE_FOLD ? i == 1 && n->fold != FOLD_MAP : o && o->text[0] == '!';
        if ((c->items[i] = simplify(e, n->items[i], condition)) == NULL)
            return NULL;
    }
    if (c && n->kind == NODE_CHOICE && c->items[0]->kind == NODE_CONSTANT && c->items[0]->value.type == CEL_BOOL)
        return c->items[c->items[0]->value.boolean ? 1 : 2];
    return c;
}

/* as_condition: only whether it is true or false matters. NULL: broken off. */
static cel_node *simplify(evaluation *e, cel_node *n, bool as_condition)
{
    if (n->kind == NODE_CONSTANT)
        return n;
    if (!is_open(n)) {
        cel_value v = evaluate(e, n);
        if (e->broken)
            return NULL;
        if (v.type == CEL_ERROR)
            return n;
        if (v.type != CEL_UNKNOWN)
            return known(e, v);
    }
    switch (n->kind) {
    case NODE_AND:
    case NODE_OR:
        return simplify_logical(e, n, as_condition);
    case NODE_NAME:
    case NODE_SELECT:
    case NODE_HAS:
    case NODE_INDEX:
        return simplify_attribute(e, n);
    default:
        return simplify_parts(e, n, as_condition);
    }
}

int cel_residual(const cel_program *program, const cel_scope *scope, kim_arena *scratch, kim_text *out, kim_error *err)
{
    evaluation e;
    writer w = {.arena = scratch};
    if (!begin_evaluation(&e, program, scope, scratch, err))
        return -1;
    const cel_node *n = simplify(&e, (cel_node *)program->root, true);
    if (n)
        put_node(&w, n, CHOICE);
    if (n && w.too_long)
        break_off(&e, KIM_ERR_LIMIT, "what is left of the expression is too long to write");
    if (n && w.failed)
        break_off(&e, KIM_ERR_NOMEM, "no memory to simplify an expression");
    if (e.broken)
        return -1;
    *out = (kim_text){w.bytes, w.size};
    return 0;
}
