/* SPDX-License-Identifier: Apache-2.0
 *
 * test_terms - what an answer depends on is said once, simply, and never wrongly.
 */
#include "tests/support/cmocka.h"

#include "controller/evaluate/terms.h"

static kim_arena *arena;

static int start(void **state)
{
    (void)state;
    arena = kim_arena_new((size_t)1 << 24);
    return arena ? 0 : -1;
}

static int stop(void **state)
{
    (void)state;
    kim_arena_free(arena);
    return 0;
}

static const term *condition(const char *op, const char *key, const char *value)
{
    kim_text *item = KIM_NEW(arena, kim_text);
    *item = kim_text_of(value);
    return term_condition(arena, kim_text_of(key), kim_text_of(op), (kim_texts){item, 1});
}

static const term *atom(const char *name)
{
    return condition("StringEquals", name, "x");
}

static void assert_written(const term *t, const char *expected)
{
    kim_json_writer *writer = kim_json_writer_new(false);
    size_t size;
    term_write_list(t, writer);
    const char *bytes = kim_json_writer_bytes(writer, &size, NULL);
    assert_non_null(bytes);
    char text[1024] = "";
    memcpy(text, bytes, size < sizeof text ? size : sizeof text - 1);
    assert_string_equal(text, expected);
    kim_json_writer_free(writer);
}

static void constants_fold_away(void **state)
{
    const term *a = atom("a");
    (void)state;
    assert_ptr_equal(term_and(arena, &term_true, a), a);
    assert_ptr_equal(term_and(arena, a, &term_false), &term_false);
    assert_ptr_equal(term_or(arena, &term_false, a), a);
    assert_ptr_equal(term_or(arena, a, &term_true), &term_true);
    assert_ptr_equal(term_not(arena, &term_true), &term_false);
    assert_ptr_equal(term_not(arena, term_not(arena, a)), a);
}

static void the_same_said_twice_is_said_once(void **state)
{
    (void)state;
    assert_true(term_equal(term_and(arena, atom("a"), atom("a")), atom("a")));
    assert_true(term_equal(term_or(arena, atom("a"), term_or(arena, atom("b"), atom("a"))), term_or(arena, atom("b"), atom("a"))));
}

static void a_term_and_its_opposite_decide(void **state)
{
    (void)state;
    assert_ptr_equal(term_and(arena, atom("a"), term_not(arena, atom("a"))), &term_false);
    assert_ptr_equal(term_or(arena, atom("a"), term_not(arena, atom("a"))), &term_true);
}

static void what_another_term_makes_needless_is_left_out(void **state)
{
    (void)state;
    assert_true(term_equal(term_or(arena, atom("a"), term_and(arena, atom("a"), atom("b"))), atom("a")));
    assert_true(term_equal(term_and(arena, atom("a"), term_or(arena, atom("a"), atom("b"))), atom("a")));
}

static void a_negated_operator_is_the_opposite_of_its_positive_one(void **state)
{
    (void)state;
    assert_ptr_equal(term_and(arena, condition("StringNotEquals", "k", "v"), condition("StringEquals", "k", "v")), &term_false);
    assert_written(condition("StringNotEquals", "k", "v"), "[{\"key\":\"k\",\"op\":\"StringNotEquals\",\"values\":[\"v\"]}]");
    assert_written(term_not(arena, condition("IpAddress", "k", "10.0.0.0/8")), "[{\"key\":\"k\",\"op\":\"NotIpAddress\",\"values\":[\"10.0.0.0/8\"]}]");
    assert_written(term_not(arena, condition("Null", "k", "true")), "[{\"key\":\"k\",\"op\":\"Null\",\"values\":[\"false\"]}]");
    assert_written(term_not(arena, condition("Bool", "k", "false")), "[{\"not\":{\"key\":\"k\",\"op\":\"Bool\",\"values\":[\"false\"]}}]");
    assert_written(term_not(arena, condition("ForAnyValue:StringLike", "k", "v*")), "[{\"key\":\"k\",\"op\":\"ForAllValues:StringNotLike\",\"values\":[\"v*\"]}]");
}

static void a_term_that_no_value_can_change_is_settled(void **state)
{
    const term *a = atom("a"), *b = atom("b"), *c = atom("c");
    /* (a or b) and (not a or c) and (not b or c) and not c: never */
    const term *parts[] = {term_or(arena, a, b), term_or(arena, term_not(arena, a), c), term_or(arena, term_not(arena, b), c), term_not(arena, c)};
    (void)state;
    assert_ptr_equal(term_settle(term_all(arena, parts, 4)), &term_false);
    assert_ptr_equal(term_settle(term_not(arena, term_all(arena, parts, 4))), &term_true);
}

static void what_cannot_be_together_is_settled_too(void **state)
{
    const term *inner = term_of(arena, TERM_RESOURCE, KIM_TEXT("arn:aws:s3:::b/x/*")), *outer = term_of(arena, TERM_RESOURCE, KIM_TEXT("arn:aws:s3:::b/*"));
    const term *other = term_of(arena, TERM_RESOURCE, KIM_TEXT("arn:aws:s3:::c/*"));
    (void)state;
    assert_ptr_equal(term_settle(term_and(arena, inner, term_not(arena, outer))), &term_false);
    assert_ptr_equal(term_settle(term_and(arena, inner, other)), &term_false);
    assert_int_equal(term_settle(term_and(arena, outer, term_not(arena, inner)))->kind, TERM_ALL);
    assert_ptr_equal(term_settle(term_and(arena, condition("StringEquals", "k", "a"), condition("StringEquals", "K", "b"))), &term_false);
    assert_ptr_equal(term_settle(term_and(arena, condition("StringEquals", "k", "ab"), condition("StringNotLike", "k", "a*"))), &term_false);
    assert_ptr_equal(term_settle(term_and(arena, condition("StringLike", "k", "a*"), condition("Null", "k", "true"))), &term_false);
    assert_int_equal(term_settle(term_and(arena, condition("StringLike", "k", "a*"), condition("StringLike", "k", "*b")))->kind, TERM_ALL);
    assert_int_equal(term_settle(term_and(arena, condition("StringEquals", "k", "a"), condition("StringEquals", "l", "b")))->kind, TERM_ALL);
}

static void what_was_not_read_is_named_once_and_apart_from_what_is_known(void **state)
{
    const term *allow = term_of(arena, TERM_UNREAD, KIM_TEXT("policy p")), *deny = term_of(arena, TERM_UNREAD, KIM_TEXT("policy p"));
    ((term *)deny)->key = KIM_TEXT("deny");
    const term *parts[] = {allow, term_not(arena, deny), atom("a")};
    const term *all = term_all(arena, parts, 3);
    (void)state;
    assert_true(term_has_unread(all));
    assert_true(term_has_known(all));
    assert_int_equal(term_unread(all, arena).count, 1);
    assert_written(all, "[{\"key\":\"a\",\"op\":\"StringEquals\",\"values\":[\"x\"]}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(constants_fold_away, start, stop),
        cmocka_unit_test_setup_teardown(the_same_said_twice_is_said_once, start, stop),
        cmocka_unit_test_setup_teardown(a_term_and_its_opposite_decide, start, stop),
        cmocka_unit_test_setup_teardown(what_another_term_makes_needless_is_left_out, start, stop),
        cmocka_unit_test_setup_teardown(a_negated_operator_is_the_opposite_of_its_positive_one, start, stop),
        cmocka_unit_test_setup_teardown(a_term_that_no_value_can_change_is_settled, start, stop),
        cmocka_unit_test_setup_teardown(what_cannot_be_together_is_settled_too, start, stop),
        cmocka_unit_test_setup_teardown(what_was_not_read_is_named_once_and_apart_from_what_is_known, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
