/* SPDX-License-Identifier: Apache-2.0
 *
 * read.h - what the readers of AWS's answers share, and the rows by which they are found.
 */
#ifndef AWS_READ_H
#define AWS_READ_H

#include "plugins/aws/document.h"
#include "plugins/aws/normalise.h"

/* One answer while it is read. */
typedef struct aws_reading {
    aws_out *out;
    const aws_context *context;
    const char *kind;      /* "iam:ListUsers" */
    kim_text document;     /* the answer's text */
    const char *origin;    /* for messages: the context's, and where in the document */
    kim_arena *keep;       /* lasts until the whole answer is read; out->arena only for an element */
    kim_text account;      /* whose answer it is; absent: not known (yet) */
    kim_text scope;        /* "aws:" and the account */
    kim_text *accounts;    /* [account_count]: of which it spoke so far; their scope records were put */
    size_t account_count, account_room;
    kim_error *err;
} aws_reading;

/* Reads an element of the row's list, or the whole document. 0, or -1 with r->err: KIM_ERR_CONFLICT
 * where something must be known that is not, and what ends the run. */
typedef int aws_reader(aws_reading *r, const kim_json *value);

typedef struct aws_row {
    const char *kind;    /* "iam:ListUsers": the service as in an endpoint's name, and the operation */
    const char *shape;   /* of the document: split.h; NULL: only a name tells */
    const char *list;    /* the member whose elements are read one by one; NULL: the whole document;
                            AWS_UNPARSED: the reader cuts r->document itself, and is given NULL */
    aws_reader *read;    /* NULL: nothing in it is of use to kim */
    const char *subject; /* what context.subject is, for live/ and for file names; NULL: not needed */
    const char *part;    /* of coverage: "iam" */
} aws_row;

#define AWS_UNPARSED ""

/* In the order in which files are read; each ends with a row without a kind. */
extern const aws_row aws_rows_iam[], aws_rows_organizations[], aws_rows_resources[],
    aws_rows_listings[], aws_rows_identity_center[], aws_rows_iot[], aws_rows_collected[];

/* ---- for readers ---- */

/* Whose answer it is, from now on: the account of this ARN, else the context's. Puts the account's scope
 * and profile, once. -1 with KIM_ERR_CONFLICT where neither tells. */
int aws_read_account(aws_reading *r, kim_text arn);
/* The same for an account by its id. */
int aws_read_account_id(aws_reading *r, kim_text account);
/* What could not be read of a part of r->scope: logged, and coverage. resource absent: some of the part. */
int aws_read_skip(aws_reading *r, const char *part, kim_text resource, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The part, or one resource of it, was read. */
int aws_read_covered(aws_reading *r, const char *part, kim_text resource);
/* What was asked about: the first of these members that is there (NULL-ended), else context.subject. */
kim_text aws_read_subject(aws_reading *r, const kim_json *document, const char *member, ...)
    __attribute__((sentinel));
/* KIM_ERR_CONFLICT: what must be told, and how. */
int aws_read_untold(aws_reading *r, const char *what);

kim_text aws_read_partition(const aws_reading *r);
/* arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE, in out->arena. */
kim_text aws_read_arn(aws_reading *r, const char *service, kim_text region, kim_text account, kim_text resource);

/* https://sqs.eu-west-1.amazonaws.com/111122223333/NAME as an ARN; absent for all else. */
kim_text aws_queue_of_url(aws_reading *r, kim_text url);

/* Puts a record of r->scope. */
int aws_read_put(aws_reading *r, kim_record *record);
/* Puts a resource for each of a list of names alone, of the context's account and region: "dynamodb", "table"
 * gives arn:aws:dynamodb:REGION:ACCOUNT:table/NAME of the type dynamodb:table. */
int aws_read_names(aws_reading *r, const kim_json *names, const char *service, const char *kind);
int aws_read_attach(aws_reading *r, kim_text policy, const char *layer, kim_text subject, kim_text resource);
/* A policy's document, inline or as a string. */
int aws_read_document(aws_reading *r, kim_text id, kim_text name, const char *kind, const kim_json *document);
/* The resource and the policy that hangs on it ("RESOURCE/policy"); document NULL: it has none. */
int aws_read_resource_policy(aws_reading *r, kim_text arn, const kim_json *document);

/* ---- notes: what can be said only once everything was read ---- */

typedef enum aws_note_kind {
    AWS_NOTE_PAGE = 1,     /* a: kind, b: subject; number: 1 where a further page must follow, 0 for the last */
    AWS_NOTE_MEMBER,       /* a: user's name or ARN, b: group's name or ARN */
    AWS_NOTE_ATTACHED,     /* a: owner's name, b: "user", "role" or "group"; c: the policy's ARN */
    AWS_NOTE_INLINE,       /* a: owner's name, b: its kind; c: the policy's name; d: the document's JSON */
    AWS_NOTE_CREDENTIAL,   /* a: user's name; credential */
    AWS_NOTE_KEY_USED,     /* a: the access key's id; credential: last used, facts */
    AWS_NOTE_REPORTED_KEY, /* credential: an access key as the credential report has it, without its id */
    AWS_NOTE_ACL,          /* a: the bucket's ARN; c: a document in the policy language that says the same */
    AWS_NOTE_ASSIGNMENT,   /* a: who (identity store id), b: account; c: the permission set's ARN */
} aws_note_kind;

typedef struct aws_note {
    aws_note_kind kind;
    kim_text scope, a, b, c, d;
    int64_t number;
    kim_credential credential;
    const struct aws_note *next;
} aws_note;

/* Copies the note. */
int aws_out_note(aws_out *out, const aws_note *note, kim_error *err);
/* The notes so far, in no order that matters. */
const aws_note *aws_out_notes(const aws_out *out);

#endif
