/* SPDX-License-Identifier: Apache-2.0
 *
 * error.c - messages that never fail: what does not fit is cut.
 *
 * Messages quote hostile texts and end in logs, terminals and JSON, so they are made harmless here, in
 * the one place that all pass through: one line of well-formed UTF-8 without control characters.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <kim/error.h>
#include <kim/text.h>

static void make_harmless(char *message)
{
    kim_text text = kim_text_of(message);
    for (size_t at = 0; at < text.size; at++) {
        at += kim_text_utf8_size((kim_text){text.bytes + at, text.size - at});
        if (at < text.size)
            message[at] = '?';
    }
    for (size_t at = 0, size; at < text.size; at += size + (size == 0)) {
        size = kim_text_control_size((kim_text){text.bytes + at, text.size - at});
        memset(message + at, ' ', size);
    }
}

int kim_fail(kim_error *err, kim_code code, const char *format, ...)
{
    if (err == NULL)
        return -1;
    err->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    make_harmless(err->message);
    return -1;
}

int kim_fail_in(kim_error *err, const char *format, ...)
{
    if (err == NULL)
        return -1;
    char was[sizeof err->message];
    memcpy(was, err->message, sizeof was);
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    int left = (int)sizeof err->message - used;
    if (used >= 0 && left > 3)
        snprintf(err->message + used, (size_t)left, ": %.*s", left - 3, was);
    make_harmless(err->message);
    return -1;
}

const char *kim_code_name(kim_code code)
{
    static const char *const names[] = {
        [KIM_OK] = "ok", [KIM_ERR_INPUT] = "input", [KIM_ERR_LIMIT] = "limit",
        [KIM_ERR_NOMEM] = "nomem", [KIM_ERR_IO] = "io", [KIM_ERR_NETWORK] = "network",
        [KIM_ERR_DENIED] = "denied", [KIM_ERR_THROTTLED] = "throttled",
        [KIM_ERR_NOT_FOUND] = "not_found", [KIM_ERR_CONFLICT] = "conflict",
        [KIM_ERR_TIMEOUT] = "timeout", [KIM_ERR_STOPPED] = "stopped",
        [KIM_ERR_UNSUPPORTED] = "unsupported", [KIM_ERR_VERSION] = "version",
        [KIM_ERR_CORRUPT] = "corrupt", [KIM_ERR_INTERNAL] = "internal",
    };
    return (size_t)code < sizeof names / sizeof *names && names[code] ? names[code] : "unknown";
}
