/* SPDX-License-Identifier: Apache-2.0
 *
 * error.c - messages that never fail: what does not fit is cut.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <kim/error.h>

int kim_fail(kim_error *err, kim_code code, const char *format, ...)
{
    if (err == NULL)
        return -1;
    err->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
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
    if (used >= 0 && (size_t)used < sizeof err->message)
        snprintf(err->message + used, sizeof err->message - (size_t)used, ": %s", was);
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
