/* SPDX-License-Identifier: Apache-2.0
 *
 * test_frame.c - frames arrive whole, in order and with their descriptors, or not at all.
 */
#include "sdk/frame.h"

#include <kim/limits.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct pair {
    int sockets[2];
    frame_stream *a, *b;
} pair;

static int setup(void **state)
{
    pair *p = calloc(1, sizeof *p);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p->sockets), 0);
    p->a = frame_stream_new(p->sockets[0], NULL);
    p->b = frame_stream_new(p->sockets[1], NULL);
    *state = p;
    return p->a && p->b ? 0 : -1;
}

static int teardown(void **state)
{
    pair *p = *state;
    frame_stream_free(p->a);
    frame_stream_free(p->b);
    close(p->sockets[0]);
    close(p->sockets[1]);
    free(p);
    return 0;
}

static void send_text(frame_stream *to, uint16_t type, const char *text, int descriptor)
{
    kim_error err;
    frame_part part = {text, strlen(text)};
    if (frame_put(to, type, &part, 1, descriptor, &err) < 0)
        fail_msg("%s", err.message);
}

static void assert_next(frame_stream *from, uint16_t type, const char *text)
{
    frame f;
    kim_error err = {0};
    if (frame_wait(from, &f, frame_now_ms() + 5000, &err) != 1)
        fail_msg("%s", err.message);
    assert_int_equal(f.type, type);
    assert_int_equal(f.size, strlen(text));
    assert_memory_equal(f.bytes, text, f.size);
    assert_int_equal(f.descriptor, -1);
}

/* The bytes of one frame, as they go over the socket. */
static size_t one_frame(uint8_t *bytes, size_t room)
{
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    frame_stream *s = frame_stream_new(sockets[0], NULL);
    send_text(s, 7, "seven", -1);
    assert_int_equal(frame_flush(s, NULL), 1);
    ssize_t got = read(sockets[1], bytes, room);
    frame_stream_free(s);
    close(sockets[0]);
    close(sockets[1]);
    return (size_t)got;
}

static void frames_arrive_in_order_and_whole(void **state)
{
    pair *p = *state;
    send_text(p->a, 1, "one", -1);
    send_text(p->a, 2, "", -1);
    send_text(p->a, 3, "three", -1);
    assert_int_equal(frame_flush(p->a, NULL), 1);
    assert_next(p->b, 1, "one");
    assert_next(p->b, 2, "");
    assert_next(p->b, 3, "three");
    frame f;
    assert_int_equal(frame_next(p->b, &f, NULL), 0);
}

static void a_frame_of_the_largest_size_passes_and_one_more_byte_does_not(void **state)
{
    pair *p = *state;
    uint8_t *bytes = calloc(1, KIM_FRAME_MAX_BYTES + 1);
    frame_part part = {bytes, KIM_FRAME_MAX_BYTES};
    kim_error err;
    assert_int_equal(frame_put(p->a, 1, &part, 1, -1, &err), 0);
    frame f;
    int found;
    while ((found = frame_next(p->b, &f, &err)) == 0)
        assert_true(frame_flush(p->a, &err) >= 0);
    assert_int_equal(found, 1);
    assert_int_equal(f.size, KIM_FRAME_MAX_BYTES);
    part.size++;
    assert_int_equal(frame_put(p->a, 1, &part, 1, -1, &err), -1);
    assert_int_equal(err.code, KIM_ERR_LIMIT);
    free(bytes);
}

static void each_descriptor_arrives_with_its_own_frame(void **state)
{
    pair *p = *state;
    int first[2], second[2];
    assert_int_equal(pipe(first), 0);
    assert_int_equal(pipe(second), 0);
    send_text(p->a, 1, "plain", -1);
    send_text(p->a, 2, "first", first[1]);
    send_text(p->a, 3, "plain again", -1);
    send_text(p->a, 4, "second", second[1]);
    send_text(p->a, 5, "last", -1);
    assert_int_equal(frame_flush(p->a, NULL), 1);
    assert_next(p->b, 1, "plain");
    frame f;
    assert_int_equal(frame_wait(p->b, &f, -1, NULL), 1);
    assert_int_equal(write(f.descriptor, "1", 1), 1);
    close(f.descriptor);
    assert_next(p->b, 3, "plain again");
    assert_int_equal(frame_wait(p->b, &f, -1, NULL), 1);
    assert_int_equal(write(f.descriptor, "2", 1), 1);
    close(f.descriptor);
    assert_next(p->b, 5, "last");
    char got[2];
    assert_int_equal(read(first[0], got, 2), 1);
    assert_int_equal(got[0], '1');
    assert_int_equal(read(second[0], got, 2), 1);
    assert_int_equal(got[0], '2');
    close(first[0]);
    close(second[0]);
}

static void a_frame_that_announces_a_descriptor_without_one_is_refused(void **state)
{
    pair *p = *state;
    uint8_t bytes[64];
    size_t size = one_frame(bytes, sizeof bytes);
    bytes[6] = FRAME_HAS_DESCRIPTOR; /* and now its checksum is wrong too: that comes first */
    assert_int_equal(write(p->sockets[0], bytes, size), (ssize_t)size);
    frame f;
    kim_error err;
    assert_int_equal(frame_next(p->b, &f, &err), -1);
    assert_int_equal(err.code, KIM_ERR_CORRUPT);
}

static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    uint8_t bytes[64];
    size_t size = one_frame(bytes, sizeof bytes), used;
    uint16_t flags;
    frame f;
    kim_error err;
    assert_int_equal(frame_parse(bytes, size, &f, &flags, &used, &err), 1);
    assert_int_equal(used, size);
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int found = frame_parse(bytes, size, &f, &flags, &used, &err);
        assert_true(found <= 0); /* a larger size waits for bytes that the end of the stream then refuses */
        if (found < 0)
            assert_int_equal(err.code, KIM_ERR_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void a_frame_cut_short_anywhere_is_refused_at_the_end_and_never_read(void **state)
{
    (void)state;
    uint8_t bytes[64];
    size_t size = one_frame(bytes, sizeof bytes);
    for (size_t cut = 1; cut < size; cut++) {
        int sockets[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
        frame_stream *s = frame_stream_new(sockets[1], NULL);
        frame f;
        kim_error err;
        assert_int_equal(write(sockets[0], bytes, cut), (ssize_t)cut);
        assert_int_equal(frame_next(s, &f, &err), 0);
        close(sockets[0]);
        assert_int_equal(frame_next(s, &f, &err), -1);
        assert_int_equal(err.code, KIM_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "cut short"));
        frame_stream_free(s);
        close(sockets[1]);
    }
}

static void a_claim_of_more_than_a_frame_may_have_is_refused_at_once(void **state)
{
    pair *p = *state;
    uint8_t bytes[64];
    one_frame(bytes, sizeof bytes);
    bytes[10] = 0x10; /* 1 MiB and more */
    bytes[8] = 1;
    assert_int_equal(write(p->sockets[0], bytes, FRAME_HEADER_BYTES), FRAME_HEADER_BYTES);
    frame f;
    kim_error err;
    assert_int_equal(frame_next(p->b, &f, &err), -1);
    assert_non_null(strstr(err.message, "claims 1048577 bytes; at most 1048576"));
}

static void what_came_before_the_other_side_went_can_still_be_read(void **state)
{
    pair *p = *state;
    send_text(p->a, 9, "last words", -1);
    assert_int_equal(frame_flush(p->a, NULL), 1);
    shutdown(p->sockets[0], SHUT_RDWR);
    send_text(p->b, 1, "nobody hears this", -1);
    assert_next(p->b, 9, "last words");
    frame f;
    kim_error err;
    assert_int_equal(frame_wait(p->b, &f, -1, &err), -1);
    assert_int_equal(err.code, KIM_ERR_STOPPED);
}

/* Leaves on the stack, for whoever reads what it did not write, control messages that bring `descriptor`. */
static __attribute__((noinline)) void leave_on_stack(size_t phase, int descriptor)
{
    uint64_t words[1024];
    const uint64_t message[] = {CMSG_LEN(sizeof(int)), (uint64_t)SCM_RIGHTS << 32 | SOL_SOCKET, (uint64_t)(unsigned)descriptor};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        words[i] = message[(i + phase) % 3];
    __asm__ volatile("" : : "r"(words) : "memory");
}

/* The other side was killed with frames unread: then the kernel says only that, and writes nothing. */
static void an_end_that_is_a_reset_brings_no_descriptors(void **state)
{
    (void)state;
    for (size_t phase = 0; phase < 3; phase++) {
        int sockets[2], ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
        frame f;
        kim_error err = {0};
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
        frame_stream *s = frame_stream_new(sockets[0], NULL);
        send_text(s, 1, "never read", -1);
        assert_int_equal(frame_flush(s, NULL), 1);
        close(sockets[1]);
        leave_on_stack(phase, ours);
        assert_int_equal(frame_next(s, &f, &err), -1);
        assert_int_equal(err.code, KIM_ERR_STOPPED);
        frame_stream_free(s);
        assert_int_equal(fcntl(ours, F_GETFD), FD_CLOEXEC); /* nobody took it for one that came, and closed it */
        close(ours);
        close(sockets[0]);
    }
}

static void waiting_ends_at_its_deadline(void **state)
{
    pair *p = *state;
    frame f;
    kim_error err;
    assert_int_equal(frame_wait(p->b, &f, frame_now_ms() + 5, &err), -1);
    assert_int_equal(err.code, KIM_ERR_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(frames_arrive_in_order_and_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_of_the_largest_size_passes_and_one_more_byte_does_not, setup, teardown),
        cmocka_unit_test_setup_teardown(each_descriptor_arrives_with_its_own_frame, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frame_that_announces_a_descriptor_without_one_is_refused, setup, teardown),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(a_frame_cut_short_anywhere_is_refused_at_the_end_and_never_read),
        cmocka_unit_test_setup_teardown(a_claim_of_more_than_a_frame_may_have_is_refused_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(what_came_before_the_other_side_went_can_still_be_read, setup, teardown),
        cmocka_unit_test(an_end_that_is_a_reset_brings_no_descriptors),
        cmocka_unit_test_setup_teardown(waiting_ends_at_its_deadline, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
