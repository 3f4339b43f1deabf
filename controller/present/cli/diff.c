/* SPDX-License-Identifier: Apache-2.0
 *
 * diff.c - kim diff: two sets of exports, published one after the other, and who gained or lost what.
 */
#include "controller/present/cli/import.h"
#include "controller/present/cli/print.h"
#include "controller/present/cli/words.h"

static void write_difference(rows *r, const kim_json *item, kim_arena *arena)
{
    kim_text difference = kim_json_text_of(item, "difference");
    kim_text before = kim_json_text_of(item, "before"), after = kim_json_text_of(item, "after");
    rows_cell_in(r, difference, kim_text_is(difference, "lost") ? GOOD : WARN); /* less access is what kim is for */
    rows_cell(r, kim_json_text_of(item, "identity"));
    rows_cell(r, words_list(kim_json_get(item, "actions"), arena));
    rows_cell(r, kim_json_text_of(item, "resource"));
    rows_cell(r, kim_text_format(arena, "%.*s -> %.*s", KIM_PRINT(before), KIM_PRINT(after)));
    rows_cell(r, words_why(item, arena));
}

/* Reads one side, and says at once what of it could not be read. */
static int read_side(import *im, const invocation *in, const char *path, report_notes *notes, bool *has_unread, kim_error *err)
{
    sources *found = import_find(in, &path, 1, notes, err);
    int result = found != NULL ? import_files(im, found, notes, err) : -1;
    if (result == 0) {
        *has_unread |= report_has_unread(found, notes);
        if (!in->quiet)
            report_print_notes(stderr, found, notes);
    }
    sources_free(found);
    return result;
}

static int read_and_compare(import *im, const invocation *in, bool *has_unread, kim_error *err)
{
    static const column columns[] = {{"difference", false, false}, {"identity", false, true}, {"actions", false, true},
                                     {"resource", false, true},    {"decision", false, false}, {"why", false, true}};
    static const list_view view = {"differences", columns, 6, write_difference, "nobody gained or lost anything"};
    invocation asked = *in;
    asked.socket = import_socket(im);
    for (int i = 0; i < in->argument_count; i++) {
        report_notes *notes = report_notes_new(err);
        int result = notes != NULL ? read_side(im, in, in->arguments[i], notes, has_unread, err) : -1;
        report_notes_free(notes);
        if (result < 0)
            return -1;
    }
    int status = print_list(&asked, "/v1/diff", &view, err);
    return status < 0 ? import_explain(im, err) : status;
}

int run_diff(const invocation *in, kim_error *err)
{
    if (import_check_usage(in, err) < 0)
        return -EXIT_USAGE;
    import *im = import_start(in->quiet, err);
    bool has_unread = false;
    int status = im != NULL ? read_and_compare(im, in, &has_unread, err) : -1;
    import_stop(im);
    return status == EXIT_FINE && has_unread ? EXIT_UNREAD : status;
}
