/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_questions.c - who may do this on AWS, and what may this one do: walks over decisions.
 */
#include <stdlib.h>

#include "controller/evaluate/aws.h"
#include "controller/evaluate/aws_context.h"
#include "controller/evaluate/aws_forms.h"
#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/compare.h"
#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/expand.h"
#include "controller/evaluate/name_list.h"

/* ---- who can ---- */

/* One question of many: what is asked for, and who wants to hear of it. */
typedef struct survey {
    evaluator *ev;
    const question *q;
    aws_matter matter;
    who_can_function *found;
    void *user;
    kim_error *err;
} survey;

/* h: what hangs on the identity; NULL: to be found. */
static int ask_for(survey *s, const question *one, kim_text named, const holder *h)
{
    answer a;
    kim_arena_reset(s->ev->scratch);
    if (aws_decide_matter(s->ev, one, &s->matter, h, &a, s->err) < 0)
        return -1;
    return a.verdict == DENIED ? 0 : s->found(s->user, named, &a);
}

static bool names_everyone(const rule *one)
{
    for (size_t i = 0; i < one->subject_count && !one->subjects_turned; i++)
        if (one->subjects[i].kind == SUBJECT_EVERYONE)
            return true;
    return one->subjects_turned;
}

/* Accounts that the estate knows by their place alone: a condition may admit whoever is in them. */
static void add_unread_accounts(evaluator *ev, kim_text partition, name_list *out)
{
    size_t total;
    const kim_record *items = estate_records(ev->es, KIM_SCOPE, &total);
    for (size_t i = 0; i < total; i++) {
        kim_text id = items[i].as_scope.id;
        if (!kim_text_is(items[i].as_scope.kind, "account") || !kim_text_starts_with(id, KIM_TEXT("aws:")))
            continue;
        kim_text number = {id.bytes + 4, id.size - 4};
        const account *a = account_of(ev, number);
        if (a && !a->is_read)
            name_list_add(out, kim_text_format(out->arena, "arn:%.*s:iam::%.*s:root", KIM_PRINT(partition), KIM_PRINT(number)));
    }
}

static void add_subjects(const rule *one, kim_text partition, name_list *out)
{
    if (one->subjects_turned)
        name_list_add(out, KIM_TEXT("*"));
    for (size_t n = 0; n < one->subject_count && !one->subjects_turned; n++) {
        const subject *s = &one->subjects[n];
        bool is_number = s->kind == SUBJECT_ACCOUNT && s->raw.size == s->account.size;
        if (s->kind == SUBJECT_EVERYONE)
            name_list_add(out, KIM_TEXT("*"));
        else if (s->kind != SUBJECT_CANONICAL && s->kind != SUBJECT_GONE)
            name_list_add(out, is_number ? kim_text_format(out->arena, "arn:%.*s:iam::%.*s:root", KIM_PRINT(partition), KIM_PRINT(s->raw)) : s->raw);
    }
}

/* What a resource's policies name that is no identity of the estate: other accounts, services, identity
 * providers, anyone. */
static void add_outsiders(evaluator *ev, const question *q, name_list *out)
{
    arn a = arn_split(q->resource);
    const target *t = aws_target(ev->r, &a);
    kim_text partition = a.count == ARN_PARTS ? a.parts[1] : KIM_TEXT("aws");
    bool has_accounts = false;
    const policy_set *set = rules_set(ev->r, t ? t->policies : 0);
    for (size_t i = 0; set && i < set->count; i++)
        for (size_t k = 0; k < set->items[i]->count; k++) {
            const rule *one = &set->items[i]->rules[k];
            if (one->effect != KIM_ALLOW)
                continue;
            if (one->condition && !has_accounts && names_everyone(one)) {
                add_unread_accounts(ev, partition, out);
                has_accounts = true;
            }
            add_subjects(one, partition, out);
        }
}

/* Does the name stand for one who can ask? A policy may name what AWS would refuse. */
static bool is_caller(evaluator *ev, const question *q, kim_text identity, caller *out)
{
    question one = *q;
    one.identity = identity;
    one.federated = KIM_NO_TEXT;
    return caller_read(ev, &one, out, NULL) == 0;
}

/* An identity provider: its users come as themselves, with its token. */
static bool is_provider(kim_text name)
{
    arn a = arn_split(name);
    if (a.count < ARN_PARTS)
        return kim_text_is(name, "accounts.google.com") || kim_text_is(name, "www.amazon.com") ||
               kim_text_is(name, "graph.facebook.com") || kim_text_is(name, "cognito-identity.amazonaws.com");
    return kim_text_starts_with(a.parts[5], KIM_TEXT("oidc-provider/")) || kim_text_starts_with(a.parts[5], KIM_TEXT("saml-provider/"));
}

/* An account's own users and roles answer for it where it was collected. */
static bool is_covered(evaluator *ev, const question *q, kim_text identity)
{
    caller c;
    if (is_provider(identity))
        return false;
    if (!is_caller(ev, q, identity, &c))
        return true;
    if (c.account.size == 0 || c.kind == CALLER_FEDERATED_USER)
        return false;
    const account *a = account_of(ev, c.account);
    return a && a->is_read;
}

static int ask_outsider(survey *s, kim_text name)
{
    question one = *s->q;
    caller c;
    one.identity = name;
    one.federated = KIM_NO_TEXT;
    if (is_provider(name))
        one.federated = name;
    else
        one.anyone_of_account = is_caller(s->ev, s->q, name, &c) && c.kind == CALLER_ROOT;
    return ask_for(s, &one, name, NULL);
}

/* People of a directory and devices sign no request of AWS's: they become a role, which answers for them. */
static bool may_ask(const survey *s, const holder *h)
{
    caller c;
    return h->identity && !h->is_group &&
           (h->kind != HOLDER_OTHER || (kim_text_starts_with(h->id, KIM_TEXT("arn:")) && is_caller(s->ev, s->q, h->id, &c)));
}

/* Identities and outsiders are both sorted: they are asked about in one order. */
static int ask_each(survey *s, const name_list *others)
{
    size_t count, at = 0;
    const holder *holders = rules_holders(s->ev->r, &count);
    question one = *s->q;
    int result = 0;
    one.federated = KIM_NO_TEXT;
    for (size_t i = 0; i < count && result == 0 && holders[i].identity; i++) { /* those with a record stand first */
        while (at < others->count && result == 0 && kim_text_compare(others->items[at], holders[i].id) < 0)
            result = ask_outsider(s, others->items[at++]);
        one.identity = holders[i].id;
        if (result == 0 && may_ask(s, &holders[i]))
            result = ask_for(s, &one, one.identity, &holders[i]);
    }
    while (at < others->count && result == 0)
        result = ask_outsider(s, others->items[at++]);
    return result;
}

static int who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err)
{
    if (evaluator_ready(ev, err) < 0)
        return -1;
    survey s = {.ev = ev, .q = q, .found = found, .user = user, .err = err};
    name_list others = {.arena = kim_arena_new(SIZE_MAX)};
    uint64_t *bits = malloc((rules_count(ev->r) / 64 + 1) * sizeof *bits);
    size_t kept = 0;
    int result;
    if (others.arena)
        add_outsiders(ev, q, &others);
    name_list_settle(&others);
    for (size_t i = 0; i < others.count; i++)
        if (!is_covered(ev, q, others.items[i]))
            others.items[kept++] = others.items[i];
    others.count = kept;
    if (others.arena == NULL || others.failed || bits == NULL)
        result = kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    else
        result = aws_matter_ready(ev, q, bits, &s.matter, err) < 0 ? -1 : ask_each(&s, &others);
    free(bits);
    kim_arena_free(others.arena);
    return result;
}

/* ---- what can ---- */

/* A rule that may allow the identity something; of: the resource whose policy it stands in, else absent. */
typedef struct granting {
    const rule *rule;
    kim_text of;
} granting;

typedef struct what_walk {
    evaluator *ev;
    const question *q;
    granting *rules; /* [count] */
    size_t count, capacity;
    caller caller;
    bool is_caller;     /* AWS knows the asker */
    kim_arena *patterns; /* of the action asked about */
    uint64_t *actions;  /* bitset over the catalogue */
    bool failed;
} what_walk;

static void add_rule(what_walk *w, const rule *one, kim_text of)
{
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 64;
        granting *grown = realloc(w->rules, capacity * sizeof *grown);
        if (grown == NULL) {
            w->failed = true;
            return;
        }
        w->rules = grown;
        w->capacity = capacity;
    }
    w->rules[w->count++] = (granting){one, of};
}

/* Sets the actions that a rule covers. */
static void add_actions(what_walk *w, const rule *one)
{
    const catalogue *cat = w->ev->cat;
    size_t words = catalogue_words(cat), count = catalogue_count(cat);
    uint64_t *covered = calloc(words, sizeof *covered);
    if (covered == NULL) {
        w->failed = true;
        return;
    }
    for (size_t i = 0; i < one->action_count; i++)
        catalogue_match(cat, rules_action_pattern(w->ev->r, one->actions[i]), covered);
    for (size_t i = 0; i < words; i++) {
        uint64_t valid = i == count / 64 ? (UINT64_C(1) << (count % 64)) - 1 : i < count / 64 ? ~UINT64_C(0) : 0;
        w->actions[i] |= (one->any_action ? ~UINT64_C(0) : one->actions_turned ? ~covered[i] : covered[i]) & valid;
    }
    free(covered);
}

static bool names_asker(const what_walk *w, const rule *one)
{
    const term *named[GRADES];
    return !w->is_caller || caller_named(&w->caller, one, w->ev->scratch, named);
}

static void gather_rules(what_walk *w)
{
    kim_arena_reset(w->ev->scratch);
    w->is_caller = caller_read(w->ev, w->q, &w->caller, NULL) == 0;
    const holder *h = rules_holder(w->ev->r, w->q->identity);
    subject asked = subject_read(w->q->identity);
    if (h == NULL && asked.kind == SUBJECT_SESSION)
        h = rules_role(w->ev->r, asked.account, asked.name);
    const policy_set *set = rules_set(w->ev->r, h ? h->grants : 0);
    for (size_t i = 0; set && i < set->count; i++)
        for (size_t k = 0; k < set->items[i]->count; k++)
            if (set->items[i]->rules[k].effect == KIM_ALLOW)
                add_rule(w, &set->items[i]->rules[k], KIM_NO_TEXT);
    size_t targets;
    const target *all = rules_targets(w->ev->r, &targets);
    for (size_t t = 0; t < targets; t++) {
        set = rules_set(w->ev->r, all[t].policies);
        for (size_t i = 0; set && i < set->count; i++)
            for (size_t k = 0; k < set->items[i]->count; k++) {
                const rule *one = &set->items[i]->rules[k];
                if (one->effect == KIM_ALLOW && names_asker(w, one))
                    add_rule(w, one, all[t].id);
            }
    }
}

static bool covers(const what_walk *w, const rule *one, kim_text action)
{
    if (one->any_action)
        return true;
    for (size_t i = 0; i < one->action_count; i++)
        if (glob_match(rules_action_pattern(w->ev->r, one->actions[i]), action))
            return !one->actions_turned;
    return one->actions_turned;
}

static kim_text pattern_for(what_walk *w, const arn_pattern *pattern)
{
    bool has_variable = pattern->raw.size > 1 && memmem(pattern->raw.bytes, pattern->raw.size, "${", 2);
    return has_variable && w->is_caller ? aws_resource_for(w->ev, w->q, pattern, w->patterns) : pattern->raw;
}

/* The resources to ask about for one action: the patterns of the rules that grant it. */
static void add_patterns(what_walk *w, kim_text action, bool takes_no_resource, name_list *out)
{
    if (w->q->resource.size || takes_no_resource) {
        name_list_add(out, w->q->resource.size ? w->q->resource : KIM_TEXT("*"));
        return;
    }
    for (size_t i = 0; i < w->count; i++) {
        const rule *one = w->rules[i].rule;
        kim_text of = w->rules[i].of;
        if (!covers(w, one, action))
            continue;
        if (one->any_resource || one->resources_turned)
            name_list_add(out, of.size ? of : KIM_TEXT("*"));
        for (size_t k = 0; k < one->resource_count && !one->resources_turned; k++) {
            kim_text pattern = of.size && one->resources[k]->is_everything ? of : pattern_for(w, one->resources[k]);
            if (!kim_text_is_absent(pattern))
                name_list_add(out, pattern);
        }
    }
    name_list_settle(out);
}

static int ask_about(what_walk *w, int32_t action, what_can_function *found, void *user, kim_error *err)
{
    const catalogue *cat = w->ev->cat;
    kim_text name = catalogue_name(cat, action);
    kim_arena_reset(w->patterns);
    name_list patterns = {.arena = w->patterns};
    add_patterns(w, catalogue_lower(cat, action), catalogue_takes_no_resource(cat, action), &patterns);
    if (patterns.failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    bool is_elsewhere = w->q->resource.size && !kim_text_is(w->q->resource, "*") && catalogue_takes_no_resource(cat, action);
    for (size_t i = 0; i < patterns.count && !is_elsewhere; i++) {
        question one = *w->q;
        answer a;
        kim_arena_reset(w->ev->scratch);
        if (!aws_may_be_done_to(cat, action, patterns.items[i], w->ev->scratch))
            continue;
        one.action = name;
        one.resource = patterns.items[i];
        kim_arena_reset(w->ev->scratch);
        if (aws_decide(w->ev, &one, &a, err) < 0)
            return -1;
        const grant row = {.action = name, .resource = one.resource};
        int result = a.verdict == DENIED ? 0 : found(user, &row, &a);
        if (result)
            return result;
    }
    return 0;
}

static int what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err)
{
    if (evaluator_ready(ev, err) < 0)
        return -1;
    if (ev->cat == NULL)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "the catalogue of AWS's actions is not installed; run `make install`, or set KIM_DATA_DIR");
    what_walk w = {.ev = ev, .q = q, .actions = calloc(catalogue_words(ev->cat) + 1, sizeof *w.actions),
                   .patterns = kim_arena_new(SIZE_MAX)};
    bool is_ready = w.actions && w.patterns;
    int result = is_ready ? 0 : -1;
    if (is_ready) {
        gather_rules(&w);
        for (size_t i = 0; i < w.count; i++)
            add_actions(&w, w.rules[i].rule);
    }
    for (size_t a = 0; result == 0 && !w.failed && a < catalogue_count(ev->cat); a++)
        if (w.actions[a / 64] >> (a % 64) & 1)
            result = ask_about(&w, (int32_t)a, found, user, err);
    if (w.failed || !is_ready)
        result = kim_fail(err, KIM_ERR_NOMEM, "no memory for a question");
    free(w.rules);
    free(w.actions);
    kim_arena_free(w.patterns);
    return result;
}

/* ---- the row of the table ---- */

static void *compile(estate *es, kim_error *err)
{
    return rules_compile(es, err);
}

static void *change(const void *before, estate *es)
{
    return rules_change(before, es);
}

static kim_text first_unread(const void *compiled)
{
    return rules_first_unread(compiled);
}

const engine aws_engine = {
    .provider = "aws",
    .scope_prefix = "aws:",
    .compile = compile,
    .forget = rules_free,
    .change = change,
    .state_new = aws_state_new,
    .state_free = aws_state_free,
    .decide = aws_decide,
    .who_can = who_can,
    .what_can = what_can,
    .first_unread = first_unread,
    .compare = compare_answer,
    .expand = expand_answer,
};
