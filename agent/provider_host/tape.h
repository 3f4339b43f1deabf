/* SPDX-License-Identifier: Apache-2.0
 *
 * tape.h - exchanges written to a file and answered from it again, for tests. Never a secret.
 *
 * One JSON line an exchange:
 *   {"method":"POST","url":"https://...","request_headers":[["content-type","..."]],"request_body":"...",
 *    "status":200,"headers":[["date","..."]],"body":"..."}
 * A body that is not UTF-8 stands as "body_base64" instead. What is secret by its name (authorisation
 * headers, session tokens, passwords, keys that STS or a metadata service hands out) or by its value
 * (tape_hide) stands as REDACTED, on both sides of a comparison.
 */
#ifndef KIM_AGENT_PROVIDER_HOST_TAPE_H
#define KIM_AGENT_PROVIDER_HOST_TAPE_H

#include <kim/error.h>
#include <kim/http.h>

enum { TAPE_MAX_BYTES = 256 * 1024 * 1024, TAPE_MAX_HIDDEN = 64, TAPE_HIDDEN_MIN_CHARS = 6 };

typedef struct tape tape;

/* Appends to `path` (mode 0600), or reads all of it. Errors: KIM_ERR_IO, KIM_ERR_INPUT (with the line),
 * KIM_ERR_LIMIT, KIM_ERR_NOMEM */
tape *tape_record(const char *path, kim_error *err);
tape *tape_replay(const char *path, kim_error *err);
void tape_free(tape *t); /* NULL is fine */

/* This value is a secret wherever it stands. NULL, short and known ones are passed over. */
void tape_hide(tape *t, const char *secret);

int tape_write(tape *t, const kim_http_request *request, const kim_http_response *response, kim_error *err);

/* The next recorded answer to an equal request (method, URL, body): each is given once, in order. It
 * belongs to the tape. Errors: KIM_ERR_INPUT: none is left; record again */
int tape_answer(tape *t, const kim_http_request *request, kim_http_response *response, kim_error *err);

#endif
