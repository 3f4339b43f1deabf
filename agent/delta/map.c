/* SPDX-License-Identifier: Apache-2.0
 *
 * map.c - head, entries, scopes, and one checksum over all.
 */
#include "agent/delta/map.h"

#include "sdk/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAP_MAGIC = 0x504d494b, MAP_VERSION = 1 };

typedef struct head {
    uint32_t magic, version;
    uint64_t generation, last_sequence, count;
    uint8_t digest[KIM_RECORD_HASH_BYTES];
    uint64_t scope_count, scope_bytes; /* each scope: u32 size, bytes */
    uint32_t body_sum, head_sum;       /* head_sum: crc32c of the head before it */
} head;

static int read_head(int fd, head *h)
{
    return pread(fd, h, sizeof *h, 0) == sizeof *h && h->magic == MAP_MAGIC && h->version == MAP_VERSION &&
           h->head_sum == kim_crc32c(0, h, offsetof(head, head_sum));
}

static void take_head(map *out, const head *h)
{
    *out = (map){.generation = h->generation, .last_sequence = h->last_sequence, .count = h->count};
    memcpy(out->digest, h->digest, sizeof out->digest);
}

static int damaged(const char *path, kim_error *err)
{
    return kim_fail(err, KIM_ERR_CORRUPT, "%s is damaged: the next snapshot is sent in full", path);
}

int map_head(const char *path, map *out, kim_error *err)
{
    head h;
    memset(out, 0, sizeof *out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
    int sound = read_head(fd, &h);
    close(fd);
    if (!sound)
        return damaged(path, err);
    take_head(out, &h);
    return 1;
}

/* The scopes behind the entries. */
static int take_scopes(map *m, const head *h, const uint8_t *at)
{
    m->scopes = calloc(h->scope_count + 1, sizeof *m->scopes);
    if (!m->scopes)
        return -1;
    const uint8_t *end = at + h->scope_bytes;
    for (uint64_t i = 0; i < h->scope_count; i++) {
        uint32_t size;
        if ((size_t)(end - at) < sizeof size)
            return -1;
        memcpy(&size, at, sizeof size);
        at += sizeof size;
        if ((size_t)(end - at) < size)
            return -1;
        m->scopes[i] = (kim_text){(const char *)at, size};
        at += size;
    }
    m->scope_count = (uint32_t)h->scope_count;
    return 0;
}

int map_open(const char *path, map *out, kim_error *err)
{
    head h;
    struct stat what;
    memset(out, 0, sizeof *out);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
    int sound = read_head(fd, &h) && fstat(fd, &what) == 0 && h.count < (1ull << 32) && h.scope_count < (1ull << 24) &&
                (uint64_t)what.st_size == sizeof h + h.count * sizeof(map_entry) + h.scope_bytes;
    void *mapped = sound ? mmap(NULL, (size_t)what.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (mapped == MAP_FAILED)
        return damaged(path, err);
    const uint8_t *body = (const uint8_t *)mapped + sizeof h;
    take_head(out, &h);
    out->mapped = mapped;
    out->mapped_size = (size_t)what.st_size;
    out->entries = (const map_entry *)body;
    if (kim_crc32c(0, body, out->mapped_size - sizeof h) != h.body_sum ||
        take_scopes(out, &h, body + h.count * sizeof(map_entry)) < 0) {
        map_close(out);
        return damaged(path, err);
    }
    return 1;
}

void map_close(map *m)
{
    if (m->mapped)
        munmap(m->mapped, m->mapped_size);
    free(m->scopes);
    memset(m, 0, sizeof *m);
}

static int write_parts(int fd, const head *h, const map *m, const kim_bytes *scopes)
{
    const struct { const void *bytes; size_t size; } parts[] = {
        {h, sizeof *h}, {m->entries, m->count * sizeof(map_entry)}, {scopes->data, scopes->size},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        for (size_t done = 0; done < parts[i].size;) {
            ssize_t some = write(fd, (const uint8_t *)parts[i].bytes + done, parts[i].size - done);
            if (some < 0 && errno == EINTR)
                continue;
            if (some <= 0)
                return -1;
            done += (size_t)some;
        }
    return fdatasync(fd);
}

int map_write(const char *path, const map *m, kim_error *err)
{
    head h = {.magic = MAP_MAGIC, .version = MAP_VERSION, .generation = m->generation,
              .last_sequence = m->last_sequence, .count = m->count, .scope_count = m->scope_count};
    kim_bytes scopes = {0};
    memcpy(h.digest, m->digest, sizeof h.digest);
    for (uint32_t i = 0; i < m->scope_count; i++) {
        uint32_t size = (uint32_t)m->scopes[i].size;
        kim_bytes_append(&scopes, &size, sizeof size);
        kim_bytes_append(&scopes, m->scopes[i].bytes, size);
    }
    h.scope_bytes = scopes.size;
    h.body_sum = kim_crc32c(kim_crc32c(0, m->entries, m->count * sizeof(map_entry)), scopes.data, scopes.size);
    h.head_sum = kim_crc32c(0, &h, offsetof(head, head_sum));
    int fd = scopes.failed ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int result = fd >= 0 ? write_parts(fd, &h, m, &scopes) : -1;
    if (result < 0)
        kim_fail(err, KIM_ERR_IO, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    kim_bytes_free(&scopes);
    return result;
}
