/* SPDX-License-Identifier: Apache-2.0
 *
 * time.h - timestamps and durations: text, arithmetic, and the calendar of a time zone.
 */
#ifndef KIM_CEL_TIME_H
#define KIM_CEL_TIME_H

#include "controller/evaluate/cel.h"

enum { CEL_TIMESTAMP_BYTES = 48, CEL_DURATION_BYTES = 48 };
#define CEL_MIN_SECONDS (-62135596800)  /* 0001-01-01T00:00:00Z */
#define CEL_MAX_SECONDS 253402300799    /* 9999-12-31T23:59:59Z */

typedef enum cel_time_fault { TIME_FINE, TIME_MALFORMED, TIME_OUT_OF_RANGE } cel_time_fault;
/* RFC 3339 with capital T and Z, as Go's time.Parse takes it; more than nine digits of a second are cut off. */
cel_time_fault cel_read_timestamp(kim_text text, cel_value *out);
/* As string() writes it, in the offset that it was written in; or in UTC. */
kim_text cel_write_timestamp(cel_value timestamp, bool in_utc, char out[CEL_TIMESTAMP_BYTES]);
/* "1h30m", "-1.5s", "0": Go's time.ParseDuration. False: malformed, or past 64 bits of nanoseconds. */
bool cel_read_duration(kim_text text, int64_t *nanos);
/* "-1.5s": seconds, as protobuf's JSON has it, without needless zeros. */
kim_text cel_write_duration(int64_t nanos, char out[CEL_DURATION_BYTES]);

/* False: out of range. */
bool cel_add_duration(cel_value timestamp, int64_t nanos, cel_value *out);
bool cel_subtract_timestamps(cel_value a, cel_value b, int64_t *nanos);
int cel_compare_timestamps(cel_value a, cel_value b);

typedef struct cel_calendar {
    int64_t year;
    int month, day, weekday, yearday; /* from 1, from 1, Sunday 0, from 0 */
    int hour, minute, second;
} cel_calendar;

/* Seconds east of UTC at that Unix time in a zone: a name of the IANA database, "UTC", "", or "[+-]HH:MM".
 * NULL, or why there is none. */
const char *cel_zone_offset(kim_text zone, int64_t unix_seconds, int32_t *offset_s);
cel_calendar cel_calendar_of(int64_t local_seconds);

#endif
