/* SPDX-License-Identifier: Apache-2.0
 *
 * fault.c - one name and one count.
 */
#include "sdk/fault.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char armed[64];
static atomic_long left;

void fault_setup(void)
{
    const char *wanted = getenv("KIM_FAULT");
    long count = 0;
    if (wanted && sscanf(wanted, "%63[a-z_]:%ld", armed, &count) == 2 && count > 0)
        atomic_store(&left, count);
    else
        armed[0] = '\0';
}

void fault_point(const char *name)
{
    if (!armed[0] || strcmp(name, armed))
        return;
    if (atomic_fetch_sub(&left, 1) == 1)
        _exit(137);
}
