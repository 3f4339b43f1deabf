/* SPDX-License-Identifier: Apache-2.0
 *
 * inclusion.h - what the texts of two policies show at once: that one surely allows no more than the other.
 */
#ifndef KIM_INCLUSION_H
#define KIM_INCLUSION_H

#include "controller/evaluate/rules.h"

/* Does `wide` allow all that `narrow` does, as their statements alone show: each allow of `narrow` stands in
 * `wide`, and each deny of `wide` in `narrow`? The order of statements and elements, and how actions are
 * spread over statements that are otherwise the same, make no difference. False: it may be so all the same.
 * Either may be NULL, which allows nothing. */
bool policy_surely_includes(const policy_rules *wide, const policy_rules *narrow, kim_arena *arena);

#endif
