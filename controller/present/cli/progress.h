/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.h - one line on standard error that says how far a long work is; only on a terminal.
 */
#ifndef KIM_CLI_PROGRESS_H
#define KIM_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

/* Shows "COUNT WHAT", at most five times a second, once a second has gone by. One thread at a time. */
void progress_show(bool quiet, size_t count, const char *what);
void progress_clear(void); /* the line goes: before anything else is written */

#endif
