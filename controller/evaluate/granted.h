/* SPDX-License-Identifier: Apache-2.0
 *
 * granted.h - what the evaluator remembers of action sets; private to AWS's part of it.
 */
#ifndef KIM_GRANTED_H
#define KIM_GRANTED_H

typedef struct effects effects;
void effects_free(effects *e); /* NULL is fine */

#endif
