/* SPDX-License-Identifier: Apache-2.0
 *
 * test_collections.c - the table of what is asked of AWS holds together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "plugins/aws/live/collections.h"
#include "plugins/aws/normalise.h"

static const aws_collection *rows;
static size_t count;

static int read_rows(void **state)
{
    (void)state;
    rows = aws_collections(&count);
    return count > 0 ? 0 : -1;
}

static void every_row_belongs_to_a_service_and_to_a_part(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++) {
        if (aws_service_of(rows[i].kind) == NULL || strchr(rows[i].kind, ':') == NULL || rows[i].part == NULL)
            fail_msg("%s", rows[i].kind);
    }
}

static void every_row_hangs_under_one_that_there_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool found = rows[i].under == NULL;
        for (size_t k = 0; k < count && !found; k++)
            found = strcmp(rows[k].kind, rows[i].under) == 0;
        if (!found || (rows[i].under != NULL && rows[i].items == NULL))
            fail_msg("%s under %s", rows[i].kind, rows[i].under);
    }
}

static void every_form_is_written_as_its_protocol_wants_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < count; i++) {
        const char *form = rows[i].form;
        aws_protocol protocol = aws_service_of(rows[i].kind)->protocol;
        bool rest = protocol == AWS_REST_JSON || protocol == AWS_REST_XML;
        bool right = rest ? form != NULL && (strncmp(form, "GET /", 5) == 0 || strncmp(form, "POST /", 6) == 0)
                     : protocol == AWS_JSON ? form == NULL || (form[0] == '{' && form[strlen(form) - 1] == '}')
                                            : form == NULL || strchr(form, '=') != NULL;
        if (!right)
            fail_msg("%s: %s", rows[i].kind, form);
        if ((rows[i].token_in == NULL) != (rows[i].token_out == NULL))
            fail_msg("%s has half a token", rows[i].kind);
        for (size_t k = 0; k < AWS_ARGS; k++) {
            char placeholder[] = {'{', (char)('0' + k), '}', '\0'};
            if (form != NULL && strstr(form, placeholder) != NULL && rows[i].args[k] == NULL)
                fail_msg("%s: {%zu} is nothing", rows[i].kind, k);
        }
    }
}

static int emit_nothing(void *context, const uint8_t *records, size_t size, const uint8_t *cursor, size_t cursor_size, kim_error *err)
{
    (void)context, (void)records, (void)size, (void)cursor, (void)cursor_size, (void)err;
    return 0;
}

static void say_nothing(void *context, uint32_t level, const char *event, const char *message)
{
    (void)context, (void)level, (void)event, (void)message;
}

static void every_answer_that_is_handed_on_has_a_reader(void **state)
{
    (void)state;
    const kim_host host = {.struct_size = sizeof host, .emit = emit_nothing, .log = say_nothing};
    aws_out out;
    kim_error err = {0};
    assert_int_equal(aws_out_start(&out, &host, 1024 * 1024, true, &err), 0);
    for (size_t i = 0; i < count; i++) {
        aws_context context = {.account = KIM_TEXT("111122223333"), .region = KIM_TEXT("eu-west-1"), .subject = KIM_TEXT("s"),
                               .subject2 = KIM_TEXT("t"), .organization = KIM_TEXT("o-1"), .origin = KIM_TEXT("test")};
        if ((rows[i].flags & AWS_SILENT) == 0 && aws_normalise(&out, rows[i].kind, &context, KIM_TEXT("{}"), &err) < 0 &&
            err.code == KIM_ERR_NOT_FOUND)
            fail_msg("%s: %s", rows[i].kind, err.message);
    }
    aws_out_stop(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_belongs_to_a_service_and_to_a_part),
        cmocka_unit_test(every_row_hangs_under_one_that_there_is),
        cmocka_unit_test(every_form_is_written_as_its_protocol_wants_it),
        cmocka_unit_test(every_answer_that_is_handed_on_has_a_reader),
    };
    return cmocka_run_group_tests(tests, read_rows, NULL);
}
