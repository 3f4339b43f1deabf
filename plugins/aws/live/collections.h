/* SPDX-License-Identifier: Apache-2.0
 *
 * collections.h - everything that is asked of AWS, as a table: to collect one thing more is to add a row.
 */
#ifndef AWS_LIVE_COLLECTIONS_H
#define AWS_LIVE_COLLECTIONS_H

#include "plugins/aws/live/api.h"

/* row.flags */
enum {
    AWS_REGIONAL = 1,         /* asked in each region (rows below inherit where they are asked) */
    AWS_ORGANISATION = 2,     /* the same whichever account asks: the first that is answered counts */
    AWS_SILENT = 4,           /* only leads to the rows below; not a document for aws_normalise */
    AWS_BODY_IS_POLICY = 8,
    AWS_BUCKET = 16,          /* {0} is a bucket, {1} the region it is said to be in, or nothing */
    AWS_IF_LAST_ACCESSED = 32,/* only with the option last_accessed */
    AWS_NOT_EVERYWHERE = 128, /* a region where the service's name cannot be resolved has none of it */
    AWS_POLICY = 64,          /* the policy of `resource`: refused, it becomes a policy that is unread */
};

typedef struct aws_collection {
    const char *kind;   /* "iam:ListUsers": service, operation, and the kind of document that comes of it */
    const char *under;  /* the kind in whose answers stands what is asked about; NULL: asked once an account
                         * (or region). A kind under itself is a tree. */
    const char *items;  /* where in that answer: "Users", "OwnershipControls.Rules"; "": the answer itself */
    /* Each argument: a member of the item, "." the item itself, "^0" the asker's own argument 0, "=TEXT". */
    const char *args[AWS_ARGS];
    const char *form;                  /* api.h */
    const char *token_in, *token_out;  /* the page's token in request and answer; NULL: one page */
    const char *until;                 /* "State=COMPLETE": ask again until the answer says so */
    const char *part;                  /* coverage: what is not known where this is refused */
    const char *resource;              /* what this is about ({0} {p} {r} {a}): refused, only a part of the part
                                        * is unread; NULL: refused, all of it is */
    const char *action;                /* what to grant; NULL: as the kind */
    const char *none;                  /* codes that say there is none: "NoSuchTagSet" */
    unsigned flags;
} aws_collection;

/* [*count] */
const aws_collection *aws_collections(size_t *count);

#endif
