/* SPDX-License-Identifier: Apache-2.0
 *
 * compare.h - does one document allow what another does not?
 */
#ifndef KIM_COMPARE_H
#define KIM_COMPARE_H

#include "controller/estate/estate.h"

/* Writes the members "new_access", "lost_access" and "because" for the estate's policies "reference" and
 * "candidate".
 *
 * line  the case: its "compare" says the type
 * Errors: KIM_ERR_INPUT, KIM_ERR_UNSUPPORTED a type that cannot be compared, KIM_ERR_NOMEM
 */
int compare_answer(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err);

#endif
