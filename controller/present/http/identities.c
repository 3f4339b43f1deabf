/* SPDX-License-Identifier: Apache-2.0
 *
 * identities.c - the list of identities, a page at a time.
 *
 * The estate keeps identities in the order of their ids, so a page is named by the last id of the one
 * before: it stays right when a newer estate has come between two pages. Identities of several scopes
 * may share an id; a page never ends between those.
 */
#include <kim/limits.h>

#include "controller/present/http/handlers.h"
#include "controller/present/http/members.h"

enum { PAGE_ROWS = 1000, PAGE_MAX_ROWS = 10000 };

typedef struct selection {
    const estate *es;
    kim_text filter; /* lower case; absent: all */
    kim_text scope;
    kim_texts kinds;
    kim_arena *scratch; /* for one identity */
} selection;

static bool holds(kim_text text, kim_text lower_part, kim_arena *scratch)
{
    kim_text lower = kim_text_lower(scratch, text);
    return lower_part.size == 0 ||
           (lower.bytes != NULL && memmem(lower.bytes, lower.size, lower_part.bytes, lower_part.size) != NULL);
}

static bool lies_in(const estate *es, kim_text scope, kim_text wanted)
{
    for (int depth = 0; depth < KIM_SCOPE_MAX_DEPTH && !kim_text_is_absent(scope); depth++) {
        if (kim_text_equal(scope, wanted))
            return true;
        const kim_record *record = estate_find(es, KIM_SCOPE, scope);
        if (record == NULL)
            return false;
        scope = record->as_scope.parent;
    }
    return false;
}

static bool is_one_of(const char *name, kim_texts names)
{
    for (size_t i = 0; i < names.count; i++)
        if (kim_text_is(names.items[i], name))
            return true;
    return false;
}

static bool is_selected(const selection *wanted, const kim_record *record)
{
    const kim_identity *identity = &record->identity;
    kim_arena_reset(wanted->scratch);
    return (wanted->kinds.count == 0 ||
            is_one_of(kim_enum_name("identity", "kind", identity->kind), wanted->kinds)) &&
           (kim_text_is_absent(wanted->scope) || lies_in(wanted->es, record->scope, wanted->scope)) &&
           (kim_text_is_absent(wanted->filter) || holds(identity->id, wanted->filter, wanted->scratch) ||
            holds(identity->name, wanted->filter, wanted->scratch));
}

static void write_identity(kim_json_writer *to, const kim_record *record)
{
    const kim_identity *identity = &record->identity;
    kim_json_begin_object(to);
    put_text(to, "id", identity->id);
    put_text(to, "scope", record->scope);
    put_string(to, "kind", kim_enum_name("identity", "kind", identity->kind));
    put_text(to, "name", identity->name);
    put_string(to, "state", kim_enum_name("identity", "state", identity->state ? identity->state : KIM_ACTIVE));
    if (identity->external)
        put_bool(to, "external", true);
    if (identity->ephemeral)
        put_bool(to, "ephemeral", true);
    put_text(to, "owner", identity->owner);
    put_time(to, "created_unix_ms", identity->created_unix_ms);
    put_time(to, "last_seen_unix_ms", identity->last_seen_unix_ms);
    kim_json_end_object(to);
}

/* The first identity whose id comes after `page`. */
static size_t begin_of(const kim_record *records, size_t count, kim_text page)
{
    size_t low = 0, high = kim_text_is_absent(page) ? 0 : count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kim_text_compare(records[middle].identity.id, page) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int write_page(const selection *wanted, kim_text page, int64_t limit, reply *rp, kim_error *err)
{
    size_t count;
    const kim_record *records = estate_records(wanted->es, KIM_IDENTITY, &count);
    kim_text last = KIM_NO_TEXT;
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    kim_json_end_object(to);
    if (reply_open_list(rp, "identities", err) < 0)
        return -1;
    int64_t written = 0;
    size_t i = begin_of(records, count, page);
    for (; i < count; i++) {
        if (written >= limit && !kim_text_equal(records[i].identity.id, last))
            break;
        if (!is_selected(wanted, &records[i]))
            continue;
        last = records[i].identity.id;
        write_identity(to, &records[i]);
        if (reply_item(rp, err) < 0)
            return -1;
        written++;
    }
    if (i < count) {
        kim_json_begin_object(to);
        put_text(to, "next", last);
        kim_json_end_object(to);
    }
    return reply_close_list(rp, err);
}

int list_identities(request *rq, reply *rp, kim_error *err)
{
    int64_t limit;
    selection wanted = {
        .filter = kim_text_lower(rq->arena, request_param(rq, "filter")),
        .scope = request_param(rq, "scope"),
        .kinds = request_params(rq, "kind"),
    };
    if (request_number(rq, "limit", 1, PAGE_MAX_ROWS, PAGE_ROWS, &limit, err) < 0 ||
        request_check_choice(rq, "kind", "human, service, workload, device, ai_agent, group, role, public", err) < 0)
        return -1;
    estate *es = request_estate(rq, err);
    if (es == NULL)
        return -1;
    wanted.es = es;
    wanted.scratch = kim_arena_new(64 * 1024);
    int result = wanted.scratch == NULL ? kim_fail(err, KIM_ERR_NOMEM, "no memory to list identities")
                                        : write_page(&wanted, request_param(rq, "page"), limit, rp, err);
    kim_arena_free(wanted.scratch);
    estate_release(es);
    return result;
}
