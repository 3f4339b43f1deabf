/* SPDX-License-Identifier: Apache-2.0
 *
 * hash.h - 64 bits of a text: multiply and fold, 16 bytes a step, as wyhash does (public domain, Wang Yi).
 *
 * Tables in memory use a seed of the process, so that nobody can choose texts that collide; the cursor
 * uses a fixed one, so that a hash means the same tomorrow.
 */
#ifndef AWS_USAGE_HASH_H
#define AWS_USAGE_HASH_H

#include <stdint.h>
#include <string.h>

static inline uint64_t hash_mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The lowest bytes first, whatever the machine's order. */
static inline uint64_t hash_load(const char *p, size_t size)
{
    uint64_t v = 0;
    memcpy(&v, p, size);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline uint64_t hash_bytes(uint64_t seed, const void *bytes, size_t size)
{
    const char *p = bytes;
    uint64_t h = seed ^ size * 0xa0761d6478bd642fu;
    size_t left = size;
    for (; left > 16; left -= 16, p += 16)
        h = hash_mix(hash_load(p, 8) ^ 0xe7037ed1a0b428dbu, hash_load(p + 8, 8) ^ h);
    if (left >= 8)
        return hash_mix(hash_load(p, 8) ^ 0x8ebc6af09c88c6e3u, hash_load(p + left - 8, 8) ^ h);
    if (left >= 4)
        return hash_mix(hash_load(p, 4) << 32 ^ hash_load(p + left - 4, 4) ^ 0x589965cc75374cc3u, h);
    return hash_mix(left ? hash_load(p, 1) << 16 | hash_load(p + left / 2, 1) << 8 | hash_load(p + left - 1, 1) : 0,
                    h ^ 0x589965cc75374cc3u);
}

#endif
