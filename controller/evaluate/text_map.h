/* SPDX-License-Identifier: Apache-2.0
 *
 * text_map.h - texts to numbers, in the order they were added.
 */
#ifndef KIM_TEXT_MAP_H
#define KIM_TEXT_MAP_H

#include <kim/text.h>

typedef struct text_map text_map;

text_map *text_map_new(kim_arena *arena);
text_map *text_map_new_nocase(kim_arena *arena); /* texts that differ in ASCII case alone are one */
/* The same texts with the same numbers; what is added to one the other does not have. The texts are not copied. */
text_map *text_map_copy(const text_map *map, kim_arena *arena);
/* The number of the text, from 0; a new one is the count before. The text is not copied. UINT32_MAX
 * without memory. */
uint32_t text_map_add(text_map *map, kim_text text);
/* Makes room for so many texts in all, so that it need not double. False without memory. */
bool text_map_reserve(text_map *map, size_t count);
uint32_t text_map_find(const text_map *map, kim_text text); /* UINT32_MAX: not there */
uint32_t text_map_count(const text_map *map);
uint64_t text_map_hash(kim_text text); /* for those who keep a hash of their own */
kim_text text_map_text(const text_map *map, uint32_t number);

#endif
