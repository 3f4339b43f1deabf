/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_side.h - the agent's half of the protocol for tests: one call a message, what came back decoded.
 */
#ifndef TESTS_CONTROLLER_AGENT_SIDE_H
#define TESTS_CONTROLLER_AGENT_SIDE_H

#include "controller/ingest/intake.h"
#include "sdk/protocol.h"

#define ACCOUNT "aws:111122223333"
#define OTHER_ACCOUNT "aws:444455556666"
#define NOW_UNIX_MS INT64_C(1795000000000) /* 2026-11-18 */
#define TODAY (NOW_UNIX_MS / (24 * 3600 * 1000))

static inline kim_record identity_record(const char *scope, const char *id, const char *name)
{
    return (kim_record){.type = KIM_IDENTITY, .scope = kim_text_of(scope),
                        .identity = {.id = kim_text_of(id), .kind = KIM_HUMAN, .name = kim_text_of(name)}};
}

static inline kim_record usage_record(const char *scope, const char *who, const char *action, int64_t count)
{
    return (kim_record){.type = KIM_USAGE, .scope = kim_text_of(scope),
                        .usage = {.day = TODAY, .identity = kim_text_of(who), .action = kim_text_of(action),
                                  .outcome = KIM_SUCCESS, .count = count, .first_unix_ms = NOW_UNIX_MS,
                                  .last_unix_ms = NOW_UNIX_MS}};
}

static inline protocol_message hello_message(const char *const streams[], size_t count)
{
    protocol_message m = {.type = PROTOCOL_HELLO,
                          .hello = {.version_min = 1, .version_max = 1, .agent = KIM_TEXT("web"), .spool = {7},
                                    .nonce = {1}, .software = KIM_TEXT("kim-agent test"),
                                    .now_unix_ms = NOW_UNIX_MS, .stream_count = count}};
    for (size_t i = 0; i < count; i++)
        m.hello.streams[i] = (protocol_stream_hello){.stream = kim_text_of(streams[i]), .plugin = KIM_TEXT("aws")};
    return m;
}

static inline protocol_message begin_message(uint64_t session, uint64_t sequence, uint64_t generation, uint64_t base)
{
    return (protocol_message){.type = PROTOCOL_SNAPSHOT_BEGIN,
                              .begin = {.session = session, .stream = KIM_TEXT("aws/state"),
                                        .sequence = sequence, .generation = generation, .base = base}};
}

static inline protocol_message data_message(uint64_t session, const char *stream, uint64_t sequence,
                                            const kim_bytes *entries, uint64_t count)
{
    return (protocol_message){.type = PROTOCOL_DATA,
                              .data = {.session = session, .stream = kim_text_of(stream), .sequence = sequence,
                                       .count = count, .raw_bytes = entries->size, .encoding = PROTOCOL_PLAIN,
                                       .bytes = entries->data, .size = entries->size}};
}

/* The COMMIT of records that are all there will be. */
static inline protocol_message commit_message(uint64_t session, uint64_t sequence, uint64_t generation,
                                              const kim_record *records, size_t count)
{
    protocol_message m = {.type = PROTOCOL_SNAPSHOT_COMMIT,
                          .commit = {.session = session, .stream = KIM_TEXT("aws/state"), .sequence = sequence,
                                     .generation = generation, .count = count}};
    for (size_t i = 0; i < count; i++) {
        kim_bytes bytes = {0};
        kim_error err;
        uint8_t hash[KIM_RECORD_HASH_BYTES];
        kim_record_encode(&records[i], &bytes, &err);
        kim_record_hash(bytes.data, bytes.size, hash);
        kim_digest_add(m.commit.digest, hash);
        kim_bytes_free(&bytes);
    }
    return m;
}

static inline kim_bytes entries_of(const kim_record *records, size_t count)
{
    kim_bytes bytes = {0};
    kim_error err;
    for (size_t i = 0; i < count; i++)
        kim_record_encode(&records[i], &bytes, &err);
    return bytes;
}

#endif
