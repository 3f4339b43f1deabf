/* SPDX-License-Identifier: Apache-2.0
 *
 * words.h - what the API says in JSON, in words that fit a cell.
 */
#ifndef KIM_CLI_WORDS_H
#define KIM_CLI_WORDS_H

#include <kim/json.h>

#include "controller/present/cli/rows.h"

/* All texts live in arena; absent where there is nothing to say. */

/* "if": [term, ...] -> "aws:SourceIp IpAddress 192.0.2.0/24 and (a or b)" */
kim_text words_condition(const kim_json *terms, kim_arena *arena);
/* "because": [{layer, policy, statement}, ...] -> "identity: AdminAccess/Statement1; scp: ..." */
kim_text words_because(const kim_json *because, kim_arena *arena);
/* Condition, unread and because: what a reader of the decision wants to know next. */
kim_text words_why(const kim_json *answer, kim_arena *arena);
/* ["a","b"] -> "a, b" */
kim_text words_list(const kim_json *list, kim_arena *arena);
/* Unix milliseconds -> "2026-11-21 18:30" (UTC); absent or 0: absent */
kim_text words_time(const kim_json *at_unix_ms, kim_arena *arena);
/* 90061000 -> "1 d 1 h" */
kim_text words_duration(int64_t ms, kim_arena *arena);

/* A word as a shell reads it back: as it is where nothing in it means anything to one, else in quotes.
 * Absent where it would be read as an option, or has what nobody should paste (control characters, no UTF-8). */
kim_text words_shell(kim_text word, kim_arena *arena);

row_color words_color_of(kim_text decision);

#endif
