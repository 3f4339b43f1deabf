/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite.h - what the files of the SQLite store share: connections, writes that take effect whole or
 * not at all, and texts kept once under a number.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <pthread.h>
#include <sqlite3.h>

#include "controller/store/store.h"

/* ---- connections ---- */

enum { CONNECTION_MAX_STATEMENTS = 48 };

typedef struct connection connection;
struct connection {
    sqlite3 *db;
    struct {
        const char *sql; /* a literal: found again by its address */
        sqlite3_stmt *statement;
    } kept[CONNECTION_MAX_STATEMENTS];
    size_t kept_count;
    connection *next; /* in the list of idle readers */
};

/* Texts to their numbers, for the writer: a cache of the table `text`. */
typedef struct text_slot {
    uint64_t hash[2]; /* SipHash-128 under the store's own key */
    int64_t id;       /* 0: empty */
} text_slot;

struct store {
    char *path;
    bool in_memory;
    pthread_mutex_t writing; /* recursive; held by whoever writes, from store_begin to store_commit */
    connection writer;
    bool in_group;   /* between store_begin and store_commit */
    bool group_lost; /* SQLite had to undo the whole group */
    int depth;       /* of write_begin */
    pthread_mutex_t pool_lock;
    connection *idle; /* readers that nobody uses now */
    uint8_t text_key[16];
    text_slot *slots; /* [slot_count], a power of two */
    size_t slot_count, slots_used;
    struct usage_row *usage_rows, **usage_order; /* [usage_room]: a batch, sorted and written ... */
    size_t usage_room, usage_count;              /* ... so many of it */
};

/* The statement of a literal, prepared once a connection, reset; NULL with err. For the writer, and for
 * readers' statements that no callback can meet again. */
sqlite3_stmt *kept_statement(connection *c, const char *sql, kim_error *err);
/* A statement of the caller's own: sqlite3_finalize ends it. */
sqlite3_stmt *new_statement(connection *c, const char *sql, kim_error *err);
/* Steps to a row: 1, or 0 after the last; -1 with err. */
int step(sqlite3_stmt *statement, kim_error *err);
/* Steps a statement without rows to its end and resets it. */
int run(sqlite3_stmt *statement, kim_error *err);
/* kim_fail with what SQLite says of its last failure. */
int sqlite_fail(kim_error *err, sqlite3 *db, const char *what);

void bind_text(sqlite3_stmt *statement, int at, kim_text text); /* absent binds NULL; must outlive the step */
void bind_blob(sqlite3_stmt *statement, int at, const void *bytes, size_t size);
kim_text column_text(sqlite3_stmt *statement, int at); /* good until the next step; NULL gives absent */

/* ---- one write, whole or not at all ---- */

/* Locks out other writers and begins a transaction, or a savepoint within a group. */
int write_begin(store *st, kim_error *err);
/* Ends it: kept where result is >= 0, else undone. Gives result again, or -1 where keeping failed. */
int write_end(store *st, int result, kim_error *err);

/* A connection on which all statements see one moment, until read_end. */
connection *read_begin(store *st, kim_error *err);
void read_end(store *st, connection *c); /* NULL is fine */

/* ---- texts ---- */

/* The text's number, made if it has none yet; 0 for an absent text; -1 with err. Within a write. */
int64_t text_intern(store *st, kim_text text, kim_error *err);
/* The number, or 0 where the text was never met or is absent; -1 with err. */
int64_t text_find(store *st, connection *c, kim_text text, kim_error *err);

/* Numbers back to texts, for one walk. */
typedef struct text_names {
    connection *c;
    sqlite3_stmt *statement;
    kim_arena *arena; /* holds the slots and the texts */
    struct name_slot {
        int64_t id; /* 0: empty */
        kim_text text;
    } *slots;
    size_t slot_count, used; /* slot_count: a power of two, or 0 */
} text_names;
int names_open(text_names *ns, connection *c, kim_error *err);
void names_close(text_names *ns); /* a zeroed one is fine */
/* *text is good until names_trim or names_close; 0 gives absent. */
int names_get(text_names *ns, int64_t id, kim_text *text, kim_error *err);
/* Forgets what it holds where that has become much. Called between two callbacks. */
void names_trim(text_names *ns);

/* Readies the writer for usage (sqlite_usage.c). */
int usage_set_up(store *st, kim_error *err);

/* ---- marks (sqlite_records.c) ---- */

/* The number of the source, made if it has none yet; -1 with err. Within a write. */
int64_t source_of(store *st, kim_text agent, kim_text stream, kim_error *err);
/* Moves the mark of the source: 1 where it stood there before or further, else 0; -1 with err. */
int mark_move(store *st, int64_t source, const store_mark *mark, kim_error *err);

#endif
