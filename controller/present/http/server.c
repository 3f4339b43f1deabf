/* SPDX-License-Identifier: Apache-2.0
 *
 * server.c - libmicrohttpd on a Unix socket: from its callbacks to one request, and back.
 *
 * Each connection has a thread. A short answer is made on it. A long one is made by a second thread,
 * which writes into a ring that the connection's thread sends from: the evaluator calls back with
 * results, libmicrohttpd calls for bytes, and the ring joins the two. An answer that fits the ring
 * still leaves in one piece, with its proper status.
 */
#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controller/present/http/routes.h"
#include "controller/present/http/stream.h"

enum {
    IDLE_TIMEOUT_S = 120,
    HEADER_MAX_BYTES = 256 * 1024,           /* request line and headers: a question's context with room */
    ARENA_MAX_BYTES = 64 * 1024 * 1024,      /* of one request: its parameters, its parsed body */
    ANSWER_MAX_BYTES = 64 * 1024 * 1024,     /* of an answer that is not streamed */
    BACKLOG = 128,
};

struct http_server {
    char *socket_path;
    http_role role;
    store *store;
    http_backend backend;
    pools *pools;
    struct MHD_Daemon *daemon;
};

/* One request and its answer, from the first byte to the last. */
typedef struct exchange {
    http_server *server;
    kim_arena *arena;
    kim_bytes body;
    bool too_large;   /* the body; the rest of it is read and dropped */
    request rq;
    const route *found;
    kim_text allowed; /* the path's methods, where none was found */
    reply *rp;
    kim_bytes answer; /* of a short one */
    stream *stream;   /* of a long one */
    pthread_t maker;
    bool has_maker;
} exchange;

/* ---- from libmicrohttpd to a request ---- */

static void exchange_free(exchange *ex)
{
    if (ex == NULL)
        return;
    if (ex->has_maker) {
        stream_leave(ex->stream);
        pthread_join(ex->maker, NULL);
    }
    stream_free(ex->stream);
    reply_free(ex->rp);
    kim_bytes_free(&ex->answer);
    kim_bytes_free(&ex->body);
    kim_arena_free(ex->arena);
    free(ex);
}

static exchange *exchange_new(http_server *server)
{
    exchange *ex = calloc(1, sizeof *ex);
    if (ex == NULL)
        return NULL;
    ex->server = server;
    ex->arena = kim_arena_new(ARENA_MAX_BYTES);
    if (ex->arena == NULL) {
        exchange_free(ex);
        return NULL;
    }
    return ex;
}

/* Our own user and root have the socket's role; anybody else has none. */
static http_role role_of(const http_server *server, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (info == NULL || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return 0;
    return peer.uid == geteuid() || peer.uid == 0 ? server->role : 0;
}

typedef struct gathering {
    exchange *ex;
    kim_pair *params;
    bool too_many, not_text;
} gathering;

static enum MHD_Result take_param(void *context, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                  const char *value, size_t value_size)
{
    (void)kind;
    gathering *of = context;
    request *rq = &of->ex->rq;
    kim_pair pair = {{name, name_size}, {value != NULL ? value : "", value != NULL ? value_size : 0}};
    if (rq->param_count == HTTP_PARAMS_MAX) {
        of->too_many = true;
        return MHD_NO;
    }
    of->not_text = of->not_text || !kim_text_is_utf8(pair.name) || !kim_text_is_utf8(pair.value) ||
                   memchr(pair.value.bytes, '\0', pair.value.size) != NULL;
    of->params[rq->param_count++] = (kim_pair){kim_text_copy(of->ex->arena, pair.name),
                                               kim_text_copy(of->ex->arena, pair.value)};
    return MHD_YES;
}

static int read_params(exchange *ex, struct MHD_Connection *connection, kim_error *err)
{
    gathering of = {.ex = ex, .params = KIM_NEW_ARRAY(ex->arena, kim_pair, HTTP_PARAMS_MAX)};
    if (of.params != NULL)
        MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_param, &of);
    ex->rq.params = of.params;
    if (kim_arena_is_full(ex->arena))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the request");
    if (of.too_many)
        return kim_fail(err, KIM_ERR_LIMIT, "more than %d parameters; ask with fewer", HTTP_PARAMS_MAX);
    if (of.not_text)
        return kim_fail(err, KIM_ERR_INPUT, "a parameter is not UTF-8 text; percent-encode its UTF-8 bytes");
    return 0;
}

static int read_request(exchange *ex, struct MHD_Connection *connection, const char *url, const char *method,
                        kim_error *err)
{
    http_server *server = ex->server;
    ex->rq = (request){
        .method = method,
        .path = kim_text_copy(ex->arena, kim_text_of(url)),
        .role = role_of(server, connection),
        .body = ex->body.data,
        .body_size = ex->body.size,
        .backend = &server->backend,
        .store = server->store,
        .pools = server->pools,
        .arena = ex->arena,
    };
    if (!kim_text_is_utf8(ex->rq.path))
        return kim_fail(err, KIM_ERR_INPUT, "the path is not UTF-8 text");
    ex->found = routes_find(method, ex->rq.path, &ex->rq.name, &ex->allowed, ex->arena);
    if (ex->too_large)
        return kim_fail(err, KIM_ERR_LIMIT, "the body is larger than %d bytes; send it as more requests",
                        HTTP_BODY_MAX_BYTES);
    if (ex->body.failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the body; try again later");
    return read_params(ex, connection, err);
}

/* ---- from a reply to libmicrohttpd ---- */

static int keep_answer(void *context, const char *bytes, size_t size, kim_error *err)
{
    kim_bytes *kept = context;
    if (kept->size + size > ANSWER_MAX_BYTES)
        return kim_fail(err, KIM_ERR_LIMIT, "the answer is larger than %d bytes; ask for less", ANSWER_MAX_BYTES);
    kim_bytes_append(kept, bytes, size);
    return kept->failed ? kim_fail(err, KIM_ERR_NOMEM, "no memory for the answer; ask for less") : 0;
}

static ssize_t send_more(void *context, uint64_t at, char *into, size_t max)
{
    (void)at;
    exchange *ex = context;
    size_t size = stream_read(ex->stream, into, max);
    return size > 0 ? (ssize_t)size : MHD_CONTENT_READER_END_OF_STREAM;
}

static enum MHD_Result queue(exchange *ex, struct MHD_Connection *connection, struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type",
                            reply_is_lines(ex->rp) ? "application/x-ndjson" : "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (!kim_text_is_absent(ex->allowed) && ex->found == NULL)
        MHD_add_response_header(response, "Allow", kim_text_copy(ex->arena, ex->allowed).bytes);
    enum MHD_Result result = MHD_queue_response(connection, reply_status(ex->rp), response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result queue_short(exchange *ex, struct MHD_Connection *connection)
{
    return queue(ex, connection,
                 MHD_create_response_from_buffer(ex->answer.size, ex->answer.data, MHD_RESPMEM_PERSISTENT));
}

static void *make_answer(void *context)
{
    exchange *ex = context;
    routes_answer(&ex->rq, ex->found, ex->allowed, ex->rp);
    stream_end(ex->stream);
    return NULL;
}

static enum MHD_Result answer_long(exchange *ex, struct MHD_Connection *connection)
{
    ex->stream = stream_new();
    ex->rp = ex->stream != NULL ? reply_new(stream_write, ex->stream, NULL) : NULL;
    if (ex->rp == NULL || pthread_create(&ex->maker, NULL, make_answer, ex) != 0)
        return MHD_NO;
    ex->has_maker = true;
    if (!stream_settles(ex->stream)) /* its size is not known yet: chunked */
        return queue(ex, connection, MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_RING_BYTES / 4,
                                                                       send_more, ex, NULL));
    char *whole = malloc(stream_held(ex->stream) + 1);
    if (whole == NULL)
        return MHD_NO;
    size_t size = stream_read(ex->stream, whole, STREAM_RING_BYTES);
    return queue(ex, connection, MHD_create_response_from_buffer(size, whole, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result answer_short(exchange *ex, struct MHD_Connection *connection, const kim_error *fault)
{
    ex->rp = reply_new(keep_answer, &ex->answer, NULL);
    if (ex->rp == NULL)
        return MHD_NO;
    if (fault != NULL) {
        reply_fail(ex->rp, routes_status_of(fault->code), kim_code_name(fault->code), fault->message);
        reply_finish(ex->rp, NULL);
    } else {
        routes_answer(&ex->rq, ex->found, ex->allowed, ex->rp);
    }
    return queue_short(ex, connection);
}

/* ---- libmicrohttpd's callbacks ---- */

static void take_body(exchange *ex, const char *bytes, size_t size)
{
    if (ex->body.size + size > HTTP_BODY_MAX_BYTES)
        ex->too_large = true;
    if (!ex->too_large)
        kim_bytes_append(&ex->body, bytes, size);
}

/* Called once when the headers are there, once for each piece of the body, and once after it. */
static enum MHD_Result take(void *context, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *bytes, size_t *size,
                            void **state)
{
    (void)version;
    if (*state == NULL) {
        *state = exchange_new(context);
        return *state != NULL ? MHD_YES : MHD_NO;
    }
    exchange *ex = *state;
    if (*size > 0) {
        take_body(ex, bytes, *size);
        *size = 0;
        return MHD_YES;
    }
    kim_error err;
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u); /* an answer takes its time */
    if (read_request(ex, connection, url, method, &err) < 0)
        return answer_short(ex, connection, &err);
    return ex->found != NULL && ex->found->is_long ? answer_long(ex, connection)
                                                   : answer_short(ex, connection, NULL);
}

static void ended(void *context, struct MHD_Connection *connection, void **state,
                  enum MHD_RequestTerminationCode why)
{
    (void)context, (void)why;
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S);
    exchange_free(*state);
    *state = NULL;
}

/* ---- the socket ---- */

static bool somebody_listens(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool listens = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof *at) == 0;
    if (fd >= 0)
        close(fd);
    return listens;
}

static int listen_on(const char *path, kim_error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof at.sun_path)
        return kim_fail(err, KIM_ERR_IO, "the socket's path %.200s is longer than %zu bytes; configure a shorter one",
                        path, sizeof at.sun_path - 1);
    strcpy(at.sun_path, path);
    struct stat found;
    if (lstat(path, &found) == 0) {
        if (!S_ISSOCK(found.st_mode))
            return kim_fail(err, KIM_ERR_CONFLICT, "%s is there and is no socket; move it away", path);
        if (somebody_listens(&at))
            return kim_fail(err, KIM_ERR_CONFLICT, "another controller listens on %s; stop it, or configure another socket", path);
        unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* On Linux bind takes the file's mode from the descriptor: nobody ever sees a wider one. */
    if (fd < 0 || fchmod(fd, 0600) != 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        chmod(path, 0600) != 0 || listen(fd, BACKLOG) != 0) {
        kim_fail(err, KIM_ERR_IO, "cannot listen on %s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

http_server *http_start(const http_options *options, kim_error *err)
{
    http_server *server = calloc(1, sizeof *server);
    if (server == NULL || (server->socket_path = strdup(options->socket_path)) == NULL) {
        free(server);
        kim_fail(err, KIM_ERR_NOMEM, "no memory to start the API");
        return NULL;
    }
    server->role = options->role;
    server->store = options->store;
    server->backend = options->backend;
    server->pools = pools_new(options->catalogues_dir, err);
    int fd = server->pools != NULL ? listen_on(server->socket_path, err) : -1;
    if (fd >= 0) {
        server->daemon = MHD_start_daemon(
            MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC, 0, NULL,
            NULL, take, server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, ended, server,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MAX_BYTES, MHD_OPTION_END);
        if (server->daemon == NULL) {
            kim_fail(err, KIM_ERR_IO, "libmicrohttpd does not start on %s: %s", server->socket_path, strerror(errno));
            close(fd);
        }
    }
    if (server->daemon != NULL)
        return server;
    if (fd >= 0)
        unlink(server->socket_path);
    pools_free(server->pools);
    free(server->socket_path);
    free(server);
    return NULL;
}

void http_stop(http_server *server)
{
    if (server == NULL)
        return;
    unlink(server->socket_path);
    MHD_stop_daemon(server->daemon);
    pools_free(server->pools);
    free(server->socket_path);
    free(server);
}
