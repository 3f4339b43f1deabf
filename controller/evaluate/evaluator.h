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
    const char *layer;
    const policy_rules *policy; /* NULL: a level, by its target */
    const rule *rule;           /* NULL: the policies of the layer, or the level, are silent */
    kim_text target;
    bool denies, surely;
} say;

struct evaluator {
    estate *es;
    void *states[ENGINES_MAX]; /* of each engine, by its slot; NULL: not asked yet */
    const rules *r;
    const catalogue *cat; /* AWS's; NULL: not installed */
    action_index *index;
    kim_arena *kept;      /* accounts: as long as the evaluator */
    kim_arena *scratch;   /* this question's */
    context context;
    text_map *account_ids;
    account **accounts;
    size_t account_capacity;
    say says[BECAUSE_MAX];
    size_t say_count;
    because reasons[BECAUSE_MAX];
};

/* AWS's decision; the arena is the evaluator's scratch, which the caller reset. */
int aws_decide(evaluator *ev, const question *q, answer *out, kim_error *err);
/* A pattern of a policy as it reads for the asker, with a wildcard for what is not known; in arena. Absent
 * where a variable has no value: the pattern matches nothing. */
kim_text aws_resource_for(evaluator *ev, const question *q, const arn_pattern *pattern, kim_arena *arena);
void engines_close(evaluator *ev); /* what engine_state made */

/* The answer to "may this be, given this term?": one of the four. */
void answer_from_term(evaluator *ev, const term *t, answer *out);

#endif
