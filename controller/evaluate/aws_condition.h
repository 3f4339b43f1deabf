/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_condition.h - the Condition element of AWS policies: compiled once, decided many times.
 *
 * Source: AWS IAM User Guide, "IAM JSON policy elements: Condition operators", "Conditions with multiple
 * context keys or values", "Single-valued vs. multivalued context keys".
 */
#ifndef KIM_AWS_CONDITION_H
#define KIM_AWS_CONDITION_H

#include "controller/evaluate/arn.h"
#include "controller/evaluate/terms.h"

typedef struct aws_condition aws_condition;

/* Compiles the JSON text of a Condition element.
 *
 * has_variables  the document's version is 2012-10-17
 * number         by which contexts remember what was decided: each of an estate's conditions has its own
 * Errors: KIM_ERR_INPUT with the operator or the value that is wrong, KIM_ERR_NOMEM
 */
const aws_condition *aws_condition_compile(kim_text json, bool has_variables, uint32_t number, key_table *keys,
                                           kim_arena *arena, kim_error *err);

/* True, false, or what it depends on; NULL only without memory. All of a condition's tests must hold.
 *
 * c        remembers the result for as long as its stamp stays, where it has room for that
 * scratch  where terms and filled variables live
 */
const term *aws_condition_decide(const aws_condition *condition, context *c, kim_arena *scratch);

/* Does it look at one of these keys, in a test or in a variable? marked: [key_table_count] */
bool aws_condition_looks_at(const aws_condition *condition, const bool *marked);

/* ---- the condition's tests one by one, for those who compare documents ---- */

typedef struct aws_test {
    uint32_t key;
    kim_text key_text;
    const char *op;       /* without its quantifier and IfExists: "StringEquals" */
    bool is_set;          /* ForAllValues or ForAnyValue */
    kim_texts values;     /* as written */
    const struct test *compiled;
} aws_test;

size_t aws_condition_count(const aws_condition *condition);
aws_test aws_condition_test(const aws_condition *condition, size_t index);
/* A value of the Numeric and Date operators (of these in milliseconds); NAN: unreadable. */
double aws_test_number(const aws_test *t, size_t value);
/* A value's variables: without parts where it has none, or its operator or document takes none. */
const template *aws_test_template(const aws_test *t, size_t value);

#endif
