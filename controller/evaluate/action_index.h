/* SPDX-License-Identifier: Apache-2.0
 *
 * action_index.h - from an action to the rules that speak about it, and to what AWS says of it.
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

/* What is known of an action once it was asked about. */
typedef struct asked_action {
    bool is_one;            /* SERVICE:ACTION, without wildcards */
    bool takes_no_resource; /* matched by Resource "*" alone */
    bool takes_rcp;         /* resource control policies apply to its service */
    bool assumes;           /* a role: its trust policy must allow */
    bool is_kms;
    bool is_assume_role, is_whoami; /* sts:AssumeRole, sts:GetCallerIdentity */
    bool is_bucket_policy;  /* reads, sets or ends a bucket's policy */
    kim_text lower;
    const uint64_t *rules;  /* [rules_count / 64 + 1] a bit for each rule whose Action or NotAction element covers it */
} asked_action;

/* cat  AWS's; NULL: none is installed. NULL without memory. */
action_index *action_index_new(const rules *r, const catalogue *cat);
void action_index_free(action_index *index);    /* NULL is fine */

/* Borrowed until action_index_trim. NULL without memory.
 *
 * action  in any case */
const asked_action *action_index_find(action_index *index, kim_text action);
/* Between two decisions: ends what was found where it has grown too large. False without memory. */
bool action_index_trim(action_index *index);

#endif
