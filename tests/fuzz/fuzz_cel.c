/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_cel.c - any text is an expression or is refused; written out again it means the same.
 *
 * The first byte chooses: 'r' a regular expression, a line, and a text; else an expression, of which 'u' knows nothing
 * and all others know some attributes.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/evaluate/cel.h"
#include "controller/evaluate/cel/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static cel_value look(void *from, kim_text path, kim_arena *scratch)
{
    static const cel_value items[] = {{.type = CEL_INT, .integer = 2}, {.type = CEL_STRING, .text = {"a", 1}}};
    static const cel_entry entries[] = {{{.type = CEL_STRING, .text = {"a", 1}}, {.type = CEL_INT, .integer = 1}}};
    if (from) /* nothing is known */
        return cel_unknown(scratch, path);
    if (kim_text_is(path, "s") || kim_text_is(path, "resource.name"))
        return cel_string(KIM_TEXT("projects/p/\xc3\xa9"));
    if (kim_text_is(path, "i"))
        return cel_int(7);
    if (kim_text_is(path, "l"))
        return (cel_value){.type = CEL_LIST, .count = 2, .items = items};
    if (kim_text_is(path, "m"))
        return (cel_value){.type = CEL_MAP, .count = 1, .entries = entries};
    if (kim_text_is(path, "t") || kim_text_is(path, "request.time"))
        return cel_timestamp(scratch, KIM_TEXT("2026-03-29T00:59:59.5+05:30"));
    return cel_absent();
}

/* The answer as JSON. False: past a limit. */
static bool answer(const cel_program *program, bool know_nothing, kim_json_writer *writer)
{
    static const kim_text unknown[] = {{"u", 1}, {"m.b", 3}};
    const cel_scope scope = {.look = look, .from = know_nothing ? (void *)unknown : NULL, .unknown = {unknown, 2}};
    kim_arena *scratch = kim_arena_new((size_t)8 << 20);
    cel_value v;
    kim_text residual;
    bool fine = cel_eval(program, &scope, scratch, &v, NULL) == 0;
    if (fine && v.type != CEL_ERROR) /* of errors only that they are one: their places differ */
        cel_value_write(v, writer);
    else if (fine)
        kim_json_put_null(writer);
    if (fine)
        cel_residual(program, &scope, scratch, &residual, NULL);
    kim_arena_free(scratch);
    return fine;
}

static void try_expression(kim_text text, bool know_nothing, kim_arena *arena)
{
    cel_program *first = cel_compile(text, NULL, 0, arena, NULL);
    kim_text written = first ? cel_text(first, arena) : KIM_NO_TEXT;
    if (kim_text_is_absent(written) || written.size > CEL_MAX_BYTES)
        return;
    cel_program *second = cel_compile(written, NULL, 0, arena, NULL);
    if (second == NULL) {
        if (kim_arena_is_full(arena))
            return;
        abort();
    }
    kim_json_writer *a = kim_json_writer_new(false), *b = kim_json_writer_new(false);
    if (answer(first, know_nothing, a) && answer(second, know_nothing, b)) {
        size_t a_size = 0, b_size = 0;
        kim_json_end_line(a);
        kim_json_end_line(b);
        const char *x = kim_json_writer_bytes(a, &a_size, NULL), *y = kim_json_writer_bytes(b, &b_size, NULL);
        if (x && y && (a_size != b_size || memcmp(x, y, a_size) != 0))
            abort();
    }
    kim_json_writer_free(a);
    kim_json_writer_free(b);
}

static void try_regex(kim_text text, kim_arena *arena)
{
    const char *end = text.size ? memchr(text.bytes, '\n', text.size) : NULL;
    kim_text pattern = {text.bytes, end ? (size_t)(end - text.bytes) : text.size};
    kim_text rest = end ? (kim_text){end + 1, text.size - pattern.size - 1} : (kim_text){text.bytes, 0};
    if (!kim_text_is_utf8(pattern) || !kim_text_is_utf8(rest))
        return;
    const regex *r = regex_compile(pattern, arena, NULL);
    if (r && regex_cost(r, rest) < CEL_MAX_STEPS)
        regex_search(r, rest, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_arena *arena = kim_arena_new((size_t)16 << 20);
    if (size > 1 && size < 8192 && arena) {
        kim_text text = {(const char *)bytes + 1, size - 1};
        if (bytes[0] == 'r')
            try_regex(text, arena);
        else
            try_expression(text, bytes[0] == 'u', arena);
    }
    kim_arena_free(arena);
    return 0;
}
