/* SPDX-License-Identifier: Apache-2.0
 *
 * pools.c - two small stacks under one lock.
 *
 * Only evaluators of the newest estate are worth keeping: a question about another estate than the last
 * one's empties the stack, and what comes back later for the one before is not kept. What goes is freed
 * outside of the lock: an evaluator, or the last hold on an estate, takes its time.
 */
#include <pthread.h>
#include <stdlib.h>

#include "controller/present/http/pools.h"

enum { KEPT_MAX = 8 }; /* more threads than that seldom ask at once */

typedef struct evaluators {
    estate *es; /* asked about last; held. NULL: none yet */
    size_t count;
    evaluator *kept[KEPT_MAX];
} evaluators;

struct pools {
    pthread_mutex_t lock;
    char *catalogues_dir;
    evaluators evaluators;
    size_t reader_count;
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

static void forget(evaluators *of)
{
    while (of->count > 0)
        evaluator_free(of->kept[--of->count]);
    estate_release(of->es);
}

void pools_free(pools *p)
{
    if (p == NULL)
        return;
    forget(&p->evaluators);
    while (p->reader_count > 0)
        case_reader_free(p->readers[--p->reader_count]);
    pthread_mutex_destroy(&p->lock);
    free(p->catalogues_dir);
    free(p);
}

evaluator *pools_take_evaluator(pools *p, estate *es, kim_error *err)
{
    evaluator *kept = NULL;
    evaluators old = {0};
    pthread_mutex_lock(&p->lock);
    if (p->evaluators.es != es) {
        old = p->evaluators;
        p->evaluators = (evaluators){.es = estate_hold(es)};
    }
    if (p->evaluators.count > 0)
        kept = p->evaluators.kept[--p->evaluators.count];
    pthread_mutex_unlock(&p->lock);
    forget(&old);
    return kept != NULL ? kept : evaluator_new(es, err);
}

void pools_give_evaluator(pools *p, estate *es, evaluator *ev)
{
    if (ev == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    if (p->evaluators.es == es && p->evaluators.count < KEPT_MAX) {
        p->evaluators.kept[p->evaluators.count++] = ev;
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
