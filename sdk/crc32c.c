/* SPDX-License-Identifier: Apache-2.0
 *
 * crc32c.c - eight bytes at a time: by the processor's own instruction, or by eight tables.
 */
#include <pthread.h>
#include <string.h>

#include "sdk/crc32c.h"

static uint32_t tables[8][256]; /* [n][byte]: the byte's remainder with n zero bytes after it */

static uint32_t by_tables(uint32_t crc, const uint8_t *at, size_t size)
{
    for (; size >= 8; at += 8, size -= 8) {
        uint32_t low = crc ^ ((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                              (uint32_t)at[3] << 24);
        crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^
              tables[4][low >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    for (; size > 0; at++, size--)
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 255];
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t by_processor(uint32_t crc, const uint8_t *at,
                                                               size_t size)
{
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t eight;
        memcpy(&eight, at, sizeof eight);
        crc = (uint32_t)_mm_crc32_u64(crc, eight);
    }
    for (; size > 0; at++, size--)
        crc = _mm_crc32_u8(crc, *at);
    return crc;
}
#endif

static uint32_t (*fastest)(uint32_t crc, const uint8_t *at, size_t size) = by_tables;

static void choose(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        fastest = by_processor;
#endif
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (0x82f63b78u & -(crc & 1)); /* the polynomial, reflected */
        tables[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++) {
        for (int n = 1; n < 8; n++)
            tables[n][byte] = tables[n - 1][byte] >> 8 ^ tables[0][tables[n - 1][byte] & 255];
    }
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

uint32_t kim_crc32c(uint32_t before, const void *bytes, size_t size)
{
    pthread_once(&once, choose);
    return ~fastest(~before, bytes, size);
}

uint32_t kim_crc32c_portable(uint32_t before, const void *bytes, size_t size)
{
    pthread_once(&once, choose);
    return ~by_tables(~before, bytes, size);
}
