/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger.h - a host that does with usage what the controller does: adds up counts of one key, replaces
 * coverage, keeps the last cursor. It can break off like a process that is killed.
 */
#ifndef TEST_LEDGER_H
#define TEST_LEDGER_H

#include <kim/emit.h>

typedef struct ledger_use {
    char *key;      /* "day scope identity action resource outcome via", '*' behind a widened resource */
    int64_t count;
    int64_t first_unix_ms, last_unix_ms;
} ledger_use;

typedef struct ledger {
    kim_host host;
    ledger_use *uses; /* [use_count], sorted by key once ledger_settle ran */
    size_t use_count, use_room;
    char *coverage[512]; /* "scope part status why from to", one a part */
    size_t coverage_count;
    uint8_t cursor[KIM_CURSOR_MAX_BYTES];
    size_t cursor_size;
    size_t commits, fail_after; /* the commit with this number, from 1, fails; 0: none does */
    int64_t now_unix_ms;
    char log[16384];
} ledger;

void ledger_start(ledger *l);
void ledger_stop(ledger *l);

/* Joins equal keys and sorts. */
void ledger_settle(ledger *l);
int64_t ledger_total(ledger *l);
/* The count over all keys that hold all of these pieces. */
int64_t ledger_sum(ledger *l, const char *piece, ...) __attribute__((sentinel));
/* The coverage line of that scope and part; NULL where there is none. */
const char *ledger_coverage(const ledger *l, const char *scope, const char *part);
/* All of it as text: equal ledgers give equal texts. The caller frees it. */
char *ledger_text(ledger *l);

#endif
