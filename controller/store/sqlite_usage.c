/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_usage.c - usage: added in sorted batches, read back by merging the days.
 *
 * The tree's key begins with the day, then the scope, so that a batch is written to one region of it.
 * Reading goes the other way, by identity over many days; there each day of a scope is a run that is
 * already in the order of identity, action, resource and outcome, and a heap over one cursor a day
 * merges the runs. It needs no second index and no memory that grows with the rows, and it is the one
 * walk from which rows, totals and summaries are folded.
 */
#include "controller/store/sqlite.h"

#include <stdlib.h>

/* ---- adding ---- */

/* The columns of the key. Each costs a comparison a row, so what has few values shares a column: ACTION
 * is the action's number * OUTCOMES + outcome, RESOURCE the resource's * 2 + widened. */
enum { DAY, SCOPE, IDENTITY, ACTION, RESOURCE, VIA, KEYS };
enum { OUTCOMES = 4 };

typedef struct usage_row {
    int64_t key[KEYS];
    int64_t count, first_ms, last_ms;
} usage_row;

static int compare_keys(const int64_t *a, const int64_t *b, int from, int to)
{
    for (int i = from; i < to; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static int compare_rows(const void *a, const void *b)
{
    const usage_row *const *x = a, *const *y = b;
    return compare_keys((*x)->key, (*y)->key, 0, KEYS);
}

/* Texts of neighbours are often the same: they are met as the same bytes. */
typedef struct last_text {
    kim_text text;
    int64_t id;
} last_text;

static int64_t intern_again(store *st, last_text *last, kim_text text, kim_error *err)
{
    if (text.size == last->text.size && text.bytes && last->text.bytes &&
        memcmp(text.bytes, last->text.bytes, text.size) == 0)
        return last->id;
    *last = (last_text){text, text_intern(st, text, err)};
    return last->id;
}

static int number_row(store *st, const kim_record *record, last_text last[KEYS], usage_row *row,
                      kim_error *err)
{
    const kim_usage *u = &record->usage;
    const kim_text texts[KEYS] = {[SCOPE] = record->scope, [IDENTITY] = u->identity, [ACTION] = u->action,
                                  [RESOURCE] = u->resource, [VIA] = u->via};
    for (int i = SCOPE; i < KEYS; i++)
        if ((row->key[i] = intern_again(st, &last[i], texts[i], err)) < 0)
            return -1;
    row->key[DAY] = u->day;
    row->key[ACTION] = row->key[ACTION] * OUTCOMES + u->outcome;
    row->key[RESOURCE] = row->key[RESOURCE] * 2 + u->widened;
    row->count = u->count;
    row->first_ms = u->first_unix_ms;
    row->last_ms = u->last_unix_ms;
    return 0;
}

static int64_t sum(int64_t a, int64_t b)
{
    int64_t out;
    return __builtin_add_overflow(a, b, &out) ? INT64_MAX : out;
}

/* The earlier of two times, of which 0 is none. */
static int64_t earlier(int64_t a, int64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

static void add_up(usage_row *into, const usage_row *row)
{
    into->count = sum(into->count, row->count);
    into->first_ms = earlier(into->first_ms, row->first_ms);
    into->last_ms = row->last_ms > into->last_ms ? row->last_ms : into->last_ms;
}

/* In the order of the tree, each key once; gives how many are left. */
static size_t sort_rows(usage_row **rows, size_t count)
{
    qsort(rows, count, sizeof *rows, compare_rows);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (kept && compare_keys(rows[kept - 1]->key, rows[i]->key, 0, KEYS) == 0)
            add_up(rows[kept - 1], rows[i]);
        else
            rows[kept++] = rows[i];
    return kept;
}

/* ---- a batch as a table ---- */

/* SQLite reads a sorted batch as the virtual table usage_batch, so that one statement writes it all: to
 * bind, step and reset a statement for each row would take half as long again.
 * Source: sqlite.org/vtab.html, eponymous-only virtual tables. */

enum { COUNT = KEYS, FIRST_MS, LAST_MS };

typedef struct batch_table {
    sqlite3_vtab base;
    const store *st;
} batch_table;

typedef struct batch_cursor {
    sqlite3_vtab_cursor base;
    size_t at;
} batch_cursor;

static int connect_batch(sqlite3 *db, void *context, int argc, const char *const *argv,
                         sqlite3_vtab **out, char **why)
{
    (void)argc, (void)argv, (void)why;
    batch_table *table = calloc(1, sizeof *table);
    if (!table)
        return SQLITE_NOMEM;
    table->st = context;
    *out = &table->base;
    return sqlite3_declare_vtab(db, "create table x(day, scope, identity, action, resource, via, count,"
                                    " first_ms, last_ms)");
}

static int disconnect_batch(sqlite3_vtab *table)
{
    free(table);
    return SQLITE_OK;
}

static int plan_batch(sqlite3_vtab *table, sqlite3_index_info *plan)
{
    (void)table;
    plan->estimatedCost = 10000; /* always read whole */
    return SQLITE_OK;
}

static int open_batch(sqlite3_vtab *table, sqlite3_vtab_cursor **out)
{
    (void)table;
    batch_cursor *cursor = calloc(1, sizeof *cursor);
    *out = cursor ? &cursor->base : NULL;
    return cursor ? SQLITE_OK : SQLITE_NOMEM;
}

static int close_batch(sqlite3_vtab_cursor *cursor)
{
    free(cursor);
    return SQLITE_OK;
}

static int begin_batch(sqlite3_vtab_cursor *cursor, int number, const char *name, int argc, sqlite3_value **argv)
{
    (void)number, (void)name, (void)argc, (void)argv;
    ((batch_cursor *)cursor)->at = 0;
    return SQLITE_OK;
}

static int next_in_batch(sqlite3_vtab_cursor *cursor)
{
    ((batch_cursor *)cursor)->at++;
    return SQLITE_OK;
}

static const store *store_of(const sqlite3_vtab_cursor *cursor)
{
    return ((const batch_table *)cursor->pVtab)->st;
}

static int is_batch_over(sqlite3_vtab_cursor *cursor)
{
    return ((batch_cursor *)cursor)->at >= store_of(cursor)->usage_count;
}

static int column_of_batch(sqlite3_vtab_cursor *cursor, sqlite3_context *out, int column)
{
    const usage_row *row = store_of(cursor)->usage_order[((batch_cursor *)cursor)->at];
    sqlite3_result_int64(out, column < KEYS      ? row->key[column]
                              : column == COUNT    ? row->count
                              : column == FIRST_MS ? row->first_ms
                                                   : row->last_ms);
    return SQLITE_OK;
}

static int rowid_of_batch(sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((batch_cursor *)cursor)->at;
    return SQLITE_OK;
}

static const sqlite3_module batch_module = {
    .xConnect = connect_batch, .xDisconnect = disconnect_batch, .xBestIndex = plan_batch,
    .xOpen = open_batch, .xClose = close_batch, .xFilter = begin_batch, .xNext = next_in_batch,
    .xEof = is_batch_over, .xColumn = column_of_batch, .xRowid = rowid_of_batch,
};

int usage_set_up(store *st, kim_error *err)
{
    return sqlite3_create_module(st->writer.db, "usage_batch", &batch_module, st) == SQLITE_OK
               ? 0
               : sqlite_fail(err, st->writer.db, "cannot add usage");
}

/* ---- writing a batch ---- */

static const char upsert_sql[] =
    "insert into usage select * from usage_batch where true"
    " on conflict(day, scope, identity, action, resource, via) do update set"
    " count=count+excluded.count," /* past 2^63 SQLite goes on as a real, which reads as the greatest */
    " first_ms=case when first_ms=0 or (excluded.first_ms<first_ms and excluded.first_ms<>0)"
    " then excluded.first_ms else first_ms end,"
    " last_ms=max(last_ms, excluded.last_ms)";

static int write_day(store *st, const usage_row *row, kim_error *err)
{
    sqlite3_stmt *insert = kept_statement(&st->writer, "insert or ignore into usage_day(day, scope) values(?1, ?2)", err);
    if (!insert)
        return -1;
    sqlite3_bind_int64(insert, 1, row->key[DAY]);
    sqlite3_bind_int64(insert, 2, row->key[SCOPE]);
    return run(insert, err);
}

static int write_rows(store *st, kim_error *err)
{
    usage_row **rows = st->usage_order;
    for (size_t i = 0; i < st->usage_count; i++)
        if ((i == 0 || compare_keys(rows[i - 1]->key, rows[i]->key, DAY, IDENTITY) != 0) &&
            write_day(st, rows[i], err) < 0)
            return -1;
    sqlite3_stmt *upsert = kept_statement(&st->writer, upsert_sql, err);
    return upsert ? run(upsert, err) : -1;
}

/* Room for a batch, kept for the next one. */
static int reserve_rows(store *st, size_t count, kim_error *err)
{
    if (count <= st->usage_room)
        return 0;
    usage_row *rows = realloc(st->usage_rows, count * sizeof *rows);
    st->usage_rows = rows ? rows : st->usage_rows;
    usage_row **order = realloc(st->usage_order, count * sizeof *order);
    st->usage_order = order ? order : st->usage_order;
    if (!rows || !order)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for %zu usage rows", count);
    st->usage_room = count;
    return 0;
}

static int add_usage(store *st, const store_mark *mark, const kim_record *records, size_t count,
                     kim_error *err)
{
    int64_t source = source_of(st, mark->agent, mark->stream, err);
    int moved = source < 0 ? -1 : mark_move(st, source, mark, err);
    if (moved != 0 || count == 0)
        return moved;
    if (reserve_rows(st, count, err) < 0)
        return -1;
    last_text last[KEYS] = {0};
    for (size_t i = 0; i < count; i++) {
        if (number_row(st, &records[i], last, &st->usage_rows[i], err) < 0)
            return -1;
        st->usage_order[i] = &st->usage_rows[i];
    }
    st->usage_count = sort_rows(st->usage_order, count);
    return write_rows(st, err);
}

int store_add_usage(store *st, const store_mark *mark, const kim_record *records, size_t count,
                    kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    return write_end(st, add_usage(st, mark, records, count, err), err);
}

/* ---- the merge of the days ---- */

typedef struct run_cursor {
    sqlite3_stmt *statement; /* one day of one scope, in the order of the key */
    usage_row row;           /* where it stands */
} run_cursor;

typedef struct merge {
    store *st;
    connection *c;
    text_names names;
    int64_t from_day, to_day;
    int64_t scope, identity; /* numbers; 0: all */
    run_cursor *runs;        /* [run_count], one a day; their statements serve scope after scope */
    size_t run_count, run_room;
    run_cursor **heap;       /* [heap_count] <= run_count, the least row first */
    size_t heap_count;
    sqlite3_stmt *scopes, *days;
    bool ended; /* past the last scope: a statement stepped on would begin again */
} merge;

/* By identity, action and outcome, resource; then by day and via. The scope is the same for all. */
static int compare_cursors(const run_cursor *a, const run_cursor *b)
{
    int order = compare_keys(a->row.key, b->row.key, IDENTITY, VIA);
    if (order == 0)
        order = compare_keys(a->row.key, b->row.key, DAY, SCOPE);
    return order ? order : compare_keys(a->row.key, b->row.key, VIA, KEYS);
}

static void sink(merge *m, size_t at)
{
    for (;;) {
        size_t least = at, left = 2 * at + 1, right = left + 1;
        if (left < m->heap_count && compare_cursors(m->heap[left], m->heap[least]) < 0)
            least = left;
        if (right < m->heap_count && compare_cursors(m->heap[right], m->heap[least]) < 0)
            least = right;
        if (least == at)
            return;
        run_cursor *other = m->heap[at];
        m->heap[at] = m->heap[least];
        m->heap[least] = other;
        at = least;
    }
}

/* Steps a cursor on; 1, or 0 at its end. */
static int advance(run_cursor *cursor, kim_error *err)
{
    int result = step(cursor->statement, err);
    if (result <= 0) {
        sqlite3_reset(cursor->statement);
        return result;
    }
    for (int i = 0; i < KEYS; i++)
        cursor->row.key[i] = sqlite3_column_int64(cursor->statement, i);
    cursor->row.count = sqlite3_column_int64(cursor->statement, KEYS);
    cursor->row.first_ms = sqlite3_column_int64(cursor->statement, KEYS + 1);
    cursor->row.last_ms = sqlite3_column_int64(cursor->statement, KEYS + 2);
    return 1;
}

static const char run_sql[] = "select * from usage where day=?1 and scope=?2";
static const char run_of_identity_sql[] = "select * from usage where day=?1 and scope=?2 and identity=?3";

static run_cursor *next_run(merge *m, kim_error *err)
{
    if (m->run_count == m->run_room) {
        size_t room = m->run_room ? m->run_room * 2 : 128;
        run_cursor *runs = realloc(m->runs, room * sizeof *runs);
        run_cursor **heap = realloc(m->heap, room * sizeof *heap);
        m->runs = runs ? runs : m->runs;
        m->heap = heap ? heap : m->heap;
        if (!runs || !heap) {
            kim_fail(err, KIM_ERR_NOMEM, "no memory to read %zu days of usage", room);
            return NULL;
        }
        memset(runs + m->run_room, 0, (room - m->run_room) * sizeof *runs);
        m->run_room = room;
    }
    run_cursor *cursor = &m->runs[m->run_count];
    if (!cursor->statement &&
        !(cursor->statement = new_statement(m->c, m->identity ? run_of_identity_sql : run_sql, err)))
        return NULL;
    m->run_count++;
    return cursor;
}

/* Opens a cursor for each day that the scope has usage on. */
static int open_runs(merge *m, int64_t scope, kim_error *err)
{
    sqlite3_bind_int64(m->days, 1, scope);
    sqlite3_bind_int64(m->days, 2, m->from_day);
    sqlite3_bind_int64(m->days, 3, m->to_day);
    m->run_count = m->heap_count = 0;
    int result;
    while ((result = step(m->days, err)) > 0) {
        run_cursor *cursor = next_run(m, err);
        if (!cursor) {
            result = -1;
            break;
        }
        sqlite3_bind_int64(cursor->statement, 1, sqlite3_column_int64(m->days, 0));
        sqlite3_bind_int64(cursor->statement, 2, scope);
        if (m->identity)
            sqlite3_bind_int64(cursor->statement, 3, m->identity);
    }
    sqlite3_reset(m->days);
    for (size_t i = 0; i < m->run_count && result == 0; i++) { /* m->runs no longer moves */
        result = advance(&m->runs[i], err);
        if (result > 0)
            m->heap[m->heap_count++] = &m->runs[i];
        result = result < 0 ? -1 : 0;
    }
    for (size_t at = m->heap_count / 2; at-- > 0;)
        sink(m, at);
    return result;
}

static int merge_open(merge *m, store *st, const store_usage_filter *filter, kim_error *err)
{
    *m = (merge){.st = st, .from_day = filter->from_day, .to_day = filter->to_day};
    if (filter->from_day == 0 && filter->to_day == 0) {
        m->from_day = INT64_MIN;
        m->to_day = INT64_MAX;
    }
    if (!(m->c = read_begin(st, err)) || names_open(&m->names, m->c, err) < 0 ||
        (m->scope = text_find(st, m->c, filter->scope, err)) < 0 ||
        (m->identity = text_find(st, m->c, filter->identity, err)) < 0)
        return -1;
    bool never_met = (m->scope == 0 && !kim_text_is_absent(filter->scope)) ||
                     (m->identity == 0 && !kim_text_is_absent(filter->identity));
    m->scopes = new_statement(m->c, never_met ? "select 0 where 0"
                                    : m->scope ? "select ?1"
                                               : "select distinct scope from usage_day", err);
    m->days = new_statement(
        m->c, "select day from usage_day where scope=?1 and day between ?2 and ?3 order by day", err);
    if (m->scopes && m->scope && !never_met)
        sqlite3_bind_int64(m->scopes, 1, m->scope);
    return m->scopes && m->days ? 0 : -1;
}

static void merge_close(merge *m)
{
    for (size_t i = 0; i < m->run_room; i++)
        sqlite3_finalize(m->runs[i].statement);
    free(m->runs);
    free(m->heap);
    sqlite3_finalize(m->scopes);
    sqlite3_finalize(m->days);
    names_close(&m->names);
    read_end(m->st, m->c);
}

/* The next row into *out: 1, or 0 after the last. */
static int merge_next(merge *m, usage_row *out, kim_error *err)
{
    while (m->heap_count == 0) {
        int result = m->ended ? 0 : step(m->scopes, err);
        m->ended = result <= 0;
        if (result <= 0)
            return result;
        if (open_runs(m, sqlite3_column_int64(m->scopes, 0), err) < 0)
            return -1;
    }
    run_cursor *first = m->heap[0];
    *out = first->row;
    int result = advance(first, err);
    if (result < 0)
        return -1;
    if (result == 0)
        m->heap[0] = m->heap[--m->heap_count];
    sink(m, 0);
    return 1;
}

/* ---- rows, totals, summaries ---- */

static int32_t outcome_of(const int64_t key[KEYS])
{
    return (int32_t)(key[ACTION] % OUTCOMES);
}

static bool is_widened(const int64_t key[KEYS])
{
    return key[RESOURCE] % 2 != 0;
}

static int name_key(merge *m, const int64_t key[KEYS], kim_text texts[KEYS], kim_error *err)
{
    static const int shares[KEYS] = {[SCOPE] = 1, [IDENTITY] = 1, [ACTION] = OUTCOMES, [RESOURCE] = 2, [VIA] = 1};
    names_trim(&m->names);
    for (int i = SCOPE; i < KEYS; i++)
        if (names_get(&m->names, key[i] / shares[i], &texts[i], err) < 0)
            return -1;
    return 0;
}

int store_usage_rows(store *st, const store_usage_filter *filter, store_usage_function *each,
                     void *context, kim_error *err)
{
    merge m;
    usage_row row;
    int result = merge_open(&m, st, filter, err);
    while (result == 0 && (result = merge_next(&m, &row, err)) > 0) {
        kim_text texts[KEYS];
        if ((result = name_key(&m, row.key, texts, err)) < 0)
            break;
        kim_usage usage = {
            .day = row.key[DAY], .identity = texts[IDENTITY], .action = texts[ACTION],
            .resource = texts[RESOURCE], .outcome = outcome_of(row.key), .count = row.count,
            .first_unix_ms = row.first_ms, .last_unix_ms = row.last_ms, .via = texts[VIA],
            .widened = is_widened(row.key),
        };
        result = each(context, texts[SCOPE], &usage, err);
    }
    merge_close(&m);
    return result;
}

/* Rows folded together while they agree in all but day and via. */
typedef struct fold {
    usage_row total;
    int64_t days;
    bool begun;
} fold;

/* Gives one total at a time: 1, or 0 after the last. */
static int next_total(merge *m, fold *ahead, fold *out, kim_error *err)
{
    usage_row row;
    int result;
    while ((result = merge_next(m, &row, err)) > 0) {
        if (ahead->begun && compare_keys(ahead->total.key, row.key, SCOPE, VIA) == 0) {
            ahead->days += ahead->total.key[DAY] != row.key[DAY];
            ahead->total.key[DAY] = row.key[DAY];
            add_up(&ahead->total, &row);
            continue;
        }
        fold done = *ahead;
        *ahead = (fold){.total = row, .days = 1, .begun = true};
        if (done.begun) {
            *out = done;
            return 1;
        }
    }
    *out = *ahead;
    ahead->begun = false;
    return result < 0 ? -1 : out->begun;
}

int store_usage_totals(store *st, const store_usage_filter *filter, store_usage_total_function *each,
                       void *context, kim_error *err)
{
    merge m;
    fold ahead = {0}, next;
    int result = merge_open(&m, st, filter, err);
    while (result == 0 && (result = next_total(&m, &ahead, &next, err)) > 0) {
        kim_text texts[KEYS];
        next.total.key[VIA] = 0; /* all of them */
        if ((result = name_key(&m, next.total.key, texts, err)) < 0)
            break;
        store_usage_total total = {
            .scope = texts[SCOPE], .identity = texts[IDENTITY], .action = texts[ACTION],
            .resource = texts[RESOURCE], .outcome = outcome_of(next.total.key),
            .widened = is_widened(next.total.key), .count = next.total.count, .days = next.days,
            .first_unix_ms = next.total.first_ms, .last_unix_ms = next.total.last_ms,
        };
        result = each(context, &total, err);
    }
    merge_close(&m);
    return result;
}

static void add_to_summary(store_usage_summary *summary, const usage_row *total)
{
    int64_t *counts[] = {[KIM_SUCCESS] = &summary->success, [KIM_REFUSED] = &summary->denied,
                         [KIM_FAILED] = &summary->failed};
    int32_t outcome = outcome_of(total->key);
    if (outcome >= KIM_SUCCESS && outcome <= KIM_FAILED)
        *counts[outcome] = sum(*counts[outcome], total->count);
    summary->first_unix_ms = earlier(summary->first_unix_ms, total->first_ms);
    if (total->last_ms > summary->last_unix_ms)
        summary->last_unix_ms = total->last_ms;
    if (outcome != KIM_SUCCESS)
        return;
    summary->actions++;
    if (total->last_ms > summary->last_success_unix_ms)
        summary->last_success_unix_ms = total->last_ms;
}

int store_usage_summaries(store *st, const store_usage_filter *filter,
                          store_usage_summary_function *each, void *context, kim_error *err)
{
    merge m;
    fold ahead = {0}, next;
    store_usage_summary summary = {0};
    int64_t of[KEYS] = {0}; /* the identity being summed up */
    bool begun = false;
    int more = 0, result = merge_open(&m, st, filter, err);
    while (result == 0 && (more = next_total(&m, &ahead, &next, err)) >= 0) {
        if (begun && (more == 0 || compare_keys(of, next.total.key, SCOPE, ACTION) != 0)) {
            names_trim(&m.names);
            if (names_get(&m.names, of[SCOPE], &summary.scope, err) < 0 ||
                names_get(&m.names, of[IDENTITY], &summary.identity, err) < 0)
                more = -1;
            else
                result = each(context, &summary, err);
            summary = (store_usage_summary){0};
        }
        if (more <= 0)
            break;
        memcpy(of, next.total.key, sizeof of);
        begun = true;
        add_to_summary(&summary, &next.total);
    }
    merge_close(&m);
    return result == 0 && more < 0 ? -1 : result;
}

/* ---- identities without usage ---- */

typedef struct unused_search {
    store *st;
    connection *c;
    sqlite3_stmt *used; /* has (scope, identity) usage in those days? */
    int64_t from_day, to_day;
    kim_arena *arena;
    store_record_function *each;
    void *context;
} unused_search;

static int is_used(unused_search *search, kim_text scope, kim_text identity, kim_error *err)
{
    int64_t scope_id = text_find(search->st, search->c, scope, err);
    int64_t identity_id = text_find(search->st, search->c, identity, err);
    if (scope_id <= 0 || identity_id <= 0)
        return scope_id < 0 || identity_id < 0 ? -1 : 0;
    sqlite3_bind_int64(search->used, 1, scope_id);
    sqlite3_bind_int64(search->used, 2, identity_id);
    sqlite3_bind_int64(search->used, 3, search->from_day);
    sqlite3_bind_int64(search->used, 4, search->to_day);
    int result = step(search->used, err);
    sqlite3_reset(search->used);
    return result;
}

static int check_identity(void *context, const store_record *record, kim_error *err)
{
    unused_search *search = context;
    kim_record identity;
    size_t used_bytes;
    kim_arena_reset(search->arena);
    if (kim_record_decode(record->bytes, record->size, search->arena, &identity, &used_bytes, err) < 0)
        return kim_fail_in(err, "a record of agent %.*s", KIM_PRINT(record->agent));
    int used = is_used(search, record->scope, identity.identity.id, err);
    return used ? (used < 0 ? -1 : 0) : search->each(search->context, record, err);
}

int store_unused(store *st, const store_usage_filter *filter, store_record_function *each,
                 void *context, kim_error *err)
{
    bool all_days = filter->from_day == 0 && filter->to_day == 0;
    unused_search search = {
        .st = st, .each = each, .context = context, .arena = kim_arena_new(SIZE_MAX),
        .from_day = all_days ? INT64_MIN : filter->from_day,
        .to_day = all_days ? INT64_MAX : filter->to_day,
    };
    int result = -1;
    if (!search.arena) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to look for unused identities");
    } else if ((search.c = read_begin(st, err)) &&
               (search.used = new_statement(
                    search.c, "select 1 from usage_day d cross join usage u on u.day=d.day and"
                              " u.scope=d.scope and u.identity=?2 where d.scope=?1 and d.day between ?3 and ?4"
                              " limit 1", err))) {
        store_filter identities = {.type = KIM_IDENTITY, .scope = filter->scope};
        result = store_records(st, &identities, check_identity, &search, err);
    }
    sqlite3_finalize(search.used);
    read_end(st, search.c);
    kim_arena_free(search.arena);
    return result;
}

int store_usage_count(store *st, uint64_t *rows, kim_error *err)
{
    connection *c = read_begin(st, err);
    sqlite3_stmt *count = c ? new_statement(c, "select count(*) from usage", err) : NULL;
    int result = count ? step(count, err) : -1;
    if (result > 0)
        *rows = (uint64_t)sqlite3_column_int64(count, 0);
    sqlite3_finalize(count);
    read_end(st, c);
    return result < 0 ? -1 : 0;
}

/* ---- the digest ---- */

typedef struct digest_sum {
    uint8_t *digest;
    uint64_t records, usage_rows;
    kim_bytes bytes;
} digest_sum;

static int add_hash(digest_sum *into, kim_error *err)
{
    if (into->bytes.failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the digest");
    uint8_t hash[KIM_RECORD_HASH_BYTES];
    kim_record_hash(into->bytes.data, into->bytes.size, hash);
    kim_digest_add(into->digest, hash);
    return 0;
}

static int add_record(void *context, const store_record *record, kim_error *err)
{
    digest_sum *into = context;
    into->bytes.size = 0;
    kim_bytes_append(&into->bytes, record->agent.bytes, record->agent.size + 1); /* SQLite's NUL parts them */
    kim_bytes_append(&into->bytes, record->stream.bytes, record->stream.size + 1);
    kim_bytes_append(&into->bytes, record->bytes, record->size);
    into->records++;
    return add_hash(into, err);
}

static int add_usage_row(void *context, kim_text scope, const kim_usage *usage, kim_error *err)
{
    digest_sum *into = context;
    kim_record record = {.type = KIM_USAGE, .scope = scope, .usage = *usage};
    into->bytes.size = 0;
    if (kim_record_encode(&record, &into->bytes, err) < 0)
        return -1;
    into->usage_rows++;
    return add_hash(into, err);
}

int store_digest(store *st, uint8_t digest[KIM_RECORD_HASH_BYTES], uint64_t *records,
                 uint64_t *usage_rows, kim_error *err)
{
    uint8_t sum_of_all[KIM_RECORD_HASH_BYTES] = {0};
    digest_sum into = {.digest = sum_of_all};
    int result = store_records(st, &(store_filter){0}, add_record, &into, err);
    if (result == 0)
        result = store_usage_rows(st, &(store_usage_filter){0}, add_usage_row, &into, err);
    kim_bytes_free(&into.bytes);
    if (result != 0)
        return -1;
    memcpy(digest, sum_of_all, sizeof sum_of_all);
    *records = into.records;
    *usage_rows = into.usage_rows;
    return 0;
}
