/* SPDX-License-Identifier: Apache-2.0
 *
 * current.c - build beside, from what changed, then swap a pointer.
 *
 * An estate never changes, so those who ask hold the one that they began with, and the last of them
 * ends it. Nobody waits for a build but the next build.
 */
#include "controller/current.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "controller/load.h"
#include "sdk/fault.h"
#include "sdk/log.h"

enum { BURST_MAX = 10 }; /* delays that a burst may put a build off for */

struct current {
    store *st;
    char *catalogues_dir; /* NULL: none */
    int64_t delay_ms;
    pthread_mutex_t building; /* one build at a time */
    uint64_t built;           /* the store's publication number that it was built at */
    int64_t built_at_unix_ms; /* the store's last publication when it was read */
    pthread_mutex_t lock;     /* of all below */
    pthread_cond_t woken;
    estate *in_force;         /* changed under both locks */
    bool keeps_before;
    estate *before;           /* what was in force before; NULL: not kept, or none */
    int64_t published_unix_ms;
    uint64_t wakes; /* how often it was woken */
    bool stop;
    pthread_t thread;
    bool is_running;
};

/* ---- one build ---- */

static int latest(void *context, const store_source *source, kim_error *err)
{
    (void)err;
    int64_t *at = context;
    if (source->published_unix_ms > *at)
        *at = source->published_unix_ms;
    return 0;
}

/* What was published changed nothing: before is as now. */
static void keep_same(current *cu)
{
    pthread_mutex_lock(&cu->lock);
    estate *older = cu->before;
    cu->before = cu->in_force ? estate_hold(cu->in_force) : NULL;
    pthread_mutex_unlock(&cu->lock);
    estate_release(older);
}

int current_build(current *cu, bool even_of_nothing, kim_error *err)
{
    uint64_t number = 0;
    int64_t at_unix_ms = 0;
    estate *built = NULL;
    pthread_mutex_lock(&cu->building);
    /* The number first: what is published in between is built again, never missed. */
    int result = store_published(cu->st, &number, err);
    if (result == 0 && (number != cu->built || (even_of_nothing && !cu->in_force))) {
        result = store_sources(cu->st, KIM_NO_TEXT, latest, &at_unix_ms, err);
        if (result == 0 && !(built = cu->in_force ? estate_reload(cu->st, cu->in_force, &cu->built_at_unix_ms, err)
                                                     : estate_load(cu->st, cu->catalogues_dir, &cu->built_at_unix_ms, err)))
            result = -1;
    }
    if (built) {
        fault_point("estate_built");
        cu->built = number;
        pthread_mutex_lock(&cu->lock);
        estate *replaced = cu->in_force;
        cu->in_force = built;
        cu->published_unix_ms = at_unix_ms;
        if (cu->keeps_before) {
            estate *older = cu->before;
            cu->before = replaced;
            replaced = older;
        }
        pthread_mutex_unlock(&cu->lock);
        estate_release(replaced);
    } else if (result == 0 && cu->keeps_before) {
        keep_same(cu);
    }
    pthread_mutex_unlock(&cu->building);
    return result;
}

/* ---- the thread ---- */

/* Waits until it is woken, and then until a burst is over; false: to stop. */
static bool wait_for_news(current *cu, uint64_t *seen)
{
    pthread_mutex_lock(&cu->lock);
    while (!cu->stop && cu->wakes == *seen)
        pthread_cond_wait(&cu->woken, &cu->lock);
    for (int i = 0; i < BURST_MAX && !cu->stop && cu->wakes != *seen; i++) {
        *seen = cu->wakes;
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += cu->delay_ms / 1000;
        until.tv_nsec += cu->delay_ms % 1000 * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (!cu->stop && cu->wakes == *seen)
            if (pthread_cond_timedwait(&cu->woken, &cu->lock, &until) != 0)
                break;
    }
    *seen = cu->wakes;
    bool go_on = !cu->stop;
    pthread_mutex_unlock(&cu->lock);
    return go_on;
}

static void *work(void *argument)
{
    current *cu = argument;
    uint64_t seen = 0;
    while (wait_for_news(cu, &seen)) {
        kim_error err = {0};
        if (current_build(cu, false, &err) < 0)
            kim_log_error(KIM_LOG_ERROR, "estate_not_built", &err);
        else
            kim_log(KIM_LOG_INFO, "estate_built");
    }
    return NULL;
}

current *current_start(store *st, const char *catalogues_dir, int64_t delay_ms, kim_error *err)
{
    current *cu = calloc(1, sizeof *cu);
    if (!cu || (catalogues_dir && !(cu->catalogues_dir = strdup(catalogues_dir)))) {
        free(cu);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for the estate");
        return NULL;
    }
    cu->st = st;
    cu->delay_ms = delay_ms;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&cu->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&cu->building, NULL);
    pthread_mutex_init(&cu->lock, NULL);
    if (current_build(cu, false, err) < 0) {
        current_stop(cu);
        return NULL;
    }
    if (pthread_create(&cu->thread, NULL, work, cu) != 0) {
        kim_fail(err, KIM_ERR_IO, "cannot start the thread that builds the estate");
        current_stop(cu);
        return NULL;
    }
    cu->is_running = true;
    return cu;
}

void current_stop(current *cu)
{
    if (!cu)
        return;
    pthread_mutex_lock(&cu->lock);
    cu->stop = true;
    pthread_cond_signal(&cu->woken);
    pthread_mutex_unlock(&cu->lock);
    if (cu->is_running)
        pthread_join(cu->thread, NULL);
    estate_release(cu->in_force);
    estate_release(cu->before);
    pthread_cond_destroy(&cu->woken);
    pthread_mutex_destroy(&cu->building);
    pthread_mutex_destroy(&cu->lock);
    free(cu->catalogues_dir);
    free(cu);
}

void current_wake(current *cu)
{
    pthread_mutex_lock(&cu->lock);
    cu->wakes++;
    pthread_cond_signal(&cu->woken);
    pthread_mutex_unlock(&cu->lock);
}

estate *current_hold(current *cu)
{
    pthread_mutex_lock(&cu->lock);
    estate *es = cu->in_force ? estate_hold(cu->in_force) : NULL;
    pthread_mutex_unlock(&cu->lock);
    return es;
}

void current_keep_before(current *cu)
{
    pthread_mutex_lock(&cu->lock);
    cu->keeps_before = true;
    pthread_mutex_unlock(&cu->lock);
}

estate *current_hold_before(current *cu)
{
    pthread_mutex_lock(&cu->lock);
    estate *es = cu->before ? estate_hold(cu->before) : NULL;
    pthread_mutex_unlock(&cu->lock);
    return es;
}

int64_t current_published_unix_ms(current *cu)
{
    pthread_mutex_lock(&cu->lock);
    int64_t at_unix_ms = cu->published_unix_ms;
    pthread_mutex_unlock(&cu->lock);
    return at_unix_ms;
}
