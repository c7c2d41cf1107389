/* test_read_only.c -- a second process looks on and changes nothing. */
#include "workbench.h"

#include "journal/journal_state.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state)
{
    static struct bench bench;

    bench_begin(&bench);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    remove_directory(bench->directory);
    return 0;
}

static enum status open_looking(struct bench *bench, struct journal **journal)
{
    struct journal_options options = bench->options;
    char why[256];

    options.is_read_only = true;
    return journal_open(&options, journal, why, sizeof why);
}

static void add_event(void *arg, const struct event_view *event)
{
    ids_add(arg, event->id);
}

/* How many events a reader that looks on sees after `after`. */
static unsigned look(struct journal *journal, uint64_t after,
                     const struct channel_entry *only)
{
    const struct journal_query query = {.after = after,
                                        .only = only,
                                        .max_events = 1000,
                                        .max_bytes = 1 << 20,
                                        .max_scanned = 100000};
    struct journal_reader *reader;
    struct journal_slice slice = {0};
    struct ids ids = {0};
    unsigned count;

    if (journal_reader_open(journal, &reader) != ST_OK ||
        journal_read(reader, &query, add_event, &ids, &slice) != ST_OK)
        return UINT32_MAX;
    count = ids.count;
    ids_fini(&ids);
    journal_reader_close(&reader);
    return count;
}

/* Steps of a child process, since one process must not open a directory twice.
 * Each waits for a byte and answers with one. */
static void await_turn(int pipe_in)
{
    char byte;

    if (read(pipe_in, &byte, 1) != 1)
        _exit(1);
}

static void require(bool claim, int code)
{
    if (!claim)
        _exit(code);
}

_Noreturn static void look_on(struct bench *bench, int pipe_in, int pipe_out)
{
    struct journal *journal;
    struct verify_result result;

    await_turn(pipe_in);
    require(open_looking(bench, &journal) == ST_OK, 2);
    require(journal_last_id(journal) == 3, 3);
    require(look(journal, 0, NULL) == 3, 4);
    require(write(pipe_out, "x", 1) == 1, 5);

    await_turn(pipe_in); /* meanwhile: more events, a new channel */
    require(look(journal, 3, NULL) == 2, 6);
    require(journal_last_id(journal) == 5, 7);
    require(look(journal, 0,
                 registry_find(journal_registry(journal), text_of("new"))) == 1,
            8);
    require(journal_verify(journal, NULL, NULL, &result) == ST_OK, 9);
    require(result.findings == 0 && result.events == 5, 10);
    journal_close(&journal);
    _exit(0);
}

static void a_reader_follows_the_writer_beside_it(void **state)
{
    struct bench *bench = *state;
    int there[2], back[2];
    int outcome;
    char byte;
    pid_t child;

    assert_int_equal(pipe(there), 0);
    assert_int_equal(pipe(back), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        look_on(bench, there[0], back[1]);

    bench_open(bench);
    publish_now(bench, "a", "1");
    publish_now(bench, "b", "2");
    publish_now(bench, "a", "3");
    assert_int_equal(write(there[1], "x", 1), 1);
    assert_int_equal(read(back[0], &byte, 1), 1);
    publish_now(bench, "new", "4");
    publish_now(bench, "a", "5");
    assert_int_equal(write(there[1], "x", 1), 1);
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_true(WIFEXITED(outcome));
    assert_int_equal(WEXITSTATUS(outcome), 0);
    bench_shut(bench);
    for (int i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
}

static bool exists(const struct bench *bench, const char *name)
{
    char path[128];

    snprintf(path, sizeof path, "%s/%s", bench->directory, name);
    return access(path, F_OK) == 0;
}

static void nothing_is_created(void **state)
{
    struct bench *bench = *state;
    struct journal *journal = NULL;

    assert_int_equal(open_looking(bench, &journal), ST_NOT_FOUND);
    assert_null(journal);
    assert_false(exists(bench, "data.mdb"));
    assert_false(exists(bench, "lock.mdb"));
    assert_false(exists(bench, "writer.lock"));
}

static void a_copied_file_alone_can_be_read(void **state)
{
    struct bench *bench = *state;
    struct journal *journal;
    char path[128];

    bench_open(bench);
    publish_now(bench, "a", "1");
    bench_shut(bench);
    snprintf(path, sizeof path, "%s/lock.mdb", bench->directory);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/writer.lock", bench->directory);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(open_looking(bench, &journal), ST_OK);
    assert_int_equal(look(journal, 0, NULL), 1);
    journal_close(&journal);
    assert_false(exists(bench, "lock.mdb"));
    assert_false(exists(bench, "writer.lock"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_reader_follows_the_writer_beside_it),
        T(nothing_is_created),
        T(a_copied_file_alone_can_be_read),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
