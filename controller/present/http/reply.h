/* SPDX-License-Identifier: Apache-2.0
 *
 * reply.h - an answer in the making: one document, a list that may be long, or JSON Lines.
 *
 * A handler writes one small document at a time into the reply's writer and hands it over; bytes go to
 * the sink in larger pieces. Until the first piece has left, a failure still becomes a proper error
 * with its status; after that it closes the answer as valid JSON with the member "error".
 */
#ifndef KIM_HTTP_REPLY_H
#define KIM_HTTP_REPLY_H

#include <kim/json.h>

typedef struct reply reply;

/* Takes a piece of the answer. -1, with err, where nobody reads any more or a limit is passed. */
typedef int reply_sink(void *context, const char *bytes, size_t size, kim_error *err);

/* NULL with err: KIM_ERR_NOMEM */
reply *reply_new(reply_sink *sink, void *context, kim_error *err);
void reply_free(reply *rp); /* NULL is fine */

/* Where the next document, item or line is written, whole. */
kim_json_writer *reply_writer(reply *rp);

void reply_set_status(reply *rp, unsigned status); /* 200 unless set */
unsigned reply_status(const reply *rp);
bool reply_is_lines(const reply *rp);

/* Each takes what the writer holds. Errors: those of the writer and of the sink. */
int reply_document(reply *rp, kim_error *err); /* it is the whole answer */
int reply_line(reply *rp, kim_error *err);     /* it is the next line of JSON Lines */
/* It is an object, left open for a list as its next member; then the list's items one by one; then
 * the list ends, and what the writer holds (an object, or nothing) are the members that follow. */
int reply_open_list(reply *rp, const char *name, kim_error *err);
int reply_item(reply *rp, kim_error *err);
int reply_close_list(reply *rp, kim_error *err);

/* Makes an error of the answer, or its end. */
void reply_fail(reply *rp, unsigned status, const char *code, const char *message);
/* Hands the last piece to the sink. An answer of JSON Lines may have no line at all. */
int reply_finish(reply *rp, kim_error *err);

#endif
