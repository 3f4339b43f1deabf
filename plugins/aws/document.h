/* SPDX-License-Identifier: Apache-2.0
 *
 * document.h - one policy document to its policy and statement records.
 *
 * Pure translation: every element is kept as written, a single value as a list of one. What cannot be
 * understood is named in `unread` of the statement or the policy, so that an answer which rests on it
 * is `unknown` and not wrong.
 *
 * Source: IAM User Guide, "IAM JSON policy element reference" and "Grammar of the IAM JSON policy
 * language" (names of elements and the values of Effect are exact; quotation marks are optional for
 * numbers and booleans; no element may stand twice).
 */
#ifndef AWS_DOCUMENT_H
#define AWS_DOCUMENT_H

#include "plugins/aws/out.h"

/* What is known of the policy beside its document. */
typedef struct aws_policy {
    kim_text scope, id, name;
    kim_text kind;     /* "managed", "inline", "trust", "resource", "scp", "rcp", ... */
    kim_text revision; /* "v3"; absent where there are none */
    bool provider_managed;
} aws_policy;

/* Puts the policy record and a record for each statement.
 *
 * document  the object; or a string that holds its JSON text, as it is or URL-encoded (RFC 3986, as
 *           IAM's API gives it). Anything else gives a policy with `unread` and no statements.
 * Errors: those of aws_put. A document that cannot be read is not an error.
 */
int aws_document_put(aws_out *out, const aws_policy *as, const kim_json *document, kim_error *err);
/* A policy whose document is known to be there but could not be had. */
int aws_document_put_unread(aws_out *out, const aws_policy *as, kim_text why, kim_error *err);

/* Percent-decodes a text (RFC 3986: '+' stays); what is no escape stays as it is. */
kim_text aws_percent_decoded(kim_arena *arena, kim_text text);

/* Calls back for each principal of an Allow statement whose actions may assume a role, of a trust
 * policy: what edges are made of. `principal` as in a statement's subjects ("AWS:arn..."). */
typedef int aws_trust_function(void *context, kim_text principal, kim_text via, kim_condition condition, kim_error *err);
int aws_document_each_trust(aws_out *out, const kim_json *document, aws_trust_function *function, void *context, kim_error *err);

#endif
