/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h - bytes from the thread that makes an answer to the one that sends it, through a bounded ring.
 */
#ifndef KIM_HTTP_STREAM_H
#define KIM_HTTP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <kim/error.h>

enum { STREAM_RING_BYTES = 256 * 1024 };

typedef struct stream stream;

stream *stream_new(void); /* NULL without memory */
void stream_free(stream *s); /* both sides have ended; NULL is fine */

/* The maker's side. Waits for room. -1, with err (KIM_ERR_STOPPED), once the reader has gone. */
int stream_write(void *s, const char *bytes, size_t size, kim_error *err);
void stream_end(stream *s);

/* The sender's side. Waits until the ring is full or the answer has ended; true if it has ended:
 * then all of it is here. */
bool stream_settles(stream *s);
size_t stream_held(stream *s);
/* Waits for bytes; 0: the answer has ended. */
size_t stream_read(stream *s, char *into, size_t max);
void stream_leave(stream *s);

#endif
