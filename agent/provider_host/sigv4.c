/* SPDX-License-Identifier: Apache-2.0
 *
 * sigv4.c - the canonical request, its hash, and a chain of HMACs.
 *
 * The canonical request is written to a growing text and hashed as a whole. S3 differs in two
 * things: its path is encoded once and never tidied, and the body's hash travels as a header.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "agent/provider_host/allow.h"
#include "agent/provider_host/sigv4.h"

enum { MAX_PARTS = 128 }; /* headers, or query parameters */

typedef struct growing {
    char *text;
    size_t size, capacity;
    bool failed;
} growing;

static void put_bytes(growing *out, const char *bytes, size_t size)
{
    if (out->failed)
        return;
    if (out->capacity - out->size <= size) {
        size_t capacity = (out->size + size + 256) * 2;
        char *text = realloc(out->text, capacity);
        if (text == NULL) {
            out->failed = true;
            return;
        }
        out->text = text;
        out->capacity = capacity;
    }
    memcpy(out->text + out->size, bytes, size);
    out->size += size;
    out->text[out->size] = '\0';
}

static void put(growing *out, const char *text)
{
    put_bytes(out, text, strlen(text));
}

/* RFC 3986: letters, digits and -._~ stand as they are; '/' too within a path. */
static void put_encoded(growing *out, const char *bytes, size_t size, bool keep_slash)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
            c == '.' || c == '_' || c == '~' || (c == '/' && keep_slash)) {
            put_bytes(out, (const char *)&bytes[i], 1);
        } else {
            char escaped[4];
            snprintf(escaped, sizeof escaped, "%%%02X", c);
            put_bytes(out, escaped, 3);
        }
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes percent-encoding, then encodes anew, so that every spelling gives one text. */
static void put_reencoded(growing *out, const char *at, const char *end, bool keep_slash)
{
    while (at < end) {
        char c = *at;
        if (c == '%' && end - at > 2 && hex_digit(at[1]) >= 0 && hex_digit(at[2]) >= 0) {
            c = (char)(hex_digit(at[1]) * 16 + hex_digit(at[2]));
            at += 2;
        }
        at++;
        put_encoded(out, &c, 1, keep_slash);
    }
}

/* Tidies "/a//./b/../c" to "/a/c", and encodes what it finds once more. */
static void put_tidy_path(growing *out, const char *at, const char *end)
{
    const char *parts[MAX_PARTS];
    size_t sizes[MAX_PARTS], count = 0;
    bool slash_ends = end > at && end[-1] == '/';
    while (at < end) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        size_t size = (size_t)((slash != NULL ? slash : end) - at);
        bool last = slash == NULL;
        if (size == 2 && memcmp(at, "..", 2) == 0) {
            count -= count > 0;
            slash_ends |= last;
        } else if (size == 1 && *at == '.') {
            slash_ends |= last;
        } else if (size > 0) {
            if (count == MAX_PARTS) {
                out->failed = true;
                return;
            }
            parts[count] = at;
            sizes[count++] = size;
        }
        at += size + !last;
    }
    put(out, "/");
    for (size_t i = 0; i < count; i++) {
        put_encoded(out, parts[i], sizes[i], false);
        if (i + 1 < count || slash_ends)
            put(out, "/");
    }
}

static void put_path(growing *out, const char *path, const char *end, bool is_s3)
{
    if (path == end)
        put(out, "/");
    else if (is_s3)
        put_reencoded(out, path, end, true);
    else
        put_tidy_path(out, path, end);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* name=value pairs, encoded and sorted by name and then value. '=' sorts after '-' and '.', which
 * names may hold, so the pairs are compared with a byte below all others between name and value. */
static int put_query(growing *out, const char *at, const char *end, kim_error *err)
{
    char *pairs[MAX_PARTS];
    size_t count = 0;
    bool failed = false;
    while (at < end && !failed) {
        const char *next = memchr(at, '&', (size_t)(end - at));
        const char *stop = next != NULL ? next : end;
        const char *equals = memchr(at, '=', (size_t)(stop - at));
        growing pair = {0};
        if (stop > at && count < MAX_PARTS) {
            put_reencoded(&pair, at, equals != NULL ? equals : stop, false);
            put(&pair, "\1");
            put_reencoded(&pair, equals != NULL ? equals + 1 : stop, stop, false);
            failed = pair.failed;
            pairs[count++] = pair.text;
        } else if (stop > at) {
            failed = true;
        }
        at = stop + (next != NULL);
    }
    if (count > 0)
        qsort(pairs, count, sizeof *pairs, by_text);
    for (size_t i = 0; i < count; i++) {
        char *equals = pairs[i] != NULL ? strchr(pairs[i], '\1') : NULL;
        if (equals != NULL) {
            *equals = '=';
            put(out, i > 0 ? "&" : "");
            put(out, pairs[i]);
        }
        free(pairs[i]);
    }
    return failed ? kim_fail(err, KIM_ERR_LIMIT, "a request to sign has more than %d query parameters",
                             MAX_PARTS) : 0;
}

/* These are changed on the way or set by the transport, so they cannot be signed. */
static bool is_signed(const char *name)
{
    static const char *const left_out[] = {"authorization", "user-agent", "accept-encoding", "connection",
                                           "expect", "transfer-encoding", "x-amzn-trace-id"};
    for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++) {
        if (strcasecmp(name, left_out[i]) == 0)
            return false;
    }
    return true;
}

typedef struct canonical_header {
    char name[128];
    const char *value;
    uint32_t order; /* as given: values of one name keep it */
} canonical_header;

static int by_name(const void *a, const void *b)
{
    const canonical_header *x = a, *y = b;
    int names = strcmp(x->name, y->name);
    return names != 0 ? names : (x->order > y->order) - (x->order < y->order);
}

/* Trimmed, and each run of spaces one space. */
static void put_header_value(growing *out, const char *value)
{
    value += strspn(value, " \t");
    size_t size = strlen(value);
    while (size > 0 && strchr(" \t\r\n", value[size - 1]) != NULL)
        size--;
    for (size_t i = 0; i < size; i++) {
        if (i == 0 || value[i] != ' ' || value[i - 1] != ' ')
            put_bytes(out, value + i, 1);
    }
}

typedef struct header_set {
    canonical_header items[MAX_PARTS];
    size_t count;
    bool too_many;
} header_set;

static void add_header(header_set *set, const char *name, const char *value)
{
    if (set->count == MAX_PARTS || strlen(name) >= sizeof set->items->name) {
        set->too_many = true;
        return;
    }
    canonical_header *h = &set->items[set->count];
    for (size_t i = 0; i <= strlen(name); i++)
        h->name[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    h->value = value;
    h->order = (uint32_t)set->count++;
}

static void put_headers(growing *out, const header_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        bool again = i > 0 && strcmp(set->items[i].name, set->items[i - 1].name) == 0;
        put(out, again ? "," : set->items[i].name);
        put(out, again ? "" : ":");
        put_header_value(out, set->items[i].value);
        if (i + 1 == set->count || strcmp(set->items[i].name, set->items[i + 1].name) != 0)
            put(out, "\n");
    }
}

static void put_header_names(growing *out, const header_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0 && strcmp(set->items[i].name, set->items[i - 1].name) == 0)
            continue;
        put(out, i > 0 ? ";" : "");
        put(out, set->items[i].name);
    }
}

static void hash_hex(const void *bytes, size_t size, char hex[SIGV4_HASH_CHARS])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, bytes, size);
    sodium_bin2hex(hex, SIGV4_HASH_CHARS, hash, sizeof hash);
}

static void hmac(const unsigned char *key, size_t key_size, const char *text,
                 unsigned char out[crypto_auth_hmacsha256_BYTES])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_size);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, strlen(text));
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

/* secret -> day -> region -> service -> "aws4_request" -> the text. */
static int sign_text(const sigv4_request *r, const char *day, const char *text, char hex[SIGV4_HASH_CHARS])
{
    unsigned char key[crypto_auth_hmacsha256_BYTES];
    size_t secret_size = strlen(r->secret_key) + 4;
    char *secret = malloc(secret_size + 1);
    if (secret == NULL)
        return -1;
    snprintf(secret, secret_size + 1, "AWS4%s", r->secret_key);
    hmac((unsigned char *)secret, secret_size, day, key);
    sodium_memzero(secret, secret_size);
    free(secret);
    const char *const steps[] = {r->region, r->service, "aws4_request", text};
    for (size_t i = 0; i < 4; i++)
        hmac(key, sizeof key, steps[i], key);
    sodium_bin2hex(hex, SIGV4_HASH_CHARS, key, sizeof key);
    sodium_memzero(key, sizeof key);
    return 0;
}

/* "host" or "host:port", as it will be sent: from the URL, without its default port. */
static void host_header(const char *url, const allow_place *place, char *out, size_t size)
{
    const char *at = strstr(url, "://") + 3;
    int length = (int)(place->path - at);
    bool plain = place->port == (place->encrypted ? 443 : 80);
    if (plain && strchr(place->host, ':') == NULL)
        length = (int)strcspn(at, ":/?#");
    snprintf(out, size, "%.*s", length, at);
}

static int canonical(const sigv4_request *r, const allow_place *place, const char *body_hash,
                     const header_set *headers, growing *out, kim_error *err)
{
    const char *path_end = place->path + strcspn(place->path, "?#");
    const char *query = *path_end == '?' ? path_end + 1 : path_end;
    put(out, r->method);
    put(out, "\n");
    put_path(out, place->path, path_end, strcmp(r->service, "s3") == 0);
    put(out, "\n");
    if (put_query(out, query, query + strcspn(query, "#"), err) < 0)
        return -1;
    put(out, "\n");
    put_headers(out, headers);
    put(out, "\n");
    put_header_names(out, headers);
    put(out, "\n");
    put(out, body_hash);
    return out->failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory to sign a request") : 0;
}

static int gather_headers(const sigv4_request *r, const char *host, const sigv4_signature *s,
                          header_set *headers, kim_error *err)
{
    bool has_host = false;
    for (uint32_t i = 0; i < r->header_count; i++) {
        if (is_signed(r->headers[i].name))
            add_header(headers, r->headers[i].name, r->headers[i].value);
        has_host |= strcasecmp(r->headers[i].name, "host") == 0;
    }
    if (!has_host)
        add_header(headers, "host", host);
    add_header(headers, "x-amz-date", s->date);
    if (s->body_hash[0] != '\0')
        add_header(headers, "x-amz-content-sha256", s->body_hash);
    if (r->session_token != NULL && r->session_token[0] != '\0')
        add_header(headers, "x-amz-security-token", r->session_token);
    if (headers->too_many)
        return kim_fail(err, KIM_ERR_LIMIT, "a request to sign has more than %d headers", MAX_PARTS);
    qsort(headers->items, headers->count, sizeof *headers->items, by_name);
    return 0;
}

int sigv4_sign(const sigv4_request *r, sigv4_signature *signature, kim_error *err)
{
    sigv4_signature s = {0};
    allow_place place;
    if (allow_place_of(r->url, &place, err) < 0)
        return -1;
    if (r->access_key == NULL || r->access_key[0] == '\0' || r->secret_key == NULL || r->secret_key[0] == '\0')
        return kim_fail(err, KIM_ERR_INPUT,
                        "there is no AWS key to sign with: set the secrets access_key_id and secret_access_key");
    if (r->service == NULL || r->region == NULL)
        return kim_fail(err, KIM_ERR_INPUT, "a request to sign names no service or region");

    time_t at = (time_t)(r->at_unix_ms / 1000);
    struct tm utc;
    gmtime_r(&at, &utc);
    strftime(s.date, sizeof s.date, "%Y%m%dT%H%M%SZ", &utc);
    char day[9];
    memcpy(day, s.date, 8);
    day[8] = '\0';

    char body_hash[SIGV4_HASH_CHARS], host[300], hash[SIGV4_HASH_CHARS];
    hash_hex(r->body != NULL ? (const void *)r->body : "", r->body_size, body_hash);
    if (strcmp(r->service, "s3") == 0)
        memcpy(s.body_hash, body_hash, sizeof s.body_hash);
    host_header(r->url, &place, host, sizeof host);

    header_set *headers = calloc(1, sizeof *headers);
    growing request = {0}, text = {0}, names = {0};
    int result = -1;
    if (headers == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to sign a request");
        goto end;
    }
    if (gather_headers(r, host, &s, headers, err) < 0 ||
        canonical(r, &place, body_hash, headers, &request, err) < 0)
        goto end;
    put_header_names(&names, headers);
    hash_hex(request.text, request.size, hash);
    char scope[256];
    snprintf(scope, sizeof scope, "%s/%s/%s/aws4_request", day, r->region, r->service);
    put(&text, "AWS4-HMAC-SHA256\n");
    put(&text, s.date);
    put(&text, "\n");
    put(&text, scope);
    put(&text, "\n");
    put(&text, hash);
    if (text.failed || names.failed || sign_text(r, day, text.text, hash) < 0) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to sign a request");
        goto end;
    }
    int length = snprintf(s.authorization, sizeof s.authorization,
                          "AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s", r->access_key,
                          scope, names.text, hash);
    if (length < 0 || (size_t)length >= sizeof s.authorization) {
        kim_fail(err, KIM_ERR_LIMIT, "a request to sign has headers with names past all size");
        goto end;
    }
    *signature = s;
    result = 0;
end:
    free(headers);
    free(request.text);
    free(text.text);
    free(names.text);
    return result;
}
