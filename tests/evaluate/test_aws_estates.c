/* SPDX-License-Identifier: Apache-2.0
 *
 * test_aws_estates - what holds for every estate of AWS, on random ones: who-can and can agree, the sets of
 * actions are those that the statements say one by one, the order of records never matters, an estate from an
 * older one and what changed is the one built anew, and memory that runs out is an error and no answer.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>

#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluate.h"
#include "tests/support/fail_malloc.h"

enum { RECORDS_MAX = 600, ESTATES = 24, POLICIES = 14, WHO_MAX = 64 };

static uint64_t seed;

static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* ---- an estate: two accounts below an organisation, users in groups, roles, buckets ---- */

static kim_arena *arena;
static kim_record records[RECORDS_MAX];
static size_t record_count;
static const char *const accounts[] = {"111122223333", "444455556666"};

static void add(kim_text scope, kim_record r)
{
    assert_true(record_count < RECORDS_MAX);
    r.scope = scope;
    records[record_count++] = r;
}

static kim_text text(const char *format, const char *a, unsigned b)
{
    return kim_text_format(arena, format, a, b);
}

static kim_texts some(const char *const *from, size_t total, unsigned most)
{
    size_t count = 1 + below(most);
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, count);
    for (size_t i = 0; i < count; i++)
        items[i] = kim_text_of(from[below((unsigned)total)]);
    return (kim_texts){items, count};
}
#define SOME(from, most) some(from, sizeof from / sizeof *from, most)

static void statement(kim_text scope, kim_text policy, unsigned index, bool names)
{
    static const char *const actions[] = {"*", "s3:*", "s3:Get*", "s3:GetObject", "S3:PutObject", "s3:?etObject", "sts:AssumeRole", "iam:*", "*:List*", "ec2:Describe*", "nothing:Here"};
    static const char *const resources[] = {"*", "arn:aws:s3:::b/*", "arn:aws:s3:::b", "arn:aws:s3:::b/home/${aws:username}/*", "arn:aws:s3:::*/k", "arn:aws:iam::111122223333:role/*",
                                            "arn:aws:s3", "arn:aws:dynamodb:*:*:table/t"};
    static const char *const conditions[] = {"{\"Bool\":{\"aws:SecureTransport\":\"true\"}}", "{\"IpAddress\":{\"aws:SourceIp\":[\"10.0.0.0/8\"]}}", "{\"StringEquals\":{\"aws:PrincipalTag/team\":\"a\"}}",
                                             "{\"ArnLike\":{\"aws:PrincipalArn\":\"arn:aws:iam::*:role/r*\"}}", "{\"StringNotEquals\":{\"aws:username\":\"ann\"}}", "{\"StringLike\":{\"aws:userid\":\"${aws:username}*\"}}",
                                             "{\"StringEquals\":{\"aws:PrincipalOrgID\":\"o-1\"}}", "{\"Nonsense\":{\"a\":\"b\"}}"};
    static const char *const subjects[] = {"*", "AWS:111122223333", "AWS:arn:aws:iam::111122223333:role/r0", "AWS:arn:aws:iam::444455556666:user/u1", "Service:lambda.amazonaws.com",
                                           "AWS:arn:aws:iam::999988887777:root"};
    kim_statement s = {.policy = policy, .index = index, .effect = below(5) ? KIM_ALLOW : KIM_DENY};
    *(below(8) ? &s.actions : &s.not_actions) = SOME(actions, 3);
    *(below(8) ? &s.resources : &s.not_resources) = SOME(resources, 2);
    if (below(3) == 0)
        s.condition = (kim_condition){KIM_TEXT("aws"), kim_text_of(conditions[below(sizeof conditions / sizeof *conditions)])};
    if (names)
        *(below(8) ? &s.subjects : &s.not_subjects) = SOME(subjects, 2);
    if (below(40) == 0)
        s.unread = KIM_TEXT("not understood");
    add(scope, (kim_record){.type = KIM_STATEMENT, .statement = s});
}

static kim_text policy(kim_text scope, kim_text id, bool names)
{
    add(scope, (kim_record){.type = KIM_POLICY, .policy = {.id = id, .version = below(6) ? KIM_TEXT("2012-10-17") : KIM_NO_TEXT, .unread = below(30) ? KIM_NO_TEXT : KIM_TEXT("damaged")}});
    for (unsigned i = below(4); i-- > 0;)
        statement(scope, id, i, names);
    return id;
}

static void attach(kim_text scope, kim_attachment a)
{
    add(scope, (kim_record){.type = KIM_ATTACHMENT, .attachment = a});
}

static void account(unsigned a)
{
    const char *number = accounts[a];
    kim_text scope = text("aws:%s%.0u", number, 0), managed[POLICIES];
    add(scope, (kim_record){.type = KIM_SCOPE, .as_scope = {.id = scope, .kind = KIM_TEXT("account"), .parent = KIM_TEXT("aws:o-1/ou-1")}});
    if (below(4))
        add(scope, (kim_record){.type = KIM_COVERAGE, .coverage = {.part = KIM_TEXT("iam"), .status = KIM_READ}});
    for (unsigned p = 0; p < POLICIES; p++)
        managed[p] = policy(scope, text("arn:aws:iam::%s:policy/p%u", number, p), false);
    for (unsigned g = 0; g < 3; g++) {
        kim_text group = text("arn:aws:iam::%s:group/g%u", number, g);
        add(scope, (kim_record){.type = KIM_IDENTITY, .identity = {.id = group, .kind = KIM_GROUP}});
        attach(scope, (kim_attachment){.policy = managed[below(POLICIES)], .layer = KIM_TEXT("identity"), .subject = group});
        if (g && below(2)) /* groups within groups, and round again */
            add(scope, (kim_record){.type = KIM_EDGE, .edge = {.kind = KIM_MEMBER_OF, .from = group, .to = text("arn:aws:iam::%s:group/g%u", number, below(3))}});
    }
    for (unsigned i = 0; i < 8; i++) {
        kim_text who = i < 4 ? text("arn:aws:iam::%s:user/u%u", number, i) : text(i < 6 ? "arn:aws:iam::%s:role/r%u" : "arn:aws:iam::%s:role/path/r%u", number, i - 4);
        kim_pair *tag = KIM_NEW(arena, kim_pair);
        *tag = (kim_pair){KIM_TEXT("team"), below(2) ? KIM_TEXT("a") : KIM_TEXT("b")};
        add(scope, (kim_record){.type = KIM_IDENTITY, .identity = {.id = who, .kind = i < 4 ? KIM_HUMAN : KIM_ROLE, .tags = {tag, below(2)}}});
        for (unsigned p = below(4); p-- > 0;)
            attach(scope, (kim_attachment){.policy = below(25) ? managed[below(3) * 4 + p] : KIM_TEXT("missing"), .layer = KIM_TEXT("identity"), .subject = who});
        if (below(4) == 0)
            attach(scope, (kim_attachment){.policy = managed[below(POLICIES)], .layer = KIM_TEXT("boundary"), .subject = who});
        if (i < 4 && below(2))
            add(scope, (kim_record){.type = KIM_EDGE, .edge = {.kind = KIM_MEMBER_OF, .from = who, .to = text("arn:aws:iam::%s:group/g%u", number, below(3))}});
        if (i >= 4)
            attach(scope, (kim_attachment){.policy = policy(scope, kim_text_format(arena, "%.*s/trust", KIM_PRINT(who)), true), .layer = KIM_TEXT("resource"), .resource = who});
    }
}

static void make_estate(uint64_t number)
{
    kim_text scope = KIM_TEXT("aws:111122223333");
    seed = number * 7919 + 1;
    record_count = 0;
    kim_arena_reset(arena);
    static const char *const levels[] = {"aws:o-1", "aws:o-1/r-1", "aws:o-1/ou-1"}, *const kinds[] = {"organisation", "ou", "ou"};
    for (int l = 0; l < 3; l++)
        add(kim_text_of(levels[l]), (kim_record){.type = KIM_SCOPE, .as_scope = {.id = kim_text_of(levels[l]), .kind = kim_text_of(kinds[l]), .parent = l ? kim_text_of(levels[l - 1]) : KIM_NO_TEXT}});
    account(0);
    account(1);
    for (unsigned l = 1; l < 3 && below(2); l++) {
        kim_text id = policy(kim_text_of(levels[l]), text("%sscp-%u", "", l), false);
        statement(kim_text_of(levels[l]), id, 10, false);
        attach(kim_text_of(levels[l]), (kim_attachment){.policy = id, .layer = KIM_TEXT("scp"), .on_scope = kim_text_of(levels[l])});
    }
    if (below(2))
        attach(KIM_TEXT("aws:o-1"), (kim_attachment){.policy = policy(KIM_TEXT("aws:o-1"), KIM_TEXT("rcp"), true), .layer = KIM_TEXT("rcp"), .on_scope = KIM_TEXT("aws:o-1/r-1")});
    if (below(3))
        add(scope, (kim_record){.type = KIM_RESOURCE, .resource = {.id = KIM_TEXT("arn:aws:s3:::b"), .type = KIM_TEXT("s3:bucket")}});
    if (below(3))
        attach(scope, (kim_attachment){.policy = policy(scope, KIM_TEXT("arn:aws:s3:::b/policy"), true), .layer = KIM_TEXT("resource"), .resource = KIM_TEXT("arn:aws:s3:::b")});
}

static estate *build(kim_error *err)
{
    char catalogues[4096];
    snprintf(catalogues, sizeof catalogues, "%s/catalogue", getenv("KIM_DATA_DIR") ? getenv("KIM_DATA_DIR") : "etc");
    estate_builder *builder = estate_builder_new(catalogues, err);
    for (size_t i = 0; builder && i < record_count; i++)
        if (estate_builder_add(builder, &records[i], err) < 0) {
            estate_builder_free(builder);
            return NULL;
        }
    return builder ? estate_build(builder, err) : NULL;
}

static estate *built(void)
{
    kim_error err = {0};
    estate *es = build(&err);
    if (es == NULL)
        fail_msg("%s", err.message);
    return es;
}

/* ---- what is asked ---- */

static const char *const asked[][2] = {
    {"s3:GetObject", "arn:aws:s3:::b/k"}, {"s3:PutObject", "arn:aws:s3:::b/home/u1/x"}, {"s3:ListBucket", "arn:aws:s3:::b"}, {"s3:GetObject", "arn:aws:s3:::c/*"},
    {"sts:AssumeRole", "arn:aws:iam::111122223333:role/r0"}, {"iam:GetRole", "*"}, {"ec2:DescribeInstances", "*"}, {"s3:GetObject", "*"},
};
enum { ASKED = sizeof asked / sizeof *asked };

static question question_of(unsigned i, bool discover)
{
    static const kim_text address = {"10.1.2.3", 8};
    static const context_entry context[] = {{{"AWS:sourceip", 12}, {&address, 1}, NULL}};
    return (question){.provider = KIM_TEXT("aws"), .action = kim_text_of(asked[i][0]), .resource = kim_text_of(asked[i][1]), .discover = discover, .derive = true,
                      .context = context, .context_count = i % 2};
}

static const char *said(const answer *a)
{
    kim_error err = {0};
    size_t size;
    kim_json_writer *writer = kim_json_writer_new(false);
    kim_json_begin_object(writer);
    answer_write(a, writer);
    kim_json_end_object(writer);
    const char *bytes = kim_json_writer_bytes(writer, &size, &err);
    kim_text copy = kim_text_copy(arena, (kim_text){bytes, size});
    kim_json_writer_free(writer);
    return copy.bytes;
}

typedef struct row {
    kim_text who;
    const char *answer;
} row;

typedef struct rows {
    row items[WHO_MAX];
    size_t count;
} rows;

static int keep_row(void *context, kim_text who, const answer *a)
{
    rows *all = context;
    assert_true(all->count < WHO_MAX);
    all->items[all->count++] = (row){kim_text_copy(arena, who), said(a)};
    return 0;
}

static rows who_can(evaluator *ev, const question *q)
{
    kim_error err = {0};
    rows all = {.count = 0};
    if (evaluate_who_can(ev, q, keep_row, &all, &err) < 0)
        fail_msg("%s", err.message);
    return all;
}

static const char *can(evaluator *ev, const question *q, kim_text who, verdict *v)
{
    kim_error err = {0};
    question one = *q;
    answer a;
    one.identity = who;
    if (evaluate_can(ev, &one, &a, &err) < 0)
        fail_msg("%s", err.message);
    *v = a.verdict;
    return said(&a);
}

static bool is_asker(const kim_record *r)
{
    return r->identity.kind != KIM_GROUP;
}

/* ---- what holds ---- */

static void assert_who_can_is_can(estate *es, const question *q)
{
    kim_error err = {0};
    size_t count, at = 0;
    verdict v;
    evaluator *many = evaluator_new(es, &err), *single = evaluator_new(es, &err);
    const kim_record *items = estate_records(es, KIM_IDENTITY, &count);
    rows all = who_can(many, q);
    for (size_t i = 0; i < count; i++) {
        const char *alone = is_asker(&items[i]) ? can(single, q, items[i].identity.id, &v) : NULL;
        if (alone == NULL || v == DENIED)
            continue;
        while (at < all.count && kim_text_compare(all.items[at].who, items[i].identity.id) < 0)
            at++; /* outsiders stand between */
        if (at == all.count || !kim_text_equal(all.items[at].who, items[i].identity.id))
            fail_msg("who-can leaves out %.*s: %s", KIM_PRINT(items[i].identity.id), alone);
        assert_string_equal(all.items[at].answer, alone);
        at++;
    }
    for (size_t i = 0; i < all.count; i++)
        if (estate_find(es, KIM_IDENTITY, all.items[i].who)) {
            can(single, q, all.items[i].who, &v);
            assert_int_not_equal(v, DENIED);
        }
    evaluator_free(many);
    evaluator_free(single);
}

static void who_can_names_those_of_whom_can_says_so(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < ESTATES; n++) {
        make_estate(n);
        estate *es = built();
        for (unsigned i = 0; i < ASKED; i++)
            for (int discover = 0; discover < 2; discover++) {
                const question q = question_of(i, discover != 0);
                assert_who_can_is_can(es, &q);
            }
        estate_release(es);
    }
}

static void the_order_of_records_never_matters(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < ESTATES / 2; n++) {
        kim_error err = {0};
        make_estate(n);
        estate *es = built();
        for (size_t i = record_count; i > 1; i--) {
            size_t other = below((unsigned)i);
            kim_record kept = records[i - 1];
            records[i - 1] = records[other];
            records[other] = kept;
        }
        estate *shuffled = built();
        evaluator *one = evaluator_new(es, &err), *two = evaluator_new(shuffled, &err);
        for (unsigned i = 0; i < ASKED; i++) {
            const question q = question_of(i, true);
            rows first = who_can(one, &q), second = who_can(two, &q);
            assert_int_equal(first.count, second.count);
            for (size_t k = 0; k < first.count; k++) {
                assert_true(kim_text_equal(first.items[k].who, second.items[k].who));
                assert_string_equal(first.items[k].answer, second.items[k].answer);
            }
        }
        evaluator_free(one);
        evaluator_free(two);
        estate_release(es);
        estate_release(shuffled);
    }
}

/* ---- action sets, beside each statement for itself ---- */

typedef struct naive {
    const catalogue *cat;
    bool allowed, freely, denied;
} naive;

static bool covers(const catalogue *cat, const kim_statement *s, int32_t action)
{
    kim_texts from = s->actions.items ? s->actions : s->not_actions;
    uint64_t *bits = calloc(catalogue_words(cat), sizeof *bits);
    for (size_t i = 0; i < from.count; i++)
        catalogue_match(cat, from.items[i], bits);
    bool named = bits[action / 64] >> (action % 64) & 1;
    free(bits);
    return s->actions.items ? named : s->not_actions.items == NULL || !named;
}

static bool is_everywhere(const kim_statement *s)
{
    for (size_t i = 0; i < s->resources.count; i++)
        if (kim_text_is(s->resources.items[i], "*"))
            return true;
    return s->resources.items == NULL && s->not_resources.items == NULL;
}

static int see(void *user, const own_statement *own)
{
    naive *n = ((void **)user)[0];
    const int32_t *action = ((void **)user)[1];
    const kim_statement *s = own->statement;
    if (!covers(n->cat, s, *action))
        return 0;
    if (s->effect == KIM_DENY) {
        n->denied |= !own->conditional && is_everywhere(s);
    } else {
        n->allowed = true;
        n->freely |= !own->conditional;
    }
    return 0;
}

static void assert_granted_naively(evaluator *ev, estate *es, kim_text who, const uint64_t *granted, const uint64_t *conditional)
{
    static const char *const names[] = {"s3:GetObject", "s3:PutObject", "s3:ListBucket", "sts:AssumeRole", "iam:GetRole", "ec2:DescribeInstances", "iam:ListUsers", "zocalo:GetDocumentVersion"};
    const catalogue *cat = evaluator_catalogue(ev);
    (void)es;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int32_t action = catalogue_action(cat, kim_text_of(names[i]));
        naive n = {.cat = cat};
        void *both[] = {&n, &action};
        if (action < 0)
            continue;
        assert_int_equal(evaluate_own(ev, who, see, both), 0);
        assert_int_equal(granted[action / 64] >> (action % 64) & 1, n.allowed && !n.denied);
        assert_int_equal(conditional[action / 64] >> (action % 64) & 1, n.allowed && !n.denied && !n.freely);
    }
}

static bool is_bound(kim_text who)
{
    for (size_t i = 0; i < record_count; i++)
        if (records[i].type == KIM_ATTACHMENT && (kim_text_is(records[i].attachment.layer, "scp") ||
            (kim_text_is(records[i].attachment.layer, "boundary") && kim_text_equal(records[i].attachment.subject, who))))
            return true;
    return false;
}

typedef struct together {
    evaluator *ev; /* another one, asked one by one */
    estate *es;
    size_t count, words;
} together;

static int same_alone(void *user, kim_text who, const granted_set *what)
{
    together *t = user;
    kim_error err = {0};
    uint64_t *alone = calloc(2 * t->words, sizeof *alone);
    assert_int_equal(evaluate_granted(t->ev, who, alone, alone + t->words, &err), 0);
    assert_memory_equal(alone, what->granted, t->words * sizeof *alone);
    assert_memory_equal(alone + t->words, what->conditional, t->words * sizeof *alone);
    if (!is_bound(who))
        assert_granted_naively(t->ev, t->es, who, alone, alone + t->words);
    free(alone);
    t->count++;
    return 0;
}

static void action_sets_are_what_the_statements_say_whoever_asks_for_how_many(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < ESTATES / 2; n++) {
        kim_error err = {0};
        make_estate(n);
        estate *es = built();
        evaluator *ev = evaluator_new(es, &err);
        together t = {.ev = evaluator_new(es, &err), .es = es, .words = catalogue_words(evaluator_catalogue(ev))};
        size_t parts = 1 + n % 3, expected = 0, total;
        for (size_t p = 0; p < parts; p++)
            assert_int_equal(evaluate_granted_all(ev, p, parts, same_alone, &t, &err), 0);
        const kim_record *items = estate_records(es, KIM_IDENTITY, &total);
        for (size_t i = 0; i < total; i++)
            expected += is_asker(&items[i]);
        assert_int_equal(t.count, expected);
        evaluator_free(t.ev);
        evaluator_free(ev);
        estate_release(es);
    }
}

/* ---- an older estate, and what changed ---- */

enum { STEPS = 8 };

/* A broker beside the cloud: what changes of the one leaves the other as it is. */
static void add_broker(void)
{
    static const kim_text who = {"group:cell", 10}, action = {"publish", 7}, topic = {"plant/+/cmd", 11};
    kim_text plant = KIM_TEXT("ot:plant");
    add(plant, (kim_record){.type = KIM_SCOPE, .as_scope = {.id = plant, .kind = KIM_TEXT("plant")}});
    add(plant, (kim_record){.type = KIM_PROFILE, .profile = {.id = KIM_TEXT("broker"), .combining = KIM_TEXT("deny-overrides"), .default_effect = KIM_DENY, .wildcard = KIM_TEXT("mqtt")}});
    add(plant, (kim_record){.type = KIM_POLICY, .policy = {.id = KIM_TEXT("acl")}});
    add(plant, (kim_record){.type = KIM_STATEMENT, .statement = {.policy = KIM_TEXT("acl"), .effect = KIM_ALLOW, .actions = {&action, 1}, .resources = {&topic, 1}, .subjects = {&who, 1}}});
    add(plant, (kim_record){.type = KIM_ATTACHMENT, .attachment = {.policy = KIM_TEXT("acl"), .layer = KIM_TEXT("statements")}});
    for (unsigned i = 0; i < 4; i++) {
        kim_text robot = text("robot-%s%u", "", i);
        add(plant, (kim_record){.type = KIM_IDENTITY, .identity = {.id = robot, .kind = KIM_DEVICE}});
        if (i % 2)
            add(plant, (kim_record){.type = KIM_EDGE, .edge = {.kind = KIM_MEMBER_OF, .from = robot, .to = who}});
    }
}

static bool same_key(const kim_record *a, const kim_record *b)
{
    uint8_t one[KIM_RECORD_KEY_BYTES], other[KIM_RECORD_KEY_BYTES];
    kim_record_key(a, one);
    kim_record_key(b, other);
    return a->type == b->type && memcmp(one, other, sizeof one) == 0;
}

/* Changes a record, ends it, or says it once more, as another source might. */
static kim_record change_something(void)
{
    static const char *const actions[] = {"s3:*", "s3:Put*", "sts:*", "ec2:*", "*"};
    static const char *const conditions[] = {"{\"Bool\":{\"aws:SecureTransport\":\"false\"}}", "{\"StringEquals\":{\"AWS:username\":\"u1\"}}", "{\"NumericLessThan\":{\"s3:max-keys\":\"9\"}}",
                                             "{\"Broken\":{\"x\":\"y\"}}"};
    size_t at = below((unsigned)record_count);
    while (below(3) && records[at].type != KIM_STATEMENT)
        at = below((unsigned)record_count);
    kim_record before = records[at];
    switch (below(5)) {
    case 0:
        records[at] = records[--record_count];
        break;
    case 1:
        if (record_count < RECORDS_MAX)
            records[record_count++] = before;
        break;
    default:
        if (before.type == KIM_STATEMENT) {
            records[at].statement.effect = below(4) ? KIM_ALLOW : KIM_DENY;
            records[at].statement.actions = SOME(actions, 2);
            records[at].statement.not_actions = (kim_texts){NULL, 0};
            records[at].statement.condition = below(2) ? (kim_condition){KIM_TEXT("aws"), kim_text_of(conditions[below(4)])} : (kim_condition){KIM_NO_TEXT, KIM_NO_TEXT};
        } else if (before.type == KIM_ATTACHMENT) {
            records[at].attachment.eligible = !before.attachment.eligible;
        } else if (before.type == KIM_POLICY) {
            records[at].policy.version = before.policy.version.size ? KIM_NO_TEXT : KIM_TEXT("2012-10-17");
        } else if (before.type == KIM_IDENTITY) {
            records[at].identity.name = text("name-%s%u", "", below(100));
        }
    }
    return before;
}

/* All that is stated of a key goes in; a key that nobody states any more is dropped. */
static void tell(estate_builder *builder, const kim_record *changed)
{
    kim_error err = {0};
    bool is_stated = false;
    for (size_t i = 0; i < record_count; i++)
        if (same_key(&records[i], changed)) {
            is_stated = true;
            assert_int_equal(estate_builder_add(builder, &records[i], &err), 0);
        }
    if (!is_stated)
        assert_int_equal(estate_builder_drop(builder, changed, &err), 0);
}

static void assert_same_records(estate *one, estate *other)
{
    kim_error err = {0};
    for (int type = 1; type < KIM_RECORD_TYPES; type++) {
        size_t count, other_count;
        const kim_record *items = estate_records(one, (kim_record_type)type, &count), *others = estate_records(other, (kim_record_type)type, &other_count);
        assert_int_equal(count, other_count);
        for (size_t i = 0; i < count; i++) {
            kim_bytes a = {0}, b = {0};
            assert_int_equal(kim_record_encode(&items[i], &a, &err), 0);
            assert_int_equal(kim_record_encode(&others[i], &b, &err), 0);
            assert_int_equal(a.size, b.size);
            assert_memory_equal(a.data, b.data, a.size);
            kim_bytes_free(&a);
            kim_bytes_free(&b);
        }
    }
}

static int add_up(void *user, kim_text who, const granted_set *what)
{
    uint64_t *sum = user;
    for (size_t i = 0; i < 300; i++)
        *sum = (*sum ^ what->granted[i] ^ what->conditional[i] << 1) * UINT64_C(0x9E3779B97F4A7C15) + who.size;
    return 0;
}

/* who: of each identity for itself, since results are dealt out in no order. */
static uint64_t sets_of(evaluator *ev, estate *es)
{
    kim_error err = {0};
    size_t count, words = catalogue_words(evaluator_catalogue(ev));
    uint64_t sum = 0, *bits = calloc(2 * words + 600, sizeof *bits);
    const kim_record *items = estate_records(es, KIM_IDENTITY, &count);
    for (size_t i = 0; i < count; i++)
        if (kim_text_starts_with(items[i].scope, KIM_TEXT("aws:")) && evaluate_granted(ev, items[i].identity.id, bits, bits + words, &err) == 0) {
            const granted_set what = {bits, bits + words, true};
            add_up(&sum, items[i].identity.id, &what);
        }
    free(bits);
    return sum;
}

static void assert_same_answers(estate *one, estate *other)
{
    kim_error err = {0};
    evaluator *a = evaluator_new(one, &err), *b = evaluator_new(other, &err);
    for (unsigned i = 0; i <= ASKED; i++) {
        question q = i < ASKED ? question_of(i, i % 3 != 0)
                               : (question){.provider = KIM_TEXT("broker"), .action = KIM_TEXT("publish"), .resource = KIM_TEXT("plant/4/cmd"), .discover = true};
        if (i == ASKED && estate_find(one, KIM_PROFILE, KIM_TEXT("broker")) == NULL)
            continue;
        rows first = who_can(a, &q), second = who_can(b, &q);
        assert_int_equal(first.count, second.count);
        for (size_t k = 0; k < first.count; k++) {
            assert_true(kim_text_equal(first.items[k].who, second.items[k].who));
            assert_string_equal(first.items[k].answer, second.items[k].answer);
        }
    }
    assert_true(sets_of(a, one) == sets_of(b, other));
    evaluator_free(a);
    evaluator_free(b);
}

static void an_estate_from_an_older_one_is_the_one_built_anew(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < ESTATES; n++) {
        kim_error err = {0};
        make_estate(n);
        add_broker();
        estate *es = built();
        for (int step = 0; step < STEPS; step++) {
            estate_builder *builder = estate_builder_from(es, &err);
            assert_non_null(builder);
            kim_record before[3];
            size_t changes = 1 + below(3);
            for (size_t k = 0; k < changes; k++)
                before[k] = change_something();
            for (size_t k = 0; k < changes; k++)
                if (k == 0 || (!same_key(&before[k], &before[0]) && (k == 1 || !same_key(&before[k], &before[1]))))
                    tell(builder, &before[k]);
            estate *newer = estate_build(builder, &err), *anew = built();
            assert_non_null(newer);
            evaluate_carry(newer);
            assert_same_records(newer, anew);
            assert_same_answers(newer, anew);
            estate_release(es);
            estate_release(anew);
            es = newer;
        }
        estate_release(es);
    }
}

/* Who is told of, and that the others' sets are as before. */
typedef struct told {
    kim_text names[WHO_MAX];
    size_t count;
} told;

static int note_told(void *user, kim_text who, const granted_set *what)
{
    told *t = user;
    (void)what;
    assert_true(t->count < WHO_MAX);
    t->names[t->count++] = who;
    return 0;
}

static void those_of_whom_a_change_tells_nothing_have_what_they_had(void **state)
{
    size_t spared = 0;
    (void)state;
    for (uint64_t n = 0; n < ESTATES; n++) {
        kim_error err = {0};
        size_t count, changed = 0;
        make_estate(n);
        while (records[changed].type != KIM_STATEMENT || below(4))
            changed = (changed + 1) % record_count;
        estate *es = built();
        evaluator *then = evaluator_new(es, &err);
        size_t words = catalogue_words(evaluator_catalogue(then));
        uint64_t *bits = calloc(4 * words, sizeof *bits);
        assert_int_equal(evaluate_granted(then, KIM_TEXT("arn:aws:iam::111122223333:user/u0"), bits, bits + words, &err), 0);
        records[changed].statement.effect = records[changed].statement.effect == KIM_ALLOW ? KIM_DENY : KIM_ALLOW;
        estate_builder *builder = estate_builder_from(es, &err);
        tell(builder, &records[changed]);
        estate *newer = estate_build(builder, &err);
        evaluate_carry(newer);
        evaluator *now = evaluator_new(newer, &err);
        told t = {.count = 0};
        assert_int_equal(evaluate_granted_changed(now, note_told, &t, &err), 0);
        const kim_record *items = estate_records(newer, KIM_IDENTITY, &count);
        for (size_t i = 0; i < count; i++) {
            bool is_told = !is_asker(&items[i]);
            for (size_t k = 0; k < t.count; k++)
                is_told |= kim_text_equal(t.names[k], items[i].identity.id);
            if (is_told)
                continue;
            assert_int_equal(evaluate_granted(then, items[i].identity.id, bits, bits + words, &err), 0);
            assert_int_equal(evaluate_granted(now, items[i].identity.id, bits + 2 * words, bits + 3 * words, &err), 0);
            assert_memory_equal(bits, bits + 2 * words, 2 * words * sizeof *bits);
            spared++;
        }
        free(bits);
        evaluator_free(then);
        evaluator_free(now);
        estate_release(es);
        estate_release(newer);
    }
    assert_true(spared > ESTATES); /* a change of one document is not told of everybody */
}

static void what_nothing_changed_of_is_the_older_estates_own(void **state)
{
    kim_error err = {0};
    size_t count, same;
    (void)state;
    make_estate(1);
    estate *es = built();
    kim_record before = records[0];
    for (size_t i = 0; i < record_count; i++)
        before = records[i].type == KIM_STATEMENT ? records[i] : before;
    estate_builder *builder = estate_builder_from(es, &err);
    before.statement.effect = KIM_DENY;
    assert_int_equal(estate_builder_add(builder, &before, &err), 0);
    estate *newer = estate_build(builder, &err);
    assert_ptr_equal(estate_records(es, KIM_ATTACHMENT, &count), estate_records(newer, KIM_ATTACHMENT, &same));
    assert_int_equal(count, same);
    assert_ptr_not_equal(estate_records(es, KIM_STATEMENT, &count), estate_records(newer, KIM_STATEMENT, &same));
    assert_ptr_equal(estate_before(newer), es);
    estate_changed(newer, KIM_STATEMENT, &count);
    assert_int_equal(count, 1);
    estate_release(es);
    estate_release(newer);
}

static void each_of_two_estates_outlives_the_other(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        kim_error err = {0};
        make_estate(2);
        estate *es = built();
        estate_builder *builder = estate_builder_from(es, &err);
        for (size_t i = 0; i < record_count; i++)
            if (records[i].type == KIM_STATEMENT || records[i].type == KIM_IDENTITY) {
                kim_record r = records[i];
                if (r.type == KIM_IDENTITY)
                    r.identity.name = KIM_TEXT("new");
                assert_int_equal(estate_builder_add(builder, &r, &err), 0);
            }
        estate *newer = estate_build(builder, &err), *last = first ? newer : es;
        estate_release(first ? es : newer);
        evaluator *ev = evaluator_new(last, &err);
        const question q = question_of(0, true);
        rows all = who_can(ev, &q);
        assert_true(all.count > 0);
        evaluator_free(ev);
        estate_release(last);
    }
}

/* ---- memory ---- */

static int count_set(void *user, kim_text who, const granted_set *what)
{
    (void)who, (void)what;
    ++*(size_t *)user;
    return 0;
}

static int count_answer(void *user, kim_text who, const answer *a)
{
    (void)who, (void)a;
    ++*(size_t *)user;
    return 0;
}

/* All that is asked of an estate, told in numbers. */
typedef struct outcome {
    bool is_whole;
    verdict verdict;
    size_t statements, askers, sets;
} outcome;

static outcome ask_all(kim_error *err)
{
    answer a = {.verdict = DENIED};
    outcome out = {.is_whole = false};
    question q = question_of(0, true);
    q.identity = KIM_TEXT("arn:aws:iam::111122223333:user/u1");
    estate *es = build(err);
    evaluator *ev = es ? evaluator_new(es, err) : NULL;
    if (ev && evaluate_can(ev, &q, &a, err) == 0) {
        out.verdict = a.verdict;
        out.statements = a.because_count;
        out.is_whole = evaluate_who_can(ev, &q, count_answer, &out.askers, err) == 0 && evaluate_granted_all(ev, 0, 1, count_set, &out.sets, err) == 0;
    }
    evaluator_free(ev);
    estate_release(es);
    return out;
}

static void memory_that_runs_out_is_an_error_and_no_answer(void **state)
{
    kim_error err = {0};
    (void)state;
    make_estate(3);
    outcome expected = ask_all(&err); /* the catalogue is read here, once for the process */
    assert_true(expected.is_whole);
    for (size_t n = 1; n == 1 || fail_malloc_stop(); n++) {
        err = (kim_error){0};
        fail_malloc_start(n);
        outcome now = ask_all(&err);
        if (!now.is_whole) {
            assert_int_equal(err.code, KIM_ERR_NOMEM);
            continue;
        }
        assert_int_equal(now.verdict, expected.verdict);
        assert_int_equal(now.statements, expected.statements);
        assert_int_equal(now.askers, expected.askers);
        assert_int_equal(now.sets, expected.sets);
    }
}

static int start(void **state)
{
    (void)state;
    arena = kim_arena_new(SIZE_MAX);
    return arena ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    kim_arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_can_names_those_of_whom_can_says_so),
        cmocka_unit_test(the_order_of_records_never_matters),
        cmocka_unit_test(action_sets_are_what_the_statements_say_whoever_asks_for_how_many),
        cmocka_unit_test(an_estate_from_an_older_one_is_the_one_built_anew),
        cmocka_unit_test(those_of_whom_a_change_tells_nothing_have_what_they_had),
        cmocka_unit_test(what_nothing_changed_of_is_the_older_estates_own),
        cmocka_unit_test(each_of_two_estates_outlives_the_other),
        cmocka_unit_test(memory_that_runs_out_is_an_error_and_no_answer),
    };
    return cmocka_run_group_tests(tests, start, end);
}
