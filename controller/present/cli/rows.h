/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.h - rows of cells, aligned for people or as CSV (RFC 4180) for programs.
 *
 * On a terminal a table is no wider than it: texts that may be cut are cut in their middle, because
 * the end of an id tells most. Elsewhere nothing is cut. What an outsider named can hold control
 * characters: a table shows them as \xNN, so that none reaches the terminal.
 */
#ifndef KIM_CLI_ROWS_H
#define KIM_CLI_ROWS_H

#include <stdio.h>

#include <kim/error.h>
#include <kim/text.h>

typedef enum row_color { PLAIN, GOOD, WARN, BAD, ODD, DIM } row_color;

typedef struct column {
    const char *title;
    bool to_right;  /* a number */
    bool may_be_cut;
} column;

typedef struct rows rows;

typedef struct rows_style {
    bool csv;
    bool colors;
    int width;      /* of the terminal; 0: no limit */
} rows_style;
/* As fits standard output: a terminal has a width, and colours unless NO_COLOR is set. */
rows_style rows_style_of_stdout(bool csv);

/* columns  [count]; borrowed until rows_end
 * NULL with err: KIM_ERR_NOMEM */
rows *rows_begin(FILE *to, rows_style style, const column *columns, size_t count, kim_error *err);
/* The next cell of the row; absent is an empty one. A row ends by itself with its last cell. */
void rows_cell(rows *r, kim_text text);
void rows_cell_in(rows *r, kim_text text, row_color color);
void rows_int(rows *r, int64_t value);
/* Writes what is still held, ends. Errors: KIM_ERR_NOMEM; KIM_ERR_IO where `to` takes no more */
int rows_end(rows *r, kim_error *err);
void rows_abandon(rows *r); /* NULL is fine */
size_t rows_count(const rows *r);

/* A line "name      value" beside the tables, with the same care; nothing for an absent or empty text. */
void rows_field(FILE *to, rows_style style, const char *name, kim_text text, row_color color);

/* A line of text, with the same care. */
void rows_sentence(FILE *to, kim_text text);

/* How many columns of a terminal a text takes. */
size_t rows_width_of(kim_text text);

#endif
