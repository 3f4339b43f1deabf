/* SPDX-License-Identifier: Apache-2.0
 *
 * target.h - the resources that an event was about, as ARNs that a policy would name.
 *
 * The event's own `resources` count first, where one is of the action's service and shape; then a
 * table of requestParameters. Where a call needs several resources and the event shows only some, none is
 * given: a policy narrowed to a part would break the call. A call about a list has a target for each.
 */
#ifndef AWS_USAGE_TARGET_H
#define AWS_USAGE_TARGET_H

#include "plugins/aws/usage/action.h"
#include "plugins/aws/usage/event.h"

enum {
    TARGET_MAX = 64,        /* of one event; past it the last is widened to its kind */
    TARGET_MAX_BYTES = 2048,/* of one ARN: KIM_ID_MAX_BYTES */
};

typedef struct target {
    kim_text arn;   /* unescaped; good until the next targets_find */
    bool widened;   /* ends in '*' for what the event does not say: the key of a DeleteObjects */
} target;

typedef struct target_list {
    target items[TARGET_MAX];
    size_t count;
    char text[16 * 1024]; /* of what had to be built */
    size_t used;
} target_list;

/* Notes in an action how its targets are found: once, when it is resolved. */
void targets_prepare(action *a);

/* account: where the resource is, 12 digits; partition: "aws".
 * Fills list; count 0 where the event does not say, and where no single resource would do for a policy. */
void targets_find(const event *e, const action *a, kim_text account, kim_text partition,
                  target_list *list);
/* The nth target of a further action of the same call; false where the event does not say. */
bool target_also(const event *e, const action_also *also, size_t nth, kim_text partition, target_list *list,
                 target *out);

/* For the test of the table: the actions and the template of row i; false after the last. */
bool target_table_row(size_t i, const char **prefix, const char **actions, const char **form);

#endif
