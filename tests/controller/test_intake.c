/* SPDX-License-Identifier: Apache-2.0
 *
 * test_intake.c - what an agent says and what it is answered, without a socket in between.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/controller/agent_side.h"

enum { ANSWERS_MAX = 64, ANSWER_BYTES = 64 * 1024 };

typedef struct answer {
    uint8_t bytes[ANSWER_BYTES];
    protocol_message message; /* its texts are in bytes */
} answer;

typedef struct desk {
    store *st;
    agents *all;
    intake *in;
    intake_peer peer;
    uint8_t key[STORE_KEY_BYTES];
    uint64_t session;
    answer *answers; /* since the last say() */
    size_t answer_count;
    int published;
    bool is_gone; /* the connection: sending fails */
} desk;

static int64_t clock_now(void)
{
    return NOW_UNIX_MS;
}

static int keep_answer(void *context, const intake_peer *to, const uint8_t *bytes, size_t size)
{
    desk *d = context;
    kim_error err = {0};
    (void)to;
    if (d->is_gone)
        return -1;
    assert_true(d->answer_count < ANSWERS_MAX && size <= ANSWER_BYTES);
    answer *a = &d->answers[d->answer_count++];
    memcpy(a->bytes, bytes, size);
    if (protocol_decode(a->bytes, size, &a->message, &err) < 0)
        fail_msg("an answer that no agent can read: %s", err.message);
    return 0;
}

static void count_published(void *context)
{
    ((desk *)context)->published++;
}

static void open_intake(desk *d)
{
    kim_error err = {0};
    const intake_options options = {.st = d->st, .all = d->all, .now_unix_ms = clock_now, .send = keep_answer,
                                    .published = count_published, .context = d};
    d->in = intake_new(&options, &err);
    assert_non_null(d->in);
}

static void enrol(desk *d, const char *name, const char *scope, const uint8_t *key)
{
    kim_error err = {0};
    char token[INGEST_TOKEN_BYTES];
    const kim_text scopes[] = {kim_text_of(scope)};
    if (agents_invite(d->all, kim_text_of(name), (kim_texts){scopes, 1}, NOW_UNIX_MS, NOW_UNIX_MS + 1000, token, &err) < 0 ||
        !agents_enrol(d->all, kim_text_of(token), key, STORE_AGENT_ACTIVE, NOW_UNIX_MS, &err))
        fail_msg("%s", err.message);
}

static int set_up(void **state)
{
    kim_error err = {0};
    desk *d = calloc(1, sizeof *d);
    d->answers = calloc(ANSWERS_MAX, sizeof *d->answers);
    d->st = store_open(":memory:", 0, &err);
    d->all = agents_open(d->st, &err);
    d->peer = (intake_peer){.size = 5, .bytes = {0, 1, 2, 3, 4}};
    memset(d->key, 'k', sizeof d->key);
    enrol(d, "web", ACCOUNT, d->key);
    open_intake(d);
    *state = d;
    return 0;
}

static int tear_down(void **state)
{
    desk *d = *state;
    intake_free(d->in);
    agents_close(d->all);
    store_close(d->st);
    free(d->answers);
    free(d);
    return 0;
}

/* ---- talking ---- */

static void say_bytes(desk *d, const void *bytes, size_t size)
{
    d->answer_count = 0;
    intake_message(d->in, &d->peer, d->key, bytes, size, 1000);
    intake_commit(d->in);
}

static void say(desk *d, const protocol_message *message)
{
    kim_bytes bytes = {0};
    kim_error err = {0};
    if (protocol_encode(message, &bytes, &err) < 0)
        fail_msg("%s", err.message);
    say_bytes(d, bytes.data, bytes.size);
    kim_bytes_free(&bytes);
}

static const protocol_message *only_answer(const desk *d, protocol_type type)
{
    assert_int_equal(d->answer_count, 1);
    if (d->answers[0].message.type != type)
        fail_msg("answered by %s%s%.*s, not by %s", protocol_type_name(d->answers[0].message.type),
                 d->answers[0].message.type == PROTOCOL_NACK ? ": " : "",
                 d->answers[0].message.type == PROTOCOL_NACK ? (int)d->answers[0].message.nack.text.size : 0,
                 d->answers[0].message.nack.text.bytes, protocol_type_name(type));
    return &d->answers[0].message;
}

static void assert_ack(const desk *d, uint64_t sequence)
{
    assert_int_equal(only_answer(d, PROTOCOL_ACK)->ack.sequence, sequence);
    assert_int_equal(d->answers[0].message.ack.credit, 1);
}

static void assert_nack(const desk *d, protocol_class class, const char *says)
{
    const protocol_message *m = only_answer(d, PROTOCOL_NACK);
    char text[PROTOCOL_TEXT_MAX_BYTES + 1];
    snprintf(text, sizeof text, "%.*s", KIM_PRINT(m->nack.text));
    if (m->nack.class != class)
        fail_msg("%s (%s), not %s", protocol_class_name((int)m->nack.class), text, protocol_class_name(class));
    assert_says(text, says);
}

static const protocol_welcome *hello(desk *d)
{
    static const char *const streams[] = {"aws/state", "aws/usage"};
    protocol_message m = hello_message(streams, 2);
    say(d, &m);
    const protocol_welcome *w = &only_answer(d, PROTOCOL_WELCOME)->welcome;
    d->session = w->session;
    return w;
}

static void say_data(desk *d, const char *stream, uint64_t sequence, const kim_record *records, size_t count)
{
    kim_bytes entries = entries_of(records, count);
    protocol_message m = data_message(d->session, stream, sequence, &entries, count);
    say(d, &m);
    kim_bytes_free(&entries);
}

static void say_begin(desk *d, uint64_t sequence, uint64_t generation, uint64_t base)
{
    protocol_message m = begin_message(d->session, sequence, generation, base);
    say(d, &m);
}

static void say_commit(desk *d, uint64_t sequence, uint64_t generation, const kim_record *records, size_t count)
{
    protocol_message m = commit_message(d->session, sequence, generation, records, count);
    say(d, &m);
}

static void publish(desk *d, uint64_t sequence, uint64_t generation, const kim_record *records, size_t count)
{
    say_begin(d, sequence, generation, 0);
    say_data(d, "aws/state", sequence + 1, records, count);
    say_commit(d, sequence + 2, generation, records, count);
    assert_ack(d, sequence + 2);
}

static int count_record(void *context, const store_record *record, kim_error *err)
{
    (void)record, (void)err;
    ++*(size_t *)context;
    return 0;
}

static size_t records_in(const desk *d, const char *scope)
{
    kim_error err = {0};
    size_t count = 0;
    store_filter filter = {.scope = kim_text_of(scope)};
    assert_int_equal(store_records(d->st, &filter, count_record, &count, &err), 0);
    return count;
}

static uint64_t usage_rows(const desk *d)
{
    kim_error err = {0};
    uint64_t rows = 0;
    assert_int_equal(store_usage_count(d->st, &rows, &err), 0);
    return rows;
}

/* ---- who is let in ---- */

static void a_key_that_nobody_enrolled_is_told_so(void **state)
{
    desk *d = *state;
    static const char *const streams[] = {"aws/state"};
    protocol_message m = hello_message(streams, 1);
    d->key[0] ^= 1;
    say(d, &m);
    assert_nack(d, PROTOCOL_UNKNOWN_AGENT, "not enrolled");
}

static void an_agent_is_its_key_whatever_it_calls_itself(void **state)
{
    desk *d = *state;
    protocol_message m = hello_message(NULL, 0);
    m.hello.agent = KIM_TEXT("somebody-else");
    say(d, &m);
    d->session = only_answer(d, PROTOCOL_WELCOME)->welcome.session;
    kim_error err = {0};
    assert_int_equal(ingest_import_publish(d->st, NOW_UNIX_MS, &err), 0); /* nothing staged: no source */
    assert_int_equal(records_in(d, ACCOUNT), 0);
}

static void revocation_takes_effect_on_the_next_message(void **state)
{
    desk *d = *state;
    kim_error err = {0};
    const kim_record used = usage_record(ACCOUNT, "ann", "s3:GetObject", 1);
    hello(d);
    say_data(d, "aws/usage", 1, &used, 1);
    assert_ack(d, 1);
    assert_int_equal(agents_set_state(d->all, KIM_TEXT("web"), STORE_AGENT_REVOKED, &err), 0);
    say_data(d, "aws/usage", 2, &used, 1);
    assert_nack(d, PROTOCOL_REVOKED, "revoked");
    static const char *const streams[] = {"aws/usage"};
    protocol_message m = hello_message(streams, 1);
    say(d, &m);
    assert_nack(d, PROTOCOL_REVOKED, "revoked");
    assert_int_equal(usage_rows(d), 1);
}

static void an_agent_that_waits_for_approval_is_not_heard(void **state)
{
    desk *d = *state;
    kim_error err = {0};
    char token[INGEST_TOKEN_BYTES];
    const kim_text scopes[] = {KIM_TEXT(ACCOUNT)};
    assert_int_equal(agents_invite(d->all, KIM_TEXT("new"), (kim_texts){scopes, 1}, 1, NOW_UNIX_MS + 1000, token, &err), 0);
    memset(d->key, 'n', sizeof d->key);
    assert_non_null(agents_enrol(d->all, kim_text_of(token), d->key, STORE_AGENT_PENDING, NOW_UNIX_MS, &err));
    protocol_message m = hello_message(NULL, 0);
    say(d, &m);
    assert_nack(d, PROTOCOL_UNKNOWN_AGENT, "waits for an administrator");
    assert_int_equal(agents_set_state(d->all, KIM_TEXT("new"), STORE_AGENT_ACTIVE, &err), 0);
    say(d, &m);
    only_answer(d, PROTOCOL_WELCOME);
}

static void without_a_session_the_answer_is_to_say_hello(void **state)
{
    desk *d = *state;
    const kim_record used = usage_record(ACCOUNT, "ann", "s3:GetObject", 1);
    say_data(d, "aws/usage", 1, &used, 1);
    assert_int_equal(only_answer(d, PROTOCOL_RESYNC)->resync.stream.size, 0);
    hello(d);
    d->session++;
    say_data(d, "aws/usage", 1, &used, 1);
    assert_int_equal(only_answer(d, PROTOCOL_RESYNC)->resync.stream.size, 0);
    d->session--;
    d->peer.bytes[0]++; /* the same key and session from another connection */
    say_data(d, "aws/usage", 1, &used, 1);
    assert_int_equal(only_answer(d, PROTOCOL_RESYNC)->resync.stream.size, 0);
    assert_int_equal(usage_rows(d), 0);
}

static void clocks_that_differ_by_days_are_told_so(void **state)
{
    desk *d = *state;
    protocol_message m = hello_message(NULL, 0);
    m.hello.now_unix_ms += INT64_C(3) * 24 * 3600 * 1000;
    say(d, &m);
    assert_nack(d, PROTOCOL_CLOCK, "clock is off by 259200 s");
}

static void no_common_version_is_told_so(void **state)
{
    desk *d = *state;
    protocol_message m = hello_message(NULL, 0);
    m.hello.version_min = m.hello.version_max = 9;
    say(d, &m);
    assert_nack(d, PROTOCOL_PROTOCOL, "update the controller");
}

static void two_machines_with_one_key_are_stopped(void **state)
{
    desk *d = *state;
    protocol_message m = hello_message(NULL, 0);
    int refused = 0;
    for (int i = 0; i < 12; i++) {
        m.hello.nonce[0] = (uint8_t)(1 + i % 2);
        say(d, &m);
        assert_int_equal(d->answer_count, 1);
        refused += d->answers[0].message.type == PROTOCOL_NACK;
    }
    assert_true(refused >= 4);
    assert_nack(d, PROTOCOL_OVERLOAD, "another machine");
}

/* ---- snapshots ---- */

static void a_snapshot_is_published_at_its_commit(void **state)
{
    desk *d = *state;
    const kim_record people[] = {identity_record(ACCOUNT, "ann", "Ann"), identity_record(ACCOUNT, "bob", "Bob")};
    hello(d);
    say_begin(d, 1, 1, 0);
    assert_ack(d, 0); /* staged: credit, and nothing to forget yet */
    say_data(d, "aws/state", 2, people, 2);
    assert_ack(d, 0);
    assert_int_equal(records_in(d, ACCOUNT), 0);
    assert_int_equal(d->published, 0);
    say_commit(d, 3, 1, people, 2);
    assert_ack(d, 3);
    assert_int_equal(records_in(d, ACCOUNT), 2);
    assert_int_equal(d->published, 1);
}

static void a_change_needs_the_generation_that_it_starts_from(void **state)
{
    desk *d = *state;
    const kim_record ann = identity_record(ACCOUNT, "ann", "Ann");
    hello(d);
    publish(d, 1, 1, &ann, 1);
    say_begin(d, 4, 3, 2);
    assert_int_equal(d->answer_count, 2);
    assert_int_equal(d->answers[0].message.type, PROTOCOL_RESYNC);
    assert_true(kim_text_is(d->answers[0].message.resync.stream, "aws/state"));
    /* What was on the way passes; the full snapshot is taken. */
    say_data(d, "aws/state", 5, &ann, 1);
    assert_ack(d, 3);
    publish(d, 8, 4, &ann, 1);
}

static void gone_records_end(void **state)
{
    desk *d = *state;
    const kim_record people[] = {identity_record(ACCOUNT, "ann", "Ann"), identity_record(ACCOUNT, "bob", "Bob")};
    hello(d);
    publish(d, 1, 1, people, 2);
    uint8_t key[KIM_RECORD_KEY_BYTES];
    kim_bytes entries = {0};
    kim_record_key(&people[0], key);
    protocol_put_gone(&entries, KIM_IDENTITY, people[0].scope, key);
    say_begin(d, 4, 2, 1);
    protocol_message m = data_message(d->session, "aws/state", 5, &entries, 1);
    say(d, &m);
    say_commit(d, 6, 2, &people[1], 1);
    assert_ack(d, 6);
    assert_int_equal(records_in(d, ACCOUNT), 1);
    kim_bytes_free(&entries);
}

static void a_wrong_digest_asks_for_all_of_it(void **state)
{
    desk *d = *state;
    const kim_record people[] = {identity_record(ACCOUNT, "ann", "Ann"), identity_record(ACCOUNT, "bob", "Bob")};
    hello(d);
    say_begin(d, 1, 1, 0);
    say_data(d, "aws/state", 2, people, 1);
    say_commit(d, 3, 1, people, 2); /* claims one more than was sent */
    assert_int_equal(d->answer_count, 2);
    assert_int_equal(d->answers[0].message.type, PROTOCOL_RESYNC);
    assert_int_equal(records_in(d, ACCOUNT), 0);
    assert_int_equal(d->published, 0);
    publish(d, 4, 2, people, 2);
}

static void a_session_that_broke_off_goes_on_where_it_was(void **state)
{
    desk *d = *state;
    const kim_record people[] = {identity_record(ACCOUNT, "ann", "Ann"), identity_record(ACCOUNT, "bob", "Bob")};
    hello(d);
    say_begin(d, 1, 1, 0);
    say_data(d, "aws/state", 2, &people[0], 1);
    intake_free(d->in); /* the controller restarts */
    open_intake(d);
    assert_int_equal(hello(d)->streams[0].sequence, 2);
    say_data(d, "aws/state", 3, &people[1], 1);
    say_commit(d, 4, 1, people, 2);
    assert_ack(d, 4);
    assert_int_equal(hello(d)->streams[0].generation, 1);
}

static void other_scopes_are_refused_record_by_record_and_still_counted(void **state)
{
    desk *d = *state;
    const kim_record people[] = {identity_record(ACCOUNT, "ann", "Ann"),
                                 identity_record(OTHER_ACCOUNT, "admin", "Admin")};
    hello(d);
    publish(d, 1, 1, people, 2);
    assert_int_equal(records_in(d, ACCOUNT), 1);
    assert_int_equal(records_in(d, OTHER_ACCOUNT), 0);
}

static void a_parent_that_an_agent_asserts_gives_it_nothing(void **state)
{
    desk *d = *state;
    /* "444455556666 lies below my own account", and then something in it. */
    kim_record claim = {.type = KIM_SCOPE, .scope = KIM_TEXT(OTHER_ACCOUNT),
                        .as_scope = {.id = KIM_TEXT(OTHER_ACCOUNT), .kind = KIM_TEXT("account"),
                                     .parent = KIM_TEXT(ACCOUNT)}};
    const kim_record said[] = {claim, identity_record(OTHER_ACCOUNT, "admin", "Admin")};
    hello(d);
    publish(d, 1, 1, said, 2);
    assert_int_equal(records_in(d, OTHER_ACCOUNT), 0);
}

static void usage_of_other_scopes_is_left_out(void **state)
{
    desk *d = *state;
    const kim_record used[] = {usage_record(OTHER_ACCOUNT, "eve", "s3:GetObject", 5),
                               usage_record(ACCOUNT, "ann", "s3:GetObject", 1)};
    hello(d);
    say_data(d, "aws/usage", 1, used, 2);
    assert_ack(d, 1);
    assert_int_equal(usage_rows(d), 1);
}

/* ---- order ---- */

static void a_message_again_is_acknowledged_and_not_applied_again(void **state)
{
    desk *d = *state;
    const kim_record used = usage_record(ACCOUNT, "ann", "s3:GetObject", 3);
    uint8_t before[KIM_RECORD_HASH_BYTES], after[KIM_RECORD_HASH_BYTES];
    uint64_t n;
    kim_error err = {0};
    hello(d);
    say_data(d, "aws/usage", 1, &used, 1);
    assert_int_equal(store_digest(d->st, before, &n, &n, &err), 0);
    say_data(d, "aws/usage", 1, &used, 1);
    assert_ack(d, 1);
    hello(d);
    say_data(d, "aws/usage", 1, &used, 1);
    assert_ack(d, 1);
    assert_int_equal(store_digest(d->st, after, &n, &n, &err), 0);
    assert_memory_equal(before, after, sizeof before);
}

static void a_gap_ends_the_session_and_the_next_welcome_says_where_to_go_on(void **state)
{
    desk *d = *state;
    const kim_record used = usage_record(ACCOUNT, "ann", "s3:GetObject", 1);
    hello(d);
    say_data(d, "aws/usage", 1, &used, 1);
    say_data(d, "aws/usage", 3, &used, 1);
    assert_nack(d, PROTOCOL_RETRY, "message 3 came after 1");
    say_data(d, "aws/usage", 2, &used, 1);
    only_answer(d, PROTOCOL_RESYNC);
    assert_int_equal(hello(d)->streams[1].sequence, 1);
}

static void the_cursor_comes_back_in_welcome(void **state)
{
    desk *d = *state;
    const kim_record used = usage_record(ACCOUNT, "ann", "s3:GetObject", 1);
    kim_bytes entries = entries_of(&used, 1);
    hello(d);
    protocol_message m = data_message(d->session, "aws/usage", 1, &entries, 1);
    m.data.cursor = (const uint8_t *)"page 7";
    m.data.cursor_size = 6;
    say(d, &m);
    const protocol_welcome *w = hello(d);
    assert_int_equal(w->streams[1].cursor_size, 6);
    assert_memory_equal(w->streams[1].cursor, "page 7", 6);
    kim_bytes_free(&entries);
}

/* ---- what is never taken ---- */

static void assert_poison(desk *d, const char *stream, const void *bytes, size_t size, uint64_t count,
                          const char *says)
{
    kim_bytes entries = {.data = (uint8_t *)bytes, .size = size};
    protocol_message m = data_message(d->session, stream, 1, &entries, count);
    say(d, &m);
    assert_nack(d, PROTOCOL_POISON, says);
    assert_int_equal(usage_rows(d), 0);
    assert_int_equal(records_in(d, NULL), 0);
}

static void bytes_that_are_no_records_are_poison_with_their_place(void **state)
{
    desk *d = *state;
    const kim_record used = usage_record(ACCOUNT, "ann", "s3:GetObject", 1);
    kim_bytes entries = entries_of(&used, 1);
    hello(d);
    assert_poison(d, "aws/usage", entries.data, entries.size - 3, 1, "");
    assert_int_equal(hello(d)->streams[1].sequence, 1); /* the mark stands behind it: usage goes on */
    say_data(d, "aws/usage", 2, &used, 1);
    assert_ack(d, 2);
    kim_bytes_free(&entries);
}

static void a_count_that_is_not_so_is_poison(void **state)
{
    desk *d = *state;
    const kim_record used[] = {usage_record(ACCOUNT, "ann", "a", 1), usage_record(ACCOUNT, "ann", "b", 1)};
    kim_bytes entries = entries_of(used, 2);
    hello(d);
    assert_poison(d, "aws/usage", entries.data, entries.size, 1, "more than the 1 entries");
    kim_bytes_free(&entries);
}

static void a_count_that_the_bytes_cannot_hold_is_poison_before_any_memory_is_spent(void **state)
{
    desk *d = *state;
    const kim_record used = usage_record(ACCOUNT, "ann", "a", 1);
    kim_bytes entries = entries_of(&used, 1);
    hello(d);
    assert_poison(d, "aws/usage", entries.data, entries.size, entries.size, "cannot be in");
    kim_bytes_free(&entries);
}

static void a_record_of_the_other_kind_of_stream_is_poison(void **state)
{
    desk *d = *state;
    const kim_record ann = identity_record(ACCOUNT, "ann", "Ann");
    kim_bytes entries = entries_of(&ann, 1);
    hello(d);
    assert_poison(d, "aws/usage", entries.data, entries.size, 1, "stream 'aws/usage' takes no identity records");
    kim_bytes_free(&entries);
}

static void usage_in_the_future_or_of_nothing_is_poison(void **state)
{
    desk *d = *state;
    kim_record far = usage_record(ACCOUNT, "ann", "a", 1), none = usage_record(ACCOUNT, "ann", "a", 0);
    far.usage.day += 1000;
    hello(d);
    kim_bytes entries = entries_of(&far, 1);
    assert_poison(d, "aws/usage", entries.data, entries.size, 1, "not from 1970 to today");
    kim_bytes_free(&entries);
    entries = entries_of(&none, 1);
    protocol_message m = data_message(d->session, "aws/usage", 2, &entries, 1);
    say(d, &m);
    assert_nack(d, PROTOCOL_POISON, "");
    kim_bytes_free(&entries);
}

static void more_than_was_announced_is_not_inflated(void **state)
{
    desk *d = *state;
    kim_bytes big = {0}, packed = {0};
    kim_error err = {0};
    protocol_data data = {0};
    char zeros[4096] = {0};
    for (int i = 0; i < 200; i++)
        kim_bytes_append(&big, zeros, sizeof zeros);
    assert_int_equal(protocol_deflate(big.data, big.size, 1, &packed, &data, &err), 0);
    assert_int_equal(data.encoding, PROTOCOL_ZSTD);
    hello(d);
    data.session = d->session;
    data.stream = KIM_TEXT("aws/usage");
    data.sequence = 1;
    data.raw_bytes = 100; /* a lie */
    protocol_message m = {.type = PROTOCOL_DATA, .data = data};
    say(d, &m);
    assert_nack(d, PROTOCOL_POISON, "");
    kim_bytes_free(&big);
    kim_bytes_free(&packed);
}

static void a_poisoned_snapshot_publishes_nothing_and_the_next_one_is_taken(void **state)
{
    desk *d = *state;
    const kim_record ann = identity_record(ACCOUNT, "ann", "Ann");
    kim_bytes cut = entries_of(&ann, 1);
    hello(d);
    say_begin(d, 1, 1, 0);
    cut.size -= 2;
    protocol_message m = data_message(d->session, "aws/state", 2, &cut, 1);
    say(d, &m);
    assert_nack(d, PROTOCOL_POISON, "");
    say_commit(d, 3, 1, &ann, 1); /* was on the way */
    assert_ack(d, 0);
    assert_int_equal(records_in(d, ACCOUNT), 0);
    publish(d, 4, 2, &ann, 1);
    assert_int_equal(records_in(d, ACCOUNT), 1);
    kim_bytes_free(&cut);
}

static void what_is_no_message_is_refused_and_ends_the_session(void **state)
{
    desk *d = *state;
    hello(d);
    say_bytes(d, "\x92\x04", 2);
    assert_nack(d, PROTOCOL_PROTOCOL, "");
    say_bytes(d, "", 0);
    assert_nack(d, PROTOCOL_PROTOCOL, "");
    const protocol_message ping = {.type = PROTOCOL_PING, .ping = {.session = d->session}};
    say(d, &ping);
    only_answer(d, PROTOCOL_RESYNC);
}

static void an_unknown_message_is_answered_and_otherwise_ignored(void **state)
{
    desk *d = *state;
    const kim_record used = usage_record(ACCOUNT, "ann", "a", 1);
    hello(d);
    say_bytes(d, "\x91\x63", 2); /* number 99 */
    assert_nack(d, PROTOCOL_PROTOCOL, "");
    say_data(d, "aws/usage", 1, &used, 1);
    assert_ack(d, 1);
}

static void every_prefix_of_a_message_and_every_flipped_byte_is_survived(void **state)
{
    desk *d = *state;
    const kim_record used = usage_record(ACCOUNT, "ann", "s3:GetObject", 1);
    kim_bytes entries = entries_of(&used, 1), bytes = {0};
    kim_error err = {0};
    protocol_message m = data_message(1, "aws/usage", 1, &entries, 1);
    assert_int_equal(protocol_encode(&m, &bytes, &err), 0);
    uint8_t copy[512];
    assert_true(bytes.size <= sizeof copy);
    for (size_t i = 0; i < bytes.size; i++) {
        hello(d);
        say_bytes(d, bytes.data, i);
        assert_true(d->answer_count > 0);
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, bytes.data, bytes.size);
            copy[i] ^= (uint8_t)(1 << bit);
            say_bytes(d, copy, bytes.size);
        }
    }
    kim_bytes_free(&entries);
    kim_bytes_free(&bytes);
}

/* ---- the rest ---- */

static void ping_is_answered_by_pong(void **state)
{
    desk *d = *state;
    hello(d);
    const protocol_message ping = {.type = PROTOCOL_PING, .ping = {.session = d->session, .token = 99}};
    say(d, &ping);
    assert_int_equal(only_answer(d, PROTOCOL_PONG)->ping.token, 99);
}

static int find_problem(void *context, const ingest_agent *a, kim_error *err)
{
    (void)err;
    assert_int_equal(a->provider_count, 1);
    assert_true(kim_text_is(a->providers[0].name, "aws"));
    assert_true(kim_text_is(a->providers[0].plugin, "aws"));
    snprintf(context, 64, "%.*s", KIM_PRINT(a->providers[0].problem));
    return 0;
}

static void what_fails_at_an_agent_is_listed_until_it_is_well(void **state)
{
    desk *d = *state;
    kim_error err = {0};
    char problem[64];
    hello(d);
    protocol_message m = {.type = PROTOCOL_STATUS, .status = {.session = d->session, .provider = KIM_TEXT("aws"),
                                                              .code = KIM_ERR_DENIED, .text = KIM_TEXT("no role")}};
    say(d, &m);
    assert_int_equal(d->answer_count, 0);
    assert_int_equal(agents_list(d->all, find_problem, problem, &err), 0);
    assert_string_equal(problem, "denied: no role");
    m.status.code = 0;
    say(d, &m);
    assert_int_equal(agents_list(d->all, find_problem, problem, &err), 0);
    assert_string_equal(problem, "");
}

static void the_silent_are_pinged_and_then_given_up(void **state)
{
    desk *d = *state;
    hello(d); /* at 1000 ms */
    d->answer_count = 0;
    intake_tick(d->in, 1000 + PROTOCOL_PING_MS);
    only_answer(d, PROTOCOL_PING);
    intake_tick(d->in, 1000 + PROTOCOL_DEAD_MS + 1);
    const protocol_message ping = {.type = PROTOCOL_PING, .ping = {.session = d->session}};
    say(d, &ping);
    only_answer(d, PROTOCOL_RESYNC);
}

static void a_peer_that_is_gone_has_no_session_any_more(void **state)
{
    desk *d = *state;
    const protocol_message ping = {.type = PROTOCOL_PING, .ping = {.session = 0}};
    hello(d);
    d->is_gone = true;
    protocol_message m = ping;
    m.ping.session = d->session;
    say(d, &m);
    d->is_gone = false;
    say(d, &m);
    only_answer(d, PROTOCOL_RESYNC);
}

static void a_store_that_fails_says_retry_and_acknowledges_nothing(void **state)
{
    desk *d = *state;
    kim_error err = {0};
    char path[] = "/tmp/kim-test-intake-XXXXXX", side[64];
    close(mkstemp(path));
    /* Another desk, on a store that is full after a little. */
    desk full = {.answers = d->answers, .peer = d->peer};
    memcpy(full.key, d->key, sizeof full.key);
    full.st = store_open(path, 400 * 1024, &err);
    assert_non_null(full.st);
    full.all = agents_open(full.st, &err);
    enrol(&full, "web", ACCOUNT, full.key);
    open_intake(&full);
    hello(&full);
    uint64_t sequence = 0, kept = 0;
    do {
        kim_record used[100];
        char names[100][32];
        sequence++;
        for (int i = 0; i < 100; i++) {
            snprintf(names[i], sizeof names[i], "action %llu %d", (unsigned long long)sequence, i);
            used[i] = usage_record(ACCOUNT, "ann", names[i], 1);
        }
        say_data(&full, "aws/usage", sequence, used, 100);
        if (full.answers[0].message.type == PROTOCOL_ACK)
            kept = full.answers[0].message.ack.sequence;
    } while (full.answers[0].message.type == PROTOCOL_ACK && sequence < 1000);
    assert_nack(&full, PROTOCOL_RETRY, "could not write");
    assert_int_equal(kept, sequence - 1);
    assert_int_equal(usage_rows(&full), kept * 100);
    intake_free(full.in);
    agents_close(full.all);
    store_close(full.st);
    unlink(path);
    snprintf(side, sizeof side, "%s-wal", path);
    unlink(side);
    snprintf(side, sizeof side, "%s-shm", path);
    unlink(side);
}

static void enrolment_takes_a_token_once_and_binds_the_key(void **state)
{
    desk *d = *state;
    kim_error err = {0};
    char token[INGEST_TOKEN_BYTES];
    const kim_text scopes[] = {KIM_TEXT(ACCOUNT)};
    kim_bytes bytes = {0};
    uint8_t key[STORE_KEY_BYTES] = {42};
    assert_int_equal(agents_invite(d->all, KIM_TEXT("new"), (kim_texts){scopes, 1}, 1, NOW_UNIX_MS + 1000, token, &err), 0);
    protocol_message m = {.type = PROTOCOL_ENROL, .enrol = {.version_min = 1, .version_max = 1, .token = kim_text_of(token)}};
    memcpy(m.enrol.public_key, key, sizeof key);
    assert_int_equal(protocol_encode(&m, &bytes, &err), 0);

    d->answer_count = 0;
    intake_enrol(d->in, &d->peer, d->key, bytes.data, bytes.size, 1000); /* another connection's key */
    assert_nack(d, PROTOCOL_PROTOCOL, "not the key of this connection");
    d->answer_count = 0;
    intake_enrol(d->in, &d->peer, key, bytes.data, bytes.size, 1000);
    assert_true(kim_text_is(only_answer(d, PROTOCOL_ENROLLED)->enrolled.agent, "new"));
    assert_true(d->answers[0].message.enrolled.approved);
    d->answer_count = 0;
    intake_enrol(d->in, &d->peer, key, bytes.data, bytes.size, 1000); /* its first answer was lost */
    only_answer(d, PROTOCOL_ENROLLED);

    bytes.size = 0;
    m.enrol.public_key[0] = key[0] = 43;
    assert_int_equal(protocol_encode(&m, &bytes, &err), 0);
    d->answer_count = 0;
    intake_enrol(d->in, &d->peer, key, bytes.data, bytes.size, 1000);
    assert_nack(d, PROTOCOL_UNKNOWN_AGENT, "token is not good");
    kim_bytes_free(&bytes);
}

static void the_enrolment_port_takes_nothing_else_and_not_too_much(void **state)
{
    desk *d = *state;
    kim_error err = {0};
    kim_bytes bytes = {0};
    protocol_message m = hello_message(NULL, 0);
    assert_int_equal(protocol_encode(&m, &bytes, &err), 0);
    d->answer_count = 0;
    intake_enrol(d->in, &d->peer, d->key, bytes.data, bytes.size, 1000);
    assert_nack(d, PROTOCOL_PROTOCOL, "ENROL only");
    for (int i = 0; i < 50; i++) {
        d->answer_count = 0;
        intake_enrol(d->in, &d->peer, d->key, bytes.data, bytes.size, 1000);
    }
    assert_nack(d, PROTOCOL_OVERLOAD, "too many");
    kim_bytes_free(&bytes);
}

static void scopes_cover_what_is_under_them_by_name(void **state)
{
    desk *d = *state;
    uint8_t key[STORE_KEY_BYTES];
    store_agent_state now;
    static const struct {
        const char *granted, *scope;
        bool covers;
    } cases[] = {
        {"k8s:prod", "k8s:prod", true},       {"k8s:prod", "k8s:prod/ns", true},
        {"k8s:prod", "k8s:production", false}, {"k8s:prod/ns", "k8s:prod", false},
        {"aws:*", "aws:111122223333", true},  {"aws:*", "azure:x", false},
        {"aws:1", "aws:111122223333", false}, {"aws:o-1", "aws:o-1/ou-1", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[16];
        snprintf(name, sizeof name, "agent-%zu", i);
        memset(key, (int)(i + 1), sizeof key);
        enrol(d, name, cases[i].granted, key);
        const agent *a = agents_find(d->all, key, &now);
        assert_non_null(a);
        if (agent_speaks_for(a, kim_text_of(cases[i].scope)) != cases[i].covers)
            fail_msg("%s and %s", cases[i].granted, cases[i].scope);
    }
}

static void names_and_scopes_that_make_no_sense_are_refused(void **state)
{
    desk *d = *state;
    kim_error err = {0};
    char token[INGEST_TOKEN_BYTES];
    static const char *const names[] = {"", "a b", "-x", "../x", "a\nb"};
    const kim_text good[] = {KIM_TEXT("aws:1")}, bad[] = {KIM_TEXT("everything")};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(agents_invite(d->all, kim_text_of(names[i]), (kim_texts){good, 1}, 1, 2, token, &err), -1);
        assert_int_equal(err.code, KIM_ERR_INPUT);
    }
    assert_int_equal(agents_invite(d->all, KIM_TEXT("x"), (kim_texts){bad, 1}, 1, 2, token, &err), -1);
    assert_says(err.message, "'everything' is no scope");
    assert_int_equal(agents_invite(d->all, KIM_TEXT("x"), (kim_texts){NULL, 0}, 1, 2, token, &err), -1);
}

static void imports_are_all_or_nothing(void **state)
{
    desk *d = *state;
    kim_error err = {0};
    uint64_t count = 0;
    const kim_record said[] = {identity_record(ACCOUNT, "ann", "Ann"), usage_record(ACCOUNT, "ann", "a", 1)};
    kim_bytes bytes = entries_of(said, 2);
    assert_int_equal(ingest_import(d->st, bytes.data, bytes.size - 1, &count, &err), -1);
    assert_says(err.message, "record 1, at byte");
    assert_int_equal(usage_rows(d), 0);
    assert_int_equal(ingest_import(d->st, bytes.data, bytes.size, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(records_in(d, ACCOUNT), 0);
    assert_int_equal(ingest_import_publish(d->st, NOW_UNIX_MS, &err), 0);
    assert_int_equal(records_in(d, ACCOUNT), 1);
    assert_int_equal(usage_rows(d), 1);
    kim_bytes_free(&bytes);
}

#define AT_THE_DESK(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AT_THE_DESK(a_key_that_nobody_enrolled_is_told_so),
        AT_THE_DESK(an_agent_is_its_key_whatever_it_calls_itself),
        AT_THE_DESK(revocation_takes_effect_on_the_next_message),
        AT_THE_DESK(an_agent_that_waits_for_approval_is_not_heard),
        AT_THE_DESK(without_a_session_the_answer_is_to_say_hello),
        AT_THE_DESK(clocks_that_differ_by_days_are_told_so),
        AT_THE_DESK(no_common_version_is_told_so),
        AT_THE_DESK(two_machines_with_one_key_are_stopped),
        AT_THE_DESK(a_snapshot_is_published_at_its_commit),
        AT_THE_DESK(a_change_needs_the_generation_that_it_starts_from),
        AT_THE_DESK(gone_records_end),
        AT_THE_DESK(a_wrong_digest_asks_for_all_of_it),
        AT_THE_DESK(a_session_that_broke_off_goes_on_where_it_was),
        AT_THE_DESK(other_scopes_are_refused_record_by_record_and_still_counted),
        AT_THE_DESK(a_parent_that_an_agent_asserts_gives_it_nothing),
        AT_THE_DESK(usage_of_other_scopes_is_left_out),
        AT_THE_DESK(a_message_again_is_acknowledged_and_not_applied_again),
        AT_THE_DESK(a_gap_ends_the_session_and_the_next_welcome_says_where_to_go_on),
        AT_THE_DESK(the_cursor_comes_back_in_welcome),
        AT_THE_DESK(bytes_that_are_no_records_are_poison_with_their_place),
        AT_THE_DESK(a_count_that_is_not_so_is_poison),
        AT_THE_DESK(a_count_that_the_bytes_cannot_hold_is_poison_before_any_memory_is_spent),
        AT_THE_DESK(a_record_of_the_other_kind_of_stream_is_poison),
        AT_THE_DESK(usage_in_the_future_or_of_nothing_is_poison),
        AT_THE_DESK(more_than_was_announced_is_not_inflated),
        AT_THE_DESK(a_poisoned_snapshot_publishes_nothing_and_the_next_one_is_taken),
        AT_THE_DESK(what_is_no_message_is_refused_and_ends_the_session),
        AT_THE_DESK(an_unknown_message_is_answered_and_otherwise_ignored),
        AT_THE_DESK(every_prefix_of_a_message_and_every_flipped_byte_is_survived),
        AT_THE_DESK(ping_is_answered_by_pong),
        AT_THE_DESK(what_fails_at_an_agent_is_listed_until_it_is_well),
        AT_THE_DESK(the_silent_are_pinged_and_then_given_up),
        AT_THE_DESK(a_peer_that_is_gone_has_no_session_any_more),
        AT_THE_DESK(a_store_that_fails_says_retry_and_acknowledges_nothing),
        AT_THE_DESK(enrolment_takes_a_token_once_and_binds_the_key),
        AT_THE_DESK(the_enrolment_port_takes_nothing_else_and_not_too_much),
        AT_THE_DESK(scopes_cover_what_is_under_them_by_name),
        AT_THE_DESK(names_and_scopes_that_make_no_sense_are_refused),
        AT_THE_DESK(imports_are_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
