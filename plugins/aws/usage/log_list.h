/* SPDX-License-Identifier: Apache-2.0
 *
 * log_list.h - the logs that are there and were not read yet, in the order to read them.
 */
#ifndef AWS_USAGE_LOG_LIST_H
#define AWS_USAGE_LOG_LIST_H

#include <kim/plugin.h>

#include "plugins/aws/usage/log_store.h"
#include "plugins/aws/usage/state.h"

enum { LOG_LIST_MAX = 65536 }; /* taken in at once, the first in order: what is left comes with the next list */

typedef struct log_file {
    char *path;
    state_log log;
    uint8_t place;   /* of state.places */
    uint64_t bytes;
} log_file;

typedef struct log_list {
    log_file *files; /* [count] */
    size_t count, room;
    bool has_more;   /* more than LOG_LIST_MAX are there */
    int64_t listed_unix_ms;
} log_list;

/* What may not be listed; the list goes on. */
typedef void log_list_problem(void *context, const char *path, const char *why);

/* Lists what below `places` is new to the state.
 *
 * store  where the places are that it holds; NULL: all are on disk
 * Errors: KIM_ERR_IO  a place that is not there or cannot be read at all
 *         KIM_ERR_LIMIT  more than STATE_PLACES places
 *         KIM_ERR_NOMEM, KIM_ERR_STOPPED
 */
int log_list_make(log_list *list, usage_state *state, const kim_host *host, const log_store *store,
                  const char *const *places, size_t place_count, log_list_problem *problem, void *context, kim_error *err);
void log_list_free(log_list *list);

/* The time in a log's name or path, in minutes since 1970; 0 where there is none. */
uint32_t log_name_minute(const char *path);

#endif
