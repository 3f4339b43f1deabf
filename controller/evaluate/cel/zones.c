/* SPDX-License-Identifier: Apache-2.0
 *
 * zones.c - offsets looked up in TZif blocks, which name their transitions and a rule for all later ones.
 *
 * Source: RFC 8536, "The Time Zone Information Format (TZif)", version 2 and later, and POSIX's TZ for the rule.
 */
#include "controller/evaluate/cel/zones.h"

#include <kim/time.h>

typedef struct zone {
    const char *name;
    uint32_t begin, size; /* of its block in zone_blocks */
} zone;

#include "controller/evaluate/cel/zones.inc"

enum { HEADER_BYTES = 44, SECONDS_PER_DAY = 86400 };

/* A block's second half: 64-bit times, and the rule behind them. */
typedef struct tzif {
    const uint8_t *times, *types_of, *types; /* [count] of 8, [count] of 1, [...] of 6 bytes */
    uint32_t count;
    kim_text rule;
} tzif;

static uint32_t big_32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int64_t big_64(const uint8_t *b)
{
    return (int64_t)((uint64_t)big_32(b) << 32 | big_32(b + 4));
}

/* How long the data behind a header is whose times have so many bytes. */
static size_t data_size(const uint8_t *header, size_t time_bytes)
{
    uint32_t utc = big_32(header + 20), standard = big_32(header + 24), leaps = big_32(header + 28);
    uint32_t times = big_32(header + 32), types = big_32(header + 36), characters = big_32(header + 40);
    return times * (time_bytes + 1) + types * 6 + characters + leaps * (time_bytes + 4) + standard + utc;
}

static tzif tzif_of(const zone *z)
{
    const uint8_t *second = zone_blocks + z->begin + HEADER_BYTES + data_size(zone_blocks + z->begin, 4);
    const uint8_t *data = second + HEADER_BYTES, *end = zone_blocks + z->begin + z->size;
    tzif t = {.times = data, .count = big_32(second + 32)};
    const uint8_t *rule = data + data_size(second, 8) + 1; /* between two line ends */
    t.types_of = data + 8 * (size_t)t.count;
    t.types = t.types_of + t.count;
    t.rule = (kim_text){(const char *)rule, (size_t)(end - rule) - 1};
    return t;
}

/* ---- the rule: "EST5EDT,M3.2.0,M11.1.0" ---- */

static bool take(kim_text *rest, char c)
{
    if (rest->size == 0 || rest->bytes[0] != c)
        return false;
    *rest = (kim_text){rest->bytes + 1, rest->size - 1};
    return true;
}

static int64_t read_number(kim_text *rest)
{
    int64_t value = 0;
    while (rest->size && rest->bytes[0] >= '0' && rest->bytes[0] <= '9') {
        value = value * 10 + (rest->bytes[0] - '0');
        take(rest, rest->bytes[0]);
    }
    return value;
}

static void skip_name(kim_text *rest)
{
    bool quoted = take(rest, '<');
    while (rest->size && (quoted ? rest->bytes[0] != '>' : (rest->bytes[0] | 0x20) >= 'a' && (rest->bytes[0] | 0x20) <= 'z'))
        take(rest, rest->bytes[0]);
    if (quoted)
        take(rest, '>');
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int64_t read_clock(kim_text *rest)
{
    bool negative = take(rest, '-');
    if (!negative)
        take(rest, '+');
    int64_t seconds = read_number(rest) * 3600;
    if (take(rest, ':'))
        seconds += read_number(rest) * 60;
    if (take(rest, ':'))
        seconds += read_number(rest);
    return negative ? -seconds : seconds;
}

static bool is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Mm.w.d: the weekday d of the month's week w, 5 being its last one. */
static int64_t day_of_month_rule(kim_text *rest, int64_t year)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t month = read_number(rest), week = (take(rest, '.'), read_number(rest)), day = (take(rest, '.'), read_number(rest));
    int64_t first = kim_days_of(year, (int)month, 1), length = lengths[(month + 11) % 12] + (month == 2 && is_leap(year));
    int64_t weekday_of_first = ((first + 4) % 7 + 7) % 7, of_month = (day - weekday_of_first + 7) % 7 + 7 * (week - 1);
    return first + (of_month >= length ? of_month - 7 : of_month);
}

/* When a part such as ",M3.2.0/2" comes in a year: seconds of the local clock since 1970. */
static int64_t read_change(kim_text *rest, int64_t year)
{
    int64_t day, january = kim_days_of(year, 1, 1);
    take(rest, ',');
    if (take(rest, 'M')) {
        day = day_of_month_rule(rest, year);
    } else if (take(rest, 'J')) { /* 29 February is never counted */
        int64_t n = read_number(rest);
        day = january + n - 1 + (is_leap(year) && n > 59);
    } else {
        day = january + read_number(rest);
    }
    return day * SECONDS_PER_DAY + (take(rest, '/') ? read_clock(rest) : 2 * 3600);
}

static int64_t year_of(int64_t unix_seconds)
{
    int64_t days = unix_seconds / SECONDS_PER_DAY - (unix_seconds % SECONDS_PER_DAY < 0), year = 1970 + days / 366;
    while (kim_days_of(year + 1, 1, 1) <= days)
        year++;
    while (kim_days_of(year, 1, 1) > days)
        year--;
    return year;
}

static int32_t rule_offset(kim_text rule, int64_t unix_seconds)
{
    skip_name(&rule);
    int64_t standard = -read_clock(&rule), summer = standard + 3600;
    if (rule.size == 0)
        return (int32_t)standard;
    skip_name(&rule);
    if (rule.size && rule.bytes[0] != ',')
        summer = -read_clock(&rule);
    int64_t year = year_of(unix_seconds + standard);
    int64_t begins = read_change(&rule, year) - standard, ends = read_change(&rule, year) - summer;
    bool is_summer = begins < ends ? unix_seconds >= begins && unix_seconds < ends : unix_seconds >= begins || unix_seconds < ends;
    return (int32_t)(is_summer ? summer : standard);
}

/* ---- */

static int32_t offset_at(const zone *z, int64_t unix_seconds)
{
    tzif t = tzif_of(z);
    uint32_t low = 0, high = t.count; /* the transitions up to then */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (big_64(t.times + 8 * (size_t)middle) <= unix_seconds)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == t.count && t.rule.size)
        return rule_offset(t.rule, unix_seconds);
    return (int32_t)big_32(t.types + 6 * (size_t)(low ? t.types_of[low - 1] : 0));
}

bool zones_find(kim_text name, int64_t unix_seconds, int32_t *offset_s)
{
    size_t low = 0, high = sizeof zones / sizeof *zones;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = kim_text_compare(name, kim_text_of(zones[middle].name));
        if (order == 0) {
            *offset_s = offset_at(&zones[middle], unix_seconds);
            return true;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
