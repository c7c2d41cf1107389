/* test_dedup.c -- a retry with the same key is not a second event. */
#include "workbench.h"

#include "journal/journal_state.h"
#include "journal/writer.h"

#include <stdio.h>

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

static uint64_t publish(struct bench *bench, const char *channel,
                        const char *key)
{
    uint64_t id;

    assert_int_equal(publish_keyed(bench, channel, "x", key, &id), ST_OK);
    return id;
}

static uint64_t rows(struct bench *bench, MDB_dbi table)
{
    MDB_txn *txn;
    MDB_stat stat;

    assert_int_equal(
        mdb_txn_begin(bench->journal->environment.env, NULL, MDB_RDONLY, &txn),
        0);
    assert_int_equal(mdb_stat(txn, table, &stat), 0);
    mdb_txn_abort(txn);
    return stat.ms_entries;
}

static void a_known_key_gets_the_first_id(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(publish(bench, "a", "k"), 1);
    assert_int_equal(publish(bench, "a", "l"), 2);
    assert_int_equal(publish(bench, "a", "k"), 1);
    assert_int_equal(publish(bench, "a", ""), 3);
    assert_int_equal(publish(bench, "a", ""), 4);
    assert_int_equal(channel_of(bench, "a")->count, 4);
}

static void a_key_counts_within_its_channel(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(publish(bench, "a", "k"), 1);
    assert_int_equal(publish(bench, "b", "k"), 2);
    assert_int_equal(publish(bench, "ab", "k"), 3);
    assert_int_equal(publish(bench, "a", "bk"), 4);
}

static void a_key_outlives_a_restart(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(publish(bench, "a", "k"), 1);
    bench_shut(bench);
    bench_open(bench);
    assert_int_equal(publish(bench, "a", "k"), 1);
}

static void keep_answer(struct publish *answered)
{
    *(struct publish **)answered->asker = answered;
}

static void keys_meet_within_one_publish(void **state)
{
    static const char *const keys[] = {"k", "l", "k", "", "l"};
    static const uint64_t ids[] = {1, 2, 1, 3, 2};
    static const int duplicates[] = {0, 0, 1, 0, 1};
    struct bench *bench = *state;
    struct publish *batch = publish_create(5);
    struct publish *answered = NULL;

    for (unsigned i = 0; i < 5; i++)
        batch->events[i] = event_create(text_of("a"), text_of(""), text_of("x"),
                                        text_of(keys[i]));
    batch->answer = keep_answer;
    batch->asker = (void *)&answered;
    assert_int_equal(journal_post(bench->journal, &batch), ST_OK);
    writer_handle(bench->journal, mailbox_take(&bench->journal->mailbox));
    assert_non_null(answered);
    assert_int_equal(answered->result, ST_OK);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(answered->events[i]->id, ids[i]);
        assert_int_equal(answered->events[i]->is_duplicate, duplicates[i]);
    }
    publish_destroy(&answered);
}

static void count_batches(void *arg, struct batch *batch)
{
    *(unsigned *)arg += batch->count;
}

static void listeners_do_not_hear_of_duplicates(void **state)
{
    struct bench *bench = *state;
    unsigned heard = 0;

    journal_add_listener(bench->journal, count_batches, &heard);
    publish(bench, "a", "k");
    publish(bench, "a", "k");
    publish(bench, "a", "k");
    assert_int_equal(heard, 1);
}

static void a_key_is_forgotten_after_its_window(void **state)
{
    struct bench *bench = *state;

    assert_int_equal(publish(bench, "a", "k"), 1);
    bench->now_ms += 999;
    assert_int_equal(publish(bench, "a", "k"), 1);
    bench->now_ms += 1;
    assert_int_equal(publish(bench, "a", "k"), 2);
    /* The old key's row goes without the new one's. */
    bench->now_ms += 500;
    while (writer_tick(bench->journal))
        ;
    assert_int_equal(publish(bench, "a", "k"), 2);
    settle_chores(bench);
    assert_int_equal(rows(bench, bench->journal->environment.dedup), 0);
    assert_int_equal(rows(bench, bench->journal->environment.dedup_age), 0);
}

static void many_keys_are_trimmed_in_slices(void **state)
{
    struct bench *bench = *state;
    struct publish *batch = publish_create(5000);

    for (unsigned i = 0; i < 5000; i++) {
        char key[16];

        snprintf(key, sizeof key, "%u", i);
        batch->events[i] =
            event_create(text_of("a"), text_of(""), text_of("x"), text_of(key));
    }
    assert_int_equal(run_publish(bench, batch), ST_OK);
    assert_int_equal(rows(bench, bench->journal->environment.dedup), 5000);
    bench->now_ms += 1000;
    assert_true(writer_tick(bench->journal));
    assert_true(rows(bench, bench->journal->environment.dedup) > 0);
    settle_chores(bench);
    assert_int_equal(rows(bench, bench->journal->environment.dedup), 0);
}

/* Keys of amendments that changed nothing: their ids are old ones, and many may
 * have the same. */
static void keys_without_an_event_are_forgotten_too(void **state)
{
    struct bench *bench = *state;
    const struct environment *environment = &bench->journal->environment;

    assert_int_equal(publish(bench, "a", "k"), 1);
    for (unsigned i = 0; i < 300; i++) {
        char key[16];
        struct outcome outcome;

        snprintf(key, sizeof key, "%u", i);
        bench->now_ms += i % 2;
        outcome = run_amendment(bench, make_amendment(AMENDMENT_CORRECTION, "a",
                                                      1, NULL, "x", key));
        assert_true(outcome.is_duplicate);
        assert_int_equal(outcome.id, 1);
    }
    assert_int_equal(publish(bench, "a", "l"), 2);
    assert_int_equal(rows(bench, environment->dedup), 302);
    assert_int_equal(rows(bench, environment->dedup_late), 300);
    bench->now_ms += 1000 - 10;
    while (writer_tick(bench->journal))
        ;
    assert_int_equal(rows(bench, environment->dedup_late), 19);
    settle_chores(bench);
    assert_int_equal(rows(bench, environment->dedup), 0);
    assert_int_equal(rows(bench, environment->dedup_age), 0);
    assert_int_equal(rows(bench, environment->dedup_late), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_known_key_gets_the_first_id),
        T(a_key_counts_within_its_channel),
        T(a_key_outlives_a_restart),
        T(keys_meet_within_one_publish),
        T(listeners_do_not_hear_of_duplicates),
        T(a_key_is_forgotten_after_its_window),
        T(many_keys_are_trimmed_in_slices),
        T(keys_without_an_event_are_forgotten_too),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
