/* SPDX-License-Identifier: Apache-2.0
 *
 * points.h - values that tell comparisons of numbers, moments and addresses apart.
 *
 * Comparisons with n values cut a line into n points and the n + 1 stretches between and beside them: one
 * value of each is enough. Networks lie within each other or apart: the two ends of each, and the
 * addresses beside it.
 */
#ifndef KIM_POINTS_H
#define KIM_POINTS_H

#include "controller/evaluate/samples.h"

/* Adds texts to *out, in arena; some may be there already. NaN is no value, but where nothing else is there is one text.
 * Each returns -1 without memory.
 *
 * values   [count], in any order; they are sorted
 * dates    milliseconds since 1970; written as seconds
 */
int points_of_numbers(double *values, size_t count, kim_arena *arena, samples *out);
int points_of_dates(double *values, size_t count, kim_arena *arena, samples *out);
/* "192.0.2.0/24", "2001:db8::/32", an address alone; what is neither adds nothing. */
int points_of_network(kim_text network, kim_arena *arena, samples *out);

#endif
