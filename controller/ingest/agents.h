/* SPDX-License-Identifier: Apache-2.0
 *
 * agents.h - who may send, in memory beside the store: one look-up for each message.
 *
 * An entry is never freed nor its name, scopes and key changed while the registry is open, so that the
 * one who found it may go on reading those without the lock. A name that is invited anew gets a new
 * entry; the old one stays known as revoked.
 */
#ifndef INGEST_AGENTS_H
#define INGEST_AGENTS_H

#include "controller/ingest/ingest.h"

typedef struct agents agents;
typedef struct agent agent;

agents *agents_open(store *st, kim_error *err);
void agents_close(agents *all); /* NULL is fine */
size_t agents_count(agents *all);

/* The agent of that key and its state now; NULL where none has it. */
agent *agents_find(agents *all, const uint8_t key[STORE_KEY_BYTES], store_agent_state *state);
kim_text agent_name(const agent *a);
/* A place for the session of the agent, which ingest's thread alone reads and writes; NULL at first.
 * What is put there is freed with the registry, by free(). */
struct session **agent_session(agent *a);
/* May it define records in that scope? */
bool agent_speaks_for(const agent *a, kim_text scope);

/* Administration; ingest.h says what they do. Not by a thread that has a group open in the store. */
int agents_invite(agents *all, kim_text name, kim_texts scopes, int64_t now_unix_ms,
                  int64_t expires_unix_ms, char token[INGEST_TOKEN_BYTES], kim_error *err);
int agents_set_state(agents *all, kim_text name, store_agent_state state, kim_error *err);
/* An agent comes with its token and its key.
 * NULL with err: KIM_ERR_DENIED, KIM_ERR_CONFLICT (another has that key), and those of the store */
const agent *agents_enrol(agents *all, kim_text token, const uint8_t key[STORE_KEY_BYTES],
                          store_agent_state state, int64_t now_unix_ms, kim_error *err);

/* What the agent told of itself; for the list. */
void agents_heard(agents *all, agent *a, bool connected, int64_t at_unix_ms);
void agents_set_version(agents *all, agent *a, kim_text version);
/* plugin absent, problem absent: as before; problem empty: well again. */
void agents_set_provider(agents *all, agent *a, kim_text provider, kim_text plugin, bool unsigned_plugin,
                         kim_text problem);
int agents_list(agents *all, ingest_agent_function *each, void *context, kim_error *err);

#endif
