/* SPDX-License-Identifier: Apache-2.0
 *
 * fail_malloc.h - memory that runs out on order.
 *
 *     for (size_t n = 1; n == 1 || fail_malloc_stop(); n++) {
 *         fail_malloc_start(n);          the nth allocation from here on fails
 *         int result = work(&err);
 *         ...                            it failed well, or did without
 *     }
 *
 * Ends with the first n that is past work's last allocation. A program that links this file has its
 * malloc, calloc and realloc (and through them strdup and all libraries') wrapped; only allocations of
 * the thread that called fail_malloc_start fail.
 */
#ifndef KIM_TESTS_FAIL_MALLOC_H
#define KIM_TESTS_FAIL_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

void fail_malloc_start(size_t nth); /* from 1; only that one fails */
void fail_malloc_start_all(size_t nth); /* that one and all later ones: memory has run out */
bool fail_malloc_stop(void); /* nothing fails any more; true where something did since the start */

#endif
