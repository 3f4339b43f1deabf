/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_aws_document.c - any JSON is a policy of which as much is read as can be, by itself or as the
 * text that APIs give; and any line is a case or is refused with a reason, without leaving anything behind.
 */
#include "plugins/aws/case.h"
#include "plugins/aws/document.h"
#include "tests/fuzz/aws_host.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int take_trust(void *context, kim_text principal, kim_text via, kim_condition condition, kim_error *err)
{
    (void)context, (void)err;
    if (principal.bytes == NULL || via.size == 0 || (condition.lang.bytes != NULL) != (condition.text.bytes != NULL))
        abort();
    return 0;
}

static void read_document(aws_out *out, const kim_json *document)
{
    const aws_policy as = {.scope = KIM_TEXT("aws:1"), .id = KIM_TEXT("p"), .kind = KIM_TEXT("inline")};
    kim_error err = {0};
    if (aws_document_put(out, &as, document, &err) < 0 && err.code != KIM_ERR_LIMIT)
        abort(); /* a document that cannot be read is no error */
    if (aws_document_each_trust(out, document, take_trust, NULL, &err) < 0)
        abort();
}

static void read_case(const uint8_t *bytes, size_t size)
{
    kim_error err = {0};
    aws_out out;
    if (aws_out_start(&out, &fuzz_host, 32 * 1024 * 1024, false, &err) < 0)
        return;
    if (aws_case_normalise(&out, "case", (const char *)bytes, size, &err) < 0 && (err.message[0] == '\0' || out.emitter.pending.size))
        abort();
    aws_out_stop(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_error err = {0};
    aws_out out;
    if (aws_out_start(&out, &fuzz_host, 32 * 1024 * 1024, true, &err) < 0)
        return 0;
    const kim_json *document = kim_json_parse((const char *)bytes, size, "input", out.arena, &err);
    if (document)
        read_document(&out, document);
    const kim_json text = {.type = KIM_JSON_STRING, .line = 1, .text = {(const char *)bytes, size}};
    if (kim_text_is_utf8(text.text))
        read_document(&out, &text);
    if (aws_out_flush(&out, &err) < 0)
        abort();
    aws_out_stop(&out);
    read_case(bytes, size);
    return 0;
}
