/* SPDX-License-Identifier: Apache-2.0
 *
 * cases.h - a batch of cases on its way: from lines, through the provider hosts, to the controller.
 */
#ifndef KIM_CLI_CASES_H
#define KIM_CLI_CASES_H

#include <kim/limits.h>
#include <kim/record.h>

#include "controller/present/cli/lines.h"
#include "controller/present/cli/providers.h"

enum {
    BATCH_CASES = 256,
    BATCH_BYTES = 512 * 1024,  /* of lines, from where on a batch is full; one line more may fit */
    CASE_RECORDS_MAX_BYTES = 6 * 1024 * 1024, /* what one case may become: it travels in one body */
};

typedef struct host host;

/* One line: where it is, and what its provider made of it. */
typedef struct one_case {
    size_t begin, size, number;  /* in the batch's text; of the line */
    host *by;                    /* who normalises it; NULL: nobody can */
    uint64_t call;
    bool is_done;
    bool is_too_long;            /* its beginning alone is here: it is answered without the controller */
    kim_bytes records;
    char fault[sizeof((kim_error *)0)->message]; /* why it cannot be read; "": it can */
} one_case;

typedef struct batch {
    char *text;                  /* [BATCH_BYTES + KIM_CASE_MAX_BYTES] */
    size_t size, count;
    one_case cases[BATCH_CASES];
} batch;

batch *batch_new(kim_error *err);
void batch_free(batch *b); /* NULL is fine */
void batch_clear(batch *b);
bool batch_is_full(const batch *b);
/* Copies the line; the batch must not be full. */
one_case *batch_add(batch *b, kim_text line, size_t number);
kim_text batch_line(const batch *b, const one_case *c);

/* ---- the hosts that read cases ---- */

typedef struct hosts hosts;
hosts *hosts_new(kim_error *err);
void hosts_free(hosts *hs); /* ends the processes; NULL is fine */

/* Hands a case to its provider's host, which is started where it is the first. What cannot be read
 * becomes the case's fault. The case is done later, or at once. Errors: KIM_ERR_NOMEM */
int hosts_normalise(hosts *hs, batch *b, one_case *c, kim_error *err);
/* Lets what was handed over go on its way; does not wait. */
void hosts_flush(hosts *hs);
/* Waits until every case of the batch is done. */
void hosts_finish(batch *b);

#endif
