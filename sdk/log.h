/* SPDX-License-Identifier: Apache-2.0
 *
 * log.h - what a program's edge says of itself: one line an event, for people and for grep.
 *
 *     2026-11-21T18:40:07.123Z warning event=batch_refused agent=web-17 code=input msg="a batch ..."
 *
 * Only main functions and the edges of programs log; stages return errors. No secret is ever a field.
 */
#ifndef KIM_SDK_LOG_H
#define KIM_SDK_LOG_H

#include <kim/error.h>
#include <kim/plugin.h> /* KIM_LOG_DEBUG ... KIM_LOG_ERROR */
#include <kim/text.h>

enum { KIM_LOG_LINE_MAX_BYTES = 4096 }; /* a line is one write, which pipes keep whole; longer ones are cut */

/* Where lines go, standard error until this is called; and the lowest level that is written, INFO
 * until then. Call before threads start. */
void kim_log_to(int fd, uint32_t least_level);

typedef struct kim_log_field {
    const char *name;
    kim_text value;
} kim_log_field;

/* Writes one line. Fields whose value is absent are left out. Values that hold anything but plain
 * letters stand in quotes, with control characters, quotes and what is not UTF-8 escaped: no value
 * can begin a line or a field of its own. Never fails: a line that cannot be written is lost.
 *
 * event  a word: "batch_refused"
 */
void kim_log_fields(uint32_t level, const char *event, const kim_log_field *fields, size_t count);

/* kim_log(KIM_LOG_INFO, "started", {"port", kim_text_of(port)}, {"agent", name}); no field is fine. */
#define kim_log(level, event, ...)                                                                 \
    kim_log_fields((level), (event),                                                               \
                   (const kim_log_field[]){{NULL, {NULL, 0}}, ##__VA_ARGS__},                      \
                   sizeof((const kim_log_field[]){{NULL, {NULL, 0}}, ##__VA_ARGS__}) /             \
                       sizeof(kim_log_field))
/* The error as fields code and msg, after those given. */
#define kim_log_error(level, event, err, ...)                                                      \
    kim_log((level), (event), ##__VA_ARGS__, {"code", kim_text_of(kim_code_name((err)->code))},    \
            {"msg", kim_text_of((err)->message)})

/* "debug", "info", "warning", "error"; 0 for anything else. */
uint32_t kim_log_level(kim_text name);

#endif
