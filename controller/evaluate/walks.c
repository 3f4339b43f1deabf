/* SPDX-License-Identifier: Apache-2.0
 *
 * walks.c - binary searches over sorted records, and a breadth-first walk on top of them.
 */
#include "controller/evaluate/walks.h"

#include "controller/evaluate/text_map.h"

/* How a record's key begins, against what is looked for. */
typedef int compare_key(const kim_record *record, int32_t kind, kim_text id);

static int edge_key(const kim_record *r, int32_t kind, kim_text from)
{
    if (r->edge.kind != kind)
        return r->edge.kind < kind ? -1 : 1;
    return kim_text_compare(r->edge.from, from);
}

static int attachment_key(const kim_record *r, int32_t kind, kim_text policy)
{
    (void)kind;
    return kim_text_compare(r->attachment.policy, policy);
}

static int statement_key(const kim_record *r, int32_t kind, kim_text policy)
{
    (void)kind;
    return kim_text_compare(r->statement.policy, policy);
}

/* The first record whose key is not below (above: not above) what is looked for. */
static size_t bound(const kim_record *items, size_t count, compare_key *compare, int32_t kind, kim_text id, bool above)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&items[middle], kind, id);
        if (order < 0 || (above && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static record_run run_of(const estate *es, kim_record_type type, compare_key *compare, int32_t kind, kim_text id)
{
    size_t count;
    const kim_record *items = estate_records(es, type, &count);
    size_t first = bound(items, count, compare, kind, id, false), end = bound(items, count, compare, kind, id, true);
    return (record_run){items ? items + first : NULL, end - first};
}

record_run edges_from(const estate *es, kim_edge_kind kind, kim_text from)
{
    return run_of(es, KIM_EDGE, edge_key, (int32_t)kind, from);
}

record_run attachments_of(const estate *es, kim_text policy)
{
    return run_of(es, KIM_ATTACHMENT, attachment_key, 0, policy);
}

record_run statements_of(const estate *es, kim_text policy)
{
    return run_of(es, KIM_STATEMENT, statement_key, 0, policy);
}

static bool append(memberships *all, size_t *room, membership one, kim_arena *arena)
{
    if (all->count == *room) {
        size_t more = *room ? *room * 2 : 16;
        membership *items = KIM_NEW_ARRAY(arena, membership, more);
        if (items == NULL)
            return false;
        if (all->count)
            memcpy(items, all->items, all->count * sizeof *items);
        all->items = items;
        *room = more;
    }
    all->items[all->count++] = one;
    return true;
}

memberships memberships_of(const estate *es, kim_text identity, kim_arena *arena)
{
    memberships all = {0};
    size_t room = 0;
    text_map *seen = text_map_new(arena);
    if (seen == NULL || text_map_add(seen, identity) == UINT32_MAX || !append(&all, &room, (membership){.id = identity}, arena))
        return (memberships){0};
    for (size_t at = 0; at < all.count; at++) {
        record_run edges = edges_from(es, KIM_MEMBER_OF, all.items[at].id);
        for (size_t i = 0; i < edges.count; i++) {
            const kim_edge *e = &edges.items[i].edge;
            uint32_t before = text_map_count(seen), number = text_map_add(seen, e->to);
            if (number != UINT32_MAX && number < before)
                continue;
            if (all.count == MEMBERSHIPS_MAX) {
                all.is_cut = true;
                return all;
            }
            if (number == UINT32_MAX || !append(&all, &room, (membership){e->to, e, at}, arena))
                return (memberships){0};
        }
    }
    return all;
}

size_t memberships_find(const memberships *of, kim_text id)
{
    size_t at = 0;
    while (at < of->count && !kim_text_equal(of->items[at].id, id))
        at++;
    return at;
}
