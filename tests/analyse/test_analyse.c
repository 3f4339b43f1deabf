/* SPDX-License-Identifier: Apache-2.0
 *
 * test_analyse.c - what is granted and not used is counted, named and taken away, and nothing else is.
 *
 * Each test writes an estate of a few records: statements of ann's own and of her group, what the log
 * covers, what she did. A proposal is not only believed: each of its elements is really taken out, and
 * some use must then fail.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>

#include "controller/analyse/analyse.h"
#include "controller/evaluate/evaluate.h"

#define SCOPE KIM_TEXT("aws:111122223333")
#define ANN KIM_TEXT("arn:aws:iam::111122223333:user/ann")
#define DEVELOPERS KIM_TEXT("arn:aws:iam::111122223333:group/developers")
#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

enum { RECORDS_MAX = 96, USES_MAX = 64 };

static const window QUARTER = {.from_unix_ms = 19900 * DAY_MS, .to_unix_ms = 19990 * DAY_MS};

typedef struct fixture {
    kim_arena *arena;
    char catalogues[4096];
    kim_record records[RECORDS_MAX];
    size_t count;
    used uses[USES_MAX];
    size_t use_count;
    estate *es;
    analyst *a;
    kim_error err;
} fixture;

/* ---- an estate in a few words ---- */

static kim_record *add(fixture *f, kim_record_type type)
{
    assert_true(f->count < RECORDS_MAX);
    f->records[f->count] = (kim_record){.type = type, .scope = SCOPE};
    return &f->records[f->count++];
}

static void add_identity(fixture *f, kim_text id, int32_t kind)
{
    add(f, KIM_IDENTITY)->identity = (kim_identity){.id = id, .kind = kind, .name = id};
}

static void add_log(fixture *f)
{
    add(f, KIM_COVERAGE)->coverage = (kim_coverage){.part = KIM_TEXT("log:management"), .status = KIM_READ,
                                                    .from_unix_ms = QUARTER.from_unix_ms, .to_unix_ms = QUARTER.to_unix_ms};
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    const char *data = getenv("KIM_DATA_DIR");
    f->arena = kim_arena_new(SIZE_MAX);
    snprintf(f->catalogues, sizeof f->catalogues, "%s/catalogue", data ? data : "etc");
    add_identity(f, ANN, KIM_HUMAN); /* records[0] */
    add(f, KIM_SCOPE)->as_scope = (kim_scope){.id = SCOPE, .kind = KIM_TEXT("account")};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    analyst_free(f->a);
    estate_release(f->es);
    kim_arena_free(f->arena);
    free(f);
    return 0;
}

/* "s3:GetObject s3:PutObject" as two; NULL: absent. */
static kim_texts words(fixture *f, const char *joined)
{
    kim_text items[64];
    size_t count = 0;
    if (joined == NULL)
        return (kim_texts){NULL, 0};
    for (const char *at = joined; *at; at += strspn(at, " ")) {
        size_t size = strcspn(at, " ");
        items[count++] = kim_text_copy(f->arena, (kim_text){at, size});
        at += size;
    }
    kim_text *copies = KIM_NEW_ARRAY(f->arena, kim_text, count + 1);
    memcpy(copies, items, count * sizeof *copies);
    return (kim_texts){copies, count};
}

typedef struct line {
    bool denies;
    const char *actions, *not_actions, *resources, *not_resources, *condition;
} line;

/* A policy of one statement, attached. */
static void add_policy(fixture *f, kim_text holder, const char *layer, line l)
{
    kim_text id = kim_text_format(f->arena, "policy-%zu", f->count);
    add(f, KIM_POLICY)->policy = (kim_policy){.id = id, .version = KIM_TEXT("2012-10-17"), .kind = KIM_TEXT("inline")};
    kim_statement *s = &add(f, KIM_STATEMENT)->statement;
    *s = (kim_statement){.policy = id, .effect = l.denies ? KIM_DENY : KIM_ALLOW, .actions = words(f, l.actions),
                         .not_actions = words(f, l.not_actions), .resources = words(f, l.resources),
                         .not_resources = words(f, l.not_resources)};
    if (l.condition)
        s->condition = (kim_condition){KIM_TEXT("aws"), kim_text_of(l.condition)};
    add(f, KIM_ATTACHMENT)->attachment = (kim_attachment){.policy = id, .layer = kim_text_of(layer), .subject = holder};
}

static void may(fixture *f, const char *actions, const char *resources)
{
    add_policy(f, ANN, "identity", (line){.actions = actions, .resources = resources});
}

static void may_if(fixture *f, const char *actions, const char *resources, const char *condition)
{
    add_policy(f, ANN, "identity", (line){.actions = actions, .resources = resources, .condition = condition});
}

static void did(fixture *f, const char *action, const char *resource)
{
    assert_true(f->use_count < USES_MAX);
    f->uses[f->use_count++] = (used){.action = kim_text_of(action), .resource = kim_text_of(resource),
                                     .widened = resource && resource[strlen(resource) - 1] == '*',
                                     .count = 1, .last_unix_ms = QUARTER.to_unix_ms - DAY_MS};
}

/* Does the record stand apart from what a proposal takes the place of? */
static bool is_apart(const kim_record *r)
{
    return r->type == KIM_ATTACHMENT ? !kim_text_is(r->attachment.layer, "identity") : r->type != KIM_EDGE;
}

/* whole: as it is; else with these statements as ann's own. A closed one has no more to it than is said. */
static estate *build(fixture *f, bool whole, bool closed, const proposed_statement *instead, size_t count)
{
    estate_builder *b = estate_builder_new(f->catalogues, &f->err);
    if (b == NULL)
        fail_msg("%s", f->err.message);
    for (size_t i = 0; i < f->count; i++)
        if ((whole || is_apart(&f->records[i])) && !(closed && f->records[i].type == KIM_COVERAGE))
            assert_int_equal(estate_builder_add(b, &f->records[i], &f->err), 0);
    kim_record r = {.type = KIM_POLICY, .scope = SCOPE};
    r.policy = (kim_policy){.id = KIM_TEXT("proposed"), .version = KIM_TEXT("2012-10-17"), .kind = KIM_TEXT("inline")};
    if (count)
        assert_int_equal(estate_builder_add(b, &r, &f->err), 0);
    for (size_t i = 0; i < count; i++) {
        r = (kim_record){.type = KIM_STATEMENT, .scope = SCOPE};
        r.statement = (kim_statement){.policy = KIM_TEXT("proposed"), .index = (int64_t)i, .effect = instead[i].denies ? KIM_DENY : KIM_ALLOW,
                                      .actions = instead[i].actions, .not_actions = instead[i].not_actions,
                                      .resources = instead[i].resources, .not_resources = instead[i].not_resources};
        if (instead[i].condition.size)
            r.statement.condition = (kim_condition){KIM_TEXT("aws"), instead[i].condition};
        assert_int_equal(estate_builder_add(b, &r, &f->err), 0);
    }
    r = (kim_record){.type = KIM_ATTACHMENT, .scope = SCOPE};
    r.attachment = (kim_attachment){.policy = KIM_TEXT("proposed"), .layer = KIM_TEXT("identity"), .subject = ANN};
    if (count)
        assert_int_equal(estate_builder_add(b, &r, &f->err), 0);
    if (closed)
        estate_builder_set_complete(b);
    estate *es = estate_build(b, &f->err);
    if (es == NULL)
        fail_msg("%s", f->err.message);
    return es;
}

static analyst *analyse(fixture *f)
{
    f->es = build(f, true, false, NULL, 0);
    f->a = analyst_new(f->es, QUARTER, &f->err);
    if (f->a == NULL)
        fail_msg("%s", f->err.message);
    return f->a;
}

/* ---- gaps ---- */

static gap gap_of(fixture *f)
{
    gap g;
    if (analyst_gap(analyse(f), ANN, f->uses, f->use_count, &g, &f->err) < 0)
        fail_msg("%s", f->err.message);
    return g;
}

static void a_gap_is_what_is_granted_and_was_not_used(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "s3:GetObject s3:PutObject s3:ListBucket iam:PutUserPolicy", "*");
    did(f, "s3:GetObject", "arn:aws:s3:::b/k");
    did(f, "s3:GetObject", "arn:aws:s3:::b/l");
    gap g = gap_of(f);
    assert_int_equal(g.granted, 4);
    assert_int_equal(g.used, 1);
    assert_int_equal(g.unused, 3);
    assert_int_equal(g.conditional, 0);
    assert_int_equal(g.unseen, 0);
    const size_t by_level[ACTION_LEVELS] = {1, 0, 1, 0, 1}; /* ListBucket, PutObject, PutUserPolicy */
    assert_memory_equal(g.unused_by_level, by_level, sizeof by_level);
    assert_int_equal(g.last_used_unix_ms, QUARTER.to_unix_ms - DAY_MS);
}

static void what_was_used_without_a_grant_of_today_is_no_part_of_a_gap(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "s3:GetObject", "*");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    did(f, "no:SuchAction", NULL);
    gap g = gap_of(f);
    assert_int_equal(g.granted, 1);
    assert_int_equal(g.used, 0);
    assert_int_equal(g.unused, 1);
}

static void what_every_grant_ties_to_a_condition_counts_as_conditional(void **state)
{
    fixture *f = *state;
    add_log(f);
    may_if(f, "s3:GetObject s3:PutObject", "*", "{\"Bool\":{\"aws:MultiFactorAuthPresent\":\"true\"}}");
    may(f, "s3:PutObject", "arn:aws:s3:::b/*");
    gap g = gap_of(f);
    assert_int_equal(g.granted, 2);
    assert_int_equal(g.conditional, 1);
}

static void what_the_log_cannot_show_may_have_been_used(void **state)
{
    fixture *f = *state;
    add_log(f);
    add(f, KIM_COVERAGE)->coverage = (kim_coverage){.part = KIM_TEXT("log:data:s3"), .status = KIM_UNREADABLE,
                                                    .actions = words(f, "s3:GetObject s3:PutObject")};
    may(f, "s3:GetObject s3:PutObject s3:ListBucket iam:PassRole", "*");
    did(f, "s3:GetObject", NULL);
    gap g = gap_of(f);
    assert_int_equal(g.unused, 3);
    assert_int_equal(g.unseen, 2); /* s3:PutObject, iam:PassRole */
}

static void without_a_log_everything_may_have_been_used(void **state)
{
    fixture *f = *state;
    may(f, "s3:*", "*");
    gap g = gap_of(f);
    assert_true(g.unused > 100);
    assert_int_equal(g.unseen, g.unused);
}

static void a_log_of_another_account_shows_nothing_here(void **state)
{
    fixture *f = *state;
    add_log(f);
    f->records[f->count - 1].scope = KIM_TEXT("aws:444455556666");
    may(f, "s3:GetObject", "*");
    gap g = gap_of(f);
    assert_int_equal(g.unseen, 1);
}

static void a_boundary_and_a_deny_of_all_narrow_what_is_granted(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "s3:GetObject s3:PutObject sqs:SendMessage", "*");
    add_policy(f, ANN, "boundary", (line){.actions = "s3:*", .resources = "*"});
    add_policy(f, ANN, "identity", (line){.denies = true, .actions = "s3:PutObject", .resources = "*"});
    assert_int_equal(gap_of(f).granted, 1);
}

static void the_gap_of_somebody_unknown_is_an_error(void **state)
{
    fixture *f = *state;
    gap g = {.granted = 7};
    assert_int_equal(analyst_gap(analyse(f), KIM_TEXT("nobody"), NULL, 0, &g, &f->err), -1);
    assert_int_equal(f->err.code, KIM_ERR_NOT_FOUND);
    assert_int_equal(g.granted, 7);
}

/* ---- findings ---- */

typedef struct heard {
    char text[2048]; /* "severity kind id: detail" lines */
} heard;

static int hear(void *user, const finding *found)
{
    heard *h = user;
    size_t size = strlen(h->text);
    snprintf(h->text + size, sizeof h->text - size, "%s %s %.*s: %.*s\n", found->severity, found->kind, KIM_PRINT(found->identity),
             KIM_PRINT(found->detail));
    return 0;
}

static heard findings_of(fixture *f, bool ann_was_seen)
{
    heard h = {""};
    const kim_text seen[] = {ANN};
    if (analyst_findings(analyse(f), seen, ann_was_seen, hear, &h, &f->err) < 0)
        fail_msg("%s", f->err.message);
    return h;
}

static void somebody_who_may_do_nearly_everything_is_an_administrator(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "*", "*");
    heard h = findings_of(f, true);
    assert_says(h.text, "high administrator arn:aws:iam::111122223333:user/ann: may do ");
    assert_null(strstr(h.text, "wildcard_grant")); /* said once, by its gravest name */
}

static void an_administrator_whose_boundary_leaves_little_is_none(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "*", "*");
    add_policy(f, ANN, "boundary", (line){.actions = "s3:GetObject", .resources = "*"});
    heard h = findings_of(f, true);
    assert_null(strstr(h.text, "administrator"));
}

static void somebody_who_may_grant_herself_the_rest_can_become_one(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "iam:AttachUserPolicy", "*");
    heard h = findings_of(f, true);
    assert_string_equal(h.text, "high can_become_administrator arn:aws:iam::111122223333:user/ann: iam:AttachUserPolicy on every resource\n");
}

static void an_organisation_that_was_not_read_hides_no_administrator_and_makes_none(void **state)
{
    fixture *f = *state;
    add_log(f);
    add(f, KIM_COVERAGE)->coverage = (kim_coverage){.part = KIM_TEXT("organizations"), .status = KIM_UNREADABLE};
    may(f, "iam:AttachUserPolicy", "*");
    may(f, "iam:AttachRolePolicy", "arn:aws:iam::111122223333:role/one");
    heard h = findings_of(f, true);
    assert_string_equal(h.text, "high can_become_administrator arn:aws:iam::111122223333:user/ann: iam:AttachUserPolicy on every resource\n");
}

static void a_whole_service_on_everything_is_a_wildcard_grant(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "sqs:* s3:GetObject", "*");
    may(f, "sns:*", "arn:aws:sns:eu-west-1:111122223333:t");
    may_if(f, "kms:*", "*", "{\"Bool\":{\"aws:MultiFactorAuthPresent\":\"true\"}}");
    heard h = findings_of(f, true);
    assert_string_equal(h.text, "medium wildcard_grant arn:aws:iam::111122223333:user/ann: sqs:* on every resource\n");
}

static void who_was_not_seen_in_the_window_is_unused(void **state)
{
    fixture *f = *state;
    add_log(f);
    f->records[0].identity.last_seen_unix_ms = QUARTER.from_unix_ms - 10 * DAY_MS;
    heard h = findings_of(f, false);
    assert_string_equal(h.text, "medium unused_identity arn:aws:iam::111122223333:user/ann: last seen 100 days before the end of the window\n");
}

static void who_was_seen_or_is_new_or_has_no_log_is_not_unused(void **state)
{
    fixture *f = *state;
    heard h = findings_of(f, false); /* no log */
    assert_string_equal(h.text, "");
    analyst_free(f->a);
    estate_release(f->es);
    add_log(f);
    h = findings_of(f, true); /* seen */
    assert_string_equal(h.text, "");
    analyst_free(f->a);
    estate_release(f->es);
    f->records[0].identity.created_unix_ms = QUARTER.from_unix_ms + DAY_MS; /* new */
    h = findings_of(f, false);
    assert_string_equal(h.text, "");
}

static void add_credential(fixture *f, const char *kind, const char *id, bool second_factor, int64_t used_unix_ms)
{
    add(f, KIM_CREDENTIAL)->credential = (kim_credential){.id = kim_text_of(id), .identity = ANN, .kind = kim_text_of(kind), .state = KIM_ACTIVE,
                                                          .created_unix_ms = QUARTER.from_unix_ms - DAY_MS,
                                                          .last_used_unix_ms = used_unix_ms, .second_factor = second_factor};
}

static void keys_that_nobody_uses_and_passwords_alone_are_found(void **state)
{
    fixture *f = *state;
    add_log(f);
    add_credential(f, "access_key", "AKIAUSED", false, QUARTER.to_unix_ms);
    add_credential(f, "access_key", "AKIAOLD", false, QUARTER.from_unix_ms - DAY_MS);
    add_credential(f, "access_key", "AKIAOFF", false, 0);
    f->records[f->count - 1].credential.state = KIM_DISABLED;
    add_credential(f, "access_key", "AKIANEVER", false, 0);
    add_credential(f, "access_key", "AKIANEW", false, 0);
    f->records[f->count - 1].credential.created_unix_ms = QUARTER.from_unix_ms + DAY_MS;
    add_credential(f, "password", "password/ann", false, QUARTER.to_unix_ms);
    heard h = findings_of(f, true);
    assert_says(h.text, "unused_credential arn:aws:iam::111122223333:user/ann: access_key AKIAOLD, not used in the window\n");
    assert_says(h.text, "unused_credential arn:aws:iam::111122223333:user/ann: access_key AKIANEVER, never used\n");
    assert_says(h.text, "password_without_second_factor arn:aws:iam::111122223333:user/ann: password/ann\n");
    assert_null(strstr(h.text, "AKIAUSED"));
    assert_null(strstr(h.text, "AKIAOFF"));
    assert_null(strstr(h.text, "AKIANEW"));
}

/* ---- proposals ---- */

static verdict ask(fixture *f, estate *es, kim_text action, kim_text resource)
{
    evaluator *ev = evaluator_new(es, &f->err);
    const question q = {.provider = KIM_TEXT("aws"), .identity = ANN, .action = action, .resource = resource, .discover = true, .derive = true};
    answer a;
    if (evaluate_can(ev, &q, &a, &f->err) < 0)
        fail_msg("%s", f->err.message);
    evaluator_free(ev);
    return a.verdict;
}

/* Is each use allowed as before, with what was not read and without? */
static bool all_uses_stand(fixture *f, const proposed_statement *statements, size_t count)
{
    bool stand = true;
    for (int closed = 0; closed < 2; closed++) {
        estate *before = build(f, true, closed, NULL, 0), *after = build(f, false, closed, statements, count);
        for (size_t i = 0; i < f->use_count && stand; i++) {
            kim_text resource = kim_text_is_absent(f->uses[i].resource) ? KIM_TEXT("*") : f->uses[i].resource;
            stand = ask(f, after, f->uses[i].action, resource) >= ask(f, before, f->uses[i].action, resource);
        }
        estate_release(before);
        estate_release(after);
    }
    return stand;
}

static bool is_kept(const proposal *p, kim_text action, kim_text resource)
{
    for (size_t i = 0; i < p->kept_count; i++)
        if ((kim_text_is_absent(action) || kim_text_equal(p->kept[i].action, action)) &&
            (kim_text_is_absent(resource) || kim_text_equal(p->kept[i].resource, resource)))
            return true;
    return false;
}

/* One element of a list is really taken out: a use must fail, unless it is listed as kept. */
static void assert_needed(fixture *f, const proposal *p, size_t at, bool of_actions)
{
    kim_texts whole = of_actions ? p->statements[at].actions : p->statements[at].resources;
    for (size_t gone = 0; gone < whole.count; gone++) {
        kim_text name = whole.items[gone];
        proposed_statement left[64];
        assert_true(p->count <= 64);
        memcpy(left, p->statements, p->count * sizeof *left);
        kim_text *items = KIM_NEW_ARRAY(f->arena, kim_text, whole.count);
        size_t count = 0;
        for (size_t i = 0; i < whole.count; i++)
            if (i != gone)
                items[count++] = whole.items[i];
        *(of_actions ? &left[at].actions : &left[at].resources) = (kim_texts){items, count};
        size_t statements = p->count;
        if (count == 0) /* a statement of nothing is none */
            memmove(left + at, left + at + 1, (--statements - at) * sizeof *left);
        bool listed = of_actions ? is_kept(p, name, KIM_NO_TEXT) : is_kept(p, KIM_NO_TEXT, name);
        if (!listed && all_uses_stand(f, left, statements))
            fail_msg("without %.*s every use still stands, and it is not listed as kept", KIM_PRINT(name));
    }
}

/* The proposal for ann, once it is proven. */
static const proposal *propose(fixture *f)
{
    const proposal *p = analyst_propose(analyse(f), ANN, f->uses, f->use_count, f->arena, &f->err);
    if (p == NULL)
        fail_msg("%s", f->err.message);
    assert_int_equal(p->still_allowed, p->used_count);
    assert_false(p->new_access);
    assert_int_equal(p->needless, 0);
    assert_true(p->proposed <= p->granted);
    assert_true(all_uses_stand(f, p->statements, p->count));
    for (size_t i = 0; i < p->count; i++) {
        if (p->statements[i].denies)
            continue;
        assert_needed(f, p, i, true);
        assert_needed(f, p, i, false);
    }
    return p;
}

static void append_list(char *to, size_t room, const char *name, kim_texts list)
{
    if (list.items == NULL)
        return;
    size_t size = strlen(to);
    snprintf(to + size, room - size, " %s", name);
    for (size_t i = 0; i < list.count; i++) {
        size = strlen(to);
        snprintf(to + size, room - size, "%s%.*s", i ? "," : "", KIM_PRINT(list.items[i]));
    }
}

/* The statements, a line each: "allow +s3:GetObject @arn:... if {...}". */
static void assert_proposed(const proposal *p, const char *expected)
{
    char text[8192] = "";
    for (size_t i = 0; i < p->count; i++) {
        const proposed_statement *s = &p->statements[i];
        strcat(text, s->denies ? "deny" : "allow");
        append_list(text, sizeof text, "+", s->actions);
        append_list(text, sizeof text, "-", s->not_actions);
        append_list(text, sizeof text, "@", s->resources);
        append_list(text, sizeof text, "!@", s->not_resources);
        size_t size = strlen(text);
        snprintf(text + size, sizeof text - size, "%s%.*s\n", s->condition.size ? " if " : "", KIM_PRINT(s->condition));
    }
    assert_string_equal(text, expected);
}

static void assert_kept(const proposal *p, const char *action, const char *resource, const char *says)
{
    for (size_t i = 0; i < p->kept_count; i++)
        if (kim_text_is(p->kept[i].action, action) && kim_text_is(p->kept[i].resource, resource)) {
            char why[512];
            snprintf(why, sizeof why, "%.*s", KIM_PRINT(p->kept[i].reason));
            assert_says(why, says);
            return;
        }
    fail_msg("%s on %s is not listed as kept", action, resource);
}

static void a_proposal_is_exactly_what_was_used_on_what_it_was_used_on(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "*", "*");
    add(f, KIM_COVERAGE)->coverage = (kim_coverage){.part = KIM_TEXT("log:data:s3"), .status = KIM_READ, .actions = words(f, "s3:*Object")};
    add_policy(f, ANN, "identity", (line){.denies = true, .actions = "iam:PassRole", .resources = "*"}); /* never in a log: aside */
    did(f, "s3:GetObject", "arn:aws:s3:::b/k");
    did(f, "s3:PutObject", "arn:aws:s3:::b/k");
    did(f, "s3:GetObject", "arn:aws:s3:::b/l");
    did(f, "s3:ListAllMyBuckets", NULL);
    const proposal *p = propose(f);
    assert_proposed(p, "allow +s3:GetObject @arn:aws:s3:::b/k,arn:aws:s3:::b/l\n"
                       "allow +s3:ListAllMyBuckets @*\n"
                       "allow +s3:PutObject @arn:aws:s3:::b/k\n"
                       "deny +iam:PassRole @*\n");
    assert_int_equal(p->used_count, 4);
    assert_int_equal(p->kept_count, 0);
    assert_int_equal(p->proposed, 3);
}

static void actions_of_the_same_resources_share_a_statement(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "sqs:*", "*");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    did(f, "sqs:DeleteMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    assert_proposed(propose(f), "allow +sqs:DeleteMessage,sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q\n");
}

#define WITH_MFA "{\"Bool\":{\"aws:MultiFactorAuthPresent\":\"true\"}}"

static void a_condition_stays_with_what_stood_under_it(void **state)
{
    fixture *f = *state;
    add_log(f);
    may_if(f, "sqs:*", "*", WITH_MFA);
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    const proposal *p = propose(f);
    assert_proposed(p, "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q if " WITH_MFA "\n");
    assert_int_equal(p->conditional, 1);
}

static void of_a_free_grant_and_a_conditional_one_the_free_one_is_enough(void **state)
{
    fixture *f = *state;
    add_log(f);
    may_if(f, "sqs:*", "*", WITH_MFA);
    may(f, "sqs:SendMessage", "*");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    assert_proposed(propose(f), "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q\n");
}

static void of_several_conditions_all_stay_for_nobody_knows_which_held(void **state)
{
    fixture *f = *state;
    add_log(f);
    may_if(f, "sqs:*", "*", WITH_MFA);
    may_if(f, "sqs:*", "*", "{\"IpAddress\":{\"aws:SourceIp\":\"192.0.2.0/24\"}}");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    const proposal *p = propose(f);
    assert_int_equal(p->count, 2);
    assert_kept(p, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q", "one of several conditions");
}

static void a_free_grant_elsewhere_does_not_take_a_conditional_one_away(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:free");
    may_if(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:bound", WITH_MFA);
    did(f, "sqs:SendMessage", NULL); /* on either */
    const proposal *p = propose(f);
    assert_proposed(p, "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:free\n"
                       "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:bound if " WITH_MFA "\n");
}

static void denies_stay_as_they_are(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "sqs:*", "*");
    add_policy(f, ANN, "identity", (line){.denies = true, .not_actions = "sqs:*", .not_resources = "arn:aws:s3:::b", .condition = WITH_MFA});
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    assert_proposed(propose(f), "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q\n"
                                "deny -sqs:* !@arn:aws:s3:::b if " WITH_MFA "\n");
}

static void a_grant_by_not_action_is_narrowed_too(void **state)
{
    fixture *f = *state;
    add_log(f);
    add_policy(f, ANN, "identity", (line){.not_actions = "iam:*", .resources = "*"});
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    assert_proposed(propose(f), "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q\n");
}

static void a_grant_by_not_resource_is_narrowed_to_what_was_used(void **state)
{
    fixture *f = *state;
    add_log(f);
    add_policy(f, ANN, "identity", (line){.actions = "sqs:*", .not_resources = "arn:aws:sqs:*:*:secret"});
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    assert_proposed(propose(f), "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q\n");
}

static void what_a_grant_by_not_resource_leaves_out_stays_out_where_the_resource_is_not_known(void **state)
{
    fixture *f = *state;
    add_log(f);
    add_policy(f, ANN, "identity", (line){.actions = "sqs:*", .not_resources = "arn:aws:sqs:*:*:secret"});
    did(f, "sqs:SendMessage", NULL);
    assert_proposed(propose(f), "allow +sqs:SendMessage !@arn:aws:sqs:*:*:secret\n");
}

static void what_was_widened_past_an_excluded_resource_leaves_it_out_still(void **state)
{
    fixture *f = *state;
    add_log(f);
    add_policy(f, ANN, "identity", (line){.actions = "s3:PutBucketTagging", .not_resources = "arn:aws:s3:::b-secret"});
    did(f, "s3:PutBucketTagging", "arn:aws:s3:::b*");
    assert_proposed(propose(f), "allow +s3:PutBucketTagging !@arn:aws:s3:::b-secret\n");
}

static void an_action_whose_resource_the_log_does_not_name_keeps_its_grants_resources(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "sqs:*", "arn:aws:sqs:eu-west-1:111122223333:q arn:aws:sqs:eu-west-1:111122223333:r");
    did(f, "sqs:SendMessage", NULL);
    const proposal *p = propose(f);
    assert_proposed(p, "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q,arn:aws:sqs:eu-west-1:111122223333:r\n");
    assert_kept(p, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q", "does not name");
    assert_kept(p, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:r", "does not name");
    assert_int_equal(p->used_count, 1);
}

static void what_the_log_cannot_show_stays_with_its_reason(void **state)
{
    fixture *f = *state;
    add_log(f);
    add(f, KIM_COVERAGE)->coverage = (kim_coverage){.part = KIM_TEXT("log:data:s3"), .status = KIM_UNREADABLE,
                                                    .actions = words(f, "s3:GetObject s3:PutObject")};
    may(f, "s3:GetObject s3:DeleteBucket iam:PassRole", "*");
    const proposal *p = propose(f);
    assert_proposed(p, "allow +iam:PassRole,s3:GetObject @*\n");
    assert_kept(p, "s3:GetObject", "*", "not in the log");
    assert_kept(p, "iam:PassRole", "*", "no event of its own");
}

/* What AWS says ann used last; 19950 days are 2024-08-15, within the window. */
static void last_accessed(fixture *f, const char *what, const char *at)
{
    kim_pair *fact = KIM_NEW(f->arena, kim_pair);
    *fact = (kim_pair){kim_text_format(f->arena, "last_accessed.%s", what), kim_text_of(at)};
    f->records[0].identity.facts = (kim_pairs){fact, 1};
}

static void what_aws_says_was_used_last_stays_though_the_log_does_not_show_it(void **state)
{
    fixture *f = *state;
    add_log(f);
    last_accessed(f, "s3:GetObject", "2024-08-15T08:00:00+00:00");
    may(f, "s3:GetObject s3:PutObject", "*");
    const proposal *p = propose(f);
    assert_proposed(p, "allow +s3:GetObject @*\n");
    assert_kept(p, "s3:GetObject", "*", "not on what");
}

static void what_was_used_last_before_the_window_does_not_stay(void **state)
{
    fixture *f = *state;
    add_log(f);
    last_accessed(f, "s3:GetObject", "2023-08-15T08:00:00+00:00");
    may(f, "s3:GetObject s3:PutObject", "*");
    assert_proposed(propose(f), "");
}

static void a_service_that_was_used_in_ways_the_log_does_not_show_stays_whole(void **state)
{
    fixture *f = *state;
    add_log(f);
    last_accessed(f, "sqs", "2024-08-15T08:00:00+00:00");
    may(f, "sqs:SendMessage sqs:DeleteQueue sns:Publish", "*");
    const proposal *p = propose(f);
    assert_proposed(p, "allow +sqs:DeleteQueue,sqs:SendMessage @*\n");
    assert_kept(p, "sqs:SendMessage", "*", "does not show how");
}

static void a_service_whose_use_the_log_shows_keeps_that_alone(void **state)
{
    fixture *f = *state;
    add_log(f);
    last_accessed(f, "sqs", "2024-08-15T08:00:00+00:00");
    may(f, "sqs:SendMessage sqs:DeleteQueue", "*");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    assert_proposed(propose(f), "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q\n");
}

static void a_groups_policies_are_replaced_with_ones_own(void **state)
{
    fixture *f = *state;
    add_log(f);
    add_identity(f, DEVELOPERS, KIM_GROUP);
    add(f, KIM_EDGE)->edge = (kim_edge){.kind = KIM_MEMBER_OF, .from = ANN, .to = DEVELOPERS, .via = KIM_TEXT("group")};
    add_policy(f, DEVELOPERS, "identity", (line){.actions = "sqs:*", .resources = "*"});
    may(f, "sns:*", "*");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    const proposal *p = propose(f);
    assert_proposed(p, "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q\n");
    assert_int_equal(p->replaces.count, 2);
}

static void what_was_refused_today_is_not_granted_anew(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "sqs:*", "*");
    did(f, "sns:Publish", "arn:aws:sns:eu-west-1:111122223333:t");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q");
    const proposal *p = propose(f);
    assert_proposed(p, "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:q\n");
    assert_int_equal(p->used_count, 1);
}

static void a_use_in_another_account_is_replayed_though_its_policy_was_not_read(void **state)
{
    fixture *f = *state;
    add_log(f);
    kim_record *other = add(f, KIM_SCOPE), *queues = add(f, KIM_COVERAGE);
    other->scope = queues->scope = KIM_TEXT("aws:444455556666");
    other->as_scope = (kim_scope){.id = other->scope, .kind = KIM_TEXT("account")};
    queues->coverage = (kim_coverage){.part = KIM_TEXT("sqs:queue-policy"), .status = KIM_UNREADABLE};
    may(f, "sqs:*", "*");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:444455556666:q");
    const proposal *p = propose(f);
    assert_proposed(p, "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:444455556666:q\n");
    assert_int_equal(p->used_count, 1);
}

static void a_policy_variable_becomes_what_it_stood_for(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "sqs:*", "arn:aws:sqs:eu-west-1:111122223333:${aws:PrincipalAccount}-*");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:111122223333-q");
    assert_proposed(propose(f), "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:111122223333-q\n");
}

static void a_policy_variable_whose_value_is_not_known_stays(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "sqs:*", "arn:aws:sqs:eu-west-1:111122223333:${aws:userid}-*");
    did(f, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:AIDAEXAMPLE-q");
    assert_proposed(propose(f), "allow +sqs:SendMessage @arn:aws:sqs:eu-west-1:111122223333:${aws:userid}-*\n");
}

static void what_the_log_widened_is_never_wider_than_the_grant(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "s3:GetObject", "arn:aws:s3:::b/logs/*");
    did(f, "s3:GetObject", "arn:aws:s3:::b/*");
    assert_proposed(propose(f), "allow +s3:GetObject @arn:aws:s3:::b/logs/*\n");
}

static void use_keys(fixture *f, int count, const char *format)
{
    for (int i = 0; i < count; i++)
        did(f, "s3:GetObject", kim_text_format(f->arena, format, i).bytes);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void a_dozen_resources_stand_by_name(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "s3:GetObject", "*");
    use_keys(f, 12, "arn:aws:s3:::b/logs/%d");
    const proposal *p = propose(f);
    assert_int_equal(p->count, 1);
    assert_int_equal(p->statements[0].resources.count, 12);
    assert_int_equal(p->kept_count, 0);
}

static void more_of_them_become_their_prefix_and_are_listed(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "s3:GetObject", "*");
    use_keys(f, 13, "arn:aws:s3:::b/logs/%d");
    const proposal *p = propose(f);
    assert_proposed(p, "allow +s3:GetObject @arn:aws:s3:::b/logs/*\n");
    assert_kept(p, "s3:GetObject", "arn:aws:s3:::b/logs/*", "13 resources");
}

static void a_prefix_past_the_grant_is_not_taken(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "s3:GetObject", "arn:aws:s3:::b/*/x");
    use_keys(f, 13, "arn:aws:s3:::b/%d/x");
    const proposal *p = propose(f);
    assert_int_equal(p->count, 1);
    assert_int_equal(p->statements[0].resources.count, 13);
}

static void a_prefix_that_takes_in_an_excluded_resource_is_not_taken(void **state)
{
    fixture *f = *state;
    add_log(f);
    add_policy(f, ANN, "identity", (line){.actions = "s3:GetObject", .not_resources = "arn:aws:s3:::b/logs/secret"});
    use_keys(f, 13, "arn:aws:s3:::b/logs/%d");
    const proposal *p = propose(f);
    assert_int_equal(p->statements[0].resources.count, 13);
}
#pragma GCC diagnostic pop

static void who_has_nothing_of_her_own_has_nothing_to_reduce(void **state)
{
    fixture *f = *state;
    add_log(f);
    assert_null(analyst_propose(analyse(f), ANN, NULL, 0, f->arena, &f->err));
    assert_int_equal(f->err.code, KIM_ERR_CONFLICT);
    assert_says(f->err.message, "no policies of its own");
}

static void without_a_log_nothing_is_proposed(void **state)
{
    fixture *f = *state;
    may(f, "sqs:*", "*");
    assert_null(analyst_propose(analyse(f), ANN, NULL, 0, f->arena, &f->err));
    assert_int_equal(f->err.code, KIM_ERR_CONFLICT);
    assert_says(f->err.message, "no log");
}

static void nothing_is_proposed_for_somebody_unknown(void **state)
{
    fixture *f = *state;
    assert_null(analyst_propose(analyse(f), KIM_TEXT("nobody"), NULL, 0, f->arena, &f->err));
    assert_int_equal(f->err.code, KIM_ERR_NOT_FOUND);
}

static void who_did_nothing_keeps_nothing(void **state)
{
    fixture *f = *state;
    add_log(f);
    may(f, "sqs:*", "*");
    const proposal *p = propose(f);
    assert_int_equal(p->count, 0);
    assert_int_equal(p->proposed, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_gap_is_what_is_granted_and_was_not_used),
        TEST(what_was_used_without_a_grant_of_today_is_no_part_of_a_gap),
        TEST(what_every_grant_ties_to_a_condition_counts_as_conditional),
        TEST(what_the_log_cannot_show_may_have_been_used),
        TEST(without_a_log_everything_may_have_been_used),
        TEST(a_log_of_another_account_shows_nothing_here),
        TEST(a_boundary_and_a_deny_of_all_narrow_what_is_granted),
        TEST(the_gap_of_somebody_unknown_is_an_error),
        TEST(somebody_who_may_do_nearly_everything_is_an_administrator),
        TEST(an_administrator_whose_boundary_leaves_little_is_none),
        TEST(somebody_who_may_grant_herself_the_rest_can_become_one),
        TEST(an_organisation_that_was_not_read_hides_no_administrator_and_makes_none),
        TEST(a_whole_service_on_everything_is_a_wildcard_grant),
        TEST(who_was_not_seen_in_the_window_is_unused),
        TEST(who_was_seen_or_is_new_or_has_no_log_is_not_unused),
        TEST(keys_that_nobody_uses_and_passwords_alone_are_found),
        TEST(a_proposal_is_exactly_what_was_used_on_what_it_was_used_on),
        TEST(actions_of_the_same_resources_share_a_statement),
        TEST(a_condition_stays_with_what_stood_under_it),
        TEST(of_a_free_grant_and_a_conditional_one_the_free_one_is_enough),
        TEST(of_several_conditions_all_stay_for_nobody_knows_which_held),
        TEST(a_free_grant_elsewhere_does_not_take_a_conditional_one_away),
        TEST(denies_stay_as_they_are),
        TEST(a_grant_by_not_action_is_narrowed_too),
        TEST(a_grant_by_not_resource_is_narrowed_to_what_was_used),
        TEST(what_a_grant_by_not_resource_leaves_out_stays_out_where_the_resource_is_not_known),
        TEST(what_was_widened_past_an_excluded_resource_leaves_it_out_still),
        TEST(an_action_whose_resource_the_log_does_not_name_keeps_its_grants_resources),
        TEST(what_the_log_cannot_show_stays_with_its_reason),
        TEST(what_aws_says_was_used_last_stays_though_the_log_does_not_show_it),
        TEST(what_was_used_last_before_the_window_does_not_stay),
        TEST(a_service_that_was_used_in_ways_the_log_does_not_show_stays_whole),
        TEST(a_service_whose_use_the_log_shows_keeps_that_alone),
        TEST(a_groups_policies_are_replaced_with_ones_own),
        TEST(what_was_refused_today_is_not_granted_anew),
        TEST(a_use_in_another_account_is_replayed_though_its_policy_was_not_read),
        TEST(a_policy_variable_becomes_what_it_stood_for),
        TEST(a_policy_variable_whose_value_is_not_known_stays),
        TEST(what_the_log_widened_is_never_wider_than_the_grant),
        TEST(a_dozen_resources_stand_by_name),
        TEST(more_of_them_become_their_prefix_and_are_listed),
        TEST(a_prefix_past_the_grant_is_not_taken),
        TEST(a_prefix_that_takes_in_an_excluded_resource_is_not_taken),
        TEST(who_has_nothing_of_her_own_has_nothing_to_reduce),
        TEST(without_a_log_nothing_is_proposed),
        TEST(nothing_is_proposed_for_somebody_unknown),
        TEST(who_did_nothing_keeps_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
