/* SPDX-License-Identifier: Apache-2.0
 *
 * language.h - the wildcard languages that a profile may name, for texts that are no patterns themselves.
 */
#ifndef KIM_LANGUAGE_H
#define KIM_LANGUAGE_H

#include <kim/error.h>
#include <kim/text.h>

typedef struct language language;

/* "exact", "glob", "arn", "mqtt", "nats", "regex-unanchored", "path-prefix", "bitmask"; NULL: none such. */
const language *language_find(kim_text name);

/* Does a pattern of resources match?
 * Returns 1, 0, or -1 with err: KIM_ERR_INPUT a pattern that is none (a regular expression) */
int language_match(const language *l, kim_text pattern, kim_text text, bool nocase, kim_error *err);

/* The same for actions: words, unless the language has patterns for these too (glob, arn) or numbers
 * them (bitmask: the pattern's bits hold the action's). */
int language_match_action(const language *l, kim_text pattern, kim_text action, bool nocase, kim_error *err);

#endif
