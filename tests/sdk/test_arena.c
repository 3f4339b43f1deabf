/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <kim/arena.h>

#include "tests/support/fail_malloc.h"

static void allocations_are_zeroed_and_aligned_for_any_type(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    for (int round = 0; round < 2; round++) {
        for (size_t size = 1; size < 3000; size += 7) {
            kim_arena_bytes(arena, 1); /* puts the next one off its alignment */
            unsigned char *bytes = kim_arena_alloc(arena, size);
            assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(bytes[i], 0);
            memset(bytes, 0xff, size);
        }
        kim_arena_reset(arena); /* what was written before it must not show through after it */
    }
    kim_arena_free(arena);
}

static void allocations_do_not_overlap(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    unsigned char *pieces[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        pieces[i] = i % 2 ? kim_arena_alloc(arena, i) : (unsigned char *)kim_arena_bytes(arena, i);
        memset(pieces[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t b = 0; b < i; b++)
            assert_int_equal(pieces[i][b], i & 0xff);
    }
    kim_arena_free(arena);
}

static void the_ceiling_holds_to_the_byte_and_the_arena_stays_full(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(100);
    assert_non_null(kim_arena_bytes(arena, 60));
    assert_int_equal(kim_arena_left(arena), 40);
    assert_non_null(kim_arena_bytes(arena, 40));
    assert_int_equal(kim_arena_used(arena), 100);
    assert_int_equal(kim_arena_left(arena), 0);
    assert_false(kim_arena_is_full(arena)); /* nothing was refused yet */
    assert_null(kim_arena_bytes(arena, 1));
    assert_true(kim_arena_is_full(arena));
    assert_null(kim_arena_bytes(arena, 0)); /* a run of allocations is checked once */
    kim_arena_free(arena);
}

static void padding_counts_against_the_ceiling(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(16 + 15);
    assert_non_null(kim_arena_bytes(arena, 1));
    assert_null(kim_arena_alloc(arena, 16)); /* 1 + 15 of padding + 16 */
    kim_arena_free(arena);
}

static void sizes_that_no_memory_has_are_refused_without_trying(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    assert_null(kim_arena_array(arena, SIZE_MAX / 2, 3));
    assert_true(kim_arena_is_full(arena));
    kim_arena_reset(arena);
    assert_null(kim_arena_alloc(arena, SIZE_MAX));
    kim_arena_reset(arena);
    assert_non_null(kim_arena_bytes(arena, 1));
    assert_null(kim_arena_alloc(arena, SIZE_MAX - 8));
    kim_arena_free(arena);
}

static void an_empty_allocation_is_something_and_not_null(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(0);
    assert_non_null(kim_arena_alloc(arena, 0));
    assert_non_null(kim_arena_array(arena, 0, 8));
    assert_null(kim_arena_alloc(arena, 1));
    kim_arena_free(arena);
}

static void a_reset_arena_has_its_whole_ceiling_again_and_takes_no_new_memory(void **state)
{
    (void)state;
    kim_arena *arena = kim_arena_new(1024 * 1024);
    for (int i = 0; i < 1000; i++)
        assert_non_null(kim_arena_alloc(arena, 1000));
    assert_null(kim_arena_alloc(arena, 1024 * 1024));
    kim_arena_reset(arena);
    assert_false(kim_arena_is_full(arena));
    assert_int_equal(kim_arena_used(arena), 0);
    fail_malloc_start(1);
    for (int i = 0; i < 1000; i++)
        assert_non_null(kim_arena_alloc(arena, 1000));
    assert_false(fail_malloc_stop());
    kim_arena_free(arena);
}

static void without_memory_it_is_full_and_can_be_freed(void **state)
{
    (void)state;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        fail_malloc_start(n);
        kim_arena *arena = kim_arena_new(SIZE_MAX);
        bool all = arena != NULL;
        for (int i = 0; all && i < 100; i++)
            all = kim_arena_alloc(arena, 1000) != NULL;
        failed = fail_malloc_stop();
        assert_int_equal(all, !failed);
        if (arena != NULL)
            assert_int_equal(kim_arena_is_full(arena), failed);
        kim_arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_zeroed_and_aligned_for_any_type),
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(the_ceiling_holds_to_the_byte_and_the_arena_stays_full),
        cmocka_unit_test(padding_counts_against_the_ceiling),
        cmocka_unit_test(sizes_that_no_memory_has_are_refused_without_trying),
        cmocka_unit_test(an_empty_allocation_is_something_and_not_null),
        cmocka_unit_test(a_reset_arena_has_its_whole_ceiling_again_and_takes_no_new_memory),
        cmocka_unit_test(without_memory_it_is_full_and_can_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
