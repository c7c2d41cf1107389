/* test_amend.c -- what was sent by mistake is put right in history, and
 * everybody is told; both or neither. */
#include "workbench.h"

#include "journal/journal_state.h"
#include "journal/record.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <tidings/buffer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state)
{
    static struct bench bench;

    bench_begin(&bench);
    *state = &bench;
    return 0;
}

static int teardown(void **state)
{
    bench_close(*state);
    return 0;
}

static struct outcome correct(struct bench *bench, uint64_t id,
                              const char *data)
{
    return amend_now(bench, AMENDMENT_CORRECTION, "a", id, NULL, data);
}

static struct outcome withdraw(struct bench *bench, uint64_t id)
{
    return amend_now(bench, AMENDMENT_WITHDRAWAL, "a", id, NULL, "");
}

/* ---- reading it back ----------------------------------------------------- */

static void append_event(void *arg, const struct event_view *event)
{
    struct buffer *text = arg;

    buffer_printf(text, "%llu ", (unsigned long long)event->id);
    buffer_append_text(text, event->type);
    buffer_append_char(text, ' ');
    buffer_append_text(text, event->data);
    buffer_append_char(text, '\n');
}

/* Everything after a position, one event per line, must be this. */
static void assert_read(struct bench *bench, uint64_t after,
                        const struct channel_entry *only, const char *expected)
{
    const struct journal_query query = {.after = after,
                                        .only = only,
                                        .max_events = 100,
                                        .max_bytes = 1 << 20,
                                        .max_scanned = 1000};
    struct journal_slice slice;
    struct buffer text;

    buffer_init(&text);
    assert_int_equal(
        journal_read(bench->reader, &query, append_event, &text, &slice),
        ST_OK);
    assert_true(slice.is_end);
    buffer_append_char(&text, '\0');
    assert_string_equal(text.bytes, expected);
    buffer_fini(&text);
}

/* ---- corrections --------------------------------------------------------- */

static void a_correction_stands_under_the_old_id(void **state)
{
    struct bench *bench = *state;
    struct outcome outcome;

    bench_open(bench);
    publish_now(bench, "a", "one");
    publish_now(bench, "a", "wrong");
    publish_now(bench, "b", "other");
    outcome = correct(bench, 2, "right");
    assert_int_equal(outcome.result, ST_OK);
    assert_int_equal(outcome.id, 4);
    assert_false(outcome.is_duplicate);
    assert_read(bench, 0, NULL,
                "1 t one\n2 t right\n3 t other\n4 tidings.correction "
                "{\"corrects\":2,\"type\":\"t\",\"data\":\"right\"}\n");
    assert_read(bench, 1, channel_of(bench, "a"),
                "2 t right\n4 tidings.correction "
                "{\"corrects\":2,\"type\":\"t\",\"data\":\"right\"}\n");
    assert_read(bench, 2, channel_of(bench, "a"),
                "4 tidings.correction "
                "{\"corrects\":2,\"type\":\"t\",\"data\":\"right\"}\n");
    assert_int_equal(sound_events(bench), 4);
}

static void a_correction_may_change_the_type_too(void **state)
{
    struct bench *bench = *state;

    bench_open(bench);
    publish_now(bench, "a", "x");
    assert_int_equal(
        amend_now(bench, AMENDMENT_CORRECTION, "a", 1, "u", "x").id, 2);
    assert_int_equal(
        amend_now(bench, AMENDMENT_CORRECTION, "a", 1, "", "{\"n\": 5}").id, 3);
    assert_read(bench, 0, NULL,
                "1  {\"n\": 5}\n"
                "2 tidings.correction "
                "{\"corrects\":1,\"type\":\"u\",\"data\":\"x\"}\n"
                "3 tidings.correction "
                "{\"corrects\":1,\"type\":\"\",\"data\":{\"n\": 5}}\n");
    sound_events(bench);
}

static void data_nested_too_deep_for_an_object_is_a_string_in_it(void **state)
{
    struct bench *bench = *state;
    char deep[2 * 64 + 1] = "";
    char expected[500];

    bench_open(bench);
    memset(deep, '[', 64);
    memset(deep + 64, ']', 64);
    publish_now(bench, "a", "x");
    assert_int_equal(correct(bench, 1, deep).result, ST_OK);
    snprintf(expected, sizeof expected,
             "2 tidings.correction "
             "{\"corrects\":1,\"type\":\"t\",\"data\":\"%s\"}\n",
             deep);
    assert_read(bench, 1, NULL, expected);
}

static void what_is_in_force_is_not_told_again(void **state)
{
    struct bench *bench = *state;
    struct outcome outcome;

    bench_open(bench);
    publish_now(bench, "a", "x");
    outcome = correct(bench, 1, "x"); /* as it was published */
    assert_int_equal(outcome.result, ST_OK);
    assert_true(outcome.is_duplicate);
    assert_int_equal(outcome.id, 1);
    assert_int_equal(correct(bench, 1, "y").id, 2);
    outcome = correct(bench, 1, "y");
    assert_true(outcome.is_duplicate);
    assert_int_equal(outcome.id, 2);
    assert_int_equal(correct(bench, 1, "x").id, 3); /* back again */
    assert_int_equal(withdraw(bench, 1).id, 4);
    outcome = withdraw(bench, 1);
    assert_true(outcome.is_duplicate);
    assert_int_equal(outcome.id, 4);
    assert_int_equal(sound_events(bench), 4);
}

static void a_key_makes_a_late_retry_exact(void **state)
{
    struct bench *bench = *state;
    struct outcome outcome;
    uint64_t id;

    bench_open(bench);
    assert_int_equal(publish_keyed(bench, "a", "x", "k", &id), ST_OK);
    outcome = run_amendment(
        bench, make_amendment(AMENDMENT_CORRECTION, "a", 1, NULL, "y", "k"));
    assert_false(outcome.is_duplicate); /* the key of a publish is another */
    assert_int_equal(correct(bench, 1, "z").id, 3);
    outcome = run_amendment(
        bench, make_amendment(AMENDMENT_CORRECTION, "a", 1, NULL, "y", "k"));
    assert_true(outcome.is_duplicate);
    assert_int_equal(outcome.id, 2);
    assert_int_equal(sound_events(bench), 3);
}

/* Nothing is to be done, but a retry must not find something to do later. */
static void a_key_of_what_was_in_force_is_remembered_too(void **state)
{
    struct bench *bench = *state;
    struct outcome outcome;

    bench_open(bench);
    publish_now(bench, "a", "x");
    outcome = run_amendment(
        bench, make_amendment(AMENDMENT_CORRECTION, "a", 1, NULL, "x", "k"));
    assert_true(outcome.is_duplicate);
    assert_int_equal(outcome.id, 1);
    assert_int_equal(correct(bench, 1, "y").id, 2);
    bench_shut(bench);
    bench_open(bench);
    outcome = run_amendment(
        bench, make_amendment(AMENDMENT_CORRECTION, "a", 1, NULL, "x", "k"));
    assert_int_equal(outcome.result, ST_OK);
    assert_true(outcome.is_duplicate);
    assert_int_equal(outcome.id, 1);
    assert_int_equal(sound_events(bench), 2);

    bench->now_ms += bench->options.dedup_window_ms;
    outcome = run_amendment(
        bench, make_amendment(AMENDMENT_CORRECTION, "a", 1, NULL, "x", "k"));
    assert_int_equal(outcome.id, 3); /* forgotten: it applies */
}

/* ---- withdrawals --------------------------------------------------------- */

static void a_withdrawn_event_is_given_to_nobody(void **state)
{
    struct bench *bench = *state;

    bench_open(bench);
    publish_now(bench, "a", "one");
    publish_now(bench, "a", "secret");
    publish_now(bench, "a", "three");
    assert_int_equal(withdraw(bench, 2).id, 4);
    assert_read(bench, 0, NULL,
                "1 t one\n3 t three\n"
                "4 tidings.withdrawal {\"withdraws\":2}\n");
    assert_read(bench, 0, channel_of(bench, "a"),
                "1 t one\n3 t three\n"
                "4 tidings.withdrawal {\"withdraws\":2}\n");
    assert_int_equal(channel_of(bench, "a")->count, 4);
    assert_int_equal(sound_events(bench), 4);
}

static void the_newest_so_many_are_counted_without_it(void **state)
{
    struct bench *bench = *state;
    struct channel_entry *entry;
    uint64_t after;

    bench_open(bench);
    for (int i = 0; i < 6; i++)
        publish_now(bench, "a", "x");
    entry = channel_of(bench, "a");
    for (uint64_t id = 3; id <= 6; id++)
        assert_int_equal(withdraw(bench, id).result, ST_OK); /* 7 to 10 */
    assert_int_equal(journal_find_last(bench->reader, &entry, 1, 5, &after),
                     ST_OK);
    assert_int_equal(after, 1); /* 2, and 7 to 10 */
}

static void a_channel_of_withdrawn_events_is_read_to_its_end(void **state)
{
    struct bench *bench = *state;
    struct ids read = {0}, none = {0};
    struct journal_query query = {
        .max_events = 3, .max_bytes = 1 << 20, .max_scanned = 7};

    bench_open(bench);
    for (uint64_t id = 1; id <= 40; id++)
        publish_now(bench, id % 4 == 0 ? "a" : "b", "x");
    for (uint64_t id = 4; id <= 40; id += 4)
        assert_int_equal(withdraw(bench, id).result, ST_OK);
    query.after = 3;
    query.only = channel_of(bench, "a");
    read_all(bench, query, &read);
    for (uint64_t id = 41; id <= 50; id++)
        ids_add(&none, id);
    ids_assert_equal(&read, &none);
    ids_fini(&read);
    ids_fini(&none);
}

static void a_time_is_found_around_withdrawn_events(void **state)
{
    struct bench *bench = *state;
    const int64_t began_ms = bench->now_ms;
    uint64_t after;

    bench_open(bench);
    for (int i = 0; i < 5; i++) {
        publish_now(bench, "a", "x");
        bench->now_ms += 100;
    }
    assert_int_equal(withdraw(bench, 3).result, ST_OK);
    assert_int_equal(journal_find_time(bench->reader, began_ms + 200, &after),
                     ST_OK);
    assert_int_equal(after, 3);
    assert_int_equal(journal_find_time(bench->reader, began_ms + 150, &after),
                     ST_OK);
    assert_int_equal(after, 2);
}

/* ---- refusals ------------------------------------------------------------ */

static void what_cannot_be_amended_is_refused(void **state)
{
    struct bench *bench = *state;
    uint64_t last_id;

    bench_open(bench);
    publish_now(bench, "a", "x");
    publish_now(bench, "b", "x");
    assert_int_equal(correct(bench, 1, "y").id, 3);
    last_id = journal_last_id(bench->journal);

    assert_int_equal(correct(bench, 2, "y").result, ST_NOT_FOUND);
    assert_int_equal(correct(bench, 9, "y").result, ST_NOT_FOUND);
    assert_int_equal(withdraw(bench, 9).result, ST_NOT_FOUND);
    assert_int_equal(correct(bench, 3, "y").result, ST_RESERVED);
    assert_int_equal(withdraw(bench, 3).result, ST_RESERVED);
    assert_int_equal(
        amend_now(bench, AMENDMENT_CORRECTION, "new", 1, NULL, "y").result,
        ST_NOT_FOUND);
    assert_null(
        registry_find(journal_registry(bench->journal), text_of("new")));
    assert_int_equal(journal_last_id(bench->journal), last_id);

    assert_int_equal(withdraw(bench, 1).result, ST_OK);
    assert_int_equal(correct(bench, 1, "z").result, ST_WITHDRAWN);
    assert_int_equal(sound_events(bench), 4);
}

static void what_was_trimmed_is_not_found(void **state)
{
    struct bench *bench = *state;

    bench->options.keep_bytes = 20000;
    bench_open(bench);
    for (int i = 0; i < 500; i++)
        publish_now(bench, "a", "some data that takes room");
    settle_chores(bench);
    assert_int_equal(correct(bench, 1, "y").result, ST_NOT_FOUND);
    assert_int_equal(correct(bench, 500, "y").result, ST_OK);
    sound_events(bench);
}

static const char *letters(size_t count)
{
    static char text[20001];

    memset(text, 'x', count);
    text[count] = '\0';
    return text;
}

static void without_room_everything_stays_as_it_was(void **state)
{
    struct bench *bench = *state;
    uint64_t count = 0;

    bench->options.map_bytes = 1 << 20;
    bench_open(bench);
    publish_now(bench, "a", "as it was");
    while (run_publish(bench, make_publish("b", letters(1000), 1)) == ST_OK)
        count += 1;
    assert_int_equal(correct(bench, 1, letters(20000)).result, ST_NO_SPACE);
    assert_read(bench, 0, channel_of(bench, "a"), "1 t as it was\n");
    assert_int_equal(sound_events(bench), count + 1);
}

/* ---- figures and crashes ------------------------------------------------- */

/* Rows are at rest, then nothing but the commit is written: as if the process
 * had been killed. */
static void figures_are_true_after_a_crash(void **state)
{
    struct bench *bench = *state;
    uint64_t bytes;

    bench_open(bench);
    for (int i = 0; i < 10; i++)
        publish_now(bench, "a", "x");
    settle_chores(bench);
    assert_int_equal(correct(bench, 3, letters(5000)).result, ST_OK);
    assert_int_equal(withdraw(bench, 4).result, ST_OK);
    bytes = channel_of(bench, "a")->bytes;
    bench_shut(bench);
    bench_open(bench);
    assert_int_equal(sound_events(bench), 12);
    assert_int_equal(channel_of(bench, "a")->bytes, bytes);
    assert_true(correct(bench, 3, letters(5000)).is_duplicate);
    assert_int_equal(correct(bench, 4, "x").result, ST_WITHDRAWN);
}

static void what_comes_in_one_commit_is_in_order(void **state)
{
    struct bench *bench = *state;
    struct publish *publishes[] = {
        make_publish("a", "x", 1),
        make_amendment(AMENDMENT_CORRECTION, "a", 1, NULL, "y", ""),
        make_amendment(AMENDMENT_CORRECTION, "a", 9, NULL, "y", ""),
        make_publish("a", "z", 1),
        make_amendment(AMENDMENT_WITHDRAWAL, "a", 1, NULL, "", "")};

    bench_open(bench);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(journal_post(bench->journal, &publishes[i]), ST_OK);
    writer_handle(bench->journal, mailbox_take(&bench->journal->mailbox));
    assert_read(bench, 0, NULL,
                "2 tidings.correction "
                "{\"corrects\":1,\"type\":\"t\",\"data\":\"y\"}\n"
                "3 t z\n4 tidings.withdrawal {\"withdraws\":1}\n");
    assert_int_equal(sound_events(bench), 4);
}

/* Records grow and shrink between others, in shared commits, with retention. */
static void post_at_random(struct bench *bench)
{
    const uint64_t last_id = journal_last_id(bench->journal) + 5;

    for (int i = 1 + rand() % 8; i > 0; i--) {
        static const unsigned sizes[] = {0, 10, 300, 1999, 2100, 9000};
        const char *data = letters(sizes[rand() % 6] + (unsigned)rand() % 5);
        const char *channel = rand() % 2 == 0 ? "a" : "b";
        const uint64_t id = 1 + (uint64_t)rand() % last_id;
        struct publish *publish;

        if (rand() % 2 == 0)
            publish = make_publish(channel, data, 1 + (unsigned)rand() % 5);
        else
            publish = make_amendment(rand() % 8 == 0 ? AMENDMENT_WITHDRAWAL
                                                     : AMENDMENT_CORRECTION,
                                     channel, id, NULL, data, "");
        assert_int_equal(journal_post(bench->journal, &publish), ST_OK);
    }
    writer_handle(bench->journal, mailbox_take(&bench->journal->mailbox));
}

static void whatever_is_amended_the_journal_stays_sound(void **state)
{
    struct bench *bench = *state;

    srand(7);
    bench->options.keep_bytes = 400000;
    bench_open(bench);
    for (int round = 0; round < 600; round++) {
        post_at_random(bench);
        bench->now_ms += rand() % 200;
        if (rand() % 8 == 0)
            while (writer_tick(bench->journal))
                ;
        if (round % 50 == 49) {
            sound_events(bench);
            bench_shut(bench);
            bench_open(bench);
        }
    }
    settle_chores(bench);
    sound_events(bench);
}

/* ---- the stored form ----------------------------------------------------- */

static uint64_t version_of(struct bench *bench)
{
    const struct environment *environment = &bench->journal->environment;
    uint64_t version = 0;
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(environment->env, NULL, MDB_RDONLY, &txn),
                     0);
    assert_int_equal(environment_number(environment, txn, "version", &version),
                     ST_OK);
    mdb_txn_abort(txn);
    return version;
}

static void older_programs_are_told_by_the_version(void **state)
{
    struct bench *bench = *state;

    bench_open(bench);
    publish_now(bench, "a", "x");
    assert_true(correct(bench, 1, "x").is_duplicate);
    assert_int_equal(correct(bench, 9, "x").result, ST_NOT_FOUND);
    assert_int_equal(version_of(bench), JOURNAL_VERSION);
    assert_int_equal(correct(bench, 1, "y").result, ST_OK);
    assert_int_equal(version_of(bench), JOURNAL_VERSION_AMENDED);
    bench_shut(bench);
    bench_open(bench);
    assert_int_equal(sound_events(bench), 2);
}

/* Puts a record in the place of another, behind the journal's back. */
static void store(struct bench *bench, uint64_t id, const struct record *record)
{
    const struct environment *environment = &bench->journal->environment;
    MDB_val key = {sizeof id, &id};
    MDB_val value = {record_bytes(record), NULL};
    MDB_txn *txn;

    assert_int_equal(mdb_txn_begin(environment->env, NULL, 0, &txn), 0);
    assert_int_equal(
        mdb_put(txn, environment->events, &key, &value, MDB_RESERVE), 0);
    record_encode(value.mv_data, id, record);
    assert_int_equal(mdb_txn_commit(txn), 0);
}

static void append_finding(void *arg, const char *finding)
{
    buffer_append_string(arg, finding);
    buffer_append_char(arg, '\n');
}

static void assert_found(struct bench *bench, const char *expected)
{
    struct verify_result result;
    struct buffer text;

    buffer_init(&text);
    assert_int_equal(
        journal_verify(bench->journal, append_finding, &text, &result), ST_OK);
    buffer_append_char(&text, '\0');
    assert_string_equal(text.bytes, expected);
    buffer_fini(&text);
}

static void half_an_amendment_is_found(void **state)
{
    struct bench *bench = *state;
    struct record record = {.type = {"t", 1}, .data = {"x", 1}};

    bench_open(bench);
    publish_now(bench, "a", "x");
    publish_now(bench, "a", "x");
    assert_int_equal(correct(bench, 1, "y").id, 3);
    record.channel = channel_of(bench, "a")->number;
    record.time_ms = bench->now_ms;

    record.data = text_of("x23456789"); /* of the size that the row counts */
    store(bench, 1, &record);
    assert_found(bench, "event 3 says that it amends 1, which is as it was\n");

    record.fate = RECORD_CORRECTED;
    record.data = text_of("y");
    record.amended_by = 2;
    store(bench, 1, &record);
    assert_found(bench, "event 1 was amended by 2, which does not say so\n"
                        "event 3 says that it amends 1, which is as it was\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_correction_stands_under_the_old_id),
        TEST(a_correction_may_change_the_type_too),
        TEST(data_nested_too_deep_for_an_object_is_a_string_in_it),
        TEST(what_is_in_force_is_not_told_again),
        TEST(a_key_makes_a_late_retry_exact),
        TEST(a_key_of_what_was_in_force_is_remembered_too),
        TEST(a_withdrawn_event_is_given_to_nobody),
        TEST(the_newest_so_many_are_counted_without_it),
        TEST(a_channel_of_withdrawn_events_is_read_to_its_end),
        TEST(a_time_is_found_around_withdrawn_events),
        TEST(what_cannot_be_amended_is_refused),
        TEST(what_was_trimmed_is_not_found),
        TEST(without_room_everything_stays_as_it_was),
        TEST(figures_are_true_after_a_crash),
        TEST(what_comes_in_one_commit_is_in_order),
        TEST(whatever_is_amended_the_journal_stays_sound),
        TEST(older_programs_are_told_by_the_version),
        TEST(half_an_amendment_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
