/* test_retention.c -- what goes, what stays, and that no chain ever breaks. */
#include "workbench.h"

#include "journal/journal_state.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <stdio.h>
#include <string.h>

struct limits {
    struct bench bench;
    struct journal_keep keep[4]; /* by the first letter: a to d */
    uint64_t random;
};

static struct journal_keep keep_by_letter(void *arg, struct text channel)
{
    const struct limits *limits = arg;

    return limits->keep[(channel.bytes[0] - 'a') & 3];
}

static int setup(void **state)
{
    static struct limits limits;

    limits = (struct limits){.random = 1};
    bench_begin(&limits.bench);
    limits.bench.options.keep = keep_by_letter;
    limits.bench.options.keep_arg = &limits;
    *state = &limits;
    return 0;
}

static int teardown(void **state)
{
    struct limits *limits = *state;

    bench_close(&limits->bench);
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

static void the_newest_are_kept_by_count(void **state)
{
    struct limits *limits = *state;
    struct bench *bench = &limits->bench;
    struct ids read = {0}, expected = {0};
    struct journal_query query = {
        .max_events = 100, .max_bytes = 1 << 20, .max_scanned = 1000};

    limits->keep[0].count = 3;
    bench_open(bench);
    for (int i = 0; i < 10; i++) {
        const uint64_t a = publish_now(bench, "a", "x");
        const uint64_t b = publish_now(bench, "b", "x");

        if (i >= 7)
            ids_add(&expected, a);
        ids_add(&expected, b);
    }
    settle_chores(bench);
    read_all(bench, query, &read);
    assert_int_equal(read.count, expected.count);
    assert_int_equal(channel_of(bench, "a")->count, 3);
    assert_int_equal(channel_of(bench, "a")->first_id, 15);
    assert_int_equal(channel_of(bench, "a")->trimmed_id, 13);
    assert_int_equal(channel_of(bench, "b")->count, 10);
    assert_sound(bench);
    ids_fini(&read);
    ids_fini(&expected);
}

static void what_is_too_old_goes(void **state)
{
    struct limits *limits = *state;
    struct bench *bench = &limits->bench;

    limits->keep[0].age_ms = 60000;
    bench_open(bench);
    publish_now(bench, "a", "old");
    publish_now(bench, "b", "old");
    bench->now_ms += 30000;
    publish_now(bench, "a", "young");
    settle_chores(bench); /* 20 s */
    assert_int_equal(channel_of(bench, "a")->count, 2);
    bench->now_ms += 10000;
    settle_chores(bench);
    assert_int_equal(channel_of(bench, "a")->count, 1);
    assert_int_equal(channel_of(bench, "a")->first_id, 3);
    assert_int_equal(channel_of(bench, "a")->trimmed_id, 1);
    assert_int_equal(channel_of(bench, "b")->count, 1);
    assert_sound(bench);
}

static void nothing_due_means_nothing_done(void **state)
{
    struct limits *limits = *state;
    struct bench *bench = &limits->bench;
    struct journal_figures before, after;

    limits->keep[0].age_ms = 600000;
    limits->keep[0].count = 1000;
    bench->options.keep_bytes = 1 << 20;
    bench_open(bench);
    for (int i = 0; i < 100; i++)
        publish_now(bench, "a", "x");
    settle_chores(bench);
    journal_figures(bench->journal, &before);
    for (int i = 0; i < 1000; i++) {
        bench->now_ms += 100;
        assert_false(writer_tick(bench->journal));
    }
    journal_figures(bench->journal, &after);
    assert_int_equal(before.commits, after.commits);
    assert_true(writer_wait_ms(bench->journal) > 1000);
}

static void an_emptied_channel_keeps_its_last_id(void **state)
{
    struct limits *limits = *state;
    struct bench *bench = &limits->bench;
    uint64_t after;

    limits->keep[0].age_ms = 1000;
    bench_open(bench);
    publish_now(bench, "a", "x");
    publish_now(bench, "a", "x");
    bench->now_ms += 5000;
    settle_chores(bench);
    assert_int_equal(channel_of(bench, "a")->count, 0);
    assert_int_equal(channel_of(bench, "a")->first_id, 0);
    assert_int_equal(channel_of(bench, "a")->last_id, 2);
    bench_shut(bench);
    bench_open(bench); /* the table is empty, the id goes on */
    assert_int_equal(journal_last_id(bench->journal), 2);
    assert_int_equal(journal_find_time(bench->reader, bench->now_ms, &after),
                     ST_OK);
    assert_int_equal(after, 0);
    assert_int_equal(publish_now(bench, "a", "x"), 3);
    assert_int_equal(channel_of(bench, "a")->first_id, 3);
    assert_sound(bench);
}

static void the_journal_stays_below_its_bytes(void **state)
{
    struct limits *limits = *state;
    struct bench *bench = &limits->bench;
    char data[901];
    struct journal_figures figures;

    memset(data, 'x', sizeof data - 1);
    data[sizeof data - 1] = '\0';
    bench->options.keep_bytes = 100000;
    bench_open(bench);
    for (int i = 0; i < 1000; i++)
        publish_now(bench, i % 3 == 0 ? "a" : "b", data);
    settle_chores(bench);
    journal_figures(bench->journal, &figures);
    assert_true(figures.stored_bytes <= 100000);
    assert_true(figures.stored_bytes > 95000);
    assert_true(figures.oldest_id > 800);
    assert_int_equal(figures.trimmed, figures.oldest_id - 1);
    assert_sound(bench);
}

static void a_channel_stays_below_its_bytes(void **state)
{
    struct limits *limits = *state;
    struct bench *bench = &limits->bench;

    limits->keep[0].bytes = 1000;
    bench_open(bench);
    for (int i = 0; i < 100; i++) {
        publish_now(bench, "a", "0123456789");
        publish_now(bench, "b", "0123456789");
    }
    settle_chores(bench);
    assert_true(channel_of(bench, "a")->bytes <= 1000);
    assert_true(channel_of(bench, "a")->count > 15);
    assert_int_equal(channel_of(bench, "b")->count, 100);
    assert_sound(bench);
}

/* ---- at random ------------------------------------------------------------
 */

static uint64_t draw(struct limits *limits, uint64_t below)
{
    limits->random ^= limits->random << 13;
    limits->random ^= limits->random >> 7;
    limits->random ^= limits->random << 17;
    return limits->random % below;
}

static void publish_random(struct limits *limits)
{
    const unsigned count = 1 + (unsigned)draw(limits, 300);
    struct publish *publish = publish_create(count);

    for (unsigned i = 0; i < count; i++) {
        char name[8];

        snprintf(name, sizeof name, "%c%d", 'a' + (int)draw(limits, 4),
                 (int)draw(limits, 5));
        publish->events[i] = event_create(
            text_of(name), text_of("t"),
            (struct text){"0123456789012345678901234567890123456789",
                          (size_t)draw(limits, 40)},
            text_of(""));
    }
    assert_int_equal(run_publish(&limits->bench, publish), ST_OK);
}

static void assert_within_limits(void *arg, struct channel_entry *entry)
{
    struct limits *limits = arg;
    const struct journal_keep keep =
        keep_by_letter(limits, channel_entry_name(entry));

    assert_true(keep.count == 0 || entry->count <= keep.count);
    assert_true(keep.bytes == 0 || entry->bytes <= keep.bytes);
    if (keep.count > 0 && entry->trimmed_id > 0)
        assert_int_equal(entry->count, keep.count);
}

static void no_chain_breaks_whatever_happens(void **state)
{
    struct limits *limits = *state;
    struct bench *bench = &limits->bench;

    limits->keep[0].count = 50;
    limits->keep[1].age_ms = 20000;
    limits->keep[2].bytes = 5000;
    bench->options.commit_events_max = 100;
    bench->options.keep_bytes = 400000;
    bench_open(bench);
    for (int round = 0; round < 400; round++) {
        publish_random(limits);
        bench->now_ms += (int64_t)draw(limits, 500);
        for (uint64_t ticks = draw(limits, 4); ticks > 0; ticks--)
            (void)writer_tick(bench->journal);
        if (round % 40 == 0)
            assert_sound(bench);
        if (round % 100 == 99) {
            bench_shut(bench); /* as after SIGKILL: no stop, no checkpoint */
            bench_open(bench);
            assert_sound(bench);
        }
    }
    settle_chores(bench);
    assert_sound(bench);
    assert_int_equal(bench->journal->ledger.totals.lack_first, 0);
    bench->options.keep_bytes = 0;
    registry_each(journal_registry(bench->journal), assert_within_limits,
                  limits);
}

static void a_sweep_keeps_up_with_the_flood(void **state)
{
    struct limits *limits = *state;
    struct bench *bench = &limits->bench;
    struct journal_figures figures;

    bench->options.keep_bytes = 200000;
    bench_open(bench);
    for (int i = 0; i < 300; i++)
        assert_int_equal(
            run_publish(bench, make_publish("a", "0123456789", 1000)), ST_OK);
    journal_figures(bench->journal, &figures);
    assert_true(figures.stored_bytes < 400000);
    assert_sound(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(the_newest_are_kept_by_count),
        T(what_is_too_old_goes),
        T(nothing_due_means_nothing_done),
        T(an_emptied_channel_keeps_its_last_id),
        T(the_journal_stays_below_its_bytes),
        T(a_channel_stays_below_its_bytes),
        T(no_chain_breaks_whatever_happens),
        T(a_sweep_keeps_up_with_the_flood),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
