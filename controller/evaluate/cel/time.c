/* SPDX-License-Identifier: Apache-2.0
 *
 * time.c - timestamps and durations.
 *
 * Sources: cel-spec, langdef.md, "Abstract Types" and "Time Zones"; Go's time package for the texts.
 */
#include "controller/evaluate/cel/time.h"

#include <kim/time.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/evaluate/cel/zones.h"

enum { NANOS_PER_SECOND = 1000000000, SECONDS_PER_DAY = 86400 };

/* ---- timestamps ---- */

/* Exactly `digits` digits within bounds; -1: none. */
static int two_or_four(kim_text *rest, int digits, int low, int high)
{
    int value = 0;
    if (rest->size < (size_t)digits)
        return -1;
    for (int i = 0; i < digits; i++) {
        char c = rest->bytes[i];
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
    }
    *rest = (kim_text){rest->bytes + digits, rest->size - (size_t)digits};
    return value >= low && value <= high ? value : -1;
}

static bool take(kim_text *rest, char c)
{
    if (rest->size == 0 || rest->bytes[0] != c)
        return false;
    *rest = (kim_text){rest->bytes + 1, rest->size - 1};
    return true;
}

static bool read_fraction(kim_text *rest, int32_t *nanos)
{
    int32_t unit = NANOS_PER_SECOND / 10;
    size_t digits = 0;
    *nanos = 0;
    if (!take(rest, '.'))
        return true;
    for (; rest->size && rest->bytes[0] >= '0' && rest->bytes[0] <= '9'; digits++, unit /= 10) {
        *nanos += unit * (rest->bytes[0] - '0');
        take(rest, rest->bytes[0]);
    }
    return digits > 0;
}

static bool read_offset(kim_text *rest, int32_t *offset_s)
{
    *offset_s = 0;
    if (take(rest, 'Z'))
        return true;
    bool west = take(rest, '-');
    if (!west && !take(rest, '+'))
        return false;
    int hours = two_or_four(rest, 2, 0, 23);
    if (hours < 0 || !take(rest, ':'))
        return false;
    int minutes = two_or_four(rest, 2, 0, 59);
    *offset_s = (hours * 60 + minutes) * (west ? -60 : 60);
    return minutes >= 0;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

cel_time_fault cel_read_timestamp(kim_text text, cel_value *out)
{
    int32_t nanos, offset_s;
    int year, month, day, hour, minute, second;
    if ((year = two_or_four(&text, 4, 0, 9999)) < 0 || !take(&text, '-') ||
        (month = two_or_four(&text, 2, 1, 12)) < 0 || !take(&text, '-') ||
        (day = two_or_four(&text, 2, 1, days_in(year, month))) < 0 || !take(&text, 'T') ||
        (hour = two_or_four(&text, 2, 0, 23)) < 0 || !take(&text, ':') ||
        (minute = two_or_four(&text, 2, 0, 59)) < 0 || !take(&text, ':') ||
        (second = two_or_four(&text, 2, 0, 59)) < 0 || !read_fraction(&text, &nanos) ||
        !read_offset(&text, &offset_s) || text.size)
        return TIME_MALFORMED;
    int64_t seconds = kim_days_of(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset_s;
    if (seconds < CEL_MIN_SECONDS || seconds > CEL_MAX_SECONDS)
        return TIME_OUT_OF_RANGE;
    *out = (cel_value){.type = CEL_TIMESTAMP, .time = {seconds, nanos, offset_s}};
    return TIME_FINE;
}

/* ".5" for half a second, nothing for none. */
static int put_fraction(char *to, int32_t nanos)
{
    if (nanos == 0)
        return 0;
    int size = sprintf(to, ".%09d", nanos);
    while (to[size - 1] == '0')
        size--;
    to[size] = '\0';
    return size;
}

kim_text cel_write_timestamp(cel_value t, bool in_utc, char out[CEL_TIMESTAMP_BYTES])
{
    int32_t offset_s = in_utc ? 0 : t.time.offset_s;
    cel_calendar c = cel_calendar_of(t.time.seconds + offset_s);
    int size = sprintf(out, "%04d-%02d-%02dT%02d:%02d:%02d", (int)c.year, c.month, c.day, c.hour, c.minute, c.second);
    size += put_fraction(out + size, t.time.nanos);
    if (offset_s == 0)
        size += sprintf(out + size, "Z");
    else
        size += sprintf(out + size, "%c%02d:%02d", offset_s < 0 ? '-' : '+', abs(offset_s) / 3600, abs(offset_s) / 60 % 60);
    return (kim_text){out, (size_t)size};
}

bool cel_add_duration(cel_value t, int64_t nanos, cel_value *out)
{
    int64_t seconds = t.time.seconds + nanos / NANOS_PER_SECOND, rest = t.time.nanos + nanos % NANOS_PER_SECOND;
    if (rest < 0)
        seconds--, rest += NANOS_PER_SECOND;
    if (rest >= NANOS_PER_SECOND)
        seconds++, rest -= NANOS_PER_SECOND;
    if (seconds < CEL_MIN_SECONDS || seconds > CEL_MAX_SECONDS)
        return false;
    t.time.seconds = seconds;
    t.time.nanos = (int32_t)rest;
    *out = t;
    return true;
}

bool cel_subtract_timestamps(cel_value a, cel_value b, int64_t *nanos)
{
    int64_t scaled;
    return !__builtin_mul_overflow(a.time.seconds - b.time.seconds, (int64_t)NANOS_PER_SECOND, &scaled) &&
        !__builtin_add_overflow(scaled, (int64_t)a.time.nanos - b.time.nanos, nanos);
}

int cel_compare_timestamps(cel_value a, cel_value b)
{
    if (a.time.seconds != b.time.seconds)
        return a.time.seconds < b.time.seconds ? -1 : 1;
    return (a.time.nanos > b.time.nanos) - (a.time.nanos < b.time.nanos);
}

/* ---- durations ---- */

/* Digits into *value; false past 63 bits. */
static bool read_whole(kim_text *rest, uint64_t *value)
{
    for (*value = 0; rest->size && rest->bytes[0] >= '0' && rest->bytes[0] <= '9'; take(rest, rest->bytes[0])) {
        if (*value > ((uint64_t)1 << 63) / 10)
            return false;
        *value = *value * 10 + (uint64_t)(rest->bytes[0] - '0');
        if (*value > (uint64_t)1 << 63)
            return false;
    }
    return true;
}

/* Digits behind a point, as value / scale; those that no longer fit do not count. */
static void read_part(kim_text *rest, uint64_t *value, double *scale)
{
    bool full = false;
    *value = 0;
    *scale = 1;
    for (; rest->size && rest->bytes[0] >= '0' && rest->bytes[0] <= '9'; take(rest, rest->bytes[0])) {
        uint64_t next = *value * 10 + (uint64_t)(rest->bytes[0] - '0');
        full |= *value > INT64_MAX / 10 || next > (uint64_t)1 << 63;
        if (full)
            continue;
        *value = next;
        *scale *= 10;
    }
}

static uint64_t read_unit(kim_text *rest)
{
    static const struct { const char *name; uint64_t nanos; } units[] = {
        {"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000}, {"ms", 1000000},
        {"s", NANOS_PER_SECOND}, {"m", 60 * (uint64_t)NANOS_PER_SECOND}, {"h", 3600 * (uint64_t)NANOS_PER_SECOND},
    };
    kim_text name = {rest->bytes, 0};
    while (name.size < rest->size && rest->bytes[name.size] != '.' && (rest->bytes[name.size] < '0' || rest->bytes[name.size] > '9'))
        name.size++;
    *rest = (kim_text){rest->bytes + name.size, rest->size - name.size};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (kim_text_is(name, units[i].name))
            return units[i].nanos;
    return 0;
}

/* One "12.5h", added to the sum. */
static bool read_term(kim_text *rest, uint64_t *sum)
{
    uint64_t whole, part = 0, unit;
    double scale = 1;
    kim_text before = *rest;
    if (!read_whole(rest, &whole))
        return false;
    size_t digits = before.size - rest->size;
    if (take(rest, '.')) {
        kim_text point = *rest;
        read_part(rest, &part, &scale);
        digits += point.size - rest->size;
    }
    if (digits == 0 || (unit = read_unit(rest)) == 0 || whole > ((uint64_t)1 << 63) / unit)
        return false;
    whole *= unit;
    if (part > 0)
        whole += (uint64_t)((double)part * ((double)unit / scale));
    if (whole > (uint64_t)1 << 63)
        return false;
    *sum += whole;
    return *sum <= (uint64_t)1 << 63;
}

bool cel_read_duration(kim_text text, int64_t *nanos)
{
    uint64_t sum = 0;
    bool negative = take(&text, '-');
    if (!negative)
        take(&text, '+');
    if (kim_text_is(text, "0")) {
        *nanos = 0;
        return true;
    }
    if (text.size == 0)
        return false;
    while (text.size)
        if (!read_term(&text, &sum))
            return false;
    if (sum > (uint64_t)INT64_MAX + negative)
        return false;
    *nanos = (int64_t)(negative ? 0 - sum : sum);
    return true;
}

kim_text cel_write_duration(int64_t nanos, char out[CEL_DURATION_BYTES])
{
    uint64_t n = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
    int size = sprintf(out, "%s%llu", nanos < 0 ? "-" : "", (unsigned long long)(n / NANOS_PER_SECOND));
    size += put_fraction(out + size, (int32_t)(n % NANOS_PER_SECOND));
    out[size++] = 's';
    return (kim_text){out, (size_t)size};
}

/* ---- the calendar ---- */

static int64_t floor_divide(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Days to a date by eras of 400 years, each beginning on a first of March. */
static void date_of(int64_t days, cel_calendar *c)
{
    enum { DAYS_PER_ERA = 146097, TO_MARCH_OF_0 = 719468 };
    int64_t era = floor_divide(days + TO_MARCH_OF_0, DAYS_PER_ERA);
    int64_t day = days + TO_MARCH_OF_0 - era * DAYS_PER_ERA;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* from March */
    c->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    c->month = (int)(month < 10 ? month + 3 : month - 9);
    c->year = year + era * 400 + (c->month <= 2);
}

cel_calendar cel_calendar_of(int64_t local_seconds)
{
    cel_calendar c = {0};
    int64_t days = floor_divide(local_seconds, SECONDS_PER_DAY);
    int of_day = (int)(local_seconds - days * SECONDS_PER_DAY);
    date_of(days, &c);
    c.weekday = (int)(days + 4 - 7 * floor_divide(days + 4, 7));
    c.yearday = (int)(days - kim_days_of(c.year, 1, 1));
    c.hour = of_day / 3600;
    c.minute = of_day / 60 % 60;
    c.second = of_day % 60;
    return c;
}

/* strconv.Atoi of one part of an offset. */
static bool read_part_of_offset(kim_text text, int64_t *out)
{
    bool negative = text.size && text.bytes[0] == '-';
    if (text.size && (negative || text.bytes[0] == '+'))
        text = (kim_text){text.bytes + 1, text.size - 1};
    if (text.size == 0 || text.size > 9)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
        value = value * 10 + (text.bytes[i] - '0');
    }
    *out = negative ? -value : value;
    return true;
}

static const char *fixed_offset(kim_text zone, size_t colon, int32_t *offset_s)
{
    int64_t hours, minutes;
    if (!read_part_of_offset((kim_text){zone.bytes, colon}, &hours) ||
        !read_part_of_offset((kim_text){zone.bytes + colon + 1, zone.size - colon - 1}, &minutes))
        return "invalid timezone offset";
    if (hours < -23 || hours > 23)
        return "timezone offset hours out of range [-23, 23]";
    if (minutes < 0 || minutes > 59)
        return "timezone offset minutes out of range [0, 59]";
    *offset_s = (int32_t)(hours * 60 + (zone.bytes[0] == '-' ? -minutes : minutes)) * 60;
    return NULL;
}

const char *cel_zone_offset(kim_text zone, int64_t unix_seconds, int32_t *offset_s)
{
    const char *colon = zone.size ? memchr(zone.bytes, ':', zone.size) : NULL;
    if (colon)
        return fixed_offset(zone, (size_t)(colon - zone.bytes), offset_s);
    *offset_s = 0;
    if (zone.size == 0 || kim_text_is(zone, "UTC") || zones_find(zone, unix_seconds, offset_s))
        return NULL;
    return "unknown time zone";
}
