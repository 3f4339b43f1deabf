/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.h - why an answer is as it is: statements, memberships and scopes, in words.
 */
#ifndef KIM_EXPLAIN_H
#define KIM_EXPLAIN_H

#include "controller/evaluate/evaluate.h"

enum {
    EXPLAIN_WAYS_MAX = 8,  /* of a policy's attachments that reach the asker, so many are told */
    EXPLAIN_LIST_MAX = 6,  /* of a statement's actions and resources */
    EXPLAIN_STEPS_MAX = 64,
};

/* Asks, and says why. The sentences stand in the order in which they are to be read; those that tell more of
 * the one before begin with two spaces. out and the sentences live in the evaluator, until its next question.
 *
 * Errors: evaluate_can's */
int evaluate_explain(evaluator *ev, const question *q, answer *out, kim_texts *sentences, kim_error *err);

#endif
