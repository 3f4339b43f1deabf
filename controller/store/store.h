/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h - what the controller keeps: records with their history, usage, agents, and how far each
 * agent's streams have been taken in.
 *
 * The rule that makes delivery exact: what a message brings and the mark that says so are one
 * transaction, so a message that comes twice is applied once. The only code that knows SQL is behind
 * this header. A store may be used by several threads at once: one writes, the others go on reading
 * what was committed before.
 *
 * Days are days since 1970-01-01 UTC; times are Unix milliseconds UTC, 0 is absent.
 * Every function that can fail gives, beside the errors that it names:
 *   KIM_ERR_IO       the disk failed or is full: nothing of this call was kept
 *   KIM_ERR_CORRUPT  the file is damaged
 *   KIM_ERR_NOMEM
 */
#ifndef STORE_H
#define STORE_H

#include <kim/limits.h>
#include <kim/record.h>

typedef struct store store;

/* path       a file, made with mode 0600 if it is not there yet; ":memory:" for one that ends with
 *            the process (then readers wait for the writer and the other way round)
 * max_bytes  what the file may grow to, past which writing fails with KIM_ERR_IO; 0: the disk's end
 * Errors also: KIM_ERR_VERSION  the file was written by a newer kim */
store *store_open(const char *path, int64_t max_bytes, kim_error *err);
void store_close(store *st); /* NULL is fine */

/* ---- writing: groups ---- */

/* Gathers the writes of this thread until store_commit into one transaction, so that many small
 * messages cost one sync of the disk. Each call in between still takes effect whole or not at all.
 * Other threads that write wait. Without a group each call is a transaction of its own. */
int store_begin(store *st, kim_error *err);
/* After it the group survives kill -9 and the loss of power (WAL, synchronous=FULL). On failure nothing
 * of the group was kept. */
int store_commit(store *st, kim_error *err);
void store_abandon(store *st); /* ends a group and keeps nothing of it */

/* ---- writing: what agents send ---- */

enum { STORE_SPOOL_BYTES = 16 };

/* Which message of which stream brings this. A source is an agent and a stream of it ("aws/state"). */
typedef struct store_mark {
    kim_text agent, stream;
    uint8_t spool[STORE_SPOOL_BYTES]; /* the spool that numbers the messages; another one begins at 0 */
    uint64_t sequence; /* the message's number; 0: not numbered (an import), always applied */
    const uint8_t *cursor; /* where the source stands after it, kept beside the mark; NULL: as before */
    size_t cursor_size;
} store_mark;

/* How far a stream has come. */
typedef struct store_position {
    uint64_t sequence;   /* the last message applied from that spool; 0: none */
    uint64_t generation; /* the snapshot that is published; 0: none yet */
    uint64_t staging;    /* the generation that is being staged; 0: none */
    uint64_t count;      /* records published, with those refused */
    uint8_t digest[KIM_RECORD_HASH_BYTES]; /* of the records published (kim_digest_add) */
    int64_t published_unix_ms;
    const uint8_t *cursor; /* the last one kept, whatever spool it came from; NULL: none */
    size_t cursor_size;
} store_position;
/* A source that was never heard of gives zeros. Of mark, agent, stream and spool are read. The cursor
 * lives in arena. */
int store_position_of(store *st, const store_mark *mark, kim_arena *arena, store_position *out,
                      kim_error *err);

/* The streams that were ever heard of. */
typedef struct store_source {
    kim_text agent, stream;
    uint64_t generation; /* the snapshot that is published; 0: none (usage) */
    uint64_t count, refused; /* its records; how many of them nobody reads (store_change) */
    int64_t published_unix_ms;
} store_source;
typedef int store_source_function(void *context, const store_source *source, kim_error *err);
/* agent absent: of all agents. As with all walks here: a result other than 0 ends it and is returned. */
int store_sources(store *st, kim_text agent, store_source_function *each, void *context, kim_error *err);

/* One change of a snapshot: a record as it is from now on, or one that is gone. */
typedef struct store_change {
    kim_record_type type;    /* anything but usage */
    kim_text scope;
    uint8_t key[KIM_RECORD_KEY_BYTES];
    const uint8_t *bytes;    /* encoded, checked by the caller; NULL: the record is gone */
    size_t size;
    bool refused;            /* not for this agent to say: counted and hashed with the rest, so that both
                                sides agree on what was said, but its bytes are not kept or read */
} store_change;

/* All three return 1 where the mark says that the message was applied before (nothing is done then),
 * else 0. Staged changes are seen by nobody until they are published. */

/* Begins to stage a generation; what was staged before for this source is dropped.
 * full  what the snapshot does not mention is gone; else it stays */
int store_stage_begin(store *st, const store_mark *mark, uint64_t generation, bool full, kim_error *err);
/* Errors also: KIM_ERR_CONFLICT  that generation is not being staged */
int store_stage(store *st, const store_mark *mark, uint64_t generation, const store_change *changes,
                size_t count, kim_error *err);
/* Makes the staged generation the current one, all at once: replaced and gone records become history
 * that ends at at_unix_ms (or at the last publication, where the clock went back).
 *
 * count, digest  of the source's records once published, as the agent counts them; digest NULL: not
 *                compared
 * Errors also: KIM_ERR_CONFLICT  not being staged, or count or digest differ: nothing was published;
 *                                drop it with store_stage_drop and ask for a full snapshot */
int store_publish(store *st, const store_mark *mark, uint64_t generation, uint64_t count,
                  const uint8_t digest[KIM_RECORD_HASH_BYTES], int64_t at_unix_ms, kim_error *err);
/* Forgets what is staged for the source. The mark is not moved. */
int store_stage_drop(store *st, kim_text agent, kim_text stream, kim_error *err);

/* Adds usage: counts of the same key add up, first is the least, last the greatest.
 * records  [count], all of type KIM_USAGE, checked by the caller; none moves the mark alone
 * Returns 1 where it was applied before, else 0.
 * Cost: bench/usage_upsert; batches of thousands are best. */
int store_add_usage(store *st, const store_mark *mark, const kim_record *records, size_t count,
                    kim_error *err);

/* ---- reading: records ---- */

typedef struct store_record {
    kim_record_type type;
    kim_text scope, agent, stream;
    const uint8_t *bytes; /* encoded: kim_record_decode */
    size_t size;
    uint64_t generation;  /* the snapshot that brought it */
    int64_t from_unix_ms; /* when it was published */
    int64_t to_unix_ms;   /* when it was replaced or gone; 0: it is current */
} store_record;

/* Called for each; what it gets is good until it returns. A result other than 0 ends the walk and is
 * returned by it; -1 stands for a failure, with err. It must not write to the store. */
typedef int store_record_function(void *context, const store_record *record, kim_error *err);

/* What to read; a field that is zero asks for all. */
typedef struct store_filter {
    kim_record_type type;
    kim_text scope, agent;
    int64_t at_unix_ms; /* as things were known at that moment; 0: now */
} store_filter;
/* The walk sees one moment of the store, however long it takes. */
int store_records(store *st, const store_filter *filter, store_record_function *each, void *context,
                  kim_error *err);
/* All that is known of one record over time, oldest first (of every source that states it). */
int store_history(store *st, kim_text scope, kim_record_type type,
                  const uint8_t key[KIM_RECORD_KEY_BYTES], store_record_function *each, void *context,
                  kim_error *err);
/* Goes up with each publication that changed something (not with usage): an estate built at an older
 * number is out of date. */
int store_published(store *st, uint64_t *number, kim_error *err);

/* What was published since: each key of which some version began or ended after that moment. Where some source
 * still states it, one call for each of them, as it is now, in the order of store_records; else one, as it was
 * last, with to_unix_ms set. 0 for since_unix_ms is no moment: read all there is instead.
 *
 * most   of keys; past them nothing is called back, and 1 is returned: it is better to read all
 * until  set to the last publication that the walk sees: since_unix_ms for the next one
 * As with all walks: a result other than 0 ends it and is returned. */
int store_changes(store *st, int64_t since_unix_ms, size_t most, store_record_function *each, void *context,
                  int64_t *until_unix_ms, kim_error *err);
/* The time of the last publication that changed something; 0: there was none. */
int store_published_at(store *st, int64_t *at_unix_ms, kim_error *err);

/* ---- reading: usage ---- */

/* Which usage to read; absent texts ask for all. Naming the scope too makes it quicker. */
typedef struct store_usage_filter {
    int64_t from_day, to_day; /* both inclusive; both 0: all days */
    kim_text scope, identity;
} store_usage_filter;

/* Usage over the days asked for: of one (scope, identity, action, resource, outcome), over all `via`. */
typedef struct store_usage_total {
    kim_text scope, identity, action;
    kim_text resource; /* absent where the log does not say; "...*" where widened */
    int32_t outcome;   /* kim_outcome */
    bool widened;
    int64_t count, days; /* events; distinct days */
    int64_t first_unix_ms, last_unix_ms;
} store_usage_total;
typedef int store_usage_total_function(void *context, const store_usage_total *total, kim_error *err);
/* One call for each; those of an identity follow each other, and of an action within it. Streams: memory
 * does not grow with the number of rows. */
int store_usage_totals(store *st, const store_usage_filter *filter, store_usage_total_function *each,
                       void *context, kim_error *err);

/* The same by identity. */
typedef struct store_usage_summary {
    kim_text scope, identity;
    int64_t success, denied, failed; /* events */
    int64_t actions;                 /* distinct (action, resource) done with success */
    int64_t first_unix_ms, last_unix_ms; /* of any outcome */
    int64_t last_success_unix_ms;    /* 0: none */
} store_usage_summary;
typedef int store_usage_summary_function(void *context, const store_usage_summary *summary, kim_error *err);
/* Identities with no usage in these days get no call; store_unused names them. */
int store_usage_summaries(store *st, const store_usage_filter *filter,
                          store_usage_summary_function *each, void *context, kim_error *err);
/* The current identity records without usage (of any outcome) in those days. */
int store_unused(store *st, const store_usage_filter *filter, store_record_function *each,
                 void *context, kim_error *err);

/* The rows as kept; grouped like the totals, and by day within them. */
typedef int store_usage_function(void *context, kim_text scope, const kim_usage *usage, kim_error *err);
int store_usage_rows(store *st, const store_usage_filter *filter, store_usage_function *each,
                     void *context, kim_error *err);

/* How many rows of usage there are. Cost: a walk over the pages of the tree, not over its rows. */
int store_usage_count(store *st, uint64_t *rows, kim_error *err);

/* A hash over all current records (with their source) and all usage, whatever the order in which they
 * came: equal stores have equal digests. Reads everything. */
int store_digest(store *st, uint8_t digest[KIM_RECORD_HASH_BYTES], uint64_t *records,
                 uint64_t *usage_rows, kim_error *err);

/* ---- agents and tokens ---- */

enum { STORE_KEY_BYTES = 32, STORE_TOKEN_HASH_BYTES = 32 };

typedef enum store_agent_state {
    STORE_AGENT_INVITED = 1, /* a token was made; nobody came with it yet */
    STORE_AGENT_PENDING,     /* enrolled; waits for an administrator */
    STORE_AGENT_ACTIVE,
    STORE_AGENT_REVOKED,
} store_agent_state;
const char *store_agent_state_name(store_agent_state state); /* "invited" ... */

typedef struct store_agent {
    kim_text name;
    uint8_t public_key[STORE_KEY_BYTES]; /* CURVE; zeros while invited */
    kim_texts scopes;                    /* whose records it may define */
    store_agent_state state;
    int64_t added_unix_ms, enrolled_unix_ms, last_seen_unix_ms;
    kim_text version;                    /* of its program, as it said last */
} store_agent;
typedef int store_agent_function(void *context, const store_agent *agent, kim_error *err);
int store_agents(store *st, store_agent_function *each, void *context, kim_error *err); /* by name */

/* Puts in a new agent, or replaces one that is no longer wanted under that name.
 * Errors also: KIM_ERR_CONFLICT  an agent of that name is there and not revoked */
int store_agent_add(store *st, const store_agent *agent, kim_error *err);
/* Errors also: KIM_ERR_NOT_FOUND; KIM_ERR_CONFLICT where it has no key yet (approve) */
int store_agent_set_state(store *st, kim_text name, store_agent_state state, kim_error *err);
/* Remembers when it was heard of; version absent: as before. */
int store_agent_seen(store *st, kim_text name, kim_text version, int64_t at_unix_ms, kim_error *err);
/* The agent's key becomes this one (rotation). Errors also: KIM_ERR_NOT_FOUND */
int store_agent_set_key(store *st, kim_text name, const uint8_t key[STORE_KEY_BYTES], kim_error *err);

/* A token is known by its hash only, belongs to an agent, and is good once. */
int store_token_add(store *st, const uint8_t hash[STORE_TOKEN_HASH_BYTES], kim_text agent,
                    int64_t expires_unix_ms, kim_error *err);
/* Spends a token: the agent it was made for gets the key and the state, in one transaction. The same
 * key may come again with its spent token (its first answer was lost).
 * name  [KIM_NAME_MAX_BYTES + 1], filled with the agent's name, NUL-terminated
 * Errors also: KIM_ERR_DENIED  no such token, spent by another, expired, or its agent is revoked */
int store_token_spend(store *st, const uint8_t hash[STORE_TOKEN_HASH_BYTES],
                      const uint8_t key[STORE_KEY_BYTES], store_agent_state state, int64_t at_unix_ms,
                      char *name, kim_error *err);

#endif
