/* SPDX-License-Identifier: Apache-2.0
 *
 * terms.h - what an answer still depends on: small boolean expressions, simplified as they are built.
 *
 * A term is true, false, or an expression over atoms: a condition on a context key, a part of the
 * resources asked for, or something that was not read. The builders fold constants, flatten, drop
 * repeats and what is absorbed, so that two ways to say the same usually end as one.
 */
#ifndef KIM_TERMS_H
#define KIM_TERMS_H

#include <kim/json.h>

typedef enum term_kind {
    TERM_TRUE, TERM_FALSE,
    TERM_CONDITION,  /* key, op, values */
    TERM_RESOURCE,   /* text: the resource asked for lies under this pattern */
    TERM_EXPRESSION, /* text: a condition as written; op: how one writes its contrary, absent: with "not" */
    TERM_UNREAD,     /* text: what was not read; true or false, nobody knows */
    TERM_ANY, TERM_ALL, TERM_NOT,
} term_kind;

typedef struct term term;
struct term {
    term_kind kind;
    kim_text key, op;    /* of a condition */
    kim_texts values;
    kim_text text;       /* of a resource, an expression, something unread; of a condition what kind its values are, where
                            that makes a difference */
    const term **items;  /* of any, all; [1] of not */
    size_t count;
};

extern const term term_true, term_false;

/* All results live in arena or are one of the constants; NULL only without memory, and NULL goes
 * through every builder to the end. */
const term *term_condition(kim_arena *arena, kim_text key, kim_text op, kim_texts values);
const term *term_of(kim_arena *arena, term_kind kind, kim_text text);
const term *term_not(kim_arena *arena, const term *t);
const term *term_all(kim_arena *arena, const term *const *items, size_t count);
const term *term_any(kim_arena *arena, const term *const *items, size_t count);
const term *term_and(kim_arena *arena, const term *a, const term *b);
const term *term_or(kim_arena *arena, const term *a, const term *b);

bool term_equal(const term *a, const term *b);
/* The same, with all that it holds in arena. */
const term *term_copy(kim_arena *arena, const term *t);
/* The term's atoms that were not read, added to texts; [count] in arena. */
bool term_has_unread(const term *t);
kim_texts term_unread(const term *t, kim_arena *arena);
/* true, false or the term itself, by trying all values of its atoms, where these are few: those that can
 * be together (one resource pattern lies in another, a key has one value). What was not read can be
 * either. */
const term *term_settle(const term *t);
/* The same without what was not read, where that can make no difference (and its atoms are few); else the term
 * itself. NULL without memory. */
const term *term_without_unread(const term *t, kim_arena *arena);

/* Must something hold that is known, beside what was not read? */
bool term_has_known(const term *t);
/* Writes the list of terms that must all hold: the value of "if". What was not read is not among them
 * (term_unread names it). */
void term_write_list(const term *t, kim_json_writer *writer);

#endif
