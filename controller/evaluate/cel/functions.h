/* SPDX-License-Identifier: Apache-2.0
 *
 * functions.h - CEL's operators and standard functions, a row each.
 */
#ifndef KIM_CEL_FUNCTIONS_H
#define KIM_CEL_FUNCTIONS_H

#include "controller/evaluate/cel/syntax.h"
#include "controller/evaluate/cel/value.h"

/* In which order errors and unknowns among the arguments count. */
typedef enum strictness {
    STRICT_ONE,      /* one argument */
    STRICT_TWO,      /* an unknown first argument hides an error of the second */
    STRICT_ANY,      /* an error hides all before it that is unknown */
    STRICT_EQUALITY, /* an error of either hides an unknown */
} strictness;

struct builtin {
    const char *name;
    strictness strictness;
    uint8_t count; /* of arguments; 0: any number is found out at evaluation */
    cel_value (*call)(evaluation *e, const cel_value *arguments, size_t count);
};

const builtin *builtin_find(kim_text name); /* NULL: no such function */

#endif
