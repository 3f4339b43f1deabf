/* SPDX-License-Identifier: Apache-2.0
 *
 * ship.c - a session is a loop of three steps: hear, send what the credit allows, wait.
 *
 * A session begins with a new socket and ends for good with the first thing that is wrong; the next one
 * asks the controller where every stream stands and goes on from there. So nothing has to be
 * remembered about what was under way.
 */
#include "agent/ship/ship.h"

#include "sdk/fault.h"
#include "sdk/frame.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum {
    BACK_OFF_FIRST_MS = 1000, BACK_OFF_MAX_MS = 300000, OVERLOAD_MIN_MS = 30000, UNKNOWN_RETRY_MS = 300000,
};

/* One stream of a provider in this session. */
typedef struct stream {
    ship_provider *provider;
    bool is_usage;
    char name[PROTOCOL_STREAM_MAX_BYTES + 1];
    bool positioned;
    /* state: the snapshot under way */
    uint64_t generation, next; /* next: sequence of the next message; 0: none under way */
    uint64_t resume_from;      /* the controller has staged up to here of it */
    uint64_t sent_usage;       /* usage: the last sequence sent */
} stream;

struct ship {
    link_context *context;
    ship_options options;
    pthread_mutex_t lock; /* of the providers' health */
    atomic_bool stopping;
    int wake;
    uint8_t nonce[PROTOCOL_NONCE_BYTES];
    stream *streams; /* [2 * provider_count] */
    size_t stream_count, turn;

    uplink *link;
    uint64_t session, credit, token, spread_ms;
    int64_t sent_ms, heard_ms, pinged_ms;
    unsigned failures;
    int64_t not_before_ms; /* of the next session, as the controller asked */
};

static int64_t now_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t random_below(uint64_t below)
{
    uint64_t value = 0;
    if (getrandom(&value, sizeof value, 0) != sizeof value)
        value = (uint64_t)frame_now_ms();
    return below ? value % below : 0;
}

static void tell(const ship *s, uint32_t level, const char *event, const kim_error *what)
{
    if (s->options.tell)
        s->options.tell(level, event, what);
}

ship *ship_new(link_context *context, const ship_options *options, kim_error *err)
{
    ship *s = calloc(1, sizeof *s);
    if (s)
        s->streams = calloc(2 * options->provider_count + 1, sizeof *s->streams);
    if (!s || !s->streams || (s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
        free(s);
        kim_fail(err, KIM_ERR_NOMEM, "no memory or descriptor to ship with");
        return NULL;
    }
    s->context = context;
    s->options = *options;
    if (!s->options.ping_ms)
        s->options.ping_ms = PROTOCOL_PING_MS;
    if (!s->options.dead_ms)
        s->options.dead_ms = 3 * s->options.ping_ms;
    pthread_mutex_init(&s->lock, NULL);
    if (getrandom(s->nonce, sizeof s->nonce, 0) != sizeof s->nonce)
        memset(s->nonce, (int)getpid(), sizeof s->nonce);
    for (size_t i = 0; i < 2 * options->provider_count; i++) {
        stream *st = &s->streams[s->stream_count++];
        st->provider = &options->providers[i / 2];
        st->is_usage = i % 2;
        snprintf(st->name, sizeof st->name, "%s/%s", st->provider->name, st->is_usage ? "usage" : "state");
    }
    return s;
}

void ship_free(ship *s)
{
    if (!s)
        return;
    link_close(s->link);
    close(s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s->streams);
    free(s);
}

void ship_wake(ship *s)
{
    uint64_t one = 1;
    if (write(s->wake, &one, sizeof one) < 0)
        return; /* it is full: awake already */
}

void ship_stop(ship *s)
{
    atomic_store(&s->stopping, true);
    ship_wake(s);
}

void ship_note(ship *s, ship_provider *provider, const ship_health *health)
{
    pthread_mutex_lock(&s->lock);
    provider->health = *health;
    provider->health.changed = true;
    pthread_mutex_unlock(&s->lock);
    ship_wake(s);
}

static void kick(const stream *st)
{
    if (st->provider->kick)
        st->provider->kick(st->provider->context);
}

/* ---- sending ---- */

/* 1: sent; 0: no room now; -1. */
static int send_message(ship *s, const protocol_message *message, kim_error *err)
{
    int sent = link_send(s->link, message, err);
    if (sent > 0)
        s->sent_ms = frame_now_ms();
    return sent;
}

static int send_hello(ship *s, kim_error *err)
{
    protocol_message m = {.type = PROTOCOL_HELLO};
    protocol_hello *h = &m.hello;
    h->version_min = PROTOCOL_VERSION_MIN;
    h->version_max = PROTOCOL_VERSION_MAX;
    h->agent = kim_text_of(s->options.agent_name);
    memcpy(h->spool, s->options.spool_id, sizeof h->spool);
    memcpy(h->nonce, s->nonce, sizeof h->nonce);
    h->software = KIM_TEXT("kim-agent " KIM_VERSION);
    h->now_unix_ms = now_unix_ms();
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->stream_count; i++) {
        const stream *st = &s->streams[i];
        h->streams[h->stream_count++] = (protocol_stream_hello){
            .stream = kim_text_of(st->name), .plugin = kim_text_of(st->provider->plugin),
            .plugin_version = kim_text_of(st->provider->plugin_version), .unsigned_plugin = true};
    }
    pthread_mutex_unlock(&s->lock);
    fault_point("ship_hello");
    return send_message(s, &m, err);
}

/* The next message of a state stream. 1: sent; 0: nothing to send; -1. */
static int send_state(ship *s, stream *st, kim_error *err)
{
    delta_pending waiting;
    protocol_message m;
    if (!delta_pending_of(st->provider->state, &waiting))
        return st->next = 0, 0;
    if (st->next == 0 || st->generation != waiting.generation) {
        bool resumes = st->resume_from >= waiting.first_sequence && st->resume_from < waiting.last_sequence;
        st->generation = waiting.generation;
        st->next = resumes ? st->resume_from + 1 : waiting.first_sequence;
        st->resume_from = 0;
    }
    if (st->next > waiting.last_sequence)
        return 0; /* sent whole: its acknowledgement is awaited */
    int found = delta_message(st->provider->state, st->generation, st->next, &m, err);
    if (found < 0 && err->code == KIM_ERR_CORRUPT) {
        tell(s, KIM_LOG_ERROR, "snapshot_damaged", err);
        st->next = 0;
        return kick(st), 0;
    }
    if (found <= 0)
        return found;
    uint64_t *session = m.type == PROTOCOL_DATA ? &m.data.session : m.type == PROTOCOL_SNAPSHOT_BEGIN ? &m.begin.session
                                                                                                      : &m.commit.session;
    kim_text *name = m.type == PROTOCOL_DATA ? &m.data.stream : m.type == PROTOCOL_SNAPSHOT_BEGIN ? &m.begin.stream
                                                                                                  : &m.commit.stream;
    *session = s->session;
    *name = kim_text_of(st->name);
    fault_point(m.type == PROTOCOL_DATA ? "ship_data" : m.type == PROTOCOL_SNAPSHOT_BEGIN ? "ship_begin" : "ship_commit");
    int sent = send_message(s, &m, err);
    st->next += sent > 0;
    return sent;
}

static int send_usage(ship *s, stream *st, kim_error *err)
{
    protocol_message m = {.type = PROTOCOL_DATA};
    int found = spool_next(st->provider->usage, &m.data, err);
    if (found < 0 && err->code == KIM_ERR_CORRUPT) {
        tell(s, KIM_LOG_ERROR, "spool_damaged", err);
        return kick(st), 0;
    }
    if (found <= 0)
        return found;
    m.data.session = s->session;
    m.data.stream = kim_text_of(st->name);
    fault_point("ship_data");
    int sent = send_message(s, &m, err);
    if (sent == 0) /* the socket's own window is wider than the credit: not while it is alive */
        return kim_fail(err, KIM_ERR_NETWORK, "the connection takes no more messages");
    st->sent_usage = m.data.sequence;
    return sent;
}

/* Sends in turns while there is credit. */
static int send_all(ship *s, kim_error *err)
{
    for (size_t idle = 0; s->credit > 0 && idle < s->stream_count; s->turn = (s->turn + 1) % s->stream_count) {
        stream *st = &s->streams[s->turn];
        int sent = !st->positioned ? 0 : st->is_usage ? send_usage(s, st, err) : send_state(s, st, err);
        if (sent < 0)
            return -1;
        s->credit -= sent > 0;
        idle = sent > 0 ? 0 : idle + 1;
    }
    return 0;
}

static int send_status(ship *s, kim_error *err)
{
    for (size_t i = 0; i < s->options.provider_count; i++) {
        ship_provider *p = &s->options.providers[i];
        pthread_mutex_lock(&s->lock);
        ship_health health = p->health;
        p->health.changed = false;
        pthread_mutex_unlock(&s->lock);
        if (!health.changed)
            continue;
        protocol_message m = {.type = PROTOCOL_STATUS};
        delta_pending waiting = {0};
        bool has = delta_pending_of(p->state, &waiting);
        m.status = (protocol_status){
            .session = s->session, .provider = kim_text_of(p->name), .collected_unix_ms = health.collected_unix_ms,
            .usage_unix_ms = health.usage_unix_ms, .code = health.problem.code,
            .text = kim_text_of(health.problem.code ? health.problem.message : ""),
            .backlog_bytes = spool_waiting_bytes(p->usage) + (has ? waiting.bytes : 0)};
        if (send_message(s, &m, err) < 0)
            return -1;
    }
    return 0;
}

static int send_ping(ship *s, protocol_type type, uint64_t token, kim_error *err)
{
    protocol_message m = {.type = type, .ping = {s->session, token, now_unix_ms()}};
    return send_message(s, &m, err);
}

/* ---- hearing: one function a message, in a table ---- */

static stream *stream_named(ship *s, kim_text name)
{
    for (size_t i = 0; i < s->stream_count; i++)
        if (kim_text_is(name, s->streams[i].name))
            return &s->streams[i];
    return NULL;
}

static int position_usage(ship *s, stream *st, const protocol_stream_position *at, kim_error *err)
{
    int dropped = spool_anchor(st->provider->usage, at->sequence, at->cursor, at->cursor_size, err);
    if (dropped > 0 && s->heard_ms) /* also the first time: then there was nothing to drop */
        kick(st);
    return dropped < 0 ? -1 : 0;
}

static int position_state(ship *s, stream *st, const protocol_stream_position *at, kim_error *err)
{
    int fits = delta_position(st->provider->state, at, err);
    st->next = 0;
    st->resume_from = at->sequence;
    if (fits == 0) {
        kim_error what;
        kim_fail(&what, KIM_ERR_CONFLICT, "%s: the controller holds generation %llu, which is not what was acknowledged; "
                 "collecting in full", st->name, (unsigned long long)at->generation);
        tell(s, KIM_LOG_WARNING, "resync", &what);
    }
    kick(st);
    return fits < 0 ? -1 : 0;
}

static int on_welcome(ship *s, const protocol_message *m, kim_error *err)
{
    const protocol_welcome *w = &m->welcome;
    fault_point("ship_welcome");
    if (w->version < PROTOCOL_VERSION_MIN || w->version > PROTOCOL_VERSION_MAX || w->session == 0)
        return kim_fail(err, KIM_ERR_VERSION, "the controller chose protocol version %llu; this agent speaks %d to %d",
                        (unsigned long long)w->version, PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX);
    s->session = w->session;
    s->credit = w->credit;
    s->spread_ms = w->spread_ms;
    s->failures = 0;
    for (size_t i = 0; i < w->stream_count; i++) {
        stream *st = stream_named(s, w->streams[i].stream);
        if (!st)
            continue;
        if ((st->is_usage ? position_usage : position_state)(s, st, &w->streams[i], err) < 0)
            return -1;
        st->positioned = true;
    }
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->options.provider_count; i++)
        s->options.providers[i].health.changed = true;
    pthread_mutex_unlock(&s->lock);
    kim_error what = {0};
    snprintf(what.message, sizeof what.message, "session %llu with %s", (unsigned long long)s->session, s->options.endpoint);
    tell(s, KIM_LOG_INFO, "connected", &what);
    return 0;
}

static int on_ack(ship *s, const protocol_message *m, kim_error *err)
{
    stream *st = stream_named(s, m->ack.stream);
    s->credit += m->ack.credit;
    if (!st || !st->positioned || m->ack.session != s->session)
        return 0;
    if (st->is_usage)
        return spool_acknowledge(st->provider->usage, m->ack.sequence, err);
    delta_pending waiting;
    bool done = st->next && delta_pending_of(st->provider->state, &waiting) && waiting.generation == st->generation &&
                m->ack.sequence >= waiting.last_sequence;
    if (!done)
        return 0;
    st->next = 0;
    if (delta_acknowledge(st->provider->state, m->ack.sequence, err) < 0)
        return -1;
    kick(st);
    return 0;
}

/* This message will never be taken: put it aside and go on. */
static int on_poison(ship *s, stream *st, const protocol_nack *n, kim_error *err)
{
    kim_error what;
    kim_fail(&what, KIM_ERR_INPUT, "%s: message %llu was refused for good and put aside: %.*s", st->name,
             (unsigned long long)n->sequence, KIM_PRINT(n->text));
    tell(s, KIM_LOG_ERROR, "poison", &what);
    st->next = 0;
    if (!st->is_usage)
        return delta_reset(st->provider->state, true, err);
    kim_error aside;
    if (spool_set_aside(st->provider->usage, n->sequence, &aside) < 0)
        tell(s, KIM_LOG_ERROR, "set_aside_failed", &aside);
    return spool_anchor(st->provider->usage, n->sequence, NULL, 0, err) < 0 ? -1 : 0;
}

static int on_nack(ship *s, const protocol_message *m, kim_error *err)
{
    const protocol_nack *n = &m->nack;
    stream *st = stream_named(s, n->stream);
    s->credit += n->credit;
    if (n->class == PROTOCOL_POISON && st)
        return on_poison(s, st, n, err);
    int64_t wait_ms = n->retry_after_ms > BACK_OFF_MAX_MS ? BACK_OFF_MAX_MS : (int64_t)n->retry_after_ms;
    if (n->class == PROTOCOL_OVERLOAD && wait_ms < OVERLOAD_MIN_MS)
        wait_ms = OVERLOAD_MIN_MS;
    if (n->class == PROTOCOL_UNKNOWN_AGENT || n->class == PROTOCOL_REVOKED)
        wait_ms = n->retry_after_ms ? wait_ms : UNKNOWN_RETRY_MS;
    s->not_before_ms = frame_now_ms() + wait_ms;
    return kim_fail(err, n->class == PROTOCOL_REVOKED || n->class == PROTOCOL_UNKNOWN_AGENT ? KIM_ERR_DENIED : KIM_ERR_NETWORK,
                    "the controller refused (%s): %.*s", protocol_class_name((int)n->class), KIM_PRINT(n->text));
}

static int on_resync(ship *s, const protocol_message *m, kim_error *err)
{
    stream *st = stream_named(s, m->resync.stream);
    if (!st || st->is_usage)
        return kim_fail(err, KIM_ERR_NETWORK, "the controller knows no session: %.*s", KIM_PRINT(m->resync.text));
    kim_error what;
    kim_fail(&what, KIM_ERR_CONFLICT, "%s: %.*s", st->name, KIM_PRINT(m->resync.text));
    tell(s, KIM_LOG_WARNING, "resync", &what);
    st->next = 0;
    if (delta_reset(st->provider->state, false, err) < 0)
        return -1;
    kick(st);
    return 0;
}

static int on_ping(ship *s, const protocol_message *m, kim_error *err)
{
    return send_ping(s, PROTOCOL_PONG, m->ping.token, err) < 0 ? -1 : 0;
}

static int on_command(ship *s, const protocol_message *m, kim_error *err)
{
    protocol_message answer = {.type = PROTOCOL_RESULT};
    answer.result = (protocol_result){.session = s->session, .id = m->command.id, .code = KIM_ERR_UNSUPPORTED,
                                      .text = KIM_TEXT("this agent carries out no commands")};
    return send_message(s, &answer, err) < 0 ? -1 : 0;
}

static int (*const heard[])(ship *, const protocol_message *, kim_error *) = {
    [PROTOCOL_WELCOME] = on_welcome, [PROTOCOL_ACK] = on_ack,   [PROTOCOL_NACK] = on_nack,
    [PROTOCOL_RESYNC] = on_resync,   [PROTOCOL_PING] = on_ping, [PROTOCOL_COMMAND] = on_command,
};

static int hear_all(ship *s, kim_error *err)
{
    protocol_message m;
    int got;
    while ((got = link_receive(s->link, &m, err)) > 0) {
        s->heard_ms = frame_now_ms();
        if (m.type < sizeof heard / sizeof heard[0] && heard[m.type] && heard[m.type](s, &m, err) < 0)
            return -1;
    }
    return got;
}

/* ---- a session ---- */

/* When the controller is to be asked whether it lives: silence of either side counts. */
static int64_t ping_due_ms(const ship *s)
{
    int64_t quiet = s->sent_ms < s->heard_ms ? s->sent_ms : s->heard_ms;
    return (quiet > s->pinged_ms ? quiet : s->pinged_ms) + s->options.ping_ms;
}

static int check_pulse(ship *s, kim_error *err)
{
    int64_t now = frame_now_ms();
    if (now - s->heard_ms > s->options.dead_ms)
        return kim_fail(err, KIM_ERR_NETWORK, "%s: nothing was heard for %u ms", s->options.endpoint, s->options.dead_ms);
    if (s->session == 0 || ping_due_ms(s) > now)
        return 0;
    s->pinged_ms = now;
    return send_ping(s, PROTOCOL_PING, ++s->token, err) < 0 ? -1 : 0;
}

static int pulse_left_ms(const ship *s)
{
    int64_t now = frame_now_ms(), dead = s->heard_ms + s->options.dead_ms - now;
    int64_t ping = s->session ? ping_due_ms(s) - now : dead;
    int64_t left = ping < dead ? ping : dead;
    return left < 0 ? 0 : (int)left + 1;
}

static void calm(ship *s)
{
    uint64_t count;
    if (read(s->wake, &count, sizeof count) < 0)
        return; /* nobody woke it */
}

static int run_session(ship *s, kim_error *err)
{
    s->session = s->credit = 0;
    s->sent_ms = s->heard_ms = s->pinged_ms = frame_now_ms();
    for (size_t i = 0; i < s->stream_count; i++)
        s->streams[i].positioned = false;
    s->link = link_open(s->context, s->options.endpoint, s->options.controller_key, &s->options.keys, err);
    if (!s->link)
        return -1;
    bool greeted = false;
    while (!atomic_load(&s->stopping)) {
        if (!greeted) { /* IMMEDIATE: there is no room before the connection is made */
            int sent = send_hello(s, err);
            if (sent < 0)
                return -1;
            greeted = sent > 0;
        }
        if (hear_all(s, err) < 0 || (s->session && (send_status(s, err) < 0 || send_all(s, err) < 0)) ||
            check_pulse(s, err) < 0)
            return -1;
        int wait_ms = pulse_left_ms(s);
        if (link_poll(s->link, s->wake, greeted ? wait_ms : wait_ms < 20 ? wait_ms : 20, err) < 0)
            return -1;
        calm(s);
    }
    return 0;
}

/* How long until the next session. */
static int64_t back_off_ms(ship *s, bool was_alive)
{
    uint64_t most = BACK_OFF_FIRST_MS << (s->failures < 9 ? s->failures : 9);
    if (most > BACK_OFF_MAX_MS)
        most = BACK_OFF_MAX_MS;
    if (was_alive)
        most = s->spread_ms > BACK_OFF_FIRST_MS ? s->spread_ms : BACK_OFF_FIRST_MS;
    else
        s->failures++;
    int64_t wait = (int64_t)random_below(most + 1), asked = s->not_before_ms - frame_now_ms();
    return wait > asked ? wait : asked;
}

static void wait_ms(ship *s, int64_t ms)
{
    int64_t until = frame_now_ms() + ms;
    for (int64_t left = ms; left > 0 && !atomic_load(&s->stopping); left = until - frame_now_ms()) {
        struct pollfd wake = {s->wake, POLLIN, 0};
        poll(&wake, 1, left > 60000 ? 60000 : (int)left);
        calm(s);
    }
}

void ship_run(ship *s)
{
    while (!atomic_load(&s->stopping)) {
        kim_error err = {0};
        int result = run_session(s, &err);
        bool was_alive = s->session != 0;
        link_close(s->link);
        s->link = NULL;
        if (result == 0)
            continue;
        if (was_alive || s->failures == 0 || err.code != KIM_ERR_NETWORK)
            tell(s, KIM_LOG_WARNING, "disconnected", &err);
        wait_ms(s, back_off_ms(s, was_alive));
    }
}
