/* SPDX-License-Identifier: Apache-2.0
 *
 * sqlite_records.c - records: staged, published all at once, kept as history.
 *
 * What an agent sends is staged row by row and seen by nobody. To publish is a handful of statements
 * over the staged rows, one step for a full snapshot and for changes alike: first a full snapshot is
 * made into changes (what it does not mention is gone, what did not change is dropped); then what is
 * replaced or gone moves to the past, and the rest takes its place.
 */
#include "controller/store/sqlite.h"

/* ---- sources and marks ---- */

static int64_t find_source(connection *c, kim_text agent, kim_text stream, kim_error *err)
{
    sqlite3_stmt *find = kept_statement(c, "select id from source where agent=?1 and stream=?2", err);
    if (!find)
        return -1;
    bind_text(find, 1, agent);
    bind_text(find, 2, stream);
    int result = step(find, err);
    int64_t id = result > 0 ? sqlite3_column_int64(find, 0) : result;
    sqlite3_reset(find);
    return id;
}

int64_t source_of(store *st, kim_text agent, kim_text stream, kim_error *err)
{
    int64_t id = find_source(&st->writer, agent, stream, err);
    if (id != 0)
        return id;
    sqlite3_stmt *insert =
        kept_statement(&st->writer, "insert into source(agent, stream, digest) values(?1, ?2, zeroblob(32))", err);
    if (!insert)
        return -1;
    bind_text(insert, 1, agent);
    bind_text(insert, 2, stream);
    return run(insert, err) < 0 ? -1 : sqlite3_last_insert_rowid(st->writer.db);
}

static int64_t mark_read(connection *c, int64_t source, const uint8_t *spool, kim_error *err)
{
    sqlite3_stmt *find = kept_statement(c, "select sequence from mark where source=?1 and spool=?2", err);
    if (!find)
        return -1;
    sqlite3_bind_int64(find, 1, source);
    bind_blob(find, 2, spool, STORE_SPOOL_BYTES);
    int result = step(find, err);
    int64_t sequence = result > 0 ? sqlite3_column_int64(find, 0) : result;
    sqlite3_reset(find);
    return sequence;
}

static int keep_cursor(store *st, int64_t source, const store_mark *mark, kim_error *err)
{
    sqlite3_stmt *keep = kept_statement(&st->writer, "update source set cursor=?2 where id=?1", err);
    if (!keep)
        return -1;
    sqlite3_bind_int64(keep, 1, source);
    bind_blob(keep, 2, mark->cursor, mark->cursor_size);
    return run(keep, err);
}

int mark_move(store *st, int64_t source, const store_mark *mark, kim_error *err)
{
    if (mark->sequence == 0)
        return 0;
    int64_t held = mark_read(&st->writer, source, mark->spool, err);
    if (held < 0)
        return -1;
    if ((uint64_t)held >= mark->sequence)
        return 1;
    sqlite3_stmt *move = kept_statement(&st->writer, "insert or replace into mark values(?1, ?2, ?3)", err);
    if (!move)
        return -1;
    sqlite3_bind_int64(move, 1, source);
    bind_blob(move, 2, mark->spool, STORE_SPOOL_BYTES);
    sqlite3_bind_int64(move, 3, (int64_t)mark->sequence);
    if (run(move, err) < 0)
        return -1;
    return mark->cursor ? keep_cursor(st, source, mark, err) : 0;
}

static const char position_sql[] =
    "select id, generation, staging, records, digest, published_ms, cursor from source"
    " where agent=?1 and stream=?2";

static int read_position(sqlite3_stmt *row, connection *c, const uint8_t *spool, kim_arena *arena,
                         store_position *out, kim_error *err)
{
    int64_t sequence = mark_read(c, sqlite3_column_int64(row, 0), spool, err);
    if (sequence < 0)
        return -1;
    *out = (store_position){
        .sequence = (uint64_t)sequence,
        .generation = (uint64_t)sqlite3_column_int64(row, 1),
        .staging = (uint64_t)sqlite3_column_int64(row, 2),
        .count = (uint64_t)sqlite3_column_int64(row, 3),
        .published_unix_ms = sqlite3_column_int64(row, 5),
    };
    if (sqlite3_column_bytes(row, 4) == sizeof out->digest)
        memcpy(out->digest, sqlite3_column_blob(row, 4), sizeof out->digest);
    const void *cursor = sqlite3_column_blob(row, 6);
    if (!cursor)
        return 0;
    out->cursor_size = (size_t)sqlite3_column_bytes(row, 6);
    char *copy = kim_arena_bytes(arena, out->cursor_size);
    if (!copy)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a cursor of %zu bytes", out->cursor_size);
    out->cursor = memcpy(copy, cursor, out->cursor_size);
    return 0;
}

int store_position_of(store *st, const store_mark *mark, kim_arena *arena, store_position *out,
                      kim_error *err)
{
    store_position position = {0};
    pthread_mutex_lock(&st->writing); /* on the writer's side: a group's own marks count */
    sqlite3_stmt *find = kept_statement(&st->writer, position_sql, err);
    int result = -1;
    if (find) {
        bind_text(find, 1, mark->agent);
        bind_text(find, 2, mark->stream);
        result = step(find, err);
        if (result > 0)
            result = read_position(find, &st->writer, mark->spool, arena, &position, err);
        sqlite3_reset(find);
    }
    pthread_mutex_unlock(&st->writing);
    if (result == 0)
        *out = position;
    return result;
}

int store_sources(store *st, kim_text agent, store_source_function *each, void *context, kim_error *err)
{
    connection *c = read_begin(st, err);
    if (!c)
        return -1;
    sqlite3_stmt *all = new_statement(
        c, "select agent, stream, generation, records, refused, published_ms from source"
           " where ?1 is null or agent=?1 order by agent, stream", err);
    int result = all ? 0 : -1;
    if (all)
        bind_text(all, 1, agent);
    while (result == 0 && (result = step(all, err)) > 0) {
        store_source source = {
            .agent = column_text(all, 0),
            .stream = column_text(all, 1),
            .generation = (uint64_t)sqlite3_column_int64(all, 2),
            .count = (uint64_t)sqlite3_column_int64(all, 3),
            .refused = (uint64_t)sqlite3_column_int64(all, 4),
            .published_unix_ms = sqlite3_column_int64(all, 5),
        };
        result = each(context, &source, err);
    }
    sqlite3_finalize(all);
    read_end(st, c);
    return result;
}

/* ---- staging ---- */

static int drop_staged(store *st, int64_t source, kim_error *err)
{
    sqlite3_stmt *drop = kept_statement(&st->writer, "delete from staged where source=?1", err);
    if (!drop)
        return -1;
    sqlite3_bind_int64(drop, 1, source);
    return run(drop, err);
}

static int set_staging(store *st, int64_t source, uint64_t generation, bool full, kim_error *err)
{
    sqlite3_stmt *set =
        kept_statement(&st->writer, "update source set staging=?2, staging_full=?3 where id=?1", err);
    if (!set)
        return -1;
    sqlite3_bind_int64(set, 1, source);
    sqlite3_bind_int64(set, 2, (int64_t)generation);
    sqlite3_bind_int(set, 3, full);
    return run(set, err);
}

static int stage_begin(store *st, const store_mark *mark, uint64_t generation, bool full, kim_error *err)
{
    int64_t source = source_of(st, mark->agent, mark->stream, err);
    int moved = source < 0 ? -1 : mark_move(st, source, mark, err);
    if (moved != 0)
        return moved;
    if (drop_staged(st, source, err) < 0 || set_staging(st, source, generation, full, err) < 0)
        return -1;
    return 0;
}

int store_stage_begin(store *st, const store_mark *mark, uint64_t generation, bool full, kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    return write_end(st, stage_begin(st, mark, generation, full, err), err);
}

int store_stage_drop(store *st, kim_text agent, kim_text stream, kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    int64_t source = find_source(&st->writer, agent, stream, err);
    int result = source < 0 ? -1 : 0;
    if (source > 0 && (drop_staged(st, source, err) < 0 || set_staging(st, source, 0, false, err) < 0))
        result = -1;
    return write_end(st, result, err);
}

/* What is being staged for a source. */
typedef struct staging {
    uint64_t generation; /* 0: nothing */
    bool full;
    uint64_t count, refused; /* of the records published now */
    uint8_t digest[KIM_RECORD_HASH_BYTES];
} staging;

static int read_staging(store *st, int64_t source, staging *out, kim_error *err)
{
    sqlite3_stmt *find = kept_statement(
        &st->writer, "select staging, staging_full, records, refused, digest from source where id=?1", err);
    if (!find)
        return -1;
    sqlite3_bind_int64(find, 1, source);
    int result = step(find, err);
    if (result > 0) {
        *out = (staging){.generation = (uint64_t)sqlite3_column_int64(find, 0),
                         .full = sqlite3_column_int(find, 1) != 0,
                         .count = (uint64_t)sqlite3_column_int64(find, 2),
                         .refused = (uint64_t)sqlite3_column_int64(find, 3)};
        if (sqlite3_column_bytes(find, 4) == sizeof out->digest)
            memcpy(out->digest, sqlite3_column_blob(find, 4), sizeof out->digest);
    }
    sqlite3_reset(find);
    return result < 0 ? -1 : 0;
}

/* The source and what it stages; moves the mark. 1 where the message was applied before. */
static int staging_of(store *st, const store_mark *mark, uint64_t generation, int64_t *source,
                      staging *out, kim_error *err)
{
    *source = source_of(st, mark->agent, mark->stream, err);
    int moved = *source < 0 ? -1 : mark_move(st, *source, mark, err);
    if (moved != 0)
        return moved;
    if (read_staging(st, *source, out, err) < 0)
        return -1;
    if (generation == 0 || out->generation != generation)
        return kim_fail(err, KIM_ERR_CONFLICT,
                        "%.*s of agent %.*s: generation %llu is not being staged (%llu is); begin it first",
                        KIM_PRINT(mark->stream), KIM_PRINT(mark->agent), (unsigned long long)generation,
                        (unsigned long long)out->generation);
    return 0;
}

static const char stage_sql[] =
    "insert into staged(source, scope, type, key, hash, bytes) values(?1, ?2, ?3, ?4, ?5, ?6)"
    " on conflict(source, scope, type, key) do update set hash=excluded.hash, bytes=excluded.bytes";

static int stage_one(store *st, sqlite3_stmt *insert, int64_t source, const store_change *change,
                     kim_error *err)
{
    int64_t scope = text_intern(st, change->scope, err);
    if (scope < 0)
        return -1;
    uint8_t hash[KIM_RECORD_HASH_BYTES];
    if (change->bytes)
        kim_record_hash(change->bytes, change->size, hash);
    sqlite3_bind_int64(insert, 1, source);
    sqlite3_bind_int64(insert, 2, scope);
    sqlite3_bind_int(insert, 3, (int)change->type);
    bind_blob(insert, 4, change->key, sizeof change->key);
    bind_blob(insert, 5, change->bytes ? hash : NULL, sizeof hash);
    bind_blob(insert, 6, change->refused ? NULL : change->bytes, change->size);
    return run(insert, err);
}

static int stage(store *st, const store_mark *mark, uint64_t generation, const store_change *changes,
                 size_t count, kim_error *err)
{
    int64_t source;
    staging held;
    int moved = staging_of(st, mark, generation, &source, &held, err);
    if (moved != 0)
        return moved;
    sqlite3_stmt *insert = kept_statement(&st->writer, stage_sql, err);
    for (size_t i = 0; insert && i < count; i++)
        if (stage_one(st, insert, source, &changes[i], err) < 0)
            return -1;
    return insert ? 0 : -1;
}

int store_stage(store *st, const store_mark *mark, uint64_t generation, const store_change *changes,
                size_t count, kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    return write_end(st, stage(st, mark, generation, changes, count, err), err);
}

/* ---- publishing ---- */

#define SAME_RECORD(a, b) \
    a ".scope=" b ".scope and " a ".source=" b ".source and " a ".type=" b ".type and " a ".key=" b ".key"

/* "cross join" keeps the order: from what is staged, however little, to the records that it is about; SQLite
 * would rather walk over all that the source ever said.
 *
 * What a full snapshot does not mention is gone. */
static const char name_the_gone_sql[] =
    "insert into staged(source, scope, type, key) select r.source, r.scope, r.type, r.key from record r"
    " where r.source=?1 and not exists(select 1 from staged s where " SAME_RECORD("s", "r") ")";
/* A put of what is there already, or the end of what is not there, changes nothing. */
static const char drop_the_same_sql[] =
    "delete from staged as s where s.source=?1 and ("
    "(s.hash is not null and exists(select 1 from record r where " SAME_RECORD("r", "s")
    " and r.hash=s.hash and (r.bytes is null)=(s.bytes is null)))"
    " or (s.hash is null and not exists(select 1 from record r where " SAME_RECORD("r", "s") ")))";
static const char changes_sql[] =
    "select s.hash, r.hash, s.bytes is null, r.bytes is null from staged s left join record r on " SAME_RECORD("r", "s") " where s.source=?1";
static const char keep_the_past_sql[] =
    "insert into past(scope, source, type, key, hash, generation, from_ms, to_ms, bytes)"
    " select r.scope, r.source, r.type, r.key, r.hash, r.generation, r.from_ms, ?2, r.bytes"
    " from staged s cross join record r on " SAME_RECORD("r", "s") " where s.source=?1 and r.bytes is not null";
static const char end_the_gone_sql[] =
    "delete from record where id in (select r.id from staged s cross join record r on " SAME_RECORD("r", "s")
    " where s.source=?1 and s.hash is null)";
static const char put_sql[] =
    "insert into record(scope, source, type, key, hash, generation, from_ms, bytes)"
    " select scope, source, type, key, hash, ?3, ?2, bytes from staged where source=?1 and hash is not null"
    " on conflict(scope, source, type, key) do update set hash=excluded.hash,"
    " generation=excluded.generation, from_ms=excluded.from_ms, bytes=excluded.bytes";

/* Runs one of the statements above: ?1 source, ?2 time, ?3 generation, as far as it has them. */
static int over_staged(store *st, const char *sql, int64_t source, int64_t at_unix_ms,
                       uint64_t generation, kim_error *err)
{
    sqlite3_stmt *statement = kept_statement(&st->writer, sql, err);
    if (!statement)
        return -1;
    const int64_t values[] = {source, at_unix_ms, (int64_t)generation};
    for (int i = 0; i < sqlite3_bind_parameter_count(statement); i++)
        sqlite3_bind_int64(statement, i + 1, values[i]);
    return run(statement, err);
}

/* Counts and hashes as they will be; *changed says whether there is any change. */
static int foresee(store *st, int64_t source, staging *now, bool *changed, kim_error *err)
{
    sqlite3_stmt *walk = kept_statement(&st->writer, changes_sql, err);
    if (!walk)
        return -1;
    sqlite3_bind_int64(walk, 1, source);
    int result;
    *changed = false;
    while ((result = step(walk, err)) > 0) {
        *changed = true;
        const uint8_t *put = sqlite3_column_blob(walk, 0), *held = sqlite3_column_blob(walk, 1);
        if (held) {
            kim_digest_remove(now->digest, held);
            now->count--;
            now->refused -= sqlite3_column_int(walk, 3) != 0;
        }
        if (put) {
            kim_digest_add(now->digest, put);
            now->count++;
            now->refused += sqlite3_column_int(walk, 2) != 0;
        }
    }
    sqlite3_reset(walk);
    return result;
}

static int compare(const store_mark *mark, const staging *now, uint64_t count, const uint8_t *digest,
                   kim_error *err)
{
    if (!digest || (now->count == count && memcmp(now->digest, digest, sizeof now->digest) == 0))
        return 0;
    return kim_fail(err, KIM_ERR_CONFLICT,
                    "%.*s of agent %.*s: generation %llu does not fit what is held (%llu records here, %llu"
                    " there, or other contents); send a full snapshot",
                    KIM_PRINT(mark->stream), KIM_PRINT(mark->agent), (unsigned long long)now->generation,
                    (unsigned long long)now->count, (unsigned long long)count);
}

static int set_published(store *st, int64_t source, const staging *now, int64_t at_unix_ms, kim_error *err)
{
    sqlite3_stmt *set = kept_statement(
        &st->writer, "update source set generation=?2, records=?3, refused=?4, digest=?5, published_ms=?6,"
                     " staging=0, staging_full=0 where id=?1", err);
    if (!set)
        return -1;
    sqlite3_bind_int64(set, 1, source);
    sqlite3_bind_int64(set, 2, (int64_t)now->generation);
    sqlite3_bind_int64(set, 3, (int64_t)now->count);
    sqlite3_bind_int64(set, 4, (int64_t)now->refused);
    bind_blob(set, 5, now->digest, sizeof now->digest);
    sqlite3_bind_int64(set, 6, at_unix_ms);
    return run(set, err);
}

/* Publications follow each other in time even where the clock goes back. */
static int publication_time(store *st, bool changed, int64_t *at_unix_ms, kim_error *err)
{
    sqlite3_stmt *last = kept_statement(&st->writer, "select value from meta where name='published_ms'", err);
    int result = last ? step(last, err) : -1;
    if (result > 0 && sqlite3_column_int64(last, 0) >= *at_unix_ms)
        *at_unix_ms = sqlite3_column_int64(last, 0) + changed;
    if (last)
        sqlite3_reset(last);
    if (result < 0 || !changed)
        return result < 0 ? -1 : 0;
    sqlite3_stmt *set = kept_statement(&st->writer, "update meta set value=?1 where name='published_ms'", err);
    if (!set)
        return -1;
    sqlite3_bind_int64(set, 1, *at_unix_ms);
    if (run(set, err) < 0)
        return -1;
    sqlite3_stmt *count = kept_statement(&st->writer, "update meta set value=value+1 where name='published'", err);
    return count ? run(count, err) : -1;
}

static int publish(store *st, const store_mark *mark, uint64_t generation, uint64_t count,
                   const uint8_t *digest, int64_t at_unix_ms, kim_error *err)
{
    int64_t source;
    staging now;
    bool changed;
    int moved = staging_of(st, mark, generation, &source, &now, err);
    if (moved != 0)
        return moved;
    if ((now.full && over_staged(st, name_the_gone_sql, source, 0, 0, err) < 0) ||
        over_staged(st, drop_the_same_sql, source, 0, 0, err) < 0 ||
        foresee(st, source, &now, &changed, err) < 0 || compare(mark, &now, count, digest, err) < 0 ||
        publication_time(st, changed, &at_unix_ms, err) < 0 ||
        over_staged(st, keep_the_past_sql, source, at_unix_ms, 0, err) < 0 ||
        over_staged(st, end_the_gone_sql, source, 0, 0, err) < 0 ||
        over_staged(st, put_sql, source, at_unix_ms, generation, err) < 0 ||
        drop_staged(st, source, err) < 0 || set_published(st, source, &now, at_unix_ms, err) < 0)
        return -1;
    return 0;
}

int store_publish(store *st, const store_mark *mark, uint64_t generation, uint64_t count,
                  const uint8_t digest[KIM_RECORD_HASH_BYTES], int64_t at_unix_ms, kim_error *err)
{
    if (write_begin(st, err) < 0)
        return -1;
    return write_end(st, publish(st, mark, generation, count, digest, at_unix_ms, err), err);
}

/* sql: of a statement that gives one number. */
static int read_number(connection *c, const char *sql, int64_t *out, kim_error *err)
{
    sqlite3_stmt *read = kept_statement(c, sql, err);
    int result = read ? step(read, err) : -1;
    if (result > 0)
        *out = sqlite3_column_int64(read, 0);
    if (read)
        sqlite3_reset(read);
    return result < 0 ? -1 : 0;
}

static const char published_sql[] = "select value from meta where name='published'";
static const char published_at_sql[] = "select value from meta where name='published_ms'";

static int read_meta(store *st, const char *sql, int64_t *out, kim_error *err)
{
    connection *c = read_begin(st, err);
    if (!c)
        return -1;
    int result = read_number(c, sql, out, err);
    read_end(st, c);
    return result;
}

int store_published(store *st, uint64_t *number, kim_error *err)
{
    return read_meta(st, published_sql, (int64_t *)number, err);
}

int store_published_at(store *st, int64_t *at_unix_ms, kim_error *err)
{
    return read_meta(st, published_at_sql, at_unix_ms, err);
}

/* ---- reading ---- */

/* Columns of every statement that gives records. */
#define COLUMNS(to) "r.type, t.value, o.agent, o.stream, r.bytes, r.generation, r.from_ms, " to
#define JOINED(table) " from " table " r join text t on t.id=r.scope join source o on o.id=r.source "
/* ?1 type or 0, ?2 scope's number or 0, ?3 agent or NULL; without those refused */
#define FILTER "r.bytes is not null and (?1=0 or r.type=?1) and (?2=0 or r.scope=?2) and (?3 is null or o.agent=?3)"

static const char current_sql[] = "select " COLUMNS("0") JOINED("record") "where " FILTER;
static const char current_of_scope_sql[] =
    "select " COLUMNS("0") JOINED("record") "where r.scope=?2 and r.bytes is not null"
    " and (?1=0 or r.type=?1) and (?3 is null or o.agent=?3)";
static const char at_sql[] =
    "select " COLUMNS("0") JOINED("record") "where r.from_ms<=?4 and " FILTER " union all "
    "select " COLUMNS("r.to_ms") JOINED("past") "where r.to_ms>?4 and r.from_ms<=?4 and " FILTER;
static const char history_sql[] =
    "select * from (select " COLUMNS("r.to_ms") JOINED("past") "where r.scope=?1 and r.type=?2 and r.key=?3"
    " union all select " COLUMNS("0") JOINED("record") "where r.scope=?1 and r.type=?2 and r.key=?3"
    " and r.bytes is not null)"
    " order by 7, 3, 4";

static store_record record_of(sqlite3_stmt *walk)
{
    return (store_record){
        .type = (kim_record_type)sqlite3_column_int(walk, 0),
        .scope = column_text(walk, 1),
        .agent = column_text(walk, 2),
        .stream = column_text(walk, 3),
        .bytes = sqlite3_column_blob(walk, 4),
        .size = (size_t)sqlite3_column_bytes(walk, 4),
        .generation = (uint64_t)sqlite3_column_int64(walk, 5),
        .from_unix_ms = sqlite3_column_int64(walk, 6),
        .to_unix_ms = sqlite3_column_int64(walk, 7),
    };
}

static int walk_records(sqlite3_stmt *walk, store_record_function *each, void *context, kim_error *err)
{
    int result;
    while ((result = step(walk, err)) > 0) {
        store_record record = record_of(walk);
        if ((result = each(context, &record, err)) != 0)
            break;
    }
    return result;
}

int store_records(store *st, const store_filter *filter, store_record_function *each, void *context,
                  kim_error *err)
{
    connection *c = read_begin(st, err);
    if (!c)
        return -1;
    int result = -1;
    sqlite3_stmt *walk = NULL;
    int64_t scope = text_find(st, c, filter->scope, err);
    if (scope < 0)
        goto done;
    if (scope == 0 && !kim_text_is_absent(filter->scope)) { /* a scope nobody ever spoke of */
        result = 0;
        goto done;
    }
    const char *sql = filter->at_unix_ms ? at_sql : scope ? current_of_scope_sql : current_sql;
    if (!(walk = new_statement(c, sql, err)))
        goto done;
    sqlite3_bind_int(walk, 1, (int)filter->type);
    sqlite3_bind_int64(walk, 2, scope);
    bind_text(walk, 3, filter->agent);
    if (filter->at_unix_ms)
        sqlite3_bind_int64(walk, 4, filter->at_unix_ms);
    result = walk_records(walk, each, context, err);
done:
    sqlite3_finalize(walk);
    read_end(st, c);
    return result;
}

/* ---- what changed ---- */

static const char changed_keys_sql[] =
    "select scope, type, key from record where from_ms>?1 union select scope, type, key from past where to_ms>?1 limit ?2";
/* Which sources speak of a scope is looked up in the index, one step a source. */
static const char current_of_key_sql[] =
    "with recursive s(x) as (select min(source) from record where scope=?1 union all"
    " select (select min(source) from record where scope=?1 and source>s.x) from s where s.x is not null)"
    " select " COLUMNS("0") " from s join record r on r.scope=?1 and r.source=s.x and r.type=?2 and r.key=?3"
    " join text t on t.id=r.scope join source o on o.id=r.source where r.bytes is not null order by r.id";
static const char last_of_key_sql[] =
    "select " COLUMNS("r.to_ms") JOINED("past") "where r.scope=?1 and r.type=?2 and r.key=?3 order by r.to_ms desc limit 1";

static int walk_key(sqlite3_stmt *walk, sqlite3_stmt *key, store_record_function *each, void *context, bool *found, kim_error *err)
{
    sqlite3_reset(walk);
    sqlite3_bind_int64(walk, 1, sqlite3_column_int64(key, 0));
    sqlite3_bind_int64(walk, 2, sqlite3_column_int64(key, 1));
    bind_blob(walk, 3, sqlite3_column_blob(key, 2), (size_t)sqlite3_column_bytes(key, 2));
    int result;
    *found = false;
    while ((result = step(walk, err)) > 0) {
        store_record record = record_of(walk);
        *found = true;
        if ((result = each(context, &record, err)) != 0)
            break;
    }
    sqlite3_reset(walk);
    return result;
}

static int count_keys(sqlite3_stmt *keys, size_t *count, kim_error *err)
{
    int result;
    for (*count = 0; (result = step(keys, err)) > 0;)
        ++*count;
    sqlite3_reset(keys);
    return result;
}

static int walk_changes(connection *c, int64_t since_unix_ms, size_t most, store_record_function *each, void *context, kim_error *err)
{
    sqlite3_stmt *keys = new_statement(c, changed_keys_sql, err), *now = keys ? new_statement(c, current_of_key_sql, err) : NULL;
    sqlite3_stmt *then = now ? new_statement(c, last_of_key_sql, err) : NULL;
    size_t count = 0;
    int result = -1;
    if (then) {
        sqlite3_bind_int64(keys, 1, since_unix_ms);
        sqlite3_bind_int64(keys, 2, (int64_t)most + 1);
        result = count_keys(keys, &count, err);
    }
    if (result == 0 && count > most)
        result = 1;
    while (result == 0 && (result = step(keys, err)) > 0) {
        bool found;
        result = walk_key(now, keys, each, context, &found, err);
        if (result == 0 && !found)
            result = walk_key(then, keys, each, context, &found, err);
        if (result != 0)
            break;
    }
    sqlite3_finalize(keys);
    sqlite3_finalize(now);
    sqlite3_finalize(then);
    return result;
}

int store_changes(store *st, int64_t since_unix_ms, size_t most, store_record_function *each, void *context,
                  int64_t *until_unix_ms, kim_error *err)
{
    connection *c = read_begin(st, err);
    if (!c)
        return -1;
    int64_t until = 0;
    int result = read_number(c, published_at_sql, &until, err);
    if (result == 0)
        result = walk_changes(c, since_unix_ms, most, each, context, err);
    if (result == 0)
        *until_unix_ms = until;
    read_end(st, c);
    return result;
}

int store_history(store *st, kim_text scope, kim_record_type type,
                  const uint8_t key[KIM_RECORD_KEY_BYTES], store_record_function *each, void *context,
                  kim_error *err)
{
    connection *c = read_begin(st, err);
    if (!c)
        return -1;
    int64_t id = text_find(st, c, scope, err);
    sqlite3_stmt *walk = id > 0 ? new_statement(c, history_sql, err) : NULL;
    int result = id == 0 ? 0 : -1;
    if (walk) {
        sqlite3_bind_int64(walk, 1, id);
        sqlite3_bind_int(walk, 2, (int)type);
        bind_blob(walk, 3, key, KIM_RECORD_KEY_BYTES);
        result = walk_records(walk, each, context, err);
    }
    sqlite3_finalize(walk);
    read_end(st, c);
    return result;
}
