/* SPDX-License-Identifier: Apache-2.0
 *
 * live_host.c - the smallest host that a provider can collect in: the real HTTP service over real
 * connections, and every record printed as a JSON line.
 *
 *   live_host PLUGIN.so NAME=VALUE ...    a list is given value by value; secrets: environment SECRET_NAME
 *
 * With CURSOR=FILE in the environment it reads usage on from the cursor in that file, and keeps it there.
 * Ends with 0; or with 1 and "error=CODE MESSAGE" on standard error. Waits take a hundredth of their
 * time, so that a test of patience is short. RECORD and REPLAY in the environment name a recording.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kim/plugin.h>
#include <kim/record.h>

#include "agent/provider_host/http.h"

enum { MAX_OPTIONS = 64, SPEED = 100 };

static http_service *http;
static kim_json_writer *writer;
static int64_t waited_ms;

static int emit(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    (void)context;
    FILE *kept = cursor != NULL ? fopen(getenv("CURSOR"), "wbe") : NULL;
    if (kept != NULL && (fwrite(cursor, 1, cursor_size, kept) != cursor_size || fclose(kept) != 0))
        return kim_fail(err, KIM_ERR_IO, "the cursor cannot be kept");
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    int result = 0;
    while (result == 0 && size > 0) {
        kim_record record;
        size_t used = 0;
        result = kim_record_decode(records, size, arena, &record, &used, err);
        if (result == 0) {
            kim_json_writer_reset(writer);
            kim_record_write_json(&record, writer);
            kim_json_end_line(writer);
            size_t length;
            const char *line = kim_json_writer_bytes(writer, &length, err);
            result = line != NULL && fwrite(line, 1, length, stdout) == length ? 0 : -1;
        }
        records += used;
        size -= used;
        kim_arena_reset(arena);
    }
    kim_arena_free(arena);
    return result;
}

static const uint8_t *cursor_of(void *context, const char *stream, size_t *size)
{
    (void)context, (void)stream;
    static uint8_t bytes[1024 * 1024];
    FILE *kept = getenv("CURSOR") != NULL ? fopen(getenv("CURSOR"), "rbe") : NULL;
    *size = kept != NULL ? fread(bytes, 1, sizeof bytes, kept) : 0;
    if (kept != NULL)
        fclose(kept);
    return *size > 0 ? bytes : NULL;
}

static int send_http(void *context, const kim_http_request *request, kim_http_response *response, kim_error *err)
{
    (void)context;
    return http_send(http, request, response, err);
}

static void end_http(void *context, kim_http_response *response)
{
    (void)context;
    http_response_end(response);
}

static int dial(void *context, const char *host, uint16_t port, kim_error *err)
{
    (void)context;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &address.sin_addr) != 1)
        return kim_fail(err, KIM_ERR_INPUT, "%s: this host knows only addresses", host);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (syscall(SYS_connect, fd, &address, sizeof address) < 0) { /* connect() is agent/provider_host/http.c's */
        close(fd);
        return kim_fail(err, KIM_ERR_NETWORK, "%s:%u: %m", host, port);
    }
    return fd;
}

static const char *secret(void *context, const char *name, kim_error *err)
{
    (void)context;
    char variable[128];
    snprintf(variable, sizeof variable, "SECRET_%s", name);
    const char *value = getenv(variable);
    if (value == NULL)
        kim_fail(err, KIM_ERR_NOT_FOUND, "there is no secret %s", name);
    return value;
}

static void log_line(void *context, uint32_t level, const char *event, const char *message)
{
    (void)context;
    fprintf(stderr, "level=%u event=%s msg=%s\n", level, event, message);
}

static bool should_stop(void *context)
{
    (void)context;
    return false;
}

static int64_t (*real_monotonic)(void *);
static void (*real_wait)(void *, int64_t);

static int64_t monotonic_ms(void *context)
{
    return real_monotonic(context) + waited_ms;
}

static void wait_less(void *context, int64_t ms)
{
    real_wait(context, ms / SPEED);
    waited_ms += ms - ms / SPEED;
}

static int64_t (*real_unix)(void *);

static int64_t now_unix_ms(void *context)
{
    const char *skew = getenv("CLOCK_SKEW_S");
    return real_unix(context) + (skew != NULL ? strtoll(skew, NULL, 10) * 1000 : 0);
}

/* NAME=VALUE arguments as settings; those of one name together. */
static kim_settings read_settings(int count, char **arguments)
{
    static kim_setting items[MAX_OPTIONS];
    static const char *values[MAX_OPTIONS][MAX_OPTIONS];
    kim_settings settings = {items, 0};
    for (int i = 0; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        if (equals == NULL)
            exit(2);
        *equals = '\0';
        uint32_t k = 0;
        while (k < settings.count && strcmp(items[k].name, arguments[i]) != 0)
            k++;
        if (k == settings.count) {
            items[k] = (kim_setting){.name = arguments[i], .values = values[k]};
            settings.count++;
        }
        values[k][items[k].count++] = equals + 1;
    }
    return settings;
}

int main(int argc, char **argv)
{
    kim_error err = {0};
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    kim_plugin_entry_function *entry = library != NULL ? (kim_plugin_entry_function *)dlsym(library, "kim_plugin_entry") : NULL;
    if (entry == NULL) {
        fprintf(stderr, "error=io %s\n", library == NULL ? dlerror() : "no kim_plugin_entry");
        return 2;
    }
    const kim_plugin *plugin = entry(KIM_ABI_MAJOR, KIM_ABI_MINOR);
    kim_settings settings = read_settings(argc - 2, argv + 2);
    http_world world;
    http_world_system(&world);
    real_monotonic = world.monotonic_ms;
    real_wait = world.wait;
    real_unix = world.now_unix_ms;
    world.dial = dial;
    world.secret = secret;
    world.log = log_line;
    world.should_stop = should_stop;
    world.monotonic_ms = monotonic_ms;
    world.wait = wait_less;
    world.now_unix_ms = now_unix_ms;
    http_options options = {.allow = {.plugin_hosts = plugin->hosts, .settings = &settings}, .record_path = getenv("RECORD"),
                            .replay_path = getenv("REPLAY")};
    kim_host host = {.struct_size = sizeof host, .abi_major = KIM_ABI_MAJOR, .abi_minor = KIM_ABI_MINOR, .emit = emit,
                     .cursor = cursor_of, .http = send_http, .http_response_free = end_http, .dial = dial, .secret = secret,
                     .log = log_line, .now_unix_ms = now_unix_ms, .should_stop = should_stop};
    void *instance = NULL;
    writer = kim_json_writer_new(false);
    http = http_service_new(&options, &world, &err);
    int result = http != NULL && writer != NULL ? plugin->open(&host, &settings, &instance, &err) : -1;
    if (result == 0)
        result = getenv("CURSOR") != NULL ? plugin->usage(instance, &err) : plugin->collect(instance, KIM_COLLECT_FULL, &err);
    if (result < 0)
        fprintf(stderr, "error=%s %s\n", kim_code_name(err.code), err.message);
    plugin->close(instance);
    http_service_free(http);
    kim_json_writer_free(writer);
    return result < 0;
}
