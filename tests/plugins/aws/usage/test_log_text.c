/* SPDX-License-Identifier: Apache-2.0
 *
 * test_log_text.c - a log's text comes whole and in pieces that end between records, whatever it came as.
 */
#include <stdio.h>
#include <zlib.h>

#include "plugins/aws/usage/log_text.h"
#include "tests/support/cmocka.h"

typedef struct memory {
    const uint8_t *at;
    size_t left, step; /* step: the most that one read gives */
} memory;

static ssize_t read_memory(void *context, void *to, size_t size, kim_error *err)
{
    memory *m = context;
    (void)err;
    size = size < m->left ? size : m->left;
    size = size < m->step ? size : m->step;
    memcpy(to, m->at, size);
    m->at += size;
    m->left -= size;
    return (ssize_t)size;
}

static uint8_t *gzip(const char *text, size_t size, size_t *packed)
{
    z_stream z = {0};
    size_t room = compressBound(size) + 64;
    uint8_t *out = malloc(room);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (uInt)size;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *packed = z.total_out;
    deflateEnd(&z);
    return out;
}

/* {"Records":[{"n":0,...},...]} of about `size` bytes; texts hold brackets and quotes. */
static char *records(size_t size, size_t *made)
{
    char *text = malloc(size + 512);
    size_t at = (size_t)sprintf(text, "{\"Records\":[");
    for (unsigned i = 0; at < size; i++)
        at += (size_t)sprintf(text + at, "%s{\"n\":%u,\"t\":\"}],{ \\\"%u\\\" [\",\"l\":[{\"a\":{}},[]]}", i ? "," : "", i, i * 2654435761u);
    at += (size_t)sprintf(text + at, "]}\n");
    *made = at;
    return text;
}

/* All pieces joined; each ends behind a '}' unless it is the last. */
static char *read_all(const uint8_t *bytes, size_t size, size_t step, size_t *made, size_t *pieces, const char **damage, bool *is_cut)
{
    static log_text *t;
    memory m = {bytes, size, step};
    kim_error err = {0};
    log_piece piece;
    uint64_t at;
    int status;
    char *all = malloc(64 * 1024 * 1024);
    t = log_text_new();
    *made = *pieces = 0;
    assert_int_equal(log_text_open(t, (log_source){&m, read_memory}, &err), 0);
    while ((status = log_text_next(t, &piece, &err)) == 1) {
        assert_true(piece.size > 0 && piece.size <= LOG_PIECE_MAX_BYTES);
        memcpy(all + *made, piece.text, piece.size);
        *made += piece.size;
        ++*pieces;
        if (piece.is_piece)
            assert_int_equal(piece.text[piece.size - 1], '}');
    }
    assert_int_equal(status, 0);
    *damage = log_text_damage(t, &at, is_cut);
    log_text_free(t);
    return all;
}

static void assert_whole(size_t size, size_t step, bool packed, size_t least_pieces)
{
    size_t text_size, packed_size, made, pieces;
    const char *damage;
    bool is_cut;
    char *text = records(size, &text_size);
    uint8_t *bytes = packed ? gzip(text, text_size, &packed_size) : (uint8_t *)text;
    char *all = read_all(bytes, packed ? packed_size : text_size, step, &made, &pieces, &damage, &is_cut);
    assert_null(damage);
    assert_int_equal(made, text_size);
    assert_memory_equal(all, text, made);
    assert_true(pieces >= least_pieces);
    free(all);
    if (packed)
        free(bytes);
    free(text);
}

static void a_small_log_comes_in_one_piece_plain_or_packed(void **state)
{
    (void)state;
    assert_whole(1000, SIZE_MAX, false, 1);
    assert_whole(1000, 7, true, 1);
    assert_whole(3 << 20, SIZE_MAX, true, 1);
}

static void a_long_log_comes_in_pieces_that_end_behind_a_record(void **state)
{
    (void)state;
    assert_whole(9 << 20, SIZE_MAX, false, 3);
    assert_whole(9 << 20, 100000, true, 3);
    assert_whole(40 << 20, SIZE_MAX, true, 10);
}

static void several_gzip_members_are_one_text_wherever_they_part(void **state)
{
    size_t size, first, second, made, pieces;
    const char *damage;
    bool is_cut;
    (void)state;
    char *text = records(200000, &size);
    for (size_t part = 1; part < size; part += size / 5) {
        uint8_t *a = gzip(text, part, &first), *b = gzip(text + part, size - part, &second);
        uint8_t *both = malloc(first + second + 64);
        memcpy(both, a, first);
        memcpy(both + first, b, second);
        memset(both + first + second, 0, 64); /* padding, as tapes have it */
        char *all = read_all(both, first + second + 64, SIZE_MAX, &made, &pieces, &damage, &is_cut);
        assert_null(damage);
        assert_int_equal(made, size);
        assert_memory_equal(all, text, size);
        free(all);
        free(both);
        free(a);
        free(b);
    }
    free(text);
}

static void a_cut_gzip_gives_what_was_before_the_cut_and_says_that_more_may_come(void **state)
{
    size_t size, packed, made, pieces, longest = 0;
    const char *damage;
    bool is_cut;
    (void)state;
    char *text = records(20000, &size);
    uint8_t *bytes = gzip(text, size, &packed);
    for (size_t cut = 2; cut < packed; cut++) {
        char *all = read_all(bytes, cut, SIZE_MAX, &made, &pieces, &damage, &is_cut);
        assert_string_equal(damage, "the gzip data end in the middle");
        assert_true(is_cut);
        assert_true(made <= size && made >= longest);
        assert_memory_equal(all, text, made);
        longest = made;
        free(all);
    }
    assert_int_equal(longest, size); /* only the trailer was missing at last */
    free(bytes);
    free(text);
}

static void damaged_gzip_is_told_and_never_ends_the_process(void **state)
{
    size_t size, packed, made, pieces;
    const char *damage;
    bool is_cut;
    (void)state;
    char *text = records(20000, &size);
    uint8_t *bytes = gzip(text, size, &packed);
    for (size_t at = 10; at < packed; at += 3) {
        bytes[at] ^= 0x55;
        char *all = read_all(bytes, packed, SIZE_MAX, &made, &pieces, &damage, &is_cut);
        assert_non_null(damage);
        bytes[at] ^= 0x55;
        free(all);
    }
    bytes[packed - 1] ^= 1; /* the length in the trailer */
    char *all = read_all(bytes, packed, SIZE_MAX, &made, &pieces, &damage, &is_cut);
    assert_string_equal(damage, "the gzip data are damaged");
    assert_int_equal(made, size);
    free(all);
    free(bytes);
    free(text);
}

static void what_is_no_gzip_behind_gzip_is_told(void **state)
{
    size_t size, packed, made, pieces;
    const char *damage;
    bool is_cut;
    (void)state;
    char *text = records(1000, &size);
    uint8_t *bytes = gzip(text, size, &packed), *more = malloc(packed + 4);
    memcpy(more, bytes, packed);
    memcpy(more + packed, "hey!", 4);
    char *all = read_all(more, packed + 4, SIZE_MAX, &made, &pieces, &damage, &is_cut);
    assert_string_equal(damage, "something that is not gzip follows the gzip data");
    assert_int_equal(made, size);
    free(all);
    free(more);
    free(bytes);
    free(text);
}

static void nothing_is_nothing(void **state)
{
    size_t made, pieces;
    const char *damage;
    bool is_cut;
    (void)state;
    char *all = read_all((const uint8_t *)"", 0, SIZE_MAX, &made, &pieces, &damage, &is_cut);
    assert_int_equal(pieces, 0);
    assert_null(damage);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_log_comes_in_one_piece_plain_or_packed),
        cmocka_unit_test(a_long_log_comes_in_pieces_that_end_behind_a_record),
        cmocka_unit_test(several_gzip_members_are_one_text_wherever_they_part),
        cmocka_unit_test(a_cut_gzip_gives_what_was_before_the_cut_and_says_that_more_may_come),
        cmocka_unit_test(damaged_gzip_is_told_and_never_ends_the_process),
        cmocka_unit_test(what_is_no_gzip_behind_gzip_is_told),
        cmocka_unit_test(nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
