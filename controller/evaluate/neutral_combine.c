/* SPDX-License-Identifier: Apache-2.0
 *
 * neutral_combine.c - how matches come to a verdict: a row an algorithm, each a fold and what it names afterwards.
 */
#include "controller/evaluate/neutral.h"

#include <stdlib.h>

typedef bool chooses(const weighing *w, const match *m, const void *of);

struct combining {
    const char *name;
    fold (*fold)(weighing *w);
    chooses *names;   /* of the matches that surely had a say: those that decided; NULL: all */
    bool is_layered, by_order;
};

/* ---- terms over matches ---- */

const term *neutral_default(const weighing *w)
{
    const neutral_system *s = w->s;
    for (uint32_t i = 0; i < s->default_count; i++) {
        const pattern *of = &s->defaults[i].of;
        bool is_it = w->asked.has_actions ? w->asked.actions && pattern_relate(w->asked.actions, of, w->st->matcher) == RELATE_ALL
                                          : pattern_matches(of, w->q->action, w->st->matcher) == MATCH_YES;
        if (is_it)
            return s->defaults[i].allows ? &term_true : &term_false;
    }
    return s->profile->default_effect == KIM_ALLOW ? &term_true : &term_false;
}

/* When some match of that effect applies, among those that are chosen. */
static const term *any_of(const weighing *w, uint8_t effect, chooses *choose, const void *of)
{
    const term *any = &term_false;
    for (size_t i = 0; i < w->st->match_count; i++) {
        const match *m = &w->st->matches[i];
        if (m->effect == effect && (choose == NULL || choose(w, m, of)))
            any = term_or(w->scratch, any, m->when);
    }
    return any;
}

static const term *but_not(const weighing *w, const term *a, const term *b)
{
    return b == &term_false ? a : term_and(w->scratch, a, term_not(w->scratch, b));
}

/* ---- deny-overrides, allow-union ---- */

static fold deny_overrides(weighing *w)
{
    return (fold){term_or(w->scratch, any_of(w, KIM_ALLOW, NULL, NULL), neutral_default(w)), any_of(w, KIM_DENY, NULL, NULL)};
}

/* ---- first-match ---- */

static int compare_parts(order_part a, order_part b)
{
    if (a.whole != b.whole)
        return a.whole < b.whole ? -1 : 1;
    return a.rest < b.rest ? -1 : a.rest > b.rest;
}

/* The parts of the memberships' orders, of the attachment's, where it has one, and of the statement's. */
static size_t part_count(const match *m)
{
    return m->order_count + (m->hold->source->order != 0) + (m->rule ? m->rule->order_count : 0);
}

static order_part part_at(const match *m, size_t i)
{
    if (i < m->order_count)
        return m->order[i];
    i -= m->order_count;
    if (m->hold->source->order == 0)
        return m->rule->order[i];
    return i == 0 ? (order_part){.whole = m->hold->source->order} : m->rule->order[i - 1];
}

/* What was written earlier goes first among equals, as brokers and directories take it. */
static int order_compare(const void *left, const void *right)
{
    const match *a = left, *b = right;
    size_t a_count = part_count(a), b_count = part_count(b);
    for (size_t i = 0; i < a_count && i < b_count; i++) {
        int order = compare_parts(part_at(a, i), part_at(b, i));
        if (order)
            return order;
    }
    if (a_count != b_count)
        return a_count < b_count ? -1 : 1;
    int64_t x = a->rule ? a->rule->source->index : -1, y = b->rule ? b->rule->source->index : -1;
    if (x != y)
        return x < y ? -1 : 1;
    if (a->hold != b->hold)
        return a->hold->source < b->hold->source ? -1 : 1;
    return (int)a->effect - (int)b->effect;
}

static fold first_match(weighing *w)
{
    neutral_state *st = w->st;
    if (st->match_count > 1)
        qsort(st->matches, st->match_count, sizeof *st->matches, order_compare);
    const term *rest = neutral_default(w);
    for (size_t i = st->match_count; i-- > 0;) {
        const match *m = &st->matches[i];
        rest = m->effect == KIM_ALLOW ? term_or(w->scratch, m->when, rest) : but_not(w, rest, m->when);
    }
    return (fold){rest, &term_false};
}

static bool is_first(const weighing *w, const match *m, const void *of)
{
    const match *one = w->st->matches;
    (void)of;
    while (one->when->kind != TERM_TRUE)
        one++;
    return m == one;
}

/* ---- most-specific ---- */

static int64_t weight_of(const match *m)
{
    return m->rule ? m->rule->source->weight : INT64_MAX; /* a document that was not read may weigh anything */
}

static bool weighs_as_much(const weighing *w, const match *m, const void *of)
{
    (void)w;
    return weight_of(m) >= weight_of(of);
}

static fold most_specific(weighing *w)
{
    const term *denied = any_of(w, KIM_DENY, NULL, NULL), *allowed = any_of(w, KIM_ALLOW, NULL, NULL);
    const term *any = but_not(w, neutral_default(w), term_or(w->scratch, denied, allowed));
    for (size_t i = 0; i < w->st->match_count; i++) {
        const match *m = &w->st->matches[i];
        if (m->effect == KIM_ALLOW)
            any = term_or(w->scratch, any, but_not(w, m->when, any_of(w, KIM_DENY, weighs_as_much, m)));
    }
    return (fold){any, &term_false};
}

static bool is_heaviest(const weighing *w, const match *m, const void *of)
{
    (void)of;
    for (size_t i = 0; i < w->st->match_count; i++) {
        const match *other = &w->st->matches[i];
        if (other->effect == m->effect && other->when->kind == TERM_TRUE && weight_of(other) > weight_of(m))
            return false;
    }
    return true;
}

/* ---- nearest-explicit ---- */

static bool stands_at(const weighing *w, const match *m, const void *of)
{
    (void)w;
    return m->distance == *(const uint32_t *)of;
}

/* The next farther distance at which a match stands; NEUTRAL_NONE: none. From -1 the nearest. */
static uint32_t next_distance(const weighing *w, int64_t after)
{
    uint32_t next = NEUTRAL_NONE;
    for (size_t i = 0; i < w->st->match_count; i++)
        if (w->st->matches[i].distance > after && w->st->matches[i].distance < next)
            next = w->st->matches[i].distance;
    return next;
}

static fold nearest_explicit(weighing *w)
{
    const term *granted = &term_false, *silent = &term_true; /* so far, from near to far */
    uint32_t at = next_distance(w, -1);
    for (; at != NEUTRAL_NONE && silent && silent->kind != TERM_FALSE; at = next_distance(w, at)) {
        const term *allow = any_of(w, KIM_ALLOW, stands_at, &at), *deny = any_of(w, KIM_DENY, stands_at, &at);
        granted = term_or(w->scratch, granted, term_and(w->scratch, silent, but_not(w, allow, deny)));
        silent = but_not(w, silent, term_or(w->scratch, allow, deny));
    }
    return (fold){term_or(w->scratch, granted, term_and(w->scratch, silent, neutral_default(w))), &term_false};
}

static bool is_nearest(const weighing *w, const match *m, const void *of)
{
    (void)of;
    for (size_t i = 0; i < w->st->match_count; i++)
        if (w->st->matches[i].when->kind == TERM_TRUE && w->st->matches[i].distance < m->distance)
            return false;
    return true;
}

/* ---- layered ---- */

typedef struct place {
    uint8_t layer;
    uint32_t scope;
} place;

static bool in_layer(const weighing *w, const match *m, const void *of)
{
    (void)w;
    return m->hold->layer == *(const uint8_t *)of;
}

static bool at_level(const weighing *w, const match *m, const void *of)
{
    const place *p = of;
    (void)w;
    return m->hold->layer == p->layer && m->hold->scope == p->scope;
}

/* Some allow of the layer matches, and no deny of it. */
static const term *allows(weighing *w, uint8_t layer)
{
    return but_not(w, any_of(w, KIM_ALLOW, in_layer, &layer), any_of(w, KIM_DENY, in_layer, &layer));
}

/* One level of a ceiling: where it is there at all, it must allow. */
static const term *level_lets(weighing *w, place p)
{
    const term *there = neutral_presence(w, p.layer, p.scope);
    const term *lets = but_not(w, any_of(w, KIM_ALLOW, at_level, &p), any_of(w, KIM_DENY, at_level, &p));
    return there == &term_true ? lets : term_or(w->scratch, lets, term_not(w->scratch, there));
}

/* Within a level any allow is enough; every level must let pass. */
static const term *ceiling_lets(weighing *w, uint8_t layer)
{
    const term *all = level_lets(w, (place){layer, NEUTRAL_NONE});
    const neutral_state *st = w->st;
    for (size_t i = 0; i < st->presence_count; i++) {
        place p = {layer, st->presences[i].scope};
        bool is_new = st->presences[i].layer == layer && p.scope != NEUTRAL_NONE;
        for (size_t k = 0; k < i && is_new; k++)
            is_new = st->presences[k].layer != layer || st->presences[k].scope != p.scope;
        if (is_new)
            all = term_and(w->scratch, all, level_lets(w, p));
    }
    return all;
}

/* What lets a grant pass: a ceiling or a delegation; true for other layers. */
static const term *lets_pass(weighing *w, uint8_t layer)
{
    layer_use use = w->s->layers[layer].use;
    return use == USE_CEILING ? ceiling_lets(w, layer) : use == USE_DELEGATION ? allows(w, layer) : &term_true;
}

static const term *under_ceilings(weighing *w, const term *granted, uint64_t grants)
{
    for (uint32_t i = 0; i < w->s->layer_count && granted && granted->kind != TERM_FALSE; i++)
        if ((w->s->layers[i].over & grants) == grants)
            granted = term_and(w->scratch, granted, lets_pass(w, (uint8_t)i));
    return granted;
}

static fold layered(weighing *w)
{
    const term *granted = &term_false, *refused = &term_false, *vetoed = &term_false;
    for (uint32_t i = 0; i < w->s->layer_count; i++) {
        uint8_t layer = (uint8_t)i;
        if (w->s->layers[i].use == USE_VETO)
            vetoed = term_or(w->scratch, vetoed, term_or(w->scratch, any_of(w, KIM_ALLOW, in_layer, &layer), any_of(w, KIM_DENY, in_layer, &layer)));
        if (w->s->layers[i].use != USE_GRANT)
            continue;
        refused = term_or(w->scratch, refused, any_of(w, KIM_DENY, in_layer, &layer));
        granted = term_or(w->scratch, granted, under_ceilings(w, allows(w, layer), UINT64_C(1) << i));
    }
    const uint8_t outside = UINT8_MAX; /* a layer that the profile does not know may be any of these */
    granted = term_or(w->scratch, granted, any_of(w, KIM_ALLOW, in_layer, &outside));
    vetoed = term_or(w->scratch, vetoed, any_of(w, KIM_DENY, in_layer, &outside));
    const term *otherwise = under_ceilings(w, but_not(w, neutral_default(w), refused), ~UINT64_C(0));
    return (fold){term_or(w->scratch, granted, otherwise), vetoed};
}

/* ---- the table ---- */

static const combining algorithms[] = {
    {"deny-overrides", deny_overrides, NULL, false, false},
    {"allow-union", deny_overrides, NULL, false, false}, /* its denies are refused; one that came nevertheless is unread */
    {"first-match", first_match, is_first, false, true},
    {"most-specific", most_specific, is_heaviest, false, false},
    {"nearest-explicit", nearest_explicit, is_nearest, false, false},
    {"layered", layered, NULL, true, false},
};

const combining *combining_find(kim_text name)
{
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++)
        if (kim_text_is(name, algorithms[i].name))
            return &algorithms[i];
    return NULL;
}

bool combining_is_layered(const combining *how)
{
    return how->is_layered;
}

bool combining_is_by_order(const combining *how)
{
    return how->by_order;
}

fold combining_fold(weighing *w)
{
    return w->s->how->fold(w);
}

/* ---- what decided ---- */

static bool is_sure(const match *m)
{
    return m->when->kind == TERM_TRUE;
}

static layer_use use_of(const weighing *w, const match *m)
{
    return w->s->is_layered && m->hold->layer < w->s->layer_count ? w->s->layers[m->hold->layer].use : USE_GRANT;
}

static void name(weighing *w, because one, answer *out)
{
    because *reasons = w->ev->reasons;
    for (size_t i = 0; i < out->because_count; i++)
        if (reasons[i].source == one.source && reasons[i].attachment == one.attachment && kim_text_equal(reasons[i].layer, one.layer))
            return;
    if (out->because_count < BECAUSE_MAX)
        reasons[out->because_count++] = one;
}

static void name_match(weighing *w, const match *m, answer *out)
{
    name(w, (because){.layer = m->hold->source->layer, .policy = m->hold->document->label, .statement = m->rule ? m->rule->name : KIM_NO_TEXT,
                      .source = m->rule ? m->rule->source : NULL, .attachment = m->hold->source}, out);
}

typedef bool tells(const weighing *w, const match *m);

static void name_all(weighing *w, tells *which, answer *out)
{
    for (size_t i = 0; i < w->st->match_count; i++)
        if (which(w, &w->st->matches[i]))
            name_match(w, &w->st->matches[i], out);
}

static bool decides(const weighing *w, const match *m)
{
    return is_sure(m) && (w->s->how->names == NULL || w->s->how->names(w, m, NULL));
}

static bool grants(const weighing *w, const match *m)
{
    return m->effect == KIM_ALLOW && use_of(w, m) == USE_GRANT && decides(w, m);
}

static bool lets_it_pass(const weighing *w, const match *m)
{
    return m->effect == KIM_ALLOW && use_of(w, m) != USE_VETO && decides(w, m);
}

static bool vetoes(const weighing *w, const match *m)
{
    return use_of(w, m) == USE_VETO && is_sure(m);
}

static bool denies(const weighing *w, const match *m)
{
    return m->effect == KIM_DENY && decides(w, m);
}

static bool may_allow(const weighing *w, const match *m)
{
    return m->effect == KIM_ALLOW && use_of(w, m) == USE_GRANT;
}

static bool may_deny(const weighing *w, const match *m)
{
    return m->effect == KIM_DENY || use_of(w, m) == USE_VETO;
}

/* Of an answer that depends on something: not what another statement makes needless. */
static bool may_count(const weighing *w, const match *m)
{
    const match *all = w->st->matches;
    for (size_t i = 0; i < w->st->match_count; i++) {
        if (!is_sure(&all[i]) || &all[i] == m)
            continue;
        if (w->s->by_order && &all[i] < m)
            return false;
        if (w->s->how->names == is_nearest && all[i].distance < m->distance)
            return false;
        if (w->s->how->names == NULL && !w->s->is_layered && all[i].effect == KIM_ALLOW && m->effect == KIM_ALLOW && !is_sure(m))
            return false;
    }
    return true;
}

/* What the granting layers, or the default, allow before any ceiling. */
static const term *granted_at_all(weighing *w)
{
    const term *granted = &term_false, *refused = &term_false;
    for (uint32_t i = 0; i < w->s->layer_count; i++) {
        uint8_t layer = (uint8_t)i;
        if (w->s->layers[i].use != USE_GRANT)
            continue;
        granted = term_or(w->scratch, granted, allows(w, layer));
        refused = term_or(w->scratch, refused, any_of(w, KIM_DENY, in_layer, &layer));
    }
    return term_settle(term_or(w->scratch, granted, but_not(w, neutral_default(w), refused)));
}

/* A grant is there, and layers that are over it do not let it pass: these are named. Those that surely do not; where
 * it takes several to cut it, all that may not. */
static bool is_cut(weighing *w, answer *out)
{
    const term *granted = w->s->is_layered ? granted_at_all(w) : &term_false;
    if (granted == NULL || granted->kind == TERM_FALSE)
        return false;
    for (int surely = 1; surely >= 0 && out->because_count == 0; surely--)
        for (uint32_t i = 0; i < w->s->layer_count; i++) {
            const term *lets = term_settle(lets_pass(w, (uint8_t)i));
            if (lets && (surely ? lets->kind == TERM_FALSE : lets->kind != TERM_TRUE))
                name(w, (because){.layer = w->s->layers[i].name}, out);
        }
    return out->because_count > 0;
}

/* None of them by itself, but one or another of them surely denies. */
static bool is_denied_anyway(weighing *w)
{
    const term *any = &term_false;
    for (size_t i = 0; i < w->st->match_count && any; i++)
        if (may_deny(w, &w->st->matches[i]))
            any = term_or(w->scratch, any, w->st->matches[i].when);
    any = term_settle(any);
    return any && any->kind == TERM_TRUE;
}

static void explain_denied(weighing *w, answer *out)
{
    name_all(w, vetoes, out);
    name_all(w, denies, out);
    out->reason = EXPLICIT_DENY;
    if (out->because_count == 0 && is_denied_anyway(w))
        name_all(w, may_deny, out);
    if (out->because_count)
        return;
    out->reason = CEILING;
    if (is_cut(w, out))
        return;
    bool may = false;
    for (size_t i = 0; i < w->st->match_count && !may; i++)
        may = may_allow(w, &w->st->matches[i]);
    if (may) /* what allows and what denies leave nothing between them */
        name_all(w, may_deny, out);
    out->reason = out->because_count ? EXPLICIT_DENY : IMPLICIT_DENY;
}

void combining_explain(weighing *w, answer *out)
{
    out->because = w->ev->reasons;
    if (!kim_text_is_absent(w->s->fault))
        return;
    if (out->verdict == DENIED) {
        explain_denied(w, out);
    } else if (out->verdict == ALLOWED) {
        name_all(w, grants, out);
        name_all(w, lets_it_pass, out);
        if (out->because_count == 0)
            name_all(w, may_allow, out);
    } else {
        name_all(w, may_count, out);
    }
}
