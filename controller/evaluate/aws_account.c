/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_account.c - walks from an account to its root once, and remembers it.
 */
#include "controller/evaluate/aws_account.h"

/* The first coverage record of a part; [*count] of them follow each other. */
static const kim_record *coverage_of_part(const evaluator *ev, kim_text part, size_t *count)
{
    size_t total, low = 0;
    const kim_record *items = estate_records(ev->es, KIM_COVERAGE, &total);
    size_t high = total; /* sorted by part first */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (kim_text_compare(items[middle].coverage.part, part) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (*count = 0; low + *count < total && kim_text_equal(items[low + *count].coverage.part, part);)
        ++*count;
    return *count ? items + low : NULL;
}

static bool is_unread(const kim_coverage *c)
{
    return c->status == KIM_UNREADABLE || c->status == KIM_PARTIAL;
}

bool account_part_is_unread(const evaluator *ev, const account *a, kim_text part, kim_text resource)
{
    size_t count;
    const kim_record *items = coverage_of_part(ev, part, &count);
    for (size_t i = 0; i < count; i++) {
        const kim_coverage *c = &items[i].coverage;
        bool here = a->scope && kim_text_equal(items[i].scope, a->scope->scope);
        if (here && is_unread(c) && (kim_text_is_absent(c->resource) || kim_text_equal(c->resource, resource)))
            return true;
    }
    return false;
}

bool part_was_read(const evaluator *ev, kim_text part)
{
    size_t count;
    const kim_record *items = coverage_of_part(ev, part, &count);
    for (size_t i = 0; i < count; i++)
        if (items[i].coverage.status == KIM_READ || items[i].coverage.status == KIM_PARTIAL)
            return true;
    return false;
}

bool account_part_is_read(const evaluator *ev, const account *a, kim_text part)
{
    size_t count;
    const kim_record *items = coverage_of_part(ev, part, &count);
    for (size_t i = 0; i < count; i++)
        if (a->scope && kim_text_equal(items[i].scope, a->scope->scope) && items[i].coverage.status != KIM_UNREADABLE)
            return true;
    return false;
}

/* Was any part of the account read? Its place is told by its organisation. */
static bool has_any_part(const evaluator *ev, kim_text scope)
{
    size_t count;
    const kim_record *items = estate_records(ev->es, KIM_COVERAGE, &count);
    for (size_t i = 0; i < count; i++)
        if (kim_text_equal(items[i].scope, scope) && items[i].coverage.status != KIM_UNREADABLE)
            return true;
    return false;
}

static kim_text scope_of(evaluator *ev, kim_text id)
{
    return kim_text_format(ev->kept, "aws:%.*s", KIM_PRINT(id));
}

/* Fills the chain from the account upwards, then turns it round. */
static void climb(evaluator *ev, account *a)
{
    const level *at = rules_level(ev->r, a->scope->scope);
    while (at && at->scope && a->depth < KIM_SCOPE_MAX_DEPTH) {
        a->chain[a->depth++] = at;
        const kim_scope *scope = &at->scope->as_scope;
        if (kim_text_is(scope->kind, "organisation")) {
            a->organization = (kim_text){scope->id.bytes + 4, scope->id.size - 4}; /* after "aws:" */
            a->is_management = kim_text_equal(kim_pairs_get(scope->facts, "management_account"), a->id);
        }
        if (kim_text_is_absent(scope->parent))
            break;
        if (kim_text_starts_with(scope->parent, KIM_TEXT("aws:o-"))) { /* told, even where the organisation was not read */
            const char *slash = memchr(scope->parent.bytes, '/', scope->parent.size);
            size_t end = slash ? (size_t)(slash - scope->parent.bytes) : scope->parent.size;
            a->organization = (kim_text){scope->parent.bytes + 4, end - 4};
        }
        at = rules_level(ev->r, scope->parent);
        a->organization_unread |= at == NULL || at->scope == NULL;
    }
    for (size_t i = 0; i < a->depth / 2; i++) {
        const level *swap = a->chain[i];
        a->chain[i] = a->chain[a->depth - 1 - i];
        a->chain[a->depth - 1 - i] = swap;
    }
}

static bool says_something(const policy_set *set)
{
    return set && (set->range_count || set->has_unread);
}

/* Where every level's documents are empty the organisation does not use that kind of policy: the
 * last full-access policy cannot be taken from one level alone. A case means what it says. */
static void find_guardrails(evaluator *ev, account *a)
{
    bool complete = estate_is_complete(ev->es);
    for (size_t i = 0; i < a->depth; i++) {
        a->has_scp |= complete ? a->chain[i]->scp != 0 : says_something(rules_set(ev->r, a->chain[i]->scp));
        a->has_rcp |= complete ? a->chain[i]->rcp != 0 : says_something(rules_set(ev->r, a->chain[i]->rcp));
    }
    /* A member's own agent cannot read the organisation; where another's did, the chain tells all. */
    if (a->organization.size == 0)
        a->organization_unread |= account_part_is_unread(ev, a, KIM_TEXT("organizations"), KIM_NO_TEXT) ||
                              (a->scope == NULL && !complete);
}

static account *make_account(evaluator *ev, kim_text id)
{
    account *a = KIM_NEW(ev->kept, account);
    if (a == NULL)
        return NULL;
    a->id = kim_text_copy(ev->kept, id);
    kim_text scope = scope_of(ev, id);
    const level *home = rules_level(ev->r, scope);
    a->scope = home ? home->scope : NULL;
    if (a->scope)
        climb(ev, a);
    find_guardrails(ev, a);
    a->is_read = estate_is_complete(ev->es) ||
                 (a->scope && (account_part_is_read(ev, a, KIM_TEXT("iam")) || home->has_identities));
    a->is_strange = !a->is_read && !has_any_part(ev, scope);
    return a;
}

const account *account_of(evaluator *ev, kim_text id)
{
    if (ev->last_account && kim_text_equal(ev->last_account->id, id))
        return ev->last_account;
    uint32_t before = text_map_count(ev->account_ids);
    uint32_t number = text_map_find(ev->account_ids, id);
    if (number != UINT32_MAX)
        return ev->last_account = ev->accounts[number];
    account *a = make_account(ev, id);
    if (a == NULL || text_map_add(ev->account_ids, a->id) == UINT32_MAX)
        return NULL;
    if (before >= ev->account_capacity) {
        size_t capacity = ev->account_capacity ? ev->account_capacity * 2 : 8;
        account **accounts = (account **)kim_arena_array(ev->kept, capacity, sizeof *accounts);
        if (accounts == NULL)
            return NULL;
        if (before)
            memcpy(accounts, ev->accounts, before * sizeof *accounts);
        ev->accounts = accounts;
        ev->account_capacity = capacity;
    }
    return ev->accounts[before] = a;
}

const account *account_of_holder(evaluator *ev, const holder *h)
{
    const account **kept = &ev->holder_accounts[h->account];
    if (*kept == NULL)
        *kept = account_of(ev, holder_account(h));
    return *kept;
}

kim_texts account_strange_organizations(const evaluator *ev, const account *a, bool with_slash, kim_arena *arena)
{
    size_t total, count = 0;
    const kim_record *items = estate_records(ev->es, KIM_SCOPE, &total);
    kim_text *names = a->scope ? NULL : KIM_NEW_ARRAY(arena, kim_text, total + 1);
    for (size_t i = 0; names && i < total; i++) {
        const kim_scope *scope = &items[i].as_scope;
        if (!kim_text_is(scope->kind, "organisation") || !kim_text_is(kim_pairs_get(scope->facts, "accounts"), "all"))
            continue;
        kim_text id = {scope->id.bytes + 4, scope->id.size - 4}; /* after "aws:" */
        names[count++] = with_slash ? kim_text_format(arena, "%.*s/", KIM_PRINT(id)) : id;
    }
    return (kim_texts){count ? names : NULL, count};
}
