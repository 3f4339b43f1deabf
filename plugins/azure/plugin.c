/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c - the Azure provider as the host sees it: what it can be told, and who does what it is asked.
 */
#include <stdlib.h>

#include <kim/limits.h>

#include "plugins/azure/case.h"
#include "plugins/azure/files.h"

enum {
    CASE_MAX_BYTES = 32 * 1024 * 1024,              /* a case of KIM_CASE_MAX_BYTES, parsed, with its records' lists */
    COLLECTION_MAX_BYTES = 2u * 1000 * 1000 * 1000, /* all documents of a snapshot, parsed */
};

static const kim_option options[] = {
    {.name = "files", .type = KIM_OPTION_PATH, .flags = KIM_OPTION_LIST,
     .help = "Files and folders to collect from: what az, PowerShell, the REST API or Microsoft Graph printed, or one collected file."},
    {.name = "skip_bad_files", .type = KIM_OPTION_BOOL, .default_value = "false",
     .help = "Take the rest where a file cannot be read, in place of keeping the last good snapshot."},
    {.name = "tenant", .type = KIM_OPTION_TEXT,
     .help = "The tenant's id, for files that do not tell it; none: the only one that subscriptions, management groups or the organisation name."},
};
enum { OPTIONS = sizeof options / sizeof *options };

typedef struct azure_plugin {
    const kim_host *host;
    kim_arena *arena;     /* of the settings */
    kim_text tenant;
    const char **files;   /* [file_count] */
    size_t file_count;
    bool skip_bad;
    azure_out cases;      /* kept from call to call, because cases are many and small */
} azure_plugin;

static void azure_close(void *instance)
{
    azure_plugin *self = instance;
    if (self == NULL)
        return;
    azure_out_stop(&self->cases);
    kim_arena_free(self->arena);
    free(self);
}

static void take_setting(azure_plugin *self, const kim_setting *setting)
{
    if (strcmp(setting->name, "tenant") == 0 && setting->count)
        self->tenant = kim_text_lower(self->arena, kim_text_of(setting->values[0]));
    if (strcmp(setting->name, "skip_bad_files") == 0 && setting->count)
        self->skip_bad = strcmp(setting->values[0], "true") == 0;
    if (strcmp(setting->name, "files") != 0)
        return;
    self->files = KIM_NEW_ARRAY(self->arena, const char *, setting->count + 1);
    for (uint32_t i = 0; self->files && i < setting->count; i++)
        self->files[self->file_count++] = kim_text_copy(self->arena, kim_text_of(setting->values[i])).bytes;
}

static int azure_open(const kim_host *host, const kim_settings *settings, void **instance, kim_error *err)
{
    azure_plugin *self = calloc(1, sizeof *self);
    if (self)
        self->arena = kim_arena_new(16 * 1024 * 1024);
    if (self == NULL || self->arena == NULL) {
        azure_close(self);
        return kim_fail(err, KIM_ERR_NOMEM, "azure: no memory to begin with");
    }
    self->host = host;
    self->tenant = AZURE_NO_TENANT;
    for (uint32_t i = 0; settings && i < settings->count; i++)
        take_setting(self, &settings->items[i]);
    if (kim_arena_is_full(self->arena))
        kim_fail(err, KIM_ERR_NOMEM, "azure: no memory for the settings");
    else if (azure_out_start(&self->cases, host, CASE_MAX_BYTES, err) == 0) {
        *instance = self;
        return 0;
    }
    azure_close(self);
    return -1;
}

/* One snapshot: of a document, or of all files where that is NULL. */
static int take(azure_plugin *self, const kim_document *document, kim_error *err)
{
    azure_out out;
    if (azure_out_start(&out, self->host, COLLECTION_MAX_BYTES, err) < 0)
        return -1;
    azure_reader r = {.out = &out, .tenant = self->tenant, .where = "azure", .err = err};
    int result = document ? azure_read_file(&r, document->name ? document->name : "file", (kim_text){(const char *)document->bytes, document->size})
                          : azure_collect_files(&r, self->files, self->file_count, self->skip_bad);
    if (result == 0)
        result = azure_out_flush(&out, err);
    azure_out_stop(&out);
    return result;
}

static int azure_normalise(void *instance, const kim_document *document, kim_error *err)
{
    azure_plugin *self = instance;
    if (strcmp(document->kind, "case") == 0)
        return azure_case_normalise(&self->cases, document->name, (kim_text){(const char *)document->bytes, document->size}, err);
    if (strcmp(document->kind, "file") == 0)
        return take(self, document, err);
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "azure: documents of kind '%s' are not known; known are case and file", document->kind);
}

static int azure_collect(void *instance, uint32_t mode, kim_error *err)
{
    azure_plugin *self = instance;
    (void)mode; /* a snapshot is always full */
    if (self->file_count == 0)
        return kim_fail(err, KIM_ERR_UNSUPPORTED, "azure: nothing to collect from; name files or folders in the option `files`");
    return take(self, NULL, err);
}

const kim_plugin *kim_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const kim_plugin plugin = {
        .magic = KIM_PLUGIN_MAGIC,
        .struct_size = sizeof(kim_plugin),
        .abi_major = KIM_ABI_MAJOR,
        .abi_minor = KIM_ABI_MINOR,
        .capabilities = KIM_CAN_NORMALISE | KIM_CAN_COLLECT,
        .id = "azure",
        .version = "0.1.0",
        .vendor = "kim",
        .summary = "Microsoft Azure and Entra ID: roles, assignments, deny assignments and principals of tenants and subscriptions",
        .options = options,
        .option_count = OPTIONS,
        .option_size = sizeof(kim_option),
        .open = azure_open,
        .close = azure_close,
        .recognise = azure_recognise,
        .normalise = azure_normalise,
        .collect = azure_collect,
    };
    (void)host_minor; /* minors may differ either way */
    return host_major == KIM_ABI_MAJOR ? &plugin : NULL;
}
