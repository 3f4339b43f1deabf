/* SPDX-License-Identifier: Apache-2.0
 *
 * walk.h - walks the table of collections for one account after the other.
 *
 * What becomes of an answer that is no answer, by its class:
 *   - there is none (the row's own codes), or it is gone since it was listed: nothing, and no error;
 *   - refused (403, and any other 4xx that asking again would not mend): a list becomes coverage,
 *     unreadable, with the reason and the action to grant; one resource's policy a policy that is
 *     unread; what else is refused of single things makes the part partial. The rest is read;
 *   - throttled, 5xx, cut off, no JSON or XML, a page's token that never ends: the run fails, for half a
 *     list is no list, and the last good snapshot stays;
 *   - the keys are refused (expired, unknown, badly signed): the run fails, for nothing can be read.
 */
#ifndef AWS_LIVE_WALK_H
#define AWS_LIVE_WALK_H

#include "plugins/aws/aws.h"
#include "plugins/aws/live/credentials.h"

enum {
    AWS_PAGES_MAX = 20000,       /* of one list: ten million users */
    AWS_SAME_PAGES_MAX = 50,     /* in a row and alike but for their token: AWS gives a few empty ones */
    AWS_TREE_MAX_DEPTH = 16,     /* organisational units nest five deep */
    AWS_POLLS_MAX = 300,         /* for a report that is being made, a second apart */
    AWS_REGIONS_MAX = 64,
};

/* An account that is read, and with which keys. */
typedef struct aws_session {
    const aws_plugin *self;
    const aws_api *api;
    const char *region;              /* where STS is asked */
    const struct aws_session *base;  /* whose keys assume `role`; NULL: the operator's own keys */
    aws_role role;
    aws_keys keys;
    char account[16];
} aws_session;

/* The session's keys, renewed where they end soon. NULL with err: those of credentials.h */
const aws_keys *aws_session_keys(aws_session *session, kim_error *err);

typedef struct aws_walk aws_walk;

/* Errors: KIM_ERR_NOMEM */
aws_walk *aws_walk_new(aws_plugin *self, const aws_api *api, aws_out *out, kim_error *err);
void aws_walk_free(aws_walk *walk); /* NULL is fine */

/* Asks all there is of one account in these regions, and puts it.
 * regions  [region_count] */
int aws_walk_account(aws_walk *walk, aws_session *session, const char *const *regions, size_t region_count, kim_error *err);
/* An account that cannot be entered: every part of it becomes unreadable. */
int aws_walk_closed(aws_walk *walk, const char *account, const char *why, kim_error *err);
/* After the last account: what nobody could read of the organisation. */
int aws_walk_end(aws_walk *walk, kim_error *err);

#endif
