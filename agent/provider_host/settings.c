/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.c - one walk over the options' rows, and one over what was given.
 *
 * What was given is looked up in the rows first, so that a misspelt name is the first thing the
 * operator hears of. Then each row takes its values, or its default, through one parser by type.
 */
#include "agent/provider_host/settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [KIM_OPTION_TEXT] = "text", [KIM_OPTION_INT] = "a whole number", [KIM_OPTION_BOOL] = "true or false",
    [KIM_OPTION_DURATION] = "a duration such as 30s, 5m or 2h", [KIM_OPTION_PATH] = "a path",
};

static const kim_option *option_named(const kim_plugin *plugin, kim_text name)
{
    for (uint32_t i = 0; i < plugin->option_count; i++)
        if (kim_text_is(name, plugin->options[i].name))
            return &plugin->options[i];
    return NULL;
}

static int refuse_unknown(const kim_plugin *plugin, kim_text name, kim_error *err)
{
    char known[320] = "";
    size_t size = 0;
    for (uint32_t i = 0; i < plugin->option_count && size < sizeof known - 80; i++)
        size += (size_t)snprintf(known + size, sizeof known - size, "%s%s", i ? ", " : "", plugin->options[i].name);
    return kim_fail(err, KIM_ERR_INPUT, "option '%.*s' is not known to provider %s %s; it has: %s", KIM_PRINT(name),
                    plugin->id, plugin->version, *known ? known : "none");
}

/* "42" or, for a duration, "5m": the number, in ms for a duration. false: is none. */
static bool parse_number(const char *text, bool is_duration, int64_t *number)
{
    static const struct { const char *unit; int64_t ms; } units[] = {
        {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
    };
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || errno || text[0] == '+' || text[0] == ' ')
        return false;
    *number = value;
    if (!is_duration)
        return *end == '\0';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (!strcmp(end, units[i].unit))
            return value >= 0 && !__builtin_mul_overflow(value, units[i].ms, number);
    return false;
}

/* One value by its row's type, as the plugin gets it; NULL with err. */
static const char *parse_value(const kim_option *option, kim_text text, kim_arena *arena, kim_error *err)
{
    const char *value = kim_text_copy(arena, text).bytes;
    if (!value) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for option '%s'", option->name);
        return NULL;
    }
    bool is_duration = option->type == KIM_OPTION_DURATION, good = strlen(value) == text.size;
    if (option->type == KIM_OPTION_BOOL)
        good = good && (!strcmp(value, "true") || !strcmp(value, "false"));
    if (option->type == KIM_OPTION_PATH)
        good = good && *value;
    int64_t number = 0;
    bool is_number = is_duration || option->type == KIM_OPTION_INT;
    if (is_number)
        good = good && parse_number(value, is_duration, &number);
    if (!good) {
        kim_fail(err, KIM_ERR_INPUT, "option '%s': '%s' is not %s", option->name, value, type_names[option->type]);
        return NULL;
    }
    if (is_number && (option->min || option->max) && (number < option->min || number > option->max)) {
        const char *unit = is_duration ? "ms" : option->unit ? option->unit : "";
        kim_fail(err, KIM_ERR_INPUT, "option '%s': %s is out of bounds; from %" PRId64 " to %" PRId64 " %s",
                 option->name, value, option->min, option->max, unit);
        return NULL;
    }
    return is_duration ? kim_text_format(arena, "%" PRId64, number).bytes : value;
}

static int take(const kim_option *option, const kim_text *values, uint32_t count, kim_arena *arena,
                kim_setting *out, kim_error *err)
{
    if (count != 1 && !(option->flags & KIM_OPTION_LIST))
        return kim_fail(err, KIM_ERR_INPUT, "option '%s' takes one value, not a list", option->name);
    const char **taken = KIM_NEW_ARRAY(arena, const char *, count ? count : 1);
    if (!taken)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for option '%s'", option->name);
    for (uint32_t i = 0; i < count; i++)
        if (!(taken[i] = parse_value(option, values[i], arena, err)))
            return -1;
    *out = (kim_setting){option->name, taken, count};
    return 0;
}

static int check_given(const kim_plugin *plugin, const setting_given *given, size_t count, kim_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const kim_option *option = option_named(plugin, given[i].name);
        if (!option)
            return refuse_unknown(plugin, given[i].name, err);
        if (option->flags & KIM_OPTION_SECRET && !given[i].secret)
            return kim_fail(err, KIM_ERR_INPUT, "option '%s' is a secret: do not write it down here, but where it is: "
                            "%s = { file = \"/path\"; } or { env = \"NAME\"; }", option->name, option->name);
        if (given[i].secret && !(option->flags & KIM_OPTION_SECRET))
            return kim_fail(err, KIM_ERR_INPUT, "option '%s' is no secret: write its value, %s", option->name,
                            type_names[option->type]);
        for (size_t j = 0; j < i; j++)
            if (kim_text_equal(given[i].name, given[j].name))
                return kim_fail(err, KIM_ERR_INPUT, "option '%s' is given twice", option->name);
    }
    return 0;
}

int settings_check(const kim_plugin *plugin, const setting_given *given, size_t count, kim_arena *arena,
                   kim_settings *out, kim_error *err)
{
    if (check_given(plugin, given, count, err) < 0)
        return -1;
    kim_setting *items = KIM_NEW_ARRAY(arena, kim_setting, plugin->option_count + 1);
    if (!items)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the settings");
    uint32_t filled = 0;
    for (uint32_t i = 0; i < plugin->option_count; i++) {
        const kim_option *option = &plugin->options[i];
        const setting_given *found = NULL;
        for (size_t g = 0; g < count; g++)
            if (kim_text_is(given[g].name, option->name))
                found = &given[g];
        if (!found && option->flags & KIM_OPTION_REQUIRED)
            return kim_fail(err, KIM_ERR_INPUT, "option '%s' is missing (%s): %s", option->name,
                            type_names[option->type], option->help ? option->help : "set it");
        if (found ? found->secret : !option->default_value)
            continue;
        kim_text otherwise = kim_text_of(option->default_value);
        if (take(option, found ? found->values : &otherwise, found ? found->count : 1, arena, &items[filled], err) < 0)
            return -1;
        filled++;
    }
    *out = (kim_settings){items, filled};
    return 0;
}
