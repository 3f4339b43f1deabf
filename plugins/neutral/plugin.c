/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c - kim's own neutral documents as a provider: it only normalises, and keeps nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <kim/plugin.h>

#include "plugins/neutral/case.h"

enum {
    CASE_MAX_BYTES = 32 * 1024 * 1024,      /* a case of KIM_CASE_MAX_BYTES, parsed, with its records' lists */
    DOCUMENT_MAX_BYTES = 512 * 1024 * 1024, /* a whole file, parsed */
    FILE_MAX_BYTES = 64 * 1024 * 1024,
    FOLDERS_MAX_DEPTH = 32,
};

static const kim_option options[] = {
    {.name = "files", .type = KIM_OPTION_PATH, .flags = KIM_OPTION_LIST, .help = "Neutral documents to collect from, one in each file."},
    {.name = "skip_bad_files", .type = KIM_OPTION_BOOL, .default_value = "false",
     .help = "Take the rest where a file cannot be read, in place of keeping the last good snapshot."},
};

typedef struct neutral_plugin {
    kim_emitter emitter;
    const kim_host *host;
    kim_arena *arena;    /* for the case at hand */
    kim_arena *settings; /* the paths */
    const char **files;
    uint32_t file_count;
    bool skips_bad_files;
} neutral_plugin;

static void neutral_close(void *instance)
{
    neutral_plugin *self = instance;
    if (self == NULL)
        return;
    kim_emitter_stop(&self->emitter);
    kim_arena_free(self->arena);
    kim_arena_free(self->settings);
    free(self);
}

static int copy_settings(neutral_plugin *self, const kim_settings *from)
{
    for (uint32_t i = 0; from && i < from->count; i++) {
        const kim_setting *one = &from->items[i];
        if (strcmp(one->name, "skip_bad_files") == 0 && one->count)
            self->skips_bad_files = strcmp(one->values[0], "true") == 0;
        if (strcmp(one->name, "files") != 0)
            continue;
        self->files = (const char **)kim_arena_array(self->settings, one->count + 1, sizeof *self->files);
        for (uint32_t k = 0; self->files && k < one->count; k++)
            self->files[k] = kim_text_copy(self->settings, kim_text_of(one->values[k])).bytes;
        self->file_count = one->count;
    }
    return kim_arena_is_full(self->settings) ? -1 : 0;
}

static int neutral_open(const kim_host *host, const kim_settings *settings, void **instance, kim_error *err)
{
    neutral_plugin *self = calloc(1, sizeof *self);
    if (self == NULL || (self->arena = kim_arena_new(CASE_MAX_BYTES)) == NULL || (self->settings = kim_arena_new(16 * 1024 * 1024)) == NULL ||
        copy_settings(self, settings) < 0) {
        if (self) {
            kim_arena_free(self->arena);
            kim_arena_free(self->settings);
        }
        free(self);
        return kim_fail(err, KIM_ERR_NOMEM, "neutral: no memory to begin with");
    }
    self->host = host;
    kim_emitter_start(&self->emitter, host);
    *instance = self;
    return 0;
}

static int normalise_file(neutral_plugin *self, const char *name, const char *bytes, size_t size, kim_error *err)
{
    kim_arena *arena = kim_arena_new(DOCUMENT_MAX_BYTES);
    if (arena == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "%s: no memory", name);
    int result = neutral_document_normalise(&self->emitter, arena, name, bytes, size, err);
    kim_arena_free(arena);
    return result;
}

static int neutral_normalise(void *instance, const kim_document *document, kim_error *err)
{
    neutral_plugin *self = instance;
    const char *bytes = (const char *)document->bytes;
    if (strcmp(document->kind, "case") == 0)
        return neutral_case_normalise(&self->emitter, self->arena, document->name, bytes, document->size, err);
    if (strcmp(document->kind, "file") == 0)
        return normalise_file(self, document->name, bytes, document->size, err);
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "neutral: documents of kind '%s' are not known; known are case, file", document->kind);
}

static int neutral_recognise_file(const char *name, const uint8_t *head, size_t size)
{
    (void)name;
    return neutral_recognise((const char *)head, size);
}

/* The whole file; the caller frees it. NULL with err. */
static char *read_file(const char *path, size_t *size, kim_error *err)
{
    FILE *file = fopen(path, "re");
    char *bytes = file ? malloc(FILE_MAX_BYTES + 1) : NULL;
    *size = bytes ? fread(bytes, 1, FILE_MAX_BYTES + 1, file) : 0;
    bool is_whole = bytes && !ferror(file) && *size <= FILE_MAX_BYTES;
    if (file == NULL || (bytes && ferror(file)))
        kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
    else if (bytes == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "%s: no memory", path);
    else if (!is_whole)
        kim_fail(err, KIM_ERR_LIMIT, "%s: the file has more than %d bytes", path, FILE_MAX_BYTES);
    if (file)
        fclose(file);
    if (is_whole)
        return bytes;
    free(bytes);
    return NULL;
}

static int collect_file(neutral_plugin *self, const char *path, kim_error *err)
{
    size_t size;
    char *bytes = read_file(path, &size, err);
    int result = bytes ? normalise_file(self, path, bytes, size, err) : -1;
    free(bytes);
    return result;
}

/* A file that cannot be read ends the run, or is told and left out. */
static int collect_or_skip(neutral_plugin *self, const char *path, kim_error *err)
{
    kim_error why = {0};
    if (collect_file(self, path, &why) == 0)
        return 0;
    if (self->skips_bad_files && why.code != KIM_ERR_NOMEM) {
        self->host->log(self->host->context, KIM_LOG_WARNING, "file_refused", why.message);
        return 0;
    }
    *err = why;
    return -1;
}

/* Of a folder, all its documents, by name. */
static int collect_path(neutral_plugin *self, const char *path, int depth, kim_error *err)
{
    struct dirent **entries;
    int count = depth < FOLDERS_MAX_DEPTH ? scandir(path, &entries, NULL, alphasort) : -1, result = 0;
    if (count < 0)
        return collect_or_skip(self, path, err);
    for (int i = 0; i < count; i++) {
        char inner[4096];
        bool fits = (size_t)snprintf(inner, sizeof inner, "%s/%s", path, entries[i]->d_name) < sizeof inner;
        if (result == 0 && fits && entries[i]->d_name[0] != '.')
            result = collect_path(self, inner, depth + 1, err);
        free(entries[i]);
    }
    free(entries);
    return result;
}

static int neutral_collect(void *instance, uint32_t mode, kim_error *err)
{
    neutral_plugin *self = instance;
    int result = 0;
    (void)mode;
    for (uint32_t i = 0; i < self->file_count && result == 0; i++)
        result = collect_path(self, self->files[i], 0, err);
    return result;
}

const kim_plugin *kim_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const kim_plugin plugin = {
        .magic = KIM_PLUGIN_MAGIC,
        .struct_size = sizeof(kim_plugin),
        .abi_major = KIM_ABI_MAJOR,
        .abi_minor = KIM_ABI_MINOR,
        .capabilities = KIM_CAN_NORMALISE | KIM_CAN_COLLECT,
        .id = "neutral",
        .version = "0.1.0",
        .vendor = "kim",
        .summary = "Cases in kim's own words, for systems without a provider and for every combining algorithm",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .option_size = sizeof(kim_option),
        .open = neutral_open,
        .close = neutral_close,
        .recognise = neutral_recognise_file,
        .collect = neutral_collect,
        .normalise = neutral_normalise,
    };
    (void)host_minor; /* minors may differ either way */
    return host_major == KIM_ABI_MAJOR ? &plugin : NULL;
}
