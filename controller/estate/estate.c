/* SPDX-License-Identifier: Apache-2.0
 *
 * estate.c - records copied into one arena, sorted by their keys, found by a hash of their ids.
 *
 * Sorting is what makes an answer independent of the order in which records came. A newer estate may be built
 * from an older one and what changed: types of which nothing changed are the older one's own arrays, and
 * texts stay where they are, so it holds the older one. What of that one nobody needs any more ends once only
 * the newer one holds it, unless something that was worked out of its arrays lives on.
 */
#include "controller/estate/estate.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/estate/order.h"
#include "controller/evaluate/catalogue.h"

enum { CATALOGUES = 8, ANCESTORS_MAX = 64, GARBAGE_SHARE = 4 };

typedef struct shelf {
    kim_record *items; /* [count] */
    size_t count, capacity;
    bool is_borrowed;  /* it is the older estate's */
    uint32_t *by_id;   /* open hash of index + 1; scope, identity, resource, policy */
    size_t by_id_size;
} shelf;

struct estate_builder {
    estate *es;
    shelf dropped[KIM_RECORD_TYPES]; /* keys alone count */
    kim_text last_scope;
    kim_record last[KIM_RECORD_TYPES]; /* the one before of each type: often it says the same */
};

struct estate {
    atomic_size_t holders;
    kim_arena *arena;
    shelf shelves[KIM_RECORD_TYPES];
    estate *before;                  /* held; NULL: built of records alone */
    shelf changed[KIM_RECORD_TYPES]; /* records whose keys differ from before's */
    size_t ancestors, garbage_bytes; /* of those held: how many, and what of them stays though nothing shows it */
    atomic_size_t newer;             /* how many were built from this one, and are there */
    bool is_built;
    bool lent[KIM_RECORD_TYPES];     /* to the newer one */
    atomic_bool is_pinned;           /* something was made of its arrays */
    const char *catalogues_dir;
    bool is_complete;
    pthread_mutex_t lock; /* guards derived */
    struct { void *made; void (*end)(void *); } derived[ESTATE_SLOTS]; /* end NULL: it is the older estate's */
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

static void shelf_free(shelf *s)
{
    if (s->is_borrowed)
        return;
    free(s->items);
    free(s->by_id);
}

static void estate_free(estate *es)
{
    if (es == NULL)
        return;
    for (int i = 0; i < ESTATE_SLOTS; i++)
        if (es->derived[i].made && es->derived[i].end)
            es->derived[i].end(es->derived[i].made);
    for (int t = 0; t < KIM_RECORD_TYPES; t++) {
        shelf_free(&es->shelves[t]);
        shelf_free(&es->changed[t]);
    }
    pthread_mutex_destroy(&es->lock);
    kim_arena_free(es->arena);
    if (es->before && es->is_built)
        atomic_fetch_sub(&es->before->newer, 1);
    estate_release(es->before);
    free(es);
}

static estate_builder *new_builder(kim_error *err)
{
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
    builder->es = es;
    return builder;
}

estate_builder *estate_builder_new(const char *catalogues_dir, kim_error *err)
{
    kim_error local = {0};
    if (catalogues_dir && shared_catalogue(catalogues_dir, KIM_TEXT("aws"), &local) == NULL && local.code) {
        if (err)
            *err = local;
        return NULL;
    }
    estate_builder *builder = new_builder(err);
    if (builder && catalogues_dir)
        builder->es->catalogues_dir = kim_text_copy(builder->es->arena, kim_text_of(catalogues_dir)).bytes;
    return builder;
}

bool estate_may_change(const estate *es)
{
    size_t bytes = 0;
    for (int t = 0; t < KIM_RECORD_TYPES; t++)
        bytes += es->shelves[t].count * sizeof(kim_record);
    return es->ancestors < ANCESTORS_MAX && es->garbage_bytes <= bytes / GARBAGE_SHARE;
}

estate_builder *estate_builder_from(estate *before, kim_error *err)
{
    estate_builder *builder = new_builder(err);
    if (builder == NULL)
        return NULL;
    estate *es = builder->es;
    es->before = estate_hold(before);
    es->catalogues_dir = before->catalogues_dir;
    es->is_complete = before->is_complete;
    es->ancestors = before->ancestors + 1;
    es->garbage_bytes = before->garbage_bytes;
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
    for (int t = 0; t < KIM_RECORD_TYPES; t++)
        shelf_free(&builder->dropped[t]);
    free(builder);
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

static kim_text keep_text(kim_arena *arena, kim_text text, kim_text before)
{
    return before.bytes && text.bytes && kim_text_equal(text, before) ? before : kim_text_copy(arena, text);
}

static kim_texts keep_texts(kim_arena *arena, kim_texts from, kim_texts before)
{
    if (from.items == NULL)
        return from;
    kim_text *items = KIM_NEW_ARRAY(arena, kim_text, from.count ? from.count : 1);
    for (size_t i = 0; items && i < from.count; i++)
        items[i] = keep_text(arena, from.items[i], i < before.count ? before.items[i] : KIM_NO_TEXT);
    return (kim_texts){items, from.count};
}

static kim_pairs keep_pairs(kim_arena *arena, kim_pairs from, kim_pairs before)
{
    if (from.items == NULL)
        return from;
    static const kim_pair none;
    kim_pair *items = KIM_NEW_ARRAY(arena, kim_pair, from.count ? from.count : 1);
    for (size_t i = 0; items && i < from.count; i++) {
        const kim_pair *other = i < before.count ? &before.items[i] : &none;
        items[i] = (kim_pair){keep_text(arena, from.items[i].name, other->name), keep_text(arena, from.items[i].value, other->value)};
    }
    return (kim_pairs){items, from.count};
}

/* Makes the record's texts and lists the arena's, by the table of its type. What the record before of its
 * type says too is not copied: sources list what belongs together one after another. */
static void own(kim_arena *arena, kim_record *record, const kim_record *before)
{
    size_t count;
    const kim_field *fields = kim_record_fields(record->type, &count);
    for (size_t i = 0; i < count; i++) {
        void *at = (char *)record + fields[i].offset;
        const void *other = (const char *)before + fields[i].offset;
        kim_condition *condition = at;
        const kim_condition *other_condition = other;
        switch (fields[i].kind) {
        case KIM_FIELD_TEXT:
            *(kim_text *)at = keep_text(arena, *(kim_text *)at, *(const kim_text *)other);
            break;
        case KIM_FIELD_TEXTS:
            *(kim_texts *)at = keep_texts(arena, *(kim_texts *)at, *(const kim_texts *)other);
            break;
        case KIM_FIELD_PAIRS:
            *(kim_pairs *)at = keep_pairs(arena, *(kim_pairs *)at, *(const kim_pairs *)other);
            break;
        case KIM_FIELD_CONDITION:
            condition->lang = keep_text(arena, condition->lang, other_condition->lang);
            condition->text = keep_text(arena, condition->text, other_condition->text);
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

static int put(estate_builder *builder, shelf *shelves, const kim_record *record, kim_error *err)
{
    if (record->type == KIM_USAGE)
        return 0;
    if ((int)record->type <= 0 || (int)record->type >= KIM_RECORD_TYPES)
        return kim_fail(err, KIM_ERR_INPUT, "record type %d is none of kim's", (int)record->type);
    shelf *s = &shelves[record->type];
    kim_arena *arena = builder->es->arena;
    if (s->count == s->capacity && !grow_shelf(s))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for another record");
    if (s->count >= UINT32_MAX - 1)
        return kim_fail(err, KIM_ERR_LIMIT, "more than %u records of a type", UINT32_MAX - 1);
    kim_record copy = *record;
    copy.scope = builder->last_scope = keep_text(arena, copy.scope, builder->last_scope);
    own(arena, &copy, &builder->last[record->type]);
    if (kim_arena_is_full(arena))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for another record");
    s->items[s->count++] = builder->last[record->type] = copy;
    return 0;
}

int estate_builder_add(estate_builder *builder, const kim_record *record, kim_error *err)
{
    return put(builder, builder->es->shelves, record, err);
}

int estate_builder_drop(estate_builder *builder, const kim_record *record, kim_error *err)
{
    return put(builder, builder->dropped, record, err);
}

/* What stays of two records with one key, of which `later` came later. */
static kim_record settle(kim_arena *arena, const kim_record *earlier, const kim_record *later)
{
    kim_record kept = *later;
    if (is_shared(later->type))
        merge(arena, &kept, earlier);
    else if (later->type == KIM_COVERAGE && tells_more(&earlier->coverage, &later->coverage))
        kept = *earlier;
    return kept;
}

/* Sorted records with one key follow each other, in the order they came. */
static void settle_all(kim_arena *arena, shelf *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (kept && order_compare(&s->items[kept - 1], &s->items[i]) == 0)
            s->items[kept - 1] = settle(arena, &s->items[kept - 1], &s->items[i]);
        else
            s->items[kept++] = s->items[i];
    s->count = kept;
}

static uint64_t hash_text(kim_text text)
{
    uint64_t h = text.size;
    for (size_t at = 0; at < text.size; at += 8) {
        uint64_t word = 0;
        memcpy(&word, text.bytes + at, text.size - at < 8 ? text.size - at : 8);
        h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 32;
    }
    return h ^ h >> 29;
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

/* Memory that doubling took and nothing needs. */
static void trim(shelf *s)
{
    kim_record *items = s->count ? realloc(s->items, s->count * sizeof *items) : NULL;
    if (items) {
        s->items = items;
        s->capacity = s->count;
    }
}

/* ---- from an older estate ---- */

/* Walks two sorted rows as one. */
typedef struct pair_walk {
    const shelf *one, *other;
    size_t at, other_at;
} pair_walk;

/* The next of both rows, NULL where a row has none of that key; false at their end. */
static bool next_pair(pair_walk *w, const kim_record **one, const kim_record **other)
{
    *one = w->at < w->one->count ? &w->one->items[w->at] : NULL;
    *other = w->other_at < w->other->count ? &w->other->items[w->other_at] : NULL;
    int order = *one && *other ? order_compare(*one, *other) : *one ? -1 : 1;
    if (order > 0)
        *one = NULL;
    if (order < 0)
        *other = NULL;
    w->at += *one != NULL;
    w->other_at += *other != NULL;
    return *one || *other;
}

/* What is put and what is dropped, as one sorted row of keys. */
static bool note_changed(const shelf *put, const shelf *dropped, shelf *changed)
{
    const kim_record *one, *other;
    pair_walk w = {.one = put, .other = dropped};
    while (next_pair(&w, &one, &other)) {
        if (changed->count == changed->capacity && !grow_shelf(changed))
            return false;
        changed->items[changed->count++] = one ? *one : *other;
    }
    return true;
}

/* How many of the older records come before this one. */
static size_t place_of(const shelf *older, size_t from, const kim_record *record)
{
    size_t high = older->count;
    while (from < high) {
        size_t middle = from + (high - from) / 2;
        if (order_compare(&older->items[middle], record) < 0)
            from = middle + 1;
        else
            high = middle;
    }
    return from;
}

static void append(shelf *s, const kim_record *items, size_t count)
{
    if (count)
        memcpy(s->items + s->count, items, count * sizeof *items);
    s->count += count;
}

/* The older records but those whose keys changed, and what is put in their places. */
static bool join_older(const shelf *older, const shelf *put, const shelf *changed, shelf *out)
{
    size_t at = 0, next = 0;
    *out = (shelf){.capacity = older->count + put->count, .items = malloc((older->count + put->count + 1) * sizeof *out->items)};
    if (out->items == NULL)
        return false;
    for (size_t i = 0; i < changed->count; i++) {
        size_t place = place_of(older, at, &changed->items[i]);
        append(out, older->items + at, place - at);
        at = place + (place < older->count && order_compare(&older->items[place], &changed->items[i]) == 0);
        if (next < put->count && order_compare(&put->items[next], &changed->items[i]) == 0)
            append(out, &put->items[next++], 1);
    }
    append(out, older->items + at, older->count - at);
    return true;
}

/* The type's shelf: the older one's where nothing changed. */
static bool settle_shelf(estate *es, kim_record_type type, shelf *dropped)
{
    const shelf *older = &es->before->shelves[type];
    shelf put = es->shelves[type], *changed = &es->changed[type];
    if (!order_sort(dropped->items, dropped->count) || !note_changed(&put, dropped, changed))
        return false;
    if (changed->count == 0) {
        shelf_free(&put);
        es->shelves[type] = *older;
        es->shelves[type].is_borrowed = true;
        return true;
    }
    bool fine = join_older(older, &put, changed, &es->shelves[type]);
    shelf_free(&put);
    if (es->before->is_pinned && !older->is_borrowed)
        es->garbage_bytes += older->count * sizeof *older->items;
    return fine;
}

static bool build_shelf(estate *es, kim_record_type type, shelf *dropped)
{
    shelf *s = &es->shelves[type];
    if (!order_sort(s->items, s->count))
        return false;
    settle_all(es->arena, s);
    if (es->before && !settle_shelf(es, type, dropped))
        return false;
    if (s->is_borrowed)
        return true;
    trim(s);
    return s->count == 0 || !has_id(type) || index_ids(s);
}

estate *estate_build(estate_builder *builder, kim_error *err)
{
    estate *es = builder->es, *built = NULL;
    bool fine = true;
    for (int t = 1; t < KIM_RECORD_TYPES && fine; t++)
        fine = build_shelf(es, (kim_record_type)t, &builder->dropped[t]);
    if (!fine || kim_arena_is_full(es->arena))
        kim_fail(err, KIM_ERR_NOMEM, "no memory for an estate's index");
    else
        built = es, builder->es = NULL;
    for (int t = 1; t < KIM_RECORD_TYPES && built && built->before; t++)
        built->before->lent[t] |= built->shelves[t].is_borrowed;
    if (built && built->before)
        atomic_fetch_add(&built->before->newer, 1);
    if (built)
        built->is_built = true;
    estate_builder_free(builder);
    return built;
}

estate *estate_hold(estate *es)
{
    atomic_fetch_add_explicit(&es->holders, 1, memory_order_relaxed);
    return es;
}

/* Nobody asks it any more: what the one newer estate did not take over ends. */
static void strip(estate *es)
{
    for (int t = 0; t < KIM_RECORD_TYPES; t++) {
        shelf_free(&es->changed[t]);
        es->changed[t] = (shelf){.count = 0};
        if (es->lent[t])
            continue;
        shelf_free(&es->shelves[t]);
        es->shelves[t] = (shelf){.count = 0};
    }
}

void estate_release(estate *es)
{
    size_t holders = es ? atomic_fetch_sub_explicit(&es->holders, 1, memory_order_acq_rel) : 0;
    if (holders == 1)
        estate_free(es);
    else if (holders == 2 && atomic_load(&es->newer) == 1 && !atomic_load(&es->is_pinned))
        strip(es);
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
        atomic_store(&es->is_pinned, true);
        es->derived[place].made = make(es, err);
        es->derived[place].end = end;
    }
    void *made = es->derived[place].made;
    pthread_mutex_unlock(&es->lock);
    return made;
}

void *estate_derived_already(estate *es, unsigned place)
{
    pthread_mutex_lock(&es->lock);
    void *made = es->derived[place].made;
    pthread_mutex_unlock(&es->lock);
    return made;
}

void estate_derive(estate *es, unsigned place, void *made, void (*end)(void *))
{
    pthread_mutex_lock(&es->lock);
    es->derived[place].made = made;
    es->derived[place].end = end;
    pthread_mutex_unlock(&es->lock);
}

estate *estate_before(const estate *es)
{
    return es->before;
}

const kim_record *estate_changed(const estate *es, kim_record_type type, size_t *count)
{
    *count = es->changed[type].count;
    return es->changed[type].items;
}
