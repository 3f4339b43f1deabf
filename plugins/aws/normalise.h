/* SPDX-License-Identifier: Apache-2.0
 *
 * normalise.h - what AWS's APIs answer, to records: one table from the kind of answer to its reader.
 *
 * A kind is an API operation, "iam:GetAccountAuthorizationDetails", and its JSON is what the AWS CLI
 * prints for it (one page, or all pages merged). Files and live collection both come here: live/ asks
 * the API, brings the answer into that shape, and says in the context what it asked about.
 */
#ifndef AWS_NORMALISE_H
#define AWS_NORMALISE_H

#include "plugins/aws/out.h"

/* What the answer itself may not say. Absent: not known. */
typedef struct aws_context {
    kim_text account;      /* "111122223333": whose answer it is */
    kim_text region;       /* "eu-west-1" */
    kim_text partition;    /* absent: "aws" */
    kim_text organization; /* "o-1" */
    kim_text subject;      /* what was asked about, as the call names it: a bucket, a user's name, a key's
                              id or ARN, a queue's URL, a policy's ARN, a parent's or target's id, an
                              identity store's id ... the table in normalise.c says which */
    kim_text subject2;     /* the second, where the call takes two: a policy's name of GetUserPolicy, the
                              policy type of ListPoliciesForTarget, the permission set's ARN (subject is
                              the instance's then) */
    kim_text origin;       /* for messages: a path, "iam:ListUsers page 2" */
} aws_context;

/* Puts the records of one answer. What of it cannot be read becomes coverage or `unread`, and is logged;
 * the rest is put.
 *
 * kind  a row of the table; "" or NULL: recognise it from the document itself
 * json  the answer's text; several one after another are taken as pages
 * Errors: KIM_ERR_NOT_FOUND  a kind that has no row, or a document that nothing recognises
 *         KIM_ERR_CONFLICT   the account (or what was asked about) is needed and not known: the message
 *                            says what to give; nothing was put
 *         KIM_ERR_INPUT      no JSON at all
 *         and those of aws_put
 */
int aws_normalise(aws_out *out, const char *kind, const aws_context *context, kim_text json, kim_error *err);

/* The kind a document is, "iam:ListUsers", from its name ("iam/list-users.json",
 * "get-bucket-policy__my-bucket.json") and its first bytes; NULL where nothing matches. */
const char *aws_recognise_kind(kim_text name, kim_text head);

/* Where a kind stands in the order in which documents are best read (whose names others refer to first). */
size_t aws_kind_rank(const char *kind);
/* What a file's name says was asked about: "my-bucket" of "s3/get-bucket-policy__my-bucket.json" or of
 * "get-bucket-policy/my-bucket.json", and behind a second "__" the second. '%2F' and the like are decoded. */
void aws_subjects_of_name(kim_arena *arena, kim_text name, const char *kind, aws_context *context);

/* Ends a collection before aws_out_flush: fits together what no single document knows (accounts of
 * the organisation that nobody read, access keys of the credential report). */
int aws_normalise_end(aws_out *out, kim_error *err);

#endif
