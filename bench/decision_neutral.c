/* SPDX-License-Identifier: Apache-2.0
 *
 * decision_neutral - explained decisions a second by a broker's profile, one core; and who-can over all its identities.
 *
 * 100,000 devices in 500 cells; a cell holds 3 of 100 roles, in an order; a role has 10 first-match statements with topic
 * patterns; every hundredth device has a statement of its own. Requests differ in device, action and topic; every
 * answer's statements are read. Usage: decision_neutral [DEVICES] [REQUESTS] [RUNS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "controller/evaluate/evaluate.h"

enum { CELLS = 500, ROLES = 100, STATEMENTS = 10 };
#define SCOPE KIM_TEXT("ot:plant/broker")
static kim_arena *arena;
static estate_builder *builder;

static void add(kim_record r)
{
    kim_error err = {0};
    r.scope = SCOPE;
    if (estate_builder_add(builder, &r, &err) < 0) {
        fprintf(stderr, "decision_neutral: %s\n", err.message);
        exit(1);
    }
}

static kim_text format(const char *f, int a, int b)
{
    return kim_text_format(arena, f, a, b);
}

static kim_texts one(kim_text text)
{
    kim_text *item = KIM_NEW(arena, kim_text);
    *item = text;
    return (kim_texts){item, 1};
}

static void identity(kim_text id, int32_t kind)
{
    add((kim_record){.type = KIM_IDENTITY, .identity = {.id = id, .kind = kind}});
}

static void member(kim_text from, kim_text to, int order)
{
    add((kim_record){.type = KIM_EDGE, .edge = {.kind = KIM_MEMBER_OF, .from = from, .to = to, .order = order, .ordered = true}});
}

static void policy(kim_text id, kim_text subject)
{
    add((kim_record){.type = KIM_POLICY, .policy = {.id = id, .kind = KIM_TEXT("role")}});
    add((kim_record){.type = KIM_ATTACHMENT, .attachment = {.policy = id, .layer = KIM_TEXT("role"), .subject = subject}});
}

static void statement(kim_text id, int index, bool denies, const char *action, kim_text resource)
{
    add((kim_record){.type = KIM_STATEMENT, .statement = {.policy = id, .index = index, .effect = denies ? KIM_DENY : KIM_ALLOW,
                     .actions = one(kim_text_of(action)), .resources = one(resource), .order = one(format("%d", index, 0))}});
}

static void role(int r)
{
    kim_text id = format("role:%d", r, 0);
    identity(id, KIM_ROLE);
    policy(format("acl/%d", r, 0), id);
    for (int s = 0; s < STATEMENTS; s++)
        statement(format("acl/%d", r, 0), s, s == 3, s % 2 ? "publish" : "subscribe",
                  s == 9 ? format("plant/%d/#", r, 0) : s == 3 ? format("plant/%d/+/secret", r, 0) : format("plant/%d/line-%d/+", r, s));
}

static void build(int devices)
{
    add((kim_record){.type = KIM_SCOPE, .as_scope = {.id = SCOPE, .kind = KIM_TEXT("plant")}});
    add((kim_record){.type = KIM_PROFILE, .profile = {.id = KIM_TEXT("broker"), .combining = KIM_TEXT("first-match"), .default_effect = KIM_DENY, .wildcard = KIM_TEXT("mqtt")}});
    for (int r = 0; r < ROLES; r++)
        role(r);
    for (int c = 0; c < CELLS; c++) {
        kim_text cell = format("cell:%d", c, 0);
        identity(cell, KIM_GROUP);
        for (int k = 0; k < 3; k++)
            member(cell, format("role:%d", (c + k * 7) % ROLES, 0), k + 1);
    }
    for (int d = 0; d < devices; d++) {
        kim_text id = format("device-%06d", d, 0);
        identity(id, KIM_DEVICE);
        member(id, format("cell:%d", d % CELLS, 0), 1);
        if (d % 100 == 0) {
            policy(format("own/%d", d, 0), id);
            statement(format("own/%d", d, 0), 0, false, "publish", format("own/%d/#", d, 0));
        }
    }
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int count_one(void *context, kim_text id, const answer *a)
{
    size_t *found = context;
    *found += id.size > 0 && a->verdict == ALLOWED;
    return 0;
}

int main(int argc, char **argv)
{
    int devices = argc > 1 ? atoi(argv[1]) : 100000, count = argc > 2 ? atoi(argv[2]) : 100000, runs = argc > 3 ? atoi(argv[3]) : 9;
    kim_error err = {0};
    double times[64], walks[64];
    size_t allowed = 0, named = 0, found = 0;
    arena = kim_arena_new((size_t)-1);
    builder = estate_builder_new(NULL, &err);
    build(devices);
    estate *es = estate_build(builder, &err);
    evaluator *ev = es ? evaluator_new(es, &err) : NULL;
    question *questions = KIM_NEW_ARRAY(arena, question, (size_t)count);
    if (ev == NULL || questions == NULL || runs < 1 || runs > 64) {
        fprintf(stderr, "decision_neutral: %s\n", err.message);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        int d = (int)((unsigned)i * 7919u % (unsigned)devices), r = (d % CELLS + i % 3 * 7) % ROLES;
        questions[i] = (question){.provider = KIM_TEXT("broker"), .identity = format("device-%06d", d, 0), .action = i % 4 ? KIM_TEXT("publish") : KIM_TEXT("subscribe"),
                                  .resource = i % 5 ? format("plant/%d/line-7/x%d", r, i) : format("plant/%d/x%d/secret", r, i)};
    }
    const question who = {.provider = KIM_TEXT("broker"), .action = KIM_TEXT("publish"), .resource = KIM_TEXT("plant/7/line-7/speed")};
    for (int r = 0; r < runs; r++) {
        double start = cpu_s();
        allowed = named = found = 0;
        for (int i = 0; i < count; i++) {
            answer a;
            if (evaluate_can(ev, &questions[i], &a, &err) < 0)
                return 1;
            allowed += a.verdict == ALLOWED;
            for (size_t k = 0; k < a.because_count; k++)
                named += a.because[k].statement.size > 0;
        }
        times[r] = cpu_s() - start;
        start = cpu_s();
        if (evaluate_who_can(ev, &who, count_one, &found, &err) != 0)
            return 1;
        walks[r] = cpu_s() - start;
    }
    qsort(times, (size_t)runs, sizeof *times, by_size);
    qsort(walks, (size_t)runs, sizeof *walks, by_size);
    printf("%.0f decisions/s median, %.0f best; %zu of %d allowed, %zu statements named; who-can over %d identities %.1f ms, %zu found\n",
           count / times[runs / 2], count / times[0], allowed, count, named, devices, walks[runs / 2] * 1000, found);
    evaluator_free(ev);
    estate_release(es);
    return allowed && named && found ? 0 : 1;
}
