/* SPDX-License-Identifier: Apache-2.0
 *
 * pools.h - evaluators and case readers, kept between requests because their making costs more than
 * most questions.
 */
#ifndef KIM_HTTP_POOLS_H
#define KIM_HTTP_POOLS_H

#include "controller/evaluate/evaluate.h"

typedef struct pools pools;

/* catalogues_dir  for the case readers; NULL: none. Copied.
 * NULL with err: KIM_ERR_NOMEM */
pools *pools_new(const char *catalogues_dir, kim_error *err);
void pools_free(pools *p); /* NULL is fine; all must have been given back */

/* An evaluator of this estate; pools_give_evaluator takes it back, NULL too. Thread-safe.
 * Errors: those of evaluator_new and case_reader_new */
evaluator *pools_take_evaluator(pools *p, estate *es, kim_error *err);
void pools_give_evaluator(pools *p, estate *es, evaluator *ev);
case_reader *pools_take_reader(pools *p, kim_error *err);
void pools_give_reader(pools *p, case_reader *reader);

#endif
