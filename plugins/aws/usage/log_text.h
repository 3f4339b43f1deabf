/* SPDX-License-Identifier: Apache-2.0
 *
 * log_text.h - the text of a log in pieces that end between records, whatever it came as.
 *
 * Bytes come from a source (a file, an object of a bucket, memory), plain or gzip, told by their first two
 * bytes; several gzip members follow one another. A log that fits is inflated whole by libdeflate,
 * three times as fast as zlib; a longer one streams through zlib. Either way no piece is longer
 * than LOG_PIECE_MAX_BYTES, and memory does not grow with the log.
 */
#ifndef AWS_USAGE_LOG_TEXT_H
#define AWS_USAGE_LOG_TEXT_H

#include <sys/types.h>

#include <kim/error.h>
#include <kim/limits.h>
#include <kim/text.h>

enum {
    LOG_WHOLE_MAX_BYTES = 4 * 1024 * 1024,  /* read whole where it is no longer; CloudTrail's objects are 10-500 kB */
    LOG_TEXT_MAX_BYTES = 12 * 1024 * 1024,  /* inflated whole where it is no longer */
    LOG_PIECE_MAX_BYTES = 4 * 1024 * 1024,  /* handed over at once: bounds the index of its structure */
};

typedef struct log_source {
    void *context;
    /* Reads up to `size` bytes on; fewer only at the end, 0 there. -1 with err: KIM_ERR_IO ... */
    ssize_t (*read)(void *context, void *to, size_t size, kim_error *err);
} log_source;

typedef struct log_piece {
    const char *text;  /* until the next call; JSON_INDEX_PADDING readable bytes follow */
    size_t size;
    bool is_piece;     /* not all of the text that its lists begin and end in */
} log_piece;

typedef struct log_text log_text;

/* Returns what log_text_free() frees, with its buffers; NULL without memory. */
log_text *log_text_new(void);
void log_text_free(log_text *text); /* NULL is fine */

/* Begins a log. Errors: those of source.read */
int log_text_open(log_text *text, log_source source, kim_error *err);

/* The next piece: 1; 0 at the end; -1 with err (source.read's). Damage is no error: what comes before it
 * is given, then the end; see log_text_damage. */
int log_text_next(log_text *text, log_piece *piece, kim_error *err);

bool log_text_is_gzip(const log_text *text);

/* What was wrong with it, once log_text_next gave 0: NULL, or static: "the gzip data end in the middle" ...
 * at: the offset in the source about which it was found. is_cut: more of it may come yet. */
const char *log_text_damage(const log_text *text, uint64_t *at, bool *is_cut);

#endif
