/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_frame.c - what a provider's process may write into its socket: frames, and what stands in them.
 *
 * The first byte chooses whether the checksum is mended, so that what lies behind it is reached too.
 */
#include "sdk/crc32c.h"
#include "sdk/frame.h"
#include "sdk/pack.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1 + FRAME_HEADER_BYTES)
        return 0;
    uint8_t *copy = malloc(size - 1);
    memcpy(copy, bytes + 1, size - 1);
    size--;
    if (bytes[0] & 1) {
        uint32_t payload = (uint32_t)(size - FRAME_HEADER_BYTES);
        memcpy(copy, "KIMF", 4);
        memcpy(copy + 8, &payload, 4);
        uint32_t sum = kim_crc32c(kim_crc32c(0, copy, 12), copy + FRAME_HEADER_BYTES, payload);
        memcpy(copy + 12, &sum, 4);
    }
    size_t used = 0;
    uint16_t flags;
    frame f;
    kim_error err;
    for (size_t at = 0; at < size; at += used) {
        int found = frame_parse(copy + at, size - at, &f, &flags, &used, &err);
        if (found <= 0)
            break;
        pack_reader in = pack_reader_of(f.bytes, f.size);
        uint32_t count = pack_read_array(&in);
        pack_skip_rest(&in, count);
        if (!in.fault && (in.at < in.begin || in.at > in.end))
            abort();
    }
    free(copy);
    return 0;
}
