/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <kim/emit.h>

/* A host that remembers what it was handed. */
typedef struct taken {
    size_t calls, records, bytes, largest;
    char cursor[16];
    int result;
} taken;

static int take(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size,
                kim_error *err)
{
    taken *to = context;
    to->calls++;
    to->bytes += size;
    to->largest = size > to->largest ? size : to->largest;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    for (size_t at = 0, used; at < size; at += used) {
        kim_record record;
        assert_int_equal(kim_record_decode(records + at, size - at, arena, &record, &used, err), 0);
        to->records++;
    }
    kim_arena_free(arena);
    if (cursor != NULL)
        memcpy(to->cursor, cursor, cursor_size);
    return to->result < 0 ? kim_fail(err, KIM_ERR_STOPPED, "asked to stop") : 0;
}

static taken host_took;
static const kim_host host = {.struct_size = sizeof host, .context = &host_took, .emit = take};
static const kim_record small = {
    .type = KIM_IDENTITY, .scope = {"aws:1", 5}, .identity = {.id = {"ann", 3}, .kind = KIM_HUMAN}};
static kim_emitter emitter;
static kim_error err;

static int setup(void **state)
{
    (void)state;
    host_took = (taken){0};
    kim_emitter_start(&emitter, &host);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kim_emitter_stop(&emitter);
    return 0;
}

static void records_gather_and_leave_a_batch_at_a_time(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(kim_emit(&emitter, &small, &err), 0);
    assert_true(host_took.calls > 1 && host_took.calls < 20);
    assert_true(host_took.largest <= KIM_BATCH_TARGET_BYTES + KIM_RECORD_MAX_BYTES);
    assert_int_equal(kim_emit_flush(&emitter, NULL, 0, &err), 0);
    assert_int_equal(host_took.records, COUNT);
    assert_int_equal(emitter.count, COUNT);
}

static void with_nothing_pending_nothing_is_handed_over(void **state)
{
    (void)state;
    assert_int_equal(kim_emit_flush(&emitter, NULL, 0, &err), 0);
    assert_int_equal(host_took.calls, 0);
}

static void a_cursor_leaves_with_its_records_as_one_call(void **state)
{
    (void)state;
    emitter.hold = true;
    for (int i = 0; i < 10000; i++)
        assert_int_equal(kim_emit(&emitter, &small, &err), 0);
    assert_true(emitter.pending.size > KIM_BATCH_TARGET_BYTES);
    assert_int_equal(host_took.calls, 0);
    assert_int_equal(kim_emit_flush(&emitter, (const uint8_t *)"line 7", 7, &err), 0);
    assert_int_equal(host_took.calls, 1);
    assert_int_equal(host_took.records, 10000);
    assert_string_equal(host_took.cursor, "line 7");
    assert_int_equal(kim_emit_flush(&emitter, (const uint8_t *)"line 8", 7, &err), 0); /* nothing new there */
    assert_int_equal(host_took.calls, 2);
    assert_string_equal(host_took.cursor, "line 8");
}

static void what_is_held_for_one_cursor_still_fits_one_frame(void **state)
{
    (void)state;
    emitter.hold = true;
    size_t taken_so_far = 0;
    while (kim_emit(&emitter, &small, &err) == 0)
        taken_so_far++;
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_int_equal(emitter.count, taken_so_far);
    assert_true(emitter.pending.size <= KIM_EMIT_HELD_MAX_BYTES);
    assert_int_equal(kim_emit_flush(&emitter, (const uint8_t *)"c", 2, &err), 0);
    assert_int_equal(host_took.records, taken_so_far);
    assert_int_equal(kim_emit(&emitter, &small, &err), 0); /* and goes on */
}

static void a_cursor_past_its_limit_is_refused_and_the_records_stay(void **state)
{
    (void)state;
    static const uint8_t cursor[KIM_CURSOR_MAX_BYTES + 1];
    emitter.hold = true;
    assert_int_equal(kim_emit(&emitter, &small, &err), 0);
    assert_int_equal(kim_emit_flush(&emitter, cursor, sizeof cursor, &err), -1);
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_int_equal(host_took.calls, 0);
    assert_true(emitter.pending.size > 0);
}

static void a_record_that_is_wrong_is_refused_by_name_and_not_taken(void **state)
{
    (void)state;
    kim_record nameless = small;
    nameless.identity.id = KIM_NO_TEXT;
    assert_int_equal(kim_emit(&emitter, &nameless, &err), -1);
    assert_int_equal(err.code, KIM_ERR_INPUT);
    assert_says(err.message, "identity: field 'id': it is required, and absent");
    assert_int_equal(emitter.count, 0);
    assert_int_equal(emitter.pending.size, 0);
}

static void the_hosts_refusal_is_passed_on(void **state)
{
    (void)state;
    host_took.result = -1;
    assert_int_equal(kim_emit(&emitter, &small, &err), 0);
    assert_int_equal(kim_emit_flush(&emitter, NULL, 0, &err), -1);
    assert_int_equal(err.code, KIM_ERR_STOPPED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(records_gather_and_leave_a_batch_at_a_time),
        TEST(with_nothing_pending_nothing_is_handed_over),
        TEST(a_cursor_leaves_with_its_records_as_one_call),
        TEST(what_is_held_for_one_cursor_still_fits_one_frame),
        TEST(a_cursor_past_its_limit_is_refused_and_the_records_stay),
        TEST(a_record_that_is_wrong_is_refused_by_name_and_not_taken),
        TEST(the_hosts_refusal_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
