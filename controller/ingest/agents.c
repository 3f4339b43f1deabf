/* SPDX-License-Identifier: Apache-2.0
 *
 * agents.c - a table of agents, found by key through a hash of slots.
 *
 * Keys are points on a curve, as good as random, so their first bytes are the hash. Whatever changes
 * who may send is written to the store first; the table follows. Two locks: `administration` is held
 * over such a change, `lock` only over a look at the table. So the thread that has a group open in the
 * store may look, while another waits for the store.
 */
#include "controller/ingest/agents.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AGENT_NAME_MAX_BYTES = 128,   /* doc/protocol.md */
    AGENT_MAX_PROVIDERS = 64,     /* 64 streams, two a provider: with room for renamed ones */
    PROBLEM_MAX_BYTES = 1024,     /* a reason on the wire */
    TOKEN_SECRET_BYTES = 32,
};

typedef struct provider {
    char *name, *plugin, *problem; /* plugin, problem: may be NULL */
    bool unsigned_plugin;
} provider;

struct agent {
    char *name;
    kim_texts scopes;           /* one block with their bytes */
    uint8_t key[STORE_KEY_BYTES];
    bool has_key;
    struct session *session;    /* ingest's thread's own */
    /* below: under the lock */
    store_agent_state state;
    bool is_current;            /* not replaced by one of the same name */
    int64_t added_unix_ms, enrolled_unix_ms, last_seen_unix_ms;
    bool connected;
    char *version;
    provider providers[AGENT_MAX_PROVIDERS];
    size_t provider_count;
};

struct agents {
    store *st;
    pthread_mutex_t administration;
    pthread_mutex_t lock;
    agent **items; /* [count]; changed under both locks */
    size_t count, room;
    agent **slots; /* [slot_count], a power of two: by key */
    size_t slot_count;
};

/* ---- entries ---- */

static char *copy(kim_text text)
{
    char *out = malloc(text.size + 1);
    if (out) {
        if (text.size)
            memcpy(out, text.bytes, text.size);
        out[text.size] = 0;
    }
    return out;
}

static bool copy_scopes(agent *a, kim_texts scopes)
{
    size_t bytes = scopes.count * sizeof(kim_text) + 1;
    for (size_t i = 0; i < scopes.count; i++)
        bytes += scopes.items[i].size;
    kim_text *items = malloc(bytes);
    if (!items)
        return false;
    char *at = (char *)(items + scopes.count);
    for (size_t i = 0; i < scopes.count; i++) {
        items[i] = (kim_text){memcpy(at, scopes.items[i].bytes, scopes.items[i].size), scopes.items[i].size};
        at += scopes.items[i].size;
    }
    a->scopes = (kim_texts){items, scopes.count};
    return true;
}

static void free_agent(agent *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->provider_count; i++) {
        free(a->providers[i].name);
        free(a->providers[i].plugin);
        free(a->providers[i].problem);
    }
    free(a->session);
    free(a->version);
    free(a->name);
    free((void *)a->scopes.items);
    free(a);
}

static agent *new_agent(const store_agent *kept)
{
    static const uint8_t none[STORE_KEY_BYTES];
    agent *a = calloc(1, sizeof *a);
    if (!a || !(a->name = copy(kept->name)) || !copy_scopes(a, kept->scopes)) {
        free_agent(a);
        return NULL;
    }
    memcpy(a->key, kept->public_key, sizeof a->key);
    a->has_key = memcmp(a->key, none, sizeof none) != 0;
    a->state = kept->state;
    a->is_current = true;
    a->added_unix_ms = kept->added_unix_ms;
    a->enrolled_unix_ms = kept->enrolled_unix_ms;
    a->last_seen_unix_ms = kept->last_seen_unix_ms;
    a->version = kim_text_is_absent(kept->version) ? NULL : copy(kept->version);
    return a;
}

/* ---- the table ---- */

static agent **find_slot(agent **slots, size_t slot_count, const uint8_t *key)
{
    size_t at;
    memcpy(&at, key, sizeof at);
    for (at &= slot_count - 1; slots[at]; at = (at + 1) & (slot_count - 1))
        if (memcmp(slots[at]->key, key, STORE_KEY_BYTES) == 0)
            break;
    return &slots[at];
}

/* Room for one more agent and its key; afterwards nothing can fail. */
static int reserve(agents *all, kim_error *err)
{
    if (all->count == all->room) {
        size_t room = all->room ? all->room * 2 : 64;
        agent **items = realloc(all->items, room * sizeof *items);
        if (!items)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for %zu agents", room);
        all->items = items;
        all->room = room;
    }
    if ((all->count + 1) * 2 > all->slot_count) {
        size_t slot_count = all->slot_count ? all->slot_count * 2 : 128;
        agent **slots = calloc(slot_count, sizeof *slots);
        if (!slots)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for %zu agents", all->count + 1);
        for (size_t i = 0; i < all->count; i++)
            if (all->items[i]->has_key)
                *find_slot(slots, slot_count, all->items[i]->key) = all->items[i];
        free(all->slots);
        all->slots = slots;
        all->slot_count = slot_count;
    }
    return 0;
}

static void enter(agents *all, agent *a)
{
    all->items[all->count++] = a;
    if (a->has_key)
        *find_slot(all->slots, all->slot_count, a->key) = a;
}

static agent *find_name(const agents *all, kim_text name)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i]->is_current && kim_text_is(name, all->items[i]->name))
            return all->items[i];
    return NULL;
}

static int load_one(void *context, const store_agent *kept, kim_error *err)
{
    agents *all = context;
    if (reserve(all, err) < 0)
        return -1;
    agent *a = new_agent(kept);
    if (!a)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the agents");
    enter(all, a);
    return 0;
}

agents *agents_open(store *st, kim_error *err)
{
    agents *all = calloc(1, sizeof *all);
    if (!all) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory for the agents");
        return NULL;
    }
    all->st = st;
    pthread_mutex_init(&all->lock, NULL);
    pthread_mutex_init(&all->administration, NULL);
    if (reserve(all, err) < 0 || store_agents(st, load_one, all, err) != 0) {
        agents_close(all);
        return NULL;
    }
    return all;
}

void agents_close(agents *all)
{
    if (!all)
        return;
    for (size_t i = 0; i < all->count; i++)
        free_agent(all->items[i]);
    free(all->items);
    free(all->slots);
    pthread_mutex_destroy(&all->lock);
    pthread_mutex_destroy(&all->administration);
    free(all);
}

size_t agents_count(agents *all)
{
    pthread_mutex_lock(&all->lock);
    size_t count = all->count;
    pthread_mutex_unlock(&all->lock);
    return count;
}

agent *agents_find(agents *all, const uint8_t key[STORE_KEY_BYTES], store_agent_state *state)
{
    pthread_mutex_lock(&all->lock);
    agent *a = *find_slot(all->slots, all->slot_count, key);
    if (a)
        *state = a->state;
    pthread_mutex_unlock(&all->lock);
    return a;
}

kim_text agent_name(const agent *a)
{
    return kim_text_of(a->name);
}

struct session **agent_session(agent *a)
{
    return &a->session;
}

static bool covers(kim_text granted, kim_text scope)
{
    if (granted.size && granted.bytes[granted.size - 1] == '*')
        return kim_text_starts_with(scope, (kim_text){granted.bytes, granted.size - 1});
    if (!kim_text_starts_with(scope, granted))
        return false;
    return scope.size == granted.size || scope.bytes[granted.size] == '/';
}

bool agent_speaks_for(const agent *a, kim_text scope)
{
    for (size_t i = 0; i < a->scopes.count; i++)
        if (covers(a->scopes.items[i], scope))
            return true;
    return false;
}

/* ---- administration ---- */

static int check_name(kim_text name, kim_error *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    bool sound = name.size > 0 && name.size <= AGENT_NAME_MAX_BYTES && name.bytes[0] != '.' && name.bytes[0] != '-';
    for (size_t i = 0; sound && i < name.size; i++)
        sound = name.bytes[i] && strchr(allowed, name.bytes[i]);
    return sound ? 0
                 : kim_fail(err, KIM_ERR_INPUT,
                            "'%.*s' is no name for an agent: use 1 to %d letters, digits, '.', '_' and '-',"
                            " a letter, digit or '_' first",
                            (int)(name.size < 200 ? name.size : 200), name.bytes ? name.bytes : "", AGENT_NAME_MAX_BYTES);
}

static int check_scopes(kim_texts scopes, kim_error *err)
{
    if (scopes.count == 0 || scopes.count > INGEST_AGENT_MAX_SCOPES)
        return kim_fail(err, KIM_ERR_INPUT, "an agent speaks for 1 to %d scopes, such as aws:111122223333; not %zu",
                        INGEST_AGENT_MAX_SCOPES, scopes.count);
    for (size_t i = 0; i < scopes.count; i++) {
        kim_text scope = scopes.items[i];
        const char *colon = scope.size && scope.size <= KIM_ID_MAX_BYTES ? memchr(scope.bytes, ':', scope.size) : NULL;
        if (!colon || colon == scope.bytes || colon + 1 == scope.bytes + scope.size)
            return kim_fail(err, KIM_ERR_INPUT,
                            "'%.*s' is no scope: write a kind and an id, such as aws:111122223333 or aws:*",
                            (int)(scope.size < 200 ? scope.size : 200), scope.bytes ? scope.bytes : "");
    }
    return 0;
}

static void hash_token(kim_text token, uint8_t hash[STORE_TOKEN_HASH_BYTES])
{
    crypto_generichash(hash, STORE_TOKEN_HASH_BYTES, (const uint8_t *)token.bytes, token.size, NULL, 0);
}

static void make_token(char token[INGEST_TOKEN_BYTES])
{
    uint8_t secret[TOKEN_SECRET_BYTES];
    randombytes_buf(secret, sizeof secret);
    memcpy(token, "kim-", 4);
    sodium_bin2base64(token + 4, INGEST_TOKEN_BYTES - 4, secret, sizeof secret,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(secret, sizeof secret);
}

/* Agent and token in one transaction. */
static int keep_invitation(store *st, const store_agent *invited, const char *token,
                           int64_t expires_unix_ms, kim_error *err)
{
    uint8_t hash[STORE_TOKEN_HASH_BYTES];
    hash_token(kim_text_of(token), hash);
    if (store_begin(st, err) < 0)
        return -1;
    if (store_agent_add(st, invited, err) < 0 ||
        store_token_add(st, hash, invited->name, expires_unix_ms, err) < 0) {
        store_abandon(st);
        return -1;
    }
    return store_commit(st, err);
}

/* The entry takes the place of the one of its name; reserve() made room. */
static void replace(agents *all, agent *a)
{
    pthread_mutex_lock(&all->lock);
    agent *before = find_name(all, kim_text_of(a->name));
    if (before) {
        before->is_current = false;
        before->state = STORE_AGENT_REVOKED;
    }
    enter(all, a);
    pthread_mutex_unlock(&all->lock);
}

int agents_invite(agents *all, kim_text name, kim_texts scopes, int64_t now_unix_ms,
                  int64_t expires_unix_ms, char token[INGEST_TOKEN_BYTES], kim_error *err)
{
    if (check_name(name, err) < 0 || check_scopes(scopes, err) < 0)
        return -1;
    const store_agent invited = {.name = name, .scopes = scopes, .state = STORE_AGENT_INVITED,
                                 .added_unix_ms = now_unix_ms};
    agent *a = new_agent(&invited);
    if (!a)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for an agent");
    char made[INGEST_TOKEN_BYTES];
    make_token(made);

    pthread_mutex_lock(&all->administration);
    pthread_mutex_lock(&all->lock);
    int result = reserve(all, err);
    pthread_mutex_unlock(&all->lock);
    if (result == 0 && (result = keep_invitation(all->st, &invited, made, expires_unix_ms, err)) == 0) {
        replace(all, a);
        memcpy(token, made, sizeof made);
    }
    pthread_mutex_unlock(&all->administration);
    sodium_memzero(made, sizeof made);
    if (result < 0)
        free_agent(a);
    return result;
}

int agents_set_state(agents *all, kim_text name, store_agent_state state, kim_error *err)
{
    pthread_mutex_lock(&all->administration);
    int result = store_agent_set_state(all->st, name, state, err);
    pthread_mutex_lock(&all->lock);
    agent *a = result == 0 ? find_name(all, name) : NULL;
    if (a) {
        a->state = state;
        a->connected &= state == STORE_AGENT_ACTIVE;
    }
    pthread_mutex_unlock(&all->lock);
    pthread_mutex_unlock(&all->administration);
    return result;
}

/* The invited agent gets its key; where its token came again, it has it. */
static agent *give_key(agents *all, kim_text name, const uint8_t *key, store_agent_state state,
                       int64_t now_unix_ms)
{
    pthread_mutex_lock(&all->lock);
    agent *a = find_name(all, name);
    if (a && !a->has_key) {
        memcpy(a->key, key, sizeof a->key);
        a->has_key = true;
        a->state = state;
        a->enrolled_unix_ms = now_unix_ms;
        *find_slot(all->slots, all->slot_count, key) = a;
    }
    pthread_mutex_unlock(&all->lock);
    return a;
}

const agent *agents_enrol(agents *all, kim_text token, const uint8_t key[STORE_KEY_BYTES],
                          store_agent_state state, int64_t now_unix_ms, kim_error *err)
{
    uint8_t hash[STORE_TOKEN_HASH_BYTES];
    char name[KIM_NAME_MAX_BYTES + 1];
    agent *a = NULL;
    hash_token(token, hash);
    pthread_mutex_lock(&all->administration);
    if (store_token_spend(all->st, hash, key, state, now_unix_ms, name, err) == 0 &&
        !(a = give_key(all, kim_text_of(name), key, state, now_unix_ms)))
        kim_fail(err, KIM_ERR_INTERNAL, "agent %s is in the store only; restart the controller", name);
    pthread_mutex_unlock(&all->administration);
    return a;
}

/* ---- what agents tell ---- */

void agents_heard(agents *all, agent *a, bool connected, int64_t at_unix_ms)
{
    pthread_mutex_lock(&all->lock);
    a->connected = connected;
    if (at_unix_ms > a->last_seen_unix_ms)
        a->last_seen_unix_ms = at_unix_ms;
    pthread_mutex_unlock(&all->lock);
}

/* Without memory the old text stays: it is only shown. */
static void replace_text(char **held, kim_text text)
{
    char *fresh = copy(text);
    if (fresh) {
        free(*held);
        *held = fresh;
    }
}

void agents_set_version(agents *all, agent *a, kim_text version)
{
    pthread_mutex_lock(&all->lock);
    replace_text(&a->version, version);
    pthread_mutex_unlock(&all->lock);
}

static provider *provider_of(agent *a, kim_text name)
{
    for (size_t i = 0; i < a->provider_count; i++)
        if (kim_text_is(name, a->providers[i].name))
            return &a->providers[i];
    if (a->provider_count == AGENT_MAX_PROVIDERS)
        return NULL;
    provider *p = &a->providers[a->provider_count];
    *p = (provider){.name = copy(name)};
    a->provider_count += p->name != NULL;
    return p->name ? p : NULL;
}

void agents_set_provider(agents *all, agent *a, kim_text name, kim_text plugin, bool unsigned_plugin,
                         kim_text problem)
{
    pthread_mutex_lock(&all->lock);
    provider *p = provider_of(a, name);
    if (p && !kim_text_is_absent(plugin)) {
        replace_text(&p->plugin, plugin);
        p->unsigned_plugin = unsigned_plugin;
    }
    if (p && !kim_text_is_absent(problem)) {
        problem.size = problem.size < PROBLEM_MAX_BYTES ? problem.size : PROBLEM_MAX_BYTES;
        replace_text(&p->problem, problem);
    }
    pthread_mutex_unlock(&all->lock);
}

/* ---- the list ---- */

/* A copy of one entry, so that the caller's function runs without the lock. */
static void describe(const agent *a, kim_arena *arena, ingest_agent *out)
{
    *out = (ingest_agent){
        .kept = {.name = kim_text_copy(arena, kim_text_of(a->name)), .scopes = a->scopes, .state = a->state,
                 .added_unix_ms = a->added_unix_ms, .enrolled_unix_ms = a->enrolled_unix_ms,
                 .last_seen_unix_ms = a->last_seen_unix_ms,
                 .version = kim_text_copy(arena, kim_text_of(a->version))},
        .connected = a->connected,
    };
    memcpy(out->kept.public_key, a->key, sizeof a->key);
    ingest_provider *providers = KIM_NEW_ARRAY(arena, ingest_provider, AGENT_MAX_PROVIDERS);
    for (size_t i = 0; providers && i < a->provider_count; i++) {
        const provider *p = &a->providers[i];
        providers[i] = (ingest_provider){.name = kim_text_copy(arena, kim_text_of(p->name)),
                                         .plugin = kim_text_copy(arena, kim_text_of(p->plugin)),
                                         .unsigned_plugin = p->unsigned_plugin};
        if (p->problem && *p->problem)
            providers[i].problem = kim_text_copy(arena, kim_text_of(p->problem));
    }
    out->providers = providers;
    out->provider_count = providers ? a->provider_count : 0;
}

typedef struct source_list {
    kim_arena *arena;
    ingest_agent *of;
} source_list;

/* What the store holds of "NAME/state" belongs to the provider NAME. */
static int add_source(void *context, const store_source *source, kim_error *err)
{
    (void)err;
    source_list *list = context;
    if (!kim_text_ends_with(source->stream, KIM_TEXT("/state")))
        return 0;
    kim_text name = {source->stream.bytes, source->stream.size - strlen("/state")};
    ingest_provider *providers = (ingest_provider *)list->of->providers; /* describe() made them */
    size_t i = 0;
    while (i < list->of->provider_count && !kim_text_equal(providers[i].name, name))
        i++;
    if (i == AGENT_MAX_PROVIDERS || !providers)
        return 0;
    if (i == list->of->provider_count) {
        providers[i] = (ingest_provider){.name = kim_text_copy(list->arena, name)};
        list->of->provider_count++;
    }
    providers[i].generation = source->generation;
    providers[i].records = source->count;
    providers[i].refused = source->refused;
    providers[i].published_unix_ms = source->published_unix_ms;
    return 0;
}

static int compare_agents(const void *a, const void *b)
{
    const agent *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* The current ones by name, [*count]: freed by the caller. */
static agent **current_agents(agents *all, size_t *count)
{
    *count = 0;
    pthread_mutex_lock(&all->lock);
    agent **out = calloc(all->count + 1, sizeof *out);
    for (size_t i = 0; out && i < all->count; i++)
        if (all->items[i]->is_current)
            out[(*count)++] = all->items[i];
    pthread_mutex_unlock(&all->lock);
    if (out)
        qsort(out, *count, sizeof *out, compare_agents);
    return out;
}

int agents_list(agents *all, ingest_agent_function *each, void *context, kim_error *err)
{
    size_t count;
    agent **items = current_agents(all, &count);
    kim_arena *arena = kim_arena_new(SIZE_MAX);
    int result = items && arena ? 0 : kim_fail(err, KIM_ERR_NOMEM, "no memory to list the agents");
    for (size_t i = 0; i < count && result == 0; i++) {
        ingest_agent one;
        kim_arena_reset(arena);
        pthread_mutex_lock(&all->lock);
        describe(items[i], arena, &one);
        pthread_mutex_unlock(&all->lock);
        source_list list = {arena, &one};
        result = store_sources(all->st, one.kept.name, add_source, &list, err);
        if (result == 0 && kim_arena_is_full(arena))
            result = kim_fail(err, KIM_ERR_NOMEM, "no memory to list the agents");
        if (result == 0)
            result = each(context, &one, err);
    }
    free(items);
    kim_arena_free(arena);
    return result;
}
