/* SPDX-License-Identifier: Apache-2.0
 *
 * who.h - the identity behind an event, and who stood behind that.
 *
 * Source: AWS CloudTrail User Guide, "CloudTrail userIdentity element".
 */
#ifndef AWS_USAGE_WHO_H
#define AWS_USAGE_WHO_H

#include "plugins/aws/usage/event.h"
#include "plugins/aws/usage/state.h"

enum { WHO_SCRATCH_BYTES = 12 * 1024 };

typedef struct who {
    kim_text identity;  /* as the records name it: a user's or role's ARN, a service ... */
    kim_text scope;     /* "aws:111122223333", "aws:d-..." */
    kim_text partition; /* "aws" */
    kim_text via;       /* absent: nobody */
    bool via_session;   /* via is the session of the role itself */
} who;

/* own_account: whose log it is where the event does not say; absent: not known. Texts are unescaped; in
 * the event, the state, or scratch. Returns NULL, or why the event cannot be laid at anyone's door, static. */
const char *who_of(const event *e, const usage_state *state, kim_text own_account, char scratch[WHO_SCRATCH_BYTES],
                   who *out);

bool who_is_account(kim_text text); /* 12 digits */

#endif
