/* test_full.c -- no room: refused, read on, and back by itself.
 *
 * The map's end is easy to have. A disk that is full is made as a small file
 * system in memory, mounted in a name space that a child process has for
 * itself; where the system does not allow that, the test is skipped.
 */
#define _GNU_SOURCE /* unshare */
#include "workbench.h"

#include "journal/journal_state.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SKIPS 77

static struct journal_keep keep_short(void *arg, struct text channel)
{
    (void)channel;
    return (struct journal_keep){.age_ms = *(int64_t *)arg};
}

static int64_t keep_age_ms;

static int setup(void **state)
{
    static struct bench bench;

    keep_age_ms = 0;
    bench_begin(&bench);
    bench.options.map_bytes = 1 << 20;
    bench.options.keep = keep_short;
    bench.options.keep_arg = &keep_age_ms;
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    return 0;
}

static const char *thousand(void)
{
    static char data[1001];

    memset(data, 'x', sizeof data - 1);
    return data;
}

/* How many were accepted until one was refused. */
static unsigned fill(struct bench *bench, unsigned at_once)
{
    for (unsigned accepted = 0; accepted < 10000; accepted += at_once) {
        const enum status st =
            run_publish(bench, make_publish("a", thousand(), at_once));

        if (st == ST_NO_SPACE)
            return accepted;
        assert_int_equal(st, ST_OK);
    }
    fail_msg("never full");
    return 0;
}

static bool can_commit(struct bench *bench)
{
    struct journal_figures figures;

    journal_figures(bench->journal, &figures);
    return figures.can_commit;
}

static void print_finding(void *arg, const char *sentence)
{
    (void)arg;
    print_error("%s\n", sentence);
}

static void assert_sound(struct bench *bench, uint64_t events)
{
    struct verify_result result;

    assert_int_equal(
        journal_verify(bench->journal, print_finding, NULL, &result), ST_OK);
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.events, events);
}

static void who_finds_no_room_is_told(void **state)
{
    struct bench *bench = *state;
    struct ids read = {0};
    const struct journal_query query = {
        .max_events = 1000, .max_bytes = 1 << 20, .max_scanned = 1000};
    unsigned accepted;

    bench_open(bench);
    accepted = fill(bench, 1);
    assert_true(accepted > 500);
    assert_false(can_commit(bench));
    assert_int_equal(journal_last_id(bench->journal), accepted);
    read_all(bench, query, &read); /* readers go on */
    assert_int_equal(read.count, accepted);
    assert_sound(bench, accepted);
    ids_fini(&read);
}

static void a_publish_without_room_leaves_nothing(void **state)
{
    struct bench *bench = *state;
    unsigned accepted;

    bench_open(bench);
    accepted = fill(bench, 300);
    assert_int_equal(journal_last_id(bench->journal), accepted);
    assert_int_equal(channel_of(bench, "a")->count, accepted);
    assert_sound(bench, accepted);
    /* A smaller one may still fit, under the id that the other did not get. */
    assert_int_equal(publish_now(bench, "b", "x"), accepted + 1);
    assert_true(can_commit(bench));
}

static void readiness_returns_when_retention_makes_room(void **state)
{
    struct bench *bench = *state;
    uint64_t last;

    keep_age_ms = 60000;
    bench_open(bench);
    (void)fill(bench, 1);
    last = journal_last_id(bench->journal);
    while (writer_tick(bench->journal))
        ;
    assert_false(can_commit(bench)); /* nothing is old enough */
    bench->now_ms += 61000;
    settle_chores(bench);
    assert_true(can_commit(bench)); /* although nobody published */
    assert_sound(bench, 0);
    assert_int_equal(publish_now(bench, "a", thousand()), last + 1);
}

/* The checkpoint began in the transaction that found no room, which would have
 * given an id; the next event gets this id and must still be counted. */
static void a_checkpoint_is_no_further_than_the_events(void **state)
{
    struct bench *bench = *state;

    keep_age_ms = 60000;
    bench_open(bench);
    (void)fill(bench, 1);
    bench->now_ms += 6000;
    assert_int_equal(run_publish(bench, make_publish("a", thousand(), 1)),
                     ST_NO_SPACE);
    bench->now_ms += 61000;
    while (!can_commit(bench)) {
        (void)writer_tick(bench->journal);
        bench->now_ms += 100;
    }
    while (writer_tick(bench->journal))
        ;
    (void)publish_now(bench, "a", thousand());
    assert_sound(bench, channel_of(bench, "a")->count);
}

static void readiness_returns_when_the_map_grows(void **state)
{
    struct bench *bench = *state;
    unsigned accepted;

    bench_open(bench);
    accepted = fill(bench, 1);
    bench_shut(bench);
    bench->options.map_bytes = 4 << 20;
    bench_open(bench);
    assert_int_equal(publish_now(bench, "a", thousand()), accepted + 1);
    assert_sound(bench, accepted + 1);
}

static void the_flood_goes_on_within_a_small_map(void **state)
{
    struct bench *bench = *state;
    unsigned refused = 0;

    bench->options.keep_bytes = 400000;
    bench_open(bench);
    for (int i = 0; i < 1000; i++)
        refused +=
            run_publish(bench, make_publish("a", thousand(), 5)) != ST_OK;
    assert_int_equal(refused, 0);
}

/* ---- a full disk -----------------------------------------------------------
 */

static void require(bool claim, int code)
{
    if (!claim)
        _exit(code);
}

/* Publishes one by one until the disk is full; how many were accepted. */
static unsigned fill_disk(struct bench *bench)
{
    unsigned accepted = 0;
    enum status st = ST_OK;

    while (st == ST_OK && accepted < 100000) {
        st = run_publish(bench, make_publish("a", thousand(), 1));
        accepted += st == ST_OK;
    }
    require(st == ST_NO_SPACE, 10);
    return accepted;
}

static void tick_for(struct bench *bench, int64_t ms)
{
    for (int64_t until_ms = bench->now_ms + ms; bench->now_ms < until_ms;
         bench->now_ms += 100)
        (void)writer_tick(bench->journal);
}

static bool put(const char *path, const char *text)
{
    const int file = open(path, O_WRONLY);
    const ssize_t length = (ssize_t)strlen(text);

    return file >= 0 && write(file, text, strlen(text)) == length &&
           close(file) == 0;
}

/* In a name space of our own, where we are root whoever we are. */
static bool mount_small_disk(const char *directory)
{
    char users[32], groups[32];

    snprintf(users, sizeof users, "0 %u 1", (unsigned)getuid());
    snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getgid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           put("/proc/self/setgroups", "deny") &&
           put("/proc/self/uid_map", users) &&
           put("/proc/self/gid_map", groups) &&
           mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", directory, "tmpfs", 0, "size=4m") == 0;
}

_Noreturn static void fill_small_disk(struct bench *bench)
{
    struct verify_result result;

    if (!mount_small_disk(bench->directory))
        _exit(CHILD_SKIPS);
    keep_age_ms = 60000;
    bench->options.map_bytes = (size_t)1 << 30;
    bench_open(bench);
    for (int round = 0; round < 4; round++) {
        require(fill_disk(bench) > 500, 11);
        tick_for(bench, 3000);
        require(!can_commit(bench), 12); /* nothing is old enough */
        tick_for(bench, 80000);
        require(can_commit(bench), 13);
        require(channel_of(bench, "a")->count == 0, 14);
        require(journal_verify(bench->journal, NULL, NULL, &result) == ST_OK,
                15);
        require(result.findings == 0, 16);
    }
    bench_shut(bench);
    _exit(0);
}

static void a_full_disk_is_survived(void **state)
{
    struct bench *bench = *state;
    const pid_t child = fork();
    int outcome;

    assert_true(child >= 0);
    if (child == 0)
        fill_small_disk(bench);
    assert_int_equal(waitpid(child, &outcome, 0), child);
    bench_open(bench); /* for the teardown */
    assert_true(WIFEXITED(outcome));
    if (WEXITSTATUS(outcome) == CHILD_SKIPS)
        skip();
    assert_int_equal(WEXITSTATUS(outcome), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(who_finds_no_room_is_told),
        T(a_publish_without_room_leaves_nothing),
        T(readiness_returns_when_retention_makes_room),
        T(a_checkpoint_is_no_further_than_the_events),
        T(readiness_returns_when_the_map_grows),
        T(the_flood_goes_on_within_a_small_map),
        T(a_full_disk_is_survived),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
