/* SPDX-License-Identifier: Apache-2.0
 *
 * azure.h - what the files of Azure's engine share: one evaluator's scratch, and one decision's reach.
 */
#ifndef KIM_AZURE_H
#define KIM_AZURE_H

#include "controller/evaluate/azure_model.h"
#include "controller/evaluate/evaluator.h"

enum { AZURE_ACTIONS_MAX_BYTES = 64 * 1024 * 1024 }; /* of what is kept about actions; then it starts afresh */

/* How a subject is the caller: itself or a group that it is surely in, one that it may be in, one that it
 * could activate. */
typedef enum azure_reach { AZURE_NOT_REACHED, AZURE_COULD, AZURE_MAY, AZURE_IS } azure_reach;

/* Which permissions cover an action; looked up once for each. */
typedef struct azure_action {
    kim_text name;            /* lower case */
    azure_universe universe;
    uint64_t *known, *covers; /* bits by the permissions' numbers */
} azure_action;

/* A permission that had a say. */
typedef struct azure_say {
    const azure_assignment *assignment;
    const azure_permission *permission; /* NULL: the role could not be read */
    const term *when;
    const char *layer;
} azure_say;

typedef struct azure_state {
    const azure_model *m;
    kim_arena *kept;              /* the actions */
    text_map *action_ids;
    azure_action *actions;
    size_t action_capacity;
    uint32_t stamp;               /* of the decision at hand */
    uint32_t *subject_stamps, *place_stamps, *attribute_stamps;
    uint8_t *reach;               /* [subject], where stamped */
    uint32_t *reached;            /* [reached_count] subjects, the caller first */
    size_t reached_count;
    azure_attribute *attributes;  /* [key], where stamped */
    bool has_context;             /* the question's context was read */
    azure_say *says;
    size_t say_count, say_capacity;
    /* the decision at hand */
    evaluator *ev;
    const question *q;
    const azure_action *action;
    uint32_t chain[AZURE_CHAIN_MAX];
    size_t chain_count;
    uint32_t self;
    bool any_place;
    int64_t now_ms;
    bool has_now, asked_now;
    bool asks_patterns;           /* the action is a pattern, for all that it covers */
    bool failed;                  /* out of memory */
} azure_state;

void *azure_state_new(evaluator *ev, const void *compiled, kim_error *err);
void azure_state_free(void *state); /* NULL is fine */

int azure_decide(evaluator *ev, const question *q, answer *out, kim_error *err);
int azure_who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err);
int azure_what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err);
int azure_compare(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);
int azure_expand(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);

/* Begins a decision: who asks, and where. The action may be absent (q->action empty). */
bool azure_begin(azure_state *s, evaluator *ev, const question *q, azure_universe universe);
const azure_action *azure_action_of(azure_state *s, kim_text lower, azure_universe universe);
bool azure_covers(const azure_state *s, const azure_action *action, const azure_permission *p);
/* When an assignment's own condition and times hold, and a permission's condition. */
const term *azure_in_force(azure_state *s, const azure_assignment *a, const azure_permission *p);
bool azure_is_above(const azure_state *s, const azure_assignment *a);
/* When a deny's permission names the caller. */
const term *azure_names_caller(azure_state *s, const azure_permission *p);

#endif
