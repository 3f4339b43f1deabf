/* SPDX-License-Identifier: Apache-2.0
 *
 * frame.h - frames over a socket pair: how a provider host and its parent speak.
 *
 * A frame is 16 bytes of header and a payload, all numbers little-endian:
 *
 *     u32 magic "KIMF" | u16 type | u16 flags | u32 size | u32 crc32c(first 12 bytes, payload)
 *
 * size is at most KIM_FRAME_MAX_BYTES. A frame with FRAME_HAS_DESCRIPTOR carries one file descriptor
 * (SCM_RIGHTS). Both directions are buffered: many small frames cost one system call. The stream is
 * over at the first frame that is wrong, for there is no way to find the next one.
 */
#ifndef KIM_FRAME_H
#define KIM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kim/error.h>

enum { FRAME_HEADER_BYTES = 16, FRAME_HAS_DESCRIPTOR = 1, FRAME_MAX_DESCRIPTORS = 64 };
#define FRAME_MAGIC 0x464d494bu /* "KIMF" */

typedef struct frame {
    uint16_t type;
    const uint8_t *bytes; /* [size], good until the next call that reads */
    size_t size;
    int descriptor;       /* -1, or one that the receiver now owns */
} frame;

typedef struct frame_stream frame_stream;

/* socket: of a SOCK_STREAM pair; borrowed, and made non-blocking. */
frame_stream *frame_stream_new(int socket, kim_error *err);
/* Closes the descriptors that came and were not taken; not the socket. NULL is fine. */
void frame_stream_free(frame_stream *stream);

/* Queues one frame; parts are written end to end. `descriptor` (or -1) is duplicated by the kernel on
 * sending: the stream takes it and closes it then.
 * Errors: KIM_ERR_LIMIT (past KIM_FRAME_MAX_BYTES), KIM_ERR_NOMEM */
typedef struct frame_part { const void *bytes; size_t size; } frame_part;
int frame_put(frame_stream *stream, uint16_t type, const frame_part *parts, size_t part_count,
              int descriptor, kim_error *err);
size_t frame_pending_bytes(const frame_stream *stream); /* queued and not written */

/* Writes what the socket takes now. 1: all is out; 0: some is left; -1: KIM_ERR_IO: gone,
 * and what was queued is dropped; frames that came before can still be read. */
int frame_flush(frame_stream *stream, kim_error *err);

/* The next whole frame. 1: here it is; 0: none yet (the socket has no more now); -1: over:
 *   KIM_ERR_STOPPED  the other side closed, at the end of a frame
 *   KIM_ERR_CORRUPT  cut short, wrong magic, too large, checksum, or a descriptor too many: says which
 *   KIM_ERR_IO */
int frame_next(frame_stream *stream, frame *out, kim_error *err);

/* Flushes and waits for the next frame until deadline (CLOCK_MONOTONIC ms; -1: for ever). 1 or -1;
 * also KIM_ERR_TIMEOUT. */
int frame_wait(frame_stream *stream, frame *out, int64_t deadline_ms, kim_error *err);
/* Writes all that is queued, until the deadline. */
int frame_flush_all(frame_stream *stream, int64_t deadline_ms, kim_error *err);

int64_t frame_now_ms(void); /* CLOCK_MONOTONIC */

/* The pure part, for tests and fuzzing: is there a whole, sound frame at the front of bytes?
 * 1: yes, *used bytes of it; 0: needs more; -1: KIM_ERR_CORRUPT. */
int frame_parse(const uint8_t *bytes, size_t size, frame *out, uint16_t *flags, size_t *used, kim_error *err);

#endif
