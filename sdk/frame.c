/* SPDX-License-Identifier: Apache-2.0
 *
 * frame.c - one buffer each way, and a queue of the descriptors that came along.
 *
 * The kernel keeps descriptors in the order of the bytes that they were sent with, so a frame that
 * says it carries one takes the oldest. Outgoing bytes gather in one buffer; a descriptor marks the
 * place in it where its frame begins, and a write never crosses such a mark from before to behind, so that the
 * descriptor goes out with its frame's first byte.
 */
#include "sdk/frame.h"

#include "sdk/crc32c.h"

#include <kim/limits.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,     /* room that a read is offered at least */
    CHECKED_BYTES = 12,         /* of the header: what stands before the checksum */
};

typedef struct buffer {
    uint8_t *data;
    size_t begin, end, capacity;
} buffer;

typedef struct mark {
    uint64_t place; /* in the stream of all bytes ever queued */
    int descriptor;
} mark;

struct frame_stream {
    int socket;
    buffer in, out;
    size_t given;      /* bytes of `in` that the last frame took, to be dropped at the next read */
    uint64_t queued;   /* bytes ever queued */
    int came[FRAME_MAX_DESCRIPTORS];
    size_t came_count;
    mark leaving[FRAME_MAX_DESCRIPTORS];
    size_t leaving_count;
    bool closed;       /* the other side has sent its last byte */
};

int64_t frame_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

frame_stream *frame_stream_new(int socket, kim_error *err)
{
    int flags = fcntl(socket, F_GETFL);
    if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) < 0) {
        kim_fail(err, KIM_ERR_IO, "frame socket %d: %s", socket, strerror(errno));
        return NULL;
    }
    frame_stream *stream = calloc(1, sizeof *stream);
    if (!stream) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a frame stream");
        return NULL;
    }
    stream->socket = socket;
    return stream;
}

void frame_stream_free(frame_stream *stream)
{
    if (!stream)
        return;
    for (size_t i = 0; i < stream->came_count; i++)
        close(stream->came[i]);
    for (size_t i = 0; i < stream->leaving_count; i++)
        close(stream->leaving[i].descriptor);
    free(stream->in.data);
    free(stream->out.data);
    free(stream);
}

/* Makes room for `more` bytes behind the end, moving what is there to the front first. */
static int make_room(buffer *b, size_t more, kim_error *err)
{
    if (b->begin == b->end)
        b->begin = b->end = 0;
    if (b->capacity - b->end >= more)
        return 0;
    if (b->begin) {
        memmove(b->data, b->data + b->begin, b->end - b->begin);
        b->end -= b->begin;
        b->begin = 0;
    }
    if (b->capacity - b->end >= more)
        return 0;
    size_t capacity = b->capacity ? b->capacity : READ_BYTES;
    while (capacity - b->end < more)
        capacity *= 2;
    uint8_t *grown = realloc(b->data, capacity);
    if (!grown)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for %zu bytes of frames", capacity);
    b->data = grown;
    b->capacity = capacity;
    return 0;
}

/* A large frame is rare: its room is given back once the buffer is empty. */
static void shrink(buffer *b)
{
    if (b->begin != b->end || b->capacity <= 4 * READ_BYTES)
        return;
    free(b->data);
    *b = (buffer){0};
}

static void put_le(uint8_t *to, uint64_t value, int width)
{
    for (int i = 0; i < width; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_le(const uint8_t *from, int width)
{
    uint32_t value = 0;
    for (int i = 0; i < width; i++)
        value |= (uint32_t)from[i] << (8 * i);
    return value;
}

/* ---- out ---- */

int frame_put(frame_stream *stream, uint16_t type, const frame_part *parts, size_t part_count,
              int descriptor, kim_error *err)
{
    size_t size = 0;
    for (size_t i = 0; i < part_count; i++)
        size += parts[i].size;
    if (size > KIM_FRAME_MAX_BYTES) {
        kim_fail(err, KIM_ERR_LIMIT, "a frame of %zu bytes; at most %d", size, KIM_FRAME_MAX_BYTES);
        goto fail;
    }
    if (descriptor >= 0 && stream->leaving_count == FRAME_MAX_DESCRIPTORS) {
        kim_fail(err, KIM_ERR_LIMIT, "more than %d descriptors wait to be sent", FRAME_MAX_DESCRIPTORS);
        goto fail;
    }
    if (make_room(&stream->out, FRAME_HEADER_BYTES + size, err) < 0)
        goto fail;
    uint8_t *header = stream->out.data + stream->out.end, *payload = header + FRAME_HEADER_BYTES;
    put_le(header, FRAME_MAGIC, 4);
    put_le(header + 4, type, 2);
    put_le(header + 6, descriptor >= 0 ? FRAME_HAS_DESCRIPTOR : 0, 2);
    put_le(header + 8, size, 4);
    for (size_t i = 0; i < part_count; payload += parts[i++].size)
        if (parts[i].size)
            memcpy(payload, parts[i].bytes, parts[i].size);
    uint32_t sum = kim_crc32c(kim_crc32c(0, header, CHECKED_BYTES), header + FRAME_HEADER_BYTES, size);
    put_le(header + CHECKED_BYTES, sum, 4);
    if (descriptor >= 0)
        stream->leaving[stream->leaving_count++] = (mark){stream->queued, descriptor};
    stream->queued += FRAME_HEADER_BYTES + size;
    stream->out.end += FRAME_HEADER_BYTES + size;
    return 0;
fail:
    if (descriptor >= 0)
        close(descriptor);
    return -1;
}

size_t frame_pending_bytes(const frame_stream *stream)
{
    return stream->out.end - stream->out.begin;
}

/* Writes once: up to the next mark, or from it on together with its descriptor. */
static ssize_t write_some(frame_stream *stream)
{
    buffer *out = &stream->out;
    uint64_t place = stream->queued - (out->end - out->begin);
    struct iovec span = {out->data + out->begin, out->end - out->begin};
    struct msghdr message = {.msg_iov = &span, .msg_iovlen = 1};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    bool carries = stream->leaving_count && stream->leaving[0].place == place;
    size_t next = carries ? 1 : 0;
    if (next < stream->leaving_count && stream->leaving[next].place - place < span.iov_len)
        span.iov_len = (size_t)(stream->leaving[next].place - place);
    if (carries) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &stream->leaving[0].descriptor, sizeof(int));
    }
    ssize_t written = sendmsg(stream->socket, &message, MSG_NOSIGNAL);
    if (written > 0 && carries) {
        close(stream->leaving[0].descriptor);
        stream->leaving_count--;
        memmove(stream->leaving, stream->leaving + 1, stream->leaving_count * sizeof(mark));
    }
    return written;
}

/* Nobody will read it any more; what the other side sent before it went can still be read. */
static void drop_outgoing(frame_stream *stream)
{
    int why = errno;
    for (size_t i = 0; i < stream->leaving_count; i++)
        close(stream->leaving[i].descriptor);
    stream->leaving_count = 0;
    stream->out.begin = stream->out.end;
    errno = why;
}

int frame_flush(frame_stream *stream, kim_error *err)
{
    while (stream->out.begin != stream->out.end) {
        ssize_t written = write_some(stream);
        if (written >= 0) {
            stream->out.begin += (size_t)written;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
            return 0;
        drop_outgoing(stream);
        return kim_fail(err, KIM_ERR_IO, "the other side of the frame socket is gone: %s", strerror(errno));
    }
    shrink(&stream->out);
    return 1;
}

/* ---- in ---- */

int frame_parse(const uint8_t *bytes, size_t size, frame *out, uint16_t *flags, size_t *used, kim_error *err)
{
    if (size < FRAME_HEADER_BYTES)
        return 0;
    uint32_t magic = get_le(bytes, 4), payload = get_le(bytes + 8, 4);
    if (magic != FRAME_MAGIC)
        return kim_fail(err, KIM_ERR_CORRUPT, "a frame begins with %08x and not with KIMF", magic);
    if (payload > KIM_FRAME_MAX_BYTES)
        return kim_fail(err, KIM_ERR_CORRUPT, "a frame claims %u bytes; at most %d", payload, KIM_FRAME_MAX_BYTES);
    if (size - FRAME_HEADER_BYTES < payload)
        return 0;
    uint32_t sum = kim_crc32c(kim_crc32c(0, bytes, CHECKED_BYTES), bytes + FRAME_HEADER_BYTES, payload);
    if (sum != get_le(bytes + CHECKED_BYTES, 4))
        return kim_fail(err, KIM_ERR_CORRUPT, "the checksum of a frame of %u bytes does not match", payload);
    *out = (frame){(uint16_t)get_le(bytes + 4, 2), bytes + FRAME_HEADER_BYTES, payload, -1};
    *flags = (uint16_t)get_le(bytes + 6, 2);
    *used = FRAME_HEADER_BYTES + payload;
    return 1;
}

/* Keeps the descriptors of one read. -1 if there are more than a peer has reason to send. */
static int keep_descriptors(frame_stream *stream, struct msghdr *message, kim_error *err)
{
    int result = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(c) + i * sizeof(int), sizeof descriptor);
            if (stream->came_count < FRAME_MAX_DESCRIPTORS)
                stream->came[stream->came_count++] = descriptor;
            else {
                close(descriptor);
                result = -1;
            }
        }
    }
    if (result < 0 || message->msg_flags & MSG_CTRUNC)
        return kim_fail(err, KIM_ERR_CORRUPT, "more than %d descriptors came that no frame announced",
                        FRAME_MAX_DESCRIPTORS);
    return 0;
}

/* Reads once. 1: bytes came, or the end; 0: none now; -1 with err. */
static int read_some(frame_stream *stream, kim_error *err)
{
    if (make_room(&stream->in, READ_BYTES, err) < 0)
        return -1;
    struct iovec span = {stream->in.data + stream->in.end, stream->in.capacity - stream->in.end};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(FRAME_MAX_DESCRIPTORS * sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &span, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do
        got = recvmsg(stream->socket, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return 0;
    if (got < 0 && errno != ECONNRESET)
        return kim_fail(err, KIM_ERR_IO, "frame socket: %s", strerror(errno));
    stream->closed = got <= 0;
    if (got < 0)
        return 1; /* a reset: message is as it was, and control was never written */
    stream->in.end += (size_t)got;
    return keep_descriptors(stream, &message, err) < 0 ? -1 : 1;
}

static int take_descriptor(frame_stream *stream, frame *out, kim_error *err)
{
    if (stream->came_count == 0)
        return kim_fail(err, KIM_ERR_CORRUPT, "a frame of type %u announces a descriptor and none came", out->type);
    out->descriptor = stream->came[0];
    stream->came_count--;
    memmove(stream->came, stream->came + 1, stream->came_count * sizeof(int));
    return 1;
}

int frame_next(frame_stream *stream, frame *out, kim_error *err)
{
    buffer *in = &stream->in;
    in->begin += stream->given;
    stream->given = 0;
    for (;;) {
        uint16_t flags;
        size_t waiting = in->end - in->begin;
        int found = waiting ? frame_parse(in->data + in->begin, waiting, out, &flags, &stream->given, err) : 0;
        if (found > 0)
            return flags & FRAME_HAS_DESCRIPTOR ? take_descriptor(stream, out, err) : 1;
        if (found < 0)
            return -1;
        if (stream->closed && waiting)
            return kim_fail(err, KIM_ERR_CORRUPT, "the last frame is cut short, after %zu bytes", waiting);
        if (stream->closed)
            return kim_fail(err, KIM_ERR_STOPPED, "the other side closed");
        shrink(in);
        int got = read_some(stream, err);
        if (got <= 0)
            return got;
    }
}

/* ---- waiting ---- */

/* 0 when the socket is ready for `events` (or the time is up: *late). */
static int wait_for(frame_stream *stream, short events, int64_t deadline_ms, kim_error *err)
{
    struct pollfd ready = {stream->socket, events, 0};
    int64_t left = deadline_ms < 0 ? -1 : deadline_ms - frame_now_ms();
    if (deadline_ms >= 0 && left <= 0)
        return kim_fail(err, KIM_ERR_TIMEOUT, "the other side of the frame socket did not answer in time");
    if (left > 60000)
        left = 60000;
    if (poll(&ready, 1, (int)left) < 0 && errno != EINTR)
        return kim_fail(err, KIM_ERR_IO, "frame socket: %s", strerror(errno));
    return 0;
}

int frame_wait(frame_stream *stream, frame *out, int64_t deadline_ms, kim_error *err)
{
    for (;;) {
        int flushed = frame_flush(stream, err); /* -1: gone, but its last words may be there */
        int found = frame_next(stream, out, err);
        if (found)
            return found;
        if (wait_for(stream, flushed ? POLLIN : POLLIN | POLLOUT, deadline_ms, err) < 0)
            return -1;
    }
}

int frame_flush_all(frame_stream *stream, int64_t deadline_ms, kim_error *err)
{
    for (;;) {
        int flushed = frame_flush(stream, err);
        if (flushed)
            return flushed < 0 ? -1 : 0;
        if (wait_for(stream, POLLOUT, deadline_ms, err) < 0)
            return -1;
    }
}
