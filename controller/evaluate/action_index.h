/* SPDX-License-Identifier: Apache-2.0
 *
 * action_index.h - from an action to the rules that speak about it.
 *
 * Each action that is asked about gets one bit a rule, made once: the patterns are matched (they are
 * few, since policies repeat them), and each rule looks up its own. A decision then touches only rules
 * whose bit is set. No answer is kept, only which rules name which action.
 */
#ifndef KIM_ACTION_INDEX_H
#define KIM_ACTION_INDEX_H

#include "controller/evaluate/rules.h"

typedef struct action_index action_index;

enum { ACTION_INDEX_MAX_BYTES = 64 * 1024 * 1024 }; /* then it starts afresh */

action_index *action_index_new(const rules *r); /* NULL without memory */
void action_index_free(action_index *index);    /* NULL is fine */

/* The bits of the rules whose Action or NotAction element covers the action; [rules_count / 64 + 1].
 * Borrowed until the next call. NULL without memory.
 *
 * action  in lower case */
const uint64_t *action_index_rules(action_index *index, kim_text action);

#endif
