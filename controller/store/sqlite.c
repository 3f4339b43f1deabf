/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite.c - one file, one writer, readers beside it.
 *
 * WAL lets readers walk over what was committed when they began while the writer goes on. The writer is
 * one connection behind a lock; a call that writes is a transaction, or a savepoint where store_begin
 * has opened a group. synchronous=FULL syncs the log once a commit, so what was committed survives a
 * kill and the loss of power; groups make that one sync for many messages.
 *
 * Long texts stand once in `text`, and rows name them by number: usage rows are a few bytes each, and
 * their key begins with the day, so that a batch writes to one region of the tree (six to eight times
 * the rate of a key that begins with the identity).
 */
#include "controller/store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SCHEMA_VERSION = 1,
    PAGE_BYTES = 8192,
    TEXT_CACHE_MAX = 1024 * 1024, /* numbers held in memory: 48 MB at most; then it starts anew */
    TEXT_CACHE_FIRST = 4096,
    NAMES_FIRST = 512, /* names of one walk held in memory ... */
    NAMES_MAX = 64 * 1024, /* ... until there are so many */
    BUSY_TIMEOUT_MS = 10000, /* another process on the same file: a backup, the sqlite3 shell */
};

static const char schema[] =
    "create table meta(name text primary key, value) without rowid;"
    "create table text(id integer primary key, hash integer not null, value text not null);"
    "create index text_hash on text(hash);"
    /* how far each stream of each agent has come */
    "create table source(id integer primary key, agent text not null, stream text not null,"
    " generation integer not null default 0, records integer not null default 0,"
    " refused integer not null default 0, digest blob not null, cursor blob, published_ms integer not null default 0, staging integer not null default 0,"
    " staging_full integer not null default 0, unique(agent, stream));"
    "create table mark(source integer not null, spool blob not null, sequence integer not null,"
    " primary key(source, spool)) without rowid;"
    /* records: current, past, and staged until they are published. No bytes: refused, or (staged, where
       the hash is missing too) gone */
    "create table record(id integer primary key, scope integer not null, source integer not null,"
    " type integer not null, key blob not null, hash blob not null, generation integer not null,"
    " from_ms integer not null, bytes blob);"
    "create unique index record_key on record(scope, source, type, key);"
    "create index record_source on record(source);"
    "create table past(id integer primary key, scope integer not null, source integer not null,"
    " type integer not null, key blob not null, hash blob not null, generation integer not null,"
    " from_ms integer not null, to_ms integer not null, bytes blob not null);"
    "create index past_key on past(scope, type, key, source, from_ms);"
    "create index past_to on past(to_ms);"
    "create table staged(id integer primary key, source integer not null, scope integer not null,"
    " type integer not null, key blob not null, hash blob, bytes blob);"
    "create unique index staged_key on staged(source, scope, type, key);"
    /* usage; usage_day lists the regions of its tree */
    "create table usage(day integer, scope integer, identity integer, action integer, resource integer,"
    " via integer, count integer, first_ms integer, last_ms integer,"
    " primary key(day, scope, identity, action, resource, via)) without rowid;"
    "create table usage_day(scope integer not null, day integer not null, primary key(scope, day))"
    " without rowid;"
    /* agents */
    "create table agent(name text primary key, public_key blob unique, state integer not null,"
    " added_ms integer not null, enrolled_ms integer not null, seen_ms integer not null, version text)"
    " without rowid;"
    "create table agent_scope(agent text not null, scope text not null, primary key(agent, scope))"
    " without rowid;"
    "create table token(hash blob primary key, agent text not null, expires_ms integer not null,"
    " spent_by blob) without rowid;"
    "insert into meta values('published', 0), ('published_ms', 0);";

/* What files of this version may lack: an older kim leaves it as it is, and keeps it up. New records are the
 * newest: the index grows at its end. */
static const char late_schema[] = "create index if not exists record_from on record(from_ms);";

/* ---- SQLite, said in our words ---- */

int sqlite_fail(kim_error *err, sqlite3 *db, const char *what)
{
    int code = sqlite3_errcode(db);
    const char *file = sqlite3_db_filename(db, "main");
    const char *path = file && *file ? file : ":memory:";
    switch (code) {
    case SQLITE_FULL:
        return kim_fail(err, KIM_ERR_IO,
                        "%s: %s: no room left; free space on its disk, or raise the store's size limit",
                        path, what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return kim_fail(err, KIM_ERR_CORRUPT, "%s: %s: %s; restore it from a backup", path, what,
                        sqlite3_errmsg(db));
    case SQLITE_NOMEM:
        return kim_fail(err, KIM_ERR_NOMEM, "%s: %s: no memory", path, what);
    case SQLITE_CONSTRAINT: /* the one that outsiders can meet: a key that another agent has */
        return kim_fail(err, KIM_ERR_CONFLICT, "%s: %s: exists already (%s)", path, what, sqlite3_errmsg(db));
    default:
        return kim_fail(err, KIM_ERR_IO, "%s: %s: %s", path, what, sqlite3_errmsg(db));
    }
}

static int execute(sqlite3 *db, const char *sql, const char *what, kim_error *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sqlite_fail(err, db, what);
}

sqlite3_stmt *new_statement(connection *c, const char *sql, kim_error *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(c->db, sql, -1, &statement, NULL) != SQLITE_OK)
        sqlite_fail(err, c->db, "cannot prepare a statement");
    return statement;
}

sqlite3_stmt *kept_statement(connection *c, const char *sql, kim_error *err)
{
    for (size_t i = 0; i < c->kept_count; i++)
        if (c->kept[i].sql == sql) {
            sqlite3_reset(c->kept[i].statement);
            return c->kept[i].statement;
        }
    if (c->kept_count == CONNECTION_MAX_STATEMENTS) {
        kim_fail(err, KIM_ERR_INTERNAL, "the store keeps more than %d statements",
                 CONNECTION_MAX_STATEMENTS);
        return NULL;
    }
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v3(c->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL) != SQLITE_OK) {
        sqlite_fail(err, c->db, "cannot prepare a statement");
        return NULL;
    }
    c->kept[c->kept_count].sql = sql;
    c->kept[c->kept_count++].statement = statement;
    return statement;
}

int step(sqlite3_stmt *statement, kim_error *err)
{
    switch (sqlite3_step(statement)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return sqlite_fail(err, sqlite3_db_handle(statement), "cannot read or write");
    }
}

int run(sqlite3_stmt *statement, kim_error *err)
{
    int result = step(statement, err);
    sqlite3_reset(statement);
    return result < 0 ? -1 : 0;
}

void bind_text(sqlite3_stmt *statement, int at, kim_text text)
{
    if (kim_text_is_absent(text))
        sqlite3_bind_null(statement, at);
    else
        sqlite3_bind_text(statement, at, text.bytes, (int)text.size, SQLITE_STATIC);
}

void bind_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t size)
{
    if (bytes)
        sqlite3_bind_blob(statement, at, bytes, (int)size, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, at);
}

kim_text column_text(sqlite3_stmt *statement, int at)
{
    const char *bytes = (const char *)sqlite3_column_text(statement, at);
    return (kim_text){bytes, bytes ? (size_t)sqlite3_column_bytes(statement, at) : 0};
}

static void connection_close(connection *c)
{
    for (size_t i = 0; i < c->kept_count; i++)
        sqlite3_finalize(c->kept[i].statement);
    sqlite3_close(c->db);
    c->kept_count = 0;
    c->db = NULL;
}

/* ---- open and close ---- */

/* SQLite makes files 0644; ours is made before, and its log takes the mode over. */
static int make_file(const char *path, kim_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return kim_fail(err, KIM_ERR_IO, "%s: cannot open the store: %s", path, strerror(errno));
    close(fd);
    return 0;
}

static int read_int(sqlite3 *db, const char *sql, int64_t *out, kim_error *err)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return sqlite_fail(err, db, "cannot read");
    int result = step(statement, err);
    if (result > 0)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return result < 0 ? -1 : 0;
}

static int make_schema(store *st, kim_error *err)
{
    uint8_t key[sizeof st->text_key];
    randombytes_buf(key, sizeof key);
    sqlite3 *db = st->writer.db;
    char version[64];
    snprintf(version, sizeof version, "pragma user_version=%d", SCHEMA_VERSION);
    if (execute(db, "begin immediate", "cannot begin", err) < 0)
        return -1;
    sqlite3_stmt *statement = NULL;
    if (execute(db, schema, "cannot make the tables", err) == 0 &&
        (statement = new_statement(&st->writer, "insert into meta values('text_key', ?1)", err))) {
        bind_blob(statement, 1, key, sizeof key);
        if (run(statement, err) == 0 && execute(db, version, "cannot make the tables", err) == 0 &&
            execute(db, "commit", "cannot make the tables", err) == 0) {
            sqlite3_finalize(statement);
            return 0;
        }
    }
    sqlite3_finalize(statement);
    sqlite3_exec(db, "rollback", NULL, NULL, NULL);
    return -1;
}

static int read_text_key(store *st, kim_error *err)
{
    sqlite3_stmt *statement = new_statement(&st->writer, "select value from meta where name='text_key'", err);
    if (!statement)
        return -1;
    int result = step(statement, err);
    if (result > 0 && sqlite3_column_bytes(statement, 0) == (int)sizeof st->text_key)
        memcpy(st->text_key, sqlite3_column_blob(statement, 0), sizeof st->text_key);
    else if (result >= 0)
        result = kim_fail(err, KIM_ERR_CORRUPT, "%s: its key is missing; restore it from a backup", st->path);
    sqlite3_finalize(statement);
    return result < 0 ? -1 : 0;
}

static int set_up(store *st, int64_t max_bytes, kim_error *err)
{
    sqlite3 *db = st->writer.db;
    char sql[320];
    snprintf(sql, sizeof sql,
             "pragma page_size=%d; pragma journal_mode=wal; pragma synchronous=full;"
             "pragma cache_size=-65536; pragma wal_autocheckpoint=4000; pragma temp_store=memory;"
             "pragma trusted_schema=off; pragma journal_size_limit=67108864;",
             PAGE_BYTES);
    sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
    sqlite3_extended_result_codes(db, 0);
    if (execute(db, sql, "cannot open the store", err) < 0)
        return -1;
    if (max_bytes > 0) {
        snprintf(sql, sizeof sql, "pragma max_page_count=%lld", (long long)(max_bytes / PAGE_BYTES));
        if (execute(db, sql, "cannot limit the store", err) < 0)
            return -1;
    }
    int64_t version = 0;
    if (read_int(db, "pragma user_version", &version, err) < 0)
        return -1;
    if (version > SCHEMA_VERSION)
        return kim_fail(err, KIM_ERR_VERSION,
                        "%s: written by a newer kim (schema %lld, this one knows %d); start that one",
                        st->path, (long long)version, SCHEMA_VERSION);
    if (version == 0 && make_schema(st, err) < 0)
        return -1;
    if (execute(db, late_schema, "cannot make the tables", err) < 0)
        return -1;
    return read_text_key(st, err) < 0 ? -1 : usage_set_up(st, err);
}

store *store_open(const char *path, int64_t max_bytes, kim_error *err)
{
    store *st = sodium_init() < 0 ? NULL : calloc(1, sizeof *st);
    if (!st || !(st->path = strdup(path))) {
        free(st);
        kim_fail(err, KIM_ERR_NOMEM, "no memory for the store");
        return NULL;
    }
    st->in_memory = strcmp(path, ":memory:") == 0;
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&st->writing, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_mutex_init(&st->pool_lock, NULL);

    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if ((!st->in_memory && make_file(path, err) < 0))
        goto failed;
    if (sqlite3_open_v2(path, &st->writer.db, flags, NULL) != SQLITE_OK) {
        sqlite_fail(err, st->writer.db, "cannot open the store");
        goto failed;
    }
    if (set_up(st, max_bytes, err) < 0)
        goto failed;
    return st;

failed:
    store_close(st);
    return NULL;
}

void store_close(store *st)
{
    if (!st)
        return;
    while (st->idle) {
        connection *c = st->idle;
        st->idle = c->next;
        connection_close(c);
        free(c);
    }
    connection_close(&st->writer);
    pthread_mutex_destroy(&st->writing);
    pthread_mutex_destroy(&st->pool_lock);
    free(st->slots);
    free(st->usage_rows);
    free(st->usage_order);
    free(st->path);
    free(st);
}

/* ---- writes ---- */

/* Numbers given to texts in what is undone now are no longer true. */
static void forget_texts(store *st)
{
    if (st->slots)
        memset(st->slots, 0, st->slot_count * sizeof *st->slots);
    st->slots_used = 0;
}

int store_begin(store *st, kim_error *err)
{
    pthread_mutex_lock(&st->writing);
    if (execute(st->writer.db, "begin immediate", "cannot begin", err) < 0) {
        pthread_mutex_unlock(&st->writing);
        return -1;
    }
    st->in_group = true;
    st->group_lost = false;
    return 0;
}

static void end_group(store *st)
{
    st->in_group = st->group_lost = false;
    pthread_mutex_unlock(&st->writing);
}

int store_commit(store *st, kim_error *err)
{
    if (st->group_lost) {
        end_group(st);
        return kim_fail(err, KIM_ERR_IO, "%s: the disk failed within the group; nothing of it was kept",
                        st->path);
    }
    if (execute(st->writer.db, "commit", "cannot commit", err) < 0) {
        store_abandon(st);
        return -1;
    }
    end_group(st);
    return 0;
}

void store_abandon(store *st)
{
    if (!sqlite3_get_autocommit(st->writer.db))
        sqlite3_exec(st->writer.db, "rollback", NULL, NULL, NULL);
    forget_texts(st);
    end_group(st);
}

int write_begin(store *st, kim_error *err)
{
    pthread_mutex_lock(&st->writing);
    int result = st->group_lost
                     ? kim_fail(err, KIM_ERR_IO, "%s: the disk failed earlier in this group", st->path)
                     : execute(st->writer.db, st->in_group ? "savepoint one" : "begin immediate",
                               "cannot begin", err);
    if (result < 0)
        pthread_mutex_unlock(&st->writing);
    return result;
}

static void undo(store *st)
{
    /* After a full disk SQLite may have rolled the whole transaction back by itself. */
    if (sqlite3_get_autocommit(st->writer.db))
        st->group_lost = st->in_group;
    else if (!st->in_group)
        sqlite3_exec(st->writer.db, "rollback", NULL, NULL, NULL);
    else if (sqlite3_exec(st->writer.db, "rollback to one; release one", NULL, NULL, NULL) != SQLITE_OK) {
        sqlite3_exec(st->writer.db, "rollback", NULL, NULL, NULL);
        st->group_lost = true;
    }
    forget_texts(st);
}

int write_end(store *st, int result, kim_error *err)
{
    if (result >= 0 &&
        execute(st->writer.db, st->in_group ? "release one" : "commit", "cannot commit", err) < 0)
        result = -1;
    if (result < 0)
        undo(st);
    pthread_mutex_unlock(&st->writing);
    return result;
}

/* ---- reads ---- */

static connection *open_reader(store *st, kim_error *err)
{
    connection *c = calloc(1, sizeof *c);
    if (!c) {
        kim_fail(err, KIM_ERR_NOMEM, "no memory to read the store");
        return NULL;
    }
    if (sqlite3_open_v2(st->path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        sqlite_fail(err, c->db, "cannot open the store for reading");
    } else {
        sqlite3_busy_timeout(c->db, BUSY_TIMEOUT_MS);
        if (execute(c->db, "pragma query_only=on; pragma cache_size=-8192; pragma temp_store=memory;"
                           "pragma trusted_schema=off", "cannot open the store for reading", err) == 0)
            return c;
    }
    connection_close(c);
    free(c);
    return NULL;
}

connection *read_begin(store *st, kim_error *err)
{
    if (st->in_memory) {
        pthread_mutex_lock(&st->writing);
        return &st->writer;
    }
    pthread_mutex_lock(&st->pool_lock);
    connection *c = st->idle;
    if (c)
        st->idle = c->next;
    pthread_mutex_unlock(&st->pool_lock);
    if (!c && !(c = open_reader(st, err)))
        return NULL;
    if (execute(c->db, "begin", "cannot read", err) < 0) {
        read_end(st, c);
        return NULL;
    }
    return c;
}

void read_end(store *st, connection *c)
{
    if (!c)
        return;
    if (c == &st->writer) {
        pthread_mutex_unlock(&st->writing);
        return;
    }
    if (!sqlite3_get_autocommit(c->db))
        sqlite3_exec(c->db, "rollback", NULL, NULL, NULL);
    pthread_mutex_lock(&st->pool_lock);
    c->next = st->idle;
    st->idle = c;
    pthread_mutex_unlock(&st->pool_lock);
}

/* ---- texts to numbers ---- */

static void hash_text(const store *st, kim_text text, uint64_t hash[2])
{
    crypto_shorthash_siphashx24((uint8_t *)hash, (const uint8_t *)text.bytes, text.size, st->text_key);
}

static text_slot *find_slot(text_slot *slots, size_t count, const uint64_t hash[2])
{
    size_t at = hash[0] & (count - 1);
    while (slots[at].id && (slots[at].hash[0] != hash[0] || slots[at].hash[1] != hash[1]))
        at = (at + 1) & (count - 1);
    return &slots[at];
}

/* Room for one more: at most half of the slots are taken. */
static int reserve_slot(store *st, kim_error *err)
{
    if (st->slots_used >= TEXT_CACHE_MAX)
        forget_texts(st);
    if (st->slots_used * 2 < st->slot_count)
        return 0;
    size_t count = st->slot_count ? st->slot_count * 2 : TEXT_CACHE_FIRST;
    text_slot *slots = calloc(count, sizeof *slots);
    if (!slots)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for %zu texts", count);
    for (size_t i = 0; i < st->slot_count; i++)
        if (st->slots[i].id)
            *find_slot(slots, count, st->slots[i].hash) = st->slots[i];
    free(st->slots);
    st->slots = slots;
    st->slot_count = count;
    return 0;
}

static int64_t look_up(sqlite3_stmt *find, kim_text text, uint64_t hash, kim_error *err)
{
    sqlite3_bind_int64(find, 1, (int64_t)hash);
    bind_text(find, 2, text);
    int result = step(find, err);
    int64_t id = result > 0 ? sqlite3_column_int64(find, 0) : result;
    sqlite3_reset(find);
    return id;
}

static const char find_text_sql[] = "select id from text where hash=?1 and value=?2";

int64_t text_find(store *st, connection *c, kim_text text, kim_error *err)
{
    if (kim_text_is_absent(text))
        return 0;
    uint64_t hash[2];
    hash_text(st, text, hash);
    sqlite3_stmt *find = kept_statement(c, find_text_sql, err);
    return find ? look_up(find, text, hash[0], err) : -1;
}

int64_t text_intern(store *st, kim_text text, kim_error *err)
{
    if (kim_text_is_absent(text))
        return 0;
    uint64_t hash[2];
    hash_text(st, text, hash);
    if (st->slot_count) {
        const text_slot *slot = find_slot(st->slots, st->slot_count, hash);
        if (slot->id)
            return slot->id;
    }
    sqlite3_stmt *find = kept_statement(&st->writer, find_text_sql, err);
    if (!find)
        return -1;
    int64_t id = look_up(find, text, hash[0], err);
    if (id == 0) {
        sqlite3_stmt *insert =
            kept_statement(&st->writer, "insert into text(hash, value) values(?1, ?2)", err);
        if (!insert)
            return -1;
        sqlite3_bind_int64(insert, 1, (int64_t)hash[0]);
        bind_text(insert, 2, text);
        id = run(insert, err) < 0 ? -1 : sqlite3_last_insert_rowid(st->writer.db);
    }
    if (id < 0 || reserve_slot(st, err) < 0)
        return -1;
    *find_slot(st->slots, st->slot_count, hash) = (text_slot){{hash[0], hash[1]}, id};
    st->slots_used++;
    return id;
}

/* ---- numbers to texts ---- */

static size_t name_slot(const text_names *ns, int64_t id)
{
    size_t at = (uint64_t)id * 0x9e3779b97f4a7c15u >> 32 & (ns->slot_count - 1);
    while (ns->slots[at].id && ns->slots[at].id != id)
        at = (at + 1) & (ns->slot_count - 1);
    return at;
}

/* Twice the slots, in the same arena: what the old ones took is as much again at most. */
static int names_grow(text_names *ns, size_t count, kim_error *err)
{
    text_names bigger = {.slot_count = count, .slots = kim_arena_array(ns->arena, count, sizeof *ns->slots)};
    if (!bigger.slots)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for %zu names", count);
    for (size_t i = 0; i < ns->slot_count; i++)
        if (ns->slots[i].id)
            bigger.slots[name_slot(&bigger, ns->slots[i].id)] = ns->slots[i];
    ns->slots = bigger.slots;
    ns->slot_count = count;
    return 0;
}

int names_open(text_names *ns, connection *c, kim_error *err)
{
    *ns = (text_names){.c = c, .arena = kim_arena_new(SIZE_MAX)};
    if (!ns->arena)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for names");
    ns->statement = new_statement(c, "select value from text where id=?1", err);
    return ns->statement ? 0 : -1;
}

void names_close(text_names *ns)
{
    sqlite3_finalize(ns->statement);
    kim_arena_free(ns->arena);
    *ns = (text_names){0};
}

void names_trim(text_names *ns)
{
    if (ns->used < NAMES_MAX)
        return;
    kim_arena_reset(ns->arena);
    ns->slots = NULL;
    ns->slot_count = ns->used = 0;
}

static int read_name(text_names *ns, int64_t id, kim_text *text, kim_error *err)
{
    sqlite3_bind_int64(ns->statement, 1, id);
    int result = step(ns->statement, err);
    if (result > 0)
        *text = kim_text_copy(ns->arena, column_text(ns->statement, 0));
    sqlite3_reset(ns->statement);
    if (result < 0)
        return -1;
    if (result == 0)
        return kim_fail(err, KIM_ERR_CORRUPT, "text %lld is missing; restore the store from a backup",
                        (long long)id);
    return kim_arena_is_full(ns->arena) ? kim_fail(err, KIM_ERR_NOMEM, "no memory for names") : 0;
}

int names_get(text_names *ns, int64_t id, kim_text *text, kim_error *err)
{
    *text = KIM_NO_TEXT;
    if (id == 0)
        return 0;
    if (ns->used * 2 >= ns->slot_count &&
        names_grow(ns, ns->slot_count ? ns->slot_count * 2 : NAMES_FIRST, err) < 0)
        return -1;
    size_t at = name_slot(ns, id);
    if (!ns->slots[at].id) {
        if (read_name(ns, id, &ns->slots[at].text, err) < 0)
            return -1;
        ns->slots[at].id = id;
        ns->used++;
    }
    *text = ns->slots[at].text;
    return 0;
}
