/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c - numbers read and written.
 *
 * Source: Go's strconv: ParseInt, ParseUint, ParseFloat and FormatFloat.
 */
#include "controller/evaluate/cel/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_hex(char c) { return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
static unsigned hex_value(char c) { return is_digit(c) ? (unsigned)(c - '0') : (unsigned)((c | 0x20) - 'a' + 10); }

bool cel_read_natural(kim_text text, bool may_be_hex, uint64_t *out)
{
    bool hex = may_be_hex && text.size > 2 && text.bytes[0] == '0' && text.bytes[1] == 'x';
    uint64_t base = hex ? 16 : 10, value = 0;
    size_t i = hex ? 2 : 0;
    if (i == text.size)
        return false;
    for (; i < text.size; i++) {
        char c = text.bytes[i];
        if (hex ? !is_hex(c) : !is_digit(c))
            return false;
        if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, hex_value(c), &value))
            return false;
    }
    *out = value;
    return true;
}

bool cel_read_integer(kim_text text, int64_t *out)
{
    bool negative = text.size && text.bytes[0] == '-';
    uint64_t value;
    if (text.size && (negative || text.bytes[0] == '+'))
        text = (kim_text){text.bytes + 1, text.size - 1};
    if (!cel_read_natural(text, false, &value) || value > (uint64_t)INT64_MAX + negative)
        return false;
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

static bool read_word(kim_text text, double *out)
{
    static const struct { const char *word; double value; } words[] = {{"inf", INFINITY}, {"infinity", INFINITY}, {"nan", NAN}};
    bool negative = text.size && text.bytes[0] == '-', is_signed = negative || (text.size && text.bytes[0] == '+');
    if (is_signed)
        text = (kim_text){text.bytes + 1, text.size - 1};
    for (size_t i = 0; i < 3; i++) {
        if (!kim_text_equal_nocase(text, kim_text_of(words[i].word)) || (i == 2 && is_signed))
            continue;
        *out = negative ? -words[i].value : words[i].value;
        return true;
    }
    return false;
}

/* What is left of a literal without its underscores, each of which must stand between digits (or behind 0x). */
static bool drop_underscores(kim_text text, bool hex, char *out, size_t *size)
{
    size_t digits_from = hex ? 1 : 0; /* the x of 0x counts as a digit */
    *size = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.bytes[i];
        if (c != '_') {
            out[(*size)++] = c;
            continue;
        }
        bool before = i > digits_from && (is_digit(text.bytes[i - 1]) || (hex && is_hex(text.bytes[i - 1])));
        bool behind_prefix = hex && i > 0 && (text.bytes[i - 1] | 0x20) == 'x';
        bool after = i + 1 < text.size && (is_digit(text.bytes[i + 1]) || (hex && is_hex(text.bytes[i + 1])));
        if ((!before && !behind_prefix) || !after)
            return false;
    }
    out[*size] = '\0';
    return true;
}

/* Digits with one point at most, then an exponent; a hexadecimal number must have one. */
static bool is_number(const char *s, bool hex)
{
    size_t digits = 0;
    bool point = false;
    for (s += hex ? 2 : 0; (hex ? is_hex(*s) : is_digit(*s)) || (*s == '.' && !point); s++) {
        point |= *s == '.';
        digits += *s != '.';
    }
    if (digits == 0)
        return false;
    if ((*s | 0x20) != (hex ? 'p' : 'e'))
        return *s == '\0' && !hex;
    s++;
    s += *s == '+' || *s == '-';
    if (!is_digit(*s))
        return false;
    while (is_digit(*s))
        s++;
    return *s == '\0';
}

bool cel_read_double(kim_text text, double *out)
{
    enum { NUMBER_MAX_BYTES = 4096 }; /* longer ones are no numbers that a person or program writes */
    char plain[NUMBER_MAX_BYTES];
    size_t size;
    if (read_word(text, out))
        return true;
    if (text.size == 0 || text.size >= sizeof plain)
        return false;
    bool is_signed = text.bytes[0] == '-' || text.bytes[0] == '+', negative = text.bytes[0] == '-';
    if (is_signed)
        text = (kim_text){text.bytes + 1, text.size - 1};
    bool hex = text.size > 2 && text.bytes[0] == '0' && (text.bytes[1] | 0x20) == 'x';
    if (memchr(text.bytes, '\0', text.size) || !drop_underscores(text, hex, plain, &size) || !is_number(plain, hex))
        return false;
    double value = strtod(plain, NULL);
    if (isinf(value))
        return false;
    *out = negative ? -value : value;
    return true;
}

/* The fewest digits that read back as the same: "d.ddde-xx" into out. Returns the exponent. */
static int shortest(double value, char *digits, int *count)
{
    char text[64];
    int precision = 0;
    do
        snprintf(text, sizeof text, "%.*e", precision, value);
    while (strtod(text, NULL) != value && ++precision < 17);
    *count = 0;
    char *at = text;
    for (; *at != 'e'; at++)
        if (is_digit(*at))
            digits[(*count)++] = *at;
    while (*count > 1 && digits[*count - 1] == '0')
        --*count;
    return atoi(at + 1);
}

static char *put(char *to, const char *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

static char *put_zeros(char *to, int count)
{
    if (count > 0)
        memset(to, '0', (size_t)count);
    return count > 0 ? to + count : to;
}

static char *put_plain(char *to, const char *digits, int count, int exponent)
{
    if (exponent < 0) {
        to = put_zeros(put(to, "0.", 2), -exponent - 1);
        return put(to, digits, (size_t)count);
    }
    int whole = count < exponent + 1 ? count : exponent + 1;
    to = put_zeros(put(to, digits, (size_t)whole), exponent + 1 - whole);
    if (count > whole)
        to = put(put(to, ".", 1), digits + whole, (size_t)(count - whole));
    return to;
}

static char *put_scientific(char *to, const char *digits, int count, int exponent)
{
    *to++ = digits[0];
    if (count > 1)
        to = put(put(to, ".", 1), digits + 1, (size_t)(count - 1));
    return to + sprintf(to, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

kim_text cel_write_double(double value, char form, char out[CEL_DOUBLE_BYTES])
{
    char digits[32], *end = out;
    int count;
    if (isnan(value))
        return KIM_TEXT("NaN");
    if (isinf(value))
        return value < 0 ? KIM_TEXT("-Inf") : KIM_TEXT("+Inf");
    if (signbit(value))
        *end++ = '-';
    int exponent = shortest(fabs(value), digits, &count);
    if (form == 'g' && (exponent < -4 || exponent >= 6)) /* six: what Go takes where no precision is asked for */
        end = put_scientific(end, digits, count, exponent);
    else
        end = put_plain(end, digits, count, exponent);
    return (kim_text){out, (size_t)(end - out)};
}

size_t cel_put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00 >> size & 0xff) | c);
    return size;
}

uint32_t cel_get_utf8(kim_text text, size_t *size)
{
    unsigned char first = (unsigned char)text.bytes[0];
    *size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t c = *size == 1 ? first : first & (0x7fu >> *size);
    for (size_t i = 1; i < *size && i < text.size; i++)
        c = c << 6 | ((unsigned char)text.bytes[i] & 0x3f);
    return c;
}
