/* SPDX-License-Identifier: Apache-2.0
 *
 * zap.c - a thread that answers one question a handshake.
 *
 * Request: version, request id, domain, address, identity, mechanism, the client's key (32 bytes).
 * Reply: version, request id, status, text, user id, metadata. Source: ZeroMQ RFC 27 (ZAP 1.0).
 */
#include "controller/ingest/zap.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <zmq.h>

enum { REQUEST_PARTS = 7, PART_BYTES = 256, PROOF_MS = 10000, Z85_BYTES = 41 };

struct zap {
    pthread_t thread;
    void *socket;
    agents *all;
};

/* A whole request, each part cut to its room; the number of parts, or -1 where the context ends. */
static int receive(void *socket, char parts[REQUEST_PARTS][PART_BYTES], size_t sizes[REQUEST_PARTS])
{
    int count = 0, more = 1;
    while (more) {
        char spare[PART_BYTES];
        int size = zmq_recv(socket, count < REQUEST_PARTS ? parts[count] : spare, PART_BYTES, 0);
        if (size < 0) {
            if (errno == EINTR)
                continue;
            return -1;
        }
        if (count < REQUEST_PARTS)
            sizes[count] = size < PART_BYTES ? (size_t)size : PART_BYTES;
        count++;
        size_t length = sizeof more;
        zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &length);
    }
    return count;
}

static bool part_is(const char *part, size_t size, const char *text)
{
    return size == strlen(text) && memcmp(part, text, size) == 0;
}

static bool may_connect(const zap *z, char parts[REQUEST_PARTS][PART_BYTES], const size_t sizes[REQUEST_PARTS], int count)
{
    store_agent_state state;
    if (count != REQUEST_PARTS || !part_is(parts[0], sizes[0], "1.0") ||
        !part_is(parts[5], sizes[5], "CURVE") || sizes[6] != STORE_KEY_BYTES)
        return false;
    if (part_is(parts[2], sizes[2], ZAP_ENROL_DOMAIN))
        return true;
    return part_is(parts[2], sizes[2], ZAP_DATA_DOMAIN) &&
           agents_find(z->all, (const uint8_t *)parts[6], &state) != NULL;
}

static void reply(void *socket, const char *id, size_t id_size, bool admitted, const char *user)
{
    const char *status = admitted ? "200" : "400", *text = admitted ? "" : "unknown key";
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, id, id_size, ZMQ_SNDMORE);
    zmq_send(socket, status, 3, ZMQ_SNDMORE);
    zmq_send(socket, text, strlen(text), ZMQ_SNDMORE);
    zmq_send(socket, user, strlen(user), ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

static void *answer(void *argument)
{
    zap *z = argument;
    char parts[REQUEST_PARTS][PART_BYTES], user[Z85_BYTES];
    size_t sizes[REQUEST_PARTS];
    int count;
    while ((count = receive(z->socket, parts, sizes)) >= 0) {
        bool admitted = may_connect(z, parts, sizes, count);
        user[0] = 0;
        if (admitted)
            zmq_z85_encode(user, (const uint8_t *)parts[6], STORE_KEY_BYTES);
        reply(z->socket, parts[1], count > 1 ? sizes[1] : 0, admitted, user);
    }
    zmq_close(z->socket);
    return NULL;
}

zap *zap_start(void *context, agents *all, kim_error *err)
{
    zap *z = calloc(1, sizeof *z);
    if (!z) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for authentication");
        return NULL;
    }
    int linger = 0;
    z->all = all;
    z->socket = zmq_socket(context, ZMQ_REP);
    if (!z->socket || zmq_setsockopt(z->socket, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_bind(z->socket, "inproc://zeromq.zap.01") != 0) {
        kim_fail(err, KIM_ERR_IO, "cannot start authentication: %s", zmq_strerror(errno));
        goto failed;
    }
    if (pthread_create(&z->thread, NULL, answer, z) != 0) {
        kim_fail(err, KIM_ERR_IO, "cannot start the thread of authentication");
        goto failed;
    }
    return z;

failed:
    if (z->socket)
        zmq_close(z->socket);
    free(z);
    return NULL;
}

void zap_stop(zap *z)
{
    if (!z)
        return;
    pthread_join(z->thread, NULL);
    free(z);
}

/* ---- the proof ---- */

/* The next event of a socket's monitor: its number and value; -1 after the time. */
static int next_event(void *monitor, int *value)
{
    uint8_t event[6];
    char address[256];
    zmq_pollitem_t item = {.socket = monitor, .events = ZMQ_POLLIN};
    int ready;
    do
        ready = zmq_poll(&item, 1, PROOF_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0 || zmq_recv(monitor, event, sizeof event, 0) != sizeof event ||
        zmq_recv(monitor, address, sizeof address, 0) < 0)
        return -1;
    uint16_t number;
    uint32_t said;
    memcpy(&number, event, sizeof number);
    memcpy(&said, event + 2, sizeof said);
    *value = (int)said;
    return number;
}

static int judge(void *monitor, const char *endpoint, kim_error *err)
{
    int event, value;
    while ((event = next_event(monitor, &value)) >= 0) {
        if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH && value == 400)
            return 0;
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            return kim_fail(err, KIM_ERR_INTERNAL,
                            "%s lets a key in that nobody enrolled; not starting", endpoint);
    }
    return kim_fail(err, KIM_ERR_INTERNAL, "%s: could not prove within %d s that unknown keys are refused",
                    endpoint, PROOF_MS / 1000);
}

int zap_prove(void *context, const char *endpoint, const uint8_t server_key[STORE_KEY_BYTES], kim_error *err)
{
    static const char events[] = "inproc://kim-zap-proof";
    const int wanted = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    char public_key[Z85_BYTES], secret_key[Z85_BYTES], server[Z85_BYTES];
    int linger = 0, never = -1, result = -1;
    void *client = zmq_socket(context, ZMQ_DEALER), *monitor = zmq_socket(context, ZMQ_PAIR);
    zmq_z85_encode(server, server_key, STORE_KEY_BYTES);
    if (!client || !monitor || zmq_curve_keypair(public_key, secret_key) != 0 ||
        zmq_setsockopt(client, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_setsockopt(monitor, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_setsockopt(client, ZMQ_RECONNECT_IVL, &never, sizeof never) != 0 ||
        zmq_setsockopt(client, ZMQ_CURVE_SERVERKEY, server, Z85_BYTES) != 0 ||
        zmq_setsockopt(client, ZMQ_CURVE_PUBLICKEY, public_key, Z85_BYTES) != 0 ||
        zmq_setsockopt(client, ZMQ_CURVE_SECRETKEY, secret_key, Z85_BYTES) != 0 ||
        zmq_socket_monitor(client, events, wanted) != 0 || zmq_connect(monitor, events) != 0 ||
        zmq_connect(client, endpoint) != 0)
        kim_fail(err, KIM_ERR_IO, "%s: cannot prove that unknown keys are refused: %s", endpoint, zmq_strerror(errno));
    else
        result = judge(monitor, endpoint, err);
    if (client) {
        zmq_socket_monitor(client, NULL, 0);
        zmq_close(client);
    }
    if (monitor)
        zmq_close(monitor);
    return result;
}
