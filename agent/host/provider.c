/* SPDX-License-Identifier: Apache-2.0
 *
 * provider.c - what is due, and what its outcome makes of the next time.
 *
 * The thread sleeps until a collect or the log's reading is due, something kicks it, or its process
 * moves. A process that ends is started again after 1 s, 2 s ... 60 s; five healthy minutes forgive.
 */
#include "agent/host/provider.h"

#include "agent/host/dial.h"
#include "agent/provider_host/allow.h"
#include "sdk/frame.h"
#include "sdk/fs.h"

#include <kim/limits.h>

#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    BACK_OFF_FIRST_MS = 1000, BACK_OFF_MAX_MS = 60000, HEALTHY_MS = 300000,
    RETRY_MS = 60000,          /* after a collect that failed in a living process */
    STOP_GRACE_MS = 2000, STACK_BYTES = 512 * 1024, SECRET_MAX_BYTES = 64 * 1024,
};

struct provider {
    const provider_settings *settings;
    ship_provider *streams;
    ship *to;
    void (*log)(const char *, uint32_t, const char *, const char *);
    pthread_t thread;
    bool running;
    atomic_bool stopping;
    int wake;

    host_client *client;
    int64_t started_ms, back_off_ms;
    int64_t collect_at_ms, usage_at_ms;
    bool collect_when_clear; /* a collect was not taken: again once the earlier one's fate is known */
    bool beside_changed;     /* the log's reading said something new of itself */
    kim_error refused;       /* why records of the running collect were not taken */
    kim_error failed[2];     /* why collect (0) or usage (1) failed last; code 0: it is well */
    ship_health health;
    kim_bytes secret, usage_records;
    kim_settings allowed;    /* the options as the allow-list reads them */
};

static int64_t now_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- handlers ---- */

static int on_records(void *context, uint64_t call, const uint8_t *records, size_t size, kim_error *err)
{
    (void)call;
    return delta_add(((provider *)context)->streams->state, records, size, err);
}

/* Parts a batch of the log's reading: usage to one side, what it says of itself (coverage) to the other. */
static int part_records(provider *p, const uint8_t *records, size_t size, uint64_t *count, kim_bytes *coverage, kim_error *err)
{
    size_t at = 0;
    protocol_entry entry;
    int found;
    p->usage_records.size = 0;
    *count = 0;
    while ((found = protocol_next_entry(records, size, &at, &entry, err)) > 0) {
        bool is_usage = entry.type == KIM_USAGE && !entry.gone;
        kim_bytes_append(is_usage ? &p->usage_records : coverage, entry.bytes, entry.size);
        *count += is_usage;
    }
    if (p->usage_records.failed || coverage->failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a batch");
    return found;
}

static int on_commit(void *context, uint64_t call, const uint8_t *records, size_t size, const uint8_t *cursor,
                     size_t cursor_size, kim_error *err)
{
    (void)call;
    provider *p = context;
    kim_bytes coverage = {0};
    uint64_t count;
    int result = part_records(p, records, size, &count, &coverage, err);
    if (result == 0 && coverage.size) { /* before the batch: said twice it is the same */
        int changed = delta_add_beside(p->streams->state, coverage.data, coverage.size, err);
        p->beside_changed |= changed > 0;
        result = changed < 0 ? -1 : 0;
    }
    if (result == 0)
        result = spool_append(p->streams->usage, p->usage_records.data, p->usage_records.size, count, cursor,
                              cursor_size, err);
    kim_bytes_free(&coverage);
    if (result == 0)
        ship_wake(p->to);
    return result;
}

static void on_log(void *context, uint32_t level, const char *event, const char *message)
{
    provider *p = context;
    p->log(p->settings->name, level, event, message);
}

static int on_dial(void *context, const char *host, uint16_t port, kim_error *err)
{
    provider *p = context;
    const host_about *about = host_client_about(p->client);
    allow_list list = {.plugin_hosts = about->hosts, .settings = &p->allowed};
    for (size_t i = 0; i < p->settings->option_count; i++)
        if (!strcmp(p->settings->options[i].name, "http.allow")) {
            list.operator_hosts = p->settings->options[i].values;
            list.operator_host_count = p->settings->options[i].count;
        }
    if (!allow_permits(&list, host, port, false) && !allow_permits(&list, host, port, true))
        return kim_fail(err, KIM_ERR_DENIED, "%s:%u is not among the places that provider %s may reach: neither does its "
                        "plugin name it nor an option", host, port, p->settings->name);
    return dial_tcp(host, port, err);
}

static const char *on_secret(void *context, const char *name, kim_error *err)
{
    provider *p = context;
    const provider_settings *s = p->settings;
    explicit_bzero(p->secret.data, p->secret.data ? p->secret.size : 0);
    p->secret.size = 0;
    for (size_t i = 0; i < s->secret_count; i++) {
        if (strcmp(s->secrets[i].option, name))
            continue;
        if (s->secrets[i].env) {
            const char *value = getenv(s->secrets[i].env);
            if (!value)
                kim_fail(err, KIM_ERR_NOT_FOUND, "secret '%s': the environment has no %s", name, s->secrets[i].env);
            return value;
        }
        if (kim_file_read(s->secrets[i].file, SECRET_MAX_BYTES, &p->secret, err) < 0)
            return NULL;
        char *text = (char *)p->secret.data;
        text[strcspn(text, "\r\n")] = '\0';
        return text;
    }
    return "";
}

/* ---- health ---- */

enum { COLLECT, USAGE };

/* One of both going well says nothing of the other. */
static void note(provider *p, int of, const char *event, const kim_error *problem)
{
    if (problem)
        p->log(p->settings->name, KIM_LOG_ERROR, event, problem->message);
    p->failed[of] = problem ? *problem : (kim_error){0};
    p->health.problem = p->failed[p->failed[COLLECT].code ? COLLECT : USAGE];
    ship_note(p->to, p->streams, &p->health);
}

/* ---- calls ---- */

static int64_t soonest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Waits for a call, and interrupts it when the agent ends. */
static int await(provider *p, uint64_t call, kim_error *err)
{
    if (!call)
        return -1;
    bool told = false;
    while (host_client_open_calls(p->client)) {
        if (atomic_load(&p->stopping) && !told) {
            host_client_interrupt(p->client);
            told = true;
        }
        struct pollfd ready[] = {{host_client_fd(p->client), POLLIN, 0}, {p->wake, POLLIN, 0}};
        int due = host_client_timeout_ms(p->client);
        if (host_client_step(p->client, 0, err) < 0)
            break;
        if (host_client_open_calls(p->client))
            poll(ready, told || atomic_load(&p->stopping) ? 1 : 2, due < 0 || due > 1000 ? 1000 : due);
        uint64_t count;
        if (ready[1].revents && !atomic_load(&p->stopping) && read(p->wake, &count, sizeof count) < 0)
            continue; /* somebody else's kick: what is due is looked at after the call */
    }
    return host_client_wait(p->client, call, err);
}

static void collect(provider *p)
{
    kim_error err = {0};
    int64_t now = frame_now_ms();
    delta *d = p->streams->state;
    delta_outcome outcome = DELTA_FAILED;
    if (delta_begin(d, &err) == 0) {
        if (await(p, host_client_collect(p->client, KIM_COLLECT_FULL, NULL, 0, &err), &err) == 0)
            outcome = delta_finish(d, &err);
        else
            delta_abandon(d);
    }
    malloc_trim(0);
    p->collect_at_ms = frame_now_ms() + (outcome == DELTA_FAILED ? soonest(RETRY_MS, p->settings->interval_ms)
                                                                 : p->settings->interval_ms);
    p->collect_when_clear = outcome == DELTA_HELD;
    if (outcome == DELTA_FAILED) {
        if (!atomic_load(&p->stopping))
            note(p, COLLECT, "collect_failed", &err);
        return;
    }
    static const char *const outcomes[] = {"nothing changed", "a snapshot waits to be sent", "an earlier snapshot is in doubt"};
    char text[128];
    snprintf(text, sizeof text, "%s; %lld ms", outcomes[outcome], (long long)(frame_now_ms() - now));
    p->log(p->settings->name, KIM_LOG_INFO, "collected", text);
    p->beside_changed = false;
    p->health.collected_unix_ms = now_unix_ms();
    note(p, COLLECT, NULL, NULL);
}

static void read_usage(provider *p)
{
    kim_error err = {0};
    kim_bytes cursor = {0};
    int result = spool_cursor(p->streams->usage, &cursor, &err);
    if (result == 0)
        result = await(p, host_client_usage(p->client, cursor.data, cursor.size, &err), &err);
    kim_bytes_free(&cursor);
    malloc_trim(0);
    p->usage_at_ms = frame_now_ms() + (result < 0 ? soonest(RETRY_MS, p->settings->usage_interval_ms)
                                                  : p->settings->usage_interval_ms);
    if (result < 0) {
        if (!atomic_load(&p->stopping))
            note(p, USAGE, "usage_failed", &err);
        return;
    }
    p->health.usage_unix_ms = now_unix_ms();
    note(p, USAGE, NULL, NULL);
}

/* What the log's reading said of itself goes out without waiting for the next collect. */
static void publish_beside(provider *p)
{
    kim_error err;
    delta_outcome outcome = delta_finish_beside(p->streams->state, &err);
    if (outcome == DELTA_HELD)
        return; /* next time */
    p->beside_changed = false;
    if (outcome == DELTA_FAILED)
        note(p, COLLECT, "coverage_failed", &err);
    ship_wake(p->to);
}

/* ---- the process ---- */

static void start_process(provider *p)
{
    const provider_settings *s = p->settings;
    kim_error err;
    host_options options = {
        .plugin = s->plugin, .instance = s->name, .settings = s->options, .setting_count = s->option_count,
        .call_timeout_ms = s->timeout_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)s->timeout_ms,
        .handlers = {p, on_records, on_commit, NULL, NULL, on_log, NULL, on_dial, on_secret},
    };
    p->client = host_client_start(&options, &err);
    p->started_ms = frame_now_ms();
    if (!p->client) {
        note(p, COLLECT, "provider_failed", &err);
        return;
    }
    const host_about *about = host_client_about(p->client);
    snprintf(p->streams->plugin, sizeof p->streams->plugin, "%s", about->id);
    snprintf(p->streams->plugin_version, sizeof p->streams->plugin_version, "%s", about->version);
    p->log(s->name, KIM_LOG_INFO, "provider_started", about->summary);
}

/* Is the process over? Says why, and ends the client. */
static bool has_ended(provider *p)
{
    kim_error err;
    if (p->client && host_client_step(p->client, 0, &err) < 0) {
        note(p, COLLECT, "provider_ended", &err);
        host_client_stop(p->client, 0);
        p->client = NULL;
    }
    return p->client == NULL;
}

static void sleep_until(provider *p, int64_t until_ms)
{
    int64_t left = until_ms - frame_now_ms();
    struct pollfd ready[] = {{p->wake, POLLIN, 0}, {p->client ? host_client_fd(p->client) : -1, POLLIN, 0}};
    poll(ready, 2, left < 0 ? 0 : left > 60000 ? 60000 : (int)left);
    uint64_t count;
    if (ready[0].revents && read(p->wake, &count, sizeof count) < 0)
        return;
}

static void back_off(provider *p)
{
    if (frame_now_ms() - p->started_ms > HEALTHY_MS || p->back_off_ms == 0)
        p->back_off_ms = BACK_OFF_FIRST_MS;
    int64_t until = frame_now_ms() + p->back_off_ms;
    p->back_off_ms = soonest(2 * p->back_off_ms, BACK_OFF_MAX_MS);
    while (!atomic_load(&p->stopping) && frame_now_ms() < until)
        sleep_until(p, until);
}

static bool reads_usage(const provider *p)
{
    return p->settings->usage && host_client_about(p->client)->capabilities & KIM_CAN_USAGE &&
           spool_is_anchored(p->streams->usage);
}

static bool collects(const provider *p)
{
    return host_client_about(p->client)->capabilities & KIM_CAN_COLLECT;
}

/* Does what is due; returns when the next thing is. */
static int64_t do_what_is_due(provider *p)
{
    delta *d = p->streams->state;
    int64_t next = frame_now_ms() + 60000;
    if (collects(p)) {
        if (delta_wants_full(d) || (p->collect_when_clear && !delta_is_in_doubt(d)))
            p->collect_at_ms = 0;
        if (frame_now_ms() >= p->collect_at_ms) {
            collect(p);
            ship_wake(p->to);
        }
        next = soonest(next, p->collect_at_ms);
    }
    if (p->client && !atomic_load(&p->stopping) && !has_ended(p) && reads_usage(p)) {
        if (frame_now_ms() >= p->usage_at_ms)
            read_usage(p);
        next = soonest(next, p->usage_at_ms);
    }
    if (p->beside_changed)
        publish_beside(p);
    return next;
}

static void *run(void *context)
{
    provider *p = context;
    while (!atomic_load(&p->stopping)) {
        if (!p->client)
            start_process(p);
        if (has_ended(p)) {
            back_off(p);
            continue;
        }
        int64_t next = do_what_is_due(p);
        if (!atomic_load(&p->stopping) && !has_ended(p))
            sleep_until(p, next);
    }
    host_client_stop(p->client, STOP_GRACE_MS);
    p->client = NULL;
    return NULL;
}

/* ---- start and stop ---- */

static void on_kick(void *context)
{
    uint64_t one = 1;
    if (write(((provider *)context)->wake, &one, sizeof one) < 0)
        return; /* awake already */
}

/* Options with one value are what the allow-list looks for URLs in. */
static int view_settings(provider *p)
{
    kim_setting *items = calloc(p->settings->option_count + 1, sizeof *items);
    if (!items)
        return -1;
    for (size_t i = 0; i < p->settings->option_count; i++)
        items[i] = (kim_setting){p->settings->options[i].name, p->settings->options[i].values, p->settings->options[i].count};
    p->allowed = (kim_settings){items, (uint32_t)p->settings->option_count};
    return 0;
}

provider *provider_start(const provider_settings *set, ship_provider *streams, ship *to,
                         void (*log)(const char *, uint32_t, const char *, const char *), kim_error *err)
{
    provider *p = calloc(1, sizeof *p);
    if (!p) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a provider");
        return NULL;
    }
    p->settings = set;
    p->streams = streams;
    p->to = to;
    p->log = log;
    streams->kick = on_kick;
    streams->context = p;
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    p->running = p->wake >= 0 && view_settings(p) == 0 && pthread_create(&p->thread, &attributes, run, p) == 0;
    pthread_attr_destroy(&attributes);
    if (p->running)
        return p;
    kim_fail(err, KIM_ERR_IO, "no thread for provider %s", set->name);
    provider_free(p);
    return NULL;
}

void provider_stop(provider *p)
{
    if (!p || !p->running)
        return;
    atomic_store(&p->stopping, true);
    on_kick(p);
    pthread_join(p->thread, NULL);
    p->running = false;
}

void provider_free(provider *p)
{
    if (!p)
        return;
    provider_stop(p);
    if (p->wake >= 0)
        close(p->wake);
    explicit_bzero(p->secret.data, p->secret.data ? p->secret.size : 0);
    kim_bytes_free(&p->secret);
    kim_bytes_free(&p->usage_records);
    free((void *)p->allowed.items);
    free(p);
}
