/* SPDX-License-Identifier: Apache-2.0
 *
 * spool.c - segments named by their first sequence.
 *
 * A segment begins with the cursor that stood before it, so the last one alone says where the source
 * and the numbering are, and the others need not be read. What was acknowledged is noted in two slots
 * by turns; that note only saves work, since the controller says at every WELCOME where it stands.
 * The newest segment stays even when all of it has arrived: it carries the cursor.
 *
 * All numbers are little-endian.
 *   segment: magic u32 | version u32 | first u64 | cursor size u32 | crc32c u32 (of the above and the cursor) | cursor
 *   record:  size u32 | crc32c u32 (of the rest) | sequence u64 | msgpack [count, raw_bytes, encoding, bytes, cursor]
 *   slot:    magic u32 | turn u32 | acknowledged u64 | anchored u32 | crc32c u32; at 0 and at 512
 */
#include "agent/spool/spool.h"

#include "sdk/fault.h"
#include "sdk/crc32c.h"
#include "sdk/fs.h"
#include "sdk/pack.h"

#include <kim/limits.h>

#include <dirent.h>
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
    SEGMENT_MAGIC = 0x4d494b53, SLOT_MAGIC = 0x4d494b41, VERSION = 1,
    HEADER_BYTES = 24, RECORD_HEAD_BYTES = 16, CHECKED_FROM = 8, SLOT_BYTES = 24, SLOT_SPACING = 512,
    RECORD_MAX_BYTES = KIM_BATCH_MAX_BYTES + KIM_CURSOR_MAX_BYTES + 256,
    PATH_BYTES = 4096, SEGMENTS_MAX = 65536,
};

typedef struct segment {
    uint64_t first; /* sequence */
    uint64_t bytes; /* of the file */
} segment;

struct spool {
    pthread_mutex_t lock;
    char folder[PATH_BYTES - 64];
    spool_limits limits;
    segment *segments; /* [count], oldest first; the last one is written to */
    size_t count, capacity;
    int writing, reading, slots;
    uint64_t next;         /* sequence of the next append */
    uint64_t acknowledged;
    uint32_t turn;
    bool anchored;
    bool went_back;        /* since the source last asked for its cursor: what it reads now does not follow */
    kim_bytes cursor;      /* behind the last append */
    kim_bytes packed;      /* room for compression */

    uint64_t read_next;    /* sequence that spool_next gives next */
    uint64_t reading_first;/* which segment `reading` is */
    off_t read_at;
    uint8_t *record;       /* the record that was read last */
    size_t record_capacity;
    kim_bytes before;      /* cursor in front of read_next */
};

static void put_le(uint8_t *to, uint64_t value, int width)
{
    for (int i = 0; i < width; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *from, int width)
{
    uint64_t value = 0;
    for (int i = 0; i < width; i++)
        value |= (uint64_t)from[i] << (8 * i);
    return value;
}

static int io_failed(const spool *sp, const char *what, kim_error *err)
{
    return kim_fail(err, KIM_ERR_IO, "spool %s: %s: %s", sp->folder, what, strerror(errno));
}

static void segment_path(const spool *sp, uint64_t first, const char *in, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s%016" PRIx64 ".seg", sp->folder, in, first);
}

static int write_all(int fd, const uint8_t *bytes, size_t size, off_t at)
{
    while (size) {
        ssize_t written = pwrite(fd, bytes, size, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return -1;
        bytes += written;
        size -= (size_t)written;
        at += written;
    }
    return 0;
}

/* Exactly size bytes: 1; fewer are there: 0; -1: failed. */
static int read_all(int fd, uint8_t *bytes, size_t size, off_t at)
{
    while (size) {
        ssize_t got = pread(fd, bytes, size, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return (int)got;
        bytes += got;
        size -= (size_t)got;
        at += got;
    }
    return 1;
}

static void set_bytes(kim_bytes *to, const uint8_t *bytes, size_t size)
{
    to->size = 0;
    kim_bytes_append(to, bytes, size);
}

static void sync_folder(const spool *sp)
{
    int fd = open(sp->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* ---- slots ---- */

static int write_slot(spool *sp, bool durable, kim_error *err)
{
    uint8_t slot[SLOT_BYTES];
    sp->turn++;
    put_le(slot, SLOT_MAGIC, 4);
    put_le(slot + 4, sp->turn, 4);
    put_le(slot + 8, sp->acknowledged, 8);
    put_le(slot + 16, sp->anchored, 4);
    put_le(slot + 20, kim_crc32c(0, slot, 20), 4);
    if (write_all(sp->slots, slot, sizeof slot, (off_t)(sp->turn % 2) * SLOT_SPACING) < 0 ||
        (durable && fdatasync(sp->slots) < 0))
        return io_failed(sp, "state", err);
    return 0;
}

static int open_slots(spool *sp, kim_error *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/state", sp->folder);
    sp->slots = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (sp->slots < 0)
        return io_failed(sp, "state", err);
    for (int i = 0; i < 2; i++) {
        uint8_t slot[SLOT_BYTES];
        if (read_all(sp->slots, slot, sizeof slot, (off_t)i * SLOT_SPACING) != 1 ||
            get_le(slot, 4) != SLOT_MAGIC || get_le(slot + 20, 4) != kim_crc32c(0, slot, 20))
            continue;
        if (get_le(slot + 4, 4) < sp->turn)
            continue;
        sp->turn = (uint32_t)get_le(slot + 4, 4);
        sp->acknowledged = get_le(slot + 8, 8);
        sp->anchored = get_le(slot + 16, 4);
    }
    return 0;
}

/* ---- segments ---- */

static int add_segment(spool *sp, uint64_t first, uint64_t bytes, kim_error *err)
{
    if (sp->count == sp->capacity) {
        size_t capacity = sp->capacity ? 2 * sp->capacity : 16;
        segment *grown = realloc(sp->segments, capacity * sizeof *grown);
        if (!grown || capacity > SEGMENTS_MAX) {
            sp->segments = grown ? grown : sp->segments;
            return kim_fail(err, KIM_ERR_NOMEM, "spool %s: too many segments", sp->folder);
        }
        sp->segments = grown;
        sp->capacity = capacity;
    }
    sp->segments[sp->count++] = (segment){first, bytes};
    return 0;
}

/* Begins a new segment behind the cursor that the spool has, and writes to it from now on. */
static int begin_segment(spool *sp, kim_error *err)
{
    char path[PATH_BYTES];
    uint8_t *header = malloc(HEADER_BYTES + sp->cursor.size);
    if (!header)
        return kim_fail(err, KIM_ERR_NOMEM, "spool %s: no memory", sp->folder);
    put_le(header, SEGMENT_MAGIC, 4);
    put_le(header + 4, VERSION, 4);
    put_le(header + 8, sp->next, 8);
    put_le(header + 16, sp->cursor.size, 4);
    if (sp->cursor.size)
        memcpy(header + HEADER_BYTES, sp->cursor.data, sp->cursor.size);
    put_le(header + 20, kim_crc32c(kim_crc32c(0, header, 20), header + HEADER_BYTES, sp->cursor.size), 4);
    segment_path(sp, sp->next, "", path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), result = -1;
    if (fd >= 0 && write_all(fd, header, HEADER_BYTES + sp->cursor.size, 0) == 0 && fdatasync(fd) == 0)
        result = add_segment(sp, sp->next, HEADER_BYTES + sp->cursor.size, err);
    else
        io_failed(sp, path, err);
    free(header);
    if (result < 0) {
        if (fd >= 0)
            close(fd);
        unlink(path);
        return -1;
    }
    sync_folder(sp);
    if (sp->writing >= 0)
        close(sp->writing);
    sp->writing = fd;
    return 0;
}

/* Takes a segment's header; its cursor goes to `cursor`. 1: sound, *size bytes of it; 0: not. */
static int read_header(int fd, uint64_t first, kim_bytes *cursor, off_t *size)
{
    uint8_t header[HEADER_BYTES];
    if (read_all(fd, header, sizeof header, 0) != 1 || get_le(header, 4) != SEGMENT_MAGIC ||
        get_le(header + 4, 4) != VERSION || get_le(header + 8, 8) != first)
        return 0;
    size_t cursor_size = get_le(header + 16, 4);
    if (cursor_size > KIM_CURSOR_MAX_BYTES)
        return 0;
    uint8_t *bytes = malloc(cursor_size + 1);
    int sound = bytes && read_all(fd, bytes, cursor_size, HEADER_BYTES) == 1 &&
                kim_crc32c(kim_crc32c(0, header, 20), bytes, cursor_size) == get_le(header + 20, 4);
    if (sound)
        set_bytes(cursor, bytes, cursor_size);
    free(bytes);
    *size = (off_t)(HEADER_BYTES + cursor_size);
    return sound;
}

/* The record at `at`: 1: sound, in sp->record, *size bytes on disk; 0: not, or not whole; -1 with err. */
static int read_record(spool *sp, int fd, off_t at, uint64_t sequence, size_t *size, kim_error *err)
{
    uint8_t head[RECORD_HEAD_BYTES];
    int got = read_all(fd, head, sizeof head, at);
    if (got < 0)
        return io_failed(sp, "read", err);
    size_t payload = get_le(head, 4);
    if (got == 0 || payload > RECORD_MAX_BYTES || get_le(head + 8, 8) != sequence)
        return 0;
    if (sp->record_capacity < payload) {
        uint8_t *grown = realloc(sp->record, payload);
        if (!grown)
            return kim_fail(err, KIM_ERR_NOMEM, "spool %s: no memory", sp->folder);
        sp->record = grown;
        sp->record_capacity = payload;
    }
    got = read_all(fd, sp->record, payload, at + RECORD_HEAD_BYTES);
    if (got < 0)
        return io_failed(sp, "read", err);
    uint32_t sum = kim_crc32c(kim_crc32c(0, head + CHECKED_FROM, sizeof head - CHECKED_FROM), sp->record, payload);
    if (got == 0 || sum != get_le(head + 4, 4))
        return 0;
    *size = RECORD_HEAD_BYTES + payload;
    return 1;
}

/* What a record holds; points into sp->record. */
static int parse_record(const spool *sp, size_t size, protocol_data *data, kim_error *err)
{
    pack_reader in = pack_reader_of(sp->record, size - RECORD_HEAD_BYTES);
    if (pack_read_array(&in) != 5)
        pack_fault(&in, "has not five fields");
    data->count = pack_read_uint(&in);
    data->raw_bytes = pack_read_uint(&in);
    data->encoding = pack_read_uint(&in);
    data->bytes = pack_read_binary(&in, &data->size, KIM_BATCH_MAX_BYTES);
    data->cursor = pack_read_binary(&in, &data->cursor_size, KIM_CURSOR_MAX_BYTES);
    return in.fault ? kim_fail(err, KIM_ERR_CORRUPT, "spool %s: a record %s", sp->folder, in.fault) : 0;
}

/* ---- opening ---- */

static int by_first(const void *a, const void *b)
{
    uint64_t x = ((const segment *)a)->first, y = ((const segment *)b)->first;
    return (x > y) - (x < y);
}

static int find_segments(spool *sp, kim_error *err)
{
    DIR *folder = opendir(sp->folder);
    if (!folder)
        return io_failed(sp, "open", err);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(folder));) {
        uint64_t first;
        int used = 0;
        struct stat what;
        if (sscanf(entry->d_name, "%16" SCNx64 ".seg%n", &first, &used) != 1 || used != 20 || entry->d_name[used])
            continue;
        if (fstatat(dirfd(folder), entry->d_name, &what, 0) == 0)
            result = add_segment(sp, first, (uint64_t)what.st_size, err);
    }
    closedir(folder);
    if (sp->count)
        qsort(sp->segments, sp->count, sizeof *sp->segments, by_first);
    return result;
}

/* Moves a segment to bad/. */
static void move_aside(spool *sp, uint64_t first)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    snprintf(to, sizeof to, "%s/bad", sp->folder);
    kim_folder_make(to, NULL);
    segment_path(sp, first, "", from);
    segment_path(sp, first, "bad/", to);
    rename(from, to);
    sync_folder(sp);
}

/* Reads the last segment to its end: next, cursor, and a tail that is cut off where it is damaged. */
static int read_last(spool *sp, kim_error *noted, kim_error *err)
{
    segment *last = &sp->segments[sp->count - 1];
    char path[PATH_BYTES];
    off_t at;
    size_t size;
    int found;
    segment_path(sp, last->first, "", path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return io_failed(sp, path, err);
    if (!read_header(fd, last->first, &sp->cursor, &at)) {
        close(fd);
        move_aside(sp, last->first);
        sp->count--;
        kim_fail(noted, KIM_ERR_CORRUPT, "spool %s: segment %016" PRIx64 " has no sound header: set aside in bad/",
                 sp->folder, last->first);
        return 0;
    }
    sp->next = last->first;
    while ((found = read_record(sp, fd, at, sp->next, &size, err)) > 0) {
        protocol_data data;
        if (parse_record(sp, size, &data, err) < 0)
            break;
        set_bytes(&sp->cursor, data.cursor, data.cursor_size);
        at += (off_t)size;
        sp->next++;
    }
    if (found >= 0 && (uint64_t)at < last->bytes) {
        kim_fail(noted, KIM_ERR_CORRUPT, "spool %s: %" PRIu64 " damaged bytes at the end of segment %016" PRIx64
                 " were cut off; their source is read again", sp->folder, last->bytes - (uint64_t)at, last->first);
        found = ftruncate(fd, at) < 0 || fdatasync(fd) < 0 ? io_failed(sp, "truncate", err) : 0;
    }
    last->bytes = (uint64_t)at;
    sp->writing = fd;
    return found < 0 ? -1 : 0;
}

spool *spool_open(const char *folder, const spool_limits *limits, kim_error *noted, kim_error *err)
{
    spool *sp = calloc(1, sizeof *sp);
    *noted = (kim_error){0};
    if (!sp || strlen(folder) >= sizeof sp->folder) {
        free(sp);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a spool");
        return NULL;
    }
    pthread_mutex_init(&sp->lock, NULL);
    strcpy(sp->folder, folder);
    sp->limits = *limits;
    if (!sp->limits.segment_bytes)
        sp->limits.segment_bytes = SPOOL_SEGMENT_BYTES;
    sp->writing = sp->reading = sp->slots = -1;
    if (kim_folder_make(folder, err) < 0 || open_slots(sp, err) < 0 || find_segments(sp, err) < 0)
        goto fail;
    while (sp->count && sp->writing < 0)
        if (read_last(sp, noted, err) < 0)
            goto fail;
    if (sp->count == 0) {
        sp->next = 1;
        sp->acknowledged = 0;
        sp->anchored = false; /* without a segment there is no cursor: the controller's is asked for */
        if (begin_segment(sp, err) < 0)
            goto fail;
    }
    if (sp->acknowledged >= sp->next)
        sp->anchored = false; /* more had arrived than is here: likewise */
    sp->read_next = sp->segments[0].first;
    return sp;
fail:
    spool_close(sp);
    return NULL;
}

void spool_close(spool *sp)
{
    if (!sp)
        return;
    const int descriptors[] = {sp->writing, sp->reading, sp->slots};
    for (size_t i = 0; i < sizeof descriptors / sizeof descriptors[0]; i++)
        if (descriptors[i] >= 0)
            close(descriptors[i]);
    kim_bytes_free(&sp->cursor);
    kim_bytes_free(&sp->packed);
    kim_bytes_free(&sp->before);
    free(sp->record);
    free(sp->segments);
    pthread_mutex_destroy(&sp->lock);
    free(sp);
}

/* ---- appending ---- */

static uint64_t all_bytes(const spool *sp)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < sp->count; i++)
        bytes += sp->segments[i].bytes;
    return bytes;
}

static int encode_record(spool *sp, const uint8_t *entries, size_t size, uint64_t count, const uint8_t *cursor,
                         size_t cursor_size, kim_bytes *out, kim_error *err)
{
    protocol_data data = {0};
    static const uint8_t head[RECORD_HEAD_BYTES];
    if (protocol_deflate(entries, size, count, &sp->packed, &data, err) < 0)
        return -1;
    kim_bytes_append(out, head, sizeof head);
    pack_array(out, 5);
    pack_uint(out, data.count);
    pack_uint(out, data.raw_bytes);
    pack_uint(out, data.encoding);
    pack_binary(out, data.bytes ? data.bytes : (const uint8_t *)"", data.size);
    pack_binary(out, cursor, cursor_size);
    if (out->failed)
        return kim_fail(err, KIM_ERR_NOMEM, "spool %s: no memory for a batch", sp->folder);
    put_le(out->data, out->size - RECORD_HEAD_BYTES, 4);
    put_le(out->data + 8, sp->next, 8);
    put_le(out->data + 4, kim_crc32c(0, out->data + CHECKED_FROM, out->size - CHECKED_FROM), 4);
    return 0;
}

static int append_locked(spool *sp, const kim_bytes *record, kim_error *err)
{
    segment *last = &sp->segments[sp->count - 1];
    if (all_bytes(sp) + record->size > sp->limits.max_bytes)
        return kim_fail(err, KIM_ERR_LIMIT, "spool %s is full (%" PRIu64 " of %" PRIu64
                        " bytes): usage waits until the controller has taken some, or raise spool_max_bytes",
                        sp->folder, all_bytes(sp), sp->limits.max_bytes);
    if (last->bytes >= sp->limits.segment_bytes) {
        fault_point("spool_rotate");
        if (begin_segment(sp, err) < 0)
            return -1;
        last = &sp->segments[sp->count - 1];
    }
    fault_point("spool_append");
    if (write_all(sp->writing, record->data, record->size, (off_t)last->bytes) < 0 ||
        (fault_point("spool_written"), fdatasync(sp->writing)) < 0) {
        io_failed(sp, "append", err);
        if (ftruncate(sp->writing, (off_t)last->bytes) < 0) /* what is left is cut off at the next open */
            return -1;
        return -1;
    }
    fault_point("spool_synced");
    last->bytes += record->size;
    sp->next++;
    return 0;
}

int spool_append(spool *sp, const uint8_t *entries, size_t size, uint64_t count, const uint8_t *cursor,
                 size_t cursor_size, kim_error *err)
{
    kim_bytes record = {0};
    pthread_mutex_lock(&sp->lock);
    int result = -1;
    if (!sp->anchored)
        kim_fail(err, KIM_ERR_CONFLICT, "spool %s: the controller has not said yet where this log stands", sp->folder);
    else if (sp->went_back)
        kim_fail(err, KIM_ERR_CONFLICT, "spool %s went back to an earlier cursor: read again from there", sp->folder);
    else if (encode_record(sp, entries, size, count, cursor, cursor_size, &record, err) == 0)
        result = append_locked(sp, &record, err);
    if (result == 0)
        set_bytes(&sp->cursor, cursor, cursor_size);
    kim_bytes_free(&sp->packed);
    sp->packed = (kim_bytes){0};
    pthread_mutex_unlock(&sp->lock);
    kim_bytes_free(&record);
    return result;
}

int spool_cursor(spool *sp, kim_bytes *out, kim_error *err)
{
    pthread_mutex_lock(&sp->lock);
    kim_bytes_append(out, sp->cursor.data, sp->cursor.size);
    sp->went_back = false;
    pthread_mutex_unlock(&sp->lock);
    return out->failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a cursor") : 0;
}

bool spool_is_anchored(spool *sp)
{
    pthread_mutex_lock(&sp->lock);
    bool anchored = sp->anchored;
    pthread_mutex_unlock(&sp->lock);
    return anchored;
}

/* ---- shipping ---- */

static void forget_reading(spool *sp)
{
    if (sp->reading >= 0)
        close(sp->reading);
    sp->reading = -1;
}

/* Empties the spool: the next batch is `sequence` + 1, and its source stands at the cursor. */
static int start_anew(spool *sp, uint64_t sequence, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    char path[PATH_BYTES];
    size_t old = sp->count;
    segment *gone = malloc((old + 1) * sizeof *gone);
    if (!gone)
        return kim_fail(err, KIM_ERR_NOMEM, "spool %s: no memory", sp->folder);
    memcpy(gone, sp->segments, old * sizeof *gone);
    kim_bytes copy = {0};
    kim_bytes_append(&copy, cursor, cursor_size);
    for (size_t i = 0; i < old; i++) {
        segment_path(sp, gone[i].first, "", path);
        unlink(path);
    }
    free(gone);
    sp->count = 0;
    sp->went_back = true;
    sp->next = sequence + 1;
    kim_bytes_free(&sp->cursor);
    sp->cursor = copy;
    forget_reading(sp);
    sp->read_next = sp->next;
    sp->acknowledged = sequence;
    return begin_segment(sp, err);
}

static int forget_arrived(spool *sp, kim_error *err)
{
    size_t arrived = 0;
    while (arrived + 1 < sp->count && sp->segments[arrived + 1].first <= sp->acknowledged + 1)
        arrived++;
    if (write_slot(sp, arrived > 0, err) < 0)
        return -1;
    for (size_t i = 0; i < arrived; i++) {
        char path[PATH_BYTES];
        segment_path(sp, sp->segments[i].first, "", path);
        unlink(path);
    }
    sp->count -= arrived;
    memmove(sp->segments, sp->segments + arrived, sp->count * sizeof *sp->segments);
    return 0;
}

int spool_anchor(spool *sp, uint64_t sequence, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    pthread_mutex_lock(&sp->lock);
    bool follows = sp->anchored && sequence + 1 >= sp->segments[0].first && sequence < sp->next;
    int result = 0;
    if (follows) {
        sp->acknowledged = sequence;
        sp->read_next = sequence + 1;
        forget_reading(sp);
    } else
        result = start_anew(sp, sequence, cursor, cursor_size, err) < 0 ? -1 : 1;
    if (result >= 0) {
        sp->anchored = true;
        if (forget_arrived(sp, err) < 0)
            result = -1;
    }
    pthread_mutex_unlock(&sp->lock);
    return result;
}

/* Opens the segment that holds read_next, and passes over what comes before it. 1: at it; 0: it is damaged before it. */
static int seek(spool *sp, kim_error *err)
{
    size_t i = sp->count - 1;
    while (i > 0 && sp->segments[i].first > sp->read_next)
        i--;
    char path[PATH_BYTES];
    segment_path(sp, sp->segments[i].first, "", path);
    forget_reading(sp);
    sp->reading = open(path, O_RDONLY | O_CLOEXEC);
    if (sp->reading < 0)
        return io_failed(sp, path, err);
    sp->reading_first = sp->segments[i].first;
    if (!read_header(sp->reading, sp->reading_first, &sp->before, &sp->read_at))
        return 0;
    for (uint64_t sequence = sp->reading_first; sequence < sp->read_next; sequence++) {
        size_t size;
        protocol_data data;
        int found = read_record(sp, sp->reading, sp->read_at, sequence, &size, err);
        if (found <= 0 || parse_record(sp, size, &data, err) < 0)
            return found < 0 ? -1 : 0;
        set_bytes(&sp->before, data.cursor, data.cursor_size);
        sp->read_at += (off_t)size;
    }
    return 1;
}

/* Damage inside: the source goes back to the cursor in front of it. */
static int give_up_segment(spool *sp, kim_error *err)
{
    uint64_t first = sp->reading_first, at = sp->read_next;
    kim_bytes before = sp->before;
    sp->before = (kim_bytes){0};
    move_aside(sp, first);
    kim_error inner;
    if (start_anew(sp, at - 1, before.data, before.size, &inner) == 0)
        write_slot(sp, true, NULL);
    kim_bytes_free(&before);
    return kim_fail(err, KIM_ERR_CORRUPT, "spool %s: segment %016" PRIx64 " is damaged at sequence %" PRIu64
                    ": set aside in bad/; its source is read again", sp->folder, first, at);
}

/* Has the segment that is being read come to its end, since another begins with read_next? */
static bool is_at_next_segment(const spool *sp)
{
    for (size_t i = 0; i < sp->count; i++)
        if (sp->segments[i].first == sp->read_next)
            return sp->reading_first != sp->read_next;
    return false;
}

int spool_next(spool *sp, protocol_data *data, kim_error *err)
{
    pthread_mutex_lock(&sp->lock);
    int result = 0;
    size_t size;
    if (sp->read_next < sp->next) {
        result = sp->reading < 0 || is_at_next_segment(sp) ? seek(sp, err) : 1;
        if (result > 0)
            result = read_record(sp, sp->reading, sp->read_at, sp->read_next, &size, err);
        if (result > 0 && parse_record(sp, size, data, err) < 0)
            result = 0;
        if (result == 0)
            result = give_up_segment(sp, err);
    }
    if (result > 0) {
        data->sequence = sp->read_next++;
        sp->read_at += (off_t)size;
        set_bytes(&sp->before, data->cursor, data->cursor_size);
    }
    pthread_mutex_unlock(&sp->lock);
    return result;
}

int spool_acknowledge(spool *sp, uint64_t sequence, kim_error *err)
{
    pthread_mutex_lock(&sp->lock);
    int result = 0;
    if (sequence > sp->acknowledged && sequence < sp->next) {
        sp->acknowledged = sequence;
        fault_point("spool_ack");
        result = forget_arrived(sp, err);
    }
    pthread_mutex_unlock(&sp->lock);
    return result;
}

int spool_set_aside(spool *sp, uint64_t sequence, kim_error *err)
{
    pthread_mutex_lock(&sp->lock);
    uint64_t kept = sp->read_next;
    sp->read_next = sequence;
    size_t size = 0;
    int found = seek(sp, err);
    if (found > 0)
        found = read_record(sp, sp->reading, sp->read_at, sequence, &size, err);
    if (found > 0) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/bad", sp->folder);
        kim_folder_make(path, NULL);
        snprintf(path, sizeof path, "%s/bad/%016" PRIx64 ".batch", sp->folder, sequence);
        found = kim_file_write(path, sp->record, size - RECORD_HEAD_BYTES, err) < 0 ? -1 : 1;
    }
    sp->read_next = kept;
    forget_reading(sp);
    pthread_mutex_unlock(&sp->lock);
    return found > 0 ? 0 : found < 0 ? -1 : kim_fail(err, KIM_ERR_CORRUPT, "spool %s: batch %" PRIu64 " cannot be read",
                                                    sp->folder, sequence);
}

uint64_t spool_waiting_bytes(spool *sp)
{
    pthread_mutex_lock(&sp->lock);
    uint64_t bytes = sp->acknowledged + 1 < sp->next ? all_bytes(sp) : 0;
    pthread_mutex_unlock(&sp->lock);
    return bytes;
}
