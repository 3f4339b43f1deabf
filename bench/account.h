/* SPDX-License-Identifier: Apache-2.0
 *
 * account.h - what several benchmarks need: an account's authorization details as an estate, and a clock.
 */
#ifndef KIM_BENCH_ACCOUNT_H
#define KIM_BENCH_ACCOUNT_H

#include "controller/estate/estate.h"

double cpu_s(void);  /* of this process */
double wall_s(void);
double median(double *times, size_t count); /* sorts them */

/* A builder that holds what the AWS provider makes of the file, as `kim scan` reads it; NULL with err. */
estate_builder *account_read(const char *path, kim_error *err);

#endif
