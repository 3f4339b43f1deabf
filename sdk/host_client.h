/* SPDX-License-Identifier: Apache-2.0
 *
 * host_client.h - the parent's side of a conversation with one kim-provider-host.
 *
 * A provider runs in a process of its own; kim-agent and kim start that process here, give it its
 * settings and call it. What a call produces comes back through handlers, in order, and ends with
 * `done`. The process may crash, hang or babble: that ends the conversation with a reason in words,
 * and nothing else.
 *
 * Two ways to drive it, one thread at a time per client:
 *
 *   A blocking caller calls, and waits:
 *       uint64_t call = host_client_collect(client, KIM_COLLECT_FULL, NULL, 0, &err);
 *       if (!call || host_client_wait(client, call, &err) < 0) ...
 *     Many calls may be queued before the wait; a call that finds the queue full runs the handlers
 *     until there is room, and host_client_wait(client, 0, &err) waits for all of them.
 *
 *   An event loop polls host_client_fd() for POLLIN (it is readable too when pending output may go
 *     on, and when the process ends), at most host_client_timeout_ms() long, and then calls
 *     host_client_step(client, 0, &err). It asks host_client_has_room() before it queues a call.
 *
 * Handlers run inside step, wait and the calls. They may queue further calls where has_room says so,
 * and must not stop the client.
 */
#ifndef KIM_HOST_CLIENT_H
#define KIM_HOST_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kim/error.h>
#include <kim/plugin.h>

typedef struct host_client host_client;

/* How a call ended. On failure nothing of a collect counts, whatever `records` brought before. */
typedef struct host_result {
    kim_error error; /* error.code KIM_OK: it went well */
    int64_t value;   /* recognise: 0 no, 1 perhaps, 2 surely, 3 surely and a log; otherwise 0 */
    uint64_t records;/* how many records the call emitted */
} host_result;

/* Every handler may be NULL. Bytes and texts are good until the handler returns. */
typedef struct host_handlers {
    void *context;
    /* Encoded records, end to end, each checked by the host. -1 refuses them: the provider is asked to
     * stop, no more of this call's records come, and it ends with err. */
    int (*records)(void *context, uint64_t call, const uint8_t *records, size_t size, kim_error *err);
    /* Records and the cursor they came with: one commit. 0: durable now. 1: later, and
     * host_client_committed() says so; the provider waits. -1 with err: not taken. */
    int (*commit)(void *context, uint64_t call, const uint8_t *records, size_t size,
                  const uint8_t *cursor, size_t cursor_size, kim_error *err);
    /* What render wrote; may come in pieces. */
    void (*output)(void *context, uint64_t call, const uint8_t *bytes, size_t size);
    /* Ends a call: once for each, in the order they were queued. */
    void (*done)(void *context, uint64_t call, const host_result *result);
    /* level: KIM_LOG_*. Lines that the provider printed come as event "output". */
    void (*log)(void *context, uint32_t level, const char *event, const char *message);
    void (*metric)(void *context, const char *name, double value);
    /* A connected TCP descriptor, which the client passes on and closes; -1 with err. Without this
     * handler dialling is refused. */
    int (*dial)(void *context, const char *host, uint16_t port, kim_error *err);
    /* The secret of that option, "" for none; NULL with err. Borrowed until the next call of it. */
    const char *(*secret)(void *context, const char *name, kim_error *err);
} host_handlers;

/* One option as the configuration has it; the host checks it against the provider's table. */
typedef struct host_setting {
    const char *name;
    const char *const *values; /* [count], as written: "5m", "true", "42" */
    uint32_t count;
    bool secret;               /* the secret handler has it: values are not sent */
} host_setting;

typedef struct host_options {
    const char *program;  /* kim-provider-host; NULL: host_client_program() */
    const char *plugin;   /* "aws", or the path of a file: with a '/' */
    const char *instance; /* what the operator calls it, for messages; NULL: the plugin's name */
    const host_setting *settings; /* [setting_count] */
    size_t setting_count;
    uint32_t start_timeout_ms; /* until the plugin is open; 0: 10 s */
    uint32_t call_timeout_ms;  /* of each call, from when it is the oldest; 0: none. At its end the
                                  provider is asked to stop, and 4 s later killed */
    host_handlers handlers;
} host_options;

/* What the plugin says of itself; belongs to the client. */
typedef struct host_about {
    const char *id, *version, *vendor, *summary;
    uint16_t abi_major, abi_minor;
    uint32_t capabilities; /* KIM_CAN_* */
    const char *const *hosts; /* that it needs to reach; ends with NULL */
} host_about;

/* Starts the process, loads the plugin and opens it with the settings. Blocks until that is done.
 *
 * options  copied, but for handlers.context
 * Returns what host_client_stop() ends; or NULL, with err:
 *   KIM_ERR_NOT_FOUND, KIM_ERR_VERSION  no such plugin; another ABI: says what to do
 *   KIM_ERR_INPUT     a setting is unknown, missing or out of bounds: names it
 *   KIM_ERR_TIMEOUT, KIM_ERR_IO         the process hung, or ended and with what last words
 *   and whatever the plugin's open() failed with
 */
host_client *host_client_start(const host_options *options, kim_error *err);
/* Ends the process: politely within grace_ms, then with SIGKILL; calls that had not ended get none of
 * their handlers any more. NULL is fine. */
void host_client_stop(host_client *client, uint32_t grace_ms);

const host_about *host_client_about(const host_client *client);
int host_client_pid(const host_client *client);

/* ---- calls: each returns its number (never 0), or 0 with err ---- */
/* All: KIM_ERR_UNSUPPORTED (the plugin has no such function), KIM_ERR_LIMIT (past KIM_FRAME_MAX_BYTES
 * with its name), KIM_ERR_NOMEM, and the reason why the process ended, once it has. */

/* Document bytes, up to KIM_CASE_MAX_BYTES; kind and name as in kim_document. Pipelined: hundreds
 * may be in flight. */
uint64_t host_client_normalise(host_client *client, const char *kind, const char *name,
                               const uint8_t *bytes, size_t size, kim_error *err);
/* A file of up to KIM_DOCUMENT_MAX_BYTES: opened here, read there. kind NULL: "file".
 * Errors also: KIM_ERR_NOT_FOUND, KIM_ERR_IO, KIM_ERR_INPUT (not a regular file) */
uint64_t host_client_normalise_file(host_client *client, const char *kind, const char *path, kim_error *err);
/* mode: KIM_COLLECT_*. cursor: the last one kept for "state"; size 0: none. */
uint64_t host_client_collect(host_client *client, uint32_t mode, const uint8_t *cursor,
                             size_t cursor_size, kim_error *err);
uint64_t host_client_usage(host_client *client, const uint8_t *cursor, size_t cursor_size, kim_error *err);
/* head: a file's first bytes, at most KIM_BATCH_TARGET_BYTES of them; the answer is result.value. */
uint64_t host_client_recognise(host_client *client, const char *name, const uint8_t *head,
                               size_t size, kim_error *err);
/* proposal: JSON. The text comes through `output`. */
uint64_t host_client_render(host_client *client, const char *format, const uint8_t *proposal,
                            size_t size, kim_error *err);

/* Answers a commit for which the handler returned 1. failure NULL: durable. */
void host_client_committed(host_client *client, const kim_error *failure);
/* Asks the running call to end soon: the provider sees should_stop. */
void host_client_interrupt(host_client *client);

/* ---- driving ---- */

/* Moves bytes both ways and runs the handlers for what has come; waits for something at most
 * timeout_ms (0: not at all, -1: until there is).
 *
 * Returns 0; or -1 once the conversation is over, with why (KIM_ERR_IO: ended, by which signal, in
 * which call, its last words; KIM_ERR_TIMEOUT: killed at the deadline; KIM_ERR_CORRUPT: spoke
 * nonsense). `done` has then been called for every open call: the one that was running has that error,
 * the others KIM_ERR_STOPPED: they may be tried again on a new client. */
int host_client_step(host_client *client, int timeout_ms, kim_error *err);
/* Steps until that call is done (0: all of them). 0 if it went well; -1 with its error; for all of them
 * with the first. Of calls that ended before, the last 16 can still be waited for (KIM_ERR_NOT_FOUND). */
int host_client_wait(host_client *client, uint64_t call, kim_error *err);
/* As wait, and gives the whole result. */
int host_client_wait_result(host_client *client, uint64_t call, host_result *result, kim_error *err);

int host_client_fd(const host_client *client);         /* readable: step */
int host_client_timeout_ms(const host_client *client); /* until step is due anyway; -1: never */
bool host_client_has_room(const host_client *client);  /* may a call be queued without blocking? */
size_t host_client_open_calls(const host_client *client);

/* ---- where things are ---- */

/* $KIM_PROVIDER_HOST, or the installed one. */
const char *host_client_program(void);
/* "aws" to its file: $KIM_PLUGIN_PATH (folders separated by ':'), or the installed folder; a name with
 * a '/' is taken as it stands. Errors: KIM_ERR_NOT_FOUND (says where it looked) */
int host_client_find_plugin(const char *name, char *path, size_t path_size, kim_error *err);

#endif
