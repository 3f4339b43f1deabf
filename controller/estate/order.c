/* SPDX-License-Identifier: Apache-2.0
 *
 * order.c - a key is a row of texts and numbers, and is sorted eight bytes at a time.
 *
 * Records are split in three by eight bytes of their keys: below those of one of them, equal, and above.
 * The equal ones go on with the next eight, or with the key's next part. The eight bytes stand beside the
 * record's number, so that splitting reads no record; the records move once, at the end.
 */
#include "controller/estate/order.h"

#include <stdlib.h>

enum { PARTS_MAX = 8, FEW = 12 };

/* One part of a key. */
typedef struct part {
    size_t offset; /* within kim_record */
    kim_field_kind kind;
} part;

typedef struct item {
    uint64_t bytes;  /* the eight that are looked at, as a number that sorts like them */
    uint32_t number; /* of the record */
} item;

typedef struct sorting {
    const kim_record *records;
    part parts[PARTS_MAX]; /* [part_count] the last is the scope */
    size_t part_count;
} sorting;

static size_t parts_of(kim_record_type type, part parts[PARTS_MAX])
{
    size_t count, used = 0;
    const kim_field *fields = kim_record_fields(type, &count);
    for (size_t i = 0; i < count && used + 1 < PARTS_MAX; i++)
        if (fields[i].is_key)
            parts[used++] = (part){fields[i].offset, fields[i].kind};
    parts[used++] = (part){offsetof(kim_record, scope), KIM_FIELD_TEXT};
    return used;
}

static int compare_part(const kim_record *a, const kim_record *b, const part *p)
{
    const void *x = (const char *)a + p->offset, *y = (const char *)b + p->offset;
    if (p->kind == KIM_FIELD_TEXT) {
        const kim_text *m = x, *n = y;
        int order = kim_text_compare(*m, *n);
        return order ? order : (m->bytes != NULL) - (n->bytes != NULL);
    }
    if (p->kind == KIM_FIELD_ENUM)
        return (*(const int32_t *)x > *(const int32_t *)y) - (*(const int32_t *)x < *(const int32_t *)y);
    return (*(const int64_t *)x > *(const int64_t *)y) - (*(const int64_t *)x < *(const int64_t *)y);
}

static int compare_from(const sorting *s, const item *a, const item *b, size_t from)
{
    int order = 0;
    for (size_t i = from; i < s->part_count && order == 0; i++)
        order = compare_part(&s->records[a->number], &s->records[b->number], &s->parts[i]);
    return order ? order : (a->number > b->number) - (a->number < b->number);
}

int order_compare(const kim_record *a, const kim_record *b)
{
    part parts[PARTS_MAX];
    size_t count = parts_of(a->type, parts);
    int order = 0;
    for (size_t i = 0; i < count && order == 0; i++)
        order = compare_part(a, b, &parts[i]);
    return order;
}

/* ---- eight bytes at a time ---- */

static const kim_text *text_of(const sorting *s, const item *one, const part *p)
{
    return (const kim_text *)((const char *)&s->records[one->number] + p->offset);
}

static uint64_t look(const kim_record *record, const part *p, size_t depth)
{
    const char *at = (const char *)record + p->offset;
    if (p->kind == KIM_FIELD_ENUM)
        return (uint64_t)(int64_t)*(const int32_t *)at ^ UINT64_C(1) << 63;
    if (p->kind != KIM_FIELD_TEXT)
        return (uint64_t)*(const int64_t *)at ^ UINT64_C(1) << 63;
    const kim_text *text = (const kim_text *)at;
    uint64_t eight = 0;
    if (text->size > depth)
        memcpy(&eight, text->bytes + depth, text->size - depth < 8 ? text->size - depth : 8);
    return __builtin_bswap64(eight);
}

/* Where items that look alike go on: with the same part's next eight bytes, or with the next part. False
 * where the eight bytes do not tell: a text that ends within them is not one with zeros. */
static bool next_look(const sorting *s, const item *items, size_t count, size_t *number, size_t *depth)
{
    const part *p = &s->parts[*number];
    size_t shortest = SIZE_MAX, longest = 0;
    bool absent = false, there = false;
    for (size_t i = 0; i < count && p->kind == KIM_FIELD_TEXT; i++) {
        const kim_text *text = text_of(s, &items[i], p);
        shortest = text->size < shortest ? text->size : shortest;
        longest = text->size > longest ? text->size : longest;
        absent |= text->bytes == NULL;
        there |= text->bytes != NULL;
    }
    if (p->kind == KIM_FIELD_TEXT && shortest >= *depth + 8) {
        *depth += 8;
        return true;
    }
    ++*number;
    *depth = 0;
    return p->kind != KIM_FIELD_TEXT || (shortest == longest && !(absent && there));
}

static void sort_few(const sorting *s, item *items, size_t count, size_t from)
{
    for (size_t i = 1; i < count; i++) {
        item one = items[i];
        size_t at = i;
        for (; at > 0 && compare_from(s, &items[at - 1], &one, from) > 0; at--)
            items[at] = items[at - 1];
        items[at] = one;
    }
}

static void swap(item *a, item *b)
{
    item kept = *a;
    *a = *b;
    *b = kept;
}

static uint64_t middle_of(uint64_t a, uint64_t b, uint64_t c)
{
    return a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
}

static void sift(const sorting *s, item *items, size_t at, size_t count, size_t from)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare_from(s, &items[child], &items[child + 1], from) < 0)
            child++;
        if (compare_from(s, &items[at], &items[child], from) >= 0)
            return;
        swap(&items[at], &items[child]);
    }
}

/* By whole keys, for what the eight bytes do not tell apart. */
static void sort_whole(const sorting *s, item *items, size_t count, size_t from)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(s, items, i, count, from);
    for (size_t end = count; end-- > 1;) {
        swap(&items[0], &items[end]);
        sift(s, items, 0, end, from);
    }
}

/* Splits items whose eight bytes are read; those below and above go round again in here. */
static void split(const sorting *s, item *items, size_t count, size_t number, size_t depth, unsigned patience);

/* Items that have been alike so far: reads their next eight bytes, and sorts by these. */
static void sort_alike(const sorting *s, item *items, size_t count, size_t number, size_t depth)
{
    for (;;) {
        if (count <= FEW) {
            sort_few(s, items, count, number);
            return;
        }
        if (number == s->part_count) { /* one key: in the order they came */
            sort_whole(s, items, count, number);
            return;
        }
        bool differ = false;
        for (size_t i = 0; i < count; i++) {
            items[i].bytes = look(&s->records[items[i].number], &s->parts[number], depth);
            differ |= items[i].bytes != items[0].bytes;
        }
        if (differ) {
            unsigned patience = 8;
            for (size_t n = count; n; n /= 2)
                patience += 2;
            split(s, items, count, number, depth, patience);
            return;
        }
        size_t from = number;
        if (!next_look(s, items, count, &number, &depth)) {
            sort_whole(s, items, count, from);
            return;
        }
    }
}

static void split(const sorting *s, item *items, size_t count, size_t number, size_t depth, unsigned patience)
{
    while (count > 1) {
        if (patience-- == 0) {
            sort_whole(s, items, count, number);
            return;
        }
        uint64_t pivot = middle_of(items[0].bytes, items[count / 2].bytes, items[count - 1].bytes);
        size_t below = 0, at = 0, above = count;
        while (at < above) {
            if (items[at].bytes < pivot)
                swap(&items[below++], &items[at++]);
            else if (items[at].bytes > pivot)
                swap(&items[at], &items[--above]);
            else
                at++;
        }
        size_t next_number = number, next_depth = depth;
        if (above - below > 1 && !next_look(s, items + below, above - below, &next_number, &next_depth))
            sort_whole(s, items + below, above - below, number);
        else
            sort_alike(s, items + below, above - below, next_number, next_depth);
        if (below < count - above) { /* the smaller side by a call, the other here: the stack stays low */
            split(s, items, below, number, depth, patience);
            items += above;
            count -= above;
        } else {
            split(s, items + above, count - above, number, depth, patience);
            count = below;
        }
    }
}

/* Puts each record where it belongs: follows each cycle once. */
static void arrange(kim_record *records, item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].number == i)
            continue;
        kim_record kept = records[i];
        size_t at = i;
        while (items[at].number != i) {
            size_t from = items[at].number;
            records[at] = records[from];
            items[at].number = (uint32_t)at;
            at = from;
        }
        records[at] = kept;
        items[at].number = (uint32_t)at;
    }
}

static bool is_sorted(const kim_record *records, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (order_compare(&records[i - 1], &records[i]) > 0)
            return false;
    return true;
}

bool order_sort(kim_record *records, size_t count)
{
    if (count < 2 || is_sorted(records, count))
        return true;
    sorting s = {.records = records};
    item *items = malloc(count * sizeof *items);
    if (items == NULL)
        return false;
    s.part_count = parts_of(records->type, s.parts);
    for (size_t i = 0; i < count; i++)
        items[i].number = (uint32_t)i;
    sort_alike(&s, items, count, 0, 0);
    arrange(records, items, count);
    free(items);
    return true;
}
