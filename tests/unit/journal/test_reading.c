/* test_reading.c -- whatever way is taken, exactly what is wanted is given.
 *
 * A journal with channels of very different density and a naive model of it, a
 * list of who owns which id. Random queries, with every way of reading, are
 * compared with what the model says.
 */
#include "workbench.h"

#include "journal/chain.h"
#include "journal/journal_state.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <stdio.h>
#include <stdlib.h>

#define EVENTS   150000u
#define CHANNELS 6u

static const char *const names[CHANNELS] = {"dense",  "half",  "tenth",
                                            "sparse", "burst", "rare"};

struct model {
    struct bench bench;
    unsigned char owner[EVENTS + 1]; /* by id */
    uint64_t random;
};

static uint64_t draw(struct model *model, uint64_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % below;
}

static unsigned char choose(struct model *model, uint64_t id)
{
    if (id > 90000 && id < 92500)
        return 4; /* a burst of 2,500 and nothing else of it */
    if (draw(model, 30000) == 0)
        return 5;
    if (draw(model, 60) == 0)
        return 3; /* some 2,500 over all */
    if (draw(model, 10) == 0)
        return 2;
    return (unsigned char)draw(model, 2);
}

static void publish_some(struct model *model, uint64_t *id, unsigned count)
{
    struct publish *publish = publish_create(count);

    for (unsigned i = 0; i < count; i++, (*id)++) {
        model->owner[*id] = choose(model, *id);
        publish->events[i] =
            event_create(text_of(names[model->owner[*id]]), text_of(""),
                         text_of("12345678"), text_of(""));
    }
    model->bench.now_ms += 7;
    assert_int_equal(run_publish(&model->bench, publish), ST_OK);
}

static int setup(void **state)
{
    static struct model model;
    uint64_t id = 1;

    model.random = UINT64_C(88172645463325252);
    bench_begin(&model.bench);
    bench_open(&model.bench);
    while (id <= EVENTS) {
        const uint64_t left = EVENTS - id + 1;
        const uint64_t count = 1 + draw(&model, 2000);

        publish_some(&model, &id, (unsigned)(count < left ? count : left));
    }
    *state = &model;
    return 0;
}

static int teardown(void **state)
{
    struct model *model = *state;

    bench_close(&model->bench);
    return 0;
}

static bool wants_mask(void *arg, const struct channel_entry *channel)
{
    const unsigned *mask = arg;

    for (unsigned i = 0; i < CHANNELS; i++)
        if (text_is(channel_entry_name(channel), names[i]))
            return (*mask >> i & 1) != 0;
    return false;
}

static void expect(const struct model *model, unsigned mask, uint64_t after,
                   struct ids *expected)
{
    for (uint64_t id = after + 1; id <= EVENTS; id++)
        if ((mask >> model->owner[id] & 1) != 0)
            ids_add(expected, id);
}

static struct journal_query some_limits(struct model *model)
{
    return (struct journal_query){
        .after = draw(model, EVENTS + 10),
        .max_events = 1 + (unsigned)draw(model, 3000),
        .max_bytes = (size_t)draw(model, 20000),
        .max_scanned = 1 + (unsigned)draw(model, 100000),
    };
}

static void one_channel_is_read_exactly(void **state)
{
    struct model *model = *state;

    for (int round = 0; round < 300; round++) {
        const unsigned channel = (unsigned)draw(model, CHANNELS);
        struct journal_trail trail = {NULL, 0, 0};
        struct journal_query query = some_limits(model);
        struct ids read = {0}, expected = {0};

        if (channel < 3 && query.after < EVENTS - 20000)
            query.after += 100000; /* the dense ones would only take time */
        query.only = channel_of(&model->bench, names[channel]);
        query.trail = draw(model, 4) > 0 ? &trail : NULL;
        if (query.trail == NULL && query.max_events < 100)
            query.max_events = 100;
        expect(model, 1u << channel, query.after, &expected);
        read_all(&model->bench, query, &read);
        ids_assert_equal(&read, &expected);
        journal_trail_fini(&trail);
        ids_fini(&read);
        ids_fini(&expected);
    }
}

static void several_channels_are_read_exactly(void **state)
{
    struct model *model = *state;

    for (int round = 0; round < 100; round++) {
        unsigned mask = (unsigned)draw(model, 1u << CHANNELS);
        struct journal_query query = some_limits(model);
        struct ids read = {0}, expected = {0};

        query.max_scanned += 1000;
        query.after = EVENTS - draw(model, 30000);
        query.wants = wants_mask;
        query.wants_arg = &mask;
        expect(model, mask, query.after, &expected);
        read_all(&model->bench, query, &read);
        ids_assert_equal(&read, &expected);
        ids_fini(&read);
        ids_fini(&expected);
    }
}

static void note_id(void *arg, const struct event_view *event)
{
    ids_add(arg, event->id);
}

/* A reader that is put back reuses its trail, wherever it is put. */
static void a_trail_serves_a_reader_that_jumps(void **state)
{
    struct model *model = *state;
    struct journal_trail trail = {NULL, 0, 0};
    struct journal_query query = {.max_events = 50,
                                  .max_bytes = 1 << 20,
                                  .max_scanned = 100000,
                                  .trail = &trail};

    query.only = channel_of(&model->bench, "sparse");
    for (int round = 0; round < 2000; round++) {
        struct ids read = {0}, expected = {0};
        struct journal_slice slice;

        if (draw(model, 3) == 0)
            query.after = draw(model, EVENTS);
        else if (draw(model, 3) == 0)
            query.after -= draw(model, 1000) % (query.after + 1);
        assert_int_equal(
            journal_read(model->bench.reader, &query, note_id, &read, &slice),
            ST_OK);
        expect(model, 1u << 3, query.after, &expected);
        while (expected.count > 0 &&
               expected.ids[expected.count - 1] > slice.upto)
            expected.count -= 1;
        ids_assert_equal(&read, &expected);
        query.after = slice.upto;
        ids_fini(&read);
        ids_fini(&expected);
    }
    journal_trail_fini(&trail);
}

static void a_sparse_channel_is_walked_a_dense_one_scanned(void **state)
{
    struct model *model = *state;

    assert_true(chain_is_shorter(model->bench.journal,
                                 channel_of(&model->bench, "rare"), EVENTS, 0));
    assert_true(chain_is_shorter(model->bench.journal,
                                 channel_of(&model->bench, "sparse"), EVENTS,
                                 100));
    assert_false(chain_is_shorter(
        model->bench.journal, channel_of(&model->bench, "half"), EVENTS, 100));
    assert_false(chain_is_shorter(model->bench.journal,
                                  channel_of(&model->bench, "sparse"), EVENTS,
                                  EVENTS - 20));
}

/* A start makes ids jump to the present; the estimate must not take the jump
 * for a million records. */
static void a_step_of_ids_is_no_distance(void **state)
{
    struct model *model = *state;
    struct journal *journal = model->bench.journal;
    const uint64_t start_id = journal->start_id;

    journal->resumed_id = EVENTS - 1000;
    journal->start_id = EVENTS + 1000000;
    assert_false(chain_is_shorter(journal, channel_of(&model->bench, "half"),
                                  journal->start_id + 500, EVENTS - 2000));
    assert_true(chain_is_shorter(journal, channel_of(&model->bench, "rare"),
                                 journal->start_id + 500, EVENTS - 2000));
    journal->resumed_id = 0;
    journal->start_id = start_id;
}

static void a_walk_that_is_too_long_says_so(void **state)
{
    struct model *model = *state;
    struct journal_trail trail = {NULL, 0, 0};
    const struct channel_entry *entry = channel_of(&model->bench, "half");

    assert_int_equal(reader_enter(model->bench.reader), ST_OK);
    assert_int_equal(
        chain_walk(model->bench.reader, entry, entry->last_id, 0, &trail),
        ST_TOO_BIG);
    reader_leave(model->bench.reader);
    journal_trail_fini(&trail);
}

static void who_has_seen_everything_costs_no_read(void **state)
{
    struct model *model = *state;
    const struct channel_entry *entry = channel_of(&model->bench, "burst");
    struct journal_query query = {.after = entry->last_id,
                                  .only = entry,
                                  .max_events = 1,
                                  .max_bytes = 1,
                                  .max_scanned = 1};
    struct journal_slice slice;
    struct ids read = {0};

    assert_int_equal(
        journal_read(model->bench.reader, &query, note_id, &read, &slice),
        ST_OK);
    assert_true(slice.is_end);
    assert_int_equal(slice.upto, EVENTS);
    assert_int_equal(read.count, 0);
}

static void a_position_from_the_future_is_the_end(void **state)
{
    struct model *model = *state;
    struct journal_query query = {.after = EVENTS + 100,
                                  .max_events = 1,
                                  .max_bytes = 1,
                                  .max_scanned = 1};
    struct journal_slice slice;

    assert_int_equal(
        journal_read(model->bench.reader, &query, note_id, NULL, &slice),
        ST_OK);
    assert_true(slice.is_end);
    assert_int_equal(slice.upto, EVENTS + 100);
}

/* ---- the newest so many, and by time --------------------------------------
 */

static void the_newest_n_are_found(void **state)
{
    struct model *model = *state;

    for (int round = 0; round < 100; round++) {
        const unsigned mask = 1 + (unsigned)draw(model, (1u << CHANNELS) - 1);
        const unsigned n = 1 + (unsigned)draw(model, 3000);
        struct channel_entry *entries[CHANNELS];
        struct ids all = {0};
        unsigned count = 0;
        uint64_t after, expected;

        for (unsigned i = 0; i < CHANNELS; i++)
            if ((mask >> i & 1) != 0)
                entries[count++] = channel_of(&model->bench, names[i]);
        expect(model, mask, 0, &all);
        expected = all.ids[all.count > n ? all.count - n : 0] - 1;
        assert_int_equal(
            journal_find_last(model->bench.reader, entries, count, n, &after),
            ST_OK);
        assert_int_equal(after, expected);
        ids_fini(&all);
    }
}

static void of_nothing_the_newest_is_the_end(void **state)
{
    struct model *model = *state;
    uint64_t after;

    assert_int_equal(journal_find_last(model->bench.reader, NULL, 0, 5, &after),
                     ST_OK);
    assert_int_equal(after, EVENTS);
}

struct times {
    int64_t ms[EVENTS + 1];
};

static void note_time(void *arg, const struct event_view *event)
{
    ((struct times *)arg)->ms[event->id] = event->time_ms;
}

static void a_time_is_found(void **state)
{
    static struct times times;
    struct model *model = *state;
    struct journal_query query = {
        .max_events = EVENTS, .max_bytes = 1 << 30, .max_scanned = EVENTS};
    struct journal_slice slice;

    assert_int_equal(
        journal_read(model->bench.reader, &query, note_time, &times, &slice),
        ST_OK);
    assert_int_equal(slice.events, EVENTS);
    for (int round = 0; round < 300; round++) {
        const int64_t wall_ms =
            times.ms[1] - 5 +
            (int64_t)draw(model,
                          (uint64_t)(times.ms[EVENTS] - times.ms[1] + 10));
        uint64_t after;

        assert_int_equal(
            journal_find_time(model->bench.reader, wall_ms, &after), ST_OK);
        assert_true(after == 0 || times.ms[after] <= wall_ms);
        assert_true(after == EVENTS || times.ms[after + 1] > wall_ms);
    }
}

/* ---- damage ---------------------------------------------------------------
 */

static void damage_record(struct model *model, uint64_t id)
{
    struct environment *environment = &model->bench.journal->environment;
    MDB_val key = {sizeof id, &id};
    MDB_val value, copy;
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(environment->env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_get(txn, environment->events, &key, &value), 0);
    copy = (MDB_val){value.mv_size, malloc(value.mv_size)};
    memcpy(copy.mv_data, value.mv_data, value.mv_size);
    ((char *)copy.mv_data)[copy.mv_size - 1] ^= 1;
    assert_int_equal(mdb_put(txn, environment->events, &key, &copy, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    free(copy.mv_data);
}

static void say(void *arg, const char *finding)
{
    (void)arg;
    assert_string_equal(finding, "event 91000 is damaged");
}

static void damage_ends_the_slice_before_it(void **state)
{
    struct model *model = *state;
    struct journal_query query = {
        .after = 90500, .max_events = 5000, .max_bytes = 1 << 20};
    struct journal_slice slice = {.is_end = true};
    struct verify_result result;
    struct ids read = {0};

    query.max_scanned = 10000;
    damage_record(model, 91000);
    assert_int_equal(
        journal_read(model->bench.reader, &query, note_id, &read, &slice),
        ST_CORRUPT);
    assert_int_equal(read.count, 499);
    assert_int_equal(slice.upto, 90999);
    assert_false(slice.is_end);
    assert_int_equal(journal_verify(model->bench.journal, say, NULL, &result),
                     ST_OK);
    assert_int_equal(result.findings, 1);
    damage_record(model, 91000); /* the bit back */
    ids_fini(&read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_channel_is_read_exactly),
        cmocka_unit_test(several_channels_are_read_exactly),
        cmocka_unit_test(a_trail_serves_a_reader_that_jumps),
        cmocka_unit_test(a_sparse_channel_is_walked_a_dense_one_scanned),
        cmocka_unit_test(a_step_of_ids_is_no_distance),
        cmocka_unit_test(a_walk_that_is_too_long_says_so),
        cmocka_unit_test(who_has_seen_everything_costs_no_read),
        cmocka_unit_test(a_position_from_the_future_is_the_end),
        cmocka_unit_test(the_newest_n_are_found),
        cmocka_unit_test(of_nothing_the_newest_is_the_end),
        cmocka_unit_test(a_time_is_found),
        cmocka_unit_test(damage_ends_the_slice_before_it),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
