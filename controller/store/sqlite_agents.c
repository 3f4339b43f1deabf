/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_agents.c - who may send, for which scopes, and the tokens that let an agent in once.
 */
#include "controller/store/sqlite.h"

#include <stdio.h>

const char *store_agent_state_name(store_agent_state state)
{
    static const char *const names[] = {
        [STORE_AGENT_INVITED] = "invited",
        [STORE_AGENT_PENDING] = "pending",
        [STORE_AGENT_ACTIVE] = "active",
        [STORE_AGENT_REVOKED] = "revoked",
    };
    return state >= STORE_AGENT_INVITED && state <= STORE_AGENT_REVOKED ? names[state] : "unknown";
}

/* ---- reading ---- */

static int read_scopes(sqlite3_stmt *scopes, kim_text agent, kim_arena *arena, kim_texts *out, kim_error *err)
{
    kim_text *items = NULL;
    size_t count = 0, room = 0;
    int result;
    bind_text(scopes, 1, agent);
    while ((result = step(scopes, err)) > 0) {
        if (count == room) {
            room = room ? room * 2 : 8;
            kim_text *more = KIM_NEW_ARRAY(arena, kim_text, room);
            if (more && count)
                memcpy(more, items, count * sizeof *items);
            items = more;
        }
        if (!items)
            break;
        items[count++] = kim_text_copy(arena, column_text(scopes, 0));
    }
    sqlite3_reset(scopes);
    if (kim_arena_is_full(arena))
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the scopes of an agent");
    *out = (kim_texts){items, count};
    return result < 0 ? -1 : 0;
}

static store_agent read_agent(sqlite3_stmt *row)
{
    store_agent agent = {
        .name = column_text(row, 0),
        .state = (store_agent_state)sqlite3_column_int(row, 2),
        .added_unix_ms = sqlite3_column_int64(row, 3),
        .enrolled_unix_ms = sqlite3_column_int64(row, 4),
        .last_seen_unix_ms = sqlite3_column_int64(row, 5),
        .version = column_text(row, 6),
    };
    if (sqlite3_column_bytes(row, 1) == sizeof agent.public_key)
        memcpy(agent.public_key, sqlite3_column_blob(row, 1), sizeof agent.public_key);
    return agent;
}

int store_agents(store *st, store_agent_function *each, void *context, kim_error *err)
{
    connection *c = read_begin(st, err);
    if (!c)
        return -1;
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    sqlite3_stmt *walk = new_statement(
        c, "select name, public_key, state, added_ms, enrolled_ms, seen_ms, version from agent order by name", err);
    sqlite3_stmt *scopes =
        walk ? new_statement(c, "select scope from agent_scope where agent=?1 order by scope", err) : NULL;
    int result = scopes && arena ? 0 : scopes ? kim_fail(err, KIM_ERR_NOMEM, "no memory for the agents") : -1;
    while (result == 0 && (result = step(walk, err)) > 0) {
        kim_arena_reset(arena);
        store_agent agent = read_agent(walk);
        result = read_scopes(scopes, agent.name, arena, &agent.scopes, err);
        if (result == 0)
            result = each(context, &agent, err);
    }
    sqlite3_finalize(walk);
    sqlite3_finalize(scopes);
    kim_arena_free(arena);
    read_end(st, c);
    return result;
}

/* The state of the agent of that name: 0 where there is none; -1 with err. */
static int state_of(store *st, kim_text name, bool *has_key, kim_error *err)
{
    sqlite3_stmt *find =
        kept_statement(&st->writer, "select state, public_key is not null from agent where name=?1", err);
    if (!find)
        return -1;
    bind_text(find, 1, name);
    int result = step(find, err);
    if (result > 0) {
        result = sqlite3_column_int(find, 0);
        *has_key = sqlite3_column_int(find, 1) != 0;
    }
    sqlite3_reset(find);
    return result;
}

/* ---- writing ---- */

static int run_with_name(store *st, const char *sql, kim_text name, kim_error *err)
{
    sqlite3_stmt *statement = kept_statement(&st->writer, sql, err);
    if (!statement)
        return -1;
    bind_text(statement, 1, name);
    return run(statement, err);
}

static int put_agent(store *st, const store_agent *agent, kim_error *err)
{
    static const uint8_t none[STORE_KEY_BYTES];
    sqlite3_stmt *put = kept_statement(
        &st->writer, "insert into agent values(?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict(name) do update set"
                     " public_key=excluded.public_key, state=excluded.state, added_ms=excluded.added_ms,"
                     " enrolled_ms=excluded.enrolled_ms, seen_ms=excluded.seen_ms, version=excluded.version",
        err);
    if (!put)
        return -1;
    bool has_key = memcmp(agent->public_key, none, sizeof none) != 0;
    bind_text(put, 1, agent->name);
    bind_blob(put, 2, has_key ? agent->public_key : NULL, sizeof agent->public_key);
    sqlite3_bind_int(put, 3, (int)agent->state);
    sqlite3_bind_int64(put, 4, agent->added_unix_ms);
    sqlite3_bind_int64(put, 5, agent->enrolled_unix_ms);
    sqlite3_bind_int64(put, 6, agent->last_seen_unix_ms);
    bind_text(put, 7, agent->version);
    return run(put, err);
}

static int put_scopes(store *st, const store_agent *agent, kim_error *err)
{
    if (run_with_name(st, "delete from agent_scope where agent=?1", agent->name, err) < 0)
        return -1;
    for (size_t i = 0; i < agent->scopes.count; i++) {
        sqlite3_stmt *put =
            kept_statement(&st->writer, "insert or ignore into agent_scope values(?1, ?2)", err);
        if (!put)
            return -1;
        bind_text(put, 1, agent->name);
        bind_text(put, 2, agent->scopes.items[i]);
        if (run(put, err) < 0)
            return -1;
    }
    return 0;
}

static int add_agent(store *st, const store_agent *agent, kim_error *err)
{
    bool has_key = false;
    int held = state_of(st, agent->name, &has_key, err);
    if (held < 0)
        return -1;
    if (held != 0 && held != STORE_AGENT_REVOKED && held != STORE_AGENT_INVITED)
        return kim_fail(err, KIM_ERR_CONFLICT,
                        "agent %.*s is enrolled already (%s); revoke it first, or choose another name",
                        KIM_PRINT(agent->name), store_agent_state_name((store_agent_state)held));
    /* Tokens made for the one before it are good no longer. */
    if (run_with_name(st, "delete from token where agent=?1", agent->name, err) < 0 ||
        put_agent(st, agent, err) < 0)
        return -1;
    return put_scopes(st, agent, err);
}

int store_agent_add(store *st, const store_agent *agent, kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    return write_end(st, add_agent(st, agent, err), err);
}

static int no_such_agent(kim_text name, kim_error *err)
{
    return kim_fail(err, KIM_ERR_NOT_FOUND, "there is no agent %.*s", KIM_PRINT(name));
}

static int set_state(store *st, kim_text name, store_agent_state state, kim_error *err)
{
    bool has_key = false;
    int held = state_of(st, name, &has_key, err);
    if (held <= 0)
        return held < 0 ? -1 : no_such_agent(name, err);
    if (state == STORE_AGENT_ACTIVE && !has_key)
        return kim_fail(err, KIM_ERR_CONFLICT,
                        "agent %.*s has not enrolled yet: its token waits to be used", KIM_PRINT(name));
    if (state == STORE_AGENT_ACTIVE && held == STORE_AGENT_REVOKED)
        return kim_fail(err, KIM_ERR_CONFLICT,
                        "agent %.*s was revoked: add it again, so that it comes with a new key",
                        KIM_PRINT(name));
    sqlite3_stmt *set = kept_statement(&st->writer, "update agent set state=?2 where name=?1", err);
    if (!set)
        return -1;
    bind_text(set, 1, name);
    sqlite3_bind_int(set, 2, (int)state);
    return run(set, err);
}

int store_agent_set_state(store *st, kim_text name, store_agent_state state, kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    return write_end(st, set_state(st, name, state, err), err);
}

static int see(store *st, kim_text name, kim_text version, int64_t at_unix_ms, kim_error *err)
{
    sqlite3_stmt *set = kept_statement(
        &st->writer, "update agent set seen_ms=max(seen_ms, ?2), version=coalesce(?3, version) where name=?1", err);
    if (!set)
        return -1;
    bind_text(set, 1, name);
    sqlite3_bind_int64(set, 2, at_unix_ms);
    bind_text(set, 3, version);
    return run(set, err);
}

int store_agent_seen(store *st, kim_text name, kim_text version, int64_t at_unix_ms, kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    return write_end(st, see(st, name, version, at_unix_ms, err), err);
}

static int set_key(store *st, kim_text name, const uint8_t *key, kim_error *err)
{
    sqlite3_stmt *set = kept_statement(&st->writer, "update agent set public_key=?2 where name=?1", err);
    if (!set)
        return -1;
    bind_text(set, 1, name);
    bind_blob(set, 2, key, STORE_KEY_BYTES);
    if (run(set, err) < 0)
        return -1;
    return sqlite3_changes(st->writer.db) ? 0 : no_such_agent(name, err);
}

int store_agent_set_key(store *st, kim_text name, const uint8_t key[STORE_KEY_BYTES], kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    return write_end(st, set_key(st, name, key, err), err);
}

/* ---- tokens ---- */

static int add_token(store *st, const uint8_t *hash, kim_text agent, int64_t expires_unix_ms, kim_error *err)
{
    sqlite3_stmt *put = kept_statement(&st->writer, "insert into token values(?1, ?2, ?3, null)", err);
    if (!put)
        return -1;
    bind_blob(put, 1, hash, STORE_TOKEN_HASH_BYTES);
    bind_text(put, 2, agent);
    sqlite3_bind_int64(put, 3, expires_unix_ms);
    return run(put, err);
}

int store_token_add(store *st, const uint8_t hash[STORE_TOKEN_HASH_BYTES], kim_text agent,
                    int64_t expires_unix_ms, kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    return write_end(st, add_token(st, hash, agent, expires_unix_ms, err), err);
}

typedef struct token {
    char agent[KIM_NAME_MAX_BYTES + 1];
    int64_t expires_unix_ms;
    bool is_spent, by_this_key;
} token;

static int read_token(store *st, const uint8_t *hash, const uint8_t *key, token *out, kim_error *err)
{
    sqlite3_stmt *find = kept_statement(
        &st->writer, "select agent, expires_ms, spent_by is not null, spent_by is ?2 from token where hash=?1", err);
    if (!find)
        return -1;
    bind_blob(find, 1, hash, STORE_TOKEN_HASH_BYTES);
    bind_blob(find, 2, key, STORE_KEY_BYTES);
    int result = step(find, err);
    if (result > 0) {
        snprintf(out->agent, sizeof out->agent, "%s", (const char *)sqlite3_column_text(find, 0));
        out->expires_unix_ms = sqlite3_column_int64(find, 1);
        out->is_spent = sqlite3_column_int(find, 2) != 0;
        out->by_this_key = sqlite3_column_int(find, 3) != 0;
    }
    sqlite3_reset(find);
    return result;
}

static int enrol(store *st, const token *t, const uint8_t *hash, const uint8_t *key,
                 store_agent_state state, int64_t at_unix_ms, kim_error *err)
{
    sqlite3_stmt *spend = kept_statement(&st->writer, "update token set spent_by=?2 where hash=?1", err);
    if (!spend)
        return -1;
    bind_blob(spend, 1, hash, STORE_TOKEN_HASH_BYTES);
    bind_blob(spend, 2, key, STORE_KEY_BYTES);
    if (run(spend, err) < 0)
        return -1;
    sqlite3_stmt *set = kept_statement(
        &st->writer, "update agent set public_key=?2, state=?3, enrolled_ms=?4 where name=?1", err);
    if (!set)
        return -1;
    bind_text(set, 1, kim_text_of(t->agent));
    bind_blob(set, 2, key, STORE_KEY_BYTES);
    sqlite3_bind_int(set, 3, (int)state);
    sqlite3_bind_int64(set, 4, at_unix_ms);
    return run(set, err);
}

static int spend_token(store *st, const uint8_t *hash, const uint8_t *key, store_agent_state state,
                       int64_t at_unix_ms, token *t, kim_error *err)
{
    int result = read_token(st, hash, key, t, err);
    if (result < 0)
        return -1;
    if (result == 0)
        return kim_fail(err, KIM_ERR_DENIED, "this token is not known; make one with kim agent add");
    bool has_key = false;
    int held = state_of(st, kim_text_of(t->agent), &has_key, err);
    if (held < 0)
        return -1;
    if (held == 0 || held == STORE_AGENT_REVOKED)
        return kim_fail(err, KIM_ERR_DENIED, "agent %s was revoked; add it again", t->agent);
    if (t->is_spent)
        return t->by_this_key ? 0
                              : kim_fail(err, KIM_ERR_DENIED,
                                         "the token of agent %s was used by another key; make a new one",
                                         t->agent);
    if (t->expires_unix_ms && t->expires_unix_ms <= at_unix_ms)
        return kim_fail(err, KIM_ERR_DENIED, "the token of agent %s is out of date; make a new one", t->agent);
    return enrol(st, t, hash, key, state, at_unix_ms, err);
}

int store_token_spend(store *st, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                      const uint8_t key[STORE_KEY_BYTES], store_agent_state state, int64_t at_unix_ms,
                      char *name, kim_error *err)
{
    token t = {.agent = ""};
    if (write_begin(st, err) < 0)
        return -1;
    int result = write_end(st, spend_token(st, hash, key, state, at_unix_ms, &t, err), err);
    if (result == 0)
        memcpy(name, t.agent, strlen(t.agent) + 1);
    return result;
}
