/* SPDX-License-Identifier: Apache-2.0
 *
 * analyse.h - granted against used: gaps, findings, and the policy that would close a gap.
 *
 * Pure: an estate, usage and a moment in; results out. Nothing here reads a clock or a store, so what
 * was found can be found again from its evidence.
 */
#ifndef KIM_ANALYSE_H
#define KIM_ANALYSE_H

#include "controller/estate/estate.h"

/* What an identity did with success, over the window. */
typedef struct used {
    kim_text action;
    kim_text resource; /* absent where the log does not say; "...*" where widened */
    bool widened;
    int64_t count, last_unix_ms;
} used;

typedef struct window {
    int64_t from_unix_ms, to_unix_ms; /* of the question: usage outside was not given */
} window;

typedef struct analyst analyst;
/* Holds a reference to the estate. NULL with err: KIM_ERR_NOMEM, KIM_ERR_NOT_FOUND no catalogue */
analyst *analyst_new(estate *es, window over, kim_error *err);
void analyst_free(analyst *a); /* NULL is fine */

/* ---- gaps ---- */

enum { ACTION_LEVELS = 5 }; /* list, read, write, tagging, permissions: catalogue_level's order */

typedef struct gap {
    size_t granted, used, unused; /* actions of the catalogue */
    size_t conditional;           /* of granted: only under a condition */
    size_t unseen;                /* of unused: the log cannot show them, so they may be used */
    size_t unused_by_level[ACTION_LEVELS];
    int64_t last_used_unix_ms;    /* 0: never in the window */
} gap;

/* used  [count], of this identity
 * Errors: KIM_ERR_NOT_FOUND, KIM_ERR_NOMEM */
int analyst_gap(analyst *a, kim_text identity, const used *items, size_t count, gap *out, kim_error *err);

/* ---- findings ---- */

typedef struct finding {
    const char *kind;     /* "administrator", "can_become_administrator", "wildcard_grant", "unused_identity",
                             "unused_credential", "password_without_second_factor" */
    const char *severity; /* "high", "medium", "low" */
    kim_text scope, identity, detail;
} finding;
typedef int finding_function(void *user, const finding *f);

/* used_identities  ids of those with any usage in the window, sorted by kim_text_compare; [count]
 * A nonzero result of the callback ends the walk and is returned. Errors: KIM_ERR_NOMEM: some may not have been found */
int analyst_findings(analyst *a, const kim_text *used_identities, size_t count, finding_function *found,
                     void *user, kim_error *err);

/* ---- proposals ---- */

/* One (action, resource) that stays though the log does not show just it used; "*" also for all but what its
 * statement's NotResource leaves out. */
typedef struct kept {
    kim_text action, resource, reason;
} kept;

typedef struct proposed_statement {
    bool denies;
    kim_texts actions, resources; /* sorted */
    kim_texts not_actions;        /* of a deny that is kept as it was */
    kim_texts not_resources;      /* of such a deny, or of a grant of all but these; resources are then absent */
    kim_text condition;           /* JSON of a Condition element; absent: none */
} proposed_statement;

typedef struct proposal {
    kim_text identity;
    window over;
    const proposed_statement *statements; /* [count] */
    size_t count;
    kim_texts replaces;       /* ids of the policies whose attachment it takes the place of */
    size_t granted, proposed; /* actions of the catalogue, before and after */
    size_t conditional;       /* of proposed: only under a condition */
    const kept *kept;
    size_t kept_count;
    size_t used_count;        /* (action, resource) replayed */
    size_t still_allowed;     /* of these, allowed (or under the same condition) as before */
    bool new_access;          /* something is allowed that was not: a defect, never applied */
    size_t needless;          /* elements whose removal would break nothing and that are not kept: a defect */
} proposal;

/* In arena. Errors: KIM_ERR_NOT_FOUND, KIM_ERR_NOMEM, KIM_ERR_CONFLICT: nothing of its own to reduce, no log of its
 * scope, or defined elsewhere */
const proposal *analyst_propose(analyst *a, kim_text identity, const used *items, size_t count,
                                kim_arena *arena, kim_error *err);

#endif
