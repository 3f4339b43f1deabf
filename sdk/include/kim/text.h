/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h - a piece of text that knows its length.
 *
 * UTF-8, not NUL-terminated, never owned: it points into an arena, a message or a literal, and ends
 * with that. `bytes` NULL means absent, which is not the same as empty (size 0, bytes not NULL).
 */
#ifndef KIM_TEXT_H
#define KIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <kim/arena.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kim_text {
    const char *bytes;
    size_t size;
} kim_text;

/* A list of texts. `items` NULL means absent, which is not the same as an empty list. */
typedef struct kim_texts {
    const kim_text *items;
    size_t count;
} kim_texts;

/* Name and value, for tags and facts. */
typedef struct kim_pair {
    kim_text name, value;
} kim_pair;

typedef struct kim_pairs {
    const kim_pair *items;
    size_t count;
} kim_pairs;

#define KIM_TEXT(literal) ((kim_text){(literal), sizeof(literal) - 1})
#define KIM_NO_TEXT ((kim_text){NULL, 0})
/* For printf: printf("%.*s", KIM_PRINT(text)). */
#define KIM_PRINT(text) (int)(text).size, (text).bytes ? (text).bytes : ""

static inline kim_text kim_text_of(const char *nul_terminated)
{
    return (kim_text){nul_terminated, nul_terminated ? strlen(nul_terminated) : 0};
}

static inline bool kim_text_is_absent(kim_text text)
{
    return text.bytes == NULL;
}

static inline bool kim_text_equal(kim_text a, kim_text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.bytes, b.bytes, a.size) == 0);
}

static inline bool kim_text_is(kim_text text, const char *nul_terminated)
{
    return kim_text_equal(text, kim_text_of(nul_terminated));
}

/* Eight bytes with the ASCII capitals among them in lower case. */
static inline uint64_t kim_text_fold8(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t low = eight & ones * 0x7f; /* without the bits that a sum would carry over */
    uint64_t from_a = low + ones * (0x80 - 'A'), past_z = low + ones * (0x7f - 'Z');
    return eight | ((from_a ^ past_z) & ~eight & ones * 0x80) >> 2;
}

/* ASCII letters fold, all else is exact: the rule of action names and condition keys. */
bool kim_text_equal_nocase(kim_text a, kim_text b);
bool kim_text_starts_with(kim_text text, kim_text prefix);
bool kim_text_ends_with(kim_text text, kim_text suffix);
int kim_text_compare(kim_text a, kim_text b); /* by bytes; <0, 0, >0 */

/* How many bytes from the front are well-formed UTF-8 (no overlong form, no surrogate, nothing past
 * U+10FFFF): text.size where all is. Source: Unicode 15, table 3-7. */
size_t kim_text_utf8_size(kim_text text);
static inline bool kim_text_is_utf8(kim_text text)
{
    return kim_text_utf8_size(text) == text.size;
}

/* How many bytes the control character at the front takes (C0 and DEL one, C1 two); 0 where none stands
 * there. Some of them steer a terminal: none of an outsider's may reach one. Source: ISO/IEC 6429. */
size_t kim_text_control_size(kim_text text);

/* The value of a pair by its exact name; absent where there is none. */
kim_text kim_pairs_get(kim_pairs pairs, const char *name);

/* Copies into the arena; absent stays absent. NUL follows the copy, so that .bytes is also a C
 * string. On a full arena the result is absent and the arena remembers (kim_arena_is_full). */
kim_text kim_text_copy(kim_arena *arena, kim_text text);
kim_text kim_text_lower(kim_arena *arena, kim_text text); /* ASCII only */
kim_text kim_text_format(kim_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
