/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c - the Google Cloud provider as the host sees it: what it can be told, and who does what it is asked.
 */
#include <stdlib.h>

#include "plugins/gcp/case.h"
#include "plugins/gcp/files.h"
#include "plugins/gcp/gcp.h"
#include "plugins/gcp/read.h"

enum {
    CASE_MAX_BYTES = 64 * 1024 * 1024,      /* a case of KIM_CASE_MAX_BYTES, parsed, with its records' lists, twice */
    DOCUMENT_MAX_BYTES = 512 * 1024 * 1024, /* the largest single element of a file, parsed */
};

static const kim_option options[] = {
    {.name = "files", .type = KIM_OPTION_PATH, .flags = KIM_OPTION_LIST,
     .help = "Files and folders to collect from: what gcloud printed, exports of the Cloud Asset Inventory, or one collected file."},
    {.name = "skip_bad_files", .type = KIM_OPTION_BOOL, .default_value = "false",
     .help = "Take the rest where a file cannot be read, in place of keeping the last good snapshot."},
};
enum { OPTIONS = sizeof options / sizeof *options };

/* ---- settings ---- */

static int copy_settings(gcp_plugin *self, const kim_settings *from)
{
    kim_arena *arena = self->settings_arena;
    kim_setting *items = KIM_NEW_ARRAY(arena, kim_setting, from->count + 1);
    for (uint32_t i = 0; items && i < from->count; i++) {
        const char **values = (const char **)kim_arena_array(arena, from->items[i].count + 1, sizeof *values);
        for (uint32_t k = 0; values && k < from->items[i].count; k++)
            values[k] = kim_text_copy(arena, kim_text_of(from->items[i].values[k])).bytes;
        items[i] = (kim_setting){kim_text_copy(arena, kim_text_of(from->items[i].name)).bytes, values, from->items[i].count};
    }
    self->settings = (kim_settings){items, from->count};
    return kim_arena_is_full(arena) ? -1 : 0;
}

kim_setting gcp_setting(const gcp_plugin *self, const char *name)
{
    for (uint32_t i = 0; i < self->settings.count; i++)
        if (strcmp(self->settings.items[i].name, name) == 0)
            return self->settings.items[i];
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0 && options[i].default_value)
            return (kim_setting){options[i].name, &options[i].default_value, 1};
    return (kim_setting){name, NULL, 0};
}

/* ---- what the host calls ---- */

static void gcp_close(void *instance)
{
    gcp_plugin *self = instance;
    if (self == NULL)
        return;
    gcp_out_stop(&self->cases);
    kim_arena_free(self->settings_arena);
    free(self);
}

static int gcp_open(const kim_host *host, const kim_settings *settings, void **instance, kim_error *err)
{
    static const kim_settings none;
    gcp_plugin *self = calloc(1, sizeof *self);
    if (self == NULL || (self->settings_arena = kim_arena_new(1024 * 1024)) == NULL || copy_settings(self, settings ? settings : &none) < 0) {
        gcp_close(self);
        return kim_fail(err, KIM_ERR_NOMEM, "gcp: no memory to begin with");
    }
    self->host = host;
    if (gcp_out_start(&self->cases, host, CASE_MAX_BYTES, false, err) < 0) {
        gcp_close(self);
        return -1;
    }
    *instance = self;
    return 0;
}

static int gcp_recognise(const char *name, const uint8_t *head, size_t size)
{
    return gcp_recognise_document(kim_text_of(name), (kim_text){(const char *)head, size});
}

/* All of a collection, or one file (document): joined, then sent. */
static int take_files(gcp_plugin *self, const kim_document *document, kim_error *err)
{
    gcp_out out;
    if (gcp_out_start(&out, self->host, DOCUMENT_MAX_BYTES, true, err) < 0)
        return -1;
    int result = document ? gcp_normalise_file(&out, document->name, (kim_text){(const char *)document->bytes, document->size}, err)
                          : gcp_collect_files(self, &out, err);
    if (result == 0)
        result = gcp_out_flush(&out, err);
    gcp_out_stop(&out);
    return result;
}

static int gcp_collect(void *instance, uint32_t mode, kim_error *err)
{
    (void)mode; /* files are always read whole */
    return take_files(instance, NULL, err);
}

static int gcp_normalise(void *instance, const kim_document *document, kim_error *err)
{
    gcp_plugin *self = instance;
    if (strcmp(document->kind, "case") == 0)
        return gcp_case_normalise(&self->cases, document->name, (const char *)document->bytes, document->size, err);
    if (strcmp(document->kind, "file") == 0)
        return take_files(self, document, err);
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "gcp: documents of kind '%s' are not known; known are case and file", document->kind);
}

const kim_plugin *kim_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const kim_plugin plugin = {
        .magic = KIM_PLUGIN_MAGIC,
        .struct_size = sizeof(kim_plugin),
        .abi_major = KIM_ABI_MAJOR,
        .abi_minor = KIM_ABI_MINOR,
        .capabilities = KIM_CAN_NORMALISE | KIM_CAN_COLLECT,
        .id = "gcp",
        .version = "0.1.0",
        .vendor = "kim",
        .summary = "Google Cloud: who has which roles on organisations, folders, projects and resources, denials and boundaries",
        .options = options,
        .option_count = OPTIONS,
        .option_size = sizeof(kim_option),
        .open = gcp_open,
        .close = gcp_close,
        .recognise = gcp_recognise,
        .normalise = gcp_normalise,
        .collect = gcp_collect,
    };
    (void)host_minor; /* minors may differ either way */
    return host_major == KIM_ABI_MAJOR ? &plugin : NULL;
}
