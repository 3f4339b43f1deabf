/* SPDX-License-Identifier: Apache-2.0
 *
 * evaluator.h - what one asker needs: the shared rules, and memory of its own for one question.
 * Private to this folder; others see evaluate.h.
 */
#ifndef KIM_EVALUATOR_H
#define KIM_EVALUATOR_H

#include "controller/evaluate/action_index.h"
#include "controller/evaluate/engine.h"
#include "controller/evaluate/evaluate.h"
#include "controller/evaluate/terms.h"

#include <kim/limits.h>

typedef struct account account; /* aws_account.h */

enum { BECAUSE_MAX = 64 }; /* statements named in one answer; the first ones stay */

/* A statement that had a say, kept until it is known which say counted. */
typedef struct say {
    kim_text layer;
    const policy_rules *policy; /* NULL: a level, by its target */
    const rule *rule;           /* NULL: the policies of the layer, or the level, are silent */
    kim_text target;
    bool denies, surely;
} say;

enum { LAST_KEYS = 12, LAST_KEY_BYTES = 40 };

/* A context key as a question wrote it, and its number. */
typedef struct known_key {
    uint32_t key;
    uint8_t size; /* 0: none */
    char name[LAST_KEY_BYTES];
} known_key;

struct evaluator {
    estate *es;
    void *states[ENGINES_MAX]; /* of each engine, by its slot; NULL: not asked yet */
    kim_arena *scratch;        /* this question's */
    because reasons[BECAUSE_MAX];
    /* AWS's, from its first question on: evaluator_ready */
    const rules *r;
    const catalogue *cat;  /* NULL: not installed */
    action_index *index;
    kim_arena *kept;       /* accounts, and all that follows: as long as the evaluator */
    context context;
    uint8_t *derivations;  /* [keys] how each key follows from who asks and for what: aws_context.c */
    text_map *account_ids;
    account **accounts;
    size_t account_capacity;
    const account **holder_accounts; /* [rules_accounts] by the numbers in holders; NULL: not asked about yet */
    const account *last_account; /* most questions are about one */
    known_key last_keys[LAST_KEYS]; /* of the question before, by their places in it: most name the same again */
    say says[BECAUSE_MAX];
    size_t say_count;
    struct effects *effects; /* granted.c; NULL: not asked for yet */
};

/* Readies AWS's part. Errors: KIM_ERR_NOMEM */
int evaluator_ready(evaluator *ev, kim_error *err);
void *aws_state_new(evaluator *ev, const void *compiled, kim_error *err);
void aws_state_free(void *state);

void engines_close(evaluator *ev); /* what engine_state made */

/* The answer to "may this be, given this term?": one of the four. */
void answer_from_term(evaluator *ev, const term *t, answer *out);

#endif
