/* SPDX-License-Identifier: Apache-2.0
 *
 * neutral.c - decisions by a profile that a provider declares.
 *
 * Every attached statement that speaks of the request becomes a match: when it applies, and what decides
 * among matches (layer, order, weight, how far up the resource stands). An algorithm is then a fold
 * over the matches. The same fold serves plain answers and conditional ones, since `when` is a term.
 */
#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/kim_condition.h"
#include "controller/evaluate/language.h"

#include <stdlib.h>

enum { CHAIN_MAX = 64 };

typedef struct match {
    const kim_attachment *attachment;
    const policy_rules *policy;
    const rule *rule;
    const term *when;
    size_t distance; /* 0: the resource itself, 1: its parent ... */
} match;

typedef struct weighing {
    evaluator *ev;
    const kim_profile *profile;
    const question *q;
    const language *words;
    bool nocase;
    kim_text *groups;        /* the identity and all it is a member of */
    size_t group_count;
    kim_text chain[CHAIN_MAX]; /* the resource and its parents */
    size_t depth;
    match *matches;
    size_t count, capacity;
    const term *eligible;    /* what would match once activated */
    kim_error *err;
} weighing;

/* ---- who and where ---- */

static bool has(const weighing *w, kim_text identity)
{
    for (size_t i = 0; i < w->group_count; i++)
        if (kim_text_equal(w->groups[i], identity))
            return true;
    return false;
}

static int find_groups(weighing *w)
{
    size_t count;
    const kim_record *edges = estate_records(w->ev->es, KIM_EDGE, &count);
    w->groups = KIM_NEW_ARRAY(w->ev->scratch, kim_text, count + 1);
    if (w->groups == NULL)
        return kim_fail(w->err, KIM_ERR_NOMEM, "no memory for a decision");
    w->groups[w->group_count++] = w->q->identity;
    for (size_t next = 0; next < w->group_count; next++)
        for (size_t i = 0; i < count; i++) {
            const kim_edge *e = &edges[i].edge;
            if (e->kind == KIM_MEMBER_OF && !e->eligible && kim_text_equal(e->from, w->groups[next]) && !has(w, e->to))
                w->groups[w->group_count++] = e->to;
        }
    return 0;
}

static void find_chain(weighing *w)
{
    kim_text at = w->q->resource;
    while (w->depth < CHAIN_MAX) {
        w->chain[w->depth++] = at;
        const kim_record *r = estate_find(w->ev->es, KIM_RESOURCE, at);
        if (r == NULL || kim_text_is_absent(r->resource.parent))
            return;
        at = r->resource.parent;
    }
}

static bool is_subject(const weighing *w, kim_text name)
{
    for (size_t i = 0; i < w->group_count; i++)
        if (w->nocase ? kim_text_equal_nocase(w->groups[i], name) : kim_text_equal(w->groups[i], name))
            return true;
    return kim_text_is(name, "*");
}

/* ---- one statement ---- */

static bool names_subject(const weighing *w, const kim_attachment *a, const kim_statement *s)
{
    if (!kim_text_is_absent(a->subject) && !is_subject(w, a->subject))
        return false;
    bool found = s->subjects.items == NULL;
    for (size_t i = 0; i < s->subjects.count && !found; i++)
        found = is_subject(w, s->subjects.items[i]);
    for (size_t i = 0; i < s->not_subjects.count && found; i++)
        found = !is_subject(w, s->not_subjects.items[i]);
    return found;
}

/* 1, 0 or -1: is the action among the statement's? */
static int names_action(const weighing *w, const kim_statement *s)
{
    int found = s->actions.items == NULL;
    for (size_t i = 0; i < s->actions.count && found == 0; i++)
        found = language_match_action(w->words, s->actions.items[i], w->q->action, w->nocase, w->err);
    for (size_t i = 0; i < s->not_actions.count && found == 1; i++) {
        int one = language_match_action(w->words, s->not_actions.items[i], w->q->action, w->nocase, w->err);
        found = one < 0 ? one : !one;
    }
    return found;
}

static int names_resource(const weighing *w, const kim_statement *s, kim_text resource)
{
    int found = s->resources.items == NULL;
    for (size_t i = 0; i < s->resources.count && found == 0; i++)
        found = language_match(w->words, s->resources.items[i], resource, w->nocase, w->err);
    for (size_t i = 0; i < s->not_resources.count && found == 1; i++) {
        int one = language_match(w->words, s->not_resources.items[i], resource, w->nocase, w->err);
        found = one < 0 ? one : !one;
    }
    return found;
}

static size_t reach(const kim_attachment *a)
{
    return a->inherit == KIM_INHERIT_TREE ? CHAIN_MAX : a->inherit == KIM_INHERIT_CHILDREN ? 1 : 0;
}

static key_value look(void *from, kim_text key)
{
    const weighing *w = from;
    for (size_t i = 0; i < w->q->context_count; i++)
        if (kim_text_equal(w->q->context[i].key, key))
            return w->q->context[i].values.count ? (key_value){KEY_GIVEN, w->q->context[i].values} : (key_value){.state = KEY_ABSENT};
    for (size_t i = 0; i < w->q->known_absent.count; i++)
        if (kim_text_equal(w->q->known_absent.items[i], key))
            return (key_value){.state = KEY_ABSENT};
    for (size_t i = 0; i < w->q->known_present.count; i++)
        if (kim_text_equal(w->q->known_present.items[i], key))
            return (key_value){.state = KEY_PRESENT};
    return (key_value){.state = w->q->discover ? KEY_UNKNOWN : KEY_ABSENT};
}

static const term *unread(weighing *w, const char *what, kim_text text)
{
    return term_of(w->ev->scratch, TERM_UNREAD, kim_text_format(w->ev->scratch, "%s: %.*s", what, KIM_PRINT(text)));
}

static const term *condition_holds(weighing *w, kim_condition condition)
{
    kim_error why = {0};
    if (condition.text.size == 0)
        return &term_true;
    if (!kim_text_is(condition.lang, "kim"))
        return unread(w, "a condition in another language", condition.text);
    const term *t = kim_condition_decide(condition.text, look, w, w->ev->scratch, &why);
    return t ? t : unread(w, why.message, condition.text);
}

/* Between its start and its end; the time of the request is the context's "time" (Unix milliseconds). */
static const term *in_time(weighing *w, const kim_attachment *a)
{
    if (a->starts_unix_ms == 0 && a->expires_unix_ms == 0)
        return &term_true;
    key_value now = look(w, KIM_TEXT("time"));
    if (now.state != KEY_GIVEN)
        return unread(w, "a time-bound grant", KIM_TEXT("the request's time is not given (context key time)"));
    int64_t at = strtoll(kim_text_copy(w->ev->scratch, now.values.items[0]).bytes, NULL, 10);
    bool running = at >= a->starts_unix_ms && (a->expires_unix_ms == 0 || at < a->expires_unix_ms);
    return running ? &term_true : &term_false;
}

static int add_match(weighing *w, match m)
{
    if (m.attachment->eligible) {
        if (m.rule->effect == KIM_ALLOW)
            w->eligible = term_or(w->ev->scratch, w->eligible, m.when);
        return 0;
    }
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 16;
        match *grown = KIM_NEW_ARRAY(w->ev->scratch, match, capacity);
        if (grown == NULL)
            return kim_fail(w->err, KIM_ERR_NOMEM, "no memory for a decision");
        if (w->count)
            memcpy(grown, w->matches, w->count * sizeof *grown);
        w->matches = grown;
        w->capacity = capacity;
    }
    w->matches[w->count++] = m;
    return 0;
}

static int weigh(weighing *w, const kim_attachment *a, const policy_rules *policy, const rule *one)
{
    const kim_statement *s = one->source;
    int action = names_subject(w, a, s) ? names_action(w, s) : 0;
    if (action <= 0)
        return action;
    for (size_t i = 0; i < w->depth && i <= reach(a); i++) {
        int here = names_resource(w, s, w->chain[i]);
        if (here < 0)
            return -1;
        if (here == 0)
            continue;
        const term *parts[] = {condition_holds(w, s->condition), condition_holds(w, a->condition), in_time(w, a)};
        const term *when = term_all(w->ev->scratch, parts, 3);
        if (when == NULL)
            return kim_fail(w->err, KIM_ERR_NOMEM, "no memory for a decision");
        if (when->kind == TERM_FALSE)
            return 0;
        return add_match(w, (match){a, policy, one, when, i});
    }
    return 0;
}

static int find_matches(weighing *w)
{
    size_t count;
    const kim_record *items = estate_records(w->ev->es, KIM_ATTACHMENT, &count);
    for (size_t i = 0; i < count; i++) {
        const policy_rules *policy = rules_policy(w->ev->r, items[i].attachment.policy);
        for (size_t k = 0; policy && k < policy->count; k++)
            if (weigh(w, &items[i].attachment, policy, &policy->rules[k]) < 0)
                return -1;
    }
    return 0;
}

/* ---- the algorithms ---- */

static const term *default_of(const weighing *w)
{
    for (size_t i = 0; i < w->profile->default_by_action.count; i++)
        if (kim_text_equal(w->profile->default_by_action.items[i].name, w->q->action))
            return kim_text_is(w->profile->default_by_action.items[i].value, "allow") ? &term_true : &term_false;
    return w->profile->default_effect == KIM_ALLOW ? &term_true : &term_false;
}

typedef bool chooses(const weighing *w, const match *m, const void *of);

/* When some match of that effect applies, among those that are chosen. */
static const term *any_of(const weighing *w, int32_t effect, chooses *choose, const void *of)
{
    const term *any = &term_false;
    for (size_t i = 0; i < w->count; i++)
        if (w->matches[i].rule->effect == effect && (choose == NULL || choose(w, &w->matches[i], of)))
            any = term_or(w->ev->scratch, any, w->matches[i].when);
    return any;
}

static const term *deny_overrides(weighing *w)
{
    const term *allow = term_or(w->ev->scratch, any_of(w, KIM_ALLOW, NULL, NULL), default_of(w));
    return term_and(w->ev->scratch, allow, term_not(w->ev->scratch, any_of(w, KIM_DENY, NULL, NULL)));
}

static const term *allow_union(weighing *w)
{
    return term_or(w->ev->scratch, any_of(w, KIM_ALLOW, NULL, NULL), default_of(w));
}

/* "10" before "9" it is not: parts are numbers. */
static int compare_orders(kim_texts a, kim_texts b)
{
    for (size_t i = 0; i < a.count && i < b.count; i++) {
        double x = strtod(a.items[i].bytes, NULL), y = strtod(b.items[i].bytes, NULL);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return a.count < b.count ? -1 : a.count > b.count;
}

/* The lowest order of the membership edges that lead from the identity to the statement's subject. */
static int64_t edge_order(const weighing *w, const match *m)
{
    size_t count;
    const kim_record *edges = estate_records(w->ev->es, KIM_EDGE, &count);
    int64_t lowest = 0;
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        const kim_edge *e = &edges[i].edge;
        bool leads = kim_text_equal(m->attachment->subject, e->to);
        for (size_t k = 0; k < m->rule->source->subjects.count && !leads; k++)
            leads = kim_text_equal(m->rule->source->subjects.items[k], e->to);
        if (e->kind == KIM_MEMBER_OF && leads && has(w, e->from) && (!found || e->order < lowest))
            lowest = e->order, found = true;
    }
    return lowest;
}

static _Thread_local const weighing *sorting; /* qsort hands nothing through */

static int by_order(const void *left, const void *right)
{
    const match *a = left, *b = right;
    int64_t x = edge_order(sorting, a), y = edge_order(sorting, b);
    return x != y ? (x < y ? -1 : 1) : compare_orders(a->rule->source->order, b->rule->source->order);
}

static const term *first_match(weighing *w)
{
    sorting = w;
    if (w->count)
        qsort(w->matches, w->count, sizeof *w->matches, by_order);
    const term *rest = default_of(w);
    for (size_t i = w->count; i-- > 0;) {
        const term *when = w->matches[i].when;
        rest = w->matches[i].rule->effect == KIM_ALLOW
                   ? term_or(w->ev->scratch, when, rest)
                   : term_and(w->ev->scratch, term_not(w->ev->scratch, when), rest);
    }
    return rest;
}

static bool weighs_as_much(const weighing *w, const match *m, const void *of)
{
    (void)w;
    return m->rule->source->weight >= ((const match *)of)->rule->source->weight;
}

static const term *most_specific(weighing *w)
{
    kim_arena *scratch = w->ev->scratch;
    const term *denied = any_of(w, KIM_DENY, NULL, NULL), *allowed = any_of(w, KIM_ALLOW, NULL, NULL);
    const term *silent = term_not(scratch, term_or(scratch, denied, allowed));
    const term *any = term_and(scratch, default_of(w), silent);
    for (size_t i = 0; i < w->count; i++) {
        if (w->matches[i].rule->effect != KIM_ALLOW)
            continue;
        const term *heavier = any_of(w, KIM_DENY, weighs_as_much, &w->matches[i]);
        any = term_or(scratch, any, term_and(scratch, w->matches[i].when, term_not(scratch, heavier)));
    }
    return any;
}

static bool stands_at(const weighing *w, const match *m, const void *of)
{
    (void)w;
    return m->distance == *(const size_t *)of;
}

static const term *nearest_explicit(weighing *w)
{
    kim_arena *scratch = w->ev->scratch;
    const term *rest = default_of(w);
    for (size_t i = w->depth; i-- > 0;) {
        const term *allow = any_of(w, KIM_ALLOW, stands_at, &i), *deny = any_of(w, KIM_DENY, stands_at, &i);
        const term *silent = term_not(scratch, term_or(scratch, allow, deny));
        rest = term_or(scratch, term_and(scratch, allow, term_not(scratch, deny)), term_and(scratch, silent, rest));
    }
    return rest;
}

static bool in_layer(const weighing *w, const match *m, const void *of)
{
    (void)w;
    return kim_text_equal(m->attachment->layer, *(const kim_text *)of);
}

static bool layer_is_present(const weighing *w, kim_text name)
{
    size_t count;
    const kim_record *items = estate_records(w->ev->es, KIM_ATTACHMENT, &count);
    for (size_t i = 0; i < count; i++)
        if (kim_text_equal(items[i].attachment.layer, name))
            return true;
    return false;
}

static const term *layered(weighing *w)
{
    kim_arena *scratch = w->ev->scratch;
    const term *granted = default_of(w), *all = &term_true;
    for (size_t i = 0; i < w->profile->layers.count; i++) {
        const kim_pair *layer = &w->profile->layers.items[i];
        const term *allow = any_of(w, KIM_ALLOW, in_layer, &layer->name), *deny = any_of(w, KIM_DENY, in_layer, &layer->name);
        const term *plain = term_and(scratch, allow, term_not(scratch, deny));
        if (kim_text_is(layer->value, "grant"))
            granted = term_or(scratch, granted, plain);
        else if (kim_text_is(layer->value, "ceiling"))
            all = layer_is_present(w, layer->name) ? term_and(scratch, all, plain) : all;
        else
            all = term_and(scratch, all, term_not(scratch, term_or(scratch, allow, deny)));
    }
    return term_and(scratch, granted, all);
}

static const struct { const char *name; const term *(*fold)(weighing *w); } algorithms[] = {
    {"deny-overrides", deny_overrides}, {"allow-union", allow_union}, {"first-match", first_match},
    {"most-specific", most_specific}, {"nearest-explicit", nearest_explicit}, {"layered", layered},
};

/* ---- the answer ---- */

static bool had_a_say(const weighing *w, const match *m, const answer *a)
{
    (void)w;
    if (a->verdict == ALLOWED)
        return m->rule->effect == KIM_ALLOW && m->when->kind == TERM_TRUE;
    if (a->verdict == DENIED)
        return m->rule->effect == KIM_DENY && m->when->kind == TERM_TRUE;
    return true;
}

static void explain(weighing *w, answer *out)
{
    evaluator *ev = w->ev;
    out->because = ev->reasons;
    out->because_count = 0;
    for (size_t i = 0; i < w->count && out->because_count < BECAUSE_MAX; i++) {
        const match *m = &w->matches[i];
        if (!had_a_say(w, m, out))
            continue;
        ev->reasons[out->because_count++] = (because){
            .layer = m->attachment->layer, .policy = m->policy->label,
            .statement = m->rule->name};
    }
    if (out->verdict != DENIED)
        return;
    bool granted = any_of(w, KIM_ALLOW, NULL, NULL)->kind != TERM_FALSE;
    out->reason = out->because_count                ? EXPLICIT_DENY
                  : w->eligible->kind != TERM_FALSE ? ELIGIBLE_ONLY
                  : granted                         ? CEILING
                                                    : IMPLICIT_DENY;
}

/* The profile asked for; absent: the first that no other engine has. */
static const kim_profile *profile_of(const evaluator *ev, const question *q)
{
    size_t count;
    const kim_record *items = estate_records(ev->es, KIM_PROFILE, &count);
    for (size_t i = 0; i < count; i++)
        if (q->provider.size ? kim_text_equal(items[i].profile.id, q->provider) : engine_reads(&neutral_engine, items[i].scope))
            return &items[i].profile;
    return NULL;
}

static int decide(evaluator *ev, const question *q, answer *out, kim_error *err)
{
    const kim_profile *profile = profile_of(ev, q);
    if (profile == NULL)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "no profile says how '%.*s' is to be evaluated", KIM_PRINT(q->provider));
    weighing w = {.ev = ev, .profile = profile, .q = q, .err = err, .eligible = &term_false,
                  .words = language_find(profile->wildcard.size ? profile->wildcard : KIM_TEXT("exact")),
                  .nocase = kim_text_is(profile->letter_case, "insensitive")};
    if (w.words == NULL)
        return kim_fail(err, KIM_ERR_UNSUPPORTED, "profile: wildcard language '%.*s' is not known", KIM_PRINT(profile->wildcard));
    find_chain(&w);
    if (find_groups(&w) < 0 || find_matches(&w) < 0)
        return -1;
    for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
        if (!kim_text_is(profile->combining, algorithms[i].name))
            continue;
        const term *t = algorithms[i].fold(&w);
        if (t == NULL || kim_arena_is_full(ev->scratch))
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for a decision");
        answer_from_term(ev, t, out);
        explain(&w, out);
        return 0;
    }
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "profile: combining '%.*s' is not known", KIM_PRINT(profile->combining));
}

/* ---- the other questions ---- */

static int who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err)
{
    size_t count;
    const kim_record *items = estate_records(ev->es, KIM_IDENTITY, &count);
    for (size_t i = 0; i < count; i++) {
        question one = *q;
        answer a;
        if (!engine_reads(&neutral_engine, items[i].scope) || items[i].identity.kind == KIM_GROUP)
            continue;
        one.identity = items[i].identity.id;
        kim_arena_reset(ev->scratch);
        if (decide(ev, &one, &a, err) < 0)
            return -1;
        int result = a.verdict == DENIED ? 0 : found(user, one.identity, &a);
        if (result)
            return result;
    }
    return 0;
}

static int what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err)
{
    (void)ev, (void)found, (void)user;
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "what '%.*s' may do cannot be listed yet", KIM_PRINT(q->identity));
}

static void *compile(estate *es, kim_error *err)
{
    return rules_compile(es, err);
}

static kim_text first_unread(const void *compiled)
{
    return rules_first_unread(compiled);
}

const engine neutral_engine = {
    .provider = "neutral",
    .compile = compile,
    .forget = rules_free,
    .decide = decide,
    .who_can = who_can,
    .what_can = what_can,
    .first_unread = first_unread,
};
