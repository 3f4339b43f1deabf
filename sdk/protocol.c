/* SPDX-License-Identifier: Apache-2.0
 *
 * protocol.c - one table of messages, walked in both directions.
 *
 * A row names a field of a message's struct, its kind and its limit. Encoding and decoding are the
 * same walk over those rows, so the two cannot disagree, and doc/protocol.md is the table in prose.
 */
#include "sdk/protocol.h"

#include "sdk/pack.h"

#include <stdlib.h>
#include <zstd.h>

typedef enum field_kind { UINT, TIME, BOOL, TEXT, NAME, BINARY, FIXED, LIST } field_kind;

typedef struct field {
    const char *name;
    field_kind kind;
    size_t offset, size_offset; /* size_offset: a binary's size, a list's count */
    size_t max;                 /* bytes of a text or binary, exactly of a FIXED; items of a list */
    const struct layout *items; /* of a LIST */
} field;

typedef struct layout {
    const char *name;
    size_t size;         /* of the struct */
    const field *fields; /* [count] */
    size_t count;
} layout;

/* Within the struct that the message is, M. A NAME is a text that must be there and not be empty. */
#define AT(member) offsetof(M, member)
#define F_UINT(member) {#member, UINT, AT(member), 0, 0, NULL}
#define F_TIME(member) {#member, TIME, AT(member), 0, 0, NULL}
#define F_BOOL(member) {#member, BOOL, AT(member), 0, 0, NULL}
#define F_TEXT(member, max) {#member, TEXT, AT(member), 0, max, NULL}
#define F_NAME(member, max) {#member, NAME, AT(member), 0, max, NULL}
#define F_FIXED(member, size) {#member, FIXED, AT(member), 0, size, NULL}
#define F_BINARY(member, size, max) {#member, BINARY, AT(member), AT(size), max, NULL}
#define F_LIST(member, count, max, items) {#member, LIST, AT(member), AT(count), max, items}
#define LAYOUT(name, fields) {name, sizeof(M), fields, sizeof(fields) / sizeof((fields)[0])}

#define M protocol_stream_hello
static const field stream_hello_fields[] = {
    F_NAME(stream, PROTOCOL_STREAM_MAX_BYTES),
    F_TEXT(plugin, PROTOCOL_NAME_MAX_BYTES),
    F_TEXT(plugin_version, PROTOCOL_NAME_MAX_BYTES),
    F_BOOL(unsigned_plugin),
};
static const layout stream_hello_layout = LAYOUT("stream", stream_hello_fields);
#undef M
#define M protocol_stream_position
static const field position_fields[] = {
    F_NAME(stream, PROTOCOL_STREAM_MAX_BYTES),
    F_UINT(sequence),
    F_UINT(generation),
    F_UINT(count),
    F_FIXED(digest, KIM_RECORD_HASH_BYTES),
    F_BINARY(cursor, cursor_size, PROTOCOL_CURSOR_MAX_BYTES),
};
static const layout position_layout = LAYOUT("stream", position_fields);
#undef M
#define M protocol_hello
static const field hello_fields[] = {
    F_UINT(version_min),
    F_UINT(version_max),
    F_TEXT(agent, PROTOCOL_NAME_MAX_BYTES),
    F_FIXED(spool, PROTOCOL_SPOOL_BYTES),
    F_FIXED(nonce, PROTOCOL_NONCE_BYTES),
    F_TEXT(software, PROTOCOL_NAME_MAX_BYTES),
    F_TIME(now_unix_ms),
    F_LIST(streams, stream_count, PROTOCOL_MAX_STREAMS, &stream_hello_layout),
};
static const layout hello_layout = LAYOUT("HELLO", hello_fields);
#undef M
#define M protocol_welcome
static const field welcome_fields[] = {
    F_UINT(version),
    F_UINT(session),
    F_UINT(credit),
    F_UINT(spread_ms),
    F_TIME(now_unix_ms),
    F_LIST(streams, stream_count, PROTOCOL_MAX_STREAMS, &position_layout),
};
static const layout welcome_layout = LAYOUT("WELCOME", welcome_fields);
#undef M
#define M protocol_begin
static const field begin_fields[] = {
    F_UINT(session),
    F_NAME(stream, PROTOCOL_STREAM_MAX_BYTES),
    F_UINT(sequence),
    F_UINT(generation),
    F_UINT(base),
    F_UINT(count),
};
static const layout begin_layout = LAYOUT("SNAPSHOT_BEGIN", begin_fields);
#undef M
#define M protocol_data
static const field data_fields[] = {
    F_UINT(session),
    F_NAME(stream, PROTOCOL_STREAM_MAX_BYTES),
    F_UINT(sequence),
    F_UINT(count),
    F_UINT(raw_bytes),
    F_UINT(encoding),
    F_BINARY(bytes, size, KIM_BATCH_MAX_BYTES),
    F_BINARY(cursor, cursor_size, PROTOCOL_CURSOR_MAX_BYTES),
};
static const layout data_layout = LAYOUT("DATA", data_fields);
#undef M
#define M protocol_commit
static const field commit_fields[] = {
    F_UINT(session),
    F_NAME(stream, PROTOCOL_STREAM_MAX_BYTES),
    F_UINT(sequence),
    F_UINT(generation),
    F_UINT(count),
    F_FIXED(digest, KIM_RECORD_HASH_BYTES),
};
static const layout commit_layout = LAYOUT("SNAPSHOT_COMMIT", commit_fields);
#undef M
#define M protocol_ack
static const field ack_fields[] = {
    F_UINT(session),
    F_NAME(stream, PROTOCOL_STREAM_MAX_BYTES),
    F_UINT(sequence),
    F_UINT(credit),
};
static const layout ack_layout = LAYOUT("ACK", ack_fields);
#undef M
#define M protocol_nack
static const field nack_fields[] = {
    F_UINT(session),
    F_TEXT(stream, PROTOCOL_STREAM_MAX_BYTES),
    F_UINT(sequence),
    F_UINT(class),
    F_TEXT(text, PROTOCOL_TEXT_MAX_BYTES),
    F_UINT(retry_after_ms),
    F_UINT(credit),
};
static const layout nack_layout = LAYOUT("NACK", nack_fields);
#undef M
#define M protocol_resync
static const field resync_fields[] = {
    F_TEXT(stream, PROTOCOL_STREAM_MAX_BYTES),
    F_TEXT(text, PROTOCOL_TEXT_MAX_BYTES),
};
static const layout resync_layout = LAYOUT("RESYNC", resync_fields);
#undef M
#define M protocol_ping
static const field ping_fields[] = {
    F_UINT(session),
    F_UINT(token),
    F_TIME(now_unix_ms),
};
static const layout ping_layout = LAYOUT("PING", ping_fields);
static const layout pong_layout = LAYOUT("PONG", ping_fields);
#undef M
#define M protocol_command
static const field command_fields[] = {
    F_UINT(session),
    F_UINT(id),
    F_NAME(provider, PROTOCOL_NAME_MAX_BYTES),
    F_BINARY(bytes, size, PROTOCOL_COMMAND_MAX_BYTES),
};
static const layout command_layout = LAYOUT("COMMAND", command_fields);
#undef M
#define M protocol_result
static const field result_fields[] = {
    F_UINT(session),
    F_UINT(id),
    F_UINT(code),
    F_TEXT(text, PROTOCOL_TEXT_MAX_BYTES),
    F_BINARY(bytes, size, PROTOCOL_COMMAND_MAX_BYTES),
};
static const layout result_layout = LAYOUT("RESULT", result_fields);
#undef M
#define M protocol_rotate
static const field rotate_fields[] = {
    F_UINT(session),
    F_FIXED(public_key, PROTOCOL_KEY_BYTES),
};
static const layout rotate_layout = LAYOUT("ROTATE", rotate_fields);
#undef M
#define M protocol_status
static const field status_fields[] = {
    F_UINT(session),
    F_NAME(provider, PROTOCOL_NAME_MAX_BYTES),
    F_TIME(collected_unix_ms),
    F_TIME(usage_unix_ms),
    F_UINT(code),
    F_TEXT(text, PROTOCOL_TEXT_MAX_BYTES),
    F_UINT(backlog_bytes),
};
static const layout status_layout = LAYOUT("STATUS", status_fields);
#undef M
#define M protocol_enrol
static const field enrol_fields[] = {
    F_UINT(version_min),
    F_UINT(version_max),
    F_NAME(token, PROTOCOL_TOKEN_MAX_BYTES),
    F_FIXED(public_key, PROTOCOL_KEY_BYTES),
    F_TEXT(software, PROTOCOL_NAME_MAX_BYTES),
    F_TIME(now_unix_ms),
};
static const layout enrol_layout = LAYOUT("ENROL", enrol_fields);
#undef M
#define M protocol_enrolled
static const field enrolled_fields[] = {
    F_NAME(agent, PROTOCOL_NAME_MAX_BYTES),
    F_BOOL(approved),
    F_TIME(now_unix_ms),
};
static const layout enrolled_layout = LAYOUT("ENROLLED", enrolled_fields);
#undef M

static const layout *const messages[] = {
    [PROTOCOL_HELLO] = &hello_layout,       [PROTOCOL_WELCOME] = &welcome_layout,
    [PROTOCOL_SNAPSHOT_BEGIN] = &begin_layout, [PROTOCOL_DATA] = &data_layout,
    [PROTOCOL_SNAPSHOT_COMMIT] = &commit_layout, [PROTOCOL_ACK] = &ack_layout,
    [PROTOCOL_NACK] = &nack_layout,         [PROTOCOL_RESYNC] = &resync_layout,
    [PROTOCOL_PING] = &ping_layout,         [PROTOCOL_PONG] = &pong_layout,
    [PROTOCOL_COMMAND] = &command_layout,   [PROTOCOL_RESULT] = &result_layout,
    [PROTOCOL_ROTATE] = &rotate_layout,     [PROTOCOL_STATUS] = &status_layout,
    [PROTOCOL_ENROL] = &enrol_layout,       [PROTOCOL_ENROLLED] = &enrolled_layout,
};
enum { MESSAGES = sizeof messages / sizeof messages[0] };

static const layout *layout_of(uint64_t type)
{
    return type < MESSAGES ? messages[type] : NULL;
}

const char *protocol_type_name(int type)
{
    const layout *of = type < 0 ? NULL : layout_of((uint64_t)type);
    return of ? of->name : NULL;
}

const char *protocol_class_name(int class)
{
    static const char *const names[] = {NULL, "retry", "poison", "unknown_agent", "revoked",
                                        "clock", "protocol", "overload"};
    return class > 0 && class < (int)(sizeof names / sizeof names[0]) ? names[class] : NULL;
}

/* ---- encoding ---- */

static int encode_fields(const layout *of, const uint8_t *from, kim_bytes *out, kim_error *err);

static int encode_list(const layout *of, const field *f, const uint8_t *from, kim_bytes *out, kim_error *err)
{
    size_t count = *(const size_t *)(from + f->size_offset);
    if (count > f->max)
        return kim_fail(err, KIM_ERR_LIMIT, "%s.%s: %zu items; at most %zu", of->name, f->name, count, f->max);
    pack_array(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        pack_array(out, (uint32_t)f->items->count);
        if (encode_fields(f->items, from + f->offset + i * f->items->size, out, err) < 0)
            return kim_fail_in(err, "%s.%s[%zu]", of->name, f->name, i);
    }
    return 0;
}

static int encode_field(const layout *of, const field *f, const uint8_t *from, kim_bytes *out, kim_error *err)
{
    const void *at = from + f->offset;
    size_t size = 0;
    switch (f->kind) {
    case UINT:
        pack_uint(out, *(const uint64_t *)at);
        break;
    case TIME:
        pack_int(out, *(const int64_t *)at);
        break;
    case BOOL:
        pack_bool(out, *(const bool *)at);
        break;
    case TEXT:
    case NAME:
        size = ((const kim_text *)at)->size;
        if (f->kind == NAME && size == 0)
            return kim_fail(err, KIM_ERR_INPUT, "%s.%s: is empty; it must name something", of->name, f->name);
        if (size <= f->max)
            pack_text(out, *(const kim_text *)at);
        break;
    case BINARY:
        size = *(const size_t *)(from + f->size_offset);
        if (size <= f->max)
            pack_binary(out, size ? *(const uint8_t *const *)at : NULL, size);
        break;
    case FIXED:
        pack_binary(out, at, f->max);
        break;
    case LIST:
        return encode_list(of, f, from, out, err);
    }
    if (size > f->max)
        return kim_fail(err, KIM_ERR_LIMIT, "%s.%s: %zu bytes; at most %zu", of->name, f->name, size, f->max);
    return 0;
}

static int encode_fields(const layout *of, const uint8_t *from, kim_bytes *out, kim_error *err)
{
    for (size_t i = 0; i < of->count; i++)
        if (encode_field(of, &of->fields[i], from, out, err) < 0)
            return -1;
    return 0;
}

/* All bodies begin where the union does. */
static const uint8_t *body_of(const protocol_message *message)
{
    return (const uint8_t *)&message->hello;
}

int protocol_encode(const protocol_message *message, kim_bytes *out, kim_error *err)
{
    const layout *of = layout_of(message->type);
    if (!of)
        return kim_fail(err, KIM_ERR_INTERNAL, "there is no message number %d", (int)message->type);
    size_t before = out->size;
    pack_array(out, (uint32_t)of->count + 1);
    pack_uint(out, message->type);
    if (encode_fields(of, body_of(message), out, err) < 0) {
        out->size = before;
        return -1;
    }
    if (out->failed)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for a %s message", of->name);
    return 0;
}

/* ---- decoding ---- */

static void decode_field(pack_reader *in, const field *f, uint8_t *to, const char **culprit);

/* Reads `count` items as the fields of a struct: what is missing stays zero, what is too much is
 * passed over. The first wrong field's name goes to *culprit. */
static void decode_fields(pack_reader *in, const layout *of, uint32_t count, uint8_t *to, const char **culprit)
{
    size_t known = count < of->count ? count : of->count;
    for (size_t i = 0; i < known && !in->fault; i++)
        decode_field(in, &of->fields[i], to, culprit);
    for (size_t i = known; i < of->count && !in->fault; i++)
        if (of->fields[i].kind == NAME) {
            pack_fault(in, "is missing");
            *culprit = of->fields[i].name;
        }
    pack_skip_rest(in, count - (uint32_t)known);
}

static void decode_list(pack_reader *in, const field *f, uint8_t *to, const char **culprit)
{
    uint32_t count = pack_read_array(in);
    if (count > f->max) {
        pack_fault(in, "has too many items");
        return;
    }
    for (uint32_t i = 0; i < count && !in->fault; i++) {
        uint32_t fields = pack_read_array(in);
        decode_fields(in, f->items, fields, to + f->offset + i * f->items->size, culprit);
    }
    *(size_t *)(to + f->size_offset) = in->fault ? 0 : count;
}

/* Well-formed UTF-8 (RFC 3629) without NUL: what may stand in a log line or a key. */
static bool is_text(kim_text text)
{
    const uint8_t *at = (const uint8_t *)text.bytes, *end = at + text.size;
    while (at < end) {
        uint32_t c = *at++;
        if (c == 0)
            return false;
        if (c < 0x80)
            continue;
        int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || end - at < more)
            return false;
        uint32_t code = c & (0x3fu >> more);
        for (int i = 0; i < more; i++) {
            if ((at[i] & 0xc0) != 0x80)
                return false;
            code = code << 6 | (at[i] & 0x3fu);
        }
        at += more;
        if ((more == 2 && code < 0x800) || (more == 3 && code < 0x10000) || code > 0x10ffff ||
            (code >= 0xd800 && code <= 0xdfff))
            return false;
    }
    return true;
}

static void decode_text(pack_reader *in, const field *f, kim_text *to)
{
    kim_text text = pack_read_text(in, f->max);
    if (!in->fault && f->kind == NAME && text.size == 0)
        pack_fault(in, "is empty");
    if (!in->fault && text.size && !is_text(text))
        pack_fault(in, "is no UTF-8 text");
    if (!in->fault)
        *to = text;
}

static void decode_field(pack_reader *in, const field *f, uint8_t *to, const char **culprit)
{
    void *at = to + f->offset;
    const char *inner = NULL;
    switch (f->kind) {
    case UINT:
        *(uint64_t *)at = pack_read_uint(in);
        break;
    case TIME:
        *(int64_t *)at = pack_read_int(in);
        break;
    case BOOL:
        *(bool *)at = pack_read_bool(in);
        break;
    case TEXT:
    case NAME:
        decode_text(in, f, at);
        break;
    case BINARY:
        *(const uint8_t **)at = pack_read_binary(in, (size_t *)(to + f->size_offset), f->max);
        break;
    case FIXED:
        pack_read_fixed(in, at, f->max);
        break;
    case LIST:
        decode_list(in, f, to, &inner);
        break;
    }
    if (in->fault && !*culprit)
        *culprit = inner ? inner : f->name;
}

static int refuse(const pack_reader *in, const char *where, const char *field_name, size_t size, kim_error *err)
{
    bool past_limit = in->fault && (!strcmp(in->fault, "is too long") || !strcmp(in->fault, "has too many items"));
    return kim_fail(err, past_limit ? KIM_ERR_LIMIT : KIM_ERR_INPUT, "%s%s%s: %s, at byte %zu of %zu", where,
                    field_name ? "." : "", field_name ? field_name : "", in->fault, in->fault_offset, size);
}

/* What the rows cannot say: that two fields agree, and which values a number may have. */
static int check(const protocol_message *m, kim_error *err)
{
    if (m->type == PROTOCOL_DATA) {
        const protocol_data *d = &m->data;
        if (d->encoding > PROTOCOL_ZSTD)
            return kim_fail(err, KIM_ERR_UNSUPPORTED, "DATA.encoding: %llu is not known",
                            (unsigned long long)d->encoding);
        if (d->raw_bytes > KIM_BATCH_MAX_BYTES)
            return kim_fail(err, KIM_ERR_LIMIT, "DATA.raw_bytes: %llu; at most %d",
                            (unsigned long long)d->raw_bytes, KIM_BATCH_MAX_BYTES);
        if (d->encoding == PROTOCOL_PLAIN && d->raw_bytes != d->size)
            return kim_fail(err, KIM_ERR_INPUT, "DATA.raw_bytes: %llu, but there are %zu bytes",
                            (unsigned long long)d->raw_bytes, d->size);
        if (d->count > d->raw_bytes)
            return kim_fail(err, KIM_ERR_INPUT, "DATA.count: %llu entries in %llu bytes",
                            (unsigned long long)d->count, (unsigned long long)d->raw_bytes);
    }
    if (m->type == PROTOCOL_NACK && (m->nack.class > UINT8_MAX || !protocol_class_name((int)m->nack.class)))
        return kim_fail(err, KIM_ERR_INPUT, "NACK.class: %llu is not known", (unsigned long long)m->nack.class);
    return 0;
}

int protocol_decode(const uint8_t *bytes, size_t size, protocol_message *out, kim_error *err)
{
    if (size > KIM_MESSAGE_MAX_BYTES)
        return kim_fail(err, KIM_ERR_LIMIT, "a message of %zu bytes; at most %d", size, KIM_MESSAGE_MAX_BYTES);
    pack_reader in = pack_reader_of(bytes, size);
    uint32_t count = pack_read_array(&in);
    uint64_t type = pack_read_uint(&in);
    if (in.fault)
        return refuse(&in, "message", NULL, size, err);
    const layout *of = layout_of(type);
    if (!of || count == 0)
        return kim_fail(err, KIM_ERR_UNSUPPORTED, "message number %llu is not known here",
                        (unsigned long long)type);
    memset(out, 0, offsetof(protocol_message, hello) + of->size);
    out->type = (protocol_type)type;
    const char *culprit = NULL;
    decode_fields(&in, of, count - 1, (uint8_t *)&out->hello, &culprit);
    if (!in.fault && !pack_at_end(&in))
        pack_fault(&in, "goes on after its end");
    if (in.fault)
        return refuse(&in, of->name, culprit, size, err);
    return check(out, err);
}

/* ---- entries ---- */

void protocol_put_gone(kim_bytes *out, kim_record_type type, kim_text scope,
                       const uint8_t key[KIM_RECORD_KEY_BYTES])
{
    pack_array(out, 4);
    pack_uint(out, 0);
    pack_uint(out, type);
    pack_text(out, scope);
    pack_binary(out, key, KIM_RECORD_KEY_BYTES);
}

static void read_gone(pack_reader *in, uint32_t rest, protocol_entry *entry)
{
    entry->gone = true;
    if (rest < 3)
        pack_fault(in, "has too few fields");
    uint64_t type = pack_read_uint(in);
    if (type == 0 || type >= KIM_RECORD_TYPES)
        pack_fault(in, "is of no known type");
    entry->type = (kim_record_type)type;
    entry->scope = pack_read_text(in, KIM_ID_MAX_BYTES);
    pack_read_fixed(in, entry->key, KIM_RECORD_KEY_BYTES);
    if (!in->fault)
        pack_skip_rest(in, rest - 3);
}

int protocol_next_entry(const uint8_t *bytes, size_t size, size_t *offset, protocol_entry *entry, kim_error *err)
{
    if (*offset == size)
        return 0;
    pack_reader in = pack_reader_of(bytes, size);
    in.at = bytes + *offset;
    memset(entry, 0, sizeof *entry);
    uint32_t count = pack_read_array(&in);
    uint64_t type = pack_read_uint(&in);
    if (!in.fault && (count == 0 || type >= KIM_RECORD_TYPES))
        pack_fault(&in, "is of no known type");
    if (!in.fault && type == 0)
        read_gone(&in, count - 1, entry);
    else if (!in.fault)
        pack_skip_rest(&in, count - 1);
    if (in.fault)
        return refuse(&in, "entry", NULL, size, err);
    if (!entry->gone) {
        entry->type = (kim_record_type)type;
        entry->bytes = bytes + *offset;
        entry->size = (size_t)(in.at - entry->bytes);
    }
    *offset = (size_t)(in.at - bytes);
    return 1;
}

/* ---- compression ---- */

enum { ZSTD_LEVEL = 1, WORTH_TRYING_BYTES = 256 };

int protocol_deflate(const uint8_t *entries, size_t size, uint64_t count, kim_bytes *packed,
                     protocol_data *data, kim_error *err)
{
    if (size > KIM_BATCH_MAX_BYTES)
        return kim_fail(err, KIM_ERR_LIMIT, "a batch of %zu bytes; at most %d", size, KIM_BATCH_MAX_BYTES);
    data->count = count;
    data->raw_bytes = size;
    data->encoding = PROTOCOL_PLAIN;
    data->bytes = entries;
    data->size = size;
    if (size < WORTH_TRYING_BYTES)
        return 0;
    size_t bound = ZSTD_compressBound(size);
    uint8_t *room = malloc(bound);
    if (!room)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory to compress a batch");
    size_t smaller = ZSTD_compress(room, bound, entries, size, ZSTD_LEVEL);
    if (!ZSTD_isError(smaller) && smaller < size) {
        packed->size = 0;
        kim_bytes_append(packed, room, smaller);
        if (!packed->failed) {
            data->encoding = PROTOCOL_ZSTD;
            data->bytes = packed->data;
            data->size = smaller;
        }
    }
    free(room);
    return 0;
}

int protocol_inflate(const protocol_data *data, kim_bytes *out, const uint8_t **entries, size_t *size,
                     kim_error *err)
{
    if (data->encoding == PROTOCOL_PLAIN) {
        *entries = data->bytes;
        *size = data->size;
        return 0;
    }
    if (data->raw_bytes > KIM_BATCH_MAX_BYTES)
        return kim_fail(err, KIM_ERR_LIMIT, "a batch of %llu bytes; at most %d",
                        (unsigned long long)data->raw_bytes, KIM_BATCH_MAX_BYTES);
    if (data->encoding != PROTOCOL_ZSTD)
        return kim_fail(err, KIM_ERR_UNSUPPORTED, "DATA.encoding: %llu is not known",
                        (unsigned long long)data->encoding);
    size_t raw = (size_t)data->raw_bytes;
    if (out->capacity < raw) {
        uint8_t *grown = realloc(out->data, raw);
        if (!grown)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory for a batch of %zu bytes", raw);
        out->data = grown;
        out->capacity = raw;
    }
    size_t found = ZSTD_decompress(out->data, raw, data->bytes, data->size);
    if (ZSTD_isError(found))
        return kim_fail(err, KIM_ERR_INPUT, "DATA.bytes: cannot be inflated to the %zu bytes it claims: %s", raw,
                        ZSTD_getErrorName(found));
    if (found != raw)
        return kim_fail(err, KIM_ERR_INPUT, "DATA.bytes: inflates to %zu bytes, not the %zu it claims", found, raw);
    out->size = raw;
    *entries = out->data;
    *size = raw;
    return 0;
}
