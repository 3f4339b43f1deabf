/* SPDX-License-Identifier: Apache-2.0
 *
 * desk.c - emitted bytes are decoded again, as the real host does, so that a record which breaks the
 * contract fails the test.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "tests/plugins/aws/desk.h"

static void keep_line(desk *d, const kim_record *record)
{
    size_t size;
    kim_error err;
    kim_json_writer *writer = kim_json_writer_new(false);
    kim_record_write_json(record, writer);
    const char *bytes = kim_json_writer_bytes(writer, &size, &err);
    if (bytes == NULL)
        fail_msg("%s", err.message);
    if (d->count == d->room) {
        d->room = d->room ? 2 * d->room : 256;
        d->lines = realloc(d->lines, d->room * sizeof *d->lines);
        assert_non_null(d->lines);
    }
    d->lines[d->count++] = strndup(bytes, size);
    kim_json_writer_free(writer);
}

static int emit(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    desk *d = context;
    (void)cursor;
    (void)cursor_size;
    kim_arena *arena = kim_arena_new(64 * 1024 * 1024);
    int result = 0;
    while (size > 0) {
        kim_record record;
        size_t used;
        kim_arena_reset(arena);
        result = kim_record_decode(records, size, arena, &record, &used, err);
        if (result == 0)
            result = kim_record_check(&record, err);
        if (result < 0) {
            d->refused = *err;
            break;
        }
        keep_line(d, &record);
        records += used;
        size -= used;
    }
    kim_arena_free(arena);
    return result;
}

static void take_log(void *context, uint32_t level, const char *event, const char *message)
{
    desk *d = context;
    size_t used = strlen(d->log);
    (void)level;
    snprintf(d->log + used, sizeof d->log - used, "%s: %s\n", event, message);
}

static bool never(void *context)
{
    (void)context;
    return false;
}

static int64_t some_day(void *context)
{
    (void)context;
    return 1763726400000; /* 2025-11-21T12:00:00Z */
}

void desk_start(desk *d)
{
    *d = (desk){.host = {.struct_size = sizeof(kim_host), .abi_major = KIM_ABI_MAJOR, .abi_minor = KIM_ABI_MINOR,
                         .emit = emit, .log = take_log, .should_stop = never, .now_unix_ms = some_day}};
    d->host.context = d;
}

void desk_clear(desk *d)
{
    for (size_t i = 0; i < d->count; i++)
        free(d->lines[i]);
    d->count = 0;
    d->log[0] = '\0';
    memset(d->digest, 0, sizeof d->digest);
}

void desk_stop(desk *d)
{
    desk_clear(d);
    free(d->lines);
    d->lines = NULL;
    d->room = 0;
}

static bool holds(const char *line, const char *piece, va_list more)
{
    bool all = true;
    for (; piece && all; piece = va_arg(more, const char *))
        all = strstr(line, piece) != NULL;
    return all;
}

size_t desk_count(const desk *d, const char *piece, ...)
{
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++) {
        va_list more;
        va_start(more, piece);
        count += holds(d->lines[i], piece, more);
        va_end(more);
    }
    return count;
}

const char *desk_one(const desk *d, const char *piece, ...)
{
    const char *one = NULL;
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++) {
        va_list more;
        va_start(more, piece);
        if (holds(d->lines[i], piece, more)) {
            one = d->lines[i];
            count++;
        }
        va_end(more);
    }
    if (count != 1) {
        desk_print(d);
        fail_msg("%zu records hold %s ..., not one", count, piece);
    }
    return one;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *desk_sorted(const desk *d)
{
    char **lines = malloc((d->count + 1) * sizeof *lines), *text = NULL;
    size_t size = 0;
    assert_non_null(lines);
    if (d->count)
        memcpy(lines, d->lines, d->count * sizeof *lines);
    qsort(lines, d->count, sizeof *lines, compare_lines);
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < d->count; i++)
        fprintf(out, "%s\n", lines[i]);
    fclose(out);
    free(lines);
    return text;
}

void desk_print(const desk *d)
{
    for (size_t i = 0; i < d->count && i < 200; i++)
        fprintf(stderr, "# %s\n", d->lines[i]);
    fprintf(stderr, "# log: %s\n", d->log);
}

char *desk_shared(const char *path, size_t *size)
{
    char command[4096], *text = NULL;
    const char *source = getenv("KIM_SOURCE_DIR");
    size_t length = strlen(path);
    snprintf(command, sizeof command, "%s/../shared/data/%s", source ? source : ".", path);
    FILE *probe = fopen(command, "r");
    if (probe == NULL)
        return NULL;
    fclose(probe);
    bool packed = length > 3 && strcmp(path + length - 3, ".xz") == 0;
    snprintf(command, sizeof command, "%s '%s/../shared/data/%s'", packed ? "xz -dc" : "cat", source ? source : ".", path);
    FILE *in = popen(command, "r"), *out = open_memstream(&text, size);
    char block[65536];
    size_t got;
    while ((got = fread(block, 1, sizeof block, in)) > 0)
        fwrite(block, 1, got, out);
    assert_int_equal(pclose(in), 0);
    fclose(out);
    return text;
}
