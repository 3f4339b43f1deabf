/* SPDX-License-Identifier: Apache-2.0
 *
 * rollup.c - texts become numbers, and a count's key a few numbers in an open-addressed table.
 *
 * An event costs a hash of each of its texts and one of its numbers. Everything lives in arrays that a
 * reset empties; the tables hold places in those arrays.
 */
#include "plugins/aws/usage/rollup.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "plugins/aws/usage/hash.h"

enum { NO_WIDE = 0 };

typedef struct table {
    uint32_t *slots; /* [mask + 1]: 1 + a place in an array, 0 free */
    uint32_t mask, used;
} table;

typedef struct text {
    uint64_t hash;
    uint32_t at, size; /* in the pool */
} text;

typedef struct entry {
    uint32_t scope, identity, action, resource, via, wide;
    int32_t day, outcome;
    uint32_t group;
    bool widened;
    uint64_t count;
    int64_t first_unix_ms, last_unix_ms;
} entry;

/* Distinct resources of (day, identity, action), or distinct sessions of (day, identity). */
typedef struct group {
    uint32_t identity, action;
    int32_t day;
    uint32_t members;
    uint32_t containers; /* how many; past the limit all are one */
    uint32_t wide;       /* 1 + the first of its containers, once it is widened */
} group;

typedef struct member {
    uint32_t group, text;
} member;

/* A container of a widened group: what its members share so far. */
typedef struct wide {
    uint32_t at, size, base; /* in the pool: the shared prefix, and the container's own */
    uint32_t next;           /* 1 + the next of the group; 0: the last */
    bool several;
} wide;

struct rollup {
    table texts_table, entries_table, groups_table, members_table;
    text *texts;
    entry *entries;
    group *groups;
    member *members;
    wide *wides;
    uint32_t text_count, entry_count, group_count, member_count, wide_count;
    uint32_t text_room, entry_room, group_room, member_room, wide_room;
    char *pool;
    size_t pool_used, pool_room;
    size_t encoded_bytes;    /* no less than what rollup_emit will make */
    bool any_widened, failed;
};

static uint64_t seed;

__attribute__((constructor)) static void choose_seed(void)
{
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed)
        seed = (uintptr_t)&seed * 0x9e3779b97f4a7c15u;
}

uint64_t usage_hash(const void *bytes, size_t size)
{
    return hash_bytes(seed, bytes, size);
}

static inline uint64_t hash4(uint64_t a, uint64_t b, uint64_t c)
{
    return hash_mix(hash_mix(a ^ seed, b ^ 0xe7037ed1a0b428dbu), c ^ 0x8ebc6af09c88c6e3u);
}

/* Room for one more of an array; false, and the roll-up has failed, without memory. */
static bool more(rollup *r, void *array, uint32_t count, uint32_t *room, size_t size)
{
    void **at = array;
    if (count < *room)
        return true;
    uint32_t bigger = *room ? *room * 2 : 1024;
    void *grown = realloc(*at, bigger * size);
    if (!grown) {
        r->failed = true;
        return false;
    }
    *at = grown;
    *room = bigger;
    return true;
}

static bool table_init(table *t, uint32_t slots)
{
    t->slots = calloc(slots, sizeof *t->slots);
    t->mask = slots - 1;
    t->used = 0;
    return t->slots != NULL;
}

static void table_clear(table *t)
{
    memset(t->slots, 0, (size_t)(t->mask + 1) * sizeof *t->slots);
    t->used = 0;
}

#define HASH_OF(name) static uint64_t name(const rollup *r, uint32_t at)
HASH_OF(text_hash)
{
    return r->texts[at].hash;
}

static inline uint64_t entry_key(const entry *e)
{
    return hash4((uint64_t)e->identity << 32 | e->action, (uint64_t)e->resource << 32 | e->via,
                 (uint64_t)(uint32_t)e->day << 32 ^ (uint64_t)e->wide << 40 ^ (uint64_t)e->scope << 3 ^
                     (uint32_t)e->outcome);
}

HASH_OF(entry_hash)
{
    return entry_key(&r->entries[at]);
}

static inline uint64_t group_key(const group *g)
{
    return hash4(g->identity, g->action, (uint32_t)g->day);
}

HASH_OF(group_hash)
{
    return group_key(&r->groups[at]);
}

HASH_OF(member_hash)
{
    return hash4(r->members[at].group, r->members[at].text, 0);
}

static void table_grow(rollup *r, table *t, uint64_t (*hash_of)(const rollup *, uint32_t))
{
    table bigger;
    if (!table_init(&bigger, (t->mask + 1) * 2)) {
        r->failed = true;
        return;
    }
    for (uint32_t i = 0; i <= t->mask; i++)
        if (t->slots[i]) {
            uint32_t at = (uint32_t)hash_of(r, t->slots[i] - 1) & bigger.mask;
            while (bigger.slots[at])
                at = (at + 1) & bigger.mask;
            bigger.slots[at] = t->slots[i];
        }
    bigger.used = t->used;
    free(t->slots);
    *t = bigger;
}

static inline void table_took(rollup *r, table *t, uint64_t (*hash_of)(const rollup *, uint32_t))
{
    if (++t->used * 2 > t->mask)
        table_grow(r, t, hash_of);
}

rollup *rollup_new(void)
{
    rollup *r = calloc(1, sizeof *r);
    if (r && table_init(&r->texts_table, 1 << 14) && table_init(&r->entries_table, 1 << 13) &&
        table_init(&r->groups_table, 1 << 13) && table_init(&r->members_table, 1 << 13)) {
        rollup_reset(r);
        if (!r->failed)
            return r;
    }
    rollup_free(r);
    return NULL;
}

void rollup_free(rollup *r)
{
    if (!r)
        return;
    free(r->texts_table.slots);
    free(r->entries_table.slots);
    free(r->groups_table.slots);
    free(r->members_table.slots);
    free(r->texts);
    free(r->entries);
    free(r->groups);
    free(r->members);
    free(r->wides);
    free(r->pool);
    free(r);
}

void rollup_reset(rollup *r)
{
    table_clear(&r->texts_table);
    table_clear(&r->entries_table);
    table_clear(&r->groups_table);
    table_clear(&r->members_table);
    r->text_count = r->entry_count = r->group_count = r->member_count = r->wide_count = 0;
    r->pool_used = 0;
    r->encoded_bytes = 0;
    r->any_widened = false;
    r->failed = false;
    if (more(r, &r->texts, 0, &r->text_room, sizeof *r->texts))
        r->texts[r->text_count++] = (text){0}; /* number 0: absent */
}

static uint32_t pool_put(rollup *r, const char *bytes, size_t size)
{
    if (r->pool_room - r->pool_used < size) {
        size_t room = r->pool_room * 2 + size + (1 << 16);
        char *bigger = room < UINT32_MAX ? realloc(r->pool, room) : NULL;
        if (!bigger) {
            r->failed = true;
            return 0;
        }
        r->pool = bigger;
        r->pool_room = room;
    }
    memcpy(r->pool + r->pool_used, bytes, size);
    r->pool_used += size;
    return (uint32_t)(r->pool_used - size);
}

uint32_t rollup_text(rollup *r, kim_text what)
{
    if (kim_text_is_absent(what))
        return 0;
    uint64_t hash = hash_bytes(seed, what.bytes, what.size);
    table *t = &r->texts_table;
    uint32_t at = (uint32_t)hash & t->mask;
    for (; t->slots[at]; at = (at + 1) & t->mask) {
        const text *known = &r->texts[t->slots[at] - 1];
        if (known->hash == hash && known->size == what.size &&
            !memcmp(r->pool + known->at, what.bytes, what.size))
            return t->slots[at] - 1;
    }
    if (!more(r, &r->texts, r->text_count, &r->text_room, sizeof *r->texts))
        return 0;
    uint32_t number = r->text_count;
    r->texts[number] = (text){.hash = hash, .at = pool_put(r, what.bytes, what.size), .size = (uint32_t)what.size};
    if (r->failed)
        return 0;
    r->text_count++;
    t->slots[at] = number + 1;
    table_took(r, t, text_hash);
    return number;
}

static kim_text text_of(const rollup *r, uint32_t number)
{
    return number ? (kim_text){r->pool + r->texts[number].at, r->texts[number].size} : KIM_NO_TEXT;
}

static uint32_t group_at(rollup *r, int32_t day, uint32_t identity, uint32_t action)
{
    group wanted = {.identity = identity, .action = action, .day = day};
    table *t = &r->groups_table;
    uint32_t at = (uint32_t)group_key(&wanted) & t->mask;
    for (; t->slots[at]; at = (at + 1) & t->mask) {
        const group *g = &r->groups[t->slots[at] - 1];
        if (g->identity == identity && g->action == action && g->day == day)
            return t->slots[at] - 1;
    }
    if (!more(r, &r->groups, r->group_count, &r->group_room, sizeof *r->groups))
        return 0;
    r->groups[r->group_count++] = wanted;
    t->slots[at] = r->group_count;
    table_took(r, t, group_hash);
    return r->group_count - 1;
}

/* Is the text one of the group's? Takes it in where there is room below `most`; false where there is not. */
static bool belongs(rollup *r, uint32_t g, uint32_t what, uint32_t most)
{
    table *t = &r->members_table;
    uint32_t at = (uint32_t)hash4(g, what, 0) & t->mask;
    for (; t->slots[at]; at = (at + 1) & t->mask) {
        const member *m = &r->members[t->slots[at] - 1];
        if (m->group == g && m->text == what)
            return true;
    }
    if (r->groups[g].members >= most)
        return false;
    if (!more(r, &r->members, r->member_count, &r->member_room, sizeof *r->members))
        return false;
    r->members[r->member_count++] = (member){g, what};
    r->groups[g].members++;
    t->slots[at] = r->member_count;
    table_took(r, t, member_hash);
    return true;
}

/* ---- widening ---- */

/* How much of an ARN stands before its resource's own part: arn:p:service:region:account: */
static size_t head_size(kim_text arn)
{
    size_t colons = 0;
    for (size_t i = 0; i < arn.size; i++)
        if (arn.bytes[i] == ':' && ++colons == 5)
            return i + 1;
    return 0;
}

/* A container: the head, and on to the first '/', or else the last ':'. */
static size_t container_size(kim_text arn)
{
    size_t head = head_size(arn);
    const char *slash = head < arn.size ? memchr(arn.bytes + head, '/', arn.size - head) : NULL;
    if (slash)
        return (size_t)(slash - arn.bytes) + 1;
    size_t size = arn.size;
    while (size > head && arn.bytes[size - 1] != ':')
        size--;
    return size;
}

/* The container of a widened group that holds this resource, made where it is new; takes it in. Past
 * USAGE_MAX_CONTAINERS the new ones are whole services in a region of an account, and past as many of
 * those again, everything. `resource` is not in the pool. */
static uint32_t widen(rollup *r, group *g, kim_text resource)
{
    size_t head = head_size(resource), base = container_size(resource);
    uint32_t last = 0;
    for (uint32_t i = g->wide; i; last = i, i = r->wides[i - 1].next) {
        wide *w = &r->wides[i - 1];
        if ((w->base != base && w->base != head && w->base != 0) || w->base > resource.size ||
            memcmp(r->pool + w->at, resource.bytes, w->base))
            continue;
        size_t shared = w->base;
        while (shared < w->size && shared < resource.size && r->pool[w->at + shared] == resource.bytes[shared])
            shared++;
        w->several |= shared < resource.size || shared < w->size;
        w->size = (uint32_t)shared;
        return i;
    }
    if (g->containers >= USAGE_MAX_CONTAINERS)
        base = g->containers < 2 * USAGE_MAX_CONTAINERS ? head : 0;
    if (!more(r, &r->wides, r->wide_count, &r->wide_room, sizeof *r->wides))
        return 0;
    uint32_t at = pool_put(r, resource.bytes, resource.size);
    r->wides[r->wide_count++] = (wide){.at = at, .size = (uint32_t)resource.size, .base = (uint32_t)base};
    g->containers++;
    if (last)
        r->wides[last - 1].next = r->wide_count;
    else
        g->wide = r->wide_count;
    r->any_widened = true;
    return r->wide_count;
}

/* A container's resources as one text, '*' at its end; the one that it holds where it is alone. In `out`. */
static kim_text wide_text(const rollup *r, const wide *w, char out[KIM_ID_MAX_BYTES + 1])
{
    const char *shared = r->pool + w->at;
    size_t size = w->size;
    if (w->several)
        while (size > w->base && shared[size - 1] != '/' && shared[size - 1] != ':')
            size--;
    memcpy(out, shared, size);
    if (w->several)
        out[size++] = '*';
    return (kim_text){out, size};
}

/* ---- counting ---- */

static inline bool same(const entry *a, const entry *b)
{
    return a->identity == b->identity && a->action == b->action && a->resource == b->resource &&
           a->wide == b->wide && a->via == b->via && a->day == b->day && a->outcome == b->outcome &&
           a->scope == b->scope && a->widened == b->widened;
}

static entry *entry_at(rollup *r, const entry *wanted)
{
    table *t = &r->entries_table;
    uint32_t at = (uint32_t)entry_key(wanted) & t->mask;
    for (; t->slots[at]; at = (at + 1) & t->mask)
        if (same(&r->entries[t->slots[at] - 1], wanted))
            return &r->entries[t->slots[at] - 1];
    if (!more(r, &r->entries, r->entry_count, &r->entry_room, sizeof *r->entries))
        return NULL;
    r->entries[r->entry_count++] = *wanted;
    t->slots[at] = r->entry_count;
    table_took(r, t, entry_hash);
    return &r->entries[r->entry_count - 1];
}

static inline void count(entry *e, uint64_t by, int64_t first, int64_t last)
{
    if (!e->count || first < e->first_unix_ms)
        e->first_unix_ms = first;
    if (!e->count || last > e->last_unix_ms)
        e->last_unix_ms = last;
    e->count += by;
}

void rollup_add(rollup *r, const rollup_use *use)
{
    enum { FIXED_BYTES = 80 }; /* heads of fields, and numbers at their longest */
    entry e = {.scope = use->scope, .identity = use->identity, .action = use->action, .via = use->via,
               .day = use->day, .outcome = use->outcome, .widened = use->widened};
    if (use->via && use->via_session &&
        !belongs(r, group_at(r, use->day, use->identity, 0), use->via, USAGE_MAX_SESSIONS))
        e.via = 0;
    if (!kim_text_is_absent(use->resource)) {
        e.group = group_at(r, use->day, use->identity, use->action);
        uint32_t resource = use->widened || !r->groups[e.group].wide ? rollup_text(r, use->resource) : 0;
        if (resource && (use->widened || belongs(r, e.group, resource, USAGE_MAX_RESOURCES)))
            e.resource = resource;
        else if (!r->failed)
            e.wide = widen(r, &r->groups[e.group], use->resource);
    }
    if (r->failed)
        return;
    uint32_t before = r->entry_count;
    entry *at = entry_at(r, &e);
    if (!at)
        return;
    if (r->entry_count > before)
        r->encoded_bytes += FIXED_BYTES + r->texts[e.scope].size + r->texts[e.identity].size +
                            r->texts[e.action].size + r->texts[e.via].size +
                            (kim_text_is_absent(use->resource) ? 0 : use->resource.size);
    count(at, 1, use->at_unix_ms, use->at_unix_ms);
}

bool rollup_is_full(const rollup *r)
{
    return r->encoded_bytes >= ROLLUP_FULL_BYTES || r->pool_used >= 8u << 20;
}

bool rollup_failed(const rollup *r)
{
    return r->failed;
}

size_t rollup_count(const rollup *r)
{
    return r->entry_count;
}

/* What was counted before its group was widened joins its container; equal keys then become one. */
static void settle(rollup *r)
{
    char out[KIM_ID_MAX_BYTES + 1];
    uint32_t entries = r->entry_count;
    for (uint32_t i = 0; i < entries; i++) {
        entry *e = &r->entries[i];
        if (!e->resource || e->widened || !r->groups[e->group].wide)
            continue;
        kim_text exact = text_of(r, e->resource);
        memcpy(out, exact.bytes, exact.size);
        e->wide = widen(r, &r->groups[e->group], (kim_text){out, exact.size});
    }
    table_clear(&r->entries_table);
    r->entry_count = 0;
    for (uint32_t i = 0; i < entries && !r->failed; i++) {
        entry e = r->entries[i];
        if (e.wide) {
            const wide *w = &r->wides[e.wide - 1];
            e.widened = w->several;
            e.resource = rollup_text(r, wide_text(r, w, out));
            e.wide = 0;
        }
        uint64_t times = e.count;
        entry empty = e;
        empty.count = 0;
        entry *at = entry_at(r, &empty);
        if (at)
            count(at, times, e.first_unix_ms, e.last_unix_ms);
    }
}

int rollup_emit(rollup *r, kim_emitter *emitter, kim_error *err)
{
    if (r->any_widened)
        settle(r);
    if (r->failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to count the uses of a log");
    for (uint32_t i = 0; i < r->entry_count; i++) {
        const entry *e = &r->entries[i];
        kim_record record = {
            .type = KIM_USAGE,
            .scope = text_of(r, e->scope),
            .usage = {
                .day = e->day, .identity = text_of(r, e->identity), .action = text_of(r, e->action),
                .resource = text_of(r, e->resource), .outcome = e->outcome, .count = (int64_t)e->count,
                .first_unix_ms = e->first_unix_ms, .last_unix_ms = e->last_unix_ms,
                .via = text_of(r, e->via), .widened = e->widened,
            },
        };
        if (kim_emit(emitter, &record, err) < 0)
            return -1;
    }
    return 0;
}
