/* SPDX-License-Identifier: Apache-2.0
 *
 * describe.c - the descriptor as JSON, field by field.
 */
#include "agent/provider_host/describe.h"

#include <kim/json.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const option_types[] = {
    [KIM_OPTION_TEXT] = "text", [KIM_OPTION_INT] = "int", [KIM_OPTION_BOOL] = "bool",
    [KIM_OPTION_DURATION] = "duration", [KIM_OPTION_PATH] = "path",
};
static const struct { uint32_t bit; const char *name; } capabilities[] = {
    {KIM_CAN_NORMALISE, "normalise"}, {KIM_CAN_COLLECT, "collect"}, {KIM_CAN_WATCH, "watch"},
    {KIM_CAN_USAGE, "usage"},         {KIM_CAN_RENDER, "render"},   {KIM_CAN_APPLY, "apply"},
};

static void put(kim_json_writer *out, const char *name, const char *value)
{
    if (!value)
        return;
    kim_json_key(out, name);
    kim_json_put_string(out, value);
}

static void put_option(kim_json_writer *out, const kim_option *option)
{
    kim_json_begin_object(out);
    put(out, "name", option->name);
    put(out, "type", option_types[option->type]);
    put(out, "unit", option->unit);
    put(out, "default", option->default_value);
    if (option->min || option->max) {
        kim_json_key(out, "min");
        kim_json_put_int(out, option->min);
        kim_json_key(out, "max");
        kim_json_put_int(out, option->max);
    }
    static const struct { uint32_t bit; const char *name; } flags[] = {
        {KIM_OPTION_REQUIRED, "required"}, {KIM_OPTION_LIST, "list"}, {KIM_OPTION_SECRET, "secret"},
    };
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        kim_json_key(out, flags[i].name);
        kim_json_put_bool(out, option->flags & flags[i].bit);
    }
    put(out, "help", option->help);
    kim_json_end_object(out);
}

static void put_all(kim_json_writer *out, const kim_plugin *plugin)
{
    char abi[32];
    snprintf(abi, sizeof abi, "%u.%u", plugin->abi_major, plugin->abi_minor);
    kim_json_begin_object(out);
    put(out, "id", plugin->id);
    put(out, "version", plugin->version);
    put(out, "vendor", plugin->vendor);
    put(out, "summary", plugin->summary);
    put(out, "abi", abi);
    kim_json_key(out, "capabilities");
    kim_json_begin_array(out);
    for (size_t i = 0; i < sizeof capabilities / sizeof capabilities[0]; i++)
        if (plugin->capabilities & capabilities[i].bit)
            kim_json_put_string(out, capabilities[i].name);
    kim_json_end_array(out);
    kim_json_key(out, "hosts");
    kim_json_begin_array(out);
    for (size_t i = 0; plugin->hosts && plugin->hosts[i]; i++)
        kim_json_put_string(out, plugin->hosts[i]);
    kim_json_end_array(out);
    kim_json_key(out, "options");
    kim_json_begin_array(out);
    for (uint32_t i = 0; i < plugin->option_count; i++)
        put_option(out, &plugin->options[i]);
    kim_json_end_array(out);
    kim_json_end_object(out);
    kim_json_end_line(out);
}

int plugin_describe(const kim_plugin *plugin, kim_error *err)
{
    kim_json_writer *out = kim_json_writer_new(true);
    if (!out)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to describe a plugin");
    put_all(out, plugin);
    size_t size;
    const char *bytes = kim_json_writer_bytes(out, &size, err);
    int result = bytes ? 0 : -1;
    if (bytes && (fwrite(bytes, 1, size, stdout) != size || fflush(stdout) != 0))
        result = kim_fail(err, KIM_ERR_IO, "standard output: %s", strerror(errno));
    kim_json_writer_free(out);
    return result;
}
