/* SPDX-License-Identifier: Apache-2.0
 *
 * ingest.c - one thread between two ROUTERs and the intake.
 *
 * It takes what has arrived, up to a group's size, commits once, sends the answers, and looks again.
 * Under load groups grow and the disk is synced less often for each message; when all is quiet a
 * message is a group of its own.
 */
#include "controller/ingest/ingest.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "controller/ingest/intake.h"
#include "controller/ingest/zap.h"
#include "sdk/log.h"
#include "sdk/protocol.h"

enum {
    GROUP_MAX_MESSAGES = 256,
    GROUP_MAX_BYTES = 4 * 1024 * 1024,
    GROUP_MAX_MS = 50, /* an ACK is late by no more than this and a commit */
    TICK_MS = 1000,
    TOKEN_LIFETIME_MS = 24 * 3600 * 1000,
    ROUTER_RECEIVE_MESSAGES = 16, /* a peer: the memory bound is peers x this x the size of a message */
    ROUTER_SEND_MESSAGES = 64,    /* a peer: more answers than its credit can ask for */
    ENROL_MESSAGE_MAX_BYTES = 8 * 1024,
    BACKLOG = 4096,
    IO_THREADS = 2,
    Z85_BYTES = 41,
};

struct ingest {
    ingest_options options;
    store *st;
    agents *all;
    intake *in;
    void *context;
    zap *zap;
    void *data, *enrol; /* ROUTERs; enrol may be NULL */
    char data_endpoint[INGEST_ENDPOINT_BYTES], enrol_endpoint[INGEST_ENDPOINT_BYTES];
    int stop;           /* an eventfd */
    pthread_t thread;
    bool is_running;
    void *answering;    /* the ROUTER that answers go out by */
};

static int64_t system_now_unix_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t tick_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- in and out ---- */

static int send_answer(void *context, const intake_peer *to, const uint8_t *bytes, size_t size)
{
    ingest *in = context;
    if (zmq_send(in->answering, to->bytes, to->size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send(in->answering, bytes, size, ZMQ_DONTWAIT) < 0)
        return -1; /* EHOSTUNREACH: gone; EAGAIN: does not read its answers */
    return 0;
}

static void published(void *context)
{
    ingest *in = context;
    if (in->options.published)
        in->options.published(in->options.context);
}

/* Reads the parts of a message that nobody wants. */
static void skip_rest(void *socket)
{
    int more = 1;
    size_t length = sizeof more;
    while (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &length) == 0 && more)
        if (zmq_recv(socket, NULL, 0, 0) < 0 && errno != EINTR)
            return;
}

/* The key that the connection proved: libzmq 4.3.4 may lack it on the first part, so it is read from
 * the payload. */
static bool read_key(zmq_msg_t *payload, uint8_t key[STORE_KEY_BYTES])
{
    const char *user = zmq_msg_gets(payload, "User-Id");
    return user && strlen(user) == Z85_BYTES - 1 && zmq_z85_decode(key, user) != NULL;
}

/* One message, if there is one: its size, or -1. */
static int64_t take_message(ingest *in, void *socket)
{
    intake_peer from;
    uint8_t key[STORE_KEY_BYTES];
    int size = zmq_recv(socket, from.bytes, sizeof from.bytes, ZMQ_DONTWAIT);
    if (size < 0)
        return -1;
    from.size = (uint8_t)((size_t)size < sizeof from.bytes ? (size_t)size : sizeof from.bytes);
    zmq_msg_t payload;
    zmq_msg_init(&payload);
    int64_t taken = 0;
    if (zmq_msg_recv(&payload, socket, 0) >= 0) {
        taken = (int64_t)zmq_msg_size(&payload);
        bool whole = !zmq_msg_more(&payload);
        if (!whole)
            skip_rest(socket);
        if (whole && read_key(&payload, key)) {
            void (*take)(intake *, const intake_peer *, const uint8_t *, const uint8_t *, size_t, int64_t) =
                socket == in->enrol ? intake_enrol : intake_message;
            take(in->in, &from, key, zmq_msg_data(&payload), (size_t)taken, tick_now_ms());
        }
    }
    zmq_msg_close(&payload);
    return taken;
}

static void take_group(ingest *in)
{
    int64_t bytes = 0, size, end_ms = tick_now_ms() + GROUP_MAX_MS;
    in->answering = in->data;
    for (int i = 0; i < GROUP_MAX_MESSAGES && bytes < GROUP_MAX_BYTES; i++) {
        if ((size = take_message(in, in->data)) < 0)
            break;
        bytes += size;
        if (tick_now_ms() >= end_ms)
            break;
    }
    intake_commit(in->in);
}

static void take_enrolments(ingest *in)
{
    in->answering = in->enrol;
    for (int i = 0; in->enrol && i < GROUP_MAX_MESSAGES && take_message(in, in->enrol) >= 0; i++)
        ;
}

static void *work(void *argument)
{
    ingest *in = argument;
    int64_t next_tick_ms = tick_now_ms() + TICK_MS;
    for (;;) {
        zmq_pollitem_t items[] = {{.fd = in->stop, .events = ZMQ_POLLIN},
                                  {.socket = in->data, .events = ZMQ_POLLIN},
                                  {.socket = in->enrol, .events = ZMQ_POLLIN}};
        int64_t wait_ms = next_tick_ms - tick_now_ms();
        zmq_poll(items, in->enrol ? 3 : 2, wait_ms > 0 ? (long)wait_ms : 0);
        if (items[0].revents)
            return NULL;
        if (items[1].revents)
            take_group(in);
        if (in->enrol && items[2].revents)
            take_enrolments(in);
        if (tick_now_ms() >= next_tick_ms) {
            in->answering = in->data;
            intake_tick(in->in, tick_now_ms());
            next_tick_ms = tick_now_ms() + TICK_MS;
        }
    }
}

/* ---- start and stop ---- */

static int set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

/* A ROUTER as doc/protocol.md wants it, bound; `bound` gets the endpoint with its port. */
static void *open_router(ingest *in, const char *endpoint, const char *domain, int64_t max_bytes,
                         char bound[INGEST_ENDPOINT_BYTES], kim_error *err)
{
    size_t length = INGEST_ENDPOINT_BYTES;
    void *socket = zmq_socket(in->context, ZMQ_ROUTER);
    if (!socket || set_int(socket, ZMQ_LINGER, 0) != 0 || set_int(socket, ZMQ_ROUTER_MANDATORY, 1) != 0 ||
        set_int(socket, ZMQ_RCVHWM, ROUTER_RECEIVE_MESSAGES) != 0 ||
        set_int(socket, ZMQ_SNDHWM, ROUTER_SEND_MESSAGES) != 0 || set_int(socket, ZMQ_BACKLOG, BACKLOG) != 0 ||
        set_int(socket, ZMQ_TCP_KEEPALIVE, 1) != 0 || set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, 60) != 0 ||
        set_int(socket, ZMQ_IPV6, strchr(endpoint, '[') != NULL) != 0 || set_int(socket, ZMQ_CURVE_SERVER, 1) != 0 ||
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes) != 0 ||
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) != 0 ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, in->options.secret_key, INGEST_SECRET_BYTES) != 0 ||
        zmq_bind(socket, endpoint) != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &length) != 0) {
        kim_fail(err, KIM_ERR_IO, "cannot listen on %s: %s", endpoint, zmq_strerror(errno));
        if (socket)
            zmq_close(socket);
        return NULL;
    }
    return socket;
}

/* Where this machine reaches a socket that listens everywhere. */
static void reachable(const char *bound, char out[INGEST_ENDPOINT_BYTES])
{
    static const struct {
        const char *any, *here;
    } addresses[] = {{"tcp://0.0.0.0:", "tcp://127.0.0.1:"}, {"tcp://[::]:", "tcp://[::1]:"}};
    snprintf(out, INGEST_ENDPOINT_BYTES, "%s", bound);
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(addresses[i].any);
        if (strncmp(bound, addresses[i].any, size) == 0)
            snprintf(out, INGEST_ENDPOINT_BYTES, "%s%s", addresses[i].here, bound + size);
    }
}

static int open_sockets(ingest *in, kim_error *err)
{
    char here[INGEST_ENDPOINT_BYTES];
    if (!(in->context = zmq_ctx_new()) || zmq_ctx_set(in->context, ZMQ_IO_THREADS, IO_THREADS) != 0)
        return kim_fail(err, KIM_ERR_IO, "cannot start ZeroMQ: %s", zmq_strerror(errno));
    if (!(in->zap = zap_start(in->context, in->all, err)))
        return -1;
    if (!(in->data = open_router(in, in->options.data_endpoint, ZAP_DATA_DOMAIN, KIM_MESSAGE_MAX_BYTES,
                                 in->data_endpoint, err)))
        return -1;
    reachable(in->data_endpoint, here);
    if (zap_prove(in->context, here, in->options.public_key, err) < 0)
        return -1;
    if (in->options.enrol_endpoint &&
        !(in->enrol = open_router(in, in->options.enrol_endpoint, ZAP_ENROL_DOMAIN, ENROL_MESSAGE_MAX_BYTES,
                                  in->enrol_endpoint, err)))
        return -1;
    return 0;
}

ingest *ingest_start(store *st, const ingest_options *options, kim_error *err)
{
    ingest *in = calloc(1, sizeof *in);
    if (!in) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to listen for agents");
        return NULL;
    }
    in->options = *options;
    in->st = st;
    in->stop = eventfd(0, EFD_CLOEXEC);
    if (!in->options.now_unix_ms)
        in->options.now_unix_ms = system_now_unix_ms;
    if (in->options.token_lifetime_ms == 0)
        in->options.token_lifetime_ms = TOKEN_LIFETIME_MS;
    if (in->stop < 0) {
        kim_fail(err, KIM_ERR_IO, "cannot listen for agents: %s", strerror(errno));
        goto failed;
    }
    if (!(in->all = agents_open(st, err)))
        goto failed;
    const intake_options taking = {
        .st = st, .all = in->all, .approve_by_hand = options->approve_by_hand, .spread_ms = options->spread_ms,
        .now_unix_ms = in->options.now_unix_ms, .send = send_answer, .published = published, .context = in,
    };
    if (!(in->in = intake_new(&taking, err)) || open_sockets(in, err) < 0)
        goto failed;
    if (pthread_create(&in->thread, NULL, work, in) != 0) {
        kim_fail(err, KIM_ERR_IO, "cannot start the thread that listens for agents");
        goto failed;
    }
    in->is_running = true;
    return in;

failed:
    ingest_stop(in);
    return NULL;
}

void ingest_stop(ingest *in)
{
    if (!in)
        return;
    if (in->is_running) {
        const uint64_t one = 1;
        while (write(in->stop, &one, sizeof one) < 0 && errno == EINTR)
            ;
        pthread_join(in->thread, NULL);
    }
    intake_free(in->in);
    if (in->data)
        zmq_close(in->data);
    if (in->enrol)
        zmq_close(in->enrol);
    if (in->context)
        zmq_ctx_shutdown(in->context);
    zap_stop(in->zap);
    if (in->context)
        zmq_ctx_term(in->context);
    agents_close(in->all);
    if (in->stop >= 0)
        close(in->stop);
    free(in);
}

const char *ingest_data_endpoint(const ingest *in)
{
    return in->data_endpoint;
}

const char *ingest_enrol_endpoint(const ingest *in)
{
    return in->enrol_endpoint;
}

/* ---- administration ---- */

int ingest_agent_add(ingest *in, kim_text name, kim_texts scopes, char token[INGEST_TOKEN_BYTES],
                     int64_t *expires_unix_ms, kim_error *err)
{
    int64_t now = in->options.now_unix_ms(), expires = now + (int64_t)in->options.token_lifetime_ms;
    if (agents_invite(in->all, name, scopes, now, expires, token, err) < 0)
        return -1;
    *expires_unix_ms = expires;
    kim_log(KIM_LOG_INFO, "agent_invited", {"agent", name});
    return 0;
}

int ingest_agent_approve(ingest *in, kim_text name, kim_error *err)
{
    if (agents_set_state(in->all, name, STORE_AGENT_ACTIVE, err) < 0)
        return -1;
    kim_log(KIM_LOG_INFO, "agent_approved", {"agent", name});
    return 0;
}

int ingest_agent_revoke(ingest *in, kim_text name, kim_error *err)
{
    if (agents_set_state(in->all, name, STORE_AGENT_REVOKED, err) < 0)
        return -1;
    kim_log(KIM_LOG_WARNING, "agent_revoked", {"agent", name});
    return 0;
}

int ingest_agents(ingest *in, ingest_agent_function *each, void *context, kim_error *err)
{
    return agents_list(in->all, each, context, err);
}
