/* SPDX-License-Identifier: Apache-2.0
 *
 * eval.c - a tree evaluated: errors and unknowns are values that go up it until something absorbs them.
 *
 * Source: cel-spec, langdef.md, "Evaluation" and "Runtime Errors"; cel-go's interpreter for which of several errors and
 * unknowns is the one that is seen.
 */
#include "controller/evaluate/cel/eval.h"

#include "controller/evaluate/cel/functions.h"

/* ---- attributes: a value, and what is selected from it ----
 *
 * a.b["c"][i] is walked from its end to its front, collecting qualifiers; there it turns out what they apply to. */

typedef struct qualifier {
    const cel_node *node; /* a NODE_SELECT, NODE_HAS or NODE_INDEX */
    bool is_ready;
    cel_value key;        /* once ready; an error or unknown where the index is one */
    struct qualifier *next;
} qualifier;

static bool is_key(cel_type type)
{
    return type == CEL_STRING || type == CEL_INT || type == CEL_UINT || type == CEL_BOOL || type == CEL_DOUBLE;
}

static cel_value key_of(evaluation *e, qualifier *q)
{
    if (q->is_ready)
        return q->key;
    q->is_ready = true;
    q->key = q->node->kind == NODE_INDEX ? evaluate(e, q->node->items[1]) : cel_string(q->node->name);
    if (!is_bad(q->key) && !is_key(q->key.type))
        q->key = cel_failed(e->arena, "invalid qualifier type: %s", type_name(q->key.type));
    return q->key;
}

static cel_value element(evaluation *e, cel_value list, cel_value key, bool is_test)
{
    int64_t index;
    if (!lossless_int(key, &index)) {
        kim_text written = shown(e, key);
        return key.type == CEL_STRING || key.type == CEL_BOOL
            ? cel_failed(e->arena, "unsupported index type '%s' in list", type_name(key.type))
            : cel_failed(e->arena, "unsupported index value %.*s in list", KIM_PRINT(written));
    }
    bool is_there = index >= 0 && (uint64_t)index < list.count;
    if (is_test)
        return cel_bool(is_there);
    kim_text written = is_there ? KIM_NO_TEXT : shown(e, key);
    return is_there ? list.items[index] : cel_failed(e->arena, "index out of bounds: %.*s", KIM_PRINT(written));
}

static cel_value select_from(evaluation *e, cel_value v, cel_value key, bool is_test)
{
    if (v.type == CEL_UNKNOWN)
        return v;
    if (v.type == CEL_LIST)
        return element(e, v, key, is_test);
    const cel_value *found = v.type == CEL_MAP ? find_in_map(e, v, key) : NULL;
    if (is_test)
        return cel_bool(found != NULL);
    kim_text written = found ? KIM_NO_TEXT : shown(e, key);
    return found ? *found : cel_failed(e->arena, "no such key: %.*s", KIM_PRINT(written));
}

static cel_value qualify(evaluation *e, cel_value v, qualifier *q)
{
    for (; q && !is_bad(v); q = q->next) {
        cel_value key = key_of(e, q);
        if (key.type == CEL_ERROR)
            return key;
        v = key.type == CEL_UNKNOWN ? key : select_from(e, v, key, q->node->is_test);
        if (v.type != CEL_UNKNOWN)
            continue;
        for (q = q->next; q; q = q->next) { /* an error in a later index is one all the same */
            key = key_of(e, q);
            v = is_bad(key) ? key : v;
            if (key.type == CEL_ERROR)
                return key;
        }
        return v;
    }
    return v;
}

/* ---- attributes that nobody knows ---- */

/* The part of a pattern behind `front`: absent where it does not begin so. */
static kim_text pattern_behind(kim_text pattern, kim_text front)
{
    if (kim_text_equal(pattern, front))
        return (kim_text){pattern.bytes + pattern.size, 0};
    if (pattern.size > front.size && kim_text_starts_with(pattern, front) && pattern.bytes[front.size] == '.')
        return (kim_text){pattern.bytes + front.size + 1, pattern.size - front.size - 1};
    return KIM_NO_TEXT;
}

static kim_text next_name(kim_text *rest)
{
    const char *dot = rest->size ? memchr(rest->bytes, '.', rest->size) : NULL;
    kim_text name = {rest->bytes, dot ? (size_t)(dot - rest->bytes) : rest->size};
    *rest = dot ? (kim_text){dot + 1, rest->size - name.size - 1} : (kim_text){rest->bytes + rest->size, 0};
    return name;
}

/* Does what is selected overlap with the rest of a pattern? On success *path is what of it was met. */
static bool overlaps(evaluation *e, kim_text rest, qualifier *q, kim_text *path, cel_value *failed)
{
    for (; q && rest.size; q = q->next) {
        kim_text name = next_name(&rest);
        cel_value key = key_of(e, q);
        if (key.type == CEL_ERROR)
            *failed = key;
        if (key.type != CEL_STRING || !kim_text_equal(key.text, name))
            return false;
        *path = kim_text_format(e->arena, "%.*s.%.*s", KIM_PRINT(*path), KIM_PRINT(name));
    }
    return true;
}

/* Unknown where a pattern says so, an error where an index on the way is one, else CEL_ABSENT. */
static cel_value find_unknown(evaluation *e, kim_text path, qualifier *q)
{
    cel_value failed = cel_absent();
    bool may_be = false;
    for (size_t i = 0; i < e->scope->unknown.count; i++)
        may_be |= !kim_text_is_absent(pattern_behind(e->scope->unknown.items[i], path));
    if (!may_be)
        return failed;
    for (qualifier *each = q; each; each = each->next) {
        cel_value key = key_of(e, each);
        if (key.type == CEL_ERROR)
            return key;
    }
    for (size_t i = 0; i < e->scope->unknown.count; i++) {
        kim_text rest = pattern_behind(e->scope->unknown.items[i], path), met = path;
        if (!kim_text_is_absent(rest) && overlaps(e, rest, q, &met, &failed))
            return cel_unknown(e->arena, met);
    }
    return failed;
}

/* ---- where an attribute begins ---- */

static cel_value look_up(evaluation *e, kim_text path, qualifier *rest)
{
    cel_value v = find_unknown(e, path, rest);
    if (v.type != CEL_ABSENT)
        return v;
    if (e->scope->look)
        v = e->scope->look(e->scope->from, path, e->arena);
    if (v.type == CEL_ABSENT && rest == NULL)
        type_of_name(path, &v);
    return v;
}

/* The longest path that is an attribute, and the rest selected from it. */
static cel_value from_path(evaluation *e, const cel_node *name, qualifier *first)
{
    qualifier *longest = NULL, *last;
    for (qualifier *q = first; q && !kim_text_is_absent(q->node->path); q = q->next)
        longest = q;
    for (last = longest;;) {
        qualifier *rest = last ? last->next : first;
        kim_text path = last ? last->node->path : name->path;
        cel_value v = look_up(e, path, rest);
        if (v.type != CEL_ABSENT && last && last->node->is_test && !is_bad(v)) /* has() of a whole attribute: it is there */
            return rest ? qualify(e, cel_bool(true), rest) : cel_bool(true);
        if (v.type != CEL_ABSENT || e->broken)
            return qualify(e, v, rest);
        if (last == NULL)
            break;
        qualifier *before = NULL;
        for (qualifier *q = first; q != last; q = q->next)
            before = q;
        last = before;
    }
    kim_text longest_path = longest ? longest->node->path : name->path;
    return cel_failed(e->arena, "no such attribute(s): %.*s", KIM_PRINT(longest_path));
}

static cel_value attribute(evaluation *e, const cel_node *n, qualifier *rest)
{
    qualifier q = {.node = n, .next = rest};
    switch (n->kind) {
    case NODE_SELECT:
    case NODE_HAS:
    case NODE_INDEX:
        return attribute(e, n->items[0], &q);
    case NODE_NAME:
        return n->slot == NO_SLOT ? from_path(e, n, rest) : qualify(e, e->locals[n->slot], rest);
    case NODE_CHOICE: {
        cel_value condition = evaluate(e, n->items[0]);
        if (condition.type != CEL_BOOL)
            return is_bad(condition) ? condition : no_such_overload();
        return attribute(e, n->items[condition.boolean ? 1 : 2], rest);
    }
    default:
        return qualify(e, evaluate(e, n), rest);
    }
}

/* ---- && and || ---- */

/* One more operand: what absorbs wins, then unknown, then the first error. */
static cel_value combine(evaluation *e, cel_value so_far, cel_value v, bool absorbing)
{
    if (v.type == CEL_BOOL)
        return v.boolean == absorbing ? v : so_far;
    if (v.type != CEL_UNKNOWN && v.type != CEL_ERROR)
        v = no_such_overload();
    if (v.type == CEL_UNKNOWN)
        return merge_unknowns(e, so_far, v);
    return is_bad(so_far) ? so_far : v;
}

static cel_value logical(evaluation *e, const cel_node *n)
{
    bool absorbing = n->kind == NODE_OR;
    cel_value result = cel_bool(!absorbing);
    for (uint32_t i = 0; i < n->count && !e->broken; i++) {
        result = combine(e, result, evaluate(e, n->items[i]), absorbing);
        if (result.type == CEL_BOOL && result.boolean == absorbing)
            break;
    }
    return result;
}

/* ---- calls ---- */

static cel_value perform(evaluation *e, const cel_node *n, const cel_value *arguments, size_t count)
{
    if (n->function)
        return n->function->call(e->scope->from, arguments, count, e->arena);
    e->pattern = n->pattern;
    if (n->builtin)
        return n->builtin->call(e, arguments, count);
    return cel_failed(e->arena, "no such overload: %.*s", KIM_PRINT(n->name));
}

static strictness strictness_of(const cel_node *n)
{
    if (n->builtin)
        return n->builtin->strictness;
    return n->function || n->count > 2 ? STRICT_ANY : n->count == 2 ? STRICT_TWO : STRICT_ONE;
}

/* Evaluates the arguments. False: *out is the call's result, an error or unknown among them. */
static bool arguments_of(evaluation *e, const cel_node *n, cel_value *arguments, cel_value *out)
{
    strictness s = strictness_of(n);
    uint32_t from = n->has_receiver_path;
    cel_value unknown = cel_absent();
    for (uint32_t i = from; i < n->count; i++) {
        cel_value v = evaluate(e, n->items[i]);
        if (v.type == CEL_ERROR && (s != STRICT_TWO || unknown.type != CEL_UNKNOWN)) {
            *out = v;
            return false;
        }
        if (v.type == CEL_UNKNOWN)
            unknown = merge_unknowns(e, unknown, v);
        arguments[i - from] = v;
    }
    *out = unknown;
    return unknown.type != CEL_UNKNOWN;
}

static cel_value call(evaluation *e, const cel_node *n)
{
    cel_value few[4], out, *arguments = few;
    if (n->count > 4 && (arguments = KIM_NEW_ARRAY(e->arena, cel_value, n->count)) == NULL)
        return break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
    if (!arguments_of(e, n, arguments, &out))
        return out;
    out = perform(e, n, arguments, n->count - n->has_receiver_path);
    if (kim_arena_is_full(e->arena))
        return break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
    return out;
}

/* ---- lists and maps ---- */

static cel_value list(evaluation *e, const cel_node *n)
{
    cel_value unknown = cel_absent(), *items = KIM_NEW_ARRAY(e->arena, cel_value, n->count + 1);
    if (items == NULL)
        return break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
    for (uint32_t i = 0; i < n->count; i++) {
        items[i] = evaluate(e, n->items[i]);
        if (items[i].type == CEL_ERROR)
            return items[i];
        unknown = merge_unknowns(e, unknown, items[i].type == CEL_UNKNOWN ? items[i] : cel_absent());
    }
    return unknown.type == CEL_UNKNOWN ? unknown : (cel_value){.type = CEL_LIST, .count = n->count, .items = items};
}

/* A later entry takes the place of an earlier one with the same key. */
static void put_entry(evaluation *e, cel_entry *entries, uint32_t *count, cel_value key, cel_value value)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (!same_key(e, entries[i].key, key))
            continue;
        entries[i].value = value;
        return;
    }
    entries[(*count)++] = (cel_entry){key, value};
}

static cel_value map(evaluation *e, const cel_node *n)
{
    uint32_t count = 0;
    cel_value unknown = cel_absent();
    cel_entry *entries = KIM_NEW_ARRAY(e->arena, cel_entry, n->count / 2 + 1);
    if (entries == NULL)
        return break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
    for (uint32_t i = 0; i < n->count; i += 2) {
        cel_value pair[2];
        for (uint32_t k = 0; k < 2; k++) {
            pair[k] = evaluate(e, n->items[i + k]);
            if (pair[k].type == CEL_ERROR)
                return pair[k];
            unknown = merge_unknowns(e, unknown, pair[k].type == CEL_UNKNOWN ? pair[k] : cel_absent());
        }
        if (pair[0].type == CEL_BYTES)
            return fault("unsupported key type: bytes");
        put_entry(e, entries, &count, pair[0], pair[1]);
    }
    return unknown.type == CEL_UNKNOWN ? unknown : (cel_value){.type = CEL_MAP, .count = count, .entries = entries};
}

/* ---- macros ---- */

/* What a macro has gathered: a value for the tests, or a growing list. */
typedef struct gathered {
    cel_value state;      /* all, exists: so far; the others: an error or unknown that stands, or CEL_ABSENT */
    int64_t matches;      /* exists_one */
    cel_value *items;
    uint32_t count, capacity;
} gathered;

static void append(evaluation *e, gathered *g, cel_value v)
{
    if (g->count == g->capacity) {
        uint32_t capacity = g->capacity ? 2 * g->capacity : 8;
        cel_value *grown = KIM_NEW_ARRAY(e->arena, cel_value, capacity);
        if (grown == NULL) {
            break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
            return;
        }
        if (g->count)
            memcpy(grown, g->items, g->count * sizeof *grown);
        g->items = grown;
        g->capacity = capacity;
    }
    g->items[g->count++] = v;
}

/* list + [v]: an error or unknown that is there stays, but unknowns join. */
static void append_step(evaluation *e, gathered *g, const cel_node *n)
{
    if (g->state.type == CEL_ERROR)
        return;
    cel_value v = evaluate(e, n);
    if (v.type == CEL_UNKNOWN)
        g->state = merge_unknowns(e, g->state, v);
    else if (g->state.type == CEL_ABSENT && v.type == CEL_ERROR)
        g->state = v;
    else if (g->state.type == CEL_ABSENT)
        append(e, g, v);
}

/* The predicate of exists_one, filter and map: one that is no boolean is the result so far, whatever was before. */
static bool holds(evaluation *e, gathered *g, const cel_node *predicate)
{
    cel_value v = evaluate(e, predicate);
    if (v.type != CEL_BOOL)
        g->state = is_bad(v) ? v : no_such_overload();
    return cel_is_true(v);
}

/* One element; false: no further one matters. */
static bool step(evaluation *e, const cel_node *n, gathered *g, cel_value v)
{
    e->locals[n->slot] = v;
    switch (n->fold) {
    case FOLD_ALL:
    case FOLD_EXISTS:
        g->state = combine(e, g->state, evaluate(e, n->items[1]), n->fold == FOLD_EXISTS);
        return g->state.type != CEL_BOOL || g->state.boolean == (n->fold == FOLD_ALL);
    case FOLD_EXISTS_ONE:
        g->matches += holds(e, g, n->items[1]);
        return true;
    case FOLD_FILTER:
        if (holds(e, g, n->items[1]) && g->state.type == CEL_ABSENT)
            append(e, g, v);
        return true;
    case FOLD_MAP:
        if (n->count == 2 || holds(e, g, n->items[1]))
            append_step(e, g, n->items[n->count - 1]);
        return true;
    }
    return false;
}

static cel_value folded(const cel_node *n, const gathered *g)
{
    if (g->state.type != CEL_ABSENT)
        return g->state;
    if (n->fold == FOLD_EXISTS_ONE)
        return cel_bool(g->matches == 1);
    return (cel_value){.type = CEL_LIST, .count = g->count, .items = g->items};
}

static cel_value fold(evaluation *e, const cel_node *n)
{
    cel_value range = evaluate(e, n->items[0]);
    gathered g = {.state = n->fold == FOLD_ALL || n->fold == FOLD_EXISTS ? cel_bool(n->fold == FOLD_ALL) : cel_absent()};
    if (is_bad(range))
        return range;
    bool is_text = range.type == CEL_STRING || range.type == CEL_BYTES;
    if (is_text && range.text.size == 0) /* of size 0, as cel-go sees it, and so without an element that fails */
        return folded(n, &g);
    if (range.type != CEL_LIST && range.type != CEL_MAP)
        return cel_failed(e->arena, "got '%s', expected iterable type", type_name(range.type));
    for (uint32_t i = 0; i < range.count && spend(e, 1); i++)
        if (!step(e, n, &g, range.type == CEL_LIST ? range.items[i] : range.entries[i].key))
            break;
    return folded(n, &g);
}

/* ---- */

cel_value evaluate(evaluation *e, const cel_node *n)
{
    if (!spend(e, 1))
        return fault("broken off");
    switch (n->kind) {
    case NODE_CONSTANT:
        return n->value;
    case NODE_NAME:
    case NODE_SELECT:
    case NODE_HAS:
    case NODE_INDEX:
    case NODE_CHOICE:
        return attribute(e, n, NULL);
    case NODE_CALL:
        return call(e, n);
    case NODE_AND:
    case NODE_OR:
        return logical(e, n);
    case NODE_LIST:
        return list(e, n);
    case NODE_MAP:
        return map(e, n);
    case NODE_FOLD:
        return fold(e, n);
    }
    return fault("no such expression");
}

static bool count_values(cel_value v, size_t *left)
{
    if ((*left)-- == 0)
        return false;
    for (uint32_t i = 0; v.type == CEL_LIST && i < v.count; i++)
        if (!count_values(v.items[i], left))
            return false;
    for (uint32_t i = 0; v.type == CEL_MAP && i < v.count; i++)
        if (!count_values(v.entries[i].key, left) || !count_values(v.entries[i].value, left))
            return false;
    return true;
}

bool is_small_enough(cel_value v)
{
    size_t left = CEL_MAX_RESULT_VALUES;
    return count_values(v, &left);
}

bool begin_evaluation(evaluation *e, const cel_program *program, const cel_scope *scope, kim_arena *arena, kim_error *err)
{
    *e = (evaluation){.scope = scope, .arena = arena, .err = err, .locals = KIM_NEW_ARRAY(arena, cel_value, program->slots + 1u)};
    if (e->locals == NULL)
        break_off(e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
    return !e->broken;
}

int cel_eval(const cel_program *program, const cel_scope *scope, kim_arena *scratch, cel_value *out, kim_error *err)
{
    evaluation e;
    if (!begin_evaluation(&e, program, scope, scratch, err))
        return -1;
    cel_value v = evaluate(&e, program->root);
    if (!e.broken && !is_small_enough(v))
        break_off(&e, KIM_ERR_LIMIT, "the expression's value is too large");
    if (!e.broken && kim_arena_is_full(scratch))
        break_off(&e, KIM_ERR_NOMEM, "no memory to evaluate an expression");
    if (e.broken)
        return -1;
    *out = v;
    return 0;
}
