/* SPDX-License-Identifier: Apache-2.0
 *
 * event.c - a walk over the index of structural bytes.
 *
 * The index (json_index.h) holds the offset of every bracket, colon, comma and of each value's first byte.
 * So a string ends just before the next entry, and what is not wanted is skipped by counting brackets
 * in the index: the text in between is never read. The walk keeps one sticky fault, and each record is
 * checked once, at its end.
 */
#define _GNU_SOURCE /* memmem */
#include "plugins/aws/usage/event.h"

#include <stdlib.h>

#include <kim/limits.h>

#include "plugins/aws/usage/json_index.h"

typedef struct event_walk {
    const char *text;
    const uint32_t *at; /* [count] offsets; at[count] is the text's size */
    size_t count;
    size_t i;           /* the entry in hand */
    const char *fault;  /* sticky; static */
} walk;

static const char CUT[] = "ends in the middle";
/* How every event of CloudTrail begins: where to go on behind one that cannot be read. */
static const char MARK[] = "{\"eventVersion\"";

struct event_reader {
    json_index *index;       /* of the text */
    json_index *inner;       /* of an event within a string; NULL until there is one */
    char *unescaped;         /* that event's text [KIM_LOG_RECORD_MAX_BYTES + padding] */
    const event_handler *handler;
    uint64_t number;         /* of the record in hand */
    bool cut;                /* the text ended within a record */
};

static inline char here(const walk *w)
{
    return w->i < w->count ? w->text[w->at[w->i]] : '\0';
}

static inline void fail(walk *w, const char *fault)
{
    if (!w->fault)
        w->fault = fault;
    w->i = w->count;
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The text of the string in hand, whose index entry is passed; absent, with a fault, where it is none. */
static inline __attribute__((always_inline)) kim_text string(walk *w)
{
    size_t begin = w->at[w->i] + 1;
    size_t end = w->at[++w->i];
    while (end > begin && is_space(w->text[end - 1]))
        end--;
    if (end <= begin || w->text[end - 1] != '"') {
        fail(w, "a string is followed by something that does not belong there");
        return KIM_NO_TEXT;
    }
    return (kim_text){w->text + begin, end - 1 - begin};
}

static inline void skip(walk *w)
{
    static const signed char step[256] = {['{'] = 1, ['['] = 1, ['}'] = -1, [']'] = -1};
    const char *text = w->text;
    const uint32_t *at = w->at;
    size_t i = w->i, count = w->count;
    int depth = 0;
    if (i >= count) {
        fail(w, CUT);
        return;
    }
    do
        depth += step[(unsigned char)text[at[i++]]];
    while (depth > 0 && i < count);
    w->i = i;
    if (depth != 0)
        fail(w, depth > 0 ? CUT : "a value is missing");
}

/* A string's text; absent for any other value, which is skipped. */
static inline __attribute__((always_inline)) kim_text text_value(walk *w)
{
    if (here(w) == '"')
        return string(w);
    skip(w);
    return KIM_NO_TEXT;
}

/* Steps to the next member of the object in hand and takes its name: false at the end or a fault.
 * `first` is the caller's, true before the first call; the walk stands on '{' then. */
static inline __attribute__((always_inline)) bool member(walk *w, bool *first, kim_text *name)
{
    char c;
    if (*first) {
        w->i++;
        *first = false;
        c = here(w);
        if (c == '}') {
            w->i++;
            return false;
        }
    } else {
        c = here(w);
        w->i++;
        if (c == '}')
            return false;
        if (c != ',') {
            fail(w, c ? "a comma is missing between two members" : CUT);
            return false;
        }
        c = here(w);
    }
    if (c != '"') {
        fail(w, c ? "a member has no name" : CUT);
        return false;
    }
    *name = string(w);
    if (here(w) != ':') {
        fail(w, "a colon is missing after a name");
        return false;
    }
    w->i++;
    return true;
}

/* The same for the elements of a list: true where the walk stands on one. */
static inline bool element(walk *w, bool *first)
{
    char c;
    if (*first) {
        w->i++;
        *first = false;
        if (here(w) != ']')
            return here(w) != '\0';
        w->i++;
        return false;
    }
    c = here(w);
    w->i++;
    if (c == ']')
        return false;
    if (c != ',')
        fail(w, c ? "a comma is missing between two elements" : CUT);
    return c == ',' && here(w) != '\0';
}

#define IS(name, literal) ((name).size == sizeof(literal) - 1 && !memcmp((name).bytes, literal, sizeof(literal) - 1))

static void read_session(walk *w, event *e)
{
    kim_text name;
    if (here(w) != '{') {
        skip(w);
        return;
    }
    for (bool first = true; member(w, &first, &name);) {
        if (IS(name, "sessionIssuer") && here(w) == '{') {
            for (bool inner = true; member(w, &inner, &name);)
                if (IS(name, "arn"))
                    e->who.issuer_arn = text_value(w);
                else if (IS(name, "accountId"))
                    e->who.issuer_account = text_value(w);
                else
                    skip(w);
        } else if (IS(name, "sourceIdentity"))
            e->who.source_identity = text_value(w);
        else
            skip(w);
    }
}

static void read_store(walk *w, event *e)
{
    kim_text name;
    if (here(w) != '{') {
        skip(w);
        return;
    }
    for (bool first = true; member(w, &first, &name);)
        if (IS(name, "userId"))
            e->who.store_user = text_value(w);
        else if (IS(name, "identityStoreArn"))
            e->who.store_arn = text_value(w);
        else
            skip(w);
}

static void read_who(walk *w, event *e)
{
    kim_text name;
    if (here(w) != '{') {
        skip(w);
        return;
    }
    for (bool first = true; member(w, &first, &name);) {
        switch (name.size) {
        case 3:
            if (IS(name, "arn")) {
                e->who.arn = text_value(w);
                continue;
            }
            break;
        case 4:
            if (IS(name, "type")) {
                e->who.type = text_value(w);
                continue;
            }
            break;
        case 8:
            if (IS(name, "userName")) {
                e->who.user = text_value(w);
                continue;
            }
            break;
        case 9:
            if (IS(name, "accountId")) {
                e->who.account = text_value(w);
                continue;
            }
            if (IS(name, "invokedBy")) {
                e->who.invoked_by = text_value(w);
                continue;
            }
            break;
        case 10:
            if (IS(name, "onBehalfOf")) {
                read_store(w, e);
                continue;
            }
            break;
        case 11:
            if (IS(name, "principalId")) {
                e->who.principal = text_value(w);
                continue;
            }
            if (IS(name, "accessKeyId")) {
                e->who.key = text_value(w);
                continue;
            }
            break;
        case 14:
            if (IS(name, "sessionContext")) {
                read_session(w, e);
                continue;
            }
            break;
        case 16:
            if (IS(name, "identityProvider")) {
                e->who.provider = text_value(w);
                continue;
            }
            break;
        }
        skip(w);
    }
}

static void read_resources(walk *w, event *e)
{
    kim_text name;
    if (here(w) != '[') {
        skip(w);
        return;
    }
    for (bool first = true; element(w, &first);) {
        if (here(w) != '{') {
            skip(w);
            continue;
        }
        for (bool inner = true; member(w, &inner, &name);)
            if ((IS(name, "ARN") || IS(name, "arn")) && here(w) == '"') {
                kim_text arn = string(w);
                if (e->resource_count < EVENT_MAX_RESOURCES)
                    e->resources[e->resource_count++] = arn;
            } else
                skip(w);
    }
}

/* One event; the walk stands on its '{'. False at a fault, and where the object turns out to hold a list
 * of records instead: then *is_list is set, which was false, and the walk stands on that list. */
static bool read_event(walk *w, event *e, bool *is_list)
{
    kim_text name;
    *e = (event){.walk = w, .offset = w->at[w->i]};
    for (bool first = true; member(w, &first, &name);) {
        switch (name.size) {
        case 6:
            if (IS(name, "Events") && is_list && here(w) == '[') {
                *is_list = true;
                return false;
            }
            break;
        case 7:
            if (IS(name, "Records") && is_list && here(w) == '[') {
                *is_list = true;
                return false;
            }
            break;
        case 9:
            if (IS(name, "eventTime")) {
                e->time = text_value(w);
                continue;
            }
            if (IS(name, "eventName")) {
                e->name = text_value(w);
                continue;
            }
            if (IS(name, "awsRegion")) {
                e->region = text_value(w);
                continue;
            }
            if (IS(name, "errorCode")) {
                e->error_code = text_value(w);
                continue;
            }
            if (IS(name, "resources")) {
                read_resources(w, e);
                continue;
            }
            if (IS(name, "eventType")) {
                e->type = text_value(w);
                continue;
            }
            break;
        case 10:
            if (IS(name, "@timestamp") && kim_text_is_absent(e->time)) { /* Logstash moves eventTime there */
                e->time = text_value(w);
                continue;
            }
            break;
        case 11:
            if (IS(name, "eventSource")) {
                e->source = text_value(w);
                continue;
            }
            break;
        case 12:
            if (IS(name, "userIdentity")) {
                read_who(w, e);
                continue;
            }
            if (IS(name, "errorMessage")) {
                e->error_message = text_value(w);
                continue;
            }
            break;
        case 13:
            if (IS(name, "eventCategory")) {
                e->category = text_value(w);
                e->is_data |= IS(e->category, "Data");
                continue;
            }
            break;
        case 15:
            if (IS(name, "CloudTrailEvent")) {
                e->inner = text_value(w);
                continue;
            }
            if (IS(name, "managementEvent")) {
                e->is_data |= here(w) == 'f';
                skip(w);
                continue;
            }
            break;
        case 16:
            if (IS(name, "responseElements")) {
                e->response = here(w) == '{' ? w->i : 0;
                skip(w);
                continue;
            }
            break;
        case 17:
            if (IS(name, "requestParameters")) {
                e->request = here(w) == '{' ? w->i : 0;
                skip(w);
                continue;
            }
            break;
        case 18:
            if (IS(name, "recipientAccountId")) {
                e->recipient = text_value(w);
                continue;
            }
            break;
        }
        skip(w);
    }
    return !w->fault;
}

static int refuse(event_reader *r, size_t offset, const char *why, kim_error *err)
{
    return r->handler->bad(r->handler->context, r->number++, offset, why, err);
}

/* Is there enough in it to count? The reason why not, or NULL. */
static const char *lacks(const event *e)
{
    if (kim_text_is_absent(e->name) || kim_text_is_absent(e->source))
        return "no CloudTrail event: it has no eventName or no eventSource";
    if (kim_text_is_absent(e->time))
        return "no CloudTrail event: it has no eventTime";
    return NULL;
}

/* Behind a record that begins at entry `start` and cannot be read: where its brackets close, but before
 * the next thing that begins as an event does. False where nothing follows: the text was cut off. */
static bool pass_over(walk *w, size_t start)
{
    walk whole = {.text = w->text, .at = w->at, .count = w->count, .i = start};
    skip(&whole);
    size_t end = whole.fault ? w->count : whole.i;
    bool more = !whole.fault;
    for (size_t i = start + 1; i < end; i++)
        if (w->text[w->at[i]] == '{' && w->at[w->count] - w->at[i] > sizeof MARK &&
            !memcmp(w->text + w->at[i], MARK, sizeof MARK - 1)) {
            end = i;
            more = true;
            break;
        }
    w->i = end;
    w->fault = NULL;
    return more;
}

/* An event that stands as text within another object, as LookupEvents gives it. */
static int give_inner(event_reader *r, kim_text raw, size_t offset, kim_error *err)
{
    if (raw.size > KIM_LOG_RECORD_MAX_BYTES)
        return refuse(r, offset, "longer than a record may be (KIM_LOG_RECORD_MAX_BYTES)", err);
    if (!r->unescaped) {
        r->unescaped = malloc(KIM_LOG_RECORD_MAX_BYTES + JSON_INDEX_PADDING);
        r->inner = json_index_new(KIM_LOG_RECORD_MAX_BYTES);
        if (!r->unescaped || !r->inner)
            return kim_fail(err, KIM_ERR_NOMEM, "no memory to read an event of LookupEvents");
    }
    kim_text text = event_unescape(raw, r->unescaped);
    if (text.bytes != r->unescaped)
        memcpy(r->unescaped, text.bytes, text.size);
    memset(r->unescaped + text.size, 0, JSON_INDEX_PADDING);
    walk w = {.text = r->unescaped};
    event e = {0};
    const char *why = json_index_find(r->inner, r->unescaped, text.size, &w.at, &w.count);
    if (!why && here(&w) != '{')
        why = "no event";
    if (!why && !read_event(&w, &e, NULL))
        why = w.fault;
    if (!why)
        why = lacks(&e);
    if (why)
        return refuse(r, offset, why, err);
    r->number++;
    return r->handler->event(r->handler->context, &e, err);
}

/* Hands over what was read from entry `start` on, good or bad. */
static int give(event_reader *r, walk *w, size_t start, const event *e, kim_error *err)
{
    if (w->fault) {
        const char *why = w->fault;
        if (!pass_over(w, start) && why == CUT) {
            r->cut = true;
            return 0;
        }
        return refuse(r, w->at[start], why, err);
    }
    if (!kim_text_is_absent(e->inner))
        return give_inner(r, e->inner, w->at[start], err);
    const char *why = lacks(e);
    if (why)
        return refuse(r, w->at[start], why, err);
    r->number++;
    return r->handler->event(r->handler->context, e, err);
}

/* Something that is no object where a record should be. */
static int give_stray(event_reader *r, walk *w, kim_error *err)
{
    size_t start = w->i;
    skip(w);
    pass_over(w, start);
    if (w->i == start)
        w->i++;
    return refuse(r, w->at[start], "something that is no record", err);
}

/* The elements of a list of records; the walk stands on its '['. */
static int walk_list(event_reader *r, walk *w, bool is_piece, kim_error *err)
{
    event e;
    int status = 0;
    w->i++;
    while (w->i < w->count && !status) {
        size_t start = w->i;
        switch (here(w)) {
        case ']':
            w->i++;
            return 0;
        case ',':
            w->i++;
            break;
        case '{':
            read_event(w, &e, NULL);
            status = give(r, w, start, &e, err);
            break;
        default:
            status = give_stray(r, w, err);
        }
    }
    r->cut |= !is_piece && !status;
    return status;
}

static int walk_text(event_reader *r, walk *w, bool is_piece, kim_error *err)
{
    event e;
    int status = 0;
    while (w->i < w->count && !status) {
        size_t start = w->i;
        bool is_list = false;
        switch (here(w)) {
        case '[':
            status = walk_list(r, w, is_piece, err);
            break;
        case '{':
            read_event(w, &e, &is_list);
            if (!is_list) {
                status = give(r, w, start, &e, err);
                break;
            }
            status = walk_list(r, w, is_piece, err);
            while (!status && w->i < w->count && here(w) != '}') /* what stands beside the list */
                w->i++;
            break;
        case ',': case ']': case '}': /* between the pieces of a list */
            w->i++;
            break;
        default:
            status = give_stray(r, w, err);
        }
    }
    return status;
}

/* A text whose structure cannot be found as a whole, for one unreadable byte spoils it: event by event,
 * cut where each begins as CloudTrail writes it, or else line by line. */
static int salvage(event_reader *r, const char *text, size_t size, kim_error *err)
{
    const char *end = text + size;
    const char *at = memmem(text, size, MARK, sizeof MARK - 1);
    bool by_line = !at;
    int status = 0;
    if (by_line)
        at = text;
    for (const char *next; at < end && !status; at = next) {
        next = by_line ? memchr(at, '\n', (size_t)(end - at))
                       : memmem(at + 1, (size_t)(end - at - 1), MARK, sizeof MARK - 1);
        next = !next ? end : by_line ? next + 1 : next;
        walk w = {.text = at};
        event e;
        const char *why = json_index_find(r->index, at, (size_t)(next - at), &w.at, &w.count);
        if (!why && here(&w) == '{') {
            read_event(&w, &e, NULL);
            why = w.fault ? w.fault : lacks(&e);
        } else if (!why)
            why = "no record";
        if (!why) {
            r->number++;
            e.offset = (size_t)(at - text);
            status = r->handler->event(r->handler->context, &e, err);
        } else if (next == end && (why == CUT || !strcmp(why, JSON_INDEX_OPEN)))
            r->cut = true;
        else
            status = refuse(r, (size_t)(at - text), why, err);
    }
    return status;
}

event_reader *event_reader_new(size_t max_bytes)
{
    event_reader *r = calloc(1, sizeof *r);
    if (r && !(r->index = json_index_new(max_bytes))) {
        free(r);
        return NULL;
    }
    return r;
}

void event_reader_free(event_reader *reader)
{
    if (!reader)
        return;
    json_index_free(reader->index);
    json_index_free(reader->inner);
    free(reader->unescaped);
    free(reader);
}

int event_reader_walk(event_reader *reader, const char *text, size_t size, bool is_piece,
                      const event_handler *handler, uint64_t *records, bool *cut, kim_error *err)
{
    walk w = {.text = text};
    int status = 0;
    reader->handler = handler;
    reader->number = *records;
    reader->cut = false;
    while (size && is_space(text[size - 1]))
        size--;
    if (size)
        status = json_index_find(reader->index, text, size, &w.at, &w.count)
                     ? salvage(reader, text, size, err)
                     : walk_text(reader, &w, is_piece, err);
    *records = reader->number;
    *cut = reader->cut;
    return status;
}

kim_text event_find(const event *e, size_t at, const char *const *path, size_t nth)
{
    bool met_list = false;
    if (!at)
        return KIM_NO_TEXT;
    walk w = *e->walk;
    w.i = at;
    for (;;) {
        if (here(&w) == '[') {
            bool first = true;
            for (size_t left = met_list ? 0 : nth;; left--) {
                if (!element(&w, &first))
                    return KIM_NO_TEXT;
                if (!left)
                    break;
                skip(&w);
            }
            met_list = true;
        }
        if (!*path)
            break;
        if (here(&w) != '{')
            return KIM_NO_TEXT;
        size_t length = strlen(*path);
        kim_text name;
        bool first = true, found = false;
        while (!found && member(&w, &first, &name)) {
            if (name.size == length && !memcmp(name.bytes, *path, length))
                found = true;
            else
                skip(&w);
        }
        if (!found)
            return KIM_NO_TEXT;
        path++;
    }
    char c = here(&w);
    if (nth && !met_list)
        return KIM_NO_TEXT;
    if (c == '"')
        return string(&w);
    if (c != '-' && !(c >= '0' && c <= '9'))
        return KIM_NO_TEXT;
    size_t begin = w.at[w.i], end = w.at[w.i + 1];
    while (end > begin && is_space(w.text[end - 1]))
        end--;
    return (kim_text){w.text + begin, end - begin};
}

static int hex4(const char *s, const char *end)
{
    int value = 0;
    if (end - s < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80)
        *to++ = (char)c;
    else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

kim_text event_unescape(kim_text raw, char *to)
{
    if (kim_text_is_absent(raw) || !memchr(raw.bytes, '\\', raw.size))
        return raw;
    const char *s = raw.bytes, *end = s + raw.size;
    char *out = to;
    while (s < end) {
        if (*s != '\\' || s + 1 == end) {
            *out++ = *s++;
            continue;
        }
        char c = s[1];
        s += 2;
        if (c == 'u') {
            int unit = hex4(s, end);
            uint32_t code = unit < 0 ? '?' : (uint32_t)unit; /* never longer than what stood there */
            s += unit < 0 ? 0 : 4;
            if (code >= 0xd800 && code < 0xdc00 && end - s >= 6 && s[0] == '\\' && s[1] == 'u') {
                int low = hex4(s + 2, end);
                if (low >= 0xdc00 && low < 0xe000) {
                    code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
                    s += 6;
                }
            }
            if (code >= 0xd800 && code < 0xe000)
                code = 0xfffd;
            if (!code)
                break;
            out = put_utf8(out, code);
        } else
            *out++ = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
    }
    return (kim_text){to, (size_t)(out - to)};
}
