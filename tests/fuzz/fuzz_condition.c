/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_condition.c - any text is a condition or is refused; patterns relate as their matches show.
 *
 * The first byte chooses: 'a' AWS's Condition element, 'k' the neutral language, 'w' two patterns and a
 * text, a line each, 'l' a wildcard language's name, two patterns and a text.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/evaluate/aws_condition.h"
#include "controller/evaluate/kim_condition.h"
#include "controller/evaluate/language.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static key_value not_known(void *from, uint32_t key)
{
    (void)from, (void)key;
    return (key_value){.state = KEY_UNKNOWN};
}

static key_value some_value(void *from, uint32_t key)
{
    static const kim_text values[] = {{"192.0.2.1", 9}, {"true", 4}, {"2024-01-01T00:00:00Z", 20}, {"arn:aws:iam::111122223333:role/r", 32}};
    (void)from;
    return (key_value){KEY_GIVEN, {values + key % 4, 1 + key % 2 * (key % 4 < 3)}};
}

static void try_aws(kim_text text, kim_arena *arena)
{
    key_table *keys = key_table_new(arena);
    kim_error err;
    const aws_condition *condition = aws_condition_compile(text, true, 0, keys, arena, &err);
    uint32_t count = condition ? key_table_count(keys) : 0;
    context c = {.slots = KIM_NEW_ARRAY(arena, key_value, count + 1), .stamps = KIM_NEW_ARRAY(arena, uint32_t, count + 1)};
    key_value (*const looks[])(void *, uint32_t) = {not_known, some_value};
    for (size_t i = 0; condition && c.slots && c.stamps && i < 2; i++) {
        c.look = looks[i];
        c.stamp++;
        const term *t = aws_condition_decide(condition, &c, arena);
        if (t && !kim_arena_is_full(arena))
            term_settle(t);
    }
}

static key_value look(void *from, kim_text key)
{
    (void)from;
    return (key_value){.state = key.size % 2 ? KEY_UNKNOWN : KEY_ABSENT};
}

static kim_text line(kim_text *rest)
{
    const char *end = rest->size ? memchr(rest->bytes, '\n', rest->size) : NULL;
    kim_text one = {rest->bytes, end ? (size_t)(end - rest->bytes) : rest->size};
    *rest = end ? (kim_text){end + 1, rest->size - one.size - 1} : (kim_text){rest->bytes, 0};
    return one;
}

static bool is_ascii(kim_text text)
{
    bool is = true;
    for (size_t i = 0; i < text.size; i++)
        is &= (unsigned char)text.bytes[i] < 0x80;
    return is;
}

static void try_patterns(kim_text text)
{
    kim_text a = line(&text), b = line(&text);
    if (a.size > 64 || b.size > 64)
        return;
    glob_relation relation = glob_relate(a, b);
    if (glob_match(a, text) && glob_match(b, text) && relation == GLOB_DISJOINT)
        abort();
    if (is_ascii(text) /* a question mark takes a whole character */ && glob_match(a, text) && !glob_match(b, text) && relation == GLOB_WITHIN)
        abort();
}

/* What matches a pattern that lies in another matches that one too. */
static void try_language(kim_text text, kim_arena *arena)
{
    const language *l = language_find(line(&text));
    kim_text first = line(&text), second = line(&text);
    matcher *m = matcher_new(NULL);
    for (int use = 0; l && m && use < 2 && first.size < 256 && second.size < 256; use++) {
        pattern a, b;
        kim_error err;
        if (pattern_read(l, (pattern_use)use, first, false, arena, &a, &err) < 0 || pattern_read(l, (pattern_use)use, second, false, arena, &b, &err) < 0)
            continue;
        pattern_relation relation = first.size < 64 && second.size < 64 ? pattern_relate(&a, &b, m) : RELATE_SOME;
        pattern_match in_a = pattern_matches(&a, text, m), in_b = pattern_matches(&b, text, m);
        if (in_a == MATCH_YES && ((in_b == MATCH_NO && relation == RELATE_ALL && is_ascii(text)) || (in_b == MATCH_YES && relation == RELATE_NONE)))
            abort();
    }
    matcher_free(m);
}

static void try_kim(kim_text text, kim_arena *arena)
{
    kim_error err;
    const kim_test *test = kim_test_read(text, arena, &err);
    const term *t = test ? kim_test_decide(test, look, NULL, arena) : NULL;
    if (t && !kim_arena_is_full(arena))
        term_settle(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_arena *arena = kim_arena_new((size_t)1 << 22);
    if (size > 1 && size < 16384 && arena) {
        kim_text text = {(const char *)bytes + 1, size - 1};
        if (bytes[0] == 'a')
            try_aws(text, arena);
        else if (bytes[0] == 'k')
            try_kim(text, arena);
        else if (bytes[0] == 'w')
            try_patterns(text);
        else if (bytes[0] == 'l')
            try_language(text, arena);
    }
    kim_arena_free(arena);
    return 0;
}
