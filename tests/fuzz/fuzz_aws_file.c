/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_aws_file.c - any bytes are a file of some kind, or of none; what is read of them are records.
 *
 * The first line is the file's name, which may tell the kind, the account and what was asked about.
 */
#include <string.h>

#include "plugins/aws/files.h"
#include "plugins/aws/normalise.h"
#include "tests/fuzz/aws_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    char name[256] = "111122223333/eu-west-1/";
    const uint8_t *end = size ? memchr(bytes, '\n', size < 200 ? size : 200) : NULL;
    size_t length = end ? (size_t)(end - bytes) : 0;
    memcpy(name + 23, bytes, length);
    name[23 + length] = '\0';
    kim_error err = {0};
    aws_out out;
    if (!kim_text_is_utf8(kim_text_of(name)) || aws_out_start(&out, &fuzz_host, 32 * 1024 * 1024, true, &err) < 0)
        return 0;
    kim_text text = {end ? (const char *)end + 1 : (const char *)bytes, end ? size - length - 1 : size};
    int result = aws_normalise_file(&out, name, KIM_NO_TEXT, text, &err);
    if (result < 0 && (err.code == KIM_OK || err.code == KIM_ERR_INTERNAL || err.message[0] == '\0'))
        abort();
    if (aws_normalise_end(&out, &err) < 0 || aws_out_flush(&out, &err) < 0)
        abort();
    aws_out_stop(&out);
    return 0;
}
