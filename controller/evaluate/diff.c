/* SPDX-License-Identifier: Apache-2.0
 *
 * diff.c - each side's grants are asked of the other side.
 *
 * Texts of policies are never compared, so a policy that is only written otherwise is no difference. What
 * texts are good for is to see who cannot have been touched: an identity is asked about only where a
 * record that bears on it differs, or one that bears on all.
 */
#include "controller/evaluate/diff.h"

#include <stdlib.h>

#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/text_map.h"
#include "controller/evaluate/walks.h"

typedef struct digest {
    uint8_t bytes[KIM_RECORD_HASH_BYTES];
} digest;

/* One of the two estates, with what tells whether an identity was touched. */
typedef struct side {
    evaluator *ev;
    estate *es;
    text_map *policies;
    digest *policy_digests;   /* of a policy, its statements and where it hangs */
    text_map *subjects;
    digest *subject_digests;  /* of all that is attached to a subject */
    digest rest;              /* of what hangs on no subject */
} side;

typedef struct comparison {
    side before, after;
    kim_arena *arena;    /* digests */
    kim_arena *scratch;  /* an identity's */
    side *other;         /* the one that is being asked back */
    bool is_known_there;
    bool wants_lost;
    kim_text identity;
    diff_function *found;
    void *user;
    char mark[3];        /* diff_kind, verdict there, verdict here; a digit each */
    kim_bytes bytes;     /* of a record */
} comparison;

const char *diff_kind_name(diff_kind kind)
{
    static const char *const names[] = {[DIFF_GAINED] = "gained", [DIFF_LOST] = "lost", [DIFF_CHANGED] = "changed"};
    return names[kind];
}

/* ---- what was touched ---- */

static int add_record(comparison *c, digest *to, const kim_record *record, kim_error *err)
{
    uint8_t hash[KIM_RECORD_HASH_BYTES];
    c->bytes.size = 0;
    if (kim_record_encode(record, &c->bytes, err) < 0)
        return -1;
    kim_record_hash(c->bytes.data, c->bytes.size, hash);
    kim_digest_add(to->bytes, hash);
    return 0;
}

static int no_memory(kim_error *err)
{
    return kim_fail(err, KIM_ERR_NOMEM, "no memory to compare two estates");
}

/* Adds the records of a type to the digests of the policies that they belong to. */
static int digest_policies(comparison *c, side *s, kim_record_type type, kim_error *err)
{
    size_t count;
    const kim_record *items = estate_records(s->es, type, &count);
    for (size_t i = 0; i < count; i++) {
        uint32_t at = text_map_add(s->policies, type == KIM_POLICY ? items[i].policy.id : items[i].statement.policy);
        if (at == UINT32_MAX)
            return no_memory(err);
        if (add_record(c, &s->policy_digests[at], &items[i], err) < 0)
            return -1;
    }
    return 0;
}

static int digest_attachments(comparison *c, side *s, kim_error *err)
{
    size_t count;
    const kim_record *items = estate_records(s->es, KIM_ATTACHMENT, &count);
    for (size_t i = 0; i < count; i++) {
        kim_text subject_id = items[i].attachment.subject;
        uint32_t at = subject_id.size ? text_map_add(s->subjects, subject_id) : 0;
        uint32_t policy = text_map_find(s->policies, items[i].attachment.policy);
        if (at == UINT32_MAX)
            return no_memory(err);
        digest *to = subject_id.size ? &s->subject_digests[at] : &s->rest;
        if (policy != UINT32_MAX)
            kim_digest_add(to->bytes, s->policy_digests[policy].bytes);
        if (add_record(c, to, &items[i], err) < 0)
            return -1;
    }
    return 0;
}

static int digest_side(comparison *c, side *s, kim_error *err)
{
    static const kim_record_type of_all[] = {KIM_SCOPE, KIM_RESOURCE, KIM_PROFILE, KIM_COVERAGE};
    size_t policies, statements, attachments, count;
    estate_records(s->es, KIM_POLICY, &policies);
    estate_records(s->es, KIM_STATEMENT, &statements);
    estate_records(s->es, KIM_ATTACHMENT, &attachments);
    s->policies = text_map_new(c->arena);
    s->subjects = text_map_new(c->arena);
    s->policy_digests = KIM_NEW_ARRAY(c->arena, digest, policies + statements + 1);
    s->subject_digests = KIM_NEW_ARRAY(c->arena, digest, attachments + 1);
    if (s->policies == NULL || s->subjects == NULL || s->policy_digests == NULL || s->subject_digests == NULL)
        return no_memory(err);
    if (digest_policies(c, s, KIM_POLICY, err) < 0 || digest_policies(c, s, KIM_STATEMENT, err) < 0 ||
        digest_attachments(c, s, err) < 0)
        return -1;
    for (size_t t = 0; t < sizeof of_all / sizeof *of_all; t++) {
        const kim_record *items = estate_records(s->es, of_all[t], &count);
        for (size_t i = 0; i < count; i++)
            if (add_record(c, &s->rest, &items[i], err) < 0)
                return -1;
    }
    return 0;
}

/* Of the identity, its memberships, and what is attached to it and to those. */
static int digest_identity(comparison *c, const side *s, const kim_record *identity, digest *out, kim_error *err)
{
    *out = (digest){{0}};
    memberships groups = memberships_of(s->es, identity->identity.id, c->scratch);
    if (groups.items == NULL)
        return no_memory(err);
    if (add_record(c, out, identity, err) < 0)
        return -1;
    for (size_t g = 0; g < groups.count; g++) {
        uint32_t at = text_map_find(s->subjects, groups.items[g].id);
        if (at != UINT32_MAX)
            kim_digest_add(out->bytes, s->subject_digests[at].bytes);
        record_run edges = edges_from(s->es, KIM_MEMBER_OF, groups.items[g].id);
        for (size_t i = 0; i < edges.count; i++)
            if (add_record(c, out, &edges.items[i], err) < 0)
                return -1;
    }
    return 0;
}

/* 1, 0 or -1: can what the identity may do differ? */
static int is_touched(comparison *c, const kim_record *before, const kim_record *after, kim_error *err)
{
    digest x, y;
    if (before == NULL || after == NULL || memcmp(&c->before.rest, &c->after.rest, sizeof x) != 0)
        return 1;
    kim_arena_reset(c->scratch);
    if (digest_identity(c, &c->before, before, &x, err) < 0 || digest_identity(c, &c->after, after, &y, err) < 0)
        return -1;
    return memcmp(&x, &y, sizeof x) != 0;
}

/* ---- one identity ---- */

/* Both hold together, always. */
static bool is_same(kim_arena *scratch, const term *a, const term *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    const term *either = term_or(scratch, term_and(scratch, a, term_not(scratch, b)), term_and(scratch, b, term_not(scratch, a)));
    return term_equal(a, b) || (either && term_settle(either)->kind == TERM_FALSE);
}

/* What became of a row; absent: nothing, or the other side tells it. */
static kim_text mark(void *user, const grant *what, const answer *here, kim_error *err)
{
    static const int rank[] = {[DENIED] = 0, [UNKNOWN] = 1, [CONDITIONAL] = 1, [ALLOWED] = 2};
    comparison *c = user;
    answer there = {.verdict = DENIED, .reason = IMPLICIT_DENY};
    question q = {.identity = c->identity, .action = what->action, .resource = what->resource, .discover = true, .derive = true};
    if (c->is_known_there && evaluate_can(c->other->ev, &q, &there, err) < 0)
        return KIM_NO_TEXT;
    if (rank[here->verdict] < rank[there.verdict])
        return KIM_NO_TEXT; /* the other side has the greater grant, and tells of it */
    if (here->verdict == there.verdict && is_same(c->other->ev->scratch, here->condition, there.condition))
        return KIM_NO_TEXT;
    bool is_less = rank[here->verdict] > rank[there.verdict];
    if (c->wants_lost && !is_less)
        return KIM_NO_TEXT; /* told where it is as it is now */
    diff_kind kind = c->wants_lost ? DIFF_LOST : is_less ? DIFF_GAINED : DIFF_CHANGED;
    c->mark[0] = (char)('0' + kind);
    c->mark[1] = (char)('0' + there.verdict);
    c->mark[2] = (char)('0' + here->verdict);
    return (kim_text){c->mark, 3};
}

static int hand_over(void *user, const effective_grant *marked)
{
    comparison *c = user;
    verdict there = (verdict)(marked->mark.bytes[1] - '0'), here = (verdict)(marked->mark.bytes[2] - '0');
    const difference one = {
        .kind = (diff_kind)(marked->mark.bytes[0] - '0'),
        .grant = marked,
        .before = c->wants_lost ? here : there,
        .after = c->wants_lost ? there : here,
        .known = c->is_known_there ? KIM_NO_TEXT : c->wants_lost ? KIM_TEXT("before") : KIM_TEXT("after"),
    };
    return c->found(c->user, &one);
}

static int ask(comparison *c, side *here, side *other, const kim_record *identity, bool is_known_there, kim_error *err)
{
    c->other = other;
    c->is_known_there = is_known_there;
    c->wants_lost = here == &c->before;
    c->identity = identity->identity.id;
    const question q = {.identity = c->identity, .discover = true, .derive = true};
    kim_error why = {0};
    int result = evaluate_effective_marked(here->ev, &q, mark, hand_over, c, &why);
    if (result < 0 && why.code == KIM_ERR_INPUT)
        return 0; /* one who asks for nothing himself: a person of a directory who becomes a role */
    if (result < 0 && why.code && err)
        *err = why;
    return result;
}

static int compare_identity(comparison *c, const kim_record *before, const kim_record *after, kim_error *err)
{
    const kim_record *any = after ? after : before;
    if (any->identity.kind == KIM_GROUP)
        return 0;
    int result = is_touched(c, before, after, err);
    if (result <= 0)
        return result;
    result = after ? ask(c, &c->after, &c->before, after, before != NULL, err) : 0;
    if (result == 0 && before)
        result = ask(c, &c->before, &c->after, before, after != NULL, err);
    return result;
}

static int compare_all(comparison *c, kim_error *err)
{
    size_t old_count, new_count, o = 0, n = 0;
    const kim_record *olds = estate_records(c->before.es, KIM_IDENTITY, &old_count);
    const kim_record *news = estate_records(c->after.es, KIM_IDENTITY, &new_count);
    while (o < old_count || n < new_count) {
        int order = o == old_count ? 1 : n == new_count ? -1 : kim_text_compare(olds[o].identity.id, news[n].identity.id);
        int result = compare_identity(c, order <= 0 ? &olds[o] : NULL, order >= 0 ? &news[n] : NULL, err);
        if (result)
            return result;
        o += order <= 0;
        n += order >= 0;
    }
    return 0;
}

int estate_diff(evaluator *before, evaluator *after, diff_function *found, void *user, kim_error *err)
{
    comparison c = {.before = {.ev = before, .es = before->es}, .after = {.ev = after, .es = after->es},
                    .arena = kim_arena_new(SIZE_MAX), .scratch = kim_arena_new(SIZE_MAX), .found = found, .user = user};
    int result = c.arena && c.scratch ? 0 : no_memory(err);
    if (result == 0 && (result = digest_side(&c, &c.before, err)) == 0 && (result = digest_side(&c, &c.after, err)) == 0)
        result = compare_all(&c, err);
    kim_bytes_free(&c.bytes);
    kim_arena_free(c.arena);
    kim_arena_free(c.scratch);
    return result;
}
