/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_state.c - AWS's part of an evaluator, made at its first question to AWS: an estate of clusters and
 * factories alone never pays for it.
 */
#include <stdlib.h>

#include "controller/evaluate/aws_context.h"
#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/granted.h"

void *aws_state_new(evaluator *ev, const void *compiled, kim_error *err)
{
    const rules *r = compiled;
    size_t keys = key_table_count(rules_keys(r)) + 1, conditions = rules_conditions(r) + 1;
    ev->r = r;
    ev->cat = estate_catalogue(ev->es, KIM_TEXT("aws"));
    ev->index = action_index_new(r, ev->cat);
    ev->kept = kim_arena_new(SIZE_MAX);
    ev->account_ids = ev->kept ? text_map_new(ev->kept) : NULL;
    if (ev->account_ids) {
        ev->holder_accounts = (const account **)kim_arena_array(ev->kept, rules_accounts(r) + 1, sizeof *ev->holder_accounts);
        ev->derivations = KIM_NEW_ARRAY(ev->kept, uint8_t, keys);
        ev->context = (context){.slots = KIM_NEW_ARRAY(ev->kept, key_value, keys), .stamps = KIM_NEW_ARRAY(ev->kept, uint32_t, keys),
                                .decided = KIM_NEW_ARRAY(ev->kept, decided, conditions)};
    }
    if (ev->index == NULL || ev->account_ids == NULL || kim_arena_is_full(ev->kept)) {
        aws_state_free(ev);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for an evaluator");
        return NULL;
    }
    aws_context_sort(rules_keys(r), ev->derivations);
    return ev;
}

void aws_state_free(void *state)
{
    evaluator *ev = state;
    effects_free(ev->effects);
    action_index_free(ev->index);
    kim_arena_free(ev->kept);
    ev->effects = NULL;
    ev->index = NULL;
    ev->kept = NULL;
    ev->account_ids = NULL;
    ev->accounts = NULL;
    ev->holder_accounts = NULL;
    ev->account_capacity = 0;
    ev->last_account = NULL;
    memset(ev->last_keys, 0, sizeof ev->last_keys);
}

int evaluator_ready(evaluator *ev, kim_error *err)
{
    return engine_state(&aws_engine, ev, err) ? 0 : -1;
}
