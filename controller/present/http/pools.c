/* SPDX-License-Identifier: Apache-2.0
 *
 * pools.c - two small stacks under one lock.
 *
 * Only evaluators of the newest estate are worth keeping: the stack holds a reference to its estate,
 * and is emptied when a question comes for another one.
 */
#include <pthread.h>
#include <stdlib.h>

#include "controller/present/http/pools.h"

enum { KEPT_MAX = 8 }; /* more threads than that seldom ask at once */

struct pools {
    pthread_mutex_t lock;
    char *catalogues_dir;
    estate *es; /* of the evaluators kept; held */
    size_t evaluator_count, reader_count;
    evaluator *evaluators[KEPT_MAX];
    case_reader *readers[KEPT_MAX];
};

pools *pools_new(const char *catalogues_dir, kim_error *err)
{
    pools *p = calloc(1, sizeof *p);
    if (p != NULL && catalogues_dir != NULL)
        p->catalogues_dir = strdup(catalogues_dir);
    if (p == NULL || (catalogues_dir != NULL && p->catalogues_dir == NULL)) {
        free(p);
        kim_fail(err, KIM_ERR_NOMEM, "no memory to start the API");
        return NULL;
    }
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

static void forget_evaluators(pools *p)
{
    while (p->evaluator_count > 0)
        evaluator_free(p->evaluators[--p->evaluator_count]);
    estate_release(p->es);
    p->es = NULL;
}

void pools_free(pools *p)
{
    if (p == NULL)
        return;
    forget_evaluators(p);
    while (p->reader_count > 0)
        case_reader_free(p->readers[--p->reader_count]);
    pthread_mutex_destroy(&p->lock);
    free(p->catalogues_dir);
    free(p);
}

evaluator *pools_take_evaluator(pools *p, estate *es, kim_error *err)
{
    evaluator *kept = NULL;
    pthread_mutex_lock(&p->lock);
    if (p->es == es && p->evaluator_count > 0)
        kept = p->evaluators[--p->evaluator_count];
    pthread_mutex_unlock(&p->lock);
    return kept != NULL ? kept : evaluator_new(es, err);
}

void pools_give_evaluator(pools *p, estate *es, evaluator *ev)
{
    if (ev == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    if (p->es != es) {
        forget_evaluators(p);
        p->es = estate_hold(es);
    }
    if (p->evaluator_count < KEPT_MAX) {
        p->evaluators[p->evaluator_count++] = ev;
        ev = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    evaluator_free(ev);
}

case_reader *pools_take_reader(pools *p, kim_error *err)
{
    case_reader *kept = NULL;
    pthread_mutex_lock(&p->lock);
    if (p->reader_count > 0)
        kept = p->readers[--p->reader_count];
    pthread_mutex_unlock(&p->lock);
    return kept != NULL ? kept : case_reader_new(p->catalogues_dir, err);
}

void pools_give_reader(pools *p, case_reader *reader)
{
    if (reader == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    if (p->reader_count < KEPT_MAX) {
        p->readers[p->reader_count++] = reader;
        reader = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    case_reader_free(reader);
}
