/* SPDX-License-Identifier: Apache-2.0
 *
 * report.h - what `kim scan` says of an estate: what was found, what is wrong, what could not be read.
 */
#ifndef KIM_CLI_REPORT_H
#define KIM_CLI_REPORT_H

#include <stdio.h>

#include "controller/present/cli/commands.h"
#include "controller/present/cli/rows.h"
#include "controller/present/cli/sources.h"

/* What providers said of files that they could not read, or not wholly: the first ones, and how many. */
typedef struct report_notes report_notes;
report_notes *report_notes_new(kim_error *err);
void report_notes_free(report_notes *notes); /* NULL is fine */
void report_note(report_notes *notes, const char *message);

bool report_has_unread(const sources *found, const report_notes *notes);
/* What could not be read, a line each; nothing where all could. */
void report_print_notes(FILE *to, const sources *found, const report_notes *notes);

/* The report on standard output, in in->form. Returns EXIT_FINE, EXIT_UNREAD, or -1 with err. */
int report_print(const invocation *in, const char *socket, const sources *found, const report_notes *notes,
                 kim_error *err);

/* What is not, or not fully, read (status's coverage.lacking): parts that lack the same in several scopes
 * are one row. */
void report_print_lacking(const kim_json *list, rows_style style);

#endif
