/* SPDX-License-Identifier: Apache-2.0
 *
 * test_delta.c - a collect becomes exactly what makes the controller's set equal to it.
 *
 * `held` plays the controller: it takes each snapshot's messages, and its digest must come out as the
 * snapshot says.
 */
#include "agent/delta/delta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

enum { HELD_MAX = 20000 };
static struct held {
    uint8_t key[KIM_RECORD_KEY_BYTES], hash[KIM_RECORD_HASH_BYTES];
} held[HELD_MAX];
static size_t held_count;
static uint64_t generation, puts_seen, gones_seen;
static uint8_t digest[KIM_RECORD_HASH_BYTES];

static int setup(void **state)
{
    (void)state;
    held_count = 0;
    generation = 0;
    memset(digest, 0, sizeof digest);
    strcpy(folder, "/tmp/kim-delta-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *what, int kind, struct FTW *at)
{
    (void)what, (void)kind, (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static delta *opened(void)
{
    kim_error noted, err;
    delta *d = delta_open(folder, &noted, &err);
    if (!d)
        fail_msg("%s", err.message);
    return d;
}

static void add(delta *d, const char *name, const char *owner)
{
    kim_record r = {.type = KIM_IDENTITY, .scope = KIM_TEXT("ot:test")};
    r.identity.id = kim_text_of(name);
    r.identity.kind = KIM_DEVICE;
    r.identity.owner = kim_text_of(owner);
    kim_bytes bytes = {0};
    kim_error err;
    assert_int_equal(kim_record_encode(&r, &bytes, &err), 0);
    if (delta_add(d, bytes.data, bytes.size, &err) < 0)
        fail_msg("%s", err.message);
    kim_bytes_free(&bytes);
}

static void begin(delta *d)
{
    assert_int_equal(delta_begin(d, NULL), 0);
}

static void forget(const uint8_t *key)
{
    for (size_t i = 0; i < held_count; i++)
        if (!memcmp(held[i].key, key, sizeof held[i].key))
            held[i] = held[--held_count];
}

static void take(const protocol_data *data)
{
    kim_bytes room = {0};
    const uint8_t *entries;
    size_t size, at = 0, used;
    kim_error err;
    protocol_entry entry;
    uint64_t count = 0;
    kim_arena *arena = kim_arena_new(1 << 20);
    assert_int_equal(protocol_inflate(data, &room, &entries, &size, &err), 0);
    while (protocol_next_entry(entries, size, &at, &entry, &err) > 0) {
        count++;
        kim_record r;
        if (entry.gone) {
            gones_seen++;
            forget(entry.key);
            continue;
        }
        puts_seen++;
        assert_int_equal(kim_record_decode(entry.bytes, entry.size, arena, &r, &used, &err), 0);
        struct held *h = &held[held_count];
        kim_record_key(&r, h->key);
        kim_record_hash(entry.bytes, entry.size, h->hash);
        struct held kept = *h;
        forget(kept.key);
        held[held_count++] = kept;
        kim_arena_reset(arena);
    }
    assert_int_equal(at, size);
    assert_int_equal(count, data->count);
    kim_arena_free(arena);
    kim_bytes_free(&room);
}

/* Ships the waiting snapshot and compares the outcome with what it says. */
static void ship_all(delta *d)
{
    delta_pending p;
    kim_error err;
    assert_true(delta_pending_of(d, &p));
    puts_seen = gones_seen = 0;
    for (uint64_t sequence = p.first_sequence; sequence <= p.last_sequence; sequence++) {
        protocol_message m;
        if (delta_message(d, p.generation, sequence, &m, &err) != 1)
            fail_msg("%s", err.message);
        if (m.type == PROTOCOL_SNAPSHOT_BEGIN) {
            assert_true(m.begin.base == 0 || m.begin.base == generation);
            if (m.begin.base == 0)
                held_count = 0;
        } else if (m.type == PROTOCOL_DATA)
            take(&m.data);
        else {
            memset(digest, 0, sizeof digest);
            for (size_t i = 0; i < held_count; i++)
                kim_digest_add(digest, held[i].hash);
            assert_int_equal(m.commit.count, held_count);
            assert_memory_equal(m.commit.digest, digest, sizeof digest);
            generation = m.commit.generation;
        }
    }
}

static void acknowledge(delta *d)
{
    delta_pending p;
    assert_true(delta_pending_of(d, &p));
    assert_int_equal(delta_acknowledge(d, p.last_sequence, NULL), 0);
}

static protocol_stream_position where_the_controller_is(void)
{
    protocol_stream_position at = {.stream = KIM_TEXT("x/state"), .generation = generation};
    memcpy(at.digest, digest, sizeof digest);
    return at;
}

static void first_set(delta *d)
{
    begin(d);
    add(d, "a", "ann");
    add(d, "b", "ann");
    add(d, "c", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
    ship_all(d);
    acknowledge(d);
}

static void only_what_changed_is_sent_and_what_is_missing_is_gone(void **state)
{
    (void)state;
    delta *d = opened();
    first_set(d);
    assert_int_equal(puts_seen, 3);
    begin(d);
    add(d, "b", "bob");
    add(d, "c", "ann");
    add(d, "d", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
    ship_all(d);
    assert_int_equal(puts_seen, 2);
    assert_int_equal(gones_seen, 1);
    assert_int_equal(held_count, 3);
    delta_close(d);
}

static void nothing_changed_sends_nothing(void **state)
{
    (void)state;
    delta *d = opened();
    first_set(d);
    begin(d);
    add(d, "c", "ann");
    add(d, "b", "ann");
    add(d, "a", "ann");
    add(d, "a", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_UNCHANGED);
    delta_pending p;
    assert_false(delta_pending_of(d, &p));
    delta_close(d);
}

static void a_failed_collect_changes_nothing(void **state)
{
    (void)state;
    delta *d = opened();
    first_set(d);
    begin(d);
    add(d, "a", "ann");
    delta_abandon(d);
    delta_pending p;
    assert_false(delta_pending_of(d, &p));
    begin(d);
    const uint8_t torn[] = {0x93, 0x02, 0xdb};
    assert_int_equal(delta_add(d, torn, sizeof torn, NULL), -1);
    delta_abandon(d);
    begin(d);
    add(d, "a", "ann");
    add(d, "b", "ann");
    add(d, "c", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_UNCHANGED);
    delta_close(d);
}

static void an_empty_collect_that_went_well_empties_the_set(void **state)
{
    (void)state;
    delta *d = opened();
    first_set(d);
    begin(d);
    assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
    ship_all(d);
    assert_int_equal(held_count, 0);
    assert_int_equal(gones_seen, 3);
    delta_close(d);
}

static void a_waiting_snapshot_is_replaced_by_a_newer_one(void **state)
{
    (void)state;
    delta *d = opened();
    first_set(d);
    begin(d);
    add(d, "z", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
    delta_pending old, new;
    assert_true(delta_pending_of(d, &old));
    begin(d);
    add(d, "a", "ann");
    add(d, "y", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
    assert_true(delta_pending_of(d, &new));
    assert_true(new.generation > old.generation && new.first_sequence > old.last_sequence);
    protocol_message m;
    assert_int_equal(delta_message(d, old.generation, old.first_sequence, &m, NULL), 0);
    ship_all(d);
    assert_int_equal(held_count, 2);
    begin(d); /* back to what is held: nothing waits any more once that is known */
    acknowledge(d);
    add(d, "a", "ann");
    add(d, "y", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_UNCHANGED);
    delta_close(d);
}

static void one_whose_commit_has_left_stays_until_its_fate_is_known(void **state)
{
    (void)state;
    delta *d = opened();
    first_set(d);
    protocol_stream_position before = where_the_controller_is();
    begin(d);
    add(d, "a", "bob");
    assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
    ship_all(d);
    begin(d);
    add(d, "q", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_HELD);
    delta_close(d);
    d = opened(); /* nor does a new process forget it */
    assert_true(delta_is_in_doubt(d));
    assert_int_equal(delta_position(d, &before, NULL), 1); /* it was not published: it is sent again */
    assert_false(delta_is_in_doubt(d));
    generation = before.generation;
    ship_all(d);
    protocol_stream_position after = where_the_controller_is();
    delta_close(d);
    d = opened();
    assert_int_equal(delta_position(d, &after, NULL), 1); /* it was: as good as acknowledged */
    delta_pending p;
    assert_false(delta_pending_of(d, &p));
    begin(d);
    add(d, "a", "bob");
    assert_int_equal(delta_finish(d, NULL), DELTA_UNCHANGED);
    delta_close(d);
}

static void a_controller_that_holds_something_else_gets_all_of_it(void **state)
{
    (void)state;
    delta *d = opened();
    first_set(d);
    assert_false(delta_wants_full(d) && delta_wants_full(d));
    protocol_stream_position other = where_the_controller_is();
    other.generation = 1000;
    assert_int_equal(delta_position(d, &other, NULL), 0);
    assert_true(delta_wants_full(d));
    assert_false(delta_wants_full(d));
    begin(d);
    add(d, "a", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
    delta_pending p;
    assert_true(delta_pending_of(d, &p));
    assert_int_equal(p.base, 0);
    assert_true(p.generation > 1000);
    ship_all(d);
    assert_int_equal(held_count, 1);
    delta_close(d);
}

static void a_large_set_travels_in_many_batches_and_resumes_anywhere(void **state)
{
    (void)state;
    delta *d = opened();
    begin(d);
    for (int i = 0; i < 9000; i++) {
        char name[64], owner[64];
        snprintf(name, sizeof name, "device-%d", i);
        snprintf(owner, sizeof owner, "owner-%d-with-some-more-of-a-name", i * 7919);
        add(d, name, owner);
    }
    assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
    delta_pending p;
    assert_true(delta_pending_of(d, &p));
    assert_true(p.last_sequence - p.first_sequence > 2);
    protocol_message m;
    assert_int_equal(delta_message(d, p.generation, p.last_sequence - 1, &m, NULL), 1); /* out of order */
    ship_all(d);
    assert_int_equal(held_count, 9000);
    delta_close(d);
}

static void damage_is_noticed_and_leads_to_a_full_snapshot(void **state)
{
    (void)state;
    static const char *const files[] = {"base.map", "pending.snap"};
    for (size_t f = 0; f < 2; f++) {
        delta *d = opened();
        first_set(d);
        begin(d);
        add(d, "x", "ann");
        assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
        delta_close(d);
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, files[f]);
        FILE *file = fopen(path, "r+b");
        fseek(file, -3, SEEK_END);
        int byte = fgetc(file);
        fseek(file, -3, SEEK_END);
        fputc(byte ^ 16, file);
        fclose(file);
        d = opened();
        protocol_stream_position at = where_the_controller_is();
        assert_int_equal(delta_position(d, &at, NULL), 1);
        protocol_message m;
        kim_error err = {0};
        delta_pending p;
        assert_true(delta_pending_of(d, &p));
        if (f == 1)
            assert_int_equal(delta_message(d, p.generation, p.first_sequence + 1, &m, &err), -1);
        begin(d);
        add(d, "x", "ann");
        assert_int_equal(delta_finish(d, NULL), DELTA_WAITING);
        assert_true(delta_pending_of(d, &p));
        assert_int_equal(p.base, 0);
        ship_all(d);
        assert_int_equal(held_count, 1);
        delta_close(d);
        teardown(state);
        setup(state);
    }
}

static void what_the_log_says_of_itself_is_in_every_snapshot(void **state)
{
    (void)state;
    delta *d = opened();
    first_set(d);
    for (int i = 0; i < 2; i++) {
        kim_record r = {.type = KIM_COVERAGE, .scope = KIM_TEXT("ot:test")};
        r.coverage = (kim_coverage){.part = KIM_TEXT("log"), .status = KIM_PARTIAL, .why = i ? KIM_TEXT("b") : KIM_TEXT("a")};
        kim_bytes bytes = {0};
        assert_int_equal(kim_record_encode(&r, &bytes, NULL), 0);
        assert_int_equal(delta_add_beside(d, bytes.data, bytes.size, NULL), 1);
        assert_int_equal(delta_add_beside(d, bytes.data, bytes.size, NULL), 0);
        kim_bytes_free(&bytes);
        assert_int_equal(delta_finish_beside(d, NULL), DELTA_WAITING);
        ship_all(d);
        acknowledge(d);
        assert_int_equal(puts_seen, 1);
        assert_int_equal(gones_seen, 0);
        assert_int_equal(held_count, 4);
    }
    delta_close(d);
    d = opened();
    begin(d);
    add(d, "a", "ann");
    add(d, "b", "ann");
    add(d, "c", "ann");
    assert_int_equal(delta_finish(d, NULL), DELTA_UNCHANGED);
    delta_close(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_what_changed_is_sent_and_what_is_missing_is_gone),
        TEST(nothing_changed_sends_nothing),
        TEST(a_failed_collect_changes_nothing),
        TEST(an_empty_collect_that_went_well_empties_the_set),
        TEST(a_waiting_snapshot_is_replaced_by_a_newer_one),
        TEST(one_whose_commit_has_left_stays_until_its_fate_is_known),
        TEST(a_controller_that_holds_something_else_gets_all_of_it),
        TEST(a_large_set_travels_in_many_batches_and_resumes_anywhere),
        TEST(damage_is_noticed_and_leads_to_a_full_snapshot),
        TEST(what_the_log_says_of_itself_is_in_every_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
