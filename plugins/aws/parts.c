/* SPDX-License-Identifier: Apache-2.0
 *
 * parts.c - tags, times and public access blocks, however an answer spells them.
 */
#include <stdlib.h>

#include <kim/time.h>

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

int64_t aws_time(const kim_json *value)
{
    if (kim_json_is(value, KIM_JSON_STRING))
        return kim_time_of_text(value->text);
    if (kim_json_is(value, KIM_JSON_NUMBER)) {
        double seconds = strtod(value->text.bytes, NULL);
        return seconds > 0 && seconds < 253402300800.0 ? (int64_t)(seconds * 1000 + 0.5) : 0;
    }
    static const char *const names[6] = {"year", "month", "day", "hour", "minute", "second"};
    int fields[6];
    for (int i = 0; i < 6; i++) {
        int64_t number = kim_json_int(kim_json_get(value, names[i]), -1);
        fields[i] = number < 0 || number > 9999 ? -1 : (int)number;
    }
    int64_t us = kim_json_int(kim_json_get(value, "microsecond"), 0);
    return kim_time_of(fields[0], fields[1], fields[2], fields[3], fields[4], fields[5],
                       us > 0 && us < 1000000 ? (int)(us / 1000) : 0);
}
