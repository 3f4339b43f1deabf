/* SPDX-License-Identifier: Apache-2.0
 *
 * points.c - a sorted line walked once; an address as a number of 4 or 16 bytes.
 */
#include "controller/evaluate/points.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Without repeats and NaN; how many are left. */
static size_t settle(double *values, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!isnan(values[i]))
            values[kept++] = values[i];
    qsort(values, kept, sizeof *values, compare_numbers);
    count = kept;
    kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || values[i] != values[kept - 1])
            values[kept++] = values[i];
    return kept;
}

/* Each value, what lies half-way to the next, and what lies `step` beyond the ends; written in `unit`s. */
static int walk_line(double *values, size_t count, double step, double unit, kim_arena *arena, samples *out)
{
    bool has_any = count > 0;
    count = settle(values, count);
    if (has_any && count == 0) /* all were NaN: any value is as good as another */
        return samples_add(out, KIM_TEXT("1"), arena);
    for (size_t i = 0; i < count; i++) {
        double next = i + 1 < count ? (values[i] + values[i + 1]) / 2 : values[i] + step;
        if ((i == 0 && samples_add(out, kim_text_format(arena, "%.17g", (values[0] - step) / unit), arena) < 0) ||
            samples_add(out, kim_text_format(arena, "%.17g", values[i] / unit), arena) < 0 ||
            samples_add(out, kim_text_format(arena, "%.17g", next / unit), arena) < 0)
            return -1;
    }
    return 0;
}

int points_of_numbers(double *values, size_t count, kim_arena *arena, samples *out)
{
    return walk_line(values, count, 1, 1, arena, out);
}

int points_of_dates(double *values, size_t count, kim_arena *arena, samples *out)
{
    enum { DAY_MS = 24 * 60 * 60 * 1000, SECOND_MS = 1000 };
    return walk_line(values, count, DAY_MS, SECOND_MS, arena, out);
}

enum { ADDRESS_BYTES = 16 };

/* The address after it (by = 1) or before it (by = -1), round the end. */
static void move(uint8_t *bytes, size_t size, int by)
{
    for (size_t i = size; i-- > 0;) {
        uint8_t before = bytes[i];
        bytes[i] = (uint8_t)(before + by);
        if (before != (by > 0 ? UINT8_MAX : 0))
            return;
    }
}

static int add_address(int family, const uint8_t *bytes, kim_arena *arena, samples *out)
{
    char text[INET6_ADDRSTRLEN];
    if (inet_ntop(family, bytes, text, sizeof text) == NULL)
        return 0;
    return samples_add(out, kim_text_copy(arena, kim_text_of(text)), arena);
}

int points_of_network(kim_text network, kim_arena *arena, samples *out)
{
    char copy[INET6_ADDRSTRLEN + 8];
    uint8_t first[ADDRESS_BYTES], last[ADDRESS_BYTES];
    if (network.size == 0 || network.size >= sizeof copy)
        return 0;
    memcpy(copy, network.bytes, network.size);
    copy[network.size] = '\0';
    char *slash = strchr(copy, '/');
    if (slash)
        *slash++ = '\0';
    int family = strchr(copy, ':') ? AF_INET6 : AF_INET;
    size_t size = family == AF_INET ? 4 : ADDRESS_BYTES, bits = slash ? (size_t)atoi(slash) : size * 8;
    if (inet_pton(family, copy, first) != 1 || bits > size * 8)
        return 0;
    for (size_t i = 0; i < size; i++) {
        size_t kept = bits <= i * 8 ? 0 : bits - i * 8 < 8 ? bits - i * 8 : 8;
        uint8_t mask = (uint8_t)(0xFF00 >> kept);
        first[i] &= mask;
        last[i] = (uint8_t)(first[i] | (uint8_t)~mask);
    }
    if (add_address(family, first, arena, out) < 0 || add_address(family, last, arena, out) < 0)
        return -1;
    move(first, size, -1);
    move(last, size, 1);
    return add_address(family, first, arena, out) < 0 || add_address(family, last, arena, out) < 0 ? -1 : 0;
}
