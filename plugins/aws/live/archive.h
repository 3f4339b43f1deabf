/* SPDX-License-Identifier: Apache-2.0
 *
 * archive.h - logs that lie at AWS: the objects of a bucket, and what CloudTrail's LookupEvents gives.
 *
 * Places, as the option `logs` names them beside files and folders:
 *   s3://BUCKET/PREFIX     every object below, as a trail delivers them
 *   lookup:REGION          the management events of the last 90 days, in windows of six hours, each a
 *                          log of its own once it is over; slow (two calls of 50 events a second)
 * The logs in them have paths that begin with the place, as files below a folder do.
 */
#ifndef AWS_LIVE_ARCHIVE_H
#define AWS_LIVE_ARCHIVE_H

#include <sys/types.h>

#include "plugins/aws/aws.h"

typedef struct aws_archive aws_archive;

bool aws_archive_is_place(const char *place);

/* Finds the keys that the settings name (credentials.h; with logs_role_arn those of that role).
 * Errors: those of credentials.h */
aws_archive *aws_archive_open(const aws_plugin *self, kim_error *err);
void aws_archive_close(aws_archive *archive); /* NULL is fine */

/* Calls back for each log of a place. Non-zero ends the list.
 * bytes  0 where that is not known
 * Errors: KIM_ERR_IO (the place is refused, or is none; with AWS's reason), those of aws_ask */
typedef int aws_archive_each(void *context, const char *path, uint64_t bytes, int64_t changed_unix_ms, kim_error *err);
int aws_archive_list(aws_archive *archive, const char *place, aws_archive_each *each, void *context, kim_error *err);

/* Begins the log of that path: aws_archive_read then gives it from the beginning. One at a time. */
void aws_archive_begin(aws_archive *archive, const char *path);
/* A log_source's read: up to `size` bytes on, fewer only at the end, 0 there.
 * Errors: KIM_ERR_IO: it cannot be had; try again later */
ssize_t aws_archive_read(void *archive, void *to, size_t size, kim_error *err);

#endif
