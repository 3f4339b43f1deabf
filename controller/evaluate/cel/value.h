/* SPDX-License-Identifier: Apache-2.0
 *
 * value.h - values compared, and what an evaluation carries along.
 */
#ifndef KIM_CEL_VALUE_H
#define KIM_CEL_VALUE_H

#include "controller/evaluate/cel.h"

/* One evaluation. Once it is broken (a limit, no memory) every step gives an error and nothing more is done. */
typedef struct evaluation {
    const cel_scope *scope;
    kim_arena *arena;
    cel_value *locals; /* of the macros around, by slot */
    const struct regex *pattern; /* of the call that is being made, where it is a constant */
    size_t steps;
    bool broken;
    kim_error *err;
} evaluation;

/* Counts work; false once there is too much. */
bool spend(evaluation *e, size_t steps);
/* Breaks it off: an error that nothing absorbs. */
cel_value break_off(evaluation *e, kim_code code, const char *message);

/* An error that is the same for all: no memory is needed. */
cel_value fault(const char *message);
cel_value no_such_overload(void);
bool is_bad(cel_value v); /* error or unknown */
cel_value merge_unknowns(evaluation *e, cel_value a, cel_value b); /* either may be something else: then the other */

/* "int", "google.protobuf.Timestamp" ... */
const char *type_name(cel_type type);
/* The type of that name; false: there is none. */
bool type_of_name(kim_text name, cel_value *out);

/* Whatever their types: numbers by value, all else only within one type; NaN is unequal to all. */
bool equal(evaluation *e, cel_value a, cel_value b);
/* True with *order -1, 0 or 1; false: these have no order. */
bool compare(cel_value a, cel_value b, int *order);
bool same_key(evaluation *e, cel_value a, cel_value b); /* in one map: a later entry takes the place of the other */
const cel_value *find_in_map(evaluation *e, cel_value map, cel_value key);
/* The integer that a number surely is. */
bool lossless_int(cel_value v, int64_t *out);
/* For messages: as cel-go prints a value. */
kim_text shown(evaluation *e, cel_value v);

#endif
