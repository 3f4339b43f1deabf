/* SPDX-License-Identifier: Apache-2.0
 *
 * evaluate.c - the questions: each is one decision, or a walk over decisions.
 */
#include "controller/evaluate/evaluate.h"

#include <stdlib.h>

#include "controller/evaluate/evaluator.h"

const char *verdict_name(verdict v)
{
    static const char *const names[] = {
        [DENIED] = "denied", [UNKNOWN] = "unknown", [CONDITIONAL] = "conditional", [ALLOWED] = "allowed"};
    return names[v];
}

const char *reason_name(reason r)
{
    static const char *const names[] = {
        [EXPLICIT_ALLOW] = "explicit_allow", [EXPLICIT_DENY] = "explicit_deny", [IMPLICIT_DENY] = "implicit_deny",
        [CEILING] = "ceiling", [ELIGIBLE_ONLY] = "eligible_only", [BYPASS] = "bypass",
        [CONDITION] = "condition", [UNREAD] = "unread"};
    return names[r];
}

/* ---- the evaluator ---- */

evaluator *evaluator_new(estate *es, kim_error *err)
{
    evaluator *ev = calloc(1, sizeof *ev);
    if (ev == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for an evaluator");
        return NULL;
    }
    ev->es = estate_hold(es);
    ev->scratch = kim_arena_new(SIZE_MAX);
    if (ev->scratch)
        return ev;
    evaluator_free(ev);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for an evaluator");
    return NULL;
}

void evaluator_free(evaluator *ev)
{
    if (ev == NULL)
        return;
    engines_close(ev);
    kim_arena_free(ev->scratch);
    estate_release(ev->es);
    free(ev);
}

void answer_from_term(evaluator *ev, const term *t, answer *out)
{
    const term *settled = term_settle(t);
    t = settled ? term_without_unread(settled, ev->scratch) : NULL;
    if (t == NULL)
        t = settled; /* without memory; the scratch remembers */
    *out = (answer){.verdict = CONDITIONAL, .reason = CONDITION, .condition = t};
    if (t->kind == TERM_TRUE)
        *out = (answer){.verdict = ALLOWED, .reason = EXPLICIT_ALLOW};
    else if (t->kind == TERM_FALSE)
        *out = (answer){.verdict = DENIED, .reason = IMPLICIT_DENY};
    else if (term_has_unread(t))
        *out = (answer){.verdict = UNKNOWN, .reason = UNREAD, .condition = t, .unread = term_unread(t, ev->scratch)};
}

/* ---- whose question it is ---- */

/* By how a resource is written; NULL: any of them may write so. */
static const engine *engine_of_resource(const estate *es, kim_text resource)
{
    static const struct { const char *prefix, *provider; } forms[] = {
        {"arn:", "aws"}, {"/subscriptions/", "azure"}, {"/providers/", "azure"}, {"//", "gcp"}, {"k8s:", "kubernetes"}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (kim_text_starts_with(resource, kim_text_of(forms[i].prefix)))
            return engine_find(es, kim_text_of(forms[i].provider));
    return NULL;
}

/* By how an action is written: "s3:GetObject", "Microsoft.Compute/virtualMachines/read", "storage.objects.get", "get". NULL:
 * no provider of the estate writes so, or a profile that names its actions as it likes is there too. */
static const engine *engine_of_action(const estate *es, kim_text action)
{
    bool has_colon = action.size && memchr(action.bytes, ':', action.size), has_slash = action.size && memchr(action.bytes, '/', action.size);
    bool has_dot = action.size && memchr(action.bytes, '.', action.size);
    const char *provider = has_slash ? "azure" : has_colon ? "aws" : has_dot ? "gcp" : "kubernetes";
    size_t count;
    const kim_record *items = estate_records(es, KIM_PROFILE, &count);
    for (size_t i = 0; i < count; i++)
        if (engine_find(es, items[i].profile.id) == &neutral_engine)
            return NULL;
    return action.size && estate_find(es, KIM_PROFILE, kim_text_of(provider)) ? engine_find(es, kim_text_of(provider)) : NULL;
}

/* The one engine of all profiles; NULL: there are several, or none. names: all of them, for people. */
static const engine *engine_of_profiles(const estate *es, kim_arena *arena, kim_text *names)
{
    size_t count;
    const kim_record *items = estate_records(es, KIM_PROFILE, &count);
    const engine *only = NULL;
    bool several = false;
    *names = KIM_NO_TEXT;
    for (size_t i = 0; i < count; i++) {
        kim_text id = items[i].profile.id;
        if (i > 0 && kim_text_equal(id, items[i - 1].profile.id))
            continue; /* profiles are sorted by their ids */
        several = only != NULL;
        only = engine_find(es, id);
        *names = kim_text_format(arena, "%.*s%s%.*s", KIM_PRINT(*names), several ? ", " : "", KIM_PRINT(id));
    }
    return several ? NULL : only;
}

/* The question's own provider; else the estate's only one; else the identity's, the resource's or the action's. */
static const engine *engine_for(const evaluator *ev, const question *q, kim_error *err)
{
    kim_text names;
    if (q->provider.size) {
        const engine *named = engine_find(ev->es, q->provider);
        if (named == NULL)
            kim_fail(err, KIM_ERR_UNSUPPORTED, "nothing is known of provider '%.*s' here", KIM_PRINT(q->provider));
        return named;
    }
    const engine *only = engine_of_profiles(ev->es, ev->scratch, &names);
    if (only)
        return only;
    const kim_record *who = q->identity.size ? estate_find(ev->es, KIM_IDENTITY, q->identity) : NULL;
    if (who)
        return engine_of_scope(who->scope);
    const engine *e = engine_of_resource(ev->es, q->resource);
    if (e == NULL)
        e = engine_of_action(ev->es, q->action);
    if (e == NULL && names.size == 0)
        return &aws_engine; /* an estate of documents alone */
    if (e == NULL)
        kim_fail(err, KIM_ERR_INPUT, "the estate has several providers (%.*s); say which is meant: --provider", KIM_PRINT(names));
    return e;
}

kim_text evaluate_provider(evaluator *ev, const question *q, kim_error *err)
{
    kim_arena_reset(ev->scratch);
    const engine *e = engine_for(ev, q, err);
    if (e == NULL)
        return KIM_NO_TEXT;
    size_t count;
    const kim_record *profiles = estate_records(ev->es, KIM_PROFILE, &count);
    for (size_t i = 0; i < count && q->provider.size == 0; i++)
        if (e == &neutral_engine && engine_reads(e, profiles[i].scope))
            return profiles[i].profile.id;
    return q->provider.size ? q->provider : kim_text_of(e->provider);
}

int evaluate_can(evaluator *ev, const question *q, answer *out, kim_error *err)
{
    kim_arena_reset(ev->scratch);
    const engine *e = engine_for(ev, q, err);
    return e ? e->decide(ev, q, out, err) : -1;
}

int evaluate_who_can(evaluator *ev, const question *q, who_can_function *found, void *user, kim_error *err)
{
    kim_arena_reset(ev->scratch);
    const engine *e = engine_for(ev, q, err);
    return e ? e->who_can(ev, q, found, user, err) : -1;
}

int evaluate_what_can(evaluator *ev, const question *q, what_can_function *found, void *user, kim_error *err)
{
    kim_arena_reset(ev->scratch);
    const engine *e = engine_for(ev, q, err);
    return e ? e->what_can(ev, q, found, user, err) : -1;
}

/* ---- writing ---- */

void answer_write(const answer *a, kim_json_writer *writer)
{
    kim_json_key(writer, "decision");
    kim_json_put_string(writer, verdict_name(a->verdict));
    kim_json_key(writer, "reason");
    kim_json_put_string(writer, reason_name(a->reason));
    kim_json_key(writer, "because");
    kim_json_begin_array(writer);
    for (size_t i = 0; i < a->because_count; i++) {
        kim_json_begin_object(writer);
        kim_json_key(writer, "layer");
        kim_json_put_text(writer, a->because[i].layer);
        if (!kim_text_is_absent(a->because[i].policy)) {
            kim_json_key(writer, "policy");
            kim_json_put_text(writer, a->because[i].policy);
        }
        if (!kim_text_is_absent(a->because[i].statement)) {
            kim_json_key(writer, "statement");
            kim_json_put_text(writer, a->because[i].statement);
        }
        kim_json_end_object(writer);
    }
    kim_json_end_array(writer);
    if (a->condition && term_has_known(a->condition)) {
        kim_json_key(writer, "if");
        term_write_list(a->condition, writer);
    }
    if (a->verdict == UNKNOWN) {
        kim_json_key(writer, "unread");
        kim_json_put_texts(writer, a->unread);
    }
}
