/* SPDX-License-Identifier: Apache-2.0
 *
 * azure_questions.c - who may do this in Azure, and what may this one do.
 *
 * Who: from the places at and above the scope to the assignments there whose role has the action, from
 * those to their subjects and on to the members; only these are asked about. What: the caller's own and
 * its groups' assignments, a row for each pattern, less what denies take from it.
 */
#include <stdlib.h>

#include "controller/evaluate/azure.h"
#include "controller/evaluate/name_list.h"

/* ---- who can ---- */

typedef struct who_walk {
    azure_state *s;
    uint32_t *queue;  /* [count] subjects */
    bool *seen;       /* [subject] */
    size_t count;
    bool nested;
} who_walk;

static void visit(who_walk *w, uint32_t who)
{
    if (!w->seen[who])
        w->queue[w->count++] = who;
    w->seen[who] = true;
}

static bool may_grant(const azure_state *s, const azure_assignment *a)
{
    if (a->eligible)
        return false;
    if (a->role == NULL || a->role->unread.size)
        return true;
    for (size_t i = 0; i < a->role->count; i++)
        if (a->role->permissions[i].unread.size || azure_covers(s, s->action, &a->role->permissions[i]))
            return true;
    return false;
}

static void visit_grants(who_walk *w)
{
    const azure_model *m = w->s->m;
    for (size_t i = 0; i < w->s->chain_count; i++) {
        azure_range at = m->granted_at[w->s->chain[i]];
        for (uint32_t k = 0; k < at.count; k++) {
            const azure_assignment *a = &m->grants[m->grants_by_place[at.first + k]];
            if (!w->seen[a->subject] && may_grant(w->s, a))
                visit(w, a->subject);
        }
    }
    for (size_t i = 0; w->s->any_place && i < m->grant_count; i++)
        if (azure_is_above(w->s, &m->grants[i]) && may_grant(w->s, &m->grants[i]))
            visit(w, m->grants[i].subject);
}

/* The members of what was found, theirs too where groups nest. */
static void visit_members(who_walk *w)
{
    size_t direct = w->count;
    for (size_t next = 0; next < (w->nested ? w->count : direct); next++) {
        azure_range has = w->s->m->has[w->queue[next]];
        for (uint32_t i = 0; i < has.count; i++)
            visit(w, w->s->m->members[has.first + i]);
    }
}

static int ask_each(evaluator *ev, const question *q, const name_list *names, who_can_function *found, void *user, kim_error *err)
{
    for (size_t i = 0; i < names->count; i++) {
        question one = *q;
        answer a;
        one.identity = names->items[i];
        kim_arena_reset(ev->scratch);
        if (azure_decide(ev, &one, &a, err) < 0)
            return -1;
        int result = a.verdict == DENIED ? 0 : found(user, one.identity, &a);
        if (result)
            return result;
    }
    return 0;
}

int azure_who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err)
{
    azure_state *s = engine_state(&azure_engine, ev, err);
    if (s == NULL)
        return -1;
    size_t subjects = text_map_count(s->m->subject_ids) + 1;
    name_list names = {.arena = kim_arena_new(SIZE_MAX)};
    who_walk w = {.s = s, .queue = calloc(subjects, sizeof *w.queue), .seen = calloc(subjects, sizeof *w.seen)};
    kim_text lower = kim_text_lower(ev->scratch, q->action);
    azure_universe universe = azure_universe_of(lower, q->data);
    question nobody = *q;
    nobody.identity = KIM_TEXT("");
    w.nested = universe == AZURE_CONTROL || universe == AZURE_DATA;
    bool good = names.arena && w.queue && w.seen && !kim_text_is_absent(lower) && azure_begin(s, ev, &nobody, universe);
    s->action = good ? azure_action_of(s, lower, universe) : NULL;
    int result = -1;
    if (s->action) {
        visit_grants(&w);
        visit_members(&w);
        for (size_t i = 0; i < w.count; i++)
            if (!s->m->is_group[w.queue[i]])
                name_list_add(&names, text_map_text(s->m->subject_ids, w.queue[i]));
        name_list_settle(&names);
    }
    if (s->action == NULL || names.failed)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    else
        result = ask_each(ev, q, &names, found, user, err);
    kim_arena_free(names.arena);
    free(w.queue);
    free(w.seen);
    return result;
}

/* ---- what can ---- */

typedef struct what_walk {
    azure_state *s;
    what_can_function *found;
    void *user;
    kim_arena *arena;       /* of one row */
    bool has_scope;         /* asked about one scope alone */
    kim_error *err;
} what_walk;

static kim_text pattern_text(const azure_model *m, uint32_t pattern)
{
    return text_map_text(m->patterns, pattern);
}

/* How a deny's permission stands to a pattern: does it touch what the pattern covers, and take all of it? */
static bool touches(const azure_model *m, const azure_permission *p, kim_text pattern, bool *all)
{
    bool some = false;
    *all = false;
    for (size_t i = 0; i < p->action_count; i++) {
        glob_relation relation = glob_relate(pattern, pattern_text(m, p->actions[i]));
        some = some || relation != GLOB_DISJOINT;
        *all = *all || relation == GLOB_WITHIN;
    }
    for (size_t i = 0; i < p->not_action_count && *all; i++)
        *all = glob_relate(pattern, pattern_text(m, p->not_actions[i])) == GLOB_DISJOINT;
    for (size_t i = 0; i < p->not_action_count && some; i++)
        some = glob_relate(pattern, pattern_text(m, p->not_actions[i])) != GLOB_WITHIN;
    return some;
}

typedef struct row {
    const azure_assignment *grant;
    const azure_permission *permission;
    kim_text pattern, scope;
    name_list without;   /* patterns that are taken away */
    const term *when;
} row;

/* Everything at or below one place, as a pattern. */
static kim_text below(kim_arena *arena, kim_text scope)
{
    return kim_text_is(scope, "/") ? KIM_TEXT("/*") : kim_text_format(arena, "%.*s/*", KIM_PRINT(scope));
}

/* Is the deny at or above the row's scope, or below it (then *part is where), or elsewhere? */
static bool meets(what_walk *w, const row *r, const azure_assignment *deny, const term **part)
{
    azure_state *s = w->s;
    kim_text at = azure_place_text(s->m, deny->place, s->ev->scratch);
    *part = &term_true;
    if (s->place_stamps[deny->place] == s->stamp) /* at or above */
        return !deny->here_only || deny->place == s->self;
    bool lies_below = kim_text_starts_with(at, r->scope) && (kim_text_is(r->scope, "/") || at.bytes[r->scope.size] == '/');
    if (!lies_below && at.bytes[0] == '/' && !kim_text_starts_with(r->scope, KIM_TEXT("/subscriptions/"))) { /* above subscriptions the path does not tell */
        uint32_t chain[AZURE_CHAIN_MAX], self;
        bool any;
        size_t count = azure_chain(s->m, AZURE_CONTROL, at, s->ev->scratch, chain, &self, &any);
        for (size_t i = 0; i < count && !lies_below; i++)
            lies_below = chain[i] == r->grant->place;
    }
    if (lies_below && !w->has_scope)
        *part = term_of(s->ev->scratch, TERM_RESOURCE, deny->here_only ? at : below(s->ev->scratch, at));
    return lies_below && !w->has_scope;
}

/* Takes from a row what a deny takes; false: nothing is left. */
static bool subtract(what_walk *w, row *r, const azure_assignment *deny, const azure_permission *p)
{
    azure_state *s = w->s;
    const term *part;
    bool all;
    if (p->universe != r->permission->universe || !touches(s->m, p, r->pattern, &all) || !meets(w, r, deny, &part))
        return true;
    const term *when = term_and(s->ev->scratch, azure_names_caller(s, p), azure_in_force(s, deny, p));
    when = term_and(s->ev->scratch, when, part);
    if (when == &term_true && !all && p->not_action_count == 0) {
        for (size_t i = 0; i < p->action_count; i++)
            name_list_add(&r->without, pattern_text(s->m, p->actions[i]));
        return true;
    }
    if (!all) /* a part that cannot be told by patterns alone */
        when = term_and(s->ev->scratch, when, term_of(s->ev->scratch, TERM_EXPRESSION,
                        kim_text_format(s->ev->scratch, "the action is denied by %.*s", KIM_PRINT(deny->role->label))));
    r->when = term_and(s->ev->scratch, r->when, term_not(s->ev->scratch, when));
    return r->when != &term_false;
}

static int put_row(what_walk *w, row *r)
{
    azure_state *s = w->s;
    answer a;
    for (size_t i = 0; i < r->permission->not_action_count; i++)
        if (glob_relate(r->pattern, pattern_text(s->m, r->permission->not_actions[i])) != GLOB_DISJOINT)
            name_list_add(&r->without, pattern_text(s->m, r->permission->not_actions[i]));
    for (size_t i = 0; i < s->m->deny_count; i++)
        for (size_t k = 0; s->m->denies[i].role && k < s->m->denies[i].role->count; k++)
            if (!subtract(w, r, &s->m->denies[i], &s->m->denies[i].role->permissions[k]))
                return 0;
    name_list_settle(&r->without);
    for (size_t i = 0; i < r->without.count; i++)
        if (glob_relate(r->pattern, r->without.items[i]) == GLOB_WITHIN)
            return 0;
    if (r->when == NULL || r->without.failed || kim_arena_is_full(s->ev->scratch))
        return kim_fail(w->err, KIM_ERR_NOMEM, "no memory for a question");
    answer_from_term(s->ev, r->when, &a);
    if (a.verdict == DENIED)
        return 0;
    s->ev->reasons[0] = (because){.layer = KIM_TEXT("assignment"), .policy = r->permission->role->label, .statement = r->permission->name,
                                  .source = r->permission->source, .attachment = r->grant->source};
    a.because = s->ev->reasons;
    a.because_count = 1;
    const grant what = {.action = r->pattern, .not_actions = {r->without.items, r->without.count}, .resource = r->scope};
    return w->found(w->user, &what, &a);
}

/* The places where a grant holds stand for the question: its own, or the one that was asked about. */
static int ask_about(what_walk *w, const question *q, const azure_assignment *a, const azure_permission *p, uint32_t pattern)
{
    static const azure_universe whole[] = {AZURE_CONTROL, AZURE_DATA, AZURE_DIRECTORY, AZURE_GRAPH};
    azure_state *s = w->s;
    question one = *q;
    kim_arena_reset(w->arena);
    row r = {.grant = a, .permission = p, .pattern = pattern_text(s->m, pattern), .without = {.arena = w->arena}};
    if (!w->has_scope)
        one.resource = azure_place_text(s->m, a->place, w->arena);
    kim_arena_reset(s->ev->scratch);
    if (kim_text_is_absent(one.resource) || !azure_begin(s, s->ev, &one, whole[p->universe]))
        return kim_fail(w->err, KIM_ERR_NOMEM, "no memory for a question");
    s->action = azure_action_of(s, r.pattern, p->universe);
    if (s->action == NULL)
        return kim_fail(w->err, KIM_ERR_NOMEM, "no memory for a question");
    s->asks_patterns = true;
    r.scope = one.resource;
    azure_reach how = s->subject_stamps[a->subject] == s->stamp ? (azure_reach)s->reach[a->subject] : AZURE_NOT_REACHED;
    if (how < AZURE_MAY || (w->has_scope && !azure_is_above(s, a)))
        return 0;
    r.when = azure_in_force(s, a, p);
    if (how == AZURE_MAY)
        r.when = term_and(s->ev->scratch, r.when, term_of(s->ev->scratch, TERM_UNREAD, KIM_TEXT("whether a membership is in force")));
    return put_row(w, &r);
}

static int ask_about_role(what_walk *w, const question *q, const azure_assignment *a)
{
    if (a->eligible || a->role == NULL)
        return 0;
    for (size_t i = 0; i < a->role->count; i++)
        for (size_t k = 0; k < a->role->permissions[i].action_count; k++) {
            int result = ask_about(w, q, a, &a->role->permissions[i], a->role->permissions[i].actions[k]);
            if (result)
                return result;
        }
    return 0;
}

int azure_what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err)
{
    azure_state *s = engine_state(&azure_engine, ev, err);
    if (s == NULL)
        return -1;
    what_walk w = {.s = s, .found = found, .user = user, .arena = kim_arena_new(SIZE_MAX), .err = err, .has_scope = q->resource.size > 0};
    uint32_t *subjects = NULL;
    size_t count = 0;
    int result = 0;
    bool good = w.arena && azure_begin(s, ev, q, AZURE_CONTROL);
    if (good)
        subjects = malloc((s->reached_count + 1) * sizeof *subjects);
    if (subjects == NULL)
        result = kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    else
        memcpy(subjects, s->reached, (count = s->reached_count) * sizeof *subjects);
    for (size_t i = 0; i < count && result == 0; i++) {
        azure_range held = s->m->held[subjects[i]];
        for (uint32_t k = 0; k < held.count && result == 0; k++)
            result = ask_about_role(&w, q, &s->m->grants[held.first + k]);
    }
    free(subjects);
    kim_arena_free(w.arena);
    return result;
}
