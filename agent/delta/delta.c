/* SPDX-License-Identifier: Apache-2.0
 *
 * delta.c - two sorted lists walked side by side.
 *
 * A collect's records go to a file, their keys and hashes to memory. At its end the list is sorted by key and
 * walked along the base: what differs is put, what is missing is gone. The snapshot is written whole
 * beside, and becomes the waiting one by a rename: that is the only moment that counts.
 *
 *   pending.snap: magic u32 | crc32c u32 of the rest of the head | pending_head | then the batches, each:
 *                 size u32 | crc32c u32 | msgpack [count, raw_bytes, encoding, bytes]
 */
#include "agent/delta/delta.h"

#include "agent/delta/map.h"
#include "sdk/fault.h"
#include "sdk/crc32c.h"
#include "sdk/fs.h"
#include "sdk/pack.h"

#include <kim/limits.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PATH_BYTES = 4096,
    RAW_BATCH_BYTES = 256 * 1024, /* about KIM_BATCH_TARGET_BYTES once compressed */
    BESIDE_MAX_BYTES = 1024 * 1024,
    PENDING_MAGIC = 0x534d494b,
    SCRATCH_MAX_BYTES = 64 * 1024 * 1024,
};

typedef struct pending_head {
    uint32_t magic, sum; /* sum: of what follows in the head */
    delta_pending of;
    uint64_t body; /* bytes behind the head */
} pending_head;

/* A record of the set that is being collected. */
typedef struct found {
    map_entry entry;
    uint64_t offset; /* in the file of records */
    uint32_t size, order;
} found;

struct delta {
    pthread_mutex_t lock;
    char folder[PATH_BYTES - 64];
    map base; /* its head only */
    delta_pending pending;
    bool has_pending, in_doubt, wants_full;
    uint64_t last_generation, last_sequence; /* the highest ever used or heard of */
    int shipping;                            /* pending.snap */
    off_t ship_at;
    uint64_t ship_sequence;
    uint8_t *batch;
    size_t batch_capacity;
    kim_bytes beside; /* records, end to end */

    /* the collecting thread's alone */
    int records;      /* file of what was collected */
    uint64_t written;
    found *set;
    size_t count, capacity;
    kim_text *scopes;
    uint32_t scope_count;
    kim_arena *scratch, *names;
    kim_bytes packed;
};

static void path_of(const delta *d, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", d->folder, name);
}

static void map_name(uint64_t generation, char name[64])
{
    snprintf(name, 64, "%" PRIu64 ".map", generation);
}

static int io_failed(const delta *d, const char *what, kim_error *err)
{
    return kim_fail(err, KIM_ERR_IO, "%s/%s: %s", d->folder, what, strerror(errno));
}

static void remove_file(const delta *d, const char *name)
{
    char path[PATH_BYTES];
    path_of(d, name, path);
    unlink(path);
}

static int sync_folder(const delta *d, kim_error *err)
{
    int fd = open(d->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 || fsync(fd) < 0 ? io_failed(d, ".", err) : 0;
    if (fd >= 0)
        close(fd);
    return result;
}

static int rename_file(const delta *d, const char *from, const char *to, kim_error *err)
{
    char a[PATH_BYTES], b[PATH_BYTES];
    path_of(d, from, a);
    path_of(d, to, b);
    return rename(a, b) < 0 ? io_failed(d, from, err) : 0;
}

/* ---- opening ---- */

static void close_shipping(delta *d)
{
    if (d->shipping >= 0)
        close(d->shipping);
    d->shipping = -1;
}

static void drop_pending(delta *d)
{
    char name[64];
    if (!d->has_pending)
        return;
    map_name(d->pending.generation, name);
    remove_file(d, "pending.snap");
    remove_file(d, name);
    close_shipping(d);
    d->has_pending = d->in_doubt = false;
}

/* Takes the head of a waiting snapshot. 1; 0: none; -1: damaged. */
static int read_pending(delta *d)
{
    char path[PATH_BYTES];
    pending_head head;
    struct stat what;
    path_of(d, "pending.snap", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    int sound = read(fd, &head, sizeof head) == sizeof head && head.magic == PENDING_MAGIC &&
                head.sum == kim_crc32c(0, (uint8_t *)&head + 8, sizeof head - 8) && fstat(fd, &what) == 0 &&
                (uint64_t)what.st_size == sizeof head + head.body;
    close(fd);
    if (!sound)
        return -1;
    d->pending = head.of;
    d->has_pending = true;
    d->in_doubt = true; /* an earlier run may have sent it whole */
    return 1;
}

static void raise_to(uint64_t *highest, uint64_t value)
{
    if (value > *highest)
        *highest = value;
}

delta *delta_open(const char *folder, kim_error *noted, kim_error *err)
{
    delta *d = calloc(1, sizeof *d);
    char path[PATH_BYTES];
    *noted = (kim_error){0};
    if (!d || strlen(folder) >= sizeof d->folder) {
        free(d);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a stream");
        return NULL;
    }
    pthread_mutex_init(&d->lock, NULL);
    strcpy(d->folder, folder);
    d->records = d->shipping = -1;
    d->scratch = kim_arena_new(SCRATCH_MAX_BYTES);
    d->names = kim_arena_new(SCRATCH_MAX_BYTES);
    if (!d->scratch || !d->names || kim_folder_make(folder, err) < 0) {
        delta_close(d);
        return NULL;
    }
    path_of(d, "base.map", path);
    if (map_head(path, &d->base, noted) < 0)
        rename_file(d, "base.map", "base.map.bad", NULL);
    if (read_pending(d) < 0) {
        kim_fail(noted, KIM_ERR_CORRUPT, "%s/pending.snap is damaged: set aside, and collected again", folder);
        rename_file(d, "pending.snap", "pending.snap.bad", NULL);
    }
    if (d->has_pending && d->pending.generation <= d->base.generation)
        drop_pending(d); /* the end came between its becoming the base and its removal */
    d->wants_full = d->base.generation == 0 && !d->has_pending;
    raise_to(&d->last_generation, d->base.generation);
    raise_to(&d->last_sequence, d->base.last_sequence);
    if (d->has_pending) {
        raise_to(&d->last_generation, d->pending.generation);
        raise_to(&d->last_sequence, d->pending.last_sequence);
    }
    path_of(d, "beside", path);
    kim_error ignored;
    if (kim_file_read(path, BESIDE_MAX_BYTES, &d->beside, &ignored) < 0)
        d->beside.size = 0;
    return d;
}

static void forget_set(delta *d)
{
    if (d->records >= 0)
        close(d->records);
    d->records = -1;
    free(d->set);
    d->set = NULL;
    free(d->scopes);
    d->scopes = NULL;
    d->count = d->capacity = 0;
    d->scope_count = 0;
    kim_bytes_free(&d->packed);
    if (d->names)
        kim_arena_reset(d->names);
    if (d->scratch)
        kim_arena_reset(d->scratch);
}

void delta_close(delta *d)
{
    if (!d)
        return;
    forget_set(d);
    close_shipping(d);
    free(d->batch);
    kim_bytes_free(&d->beside);
    kim_arena_free(d->scratch);
    kim_arena_free(d->names);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- collecting ---- */

int delta_begin(delta *d, kim_error *err)
{
    char path[PATH_BYTES];
    forget_set(d);
    fault_point("collect_begin");
    path_of(d, "collect.tmp", path);
    d->records = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    d->written = 0;
    if (d->records < 0)
        return io_failed(d, "collect.tmp", err);
    unlink(path); /* it ends with this process, whatever happens */
    return 0;
}

void delta_abandon(delta *d)
{
    forget_set(d);
}

/* The index of a scope; scopes are few, and the last one is usually the next one. */
static int scope_index(delta *d, kim_text scope, uint32_t *index)
{
    for (uint32_t i = d->scope_count; i > 0; i--)
        if (kim_text_equal(d->scopes[i - 1], scope)) {
            *index = i - 1;
            return 0;
        }
    if ((d->scope_count & (d->scope_count + 1)) == 0) { /* grows at 0, 1, 3, 7 ... */
        kim_text *grown = realloc(d->scopes, (2 * (size_t)d->scope_count + 2) * sizeof *grown);
        if (!grown)
            return -1;
        d->scopes = grown;
    }
    kim_text copy = kim_text_copy(d->names, scope);
    if (kim_text_is_absent(copy))
        return -1;
    d->scopes[d->scope_count] = copy;
    *index = d->scope_count++;
    return 0;
}

/* Notes one record that lies at `offset` of the file. */
static int note(delta *d, const uint8_t *bytes, size_t left, uint64_t offset, size_t *used, kim_error *err)
{
    kim_record record;
    kim_arena_reset(d->scratch);
    if (kim_record_decode(bytes, left, d->scratch, &record, used, err) < 0)
        return -1;
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 1024;
        found *grown = realloc(d->set, capacity * sizeof *grown);
        if (!grown)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for %zu records", capacity);
        d->set = grown;
        d->capacity = capacity;
    }
    found *f = &d->set[d->count];
    *f = (found){.offset = offset, .size = (uint32_t)*used, .order = (uint32_t)d->count};
    f->entry.type = record.type;
    kim_record_key(&record, f->entry.key);
    kim_record_hash(bytes, *used, f->entry.hash);
    if (scope_index(d, record.scope, &f->entry.scope) < 0)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a scope");
    d->count++;
    return 0;
}

int delta_add(delta *d, const uint8_t *records, size_t size, kim_error *err)
{
    fault_point("collect_records");
    for (size_t at = 0, used; at < size; at += used)
        if (note(d, records + at, size - at, d->written + at, &used, err) < 0)
            return -1;
    for (size_t done = 0; done < size;) {
        ssize_t some = pwrite(d->records, records + done, size - done, (off_t)(d->written + done));
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            return io_failed(d, "collect.tmp", err);
        done += (size_t)some;
    }
    d->written += size;
    return 0;
}

static int by_key_then_newest(const void *a, const void *b)
{
    const found *x = a, *y = b;
    int order = memcmp(x->entry.key, y->entry.key, KIM_RECORD_KEY_BYTES);
    return order ? order : (x->order < y->order) - (x->order > y->order);
}

/* Sorted by key, each once. */
static void sort_set(delta *d)
{
    size_t kept = 0;
    if (d->count)
        qsort(d->set, d->count, sizeof *d->set, by_key_then_newest);
    for (size_t i = 0; i < d->count; i++)
        if (kept == 0 || memcmp(d->set[kept - 1].entry.key, d->set[i].entry.key, KIM_RECORD_KEY_BYTES))
            d->set[kept++] = d->set[i];
    d->count = kept;
}

/* ---- writing a snapshot ---- */

typedef struct writer {
    delta *d;
    int file;
    uint64_t body;
    kim_bytes entries; /* of the batch that is being filled */
    uint64_t in_batch, batches, changes;
} writer;

static int write_bytes(writer *w, const void *bytes, size_t size, kim_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t some = write(w->file, (const uint8_t *)bytes + done, size - done);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            return io_failed(w->d, "pending.tmp", err);
        done += (size_t)some;
    }
    return 0;
}

static int end_batch(writer *w, kim_error *err)
{
    if (w->in_batch == 0)
        return 0;
    protocol_data data = {0};
    kim_bytes out = {0};
    if (protocol_deflate(w->entries.data, w->entries.size, w->in_batch, &w->d->packed, &data, err) < 0)
        return -1;
    pack_array(&out, 4);
    pack_uint(&out, data.count);
    pack_uint(&out, data.raw_bytes);
    pack_uint(&out, data.encoding);
    pack_binary(&out, data.bytes, data.size);
    uint32_t head[2] = {(uint32_t)out.size, out.failed ? 0 : kim_crc32c(0, out.data, out.size)};
    int result = out.failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a batch")
                            : write_bytes(w, head, sizeof head, err) < 0 ? -1 : write_bytes(w, out.data, out.size, err);
    w->body += sizeof head + out.size;
    w->batches++;
    w->entries.size = 0;
    w->in_batch = 0;
    kim_bytes_free(&out);
    return result;
}

static int entry_written(writer *w, kim_error *err)
{
    w->in_batch++;
    w->changes++;
    if (w->entries.failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a batch");
    return w->entries.size >= RAW_BATCH_BYTES ? end_batch(w, err) : 0;
}

static int put_record(writer *w, const found *f, kim_error *err)
{
    uint8_t *room = malloc(f->size);
    if (!room)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a record");
    ssize_t got = pread(w->d->records, room, f->size, (off_t)f->offset);
    if (got == (ssize_t)f->size)
        kim_bytes_append(&w->entries, room, f->size);
    free(room);
    return got == (ssize_t)f->size ? entry_written(w, err) : io_failed(w->d, "collect.tmp", err);
}

static int put_gone(writer *w, const map *base, const map_entry *gone, kim_error *err)
{
    protocol_put_gone(&w->entries, (kim_record_type)gone->type, base->scopes[gone->scope], gone->key);
    return entry_written(w, err);
}

/* Walks the new set along the base. keep: what the set does not name stays; it is then added to the set
 * behind `count`, for the map. */
static int write_changes(writer *w, const map *base, bool keep, size_t *kept, kim_error *err)
{
    delta *d = w->d;
    size_t i = 0, b = 0;
    int result = 0;
    while (result == 0 && (i < d->count || b < base->count)) {
        int order = i == d->count ? 1 : b == base->count ? -1
                    : memcmp(d->set[i].entry.key, base->entries[b].key, KIM_RECORD_KEY_BYTES);
        if (order > 0) {
            if (keep)
                ++*kept;
            else
                result = put_gone(w, base, &base->entries[b], err);
            b++;
            continue;
        }
        if (order < 0 || memcmp(d->set[i].entry.hash, base->entries[b].hash, KIM_RECORD_HASH_BYTES))
            result = put_record(w, &d->set[i], err);
        i++;
        b += order == 0;
    }
    return result < 0 ? -1 : end_batch(w, err);
}

/* The map of the set, and of the base's records that are kept; fills digest and count. */
static int write_map(delta *d, const map *base, bool keep, size_t kept, map *out, kim_error *err)
{
    char name[64], path[PATH_BYTES];
    map_entry *entries = calloc(d->count + kept + 1, sizeof *entries);
    int result = entries ? 0 : kim_fail(err, KIM_ERR_NOMEM, "no memory for %zu records", d->count + kept);
    size_t n = 0, i = 0, b = 0;
    while (result == 0 && (i < d->count || (keep && b < base->count))) {
        int order = i == d->count ? 1 : !keep || b == base->count ? -1
                    : memcmp(d->set[i].entry.key, base->entries[b].key, KIM_RECORD_KEY_BYTES);
        if (order <= 0) {
            entries[n] = d->set[i++].entry;
            b += order == 0;
        } else {
            entries[n] = base->entries[b];
            if (scope_index(d, base->scopes[base->entries[b].scope], &entries[n].scope) < 0)
                result = kim_fail(err, KIM_ERR_NOMEM, "no memory for a scope");
            b++;
        }
        kim_digest_add(out->digest, entries[n++].hash);
    }
    out->count = n;
    out->entries = entries;
    out->scopes = d->scopes;
    out->scope_count = d->scope_count;
    map_name(out->generation, name);
    path_of(d, name, path);
    if (result == 0)
        result = map_write(path, out, err);
    free(entries);
    return result;
}

static int write_head(writer *w, const delta_pending *of, kim_error *err)
{
    pending_head head;
    memset(&head, 0, sizeof head);
    head.magic = PENDING_MAGIC;
    head.of = *of;
    head.body = w->body;
    head.sum = kim_crc32c(0, (uint8_t *)&head + 8, sizeof head - 8);
    if (pwrite(w->file, &head, sizeof head, 0) != sizeof head || fdatasync(w->file) < 0)
        return io_failed(w->d, "pending.tmp", err);
    return 0;
}

/* Makes what was written the waiting snapshot. */
static int install(delta *d, writer *w, const map *base, map *next, kim_error *err)
{
    delta_pending of = {.generation = next->generation, .base = base->generation,
                        .first_sequence = d->last_sequence + 1, .last_sequence = next->last_sequence,
                        .count = next->count, .bytes = w->body};
    memcpy(of.digest, next->digest, sizeof of.digest);
    fault_point("snapshot_file");
    if (write_head(w, &of, err) < 0)
        return -1;
    fault_point("snapshot_rename");
    char replaced[64] = "";
    if (d->has_pending)
        map_name(d->pending.generation, replaced);
    if (rename_file(d, "pending.tmp", "pending.snap", err) < 0 || sync_folder(d, err) < 0)
        return -1;
    if (*replaced)
        remove_file(d, replaced);
    close_shipping(d);
    d->pending = of;
    d->has_pending = true;
    d->in_doubt = false;
    d->last_generation = of.generation;
    d->last_sequence = of.last_sequence;
    return 0;
}

/* With the lock. 1: the base, or an empty one where there is none yet; 0: it is damaged and put aside, and
 * what is sent next is full; -1. */
static int open_base(delta *d, map *base, kim_error *err)
{
    char path[PATH_BYTES];
    kim_error why = {0};
    path_of(d, "base.map", path);
    if (map_open(path, base, &why) >= 0)
        return 1;
    if (why.code != KIM_ERR_CORRUPT) {
        *err = why;
        return -1;
    }
    rename_file(d, "base.map", "base.map.bad", NULL);
    d->wants_full = true;
    memset(&d->base, 0, sizeof d->base);
    return 0;
}

/* With the lock: the waiting snapshot becomes what the set is beyond the base. */
static delta_outcome make_snapshot(delta *d, bool keep, kim_error *err)
{
    char path[PATH_BYTES];
    map base;
    writer w = {.d = d, .file = -1};
    size_t kept = 0;
    delta_outcome outcome = DELTA_FAILED;
    int opened = open_base(d, &base, err);
    if (opened < 0 || (opened == 0 && keep))
        return opened < 0 ? DELTA_FAILED : DELTA_HELD;
    map next = {.generation = d->last_generation + 1};
    path_of(d, "pending.tmp", path);
    w.file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (w.file < 0)
        io_failed(d, "pending.tmp", err);
    else if (lseek(w.file, sizeof(pending_head), SEEK_SET) >= 0 && write_changes(&w, &base, keep, &kept, err) == 0) {
        next.last_sequence = d->last_sequence + w.batches + 2;
        if (w.changes == 0 && base.generation != 0) {
            drop_pending(d);
            outcome = DELTA_UNCHANGED;
        } else if (fault_point("snapshot_map"), write_map(d, &base, keep, kept, &next, err) == 0 &&
                   install(d, &w, &base, &next, err) == 0)
            outcome = DELTA_WAITING;
    }
    if (w.file >= 0)
        close(w.file);
    unlink(path);
    kim_bytes_free(&w.entries);
    map_close(&base);
    return outcome;
}

static delta_outcome finish(delta *d, bool keep, kim_error *err)
{
    pthread_mutex_lock(&d->lock);
    kim_bytes beside = {0};
    kim_bytes_append(&beside, d->beside.data, d->beside.size);
    bool held = d->in_doubt;
    pthread_mutex_unlock(&d->lock);
    delta_outcome outcome = DELTA_HELD;
    if (!held && beside.size && delta_add(d, beside.data, beside.size, err) < 0)
        outcome = DELTA_FAILED;
    else if (!held) {
        sort_set(d);
        fault_point("collect_end");
        pthread_mutex_lock(&d->lock);
        outcome = d->in_doubt ? DELTA_HELD : make_snapshot(d, keep, err);
        pthread_mutex_unlock(&d->lock);
    }
    kim_bytes_free(&beside);
    forget_set(d);
    return outcome;
}

delta_outcome delta_finish(delta *d, kim_error *err)
{
    return finish(d, false, err);
}

delta_outcome delta_finish_beside(delta *d, kim_error *err)
{
    delta_pending waiting;
    if (d->base.generation == 0 || delta_pending_of(d, &waiting))
        return DELTA_HELD; /* the collect that is due, or the next one, takes it along */
    return delta_begin(d, err) < 0 ? DELTA_FAILED : finish(d, true, err);
}

/* The records of `old` whose keys `fresh` does not have, then all of `fresh`. */
static int merge_beside(delta *d, const kim_bytes *old, const uint8_t *fresh, size_t size, kim_bytes *out, kim_error *err)
{
    const struct { const uint8_t *bytes; size_t size; } lists[2] = {{fresh, size}, {old->data, old->size}};
    struct { uint8_t key[KIM_RECORD_KEY_BYTES]; } *seen = calloc(size + old->size + 1, sizeof *seen);
    size_t count = 0;
    int result = seen ? 0 : kim_fail(err, KIM_ERR_NOMEM, "no memory for coverage");
    for (int l = 0; l < 2 && result == 0; l++) {
        size_t used;
        for (size_t at = 0; at < lists[l].size && result == 0; at += used) {
            kim_record record;
            uint8_t key[KIM_RECORD_KEY_BYTES];
            kim_arena_reset(d->scratch);
            if ((result = kim_record_decode(lists[l].bytes + at, lists[l].size - at, d->scratch, &record, &used, err)) < 0)
                break;
            kim_record_key(&record, key);
            bool known = false;
            for (size_t k = 0; k < count && l == 1; k++)
                known |= memcmp(seen[k].key, key, sizeof key) == 0;
            if (known)
                continue;
            memcpy(seen[count++].key, key, sizeof key);
            kim_bytes_append(out, lists[l].bytes + at, used);
        }
    }
    free(seen);
    return result;
}

int delta_add_beside(delta *d, const uint8_t *records, size_t size, kim_error *err)
{
    kim_bytes merged = {0};
    char path[PATH_BYTES];
    int result = merge_beside(d, &d->beside, records, size, &merged, err);
    if (result == 0 && merged.size > BESIDE_MAX_BYTES)
        result = kim_fail(err, KIM_ERR_LIMIT, "%zu bytes of coverage from logs; at most %d", merged.size, BESIDE_MAX_BYTES);
    if (result == 0 && (merged.size != d->beside.size || memcmp(merged.data, d->beside.data, merged.size))) {
        path_of(d, "beside", path);
        result = kim_file_write(path, merged.data, merged.size, err) < 0 ? -1 : 1;
    }
    if (result == 1) {
        pthread_mutex_lock(&d->lock);
        kim_bytes old = d->beside;
        d->beside = merged;
        merged = old;
        pthread_mutex_unlock(&d->lock);
    }
    kim_bytes_free(&merged);
    return result;
}

bool delta_is_in_doubt(delta *d)
{
    pthread_mutex_lock(&d->lock);
    bool doubt = d->in_doubt;
    pthread_mutex_unlock(&d->lock);
    return doubt;
}

bool delta_wants_full(delta *d)
{
    pthread_mutex_lock(&d->lock);
    bool wants = d->wants_full;
    d->wants_full = false;
    pthread_mutex_unlock(&d->lock);
    return wants;
}

/* ---- shipping ---- */

bool delta_pending_of(delta *d, delta_pending *out)
{
    pthread_mutex_lock(&d->lock);
    bool has = d->has_pending;
    *out = d->pending;
    pthread_mutex_unlock(&d->lock);
    return has;
}

/* With the lock. */
static int reset(delta *d, kim_error *err)
{
    drop_pending(d);
    remove_file(d, "base.map");
    memset(&d->base, 0, sizeof d->base);
    d->wants_full = true;
    return sync_folder(d, err);
}

/* With the lock: the waiting snapshot is published, and its map is the base. Where that map is lost or
 * damaged the next snapshot is full. */
static int become_base(delta *d, kim_error *err)
{
    char name[64], path[PATH_BYTES];
    map_name(d->pending.generation, name);
    path_of(d, name, path);
    kim_error why;
    if (map_head(path, &d->base, &why) != 1)
        return reset(d, err);
    if (rename_file(d, name, "base.map", err) < 0 || sync_folder(d, err) < 0)
        return -1;
    fault_point("state_acked");
    remove_file(d, "pending.snap");
    close_shipping(d);
    d->has_pending = d->in_doubt = false;
    return 0;
}

static bool is_same(const protocol_stream_position *at, uint64_t generation, const uint8_t *digest)
{
    return at->generation == generation && (generation == 0 || !memcmp(at->digest, digest, KIM_RECORD_HASH_BYTES));
}

int delta_position(delta *d, const protocol_stream_position *at, kim_error *err)
{
    int result = 1;
    pthread_mutex_lock(&d->lock);
    if (d->has_pending && is_same(at, d->pending.generation, d->pending.digest))
        result = become_base(d, err) < 0 ? -1 : 1;
    else if (is_same(at, d->base.generation, d->base.digest) ||
             (d->has_pending && d->pending.base == 0 && d->pending.generation > at->generation))
        d->in_doubt = false;
    else
        result = reset(d, err) < 0 ? -1 : 0;
    raise_to(&d->last_generation, at->generation);
    raise_to(&d->last_sequence, at->sequence);
    pthread_mutex_unlock(&d->lock);
    return result;
}

/* With the lock: reads the batch at ship_at into d->batch. */
static int read_batch(delta *d, protocol_data *data, kim_error *err)
{
    uint32_t head[2];
    if (pread(d->shipping, head, sizeof head, d->ship_at) != sizeof head || head[0] > KIM_BATCH_MAX_BYTES + 256)
        return kim_fail(err, KIM_ERR_CORRUPT, "%s/pending.snap is damaged at byte %lld", d->folder, (long long)d->ship_at);
    if (d->batch_capacity < head[0]) {
        uint8_t *grown = realloc(d->batch, head[0]);
        if (!grown)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for a batch");
        d->batch = grown;
        d->batch_capacity = head[0];
    }
    pack_reader in = pack_reader_of(d->batch, head[0]);
    if (pread(d->shipping, d->batch, head[0], d->ship_at + (off_t)sizeof head) != (ssize_t)head[0] ||
        kim_crc32c(0, d->batch, head[0]) != head[1] || pack_read_array(&in) != 4)
        return kim_fail(err, KIM_ERR_CORRUPT, "%s/pending.snap is damaged at byte %lld", d->folder, (long long)d->ship_at);
    data->count = pack_read_uint(&in);
    data->raw_bytes = pack_read_uint(&in);
    data->encoding = pack_read_uint(&in);
    data->bytes = pack_read_binary(&in, &data->size, KIM_BATCH_MAX_BYTES);
    d->ship_at += (off_t)(sizeof head + head[0]);
    d->ship_sequence++;
    return 1;
}

/* With the lock: DATA of that sequence, from the front if it lies before the place reached. */
static int seek_batch(delta *d, uint64_t sequence, protocol_data *data, kim_error *err)
{
    char path[PATH_BYTES];
    path_of(d, "pending.snap", path);
    if (d->shipping < 0 || sequence < d->ship_sequence) {
        close_shipping(d);
        d->shipping = open(path, O_RDONLY | O_CLOEXEC);
        if (d->shipping < 0)
            return io_failed(d, "pending.snap", err);
        d->ship_at = sizeof(pending_head);
        d->ship_sequence = d->pending.first_sequence + 1;
    }
    int result = 1;
    while (result > 0 && d->ship_sequence <= sequence)
        result = read_batch(d, data, err);
    return result;
}

int delta_message(delta *d, uint64_t generation, uint64_t sequence, protocol_message *out, kim_error *err)
{
    pthread_mutex_lock(&d->lock);
    const delta_pending *p = &d->pending;
    int result = d->has_pending && p->generation == generation && sequence >= p->first_sequence &&
                 sequence <= p->last_sequence;
    memset(out, 0, sizeof *out);
    if (result && sequence == p->first_sequence) {
        out->type = PROTOCOL_SNAPSHOT_BEGIN;
        out->begin = (protocol_begin){.sequence = sequence, .generation = generation, .base = p->base, .count = p->count};
    } else if (result && sequence == p->last_sequence) {
        out->type = PROTOCOL_SNAPSHOT_COMMIT;
        out->commit = (protocol_commit){.sequence = sequence, .generation = generation, .count = p->count};
        memcpy(out->commit.digest, p->digest, sizeof p->digest);
        d->in_doubt = true;
    } else if (result) {
        out->type = PROTOCOL_DATA;
        result = seek_batch(d, sequence, &out->data, err);
        out->data.sequence = sequence;
    }
    if (result < 0 && err->code == KIM_ERR_CORRUPT) {
        rename_file(d, "pending.snap", "pending.snap.bad", NULL);
        reset(d, NULL);
    }
    pthread_mutex_unlock(&d->lock);
    return result;
}

int delta_acknowledge(delta *d, uint64_t sequence, kim_error *err)
{
    pthread_mutex_lock(&d->lock);
    int result = 0;
    if (d->has_pending && sequence >= d->pending.last_sequence) {
        fault_point("ship_ack");
        result = become_base(d, err);
    }
    pthread_mutex_unlock(&d->lock);
    return result;
}

int delta_reset(delta *d, bool aside, kim_error *err)
{
    pthread_mutex_lock(&d->lock);
    if (aside && d->has_pending) {
        rename_file(d, "pending.snap", "pending.snap.bad", NULL);
        close_shipping(d);
    }
    int result = reset(d, err);
    pthread_mutex_unlock(&d->lock);
    return result;
}
