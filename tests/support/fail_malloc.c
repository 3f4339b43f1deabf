/* SPDX-License-Identifier: Apache-2.0
 *
 * fail_malloc.c - the program's own malloc stands before the library's, and counts.
 */
#include <dlfcn.h>
#include <errno.h>

#include "tests/support/fail_malloc.h"

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *bytes, size_t size);

static _Thread_local size_t calls_left; /* until one fails; 0: none will */
static _Thread_local bool stays_failed, has_failed;

void fail_malloc_start(size_t nth)
{
    has_failed = false;
    stays_failed = false;
    calls_left = nth;
}

void fail_malloc_start_all(size_t nth)
{
    fail_malloc_start(nth);
    stays_failed = true;
}

bool fail_malloc_stop(void)
{
    calls_left = 0;
    return has_failed;
}

static bool fails_now(void)
{
    if (calls_left == 0 || --calls_left > 0)
        return false;
    calls_left = stays_failed;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

/* The next definition of a function: the C library's, or AddressSanitizer's. */
static void *next(void **known, const char *name)
{
    if (*known == NULL)
        *known = dlsym(RTLD_NEXT, name);
    return *known;
}

void *malloc(size_t size)
{
    static void *known;
    void *(*real)(size_t) = next(&known, "malloc");
    return fails_now() ? NULL : real(size);
}

void *calloc(size_t count, size_t size)
{
    static void *known;
    void *(*real)(size_t, size_t) = next(&known, "calloc");
    return fails_now() ? NULL : real(count, size);
}

void *realloc(void *bytes, size_t size)
{
    static void *known;
    void *(*real)(void *, size_t) = next(&known, "realloc");
    return fails_now() ? NULL : real(bytes, size);
}
