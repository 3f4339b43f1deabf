/* SPDX-License-Identifier: Apache-2.0
 *
 * client.c - libcurl on the controller's Unix socket.
 *
 * An answer's status comes before its body, so a refusal's body never reaches the caller's sink: it is
 * kept here and becomes the kim_error that the controller meant.
 */
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "controller/present/cli/client.h"

enum {
    REFUSAL_MAX_BYTES = 64 * 1024,
    SHORT_MAX_BYTES = 256 * 1024 * 1024, /* of an answer that is parsed whole */
};

struct client {
    CURL *curl;
    char *socket_path;
    char reason[CURL_ERROR_SIZE];
};

typedef struct exchange {
    client *c;
    client_sink *sink;
    void *sink_context;
    kim_error *err;
    bool sink_failed;
    kim_bytes refusal;
} exchange;

const char *client_default_socket(void)
{
    const char *set = getenv("KIM_SOCKET");
    return set != NULL && *set != '\0' ? set : KIM_DEFAULT_SOCKET;
}

client *client_open(const char *socket_path, kim_error *err)
{
    client *c = calloc(1, sizeof *c);
    if (c != NULL) {
        c->curl = curl_easy_init();
        c->socket_path = strdup(socket_path);
    }
    if (c == NULL || c->curl == NULL || c->socket_path == NULL) {
        client_close(c);
        kim_fail(err, KIM_ERR_NOMEM, "no memory to speak to the controller");
        return NULL;
    }
    return c;
}

void client_close(client *c)
{
    if (c == NULL)
        return;
    curl_easy_cleanup(c->curl);
    free(c->socket_path);
    free(c);
}

static size_t take(char *bytes, size_t one, size_t size, void *context)
{
    (void)one;
    exchange *ex = context;
    long status = 0;
    curl_easy_getinfo(ex->c->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status >= 400) {
        if (ex->refusal.size < REFUSAL_MAX_BYTES)
            kim_bytes_append(&ex->refusal, bytes, size);
        return size;
    }
    ex->sink_failed = ex->sink(ex->sink_context, bytes, size, ex->err) < 0;
    return ex->sink_failed ? 0 : size;
}

static kim_code code_named(kim_text name)
{
    for (int code = KIM_ERR_INPUT; code <= KIM_ERR_INTERNAL; code++)
        if (kim_text_is(name, kim_code_name((kim_code)code)))
            return (kim_code)code;
    return KIM_ERR_INTERNAL;
}

static int fail_as_told(const exchange *ex, long status, kim_error *err)
{
    kim_arena *arena = kim_arena_new(16 * REFUSAL_MAX_BYTES);
    const kim_json *body = arena == NULL ? NULL : kim_json_parse((const char *)ex->refusal.data, ex->refusal.size,
                                                                 "answer", arena, NULL);
    const kim_json *error = kim_json_get(body, "error");
    kim_text message = kim_json_text_of(error, "message");
    if (message.size > 0)
        kim_fail(err, code_named(kim_json_text_of(error, "code")), "%.*s", KIM_PRINT(message));
    else
        kim_fail(err, KIM_ERR_INTERNAL, "the controller on %s answered %ld without saying why; see its log",
                 ex->c->socket_path, status);
    kim_arena_free(arena);
    return -1;
}

static int fail_unreached(const client *c, CURLcode code, kim_error *err)
{
    if (code == CURLE_OUT_OF_MEMORY)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to speak to the controller");
    if (code == CURLE_COULDNT_CONNECT)
        return kim_fail(err, KIM_ERR_NETWORK,
                        "no controller answers on %s; start kim-controller, or name its socket with --socket or KIM_SOCKET",
                        c->socket_path);
    return kim_fail(err, KIM_ERR_NETWORK, "the controller on %s broke off: %s; see its log and try again",
                    c->socket_path, c->reason[0] ? c->reason : curl_easy_strerror(code));
}

int client_exchange(client *c, const char *path, const void *body, size_t size, client_sink *sink,
                    void *sink_context, kim_error *err)
{
    exchange ex = {.c = c, .sink = sink, .sink_context = sink_context, .err = err};
    char *url = NULL;
    if (asprintf(&url, "http://kim%s", path) < 0)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a request");
    /* No "Expect: 100-continue", which would cost a round trip a request. */
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    curl_easy_reset(c->curl);
    c->reason[0] = '\0';
    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->reason);
    curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket_path);
    curl_easy_setopt(c->curl, CURLOPT_URL, url);
    curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &ex);
    if (body != NULL) {
        curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    }
    CURLcode code = curl_easy_perform(c->curl);
    long status = 0;
    curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    int result = 0;
    if (ex.sink_failed)
        result = -1;
    else if (code != CURLE_OK)
        result = fail_unreached(c, code, err);
    else if (status >= 400)
        result = fail_as_told(&ex, status, err);
    kim_bytes_free(&ex.refusal);
    curl_slist_free_all(headers);
    free(url);
    return result;
}

static int keep(void *context, const char *bytes, size_t size, kim_error *err)
{
    kim_bytes *kept = context;
    if (kept->size + size > SHORT_MAX_BYTES)
        return kim_fail(err, KIM_ERR_LIMIT, "the answer is larger than %d bytes; ask for less", SHORT_MAX_BYTES);
    kim_bytes_append(kept, bytes, size);
    return kept->failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for the answer; ask for less") : 0;
}

int client_check_whole(const kim_json *answer, kim_error *err)
{
    const kim_json *error = kim_json_get(answer, "error");
    if (error == NULL)
        return 0;
    return kim_fail(err, code_named(kim_json_text_of(error, "code")), "the list broke off: %.*s",
                    KIM_PRINT(kim_json_text_of(error, "message")));
}

const kim_json *client_ask(client *c, const char *path, const void *body, size_t size, kim_arena *arena,
                           kim_error *err)
{
    kim_bytes answer = {0};
    const kim_json *parsed = NULL;
    if (client_exchange(c, path, body, size, keep, &answer, err) == 0)
        parsed = kim_json_parse((const char *)answer.data, answer.size, "the controller's answer", arena, err);
    kim_bytes_free(&answer);
    return client_check_whole(parsed, err) == 0 ? parsed : NULL;
}

/* ---- paths ---- */

void client_path(kim_bytes *path, const char *plain)
{
    kim_bytes_append(path, plain, strlen(plain));
}

void client_path_part(kim_bytes *path, const char *part)
{
    static const char digits[] = "0123456789ABCDEF";
    for (const unsigned char *at = (const unsigned char *)part; *at != '\0'; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
                     (*at != '\0' && strchr("-._~", *at) != NULL);
        const char coded[3] = {'%', digits[*at >> 4], digits[*at & 15]};
        kim_bytes_append(path, plain ? (const char *)at : coded, plain ? 1 : 3);
    }
}

void client_param(kim_bytes *path, const char *name, const char *value)
{
    bool first = path->size > 0 && memchr(path->data, '?', path->size) == NULL;
    kim_bytes_append(path, first ? "?" : "&", 1);
    client_path(path, name);
    kim_bytes_append(path, "=", 1);
    client_path_part(path, value);
}

const char *client_path_text(kim_bytes *path, kim_error *err)
{
    kim_bytes_append(path, "", 1);
    if (!path->failed)
        return (const char *)path->data;
    kim_fail(err, KIM_ERR_NOMEM, "no memory for a request");
    return NULL;
}
