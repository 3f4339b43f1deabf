/* SPDX-License-Identifier: Apache-2.0
 *
 * log.c - a line is put together on the stack and leaves in one write.
 *
 * So threads need no lock, lines of several processes on one pipe do not mix, and logging allocates
 * nothing: it works where memory has run out.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sdk/log.h"

static int log_fd = STDERR_FILENO;
static uint32_t log_least = KIM_LOG_INFO;

static const char *const level_names[] = {
    [KIM_LOG_DEBUG] = "debug", [KIM_LOG_INFO] = "info", [KIM_LOG_WARNING] = "warning", [KIM_LOG_ERROR] = "error"};
enum { LEVELS = sizeof level_names / sizeof *level_names };

typedef struct line {
    char bytes[KIM_LOG_LINE_MAX_BYTES];
    size_t size;
    bool full; /* the rest is cut */
} line;

/* A piece stands whole or not at all, so that no escape is cut in two; room is kept for the end. */
static void append(line *to, const char *bytes, size_t size)
{
    static const size_t end_bytes = sizeof "...\"\n" - 1;
    if (to->full || size > sizeof to->bytes - end_bytes - to->size) {
        to->full = true;
        return;
    }
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void append_string(line *to, const char *text)
{
    append(to, text, strlen(text));
}

static bool is_plain(kim_text text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
            return false;
    }
    return text.size > 0;
}

static void append_escape(line *to, unsigned char c)
{
    char escape[8];
    if (c == '"' || c == '\\')
        snprintf(escape, sizeof escape, "\\%c", c);
    else if (c == '\n')
        snprintf(escape, sizeof escape, "\\n");
    else
        snprintf(escape, sizeof escape, "\\x%02x", c);
    append_string(to, escape);
}

static void append_quoted(line *to, kim_text text)
{
    append(to, "\"", 1);
    for (size_t i = 0; i < text.size && !to->full;) {
        kim_text rest = {text.bytes + i, text.size - i < 4 ? text.size - i : 4};
        unsigned char c = (unsigned char)text.bytes[i];
        size_t size = 1;
        while (c >= 0x80 && size < rest.size && ((unsigned char)rest.bytes[size] & 0xc0) == 0x80)
            size++;
        bool is_character = c >= 0x80 && kim_text_is_utf8((kim_text){rest.bytes, size}) && kim_text_control_size(rest) == 0;
        if (is_character || (c >= ' ' && c < 0x7f && c != '"' && c != '\\')) {
            append(to, rest.bytes, size);
            i += size;
        } else {
            append_escape(to, c);
            i++;
        }
    }
    append_string(to, to->full ? "" : "\"");
}

static void append_time(line *to)
{
    struct timespec now;
    struct tm utc;
    char text[64];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + size, sizeof text - size, ".%03ldZ ", now.tv_nsec / 1000000);
    append_string(to, text);
}

void kim_log_to(int fd, uint32_t least_level)
{
    log_fd = fd;
    log_least = least_level;
}

void kim_log_fields(uint32_t level, const char *event, const kim_log_field *fields, size_t count)
{
    if (level < log_least || level >= LEVELS)
        return;
    line out = {.size = 0};
    append_time(&out);
    append_string(&out, level_names[level]);
    append_string(&out, " event=");
    append_string(&out, event);
    bool in_quotes = false;
    for (size_t i = 0; i < count && !out.full; i++) {
        if (fields[i].name == NULL || kim_text_is_absent(fields[i].value))
            continue;
        append(&out, " ", 1);
        append_string(&out, fields[i].name);
        append(&out, "=", 1);
        in_quotes = !is_plain(fields[i].value);
        if (in_quotes)
            append_quoted(&out, fields[i].value);
        else
            append(&out, fields[i].value.bytes, fields[i].value.size);
    }
    const char *end = !out.full ? "\n" : in_quotes ? "...\"\n" : "...\n";
    memcpy(out.bytes + out.size, end, strlen(end));
    out.size += strlen(end);
    while (write(log_fd, out.bytes, out.size) < 0 && errno == EINTR)
        ;
}

uint32_t kim_log_level(kim_text name)
{
    for (uint32_t level = KIM_LOG_DEBUG; level < LEVELS; level++) {
        if (kim_text_is(name, level_names[level]))
            return level;
    }
    return 0;
}
