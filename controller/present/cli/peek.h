/* SPDX-License-Identifier: Apache-2.0
 *
 * peek.h - one member of a JSON object, without reading the rest: for a million lines of which only the
 * provider's name matters here.
 */
#ifndef KIM_CLI_PEEK_H
#define KIM_CLI_PEEK_H

#include <kim/text.h>

/* The bytes of the value of the object's member `name`, as written (a string with its quotes); the
 * last one where several have that name; absent where there is none, or the line is no object so far
 * as it was looked at. The text may be cut short: what comes before the cut is found. */
kim_text peek_member(kim_text object, const char *name);
/* The same for a string without escapes: its text without quotes; else absent. */
kim_text peek_string(kim_text object, const char *name);

#endif
