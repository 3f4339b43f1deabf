/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_kubernetes_document.c - any line is a case or is refused with a reason; any file is read as JSON or YAML,
 * or is refused with a reason. What goes out is always records.
 */
#include "plugins/kubernetes/case.h"
#include "plugins/kubernetes/files.h"
#include "tests/fuzz/aws_host.h"

enum { ARENA_MAX_BYTES = 32 * 1024 * 1024 };

static void check(int result, const kim_error *err)
{
    if (result < 0 && (err->code == KIM_OK || err->code == KIM_ERR_INTERNAL || err->message[0] == '\0'))
        abort();
}

static void read_case(kim_arena *arena, kim_arena *scratch, kim_text text)
{
    kim_emitter emitter;
    kim_error err = {0};
    kim_emitter_start(&emitter, &fuzz_host);
    int result = k8s_case_normalise(&emitter, arena, scratch, "case", text.bytes, text.size, &err);
    check(result, &err);
    if (err.code == KIM_ERR_INPUT && emitter.count)
        abort(); /* a part of a case */
    kim_emitter_stop(&emitter);
}

static void read_file(kim_arena *arena, kim_arena *scratch, const char *name, kim_text text)
{
    static const k8s_files from = {.namespace = {"default", 7}};
    kim_emitter emitter;
    kim_error err = {0};
    k8s_out out = {.emitter = &emitter, .arena = arena, .scratch = scratch, .cluster = KIM_TEXT("c"), .leaves_out = true};
    kim_arena_reset(arena);
    kim_arena_reset(scratch);
    kim_emitter_start(&emitter, &fuzz_host);
    int result = k8s_normalise_file(&out, &from, name, text, &err);
    check(result, &err);
    if (result == 0 && kim_emit_flush(&emitter, NULL, 0, &err) < 0)
        abort();
    kim_emitter_stop(&emitter);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_arena *arena = kim_arena_new(ARENA_MAX_BYTES), *scratch = kim_arena_new(ARENA_MAX_BYTES);
    kim_text text = {(const char *)bytes, size};
    k8s_recognise(text);
    read_case(arena, scratch, text);
    read_file(arena, scratch, "file.json", text);
    read_file(arena, scratch, "file.yaml", text);
    kim_arena_free(arena);
    kim_arena_free(scratch);
    return 0;
}
