/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_protocol.c - whatever arrives on the wire: what decodes must encode to something that decodes to the same bytes.
 */
#include "sdk/protocol.h"

#include <stdlib.h>
#include <string.h>

static void walk_entries(const protocol_data *data)
{
    kim_bytes room = {0};
    const uint8_t *entries;
    size_t size, at = 0;
    kim_error err;
    protocol_entry entry;
    if (protocol_inflate(data, &room, &entries, &size, &err) == 0)
        while (protocol_next_entry(entries, size, &at, &entry, &err) > 0)
            if (at > size || (!entry.gone && entry.bytes + entry.size > entries + size))
                abort();
    kim_bytes_free(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static protocol_message m, again;
    kim_error err;
    if (protocol_decode(bytes, size, &m, &err) < 0)
        return 0;
    kim_bytes first = {0}, second = {0};
    if (protocol_encode(&m, &first, &err) < 0 || protocol_decode(first.data, first.size, &again, &err) < 0 ||
        protocol_encode(&again, &second, &err) < 0 || first.size != second.size ||
        memcmp(first.data, second.data, first.size))
        abort();
    if (m.type == PROTOCOL_DATA)
        walk_entries(&m.data);
    kim_bytes_free(&first);
    kim_bytes_free(&second);
    return 0;
}
