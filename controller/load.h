/* SPDX-License-Identifier: Apache-2.0
 *
 * load.h - the store's current records as an estate, read whole or from what changed.
 */
#ifndef CONTROLLER_LOAD_H
#define CONTROLLER_LOAD_H

#include "controller/estate/estate.h"
#include "controller/store/store.h"

/* Sees one moment of the store, however long it takes.
 *
 * at_unix_ms  set to that moment's last publication, or one before it: estate_reload starts there
 * NULL with err: those of the store and of the estate */
estate *estate_load(store *st, const char *catalogues_dir, int64_t *at_unix_ms, kim_error *err);

/* A newer estate from one that was loaded, or reloaded, at *at_unix_ms: only what changed since is read. Where that is
 * much, or has gone on for long, all is read anew. `before` stays the caller's. */
estate *estate_reload(store *st, estate *before, int64_t *at_unix_ms, kim_error *err);

#endif
