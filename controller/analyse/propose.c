/* SPDX-License-Identifier: Apache-2.0
 *
 * propose.c - the least policy under which all that was done can still be done.
 *
 * Each thing done (an action on a resource) is traced to the statements that allow it, and becomes an
 * element: the action, the resource as the log shows it, the condition that it stood under. What the log
 * cannot show stays as it was granted and is listed with its reason; denies stay as they are. Elements
 * with the same resources and condition then share a statement.
 *
 * The result is not believed but tried: an estate with the proposal in place of the identity's policies is
 * built, and each thing done is asked again on both. What was never read is left out of the two estates, so that
 * "not known" on both sides cannot hide a use that no longer stands; where a use rests on what was not read
 * (another account's policy), it is asked with that as well.
 */
#include <stdlib.h>

#include "controller/analyse/analyst.h"
#include "controller/evaluate/wildcard.h"

typedef struct element {
    kim_text action, resource, condition;
    kim_texts not_resources; /* all but these, and `resource` is "*"; absent: `resource` alone */
    bool is_kept;            /* the log does not show it: see the list of kept */
    bool was_moved;          /* to its prefix, in this pass */
} element;

typedef struct work {
    analyst *a;
    kim_arena *arena;
    kim_text identity;
    element *elements;
    size_t count, capacity;
    kept *kept;
    size_t kept_count, kept_capacity;
    kim_text *replaces;
    size_t replace_count;
    const kim_statement **denies;
    size_t deny_count;
    bool failed;
    /* the thing at hand, while its grants are walked */
    kim_text action, resource, reason, condition;
    bool takes_no_resource, any_free;
    size_t alternatives;
    evaluator *closed; /* the estate as it is, without what was not read */
} work;

/* ---- gathering ---- */

static void *grown(kim_arena *arena, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t more = *capacity ? *capacity * 2 : 32;
    void *fresh = kim_arena_array(arena, more, size);
    if (fresh && count)
        memcpy(fresh, items, count * size);
    *capacity = fresh ? more : *capacity;
    return fresh;
}

static void add_kept(work *w, kim_text action, kim_text resource, kim_text why)
{
    for (size_t i = 0; i < w->kept_count; i++)
        if (kim_text_equal(w->kept[i].action, action) && kim_text_equal(w->kept[i].resource, resource))
            return;
    kept *items = grown(w->arena, w->kept, w->kept_count, &w->kept_capacity, sizeof *items);
    if (items == NULL) {
        w->failed = true;
        return;
    }
    w->kept = items;
    w->kept[w->kept_count++] = (kept){action, resource, why};
}

static bool same_texts(kim_texts a, kim_texts b)
{
    if (a.count != b.count || (a.items == NULL) != (b.items == NULL))
        return false;
    for (size_t i = 0; i < a.count; i++)
        if (!kim_text_equal(a.items[i], b.items[i]))
            return false;
    return true;
}

static void add_element(work *w, kim_text resource, kim_texts not_resources, kim_text condition)
{
    kim_text action = w->action;
    bool is_kept = !kim_text_is_absent(w->reason);
    for (size_t i = 0; i < w->count; i++)
        if (kim_text_equal(w->elements[i].action, action) && kim_text_equal(w->elements[i].resource, resource) &&
            kim_text_equal(w->elements[i].condition, condition) && same_texts(w->elements[i].not_resources, not_resources)) {
            w->elements[i].is_kept &= is_kept;
            return;
        }
    element *items = grown(w->arena, w->elements, w->count, &w->capacity, sizeof *items);
    if (items == NULL) {
        w->failed = true;
        return;
    }
    w->elements = items;
    w->elements[w->count++] = (element){.action = action, .resource = resource, .condition = condition, .not_resources = not_resources, .is_kept = is_kept};
    if (is_kept)
        add_kept(w, action, resource, w->reason);
}

static int note_own(void *user, const own_statement *own)
{
    work *w = user;
    kim_text policy = own->statement->policy;
    bool known = false;
    for (size_t i = 0; i < w->replace_count && !known; i++)
        known = kim_text_equal(w->replaces[i], policy);
    if (!known)
        w->replaces[w->replace_count++] = policy;
    if (own->statement->effect != KIM_ALLOW)
        w->denies[w->deny_count++] = own->statement;
    return 0;
}

static int count_own(void *user, const own_statement *own)
{
    (void)own;
    ++*(size_t *)user;
    return 0;
}

/* ---- what a statement covers ---- */

#define ABSENT ((kim_texts){NULL, 0})
#define NOT_NAMED KIM_TEXT("it was used, but the log does not name the resource that the grant speaks of")

static bool is_within(kim_text narrow, kim_text wide)
{
    return kim_text_is(wide, "*") || glob_relate(narrow, wide) == GLOB_WITHIN;
}

static bool has_variable(kim_text pattern)
{
    return pattern.size && memmem(pattern.bytes, pattern.size, "${", 2) != NULL;
}

/* Is the resource (or all of the pattern) surely outside of these? */
static bool is_outside(kim_text resource, kim_texts excluded)
{
    for (size_t i = 0; i < excluded.count; i++)
        if (has_variable(excluded.items[i]) || glob_relate(resource, excluded.items[i]) != GLOB_DISJOINT)
            return false;
    return true;
}

static bool covers_whole(const kim_statement *s, kim_text resource)
{
    bool within = s->resources.items == NULL;
    for (size_t i = 0; i < s->resources.count && !within; i++)
        within = is_within(resource, s->resources.items[i]);
    return within && is_outside(resource, s->not_resources);
}

/* ---- what was done ---- */

static verdict ask(evaluator *ev, work *w, kim_text action, kim_text resource)
{
    const question q = {.provider = KIM_TEXT("aws"), .identity = w->identity, .action = action,
                        .resource = kim_text_is_absent(resource) ? KIM_TEXT("*") : resource, .discover = true, .derive = true};
    answer a;
    kim_error why;
    if (evaluate_can(ev, &q, &a, &why) == 0)
        return a.verdict;
    w->failed |= why.code == KIM_ERR_NOMEM;
    return DENIED;
}

static int see_free(void *user, const own_statement *own)
{
    work *w = user;
    w->alternatives++;
    w->any_free |= !own->conditional && covers_whole(own->statement, w->resource);
    return 0;
}

/* The grant reaches no further than a part of what the log shows, or nobody knows how far: its own words stay. */
static void take_words(work *w, const kim_statement *s)
{
    kim_text given = w->reason;
    if (kim_text_is_absent(given))
        w->reason = NOT_NAMED;
    if (s->resources.items == NULL)
        add_element(w, KIM_TEXT("*"), s->not_resources, s->condition.text);
    for (size_t i = 0; i < s->resources.count; i++)
        if (kim_text_is_absent(w->resource) || has_variable(s->resources.items[i]) ||
            glob_relate(w->resource, s->resources.items[i]) != GLOB_DISJOINT)
            add_element(w, s->resources.items[i], ABSENT, s->condition.text);
    w->reason = given;
}

static int take_grant(void *user, const own_statement *own)
{
    work *w = user;
    const kim_statement *s = own->statement;
    bool is_known = w->takes_no_resource || !kim_text_is_absent(w->resource);
    if (w->any_free && own->conditional && is_known)
        return 0; /* another statement allows it without a condition */
    if (!w->any_free && w->alternatives > 1 && is_known && kim_text_is_absent(w->reason))
        add_kept(w, w->action, w->takes_no_resource ? KIM_TEXT("*") : w->resource,
                 KIM_TEXT("allowed under one of several conditions; the log does not show which held"));
    if (w->takes_no_resource)
        add_element(w, KIM_TEXT("*"), ABSENT, s->condition.text);
    else if (is_known && (covers_whole(s, w->resource) ||
                          (!glob_has_wildcard(w->resource) && ask(w->closed, w, w->action, w->resource) == ALLOWED)))
        add_element(w, w->resource, ABSENT, s->condition.text);
    else
        take_words(w, s);
    return 0;
}

/* Traces one action on one resource (absent: not known) to its grants. False where nothing grants it. */
static bool trace(work *w, kim_text action, kim_text resource, kim_text why)
{
    int32_t id = catalogue_action(w->a->cat, action);
    w->action = action;
    w->resource = resource;
    w->reason = why;
    w->takes_no_resource = id >= 0 && catalogue_takes_no_resource(w->a->cat, id);
    w->any_free = false;
    w->alternatives = 0;
    kim_text asked = w->takes_no_resource ? KIM_NO_TEXT : resource;
    if (w->takes_no_resource)
        w->resource = KIM_TEXT("*");
    evaluate_own_grants(w->a->ev, w->identity, action, asked, see_free, w);
    if (w->alternatives == 0)
        return false;
    evaluate_own_grants(w->a->ev, w->identity, action, asked, take_grant, w);
    return true;
}

static void trace_used(work *w, const used *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (trace(w, items[i].action, items[i].resource, KIM_NO_TEXT) || kim_text_is_absent(items[i].resource))
            continue;
        /* The resource that the log names is not the kind that the grant speaks of. */
        trace(w, items[i].action, KIM_NO_TEXT, KIM_NO_TEXT);
    }
}

/* ---- what the log cannot show ---- */

static kim_text why_kept(const work *w, int32_t action, kim_text name)
{
    if (set_has(w->a->accessed, action))
        return KIM_TEXT("AWS's last-accessed data says that it was used, and not on what");
    if (kim_text_is(name, "iam:PassRole"))
        return KIM_TEXT("it is asked for with other calls and leaves no event of its own");
    if (!set_has(w->a->unseen, action))
        return KIM_TEXT("AWS's last-accessed data says that its service was used, and the log does not show how");
    return KIM_TEXT("its events are not in the log");
}

/* What may have been used, or was on something that nobody names, stays as it is granted. */
static void keep_unseen(work *w)
{
    size_t count = catalogue_count(w->a->cat);
    for (int32_t action = 0; (size_t)action < count && !w->failed; action++) {
        bool may_be_used = set_has(w->a->hidden, action) || set_has(w->a->accessed, action);
        if (!set_has(w->a->granted, action) || !may_be_used || set_has(w->a->used, action))
            continue;
        kim_text name = catalogue_name(w->a->cat, action);
        trace(w, name, KIM_NO_TEXT, why_kept(w, action, name));
    }
}

/* ---- many resources of one action ---- */

enum { RESOURCES_MAX = 12 }; /* of one action under one condition; past it they are gathered under prefixes */

/* All below "arn:aws:s3:::b/a/" for a resource right below it, or for all below a folder of it: one step
 * up, within the last part; absent at its top. */
static kim_text step_up(kim_text resource, kim_arena *arena)
{
    size_t part = 0, end = resource.size;
    for (int colons = 0; part < resource.size && colons < 5; part++)
        colons += resource.bytes[part] == ':';
    if (end > part + 1 && resource.bytes[end - 1] == '*')
        end -= resource.bytes[end - 2] == '/' ? 2 : 1;
    while (end > part && !memchr("/:", resource.bytes[end - 1], 2))
        end--;
    return end > part ? kim_text_format(arena, "%.*s*", (int)end, resource.bytes) : KIM_NO_TEXT;
}

/* Does a grant under the element's condition (or none) reach over all of the pattern in w->resource? */
static int see_reach(void *user, const own_statement *own)
{
    work *w = user;
    const kim_text condition = own->statement->condition.text;
    w->alternatives += (!own->conditional || kim_text_equal(condition, w->condition)) && covers_whole(own->statement, w->resource);
    return 0;
}

static bool is_granted(work *w, const element *e, kim_text pattern)
{
    w->resource = pattern;
    w->condition = e->condition;
    w->alternatives = 0;
    evaluate_own_grants(w->a->ev, w->identity, e->action, pattern, see_reach, w);
    return w->alternatives > 0;
}

/* Puts the elements [from, until), all of one action and condition, one step up where the grant reaches as
 * far. False where none could be. */
static bool gather_under_prefixes(work *w, size_t from, size_t until)
{
    bool moved = false;
    for (size_t i = from; i < until; i++)
        w->elements[i].was_moved = false;
    for (size_t i = from; i < until; i++) {
        element *e = &w->elements[i];
        kim_text up = e->was_moved || e->not_resources.items ? KIM_NO_TEXT : step_up(e->resource, w->arena);
        if (kim_text_is_absent(up) || !is_granted(w, e, up))
            continue;
        moved = true;
        for (size_t k = from; k < until; k++)
            if (kim_text_starts_with(w->elements[k].resource, (kim_text){up.bytes, up.size - 1})) {
                w->elements[k].resource = up;
                w->elements[k].was_moved = true;
            }
    }
    return moved;
}

static size_t count_distinct(const work *w, size_t from, size_t until)
{
    size_t count = 0;
    for (size_t i = from; i < until; i++) {
        size_t k = from;
        while (k < i && !kim_text_equal(w->elements[k].resource, w->elements[i].resource))
            k++;
        count += k == i;
    }
    return count;
}

static int by_condition_action(const void *left, const void *right);

static void drop_repeats(work *w)
{
    size_t left = 0;
    for (size_t i = 0; i < w->count; i++) {
        const element *e = &w->elements[i], *before = left ? &w->elements[left - 1] : NULL;
        if (before && by_condition_action(before, e) == 0)
            w->elements[left - 1].is_kept &= e->is_kept;
        else
            w->elements[left++] = *e;
    }
    w->count = left;
}

/* A policy of thousands of keys would fit nowhere: where an action was used on many resources, those below
 * one prefix become that prefix, as far up as needed and never past what is granted now. */
static void widen(work *w)
{
    if (w->count)
        qsort(w->elements, w->count, sizeof *w->elements, by_condition_action);
    for (size_t from = 0, until; from < w->count; from = until) {
        for (until = from + 1; until < w->count && kim_text_equal(w->elements[until].action, w->elements[from].action) &&
                               kim_text_equal(w->elements[until].condition, w->elements[from].condition);)
            until++;
        size_t before = count_distinct(w, from, until);
        bool moved = before > RESOURCES_MAX;
        while (moved && count_distinct(w, from, until) > RESOURCES_MAX)
            moved = gather_under_prefixes(w, from, until);
        for (size_t i = from; before > RESOURCES_MAX && i < until; i++)
            if (kim_text_ends_with(w->elements[i].resource, KIM_TEXT("*")))
                add_kept(w, w->elements[i].action, w->elements[i].resource,
                         kim_text_format(w->arena, "it stands for some of the %zu resources that were used", before));
    }
    if (w->count)
        qsort(w->elements, w->count, sizeof *w->elements, by_condition_action);
    drop_repeats(w);
}

/* ---- fewer words for the same ---- */

static bool reaches(const element *narrow, const element *wide)
{
    if (wide->not_resources.items == NULL)
        return is_within(narrow->resource, wide->resource);
    return narrow->not_resources.items ? same_texts(narrow->not_resources, wide->not_resources)
                                       : is_outside(narrow->resource, wide->not_resources);
}

static bool is_covered_by(const element *narrow, const element *wide)
{
    return kim_text_equal_nocase(narrow->action, wide->action) &&
           (kim_text_equal(narrow->condition, wide->condition) || wide->condition.size == 0) && reaches(narrow, wide);
}

/* Drops elements that another covers. Of two that cover each other the first stays. */
static void drop_covered(work *w)
{
    size_t left = 0;
    bool *gone = KIM_NEW_ARRAY(w->arena, bool, w->count + 1);
    for (size_t i = 0; gone && i < w->count; i++)
        for (size_t k = 0; k < w->count && !gone[i]; k++)
            gone[i] = i != k && !gone[k] && is_covered_by(&w->elements[i], &w->elements[k]) &&
                      (k < i || !is_covered_by(&w->elements[k], &w->elements[i]));
    for (size_t i = 0; gone && i < w->count; i++)
        if (!gone[i])
            w->elements[left++] = w->elements[i];
    w->count = left;
    w->failed |= gone == NULL;
}

/* An absent list comes first. */
static int compare_lists(kim_texts a, kim_texts b)
{
    if (a.count != b.count || (a.items == NULL) != (b.items == NULL))
        return a.items == NULL || (b.items && a.count < b.count) ? -1 : 1;
    for (size_t i = 0; i < a.count; i++) {
        int order = kim_text_compare(a.items[i], b.items[i]);
        if (order)
            return order;
    }
    return 0;
}

static int by_condition_action(const void *left, const void *right)
{
    const element *a = left, *b = right;
    int order = kim_text_compare(a->condition, b->condition);
    if (order == 0)
        order = kim_text_compare(a->action, b->action);
    if (order == 0)
        order = compare_lists(a->not_resources, b->not_resources);
    return order ? order : kim_text_compare(a->resource, b->resource);
}

/* What was to be kept and is now covered by another element is no longer listed. */
static void drop_stale_kept(work *w)
{
    size_t left = 0;
    for (size_t i = 0; i < w->kept_count; i++) {
        bool stands = false;
        for (size_t k = 0; k < w->count && !stands; k++)
            stands = kim_text_equal(w->elements[k].action, w->kept[i].action) && kim_text_equal(w->elements[k].resource, w->kept[i].resource);
        if (stands)
            w->kept[left++] = w->kept[i];
    }
    w->kept_count = left;
}

/* A run of elements of one action and condition: resources, or one that is all but some. */
typedef struct run {
    size_t first, count;
    bool done;
} run;

static bool same_resources(const work *w, const run *a, const run *b)
{
    if (a->count != b->count || !kim_text_equal(w->elements[a->first].condition, w->elements[b->first].condition))
        return false;
    if (!same_texts(w->elements[a->first].not_resources, w->elements[b->first].not_resources))
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!kim_text_equal(w->elements[a->first + i].resource, w->elements[b->first + i].resource))
            return false;
    return true;
}

static kim_texts texts(kim_arena *arena, size_t most)
{
    return (kim_texts){KIM_NEW_ARRAY(arena, kim_text, most ? most : 1), 0};
}

static proposed_statement statement_of(const work *w, run *runs, size_t run_count, size_t at)
{
    proposed_statement s = {.actions = texts(w->arena, run_count), .resources = texts(w->arena, runs[at].count),
                            .condition = w->elements[runs[at].first].condition};
    if (w->elements[runs[at].first].not_resources.items) {
        s.not_resources = w->elements[runs[at].first].not_resources;
        s.resources = ABSENT;
    }
    for (size_t i = 0; i < runs[at].count && s.resources.items; i++)
        ((kim_text *)s.resources.items)[s.resources.count++] = w->elements[runs[at].first + i].resource;
    for (size_t i = at; i < run_count && s.actions.items; i++) {
        if (runs[i].done || !same_resources(w, &runs[at], &runs[i]))
            continue;
        runs[i].done = true;
        ((kim_text *)s.actions.items)[s.actions.count++] = w->elements[runs[i].first].action;
    }
    return s;
}

static proposed_statement deny_of(const kim_statement *s)
{
    return (proposed_statement){.denies = true, .actions = s->actions, .not_actions = s->not_actions,
                                .resources = s->resources, .not_resources = s->not_resources, .condition = s->condition.text};
}

static int write_statements(work *w, proposal *out)
{
    run *runs = KIM_NEW_ARRAY(w->arena, run, w->count + 1);
    proposed_statement *statements = KIM_NEW_ARRAY(w->arena, proposed_statement, w->count + w->deny_count + 1);
    size_t run_count = 0;
    if (runs == NULL || statements == NULL)
        return -1;
    if (w->count)
        qsort(w->elements, w->count, sizeof *w->elements, by_condition_action);
    for (size_t i = 0; i < w->count; i++) {
        const element *e = &w->elements[i], *before = i ? &w->elements[i - 1] : NULL;
        if (before && kim_text_equal(before->action, e->action) && kim_text_equal(before->condition, e->condition) &&
            same_texts(before->not_resources, e->not_resources) && e->not_resources.items == NULL)
            runs[run_count - 1].count++;
        else
            runs[run_count++] = (run){.first = i, .count = 1};
    }
    for (size_t i = 0; i < run_count; i++)
        if (!runs[i].done)
            statements[out->count++] = statement_of(w, runs, run_count, i);
    for (size_t i = 0; i < w->deny_count; i++)
        statements[out->count++] = deny_of(w->denies[i]);
    out->statements = statements;
    return 0;
}

/* ---- trying it ---- */

static kim_record record_of(kim_record_type type, kim_text scope)
{
    return (kim_record){.type = type, .scope = scope};
}

#define PROPOSED KIM_TEXT("kim/proposal")

static int add_proposal(estate_builder *builder, const kim_record *identity, const proposal *p)
{
    kim_record r = record_of(KIM_POLICY, identity->scope);
    r.policy = (kim_policy){.id = PROPOSED, .version = KIM_TEXT("2012-10-17"), .kind = KIM_TEXT("inline")};
    if (estate_builder_add(builder, &r, NULL) < 0)
        return -1;
    for (size_t i = 0; i < p->count; i++) {
        const proposed_statement *s = &p->statements[i];
        r = record_of(KIM_STATEMENT, identity->scope);
        r.statement = (kim_statement){.policy = PROPOSED, .index = (int64_t)i, .effect = s->denies ? KIM_DENY : KIM_ALLOW,
                                      .actions = s->actions, .not_actions = s->not_actions, .resources = s->resources,
                                      .not_resources = s->not_resources};
        if (s->condition.size)
            r.statement.condition = (kim_condition){KIM_TEXT("aws"), s->condition};
        if (estate_builder_add(builder, &r, NULL) < 0)
            return -1;
    }
    r = record_of(KIM_ATTACHMENT, identity->scope);
    r.attachment = (kim_attachment){.policy = PROPOSED, .layer = KIM_TEXT("identity"), .subject = identity->identity.id};
    return estate_builder_add(builder, &r, NULL);
}

/* With a proposal, all of the estate but what identities are granted by policies of their own: no other is
 * asked. A closed estate does not say what was not read. */
static bool belongs(const work *w, const proposal *p, bool closed, const kim_record *r)
{
    if (closed && r->type == KIM_COVERAGE)
        return false;
    if (p && r->type == KIM_EDGE)
        return !(r->edge.kind == KIM_MEMBER_OF && kim_text_equal(r->edge.from, w->identity));
    if (p && r->type == KIM_ATTACHMENT)
        return !kim_text_is(r->attachment.layer, "identity");
    return r->type != KIM_CREDENTIAL;
}

/* The estate with p in place of what identities are granted by policies of their own (NULL: as it is). */
static evaluator *trial(const work *w, const kim_record *identity, const proposal *p, bool closed)
{
    estate_builder *builder = estate_builder_new(estate_catalogues_dir(w->a->es), NULL);
    bool fine = builder != NULL;
    for (int t = 1; fine && t < KIM_RECORD_TYPES; t++) {
        size_t count;
        const kim_record *items = estate_records(w->a->es, (kim_record_type)t, &count);
        for (size_t i = 0; i < count && fine; i++)
            fine = !belongs(w, p, closed, &items[i]) || estate_builder_add(builder, &items[i], NULL) == 0;
    }
    if (fine && (closed || estate_is_complete(w->a->es)))
        estate_builder_set_complete(builder);
    if (!fine || (p && add_proposal(builder, identity, p) < 0)) {
        estate_builder_free(builder);
        return NULL;
    }
    estate *es = estate_build(builder, NULL);
    evaluator *ev = es ? evaluator_new(es, NULL) : NULL;
    estate_release(es);
    return ev;
}

/* Does what was done stand as before? Where it rests on what was not read, `opened` is made to ask with that. */
static bool stands(work *w, const kim_record *identity, const proposal *p, const used *done, evaluator *after, evaluator **opened)
{
    verdict was = ask(w->closed, w, done->action, done->resource);
    if (was != DENIED)
        return ask(after, w, done->action, done->resource) >= was;
    if (*opened == NULL)
        *opened = trial(w, identity, p, false);
    w->failed |= *opened == NULL;
    return *opened && ask(*opened, w, done->action, done->resource) >= ask(w->a->ev, w, done->action, done->resource);
}

static int replay(work *w, const kim_record *identity, const used *items, size_t count, proposal *p, kim_error *err)
{
    evaluator *after = trial(w, identity, p, true), *opened = NULL;
    for (size_t i = 0; after && i < count; i++) {
        if (ask(w->a->ev, w, items[i].action, items[i].resource) == DENIED)
            continue; /* granted by something that is gone */
        p->used_count++;
        p->still_allowed += stands(w, identity, p, &items[i], after, &opened);
    }
    for (size_t i = 0; after && i < w->count; i++) {
        const element *e = &w->elements[i];
        p->new_access |= ask(after, w, e->action, e->resource) > ask(w->closed, w, e->action, e->resource);
    }
    int result = after && !w->failed ? evaluate_granted(after, w->identity, w->a->granted, w->a->conditional, err)
                                     : kim_fail(err, KIM_ERR_NOMEM, "no memory to replay a proposal");
    for (size_t i = 0; result == 0 && i < catalogue_words(w->a->cat); i++) {
        p->proposed += (size_t)__builtin_popcountll(w->a->granted[i]);
        p->conditional += (size_t)__builtin_popcountll(w->a->conditional[i]);
    }
    evaluator_free(after);
    evaluator_free(opened);
    return result;
}

static bool is_listed(const work *w, const element *e)
{
    for (size_t i = 0; i < w->kept_count; i++)
        if (kim_text_equal(w->kept[i].action, e->action) && kim_text_equal(w->kept[i].resource, e->resource))
            return true;
    return e->is_kept;
}

/* An element is needless where each thing done that it covers is covered by another as well. */
static size_t count_needless(const work *w, const used *items, size_t count)
{
    size_t needless = 0;
    for (size_t i = 0; i < w->count; i++) {
        const element *e = &w->elements[i];
        bool needed = is_listed(w, e);
        for (size_t u = 0; u < count && !needed; u++) {
            const element done = {.action = items[u].action, .condition = e->condition,
                                  .resource = kim_text_is_absent(items[u].resource) ? e->resource : items[u].resource};
            bool elsewhere = !is_covered_by(&done, e);
            for (size_t k = 0; k < w->count && !elsewhere; k++)
                elsewhere = k != i && is_covered_by(&done, &w->elements[k]);
            needed = !elsewhere;
        }
        needless += !needed;
    }
    return needless;
}

/* Roles that AWS keeps for others. Source: IAM User Guide, "Service-linked roles"; IAM Identity Center User
 * Guide, "Permission sets". NULL: the account's own. */
static const char *owned_elsewhere(kim_text identity)
{
    static const struct { const char *path, *owner; } reserved[] = {
        {":role/aws-reserved/sso.amazonaws.com/", "made from a permission set of IAM Identity Center; reduce that"},
        {":role/aws-service-role/", "linked to a service, which defines it"},
    };
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (memmem(identity.bytes, identity.size, reserved[i].path, strlen(reserved[i].path)))
            return reserved[i].owner;
    return NULL;
}

const proposal *analyst_propose(analyst *a, kim_text identity, const used *items, size_t count,
                                kim_arena *arena, kim_error *err)
{
    const kim_record *known = estate_find(a->es, KIM_IDENTITY, identity);
    gap g;
    size_t own = 0;
    if (known == NULL || analyst_gap(a, identity, items, count, &g, err) < 0)
        return known ? NULL : (kim_fail(err, KIM_ERR_NOT_FOUND, "no identity '%.*s' is known; `kim identities` lists them", KIM_PRINT(identity)), NULL);
    const char *owner = owned_elsewhere(identity);
    if (owner) {
        kim_fail(err, KIM_ERR_CONFLICT, "%.*s cannot be changed by itself: it is %s", KIM_PRINT(identity), owner);
        return NULL;
    }
    evaluate_own(a->ev, identity, count_own, &own);
    if (own == 0) {
        kim_fail(err, KIM_ERR_CONFLICT, "%.*s has no policies of its own: nothing to reduce", KIM_PRINT(identity));
        return NULL;
    }
    if (!analyst_has_log(a, known->scope)) {
        kim_fail(err, KIM_ERR_CONFLICT, "no log of %.*s was read, so nothing is known to be unused; add its CloudTrail", KIM_PRINT(known->scope));
        return NULL;
    }
    work w = {.a = a, .arena = arena, .identity = identity, .replaces = KIM_NEW_ARRAY(arena, kim_text, own),
              .denies = (const kim_statement **)kim_arena_array(arena, own, sizeof *w.denies)};
    proposal *p = KIM_NEW(arena, proposal);
    if (a->closed == NULL)
        a->closed = trial(&w, known, NULL, true);
    w.closed = a->closed;
    if (w.replaces == NULL || w.denies == NULL || p == NULL || w.closed == NULL)
        goto nomem;
    evaluate_own(a->ev, identity, note_own, &w);
    trace_used(&w, items, count);
    keep_unseen(&w);
    widen(&w);
    drop_covered(&w);
    *p = (proposal){.identity = identity, .over = a->over, .replaces = {w.replaces, w.replace_count}, .granted = g.granted};
    drop_stale_kept(&w);
    if (w.failed || write_statements(&w, p) < 0 || kim_arena_is_full(arena))
        goto nomem;
    if (replay(&w, known, items, count, p, err) < 0)
        return NULL;
    p->kept = w.kept;
    p->kept_count = w.kept_count;
    p->needless = count_needless(&w, items, count);
    return p;
nomem:
    kim_fail(err, KIM_ERR_NOMEM, "no memory for a proposal");
    return NULL;
}
