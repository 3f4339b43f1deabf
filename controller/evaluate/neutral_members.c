/* SPDX-License-Identifier: Apache-2.0
 *
 * neutral_members.c - what an identity is a member of, by every way that can make a difference.
 *
 * Ways are followed in the order of their orders, smallest first. One that arrives where a smaller one has been, under
 * no other condition, cannot matter any more: but for a smaller one that is only the beginning of it, since what comes
 * after may make the longer one the smaller. A way never comes through a group twice.
 */
#include "controller/evaluate/neutral.h"

#include <stdlib.h>

typedef struct way {
    reached at;
    uint32_t from;        /* the way it goes on; NEUTRAL_NONE: it begins here */
    uint32_t older;       /* another way to the same node, followed before; NEUTRAL_NONE: none */
    bool is_followed;
} way;

typedef struct walk {
    const neutral *c;
    kim_arena *arena;     /* ends with the walk */
    edge_function *may;
    void *user;
    uint32_t start;
    way *ways;            /* [count] */
    size_t count, room;
    size_t part_count;    /* of all their orders */
    uint32_t *heap;       /* [heap_count] ways to follow, the smallest first */
    size_t heap_count, heap_room;
    struct visit { uint32_t node, newest; } *visits; /* [visit_room] an open hash; newest NEUTRAL_NONE: free */
    size_t visit_count, visit_room;
    kim_arena *kept;      /* for the terms of ways */
    membership *out;
    bool failed;
} walk;

static bool widen(walk *w, void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return true;
    size_t wider = *room ? *room * 2 : 16;
    void *grown = kim_arena_array(w->arena, wider, size);
    if (grown == NULL)
        return false;
    if (count)
        memcpy(grown, *(void **)items, count * size);
    *(void **)items = grown;
    *room = wider;
    return true;
}

static int compare_parts(order_part a, order_part b)
{
    if (a.whole != b.whole)
        return a.whole < b.whole ? -1 : 1;
    return a.rest < b.rest ? -1 : a.rest > b.rest;
}

/* *is_prefix: the shorter is the beginning of the other. */
static int compare_orders(const reached *a, const reached *b, bool *is_prefix)
{
    uint32_t shorter = a->order_count < b->order_count ? a->order_count : b->order_count;
    *is_prefix = false;
    for (uint32_t i = 0; i < shorter; i++) {
        int order = compare_parts(a->order[i], b->order[i]);
        if (order)
            return order;
    }
    *is_prefix = a->order_count != b->order_count;
    return a->order_count < b->order_count ? -1 : a->order_count > b->order_count;
}

/* ---- the heap ---- */

static bool goes_first(const walk *w, uint32_t a, uint32_t b)
{
    bool is_prefix;
    int order = compare_orders(&w->ways[a].at, &w->ways[b].at, &is_prefix);
    return order ? order < 0 : a < b;
}

static void push(walk *w, uint32_t one)
{
    if (!widen(w, &w->heap, w->heap_count, &w->heap_room, sizeof *w->heap)) {
        w->failed = true;
        return;
    }
    size_t at = w->heap_count++;
    for (; at > 0 && goes_first(w, one, w->heap[(at - 1) / 2]); at = (at - 1) / 2)
        w->heap[at] = w->heap[(at - 1) / 2];
    w->heap[at] = one;
}

static uint32_t pop(walk *w)
{
    uint32_t first = w->heap[0], last = w->heap[--w->heap_count];
    size_t at = 0;
    for (size_t child = 1; child < w->heap_count; child = 2 * at + 1) {
        if (child + 1 < w->heap_count && goes_first(w, w->heap[child + 1], w->heap[child]))
            child++;
        if (!goes_first(w, w->heap[child], last))
            break;
        w->heap[at] = w->heap[child];
        at = child;
    }
    w->heap[at] = last;
    return first;
}

/* ---- following ---- */

static bool comes_through(const walk *w, uint32_t from, uint32_t node)
{
    for (; from != NEUTRAL_NONE; from = w->ways[from].from)
        if (w->ways[from].at.node == node)
            return true;
    return false;
}

static struct visit *visit_of(const walk *w, uint32_t node)
{
    size_t at = (node * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (w->visit_room - 1);
    while (w->visits[at].newest != NEUTRAL_NONE && w->visits[at].node != node)
        at = (at + 1) & (w->visit_room - 1);
    return &w->visits[at];
}

/* Can this way make no difference, beside one that was followed before? */
static bool is_settled(const walk *w, uint32_t older, const way *one)
{
    for (; older != NEUTRAL_NONE; older = w->ways[older].older) {
        const reached *before = &w->ways[older].at;
        bool is_prefix;
        compare_orders(before, &one->at, &is_prefix);
        if (!is_prefix && (before->when == &term_true || term_equal(before->when, one->at.when)))
            return true;
    }
    return false;
}

static const order_part *longer(walk *w, const reached *before, const neutral_edge *e)
{
    order_part *parts = KIM_NEW_ARRAY(w->arena, order_part, before->order_count + 1);
    if (parts == NULL)
        return NULL;
    if (before->order_count)
        memcpy(parts, before->order, before->order_count * sizeof *parts);
    parts[before->order_count] = e->order;
    w->part_count += before->order_count + 1;
    return parts;
}

static void follow_edge(walk *w, const reached *before, uint32_t from, const neutral_edge *e)
{
    const term *may = e->to == w->start ? &term_false : w->may(w->user, e);
    const term *when = may == NULL ? NULL : term_and(w->kept, before->when, may);
    if (when == NULL || when->kind == TERM_FALSE) {
        w->failed |= when == NULL;
        return;
    }
    bool is_too_long = e->is_ordered && before->order_count >= NEUTRAL_ORDER_MAX;
    if (is_too_long || w->count >= NEUTRAL_PATHS_MAX || w->part_count >= NEUTRAL_PARTS_MAX) {
        w->out->unread = is_too_long ? KIM_TEXT("memberships: more of them in a row have an order than are compared")
                                     : KIM_TEXT("memberships: there are more ways to groups than are followed");
        return;
    }
    way next = {.at = *before, .from = from, .older = NEUTRAL_NONE};
    next.at.node = e->to;
    next.at.when = when;
    if (e->is_ordered) {
        next.at.order = longer(w, before, e);
        next.at.order_count++;
    }
    uint32_t before_it = w->visit_room ? visit_of(w, e->to)->newest : NEUTRAL_NONE;
    if (before_it != NEUTRAL_NONE && (!e->is_ordered || next.at.order) && is_settled(w, before_it, &next))
        return;
    if ((e->is_ordered && next.at.order == NULL) || !widen(w, &w->ways, w->count, &w->room, sizeof *w->ways)) {
        w->failed = true;
        return;
    }
    w->ways[w->count] = next;
    push(w, (uint32_t)w->count++);
}

static void follow_all(walk *w, uint32_t node, const reached *before, uint32_t from)
{
    const neutral_node *n = &w->c->nodes[node];
    const reached copy = *before; /* ways may move */
    for (uint32_t i = 0; i < n->edge_count && !w->failed; i++)
        follow_edge(w, &copy, from, &w->c->edges[n->first_edge + i]);
}

static bool make_visits(walk *w)
{
    struct visit *before = w->visits;
    size_t room = w->visit_room;
    w->visit_room = room ? room * 2 : 16;
    w->visits = kim_arena_array(w->arena, w->visit_room, sizeof *w->visits);
    for (size_t i = 0; w->visits && i < w->visit_room; i++)
        w->visits[i].newest = NEUTRAL_NONE;
    for (size_t i = 0; w->visits && i < room; i++)
        if (before[i].newest != NEUTRAL_NONE)
            *visit_of(w, before[i].node) = before[i];
    return w->visits != NULL;
}

static void follow(walk *w, uint32_t number)
{
    if (w->visit_count * 2 >= w->visit_room && !make_visits(w)) {
        w->failed = true;
        return;
    }
    way *one = &w->ways[number];
    struct visit *before = visit_of(w, one->at.node);
    if (before->newest != NEUTRAL_NONE && (comes_through(w, one->from, one->at.node) || is_settled(w, before->newest, one)))
        return;
    w->visit_count += before->newest == NEUTRAL_NONE;
    one->older = before->newest;
    one->is_followed = true;
    *before = (struct visit){one->at.node, number};
    follow_all(w, one->at.node, &w->ways[number].at, number);
}

/* ---- the result ---- */

static int by_node(const void *left, const void *right)
{
    const reached *a = left, *b = right;
    bool is_prefix;
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    return compare_orders(a, b, &is_prefix);
}

int membership_find(const neutral *c, uint32_t node, edge_function *may, void *user, kim_arena *arena, membership *out)
{
    walk w = {.c = c, .arena = kim_arena_new(SIZE_MAX), .kept = arena, .may = may, .user = user, .start = node, .out = out};
    const reached self = {.node = node, .when = &term_true};
    *out = (membership){.unread = KIM_NO_TEXT};
    if (w.arena)
        follow_all(&w, node, &self, NEUTRAL_NONE);
    while (w.arena && !w.failed && w.heap_count)
        follow(&w, pop(&w));
    size_t count = 0;
    for (size_t i = 0; i < w.count; i++)
        count += w.ways[i].is_followed;
    reached *items = KIM_NEW_ARRAY(arena, reached, count + 1);
    bool failed = w.failed || w.arena == NULL || items == NULL;
    for (size_t i = 0; i < w.count && !failed; i++) {
        if (!w.ways[i].is_followed)
            continue;
        reached *one = &items[out->count++];
        *one = w.ways[i].at;
        order_part *order = KIM_NEW_ARRAY(arena, order_part, one->order_count + 1);
        failed = order == NULL;
        if (order && one->order_count)
            memcpy(order, one->order, one->order_count * sizeof *order);
        one->order = order;
    }
    if (!failed && out->count > 1)
        qsort(items, out->count, sizeof *items, by_node);
    out->items = items;
    kim_arena_free(w.arena);
    return failed ? -1 : 0;
}
