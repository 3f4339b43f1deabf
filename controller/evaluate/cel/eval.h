/* SPDX-License-Identifier: Apache-2.0
 *
 * eval.h - one node evaluated, for what walks the tree beside the evaluator.
 */
#ifndef KIM_CEL_EVAL_H
#define KIM_CEL_EVAL_H

#include "controller/evaluate/cel/syntax.h"
#include "controller/evaluate/cel/value.h"

cel_value evaluate(evaluation *e, const cel_node *n);
/* Ready to evaluate a program. False, broken off, without memory. */
bool begin_evaluation(evaluation *e, const cel_program *program, const cel_scope *scope, kim_arena *arena, kim_error *err);
/* Is all of it, lists and maps unfolded, within CEL_MAX_RESULT_VALUES? */
bool is_small_enough(cel_value v);

#endif
