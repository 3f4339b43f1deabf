/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.c - the Kubernetes provider as the host sees it.
 */
#include <stdlib.h>

#include <kim/limits.h>

#include "plugins/kubernetes/case.h"
#include "plugins/kubernetes/files.h"

enum {
    CASE_MAX_BYTES = 64 * 1024 * 1024,       /* a case of KIM_CASE_MAX_BYTES, parsed */
    SCRATCH_MAX_BYTES = 128 * 1024 * 1024,   /* the products of one rule: K8S_RULE_MAX_RESOURCES of them */
    CLUSTER_MAX_BYTES = 2000 * 1024 * 1024,  /* all files of a cluster, parsed */
};

static const kim_option options[] = {
    {.name = "files", .type = KIM_OPTION_PATH, .flags = KIM_OPTION_LIST,
     .help = "Files and folders to collect from: what kubectl get -o json or -o yaml printed, and manifests."},
    {.name = "skip_bad_files", .type = KIM_OPTION_BOOL, .default_value = "false",
     .help = "Take the rest where a file cannot be read, in place of keeping the last good snapshot."},
    {.name = "cluster", .type = KIM_OPTION_TEXT, .default_value = "cluster",
     .help = "How the cluster is called: its scope is k8s:CLUSTER. Without a slash."},
    {.name = "namespace", .type = KIM_OPTION_TEXT, .default_value = "default",
     .help = "The namespace of objects in manifests that do not say it, as kubectl apply would take it from its context."},
};
enum { OPTIONS = sizeof options / sizeof *options };

typedef struct k8s_plugin {
    const kim_host *host;
    kim_emitter cases;        /* the emitter and the arenas of cases, kept from case to case */
    kim_arena *case_arena, *case_scratch;
    kim_arena *settings_arena;
    kim_settings settings;
} k8s_plugin;

static int copy_settings(k8s_plugin *self, const kim_settings *from)
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

static kim_setting setting(const k8s_plugin *self, const char *name)
{
    for (uint32_t i = 0; i < self->settings.count; i++)
        if (strcmp(self->settings.items[i].name, name) == 0)
            return self->settings.items[i];
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0 && options[i].default_value)
            return (kim_setting){options[i].name, &options[i].default_value, 1};
    return (kim_setting){name, NULL, 0};
}

static void k8s_close(void *instance)
{
    k8s_plugin *self = instance;
    if (self == NULL)
        return;
    kim_emitter_stop(&self->cases);
    kim_arena_free(self->case_arena);
    kim_arena_free(self->case_scratch);
    kim_arena_free(self->settings_arena);
    free(self);
}

static int k8s_open(const kim_host *host, const kim_settings *settings, void **instance, kim_error *err)
{
    static const kim_settings none;
    k8s_plugin *self = calloc(1, sizeof *self);
    if (self) {
        self->host = host;
        kim_emitter_start(&self->cases, host);
        self->case_arena = kim_arena_new(CASE_MAX_BYTES);
        self->case_scratch = kim_arena_new(SCRATCH_MAX_BYTES);
        self->settings_arena = kim_arena_new(1024 * 1024);
    }
    if (self == NULL || self->case_arena == NULL || self->case_scratch == NULL || self->settings_arena == NULL ||
        copy_settings(self, settings ? settings : &none) < 0) {
        k8s_close(self);
        return kim_fail(err, KIM_ERR_NOMEM, "kubernetes: no memory to begin with");
    }
    const char *cluster = setting(self, "cluster").values[0];
    if (*cluster == '\0' || strchr(cluster, '/')) {
        kim_fail(err, KIM_ERR_INPUT, "option 'cluster' is '%.64s'; write a name without a slash", cluster);
        k8s_close(self);
        return -1;
    }
    *instance = self;
    return 0;
}

static int k8s_plugin_recognise(const char *name, const uint8_t *head, size_t size)
{
    (void)name;
    return k8s_recognise((kim_text){(const char *)head, size});
}

/* Files to records: with a document its bytes, else those below the option `files`. */
static int read_cluster(k8s_plugin *self, const kim_document *document, kim_error *err)
{
    kim_emitter emitter;
    kim_setting skip = setting(self, "skip_bad_files");
    k8s_files from = {.paths = setting(self, "files"), .namespace = kim_text_of(setting(self, "namespace").values[0]),
                      .skip_bad = skip.count && strcmp(skip.values[0], "true") == 0};
    k8s_out out = {.emitter = &emitter, .arena = kim_arena_new(CLUSTER_MAX_BYTES), .scratch = kim_arena_new(SCRATCH_MAX_BYTES),
                   .cluster = kim_text_of(setting(self, "cluster").values[0]), .leaves_out = true};
    int result = -1;
    kim_emitter_start(&emitter, self->host);
    if (out.arena == NULL || out.scratch == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "kubernetes: no memory to read files");
    else if (document)
        result = k8s_normalise_file(&out, &from, document->name, (kim_text){(const char *)document->bytes, document->size}, err);
    else
        result = k8s_collect_files(&out, &from, err);
    if (result == 0)
        result = kim_emit_flush(&emitter, NULL, 0, err);
    kim_emitter_stop(&emitter);
    kim_arena_free(out.arena);
    kim_arena_free(out.scratch);
    return result;
}

static int k8s_normalise(void *instance, const kim_document *document, kim_error *err)
{
    k8s_plugin *self = instance;
    if (strcmp(document->kind, "case") == 0)
        return k8s_case_normalise(&self->cases, self->case_arena, self->case_scratch, document->name, (const char *)document->bytes,
                                  document->size, err);
    if (strcmp(document->kind, "file") == 0)
        return read_cluster(self, document, err);
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "kubernetes: documents of kind '%s' are not known; known are case, file", document->kind);
}

static int k8s_collect(void *instance, uint32_t mode, kim_error *err)
{
    k8s_plugin *self = instance;
    (void)mode; /* files say nothing of what changed */
    if (setting(self, "files").count == 0)
        return kim_fail(err, KIM_ERR_INPUT, "kubernetes: option 'files' is empty; name what kubectl get -o json printed");
    return read_cluster(self, NULL, err);
}

const kim_plugin *kim_plugin_entry(uint32_t host_major, uint32_t host_minor)
{
    static const kim_plugin plugin = {
        .magic = KIM_PLUGIN_MAGIC,
        .struct_size = sizeof(kim_plugin),
        .abi_major = KIM_ABI_MAJOR,
        .abi_minor = KIM_ABI_MINOR,
        .capabilities = KIM_CAN_NORMALISE | KIM_CAN_COLLECT,
        .id = "kubernetes",
        .version = "0.1.0",
        .vendor = "kim",
        .summary = "Kubernetes: roles, bindings, service accounts and who may act as whom in clusters",
        .options = options,
        .option_count = OPTIONS,
        .option_size = sizeof(kim_option),
        .open = k8s_open,
        .close = k8s_close,
        .recognise = k8s_plugin_recognise,
        .normalise = k8s_normalise,
        .collect = k8s_collect,
    };
    (void)host_minor; /* minors may differ either way */
    return host_major == KIM_ABI_MAJOR ? &plugin : NULL;
}
