/* SPDX-License-Identifier: Apache-2.0
 *
 * rows.c - the first rows are held until the widths are known; later ones follow at once.
 *
 * So a table of any length needs no more memory than its first rows, and a reader sees it grow.
 */
#define _XOPEN_SOURCE_EXTENDED 1
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include <kim/record.h>

#include "controller/present/cli/rows.h"

enum { HELD_ROWS = 1000, GAP = 2, CUT_MIN_WIDTH = 12 };

typedef struct cell {
    char *text; /* as it is printed; NUL-terminated */
    row_color color;
} cell;

struct rows {
    FILE *to;
    rows_style style;
    const column *columns;
    size_t column_count;
    cell *held;      /* [HELD_ROWS * column_count] */
    size_t cells;    /* held, also of a row that has not ended */
    size_t *widths;  /* [column_count], once the first rows are out */
    size_t done;     /* rows that ended */
    bool is_flowing; /* the first rows are out */
    bool failed;
};

rows_style rows_style_of_stdout(bool csv)
{
    rows_style style = {.csv = csv};
    if (csv || !isatty(STDOUT_FILENO))
        return style;
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM"), *columns = getenv("COLUMNS");
    struct winsize size;
    style.colors = (no_color == NULL || *no_color == '\0') && (term == NULL || strcmp(term, "dumb") != 0);
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        style.width = size.ws_col;
    else if (columns != NULL)
        style.width = atoi(columns) > 0 ? atoi(columns) : 0;
    return style;
}

/* ---- text on a terminal ---- */

/* The character at the front of text: its bytes, and in *width its columns. */
static size_t next_char(const char *at, size_t size, size_t *width)
{
    wchar_t wide;
    mbstate_t state = {0};
    size_t used = mbrtowc(&wide, at, size, &state);
    if (used == (size_t)-1 || used == (size_t)-2 || used == 0) { /* no UTF-8 locale: lead bytes count */
        used = 1;
        while (used < size && ((unsigned char)at[used] & 0xc0) == 0x80)
            used++;
        *width = 1;
        return used;
    }
    int columns = wcwidth(wide);
    *width = columns > 0 ? (size_t)columns : 0;
    return used;
}

size_t rows_width_of(kim_text text)
{
    size_t width = 0, one;
    for (size_t i = 0; i < text.size; width += one)
        i += next_char(text.bytes + i, text.size - i, &one);
    return width;
}

/* The bytes of the longest beginning (or end) that is at most `width` columns wide. */
static size_t fitting_front(kim_text text, size_t width)
{
    size_t i = 0;
    while (i < text.size) {
        size_t one, used = next_char(text.bytes + i, text.size - i, &one);
        if (one > width)
            break;
        width -= one;
        i += used;
    }
    return i;
}

static size_t fitting_back(kim_text text, size_t width)
{
    size_t skip = rows_width_of(text);
    skip = skip > width ? skip - width : 0;
    size_t i = 0;
    while (i < text.size && skip > 0) {
        size_t one;
        i += next_char(text.bytes + i, text.size - i, &one);
        skip -= one < skip ? one : skip;
    }
    return text.size - i;
}

/* A copy in which control characters are visible: \xNN, a C1 character by its number and not its bytes. */
static char *visible(kim_text text)
{
    kim_bytes out = {0};
    for (size_t i = 0; i < text.size; i++) {
        char coded[5];
        size_t control = kim_text_control_size((kim_text){text.bytes + i, text.size - i});
        if (control == 0) {
            kim_bytes_append(&out, text.bytes + i, 1);
            continue;
        }
        i += control - 1;
        snprintf(coded, sizeof coded, "\\x%02x", (unsigned char)text.bytes[i]);
        kim_bytes_append(&out, coded, 4);
    }
    kim_bytes_append(&out, "", 1);
    if (out.failed) {
        kim_bytes_free(&out);
        return NULL;
    }
    return (char *)out.data;
}

/* ---- CSV ---- */

static void write_csv(FILE *to, kim_text text)
{
    bool plain = true;
    if (text.size == 0)
        return;
    for (size_t i = 0; i < text.size && plain; i++)
        plain = strchr(",\"\r\n", text.bytes[i]) == NULL || text.bytes[i] == '\0';
    if (plain) {
        fwrite(text.bytes, 1, text.size, to);
        return;
    }
    putc('"', to);
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] == '"')
            putc('"', to);
        putc(text.bytes[i], to);
    }
    putc('"', to);
}

/* ---- tables ---- */

static void write_spaces(FILE *to, size_t count)
{
    while (count-- > 0)
        putc(' ', to);
}

static const char *code_of(row_color color)
{
    static const char *const codes[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[35m", "\033[2m"};
    return codes[color];
}

static void write_text(rows *r, kim_text text, size_t width)
{
    if (width < 3 || rows_width_of(text) <= width) {
        fprintf(r->to, "%.*s", KIM_PRINT(text));
        return;
    }
    size_t front = fitting_front(text, (width - 1) / 2), back = fitting_back(text, width - 1 - (width - 1) / 2);
    fprintf(r->to, "%.*s%s%.*s", (int)front, text.bytes, MB_CUR_MAX > 1 ? "\u2026" : "~", (int)back,
            text.bytes + text.size - back);
}

static void write_cell(rows *r, size_t at, kim_text text, row_color color)
{
    bool last = at + 1 == r->column_count;
    size_t allowed = r->style.width > 0 && r->columns[at].may_be_cut ? r->widths[at] : 0;
    size_t width = rows_width_of(text);
    if (allowed > 0 && width > allowed)
        width = allowed;
    size_t pad = r->widths[at] > width ? r->widths[at] - width : 0;
    if (r->columns[at].to_right)
        write_spaces(r->to, pad);
    if (r->style.colors)
        fputs(code_of(color), r->to);
    write_text(r, text, allowed);
    if (r->style.colors && color != PLAIN)
        fputs("\033[0m", r->to);
    if (!last)
        write_spaces(r->to, (r->columns[at].to_right ? 0 : pad) + GAP);
    else
        putc('\n', r->to);
}

void rows_field(FILE *to, rows_style style, const char *name, kim_text text, row_color color)
{
    char *shown = text.size > 0 ? visible(text) : NULL;
    if (shown == NULL)
        return;
    bool colored = style.colors && color != PLAIN;
    fprintf(to, "%-14s %s%s%s\n", name, colored ? code_of(color) : "", shown, colored ? "\033[0m" : "");
    free(shown);
}

void rows_sentence(FILE *to, kim_text text)
{
    char *shown = visible(text);
    if (shown == NULL)
        return;
    fprintf(to, "%s\n", shown);
    free(shown);
}

/* The widest cells lose columns until the table fits, or nothing may be cut any more. */
static void fit(rows *r)
{
    size_t total = GAP * (r->column_count - 1);
    for (size_t i = 0; i < r->column_count; i++)
        total += r->widths[i];
    while (r->style.width > 0 && total > (size_t)r->style.width) {
        size_t widest = r->column_count;
        for (size_t i = 0; i < r->column_count; i++)
            if (r->columns[i].may_be_cut && r->widths[i] > CUT_MIN_WIDTH &&
                (widest == r->column_count || r->widths[i] > r->widths[widest]))
                widest = i;
        if (widest == r->column_count)
            break;
        r->widths[widest]--;
        total--;
    }
}

static void measure(rows *r)
{
    for (size_t i = 0; i < r->column_count; i++)
        r->widths[i] = strlen(r->columns[i].title);
    for (size_t i = 0; i < r->cells; i++) {
        size_t width = rows_width_of(kim_text_of(r->held[i].text));
        if (width > r->widths[i % r->column_count])
            r->widths[i % r->column_count] = width;
    }
    fit(r);
}

static void write_titles(rows *r)
{
    for (size_t i = 0; i < r->column_count; i++) {
        if (r->style.csv) {
            write_csv(r->to, kim_text_of(r->columns[i].title));
            putc(i + 1 == r->column_count ? '\n' : ',', r->to);
        } else {
            write_cell(r, i, kim_text_of(r->columns[i].title), DIM);
        }
    }
}

static void release_held(rows *r)
{
    for (size_t i = 0; i < r->cells; i++)
        free(r->held[i].text);
    r->cells = 0;
}

/* A table of no rows has no titles either: the caller says in words that there is nothing. */
static void let_flow(rows *r)
{
    r->is_flowing = true;
    if (r->cells == 0)
        return;
    measure(r);
    write_titles(r);
    for (size_t i = 0; i < r->cells; i++)
        write_cell(r, i % r->column_count, kim_text_of(r->held[i].text), r->held[i].color);
    release_held(r);
}

rows *rows_begin(FILE *to, rows_style style, const column *columns, size_t count, kim_error *err)
{
    rows *r = calloc(1, sizeof *r);
    if (r != NULL) {
        r->held = calloc(HELD_ROWS * count, sizeof *r->held);
        r->widths = calloc(count, sizeof *r->widths);
    }
    if (r == NULL || r->held == NULL || r->widths == NULL) {
        rows_abandon(r);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a table");
        return NULL;
    }
    r->to = to;
    r->style = style;
    r->columns = columns;
    r->column_count = count;
    if (style.csv) {
        r->is_flowing = true;
        write_titles(r);
    }
    return r;
}

static void put_csv(rows *r, kim_text text, size_t at)
{
    write_csv(r->to, text);
    putc(at + 1 == r->column_count ? '\n' : ',', r->to);
}

void rows_cell_in(rows *r, kim_text text, row_color color)
{
    size_t at = r->cells % r->column_count;
    if (r->style.csv) {
        put_csv(r, text, at);
        r->cells++;
        if (at + 1 == r->column_count)
            r->cells = 0;
    } else {
        char *shown = visible(text);
        if (shown == NULL) {
            r->failed = true;
            return;
        }
        if (!r->is_flowing) {
            r->held[r->cells++] = (cell){shown, color};
        } else {
            write_cell(r, at, kim_text_of(shown), color);
            free(shown);
            r->cells = at + 1 == r->column_count ? 0 : r->cells + 1;
        }
    }
    if (at + 1 < r->column_count)
        return;
    r->done++;
    if (!r->is_flowing && r->done == HELD_ROWS)
        let_flow(r);
}

void rows_cell(rows *r, kim_text text)
{
    rows_cell_in(r, text, PLAIN);
}

void rows_int(rows *r, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    rows_cell_in(r, kim_text_of(text), PLAIN);
}

size_t rows_count(const rows *r)
{
    return r->done;
}

void rows_abandon(rows *r)
{
    if (r == NULL)
        return;
    if (r->held != NULL && !r->is_flowing)
        release_held(r);
    free(r->held);
    free(r->widths);
    free(r);
}

int rows_end(rows *r, kim_error *err)
{
    if (!r->is_flowing)
        let_flow(r);
    bool failed = r->failed, cut = fflush(r->to) != 0 || ferror(r->to);
    rows_abandon(r);
    if (failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a table");
    return cut ? kim_fail(err, KIM_ERR_IO, "standard output takes no more") : 0;
}
