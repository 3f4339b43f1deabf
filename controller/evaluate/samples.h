/* SPDX-License-Identifier: Apache-2.0
 *
 * samples.h - one text for each way in which a set of patterns can match.
 *
 * Whatever a formula over the patterns says of all texts, it says of these: so that a question about
 * infinitely many texts becomes one about a few.
 */
#ifndef KIM_SAMPLES_H
#define KIM_SAMPLES_H

#include "controller/evaluate/wildcard.h"

/* Units that only sampling knows, beside those of wildcard.h. */
enum {
    UNIT_RUN_IN_PART = 258, /* any run without a colon */
    UNIT_ONE_IN_PART = 259, /* one character that is no colon */
    UNIT_ONE_DIGIT = 260,
    UNIT_LETTER = 512,      /* + a lower-case letter: that letter in either case */
};

enum { SAMPLES_MAX_STATES = 20000 };

typedef struct samples {
    kim_text *items; /* [count] */
    size_t count, capacity;
    bool is_complete; /* false: there were more states than SAMPLES_MAX_STATES */
} samples;

/* Adds to *out, in arena, one text for each vector of matches that some text in `within` has and that no
 * text of *out has yet.
 *
 * patterns  [count]
 * within    what every text must match
 * Returns -1 without memory
 */
int samples_find(const units *patterns, size_t count, units within, kim_arena *arena, samples *out);
/* Adds a text as it is. */
int samples_add(samples *out, kim_text text, kim_arena *arena);

/* An ARN pattern's units: `*` and `?` stay in their part but for the last. extend: fewer than six parts
 * mean "*" for the rest. */
units units_of_arn(kim_text pattern, bool extend, kim_arena *arena);
units units_nocase(units pattern, kim_arena *arena); /* letters match in either case */

#endif
