/* SPDX-License-Identifier: Apache-2.0
 *
 * gaps.c - two bitsets over the catalogue, granted and used, and what the log cannot show as a third.
 */
#include <stdlib.h>

#include <kim/time.h>

#include "controller/analyse/analyst.h"

analyst *analyst_new(estate *es, window over, kim_error *err)
{
    analyst *a = calloc(1, sizeof *a);
    if (a == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for an analysis");
        return NULL;
    }
    a->es = estate_hold(es);
    a->over = over;
    a->ev = evaluator_new(es, err);
    a->cat = a->ev ? evaluator_catalogue(a->ev) : NULL;
    if (a->ev && a->cat == NULL)
        kim_fail(err, KIM_ERR_NOT_FOUND, "the catalogue of AWS's actions is not installed; run `make install`, or set KIM_DATA_DIR");
    size_t words = a->cat ? catalogue_words(a->cat) : 0;
    a->granted = words ? calloc(6 * words, sizeof *a->granted) : NULL;
    if (a->granted == NULL) {
        if (words)
            kim_fail(err, KIM_ERR_NOMEM, "no memory for an analysis");
        analyst_free(a);
        return NULL;
    }
    a->conditional = a->granted + words;
    a->used = a->conditional + words;
    a->accessed = a->used + words;
    a->hidden = a->accessed + words;
    a->unseen = a->hidden + words;
    return a;
}

void analyst_free(analyst *a)
{
    if (a == NULL)
        return;
    evaluator_free(a->ev);
    evaluator_free(a->closed);
    estate_release(a->es);
    free(a->granted);
    free(a);
}

/* ---- what the log cannot show ---- */

static const kim_record *coverage(const analyst *a, size_t *count)
{
    return estate_records(a->es, KIM_COVERAGE, count);
}

bool analyst_has_log(const analyst *a, kim_text scope)
{
    size_t count;
    const kim_record *items = coverage(a, &count);
    for (size_t i = 0; i < count; i++)
        if (kim_text_equal(items[i].scope, scope) && kim_text_starts_with(items[i].coverage.part, KIM_TEXT("log:")) &&
            items[i].coverage.status != KIM_UNREADABLE)
            return true;
    return false;
}

const uint64_t *analyst_unseen(analyst *a, kim_text scope)
{
    if (a->unseen_is_made && kim_text_equal(a->unseen_scope, scope))
        return a->unseen;
    size_t count, words = catalogue_words(a->cat);
    const kim_record *items = coverage(a, &count);
    a->unseen_scope = scope;
    a->unseen_is_made = true;
    memset(a->unseen, analyst_has_log(a, scope) ? 0 : 0xFF, words * sizeof *a->unseen);
    for (size_t i = 0; i < count; i++) {
        const kim_coverage *c = &items[i].coverage;
        if (!kim_text_equal(items[i].scope, scope) || !kim_text_starts_with(c->part, KIM_TEXT("log:data:")) || c->status != KIM_UNREADABLE)
            continue;
        for (size_t k = 0; k < c->actions.count; k++)
            catalogue_match(a->cat, c->actions.items[k], a->unseen);
    }
    /* Asked for with another call, never a call of its own. IAM User Guide, "Granting a user permissions to
     * pass a role to an AWS service". */
    catalogue_match(a->cat, KIM_TEXT("iam:passrole"), a->unseen);
    return a->unseen;
}

/* ---- what the provider itself says was used last ----
 *
 * AWS's last-accessed data are facts of an identity: "last_accessed.s3:GetObject", and for services whose
 * actions it does not track "last_accessed.s3". They know no resource, and count refused attempts too. */

/* A service was used in the window: which of its actions, only the log can tell. */
static void note_service(analyst *a, kim_text prefix)
{
    const catalogue_service *service = catalogue_service_find(a->cat, prefix);
    bool is_shown = false;
    if (service == NULL)
        return;
    for (int32_t i = 0; i < service->count && !is_shown; i++)
        is_shown = set_has(a->used, service->first + i) || set_has(a->accessed, service->first + i);
    for (int32_t i = 0; i < service->count && !is_shown; i++)
        set_add(a->hidden, service->first + i);
}

static void note_last_accessed(analyst *a, const kim_record *identity, bool services)
{
    const kim_text prefix = KIM_TEXT("last_accessed.");
    for (size_t i = 0; identity && i < identity->identity.facts.count; i++) {
        const kim_pair *fact = &identity->identity.facts.items[i];
        if (!kim_text_starts_with(fact->name, prefix) || kim_time_of_text(fact->value) < a->over.from_unix_ms)
            continue;
        kim_text what = {fact->name.bytes + prefix.size, fact->name.size - prefix.size};
        bool is_action = memchr(what.bytes, ':', what.size) != NULL;
        int32_t action = is_action ? catalogue_action(a->cat, what) : -1;
        if (action >= 0 && !services)
            set_add(a->accessed, action);
        else if (!is_action && services)
            note_service(a, what);
    }
}

/* ---- gaps ---- */

static size_t count_bits(const uint64_t *set, size_t words)
{
    size_t count = 0;
    for (size_t i = 0; i < words; i++)
        count += (size_t)__builtin_popcountll(set[i]);
    return count;
}

int analyst_gap(analyst *a, kim_text identity, const used *items, size_t count, gap *out, kim_error *err)
{
    size_t words = catalogue_words(a->cat);
    const kim_record *known = estate_find(a->es, KIM_IDENTITY, identity);
    gap g = {0};
    if (evaluate_granted(a->ev, identity, a->granted, a->conditional, err) < 0)
        return -1;
    const uint64_t *unseen = analyst_unseen(a, known ? known->scope : KIM_NO_TEXT);
    memset(a->used, 0, words * sizeof *a->used);
    for (size_t i = 0; i < count; i++) {
        int32_t action = catalogue_action(a->cat, items[i].action);
        if (action >= 0)
            set_add(a->used, action);
        if (items[i].last_unix_ms > g.last_used_unix_ms)
            g.last_used_unix_ms = items[i].last_unix_ms;
    }
    memset(a->accessed, 0, words * sizeof *a->accessed);
    memcpy(a->hidden, unseen, words * sizeof *a->hidden);
    note_last_accessed(a, known, false);
    note_last_accessed(a, known, true);
    g.granted = count_bits(a->granted, words);
    g.conditional = count_bits(a->conditional, words);
    for (size_t w = 0; w < words; w++) {
        uint64_t done = a->used[w] | a->accessed[w], not_used = a->granted[w] & ~done;
        g.used += (size_t)__builtin_popcountll(a->granted[w] & done);
        g.unseen += (size_t)__builtin_popcountll(not_used & a->hidden[w]);
        for (uint64_t rest = not_used; rest; rest &= rest - 1)
            g.unused_by_level[catalogue_level_of(a->cat, (int32_t)(w * 64) + __builtin_ctzll(rest))]++;
    }
    g.unused = g.granted - g.used;
    *out = g;
    return 0;
}
