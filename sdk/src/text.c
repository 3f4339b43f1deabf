/* SPDX-License-Identifier: Apache-2.0
 *
 * text.c - comparing and copying texts that know their length.
 */
#include <stdarg.h>
#include <stdio.h>

#include <kim/text.h>

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

bool kim_text_equal_nocase(kim_text a, kim_text b)
{
    if (a.size != b.size)
        return false;
    size_t i = 0;
    for (uint64_t x, y; i + sizeof x <= a.size; i += sizeof x) {
        memcpy(&x, a.bytes + i, sizeof x);
        memcpy(&y, b.bytes + i, sizeof y);
        if (x != y && kim_text_fold8(x) != kim_text_fold8(y))
            return false;
    }
    for (; i < a.size; i++)
        if (lower((unsigned char)a.bytes[i]) != lower((unsigned char)b.bytes[i]))
            return false;
    return true;
}

bool kim_text_starts_with(kim_text text, kim_text prefix)
{
    return prefix.size == 0 ||
           (text.size >= prefix.size && memcmp(text.bytes, prefix.bytes, prefix.size) == 0);
}

bool kim_text_ends_with(kim_text text, kim_text suffix)
{
    return suffix.size == 0 ||
           (text.size >= suffix.size &&
            memcmp(text.bytes + text.size - suffix.size, suffix.bytes, suffix.size) == 0);
}

int kim_text_compare(kim_text a, kim_text b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared ? memcmp(a.bytes, b.bytes, shared) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* The length of the well-formed UTF-8 character at `at` (Unicode 15, table 3-7), or 0. */
static size_t character(const unsigned char *at, size_t left)
{
    unsigned char c = at[0];
    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    size_t size = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (left < size)
        return 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;  /* no overlong form */
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf; /* no surrogate, none past U+10FFFF */
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    }
    return size;
}

size_t kim_text_utf8_size(kim_text text)
{
    const unsigned char *bytes = (const unsigned char *)text.bytes;
    size_t at = 0;
    while (at < text.size) {
        uint64_t eight;
        if (text.size - at >= sizeof eight) {
            memcpy(&eight, bytes + at, sizeof eight);
            if ((eight & 0x8080808080808080u) == 0) {
                at += sizeof eight;
                continue;
            }
        }
        size_t size = character(bytes + at, text.size - at);
        if (size == 0)
            return at;
        at += size;
    }
    return at;
}

size_t kim_text_control_size(kim_text text)
{
    const unsigned char *at = (const unsigned char *)text.bytes;
    if (text.size > 0 && (at[0] < ' ' || at[0] == 0x7f))
        return 1;
    return text.size > 1 && at[0] == 0xc2 && at[1] < 0xa0 ? 2 : 0;
}

kim_text kim_pairs_get(kim_pairs pairs, const char *name)
{
    for (size_t i = 0; i < pairs.count; i++) {
        if (kim_text_is(pairs.items[i].name, name))
            return pairs.items[i].value;
    }
    return KIM_NO_TEXT;
}

kim_text kim_text_copy(kim_arena *arena, kim_text text)
{
    if (kim_text_is_absent(text))
        return KIM_NO_TEXT;
    char *copy = text.size < SIZE_MAX ? kim_arena_bytes(arena, text.size + 1) : NULL;
    if (copy == NULL)
        return KIM_NO_TEXT;
    memcpy(copy, text.bytes, text.size);
    copy[text.size] = '\0';
    return (kim_text){copy, text.size};
}

kim_text kim_text_lower(kim_arena *arena, kim_text text)
{
    kim_text copy = kim_text_copy(arena, text);
    char *bytes = (char *)copy.bytes; /* just made, and ours until we return */
    for (size_t i = 0; i < copy.size; i++)
        bytes[i] = (char)lower((unsigned char)bytes[i]);
    return copy;
}

kim_text kim_text_format(kim_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    kim_text text = KIM_NO_TEXT;
    int size = vsnprintf(NULL, 0, format, args);
    char *bytes = size < 0 ? NULL : kim_arena_bytes(arena, (size_t)size + 1);
    if (bytes != NULL) {
        vsnprintf(bytes, (size_t)size + 1, format, again);
        text = (kim_text){bytes, (size_t)size};
    }
    va_end(again);
    va_end(args);
    return text;
}
