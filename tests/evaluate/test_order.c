/* SPDX-License-Identifier: Apache-2.0
 *
 * test_order - records come into the order of their keys, whatever bytes the keys have.
 */
#include "tests/support/cmocka.h"

#include <stdlib.h>

#include "controller/estate/order.h"

enum { MOST = 3000 };

static uint64_t seed;

static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* Absent, empty, with zeros, of all lengths about eight, and with long shared beginnings. */
static kim_text any_text(kim_arena *arena)
{
    static const char *const beginnings[] = {"", "arn:aws:iam::111122223333:role/", "a", "\xff\xff\xff\xff\xff\xff\xff"};
    char bytes[64];
    kim_text begin = kim_text_of(beginnings[below(4)]);
    size_t size = begin.size, more = below(12);
    if (below(12) == 0)
        return KIM_NO_TEXT;
    memcpy(bytes, begin.bytes, begin.size);
    while (more-- > 0)
        bytes[size++] = (char)(below(3) ? 'a' + (int)below(2) : below(2) ? '\0' : '\xfe');
    return kim_text_copy(arena, (kim_text){bytes, size});
}

static kim_record any_record(kim_record_type type, kim_arena *arena)
{
    size_t count;
    const kim_field *fields = kim_record_fields(type, &count);
    kim_record r = {.type = type, .scope = any_text(arena)};
    for (size_t i = 0; i < count; i++) {
        void *at = (char *)&r + fields[i].offset;
        if (!fields[i].is_key)
            continue;
        if (fields[i].kind == KIM_FIELD_TEXT)
            *(kim_text *)at = any_text(arena);
        else if (fields[i].kind == KIM_FIELD_ENUM)
            *(int32_t *)at = (int32_t)below(3);
        else
            *(int64_t *)at = (int64_t)below(5) - 2;
    }
    return r;
}

static void assert_sorted(kim_record_type type, size_t count)
{
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    kim_record *records = KIM_NEW_ARRAY(arena, kim_record, count + 1);
    bool *seen = KIM_NEW_ARRAY(arena, bool, count + 1);
    kim_text *scopes = KIM_NEW_ARRAY(arena, kim_text, count + 1);
    for (size_t i = 0; i < count; i++) {
        records[i] = i && below(4) == 0 ? records[below((unsigned)i)] : any_record(type, arena);
        /* copied for each: the place of its scope tells a record from its like */
        scopes[i] = records[i].scope = kim_text_copy(arena, records[i].scope);
    }
    assert_true(order_sort(records, count));
    for (size_t i = 0; i < count; i++) {
        size_t from = 0;
        while (from < count && (seen[from] || scopes[from].bytes != records[i].scope.bytes))
            from++;
        assert_true(from < count); /* each record is there once */
        seen[from] = true;
        assert_true(i == 0 || order_compare(&records[i - 1], &records[i]) <= 0);
    }
    kim_arena_free(arena);
}

static void records_of_every_type_are_sorted(void **state)
{
    (void)state;
    for (seed = 1; seed < 4; seed++)
        for (int type = 1; type < KIM_RECORD_TYPES; type++)
            assert_sorted((kim_record_type)type, below(400));
    assert_sorted(KIM_ATTACHMENT, MOST);
}

static void records_with_one_key_stay_in_the_order_they_came(void **state)
{
    static kim_record records[MOST];
    (void)state;
    for (size_t i = 0; i < MOST; i++) {
        records[i] = (kim_record){.type = KIM_STATEMENT, .scope = KIM_TEXT("aws:111122223333")};
        records[i].statement = (kim_statement){.policy = KIM_TEXT("arn:aws:iam::111122223333:policy/p"), .index = (int64_t)(i % 7), .weight = (int64_t)i};
    }
    assert_true(order_sort(records, MOST));
    for (size_t i = 1; i < MOST; i++)
        assert_true(records[i - 1].statement.index < records[i].statement.index || records[i - 1].statement.weight < records[i].statement.weight);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_every_type_are_sorted),
        cmocka_unit_test(records_with_one_key_stay_in_the_order_they_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
