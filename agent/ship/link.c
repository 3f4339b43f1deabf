/* SPDX-License-Identifier: Apache-2.0
 *
 * link.c - a DEALER that lives as long as its connection.
 *
 * libzmq would reconnect by itself and lose what was under way without a word; so reconnecting is off,
 * and a monitor tells when the connection is made, refused or gone. Its heartbeats are never set: they lose
 * messages behind a slow reader and can abort the process.
 */
#include "agent/ship/link.h"

#include "sdk/fs.h"

#include <kim/limits.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

struct link_context {
    void *zmq;
    unsigned long links; /* ever opened: names monitors */
};

struct uplink {
    void *socket, *monitor;
    zmq_msg_t received;
    bool has_received;
    kim_bytes out;
    char endpoint[256];
};

/* ---- keys ---- */

bool link_is_key(const char *text)
{
    uint8_t raw[PROTOCOL_KEY_BYTES];
    return strlen(text) == LINK_KEY_TEXT_BYTES - 1 && zmq_z85_decode(raw, text);
}

static int make_keys(const char *path, link_keys *out, kim_error *err)
{
    if (zmq_curve_keypair(out->public_text, out->secret_text) < 0)
        return kim_fail(err, KIM_ERR_INTERNAL, "this libzmq makes no CURVE keys: %s", zmq_strerror(errno));
    char text[LINK_KEY_TEXT_BYTES + 1];
    int size = snprintf(text, sizeof text, "%s\n", out->secret_text);
    return kim_file_write(path, text, (size_t)size, err);
}

int link_keys_load(const char *state_dir, bool make, link_keys *out, kim_error *err)
{
    char path[4096];
    kim_bytes text = {0};
    snprintf(path, sizeof path, "%s/agent.key", state_dir);
    kim_error why;
    if (kim_file_read(path, 256, &text, &why) < 0) {
        kim_bytes_free(&text);
        if (why.code != KIM_ERR_NOT_FOUND) {
            *err = why;
            return -1;
        }
        if (!make)
            return kim_fail(err, KIM_ERR_NOT_FOUND, "%s is not there: this agent is not enrolled; run "
                            "kim-agent enrol --token-file FILE", path);
        if (make_keys(path, out, err) < 0)
            return -1;
    } else {
        snprintf(out->secret_text, sizeof out->secret_text, "%.*s", (int)strcspn((char *)text.data, "\r\n"), (char *)text.data);
        explicit_bzero(text.data, text.size);
        kim_bytes_free(&text);
        if (!link_is_key(out->secret_text) || zmq_curve_public(out->public_text, out->secret_text) < 0)
            return kim_fail(err, KIM_ERR_CORRUPT, "%s holds no CURVE secret key: remove it and enrol again", path);
    }
    zmq_z85_decode(out->public_key, out->public_text);
    return 0;
}

/* ---- context and link ---- */

link_context *link_context_new(kim_error *err)
{
    link_context *context = calloc(1, sizeof *context);
    if (context && (context->zmq = zmq_ctx_new())) {
        zmq_ctx_set(context->zmq, ZMQ_IO_THREADS, 1);
        return context;
    }
    free(context);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for ZeroMQ");
    return NULL;
}

void link_context_free(link_context *context)
{
    if (!context)
        return;
    zmq_ctx_term(context->zmq);
    free(context);
}

static void set_int(void *socket, int option, int value)
{
    zmq_setsockopt(socket, option, &value, sizeof value);
}

static int watch(link_context *context, uplink *l, kim_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "inproc://link-%lu", ++context->links);
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED |
                 ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                 ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    if (zmq_socket_monitor(l->socket, name, events) < 0 || !(l->monitor = zmq_socket(context->zmq, ZMQ_PAIR)) ||
        zmq_connect(l->monitor, name) < 0)
        return kim_fail(err, KIM_ERR_IO, "cannot watch the connection to %s: %s", l->endpoint, zmq_strerror(errno));
    set_int(l->monitor, ZMQ_LINGER, 0);
    return 0;
}

uplink *link_open(link_context *context, const char *endpoint, const char *controller_key, const link_keys *keys,
                kim_error *err)
{
    uplink *l = calloc(1, sizeof *l);
    if (!l || !(l->socket = zmq_socket(context->zmq, ZMQ_DEALER))) {
        free(l);
        kim_fail(err, KIM_ERR_IO, "no socket: %s", zmq_strerror(errno));
        return NULL;
    }
    snprintf(l->endpoint, sizeof l->endpoint, "%s", endpoint);
    static const struct { int option, value; } options[] = {
        {ZMQ_LINGER, 0}, {ZMQ_IMMEDIATE, 1}, {ZMQ_SNDHWM, PROTOCOL_WINDOW + 8}, {ZMQ_RCVHWM, 1000},
        {ZMQ_RECONNECT_IVL, -1}, {ZMQ_TCP_KEEPALIVE, 1}, {ZMQ_TCP_KEEPALIVE_IDLE, 60}, {ZMQ_IPV6, 1},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        set_int(l->socket, options[i].option, options[i].value);
    int64_t most = KIM_MESSAGE_MAX_BYTES;
    zmq_setsockopt(l->socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
    if (zmq_setsockopt(l->socket, ZMQ_CURVE_SERVERKEY, controller_key, LINK_KEY_TEXT_BYTES) < 0 ||
        zmq_setsockopt(l->socket, ZMQ_CURVE_PUBLICKEY, keys->public_text, LINK_KEY_TEXT_BYTES) < 0 ||
        zmq_setsockopt(l->socket, ZMQ_CURVE_SECRETKEY, keys->secret_text, LINK_KEY_TEXT_BYTES) < 0)
        kim_fail(err, KIM_ERR_INPUT, "a CURVE key is wrong: %s", zmq_strerror(errno));
    else if (watch(context, l, err) == 0) {
        if (zmq_connect(l->socket, endpoint) == 0)
            return l;
        kim_fail(err, KIM_ERR_INPUT, "'%s' is no endpoint: %s; write tcp://HOST:PORT", endpoint, zmq_strerror(errno));
    }
    link_close(l);
    return NULL;
}

void link_close(uplink *l)
{
    if (!l)
        return;
    if (l->has_received)
        zmq_msg_close(&l->received);
    if (l->monitor) {
        zmq_socket_monitor(l->socket, NULL, 0);
        zmq_close(l->monitor);
    }
    zmq_close(l->socket);
    kim_bytes_free(&l->out);
    free(l);
}

int link_send(uplink *l, const protocol_message *message, kim_error *err)
{
    l->out.size = 0;
    if (protocol_encode(message, &l->out, err) < 0)
        return -1;
    if (zmq_send(l->socket, l->out.data, l->out.size, ZMQ_DONTWAIT) >= 0)
        return 1;
    return errno == EAGAIN ? 0 : kim_fail(err, KIM_ERR_NETWORK, "%s: %s", l->endpoint, zmq_strerror(errno));
}

int link_receive(uplink *l, protocol_message *out, kim_error *err)
{
    if (l->has_received)
        zmq_msg_close(&l->received);
    l->has_received = false;
    zmq_msg_init(&l->received);
    if (zmq_msg_recv(&l->received, l->socket, ZMQ_DONTWAIT) < 0) {
        zmq_msg_close(&l->received);
        return errno == EAGAIN || errno == EINTR ? 0
                   : kim_fail(err, KIM_ERR_NETWORK, "%s: %s", l->endpoint, zmq_strerror(errno));
    }
    l->has_received = true;
    return protocol_decode(zmq_msg_data(&l->received), zmq_msg_size(&l->received), out, err) < 0 ? -1 : 1;
}

/* What the monitor says: -1 where the connection is over. */
static int hear_monitor(uplink *l, kim_error *err)
{
    for (;;) {
        uint8_t event[6];
        if (zmq_recv(l->monitor, event, sizeof event, ZMQ_DONTWAIT) < 0)
            return 0;
        char address[256];
        zmq_recv(l->monitor, address, sizeof address, 0);
        uint16_t what;
        memcpy(&what, event, sizeof what);
        if (what == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            continue;
        if (what == ZMQ_EVENT_DISCONNECTED || what == ZMQ_EVENT_CLOSED)
            return kim_fail(err, KIM_ERR_NETWORK, "%s: not connected, or the connection broke", l->endpoint);
        return kim_fail(err, KIM_ERR_DENIED, "%s: the handshake failed: is controller_key the controller's, and this "
                        "agent enrolled there?", l->endpoint);
    }
}

int link_poll(uplink *l, int wake, int timeout_ms, kim_error *err)
{
    zmq_pollitem_t items[] = {{l->socket, 0, ZMQ_POLLIN, 0}, {l->monitor, 0, ZMQ_POLLIN, 0}, {NULL, wake, ZMQ_POLLIN, 0}};
    zmq_poll(items, wake >= 0 ? 3 : 2, timeout_ms);
    return items[1].revents ? hear_monitor(l, err) : 0;
}
