/* SPDX-License-Identifier: Apache-2.0
 *
 * usage_upsert.c - usage rolled up into SQLite: through the store, and by the bare day-first loop.
 *
 *     usage_upsert [EVENTS [BATCH [FOLDER]]]     10000000 10000 /tmp
 *
 * The bare loop is what SQLite itself allows: whole numbers for keys, one upsert a row, sorted batches,
 * (day, identity, action) as key, WAL, 8 KiB pages, synchronous=NORMAL. The store does the same work
 * from records with texts, with scope, resource, outcome and via in its key, a mark a batch, and the
 * log synced at each commit. Both get the same events; equal sums and rows are checked. They take turns
 * a quarter at a time, so that noise of the machine meets both.
 *
 * Prints one JSON object: name, value, unit, yardstick, yardstick_value, ratio.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "controller/store/store.h"

enum { IDENTITIES = 20000, ACTIONS = 40 * 37, DAYS = 30, FIRST_DAY = 20000, TURNS = 4 };
#define FIRST_SECOND INT64_C(1769904000)

typedef struct event {
    uint32_t identity, action, day;
} event;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what, const char *why)
{
    fprintf(stderr, "usage_upsert: %s: %s\n", what, why);
    exit(1);
}

/* ---- the events: few identities are busy, days go up ---- */

typedef struct source {
    uint64_t seed;
    long at, events;
} source;

/* splitmix64, by Sebastiano Vigna: public domain. */
static uint32_t below(source *s, uint32_t limit)
{
    uint64_t z = s->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(((z ^ z >> 31) >> 32) * limit >> 32);
}

static event next_event(source *s)
{
    uint32_t r = below(s, IDENTITIES);
    r = (uint32_t)((uint64_t)r * r / IDENTITIES);
    return (event){.identity = r, .action = below(s, 40) * 37 + r % 37,
                   .day = FIRST_DAY + (uint32_t)(s->at++ * DAYS / s->events)};
}

/* ---- the bare loop ---- */

typedef struct bare {
    sqlite3 *db;
    sqlite3_stmt *upsert;
    source from;
    double seconds;
} bare;

static void run_sql(sqlite3 *db, const char *sql)
{
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        die(sql, why);
}

static void bare_open(bare *b, const char *path)
{
    if (sqlite3_open(path, &b->db) != SQLITE_OK)
        die(path, sqlite3_errmsg(b->db));
    run_sql(b->db, "pragma page_size=8192; pragma journal_mode=wal; pragma synchronous=normal;"
                   "pragma cache_size=-262144; pragma wal_autocheckpoint=4000; pragma temp_store=memory;"
                   "create table u(i integer, a integer, d integer, n integer, f integer, l integer,"
                   " primary key(d, i, a)) without rowid");
    if (sqlite3_prepare_v2(b->db, "insert into u values(?1, ?2, ?3, ?4, ?5, ?6) on conflict(i, a, d) do update set"
                                  " n=n+excluded.n, f=min(f, excluded.f), l=max(l, excluded.l)",
                           -1, &b->upsert, NULL) != SQLITE_OK)
        die("prepare", sqlite3_errmsg(b->db));
}

static int compare_events(const void *a, const void *b)
{
    const event *x = a, *y = b;
    if (x->identity != y->identity)
        return x->identity < y->identity ? -1 : 1;
    return x->action < y->action ? -1 : x->action > y->action;
}

static void bare_batch(bare *b, event *events, long count)
{
    long first = b->from.at;
    for (long i = 0; i < count; i++)
        events[i] = next_event(&b->from);
    qsort(events, (size_t)count, sizeof *events, compare_events);
    run_sql(b->db, "begin immediate");
    for (long i = 0; i < count; i++) {
        sqlite3_bind_int64(b->upsert, 1, events[i].identity);
        sqlite3_bind_int64(b->upsert, 2, events[i].action);
        sqlite3_bind_int64(b->upsert, 3, events[i].day);
        sqlite3_bind_int64(b->upsert, 4, 1);
        sqlite3_bind_int64(b->upsert, 5, FIRST_SECOND + first + i);
        sqlite3_bind_int64(b->upsert, 6, FIRST_SECOND + first + i);
        if (sqlite3_step(b->upsert) != SQLITE_DONE)
            die("upsert", sqlite3_errmsg(b->db));
        sqlite3_reset(b->upsert);
    }
    run_sql(b->db, "commit");
}

static void bare_sum(bare *b, int64_t *sum, uint64_t *rows)
{
    sqlite3_stmt *all;
    if (sqlite3_prepare_v2(b->db, "select sum(n), count(*) from u", -1, &all, NULL) != SQLITE_OK ||
        sqlite3_step(all) != SQLITE_ROW)
        die("sum", sqlite3_errmsg(b->db));
    *sum = sqlite3_column_int64(all, 0);
    *rows = (uint64_t)sqlite3_column_int64(all, 1);
    sqlite3_finalize(all);
}

/* ---- through the store ---- */

typedef struct kept {
    store *st;
    source from;
    uint64_t sequence;
    double seconds;
    kim_arena *arena;
    kim_text identities[IDENTITIES], actions[ACTIONS];
} kept;

static void kept_open(kept *k, const char *path)
{
    kim_error err;
    if (!(k->st = store_open(path, 0, &err)))
        die(path, err.message);
    k->arena = kim_arena_new(SIZE_MAX);
    for (int i = 0; i < IDENTITIES; i++)
        k->identities[i] = kim_text_format(k->arena, "arn:aws:iam::111122223333:role/service-role/role-%d", i);
    for (int i = 0; i < ACTIONS; i++)
        k->actions[i] = kim_text_format(k->arena, "service-%d:DescribeThing%d", i % 37, i / 37);
}

static void kept_batch(kept *k, kim_record *records, long count)
{
    long first = k->from.at;
    for (long i = 0; i < count; i++) {
        event e = next_event(&k->from);
        records[i] = (kim_record){
            .type = KIM_USAGE, .scope = KIM_TEXT("aws:111122223333"),
            .usage = {.day = e.day, .identity = k->identities[e.identity],
                      .action = k->actions[e.action], .outcome = KIM_SUCCESS, .count = 1,
                      .first_unix_ms = FIRST_SECOND + first + i, .last_unix_ms = FIRST_SECOND + first + i}};
    }
    kim_error err;
    store_mark mark = {.agent = KIM_TEXT("bench"), .stream = KIM_TEXT("aws/usage"), .sequence = ++k->sequence};
    if (store_add_usage(k->st, &mark, records, (size_t)count, &err) < 0)
        die("store_add_usage", err.message);
}

static int add_total(void *context, const store_usage_total *total, kim_error *err)
{
    (void)err;
    *(int64_t *)context += total->count;
    return 0;
}

static void kept_sum(kept *k, int64_t *sum, uint64_t *rows)
{
    kim_error err;
    *sum = 0;
    if (store_usage_totals(k->st, &(store_usage_filter){0}, add_total, sum, &err) != 0 ||
        store_usage_count(k->st, rows, &err) < 0)
        die("sum", err.message);
}

/* ---- in turns ---- */

static void take_turns(bare *b, kept *k, long events, long batch)
{
    event *plain = calloc((size_t)batch, sizeof *plain);
    kim_record *records = calloc((size_t)batch, sizeof *records);
    for (int turn = 1; turn <= TURNS; turn++) {
        long end = events * turn / TURNS;
        double begun = now_s();
        while (b->from.at < end)
            bare_batch(b, plain, end - b->from.at < batch ? end - b->from.at : batch);
        b->seconds += now_s() - begun;
        begun = now_s();
        while (k->from.at < end)
            kept_batch(k, records, end - k->from.at < batch ? end - k->from.at : batch);
        k->seconds += now_s() - begun;
    }
    free(plain);
    free(records);
}

static void remove_database(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[512];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

int main(int argc, char **argv)
{
    long events = argc > 1 ? atol(argv[1]) : 10000000, batch = argc > 2 ? atol(argv[2]) : 10000;
    char folder[400], bare_path[450], kept_path[450];
    snprintf(folder, sizeof folder, "%s/kim-bench-XXXXXX", argc > 3 ? argv[3] : "/tmp");
    if (events <= 0 || batch <= 0 || !mkdtemp(folder))
        die("usage", "usage_upsert [EVENTS [BATCH [FOLDER]]]");
    snprintf(bare_path, sizeof bare_path, "%s/bare", folder);
    snprintf(kept_path, sizeof kept_path, "%s/store", folder);
    bare b = {.from = {.seed = 42, .events = events}};
    static kept k;
    k = (kept){.from = {.seed = 42, .events = events}};
    bare_open(&b, bare_path);
    kept_open(&k, kept_path);
    take_turns(&b, &k, events, batch);

    int64_t bare_events, kept_events;
    uint64_t bare_rows, kept_rows;
    bare_sum(&b, &bare_events, &bare_rows);
    kept_sum(&k, &kept_events, &kept_rows);
    sqlite3_finalize(b.upsert);
    sqlite3_close(b.db);
    store_close(k.st);
    kim_arena_free(k.arena);
    remove_database(bare_path);
    remove_database(kept_path);
    rmdir(folder);
    if (bare_events != events || kept_events != events || bare_rows != kept_rows)
        die("checksum", "the store and the bare loop do not hold the same");
    double bare_rate = (double)events / b.seconds, kept_rate = (double)events / k.seconds;
    printf("{\"name\":\"usage-upsert\",\"value\":%.0f,\"unit\":\"rows/s\",\"yardstick\":\"bare day-first SQLite loop\","
           "\"yardstick_value\":%.0f,\"ratio\":%.3f}\n", kept_rate, bare_rate, kept_rate / bare_rate);
    return 0;
}
