/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.h - msgpack for messages: a writer onto kim_bytes, and a reader that never allocates.
 *
 * The subset that the protocol and the frames use: nil, booleans, integers, text, binary, arrays. The
 * reader keeps the first fault; after it every read gives nothing, so decoding reads like the format
 * and checks once, at its end. Integers are written in their shortest form; texts must be UTF-8 only
 * where the caller checks it. Source: github.com/msgpack/msgpack, spec.md.
 */
#ifndef KIM_PACK_H
#define KIM_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kim/record.h>

void pack_nil(kim_bytes *out);
void pack_bool(kim_bytes *out, bool value);
void pack_uint(kim_bytes *out, uint64_t value);
void pack_int(kim_bytes *out, int64_t value);
void pack_text(kim_bytes *out, kim_text text); /* absent: nil */
void pack_string(kim_bytes *out, const char *text); /* NULL: nil */
void pack_binary(kim_bytes *out, const void *bytes, size_t size); /* NULL: nil */
/* The head of a binary whose bytes are appended, or sent, behind it by the caller. */
void pack_binary_head(kim_bytes *out, size_t size);
void pack_array(kim_bytes *out, uint32_t count);

typedef struct pack_reader {
    const uint8_t *begin, *at, *end;
    const char *fault;       /* what is wrong, such as "is no text"; NULL: nothing yet */
    size_t fault_offset;     /* where, in bytes from `begin` */
} pack_reader;

pack_reader pack_reader_of(const void *bytes, size_t size);
bool pack_at_end(const pack_reader *in);
/* Notes the first fault at the current place. */
void pack_fault(pack_reader *in, const char *fault);

/* How many items follow as one array; a count that the bytes left cannot hold is a fault. nil: 0. */
uint32_t pack_read_array(pack_reader *in);
uint64_t pack_read_uint(pack_reader *in); /* nil: 0 */
int64_t pack_read_int(pack_reader *in);   /* nil: 0 */
bool pack_read_bool(pack_reader *in);     /* nil: false */
/* Points into the bytes; more than max_bytes is a fault; nil: absent. */
kim_text pack_read_text(pack_reader *in, size_t max_bytes);
const uint8_t *pack_read_binary(pack_reader *in, size_t *size, size_t max_bytes);
/* Exactly `size` bytes, copied; nil: zeros. */
void pack_read_fixed(pack_reader *in, uint8_t *out, size_t size);
/* Passes over one value of any kind, arrays and maps down to PACK_MAX_DEPTH. */
enum { PACK_MAX_DEPTH = 16 };
void pack_skip(pack_reader *in);
/* Passes over `count` values: the unknown trailing fields. */
void pack_skip_rest(pack_reader *in, uint32_t count);
bool pack_next_is_nil(const pack_reader *in);

#endif
