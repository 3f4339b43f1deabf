/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_context.h - condition keys that follow from who asks and for what.
 *
 * Source: AWS IAM User Guide, "AWS global condition context keys". Keys of the principal and of the
 * resource are known wherever the estate knows these; all others are the request's own.
 */
#ifndef KIM_AWS_CONTEXT_H
#define KIM_AWS_CONTEXT_H

#include "controller/evaluate/aws_account.h"
#include "controller/evaluate/aws_caller.h"

typedef struct aws_request {
    evaluator *ev;
    const question *q;
    caller caller;
    arn resource;
    const account *caller_account;   /* NULL: none */
    const account *resource_account; /* NULL: not known */
    bool is_foreign;                 /* it is surely not the caller's account */
    const target *target;            /* what hangs on the resource; NULL: nothing is known */
} aws_request;

/* How each key of the rules follows from who asks and for what: evaluator.derivations. 0: it does not. */
void aws_context_sort(const key_table *keys, uint8_t *derivations);

/* Makes the evaluator's context answer for this request, which must outlive its use. */
void aws_context_start(aws_request *request);

#endif
