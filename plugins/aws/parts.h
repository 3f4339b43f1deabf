/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.h - pieces of AWS's answers that many documents share: tags, times, public access blocks.
 */
#ifndef AWS_PARTS_H
#define AWS_PARTS_H

#include <kim/json.h>

/* [{"Key","Value"}, ...] (in lower case too), or {"key":"value", ...}. Count 0 for all else. */
kim_pairs aws_tags(kim_arena *arena, const kim_json *tags);

/* A PublicAccessBlockConfiguration, bare or wrapped, as facts: "s3.block_public_acls" = "true" ... */
kim_pairs aws_public_access_block(kim_arena *arena, const kim_json *block);

/* A time as the CLI prints it ("2023-03-09T10:41:45+00:00", "2023-03-09 10:41:45Z"), seconds since 1970
 * as a number, or what boto3's recordings have ({"year":2023,...}). Unix milliseconds; 0 for all else
 * ("N/A", "no_information", "not_supported"). */
int64_t aws_time(const kim_json *value);

#endif
