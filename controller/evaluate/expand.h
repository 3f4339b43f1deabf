/* SPDX-License-Identifier: Apache-2.0
 *
 * expand.h - the actions that a document's allows name, as a list.
 */
#ifndef KIM_EXPAND_H
#define KIM_EXPAND_H

#include "controller/estate/estate.h"

/* Writes the member "actions" for the estate's policy "document": what its allows name in the
 * catalogue, less its unconditional denies on "*"; sorted, in lower case.
 * Errors: KIM_ERR_NOT_FOUND no catalogue, KIM_ERR_INPUT a document that could not be read, KIM_ERR_NOMEM */
int expand_answer(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);

#endif
