/* test_session_ends.c -- sessions: which of them go, and what outlives a kill.
 */
#include "session_bench.h"

#include "journal/journal_state.h"
#include "journal/writer.h"

#include <tidings/check.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILD_FAILED = 3, ROUNDS = 8, THREADS = 4 };

/* ---- when they go -------------------------------------------------------- */

static void pass(struct bench *bench, int64_t ms)
{
    bench->now_ms += ms;
    settle_chores(bench);
}

static struct journal_keep keep_for(void *arg, struct text channel)
{
    (void)channel;
    return (struct journal_keep){.age_ms = *(const int64_t *)arg};
}

static void keep_age(struct bench *bench, int64_t age_ms)
{
    static int64_t kept_ms;

    kept_ms = age_ms;
    bench->options.keep = keep_for;
    bench->options.keep_arg = &kept_ms;
    reopen(bench);
}

static void an_unused_one_goes_with_the_events_of_its_time(void **state)
{
    struct bench *bench = *state;

    keep_age(bench, 2 * SESSION_KEEP_MS);
    publish_now(bench, "a", "old");
    create(bench, "s", 1);
    pass(bench, SESSION_KEEP_MS + 1);
    assert_true(is_there(bench, "s")); /* what it missed is kept */
    publish_now(bench, "a", "new");
    pass(bench, SESSION_KEEP_MS + 1);
    assert_false(is_there(bench, "s"));
    reopen(bench);
    assert_false(is_there(bench, "s"));
}

static void a_used_one_stays(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 1);
    create(bench, "unused", 1);
    for (int i = 0; i < 10; i++) {
        pass(bench, SESSION_KEEP_MS / 4);
        use(bench, "s", 0);
    }
    assert_true(is_there(bench, "s"));
    assert_false(is_there(bench, "unused"));
}

static void without_events_one_goes_after_its_time(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 1);
    bench->now_ms += SESSION_KEEP_MS - 1;
    while (writer_tick(bench->journal))
        ;
    assert_true(is_there(bench, "s"));
    pass(bench, SESSION_KEEP_MS / 4);
    assert_false(is_there(bench, "s"));
}

static void many_go_in_slices(void **state)
{
    struct bench *bench = *state;
    char name[16];
    unsigned slices = 0;

    for (int i = 0; i < 4000; i++) {
        snprintf(name, sizeof name, "s%d", i);
        create(bench, name, 1);
    }
    settle_chores(bench);
    bench->now_ms += 10 * SESSION_KEEP_MS;
    create(bench, "young", 1);
    commit(bench);
    while (sessions_count(sessions_of(bench)) > 1) {
        commit(bench);
        slices += 1;
    }
    assert_in_range(slices, 2, 100);
    assert_true(is_there(bench, "young"));
    reopen(bench);
    assert_int_equal(sessions_count(sessions_of(bench)), 1);
}

/* ---- the process ends ---------------------------------------------------- */

struct child {
    int pipe;
    uint64_t acked;
};

static void tell_answer(struct publish *publish)
{
    struct child *child = publish->asker;

    if (publish->result == ST_OK &&
        write(child->pipe, &child->acked, sizeof child->acked) !=
            sizeof child->acked)
        _exit(CHILD_FAILED);
    free(child);
    publish_destroy(&publish);
}

_Noreturn static void ack_for_ever(struct bench *bench, int pipe_out,
                                   uint64_t from)
{
    struct journal *journal;
    struct session_view view;
    char why[256];

    if (journal_open(&bench->options, &journal, why, sizeof why) != ST_OK ||
        sessions_create(journal_sessions(journal), text_of("s"), 0,
                        bench->now_ms, &view) != ST_OK)
        _exit(CHILD_FAILED);
    journal_start(journal);
    for (uint64_t id = from + 1;; id++) {
        struct publish *publish = publish_create(0);
        struct child *child = must_malloc(sizeof *child);

        *child = (struct child){pipe_out, id};
        if (sessions_ack(journal_sessions(journal), text_of("s"), id,
                         bench->now_ms, &view) != ST_OK)
            _exit(CHILD_FAILED);
        publish->answer = tell_answer;
        publish->asker = child;
        if (journal_post_before(journal, &publish, 10000) != ST_OK)
            _exit(CHILD_FAILED);
    }
}

/* The newest position that was answered before the child was killed. */
static uint64_t run_child(struct bench *bench, uint64_t from, unsigned answers)
{
    int ends[2], outcome;
    uint64_t id, newest = 0;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        ack_for_ever(bench, ends[1], from);
    }
    close(ends[1]);
    while (answers-- > 0 && read(ends[0], &id, sizeof id) == sizeof id)
        newest = id;
    assert_int_equal(kill(child, SIGKILL), 0);
    while (read(ends[0], &id, sizeof id) == sizeof id)
        newest = id;
    close(ends[0]);
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFSIGNALED(outcome) && WTERMSIG(outcome) == SIGKILL);
    return newest;
}

static void an_answered_ack_outlives_a_kill(void **state)
{
    struct bench *bench = *state;
    uint64_t acked = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t told;

        bench_shut(bench);
        told = run_child(bench, acked, 1 + round * 50);
        bench_open(bench);
        acked = find(bench, "s").acked;
        assert_true(told > 0 && acked >= told);
    }
}

/* ---- many threads -------------------------------------------------------- */

static void use_many(void *arg)
{
    struct bench *bench = arg;
    struct sessions *sessions = sessions_of(bench);

    for (unsigned i = 1; i <= 500; i++) {
        struct session_view view;
        char name[16];

        snprintf(name, sizeof name, "s%u", i % 7);
        if (sessions_create(sessions, text_of(name), 0, bench->now_ms, &view) ==
                ST_OK &&
            sessions_ack(sessions, text_of(name), i, bench->now_ms, &view) ==
                ST_OK)
            sessions_written(sessions, text_of(name), i + 1);
        if (i % 100 == 0) {
            const enum status st = sessions_remove(sessions, text_of("s0"));

            CHECK(st == ST_OK || st == ST_NOT_FOUND);
        }
        journal_commit_sessions(bench->journal);
    }
}

static void many_threads_may_change_them_while_they_are_written(void **state)
{
    struct bench *bench = *state;
    uv_thread_t threads[THREADS];

    journal_start(bench->journal);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(uv_thread_create(&threads[i], use_many, bench), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(uv_thread_join(&threads[i]), 0);
    journal_stop(bench->journal);
    assert_false(sessions_are_behind(sessions_of(bench)));
    reopen(bench);
    assert_int_equal(find(bench, "s1").acked, 498); /* 498 % 7 is 1 */
    assert_int_equal(find(bench, "s1").sent, 499);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, bench_setup_sessions,                \
                                    bench_teardown_sessions)
    const struct CMUnitTest tests[] = {
        TEST(an_unused_one_goes_with_the_events_of_its_time),
        TEST(a_used_one_stays),
        TEST(without_events_one_goes_after_its_time),
        TEST(many_go_in_slices),
        TEST(an_answered_ack_outlives_a_kill),
        TEST(many_threads_may_change_them_while_they_are_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
