/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_intake.c - whatever an enrolled agent sends, ingest answers, and the store stays sound.
 *
 * The input is messages, each behind its length in two bytes (little-endian). What decodes gets the
 * number of the living session, which no input could guess; what does not goes in as it is. With
 * KIM_WRITE_SEEDS set to a folder, it writes its seeds there and ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sdk/log.h"
#include "tests/controller/agent_side.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { INPUTS_PER_STORE = 200 };

static struct {
    store *st;
    agents *all;
    int inputs;
    uint64_t session;
} desk;
static const uint8_t key[STORE_KEY_BYTES] = {1, 2, 3};
static const intake_peer peer = {.size = 5, .bytes = {0, 1, 2, 3, 4}};

static int64_t clock_now(void)
{
    return NOW_UNIX_MS;
}

/* Every answer can be read by an agent. */
static int read_answer(void *context, const intake_peer *to, const uint8_t *bytes, size_t size)
{
    kim_error err;
    protocol_message message;
    (void)context, (void)to;
    if (protocol_decode(bytes, size, &message, &err) < 0)
        abort();
    if (message.type == PROTOCOL_WELCOME)
        desk.session = message.welcome.session;
    return 0;
}

static void open_desk(void)
{
    kim_error err;
    char token[INGEST_TOKEN_BYTES];
    const kim_text scopes[] = {KIM_TEXT(ACCOUNT)};
    agents_close(desk.all);
    store_close(desk.st);
    desk.inputs = 0;
    if (!(desk.st = store_open(":memory:", 0, &err)) || !(desk.all = agents_open(desk.st, &err)) ||
        agents_invite(desk.all, KIM_TEXT("web"), (kim_texts){scopes, 1}, 1, NOW_UNIX_MS + 1, token, &err) < 0 ||
        !agents_enrol(desk.all, kim_text_of(token), key, STORE_AGENT_ACTIVE, NOW_UNIX_MS, &err))
        abort();
}

static void say(intake *in, const protocol_message *message)
{
    kim_bytes bytes = {0};
    kim_error err;
    if (protocol_encode(message, &bytes, &err) == 0)
        intake_message(in, &peer, key, bytes.data, bytes.size, 1000);
    kim_bytes_free(&bytes);
}

static void say_hello(intake *in)
{
    static const char *const streams[] = {"aws/state", "aws/usage"};
    protocol_message hello = hello_message(streams, 2);
    say(in, &hello);
    intake_commit(in);
}

static void take(intake *in, const uint8_t *bytes, size_t size)
{
    protocol_message message;
    kim_error err;
    if (protocol_decode(bytes, size, &message, &err) < 0 || message.type == PROTOCOL_HELLO) {
        intake_message(in, &peer, key, bytes, size, 1000);
        return;
    }
    if (message.type == PROTOCOL_ENROL || message.type == PROTOCOL_ENROLLED || message.type == PROTOCOL_RESYNC)
        return; /* they have no session */
    message.ping.session = desk.session; /* the first field of all the others */
    say(in, &message);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_error err;
    if (!desk.st || ++desk.inputs > INPUTS_PER_STORE)
        open_desk();
    const intake_options options = {.st = desk.st, .all = desk.all, .now_unix_ms = clock_now, .send = read_answer};
    intake *in = intake_new(&options, &err);
    say_hello(in);
    while (size >= 2) {
        size_t length = bytes[0] | (size_t)bytes[1] << 8;
        bytes += 2;
        size -= 2;
        length = length < size ? length : size;
        take(in, bytes, length);
        bytes += length;
        size -= length;
    }
    intake_commit(in);
    intake_enrol(in, &peer, key, bytes, size, 1000);
    intake_free(in);
    uint8_t digest[KIM_RECORD_HASH_BYTES];
    uint64_t records, rows;
    if (desk.inputs == INPUTS_PER_STORE && store_digest(desk.st, digest, &records, &rows, &err) < 0)
        abort(); /* what was taken can be read */
    return 0;
}

/* ---- seeds ---- */

static void put(FILE *file, const protocol_message *message)
{
    kim_bytes bytes = {0};
    kim_error err;
    if (protocol_encode(message, &bytes, &err) < 0)
        abort();
    fputc((int)(bytes.size & 255), file);
    fputc((int)(bytes.size >> 8), file);
    fwrite(bytes.data, 1, bytes.size, file);
    kim_bytes_free(&bytes);
}

static void write_seeds(const char *folder)
{
    char path[512];
    const kim_record people[] = {identity_record(ACCOUNT, "ann", "Ann"), identity_record(OTHER_ACCOUNT, "eve", "Eve")};
    const kim_record used = usage_record(ACCOUNT, "ann", "s3:GetObject", 1);
    kim_bytes state = entries_of(people, 2), usage = entries_of(&used, 1), gone = {0};
    uint8_t record_key[KIM_RECORD_KEY_BYTES];
    kim_record_key(&people[0], record_key);
    protocol_put_gone(&gone, KIM_IDENTITY, people[0].scope, record_key);
    const protocol_message snapshot[] = {
        begin_message(1, 1, 1, 0), data_message(1, "aws/state", 2, &state, 2), commit_message(1, 3, 1, people, 2),
        begin_message(1, 4, 2, 1), data_message(1, "aws/state", 5, &gone, 1), commit_message(1, 6, 2, &people[1], 1)};
    const protocol_message rest[] = {
        data_message(1, "aws/usage", 1, &usage, 1), {.type = PROTOCOL_PING, .ping = {.session = 1, .token = 2}},
        {.type = PROTOCOL_STATUS, .status = {.session = 1, .provider = KIM_TEXT("aws"), .code = 4, .text = KIM_TEXT("no")}}};
    snprintf(path, sizeof path, "%s/snapshots", folder);
    FILE *file = fopen(path, "wb");
    for (size_t i = 0; i < sizeof snapshot / sizeof *snapshot; i++)
        put(file, &snapshot[i]);
    fclose(file);
    snprintf(path, sizeof path, "%s/usage", folder);
    file = fopen(path, "wb");
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        put(file, &rest[i]);
    fclose(file);
    kim_bytes_free(&state);
    kim_bytes_free(&usage);
    kim_bytes_free(&gone);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    kim_log_to(STDERR_FILENO, KIM_LOG_ERROR);
    const char *folder = getenv("KIM_WRITE_SEEDS");
    if (folder) {
        write_seeds(folder);
        exit(0);
    }
    return 0;
}
