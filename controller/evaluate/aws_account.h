/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_account.h - an account's place in its organisation, and what of it was read.
 */
#ifndef KIM_AWS_ACCOUNT_H
#define KIM_AWS_ACCOUNT_H

#include "controller/evaluate/evaluator.h"

struct account {
    kim_text id;              /* 12 digits */
    const kim_record *scope;  /* NULL: not in the estate */
    const level *chain[KIM_SCOPE_MAX_DEPTH]; /* [depth] the root first, the account last */
    size_t depth;
    kim_text organization;    /* "o-..."; absent: none known */
    bool is_management;       /* guardrails of the organisation do not bind it */
    bool has_scp, has_rcp;    /* the organisation uses them */
    bool is_read;             /* its identities and their policies are in the estate */
    bool is_strange;          /* nothing of it is in the estate but, at most, its place */
    bool organization_unread; /* its place or its guardrails could not be read */
};

/* The organisations that the account is surely none of ("o-1"), since all their members are in the estate;
 * absent: none is known. with_slash: as paths begin ("o-1/"). Lives in arena. */
kim_texts account_strange_organizations(const evaluator *ev, const account *a, bool with_slash, kim_arena *arena);

/* Kept by the evaluator. NULL only without memory. */
const account *account_of(evaluator *ev, kim_text id);
/* The same by what was read off an identity's ARN, of one that is no HOLDER_OTHER. */
const account *account_of_holder(evaluator *ev, const holder *h);

/* Does a coverage record say that this part of the account ("s3:bucket-policy"), or of this one resource,
 * could not be read, or not all of it? What no record speaks of was not asked for, and counts as empty:
 * an export of identities alone still answers. */
bool account_part_is_unread(const evaluator *ev, const account *a, kim_text part, kim_text resource);
/* Was this part of the account read, as far as a coverage record says? */
bool account_part_is_read(const evaluator *ev, const account *a, kim_text part);
/* Was this part read in any account? */
bool part_was_read(const evaluator *ev, kim_text part);

#endif
