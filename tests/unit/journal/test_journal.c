/* test_journal.c -- publish, commit, answer, listen: one thread and several. */
#include "workbench.h"

#include "journal/journal_state.h"
#include "journal/writer.h"

#include <stdio.h>
#include <uv.h>

static int setup(void **state)
{
    static struct bench bench;

    bench_begin(&bench);
    bench_open(&bench);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    return 0;
}

static struct journal_query everything(void)
{
    return (struct journal_query){
        .max_events = 10, .max_bytes = 1 << 20, .max_scanned = 1000};
}

static void ids_rise_by_one_from_the_first(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(journal_last_id(bench->journal), 0);
    assert_int_equal(publish_now(bench, "a", "1"), 1);
    assert_int_equal(publish_now(bench, "b", "2"), 2);
    assert_int_equal(publish_now(bench, "a", "3"), 3);
    assert_int_equal(journal_last_id(bench->journal), 3);
    assert_int_equal(channel_of(bench, "a")->last_id, 3);
    assert_int_equal(channel_of(bench, "a")->count, 2);
}

static void a_new_journal_starts_at_the_time(void **state)
{
    struct bench *bench = *state;
    const uint64_t first = UINT64_C(1700000000) << 20;

    bench_close(bench);
    bench_begin(bench);
    bench->options.first_id = 0;
    bench_open(bench);
    assert_true(journal_first_id(bench->journal) == first);
    assert_true(publish_now(bench, "a", "1") == first);
    bench_shut(bench);
    bench->options.first_id = 5; /* fixed once and for all */
    bench_open(bench);
    assert_true(journal_first_id(bench->journal) == first);
}

/* As after a restore: the newest events are gone, clients still hold their ids. */
static void a_start_gives_no_id_a_second_time(void **state)
{
    struct bench *bench = *state;
    uint64_t lost;

    bench_close(bench);
    bench_begin(bench);
    bench->options.first_id = 0;
    bench_open(bench);
    lost = publish_now(bench, "a", "1") + 1000; /* came after the backup */
    bench_shut(bench);
    bench->now_ms += 2000;
    bench_open(bench);
    assert_true(publish_now(bench, "a", "2") > lost);
}

static void what_was_published_is_read(void **state)
{
    struct bench *bench = *state;
    struct ids read = {0}, expected = {0};

    for (int i = 0; i < 25; i++)
        ids_add(&expected, publish_now(bench, i % 2 ? "a" : "b", "x"));
    read_all(bench, everything(), &read);
    ids_assert_equal(&read, &expected);
    ids_fini(&read);
    ids_fini(&expected);
}

static void a_reopened_journal_goes_on(void **state)
{
    struct bench *bench = *state;

    publish_now(bench, "a", "1");
    publish_now(bench, "b", "2");
    bench_shut(bench);
    bench_open(bench);
    assert_int_equal(journal_last_id(bench->journal), 2);
    assert_int_equal(publish_now(bench, "a", "3"), 3);
    assert_int_equal(channel_of(bench, "a")->count, 2);
    assert_int_equal(channel_of(bench, "b")->count, 1);
}

/* ---- what is refused -------------------------------------------------------
 */

static void a_publish_goes_in_whole_or_not_at_all(void **state)
{
    struct bench *bench = *state;
    struct publish *publish = publish_create(3);

    bench_shut(bench);
    bench->options.channels_max = 2;
    bench_open(bench);
    for (unsigned i = 0; i < 3; i++) {
        char name[4];

        snprintf(name, sizeof name, "c%u", i);
        publish->events[i] =
            event_create(text_of(name), text_of(""), text_of("x"), text_of(""));
    }
    assert_int_equal(run_publish(bench, publish), ST_FULL);
    assert_int_equal(journal_last_id(bench->journal), 0);
    assert_int_equal(publish_now(bench, "c1", "x"), 1);
}

static void an_event_without_channel_is_refused(void **state)
{
    assert_int_equal(run_publish(*state, make_publish("", "x", 1)),
                     ST_BAD_INPUT);
}

static void two_writers_are_not_let_in(void **state)
{
    struct bench *bench = *state;
    struct journal *second = NULL;
    char why[256];

    assert_int_equal(journal_open(&bench->options, &second, why, sizeof why),
                     ST_BUSY);
    assert_null(second);
    assert_true(why[0] != '\0');
}

/* ---- time ------------------------------------------------------------------
 */

static int64_t publish_at(struct bench *bench, int64_t wish_ms)
{
    struct publish *publish = make_publish("a", "x", 1);
    struct event *event = event_ref(publish->events[0]);
    int64_t time_ms;

    event->time_ms = wish_ms;
    assert_int_equal(run_publish(bench, publish), ST_OK);
    time_ms = event->time_ms;
    event_unref(&event);
    return time_ms;
}

static void a_wished_time_counts_within_bounds(void **state)
{
    struct bench *bench = *state;
    const int64_t now_ms = bench->now_ms;

    assert_true(publish_at(bench, now_ms - 5000) == now_ms - 5000);
    assert_true(publish_at(bench, now_ms - 6000) == now_ms); /* too old */
    assert_true(publish_at(bench, now_ms + 1001) == now_ms); /* too far */
    assert_true(publish_at(bench, now_ms + 1000) == now_ms + 1000);
    assert_true(publish_at(bench, 0) == now_ms + 1000); /* never back */
    bench->now_ms -= 100000; /* not even when the clock is set back */
    assert_true(publish_at(bench, 0) == now_ms + 1000);
    bench_shut(bench);
    bench_open(bench);
    assert_true(publish_at(bench, 0) == now_ms + 1000);
}

/* ---- with the thread -------------------------------------------------------
 */

#define PUBLISHERS 4u
#define EACH       500u

struct crowd {
    struct bench *bench;
    struct journal_reader *reader; /* the listener's */
    uint64_t heard_id, heard;
    atomic_uint answered;
    atomic_bool failed;
};

static void require(struct crowd *crowd, bool claim)
{
    if (!claim)
        atomic_store(&crowd->failed, true);
}

static void note_id(void *arg, const struct event_view *event)
{
    *(uint64_t *)arg = event->id;
}

/* Durable and visible before anybody hears of it, figures first. */
static void on_batch(void *arg, struct batch *batch)
{
    struct crowd *crowd = arg;
    struct journal_query query = everything();
    const struct event *first = batch->events[0];
    struct journal_slice slice;
    uint64_t seen = 0;

    require(crowd, batch->after_id == crowd->heard_id);
    require(crowd, first->id == batch->after_id + 1);
    require(crowd, journal_last_id(crowd->bench->journal) == batch->last_id);
    require(crowd, first->channel->last_id >= first->id);
    query.after = first->id - 1;
    query.max_events = 1;
    require(crowd, journal_read(crowd->reader, &query, note_id, &seen,
                                &slice) == ST_OK);
    require(crowd, seen == first->id);
    for (unsigned i = 1; i < batch->count; i++)
        require(crowd, batch->events[i]->id == batch->events[i - 1]->id + 1);
    crowd->heard_id = batch->last_id;
    crowd->heard += batch->count;
}

static void on_answer(struct publish *publish)
{
    struct crowd *crowd = publish->asker;

    require(crowd, publish->result == ST_OK);
    require(crowd, publish->events[0]->id > 0);
    require(crowd, journal_last_id(crowd->bench->journal) >=
                       publish->events[publish->count - 1]->id);
    atomic_fetch_add(&crowd->answered, 1);
    publish_destroy(&publish);
}

static void publish_each(void *arg)
{
    struct crowd *crowd = arg;

    for (unsigned i = 0; i < EACH; i++) {
        struct publish *publish =
            make_publish(i % 3 == 0 ? "a" : "b", "x", 1 + i % 3);

        publish->answer = on_answer;
        publish->asker = crowd;
        require(crowd, journal_post_before(crowd->bench->journal, &publish,
                                           60000) == ST_OK);
    }
}

static void many_publishers_share_commits(void **state)
{
    struct crowd crowd = {.bench = *state};
    struct journal *journal = crowd.bench->journal;
    uv_thread_t threads[PUBLISHERS];
    struct journal_figures figures;

    assert_int_equal(journal_reader_open(journal, &crowd.reader), ST_OK);
    journal_add_listener(journal, on_batch, &crowd);
    journal_start(journal);
    for (unsigned i = 0; i < PUBLISHERS; i++)
        assert_int_equal(uv_thread_create(&threads[i], publish_each, &crowd),
                         0);
    for (unsigned i = 0; i < PUBLISHERS; i++)
        assert_int_equal(uv_thread_join(&threads[i]), 0);
    journal_stop(journal); /* answers what is still inside */
    journal_figures(journal, &figures);
    assert_false(atomic_load(&crowd.failed));
    assert_int_equal(atomic_load(&crowd.answered), PUBLISHERS * EACH);
    assert_int_equal(crowd.heard, figures.events);
    assert_int_equal(figures.last_id, figures.events);
    assert_true(figures.commits < PUBLISHERS * EACH);
    journal_reader_close(&crowd.reader);
}

/* A reader on its own thread that never stops: nothing twice, nothing missed.
 */
struct follower {
    struct bench *bench;
    uint64_t upto;
    atomic_bool is_over, failed;
};

static void expect_next(void *arg, const struct event_view *event)
{
    struct follower *follower = arg;

    if (event->id != follower->upto + 1)
        atomic_store(&follower->failed, true);
    follower->upto = event->id;
}

static void follow(void *arg)
{
    struct follower *follower = arg;
    struct journal_reader *reader;
    bool is_over = false;

    if (journal_reader_open(follower->bench->journal, &reader) != ST_OK) {
        atomic_store(&follower->failed, true);
        return;
    }
    for (;;) {
        struct journal_query query = everything();
        struct journal_slice slice;

        query.after = follower->upto;
        if (journal_read(reader, &query, expect_next, follower, &slice) !=
                ST_OK ||
            slice.upto != follower->upto)
            atomic_store(&follower->failed, true);
        if (is_over && slice.is_end)
            break;
        is_over = atomic_load(&follower->is_over);
    }
    journal_reader_close(&reader);
}

static void a_reader_beside_the_writer_sees_all_once(void **state)
{
    struct follower follower = {.bench = *state};
    struct crowd crowd = {.bench = *state};
    uv_thread_t thread;

    journal_start(crowd.bench->journal);
    assert_int_equal(uv_thread_create(&thread, follow, &follower), 0);
    publish_each(&crowd);
    journal_stop(crowd.bench->journal);
    atomic_store(&follower.is_over, true);
    assert_int_equal(uv_thread_join(&thread), 0);
    assert_false(atomic_load(&follower.failed));
    assert_int_equal(follower.upto, journal_last_id(crowd.bench->journal));
}

static void after_stop_nobody_can_post(void **state)
{
    struct bench *bench = *state;
    struct publish *publish = make_publish("a", "x", 1);

    journal_start(bench->journal);
    journal_stop(bench->journal);
    assert_int_equal(journal_post(bench->journal, &publish), ST_CLOSED);
    assert_non_null(publish);
    publish_destroy(&publish);
}

static void a_full_mailbox_is_told(void **state)
{
    struct bench *bench = *state;
    struct publish *publish;
    struct journal_figures figures;
    enum status st = ST_OK;

    for (unsigned i = 0; st == ST_OK; i++) {
        assert_true(i <= bench->options.mailbox_count);
        publish = make_publish("a", "x", 1);
        st = journal_post(bench->journal, &publish);
    }
    assert_int_equal(st, ST_FULL);
    assert_int_equal(journal_post_before(bench->journal, &publish, 1), ST_FULL);
    publish_destroy(&publish);
    journal_figures(bench->journal, &figures);
    assert_int_equal(figures.mailbox_count, bench->options.mailbox_count);
    assert_int_equal(figures.mailbox_refused, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(ids_rise_by_one_from_the_first),
        T(a_new_journal_starts_at_the_time),
        T(a_start_gives_no_id_a_second_time),
        T(what_was_published_is_read),
        T(a_reopened_journal_goes_on),
        T(a_publish_goes_in_whole_or_not_at_all),
        T(an_event_without_channel_is_refused),
        T(two_writers_are_not_let_in),
        T(a_wished_time_counts_within_bounds),
        T(many_publishers_share_commits),
        T(a_reader_beside_the_writer_sees_all_once),
        T(after_stop_nobody_can_post),
        T(a_full_mailbox_is_told),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
