/* SPDX-License-Identifier: Apache-2.0
 *
 * state.c - the cursor's bytes: a version, then counted tables of fixed fields, little-endian.
 */
#include "plugins/aws/usage/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/aws/usage/hash.h"

static const uint8_t MAGIC[4] = {'K', 'C', 'T', 1}; /* the last: the layout's version */

/* ---- bytes ---- */

typedef struct writer {
    uint8_t *at;
} writer;

static void put(writer *w, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++, value >>= 8)
        *w->at++ = (uint8_t)value;
}

static void put_text(writer *w, kim_text text)
{
    put(w, text.size, 2);
    if (text.size)
        memcpy(w->at, text.bytes, text.size);
    w->at += text.size;
}

typedef struct reader {
    const uint8_t *at, *end;
    bool fault; /* sticky: from then on all is 0 */
} reader;

static uint64_t take(reader *r, unsigned bytes)
{
    uint64_t value = 0;
    if ((size_t)(r->end - r->at) < bytes)
        r->fault = true;
    if (r->fault)
        return 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)*r->at++ << 8 * i;
    return value;
}

static uint32_t take_count(reader *r, uint32_t most)
{
    uint64_t count = take(r, 2);
    if (count > most)
        r->fault = true;
    return r->fault ? 0 : (uint32_t)count;
}

static kim_text take_text(reader *r, size_t most)
{
    size_t size = take(r, 2);
    if (size > most || (size_t)(r->end - r->at) < size)
        r->fault = true;
    if (r->fault)
        return KIM_NO_TEXT;
    r->at += size;
    return (kim_text){(const char *)r->at - size, size};
}

static void take_name(reader *r, char *to, size_t room)
{
    kim_text text = take_text(r, room - 1);
    if (text.size)
        memcpy(to, text.bytes, text.size);
    to[text.size] = '\0';
}

size_t state_encode(const usage_state *s, uint8_t out[KIM_CURSOR_MAX_BYTES])
{
    writer w = {out};
    for (size_t i = 0; i < sizeof MAGIC; i++)
        put(&w, MAGIC[i], 1);
    put(&w, s->place_count, 2);
    for (uint32_t i = 0; i < s->place_count; i++) {
        put(&w, s->places[i].hash, 8);
        put(&w, s->places[i].is_marked, 1);
        put(&w, s->places[i].mark.minute, 4);
        put(&w, s->places[i].mark.hash, 8);
        put(&w, s->places[i].count, 8);
        put(&w, s->places[i].sum, 8);
        put(&w, (uint64_t)s->places[i].listed_unix_ms, 8);
    }
    put(&w, s->log_count, 2);
    for (uint32_t i = 0; i < s->log_count; i++) {
        put(&w, s->logs[i].hash, 5);
        put(&w, s->logs[i].minute | (uint64_t)s->log_place[i] << 27, 4);
    }
    put(&w, s->part_count, 2);
    for (uint32_t i = 0; i < s->part_count; i++) {
        put(&w, s->parts[i].hash, 8);
        put(&w, s->parts[i].bytes, 8);
        put(&w, s->parts[i].records, 8);
        put(&w, s->parts[i].open, 1);
    }
    put(&w, s->caller_count, 2);
    for (uint32_t i = 0; i < s->caller_count; i++)
        put_text(&w, s->callers[i]);
    uint32_t sessions = 0;
    for (uint32_t i = 0; i < STATE_SESSIONS; i++)
        sessions += s->session_keys[i] != 0;
    put(&w, sessions, 2);
    for (uint32_t i = 0; i < STATE_SESSIONS; i++)
        if (s->session_keys[i]) {
            put(&w, i, 2);
            put(&w, s->session_keys[i], 8);
            put(&w, s->session_caller[i], 1);
        }
    put(&w, s->region_count, 2);
    for (uint32_t i = 0; i < s->region_count; i++)
        put_text(&w, kim_text_of(s->regions[i]));
    put(&w, s->account_count, 2);
    for (uint32_t i = 0; i < s->account_count; i++) {
        const state_account *a = &s->accounts[i];
        put_text(&w, kim_text_of(a->id));
        put(&w, (uint64_t)a->from_unix_ms, 8);
        put(&w, (uint64_t)a->to_unix_ms, 8);
        put(&w, a->regions, 8);
        put(&w, a->data, 4);
        put(&w, a->unmapped, 4);
        put(&w, a->unreadable, 4);
        put(&w, a->changed, 1);
    }
    put(&w, s->unmapped_count, 2);
    for (uint32_t i = 0; i < s->unmapped_count; i++) {
        put(&w, s->unmapped[i].account, 1);
        put_text(&w, kim_text_of(s->unmapped[i].name));
        put(&w, s->unmapped[i].count, 4);
    }
    put(&w, s->accounts_left_out, 8);
    put_text(&w, kim_text_of(s->unreadable));
    return (size_t)(w.at - out);
}

/* The longest that state_encode can make. */
_Static_assert(4 + 2 + STATE_PLACES * 45 + 2 + STATE_LOGS * 9 + 2 + STATE_PARTS * 25 + 2 + STATE_CALLERS * 2 +
                   STATE_CALLERS_BYTES + 2 + STATE_SESSIONS * 11 + 2 + STATE_REGIONS * 26 + 2 +
                   STATE_ACCOUNTS * (2 + 16 + 8 * 3 + 4 * 3 + 1) + 2 + STATE_UNMAPPED * (1 + 2 + STATE_NAME_BYTES + 4) +
                   8 + 2 + 160 <= KIM_CURSOR_MAX_BYTES, "a cursor fits what the host keeps");

int state_decode(usage_state *s, const uint8_t *bytes, size_t size, kim_error *err)
{
    reader r = {.at = bytes, .end = bytes + size};
    memset(s, 0, sizeof *s);
    if (!size)
        return 0;
    if (size < sizeof MAGIC || memcmp(bytes, MAGIC, sizeof MAGIC - 1))
        return kim_fail(err, KIM_ERR_CORRUPT,
                        "the usage cursor is none of this plugin's; remove it to read all logs anew");
    if (bytes[3] != MAGIC[3])
        return kim_fail(err, KIM_ERR_VERSION,
                        "the usage cursor has version %d, this plugin reads %d; go back to the plugin that wrote it, or "
                        "remove it to read all logs anew", bytes[3], MAGIC[3]);
    r.at += sizeof MAGIC;
    s->place_count = take_count(&r, STATE_PLACES);
    for (uint32_t i = 0; i < s->place_count; i++) {
        s->places[i].hash = take(&r, 8);
        s->places[i].is_marked = take(&r, 1) != 0;
        s->places[i].mark.minute = (uint32_t)take(&r, 4);
        s->places[i].mark.hash = take(&r, 8);
        s->places[i].count = take(&r, 8);
        s->places[i].sum = take(&r, 8);
        s->places[i].listed_unix_ms = (int64_t)take(&r, 8);
    }
    s->log_count = take_count(&r, STATE_LOGS);
    for (uint32_t i = 0; i < s->log_count; i++) {
        s->logs[i].hash = take(&r, 5);
        uint32_t packed = (uint32_t)take(&r, 4);
        s->logs[i].minute = packed & ((1u << 27) - 1);
        s->log_place[i] = (uint8_t)(packed >> 27);
        r.fault |= s->log_place[i] >= s->place_count;
    }
    s->part_count = take_count(&r, STATE_PARTS);
    for (uint32_t i = 0; i < s->part_count; i++) {
        s->parts[i].hash = take(&r, 8);
        s->parts[i].bytes = take(&r, 8);
        s->parts[i].records = take(&r, 8);
        s->parts[i].open = take(&r, 1) != 0;
    }
    s->caller_count = take_count(&r, STATE_CALLERS);
    for (uint32_t i = 0; i < s->caller_count; i++) {
        kim_text text = take_text(&r, STATE_CALLERS_BYTES - s->caller_used);
        if (r.fault)
            break;
        memcpy(s->caller_bytes + s->caller_used, text.bytes, text.size);
        s->callers[i] = (kim_text){s->caller_bytes + s->caller_used, text.size};
        s->caller_used += (uint32_t)text.size;
    }
    for (uint32_t n = take_count(&r, STATE_SESSIONS); n; n--) {
        uint64_t i = take(&r, 2), key = take(&r, 8), caller = take(&r, 1);
        if (i >= STATE_SESSIONS || caller >= s->caller_count)
            r.fault = true;
        if (r.fault)
            break;
        s->session_keys[i] = key;
        s->session_caller[i] = (uint8_t)caller;
    }
    s->region_count = take_count(&r, STATE_REGIONS);
    for (uint32_t i = 0; i < s->region_count; i++)
        take_name(&r, s->regions[i], sizeof s->regions[i]);
    s->account_count = take_count(&r, STATE_ACCOUNTS);
    for (uint32_t i = 0; i < s->account_count; i++) {
        state_account *a = &s->accounts[i];
        take_name(&r, a->id, sizeof a->id);
        a->from_unix_ms = (int64_t)take(&r, 8);
        a->to_unix_ms = (int64_t)take(&r, 8);
        a->regions = take(&r, 8);
        a->data = (uint32_t)take(&r, 4);
        a->unmapped = (uint32_t)take(&r, 4);
        a->unreadable = (uint32_t)take(&r, 4);
        a->changed = take(&r, 1) != 0;
    }
    s->unmapped_count = take_count(&r, STATE_UNMAPPED);
    for (uint32_t i = 0; i < s->unmapped_count; i++) {
        s->unmapped[i].account = (uint8_t)take(&r, 1);
        take_name(&r, s->unmapped[i].name, sizeof s->unmapped[i].name);
        s->unmapped[i].count = (uint32_t)take(&r, 4);
        r.fault |= s->unmapped[i].account >= s->account_count;
    }
    s->accounts_left_out = take(&r, 8);
    take_name(&r, s->unreadable, sizeof s->unreadable);
    if (!r.fault && r.at == r.end)
        return 0;
    memset(s, 0, sizeof *s);
    return kim_fail(err, KIM_ERR_CORRUPT, "the usage cursor is damaged %s; remove it to read all logs anew",
                    r.fault ? "in the middle" : "at its end");
}

/* ---- logs ---- */

uint64_t state_hash(uint64_t begin, kim_text text)
{
    return hash_bytes(0x243f6a8885a308d3u + begin, text.bytes, text.size);
}

int state_log_order(state_log a, state_log b)
{
    if (a.minute != b.minute)
        return a.minute < b.minute ? -1 : 1;
    return (a.hash > b.hash) - (a.hash < b.hash);
}

bool state_is_below(const state_place *place, state_log log)
{
    return place->is_marked && state_log_order(log, place->mark) <= 0;
}

state_place *state_place_of(usage_state *s, const char *path)
{
    uint64_t hash = state_hash(0, kim_text_of(path));
    for (uint32_t i = 0; i < s->place_count; i++)
        if (s->places[i].hash == hash)
            return &s->places[i];
    if (s->place_count == STATE_PLACES)
        return NULL;
    s->places[s->place_count] = (state_place){.hash = hash};
    return &s->places[s->place_count++];
}

bool state_knows(const usage_state *s, const state_place *place, state_log log)
{
    for (uint32_t i = 0; i < s->log_count; i++)
        if (s->logs[i].hash == log.hash && s->logs[i].minute == log.minute && &s->places[s->log_place[i]] == place)
            return true;
    return false;
}

static int by_order(const void *a, const void *b)
{
    return state_log_order(*(const state_log *)a, *(const state_log *)b);
}

/* Raises the mark of the place with the most logs over the older half of them. */
static void raise_mark(usage_state *s)
{
    uint32_t each[STATE_PLACES] = {0}, fullest = 0, count = 0, kept = 0;
    state_log sorted[STATE_LOGS];
    for (uint32_t i = 0; i < s->log_count; i++)
        each[s->log_place[i]]++;
    for (uint32_t i = 0; i < s->place_count; i++)
        if (each[i] > each[fullest])
            fullest = i;
    for (uint32_t i = 0; i < s->log_count; i++)
        if (s->log_place[i] == fullest)
            sorted[count++] = s->logs[i];
    qsort(sorted, count, sizeof *sorted, by_order);
    state_place *place = &s->places[fullest];
    place->mark = sorted[count / 2];
    place->is_marked = true;
    for (uint32_t i = 0; i < s->log_count; i++)
        if (s->log_place[i] == fullest && state_is_below(place, s->logs[i])) {
            place->count++;
            place->sum += s->logs[i].hash;
        } else {
            s->logs[kept] = s->logs[i];
            s->log_place[kept++] = s->log_place[i];
        }
    s->log_count = kept;
}

void state_read(usage_state *s, state_place *place, state_log log)
{
    if (s->log_count == STATE_LOGS && !state_is_below(place, log))
        raise_mark(s);
    if (state_is_below(place, log)) {
        place->count++;
        place->sum += log.hash;
        return;
    }
    s->logs[s->log_count] = log;
    s->log_place[s->log_count++] = (uint8_t)(place - s->places);
}

state_part *state_part_of(usage_state *s, uint64_t hash)
{
    for (uint32_t i = 0; i < s->part_count; i++)
        if (s->parts[i].hash == hash)
            return &s->parts[i];
    return NULL;
}

void state_part_drop(usage_state *s, uint64_t hash)
{
    state_part *part = state_part_of(s, hash);
    if (!part)
        return;
    memmove(part, part + 1, (size_t)(s->parts + --s->part_count - part) * sizeof *part);
}

void state_part_set(usage_state *s, state_part part)
{
    state_part_drop(s, part.hash);
    if (s->part_count == STATE_PARTS)
        state_part_drop(s, s->parts[s->parts[0].open].hash);
    s->parts[s->part_count++] = part;
}

/* ---- sessions ---- */

static uint64_t key_hash(kim_text key)
{
    uint64_t hash = state_hash(1, key);
    return hash ? hash : 1;
}

/* Two ways: a key stands in slot h or its neighbour, the newer in front. */
static uint32_t way_of(uint64_t hash)
{
    return (uint32_t)(hash >> 20) % (STATE_SESSIONS / 2) * 2;
}

kim_text state_caller(const usage_state *s, kim_text key)
{
    if (!s->caller_count || !key.size)
        return KIM_NO_TEXT;
    uint64_t hash = key_hash(key);
    uint32_t way = way_of(hash);
    for (uint32_t i = way; i < way + 2; i++)
        if (s->session_keys[i] == hash)
            return s->callers[s->session_caller[i]];
    return KIM_NO_TEXT;
}

/* Drops the callers that no session has any more. */
static void sweep_callers(usage_state *s)
{
    uint8_t now[STATE_CALLERS];
    bool used[STATE_CALLERS] = {false};
    uint32_t kept = 0, bytes = 0;
    for (uint32_t i = 0; i < STATE_SESSIONS; i++)
        if (s->session_keys[i])
            used[s->session_caller[i]] = true;
    for (uint32_t i = 0; i < s->caller_count; i++)
        if (used[i]) {
            memmove(s->caller_bytes + bytes, s->callers[i].bytes, s->callers[i].size);
            s->callers[kept] = (kim_text){s->caller_bytes + bytes, s->callers[i].size};
            bytes += (uint32_t)s->callers[i].size;
            now[i] = (uint8_t)kept++;
        }
    for (uint32_t i = 0; i < STATE_SESSIONS; i++)
        if (s->session_keys[i])
            s->session_caller[i] = now[s->session_caller[i]];
    s->caller_count = kept;
    s->caller_used = bytes;
}

static bool has_room(const usage_state *s, kim_text caller)
{
    return s->caller_count < STATE_CALLERS && STATE_CALLERS_BYTES - s->caller_used >= caller.size;
}

void state_caller_set(usage_state *s, kim_text key, kim_text caller)
{
    uint32_t c = 0;
    if (!key.size || !caller.size || caller.size > STATE_CALLER_MAX_BYTES)
        return;
    while (c < s->caller_count && !kim_text_equal(s->callers[c], caller))
        c++;
    if (c == s->caller_count) {
        if (!has_room(s, caller))
            sweep_callers(s);
        if (!has_room(s, caller)) { /* all of them are in use: begin anew */
            memset(s->session_keys, 0, sizeof s->session_keys);
            s->caller_count = s->caller_used = 0;
        }
        c = s->caller_count++;
        memcpy(s->caller_bytes + s->caller_used, caller.bytes, caller.size);
        s->callers[c] = (kim_text){s->caller_bytes + s->caller_used, caller.size};
        s->caller_used += (uint32_t)caller.size;
    }
    uint64_t hash = key_hash(key);
    uint32_t way = way_of(hash);
    if (s->session_keys[way] != hash) {
        s->session_keys[way + 1] = s->session_keys[way];
        s->session_caller[way + 1] = s->session_caller[way];
    }
    s->session_keys[way] = hash;
    s->session_caller[way] = (uint8_t)c;
}

/* ---- what was seen ---- */

state_account *state_account_of(usage_state *s, kim_text id)
{
    if (!id.size || id.size >= sizeof s->accounts[0].id)
        return NULL;
    for (uint32_t i = 0; i < s->account_count; i++)
        if (!strncmp(s->accounts[i].id, id.bytes, id.size) && !s->accounts[i].id[id.size])
            return &s->accounts[i];
    if (s->account_count == STATE_ACCOUNTS)
        return NULL;
    state_account *a = &s->accounts[s->account_count++];
    *a = (state_account){0};
    memcpy(a->id, id.bytes, id.size);
    return a;
}

uint64_t state_region(usage_state *s, kim_text name)
{
    if (!name.size || name.size >= sizeof s->regions[0])
        return 0;
    for (uint32_t i = 0; i < s->region_count; i++)
        if (!strncmp(s->regions[i], name.bytes, name.size) && !s->regions[i][name.size])
            return (uint64_t)1 << i;
    if (s->region_count == STATE_REGIONS)
        return 0;
    memcpy(s->regions[s->region_count], name.bytes, name.size);
    s->regions[s->region_count][name.size] = '\0';
    return (uint64_t)1 << s->region_count++;
}

void state_unmapped_add(usage_state *s, state_account *account, kim_text source, kim_text name)
{
    char text[STATE_NAME_BYTES];
    uint8_t number = (uint8_t)(account - s->accounts);
    account->unmapped++;
    account->changed = true;
    snprintf(text, sizeof text, "%.*s %.*s", (int)(source.size < 40 ? source.size : 40), source.bytes, KIM_PRINT(name));
    for (char *c = text; *c; c++)
        if (*c < ' ' || *c == 0x7f || (unsigned char)*c >= 0x80) /* it may be cut within a character */
            *c = '?';
    for (uint32_t i = 0; i < s->unmapped_count; i++)
        if (s->unmapped[i].account == number && !strcmp(s->unmapped[i].name, text)) {
            s->unmapped[i].count++;
            return;
        }
    if (s->unmapped_count == STATE_UNMAPPED)
        return;
    state_unmapped *u = &s->unmapped[s->unmapped_count++];
    *u = (state_unmapped){.account = number, .count = 1};
    memcpy(u->name, text, sizeof text);
}
