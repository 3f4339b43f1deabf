/* SPDX-License-Identifier: Apache-2.0
 *
 * http.c - one curl handle, and a loop of attempts around it.
 *
 * libcurl never resolves and never connects: every name is mapped to one address that leads nowhere
 * (RFC 5737), and the socket callback hands over what `dial` returned for the real name. Each attempt
 * ends in one of three ways (answered, broken off, fatal), and the loop in http_send is all there is
 * to retry.
 */
#include <curl/curl.h>
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <zlib.h>

#include "agent/provider_host/http.h"
#include "agent/provider_host/pace.h"
#include "agent/provider_host/retry.h"
#include "agent/provider_host/sigv4.h"
#include "agent/provider_host/tape.h"

#define NOWHERE "192.0.2.1"
#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"
#define CLOCK_SKEW_MIN_MS 30000

struct http_service {
    http_options options;
    http_world world;
    CURL *curl; /* NULL while it rests */
    tape *record, *replay;
    pace pace;
    char *ca; /* PEM; NULL: libcurl's own default */
    size_t ca_size;
    allow_place proxy;
    char *proxy_url, *proxy_user;
    int64_t deadline_ms;
    int64_t clock_offset_ms; /* theirs minus ours */
};

/* What one request needs through all its attempts. */
typedef struct call {
    http_service *service;
    const kim_http_request *request;
    const char *url; /* the request's, or where a redirect led */
    allow_place place;
    char *access_key, *secret_key, *session_token;
    bool clock_corrected;
} call;

/* The owner of one response's memory. */
typedef struct exchange {
    const call *call;
    kim_http_header headers[HTTP_MAX_HEADERS];
    uint32_t header_count;
    char header_text[HTTP_MAX_HEADER_BYTES];
    size_t header_size;
    uint8_t *body;
    size_t size, capacity, max_bytes;
    bool too_large, stopped, late;
    kim_error dial_error;
    char curl_error[CURL_ERROR_SIZE];
} exchange;

typedef enum ending { ANSWERED, BROKEN_OFF, FATAL } ending;

/* ---- what libcurl calls ---- */

/* connect() as it is in this program, for all its shared objects: a connected socket is connected, and
 * no other ever will be. libcurl 7.88.0 and 7.88.1 (Debian 12) call it on a socket that they were told
 * is CURL_SOCKOPT_ALREADY_CONNECTED, and take EISCONN for a failure (curl issue 10626). */
int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    (void)address, (void)size;
    struct sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0)
        return 0;
    errno = EPERM;
    return -1;
}

static size_t on_body(char *bytes, size_t one, size_t size, void *context)
{
    (void)one;
    exchange *e = context;
    if (size > e->max_bytes - e->size) {
        e->too_large = true;
        return 0;
    }
    if (e->capacity - e->size <= size) {
        size_t capacity = e->capacity * 2 > e->size + size + 1 ? e->capacity * 2 : e->size + size + 1;
        uint8_t *larger = realloc(e->body, capacity);
        if (larger == NULL)
            return 0;
        e->body = larger;
        e->capacity = capacity;
    }
    memcpy(e->body + e->size, bytes, size);
    e->size += size;
    e->body[e->size] = '\0';
    return size;
}

static char *keep_header_text(exchange *e, const char *bytes, size_t size, bool lower)
{
    char *kept = e->header_text + e->header_size;
    for (size_t i = 0; i < size; i++)
        kept[i] = (char)(lower && bytes[i] >= 'A' && bytes[i] <= 'Z' ? bytes[i] + 32 : bytes[i]);
    kept[size] = '\0';
    e->header_size += size + 1;
    return kept;
}

static size_t on_header(char *line, size_t one, size_t size, void *context)
{
    exchange *e = context;
    (void)one;
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0) { /* another answer begins: after "100 Continue" */
        e->header_count = 0;
        e->header_size = 0;
        return size;
    }
    const char *colon = memchr(line, ':', size), *end = line + size;
    if (colon == NULL)
        return size;
    const char *value = colon + 1;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
        end--;
    if (e->header_count == HTTP_MAX_HEADERS || size + 2 > HTTP_MAX_HEADER_BYTES - e->header_size) {
        e->too_large = true;
        return 0;
    }
    kim_http_header *h = &e->headers[e->header_count++];
    h->name = keep_header_text(e, line, (size_t)(colon - line), true);
    h->value = keep_header_text(e, value, (size_t)(end - value), false);
    return size;
}

static bool asked_to_stop(const http_service *s)
{
    return s->world.should_stop != NULL && s->world.should_stop(s->world.context);
}

static bool past_deadline(const http_service *s)
{
    return s->deadline_ms > 0 && s->world.monotonic_ms(s->world.context) >= s->deadline_ms;
}

static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    exchange *e = context;
    e->stopped = asked_to_stop(e->call->service);
    e->late = past_deadline(e->call->service);
    return e->stopped || e->late;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)purpose, (void)address;
    exchange *e = context;
    const http_service *s = e->call->service;
    const allow_place *to = s->proxy_url != NULL ? &s->proxy : &e->call->place;
    int fd = s->world.dial(s->world.context, to->host, to->port, &e->dial_error);
    return fd >= 0 ? fd : CURL_SOCKET_BAD;
}

static int on_socket_options(void *context, curl_socket_t fd, curlsocktype purpose)
{
    (void)context, (void)fd, (void)purpose;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* ---- one attempt ---- */

static void add_line(struct curl_slist **list, bool *failed, const char *name, const char *separator, const char *value)
{
    size_t size = strlen(name) + strlen(separator) + strlen(value) + 1;
    char *line = malloc(size);
    struct curl_slist *longer = NULL;
    if (line != NULL) {
        snprintf(line, size, "%s%s%s", name, separator, value);
        longer = curl_slist_append(*list, line);
        sodium_memzero(line, size);
        free(line);
    }
    *failed |= longer == NULL;
    *list = longer != NULL ? longer : *list;
}

static bool has_header(const kim_http_request *r, const char *name)
{
    for (uint32_t i = 0; i < r->header_count; i++) {
        if (strcasecmp(r->headers[i].name, name) == 0)
            return true;
    }
    return false;
}

/* The request's own headers, those that sign it, and "Name:" for what libcurl is not to add. */
static int header_lines(const call *c, struct curl_slist **list, kim_error *err)
{
    const kim_http_request *r = c->request;
    const http_service *s = c->service;
    bool failed = false;
    for (uint32_t i = 0; i < r->header_count; i++) {
        bool empty = r->headers[i].value[0] == '\0';
        add_line(list, &failed, r->headers[i].name, empty ? ";" : ": ", r->headers[i].value);
    }
    if (!has_header(r, "content-type"))
        add_line(list, &failed, "Content-Type", ":", "");
    if (!has_header(r, "accept-encoding"))
        add_line(list, &failed, "Accept-Encoding", ": ", "gzip");
    add_line(list, &failed, "Expect", ":", "");
    if (r->sign == KIM_HTTP_BEARER && r->bearer != NULL)
        add_line(list, &failed, "Authorization", ": Bearer ", r->bearer);
    if (r->sign == KIM_HTTP_AWS_SIGV4) {
        sigv4_request to_sign = {
            .method = r->method, .url = c->url, .headers = r->headers, .header_count = r->header_count,
            .body = r->body, .body_size = r->body_size, .service = r->sigv4_service,
            .region = r->sigv4_region, .access_key = c->access_key, .secret_key = c->secret_key,
            .session_token = c->session_token,
            .at_unix_ms = s->world.now_unix_ms(s->world.context) + s->clock_offset_ms,
        };
        sigv4_signature signature;
        if (sigv4_sign(&to_sign, &signature, err) < 0)
            return -1;
        add_line(list, &failed, "X-Amz-Date", ": ", signature.date);
        add_line(list, &failed, "Authorization", ": ", signature.authorization);
        if (signature.body_hash[0] != '\0')
            add_line(list, &failed, "X-Amz-Content-Sha256", ": ", signature.body_hash);
        if (c->session_token != NULL && c->session_token[0] != '\0')
            add_line(list, &failed, "X-Amz-Security-Token", ": ", c->session_token);
    }
    return failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a request's headers") : 0;
}

static void set_method(CURL *curl, const kim_http_request *r)
{
    if (strcmp(r->method, "HEAD") == 0) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (r->body != NULL || strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(r->body != NULL ? r->body_size : 0));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body != NULL ? (const char *)r->body : "");
    }
    if (strcmp(r->method, "HEAD") != 0)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, r->method);
}

static void set_connection(http_service *s, exchange *e)
{
    CURL *curl = s->curl;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (s->ca != NULL) {
        struct curl_blob blob = {.data = s->ca, .len = s->ca_size, .flags = CURL_BLOB_NOCOPY};
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    }
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, e);
    curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, on_socket_options);
    curl_easy_setopt(curl, CURLOPT_PROXY, s->proxy_url != NULL ? s->proxy_url : "");
    if (s->proxy_url != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPPROXYTUNNEL, 1L);
        curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
        curl_easy_setopt(curl, CURLOPT_PROXYUSERPWD, s->proxy_user);
    }
}

static void set_answer(const call *c, exchange *e)
{
    CURL *curl = c->service->curl;
    const http_service *s = c->service;
    int64_t timeout_ms = c->request->timeout_ms > 0 ? c->request->timeout_ms : s->options.timeout_ms;
    if (s->deadline_ms > 0 && s->deadline_ms - s->world.monotonic_ms(s->world.context) < timeout_ms)
        timeout_ms = s->deadline_ms - s->world.monotonic_ms(s->world.context);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(timeout_ms > 0 ? timeout_ms : 1));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, e->curl_error);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, e);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, e);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, e);
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)e->max_bytes);
}

static const char *header_of(const exchange *e, const char *name)
{
    for (uint32_t i = 0; i < e->header_count; i++) {
        if (strcmp(e->headers[i].name, name) == 0)
            return e->headers[i].value;
    }
    return NULL;
}

/* The headers that no longer hold for an inflated body. */
static void drop_encoding(exchange *e)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < e->header_count; i++) {
        if (strcmp(e->headers[i].name, "content-encoding") != 0 && strcmp(e->headers[i].name, "content-length") != 0)
            e->headers[kept++] = e->headers[i];
    }
    e->header_count = kept;
}

/* Inflates all members of a gzip body into `out`, which has the limits of any body. Not left to
 * libcurl, which takes a stream that ends too early for a whole one. */
static ending inflate_into(exchange *out, uint8_t *packed, size_t packed_size, kim_error *err)
{
    z_stream z = {.next_in = packed, .avail_in = (uInt)packed_size};
    char block[16384];
    if (packed_size > UINT32_MAX || inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to inflate an answer");
        return FATAL;
    }
    int step = Z_OK;
    bool room = true;
    while (room && (step == Z_OK || (step == Z_STREAM_END && z.avail_in > 0))) {
        if (step == Z_STREAM_END)
            inflateReset(&z);
        z.next_out = (Bytef *)block;
        z.avail_out = sizeof block;
        step = inflate(&z, Z_NO_FLUSH);
        size_t size = sizeof block - z.avail_out;
        room = size == 0 || on_body(block, 1, size, out) == size;
    }
    inflateEnd(&z);
    if (!room) {
        kim_fail(err, out->too_large ? KIM_ERR_LIMIT : KIM_ERR_NOMEM, "%s %s: the answer is past %zu bytes (inflated)",
                 out->call->request->method, out->call->place.host, out->max_bytes);
        return FATAL;
    }
    kim_fail(err, KIM_ERR_NETWORK, "the answer's gzip is damaged or ends too early");
    return step == Z_STREAM_END ? ANSWERED : BROKEN_OFF;
}

/* An answer that came as gzip because we asked for it. */
static ending unpack(exchange *e, kim_error *err)
{
    const char *encoding = header_of(e, "content-encoding");
    if (encoding == NULL || (strcasecmp(encoding, "gzip") != 0 && strcasecmp(encoding, "x-gzip") != 0) || e->size == 0 ||
        has_header(e->call->request, "accept-encoding"))
        return ANSWERED;
    uint8_t *packed = e->body;
    size_t packed_size = e->size;
    e->body = NULL;
    e->size = e->capacity = 0;
    ending result = inflate_into(e, packed, packed_size, err);
    free(packed);
    drop_encoding(e);
    return result;
}

static bool is_trust(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS;
}

/* Sorts out what libcurl said; err is the reason for other than ANSWERED. */
static ending ending_of(CURLcode code, const call *c, const exchange *e, kim_error *err)
{
    const char *host = c->place.host, *method = c->request->method;
    const char *said = e->curl_error[0] != '\0' ? e->curl_error : curl_easy_strerror(code);
    if (code == CURLE_OK)
        return ANSWERED;
    if (e->stopped) {
        kim_fail(err, KIM_ERR_STOPPED, "%s %s: asked to stop", method, host);
        return FATAL;
    }
    if (e->late || (code == CURLE_OPERATION_TIMEDOUT && past_deadline(c->service))) {
        kim_fail(err, KIM_ERR_TIMEOUT, "%s %s: the deadline passed while waiting for the answer", method, host);
        return FATAL;
    }
    if (e->too_large || code == CURLE_FILESIZE_EXCEEDED) {
        kim_fail(err, KIM_ERR_LIMIT, "%s %s: the answer is past %zu bytes (inflated), or its headers past %d", method,
                 host, e->max_bytes, HTTP_MAX_HEADER_BYTES);
        return FATAL;
    }
    if (code == CURLE_OUT_OF_MEMORY || code == CURLE_WRITE_ERROR) {
        kim_fail(err, KIM_ERR_NOMEM, "%s %s: no memory for the answer", method, host);
        return FATAL;
    }
    if (e->dial_error.code != KIM_OK) {
        *err = e->dial_error;
        bool passing = err->code == KIM_ERR_NETWORK || err->code == KIM_ERR_IO || err->code == KIM_ERR_TIMEOUT;
        return passing ? BROKEN_OFF : FATAL;
    }
    if (is_trust(code)) {
        kim_fail(err, KIM_ERR_NETWORK, "%s %s: its certificate is not trusted: %s; if it is right, name its "
                 "authority in ca_file", method, host, said);
        return FATAL;
    }
    kim_fail(err, KIM_ERR_NETWORK, "%s", said);
    return BROKEN_OFF;
}

static ending attempt(const call *c, exchange *e, int32_t *status, kim_error *err)
{
    http_service *s = c->service;
    struct curl_slist *lines = NULL, *names = NULL;
    const allow_place *to = s->proxy_url != NULL ? &s->proxy : &c->place;
    char mapping[320];
    snprintf(mapping, sizeof mapping, "%s:%u:" NOWHERE, to->host, to->port);
    ending result = FATAL;
    if (header_lines(c, &lines, err) < 0)
        goto end;
    names = curl_slist_append(NULL, mapping);
    if (names == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a request");
        goto end;
    }
    if (s->curl == NULL && (s->curl = curl_easy_init()) == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a request");
        goto end;
    }
    curl_easy_reset(s->curl);
    set_connection(s, e);
    set_method(s->curl, c->request);
    set_answer(c, e);
    curl_easy_setopt(s->curl, CURLOPT_URL, c->url);
    curl_easy_setopt(s->curl, CURLOPT_HTTPHEADER, lines);
    if (strchr(to->host, ':') == NULL)
        curl_easy_setopt(s->curl, CURLOPT_RESOLVE, names);
    CURLcode code = curl_easy_perform(s->curl);
    long answered = 0;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &answered);
    *status = (int32_t)answered;
    result = ending_of(code, c, e, err);
    if (result == ANSWERED)
        result = unpack(e, err);
end:
    if (s->curl != NULL)
        curl_easy_reset(s->curl); /* forgets the pointers to what ends here; connections stay */
    curl_slist_free_all(lines);
    curl_slist_free_all(names);
    return result;
}

/* ---- the loop ---- */

static void exchange_free(exchange *e)
{
    if (e == NULL)
        return;
    free(e->body);
    free(e);
}

/* Waits in slices. Errors: KIM_ERR_STOPPED, KIM_ERR_TIMEOUT */
static int rest(const http_service *s, int64_t wait_ms, kim_error *err)
{
    int64_t until = s->world.monotonic_ms(s->world.context) + wait_ms;
    for (;;) {
        int64_t left = until - s->world.monotonic_ms(s->world.context);
        if (asked_to_stop(s))
            return kim_fail(err, KIM_ERR_STOPPED, "asked to stop while waiting for another attempt");
        if (past_deadline(s))
            return kim_fail(err, KIM_ERR_TIMEOUT, "the deadline passed while waiting to send a request");
        if (left <= 0)
            return 0;
        s->world.wait(s->world.context, left < HTTP_WAIT_SLICE_MS ? left : HTTP_WAIT_SLICE_MS);
    }
}

static void say(const http_service *s, uint32_t level, const char *event, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void say(const http_service *s, uint32_t level, const char *event, const char *format, ...)
{
    if (s->world.log == NULL)
        return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s->world.log(s->world.context, level, event, text);
}

/* How long to wait before another attempt; -1: none is worth it, or the deadline leaves no time. */
static int64_t wait_after(const call *c, const exchange *e, uint32_t attempts)
{
    const http_service *s = c->service;
    uint32_t most = c->request->attempts_max > 0 ? c->request->attempts_max : s->options.attempts_max;
    if (attempts >= most)
        return -1;
    int64_t now = s->world.now_unix_ms(s->world.context);
    int64_t wait = s->world.random(s->world.context,
                                   (uint32_t)retry_ceiling_ms(attempts, HTTP_WAIT_BASE_MS, HTTP_WAIT_MAX_MS) + 1);
    int64_t asked = e != NULL ? retry_after_ms(header_of(e, "retry-after"), now + s->clock_offset_ms) : -1;
    if (asked > HTTP_RETRY_AFTER_MAX_MS)
        asked = HTTP_RETRY_AFTER_MAX_MS;
    if (asked > wait)
        wait = asked;
    if (s->deadline_ms > 0 && s->world.monotonic_ms(s->world.context) + wait >= s->deadline_ms)
        return -1;
    return wait;
}

/* A signature refused for its time: takes over the server's clock, once a call. */
static bool correct_clock(call *c, const exchange *e)
{
    http_service *s = c->service;
    int64_t theirs = retry_date_unix_ms(header_of(e, "date"));
    if (theirs < 0 || c->clock_corrected)
        return false;
    int64_t offset = theirs - s->world.now_unix_ms(s->world.context);
    if (llabs(offset - s->clock_offset_ms) < CLOCK_SKEW_MIN_MS)
        return false;
    s->clock_offset_ms = offset;
    c->clock_corrected = true;
    say(s, KIM_LOG_WARNING, "clock_skew", "%s refused a signature: our clock is off by %lld s; requests are signed "
        "by its clock from now on; set this machine's clock", c->place.host, (long long)(-offset / 1000));
    return true;
}

/* Where a redirect leads, if it is the same host: takes it over. 1 yes, 0 no, -1 with err */
static int redirected(call *c, const exchange *e, int32_t status, char **url, kim_error *err)
{
    const char *location = header_of(e, "location");
    bool repeats = status == 307 || status == 308 || strcmp(c->request->method, "GET") == 0;
    if (location == NULL || !repeats || (status != 301 && status != 302 && status != 307 && status != 308))
        return 0;
    CURLU *parts = curl_url();
    char *target = NULL;
    allow_place place;
    bool same = parts != NULL && curl_url_set(parts, CURLUPART_URL, c->url, 0) == CURLUE_OK &&
                curl_url_set(parts, CURLUPART_URL, location, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_URL, &target, 0) == CURLUE_OK &&
                allow_place_of(target, &place, NULL) == 0 && place.encrypted == c->place.encrypted &&
                place.port == c->place.port && strcmp(place.host, c->place.host) == 0;
    curl_url_cleanup(parts);
    if (same) {
        free(*url);
        *url = strdup(target);
    }
    curl_free(target);
    if (!same)
        return 0;
    if (*url == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a redirect");
    c->url = *url;
    return allow_place_of(*url, &c->place, err) < 0 ? -1 : 1;
}

static void hand_over(exchange *e, int32_t status, uint32_t attempts, kim_http_response *response)
{
    *response = (kim_http_response){
        .struct_size = sizeof *response, .status = status, .headers = e->headers,
        .header_count = e->header_count, .body = e->body != NULL ? e->body : (const uint8_t *)"",
        .body_size = e->size, .attempts = attempts, .owner = e,
    };
}

static exchange *exchange_new(const call *c, kim_error *err)
{
    exchange *e = calloc(1, sizeof *e);
    if (e == NULL) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a request");
        return NULL;
    }
    e->call = c;
    e->max_bytes = c->request->max_bytes > 0 ? c->request->max_bytes : c->service->options.max_bytes;
    return e;
}

/* What an answer asks for: another attempt after *wait ms, or (false) to be handed over. */
static bool try_again(call *c, const exchange *e, int32_t status, uint32_t attempts, const char *group, int64_t *wait)
{
    char code[RETRY_CODE_CHARS] = "";
    if (c->request->sign == KIM_HTTP_AWS_SIGV4)
        retry_aws_code(header_of(e, "x-amzn-errortype"), e->body, e->size, code);
    retry_reason reason = retry_judge(status, code);
    if (reason == RETRY_CLOCK) {
        *wait = 0;
        return correct_clock(c, e);
    }
    if (reason == RETRY_THROTTLE)
        pace_throttled(&c->service->pace, group);
    if (reason == RETRY_NONE || (*wait = wait_after(c, e, attempts)) < 0)
        return false;
    say(c->service, KIM_LOG_INFO, "http_retry", "%s answered %d %s; attempt %u in %lld ms", c->place.host,
        status, code, attempts + 1, (long long)*wait);
    return true;
}

static int attempts_of(call *c, kim_http_response *response, char **redirect, kim_error *err)
{
    http_service *s = c->service;
    const char *group = c->request->rate_group != NULL ? c->request->rate_group : c->place.host;
    uint32_t own = c->request->rate_per_s > 0 ? c->request->rate_per_s : HTTP_DEFAULT_RATE_PER_S;
    uint32_t rate = s->options.rate_per_s > 0 ? s->options.rate_per_s : own;
    uint32_t redirects = 0;
    int64_t wait = 0;
    for (uint32_t attempts = 1;; attempts++) {
        int64_t paced = pace_take(&s->pace, group, rate, s->world.monotonic_ms(s->world.context));
        if (rest(s, wait > paced ? wait : paced, err) < 0)
            return kim_fail_in(err, "%s %s", c->request->method, c->place.host);
        exchange *e = exchange_new(c, err);
        if (e == NULL)
            return -1;
        int32_t status = 0;
        kim_error reason = {0};
        ending end = attempt(c, e, &status, &reason);
        if (end == ANSWERED && !try_again(c, e, status, attempts, group, &wait)) {
            int moved = redirects < HTTP_MAX_REDIRECTS ? redirected(c, e, status, redirect, err) : 0;
            if (moved <= 0) {
                hand_over(e, status, attempts, response);
                if (moved < 0)
                    http_response_end(response);
                return moved;
            }
            redirects++;
            wait = 0;
        } else if (end == BROKEN_OFF && (wait = wait_after(c, NULL, attempts)) < 0) {
            exchange_free(e);
            return kim_fail(err, past_deadline(s) ? KIM_ERR_TIMEOUT : KIM_ERR_NETWORK,
                            "%s %s: no whole answer after %u attempts: %.300s; check the network, the proxy and "
                            "the firewall", c->request->method, c->place.host, attempts, reason.message);
        } else if (end == BROKEN_OFF) {
            say(s, KIM_LOG_INFO, "http_retry", "%s: %.300s; attempt %u in %lld ms", c->place.host, reason.message,
                attempts + 1, (long long)wait);
        } else if (end == FATAL) {
            exchange_free(e);
            if (err != NULL)
                *err = reason;
            return -1;
        }
        exchange_free(e);
    }
}

/* ---- the request's own checks, and its keys ---- */

static bool clean(const char *text)
{
    return text != NULL && strpbrk(text, "\r\n") == NULL;
}

static int check(const http_service *s, call *c, kim_error *err)
{
    const kim_http_request *r = c->request;
    if (r->struct_size < sizeof *r || r->method == NULL || r->url == NULL)
        return kim_fail(err, KIM_ERR_INPUT, "a provider's HTTP request is of another version, or lacks method or url");
    if (allow_place_of(r->url, &c->place, err) < 0)
        return -1;
    for (uint32_t i = 0; i < r->header_count; i++) {
        if (!clean(r->headers[i].name) || !clean(r->headers[i].value))
            return kim_fail(err, KIM_ERR_INPUT, "%s %s: a header holds a line break", r->method, c->place.host);
    }
    if (!clean(r->url) || !clean(r->method) || (r->bearer != NULL && !clean(r->bearer)))
        return kim_fail(err, KIM_ERR_INPUT, "a request to %s holds a line break", c->place.host);
    if (!allow_permits(&s->options.allow, c->place.host, c->place.port, !c->place.encrypted))
        return kim_fail(err, KIM_ERR_INPUT,
                        "%s://%s:%u is not allowed: the provider does not name it, the operator's list of hosts leaves "
                        "it out, or it is not https; an endpoint option may name it",
                        c->place.encrypted ? "https" : "http", c->place.host, c->place.port);
    return 0;
}

static char *secret_copy(const http_service *s, const char *given, const char *name)
{
    if (given == NULL && s->world.secret != NULL)
        given = s->world.secret(s->world.context, name, NULL);
    return given != NULL ? strdup(given) : NULL;
}

static void keys_open(call *c)
{
    const kim_http_request *r = c->request;
    const http_service *s = c->service;
    if (r->sign != KIM_HTTP_AWS_SIGV4)
        return;
    bool own = r->access_key != NULL; /* then all three are the provider's */
    c->access_key = secret_copy(s, r->access_key, "access_key_id");
    c->secret_key = secret_copy(s, own && r->secret_key == NULL ? "" : r->secret_key, "secret_access_key");
    c->session_token = secret_copy(s, own && r->session_token == NULL ? "" : r->session_token, "session_token");
}

static void wipe(char *text)
{
    if (text != NULL)
        sodium_memzero(text, strlen(text));
    free(text);
}

static int record(http_service *s, const call *c, const kim_http_response *response, kim_error *err)
{
    tape_hide(s->record, c->secret_key);
    tape_hide(s->record, c->session_token);
    tape_hide(s->record, c->request->bearer);
    return tape_write(s->record, c->request, response, err);
}

int http_send(http_service *s, const kim_http_request *request, kim_http_response *response, kim_error *err)
{
    call c = {.service = s, .request = request, .url = request->url};
    memset(response, 0, sizeof *response);
    if (check(s, &c, err) < 0)
        return -1;
    if (s->replay != NULL)
        return tape_answer(s->replay, request, response, err);
    char *redirect = NULL;
    keys_open(&c);
    int result = attempts_of(&c, response, &redirect, err);
    if (result == 0 && s->record != NULL && record(s, &c, response, err) < 0) {
        http_response_end(response);
        result = -1;
    }
    wipe(c.access_key);
    wipe(c.secret_key);
    wipe(c.session_token);
    free(redirect);
    return result;
}

void http_response_end(kim_http_response *response)
{
    exchange_free(response->owner);
    memset(response, 0, sizeof *response);
}

/* ---- the service ---- */

static int read_ca(http_service *s, kim_error *err)
{
    const char *path = s->options.ca_file != NULL ? s->options.ca_file : SYSTEM_CA_FILE;
    FILE *file = fopen(path, "rbe");
    if (file == NULL && s->options.ca_file == NULL)
        return 0;
    if (file == NULL)
        return kim_fail(err, KIM_ERR_IO, "%s: the CA file cannot be read: %m", path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    s->ca = size > 0 && size < 16 * 1024 * 1024 ? malloc((size_t)size) : NULL;
    if (s->ca != NULL)
        s->ca_size = fread(s->ca, 1, (size_t)size, file);
    fclose(file);
    return s->ca_size > 0 ? 0 : kim_fail(err, KIM_ERR_IO, "%s: the CA file is empty or past 16 MiB", path);
}

/* "http://user:password@host:port" taken apart. */
static int read_proxy(http_service *s, kim_error *err)
{
    const char *url = s->options.proxy;
    if (url == NULL || url[0] == '\0')
        return 0;
    const char *start = strstr(url, "://"), *at = strrchr(url, '@');
    if (start == NULL || strncasecmp(url, "http://", 7) != 0)
        return kim_fail(err, KIM_ERR_INPUT, "proxy: write it as http://host:port");
    start += 3;
    size_t prefix = (size_t)(start - url);
    const char *host = at != NULL && at > start ? at + 1 : start;
    s->proxy_url = calloc(1, strlen(url) + 1);
    s->proxy_user = at != NULL && at > start ? strndup(start, (size_t)(at - start)) : NULL;
    if (s->proxy_url == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the proxy");
    memcpy(s->proxy_url, url, prefix);
    strcpy(s->proxy_url + prefix, host);
    if (allow_place_of(s->proxy_url, &s->proxy, err) < 0)
        return kim_fail(err, KIM_ERR_INPUT, "proxy: write it as http://host:port");
    return 0;
}

static void take_defaults(http_options *o)
{
    if (o->attempts_max == 0)
        o->attempts_max = HTTP_DEFAULT_ATTEMPTS;
    if (o->timeout_ms == 0)
        o->timeout_ms = HTTP_DEFAULT_TIMEOUT_MS;
    if (o->max_bytes == 0)
        o->max_bytes = HTTP_DEFAULT_MAX_BYTES;
}

http_service *http_service_new(const http_options *options, const http_world *world, kim_error *err)
{
    http_service *s = calloc(1, sizeof *s);
    if (s == NULL || sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for the HTTP service");
        free(s);
        return NULL;
    }
    s->options = *options;
    s->world = *world;
    take_defaults(&s->options);
    s->curl = curl_easy_init();
    bool whole = s->curl != NULL && read_ca(s, err) == 0 && read_proxy(s, err) == 0;
    if (s->curl == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for the HTTP service");
    if (whole && options->record_path != NULL)
        whole = (s->record = tape_record(options->record_path, err)) != NULL;
    if (whole && options->replay_path != NULL)
        whole = (s->replay = tape_replay(options->replay_path, err)) != NULL;
    if (!whole) {
        http_service_free(s);
        return NULL;
    }
    return s;
}

void http_service_deadline(http_service *s, int64_t at_monotonic_ms)
{
    s->deadline_ms = at_monotonic_ms;
}

void http_service_rest(http_service *s)
{
    if (s == NULL)
        return;
    curl_easy_cleanup(s->curl);
    s->curl = NULL;
}

void http_service_free(http_service *s)
{
    if (s == NULL)
        return;
    curl_easy_cleanup(s->curl);
    tape_free(s->record);
    tape_free(s->replay);
    wipe(s->proxy_user);
    free(s->proxy_url);
    free(s->ca);
    free(s);
}
