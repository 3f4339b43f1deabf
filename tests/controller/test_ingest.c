/* SPDX-License-Identifier: Apache-2.0
 *
 * test_ingest.c - over real sockets: keys, enrolment, and an agent that a restart does not confuse.
 */
#include "tests/support/cmocka.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/controller/agent_side.h"

enum { PATIENCE_MS = 20000, ANSWER_BYTES = 64 * 1024, Z85_BYTES = 41 };

typedef struct fixture {
    char folder[64], path[96];
    store *st;
    ingest *in;
    ingest_options options;
    void *context;
} fixture;

static int open_lines;

static int64_t clock_now(void)
{
    return NOW_UNIX_MS;
}

static void start(fixture *f)
{
    kim_error err = {0};
    if (!(f->in = ingest_start(f->st, &f->options, &err)))
        fail_msg("%s", err.message);
}

static int set_up(void **state)
{
    kim_error err = {0};
    fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/kim-test-ingest-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->st = store_open(":memory:", 0, &err);
    f->options = (ingest_options){.data_endpoint = "tcp://127.0.0.1:0", .enrol_endpoint = "tcp://127.0.0.1:0",
                                  .now_unix_ms = clock_now};
    assert_int_equal(ingest_keys_load(f->folder, f->options.public_key, f->options.secret_key, &err), 0);
    f->context = zmq_ctx_new();
    start(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char path[128];
    zmq_ctx_shutdown(f->context);
    if (open_lines == 0) /* a test that failed leaves its sockets, for which this would wait */
        zmq_ctx_term(f->context);
    open_lines = 0;
    ingest_stop(f->in);
    store_close(f->st);
    snprintf(path, sizeof path, "%s/controller.key", f->folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/controller.pub", f->folder);
    unlink(path);
    rmdir(f->folder);
    free(f);
    return 0;
}

/* ---- an agent's end ---- */

typedef struct line {
    void *socket, *monitor;
    char public_text[Z85_BYTES], secret_text[Z85_BYTES];
    uint8_t public_key[PROTOCOL_KEY_BYTES];
    uint8_t answer[ANSWER_BYTES];
} line;

static void make_key(line *l)
{
    assert_int_equal(zmq_curve_keypair(l->public_text, l->secret_text), 0);
    zmq_z85_decode(l->public_key, l->public_text);
}

static void dial(fixture *f, line *l, const char *endpoint)
{
    char server[Z85_BYTES], events[64];
    int linger = 0, never = -1, patience = PATIENCE_MS;
    zmq_z85_encode(server, f->options.public_key, sizeof f->options.public_key);
    static int number;
    snprintf(events, sizeof events, "inproc://events-%d", number++);
    l->socket = zmq_socket(f->context, ZMQ_DEALER);
    l->monitor = zmq_socket(f->context, ZMQ_PAIR);
    open_lines++;
    zmq_setsockopt(l->socket, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(l->monitor, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(l->socket, ZMQ_RECONNECT_IVL, &never, sizeof never);
    zmq_setsockopt(l->socket, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(l->monitor, ZMQ_RCVTIMEO, &patience, sizeof patience);
    zmq_setsockopt(l->socket, ZMQ_CURVE_SERVERKEY, server, Z85_BYTES);
    zmq_setsockopt(l->socket, ZMQ_CURVE_PUBLICKEY, l->public_text, Z85_BYTES);
    zmq_setsockopt(l->socket, ZMQ_CURVE_SECRETKEY, l->secret_text, Z85_BYTES);
    assert_int_equal(zmq_socket_monitor(l->socket, events, ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH), 0);
    assert_int_equal(zmq_connect(l->monitor, events), 0);
    assert_int_equal(zmq_connect(l->socket, endpoint), 0);
}

static void hang_up(line *l)
{
    zmq_socket_monitor(l->socket, NULL, 0);
    zmq_close(l->socket);
    zmq_close(l->monitor);
    open_lines--;
}

static int handshake(line *l)
{
    uint8_t event[6];
    char address[256];
    uint16_t number;
    assert_int_equal(zmq_recv(l->monitor, event, sizeof event, 0), sizeof event);
    zmq_recv(l->monitor, address, sizeof address, 0);
    memcpy(&number, event, sizeof number);
    return number;
}

static protocol_message ask(line *l, const protocol_message *message)
{
    kim_bytes bytes = {0};
    kim_error err = {0};
    protocol_message answer;
    if (protocol_encode(message, &bytes, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(zmq_send(l->socket, bytes.data, bytes.size, 0), bytes.size);
    kim_bytes_free(&bytes);
    int size = zmq_recv(l->socket, l->answer, sizeof l->answer, 0);
    assert_true(size > 0 && size <= (int)sizeof l->answer);
    if (protocol_decode(l->answer, (size_t)size, &answer, &err) < 0)
        fail_msg("%s", err.message);
    return answer;
}

static void invite(fixture *f, const char *name, char token[INGEST_TOKEN_BYTES])
{
    kim_error err = {0};
    int64_t expires;
    const kim_text scopes[] = {KIM_TEXT(ACCOUNT)};
    if (ingest_agent_add(f->in, kim_text_of(name), (kim_texts){scopes, 1}, token, &expires, &err) < 0)
        fail_msg("%s", err.message);
    assert_true(expires > NOW_UNIX_MS);
}

static protocol_message enrol(fixture *f, line *l, const char *token)
{
    protocol_message m = {.type = PROTOCOL_ENROL,
                          .enrol = {.version_min = 1, .version_max = 1, .token = kim_text_of(token)}};
    memcpy(m.enrol.public_key, l->public_key, sizeof l->public_key);
    dial(f, l, ingest_enrol_endpoint(f->in));
    protocol_message answer = ask(l, &m);
    hang_up(l);
    return answer;
}

static void become_an_agent(fixture *f, line *l, const char *name)
{
    char token[INGEST_TOKEN_BYTES];
    make_key(l);
    invite(f, name, token);
    protocol_message answer = enrol(f, l, token);
    assert_int_equal(answer.type, PROTOCOL_ENROLLED);
    assert_true(kim_text_is(answer.enrolled.agent, name));
    assert_true(answer.enrolled.approved);
}

static uint64_t hello(line *l)
{
    static const char *const streams[] = {"aws/state", "aws/usage"};
    protocol_message m = hello_message(streams, 2), answer = ask(l, &m);
    assert_int_equal(answer.type, PROTOCOL_WELCOME);
    return answer.welcome.session;
}

/* ---- who is let in ---- */

static void an_unknown_key_does_not_get_through_the_handshake(void **state)
{
    fixture *f = *state;
    line l;
    make_key(&l);
    dial(f, &l, ingest_data_endpoint(f->in));
    assert_int_equal(handshake(&l), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    hang_up(&l);
}

static void a_token_lets_a_key_in(void **state)
{
    fixture *f = *state;
    line l;
    become_an_agent(f, &l, "web");
    dial(f, &l, ingest_data_endpoint(f->in));
    assert_int_equal(handshake(&l), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    assert_true(hello(&l) != 0);
    hang_up(&l);
}

static void a_wrong_token_does_not(void **state)
{
    fixture *f = *state;
    line l;
    make_key(&l);
    protocol_message answer = enrol(f, &l, "kim-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    assert_int_equal(answer.type, PROTOCOL_NACK);
    assert_int_equal(answer.nack.class, PROTOCOL_UNKNOWN_AGENT);
    dial(f, &l, ingest_data_endpoint(f->in));
    assert_int_equal(handshake(&l), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    hang_up(&l);
}

static void a_revoked_agent_is_refused_on_the_connection_that_it_has(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    line l;
    become_an_agent(f, &l, "web");
    dial(f, &l, ingest_data_endpoint(f->in));
    uint64_t session = hello(&l);
    const protocol_message ping = {.type = PROTOCOL_PING, .ping = {.session = session, .token = 5}};
    assert_int_equal(ask(&l, &ping).type, PROTOCOL_PONG);
    assert_int_equal(ingest_agent_revoke(f->in, KIM_TEXT("web"), &err), 0);
    protocol_message answer = ask(&l, &ping);
    assert_int_equal(answer.type, PROTOCOL_NACK);
    assert_int_equal(answer.nack.class, PROTOCOL_REVOKED);
    hang_up(&l);
}

static void agents_are_known_again_after_a_restart(void **state)
{
    fixture *f = *state;
    line l;
    become_an_agent(f, &l, "web");
    ingest_stop(f->in);
    start(f);
    dial(f, &l, ingest_data_endpoint(f->in));
    assert_true(hello(&l) != 0);
    hang_up(&l);
}

static void the_controllers_key_stays_the_same_and_is_its_owners_alone(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    uint8_t public_key[INGEST_SECRET_BYTES], secret_key[INGEST_SECRET_BYTES];
    char path[128];
    struct stat file;
    assert_int_equal(ingest_keys_load(f->folder, public_key, secret_key, &err), 0);
    assert_memory_equal(public_key, f->options.public_key, sizeof public_key);
    assert_memory_equal(secret_key, f->options.secret_key, sizeof secret_key);
    snprintf(path, sizeof path, "%s/controller.key", f->folder);
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    FILE *damaged = fopen(path, "w");
    fputs("no key\n", damaged);
    fclose(damaged);
    assert_int_equal(ingest_keys_load(f->folder, public_key, secret_key, &err), -1);
    assert_int_equal(err.code, KIM_ERR_CORRUPT);
}

/* ---- what passes ---- */

static int find_agent(void *context, const ingest_agent *a, kim_error *err)
{
    (void)err;
    uint64_t *records = context;
    assert_true(a->connected);
    assert_int_equal(a->provider_count, 1);
    assert_true(kim_text_is(a->providers[0].name, "aws"));
    *records = a->providers[0].records;
    return 0;
}

static void a_snapshot_and_usage_pass_and_are_acknowledged(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    line l;
    const kim_record ann = identity_record(ACCOUNT, "ann", "Ann"), used = usage_record(ACCOUNT, "ann", "a", 2);
    kim_bytes people = entries_of(&ann, 1), usage = entries_of(&used, 1);
    become_an_agent(f, &l, "web");
    dial(f, &l, ingest_data_endpoint(f->in));
    uint64_t session = hello(&l);
    const protocol_message said[] = {
        begin_message(session, 1, 1, 0), data_message(session, "aws/state", 2, &people, 1),
        commit_message(session, 3, 1, &ann, 1), data_message(session, "aws/usage", 1, &usage, 1),
    };
    const uint64_t acknowledged[] = {0, 0, 3, 1};
    for (size_t i = 0; i < 4; i++) {
        protocol_message answer = ask(&l, &said[i]);
        assert_int_equal(answer.type, PROTOCOL_ACK);
        assert_int_equal(answer.ack.sequence, acknowledged[i]);
    }
    uint64_t rows, records = 0;
    assert_int_equal(store_usage_count(f->st, &rows, &err), 0);
    assert_int_equal(rows, 1);
    assert_int_equal(ingest_agents(f->in, find_agent, &records, &err), 0);
    assert_int_equal(records, 1);
    hang_up(&l);
    kim_bytes_free(&people);
    kim_bytes_free(&usage);
}

/* Administration goes on while messages are being taken in: one waits for the store, the other looks
 * agents up, and neither for the other. */
static void *administrate(void *argument)
{
    fixture *f = argument;
    char token[INGEST_TOKEN_BYTES], name[24];
    kim_error err = {0};
    int64_t expires;
    const kim_text scopes[] = {KIM_TEXT(ACCOUNT)};
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "agent-%d", i);
        if (ingest_agent_add(f->in, kim_text_of(name), (kim_texts){scopes, 1}, token, &expires, &err) < 0 ||
            ingest_agent_revoke(f->in, kim_text_of(name), &err) < 0)
            return argument;
    }
    return NULL;
}

static void administration_and_messages_do_not_wait_for_each_other(void **state)
{
    fixture *f = *state;
    pthread_t administrator;
    void *failed;
    line l;
    become_an_agent(f, &l, "web");
    dial(f, &l, ingest_data_endpoint(f->in));
    uint64_t session = hello(&l);
    assert_int_equal(pthread_create(&administrator, NULL, administrate, f), 0);
    for (uint64_t i = 1; i <= 100; i++) {
        const kim_record used = usage_record(ACCOUNT, "ann", "a", 1);
        kim_bytes entries = entries_of(&used, 1);
        protocol_message m = data_message(session, "aws/usage", i, &entries, 1), answer = ask(&l, &m);
        assert_int_equal(answer.type, PROTOCOL_ACK);
        assert_int_equal(answer.ack.sequence, i);
        kim_bytes_free(&entries);
    }
    pthread_join(administrator, &failed);
    assert_null(failed);
    hang_up(&l);
}

#define LISTENING(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LISTENING(an_unknown_key_does_not_get_through_the_handshake),
        LISTENING(a_token_lets_a_key_in),
        LISTENING(a_wrong_token_does_not),
        LISTENING(a_revoked_agent_is_refused_on_the_connection_that_it_has),
        LISTENING(agents_are_known_again_after_a_restart),
        LISTENING(the_controllers_key_stays_the_same_and_is_its_owners_alone),
        LISTENING(a_snapshot_and_usage_pass_and_are_acknowledged),
        LISTENING(administration_and_messages_do_not_wait_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
