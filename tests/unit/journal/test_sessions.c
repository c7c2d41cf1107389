/* test_sessions.c -- sessions in memory, and their rows.
 */
#include "session_bench.h"

#include "journal/draft.h"
#include "journal/journal_state.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <stdio.h>

/* ---- in memory ----------------------------------------------------------- */

static void names_are_of_unreserved_characters(void **state)
{
    static const struct {
        const char *name;
        bool is_valid;
    } cases[] = {
        {"a", true},    {"A-z_0.9~", true},  {"", false},     {"a b", false},
        {"a/b", false}, {"\xc3\xa9", false}, {"a%20", false}, {"a\n", false},
    };
    char longest[SESSION_NAME_MAX_BYTES + 2];

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (session_name_is_valid(text_of(cases[i].name)) != cases[i].is_valid)
            fail_msg("%s", cases[i].name);
    memset(longest, 'x', sizeof longest);
    assert_true(session_name_is_valid((struct text){longest, 128}));
    assert_false(session_name_is_valid((struct text){longest, 129}));
    assert_false(session_name_is_valid((struct text){"a\0b", 3}));
}

static void an_ack_only_rises(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    assert_int_equal(ack(bench, "s", 20), 20);
    assert_int_equal(ack(bench, "s", 15), 20);
    assert_int_equal(find(bench, "s").acked, 20);
    assert_int_equal(find(bench, "s").sent, 20);
}

static void creating_one_that_is_there_finds_it(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    assert_int_equal(create(bench, "s", 99).acked, 10);
    assert_int_equal(sessions_count(sessions_of(bench)), 1);
}

static void the_next_request_acknowledges_what_was_written(void **state)
{
    struct bench *bench = *state;
    const struct text name = text_of("s");

    create(bench, "s", 10);
    assert_int_equal(use(bench, "s", UINT64_MAX), 10);
    answer(bench, "s", 30);
    answer(bench, "s", 25);
    assert_int_equal(find(bench, "s").sent, 30);
    assert_int_equal(use(bench, "s", 0), 10);
    assert_int_equal(use(bench, "s", 20), 20);
    sessions_begin(sessions_of(bench), name, 50, 3);
    assert_int_equal(use(bench, "s", 99), 30);
}

static void an_answer_that_was_not_written_is_not_acknowledged(void **state)
{
    struct bench *bench = *state;
    const struct text name = text_of("s");

    create(bench, "s", 10);
    sessions_begin(sessions_of(bench), name, 30, 3);
    assert_int_equal(find(bench, "s").sent, 30);
    assert_int_equal(use(bench, "s", UINT64_MAX), 10);
    commit(bench);
    assert_true(find(bench, "s").is_answered);
    assert_int_equal(find(bench, "s").writer, 3);
    sessions_cut_off(sessions_of(bench), name, 30);
    assert_int_equal(find(bench, "s").sent, 10);
    assert_false(find(bench, "s").is_answered);
    answer(bench, "s", 40);
    sessions_cut_off(sessions_of(bench), name, 40); /* another one's */
    assert_int_equal(use(bench, "s", UINT64_MAX), 40);
}

static void what_is_not_there_is_not_found(void **state)
{
    struct bench *bench = *state;
    struct sessions *sessions = sessions_of(bench);
    const struct text name = text_of("s");
    struct session_view view;

    assert_int_equal(sessions_find(sessions, name, &view), ST_NOT_FOUND);
    assert_int_equal(sessions_ack(sessions, name, 1, 1, &view), ST_NOT_FOUND);
    assert_int_equal(sessions_use(sessions, name, 1, 1, &view), ST_NOT_FOUND);
    assert_int_equal(sessions_remove(sessions, name), ST_NOT_FOUND);
    sessions_begin(sessions, name, 1, 3);
    sessions_written(sessions, name, 1);
    sessions_cut_off(sessions, name, 1);
    assert_int_equal(sessions_count(sessions), 0);
}

static void beyond_the_limit_there_is_no_room_until_one_is_removed(void **state)
{
    struct bench *bench = *state;
    struct session_view view;

    bench->options.sessions_max = 2;
    reopen(bench);
    create(bench, "a", 1);
    create(bench, "b", 1);
    assert_int_equal(
        sessions_create(sessions_of(bench), text_of("c"), 1, 1, &view),
        ST_FULL);
    assert_int_equal(create(bench, "a", 1).acked, 1);
    assert_int_equal(sessions_remove(sessions_of(bench), text_of("a")), ST_OK);
    assert_false(is_there(bench, "a"));
    commit(bench);
    create(bench, "c", 1);
    commit(bench);
    bench->options.sessions_max = 1;
    reopen(bench);
    assert_true(is_there(bench, "b") && is_there(bench, "c"));
}

/* ---- on the disk --------------------------------------------------------- */

static void a_commit_without_events_stores_them(void **state)
{
    struct bench *bench = *state;

    assert_false(create(bench, "s", 10).is_stored);
    commit(bench);
    assert_true(find(bench, "s").is_stored);
    answer(bench, "s", 30);
    ack(bench, "s", 20);
    commit(bench);
    reopen(bench);
    assert_int_equal(find(bench, "s").acked, 20);
    assert_int_equal(find(bench, "s").sent, 30);
    assert_int_equal(find(bench, "s").touched_ms, bench->now_ms);
    assert_true(find(bench, "s").is_stored);
}

static void a_session_is_settled_when_its_newest_answer_is_stored(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    assert_false(find(bench, "s").is_settled);
    commit(bench);
    assert_true(find(bench, "s").is_settled);
    answer(bench, "s", 30);
    assert_false(find(bench, "s").is_settled);
    draft_begin(bench->journal);
    assert_int_equal(draft_chores(bench->journal, CHORES_BESIDE), ST_OK);
    draft_abort(bench->journal);
    assert_false(find(bench, "s").is_settled);
    commit(bench);
    assert_true(find(bench, "s").is_settled);
    ack(bench, "s", 20);
    assert_true(find(bench, "s").is_settled);
    reopen(bench);
    assert_true(find(bench, "s").is_settled);
}

static void any_commit_stores_them(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    publish_now(bench, "a", "x");
    reopen(bench);
    assert_int_equal(find(bench, "s").acked, 10);
}

static void the_journal_stores_them_without_being_told(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    assert_true(writer_tick(bench->journal));
    reopen(bench);
    assert_int_equal(find(bench, "s").acked, 10);
}

static void count_batches(void *arg, struct batch *batch)
{
    *(unsigned *)arg += batch->count;
}

static void listeners_hear_of_events_only(void **state)
{
    struct bench *bench = *state;
    unsigned heard = 0;

    journal_add_listener(bench->journal, count_batches, &heard);
    create(bench, "s", 10);
    commit(bench);
    assert_int_equal(heard, 0);
    assert_int_equal(journal_last_id(bench->journal), 0);
    ack(bench, "s", 11);
    assert_int_equal(publish_now(bench, "a", "x"), 1);
    assert_int_equal(heard, 1);
}

static void a_removed_one_is_gone_for_good(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    create(bench, "t", 10);
    commit(bench);
    assert_int_equal(sessions_remove(sessions_of(bench), text_of("s")), ST_OK);
    commit(bench);
    assert_int_equal(sessions_count(sessions_of(bench)), 1);
    reopen(bench);
    assert_false(is_there(bench, "s"));
    assert_true(is_there(bench, "t"));
}

static void a_removed_one_can_be_created_before_the_commit(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    commit(bench);
    assert_int_equal(sessions_remove(sessions_of(bench), text_of("s")), ST_OK);
    assert_int_equal(create(bench, "s", 50).acked, 50);
    assert_false(find(bench, "s").is_stored);
    commit(bench);
    reopen(bench);
    assert_int_equal(find(bench, "s").acked, 50);
}

static void what_a_failed_commit_had_goes_with_the_next(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    create(bench, "gone", 10);
    commit(bench);
    ack(bench, "s", 20);
    assert_int_equal(sessions_remove(sessions_of(bench), text_of("gone")),
                     ST_OK);
    draft_begin(bench->journal);
    assert_int_equal(draft_chores(bench->journal, CHORES_BESIDE), ST_OK);
    assert_false(draft_is_empty(bench->journal));
    ack(bench, "s", 30); /* while it is being written */
    draft_abort(bench->journal);
    commit(bench);
    reopen(bench);
    assert_int_equal(find(bench, "s").acked, 30);
    assert_false(is_there(bench, "gone"));
}

static MDB_val text_value(const char *text)
{
    union {
        const char *text;
        void *memory;
    } lent = {text};

    return (MDB_val){strlen(text), lent.memory};
}

static void keep_finding(void *arg, const char *finding)
{
    (void)finding;
    *(unsigned *)arg += 1;
}

static void a_damaged_row_is_passed_over(void **state)
{
    struct bench *bench = *state;
    MDB_val name = text_value("bad"), wrong = text_value("not a row"), value;
    struct verify_result result;
    unsigned findings = 0;
    MDB_txn *txn;
    MDB_dbi table;
    char row[64];

    create(bench, "good", 10);
    create(bench, "flipped", 10);
    commit(bench);
    table = bench->journal->environment.sessions;
    assert_int_equal(
        mdb_txn_begin(bench->journal->environment.env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_put(txn, table, &name, &wrong, 0), 0);
    name = text_value("flipped");
    assert_int_equal(mdb_get(txn, table, &name, &value), 0);
    memcpy(row, value.mv_data, value.mv_size);
    row[value.mv_size - 1] ^= 1;
    value.mv_data = row;
    assert_int_equal(mdb_put(txn, table, &name, &value, 0), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);

    assert_int_equal(
        journal_verify(bench->journal, keep_finding, &findings, &result),
        ST_OK);
    assert_int_equal(findings, 2);
    assert_int_equal(result.sessions, 3);
    reopen(bench);
    assert_int_equal(sessions_count(sessions_of(bench)), 1);
    assert_true(is_there(bench, "good"));
}

static void a_journal_from_before_sessions_can_be_read(void **state)
{
    struct bench *bench = *state;
    MDB_txn *txn;

    publish_now(bench, "a", "x");
    assert_int_equal(
        mdb_txn_begin(bench->journal->environment.env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_drop(txn, bench->journal->environment.sessions, 1), 0);
    assert_int_equal(mdb_txn_commit(txn), 0);
    bench->options.is_read_only = true;
    reopen(bench);
    assert_int_equal(sessions_count(sessions_of(bench)), 0);
    assert_int_equal(journal_last_id(bench->journal), 1);
    bench->options.is_read_only = false;
    reopen(bench);
    create(bench, "s", 1);
    commit(bench);
    reopen(bench);
    assert_true(is_there(bench, "s"));
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, bench_setup_sessions,                \
                                    bench_teardown_sessions)
    const struct CMUnitTest tests[] = {
        TEST(names_are_of_unreserved_characters),
        TEST(an_ack_only_rises),
        TEST(creating_one_that_is_there_finds_it),
        TEST(the_next_request_acknowledges_what_was_written),
        TEST(an_answer_that_was_not_written_is_not_acknowledged),
        TEST(what_is_not_there_is_not_found),
        TEST(beyond_the_limit_there_is_no_room_until_one_is_removed),
        TEST(a_commit_without_events_stores_them),
        TEST(a_session_is_settled_when_its_newest_answer_is_stored),
        TEST(any_commit_stores_them),
        TEST(the_journal_stores_them_without_being_told),
        TEST(listeners_hear_of_events_only),
        TEST(a_removed_one_is_gone_for_good),
        TEST(a_removed_one_can_be_created_before_the_commit),
        TEST(what_a_failed_commit_had_goes_with_the_next),
        TEST(a_damaged_row_is_passed_over),
        TEST(a_journal_from_before_sessions_can_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
