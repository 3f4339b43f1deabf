/* SPDX-License-Identifier: Apache-2.0
 *
 * template.h - texts of a policy that may hold variables: ${aws:username}, ${key, 'default'}, ${*}.
 *
 * Source: AWS IAM User Guide, "IAM policy elements: Variables and tags". Only documents of version
 * 2012-10-17 have variables; in others `${` is text. A multi-valued key is no variable.
 */
#ifndef KIM_TEMPLATE_H
#define KIM_TEMPLATE_H

#include "controller/evaluate/context.h"
#include "controller/evaluate/terms.h"
#include "controller/evaluate/wildcard.h"

typedef struct template_part {
    kim_text text;     /* literal, or the default of a variable (absent: none) */
    kim_text name;     /* of a variable, as written */
    uint32_t key;      /* of a variable; UINT32_MAX: this part is text */
    bool is_literal;   /* `*` and `?` in it are no wildcards: ${*}, ${?}, ${$} */
} template_part;

typedef struct template {
    kim_text raw;                /* as written */
    const template_part *parts;  /* [count]; NULL: raw holds nothing special */
    uint32_t count;
    uint32_t literal;            /* glob_literal of raw */
} template;

/* A text in which "${" is text, as a document with variables writes it: "${$}{". */
kim_text template_literal(kim_text value, kim_arena *arena);

/* Errors: -1 only without memory. */
int template_compile(kim_text raw, bool has_variables, key_table *keys, kim_arena *arena, template *out);

typedef enum filling {
    FILLED,     /* units hold the text */
    UNRESOLVED, /* a variable has no value: the text matches nothing */
    NOT_KNOWN,  /* a variable's value is not known; units hold a pattern for all it may be */
} filling;

/* Puts the request's values in. wild: `*` and `?` of the written text are wildcards. Units in arena;
 * {NULL, 0} without memory. */
filling template_fill(const template *t, context *c, bool wild, kim_arena *arena, units *out);

/* What template_fill gives as far as the keys' presence alone decides: NOT_KNOWN where a variable may
 * turn out to have no value. */
filling template_filling(const template *t, context *c);

/* That each variable without a default has a value: a test for each key of which it is not known
 * whether the request has it. */
const term *template_resolves(const template *t, context *c, kim_arena *arena);

#endif
