/* SPDX-License-Identifier: Apache-2.0
 *
 * streams.c - each stream goes up by one, and what breaks the order is said once.
 *
 * A session knows of each stream the last message taken; the store knows the same, durably. A message
 * is the next one, or one that came before (acknowledged again), or a gap (the session ends, and the
 * next WELCOME says where to go on). After a RESYNC or a poisoned snapshot the messages that are still
 * on the way are let pass until the next SNAPSHOT_BEGIN.
 */
#include "controller/ingest/sessions.h"

#include <stdio.h>

#include "sdk/log.h"

enum {
    ENTRY_MIN_BYTES = 4, /* an array's head, a type, a scope of one letter */
    USAGE_MIN_BYTES = 8, /* a day, an identity, an action and an outcome more */
    MS_PER_DAY = 24 * 3600 * 1000,
};
#define SEQUENCE_MAX ((uint64_t)INT64_MAX / 2) /* the store's numbers are signed */

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

void take_begin(intake *in, session *s, const protocol_message *message)
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

void take_commit(intake *in, session *s, const protocol_message *message)
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

void take_data(intake *in, session *s, const protocol_message *message)
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
