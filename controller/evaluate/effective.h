/* SPDX-License-Identifier: Apache-2.0
 *
 * effective.h - all that an identity may do, said briefly: what is granted alike is one grant.
 */
#ifndef KIM_EFFECTIVE_H
#define KIM_EFFECTIVE_H

#include "controller/evaluate/evaluate.h"

/* Actions that the same statements grant on the same resource, under the same conditions. */
typedef struct effective_grant {
    kim_text provider;     /* "aws", or a profile's id */
    kim_text identity;
    kim_texts actions;     /* each once; "s3:*" stands for all that the catalogue has of a service, "*" for all it has,
                              less not_actions */
    kim_texts not_actions; /* patterns that are taken from them */
    kim_text resource;     /* a pattern; absent: whatever */
    const kim_json *answer; /* what answer_write writes: decision, reason, because, if, unread */
    kim_text mark;         /* as `mark` gave it */
} effective_grant;

/* Calls back for each grant of q->identity, in the order of resources, then of actions. q->action is ignored;
 * q->resource absent: any. What is handed over ends with the call. A nonzero result ends the walk and
 * is returned. Errors: evaluate_what_can's */
typedef int effective_function(void *context, const effective_grant *grant);
int evaluate_effective(evaluator *ev, const question *q, effective_function *found, void *user, kim_error *err);

/* The same, of some rows alone: `mark` is shown each row and its answer, and gives a text that lives until the next
 * row; rows with different ones are never one grant. Absent: the row is left out; or, with err set, the end. */
typedef kim_text effective_mark(void *user, const grant *what, const answer *a, kim_error *err);
int evaluate_effective_marked(evaluator *ev, const question *q, effective_mark *mark, effective_function *found, void *user,
                              kim_error *err);

#endif
