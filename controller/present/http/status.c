/* SPDX-License-Identifier: Apache-2.0
 *
 * status.c - how the controller and its estate are.
 */
#include "config.h"

#include "controller/present/http/handlers.h"
#include "controller/present/http/members.h"

enum { LACKING_MAX = 100 };

/* The states that an agent can be in, as members of "agents"; the last counts beside them. */
static const char *const agent_states[] = {"invited", "pending", "active", "revoked", "connected"};
enum { AGENT_STATES = 5, CONNECTED = 4 };

static int count_agent(void *counts, const http_agent *agent)
{
    uint64_t *of = counts;
    for (int i = 0; i < CONNECTED; i++)
        of[i] += kim_text_is(agent->state, agent_states[i]);
    of[CONNECTED] += agent->connected;
    return 0;
}

static void write_counts(kim_json_writer *to, const char *const *names, const uint64_t *counts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_int(to, names[i], (int64_t)counts[i]);
}

static int write_agents(const request *rq, kim_json_writer *to, kim_error *err)
{
    uint64_t counts[AGENT_STATES] = {0};
    if (rq->backend->agents != NULL && rq->backend->agents(rq->backend->context, count_agent, counts, err) < 0)
        return -1;
    kim_json_key(to, "agents");
    kim_json_begin_object(to);
    write_counts(to, agent_states, counts, AGENT_STATES);
    kim_json_end_object(to);
    return 0;
}

static size_t records_of(const estate *es, kim_record_type type, const kim_record **first)
{
    size_t count = 0;
    const kim_record *records = es != NULL ? estate_records(es, type, &count) : NULL;
    if (first != NULL)
        *first = records;
    return count;
}

static void write_records(const estate *es, uint64_t usage_rows, kim_json_writer *to)
{
    kim_json_key(to, "records");
    kim_json_begin_object(to);
    for (int type = 1; type < KIM_RECORD_TYPES; type++)
        put_int(to, kim_record_type_name((kim_record_type)type),
                (int64_t)(type == KIM_USAGE ? usage_rows : records_of(es, (kim_record_type)type, NULL)));
    kim_json_end_object(to);
}

static void write_identities(const estate *es, kim_json_writer *to)
{
    uint64_t counts[KIM_PUBLIC + 1] = {0};
    const kim_record *records;
    size_t count = records_of(es, KIM_IDENTITY, &records);
    for (size_t i = 0; i < count; i++)
        if (records[i].identity.kind >= KIM_HUMAN && records[i].identity.kind <= KIM_PUBLIC)
            counts[records[i].identity.kind]++;
    kim_json_key(to, "identities");
    kim_json_begin_object(to);
    for (int32_t kind = KIM_HUMAN; kind <= KIM_PUBLIC; kind++)
        put_int(to, kim_enum_name("identity", "kind", kind), (int64_t)counts[kind]);
    kim_json_end_object(to);
}

static void write_lacking(const kim_record *record, kim_json_writer *to)
{
    kim_json_begin_object(to);
    put_text(to, "scope", record->scope);
    put_text(to, "part", record->coverage.part);
    put_string(to, "status", kim_enum_name("coverage", "status", record->coverage.status));
    put_text(to, "why", record->coverage.why);
    kim_json_end_object(to);
}

static void write_coverage(const estate *es, kim_json_writer *to)
{
    static const char *const names[] = {"read", "partial", "unreadable", "stale"};
    uint64_t counts[4] = {0};
    const kim_record *records;
    size_t count = records_of(es, KIM_COVERAGE, &records);
    for (size_t i = 0; i < count; i++)
        if (records[i].coverage.status >= KIM_READ && records[i].coverage.status <= KIM_STALE)
            counts[records[i].coverage.status - KIM_READ]++;
    kim_json_key(to, "coverage");
    kim_json_begin_object(to);
    write_counts(to, names, counts, 4);
    kim_json_key(to, "lacking");
    kim_json_begin_array(to);
    size_t written = 0;
    for (size_t i = 0; i < count && written < LACKING_MAX; i++)
        if (records[i].coverage.status != KIM_READ) {
            write_lacking(&records[i], to);
            written++;
        }
    kim_json_end_array(to);
    kim_json_end_object(to);
}

int show_status(request *rq, reply *rp, kim_error *err)
{
    http_status status = {0};
    if (rq->backend->status != NULL && rq->backend->status(rq->backend->context, &status, err) < 0)
        return -1;
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    put_string(to, "version", PACKAGE_VERSION);
    put_time(to, "started_unix_ms", status.started_unix_ms);
    put_time(to, "now_unix_ms", rq->backend->now_unix_ms(rq->backend->context));
    put_time(to, "published_unix_ms", status.published_unix_ms);
    if (write_agents(rq, to, err) < 0)
        return -1;
    estate *es = rq->backend->estate(rq->backend->context);
    write_records(es, status.usage_rows, to);
    write_identities(es, to);
    write_coverage(es, to);
    kim_json_end_object(to);
    int result = reply_document(rp, err); /* before the estate goes: the texts are its own */
    estate_release(es);
    return result;
}
