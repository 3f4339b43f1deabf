/* SPDX-License-Identifier: Apache-2.0
 *
 * reply.c - documents joined into one answer.
 *
 * The writer makes only small, whole documents; the brackets and commas between them are put here. So
 * a list of any length needs no more memory than one item and a piece.
 */
#include <stdlib.h>

#include <kim/record.h>

#include "controller/present/http/reply.h"

enum { PIECE_BYTES = 32 * 1024 };

struct reply {
    reply_sink *sink;
    void *sink_context;
    kim_json_writer *writer;
    kim_bytes piece; /* not handed over yet */
    unsigned status;
    enum { DOCUMENT, LINES, LIST } state;
    bool has_items;  /* of the open list */
    bool has_left;   /* a piece went to the sink: the status can no longer change */
};

reply *reply_new(reply_sink *sink, void *context, kim_error *err)
{
    reply *rp = calloc(1, sizeof *rp);
    if (rp != NULL)
        rp->writer = kim_json_writer_new(false);
    if (rp == NULL || rp->writer == NULL) {
        reply_free(rp);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for an answer; try again later");
        return NULL;
    }
    rp->sink = sink;
    rp->sink_context = context;
    rp->status = 200;
    return rp;
}

void reply_free(reply *rp)
{
    if (rp == NULL)
        return;
    kim_json_writer_free(rp->writer);
    kim_bytes_free(&rp->piece);
    free(rp);
}

kim_json_writer *reply_writer(reply *rp)
{
    return rp->writer;
}

void reply_set_status(reply *rp, unsigned status)
{
    rp->status = status;
}

unsigned reply_status(const reply *rp)
{
    return rp->status;
}

bool reply_is_lines(const reply *rp)
{
    return rp->state == LINES;
}

static void put(reply *rp, const char *text)
{
    kim_bytes_append(&rp->piece, text, strlen(text));
}

static int hand_over(reply *rp, size_t at_least, kim_error *err)
{
    if (rp->piece.failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the answer; ask for less, or try again later");
    if (rp->piece.size < at_least)
        return 0;
    if (rp->sink(rp->sink_context, (const char *)rp->piece.data, rp->piece.size, err) < 0)
        return -1;
    rp->has_left = rp->has_left || rp->piece.size > 0;
    rp->piece.size = 0;
    return 0;
}

/* The writer's document goes behind `before`, without its last `cut` bytes; the writer is empty again. */
static int take(reply *rp, const char *before, size_t skip, size_t cut, const char *after, kim_error *err)
{
    size_t size;
    const char *bytes = kim_json_writer_bytes(rp->writer, &size, err);
    if (bytes == NULL)
        return -1;
    while (size > 0 && bytes[size - 1] == '\n')
        size--;
    put(rp, before);
    if (size > skip + cut)
        kim_bytes_append(&rp->piece, bytes + skip, size - skip - cut);
    put(rp, after);
    kim_json_writer_reset(rp->writer);
    return hand_over(rp, PIECE_BYTES, err);
}

int reply_document(reply *rp, kim_error *err)
{
    rp->state = DOCUMENT;
    return take(rp, "", 0, 0, "\n", err);
}

int reply_line(reply *rp, kim_error *err)
{
    rp->state = LINES;
    return take(rp, "", 0, 0, "\n", err);
}

/* An object without its brackets has nothing between them: no comma then. */
static bool holds_members(reply *rp)
{
    size_t size;
    const char *bytes = kim_json_writer_bytes(rp->writer, &size, NULL);
    while (bytes != NULL && size > 0 && bytes[size - 1] == '\n')
        size--;
    return bytes != NULL && size > 2;
}

int reply_open_list(reply *rp, const char *name, kim_error *err)
{
    bool members = holds_members(rp);
    if (take(rp, "{", 1, 1, members ? ",\"" : "\"", err) < 0)
        return -1;
    put(rp, name);
    put(rp, "\":[");
    rp->state = LIST;
    rp->has_items = false;
    return 0;
}

int reply_item(reply *rp, kim_error *err)
{
    const char *comma = rp->has_items ? ",\n" : "\n";
    rp->has_items = true;
    return take(rp, comma, 0, 0, "", err);
}

int reply_close_list(reply *rp, kim_error *err)
{
    bool members = holds_members(rp);
    rp->state = DOCUMENT;
    return take(rp, members ? "]," : "]", 1, 1, "}\n", err);
}

static void write_error(kim_json_writer *to, const char *code, const char *message)
{
    kim_json_writer_reset(to);
    kim_json_begin_object(to);
    kim_json_key(to, "error");
    kim_json_begin_object(to);
    kim_json_key(to, "code");
    kim_json_put_string(to, code);
    kim_json_key(to, "message");
    kim_json_put_string(to, message);
    kim_json_end_object(to);
    kim_json_end_object(to);
}

void reply_fail(reply *rp, unsigned status, const char *code, const char *message)
{
    write_error(rp->writer, code, message);
    if (!rp->has_left) {
        rp->piece.size = 0;
        rp->piece.failed = false;
        rp->status = status;
        reply_document(rp, NULL);
    } else if (rp->state == LIST) {
        reply_close_list(rp, NULL);
    } else {
        reply_line(rp, NULL);
    }
}

int reply_finish(reply *rp, kim_error *err)
{
    return hand_over(rp, 1, err);
}
