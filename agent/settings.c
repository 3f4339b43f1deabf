/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.c - every setting is a row; what is not in a table is refused by its name and line.
 */
#include "agent/settings.h"

#include "agent/ship/link.h"
#include "sdk/fs.h"

#include <kim/limits.h>
#include <kim/text.h>

#include <ctype.h>
#include <inttypes.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX_BYTES = 1024 * 1024, ARENA_MAX_BYTES = 16 * 1024 * 1024 };
enum { TEXT, DURATION, BYTES, BOOL, KEY, SPECIAL }; /* SPECIAL: read by its own function */

typedef struct row {
    const char *name;
    int kind;
    size_t offset;
    const char *otherwise; /* NULL: it must be set; "": none */
    int64_t min, max;
} row;

#define AT(member) offsetof(settings, member)
static const row top[] = {
    {"controller", TEXT, AT(controller), NULL, 0, 0},
    {"controller_key", KEY, AT(controller_key), NULL, 0, 0},
    {"controller_enrol", TEXT, AT(controller_enrol), "", 0, 0},
    {"state_dir", TEXT, AT(state_dir), "/var/lib/kim-agent", 0, 0},
    {"log_level", TEXT, AT(log_level), "info", 0, 0},
    {"spool_max_bytes", BYTES, AT(spool_max_bytes), "1G", 1 << 20, INT64_MAX},
    {"spool_segment_bytes", BYTES, AT(spool_segment_bytes), "8M", 4096, 1 << 30},
    {"heartbeat", DURATION, AT(heartbeat_ms), "15s", 100, 600000},
    {"providers", SPECIAL, 0, "", 0, 0},
};
#undef AT
#define AT(member) offsetof(provider_settings, member)
static const row provider_rows[] = {
    {"name", TEXT, AT(name), NULL, 0, 0},
    {"plugin", TEXT, AT(plugin), NULL, 0, 0},
    {"interval", DURATION, AT(interval_ms), "15m", 10, 7 * 86400000LL},
    {"usage_interval", DURATION, AT(usage_interval_ms), "5m", 10, 7 * 86400000LL},
    {"timeout", DURATION, AT(timeout_ms), "1h", 100, 7 * 86400000LL},
    {"usage", BOOL, AT(usage), "true", 0, 0},
    {"options", SPECIAL, 0, "", 0, 0},
    {"http", SPECIAL, 0, "", 0, 0},
};
#undef AT
enum { TOP_ROWS = sizeof top / sizeof top[0], PROVIDER_ROWS = sizeof provider_rows / sizeof provider_rows[0] };

static int wrong(const char *path, const config_setting_t *at, kim_error *err, const char *what)
{
    return kim_fail(err, KIM_ERR_INPUT, "%s:%u: %s: %s", path, (unsigned)config_setting_source_line(at),
                    config_setting_name(at) ? config_setting_name(at) : "value", what);
}

/* A value as written in the file, whatever its type; NULL for groups and lists. */
static const char *as_text(const config_setting_t *at, kim_arena *arena)
{
    switch (config_setting_type(at)) {
    case CONFIG_TYPE_STRING:
        return kim_text_copy(arena, kim_text_of(config_setting_get_string(at))).bytes;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return kim_text_format(arena, "%lld", config_setting_get_int64(at)).bytes;
    case CONFIG_TYPE_BOOL:
        return config_setting_get_bool(at) ? "true" : "false";
    case CONFIG_TYPE_FLOAT:
        return kim_text_format(arena, "%g", config_setting_get_float(at)).bytes;
    default:
        return NULL;
    }
}

/* "5m" to ms, "64M" to bytes; false: is none. */
static bool parse_amount(const char *text, bool is_time, int64_t *out)
{
    static const struct { const char *unit; bool is_time; int64_t factor; } units[] = {
        {"ms", true, 1}, {"s", true, 1000}, {"m", true, 60000}, {"h", true, 3600000}, {"d", true, 86400000},
        {"", false, 1}, {"K", false, 1 << 10}, {"M", false, 1 << 20}, {"G", false, 1 << 30},
    };
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || value < 0)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].is_time == is_time && !strcmp(end, units[i].unit))
            return !__builtin_mul_overflow(value, units[i].factor, out);
    return false;
}

/* Puts one value; NULL, or what is wrong with it. */
static const char *put_value(const row *r, const char *text, void *to)
{
    uint8_t *at = (uint8_t *)to + r->offset;
    int64_t amount;
    switch (r->kind) {
    case TEXT:
        *(const char **)at = *text ? text : NULL;
        return NULL;
    case KEY:
        *(const char **)at = text;
        return link_is_key(text) ? NULL : "is no CURVE key (40 characters of Z85, as kim-controller prints it)";
    case BOOL:
        *(bool *)at = !strcmp(text, "true");
        return *(bool *)at || !strcmp(text, "false") ? NULL : "is not true or false";
    case DURATION:
        if (!parse_amount(text, true, &amount))
            return "is no duration; write a number and ms, s, m, h or d in quotes, such as \"5m\"";
        break;
    default:
        if (!parse_amount(text, false, &amount))
            return "is no size; write a number of bytes, or one with K, M or G in quotes";
    }
    *(int64_t *)at = amount;
    return amount < r->min || amount > r->max ? "is out of bounds" : NULL;
}

static const row *row_named(const row *rows, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (name && !strcmp(rows[i].name, name))
            return &rows[i];
    return NULL;
}

static int read_rows(const config_setting_t *group, const row *rows, size_t count, void *to, const char *path,
                     kim_arena *arena, kim_error *err)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *at = config_setting_get_elem(group, (unsigned)i);
        if (!row_named(rows, count, config_setting_name(at)))
            return wrong(path, at, err, "is not known here; see etc/kim-agent.conf for what there is");
    }
    for (size_t i = 0; i < count; i++) {
        if (rows[i].kind == SPECIAL)
            continue;
        const config_setting_t *at = config_setting_get_member(group, rows[i].name);
        if (!at && !rows[i].otherwise)
            return kim_fail(err, KIM_ERR_INPUT, "%s:%u: '%s' is missing", path,
                            (unsigned)config_setting_source_line(group), rows[i].name);
        const char *text = at ? as_text(at, arena) : rows[i].otherwise;
        const char *fault = text ? put_value(&rows[i], text, to) : "is a group or list; one value is expected";
        if (fault && at)
            return wrong(path, at, err, fault);
    }
    return 0;
}

/* { file = "..."; } or { env = "..."; } */
static int read_secret(const config_setting_t *at, provider_settings *p, const char *path, kim_arena *arena, kim_error *err)
{
    const char *file = NULL, *env = NULL;
    config_setting_lookup_string(at, "file", &file);
    config_setting_lookup_string(at, "env", &env);
    if (!file == !env || config_setting_length(at) != 1)
        return wrong(path, at, err, "a secret is { file = \"/path\"; } or { env = \"NAME\"; }");
    secret_place *place = &p->secrets[p->secret_count++];
    place->option = kim_text_copy(arena, kim_text_of(config_setting_name(at))).bytes;
    place->file = kim_text_copy(arena, kim_text_of(file)).bytes;
    place->env = kim_text_copy(arena, kim_text_of(env)).bytes;
    return 0;
}

static int read_option(const config_setting_t *at, const char *prefix, provider_settings *p, const char *path,
                       kim_arena *arena, kim_error *err)
{
    host_setting *option = &p->options[p->option_count++];
    option->name = kim_text_format(arena, "%s%s", prefix, config_setting_name(at)).bytes;
    if (config_setting_is_group(at)) {
        option->secret = true;
        return read_secret(at, p, path, arena, err);
    }
    bool is_list = config_setting_is_list(at) || config_setting_is_array(at);
    option->count = is_list ? (uint32_t)config_setting_length(at) : 1;
    const char **values = KIM_NEW_ARRAY(arena, const char *, option->count + 1);
    for (uint32_t i = 0; values && i < option->count; i++) {
        values[i] = as_text(is_list ? config_setting_get_elem(at, i) : at, arena);
        if (!values[i])
            return wrong(path, at, err, "holds something else than texts, numbers and booleans");
    }
    option->values = values;
    return 0;
}

static int read_options(const config_setting_t *group, provider_settings *p, const char *path, kim_arena *arena, kim_error *err)
{
    const struct { const char *name, *prefix; } parts[] = {{"options", ""}, {"http", "http."}};
    size_t total = 0;
    for (int part = 0; part < 2; part++) {
        const config_setting_t *from = config_setting_get_member(group, parts[part].name);
        if (from && !config_setting_is_group(from))
            return wrong(path, from, err, "must be a group: { name = value; ... }");
        total += from ? (size_t)config_setting_length(from) : 0;
    }
    p->options = KIM_NEW_ARRAY(arena, host_setting, total + 1);
    p->secrets = KIM_NEW_ARRAY(arena, secret_place, total + 1);
    if (!p->options || !p->secrets)
        return kim_fail(err, KIM_ERR_NOMEM, "%s: no memory", path);
    for (int part = 0; part < 2; part++) {
        const config_setting_t *from = config_setting_get_member(group, parts[part].name);
        for (int i = 0; from && i < config_setting_length(from); i++)
            if (read_option(config_setting_get_elem(from, (unsigned)i), parts[part].prefix, p, path, arena, err) < 0)
                return -1;
    }
    return 0;
}

static bool is_name(const char *text)
{
    size_t size = strlen(text);
    return size > 0 && size <= 64 && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == size &&
           text[0] != '.';
}

static int read_providers(const config_setting_t *list, settings *out, const char *path, kim_error *err)
{
    if (!config_setting_is_list(list))
        return wrong(path, list, err, "must be a list: ( { name = ...; plugin = ...; }, ... )");
    if (config_setting_length(list) > SETTINGS_MAX_PROVIDERS)
        return wrong(path, list, err, "an agent has at most 32 providers");
    for (int i = 0; i < config_setting_length(list); i++) {
        const config_setting_t *at = config_setting_get_elem(list, (unsigned)i);
        provider_settings *p = &out->providers[out->provider_count++];
        if (!config_setting_is_group(at))
            return wrong(path, at, err, "must be a group: { name = ...; plugin = ...; }");
        if (read_rows(at, provider_rows, PROVIDER_ROWS, p, path, out->arena, err) < 0 ||
            read_options(at, p, path, out->arena, err) < 0)
            return -1;
        if (!is_name(p->name))
            return wrong(path, config_setting_get_member(at, "name"), err, "is no word of letters, digits and ._-");
        for (size_t j = 0; j + 1 < out->provider_count; j++)
            if (!strcmp(out->providers[j].name, p->name))
                return wrong(path, config_setting_get_member(at, "name"), err, "is the name of another provider too");
    }
    return 0;
}

/* The port behind the data's, where none is named. */
static int guess_enrol(settings *out, const char *path, kim_error *err)
{
    const char *colon = strrchr(out->controller, ':');
    char *end = NULL;
    long port = colon ? strtol(colon + 1, &end, 10) : 0;
    if (strncmp(out->controller, "tcp://", 6) || port <= 0 || port > 65535 || *end)
        return kim_fail(err, KIM_ERR_INPUT, "%s: controller: '%s' is no endpoint; write tcp://HOST:PORT", path, out->controller);
    if (!out->controller_enrol)
        out->controller_enrol = kim_text_format(out->arena, "%.*s:%ld", (int)(colon - out->controller), out->controller,
                                                port + 1).bytes;
    return 0;
}

static int read_all(config_t *file, const char *path, settings *out, kim_error *err)
{
    const config_setting_t *root = config_root_setting(file), *list = config_setting_get_member(root, "providers");
    if (read_rows(root, top, TOP_ROWS, out, path, out->arena, err) < 0 || guess_enrol(out, path, err) < 0)
        return -1;
    if (list && read_providers(list, out, path, err) < 0)
        return -1;
    return kim_arena_is_full(out->arena) ? kim_fail(err, KIM_ERR_NOMEM, "%s: no memory", path) : 0;
}

int settings_load(const char *path, settings *out, kim_error *err)
{
    kim_bytes text = {0};
    memset(out, 0, sizeof *out);
    if (kim_file_read(path, FILE_MAX_BYTES, &text, err) < 0)
        return -1;
    config_t file;
    config_init(&file);
    out->arena = kim_arena_new(ARENA_MAX_BYTES);
    int result = -1;
    if (!out->arena)
        kim_fail(err, KIM_ERR_NOMEM, "%s: no memory", path);
    else if (!config_read_string(&file, text.data ? (const char *)text.data : ""))
        kim_fail(err, KIM_ERR_INPUT, "%s:%d: %s", path, config_error_line(&file), config_error_text(&file));
    else
        result = read_all(&file, path, out, err);
    config_destroy(&file);
    kim_bytes_free(&text);
    if (result < 0)
        settings_free(out);
    return result;
}

void settings_free(settings *s)
{
    kim_arena_free(s->arena);
    memset(s, 0, sizeof *s);
}
