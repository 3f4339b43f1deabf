/* SPDX-License-Identifier: Apache-2.0
 *
 * ask.c - the questions about one estate: can, explain, who-can, what-can, effective.
 */
#include "controller/evaluate/explain.h"
#include "controller/present/http/effective.h"
#include "controller/present/http/handlers.h"
#include "controller/present/http/members.h"

/* ---- the question ---- */

/* KEY=VALUE parameters; the values of one key together, in the order given. */
static int read_context(const request *rq, question *q, kim_error *err)
{
    kim_texts given = request_params(rq, "context");
    context_entry *entries = KIM_NEW_ARRAY(rq->arena, context_entry, given.count + 1);
    kim_text *values = KIM_NEW_ARRAY(rq->arena, kim_text, given.count + 1);
    if (entries == NULL || values == NULL)
        return kim_fail(err, KIM_ERR_NOMEM, "no memory for the question's context");
    for (size_t i = 0; i < given.count; i++) {
        const char *equals = memchr(given.items[i].bytes, '=', given.items[i].size);
        if (equals == NULL || equals == given.items[i].bytes)
            return kim_fail(err, KIM_ERR_INPUT, "context '%.*s' has no '='; write KEY=VALUE, such as aws:SourceIp=192.0.2.1",
                            (int)(given.items[i].size < 64 ? given.items[i].size : 64), given.items[i].bytes);
        kim_text key = {given.items[i].bytes, (size_t)(equals - given.items[i].bytes)};
        size_t k = 0;
        while (k < q->context_count && !kim_text_equal_nocase(entries[k].key, key))
            k++;
        if (k == q->context_count)
            entries[q->context_count++].key = key;
    }
    for (size_t k = 0; k < q->context_count; k++) {
        entries[k].values.items = values;
        for (size_t i = 0; i < given.count; i++) {
            kim_text pair = given.items[i], key = entries[k].key;
            if (pair.size > key.size && pair.bytes[key.size] == '=' &&
                kim_text_equal_nocase((kim_text){pair.bytes, key.size}, key)) {
                *values++ = (kim_text){pair.bytes + key.size + 1, pair.size - key.size - 1};
                entries[k].values.count++;
            }
        }
    }
    q->context = entries;
    return 0;
}

static int read_mode(const request *rq, question *q, kim_error *err)
{
    kim_text mode = request_param(rq, "mode");
    q->discover = kim_text_is_absent(mode) || kim_text_is(mode, "discover");
    if (!q->discover && !kim_text_is(mode, "strict"))
        return kim_fail(err, KIM_ERR_INPUT, "parameter 'mode' is '%.*s'; it is discover or strict",
                        (int)(mode.size < 32 ? mode.size : 32), mode.bytes);
    q->known_absent = request_params(rq, "known_absent");
    q->known_present = request_params(rq, "known_present");
    if (!q->discover && (q->known_absent.count > 0 || q->known_present.count > 0))
        return kim_fail(err, KIM_ERR_INPUT, "known_absent and known_present belong to the mode discover; in strict mode "
                                            "a key that is not given is absent");
    return 0;
}

/* Azure's names of actions do not tell the plane. */
static int read_plane(const request *rq, question *q, kim_error *err)
{
    kim_text plane = request_param(rq, "plane");
    q->data = kim_text_is(plane, "data");
    if (!q->data && !kim_text_is_absent(plane) && !kim_text_is(plane, "control"))
        return kim_fail(err, KIM_ERR_INPUT, "parameter 'plane' is '%.*s'; it is control or data", (int)(plane.size < 32 ? plane.size : 32), plane.bytes);
    return 0;
}

static int read_question(const request *rq, question *q, kim_error *err)
{
    *q = (question){
        .provider = request_param(rq, "provider"),
        .identity = request_param(rq, "identity"),
        .action = request_param(rq, "action"),
        .resource = request_param(rq, "resource"),
        .resource_account = request_param(rq, "resource_account"),
        .derive = true,
    };
    return read_mode(rq, q, err) < 0 || read_plane(rq, q, err) < 0 || read_context(rq, q, err) < 0 ? -1 : 0;
}

/* ---- asking: an estate and an evaluator for the time of one request ---- */

typedef int asking(evaluator *ev, const question *q, request *rq, reply *rp, kim_error *err);

static int ask(request *rq, asking *how, reply *rp, kim_error *err)
{
    question q;
    estate *es = request_estate(rq, err);
    if (es == NULL)
        return -1;
    evaluator *ev = NULL;
    if (request_name_identity(rq, es, err) == 0 && read_question(rq, &q, err) == 0)
        ev = pools_take_evaluator(rq->pools, es, err);
    int result = ev != NULL ? how(ev, &q, rq, rp, err) : -1;
    pools_give_evaluator(rq->pools, es, ev);
    estate_release(es);
    return result;
}

static int ask_can(evaluator *ev, const question *q, request *rq, reply *rp, kim_error *err)
{
    (void)rq;
    answer a;
    if (evaluate_can(ev, q, &a, err) < 0)
        return -1;
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    put_text(to, "identity", q->identity);
    put_text(to, "action", q->action);
    put_text(to, "resource", q->resource);
    answer_write(&a, to);
    kim_json_end_object(to);
    return reply_document(rp, err);
}

static int ask_explain(evaluator *ev, const question *q, request *rq, reply *rp, kim_error *err)
{
    (void)rq;
    answer a;
    kim_texts sentences;
    if (evaluate_explain(ev, q, &a, &sentences, err) < 0)
        return -1;
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    put_text(to, "identity", q->identity);
    put_text(to, "action", q->action);
    put_text(to, "resource", q->resource);
    answer_write(&a, to);
    kim_json_key(to, "explanation");
    kim_json_put_texts(to, sentences);
    kim_json_end_object(to);
    return reply_document(rp, err);
}

typedef struct listing {
    reply *rp;
    kim_error *err;
} listing;

static int write_who(void *context, kim_text identity, const answer *a)
{
    listing *of = context;
    kim_json_writer *to = reply_writer(of->rp);
    kim_json_begin_object(to);
    put_text(to, "identity", identity);
    answer_write(a, to);
    kim_json_end_object(to);
    return reply_item(of->rp, of->err);
}

static int write_what(void *context, const grant *what, const answer *a)
{
    listing *of = context;
    kim_json_writer *to = reply_writer(of->rp);
    kim_json_begin_object(to);
    put_text(to, "action", what->action);
    if (what->not_actions.count) {
        kim_json_key(to, "not_actions");
        kim_json_put_texts(to, what->not_actions);
    }
    put_text(to, "resource", what->resource);
    answer_write(a, to);
    kim_json_end_object(to);
    return reply_item(of->rp, of->err);
}

static int ask_who_can(evaluator *ev, const question *q, request *rq, reply *rp, kim_error *err)
{
    (void)rq;
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    put_text(to, "resource", q->resource);
    put_text(to, "action", q->action);
    kim_json_end_object(to);
    listing of = {.rp = rp, .err = err};
    if (reply_open_list(rp, "answers", err) < 0 || evaluate_who_can(ev, q, write_who, &of, err) != 0)
        return -1;
    return reply_close_list(rp, err);
}

static int ask_what_can(evaluator *ev, const question *q, request *rq, reply *rp, kim_error *err)
{
    (void)rq;
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    put_text(to, "identity", q->identity);
    kim_json_end_object(to);
    listing of = {.rp = rp, .err = err};
    if (reply_open_list(rp, "answers", err) < 0 || evaluate_what_can(ev, q, write_what, &of, err) != 0)
        return -1;
    return reply_close_list(rp, err);
}

static int write_grant(void *context, const effective_grant *one)
{
    listing *of = context;
    kim_json_writer *to = reply_writer(of->rp);
    kim_json_begin_object(to);
    effective_write(one, to);
    kim_json_end_object(to);
    return reply_item(of->rp, of->err);
}

/* Of several identities one after the other, in the order given: an entity's, for example. */
static int ask_effective(evaluator *ev, const question *q, request *rq, reply *rp, kim_error *err)
{
    listing of = {.rp = rp, .err = err};
    kim_texts identities = request_params(rq, "identity");
    kim_json_begin_object(reply_writer(rp));
    kim_json_end_object(reply_writer(rp));
    if (reply_open_list(rp, "grants", err) < 0)
        return -1;
    for (size_t i = 0; i < identities.count; i++) {
        question one = *q;
        one.identity = identities.items[i];
        if (evaluate_effective(ev, &one, write_grant, &of, err) != 0)
            return -1;
    }
    return reply_close_list(rp, err);
}

int answer_can(request *rq, reply *rp, kim_error *err)
{
    return ask(rq, ask_can, rp, err);
}

int answer_explain(request *rq, reply *rp, kim_error *err)
{
    return ask(rq, ask_explain, rp, err);
}

int answer_effective(request *rq, reply *rp, kim_error *err)
{
    if (request_params(rq, "identity").count == 0)
        return kim_fail(err, KIM_ERR_INPUT, "/v1/effective needs the parameter 'identity', once or several times");
    return ask(rq, ask_effective, rp, err);
}

int answer_who_can(request *rq, reply *rp, kim_error *err)
{
    return ask(rq, ask_who_can, rp, err);
}

int answer_what_can(request *rq, reply *rp, kim_error *err)
{
    return ask(rq, ask_what_can, rp, err);
}
