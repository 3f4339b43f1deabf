/* SPDX-License-Identifier: Apache-2.0
 *
 * arn.h - the parts of an Amazon resource name, and what they tell.
 */
#ifndef AWS_ARN_H
#define AWS_ARN_H

#include <kim/text.h>

/* Pieces of the text it was split from; a part that is left out is empty, never absent. */
typedef struct aws_arn {
    kim_text partition; /* "aws", "aws-cn", "aws-us-gov" */
    kim_text service;   /* "s3" */
    kim_text region, account;
    kim_text resource;  /* "user/ops/ann", "key/1234", "my-bucket/a/b" */
} aws_arn;

/* False where the text is no arn:partition:service:region:account:resource. */
bool aws_arn_split(kim_text text, aws_arn *arn);
/* What an ARN's resource begins with: "user" of user/ops/ann; empty where there is no '/' or ':'. */
kim_text aws_arn_kind(const aws_arn *arn);
/* The last piece of the resource: "ann" of user/ops/ann. */
kim_text aws_arn_name(const aws_arn *arn);
/* Twelve digits. */
bool aws_is_account(kim_text text);
/* The account a principal or resource belongs to: an ARN's, or the text itself where it is an account
 * id; absent where neither tells (an S3 bucket, a service, "*"). */
kim_text aws_account_of(kim_text text);
/* "service:kind" as resource records have it: "s3:bucket", "s3:object", "kms:key", "sqs:queue",
 * "iam:role" ... ; "aws:resource" where it is no ARN. A literal or in arena. */
kim_text aws_resource_type(kim_arena *arena, kim_text id);

#endif
