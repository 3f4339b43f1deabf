/* SPDX-License-Identifier: Apache-2.0
 *
 * test_rows.c - tables for people, CSV for programs.
 */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>

#include "controller/present/cli/rows.h"
#include "tests/support/cmocka.h"

static const column two[] = {{"name", false, true}, {"count", true, false}};

/* The rows [count][2] in a style, as one text. */
static char *written(rows_style style, const char *const cells[][2], size_t count)
{
    static char text[64 * 1024];
    kim_error err = {0};
    text[0] = '\0';
    FILE *to = fmemopen(text, sizeof text, "w");
    rows *r = rows_begin(to, style, two, 2, &err);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < 2; k++)
            rows_cell(r, kim_text_of(cells[i][k]));
    assert_int_equal(rows_count(r), count);
    assert_int_equal(rows_end(r, &err), 0);
    fclose(to);
    return text;
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
    (void)state;
    const char *const cells[][2] = {{"ann", "1"}, {"roberta", "1234567"}};
    assert_string_equal(written((rows_style){0}, cells, 2), "name       count\n"
                                                            "ann            1\n"
                                                            "roberta  1234567\n");
}

static void a_table_without_rows_is_empty_and_csv_has_its_titles(void **state)
{
    (void)state;
    assert_string_equal(written((rows_style){0}, NULL, 0), "");
    assert_string_equal(written((rows_style){.csv = true}, NULL, 0), "name,count\n");
}

static void an_absent_cell_is_an_empty_one(void **state)
{
    (void)state;
    const char *const cells[][2] = {{NULL, "1"}};
    assert_string_equal(written((rows_style){.csv = true}, cells, 1), "name,count\n,1\n");
    assert_string_equal(written((rows_style){0}, cells, 1), "name  count\n          1\n");
}

static void csv_quotes_what_would_be_misread(void **state)
{
    (void)state;
    const char *const cells[][2] = {{"a,b", "say \"x\""}, {"two\nlines", "plain"}, {"cr\r", " spaced "}};
    assert_string_equal(written((rows_style){.csv = true}, cells, 3), "name,count\n"
                                                                      "\"a,b\",\"say \"\"x\"\"\"\n"
                                                                      "\"two\nlines\",plain\n"
                                                                      "\"cr\r\", spaced \n");
}

static void a_narrow_terminal_cuts_the_middle_out_of_wide_texts_only(void **state)
{
    (void)state;
    setlocale(LC_CTYPE, "C.UTF-8");
    const char *const cells[][2] = {{"arn:aws:iam::111122223333:user/ann", "1234567890123"}};
    char *text = written((rows_style){.width = 32}, cells, 1);
    assert_string_equal(text, "name                       count\n"
                              "arn:aws:\u2026user/ann  1234567890123\n");
    assert_string_equal(written((rows_style){.width = 0}, cells, 1),
                        "name                                        count\n"
                        "arn:aws:iam::111122223333:user/ann  1234567890123\n");
}

static void what_an_outsider_named_cannot_steer_the_terminal(void **state)
{
    (void)state;
    const char *const cells[][2] = {{"\033[2Jgone\r\x7f\xc2\x9b", "1"}};
    assert_string_equal(written((rows_style){0}, cells, 1), "name                     count\n"
                                                            "\\x1b[2Jgone\\x0d\\x7f\\x9b      1\n");
}

static void characters_count_by_the_columns_they_take(void **state)
{
    (void)state;
    setlocale(LC_CTYPE, "C.UTF-8");
    assert_int_equal(rows_width_of(KIM_TEXT("\u00e4\u00f6\u00fc")), 3);
    assert_int_equal(rows_width_of(KIM_TEXT("\u6f22\u5b57")), 4);
    assert_int_equal(rows_width_of(KIM_TEXT("e\u0301")), 1);
    assert_int_equal(rows_width_of(KIM_TEXT("")), 0);
}

static void without_a_utf8_locale_nothing_is_lost(void **state)
{
    (void)state;
    setlocale(LC_CTYPE, "C");
    const char *const cells[][2] = {{"\u00e4nn", "1"}};
    assert_string_equal(written((rows_style){0}, cells, 1), "name  count\n\u00e4nn       1\n");
    setlocale(LC_CTYPE, "C.UTF-8");
}

static void more_rows_than_are_held_come_out_all_and_in_order(void **state)
{
    (void)state;
    enum { ROWS = 2500 };
    static const column one[] = {{"n", true, false}};
    kim_error err;
    char *text;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    rows *r = rows_begin(to, (rows_style){0}, one, 1, &err);
    for (int i = 0; i < ROWS; i++)
        rows_int(r, i);
    assert_int_equal(rows_end(r, &err), 0);
    fclose(to);
    char *at = strchr(text, '\n') + 1;
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(strtol(at, NULL, 10), i);
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(*at, '\0');
    free(text);
}

static void colours_stand_around_the_text_and_not_around_its_padding(void **state)
{
    (void)state;
    static char text[256];
    kim_error err;
    FILE *to = fmemopen(text, sizeof text, "w");
    rows *r = rows_begin(to, (rows_style){.colors = true}, two, 2, &err);
    rows_cell_in(r, KIM_TEXT("no"), BAD);
    rows_cell(r, KIM_TEXT("1"));
    rows_end(r, &err);
    fclose(to);
    assert_non_null(strstr(text, "\033[31mno\033[0m        1\n"));
}

static ssize_t write_nothing(void *cookie, const char *bytes, size_t size)
{
    (void)cookie, (void)bytes, (void)size;
    errno = ENOSPC;
    return 0;
}

static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    kim_error err = {0};
    FILE *full = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_nothing});
    rows *r = rows_begin(full, (rows_style){0}, two, 2, &err);
    rows_cell(r, KIM_TEXT("a"));
    rows_cell(r, KIM_TEXT("b"));
    assert_int_equal(rows_end(r, &err), -1);
    assert_int_equal(err.code, KIM_ERR_IO);
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(a_table_without_rows_is_empty_and_csv_has_its_titles),
        cmocka_unit_test(an_absent_cell_is_an_empty_one),
        cmocka_unit_test(csv_quotes_what_would_be_misread),
        cmocka_unit_test(a_narrow_terminal_cuts_the_middle_out_of_wide_texts_only),
        cmocka_unit_test(what_an_outsider_named_cannot_steer_the_terminal),
        cmocka_unit_test(characters_count_by_the_columns_they_take),
        cmocka_unit_test(without_a_utf8_locale_nothing_is_lost),
        cmocka_unit_test(more_rows_than_are_held_come_out_all_and_in_order),
        cmocka_unit_test(colours_stand_around_the_text_and_not_around_its_padding),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
