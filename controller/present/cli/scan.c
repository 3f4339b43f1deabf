/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.c - kim scan: files in, an estate in a private controller, and a report or a query on it.
 */
#include <stdlib.h>
#include <string.h>

#include <kim/limits.h>

#include "controller/present/cli/children.h"
#include "controller/present/cli/client.h"
#include "controller/present/cli/evaluate.h"
#include "controller/present/cli/progress.h"
#include "controller/present/cli/report.h"
#include "controller/present/cli/sources.h"

/* ---- records to the private controller ---- */

typedef struct importer {
    client *client;
    kim_bytes pending;      /* gathered into larger bodies */
    size_t records;
    bool quiet;
    report_notes *notes;    /* what a provider said it could not read */
} importer;

static int take_nothing(void *context, const char *bytes, size_t size, kim_error *err)
{
    (void)context, (void)bytes, (void)size, (void)err;
    return 0;
}

static int hand_on(importer *im, kim_error *err)
{
    if (im->pending.failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for records");
    if (im->pending.size == 0)
        return 0;
    int result = client_exchange(im->client, "/v1/records", im->pending.data, im->pending.size, take_nothing, NULL, err);
    im->pending.size = 0;
    return result;
}

static int take_records(void *context, uint64_t call, const uint8_t *records, size_t size, kim_error *err)
{
    importer *im = context;
    (void)call;
    if (im->pending.size + size > KIM_BATCH_MAX_BYTES && hand_on(im, err) < 0)
        return -1;
    kim_bytes_append(&im->pending, records, size);
    im->records += size;
    progress_show(im->quiet, im->records / 1024, "KiB of records");
    return im->pending.failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for records") : 0;
}

/* Nothing is read twice, so a cursor is of no use here. */
static int take_usage(void *context, uint64_t call, const uint8_t *records, size_t size, const uint8_t *cursor,
                      size_t cursor_size, kim_error *err)
{
    (void)cursor, (void)cursor_size;
    return take_records(context, call, records, size, err);
}

static void take_log(void *context, uint32_t level, const char *event, const char *message)
{
    importer *im = context;
    if (level >= KIM_LOG_WARNING && strcmp(event, "output") != 0)
        report_note(im->notes, message);
}

/* ---- one provider ---- */

static int run_calls(host_client *host, const source *s, kim_error *err)
{
    uint64_t call;
    if (s->files.count > 0) {
        call = host_client_collect(host, KIM_COLLECT_FULL, NULL, 0, err);
        if (call == 0 || host_client_wait(host, call, err) < 0)
            return -1;
    }
    if (s->logs.count > 0) {
        call = host_client_usage(host, NULL, 0, err);
        if (call == 0 || host_client_wait(host, call, err) < 0)
            return -1;
    }
    return 0;
}

static int import_source(importer *im, const source *s, kim_error *err)
{
    static const char *const yes[] = {"true"};
    host_setting settings[3];
    host_options options = {
        .plugin = s->provider,
        .settings = settings,
        .handlers = {.context = im, .records = take_records, .commit = take_usage, .log = take_log},
    };
    if (s->files.count == 0 && s->logs.count == 0)
        return 0;
    if (s->files.count > 0) {
        settings[options.setting_count++] =
            (host_setting){"files", (const char *const *)s->files.items, (uint32_t)s->files.count, false};
        settings[options.setting_count++] = (host_setting){"skip_bad_files", yes, 1, false};
    }
    if (s->logs.count > 0)
        settings[options.setting_count++] =
            (host_setting){"logs", (const char *const *)s->logs.items, (uint32_t)s->logs.count, false};
    host_client *host = host_client_start(&options, err);
    int result = host != NULL ? run_calls(host, s, err) : -1;
    host_client_stop(host, 1000);
    return result;
}

static int import_all(importer *im, const sources *found, kim_error *err)
{
    int result = 0;
    for (size_t i = 0; i < found->count && result == 0; i++)
        result = import_source(im, &found->all[i], err);
    if (result == 0)
        result = hand_on(im, err);
    progress_clear();
    if (result == 0)
        result = client_exchange(im->client, "/v1/publish", "", 0, take_nothing, NULL, err);
    return result;
}

/* ---- what comes after ---- */

static int read_query(const invocation *in, invocation *query, kim_error *err)
{
    if (in->rest_count == 0)
        return 0;
    if (commands_read(query, in->rest, in->rest_count, err) < 0)
        return -1;
    if (query->command == NULL || !query->command->is_query)
        return kim_fail(err, KIM_ERR_INPUT, "'%.64s' is no query on an estate; after -- comes can, who-can, what-can, "
                        "identities, show, gaps, findings, propose, status or evaluate", in->rest[0]);
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

static bool has_any(const sources *found)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->all[i].files.count + found->all[i].logs.count > 0)
            return true;
    return false;
}

static int scan(const invocation *in, invocation *query, const sources *found, report_notes *notes, kim_error *err)
{
    importer im = {.quiet = in->quiet, .notes = notes};
    private_controller *pc = private_start(err);
    int status = -1;
    if (pc != NULL && (im.client = client_open(private_socket(pc), err)) != NULL && import_all(&im, found, err) == 0)
        status = answer(in, query, found, notes, private_socket(pc), err);
    if (status < 0 && pc != NULL && err->code == KIM_ERR_NETWORK)
        private_explain(pc, err);
    kim_bytes_free(&im.pending);
    client_close(im.client);
    private_stop(pc);
    return status;
}

int run_scan(const invocation *in, kim_error *err)
{
    static invocation query;
    if (read_query(in, &query, err) < 0)
        return -1;
    if (query.wants_help) {
        help_write(query.command);
        return EXIT_FINE;
    }
    report_notes *notes = report_notes_new(err);
    sources *found = notes == NULL ? NULL
                                   : sources_find(in->arguments, (size_t)in->argument_count, given(in, "provider", NULL), in->quiet, notes, err);
    int status = -1;
    if (found != NULL && has_any(found)) {
        status = scan(in, &query, found, notes, err);
    } else if (found != NULL) {
        if (found->unknown.count == 0) /* else the error says it all */
            report_print_notes(stderr, found, notes);
        kim_fail(err, KIM_ERR_INPUT, "%s: no provider knows what this is (installed: %s); name exports or logs, or say --provider",
                 in->arguments[0], providers_known());
    }
    report_notes_free(notes);
    sources_free(found);
    return status;
}
