/* SPDX-License-Identifier: Apache-2.0
 *
 * show.c - everything known of one identity, gathered by walks over the estate's records.
 *
 * "Its" identities are the identity itself and all groups that it is a member of, nearest first; an
 * attachment or an edge counts when it speaks of one of those.
 */
#include <stdlib.h>

#include <kim/limits.h>

#include "controller/present/http/handlers.h"
#include "controller/present/http/members.h"

enum {
    ROWS_MAX = 1000,       /* of members, of those who can become it, of actions used */
    GROUPS_MAX = 4096,
    USAGE_DAYS = 400,      /* as far back as usage is shown, from the newest log's end */
    DAY_MS = 24 * 60 * 60 * 1000,
};

typedef struct membership {
    kim_text id;
    kim_text via;
    bool eligible;
} membership;

typedef struct subject {
    estate *es;
    const kim_record *record;     /* the identity */
    membership of[GROUPS_MAX];    /* [0] is the identity itself */
    size_t count;
} subject;

static const kim_record *records_of(const subject *s, kim_record_type type, size_t *count)
{
    return estate_records(s->es, type, count);
}

/* ---- its groups ---- */

static bool is_of(const subject *s, kim_text id)
{
    for (size_t i = 0; i < s->count; i++)
        if (kim_text_equal(s->of[i].id, id))
            return true;
    return false;
}

/* Level by level, so that the nearest groups come first. */
static void find_groups(subject *s)
{
    size_t count, level = 0;
    const kim_record *edges = records_of(s, KIM_EDGE, &count);
    s->of[0] = (membership){.id = s->record->identity.id};
    s->count = 1;
    for (int depth = 0; depth < KIM_MEMBERSHIP_MAX_DEPTH && level < s->count; depth++) {
        size_t end = s->count;
        for (size_t i = 0; i < count; i++) {
            const kim_edge *edge = &edges[i].edge;
            if (edge->kind != KIM_MEMBER_OF || s->count == GROUPS_MAX)
                continue;
            for (size_t k = level; k < end; k++)
                if (kim_text_equal(s->of[k].id, edge->from) && !is_of(s, edge->to)) {
                    s->of[s->count++] = (membership){edge->to, edge->via, edge->eligible || s->of[k].eligible};
                    break;
                }
        }
        level = end;
    }
}

/* ---- its parts ---- */

static void write_groups(const subject *s, kim_json_writer *to)
{
    kim_json_key(to, "groups");
    kim_json_begin_array(to);
    for (size_t i = 1; i < s->count; i++) {
        kim_json_begin_object(to);
        put_text(to, "id", s->of[i].id);
        put_text(to, "via", s->of[i].via);
        put_bool(to, "eligible", s->of[i].eligible);
        kim_json_end_object(to);
    }
    kim_json_end_array(to);
}

static void write_edges(const subject *s, kim_edge_kind kind, bool from_it, const char *name,
                        const char *total_name, kim_json_writer *to)
{
    size_t count, total = 0;
    const kim_record *edges = records_of(s, KIM_EDGE, &count);
    kim_text id = s->record->identity.id;
    kim_json_key(to, name);
    kim_json_begin_array(to);
    for (size_t i = 0; i < count; i++) {
        const kim_edge *edge = &edges[i].edge;
        if (edge->kind != (int32_t)kind || !kim_text_equal(from_it ? edge->from : edge->to, id))
            continue;
        if (total++ >= ROWS_MAX)
            continue;
        kim_json_begin_object(to);
        put_text(to, "id", from_it ? edge->to : edge->from);
        put_text(to, "via", edge->via);
        if (edge->eligible)
            put_bool(to, "eligible", true);
        put_text(to, "condition", edge->condition.text);
        kim_json_end_object(to);
    }
    kim_json_end_array(to);
    if (total > ROWS_MAX)
        put_int(to, total_name, (int64_t)total);
}

/* The records of a type that belong to the identity, as they are. */
static void write_belongings(const subject *s, kim_record_type type, const char *name, kim_json_writer *to)
{
    size_t count;
    const kim_record *records = records_of(s, type, &count);
    kim_json_key(to, name);
    kim_json_begin_array(to);
    for (size_t i = 0; i < count; i++) {
        kim_text owner = type == KIM_KEY ? records[i].key.identity : records[i].credential.identity;
        if (kim_text_equal(owner, s->record->identity.id) && kim_text_equal(records[i].scope, s->record->scope))
            kim_record_write_json(&records[i], to);
    }
    kim_json_end_array(to);
}

static void write_policy(const subject *s, const kim_attachment *attached, kim_json_writer *to)
{
    size_t count;
    const kim_record *records = records_of(s, KIM_POLICY, &count);
    kim_json_begin_object(to);
    put_text(to, "layer", attached->layer);
    if (!kim_text_equal(attached->subject, s->record->identity.id))
        put_text(to, "through", attached->subject);
    if (attached->eligible)
        put_bool(to, "eligible", true);
    for (size_t i = 0; i < count; i++)
        if (kim_text_equal(records[i].policy.id, attached->policy)) {
            kim_json_key(to, "policy");
            kim_record_write_json(&records[i], to);
            break;
        }
    records = records_of(s, KIM_STATEMENT, &count);
    kim_json_key(to, "statements");
    kim_json_begin_array(to);
    for (size_t i = 0; i < count; i++)
        if (kim_text_equal(records[i].statement.policy, attached->policy))
            kim_record_write_json(&records[i], to);
    kim_json_end_array(to);
    kim_json_end_object(to);
}

static void write_policies(const subject *s, kim_json_writer *to)
{
    size_t count;
    const kim_record *records = records_of(s, KIM_ATTACHMENT, &count);
    kim_json_key(to, "policies");
    kim_json_begin_array(to);
    for (size_t i = 0; i < count; i++)
        if (!kim_text_is_absent(records[i].attachment.subject) && is_of(s, records[i].attachment.subject))
            write_policy(s, &records[i].attachment, to);
    kim_json_end_array(to);
}

/* ---- what it did ---- */

/* The store gives a total for each action, resource and outcome, those of an action together: they
 * become one row for each outcome. */
typedef struct used {
    kim_json_writer *to;
    char action[KIM_ID_MAX_BYTES + 1]; /* of the rows being added up; empty: none yet */
    int64_t counts[KIM_FAILED + 1], lasts_unix_ms[KIM_FAILED + 1]; /* by outcome */
    int64_t last_unix_ms;
    size_t rows;
} used;

static void end_rows(used *u)
{
    for (int outcome = KIM_SUCCESS; outcome <= KIM_FAILED && u->action[0] != '\0'; outcome++) {
        if (u->counts[outcome] == 0 || u->rows++ >= ROWS_MAX)
            continue;
        kim_json_begin_object(u->to);
        put_string(u->to, "action", u->action);
        put_int(u->to, "count", u->counts[outcome]);
        put_time(u->to, "last_unix_ms", u->lasts_unix_ms[outcome]);
        put_string(u->to, "outcome", kim_enum_name("usage", "outcome", outcome));
        kim_json_end_object(u->to);
    }
    memset(u->counts, 0, sizeof u->counts);
    memset(u->lasts_unix_ms, 0, sizeof u->lasts_unix_ms);
}

static int add_total(void *context, const store_usage_total *total, kim_error *err)
{
    (void)err;
    used *u = context;
    if (total->outcome < KIM_SUCCESS || total->outcome > KIM_FAILED)
        return 0;
    if (!kim_text_is(total->action, u->action)) {
        end_rows(u);
        size_t size = total->action.size < KIM_ID_MAX_BYTES ? total->action.size : KIM_ID_MAX_BYTES;
        memcpy(u->action, total->action.bytes, size);
        u->action[size] = '\0';
    }
    u->counts[total->outcome] += total->count;
    if (total->last_unix_ms > u->lasts_unix_ms[total->outcome])
        u->lasts_unix_ms[total->outcome] = total->last_unix_ms;
    if (total->last_unix_ms > u->last_unix_ms)
        u->last_unix_ms = total->last_unix_ms;
    return 0;
}

static int write_usage(const request *rq, const subject *s, kim_json_writer *to, kim_error *err)
{
    if (rq->store == NULL)
        return 0;
    int64_t today = rq->backend->now_unix_ms(rq->backend->context) / DAY_MS;
    store_usage_filter filter = {
        .from_day = request_usage_end_unix_ms(rq, s->es) / DAY_MS - USAGE_DAYS,
        .to_day = today + 1, /* an agent's clock may be ahead */
        .scope = s->record->scope, .identity = s->record->identity.id,
    };
    used u = {.to = to};
    kim_json_key(to, "usage");
    kim_json_begin_object(to);
    put_int(to, "from_day", filter.from_day);
    put_int(to, "to_day", today);
    kim_json_key(to, "actions");
    kim_json_begin_array(to);
    int result = store_usage_totals(rq->store, &filter, add_total, &u, err);
    end_rows(&u);
    kim_json_end_array(to);
    if (u.rows > ROWS_MAX)
        put_int(to, "actions_total", (int64_t)u.rows);
    put_time(to, "last_unix_ms", u.last_unix_ms);
    kim_json_end_object(to);
    return result;
}

static int write_all(const request *rq, subject *s, reply *rp, kim_error *err)
{
    kim_json_writer *to = reply_writer(rp);
    find_groups(s);
    kim_json_begin_object(to);
    kim_json_key(to, "identity");
    kim_record_write_json(s->record, to);
    write_belongings(s, KIM_KEY, "keys", to);
    write_belongings(s, KIM_CREDENTIAL, "credentials", to);
    write_groups(s, to);
    write_edges(s, KIM_MEMBER_OF, false, "members", "members_total", to);
    write_edges(s, KIM_CAN_BECOME, true, "can_become", "can_become_total", to);
    write_edges(s, KIM_CAN_BECOME, false, "become_by", "become_by_total", to);
    write_policies(s, to);
    if (write_usage(rq, s, to, err) < 0)
        return -1;
    kim_json_end_object(to);
    return reply_document(rp, err);
}

int show_identity(request *rq, reply *rp, kim_error *err)
{
    estate *es = request_estate(rq, err);
    subject *s = es != NULL ? calloc(1, sizeof *s) : NULL;
    int result = -1;
    if (es != NULL && s == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory to show an identity");
    if (s != NULL) {
        s->es = es;
        s->record = request_find_identity(es, request_param(rq, "id"), err);
        if (s->record != NULL)
            result = write_all(rq, s, rp, err);
    }
    free(s);
    estate_release(es);
    return result;
}
