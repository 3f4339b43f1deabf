/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp.c - one decision: the boundaries of who asks, the denials, the grants.
 *
 * Each is a term (when does it count?), and the answer is the one term "granted, and not denied, and within
 * what the boundaries make eligible". Where all is known the terms are constants and nothing is allocated.
 *
 * Sources: IAM, "Policy types", Policy evaluation; "Allow policies"; "Deny policies"; "Principal access boundary
 * policies".
 */
#include "controller/evaluate/gcp.h"

#include <stdlib.h>

static int no_memory(kim_error *err)
{
    return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
}

/* ---- what is asked ---- */

/* The resource and all above it, as far as places are known; a place that comes again ends it. */
static void find_chain(gcp_state *s, const question *q)
{
    const gcp_tree *tree = &s->r->tree;
    kim_arena *scratch = s->ev->scratch;
    uint32_t at = gcp_tree_find(tree, q->resource, scratch);
    if (at == GCP_NOWHERE)
        at = gcp_tree_above(tree, q->resource, scratch);
    size_t depth = 0;
    s->too_deep = &term_false;
    for (; at != GCP_NOWHERE; at = tree->places[at].parent) {
        for (size_t i = 0; i < depth; i++)
            if (s->chain[i] == at)
                goto end;
        if (depth == KIM_SCOPE_MAX_DEPTH) {
            kim_text words = kim_text_format(scratch, "what lies more than %d levels above %.*s", (int)KIM_SCOPE_MAX_DEPTH, KIM_PRINT(q->resource));
            s->too_deep = term_of(scratch, TERM_UNREAD, words);
            break;
        }
        s->chain[depth++] = at;
    }
end:
    s->rq = (gcp_request){.q = q, .tree = tree, .asker = &s->asker.member, .chain = s->chain, .depth = depth,
                          .is_complete = estate_is_complete(s->ev->es), .scratch = scratch};
}

static const term *or_unread(const gcp_state *s, const term *any, kim_text what)
{
    const term *t = any && !kim_text_is_absent(what) ? term_of(s->ev->scratch, TERM_UNREAD, what) : NULL;
    return kim_text_is_absent(what) ? any : t ? term_or(s->ev->scratch, any, t) : NULL;
}

static void find_gap(gcp_state *s)
{
    s->gap = or_unread(s, &term_false, s->r->gap_anywhere);
    for (size_t d = 0; s->r->gap_at && d < s->rq.depth; d++)
        s->gap = or_unread(s, s->gap, s->r->gap_at[s->chain[d]]);
}

int gcp_ask(gcp_state *s, const question *q, kim_error *err)
{
    find_chain(s, q);
    find_gap(s);
    s->permission = kim_text_is_absent(q->action) ? KIM_TEXT("") : gcp_permission_name(q->action, s->ev->scratch);
    if (kim_text_is_absent(s->permission) || s->too_deep == NULL || s->gap == NULL)
        return no_memory(err);
    s->number = gcp_rules_permission(s->r, s->permission);
    s->givers = gcp_row(s->r, &s->r->role_rows, s->number);
    s->say_count = 0;
    return 0;
}

/* ---- says ---- */

static bool is_same(const gcp_say *a, const gcp_say *b)
{
    if (a->layer != b->layer || a->source->statement != b->source->statement)
        return false;
    return a->source->statement || (a->place == b->place && kim_text_equal(a->source->name, b->source->name) && kim_text_equal(a->source->policy, b->source->policy));
}

/* One that surely counts takes the place of one that may, where there is no room. */
static int add_say(gcp_state *s, gcp_say one)
{
    size_t at = 0;
    while (at < s->say_count && !is_same(&s->says[at], &one))
        at++;
    if (at < s->say_count) {
        s->says[at].when = term_or(s->ev->scratch, s->says[at].when, one.when);
        return s->says[at].when ? 0 : -1;
    }
    if (s->say_count < GCP_SAYS_MAX) {
        s->says[s->say_count++] = one;
        return 0;
    }
    for (at = 0; at < s->say_count && one.when == &term_true; at++)
        if (s->says[at].when != &term_true) {
            s->says[at] = one;
            break;
        }
    return 0;
}

/* ---- grants ---- */

/* Does the role give the permission? NULL without memory. */
static const term *role_gives(const gcp_state *s, const gcp_role *role)
{
    if (role->permissions)
        return s->number != UINT32_MAX && gcp_bit(role->permissions, s->number) ? &term_true : &term_false;
    return term_of(s->ev->scratch, TERM_UNREAD, role->unread);
}

static const term *hidden_condition(const gcp_state *s, const gcp_binding *b)
{
    return term_of(s->ev->scratch, TERM_UNREAD,
                   kim_text_format(s->ev->scratch, "the condition of binding %.*s of %.*s: the policy was read in version 1",
                                   KIM_PRINT(b->source.name), KIM_PRINT(b->source.policy)));
}

/* The binding's member holds the asker under `member`. */
static int weigh_binding(gcp_state *s, const gcp_binding *b, const term *member, const term **granted)
{
    kim_arena *scratch = s->ev->scratch;
    const term *when = role_gives(s, &s->r->roles[b->role]);
    if (when == &term_false)
        return 0;
    when = when ? term_and(scratch, when, member) : NULL;
    if (when && b->hidden)
        when = term_and(scratch, when, hidden_condition(s, b));
    if (when && when != &term_false && b->condition)
        when = term_and(scratch, when, gcp_condition_holds(b->condition, GCP_GRANTS, &s->rq));
    if (when == NULL)
        return -1;
    if (when == &term_false)
        return 0;
    *granted = term_or(scratch, *granted, when);
    return *granted ? add_say(s, (gcp_say){GCP_ALLOW_LAYER, &b->source, b->role, b->place, when}) : -1;
}

/* A policy that was not read may give anything. */
static int weigh_unread(gcp_state *s, const gcp_binding *b, const term **granted)
{
    const term *when = term_of(s->ev->scratch, TERM_UNREAD, b->unread);
    *granted = when ? term_or(s->ev->scratch, *granted, when) : NULL;
    return *granted ? 0 : -1;
}

/* What the asker's sets hold on one place. */
static int weigh_place(gcp_state *s, uint32_t place, const term **granted)
{
    const gcp_rules *r = s->r;
    for (uint32_t i = 0; i < s->holder_count; i++) {
        uint32_t node = s->holders[i];
        const gcp_list *held = gcp_may_hold(&r->marks[node], place) ? gcp_rules_held(r, place, node) : NULL;
        for (uint32_t k = 0; held && k < held->count; k++) {
            const gcp_held *one = &r->held[held->first + k];
            if (gcp_may_matter(s->givers, one->role) && weigh_binding(s, &r->bindings[one->binding], s->asker.when[node], granted) < 0)
                return -1;
        }
    }
    return 0;
}

/* Bindings of sets that may hold the asker, and policies that nobody read. */
static int weigh_open(gcp_state *s, uint32_t place, const term **granted)
{
    const gcp_rules *r = s->r;
    const gcp_list *open = &r->open_at[place];
    for (uint32_t k = 0; k < open->count; k++) {
        const gcp_binding *b = &r->bindings[r->open[open->first + k]];
        if (b->member == UINT32_MAX) {
            if (weigh_unread(s, b, granted) < 0)
                return -1;
            continue;
        }
        const term *member = gcp_asker_in(&s->asker, b->member, &s->rq);
        if (member == NULL || (member != &term_false && weigh_binding(s, b, member, granted) < 0))
            return -1;
    }
    return 0;
}

/* Of the sets that hold the asker those that hold something on the chain, or seem to. */
static void find_holders(gcp_state *s)
{
    gcp_marks chain = {{0}};
    for (size_t d = 0; d < s->rq.depth; d++) {
        unsigned word;
        uint64_t mark = gcp_mark(s->chain[d], &word);
        chain.words[word] |= mark;
    }
    s->holder_count = 0;
    for (uint32_t i = 0; i < s->asker.count; i++) {
        const uint64_t *held = s->r->marks[s->asker.reached[i]].words, *on = chain.words;
        if ((held[0] & on[0]) | (held[1] & on[1]) | (held[2] & on[2]) | (held[3] & on[3]))
            s->holders[s->holder_count++] = s->asker.reached[i];
    }
}

static int find_grants(gcp_state *s, const term **granted)
{
    *granted = &term_false;
    find_holders(s);
    for (size_t d = 0; d < s->rq.depth; d++) {
        uint32_t place = s->chain[d];
        if (s->r->bindings_at[place].count && (weigh_place(s, place, granted) < 0 || weigh_open(s, place, granted) < 0))
            return -1;
    }
    return 0;
}

/* ---- denials ---- */

/* Is the asker among the principals of a rule? NULL without memory. */
static const term *is_among(const gcp_state *s, gcp_list principals)
{
    const term *any = &term_false;
    for (uint32_t i = 0; i < principals.count && any && any != &term_true; i++) {
        uint32_t node = s->r->members[principals.first + i];
        if (s->asker.stamps[node] == s->asker.stamp || s->r->graph.nodes[node].holds_open) {
            const term *in = gcp_asker_in(&s->asker, node, &s->rq);
            any = in ? term_or(s->ev->scratch, any, in) : NULL;
        }
    }
    return any;
}

/* Does the rule speak of the permission? A wildcard where Google has none may mean anything that it matches. */
static const term *denies_permission(const gcp_state *s, const gcp_deny_rule *one)
{
    bool denied_unsure = false, spared_unsure = false;
    bool denied = gcp_covers(&one->denied, s->number, s->permission, &denied_unsure);
    bool spared = gcp_covers(&one->spared, s->number, s->permission, &spared_unsure);
    if (spared || !(denied || denied_unsure))
        return &term_false;
    if (denied && !spared_unsure)
        return &term_true;
    return term_of(s->ev->scratch, TERM_UNREAD,
                   kim_text_format(s->ev->scratch, "a wildcard that is none of IAM's, in rule %.*s of %.*s", KIM_PRINT(one->source.name), KIM_PRINT(one->source.policy)));
}

static const term *rule_denies(const gcp_state *s, const gcp_deny_rule *one)
{
    kim_arena *scratch = s->ev->scratch;
    if (!kim_text_is_absent(one->unread))
        return term_of(scratch, TERM_UNREAD, one->unread);
    const term *when = denies_permission(s, one);
    if (when && when != &term_false)
        when = term_and(scratch, when, is_among(s, one->principals));
    if (when && when != &term_false && one->exceptions.count)
        when = term_and(scratch, when, term_not(scratch, is_among(s, one->exceptions)));
    if (when && when != &term_false && one->condition)
        when = term_and(scratch, when, gcp_condition_holds(one->condition, GCP_DENIES, &s->rq));
    return when;
}

static int find_denials(gcp_state *s, const term **denied)
{
    const gcp_rules *r = s->r;
    const uint64_t *deniers = gcp_row(r, &r->deny_rows, s->number);
    *denied = &term_false;
    for (size_t d = 0; d < s->rq.depth && r->has_denies; d++) {
        gcp_list at = r->denies_at[s->chain[d]];
        for (uint32_t i = 0; i < at.count; i++) {
            const gcp_deny_rule *one = &r->denies[at.first + i];
            const term *when = gcp_may_matter(deniers, at.first + i) ? rule_denies(s, one) : &term_false;
            if (when == NULL)
                return -1;
            if (when == &term_false)
                continue;
            *denied = term_or(s->ev->scratch, *denied, when);
            if (*denied == NULL || add_say(s, (gcp_say){GCP_DENY_LAYER, &one->source, 0, one->place, when}) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---- boundaries ---- */

/* Does a rule of the boundary make the resource eligible? */
static bool is_eligible(const gcp_state *s, const gcp_boundary *b)
{
    for (uint32_t i = 0; i < b->rules.count; i++) {
        gcp_list places = s->r->boundary_rules[b->rules.first + i].places;
        for (uint32_t k = 0; k < places.count; k++)
            for (size_t d = 0; d < s->rq.depth; d++)
                if (s->r->places[places.first + k] == s->chain[d])
                    return true;
    }
    return false;
}

static bool is_blocked(const gcp_state *s, const gcp_boundary *b)
{
    bool unsure = false;
    return gcp_covers(&b->blocked, s->number, s->permission, &unsure) && !gcp_covers(&b->spared, s->number, s->permission, &unsure);
}

typedef struct boundaries {
    const term *blocked;  /* some boundary is in force that blocks the permission */
    const term *eligible; /* some boundary is in force that holds the resource */
} boundaries;

static int weigh_bound(gcp_state *s, const gcp_bound *bound, const term *member, boundaries *all)
{
    kim_arena *scratch = s->ev->scratch;
    gcp_boundary *b = &s->r->boundaries[bound->boundary];
    const term *when = bound->condition ? term_and(scratch, member, gcp_condition_holds(bound->condition, GCP_BOUNDS, &s->rq)) : member;
    if (when == NULL || when == &term_false)
        return when ? 0 : -1;
    if (!kim_text_is_absent(b->unread)) {
        const term *what = term_of(scratch, TERM_UNREAD, b->unread);
        when = what ? term_and(scratch, when, what) : NULL;
        all->blocked = when ? term_or(scratch, all->blocked, when) : NULL;
        return all->blocked ? 0 : -1;
    }
    if (is_eligible(s, b)) {
        all->eligible = term_or(scratch, all->eligible, when);
        return all->eligible ? 0 : -1;
    }
    if (!is_blocked(s, b))
        return 0;
    all->blocked = term_or(scratch, all->blocked, when);
    return all->blocked ? add_say(s, (gcp_say){GCP_BOUNDARY_LAYER, &b->source, 0, 0, when}) : -1;
}

/* May the asker reach the resource? */
static int find_boundaries(gcp_state *s, const term **within)
{
    const gcp_rules *r = s->r;
    kim_arena *scratch = s->ev->scratch;
    boundaries all = {&term_false, &term_false};
    *within = &term_true;
    if (!r->has_bounds)
        return 0;
    for (uint32_t i = 0; i < s->asker.count; i++) {
        uint32_t node = s->asker.reached[i];
        gcp_list of = r->bounds_of[node];
        for (uint32_t k = 0; k < of.count; k++)
            if (weigh_bound(s, &r->bounds[of.first + k], s->asker.when[node], &all) < 0)
                return -1;
    }
    for (uint32_t i = 0; i < r->open_bound_count; i++) {
        const gcp_bound *bound = &r->bounds[r->open_bounds[i]];
        const term *member = gcp_asker_in(&s->asker, bound->node, &s->rq);
        if (member == NULL || (member != &term_false && weigh_bound(s, bound, member, &all) < 0))
            return -1;
    }
    *within = term_or(scratch, all.eligible, term_not(scratch, all.blocked));
    return *within ? 0 : -1;
}

/* ---- the answer ---- */

static const kim_text layers[] = {
    [GCP_ALLOW_LAYER] = {"allow", 5}, [GCP_DENY_LAYER] = {"deny", 4}, [GCP_BOUNDARY_LAYER] = {"principal_access_boundary", 25},
};

/* The part of a role that has the permission. */
static const kim_statement *part_of(const gcp_state *s, const gcp_role *role)
{
    for (size_t i = 0; role->part_bits && i < role->part_count && s->number != UINT32_MAX; i++)
        if (gcp_bit(role->part_bits[i], s->number))
            return role->parts[i];
    return role->part_count ? role->parts[0] : NULL;
}

static because reason_of(const gcp_state *s, const gcp_say *one)
{
    const gcp_source *from = one->source;
    return (because){.layer = layers[one->layer], .policy = from->policy, .statement = from->name, .attachment = from->attachment,
                     .source = from->statement || one->layer != GCP_ALLOW_LAYER ? from->statement : part_of(s, &s->r->roles[one->role])};
}

static void explain(gcp_state *s, unsigned of_layers, bool surely, answer *out)
{
    out->because = s->ev->reasons;
    out->because_count = 0;
    for (size_t i = 0; i < s->say_count && out->because_count < BECAUSE_MAX; i++)
        if ((of_layers >> s->says[i].layer & 1) && (!surely || s->says[i].when == &term_true))
            s->ev->reasons[out->because_count++] = reason_of(s, &s->says[i]);
}

static bool is_never(const term *t)
{
    return term_settle(t)->kind == TERM_FALSE;
}

static void explain_denied(gcp_state *s, const term *granted, const term *denied, const term *eligible, answer *out)
{
    if (term_settle(denied)->kind == TERM_TRUE) {
        out->reason = EXPLICIT_DENY;
        explain(s, 1u << GCP_DENY_LAYER, true, out);
        if (out->because_count == 0) /* one of several, whichever way it is */
            explain(s, 1u << GCP_DENY_LAYER, false, out);
    } else if (is_never(granted)) {
        out->reason = IMPLICIT_DENY;
        explain(s, 0, true, out);
    } else if (is_never(eligible)) {
        out->reason = CEILING;
        explain(s, 1u << GCP_BOUNDARY_LAYER, false, out);
    } else { /* whoever is granted it is denied it */
        out->reason = EXPLICIT_DENY;
        explain(s, 1u << GCP_DENY_LAYER, false, out);
    }
}

/* What was not seen may grant what is not granted, and deny what is. NULL without memory. */
static const term *with_unseen(const gcp_state *s, const term *all, const term *denied)
{
    kim_arena *scratch = s->ev->scratch;
    if ((s->too_deep == &term_false && s->gap == &term_false) || term_settle(denied)->kind == TERM_TRUE)
        return all;
    if (is_never(all))
        return term_or(scratch, s->too_deep, s->gap);
    const term *hidden = s->r->has_denies ? term_or(scratch, s->too_deep, s->gap) : s->gap;
    return hidden ? term_and(scratch, all, term_not(scratch, hidden)) : NULL;
}

static int decide(gcp_state *s, answer *out, kim_error *err)
{
    const term *granted, *denied, *within;
    kim_arena *scratch = s->ev->scratch;
    if (find_denials(s, &denied) < 0 || find_boundaries(s, &within) < 0 || find_grants(s, &granted) < 0)
        return no_memory(err);
    const term *eligible = term_and(scratch, granted, within);
    const term *all = eligible ? term_and(scratch, eligible, term_not(scratch, denied)) : NULL;
    all = all ? with_unseen(s, all, denied) : NULL;
    if (all == NULL || kim_arena_is_full(scratch))
        return no_memory(err);
    answer_from_term(s->ev, all, out);
    if (out->verdict == DENIED)
        explain_denied(s, granted, denied, eligible, out);
    else if (out->verdict == ALLOWED)
        explain(s, 1u << GCP_ALLOW_LAYER, true, out);
    if (out->verdict == ALLOWED && out->because_count == 0)
        explain(s, 1u << GCP_ALLOW_LAYER, false, out);
    if (out->verdict == UNKNOWN || out->verdict == CONDITIONAL)
        explain(s, 1u << GCP_ALLOW_LAYER | 1u << GCP_DENY_LAYER | (within == &term_true ? 0 : 1u << GCP_BOUNDARY_LAYER), false, out);
    return kim_arena_is_full(scratch) ? no_memory(err) : 0;
}

int gcp_decide(evaluator *ev, const question *q, answer *out, kim_error *err)
{
    gcp_state *s = engine_state(&gcp_engine, ev, err);
    if (s == NULL)
        return -1;
    if (q->resource.size == 0)
        return kim_fail(err, KIM_ERR_INPUT, "request: \"resource\" is missing; write its full name, such as //cloudresourcemanager.googleapis.com/projects/P");
    if (gcp_ask(s, q, err) < 0 || gcp_asker_set(&s->asker, q->identity, &s->rq, err) < 0)
        return -1;
    return decide(s, out, err);
}

/* ---- the engine ---- */

void *gcp_state_new(evaluator *ev, const void *compiled, kim_error *err)
{
    gcp_state *s = calloc(1, sizeof *s);
    const gcp_rules *r = compiled;
    uint32_t *holders = calloc(r->graph.count + 1, sizeof *holders);
    if (s && holders && gcp_asker_new(&s->asker, &r->graph) == 0) {
        s->ev = ev;
        s->r = r;
        s->holders = holders;
        return s;
    }
    free(holders);
    free(s);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for an evaluator");
    return NULL;
}

void gcp_state_free(void *state)
{
    gcp_state *s = state;
    if (s == NULL)
        return;
    gcp_asker_free(&s->asker);
    free(s->holders);
    free(s);
}

static kim_text first_unread(const void *compiled)
{
    return ((const gcp_rules *)compiled)->first_unread;
}

const engine gcp_engine = {
    .provider = "gcp",
    .scope_prefix = "gcp:",
    .compile = gcp_rules_compile,
    .forget = gcp_rules_free,
    .state_new = gcp_state_new,
    .state_free = gcp_state_free,
    .decide = gcp_decide,
    .who_can = gcp_who_can,
    .what_can = gcp_what_can,
    .first_unread = first_unread,
    .compare = gcp_compare,
    .expand = gcp_expand,
};
