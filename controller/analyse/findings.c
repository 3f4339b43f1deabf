/* SPDX-License-Identifier: Apache-2.0
 *
 * findings.c - what is wrong with an identity by itself: too much granted, or nothing done with it.
 */
#include <stdlib.h>

#include "controller/analyse/analyst.h"

/* Each of these, on any resource, lets its holder give itself the rest. */
static const char *const self_escalating[] = {
    "iam:AttachGroupPolicy", "iam:AttachRolePolicy", "iam:AttachUserPolicy", "iam:CreatePolicyVersion",
    "iam:PutGroupPolicy", "iam:PutRolePolicy", "iam:PutUserPolicy", "iam:SetDefaultPolicyVersion",
    "iam:AddUserToGroup", "iam:UpdateAssumeRolePolicy",
};

typedef struct search {
    analyst *a;
    finding_function *found;
    void *user;
    kim_arena *arena;
    const kim_record *identity;
    const kim_text *used_identities;
    size_t used_count;
    kim_text wildcards; /* of the identity at hand, joined */
    bool failed;        /* no memory for some question: what it would have found is not known */
} search;

static int report(search *s, const char *kind, const char *severity, kim_text detail)
{
    const finding f = {kind, severity, s->identity->scope, s->identity->identity.id, detail};
    return s->found(s->user, &f);
}

static bool is_everything(kim_texts list)
{
    for (size_t i = 0; i < list.count; i++)
        if (kim_text_is(list.items[i], "*"))
            return true;
    return false;
}

static int note_free(void *user, const own_statement *own)
{
    (void)user;
    return !own->conditional && is_everything(own->statement->resources);
}

/* Where something that was not read could still take it away, the grant itself counts: to say nothing would
 * hide it. */
static bool allowed_on_all(search *s, const char *action)
{
    const question q = {.provider = KIM_TEXT("aws"), .identity = s->identity->identity.id, .action = kim_text_of(action),
                        .resource = KIM_TEXT("*"), .discover = true, .derive = true};
    answer a;
    kim_error why;
    if (evaluate_can(s->a->ev, &q, &a, &why) < 0) {
        s->failed |= why.code == KIM_ERR_NOMEM;
        return false;
    }
    return a.verdict == ALLOWED ||
           (a.verdict == UNKNOWN && evaluate_own_grants(s->a->ev, q.identity, q.action, KIM_NO_TEXT, note_free, NULL) != 0);
}

/* "s3:*", "*": an allow of a whole service, on everything, without a condition. */
static int note_wildcard(void *user, const own_statement *own)
{
    search *s = user;
    const kim_statement *st = own->statement;
    if (st->effect != KIM_ALLOW || own->conditional || !is_everything(st->resources))
        return 0;
    for (size_t i = 0; i < st->actions.count; i++) {
        kim_text action = st->actions.items[i];
        if (!kim_text_is(action, "*") && !kim_text_ends_with(action, KIM_TEXT(":*")))
            continue;
        s->wildcards = kim_text_format(s->arena, "%.*s%s%.*s", KIM_PRINT(s->wildcards), s->wildcards.size ? ", " : "", KIM_PRINT(action));
        if (s->wildcards.size > 512)
            return 1;
    }
    return 0;
}

static int find_power(search *s)
{
    size_t words = catalogue_words(s->a->cat), all = catalogue_count(s->a->cat), granted = 0;
    kim_error why;
    if (evaluate_granted(s->a->ev, s->identity->identity.id, s->a->granted, s->a->conditional, &why) < 0) {
        s->failed |= why.code == KIM_ERR_NOMEM;
        return 0;
    }
    for (size_t w = 0; w < words; w++)
        granted += (size_t)__builtin_popcountll(s->a->granted[w] & ~s->a->conditional[w]);
    s->wildcards = KIM_NO_TEXT;
    evaluate_own(s->a->ev, s->identity->identity.id, note_wildcard, s);
    if (granted * 100 >= all * 95 && allowed_on_all(s, "iam:PutRolePolicy"))
        return report(s, "administrator", "high", kim_text_format(s->arena, "may do %zu of %zu actions on everything", granted, all));
    for (size_t i = 0; i < sizeof self_escalating / sizeof *self_escalating; i++) {
        int32_t id = catalogue_action(s->a->cat, kim_text_of(self_escalating[i]));
        if (id >= 0 && set_has(s->a->granted, id) && allowed_on_all(s, self_escalating[i]))
            return report(s, "can_become_administrator", "high",
                          kim_text_format(s->arena, "%s on every resource", self_escalating[i]));
    }
    if (s->wildcards.size)
        return report(s, "wildcard_grant", "medium", kim_text_format(s->arena, "%.*s on every resource", KIM_PRINT(s->wildcards)));
    return 0;
}

static int compare_texts(const void *a, const void *b)
{
    return kim_text_compare(*(const kim_text *)a, *(const kim_text *)b);
}

static bool was_used(const search *s, const kim_identity *i)
{
    return (s->used_count && bsearch(&i->id, s->used_identities, s->used_count, sizeof *s->used_identities, compare_texts)) ||
           i->last_seen_unix_ms >= s->a->over.from_unix_ms;
}

static int days_before_end(const search *s, int64_t at_unix_ms)
{
    return (int)((s->a->over.to_unix_ms - at_unix_ms) / 86400000);
}

static int find_idleness(search *s)
{
    const kim_identity *i = &s->identity->identity;
    if (i->kind == KIM_GROUP || i->kind == KIM_PUBLIC || was_used(s, i) || i->created_unix_ms >= s->a->over.from_unix_ms ||
        memmem(i->id.bytes, i->id.size, ":role/aws-service-role/", 23) || !analyst_has_log(s->a, s->identity->scope))
        return 0;
    kim_text detail = i->last_seen_unix_ms
                          ? kim_text_format(s->arena, "last seen %d days before the end of the window", days_before_end(s, i->last_seen_unix_ms))
                          : kim_text_format(s->arena, "not seen in the %d days of the window", days_before_end(s, s->a->over.from_unix_ms));
    return report(s, "unused_identity", "medium", detail);
}

static int find_stale_credentials(analyst *a, search *s)
{
    size_t count;
    const kim_record *items = estate_records(a->es, KIM_CREDENTIAL, &count);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        const kim_credential *c = &items[i].credential;
        s->identity = estate_find(a->es, KIM_IDENTITY, c->identity);
        if (s->identity == NULL || (c->state && c->state != KIM_ACTIVE))
            continue;
        bool is_password = kim_text_is(c->kind, "password");
        if (is_password && !c->second_factor)
            result = report(s, "password_without_second_factor", "medium", c->id);
        bool is_old = c->created_unix_ms < a->over.from_unix_ms;
        if (result == 0 && is_old && c->last_used_unix_ms < a->over.from_unix_ms && (is_password || kim_text_is(c->kind, "access_key")))
            result = report(s, "unused_credential", "medium",
                            kim_text_format(s->arena, "%.*s %.*s, %s", KIM_PRINT(c->kind), KIM_PRINT(c->id),
                                            c->last_used_unix_ms ? "not used in the window" : "never used"));
    }
    return result;
}

int analyst_findings(analyst *a, const kim_text *used_identities, size_t count, finding_function *found,
                     void *user, kim_error *err)
{
    size_t identities;
    const kim_record *items = estate_records(a->es, KIM_IDENTITY, &identities);
    search s = {.a = a, .found = found, .user = user, .arena = kim_arena_new(SIZE_MAX), .used_identities = used_identities, .used_count = count};
    if (s.arena == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for findings");
    int result = 0;
    for (size_t i = 0; i < identities && result == 0; i++) {
        s.identity = &items[i];
        if (items[i].identity.kind != KIM_GROUP)
            result = find_power(&s);
        if (result == 0)
            result = find_idleness(&s);
        s.failed |= kim_arena_is_full(s.arena);
        kim_arena_reset(s.arena);
    }
    if (result == 0)
        result = find_stale_credentials(a, &s);
    s.failed |= kim_arena_is_full(s.arena);
    kim_arena_free(s.arena);
    return result == 0 && s.failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for findings") : result;
}
