/* SPDX-License-Identifier: Apache-2.0
 *
 * intake.c - sessions of agents: each stream goes up by one, and what breaks the order is said once.
 *
 * A session knows of each stream the last message taken; the store knows the same, durably. A message
 * is the next one, or one that came before (acknowledged again), or a gap (the session ends, and the
 * next WELCOME says where to go on). After a RESYNC or a poisoned snapshot the messages that are still
 * on the way are let pass until the next SNAPSHOT_BEGIN.
 */
#include "controller/ingest/intake.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "sdk/fault.h"
#include "sdk/log.h"
#include "sdk/protocol.h"

enum {
    DECODE_MAX_BYTES = 96 * 1024 * 1024, /* a batch of 1 MiB made of the smallest usage records */
    ARENA_KEPT_BYTES = 16 * 1024 * 1024, /* after a message that took more its memory is given back */
    ENTRY_MIN_BYTES = 4,                 /* an array's head, a type, a scope of one letter */
    USAGE_MIN_BYTES = 8,                 /* a day, an identity, an action and an outcome more */
    RETRY_AFTER_MS = 1000,
    OVERLOAD_AFTER_MS = 30000,
    ASK_AGAIN_MS = 300000,                /* revoked, or not approved yet */
    CLOCK_MAX_OFF_MS = 24 * 3600 * 1000,  /* usage would be booked on wrong days */
    MS_PER_DAY = 24 * 3600 * 1000,
    SPREAD_MS_PER_AGENT = 2,              /* 500 handshakes a second at most: half of what one core does */
    SPREAD_MIN_MS = 1000,
    ENROL_PER_SECOND = 20,                /* each costs a transaction */
    CLONE_SWAPS = 3,                      /* two runs that take turns so often are two machines */
    CLONE_WINDOW_MS = 600000,
};
#define SEQUENCE_MAX ((uint64_t)INT64_MAX / 2) /* the store's numbers are signed */

typedef struct stream {
    char *name;
    bool is_usage;
    bool passing;        /* messages pass unread until the next SNAPSHOT_BEGIN */
    uint64_t sequence;   /* the last message taken */
    uint64_t durable;    /* what ACK names: of a state stream, the last SNAPSHOT_COMMIT */
    uint64_t generation; /* published */
    uint64_t staging;    /* being staged; 0: none */
} stream;

typedef struct session session;
struct session {
    agent *of;
    intake_peer peer;
    uint64_t number;
    uint8_t spool[PROTOCOL_SPOOL_BYTES], nonce[PROTOCOL_NONCE_BYTES], nonce_before[PROTOCOL_NONCE_BYTES];
    unsigned swaps;      /* how often the nonce went back to the one before */
    int64_t swapped_ms;
    stream *streams;     /* [stream_count] */
    size_t stream_count;
    bool is_open;
    int64_t heard_ms, sent_ms;
    uint64_t group;      /* the last group that it wrote in */
    session *next, *previous; /* of all open sessions */
};

typedef struct answer {
    intake_peer to;
    size_t at, size; /* in the bytes of all answers */
} answer;

struct intake {
    intake_options options;
    session *sessions;  /* the open ones; each belongs to its agent */
    bool in_group, group_failed, published;
    uint64_t group;     /* its number */
    kim_error why;      /* why it failed */
    answer *answers;
    size_t answer_count, answer_room;
    kim_bytes sending, inflated;
    kim_arena *arena, *scratch;
    int64_t tick_ms, enrol_second;
    unsigned enrol_count;
};

/* ---- answers ---- */

static void send_later(intake *in, const intake_peer *to, const protocol_message *message)
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

static void close_session(intake *in, session *s);

/* The connection is gone, and with it the session. */
static void lose_peer(intake *in, const intake_peer *peer)
{
    for (session *s = in->sessions, *next; s; s = next) {
        next = s->next;
        if (s->peer.size == peer->size && memcmp(s->peer.bytes, peer->bytes, peer->size) == 0)
            close_session(in, s);
    }
}

/* with_sessions: not those of the enrolment port, whose addresses mean other connections */
static void send_answers(intake *in, bool with_sessions)
{
    for (size_t i = 0; i < in->answer_count; i++) {
        const answer *a = &in->answers[i];
        if (in->options.send(in->options.context, &a->to, in->sending.data + a->at, a->size) < 0 && with_sessions)
            lose_peer(in, &a->to);
    }
    in->answer_count = 0;
    in->sending.size = 0;
}

static void nack(intake *in, const intake_peer *to, uint64_t session_number, kim_text stream_name,
                 uint64_t sequence, protocol_class class, const char *text, uint64_t retry_after_ms)
{
    protocol_message message = {
        .type = PROTOCOL_NACK,
        .nack = {.session = session_number, .stream = stream_name, .sequence = sequence, .class = class,
                 .text = kim_text_of(text), .retry_after_ms = retry_after_ms, .credit = sequence ? 1 : 0},
    };
    send_later(in, to, &message);
}

static void resync(intake *in, const intake_peer *to, kim_text stream_name, const char *text)
{
    protocol_message message = {.type = PROTOCOL_RESYNC,
                                .resync = {.stream = stream_name, .text = kim_text_of(text)}};
    send_later(in, to, &message);
}

static void ack(intake *in, session *s, const stream *st)
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

static void close_session(intake *in, session *s)
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

/* Says why, and ends the session: the agent comes back with HELLO. */
static void end_session(intake *in, session *s, kim_text stream_name, uint64_t sequence,
                        protocol_class class, const char *text, uint64_t retry_after_ms)
{
    kim_log(KIM_LOG_WARNING, "session_ended", {"agent", agent_name(s->of)}, {"stream", stream_name},
            {"class", kim_text_of(protocol_class_name((int)class))}, {"msg", kim_text_of(text)});
    nack(in, &s->peer, s->number, stream_name, sequence, class, text, retry_after_ms);
    close_session(in, s);
}

static void open_session(intake *in, session *s)
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

static session *session_of(agent *a)
{
    session **place = agent_session(a);
    if (!*place && (*place = calloc(1, sizeof **place)))
        (*place)->of = a;
    return *place;
}

static stream *stream_of(const session *s, kim_text name)
{
    for (size_t i = 0; i < s->stream_count; i++)
        if (kim_text_is(name, s->streams[i].name))
            return &s->streams[i];
    return NULL;
}

/* ---- groups ---- */

static int begin_group(intake *in, session *s, kim_error *err)
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

/* The store failed: whatever else is in the group is not kept either. */
static void fail_group(intake *in, const kim_error *why)
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

/* ---- the order of a stream ---- */

static store_mark mark_of(const session *s, const stream *st, uint64_t sequence)
{
    store_mark mark = {.agent = agent_name(s->of), .stream = kim_text_of(st->name), .sequence = sequence};
    memcpy(mark.spool, s->spool, sizeof mark.spool);
    return mark;
}

/* Is this the message to take now? If not, it was answered. leaps: it may go up by more than one. */
static bool is_next(intake *in, session *s, stream *st, kim_text name, uint64_t sequence, bool leaps)
{
    char text[160];
    if (!st || sequence == 0 || sequence > SEQUENCE_MAX) {
        snprintf(text, sizeof text, "stream '%.*s' was not in HELLO, or %llu is no sequence",
                 (int)(name.size < 64 ? name.size : 64), name.bytes ? name.bytes : "", (unsigned long long)sequence);
        end_session(in, s, name, sequence, PROTOCOL_PROTOCOL, text, RETRY_AFTER_MS);
        return false;
    }
    if (sequence <= st->sequence || (st->passing && !leaps)) {
        ack(in, s, st);
        return false;
    }
    if (sequence == st->sequence + 1 || leaps)
        return true;
    snprintf(text, sizeof text, "message %llu came after %llu: something between them is missing",
             (unsigned long long)sequence, (unsigned long long)st->sequence);
    end_session(in, s, name, sequence, PROTOCOL_RETRY, text, RETRY_AFTER_MS);
    return false;
}

/* What the store says of a message: taken, to be sent anew in full, or a failure of the store. */
static void after_store(intake *in, session *s, stream *st, uint64_t sequence, int result,
                        const kim_error *err)
{
    kim_error ignored;
    if (result >= 0) {
        st->sequence = sequence;
        ack(in, s, st);
    } else if (err->code == KIM_ERR_CONFLICT) {
        kim_log_error(KIM_LOG_WARNING, "resync", err, {"agent", agent_name(s->of)});
        if (store_stage_drop(in->options.st, agent_name(s->of), kim_text_of(st->name), &ignored) < 0)
            fail_group(in, &ignored);
        st->staging = 0;
        st->passing = true;
        resync(in, &s->peer, kim_text_of(st->name), err->message);
        ack(in, s, st); /* its credit */
    } else {
        fail_group(in, err);
    }
}

/* ---- SNAPSHOT_BEGIN, SNAPSHOT_COMMIT ---- */

static void take_begin(intake *in, session *s, const protocol_message *message)
{
    const protocol_begin *begin = &message->begin;
    kim_error err = {0};
    stream *st = stream_of(s, begin->stream);
    if (!is_next(in, s, st, begin->stream, begin->sequence, true))
        return;
    if (st->is_usage || begin->generation == 0 || begin->generation > SEQUENCE_MAX ||
        begin->generation <= st->generation) {
        end_session(in, s, begin->stream, begin->sequence, PROTOCOL_PROTOCOL,
                    "a snapshot needs a state stream and a generation above the published one", RETRY_AFTER_MS);
        return;
    }
    if (begin->base != 0 && begin->base != st->generation) {
        kim_fail(&err, KIM_ERR_CONFLICT, "the change starts from generation %llu, but %llu is published; send a full snapshot",
                 (unsigned long long)begin->base, (unsigned long long)st->generation);
        if (begin_group(in, s, &err) < 0)
            fail_group(in, &err);
        else
            after_store(in, s, st, begin->sequence, -1, &err);
        return;
    }
    store_mark mark = mark_of(s, st, begin->sequence);
    int result = begin_group(in, s, &err);
    if (result == 0)
        result = store_stage_begin(in->options.st, &mark, begin->generation, begin->base == 0, &err);
    if (result >= 0) {
        st->passing = false;
        st->staging = begin->generation;
    }
    after_store(in, s, st, begin->sequence, result, &err);
}

static void take_commit(intake *in, session *s, const protocol_message *message)
{
    const protocol_commit *commit = &message->commit;
    kim_error err = {0};
    stream *st = stream_of(s, commit->stream);
    if (!is_next(in, s, st, commit->stream, commit->sequence, false))
        return;
    store_mark mark = mark_of(s, st, commit->sequence);
    int result = begin_group(in, s, &err);
    if (result == 0)
        result = store_publish(in->options.st, &mark, commit->generation, commit->count, commit->digest,
                               in->options.now_unix_ms(), &err);
    if (result >= 0) {
        st->durable = commit->sequence;
        st->generation = commit->generation;
        st->staging = 0;
        in->published = true;
        kim_log(KIM_LOG_INFO, "snapshot_published", {"agent", agent_name(s->of)}, {"stream", commit->stream});
    }
    after_store(in, s, st, commit->sequence, result, &err);
}

/* ---- DATA ---- */

/* The entries of a batch, decoded and checked. */
typedef struct batch {
    store_change *changes; /* [count] of a state stream */
    kim_record *records;   /* [count] of a usage stream, without those refused */
    size_t count, refused;
    kim_text refused_scope; /* the first one */
} batch;

static int check_usage(const kim_usage *usage, int64_t today, kim_error *err)
{
    if (usage->count > 0 && usage->day >= 0 && usage->day <= today + 2)
        return 0;
    return kim_fail(err, KIM_ERR_INPUT, "usage of '%.*s' on day %lld, %lld times: not from 1970 to today, or not once",
                    (int)(usage->identity.size < 100 ? usage->identity.size : 100), usage->identity.bytes,
                    (long long)usage->day, (long long)usage->count);
}

static int take_entry(intake *in, const session *s, const stream *st, const protocol_entry *entry,
                      int64_t today, batch *out, kim_error *err)
{
    if (entry->gone) {
        if (st->is_usage || entry->type == KIM_USAGE || !kim_record_type_name(entry->type))
            return kim_fail(err, KIM_ERR_INPUT, "record type %d cannot be gone", (int)entry->type);
        store_change *change = &out->changes[out->count++];
        *change = (store_change){.type = entry->type, .scope = entry->scope};
        memcpy(change->key, entry->key, sizeof change->key);
        return 0;
    }
    kim_record record;
    size_t used;
    if (!st->is_usage)
        kim_arena_reset(in->scratch);
    if (kim_record_decode(entry->bytes, entry->size, in->scratch, &record, &used, err) < 0)
        return -1;
    if (used != entry->size)
        return kim_fail(err, KIM_ERR_INPUT, "a record goes on after its last field");
    if ((record.type == KIM_USAGE) != st->is_usage)
        return kim_fail(err, KIM_ERR_INPUT, "stream '%s' takes no %s records", st->name, kim_record_type_name(record.type));
    bool refused = !agent_speaks_for(s->of, record.scope);
    if (refused && out->refused++ == 0)
        out->refused_scope = record.scope;
    if (st->is_usage) {
        if (check_usage(&record.usage, today, err) < 0)
            return -1;
        if (!refused)
            out->records[out->count++] = record;
        return 0;
    }
    store_change *change = &out->changes[out->count++];
    *change = (store_change){.type = record.type, .scope = record.scope, .bytes = entry->bytes,
                             .size = entry->size, .refused = refused};
    kim_record_key(&record, change->key);
    return 0;
}

/* Fails with KIM_ERR_NOMEM, or with what makes the message poison. */
static int read_batch(intake *in, const session *s, const stream *st, const protocol_data *data,
                      batch *out, kim_error *err)
{
    const uint8_t *bytes;
    size_t size, offset = 0, seen = 0;
    protocol_entry entry;
    int more;
    if (protocol_inflate(data, &in->inflated, &bytes, &size, err) < 0)
        return -1;
    if (data->count > size / (st->is_usage ? USAGE_MIN_BYTES : ENTRY_MIN_BYTES))
        return kim_fail(err, KIM_ERR_INPUT, "%llu entries cannot be in %zu bytes", (unsigned long long)data->count, size);
    if (st->is_usage)
        out->records = KIM_NEW_ARRAY(in->arena, kim_record, data->count + 1);
    else
        out->changes = KIM_NEW_ARRAY(in->arena, store_change, data->count + 1);
    if (!out->records && !out->changes)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for %llu entries", (unsigned long long)data->count);
    int64_t today = in->options.now_unix_ms() / MS_PER_DAY;
    while ((more = protocol_next_entry(bytes, size, &offset, &entry, err)) > 0) {
        if (seen == data->count)
            return kim_fail(err, KIM_ERR_INPUT, "more than the %llu entries that it claims, at byte %zu of %zu",
                            (unsigned long long)data->count, offset, size);
        if (take_entry(in, s, st, &entry, today, out, err) < 0)
            return kim_fail_in(err, "entry %zu, which ends at byte %zu of %zu", seen, offset, size);
        seen++;
    }
    if (more == 0 && seen != data->count)
        return kim_fail(err, KIM_ERR_INPUT, "%zu entries, not the %llu that it claims", seen, (unsigned long long)data->count);
    return more;
}

/* Never to be taken: usage goes on behind it, a snapshot begins anew. */
static void poison(intake *in, session *s, stream *st, const protocol_data *data, const kim_error *why)
{
    kim_error err = {0};
    kim_log_error(KIM_LOG_WARNING, "batch_refused", why, {"agent", agent_name(s->of)}, {"stream", data->stream});
    int result = begin_group(in, s, &err);
    if (result == 0 && st->is_usage) {
        store_mark mark = mark_of(s, st, data->sequence);
        mark.cursor = data->cursor;
        mark.cursor_size = data->cursor_size;
        result = store_add_usage(in->options.st, &mark, NULL, 0, &err);
        st->sequence = st->durable = data->sequence;
    } else if (result == 0) {
        result = store_stage_drop(in->options.st, agent_name(s->of), kim_text_of(st->name), &err);
        st->staging = 0;
        st->passing = true;
    }
    if (result < 0)
        fail_group(in, &err);
    else
        nack(in, &s->peer, s->number, data->stream, data->sequence, PROTOCOL_POISON, why->message, 0);
}

static void report_refused(const session *s, const stream *st, const batch *b)
{
    char count[32];
    snprintf(count, sizeof count, "%zu", b->refused);
    kim_log(KIM_LOG_WARNING, "records_refused", {"agent", agent_name(s->of)}, {"stream", kim_text_of(st->name)},
            {"count", kim_text_of(count)}, {"scope", b->refused_scope},
            {"msg", KIM_TEXT("the agent is not enrolled for this scope; if it should be, add it again with it")});
}

static void take_data(intake *in, session *s, const protocol_message *message)
{
    const protocol_data *data = &message->data;
    kim_error err = {0};
    batch b = {0};
    stream *st = stream_of(s, data->stream);
    if (!is_next(in, s, st, data->stream, data->sequence, false))
        return;
    if (read_batch(in, s, st, data, &b, &err) < 0) {
        if (err.code == KIM_ERR_NOMEM)
            end_session(in, s, data->stream, data->sequence, PROTOCOL_OVERLOAD, err.message, OVERLOAD_AFTER_MS);
        else
            poison(in, s, st, data, &err);
        return;
    }
    if (b.refused)
        report_refused(s, st, &b);
    store_mark mark = mark_of(s, st, data->sequence);
    mark.cursor = data->cursor;
    mark.cursor_size = data->cursor_size;
    int result = begin_group(in, s, &err);
    if (result == 0 && st->is_usage)
        result = store_add_usage(in->options.st, &mark, b.records, b.count, &err);
    else if (result == 0)
        result = store_stage(in->options.st, &mark, st->staging, b.changes, b.count, &err);
    if (result >= 0 && st->is_usage)
        st->durable = data->sequence;
    after_store(in, s, st, data->sequence, result, &err);
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
