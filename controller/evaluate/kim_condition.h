/* SPDX-License-Identifier: Apache-2.0
 *
 * kim_condition.h - the neutral condition language, for providers that have none of their own.
 *
 *     station == "HMI-3" && (shift in ["day", "late"] || !has(locked))
 *
 * A name is a context key; == and `in` hold where one of its values is equal, != and `!` are the
 * opposites, < <= > >= compare numbers, has(name) asks whether the key is there. && binds tighter
 * than ||. A comparison with an absent key is false (so != is true).
 */
#ifndef KIM_KIM_CONDITION_H
#define KIM_KIM_CONDITION_H

#include "controller/evaluate/context.h"
#include "controller/evaluate/terms.h"

enum { KIM_CONDITION_MAX_DEPTH = 64 };

/* What a key of the request is; context for the names in conditions. */
typedef key_value kim_lookup_function(void *from, kim_text key);

/* True, false or what it depends on. NULL with err: KIM_ERR_INPUT "at byte N: ...", KIM_ERR_LIMIT,
 * KIM_ERR_NOMEM */
const term *kim_condition_decide(kim_text text, kim_lookup_function *look, void *from, kim_arena *scratch, kim_error *err);

#endif
