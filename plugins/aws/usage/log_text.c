/* SPDX-License-Identifier: Apache-2.0
 *
 * log_text.c - one window over the inflated text, cut where a record ends.
 *
 * The window [from, filled) of the text buffer is what was inflated and not handed over yet. Where it is
 * the whole log and no longer than a piece, it goes out as it is: the usual case, and no byte is
 * looked at. Else a small scanner that knows strings and the depth of brackets finds the last place
 * between two records.
 */
#include "plugins/aws/usage/log_text.h"

#include <stdlib.h>

#include <libdeflate.h>
#include <zlib.h>

#include "plugins/aws/usage/json_index.h"

/* Where in its brackets a text is. Records stand at depth 0 (one after another), 1 (a list) or 2 (a
 * list within an object): the depth right above the first '[' of the outermost two. */
typedef struct scanner {
    int depth;
    char open[2]; /* the outermost two brackets */
    bool in_string, escaped;
} scanner;

struct log_text {
    log_source source;
    struct libdeflate_decompressor *whole;
    z_stream stream;
    bool streaming;         /* `stream` is begun */
    bool is_gzip, at_end;   /* at_end: the source gave all it has */
    uint8_t *in;            /* [LOG_WHOLE_MAX_BYTES], [in_from, in_filled) not used yet */
    size_t in_from, in_filled;
    uint64_t in_before;     /* bytes of the source before in[0] */
    char *out;              /* [LOG_TEXT_MAX_BYTES + padding] */
    size_t from, filled;    /* of `out`: the window */
    size_t scanned;         /* how far `scanner` has read on it */
    scanner scanner;
    uint64_t inflated;      /* of the whole log */
    const char *damage;
    bool is_cut;
    bool done;              /* nothing more comes into the window */
};

log_text *log_text_new(void)
{
    log_text *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->in = malloc(LOG_WHOLE_MAX_BYTES);
    t->out = malloc(LOG_TEXT_MAX_BYTES + JSON_INDEX_PADDING);
    t->whole = libdeflate_alloc_decompressor();
    if (!t->in || !t->out || !t->whole || inflateInit2(&t->stream, 15 + 16) != Z_OK) {
        log_text_free(t);
        return NULL;
    }
    return t;
}

void log_text_free(log_text *t)
{
    if (!t)
        return;
    inflateEnd(&t->stream);
    libdeflate_free_decompressor(t->whole);
    free(t->in);
    free(t->out);
    free(t);
}

static int fill_in(log_text *t, kim_error *err)
{
    if (t->in_from) {
        memmove(t->in, t->in + t->in_from, t->in_filled - t->in_from);
        t->in_before += t->in_from;
        t->in_filled -= t->in_from;
        t->in_from = 0;
    }
    while (!t->at_end && t->in_filled < LOG_WHOLE_MAX_BYTES) {
        ssize_t got = t->source.read(t->source.context, t->in + t->in_filled, LOG_WHOLE_MAX_BYTES - t->in_filled, err);
        if (got < 0)
            return -1;
        t->at_end = got == 0;
        t->in_filled += (size_t)got;
    }
    return 0;
}

int log_text_open(log_text *t, log_source source, kim_error *err)
{
    t->source = source;
    t->streaming = t->at_end = t->is_cut = t->done = false;
    t->in_from = t->in_filled = t->from = t->filled = t->scanned = 0;
    t->in_before = t->inflated = 0;
    t->damage = NULL;
    t->scanner = (scanner){0};
    if (fill_in(t, err) < 0)
        return -1;
    t->is_gzip = t->in_filled >= 2 && t->in[0] == 0x1f && t->in[1] == 0x8b;
    return 0;
}

static void damaged(log_text *t, const char *what, bool is_cut)
{
    t->damage = what;
    t->is_cut = is_cut;
    t->done = true;
}

static void grown(log_text *t, size_t by)
{
    t->filled += by;
    t->inflated += by;
    if (t->inflated > KIM_LOG_FILE_MAX_BYTES)
        damaged(t, "the log is longer than KIM_LOG_FILE_MAX_BYTES once inflated: what follows is left out", false);
}

/* The window's free room, from its end on. */
static size_t room(const log_text *t)
{
    return LOG_TEXT_MAX_BYTES - t->filled;
}

/* A whole gzip member by libdeflate, where all of it is here and its text fits. False: stream it. */
static bool inflate_whole(log_text *t)
{
    size_t used, made;
    if (t->streaming || libdeflate_gzip_decompress_ex(t->whole, t->in + t->in_from, t->in_filled - t->in_from,
                                                      t->out + t->filled, room(t), &used, &made) != LIBDEFLATE_SUCCESS)
        return false;
    t->in_from += used;
    grown(t, made);
    return true;
}

static int inflate_on(log_text *t, kim_error *err)
{
    if (!t->streaming) {
        inflateReset2(&t->stream, 15 + 16);
        t->streaming = true;
    }
    while (room(t) && !t->done) {
        if (t->in_from == t->in_filled && fill_in(t, err) < 0)
            return -1;
        size_t given = t->in_filled - t->in_from, space = room(t);
        t->stream.next_in = t->in + t->in_from;
        t->stream.avail_in = (uInt)given;
        t->stream.next_out = (Bytef *)t->out + t->filled;
        t->stream.avail_out = (uInt)space;
        int status = inflate(&t->stream, Z_NO_FLUSH);
        t->in_from += given - t->stream.avail_in;
        grown(t, space - t->stream.avail_out);
        if (status == Z_STREAM_END) {
            t->streaming = false;
            return 0;
        }
        if (status == Z_MEM_ERROR)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory to inflate a log");
        if (status != Z_OK && status != Z_BUF_ERROR)
            damaged(t, "the gzip data are damaged", false);
        else if (t->in_from == t->in_filled && t->at_end)
            damaged(t, "the gzip data end in the middle", true);
    }
    return 0;
}

static int copy_on(log_text *t, kim_error *err)
{
    while (room(t)) {
        if (t->in_from == t->in_filled && fill_in(t, err) < 0)
            return -1;
        size_t n = t->in_filled - t->in_from;
        if (!n) {
            t->done = true;
            return 0;
        }
        n = n < room(t) ? n : room(t);
        memcpy(t->out + t->filled, t->in + t->in_from, n);
        t->in_from += n;
        grown(t, n);
    }
    return 0;
}

/* Brings more into the window; sets `done` where there is no more. */
static int fill(log_text *t, kim_error *err)
{
    if (t->from) {
        memmove(t->out, t->out + t->from, t->filled - t->from);
        t->filled -= t->from;
        t->scanned = t->scanned > t->from ? t->scanned - t->from : 0;
        t->from = 0;
    }
    if (!t->is_gzip)
        return copy_on(t, err);
    if (!t->streaming) { /* between members: zeros after the last are padding, and all else is damage */
        if (t->in_filled - t->in_from < 18 && fill_in(t, err) < 0)
            return -1;
        while (t->in_from < t->in_filled && t->in[t->in_from] == 0 && (t->in_before || t->in_from))
            t->in_from++;
        if (t->in_from == t->in_filled) {
            t->done = true;
            return 0;
        }
        if (t->in_filled - t->in_from < 2 || t->in[t->in_from] != 0x1f || t->in[t->in_from + 1] != 0x8b) {
            damaged(t, "something that is not gzip follows the gzip data", false);
            return 0;
        }
    }
    return inflate_whole(t) ? 0 : inflate_on(t, err);
}

/* Reads on to `to` and gives the last place between two records before it; 0: there is none. */
static size_t cut_at(log_text *t, size_t to)
{
    scanner s = t->scanner;
    size_t cut = 0;
    for (size_t i = t->scanned; i < to; i++) {
        char c = t->out[i];
        if (s.in_string) {
            if (s.escaped)
                s.escaped = false;
            else if (c == '\\')
                s.escaped = true;
            else if (c == '"')
                s.in_string = false;
            continue;
        }
        switch (c) {
        case '"':
            s.in_string = true;
            break;
        case '{': case '[':
            if (s.depth < 2)
                s.open[s.depth] = c;
            s.depth++;
            break;
        case '}': case ']':
            if (s.depth > 0)
                s.depth--;
            if (s.depth == 0 || (s.depth == 1 && s.open[0] == '[') ||
                (s.depth == 2 && s.open[0] == '{' && s.open[1] == '['))
                cut = i + 1;
            break;
        }
    }
    t->scanner = s;
    t->scanned = to;
    return cut;
}

/* A record that is longer than a piece, or a quote that is missing and turned all strings inside out:
 * go on at what begins as an event does. */
static size_t cut_anyhow(log_text *t, size_t to)
{
    static const char MARK[] = "{\"eventVersion\"";
    size_t cut = to;
    for (size_t i = to - sizeof MARK; i > t->from; i--)
        if (t->out[i] == '{' && !memcmp(t->out + i, MARK, sizeof MARK - 1)) {
            cut = i;
            break;
        }
    t->scanner = (scanner){.depth = 2, .open = {'{', '['}};
    t->scanned = cut;
    return cut;
}

int log_text_next(log_text *t, log_piece *piece, kim_error *err)
{
    while (!t->done && t->filled - t->from <= LOG_PIECE_MAX_BYTES)
        if (fill(t, err) < 0)
            return -1;
    size_t held = t->filled - t->from;
    if (!held)
        return 0;
    size_t to = t->filled;
    if (held > LOG_PIECE_MAX_BYTES) {
        to = t->from + LOG_PIECE_MAX_BYTES;
        size_t cut = cut_at(t, to);
        to = cut > t->from ? cut : cut_anyhow(t, to);
    } else
        memset(t->out + t->filled, 0, JSON_INDEX_PADDING);
    *piece = (log_piece){.text = t->out + t->from, .size = to - t->from, .is_piece = to < t->filled || !t->done};
    t->from = to;
    return 1;
}

bool log_text_is_gzip(const log_text *t)
{
    return t->is_gzip;
}

const char *log_text_damage(const log_text *t, uint64_t *at, bool *is_cut)
{
    *at = t->in_before + t->in_from;
    *is_cut = t->is_cut;
    return t->damage;
}
