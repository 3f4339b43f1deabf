/* SPDX-License-Identifier: Apache-2.0
 *
 * cases.c - many cases in one request: with their documents (as records), or over the estate.
 *
 * A case that cannot be read is an answer like any other, with its error in its line. Only a body that
 * is not a stream of cases at all is refused.
 */
#include <msgpack.h>

#include <kim/limits.h>

#include "controller/present/http/handlers.h"
#include "controller/present/http/members.h"

/* ---- whole cases ---- */

typedef struct packed_case {
    kim_text line;
    const char *fault; /* NULL: none; in the request's arena */
    const uint8_t *records;
    size_t size;
} packed_case;

static bool read_bytes(const msgpack_object *from, kim_text *out)
{
    if (from->type == MSGPACK_OBJECT_BIN)
        *out = (kim_text){from->via.bin.ptr, from->via.bin.size};
    else if (from->type == MSGPACK_OBJECT_STR)
        *out = (kim_text){from->via.str.ptr, from->via.str.size};
    else
        return false;
    return true;
}

static int read_case(const msgpack_object *from, kim_arena *arena, packed_case *out)
{
    kim_text fault = KIM_NO_TEXT, records;
    if (from->type != MSGPACK_OBJECT_ARRAY || from->via.array.size < 3)
        return -1;
    const msgpack_object *parts = from->via.array.ptr;
    if (!read_bytes(&parts[0], &out->line) || !read_bytes(&parts[2], &records) ||
        (parts[1].type != MSGPACK_OBJECT_NIL && !read_bytes(&parts[1], &fault)))
        return -1;
    out->fault = kim_text_is_absent(fault) ? NULL : kim_text_copy(arena, fault).bytes;
    out->records = (const uint8_t *)records.bytes;
    out->size = records.size;
    return 0;
}

static int answer_all(request *rq, case_reader *reader, msgpack_unpacked *unpacked, reply *rp, kim_error *err)
{
    size_t at = 0;
    for (size_t i = 0; at < rq->body_size; i++) {
        packed_case one;
        size_t began = at;
        if (msgpack_unpack_next(unpacked, (const char *)rq->body, rq->body_size, &at) != MSGPACK_UNPACK_SUCCESS ||
            read_case(&unpacked->data, rq->arena, &one) < 0)
            return kim_fail(err, KIM_ERR_INPUT,
                            "case %zu of the body, at byte %zu, is no msgpack array [line, fault, records]", i, began);
        if (case_answer(reader, one.line, one.records, one.size, one.fault, reply_writer(rp), err) < 0 ||
            reply_line(rp, err) < 0)
            return -1;
    }
    return 0;
}

int evaluate_cases(request *rq, reply *rp, kim_error *err)
{
    case_reader *reader = pools_take_reader(rq->pools, err);
    if (reader == NULL)
        return -1;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    int result = answer_all(rq, reader, &unpacked, rp, err);
    msgpack_unpacked_destroy(&unpacked);
    pools_give_reader(rq->pools, reader);
    return result;
}

/* ---- requests over the estate ---- */

typedef struct asker {
    evaluator *ev;
    kim_text provider;     /* where the line does not say */
    bool discover, derive; /* where the line does not say */
    reply *rp;
    kim_arena *arena;      /* for one line */
} asker;

static int check_keys(const kim_json *line, kim_error *err)
{
    static const char *const known[] = {"id", "provider", "mode", "request", "known_absent", "known_present"};
    if (!kim_json_is(line, KIM_JSON_OBJECT))
        return kim_fail(err, KIM_ERR_INPUT, "a request is an object, {\"id\":…,\"request\":{…}}, not %s",
                        kim_json_type_name(line->type));
    for (size_t i = 0; i < line->count; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof known / sizeof *known && !found; k++)
            found = kim_text_is(line->members[i].name, known[k]);
        if (!found)
            return kim_fail(err, KIM_ERR_INPUT,
                            "unknown key '%.*s'; known are id, provider, mode, request, known_absent, known_present",
                            (int)(line->members[i].name.size < 64 ? line->members[i].name.size : 64),
                            line->members[i].name.bytes);
    }
    return 0;
}

static int read_discover(kim_text mode, bool otherwise, bool *out, kim_error *err)
{
    *out = kim_text_is_absent(mode) ? otherwise : kim_text_is(mode, "discover");
    if (!*out && !kim_text_is_absent(mode) && !kim_text_is(mode, "strict"))
        return kim_fail(err, KIM_ERR_INPUT, "mode is '%.*s'; it is discover or strict",
                        (int)(mode.size < 32 ? mode.size : 32), mode.bytes);
    return 0;
}

static int answer_one(const asker *as, const kim_json *line, answer *a, kim_error *err)
{
    question q;
    kim_text named = kim_json_text_of(line, "provider"), provider = kim_text_is_absent(named) ? as->provider : named;
    if (check_keys(line, err) < 0)
        return -1;
    if (kim_text_is_absent(provider))
        return kim_fail(err, KIM_ERR_INPUT, "the estate has several providers; say \"provider\" in the request's line");
    if (question_read(kim_json_get(line, "request"), provider, as->arena, &q, err) < 0 ||
        read_discover(kim_json_text_of(line, "mode"), as->discover, &q.discover, err) < 0)
        return -1;
    q.derive = as->derive;
    q.known_absent = kim_json_texts(kim_json_get(line, "known_absent"), as->arena);
    q.known_present = kim_json_texts(kim_json_get(line, "known_present"), as->arena);
    return evaluate_can(as->ev, &q, a, err);
}

static int answer_line(const asker *as, kim_text text, kim_error *err)
{
    kim_arena_reset(as->arena);
    kim_error fault;
    answer a;
    const kim_json *line = kim_json_parse(text.bytes, text.size, "request", as->arena, &fault);
    bool answered = line != NULL && answer_one(as, line, &a, &fault) == 0;
    if (!answered && fault.code == KIM_ERR_NOMEM && !kim_arena_is_full(as->arena)) {
        *err = fault;
        return -1;
    }
    kim_json_writer *to = reply_writer(as->rp);
    kim_json_begin_object(to);
    kim_json_key(to, "id");
    const kim_json *id = kim_json_get(line, "id");
    if (id != NULL)
        kim_json_put_json(to, id);
    else
        kim_json_put_null(to);
    if (answered)
        answer_write(&a, to);
    else
        put_string(to, "error", fault.message);
    kim_json_end_object(to);
    return reply_line(as->rp, err);
}

/* The estate's only provider; absent where it has several, or none. */
static kim_text only_provider(const estate *es)
{
    size_t count;
    const kim_record *profiles = estate_records(es, KIM_PROFILE, &count);
    for (size_t i = 1; i < count; i++)
        if (!kim_text_equal(profiles[i].profile.id, profiles[0].profile.id))
            return KIM_NO_TEXT;
    return count > 0 ? profiles[0].profile.id : KIM_NO_TEXT;
}

static int answer_lines(const asker *as, kim_text body, kim_error *err)
{
    for (size_t at = 0; at < body.size;) {
        const char *end = memchr(body.bytes + at, '\n', body.size - at);
        kim_text line = {body.bytes + at, end != NULL ? (size_t)(end - body.bytes) - at : body.size - at};
        at += line.size + 1;
        size_t blank = 0;
        while (blank < line.size && line.bytes[blank] != '\0' && strchr(" \t\r", line.bytes[blank]) != NULL)
            blank++;
        if (blank < line.size && answer_line(as, line, err) < 0)
            return -1;
    }
    return 0;
}

int evaluate_requests(request *rq, reply *rp, kim_error *err)
{
    asker as = {.rp = rp, .derive = true};
    kim_text derive = request_param(rq, "derive");
    if (read_discover(request_param(rq, "mode"), false, &as.discover, err) < 0)
        return -1;
    if (!kim_text_is_absent(derive) && !kim_text_is(derive, "true") && !kim_text_is(derive, "false"))
        return kim_fail(err, KIM_ERR_INPUT, "parameter 'derive' is true or false");
    as.derive = !kim_text_is(derive, "false");
    estate *es = request_estate(rq, err);
    if (es == NULL)
        return -1;
    as.provider = only_provider(es);
    as.ev = pools_take_evaluator(rq->pools, es, err);
    as.arena = kim_arena_new(64 * KIM_CASE_MAX_BYTES);
    int result = -1;
    if (as.ev != NULL && as.arena != NULL)
        result = answer_lines(&as, (kim_text){(const char *)rq->body, rq->body_size}, err);
    else if (as.ev != NULL)
        kim_fail(err, KIM_ERR_NOMEM, "no memory for the requests");
    kim_arena_free(as.arena);
    pools_give_evaluator(rq->pools, es, as.ev);
    estate_release(es);
    return result;
}
