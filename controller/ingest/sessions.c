/* SPDX-License-Identifier: Apache-2.0
 *
 * sessions.c - what lasts between messages: who is connected, what is being written, what is said after.
 *
 * Messages write into one group, and their answers wait in one buffer. The group is committed, then the
 * buffer is sent; where it cannot be committed the buffer is thrown away, and every session that wrote
 * in it is told to begin again: what it remembers of its streams was never kept.
 */
#include "controller/ingest/sessions.h"

#include <sodium.h>
#include <stdlib.h>

#include "sdk/fault.h"
#include "sdk/log.h"

/* ---- answers ---- */

void send_later(intake *in, const intake_peer *to, const protocol_message *message)
{
    kim_error err;
    size_t at = in->sending.size;
    if (in->answer_count == in->answer_room) {
        size_t room = in->answer_room ? in->answer_room * 2 : 64;
        answer *more = realloc(in->answers, room * sizeof *more);
        if (!more) /* as if the network had lost it */
            return;
        in->answers = more;
        in->answer_room = room;
    }
    if (protocol_encode(message, &in->sending, &err) < 0) {
        in->sending.size = at;
        in->sending.failed = false;
        kim_log_error(KIM_LOG_ERROR, "answer_lost", &err);
        return;
    }
    in->answers[in->answer_count++] = (answer){.to = *to, .at = at, .size = in->sending.size - at};
}

/* The connection is gone, and with it the session. */
static void lose_peer(intake *in, const intake_peer *peer)
{
    for (session *s = in->sessions, *next; s; s = next) {
        next = s->next;
        if (s->peer.size == peer->size && memcmp(s->peer.bytes, peer->bytes, peer->size) == 0)
            close_session(in, s);
    }
}

void send_answers(intake *in, bool with_sessions)
{
    for (size_t i = 0; i < in->answer_count; i++) {
        const answer *a = &in->answers[i];
        if (in->options.send(in->options.context, &a->to, in->sending.data + a->at, a->size) < 0 && with_sessions)
            lose_peer(in, &a->to);
    }
    in->answer_count = 0;
    in->sending.size = 0;
}

void nack(intake *in, const intake_peer *to, uint64_t session_number, kim_text stream_name,
                 uint64_t sequence, protocol_class class, const char *text, uint64_t retry_after_ms)
{
    protocol_message message = {
        .type = PROTOCOL_NACK,
        .nack = {.session = session_number, .stream = stream_name, .sequence = sequence, .class = class,
                 .text = kim_text_of(text), .retry_after_ms = retry_after_ms, .credit = sequence ? 1 : 0},
    };
    send_later(in, to, &message);
}

void resync(intake *in, const intake_peer *to, kim_text stream_name, const char *text)
{
    protocol_message message = {.type = PROTOCOL_RESYNC,
                                .resync = {.stream = stream_name, .text = kim_text_of(text)}};
    send_later(in, to, &message);
}

void ack(intake *in, session *s, const stream *st)
{
    protocol_message message = {.type = PROTOCOL_ACK,
                                .ack = {.session = s->number, .stream = kim_text_of(st->name),
                                        .sequence = st->durable, .credit = 1}};
    send_later(in, &s->peer, &message);
    s->sent_ms = in->tick_ms;
}

/* ---- sessions ---- */

static void free_streams(session *s)
{
    for (size_t i = 0; i < s->stream_count; i++)
        free(s->streams[i].name);
    free(s->streams);
    s->streams = NULL;
    s->stream_count = 0;
}

void close_session(intake *in, session *s)
{
    if (!s || !s->is_open)
        return;
    if (s->previous)
        s->previous->next = s->next;
    else
        in->sessions = s->next;
    if (s->next)
        s->next->previous = s->previous;
    s->next = s->previous = NULL;
    s->is_open = false;
    s->number = 0;
    free_streams(s);
    agents_heard(in->options.all, s->of, false, 0);
}

void end_session(intake *in, session *s, kim_text stream_name, uint64_t sequence,
                        protocol_class class, const char *text, uint64_t retry_after_ms)
{
    kim_log(KIM_LOG_WARNING, "session_ended", {"agent", agent_name(s->of)}, {"stream", stream_name},
            {"class", kim_text_of(protocol_class_name((int)class))}, {"msg", kim_text_of(text)});
    nack(in, &s->peer, s->number, stream_name, sequence, class, text, retry_after_ms);
    close_session(in, s);
}

void open_session(intake *in, session *s)
{
    s->is_open = true;
    s->next = in->sessions;
    s->previous = NULL;
    if (in->sessions)
        in->sessions->previous = s;
    in->sessions = s;
    do
        randombytes_buf(&s->number, sizeof s->number);
    while (s->number == 0);
}

session *session_of(agent *a)
{
    session **place = agent_session(a);
    if (!*place && (*place = calloc(1, sizeof **place)))
        (*place)->of = a;
    return *place;
}

stream *stream_of(const session *s, kim_text name)
{
    for (size_t i = 0; i < s->stream_count; i++)
        if (kim_text_is(name, s->streams[i].name))
            return &s->streams[i];
    return NULL;
}

/* ---- groups ---- */

int begin_group(intake *in, session *s, kim_error *err)
{
    if (in->group_failed)
        return kim_fail(err, KIM_ERR_IO, "%s", in->why.message);
    if (!in->in_group)
        in->group++;
    s->group = in->group;
    if (!in->in_group && store_begin(in->options.st, err) < 0)
        return -1;
    in->in_group = true;
    return 0;
}

void fail_group(intake *in, const kim_error *why)
{
    if (!in->group_failed)
        in->why = *why;
    in->group_failed = true;
}

static void drop_group(intake *in)
{
    kim_log_error(KIM_LOG_ERROR, "store_failed", &in->why);
    in->answer_count = 0; /* they would say what is not so */
    in->sending.size = 0;
    for (session *s = in->sessions, *next; s; s = next) {
        next = s->next;
        if (s->group == in->group)
            end_session(in, s, KIM_NO_TEXT, 0, PROTOCOL_RETRY,
                        "the controller could not write to its store; its log says why", RETRY_AFTER_MS * 5);
    }
}

void intake_commit(intake *in)
{
    kim_error err = {0};
    bool wrote = in->in_group;
    if (in->in_group) {
        fault_point("group_written");
        if (in->group_failed)
            store_abandon(in->options.st);
        else if (store_commit(in->options.st, &err) < 0)
            fail_group(in, &err);
        fault_point("group_committed");
    }
    if (in->group_failed)
        drop_group(in);
    bool published = in->published && !in->group_failed;
    in->in_group = in->group_failed = in->published = false;
    send_answers(in, true);
    if (wrote)
        fault_point("group_answered");
    if (published && in->options.published)
        in->options.published(in->options.context);
}

/* ---- time ---- */

void intake_tick(intake *in, int64_t tick_ms)
{
    int64_t now_unix_ms = in->options.now_unix_ms();
    in->tick_ms = tick_ms;
    for (session *s = in->sessions, *next; s; s = next) {
        next = s->next;
        if (tick_ms - s->heard_ms > PROTOCOL_DEAD_MS) {
            kim_log(KIM_LOG_WARNING, "agent_silent", {"agent", agent_name(s->of)});
            close_session(in, s);
        } else if (tick_ms - s->sent_ms >= PROTOCOL_PING_MS) {
            protocol_message ping = {.type = PROTOCOL_PING,
                                     .ping = {.session = s->number, .token = (uint64_t)tick_ms, .now_unix_ms = now_unix_ms}};
            send_later(in, &s->peer, &ping);
            s->sent_ms = tick_ms;
            agents_heard(in->options.all, s->of, true, now_unix_ms - (tick_ms - s->heard_ms));
        }
    }
    intake_commit(in);
}

/* ---- life ---- */

intake *intake_new(const intake_options *options, kim_error *err)
{
    intake *in = calloc(1, sizeof *in);
    if (in) {
        in->options = *options;
        in->arena = kim_arena_new(DECODE_MAX_BYTES);
        in->scratch = kim_arena_new(DECODE_MAX_BYTES);
    }
    if (!in || !in->arena || !in->scratch) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to take messages in");
        intake_free(in);
        return NULL;
    }
    return in;
}

void intake_free(intake *in)
{
    if (!in)
        return;
    if (in->in_group)
        store_abandon(in->options.st);
    while (in->sessions)
        close_session(in, in->sessions);
    kim_arena_free(in->arena);
    kim_arena_free(in->scratch);
    kim_bytes_free(&in->sending);
    kim_bytes_free(&in->inflated);
    free(in->answers);
    free(in);
}
