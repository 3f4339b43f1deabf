/* SPDX-License-Identifier: Apache-2.0
 *
 * kim_condition.h - the neutral condition language, for providers that have none of their own.
 *
 *     station == "HMI-3" && (shift in ["day", "late"] || !has(locked))
 *
 *     condition  = all { "||" all }
 *     all        = one { "&&" one }
 *     one        = "!" one | "(" condition ")" | "has" "(" name ")" | name op value | name "in" "[" [ value { "," value } ] "]"
 *                | "true" | "false"
 *     op         = "==" | "!=" | "<" | "<=" | ">" | ">="
 *     value      = text in "double" or 'single' quotes, in which \ takes the next character as it is | number | word
 *     name, word = one or more of A-Z a-z 0-9 _ . : / - @ $
 *
 * A name is a key of the request's context, exactly as written; a key may have several values. == and `in` hold where one
 * of them is equal: as texts, or as numbers where the value is written without quotes and both are numbers. < <= > >=
 * hold where one of them compares so: as numbers, or as times (RFC 3339, or Unix milliseconds beside such a time); never
 * as texts. != and ! are the opposites. has(name) asks whether the key is there. A comparison with an absent key is
 * false, so != is true of it.
 */
#ifndef KIM_KIM_CONDITION_H
#define KIM_KIM_CONDITION_H

#include "controller/evaluate/context.h"
#include "controller/evaluate/terms.h"

#include <kim/error.h>

enum {
    KIM_CONDITION_MAX_DEPTH = 64,   /* of parentheses and ! within each other: a stack frame each */
    KIM_CONDITION_MAX_PARTS = 2048, /* tests and values: what is left of them is compared in pairs */
};

typedef struct kim_test kim_test; /* a condition, read */

/* The text must outlive the test. NULL with err: KIM_ERR_INPUT "condition, at byte N: ...", KIM_ERR_NOMEM */
const kim_test *kim_test_read(kim_text text, kim_arena *arena, kim_error *err);

/* What a key of the request is; `key` as in the condition. */
typedef key_value kim_lookup_function(void *from, kim_text key);

/* True, false or what it depends on; NULL without memory in scratch. */
const term *kim_test_decide(const kim_test *test, kim_lookup_function *look, void *from, kim_arena *scratch);

#endif
