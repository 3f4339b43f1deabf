/* SPDX-License-Identifier: Apache-2.0
 *
 * host_client.c - a queue of calls on one side, a stream of frames on the other.
 *
 * The host carries out calls in the order in which they were sent, so whatever arrives belongs to the
 * oldest open call: the queue's front. Everything that can wake the client (the socket, the
 * provider's output, the end of the process) hangs in one epoll descriptor, so that a loop has one thing to
 * watch. The end of the conversation is one place, finish(), whatever brought it about.
 */
#include "sdk/host_client.h"

#include "sdk/frame.h"
#include "sdk/host_frames.h"
#include "sdk/pack.h"

#include <kim/limits.h>
#include <kim/record.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OPEN_MAX_CALLS = 1024,
    OPEN_MAX_FILES = 32,               /* below FRAME_MAX_DESCRIPTORS */
    OPEN_MAX_BYTES = 4 * 1024 * 1024,  /* queued documents: four of the largest, or thousands */
    FLUSH_AT_BYTES = 64 * 1024,        /* queued bytes that are written before somebody waits */
    START_TIMEOUT_MS = 10000,
    LINE_MAX_BYTES = 1024,             /* of the provider's output; longer lines are broken */
    LAST_WORDS_BYTES = 256,
    ENDED_KEPT = 16,                   /* results kept for a wait that comes after the end */
};

typedef struct open_call {
    uint64_t id;
    uint16_t type;
    size_t bytes;        /* of its frame */
    bool has_file;
    bool refused;        /* by the records handler, with: */
    kim_error refusal;
} open_call;

struct host_client {
    char *instance, *program, *plugin; /* plugin: the file */
    host_handlers handlers;
    uint32_t call_timeout_ms;
    pid_t pid;
    int socket, output, process, epoll; /* process: a pidfd; output: what the provider prints */
    bool wants_write;
    frame_stream *frames;
    _Atomic uint64_t *mark; /* shared with the host: the call that began last */

    host_about about;
    char *about_text; /* id, version, vendor, summary and hosts, each NUL-terminated */
    const char *hosts[HOST_MAX_HOSTS + 1];
    bool ready;
    kim_error refusal; /* why the plugin could not open, as READY said */

    open_call *calls; /* ring: [OPEN_MAX_CALLS] */
    size_t first, count;
    size_t open_bytes, open_files;
    uint64_t last_id;
    int64_t deadline_ms; /* of the oldest call; -1: none */
    bool interrupted;    /* the oldest call passed its deadline and was asked to stop */

    struct { uint64_t call; host_result result; } ended[ENDED_KEPT]; /* by call % ENDED_KEPT */
    kim_error worst;     /* the first failure since a wait for all began */

    char line[LINE_MAX_BYTES];
    size_t line_size;
    char last_words[LAST_WORDS_BYTES];

    bool over;
    kim_error why;
};

static const char *const call_names[] = {
    [HOST_NORMALISE] = "normalise", [HOST_NORMALISE_FILE] = "normalise", [HOST_COLLECT] = "collect",
    [HOST_USAGE] = "usage", [HOST_RECOGNISE] = "recognise", [HOST_RENDER] = "render",
};
/* Which of plugin.capabilities a call needs; 0: none. */
static const uint32_t call_needs[] = {
    [HOST_NORMALISE] = KIM_CAN_NORMALISE, [HOST_NORMALISE_FILE] = KIM_CAN_NORMALISE,
    [HOST_COLLECT] = KIM_CAN_COLLECT, [HOST_USAGE] = KIM_CAN_USAGE, [HOST_RECOGNISE] = 0,
    [HOST_RENDER] = KIM_CAN_RENDER,
};

/* ---- where things are ---- */

const char *host_client_program(void)
{
    const char *named = getenv("KIM_PROVIDER_HOST");
    return named && *named ? named : KIM_LIBEXEC_DIR "/kim-provider-host";
}

int host_client_find_plugin(const char *name, char *path, size_t path_size, kim_error *err)
{
    const char *folders = getenv("KIM_PLUGIN_PATH");
    if (!folders || !*folders)
        folders = KIM_PLUGIN_DIR;
    if (strchr(name, '/')) {
        if ((size_t)snprintf(path, path_size, "%s", name) >= path_size)
            return kim_fail(err, KIM_ERR_LIMIT, "plugin path too long: %.100s...", name);
        if (access(path, R_OK) == 0)
            return 0;
        return kim_fail(err, KIM_ERR_NOT_FOUND, "plugin %s: %s", path, strerror(errno));
    }
    for (const char *at = folders; *at;) {
        size_t size = strcspn(at, ":");
        int needed = snprintf(path, path_size, "%.*s/%s.so", (int)size, at, name);
        if (needed > 0 && (size_t)needed < path_size && access(path, R_OK) == 0)
            return 0;
        at += size + (at[size] == ':');
    }
    return kim_fail(err, KIM_ERR_NOT_FOUND,
                    "plugin '%s' is not in %s; install it there, set KIM_PLUGIN_PATH, or name its file with a path",
                    name, folders);
}

/* ---- handlers that may be absent ---- */

static void tell_log(host_client *client, uint32_t level, const char *event, const char *message)
{
    if (client->handlers.log)
        client->handlers.log(client->handlers.context, level, event, message);
}

static open_call *oldest(host_client *client)
{
    return client->count ? &client->calls[client->first] : NULL;
}

static const open_call *call_numbered(const host_client *client, uint64_t id)
{
    for (size_t i = 0; i < client->count; i++)
        if (client->calls[(client->first + i) % OPEN_MAX_CALLS].id == id)
            return &client->calls[(client->first + i) % OPEN_MAX_CALLS];
    return NULL;
}

/* The clock of the oldest call starts when it becomes the oldest. */
static void start_clock(host_client *client)
{
    bool timed = client->count && client->call_timeout_ms;
    client->deadline_ms = timed ? frame_now_ms() + client->call_timeout_ms : -1;
    client->interrupted = false;
}

static void end_oldest(host_client *client, const host_result *result)
{
    open_call call = *oldest(client);
    host_result final = *result;
    if (call.refused)
        final.error = call.refusal;
    client->first = (client->first + 1) % OPEN_MAX_CALLS;
    client->count--;
    client->open_bytes -= call.bytes;
    client->open_files -= call.has_file;
    start_clock(client);
    client->ended[call.id % ENDED_KEPT].call = call.id;
    client->ended[call.id % ENDED_KEPT].result = final;
    if (final.error.code && !client->worst.code)
        client->worst = final.error;
    if (client->handlers.done)
        client->handlers.done(client->handlers.context, call.id, &final);
}

/* ---- what the provider prints ---- */

static void end_line(host_client *client)
{
    while (client->line_size && isspace((unsigned char)client->line[client->line_size - 1]))
        client->line_size--;
    client->line[client->line_size] = '\0';
    if (client->line_size) {
        snprintf(client->last_words, sizeof client->last_words, "%.*s", LAST_WORDS_BYTES - 1, client->line);
        tell_log(client, KIM_LOG_INFO, "output", client->line);
    }
    client->line_size = 0;
}

static void drain_output(host_client *client)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(client->output, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] == '\n' || client->line_size == sizeof client->line - 1)
                end_line(client);
            if (bytes[i] != '\n')
                client->line[client->line_size++] = isprint((unsigned char)bytes[i]) ? bytes[i] : ' ';
        }
    if (got == 0 && client->output >= 0) {
        epoll_ctl(client->epoll, EPOLL_CTL_DEL, client->output, NULL);
        close(client->output);
        client->output = -1;
    }
}

/* ---- the end ---- */

/* How the process ended, in words; waits for it, for it has ended or is killed. */
static void describe_end(host_client *client, char *words, size_t size)
{
    int status = 0;
    while (waitpid(client->pid, &status, 0) < 0 && errno == EINTR)
        ;
    client->pid = 0;
    if (WIFSIGNALED(status))
        snprintf(words, size, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(words, size, "ended with status %d", WEXITSTATUS(status));
}

/* Ends the conversation: kills what is left, and lets every open call know.
 * first  what was wrong, if anything but the process's own end was; its message stays in front */
static int finish(host_client *client, const kim_error *first)
{
    const open_call *running = call_numbered(client, atomic_load(client->mark));
    uint64_t culprit = running ? running->id : 0;
    const char *in = running ? call_names[running->type] : client->ready ? "no call" : "its start";
    char words[128];
    if (first)
        kill(-client->pid, SIGKILL);
    describe_end(client, words, sizeof words);
    if (client->output >= 0)
        drain_output(client);
    end_line(client);
    client->over = true;
    if (first)
        kim_fail(&client->why, first->code, "provider host of '%s' (%s): %s", client->instance, client->plugin,
                 first->message);
    else
        kim_fail(&client->why, KIM_ERR_IO, "provider host of '%s' (%s) %s in %s%s%s", client->instance,
                 client->plugin, words, in, *client->last_words ? "; its last words: " : "", client->last_words);
    host_result guilty = {.error = client->why}, other = {.error = client->why};
    other.error.code = KIM_ERR_STOPPED;
    while (client->count)
        end_oldest(client, oldest(client)->id == culprit ? &guilty : &other);
    return -1;
}

/* ---- answers ---- */

static void put(host_client *client, uint16_t type, const kim_bytes *head, const void *tail, size_t tail_size,
                int descriptor)
{
    const frame_part parts[] = {{head->data, head->size}, {tail, tail_size}};
    frame_put(client->frames, type, parts, 2, descriptor, NULL);
}

static void answer(host_client *client, uint16_t type, const kim_error *failure, const char *value, int descriptor)
{
    kim_bytes out = {0};
    pack_array(&out, 3);
    pack_uint(&out, failure ? failure->code : KIM_OK);
    pack_string(&out, failure ? failure->message : "");
    pack_string(&out, value);
    put(client, type, &out, NULL, 0, descriptor);
    kim_bytes_free(&out);
}

void host_client_committed(host_client *client, const kim_error *failure)
{
    if (!client->over)
        answer(client, HOST_COMMITTED, failure, NULL, -1);
}

static void interrupt_up_to(host_client *client, uint64_t call)
{
    kim_bytes out = {0};
    pack_array(&out, 1);
    pack_uint(&out, call);
    put(client, HOST_INTERRUPT, &out, NULL, 0, -1);
    kim_bytes_free(&out);
}

void host_client_interrupt(host_client *client)
{
    if (!client->over && client->count)
        interrupt_up_to(client, oldest(client)->id);
}

/* ---- what the host says: one function a frame, in a table ---- */

typedef struct said {
    host_client *client;
    pack_reader in;
    uint32_t fields; /* not read yet */
} said;

static uint64_t said_uint(said *s)
{
    return s->fields ? s->fields--, pack_read_uint(&s->in) : 0;
}

static kim_text said_text(said *s)
{
    return s->fields ? s->fields--, pack_read_text(&s->in, HOST_TEXT_MAX_BYTES) : KIM_NO_TEXT;
}

static const uint8_t *said_bytes(said *s, size_t *size)
{
    *size = 0;
    return s->fields ? s->fields--, pack_read_binary(&s->in, size, KIM_FRAME_MAX_BYTES) : NULL;
}

/* A text as a C string, cut to fit. */
static const char *said_string(said *s, char *to, size_t size)
{
    kim_text text = said_text(s);
    snprintf(to, size, "%.*s", KIM_PRINT(text));
    return to;
}

static kim_code code_of(uint64_t code)
{
    return code <= KIM_ERR_INTERNAL ? (kim_code)code : KIM_ERR_INTERNAL;
}

static void said_error(said *s, kim_error *error)
{
    error->code = code_of(said_uint(s));
    said_string(s, error->message, sizeof error->message);
}

/* The call that a frame speaks of; NULL and a fault where it is not the oldest. */
static open_call *said_call(said *s)
{
    uint64_t id = said_uint(s);
    open_call *call = oldest(s->client);
    if (call && call->id == id)
        return call;
    pack_fault(&s->in, "speaks of a call that is not running");
    return NULL;
}

/* Puts a C string; returns the place behind it. */
static char *append_string(char *at, kim_text text)
{
    return at + sprintf(at, "%.*s", KIM_PRINT(text)) + 1;
}

static void on_ready(said *s)
{
    host_client *client = s->client;
    host_about *about = &client->about;
    const char **to[4] = {&about->id, &about->version, &about->vendor, &about->summary};
    char *at = client->about_text ? NULL : malloc((size_t)(s->in.end - s->in.at) + HOST_MAX_HOSTS + 5);
    if (!at) {
        pack_fault(&s->in, "comes twice, or without memory for it");
        return;
    }
    client->about_text = at;
    said_error(s, &client->refusal);
    for (int i = 0; i < 4; i++) {
        *to[i] = at;
        at = append_string(at, said_text(s));
    }
    about->abi_major = (uint16_t)said_uint(s);
    about->abi_minor = (uint16_t)said_uint(s);
    about->capabilities = (uint32_t)said_uint(s);
    uint32_t host_count = s->fields ? pack_read_array(&s->in) : 0;
    if (host_count > HOST_MAX_HOSTS)
        pack_fault(&s->in, "names too many hosts");
    for (uint32_t i = 0; i < host_count && !s->in.fault; i++) {
        client->hosts[i] = at;
        at = append_string(at, pack_read_text(&s->in, HOST_TEXT_MAX_BYTES));
    }
    about->hosts = client->hosts;
    client->ready = true;
}

static void on_records(said *s)
{
    open_call *call = said_call(s);
    size_t size;
    const uint8_t *records = said_bytes(s, &size);
    const host_handlers *h = &s->client->handlers;
    if (s->in.fault || call->refused || !h->records)
        return;
    if (h->records(h->context, call->id, records, size, &call->refusal) < 0) {
        call->refused = true;
        interrupt_up_to(s->client, call->id);
    }
}

static void on_commit(said *s)
{
    open_call *call = said_call(s);
    size_t size, cursor_size;
    const uint8_t *cursor = said_bytes(s, &cursor_size), *records = said_bytes(s, &size);
    const host_handlers *h = &s->client->handlers;
    if (s->in.fault)
        return;
    kim_error err;
    int taken = h->commit ? h->commit(h->context, call->id, records, size, cursor, cursor_size, &err)
                          : kim_fail(&err, KIM_ERR_UNSUPPORTED, "nothing here keeps records with a cursor");
    if (taken <= 0)
        host_client_committed(s->client, taken < 0 ? &err : NULL);
}

static void on_output(said *s)
{
    const open_call *call = said_call(s);
    size_t size;
    const uint8_t *bytes = said_bytes(s, &size);
    const host_handlers *h = &s->client->handlers;
    if (!s->in.fault && h->output)
        h->output(h->context, call->id, bytes, size);
}

static void on_done(said *s)
{
    said_call(s);
    host_result result = {0};
    said_error(s, &result.error);
    result.value = (int64_t)said_uint(s);
    result.records = said_uint(s);
    if (!s->in.fault)
        end_oldest(s->client, &result);
}

static void on_log(said *s)
{
    uint64_t level = said_uint(s);
    char event[128], message[HOST_TEXT_MAX_BYTES + 1];
    said_string(s, event, sizeof event);
    said_string(s, message, sizeof message);
    if (level < KIM_LOG_DEBUG || level > KIM_LOG_ERROR)
        level = KIM_LOG_INFO;
    if (!s->in.fault)
        tell_log(s->client, (uint32_t)level, event, message);
}

static void on_metric(said *s)
{
    char name[128], value[64];
    said_string(s, name, sizeof name);
    said_string(s, value, sizeof value);
    const host_handlers *h = &s->client->handlers;
    if (!s->in.fault && h->metric)
        h->metric(h->context, name, strtod(value, NULL));
}

static void on_dial(said *s)
{
    char name[256];
    said_string(s, name, sizeof name);
    uint64_t port = said_uint(s);
    const host_handlers *h = &s->client->handlers;
    if (s->in.fault)
        return;
    kim_error err;
    int descriptor = -1;
    if (port == 0 || port > UINT16_MAX)
        kim_fail(&err, KIM_ERR_INPUT, "dial %s: %llu is no port", name, (unsigned long long)port);
    else if (!h->dial)
        kim_fail(&err, KIM_ERR_UNSUPPORTED, "dial %s: this program opens no connections for providers", name);
    else
        descriptor = h->dial(h->context, name, (uint16_t)port, &err);
    answer(s->client, HOST_DIALLED, descriptor < 0 ? &err : NULL, NULL, descriptor);
}

static void on_secret(said *s)
{
    char name[256];
    said_string(s, name, sizeof name);
    const host_handlers *h = &s->client->handlers;
    if (s->in.fault)
        return;
    kim_error err;
    const char *value = h->secret ? h->secret(h->context, name, &err) : "";
    answer(s->client, HOST_SECRET_IS, value ? NULL : &err, value, -1);
}

static void (*const heard[])(said *) = {
    [HOST_READY] = on_ready, [HOST_RECORDS] = on_records, [HOST_COMMIT] = on_commit, [HOST_OUTPUT] = on_output,
    [HOST_DONE] = on_done,   [HOST_LOG] = on_log,         [HOST_METRIC] = on_metric, [HOST_DIAL] = on_dial,
    [HOST_SECRET] = on_secret,
};

static int hear(host_client *client, const frame *f, kim_error *err)
{
    if (f->descriptor >= 0) /* a host has none to send */
        close(f->descriptor);
    if (f->type >= sizeof heard / sizeof heard[0] || !heard[f->type])
        return kim_fail(err, KIM_ERR_CORRUPT, "sent a frame of unknown type %u", f->type);
    said s = {client, pack_reader_of(f->bytes, f->size), 0};
    s.fields = pack_read_array(&s.in);
    heard[f->type](&s);
    if (s.in.fault)
        return kim_fail(err, KIM_ERR_CORRUPT, "sent a frame of type %u that %s", f->type, s.in.fault);
    return 0;
}

/* ---- driving ---- */

/* Handles every frame that is there. 1: some were; 0: none; -1: over, with err (KIM_ERR_STOPPED: the
 * host closed). */
static int hear_all(host_client *client, kim_error *err)
{
    int some = 0;
    frame f;
    int found;
    while ((found = frame_next(client->frames, &f, err)) > 0) {
        some = 1;
        if (hear(client, &f, err) < 0)
            return -1;
    }
    return found < 0 ? -1 : some;
}

/* Past the deadline the call is asked to stop; past the grace as well, the process is killed. */
static int check_deadline(host_client *client, kim_error *err)
{
    if (client->deadline_ms < 0 || frame_now_ms() < client->deadline_ms)
        return 0;
    const open_call *call = oldest(client);
    if (client->interrupted)
        return kim_fail(err, KIM_ERR_TIMEOUT, "%s did not end within %u ms nor %d ms after it was asked to: killed",
                        call_names[call->type], client->call_timeout_ms, HOST_CLOSE_GRACE_MS);
    interrupt_up_to(client, call->id);
    client->interrupted = true;
    client->deadline_ms = frame_now_ms() + HOST_CLOSE_GRACE_MS;
    return 0;
}

/* Writes what can be written, and watches for room while some is left. */
static void flush(host_client *client)
{
    bool left = frame_flush(client->frames, NULL) == 0;
    if (left == client->wants_write)
        return;
    client->wants_write = left;
    struct epoll_event watched = {.events = EPOLLIN | (left ? EPOLLOUT : 0), .data.fd = client->socket};
    epoll_ctl(client->epoll, EPOLL_CTL_MOD, client->socket, &watched);
}

int host_client_timeout_ms(const host_client *client)
{
    if (client->deadline_ms < 0)
        return -1;
    int64_t left = client->deadline_ms - frame_now_ms();
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* The process has ended: is there anything of it left to hear? The frames were heard before. */
static bool has_ended(host_client *client)
{
    struct pollfd process = {client->process, POLLIN, 0};
    return poll(&process, 1, 0) > 0;
}

/* One round without waiting. 1: something came; 0: nothing; -1: over. */
static int round_once(host_client *client)
{
    kim_error err;
    bool ended = has_ended(client);
    int some = hear_all(client, &err);
    if (client->output >= 0)
        drain_output(client);
    if (some < 0)
        return finish(client, err.code == KIM_ERR_STOPPED ? NULL : &err);
    if (ended)
        return finish(client, NULL);
    if (check_deadline(client, &err) < 0)
        return finish(client, &err);
    flush(client);
    return some;
}

static int fail_over(const host_client *client, kim_error *err)
{
    if (err)
        *err = client->why;
    return -1;
}

int host_client_step(host_client *client, int timeout_ms, kim_error *err)
{
    int64_t until = timeout_ms < 0 ? INT64_MAX : frame_now_ms() + timeout_ms;
    if (!client->over)
        flush(client);
    for (;;) {
        int some = client->over ? -1 : round_once(client);
        if (some < 0)
            return fail_over(client, err);
        int64_t left = until - frame_now_ms();
        if (some > 0 || left <= 0)
            return 0;
        int due = host_client_timeout_ms(client);
        if (due >= 0 && due < left)
            left = due;
        struct epoll_event ready;
        epoll_wait(client->epoll, &ready, 1, left > 60000 ? 60000 : (int)left);
    }
}

/* The result of a call that has ended; NULL with err where too many ended since. */
static const host_result *result_of(const host_client *client, uint64_t call, kim_error *err)
{
    if (client->ended[call % ENDED_KEPT].call == call)
        return &client->ended[call % ENDED_KEPT].result;
    kim_fail(err, KIM_ERR_NOT_FOUND, "call %llu ended before anybody waited for it; the handler 'done' had its result",
             (unsigned long long)call);
    return NULL;
}

int host_client_wait_result(host_client *client, uint64_t call, host_result *result, kim_error *err)
{
    client->worst = (kim_error){0};
    while (call ? call_numbered(client, call) != NULL : client->count > 0)
        if (host_client_step(client, -1, err) < 0 && client->count > 0)
            return -1;
    const host_result all = {.error = client->worst}, *found = call ? result_of(client, call, err) : &all;
    if (!found)
        return -1;
    *result = *found;
    if (result->error.code && err)
        *err = result->error;
    return result->error.code ? -1 : 0;
}

int host_client_wait(host_client *client, uint64_t call, kim_error *err)
{
    host_result result;
    return host_client_wait_result(client, call, &result, err);
}

int host_client_fd(const host_client *client)
{
    return client->epoll;
}

bool host_client_has_room(const host_client *client)
{
    return !client->over && client->count < OPEN_MAX_CALLS && client->open_bytes < OPEN_MAX_BYTES &&
           client->open_files < OPEN_MAX_FILES;
}

size_t host_client_open_calls(const host_client *client)
{
    return client->count;
}

const host_about *host_client_about(const host_client *client)
{
    return &client->about;
}

int host_client_pid(const host_client *client)
{
    return client->pid;
}

/* ---- calls ---- */

/* Everything before a call's own fields: may it be made, and is there room? 0 or its number. */
static uint64_t prepare(host_client *client, uint16_t type, uint32_t fields, kim_bytes *head, kim_error *err)
{
    if (call_needs[type] & ~client->about.capabilities) {
        kim_fail(err, KIM_ERR_UNSUPPORTED, "provider %s %s has no function '%s'", client->about.id,
                 client->about.version, call_names[type]);
        return 0;
    }
    while (!host_client_has_room(client))
        if (host_client_step(client, -1, err) < 0)
            return 0;
    pack_array(head, fields + 2);
    pack_uint(head, client->last_id + 1);
    pack_uint(head, client->call_timeout_ms);
    return client->last_id + 1;
}

/* Sends a prepared call, whose last field is `tail` unless that is NULL. Takes the descriptor. */
static uint64_t send_call(host_client *client, uint16_t type, kim_bytes *head, const uint8_t *tail,
                          size_t tail_size, int descriptor, kim_error *err)
{
    uint64_t id = 0;
    if (tail)
        pack_binary_head(head, tail_size);
    const frame_part parts[] = {{head->data, head->size}, {tail, tail_size}};
    if (head->failed) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a call");
        if (descriptor >= 0)
            close(descriptor);
    } else if (frame_put(client->frames, type, parts, tail ? 2 : 1, descriptor, err) == 0)
        id = ++client->last_id;
    if (id) {
        size_t at = (client->first + client->count++) % OPEN_MAX_CALLS;
        size_t bytes = head->size + tail_size;
        client->calls[at] = (open_call){.id = id, .type = type, .bytes = bytes, .has_file = descriptor >= 0};
        client->open_bytes += bytes;
        client->open_files += descriptor >= 0;
        if (client->count == 1)
            start_clock(client);
        if (frame_pending_bytes(client->frames) >= FLUSH_AT_BYTES)
            flush(client);
    }
    kim_bytes_free(head);
    return id;
}

/* An empty document or cursor still has an address, so that it is sent as empty and not left out. */
static const uint8_t *some(const uint8_t *bytes)
{
    return bytes ? bytes : (const uint8_t *)"";
}

uint64_t host_client_normalise(host_client *client, const char *kind, const char *name,
                               const uint8_t *bytes, size_t size, kim_error *err)
{
    kim_bytes head = {0};
    if (!prepare(client, HOST_NORMALISE, 3, &head, err))
        return 0;
    pack_string(&head, kind);
    pack_string(&head, name);
    uint64_t call = send_call(client, HOST_NORMALISE, &head, some(bytes), size, -1, err);
    if (!call)
        kim_fail_in(err, "%s", name);
    return call;
}

static int open_document(const char *path, kim_error *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat what;
    if (descriptor < 0)
        return kim_fail(err, errno == ENOENT ? KIM_ERR_NOT_FOUND : KIM_ERR_IO, "%s: %s", path, strerror(errno));
    if (fstat(descriptor, &what) < 0 || !S_ISREG(what.st_mode))
        kim_fail(err, KIM_ERR_INPUT, "%s: is no regular file", path);
    else if (what.st_size > KIM_DOCUMENT_MAX_BYTES)
        kim_fail(err, KIM_ERR_LIMIT, "%s: %lld bytes; a document has at most %d", path, (long long)what.st_size,
                 KIM_DOCUMENT_MAX_BYTES);
    else
        return descriptor;
    close(descriptor);
    return -1;
}

uint64_t host_client_normalise_file(host_client *client, const char *kind, const char *path, kim_error *err)
{
    kim_bytes head = {0};
    int descriptor = open_document(path, err);
    if (descriptor < 0)
        return 0;
    if (!prepare(client, HOST_NORMALISE_FILE, 2, &head, err)) {
        close(descriptor);
        return 0;
    }
    pack_string(&head, kind ? kind : "file");
    pack_string(&head, path);
    return send_call(client, HOST_NORMALISE_FILE, &head, NULL, 0, descriptor, err);
}

uint64_t host_client_collect(host_client *client, uint32_t mode, const uint8_t *cursor,
                             size_t cursor_size, kim_error *err)
{
    kim_bytes head = {0};
    if (!prepare(client, HOST_COLLECT, 2, &head, err))
        return 0;
    pack_uint(&head, mode);
    return send_call(client, HOST_COLLECT, &head, some(cursor), cursor_size, -1, err);
}

uint64_t host_client_usage(host_client *client, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    kim_bytes head = {0};
    if (!prepare(client, HOST_USAGE, 1, &head, err))
        return 0;
    return send_call(client, HOST_USAGE, &head, some(cursor), cursor_size, -1, err);
}

uint64_t host_client_recognise(host_client *client, const char *name, const uint8_t *head_bytes,
                               size_t size, kim_error *err)
{
    kim_bytes head = {0};
    if (!prepare(client, HOST_RECOGNISE, 2, &head, err))
        return 0;
    pack_string(&head, name);
    if (size > KIM_BATCH_TARGET_BYTES)
        size = KIM_BATCH_TARGET_BYTES;
    return send_call(client, HOST_RECOGNISE, &head, some(head_bytes), size, -1, err);
}

uint64_t host_client_render(host_client *client, const char *format, const uint8_t *proposal,
                            size_t size, kim_error *err)
{
    kim_bytes head = {0};
    if (!prepare(client, HOST_RENDER, 2, &head, err))
        return 0;
    pack_string(&head, format);
    return send_call(client, HOST_RENDER, &head, some(proposal), size, -1, err);
}

/* ---- start and stop ---- */

static void put_settings(host_client *client, const host_options *options)
{
    kim_bytes out = {0};
    pack_array(&out, 2);
    pack_string(&out, client->instance);
    pack_array(&out, (uint32_t)options->setting_count);
    for (size_t i = 0; i < options->setting_count; i++) {
        const host_setting *setting = &options->settings[i];
        uint32_t count = setting->secret ? 0 : setting->count;
        pack_array(&out, 3);
        pack_string(&out, setting->name);
        pack_bool(&out, setting->secret);
        pack_array(&out, count);
        for (uint32_t v = 0; v < count; v++)
            pack_string(&out, setting->values[v]);
    }
    put(client, HOST_SETTINGS, &out, NULL, 0, -1);
    kim_bytes_free(&out);
}

/* What of the environment a provider may see: where programs and files are, the language, and what
 * tests and sanitizers need. Credentials come only through `secret`. */
static bool is_passed_on(const char *variable)
{
    static const char *const prefixes[] = {
        "PATH=", "TZ=", "LANG=", "LC_", "TMPDIR=", "LD_LIBRARY_PATH=", "KIM_DATA_DIR=", "KIM_FAULT=",
        "KIM_TEST_", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS=", NULL,
    };
    for (size_t i = 0; prefixes[i]; i++)
        if (!strncmp(variable, prefixes[i], strlen(prefixes[i])))
            return true;
    return false;
}

static char **passed_environment(void)
{
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **passed = calloc(count + 1, sizeof *passed);
    for (size_t i = 0; passed && i < count; i++)
        if (is_passed_on(environ[i]))
            passed[kept++] = environ[i];
    return passed;
}

/* Starts the program with `socket` as descriptor 3, `mark` as 4 and `output` as 1 and 2, in a group of its own and
 * with no signal blocked or ignored. */
static int spawn(host_client *client, int socket, int output, int mark, kim_error *err)
{
    char *const arguments[] = {client->program, client->plugin, NULL};
    char **environment = passed_environment();
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    posix_spawn_file_actions_adddup2(&actions, socket, HOST_SOCKET);
    posix_spawn_file_actions_adddup2(&actions, mark, HOST_MARK);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int failed = environment ? posix_spawn(&client->pid, client->program, &actions, &attributes, arguments, environment)
                             : ENOMEM;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    if (failed) {
        client->pid = 0;
        return kim_fail(err, KIM_ERR_IO, "cannot start %s: %s", client->program, strerror(failed));
    }
    return 0;
}

static int watch(host_client *client, int descriptor)
{
    struct epoll_event watched = {.events = EPOLLIN, .data.fd = descriptor};
    return epoll_ctl(client->epoll, EPOLL_CTL_ADD, descriptor, &watched);
}

/* A descriptor above those that the child uses: dup2 onto itself would leave it closed on exec. */
static int move_up(int descriptor)
{
    int moved = descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, HOST_MARK + 1);
    if (descriptor >= 0)
        close(descriptor);
    return moved;
}

static int make_mark(host_client *client)
{
    int memory = move_up(memfd_create("kim-mark", MFD_CLOEXEC));
    if (memory < 0 || ftruncate(memory, sizeof *client->mark) < 0)
        return memory;
    client->mark = mmap(NULL, sizeof *client->mark, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (client->mark == MAP_FAILED)
        client->mark = NULL;
    return memory;
}

/* Descriptors of both sides: [0] ours, [1] the process's. */
static int start_process(host_client *client, kim_error *err)
{
    int sockets[2] = {-1, -1}, output[2] = {-1, -1}, mark = make_mark(client), result = -1;
    bool made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0 && pipe2(output, O_CLOEXEC) == 0;
    sockets[1] = move_up(sockets[1]);
    output[1] = move_up(output[1]);
    client->socket = sockets[0];
    client->output = output[0];
    if (!made || !client->mark || sockets[1] < 0 || output[1] < 0)
        kim_fail(err, KIM_ERR_IO, "no descriptors for a provider host: %s", strerror(errno));
    else
        result = spawn(client, sockets[1], output[1], mark, err);
    const int theirs[] = {sockets[1], output[1], mark};
    for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
        if (theirs[i] >= 0)
            close(theirs[i]);
    return result;
}

static int connect_process(host_client *client, kim_error *err)
{
    if (start_process(client, err) < 0)
        return -1;
    client->process = pidfd_open(client->pid, 0);
    client->epoll = epoll_create1(EPOLL_CLOEXEC);
    client->frames = frame_stream_new(client->socket, err);
    if (client->process < 0 || client->epoll < 0 || !client->frames || watch(client, client->socket) < 0 ||
        watch(client, client->output) < 0 || watch(client, client->process) < 0 ||
        fcntl(client->output, F_SETFL, O_NONBLOCK) < 0)
        return kim_fail(err, KIM_ERR_IO, "cannot watch a provider host: %s", strerror(errno));
    return 0;
}

static int await_ready(host_client *client, uint32_t timeout_ms, kim_error *err)
{
    int64_t until = frame_now_ms() + (timeout_ms ? timeout_ms : START_TIMEOUT_MS);
    while (!client->ready) {
        int64_t left = until - frame_now_ms();
        if (left <= 0) {
            kim_error late;
            kim_fail(&late, KIM_ERR_TIMEOUT, "was not open within %u ms: killed",
                     timeout_ms ? timeout_ms : START_TIMEOUT_MS);
            finish(client, &late);
            return fail_over(client, err);
        }
        if (host_client_step(client, (int)left, err) < 0 && !client->ready)
            return -1;
    }
    if (client->refusal.code && err)
        *err = client->refusal;
    return client->refusal.code ? -1 : 0;
}

host_client *host_client_start(const host_options *options, kim_error *err)
{
    char path[4096];
    if (host_client_find_plugin(options->plugin, path, sizeof path, err) < 0)
        return NULL;
    host_client *client = calloc(1, sizeof *client);
    if (client)
        client->calls = calloc(OPEN_MAX_CALLS, sizeof *client->calls);
    if (!client || !client->calls) {
        free(client);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a provider host");
        return NULL;
    }
    client->socket = client->output = client->process = client->epoll = -1;
    client->deadline_ms = -1;
    client->handlers = options->handlers;
    client->call_timeout_ms = options->call_timeout_ms;
    client->instance = strdup(options->instance ? options->instance : options->plugin);
    client->program = strdup(options->program ? options->program : host_client_program());
    client->plugin = strdup(path);
    if (!client->instance || !client->program || !client->plugin)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a provider host");
    else if (connect_process(client, err) == 0) {
        put_settings(client, options);
        if (await_ready(client, options->start_timeout_ms, err) == 0)
            return client;
    }
    host_client_stop(client, 0);
    return NULL;
}

/* Closing our end asks the host to go; it has grace_ms for that. */
static void end_process(host_client *client, uint32_t grace_ms)
{
    if (client->socket >= 0)
        shutdown(client->socket, SHUT_RDWR);
    int64_t until = frame_now_ms() + grace_ms;
    struct pollfd process = {client->process, POLLIN, 0};
    for (int64_t left = grace_ms; client->process >= 0 && left > 0; left = until - frame_now_ms())
        if (poll(&process, 1, (int)left) > 0)
            break;
    kill(-client->pid, SIGKILL);
    char words[128];
    describe_end(client, words, sizeof words);
}

void host_client_stop(host_client *client, uint32_t grace_ms)
{
    if (!client)
        return;
    if (client->pid > 0)
        end_process(client, grace_ms);
    frame_stream_free(client->frames);
    const int descriptors[] = {client->socket, client->output, client->process, client->epoll};
    for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    if (client->mark)
        munmap((void *)client->mark, sizeof *client->mark);
    free(client->about_text);
    free(client->instance);
    free(client->program);
    free(client->plugin);
    free(client->calls);
    free(client);
}
