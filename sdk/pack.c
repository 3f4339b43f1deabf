/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.c - msgpack by its first byte.
 *
 * Every value begins with one byte that says its kind and either its size or how many bytes of size
 * follow. One function, head(), takes that apart for all kinds and checks the size against the bytes
 * that are left; reading any value is a look at what it found.
 */
#include "sdk/pack.h"

/* ---- writing ---- */

static void put_be(kim_bytes *out, uint8_t first, uint64_t value, int width)
{
    uint8_t bytes[9] = {first};
    for (int i = 0; i < width; i++)
        bytes[1 + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    kim_bytes_append(out, bytes, (size_t)width + 1);
}

void pack_nil(kim_bytes *out)
{
    put_be(out, 0xc0, 0, 0);
}

void pack_bool(kim_bytes *out, bool value)
{
    put_be(out, value ? 0xc3 : 0xc2, 0, 0);
}

void pack_uint(kim_bytes *out, uint64_t value)
{
    if (value < 0x80)
        put_be(out, (uint8_t)value, 0, 0);
    else if (value <= UINT8_MAX)
        put_be(out, 0xcc, value, 1);
    else if (value <= UINT16_MAX)
        put_be(out, 0xcd, value, 2);
    else if (value <= UINT32_MAX)
        put_be(out, 0xce, value, 4);
    else
        put_be(out, 0xcf, value, 8);
}

void pack_int(kim_bytes *out, int64_t value)
{
    if (value >= 0)
        pack_uint(out, (uint64_t)value);
    else if (value >= -32)
        put_be(out, (uint8_t)value, 0, 0);
    else if (value >= INT8_MIN)
        put_be(out, 0xd0, (uint64_t)value, 1);
    else if (value >= INT16_MIN)
        put_be(out, 0xd1, (uint64_t)value, 2);
    else if (value >= INT32_MIN)
        put_be(out, 0xd2, (uint64_t)value, 4);
    else
        put_be(out, 0xd3, (uint64_t)value, 8);
}

/* The head of a text or binary: its shortest size field. */
static void put_size(kim_bytes *out, uint8_t first8, size_t size)
{
    if (size <= UINT8_MAX)
        put_be(out, first8, size, 1);
    else if (size <= UINT16_MAX)
        put_be(out, (uint8_t)(first8 + 1), size, 2);
    else if (size <= UINT32_MAX)
        put_be(out, (uint8_t)(first8 + 2), size, 4);
    else
        out->failed = true;
}

void pack_text(kim_bytes *out, kim_text text)
{
    if (kim_text_is_absent(text)) {
        pack_nil(out);
        return;
    }
    if (text.size < 32)
        put_be(out, (uint8_t)(0xa0 | text.size), 0, 0);
    else
        put_size(out, 0xd9, text.size);
    kim_bytes_append(out, text.bytes, text.size);
}

void pack_string(kim_bytes *out, const char *text)
{
    pack_text(out, kim_text_of(text));
}

void pack_binary(kim_bytes *out, const void *bytes, size_t size)
{
    if (!bytes) {
        pack_nil(out);
        return;
    }
    put_size(out, 0xc4, size);
    kim_bytes_append(out, bytes, size);
}

void pack_binary_head(kim_bytes *out, size_t size)
{
    put_size(out, 0xc4, size);
}

void pack_array(kim_bytes *out, uint32_t count)
{
    if (count < 16)
        put_be(out, (uint8_t)(0x90 | count), 0, 0);
    else if (count <= UINT16_MAX)
        put_be(out, 0xdc, count, 2);
    else
        put_be(out, 0xdd, count, 4);
}

/* ---- reading ---- */

typedef enum kind { NOTHING, NIL, BOOL, UINT, INT, TEXT, BINARY, ARRAY, MAP, FIXED } kind;

typedef struct head {
    kind kind;
    uint64_t value; /* a boolean's or integer's, or how many bytes or items follow */
} head;

/* What the first bytes 0xc0 to 0xdf mean: the kind, how many bytes of number follow, and for FIXED
 * (floats and extensions, which are only ever skipped) how many more bytes. */
static const struct { uint8_t kind, width, extra; } by_first[32] = {
    [0x00] = {NIL, 0, 0},    [0x02] = {BOOL, 0, 0},   [0x03] = {BOOL, 0, 0},
    [0x04] = {BINARY, 1, 0}, [0x05] = {BINARY, 2, 0}, [0x06] = {BINARY, 4, 0},
    [0x07] = {FIXED, 1, 1},  [0x08] = {FIXED, 2, 1},  [0x09] = {FIXED, 4, 1},
    [0x0a] = {FIXED, 0, 4},  [0x0b] = {FIXED, 0, 8},
    [0x0c] = {UINT, 1, 0},   [0x0d] = {UINT, 2, 0},   [0x0e] = {UINT, 4, 0},   [0x0f] = {UINT, 8, 0},
    [0x10] = {INT, 1, 0},    [0x11] = {INT, 2, 0},    [0x12] = {INT, 4, 0},    [0x13] = {INT, 8, 0},
    [0x14] = {FIXED, 0, 2},  [0x15] = {FIXED, 0, 3},  [0x16] = {FIXED, 0, 5},
    [0x17] = {FIXED, 0, 9},  [0x18] = {FIXED, 0, 17},
    [0x19] = {TEXT, 1, 0},   [0x1a] = {TEXT, 2, 0},   [0x1b] = {TEXT, 4, 0},
    [0x1c] = {ARRAY, 2, 0},  [0x1d] = {ARRAY, 4, 0},
    [0x1e] = {MAP, 2, 0},    [0x1f] = {MAP, 4, 0},
};

pack_reader pack_reader_of(const void *bytes, size_t size)
{
    return (pack_reader){.begin = bytes, .at = bytes, .end = (const uint8_t *)bytes + size};
}

bool pack_at_end(const pack_reader *in)
{
    return in->at == in->end;
}

void pack_fault(pack_reader *in, const char *fault)
{
    if (in->fault)
        return;
    in->fault = fault;
    in->fault_offset = (size_t)(in->at - in->begin);
}

static size_t left(const pack_reader *in)
{
    return (size_t)(in->end - in->at);
}

static head nothing(pack_reader *in, const char *fault)
{
    pack_fault(in, fault);
    return (head){NOTHING, 0};
}

static uint64_t sign_extended(uint64_t value, int width)
{
    int shift = 64 - 8 * width;
    return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* Takes a value's head; what it announces is there: `value` bytes, or at least `value` bytes of items. */
static head take_head(pack_reader *in)
{
    if (in->fault)
        return (head){NOTHING, 0};
    if (in->at == in->end)
        return nothing(in, "ends too early");
    uint8_t first = *in->at;
    if (first < 0x80)
        return in->at++, (head){UINT, first};
    if (first >= 0xe0)
        return in->at++, (head){INT, sign_extended(first, 1)};
    head found;
    size_t width = 0;
    if (first < 0x90)
        found = (head){MAP, first & 0x0f};
    else if (first < 0xa0)
        found = (head){ARRAY, first & 0x0f};
    else if (first < 0xc0)
        found = (head){TEXT, first & 0x1f};
    else {
        found = (head){(kind)by_first[first - 0xc0].kind, first == 0xc3};
        width = by_first[first - 0xc0].width;
    }
    if (found.kind == NOTHING)
        return nothing(in, "is no msgpack (0xc1)");
    if (left(in) < 1 + width)
        return nothing(in, "ends too early");
    for (size_t i = 0; i < width; i++)
        found.value = (i ? found.value << 8 : 0) | in->at[1 + i];
    if (found.kind == INT)
        found.value = sign_extended(found.value, (int)width);
    if (found.kind == FIXED)
        found.value += by_first[first - 0xc0].extra;
    if (found.kind >= TEXT) {
        uint64_t least = found.kind == MAP ? 2 * found.value : found.value;
        if (least > left(in) - 1 - width)
            return nothing(in, "claims more than there is");
    }
    in->at += 1 + width;
    return found;
}

/* Puts the place back to where the wrong value began, so that the fault names it. */
static void wrong(pack_reader *in, const uint8_t *began, const char *fault)
{
    if (in->fault)
        return;
    in->at = began;
    pack_fault(in, fault);
}

uint32_t pack_read_array(pack_reader *in)
{
    const uint8_t *began = in->at;
    head h = take_head(in);
    if (h.kind == ARRAY)
        return (uint32_t)h.value;
    if (h.kind != NIL)
        wrong(in, began, "is no array");
    return 0;
}

uint64_t pack_read_uint(pack_reader *in)
{
    const uint8_t *began = in->at;
    head h = take_head(in);
    if (h.kind == UINT || (h.kind == INT && h.value <= INT64_MAX))
        return h.value;
    if (h.kind != NIL)
        wrong(in, began, "is no unsigned integer");
    return 0;
}

int64_t pack_read_int(pack_reader *in)
{
    const uint8_t *began = in->at;
    head h = take_head(in);
    if (h.kind == INT || (h.kind == UINT && h.value <= INT64_MAX))
        return (int64_t)h.value;
    if (h.kind != NIL)
        wrong(in, began, "is no integer of 64 bits");
    return 0;
}

bool pack_read_bool(pack_reader *in)
{
    const uint8_t *began = in->at;
    head h = take_head(in);
    if (h.kind == BOOL)
        return h.value;
    if (h.kind != NIL)
        wrong(in, began, "is no boolean");
    return false;
}

/* The bytes of a text or binary of at most max_bytes; NULL for nil and after a fault. */
static const uint8_t *take_bytes(pack_reader *in, kind wanted, size_t *size, size_t max_bytes,
                                 const char *fault)
{
    const uint8_t *began = in->at;
    *size = 0;
    head h = take_head(in);
    if (h.kind != wanted) {
        if (h.kind != NIL)
            wrong(in, began, fault);
        return NULL;
    }
    if (h.value > max_bytes) {
        wrong(in, began, "is too long");
        return NULL;
    }
    const uint8_t *bytes = in->at;
    in->at += h.value;
    *size = (size_t)h.value;
    return bytes;
}

kim_text pack_read_text(pack_reader *in, size_t max_bytes)
{
    kim_text text;
    text.bytes = (const char *)take_bytes(in, TEXT, &text.size, max_bytes, "is no text");
    return text;
}

const uint8_t *pack_read_binary(pack_reader *in, size_t *size, size_t max_bytes)
{
    return take_bytes(in, BINARY, size, max_bytes, "is no binary");
}

void pack_read_fixed(pack_reader *in, uint8_t *out, size_t size)
{
    memset(out, 0, size);
    const uint8_t *began = in->at;
    size_t found;
    const uint8_t *bytes = take_bytes(in, BINARY, &found, SIZE_MAX, "is no binary");
    if (bytes && found == size)
        memcpy(out, bytes, size);
    else if (bytes)
        wrong(in, began, "has another size than it must");
}

static void skip(pack_reader *in, int depth)
{
    head h = take_head(in);
    switch (h.kind) {
    case TEXT:
    case BINARY:
    case FIXED:
        in->at += h.value;
        break;
    case MAP:
        h.value *= 2;
        /* fall through */
    case ARRAY:
        if (depth == 0 && h.value)
            pack_fault(in, "is nested too deep");
        for (uint64_t i = 0; i < h.value && !in->fault; i++)
            skip(in, depth - 1);
        break;
    default:
        break;
    }
}

void pack_skip(pack_reader *in)
{
    skip(in, PACK_MAX_DEPTH);
}

void pack_skip_rest(pack_reader *in, uint32_t count)
{
    for (uint32_t i = 0; i < count && !in->fault; i++)
        pack_skip(in);
}

bool pack_next_is_nil(const pack_reader *in)
{
    return !in->fault && in->at < in->end && *in->at == 0xc0;
}
