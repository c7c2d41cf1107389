/* test_recovery.c -- a process that dies anywhere leaves a sound journal.
 *
 * A child publishes at random, tells through a pipe what was answered, and is
 * killed. The parent opens what it left: everything answered is there, and the
 * figures are those of the events.
 */
#include "workbench.h"

#include "journal/journal_state.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS       20
#define KILL_AFTER   60 /* answers, at most */
#define CHILD_FAILED 9

static struct journal_keep keep_little(void *arg, struct text channel)
{
    (void)arg;
    return (struct journal_keep){.count = channel.bytes[0] == 'a' ? 20 : 0};
}

static int setup(void **state)
{
    static struct bench bench;

    bench_begin(&bench);
    bench.options.keep = keep_little;
    bench.options.keep_bytes = 300000;
    bench.options.commit_events_max = 50;
    bench.clock = system_clock;
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    remove_directory(bench->directory);
    return 0;
}

static void fail_finding(void *arg, const char *finding)
{
    (void)arg;
    print_error("%s\n", finding);
}

static void assert_sound(struct bench *bench)
{
    struct verify_result result;

    assert_int_equal(
        journal_verify(bench->journal, fail_finding, NULL, &result), ST_OK);
    assert_int_equal(result.findings, 0);
}

/* ---- the child ------------------------------------------------------------
 */

struct child {
    int pipe;
};

static void tell_answer(struct publish *publish)
{
    struct child *child = publish->asker;
    const uint64_t id = publish->events[publish->count - 1]->id;

    if (publish->result == ST_OK &&
        write(child->pipe, &id, sizeof id) != sizeof id)
        _exit(CHILD_FAILED);
    publish_destroy(&publish);
}

_Noreturn static void publish_for_ever(struct bench *bench, int pipe_out,
                                       unsigned seed)
{
    struct child child = {pipe_out};
    struct journal *journal;
    char why[256];

    if (journal_open(&bench->options, &journal, why, sizeof why) != ST_OK)
        _exit(CHILD_FAILED);
    srand(seed);
    journal_start(journal);
    for (;;) {
        char name[8];
        struct publish *publish;

        snprintf(name, sizeof name, "%c%d", 'a' + rand() % 2, rand() % 9);
        publish = make_publish(name, "some data that is stored",
                               1 + (unsigned)rand() % 100);
        publish->answer = tell_answer;
        publish->asker = &child;
        if (journal_post_before(journal, &publish, 10000) != ST_OK)
            _exit(CHILD_FAILED);
    }
}

/* ---- the parent -----------------------------------------------------------
 */

/* The newest id that was answered before the child was killed. */
static uint64_t run_child(struct bench *bench, unsigned seed)
{
    int ends[2];
    uint64_t id, newest = 0;
    unsigned answers = 1 + seed * 7919 % KILL_AFTER;
    pid_t child;
    int outcome;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        publish_for_ever(bench, ends[1], seed);
    }
    close(ends[1]);
    while (answers-- > 0 && read(ends[0], &id, sizeof id) == sizeof id)
        newest = id;
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(ends[0], &id, sizeof id) == sizeof id)
        newest = id; /* answered before it died */
    close(ends[0]);
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFSIGNALED(outcome));
    return newest;
}

static void what_was_answered_survives_a_kill(void **state)
{
    struct bench *bench = *state;
    uint64_t last_id = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        const uint64_t answered = run_child(bench, round);

        bench_open(bench);
        assert_true(answered >= last_id);
        assert_true(journal_last_id(bench->journal) >= answered);
        last_id = journal_last_id(bench->journal);
        assert_sound(bench);
        bench_shut(bench);
    }
}

/* Every stop writes the rows: the next start has nothing to count. */
static void a_stop_leaves_nothing_to_count(void **state)
{
    struct bench *bench = *state;
    MDB_txn *txn;
    uint64_t checkpoint_id;

    bench_open(bench);
    journal_start(bench->journal);
    for (int i = 0; i < 10; i++) {
        struct publish *publish = make_publish("b", "x", 10);

        assert_int_equal(journal_post(bench->journal, &publish), ST_OK);
    }
    journal_stop(bench->journal);
    assert_int_equal(journal_last_id(bench->journal), 100);
    assert_int_equal(
        mdb_txn_begin(bench->journal->environment.env, NULL, MDB_RDONLY, &txn),
        0);
    assert_int_equal(environment_number(&bench->journal->environment, txn,
                                        "checkpoint", &checkpoint_id),
                     ST_OK);
    mdb_txn_abort(txn);
    assert_int_equal(checkpoint_id, 100);
    assert_sound(bench);
    bench_shut(bench);
}

/* Checkpoints of many channels go in slices; a crash between them is nothing.
 */
static void a_checkpoint_may_be_cut_anywhere(void **state)
{
    struct bench *bench = *state;

    bench->options.keep = NULL;
    bench->options.keep_bytes = 0;
    bench->options.channels_max = 20000;
    bench->options.commit_events_max = 1000;
    for (int round = 0; round < 12; round++) {
        bench_open(bench);
        assert_sound(bench);
        for (int i = 0; i < 8; i++) {
            struct publish *publish = publish_create(1000);

            for (unsigned j = 0; j < 1000; j++) {
                char name[16];

                snprintf(name, sizeof name, "c%u", (unsigned)rand() % 9000);
                publish->events[j] = event_create(text_of(name), text_of(""),
                                                  text_of("x"), text_of(""));
            }
            if (round % 3 == 1 && i == 2)
                checkpoint_start(&bench->journal->checkpoint,
                                 &bench->journal->ledger);
            assert_int_equal(run_publish(bench, publish), ST_OK);
        }
        bench_shut(bench); /* no stop: as a kill */
    }
    bench_open(bench);
    assert_sound(bench);
    bench_shut(bench);
}

static void damage_at_the_end_is_not_swallowed(void **state)
{
    struct bench *bench = *state;
    struct journal *journal = NULL;
    char why[256] = "";
    uint64_t id = 2;
    MDB_val key = {sizeof id, &id}, value = {4, (void *)why};
    MDB_txn *txn;

    bench_open(bench);
    publish_now(bench, "a", "x");
    assert_int_equal(
        mdb_txn_begin(bench->journal->environment.env, NULL, 0, &txn), 0);
    assert_int_equal(
        mdb_put(txn, bench->journal->environment.events, &key, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    bench_shut(bench);
    assert_int_equal(journal_open(&bench->options, &journal, why, sizeof why),
                     ST_CORRUPT);
    assert_null(journal);
    assert_true(why[0] != '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(what_was_answered_survives_a_kill),
        T(a_stop_leaves_nothing_to_count),
        T(a_checkpoint_may_be_cut_anywhere),
        T(damage_at_the_end_is_not_swallowed),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
