/* SPDX-License-Identifier: Apache-2.0
 *
 * neutral.c - decisions by a profile that a provider declares.
 */
#include "controller/evaluate/evaluator.h"

int neutral_decide(evaluator *ev, const kim_profile *profile, const question *q, answer *out, kim_error *err)
{
    (void)ev, (void)q, (void)out;
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "combining '%.*s' is not known", KIM_PRINT(profile->combining));
}
