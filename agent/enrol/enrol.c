/* SPDX-License-Identifier: Apache-2.0
 *
 * enrol.c - one message and its answer.
 */
#include "agent/enrol/enrol.h"

#include "agent/ship/link.h"
#include "sdk/frame.h"
#include "sdk/fs.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int read_token(const char *file, char *token, size_t size, kim_error *err)
{
    kim_bytes text = {0};
    if (kim_file_read(file, 4096, &text, err) < 0)
        return -1;
    size_t length = text.data ? strcspn((char *)text.data, " \t\r\n") : 0;
    int result = 0;
    if (length == 0 || length >= size)
        result = kim_fail(err, KIM_ERR_INPUT, "%s: holds no token; kim agent add prints one", file);
    else
        snprintf(token, size, "%.*s", (int)length, (char *)text.data);
    if (text.data)
        explicit_bzero(text.data, text.size);
    kim_bytes_free(&text);
    return result;
}

static int take_answer(const protocol_message *m, char *name, bool *approved, kim_error *err)
{
    if (m->type == PROTOCOL_NACK)
        return kim_fail(err, KIM_ERR_DENIED, "the controller refused (%s): %.*s", protocol_class_name((int)m->nack.class),
                        KIM_PRINT(m->nack.text));
    snprintf(name, PROTOCOL_NAME_MAX_BYTES + 1, "%.*s", KIM_PRINT(m->enrolled.agent));
    *approved = m->enrolled.approved;
    return 0;
}

static int converse(uplink *l, const protocol_message *question, char *name, bool *approved, kim_error *err)
{
    int64_t until = frame_now_ms() + ENROL_TIMEOUT_MS;
    bool asked = false;
    while (frame_now_ms() < until) {
        int sent = asked ? 1 : link_send(l, question, err);
        if (sent < 0)
            return -1;
        asked = sent > 0;
        protocol_message answer;
        int got = link_receive(l, &answer, err);
        if (got < 0)
            return -1;
        if (got > 0 && (answer.type == PROTOCOL_ENROLLED || answer.type == PROTOCOL_NACK))
            return take_answer(&answer, name, approved, err);
        if (got == 0 && link_poll(l, -1, asked ? 500 : 20, err) < 0)
            return -1;
    }
    return kim_fail(err, KIM_ERR_TIMEOUT, "the controller did not answer within %d s", ENROL_TIMEOUT_MS / 1000);
}

static int keep_name(const char *state_dir, const char *name, kim_error *err)
{
    char path[4096], text[PROTOCOL_NAME_MAX_BYTES + 2];
    snprintf(path, sizeof path, "%s/agent.name", state_dir);
    int size = snprintf(text, sizeof text, "%s\n", name);
    return kim_file_write(path, text, (size_t)size, err);
}

int enrol(const settings *set, const char *token_file, char *name, bool *approved, kim_error *err)
{
    char token[PROTOCOL_TOKEN_MAX_BYTES + 1] = "";
    link_keys keys;
    if (read_token(token_file, token, sizeof token, err) < 0 || kim_folder_make(set->state_dir, err) < 0 ||
        link_keys_load(set->state_dir, true, &keys, err) < 0)
        return -1;
    link_context *context = link_context_new(err);
    uplink *l = context ? link_open(context, set->controller_enrol, set->controller_key, &keys, err) : NULL;
    int result = -1;
    if (l) {
        protocol_message m = {.type = PROTOCOL_ENROL};
        m.enrol = (protocol_enrol){.version_min = PROTOCOL_VERSION_MIN, .version_max = PROTOCOL_VERSION_MAX,
                                   .token = kim_text_of(token), .software = KIM_TEXT("kim-agent " KIM_VERSION),
                                   .now_unix_ms = (int64_t)time(NULL) * 1000};
        memcpy(m.enrol.public_key, keys.public_key, sizeof m.enrol.public_key);
        result = converse(l, &m, name, approved, err);
    }
    link_close(l);
    link_context_free(context);
    explicit_bzero(token, sizeof token);
    explicit_bzero(&keys, sizeof keys);
    return result < 0 ? -1 : keep_name(set->state_dir, name, err);
}

int enrol_name(const char *state_dir, char *name, kim_error *err)
{
    char path[4096];
    kim_bytes text = {0};
    snprintf(path, sizeof path, "%s/agent.name", state_dir);
    if (kim_file_read(path, PROTOCOL_NAME_MAX_BYTES + 1, &text, err) < 0) {
        if (err->code == KIM_ERR_NOT_FOUND)
            return kim_fail(err, KIM_ERR_NOT_FOUND, "%s is not there: this agent is not enrolled; run kim-agent enrol "
                            "--token-file FILE with a token from kim agent add", path);
        return -1;
    }
    snprintf(name, PROTOCOL_NAME_MAX_BYTES + 1, "%.*s", (int)strcspn((char *)text.data, "\r\n"), (char *)text.data);
    kim_bytes_free(&text);
    return 0;
}
