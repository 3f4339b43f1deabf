/* SPDX-License-Identifier: Apache-2.0
 *
 * routes.h - the whole API as one table, and what a handler gets.
 */
#ifndef KIM_HTTP_ROUTES_H
#define KIM_HTTP_ROUTES_H

#include "controller/present/http/http.h"
#include "controller/present/http/pools.h"
#include "controller/present/http/reply.h"

enum { HTTP_PARAMS_MAX = 256 };

/* One request. All of it ends with the answer. */
typedef struct request {
    const char *method;
    kim_text path;             /* percent-decoded */
    http_role role;            /* of the caller */
    kim_pair *params;          /* [param_count], percent-decoded, in the order given */
    size_t param_count;
    const uint8_t *body;
    size_t body_size;
    kim_text name;             /* what stands at {name} in the route's path; set by routes_answer */
    const http_backend *backend;
    store *store;              /* NULL: there is none */
    pools *pools;
    kim_arena *arena;
} request;

/* Writes the answer. Returns 0, or -1 with err, which becomes the answer's error. */
typedef int route_handler(request *rq, reply *rp, kim_error *err);

typedef struct route {
    const char *method;
    const char *path;     /* may have one {name}, which stands for one part of a path */
    http_role role;       /* at least this one */
    route_handler *handler;
    bool is_long;         /* the answer may be of any length: it is streamed */
    const char *params;   /* names with a space between; NAME! must be there, NAME* may be repeated */
} route;

/* [*count], in the order of doc/api.md. */
const route *routes_all(size_t *count);

/* The route of a method and a path, and what stands at {name}. NULL: none; *allowed is then the
 * methods that the path has ("GET, POST"; in arena), or absent where there is no such path. */
const route *routes_find(const char *method, kim_text path, kim_text *name, kim_text *allowed,
                         kim_arena *arena);

/* Finds the route, checks the caller and the parameters, and answers, errors too. Cannot fail: what
 * goes wrong is in the answer. */
void routes_answer(request *rq, const route *found, kim_text allowed, reply *rp);

/* The HTTP status of an error's code. */
unsigned routes_status_of(kim_code code);

/* The value of a parameter; absent where it was not given. */
kim_text request_param(const request *rq, const char *name);
/* All values of a repeated one; [count] in the request's arena; absent where none was given. */
kim_texts request_params(const request *rq, const char *name);
/* A whole number within bounds; `otherwise` where it was not given. Errors: KIM_ERR_INPUT */
int request_number(const request *rq, const char *name, int64_t min, int64_t max, int64_t otherwise,
                   int64_t *out, kim_error *err);
/* Each value of a parameter is one of `known`, "this, that, another". Errors: KIM_ERR_INPUT */
int request_check_choice(const request *rq, const char *name, const char *known, kim_error *err);
/* The moment that windows of usage are counted back from: where the newest log that was read ends (an
 * archive may be old), or now where there is none. */
int64_t request_usage_end_unix_ms(const request *rq, const estate *es);
/* The identity of that id; or of that name, where only one has it (a group only where nobody else has
 * it). NULL: none. Errors: KIM_ERR_CONFLICT
 * (several have the name: names some), KIM_ERR_NOT_FOUND */
const kim_record *request_find_identity(const estate *es, kim_text id_or_name, kim_error *err);
/* Where the parameter `identity` is the name of an identity, it becomes that one's id. What is neither
 * stays as it is: there are callers that no estate holds. Errors: KIM_ERR_CONFLICT */
int request_name_identity(request *rq, const estate *es, kim_error *err);
/* The estate in force, which the caller releases. Errors: KIM_ERR_CONFLICT where there is none yet. */
estate *request_estate(const request *rq, kim_error *err);

#endif
