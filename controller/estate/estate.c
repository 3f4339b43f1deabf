/* SPDX-License-Identifier: Apache-2.0
 *
 * estate.c - records copied into one arena, sorted by their keys, found by a hash of their ids.
 *
 * Sorting is what makes an answer independent of the order in which records came.
 */
#include "controller/estate/estate.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/evaluate/catalogue.h"

enum { CATALOGUES = 8 };

typedef struct shelf {
    kim_record *items; /* [count] */
    size_t count, capacity;
    uint32_t *by_id;   /* open hash of index + 1; scope, identity, resource, policy */
    size_t by_id_size;
} shelf;

/* Finds a record by its key while building. */
typedef struct slot {
    uint8_t key[KIM_RECORD_KEY_BYTES];
    uint32_t index; /* + 1; 0: free */
    uint8_t type;
} slot;

struct estate_builder {
    estate *es;
    slot *slots;
    size_t slot_count, used;
};

struct estate {
    atomic_size_t holders;
    kim_arena *arena;
    shelf shelves[KIM_RECORD_TYPES];
    const char *catalogues_dir;
    bool is_complete;
    pthread_mutex_t lock; /* guards derived */
    struct { void *made; void (*end)(void *); } derived[ESTATE_SLOTS];
};

/* ---- catalogues: read once for the whole process ---- */

static pthread_mutex_t catalogues_lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char path[PATH_MAX];
    catalogue *cat; /* NULL: there is no such file */
} catalogues[CATALOGUES];
static size_t catalogue_total;

static const catalogue *catalogue_at(const char *path, kim_error *err)
{
    for (size_t i = 0; i < catalogue_total; i++)
        if (strcmp(catalogues[i].path, path) == 0)
            return catalogues[i].cat;
    FILE *there = fopen(path, "re");
    catalogue *cat = NULL;
    if (there) {
        fclose(there);
        cat = catalogue_load(path, err);
        if (cat == NULL)
            return NULL;
    }
    if (catalogue_total < CATALOGUES) {
        snprintf(catalogues[catalogue_total].path, sizeof catalogues->path, "%s", path);
        catalogues[catalogue_total++].cat = cat;
    }
    return cat;
}

/* err->code stays KIM_OK where the file is merely not there. */
static const catalogue *shared_catalogue(const char *dir, kim_text provider, kim_error *err)
{
    char path[PATH_MAX];
    if (dir == NULL || provider.size > 32 || memchr(provider.bytes, '/', provider.size))
        return NULL;
    snprintf(path, sizeof path, "%s/%.*s.catalogue", dir, KIM_PRINT(provider));
    pthread_mutex_lock(&catalogues_lock);
    const catalogue *cat = catalogue_at(path, err);
    pthread_mutex_unlock(&catalogues_lock);
    return cat;
}

const catalogue *estate_catalogue(const estate *es, kim_text provider)
{
    kim_error ignored = {0};
    return shared_catalogue(es->catalogues_dir, provider, &ignored);
}

/* ---- building ---- */

static void estate_free(estate *es)
{
    if (es == NULL)
        return;
    for (int i = 0; i < ESTATE_SLOTS; i++)
        if (es->derived[i].made)
            es->derived[i].end(es->derived[i].made);
    for (int t = 0; t < KIM_RECORD_TYPES; t++) {
        free(es->shelves[t].items);
        free(es->shelves[t].by_id);
    }
    pthread_mutex_destroy(&es->lock);
    kim_arena_free(es->arena);
    free(es);
}

estate_builder *estate_builder_new(const char *catalogues_dir, kim_error *err)
{
    kim_error local = {0};
    if (catalogues_dir && shared_catalogue(catalogues_dir, KIM_TEXT("aws"), &local) == NULL && local.code) {
        if (err)
            *err = local;
        return NULL;
    }
    estate_builder *builder = calloc(1, sizeof *builder);
    estate *es = calloc(1, sizeof *es);
    if (es)
        es->arena = kim_arena_new(SIZE_MAX);
    if (builder == NULL || es == NULL || es->arena == NULL) {
        kim_arena_free(es ? es->arena : NULL);
        free(es);
        free(builder);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for an estate");
        return NULL;
    }
    pthread_mutex_init(&es->lock, NULL);
    atomic_init(&es->holders, 1);
    if (catalogues_dir)
        es->catalogues_dir = kim_text_copy(es->arena, kim_text_of(catalogues_dir)).bytes;
    builder->es = es;
    return builder;
}

void estate_builder_set_complete(estate_builder *builder)
{
    builder->es->is_complete = true;
}

void estate_builder_free(estate_builder *builder)
{
    if (builder == NULL)
        return;
    estate_free(builder->es);
    free(builder->slots);
    free(builder);
}

static size_t slot_of(const slot *slots, size_t count, const uint8_t *key, uint8_t type)
{
    uint64_t h;
    memcpy(&h, key, sizeof h);
    size_t at = h & (count - 1);
    while (slots[at].index && (slots[at].type != type || memcmp(slots[at].key, key, KIM_RECORD_KEY_BYTES) != 0))
        at = (at + 1) & (count - 1);
    return at;
}

static bool grow_slots(estate_builder *builder)
{
    size_t count = builder->slot_count ? builder->slot_count * 2 : 64;
    slot *slots = calloc(count, sizeof *slots);
    if (slots == NULL)
        return false;
    for (size_t i = 0; i < builder->slot_count; i++)
        if (builder->slots[i].index)
            slots[slot_of(slots, count, builder->slots[i].key, builder->slots[i].type)] = builder->slots[i];
    free(builder->slots);
    builder->slots = slots;
    builder->slot_count = count;
    return true;
}

static bool grow_shelf(shelf *s)
{
    size_t capacity = s->capacity ? s->capacity * 2 : 8;
    kim_record *items = realloc(s->items, capacity * sizeof *items);
    if (items == NULL)
        return false;
    s->items = items;
    s->capacity = capacity;
    return true;
}

static kim_texts copy_texts(kim_arena *arena, kim_texts from)
{
    if (from.items == NULL)
        return from;
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, from.count ? from.count : 1);
    for (size_t i = 0; items && i < from.count; i++)
        items[i] = kim_text_copy(arena, from.items[i]);
    return (kim_texts){items, from.count};
}

static kim_pairs copy_pairs(kim_arena *arena, kim_pairs from)
{
    if (from.items == NULL)
        return from;
    kim_pair *items = KIM_NEW_ARRAY(arena, kim_pair, from.count ? from.count : 1);
    for (size_t i = 0; items && i < from.count; i++)
        items[i] = (kim_pair){kim_text_copy(arena, from.items[i].name), kim_text_copy(arena, from.items[i].value)};
    return (kim_pairs){items, from.count};
}

/* Makes the record's texts and lists the arena's, by the table of its type. */
static void own(kim_arena *arena, kim_record *record)
{
    size_t count;
    const kim_field *fields = kim_record_fields(record->type, &count);
    record->scope = kim_text_copy(arena, record->scope);
    for (size_t i = 0; i < count; i++) {
        void *at = (char *)record + fields[i].offset;
        kim_condition *condition = at;
        switch (fields[i].kind) {
        case KIM_FIELD_TEXT:
            *(kim_text *)at = kim_text_copy(arena, *(kim_text *)at);
            break;
        case KIM_FIELD_TEXTS:
            *(kim_texts *)at = copy_texts(arena, *(kim_texts *)at);
            break;
        case KIM_FIELD_PAIRS:
            *(kim_pairs *)at = copy_pairs(arena, *(kim_pairs *)at);
            break;
        case KIM_FIELD_CONDITION:
            condition->lang = kim_text_copy(arena, condition->lang);
            condition->text = kim_text_copy(arena, condition->text);
            break;
        default:
            break;
        }
    }
}

/* ---- two sources that speak of one thing ----
 *
 * An account is stated by its own agent and by the organisation's. What one leaves out the other fills
 * in; where both speak the greater text stays, so that the order of records never matters. */

static kim_pairs merge_pairs(kim_arena *arena, kim_pairs a, kim_pairs b)
{
    if (a.count == 0 || b.count == 0)
        return a.count ? a : b.items ? b : a;
    kim_pair *items = KIM_NEW_ARRAY(arena, kim_pair, a.count + b.count);
    if (items == NULL)
        return a;
    memcpy(items, a.items, a.count * sizeof *items);
    size_t count = a.count;
    for (size_t i = 0; i < b.count; i++) {
        size_t at = 0;
        while (at < a.count && !kim_text_equal(items[at].name, b.items[i].name))
            at++;
        if (at == a.count)
            items[count++] = b.items[i];
        else if (kim_text_compare(items[at].value, b.items[i].value) < 0)
            items[at].value = b.items[i].value;
    }
    return (kim_pairs){items, count};
}

static bool is_shared(kim_record_type type)
{
    return type == KIM_SCOPE || type == KIM_IDENTITY || type == KIM_RESOURCE;
}

static void merge(kim_arena *arena, kim_record *into, const kim_record *from)
{
    size_t count;
    const kim_field *fields = kim_record_fields(into->type, &count);
    for (size_t i = 0; i < count; i++) {
        void *to = (char *)into + fields[i].offset;
        const void *other = (const char *)from + fields[i].offset;
        switch (fields[i].kind) {
        case KIM_FIELD_TEXT:
            if (kim_text_compare(*(kim_text *)to, *(const kim_text *)other) < 0)
                *(kim_text *)to = *(const kim_text *)other;
            break;
        case KIM_FIELD_PAIRS:
            *(kim_pairs *)to = merge_pairs(arena, *(kim_pairs *)to, *(const kim_pairs *)other);
            break;
        case KIM_FIELD_INT:
        case KIM_FIELD_TIME:
            if (*(int64_t *)to < *(const int64_t *)other)
                *(int64_t *)to = *(const int64_t *)other;
            break;
        case KIM_FIELD_ENUM:
            if (*(int32_t *)to < *(const int32_t *)other)
                *(int32_t *)to = *(const int32_t *)other;
            break;
        case KIM_FIELD_BOOL:
            *(bool *)to |= *(const bool *)other;
            break;
        default:
            break;
        }
    }
}

/* A part that one source could read is read, whoever else could not: the better status stays. */
static bool tells_more(const kim_coverage *one, const kim_coverage *other)
{
    if (one->status != other->status)
        return one->status < other->status;
    return kim_text_compare(one->why, other->why) > 0;
}

int estate_builder_add(estate_builder *builder, const kim_record *record, kim_error *err)
{
    if (record->type == KIM_USAGE)
        return 0;
    if ((int)record->type <= 0 || (int)record->type >= KIM_RECORD_TYPES)
        return kim_fail(err, KIM_ERR_INPUT, "record type %d is none of kim's", (int)record->type);
    shelf *s = &builder->es->shelves[record->type];
    if ((builder->used * 2 >= builder->slot_count && !grow_slots(builder)) ||
        (s->count == s->capacity && !grow_shelf(s)))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for another record");
    if (s->count >= UINT32_MAX - 1)
        return kim_fail(err, KIM_ERR_LIMIT, "more than %u records of a type", UINT32_MAX - 1);
    kim_record copy = *record;
    own(builder->es->arena, &copy);
    if (kim_arena_is_full(builder->es->arena))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for another record");
    uint8_t key[KIM_RECORD_KEY_BYTES];
    kim_record_key(record, key);
    slot *at = &builder->slots[slot_of(builder->slots, builder->slot_count, key, (uint8_t)record->type)];
    if (at->index == 0) {
        memcpy(at->key, key, sizeof key);
        at->type = (uint8_t)record->type;
        at->index = (uint32_t)++s->count;
        builder->used++;
    } else if (record->type == KIM_COVERAGE && s->items[at->index - 1].coverage.status < record->coverage.status) {
        return 0; /* one source could read what another could not: what was read counts */
    } else if (is_shared(record->type)) {
        merge(builder->es->arena, &copy, &s->items[at->index - 1]);
    } else if (record->type == KIM_COVERAGE && tells_more(&s->items[at->index - 1].coverage, &copy.coverage)) {
        return 0;
    }
    s->items[at->index - 1] = copy;
    return 0;
}

/* By the fields that are its key, in their order. */
static int by_key(const void *left, const void *right)
{
    const kim_record *a = left, *b = right;
    size_t count;
    const kim_field *fields = kim_record_fields(a->type, &count);
    for (size_t i = 0; i < count; i++) {
        if (!fields[i].is_key)
            continue;
        const void *x = (const char *)a + fields[i].offset, *y = (const char *)b + fields[i].offset;
        int order = 0;
        if (fields[i].kind == KIM_FIELD_TEXT) {
            order = kim_text_compare(*(const kim_text *)x, *(const kim_text *)y);
        } else if (fields[i].kind == KIM_FIELD_INT || fields[i].kind == KIM_FIELD_TIME) {
            int64_t m = *(const int64_t *)x, n = *(const int64_t *)y;
            order = m < n ? -1 : m > n;
        } else if (fields[i].kind == KIM_FIELD_ENUM) {
            int32_t m = *(const int32_t *)x, n = *(const int32_t *)y;
            order = m < n ? -1 : m > n;
        }
        if (order)
            return order;
    }
    return kim_text_compare(a->scope, b->scope);
}

static uint64_t hash_text(kim_text text)
{
    uint64_t h = UINT64_C(1469598103934665603);
    for (size_t i = 0; i < text.size; i++)
        h = (h ^ (unsigned char)text.bytes[i]) * UINT64_C(1099511628211);
    return h ^ h >> 32;
}

static bool index_ids(shelf *s)
{
    size_t size = 16;
    while (size < s->count * 2)
        size *= 2;
    s->by_id = calloc(size, sizeof *s->by_id);
    if (s->by_id == NULL)
        return false;
    s->by_id_size = size;
    for (size_t i = 0; i < s->count; i++) {
        size_t at = hash_text(estate_id(&s->items[i])) & (size - 1);
        while (s->by_id[at])
            at = (at + 1) & (size - 1);
        s->by_id[at] = (uint32_t)i + 1;
    }
    return true;
}

static bool has_id(kim_record_type type)
{
    return type == KIM_SCOPE || type == KIM_IDENTITY || type == KIM_RESOURCE || type == KIM_POLICY ||
           type == KIM_CREDENTIAL || type == KIM_PROFILE;
}

estate *estate_build(estate_builder *builder, kim_error *err)
{
    estate *es = builder->es;
    builder->es = NULL;
    estate_builder_free(builder);
    for (int t = 1; t < KIM_RECORD_TYPES; t++) {
        shelf *s = &es->shelves[t];
        if (s->count)
            qsort(s->items, s->count, sizeof *s->items, by_key);
        if (s->count && has_id((kim_record_type)t) && !index_ids(s)) {
            estate_free(es);
            kim_fail(err, KIM_ERR_NOMEM, "no memory for an estate's index");
            return NULL;
        }
    }
    return es;
}

estate *estate_hold(estate *es)
{
    atomic_fetch_add_explicit(&es->holders, 1, memory_order_relaxed);
    return es;
}

void estate_release(estate *es)
{
    if (es && atomic_fetch_sub_explicit(&es->holders, 1, memory_order_acq_rel) == 1)
        estate_free(es);
}

const kim_record *estate_records(const estate *es, kim_record_type type, size_t *count)
{
    *count = es->shelves[type].count;
    return es->shelves[type].items;
}

const kim_record *estate_find(const estate *es, kim_record_type type, kim_text id)
{
    const shelf *s = &es->shelves[type];
    if (s->by_id == NULL)
        return NULL;
    for (size_t at = hash_text(id) & (s->by_id_size - 1); s->by_id[at]; at = (at + 1) & (s->by_id_size - 1))
        if (kim_text_equal(estate_id(&s->items[s->by_id[at] - 1]), id))
            return &s->items[s->by_id[at] - 1];
    return NULL;
}

bool estate_is_complete(const estate *es)
{
    return es->is_complete;
}

const char *estate_catalogues_dir(const estate *es)
{
    return es->catalogues_dir;
}

void *estate_derived(estate *es, unsigned place, estate_make_function *make, void (*end)(void *), kim_error *err)
{
    pthread_mutex_lock(&es->lock);
    if (es->derived[place].made == NULL) {
        es->derived[place].made = make(es, err);
        es->derived[place].end = end;
    }
    void *made = es->derived[place].made;
    pthread_mutex_unlock(&es->lock);
    return made;
}
