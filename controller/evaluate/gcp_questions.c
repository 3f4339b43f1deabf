/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_questions.c - who may do this there, and what may this one do: from bindings to decisions.
 *
 * Only who is named on the resource or above it, or belongs to a set that is, can be granted anything: so the
 * walk goes from those bindings down into their sets, and decides for whom it meets.
 */
#include <stdlib.h>

#include "controller/evaluate/gcp.h"
#include "controller/evaluate/name_list.h"

/* ---- who can ---- */

typedef struct who_walk {
    const gcp_rules *r;
    bool everyone;       /* some binding may let in anyone: all are asked about */
    bool *met;           /* [graph.count] */
    uint32_t *queue;     /* [count] */
    uint32_t count;
    name_list names;
} who_walk;

static bool is_one(const gcp_node *n)
{
    gcp_member_kind kind = n->member.kind;
    return kind == GCP_USER || kind == GCP_SERVICE_ACCOUNT || kind == GCP_FEDERATED;
}

/* A set whose members are not all known by name answers for itself. */
static bool stands_for_itself(const gcp_node *n)
{
    return n->is_open || n->member.kind == GCP_DOMAIN || n->member.kind == GCP_POOL || n->member.kind == GCP_POOL_PART ||
           n->member.kind == GCP_EVERYONE || n->member.kind == GCP_AUTHENTICATED;
}

static void meet(who_walk *w, uint32_t node)
{
    if (w->met[node])
        return;
    w->met[node] = true;
    w->queue[w->count++] = node;
}

static bool may_give(const gcp_role *role, uint32_t permission)
{
    return role->permissions == NULL || (permission != UINT32_MAX && gcp_bit(role->permissions, permission));
}

static void meet_bindings(who_walk *w, const gcp_state *s)
{
    w->everyone |= s->too_deep != &term_false || s->gap != &term_false;
    for (size_t d = 0; d < s->rq.depth; d++) {
        gcp_list at = w->r->bindings_at[s->chain[d]];
        for (uint32_t i = 0; i < at.count; i++) {
            const gcp_binding *b = &w->r->bindings[at.first + i];
            if (b->unread.size)
                w->everyone = true;
            else if (b->member != UINT32_MAX && may_give(&w->r->roles[b->role], s->number))
                meet(w, b->member);
        }
    }
    for (uint32_t next = 0; next < w->count; next++) {
        const gcp_node *n = &w->r->graph.nodes[w->queue[next]];
        w->everyone |= n->is_open || n->member.kind == GCP_EVERYONE || n->member.kind == GCP_AUTHENTICATED;
        for (uint32_t i = 0; i < n->down_count; i++)
            meet(w, w->r->graph.edges[n->down + i].to);
    }
}

static void name_candidates(who_walk *w)
{
    for (uint32_t i = 0; i < w->r->graph.count; i++) {
        const gcp_node *n = &w->r->graph.nodes[i];
        if (is_one(n) ? w->everyone || w->met[i] : w->met[i] && stands_for_itself(n) && gcp_member_can_ask(&n->member))
            name_list_add(&w->names, n->member.id);
    }
    name_list_settle(&w->names);
}

int gcp_who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err)
{
    gcp_state *s = engine_state(&gcp_engine, ev, err);
    if (s == NULL || gcp_ask(s, q, err) < 0)
        return -1;
    who_walk w = {.r = s->r, .names = {.arena = kim_arena_new(SIZE_MAX)}};
    if (w.names.arena) {
        w.met = KIM_NEW_ARRAY(w.names.arena, bool, s->r->graph.count + 1);
        w.queue = KIM_NEW_ARRAY(w.names.arena, uint32_t, s->r->graph.count + 1);
    }
    int result = w.met && w.queue ? 0 : -1;
    if (result == 0) {
        meet_bindings(&w, s);
        name_candidates(&w);
    }
    if (result < 0 || w.names.failed)
        result = kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    for (size_t i = 0; i < w.names.count && result == 0; i++) {
        question one = *q;
        answer a;
        one.identity = w.names.items[i];
        kim_arena_reset(ev->scratch);
        result = gcp_decide(ev, &one, &a, err);
        if (result == 0 && a.verdict != DENIED)
            result = found(user, one.identity, &a);
    }
    kim_arena_free(w.names.arena);
    return result;
}

/* ---- what can ---- */

/* A role on a place, or a policy that nobody read. */
typedef struct granting {
    uint32_t place, role; /* role UINT32_MAX: unread */
    kim_text unread;
} granting;

typedef struct what_walk {
    evaluator *ev;
    gcp_state *s;
    const question *q;
    kim_arena *arena;
    granting *items; /* [count] */
    size_t count, capacity;
    uint64_t *bits;  /* of the permissions given on one place */
    what_can_function *found;
    void *user;
    kim_error *err;
    bool failed;
} what_walk;

static void add_granting(what_walk *w, granting one)
{
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 64;
        granting *grown = KIM_NEW_ARRAY(w->arena, granting, capacity);
        if (grown == NULL) {
            w->failed = true;
            return;
        }
        if (w->count)
            memcpy(grown, w->items, w->count * sizeof *grown);
        w->items = grown;
        w->capacity = capacity;
    }
    w->items[w->count++] = one;
}

static bool is_asked_about(const what_walk *w, uint32_t place)
{
    if (w->q->resource.size == 0)
        return true;
    for (size_t d = 0; d < w->s->rq.depth; d++)
        if (w->s->chain[d] == place)
            return true;
    return false;
}

static void add_binding(what_walk *w, const gcp_binding *b)
{
    if (is_asked_about(w, b->place))
        add_granting(w, (granting){b->place, b->role, b->unread});
}

/* The asker's own bindings, and those of open sets that may hold them. */
static void gather(what_walk *w)
{
    const gcp_rules *r = w->s->r;
    gcp_asker *a = &w->s->asker;
    for (uint32_t i = 0; i < a->count; i++) {
        gcp_list of = r->bindings_of[a->reached[i]];
        for (uint32_t k = 0; k < of.count; k++)
            add_binding(w, &r->bindings[r->by_node[of.first + k]]);
    }
    for (uint32_t place = 0; place < r->tree.count; place++)
        for (uint32_t k = 0; k < r->open_at[place].count; k++) {
            const gcp_binding *b = &r->bindings[r->open[r->open_at[place].first + k]];
            if (b->member == UINT32_MAX || a->stamps[b->member] == a->stamp || gcp_asker_in(a, b->member, &w->s->rq) != &term_false)
                add_binding(w, b);
        }
}

static _Thread_local const gcp_tree *sorting; /* qsort hands nothing through */

static int by_place(const void *left, const void *right)
{
    const granting *a = left, *b = right;
    int order = a->place == b->place ? 0 : kim_text_compare(sorting->places[a->place].name, sorting->places[b->place].name);
    return order ? order : a->role < b->role ? -1 : a->role > b->role;
}

/* What an unread role or policy gives, nobody knows. */
static int tell_unread(what_walk *w, kim_text resource, kim_text what)
{
    const grant g = {.action = KIM_TEXT("*"), .resource = resource};
    const term *t = term_of(w->arena, TERM_UNREAD, what);
    if (t == NULL)
        return kim_fail(w->err, KIM_ERR_NOMEM, "no memory for a question");
    answer a = {.verdict = UNKNOWN, .reason = UNREAD, .condition = t, .unread = term_unread(t, w->arena)};
    return w->found(w->user, &g, &a);
}

static int tell_permission(what_walk *w, kim_text resource, kim_text permission)
{
    question one = *w->q;
    answer a;
    one.resource = resource;
    one.action = permission;
    kim_arena_reset(w->ev->scratch);
    if (gcp_decide(w->ev, &one, &a, w->err) < 0)
        return -1;
    const grant g = {.action = permission, .resource = resource};
    return a.verdict == DENIED ? 0 : w->found(w->user, &g, &a);
}

/* All that was gathered for one resource. */
static int tell_resource(what_walk *w, kim_text resource, size_t from, size_t to)
{
    const gcp_rules *r = w->s->r;
    int result = 0;
    memset(w->bits, 0, r->words * sizeof *w->bits);
    for (size_t i = from; i < to && result == 0; i++) {
        const granting *g = &w->items[i];
        bool again = i > from && g->role == g[-1].role && g->role != UINT32_MAX;
        if (again)
            continue;
        if (g->role == UINT32_MAX || r->roles[g->role].permissions == NULL)
            result = tell_unread(w, resource, g->role == UINT32_MAX ? g->unread : r->roles[g->role].unread);
        else
            for (size_t k = 0; k < r->words; k++)
                w->bits[k] |= r->roles[g->role].permissions[k];
    }
    uint32_t count = text_map_count(r->permissions);
    name_list names = {.arena = w->arena};
    for (uint32_t p = 0; p < count && result == 0; p++)
        if (gcp_bit(w->bits, p))
            name_list_add(&names, text_map_text(r->permissions, p));
    name_list_settle(&names);
    for (size_t i = 0; i < names.count && result == 0; i++)
        result = tell_permission(w, resource, names.items[i]);
    return names.failed ? kim_fail(w->err, KIM_ERR_NOMEM, "no memory for a question") : result;
}

/* In what could not be read anything may be given. */
static int tell_gaps(what_walk *w)
{
    const gcp_rules *r = w->s->r;
    int result = 0;
    for (uint32_t i = 0; i < r->gap_count && result == 0; i++) {
        uint32_t place = r->gaps[i].place;
        if (place == GCP_NOWHERE || is_asked_about(w, place))
            result = tell_unread(w, w->q->resource.size ? w->q->resource : place == GCP_NOWHERE ? KIM_TEXT("*") : r->tree.places[place].name, r->gaps[i].what);
    }
    return result;
}

static int tell_all(what_walk *w)
{
    const gcp_tree *tree = &w->s->r->tree;
    int result = tell_gaps(w);
    if (w->q->resource.size)
        return result == 0 ? tell_resource(w, w->q->resource, 0, w->count) : result;
    for (size_t from = 0, to; from < w->count && result == 0; from = to) {
        for (to = from; to < w->count && w->items[to].place == w->items[from].place; to++)
            ;
        result = tell_resource(w, tree->places[w->items[from].place].name, from, to);
    }
    return result;
}

static int by_role(const void *left, const void *right)
{
    const granting *a = left, *b = right;
    return a->role < b->role ? -1 : a->role > b->role;
}

int gcp_what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err)
{
    gcp_state *s = engine_state(&gcp_engine, ev, err);
    if (s == NULL || gcp_ask(s, q, err) < 0 || gcp_asker_set(&s->asker, q->identity, &s->rq, err) < 0)
        return -1;
    what_walk w = {.ev = ev, .s = s, .q = q, .arena = kim_arena_new(SIZE_MAX), .found = found, .user = user, .err = err};
    w.bits = w.arena ? KIM_NEW_ARRAY(w.arena, uint64_t, s->r->words) : NULL;
    int result = w.bits ? 0 : -1;
    if (result == 0)
        gather(&w);
    if (result < 0 || w.failed)
        result = kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    sorting = &s->r->tree;
    if (result == 0 && w.count)
        qsort(w.items, w.count, sizeof *w.items, q->resource.size ? by_role : by_place);
    if (result == 0)
        result = tell_all(&w);
    kim_arena_free(w.arena);
    return result;
}
