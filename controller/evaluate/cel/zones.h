/* SPDX-License-Identifier: Apache-2.0
 *
 * zones.h - the IANA time zone database as it was when kim was built, compiled in.
 *
 * So an evaluation reads no file, and gives the same on every machine that runs the same build.
 */
#ifndef KIM_CEL_ZONES_H
#define KIM_CEL_ZONES_H

#include <kim/text.h>

/* Seconds east of UTC at that Unix time; false: no zone has that name (exact in its case). */
bool zones_find(kim_text name, int64_t unix_seconds, int32_t *offset_s);

#endif
