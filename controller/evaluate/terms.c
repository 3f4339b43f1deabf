/* SPDX-License-Identifier: Apache-2.0
 *
 * terms.c - expressions that are never larger than they must be.
 *
 * A condition with a negated operator (StringNotEquals) is kept as not(StringEquals), and is written
 * back with the operator's negated name: so a deny "if not from here" and an allow "if from here" meet
 * as one atom. This is exact: AWS defines each negated operator as the opposite of its positive one,
 * an absent key and a variable without a value included.
 */
#include "controller/evaluate/terms.h"

#include <stdlib.h>

#include "controller/evaluate/wildcard.h"

enum { SETTLE_MAX_ATOMS = 12 };

const term term_true = {.kind = TERM_TRUE}, term_false = {.kind = TERM_FALSE};

static int texts_compare(kim_texts a, kim_texts b)
{
    if (a.count != b.count)
        return a.count < b.count ? -1 : 1;
    for (size_t i = 0; i < a.count; i++) {
        int order = kim_text_compare(a.items[i], b.items[i]);
        if (order)
            return order;
    }
    return 0;
}

static int compare(const term *a, const term *b)
{
    if (a == b)
        return 0;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int order = kim_text_compare(a->key, b->key);
    if (order == 0)
        order = kim_text_compare(a->op, b->op);
    if (order == 0)
        order = kim_text_compare(a->text, b->text);
    if (order == 0)
        order = texts_compare(a->values, b->values);
    if (order || a->count != b->count)
        return order ? order : a->count < b->count ? -1 : 1;
    for (size_t i = 0; i < a->count && order == 0; i++)
        order = compare(a->items[i], b->items[i]);
    return order;
}

bool term_equal(const term *a, const term *b)
{
    return compare(a, b) == 0;
}

static kim_texts copy_texts(kim_arena *arena, kim_texts from)
{
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, from.count ? from.count : 1);
    for (size_t i = 0; items && i < from.count; i++)
        items[i] = kim_text_copy(arena, from.items[i]);
    return (kim_texts){items, items ? from.count : 0};
}

const term *term_copy(kim_arena *arena, const term *t)
{
    if (t == &term_true || t == &term_false)
        return t;
    term *copy = KIM_NEW(arena, term);
    const term **items = (const term **)kim_arena_array(arena, t->count ? t->count : 1, sizeof *items);
    if (copy == NULL || items == NULL)
        return NULL;
    *copy = (term){.kind = t->kind, .key = kim_text_copy(arena, t->key), .op = kim_text_copy(arena, t->op), .text = kim_text_copy(arena, t->text),
                   .values = copy_texts(arena, t->values), .items = items, .count = t->count};
    for (size_t i = 0; i < t->count; i++)
        if ((items[i] = term_copy(arena, t->items[i])) == NULL)
            return NULL;
    return kim_arena_is_full(arena) ? NULL : copy;
}

/* ---- operators and their opposites ---- */

static const struct opposite {
    const char *positive, *negated;
} opposites[] = {
    {"==", "!="}, {"from", "until"}, /* kim's own */
    {"StringEquals", "StringNotEquals"},
    {"StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"},
    {"StringLike", "StringNotLike"},
    {"NumericEquals", "NumericNotEquals"},
    {"DateEquals", "DateNotEquals"},
    {"IpAddress", "NotIpAddress"},
    {"ArnEquals", "ArnNotEquals"},
    {"ArnLike", "ArnNotLike"},
    {"ForAnyValue:StringEquals", "ForAllValues:StringNotEquals"},
    {"ForAnyValue:StringEqualsIgnoreCase", "ForAllValues:StringNotEqualsIgnoreCase"},
    {"ForAnyValue:StringLike", "ForAllValues:StringNotLike"},
    {"ForAnyValue:NumericEquals", "ForAllValues:NumericNotEquals"},
    {"ForAnyValue:DateEquals", "ForAllValues:DateNotEquals"},
    {"ForAnyValue:IpAddress", "ForAllValues:NotIpAddress"},
    {"ForAnyValue:ArnEquals", "ForAllValues:ArnNotEquals"},
    {"ForAnyValue:ArnLike", "ForAllValues:ArnNotLike"},
    {"ForAllValues:StringEquals", "ForAnyValue:StringNotEquals"},
    {"ForAllValues:StringEqualsIgnoreCase", "ForAnyValue:StringNotEqualsIgnoreCase"},
    {"ForAllValues:StringLike", "ForAnyValue:StringNotLike"},
    {"ForAllValues:NumericEquals", "ForAnyValue:NumericNotEquals"},
    {"ForAllValues:DateEquals", "ForAnyValue:DateNotEquals"},
    {"ForAllValues:IpAddress", "ForAnyValue:NotIpAddress"},
    {"ForAllValues:ArnEquals", "ForAnyValue:ArnNotEquals"},
    {"ForAllValues:ArnLike", "ForAnyValue:ArnNotLike"},
};

static const char *positive_of(kim_text op)
{
    for (size_t i = 0; i < sizeof opposites / sizeof *opposites; i++)
        if (kim_text_is(op, opposites[i].negated))
            return opposites[i].positive;
    return NULL;
}

static const char *negated_of(kim_text op)
{
    for (size_t i = 0; i < sizeof opposites / sizeof *opposites; i++)
        if (kim_text_is(op, opposites[i].positive))
            return opposites[i].negated;
    return NULL;
}

/* ---- builders ---- */

static const term *make(kim_arena *arena, term value)
{
    term *t = KIM_NEW(arena, term);
    if (t)
        *t = value;
    return t;
}

const term *term_of(kim_arena *arena, term_kind kind, kim_text text)
{
    return make(arena, (term){.kind = kind, .text = text});
}

static kim_texts sorted(kim_arena *arena, kim_texts values)
{
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, values.count ? values.count : 1);
    if (items == NULL)
        return (kim_texts){NULL, 0};
    size_t count = 0;
    for (size_t i = 0; i < values.count; i++) {
        size_t at = count;
        while (at > 0 && kim_text_compare(items[at - 1], values.items[i]) > 0)
            at--;
        if (at > 0 && kim_text_equal(items[at - 1], values.items[i]))
            continue;
        memmove(items + at + 1, items + at, (count - at) * sizeof *items);
        items[at] = values.items[i];
        count++;
    }
    return (kim_texts){items, count};
}

static const term *negation(kim_arena *arena, const term *t)
{
    const term **items = (const term **)kim_arena_alloc(arena, sizeof *items);
    if (items == NULL || t == NULL)
        return NULL;
    items[0] = t;
    return make(arena, (term){.kind = TERM_NOT, .items = items, .count = 1});
}

const term *term_condition(kim_arena *arena, kim_text key, kim_text op, kim_texts values)
{
    static const kim_text yes = {"true", 4};
    const char *positive = positive_of(op);
    bool null_false = kim_text_is(op, "Null") && values.count == 1 &&
                      kim_text_equal_nocase(values.items[0], KIM_TEXT("false"));
    kim_texts order = sorted(arena, null_false ? (kim_texts){&yes, 1} : values);
    if (order.items == NULL)
        return NULL;
    const term *t = make(arena, (term){.kind = TERM_CONDITION, .key = key, .values = order,
                                       .op = positive ? kim_text_of(positive) : op});
    return positive || null_false ? negation(arena, t) : t;
}

const term *term_not(kim_arena *arena, const term *t)
{
    if (t == NULL)
        return NULL;
    switch (t->kind) {
    case TERM_TRUE:
        return &term_false;
    case TERM_FALSE:
        return &term_true;
    case TERM_NOT:
        return t->items[0];
    case TERM_ANY:
    case TERM_ALL: {
        const term **items = (const term **)kim_arena_array(arena, t->count, sizeof *items);
        if (items == NULL)
            return NULL;
        for (size_t i = 0; i < t->count; i++)
            items[i] = term_not(arena, t->items[i]);
        return t->kind == TERM_ANY ? term_all(arena, items, t->count)
                                   : term_any(arena, items, t->count);
    }
    default:
        return negation(arena, t);
    }
}

static bool contains(const term *list, const term *t)
{
    for (size_t i = 0; i < list->count; i++)
        if (term_equal(list->items[i], t))
            return true;
    return false;
}

/* Does `inner` make `outer` needless? For absorption: a or (a and b) is a. `kind` is the kind of the
 * lists that are compared; an item that is no such list counts as a list of itself. */
static bool absorbs(const term *inner, const term *outer, term_kind kind)
{
    if (outer->kind != kind)
        return false;
    if (inner->kind != kind)
        return contains(outer, inner);
    if (outer->count <= inner->count)
        return false;
    for (size_t i = 0; i < inner->count; i++)
        if (!contains(outer, inner->items[i]))
            return false;
    return true;
}

typedef struct gathering {
    const term **items;
    size_t count;
    bool decided;
} gathering;

static bool opposite(const term *a, const term *b)
{
    return (a->kind == TERM_NOT && term_equal(a->items[0], b)) ||
           (b->kind == TERM_NOT && term_equal(b->items[0], a));
}

/* Adds one item in its sorted place. `stop` is the constant that decides the whole: false for all. */
static void gather(gathering *g, const term *t, term_kind kind, const term *stop)
{
    if (g->decided || t->kind == (stop == &term_false ? TERM_TRUE : TERM_FALSE))
        return;
    if (t->kind == stop->kind) {
        g->decided = true;
        return;
    }
    if (t->kind == kind) {
        for (size_t i = 0; i < t->count; i++)
            gather(g, t->items[i], kind, stop);
        return;
    }
    size_t at = 0;
    for (; at < g->count; at++) {
        int order = compare(g->items[at], t);
        if (order == 0)
            return;
        if (order > 0)
            break;
    }
    for (size_t i = 0; i < g->count; i++)
        if (opposite(g->items[i], t)) {
            g->decided = true;
            return;
        }
    memmove(g->items + at + 1, g->items + at, (g->count - at) * sizeof *g->items);
    g->items[at] = t;
    g->count++;
}

static size_t widest(const term *const *items, size_t count, term_kind kind)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += items[i] && items[i]->kind == kind ? items[i]->count : 1;
    return total;
}

static const term *combine(kim_arena *arena, const term *const *items, size_t count, term_kind kind)
{
    const term *stop = kind == TERM_ALL ? &term_false : &term_true;
    const term *neutral = kind == TERM_ALL ? &term_true : &term_false;
    const term *only = NULL;
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i] == neutral)
            continue;
        if (items[i] == stop || items[i] == NULL)
            return items[i];
        only = items[i];
        open++;
    }
    if (open <= 1)
        return open ? only : neutral;
    gathering g = {.items = (const term **)kim_arena_array(arena, widest(items, count, kind) + 1, sizeof(term *))};
    if (g.items == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        gather(&g, items[i], kind, stop);
    if (g.decided)
        return stop;
    term_kind dual = kind == TERM_ALL ? TERM_ANY : TERM_ALL;
    size_t kept = 0;
    for (size_t i = 0; i < g.count; i++) {
        bool absorbed = false;
        for (size_t j = 0; j < g.count && !absorbed; j++)
            absorbed = i != j && absorbs(g.items[j], g.items[i], dual);
        if (!absorbed)
            g.items[kept++] = g.items[i];
    }
    if (kept == 1)
        return g.items[0];
    return kept == 0 ? neutral : make(arena, (term){.kind = kind, .items = g.items, .count = kept});
}

const term *term_all(kim_arena *arena, const term *const *items, size_t count)
{
    return combine(arena, items, count, TERM_ALL);
}

const term *term_any(kim_arena *arena, const term *const *items, size_t count)
{
    return combine(arena, items, count, TERM_ANY);
}

const term *term_and(kim_arena *arena, const term *a, const term *b)
{
    if (a == &term_true || b == &term_false)
        return b;
    if (b == &term_true || a == &term_false)
        return a;
    const term *both[2] = {a, b};
    return combine(arena, both, 2, TERM_ALL);
}

const term *term_or(kim_arena *arena, const term *a, const term *b)
{
    if (a == &term_false || b == &term_true)
        return b;
    if (b == &term_false || a == &term_true)
        return a;
    const term *both[2] = {a, b};
    return combine(arena, both, 2, TERM_ANY);
}

/* ---- questions about a term ---- */

bool term_has_unread(const term *t)
{
    bool has = t->kind == TERM_UNREAD;
    for (size_t i = 0; i < t->count && !has; i++)
        has = term_has_unread(t->items[i]);
    return has;
}

static size_t collect(const term *t, bool unread_only, const term **atoms, size_t count, size_t max)
{
    if (t->kind == TERM_TRUE || t->kind == TERM_FALSE)
        return count;
    if (t->kind == TERM_ANY || t->kind == TERM_ALL || t->kind == TERM_NOT) {
        for (size_t i = 0; i < t->count; i++)
            count = collect(t->items[i], unread_only, atoms, count, max);
        return count;
    }
    if (unread_only && t->kind != TERM_UNREAD)
        return count;
    for (size_t i = 0; i < count && i < max; i++)
        if (term_equal(atoms[i], t))
            return count;
    if (count < max)
        atoms[count] = t;
    return count + 1;
}

kim_texts term_unread(const term *t, kim_arena *arena)
{
    enum { MOST = 64 }; /* more names help nobody */
    const term *atoms[MOST];
    size_t count = collect(t, true, atoms, 0, MOST);
    if (count > MOST)
        count = MOST;
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, count ? count : 1);
    size_t kept = 0;
    for (size_t i = 0; items && i < count; i++) { /* one thing may be unread for allows and for denies */
        size_t at = 0;
        while (at < kept && !kim_text_equal(items[at], atoms[i]->text))
            at++;
        if (at == kept)
            items[kept++] = atoms[i]->text;
    }
    return (kim_texts){items, kept};
}

static bool holds(const term *t, const term *const *atoms, size_t count, unsigned values)
{
    switch (t->kind) {
    case TERM_TRUE:
    case TERM_FALSE:
        return t->kind == TERM_TRUE;
    case TERM_NOT:
        return !holds(t->items[0], atoms, count, values);
    case TERM_ANY:
    case TERM_ALL:
        for (size_t i = 0; i < t->count; i++)
            if (holds(t->items[i], atoms, count, values) == (t->kind == TERM_ANY))
                return t->kind == TERM_ANY;
        return t->kind == TERM_ALL;
    default:
        for (size_t i = 0; i < count; i++)
            if (term_equal(atoms[i], t))
                return values >> i & 1;
        return false;
    }
}

/* ---- what one atom says of another ---- */

enum { IMPLIES = 1, IMPLIED = 2, EXCLUDES = 4 };

static bool text_has_variable(kim_text text)
{
    return text.size > 2 && memmem(text.bytes, text.size, "${", 2) != NULL;
}

/* How two patterns of ARNs relate, part by part; 0 where nothing follows. */
static int relate_resources(kim_text a, kim_text b)
{
    enum { PARTS = 6 };
    int relation = IMPLIES | IMPLIED;
    if (text_has_variable(a) || text_has_variable(b))
        return 0;
    for (int part = 0; part < PARTS; part++) {
        const char *x = part < PARTS - 1 ? memchr(a.bytes, ':', a.size) : a.bytes + a.size;
        const char *y = part < PARTS - 1 ? memchr(b.bytes, ':', b.size) : b.bytes + b.size;
        if (x == NULL || y == NULL)
            return 0; /* no whole ARN */
        kim_text p = {a.bytes, (size_t)(x - a.bytes)}, q = {b.bytes, (size_t)(y - b.bytes)};
        glob_relation forth = glob_relate(p, q), back = glob_relate(q, p);
        if (forth == GLOB_DISJOINT)
            return EXCLUDES;
        relation &= (forth == GLOB_WITHIN ? IMPLIES : 0) | (back == GLOB_WITHIN ? IMPLIED : 0);
        if (part < PARTS - 1) {
            a = (kim_text){x + 1, a.size - p.size - 1};
            b = (kim_text){y + 1, b.size - q.size - 1};
        }
    }
    return relation;
}

static bool compares_texts(kim_text op)
{
    return kim_text_is(op, "StringEquals") || kim_text_is(op, "StringLike");
}

/* A positive operator does not, but for these. */
static bool holds_when_absent(kim_text op)
{
    return kim_text_ends_with(op, KIM_TEXT("IfExists")) || kim_text_starts_with(op, KIM_TEXT("ForAllValues:"));
}

static glob_relation relate_values(const term *a, size_t i, const term *b, size_t k)
{
    bool a_is_text = kim_text_is(a->op, "StringEquals"), b_is_text = kim_text_is(b->op, "StringEquals");
    if (a_is_text && b_is_text)
        return kim_text_equal(a->values.items[i], b->values.items[k]) ? GLOB_WITHIN : GLOB_DISJOINT;
    if (a_is_text)
        return glob_match(b->values.items[k], a->values.items[i]) ? GLOB_WITHIN : GLOB_DISJOINT;
    if (b_is_text)
        return glob_match(a->values.items[i], b->values.items[k]) ? GLOB_OVERLAPS : GLOB_DISJOINT;
    return glob_relate(a->values.items[i], b->values.items[k]);
}

/* Does each value of `a` lie in one of `b`? *apart: none of them meets any. */
static bool is_among(const term *a, const term *b, bool *apart)
{
    bool all = true;
    for (size_t i = 0; i < a->values.count; i++) {
        bool within = false;
        for (size_t k = 0; k < b->values.count; k++) {
            glob_relation r = relate_values(a, i, b, k);
            within |= r == GLOB_WITHIN;
            *apart &= r == GLOB_DISJOINT;
        }
        all &= within;
    }
    return all;
}

/* ---- kim's own tests: == in < <= > >= has, of a key that may have several values ---- */

static bool number_of(kim_text text, double *out)
{
    char copy[40], *end;
    if (text.size == 0 || text.size >= sizeof copy || strchr("+-.0123456789", text.bytes[0]) == NULL)
        return false;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    *out = strtod(copy, &end);
    return *end == '\0';
}

static bool is_bound(const term *t)
{
    return t->values.count == 1 && t->op.size <= 2 && t->op.size > 0 && (t->op.bytes[0] == '<' || t->op.bytes[0] == '>');
}

static bool is_among_values(const term *t)
{
    return kim_text_is(t->op, "==") || kim_text_is(t->op, "in");
}

static bool keeps_bound(double value, const term *bound)
{
    double limit;
    if (!number_of(bound->values.items[0], &limit))
        return false;
    bool is_inside = bound->op.bytes[0] == '<' ? value < limit : value > limit;
    return is_inside || (bound->op.size == 2 && value == limit);
}

static bool are_numbers(const term *t)
{
    return kim_text_is(t->text, "number");
}

/* Does what equals one of a's values make `b` true? As a text it equals that number alone that it is. */
static bool value_makes(const term *a, kim_text value, const term *b)
{
    double number, other;
    bool is_number = number_of(value, &number);
    if (is_bound(b))
        return is_number && keeps_bound(number, b);
    for (size_t i = 0; i < b->values.count; i++)
        if (are_numbers(b) ? is_number && number_of(b->values.items[i], &other) && number == other
                           : !are_numbers(a) && kim_text_equal(b->values.items[i], value))
            return true;
    return false;
}

/* Some value of the key makes `a` true: does the same value make `b` true? */
static bool kim_implies(const term *a, const term *b)
{
    double limit;
    if (kim_text_is(b->op, "has"))
        return true;
    if (kim_text_is(a->op, "has") || (!is_bound(b) && !is_among_values(b)))
        return false;
    if (is_bound(a)) /* the limit itself keeps b, or lies at its edge and is not in a either */
        return is_bound(b) && a->op.bytes[0] == b->op.bytes[0] && number_of(a->values.items[0], &limit) &&
               (keeps_bound(limit, b) || (a->op.size == 1 && kim_text_equal(a->values.items[0], b->values.items[0])));
    bool all = is_among_values(a);
    for (size_t i = 0; i < a->values.count && all; i++)
        all = value_makes(a, a->values.items[i], b);
    return all;
}

static bool is_kims(const term *t)
{
    return is_bound(t) || is_among_values(t) || kim_text_is(t->op, "has");
}

static int relate_kims(const term *a, const term *b)
{
    return (kim_implies(a, b) ? IMPLIES : 0) | (kim_implies(b, a) ? IMPLIED : 0);
}

/* "The time is later than this", known or not: one moment after another. */
static bool moment_of(const term *t, double *out)
{
    if (!kim_text_is(t->key, "time"))
        return false;
    return t->kind == TERM_UNREAD ? number_of(t->op, out) : kim_text_is(t->op, "from") && number_of(t->values.items[0], out);
}

static int relate_moments(const term *a, const term *b)
{
    double x, y;
    if (a->kind != b->kind || !moment_of(a, &x) || !moment_of(b, &y))
        return 0;
    return (x >= y ? IMPLIES : 0) | (x <= y ? IMPLIED : 0);
}

/* Tests of one key's text, a key with one value: AWS's plain operators are for such keys. */
static int relate_conditions(const term *a, const term *b)
{
    if (is_kims(a) && is_kims(b))
        return kim_text_equal(a->key, b->key) ? relate_kims(a, b) : 0;
    if (!kim_text_equal_nocase(a->key, b->key))
        return 0;
    if (kim_text_is(a->op, "Null") || kim_text_is(b->op, "Null")) { /* kept as "absent" */
        const term *other = kim_text_is(a->op, "Null") ? b : a;
        return !holds_when_absent(other->op) ? EXCLUDES : other == b ? IMPLIES : IMPLIED;
    }
    if (!compares_texts(a->op) || !compares_texts(b->op))
        return 0;
    for (size_t i = 0; i < a->values.count + b->values.count; i++)
        if (text_has_variable(i < a->values.count ? a->values.items[i] : b->values.items[i - a->values.count]))
            return 0;
    bool apart = true;
    int relation = (is_among(a, b, &apart) ? IMPLIES : 0) | (is_among(b, a, &apart) ? IMPLIED : 0);
    return apart ? EXCLUDES : relation;
}

static int relate(const term *a, const term *b)
{
    int moments = relate_moments(a, b);
    if (moments)
        return moments;
    if (a->kind == TERM_RESOURCE && b->kind == TERM_RESOURCE)
        return relate_resources(a->text, b->text);
    return a->kind == TERM_CONDITION && b->kind == TERM_CONDITION ? relate_conditions(a, b) : 0;
}

static bool is_possible(unsigned values, size_t count, const int relations[SETTLE_MAX_ATOMS][SETTLE_MAX_ATOMS])
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++) {
            bool a = values >> i & 1, b = values >> k & 1;
            int r = relations[i][k];
            if (((r & IMPLIES) && a && !b) || ((r & IMPLIED) && b && !a) || ((r & EXCLUDES) && a && b))
                return false;
        }
    return true;
}

/* A term's atoms, and what each says of the others. */
typedef struct atom_set {
    const term *atoms[SETTLE_MAX_ATOMS];
    size_t count;
    int relations[SETTLE_MAX_ATOMS][SETTLE_MAX_ATOMS];
} atom_set;

/* false: there are too many. */
static bool gather_atoms(const term *t, atom_set *out)
{
    out->count = collect(t, false, out->atoms, 0, SETTLE_MAX_ATOMS);
    if (out->count > SETTLE_MAX_ATOMS)
        return false;
    for (size_t i = 0; i < out->count; i++)
        for (size_t k = i + 1; k < out->count; k++)
            out->relations[i][k] = relate(out->atoms[i], out->atoms[k]);
    return true;
}

const term *term_settle(const term *t)
{
    atom_set set;
    if (t == NULL || (t->kind != TERM_ANY && t->kind != TERM_ALL) || !gather_atoms(t, &set))
        return t;
    bool some = false, every = true;
    for (unsigned values = 0; values < 1u << set.count && !(some && !every); values++) {
        if (!is_possible(values, set.count, set.relations))
            continue;
        bool h = holds(t, set.atoms, set.count, values);
        some |= h;
        every &= h;
    }
    return every ? &term_true : some ? t : &term_false;
}

/* Whether what was not read can make a difference, whatever is known. */
static bool unread_matters(const term *t, const atom_set *set)
{
    enum { UNSEEN, FALSE_SEEN, TRUE_SEEN };
    unsigned char seen[1u << SETTLE_MAX_ATOMS] = {0};
    unsigned known = 0;
    for (size_t i = 0; i < set->count; i++)
        known |= (set->atoms[i]->kind != TERM_UNREAD) * 1u << i;
    for (unsigned values = 0; values < 1u << set->count; values++) {
        if (!is_possible(values, set->count, set->relations))
            continue;
        unsigned char h = holds(t, set->atoms, set->count, values) ? TRUE_SEEN : FALSE_SEEN;
        if (seen[values & known] != UNSEEN && seen[values & known] != h)
            return true;
        seen[values & known] = h;
    }
    return false;
}

/* The term with every atom that was not read taken as false. */
static const term *without(kim_arena *arena, const term *t)
{
    if (t->kind == TERM_UNREAD)
        return &term_false;
    if (t->kind == TERM_NOT)
        return term_not(arena, without(arena, t->items[0]));
    if (t->kind != TERM_ANY && t->kind != TERM_ALL)
        return t;
    const term **items = (const term **)kim_arena_array(arena, t->count, sizeof *items);
    for (size_t i = 0; items && i < t->count; i++)
        items[i] = without(arena, t->items[i]);
    return items == NULL ? NULL : t->kind == TERM_ANY ? term_any(arena, items, t->count) : term_all(arena, items, t->count);
}

const term *term_without_unread(const term *t, kim_arena *arena)
{
    atom_set set;
    if (!term_has_unread(t) || !gather_atoms(t, &set) || unread_matters(t, &set))
        return t;
    return without(arena, t);
}

/* ---- writing ---- */

static void write_term(const term *t, kim_json_writer *writer);

static void write_condition(const term *t, const char *op, kim_json_writer *writer)
{
    kim_json_begin_object(writer);
    kim_json_key(writer, "key");
    kim_json_put_text(writer, t->key);
    kim_json_key(writer, "op");
    kim_json_put_text(writer, op ? kim_text_of(op) : t->op);
    kim_json_key(writer, "values");
    kim_json_put_texts(writer, t->values);
    kim_json_end_object(writer);
}

static void write_not(const term *t, kim_json_writer *writer)
{
    const term *inner = t->items[0];
    const char *negated = inner->kind == TERM_CONDITION ? negated_of(inner->op) : NULL;
    if (negated) {
        write_condition(inner, negated, writer);
        return;
    }
    if (inner->kind == TERM_CONDITION && kim_text_is(inner->op, "Null") && inner->values.count == 1) {
        term flipped = *inner;
        kim_text value = kim_text_equal_nocase(inner->values.items[0], KIM_TEXT("true")) ? KIM_TEXT("false") : KIM_TEXT("true");
        flipped.values = (kim_texts){&value, 1};
        write_condition(&flipped, NULL, writer);
        return;
    }
    kim_json_begin_object(writer);
    if (inner->kind == TERM_EXPRESSION && inner->op.size) {
        kim_json_key(writer, "expression");
        kim_json_put_text(writer, inner->op);
        kim_json_end_object(writer);
        return;
    }
    kim_json_key(writer, "not");
    write_term(inner, writer);
    kim_json_end_object(writer);
}

static void write_term(const term *t, kim_json_writer *writer)
{
    static const char *const names[] = {
        [TERM_RESOURCE] = "resource", [TERM_EXPRESSION] = "expression", [TERM_UNREAD] = "unread",
        [TERM_ANY] = "any", [TERM_ALL] = "all", [TERM_NOT] = "not",
    };
    if (t->kind == TERM_CONDITION) {
        write_condition(t, NULL, writer);
    } else if (t->kind == TERM_NOT) {
        write_not(t, writer);
    } else {
        kim_json_begin_object(writer);
        kim_json_key(writer, t->kind == TERM_TRUE || t->kind == TERM_FALSE ? "all" : names[t->kind]);
        if (t->kind == TERM_ANY || t->kind == TERM_ALL) {
            kim_json_begin_array(writer);
            for (size_t i = 0; i < t->count; i++)
                write_term(t->items[i], writer);
            kim_json_end_array(writer);
        } else {
            kim_json_put_text(writer, t->text);
        }
        kim_json_end_object(writer);
    }
}

bool term_has_known(const term *t)
{
    bool has = t->kind != TERM_TRUE && t->kind != TERM_ALL && !term_has_unread(t);
    for (size_t i = 0; t->kind == TERM_ALL && i < t->count && !has; i++)
        has = !term_has_unread(t->items[i]);
    return has;
}

void term_write_list(const term *t, kim_json_writer *writer)
{
    kim_json_begin_array(writer);
    for (size_t i = 0; t->kind == TERM_ALL && i < t->count; i++)
        if (!term_has_unread(t->items[i]))
            write_term(t->items[i], writer);
    if (t->kind != TERM_ALL && t->kind != TERM_TRUE && !term_has_unread(t))
        write_term(t, writer);
    kim_json_end_array(writer);
}
