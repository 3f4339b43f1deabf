/* SPDX-License-Identifier: Apache-2.0
 *
 * members.h - a member of an object in one call. What is absent (or 0, for a time) is left out.
 */
#ifndef KIM_HTTP_MEMBERS_H
#define KIM_HTTP_MEMBERS_H

#include <kim/json.h>

static inline void put_text(kim_json_writer *to, const char *name, kim_text text)
{
    if (kim_text_is_absent(text))
        return;
    kim_json_key(to, name);
    kim_json_put_text(to, text);
}

static inline void put_string(kim_json_writer *to, const char *name, const char *text)
{
    put_text(to, name, kim_text_of(text));
}

static inline void put_int(kim_json_writer *to, const char *name, int64_t value)
{
    kim_json_key(to, name);
    kim_json_put_int(to, value);
}

static inline void put_time(kim_json_writer *to, const char *name, int64_t at_unix_ms)
{
    if (at_unix_ms != 0)
        put_int(to, name, at_unix_ms);
}

static inline void put_bool(kim_json_writer *to, const char *name, bool value)
{
    kim_json_key(to, name);
    kim_json_put_bool(to, value);
}

#endif
