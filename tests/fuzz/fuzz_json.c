/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_json.c - any bytes are a document or are refused; what was read is written, and reads the same.
 */
#include <stdlib.h>
#include <string.h>

#include <kim/json.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *write_again(kim_json_writer *writer, const kim_json *json, size_t *size)
{
    kim_error err;
    kim_json_writer_reset(writer);
    kim_json_put_json(writer, json);
    const char *written = kim_json_writer_bytes(writer, size, &err);
    if (written == NULL)
        abort(); /* all that may be read can be written */
    return written;
}

/* Every accessor may be asked of every value. */
static void walk(const kim_json *value, kim_arena *arena)
{
    kim_json_get(value, "Statement");
    kim_json_text(value);
    kim_json_int(value, 0);
    kim_json_bool(value, false);
    kim_json_texts(value, arena);
    for (size_t i = 0; value->type == KIM_JSON_ARRAY && i < value->count; i++)
        walk(&value->items[i], arena);
    for (size_t i = 0; value->type == KIM_JSON_OBJECT && i < value->count; i++) {
        if (kim_json_get_text(value, value->members[i].name) == NULL)
            abort();
        walk(value->members[i].value, arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kim_error err = {0};
    kim_arena *arena = kim_arena_new(64 * 1024 * 1024);
    const kim_json *json = kim_json_parse((const char *)bytes, size, "input", arena, &err);
    if (json == NULL) {
        if (err.code == KIM_OK || !kim_text_is_utf8(kim_text_of(err.message)))
            abort();
        kim_arena_free(arena);
        return 0;
    }
    walk(json, arena);
    kim_json_writer *writer = kim_json_writer_new(size > 0 && bytes[0] == ' ');
    size_t first_size, second_size;
    const char *written = write_again(writer, json, &first_size);
    char *first = malloc(first_size);
    memcpy(first, written, first_size);
    json = kim_json_parse(first, first_size, "written", arena, &err);
    if (json == NULL && err.code != KIM_ERR_NOMEM)
        abort();
    const char *second = json ? write_again(writer, json, &second_size) : NULL;
    if (second != NULL && (second_size != first_size || memcmp(first, second, first_size) != 0))
        abort();
    free(first);
    kim_json_writer_free(writer);
    kim_arena_free(arena);
    return 0;
}
