/* SPDX-License-Identifier: Apache-2.0
 *
 * progress.c - short work shows nothing: the line comes only after a second.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "controller/present/cli/progress.h"

enum { FIRST_MS = 1000, NEXT_MS = 200 };

static int64_t due_ms;
static bool is_shown;

void progress_show(bool quiet, size_t count, const char *what)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t at_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (due_ms == 0)
        due_ms = at_ms + FIRST_MS;
    if (at_ms < due_ms || quiet || !isatty(STDERR_FILENO))
        return;
    due_ms = at_ms + NEXT_MS;
    is_shown = true;
    fprintf(stderr, "\r\033[K%zu %s", count, what);
}

void progress_clear(void)
{
    if (is_shown)
        fputs("\r\033[K", stderr);
    is_shown = false;
}
