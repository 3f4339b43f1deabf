/* SPDX-License-Identifier: Apache-2.0
 *
 * import.h - files into the estate of a private controller.
 */
#ifndef KIM_CLI_IMPORT_H
#define KIM_CLI_IMPORT_H

#include "controller/present/cli/report.h"

typedef struct import import;

/* The option --provider names one that there is. Errors: KIM_ERR_INPUT: the command line is wrong */
int import_check_usage(const invocation *in, kim_error *err);

/* What the paths hold, by the command's options (provider, quiet).
 * Errors: sources_find's; KIM_ERR_INPUT where no provider knows any of it */
sources *import_find(const invocation *in, const char *const *named, size_t count, report_notes *notes, kim_error *err);

/* Starts the private controller. Errors: private_start's, client_open's, KIM_ERR_NOMEM */
import *import_start(bool quiet, kim_error *err);
void import_stop(import *im); /* NULL is fine */

/* Reads what was found and publishes it, in place of what was published before. notes gets what the providers
 * say they could not read.
 * Errors: those of the providers' hosts and of the controller, which is explained where it ended */
int import_files(import *im, const sources *found, report_notes *notes, kim_error *err);

const char *import_socket(const import *im); /* of the controller's API */
/* Adds to a failure to reach the controller what it said last, where it has ended. Returns -1. */
int import_explain(import *im, kim_error *err);

#endif
