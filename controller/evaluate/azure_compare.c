/* SPDX-License-Identifier: Apache-2.0
 *
 * azure_compare.c - does one role allow what another does not?
 */
#include "controller/evaluate/azure.h"

int azure_compare(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    (void)line, (void)es, (void)writer;
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "not yet");
}

int azure_expand(const kim_json *line, estate *es, kim_json_writer *writer, kim_error *err)
{
    (void)line, (void)es, (void)writer;
    return kim_fail(err, KIM_ERR_UNSUPPORTED, "not yet");
}
