/* SPDX-License-Identifier: Apache-2.0
 *
 * test_protocol.c - every message survives its bytes, and nothing malformed is taken.
 */
#include "sdk/pack.h"
#include "sdk/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static protocol_message decode(const kim_bytes *bytes)
{
    protocol_message out;
    kim_error err;
    if (protocol_decode(bytes->data, bytes->size, &out, &err) < 0)
        fail_msg("%s", err.message);
    return out;
}

static kim_bytes encode(const protocol_message *message)
{
    kim_bytes out = {0};
    kim_error err;
    if (protocol_encode(message, &out, &err) < 0)
        fail_msg("%s", err.message);
    return out;
}

/* A message of each kind with something in every field. */
static void fill(protocol_message *m, protocol_type type)
{
    static const uint8_t bytes[] = {1, 2, 3, 4};
    memset(m, 0, sizeof *m);
    m->type = type;
    kim_text stream = KIM_TEXT("aws/state"), words = KIM_TEXT("b\xc3\xa4r");
    switch (type) {
    case PROTOCOL_HELLO:
        m->hello = (protocol_hello){.version_min = 1, .version_max = 3, .agent = KIM_TEXT("web-17"),
                                    .software = KIM_TEXT("kim-agent 0.1.0"), .now_unix_ms = -5, .stream_count = 2};
        memset(m->hello.spool, 7, sizeof m->hello.spool);
        memset(m->hello.nonce, 8, sizeof m->hello.nonce);
        m->hello.streams[0] = (protocol_stream_hello){stream, KIM_TEXT("aws"), KIM_TEXT("1"), true};
        m->hello.streams[1] = (protocol_stream_hello){KIM_TEXT("aws/usage"), KIM_TEXT("aws"), KIM_TEXT("1"), false};
        break;
    case PROTOCOL_WELCOME:
        m->welcome = (protocol_welcome){.version = 1, .session = UINT64_MAX, .credit = 8, .spread_ms = 70000,
                                        .now_unix_ms = INT64_MAX, .stream_count = 1};
        m->welcome.streams[0] = (protocol_stream_position){stream, 300, 4, 70000, {9}, bytes, sizeof bytes};
        break;
    case PROTOCOL_SNAPSHOT_BEGIN:
        m->begin = (protocol_begin){1, stream, 2, 3, 4, 5};
        break;
    case PROTOCOL_DATA:
        m->data = (protocol_data){1, stream, 2, 3, 4, PROTOCOL_PLAIN, bytes, sizeof bytes, bytes, 2};
        break;
    case PROTOCOL_SNAPSHOT_COMMIT:
        m->commit = (protocol_commit){1, stream, 2, 3, 4, {5, 6}};
        break;
    case PROTOCOL_ACK:
        m->ack = (protocol_ack){1, stream, 1u << 31, 3};
        break;
    case PROTOCOL_NACK:
        m->nack = (protocol_nack){1, stream, 2, PROTOCOL_OVERLOAD, words, 5000, 1};
        break;
    case PROTOCOL_RESYNC:
        m->resync = (protocol_resync){stream, words};
        break;
    case PROTOCOL_PING:
    case PROTOCOL_PONG:
        m->ping = (protocol_ping){1, 2, 3};
        break;
    case PROTOCOL_COMMAND:
        m->command = (protocol_command){1, 2, KIM_TEXT("aws"), bytes, sizeof bytes};
        break;
    case PROTOCOL_RESULT:
        m->result = (protocol_result){1, 2, KIM_ERR_UNSUPPORTED, words, bytes, sizeof bytes};
        break;
    case PROTOCOL_ROTATE:
        m->rotate = (protocol_rotate){1, {2, 3}};
        break;
    case PROTOCOL_STATUS:
        m->status = (protocol_status){1, KIM_TEXT("aws"), 2, 3, KIM_ERR_DENIED, words, 4};
        break;
    case PROTOCOL_ENROL:
        m->enrol = (protocol_enrol){1, 1, KIM_TEXT("token"), {1, 2}, words, 3};
        break;
    case PROTOCOL_ENROLLED:
        m->enrolled = (protocol_enrolled){KIM_TEXT("web-17"), true, 3};
        break;
    }
}

static const protocol_type types[] = {
    PROTOCOL_HELLO, PROTOCOL_WELCOME, PROTOCOL_SNAPSHOT_BEGIN, PROTOCOL_DATA, PROTOCOL_SNAPSHOT_COMMIT,
    PROTOCOL_ACK, PROTOCOL_NACK, PROTOCOL_RESYNC, PROTOCOL_PING, PROTOCOL_PONG, PROTOCOL_COMMAND,
    PROTOCOL_RESULT, PROTOCOL_ROTATE, PROTOCOL_STATUS, PROTOCOL_ENROL, PROTOCOL_ENROLLED,
};
enum { TYPES = sizeof types / sizeof types[0] };

static void each_message_says_the_same_after_its_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        protocol_message m;
        fill(&m, types[i]);
        kim_bytes first = encode(&m);
        protocol_message back = decode(&first);
        kim_bytes second = encode(&back);
        assert_int_equal(back.type, types[i]);
        assert_int_equal(first.size, second.size);
        assert_memory_equal(first.data, second.data, first.size);
        kim_bytes_free(&first);
        kim_bytes_free(&second);
    }
}

static void the_fields_of_a_message_come_back_one_by_one(void **state)
{
    (void)state;
    protocol_message m, back;
    fill(&m, PROTOCOL_WELCOME);
    kim_bytes bytes = encode(&m);
    back = decode(&bytes);
    assert_true(back.welcome.session == UINT64_MAX);
    assert_true(back.welcome.now_unix_ms == INT64_MAX);
    assert_int_equal(back.welcome.stream_count, 1);
    assert_true(kim_text_is(back.welcome.streams[0].stream, "aws/state"));
    assert_int_equal(back.welcome.streams[0].sequence, 300);
    assert_int_equal(back.welcome.streams[0].digest[0], 9);
    assert_int_equal(back.welcome.streams[0].cursor_size, 4);
    kim_bytes_free(&bytes);
    fill(&m, PROTOCOL_HELLO);
    bytes = encode(&m);
    back = decode(&bytes);
    assert_int_equal(back.hello.now_unix_ms, -5);
    assert_true(back.hello.streams[0].unsigned_plugin);
    assert_false(back.hello.streams[1].unsigned_plugin);
    kim_bytes_free(&bytes);
}

static void a_message_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < TYPES; i++) {
        protocol_message m, back;
        fill(&m, types[i]);
        kim_bytes bytes = encode(&m);
        for (size_t cut = 0; cut < bytes.size; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1); /* so that reading on is seen */
            memcpy(exact, bytes.data, cut);
            kim_error err;
            assert_int_equal(protocol_decode(exact, cut, &back, &err), -1);
            assert_int_equal(err.code, KIM_ERR_INPUT);
            free(exact);
        }
        kim_bytes_free(&bytes);
    }
}

static void unknown_trailing_fields_are_skipped_and_missing_ones_are_zero(void **state)
{
    (void)state;
    kim_bytes bytes = {0};
    pack_array(&bytes, 8);
    pack_uint(&bytes, PROTOCOL_ACK);
    pack_uint(&bytes, 1);
    pack_string(&bytes, "aws/usage");
    pack_uint(&bytes, 2);
    pack_uint(&bytes, 3);
    pack_array(&bytes, 2); /* news of a later version */
    pack_string(&bytes, "x");
    pack_nil(&bytes);
    pack_bool(&bytes, true);
    kim_bytes_append(&bytes, "\x81\xa1k\xcb\0\0\0\0\0\0\0\0", 12); /* a map with a double */
    protocol_message m = decode(&bytes);
    assert_int_equal(m.ack.credit, 3);
    bytes.size = 0;
    pack_array(&bytes, 3);
    pack_uint(&bytes, PROTOCOL_ACK);
    pack_uint(&bytes, 1);
    pack_string(&bytes, "aws/usage");
    m = decode(&bytes);
    assert_int_equal(m.ack.sequence, 0);
    kim_bytes_free(&bytes);
}

static void refused(const kim_bytes *bytes, kim_code code, const char *words)
{
    protocol_message m;
    kim_error err = {0};
    assert_int_equal(protocol_decode(bytes->data, bytes->size, &m, &err), -1);
    if (err.code != code || !strstr(err.message, words))
        fail_msg("got %s: %s", kim_code_name(err.code), err.message);
}

static void a_refusal_names_the_message_the_field_and_the_byte(void **state)
{
    (void)state;
    kim_bytes bytes = {0};
    pack_array(&bytes, 4);
    pack_uint(&bytes, PROTOCOL_ACK);
    pack_uint(&bytes, 1);
    pack_string(&bytes, "aws/usage");
    pack_string(&bytes, "two");
    refused(&bytes, KIM_ERR_INPUT, "ACK.sequence: is no unsigned integer, at byte 13 of 17");
    bytes.size = 0;
    pack_array(&bytes, 2);
    pack_uint(&bytes, PROTOCOL_ACK);
    pack_uint(&bytes, 1);
    refused(&bytes, KIM_ERR_INPUT, "ACK.stream: is missing");
    bytes.size = 0;
    pack_array(&bytes, 3);
    pack_uint(&bytes, PROTOCOL_ACK);
    pack_uint(&bytes, 1);
    pack_string(&bytes, "a\xff");
    refused(&bytes, KIM_ERR_INPUT, "ACK.stream: is no UTF-8 text");
    bytes.size = 0;
    pack_array(&bytes, 2);
    pack_uint(&bytes, 99);
    pack_uint(&bytes, 1);
    refused(&bytes, KIM_ERR_UNSUPPORTED, "message number 99");
    kim_bytes_free(&bytes);
}

static void what_follows_a_message_is_refused(void **state)
{
    (void)state;
    protocol_message m;
    fill(&m, PROTOCOL_PING);
    kim_bytes bytes = encode(&m);
    pack_nil(&bytes);
    refused(&bytes, KIM_ERR_INPUT, "goes on after its end");
    kim_bytes_free(&bytes);
}

static void a_count_that_the_bytes_cannot_hold_is_refused_before_anything_is_done_for_it(void **state)
{
    (void)state;
    const uint8_t lie[] = {0xdd, 0xff, 0xff, 0xff, 0xff};
    refused(&(kim_bytes){(uint8_t *)lie, sizeof lie, 0, false}, KIM_ERR_INPUT, "claims more than there is");
}

static void too_many_streams_and_too_long_a_name_are_past_a_limit(void **state)
{
    (void)state;
    kim_bytes bytes = {0};
    char name[PROTOCOL_STREAM_MAX_BYTES + 2] = "";
    memset(name, 'x', PROTOCOL_STREAM_MAX_BYTES + 1);
    pack_array(&bytes, 3);
    pack_uint(&bytes, PROTOCOL_ACK);
    pack_uint(&bytes, 1);
    pack_string(&bytes, name);
    refused(&bytes, KIM_ERR_LIMIT, "ACK.stream: is too long");
    bytes.size = 0;
    pack_array(&bytes, 7);
    pack_uint(&bytes, PROTOCOL_WELCOME);
    for (int i = 0; i < 5; i++)
        pack_nil(&bytes);
    pack_array(&bytes, PROTOCOL_MAX_STREAMS + 1);
    for (int i = 0; i <= PROTOCOL_MAX_STREAMS; i++) {
        pack_array(&bytes, 1);
        pack_string(&bytes, "s");
    }
    refused(&bytes, KIM_ERR_LIMIT, "WELCOME.streams: has too many items");
    protocol_message m;
    fill(&m, PROTOCOL_HELLO);
    m.hello.stream_count = PROTOCOL_MAX_STREAMS + 1;
    kim_error err;
    assert_int_equal(protocol_encode(&m, &bytes, &err), -1);
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    kim_bytes_free(&bytes);
}

static void nesting_without_end_is_refused(void **state)
{
    (void)state;
    kim_bytes bytes = {0};
    pack_array(&bytes, 5);
    pack_uint(&bytes, PROTOCOL_PING);
    for (int i = 0; i < 3; i++)
        pack_nil(&bytes);
    for (int i = 0; i < 100000; i++)
        pack_array(&bytes, 1);
    pack_nil(&bytes);
    refused(&bytes, KIM_ERR_INPUT, "nested too deep");
    kim_bytes_free(&bytes);
}

static void data_must_agree_with_itself(void **state)
{
    (void)state;
    const struct { uint64_t count, raw, encoding; kim_code code; const char *words; } rows[] = {
        {1, 5, PROTOCOL_PLAIN, KIM_ERR_INPUT, "raw_bytes"},
        {5, 4, PROTOCOL_PLAIN, KIM_ERR_INPUT, "count"},
        {1, KIM_BATCH_MAX_BYTES + 1, PROTOCOL_ZSTD, KIM_ERR_LIMIT, "raw_bytes"},
        {1, 4, 2, KIM_ERR_UNSUPPORTED, "encoding"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        protocol_message m;
        fill(&m, PROTOCOL_DATA);
        m.data.count = rows[i].count;
        m.data.raw_bytes = rows[i].raw;
        m.data.encoding = rows[i].encoding;
        kim_bytes bytes = encode(&m);
        refused(&bytes, rows[i].code, rows[i].words);
        kim_bytes_free(&bytes);
    }
}

static void a_batch_comes_back_from_compression_and_never_larger_than_it_claims(void **state)
{
    (void)state;
    enum { SIZE = 100000 };
    uint8_t *raw = calloc(1, SIZE);
    for (size_t i = 0; i < SIZE; i += 10)
        raw[i] = (uint8_t)i;
    kim_bytes packed = {0}, out = {0};
    protocol_data data = {0};
    kim_error err;
    const uint8_t *entries;
    size_t size;
    assert_int_equal(protocol_deflate(raw, SIZE, 17, &packed, &data, &err), 0);
    assert_int_equal(data.encoding, PROTOCOL_ZSTD);
    assert_true(data.size < SIZE / 4);
    assert_int_equal(data.count, 17);
    assert_int_equal(protocol_inflate(&data, &out, &entries, &size, &err), 0);
    assert_int_equal(size, SIZE);
    assert_memory_equal(entries, raw, SIZE);
    data.raw_bytes = SIZE - 1;
    assert_int_equal(protocol_inflate(&data, &out, &entries, &size, &err), -1);
    assert_int_equal(err.code, KIM_ERR_INPUT);
    data.raw_bytes = SIZE + 1;
    assert_int_equal(protocol_inflate(&data, &out, &entries, &size, &err), -1);
    data.raw_bytes = (uint64_t)KIM_BATCH_MAX_BYTES + 1;
    assert_int_equal(protocol_inflate(&data, &out, &entries, &size, &err), -1);
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    data.raw_bytes = SIZE;
    data.size /= 2;
    assert_int_equal(protocol_inflate(&data, &out, &entries, &size, &err), -1);
    kim_bytes_free(&packed);
    kim_bytes_free(&out);
    free(raw);
}

static void entries_are_records_or_the_news_that_one_is_gone(void **state)
{
    (void)state;
    kim_bytes bytes = {0};
    const uint8_t key[KIM_RECORD_KEY_BYTES] = {1, 2, 3};
    kim_record record = {.type = KIM_IDENTITY, .scope = KIM_TEXT("ot:test")};
    record.identity.id = KIM_TEXT("pump-1");
    record.identity.kind = KIM_DEVICE;
    kim_error err;
    assert_int_equal(kim_record_encode(&record, &bytes, &err), 0);
    size_t record_size = bytes.size, offset = 0;
    protocol_put_gone(&bytes, KIM_EDGE, KIM_TEXT("ot:test"), key);
    protocol_entry entry;
    assert_int_equal(protocol_next_entry(bytes.data, bytes.size, &offset, &entry, &err), 1);
    assert_false(entry.gone);
    assert_int_equal(entry.type, KIM_IDENTITY);
    assert_int_equal(entry.size, record_size);
    assert_int_equal(protocol_next_entry(bytes.data, bytes.size, &offset, &entry, &err), 1);
    assert_true(entry.gone);
    assert_int_equal(entry.type, KIM_EDGE);
    assert_true(kim_text_is(entry.scope, "ot:test"));
    assert_memory_equal(entry.key, key, sizeof key);
    assert_int_equal(protocol_next_entry(bytes.data, bytes.size, &offset, &entry, &err), 0);
    offset = 0;
    assert_int_equal(protocol_next_entry(bytes.data, record_size - 1, &offset, &entry, &err), -1);
    assert_int_equal(offset, 0);
    kim_bytes_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_message_says_the_same_after_its_bytes),
        cmocka_unit_test(the_fields_of_a_message_come_back_one_by_one),
        cmocka_unit_test(a_message_cut_short_anywhere_is_refused),
        cmocka_unit_test(unknown_trailing_fields_are_skipped_and_missing_ones_are_zero),
        cmocka_unit_test(a_refusal_names_the_message_the_field_and_the_byte),
        cmocka_unit_test(what_follows_a_message_is_refused),
        cmocka_unit_test(a_count_that_the_bytes_cannot_hold_is_refused_before_anything_is_done_for_it),
        cmocka_unit_test(too_many_streams_and_too_long_a_name_are_past_a_limit),
        cmocka_unit_test(nesting_without_end_is_refused),
        cmocka_unit_test(data_must_agree_with_itself),
        cmocka_unit_test(a_batch_comes_back_from_compression_and_never_larger_than_it_claims),
        cmocka_unit_test(entries_are_records_or_the_news_that_one_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
