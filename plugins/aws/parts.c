/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.c - tags, times and public access blocks, however an answer spells them.
 */
#include <stdlib.h>

#include "plugins/aws/parts.h"

kim_pairs aws_tags(kim_arena *arena, const kim_json *tags)
{
    size_t room = tags ? tags->count : 0, count = 0;
    if (room == 0)
        return (kim_pairs){NULL, 0};
    kim_pair *items = KIM_NEW_ARRAY(arena, kim_pair, room);
    for (size_t i = 0; items && i < room; i++) {
        kim_pair pair = {KIM_NO_TEXT, KIM_NO_TEXT};
        if (tags->type == KIM_JSON_OBJECT) {
            pair = (kim_pair){tags->members[i].name, kim_json_text(tags->members[i].value)};
        } else if (kim_json_get(&tags->items[i], "Key")) {
            pair = (kim_pair){kim_json_text_of(&tags->items[i], "Key"), kim_json_text_of(&tags->items[i], "Value")};
        } else { /* KMS: TagKey, TagValue; ECS and others: key, value */
            bool kms = kim_json_get(&tags->items[i], "TagKey");
            pair = (kim_pair){kim_json_text_of(&tags->items[i], kms ? "TagKey" : "key"),
                              kim_json_text_of(&tags->items[i], kms ? "TagValue" : "value")};
        }
        if (pair.value.bytes == NULL)
            pair.value = KIM_TEXT("");
        if (pair.name.bytes)
            items[count++] = pair;
    }
    return (kim_pairs){count ? items : NULL, count};
}

/* Source: S3 API Reference, PublicAccessBlockConfiguration. */
static const struct { const char *name, *fact; } blocks[] = {
    {"BlockPublicAcls", "s3.block_public_acls"},
    {"IgnorePublicAcls", "s3.ignore_public_acls"},
    {"BlockPublicPolicy", "s3.block_public_policy"},
    {"RestrictPublicBuckets", "s3.restrict_public_buckets"},
};
enum { BLOCKS = sizeof blocks / sizeof *blocks };

kim_pairs aws_public_access_block(kim_arena *arena, const kim_json *block)
{
    const kim_json *inner = kim_json_get(block, "PublicAccessBlockConfiguration");
    if (inner)
        block = inner;
    size_t count = 0;
    kim_pair *items = kim_json_is(block, KIM_JSON_OBJECT) ? KIM_NEW_ARRAY(arena, kim_pair, BLOCKS) : NULL;
    for (size_t i = 0; items && i < BLOCKS; i++) {
        kim_text text = kim_json_text_of(block, blocks[i].name);
        if (kim_text_equal_nocase(text, KIM_TEXT("true")))
            items[count++] = (kim_pair){kim_text_of(blocks[i].fact), KIM_TEXT("true")};
        else if (kim_text_equal_nocase(text, KIM_TEXT("false")))
            items[count++] = (kim_pair){kim_text_of(blocks[i].fact), KIM_TEXT("false")};
    }
    return (kim_pairs){count ? items : NULL, count};
}

/* ---- times ---- */

/* Days since 1970-01-01 of a date of the Gregorian calendar, with March as the first month, so that
 * the leap day is the last of a year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t unix_ms(const int64_t f[6], int64_t ms)
{
    if (f[0] < 1970 || f[0] > 9999 || f[1] < 1 || f[1] > 12 || f[2] < 1 || f[2] > 31 || f[3] > 23 || f[4] > 59 || f[5] > 60)
        return 0;
    return ((days_of(f[0], f[1], f[2]) * 24 + f[3]) * 60 + f[4]) * 60000 + f[5] * 1000 + ms;
}

/* So many digits at *at, or -1. */
static int64_t digits(const char **at, const char *end, int count)
{
    int64_t value = 0;
    if (end - *at < count)
        return -1;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

int64_t aws_time_text(kim_text text)
{
    static const struct { int count; const char *behind; } shape[6] = {
        {4, "-"}, {2, "-"}, {2, "Tt "}, {2, ":"}, {2, ":"}, {2, ""},
    };
    const char *at = text.bytes, *end = at ? at + text.size : NULL;
    int64_t fields[6], ms = 0, offset_minutes = 0;
    for (int i = 0; i < 6; i++) {
        fields[i] = digits(&at, end, shape[i].count);
        if (fields[i] < 0)
            return 0;
        if (*shape[i].behind && (at == end || strchr(shape[i].behind, *at++) == NULL))
            return 0;
    }
    if (at < end && *at == '.') {
        at++;
        for (int scale = 100; at < end && *at >= '0' && *at <= '9'; at++, scale /= 10)
            ms += (*at - '0') * scale;
    }
    if (at < end && (*at == '+' || *at == '-')) {
        int sign = *at++ == '-' ? -1 : 1;
        int64_t hours = digits(&at, end, 2);
        at += at < end && *at == ':';
        int64_t minutes = digits(&at, end, 2);
        if (hours < 0 || minutes < 0)
            return 0;
        offset_minutes = sign * (hours * 60 + minutes);
    }
    int64_t at_ms = unix_ms(fields, ms);
    return at_ms ? at_ms - offset_minutes * 60000 : 0;
}

int64_t aws_time(const kim_json *value)
{
    if (kim_json_is(value, KIM_JSON_STRING))
        return aws_time_text(value->text);
    if (kim_json_is(value, KIM_JSON_NUMBER)) {
        double seconds = strtod(value->text.bytes, NULL);
        return seconds > 0 && seconds < 253402300800.0 ? (int64_t)(seconds * 1000 + 0.5) : 0;
    }
    if (kim_json_is(value, KIM_JSON_OBJECT)) {
        static const char *const names[6] = {"year", "month", "day", "hour", "minute", "second"};
        int64_t fields[6];
        for (int i = 0; i < 6; i++) {
            fields[i] = kim_json_int(kim_json_get(value, names[i]), -1);
            if (fields[i] < 0)
                return 0;
        }
        return unix_ms(fields, kim_json_int(kim_json_get(value, "microsecond"), 0) / 1000 % 1000);
    }
    return 0;
}
