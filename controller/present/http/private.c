/* SPDX-License-Identifier: Apache-2.0
 *
 * private.c - a private controller takes its records from its parent instead of from agents.
 */
#include "controller/present/http/handlers.h"
#include "controller/present/http/members.h"

static int check_private(const request *rq, kim_error *err)
{
    if (rq->backend->import != NULL && rq->backend->publish != NULL)
        return 0;
    return kim_fail(err, KIM_ERR_UNSUPPORTED,
                    "this controller takes records from its agents only; `kim scan` starts a private one for files");
}

int import_records(request *rq, reply *rp, kim_error *err)
{
    uint64_t count = 0;
    if (check_private(rq, err) < 0 ||
        rq->backend->import(rq->backend->context, rq->body, rq->body_size, &count, err) < 0)
        return -1;
    kim_json_writer *to = reply_writer(rp);
    kim_json_begin_object(to);
    put_int(to, "records", (int64_t)count);
    kim_json_end_object(to);
    return reply_document(rp, err);
}

int publish_estate(request *rq, reply *rp, kim_error *err)
{
    if (check_private(rq, err) < 0 || rq->backend->publish(rq->backend->context, err) < 0)
        return -1;
    return show_status(rq, rp, err);
}
