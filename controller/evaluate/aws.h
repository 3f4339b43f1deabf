/* SPDX-License-Identifier: Apache-2.0
 *
 * aws.h - AWS's decision, for one question and for the same question of many.
 */
#ifndef KIM_AWS_H
#define KIM_AWS_H

#include "controller/evaluate/evaluator.h"

/* The arena is the evaluator's scratch, which the caller reset. */
int aws_decide(evaluator *ev, const question *q, answer *out, kim_error *err);

/* What a question asks for, whoever asks. */
typedef struct aws_matter {
    const asked_action *action;
    arn resource;
    const target *target;   /* what hangs on the resource; NULL: nothing is known */
    const uint64_t *rules;  /* bits of the rules that may have a say */
    /* whose the resource is, for the account that asked last */
    const account *asked_by, *owner;
    bool is_known, is_foreign;
} aws_matter;

/* Readies a question for many askers: rules that this resource and context rule out for all of them are
 * left out. The question must outlive its use.
 *
 * bits  [rules_count / 64 + 1], the caller's, which matter->rules borrows
 * Errors: those of a question that cannot be asked, KIM_ERR_NOMEM */
int aws_matter_ready(evaluator *ev, const question *q, uint64_t *bits, aws_matter *matter, kim_error *err);
/* The same answer as aws_decide's where it is not DENIED; why one is denied is not worked out.
 *
 * h  what hangs on q->identity; NULL: to be found */
int aws_decide_matter(evaluator *ev, const question *q, aws_matter *matter, const holder *h, answer *out, kim_error *err);

/* A pattern of a policy as it reads for the asker, with a wildcard for what is not known; in arena. Absent
 * where a variable has no value: the pattern matches nothing. */
kim_text aws_resource_for(evaluator *ev, const question *q, const arn_pattern *pattern, kim_arena *arena);

/* What holds the policy of a resource: an object's is its bucket's, an index's its table's. NULL: nothing
 * is known of it. */
const target *aws_target(const rules *r, const arn *resource);

#endif
