/* SPDX-License-Identifier: Apache-2.0
 *
 * log_store.h - where logs lie other than on this machine's disk: plugins/aws/live/archive.h is one.
 */
#ifndef AWS_USAGE_LOG_STORE_H
#define AWS_USAGE_LOG_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <kim/error.h>

/* A log's path begins with its place's. bytes 0: not known. */
typedef int log_store_each(void *context, const char *path, uint64_t bytes, int64_t changed_unix_ms, kim_error *err);

typedef struct log_store {
    void *context;
    bool (*holds)(const char *place);
    /* Calls back for each log of a place. Errors: those of the callback; KIM_ERR_IO ... */
    int (*list)(void *context, const char *place, log_store_each *each, void *each_context, kim_error *err);
    void (*begin)(void *context, const char *path);
    ssize_t (*read)(void *context, void *to, size_t size, kim_error *err); /* log_source's */
} log_store;

#endif
