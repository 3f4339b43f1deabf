/* SPDX-License-Identifier: Apache-2.0
 *
 * cmocka.h - cmocka with the headers that it wants before itself.
 */
#ifndef KIM_TESTS_CMOCKA_H
#define KIM_TESTS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The text stands somewhere in the message; says both where it does not. */
#define assert_says(message, text)                                                                 \
    do {                                                                                           \
        if (strstr((message), (text)) == NULL)                                                     \
            fail_msg("'%s' does not say '%s'", (message), (text));                                 \
    } while (0)

#endif
