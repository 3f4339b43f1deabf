/* SPDX-License-Identifier: Apache-2.0
 *
 * test_store.c - what the store promises: applied once, published whole, kept through a kill.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "controller/store/store.h"

#define ACCOUNT "aws:111122223333"

/* ---- a store in a folder of its own, and what is put in ---- */

typedef struct fixture {
    char folder[64], path[96];
    store *st;
} fixture;

static void reopen(fixture *f, int64_t max_bytes)
{
    kim_error err = {0};
    store_close(f->st);
    f->st = store_open(f->path, max_bytes, &err);
    if (!f->st)
        fail_msg("%s", err.message);
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/kim-test-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/store", f->folder);
    reopen(f, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    store_close(f->st);
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s%s", f->path, ends[i]);
        unlink(path);
    }
    rmdir(f->folder);
    free(f);
    return 0;
}

static store_mark mark(const char *stream, uint64_t sequence)
{
    return (store_mark){.agent = KIM_TEXT("web"), .stream = kim_text_of(stream), .spool = {7},
                        .sequence = sequence};
}

static kim_record identity(const char *id, const char *name)
{
    return (kim_record){.type = KIM_IDENTITY, .scope = KIM_TEXT(ACCOUNT),
                        .identity = {.id = kim_text_of(id), .kind = KIM_HUMAN, .name = kim_text_of(name)}};
}

/* A change for the record; its bytes go to `bytes`. */
static store_change put(const kim_record *record, kim_bytes *bytes)
{
    kim_error err = {0};
    bytes->size = 0;
    if (kim_record_encode(record, bytes, &err) < 0)
        fail_msg("%s", err.message);
    store_change change = {.type = record->type, .scope = record->scope, .bytes = bytes->data,
                           .size = bytes->size};
    kim_record_key(record, change.key);
    return change;
}

static store_change gone(const kim_record *record)
{
    store_change change = {.type = record->type, .scope = record->scope};
    kim_record_key(record, change.key);
    return change;
}

static int stage_identity(fixture *f, const store_mark *m, uint64_t generation, const char *id,
                          const char *name, kim_error *err)
{
    kim_bytes bytes = {0};
    kim_record record = identity(id, name);
    store_change change = name ? put(&record, &bytes) : gone(&record);
    int result = store_stage(f->st, m, generation, &change, 1, err);
    kim_bytes_free(&bytes);
    return result;
}

/* One snapshot of one change: the identity gets that name, or is gone (NULL). */
static void publish_identity(fixture *f, uint64_t sequence, uint64_t generation, bool full,
                             const char *id, const char *name, int64_t at_unix_ms)
{
    kim_error err = {0};
    store_mark m = mark("aws/state", sequence);
    if (store_stage_begin(f->st, &m, generation, full, &err) != 0)
        fail_msg("%s", err.message);
    m.sequence++;
    if (stage_identity(f, &m, generation, id, name, &err) != 0)
        fail_msg("%s", err.message);
    m.sequence++;
    if (store_publish(f->st, &m, generation, 0, NULL, at_unix_ms, &err) != 0)
        fail_msg("%s", err.message);
}

/* ---- what is seen ---- */

typedef struct listing {
    char text[4096];
    size_t size;
} listing;

static int list_record(void *context, const store_record *record, kim_error *err)
{
    listing *list = context;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    kim_record decoded;
    size_t used;
    int result = kim_record_decode(record->bytes, record->size, arena, &decoded, &used, err);
    if (result == 0)
        list->size += (size_t)snprintf(list->text + list->size, sizeof list->text - list->size,
                                       "%.*s=%.*s;", KIM_PRINT(decoded.identity.id),
                                       KIM_PRINT(decoded.identity.name));
    kim_arena_free(arena);
    return result;
}

static void assert_records(store *st, int64_t at_unix_ms, const char *expected)
{
    kim_error err = {0};
    listing list = {.text = ""};
    store_filter filter = {.type = KIM_IDENTITY, .at_unix_ms = at_unix_ms};
    if (store_records(st, &filter, list_record, &list, &err) != 0)
        fail_msg("%s", err.message);
    assert_string_equal(list.text, expected);
}

static void assert_digests_equal(store *a, store *b)
{
    uint8_t x[KIM_RECORD_HASH_BYTES], y[KIM_RECORD_HASH_BYTES];
    uint64_t records, rows;
    kim_error err = {0};
    assert_int_equal(store_digest(a, x, &records, &rows, &err), 0);
    assert_int_equal(store_digest(b, y, &records, &rows, &err), 0);
    assert_memory_equal(x, y, sizeof x);
}

static store_position position(fixture *f, const char *stream)
{
    kim_error err = {0};
    static char cursor[64];
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    store_mark m = mark(stream, 0);
    store_position out;
    if (store_position_of(f->st, &m, arena, &out, &err) != 0)
        fail_msg("%s", err.message);
    if (out.cursor)
        out.cursor = memcpy(cursor, out.cursor, out.cursor_size);
    kim_arena_free(arena);
    return out;
}

/* ---- snapshots ---- */

static void what_is_staged_is_not_seen_until_it_is_published(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    store_mark m = mark("aws/state", 1);
    assert_int_equal(store_stage_begin(f->st, &m, 1, true, &err), 0);
    m.sequence = 2;
    assert_int_equal(stage_identity(f, &m, 1, "ann", "Ann", &err), 0);
    assert_records(f->st, 0, "");
    m.sequence = 3;
    assert_int_equal(store_publish(f->st, &m, 1, 0, NULL, 1000, &err), 0);
    assert_records(f->st, 0, "ann=Ann;");
    assert_int_equal(position(f, "aws/state").sequence, 3);
    assert_int_equal(position(f, "aws/state").generation, 1);
    assert_int_equal(position(f, "aws/state").count, 1);
}

static void staged_messages_survive_a_restart_and_go_on(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    store_mark m = mark("aws/state", 1);
    assert_int_equal(store_stage_begin(f->st, &m, 1, true, &err), 0);
    m.sequence = 2;
    assert_int_equal(stage_identity(f, &m, 1, "ann", "Ann", &err), 0);
    reopen(f, 0);
    assert_int_equal(position(f, "aws/state").sequence, 2);
    assert_int_equal(position(f, "aws/state").staging, 1);
    m.sequence = 3;
    assert_int_equal(store_publish(f->st, &m, 1, 0, NULL, 1000, &err), 0);
    assert_records(f->st, 0, "ann=Ann;");
}

static int list_change(void *context, const store_record *record, kim_error *err)
{
    listing *list = context;
    int result = list_record(context, record, err);
    if (record->to_unix_ms)
        list->size += (size_t)snprintf(list->text + list->size, sizeof list->text - list->size, "gone;");
    return result;
}

static void assert_changes(store *st, int64_t *since_unix_ms, size_t most, int result, const char *expected)
{
    kim_error err = {0};
    listing list = {.text = ""};
    assert_int_equal(store_changes(st, *since_unix_ms, most, list_change, &list, since_unix_ms, &err), result);
    assert_string_equal(list.text, expected);
}

static void what_was_published_since_is_told_once_by_all_who_state_it(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    int64_t since = 0, unmoved;
    publish_identity(f, 1, 1, false, "ann", "Ann", 1000);
    assert_int_equal(store_published_at(f->st, &since, &err), 0);
    assert_int_equal(since, 1000);
    assert_changes(f->st, &since, 10, 0, "");
    publish_identity(f, 4, 2, false, "ann", "Anna", 2000);
    publish_identity(f, 7, 3, false, "ann", "Anne", 3000);
    publish_identity(f, 10, 4, false, "bob", "Bob", 4000);
    unmoved = since;
    assert_changes(f->st, &unmoved, 1, 1, ""); /* two keys are more than one: nothing is told */
    assert_int_equal(unmoved, since);
    store_mark other = {.agent = KIM_TEXT("org"), .stream = KIM_TEXT("aws/state"), .spool = {9}, .sequence = 1};
    assert_int_equal(store_stage_begin(f->st, &other, 1, true, &err), 0);
    other.sequence++;
    assert_int_equal(stage_identity(f, &other, 1, "ann", "A.", &err), 0);
    other.sequence++;
    assert_int_equal(store_publish(f->st, &other, 1, 0, NULL, 5000, &err), 0);
    kim_error ignored;
    listing list = {.text = ""};
    assert_int_equal(store_changes(f->st, since, 10, list_change, &list, &since, &ignored), 0);
    assert_non_null(strstr(list.text, "ann=Anne;ann=A.;")); /* in the order of the sources' records */
    assert_non_null(strstr(list.text, "bob=Bob;"));
    assert_int_equal(list.size, strlen("ann=Anne;ann=A.;bob=Bob;"));
    assert_int_equal(since, 5000);
    publish_identity(f, 13, 5, false, "bob", NULL, 6000);
    publish_identity(f, 16, 6, false, "ann", NULL, 7000); /* the other one still states her */
    list = (listing){.text = ""};
    assert_int_equal(store_changes(f->st, since, 10, list_change, &list, &since, &ignored), 0);
    assert_non_null(strstr(list.text, "ann=A.;"));
    assert_non_null(strstr(list.text, "bob=Bob;gone;"));
    assert_int_equal(list.size, strlen("ann=A.;bob=Bob;gone;"));
    assert_changes(f->st, &since, 10, 0, "");
}

static void a_message_that_comes_twice_is_applied_once(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    uint64_t before, after;
    assert_int_equal(store_published(f->st, &before, &err), 0);
    store_mark m = mark("aws/state", 3);
    assert_int_equal(store_publish(f->st, &m, 1, 0, NULL, 2000, &err), 1);
    m.sequence = 1;
    assert_int_equal(store_stage_begin(f->st, &m, 1, true, &err), 1);
    assert_int_equal(store_published(f->st, &after, &err), 0);
    assert_int_equal(before, after);
    assert_records(f->st, 0, "ann=Ann;");
    assert_records(f->st, 1000, "ann=Ann;");
}

static void another_spool_counts_from_one_again(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    store_mark m = mark("aws/state", 1);
    m.spool[0] = 8;
    assert_int_equal(store_stage_begin(f->st, &m, 2, true, &err), 0);
}

static void a_change_keeps_the_rest_and_a_full_snapshot_does_not(void **state)
{
    fixture *f = *state;
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    publish_identity(f, 4, 2, false, "bob", "Bob", 2000);
    assert_records(f->st, 0, "ann=Ann;bob=Bob;");
    publish_identity(f, 7, 3, false, "ann", NULL, 3000);
    assert_records(f->st, 0, "bob=Bob;");
    publish_identity(f, 10, 4, true, "cid", "Cid", 4000);
    assert_records(f->st, 0, "cid=Cid;");
    assert_int_equal(position(f, "aws/state").count, 1);
}

static void the_past_is_as_it_was(void **state)
{
    fixture *f = *state;
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    publish_identity(f, 4, 2, false, "ann", "Anne", 2000);
    publish_identity(f, 7, 3, false, "ann", NULL, 3000);
    publish_identity(f, 10, 4, false, "ann", "Anna", 4000);
    assert_records(f->st, 999, "");
    assert_records(f->st, 1000, "ann=Ann;");
    assert_records(f->st, 1999, "ann=Ann;");
    assert_records(f->st, 2000, "ann=Anne;");
    assert_records(f->st, 3500, "");
    assert_records(f->st, 4000, "ann=Anna;");

    kim_error err = {0};
    listing list = {.text = ""};
    kim_record ann = identity("ann", "");
    uint8_t key[KIM_RECORD_KEY_BYTES];
    kim_record_key(&ann, key);
    assert_int_equal(store_history(f->st, ann.scope, KIM_IDENTITY, key, list_record, &list, &err), 0);
    assert_string_equal(list.text, "ann=Ann;ann=Anne;ann=Anna;");
}

static void a_clock_that_goes_back_does_not_turn_history_over(void **state)
{
    fixture *f = *state;
    publish_identity(f, 1, 1, true, "ann", "Ann", 5000);
    publish_identity(f, 4, 2, false, "ann", "Anne", 3000);
    assert_records(f->st, 5000, "ann=Ann;");
    assert_records(f->st, 5001, "ann=Anne;");
}

static void what_did_not_change_is_no_publication(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    uint64_t before, after;
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    assert_int_equal(store_published(f->st, &before, &err), 0);
    publish_identity(f, 4, 2, true, "ann", "Ann", 2000);
    assert_int_equal(store_published(f->st, &after, &err), 0);
    assert_int_equal(before, after);
    assert_int_equal(position(f, "aws/state").generation, 2);
}

static void a_digest_that_does_not_fit_publishes_nothing(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    const uint8_t wrong[KIM_RECORD_HASH_BYTES] = {1};
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    store_mark m = mark("aws/state", 4);
    assert_int_equal(store_stage_begin(f->st, &m, 2, false, &err), 0);
    m.sequence = 5;
    assert_int_equal(stage_identity(f, &m, 2, "bob", "Bob", &err), 0);
    m.sequence = 6;
    assert_int_equal(store_publish(f->st, &m, 2, 2, wrong, 2000, &err), -1);
    assert_int_equal(err.code, KIM_ERR_CONFLICT);
    assert_records(f->st, 0, "ann=Ann;");
    assert_int_equal(position(f, "aws/state").sequence, 5);
    assert_int_equal(store_stage_drop(f->st, m.agent, m.stream, &err), 0);
    assert_int_equal(store_publish(f->st, &m, 2, 2, NULL, 2000, &err), -1);
    assert_int_equal(err.code, KIM_ERR_CONFLICT);
}

static void the_digest_is_that_of_the_records_as_sent(void **state)
{
    fixture *f = *state;
    kim_bytes bytes = {0};
    uint8_t digest[KIM_RECORD_HASH_BYTES] = {0}, hash[KIM_RECORD_HASH_BYTES];
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    publish_identity(f, 4, 2, false, "bob", "Bob", 2000);
    publish_identity(f, 7, 3, false, "ann", "Anne", 3000);
    const kim_record held[] = {identity("ann", "Anne"), identity("bob", "Bob")};
    for (size_t i = 0; i < 2; i++) {
        put(&held[i], &bytes);
        kim_record_hash(bytes.data, bytes.size, hash);
        kim_digest_add(digest, hash);
    }
    kim_bytes_free(&bytes);
    assert_memory_equal(position(f, "aws/state").digest, digest, sizeof digest);
}

static void refused_records_count_and_are_read_by_nobody(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    kim_bytes bytes = {0};
    kim_record record = identity("eve", "Eve");
    store_change change = put(&record, &bytes);
    change.refused = true;
    store_mark m = mark("aws/state", 1);
    assert_int_equal(store_stage_begin(f->st, &m, 1, true, &err), 0);
    m.sequence = 2;
    assert_int_equal(store_stage(f->st, &m, 1, &change, 1, &err), 0);
    m.sequence = 3;
    uint8_t hash[KIM_RECORD_HASH_BYTES];
    kim_record_hash(bytes.data, bytes.size, hash);
    assert_int_equal(store_publish(f->st, &m, 1, 1, hash, 1000, &err), 0);
    assert_records(f->st, 0, "");
    assert_records(f->st, 1000, "");

    /* Allowed later, the same bytes are news. */
    publish_identity(f, 4, 2, true, "eve", "Eve", 2000);
    assert_records(f->st, 0, "eve=Eve;");
    assert_records(f->st, 1500, "");
    assert_memory_equal(position(f, "aws/state").digest, hash, sizeof hash);
    kim_bytes_free(&bytes);
}

static void a_source_touches_no_other(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    store_mark other = mark("ldap/state", 1);
    assert_int_equal(store_stage_begin(f->st, &other, 1, true, &err), 0);
    other.sequence = 2;
    assert_int_equal(store_publish(f->st, &other, 1, 0, NULL, 2000, &err), 0);
    assert_records(f->st, 0, "ann=Ann;");
}

/* ---- usage ---- */

static kim_record used(int64_t day, const char *who, const char *action, const char *resource,
                       int32_t outcome, int64_t count, int64_t first, int64_t last)
{
    return (kim_record){.type = KIM_USAGE, .scope = KIM_TEXT(ACCOUNT),
                        .usage = {.day = day, .identity = kim_text_of(who), .action = kim_text_of(action),
                                  .resource = kim_text_of(resource), .outcome = outcome, .count = count,
                                  .first_unix_ms = first, .last_unix_ms = last}};
}

static void add(fixture *f, uint64_t sequence, const kim_record *records, size_t count)
{
    kim_error err = {0};
    store_mark m = mark("aws/usage", sequence);
    if (store_add_usage(f->st, &m, records, count, &err) != 0)
        fail_msg("%s", err.message);
}

static int list_total(void *context, const store_usage_total *t, kim_error *err)
{
    (void)err;
    listing *list = context;
    list->size += (size_t)snprintf(list->text + list->size, sizeof list->text - list->size,
                                   "%.*s %.*s %.*s %d: %lld on %lld, %lld..%lld;", KIM_PRINT(t->identity),
                                   KIM_PRINT(t->action), KIM_PRINT(t->resource), t->outcome,
                                   (long long)t->count, (long long)t->days,
                                   (long long)t->first_unix_ms, (long long)t->last_unix_ms);
    return 0;
}

static void assert_totals(fixture *f, const char *who, int64_t from, int64_t to, const char *expected)
{
    kim_error err = {0};
    listing list = {.text = ""};
    store_usage_filter filter = {.from_day = from, .to_day = to, .identity = kim_text_of(who)};
    if (store_usage_totals(f->st, &filter, list_total, &list, &err) != 0)
        fail_msg("%s", err.message);
    assert_string_equal(list.text, expected);
}

static void usage_of_one_key_adds_up_within_a_batch_and_over_batches(void **state)
{
    fixture *f = *state;
    const kim_record first[] = {used(100, "ann", "s3:GetObject", "b", KIM_SUCCESS, 2, 50, 60),
                                used(100, "ann", "s3:GetObject", "b", KIM_SUCCESS, 3, 40, 55)};
    const kim_record second[] = {used(100, "ann", "s3:GetObject", "b", KIM_SUCCESS, 1, 70, 80)};
    add(f, 1, first, 2);
    add(f, 2, second, 1);
    assert_totals(f, "ann", 100, 100, "ann s3:GetObject b 1: 6 on 1, 40..80;");
}

static void a_usage_batch_that_comes_twice_counts_once(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    const kim_record batch[] = {used(100, "ann", "a", NULL, KIM_SUCCESS, 2, 50, 60)};
    add(f, 1, batch, 1);
    store_mark m = mark("aws/usage", 1);
    assert_int_equal(store_add_usage(f->st, &m, batch, 1, &err), 1);
    assert_totals(f, "ann", 0, 0, "ann a  1: 2 on 1, 50..60;");
}

static void totals_go_over_the_days_asked_for(void **state)
{
    fixture *f = *state;
    const kim_record batch[] = {
        used(101, "ann", "a", "r", KIM_SUCCESS, 1, 10, 11), used(103, "ann", "a", "r", KIM_SUCCESS, 4, 30, 31),
        used(102, "ann", "a", "r", KIM_SUCCESS, 2, 20, 21), used(102, "ann", "a", "r", KIM_REFUSED, 8, 22, 23),
        used(102, "bob", "a", "r", KIM_SUCCESS, 16, 24, 25),
    };
    add(f, 1, batch, sizeof batch / sizeof *batch);
    assert_totals(f, "ann", 101, 102, "ann a r 1: 3 on 2, 10..21;ann a r 2: 8 on 1, 22..23;");
    assert_totals(f, NULL, 102, 103,
                  "ann a r 1: 6 on 2, 20..31;ann a r 2: 8 on 1, 22..23;bob a r 1: 16 on 1, 24..25;");
    assert_totals(f, "nobody", 0, 0, "");
}

static void the_cursor_stays_beside_the_mark(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    store_mark m = mark("aws/usage", 1);
    m.cursor = (const uint8_t *)"page 7";
    m.cursor_size = 6;
    assert_int_equal(store_add_usage(f->st, &m, NULL, 0, &err), 0);
    m.sequence = 2;
    m.cursor = NULL; /* as before */
    assert_int_equal(store_add_usage(f->st, &m, NULL, 0, &err), 0);
    reopen(f, 0);
    store_position at = position(f, "aws/usage");
    assert_int_equal(at.sequence, 2);
    assert_int_equal(at.cursor_size, 6);
    assert_memory_equal(at.cursor, "page 7", 6);
}

static int list_summary(void *context, const store_usage_summary *s, kim_error *err)
{
    (void)err;
    listing *list = context;
    list->size += (size_t)snprintf(list->text + list->size, sizeof list->text - list->size,
                                   "%.*s %lld/%lld/%lld of %lld, %lld..%lld (%lld);", KIM_PRINT(s->identity),
                                   (long long)s->success, (long long)s->denied, (long long)s->failed,
                                   (long long)s->actions, (long long)s->first_unix_ms,
                                   (long long)s->last_unix_ms, (long long)s->last_success_unix_ms);
    return 0;
}

static void identities_are_summed_up_and_the_unused_are_named(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    publish_identity(f, 4, 2, false, "bob", "Bob", 1000);
    publish_identity(f, 7, 3, false, "cid", "Cid", 1000);
    const kim_record batch[] = {
        used(100, "ann", "a", "r", KIM_SUCCESS, 1, 10, 11), used(101, "ann", "a", "r", KIM_SUCCESS, 1, 20, 21),
        used(101, "ann", "b", "r", KIM_REFUSED, 5, 30, 31), used(90, "bob", "a", "r", KIM_FAILED, 3, 5, 6),
    };
    add(f, 1, batch, sizeof batch / sizeof *batch);
    listing all = {.text = ""}, late = {.text = ""};
    store_usage_filter filter = {0};
    assert_int_equal(store_usage_summaries(f->st, &filter, list_summary, &all, &err), 0);
    assert_string_equal(all.text, "ann 2/5/0 of 1, 10..31 (21);bob 0/0/3 of 0, 5..6 (0);");
    filter = (store_usage_filter){.from_day = 95, .to_day = 200};
    assert_int_equal(store_unused(f->st, &filter, list_record, &late, &err), 0);
    assert_string_equal(late.text, "bob=Bob;cid=Cid;");
}

static void the_order_of_arrival_does_not_change_the_digest(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    fixture other = {.st = store_open(":memory:", 0, &err)};
    assert_non_null(other.st);
    const kim_record one[] = {used(100, "ann", "a", "r", KIM_SUCCESS, 1, 10, 11)};
    const kim_record two[] = {used(100, "ann", "a", "r", KIM_SUCCESS, 2, 5, 9),
                              used(90, "bob", "b", NULL, KIM_FAILED, 3, 5, 6)};
    add(f, 1, one, 1);
    add(f, 2, two, 2);
    publish_identity(f, 1, 1, true, "ann", "Ann", 1000);
    publish_identity(f, 4, 2, false, "bob", "Bob", 2000);
    publish_identity(&other, 1, 1, true, "bob", "Bob", 7000);
    publish_identity(&other, 4, 2, false, "ann", "Ann", 8000);
    add(&other, 1, two, 2);
    add(&other, 2, one, 1);
    assert_digests_equal(f->st, other.st);
    store_close(other.st);
}

/* ---- groups, kills, a full disk ---- */

static void an_abandoned_group_keeps_nothing_and_its_texts_are_met_anew(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    const kim_record batch[] = {used(100, "zoe", "new:Action", "r", KIM_SUCCESS, 1, 10, 11)};
    assert_int_equal(store_begin(f->st, &err), 0);
    add(f, 1, batch, 1);
    assert_int_equal(position(f, "aws/usage").sequence, 1); /* the group sees its own marks */
    store_abandon(f->st);
    assert_int_equal(position(f, "aws/usage").sequence, 0);
    const kim_record other[] = {used(100, "other", "other:Action", "x", KIM_SUCCESS, 1, 10, 11)};
    add(f, 1, other, 1);
    add(f, 2, batch, 1);
    assert_totals(f, "zoe", 0, 0, "zoe new:Action r 1: 1 on 1, 10..11;");
}

static void one_failure_within_a_group_leaves_the_others(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    const kim_record batch[] = {used(100, "ann", "a", "r", KIM_SUCCESS, 1, 10, 11)};
    store_mark m = mark("aws/state", 1);
    assert_int_equal(store_begin(f->st, &err), 0);
    add(f, 1, batch, 1);
    assert_int_equal(store_publish(f->st, &m, 9, 0, NULL, 1000, &err), -1); /* not staged */
    add(f, 2, batch, 1);
    assert_int_equal(store_commit(f->st, &err), 0);
    reopen(f, 0);
    assert_totals(f, "ann", 0, 0, "ann a r 1: 2 on 1, 10..11;");
    assert_int_equal(position(f, "aws/state").sequence, 0);
}

/* Adds usage and publishes snapshots in groups, telling each committed number; until it is killed. */
static void work_until_killed(const char *path, int tell)
{
    kim_error err;
    fixture f = {.st = store_open(path, 0, &err)};
    store_position at = position(&f, "aws/usage");
    for (uint64_t n = at.sequence + 1; f.st; n++) {
        char name[32];
        snprintf(name, sizeof name, "name %llu", (unsigned long long)n);
        const kim_record batch[] = {used(100 + (int64_t)n % 7, "ann", "a", name, KIM_SUCCESS, (int64_t)n, 10, 11)};
        if (store_begin(f.st, &err) < 0)
            _exit(1);
        add(&f, n, batch, 1);
        publish_identity(&f, 3 * n, n, n % 5 == 0, "ann", name, (int64_t)n);
        if (store_commit(f.st, &err) < 0 || write(tell, &n, sizeof n) != sizeof n)
            _exit(1);
    }
    _exit(1);
}

static void what_was_committed_survives_kill_9_and_no_more(void **state)
{
    fixture *f = *state;
    uint64_t told = 0;
    unsigned seed = 42;
    for (int round = 0; round < 12; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        store_close(f->st);
        f->st = NULL;
        pid_t child = fork();
        if (child == 0) {
            close(ends[0]);
            work_until_killed(f->path, ends[1]);
        }
        close(ends[1]);
        uint64_t stop_after = told + 1 + (uint64_t)rand_r(&seed) % 20, n;
        while (told < stop_after && read(ends[0], &n, sizeof n) == sizeof n)
            told = n;
        usleep((useconds_t)rand_r(&seed) % 2000); /* anywhere within the next group */
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &n, sizeof n) == sizeof n)
            told = n;
        close(ends[0]);
        reopen(f, 0);

        uint64_t held = position(f, "aws/usage").sequence;
        assert_true(held == told || held == told + 1); /* the last one may not have been told any more */
        assert_int_equal(position(f, "aws/state").generation, held);
        char expected[64];
        snprintf(expected, sizeof expected, "ann=name %llu;", (unsigned long long)held);
        assert_records(f->st, 0, expected);
        told = held;
    }
    kim_error err = {0};
    fixture calm = {.st = store_open(":memory:", 0, &err)};
    for (uint64_t n = 1; n <= told; n++) {
        char name[32];
        snprintf(name, sizeof name, "name %llu", (unsigned long long)n);
        const kim_record batch[] = {used(100 + (int64_t)n % 7, "ann", "a", name, KIM_SUCCESS, (int64_t)n, 10, 11)};
        add(&calm, n, batch, 1);
        publish_identity(&calm, 3 * n, n, n % 5 == 0, "ann", name, (int64_t)n);
    }
    assert_digests_equal(f->st, calm.st);
    store_close(calm.st);
}

static void a_full_disk_refuses_and_loses_nothing(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    reopen(f, 512 * 1024);
    uint64_t n = 0;
    int result = 0;
    kim_record batch[200];
    char names[200][64];
    while (result == 0 && n < 1000) {
        n++;
        for (size_t i = 0; i < 200; i++) {
            snprintf(names[i], sizeof names[i], "arn:aws:s3:::bucket-%llu/%zu", (unsigned long long)n, i);
            batch[i] = used(100, "ann", "s3:GetObject", names[i], KIM_SUCCESS, 1, 10, 11);
        }
        store_mark m = mark("aws/usage", n);
        result = store_begin(f->st, &err);
        if (result == 0 && (result = store_add_usage(f->st, &m, batch, 200, &err)) < 0)
            store_abandon(f->st);
        else if (result == 0)
            result = store_commit(f->st, &err);
    }
    assert_int_equal(result, -1);
    assert_int_equal(err.code, KIM_ERR_IO);
    assert_non_null(strstr(err.message, "no room left"));
    assert_int_equal(position(f, "aws/usage").sequence, n - 1);

    reopen(f, 0); /* the operator made room */
    add(f, n, batch, 200);
    uint8_t digest[KIM_RECORD_HASH_BYTES];
    uint64_t records, rows;
    assert_int_equal(store_digest(f->st, digest, &records, &rows, &err), 0);
    assert_int_equal(rows, n * 200);
}

static void a_store_of_a_newer_kim_is_left_alone(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    sqlite3 *db;
    store_close(f->st);
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "pragma user_version=99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    f->st = store_open(f->path, 0, &err);
    assert_null(f->st);
    assert_int_equal(err.code, KIM_ERR_VERSION);
}

static void a_file_that_is_no_store_is_refused(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    store_close(f->st);
    FILE *file = fopen(f->path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database\n", file);
    fclose(file);
    f->st = store_open(f->path, 0, &err);
    assert_null(f->st);
    assert_int_equal(err.code, KIM_ERR_CORRUPT);
}

/* ---- agents ---- */

static int list_agent(void *context, const store_agent *agent, kim_error *err)
{
    (void)err;
    listing *list = context;
    list->size += (size_t)snprintf(list->text + list->size, sizeof list->text - list->size, "%.*s %s %d",
                                   KIM_PRINT(agent->name), store_agent_state_name(agent->state),
                                   agent->public_key[0]);
    for (size_t i = 0; i < agent->scopes.count; i++)
        list->size += (size_t)snprintf(list->text + list->size, sizeof list->text - list->size, " %.*s",
                                       KIM_PRINT(agent->scopes.items[i]));
    list->size += (size_t)snprintf(list->text + list->size, sizeof list->text - list->size, ";");
    return 0;
}

static void assert_agents(fixture *f, const char *expected)
{
    kim_error err = {0};
    listing list = {.text = ""};
    assert_int_equal(store_agents(f->st, list_agent, &list, &err), 0);
    assert_string_equal(list.text, expected);
}

static void invite(fixture *f, const char *name, uint8_t token)
{
    kim_error err = {0};
    const kim_text scopes[] = {KIM_TEXT("aws:2"), KIM_TEXT("aws:1")};
    const uint8_t hash[STORE_TOKEN_HASH_BYTES] = {token};
    store_agent agent = {.name = kim_text_of(name), .state = STORE_AGENT_INVITED, .scopes = {scopes, 2}};
    assert_int_equal(store_agent_add(f->st, &agent, &err), 0);
    assert_int_equal(store_token_add(f->st, hash, agent.name, 5000, &err), 0);
}

static int spend(fixture *f, uint8_t token, uint8_t key, int64_t now, kim_error *err)
{
    const uint8_t hash[STORE_TOKEN_HASH_BYTES] = {token}, k[STORE_KEY_BYTES] = {key};
    char name[KIM_NAME_MAX_BYTES + 1];
    return store_token_spend(f->st, hash, k, STORE_AGENT_ACTIVE, now, name, err);
}

static void a_token_is_good_once_for_the_agent_it_was_made_for(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    invite(f, "web", 1);
    assert_agents(f, "web invited 0 aws:1 aws:2;");
    assert_int_equal(spend(f, 9, 4, 1000, &err), -1);
    assert_int_equal(err.code, KIM_ERR_DENIED);
    assert_int_equal(spend(f, 1, 4, 1000, &err), 0);
    assert_agents(f, "web active 4 aws:1 aws:2;");
    assert_int_equal(spend(f, 1, 4, 9000, &err), 0); /* the same key: its answer was lost */
    assert_int_equal(spend(f, 1, 5, 1000, &err), -1);
    assert_int_equal(err.code, KIM_ERR_DENIED);
    assert_agents(f, "web active 4 aws:1 aws:2;");
}

static void a_token_out_of_date_or_of_a_revoked_agent_is_refused(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    invite(f, "web", 1);
    assert_int_equal(spend(f, 1, 4, 5000, &err), -1);
    assert_int_equal(err.code, KIM_ERR_DENIED);
    assert_int_equal(store_agent_set_state(f->st, KIM_TEXT("web"), STORE_AGENT_REVOKED, &err), 0);
    assert_int_equal(spend(f, 1, 4, 1000, &err), -1);
    assert_int_equal(err.code, KIM_ERR_DENIED);
}

static void an_enrolled_name_is_not_given_again_until_it_is_revoked(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    invite(f, "web", 1);
    assert_int_equal(spend(f, 1, 4, 1000, &err), 0);
    store_agent again = {.name = KIM_TEXT("web"), .state = STORE_AGENT_INVITED};
    assert_int_equal(store_agent_add(f->st, &again, &err), -1);
    assert_int_equal(err.code, KIM_ERR_CONFLICT);
    assert_int_equal(store_agent_set_state(f->st, again.name, STORE_AGENT_REVOKED, &err), 0);
    assert_int_equal(store_agent_add(f->st, &again, &err), 0);
    assert_agents(f, "web invited 0;");
    assert_int_equal(spend(f, 1, 4, 1000, &err), -1); /* the old token went with the old agent */
}

static void two_agents_never_share_a_key(void **state)
{
    fixture *f = *state;
    kim_error err = {0};
    invite(f, "one", 1);
    invite(f, "two", 2);
    assert_int_equal(spend(f, 1, 4, 1000, &err), 0);
    assert_int_equal(spend(f, 2, 4, 1000, &err), -1);
    assert_int_equal(err.code, KIM_ERR_CONFLICT);
    assert_agents(f, "one active 4 aws:1 aws:2;two invited 0 aws:1 aws:2;");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_is_staged_is_not_seen_until_it_is_published),
        WITH_STORE(staged_messages_survive_a_restart_and_go_on),
        WITH_STORE(what_was_published_since_is_told_once_by_all_who_state_it),
        WITH_STORE(a_message_that_comes_twice_is_applied_once),
        WITH_STORE(another_spool_counts_from_one_again),
        WITH_STORE(a_change_keeps_the_rest_and_a_full_snapshot_does_not),
        WITH_STORE(the_past_is_as_it_was),
        WITH_STORE(a_clock_that_goes_back_does_not_turn_history_over),
        WITH_STORE(what_did_not_change_is_no_publication),
        WITH_STORE(a_digest_that_does_not_fit_publishes_nothing),
        WITH_STORE(the_digest_is_that_of_the_records_as_sent),
        WITH_STORE(refused_records_count_and_are_read_by_nobody),
        WITH_STORE(a_source_touches_no_other),
        WITH_STORE(usage_of_one_key_adds_up_within_a_batch_and_over_batches),
        WITH_STORE(a_usage_batch_that_comes_twice_counts_once),
        WITH_STORE(totals_go_over_the_days_asked_for),
        WITH_STORE(the_cursor_stays_beside_the_mark),
        WITH_STORE(identities_are_summed_up_and_the_unused_are_named),
        WITH_STORE(the_order_of_arrival_does_not_change_the_digest),
        WITH_STORE(an_abandoned_group_keeps_nothing_and_its_texts_are_met_anew),
        WITH_STORE(one_failure_within_a_group_leaves_the_others),
        WITH_STORE(what_was_committed_survives_kill_9_and_no_more),
        WITH_STORE(a_full_disk_refuses_and_loses_nothing),
        WITH_STORE(a_store_of_a_newer_kim_is_left_alone),
        WITH_STORE(a_file_that_is_no_store_is_refused),
        WITH_STORE(a_token_is_good_once_for_the_agent_it_was_made_for),
        WITH_STORE(a_token_out_of_date_or_of_a_revoked_agent_is_refused),
        WITH_STORE(an_enrolled_name_is_not_given_again_until_it_is_revoked),
        WITH_STORE(two_agents_never_share_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
