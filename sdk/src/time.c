/* SPDX-License-Identifier: Apache-2.0
 *
 * time.c - the calendar by arithmetic: no locale, no time zone of the machine.
 */
#include <kim/time.h>

/* A year is taken to begin in March, so that the leap day is its last. */
int64_t kim_days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t kim_time_of(int year, int month, int day, int hour, int minute, int second, int ms)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1970 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days[month - 1] ||
        (month == 2 && day == 29 && !leap) || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60 || ms < 0 || ms > 999)
        return 0;
    return ((kim_days_of(year, month, day) * 24 + hour) * 60 + minute) * 60000 + second * 1000 + ms;
}

/* `count` digits at *at, which moves behind them; -1 where they are not there. */
static int digits(const char **at, const char *end, int count)
{
    int value = 0;
    if (end - *at < count)
        return -1;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

/* Minutes east of UTC ("Z", "+02:00", "-0330", or nothing); clears *good where that is malformed. */
static int64_t offset_minutes(const char *at, const char *end, bool *good)
{
    if (at == end || ((*at == 'Z' || *at == 'z') && at + 1 == end))
        return 0;
    int sign = *at == '-' ? -1 : 1;
    *good = *at == '+' || *at == '-';
    at++;
    int hours = digits(&at, end, 2);
    at += at < end && *at == ':';
    int minutes = digits(&at, end, 2);
    *good = *good && hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && at == end;
    return sign * (hours * 60 + minutes);
}

int64_t kim_time_of_text(kim_text text)
{
    static const struct { int count; const char *behind; } shape[6] = {
        {4, "-"}, {2, "-"}, {2, "Tt "}, {2, ":"}, {2, ":"}, {2, ""},
    };
    const char *at = text.bytes, *end = at ? at + text.size : NULL;
    int fields[6], ms = 0;
    if (at == NULL)
        return 0;
    for (int i = 0; i < 6; i++) {
        fields[i] = digits(&at, end, shape[i].count);
        if (fields[i] < 0)
            return 0;
        if (*shape[i].behind == '\0')
            continue;
        if (at == end || *at == '\0' || strchr(shape[i].behind, *at++) == NULL)
            return 0;
    }
    if (at < end && *at == '.') {
        int scale = 100;
        for (at++; at < end && *at >= '0' && *at <= '9'; at++, scale /= 10)
            ms += (*at - '0') * scale;
    }
    bool good = true;
    int64_t offset = offset_minutes(at, end, &good);
    int64_t at_ms = kim_time_of(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5], ms);
    return good && at_ms ? at_ms - offset * 60000 : 0;
}
