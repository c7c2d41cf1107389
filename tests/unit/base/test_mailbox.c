/* test_mailbox.c -- the mailbox alone, and between threads.
 *
 * The races are run by three posters and one reader, once for each way to be
 * woken; under ThreadSanitizer they are the proof that the lock covers what it
 * must. What every poster sent must come once and in its order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <tidings/check.h>
#include <tidings/mailbox.h>

#include <cmocka.h>

#define POSTERS    3
#define PER_POSTER 20000
#define WAIT_LONG  60000
#define NO_BYTES   SIZE_MAX

struct letter {
    struct msg link; /* first */
    unsigned poster, number;
};

static struct msg *make_letter(unsigned poster, unsigned number, uint32_t bytes)
{
    struct letter *letter = must_calloc(1, sizeof *letter);

    letter->link.bytes = bytes;
    letter->poster = poster;
    letter->number = number;
    return &letter->link;
}

static unsigned number_of(const struct msg *msg)
{
    return ((const struct letter *)(const void *)msg)->number;
}

static unsigned free_all(struct msg *msg)
{
    unsigned count = 0;

    while (msg != NULL) {
        struct msg *next = msg->next;

        free(msg);
        msg = next;
        count++;
    }
    return count;
}

static void count_wake(void *arg)
{
    unsigned *wakes = arg;

    *wakes += 1;
}

/* ---- one thread ---------------------------------------------------------- */

static void test_what_is_posted_is_taken_at_once_in_order(void **state)
{
    struct mailbox box;
    struct msg *taken;
    unsigned wakes = 0;

    (void)state;
    mailbox_init(&box, "test", 10, NO_BYTES, count_wake, &wakes);
    assert_null(mailbox_take(&box));
    for (unsigned i = 0; i < 3; i++) {
        struct msg *msg = make_letter(0, i, 1);

        assert_int_equal(mailbox_post(&box, &msg), ST_OK);
        assert_null(msg);
    }
    assert_int_equal(mailbox_count(&box), 3);
    taken = mailbox_take(&box);
    assert_int_equal(number_of(taken), 0);
    assert_int_equal(number_of(taken->next), 1);
    assert_int_equal(number_of(taken->next->next), 2);
    assert_null(taken->next->next->next);
    assert_int_equal(mailbox_count(&box), 0);
    assert_int_equal(wakes, 1); /* only from empty */
    free_all(taken);
    mailbox_fini(&box);
}

static void test_every_filling_of_an_empty_box_wakes(void **state)
{
    struct mailbox box;
    unsigned wakes = 0;

    (void)state;
    mailbox_init(&box, "test", 10, NO_BYTES, count_wake, &wakes);
    for (unsigned i = 0; i < 5; i++) {
        struct msg *msg = make_letter(0, i, 1);

        assert_int_equal(mailbox_post(&box, &msg), ST_OK);
        assert_int_equal(wakes, i + 1);
        free_all(mailbox_take(&box));
    }
    mailbox_fini(&box);
}

static void test_a_full_box_refuses_and_leaves_the_message(void **state)
{
    static const struct {
        unsigned limit_count;
        size_t limit_bytes;
        uint32_t bytes; /* of each message */
        unsigned fit;
    } rows[] = {
        {3, NO_BYTES, 1, 3}, /* by count */
        {100, 30, 10, 3},    /* by bytes, exactly */
        {100, 39, 10, 3},    /* by bytes, nearly one more */
        {100, 5, 10, 1},     /* the first always fits */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mailbox box;
        struct msg *msg = NULL;

        mailbox_init(&box, "test", rows[i].limit_count, rows[i].limit_bytes,
                     NULL, NULL);
        for (unsigned j = 0; j < rows[i].fit; j++) {
            msg = make_letter(0, j, rows[i].bytes);
            assert_int_equal(mailbox_post(&box, &msg), ST_OK);
        }
        msg = make_letter(0, 99, rows[i].bytes);
        assert_int_equal(mailbox_post(&box, &msg), ST_FULL);
        assert_non_null(msg);
        assert_int_equal(mailbox_refused(&box), 1);
        assert_int_equal(mailbox_post_before(&box, &msg, 1), ST_FULL);
        assert_int_equal(mailbox_refused(&box), 2);

        assert_int_equal(mailbox_answer(&box, &msg), ST_OK); /* has its place */
        assert_int_equal(mailbox_count(&box), rows[i].fit);
        assert_int_equal(free_all(mailbox_take(&box)), rows[i].fit + 1);
        mailbox_fini(&box);
    }
}

static void test_an_answer_wakes_an_empty_box_too(void **state)
{
    struct mailbox box;
    struct msg *msg = make_letter(0, 0, 1);
    unsigned wakes = 0;

    (void)state;
    mailbox_init(&box, "test", 1, NO_BYTES, count_wake, &wakes);
    assert_int_equal(mailbox_answer(&box, &msg), ST_OK);
    assert_int_equal(wakes, 1);
    msg = make_letter(0, 1, 1);
    assert_int_equal(mailbox_post(&box, &msg), ST_OK);
    assert_int_equal(wakes, 1);
    assert_int_equal(free_all(mailbox_take(&box)), 2);
    mailbox_fini(&box);
}

static void test_a_closed_box_keeps_what_is_inside(void **state)
{
    struct mailbox box;
    struct msg *msg = make_letter(0, 0, 1);

    (void)state;
    mailbox_init(&box, "test", 10, NO_BYTES, NULL, NULL);
    assert_int_equal(mailbox_post(&box, &msg), ST_OK);
    mailbox_close(&box);
    msg = make_letter(0, 1, 1);
    assert_int_equal(mailbox_post(&box, &msg), ST_CLOSED);
    assert_int_equal(mailbox_post_before(&box, &msg, WAIT_LONG), ST_CLOSED);
    assert_int_equal(mailbox_answer(&box, &msg), ST_CLOSED);
    assert_non_null(msg);
    free_all(msg);
    assert_int_equal(free_all(mailbox_wait(&box, WAIT_LONG)), 1);
    assert_null(mailbox_wait(&box, WAIT_LONG)); /* at once: closed */
    mailbox_fini(&box);
}

static void test_waiting_ends_without_a_message_too(void **state)
{
    struct mailbox box;

    (void)state;
    mailbox_init(&box, "test", 10, NO_BYTES, NULL, NULL);
    assert_null(mailbox_wait(&box, 0));
    assert_null(mailbox_wait(&box, 5));
    mailbox_fini(&box);
}

/* ---- several threads ----------------------------------------------------- */

struct poster {
    struct mailbox *box;
    unsigned number;
    uv_thread_t thread;
};

static void post_all(void *arg)
{
    struct poster *poster = arg;

    for (unsigned i = 0; i < PER_POSTER; i++) {
        struct msg *msg = make_letter(poster->number, i, 10);

        CHECK(mailbox_post_before(poster->box, &msg, WAIT_LONG) == ST_OK);
    }
}

static void start_posters(struct poster *posters, struct mailbox *box)
{
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i].box = box;
        posters[i].number = i;
        assert_int_equal(
            uv_thread_create(&posters[i].thread, post_all, &posters[i]), 0);
    }
}

static void join_posters(struct poster *posters)
{
    for (unsigned i = 0; i < POSTERS; i++)
        assert_int_equal(uv_thread_join(&posters[i].thread), 0);
}

/* Takes one list apart, checking each poster's order; says how many came. */
static unsigned check_letters(struct msg *msg, unsigned *next_of)
{
    unsigned count = 0;

    while (msg != NULL) {
        struct letter *letter = (struct letter *)(void *)msg;

        msg = msg->next;
        assert_int_equal(letter->number, next_of[letter->poster]);
        next_of[letter->poster]++;
        free(letter);
        count++;
    }
    return count;
}

static void test_three_posters_and_a_waiting_reader_lose_nothing(void **state)
{
    struct poster posters[POSTERS];
    unsigned next_of[POSTERS] = {0};
    unsigned count = 0;
    struct mailbox box;

    (void)state;
    mailbox_init(&box, "race", 64, 320, NULL, NULL); /* often full */
    start_posters(posters, &box);
    while (count < POSTERS * PER_POSTER)
        count += check_letters(mailbox_wait(&box, WAIT_LONG), next_of);
    join_posters(posters);
    assert_int_equal(mailbox_refused(&box), 0);
    assert_int_equal(mailbox_count(&box), 0);
    mailbox_fini(&box);
}

static void on_wake(void *arg)
{
    uv_sem_post(arg);
}

static void test_every_wake_up_comes_and_none_is_missed(void **state)
{
    struct poster posters[POSTERS];
    unsigned next_of[POSTERS] = {0};
    unsigned count = 0;
    struct mailbox box;
    uv_sem_t filled;

    (void)state;
    assert_int_equal(uv_sem_init(&filled, 0), 0);
    mailbox_init(&box, "race", 1024, NO_BYTES, on_wake, &filled);
    start_posters(posters, &box);
    while (count < POSTERS * PER_POSTER) {
        uv_sem_wait(&filled); /* hangs, and the time limit tells, if missed */
        count += check_letters(mailbox_take(&box), next_of);
    }
    join_posters(posters);
    mailbox_fini(&box);
    uv_sem_destroy(&filled);
}

static void post_until_closed(void *arg)
{
    struct poster *poster = arg;
    enum status st = ST_OK;

    while (st != ST_CLOSED) {
        struct msg *msg = make_letter(0, 0, 1);

        st = mailbox_post_before(poster->box, &msg, WAIT_LONG);
        CHECK(st == ST_OK || st == ST_CLOSED);
        free_all(msg);
    }
}

static void test_closing_frees_writers_that_wait_for_room(void **state)
{
    struct poster posters[POSTERS];
    struct mailbox box;
    unsigned waiting = 0;

    (void)state;
    mailbox_init(&box, "race", 1, NO_BYTES, NULL, NULL);
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i].box = &box;
        assert_int_equal(uv_thread_create(&posters[i].thread, post_until_closed,
                                          &posters[i]),
                         0);
    }
    while (waiting < POSTERS) { /* all of them stand before a full box */
        uv_mutex_lock(&box.mutex);
        waiting = box.shared.waiting_writers;
        uv_mutex_unlock(&box.mutex);
    }
    mailbox_close(&box);
    join_posters(posters);
    assert_int_equal(free_all(mailbox_take(&box)), 1);
    mailbox_fini(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_posted_is_taken_at_once_in_order),
        cmocka_unit_test(test_every_filling_of_an_empty_box_wakes),
        cmocka_unit_test(test_a_full_box_refuses_and_leaves_the_message),
        cmocka_unit_test(test_an_answer_wakes_an_empty_box_too),
        cmocka_unit_test(test_a_closed_box_keeps_what_is_inside),
        cmocka_unit_test(test_waiting_ends_without_a_message_too),
        cmocka_unit_test(test_three_posters_and_a_waiting_reader_lose_nothing),
        cmocka_unit_test(test_every_wake_up_comes_and_none_is_missed),
        cmocka_unit_test(test_closing_frees_writers_that_wait_for_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
