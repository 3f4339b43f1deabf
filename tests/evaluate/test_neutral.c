/* SPDX-License-Identifier: Apache-2.0
 *
 * test_neutral.c - questions to an estate of neutral systems: who can, what can, whose names are whose, and memory that
 * runs out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "controller/evaluate/evaluate.h"
#include "tests/support/fail_malloc.h"

static estate_builder *builder;
static kim_text scope;
static char said[4096];

static void add(kim_record r)
{
    r.scope = scope;
    assert_int_equal(estate_builder_add(builder, &r, NULL), 0);
}

static void system_begins(const char *in, const char *name, const char *combining, const char *wildcard)
{
    scope = kim_text_of(in);
    add((kim_record){.type = KIM_PROFILE, .profile = {.id = kim_text_of(name), .combining = kim_text_of(combining), .wildcard = kim_text_of(wildcard), .default_effect = KIM_DENY}});
}

static void identity(const char *id, int32_t kind)
{
    add((kim_record){.type = KIM_IDENTITY, .identity = {.id = kim_text_of(id), .kind = kind}});
}

static void member(const char *from, const char *to)
{
    add((kim_record){.type = KIM_EDGE, .edge = {.kind = KIM_MEMBER_OF, .from = kim_text_of(from), .to = kim_text_of(to)}});
}

static void grant_to(const char *id, int32_t effect, const char *subject, const char *action, const char *resource)
{
    const kim_text actions = kim_text_of(action), resources = kim_text_of(resource), policy = kim_text_of(id);
    add((kim_record){.type = KIM_POLICY, .policy = {.id = policy}});
    add((kim_record){.type = KIM_STATEMENT, .statement = {.policy = policy, .effect = effect, .actions = {&actions, 1}, .resources = {&resources, 1}}});
    add((kim_record){.type = KIM_ATTACHMENT, .attachment = {.policy = policy, .layer = KIM_TEXT("role"), .subject = kim_text_of(subject)}});
}

static int start(void **state)
{
    (void)state;
    builder = estate_builder_new(NULL, NULL);
    return 0;
}

static int note_who(void *user, kim_text id, const answer *a)
{
    (void)user;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%.*s %s; ", KIM_PRINT(id), verdict_name(a->verdict));
    return 0;
}

static int note_what(void *user, const grant *what, const answer *a)
{
    (void)user;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%.*s on %.*s %s; ", KIM_PRINT(what->action), KIM_PRINT(what->resource), verdict_name(a->verdict));
    return 0;
}

static evaluator *ready(void)
{
    kim_error err = {0};
    estate *es = estate_build(builder, &err);
    evaluator *ev = evaluator_new(es, &err);
    assert_non_null(ev);
    estate_release(es);
    said[0] = '\0';
    return ev;
}

static const char *who_can(evaluator *ev, const char *provider, const char *action, const char *resource)
{
    const question q = {.provider = kim_text_of(provider), .action = kim_text_of(action), .resource = kim_text_of(resource), .discover = true};
    said[0] = '\0';
    assert_int_equal(evaluate_who_can(ev, &q, note_who, NULL, NULL), 0);
    return said;
}

static verdict can(evaluator *ev, const char *provider, const char *who, const char *action, const char *resource)
{
    const question q = {.provider = kim_text_of(provider), .identity = kim_text_of(who), .action = kim_text_of(action), .resource = kim_text_of(resource)};
    answer a;
    kim_error err = {0};
    if (evaluate_can(ev, &q, &a, &err) < 0)
        fail_msg("%s", err.message);
    return a.verdict;
}

static void broker(void)
{
    system_begins("ot:plant", "broker", "deny-overrides", "mqtt");
    identity("ann", KIM_HUMAN);
    identity("bob", KIM_HUMAN);
    identity("eve", KIM_HUMAN);
    identity("ops", KIM_GROUP);
    member("ann", "ops");
    member("bob", "ops");
    grant_to("p1", KIM_ALLOW, "ops", "publish", "plant/#");
    grant_to("p2", KIM_DENY, "bob", "publish", "plant/+/cmd");
    grant_to("p3", KIM_ALLOW, "eve", "subscribe", "plant/4/cmd");
}

static void who_can_names_people_and_no_groups_in_the_order_of_their_ids(void **state)
{
    (void)state;
    broker();
    evaluator *ev = ready();
    assert_string_equal(who_can(ev, "broker", "publish", "plant/4/state"), "ann allowed; bob allowed; ");
    assert_string_equal(who_can(ev, "broker", "publish", "plant/4/cmd"), "ann allowed; ");
    assert_string_equal(who_can(ev, "broker", "subscribe", "plant/4/cmd"), "eve allowed; ");
    assert_string_equal(who_can(ev, "broker", "publish", "x"), "");
    evaluator_free(ev);
}

static void what_can_gives_the_patterns_and_what_others_cut_out(void **state)
{
    (void)state;
    broker();
    evaluator *ev = ready();
    const question ann = {.provider = KIM_TEXT("broker"), .identity = KIM_TEXT("ann")}, bob = {.provider = KIM_TEXT("broker"), .identity = KIM_TEXT("bob")};
    assert_int_equal(evaluate_what_can(ev, &ann, note_what, NULL, NULL), 0);
    assert_string_equal(said, "publish on plant/# allowed; ");
    said[0] = '\0';
    assert_int_equal(evaluate_what_can(ev, &bob, note_what, NULL, NULL), 0);
    assert_string_equal(said, "publish on plant/# conditional; ");
    evaluator_free(ev);
}

static void two_systems_keep_their_names_apart(void **state)
{
    (void)state;
    broker();
    system_begins("ot:mill", "other", "deny-overrides", "mqtt");
    identity("ann", KIM_HUMAN);
    identity("zoe", KIM_HUMAN);
    identity("ops", KIM_GROUP);
    member("zoe", "ops");
    grant_to("p1", KIM_ALLOW, "ops", "publish", "mill/#");
    evaluator *ev = ready();
    assert_int_equal(can(ev, "other", "zoe", "publish", "mill/1"), ALLOWED);
    assert_int_equal(can(ev, "other", "ann", "publish", "mill/1"), DENIED); /* a member of the plant's ops */
    assert_int_equal(can(ev, "broker", "zoe", "publish", "plant/1"), DENIED);
    assert_int_equal(can(ev, "neutral", "ann", "publish", "plant/1"), ALLOWED);
    assert_string_equal(who_can(ev, "other", "publish", "mill/1"), "zoe allowed; ");
    assert_string_equal(who_can(ev, "neutral", "publish", "mill/1"), "zoe allowed; ");
    evaluator_free(ev);
}

static void a_scope_below_is_governed_from_above(void **state)
{
    (void)state;
    system_begins("ot:plant", "broker", "deny-overrides", "mqtt");
    scope = KIM_TEXT("ot:plant/cell-4");
    identity("robot", KIM_DEVICE);
    grant_to("p1", KIM_ALLOW, "robot", "publish", "plant/#");
    evaluator *ev = ready();
    assert_int_equal(can(ev, "broker", "robot", "publish", "plant/1"), ALLOWED);
    evaluator_free(ev);
}

static void what_was_not_read_leaves_the_answer_open(void **state)
{
    (void)state;
    broker();
    add((kim_record){.type = KIM_ATTACHMENT, .attachment = {.policy = KIM_TEXT("gone"), .layer = KIM_TEXT("role"), .subject = KIM_TEXT("ann")}});
    evaluator *ev = ready();
    assert_int_equal(can(ev, "broker", "ann", "publish", "plant/4/cmd"), UNKNOWN);
    assert_int_equal(can(ev, "broker", "bob", "publish", "plant/4/cmd"), DENIED);
    evaluator_free(ev);
    start(NULL);
    broker();
    add((kim_record){.type = KIM_COVERAGE, .coverage = {.part = KIM_TEXT("roles"), .status = KIM_UNREADABLE, .why = KIM_TEXT("refused")}});
    ev = ready();
    assert_int_equal(can(ev, "broker", "eve", "publish", "plant/4/cmd"), UNKNOWN);
    assert_int_equal(can(ev, "broker", "bob", "publish", "plant/4/cmd"), DENIED); /* surely */
    evaluator_free(ev);
}

static void ten_thousand_groups_in_a_row_and_in_a_circle_end(void **state)
{
    static char names[10000][16];
    (void)state;
    system_begins("ot:plant", "broker", "first-match", "exact");
    for (int i = 0; i < 10000; i++)
        snprintf(names[i], sizeof names[i], "g%d", i);
    for (int i = 0; i < 10000; i++)
        member(names[i], names[(i + 1) % 10000]);
    identity("ann", KIM_HUMAN);
    member("ann", names[0]);
    grant_to("p1", KIM_ALLOW, names[9999], "read", "x");
    evaluator *ev = ready();
    assert_int_equal(can(ev, "broker", "ann", "read", "x"), ALLOWED);
    evaluator_free(ev);
}

/* Whichever allocation fails: an error, or the same answer as ever. */
static void without_memory_there_is_an_error_and_no_other_answer(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        kim_error err = {0};
        start(NULL);
        broker();
        estate *es = estate_build(builder, &err);
        assert_non_null(es);
        said[0] = '\0';
        const question q = {.provider = KIM_TEXT("broker"), .identity = KIM_TEXT("bob"), .action = KIM_TEXT("publish"), .resource = KIM_TEXT("plant/4/cmd")};
        answer a = {.verdict = DENIED};
        fail_malloc_start(n);
        evaluator *ev = evaluator_new(es, &err);
        int result = ev ? evaluate_can(ev, &q, &a, &err) : -1;
        int walked = result == 0 ? evaluate_who_can(ev, &q, note_who, NULL, &err) : -1;
        bool failed = fail_malloc_stop();
        if (result == 0)
            assert_int_equal(a.verdict, DENIED);
        if (walked == 0)
            assert_string_equal(said, "ann allowed; ");
        if (result < 0 || walked < 0)
            assert_int_equal(err.code, KIM_ERR_NOMEM);
        evaluator_free(ev);
        estate_release(es);
        if (!failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, start)
        TEST(who_can_names_people_and_no_groups_in_the_order_of_their_ids),
        TEST(what_can_gives_the_patterns_and_what_others_cut_out),
        TEST(two_systems_keep_their_names_apart),
        TEST(a_scope_below_is_governed_from_above),
        TEST(what_was_not_read_leaves_the_answer_open),
        TEST(ten_thousand_groups_in_a_row_and_in_a_circle_end),
        cmocka_unit_test(without_memory_there_is_an_error_and_no_other_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
