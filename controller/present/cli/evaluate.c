/* SPDX-License-Identifier: Apache-2.0
 *
 * evaluate.c - cases in, answers out, in order, in bounded memory.
 *
 * Two threads and a few batches that go round. The first reads lines and has the provider hosts
 * normalise them; while a host works on one batch, the next is already being filled. The second
 * sends batches to the controller and prints its answers. Where the input pauses (a program that
 * asks and waits), what is there is answered at once.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/present/cli/cases.h"
#include "controller/present/cli/children.h"
#include "controller/present/cli/client.h"
#include "controller/present/cli/evaluate.h"
#include "controller/present/cli/peek.h"
#include "controller/present/cli/progress.h"

enum {
    BATCHES = 5,
    BODY_BYTES = 1024 * 1024,         /* from where on a body is sent */
    BODY_MAX_BYTES = 7 * 1024 * 1024, /* the largest case alone has room; the API takes 8 MiB */
};

/* ---- the belt: batches from the reader to the sender and back ---- */

typedef struct belt {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    batch *empty[BATCHES], *ready[BATCHES];
    size_t empty_count, ready_first, ready_count;
    bool ended;   /* no more will be ready */
    bool broken;  /* the sender failed: nobody need go on */
} belt;

static batch *belt_take_empty(belt *b)
{
    batch *taken = NULL;
    pthread_mutex_lock(&b->lock);
    while (b->empty_count == 0 && !b->broken)
        pthread_cond_wait(&b->moved, &b->lock);
    if (!b->broken)
        taken = b->empty[--b->empty_count];
    pthread_mutex_unlock(&b->lock);
    return taken;
}

static void belt_give_empty(belt *b, batch *one)
{
    pthread_mutex_lock(&b->lock);
    b->empty[b->empty_count++] = one;
    pthread_cond_broadcast(&b->moved);
    pthread_mutex_unlock(&b->lock);
}

static void belt_put_ready(belt *b, batch *one)
{
    pthread_mutex_lock(&b->lock);
    b->ready[(b->ready_first + b->ready_count++) % BATCHES] = one;
    pthread_cond_broadcast(&b->moved);
    pthread_mutex_unlock(&b->lock);
}

static batch *belt_take_ready(belt *b)
{
    batch *taken = NULL;
    pthread_mutex_lock(&b->lock);
    while (b->ready_count == 0 && !b->ended)
        pthread_cond_wait(&b->moved, &b->lock);
    if (b->ready_count > 0) {
        taken = b->ready[b->ready_first];
        b->ready_first = (b->ready_first + 1) % BATCHES;
        b->ready_count--;
    }
    pthread_mutex_unlock(&b->lock);
    return taken;
}

static void belt_set(belt *b, bool *flag)
{
    pthread_mutex_lock(&b->lock);
    *flag = true;
    pthread_cond_broadcast(&b->moved);
    pthread_mutex_unlock(&b->lock);
}

/* ---- the sender ---- */

typedef struct sender {
    belt *belt;
    client *client;
    const char *path;      /* of the API, for the cases' kind */
    bool with_documents;
    kim_bytes body;        /* being packed */
    size_t sent, answered; /* cases of the body; lines of its answer */
    kim_bytes line;        /* an answer whose end is not here yet */
    size_t unread;         /* cases that could not be read */
    int result;
    kim_error err;
} sender;

static void pack_bytes(kim_bytes *to, const void *bytes, size_t size)
{
    const uint8_t head[5] = {0xc6, (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};
    kim_bytes_append(to, head, sizeof head); /* msgpack bin 32 */
    kim_bytes_append(to, bytes, size);
}

static void pack_fault(kim_bytes *to, const char *fault)
{
    size_t size = strlen(fault);
    const uint8_t nil = 0xc0, head[3] = {0xda, (uint8_t)(size >> 8), (uint8_t)size}; /* str 16 */
    if (size == 0) {
        kim_bytes_append(to, &nil, 1);
    } else {
        kim_bytes_append(to, head, sizeof head);
        kim_bytes_append(to, fault, size);
    }
}

/* [line, fault, records], as doc/api.md has it; or the line itself. */
static void pack(sender *s, const batch *b, const one_case *c)
{
    const uint8_t array_of_3 = 0x93;
    kim_text line = batch_line(b, c);
    if (s->with_documents) {
        kim_bytes_append(&s->body, &array_of_3, 1);
        pack_bytes(&s->body, line.bytes, line.size);
        pack_fault(&s->body, c->fault);
        pack_bytes(&s->body, c->records.data, c->records.size);
    } else {
        kim_bytes_append(&s->body, line.bytes, line.size);
        kim_bytes_append(&s->body, "\n", 1);
    }
    s->sent++;
}

static void look_at(sender *s, const char *line, size_t size)
{
    s->answered++;
    if (!kim_text_is_absent(peek_member((kim_text){line, size}, "error")))
        s->unread++;
}

/* A client_sink: answers go straight on, and each line is looked at once it is whole. */
static int print(void *context, const char *bytes, size_t size, kim_error *err)
{
    sender *s = context;
    if (fwrite(bytes, 1, size, stdout) != size)
        return kim_fail(err, KIM_ERR_IO, "standard output takes no more");
    for (const char *end; (end = memchr(bytes, '\n', size)) != NULL;) {
        size_t part = (size_t)(end - bytes);
        if (s->line.size > 0) {
            kim_bytes_append(&s->line, bytes, part);
            look_at(s, (const char *)s->line.data, s->line.size);
            s->line.size = 0;
        } else {
            look_at(s, bytes, part);
        }
        bytes += part + 1;
        size -= part + 1;
    }
    kim_bytes_append(&s->line, bytes, size);
    return s->line.failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for an answer") : 0;
}

static int send_body(sender *s, kim_error *err)
{
    if (s->sent == 0)
        return 0;
    if (s->body.failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to send cases");
    s->answered = s->line.size = 0;
    if (client_exchange(s->client, s->path, s->body.data, s->body.size, print, s, err) < 0)
        return -1;
    if (s->answered != s->sent)
        return kim_fail(err, KIM_ERR_INTERNAL, "the controller answered %zu of %zu cases; see its log", s->answered, s->sent);
    s->body.size = s->sent = 0;
    return 0;
}

/* The line's beginning may still have its id. */
static int print_too_long(sender *s, const batch *b, const one_case *c, kim_error *err)
{
    kim_text id = peek_member(batch_line(b, c), "id");
    bool plain = id.size > 1 && id.size < 1024 && id.bytes[0] == '"' && memchr(id.bytes, '\\', id.size) == NULL;
    s->unread++;
    printf("{\"id\":%.*s,\"error\":\"case %zu: the line is longer than %d bytes; leave out documents that do not matter\"}\n",
           plain ? (int)id.size : 4, plain ? id.bytes : "null", c->number, KIM_CASE_MAX_BYTES);
    return ferror(stdout) ? kim_fail(err, KIM_ERR_IO, "standard output takes no more") : 0;
}

static int send_batch(sender *s, const batch *b, kim_error *err)
{
    for (size_t i = 0; i < b->count; i++) {
        const one_case *c = &b->cases[i];
        if (c->is_too_long) {
            if (send_body(s, err) < 0 || print_too_long(s, b, c, err) < 0)
                return -1;
            continue;
        }
        if (s->body.size + c->size + c->records.size > BODY_MAX_BYTES - sizeof c->fault && send_body(s, err) < 0)
            return -1;
        pack(s, b, c);
        if (s->body.size >= BODY_BYTES && send_body(s, err) < 0)
            return -1;
    }
    if (send_body(s, err) < 0)
        return -1;
    return fflush(stdout) != 0 ? kim_fail(err, KIM_ERR_IO, "standard output takes no more") : 0;
}

static void *send_all(void *context)
{
    sender *s = context;
    batch *b;
    while (s->result == 0 && (b = belt_take_ready(s->belt)) != NULL) {
        s->result = send_batch(s, b, &s->err);
        batch_clear(b);
        belt_give_empty(s->belt, b);
    }
    if (s->result < 0)
        belt_set(s->belt, &s->belt->broken);
    return NULL;
}

/* ---- the reader ---- */

typedef struct reader {
    belt *belt;
    lines *in;
    hosts *hosts;   /* NULL: cases without documents */
    bool quiet;
    size_t count;   /* cases so far */
} reader;

static bool is_blank(kim_text line)
{
    size_t i = 0;
    while (i < line.size && (line.bytes[i] == ' ' || line.bytes[i] == '\t' || line.bytes[i] == '\r'))
        i++;
    return i == line.size;
}

static int take_case(reader *r, batch *b, kim_text line, bool too_long, kim_error *err)
{
    one_case *c = batch_add(b, line, lines_number(r->in));
    r->count++;
    c->is_too_long = too_long;
    c->is_done = too_long || r->hosts == NULL;
    return c->is_done ? 0 : hosts_normalise(r->hosts, b, c, err);
}

/* 1: there is more; 0: the input has ended; -1 with err. Ends early where the input pauses. */
static int fill(reader *r, batch *b, kim_error *err)
{
    while (!batch_is_full(b)) {
        kim_text line;
        bool too_long;
        if (b->count > 0 && lines_would_wait(r->in))
            return 1;
        int got = lines_next(r->in, &line, &too_long, err);
        if (got <= 0)
            return got;
        if (!is_blank(line) && take_case(r, b, line, too_long, err) < 0)
            return -1;
    }
    return 1;
}

static void pass_on(reader *r, batch *b)
{
    if (b == NULL)
        return;
    hosts_finish(b);
    belt_put_ready(r->belt, b);
    progress_show(r->quiet, r->count, "cases");
}

static int read_all(reader *r, kim_error *err)
{
    batch *before = NULL;
    int more = 1;
    while (more > 0) {
        batch *b = belt_take_empty(r->belt);
        if (b == NULL) /* the sender has failed, and says why */
            break;
        more = fill(r, b, err);
        if (r->hosts != NULL)
            hosts_flush(r->hosts);
        pass_on(r, before);
        before = b;
        if (more > 0 && lines_would_wait(r->in)) {
            pass_on(r, before);
            before = NULL;
        }
    }
    pass_on(r, before);
    return more < 0 ? -1 : 0;
}

/* ---- both together ---- */

static int run_both(reader *r, sender *s, kim_error *err)
{
    belt b = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    int result = -1;
    r->belt = s->belt = &b;
    while (b.empty_count < BATCHES && (b.empty[b.empty_count] = batch_new(err)) != NULL)
        b.empty_count++;
    if (b.empty_count < BATCHES)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for batches of cases");
    else if (pthread_create(&thread, NULL, send_all, s) != 0)
        kim_fail(err, KIM_ERR_NOMEM, "no thread to send cases");
    else {
        result = read_all(r, err);
        belt_set(&b, &b.ended);
        pthread_join(thread, NULL);
        progress_clear();
        if (s->result < 0) {
            *err = s->err;
            result = -1;
        }
    }
    for (size_t i = 0; i < b.empty_count; i++)
        batch_free(b.empty[i]);
    for (; b.ready_count > 0; b.ready_count--)
        batch_free(b.ready[b.ready_first++ % BATCHES]);
    kim_bytes_free(&s->body);
    kim_bytes_free(&s->line);
    if (result < 0)
        return -1;
    return s->unread > 0 ? EXIT_UNREAD : EXIT_FINE;
}

static const char *file_of(const invocation *in)
{
    return in->argument_count > 0 ? in->arguments[0] : "-";
}

int evaluate_over_estate(const invocation *in, kim_error *err)
{
    char path[64];
    sender s = {.path = path};
    reader r = {.in = lines_open(file_of(in), KIM_CASE_MAX_BYTES, err), .quiet = in->quiet};
    int status = -1;
    snprintf(path, sizeof path, "/v1/evaluate-requests?mode=%s", given(in, "mode", "strict"));
    if (r.in != NULL && (s.client = client_open(in->socket, err)) != NULL)
        status = run_both(&r, &s, err);
    client_close(s.client);
    lines_close(r.in);
    return status;
}

static int evaluate_documents(const invocation *in, kim_error *err)
{
    sender s = {.path = "/v1/evaluate", .with_documents = true};
    reader r = {.in = lines_open(file_of(in), KIM_CASE_MAX_BYTES, err), .quiet = in->quiet};
    private_controller *pc = r.in != NULL ? private_start(err) : NULL;
    int status = -1;
    if (pc != NULL && (s.client = client_open(private_socket(pc), err)) != NULL &&
        (r.hosts = hosts_new(err)) != NULL)
        status = run_both(&r, &s, err);
    if (status < 0 && pc != NULL && err->code == KIM_ERR_NETWORK)
        private_explain(pc, err);
    hosts_free(r.hosts);
    client_close(s.client);
    private_stop(pc);
    lines_close(r.in);
    return status;
}

int run_evaluate(const invocation *in, kim_error *err)
{
    if (is_given(in, "estate"))
        return evaluate_over_estate(in, err);
    if (is_given(in, "mode")) {
        kim_fail(err, KIM_ERR_INPUT, "--mode goes with --estate; a case with documents says its own \"mode\"");
        return -EXIT_USAGE;
    }
    return evaluate_documents(in, err);
}
