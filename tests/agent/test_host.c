/* SPDX-License-Identifier: Apache-2.0
 *
 * test_host.c - a provider's process: its answers in order, and its end in words.
 *
 * Every test starts the real kim-provider-host with the plugin of plugin_test.c.
 */
#include "sdk/host_client.h"

#include <kim/json.h>
#include <kim/limits.h>
#include <kim/record.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the handlers saw. */
typedef struct seen {
    kim_bytes records, output, cursors;
    uint64_t committed;
    uint64_t done[4096];
    kim_code codes[4096];
    int64_t value;
    size_t done_count;
    char log[8192];
    kim_error failed; /* of the first call that failed */
    bool refuse_records, refuse_commits, commit_later;
    int port;
} seen;

static int on_records(void *context, uint64_t call, const uint8_t *records, size_t size, kim_error *err)
{
    (void)call;
    seen *s = context;
    if (s->refuse_records)
        return kim_fail(err, KIM_ERR_LIMIT, "no more room");
    kim_bytes_append(&s->records, records, size);
    return 0;
}

static int on_commit(void *context, uint64_t call, const uint8_t *records, size_t size, const uint8_t *cursor,
                     size_t cursor_size, kim_error *err)
{
    (void)call;
    seen *s = context;
    if (s->refuse_commits)
        return kim_fail(err, KIM_ERR_IO, "the disk is full");
    kim_bytes_append(&s->records, records, size);
    kim_bytes_append(&s->cursors, cursor, cursor_size);
    kim_bytes_append(&s->cursors, ",", 1);
    s->committed++;
    return s->commit_later;
}

static void on_output(void *context, uint64_t call, const uint8_t *bytes, size_t size)
{
    (void)call;
    kim_bytes_append(&((seen *)context)->output, bytes, size);
}

static void on_done(void *context, uint64_t call, const host_result *result)
{
    seen *s = context;
    if (result->error.code && !s->failed.code)
        s->failed = result->error;
    s->codes[s->done_count] = result->error.code;
    s->done[s->done_count++] = call;
    s->value = result->value;
}

static void on_log(void *context, uint32_t level, const char *event, const char *message)
{
    seen *s = context;
    size_t size = strlen(s->log);
    snprintf(s->log + size, sizeof s->log - size, "%u %s: %s\n", level, event, message);
}

static int on_dial(void *context, const char *host, uint16_t port, kim_error *err)
{
    (void)context;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &to.sin_addr);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(s, (struct sockaddr *)&to, sizeof to) == 0)
        return s;
    close(s);
    return kim_fail(err, KIM_ERR_NETWORK, "nobody listens on %s:%u", host, port);
}

static const char *on_secret(void *context, const char *name, kim_error *err)
{
    (void)context;
    if (strcmp(name, "password") == 0)
        return "tell-no-one";
    kim_fail(err, KIM_ERR_NOT_FOUND, "no secret '%s'", name);
    return NULL;
}

static const char *built(const char *name)
{
    static char path[2][4096];
    static int turn;
    char *to = path[turn ^= 1];
    snprintf(to, sizeof path[0], "%s/%s", getenv("KIM_BUILD_DIR"), name);
    return to;
}

static int setup(void **state)
{
    *state = calloc(1, sizeof(seen));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    seen *s = *state;
    kim_bytes_free(&s->records);
    kim_bytes_free(&s->output);
    kim_bytes_free(&s->cursors);
    free(s);
    return 0;
}

static host_options options_for(seen *s, const char *plugin)
{
    return (host_options){
        .program = built("kim-provider-host"), .plugin = plugin, .instance = "line-4",
        .handlers = {s, on_records, on_commit, on_output, on_done, on_log, NULL, on_dial, on_secret},
    };
}

static host_client *start(seen *s)
{
    kim_error err;
    host_options options = options_for(s, built(".libs/plugin_test.so"));
    host_client *client = host_client_start(&options, &err);
    if (!client)
        fail_msg("%s", err.message);
    return client;
}

static uint64_t say(host_client *client, const char *text)
{
    kim_error err = {0};
    uint64_t call = host_client_normalise(client, "words", "a test", (const uint8_t *)text, strlen(text), &err);
    if (!call)
        fail_msg("%s", err.message);
    return call;
}

static void assert_fails(host_client *client, uint64_t call, kim_code code, const char *words)
{
    kim_error err = {0};
    assert_int_equal(host_client_wait(client, call, &err), -1);
    if (err.code != code || !strstr(err.message, words))
        fail_msg("got %s: %s", kim_code_name(err.code), err.message);
}

static void assert_well(host_client *client, uint64_t call)
{
    kim_error err;
    if (host_client_wait(client, call, &err) < 0)
        fail_msg("%s", err.message);
}

/* The ids of the identities that came, each followed by a comma. */
static void assert_identities(const seen *s, const char *expected)
{
    char found[4096] = "";
    kim_arena *arena = kim_arena_new(1 << 20);
    for (size_t at = 0, used; at < s->records.size; at += used) {
        kim_record r;
        kim_error err;
        if (kim_record_decode(s->records.data + at, s->records.size - at, arena, &r, &used, &err) < 0)
            fail_msg("%s", err.message);
        kim_text id = r.type == KIM_USAGE ? r.usage.identity : r.identity.id;
        snprintf(found + strlen(found), sizeof found - strlen(found), "%.*s,", KIM_PRINT(id));
    }
    kim_arena_free(arena);
    assert_string_equal(found, expected);
}

static void a_plugin_says_who_it_is(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    const host_about *about = host_client_about(client);
    assert_string_equal(about->id, "test");
    assert_string_equal(about->version, "1.2.3");
    assert_int_equal(about->abi_major, KIM_ABI_MAJOR);
    assert_true(about->capabilities & KIM_CAN_USAGE);
    assert_string_equal(about->hosts[0], "127.0.0.1:*");
    assert_null(about->hosts[1]);
    host_client_stop(client, 5000);
}

static void calls_are_answered_in_the_order_they_were_made(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    enum { CALLS = 3000 };
    for (int i = 0; i < CALLS; i++) {
        char text[64];
        snprintf(text, sizeof text, i % 7 ? "identity n%d" : "fail %d", i);
        say(client, text);
    }
    kim_error err;
    assert_int_equal(host_client_wait(client, 0, &err), -1);
    assert_int_equal(s->done_count, CALLS);
    for (uint64_t i = 0; i < CALLS; i++) {
        assert_int_equal(s->done[i], i + 1);
        assert_int_equal(s->codes[i], i % 7 ? KIM_OK : KIM_ERR_INPUT);
    }
    assert_int_equal(host_client_open_calls(client), 0);
    host_client_stop(client, 5000);
}

static void an_event_loop_needs_only_the_descriptor_and_the_timeout(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    say(client, "identity a\nidentity b");
    kim_error err;
    while (s->done_count == 0) {
        assert_int_equal(host_client_step(client, 0, &err), 0);
        struct pollfd ready = {host_client_fd(client), POLLIN, 0};
        if (s->done_count == 0)
            assert_int_equal(poll(&ready, 1, 10000), 1);
    }
    assert_identities(s, "a,b,");
    host_client_stop(client, 5000);
}

static void a_document_larger_than_a_frame_comes_from_its_file(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    char path[] = "/tmp/kim-test-XXXXXX";
    FILE *f = fdopen(mkstemp(path), "w");
    for (int i = 0; i < 200000; i++)
        fputs("          \n", f);
    fputs("identity far", f);
    fclose(f);
    kim_error err;
    uint64_t call = host_client_normalise_file(client, NULL, path, &err);
    assert_true(call > 0);
    assert_well(client, call);
    assert_identities(s, "far,");
    unlink(path);
    assert_int_equal(host_client_normalise_file(client, NULL, path, &err), 0);
    assert_int_equal(err.code, KIM_ERR_NOT_FOUND);
    assert_int_equal(host_client_normalise_file(client, NULL, "/tmp", &err), 0);
    assert_int_equal(err.code, KIM_ERR_INPUT);
    char *much = calloc(1, KIM_FRAME_MAX_BYTES);
    assert_int_equal(host_client_normalise(client, "words", "case 9", (uint8_t *)much, KIM_FRAME_MAX_BYTES, &err), 0);
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_non_null(strstr(err.message, "case 9"));
    free(much);
    host_client_stop(client, 5000);
}

static void large_results_come_whole(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    kim_error err;
    host_result result;
    assert_int_equal(host_client_wait_result(client, say(client, "big 100000"), &result, &err), 0);
    assert_int_equal(result.records, 100000);
    assert_true(s->records.size > 100000 * 20);
    host_client_stop(client, 5000);
}

static void recognising_and_rendering_answer_with_a_value_and_a_text(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    kim_error err;
    assert_well(client, host_client_recognise(client, "x", (const uint8_t *)"TEST...", 7, &err));
    assert_int_equal(s->value, 2);
    assert_well(client, host_client_recognise(client, "x.test", (const uint8_t *)"", 0, &err));
    assert_int_equal(s->value, 1);
    assert_well(client, host_client_render(client, "upper", (const uint8_t *)"{\"a\"}", 5, &err));
    assert_int_equal(s->output.size, 5);
    assert_memory_equal(s->output.data, "{\"A\"}", 5);
    assert_fails(client, host_client_render(client, "pdf", (const uint8_t *)"", 0, &err), KIM_ERR_UNSUPPORTED, "upper");
    host_client_stop(client, 5000);
}

static void a_record_that_is_wrong_is_refused_by_its_fields_name(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    assert_fails(client, say(client, "bad"), KIM_ERR_INPUT, "record 0 at byte 0");
    assert_non_null(strstr(s->failed.message, "id"));
    assert_fails(client, say(client, "torn"), KIM_ERR_INPUT, "record 0 at byte 0");
    assert_int_equal(s->records.size, 0);
    assert_well(client, say(client, "identity still-there"));
    host_client_stop(client, 5000);
}

static void what_a_provider_prints_is_logged_and_nothing_else(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    assert_well(client, say(client, "noise\nidentity a"));
    while (!strstr(s->log, "standard error"))
        assert_int_equal(host_client_step(client, 1000, NULL), 0);
    assert_non_null(strstr(s->log, "output: a word on standard output\n"));
    assert_non_null(strstr(s->log, "2 opened: interval is 300000\n"));
    assert_identities(s, "a,");
    host_client_stop(client, 5000);
}

static void a_crash_ends_the_conversation_with_the_signal_the_call_and_the_last_words(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    say(client, "identity before");
    say(client, "crash");
    say(client, "identity after");
    kim_error err;
    assert_int_equal(host_client_wait(client, 0, &err), -1);
    assert_int_equal(s->done_count, 3);
    assert_true(s->codes[0] == KIM_OK || s->codes[0] == KIM_ERR_STOPPED); /* its answer may not have left */
    assert_int_equal(s->codes[1], KIM_ERR_IO);
    assert_int_equal(s->codes[2], KIM_ERR_STOPPED);
    assert_non_null(strstr(err.message, "'line-4'"));
    assert_non_null(strstr(err.message, "in normalise"));
#ifndef __SANITIZE_ADDRESS__
    assert_non_null(strstr(err.message, "signal 11"));
    assert_non_null(strstr(err.message, "last words: about to fall over"));
#endif
    kim_error again;
    assert_int_equal(host_client_step(client, 0, &again), -1);
    assert_int_equal(again.code, KIM_ERR_IO);
    assert_string_equal(again.message, err.message);
    host_client_stop(client, 0);
}

static void an_exit_in_a_call_is_an_end_too(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    assert_fails(client, say(client, "exit"), KIM_ERR_IO, "ended with status 3 in normalise");
    host_client_stop(client, 0);
}

static void a_hang_is_asked_to_stop_and_then_killed(void **state)
{
    seen *s = *state;
    kim_error err;
    host_options options = options_for(s, built(".libs/plugin_test.so"));
    options.call_timeout_ms = 50;
    host_client *client = host_client_start(&options, &err);
    assert_non_null(client);
    assert_fails(client, say(client, "polite"), KIM_ERR_STOPPED, "asked to stop");
    assert_well(client, say(client, "identity alive"));
    assert_fails(client, say(client, "hang"), KIM_ERR_TIMEOUT, "normalise did not end within 50 ms");
    host_client_stop(client, 0);
}

static void an_interrupt_stops_the_running_call_and_no_other(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    uint64_t first = say(client, "polite"), second = say(client, "identity second");
    host_client_interrupt(client);
    assert_fails(client, first, KIM_ERR_STOPPED, "asked to stop");
    assert_well(client, second);
    host_client_stop(client, 5000);
}

static void silence_about_a_failure_is_named_a_defect(void **state)
{
    host_client *client = start(*state);
    assert_fails(client, say(client, "quiet"), KIM_ERR_INTERNAL, "did not say why");
    host_client_stop(client, 5000);
}

static void stopping_a_hung_provider_takes_no_longer_than_its_grace(void **state)
{
    host_client *client = start(*state);
    say(client, "hang");
    kim_error err;
    assert_int_equal(host_client_step(client, 0, &err), 0);
    host_client_stop(client, 20);
}

static void secrets_and_connections_come_from_the_parent(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    assert_well(client, say(client, "secret"));
    assert_identities(s, "tell-no-one,");
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&at, &size);
    char text[64];
    snprintf(text, sizeof text, "dial %d", ntohs(at.sin_port));
    assert_well(client, say(client, text));
    int peer = accept(listener, NULL, NULL);
    char greeting[8] = "";
    assert_int_equal(read(peer, greeting, sizeof greeting), 5);
    assert_string_equal(greeting, "hello");
    close(peer);
    close(listener);
    assert_fails(client, say(client, text), KIM_ERR_NETWORK, "nobody listens");
    host_client_stop(client, 5000);
}

static void write_script(char *path, const char *text)
{
    FILE *f = fdopen(mkstemp(path), "w");
    fputs(text, f);
    fclose(f);
}

static void usage_goes_on_from_its_cursor_commit_by_commit(void **state)
{
    seen *s = *state;
    char path[] = "/tmp/kim-test-XXXXXX";
    write_script(path, "usage a\nusage b\ncommit\nusage c\ncommit\nusage lost\n");
    const char *values[] = {path};
    host_setting setting = {"script", values, 1, false};
    host_options options = options_for(s, built(".libs/plugin_test.so"));
    options.settings = &setting;
    options.setting_count = 1;
    kim_error err;
    host_client *client = host_client_start(&options, &err);
    assert_non_null(client);
    assert_well(client, host_client_usage(client, NULL, 0, &err));
    assert_int_equal(s->committed, 2);
    assert_identities(s, "a,b,c,");
    assert_memory_equal(s->cursors.data, "3,5,", 4);
    s->records.size = 0;
    assert_well(client, host_client_usage(client, (const uint8_t *)"3", 1, &err));
    assert_identities(s, "c,");
    s->refuse_commits = true;
    assert_fails(client, host_client_usage(client, (const uint8_t *)"3", 1, &err), KIM_ERR_IO, "the disk is full");
    s->refuse_commits = false;
    s->commit_later = true;
    uint64_t committed = s->committed, call = host_client_usage(client, (const uint8_t *)"3", 1, &err);
    while (s->committed == committed)
        assert_int_equal(host_client_step(client, -1, &err), 0);
    size_t done = s->done_count;
    host_client_committed(client, NULL);
    assert_well(client, call);
    assert_int_equal(s->done_count, done + 1);
    host_client_stop(client, 5000);
    unlink(path);
}

static void records_refused_by_the_parent_fail_the_call(void **state)
{
    seen *s = *state;
    host_client *client = start(s);
    s->refuse_records = true;
    assert_fails(client, say(client, "big 100000"), KIM_ERR_LIMIT, "no more room");
    s->refuse_records = false;
    assert_well(client, say(client, "identity a"));
    assert_identities(s, "a,");
    host_client_stop(client, 5000);
}

static void refused_to_start(seen *s, const host_options *options, kim_code code, const char *words)
{
    (void)s;
    kim_error err = {0};
    host_client *client = host_client_start(options, &err);
    assert_null(client);
    if (err.code != code || !strstr(err.message, words))
        fail_msg("got %s: %s", kim_code_name(err.code), err.message);
}

static void settings_are_checked_against_the_table_of_options(void **state)
{
    seen *s = *state;
    static const char *const one[] = {"30s"}, *const two[] = {"a", "b"}, *const big[] = {"65536"}, *const word[] = {"x"};
    const struct { host_setting setting; const char *words; } rows[] = {
        {{"regoin", one, 1, false}, "option 'regoin' is not known to provider test 1.2.3; it has: behave, script"},
        {{"interval", word, 1, false}, "'x' is not a duration such as 30s, 5m or 2h"},
        {{"interval", two, 2, false}, "takes one value, not a list"},
        {{"port", big, 1, false}, "65536 is out of bounds; from 1 to 65535"},
        {{"port", word, 1, false}, "'x' is not a whole number"},
        {{"loud", word, 1, false}, "'x' is not true or false"},
        {{"password", word, 1, false}, "option 'password' is a secret"},
        {{"port", NULL, 0, true}, "option 'port' is no secret"},
        {{"http.colour", word, 1, false}, "http option 'colour' is not known"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        host_options options = options_for(s, built(".libs/plugin_test.so"));
        options.settings = &rows[i].setting;
        options.setting_count = 1;
        refused_to_start(s, &options, KIM_ERR_INPUT, rows[i].words);
    }
    host_setting good[] = {{"interval", one, 1, false}, {"regions", two, 2, false}, {"password", NULL, 0, true}};
    host_options options = options_for(s, built(".libs/plugin_test.so"));
    options.settings = good;
    options.setting_count = 3;
    host_client *client = host_client_start(&options, NULL);
    assert_non_null(client);
    assert_non_null(strstr(s->log, "interval is 30000"));
    host_client_stop(client, 5000);
}

static void a_plugin_that_cannot_be_used_is_refused_with_the_reason(void **state)
{
    seen *s = *state;
    host_options options = options_for(s, built(".libs/plugin_test_old.so"));
    refused_to_start(s, &options, KIM_ERR_VERSION, "abi_major is 99, this host has 0");
    options = options_for(s, built(".libs/no_such.so"));
    refused_to_start(s, &options, KIM_ERR_NOT_FOUND, "no_such.so");
    options = options_for(s, "no-such-plugin");
    refused_to_start(s, &options, KIM_ERR_NOT_FOUND, "KIM_PLUGIN_PATH");
    options = options_for(s, built("config.h"));
    refused_to_start(s, &options, KIM_ERR_NOT_FOUND, "cannot be loaded");
    options = options_for(s, built(".libs/libkim.so"));
    refused_to_start(s, &options, KIM_ERR_INPUT, "exports no kim_plugin_entry");
    options = options_for(s, built(".libs/plugin_test.so"));
    options.program = "/no/such/program";
    refused_to_start(s, &options, KIM_ERR_IO, "/no/such/program");
}

static void a_plugin_that_fails_to_open_says_why(void **state)
{
    seen *s = *state;
    const struct { const char *behave; kim_code code; const char *words; } rows[] = {
        {"refuse", KIM_ERR_DENIED, "the door is shut"},
        {"crash", KIM_ERR_IO, "its start"},
        {"hang", KIM_ERR_TIMEOUT, "was not open within 300 ms"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *values[] = {rows[i].behave};
        host_setting setting = {"behave", values, 1, false};
        host_options options = options_for(s, built(".libs/plugin_test.so"));
        options.settings = &setting;
        options.setting_count = 1;
        options.start_timeout_ms = rows[i].code == KIM_ERR_TIMEOUT ? 300 : 60000;
        refused_to_start(s, &options, rows[i].code, rows[i].words);
    }
}

static void describe_prints_the_plugin_as_json(void **state)
{
    (void)state;
    char command[9000];
    snprintf(command, sizeof command, "'%s' --describe '%s'", built("kim-provider-host"), built(".libs/plugin_test.so"));
    FILE *p = popen(command, "r");
    char text[8192];
    size_t size = fread(text, 1, sizeof text, p);
    assert_int_equal(pclose(p), 0);
    kim_arena *arena = kim_arena_new(1 << 20);
    kim_error err;
    const kim_json *json = kim_json_parse(text, size, "--describe", arena, &err);
    if (!json)
        fail_msg("%s", err.message);
    assert_true(kim_text_is(kim_json_text_of(json, "id"), "test"));
    assert_true(kim_text_is(kim_json_text_of(json, "abi"), "0.1"));
    const kim_json *options = kim_json_get(json, "options");
    assert_int_equal(options->count, 7);
    assert_true(kim_text_is(kim_json_text_of(&options->items[2], "default"), "5m"));
    assert_true(kim_json_bool(kim_json_get(&options->items[6], "secret"), false));
    kim_arena_free(arena);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plugin_says_who_it_is),
        TEST(calls_are_answered_in_the_order_they_were_made),
        TEST(an_event_loop_needs_only_the_descriptor_and_the_timeout),
        TEST(a_document_larger_than_a_frame_comes_from_its_file),
        TEST(large_results_come_whole),
        TEST(recognising_and_rendering_answer_with_a_value_and_a_text),
        TEST(a_record_that_is_wrong_is_refused_by_its_fields_name),
        TEST(what_a_provider_prints_is_logged_and_nothing_else),
        TEST(a_crash_ends_the_conversation_with_the_signal_the_call_and_the_last_words),
        TEST(an_exit_in_a_call_is_an_end_too),
        TEST(a_hang_is_asked_to_stop_and_then_killed),
        TEST(an_interrupt_stops_the_running_call_and_no_other),
        TEST(silence_about_a_failure_is_named_a_defect),
        TEST(stopping_a_hung_provider_takes_no_longer_than_its_grace),
        TEST(secrets_and_connections_come_from_the_parent),
        TEST(usage_goes_on_from_its_cursor_commit_by_commit),
        TEST(records_refused_by_the_parent_fail_the_call),
        TEST(settings_are_checked_against_the_table_of_options),
        TEST(a_plugin_that_cannot_be_used_is_refused_with_the_reason),
        TEST(a_plugin_that_fails_to_open_says_why),
        TEST(describe_prints_the_plugin_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
