/* SPDX-License-Identifier: Apache-2.0
 *
 * asking.h - an expression's value as text, for the tests of CEL.
 */
#ifndef KIM_TESTS_CEL_ASKING_H
#define KIM_TESTS_CEL_ASKING_H

#include "tests/support/cmocka.h"

#include "controller/evaluate/cel.h"

/* As doc/kim-evaluate.7 writes an answer: {"value":{"int":1}}, {"error":"..."}, {"unknown":[...],"residual":"..."}.
 * bindings  an object of values, and `unknown` a list, as JSON; NULL: none. Valid until the next call. */
const char *answer_of(const char *expression, const char *bindings, const char *unknown);

/* Both sides as JSON: assert_value("1 + 1", "{\"int\":2}"). */
void assert_value(const char *expression, const char *value);
void assert_value_with(const char *bindings, const char *expression, const char *value);
void assert_true_of(const char *expression);
void assert_false_of(const char *expression);
void assert_fails(const char *expression, const char *why); /* its error contains why */
/* Of what nobody knows, these names are asked for, and this is left. */
void assert_left(const char *bindings, const char *unknown, const char *expression, const char *names, const char *residual);

int stop_asking(void **state); /* a group's teardown */

#endif
