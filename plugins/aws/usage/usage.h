/* SPDX-License-Identifier: Apache-2.0
 *
 * usage.h - who did what and when, from CloudTrail archives and LookupEvents.
 */
#ifndef AWS_USAGE_H
#define AWS_USAGE_H

#include "plugins/aws/aws.h"

/* Reads on from host->cursor("usage"); each emit with a cursor is one commit. */
int aws_usage(aws_plugin *self, kim_error *err);

/* Is this a log? 0 no, 1 perhaps, 2 surely: from a file's name and its first bytes. Pure. */
int aws_usage_recognise(const char *name, const uint8_t *head, size_t size);

#endif
