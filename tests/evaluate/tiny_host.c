/* SPDX-License-Identifier: Apache-2.0
 *
 * tiny_host.c - the smallest host: emit appends, nothing else is offered.
 */
#include "tests/evaluate/tiny_host.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

struct tiny_host {
    const kim_plugin *plugin;
    void *instance;
    kim_host host;
    kim_bytes records;
};

static int take(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    tiny_host *d = context;
    (void)cursor, (void)cursor_size;
    kim_bytes_append(&d->records, records, size);
    return d->records.failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for records") : 0;
}

static void hear(void *context, uint32_t level, const char *event, const char *message)
{
    (void)context;
    if (level >= KIM_LOG_WARNING)
        fprintf(stderr, "%s: %s\n", event, message);
}

static bool go_on(void *context)
{
    (void)context;
    return false;
}

static int64_t epoch(void *context)
{
    (void)context;
    return 0;
}

static void *load(const char *provider)
{
    char path[PATH_MAX];
    const char *dir = getenv("KIM_PLUGIN_DIR"), *build = getenv("KIM_BUILD_DIR");
    if (dir)
        snprintf(path, sizeof path, "%s/%s.so", dir, provider);
    else
        snprintf(path, sizeof path, "%s/.libs/%s.so", build ? build : ".", provider);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        fprintf(stderr, "%s\n", dlerror());
    return library;
}

tiny_host *tiny_host_open(const char *provider)
{
    void *library = load(provider);
    kim_plugin_entry_function *entry = library ? (kim_plugin_entry_function *)dlsym(library, "kim_plugin_entry") : NULL;
    tiny_host *d = calloc(1, sizeof *d);
    kim_error err = {0};
    if (d && entry && (d->plugin = entry(KIM_ABI_MAJOR, KIM_ABI_MINOR)) != NULL) {
        d->host = (kim_host){.struct_size = sizeof d->host, .abi_major = KIM_ABI_MAJOR, .abi_minor = KIM_ABI_MINOR,
                             .context = d, .emit = take, .log = hear, .should_stop = go_on, .now_unix_ms = epoch};
        const kim_settings none = {NULL, 0};
        if (d->plugin->open(&d->host, &none, &d->instance, &err) == 0)
            return d;
    }
    fprintf(stderr, "provider %s cannot be opened: %s\n", provider, err.message);
    exit(1);
}

void tiny_host_close(tiny_host *d)
{
    if (d == NULL)
        return;
    d->plugin->close(d->instance);
    kim_bytes_free(&d->records);
    free(d);
}

const uint8_t *tiny_host_normalise(tiny_host *d, const char *kind, const char *name, const void *bytes, size_t size,
                              size_t *records_size, kim_error *err)
{
    const kim_document document = {.kind = kind, .name = name, .bytes = bytes, .size = size};
    d->records.size = 0;
    if (d->plugin->normalise(d->instance, &document, err) < 0)
        return NULL;
    *records_size = d->records.size;
    return d->records.data ? d->records.data : (const uint8_t *)"";
}
