/* SPDX-License-Identifier: Apache-2.0
 *
 * decision - explained decisions a second, one core: the complex case, over many identities.
 *
 * Each identity has 10 policies of 5 statements of its own (8 action patterns, 3 resource patterns,
 * conditions on 3 of 5), an allow that decides, a boundary, 3 levels of SCPs; the bucket has a policy, its
 * account an RCP: the shape of decide_limit.c. Requests differ in identity, key, address and region; every
 * answer's statements are read. Usage: decision [IDENTITIES] [REQUESTS] [RUNS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "controller/evaluate/evaluate.h"

#define ACCOUNT "111111111111"
#define ACCOUNT_SCOPE "aws:" ACCOUNT
static kim_arena *arena;
static estate_builder *builder;

static void add(kim_record r)
{
    kim_error err = {0};
    if (estate_builder_add(builder, &r, &err) < 0) {
        fprintf(stderr, "decision: %s\n", err.message);
        exit(1);
    }
}

static kim_texts list(size_t count, const char *const *items)
{
    kim_text *texts = KIM_NEW_ARRAY(arena, kim_text, count ? count : 1);
    for (size_t i = 0; i < count; i++)
        texts[i] = kim_text_copy(arena, kim_text_of(items[i]));
    return (kim_texts){texts, count};
}

static kim_text format(const char *f, int a, int b)
{
    return kim_text_format(arena, f, a, b);
}

static kim_record in_account(kim_record_type type)
{
    return (kim_record){.type = type, .scope = KIM_TEXT(ACCOUNT_SCOPE)};
}

static void policy(kim_text id)
{
    kim_record r = in_account(KIM_POLICY);
    r.policy = (kim_policy){.id = id, .version = KIM_TEXT("2012-10-17"), .kind = KIM_TEXT("inline")};
    add(r);
}

static void statement(kim_text id, int index, bool denies, kim_texts actions, bool turned, kim_texts resources, const char *condition, bool everyone)
{
    static const kim_text all = {"*", 1};
    kim_record r = in_account(KIM_STATEMENT);
    r.statement = (kim_statement){.policy = id, .index = index, .effect = denies ? KIM_DENY : KIM_ALLOW, .resources = resources};
    *(turned ? &r.statement.not_actions : &r.statement.actions) = actions;
    if (condition)
        r.statement.condition = (kim_condition){KIM_TEXT("aws"), kim_text_of(condition)};
    if (everyone)
        r.statement.subjects = (kim_texts){&all, 1};
    add(r);
}

static void attach(kim_text id, const char *layer, kim_text subject, const char *scope, const char *resource)
{
    kim_record r = in_account(KIM_ATTACHMENT);
    r.attachment = (kim_attachment){.policy = id, .layer = kim_text_of(layer), .subject = subject,
                                    .on_scope = kim_text_of(scope), .resource = kim_text_of(resource)};
    add(r);
}

static void scope(const char *id, const char *kind, const char *parent)
{
    kim_record r = {.type = KIM_SCOPE, .scope = kim_text_of(id)};
    r.as_scope = (kim_scope){.id = kim_text_of(id), .kind = kim_text_of(kind), .parent = kim_text_of(parent)};
    add(r);
}

static const char *const everything[] = {"*"};
#define ALL list(1, everything)

static void guardrails(void)
{
    static const char *const levels[] = {"aws:o-1/r-1", "aws:o-1/ou-1", ACCOUNT_SCOPE};
    static const char *const global[] = {"iam:*", "s3:*", "sts:*", "kms:*"};
    static const char *const leaving[] = {"organizations:LeaveOrganization", "cloudtrail:StopLogging"};
    static const char *const s3[] = {"s3:*"};
    scope("aws:o-1", "organisation", NULL);
    scope(levels[0], "ou", "aws:o-1");
    scope(levels[1], "ou", levels[0]);
    scope(levels[2], "account", levels[1]);
    for (int l = 0; l < 3; l++) {
        kim_text id = format("scp-%d", l, 0);
        policy(id);
        statement(id, 0, false, ALL, false, ALL, NULL, false);
        statement(id, 1, true, list(4, global), true, ALL, "{\"StringNotEquals\":{\"aws:RequestedRegion\":[\"us-east-1\",\"eu-west-1\"]}}", false);
        statement(id, 2, true, list(2, leaving), false, ALL, NULL, false);
        statement(id, 3, true, list(1, s3), false, ALL, "{\"StringNotEquals\":{\"aws:PrincipalOrgID\":\"o-abc\"}}", false);
        attach(id, "scp", KIM_NO_TEXT, levels[l], NULL);
    }
    kim_text rcp = KIM_TEXT("rcp");
    policy(rcp);
    statement(rcp, 0, false, ALL, false, ALL, NULL, true);
    statement(rcp, 1, true, list(1, s3), false, ALL, "{\"Bool\":{\"aws:SecureTransport\":\"false\"}}", true);
    attach(rcp, "rcp", KIM_NO_TEXT, "aws:o-1/r-1", NULL);
    static const char *const bucket[] = {"arn:aws:s3:::bkt/*"};
    kim_record r = in_account(KIM_RESOURCE);
    r.resource = (kim_resource){.id = KIM_TEXT("arn:aws:s3:::bkt"), .type = KIM_TEXT("s3:bucket")};
    add(r);
    kim_text own = KIM_TEXT("arn:aws:s3:::bkt/policy");
    policy(own);
    statement(own, 0, true, list(1, s3), false, list(1, bucket), "{\"Bool\":{\"aws:SecureTransport\":\"false\"}}", true);
    attach(own, "resource", KIM_NO_TEXT, NULL, "arn:aws:s3:::bkt");
    static const char *const some[] = {"s3:*", "dynamodb:*", "kms:*"}, *const iam[] = {"iam:*"};
    kim_text boundary = KIM_TEXT("boundary");
    policy(boundary);
    statement(boundary, 0, false, list(3, some), false, ALL, NULL, false);
    statement(boundary, 1, true, list(1, iam), false, ALL, NULL, false);
}

static kim_text role(int i)
{
    return format("arn:aws:iam::" ACCOUNT ":role/app-%d", i, 0);
}

static void identity(int i)
{
    static const char *const actions[] = {"s3:PutObject", "s3:ListBucket", "ec2:Describe*", "ec2:RunInstances", "dynamodb:GetItem",
        "dynamodb:Query", "kms:Decrypt", "sqs:SendMessage", "sns:Publish", "lambda:InvokeFunction", "logs:*", "ssm:GetParameter*"};
    kim_record r = in_account(KIM_IDENTITY);
    kim_text who = role(i);
    r.identity = (kim_identity){.id = who, .kind = KIM_ROLE};
    add(r);
    for (int p = 0; p < 10; p++) {
        kim_text id = format("i%d/p%d", i, p);
        policy(id);
        for (int q = 0; q < 5; q++) {
            const char *eight[8], *three[3];
            for (int k = 0; k < 8; k++)
                eight[k] = actions[(p * 5 + q * 3 + k) % 12];
            three[0] = format("arn:aws:s3:::team-%d-%d-*/*", i, p).bytes;
            three[1] = "arn:aws:dynamodb:*:" ACCOUNT ":table/t-*";
            three[2] = "arn:aws:kms:us-east-1:" ACCOUNT ":key/*";
            const char *condition = q == 4 ? "{\"Bool\":{\"aws:SecureTransport\":\"false\"}}"
                                  : q & 1 ? "{\"StringEquals\":{\"aws:PrincipalOrgID\":\"o-abc\"},\"IpAddress\":{\"aws:SourceIp\":[\"192.0.2.0/24\",\"10.0.0.0/8\"]}}"
                                          : NULL;
            statement(id, q, q == 4, list(8, eight), false, list(3, three), condition, false);
        }
        attach(id, "identity", who, NULL, NULL);
    }
    static const char *const get[] = {"s3:Get*"}, *const pay[] = {"arn:aws:s3:::bkt/pay/*"};
    kim_text id = format("i%d/read", i, 0);
    policy(id);
    statement(id, 0, false, list(1, get), false, list(1, pay),
              "{\"StringEquals\":{\"aws:RequestedRegion\":[\"eu-west-1\",\"us-east-1\"]},\"ArnLike\":{\"aws:PrincipalArn\":\"arn:aws:iam::*:role/app-*\"}}", false);
    attach(id, "identity", who, NULL, NULL);
    attach(KIM_TEXT("boundary"), "boundary", who, NULL, NULL);
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static kim_texts one(kim_text text)
{
    kim_text *item = KIM_NEW(arena, kim_text);
    *item = text;
    return (kim_texts){item, 1};
}

static question *make_questions(int identities, int count)
{
    static const char *const regions[] = {"us-east-1", "eu-west-1"};
    question *questions = KIM_NEW_ARRAY(arena, question, (size_t)count);
    for (int i = 0; i < count; i++) {
        context_entry *context = KIM_NEW_ARRAY(arena, context_entry, 5);
        context[0] = (context_entry){KIM_TEXT("aws:PrincipalOrgID"), one(KIM_TEXT("o-abc"))};
        context[1] = (context_entry){KIM_TEXT("aws:SourceIp"), one(format("10.%d.%d.3", i / 250 % 250, i % 250))};
        context[2] = (context_entry){KIM_TEXT("aws:SecureTransport"), one(KIM_TEXT("true"))};
        context[3] = (context_entry){KIM_TEXT("aws:RequestedRegion"), one(kim_text_of(regions[i & 1]))};
        context[4] = (context_entry){KIM_TEXT("aws:PrincipalArn"), one(role(i % identities))};
        questions[i] = (question){.provider = KIM_TEXT("aws"), .identity = role(i % identities), .action = KIM_TEXT("s3:GetObject"),
                                  .resource = format("arn:aws:s3:::bkt/pay/file-%d.txt", i, 0), .context = context, .context_count = 5};
    }
    return questions;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    int identities = argc > 1 ? atoi(argv[1]) : 1000, count = argc > 2 ? atoi(argv[2]) : 20000, runs = argc > 3 ? atoi(argv[3]) : 9;
    char catalogues[4096];
    kim_error err = {0};
    snprintf(catalogues, sizeof catalogues, "%s/catalogue", getenv("KIM_DATA_DIR") ? getenv("KIM_DATA_DIR") : "etc");
    arena = kim_arena_new((size_t)-1);
    builder = estate_builder_new(catalogues, &err);
    guardrails();
    for (int i = 0; i < identities; i++)
        identity(i);
    estate *es = estate_build(builder, &err);
    evaluator *ev = es ? evaluator_new(es, &err) : NULL;
    question *questions = make_questions(identities, count);
    double times[64];
    size_t allowed = 0, named = 0;
    if (ev == NULL || runs < 1 || runs > 64) {
        fprintf(stderr, "decision: %s\n", err.message);
        return 1;
    }
    for (int r = 0; r < runs; r++) {
        double start = cpu_s();
        allowed = named = 0;
        for (int i = 0; i < count; i++) {
            answer a;
            if (evaluate_can(ev, &questions[i], &a, &err) < 0)
                return 1;
            allowed += a.verdict == ALLOWED;
            for (size_t k = 0; k < a.because_count; k++)
                named += a.because[k].statement.size > 0;
        }
        times[r] = cpu_s() - start;
    }
    qsort(times, (size_t)runs, sizeof *times, by_size);
    printf("%.0f decisions/s median, %.0f best; %zu of %d allowed, %zu statements named\n", count / times[runs / 2], count / times[0], allowed, count, named);
    evaluator_free(ev);
    estate_release(es);
    return allowed == (size_t)count && named ? 0 : 1;
}
