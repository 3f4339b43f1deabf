/* SPDX-License-Identifier: Apache-2.0
 *
 * out.c - all records wait, are sorted by key and then by all they say; equal keys are joined.
 */
#include <stdlib.h>

#include "plugins/azure/out.h"

int azure_out_start(azure_out *out, const kim_host *host, size_t max_bytes, kim_error *err)
{
    *out = (azure_out){.host = host, .arena = kim_arena_new(max_bytes)};
    if (out->arena == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "azure: no memory to begin with");
    kim_emitter_start(&out->emitter, host);
    return 0;
}

void azure_out_stop(azure_out *out)
{
    if (out->arena)
        kim_emitter_stop(&out->emitter);
    kim_arena_free(out->arena);
    free(out->waiting);
    *out = (azure_out){0};
}

void azure_out_drop(azure_out *out)
{
    out->count = 0;
    out->emitter.pending.size = 0;
    kim_arena_reset(out->arena);
}

int azure_put(azure_out *out, const kim_record *record, kim_error *err)
{
    if (kim_arena_is_full(out->arena))
        return kim_fail(err, KIM_ERR_LIMIT, "azure: the documents take more memory than is allowed");
    if (kim_record_check(record, err) < 0)
        return -1;
    if (out->count == out->capacity) {
        size_t capacity = out->capacity ? out->capacity * 2 : 64;
        kim_record *grown = realloc(out->waiting, capacity * sizeof *grown);
        if (grown == NULL)
            return kim_fail(err, KIM_ERR_NOMEM, "azure: no memory for %zu records", out->count);
        out->waiting = grown;
        out->capacity = capacity;
    }
    out->waiting[out->count++] = *record;
    return 0;
}

/* ---- order ---- */

static int compare_lists(kim_texts a, kim_texts b)
{
    for (size_t i = 0; i < a.count && i < b.count; i++) {
        int order = kim_text_compare(a.items[i], b.items[i]);
        if (order)
            return order;
    }
    return (a.count > b.count) - (a.count < b.count);
}

static int compare_field(const kim_field *field, const void *a, const void *b)
{
    switch (field->kind) {
    case KIM_FIELD_TEXT:
        return kim_text_compare(*(const kim_text *)a, *(const kim_text *)b);
    case KIM_FIELD_TEXTS:
        return compare_lists(*(const kim_texts *)a, *(const kim_texts *)b);
    case KIM_FIELD_INT:
    case KIM_FIELD_TIME: {
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
        return (x > y) - (x < y);
    }
    case KIM_FIELD_ENUM: {
        int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
        return (x > y) - (x < y);
    }
    case KIM_FIELD_BOOL:
        return (int)*(const bool *)a - (int)*(const bool *)b;
    case KIM_FIELD_CONDITION:
        return kim_text_compare(((const kim_condition *)a)->text, ((const kim_condition *)b)->text);
    case KIM_FIELD_PAIRS:
        return 0; /* joined, so their order is of no account */
    }
    return 0;
}

static int compare_keys(const kim_record *a, const kim_record *b)
{
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    int order = kim_text_compare(a->scope, b->scope);
    size_t count;
    const kim_field *fields = kim_record_fields(a->type, &count);
    for (size_t i = 0; i < count && order == 0; i++)
        if (fields[i].is_key)
            order = compare_field(&fields[i], (const char *)a + fields[i].offset, (const char *)b + fields[i].offset);
    return order;
}

static int compare_records(const void *left, const void *right)
{
    const kim_record *a = left, *b = right;
    int order = compare_keys(a, b);
    size_t count;
    const kim_field *fields = kim_record_fields(a->type, &count);
    for (size_t i = 0; i < count && order == 0; i++)
        order = compare_field(&fields[i], (const char *)a + fields[i].offset, (const char *)b + fields[i].offset);
    return order;
}

/* ---- joining ---- */

static kim_pairs joined_pairs(kim_arena *arena, kim_pairs a, kim_pairs b)
{
    kim_pair *items = KIM_NEW_ARRAY(arena, kim_pair, a.count + b.count);
    size_t count = 0;
    for (size_t i = 0; items && i < a.count + b.count; i++) {
        kim_pair one = i < a.count ? a.items[i] : b.items[i - a.count];
        size_t at = 0;
        while (at < count && !kim_text_equal(items[at].name, one.name))
            at++;
        if (at == count)
            items[count++] = one;
        else if (kim_text_compare(items[at].value, one.value) < 0)
            items[at].value = one.value;
    }
    return (kim_pairs){items, count};
}

static bool is_empty(const kim_field *field, const void *value)
{
    static const kim_record nothing;
    if (field->kind == KIM_FIELD_PAIRS)
        return ((const kim_pairs *)value)->count == 0;
    return compare_field(field, value, (const char *)&nothing + field->offset) == 0;
}

/* The greater value stays: the two come sorted, but only by the first field in which they differ. */
static void join_field(kim_arena *arena, const kim_field *field, void *into, const void *from)
{
    if (field->kind == KIM_FIELD_PAIRS) {
        kim_pairs *to = into;
        if (((const kim_pairs *)from)->count)
            *to = joined_pairs(arena, *to, *(const kim_pairs *)from);
        return;
    }
    static const size_t sizes[] = {
        [KIM_FIELD_TEXT] = sizeof(kim_text), [KIM_FIELD_TEXTS] = sizeof(kim_texts), [KIM_FIELD_INT] = sizeof(int64_t),
        [KIM_FIELD_TIME] = sizeof(int64_t), [KIM_FIELD_BOOL] = sizeof(bool), [KIM_FIELD_ENUM] = sizeof(int32_t),
        [KIM_FIELD_CONDITION] = sizeof(kim_condition),
    };
    if (is_empty(field, into) || compare_field(field, into, from) < 0)
        memcpy(into, from, sizes[field->kind]);
}

static void join(kim_arena *arena, kim_record *into, const kim_record *from)
{
    size_t count;
    const kim_field *fields = kim_record_fields(into->type, &count);
    for (size_t i = 0; i < count; i++)
        join_field(arena, &fields[i], (char *)into + fields[i].offset, (const char *)from + fields[i].offset);
}

int azure_out_flush(azure_out *out, kim_error *err)
{
    if (out->count)
        qsort(out->waiting, out->count, sizeof *out->waiting, compare_records);
    for (size_t i = 0; i < out->count;) {
        kim_record one = out->waiting[i++];
        while (i < out->count && compare_keys(&one, &out->waiting[i]) == 0)
            join(out->arena, &one, &out->waiting[i++]);
        if (kim_emit(&out->emitter, &one, err) < 0) {
            azure_out_drop(out);
            return -1;
        }
    }
    out->count = 0;
    return kim_emit_flush(&out->emitter, NULL, 0, err);
}
