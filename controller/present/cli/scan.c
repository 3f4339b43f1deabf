/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.c - kim scan: files in, an estate in a private controller, and a report or a query on it.
 */
#include "controller/present/cli/evaluate.h"
#include "controller/present/cli/import.h"
#include "controller/present/cli/sources.h"

/* ---- what comes after ---- */

static int read_query(const invocation *in, invocation *query, kim_error *err)
{
    if (in->rest_count == 0)
        return 0;
    if (commands_read(query, in->rest, in->rest_count, err) < 0)
        return -1;
    if (query->command == NULL || !query->command->is_query)
        return kim_fail(err, KIM_ERR_INPUT, "'%.64s' is no query on an estate; after -- comes can, explain, who-can, what-can, "
                        "effective, identities, show, gaps, findings, propose, status or evaluate", in->rest[0]);
    if (!is_given(query, "output"))
        query->form = in->form;
    query->quiet = query->quiet || in->quiet;
    return 0;
}

static int answer(const invocation *in, invocation *query, const sources *found, const report_notes *notes,
                  const char *socket, kim_error *err)
{
    if (query->command == NULL)
        return report_print(in, socket, found, notes, err);
    query->socket = socket;
    if (!in->quiet)
        report_print_notes(stderr, found, notes);
    int status = query->command->run == run_evaluate ? evaluate_over_estate(query, err) : query->command->run(query, err);
    return status == EXIT_FINE && report_has_unread(found, notes) ? EXIT_UNREAD : status;
}

static int scan(const invocation *in, invocation *query, const sources *found, report_notes *notes, kim_error *err)
{
    import *im = import_start(in->quiet, err);
    int status = -1;
    if (im != NULL && import_files(im, found, notes, err) == 0) {
        status = answer(in, query, found, notes, import_socket(im), err);
        if (status < 0)
            import_explain(im, err);
    }
    import_stop(im);
    return status;
}

int run_scan(const invocation *in, kim_error *err)
{
    static invocation query;
    if (import_check_usage(in, err) < 0 || read_query(in, &query, err) < 0)
        return -EXIT_USAGE;
    if (query.wants_help) {
        help_write(query.command);
        return EXIT_FINE;
    }
    report_notes *notes = report_notes_new(err);
    sources *found = notes == NULL ? NULL : import_find(in, in->arguments, (size_t)in->argument_count, notes, err);
    int status = found != NULL ? scan(in, &query, found, notes, err) : -1;
    report_notes_free(notes);
    sources_free(found);
    return status;
}
