/* test_source.c -- a journal that follows a stream: ids are given, and how far it
 * was read is stored with the events or not at all. */
#include "workbench.h"

#include <stdlib.h>

#define BASE UINT64_C(1000000)

static struct publish *make_step(uint64_t after, uint64_t upto, unsigned count,
                                 const char *key)
{
    struct publish *publish = publish_create(count);
    const unsigned char row[] = {1, 2, (unsigned char)upto};

    for (unsigned i = 0; i < count; i++) {
        struct event *event = event_create(text_of("news"), text_of(""),
                                           text_of("x"), text_of(key));

        event->given_id = BASE + upto - count + 1 + i;
        event->time_ms = (int64_t)(1000 * upto);
        publish->events[i] = event;
    }
    publish->step = source_step_create(row, sizeof row);
    publish->step->after = after;
    publish->step->upto = upto;
    publish->step->first_id = BASE + 1;
    return publish;
}

static void begin(struct bench *bench)
{
    bench_begin(bench);
    bench->options.follows = "EVENTS";
    bench_open(bench);
}

static void ids_and_position_come_from_the_stream(void **state)
{
    struct source_stored stored;
    struct bench bench;

    (void)state;
    begin(&bench);
    assert_false(source_stored(bench.journal, &stored));
    assert_int_equal(run_publish(&bench, make_step(0, 3, 2, "")), ST_OK);
    assert_int_equal(journal_last_id(bench.journal), BASE + 3);
    assert_int_equal(journal_first_id(bench.journal), BASE + 1);
    assert_int_equal(run_publish(&bench, make_step(3, 9, 0, "")), ST_OK);
    bench_shut(&bench);
    bench_open(&bench);
    assert_true(source_stored(bench.journal, &stored));
    assert_int_equal(stored.upto, 9);
    assert_int_equal(stored.row_bytes, 3);
    assert_int_equal(stored.row[2], 9);
    assert_int_equal(journal_last_id(bench.journal), BASE + 3);
    assert_int_equal(sound_events(&bench), 2);
    bench_close(&bench);
}

static void a_step_that_does_not_join_is_refused(void **state)
{
    struct bench bench;

    (void)state;
    begin(&bench);
    assert_int_equal(run_publish(&bench, make_step(0, 3, 1, "")), ST_OK);
    assert_int_equal(run_publish(&bench, make_step(4, 5, 1, "")), ST_BUSY);
    assert_int_equal(run_publish(&bench, make_step(0, 3, 1, "")), ST_BUSY);
    assert_int_equal(run_publish(&bench, make_publish("news", "x", 1)),
                     ST_RESERVED);
    assert_int_equal(run_publish(&bench, make_step(3, 5, 1, "")), ST_OK);
    assert_int_equal(journal_last_id(bench.journal), BASE + 5);
    bench_close(&bench);
}

static void a_key_grows_old_by_the_streams_time(void **state)
{
    struct bench bench;

    (void)state;
    bench_begin(&bench);
    bench.options.follows = "EVENTS";
    bench.options.dedup_window_ms = 10000;
    bench_open(&bench);
    assert_int_equal(run_publish(&bench, make_step(0, 1, 1, "k")), ST_OK);
    bench.now_ms += 1000000; /* the wall's clock says nothing */
    assert_int_equal(run_publish(&bench, make_step(1, 5, 1, "k")), ST_OK);
    assert_int_equal(sound_events(&bench), 1);
    assert_int_equal(run_publish(&bench, make_step(5, 12, 1, "k")), ST_OK);
    assert_int_equal(sound_events(&bench), 2);
    assert_int_equal(journal_last_id(bench.journal), BASE + 12);
    bench_close(&bench);
}

static void what_is_missing_is_told_and_kept(void **state)
{
    struct publish *publish = make_step(0, 9, 1, "");
    struct bench bench;
    uint64_t after, upto;

    (void)state;
    begin(&bench);
    publish->step->missing_id = BASE + 8;
    publish->step->rewound_after = BASE + 2;
    publish->step->rewound_upto = BASE + 7;
    assert_int_equal(run_publish(&bench, publish), ST_OK);
    bench_shut(&bench);
    bench_open(&bench);
    assert_int_equal(journal_missing_id(bench.journal), BASE + 8);
    journal_rewound(bench.journal, &after, &upto);
    assert_int_equal(after, BASE + 2);
    assert_int_equal(upto, BASE + 7);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_and_position_come_from_the_stream),
        cmocka_unit_test(a_step_that_does_not_join_is_refused),
        cmocka_unit_test(a_key_grows_old_by_the_streams_time),
        cmocka_unit_test(what_is_missing_is_told_and_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
