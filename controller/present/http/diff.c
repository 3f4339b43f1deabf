/* SPDX-License-Identifier: Apache-2.0
 *
 * diff.c - the estate that was published last, against the one before it.
 *
 * Only a private controller keeps the one before: `kim diff` publishes twice. What a day ago was in force
 * is a matter of history, not of memory.
 */
#include "controller/evaluate/diff.h"
#include "controller/present/http/effective.h"
#include "controller/present/http/handlers.h"

typedef struct listing {
    reply *rp;
    kim_error *err;
} listing;

static int write_difference(void *context, const difference *one)
{
    listing *of = context;
    kim_json_writer *to = reply_writer(of->rp);
    kim_json_begin_object(to);
    put_string(to, "difference", diff_kind_name(one->kind));
    put_string(to, "before", verdict_name(one->before));
    put_string(to, "after", verdict_name(one->after));
    put_text(to, "known_only", one->known);
    effective_write(one->grant, to);
    kim_json_end_object(to);
    return reply_item(of->rp, of->err);
}

static int list_differences(request *rq, estate *old, estate *new, reply *rp, kim_error *err)
{
    evaluator *before = evaluator_new(old, err);
    evaluator *after = before ? pools_take_evaluator(rq->pools, new, err) : NULL;
    listing of = {.rp = rp, .err = err};
    int result = -1;
    if (after) {
        kim_json_begin_object(reply_writer(rp));
        kim_json_end_object(reply_writer(rp));
        result = reply_open_list(rp, "differences", err);
        if (result == 0)
            result = estate_diff(before, after, write_difference, &of, err) == 0 ? reply_close_list(rp, err) : -1;
        pools_give_evaluator(rq->pools, new, after);
    }
    evaluator_free(before);
    return result;
}

int show_diff(request *rq, reply *rp, kim_error *err)
{
    estate *old = rq->backend->estate_before ? rq->backend->estate_before(rq->backend->context) : NULL;
    if (old == NULL)
        return kim_fail(err, KIM_ERR_UNSUPPORTED, "this controller keeps no estate to compare with; `kim diff BEFORE AFTER` compares exports");
    estate *new = request_estate(rq, err);
    int result = new ? list_differences(rq, old, new, rp, err) : -1;
    estate_release(new);
    estate_release(old);
    return result;
}
