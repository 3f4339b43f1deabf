/* SPDX-License-Identifier: Apache-2.0
 *
 * settings.c - one row an option; the file, its checks and its sample all walk the rows.
 */
#include "controller/settings.h"

#include <errno.h>
#include <libconfig.h>
#include <limits.h>
#include <stdlib.h>

typedef enum option_type { TEXT, BOOL, NUMBER, DURATION } option_type;

typedef struct option {
    const char *name;
    option_type type;
    size_t offset;             /* in settings */
    const char *default_value; /* as written in a file, without quotes */
    int64_t min, max;          /* of a number or a duration (ms) */
    const char *help;
} option;

#define OPTION(name, type, value, min, max, help) {#name, type, offsetof(settings, name), value, min, max, help}
#define DURATION_OPTION(name, value, min, max, help) \
    {#name, DURATION, offsetof(settings, name##_ms), value, min, max, help}

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };

static const option options[] = {
    OPTION(state_dir, TEXT, "/var/lib/kim-controller", 0, 0,
           "Folder of the controller's keys and of its store; made with mode 0700."),
    OPTION(socket, TEXT, "/run/kim-controller/api.sock", 0, 0, "The API's Unix socket."),
    OPTION(listen, TEXT, "tcp://0.0.0.0:7601", 0, 0, "Where enrolled agents connect; port 0: a free one."),
    OPTION(listen_enrol, TEXT, "tcp://0.0.0.0:7602", 0, 0,
           "Where new agents bring their tokens; empty: nobody can enrol."),
    OPTION(approve_by_hand, BOOL, "false", 0, 0,
           "An agent that enrolled waits for `kim agent approve NAME`."),
    DURATION_OPTION(token_lifetime, "24h", MINUTE_MS, INT64_C(30) * 24 * HOUR_MS, "How long an enrolment token is good."),
    DURATION_OPTION(spread, "0s", 0, HOUR_MS,
                    "Over how long agents spread their return after a restart; 0s: by their number."),
    OPTION(store_max_bytes, NUMBER, "0", 0, INT64_MAX, "What the store may grow to; 0: as far as the disk goes."),
    DURATION_OPTION(rebuild_after, "200ms", 0, MINUTE_MS,
                    "How long a burst of snapshots may grow before the estate is built from it."),
    OPTION(catalogues, TEXT, KIM_DATA_DIR "/catalogue", 0, 0, "Folder of the action catalogues."),
    OPTION(log_level, TEXT, "info", 0, 0, "debug, info, warning or error."),
};
enum { OPTIONS = sizeof options / sizeof *options };

/* ---- values ---- */

static int parse_number(const char *text, int64_t *out, const char **end)
{
    errno = 0;
    char *stopped;
    long long value = strtoll(text, &stopped, 10);
    if (stopped == text || errno)
        return -1;
    *out = value;
    *end = stopped;
    return 0;
}

static int parse_duration(const char *text, int64_t *out)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", SECOND_MS}, {"m", MINUTE_MS}, {"h", HOUR_MS}, {"d", INT64_C(24) * HOUR_MS}};
    int64_t value;
    const char *unit;
    if (parse_number(text, &value, &unit) < 0)
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(unit, units[i].unit) == 0)
            return __builtin_mul_overflow(value, units[i].ms, out) ? -1 : 0;
    return -1;
}

static int set_text(char **at, const char *value, kim_error *err)
{
    char *copy = strdup(value);
    if (!copy)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the configuration");
    free(*at);
    *at = copy;
    return 0;
}

static int set_bool(bool *at, const char *name, const char *value, const char *where, kim_error *err)
{
    bool is_true = strcmp(value, "true") == 0;
    if (!is_true && strcmp(value, "false") != 0)
        return kim_fail(err, KIM_ERR_INPUT, "%s: %s is '%s'; write true or false", where, name, value);
    *at = is_true;
    return 0;
}

static int set_number(int64_t *at, const option *o, const char *value, const char *where, kim_error *err)
{
    int64_t number;
    const char *end = "";
    bool is_read = o->type == DURATION ? parse_duration(value, &number) == 0
                                       : parse_number(value, &number, &end) == 0 && *end == 0;
    if (!is_read)
        return kim_fail(err, KIM_ERR_INPUT, "%s: %s '%s' is no %s", where, o->name, value,
                        o->type == DURATION ? "duration; write a number and ms, s, m, h or d, such as \"5m\"" : "number");
    if (number < o->min || number > o->max)
        return kim_fail(err, KIM_ERR_INPUT, "%s: %s %s is out of bounds: from %lld to %lld%s", where, o->name,
                        value, (long long)o->min, (long long)o->max, o->type == DURATION ? " ms" : "");
    *at = number;
    return 0;
}

static int set(settings *to, const option *o, const char *value, const char *where, kim_error *err)
{
    void *at = (char *)to + o->offset;
    switch (o->type) {
    case TEXT:
        return set_text(at, value, err);
    case BOOL:
        return set_bool(at, o->name, value, where, err);
    default:
        return set_number(at, o, value, where, err);
    }
}

static const option *find(const char *name)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
    return NULL;
}

int settings_set(settings *to, const char *name, const char *value, const char *where, kim_error *err)
{
    const option *o = find(name);
    return o ? set(to, o, value, where, err)
             : kim_fail(err, KIM_ERR_INPUT, "%s: there is no option %s", where, name);
}

/* ---- the file ---- */

static int read_setting(settings *to, const config_setting_t *setting, const char *path, kim_error *err)
{
    char where[PATH_MAX + 16], number[32];
    const char *name = config_setting_name(setting), *value = number;
    const char *file = config_setting_source_file(setting);
    snprintf(where, sizeof where, "%s:%u", file ? file : path, config_setting_source_line(setting));
    const option *o = find(name);
    if (!o)
        return kim_fail(err, KIM_ERR_INPUT, "%s: there is no option '%s'; kim-controller --print-sample lists them",
                        where, name);
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_STRING:
        value = config_setting_get_string(setting);
        break;
    case CONFIG_TYPE_BOOL:
        value = config_setting_get_bool(setting) ? "true" : "false";
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        snprintf(number, sizeof number, "%lld", (long long)config_setting_get_int64(setting));
        break;
    default:
        return kim_fail(err, KIM_ERR_INPUT, "%s: %s takes one value, not a list or a group", where, name);
    }
    return set(to, o, value, where, err);
}

static int read_settings(settings *to, const char *path, kim_error *err)
{
    config_t file;
    int result = 0;
    config_init(&file);
    if (config_read_file(&file, path) != CONFIG_TRUE) {
        result = config_error_type(&file) == CONFIG_ERR_PARSE
                     ? kim_fail(err, KIM_ERR_INPUT, "%s:%d: %s", config_error_file(&file) ? config_error_file(&file) : path,
                                config_error_line(&file), config_error_text(&file))
                     : kim_fail(err, KIM_ERR_IO, "%s: cannot read the configuration: %s", path,
                                errno ? strerror(errno) : config_error_text(&file));
    } else {
        const config_setting_t *root = config_root_setting(&file);
        for (int i = 0; i < config_setting_length(root) && result == 0; i++)
            result = read_setting(to, config_setting_get_elem(root, (unsigned)i), path, err);
    }
    config_destroy(&file);
    return result;
}

static int copy_texts(settings *into, const settings *from, kim_error *err)
{
    *into = *from;
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].type == TEXT)
            *(char **)((char *)into + options[i].offset) = NULL;
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].type == TEXT &&
            set_text((char **)((char *)into + options[i].offset), *(char *const *)((const char *)from + options[i].offset), err) < 0) {
            settings_free(into);
            return -1;
        }
    return 0;
}

int settings_load(settings *to, const char *path, kim_error *err)
{
    settings read;
    if (copy_texts(&read, to, err) < 0)
        return -1;
    if (read_settings(&read, path, err) < 0) {
        settings_free(&read);
        return -1;
    }
    settings_free(to);
    *to = read;
    return 0;
}

int settings_defaults(settings *to, kim_error *err)
{
    *to = (settings){0};
    for (size_t i = 0; i < OPTIONS; i++)
        if (set(to, &options[i], options[i].default_value, "default", err) < 0) {
            settings_free(to);
            return -1;
        }
    return 0;
}

void settings_free(settings *to)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].type == TEXT)
            free(*(char **)((char *)to + options[i].offset));
    *to = (settings){0};
}

void settings_print_sample(FILE *out)
{
    fputs("# kim-controller.conf - every option at its default. Check with kim-controller --check.\n", out);
    for (size_t i = 0; i < OPTIONS; i++) {
        const char *quote = options[i].type == TEXT || options[i].type == DURATION ? "\"" : "";
        fprintf(out, "\n# %s\n#%s = %s%s%s;\n", options[i].help, options[i].name, quote, options[i].default_value, quote);
    }
}
