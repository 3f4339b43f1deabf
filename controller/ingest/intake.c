/* SPDX-License-Identifier: Apache-2.0
 *
 * intake.c - one message: may its sender speak, is there a session, and who takes it.
 */
#include "controller/ingest/sessions.h"

#include <stdio.h>
#include <stdlib.h>

#include "sdk/fault.h"
#include "sdk/log.h"

enum {
    ARENA_KEPT_BYTES = 16 * 1024 * 1024, /* after a message that took more its memory is given back */
    CLOCK_MAX_OFF_MS = 24 * 3600 * 1000, /* usage would be booked on wrong days */
    SPREAD_MS_PER_AGENT = 2,             /* 500 handshakes a second at most: half of what one core does */
    SPREAD_MIN_MS = 1000,
    ENROL_PER_SECOND = 20,               /* each costs a transaction */
    CLONE_SWAPS = 3,                     /* two runs that take turns so often are two machines */
    CLONE_WINDOW_MS = 600000,
};

/* ---- HELLO ---- */

/* Two runs with one key that take turns: a cloned disk. */
static bool is_cloned(session *s, const protocol_hello *hello, int64_t tick_ms)
{
    if (memcmp(s->nonce, hello->nonce, sizeof s->nonce) == 0)
        return s->swaps >= CLONE_SWAPS && tick_ms - s->swapped_ms < CLONE_WINDOW_MS;
    bool is_swap = memcmp(s->nonce_before, hello->nonce, sizeof s->nonce) == 0;
    if (is_swap && tick_ms - s->swapped_ms > CLONE_WINDOW_MS)
        s->swaps = 0;
    s->swaps += is_swap;
    if (is_swap)
        s->swapped_ms = tick_ms;
    memcpy(s->nonce_before, s->nonce, sizeof s->nonce);
    memcpy(s->nonce, hello->nonce, sizeof s->nonce);
    return s->swaps >= CLONE_SWAPS && tick_ms - s->swapped_ms < CLONE_WINDOW_MS;
}

static bool has_end(kim_text stream_name, const char *end)
{
    return stream_name.size > strlen(end) && kim_text_ends_with(stream_name, kim_text_of(end));
}

/* Sets one stream up as the store knows it, and says so in WELCOME. */
static int welcome_stream(intake *in, session *s, const protocol_stream_hello *said,
                          protocol_stream_position *out, kim_error *err)
{
    bool is_usage = has_end(said->stream, "/usage");
    if (!is_usage && !has_end(said->stream, "/state"))
        return kim_fail(err, KIM_ERR_INPUT, "HELLO: stream '%.*s' must end in /state or /usage",
                        KIM_PRINT(said->stream));
    if (stream_of(s, said->stream))
        return kim_fail(err, KIM_ERR_INPUT, "HELLO: stream '%.*s' is named twice", KIM_PRINT(said->stream));
    store_mark mark = {.agent = agent_name(s->of), .stream = said->stream};
    memcpy(mark.spool, s->spool, sizeof mark.spool);
    store_position at;
    if (store_position_of(in->options.st, &mark, in->arena, &at, err) < 0)
        return -1;
    char *name = strndup(said->stream.bytes, said->stream.size);
    if (!name)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a session");
    s->streams[s->stream_count++] = (stream){
        .name = name, .is_usage = is_usage, .sequence = at.sequence, .durable = at.sequence,
        .generation = at.generation, .staging = at.staging};
    *out = (protocol_stream_position){.stream = said->stream, .sequence = at.sequence,
                                      .generation = at.generation, .count = at.count,
                                      .cursor = at.cursor, .cursor_size = at.cursor_size};
    memcpy(out->digest, at.digest, sizeof out->digest);
    kim_text provider = {said->stream.bytes, said->stream.size - strlen("/state")};
    agents_set_provider(in->options.all, s->of, provider, said->plugin, said->unsigned_plugin, KIM_NO_TEXT);
    return 0;
}

static int welcome(intake *in, session *s, const protocol_hello *hello, kim_error *err)
{
    protocol_message message = {
        .type = PROTOCOL_WELCOME,
        .welcome = {.version = PROTOCOL_VERSION_MAX, .credit = PROTOCOL_WINDOW,
                    .now_unix_ms = in->options.now_unix_ms(), .stream_count = hello->stream_count},
    };
    uint64_t spread_ms = agents_count(in->options.all) * SPREAD_MS_PER_AGENT;
    message.welcome.spread_ms = in->options.spread_ms ? in->options.spread_ms
                                : spread_ms > SPREAD_MIN_MS ? spread_ms
                                                            : SPREAD_MIN_MS;
    s->streams = calloc(hello->stream_count + 1, sizeof *s->streams);
    if (!s->streams)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a session");
    for (size_t i = 0; i < hello->stream_count; i++)
        if (welcome_stream(in, s, &hello->streams[i], &message.welcome.streams[i], err) < 0)
            return -1;
    if (begin_group(in, s, err) < 0 ||
        store_agent_seen(in->options.st, agent_name(s->of), hello->software, message.welcome.now_unix_ms, err) < 0)
        return -1;
    message.welcome.session = s->number;
    send_later(in, &s->peer, &message);
    return 0;
}

static void take_hello(intake *in, agent *a, const intake_peer *from, const protocol_hello *hello)
{
    char text[160];
    int64_t off_ms = hello->now_unix_ms - in->options.now_unix_ms();
    session *s = session_of(a);
    if (!s)
        return;
    close_session(in, s);
    if (hello->version_min > PROTOCOL_VERSION_MAX || hello->version_max < PROTOCOL_VERSION_MIN) {
        snprintf(text, sizeof text, "no common version: this controller speaks %d to %d; update %s",
                 PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX,
                 hello->version_min > PROTOCOL_VERSION_MAX ? "the controller" : "the agent");
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_PROTOCOL, text, ASK_AGAIN_MS);
        return;
    }
    if (off_ms > CLOCK_MAX_OFF_MS || off_ms < -CLOCK_MAX_OFF_MS) {
        snprintf(text, sizeof text, "the agent's clock is off by %lld s; set one of both clocks",
                 (long long)(off_ms / 1000));
        kim_log(KIM_LOG_WARNING, "agent_refused", {"agent", agent_name(a)}, {"msg", kim_text_of(text)});
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_CLOCK, text, ASK_AGAIN_MS);
        return;
    }
    if (is_cloned(s, hello, in->tick_ms)) {
        kim_log(KIM_LOG_ERROR, "agent_cloned", {"agent", agent_name(a)},
                {"msg", KIM_TEXT("two machines use this agent's key; revoke it, and enrol each by itself")});
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_OVERLOAD, "another machine uses this agent's key",
             OVERLOAD_AFTER_MS);
        return;
    }
    kim_error err = {0};
    s->peer = *from;
    s->heard_ms = s->sent_ms = in->tick_ms;
    memcpy(s->spool, hello->spool, sizeof s->spool);
    open_session(in, s);
    if (welcome(in, s, hello, &err) < 0) {
        bool theirs = err.code == KIM_ERR_INPUT;
        end_session(in, s, KIM_NO_TEXT, 0, theirs ? PROTOCOL_PROTOCOL : PROTOCOL_RETRY,
                    theirs ? err.message : "the controller could not read its store", RETRY_AFTER_MS * 5);
        if (!theirs)
            kim_log_error(KIM_LOG_ERROR, "store_failed", &err);
        return;
    }
    agents_heard(in->options.all, a, true, in->options.now_unix_ms());
    agents_set_version(in->options.all, a, hello->software);
    kim_log(KIM_LOG_INFO, "agent_came", {"agent", agent_name(a)}, {"software", hello->software});
}

/* ---- the others ---- */

static void take_ping(intake *in, session *s, const protocol_message *message)
{
    protocol_message pong = *message;
    pong.type = PROTOCOL_PONG;
    pong.ping.now_unix_ms = in->options.now_unix_ms();
    send_later(in, &s->peer, &pong);
    s->sent_ms = in->tick_ms;
}

static void take_status(intake *in, session *s, const protocol_message *message)
{
    const protocol_status *status = &message->status;
    char problem[PROTOCOL_TEXT_MAX_BYTES + 64] = "";
    if (status->code != 0)
        snprintf(problem, sizeof problem, "%s: %.*s", kim_code_name((kim_code)status->code), KIM_PRINT(status->text));
    agents_set_provider(in->options.all, s->of, status->provider, KIM_NO_TEXT, false, kim_text_of(problem));
    if (status->code != 0)
        kim_log(KIM_LOG_WARNING, "provider_fails", {"agent", agent_name(s->of)}, {"provider", status->provider},
                {"msg", kim_text_of(problem)});
}

static void take_rotate(intake *in, session *s, const protocol_message *message)
{
    (void)message;
    nack(in, &s->peer, s->number, KIM_NO_TEXT, 0, PROTOCOL_PROTOCOL, "this controller does not rotate keys yet", 0);
}

static void let_pass(intake *in, session *s, const protocol_message *message)
{
    (void)in, (void)s, (void)message;
}

static const struct {
    protocol_type type;
    void (*take)(intake *in, session *s, const protocol_message *message);
    const char *fault; /* fault.h; NULL: none */
} handlers[] = {
    {PROTOCOL_SNAPSHOT_BEGIN, take_begin, "intake_begin"},
    {PROTOCOL_DATA, take_data, "intake_data"},
    {PROTOCOL_SNAPSHOT_COMMIT, take_commit, "intake_commit"},
    {PROTOCOL_PING, take_ping, NULL},
    {PROTOCOL_PONG, let_pass, NULL},   /* that it was heard is all it says */
    {PROTOCOL_RESULT, let_pass, NULL}, /* no command was sent */
    {PROTOCOL_ROTATE, take_rotate, NULL},
    {PROTOCOL_STATUS, take_status, NULL},
};

static void dispatch(intake *in, session *s, const protocol_message *message)
{
    for (size_t i = 0; i < sizeof handlers / sizeof *handlers; i++)
        if (handlers[i].type == message->type) {
            if (handlers[i].fault)
                fault_point(handlers[i].fault);
            handlers[i].take(in, s, message);
            return;
        }
    end_session(in, s, KIM_NO_TEXT, 0, PROTOCOL_PROTOCOL, "this message is not the agent's to send", RETRY_AFTER_MS);
}

/* ---- one message ---- */

static void empty(kim_arena **arena)
{
    kim_arena *fresh = kim_arena_used(*arena) > ARENA_KEPT_BYTES ? kim_arena_new(DECODE_MAX_BYTES) : NULL;
    if (!fresh) {
        kim_arena_reset(*arena);
        return;
    }
    kim_arena_free(*arena);
    *arena = fresh;
}

/* May this key send now? If not, it was answered. */
static agent *admit(intake *in, const intake_peer *from, const uint8_t *key)
{
    store_agent_state state;
    agent *a = agents_find(in->options.all, key, &state);
    if (a && state == STORE_AGENT_ACTIVE)
        return a;
    if (a)
        close_session(in, *agent_session(a));
    if (a && state == STORE_AGENT_REVOKED)
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_REVOKED, "this agent was revoked", ASK_AGAIN_MS);
    else
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_UNKNOWN_AGENT,
             a ? "this agent waits for an administrator: kim agent approve NAME" : "this key is not enrolled here",
             ASK_AGAIN_MS);
    return NULL;
}

void intake_message(intake *in, const intake_peer *from, const uint8_t key[STORE_KEY_BYTES],
                    const uint8_t *bytes, size_t size, int64_t tick_ms)
{
    kim_error err = {0};
    protocol_message message;
    in->tick_ms = tick_ms;
    empty(&in->arena);
    empty(&in->scratch);
    agent *a = admit(in, from, key);
    if (!a)
        return;
    session *s = *agent_session(a);
    bool is_session = s && s->is_open && s->peer.size == from->size &&
                      memcmp(s->peer.bytes, from->bytes, from->size) == 0;
    if (protocol_decode(bytes, size, &message, &err) < 0) {
        kim_log_error(KIM_LOG_WARNING, "message_refused", &err, {"agent", agent_name(a)});
        if (is_session && err.code != KIM_ERR_UNSUPPORTED)
            end_session(in, s, KIM_NO_TEXT, 0, PROTOCOL_PROTOCOL, err.message, RETRY_AFTER_MS);
        else
            nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_PROTOCOL, err.message, RETRY_AFTER_MS);
        return;
    }
    if (message.type == PROTOCOL_HELLO) {
        fault_point("intake_hello");
        take_hello(in, a, from, &message.hello);
        return;
    }
    /* All that an agent sends within a session begins with its number. */
    if (!is_session || message.ping.session != s->number) {
        resync(in, from, KIM_NO_TEXT, "there is no such session; say HELLO");
        return;
    }
    s->heard_ms = tick_ms;
    dispatch(in, s, &message);
}

/* ---- enrolment ---- */

static bool too_many(intake *in, int64_t tick_ms)
{
    if (tick_ms / 1000 != in->enrol_second) {
        in->enrol_second = tick_ms / 1000;
        in->enrol_count = 0;
    }
    return ++in->enrol_count > ENROL_PER_SECOND;
}

static void enrol(intake *in, const intake_peer *from, const protocol_enrol *said)
{
    kim_error err = {0};
    store_agent_state state = in->options.approve_by_hand ? STORE_AGENT_PENDING : STORE_AGENT_ACTIVE, now;
    const agent *a = agents_enrol(in->options.all, said->token, said->public_key, state,
                                  in->options.now_unix_ms(), &err);
    if (!a || !agents_find(in->options.all, said->public_key, &now)) {
        bool refused = err.code == KIM_ERR_DENIED || err.code == KIM_ERR_CONFLICT;
        kim_log_error(KIM_LOG_WARNING, "enrolment_refused", &err);
        nack(in, from, 0, KIM_NO_TEXT, 0, refused ? PROTOCOL_UNKNOWN_AGENT : PROTOCOL_RETRY,
             refused ? "this token is not good (any more); make a new one with kim agent add"
                     : "the controller could not write to its store", RETRY_AFTER_MS * 5);
        return;
    }
    kim_log(KIM_LOG_INFO, "agent_enrolled", {"agent", agent_name(a)},
            {"state", kim_text_of(store_agent_state_name(now))});
    protocol_message message = {.type = PROTOCOL_ENROLLED,
                                .enrolled = {.agent = agent_name(a), .approved = now == STORE_AGENT_ACTIVE,
                                             .now_unix_ms = in->options.now_unix_ms()}};
    send_later(in, from, &message);
}

void intake_enrol(intake *in, const intake_peer *from, const uint8_t key[STORE_KEY_BYTES],
                  const uint8_t *bytes, size_t size, int64_t tick_ms)
{
    kim_error err = {0};
    protocol_message message;
    if (too_many(in, tick_ms))
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_OVERLOAD, "too many enrolments at once", OVERLOAD_AFTER_MS);
    else if (protocol_decode(bytes, size, &message, &err) < 0)
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_PROTOCOL, err.message, RETRY_AFTER_MS);
    else if (message.type != PROTOCOL_ENROL)
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_PROTOCOL, "this port takes ENROL only", RETRY_AFTER_MS);
    else if (memcmp(message.enrol.public_key, key, STORE_KEY_BYTES) != 0)
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_PROTOCOL, "public_key is not the key of this connection", RETRY_AFTER_MS);
    else if (message.enrol.version_min > PROTOCOL_VERSION_MAX || message.enrol.version_max < PROTOCOL_VERSION_MIN)
        nack(in, from, 0, KIM_NO_TEXT, 0, PROTOCOL_PROTOCOL, "no common version of the protocol", ASK_AGAIN_MS);
    else
        enrol(in, from, &message.enrol);
    send_answers(in, false);
}
