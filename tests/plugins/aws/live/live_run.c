/* SPDX-License-Identifier: Apache-2.0
 *
 * live_run.c - one collection through the real kim-provider-host, each record printed as a JSON line
 * once the snapshot is whole.
 *
 *   live_run PLUGIN NAME=VALUE ...    a list is given value by value; secrets: environment SECRET_NAME
 *
 * Ends with 0; or with 1 and "error=CODE MESSAGE" on standard error.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kim/record.h>

#include "sdk/host_client.h"

enum { MAX_OPTIONS = 64 };

static int keep(void *context, uint64_t call, const uint8_t *records, size_t size, kim_error *err)
{
    (void)call, (void)err;
    kim_bytes_append(context, records, size);
    return 0;
}

static int print(const kim_bytes *kept, kim_error *err)
{
    kim_json_writer *writer = kim_json_writer_new(false);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    int result = 0;
    for (size_t at = 0, used = 0; result == 0 && at < kept->size; at += used) {
        kim_record record;
        size_t length;
        result = kim_record_decode(kept->data + at, kept->size - at, arena, &record, &used, err);
        if (result < 0)
            break;
        kim_json_writer_reset(writer);
        kim_record_write_json(&record, writer);
        kim_json_end_line(writer);
        const char *line = kim_json_writer_bytes(writer, &length, err);
        result = line != NULL && fwrite(line, 1, length, stdout) == length ? 0 : -1;
        kim_arena_reset(arena);
    }
    kim_arena_free(arena);
    kim_json_writer_free(writer);
    return result;
}

static int dial(void *context, const char *host, uint16_t port, kim_error *err)
{
    (void)context;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return kim_fail(err, KIM_ERR_INPUT, "%s: this program knows only addresses", host);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return kim_fail(err, KIM_ERR_NETWORK, "%s:%u: %m", host, port);
    }
    return fd;
}

static const char *secret(void *context, const char *name, kim_error *err)
{
    (void)context, (void)err;
    char variable[128];
    snprintf(variable, sizeof variable, "SECRET_%s", name);
    const char *value = getenv(variable);
    return value != NULL ? value : "";
}

static void log_line(void *context, uint32_t level, const char *event, const char *message)
{
    (void)context;
    fprintf(stderr, "level=%u event=%s msg=%s\n", level, event, message);
}

/* NAME=VALUE arguments as settings; those of one name together. */
static size_t read_settings(int count, char **arguments, host_setting items[MAX_OPTIONS])
{
    static const char *values[MAX_OPTIONS][MAX_OPTIONS];
    size_t settings = 0;
    for (int i = 0; i < count; i++) {
        char *equals = strchr(arguments[i], '=');
        if (equals == NULL || count > MAX_OPTIONS)
            exit(2);
        *equals = '\0';
        size_t k = 0;
        while (k < settings && strcmp(items[k].name, arguments[i]) != 0)
            k++;
        if (k == settings)
            items[settings++] = (host_setting){.name = arguments[i], .values = values[k]};
        values[k][items[k].count++] = equals + 1;
    }
    return settings;
}

int main(int argc, char **argv)
{
    static host_setting settings[MAX_OPTIONS + 3];
    kim_error err = {0};
    kim_bytes kept = {0};
    if (argc < 2)
        return 2;
    size_t count = read_settings(argc - 2, argv + 2, settings);
    static const char *const secrets[] = {"access_key_id", "secret_access_key", "session_token"};
    for (size_t i = 0; i < 3; i++)
        settings[count++] = (host_setting){.name = secrets[i], .secret = true};
    host_options options = {.plugin = argv[1], .settings = settings, .setting_count = count, .call_timeout_ms = 600000,
                            .handlers = {.context = &kept, .records = keep, .log = log_line, .dial = dial, .secret = secret}};
    host_client *client = host_client_start(&options, &err);
    uint64_t call = client != NULL ? host_client_collect(client, KIM_COLLECT_FULL, NULL, 0, &err) : 0;
    int result = call != 0 && host_client_wait(client, call, &err) == 0 ? print(&kept, &err) : -1;
    if (result < 0)
        fprintf(stderr, "error=%s %s\n", kim_code_name(err.code), err.message);
    host_client_stop(client, 2000);
    kim_bytes_free(&kept);
    return result < 0;
}
