/* SPDX-License-Identifier: Apache-2.0
 *
 * azure_condition.h - Azure's condition language: of role assignments, deny assignments and permissions.
 *
 * A condition is compiled once and decided for a request: what the request's attributes settle goes away,
 * and the rest is a term of expressions as one would write them.
 *
 * Absence, per operator: a comparison holds where the attribute has a value for which it holds, so on an
 * absent attribute it does not; StringNotEquals and the like are its negation and hold there. ForAnyOf...
 * asks for one value and does not hold; ForAllOf... has none to ask and holds. Exists tells the two apart.
 *
 * Sources: Microsoft Learn, "Azure role assignment condition format and syntax", "Actions and attributes
 * for Azure role assignment conditions" (Authorization, Blob Storage, Queue Storage).
 */
#ifndef KIM_AZURE_CONDITION_H
#define KIM_AZURE_CONDITION_H

#include "controller/evaluate/evaluate.h"
#include "controller/evaluate/terms.h"
#include "controller/evaluate/text_map.h"

enum {
    AZURE_CONDITION_MAX_DEPTH = 256,            /* parentheses in parentheses; Azure's 8 KB hold no more of any use */
    AZURE_COMPARE_MAX_STEPS = 64 * 1024 * 1024, /* of one comparison: values times values, or a pattern's length times a text's */
};

typedef struct azure_condition azure_condition;

/* A value of an attribute or a literal. */
typedef struct azure_value {
    enum { AZURE_TEXT, AZURE_STRING, AZURE_NUMBER, AZURE_BOOL } type; /* text: untyped, as on a command line */
    kim_text text;
} azure_value;

typedef struct azure_attribute {
    enum { AZURE_ABSENT, AZURE_GIVEN, AZURE_PRESENT, AZURE_NOT_KNOWN } state; /* present: its value is not known */
    const azure_value *values; /* [count] */
    size_t count;
} azure_attribute;

/* What a condition may ask of a request. */
typedef struct azure_facts {
    kim_text action; /* lower case */
    bool is_pattern; /* it stands for all that it covers */
    azure_attribute (*look)(void *from, uint32_t key);
    void *from;
} azure_facts;

/* keys numbers the attributes by azure_attribute_key. NULL: without memory (the arena is full), or with *unread
 * what is wrong with the text. All lives in arena. */
const azure_condition *azure_condition_compile(kim_text text, text_map *keys, kim_arena *arena, kim_text *unread);
/* When the condition holds; NULL without memory. */
const term *azure_condition_decide(const azure_condition *c, const azure_facts *facts, kim_arena *arena);

/* Calls back for each attribute that the condition names, with each literal that it is compared with (NULL: with none). */
void azure_condition_values(const azure_condition *c, void (*found)(void *user, uint32_t key, const azure_value *value), void *user);
/* Calls back for each pattern of an action that the condition names, in lower case. */
void azure_condition_actions(const azure_condition *c, void (*found)(void *user, kim_text pattern), void *user);

/* "@Resource[Microsoft.Storage/.../tags:Project<$key_case_sensitive$>]" in the one way in which it is compared:
 * lower case, but for a key that is said to be case-sensitive. Absent: no attribute, or no memory. */
kim_text azure_attribute_key(kim_text written, kim_arena *arena);
/* The attribute of a request's context by its entry; values in arena. */
azure_attribute azure_attribute_of(const context_entry *entry, kim_arena *arena);

/* Does a pattern of an action match? `*` is any run of characters, slashes too; both in lower case. */
bool azure_action_match(kim_text pattern, kim_text action);
/* Of a point in time, with or without a zone (UTC then). False: it is none. */
bool azure_time_read(kim_text text, int64_t *seconds, int32_t *nanoseconds);

#endif
