/* SPDX-License-Identifier: Apache-2.0
 *
 * syntax.h - an expression as a tree: what the parser makes, the evaluator walks and the writer prints.
 */
#ifndef KIM_CEL_SYNTAX_H
#define KIM_CEL_SYNTAX_H

#include "controller/evaluate/cel.h"

typedef enum node_kind {
    NODE_CONSTANT, /* value */
    NODE_NAME,     /* name; path where it is an attribute's, else slot */
    NODE_SELECT,   /* items[0].name; path where it may be an attribute's as a whole */
    NODE_HAS,      /* has(items[0].name) */
    NODE_INDEX,    /* items[0][items[1]]; path as for NODE_SELECT */
    NODE_CALL,     /* name(items), or items[0].name(items + 1); operators too */
    NODE_AND, NODE_OR, /* of items */
    NODE_CHOICE,   /* items[0] ? items[1] : items[2] */
    NODE_LIST,     /* items */
    NODE_MAP,      /* items: key, value, key ... */
    NODE_FOLD,     /* a macro over the elements of items[0], each called name: items[1], items[2] as `fold` says */
} node_kind;

typedef enum fold_kind {
    FOLD_ALL, FOLD_EXISTS, FOLD_EXISTS_ONE, /* items[1]: the predicate */
    FOLD_FILTER,                            /* items[1]: the predicate */
    FOLD_MAP,                               /* items[1]: the new element; or items[1]: a filter, items[2]: the new element */
} fold_kind;

enum { NO_SLOT = UINT16_MAX };

typedef struct builtin builtin;
typedef struct cel_node cel_node;
struct cel_node {
    node_kind kind;
    uint16_t depth;       /* of the tree below, this node counted */
    uint16_t slot;        /* where a macro's variable is kept; NO_SLOT: a name that is none */
    bool is_method;       /* of a call: written with a receiver, which is items[0] */
    bool is_test;         /* has(), or selected from one: asks only whether it is there */
    bool has_receiver_path; /* of a call: items[0] only names the function's receiver */
    fold_kind fold;
    uint32_t count;
    cel_node **items;     /* [count] */
    uint32_t at;          /* byte of the expression, for messages */
    kim_text name;
    kim_text path;
    cel_value value;
    const struct regex *pattern;  /* of a call of matches() with a constant that is a pattern */
    const builtin *builtin;       /* of a call; NULL: */
    const cel_function *function; /* the host's; NULL too: nobody knows it */
};

struct cel_program {
    const cel_node *root;
    uint16_t slots; /* macros within one another, at most */
};

/* Reads an expression; names and calls are not looked at yet.
 * Errors: as cel_compile */
cel_node *cel_parse(kim_text text, kim_arena *arena, kim_error *err);

/* Refuses an expression at one of its bytes: "LINE:COLUMN: ...". Returns -1. */
int cel_refuse(kim_text text, size_t at, kim_error *err, kim_code code, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
