/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_azure_document.c - any line is a case or is refused with a reason, without leaving anything behind;
 * and any file of Azure's is read as far as it can be. What goes out is always records.
 */
#include "plugins/azure/case.h"
#include "plugins/azure/files.h"
#include "tests/fuzz/aws_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_text text = {(const char *)bytes, size};
    kim_error err = {0};
    azure_out out;
    if (azure_out_start(&out, &fuzz_host, 32 * 1024 * 1024, &err) < 0)
        return 0;
    if (azure_case_normalise(&out, "case", text, &err) < 0 && (err.message[0] == '\0' || out.emitter.pending.size || out.count))
        abort();
    azure_out_drop(&out);
    azure_reader r = {.out = &out, .tenant = AZURE_NO_TENANT, .where = "file", .err = &err};
    azure_recognise("file", bytes, size);
    err = (kim_error){0};
    if (azure_read_file(&r, "file", text) == 0 && azure_out_flush(&out, &err) < 0 && err.message[0] == '\0')
        abort();
    azure_out_stop(&out);
    return 0;
}
