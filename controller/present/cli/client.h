/* SPDX-License-Identifier: Apache-2.0
 *
 * client.h - one connection to a controller's API (doc/api.md).
 */
#ifndef KIM_CLI_CLIENT_H
#define KIM_CLI_CLIENT_H

#include <kim/arena.h>
#include <kim/json.h>
#include <kim/record.h>

typedef struct client client;

/* $KIM_SOCKET, or the installed controller's. */
const char *client_default_socket(void);

/* No connection is made before the first request. NULL with err: KIM_ERR_NOMEM */
client *client_open(const char *socket_path, kim_error *err);
void client_close(client *c); /* NULL is fine */

/* Takes a piece of the answer's body as it comes; -1 with err ends the exchange. */
typedef int client_sink(void *context, const char *bytes, size_t size, kim_error *err);

/* One exchange. path: with its query (client_path below).
 *
 * body NULL: a GET; else a POST with it
 * Errors: KIM_ERR_NETWORK (nobody answers on that socket, or it broke off: names the socket), what the
 *         controller answered (its code and message), and the sink's
 */
int client_exchange(client *c, const char *path, const void *body, size_t size, client_sink *sink,
                    void *sink_context, kim_error *err);

/* A list that breaks off after it began ends as valid JSON with the member "error" (doc/api.md): -1 with that
 * error, else 0. NULL is fine. */
int client_check_whole(const kim_json *answer, kim_error *err);

/* The same for a short answer: parsed, in arena. NULL with err, also for one whose list broke off. */
const kim_json *client_ask(client *c, const char *path, const void *body, size_t size, kim_arena *arena,
                           kim_error *err);

/* A path with its query: client_path(&path, "/v1/can"), client_param(&path, "identity", text) ...;
 * then client_path_text(&path), NULL with err when there was no memory. kim_bytes_free ends it. */
void client_path(kim_bytes *path, const char *plain);
void client_path_part(kim_bytes *path, const char *part); /* percent-encoded */
void client_param(kim_bytes *path, const char *name, const char *value);
const char *client_path_text(kim_bytes *path, kim_error *err);

#endif
