/* SPDX-License-Identifier: Apache-2.0
 *
 * test_estate - two sources speak of one thing, and the order in which they come never matters.
 */
#include "tests/support/cmocka.h"

#include "controller/estate/estate.h"

static kim_record covered(int32_t status, const char *why)
{
    return (kim_record){.type = KIM_COVERAGE, .scope = KIM_TEXT("aws:111122223333"),
                        .coverage = {.part = KIM_TEXT("iam"), .status = status, .why = kim_text_of(why)}};
}

/* The one coverage record of an estate that both were added to. */
static void assert_kept(kim_record first, kim_record second, int32_t status, const char *why)
{
    kim_error err = {0};
    size_t count;
    estate_builder *builder = estate_builder_new(NULL, &err);
    assert_non_null(builder);
    assert_int_equal(estate_builder_add(builder, &first, &err), 0);
    assert_int_equal(estate_builder_add(builder, &second, &err), 0);
    estate *es = estate_build(builder, &err);
    assert_non_null(es);
    const kim_record *kept = estate_records(es, KIM_COVERAGE, &count);
    assert_int_equal(count, 1);
    assert_int_equal(kept->coverage.status, status);
    assert_true(kim_text_is(kept->coverage.why, why));
    estate_release(es);
}

static void assert_kept_either_way(kim_record one, kim_record other, int32_t status, const char *why)
{
    assert_kept(one, other, status, why);
    assert_kept(other, one, status, why);
}

static void a_part_that_one_source_read_is_read(void **state)
{
    (void)state;
    assert_kept_either_way(covered(KIM_UNREADABLE, "no agent"), covered(KIM_READ, ""), KIM_READ, "");
    assert_kept_either_way(covered(KIM_UNREADABLE, "no agent"), covered(KIM_PARTIAL, "two pages"), KIM_PARTIAL, "two pages");
}

static void of_two_reasons_one_stays(void **state)
{
    (void)state;
    assert_kept_either_way(covered(KIM_PARTIAL, "b"), covered(KIM_PARTIAL, "a"), KIM_PARTIAL, "b");
}

static kim_record account(const char *parent, kim_pair *fact)
{
    return (kim_record){.type = KIM_SCOPE, .scope = KIM_TEXT("aws:111122223333"),
                        .as_scope = {.id = KIM_TEXT("aws:111122223333"), .kind = KIM_TEXT("account"),
                                     .parent = kim_text_of(parent), .facts = {fact, 1}}};
}

static void an_account_has_the_nearer_parent_and_all_facts(void **state)
{
    (void)state;
    kim_pair block = {KIM_TEXT("s3.restrict_public_buckets"), KIM_TEXT("true")}, mail = {KIM_TEXT("email"), KIM_TEXT("a@example.com")};
    kim_record both[] = {account("aws:o-1", &block), account("aws:o-1/ou-1", &mail)};
    for (int turned = 0; turned < 2; turned++) {
        kim_error err = {0};
        estate_builder *builder = estate_builder_new(NULL, &err);
        assert_non_null(builder);
        assert_int_equal(estate_builder_add(builder, &both[turned], &err), 0);
        assert_int_equal(estate_builder_add(builder, &both[!turned], &err), 0);
        estate *es = estate_build(builder, &err);
        assert_non_null(es);
        const kim_record *kept = estate_find(es, KIM_SCOPE, KIM_TEXT("aws:111122223333"));
        assert_non_null(kept);
        assert_true(kim_text_is(kept->as_scope.parent, "aws:o-1/ou-1"));
        assert_true(kim_text_is(kim_pairs_get(kept->as_scope.facts, "s3.restrict_public_buckets"), "true"));
        assert_true(kim_text_is(kim_pairs_get(kept->as_scope.facts, "email"), "a@example.com"));
        estate_release(es);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_that_one_source_read_is_read),
        cmocka_unit_test(of_two_reasons_one_stays),
        cmocka_unit_test(an_account_has_the_nearer_parent_and_all_facts),
    };
    return cmocka_run_group_tests_name("estate", tests, NULL, NULL);
}
