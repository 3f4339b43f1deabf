/* SPDX-License-Identifier: Apache-2.0
 *
 * words.c - terms, reasons and times for people.
 */
#include <time.h>

#include <kim/limits.h>

#include "controller/present/cli/words.h"

static kim_text join(kim_text a, const char *between, kim_text b, kim_arena *arena)
{
    if (a.size == 0)
        return b;
    if (b.size == 0)
        return a;
    return kim_text_format(arena, "%.*s%s%.*s", KIM_PRINT(a), between, KIM_PRINT(b));
}

/* ---- conditions ---- */

static kim_text term_in_words(const kim_json *term, int depth, kim_arena *arena);

static kim_text terms_in_words(const kim_json *terms, const char *between, int depth, kim_arena *arena)
{
    kim_text all = KIM_NO_TEXT;
    for (size_t i = 0; kim_json_is(terms, KIM_JSON_ARRAY) && i < terms->count; i++)
        all = join(all, between, term_in_words(&terms->items[i], depth + 1, arena), arena);
    return all;
}

static kim_text term_in_words(const kim_json *term, int depth, kim_arena *arena)
{
    if (depth > 32) /* deeper than anybody reads */
        return KIM_TEXT("...");
    const kim_json *part;
    kim_text text; /* made once: KIM_PRINT names its argument twice */
    if ((part = kim_json_get(term, "any")) != NULL) {
        text = terms_in_words(part, " or ", depth, arena);
        return kim_text_format(arena, "(%.*s)", KIM_PRINT(text));
    }
    if ((part = kim_json_get(term, "all")) != NULL) {
        text = terms_in_words(part, " and ", depth, arena);
        return kim_text_format(arena, "(%.*s)", KIM_PRINT(text));
    }
    if ((part = kim_json_get(term, "not")) != NULL) {
        text = term_in_words(part, depth + 1, arena);
        return kim_text_format(arena, "not %.*s", KIM_PRINT(text));
    }
    if (!kim_text_is_absent(text = kim_json_text_of(term, "expression")))
        return text;
    if (!kim_text_is_absent(text = kim_json_text_of(term, "unread")))
        return kim_text_format(arena, "[not read: %.*s]", KIM_PRINT(text));
    if (!kim_text_is_absent(text = kim_json_text_of(term, "resource")))
        return kim_text_format(arena, "resource is %.*s", KIM_PRINT(text));
    kim_text key = kim_json_text_of(term, "key"), op = kim_json_text_of(term, "op");
    text = words_list(kim_json_get(term, "values"), arena);
    return kim_text_format(arena, "%.*s %.*s %.*s", KIM_PRINT(key), KIM_PRINT(op), KIM_PRINT(text));
}

kim_text words_condition(const kim_json *terms, kim_arena *arena)
{
    return terms_in_words(terms, " and ", 0, arena);
}

/* ---- reasons ---- */

kim_text words_because(const kim_json *because, kim_arena *arena)
{
    kim_text all = KIM_NO_TEXT;
    for (size_t i = 0; kim_json_is(because, KIM_JSON_ARRAY) && i < because->count; i++) {
        const kim_json *one = &because->items[i];
        kim_text policy = kim_json_text_of(one, "policy"), statement = kim_json_text_of(one, "statement");
        kim_text where = join(policy, "/", statement, arena);
        all = join(all, "; ", join(kim_json_text_of(one, "layer"), ": ", where, arena), arena);
    }
    return all;
}

kim_text words_why(const kim_json *answer, kim_arena *arena)
{
    kim_text condition = words_condition(kim_json_get(answer, "if"), arena);
    kim_text unread = words_list(kim_json_get(answer, "unread"), arena);
    kim_text because = words_because(kim_json_get(answer, "because"), arena), why = KIM_NO_TEXT;
    if (condition.size > 0 && unread.size == 0) /* what is unread stands in the condition too */
        why = kim_text_format(arena, "if %.*s", KIM_PRINT(condition));
    if (unread.size > 0)
        why = join(why, "; ", kim_text_format(arena, "not read: %.*s", KIM_PRINT(unread)), arena);
    if (because.size > 0)
        why = join(why, "; ", kim_text_format(arena, "by %.*s", KIM_PRINT(because)), arena);
    return why;
}

kim_text words_list(const kim_json *list, kim_arena *arena)
{
    kim_texts texts = kim_json_texts(list, arena);
    kim_text all = KIM_NO_TEXT;
    for (size_t i = 0; i < texts.count; i++)
        all = join(all, ", ", texts.items[i], arena);
    return all;
}

row_color words_color_of(kim_text decision)
{
    static const struct {
        const char *decision;
        row_color color;
    } colors[] = {{"allowed", GOOD}, {"denied", BAD}, {"conditional", WARN}, {"unknown", ODD}};
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
        if (kim_text_is(decision, colors[i].decision))
            return colors[i].color;
    return PLAIN;
}

/* ---- commands to try ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(":/._@+=,-", c) != NULL);
}

/* Within '...' only the quote itself must be written in another way. */
static kim_text quoted(kim_text word, kim_arena *arena)
{
    kim_text out = KIM_TEXT("'");
    for (size_t at = 0; at < word.size;) {
        const char *quote = memchr(word.bytes + at, '\'', word.size - at);
        size_t size = quote != NULL ? (size_t)(quote - word.bytes) - at : word.size - at;
        out = kim_text_format(arena, "%.*s%.*s%s", KIM_PRINT(out), (int)size, word.bytes + at, quote != NULL ? "'\\''" : "");
        at += size + (quote != NULL);
    }
    return kim_text_format(arena, "%.*s'", KIM_PRINT(out));
}

kim_text words_shell(kim_text word, kim_arena *arena)
{
    bool plain = word.size > 0;
    if (kim_text_starts_with(word, KIM_TEXT("-")) || !kim_text_is_utf8(word) || kim_text_is_absent(word))
        return KIM_NO_TEXT;
    for (size_t i = 0; i < word.size; i++) {
        if (kim_text_control_size((kim_text){word.bytes + i, word.size - i}) > 0)
            return KIM_NO_TEXT;
        plain = plain && is_plain(word.bytes[i]);
    }
    return plain ? word : quoted(word, arena);
}

/* ---- times ---- */

kim_text words_time(const kim_json *at_unix_ms, kim_arena *arena)
{
    int64_t ms = kim_json_int(at_unix_ms, 0);
    struct tm tm;
    char text[64];
    time_t at = (time_t)(ms / 1000);
    if (ms == 0 || gmtime_r(&at, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm) == 0)
        return KIM_NO_TEXT;
    return kim_text_copy(arena, kim_text_of(text));
}

kim_text words_duration(int64_t ms, kim_arena *arena)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"d", 86400000}, {"h", 3600000}, {"min", 60000}, {"s", 1000}};
    enum { UNITS = sizeof units / sizeof *units };
    for (size_t i = 0; i < UNITS; i++) {
        if (ms < units[i].ms && i + 1 < UNITS)
            continue;
        long long whole = ms / units[i].ms;
        if (i + 1 == UNITS)
            return kim_text_format(arena, "%lld %s", whole, units[i].unit);
        return kim_text_format(arena, "%lld %s %lld %s", whole, units[i].unit,
                               (long long)(ms % units[i].ms / units[i + 1].ms), units[i + 1].unit);
    }
    return KIM_NO_TEXT;
}
