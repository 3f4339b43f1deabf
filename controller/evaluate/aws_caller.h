/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_caller.h - who asks, in AWS's terms, and whether a policy's principals mean this caller.
 *
 * Source: AWS IAM User Guide, "AWS JSON policy elements: Principal" and "NotPrincipal".
 */
#ifndef KIM_AWS_CALLER_H
#define KIM_AWS_CALLER_H

#include "controller/evaluate/evaluator.h"

typedef enum caller_kind {
    CALLER_USER, CALLER_ROLE, CALLER_SESSION, CALLER_FEDERATED_USER, CALLER_ROOT,
    CALLER_SERVICE, CALLER_ANONYMOUS, CALLER_IDP,
} caller_kind;

typedef struct caller {
    caller_kind kind;
    kim_text text;         /* as the question names it; of an account id, its root's ARN */
    kim_text account;      /* absent: a service, anyone, an identity provider's user */
    kim_text name;         /* of a role (for its session too) or a user, without path */
    kim_text session;      /* of a session */
    kim_text role_arn;     /* of a role or session, where it is known */
    const holder *holder;  /* what hangs on it; NULL: nothing is known */
    bool is_service_linked;
    bool discover;         /* a role stands for any session of it */
    bool is_anyone;        /* an account's root that stands for whoever is in the account */
} caller;

/* Errors: KIM_ERR_INPUT  the text names no AWS principal */
int caller_read(evaluator *ev, const question *q, caller *out, kim_error *err);
/* The same for one whose holder is known; false where it is a HOLDER_OTHER. */
bool caller_of_holder(const question *q, const holder *h, caller *out);

/* How firmly a resource's policy names the caller: decides which ceilings its allow is subject to. */
typedef enum grade {
    GRADE_NONE,     /* not this caller */
    GRADE_ACCOUNT,  /* its account: a delegation, the identity's own policies must allow as well */
    GRADE_ROLE,     /* the role of the session: boundary and session policies still bind */
    GRADE_EVERYONE, /* "*" */
    GRADE_NAMED,    /* the user, the session, the service itself */
} grade;

enum { GRADES = GRADE_NAMED + 1 };

/* Fills, for each grade, when the rule names the caller so: true, false, or what it depends on (a
 * session's name). False where no grade can hold. A rule without a Principal names nobody. */
bool caller_named(const caller *c, const rule *one, kim_arena *scratch, const term *named[GRADES]);

#endif
