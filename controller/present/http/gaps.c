/* SPDX-License-Identifier: Apache-2.0
 *
 * gaps.c - granted against used, what is wrong with it, and the policy that would mend it.
 */
#include "controller/present/http/handlers.h"

static int not_yet(const char *what, kim_error *err)
{
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "this controller does not compute %s", what);
}

int list_gaps(request *rq, reply *rp, kim_error *err)
{
    (void)rq, (void)rp;
    return not_yet("gaps", err);
}

int list_findings(request *rq, reply *rp, kim_error *err)
{
    (void)rq, (void)rp;
    return not_yet("findings", err);
}

int list_proposals(request *rq, reply *rp, kim_error *err)
{
    (void)rq, (void)rp;
    return not_yet("proposals", err);
}
