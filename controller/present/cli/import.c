/* SPDX-License-Identifier: Apache-2.0
 *
 * import.c - the providers' hosts read, and what they emit goes to the controller in large bodies.
 */
#include <stdlib.h>
#include <string.h>

#include <kim/limits.h>

#include "controller/present/cli/children.h"
#include "controller/present/cli/client.h"
#include "controller/present/cli/import.h"
#include "controller/present/cli/progress.h"

/* ---- records to the private controller ---- */

struct import {
    private_controller *pc;
    client *client;
    kim_bytes pending;      /* gathered into larger bodies */
    size_t records;         /* bytes of them */
    bool quiet;
    report_notes *notes;    /* borrowed, while files are read */
};

static int take_nothing(void *context, const char *bytes, size_t size, kim_error *err)
{
    (void)context, (void)bytes, (void)size, (void)err;
    return 0;
}

static int hand_on(import *im, kim_error *err)
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
    import *im = context;
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
    import *im = context;
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

static int import_source(import *im, const source *s, kim_error *err)
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

int import_files(import *im, const sources *found, report_notes *notes, kim_error *err)
{
    int result = 0;
    im->notes = notes;
    for (size_t i = 0; i < found->count && result == 0; i++)
        result = import_source(im, &found->all[i], err);
    if (result == 0)
        result = hand_on(im, err);
    progress_clear();
    if (result == 0)
        result = client_exchange(im->client, "/v1/publish", "", 0, take_nothing, NULL, err);
    return result < 0 ? import_explain(im, err) : 0;
}

/* ---- the controller ---- */

import *import_start(bool quiet, kim_error *err)
{
    import *im = calloc(1, sizeof *im);
    if (im == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to read files");
        return NULL;
    }
    im->quiet = quiet;
    if ((im->pc = private_start(err)) != NULL && (im->client = client_open(private_socket(im->pc), err)) != NULL)
        return im;
    import_stop(im);
    return NULL;
}

void import_stop(import *im)
{
    if (im == NULL)
        return;
    kim_bytes_free(&im->pending);
    client_close(im->client);
    private_stop(im->pc);
    free(im);
}

const char *import_socket(const import *im)
{
    return private_socket(im->pc);
}

int import_explain(import *im, kim_error *err)
{
    return err->code == KIM_ERR_NETWORK ? private_explain(im->pc, err) : -1;
}

/* ---- what there is to read ---- */

static bool has_any(const sources *found)
{
    for (size_t i = 0; i < found->count; i++)
        if (found->all[i].files.count + found->all[i].logs.count > 0)
            return true;
    return false;
}

int import_check_usage(const invocation *in, kim_error *err)
{
    const char *provider = given(in, "provider", NULL);
    if (provider == NULL || providers_is_known(kim_text_of(provider)))
        return 0;
    return kim_fail(err, KIM_ERR_INPUT, "there is no provider '%.64s'; known are %s", provider, providers_known());
}

sources *import_find(const invocation *in, const char *const *named, size_t count, report_notes *notes, kim_error *err)
{
    sources *found = sources_find(named, count, given(in, "provider", NULL), in->quiet, notes, err);
    if (found == NULL || has_any(found))
        return found;
    if (found->unknown.count == 0) /* else the error says it all */
        report_print_notes(stderr, found, notes);
    kim_fail(err, KIM_ERR_INPUT, "%s: no provider knows what this is (installed: %s); name exports or logs, or say --provider",
             named[0], providers_known());
    sources_free(found);
    return NULL;
}
