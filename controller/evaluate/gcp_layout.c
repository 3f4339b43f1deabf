/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_layout.c - bindings, deny rules and bounds by where they count: sorted by place or by node, and indexed.
 */
#include "controller/evaluate/gcp_rules.h"

/* Starts of equal keys: lists[key] over items already counted there. */
static void start_lists(gcp_list *lists, size_t count)
{
    uint32_t first = 0;
    for (size_t i = 0; i < count; i++) {
        lists[i].first = first;
        first += lists[i].count;
        lists[i].count = 0;
    }
}

static int sort_bindings(gcp_rules *r)
{
    gcp_binding *sorted = KIM_NEW_ARRAY(r->arena, gcp_binding, r->binding_count + 1);
    if (sorted == NULL)
        return -1;
    for (uint32_t i = 0; i < r->binding_count; i++)
        r->bindings_at[r->bindings[i].place].count++;
    start_lists(r->bindings_at, r->tree.count);
    for (uint32_t i = 0; i < r->binding_count; i++) {
        gcp_list *at = &r->bindings_at[r->bindings[i].place];
        sorted[at->first + at->count++] = r->bindings[i];
    }
    r->bindings = sorted;
    return 0;
}

static int sort_denies(gcp_rules *r)
{
    gcp_deny_rule *sorted = KIM_NEW_ARRAY(r->arena, gcp_deny_rule, r->deny_count + 1);
    if (sorted == NULL)
        return -1;
    for (uint32_t i = 0; i < r->deny_count; i++)
        r->denies_at[r->denies[i].place].count++;
    start_lists(r->denies_at, r->tree.count);
    for (uint32_t i = 0; i < r->deny_count; i++) {
        gcp_list *at = &r->denies_at[r->denies[i].place];
        sorted[at->first + at->count++] = r->denies[i];
    }
    r->denies = sorted;
    r->has_denies = r->deny_count > 0;
    return 0;
}

static int sort_bounds(gcp_rules *r, const gcp_bound *bounds)
{
    r->bounds = KIM_NEW_ARRAY(r->arena, gcp_bound, r->bound_count + 1);
    r->open_bounds = KIM_NEW_ARRAY(r->arena, uint32_t, r->bound_count + 1);
    if (r->bounds == NULL || r->open_bounds == NULL)
        return -1;
    for (uint32_t i = 0; i < r->bound_count; i++)
        r->bounds_of[bounds[i].node].count++;
    start_lists(r->bounds_of, r->graph.count);
    for (uint32_t i = 0; i < r->bound_count; i++) {
        gcp_list *of = &r->bounds_of[bounds[i].node];
        uint32_t number = of->first + of->count++;
        r->bounds[number] = bounds[i];
    }
    for (uint32_t i = 0; i < r->bound_count; i++)
        if (r->graph.nodes[r->bounds[i].node].holds_open)
            r->open_bounds[r->open_bound_count++] = i;
    r->has_bounds = r->bound_count > 0;
    return 0;
}

static uint64_t hold_key(uint32_t place, uint32_t node)
{
    return (uint64_t)place << 32 | node;
}

static size_t hold_slot(const gcp_rules *r, uint64_t key)
{
    uint64_t h = key * UINT64_C(0x9E3779B97F4A7C15);
    size_t at = (size_t)(h ^ h >> 32) & (r->hold_slots - 1);
    while (r->holds[at].bindings.count && r->holds[at].key != key)
        at = (at + 1) & (r->hold_slots - 1);
    return at;
}

const gcp_list *gcp_rules_held(const gcp_rules *r, uint32_t place, uint32_t node)
{
    const gcp_hold *h = &r->holds[hold_slot(r, hold_key(place, node))];
    return h->bindings.count ? &h->bindings : NULL;
}

static int index_holds(gcp_rules *r, size_t most)
{
    for (r->hold_slots = 64; r->hold_slots < 2 * most; r->hold_slots *= 2)
        ;
    r->holds = KIM_NEW_ARRAY(r->arena, gcp_hold, r->hold_slots);
    r->held = KIM_NEW_ARRAY(r->arena, gcp_held, most + 1);
    r->by_node = KIM_NEW_ARRAY(r->arena, uint32_t, most + 1);
    r->marks = KIM_NEW_ARRAY(r->arena, gcp_marks, r->graph.count + 1);
    if (r->holds == NULL || r->held == NULL || r->by_node == NULL || r->marks == NULL)
        return -1;
    for (int pass = 0; pass < 2; pass++) { /* counted, then placed */
        for (uint32_t i = 0; i < r->binding_count; i++) {
            const gcp_binding *b = &r->bindings[i];
            if (b->member == UINT32_MAX)
                continue;
            size_t at = hold_slot(r, hold_key(b->place, b->member));
            gcp_list *held = &r->holds[at].bindings, *of = &r->bindings_of[b->member];
            if (pass == 1) {
                r->held[held->first++] = (gcp_held){i, b->role}; /* set back below */
                r->by_node[of->first + of->count] = i;
            } else {
                r->holds[at].key = hold_key(b->place, b->member);
                unsigned word;
                uint64_t mark = gcp_mark(b->place, &word);
                r->marks[b->member].words[word] |= mark;
                held->count++;
            }
            of->count++;
        }
        if (pass == 1)
            break;
        start_lists(r->bindings_of, r->graph.count);
        uint32_t first = 0;
        for (size_t i = 0; i < r->hold_slots; i++) {
            r->holds[i].bindings.first = first;
            first += r->holds[i].bindings.count;
        }
    }
    for (size_t i = 0; i < r->hold_slots; i++)
        r->holds[i].bindings.first -= r->holds[i].bindings.count;
    return 0;
}

static bool is_open(const gcp_rules *r, const gcp_binding *b)
{
    return b->unread.size > 0 || (b->member != UINT32_MAX && r->graph.nodes[b->member].holds_open);
}

static int index_open(gcp_rules *r)
{
    uint32_t count = 0;
    r->open = KIM_NEW_ARRAY(r->arena, uint32_t, r->binding_count + 1);
    if (r->open == NULL)
        return -1;
    for (uint32_t i = 0; i < r->binding_count; i++) { /* bindings are in the order of places */
        if (!is_open(r, &r->bindings[i]))
            continue;
        gcp_list *at = &r->open_at[r->bindings[i].place];
        if (at->count == 0)
            at->first = count;
        at->count++;
        r->open[count++] = i;
    }
    return 0;
}

/* ---- rows ---- */

static int make_rows(gcp_rules *r, gcp_rows *rows, size_t of)
{
    enum { ROWS_MAX_WORDS = 8 * 1024 * 1024 };
    size_t words = of / 64 + 1, count = (size_t)text_map_count(r->permissions) + 1;
    if (words > ROWS_MAX_WORDS / count)
        return 0;
    *rows = (gcp_rows){KIM_NEW_ARRAY(r->arena, uint64_t, words * count), words};
    return rows->bits ? 0 : -1;
}

/* permissions: bits by their numbers; NULL: all, and those without a number. */
static void add_to_rows(const gcp_rules *r, gcp_rows *rows, uint32_t item, const uint64_t *permissions, const uint64_t *less)
{
    size_t count = (size_t)text_map_count(r->permissions) + 1;
    uint64_t bit = UINT64_C(1) << item % 64;
    for (size_t p = 0; permissions == NULL && p < count; p++)
        rows->bits[p * rows->words + item / 64] |= bit;
    for (size_t w = 0; permissions && w < r->words; w++)
        for (uint64_t left = permissions[w] & ~(less ? less[w] : 0); left; left &= left - 1)
            rows->bits[(w * 64 + (size_t)__builtin_ctzll(left)) * rows->words + item / 64] |= bit;
}

static int index_permissions(gcp_rules *r)
{
    uint32_t roles = text_map_count(r->role_names);
    if (make_rows(r, &r->role_rows, roles) < 0 || make_rows(r, &r->deny_rows, r->deny_count) < 0)
        return -1;
    for (uint32_t i = 0; r->role_rows.bits && i < roles; i++)
        add_to_rows(r, &r->role_rows, i, r->roles[i].permissions, NULL);
    for (uint32_t i = 0; r->deny_rows.bits && i < r->deny_count; i++) {
        const gcp_deny_rule *one = &r->denies[i];
        bool all = one->unread.size || one->denied.globs || one->denied.bits == NULL;
        add_to_rows(r, &r->deny_rows, i, all ? NULL : one->denied.bits, one->spared.bits);
        if (!all) /* one that no role has is for its patterns to say */
            r->deny_rows.bits[text_map_count(r->permissions) * r->deny_rows.words + i / 64] |= UINT64_C(1) << i % 64;
    }
    return 0;
}

/* A gap at a place stands for all that lies below it; of several the first is named. */
static int index_gaps(gcp_rules *r)
{
    r->gap_at = r->gap_count ? KIM_NEW_ARRAY(r->arena, kim_text, r->tree.count + 1) : NULL;
    if (r->gap_count && r->gap_at == NULL)
        return -1;
    for (uint32_t i = r->gap_count; i-- > 0;)
        if (r->gaps[i].place != GCP_NOWHERE)
            r->gap_at[r->gaps[i].place] = r->gaps[i].what;
    return 0;
}

int gcp_rules_lay_out(gcp_rules *r, const gcp_bound *bounds)
{
    r->bindings_at = KIM_NEW_ARRAY(r->arena, gcp_list, r->tree.count + 1);
    r->denies_at = KIM_NEW_ARRAY(r->arena, gcp_list, r->tree.count + 1);
    r->open_at = KIM_NEW_ARRAY(r->arena, gcp_list, r->tree.count + 1);
    r->bounds_of = KIM_NEW_ARRAY(r->arena, gcp_list, r->graph.count + 1);
    r->bindings_of = KIM_NEW_ARRAY(r->arena, gcp_list, r->graph.count + 1);
    if (r->bindings_at == NULL || r->denies_at == NULL || r->open_at == NULL || r->bounds_of == NULL || r->bindings_of == NULL)
        return -1;
    if (sort_bindings(r) < 0 || sort_denies(r) < 0 || sort_bounds(r, bounds) < 0 || index_holds(r, r->binding_count) < 0)
        return -1;
    return index_open(r) < 0 || index_permissions(r) < 0 ? -1 : index_gaps(r);
}
