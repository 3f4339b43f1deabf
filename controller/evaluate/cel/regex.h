/* SPDX-License-Identifier: Apache-2.0
 *
 * regex.h - RE2's regular expressions: does one match anywhere in a text? In time linear in the text.
 *
 * The syntax is that of Go's regexp, which cel-go matches with: no back-references, no assertions but ^ $ \A \z \b \B.
 */
#ifndef KIM_CEL_REGEX_H
#define KIM_CEL_REGEX_H

#include <kim/error.h>
#include <kim/text.h>

enum {
    REGEX_MAX_REPEAT = 1000,         /* RE2's: of {n,m}, and of such repeats in one another multiplied */
    REGEX_MAX_DEPTH = 1000,          /* of groups and repeats in one another: RE2's */
    REGEX_MAX_INSTRUCTIONS = 100000, /* a few MB while it matches */
};

typedef struct regex regex; /* immutable */

/* pattern  UTF-8
 * Returns what lives in arena; NULL with err: KIM_ERR_INPUT in Go's words, KIM_ERR_LIMIT, KIM_ERR_NOMEM */
regex *regex_compile(kim_text pattern, kim_arena *arena, kim_error *err);

/* 1, 0, or -1 without memory. */
int regex_search(const regex *r, kim_text text, kim_arena *scratch);

/* The work of a search at most, in units of some nanoseconds. */
size_t regex_cost(const regex *r, kim_text text);

#endif
