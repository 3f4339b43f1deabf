/* SPDX-License-Identifier: Apache-2.0
 *
 * out.c - a table of records by key, joined field by field along the record's own table of fields.
 */
#include <malloc.h>
#include <stdlib.h>

#include "plugins/aws/out.h"
#include "plugins/aws/read.h"

enum {
    JOIN_MAX_BYTES = 1024 * 1024 * 1024, /* all joined records of one account or organisation */
    SHOWN_MAX_BYTES = 80,
};

typedef struct entry {
    uint8_t key[KIM_RECORD_KEY_BYTES];
    bool has_document; /* a policy's statements went out */
    kim_record *record; /* NULL: a free slot */
} entry;

struct aws_join {
    kim_arena *arena;  /* the records and all that they point to */
    entry *slots;      /* [capacity], open addressing; a record's place is the start of its key */
    size_t capacity, count;
    aws_note *notes;   /* in the arena, the last one first */
};

/* ---- copies and joins of fields ---- */

static void *field_of(const kim_record *record, const kim_field *field)
{
    return (char *)(uintptr_t)record + field->offset;
}

static int compare_pairs(const void *a, const void *b)
{
    const kim_pair *x = a, *y = b;
    int names = kim_text_compare(x->name, y->name);
    return names ? names : kim_text_compare(x->value, y->value);
}

static kim_texts copied_texts(kim_arena *arena, kim_texts from)
{
    if (from.items == NULL)
        return from;
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, from.count ? from.count : 1);
    for (size_t i = 0; items && i < from.count; i++)
        items[i] = kim_text_copy(arena, from.items[i]);
    return (kim_texts){items, items ? from.count : 0};
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
    for (size_t i = 0; i < room; i++) { /* the last of a name has its greatest value */
        if (i + 1 < room && kim_text_equal(items[i].name, items[i + 1].name))
            continue;
        items[count++] = (kim_pair){kim_text_copy(arena, items[i].name), kim_text_copy(arena, items[i].value)};
    }
    return (kim_pairs){items, count};
}

static int compare_texts(kim_texts a, kim_texts b)
{
    for (size_t i = 0; i < a.count && i < b.count; i++) {
        int order = kim_text_compare(a.items[i], b.items[i]);
        if (order)
            return order;
    }
    return a.count < b.count ? -1 : a.count > b.count;
}

/* into = into joined with from; what is taken over is copied. */
static void join_field(kim_arena *arena, const kim_field *field, void *into, const void *from)
{
    switch (field->kind) {
    case KIM_FIELD_TEXT: {
        kim_text *to = into;
        const kim_text *of = from;
        if (of->bytes && (to->bytes == NULL || kim_text_compare(*to, *of) < 0))
            *to = kim_text_copy(arena, *of);
        break;
    }
    case KIM_FIELD_TEXTS: {
        kim_texts *to = into;
        const kim_texts *of = from;
        if (of->items && (to->items == NULL || compare_texts(*to, *of) < 0))
            *to = copied_texts(arena, *of);
        break;
    }
    case KIM_FIELD_PAIRS: {
        kim_pairs *to = into;
        const kim_pairs *of = from;
        if (of->count)
            *to = joined_pairs(arena, *to, *of);
        break;
    }
    case KIM_FIELD_INT:
    case KIM_FIELD_TIME: {
        int64_t *to = into;
        const int64_t *of = from;
        *to = *of > *to ? *of : *to;
        break;
    }
    case KIM_FIELD_BOOL: {
        bool *to = into;
        *to = *to || *(const bool *)from;
        break;
    }
    case KIM_FIELD_ENUM: {
        int32_t *to = into;
        const int32_t *of = from;
        *to = *of > *to ? *of : *to;
        break;
    }
    case KIM_FIELD_CONDITION: {
        kim_condition *to = into;
        const kim_condition *of = from;
        if (of->text.bytes && (to->text.bytes == NULL || kim_text_compare(to->text, of->text) < 0))
            *to = (kim_condition){kim_text_copy(arena, of->lang), kim_text_copy(arena, of->text)};
        break;
    }
    }
}

static void join_record(kim_arena *arena, kim_record *into, const kim_record *from)
{
    size_t count;
    const kim_field *fields = kim_record_fields(into->type, &count);
    for (size_t i = 0; i < count; i++)
        join_field(arena, &fields[i], field_of(into, &fields[i]), field_of(from, &fields[i]));
}

/* ---- the table ---- */

static entry *slot_of(const aws_join *join, const uint8_t key[KIM_RECORD_KEY_BYTES])
{
    uint64_t place;
    memcpy(&place, key, sizeof place);
    size_t i = (size_t)place & (join->capacity - 1);
    while (join->slots[i].record && memcmp(join->slots[i].key, key, KIM_RECORD_KEY_BYTES) != 0)
        i = (i + 1) & (join->capacity - 1);
    return &join->slots[i];
}

static bool has_room_for_one(aws_join *join)
{
    if (2 * (join->count + 1) <= join->capacity)
        return true;
    aws_join bigger = {.capacity = join->capacity ? 2 * join->capacity : 1024};
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

/* The slot of a record of this key, or NULL. */
static entry *found(const aws_join *join, const kim_record *like)
{
    uint8_t key[KIM_RECORD_KEY_BYTES];
    if (join == NULL || join->count == 0)
        return NULL;
    kim_record_key(like, key);
    entry *slot = slot_of(join, key);
    return slot->record ? slot : NULL;
}

/* A policy whose document was read is not made unread by one who could not read it. */
static void join_policy(kim_arena *arena, kim_record *into, kim_record *from)
{
    kim_policy *a = &into->policy, *b = &from->policy;
    if (a->hash.bytes && b->hash.bytes && !kim_text_equal(a->hash, b->hash)) {
        b->unread = KIM_TEXT("two documents of this policy were given and differ; the first is shown: give one snapshot");
        b->hash = b->version = b->revision = KIM_NO_TEXT;
    } else if (a->hash.bytes && !b->hash.bytes) {
        b->unread = KIM_NO_TEXT;
    } else if (b->hash.bytes && !a->hash.bytes) {
        a->unread = KIM_NO_TEXT;
    }
    join_record(arena, into, from);
}

static int put_joined(aws_join *join, const kim_record *record, kim_error *err)
{
    uint8_t key[KIM_RECORD_KEY_BYTES];
    kim_record_key(record, key);
    if (!has_room_for_one(join))
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for %zu records", join->count);
    entry *slot = slot_of(join, key);
    kim_record from = *record;
    if (slot->record == NULL) {
        kim_record *fresh = KIM_NEW(join->arena, kim_record);
        if (fresh == NULL)
            return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for %zu records", join->count);
        fresh->type = record->type;
        fresh->scope = kim_text_copy(join->arena, record->scope);
        memcpy(slot->key, key, sizeof key);
        slot->record = fresh;
        join->count++;
        join_record(join->arena, slot->record, &from);
    } else if (record->type == KIM_POLICY) {
        join_policy(join->arena, slot->record, &from);
    } else {
        join_record(join->arena, slot->record, &from);
    }
    if (kim_arena_is_full(join->arena))
        return kim_fail(err, KIM_ERR_NOMEM, "aws: %zu records take more than %d bytes", join->count, JOIN_MAX_BYTES);
    return 0;
}

bool aws_out_first_document(aws_out *out, const kim_record *policy)
{
    entry *slot = found(out->join, policy);
    return slot == NULL || slot->record->policy.hash.bytes == NULL;
}

const kim_record *aws_out_find(const aws_out *out, const kim_record *like)
{
    entry *slot = found(out->join, like);
    return slot ? slot->record : NULL;
}

int aws_out_each(const aws_out *out, kim_record_type type, aws_out_function *function, void *context, kim_error *err)
{
    for (size_t i = 0; out->join && i < out->join->capacity; i++) {
        const kim_record *record = out->join->slots[i].record;
        if (record && record->type == type && function(context, record, err) < 0)
            return -1;
    }
    return 0;
}

/* ---- notes ---- */

int aws_out_note(aws_out *out, const aws_note *note, kim_error *err)
{
    if (out->join == NULL)
        return 0;
    kim_arena *arena = out->join->arena;
    aws_note *copy = KIM_NEW(arena, aws_note);
    if (copy == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for a note");
    *copy = *note;
    kim_text *const texts[] = {&copy->scope, &copy->a, &copy->b, &copy->c, &copy->d, &copy->credential.id,
                               &copy->credential.identity, &copy->credential.kind};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = kim_text_copy(arena, *texts[i]);
    copy->credential.facts = joined_pairs(arena, note->credential.facts, (kim_pairs){NULL, 0});
    copy->next = out->join->notes;
    out->join->notes = copy;
    return kim_arena_is_full(arena) ? kim_fail(err, KIM_ERR_NOMEM, "aws: no memory for a note") : 0;
}

const aws_note *aws_out_notes(const aws_out *out)
{
    return out->join ? out->join->notes : NULL;
}

/* ---- out ---- */

static bool is_joined(const aws_out *out, const kim_record *record)
{
    return out->join && record->type != KIM_STATEMENT && record->type != KIM_USAGE;
}

static int put_checked(aws_out *out, const kim_record *record, kim_error *err)
{
    if (!is_joined(out, record))
        return kim_emit(&out->emitter, record, err);
    if (kim_record_check(record, err) < 0)
        return -1;
    return put_joined(out->join, record, err);
}

static const char *const part_of_type[KIM_RECORD_TYPES] = {
    [KIM_SCOPE] = "organizations", [KIM_IDENTITY] = "iam", [KIM_KEY] = "iam", [KIM_EDGE] = "iam",
    [KIM_RESOURCE] = "resources", [KIM_POLICY] = "iam", [KIM_STATEMENT] = "iam", [KIM_ATTACHMENT] = "iam",
    [KIM_CREDENTIAL] = "iam", [KIM_USAGE] = "usage", [KIM_PROFILE] = "iam", [KIM_COVERAGE] = "iam",
};

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
                            .coverage = {.part = kim_text_of(part_of_type[record->type]), .status = KIM_PARTIAL, .why = why}};
    return less;
}

int aws_put(aws_out *out, const kim_record *record, kim_error *err)
{
    kim_error why = {0};
    if (put_checked(out, record, &why) == 0)
        return 0;
    if (why.code == KIM_ERR_INPUT || why.code == KIM_ERR_LIMIT) {
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

/* Sends what was joined in the order of the keys: the same records give the same bytes. */
static int send_joined(aws_out *out, kim_error *err)
{
    aws_join *join = out->join;
    size_t count = 0;
    for (size_t i = 0; i < join->capacity; i++)
        if (join->slots[i].record)
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

static void forget_joined(aws_join *join)
{
    kim_arena_free(join->arena); /* not kept: the next run may be a day away */
    join->arena = kim_arena_new(JOIN_MAX_BYTES);
    free(join->slots);
    join->slots = NULL;
    join->capacity = join->count = 0;
    join->notes = NULL;
    malloc_trim(0);
}

int aws_out_flush(aws_out *out, kim_error *err)
{
    int result = out->join ? send_joined(out, err) : 0;
    if (out->join)
        forget_joined(out->join);
    return result < 0 ? result : kim_emit_flush(&out->emitter, NULL, 0, err);
}

void aws_out_drop(aws_out *out)
{
    kim_emitter_stop(&out->emitter);
    kim_emitter_start(&out->emitter, out->host);
    if (out->join)
        forget_joined(out->join);
}

int aws_out_start(aws_out *out, const kim_host *host, size_t max_bytes, bool joined, kim_error *err)
{
    *out = (aws_out){.host = host, .arena = kim_arena_new(max_bytes), .writer = kim_json_writer_new(false)};
    kim_emitter_start(&out->emitter, host);
    if (joined && (out->join = calloc(1, sizeof *out->join)) != NULL)
        out->join->arena = kim_arena_new(JOIN_MAX_BYTES);
    if (out->arena && out->writer && (!joined || (out->join && out->join->arena)))
        return 0;
    aws_out_stop(out);
    return kim_fail(err, KIM_ERR_NOMEM, "aws: no memory to begin with");
}

void aws_out_stop(aws_out *out)
{
    if (out->host)
        kim_emitter_stop(&out->emitter);
    if (out->join) {
        kim_arena_free(out->join->arena);
        free(out->join->slots);
        free(out->join);
    }
    kim_json_writer_free(out->writer);
    kim_arena_free(out->arena);
    *out = (aws_out){0};
}

/* ---- texts, and records that every part puts ---- */

kim_text aws_concat3(kim_arena *arena, kim_text a, kim_text b, kim_text c)
{
    size_t size = a.size + b.size + c.size;
    char *bytes = kim_arena_bytes(arena, size + 1);
    if (bytes == NULL)
        return KIM_NO_TEXT;
    char *at = bytes;
    const kim_text parts[] = {a, b, c};
    for (size_t i = 0; i < 3; i++) {
        if (parts[i].size)
            memcpy(at, parts[i].bytes, parts[i].size);
        at += parts[i].size;
    }
    *at = '\0';
    return (kim_text){bytes, size};
}

kim_text aws_concat(kim_arena *arena, kim_text a, kim_text b)
{
    return aws_concat3(arena, a, b, KIM_TEXT(""));
}

kim_text aws_scope_of(kim_arena *arena, kim_text account)
{
    return aws_concat(arena, KIM_TEXT("aws:"), account);
}

kim_text aws_shown(kim_arena *arena, kim_text text)
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

int aws_put_coverage(aws_out *out, kim_text scope, kim_text part, int32_t status, kim_text why,
                     kim_text resource, kim_error *err)
{
    kim_record record = {.type = KIM_COVERAGE, .scope = scope,
                         .coverage = {.part = part, .status = status, .why = why, .resource = resource}};
    return aws_put(out, &record, err);
}

int aws_put_profile(aws_out *out, kim_text scope, kim_error *err)
{
    static const kim_pair layers[] = {
        {{"identity", 8}, {"grant", 5}},   {{"resource", 8}, {"grant", 5}}, {{"boundary", 8}, {"ceiling", 7}},
        {{"session", 7}, {"ceiling", 7}},  {{"scp", 3}, {"ceiling", 7}},    {{"rcp", 3}, {"ceiling", 7}},
        {{"endpoint", 8}, {"ceiling", 7}},
    };
    kim_record record = {.type = KIM_PROFILE, .scope = scope,
                         .profile = {.id = KIM_TEXT("aws"), .combining = KIM_TEXT("layered"), .default_effect = KIM_DENY,
                                     .wildcard = KIM_TEXT("arn"), .letter_case = KIM_TEXT("sensitive"),
                                     .layers = {layers, sizeof layers / sizeof *layers}, .catalogue = KIM_TEXT("aws"),
                                     .product = KIM_TEXT("AWS IAM")}};
    return aws_put(out, &record, err);
}
