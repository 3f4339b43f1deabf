/* SPDX-License-Identifier: Apache-2.0
 *
 * live.h - collect from AWS's APIs through the host's HTTP.
 */
#ifndef AWS_LIVE_H
#define AWS_LIVE_H

#include "plugins/aws/aws.h"

/* Asks the APIs that the settings name and puts what they answer (aws_normalise). The caller ends and
 * flushes `out`. mode: KIM_COLLECT_FULL or KIM_COLLECT_DELTA.
 * Errors: KIM_ERR_STOPPED, KIM_ERR_TIMEOUT, what makes the whole snapshot worthless (no credentials, no
 *         account answers). What may not be read becomes coverage. */
int aws_collect_live(aws_plugin *self, uint32_t mode, aws_out *out, kim_error *err);

#endif
