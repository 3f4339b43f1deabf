/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include <kim/limits.h>
#include <kim/record.h>

#include "tests/support/fail_malloc.h"

static kim_arena *arena;
static kim_error err;
static kim_bytes bytes;

static int setup(void **state)
{
    (void)state;
    arena = kim_arena_new(SIZE_MAX);
    err = (kim_error){0};
    bytes = (kim_bytes){0};
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    kim_arena_free(arena);
    kim_bytes_free(&bytes);
    return 0;
}

/* ---- records to try things on ---- */

static const kim_text two_texts[] = {{"s3:Get*", 7}, {"", 0}};
static const kim_pair two_pairs[] = {{{"a", 1}, {"x", 1}}, {{"b", 1}, {"", 0}}};

/* A record of a type with something in every field. */
static kim_record full(kim_record_type type)
{
    kim_record record = {.type = type, .scope = KIM_TEXT("aws:111122223333")};
    size_t count;
    const kim_field *fields = kim_record_fields(type, &count);
    for (size_t i = 0; i < count; i++) {
        void *at = (char *)&record + fields[i].offset;
        switch (fields[i].kind) {
        case KIM_FIELD_TEXT:
            *(kim_text *)at = kim_text_of(fields[i].name);
            break;
        case KIM_FIELD_TEXTS:
            *(kim_texts *)at = (kim_texts){two_texts, 2};
            break;
        case KIM_FIELD_PAIRS:
            *(kim_pairs *)at = (kim_pairs){two_pairs, 2};
            break;
        case KIM_FIELD_INT:
            *(int64_t *)at = -(int64_t)(i + 1);
            break;
        case KIM_FIELD_TIME:
            *(int64_t *)at = 1763750400000 + (int64_t)i;
            break;
        case KIM_FIELD_BOOL:
            *(bool *)at = true;
            break;
        case KIM_FIELD_ENUM:
            *(int32_t *)at = 2;
            break;
        case KIM_FIELD_CONDITION:
            *(kim_condition *)at = (kim_condition){KIM_TEXT("aws"), KIM_TEXT("{\"Bool\":{}}")};
            break;
        }
    }
    if (type == KIM_SCOPE)
        record.as_scope.id = record.scope;
    return record;
}

static void clear(kim_record *record, const kim_field *field)
{
    static const size_t sizes[] = {
        [KIM_FIELD_TEXT] = sizeof(kim_text),   [KIM_FIELD_TEXTS] = sizeof(kim_texts),
        [KIM_FIELD_PAIRS] = sizeof(kim_pairs), [KIM_FIELD_INT] = sizeof(int64_t),
        [KIM_FIELD_TIME] = sizeof(int64_t),    [KIM_FIELD_BOOL] = sizeof(bool),
        [KIM_FIELD_ENUM] = sizeof(int32_t),    [KIM_FIELD_CONDITION] = sizeof(kim_condition),
    };
    memset((char *)record + field->offset, 0, sizes[field->kind]);
}

static kim_record statement(void)
{
    return (kim_record){.type = KIM_STATEMENT, .scope = KIM_TEXT("aws:1"), .statement = {.policy = KIM_TEXT("p")}};
}

static kim_bytes encoded(const kim_record *record)
{
    kim_bytes_free(&bytes);
    if (kim_record_encode(record, &bytes, &err) < 0)
        fail_msg("%s", err.message);
    return bytes;
}

static int decode(const void *from, size_t size, kim_record *record, size_t *used)
{
    return kim_record_decode(from, size, arena, record, used, &err);
}

/* The bytes decode to a record, all of them, and that record encodes to the same bytes. */
static kim_record assert_round_trip(const kim_record *record)
{
    kim_bytes first = encoded(record);
    uint8_t *copy = kim_arena_alloc(arena, first.size);
    memcpy(copy, first.data, first.size);
    size_t size = first.size, used = 0;
    kim_record again;
    if (kim_record_check(record, &err) < 0 || decode(copy, size, &again, &used) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(used, size);
    kim_bytes second = encoded(&again);
    assert_int_equal(second.size, size);
    assert_memory_equal(second.data, copy, size);
    return again;
}

static void assert_refused(const kim_record *record, kim_code code, const char *says)
{
    err = (kim_error){0};
    assert_int_equal(kim_record_check(record, &err), -1);
    assert_int_equal(err.code, code);
    assert_says(err.message, says);
}

static void assert_bytes_refused(const char *from, size_t size, kim_code code, const char *says)
{
    uint8_t *copy = malloc(size ? size : 1); /* ends exactly where the bytes do */
    memcpy(copy, from, size);
    kim_record record = {.type = 99};
    size_t used = 77;
    err = (kim_error){0};
    assert_int_equal(decode(copy, size, &record, &used), -1);
    free(copy);
    assert_int_equal(err.code, code);
    assert_says(err.message, says);
    assert_int_equal(record.type, 99); /* outputs are left alone on failure */
    assert_int_equal(used, 77);
}
#define BYTES(literal) (literal), sizeof(literal) - 1

/* ---- round trips ---- */

static void a_record_of_each_type_with_every_field_comes_back_as_it_was(void **state)
{
    (void)state;
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        kim_record record = full((kim_record_type)type);
        kim_record again = assert_round_trip(&record);
        assert_int_equal(again.type, type);
        assert_true(kim_text_equal(again.scope, record.scope));
    }
}

static void a_record_of_each_type_without_any_one_field_comes_back_without_it(void **state)
{
    (void)state;
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        size_t count;
        const kim_field *fields = kim_record_fields((kim_record_type)type, &count);
        for (size_t i = 0; i < count; i++) {
            kim_record record = full((kim_record_type)type);
            clear(&record, &fields[i]);
            if (fields[i].is_required)
                assert_refused(&record, KIM_ERR_INPUT, fields[i].name);
            else
                assert_round_trip(&record);
        }
    }
}

static void values_come_back_to_the_bit(void **state)
{
    (void)state;
    static const int64_t numbers[] = {
        0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, INT64_MAX,
        -1, -32, -33, -128, -129, -32768, -32769, -2147483648LL, -2147483649LL, INT64_MIN,
    };
    static const size_t sizes[] = {1, 1, 1, 2, 2, 3, 3, 5, 5, 9, 9, 1, 1, 2, 2, 3, 3, 5, 5, 9, 9};
    kim_record record = statement();
    size_t base = encoded(&record).size + 11; /* and the absent fields between index and weight */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        record.statement.weight = numbers[i];
        assert_int_equal(assert_round_trip(&record).statement.weight, numbers[i]);
        if (numbers[i] != 0) /* in its shortest form */
            assert_int_equal(encoded(&record).size, base + sizes[i]);
    }
}

static void texts_of_every_width_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 4096, 65535, 65536, KIM_CONDITION_MAX_BYTES};
    char *letters = kim_arena_alloc(arena, KIM_CONDITION_MAX_BYTES);
    memset(letters, 'x', KIM_CONDITION_MAX_BYTES);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        kim_record record = statement();
        record.statement.condition = (kim_condition){KIM_TEXT("aws"), {letters, sizes[i]}};
        assert_int_equal(assert_round_trip(&record).statement.condition.text.size, sizes[i]);
    }
}

static void lists_of_every_width_come_back(void **state)
{
    (void)state;
    static const size_t counts[] = {0, 1, 15, 16, KIM_LIST_MAX_ITEMS};
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, KIM_LIST_MAX_ITEMS);
    for (size_t i = 0; i < KIM_LIST_MAX_ITEMS; i++)
        items[i] = KIM_TEXT("s3:*");
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        kim_record record = statement();
        record.statement.actions = (kim_texts){items, counts[i]};
        assert_int_equal(assert_round_trip(&record).statement.actions.count, counts[i]);
    }
}

static void decoded_texts_point_into_the_bytes(void **state)
{
    (void)state;
    kim_record record = full(KIM_EDGE), again;
    kim_bytes all = encoded(&record);
    size_t used;
    assert_int_equal(decode(all.data, all.size, &again, &used), 0);
    assert_true((const uint8_t *)again.edge.from.bytes > all.data);
    assert_true((const uint8_t *)again.edge.from.bytes < all.data + all.size);
}

static void records_lie_end_to_end(void **state)
{
    (void)state;
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        kim_record record = full((kim_record_type)type);
        assert_int_equal(kim_record_encode(&record, &bytes, &err), 0);
    }
    size_t at = 0;
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        kim_record record;
        size_t used;
        assert_int_equal(decode(bytes.data + at, bytes.size - at, &record, &used), 0);
        assert_int_equal(record.type, type);
        at += used;
    }
    assert_int_equal(at, bytes.size);
}

/* ---- absent and empty ---- */

static void absent_and_empty_are_told_apart(void **state)
{
    (void)state;
    kim_record record = statement();
    record.statement.sid = KIM_TEXT("");
    record.statement.actions = (kim_texts){two_texts, 0};
    kim_record again = assert_round_trip(&record);
    assert_false(kim_text_is_absent(again.statement.sid));
    assert_int_equal(again.statement.sid.size, 0);
    assert_non_null(again.statement.actions.items); /* matches nothing */
    assert_int_equal(again.statement.actions.count, 0);
    assert_null(again.statement.resources.items); /* matches all */
    record = (kim_record){.type = KIM_RESOURCE, .scope = KIM_TEXT("aws:1"), .resource = {.id = KIM_TEXT("r"), .facts = {two_pairs, 0}}};
    again = assert_round_trip(&record);
    assert_non_null(again.resource.facts.items);
    assert_null(again.resource.tags.items);
}

static void absent_fields_take_a_byte_in_the_middle_and_none_at_the_end(void **state)
{
    (void)state;
    kim_record record = statement();
    kim_bytes all = encoded(&record);
    assert_int_equal(all.size, 10);
    assert_memory_equal(all.data, "\x93\x07\xa5" "aws:1" "\xa1p", 10);
    record.statement.effect = KIM_DENY;
    all = encoded(&record);
    assert_memory_equal(all.data, "\x96\x07\xa5" "aws:1" "\xa1p\xc0\xc0\x02", 13);
    assert_int_equal(all.size, 13);
}

static void pairs_are_sorted_so_that_their_order_makes_no_difference(void **state)
{
    (void)state;
    const kim_pair one[] = {{KIM_TEXT("b"), KIM_TEXT("2")}, {KIM_TEXT("a"), KIM_TEXT("3")}, {KIM_TEXT("a"), KIM_TEXT("1")}};
    const kim_pair other[] = {{KIM_TEXT("a"), KIM_TEXT("1")}, {KIM_TEXT("a"), KIM_TEXT("3")}, {KIM_TEXT("b"), KIM_TEXT("2")}};
    kim_record record = {.type = KIM_RESOURCE, .scope = KIM_TEXT("aws:1"), .resource = {.id = KIM_TEXT("r"), .tags = {one, 3}}};
    kim_bytes first = encoded(&record);
    uint8_t hash[KIM_RECORD_HASH_BYTES], same[KIM_RECORD_HASH_BYTES];
    kim_record_hash(first.data, first.size, hash);
    record.resource.tags.items = other;
    kim_bytes second = encoded(&record);
    kim_record_hash(second.data, second.size, same);
    assert_memory_equal(hash, same, sizeof hash);
}

static void the_order_of_a_list_is_kept(void **state)
{
    (void)state;
    const kim_text items[] = {KIM_TEXT("b"), KIM_TEXT("a")};
    kim_record record = statement();
    record.statement.actions = (kim_texts){items, 2};
    assert_true(kim_text_is(assert_round_trip(&record).statement.actions.items[0], "b"));
}

/* ---- hostile bytes ---- */

static void a_record_cut_at_any_byte_is_refused_with_type_field_and_place(void **state)
{
    (void)state;
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        kim_record record = full((kim_record_type)type);
        kim_bytes all = encoded(&record);
        for (size_t size = 0; size < all.size; size++) {
            char place[32];
            snprintf(place, sizeof place, " of %zu: ", size);
            assert_bytes_refused((const char *)all.data, size, KIM_ERR_INPUT, place);
            const char *name = kim_record_type_name((kim_record_type)type);
            if (strncmp(err.message, "record: field 'type'", 20) != 0 || size > 3)
                assert_says(err.message, name);
        }
    }
}

static void a_fault_names_the_field_that_it_is_in(void **state)
{
    (void)state;
    assert_bytes_refused(BYTES("\x95\x04\xa1s\x01\xa1" "a\x07"), KIM_ERR_INPUT,
                         "edge: field 'to' at byte 7 of 8: a text is due");
    assert_bytes_refused(BYTES("\x93\x04\xa1s\xa1x"), KIM_ERR_INPUT, "edge: field 'kind' at byte 4 of 6: a number is due");
    assert_bytes_refused(BYTES("\x93\x02\xa1s\xa9" "abc"), KIM_ERR_INPUT,
                         "identity: field 'id' at byte 5 of 8: the bytes end in the middle of it");
}

static void what_is_no_record_is_refused(void **state)
{
    (void)state;
    assert_bytes_refused(BYTES(""), KIM_ERR_INPUT, "record: field 'type' at byte 0 of 0: the bytes end");
    assert_bytes_refused(BYTES("\xc0"), KIM_ERR_INPUT, "a record is an array");
    assert_bytes_refused(BYTES("\x80"), KIM_ERR_INPUT, "a record is an array");
    assert_bytes_refused(BYTES("\x90"), KIM_ERR_INPUT, "a record is an array");
    assert_bytes_refused(BYTES("\x91\x01"), KIM_ERR_INPUT, "a record is an array");
    assert_bytes_refused(BYTES("\x92\x00\xa1s"), KIM_ERR_INPUT, "number from 1 to 12");
    assert_bytes_refused(BYTES("\x92\x0d\xa1s"), KIM_ERR_INPUT, "number from 1 to 12");
    assert_bytes_refused(BYTES("\x92\xff\xa1s"), KIM_ERR_INPUT, "number from 1 to 12");
    assert_bytes_refused(BYTES("\x92\xcf\0\0\0\x01\0\0\0\x01\xa1s"), KIM_ERR_INPUT, "number from 1 to 12");
    assert_bytes_refused(BYTES("\x93\x02\xc0\xa1x"), KIM_ERR_INPUT, "identity: field 'scope'");
    assert_bytes_refused(BYTES("\x93\x02\xa0\xa1x"), KIM_ERR_INPUT, "'scope': it is required, and empty");
}

/* An arena with no memory at all shows that nothing is allocated before the count is believed. */
static void a_count_that_the_bytes_cannot_hold_costs_no_memory(void **state)
{
    (void)state;
    kim_arena *none = kim_arena_new(0);
    static const struct {
        const char *bytes;
        size_t size;
    } lies[] = {
        {BYTES("\x97\x07\xa1s\xa1p\xc0\xc0\xc0\xdd\xff\xff\xff\xff")}, /* statement.actions */
        {BYTES("\x97\x07\xa1s\xa1p\xc0\xc0\xc0\xdc\x40\x00\xa1x")},
        {BYTES("\x97\x07\xa1s\xa1p\xc0\xc0\xc0\x92\xa0")},
        {BYTES("\x98\x05\xa1s\xa1r\xc0\xc0\xc0\xc0\xdf\x80\x00\x00\x00")}, /* resource.tags */
        {BYTES("\x98\x05\xa1s\xa1r\xc0\xc0\xc0\xc0\x82\xa0\xa0\xa0")},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        kim_record record;
        size_t used;
        err = (kim_error){0};
        assert_int_equal(kim_record_decode((const uint8_t *)lies[i].bytes, lies[i].size, none, &record, &used, &err), -1);
        assert_int_equal(err.code, KIM_ERR_INPUT);
        assert_says(err.message, "claims more items than there are bytes left");
    }
    kim_arena_free(none);
}

static void a_record_that_claims_fields_it_has_not_is_cut_short_at_the_first(void **state)
{
    (void)state;
    assert_bytes_refused(BYTES("\xdd\xff\xff\xff\xff\x07\xa1s"), KIM_ERR_INPUT,
                         "statement: field 'policy' at byte 8 of 8: the bytes end in the middle of it");
}

static void a_list_within_its_bytes_is_still_bounded(void **state)
{
    (void)state;
    enum { COUNT = KIM_LIST_MAX_ITEMS + 1 };
    kim_bytes_append(&bytes, BYTES("\x97\x07\xa1s\xa1p\xc0\xc0\xc0\xdc\x40\x01"));
    for (size_t i = 0; i < COUNT; i++)
        kim_bytes_append(&bytes, "\xa0", 1);
    assert_bytes_refused((const char *)bytes.data, bytes.size, KIM_ERR_LIMIT,
                         "statement: field 'actions' at byte 9 of 16397: the list has more than 16384 items");
}

static void unknown_trailing_fields_of_any_shape_are_skipped(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } values[] = {
        {BYTES("\xc0")}, {BYTES("\x7f")}, {BYTES("\xff")}, {BYTES("\xc3")}, {BYTES("\xa2" "ab")},
        {BYTES("\xc4\x01z")}, {BYTES("\xc5\0\x01z")}, {BYTES("\xc6\0\0\0\x01z")},
        {BYTES("\xc7\x01\x05z")}, {BYTES("\xc8\0\x01\x05z")}, {BYTES("\xc9\0\0\0\x01\x05z")},
        {BYTES("\xca" "1234")}, {BYTES("\xcb" "12345678")},
        {BYTES("\xcc" "1")}, {BYTES("\xcd" "12")}, {BYTES("\xce" "1234")}, {BYTES("\xcf" "12345678")},
        {BYTES("\xd0" "1")}, {BYTES("\xd1" "12")}, {BYTES("\xd2" "1234")}, {BYTES("\xd3" "12345678")},
        {BYTES("\xd4" "t1")}, {BYTES("\xd5" "t12")}, {BYTES("\xd6" "t1234")}, {BYTES("\xd7" "t12345678")},
        {BYTES("\xd8" "t1234567890123456")},
        {BYTES("\xd9\x01z")}, {BYTES("\xda\0\x01z")}, {BYTES("\xdb\0\0\0\x01z")},
        {BYTES("\x93\x01\x92\x02\x03\x80")}, {BYTES("\xdc\0\x02\x01\x02")}, {BYTES("\xdd\0\0\0\x01\xc0")},
        {BYTES("\x81\xa1k\x91\x01")}, {BYTES("\xde\0\x01\xa1k\xc0")}, {BYTES("\xdf\0\0\0\x01\xa1k\xc0")},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        kim_bytes_free(&bytes);
        kim_bytes_append(&bytes, BYTES("\x98\x03\xa1s\xa1i\xa1t\xc0\xa1v")); /* a key has four fields */
        kim_bytes_append(&bytes, values[i].bytes, values[i].size);
        kim_bytes_append(&bytes, BYTES("\x05"));
        kim_record record;
        size_t used;
        if (decode(bytes.data, bytes.size, &record, &used) < 0)
            fail_msg("value %zu: %s", i, err.message);
        assert_int_equal(used, bytes.size);
        assert_true(kim_text_is(record.key.value, "v"));
        for (size_t size = 0; size < bytes.size; size++)
            assert_bytes_refused((const char *)bytes.data, size, KIM_ERR_INPUT, "");
    }
    assert_bytes_refused(BYTES("\x97\x03\xa1s\xa1i\xa1t\xc0\xa1v\xc1"), KIM_ERR_INPUT, "0xc1");
}

static void skipping_neither_recurses_nor_believes_a_count(void **state)
{
    (void)state;
    kim_bytes_append(&bytes, BYTES("\x97\x03\xa1s\xa1i\xa1t\xc0\xa1v"));
    for (int i = 0; i < 200000; i++)
        kim_bytes_append(&bytes, "\x91", 1);
    kim_bytes_append(&bytes, "\x01", 1);
    kim_record record;
    size_t used;
    assert_int_equal(decode(bytes.data, bytes.size, &record, &used), 0);
    assert_bytes_refused(BYTES("\x97\x03\xa1s\xa1i\xa1t\xc0\xa1v\xdf\xff\xff\xff\xff\xc0"), KIM_ERR_INPUT,
                         "the bytes end in the middle of it");
    assert_bytes_refused(BYTES("\x97\x03\xa1s\xa1i\xa1t\xc0\xa1v\xdb\xff\xff\xff\xff\xc0"), KIM_ERR_INPUT,
                         "the bytes end in the middle of it");
}

static void numbers_and_words_outside_their_range_are_refused(void **state)
{
    (void)state;
    assert_bytes_refused(BYTES("\x94\x02\xa1s\xa1i\x09"), KIM_ERR_INPUT, "'kind': 9 is none of its values, which are 1 to 8");
    assert_bytes_refused(BYTES("\x94\x02\xa1s\xa1i\xff"), KIM_ERR_INPUT, "none of its values");
    assert_bytes_refused(BYTES("\x94\x02\xa1s\xa1i\xce\xff\xff\xff\xff"), KIM_ERR_INPUT, "none of its values");
    assert_bytes_refused(BYTES("\x94\x07\xa1s\xa1i\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), KIM_ERR_LIMIT,
                         "statement: field 'index' at byte 6 of 15: the number is past 2^63-1");
    assert_bytes_refused(BYTES("\x97\x02\xa1s\xa1i\x01\xc0\xc0\x01"), KIM_ERR_INPUT, "identity: field 'external' at byte 9");
    assert_bytes_refused(BYTES("\x98\x04\xa1s\x01\xa1" "a\xa1" "b\xc0\xc0\x91\xa0"), KIM_ERR_INPUT, "language and text");
    assert_bytes_refused(BYTES("\x98\x04\xa1s\x01\xa1" "a\xa1" "b\xc0\xc0\x92\xc0\xa0"), KIM_ERR_INPUT, "a text is due");
}

static void longer_forms_than_needed_are_understood(void **state)
{
    (void)state;
    kim_record record;
    size_t used;
    assert_int_equal(decode((const uint8_t *)"\xdd\0\0\0\x04\xd3\0\0\0\0\0\0\0\x07\xdb\0\0\0\x01s\xda\0\x01p\xcd\0\x07",
                            27, &record, &used), 0);
    assert_int_equal(record.statement.index, 7);
    assert_int_equal(used, 27);
    assert_int_equal(decode((const uint8_t *)"\x96\x02\xa1s\xa1i\x01\xc0\xc0", 9, &record, &used), 0); /* nil at the end */
    assert_int_equal(decode((const uint8_t *)"\x97\x02\xa1s\xa1i\x01\xc0\xc0\xc2", 10, &record, &used), 0); /* false */
    assert_false(record.identity.external);
}

static void a_decoded_record_is_checked_as_one_that_is_emitted(void **state)
{
    (void)state;
    assert_bytes_refused(BYTES("\x93\x02\xa1s\xa1\xff"), KIM_ERR_INPUT, "field 'id'");
    assert_says(err.message, "not UTF-8");
    assert_bytes_refused(BYTES("\x92\x02\xa1s"), KIM_ERR_INPUT, "identity: field 'id': it is required, and absent");
    assert_bytes_refused(BYTES("\x94\x01\xa1s\xa1t\xa1k"), KIM_ERR_INPUT, "scope id=t: field 'scope': ");
}

static void decoding_without_memory_says_so_and_the_bytes_can_be_read_again(void **state)
{
    (void)state;
    kim_record record = full(KIM_STATEMENT), again;
    kim_bytes all = encoded(&record);
    size_t used, refused = 0;
    for (size_t ceiling = 0; ceiling < 1024; ceiling += 8) {
        kim_arena *small = kim_arena_new(ceiling);
        if (kim_record_decode(all.data, all.size, small, &again, &used, &err) < 0) {
            assert_int_equal(err.code, KIM_ERR_NOMEM);
            assert_says(err.message, "no memory left");
            refused++;
        }
        kim_arena_free(small);
    }
    assert_true(refused > 0 && refused < 1024 / 8);
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        kim_arena *own = kim_arena_new(SIZE_MAX);
        fail_malloc_start(n);
        int result = kim_record_decode(all.data, all.size, own, &again, &used, &err);
        failed = fail_malloc_stop();
        assert_int_equal(result, failed ? -1 : 0);
        kim_arena_free(own);
    }
}

static void encoding_without_memory_says_so_and_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    const kim_pair unsorted[] = {{KIM_TEXT("b"), KIM_TEXT("2")}, {KIM_TEXT("a"), KIM_TEXT("1")}};
    kim_record record = full(KIM_RESOURCE);
    record.resource.tags = (kim_pairs){unsorted, 2};
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        kim_bytes out = {0};
        kim_bytes_append(&out, "x", 1);
        fail_malloc_start(n);
        int result = kim_record_encode(&record, &out, &err);
        failed = fail_malloc_stop();
        assert_int_equal(result, failed ? -1 : 0);
        assert_true(failed ? out.size == 1 && err.code == KIM_ERR_NOMEM : out.size > 1);
        kim_bytes_free(&out);
    }
}

/* ---- checks ---- */

static void each_text_is_taken_up_to_its_limit_and_not_a_byte_longer(void **state)
{
    (void)state;
    char *letters = kim_arena_alloc(arena, KIM_RECORD_MAX_BYTES);
    memset(letters, 'x', KIM_RECORD_MAX_BYTES);
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        size_t count;
        const kim_field *fields = kim_record_fields((kim_record_type)type, &count);
        for (size_t i = 0; i < count; i++) {
            kim_record record = full((kim_record_type)type);
            kim_text one = {letters, fields[i].max_bytes};
            kim_pair pair = {KIM_TEXT("n"), one};
            void *at = (char *)&record + fields[i].offset;
            for (size_t over = 0; over < 2; over++) {
                one.size = pair.value.size = fields[i].max_bytes + over;
                if (fields[i].kind == KIM_FIELD_TEXT)
                    *(kim_text *)at = one;
                else if (fields[i].kind == KIM_FIELD_TEXTS)
                    *(kim_texts *)at = (kim_texts){&one, 1};
                else if (fields[i].kind == KIM_FIELD_PAIRS)
                    *(kim_pairs *)at = (kim_pairs){&pair, 1};
                else if (fields[i].kind == KIM_FIELD_CONDITION)
                    ((kim_condition *)at)->text = one;
                else
                    continue;
                if (type == KIM_SCOPE && i == 0)
                    record.scope = record.as_scope.id;
                if (over)
                    assert_refused(&record, KIM_ERR_LIMIT, type == KIM_SCOPE && i == 0 ? "scope" : fields[i].name);
                else if (kim_record_check(&record, &err) < 0)
                    fail_msg("%s", err.message);
            }
        }
    }
}

static void a_message_names_the_record_and_the_field(void **state)
{
    (void)state;
    kim_record record = full(KIM_EDGE);
    record.edge.kind = 17;
    assert_refused(&record, KIM_ERR_INPUT, "edge from=from to=to via=via to_scope=to_scope: field 'kind': 17 is none of its values");
    record = full(KIM_STATEMENT);
    record.statement.index = 3;
    const kim_text broken[] = {KIM_TEXT("s3:*"), KIM_TEXT("\xc3")};
    record.statement.actions = (kim_texts){broken, 2};
    assert_refused(&record, KIM_ERR_INPUT, "statement policy=policy index=3: field 'actions': an item is not UTF-8");
    record.type = 13;
    assert_refused(&record, KIM_ERR_INPUT, "record type 13 is none of 1 to 12");
    record.type = 0;
    assert_refused(&record, KIM_ERR_INPUT, "record type 0");
}

static void required_texts_are_not_empty(void **state)
{
    (void)state;
    kim_record record = statement();
    record.statement.policy = KIM_TEXT("");
    assert_refused(&record, KIM_ERR_INPUT, "field 'policy': it is required, and empty");
    record = statement();
    record.scope = KIM_NO_TEXT;
    assert_refused(&record, KIM_ERR_INPUT, "field 'scope'");
}

static void half_a_condition_or_a_pair_is_refused(void **state)
{
    (void)state;
    kim_record record = statement();
    record.statement.condition.text = KIM_TEXT("{}");
    assert_refused(&record, KIM_ERR_INPUT, "field 'condition': a condition has a language and a text, or neither");
    const kim_pair half = {KIM_TEXT("n"), KIM_NO_TEXT};
    record = full(KIM_RESOURCE);
    record.resource.tags = (kim_pairs){&half, 1};
    assert_refused(&record, KIM_ERR_INPUT, "field 'tags': pair 0 lacks its name or its value");
    const kim_text none = KIM_NO_TEXT;
    record = statement();
    record.statement.actions = (kim_texts){&none, 1};
    assert_refused(&record, KIM_ERR_INPUT, "item 0 of the list is absent");
}

static void a_record_is_taken_up_to_its_limit_and_not_a_byte_longer(void **state)
{
    (void)state;
    char *letters = kim_arena_alloc(arena, KIM_RECORD_MAX_BYTES);
    memset(letters, 'x', KIM_RECORD_MAX_BYTES);
    enum { ITEMS = 128 };
    kim_text items[ITEMS];
    kim_record record = statement();
    record.statement.actions = (kim_texts){items, ITEMS};
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = (kim_text){letters, 2000};
    size_t spare = KIM_RECORD_MAX_BYTES - encoded(&record).size;
    for (size_t i = 0; i < ITEMS && spare > 0; i++) {
        size_t more = spare < 48 ? spare : 48;
        items[i].size += more;
        spare -= more;
    }
    assert_int_equal(encoded(&record).size, KIM_RECORD_MAX_BYTES);
    assert_round_trip(&record);
    record.statement.policy = KIM_TEXT("pp");
    assert_refused(&record, KIM_ERR_LIMIT, "statement policy=pp: the record has 262145 bytes; at most 262144 are kept");
    kim_bytes all = encoded(&record);
    assert_bytes_refused((const char *)all.data, all.size, KIM_ERR_LIMIT, "the record has 262145 bytes");
}

/* ---- keys, hashes, digests ---- */

static void the_key_is_that_of_its_key_fields_scope_and_type_alone(void **state)
{
    (void)state;
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        kim_record record = full((kim_record_type)type);
        uint8_t key[KIM_RECORD_KEY_BYTES], other[KIM_RECORD_KEY_BYTES];
        kim_record_key(&record, key);
        size_t count, keys = 0;
        const kim_field *fields = kim_record_fields((kim_record_type)type, &count);
        for (size_t i = 0; i < count; i++) {
            kim_record changed = record;
            clear(&changed, &fields[i]);
            kim_record_key(&changed, other);
            assert_int_equal(memcmp(key, other, sizeof key) != 0, fields[i].is_key);
            keys += fields[i].is_key;
        }
        assert_true(keys > 0);
        kim_record elsewhere = record;
        elsewhere.scope = KIM_TEXT("aws:2");
        kim_record_key(&elsewhere, other);
        assert_memory_not_equal(key, other, sizeof key);
    }
}

static void neighbouring_key_fields_do_not_run_into_each_other(void **state)
{
    (void)state;
    kim_record one = {.type = KIM_EDGE, .scope = KIM_TEXT("s"), .edge = {.from = KIM_TEXT("ab"), .to = KIM_TEXT("c")}};
    kim_record other = {.type = KIM_EDGE, .scope = KIM_TEXT("s"), .edge = {.from = KIM_TEXT("a"), .to = KIM_TEXT("bc")}};
    uint8_t key[KIM_RECORD_KEY_BYTES], another[KIM_RECORD_KEY_BYTES];
    kim_record_key(&one, key);
    kim_record_key(&other, another);
    assert_memory_not_equal(key, another, sizeof key);
}

/* What stores and peers of other versions hold must not change under them. */
static void keys_and_hashes_stay_what_they_were(void **state)
{
    (void)state;
    kim_record record = {.type = KIM_IDENTITY, .scope = KIM_TEXT("aws:111122223333"),
                         .identity = {.id = KIM_TEXT("arn:aws:iam::111122223333:user/ann"), .kind = KIM_HUMAN}};
    uint8_t key[KIM_RECORD_KEY_BYTES], hash[KIM_RECORD_HASH_BYTES];
    kim_record_key(&record, key);
    kim_bytes all = encoded(&record);
    kim_record_hash(all.data, all.size, hash);
    static const uint8_t known_key[] = {
        0x26, 0x87, 0xd1, 0x94, 0x58, 0xa0, 0x63, 0xc0, 0xe1, 0xd2, 0xf8, 0x68, 0xf4, 0xb7, 0x6f, 0x6d,
    };
    static const uint8_t known_hash[] = {
        0xd3, 0x4f, 0x57, 0xbd, 0xa6, 0xa1, 0xfc, 0xe3, 0x18, 0xca, 0x4d, 0x24, 0x1b, 0xf6, 0xc3, 0xdf,
        0x31, 0xf9, 0xca, 0x20, 0x82, 0xe1, 0xbd, 0xd2, 0x75, 0x86, 0x91, 0x0b, 0xa1, 0x47, 0xad, 0x9b,
    };
    assert_memory_equal(key, known_key, sizeof key);
    assert_memory_equal(hash, known_hash, sizeof hash);
}

static void a_digest_knows_no_order_and_forgets_what_is_removed(void **state)
{
    (void)state;
    enum { COUNT = 50 };
    uint8_t hashes[COUNT][KIM_RECORD_HASH_BYTES];
    uint8_t up[KIM_RECORD_HASH_BYTES] = {0}, down[KIM_RECORD_HASH_BYTES] = {0}, zero[KIM_RECORD_HASH_BYTES] = {0};
    for (uint8_t i = 0; i < COUNT; i++) {
        kim_record_hash(&i, 1, hashes[i]);
        kim_digest_add(up, hashes[i]);
    }
    for (int i = COUNT - 1; i >= 0; i--)
        kim_digest_add(down, hashes[i]);
    assert_memory_equal(up, down, sizeof up);
    kim_digest_add(down, hashes[7]); /* twice is not once */
    assert_memory_not_equal(up, down, sizeof up);
    for (int i = 0; i < COUNT; i++)
        kim_digest_remove(up, hashes[i]);
    assert_memory_equal(up, zero, sizeof up);
}

static void a_digest_is_four_little_endian_numbers_that_wrap(void **state)
{
    (void)state;
    uint8_t digest[KIM_RECORD_HASH_BYTES] = {0}, hash[KIM_RECORD_HASH_BYTES] = {0}, expected[KIM_RECORD_HASH_BYTES] = {0};
    memset(digest, 0xff, 8);
    hash[0] = 2;
    hash[8] = 0xff;
    kim_digest_add(digest, hash);
    expected[0] = 1;
    expected[8] = 0xff; /* no carry into the next number */
    assert_memory_equal(digest, expected, sizeof digest);
    hash[8] = 0;
    kim_digest_remove(digest, hash);
    memset(expected, 0xff, 9);
    assert_memory_equal(digest, expected, sizeof digest);
}

/* ---- JSON and names ---- */

static void json_has_what_is_there_with_enumerations_by_name(void **state)
{
    (void)state;
    kim_record record = statement();
    record.statement.effect = KIM_DENY;
    record.statement.actions = (kim_texts){two_texts, 2};
    record.statement.resources = (kim_texts){two_texts, 0};
    record.statement.condition = (kim_condition){KIM_TEXT("aws"), KIM_TEXT("{}")};
    kim_json_writer *writer = kim_json_writer_new(false);
    kim_record_write_json(&record, writer);
    kim_json_end_line(writer);
    record = full(KIM_RESOURCE);
    kim_record_write_json(&record, writer);
    size_t size;
    const char *json = kim_json_writer_bytes(writer, &size, &err);
    assert_string_equal(json,
                        "{\"record\":\"statement\",\"scope\":\"aws:1\",\"policy\":\"p\",\"index\":0,\"effect\":\"deny\","
                        "\"actions\":[\"s3:Get*\",\"\"],\"resources\":[],\"condition\":{\"lang\":\"aws\",\"text\":\"{}\"}}\n"
                        "{\"record\":\"resource\",\"scope\":\"aws:111122223333\",\"id\":\"id\",\"type\":\"type\",\"parent\":\"parent\","
                        "\"name\":\"name\",\"sensitivity\":\"sensitivity\",\"tags\":{\"a\":\"x\",\"b\":\"\"},\"facts\":{\"a\":\"x\",\"b\":\"\"}}");
    kim_json_writer_free(writer);
}

static void a_record_of_each_type_is_one_json_object_without_a_name_twice(void **state)
{
    (void)state;
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        kim_record record = full((kim_record_type)type);
        kim_json_writer *writer = kim_json_writer_new(false);
        kim_record_write_json(&record, writer);
        size_t size, count;
        const char *text = kim_json_writer_bytes(writer, &size, &err);
        const kim_json *json = kim_json_parse(text, size, "record", arena, &err);
        assert_non_null(json);
        kim_record_fields((kim_record_type)type, &count);
        assert_int_equal(json->count, count + 2);
        for (size_t i = 0; i < json->count; i++)
            assert_ptr_equal(kim_json_get_text(json, json->members[i].name), json->members[i].value);
        kim_json_writer_free(writer);
    }
}

static void names_of_types_and_values_are_the_tables(void **state)
{
    (void)state;
    assert_string_equal(kim_record_type_name(KIM_SCOPE), "scope");
    assert_string_equal(kim_record_type_name(KIM_COVERAGE), "coverage");
    assert_null(kim_record_type_name(0));
    assert_null(kim_record_type_name((kim_record_type)KIM_RECORD_TYPES));
    assert_null(kim_record_type_name(-1));
    assert_string_equal(kim_enum_name("identity", "kind", KIM_HUMAN), "human");
    assert_string_equal(kim_enum_name("identity", "kind", KIM_PUBLIC), "public");
    assert_string_equal(kim_enum_name("usage", "outcome", KIM_REFUSED), "denied");
    assert_string_equal(kim_enum_name("coverage", "status", KIM_STALE), "stale");
    assert_string_equal(kim_enum_name("attachment", "origin", KIM_IMPLICIT), "implicit");
    assert_string_equal(kim_enum_name("attachment", "inherit", KIM_INHERIT_TREE), "tree");
    assert_string_equal(kim_enum_name("edge", "kind", KIM_CONTROLS), "controls");
    assert_string_equal(kim_enum_name("statement", "effect", KIM_DENY), "deny");
    assert_string_equal(kim_enum_name("credential", "state", KIM_DELETED), "deleted");
    assert_null(kim_enum_name("identity", "kind", 0));
    assert_null(kim_enum_name("identity", "kind", 9));
    assert_null(kim_enum_name("identity", "name", 1));
    assert_null(kim_enum_name("nothing", "kind", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_record_of_each_type_with_every_field_comes_back_as_it_was),
        TEST(a_record_of_each_type_without_any_one_field_comes_back_without_it),
        TEST(values_come_back_to_the_bit),
        TEST(texts_of_every_width_come_back),
        TEST(lists_of_every_width_come_back),
        TEST(decoded_texts_point_into_the_bytes),
        TEST(records_lie_end_to_end),
        TEST(absent_and_empty_are_told_apart),
        TEST(absent_fields_take_a_byte_in_the_middle_and_none_at_the_end),
        TEST(pairs_are_sorted_so_that_their_order_makes_no_difference),
        TEST(the_order_of_a_list_is_kept),
        TEST(a_record_cut_at_any_byte_is_refused_with_type_field_and_place),
        TEST(a_fault_names_the_field_that_it_is_in),
        TEST(what_is_no_record_is_refused),
        TEST(a_count_that_the_bytes_cannot_hold_costs_no_memory),
        TEST(a_record_that_claims_fields_it_has_not_is_cut_short_at_the_first),
        TEST(a_list_within_its_bytes_is_still_bounded),
        TEST(unknown_trailing_fields_of_any_shape_are_skipped),
        TEST(skipping_neither_recurses_nor_believes_a_count),
        TEST(numbers_and_words_outside_their_range_are_refused),
        TEST(longer_forms_than_needed_are_understood),
        TEST(a_decoded_record_is_checked_as_one_that_is_emitted),
        TEST(decoding_without_memory_says_so_and_the_bytes_can_be_read_again),
        TEST(encoding_without_memory_says_so_and_leaves_the_buffer_as_it_was),
        TEST(each_text_is_taken_up_to_its_limit_and_not_a_byte_longer),
        TEST(a_message_names_the_record_and_the_field),
        TEST(required_texts_are_not_empty),
        TEST(half_a_condition_or_a_pair_is_refused),
        TEST(a_record_is_taken_up_to_its_limit_and_not_a_byte_longer),
        TEST(the_key_is_that_of_its_key_fields_scope_and_type_alone),
        TEST(neighbouring_key_fields_do_not_run_into_each_other),
        TEST(keys_and_hashes_stay_what_they_were),
        TEST(a_digest_knows_no_order_and_forgets_what_is_removed),
        TEST(a_digest_is_four_little_endian_numbers_that_wrap),
        TEST(json_has_what_is_there_with_enumerations_by_name),
        TEST(a_record_of_each_type_is_one_json_object_without_a_name_twice),
        TEST(names_of_types_and_values_are_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
