/* SPDX-License-Identifier: Apache-2.0
 *
 * neutral.c - decisions by a profile that a provider declares.
 *
 * A decision gathers and folds. What hangs at the identity, at all that it is a member of, at the resource and its
 * parents, and at everyone is looked through; each statement that speaks of the request becomes a match: when it
 * applies, and what decides among matches. How matches come to a verdict is neutral_combine.c's. The same fold serves plain
 * answers and conditional ones, since `when` is a term.
 */
#include "controller/evaluate/neutral.h"

#include <kim/time.h>

#include <stdlib.h>

enum { KEPT_MAX_BYTES = 64 * 1024 * 1024, ACTIONS_MAX = 4096 }; /* of one evaluator; then it starts afresh */

const term *neutral_unread(kim_arena *arena, const char *side, kim_text what)
{
    const term *t = term_of(arena, TERM_UNREAD, what);
    if (t)
        ((term *)t)->key = kim_text_of(side);
    return t;
}

/* ---- scratch ---- */

static void state_free(void *state)
{
    neutral_state *st = state;
    if (st == NULL)
        return;
    matcher_free(st->matcher);
    kim_arena_free(st->kept);
    free(st->stamps);
    free(st->firsts);
    free(st->matches);
    free(st->presences);
    free(st->reached);
    free(st->chain);
    free(st);
}

/* What is kept from question to question is forgotten, and its tables are made anew. */
static int start_afresh(neutral_state *st)
{
    const neutral *c = st->c;
    kim_arena_reset(st->kept);
    st->memberships = (membership **)kim_arena_array(st->kept, c->set_count + 1, sizeof *st->memberships);
    st->actions = (text_map **)kim_arena_array(st->kept, c->system_count + 1, sizeof *st->actions);
    st->covered = (const uint64_t ***)kim_arena_array(st->kept, c->system_count + 1, sizeof *st->covered);
    st->covered_room = kim_arena_array(st->kept, c->system_count + 1, sizeof *st->covered_room);
    return kim_arena_is_full(st->kept) ? -1 : 0;
}

static void *state_new(evaluator *ev, const void *compiled, kim_error *err)
{
    neutral_state *st = calloc(1, sizeof *st);
    const neutral *c = compiled;
    if (st) {
        *st = (neutral_state){.ev = ev, .c = c, .matcher = matcher_new(NULL), .kept = kim_arena_new(SIZE_MAX)};
        st->stamps = calloc(c->node_count + 1, sizeof *st->stamps);
        st->firsts = calloc(c->node_count + 1, sizeof *st->firsts);
    }
    if (st && st->matcher && st->kept && st->stamps && st->firsts && start_afresh(st) == 0)
        return st;
    state_free(st);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for an evaluator");
    return NULL;
}

neutral_state *neutral_state_of(evaluator *ev, kim_error *err)
{
    neutral_state *st = engine_state(&neutral_engine, ev, err);
    if (st && (kim_arena_used(st->kept) > KEPT_MAX_BYTES || kim_arena_is_full(st->kept)) && start_afresh(st) < 0) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for an evaluator");
        return NULL;
    }
    return st;
}

/* Room for one more in an array of the state; false, and the decision has failed, without memory. */
static bool make_room(weighing *w, void *items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return true;
    size_t wider = *room ? *room * 2 : 32;
    void *grown = realloc(*(void **)items, wider * size);
    if (grown == NULL) {
        w->failed = true;
        return false;
    }
    *(void **)items = grown;
    *room = wider;
    return true;
}

/* ---- conditions and times ---- */

static key_value look(void *from, kim_text key)
{
    const question *q = ((const weighing *)from)->q;
    for (size_t i = 0; i < q->context_count; i++)
        if (kim_text_equal(q->context[i].key, key))
            return q->context[i].values.count ? (key_value){KEY_GIVEN, q->context[i].values} : (key_value){.state = KEY_ABSENT};
    for (size_t i = 0; i < q->known_absent.count; i++)
        if (kim_text_equal(q->known_absent.items[i], key))
            return (key_value){.state = KEY_ABSENT};
    for (size_t i = 0; i < q->known_present.count; i++)
        if (kim_text_equal(q->known_present.items[i], key))
            return (key_value){.state = KEY_PRESENT};
    return (key_value){.state = q->discover ? KEY_UNKNOWN : KEY_ABSENT};
}

static const term *decide_condition(weighing *w, const held_condition *condition)
{
    if (condition == NULL)
        return &term_true;
    const term *t = condition->test ? kim_test_decide(condition->test, look, w, w->scratch)
                                    : neutral_unread(w->scratch, "condition", condition->unread);
    w->failed |= t == NULL;
    return t;
}

/* The request's time is its context's `time`: Unix milliseconds, or RFC 3339 text. */
static const term *know_now(weighing *w)
{
    key_value now = look(w, KIM_TEXT("time"));
    if (now.state == KEY_UNKNOWN || now.state == KEY_PRESENT)
        return &term_false; /* known to be some time: a condition on it */
    int64_t at = now.state == KEY_GIVEN ? kim_time_of_text(now.values.items[0]) : 0;
    bool is_number = now.state == KEY_GIVEN && now.values.items[0].size > 0;
    for (size_t i = 0; at == 0 && is_number && i < now.values.items[0].size; i++) {
        int digit = now.values.items[0].bytes[i] - '0';
        is_number = digit >= 0 && digit <= 9 && !__builtin_mul_overflow(w->now_unix_ms, (int64_t)10, &w->now_unix_ms) &&
                    !__builtin_add_overflow(w->now_unix_ms, (int64_t)digit, &w->now_unix_ms);
    }
    if (at)
        w->now_unix_ms = at;
    if (at || is_number)
        return &term_true;
    return neutral_unread(w->scratch, "time", now.state == KEY_GIVEN ? KIM_TEXT("the request's time, the context's key `time`, is neither Unix milliseconds nor RFC 3339 text")
                                                                     : KIM_TEXT("the request's time, the context's key `time`, is not given"));
}

/* That the time is at or after a moment: a condition on the key, or, without it, something unread. */
static const term *since(weighing *w, int64_t unix_ms)
{
    kim_text *value = KIM_NEW(w->scratch, kim_text);
    if (value == NULL || w->now_known == NULL)
        return NULL;
    *value = kim_text_format(w->scratch, "%lld", (long long)unix_ms);
    if (w->now_known == &term_false)
        return term_condition(w->scratch, KIM_TEXT("time"), KIM_TEXT("from"), (kim_texts){value, 1});
    const term *t = neutral_unread(w->scratch, "time", w->now_known->text);
    if (t)
        ((term *)t)->op = *value; /* another moment is another unknown */
    return t;
}

/* Between its start, which is part of it, and its end, which is not. */
static const term *decide_time(weighing *w, int64_t starts_unix_ms, int64_t expires_unix_ms)
{
    if (starts_unix_ms == 0 && expires_unix_ms == 0)
        return &term_true;
    if (w->now_known == NULL)
        w->now_known = know_now(w);
    if (w->now_known == &term_true) {
        bool runs = w->now_unix_ms >= starts_unix_ms && (expires_unix_ms == 0 || w->now_unix_ms < expires_unix_ms);
        return runs ? &term_true : &term_false;
    }
    const term *both[] = {starts_unix_ms ? since(w, starts_unix_ms) : &term_true,
                          expires_unix_ms ? term_not(w->scratch, since(w, expires_unix_ms)) : &term_true};
    const term *t = term_all(w->scratch, both, 2);
    w->failed |= t == NULL;
    return t;
}

static const term *in_force(weighing *w, const neutral_hold *h)
{
    if (!h->is_bounded)
        return &term_true;
    const term *both[] = {decide_condition(w, h->condition), decide_time(w, h->source->starts_unix_ms, h->source->expires_unix_ms)};
    return term_all(w->scratch, both, 2);
}

/* ---- who ---- */

/* Edges that always hold; is_bounded is noted of the others. */
typedef struct plain_walk {
    bool is_bounded, has_eligible;
} plain_walk;

static const term *always(void *from, const neutral_edge *e)
{
    plain_walk *p = from;
    p->has_eligible |= e->source->eligible;
    p->is_bounded |= e->is_bounded && !e->source->eligible;
    return e->source->eligible || e->is_bounded ? &term_false : &term_true;
}

static const term *now(void *from, const neutral_edge *e)
{
    weighing *w = from;
    if (e->source->eligible && !w->activated) {
        w->saw_eligible = true;
        return &term_false;
    }
    if (!e->is_bounded)
        return &term_true;
    const term *both[] = {decide_condition(w, e->condition), decide_time(w, e->source->starts_unix_ms, e->source->expires_unix_ms)};
    return term_all(w->scratch, both, 2);
}

/* All that is reached by what always holds; the same for all of the node's set, and kept. */
static const membership *plain_membership(weighing *w, uint32_t node)
{
    neutral_state *st = w->st;
    uint32_t set = w->c->nodes[node].set;
    if (st->memberships[set])
        return st->memberships[set];
    plain_walk p = {false, false};
    membership *m = KIM_NEW(st->kept, membership);
    if (m == NULL || membership_find(w->c, node, always, &p, st->kept, m) < 0) {
        w->failed = true;
        return NULL;
    }
    m->is_bounded = p.is_bounded;
    m->has_eligible = p.has_eligible;
    return st->memberships[set] = m;
}

static void add_reached(weighing *w, reached one)
{
    neutral_state *st = w->st;
    if (!make_room(w, &st->reached, st->reached_count, &st->reached_room, sizeof *st->reached))
        return;
    if (st->stamps[one.node] != st->stamp) {
        st->stamps[one.node] = st->stamp;
        st->firsts[one.node] = (uint32_t)st->reached_count;
    }
    st->reached[st->reached_count++] = one;
}

static void note_gap(weighing *w, kim_text what)
{
    w->gap_allows = term_or(w->scratch, w->gap_allows, neutral_unread(w->scratch, "allow", what));
    w->gap_denies = term_or(w->scratch, w->gap_denies, neutral_unread(w->scratch, "deny", what));
    w->failed |= w->gap_allows == NULL || w->gap_denies == NULL;
}

static void reach(weighing *w, uint32_t node)
{
    add_reached(w, (reached){.node = node, .when = &term_true});
    if (w->c->nodes[node].set == 0)
        return;
    const membership *m = plain_membership(w, node);
    membership bounded;
    if (m && (m->is_bounded || (m->has_eligible && w->activated))) {
        w->failed |= membership_find(w->c, node, now, w, w->scratch, &bounded) < 0;
        w->saw_eligible |= m->has_eligible;
        m = &bounded;
    }
    if (m == NULL || w->failed)
        return;
    w->saw_eligible |= m->has_eligible;
    for (uint32_t i = 0; i < m->count; i++)
        add_reached(w, m->items[i]);
    if (!kim_text_is_absent(m->unread))
        note_gap(w, m->unread);
}

/* The identity in the system's own domain; else who has that id in others. */
static void find_reached(weighing *w)
{
    neutral_state *st = w->st;
    const neutral *c = w->c;
    if (++st->stamp == 0) { /* after 2^32 questions all stamps are old */
        memset(st->stamps, 0, (c->node_count + 1) * sizeof *st->stamps);
        st->stamp = 1;
    }
    st->reached_count = 0;
    uint32_t node = neutral_node_of(c, w->s->domain, w->q->identity), at = UINT32_MAX;
    if (node == NEUTRAL_NONE)
        at = text_map_find(c->declared, w->q->identity);
    if (at != UINT32_MAX)
        node = c->declared_nodes[at];
    for (uint32_t n = 0; node != NEUTRAL_NONE && n < NEUTRAL_NAMESAKES_MAX && !w->failed; n++) {
        if (st->stamps[node] != st->stamp)
            reach(w, node);
        node = at == UINT32_MAX ? NEUTRAL_NONE : c->nodes[node].namesake;
    }
}

/* When the identity is, or is in, one of these. */
static const term *is_one_of(weighing *w, const uint32_t *nodes, uint32_t count)
{
    neutral_state *st = w->st;
    const term *any = &term_false;
    for (uint32_t i = 0; i < count && any && any->kind != TERM_TRUE; i++) {
        if (st->stamps[nodes[i]] != st->stamp)
            continue;
        for (size_t at = st->firsts[nodes[i]]; at < st->reached_count && st->reached[at].node == nodes[i]; at++)
            any = term_or(w->scratch, any, st->reached[at].when);
    }
    w->failed |= any == NULL;
    return any ? any : &term_false;
}

/* ---- where ---- */

static void find_chain(weighing *w)
{
    neutral_state *st = w->st;
    const neutral_domain *d = &w->c->domains[w->s->domain];
    st->chain_count = 0;
    w->scope = NEUTRAL_NONE;
    if (!w->s->reaches_down || w->asked.has_resources)
        return;
    uint32_t at = neutral_resource_of(d, w->q->resource);
    w->scope = at != NEUTRAL_NONE && d->resources[at].is_declared ? d->resources[at].scope : w->s->scope;
    for (; at != NEUTRAL_NONE; at = d->resources[at].parent) {
        for (size_t i = 0; i < st->chain_count; i++)
            if (st->chain[i] == at)
                return; /* a circle */
        if (st->chain_count > NEUTRAL_PARENTS_MAX) {
            note_gap(w, KIM_TEXT("resources: it lies in more others, one in the other, than are looked at"));
            return;
        }
        if (!make_room(w, &st->chain, st->chain_count, &st->chain_room, sizeof *st->chain))
            return;
        st->chain[st->chain_count++] = at;
    }
}

static kim_text text_at(const weighing *w, size_t distance)
{
    const neutral_domain *d = &w->c->domains[w->s->domain];
    return distance == 0 ? w->q->resource : d->resources[w->st->chain[distance]].id;
}

/* How far above the resource this one lies; NEUTRAL_NONE: not in its reach. */
static uint32_t distance_to(const weighing *w, uint32_t resource, uint32_t reach)
{
    for (uint32_t i = 0; i < w->st->chain_count && i <= reach; i++)
        if (w->st->chain[i] == resource)
            return i;
    return NEUTRAL_NONE;
}

static bool lies_in(const weighing *w, uint32_t scope, uint32_t reach)
{
    uint32_t at = w->scope;
    for (uint32_t i = 0; at != NEUTRAL_NONE && i <= reach && i < UINT16_MAX; i++) {
        if (at == scope)
            return true;
        at = w->c->scopes[at].parent;
    }
    return false;
}

/* ---- what ---- */

static bool list_covers(const pattern_list *list, kim_text text, matcher *m)
{
    bool any = list->names_all;
    for (uint32_t i = 0; i < list->named_count && !any; i++)
        any = pattern_matches(list->named[i], text, m) == MATCH_YES;
    for (uint32_t i = 0; i < list->less_count && any; i++)
        any = pattern_matches(list->less[i], text, m) != MATCH_YES;
    return any;
}

/* Which of the system's lists of actions cover this one: found once an action. */
static void find_covered(weighing *w)
{
    neutral_state *st = w->st;
    const neutral_system *s = w->s;
    uint32_t n = s->number;
    w->covered = NULL;
    if (w->asked.has_actions)
        return;
    if (st->actions[n] == NULL || text_map_count(st->actions[n]) >= ACTIONS_MAX) {
        st->actions[n] = s->nocase ? text_map_new_nocase(st->kept) : text_map_new(st->kept);
        st->covered_room[n] = 0;
    }
    uint32_t count = st->actions[n] ? text_map_count(st->actions[n]) : 0;
    uint32_t at = st->actions[n] ? text_map_find(st->actions[n], w->q->action) : UINT32_MAX;
    if (at != UINT32_MAX) {
        w->covered = st->covered[n][at];
        return;
    }
    uint64_t *bits = KIM_NEW_ARRAY(st->kept, uint64_t, s->list_count / 64 + 1);
    if (count >= st->covered_room[n]) {
        uint32_t wider = st->covered_room[n] ? st->covered_room[n] * 2 : 8;
        const uint64_t **grown = (const uint64_t **)kim_arena_array(st->kept, wider, sizeof *grown);
        if (grown && count)
            memcpy(grown, st->covered[n], count * sizeof *grown);
        st->covered[n] = grown;
        st->covered_room[n] = grown ? wider : 0;
    }
    kim_text kept = kim_text_copy(st->kept, w->q->action.bytes ? w->q->action : KIM_TEXT(""));
    if (bits == NULL || st->covered[n] == NULL || kim_text_is_absent(kept) || st->actions[n] == NULL || text_map_add(st->actions[n], kept) != count) {
        w->failed = true;
        return;
    }
    for (uint32_t i = 0; i < s->list_count; i++)
        if (i == 0 || (s->lists[i].is_action_list && list_covers(&s->lists[i], w->q->action, st->matcher)))
            bits[i / 64] |= UINT64_C(1) << i % 64;
    st->covered[n][count] = w->covered = bits;
}

static bool names_action(const weighing *w, uint32_t list)
{
    return w->covered == NULL || (w->covered[list / 64] >> list % 64 & 1);
}

/* A pattern that takes too many steps may match. */
static const term *may_match(weighing *w, const pattern *p)
{
    const term *t = neutral_unread(w->scratch, "pattern", kim_text_format(w->scratch, "'%.*s' takes too many steps to match", KIM_PRINT(p->text)));
    w->failed |= t == NULL;
    return t;
}

static const term *is_any_of(weighing *w, const pattern *const *patterns, uint32_t count, kim_text text)
{
    const term *any = &term_false;
    for (uint32_t i = 0; i < count && any && any->kind != TERM_TRUE; i++) {
        pattern_match m = pattern_matches(patterns[i], text, w->st->matcher);
        if (m != MATCH_NO)
            any = m == MATCH_YES ? &term_true : term_or(w->scratch, any, may_match(w, patterns[i]));
    }
    return any;
}

static const term *list_names(weighing *w, const pattern_list *list, kim_text text)
{
    const term *named = list->names_all ? &term_true : is_any_of(w, list->named, list->named_count, text);
    if (list->less_count == 0 || named == NULL || named->kind == TERM_FALSE)
        return named;
    return term_and(w->scratch, named, term_not(w->scratch, is_any_of(w, list->less, list->less_count, text)));
}

/* ---- what, where a pattern is asked about as a whole ---- */

static const term *part_of(weighing *w, const pattern *p, bool is_action)
{
    kim_text *value = KIM_NEW(w->scratch, kim_text);
    if (value == NULL || !is_action)
        return value ? term_of(w->scratch, TERM_RESOURCE, p->text) : NULL;
    *value = p->text;
    return term_condition(w->scratch, KIM_TEXT("action"), p->is_plain ? KIM_TEXT("==") : KIM_TEXT("matches"), (kim_texts){value, 1});
}

/* Is it one of those that are not asked about? Equal patterns are one. */
static bool is_excepted(const weighing *w, const pattern *p)
{
    const pattern_list *but = w->asked.but;
    for (uint32_t i = 0; but && i < but->less_count; i++)
        if (but->less[i] == p)
            return true;
    return false;
}

/* asked NULL: everything. */
static const term *meets_any(weighing *w, const pattern *const *patterns, uint32_t count, const pattern *asked, bool is_action)
{
    const term *any = &term_false;
    for (uint32_t i = 0; i < count && any && any->kind != TERM_TRUE; i++) {
        pattern_relation r = asked ? pattern_relate(asked, patterns[i], w->st->matcher) : RELATE_SOME;
        if (is_action && is_excepted(w, patterns[i]))
            continue;
        if (r != RELATE_NONE)
            any = r == RELATE_ALL ? &term_true : term_or(w->scratch, any, part_of(w, patterns[i], is_action));
    }
    return any;
}

static const term *list_meets(weighing *w, const pattern_list *list, const pattern *asked)
{
    const term *named = list->names_all ? &term_true : meets_any(w, list->named, list->named_count, asked, list->is_action_list);
    if (list->less_count == 0 || named == NULL || named->kind == TERM_FALSE)
        return named;
    return term_and(w->scratch, named, term_not(w->scratch, meets_any(w, list->less, list->less_count, asked, list->is_action_list)));
}

/* When the statement speaks of the action, and its universe holds it. */
static const term *speaks_of(weighing *w, const neutral_rule *r)
{
    if (!w->asked.has_actions)
        return names_action(w, r->actions) && names_action(w, r->universe) ? &term_true : &term_false;
    const term *both[] = {list_meets(w, &w->s->lists[r->actions], w->asked.actions), list_meets(w, &w->s->lists[r->universe], w->asked.actions)};
    const term *t = term_all(w->scratch, both, 2);
    w->failed |= t == NULL;
    return t ? t : &term_false;
}

/* When the statement's resources are the one asked about, or the parent of it at that distance. */
static const term *names_resource(weighing *w, const neutral_rule *r, size_t distance)
{
    if (r->resources == 0)
        return &term_true;
    const pattern_list *list = &w->s->lists[r->resources];
    return w->asked.has_resources ? list_meets(w, list, w->asked.resources) : list_names(w, list, text_at(w, distance));
}

/* ---- gathering ---- */

static void add_match(weighing *w, match m)
{
    neutral_state *st = w->st;
    if (make_room(w, &st->matches, st->match_count, &st->match_room, sizeof *st->matches))
        st->matches[st->match_count++] = m;
}

/* A statement that was not understood may allow or deny; where its effect is known, that alone. */
static void add_unread(weighing *w, match m, kim_text what)
{
    static const struct { uint8_t effect; const char *side; } sides[] = {{KIM_ALLOW, "allow"}, {KIM_DENY, "deny"}};
    const term *when = m.when;
    for (int i = 0; i < 2; i++) {
        if (m.effect && m.effect != sides[i].effect)
            continue;
        match one = m;
        one.effect = sides[i].effect;
        one.when = term_and(w->scratch, when, neutral_unread(w->scratch, sides[i].side, what));
        w->failed |= one.when == NULL;
        if (one.when)
            add_match(w, one);
    }
}

static kim_text named_unread(weighing *w, const neutral_hold *h, const neutral_rule *r, kim_text why)
{
    if (r == NULL)
        return kim_text_format(w->scratch, "policy %.*s: %.*s", KIM_PRINT(h->document->label), KIM_PRINT(why));
    return kim_text_format(w->scratch, "policy %.*s, statement %.*s: %.*s", KIM_PRINT(h->document->label), KIM_PRINT(r->name), KIM_PRINT(why));
}

/* One statement, for one way to one of its subjects. `when`: subjects, attachment. */
static void try_resources(weighing *w, match m)
{
    const neutral_rule *r = m.rule;
    uint32_t first = m.distance, last = m.hold->resource != NEUTRAL_NONE ? m.distance : m.hold->reach;
    if (m.hold->resource != NEUTRAL_NONE)
        first = 0; /* the attachment says where; the statement may narrow it to what lies there */
    const term *rest = &term_true;
    for (uint32_t i = first; (i == 0 || (i <= last && i < w->st->chain_count)) && rest->kind != TERM_FALSE; i++) {
        const term *here = names_resource(w, r, i);
        if (here == NULL) {
            w->failed = true;
            return;
        }
        if (here->kind == TERM_FALSE)
            continue;
        match one = m;
        one.distance = m.hold->resource != NEUTRAL_NONE ? m.distance : i;
        const term *parts[] = {m.when, rest, here, decide_condition(w, r->condition)};
        one.when = term_all(w->scratch, parts, 4);
        rest = term_and(w->scratch, rest, term_not(w->scratch, here));
        if (one.when == NULL || rest == NULL) {
            w->failed = true;
            return;
        }
        if (one.when->kind == TERM_FALSE)
            continue;
        if (!kim_text_is_absent(r->unread))
            add_unread(w, one, named_unread(w, m.hold, r, r->unread));
        else
            add_match(w, one);
    }
}

static match of_way(match m, const reached *way)
{
    m.order = way->order;
    m.order_count = way->order_count;
    return m;
}

/* For each way to each subject that the statement names and its bucket does not settle. */
static void try_subjects(weighing *w, match m, const reached *way)
{
    const neutral_rule *r = m.rule;
    neutral_state *st = w->st;
    if (r->not_subject_count) {
        m.when = term_and(w->scratch, m.when, term_not(w->scratch, is_one_of(w, r->not_subjects, r->not_subject_count)));
        w->failed |= m.when == NULL;
    }
    if (w->failed || m.when->kind == TERM_FALSE)
        return;
    if (r->any_subject || m.hold->follows_subjects) {
        try_resources(w, m);
        return;
    }
    if (way) { /* the attachment names a subject and the statement names some too */
        m.when = term_and(w->scratch, m.when, is_one_of(w, r->subjects, r->subject_count));
        w->failed |= m.when == NULL;
        if (!w->failed && m.when->kind != TERM_FALSE)
            try_resources(w, m);
        return;
    }
    for (uint32_t i = 0; i < r->subject_count; i++) {
        if (st->stamps[r->subjects[i]] != st->stamp)
            continue;
        for (size_t at = st->firsts[r->subjects[i]]; at < st->reached_count && st->reached[at].node == r->subjects[i]; at++) {
            match one = of_way(m, &st->reached[at]);
            one.when = term_and(w->scratch, m.when, st->reached[at].when);
            w->failed |= one.when == NULL;
            if (!w->failed && one.when->kind != TERM_FALSE)
                try_resources(w, one);
        }
    }
}

static void note_presence(weighing *w, const neutral_hold *h, const term *when)
{
    neutral_state *st = w->st;
    if (make_room(w, &st->presences, st->presence_count, &st->presence_room, sizeof *st->presences))
        st->presences[st->presence_count++] = (presence){.layer = h->layer, .scope = h->scope, .when = when};
}

/* Does it speak of the action at all? An empty document speaks of every one, and allows none. */
static bool bears_on(const weighing *w, const neutral_hold *h)
{
    bool bears = h->document->count == 0;
    for (uint32_t i = 0; i < h->document->count && !bears; i++)
        bears = names_action(w, h->document->rules[i].universe);
    return bears;
}

static bool is_ceiling(const weighing *w, const neutral_hold *h)
{
    return w->s->is_layered && h->layer < w->s->layer_count && w->s->layers[h->layer].use == USE_CEILING;
}

static bool is_loose(const neutral_hold *h)
{
    return h->subject == NEUTRAL_NONE && h->resource == NEUTRAL_NONE && h->scope == NEUTRAL_NONE;
}

/* way: how the identity came to the bucket; NULL: the bucket is of no subject. */
static void visit(weighing *w, const neutral_hold *h, const reached *way)
{
    match m = {.hold = h, .when = &term_true};
    if (h->system != w->s->number)
        return;
    if (h->source->eligible && !w->activated) {
        w->saw_eligible = true;
        return;
    }
    if (way) {
        m = of_way(m, way);
        m.when = way->when;
    }
    if (h->resource != NEUTRAL_NONE && (m.distance = distance_to(w, h->resource, h->reach)) == NEUTRAL_NONE)
        return;
    if (h->scope != NEUTRAL_NONE && !lies_in(w, h->scope, h->reach))
        return;
    if (h->resource != NEUTRAL_NONE && h->subject != NEUTRAL_NONE) {
        m.when = is_one_of(w, &h->subject, 1);
        if (m.when->kind == TERM_FALSE)
            return;
    }
    const term *when = h->is_bounded ? in_force(w, h) : &term_true;
    m.when = when ? term_and(w->scratch, m.when, when) : NULL;
    if (m.when == NULL) {
        w->failed = true;
        return;
    }
    if (m.when->kind == TERM_FALSE)
        return;
    if (is_ceiling(w, h) && !is_loose(h) && bears_on(w, h))
        note_presence(w, h, m.when);
    if (!kim_text_is_absent(h->document->unread))
        add_unread(w, m, named_unread(w, h, NULL, h->document->unread));
    if (!kim_text_is_absent(h->unread))
        add_unread(w, m, named_unread(w, h, NULL, h->unread));
    for (uint32_t i = h->first; i < h->first + h->count && !w->failed; i++) {
        const neutral_rule *r = &h->document->rules[i];
        match one = m;
        one.rule = r;
        one.effect = r->effect;
        const term *speaks = kim_text_is_absent(h->unread) ? speaks_of(w, r) : &term_false;
        one.when = speaks->kind == TERM_FALSE ? speaks : term_and(w->scratch, m.when, speaks);
        w->failed |= one.when == NULL;
        if (!w->failed && one.when->kind != TERM_FALSE)
            try_subjects(w, one, way);
    }
}

static void visit_all(weighing *w, hold_list holds, const reached *way)
{
    for (uint32_t i = 0; i < holds.count && !w->failed; i++)
        visit(w, &holds.items[i], way);
}

static void gather(weighing *w)
{
    neutral_state *st = w->st;
    const neutral *c = w->c;
    st->match_count = st->presence_count = 0;
    visit_all(w, w->s->everyone, NULL);
    for (size_t i = 0; i < st->reached_count; i++) {
        uint32_t bucket = c->nodes[st->reached[i].node].bucket;
        const reached way = st->reached[i];
        if (bucket != NEUTRAL_NONE)
            visit_all(w, c->buckets[bucket], &way);
    }
    for (size_t i = 0; w->s->of_resource && i < st->chain_count; i++)
        if (w->s->of_resource[st->chain[i]] != NEUTRAL_NONE)
            visit_all(w, c->buckets[w->s->of_resource[st->chain[i]]], NULL);
    uint32_t at = w->s->of_scope ? w->scope : NEUTRAL_NONE;
    for (uint32_t i = 0; at != NEUTRAL_NONE && i < UINT16_MAX; i++, at = c->scopes[at].parent)
        if (w->s->of_scope[at] != NEUTRAL_NONE)
            visit_all(w, c->buckets[w->s->of_scope[at]], NULL);
}

const term *neutral_presence(weighing *w, uint8_t layer, uint32_t scope)
{
    const neutral_layer *l = &w->s->layers[layer];
    const term *any = scope == NEUTRAL_NONE && l->is_there ? &term_true : &term_false;
    for (uint32_t i = 0; scope == NEUTRAL_NONE && any && any->kind != TERM_TRUE && i < l->loose.count; i++) {
        const neutral_hold *h = &l->loose.items[i];
        if (!(h->source->eligible && !w->activated) && bears_on(w, h))
            any = term_or(w->scratch, any, in_force(w, h));
    }
    for (size_t i = 0; any && i < w->st->presence_count; i++)
        if (w->st->presences[i].layer == layer && w->st->presences[i].scope == scope)
            any = term_or(w->scratch, any, w->st->presences[i].when);
    w->failed |= any == NULL;
    return any ? any : &term_true;
}

/* ---- weighing ---- */

static void find_gaps(weighing *w)
{
    for (uint32_t i = 0; i < w->s->gap_count; i++) {
        const kim_coverage *gap = w->s->gaps[i];
        bool names = gap->actions.items == NULL;
        for (size_t k = 0; k < gap->actions.count && !names && w->s->words; k++) {
            pattern p;
            kim_error ignored;
            names = pattern_read(w->s->words, PATTERN_OF_ACTIONS, gap->actions.items[k], w->s->nocase, w->scratch, &p, &ignored) < 0 ||
                    pattern_matches(&p, w->q->action, w->st->matcher) != MATCH_NO;
        }
        if (names && (gap->resource.size == 0 || kim_text_equal(gap->resource, w->q->resource)))
            note_gap(w, kim_text_format(w->scratch, "%.*s: %.*s", KIM_PRINT(gap->part), KIM_PRINT(gap->why)));
    }
}

int neutral_weigh(weighing *w, const term **out, kim_error *err)
{
    w->gap_allows = w->gap_denies = &term_false;
    w->scope = NEUTRAL_NONE;
    w->st->match_count = w->st->presence_count = 0;
    if (!kim_text_is_absent(w->s->fault)) {
        *out = neutral_unread(w->scratch, "profile", w->s->fault);
        return *out ? 0 : kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    }
    matcher_begin(w->st->matcher);
    find_reached(w);
    if (!w->failed)
        find_chain(w);
    if (!w->failed)
        find_covered(w);
    if (!w->failed)
        gather(w);
    if (!w->failed && w->s->gap_count)
        find_gaps(w);
    fold f = {NULL, NULL};
    if (!w->failed)
        f = combining_fold(w);
    const term *granted = term_or(w->scratch, f.granted, w->gap_allows), *barred = term_or(w->scratch, f.barred, w->gap_denies);
    *out = w->failed || granted == NULL || barred == NULL ? NULL : term_and(w->scratch, granted, term_not(w->scratch, barred));
    if (*out == NULL || kim_arena_is_full(w->scratch) || kim_arena_is_full(w->st->kept))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    return 0;
}

/* ---- whose question it is ---- */

/* Is the identity known in the system's domain: by a record, by what it is a member of, or by a statement? */
static bool knows_identity(const neutral *c, const neutral_system *s, kim_text id)
{
    return neutral_node_of(c, s->domain, id) != NEUTRAL_NONE;
}

static bool knows_resource(const neutral *c, const neutral_system *s, kim_text id)
{
    const neutral_domain *d = &c->domains[s->domain];
    uint32_t at = neutral_resource_of(d, id);
    return at != NEUTRAL_NONE && d->resources[at].is_declared;
}

typedef bool knows(const neutral *c, const neutral_system *s, kim_text id);

/* Leaves the systems that know the thing; all, where none does. */
static uint32_t narrow(const neutral *c, const neutral_system **of, uint32_t count, knows *which, kim_text id)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count && count > 1; i++)
        kept += which(c, of[i], id);
    if (kept == 0)
        return count;
    kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (which(c, of[i], id))
            of[kept++] = of[i];
    return kept;
}

/* Whom a question may be about: the profile that it names, or any; of several those that know the resource, then those
 * that know the identity. of: [system_count] */
uint32_t neutral_systems_for(const neutral *c, const question *q, const neutral_system **of)
{
    uint32_t count = 0;
    bool any = q->provider.size == 0 || (kim_text_is(q->provider, "neutral") && !estate_find(c->es, KIM_PROFILE, q->provider));
    for (uint32_t i = 0; i < c->system_count; i++)
        if (any || kim_text_equal(c->systems[i].profile->id, q->provider))
            of[count++] = &c->systems[i];
    if (q->resource.size)
        count = narrow(c, of, count, knows_resource, q->resource);
    return q->identity.size ? narrow(c, of, count, knows_identity, q->identity) : count;
}

/* ---- the answer ---- */

static int weigh_again(weighing *w, const neutral_system *s, const question *q, bool activated, const term **out, kim_error *err)
{
    w->s = s;
    w->q = q;
    w->activated = activated;
    w->now_known = NULL;
    w->now_unix_ms = 0;
    w->covered = NULL;
    return neutral_weigh(w, out, err);
}

/* Would it be allowed, or might it be, if what is eligible were activated? */
static int would_be(weighing *w, const neutral_system *s, const question *q, bool *out, kim_error *err)
{
    const term *t;
    if (weigh_again(w, s, q, true, &t, err) < 0)
        return -1;
    *out = term_settle(t)->kind != TERM_FALSE;
    return 0;
}

/* One question to one system, and its part of the reasons. */
static int answer_of(weighing *w, const neutral_system *s, const question *q, answer *out, const term **t, kim_error *err)
{
    w->saw_eligible = false;
    if (weigh_again(w, s, q, false, t, err) < 0)
        return -1;
    answer_from_term(w->ev, *t, out);
    combining_explain(w, out);
    if (w->failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    bool is_eligible = false;
    if (out->verdict == DENIED && out->reason != EXPLICIT_DENY && w->saw_eligible && would_be(w, s, q, &is_eligible, err) < 0)
        return -1;
    if (is_eligible) { /* the matches are those of what would be: they name what is to be activated */
        answer activated = {.verdict = ALLOWED};
        combining_explain(w, &activated);
        out->reason = ELIGIBLE_ONLY;
        out->because = activated.because;
        out->because_count = activated.because_count;
    }
    return 0;
}

/* A request for several bits is allowed where each of them is. */
static int answer_bits(weighing *w, const neutral_system *s, const question *q, answer *out, const term **all, kim_error *err)
{
    uint64_t bits;
    if (!language_bits(q->action, &bits))
        return kim_fail(err, KIM_ERR_INPUT, "request.action: '%.*s' is no set of at most 64 bits; write a number such as 0x04", KIM_PRINT(q->action));
    if ((bits & (bits - 1)) == 0)
        return answer_of(w, s, q, out, all, err);
    *all = &term_true;
    for (uint64_t left = bits; left && (*all)->kind != TERM_FALSE; left &= left - 1) {
        question one = *q;
        const term *t;
        one.action = kim_text_format(w->scratch, "%llu", (unsigned long long)(left & -left));
        if (answer_of(w, s, &one, out, &t, err) < 0)
            return -1;
        *all = term_and(w->scratch, *all, t);
        if (*all == NULL)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    }
    answer whole;
    answer_from_term(w->ev, *all, &whole);
    whole.reason = whole.verdict == out->verdict ? out->reason : whole.reason;
    whole.because = out->because;
    whole.because_count = out->because_count;
    *out = whole;
    return 0;
}

static int answer_in(weighing *w, const neutral_system *s, const question *q, answer *out, const term **t, kim_error *err)
{
    bool has_bits = s->words && language_numbers_actions(s->words) && !w->asked.has_actions;
    return has_bits ? answer_bits(w, s, q, out, t, err) : answer_of(w, s, q, out, t, err);
}

/* Several systems may mean the same names: what any of them allows is allowed. */
static int answer_any(weighing *w, const neutral_system **of, uint32_t count, const question *q, answer *out, kim_error *err)
{
    const term *any = &term_false, *t;
    because *kept = KIM_NEW_ARRAY(w->scratch, because, BECAUSE_MAX);
    answer best = {.verdict = DENIED};
    size_t kept_count = 0;
    if (kept == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    for (uint32_t i = 0; i < count; i++) {
        answer one;
        if (answer_in(w, of[i], q, &one, &t, err) < 0)
            return -1;
        any = term_or(w->scratch, any, t);
        if (i == 0 || one.verdict > best.verdict) {
            best = one;
            kept_count = 0;
        }
        for (size_t k = 0; k < one.because_count && one.verdict == best.verdict && one.reason == best.reason && kept_count < BECAUSE_MAX; k++)
            kept[kept_count++] = one.because[k];
    }
    if (any == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    answer_from_term(w->ev, any, out);
    out->reason = out->verdict == best.verdict ? best.reason : out->reason;
    out->because = kept;
    out->because_count = kept_count;
    return 0;
}

/* The answer to a question whose systems are known; in scratch, which stays as it is. */
int neutral_answer(weighing *w, const neutral_system **of, uint32_t count, const question *q, answer *out, kim_error *err)
{
    const term *t;
    return count == 1 ? answer_in(w, of[0], q, out, &t, err) : answer_any(w, of, count, q, out, err);
}

static int decide(evaluator *ev, const question *q, answer *out, kim_error *err)
{
    neutral_state *st = neutral_state_of(ev, err);
    if (st == NULL)
        return -1;
    const neutral_system *few[4], **of = few;
    if (st->c->system_count > 4)
        of = (const neutral_system **)kim_arena_array(ev->scratch, st->c->system_count, sizeof *of);
    if (of == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
    uint32_t count = neutral_systems_for(st->c, q, of);
    if (count == 0)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "no profile says how '%.*s' is to be evaluated", KIM_PRINT(q->provider));
    if (q->identity.size == 0)
        return kim_fail(err, KIM_ERR_INPUT, "who asks is missing; name an identity");
    weighing w = {.ev = ev, .st = st, .c = st->c, .scratch = ev->scratch};
    return neutral_answer(&w, of, count, q, out, err);
}

/* ---- for walks over many decisions ---- */

int neutral_prepare(weighing *w, const neutral_system *s, const question *q, kim_error *err)
{
    w->s = s;
    w->q = q;
    w->gap_allows = w->gap_denies = &term_false;
    find_chain(w);
    if (!w->failed)
        find_covered(w);
    return w->failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a question") : 0;
}

bool neutral_may_change(weighing *w, hold_list holds)
{
    for (uint32_t i = 0; i < holds.count; i++) {
        const neutral_hold *h = &holds.items[i];
        if (h->system != w->s->number)
            continue;
        if (is_ceiling(w, h) || !kim_text_is_absent(h->unread) || !kim_text_is_absent(h->document->unread))
            return true;
        for (uint32_t k = h->first; k < h->first + h->count; k++) {
            const neutral_rule *r = &h->document->rules[k];
            if (!names_action(w, r->actions) || !names_action(w, r->universe))
                continue;
            for (uint32_t d = 0; d == 0 || (d <= h->reach && d < w->st->chain_count); d++) {
                const term *here = names_resource(w, r, d);
                if (here == NULL || here->kind != TERM_FALSE)
                    return true;
            }
        }
    }
    return false;
}

/* ---- the row of the table ---- */

static void *compile(estate *es, kim_error *err)
{
    return neutral_compile(es, err);
}

static kim_text first_unread(const void *compiled)
{
    return ((const neutral *)compiled)->first_fault;
}

const engine neutral_engine = {
    .provider = "neutral",
    .compile = compile,
    .forget = neutral_forget,
    .state_new = state_new,
    .state_free = state_free,
    .decide = decide,
    .who_can = neutral_who_can,
    .what_can = neutral_what_can,
    .first_unread = first_unread,
};
