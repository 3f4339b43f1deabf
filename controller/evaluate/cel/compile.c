/* SPDX-License-Identifier: Apache-2.0
 *
 * compile.c - what names and calls mean, found out once.
 *
 * A name is a macro's variable where one of that name is around it, else the front of an attribute's path. A call is a
 * function of the host's, else a standard one, else one that nobody knows: then it is an error when it is evaluated,
 * as to cel-go, for the rest of the expression may decide without it.
 */
#include "controller/evaluate/cel/functions.h"
#include "controller/evaluate/cel/regex.h"
#include "controller/evaluate/cel/syntax.h"

typedef struct scope {
    kim_text name;
    uint16_t slot;
    const struct scope *outer;
} scope;

typedef struct compiler {
    kim_text text;
    const cel_function *functions;
    size_t count;
    kim_arena *arena;
    kim_error *err;
    uint16_t slots;
} compiler;

/* The dotted path that a node writes out: a name, or names selected from it. Absent: it is something else. */
static kim_text written_path(compiler *c, const cel_node *n)
{
    if (n->kind == NODE_NAME)
        return n->name.bytes[0] == '.' ? (kim_text){n->name.bytes + 1, n->name.size - 1} : n->name;
    if (n->kind != NODE_SELECT)
        return KIM_NO_TEXT;
    kim_text front = written_path(c, n->items[0]);
    return front.bytes ? kim_text_format(c->arena, "%.*s.%.*s", KIM_PRINT(front), KIM_PRINT(n->name)) : front;
}

/* ---- calls ---- */

static int refuse_count(compiler *c, const cel_node *n)
{
    return cel_refuse(c->text, n->at, c->err, KIM_ERR_INPUT, "no such overload: %.*s with %u arguments", KIM_PRINT(n->name), n->count);
}

/* The host's function for a call, by its receiver's path before any receiver. */
static const cel_function *host_function(compiler *c, cel_node *n, kim_text path)
{
    const cel_function *any = NULL;
    for (size_t i = 0; i < c->count; i++) {
        const cel_function *f = &c->functions[i];
        if (!kim_text_is(n->name, f->name))
            continue;
        if (n->is_method && f->receiver && path.bytes && kim_text_is(path, f->receiver)) {
            n->has_receiver_path = true;
            return f;
        }
        if (n->is_method ? f->receiver && kim_text_is(KIM_TEXT("*"), f->receiver) : f->receiver == NULL)
            any = any ? any : f;
    }
    return any;
}

static int bind_call(compiler *c, cel_node *n)
{
    n->function = host_function(c, n, n->is_method && c->count ? written_path(c, n->items[0]) : KIM_NO_TEXT);
    if (n->function) {
        uint32_t given = n->count - n->has_receiver_path;
        return given < n->function->min || given > n->function->max ? refuse_count(c, n) : 0;
    }
    n->builtin = builtin_find(n->name);
    if (n->builtin ? n->builtin->count && n->builtin->count != n->count : n->count == 0)
        return refuse_count(c, n);
    const cel_node *pattern = n->count == 2 && kim_text_is(n->name, "matches") ? n->items[1] : NULL;
    if (pattern && pattern->kind == NODE_CONSTANT && pattern->value.type == CEL_STRING)
        n->pattern = regex_compile(pattern->value.text, c->arena, NULL); /* NULL: an error where it is evaluated */
    return 0;
}

/* ---- names ---- */

static void bind_name(compiler *c, cel_node *n, const scope *s)
{
    for (; s; s = s->outer) {
        if (!kim_text_equal(s->name, n->name))
            continue;
        n->slot = s->slot;
        return;
    }
    n->path = written_path(c, n);
}

/* A text selected from an attribute's path makes a longer path. */
static void extend_path(compiler *c, cel_node *n, kim_text field)
{
    kim_text front = n->items[0]->path;
    if (front.bytes)
        n->path = kim_text_format(c->arena, "%.*s.%.*s", KIM_PRINT(front), KIM_PRINT(field));
}

static int bind_index(compiler *c, cel_node *n)
{
    const cel_node *index = n->items[1];
    n->is_test = n->items[0]->is_test;
    if (index->kind != NODE_CONSTANT)
        return 0;
    if (index->value.type == CEL_STRING)
        extend_path(c, n, index->value.text);
    if (index->value.type == CEL_BYTES || index->value.type == CEL_NULL)
        return cel_refuse(c->text, n->at, c->err, KIM_ERR_INPUT, "invalid qualifier type: bytes and null index nothing");
    return 0;
}

static int bind(compiler *c, cel_node *n, const scope *s);

static int bind_fold(compiler *c, cel_node *n, const scope *s)
{
    scope inner = {n->name, s ? (uint16_t)(s->slot + 1) : 0, s};
    n->slot = inner.slot;
    if (c->slots < inner.slot + 1)
        c->slots = (uint16_t)(inner.slot + 1);
    for (uint32_t i = 0; i < n->count; i++)
        if (bind(c, n->items[i], i == 0 ? s : &inner) < 0)
            return -1;
    return 0;
}

static int bind(compiler *c, cel_node *n, const scope *s)
{
    if (n->kind == NODE_FOLD)
        return bind_fold(c, n, s);
    for (uint32_t i = 0; i < n->count; i++)
        if (bind(c, n->items[i], s) < 0)
            return -1;
    switch (n->kind) {
    case NODE_NAME:
        bind_name(c, n, s);
        return 0;
    case NODE_SELECT:
    case NODE_HAS:
        n->is_test = n->kind == NODE_HAS || n->items[0]->is_test;
        extend_path(c, n, n->name);
        return 0;
    case NODE_INDEX:
        return bind_index(c, n);
    case NODE_CALL:
        return bind_call(c, n);
    default:
        return 0;
    }
}

cel_program *cel_compile(kim_text text, const cel_function *functions, size_t count, kim_arena *arena, kim_error *err)
{
    compiler c = {.text = text, .functions = functions, .count = count, .arena = arena, .err = err};
    cel_node *root = cel_parse(text, arena, err);
    if (root == NULL || bind(&c, root, NULL) < 0)
        return NULL;
    cel_program *program = KIM_NEW(arena, cel_program);
    if (program == NULL || kim_arena_is_full(arena)) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for an expression");
        return NULL;
    }
    *program = (cel_program){root, c.slots};
    return program;
}
