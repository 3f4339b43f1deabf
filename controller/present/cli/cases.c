/* SPDX-License-Identifier: Apache-2.0
 *
 * cases.c - cases in batches, and the hosts that turn them into records.
 *
 * A host answers its calls in the order they were made, so the case that an answer belongs to is
 * always the first of a queue. A case that makes its host end gets that as its fault; the ones behind
 * it go to a new host and never notice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/present/cli/cases.h"
#include "controller/present/cli/peek.h"

enum {
    IN_FLIGHT_MAX = 2 * BATCH_CASES,
    NORMALISE_TIMEOUT_MS = 20 * 1000,
    RESTARTS_MAX = 100, /* a provider that ends more often than that is broken, not its cases */
};

/* ---- batches ---- */

batch *batch_new(kim_error *err)
{
    batch *b = calloc(1, sizeof *b);
    if (b != NULL)
        b->text = malloc(BATCH_BYTES + KIM_CASE_MAX_BYTES);
    if (b != NULL && b->text != NULL)
        return b;
    free(b);
    kim_fail(err, KIM_ERR_NOMEM, "no memory for a batch of cases");
    return NULL;
}

void batch_free(batch *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < BATCH_CASES; i++)
        kim_bytes_free(&b->cases[i].records);
    free(b->text);
    free(b);
}

void batch_clear(batch *b)
{
    b->size = b->count = 0;
}

bool batch_is_full(const batch *b)
{
    return b->count == BATCH_CASES || b->size >= BATCH_BYTES;
}

one_case *batch_add(batch *b, kim_text line, size_t number)
{
    enum { KEPT_BYTES = 64 * 1024 }; /* memory of a large case is not kept for the small ones after it */
    one_case *c = &b->cases[b->count++];
    kim_bytes records = c->records;
    if (records.capacity > KEPT_BYTES)
        kim_bytes_free(&records);
    records.size = 0;
    memcpy(b->text + b->size, line.bytes, line.size);
    c->begin = b->size;
    c->size = line.size;
    c->number = number;
    c->by = NULL;
    c->call = 0;
    c->is_done = c->is_too_long = false;
    c->records = records;
    c->fault[0] = '\0';
    b->size += line.size;
    return c;
}

kim_text batch_line(const batch *b, const one_case *c)
{
    return (kim_text){b->text + c->begin, c->size};
}

/* ---- hosts ---- */

typedef struct flight {
    batch *b;
    one_case *c;
} flight;

struct host {
    char provider[PROVIDER_NAME_MAX_BYTES];
    host_client *client;        /* NULL: not running */
    kim_error refusal;          /* why it cannot be started; code KIM_OK: it can */
    unsigned restarts;
    flight flying[IN_FLIGHT_MAX]; /* a ring: handed over, not answered */
    size_t first, count;
    flight lost[IN_FLIGHT_MAX]; /* answered with an error by the end of the process */
    size_t lost_count;
};

struct hosts {
    host *all[PROVIDERS_MAX];
    size_t count;
};

hosts *hosts_new(kim_error *err)
{
    hosts *hs = calloc(1, sizeof *hs);
    if (hs == NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for provider hosts");
    return hs;
}

void hosts_free(hosts *hs)
{
    if (hs == NULL)
        return;
    for (size_t i = 0; i < hs->count; i++) {
        host_client_stop(hs->all[i]->client, 1000);
        free(hs->all[i]);
    }
    free(hs);
}

static int keep_records(void *context, uint64_t call, const uint8_t *records, size_t size, kim_error *err)
{
    host *h = context;
    (void)call;
    if (h->count == 0)
        return kim_fail(err, KIM_ERR_INTERNAL, "records without a case");
    kim_bytes *kept = &h->flying[h->first].c->records;
    if (kept->size + size > CASE_RECORDS_MAX_BYTES)
        return kim_fail(err, KIM_ERR_LIMIT, "the case becomes more than %d bytes of records; make it smaller",
                        CASE_RECORDS_MAX_BYTES);
    kim_bytes_append(kept, records, size);
    return kept->failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for a case") : 0;
}

/* The process ended: these errors come from the client itself, and never from reading a document. */
static bool is_end(kim_code code)
{
    return code == KIM_ERR_IO || code == KIM_ERR_TIMEOUT || code == KIM_ERR_CORRUPT || code == KIM_ERR_STOPPED;
}

static void end_case(void *context, uint64_t call, const host_result *result)
{
    host *h = context;
    (void)call;
    if (h->count == 0)
        return;
    flight f = h->flying[h->first];
    h->first = (h->first + 1) % IN_FLIGHT_MAX;
    h->count--;
    f.c->is_done = true;
    if (result->error.code == KIM_OK)
        return;
    f.c->records.size = 0;
    strcpy(f.c->fault, result->error.message);
    if (is_end(result->error.code))
        h->lost[h->lost_count++] = f;
}

static int start(host *h)
{
    host_options options = {
        .plugin = h->provider,
        .call_timeout_ms = NORMALISE_TIMEOUT_MS,
        .handlers = {.context = h, .records = keep_records, .done = end_case},
    };
    h->client = host_client_start(&options, &h->refusal);
    return h->client != NULL ? 0 : -1;
}

static host *host_of(hosts *hs, kim_text provider, kim_error *err)
{
    for (size_t i = 0; i < hs->count; i++)
        if (kim_text_is(provider, hs->all[i]->provider))
            return hs->all[i];
    host *h = calloc(1, sizeof *h);
    if (h == NULL || hs->count == PROVIDERS_MAX) {
        free(h);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for a provider host");
        return NULL;
    }
    memcpy(h->provider, provider.bytes, provider.size);
    hs->all[hs->count++] = h;
    return h;
}

static void refuse(one_case *c, const char *message)
{
    snprintf(c->fault, sizeof c->fault, "%s", message);
    c->is_done = true;
}

static void hand_over(host *h, flight f);

/* Where the process has ended: the first case that it lost was its last; the others go to a new one. */
static void mend(host *h)
{
    flight again[2 * IN_FLIGHT_MAX];
    size_t count = 0;
    if (host_client_step(h->client, 0, NULL) == 0) {
        h->lost_count = 0; /* it lives: those errors were the cases' own */
        return;
    }
    for (size_t i = 1; i < h->lost_count; i++)
        again[count++] = h->lost[i];
    for (size_t i = 0; i < h->count; i++)
        again[count++] = h->flying[(h->first + i) % IN_FLIGHT_MAX];
    h->lost_count = h->count = 0;
    host_client_stop(h->client, 0);
    h->client = NULL;
    if (++h->restarts > RESTARTS_MAX && h->refusal.code == KIM_OK)
        kim_fail(&h->refusal, KIM_ERR_IO, "the provider %s ended %d times, and is not started again", h->provider,
                 RESTARTS_MAX);
    for (size_t i = 0; i < count; i++) {
        again[i].c->is_done = false;
        again[i].c->fault[0] = '\0';
        again[i].c->records.size = 0;
        hand_over(h, again[i]);
    }
}

static void hand_over(host *h, flight f)
{
    kim_text line = batch_line(f.b, f.c);
    char name[32];
    kim_error err = {.code = KIM_OK};
    if (h->client == NULL && (h->refusal.code != KIM_OK || start(h) < 0)) {
        refuse(f.c, h->refusal.message);
        return;
    }
    snprintf(name, sizeof name, "case %zu", f.c->number);
    f.c->by = h;
    f.c->call = host_client_normalise(h->client, "case", name, (const uint8_t *)line.bytes, line.size, &err);
    if (f.c->call != 0) {
        h->flying[(h->first + h->count++) % IN_FLIGHT_MAX] = f;
    } else if (is_end(err.code)) { /* another case's end: this one never went out */
        mend(h);
        hand_over(h, f);
    } else {
        refuse(f.c, err.message);
    }
}

/* Why a line has no provider: because it is no JSON, or because it names none. */
static int explain(batch *b, one_case *c, kim_error *err)
{
    kim_text line = batch_line(b, c);
    char name[32];
    kim_error why;
    kim_arena *arena = kim_arena_new((size_t)64 * KIM_CASE_MAX_BYTES);
    if (arena == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to read a case");
    snprintf(name, sizeof name, "case %zu", c->number);
    const kim_json *parsed = kim_json_parse(line.bytes, line.size, name, arena, &why);
    if (parsed == NULL)
        refuse(c, why.message);
    else if (!kim_json_is(parsed, KIM_JSON_OBJECT)) {
        snprintf(c->fault, sizeof c->fault, "%s: a case is an object, not %s", name, kim_json_type_name(parsed->type));
        c->is_done = true;
    } else if (kim_json_get(parsed, "provider") == NULL) {
        snprintf(c->fault, sizeof c->fault, "%s: 'provider' is missing; known are %s", name, providers_known());
        c->is_done = true;
    } else {
        kim_text provider = kim_json_text_of(parsed, "provider");
        snprintf(c->fault, sizeof c->fault, "%s: the provider '%.*s' is unknown; known are %s", name,
                 (int)(provider.size < 64 ? provider.size : 64), provider.bytes, providers_known());
        c->is_done = true;
    }
    kim_arena_free(arena);
    return 0;
}

int hosts_normalise(hosts *hs, batch *b, one_case *c, kim_error *err)
{
    kim_text provider = peek_string(batch_line(b, c), "provider");
    if (kim_text_is(provider, "cel")) { /* an expression and values: no documents to read */
        c->is_done = true;
        return 0;
    }
    if (provider.size == 0 || provider.size >= PROVIDER_NAME_MAX_BYTES || !providers_is_known(provider))
        return explain(b, c, err);
    host *h = host_of(hs, provider, err);
    if (h == NULL)
        return -1;
    hand_over(h, (flight){b, c});
    if (h->lost_count > 0)
        mend(h);
    return 0;
}

void hosts_flush(hosts *hs)
{
    for (size_t i = 0; i < hs->count; i++)
        if (hs->all[i]->client != NULL && (host_client_step(hs->all[i]->client, 0, NULL) < 0 || hs->all[i]->lost_count > 0))
            mend(hs->all[i]);
}

void hosts_finish(batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        one_case *c = &b->cases[i];
        while (!c->is_done) {
            host_client_wait(c->by->client, c->call, NULL); /* a case's own error is its fault */
            if (c->by->lost_count > 0)
                mend(c->by);
        }
    }
}
