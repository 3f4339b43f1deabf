/* SPDX-License-Identifier: Apache-2.0
 *
 * agents.c - who may deliver, and for which scopes. The controller's ingest decides; this only says it in JSON.
 */
#include "controller/present/http/handlers.h"
#include "controller/present/http/members.h"

static void write_stream(kim_json_writer *to, const http_stream *stream)
{
    kim_json_begin_object(to);
    put_text(to, "name", stream->name);
    put_text(to, "provider", stream->provider);
    put_int(to, "generation", (int64_t)stream->generation);
    put_int(to, "records", (int64_t)stream->records);
    put_time(to, "committed_unix_ms", stream->committed_unix_ms);
    put_text(to, "problem", stream->problem);
    kim_json_end_object(to);
}

typedef struct listing {
    reply *rp;
    kim_error *err;
} listing;

static int write_agent(void *context, const http_agent *agent)
{
    listing *of = context;
    kim_json_writer *to = reply_writer(of->rp);
    kim_json_begin_object(to);
    put_text(to, "name", agent->name);
    put_text(to, "state", agent->state);
    kim_json_key(to, "scopes");
    kim_json_put_texts(to, agent->scopes);
    put_text(to, "key", agent->key);
    put_text(to, "version", agent->version);
    put_bool(to, "connected", agent->connected);
    put_time(to, "added_unix_ms", agent->added_unix_ms);
    put_time(to, "last_seen_unix_ms", agent->last_seen_unix_ms);
    kim_json_key(to, "streams");
    kim_json_begin_array(to);
    for (size_t i = 0; i < agent->stream_count; i++)
        write_stream(to, &agent->streams[i]);
    kim_json_end_array(to);
    kim_json_end_object(to);
    return reply_item(of->rp, of->err);
}

static int lacks(const char *what, kim_error *err)
{
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "this controller has no agents, so it cannot %s", what);
}

int list_agents(request *rq, reply *rp, kim_error *err)
{
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    kim_json_end_object(to);
    if (reply_open_list(rp, "agents", err) < 0)
        return -1;
    listing of = {.rp = rp, .err = err};
    if (rq->backend->agents != NULL && rq->backend->agents(rq->backend->context, write_agent, &of, err) != 0)
        return -1;
    return reply_close_list(rp, err);
}

static int read_new_agent(const request *rq, kim_text *name, kim_texts *scopes, kim_error *err)
{
    const kim_json *body = kim_json_parse((const char *)rq->body, rq->body_size, "body", rq->arena, err);
    if (body == NULL)
        return -1;
    for (size_t i = 0; kim_json_is(body, KIM_JSON_OBJECT) && i < body->count; i++)
        if (!kim_text_is(body->members[i].name, "name") && !kim_text_is(body->members[i].name, "scopes"))
            return kim_fail(err, KIM_ERR_INPUT, "body: unknown key '%.64s'; known are name, scopes",
                            kim_text_copy(rq->arena, body->members[i].name).bytes);
    *name = kim_json_text_of(body, "name");
    *scopes = kim_json_texts(kim_json_get(body, "scopes"), rq->arena);
    if (name->size == 0 || scopes->count == 0)
        return kim_fail(err, KIM_ERR_INPUT,
                        "body: a new agent needs a name and at least one scope: "
                        "{\"name\":\"web-17\",\"scopes\":[\"aws:111122223333\"]}");
    return 0;
}

int add_agent(request *rq, reply *rp, kim_error *err)
{
    kim_text name;
    kim_texts scopes;
    char token[HTTP_TOKEN_BYTES] = "";
    int64_t expires_unix_ms = 0;
    if (rq->backend->agent_add == NULL)
        return lacks("add one", err);
    http_status status = {0};
    if (read_new_agent(rq, &name, &scopes, err) < 0 ||
        (rq->backend->status != NULL && rq->backend->status(rq->backend->context, &status, err) < 0) ||
        rq->backend->agent_add(rq->backend->context, name, scopes, token, &expires_unix_ms, err) < 0)
        return -1;
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    put_text(to, "name", name);
    kim_json_key(to, "scopes");
    kim_json_put_texts(to, scopes);
    put_string(to, "token", token);
    put_time(to, "expires_unix_ms", expires_unix_ms);
    put_text(to, "controller", status.controller);
    put_text(to, "controller_enrol", status.controller_enrol);
    put_text(to, "controller_key", status.controller_key);
    kim_json_end_object(to);
    explicit_bzero(token, sizeof token);
    reply_set_status(rp, 201);
    return reply_document(rp, err);
}

static int answer_state(request *rq, reply *rp, const char *state, kim_error *err)
{
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    put_text(to, "name", rq->name);
    put_string(to, "state", state);
    kim_json_end_object(to);
    return reply_document(rp, err);
}

int approve_agent(request *rq, reply *rp, kim_error *err)
{
    if (rq->backend->agent_approve == NULL)
        return lacks("approve one", err);
    if (rq->backend->agent_approve(rq->backend->context, rq->name, err) < 0)
        return -1;
    return answer_state(rq, rp, "active", err);
}

int revoke_agent(request *rq, reply *rp, kim_error *err)
{
    if (rq->backend->agent_revoke == NULL)
        return lacks("revoke one", err);
    if (rq->backend->agent_revoke(rq->backend->context, rq->name, err) < 0)
        return -1;
    return answer_state(rq, rp, "revoked", err);
}
