/* SPDX-License-Identifier: Apache-2.0
 *
 * loader.c - what is read of a descriptor is first what both sides are sure to have.
 *
 * Magic, size and ABI stand at the front and never move. Only when they fit is the rest taken over,
 * and of it the smaller of both sizes; what lies behind is zero, which means absent everywhere.
 */
#include "agent/provider_host/loader.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

enum { OPTIONS_MAX = 256 };

/* The descriptor's front, which every version has: up to and with the id. */
#define LEAST_SIZE (offsetof(kim_plugin, id) + sizeof(const char *))
#define LEAST_OPTION_SIZE (offsetof(kim_option, help))

static bool is_identifier(const char *text)
{
    size_t size = 0;
    for (; text && text[size]; size++)
        if (!isalnum((unsigned char)text[size]) && !strchr("._-", text[size]))
            return false;
    return size > 0 && size <= 64;
}

static int check_abi(const kim_plugin *found, const char *path, kim_error *err)
{
    if (found->magic != KIM_PLUGIN_MAGIC)
        return kim_fail(err, KIM_ERR_INPUT,
                        "%s: magic is %08x and not %08x: this is no kim plugin, or its descriptor is not filled",
                        path, found->magic, KIM_PLUGIN_MAGIC);
    if (found->abi_major != KIM_ABI_MAJOR)
        return kim_fail(err, KIM_ERR_VERSION,
                        "%s: abi_major is %u, this host has %d (plugin ABI %u.%u, host ABI %d.%d); %s", path,
                        found->abi_major, KIM_ABI_MAJOR, found->abi_major, found->abi_minor, KIM_ABI_MAJOR,
                        KIM_ABI_MINOR,
                        found->abi_major > KIM_ABI_MAJOR ? "upgrade kim, or install the plugin's release for this one"
                                                         : "rebuild the plugin against this kim's headers");
    if (found->struct_size < LEAST_SIZE)
        return kim_fail(err, KIM_ERR_VERSION,
                        "%s: struct_size is %u, at least %zu is needed (plugin ABI %u.%u, host ABI %d.%d); set it to "
                        "sizeof(kim_plugin)",
                        path, found->struct_size, LEAST_SIZE, found->abi_major, found->abi_minor, KIM_ABI_MAJOR,
                        KIM_ABI_MINOR);
    return 0;
}

static int wrong(kim_error *err, const char *path, const char *field, const char *what)
{
    return kim_fail(err, KIM_ERR_INPUT, "%s: %s %s", path, field, what);
}

/* Copies the rows at the plugin's own spacing into an array at ours, which lives as long as it does. */
static int take_options(kim_plugin *plugin, const char *path, kim_error *err)
{
    const uint8_t *rows = (const uint8_t *)plugin->options;
    uint32_t count = rows ? plugin->option_count : 0, size = plugin->option_size;
    plugin->options = NULL;
    plugin->option_count = count;
    if (count == 0)
        return 0;
    if (count > OPTIONS_MAX)
        return wrong(err, path, "option_count", "is past 256");
    if (size < LEAST_OPTION_SIZE || size % sizeof(void *) != 0)
        return wrong(err, path, "option_size", "is not sizeof(kim_option)");
    kim_option *options = calloc(count, sizeof *options);
    if (!options)
        return kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for its options", path);
    plugin->options = options;
    plugin->option_size = sizeof *options;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&options[i], rows + (size_t)i * size, size < sizeof *options ? size : sizeof *options);
        if (!is_identifier(options[i].name))
            return kim_fail(err, KIM_ERR_INPUT, "%s: options[%u].name is no word of letters, digits and ._-", path, i);
        if (options[i].type < KIM_OPTION_TEXT || options[i].type > KIM_OPTION_PATH)
            return kim_fail(err, KIM_ERR_INPUT, "%s: options[%u] (%s): type %u is not known", path, i,
                            options[i].name, options[i].type);
    }
    return 0;
}

/* A capability without its function would fail only when it is used: say so now. */
static int check_functions(const kim_plugin *plugin, const char *path, kim_error *err)
{
    const struct { uint32_t capability; bool there; const char *name; } rows[] = {
        {0, plugin->open != NULL, "open"},
        {0, plugin->close != NULL, "close"},
        {KIM_CAN_NORMALISE, plugin->normalise != NULL, "normalise"},
        {KIM_CAN_COLLECT, plugin->collect != NULL, "collect"},
        {KIM_CAN_WATCH, plugin->watch != NULL, "watch"},
        {KIM_CAN_USAGE, plugin->usage != NULL, "usage"},
        {KIM_CAN_RENDER, plugin->render != NULL, "render"},
        {KIM_CAN_APPLY, plugin->apply && plugin->rollback, "apply or rollback"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!rows[i].there && (rows[i].capability == 0 || plugin->capabilities & rows[i].capability))
            return wrong(err, path, rows[i].name, rows[i].capability ? "is NULL, but its capability is set"
                                                                     : "is NULL; every plugin must have it");
    return 0;
}

int plugin_load(const char *path, kim_plugin *out, kim_error *err)
{
    void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!file)
        return kim_fail(err, KIM_ERR_NOT_FOUND, "plugin %s cannot be loaded: %s", path, dlerror());
    kim_plugin_entry_function *entry;
    *(void **)&entry = dlsym(file, "kim_plugin_entry");
    if (!entry)
        return kim_fail(err, KIM_ERR_INPUT, "%s: exports no kim_plugin_entry: this is no kim plugin", path);
    const kim_plugin *found = entry(KIM_ABI_MAJOR, KIM_ABI_MINOR);
    if (!found)
        return kim_fail(err, KIM_ERR_VERSION, "%s: says that it cannot work with host ABI %d.%d; install the release "
                        "of the plugin for this kim", path, KIM_ABI_MAJOR, KIM_ABI_MINOR);
    if (check_abi(found, path, err) < 0)
        return -1;
    memset(out, 0, sizeof *out);
    memcpy(out, found, found->struct_size < sizeof *out ? found->struct_size : sizeof *out);
    out->struct_size = sizeof *out;
    if (!is_identifier(out->id))
        return wrong(err, path, "id", "is no word of letters, digits and ._-");
    if (!out->version)
        return wrong(err, path, "version", "is NULL");
    out->vendor = out->vendor ? out->vendor : "";
    out->summary = out->summary ? out->summary : "";
    return take_options(out, path, err) < 0 ? -1 : check_functions(out, path, err);
}
