/* SPDX-License-Identifier: Apache-2.0
 *
 * rules_parts.h - what rules.c and rules_change.c share.
 */
#ifndef KIM_RULES_PARTS_H
#define KIM_RULES_PARTS_H

#include "controller/evaluate/rules.h"

struct rules {
    estate *es; /* borrowed: the estate owns its rules */
    kim_arena *arena;
    key_table *keys;
    text_map *patterns;
    text_map *resource_texts, *condition_texts; /* with a letter before them: have they variables? */
    const arn_pattern **resources;              /* by the numbers of resource_texts */
    const aws_condition **conditions;
    size_t resource_room, condition_room;
    rule *all;
    size_t count;
    policy_rules *policies; /* [policy_count], by scope and id */
    text_map *policy_names; /* "SCOPE\nID", then one number each */
    text_map *policy_ids;   /* ID to the first of that id */
    uint32_t *first_of_id;
    text_map *missing_ids;  /* policies that are attached, and of which nothing came */
    const policy_rules **missing;
    size_t missing_room;
    text_map *holder_ids, *level_ids, *target_ids, *account_ids;
    holder *holders;
    level *levels;
    target *targets;
    uint32_t *roles;        /* [role_slots] an open hash of roles by account and name: a holder's number + 1 */
    size_t role_slots;
    text_map *set_texts;    /* the policies of a set, as bytes of their addresses */
    policy_set *sets;       /* [set_room] by the numbers of set_texts */
    size_t set_room;
    uint32_t *set_starts;   /* [policies + 1] into set_members: the sets that a policy is in, by its number */
    uint32_t *set_members;
    bool *changed_sets;     /* [rules_sets] those with a changed policy; NULL: compiled anew */
    bool has_endpoints, has_objects;
    kim_text first_unread;
};

/* Compiles a statement into r->all, of which `out` is a place. -1 without memory. */
int rules_compile_one(rules *r, const policy_rules *policy, const kim_statement *s, rule *out);
/* The rules of so many statements, aligned. NULL without memory. */
rule *rules_room(kim_arena *arena, size_t count);
/* Sets all of a set but its number. False without memory. */
bool rules_fill_set(rules *r, const policy_rules *const *items, size_t count, policy_set *set);
/* The number of a policy that has one; UINT32_MAX: it has none. scratch: for its name */
uint32_t rules_policy_number(const rules *r, kim_text scope, kim_text id, kim_arena *scratch);

#endif
