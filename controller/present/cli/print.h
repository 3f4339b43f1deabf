/* SPDX-License-Identifier: Apache-2.0
 *
 * print.h - a question to the API, and its answer on standard output in the form that was asked for.
 */
#ifndef KIM_CLI_PRINT_H
#define KIM_CLI_PRINT_H

#include "controller/present/cli/client.h"
#include "controller/present/cli/commands.h"
#include "controller/present/cli/rows.h"

/* Puts one item of a list into cells. */
typedef void print_row(rows *r, const kim_json *item, kim_arena *arena);

typedef struct list_view {
    const char *list;        /* the list's member in the answer */
    const column *columns;   /* [column_count] */
    size_t column_count;
    print_row *row;
    const char *nothing;     /* what a table says where the list is empty */
} list_view;

/* Asks for path and prints: JSON as it comes, or the list as a table or CSV, however long.
 * Errors: client_exchange's; what broke a list off; KIM_ERR_IO where standard output takes no more */
int print_list(const invocation *in, const char *path, const list_view *view, kim_error *err);

/* Prints the answer as it comes, of any length. list: the name of its list's member. Errors: as print_list's */
int print_json(const invocation *in, const char *path, const char *list, kim_error *err);

/* Writes a value as JSON, then `after` ("\n", ""). Errors: KIM_ERR_IO where standard output takes no more;
 * KIM_ERR_NOMEM */
int print_value(const kim_json *value, const char *after, kim_error *err);
/* The same for what was written by hand; takes the writer. */
int print_written(kim_json_writer *written, kim_error *err);

/* Asks for a short answer and gives it to `write`, or prints its JSON; also to the caller, in arena, for
 * an exit status. body NULL: a GET. NULL with err. */
typedef void print_answer(const invocation *in, const kim_json *answer, rows_style style, kim_arena *arena);
const kim_json *print_short(const invocation *in, const char *path, const char *body, print_answer *write,
                            kim_arena *arena, kim_error *err);
enum { PRINT_ARENA_BYTES = 1024 * 1024 * 1024 }; /* of a short answer, parsed */

/* Adds the command's options of these names ("filter", "known-absent" ...) as parameters, with '_' for
 * '-'; names ends with NULL. */
void print_add_options(kim_bytes *path, const invocation *in, const char *const *names);

#endif
