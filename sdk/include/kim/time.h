/* SPDX-License-Identifier: Apache-2.0
 *
 * time.h - Unix milliseconds UTC from what documents write.
 */
#ifndef KIM_TIME_H
#define KIM_TIME_H

#include <kim/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar; before it they are negative. The
 * numbers are not checked. */
int64_t kim_days_of(int64_t year, int month, int day);
/* Of a date and time in the calendar's numbers (UTC); 0 where a number is out of its range or the year
 * lies outside 1970 to 9999. */
int64_t kim_time_of(int year, int month, int day, int hour, int minute, int second, int ms);
/* Of RFC 3339 text: "2023-03-09T10:41:45.123Z", "2023-03-09 10:41:45+02:00"; without an offset it is
 * UTC. 0 for all else. */
int64_t kim_time_of_text(kim_text text);

#ifdef __cplusplus
}
#endif

#endif
