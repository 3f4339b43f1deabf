/* SPDX-License-Identifier: Apache-2.0
 *
 * asking.c - through the same case that kim evaluate answers.
 */
#include "tests/evaluate/cel/asking.h"

#include <stdio.h>

static kim_arena *arena;
static kim_json_writer *written;

const char *answer_of(const char *expression, const char *bindings, const char *unknown)
{
    kim_error err = {0};
    kim_json_writer *line = kim_json_writer_new(false);
    size_t size;
    if (arena == NULL) {
        arena = kim_arena_new((size_t)64 << 20);
        written = kim_json_writer_new(false);
    }
    kim_arena_reset(arena);
    kim_json_writer_reset(written);
    kim_json_begin_object(line);
    kim_json_key(line, "expression");
    kim_json_put_string(line, expression);
    if (bindings) {
        kim_json_key(line, "bindings");
        kim_json_put_json(line, kim_json_parse(bindings, strlen(bindings), "bindings", arena, &err));
    }
    if (unknown) {
        kim_json_key(line, "unknown");
        kim_json_put_json(line, kim_json_parse(unknown, strlen(unknown), "unknown", arena, &err));
    }
    kim_json_end_object(line);
    kim_json_end_line(line);
    const char *bytes = kim_json_writer_bytes(line, &size, &err);
    const kim_json *json = bytes ? kim_json_parse(bytes, size, "line", arena, &err) : NULL;
    kim_json_begin_object(written);
    if (json == NULL || cel_answer(json, arena, written, &err) < 0) {
        kim_json_key(written, "error");
        kim_json_put_string(written, err.message);
    }
    kim_json_end_object(written);
    kim_json_end_line(written);
    kim_json_writer_free(line);
    char *text = (char *)kim_json_writer_bytes(written, &size, &err);
    assert_non_null(text);
    text[size - 1] = '\0'; /* in place of the line's end */
    return text;
}

void assert_value_with(const char *bindings, const char *expression, const char *value)
{
    char expected[4096];
    snprintf(expected, sizeof expected, "{\"value\":%s}", value);
    const char *answer = answer_of(expression, bindings, NULL);
    if (strcmp(answer, expected) != 0)
        print_message("# %s\n", expression);
    assert_string_equal(answer, expected);
}

void assert_value(const char *expression, const char *value)
{
    assert_value_with(NULL, expression, value);
}

void assert_true_of(const char *expression)
{
    assert_value(expression, "{\"bool\":true}");
}

void assert_false_of(const char *expression)
{
    assert_value(expression, "{\"bool\":false}");
}

void assert_fails(const char *expression, const char *why)
{
    const char *answer = answer_of(expression, NULL, NULL);
    if (strncmp(answer, "{\"error\":", 9) != 0 || !strstr(answer, why))
        print_message("# %s gives %s in place of an error that says %s\n", expression, answer, why);
    assert_true(strncmp(answer, "{\"error\":", 9) == 0 && strstr(answer, why));
}

void assert_left(const char *bindings, const char *unknown, const char *expression, const char *names, const char *residual)
{
    kim_json_writer *w = kim_json_writer_new(false);
    size_t size;
    kim_json_put_string(w, residual);
    kim_json_end_line(w);
    const char *quoted = kim_json_writer_bytes(w, &size, NULL);
    char expected[4096];
    snprintf(expected, sizeof expected, "{\"unknown\":%s,\"residual\":%.*s}", names, (int)size - 1, quoted);
    kim_json_writer_free(w);
    assert_string_equal(answer_of(expression, bindings, unknown), expected);
}

int stop_asking(void **state)
{
    (void)state;
    kim_arena_free(arena);
    kim_json_writer_free(written);
    arena = NULL;
    written = NULL;
    return 0;
}
