/* SPDX-License-Identifier: Apache-2.0
 *
 * log_list.c - a walk over folders, and the question of each file: was it read?
 *
 * Below the mark of a place only number and sum of the files read are known. Where they fit what is
 * there, all of them were read. Where not, something came or went, and what changed since the last
 * list is what came (a file that is copied or moved here gets a new change time, whatever its other
 * times say).
 */
#include "plugins/aws/usage/log_list.h"

#include <ctype.h>
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <kim/time.h>

/* A file below the mark that changed about or since the last list. */
typedef struct recent {
    log_file file;
    int64_t changed_unix_ms;
} recent;

/* What is there of one place below its mark. */
typedef struct below {
    uint64_t count, sum;
    recent *recents; /* [recent_count] */
    size_t recent_count, room;
} below;

/* A file system's clock may be behind the host's by a tick. */
enum { TICK_MS = 20, ABOUT_MS = 5000 };

uint32_t log_name_minute(const char *path)
{
    int year = 0, month = 0, day = 0, hour = 0, minute = 0;
    const char *name = strrchr(path, '/');
    bool found = false;
    for (const char *p = name ? name + 1 : path; *p && !found; p++) { /* 20260801T0010Z */
        size_t digits = strspn(p, "0123456789");
        if (digits == 8 && p[8] == 'T' && strspn(p + 9, "0123456789") == 4 && p[13] == 'Z') {
            int date = atoi(p), clock = atoi(p + 9);
            year = date / 10000, month = date / 100 % 100, day = date % 100, hour = clock / 100, minute = clock % 100;
            found = true;
        } else if (digits)
            p += digits - 1;
    }
    for (const char *p = path; *p && !found; p++) /* /2026/08/01/ */
        if (*p == '/' && strspn(p + 1, "0123456789") == 4 && p[5] == '/' && strspn(p + 6, "0123456789") == 2 &&
            p[8] == '/' && strspn(p + 9, "0123456789") == 2 && p[11] == '/') {
            year = atoi(p + 1), month = atoi(p + 6), day = atoi(p + 9);
            found = true;
        }
    if (!found || year < 1971 || year > 2200)
        return 0;
    return (uint32_t)(kim_time_of(year, month, day, hour, minute, 0, 0) / 60000);
}

static bool is_log_name(const char *name)
{
    static const char *const ENDS[] = {".json", ".jsonl", ".json.gz", ".jsonl.gz"};
    size_t size = strlen(name);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        size_t end = strlen(ENDS[i]);
        if (size > end && !strcmp(name + size - end, ENDS[i]))
            return true;
    }
    return false;
}

static int by_order(const void *a, const void *b)
{
    const log_file *x = a, *y = b;
    int order = state_log_order(x->log, y->log);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

static int grow(void *array, size_t *room, size_t count, size_t size, kim_error *err)
{
    void **at = array;
    if (count < *room)
        return 0;
    size_t bigger = *room ? *room * 2 : 256;
    void *grown = realloc(*at, bigger * size);
    if (!grown)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to list logs");
    *at = grown;
    *room = bigger;
    return 0;
}

/* Keeps the first LOG_LIST_MAX in order. */
static void trim(log_list *list)
{
    if (list->count > 1) /* an empty list is NULL, which qsort does not take */
        qsort(list->files, list->count, sizeof *list->files, by_order);
    while (list->count > LOG_LIST_MAX) {
        free(list->files[--list->count].path);
        list->has_more = true;
    }
}

static int add(log_list *list, log_file file, kim_error *err)
{
    if (grow(&list->files, &list->room, list->count, sizeof *list->files, err) < 0) {
        free(file.path);
        return -1;
    }
    list->files[list->count++] = file;
    if (list->count >= 2 * LOG_LIST_MAX)
        trim(list);
    return 0;
}

static int by_change(const void *a, const void *b)
{
    const recent *x = a, *y = b;
    return (x->changed_unix_ms < y->changed_unix_ms) - (x->changed_unix_ms > y->changed_unix_ms);
}

/* How many of the recent ones, which are sorted, the newest first, are new. Number and sum tell it exactly where
 * files only came; where some went as well, their change time has to do. */
static size_t count_new(below *b, const state_place *place)
{
    uint64_t more = b->count - place->count, sum = b->sum - place->sum, so_far = 0;
    size_t since = 0;
    for (size_t i = 0; b->count > place->count && i < b->recent_count && i < more; i++) {
        so_far += b->recents[i].file.log.hash;
        if (i + 1 == more && so_far == sum)
            return i + 1;
        if (more == 1 && i == 0)
            for (size_t k = 1; k < b->recent_count; k++) /* one alone, wherever it is */
                if (b->recents[k].file.log.hash == sum) {
                    recent moved = b->recents[k];
                    b->recents[k] = b->recents[0];
                    b->recents[0] = moved;
                    return 1;
                }
    }
    while (since < b->recent_count && b->recents[since].changed_unix_ms >= place->listed_unix_ms - TICK_MS)
        since++;
    return since;
}

static int take_below(log_list *list, below *b, const state_place *place, kim_error *err)
{
    size_t new_count = 0;
    int status = 0;
    if (b->recent_count && (b->count != place->count || b->sum != place->sum)) {
        qsort(b->recents, b->recent_count, sizeof *b->recents, by_change);
        new_count = count_new(b, place);
    }
    for (size_t i = 0; i < b->recent_count; i++)
        if (i < new_count && status == 0)
            status = add(list, b->recents[i].file, err);
        else
            free(b->recents[i].file.path);
    return status;
}

/* A file that the walk came by. */
static int consider(log_list *list, usage_state *s, const state_place *place, log_file file, int64_t changed_unix_ms,
                    below *b, kim_error *err)
{
    const state_part *part = state_part_of(s, file.log.hash ^ place->hash);
    bool is_below = state_is_below(place, file.log);
    if (is_below && !(part && part->open)) {
        b->count++;
        b->sum += file.log.hash;
    }
    bool is_new = part ? part->open || part->bytes != file.bytes
                       : is_below ? changed_unix_ms >= place->listed_unix_ms - ABOUT_MS
                                  : !state_knows(s, place, file.log);
    if (!is_new) {
        free(file.path);
        return 0;
    }
    if (part || !is_below)
        return add(list, file, err);
    if (grow(&b->recents, &b->room, b->recent_count, sizeof *b->recents, err) < 0) {
        free(file.path);
        return -1;
    }
    b->recents[b->recent_count++] = (recent){file, changed_unix_ms};
    return 0;
}

static log_file file_of(const char *path, size_t place_size, uint8_t place, uint64_t bytes)
{
    return (log_file){
        .path = strdup(path), .place = place, .bytes = bytes,
        .log = {.hash = state_hash(2, kim_text_of(path + place_size)) & (((uint64_t)1 << STATE_HASH_BITS) - 1),
                .minute = log_name_minute(path)},
    };
}

/* What the walk over a store needs of list_store. */
typedef struct in_store {
    log_list *list;
    usage_state *state;
    const kim_host *host;
    const state_place *place;
    size_t place_size;
    below *below;
} in_store;

static int consider_stored(void *context, const char *path, uint64_t bytes, int64_t changed_unix_ms, kim_error *err)
{
    in_store *in = context;
    if (in->host->should_stop && in->host->should_stop(in->host->context))
        return kim_fail(err, KIM_ERR_STOPPED, "stopped while logs were listed");
    if (!is_log_name(path) || strstr(path, "/CloudTrail-Digest/"))
        return 0;
    log_file file = file_of(path, in->place_size, (uint8_t)(in->place - in->state->places), bytes);
    if (!file.path)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to list logs");
    return consider(in->list, in->state, in->place, file, changed_unix_ms, in->below, err);
}

/* Takes the new ones of what is below the mark, or none after a failure. */
static int end_below(log_list *list, below *b, const state_place *place, int status, kim_error *err)
{
    if (status == 0)
        status = take_below(list, b, place, err);
    else
        for (size_t i = 0; i < b->recent_count; i++)
            free(b->recents[i].file.path);
    free(b->recents);
    return status;
}

static int list_store(log_list *list, usage_state *s, const kim_host *host, const log_store *store, const char *path,
                      const state_place *place, kim_error *err)
{
    below b = {0};
    in_store in = {list, s, host, place, strlen(path), &b};
    int status = store->list(store->context, path, consider_stored, &in, err);
    return end_below(list, &b, place, status, err);
}

static int list_place(log_list *list, usage_state *s, const kim_host *host, const log_store *store,
                      const char *path, log_list_problem *problem, void *context, kim_error *err)
{
    below b = {0};
    char *const roots[] = {(char *)(uintptr_t)path, NULL};
    state_place *place = state_place_of(s, path);
    if (!place)
        return kim_fail(err, KIM_ERR_LIMIT, "more than %d logs and folders in the option logs: name a folder above them",
                        STATE_PLACES);
    if (store && store->holds(path))
        return list_store(list, s, host, store, path, place, err);
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
    if (!walk)
        return kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
    int status = 0;
    for (FTSENT *e; status == 0 && (e = fts_read(walk)) != NULL;) {
        if (host->should_stop && host->should_stop(host->context)) {
            status = kim_fail(err, KIM_ERR_STOPPED, "stopped while logs were listed");
            break;
        }
        switch (e->fts_info) {
        case FTS_D:
            if (!strcmp(e->fts_name, "CloudTrail-Digest")) /* checksums of logs, no events */
                fts_set(walk, e, FTS_SKIP);
            break;
        case FTS_DNR: case FTS_ERR: case FTS_NS: case FTS_DC:
            if (e->fts_level == FTS_ROOTLEVEL)
                status = kim_fail(err, KIM_ERR_IO, "%s: %s; the option logs names it", path,
                                  strerror(e->fts_errno ? e->fts_errno : ELOOP));
            else
                problem(context, e->fts_path, e->fts_info == FTS_DC ? "a loop of links" : strerror(e->fts_errno));
            break;
        case FTS_F: {
            if (e->fts_level != FTS_ROOTLEVEL && !is_log_name(e->fts_name))
                break;
            const struct stat *st = e->fts_statp;
            log_file file = file_of(e->fts_path, strlen(path), (uint8_t)(place - s->places), (uint64_t)st->st_size);
            if (!file.path)
                status = kim_fail(err, KIM_ERR_NOMEM, "no memory to list logs");
            else
                status = consider(list, s, place, file, st->st_ctim.tv_sec * 1000 + st->st_ctim.tv_nsec / 1000000,
                                  &b, err);
            break;
        }
        }
    }
    fts_close(walk);
    return end_below(list, &b, place, status, err);
}

int log_list_make(log_list *list, usage_state *state, const kim_host *host, const log_store *store,
                  const char *const *places, size_t place_count, log_list_problem *problem, void *context, kim_error *err)
{
    int status = 0;
    *list = (log_list){.listed_unix_ms = host->now_unix_ms ? host->now_unix_ms(host->context) : 0};
    for (size_t i = 0; i < place_count && status == 0; i++)
        status = list_place(list, state, host, store, places[i], problem, context, err);
    if (status < 0) {
        log_list_free(list);
        return -1;
    }
    trim(list);
    return 0;
}

void log_list_free(log_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->files[i].path);
    free(list->files);
    *list = (log_list){0};
}
