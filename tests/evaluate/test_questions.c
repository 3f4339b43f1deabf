/* SPDX-License-Identifier: Apache-2.0
 *
 * test_questions - who-can and what-can leave nobody and nothing out, however many there are.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "controller/evaluate/evaluate.h"

#define SCOPE KIM_TEXT("aws:111122223333")
#define ANN KIM_TEXT("arn:aws:iam::111122223333:user/ann")
#define BUCKET KIM_TEXT("arn:aws:s3:::b")

static kim_arena *arena;
static estate_builder *builder;

static void add(kim_record r)
{
    kim_error err = {0};
    r.scope = SCOPE;
    if (estate_builder_add(builder, &r, &err) < 0)
        fail_msg("%s", err.message);
}

static kim_texts one(kim_text text)
{
    kim_text *item = KIM_NEW(arena, kim_text);
    *item = text;
    return (kim_texts){item, 1};
}

static kim_texts many(const char *format, int count)
{
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, (size_t)count);
    for (int i = 0; i < count; i++)
        items[i] = kim_text_format(arena, format, i);
    return (kim_texts){items, (size_t)count};
}

static void policy(kim_text id, kim_texts resources, kim_texts subjects, kim_attachment at)
{
    at.policy = id;
    add((kim_record){.type = KIM_POLICY, .policy = {.id = id, .version = KIM_TEXT("2012-10-17")}});
    add((kim_record){.type = KIM_STATEMENT, .statement = {.policy = id, .effect = KIM_ALLOW, .actions = one(KIM_TEXT("s3:GetObject")),
                                                          .resources = resources, .subjects = subjects}});
    add((kim_record){.type = KIM_ATTACHMENT, .attachment = at});
}

static int start(void **state)
{
    char catalogues[4096];
    kim_error err = {0};
    (void)state;
    snprintf(catalogues, sizeof catalogues, "%s/catalogue", getenv("KIM_DATA_DIR") ? getenv("KIM_DATA_DIR") : "etc");
    arena = kim_arena_new((size_t)1 << 26);
    builder = estate_builder_new(catalogues, &err);
    if (builder == NULL)
        fail_msg("%s", err.message);
    add((kim_record){.type = KIM_SCOPE, .as_scope = {.id = SCOPE, .kind = KIM_TEXT("account")}});
    add((kim_record){.type = KIM_IDENTITY, .identity = {.id = ANN, .kind = KIM_HUMAN}});
    add((kim_record){.type = KIM_RESOURCE, .resource = {.id = BUCKET, .type = KIM_TEXT("s3:bucket")}});
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kim_arena_free(arena);
    return 0;
}

static evaluator *ready(void)
{
    kim_error err = {0};
    estate *es = estate_build(builder, &err);
    evaluator *ev = es ? evaluator_new(es, &err) : NULL;
    estate_release(es);
    if (ev == NULL)
        fail_msg("%s", err.message);
    return ev;
}

static int count_what(void *user, const grant *what, const answer *a)
{
    (void)what;
    *(size_t *)user += a->verdict == ALLOWED;
    return 0;
}

static void what_can_names_each_of_thousands_of_resources(void **state)
{
    enum { RESOURCES = 3000 };
    size_t count = 0;
    kim_error err = {0};
    (void)state;
    policy(KIM_TEXT("p"), many("arn:aws:s3:::b/%d", RESOURCES), (kim_texts){NULL, 0}, (kim_attachment){.layer = KIM_TEXT("identity"), .subject = ANN});
    evaluator *ev = ready();
    const question q = {.provider = KIM_TEXT("aws"), .identity = ANN, .discover = true, .derive = true};
    assert_int_equal(evaluate_what_can(ev, &q, count_what, &count, &err), 0);
    assert_int_equal(count, RESOURCES);
    evaluator_free(ev);
}

static int count_who(void *user, kim_text identity, const answer *a)
{
    (void)identity, (void)a;
    ++*(size_t *)user;
    return 0;
}

static void who_can_names_each_of_thousands_of_outsiders(void **state)
{
    enum { OUTSIDERS = 6000 };
    size_t count = 0;
    kim_error err = {0};
    (void)state;
    policy(KIM_TEXT("arn:aws:s3:::b/policy"), one(KIM_TEXT("arn:aws:s3:::b/*")), many("AWS:arn:aws:iam::444455556666:user/u%d", OUTSIDERS),
           (kim_attachment){.layer = KIM_TEXT("resource"), .resource = BUCKET});
    evaluator *ev = ready();
    const question q = {.provider = KIM_TEXT("aws"), .action = KIM_TEXT("s3:GetObject"), .resource = KIM_TEXT("arn:aws:s3:::b/k"), .discover = true, .derive = true};
    assert_int_equal(evaluate_who_can(ev, &q, count_who, &count, &err), 0);
    assert_int_equal(count, OUTSIDERS);
    evaluator_free(ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_can_names_each_of_thousands_of_resources, start, stop),
        cmocka_unit_test_setup_teardown(who_can_names_each_of_thousands_of_outsiders, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
