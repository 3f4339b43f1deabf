/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_forms.h - what AWS's actions are done to, by the forms of ARNs that the catalogue has.
 */
#ifndef KIM_AWS_FORMS_H
#define KIM_AWS_FORMS_H

#include "controller/evaluate/catalogue.h"

#include <kim/arena.h>

/* Is the action one that is done to such a resource (an ARN or a pattern)? What the catalogue does not tell may be. */
bool aws_may_be_done_to(const catalogue *cat, int32_t action, kim_text resource, kim_arena *scratch);

/* A resource that the action is done to, by one of its forms; absent where it has fewer, or without memory.
 *
 * form     from 0
 * account  whose it is
 */
kim_text aws_resource_of_form(const catalogue *cat, int32_t action, size_t form, kim_text account, kim_arena *arena);

#endif
