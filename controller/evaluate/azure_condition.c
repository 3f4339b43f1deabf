/* SPDX-License-Identifier: Apache-2.0
 *
 * azure_condition.c - a small parser to a tree, and a walk over the tree that gives terms.
 *
 * Each operator is a row: the type in which both sides are read, the test on one pair of values, and
 * whether it is negated. How many pairs must pass is the quantifier's affair: none written means one, and
 * the negated operator is then the opposite of the whole.
 */
#include "controller/evaluate/azure_condition.h"

#include <arpa/inet.h>

#include <kim/limits.h>
#include <kim/time.h>

#include "controller/evaluate/wildcard.h"

/* ---- operators ---- */

typedef enum value_type { OF_STRINGS, OF_STRINGS_NOCASE, OF_NUMBERS, OF_TIMES, OF_TIMES_OF_DAY, OF_BOOLS, OF_GUIDS, OF_ADDRESSES } value_type;
typedef enum test { EQUAL, BEGINS, ENDS, HOLDS, LIKE, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL, IN_NET, IN_RANGE } test;

typedef struct operator_row {
    const char *name;
    value_type type;
    test test;
    const char *opposite; /* the operator that says the contrary; NULL: none does */
    bool negated;
} operator_row;

#define BOTH(name, not_name, type, test) {name, type, test, not_name, false}, {not_name, type, test, name, true}
#define ORDERED(prefix, type)                                                                   \
    BOTH(prefix "Equals", prefix "NotEquals", type, EQUAL), {prefix "LessThan", type, LESS, NULL, false},         \
    {prefix "LessThanEquals", type, LESS_EQUAL, NULL, false}, {prefix "GreaterThan", type, GREATER, NULL, false}, \
    {prefix "GreaterThanEquals", type, GREATER_EQUAL, NULL, false}, {prefix "InRange", type, IN_RANGE, NULL, false}
#define TEXTUAL(word, not_word, test)                                                           \
    BOTH("String" word, "String" not_word, OF_STRINGS, test),                                   \
    BOTH("String" word "IgnoreCase", "String" not_word "IgnoreCase", OF_STRINGS_NOCASE, test)

static const operator_row operators[] = {
    TEXTUAL("Equals", "NotEquals", EQUAL), TEXTUAL("StartsWith", "NotStartsWith", BEGINS),
    TEXTUAL("EndsWith", "NotEndsWith", ENDS), TEXTUAL("Contains", "NotContains", HOLDS), TEXTUAL("Like", "NotLike", LIKE),
    ORDERED("Numeric", OF_NUMBERS), ORDERED("DateTime", OF_TIMES), ORDERED("TimeOfDay", OF_TIMES_OF_DAY),
    BOTH("BoolEquals", "BoolNotEquals", OF_BOOLS, EQUAL), BOTH("GuidEquals", "GuidNotEquals", OF_GUIDS, EQUAL),
    BOTH("IpMatch", "IpNotMatch", OF_ADDRESSES, IN_NET), {"IpInRange", OF_ADDRESSES, IN_RANGE, NULL, false},
    BOTH("ListContains", "ListNotContains", OF_STRINGS, EQUAL),
};

typedef enum quantifier { PLAIN, ANY_OF_ANY, ALL_OF_ANY, ANY_OF_ALL, ALL_OF_ALL } quantifier;
static const char *const quantifiers[] = {
    [ANY_OF_ANY] = "ForAnyOfAnyValues:", [ALL_OF_ANY] = "ForAllOfAnyValues:", [ANY_OF_ALL] = "ForAnyOfAllValues:", [ALL_OF_ALL] = "ForAllOfAllValues:"};

static bool starts_nocase(kim_text text, const char *prefix)
{
    size_t size = strlen(prefix);
    return text.size >= size && kim_text_equal_nocase((kim_text){text.bytes, size}, (kim_text){prefix, size});
}

static const operator_row *find_operator(kim_text name, quantifier *how)
{
    *how = PLAIN;
    for (int q = ANY_OF_ANY; q <= ALL_OF_ALL; q++)
        if (starts_nocase(name, quantifiers[q])) {
            *how = (quantifier)q;
            name = (kim_text){name.bytes + strlen(quantifiers[q]), name.size - strlen(quantifiers[q])};
            break;
        }
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (kim_text_equal_nocase(name, kim_text_of(operators[i].name)))
            return &operators[i];
    return NULL;
}

/* ---- values ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int two(const char *at)
{
    return is_digit(at[0]) && is_digit(at[1]) ? (at[0] - '0') * 10 + (at[1] - '0') : -1;
}

/* hh:mm[:ss[.fraction]] at the front of *rest, which loses it. */
static bool read_clock(kim_text *rest, int64_t *seconds, int32_t *nanoseconds)
{
    const char *at = rest->bytes, *end = at + rest->size;
    *nanoseconds = 0;
    if (rest->size < 5 || at[2] != ':')
        return false;
    int hour = two(at), minute = two(at + 3), second = 0;
    at += 5;
    if (end - at >= 3 && *at == ':') {
        second = two(at + 1);
        at += 3;
        if (at < end && *at == '.' && at + 1 < end && is_digit(at[1])) {
            int32_t scale = 100000000;
            for (at++; at < end && is_digit(*at); at++, scale /= 10)
                *nanoseconds += (*at - '0') * scale;
        }
    }
    *rest = (kim_text){at, (size_t)(end - at)};
    *seconds = hour * 3600 + minute * 60 + second;
    return hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
}

/* "Z", "+02:00", "-0330", "+02" or nothing. */
static bool read_zone(kim_text rest, int64_t *seconds)
{
    *seconds = 0;
    if (rest.size == 0 || (rest.size == 1 && (rest.bytes[0] | 32) == 'z'))
        return true;
    if (rest.size < 3 || (rest.bytes[0] != '+' && rest.bytes[0] != '-'))
        return false;
    const char *minutes = rest.bytes + 3 + (rest.size > 3 && rest.bytes[3] == ':');
    int hour = two(rest.bytes + 1), minute = rest.size == 3 ? 0 : rest.bytes + rest.size - minutes == 2 ? two(minutes) : -1;
    *seconds = (rest.bytes[0] == '-' ? -1 : 1) * (hour * 3600 + minute * 60);
    return hour >= 0 && hour <= 23 && minute >= 0 && minute < 60;
}

bool azure_time_read(kim_text text, int64_t *seconds, int32_t *nanoseconds)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t clock = 0, zone = 0;
    *nanoseconds = 0;
    if (text.size < 10 || text.bytes[4] != '-' || text.bytes[7] != '-' || two(text.bytes) < 0 || two(text.bytes + 2) < 0)
        return false;
    int year = two(text.bytes) * 100 + two(text.bytes + 2), month = two(text.bytes + 5), day = two(text.bytes + 8);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > days[month - 1] + (leap && month == 2))
        return false;
    kim_text rest = {text.bytes + 10, text.size - 10};
    if (rest.size > 0) {
        if (strchr("Tt ", rest.bytes[0]) == NULL)
            return false;
        rest = (kim_text){rest.bytes + 1, rest.size - 1};
        if (!read_clock(&rest, &clock, nanoseconds) || !read_zone(rest, &zone))
            return false;
    }
    *seconds = kim_days_of(year, month, day) * 86400 + clock - zone;
    return true;
}

/* The time of day; of a point in time, its own in UTC. */
static bool time_of_day_read(kim_text text, int64_t *seconds, int32_t *nanoseconds)
{
    if (azure_time_read(text, seconds, nanoseconds)) {
        *seconds = ((*seconds % 86400) + 86400) % 86400;
        return true;
    }
    return read_clock(&text, seconds, nanoseconds) && (text.size == 0 || (text.size == 1 && (text.bytes[0] | 32) == 'z'));
}

/* A decimal number by its parts, so that no digit is lost. */
typedef struct decimal {
    bool negative;
    kim_text whole, fraction; /* without zeros that say nothing */
} decimal;

static bool decimal_read(kim_text text, decimal *out)
{
    *out = (decimal){0};
    if (text.size && (text.bytes[0] == '-' || text.bytes[0] == '+')) {
        out->negative = text.bytes[0] == '-';
        text = (kim_text){text.bytes + 1, text.size - 1};
    }
    const char *dot = text.size ? memchr(text.bytes, '.', text.size) : NULL;
    out->whole = (kim_text){text.bytes, dot ? (size_t)(dot - text.bytes) : text.size};
    if (dot)
        out->fraction = (kim_text){dot + 1, text.size - out->whole.size - 1};
    if (out->whole.size == 0 || (dot && out->fraction.size == 0))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (!is_digit(text.bytes[i]) && text.bytes + i != dot)
            return false;
    while (out->whole.size && out->whole.bytes[0] == '0')
        out->whole = (kim_text){out->whole.bytes + 1, out->whole.size - 1};
    while (out->fraction.size && out->fraction.bytes[out->fraction.size - 1] == '0')
        out->fraction.size--;
    if (out->whole.size == 0 && out->fraction.size == 0)
        out->negative = false;
    return true;
}

static int compare_decimals(const decimal *a, const decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    int order = a->whole.size != b->whole.size ? (a->whole.size < b->whole.size ? -1 : 1) : kim_text_compare(a->whole, b->whole);
    if (order == 0)
        order = kim_text_compare(a->fraction, b->fraction);
    return a->negative ? -order : order;
}

/* Its 32 digits in lower case: with dashes, braces or neither, or at the end of an id. */
static bool guid_read(kim_text text, char digits[32])
{
    const char *slash = text.size ? memrchr(text.bytes, '/', text.size) : NULL;
    size_t count = 0;
    if (slash)
        text = (kim_text){slash + 1, text.size - (size_t)(slash + 1 - text.bytes)};
    if (text.size == 38 && text.bytes[0] == '{' && text.bytes[37] == '}')
        text = (kim_text){text.bytes + 1, 36};
    for (size_t i = 0; i < text.size; i++) {
        char c = text.bytes[i];
        if (c == '-' && text.size == 36 && (i == 8 || i == 13 || i == 18 || i == 23))
            continue;
        c = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        if (count == 32 || !(is_digit(c) || (c >= 'a' && c <= 'f')))
            return false;
        digits[count++] = c;
    }
    return count == 32;
}

typedef struct address {
    int family;
    unsigned char bytes[16];
    int prefix; /* of a net; all bits for an address */
} address;

static bool address_read(kim_text text, address *out)
{
    char copy[64];
    const char *slash = text.size ? memchr(text.bytes, '/', text.size) : NULL;
    size_t size = slash ? (size_t)(slash - text.bytes) : text.size;
    if (size == 0 || size >= sizeof copy)
        return false;
    memcpy(copy, text.bytes, size);
    copy[size] = '\0';
    memset(out->bytes, 0, sizeof out->bytes);
    out->family = memchr(copy, ':', size) ? AF_INET6 : AF_INET;
    int bits = out->family == AF_INET ? 32 : 128, prefix = 0;
    if (inet_pton(out->family, copy, out->bytes) != 1)
        return false;
    out->prefix = bits;
    if (slash == NULL)
        return true;
    const char *at = slash + 1, *end = text.bytes + text.size;
    if (at == end || end - at > 3)
        return false;
    for (; at < end; at++) {
        if (!is_digit(*at))
            return false;
        prefix = prefix * 10 + (*at - '0');
    }
    out->prefix = prefix;
    return prefix <= bits;
}

static bool lies_in(const address *one, const address *net)
{
    if (one->family != net->family)
        return false;
    for (int bit = 0; bit < net->prefix; bit++)
        if ((one->bytes[bit / 8] ^ net->bytes[bit / 8]) >> (7 - bit % 8) & 1)
            return false;
    return true;
}

/* ---- one pair ---- */

static unsigned char fold(unsigned char c, bool nocase)
{
    return nocase && c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static bool same(const char *a, const char *b, size_t size, bool nocase)
{
    return size == 0 || (nocase ? kim_text_equal_nocase((kim_text){a, size}, (kim_text){b, size}) : memcmp(a, b, size) == 0);
}

static size_t character_size(unsigned char first)
{
    return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* `*` any run, `?` one character; a backslash makes either a character. */
static bool like(kim_text pattern, kim_text text, bool nocase)
{
    size_t p = 0, t = 0, star = SIZE_MAX, mark = 0;
    while (t < text.size) {
        bool escaped = p + 1 < pattern.size && pattern.bytes[p] == '\\' && (pattern.bytes[p + 1] == '*' || pattern.bytes[p + 1] == '?');
        if (p < pattern.size && !escaped && pattern.bytes[p] == '*') {
            star = p++;
            mark = t;
        } else if (p < pattern.size && !escaped && pattern.bytes[p] == '?') {
            p++;
            t += character_size((unsigned char)text.bytes[t]);
        } else if (p < pattern.size && fold((unsigned char)pattern.bytes[p + escaped], nocase) == fold((unsigned char)text.bytes[t], nocase)) {
            p += 1 + escaped;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = mark += character_size((unsigned char)text.bytes[mark]);
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.bytes[p] == '*')
        p++;
    return p == pattern.size && t == text.size;
}

static bool strings_pass(test t, kim_text left, kim_text right, bool nocase)
{
    if (t == LIKE)
        return like(right, left, nocase);
    if (left.size < right.size)
        return false;
    if (t == EQUAL || t == BEGINS)
        return (t == BEGINS || left.size == right.size) && same(left.bytes, right.bytes, right.size, nocase);
    if (t == ENDS)
        return same(left.bytes + left.size - right.size, right.bytes, right.size, nocase);
    for (size_t i = 0; i + right.size <= left.size; i++)
        if (same(left.bytes + i, right.bytes, right.size, nocase))
            return true;
    return false;
}

static bool order_passes(test t, int order)
{
    return t == EQUAL ? order == 0 : t == LESS ? order < 0 : t == LESS_EQUAL ? order <= 0 : t == GREATER ? order > 0 : order >= 0;
}

/* How two values of a type stand to each other. False: one of them is none of that type. */
static bool compare_values(value_type type, kim_text left, kim_text right, int *order)
{
    if (type == OF_NUMBERS) {
        decimal a, b;
        bool good = decimal_read(left, &a) && decimal_read(right, &b);
        *order = good ? compare_decimals(&a, &b) : 0;
        return good;
    }
    if (type == OF_ADDRESSES) {
        address a, b;
        bool good = address_read(left, &a) && address_read(right, &b) && a.family == b.family;
        *order = good ? memcmp(a.bytes, b.bytes, sizeof a.bytes) : 0;
        return good;
    }
    bool (*read)(kim_text, int64_t *, int32_t *) = type == OF_TIMES ? azure_time_read : time_of_day_read;
    int64_t a = 0, b = 0;
    int32_t a_rest = 0, b_rest = 0;
    bool good = read(left, &a, &a_rest) && read(right, &b, &b_rest);
    *order = a != b ? (a < b ? -1 : 1) : (a_rest > b_rest) - (a_rest < b_rest);
    return good;
}

static bool bool_of(kim_text text, bool *out)
{
    *out = kim_text_equal_nocase(text, KIM_TEXT("true"));
    return *out || kim_text_equal_nocase(text, KIM_TEXT("false"));
}

/* A number and a boolean are no strings, and a string is a number where it reads as one. */
static bool is_of_type(value_type type, const azure_value *v)
{
    switch (type) {
    case OF_NUMBERS:
        return v->type != AZURE_BOOL;
    case OF_BOOLS:
        return v->type != AZURE_NUMBER;
    default:
        return v->type == AZURE_STRING || v->type == AZURE_TEXT;
    }
}

/* Does the positive test hold of this pair? */
static bool pair_passes(const operator_row *op, const azure_value *left, const azure_value *right)
{
    int order;
    if (!is_of_type(op->type, left) || !is_of_type(op->type, right))
        return false;
    switch (op->type) {
    case OF_STRINGS:
    case OF_STRINGS_NOCASE:
        return strings_pass(op->test, left->text, right->text, op->type == OF_STRINGS_NOCASE);
    case OF_BOOLS: {
        bool a, b;
        return bool_of(left->text, &a) && bool_of(right->text, &b) && a == b;
    }
    case OF_GUIDS: {
        char a[32], b[32];
        if (guid_read(left->text, a) && guid_read(right->text, b))
            return memcmp(a, b, sizeof a) == 0;
        return kim_text_equal_nocase(left->text, right->text);
    }
    case OF_ADDRESSES:
        if (op->test == IN_NET) {
            address one, net;
            return address_read(left->text, &one) && address_read(right->text, &net) && lies_in(&one, &net);
        }
        break;
    default:
        break;
    }
    return compare_values(op->type, left->text, right->text, &order) && order_passes(op->test, order);
}

/* ---- all pairs ---- */

static bool within_range(const operator_row *op, const azure_value *one, const azure_value *bounds)
{
    int low, high;
    return is_of_type(op->type, one) && compare_values(op->type, one->text, bounds[0].text, &low) && low >= 0 &&
           compare_values(op->type, one->text, bounds[1].text, &high) && high <= 0;
}

static bool row_passes(const operator_row *op, bool negated, bool every, const azure_value *left, const azure_value *right, size_t rights)
{
    for (size_t i = 0; i < rights; i++)
        if ((pair_passes(op, left, &right[i]) != negated) != every)
            return !every;
    return every;
}

static bool passes(const operator_row *op, quantifier how, const azure_value *left, size_t lefts, const azure_value *right, size_t rights)
{
    bool some = false;
    if (how == PLAIN) {
        for (size_t i = 0; i < lefts && !some; i++)
            some = op->test == IN_RANGE ? rights == 2 && within_range(op, &left[i], right)
                                        : row_passes(op, false, false, &left[i], right, rights);
        return some != op->negated;
    }
    bool all_left = how == ALL_OF_ANY || how == ALL_OF_ALL, all_right = how == ANY_OF_ALL || how == ALL_OF_ALL;
    for (size_t i = 0; i < lefts; i++)
        if (row_passes(op, op->negated, all_right, &left[i], right, rights) != all_left)
            return !all_left;
    return all_left;
}

static bool is_bounded(const operator_row *op, const azure_value *left, size_t lefts, const azure_value *right, size_t rights)
{
    uint64_t left_bytes = 0, right_bytes = 0, most = AZURE_COMPARE_MAX_STEPS;
    for (size_t i = 0; i < lefts; i++)
        left_bytes += left[i].text.size + 1;
    for (size_t i = 0; i < rights; i++)
        right_bytes += right[i].text.size + 1;
    bool walks = op->test == LIKE || op->test == HOLDS; /* each character with each */
    return walks ? left_bytes * right_bytes <= most : (uint64_t)lefts * rights <= most / 16;
}

/* ---- the tree ---- */

typedef enum node_kind { ALL, ANY, NOT, COMPARE, EXISTS, ACTION, SUB_OPERATION, CONSTANT } node_kind;

typedef struct operand {
    bool is_attribute;
    uint32_t key;              /* of an attribute */
    const azure_value *values; /* of a literal: [count] */
    size_t count;
    kim_text written;
} operand;

struct azure_condition {
    node_kind kind;
    const azure_condition **items; /* of all, any; [1] of not */
    size_t count;
    const operator_row *op;
    quantifier how;
    operand left, right;           /* right: the patterns of action and sub-operation */
    bool asks_existence;           /* of a comparison: Exists on its left attribute stands elsewhere in the condition */
    bool value;                    /* of a constant */
};

/* ---- tokens ---- */

typedef enum token_kind { END, OPEN, CLOSE, OPEN_SET, CLOSE_SET, COMMA, BANG, AND, OR, WORD, STRING, ATTRIBUTE, BAD } token_kind;

typedef struct parser {
    kim_text rest;     /* behind the token */
    kim_text whole;
    token_kind kind;
    kim_text text;     /* as written; of a string without its quotes */
    const char *begin; /* where the token begins */
    text_map *keys;
    kim_arena *arena;
    kim_text fault;    /* the first one; absent: none */
    int depth;
    size_t existence;  /* how often Exists was read */
} parser;

static const azure_condition *fail(parser *p, const char *what)
{
    if (kim_text_is_absent(p->fault)) {
        kim_text near = {p->begin, (size_t)(p->whole.bytes + p->whole.size - p->begin)};
        near.size = near.size < 40 ? near.size : 40;
        near.size = kim_text_utf8_size(near);
        p->fault = kim_text_format(p->arena, "condition: %s at byte %zu%s%.*s", what, (size_t)(p->begin - p->whole.bytes) + 1,
                                   near.size ? ": " : ", the end", KIM_PRINT(near));
    }
    return NULL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
    return !is_space(c) && strchr("(){},'\"[]!&|@", c) == NULL && (unsigned char)c > ' ';
}

/* A string up to its quote; a doubled quote stands for one. False: it does not end. */
static bool take_string(parser *p)
{
    const char *begin = p->rest.bytes + 1, *end = p->rest.bytes + p->rest.size, *at = begin;
    char quote = p->rest.bytes[0];
    size_t doubled = 0;
    for (; at < end && (*at != quote || (at + 1 < end && at[1] == quote)); at++)
        if (*at == quote)
            at++, doubled++;
    if (at == end)
        return false;
    p->text = (kim_text){begin, (size_t)(at - begin)};
    p->rest = (kim_text){at + 1, (size_t)(end - at - 1)};
    if (doubled == 0)
        return true;
    char *bytes = kim_arena_bytes(p->arena, p->text.size);
    size_t size = 0;
    for (size_t i = 0; bytes && i < p->text.size; i++) {
        bytes[size++] = p->text.bytes[i];
        i += p->text.bytes[i] == quote;
    }
    p->text = (kim_text){bytes, bytes ? size : 0};
    return bytes != NULL;
}

/* A word, or where brackets follow it (or '@' goes before it) an attribute. */
static token_kind take_word(parser *p)
{
    const char *begin = p->rest.bytes, *end = begin + p->rest.size, *at = begin + (*begin == '@');
    while (at < end && is_word(*at))
        at++;
    const char *bracket = at;
    while (bracket < end && is_space(*bracket))
        bracket++;
    bool is_attribute = at > begin && bracket < end && *bracket == '[';
    if (is_attribute) {
        const char *close = memchr(bracket, ']', (size_t)(end - bracket));
        if (close == NULL)
            return BAD;
        at = close + 1;
    }
    p->text = (kim_text){begin, (size_t)(at - begin)};
    p->rest = (kim_text){at, (size_t)(end - at)};
    return is_attribute ? ATTRIBUTE : at > begin && *begin != '@' ? WORD : BAD;
}

static void next(parser *p)
{
    static const struct { const char *text; token_kind kind; } marks[] = {
        {"&&", AND}, {"||", OR}, {"(", OPEN}, {")", CLOSE}, {"{", OPEN_SET}, {"}", CLOSE_SET}, {",", COMMA}, {"!", BANG}};
    while (p->rest.size && is_space(p->rest.bytes[0]))
        p->rest = (kim_text){p->rest.bytes + 1, p->rest.size - 1};
    p->begin = p->rest.bytes;
    p->text = KIM_NO_TEXT;
    if (p->rest.size == 0) {
        p->kind = END;
        return;
    }
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (kim_text_starts_with(p->rest, kim_text_of(marks[i].text))) {
            size_t size = strlen(marks[i].text);
            p->kind = marks[i].kind;
            p->rest = (kim_text){p->rest.bytes + size, p->rest.size - size};
            return;
        }
    if (p->rest.bytes[0] == '\'' || p->rest.bytes[0] == '"') {
        p->kind = take_string(p) ? STRING : BAD;
        return;
    }
    p->kind = take_word(p);
    if (p->kind == WORD && kim_text_equal_nocase(p->text, KIM_TEXT("and")))
        p->kind = AND;
    else if (p->kind == WORD && kim_text_equal_nocase(p->text, KIM_TEXT("or")))
        p->kind = OR;
    else if (p->kind == WORD && kim_text_equal_nocase(p->text, KIM_TEXT("not")))
        p->kind = BANG;
}

/* ---- operands ---- */

static const char sensitive[] = "<$key_case_sensitive$>";

/* "source[path]" without white space; where the key is case-sensitive, it begins behind the last colon. */
kim_text azure_attribute_key(kim_text written, kim_arena *arena)
{
    static const char *const sources[] = {"request", "resource", "principal", "environment"};
    char *bytes = kim_arena_bytes(arena, written.size + 1);
    size_t size = 0, kept = SIZE_MAX, tail = sizeof sensitive - 1;
    if (bytes == NULL)
        return KIM_NO_TEXT;
    for (size_t i = 0; i < written.size; i++)
        if (!is_space(written.bytes[i]) && !(size == 0 && written.bytes[i] == '@'))
            bytes[size++] = written.bytes[i];
    kim_text key = {bytes, size};
    const char *bracket = size ? memchr(bytes, '[', size) : NULL;
    if (bracket == NULL || bytes[size - 1] != ']' || bracket + 2 > bytes + size - 1)
        return KIM_NO_TEXT;
    if (size > tail + 1 && kim_text_equal_nocase((kim_text){bytes + size - 1 - tail, tail}, (kim_text){sensitive, tail})) {
        const char *colon = memrchr(bytes, ':', size - 1 - tail);
        kept = colon ? (size_t)(colon - bytes) : SIZE_MAX;
    }
    for (size_t i = 0; i < size; i++)
        if (i < kept || i >= size - 1 - tail)
            bytes[i] = (char)fold((unsigned char)bytes[i], true);
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (kim_text_is((kim_text){bytes, (size_t)(bracket - bytes)}, sources[i]))
            return key;
    return KIM_NO_TEXT;
}

static azure_value literal(const parser *p)
{
    decimal number;
    bool flag;
    if (p->kind == STRING)
        return (azure_value){AZURE_STRING, p->text};
    /* bare: a number, a boolean, or a GUID and the like */
    return (azure_value){decimal_read(p->text, &number) ? AZURE_NUMBER : bool_of(p->text, &flag) ? AZURE_BOOL : AZURE_STRING, p->text};
}

/* {value, value, ...}; the brace was read. */
static bool take_set(parser *p, operand *out)
{
    size_t capacity = 0, count = 0;
    azure_value *values = NULL;
    if (p->kind != CLOSE_SET)
        for (;; next(p)) {
            if (p->kind != STRING && p->kind != WORD) {
                fail(p, "a value is expected");
                return false;
            }
            if (count == capacity) {
                size_t wanted = capacity ? capacity * 2 : 8;
                azure_value *grown = KIM_NEW_ARRAY(p->arena, azure_value, wanted);
                if (grown == NULL)
                    return false;
                if (count)
                    memcpy(grown, values, count * sizeof *grown);
                values = grown;
                capacity = wanted;
            }
            values[count++] = literal(p);
            next(p);
            if (p->kind != COMMA)
                break;
        }
    if (p->kind != CLOSE_SET) {
        fail(p, "'}' is expected");
        return false;
    }
    out->values = values;
    out->count = count;
    return true;
}

/* An attribute, a value or a set of values, in parentheses or not. */
static bool take_operand(parser *p, operand *out)
{
    const char *begin = p->begin;
    *out = (operand){0};
    if (p->kind == ATTRIBUTE) {
        kim_text key = azure_attribute_key(p->text, p->arena);
        if (kim_text_is_absent(key)) {
            fail(p, "an attribute is @Request, @Resource, @Principal or @Environment and its name in brackets; not so");
            return false;
        }
        out->is_attribute = true;
        out->key = text_map_add(p->keys, key);
        if (out->key == UINT32_MAX)
            return false;
    } else if (p->kind == STRING || p->kind == WORD) {
        azure_value *one = KIM_NEW(p->arena, azure_value);
        if (one == NULL)
            return false;
        *one = literal(p);
        out->values = one;
        out->count = 1;
    } else if (p->kind == OPEN_SET) {
        next(p);
        if (!take_set(p, out))
            return false;
    } else {
        fail(p, "an attribute or a value is expected");
        return false;
    }
    out->written = (kim_text){begin, (size_t)(p->rest.bytes - begin)};
    next(p);
    return true;
}

/* ---- expressions ---- */

static azure_condition *node(parser *p, node_kind kind)
{
    azure_condition *c = KIM_NEW(p->arena, azure_condition);
    if (c)
        c->kind = kind;
    return c;
}

static const azure_condition *parse_any(parser *p);

/* ActionMatches{'pattern', ...}; parentheses in place of braces too. */
static const azure_condition *parse_matches(parser *p, node_kind kind)
{
    azure_condition *c = node(p, kind);
    next(p);
    bool in_parentheses = p->kind == OPEN;
    if (in_parentheses)
        next(p);
    if (c == NULL || !take_operand(p, &c->right))
        return NULL;
    if (c->right.is_attribute || (in_parentheses && p->kind != CLOSE))
        return fail(p, "patterns of actions are expected");
    if (in_parentheses)
        next(p);
    azure_value *lower = KIM_NEW_ARRAY(p->arena, azure_value, c->right.count ? c->right.count : 1);
    for (size_t i = 0; lower && i < c->right.count; i++)
        lower[i] = (azure_value){AZURE_STRING, kim_text_lower(p->arena, c->right.values[i].text)};
    c->right.values = lower;
    if (kind == SUB_OPERATION)
        c->left.key = text_map_add(p->keys, KIM_TEXT("request[suboperation]"));
    return lower && c->left.key != UINT32_MAX ? c : NULL;
}

static const azure_condition *parse_exists(parser *p, bool positive)
{
    azure_condition *c = node(p, EXISTS), *inverse = positive ? c : node(p, NOT);
    p->existence++;
    next(p);
    token_kind open = p->kind;
    if (open == OPEN || open == OPEN_SET)
        next(p);
    if (p->kind != ATTRIBUTE)
        return fail(p, "Exists is followed by an attribute; not by this");
    if (c == NULL || inverse == NULL || !take_operand(p, &c->left))
        return NULL;
    if (open == OPEN || open == OPEN_SET) {
        if (p->kind != (open == OPEN ? CLOSE : CLOSE_SET))
            return fail(p, "a closing bracket is expected");
        next(p);
    }
    if (positive)
        return c;
    inverse->items = (const azure_condition **)kim_arena_array(p->arena, 1, sizeof *inverse->items);
    if (inverse->items == NULL)
        return NULL;
    inverse->items[0] = c;
    inverse->count = 1;
    return inverse;
}

/* Azure refuses a literal that is none of the operator's type. */
static bool check_literals(parser *p, const operator_row *op, const operand *one)
{
    for (size_t i = 0; i < one->count; i++) {
        kim_text text = one->values[i].text;
        int64_t seconds;
        int32_t rest;
        decimal number;
        address net;
        bool flag;
        bool good = op->type == OF_NUMBERS        ? decimal_read(text, &number)
                    : op->type == OF_TIMES        ? azure_time_read(text, &seconds, &rest)
                    : op->type == OF_TIMES_OF_DAY ? time_of_day_read(text, &seconds, &rest)
                    : op->type == OF_BOOLS        ? bool_of(text, &flag)
                    : op->type == OF_ADDRESSES    ? address_read(text, &net)
                                                  : true;
        if (!good) {
            fail(p, "a value is none of the operator's type, before this");
            return false;
        }
    }
    return true;
}

static const azure_condition *parse_comparison(parser *p)
{
    azure_condition *c = node(p, COMPARE);
    if (c == NULL || !take_operand(p, &c->left))
        return NULL;
    if (p->kind != WORD) {
        bool flag;
        if (!c->left.is_attribute && c->left.count == 1 && c->left.values[0].type == AZURE_BOOL && bool_of(c->left.values[0].text, &flag)) {
            c->kind = CONSTANT;
            c->value = flag;
            return c;
        }
        return fail(p, "an operator is expected");
    }
    c->op = find_operator(p->text, &c->how);
    if (c->op == NULL)
        return fail(p, "no such operator");
    next(p);
    if (!take_operand(p, &c->right) || !check_literals(p, c->op, &c->left) || !check_literals(p, c->op, &c->right))
        return NULL;
    if (c->op->test == IN_RANGE && (c->how != PLAIN || (!c->right.is_attribute && c->right.count != 2)))
        return fail(p, "a range has two bounds, before this");
    /* values of a literal have the type in which the operator reads them */
    return c;
}

static const azure_condition *parse_primary(parser *p)
{
    if (p->kind == OPEN) {
        if (++p->depth > AZURE_CONDITION_MAX_DEPTH)
            return fail(p, "parentheses are nested too deep");
        next(p);
        const azure_condition *inner = parse_any(p);
        if (inner && p->kind != CLOSE)
            return fail(p, "')' is expected");
        p->depth--;
        if (inner)
            next(p);
        return inner;
    }
    if (p->kind == WORD && kim_text_equal_nocase(p->text, KIM_TEXT("ActionMatches")))
        return parse_matches(p, ACTION);
    if (p->kind == WORD && kim_text_equal_nocase(p->text, KIM_TEXT("SubOperationMatches")))
        return parse_matches(p, SUB_OPERATION);
    if (p->kind == WORD && kim_text_equal_nocase(p->text, KIM_TEXT("Exists")))
        return parse_exists(p, true);
    if (p->kind == WORD && kim_text_equal_nocase(p->text, KIM_TEXT("NotExists")))
        return parse_exists(p, false);
    return parse_comparison(p);
}

static const azure_condition *parse_unary(parser *p)
{
    bool inverted = false;
    for (; p->kind == BANG; next(p))
        inverted = !inverted;
    const azure_condition *inner = parse_primary(p);
    azure_condition *c = inner && inverted ? node(p, NOT) : NULL;
    if (inner == NULL || !inverted)
        return inner;
    if (c)
        c->items = (const azure_condition **)kim_arena_array(p->arena, 1, sizeof *c->items);
    if (c == NULL || c->items == NULL)
        return NULL;
    c->items[0] = inner;
    c->count = 1;
    return c;
}

/* A row of operands with the same word between them. */
static const azure_condition *parse_row(parser *p, node_kind kind, token_kind between, const azure_condition *(*one)(parser *))
{
    const azure_condition *first = one(p);
    if (first == NULL || p->kind != between)
        return first;
    azure_condition *c = node(p, kind);
    size_t capacity = 4;
    if (c)
        c->items = (const azure_condition **)kim_arena_array(p->arena, capacity, sizeof *c->items);
    if (c == NULL || c->items == NULL)
        return NULL;
    c->items[c->count++] = first;
    while (p->kind == between) {
        next(p);
        const azure_condition *item = one(p);
        if (item == NULL)
            return NULL;
        if (c->count == capacity) {
            const azure_condition **grown = (const azure_condition **)kim_arena_array(p->arena, capacity * 2, sizeof *grown);
            if (grown == NULL)
                return NULL;
            memcpy(grown, c->items, c->count * sizeof *grown);
            c->items = grown;
            capacity *= 2;
        }
        c->items[c->count++] = item;
    }
    return c;
}

static const azure_condition *parse_all(parser *p)
{
    return parse_row(p, ALL, AND, parse_unary);
}

static const azure_condition *parse_any(parser *p)
{
    return parse_row(p, ANY, OR, parse_all);
}

/* So that `NOT Exists x AND x StringEquals 'a'` is seen to be nothing. */
static void mark_existence(azure_condition *c, uint32_t key)
{
    for (size_t i = 0; i < c->count; i++)
        mark_existence((azure_condition *)(uintptr_t)c->items[i], key);
    if (c->kind == COMPARE && c->left.is_attribute && c->left.key == key)
        c->asks_existence = true;
}

static void find_existence(const azure_condition *c, azure_condition *whole)
{
    for (size_t i = 0; i < c->count; i++)
        find_existence(c->items[i], whole);
    if (c->kind == EXISTS && whole->kind != EXISTS)
        mark_existence(whole, c->left.key);
}

const azure_condition *azure_condition_compile(kim_text text, text_map *keys, kim_arena *arena, kim_text *unread)
{
    parser p = {.rest = text, .whole = text, .begin = text.bytes, .keys = keys, .arena = arena};
    *unread = KIM_NO_TEXT;
    next(&p);
    const azure_condition *c = parse_any(&p);
    if (c && p.kind != END)
        c = fail(&p, "the condition should end");
    if (c == NULL && kim_text_is_absent(p.fault))
        fail(&p, "it cannot be read");
    if (c == NULL)
        *unread = p.fault;
    else if (p.existence > 0 && p.existence <= AZURE_CONDITION_MAX_DEPTH) /* one walk for each */
        find_existence(c, (azure_condition *)(uintptr_t)c);
    return c;
}

/* ---- deciding ---- */

static kim_text shown(const operand *one, const azure_attribute *known, kim_arena *arena)
{
    if (!one->is_attribute || known->state != AZURE_GIVEN)
        return one->written;
    kim_text text = KIM_TEXT("");
    for (size_t i = 0; i < known->count; i++) {
        const char *quote = known->values[i].type == AZURE_NUMBER || known->values[i].type == AZURE_BOOL ? "" : "'";
        text = kim_text_format(arena, "%.*s%s%s%.*s%s", KIM_PRINT(text), i ? ", " : "", quote, KIM_PRINT(known->values[i].text), quote);
    }
    return known->count == 1 ? text : kim_text_format(arena, "{%.*s}", KIM_PRINT(text));
}

static kim_text squeezed(kim_text text, kim_arena *arena)
{
    char *bytes = kim_arena_bytes(arena, text.size + 1);
    size_t size = 0;
    for (size_t i = 0; bytes && i < text.size; i++)
        if (!is_space(text.bytes[i]) || (size && !is_space(bytes[size - 1])))
            bytes[size++] = is_space(text.bytes[i]) ? ' ' : text.bytes[i];
    return (kim_text){bytes, bytes ? size : 0};
}

/* An expression that is left over, and how one writes its contrary. */
static const term *left_over(kim_text text, kim_text contrary, kim_arena *arena)
{
    const term *atom = term_of(arena, TERM_EXPRESSION, text);
    term *t = KIM_NEW(arena, term);
    if (atom == NULL || t == NULL || kim_text_is_absent(text) || kim_text_is_absent(contrary))
        return NULL;
    *t = *atom;
    t->op = contrary;
    return t;
}

static const term *exists_left(const operand *one, kim_arena *arena)
{
    kim_text text = kim_text_format(arena, "Exists %.*s", KIM_PRINT(squeezed(one->written, arena)));
    return left_over(text, kim_text_format(arena, "NOT %.*s", KIM_PRINT(text)), arena);
}

/* A comparison holds of no absent attribute; one of all its values does. */
static const term *with_existence(const azure_condition *c, const azure_attribute *left, const term *t, kim_arena *arena)
{
    if (!c->asks_existence || left->state != AZURE_NOT_KNOWN)
        return t;
    const term *exists = exists_left(&c->left, arena);
    return c->how == ALL_OF_ANY || c->how == ALL_OF_ALL ? term_or(arena, t, term_not(arena, exists)) : term_and(arena, t, exists);
}

static const term *comparison_left(const azure_condition *c, const azure_attribute *left, const azure_attribute *right, kim_arena *arena)
{
    kim_text a = squeezed(shown(&c->left, left, arena), arena), b = squeezed(shown(&c->right, right, arena), arena);
    const char *how = c->how == PLAIN ? "" : quantifiers[c->how];
    if (c->how == PLAIN && c->op->test == EQUAL && !(c->left.is_attribute && left->state != AZURE_GIVEN)) {
        kim_text swapped = a; /* what is known stands right */
        a = b;
        b = swapped;
    }
    kim_text text = kim_text_format(arena, "%.*s %s%s %.*s", KIM_PRINT(a), how, c->op->name, KIM_PRINT(b));
    kim_text contrary = c->how == PLAIN && c->op->opposite ? kim_text_format(arena, "%.*s %s %.*s", KIM_PRINT(a), c->op->opposite, KIM_PRINT(b))
                                                           : kim_text_format(arena, "NOT %.*s", KIM_PRINT(text));
    if (c->how == PLAIN && c->op->negated)
        return term_not(arena, with_existence(c, left, left_over(contrary, text, arena), arena));
    return with_existence(c, left, left_over(text, contrary, arena), arena);
}

static azure_attribute value_of(const operand *one, const azure_facts *facts)
{
    if (one->is_attribute)
        return facts->look(facts->from, one->key);
    return (azure_attribute){one->count ? AZURE_GIVEN : AZURE_ABSENT, one->values, one->count};
}

static const term *constant(bool value)
{
    return value ? &term_true : &term_false;
}

/* A bare literal's type was guessed: it is the operator's. */
static const azure_value *typed(const azure_condition *c, const operand *one, const azure_attribute *a, kim_arena *arena)
{
    bool wants_strings = c->op->type != OF_NUMBERS && c->op->type != OF_BOOLS;
    if (one->is_attribute || !wants_strings)
        return a->values;
    for (size_t i = 0; i < a->count; i++)
        if (a->values[i].type != AZURE_STRING) {
            azure_value *values = KIM_NEW_ARRAY(arena, azure_value, a->count);
            for (size_t k = 0; values && k < a->count; k++)
                values[k] = (azure_value){AZURE_STRING, a->values[k].text};
            return values;
        }
    return a->values;
}

static const term *decide_comparison(const azure_condition *c, const azure_facts *facts, kim_arena *arena)
{
    azure_attribute left = value_of(&c->left, facts), right = value_of(&c->right, facts);
    bool left_open = left.state == AZURE_PRESENT || left.state == AZURE_NOT_KNOWN;
    bool right_open = right.state == AZURE_PRESENT || right.state == AZURE_NOT_KNOWN;
    /* with no value on a side, that side alone may decide */
    if ((left_open && !(right.state == AZURE_ABSENT && c->how == PLAIN)) || (right_open && left.state != AZURE_ABSENT))
        return comparison_left(c, &left, &right, arena);
    size_t lefts = left.state == AZURE_GIVEN ? left.count : 0, rights = right.state == AZURE_GIVEN ? right.count : 0;
    const azure_value *a = typed(c, &c->left, &left, arena), *b = typed(c, &c->right, &right, arena);
    if ((lefts && a == NULL) || (rights && b == NULL))
        return NULL;
    if (!is_bounded(c->op, a, lefts, b, rights))
        return term_of(arena, TERM_UNREAD, KIM_TEXT("a condition that compares too much"));
    return constant(passes(c->op, c->how, a, lefts, b, rights));
}

/* As ForAnyOfAnyValues:StringEqualsIgnoreCase on @Request[subOperation], with wildcards. */
static const term *decide_sub_operation(const azure_condition *c, const azure_facts *facts, kim_arena *arena)
{
    azure_attribute a = facts->look(facts->from, c->left.key);
    if (a.state == AZURE_PRESENT || a.state == AZURE_NOT_KNOWN) {
        kim_text text = kim_text_format(arena, "SubOperationMatches%.*s", KIM_PRINT(squeezed(c->right.written, arena)));
        return left_over(text, kim_text_format(arena, "NOT %.*s", KIM_PRINT(text)), arena);
    }
    for (size_t i = 0; a.state == AZURE_GIVEN && i < a.count; i++) {
        kim_text one = kim_text_lower(arena, a.values[i].text);
        for (size_t k = 0; k < c->right.count; k++)
            if (azure_action_match(c->right.values[k].text, one))
                return &term_true;
    }
    return &term_false;
}

static const term *decide_action(const azure_condition *c, const azure_facts *facts, kim_arena *arena)
{
    bool overlaps = false;
    for (size_t i = 0; i < c->right.count; i++) {
        if (azure_action_match(c->right.values[i].text, facts->action))
            return &term_true;
        overlaps = overlaps || (facts->is_pattern && glob_relate(facts->action, c->right.values[i].text) != GLOB_DISJOINT);
    }
    if (!overlaps)
        return &term_false;
    kim_text text = kim_text_format(arena, "ActionMatches%.*s", KIM_PRINT(squeezed(c->right.written, arena)));
    return left_over(text, kim_text_format(arena, "NOT %.*s", KIM_PRINT(text)), arena);
}

static const term *decide_exists(const azure_condition *c, const azure_facts *facts, kim_arena *arena)
{
    azure_attribute a = facts->look(facts->from, c->left.key);
    if (a.state != AZURE_NOT_KNOWN)
        return constant(a.state != AZURE_ABSENT);
    return exists_left(&c->left, arena);
}

static const term *decide_row(const azure_condition *c, const azure_facts *facts, kim_arena *arena)
{
    const term *stop = constant(c->kind == ANY), *open = NULL;
    const term **items = NULL;
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++) {
        const term *t = azure_condition_decide(c->items[i], facts, arena);
        if (t == NULL || t == stop)
            return t;
        if (t == &term_true || t == &term_false)
            continue;
        if (count == 1 && items == NULL) {
            items = (const term **)kim_arena_array(arena, c->count, sizeof *items);
            if (items == NULL)
                return NULL;
            items[0] = open;
        }
        if (count++ == 0)
            open = t;
        else
            items[count - 1] = t;
    }
    if (count == 0)
        return constant(c->kind == ALL);
    return count == 1 ? open : c->kind == ALL ? term_all(arena, items, count) : term_any(arena, items, count);
}

const term *azure_condition_decide(const azure_condition *c, const azure_facts *facts, kim_arena *arena)
{
    switch (c->kind) {
    case ALL:
    case ANY:
        return decide_row(c, facts, arena);
    case NOT:
        return term_not(arena, azure_condition_decide(c->items[0], facts, arena));
    case COMPARE:
        return decide_comparison(c, facts, arena);
    case EXISTS:
        return decide_exists(c, facts, arena);
    case SUB_OPERATION:
        return decide_sub_operation(c, facts, arena);
    case ACTION:
        return decide_action(c, facts, arena);
    case CONSTANT:
        return constant(c->value);
    }
    return NULL;
}

/* ---- what a condition names ---- */

static void name_values(const operand *one, const operand *other, void (*found)(void *, uint32_t, const azure_value *), void *user)
{
    if (!one->is_attribute)
        return;
    found(user, one->key, NULL);
    for (size_t i = 0; i < other->count; i++)
        found(user, one->key, &other->values[i]);
}

void azure_condition_values(const azure_condition *c, void (*found)(void *user, uint32_t key, const azure_value *value), void *user)
{
    for (size_t i = 0; i < c->count; i++)
        azure_condition_values(c->items[i], found, user);
    if (c->kind == EXISTS)
        found(user, c->left.key, NULL);
    if (c->kind == COMPARE) {
        name_values(&c->left, &c->right, found, user);
        name_values(&c->right, &c->left, found, user);
    }
    for (size_t i = 0; c->kind == SUB_OPERATION && i < c->right.count; i++)
        found(user, c->left.key, &c->right.values[i]);
}

void azure_condition_actions(const azure_condition *c, void (*found)(void *user, kim_text pattern), void *user)
{
    for (size_t i = 0; i < c->count; i++)
        azure_condition_actions(c->items[i], found, user);
    for (size_t i = 0; c->kind == ACTION && i < c->right.count; i++)
        found(user, c->right.values[i].text);
}

/* ---- what a request says ---- */

static azure_value value_of_json(const kim_json *json)
{
    if (kim_json_is(json, KIM_JSON_BOOL))
        return (azure_value){AZURE_BOOL, json->boolean ? KIM_TEXT("true") : KIM_TEXT("false")};
    return (azure_value){kim_json_is(json, KIM_JSON_NUMBER) ? AZURE_NUMBER : AZURE_STRING, kim_json_text(json)};
}

azure_attribute azure_attribute_of(const context_entry *entry, kim_arena *arena)
{
    bool is_list = kim_json_is(entry->json, KIM_JSON_ARRAY);
    size_t count = entry->json == NULL ? entry->values.count : is_list ? entry->json->count : entry->json->type != KIM_JSON_NULL;
    azure_value *values = KIM_NEW_ARRAY(arena, azure_value, count ? count : 1);
    for (size_t i = 0; values && i < count; i++)
        values[i] = entry->json == NULL ? (azure_value){AZURE_TEXT, entry->values.items[i]}
                                        : value_of_json(is_list ? &entry->json->items[i] : entry->json);
    return (azure_attribute){values && count ? AZURE_GIVEN : AZURE_ABSENT, values, values ? count : 0};
}

bool azure_action_match(kim_text pattern, kim_text action)
{
    size_t p = 0, a = 0, star = SIZE_MAX, mark = 0;
    while (a < action.size) {
        if (p < pattern.size && pattern.bytes[p] == '*') {
            star = p++;
            mark = a;
            if (p == pattern.size)
                return true;
        } else if (p < pattern.size && pattern.bytes[p] == action.bytes[a]) {
            p++;
            a++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            a = ++mark;
        } else {
            return false;
        }
    }
    while (p < pattern.size && pattern.bytes[p] == '*')
        p++;
    return p == pattern.size;
}
