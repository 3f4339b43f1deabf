/* SPDX-License-Identifier: Apache-2.0
 *
 * language.c - a row a language.
 *
 * Sources: MQTT 5.0, 4.7 Topic Names and Topic Filters; NATS, Subject-Based Messaging, Wildcards; RabbitMQ,
 * Access Control (regular expressions are Erlang's, which are PCRE: hence libpcre2).
 */
#include "controller/evaluate/language.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "controller/evaluate/arn.h"
#include "controller/evaluate/wildcard.h"

enum { REGEX_MAX_STEPS = 1000000 };

struct language {
    const char *name;
    int (*match)(kim_text pattern, kim_text text, bool nocase, kim_error *err);
    int (*match_action)(kim_text pattern, kim_text action, bool nocase, kim_error *err);
};

static int exact(kim_text pattern, kim_text text, bool nocase, kim_error *err)
{
    (void)err;
    return nocase ? kim_text_equal_nocase(pattern, text) : kim_text_equal(pattern, text);
}

static int glob(kim_text pattern, kim_text text, bool nocase, kim_error *err)
{
    (void)err;
    return nocase ? glob_match_nocase(pattern, text) : glob_match(pattern, text);
}

static int arn_parts(kim_text pattern, kim_text text, bool nocase, kim_error *err)
{
    arn p = arn_split(pattern), t = arn_split(text);
    if (p.is_everything)
        return 1;
    if (p.count != t.count)
        return 0;
    for (size_t i = 0; i < p.count; i++)
        if (!glob(p.parts[i], t.parts[i], nocase, err))
            return 0;
    return 1;
}

/* The next level of a path that `separator` cuts; false at its end. */
static bool next_level(kim_text *rest, char separator, kim_text *level)
{
    if (rest->bytes == NULL)
        return false;
    const char *cut = rest->size ? memchr(rest->bytes, separator, rest->size) : NULL;
    *level = (kim_text){rest->bytes, cut ? (size_t)(cut - rest->bytes) : rest->size};
    *rest = cut ? (kim_text){cut + 1, rest->size - level->size - 1} : KIM_NO_TEXT;
    return true;
}

static int mqtt(kim_text pattern, kim_text text, bool nocase, kim_error *err)
{
    kim_text p, t;
    if (text.size && text.bytes[0] == '$' && pattern.size && (pattern.bytes[0] == '+' || pattern.bytes[0] == '#'))
        return 0; /* MQTT-4.7.2-1 */
    while (next_level(&pattern, '/', &p)) {
        if (kim_text_is(p, "#"))
            return 1; /* the level above it too, and all below */
        if (!next_level(&text, '/', &t))
            return 0;
        if (!kim_text_is(p, "+") && !exact(p, t, nocase, err))
            return 0;
        if (text.bytes == NULL && kim_text_is(pattern, "#"))
            return 1;
    }
    return text.bytes == NULL;
}

static int nats(kim_text pattern, kim_text text, bool nocase, kim_error *err)
{
    kim_text p, t;
    while (next_level(&pattern, '.', &p)) {
        if (!next_level(&text, '.', &t))
            return 0;
        if (kim_text_is(p, ">"))
            return 1;
        if (!kim_text_is(p, "*") && !exact(p, t, nocase, err))
            return 0;
    }
    return text.bytes == NULL;
}

static int path_prefix(kim_text pattern, kim_text text, bool nocase, kim_error *err)
{
    while (pattern.size && pattern.bytes[pattern.size - 1] == '/')
        pattern.size--;
    if (text.size < pattern.size || !exact(pattern, (kim_text){text.bytes, pattern.size}, nocase, err))
        return 0;
    return text.size == pattern.size || text.bytes[pattern.size] == '/';
}

static int regex(kim_text pattern, kim_text text, bool nocase, kim_error *err)
{
    int code;
    PCRE2_SIZE at;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern.bytes, pattern.size, nocase ? PCRE2_CASELESS : 0, &code, &at, NULL);
    if (compiled == NULL)
        return kim_fail(err, KIM_ERR_INPUT, "'%.*s' is no regular expression, at byte %zu", KIM_PRINT(pattern), (size_t)at);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    int result = -1;
    if (data && limits) {
        pcre2_set_match_limit(limits, REGEX_MAX_STEPS);
        result = pcre2_match(compiled, (PCRE2_SPTR)text.bytes, text.size, 0, 0, data, limits);
    }
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    pcre2_code_free(compiled);
    if (result == PCRE2_ERROR_MATCHLIMIT)
        return kim_fail(err, KIM_ERR_LIMIT, "'%.*s' takes more than %d steps to match", KIM_PRINT(pattern), REGEX_MAX_STEPS);
    return result >= 0;
}

static int bits(kim_text pattern, kim_text action, bool nocase, kim_error *err)
{
    char a[32], b[32], *a_end, *b_end;
    (void)nocase;
    if (pattern.size == 0 || pattern.size >= sizeof a || action.size == 0 || action.size >= sizeof b)
        return kim_fail(err, KIM_ERR_INPUT, "'%.*s' is no set of bits; write a number such as 0x05", KIM_PRINT(pattern));
    memcpy(a, pattern.bytes, pattern.size), a[pattern.size] = '\0';
    memcpy(b, action.bytes, action.size), b[action.size] = '\0';
    uint64_t have = strtoull(a, &a_end, 0), want = strtoull(b, &b_end, 0);
    if (*a_end || *b_end)
        return kim_fail(err, KIM_ERR_INPUT, "'%s' or '%s' is no set of bits; write a number such as 0x05", a, b);
    return want != 0 && (have & want) == want;
}

static const language languages[] = {
    {"exact", exact, exact}, {"glob", glob, glob}, {"arn", arn_parts, glob}, {"mqtt", mqtt, exact},
    {"nats", nats, exact}, {"regex-unanchored", regex, exact}, {"path-prefix", path_prefix, exact},
    {"bitmask", exact, bits},
};

const language *language_find(kim_text name)
{
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        if (kim_text_is(name, languages[i].name))
            return &languages[i];
    return NULL;
}

int language_match(const language *l, kim_text pattern, kim_text text, bool nocase, kim_error *err)
{
    return l->match(pattern, text, nocase, err);
}

int language_match_action(const language *l, kim_text pattern, kim_text action, bool nocase, kim_error *err)
{
    return l->match_action(pattern, action, nocase, err);
}
