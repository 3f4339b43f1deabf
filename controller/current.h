/* SPDX-License-Identifier: Apache-2.0
 *
 * current.h - the estate in force, built anew beside it whenever a snapshot is published.
 */
#ifndef CONTROLLER_CURRENT_H
#define CONTROLLER_CURRENT_H

#include "controller/estate/estate.h"
#include "controller/store/store.h"

typedef struct current current;

/* Builds the estate from the store (there is none while nothing was published), and begins to wait for
 * current_wake.
 *
 * catalogues_dir  for estate_builder_new
 * delay_ms        how long a burst of publications may still grow before the estate is built
 * Errors: those of the store and of the estate */
current *current_start(store *st, const char *catalogues_dir, int64_t delay_ms, kim_error *err);
void current_stop(current *cu); /* NULL is fine */

/* The estate in force, for the caller to release; NULL while there is none. Any thread. */
estate *current_hold(current *cu);
/* From now on the estate that a build replaces is kept too, to be compared with. */
void current_keep_before(current *cu);
estate *current_hold_before(current *cu); /* NULL: there is none */
/* When what is in force was published; 0: nothing is. */
int64_t current_published_unix_ms(current *cu);
/* Something was published: builds, soon, in a thread of its own. Where that fails the old estate stays
 * in force, and the log says why. */
void current_wake(current *cu);
/* Builds at once, in the caller's thread, where the store has something newer.
 * even_of_nothing  an empty estate too, where there is none yet */
int current_build(current *cu, bool even_of_nothing, kim_error *err);

#endif
