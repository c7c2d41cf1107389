/* test_journal.c -- publish, commit, answer, read: one thread and two. */
#include "workbench.h"

#include "journal/journal_state.h"
#include "journal/writer.h"

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

static void what_was_published_is_read(void **state)
{
    struct bench *bench = *state;
    struct journal_query query = everything();
    struct ids read = {0}, expected = {0};

    for (int i = 0; i < 25; i++)
        ids_add(&expected, publish_now(bench, i % 2 ? "a" : "b", "x"));
    read_all(bench, query, &read);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(ids_rise_by_one_from_the_first),
        T(what_was_published_is_read),
        T(a_reopened_journal_goes_on),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
