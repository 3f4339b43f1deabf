/* SPDX-License-Identifier: Apache-2.0
 *
 * test_state.c - the cursor: bounded, exact, and suspicious of what is not its own.
 */
#include <stdio.h>

#include "plugins/aws/usage/state.h"
#include "tests/support/cmocka.h"

static usage_state s, again;
static uint8_t bytes[KIM_CURSOR_MAX_BYTES], others[KIM_CURSOR_MAX_BYTES];

static void assert_same_again(void)
{
    kim_error err = {0};
    size_t size = state_encode(&s, bytes);
    assert_true(size <= KIM_CURSOR_MAX_BYTES);
    if (state_decode(&again, bytes, size, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(state_encode(&again, others), size);
    assert_memory_equal(bytes, others, size);
}

static state_log log_number(uint32_t i)
{
    char name[32];
    int size = snprintf(name, sizeof name, "log-%u", i);
    return (state_log){.minute = 1000 + i / 7,
                       .hash = state_hash(2, (kim_text){name, (size_t)size}) & (((uint64_t)1 << STATE_HASH_BITS) - 1)};
}

static void a_log_that_was_read_is_known_however_many_follow(void **state)
{
    (void)state;
    memset(&s, 0, sizeof s);
    state_place *place = state_place_of(&s, "/logs");
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        assert_false(state_knows(&s, place, log_number(i)));
        state_read(&s, place, log_number(i));
    }
    assert_same_again();
    uint64_t below = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        bool is_below = state_is_below(place, log_number(i));
        assert_true(is_below != state_knows(&s, place, log_number(i)));
        below += is_below;
        sum += is_below ? log_number(i).hash : 0;
    }
    assert_int_equal(below, place->count);
    assert_true(sum == place->sum);
    assert_true(place->count > 20000 - STATE_LOGS);
}

static void the_cursor_stays_within_its_bound_when_all_is_full(void **state)
{
    char text[2100], key[32];
    (void)state;
    memset(&s, 0, sizeof s);
    for (uint32_t i = 0; i < STATE_PLACES; i++) {
        snprintf(text, sizeof text, "/place/%u", i);
        assert_non_null(state_place_of(&s, text));
    }
    assert_null(state_place_of(&s, "/one/more"));
    for (uint32_t i = 0; i < 3000; i++) {
        state_read(&s, &s.places[i % STATE_PLACES], log_number(i));
        state_part_set(&s, (state_part){.hash = i, .bytes = UINT64_MAX, .records = i, .open = i == 7});
        memset(text, 'a' + (int)(i % 26), sizeof text);
        snprintf(key, sizeof key, "ASIA%016u", i);
        state_caller_set(&s, kim_text_of(key), (kim_text){text, 1 + i % 200});
        snprintf(text, sizeof text, "%012u", i);
        state_account *a = state_account_of(&s, kim_text_of(text));
        assert_true((a != NULL) == (i < STATE_ACCOUNTS));
        snprintf(text, sizeof text, "xx-somewhere-%u", i);
        state_region(&s, kim_text_of(text));
        memset(text, 'n', 100);
        snprintf(text + 30, 20, "%u", i);
        if (a)
            state_unmapped_add(&s, a, (kim_text){text, 40}, (kim_text){text, 60});
    }
    assert_non_null(state_part_of(&s, 7)); /* one that a commit lies within makes no room */
    assert_same_again();
}

static void the_caller_behind_a_session_is_remembered_and_the_longest_ago_forgotten(void **state)
{
    char key[32], who[32];
    (void)state;
    memset(&s, 0, sizeof s);
    state_caller_set(&s, KIM_TEXT("ASIA1"), KIM_TEXT("arn:aws:iam::1:user/ann"));
    assert_true(kim_text_is(state_caller(&s, KIM_TEXT("ASIA1")), "arn:aws:iam::1:user/ann"));
    assert_true(kim_text_is_absent(state_caller(&s, KIM_TEXT("ASIA2"))));
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(key, sizeof key, "ASIA%016u", i);
        snprintf(who, sizeof who, "role/%u", i % 1000);
        state_caller_set(&s, kim_text_of(key), kim_text_of(who));
        assert_true(kim_text_is(state_caller(&s, kim_text_of(key)), who));
    }
    assert_true(kim_text_is_absent(state_caller(&s, KIM_TEXT("ASIA1"))));
    assert_same_again();
}

static void a_cursor_that_is_damaged_is_refused_at_every_byte_that_matters(void **state)
{
    kim_error err = {0};
    (void)state;
    the_caller_behind_a_session_is_remembered_and_the_longest_ago_forgotten(NULL);
    state_read(&s, state_place_of(&s, "/logs"), log_number(1));
    size_t size = state_encode(&s, bytes);
    for (size_t cut = 1; cut < size; cut += 97) {
        assert_int_equal(state_decode(&again, bytes, cut, &err), -1);
        assert_int_equal(err.code, KIM_ERR_CORRUPT);
        assert_says(err.message, "remove it to read all logs anew");
    }
    for (size_t at = 0; at < size; at++) { /* never out of its arrays: what the sanitizers watch */
        uint8_t was = bytes[at];
        bytes[at] = 0xff;
        state_decode(&again, bytes, size, &err);
        bytes[at] = was;
    }
    bytes[3]++;
    assert_int_equal(state_decode(&again, bytes, size, &err), -1);
    assert_int_equal(err.code, KIM_ERR_VERSION);
    assert_int_equal(state_decode(&again, NULL, 0, &err), 0);
    assert_int_equal(again.place_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_was_read_is_known_however_many_follow),
        cmocka_unit_test(the_cursor_stays_within_its_bound_when_all_is_full),
        cmocka_unit_test(the_caller_behind_a_session_is_remembered_and_the_longest_ago_forgotten),
        cmocka_unit_test(a_cursor_that_is_damaged_is_refused_at_every_byte_that_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
