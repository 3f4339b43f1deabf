/* SPDX-License-Identifier: Apache-2.0
 *
 * plugin.h - the whole contract between kim and a provider.
 *
 * A provider is a shared object that exports one function, kim_plugin_entry. It is loaded alone into
 * a process of its own (kim-provider-host), is called by one thread, and reaches the world only
 * through the table that the host gives it. It emits records; it never sees the wire, the spool, a
 * database or another provider. Nothing here changes owner: what a side gets is good until the call
 * returns, and copied by whoever wants it longer.
 *
 * Structs only grow at their end and both sides read the smaller size. The major must match; minors
 * may differ either way. Major 0: not declared stable yet.
 */
#ifndef KIM_PLUGIN_H
#define KIM_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kim/error.h>
#include <kim/http.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KIM_PLUGIN_MAGIC 0x4b494d50u /* "KIMP" */
#define KIM_ABI_MAJOR 0
#define KIM_ABI_MINOR 1

/* ---- what the provider says of itself ---- */

/* option.type */
enum { KIM_OPTION_TEXT = 1, KIM_OPTION_INT = 2, KIM_OPTION_BOOL = 3, KIM_OPTION_DURATION = 4, KIM_OPTION_PATH = 5 };
/* option.flags */
enum { KIM_OPTION_REQUIRED = 1, KIM_OPTION_LIST = 2, KIM_OPTION_SECRET = 4 };

typedef struct kim_option {
    const char *name;          /* as in the configuration file */
    uint32_t type, flags;
    const char *unit;          /* "s", "bytes"; NULL: none */
    const char *default_value; /* as written in a file; NULL: none */
    int64_t min, max;          /* of a number or duration; both 0: any */
    const char *help;          /* one sentence */
} kim_option;

/* One option's values as configured, checked against its row: a list has `count` values. Numbers are
 * decimal text, booleans "true" or "false", durations milliseconds. A secret's value is not here: ask
 * host->secret by the option's name. */
typedef struct kim_setting {
    const char *name;
    const char *const *values; /* [count], NUL-terminated */
    uint32_t count;
} kim_setting;

typedef struct kim_settings {
    const kim_setting *items;
    uint32_t count;
} kim_settings;

/* plugin.capabilities */
enum {
    KIM_CAN_NORMALISE = 1, KIM_CAN_COLLECT = 2, KIM_CAN_WATCH = 4, KIM_CAN_USAGE = 8,
    KIM_CAN_RENDER = 16, KIM_CAN_APPLY = 32,
};

/* collect's mode */
enum { KIM_COLLECT_FULL = 1, KIM_COLLECT_DELTA = 2 };

/* A native document for normalise. */
typedef struct kim_document {
    const char *kind;   /* the provider's: "case", "file", "authorization_details"; "file": recognise it yourself */
    const char *name;   /* where it came from, for messages: a path, "case 17" */
    const uint8_t *bytes;
    size_t size;
} kim_document;

typedef struct kim_host kim_host;

typedef struct kim_plugin {
    uint32_t magic;       /* KIM_PLUGIN_MAGIC */
    uint32_t struct_size; /* sizeof(kim_plugin) where it was compiled */
    uint16_t abi_major, abi_minor;
    uint32_t capabilities;
    const char *id;       /* "aws": also the `provider` of a case and the profile's id */
    const char *version, *vendor, *summary;
    const kim_option *options;
    uint32_t option_count, option_size; /* option_size: sizeof(kim_option) there */
    const char *const *hosts; /* "*.amazonaws.com:443" it needs to reach; ends with NULL; NULL: none */

    /* All return 0, or -1 with err. `instance` is what open gave. */
    int (*open)(const kim_host *host, const kim_settings *settings, void **instance, kim_error *err);
    void (*close)(void *instance);
    /* Is this one of ours? 0 no, 1 perhaps, 2 surely, 3 surely and a log. From a file's name and its
     * first bytes. Pure. A folder has its name and size 0.
     * `kim scan` gives logs to the option `logs`, which usage reads, and the others to `files`, which
     * collect reads, with `skip_bad_files` true: a provider that reads files has options of these names. */
    int (*recognise)(const char *name, const uint8_t *head, size_t size);
    /* A native document to records. Pure: no network, disk or clock. */
    int (*normalise)(void *instance, const kim_document *document, kim_error *err);
    /* Everything there is (full), or what changed since the cursor (delta). A snapshot is all or
     * nothing: on -1 nothing of this run is taken. */
    int (*collect)(void *instance, uint32_t mode, kim_error *err);
    /* Stays and emits changes until should_stop. */
    int (*watch)(void *instance, kim_error *err);
    /* Reads logs on from host->cursor("usage"); each emit with a cursor is one commit. */
    int (*usage)(void *instance, kim_error *err);
    /* A proposal (JSON) in the provider's own language; the text goes to host->output. Pure.
     * format: "json", "terraform", ... */
    int (*render)(void *instance, const char *format, const uint8_t *proposal, size_t size, kim_error *err);
    int (*apply)(void *instance, const uint8_t *command, size_t size, kim_error *err);
    int (*rollback)(void *instance, const uint8_t *command, size_t size, kim_error *err);
} kim_plugin;

/* ---- what the host gives ---- */

enum { KIM_LOG_DEBUG = 1, KIM_LOG_INFO = 2, KIM_LOG_WARNING = 3, KIM_LOG_ERROR = 4 };

struct kim_host {
    uint32_t struct_size;
    uint16_t abi_major, abi_minor;
    void *context; /* the first argument of every call below */

    /* Takes encoded records, end to end (kim/record.h, kim/emit.h); checks each and says which field
     * of which record is wrong.
     *
     * cursor, cursor_size  where the source stands once these records are kept: for usage and watch,
     *                      records and cursor are one commit and the call returns after it is
     *                      durable. NULL in collect and normalise.
     * Errors: KIM_ERR_INPUT, KIM_ERR_LIMIT (nothing of this call was taken), KIM_ERR_STOPPED,
     *         KIM_ERR_TIMEOUT
     */
    int (*emit)(void *context, const uint8_t *records, size_t size, const uint8_t *cursor,
                size_t cursor_size, kim_error *err);
    /* The last cursor kept for "state" or "usage": NULL and *size 0 where there is none yet. */
    const uint8_t *(*cursor)(void *context, const char *stream, size_t *size);
    /* One exchange; kim/http.h. */
    int (*http)(void *context, const kim_http_request *request, kim_http_response *response, kim_error *err);
    void (*http_response_free)(void *context, kim_http_response *response);
    /* A connected TCP descriptor, which the caller closes; -1 with err. */
    int (*dial)(void *context, const char *host, uint16_t port, kim_error *err);
    /* An operator's secret by its option's name, or "" of none: NUL-terminated, good until the call
     * that asked returns. NULL with err where it cannot be had. */
    const char *(*secret)(void *context, const char *name, kim_error *err);
    /* event: a word such as "page_refused"; message: a sentence. Never a secret. */
    void (*log)(void *context, uint32_t level, const char *event, const char *message);
    void (*metric)(void *context, const char *name, double value);
    int64_t (*now_unix_ms)(void *context);
    bool (*should_stop)(void *context);
    /* What render writes. */
    int (*output)(void *context, const uint8_t *bytes, size_t size, kim_error *err);
};

/* The one symbol that a provider exports. The arguments are the host's ABI; the result is constant and
 * lives as long as the process. NULL: this provider cannot work with that host. */
typedef const kim_plugin *kim_plugin_entry_function(uint32_t host_major, uint32_t host_minor);
const kim_plugin *kim_plugin_entry(uint32_t host_major, uint32_t host_minor);

#ifdef __cplusplus
}
#endif

#endif
