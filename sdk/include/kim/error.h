/* SPDX-License-Identifier: Apache-2.0
 *
 * error.h - what went wrong: a code for the program, a sentence for the person.
 *
 * Functions return 0 or -1 (or an object or NULL) and leave their outputs alone on failure. The
 * sentence says what is wrong, where, and what to do. Stages never log or exit: they return the
 * error, and the program's edge reports it once. No secret ever stands in a message.
 */
#ifndef KIM_ERROR_H
#define KIM_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

typedef enum kim_code {
    KIM_OK = 0,
    KIM_ERR_INPUT = 1,       /* what came from outside is malformed */
    KIM_ERR_LIMIT = 2,       /* well-formed, but past a limit that kim/limits.h names */
    KIM_ERR_NOMEM = 3,       /* no memory, or an arena's ceiling */
    KIM_ERR_IO = 4,          /* disk, socket, process */
    KIM_ERR_NETWORK = 5,     /* the other side could not be reached or broke off: try again */
    KIM_ERR_DENIED = 6,      /* the other side refused: not signed in, or not allowed */
    KIM_ERR_THROTTLED = 7,   /* the other side asks for patience: try again later */
    KIM_ERR_NOT_FOUND = 8,   /* no such thing */
    KIM_ERR_CONFLICT = 9,    /* exists, or is in another state than was asked for */
    KIM_ERR_TIMEOUT = 10,    /* the deadline passed */
    KIM_ERR_STOPPED = 11,    /* asked to stop */
    KIM_ERR_UNSUPPORTED = 12,/* a known thing that this build, plugin or peer does not do */
    KIM_ERR_VERSION = 13,    /* the two sides speak different versions */
    KIM_ERR_CORRUPT = 14,    /* what kim wrote itself is damaged */
    KIM_ERR_INTERNAL = 15,   /* a defect of kim */
} kim_code;

typedef struct kim_error {
    kim_code code;
    char message[512];
} kim_error;

/* Fills err, which may be NULL, and returns -1. */
int kim_fail(kim_error *err, kim_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "what: " before the message that err already holds (where it happened, told by the caller);
 * returns -1. */
int kim_fail_in(kim_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The code's name in a log or a reply: "input", "limit", "nomem" ... ; never NULL. */
const char *kim_code_name(kim_code code);

#ifdef __cplusplus
}
#endif

#endif
