/* SPDX-License-Identifier: Apache-2.0
 *
 * granted.c - action sets of policies, kept a policy: what a policy allows is the same for all who hold it.
 *
 * A statement that speaks of some resources only still grants its actions; a deny takes an action away
 * only where it holds always and everywhere. A policy names a few stretches of the catalogue, so its sets
 * are kept as runs of ids, a few bytes each; they become bits only where an identity's are put together.
 */
#include <stdlib.h>

#include "controller/evaluate/aws_account.h"
#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/granted.h"

const catalogue *evaluator_catalogue(const evaluator *ev)
{
    return estate_catalogue(ev->es, KIM_TEXT("aws"));
}

/* ---- statements ---- */

static int each(const policy_rules *policy, const rule *one, own_statement_function *found, void *user)
{
    const own_statement own = {policy->source, one->source, one->condition != NULL};
    return found(user, &own);
}

/* What the identity's own and its groups' policies are; NULL: nothing, or nobody. */
static const policy_set *own_set(const evaluator *ev, kim_text identity)
{
    const holder *h = rules_holder(ev->r, identity);
    return rules_set(ev->r, h ? h->grants : 0);
}

int evaluate_own(evaluator *ev, kim_text identity, own_statement_function *found, void *user)
{
    if (evaluator_ready(ev, NULL) < 0)
        return -1;
    const policy_set *set = own_set(ev, identity);
    for (size_t i = 0; set && i < set->count; i++)
        for (size_t k = 0; k < set->items[i]->count; k++) {
            int result = each(set->items[i], &set->items[i]->rules[k], found, user);
            if (result)
                return result;
        }
    return 0;
}

static bool covers_action(const evaluator *ev, const rule *one, kim_text lower)
{
    for (size_t i = 0; i < one->action_count; i++)
        if (glob_match(rules_action_pattern(ev->r, one->actions[i]), lower))
            return !one->actions_turned;
    return one->any_action || one->actions_turned;
}

static key_value all_unknown(void *from, uint32_t key)
{
    (void)from, (void)key;
    return (key_value){.state = KEY_UNKNOWN};
}

static bool covers_resource(evaluator *ev, const rule *one, kim_text resource)
{
    if (kim_text_is_absent(resource) || one->any_resource)
        return true;
    arn a = arn_split(resource);
    ev->context.stamp++;
    ev->context.look = all_unknown;
    for (size_t i = 0; i < one->resource_count; i++) {
        arn_match m = arn_pattern_match(one->resources[i], &a, true, &ev->context, ev->scratch);
        if (m == ARN_YES || m == ARN_NOT_KNOWN || (m == ARN_PART && !one->resources_turned))
            return !one->resources_turned;
    }
    return one->resources_turned;
}

int evaluate_own_grants(evaluator *ev, kim_text identity, kim_text action, kim_text resource,
                        own_statement_function *found, void *user)
{
    if (evaluator_ready(ev, NULL) < 0)
        return -1;
    const policy_set *set = own_set(ev, identity);
    kim_arena_reset(ev->scratch);
    kim_text lower = kim_text_lower(ev->scratch, action);
    for (size_t i = 0; set && i < set->count; i++)
        for (size_t k = 0; k < set->items[i]->count; k++) {
            const rule *one = &set->items[i]->rules[k];
            if (one->effect != KIM_ALLOW || !covers_action(ev, one, lower) || !covers_resource(ev, one, resource))
                continue;
            int result = each(set->items[i], one, found, user);
            if (result)
                return result;
        }
    return 0;
}

/* ---- runs ---- */

typedef struct run {
    uint32_t from, to; /* ids of actions: from .. to - 1 */
} run;

typedef struct runs {
    const run *items; /* [count] apart from each other, in order; NULL: not worked out yet */
    size_t count;
} runs;

/* What one policy, or one level, says of each action. */
typedef enum side { ALLOWED_AT_ALL, ALLOWED_FREELY, DENIED_EVERYWHERE, SIDES } side; /* freely: without a condition */

typedef struct effect {
    runs sides[SIDES];
} effect;

typedef struct sets {
    uint64_t *sides[SIDES];
} sets;

struct effects {
    const rules *r;
    const catalogue *cat;
    size_t words;
    kim_arena *arena;
    runs *patterns;          /* [rules_action_patterns] */
    const effect **policies; /* [rules_policies] NULL: not worked out yet */
    text_map *ceilings;      /* numbers of sets, as bytes, to what they leave */
    sets *left;              /* [ceiling_room] */
    size_t ceiling_room;
    sets work;               /* of one identity */
    uint64_t *one;           /* of one statement */
};

static uint64_t *new_bits(effects *e)
{
    return KIM_NEW_ARRAY(e->arena, uint64_t, e->words);
}

static bool new_sets(effects *e, sets *out)
{
    for (int i = 0; i < SIDES; i++)
        out->sides[i] = new_bits(e);
    return !kim_arena_is_full(e->arena);
}

/* The ids from `at` on that are set without a gap; false: there are none. */
static bool next_run(const uint64_t *bits, size_t count, size_t at, run *out)
{
    size_t words = (count + 63) / 64, w = at / 64;
    uint64_t word = w < words ? bits[w] >> (at % 64) << (at % 64) : 0;
    while (word == 0 && ++w < words)
        word = bits[w];
    if (word == 0)
        return false;
    out->from = (uint32_t)(w * 64 + (size_t)__builtin_ctzll(word));
    uint64_t gap = ~bits[w] >> (out->from % 64) << (out->from % 64);
    while (gap == 0 && ++w < words)
        gap = ~bits[w];
    size_t end = gap ? w * 64 + (size_t)__builtin_ctzll(gap) : count;
    out->to = (uint32_t)(end < count ? end : count);
    return out->from < count;
}

/* Bits as runs, in the arena; items NULL without memory. */
static runs runs_of(effects *e, const uint64_t *bits)
{
    size_t total = catalogue_count(e->cat), count = 0;
    run one = {0, 0};
    while (next_run(bits, total, one.to, &one))
        count++;
    run *items = KIM_NEW_ARRAY(e->arena, run, count + 1);
    one.to = 0;
    for (size_t i = 0; items && i < count; i++) {
        next_run(bits, total, one.to, &one);
        items[i] = one;
    }
    return (runs){items, items ? count : 0};
}

static void set_runs(uint64_t *bits, runs r)
{
    for (size_t i = 0; i < r.count; i++) {
        size_t first = r.items[i].from / 64, last = (r.items[i].to - 1) / 64;
        uint64_t begin = ~UINT64_C(0) << (r.items[i].from % 64), end = ~UINT64_C(0) >> (63 - (r.items[i].to - 1) % 64);
        if (first == last) {
            bits[first] |= begin & end;
            continue;
        }
        bits[first] |= begin;
        for (size_t w = first + 1; w < last; w++)
            bits[w] = ~UINT64_C(0);
        bits[last] |= end;
    }
}

/* ---- what is kept ---- */

static effects *effects_new(evaluator *ev, kim_error *err)
{
    effects *e = calloc(1, sizeof *e);
    if (e) {
        *e = (effects){.r = ev->r, .cat = ev->cat, .words = catalogue_words(ev->cat), .arena = kim_arena_new(SIZE_MAX)};
        e->ceilings = e->arena ? text_map_new(e->arena) : NULL;
    }
    if (e && e->ceilings) {
        e->patterns = KIM_NEW_ARRAY(e->arena, runs, rules_action_patterns(ev->r) + 1);
        e->policies = (const effect **)kim_arena_array(e->arena, rules_policies(ev->r) + 1, sizeof *e->policies);
        e->one = new_bits(e);
        if (new_sets(e, &e->work))
            return e;
    }
    effects_free(e);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for sets of actions");
    return NULL;
}

void effects_free(effects *e)
{
    if (e == NULL)
        return;
    kim_arena_free(e->arena);
    free(e);
}

static bool cover_pattern(effects *e, uint32_t pattern, uint64_t *bits)
{
    runs *kept = &e->patterns[pattern];
    if (kept->items == NULL) {
        memset(e->one, 0, e->words * sizeof *e->one);
        catalogue_match(e->cat, rules_action_pattern(e->r, pattern), e->one);
        *kept = runs_of(e, e->one);
    }
    set_runs(bits, *kept);
    return kept->items != NULL;
}

/* Adds the actions that the statement names. */
static bool cover(effects *e, const rule *one, uint64_t *bits)
{
    if (one->any_action) {
        memset(bits, 0xff, e->words * sizeof *bits);
        return true;
    }
    uint64_t *named = one->actions_turned ? calloc(e->words, sizeof *named) : bits;
    bool fine = named != NULL;
    for (size_t i = 0; i < one->action_count && fine; i++)
        fine = cover_pattern(e, one->actions[i], named);
    if (one->actions_turned) {
        for (size_t w = 0; w < e->words && fine; w++)
            bits[w] |= ~named[w];
        free(named);
    }
    return fine;
}

static bool cover_rule(effects *e, const rule *one, const sets *into)
{
    bool everywhere = one->any_resource || (one->resource_everything && !one->resources_turned);
    if (one->effect == KIM_DENY)
        return one->condition || !everywhere || cover(e, one, into->sides[DENIED_EVERYWHERE]);
    return cover(e, one, into->sides[ALLOWED_AT_ALL]) &&
           (one->effect != KIM_ALLOW || one->condition || cover(e, one, into->sides[ALLOWED_FREELY]));
}

/* What a policy says, worked out once. NULL without memory. */
static const effect *effect_of(effects *e, const policy_rules *policy)
{
    if (e->policies[policy->number])
        return e->policies[policy->number];
    effect *out = KIM_NEW(e->arena, effect);
    uint64_t *bits = calloc(SIDES * e->words, sizeof *bits);
    const sets all = {{bits, bits + e->words, bits + 2 * e->words}};
    bool fine = out && bits;
    for (size_t k = 0; k < policy->count && fine; k++)
        fine = cover_rule(e, &policy->rules[k], &all);
    for (int i = 0; i < SIDES && fine; i++) {
        out->sides[i] = runs_of(e, all.sides[i]);
        fine = out->sides[i].items != NULL;
    }
    free(bits);
    return fine ? e->policies[policy->number] = out : NULL;
}

/* Puts a set's policies together; `into` is cleared before. */
static bool add_set(effects *e, uint32_t number, const sets *into)
{
    const policy_set *set = rules_set(e->r, number);
    for (int k = 0; k < SIDES; k++)
        memset(into->sides[k], 0, e->words * sizeof(uint64_t));
    for (size_t i = 0; set && i < set->count; i++) {
        const effect *one = effect_of(e, set->items[i]);
        if (one == NULL)
            return false;
        for (int k = 0; k < SIDES; k++)
            set_runs(into->sides[k], one->sides[k]);
    }
    return true;
}

/* Narrows `into` to what a ceiling leaves: an action that it does not allow is gone, one that it allows
 * under a condition is no longer free. */
static void cut(const effects *e, const sets *ceiling, const sets *into)
{
    for (size_t w = 0; w < e->words; w++) {
        into->sides[ALLOWED_AT_ALL][w] &= ceiling->sides[ALLOWED_AT_ALL][w];
        into->sides[ALLOWED_FREELY][w] &= ceiling->sides[ALLOWED_FREELY][w];
        into->sides[DENIED_EVERYWHERE][w] |= ceiling->sides[DENIED_EVERYWHERE][w];
    }
}

bool evaluate_is_counted(const kim_record *identity)
{
    return engine_reads(&aws_engine, identity->scope);
}

/* ---- ceilings ---- */

enum { CEILINGS_MAX = KIM_SCOPE_MAX_DEPTH + 1 };

/* The sets that an identity's grants are cut to: its boundary's, and those of its account's levels. */
typedef struct ceilings {
    uint32_t numbers[CEILINGS_MAX];
    size_t count;
} ceilings;

static const account *home_of(evaluator *ev, const holder *h)
{
    if (h->kind != HOLDER_OTHER)
        return account_of_holder(ev, h);
    subject s = subject_read(h->id);
    return s.account.size ? account_of(ev, s.account) : NULL;
}

static ceilings ceilings_of(evaluator *ev, const holder *h)
{
    ceilings all = {.count = 0};
    const account *a = home_of(ev, h);
    if (h->boundary)
        all.numbers[all.count++] = h->boundary;
    for (size_t i = 0; a && a->has_scp && !a->is_management && i < a->depth; i++)
        if (a->chain[i]->scp)
            all.numbers[all.count++] = a->chain[i]->scp;
    return all;
}

/* What all of them leave; NULL without memory. */
static const sets *left_by(effects *e, const ceilings *all)
{
    kim_text key = {(const char *)all->numbers, all->count * sizeof *all->numbers};
    uint32_t number = text_map_find(e->ceilings, key);
    if (number != UINT32_MAX)
        return &e->left[number];
    sets left = {{NULL}};
    bool fine = new_sets(e, &left);
    for (size_t i = 0; i < all->count && fine; i++) {
        fine = add_set(e, all->numbers[i], i ? &e->work : &left);
        if (i && fine)
            cut(e, &e->work, &left);
    }
    number = text_map_count(e->ceilings);
    if (fine && number == e->ceiling_room) {
        size_t more = e->ceiling_room ? e->ceiling_room * 2 : 16;
        sets *grown = KIM_NEW_ARRAY(e->arena, sets, more);
        if (grown && number)
            memcpy(grown, e->left, number * sizeof *grown);
        e->left = grown ? grown : e->left;
        e->ceiling_room = grown ? more : number;
    }
    if (!fine || number == e->ceiling_room || text_map_add(e->ceilings, kim_text_copy(e->arena, key)) != number)
        return NULL;
    e->left[number] = left;
    return &e->left[number];
}

/* ---- one identity ---- */

static int put_together(effects *e, uint32_t grants, const ceilings *above, uint64_t *granted, uint64_t *conditional, kim_error *err)
{
    const sets *left = above->count ? left_by(e, above) : NULL;
    if ((above->count && left == NULL) || !add_set(e, grants, &e->work))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for sets of actions");
    if (left)
        cut(e, left, &e->work);
    size_t count = catalogue_count(e->cat);
    for (size_t w = 0; w < e->words; w++) {
        granted[w] = e->work.sides[ALLOWED_AT_ALL][w] & ~e->work.sides[DENIED_EVERYWHERE][w];
        conditional[w] = granted[w] & ~e->work.sides[ALLOWED_FREELY][w];
    }
    if (count % 64) { /* a NotAction covers what is past the catalogue's end, too */
        granted[count / 64] &= (UINT64_C(1) << (count % 64)) - 1;
        conditional[count / 64] &= (UINT64_C(1) << (count % 64)) - 1;
    }
    return 0;
}

static int ready_effects(evaluator *ev, kim_error *err)
{
    if (evaluator_ready(ev, err) < 0)
        return -1;
    if (ev->cat == NULL)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "the catalogue of AWS's actions is not installed; run `make install`, or set KIM_DATA_DIR");
    if (ev->effects == NULL)
        ev->effects = effects_new(ev, err);
    return ev->effects ? 0 : -1;
}

int evaluate_granted(evaluator *ev, kim_text identity, uint64_t *granted, uint64_t *conditional, kim_error *err)
{
    const kim_record *known = estate_find(ev->es, KIM_IDENTITY, identity);
    if (known && !evaluate_is_counted(known))
        return kim_fail(err, KIM_ERR_UNSUPPORTED, "the actions of '%.*s' are not counted: its provider, %s, has no catalogue; `kim effective` lists its patterns",
                        KIM_PRINT(identity), engine_of_scope(known->scope)->provider);
    if (ready_effects(ev, err) < 0)
        return -1;
    const holder *h = rules_holder(ev->r, identity);
    if (h == NULL)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "no identity '%.*s' is known", KIM_PRINT(identity));
    const ceilings above = ceilings_of(ev, h);
    return put_together(ev->effects, h->grants, &above, granted, conditional, err);
}

/* ---- all of them ---- */

enum { KIND_MAX = CEILINGS_MAX + 1 };

/* Identities that have the same sets: their grants, then the ceilings. */
typedef struct kinds {
    kim_arena *arena;
    text_map *texts;   /* the numbers of a kind's sets, as bytes */
    uint32_t *of;      /* [holders] each holder's kind; UINT32_MAX: none of these */
    uint32_t *starts;  /* [kinds + 1] into members */
    uint32_t *members; /* holders, by kind and id */
} kinds;

static bool is_user_or_role(const holder *h)
{
    return h->identity && !h->is_group && h->kind != HOLDER_OTHER;
}

static bool is_marked(const bool *marked, uint32_t grants, const ceilings *above)
{
    bool is = marked == NULL || marked[grants];
    for (size_t i = 0; i < above->count && !is; i++)
        is = marked[above->numbers[i]];
    return is;
}

/* marked: by the numbers of sets, of which one at least is to be there; NULL: any. False without memory. */
static bool sort_kinds(evaluator *ev, const bool *marked, kinds *k)
{
    size_t count;
    const holder *holders = rules_holders(ev->r, &count);
    k->arena = kim_arena_new(SIZE_MAX);
    k->texts = k->arena ? text_map_new(k->arena) : NULL;
    k->of = k->texts ? KIM_NEW_ARRAY(k->arena, uint32_t, count + 1) : NULL;
    k->members = k->of ? KIM_NEW_ARRAY(k->arena, uint32_t, count + 1) : NULL;
    if (k->members == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint32_t numbers[KIND_MAX] = {holders[i].grants};
        k->of[i] = UINT32_MAX;
        if (!is_user_or_role(&holders[i]))
            continue;
        const ceilings above = ceilings_of(ev, &holders[i]);
        if (!is_marked(marked, holders[i].grants, &above))
            continue;
        memcpy(numbers + 1, above.numbers, above.count * sizeof *numbers);
        kim_text text = {(const char *)numbers, (above.count + 1) * sizeof *numbers};
        k->of[i] = text_map_find(k->texts, text);
        if (k->of[i] == UINT32_MAX)
            k->of[i] = text_map_add(k->texts, kim_text_copy(k->arena, text));
        if (k->of[i] == UINT32_MAX || kim_arena_is_full(k->arena))
            return false;
    }
    k->starts = KIM_NEW_ARRAY(k->arena, uint32_t, text_map_count(k->texts) + 2);
    for (size_t i = 0; i < count && k->starts; i++)
        if (k->of[i] != UINT32_MAX)
            k->starts[k->of[i] + 2]++;
    for (uint32_t n = 1; n <= text_map_count(k->texts) && k->starts; n++)
        k->starts[n + 1] += k->starts[n];
    for (size_t i = 0; i < count && k->starts; i++) /* starts move to the ends, which are the next ones' */
        if (k->of[i] != UINT32_MAX)
            k->members[k->starts[k->of[i] + 1]++] = (uint32_t)i;
    return k->starts != NULL;
}

static int tell_kind(evaluator *ev, const kinds *k, uint32_t kind, uint64_t *bits, granted_all_function *found, void *user, kim_error *err)
{
    size_t ignored;
    const holder *holders = rules_holders(ev->r, &ignored);
    kim_text text = text_map_text(k->texts, kind);
    ceilings above = {.count = text.size / sizeof *above.numbers - 1};
    uint32_t grants;
    memcpy(&grants, text.bytes, sizeof grants);
    memcpy(above.numbers, text.bytes + sizeof grants, above.count * sizeof *above.numbers);
    granted_set what = {.granted = bits, .conditional = bits + ev->effects->words, .is_new = true};
    int result = put_together(ev->effects, grants, &above, bits, bits + ev->effects->words, err);
    for (uint32_t i = k->starts[kind]; i < k->starts[kind + 1] && result == 0; i++) {
        result = found(user, holders[k->members[i]].id, &what);
        what.is_new = false;
    }
    return result;
}

static int tell_marked(evaluator *ev, const bool *marked, size_t part, size_t parts, granted_all_function *found, void *user, kim_error *err)
{
    kinds k = {0};
    uint64_t *bits = calloc(2 * ev->effects->words, sizeof *bits);
    int result = bits && sort_kinds(ev, marked, &k) ? 0 : kim_fail(err, KIM_ERR_NOMEM, "no memory for sets of actions");
    for (size_t kind = part; result == 0 && kind < text_map_count(k.texts); kind += parts)
        result = tell_kind(ev, &k, (uint32_t)kind, bits, found, user, err);
    free(bits);
    kim_arena_free(k.arena);
    return result;
}

int evaluate_granted_all(evaluator *ev, size_t part, size_t parts, granted_all_function *found, void *user, kim_error *err)
{
    return ready_effects(ev, err) < 0 ? -1 : tell_marked(ev, NULL, part, parts, found, user, err);
}

int evaluate_granted_changed(evaluator *ev, granted_all_function *found, void *user, kim_error *err)
{
    if (ready_effects(ev, err) < 0)
        return -1;
    if (rules_estate(ev->r) != ev->es)
        return 0; /* nothing of AWS's changed */
    return tell_marked(ev, estate_before(ev->es) ? rules_changed_sets(ev->r) : NULL, 0, 1, found, user, err);
}
