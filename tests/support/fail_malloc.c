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

/* AddressSanitizer's own, under the name that they have beside ours; NULL without it. To look them up would not do:
 * it asks for memory itself, before the sanitizer can give any. */
void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *bytes, size_t size) __attribute__((weak));

/* The C library's function. */
static void *next(void **known, const char *name)
{
    if (*known == NULL)
        *known = dlsym(RTLD_NEXT, name);
    return *known;
}

void *malloc(size_t size)
{
    static void *known;
    void *(*real)(size_t) = __interceptor_malloc ? __interceptor_malloc : next(&known, "malloc");
    return fails_now() ? NULL : real(size);
}

void *calloc(size_t count, size_t size)
{
    static void *known;
    void *(*real)(size_t, size_t) = __interceptor_calloc ? __interceptor_calloc : next(&known, "calloc");
    return fails_now() ? NULL : real(count, size);
}

void *realloc(void *bytes, size_t size)
{
    static void *known;
    void *(*real)(void *, size_t) = __interceptor_realloc ? __interceptor_realloc : next(&known, "realloc");
    return fails_now() ? NULL : real(bytes, size);
}
