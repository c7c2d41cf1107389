/* test_outbox.c -- slices go out in order, whatever the socket takes; deadlines
 * expire in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crew/deadlines.h"
#include "crew/outbox.h"

static struct frames *frames_of(const char *string)
{
    return frames_from_text(text_of(string));
}

static void push_all(struct outbox *outbox, const char *string)
{
    struct frames *frames = frames_of(string);

    outbox_push(outbox, frames, 0, frames->length);
    frames_unref(&frames);
}

static void what_is_pushed_is_written_in_order(void **state)
{
    struct outbox outbox;
    struct metrics metrics = {0};
    struct link link;
    int ends[2];
    char got[64] = "";

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    link_init(&link, ends[0]);
    outbox_init(&outbox);
    for (int i = 0; i < 7; i++)
        push_all(&outbox, (const char *const[]){"a", "bc", "def", "g", "h",
                                                "ij", "k"}[i]);
    assert_int_equal(outbox.bytes, 11);
    assert_int_equal(outbox_write(&outbox, &link, &metrics), ST_OK);
    assert_true(outbox_is_empty(&outbox));
    assert_int_equal(read(ends[1], got, sizeof got - 1), 11);
    assert_string_equal(got, "abcdefghijk");
    assert_int_equal(metrics.value[METRIC_writes], 1);
    outbox_fini(&outbox);
    close(ends[0]);
    close(ends[1]);
}

static void slices_that_follow_each_other_become_one(void **state)
{
    struct outbox outbox;
    struct frames *frames = frames_of("0123456789");

    (void)state;
    outbox_init(&outbox);
    outbox_push(&outbox, frames, 0, 4);
    outbox_push(&outbox, frames, 4, 7);
    outbox_push(&outbox, frames, 8, 10);
    assert_int_equal(outbox.count, 2);
    assert_int_equal(outbox.bytes, 9);
    assert_int_equal(frames->references, 3);
    outbox_fini(&outbox);
    assert_int_equal(frames->references, 1);
    frames_unref(&frames);
}

/* A socket that takes little at a time loses and repeats nothing. */
static void partial_writes_continue_where_they_stopped(void **state)
{
    enum { PIECES = 300, PIECE = 1000 };
    struct outbox outbox;
    struct metrics metrics = {0};
    struct link link;
    char piece[PIECE + 1], got[8192];
    size_t received = 0;
    int ends[2], small = 4096;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    link_init(&link, ends[0]);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    outbox_init(&outbox);
    for (int i = 0; i < PIECES; i++) {
        memset(piece, 'a' + i % 26, PIECE);
        piece[PIECE] = '\0';
        push_all(&outbox, piece);
    }
    while (received < (size_t)PIECES * PIECE) {
        enum status st = outbox_write(&outbox, &link, &metrics);
        ssize_t count;

        assert_true(st == ST_OK || st == ST_FULL);
        count = read(ends[1], got, sizeof got);
        assert_true(count > 0);
        for (ssize_t i = 0; i < count; i++, received++)
            assert_int_equal(got[i], 'a' + received / PIECE % 26);
    }
    assert_true(outbox_is_empty(&outbox));
    assert_int_equal(outbox.bytes, 0);
    outbox_fini(&outbox);
    close(ends[0]);
    close(ends[1]);
}

/* A stalled reader of two-byte events: far more slices than kilobytes. */
static void very_many_very_small_slices_fit(void **state)
{
    enum { SLICES = 100000 };
    struct outbox outbox;
    struct frames *one = frames_of("1\n"), *two = frames_of("2\n");

    (void)state;
    outbox_init(&outbox);
    for (int i = 0; i < SLICES; i++)
        outbox_push(&outbox, i % 2 == 0 ? one : two, 0, 2);
    assert_int_equal(outbox.count, SLICES);
    assert_int_equal(outbox.bytes, 2 * SLICES);
    assert_true(outbox_cost(&outbox) >= SLICES * sizeof(struct outbox_slice));
    outbox_fini(&outbox);
    assert_int_equal(one->references, 1);
    frames_unref(&one);
    frames_unref(&two);
}

static void a_closed_socket_is_a_status(void **state)
{
    struct outbox outbox;
    struct metrics metrics = {0};
    struct link link;
    int ends[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    close(ends[1]);
    link_init(&link, ends[0]);
    outbox_init(&outbox);
    push_all(&outbox, "gone");
    assert_int_equal(outbox_write(&outbox, &link, &metrics), ST_CLOSED);
    outbox_fini(&outbox);
    close(ends[0]);
}

static void deadlines_expire_in_order_of_time(void **state)
{
    struct deadlines deadlines;
    struct deadline a, b, c;

    (void)state;
    deadlines_init(&deadlines);
    deadline_init(&a);
    deadline_init(&b);
    deadline_init(&c);
    deadline_set(&deadlines, &a, 100, 0);
    deadline_set(&deadlines, &b, 50, 0);
    deadline_set(&deadlines, &c, 100, 10);
    assert_int_equal(deadlines_next_ms(&deadlines), 50);
    assert_null(deadlines_expired(&deadlines, 49));
    assert_ptr_equal(deadlines_expired(&deadlines, 50), &b);
    deadline_set(&deadlines, &a, 100, 20); /* touched: now behind c */
    assert_ptr_equal(deadlines_expired(&deadlines, 200), &c);
    assert_ptr_equal(deadlines_expired(&deadlines, 200), &a);
    assert_null(deadlines_expired(&deadlines, 200));
    assert_true(deadlines_next_ms(&deadlines) == INT64_MAX);
    deadlines_fini(&deadlines);
}

static void more_durations_than_lists_still_expire(void **state)
{
    enum { MANY = DEADLINE_LISTS + 50 };
    struct deadlines deadlines;
    static struct deadline many[MANY];
    unsigned expired = 0;

    (void)state;
    deadlines_init(&deadlines);
    for (int i = 0; i < MANY; i++) {
        deadline_init(&many[i]);
        deadline_set(&deadlines, &many[i], 1000 - i, 0);
    }
    while (deadlines_expired(&deadlines, 1000) != NULL)
        expired++;
    assert_int_equal(expired, MANY);
    deadlines_fini(&deadlines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_pushed_is_written_in_order),
        cmocka_unit_test(slices_that_follow_each_other_become_one),
        cmocka_unit_test(partial_writes_continue_where_they_stopped),
        cmocka_unit_test(very_many_very_small_slices_fit),
        cmocka_unit_test(a_closed_socket_is_a_status),
        cmocka_unit_test(deadlines_expire_in_order_of_time),
        cmocka_unit_test(more_durations_than_lists_still_expire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
