/* SPDX-License-Identifier: Apache-2.0
 *
 * effective - every principal's set of actions, over the whole catalogue, one core.
 *
 * The account's authorization details, with three levels of service control policies above it and one of
 * four permissions boundaries on every principal. Asked in two ways: one principal after another
 * (evaluate_granted), and all at once (evaluate_granted_all); both must grant the same number of actions.
 * Policies are compiled and worked out before the clock starts. Usage: effective GAAD.json [RUNS]
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/account.h"
#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluate.h"

static estate_builder *builder;

static void add(kim_record r)
{
    kim_error err = {0};
    if (estate_builder_add(builder, &r, &err) < 0) {
        fprintf(stderr, "effective: %s\n", err.message);
        exit(1);
    }
}

static kim_texts one(kim_text *text)
{
    return (kim_texts){text, 1};
}

static void statement(kim_text scope, kim_text policy, int64_t index, kim_effect effect, const char *const *actions, size_t count, bool turned)
{
    kim_text list[8], all = KIM_TEXT("*");
    kim_record r = {.type = KIM_STATEMENT, .scope = scope};
    for (size_t i = 0; i < count; i++)
        list[i] = kim_text_of(actions[i]);
    r.statement = (kim_statement){.policy = policy, .index = index, .effect = effect, .resources = one(&all)};
    *(turned ? &r.statement.not_actions : &r.statement.actions) = (kim_texts){list, count};
    add(r);
}

static void policy(kim_text scope, kim_text id)
{
    kim_record r = {.type = KIM_POLICY, .scope = scope};
    r.policy = (kim_policy){.id = id, .version = KIM_TEXT("2012-10-17")};
    add(r);
}

/* The account's place, and what binds all in it: an allow, a deny of what is outside, a deny by NotAction. */
static void guardrails(kim_text account)
{
    static const char *const levels[] = {"aws:o-1", "aws:o-1/r-1", "aws:o-1/ou-1"}, *const kinds[] = {"organisation", "ou", "ou"};
    static const char *const all[] = {"*"}, *const leaving[] = {"organizations:*", "account:Close*"};
    static const char *const most[] = {"iam:*", "s3:*", "sts:*", "ec2:*", "dynamodb:*", "logs:*", "*:Describe*", "*:List*"};
    for (int l = 0; l < 3; l++) {
        kim_text scope = kim_text_of(levels[l]), id = kim_text_of((const char *[]){"scp-0", "scp-1", "scp-2"}[l]);
        kim_record r = {.type = KIM_SCOPE, .scope = scope};
        r.as_scope = (kim_scope){.id = scope, .kind = kim_text_of(kinds[l]), .parent = l ? kim_text_of(levels[l - 1]) : KIM_NO_TEXT};
        add(r);
        policy(scope, id);
        statement(scope, id, 0, KIM_ALLOW, all, 1, false);
        statement(scope, id, 1, KIM_DENY, leaving, 2, false);
        if (l == 2)
            statement(scope, id, 2, KIM_DENY, most, 8, true);
        r = (kim_record){.type = KIM_ATTACHMENT, .scope = scope};
        r.attachment = (kim_attachment){.policy = id, .layer = KIM_TEXT("scp"), .on_scope = scope};
        add(r);
    }
    kim_record r = {.type = KIM_SCOPE, .scope = account};
    r.as_scope = (kim_scope){.id = account, .kind = KIM_TEXT("account"), .parent = KIM_TEXT("aws:o-1/ou-1")};
    add(r);
}

static const char *const boundaries[] = {"boundary-0", "boundary-1", "boundary-2", "boundary-3"};
enum { BOUNDARIES = sizeof boundaries / sizeof *boundaries };

static void add_boundaries(kim_text account)
{
    static const char *const some[][3] = {{"s3:*", "ec2:*", "logs:*"}, {"*", "*", "*"}, {"s3:Get*", "dynamodb:*", "iam:List*"}, {"ec2:*", "lambda:*", "s3:*"}};
    for (int b = 0; b < BOUNDARIES; b++) {
        policy(account, kim_text_of(boundaries[b]));
        statement(account, kim_text_of(boundaries[b]), 0, KIM_ALLOW, some[b], 3, false);
    }
}

typedef struct tally {
    size_t principals, actions, words, results;
} tally;

static size_t count_bits(const uint64_t *bits, size_t words)
{
    size_t count = 0;
    for (size_t w = 0; w < words; w++)
        count += (size_t)__builtin_popcountll(bits[w]);
    return count;
}

static int count(void *user, kim_text identity, const granted_set *what)
{
    static size_t last;
    tally *t = user;
    (void)identity;
    if (what->is_new)
        last = count_bits(what->granted, t->words);
    t->results += what->is_new;
    t->actions += last;
    t->principals++;
    return 0;
}

int main(int argc, char **argv)
{
    int runs = argc > 2 ? atoi(argv[2]) : 9;
    kim_error err = {0};
    kim_text account = KIM_TEXT("aws:111111111111");
    double alone[64], together[64];
    builder = argc > 1 && runs > 0 && runs <= 64 ? account_read(argv[1], &err) : NULL;
    if (builder == NULL) {
        fprintf(stderr, "effective: %s\n", err.message[0] ? err.message : "usage: effective GAAD.json [RUNS]");
        return 2;
    }
    guardrails(account);
    add_boundaries(account);
    kim_arena *arena = kim_arena_new((size_t)-1);
    estate_builder *only = account_read(argv[1], &err); /* for whom there is */
    estate *plain = only ? estate_build(only, &err) : NULL;
    size_t total = 0, principals = 0;
    const kim_record *items = plain ? estate_records(plain, KIM_IDENTITY, &total) : NULL;
    kim_text *ids = KIM_NEW_ARRAY(arena, kim_text, total + 1);
    for (size_t i = 0; i < total; i++) {
        if (items[i].identity.kind == KIM_GROUP || kim_text_ends_with(items[i].identity.id, KIM_TEXT(":root")))
            continue;
        ids[principals] = kim_text_copy(arena, items[i].identity.id);
        kim_record r = {.type = KIM_ATTACHMENT, .scope = account};
        r.attachment = (kim_attachment){.policy = kim_text_of(boundaries[principals % BOUNDARIES]), .layer = KIM_TEXT("boundary"), .subject = ids[principals]};
        add(r);
        principals++;
    }
    estate *es = estate_build(builder, &err);
    evaluator *ev = es ? evaluator_new(es, &err) : NULL;
    const catalogue *cat = ev ? evaluator_catalogue(ev) : NULL;
    if (cat == NULL || principals == 0) {
        fprintf(stderr, "effective: %s\n", err.message[0] ? err.message : "no catalogue; set KIM_DATA_DIR");
        return 1;
    }
    size_t words = catalogue_words(cat), actions = 0;
    uint64_t *granted = calloc(2 * words, sizeof *granted);
    tally t = {.words = words};
    for (int r = -1; r < runs; r++) { /* the first readies */
        double start = cpu_s();
        actions = 0;
        for (size_t i = 0; i < principals; i++) {
            if (evaluate_granted(ev, ids[i], granted, granted + words, &err) < 0)
                return 1;
            actions += count_bits(granted, words);
        }
        double middle = cpu_s();
        t = (tally){.words = words};
        if (evaluate_granted_all(ev, 0, 1, count, &t, &err) < 0)
            return 1;
        if (r >= 0) {
            alone[r] = middle - start;
            together[r] = cpu_s() - middle;
        }
    }
    printf("%.0f principals/s median, %.0f one after another; %zu principals, %zu results, %zu actions granted of %zu each\n",
           (double)principals / median(together, (size_t)runs), (double)principals / median(alone, (size_t)runs), t.principals, t.results, t.actions, catalogue_count(cat));
    if (t.actions != actions || t.principals != principals)
        fprintf(stderr, "effective: %zu actions of %zu principals at once, %zu of %zu one after another\n", t.actions, t.principals, actions, principals);
    bool same = t.actions == actions && t.principals == principals;
    evaluator_free(ev);
    estate_release(es);
    estate_release(plain);
    kim_arena_free(arena);
    free(granted);
    return same ? 0 : 1;
}
