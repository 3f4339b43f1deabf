/* SPDX-License-Identifier: Apache-2.0
 *
 * diff.h - two estates: who gained what, and who lost it.
 */
#ifndef KIM_DIFF_H
#define KIM_DIFF_H

#include "controller/evaluate/effective.h"

typedef enum diff_kind {
    DIFF_GAINED,   /* after it is allowed, or may be, where before it was less so */
    DIFF_LOST,
    DIFF_CHANGED,  /* allowed under a condition on both sides, another one now; or unknown for another reason */
} diff_kind;

typedef struct difference {
    diff_kind kind;
    const effective_grant *grant; /* of DIFF_LOST as it was before, else as it is after; its actions all differ alike */
    verdict before, after;
    kim_text known; /* "before" or "after": the identity is known there alone; absent: in both */
} difference;

/* Calls back for each difference, in the order of the identities' ids; groups count through their members. Two
 * ways to write the same policy are no difference: each grant of one side is asked of the other. What is handed
 * over ends with the call. A nonzero result ends the walk and is returned.
 *
 * Cost: identities for whom no record changed, nor anything that holds for all, are not asked about.
 * Errors: evaluate_what_can's */
typedef int diff_function(void *user, const difference *one);
int estate_diff(evaluator *before, evaluator *after, diff_function *found, void *user, kim_error *err);

const char *diff_kind_name(diff_kind kind); /* "gained", "lost", "changed" */

#endif
