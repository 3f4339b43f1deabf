/* SPDX-License-Identifier: Apache-2.0
 *
 * session.c - between the parent's frames and the plugin's calls.
 *
 * There is one thread and one question at a time. Calls that arrive while another runs wait in a
 * queue; whatever else arrives is the answer to the question that is open, or an interrupt. So the
 * plugin's view is simple: it calls the host, and the host returns when the parent has answered.
 */
#include "agent/provider_host/session.h"

#include "agent/provider_host/http.h"
#include "agent/provider_host/loader.h"
#include "agent/provider_host/settings.h"
#include "sdk/frame.h"
#include "sdk/host_frames.h"
#include "sdk/pack.h"

#include <kim/limits.h>
#include <kim/record.h>

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    FLUSH_AT_BYTES = 64 * 1024,
    RECORDS_FRAME_BYTES = 512 * 1024, /* a larger emit is passed on in several frames */
    STOP_CHECK_EVERY_MS = 10,         /* should_stop looks at the socket no more often */
    SCRATCH_MAX_BYTES = 64 * 1024 * 1024,
    SETTINGS_MAX_BYTES = 4 * 1024 * 1024,
    URL_OPTION_PREFIX = 5,            /* "http.": options for the host itself */
};

/* A frame that waits for its turn. */
typedef struct queued {
    struct queued *next;
    uint16_t type;
    int descriptor;
    size_t size;
    uint8_t bytes[];
} queued;

typedef struct kept {
    struct kept *next;
    char text[];
} kept;

typedef struct cursor_kept {
    uint8_t *bytes;
    size_t size;
} cursor_kept;

typedef struct session {
    frame_stream *frames;
    _Atomic uint64_t *mark; /* shared with the parent: the call that began last */
    bool parent_gone;
    queued *first, **last;

    kim_plugin plugin;
    kim_host host;
    void *instance;
    http_service *http;
    http_world world;
    kim_arena *settings_arena, *scratch;

    uint64_t call;          /* the running one; 0: none */
    uint16_t call_type;
    int64_t deadline_ms;    /* of it; -1: none */
    int64_t looked_ms;      /* when should_stop last looked at the socket */
    uint64_t interrupted;   /* it and all calls before it shall stop */
    bool stopping;
    uint64_t records;       /* that it emitted */
    kept *secrets;          /* that it asked for; wiped at its end */
    cursor_kept state, usage;
} session;

/* ---- frames out ---- */

static int send_frame(session *s, uint16_t type, const kim_bytes *head, const void *tail, size_t tail_size,
                      kim_error *err)
{
    const frame_part parts[] = {{head->data, head->size}, {tail, tail_size}};
    if (head->failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a frame");
    if (s->parent_gone)
        return kim_fail(err, KIM_ERR_STOPPED, "the program that started this provider is gone");
    if (frame_put(s->frames, type, parts, 2, -1, err) < 0)
        return -1;
    if (frame_pending_bytes(s->frames) < FLUSH_AT_BYTES)
        return 0;
    if (frame_flush_all(s->frames, -1, err) < 0) {
        s->parent_gone = true;
        return kim_fail(err, KIM_ERR_STOPPED, "the program that started this provider is gone");
    }
    return 0;
}

/* A text cut to what a frame takes, at a whole character. */
static kim_text cut(const char *text)
{
    kim_text all = kim_text_of(text ? text : "");
    if (all.size > HOST_TEXT_MAX_BYTES)
        all.size = HOST_TEXT_MAX_BYTES;
    while (all.size && all.size == HOST_TEXT_MAX_BYTES && ((uint8_t)all.bytes[all.size] & 0xc0) == 0x80)
        all.size--;
    return all;
}

/* ---- frames in ---- */

static int keep_for_later(session *s, const frame *f, kim_error *err)
{
    queued *q = malloc(sizeof *q + f->size);
    if (!q)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a call");
    *q = (queued){.type = f->type, .descriptor = f->descriptor, .size = f->size};
    memcpy(q->bytes, f->bytes, f->size);
    *s->last = q;
    s->last = &q->next;
    return 0;
}

/* Files a frame that is no answer: an interrupt takes effect, a call waits. */
static int file(session *s, const frame *f, kim_error *err)
{
    if (f->type != HOST_INTERRUPT)
        return keep_for_later(s, f, err);
    pack_reader in = pack_reader_of(f->bytes, f->size);
    pack_read_array(&in);
    uint64_t up_to = pack_read_uint(&in);
    if (up_to > s->interrupted)
        s->interrupted = up_to;
    s->stopping |= s->call <= s->interrupted;
    return 0;
}

/* Waits for the answer to what was just asked. */
static int await(session *s, uint16_t type, frame *answer, kim_error *err)
{
    while (!s->parent_gone) {
        if (frame_wait(s->frames, answer, -1, err) < 0)
            s->parent_gone = true;
        else if (answer->type == type)
            return 0;
        else if (file(s, answer, err) < 0)
            return -1;
    }
    return kim_fail(err, KIM_ERR_STOPPED, "the program that started this provider is gone");
}

/* Takes what the parent has sent by now. */
static void look(session *s)
{
    frame f;
    int found;
    while ((found = frame_next(s->frames, &f, NULL)) > 0)
        if (file(s, &f, NULL) < 0)
            return;
    if (found < 0)
        s->parent_gone = true;
}

/* An answer's first two fields: the code, and where it is not 0 its message. */
static int read_outcome(pack_reader *in, kim_error *err)
{
    pack_read_array(in);
    uint64_t code = pack_read_uint(in);
    kim_text message = pack_read_text(in, HOST_TEXT_MAX_BYTES);
    if (in->fault)
        return kim_fail(err, KIM_ERR_INTERNAL, "the answer to a provider's question %s", in->fault);
    return code ? kim_fail(err, (kim_code)code, "%.*s", KIM_PRINT(message)) : 0;
}

/* ---- what the plugin is given: kim_host ---- */

static bool host_should_stop(void *context)
{
    session *s = context;
    int64_t now = frame_now_ms();
    if (s->deadline_ms >= 0 && now >= s->deadline_ms)
        s->stopping = true;
    if (!s->stopping && !s->parent_gone && now - s->looked_ms >= STOP_CHECK_EVERY_MS) {
        s->looked_ms = now;
        look(s);
    }
    return s->stopping || s->parent_gone;
}

/* May this record be said in this call? What belongs to a log comes with a cursor, what is a snapshot's does not. */
static int check_place(const session *s, const kim_record *record, kim_error *err)
{
    if (s->call_type == HOST_COLLECT && record->type == KIM_USAGE)
        return kim_fail(err, KIM_ERR_INPUT, "a usage record in collect: emit it in usage()");
    if (s->call_type == HOST_USAGE && record->type != KIM_USAGE && record->type != KIM_COVERAGE)
        return kim_fail(err, KIM_ERR_INPUT, "a %s record in usage: only usage and coverage come from a log",
                        kim_record_type_name(record->type));
    return 0;
}

/* Every record of the batch is sound: counted in *count. */
static int check_records(session *s, const uint8_t *records, size_t size, uint64_t *count, kim_error *err)
{
    *count = 0;
    for (size_t at = 0, used = 0; at < size; at += used, ++*count) {
        kim_record record;
        kim_arena_reset(s->scratch);
        if (kim_record_decode(records + at, size - at, s->scratch, &record, &used, err) < 0 ||
            check_place(s, &record, err) < 0)
            return kim_fail_in(err, "emit, record %llu at byte %zu", (unsigned long long)*count, at);
    }
    return 0;
}

static int send_records(session *s, const uint8_t *records, size_t size, kim_error *err)
{
    kim_bytes head = {0};
    pack_array(&head, 2);
    pack_uint(&head, s->call);
    pack_binary_head(&head, size);
    int result = send_frame(s, HOST_RECORDS, &head, records, size, err);
    kim_bytes_free(&head);
    return result;
}

/* Sends a batch in frames that end where records end; each record was measured before. */
static int send_in_parts(session *s, const uint8_t *records, size_t size, kim_error *err)
{
    size_t begin = 0;
    for (size_t at = 0, used = 0; at < size; at += used) {
        kim_record record;
        kim_arena_reset(s->scratch);
        if (kim_record_decode(records + at, size - at, s->scratch, &record, &used, err) < 0)
            return -1;
        if (at + used - begin > RECORDS_FRAME_BYTES && at > begin) {
            if (send_records(s, records + begin, at - begin, err) < 0)
                return -1;
            begin = at;
        }
    }
    return size > begin ? send_records(s, records + begin, size - begin, err) : 0;
}

static int keep_cursor(cursor_kept *kept_cursor, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        return -1;
    if (size)
        memcpy(copy, bytes, size);
    free(kept_cursor->bytes);
    *kept_cursor = (cursor_kept){copy, size};
    return 0;
}

static int commit_records(session *s, const uint8_t *records, size_t size, const uint8_t *cursor,
                          size_t cursor_size, kim_error *err)
{
    kim_bytes head = {0};
    pack_array(&head, 3);
    pack_uint(&head, s->call);
    pack_binary(&head, cursor, cursor_size);
    pack_binary_head(&head, size);
    int result = send_frame(s, HOST_COMMIT, &head, records, size, err);
    kim_bytes_free(&head);
    frame answer;
    if (result < 0 || await(s, HOST_COMMITTED, &answer, err) < 0)
        return -1;
    pack_reader in = pack_reader_of(answer.bytes, answer.size);
    if (read_outcome(&in, err) < 0)
        return -1;
    cursor_kept *to = s->call_type == HOST_USAGE ? &s->usage : &s->state;
    return keep_cursor(to, cursor, cursor_size) < 0 ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a cursor") : 0;
}

static int host_emit(void *context, const uint8_t *records, size_t size, const uint8_t *cursor,
                     size_t cursor_size, kim_error *err)
{
    session *s = context;
    uint64_t count;
    if (s->call_type == HOST_RECOGNISE || s->call_type == HOST_RENDER || s->call == 0)
        return kim_fail(err, KIM_ERR_INPUT, "emit: this call takes no records");
    if (cursor_size > KIM_CURSOR_MAX_BYTES)
        return kim_fail(err, KIM_ERR_LIMIT, "emit: a cursor of %zu bytes; at most %d", cursor_size,
                        KIM_CURSOR_MAX_BYTES);
    if (cursor && size + cursor_size + 64 > KIM_FRAME_MAX_BYTES)
        return kim_fail(err, KIM_ERR_LIMIT, "emit: %zu bytes with one cursor; at most %d: emit less at a time", size,
                        KIM_FRAME_MAX_BYTES - 64);
    if (check_records(s, records, size, &count, err) < 0)
        return -1;
    if (host_should_stop(s))
        return kim_fail(err, KIM_ERR_STOPPED, "emit: asked to stop");
    if (cursor ? commit_records(s, records, size, cursor, cursor_size, err) < 0
               : send_in_parts(s, records, size, err) < 0)
        return -1;
    s->records += count;
    return 0;
}

static const uint8_t *host_cursor(void *context, const char *stream, size_t *size)
{
    session *s = context;
    const cursor_kept *from = !strcmp(stream, "usage") ? &s->usage : !strcmp(stream, "state") ? &s->state : NULL;
    *size = from ? from->size : 0;
    return *size ? from->bytes : NULL;
}

static int host_http(void *context, const kim_http_request *request, kim_http_response *response, kim_error *err)
{
    session *s = context;
    if (s->call == 0 && s->instance)
        return kim_fail(err, KIM_ERR_INTERNAL, "http outside a call");
    return http_send(s->http, request, response, err);
}

static void host_http_response_free(void *context, kim_http_response *response)
{
    (void)context;
    http_response_end(response);
}

static int host_dial(void *context, const char *name, uint16_t port, kim_error *err)
{
    session *s = context;
    kim_bytes head = {0};
    pack_array(&head, 2);
    pack_text(&head, cut(name));
    pack_uint(&head, port);
    int result = send_frame(s, HOST_DIAL, &head, NULL, 0, err);
    kim_bytes_free(&head);
    frame answer;
    if (result < 0 || await(s, HOST_DIALLED, &answer, err) < 0)
        return -1;
    pack_reader in = pack_reader_of(answer.bytes, answer.size);
    if (read_outcome(&in, err) == 0)
        return answer.descriptor >= 0 ? answer.descriptor
                                      : kim_fail(err, KIM_ERR_INTERNAL, "dial %s: no descriptor came", name);
    if (answer.descriptor >= 0)
        close(answer.descriptor);
    return -1;
}

static bool is_secret_option(const kim_plugin *plugin, const char *name)
{
    for (uint32_t i = 0; i < plugin->option_count; i++)
        if (!strcmp(plugin->options[i].name, name))
            return plugin->options[i].flags & KIM_OPTION_SECRET;
    return false;
}

static const char *host_secret(void *context, const char *name, kim_error *err)
{
    session *s = context;
    frame answer;
    if (!is_secret_option(&s->plugin, name)) {
        kim_fail(err, KIM_ERR_INPUT, "secret '%s': provider %s has no option of that name marked secret", name,
                 s->plugin.id);
        return NULL;
    }
    kim_bytes head = {0};
    pack_array(&head, 1);
    pack_text(&head, cut(name));
    int result = send_frame(s, HOST_SECRET, &head, NULL, 0, err);
    kim_bytes_free(&head);
    if (result < 0 || await(s, HOST_SECRET_IS, &answer, err) < 0)
        return NULL;
    pack_reader in = pack_reader_of(answer.bytes, answer.size);
    if (read_outcome(&in, err) < 0)
        return NULL;
    kim_text value = pack_read_text(&in, KIM_FRAME_MAX_BYTES);
    kept *k = malloc(sizeof *k + value.size + 1);
    if (!k) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a secret");
        return NULL;
    }
    if (value.size)
        memcpy(k->text, value.bytes, value.size);
    k->text[value.size] = '\0';
    k->next = s->secrets;
    s->secrets = k;
    return k->text;
}

static void host_log(void *context, uint32_t level, const char *event, const char *message)
{
    session *s = context;
    kim_bytes head = {0};
    pack_array(&head, 3);
    pack_uint(&head, level);
    pack_text(&head, cut(event));
    pack_text(&head, cut(message));
    send_frame(s, HOST_LOG, &head, NULL, 0, NULL);
    kim_bytes_free(&head);
}

static void host_metric(void *context, const char *name, double value)
{
    session *s = context;
    char text[40];
    snprintf(text, sizeof text, "%.17g", value);
    kim_bytes head = {0};
    pack_array(&head, 2);
    pack_text(&head, cut(name));
    pack_string(&head, text);
    send_frame(s, HOST_METRIC, &head, NULL, 0, NULL);
    kim_bytes_free(&head);
}

static int64_t host_now_unix_ms(void *context)
{
    (void)context;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int host_output(void *context, const uint8_t *bytes, size_t size, kim_error *err)
{
    session *s = context;
    if (s->call_type != HOST_RENDER)
        return kim_fail(err, KIM_ERR_INPUT, "output: only render writes");
    for (size_t at = 0; at < size;) {
        size_t part = size - at < RECORDS_FRAME_BYTES ? size - at : RECORDS_FRAME_BYTES;
        kim_bytes head = {0};
        pack_array(&head, 2);
        pack_uint(&head, s->call);
        pack_binary_head(&head, part);
        int result = send_frame(s, HOST_OUTPUT, &head, bytes + at, part, err);
        kim_bytes_free(&head);
        if (result < 0)
            return -1;
        at += part;
    }
    return 0;
}

static void fill_host(session *s)
{
    s->host = (kim_host){
        .struct_size = sizeof s->host, .abi_major = KIM_ABI_MAJOR, .abi_minor = KIM_ABI_MINOR, .context = s,
        .emit = host_emit, .cursor = host_cursor, .http = host_http,
        .http_response_free = host_http_response_free, .dial = host_dial, .secret = host_secret, .log = host_log,
        .metric = host_metric, .now_unix_ms = host_now_unix_ms, .should_stop = host_should_stop,
        .output = host_output,
    };
}

/* ---- calls: one function a kind, in a table ---- */

/* The fields of a call behind its number and timeout. */
typedef struct call_fields {
    pack_reader in;
    uint32_t left;
    int descriptor;
    int64_t value; /* what DONE says */
} call_fields;

static kim_text field_text(call_fields *c)
{
    return c->left ? c->left--, pack_read_text(&c->in, KIM_FRAME_MAX_BYTES) : KIM_NO_TEXT;
}

static const uint8_t *field_bytes(call_fields *c, size_t *size)
{
    *size = 0;
    return c->left ? c->left--, pack_read_binary(&c->in, size, KIM_FRAME_MAX_BYTES) : NULL;
}

/* As a C string in the scratch arena's stead: calls are few and their names short. */
static char *field_string(call_fields *c)
{
    kim_text text = field_text(c);
    return strndup(text.bytes ? text.bytes : "", text.size);
}

static int call_normalise(session *s, call_fields *c, kim_error *err)
{
    char *kind = field_string(c), *name = field_string(c);
    kim_document document = {.kind = kind, .name = name};
    document.bytes = field_bytes(c, &document.size);
    int result = kind && name ? s->plugin.normalise(s->instance, &document, err)
                              : kim_fail(err, KIM_ERR_NOMEM, "no memory for a document's name");
    free(kind);
    free(name);
    return result;
}

/* A file's bytes, read whole: mapping it would let whoever shortens it end this process. */
static uint8_t *read_all(int descriptor, const char *name, size_t *size, kim_error *err)
{
    struct stat what;
    uint8_t *bytes = NULL;
    size_t got = 0;
    if (fstat(descriptor, &what) < 0 || what.st_size > KIM_DOCUMENT_MAX_BYTES) {
        kim_fail(err, KIM_ERR_LIMIT, "%s: past %d bytes", name, KIM_DOCUMENT_MAX_BYTES);
        return NULL;
    }
    bytes = malloc((size_t)what.st_size + 1);
    while (bytes && got < (size_t)what.st_size) {
        ssize_t some = pread(descriptor, bytes + got, (size_t)what.st_size - got, (off_t)got);
        if (some < 0 && errno == EINTR)
            continue;
        if (some <= 0)
            break;
        got += (size_t)some;
    }
    if (bytes && got < (size_t)what.st_size) {
        kim_fail(err, KIM_ERR_IO, "%s: could be read up to byte %zu of %lld only", name, got, (long long)what.st_size);
        free(bytes);
        return NULL;
    }
    if (!bytes)
        kim_fail(err, KIM_ERR_NOMEM, "%s: no memory for %lld bytes", name, (long long)what.st_size);
    *size = got;
    return bytes;
}

static int call_normalise_file(session *s, call_fields *c, kim_error *err)
{
    char *kind = field_string(c), *name = field_string(c);
    kim_document document = {.kind = kind, .name = name};
    uint8_t *bytes = kind && name && c->descriptor >= 0 ? read_all(c->descriptor, name, &document.size, err) : NULL;
    document.bytes = bytes;
    int result = -1;
    if (bytes)
        result = s->plugin.normalise(s->instance, &document, err);
    else if (!kind || !name || c->descriptor < 0)
        kim_fail(err, KIM_ERR_INTERNAL, "a file came without its descriptor or name");
    free(bytes);
    free(kind);
    free(name);
    return result;
}

static int call_collect(session *s, call_fields *c, kim_error *err)
{
    uint64_t mode = c->left ? c->left--, pack_read_uint(&c->in) : 0;
    size_t size;
    const uint8_t *cursor = field_bytes(c, &size);
    if (keep_cursor(&s->state, cursor, size) < 0)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a cursor");
    return s->plugin.collect(s->instance, (uint32_t)mode, err);
}

static int call_usage(session *s, call_fields *c, kim_error *err)
{
    size_t size;
    const uint8_t *cursor = field_bytes(c, &size);
    if (keep_cursor(&s->usage, cursor, size) < 0)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a cursor");
    return s->plugin.usage(s->instance, err);
}

static int call_recognise(session *s, call_fields *c, kim_error *err)
{
    char *name = field_string(c);
    size_t size;
    const uint8_t *head = field_bytes(c, &size);
    if (!name)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a name");
    c->value = s->plugin.recognise ? s->plugin.recognise(name, head, size) : 0;
    free(name);
    return 0;
}

static int call_render(session *s, call_fields *c, kim_error *err)
{
    char *format = field_string(c);
    size_t size;
    const uint8_t *proposal = field_bytes(c, &size);
    int result = format ? s->plugin.render(s->instance, format, proposal, size, err)
                        : kim_fail(err, KIM_ERR_NOMEM, "no memory for a format's name");
    free(format);
    return result;
}

static const struct {
    int (*run)(session *, call_fields *, kim_error *);
    uint32_t needs; /* KIM_CAN_*; 0: none */
    bool is_heavy;  /* memory is given back after it */
} calls[] = {
    [HOST_NORMALISE] = {call_normalise, KIM_CAN_NORMALISE, false},
    [HOST_NORMALISE_FILE] = {call_normalise_file, KIM_CAN_NORMALISE, true},
    [HOST_COLLECT] = {call_collect, KIM_CAN_COLLECT, true},
    [HOST_USAGE] = {call_usage, KIM_CAN_USAGE, true},
    [HOST_RECOGNISE] = {call_recognise, 0, false},
    [HOST_RENDER] = {call_render, KIM_CAN_RENDER, false},
};

static void forget_secrets(session *s)
{
    while (s->secrets) {
        kept *next = s->secrets->next;
        explicit_bzero(s->secrets->text, strlen(s->secrets->text));
        free(s->secrets);
        s->secrets = next;
    }
}

static int send_done(session *s, const kim_error *outcome, int64_t value, kim_error *err)
{
    kim_bytes head = {0};
    pack_array(&head, 5);
    pack_uint(&head, s->call);
    pack_uint(&head, outcome->code);
    pack_text(&head, cut(outcome->code ? outcome->message : ""));
    pack_int(&head, value);
    pack_uint(&head, s->records);
    int result = send_frame(s, HOST_DONE, &head, NULL, 0, err);
    kim_bytes_free(&head);
    return result;
}

/* Begins a call: its number and its deadline. */
static void begin_call(session *s, const queued *q, call_fields *c)
{
    c->left = pack_read_array(&c->in);
    s->call = c->left ? c->left--, pack_read_uint(&c->in) : 0;
    uint64_t timeout_ms = c->left ? c->left--, pack_read_uint(&c->in) : 0;
    atomic_store(s->mark, s->call);
    s->call_type = q->type;
    s->deadline_ms = timeout_ms ? frame_now_ms() + (int64_t)timeout_ms : -1;
    s->stopping = s->call <= s->interrupted;
    s->records = 0;
    if (s->http)
        http_service_deadline(s->http, timeout_ms ? s->world.monotonic_ms(s->world.context) + (int64_t)timeout_ms : 0);
}

static int run_call(session *s, const queued *q, kim_error *err)
{
    call_fields c = {.in = pack_reader_of(q->bytes, q->size), .descriptor = q->descriptor};
    if (q->type >= sizeof calls / sizeof calls[0] || !calls[q->type].run)
        return kim_fail(err, KIM_ERR_CORRUPT, "the parent sent a frame of type %u, which is no call", q->type);
    begin_call(s, q, &c);
    kim_error outcome = {0};
    int result = calls[q->type].needs & ~s->plugin.capabilities
                     ? kim_fail(&outcome, KIM_ERR_UNSUPPORTED, "provider %s has no such function", s->plugin.id)
                     : calls[q->type].run(s, &c, &outcome);
    if (result < 0 && outcome.code == KIM_OK)
        kim_fail(&outcome, KIM_ERR_INTERNAL, "provider %s failed and did not say why", s->plugin.id);
    if (result >= 0)
        outcome.code = KIM_OK;
    outcome.message[sizeof outcome.message - 1] = '\0';
    forget_secrets(s);
    kim_arena_reset(s->scratch);
    int sent = send_done(s, &outcome, c.value, err);
    s->call = 0;
    if (calls[q->type].is_heavy) {
        http_service_rest(s->http);
        malloc_trim(0);
    }
    return sent;
}

/* The next frame, waiting for it if need be; NULL when the parent is gone. */
static queued *next_frame(session *s, kim_error *err)
{
    if (!s->first)
        look(s);
    if (!s->first && !s->parent_gone) {
        frame f;
        if (frame_wait(s->frames, &f, -1, err) < 0 || file(s, &f, err) < 0)
            s->parent_gone = true;
        else if (!s->first) /* an interrupt that came too late */
            return next_frame(s, err);
    }
    queued *q = s->first;
    if (q && !(s->first = q->next))
        s->last = &s->first;
    return q;
}

static void drop(queued *q)
{
    if (q && q->descriptor >= 0)
        close(q->descriptor);
    free(q);
}

static int run_calls(session *s, kim_error *err)
{
    while (!s->parent_gone || s->first) {
        queued *q = next_frame(s, err);
        if (!q)
            break;
        int result = s->parent_gone ? 0 : run_call(s, q, err);
        drop(q);
        if (result < 0 && !s->parent_gone)
            return -1;
    }
    return 0;
}

/* ---- settings and opening ---- */

/* Options that begin with "http." are the host's own: http_options. */
static int take_http_option(http_options *http, const setting_given *given, kim_arena *arena, kim_error *err)
{
    const char *name = given->name.bytes + URL_OPTION_PREFIX;
    size_t size = given->name.size - URL_OPTION_PREFIX;
    const char **texts = KIM_NEW_ARRAY(arena, const char *, given->count + 1);
    for (uint32_t i = 0; texts && i < given->count; i++)
        texts[i] = kim_text_copy(arena, given->values[i]).bytes;
    if (!texts || kim_arena_is_full(arena))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the settings");
    const struct { const char *name; const char **to; } rows[] = {
        {"ca_file", &http->ca_file}, {"proxy", &http->proxy},
        {"record", &http->record_path}, {"replay", &http->replay_path},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (kim_text_equal((kim_text){name, size}, kim_text_of(rows[i].name)) && given->count == 1) {
            *rows[i].to = texts[0];
            return 0;
        }
    if (kim_text_is((kim_text){name, size}, "rate") && given->count == 1) {
        long rate = strtol(texts[0], NULL, 10);
        if (rate < 1 || rate > 100000)
            return kim_fail(err, KIM_ERR_INPUT, "http.rate is '%.40s': write requests a second, from 1 to 100000", texts[0]);
        http->rate_per_s = (uint32_t)rate;
        return 0;
    }
    if (!kim_text_is((kim_text){name, size}, "allow"))
        return kim_fail(err, KIM_ERR_INPUT, "http option '%.*s' is not known; there are ca_file, proxy, rate, record, replay "
                        "and the list allow", (int)size, name);
    http->allow.operator_hosts = texts;
    http->allow.operator_host_count = given->count;
    return 0;
}

/* [name, secret, [value, ...]] */
static void read_setting(pack_reader *in, setting_given *given, kim_arena *arena)
{
    uint32_t fields = pack_read_array(in);
    if (fields != 3)
        pack_fault(in, "has not three fields");
    given->name = pack_read_text(in, KIM_NAME_MAX_BYTES);
    given->secret = pack_read_bool(in);
    given->count = pack_read_array(in);
    given->values = KIM_NEW_ARRAY(arena, kim_text, given->count + 1);
    for (uint32_t i = 0; given->values && i < given->count; i++)
        given->values[i] = pack_read_text(in, KIM_FRAME_MAX_BYTES);
}

static int read_settings(session *s, const queued *q, http_options *http, kim_settings *settings, kim_error *err)
{
    kim_arena *arena = s->settings_arena;
    pack_reader in = pack_reader_of(q->bytes, q->size);
    pack_read_array(&in);
    pack_read_text(&in, KIM_NAME_MAX_BYTES);
    uint32_t count = pack_read_array(&in), own = 0;
    setting_given *given = KIM_NEW_ARRAY(arena, setting_given, count + 1);
    for (uint32_t i = 0; given && i < count && !in.fault; i++) {
        read_setting(&in, &given[own], arena);
        if (in.fault || kim_arena_is_full(arena))
            break;
        if (!kim_text_starts_with(given[own].name, KIM_TEXT("http.")))
            own++;
        else if (take_http_option(http, &given[own], arena, err) < 0)
            return -1;
    }
    if (in.fault)
        return kim_fail(err, KIM_ERR_CORRUPT, "the settings: %s", in.fault);
    if (!given || kim_arena_is_full(arena))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the settings");
    return settings_check(&s->plugin, given, own, arena, settings, err);
}

static int open_plugin(session *s, const char *path, kim_error *err)
{
    http_options http = {0};
    kim_settings *settings = KIM_NEW(s->settings_arena, kim_settings);
    queued *q = next_frame(s, err);
    int result = -1;
    if (!q || q->type != HOST_SETTINGS || !settings)
        kim_fail(err, KIM_ERR_CORRUPT, "the parent did not begin with the settings");
    else
        result = plugin_load(path, &s->plugin, err);
    if (result == 0)
        result = read_settings(s, q, &http, settings, err);
    drop(q);
    if (result < 0)
        return -1;
    http.allow.plugin_hosts = s->plugin.hosts;
    http.allow.settings = settings;
    http_world_system(&s->world);
    s->world.context = s;
    s->world.dial = host_dial;
    s->world.secret = host_secret;
    s->world.log = host_log;
    s->world.should_stop = host_should_stop;
    s->http = http_service_new(&http, &s->world, err);
    if (!s->http)
        return -1;
    return s->plugin.open(&s->host, settings, &s->instance, err) < 0 ? -1 : 0;
}

static int send_ready(session *s, const kim_error *outcome, kim_error *err)
{
    const kim_plugin *p = &s->plugin;
    uint32_t hosts = 0;
    while (p->hosts && p->hosts[hosts] && hosts < HOST_MAX_HOSTS)
        hosts++;
    kim_bytes head = {0};
    pack_array(&head, 10);
    pack_uint(&head, outcome->code);
    pack_text(&head, cut(outcome->code ? outcome->message : ""));
    pack_text(&head, cut(p->id));
    pack_text(&head, cut(p->version));
    pack_text(&head, cut(p->vendor));
    pack_text(&head, cut(p->summary));
    pack_uint(&head, p->abi_major);
    pack_uint(&head, p->abi_minor);
    pack_uint(&head, p->capabilities);
    pack_array(&head, hosts);
    for (uint32_t i = 0; i < hosts; i++)
        pack_text(&head, cut(p->hosts[i]));
    int result = send_frame(s, HOST_READY, &head, NULL, 0, err);
    kim_bytes_free(&head);
    return result < 0 ? -1 : frame_flush_all(s->frames, -1, err);
}

int session_run(int socket, int mark, const char *plugin_path, kim_error *err)
{
    session s = {.deadline_ms = -1};
    s.last = &s.first;
    s.mark = mmap(NULL, sizeof *s.mark, PROT_READ | PROT_WRITE, MAP_SHARED, mark, 0);
    if (s.mark == MAP_FAILED)
        return kim_fail(err, KIM_ERR_IO, "descriptor %d cannot be mapped: %s; kim-agent and kim start this program",
                        mark, strerror(errno));
    close(mark);
    fill_host(&s);
    s.frames = frame_stream_new(socket, err);
    s.settings_arena = kim_arena_new(SETTINGS_MAX_BYTES);
    s.scratch = kim_arena_new(SCRATCH_MAX_BYTES);
    int result = -1;
    if (s.frames && (!s.settings_arena || !s.scratch))
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a session");
    else if (s.frames) {
        kim_error outcome = {0};
        int opened = open_plugin(&s, plugin_path, &outcome);
        if (opened < 0 && outcome.code == KIM_OK)
            kim_fail(&outcome, KIM_ERR_INTERNAL, "the plugin could not open and did not say why");
        if (opened == 0)
            outcome.code = KIM_OK;
        result = send_ready(&s, &outcome, err);
        if (result == 0 && opened == 0)
            result = run_calls(&s, err);
        if (opened == 0)
            s.plugin.close(s.instance);
    }
    while (s.first) {
        queued *next = s.first->next;
        drop(s.first);
        s.first = next;
    }
    forget_secrets(&s);
    http_service_free(s.http);
    free(s.state.bytes);
    free(s.usage.bytes);
    free((void *)s.plugin.options);
    kim_arena_free(s.scratch);
    kim_arena_free(s.settings_arena);
    frame_stream_free(s.frames);
    munmap((void *)s.mark, sizeof *s.mark);
    return result;
}
