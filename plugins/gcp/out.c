/* SPDX-License-Identifier: Apache-2.0
 *
 * out.c - a table of records by key, joined field by field along the record's own table of fields.
 */
#include "plugins/gcp/out.h"

#include <malloc.h>
#include <stdlib.h>

enum {
    JOIN_MAX_BYTES = 1024 * 1024 * 1024, /* all joined records of one organisation */
    SHOWN_MAX_BYTES = 80,
};

typedef struct entry {
    uint8_t key[KIM_RECORD_KEY_BYTES];
    kim_record *record; /* NULL: a free slot */
} entry;

struct gcp_join {
    kim_arena *arena;  /* the records and all that they point to */
    entry *slots;      /* [capacity], open addressing; a record's place is the start of its key */
    size_t capacity, count;
};

/* ---- copies and joins of fields ---- */

static void *field_of(const kim_record *record, const kim_field *field)
{
    return (char *)(uintptr_t)record + field->offset;
}

static kim_texts copied(kim_arena *arena, kim_texts from)
{
    if (from.items == NULL)
        return from;
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, from.count ? from.count : 1);
    for (size_t i = 0; items && i < from.count; i++)
        items[i] = kim_text_copy(arena, from.items[i]);
    return (kim_texts){items, items ? from.count : 0};
}

static int compare_pairs(const void *a, const void *b)
{
    const kim_pair *x = a, *y = b;
    int names = kim_text_compare(x->name, y->name);
    return names ? names : kim_text_compare(x->value, y->value);
}

/* The pairs of both by name, sorted; of two values for a name the greater. The texts are copied. */
static kim_pairs joined_pairs(kim_arena *arena, kim_pairs a, kim_pairs b)
{
    size_t room = a.count + b.count, count = 0;
    kim_pair *items = room ? KIM_NEW_ARRAY(arena, kim_pair, room) : NULL;
    if (items == NULL)
        return (kim_pairs){NULL, 0};
    if (a.count)
        memcpy(items, a.items, a.count * sizeof *items);
    if (b.count)
        memcpy(items + a.count, b.items, b.count * sizeof *items);
    qsort(items, room, sizeof *items, compare_pairs);
    for (size_t i = 0; i < room; i++) /* the last of a name has its greatest value */
        if (i + 1 == room || !kim_text_equal(items[i].name, items[i + 1].name))
            items[count++] = (kim_pair){kim_text_copy(arena, items[i].name), kim_text_copy(arena, items[i].value)};
    return (kim_pairs){items, count};
}

/* into = into joined with from; what is taken over is copied. */
static void join_field(kim_arena *arena, kim_field_kind kind, void *into, const void *from)
{
    kim_text *text = into;
    kim_texts *texts = into;
    kim_condition *condition = into;
    const kim_text *of_text = from;
    const kim_texts *of_texts = from;
    const kim_condition *of_condition = from;
    switch (kind) {
    case KIM_FIELD_TEXT:
        if (of_text->bytes && (text->bytes == NULL || kim_text_compare(*text, *of_text) < 0))
            *text = kim_text_copy(arena, *of_text);
        break;
    case KIM_FIELD_TEXTS:
        if (of_texts->items && texts->items == NULL)
            *texts = copied(arena, *of_texts);
        break;
    case KIM_FIELD_PAIRS:
        if (((const kim_pairs *)from)->count)
            *(kim_pairs *)into = joined_pairs(arena, *(kim_pairs *)into, *(const kim_pairs *)from);
        break;
    case KIM_FIELD_INT: case KIM_FIELD_TIME:
        if (*(const int64_t *)from > *(int64_t *)into)
            *(int64_t *)into = *(const int64_t *)from;
        break;
    case KIM_FIELD_BOOL:
        *(bool *)into |= *(const bool *)from;
        break;
    case KIM_FIELD_ENUM:
        if (*(const int32_t *)from > *(int32_t *)into)
            *(int32_t *)into = *(const int32_t *)from;
        break;
    case KIM_FIELD_CONDITION:
        if (of_condition->text.bytes && condition->text.bytes == NULL)
            *condition = (kim_condition){kim_text_copy(arena, of_condition->lang), kim_text_copy(arena, of_condition->text)};
        break;
    }
}

static void join_record(kim_arena *arena, kim_record *into, const kim_record *from)
{
    size_t count;
    const kim_field *fields = kim_record_fields(into->type, &count);
    for (size_t i = 0; i < count; i++)
        join_field(arena, fields[i].kind, field_of(into, &fields[i]), field_of(from, &fields[i]));
}

/* A policy that was read is not made unread by one who could not. */
static void join_policy(kim_arena *arena, kim_record *into, kim_record *from)
{
    if (into->policy.hash.bytes && !from->policy.hash.bytes)
        from->policy.unread = KIM_NO_TEXT;
    else if (from->policy.hash.bytes && !into->policy.hash.bytes)
        into->policy.unread = KIM_NO_TEXT;
    join_record(arena, into, from);
}

/* ---- the table ---- */

static entry *slot_of(const gcp_join *join, const uint8_t key[KIM_RECORD_KEY_BYTES])
{
    uint64_t place;
    memcpy(&place, key, sizeof place);
    size_t i = (size_t)place & (join->capacity - 1);
    while (join->slots[i].record && memcmp(join->slots[i].key, key, KIM_RECORD_KEY_BYTES) != 0)
        i = (i + 1) & (join->capacity - 1);
    return &join->slots[i];
}

static bool has_room_for_one(gcp_join *join)
{
    if (2 * (join->count + 1) <= join->capacity)
        return true;
    gcp_join bigger = {.capacity = join->capacity ? 2 * join->capacity : 1024};
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < join->capacity; i++)
        if (join->slots[i].record)
            *slot_of(&bigger, join->slots[i].key) = join->slots[i];
    free(join->slots);
    join->slots = bigger.slots;
    join->capacity = bigger.capacity;
    return true;
}

static int put_joined(gcp_join *join, const kim_record *record, kim_error *err)
{
    uint8_t key[KIM_RECORD_KEY_BYTES];
    kim_record_key(record, key);
    if (!has_room_for_one(join))
        return kim_fail(err, KIM_ERR_NOMEM, "gcp: no memory for %zu records", join->count);
    entry *slot = slot_of(join, key);
    kim_record from = *record;
    if (slot->record == NULL) {
        kim_record *fresh = KIM_NEW(join->arena, kim_record);
        if (fresh == NULL)
            return kim_fail(err, KIM_ERR_NOMEM, "gcp: no memory for %zu records", join->count);
        fresh->type = record->type;
        fresh->scope = kim_text_copy(join->arena, record->scope);
        memcpy(slot->key, key, sizeof key);
        slot->record = fresh;
        join->count++;
    }
    if (record->type == KIM_POLICY)
        join_policy(join->arena, slot->record, &from);
    else
        join_record(join->arena, slot->record, &from);
    if (kim_arena_is_full(join->arena))
        return kim_fail(err, KIM_ERR_NOMEM, "gcp: %zu records take more than %d bytes", join->count, JOIN_MAX_BYTES);
    return 0;
}

const kim_record *gcp_out_find(const gcp_out *out, const kim_record *like)
{
    uint8_t key[KIM_RECORD_KEY_BYTES];
    if (out->join == NULL || out->join->count == 0)
        return NULL;
    kim_record_key(like, key);
    return slot_of(out->join, key)->record;
}

int gcp_out_each(const gcp_out *out, kim_record_type type, gcp_out_function *function, void *context, kim_error *err)
{
    for (size_t i = 0; out->join && i < out->join->capacity; i++) {
        const kim_record *record = out->join->slots[i].record;
        if (record && record->type == type && function(context, record, err) < 0)
            return -1;
    }
    return 0;
}

/* Documents are remembered as policies of a scope that nothing else has, which never go out. */
#define DOCUMENTS KIM_TEXT("gcp:documents")

bool gcp_out_first(gcp_out *out, const char *kind, kim_text name, kim_text text, bool *differs, kim_error *err)
{
    kim_record mark = {.type = KIM_POLICY, .scope = DOCUMENTS,
                       .policy = {.id = kim_text_format(out->arena, "%s %.*s", kind, KIM_PRINT(name)), .hash = text}};
    *differs = false;
    if (out->join == NULL)
        return true;
    const kim_record *before = gcp_out_find(out, &mark);
    if (before) {
        *differs = !kim_text_equal(before->policy.hash, text);
        return false;
    }
    kim_error ignored;
    return put_joined(out->join, &mark, err ? err : &ignored) == 0;
}

/* ---- out ---- */

static int put_checked(gcp_out *out, const kim_record *record, kim_error *err)
{
    if (out->join == NULL && !out->dry)
        return kim_emit(&out->emitter, record, err);
    if (out->join == NULL)
        return kim_record_check(record, err);
    if (kim_record_check(record, err) < 0)
        return -1;
    return put_joined(out->join, record, err);
}

/* What can still be said of a record that breaks a limit. */
static kim_record cut_down(const kim_record *record, kim_text why)
{
    kim_record less = {.type = record->type, .scope = record->scope};
    if (record->type == KIM_STATEMENT)
        less.statement = (kim_statement){.policy = record->statement.policy, .index = record->statement.index,
                                         .effect = record->statement.effect, .unread = why};
    else if (record->type == KIM_POLICY)
        less.policy = (kim_policy){.id = record->policy.id, .kind = record->policy.kind, .unread = why};
    else
        less = (kim_record){.type = KIM_COVERAGE, .scope = record->scope,
                            .coverage = {.part = KIM_TEXT("iam"), .status = KIM_PARTIAL, .why = why}};
    return less;
}

int gcp_put(gcp_out *out, const kim_record *record, kim_error *err)
{
    kim_error why = {0};
    if (put_checked(out, record, &why) == 0)
        return 0;
    if (out->join && (why.code == KIM_ERR_INPUT || why.code == KIM_ERR_LIMIT)) {
        kim_record less = cut_down(record, kim_text_of(why.message));
        if (out->host->log)
            out->host->log(out->host->context, KIM_LOG_WARNING, "record_cut_down", why.message);
        if (put_checked(out, &less, &why) == 0 || why.code == KIM_ERR_INPUT || why.code == KIM_ERR_LIMIT)
            return 0; /* not even its key fits: the log has it */
    }
    if (err)
        *err = why;
    return -1;
}

static int compare_slots(const void *a, const void *b)
{
    return memcmp(((const entry *)a)->key, ((const entry *)b)->key, KIM_RECORD_KEY_BYTES);
}

static int send_joined(gcp_out *out, kim_error *err)
{
    gcp_join *join = out->join;
    size_t count = 0;
    for (size_t i = 0; i < join->capacity; i++)
        if (join->slots[i].record && !kim_text_equal(join->slots[i].record->scope, DOCUMENTS))
            join->slots[count++] = join->slots[i];
    if (count)
        qsort(join->slots, count, sizeof *join->slots, compare_slots);
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        kim_error why = {0};
        const kim_record *record = join->slots[i].record;
        result = kim_emit(&out->emitter, record, &why);
        if (result < 0 && (why.code == KIM_ERR_LIMIT || why.code == KIM_ERR_INPUT)) {
            kim_record less = cut_down(record, kim_text_of(why.message)); /* joined past a limit */
            result = kim_emit(&out->emitter, &less, &why);
        }
        if (result < 0 && err)
            *err = why;
    }
    return result;
}

static void forget_joined(gcp_join *join)
{
    kim_arena_free(join->arena); /* not kept: the next run may be a day away */
    join->arena = kim_arena_new(JOIN_MAX_BYTES);
    free(join->slots);
    join->slots = NULL;
    join->capacity = join->count = 0;
    malloc_trim(0);
}

int gcp_out_flush(gcp_out *out, kim_error *err)
{
    int result = out->join ? send_joined(out, err) : 0;
    if (out->join)
        forget_joined(out->join);
    return result < 0 ? result : kim_emit_flush(&out->emitter, NULL, 0, err);
}

int gcp_out_start(gcp_out *out, const kim_host *host, size_t max_bytes, bool joined, kim_error *err)
{
    *out = (gcp_out){.host = host, .arena = kim_arena_new(max_bytes)};
    kim_emitter_start(&out->emitter, host);
    if (joined && (out->join = calloc(1, sizeof *out->join)) != NULL)
        out->join->arena = kim_arena_new(JOIN_MAX_BYTES);
    if (out->arena && (!joined || (out->join && out->join->arena)))
        return 0;
    gcp_out_stop(out);
    return kim_fail(err, KIM_ERR_NOMEM, "gcp: no memory to begin with");
}

void gcp_out_stop(gcp_out *out)
{
    if (out->host)
        kim_emitter_stop(&out->emitter);
    if (out->join) {
        kim_arena_free(out->join->arena);
        free(out->join->slots);
        free(out->join);
    }
    kim_arena_free(out->arena);
    *out = (gcp_out){0};
}

/* ---- texts, and records that every part puts ---- */

kim_text gcp_shown(kim_arena *arena, kim_text text)
{
    if (text.bytes == NULL)
        return KIM_TEXT("");
    if (text.size > SHOWN_MAX_BYTES) {
        text.size = SHOWN_MAX_BYTES;
        while (text.size && ((unsigned char)text.bytes[text.size] & 0xC0) == 0x80)
            text.size--; /* the byte after the end must not continue a character */
    }
    kim_text copy = kim_text_copy(arena, text);
    return copy.bytes ? copy : KIM_TEXT("");
}

int gcp_put_unread(gcp_out *out, kim_text scope, const char *part, kim_text resource, const char *why, kim_error *err)
{
    if (out->host->log)
        out->host->log(out->host->context, KIM_LOG_WARNING, "part_unread", why);
    kim_record record = {.type = KIM_COVERAGE, .scope = scope,
                         .coverage = {.part = kim_text_of(part), .status = KIM_PARTIAL, .why = kim_text_of(why), .resource = resource}};
    return gcp_put(out, &record, err);
}

int gcp_put_profile(gcp_out *out, kim_text scope, kim_error *err)
{
    static const kim_pair layers[] = {
        {{"allow", 5}, {"grant", 5}}, {{"deny", 4}, {"veto", 4}}, {{"principal_access_boundary", 25}, {"ceiling", 7}},
    };
    kim_record record = {.type = KIM_PROFILE, .scope = scope,
                         .profile = {.id = KIM_TEXT("gcp"), .combining = KIM_TEXT("layered"), .default_effect = KIM_DENY,
                                     .wildcard = KIM_TEXT("exact"), .letter_case = KIM_TEXT("sensitive"),
                                     .layers = {layers, sizeof layers / sizeof *layers}, .product = KIM_TEXT("Google Cloud IAM")}};
    return gcp_put(out, &record, err);
}
