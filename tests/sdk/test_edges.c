/* SPDX-License-Identifier: Apache-2.0
 *
 * test_edges.c - what programs' edges use: error messages, log lines, whole files, checksums.
 */
#include "tests/support/cmocka.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kim/error.h>

#include "sdk/crc32c.h"
#include "sdk/fs.h"
#include "sdk/log.h"

static kim_error err;
static char folder[64];
static kim_bytes bytes;

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/kim-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static const char *in_folder(const char *name)
{
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static int teardown(void **state)
{
    (void)state;
    kim_bytes_free(&bytes);
    static const char *const made[] = {"file", "log", "a/b/c", "a/b", "a"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        remove(in_folder(made[i]));
    return rmdir(folder); /* nothing may be left beside */
}

/* ---- errors ---- */

static void a_message_is_one_line_of_utf8_whatever_it_quotes(void **state)
{
    (void)state;
    assert_int_equal(kim_fail(&err, KIM_ERR_INPUT, "a%sz", "\n\t\x1b[31m\x7f\xff\xc3\xed\xa0\x80\xc3\xa9"), -1);
    assert_string_equal(err.message, "a   [31m ?????\xc3\xa9z");
    kim_fail(&err, KIM_ERR_INPUT, "%s", "\xc2\x9b" "2J\xc2\x80\xc2\x9f\xc2\xa0\xe2\x82\x9b"); /* C1; what only looks like it */
    assert_string_equal(err.message, "  2J    \xc2\xa0\xe2\x82\x9b");
}

static void a_message_too_long_is_cut_and_not_in_a_character(void **state)
{
    (void)state;
    char text[2000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = "\xe2\x82\xac"[i % 3];
    kim_fail(&err, KIM_ERR_INPUT, "%.*s", (int)sizeof text, text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_true(kim_text_is_utf8(kim_text_of(err.message)));
}

static void where_it_happened_goes_in_front(void **state)
{
    (void)state;
    kim_fail(&err, KIM_ERR_LIMIT, "too long");
    assert_int_equal(kim_fail_in(&err, "case %d", 17), -1);
    assert_string_equal(err.message, "case 17: too long");
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_int_equal(kim_fail(NULL, KIM_ERR_INPUT, "x"), -1);
    assert_int_equal(kim_fail_in(NULL, "x"), -1);
}

static void each_code_has_a_name(void **state)
{
    (void)state;
    for (int code = KIM_OK; code <= KIM_ERR_INTERNAL; code++)
        assert_string_not_equal(kim_code_name((kim_code)code), "unknown");
    assert_string_equal(kim_code_name((kim_code)99), "unknown");
    assert_string_equal(kim_code_name((kim_code)-1), "unknown");
}

/* ---- log lines ---- */

/* What one call wrote, without the time in front. */
static const char *logged(uint32_t level, const char *event, const kim_log_field *fields, size_t count)
{
    FILE *file = fopen(in_folder("log"), "w+");
    kim_log_to(fileno(file), KIM_LOG_INFO);
    kim_log_fields(level, event, fields, count);
    kim_log_to(STDERR_FILENO, KIM_LOG_INFO);
    rewind(file);
    static char line[KIM_LOG_LINE_MAX_BYTES + 2];
    line[fread(line, 1, sizeof line - 1, file)] = '\0';
    fclose(file);
    static const char time[] = "2026-11-21T18:40:07.123Z ";
    return line[0] ? line + sizeof time - 1 : "";
}

static void a_line_has_level_event_and_fields(void **state)
{
    (void)state;
    const kim_log_field fields[] = {
        {"agent", KIM_TEXT("web-17")}, {"gone", KIM_NO_TEXT}, {"empty", KIM_TEXT("")}, {"n", KIM_TEXT("5")}};
    assert_string_equal(logged(KIM_LOG_WARNING, "batch_refused", fields, 4),
                        "warning event=batch_refused agent=web-17 empty=\"\" n=5\n");
    assert_string_equal(logged(KIM_LOG_INFO, "started", NULL, 0), "info event=started\n");
}

static void no_value_can_begin_a_line_or_a_field_of_its_own(void **state)
{
    (void)state;
    const kim_log_field fields[] = {{"a", KIM_TEXT("x\nerror event=forged")},
                                    {"b", KIM_TEXT("x b=y")},
                                    {"c", KIM_TEXT("x\" c=\"y\\")},
                                    {"d", KIM_TEXT("\x1b[2J\xff\xc3\xa9\0")},
                                    {"e", KIM_TEXT("\xc2\x9b" "2J\xc2\xa0")}};
    assert_string_equal(logged(KIM_LOG_ERROR, "e", fields, 5),
                        "error event=e a=\"x\\nerror event=forged\" b=\"x b=y\" c=\"x\\\" c=\\\"y\\\\\" "
                        "d=\"\\x1b[2J\\xff\xc3\xa9\\x00\" e=\"\\xc2\\x9b2J\xc2\xa0\"\n");
}

static void a_line_too_long_is_cut_and_still_one_line(void **state)
{
    (void)state;
    static char text[2 * KIM_LOG_LINE_MAX_BYTES];
    for (int with_space = 0; with_space < 2; with_space++) {
        memset(text, 'x', sizeof text);
        text[0] = with_space ? ' ' : 'x';
        const kim_log_field fields[] = {{"a", {text, sizeof text}}, {"b", KIM_TEXT("y")}};
        const char *line = logged(KIM_LOG_ERROR, "e", fields, 2);
        size_t size = strlen(line);
        assert_true(size <= KIM_LOG_LINE_MAX_BYTES);
        assert_ptr_equal(strchr(line, '\n'), line + size - 1);
        assert_string_equal(line + size - (with_space ? 5 : 4), with_space ? "...\"\n" : "...\n");
    }
}

static void what_is_below_the_least_level_is_not_written(void **state)
{
    (void)state;
    assert_string_equal(logged(KIM_LOG_DEBUG, "e", NULL, 0), "");
    assert_int_equal(kim_log_level(KIM_TEXT("warning")), KIM_LOG_WARNING);
    assert_int_equal(kim_log_level(KIM_TEXT("loud")), 0);
    assert_int_equal(kim_log_level(KIM_TEXT("")), 0);
}

/* ---- files ---- */

static void what_was_written_is_read_and_only_its_owner_may(void **state)
{
    (void)state;
    assert_int_equal(kim_file_write(in_folder("file"), "old", 3, &err), 0);
    assert_int_equal(kim_file_write(in_folder("file"), "new\0text", 8, &err), 0);
    struct stat st;
    assert_int_equal(stat(in_folder("file"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    kim_bytes_append(&bytes, "x", 1);
    assert_int_equal(kim_file_read(in_folder("file"), 8, &bytes, &err), 0);
    assert_int_equal(bytes.size, 9);
    assert_memory_equal(bytes.data, "xnew\0text", 10); /* and the NUL */
}

static void a_file_past_the_limit_is_refused_and_what_was_there_stays(void **state)
{
    (void)state;
    assert_int_equal(kim_file_write(in_folder("file"), "12345678", 8, &err), 0);
    kim_bytes_append(&bytes, "x", 1);
    assert_int_equal(kim_file_read(in_folder("file"), 7, &bytes, &err), -1);
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_says(err.message, "has 8 bytes; at most 7");
    assert_int_equal(bytes.size, 1);
    assert_int_equal(kim_file_read("/dev/zero", 1000000, &bytes, &err), -1); /* has no size */
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_int_equal(bytes.size, 1);
}

static void what_cannot_be_read_is_named_with_the_reason(void **state)
{
    (void)state;
    assert_int_equal(kim_file_read(in_folder("none"), 10, &bytes, &err), -1);
    assert_int_equal(err.code, KIM_ERR_NOT_FOUND);
    assert_says(err.message, "/none': No such file or directory");
    assert_int_equal(kim_file_read(folder, 10, &bytes, &err), -1);
    assert_int_equal(err.code, KIM_ERR_INPUT);
    assert_says(err.message, "is a folder");
}

static void a_file_that_cannot_be_written_leaves_nothing_beside_it(void **state)
{
    (void)state;
    assert_int_equal(mkdir(in_folder("a"), 0700), 0);
    assert_int_equal(kim_file_write(in_folder("a"), "x", 1, &err), -1); /* over a folder */
    assert_int_equal(err.code, KIM_ERR_IO);
    assert_int_equal(kim_file_write(in_folder("none/file"), "x", 1, &err), -1);
    assert_int_equal(err.code, KIM_ERR_NOT_FOUND);
    /* teardown's rmdir fails where something is left */
}

static void folders_are_made_with_those_above_for_their_owner_alone(void **state)
{
    (void)state;
    assert_int_equal(kim_folder_make(in_folder("a/b/c"), &err), 0);
    assert_int_equal(kim_folder_make(in_folder("a/b/c"), &err), 0); /* it may be there */
    struct stat st;
    assert_int_equal(stat(in_folder("a/b"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(kim_file_write(in_folder("file"), "x", 1, &err), 0);
    assert_int_equal(kim_folder_make(in_folder("file"), &err), -1);
    assert_int_equal(kim_folder_make(in_folder("file/x"), &err), -1);
}

/* ---- checksums ---- */

static void crc32c_is_that_of_the_standard(void **state)
{
    (void)state;
    uint8_t block[32] = {0};
    assert_int_equal(kim_crc32c(0, block, 32), 0x8a9136aa); /* RFC 3720, B.4 */
    memset(block, 0xff, 32);
    assert_int_equal(kim_crc32c(0, block, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        block[i] = i;
    assert_int_equal(kim_crc32c(0, block, 32), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        block[i] = (uint8_t)(31 - i);
    assert_int_equal(kim_crc32c(0, block, 32), 0x113fdb5c);
    assert_int_equal(kim_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(kim_crc32c(0, "", 0), 0);
}

static void pieces_in_turn_have_the_checksum_of_the_whole_by_either_way(void **state)
{
    (void)state;
    uint8_t data[100];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37);
    uint32_t whole = kim_crc32c(0, data, sizeof data);
    assert_int_equal(kim_crc32c_portable(0, data, sizeof data), whole);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        assert_int_equal(kim_crc32c(kim_crc32c(0, data, cut), data + cut, sizeof data - cut), whole);
        assert_int_equal(kim_crc32c_portable(kim_crc32c_portable(0, data, cut), data + cut, sizeof data - cut), whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(a_message_is_one_line_of_utf8_whatever_it_quotes),
        TEST(a_message_too_long_is_cut_and_not_in_a_character),
        TEST(where_it_happened_goes_in_front),
        TEST(each_code_has_a_name),
        TEST(a_line_has_level_event_and_fields),
        TEST(no_value_can_begin_a_line_or_a_field_of_its_own),
        TEST(a_line_too_long_is_cut_and_still_one_line),
        TEST(what_is_below_the_least_level_is_not_written),
        TEST(what_was_written_is_read_and_only_its_owner_may),
        TEST(a_file_past_the_limit_is_refused_and_what_was_there_stays),
        TEST(what_cannot_be_read_is_named_with_the_reason),
        TEST(a_file_that_cannot_be_written_leaves_nothing_beside_it),
        TEST(folders_are_made_with_those_above_for_their_owner_alone),
        TEST(crc32c_is_that_of_the_standard),
        TEST(pieces_in_turn_have_the_checksum_of_the_whole_by_either_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
