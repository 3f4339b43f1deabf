/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.c - kim scan: files in, an estate in a private controller, and a report or a query on it.
 */
#include "controller/present/cli/commands.h"

int run_scan(const invocation *in, kim_error *err)
{
    (void)in;
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "not yet");
}
