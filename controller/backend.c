/* SPDX-License-Identifier: Apache-2.0
 *
 * backend.c - what the API asks, answered by the stages before it.
 */
#include "controller/controller.h"

_Static_assert((int)HTTP_TOKEN_BYTES >= (int)INGEST_TOKEN_BYTES, "a token fits the API's answer");

enum { SHOWN_STREAMS_MAX = 64 };

static estate *hold_estate(void *context)
{
    return current_hold(((controller *)context)->cu);
}

static estate *hold_estate_before(void *context)
{
    return current_hold_before(((controller *)context)->cu);
}

static int64_t now_unix_ms(void *context)
{
    (void)context;
    return controller_now_unix_ms();
}

static int tell_status(void *context, http_status *out, kim_error *err)
{
    controller *c = context;
    http_status status = {.started_unix_ms = c->started_unix_ms,
                          .published_unix_ms = current_published_unix_ms(c->cu)};
    if (c->in) {
        status.controller = kim_text_of(ingest_data_endpoint(c->in));
        status.controller_key = kim_text_of(c->key_text);
        if (*ingest_enrol_endpoint(c->in))
            status.controller_enrol = kim_text_of(ingest_enrol_endpoint(c->in));
    }
    if (store_usage_count(c->st, &status.usage_rows, err) < 0)
        return -1;
    *out = status;
    return 0;
}

/* ---- agents ---- */

typedef struct listing {
    http_agent_function *found;
    void *context;
} listing;

static int list_agent(void *context, const ingest_agent *a, kim_error *err)
{
    (void)err;
    const listing *list = context;
    http_stream streams[SHOWN_STREAMS_MAX];
    char key[INGEST_KEY_TEXT_BYTES];
    size_t count = a->provider_count < SHOWN_STREAMS_MAX ? a->provider_count : SHOWN_STREAMS_MAX;
    for (size_t i = 0; i < count; i++) {
        const ingest_provider *p = &a->providers[i];
        streams[i] = (http_stream){.name = p->name, .provider = p->plugin, .generation = p->generation,
                                   .records = p->records - p->refused,
                                   .committed_unix_ms = p->published_unix_ms, .problem = p->problem};
    }
    http_agent shown = {
        .name = a->kept.name, .state = kim_text_of(store_agent_state_name(a->kept.state)),
        .scopes = a->kept.scopes, .version = a->kept.version, .connected = a->connected,
        .added_unix_ms = a->kept.added_unix_ms, .last_seen_unix_ms = a->kept.last_seen_unix_ms,
        .streams = streams, .stream_count = count,
    };
    if (a->kept.enrolled_unix_ms) {
        ingest_key_text(a->kept.public_key, key);
        shown.key = kim_text_of(key);
    }
    return list->found(list->context, &shown);
}

static int list_agents(void *context, http_agent_function *found, void *found_context, kim_error *err)
{
    listing list = {found, found_context};
    return ingest_agents(((controller *)context)->in, list_agent, &list, err);
}

static int add_agent(void *context, kim_text name, kim_texts scopes, char token[HTTP_TOKEN_BYTES],
                     int64_t *expires_unix_ms, kim_error *err)
{
    return ingest_agent_add(((controller *)context)->in, name, scopes, token, expires_unix_ms, err);
}

static int approve_agent(void *context, kim_text name, kim_error *err)
{
    return ingest_agent_approve(((controller *)context)->in, name, err);
}

static int revoke_agent(void *context, kim_text name, kim_error *err)
{
    return ingest_agent_revoke(((controller *)context)->in, name, err);
}

/* ---- private controllers ---- */

static int import_records(void *context, const uint8_t *records, size_t size, uint64_t *count, kim_error *err)
{
    return ingest_import(((controller *)context)->st, records, size, count, err);
}

static int publish_import(void *context, kim_error *err)
{
    controller *c = context;
    if (ingest_import_publish(c->st, controller_now_unix_ms(), err) < 0)
        return -1;
    return current_build(c->cu, true, err);
}

http_backend controller_backend(controller *c)
{
    http_backend backend = {.context = c, .estate = hold_estate, .now_unix_ms = now_unix_ms, .status = tell_status};
    if (c->is_private) {
        current_keep_before(c->cu);
        backend.estate_before = hold_estate_before;
        backend.import = import_records;
        backend.publish = publish_import;
    } else {
        backend.agents = list_agents;
        backend.agent_add = add_agent;
        backend.agent_approve = approve_agent;
        backend.agent_revoke = revoke_agent;
    }
    return backend;
}
