/* SPDX-License-Identifier: Apache-2.0
 *
 * context.h - condition keys by number, and what a request says of each.
 *
 * Names are folded and numbered once, when rules are compiled. A request then fills only the slots of
 * the keys it gives; all others are absent (strict) or not known (discover).
 */
#ifndef KIM_CONTEXT_H
#define KIM_CONTEXT_H

#include <kim/text.h>

/* The names that the rules of an estate mention, numbered from 0. */
typedef struct key_table key_table;
key_table *key_table_new(kim_arena *arena);
/* The number of a key, made where it is new. UINT32_MAX without memory. */
uint32_t key_table_add(key_table *keys, kim_text name);
/* Its own keys from now on. NULL without memory. */
key_table *key_table_copy(const key_table *keys, kim_arena *arena);
/* Was it written in several ways? Then which comes first depends on all who wrote it. */
bool key_table_is_mixed(const key_table *keys, uint32_t key);
uint32_t key_table_find(const key_table *keys, kim_text name); /* UINT32_MAX: no rule mentions it */
uint32_t key_table_count(const key_table *keys);
kim_text key_table_name(const key_table *keys, uint32_t key); /* lower case */
kim_text key_table_spelling(const key_table *keys, uint32_t key); /* as it was first written: one for all */

typedef enum key_state {
    KEY_ABSENT,  /* the request surely lacks it */
    KEY_GIVEN,   /* values are known, at least one */
    KEY_PRESENT, /* it is there; its value is not known, or how it begins alone: then that is values[0] */
    KEY_UNKNOWN, /* nobody knows whether it is there; values: none of these it surely is, nor begins with one that ends in '/' */
} key_state;

typedef struct key_value {
    key_state state;
    kim_texts values;
} key_value;

/* What a condition came to, while the context had this stamp. */
typedef struct decided {
    const struct term *result;
    uint32_t stamp;
} decided;

/* What a request says. `look` is asked once for each key that no slot was filled for. */
typedef struct context {
    key_value *slots;  /* [key_table_count] */
    uint32_t *stamps;  /* [key_table_count]: the slot is filled where it equals stamp */
    uint32_t stamp;
    key_value (*look)(void *from, uint32_t key);
    void *from;
    decided *decided;  /* by the numbers of conditions; NULL: nothing is remembered */
} context;

static inline key_value context_value(context *c, uint32_t key)
{
    if (c->stamps[key] != c->stamp) {
        c->slots[key] = c->look(c->from, key);
        c->stamps[key] = c->stamp;
    }
    return c->slots[key];
}

#endif
