/* SPDX-License-Identifier: Apache-2.0
 *
 * lines.h - lines of a file or a pipe, of bounded length.
 */
#ifndef KIM_CLI_LINES_H
#define KIM_CLI_LINES_H

#include <kim/error.h>
#include <kim/text.h>

typedef struct lines lines;

/* path  a file; "-" or NULL: standard input
 * max   the longest line, in bytes
 * Errors: KIM_ERR_NOT_FOUND, KIM_ERR_IO, KIM_ERR_NOMEM */
lines *lines_open(const char *path, size_t max, kim_error *err);
void lines_close(lines *in); /* NULL is fine */

/* The next line, without its newline: good until the next call. 1; 0 at the end; -1 with err. A longer
 * line than max comes as its first max bytes with *too_long; the rest of it is passed over. */
int lines_next(lines *in, kim_text *line, bool *too_long, kim_error *err);
/* Would the next call wait for whoever writes the input? */
bool lines_would_wait(const lines *in);
/* The number of the line that came last, from 1. */
size_t lines_number(const lines *in);

#endif
