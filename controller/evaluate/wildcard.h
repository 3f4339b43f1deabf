/* SPDX-License-Identifier: Apache-2.0
 *
 * wildcard.h - the wildcard languages: does a pattern match, and how do two patterns relate?
 *
 * A pattern is a text with `*` (any run of characters, also none) and `?` (exactly one character; a
 * character is a UTF-8 code point). Everything is exact: relations are decided on the languages that
 * the patterns describe, not by their spelling.
 */
#ifndef KIM_WILDCARD_H
#define KIM_WILDCARD_H

#include <kim/text.h>

/* Does the pattern match the whole text? Cost: linear for one `*`, at worst |pattern| * |text|. */
bool glob_match(kim_text pattern, kim_text text);
/* The same with ASCII letters folded: action names. */
bool glob_match_nocase(kim_text pattern, kim_text text);
bool glob_has_wildcard(kim_text pattern);
/* How many bytes stand before the first wildcard; and glob_match for one who knows it. */
size_t glob_literal(kim_text pattern);
bool glob_match_after(kim_text pattern, size_t literal, kim_text text);

typedef enum glob_relation {
    GLOB_DISJOINT, /* no text matches both */
    GLOB_OVERLAPS, /* some text of `a` matches `b`, and some does not (or: it could not be settled) */
    GLOB_WITHIN,   /* every text that matches `a` matches `b` */
} glob_relation;

/* How the texts that match `a` relate to `b`. Exact up to GLOB_MAX_STATES steps; past them GLOB_OVERLAPS,
 * which is never a wrong yes or no. */
enum { GLOB_MAX_STATES = 65536 };
glob_relation glob_relate(kim_text a, kim_text b);

/* ---- patterns with literal wildcards in them ----
 *
 * Policy variables put texts into patterns in which `*` and `?` are just characters. Such a pattern is
 * a row of units: a byte of text, or one of the two wildcards. */
enum { UNIT_ANY_RUN = 256, UNIT_ANY_ONE = 257 };
typedef struct units {
    const uint16_t *items;
    size_t count;
} units;

bool units_match(units pattern, kim_text text);
glob_relation units_relate(units a, units b);
/* A pattern's units, in arena; {NULL, 0} without memory. */
units units_of_pattern(kim_text pattern, kim_arena *arena);
/* A text's units, in which nothing is a wildcard. */
units units_of_text(kim_text text, kim_arena *arena);

#endif
