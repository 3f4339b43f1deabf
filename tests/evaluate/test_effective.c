/* SPDX-License-Identifier: Apache-2.0
 *
 * test_effective - explain, effective and diff on a small broker: two devices in nested groups (one of which is a
 * member of itself), and memory that runs out.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "controller/evaluate/diff.h"
#include "controller/evaluate/explain.h"
#include "controller/evaluate/walks.h"
#include "tests/support/fail_malloc.h"

#define PLANT KIM_TEXT("ot:plant")

static const kim_text publish_only[] = {{"publish", 7}}, commands[] = {{"cmd", 3}};

static void add(estate_builder *builder, kim_record record)
{
    record.scope = PLANT;
    assert_int_equal(estate_builder_add(builder, &record, NULL), 0);
}

static void add_rule(estate_builder *builder, kim_text id, kim_text subject, int32_t effect)
{
    add(builder, (kim_record){.type = KIM_POLICY, .policy = {.id = id, .name = id}});
    add(builder, (kim_record){.type = KIM_STATEMENT, .statement = {.policy = id, .effect = effect, .actions = {publish_only, 1}, .resources = {commands, 1}}});
    add(builder, (kim_record){.type = KIM_ATTACHMENT, .attachment = {.policy = id, .layer = KIM_TEXT("role"), .subject = subject}});
}

/* robot is in cell, cell in line, line in itself and in cell; line may publish. denies: robot may not. */
static estate *plant(bool denies)
{
    estate_builder *builder = estate_builder_new(NULL, NULL);
    static const char *const members[][2] = {{"robot", "cell"}, {"cell", "line"}, {"line", "line"}, {"line", "cell"}};
    assert_non_null(builder);
    add(builder, (kim_record){.type = KIM_SCOPE, .as_scope = {.id = PLANT, .kind = KIM_TEXT("plant"), .name = KIM_TEXT("Plant 1")}});
    add(builder, (kim_record){.type = KIM_PROFILE, .profile = {.id = KIM_TEXT("broker"), .combining = KIM_TEXT("deny-overrides"), .wildcard = KIM_TEXT("exact")}});
    add(builder, (kim_record){.type = KIM_IDENTITY, .identity = {.id = KIM_TEXT("robot"), .kind = KIM_DEVICE}});
    add(builder, (kim_record){.type = KIM_IDENTITY, .identity = {.id = KIM_TEXT("scale"), .kind = KIM_DEVICE}});
    add(builder, (kim_record){.type = KIM_IDENTITY, .identity = {.id = KIM_TEXT("cell"), .kind = KIM_GROUP}});
    add(builder, (kim_record){.type = KIM_IDENTITY, .identity = {.id = KIM_TEXT("line"), .kind = KIM_GROUP}});
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        add(builder, (kim_record){.type = KIM_EDGE, .edge = {.kind = KIM_MEMBER_OF, .from = kim_text_of(members[i][0]), .to = kim_text_of(members[i][1]), .via = KIM_TEXT("group")}});
    add_rule(builder, KIM_TEXT("writers"), KIM_TEXT("line"), KIM_ALLOW);
    if (denies)
        add_rule(builder, KIM_TEXT("ban"), KIM_TEXT("robot"), KIM_DENY);
    estate *es = estate_build(builder, NULL);
    assert_non_null(es);
    return es;
}

static const question asked = {.identity = {"robot", 5}, .action = {"publish", 7}, .resource = {"cmd", 3}};

static evaluator *asker(estate *es)
{
    evaluator *ev = evaluator_new(es, NULL);
    assert_non_null(ev);
    return ev;
}

static void an_explanation_tells_each_membership_on_the_way(void **state)
{
    (void)state;
    estate *es = plant(false);
    evaluator *ev = asker(es);
    answer a;
    kim_texts told;
    static const char *const expected[] = {
        "allowed: a statement allows it, and nothing takes it away", "role: statement 0 of writers allows publish on cmd",
        "  its policy is attached to group line", "  device robot is a member of group cell", "  group cell is a member of group line"};
    assert_int_equal(evaluate_explain(ev, &asked, &a, &told, NULL), 0);
    assert_int_equal(a.verdict, ALLOWED);
    assert_int_equal(told.count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < told.count; i++)
        assert_true(kim_text_is(told.items[i], expected[i]));
    evaluator_free(ev);
    estate_release(es);
}

static void memberships_end_where_groups_hold_each_other(void **state)
{
    (void)state;
    estate *es = plant(false);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    memberships of = memberships_of(es, KIM_TEXT("robot"), arena);
    assert_int_equal(of.count, 3);
    assert_int_equal(memberships_find(&of, KIM_TEXT("line")), 2);
    assert_int_equal(memberships_find(&of, KIM_TEXT("plant")), of.count);
    assert_false(of.is_cut);
    kim_arena_free(arena);
    estate_release(es);
}

static int count_grant(void *user, const effective_grant *one)
{
    assert_true(kim_text_is(one->provider, "broker") && kim_text_is(one->identity, "robot"));
    assert_int_equal(one->actions.count, 1);
    assert_true(kim_text_is(one->actions.items[0], "publish") && kim_text_is(one->resource, "cmd"));
    ++*(size_t *)user;
    return 0;
}

static void what_a_group_may_is_effective_for_its_member(void **state)
{
    (void)state;
    estate *es = plant(false);
    evaluator *ev = asker(es);
    size_t count = 0;
    assert_int_equal(evaluate_effective(ev, &asked, count_grant, &count, NULL), 0);
    assert_int_equal(count, 1);
    evaluator_free(ev);
    estate_release(es);
}

static int stop_at_once(void *user, const effective_grant *one)
{
    (void)user, (void)one;
    return 7;
}

static void a_walk_ends_with_what_the_caller_returns(void **state)
{
    (void)state;
    estate *es = plant(false);
    evaluator *ev = asker(es);
    assert_int_equal(evaluate_effective(ev, &asked, stop_at_once, NULL, NULL), 7);
    evaluator_free(ev);
    estate_release(es);
}

static int note_difference(void *user, const difference *one)
{
    assert_true(kim_text_is(one->grant->identity, "robot"));
    assert_true(kim_text_is_absent(one->known));
    *(difference *)user = *one;
    return 0;
}

static void a_deny_is_a_loss_for_whom_it_names_and_its_end_a_gain(void **state)
{
    (void)state;
    estate *before = plant(false), *after = plant(true);
    evaluator *a = asker(before), *b = asker(after);
    difference found = {.kind = DIFF_CHANGED};
    assert_int_equal(estate_diff(a, b, note_difference, &found, NULL), 0);
    assert_int_equal(found.kind, DIFF_LOST);
    assert_int_equal(found.before, ALLOWED);
    assert_int_equal(found.after, DENIED);
    assert_int_equal(estate_diff(b, a, note_difference, &found, NULL), 0);
    assert_int_equal(found.kind, DIFF_GAINED);
    found.kind = DIFF_CHANGED;
    assert_int_equal(estate_diff(b, b, note_difference, &found, NULL), 0);
    assert_int_equal(found.kind, DIFF_CHANGED); /* nobody was told of */
    evaluator_free(a);
    evaluator_free(b);
    estate_release(before);
    estate_release(after);
}

static int take_difference(void *user, const difference *one)
{
    (void)one;
    ++*(size_t *)user;
    return 0;
}

/* Each question is asked until no allocation of it is left to fail; where it fails it says why, and its answer
 * is the same once there is memory again. */
static void memory_that_runs_out_is_an_error_and_no_answer(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        estate *before = plant(false), *after = plant(true);
        kim_error err = {0};
        answer a;
        kim_texts told = {0};
        size_t grants = 0, differences = 0;
        fail_malloc_start(n);
        evaluator *x = evaluator_new(before, &err), *y = x ? evaluator_new(after, &err) : NULL;
        int result = y ? evaluate_explain(x, &asked, &a, &told, &err) : -1;
        if (result == 0)
            result = evaluate_effective(x, &asked, count_grant, &grants, &err);
        if (result == 0)
            result = estate_diff(x, y, take_difference, &differences, &err);
        bool failed = fail_malloc_stop();
        if (result == 0) {
            assert_int_equal(told.count, 5);
            assert_int_equal(grants, 1);
            assert_int_equal(differences, 1);
        } else {
            assert_true(failed);
            assert_int_equal(err.code, KIM_ERR_NOMEM);
        }
        evaluator_free(x);
        evaluator_free(y);
        estate_release(before);
        estate_release(after);
        if (!failed)
            return; /* past its last allocation */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_explanation_tells_each_membership_on_the_way),
        cmocka_unit_test(memberships_end_where_groups_hold_each_other),
        cmocka_unit_test(what_a_group_may_is_effective_for_its_member),
        cmocka_unit_test(a_walk_ends_with_what_the_caller_returns),
        cmocka_unit_test(a_deny_is_a_loss_for_whom_it_names_and_its_end_a_gain),
        cmocka_unit_test(memory_that_runs_out_is_an_error_and_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
