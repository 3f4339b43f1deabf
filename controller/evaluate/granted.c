/* SPDX-License-Identifier: Apache-2.0
 *
 * granted.c - action sets of policies, kept a policy: what a policy allows is the same for all who hold it.
 *
 * A statement that speaks of some resources only still grants its actions; a deny takes an action away
 * only where it holds always and everywhere.
 */
#include <stdlib.h>

#include "controller/evaluate/aws_account.h"
#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluator.h"

const catalogue *evaluator_catalogue(const evaluator *ev)
{
    return ev->cat;
}

/* ---- statements ---- */

static int each(const policy_rules *policy, const rule *one, own_statement_function *found, void *user)
{
    const own_statement own = {policy->source, one->source, one->condition != NULL};
    return found(user, &own);
}

int evaluate_own(evaluator *ev, kim_text identity, own_statement_function *found, void *user)
{
    const holder *h = rules_holder(ev->r, identity);
    for (size_t i = 0; h && i < h->grants.count; i++)
        for (size_t k = 0; k < h->grants.items[i]->count; k++) {
            int result = each(h->grants.items[i], &h->grants.items[i]->rules[k], found, user);
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
    const holder *h = rules_holder(ev->r, identity);
    kim_arena_reset(ev->scratch);
    kim_text lower = kim_text_lower(ev->scratch, action);
    for (size_t i = 0; h && i < h->grants.count; i++)
        for (size_t k = 0; k < h->grants.items[i]->count; k++) {
            const rule *one = &h->grants.items[i]->rules[k];
            if (one->effect != KIM_ALLOW || !covers_action(ev, one, lower) || !covers_resource(ev, one, resource))
                continue;
            int result = each(h->grants.items[i], one, found, user);
            if (result)
                return result;
        }
    return 0;
}

/* ---- action sets ---- */

typedef struct sets {
    uint64_t *allowed, *freely, *denied; /* freely: without a condition; denied: always and everywhere */
} sets;

static void cover(const evaluator *ev, const rule *one, uint64_t *set)
{
    size_t words = catalogue_words(ev->cat);
    memset(set, 0, words * sizeof *set);
    for (size_t i = 0; i < one->action_count; i++)
        catalogue_match(ev->cat, rules_action_pattern(ev->r, one->actions[i]), set);
    for (size_t i = 0; i < words; i++)
        set[i] = one->any_action ? ~UINT64_C(0) : one->actions_turned ? ~set[i] : set[i];
}

static void add_policies(const evaluator *ev, const policy_list *list, uint64_t *set, const sets *into)
{
    size_t words = catalogue_words(ev->cat);
    for (size_t i = 0; i < list->count; i++)
        for (size_t k = 0; k < list->items[i]->count; k++) {
            const rule *one = &list->items[i]->rules[k];
            bool everywhere = one->any_resource || (one->resource_everything && !one->resources_turned);
            if (one->effect == KIM_DENY && (one->condition || !everywhere))
                continue;
            cover(ev, one, set);
            for (size_t w = 0; w < words; w++) {
                if (one->effect == KIM_DENY)
                    into->denied[w] |= set[w];
                else
                    into->allowed[w] |= set[w];
                if (one->effect == KIM_ALLOW && one->condition == NULL)
                    into->freely[w] |= set[w];
            }
        }
}

/* Narrows `into` to what a ceiling leaves: an action that it does not allow is gone, one that it allows
 * under a condition is no longer free. */
static void cut(const evaluator *ev, const policy_list *ceiling, uint64_t *work, const sets *into)
{
    size_t words = catalogue_words(ev->cat);
    const sets of = {work + words, work + 2 * words, work + 3 * words};
    memset(work, 0, 4 * words * sizeof *work);
    add_policies(ev, ceiling, work, &of);
    for (size_t w = 0; w < words; w++) {
        into->allowed[w] &= of.allowed[w];
        into->freely[w] &= of.freely[w];
        into->denied[w] |= of.denied[w];
    }
}

bool evaluate_is_counted(const kim_record *identity)
{
    return engine_reads(&aws_engine, identity->scope);
}

int evaluate_granted(evaluator *ev, kim_text identity, uint64_t *granted, uint64_t *conditional, kim_error *err)
{
    const kim_record *known = estate_find(ev->es, KIM_IDENTITY, identity);
    if (known && !evaluate_is_counted(known))
        return kim_fail(err, KIM_ERR_UNSUPPORTED, "the actions of '%.*s' are not counted: its provider, %s, has no catalogue; `kim effective` lists its patterns",
                        KIM_PRINT(identity), engine_of_scope(known->scope)->provider);
    const holder *h = rules_holder(ev->r, identity);
    if (ev->cat == NULL)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "the catalogue of AWS's actions is not installed; run `make install`, or set KIM_DATA_DIR");
    if (h == NULL)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "no identity '%.*s' is known", KIM_PRINT(identity));
    size_t words = catalogue_words(ev->cat), count = catalogue_count(ev->cat);
    uint64_t *work = calloc(7 * words, sizeof *work);
    if (work == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for sets of actions");
    const sets all = {work + 4 * words, work + 5 * words, work + 6 * words};
    add_policies(ev, &h->grants, work, &all);
    if (h->boundary.is_set)
        cut(ev, &h->boundary, work, &all);
    subject s = subject_read(identity);
    const account *a = s.account.size ? account_of(ev, s.account) : NULL;
    for (size_t i = 0; a && a->has_scp && !a->is_management && i < a->depth; i++)
        if (a->chain[i]->scp.is_set)
            cut(ev, &a->chain[i]->scp, work, &all);
    for (size_t w = 0; w < words; w++) {
        uint64_t valid = w == count / 64 ? (UINT64_C(1) << (count % 64)) - 1 : w < count / 64 ? ~UINT64_C(0) : 0;
        granted[w] = all.allowed[w] & ~all.denied[w] & valid;
        conditional[w] = granted[w] & ~all.freely[w];
    }
    free(work);
    return 0;
}
