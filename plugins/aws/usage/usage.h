/* SPDX-License-Identifier: Apache-2.0
 *
 * usage.h - CloudTrail to usage: who did what, to what, how often, on which day.
 *
 * Events are rolled up in memory by (day, identity, action, resource, outcome, via) and handed over
 * in commits of at most one batch: usage records and the cursor that says which part of which log
 * they count. Counts of one key in several commits add up. The cursor holds all that the next commit
 * depends on, so a run that is cut off anywhere and one that is not give the same records.
 *
 * What the log cannot show is handed over beside the counts, as coverage of each account seen:
 *   log:management   from the first to the last event; `why` names the regions, and what was unreadable
 *   log:data:S       data events of service S ("s3", "lambda", "dynamodb" ...): unreadable where the log
 *                    has no data event of S, partial where it has some, for that a call was not seen does
 *                    not prove that it would have been; `actions` lists them
 *   log:unmapped     events that stand for no IAM action that is known, with their names and counts
 *
 * A log is a CloudTrail file ({"Records":[...]}, as S3 holds it), what `aws cloudtrail lookup-events`
 * prints ({"Events":[{"CloudTrailEvent":"..."}]}), or events one a line; plain or gzip, by content and
 * not by name.
 */
#ifndef AWS_USAGE_H
#define AWS_USAGE_H

#include <kim/plugin.h>
#include <kim/text.h>

#include "plugins/aws/aws.h"
#include "plugins/aws/usage/log_store.h"

enum { AWS_USAGE_MAX_BYTES = 64 * 1024 * 1024 }; /* of memory, whatever the logs hold */

/* Reads on from host->cursor("usage") all that the logs of option `logs` hold by now, and returns.
 * The options `logs` (a list of files and folders; a folder is walked whole: *.json, *.jsonl, *.json.gz,
 * *.jsonl.gz; a place at AWS, live/archive.h) and `account` (12 digits: whose log it is where an event does not say) are read.
 * Unreadable records and files are logged with their place, counted in the coverage, and passed over.
 *
 * Errors: KIM_ERR_CORRUPT (the cursor; says how to begin anew), KIM_ERR_NOMEM, those of host->emit
 *         (what was committed stays), KIM_ERR_IO where a named path cannot be read
 */
int aws_usage(aws_plugin *self, kim_error *err);

/* Is this a log? 0 no, 1 perhaps, 2 surely: from a file's name and its first bytes (of gzip, what they
 * inflate to). A folder has its name and size 0. Pure. */
int aws_usage_recognise(const char *name, const uint8_t *head, size_t size);

/* One log in memory to the same records, without a cursor: for normalise("file"). Plain or gzip.
 *
 * account  whose log it is where an event does not say; may be NULL
 * Errors: KIM_ERR_INPUT where it holds no event at all, KIM_ERR_NOMEM, those of host->emit
 */
int aws_usage_normalise(const kim_host *host, const char *account, const kim_document *document,
                        kim_error *err);

/* The same as aws_usage, for a caller without the plugin (tests, bench).
 * logs  [log_count] paths */
int aws_usage_logs(const kim_host *host, const char *const *logs, size_t log_count, const char *account,
                   kim_error *err);
/* The same, with places that a store holds. */
int aws_usage_from(const kim_host *host, const log_store *store, const char *const *logs, size_t log_count,
                   const char *account, kim_error *err);

#endif
