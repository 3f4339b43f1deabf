/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.c - from each statement that decided, back along its attachment to the one who asks.
 *
 * An answer names its statements. How they come to bear on the asker is read from the records alone,
 * so it is told the same way for every provider: the statement, where its policy hangs, by which
 * memberships the asker has part in that, and below which scopes.
 */
#include "controller/evaluate/explain.h"

#include "controller/evaluate/evaluator.h"
#include "controller/evaluate/name_list.h"
#include "controller/evaluate/walks.h"

typedef struct telling {
    evaluator *ev;
    kim_arena *arena;
    const question *q;
    memberships groups; /* the asker's */
    name_list out;
} telling;

static void say_text(telling *t, kim_text sentence)
{
    name_list_add(&t->out, sentence);
}

#define SAY(t, ...) say_text(t, kim_text_format((t)->arena, __VA_ARGS__))

/* ---- words ---- */

static const char *verdict_in_words(const answer *a)
{
    static const char *const words[] = {
        [EXPLICIT_ALLOW] = "allowed: a statement allows it, and nothing takes it away",
        [EXPLICIT_DENY] = "denied: a statement denies it",
        [IMPLICIT_DENY] = "denied: no statement allows it",
        [CEILING] = "denied: a statement allows it, but a ceiling does not",
        [ELIGIBLE_ONLY] = "denied now: the access would first have to be activated",
        [BYPASS] = "allowed: the system does not ask",
        [CONDITION] = "conditional: allowed where the conditions hold",
        [UNREAD] = "unknown: something that was not read could change the answer",
    };
    return words[a->reason];
}

/* "a, b and 3 more" */
static kim_text list_in_words(kim_texts list, kim_arena *arena)
{
    kim_text all = list.count ? KIM_TEXT("") : KIM_TEXT("nothing");
    for (size_t i = 0; i < list.count && i < EXPLAIN_LIST_MAX; i++)
        all = kim_text_format(arena, "%.*s%s%.*s", KIM_PRINT(all), i ? ", " : "", KIM_PRINT(list.items[i]));
    if (list.count > EXPLAIN_LIST_MAX)
        all = kim_text_format(arena, "%.*s and %zu more", KIM_PRINT(all), list.count - EXPLAIN_LIST_MAX);
    return all;
}

/* "s3:Get*", "everything but iam:*", "everything" */
static kim_text covered(kim_texts these, kim_texts not_these, kim_arena *arena)
{
    kim_text named = these.items ? list_in_words(these, arena) : KIM_TEXT("everything");
    if (not_these.items == NULL)
        return named;
    kim_text others = list_in_words(not_these, arena);
    return kim_text_format(arena, "%.*s but %.*s", KIM_PRINT(named), KIM_PRINT(others));
}

static kim_text scope_in_words(const estate *es, kim_text id, kim_arena *arena)
{
    const kim_record *r = estate_find(es, KIM_SCOPE, id);
    if (r == NULL || r->as_scope.kind.size == 0)
        return id;
    if (r->as_scope.name.size && !kim_text_equal(r->as_scope.name, id))
        return kim_text_format(arena, "%.*s %.*s (%.*s)", KIM_PRINT(r->as_scope.kind), KIM_PRINT(r->as_scope.name), KIM_PRINT(id));
    return kim_text_format(arena, "%.*s %.*s", KIM_PRINT(r->as_scope.kind), KIM_PRINT(id));
}

static kim_text identity_in_words(const estate *es, kim_text id, kim_arena *arena)
{
    const kim_record *r = estate_find(es, KIM_IDENTITY, id);
    const char *kind = r ? kim_enum_name("identity", "kind", r->identity.kind) : NULL;
    if (kind == NULL || r->identity.kind == KIM_PUBLIC)
        return id;
    return kim_text_format(arena, "%s %.*s", kind, KIM_PRINT(id));
}

/* ---- how a policy reaches the asker ---- */

static void tell_membership(telling *t, size_t at)
{
    const membership *steps[EXPLAIN_STEPS_MAX];
    size_t count = 0;
    for (; t->groups.items[at].by && count < EXPLAIN_STEPS_MAX; at = t->groups.items[at].from)
        steps[count++] = &t->groups.items[at];
    while (count-- > 0) {
        const kim_edge *e = steps[count]->by;
        kim_text from = identity_in_words(t->ev->es, e->from, t->arena), to = identity_in_words(t->ev->es, e->to, t->arena);
        SAY(t, "  %.*s is a member of %.*s%s%s%.*s", KIM_PRINT(from), KIM_PRINT(to), e->eligible ? ", once activated" : "",
            e->condition.text.size ? ", if " : "", KIM_PRINT(e->condition.text));
    }
}

/* The scopes from `below` up to `top`, where it is one of them. */
static kim_text chain_in_words(telling *t, kim_text below, kim_text top)
{
    kim_text chain = scope_in_words(t->ev->es, below, t->arena);
    for (int depth = 0; depth < KIM_SCOPE_MAX_DEPTH && !kim_text_equal(below, top); depth++) {
        const kim_record *r = estate_find(t->ev->es, KIM_SCOPE, below);
        if (r == NULL || r->as_scope.parent.size == 0)
            return KIM_NO_TEXT;
        below = r->as_scope.parent;
        kim_text next = scope_in_words(t->ev->es, below, t->arena);
        chain = kim_text_format(t->arena, "%.*s in %.*s", KIM_PRINT(chain), KIM_PRINT(next));
    }
    return kim_text_equal(below, top) ? chain : KIM_NO_TEXT;
}

static void tell_scope(telling *t, kim_text scope)
{
    const kim_record *who = estate_find(t->ev->es, KIM_IDENTITY, t->q->identity);
    const kim_record *what = estate_find(t->ev->es, KIM_RESOURCE, t->q->resource);
    kim_text chain = who ? chain_in_words(t, who->scope, scope) : KIM_NO_TEXT;
    if (kim_text_is_absent(chain) && what)
        chain = chain_in_words(t, what->scope, scope);
    kim_text words = scope_in_words(t->ev->es, scope, t->arena);
    SAY(t, "  it is in force on %.*s", KIM_PRINT(words));
    if (!kim_text_is_absent(chain) && chain.size > words.size)
        SAY(t, "  which holds: %.*s", KIM_PRINT(chain));
}

static void tell_attachment(telling *t, const kim_attachment *a, size_t member)
{
    kim_text to_whom = identity_in_words(t->ev->es, a->subject, t->arena);
    if (a->subject.size)
        SAY(t, "  its policy is attached to %.*s%s%s%.*s", KIM_PRINT(to_whom), a->eligible ? ", to be activated" : "",
            a->condition.text.size ? ", if " : "", KIM_PRINT(a->condition.text));
    if (a->resource.size)
        SAY(t, "  its policy is attached to the resource %.*s", KIM_PRINT(a->resource));
    if (a->native_id.size)
        SAY(t, "  by %.*s", KIM_PRINT(a->native_id));
    if (a->origin == KIM_DEFAULT)
        SAY(t, "  nobody set it: it is the system's default");
    if (a->origin == KIM_IMPLICIT)
        SAY(t, "  nobody is asked there: whoever reaches it may do it");
    if (member < t->groups.count)
        tell_membership(t, member);
    if (a->on_scope.size)
        tell_scope(t, a->on_scope);
}

/* The attachments of the policy that can have brought it to bear: to the asker or its groups, or to nobody by
 * name. Where none of them is, all are told. */
static void tell_ways(telling *t, const because *b, kim_text policy)
{
    record_run run = attachments_of(t->ev->es, policy);
    size_t told = 0;
    for (int strangers = 0; strangers < 2 && told == 0; strangers++)
        for (size_t i = 0; i < run.count && told < EXPLAIN_WAYS_MAX; i++) {
            const kim_attachment *a = &run.items[i].attachment;
            size_t member = a->subject.size ? memberships_find(&t->groups, a->subject) : t->groups.count;
            bool fits = b->attachment ? a == b->attachment : kim_text_equal(a->layer, b->layer);
            if (!fits || (!strangers && a->subject.size && member == t->groups.count))
                continue;
            tell_attachment(t, a, member);
            told++;
        }
}

static const kim_statement *statement_named(const estate *es, kim_text policy, kim_text name, kim_arena *arena)
{
    record_run run = statements_of(es, policy);
    for (size_t i = 0; i < run.count; i++) {
        const kim_statement *s = &run.items[i].statement;
        if (kim_text_equal(s->sid.size ? s->sid : kim_text_format(arena, "%lld", (long long)s->index), name))
            return s;
    }
    return NULL;
}

static void tell_statement(telling *t, const because *b, kim_text policy, const kim_statement *s)
{
    const kim_record *r = estate_find(t->ev->es, KIM_POLICY, policy);
    kim_text name = r && r->policy.name.size ? r->policy.name : policy;
    kim_text actions = covered(s->actions, s->not_actions, t->arena);
    kim_text resources = covered(s->resources, s->not_resources, t->arena);
    const char *effect = s->effect == KIM_DENY ? "denies" : s->effect == KIM_ALLOW ? "allows" : "cannot be read; it names";
    SAY(t, "%.*s: statement %.*s of %.*s %s %.*s on %.*s", KIM_PRINT(b->layer), KIM_PRINT(b->statement), KIM_PRINT(name), effect,
        KIM_PRINT(actions), KIM_PRINT(resources));
    if (s->subjects.items || s->not_subjects.items) {
        kim_text subjects = covered(s->subjects, s->not_subjects, t->arena);
        SAY(t, "  for %.*s", KIM_PRINT(subjects));
    }
    if (s->condition.text.size)
        SAY(t, "  under the condition %.*s", KIM_PRINT(s->condition.text));
}

static void tell(telling *t, const because *b)
{
    kim_text policy = b->source ? b->source->policy : b->policy;
    if (kim_text_is_absent(b->statement)) {
        kim_text where = estate_find(t->ev->es, KIM_SCOPE, policy) ? scope_in_words(t->ev->es, policy, t->arena) : policy;
        SAY(t, "%.*s: no statement%s%.*s allows it", KIM_PRINT(b->layer), where.size ? " of " : "", KIM_PRINT(where));
        return;
    }
    const kim_statement *s = b->source ? b->source : statement_named(t->ev->es, policy, b->statement, t->arena);
    if (s)
        tell_statement(t, b, policy, s);
    else
        SAY(t, "%.*s: statement %.*s of %.*s", KIM_PRINT(b->layer), KIM_PRINT(b->statement), KIM_PRINT(policy));
    tell_ways(t, b, policy);
}

int evaluate_explain(evaluator *ev, const question *q, answer *out, kim_texts *sentences, kim_error *err)
{
    if (evaluate_can(ev, q, out, err) < 0)
        return -1;
    telling t = {.ev = ev, .arena = ev->scratch, .q = q, .out = {.arena = ev->scratch}};
    t.groups = memberships_of(ev->es, q->identity, ev->scratch);
    if (t.groups.items)
        say_text(&t, kim_text_of(verdict_in_words(out)));
    for (size_t i = 0; t.groups.items && i < out->because_count; i++)
        tell(&t, &out->because[i]);
    for (size_t i = 0; t.groups.items && i < out->unread.count; i++)
        SAY(&t, "not read: %.*s", KIM_PRINT(out->unread.items[i]));
    if (t.groups.items == NULL || t.out.failed || kim_arena_is_full(ev->scratch))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to explain an answer");
    *sentences = (kim_texts){t.out.items, t.out.count};
    return 0;
}
