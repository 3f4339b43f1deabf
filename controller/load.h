/* SPDX-License-Identifier: Apache-2.0
 *
 * load.h - the store's current records as an estate.
 */
#ifndef CONTROLLER_LOAD_H
#define CONTROLLER_LOAD_H

#include "controller/estate/estate.h"
#include "controller/store/store.h"

/* Sees one moment of the store, however long it takes. NULL with err: those of the store and of the estate */
estate *estate_load(store *st, const char *catalogues_dir, kim_error *err);

#endif
