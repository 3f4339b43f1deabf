/* SPDX-License-Identifier: Apache-2.0
 *
 * neutral_questions.c - who may do this in a neutral system, and what may this one do: walks over decisions.
 *
 * Identities with the same memberships are one question, unless something that hangs at one of them, or that names
 * it, could make a difference. What an identity may do is asked of each pattern of each statement that may grant it
 * something, as a whole: where others cut into it, the answer is what is left.
 */
#include "controller/evaluate/neutral.h"

#include <stdlib.h>

/* ---- who can ---- */

/* The answer for all identities of a set that nothing distinguishes. */
typedef struct set_answer {
    bool is_known;
    answer answer;
} set_answer;

typedef struct who_walk {
    weighing w;
    const question *q;
    const neutral_system **of; /* [count] */
    uint32_t count;
    set_answer *sets;          /* [set_count]; of a single system alone */
    kim_arena *kept;           /* their answers */
} who_walk;

/* An answer's parts, kept beyond the next question. */
static int keep(const answer *from, kim_arena *arena, answer *out)
{
    because *reasons = KIM_NEW_ARRAY(arena, because, from->because_count + 1);
    kim_text *unread = KIM_NEW_ARRAY(arena, kim_text, from->unread.count + 1);
    *out = *from;
    out->condition = from->condition ? term_copy(arena, from->condition) : NULL;
    if (reasons == NULL || unread == NULL || (from->condition && out->condition == NULL))
        return -1;
    if (from->because_count)
        memcpy(reasons, from->because, from->because_count * sizeof *reasons);
    for (size_t i = 0; i < from->unread.count; i++)
        unread[i] = kim_text_copy(arena, from->unread.items[i]);
    out->because = reasons;
    out->unread = (kim_texts){unread, from->unread.count};
    return kim_arena_is_full(arena) ? -1 : 0;
}

/* Does what was reached lie in the system's domain, or hang in the system? Others cannot get there. */
static bool is_related(const who_walk *walk, const neutral_system *s)
{
    const neutral *c = walk->w.c;
    const neutral_state *st = walk->w.st;
    for (size_t i = 0; i < st->reached_count; i++) {
        const neutral_node *n = &c->nodes[st->reached[i].node];
        if (n->domain == s->domain || n->is_listed)
            return true;
        for (uint32_t k = 0; n->bucket != NEUTRAL_NONE && k < c->buckets[n->bucket].count; k++)
            if (c->buckets[n->bucket].items[k].system == s->number)
                return true;
    }
    return false;
}

static int ask(who_walk *walk, const question *q, answer *out, kim_error *err)
{
    evaluator *ev = walk->w.ev;
    const neutral_system *few[8], **of = few;
    uint32_t count = walk->count;
    kim_arena_reset(ev->scratch);
    if (count > 8)
        of = (const neutral_system **)kim_arena_array(ev->scratch, count, sizeof *of);
    if (of == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    memcpy(of, walk->of, count * sizeof *of);
    if (neutral_answer(&walk->w, of, count, q, out, err) < 0)
        return -1;
    if (count == 1 && walk->w.c->domain_count > 1 && !is_related(walk, of[0]))
        out->verdict = DENIED;
    return 0;
}

/* Whether nothing sets this identity apart from others with the same memberships. */
static bool is_one_of_many(who_walk *walk, const neutral_node *n, const question *q, kim_error *err)
{
    const neutral *c = walk->w.c;
    if (walk->sets == NULL || n->is_listed || n->domain != walk->of[0]->domain || c->set_sizes[n->set] < 2)
        return false;
    if (n->bucket == NEUTRAL_NONE)
        return true;
    kim_arena_reset(walk->w.ev->scratch);
    return neutral_prepare(&walk->w, walk->of[0], q, err) == 0 && !neutral_may_change(&walk->w, c->buckets[n->bucket]);
}

static int ask_for(who_walk *walk, const neutral_node *n, const question *q, answer *out, kim_error *err)
{
    kim_error ignored;
    bool is_shared = is_one_of_many(walk, n, q, &ignored);
    set_answer *known = is_shared ? &walk->sets[n->set] : NULL;
    if (known && known->is_known) {
        *out = known->answer;
        return 0;
    }
    if (ask(walk, q, out, err) < 0)
        return -1;
    if (known) {
        if (out->verdict != DENIED && keep(out, walk->kept, out) < 0)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
        *known = (set_answer){true, *out};
    }
    return 0;
}

/* In the order of their ids; one that several domains know is asked about once. */
static int ask_each(who_walk *walk, who_can_function *found, void *user, kim_error *err)
{
    size_t count;
    const neutral *c = walk->w.c;
    const kim_record *items = estate_records(c->es, KIM_IDENTITY, &count);
    kim_text last = KIM_NO_TEXT;
    for (size_t i = 0; i < count; i++) {
        uint32_t node = c->askers[i];
        if (node == NEUTRAL_NONE || (items[i].identity.kind == KIM_ROLE && c->nodes[node].is_group) ||
            (!kim_text_is_absent(last) && kim_text_equal(last, items[i].identity.id)))
            continue;
        question one = *walk->q;
        answer a;
        one.identity = last = items[i].identity.id;
        if (ask_for(walk, &c->nodes[node], &one, &a, err) < 0)
            return -1;
        int result = a.verdict == DENIED ? 0 : found(user, one.identity, &a);
        if (result)
            return result;
    }
    return 0;
}

int neutral_who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err)
{
    neutral_state *st = neutral_state_of(ev, err);
    if (st == NULL)
        return -1;
    question any = *q;
    any.identity = KIM_NO_TEXT;
    who_walk walk = {.w = {.ev = ev, .st = st, .c = st->c, .scratch = ev->scratch}, .q = &any, .kept = kim_arena_new(SIZE_MAX)};
    int result = -1;
    walk.of = walk.kept ? (const neutral_system **)kim_arena_array(walk.kept, st->c->system_count + 1, sizeof *walk.of) : NULL;
    walk.count = walk.of ? neutral_systems_for(st->c, &any, walk.of) : 0;
    if (walk.count == 1)
        walk.sets = KIM_NEW_ARRAY(walk.kept, set_answer, st->c->set_count);
    if (walk.of == NULL || (walk.count == 1 && walk.sets == NULL))
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    else if (walk.count == 0)
        kim_fail(err, KIM_ERR_NOT_FOUND, "no profile says how '%.*s' is to be evaluated", KIM_PRINT(q->provider));
    else
        result = ask_each(&walk, found, user, err);
    kim_arena_free(walk.kept);
    return result;
}

/* ---- what can ---- */

/* One grant to ask about: an action or a pattern of actions, on a resource or a pattern of them. */
typedef struct row {
    grant what;
    const pattern *action, *resource; /* NULL: all, or the text is meant */
    const pattern_list *but;
    bool is_action_text, is_resource_text;
} row;

typedef struct what_walk {
    weighing w;
    const question *q;
    const neutral_system *s;
    kim_arena *arena;   /* the rows */
    row *rows;          /* [count] */
    size_t count, room;
    bool failed;
} what_walk;

static const kim_text everything = {"*", 1};

static void add_row(what_walk *walk, row one)
{
    if (walk->count == walk->room) {
        size_t room = walk->room ? walk->room * 2 : 64;
        row *grown = realloc(walk->rows, room * sizeof *grown);
        if (grown == NULL) {
            walk->failed = true;
            return;
        }
        walk->rows = grown;
        walk->room = room;
    }
    walk->rows[walk->count++] = one;
}

/* With each action that the list names; each bit by itself where actions are bits. */
static void add_actions(what_walk *walk, const pattern_list *list, row one)
{
    bool has_bits = language_numbers_actions(walk->s->words);
    if (list->names_all) {
        one.what.action = everything;
        one.what.not_actions = list->less_texts;
        one.but = list;
        add_row(walk, one);
        return;
    }
    for (uint32_t i = 0; i < list->named_count; i++) {
        const pattern *p = list->named[i];
        for (uint64_t left = has_bits ? p->bits : 0; left; left &= left - 1) {
            one.what.action = kim_text_format(walk->arena, "0x%llx", (unsigned long long)(left & -left));
            one.is_action_text = true;
            add_row(walk, one);
        }
        one.what.action = p->text;
        one.is_action_text = p->is_plain;
        one.action = p->is_plain ? NULL : p;
        if (!has_bits && !p->is_void)
            add_row(walk, one);
    }
}

static void add_text(what_walk *walk, const neutral_rule *r, kim_text resource)
{
    add_actions(walk, &walk->s->lists[r->actions], (row){.what = {.resource = resource}, .is_resource_text = true});
}

/* Does the statement name this resource, or one above it that lies within its reach? */
static bool reaches(what_walk *walk, const neutral_rule *r, const neutral_hold *h, uint32_t resource)
{
    const neutral_domain *d = &walk->w.c->domains[walk->s->domain];
    const pattern_list *list = &walk->s->lists[r->resources];
    uint32_t at = resource;
    for (uint32_t up = 0; at != NEUTRAL_NONE && up <= h->reach && up <= NEUTRAL_PARENTS_MAX; up++, at = d->resources[at].parent) {
        if (h->resource != NEUTRAL_NONE ? at != h->resource : list->names_all)
            continue;
        bool names = h->resource != NEUTRAL_NONE;
        for (uint32_t i = 0; i < list->named_count && !names; i++)
            names = pattern_matches(list->named[i], d->resources[at].id, walk->w.st->matcher) != MATCH_NO;
        if (names)
            return true;
    }
    return false;
}

/* What lies below the resources that the statement names, or below the one that it hangs on. */
static void add_below(what_walk *walk, const neutral_rule *r, const neutral_hold *h)
{
    const neutral_domain *d = &walk->w.c->domains[walk->s->domain];
    uint32_t count = d->resource_names ? text_map_count(d->resource_names) : 0;
    for (uint32_t i = 0; i < count && !walk->failed; i++)
        if (reaches(walk, r, h, i))
            add_text(walk, r, d->resources[i].id);
}

static void add_rule(what_walk *walk, const neutral_rule *r, const neutral_hold *h)
{
    const pattern_list *list = &walk->s->lists[r->resources];
    if (walk->q->resource.size) {
        add_text(walk, r, walk->q->resource);
        return;
    }
    if (h->reach > 0 || h->resource != NEUTRAL_NONE)
        add_below(walk, r, h);
    if (h->resource != NEUTRAL_NONE)
        return;
    if (list->names_all)
        add_actions(walk, &walk->s->lists[r->actions], (row){.what = {.resource = everything}});
    for (uint32_t i = 0; i < list->named_count; i++) {
        const pattern *p = list->named[i];
        if (!p->is_void)
            add_actions(walk, &walk->s->lists[r->actions], (row){.what = {.resource = p->text}, .resource = p->is_plain ? NULL : p, .is_resource_text = p->is_plain});
    }
}

/* What the system allows without a statement. */
static void add_defaults(what_walk *walk)
{
    row one = {.what = {.resource = everything}};
    if (walk->q->resource.size)
        one = (row){.what = {.resource = walk->q->resource}, .is_resource_text = true};
    for (uint32_t i = 0; i < walk->s->default_count; i++) {
        const pattern *p = &walk->s->defaults[i].of;
        row of = one;
        of.what.action = p->text;
        of.is_action_text = p->is_plain;
        of.action = p->is_plain ? NULL : p;
        if (walk->s->defaults[i].allows)
            add_row(walk, of);
    }
    one.what.action = everything;
    if (walk->s->profile->default_effect == KIM_ALLOW)
        add_row(walk, one);
}

static bool may_grant(const what_walk *walk, const match *m)
{
    bool is_granting = !walk->s->is_layered || (m->hold->layer < walk->s->layer_count && walk->s->layers[m->hold->layer].use == USE_GRANT);
    return m->effect == KIM_ALLOW && m->rule && is_granting;
}

/* Everything that may grant the identity something, wherever it hangs. */
static int find_rows(what_walk *walk, kim_error *err)
{
    const neutral *c = walk->w.c;
    const neutral_domain *d = &c->domains[walk->s->domain];
    uint32_t resources = d->resource_names ? text_map_count(d->resource_names) : 0;
    answer ignored;
    kim_arena_reset(walk->w.scratch);
    walk->w.asked = (asked_pattern){.has_actions = true, .has_resources = true};
    if (neutral_answer(&walk->w, &walk->s, 1, walk->q, &ignored, err) < 0)
        return -1;
    for (size_t i = 0; i < walk->w.st->match_count && !walk->failed; i++)
        if (may_grant(walk, &walk->w.st->matches[i]))
            add_rule(walk, walk->w.st->matches[i].rule, walk->w.st->matches[i].hold);
    walk->w.asked.has_resources = false;
    for (uint32_t i = 0; walk->s->of_resource && i < resources && !walk->failed; i++) {
        question one = *walk->q;
        one.resource = d->resources[i].id;
        if (walk->s->of_resource[i] == NEUTRAL_NONE)
            continue;
        kim_arena_reset(walk->w.scratch);
        if (neutral_answer(&walk->w, &walk->s, 1, &one, &ignored, err) < 0)
            return -1;
        for (size_t k = 0; k < walk->w.st->match_count; k++)
            if (may_grant(walk, &walk->w.st->matches[k]) && walk->w.st->matches[k].hold->resource == i)
                add_rule(walk, walk->w.st->matches[k].rule, walk->w.st->matches[k].hold);
    }
    if (!walk->failed)
        add_defaults(walk);
    return walk->failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a question") : 0;
}

static int by_words(const void *left, const void *right)
{
    const row *a = left, *b = right;
    int order = kim_text_compare(a->what.action, b->what.action);
    if (order == 0)
        order = kim_text_compare(a->what.resource, b->what.resource);
    if (order == 0 && a->is_resource_text != b->is_resource_text)
        order = a->is_resource_text < b->is_resource_text ? -1 : 1;
    if (order == 0 && a->what.not_actions.count != b->what.not_actions.count)
        order = a->what.not_actions.count < b->what.not_actions.count ? -1 : 1;
    for (size_t i = 0; i < a->what.not_actions.count && order == 0; i++)
        order = kim_text_compare(a->what.not_actions.items[i], b->what.not_actions.items[i]);
    return order;
}

static int ask_row(what_walk *walk, const row *one, what_can_function *found, void *user, kim_error *err)
{
    question q = *walk->q;
    answer a;
    q.action = one->is_action_text ? one->what.action : KIM_NO_TEXT;
    q.resource = one->is_resource_text ? one->what.resource : KIM_NO_TEXT;
    walk->w.asked = (asked_pattern){.has_actions = !one->is_action_text, .has_resources = !one->is_resource_text,
                                    .actions = one->action, .resources = one->resource, .but = one->but};
    kim_arena_reset(walk->w.scratch);
    if (neutral_answer(&walk->w, &walk->s, 1, &q, &a, err) < 0)
        return -1;
    return a.verdict == DENIED ? 0 : found(user, &one->what, &a);
}

static int ask_system(what_walk *walk, what_can_function *found, void *user, kim_error *err)
{
    walk->count = 0;
    if (walk->s->words == NULL || walk->s->how == NULL) {
        const row all = {.what = {.action = everything, .resource = everything}};
        return ask_row(walk, &all, found, user, err); /* unknown, and why */
    }
    int result = find_rows(walk, err);
    if (result == 0 && walk->count > 1)
        qsort(walk->rows, walk->count, sizeof *walk->rows, by_words);
    for (size_t i = 0; i < walk->count && result == 0; i++)
        if (i == 0 || by_words(&walk->rows[i - 1], &walk->rows[i]) != 0)
            result = ask_row(walk, &walk->rows[i], found, user, err);
    return result;
}

int neutral_what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err)
{
    neutral_state *st = neutral_state_of(ev, err);
    if (st == NULL)
        return -1;
    what_walk walk = {.w = {.ev = ev, .st = st, .c = st->c, .scratch = ev->scratch}, .q = q, .arena = kim_arena_new(SIZE_MAX)};
    const neutral_system **of = walk.arena ? (const neutral_system **)kim_arena_array(walk.arena, st->c->system_count + 1, sizeof *of) : NULL;
    uint32_t count = of ? neutral_systems_for(st->c, q, of) : 0;
    int result = of == NULL    ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a question")
                 : count == 0 ? kim_fail(err, KIM_ERR_NOT_FOUND, "no profile says how '%.*s' is to be evaluated", KIM_PRINT(q->provider))
                              : 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        walk.s = of[i];
        result = ask_system(&walk, found, user, err);
    }
    free(walk.rows);
    kim_arena_free(walk.arena);
    return result;
}
