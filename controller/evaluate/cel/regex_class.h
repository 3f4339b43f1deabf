/* SPDX-License-Identifier: Apache-2.0
 *
 * regex_class.h - sets of code points.
 */
#ifndef KIM_CEL_REGEX_CLASS_H
#define KIM_CEL_REGEX_CLASS_H

#include <kim/text.h>

enum { LAST_CODE_POINT = 0x10ffff };

typedef struct code_range {
    uint32_t low, high;
} code_range;

/* Being made: in any order, overlapping. Once settled: sorted and apart. */
typedef struct code_class {
    code_range *ranges;
    size_t count, capacity;
    kim_arena *arena;
    bool failed; /* no memory */
} code_class;

void class_add(code_class *c, uint32_t low, uint32_t high);
/* With all that is the same but for its case. */
void class_add_folded(code_class *c, uint32_t low, uint32_t high);
/* All of another class, or all that is not in it; `from` is settled by it. */
void class_add_class(code_class *c, code_class *from, bool negated);
void class_settle(code_class *c);
void class_negate(code_class *c); /* settles it too */
bool class_holds(const code_class *c, uint32_t code_point); /* of a settled one */

/* Adds what \p{NAME} holds; false: no property has that name. */
bool class_add_property(code_class *c, kim_text name, bool folded);

#endif
