/* SPDX-License-Identifier: Apache-2.0
 *
 * tape.c - redaction by name and by value, then one JSON line.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kim/arena.h>
#include <kim/json.h>

#include "agent/provider_host/tape.h"

#define REDACTED "REDACTED"

typedef struct recorded {
    kim_text method, url, body;
    kim_http_response response;
    bool given;
} recorded;

struct tape {
    int fd;                        /* -1 when replaying */
    char path[256];
    kim_arena *arena;              /* of the recording that is replayed */
    recorded *items;
    size_t count;
    char *hidden[TAPE_MAX_HIDDEN]; /* secrets seen */
    size_t hidden_count;
};

/* Names whose value is secret: in JSON, in XML elements, in forms and queries. Any case. */
static const char *const secret_names[] = {
    "SecretAccessKey", "SessionToken", "WebIdentityToken", "SAMLAssertion", "Token", "SecretString",
    "SecretBinary", "access_token", "accessToken", "refresh_token", "id_token", "client_secret",
    "client_assertion", "assertion", "password", "X-Amz-Security-Token", "X-Amz-Signature", "sig",
};

static const char *const secret_headers[] = {
    "authorization", "proxy-authorization", "x-amz-security-token", "x-aws-ec2-metadata-token", "cookie",
    "set-cookie", "x-api-key", "api-key", "x-vault-token", "private-token",
};

/* A request with this header is answered by a bare token. */
#define TOKEN_REQUEST_HEADER "x-aws-ec2-metadata-token-ttl-seconds"

/* ---- redaction ---- */

typedef struct span {
    size_t from, to;
} span;

static bool same_bytes(const char *a, const char *b, size_t size)
{
    return strncasecmp(a, b, size) == 0;
}

/* The value that a secret's name at `at` introduces, in any of the three notations; false for none. */
static bool value_of_name(const char *text, size_t size, size_t at, size_t name_size, span *value)
{
    size_t next = at + name_size;
    char before = at > 0 ? text[at - 1] : '&';
    if (before == '"' && next < size && text[next] == '"') {
        next++;
        while (next < size && (text[next] == ' ' || text[next] == ':'))
            next++;
        if (next >= size || text[next] != '"')
            return false;
        value->from = ++next;
        while (next < size && text[next] != '"')
            next += text[next] == '\\' ? 2 : 1;
    } else if (before == '<' && next < size && text[next] == '>') {
        value->from = ++next;
        while (next < size && text[next] != '<')
            next++;
    } else if ((before == '&' || before == '?') && next < size && text[next] == '=') {
        value->from = ++next;
        while (next < size && text[next] != '&')
            next++;
    } else {
        return false;
    }
    value->to = next < size ? next : size;
    return true;
}

/* Is a secret at `at`? Its span, by name or by value. */
static bool secret_at(const tape *t, const char *text, size_t size, size_t at, span *value)
{
    for (size_t i = 0; i < t->hidden_count; i++) {
        size_t length = strlen(t->hidden[i]);
        if (size - at >= length && memcmp(text + at, t->hidden[i], length) == 0) {
            *value = (span){at, at + length};
            return true;
        }
    }
    if (at > 0 && strchr("\"<&?", text[at - 1]) == NULL)
        return false;
    for (size_t i = 0; i < sizeof secret_names / sizeof *secret_names; i++) {
        size_t length = strlen(secret_names[i]);
        if (size - at >= length && same_bytes(text + at, secret_names[i], length) &&
            value_of_name(text, size, at, length, value))
            return true;
    }
    return false;
}

/* A copy without secrets, in arena; absent without memory. */
static kim_text redact(const tape *t, kim_arena *arena, kim_text text)
{
    if (kim_text_is_absent(text))
        return text;
    size_t capacity = text.size + 1, size = 0;
    char *out = malloc(capacity);
    for (size_t at = 0; out != NULL && at < text.size;) {
        span value = {at, at};
        bool found = secret_at(t, text.bytes, text.size, at, &value);
        size_t keep = found ? value.from - at : 1, add = found && value.to > value.from ? strlen(REDACTED) : 0;
        if (size + keep + add + 1 > capacity) {
            capacity = (size + keep + add + 1) * 2;
            char *larger = realloc(out, capacity);
            if (larger == NULL)
                free(out);
            out = larger;
        }
        if (out == NULL)
            break;
        memcpy(out + size, text.bytes + at, keep);
        memcpy(out + size + keep, REDACTED, add);
        size += keep + add;
        at = found ? value.to > at ? value.to : at + 1 : at + 1;
    }
    kim_text result = out != NULL ? kim_text_copy(arena, (kim_text){out, size}) : KIM_NO_TEXT;
    free(out);
    return result;
}

void tape_hide(tape *t, const char *secret)
{
    if (t == NULL || secret == NULL || strlen(secret) < TAPE_HIDDEN_MIN_CHARS || t->hidden_count == TAPE_MAX_HIDDEN)
        return;
    for (size_t i = 0; i < t->hidden_count; i++) {
        if (strcmp(t->hidden[i], secret) == 0)
            return;
    }
    t->hidden[t->hidden_count] = strdup(secret);
    t->hidden_count += t->hidden[t->hidden_count] != NULL;
}

static kim_text body_text(const uint8_t *body, size_t size)
{
    return body != NULL ? (kim_text){(const char *)body, size} : KIM_TEXT("");
}

/* ---- writing ---- */

static bool is_utf8(kim_text text)
{
    const unsigned char *at = (const unsigned char *)text.bytes, *end = at + text.size;
    while (at < end) {
        int more = *at < 0x80 ? 0 : *at >= 0xc2 && *at < 0xe0 ? 1 : *at >= 0xe0 && *at < 0xf0 ? 2
                   : *at >= 0xf0 && *at < 0xf5 ? 3 : -1;
        if (more < 0 || end - at <= more)
            return false;
        if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) || (*at == 0xf0 && at[1] < 0x90) ||
            (*at == 0xf4 && at[1] > 0x8f))
            return false;
        for (at++; more > 0; more--, at++) {
            if ((*at & 0xc0) != 0x80)
                return false;
        }
    }
    return true;
}

static void put_body(kim_json_writer *w, kim_arena *arena, const char *name, kim_text body)
{
    if (is_utf8(body)) {
        kim_json_key(w, name);
        kim_json_put_text(w, body);
        return;
    }
    char key[32];
    snprintf(key, sizeof key, "%s_base64", name);
    size_t size = sodium_base64_encoded_len(body.size, sodium_base64_VARIANT_ORIGINAL);
    char *encoded = kim_arena_bytes(arena, size);
    kim_json_key(w, key);
    if (encoded != NULL)
        sodium_bin2base64(encoded, size, (const unsigned char *)body.bytes, body.size,
                          sodium_base64_VARIANT_ORIGINAL);
    kim_json_put_string(w, encoded != NULL ? encoded : "");
}

static void put_headers(kim_json_writer *w, const tape *t, kim_arena *arena, const char *name,
                        const kim_http_header *headers, uint32_t count)
{
    kim_json_key(w, name);
    kim_json_begin_array(w);
    for (uint32_t i = 0; i < count; i++) {
        bool secret = false;
        for (size_t k = 0; k < sizeof secret_headers / sizeof *secret_headers; k++)
            secret |= strcasecmp(headers[i].name, secret_headers[k]) == 0;
        kim_text value = secret ? KIM_TEXT(REDACTED) : redact(t, arena, kim_text_of(headers[i].value));
        kim_json_begin_array(w);
        kim_json_put_string(w, headers[i].name);
        kim_json_put_text(w, is_utf8(value) ? value : KIM_TEXT("?"));
        kim_json_end_array(w);
    }
    kim_json_end_array(w);
}

static bool asks_for_a_token(const kim_http_request *request)
{
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (strcasecmp(request->headers[i].name, TOKEN_REQUEST_HEADER) == 0)
            return true;
    }
    return false;
}

static int append(tape *t, const char *bytes, size_t size, kim_error *err)
{
    while (size > 0) {
        ssize_t wrote = write(t->fd, bytes, size);
        if (wrote < 0)
            return kim_fail(err, KIM_ERR_IO, "%s: an exchange could not be recorded: %m", t->path);
        bytes += wrote;
        size -= (size_t)wrote;
    }
    return 0;
}

int tape_write(tape *t, const kim_http_request *request, const kim_http_response *response, kim_error *err)
{
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    kim_json_writer *w = kim_json_writer_new(false);
    int result = -1;
    if (arena == NULL || w == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to record an exchange");
        goto end;
    }
    kim_json_begin_object(w);
    kim_json_key(w, "method");
    kim_json_put_string(w, request->method);
    kim_json_key(w, "url");
    kim_json_put_text(w, redact(t, arena, kim_text_of(request->url)));
    put_headers(w, t, arena, "request_headers", request->headers, request->header_count);
    put_body(w, arena, "request_body", redact(t, arena, body_text(request->body, request->body_size)));
    kim_json_key(w, "status");
    kim_json_put_int(w, response->status);
    put_headers(w, t, arena, "headers", response->headers, response->header_count);
    put_body(w, arena, "body", asks_for_a_token(request) && response->status == 200
                                   ? KIM_TEXT(REDACTED)
                                   : redact(t, arena, body_text(response->body, response->body_size)));
    kim_json_end_object(w);
    kim_json_end_line(w);
    size_t size;
    const char *line = kim_json_writer_bytes(w, &size, err);
    if (line != NULL && kim_arena_is_full(arena))
        kim_fail(err, KIM_ERR_NOMEM, "no memory to record an exchange");
    else if (line != NULL)
        result = append(t, line, size, err);
end:
    kim_json_writer_free(w);
    kim_arena_free(arena);
    return result;
}

/* ---- reading ---- */

static kim_text read_body(kim_arena *arena, const kim_json *line, const char *name)
{
    char key[32];
    snprintf(key, sizeof key, "%s_base64", name);
    kim_text encoded = kim_json_text_of(line, key);
    if (kim_text_is_absent(encoded)) {
        kim_text body = kim_json_text_of(line, name);
        return kim_text_is_absent(body) ? KIM_TEXT("") : body;
    }
    size_t size = 0;
    char *bytes = kim_arena_bytes(arena, encoded.size + 1);
    if (bytes == NULL || sodium_base642bin((unsigned char *)bytes, encoded.size, encoded.bytes, encoded.size, NULL,
                                           &size, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
        return KIM_NO_TEXT;
    return (kim_text){bytes, size};
}

static int read_line(tape *t, const kim_json *line, recorded *out)
{
    const kim_json *headers = kim_json_get(line, "headers");
    kim_text body = read_body(t->arena, line, "body");
    out->method = kim_json_text_of(line, "method");
    out->url = kim_json_text_of(line, "url");
    out->body = read_body(t->arena, line, "request_body");
    size_t count = kim_json_is(headers, KIM_JSON_ARRAY) ? headers->count : 0;
    kim_http_header *list = KIM_NEW_ARRAY(t->arena, kim_http_header, count + 1);
    if (list == NULL || kim_text_is_absent(out->method) || kim_text_is_absent(out->url) ||
        kim_text_is_absent(out->body) || kim_text_is_absent(body))
        return -1;
    for (size_t i = 0; i < count; i++) {
        kim_texts pair = kim_json_texts(&headers->items[i], t->arena);
        if (pair.count != 2)
            return -1;
        list[i].name = kim_text_copy(t->arena, pair.items[0]).bytes;
        list[i].value = kim_text_copy(t->arena, pair.items[1]).bytes;
    }
    out->response = (kim_http_response){
        .struct_size = sizeof(kim_http_response),
        .status = (int32_t)kim_json_int(kim_json_get(line, "status"), 0),
        .headers = list,
        .header_count = (uint32_t)count,
        .body = (const uint8_t *)body.bytes,
        .body_size = body.size,
        .attempts = 1,
    };
    return 0;
}

static int read_lines(tape *t, const char *bytes, size_t size, kim_error *err)
{
    size_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += bytes[i] == '\n';
    t->items = KIM_NEW_ARRAY(t->arena, recorded, lines + 1);
    for (size_t at = 0; t->items != NULL && at < size;) {
        const char *end = memchr(bytes + at, '\n', size - at);
        size_t length = end != NULL ? (size_t)(end - bytes) - at : size - at;
        char origin[320];
        snprintf(origin, sizeof origin, "%s (exchange %zu)", t->path, t->count + 1);
        const kim_json *line = length > 0 ? kim_json_parse(bytes + at, length, origin, t->arena, err) : NULL;
        if (length > 0 && line == NULL)
            return -1;
        if (length > 0 && read_line(t, line, &t->items[t->count]) < 0)
            return kim_fail(err, KIM_ERR_INPUT, "%s is no exchange: it needs method, url, status and body", origin);
        t->count += length > 0;
        at += length + 1;
    }
    return t->items != NULL ? 0 : kim_fail(err, KIM_ERR_NOMEM, "no memory for the recording %s", t->path);
}

static tape *tape_new(const char *path, kim_error *err)
{
    tape *t = calloc(1, sizeof *t);
    if (t == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for the recording %s", path);
        return NULL;
    }
    t->fd = -1;
    snprintf(t->path, sizeof t->path, "%s", path);
    return t;
}

tape *tape_record(const char *path, kim_error *err)
{
    tape *t = tape_new(path, err);
    if (t == NULL)
        return NULL;
    t->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (t->fd < 0) {
        kim_fail(err, KIM_ERR_IO, "%s: no recording can be written there: %m", path);
        tape_free(t);
        return NULL;
    }
    return t;
}

static char *whole_file(const char *path, size_t *size, kim_error *err)
{
    FILE *file = fopen(path, "rbe");
    struct stat info;
    if (file == NULL || fstat(fileno(file), &info) < 0) {
        kim_fail(err, KIM_ERR_IO, "%s: the recording cannot be read: %m", path);
        if (file != NULL)
            fclose(file);
        return NULL;
    }
    char *bytes = info.st_size <= TAPE_MAX_BYTES ? malloc((size_t)info.st_size + 1) : NULL;
    if (bytes == NULL)
        kim_fail(err, KIM_ERR_LIMIT, "%s: the recording is past %d bytes", path, TAPE_MAX_BYTES);
    else
        *size = fread(bytes, 1, (size_t)info.st_size, file);
    fclose(file);
    return bytes;
}

tape *tape_replay(const char *path, kim_error *err)
{
    size_t size = 0;
    char *bytes = whole_file(path, &size, err);
    tape *t = bytes != NULL ? tape_new(path, err) : NULL;
    if (t != NULL && ((t->arena = kim_arena_new(SIZE_MAX)) == NULL || read_lines(t, bytes, size, err) < 0)) {
        tape_free(t);
        t = NULL;
    }
    free(bytes);
    return t;
}

int tape_answer(tape *t, const kim_http_request *request, kim_http_response *response, kim_error *err)
{
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    if (arena == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to replay an exchange");
    kim_text url = redact(t, arena, kim_text_of(request->url));
    kim_text body = redact(t, arena, body_text(request->body, request->body_size));
    recorded *found = NULL;
    for (size_t i = 0; i < t->count && found == NULL; i++) {
        recorded *r = &t->items[i];
        if (!r->given && kim_text_is(r->method, request->method) && kim_text_equal(r->url, url) &&
            kim_text_equal(r->body, body))
            found = r;
    }
    int result = 0;
    if (found != NULL) {
        found->given = true;
        *response = found->response;
    } else {
        result = kim_fail(err, KIM_ERR_INPUT, "%s has no answer left for %s %.*s: record it again", t->path,
                          request->method, KIM_PRINT(url));
    }
    kim_arena_free(arena);
    return result;
}

void tape_free(tape *t)
{
    if (t == NULL)
        return;
    if (t->fd >= 0)
        close(t->fd);
    for (size_t i = 0; i < t->hidden_count; i++) {
        sodium_memzero(t->hidden[i], strlen(t->hidden[i]));
        free(t->hidden[i]);
    }
    kim_arena_free(t->arena);
    free(t);
}
