/* SPDX-License-Identifier: Apache-2.0
 *
 * test_spool.c - what was appended comes back in order, whatever was cut, flipped or acknowledged.
 */
#include "agent/spool/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/kim-spool-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *what, int kind, struct FTW *at)
{
    (void)what, (void)kind, (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static spool *opened(uint64_t max_bytes, uint64_t segment_bytes, kim_error *noted)
{
    kim_error err, ignored;
    const spool_limits limits = {max_bytes, segment_bytes};
    spool *sp = spool_open(folder, &limits, noted ? noted : &ignored, &err);
    if (!sp)
        fail_msg("%s", err.message);
    return sp;
}

/* Anchored at the beginning, as by a first WELCOME. */
static spool *fresh(uint64_t max_bytes, uint64_t segment_bytes)
{
    spool *sp = opened(max_bytes, segment_bytes, NULL);
    assert_true(spool_anchor(sp, 0, NULL, 0, NULL) >= 0);
    kim_bytes cursor = {0};
    assert_int_equal(spool_cursor(sp, &cursor, NULL), 0);
    kim_bytes_free(&cursor);
    return sp;
}

static int append(spool *sp, int n, kim_error *err)
{
    char text[300], cursor[16];
    memset(text, 'a' + n % 26, sizeof text);
    snprintf(text, 16, "batch %d", n);
    int size = snprintf(cursor, sizeof cursor, "at %d", n);
    return spool_append(sp, (uint8_t *)text, sizeof text, 1, (uint8_t *)cursor, (size_t)size, err);
}

static void append_all(spool *sp, int from, int to)
{
    kim_error err;
    for (int n = from; n <= to; n++)
        if (append(sp, n, &err) < 0)
            fail_msg("%s", err.message);
}

/* The next batch is number n, which came n-th. */
static void assert_next(spool *sp, int n)
{
    protocol_data data = {0};
    kim_error err = {0};
    char expected[32], cursor[32];
    if (spool_next(sp, &data, &err) != 1)
        fail_msg("batch %d: %s", n, err.message);
    kim_bytes room = {0};
    const uint8_t *entries;
    size_t size;
    assert_int_equal(protocol_inflate(&data, &room, &entries, &size, &err), 0);
    snprintf(expected, sizeof expected, "batch %d", n);
    assert_string_equal((const char *)entries, expected);
    assert_int_equal(data.sequence, n);
    snprintf(cursor, sizeof cursor, "at %d", n);
    assert_int_equal(data.cursor_size, strlen(cursor));
    assert_memory_equal(data.cursor, cursor, data.cursor_size);
    kim_bytes_free(&room);
}

static void assert_empty(spool *sp)
{
    protocol_data data;
    assert_int_equal(spool_next(sp, &data, NULL), 0);
}

static void assert_cursor(spool *sp, const char *expected)
{
    kim_bytes cursor = {0};
    assert_int_equal(spool_cursor(sp, &cursor, NULL), 0);
    assert_int_equal(cursor.size, strlen(expected));
    if (cursor.size)
        assert_memory_equal(cursor.data, expected, cursor.size);
    kim_bytes_free(&cursor);
}

static int count_files(const char *ending)
{
    DIR *d = opendir(folder);
    int count = 0;
    for (struct dirent *e; (e = readdir(d));)
        count += strlen(e->d_name) > strlen(ending) && !strcmp(e->d_name + strlen(e->d_name) - strlen(ending), ending);
    closedir(d);
    return count;
}

static void segment_path(uint64_t first, char path[128])
{
    snprintf(path, 128, "%s/%016llx.seg", folder, (unsigned long long)first);
}

static void batches_come_back_in_order_after_opening_again(void **state)
{
    (void)state;
    spool *sp = fresh(1 << 20, 0);
    append_all(sp, 1, 5);
    for (int n = 1; n <= 5; n++)
        assert_next(sp, n);
    assert_empty(sp);
    spool_close(sp);
    sp = opened(1 << 20, 0, NULL);
    assert_cursor(sp, "at 5");
    assert_int_equal(spool_anchor(sp, 2, NULL, 0, NULL), 0);
    append_all(sp, 6, 6);
    for (int n = 3; n <= 6; n++)
        assert_next(sp, n);
    assert_empty(sp);
    spool_close(sp);
}

static void a_tail_cut_at_any_byte_loses_only_the_batch_it_cut(void **state)
{
    (void)state;
    spool *sp = fresh(1 << 20, 0);
    append_all(sp, 1, 3);
    spool_close(sp);
    char path[128];
    struct stat what;
    segment_path(1, path);
    assert_int_equal(stat(path, &what), 0);
    uint8_t *whole = malloc((size_t)what.st_size);
    FILE *f = fopen(path, "rb");
    assert_int_equal(fread(whole, 1, (size_t)what.st_size, f), what.st_size);
    fclose(f);
    off_t record = (what.st_size - 24) / 3;
    for (off_t cut = 24; cut < what.st_size; cut++) {
        f = fopen(path, "wb");
        fwrite(whole, 1, (size_t)cut, f);
        fclose(f);
        kim_error noted;
        sp = opened(1 << 20, 0, &noted);
        int left = (int)((cut - 24) / record);
        assert_int_equal(noted.code, (cut - 24) % record ? KIM_ERR_CORRUPT : KIM_OK);
        assert_int_equal(spool_anchor(sp, 0, NULL, 0, NULL), 0);
        for (int n = 1; n <= left; n++)
            assert_next(sp, n);
        assert_empty(sp);
        append_all(sp, left + 1, left + 1);
        assert_next(sp, left + 1);
        spool_close(sp);
    }
    free(whole);
}

static void a_flipped_bit_in_the_tail_is_cut_off_and_reported(void **state)
{
    (void)state;
    spool *sp = fresh(1 << 20, 0);
    append_all(sp, 1, 3);
    spool_close(sp);
    char path[128];
    segment_path(1, path);
    FILE *f = fopen(path, "r+b");
    fseek(f, -10, SEEK_END);
    int byte = fgetc(f);
    fseek(f, -10, SEEK_END);
    fputc(byte ^ 4, f);
    fclose(f);
    kim_error noted;
    sp = opened(1 << 20, 0, &noted);
    assert_non_null(strstr(noted.message, "were cut off"));
    assert_cursor(sp, "at 2");
    spool_close(sp);
}

static void damage_inside_goes_back_to_the_cursor_in_front_of_it(void **state)
{
    (void)state;
    spool *sp = fresh(1 << 20, 1000);
    append_all(sp, 1, 60);
    char path[128];
    segment_path(1, path);
    FILE *f = fopen(path, "r+b");
    fseek(f, 24 + 200, SEEK_SET); /* within the first segment, behind its first record or so */
    int byte = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(byte ^ 1, f);
    fclose(f);
    protocol_data data;
    kim_error err = {0};
    int n = 0, found;
    while ((found = spool_next(sp, &data, &err)) > 0)
        n++;
    assert_int_equal(found, -1);
    assert_int_equal(err.code, KIM_ERR_CORRUPT);
    assert_true(n > 0 && n < 20);
    assert_int_equal(append(sp, 61, &err), -1); /* what a reading under way says does not follow any more */
    assert_int_equal(err.code, KIM_ERR_CONFLICT);
    char cursor[16];
    snprintf(cursor, sizeof cursor, "at %d", n);
    assert_cursor(sp, cursor);
    append_all(sp, n + 1, n + 3);
    for (int i = 1; i <= 3; i++)
        assert_next(sp, n + i);
    spool_close(sp);
}

static void segments_go_once_all_of_them_has_arrived_and_the_cursor_stays(void **state)
{
    (void)state;
    spool *sp = fresh(1 << 20, 1000);
    append_all(sp, 1, 100);
    int before = count_files(".seg");
    assert_true(before > 5);
    for (int n = 1; n <= 100; n++) {
        assert_next(sp, n);
        assert_int_equal(spool_acknowledge(sp, (uint64_t)n, NULL), 0);
    }
    assert_empty(sp);
    assert_int_equal(count_files(".seg"), 1);
    assert_int_equal(spool_waiting_bytes(sp), 0);
    spool_close(sp);
    sp = opened(1 << 20, 1000, NULL);
    assert_true(spool_is_anchored(sp));
    assert_cursor(sp, "at 100");
    append_all(sp, 101, 130);
    assert_int_equal(spool_anchor(sp, 100, NULL, 0, NULL), 0);
    for (int n = 101; n <= 130; n++)
        assert_next(sp, n);
    spool_close(sp);
}

static void reading_on_while_segments_go_and_come_misses_nothing(void **state)
{
    (void)state;
    spool *sp = fresh(1 << 20, 300);
    for (int n = 1; n <= 200; n++) {
        append_all(sp, n, n);
        assert_next(sp, n);
        if (n % 3 == 0)
            assert_int_equal(spool_acknowledge(sp, (uint64_t)n, NULL), 0);
    }
    assert_empty(sp);
    spool_close(sp);
}

static void a_full_spool_takes_nothing_and_loses_nothing(void **state)
{
    (void)state;
    spool *sp = fresh(4000, 1000);
    kim_error err;
    int n = 1;
    while (append(sp, n, &err) == 0)
        n++;
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    assert_true(n > 10);
    for (int i = 1; i < n; i++)
        assert_next(sp, i);
    assert_empty(sp);
    assert_int_equal(spool_acknowledge(sp, (uint64_t)n - 1, NULL), 0);
    append_all(sp, n, n);
    assert_next(sp, n);
    spool_close(sp);
}

static void a_new_spool_waits_for_the_controllers_word_and_takes_its_cursor(void **state)
{
    (void)state;
    spool *sp = opened(1 << 20, 0, NULL);
    kim_error err;
    assert_false(spool_is_anchored(sp));
    assert_int_equal(append(sp, 1, &err), -1);
    assert_int_equal(spool_anchor(sp, 41, (const uint8_t *)"at 41", 5, &err), 1);
    assert_cursor(sp, "at 41");
    append_all(sp, 42, 43);
    assert_next(sp, 42);
    assert_next(sp, 43);
    spool_close(sp);
}

static void where_the_controller_lost_what_had_arrived_its_cursor_counts(void **state)
{
    (void)state;
    spool *sp = fresh(1 << 20, 300);
    append_all(sp, 1, 40);
    for (int n = 1; n <= 40; n++)
        assert_next(sp, n);
    assert_int_equal(spool_acknowledge(sp, 40, NULL), 0);
    kim_error err;
    assert_int_equal(spool_anchor(sp, 7, (const uint8_t *)"at 7", 4, &err), 1);
    assert_cursor(sp, "at 7");
    append_all(sp, 8, 9);
    assert_next(sp, 8);
    spool_close(sp);
}

static void a_refused_batch_is_kept_aside(void **state)
{
    (void)state;
    spool *sp = fresh(1 << 20, 0);
    append_all(sp, 1, 3);
    assert_next(sp, 1);
    assert_next(sp, 2);
    assert_int_equal(spool_set_aside(sp, 2, NULL), 0);
    assert_next(sp, 3);
    char path[128];
    snprintf(path, sizeof path, "%s/bad/0000000000000002.batch", folder);
    assert_int_equal(access(path, R_OK), 0);
    spool_close(sp);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(batches_come_back_in_order_after_opening_again),
        TEST(a_tail_cut_at_any_byte_loses_only_the_batch_it_cut),
        TEST(a_flipped_bit_in_the_tail_is_cut_off_and_reported),
        TEST(damage_inside_goes_back_to_the_cursor_in_front_of_it),
        TEST(segments_go_once_all_of_them_has_arrived_and_the_cursor_stays),
        TEST(reading_on_while_segments_go_and_come_misses_nothing),
        TEST(a_full_spool_takes_nothing_and_loses_nothing),
        TEST(a_new_spool_waits_for_the_controllers_word_and_takes_its_cursor),
        TEST(where_the_controller_lost_what_had_arrived_its_cursor_counts),
        TEST(a_refused_batch_is_kept_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
