/* SPDX-License-Identifier: Apache-2.0
 *
 * gcp_compare.c - two roles or two deny policies compared; what a role names.
 */
#include "controller/evaluate/gcp.h"

int gcp_compare(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    (void)line, (void)es, (void)writer;
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "compare");
}

int gcp_expand(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    (void)line, (void)es, (void)writer;
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "expand");
}
