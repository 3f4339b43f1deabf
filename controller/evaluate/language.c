/* SPDX-License-Identifier: Apache-2.0
 *
 * language.c - a row a language: how its patterns are read, matched and compared.
 *
 * mqtt and nats walk pattern and text level by level. A level of the text that is a wildcard itself is covered by
 * nothing less than that wildcard, so that one walk serves topics and filters.
 */
#include "controller/evaluate/language.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "controller/evaluate/arn.h"
#include "controller/evaluate/wildcard.h"

enum { REGEX_MAX_HEAP_KIB = 4096 };

struct matcher {
    pcre2_match_data *data;
    pcre2_match_context *limits;
    int strikes;
};

struct wording {
    int (*read)(pattern *p, kim_arena *arena, kim_error *err); /* NULL: every text is a pattern */
    pattern_match (*match)(const pattern *p, kim_text text, matcher *m);
    pattern_relation (*relate)(const pattern *a, const pattern *b, matcher *m);
};

/* ---- exact ---- */

static bool equal(const pattern *p, kim_text a, kim_text b)
{
    return p->nocase ? kim_text_equal_nocase(a, b) : kim_text_equal(a, b);
}

static int read_plain(pattern *p, kim_arena *arena, kim_error *err)
{
    (void)arena, (void)err;
    p->is_plain = true;
    return 0;
}

static pattern_match match_exact(const pattern *p, kim_text text, matcher *m)
{
    (void)m;
    return equal(p, p->text, text) ? MATCH_YES : MATCH_NO;
}

static pattern_relation relate_exact(const pattern *a, const pattern *b, matcher *m)
{
    (void)m;
    return equal(a, a->text, b->text) ? RELATE_ALL : RELATE_NONE;
}

/* ---- glob ---- */

static int read_glob(pattern *p, kim_arena *arena, kim_error *err)
{
    (void)arena, (void)err;
    p->is_plain = !glob_has_wildcard(p->text);
    while (p->head_size < p->text.size && p->text.bytes[p->head_size] != '*' && p->text.bytes[p->head_size] != '?')
        p->head_size++;
    return 0;
}

static bool fits(const pattern *p, kim_text glob, kim_text text)
{
    return p->nocase ? glob_match_nocase(glob, text) : glob_match(glob, text);
}

static pattern_match match_glob(const pattern *p, kim_text text, matcher *m)
{
    (void)m;
    return fits(p, p->text, text) ? MATCH_YES : MATCH_NO;
}

static pattern_relation relation(glob_relation of)
{
    return of == GLOB_WITHIN ? RELATE_ALL : of == GLOB_DISJOINT ? RELATE_NONE : RELATE_SOME;
}

static pattern_relation relate_parts(const kim_text *a, const kim_text *b, size_t count, bool nocase)
{
    pattern_relation all = RELATE_ALL;
    kim_arena *arena = nocase ? kim_arena_new(SIZE_MAX) : NULL;
    for (size_t i = 0; i < count && all != RELATE_NONE; i++) {
        kim_text x = arena ? kim_text_lower(arena, a[i]) : a[i], y = arena ? kim_text_lower(arena, b[i]) : b[i];
        pattern_relation one = nocase && (kim_text_is_absent(x) || kim_text_is_absent(y)) ? RELATE_SOME : relation(glob_relate(x, y));
        all = one == RELATE_NONE || all == RELATE_ALL ? one : all;
    }
    kim_arena_free(arena);
    return all;
}

static pattern_relation relate_glob(const pattern *a, const pattern *b, matcher *m)
{
    (void)m;
    return relate_parts(&a->text, &b->text, 1, a->nocase);
}

/* ---- arn ---- */

static pattern_match match_arn(const pattern *p, kim_text text, matcher *m)
{
    arn of = arn_split(p->text), t = arn_split(text);
    (void)m;
    if (of.is_everything)
        return MATCH_YES;
    bool all = of.count == t.count;
    for (size_t i = 0; i < of.count && all; i++)
        all = fits(p, of.parts[i], t.parts[i]);
    return all ? MATCH_YES : MATCH_NO;
}

static pattern_relation relate_arn(const pattern *a, const pattern *b, matcher *m)
{
    arn x = arn_split(a->text), y = arn_split(b->text);
    (void)m;
    if (y.is_everything)
        return RELATE_ALL;
    if (x.is_everything)
        return RELATE_SOME;
    return x.count == y.count ? relate_parts(x.parts, y.parts, x.count, a->nocase) : RELATE_NONE;
}

/* ---- mqtt and nats: levels ---- */

typedef struct levels {
    char separator;
    const char *one, *rest;   /* the wildcards, each a level of its own */
    bool rest_may_be_nothing; /* a/# matches a; a.> does not match a */
    bool hides_dollar;        /* a wildcard in the first level matches nothing that begins with '$' */
} levels;

static const levels mqtt = {'/', "+", "#", true, true}, nats = {'.', "*", ">", false, false};

/* The next level; false at the end. */
static bool next_level(kim_text *rest, char separator, kim_text *level)
{
    if (rest->bytes == NULL)
        return false;
    const char *cut = rest->size ? memchr(rest->bytes, separator, rest->size) : NULL;
    *level = (kim_text){rest->bytes, cut ? (size_t)(cut - rest->bytes) : rest->size};
    *rest = cut ? (kim_text){cut + 1, rest->size - level->size - 1} : KIM_NO_TEXT;
    return true;
}

static kim_text present(kim_text text)
{
    return text.bytes ? text : KIM_TEXT("");
}

/* A wildcard that is no whole level, or a last one that is not last, makes a filter that no broker takes. nats takes
 * a '*' or '>' within a token as itself. */
static int read_levels(pattern *p, const levels *of)
{
    kim_text rest = present(p->text), level;
    p->is_plain = true;
    while (next_level(&rest, of->separator, &level)) {
        bool is_one = kim_text_is(level, of->one), is_rest = kim_text_is(level, of->rest);
        if (is_one || is_rest)
            p->is_plain = false;
        else if (p->is_plain) /* the separator after it may be missing: a/# matches a */
            p->head_size = (size_t)(level.bytes + level.size - p->text.bytes);
        if (!is_one && !is_rest && of == &mqtt && (memchr(level.bytes, '+', level.size) || memchr(level.bytes, '#', level.size)))
            p->is_void = true;
        if (is_rest && rest.bytes)
            p->is_void = true;
    }
    return 0;
}

static int read_mqtt(pattern *p, kim_arena *arena, kim_error *err)
{
    (void)arena, (void)err;
    return read_levels(p, &mqtt);
}

static int read_nats(pattern *p, kim_arena *arena, kim_error *err)
{
    (void)arena, (void)err;
    return read_levels(p, &nats);
}

/* Does the pattern cover the topic, or every topic of the filter? */
static bool covers(const pattern *p, kim_text text, const levels *of)
{
    kim_text rest = present(p->text), given = present(text), level, t;
    bool is_first = true;
    if (of == &mqtt && kim_text_is(given, "#") && kim_text_is(rest, "+/#"))
        return true; /* every topic has a first level */
    for (; next_level(&rest, of->separator, &level); is_first = false) {
        bool is_rest = kim_text_is(level, of->rest), is_wild = is_rest || kim_text_is(level, of->one);
        if (!next_level(&given, of->separator, &t))
            return is_rest && of->rest_may_be_nothing;
        if (is_first && is_wild && of->hides_dollar && t.size && t.bytes[0] == '$')
            return false;
        if (is_rest)
            return true;
        bool asks_rest = given.bytes == NULL && kim_text_is(t, of->rest);
        if (asks_rest || (!is_wild && !equal(p, level, t)))
            return false;
    }
    return given.bytes == NULL;
}

static pattern_match match_mqtt(const pattern *p, kim_text text, matcher *m)
{
    (void)m;
    return covers(p, text, &mqtt) ? MATCH_YES : MATCH_NO;
}

static pattern_match match_nats(const pattern *p, kim_text text, matcher *m)
{
    (void)m;
    return covers(p, text, &nats) ? MATCH_YES : MATCH_NO;
}

/* Is there a text that both match? */
static bool meet(const pattern *a, const pattern *b, const levels *of)
{
    kim_text left = present(a->text), right = present(b->text), x, y;
    bool is_first = true;
    for (;; is_first = false) {
        bool has_x = next_level(&left, of->separator, &x), has_y = next_level(&right, of->separator, &y);
        bool x_rest = has_x && kim_text_is(x, of->rest), y_rest = has_y && kim_text_is(y, of->rest);
        if (!has_x || !has_y)
            return (!has_x && !has_y) || (of->rest_may_be_nothing && (x_rest || y_rest));
        bool x_wild = x_rest || kim_text_is(x, of->one), y_wild = y_rest || kim_text_is(y, of->one);
        if (is_first && of->hides_dollar && ((x_wild && y.size && y.bytes[0] == '$') || (y_wild && x.size && x.bytes[0] == '$')))
            return false;
        if (x_rest || y_rest)
            return true;
        if (!x_wild && !y_wild && !equal(a, x, y))
            return false;
    }
}

static pattern_relation relate_levels(const pattern *a, const pattern *b, const levels *of)
{
    return covers(b, a->text, of) ? RELATE_ALL : meet(a, b, of) ? RELATE_SOME : RELATE_NONE;
}

static pattern_relation relate_mqtt(const pattern *a, const pattern *b, matcher *m)
{
    (void)m;
    return relate_levels(a, b, &mqtt);
}

static pattern_relation relate_nats(const pattern *a, const pattern *b, matcher *m)
{
    (void)m;
    return relate_levels(a, b, &nats);
}

/* ---- path-prefix ---- */

static kim_text without_slashes(kim_text path)
{
    while (path.size && path.bytes[path.size - 1] == '/')
        path.size--;
    return path;
}

static pattern_match match_prefix(const pattern *p, kim_text text, matcher *m)
{
    kim_text prefix = without_slashes(p->text);
    (void)m;
    if (p->text.size == 0)
        return MATCH_YES;
    if (text.size < prefix.size || !equal(p, prefix, (kim_text){text.bytes, prefix.size}))
        return MATCH_NO;
    return text.size == prefix.size || text.bytes[prefix.size] == '/' ? MATCH_YES : MATCH_NO;
}

static pattern_relation relate_prefix(const pattern *a, const pattern *b, matcher *m)
{
    return match_prefix(b, a->text, m) == MATCH_YES ? RELATE_ALL : match_prefix(a, b->text, m) == MATCH_YES ? RELATE_SOME : RELATE_NONE;
}

/* ---- regular expressions ---- */

static void *take(size_t size, void *arena)
{
    return kim_arena_alloc(arena, size);
}

static void leave(void *bytes, void *arena)
{
    (void)bytes, (void)arena; /* it ends with the arena */
}

static int read_regex(pattern *p, kim_arena *arena, kim_error *err)
{
    int code;
    PCRE2_SIZE at;
    PCRE2_UCHAR why[128];
    kim_text text = p->text.size ? p->text : KIM_TEXT("^$");
    pcre2_general_context *memory = pcre2_general_context_create(take, leave, arena);
    pcre2_compile_context *settings = memory ? pcre2_compile_context_create(memory) : NULL;
    if (settings == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a regular expression");
    p->code = pcre2_compile((PCRE2_SPTR)text.bytes, text.size, p->nocase ? PCRE2_CASELESS : 0, &code, &at, settings);
    if (p->code)
        return 0;
    if (kim_arena_is_full(arena))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a regular expression");
    pcre2_get_error_message(code, why, sizeof why);
    return kim_fail(err, KIM_ERR_INPUT, "'%.*s' is no regular expression: %s, at byte %zu",
                    (int)(text.size < 80 ? text.size : 80), text.bytes, (const char *)why, (size_t)at);
}

static pattern_match match_regex(const pattern *p, kim_text text, matcher *m)
{
    if (m->strikes >= REGEX_MAX_STRIKES)
        return MATCH_UNSETTLED;
    text = present(text);
    int result = pcre2_match(p->code, (PCRE2_SPTR)text.bytes, text.size, 0, 0, m->data, m->limits);
    if (result >= 0)
        return MATCH_YES;
    if (result == PCRE2_ERROR_NOMATCH)
        return MATCH_NO;
    m->strikes++;
    return MATCH_UNSETTLED;
}

static pattern_relation relate_regex(const pattern *a, const pattern *b, matcher *m)
{
    (void)m;
    return kim_text_equal(a->text, b->text) ? RELATE_ALL : RELATE_SOME;
}

/* ---- bitmask ---- */

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

bool language_bits(kim_text text, uint64_t *out)
{
    bool is_prefixed = text.size > 2 && text.bytes[0] == '0';
    unsigned base = is_prefixed && (text.bytes[1] | 32) == 'x' ? 16 : is_prefixed && (text.bytes[1] | 32) == 'b' ? 2 : 10;
    uint64_t value = 0;
    for (size_t i = base == 10 ? 0 : 2; i < text.size; i++) {
        unsigned digit = (unsigned)digit_of(text.bytes[i]);
        if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) || __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *out = value;
    return text.size > 0;
}

static int read_bits(pattern *p, kim_arena *arena, kim_error *err)
{
    (void)arena;
    if (language_bits(p->text, &p->bits))
        return 0;
    return kim_fail(err, KIM_ERR_INPUT, "'%.*s' is no set of at most 64 bits; write a number such as 0x05 or 5",
                    (int)(p->text.size < 80 ? p->text.size : 80), p->text.bytes ? p->text.bytes : "");
}

static pattern_match match_bits(const pattern *p, kim_text text, matcher *m)
{
    uint64_t wanted;
    (void)m;
    return language_bits(text, &wanted) && wanted && (p->bits & wanted) == wanted ? MATCH_YES : MATCH_NO;
}

static pattern_relation relate_bits(const pattern *a, const pattern *b, matcher *m)
{
    (void)m;
    return (a->bits & b->bits) == a->bits ? RELATE_ALL : a->bits & b->bits ? RELATE_SOME : RELATE_NONE;
}

/* ---- the languages ---- */

static const wording exact_words = {read_plain, match_exact, relate_exact}, glob_words = {read_glob, match_glob, relate_glob},
                     arn_words = {NULL, match_arn, relate_arn}, mqtt_words = {read_mqtt, match_mqtt, relate_mqtt},
                     nats_words = {read_nats, match_nats, relate_nats}, prefix_words = {NULL, match_prefix, relate_prefix},
                     regex_words = {read_regex, match_regex, relate_regex}, bits_words = {read_bits, match_bits, relate_bits};

struct language {
    const char *name;
    const wording *resources, *actions;
};

static const language languages[] = {
    {"exact", &exact_words, &exact_words},
    {"glob", &glob_words, &glob_words},
    {"arn", &arn_words, &glob_words},
    {"mqtt", &mqtt_words, &exact_words},
    {"nats", &nats_words, &exact_words},
    {"regex-unanchored", &regex_words, &exact_words},
    {"path-prefix", &prefix_words, &exact_words},
    {"bitmask", &exact_words, &bits_words},
};

const language *language_find(kim_text name)
{
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++)
        if (kim_text_is(name, languages[i].name))
            return &languages[i];
    return NULL;
}

const char *language_names(void)
{
    return "exact, glob, arn, mqtt, nats, regex-unanchored, path-prefix, bitmask";
}

bool language_numbers_actions(const language *l)
{
    return l->actions == &bits_words;
}

int pattern_read(const language *l, pattern_use use, kim_text text, bool nocase, kim_arena *arena, pattern *out, kim_error *err)
{
    *out = (pattern){.text = present(text), .words = use == PATTERN_OF_ACTIONS ? l->actions : l->resources, .nocase = nocase};
    int result = out->words->read ? out->words->read(out, arena, err) : 0;
    out->head_size = nocase ? 0 : out->head_size;
    return result;
}

pattern_match pattern_matches(const pattern *p, kim_text text, matcher *m)
{
    if (p->is_void || text.size < p->head_size || memcmp(p->text.bytes, text.bytes ? text.bytes : "", p->head_size) != 0)
        return MATCH_NO;
    return p->is_plain ? match_exact(p, text, m) : p->words->match(p, text, m);
}

pattern_relation pattern_relate(const pattern *a, const pattern *b, matcher *m)
{
    return a->is_void || b->is_void ? RELATE_NONE : a->words->relate(a, b, m);
}

/* ---- scratch ---- */

matcher *matcher_new(kim_error *err)
{
    matcher *m = calloc(1, sizeof *m);
    if (m) {
        m->data = pcre2_match_data_create(1, NULL);
        m->limits = pcre2_match_context_create(NULL);
    }
    if (m == NULL || m->data == NULL || m->limits == NULL) {
        matcher_free(m);
        kim_fail(err, KIM_ERR_NOMEM, "no memory to match patterns");
        return NULL;
    }
    pcre2_set_match_limit(m->limits, REGEX_MAX_STEPS);
    pcre2_set_heap_limit(m->limits, REGEX_MAX_HEAP_KIB);
    return m;
}

void matcher_free(matcher *m)
{
    if (m == NULL)
        return;
    pcre2_match_context_free(m->limits);
    pcre2_match_data_free(m->data);
    free(m);
}

void matcher_begin(matcher *m)
{
    m->strikes = 0;
}
