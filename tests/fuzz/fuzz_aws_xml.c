/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_aws_xml.c - any bytes are an answer of AWS or are refused; what is taken is JSON.
 */
#include <stdlib.h>

#include <kim/json.h>

#include "plugins/aws/live/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_error err = {0};
    kim_arena *arena = kim_arena_new(64 * 1024 * 1024);
    aws_xml_style style = size % 2 ? AWS_XML_EC2 : AWS_XML_PLAIN;
    kim_text json = aws_xml_to_json(arena, (kim_text){(const char *)bytes, size}, style, "input", &err);
    if (json.bytes == NULL ? err.code == KIM_OK || err.code == KIM_ERR_INTERNAL
                           : kim_json_parse(json.bytes, json.size, "written", arena, &err) == NULL && err.code != KIM_ERR_NOMEM)
        abort();
    kim_arena_free(arena);
    return 0;
}
