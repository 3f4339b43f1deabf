/* SPDX-License-Identifier: Apache-2.0
 *
 * json_index.h - where the structure of a JSON text is: simdjson's first stage, from C.
 *
 * Everything that a walk over a log must know is which bytes are brackets, colons, commas, and the
 * beginnings of strings and scalars outside of strings. simdjson finds them with vector instructions
 * (the best that the processor has, chosen when it runs) and checks UTF-8 on the way; the walk is
 * event.c's. No tree is built, and nothing that is not looked at costs more than its index.
 */
#ifndef AWS_USAGE_JSON_INDEX_H
#define AWS_USAGE_JSON_INDEX_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { JSON_INDEX_PADDING = 64 }; /* readable bytes that must follow a text */
#define JSON_INDEX_OPEN "a string does not end"

typedef struct json_index json_index;

/* max_bytes  the longest text; its index takes up to 4 bytes of address space a byte of text, and memory
 *            for one structural byte in about eight
 * Returns what json_index_free() frees; NULL without memory. */
json_index *json_index_new(size_t max_bytes);
void json_index_free(json_index *index); /* NULL is fine */

/* Finds the structure of text[size], JSON_INDEX_PADDING bytes follow it.
 *
 * positions  [*count] offsets, ascending, until the next call; [*count] itself is `size`
 * Returns NULL, or what is wrong with the whole text, static: "no UTF-8", JSON_INDEX_OPEN, "a
 * control character in a string", "no JSON". No position is given then.
 */
const char *json_index_find(json_index *index, const char *text, size_t size,
                            const uint32_t **positions, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
