/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h - numbers as Go reads and writes them, which CEL's conversions are defined by in practice.
 */
#ifndef KIM_CEL_TEXT_H
#define KIM_CEL_TEXT_H

#include <kim/text.h>

/* Digits alone; where may_be_hex also 0x and hexadecimal digits. False: no number, or past 64 bits. */
bool cel_read_natural(kim_text text, bool may_be_hex, uint64_t *out);
/* Decimal, with + or - before it or none. */
bool cel_read_integer(kim_text text, int64_t *out);
/* strconv.ParseFloat: decimal or hexadecimal, underscores between digits, inf, infinity and nan in any case.
 * False: no number, or past the range of a double. */
bool cel_read_double(kim_text text, double *out);

enum { CEL_DOUBLE_BYTES = 512 }; /* room for any double in either form */
/* strconv.FormatFloat(value, 'g' or 'f', -1, 64): the fewest digits that read back as the same double. */
kim_text cel_write_double(double value, char form, char out[CEL_DOUBLE_BYTES]);

/* Writes a code point as UTF-8; returns how many bytes, at most 4. */
size_t cel_put_utf8(char *out, uint32_t code_point);
/* The code point at the front of a valid, non-empty text; *size is how many bytes it has. */
uint32_t cel_get_utf8(kim_text text, size_t *size);

#endif
