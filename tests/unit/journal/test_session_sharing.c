/* test_session_sharing.c -- what is owed to other instances, and what they say. */
#include "session_bench.h"

#include <tidings/check.h>
#include <tidings/session_sharing.h>

#define BASE UINT64_C(1000000)

static int setup(void **state)
{
    static struct bench bench;

    bench_begin(&bench);
    bench.options.sessions_max = 3;
    bench.options.session_keep_ms = SESSION_KEEP_MS;
    bench.options.follows = "EVENTS";
    bench_open(&bench);
    *state = &bench;
    return 0;
}

static struct session_offer offer(struct bench *bench, const char *name)
{
    struct session_offer offer;

    assert_int_equal(sessions_offer(sessions_of(bench), text_of(name), &offer),
                     ST_OK);
    return offer;
}

static struct session_news news_of(const char *name, uint64_t version,
                                   uint64_t born, uint64_t acked, uint64_t sent)
{
    struct session_news news = {.state = {.born = born,
                                          .acked = acked,
                                          .sent = sent,
                                          .touched_ms = INT64_C(4000000000000)},
                                .version = version,
                                .sequence = version - BASE};

    session_name_set(&news.name, text_of(name));
    return news;
}

static enum status hear(struct bench *bench, const struct session_news *news)
{
    return sessions_learn(sessions_of(bench), news, 0);
}

static enum status end(struct bench *bench, const char *name, uint64_t version,
                       uint64_t born)
{
    struct session_news news = news_of(name, version, born, 0, 0);

    news.state.is_removed = true;
    return hear(bench, &news);
}

static void tell(struct bench *bench, const char *name, uint64_t version)
{
    const struct session_offer told = offer(bench, name);

    sessions_told(sessions_of(bench), text_of(name), &told, version,
                  version - BASE);
}

static unsigned owed(struct bench *bench)
{
    return sessions_count_owed(sessions_of(bench));
}

/* ---- what is owed -------------------------------------------------------- */

static void what_others_must_know_is_owed(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    assert_true(offer(bench, "s").is_owed);
    assert_true(offer(bench, "s").state.born > 0);
    tell(bench, "s", BASE + 1);
    assert_int_equal(owed(bench), 0);
    answer(bench, "s", 20);
    assert_true(offer(bench, "s").is_owed);
    tell(bench, "s", BASE + 2);
    ack(bench, "s", 15);
    assert_true(offer(bench, "s").is_owed);
    assert_int_equal(owed(bench), 1);
}

/* Others conclude it from what was sent. */
static void the_next_request_owes_nothing(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    answer(bench, "s", 20);
    tell(bench, "s", BASE + 1);
    assert_int_equal(use(bench, "s", UINT64_MAX), 20);
    assert_false(offer(bench, "s").is_owed);
}

static void a_use_is_owed_now_and_then(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    tell(bench, "s", BASE + 1);
    bench->now_ms += SESSION_KEEP_MS / 16;
    use(bench, "s", 0);
    assert_false(offer(bench, "s").is_owed);
    bench->now_ms += SESSION_KEEP_MS / 8;
    use(bench, "s", 0);
    assert_true(offer(bench, "s").is_owed);
}

static void a_change_while_it_is_told_stays_owed(void **state)
{
    struct bench *bench = *state;
    struct session_offer told;

    create(bench, "s", 10);
    told = offer(bench, "s");
    answer(bench, "s", 20);
    sessions_told(sessions_of(bench), text_of("s"), &told, BASE + 1, 1);
    assert_true(offer(bench, "s").is_owed);
    tell(bench, "s", BASE + 2);
    assert_false(offer(bench, "s").is_owed);
}

static void what_is_taken_out_of_the_list_stays_owed(void **state)
{
    struct bench *bench = *state;
    struct sessions *sessions = sessions_of(bench);
    struct session_name names[4];

    create(bench, "a", 10);
    create(bench, "b", 10);
    assert_int_equal(sessions_take_owed(sessions, names, 1), 1);
    assert_true(text_is(session_name_text(&names[0]), "a")); /* the oldest */
    assert_int_equal(sessions_take_owed(sessions, names, 4), 1);
    assert_int_equal(sessions_take_owed(sessions, names, 4), 0);
    assert_int_equal(owed(bench), 2);
    sessions_owe(sessions, text_of("a"));
    sessions_owe(sessions, text_of("gone"));
    assert_int_equal(sessions_take_owed(sessions, names, 4), 1);
    assert_int_equal(sessions_remove(sessions, text_of("b")), ST_OK);
    assert_int_equal(owed(bench), 1);
}

static void one_session_is_told_so_often_in_a_second(void **state)
{
    struct bench *bench = *state;
    struct sessions *sessions = sessions_of(bench);
    const struct text name = text_of("s");

    create(bench, "s", 10);
    assert_true(sessions_may_tell(sessions, name, 5000, 2));
    assert_true(sessions_may_tell(sessions, name, 5900, 2));
    assert_false(sessions_may_tell(sessions, name, 5999, 2));
    assert_true(sessions_may_tell(sessions, name, 6000, 2));
}

/* ---- what others say ----------------------------------------------------- */

static void the_greater_positions_of_one_life_hold(void **state)
{
    struct bench *bench = *state;
    struct session_news news;

    create(bench, "s", 10);
    tell(bench, "s", BASE + 1);
    news = news_of("s", BASE + 2, offer(bench, "s").state.born, 30, 40);
    assert_int_equal(hear(bench, &news), ST_OK);
    assert_int_equal(find(bench, "s").acked, 30);
    assert_int_equal(find(bench, "s").sent, 40);
    assert_int_equal(owed(bench), 0);
    answer(bench, "s", 50);
    news = news_of("s", BASE + 3, news.state.born, 40, 45);
    assert_int_equal(hear(bench, &news), ST_OK);
    assert_int_equal(find(bench, "s").acked, 40);
    assert_int_equal(find(bench, "s").sent, 50);
    assert_int_equal(owed(bench), 1); /* they do not know of 50 */
}

static void an_older_message_says_nothing(void **state)
{
    struct bench *bench = *state;
    struct session_news news = news_of("s", BASE + 5, 7, 30, 40);

    assert_int_equal(hear(bench, &news), ST_OK);
    assert_int_equal(end(bench, "s", BASE + 4, 7), ST_OK);
    assert_true(is_there(bench, "s"));
    assert_int_equal(end(bench, "s", BASE + 6, 7), ST_OK);
    assert_false(is_there(bench, "s"));
    assert_int_equal(hear(bench, &news), ST_OK);
    assert_false(is_there(bench, "s"));
}

static void another_life_begins_where_it_says(void **state)
{
    struct bench *bench = *state;
    struct session_news news = news_of("s", BASE + 1, 7, 30, 40);

    assert_int_equal(hear(bench, &news), ST_OK);
    news = news_of("s", BASE + 2, 8, 5, 5);
    assert_int_equal(hear(bench, &news), ST_OK);
    assert_int_equal(find(bench, "s").acked, 5);
    assert_int_equal(find(bench, "s").sent, 5);
}

static void
one_that_nobody_removed_outlives_one_begun_in_ignorance(void **state)
{
    struct bench *bench = *state;
    struct session_news later = news_of("s", BASE + 9, 8, 40, 40);

    create(bench, "s", 10);
    tell(bench, "s", BASE + 1);
    assert_int_equal(hear(bench, &later), ST_OK);
    assert_int_equal(offer(bench, "s").state.acked, 10);
    assert_true(offer(bench, "s").is_owed);
    tell(bench, "s", BASE + 10);
    later = news_of("s", BASE + 11, 9, 5, 5); /* further back: what is lost? */
    assert_int_equal(hear(bench, &later), ST_OK);
    assert_int_equal(offer(bench, "s").state.acked, 5);
    later = news_of("s", BASE + 12, 10, 50, 50);
    later.state.is_anew = true; /* who made it knew of the end of the other */
    assert_int_equal(hear(bench, &later), ST_OK);
    assert_int_equal(offer(bench, "s").state.acked, 50);
    assert_int_equal(owed(bench), 0);
}

static void what_the_stream_has_lost_is_owed(void **state)
{
    struct bench *bench = *state;
    const struct session_versions kept[] = {{BASE + 5, BASE + 9},
                                            {BASE + 100, UINT64_MAX}};
    unsigned cursor = 0;

    create(bench, "trimmed", 10);
    create(bench, "kept", 10);
    create(bench, "rewound", 10);
    tell(bench, "trimmed", BASE + 4);
    tell(bench, "kept", BASE + 9);
    tell(bench, "rewound", BASE + 10);
    assert_int_equal(owed(bench), 0);
    sessions_owe_lost(sessions_of(bench), kept, 2, 64, &cursor);
    assert_int_equal(owed(bench), 2);
    assert_false(offer(bench, "kept").is_owed);
    sessions_owe_lost(sessions_of(bench), kept, 0, 1, &cursor);
    assert_int_equal(owed(bench), 3);
}

static void of_two_beginnings_that_in_the_stream_holds(void **state)
{
    struct bench *bench = *state;
    const struct session_news news = news_of("s", BASE + 1, 7, 30, 30);

    create(bench, "s", 10);
    assert_int_equal(hear(bench, &news), ST_OK);
    assert_int_equal(find(bench, "s").acked, 30);
    assert_int_equal(owed(bench), 0);
}

static void the_end_of_an_earlier_life_ends_no_other(void **state)
{
    struct bench *bench = *state;

    create(bench, "s", 10);
    assert_int_equal(end(bench, "s", BASE + 1, 7), ST_OK);
    assert_true(is_there(bench, "s"));
    tell(bench, "s", BASE + 2);
    assert_int_equal(end(bench, "s", BASE + 3, offer(bench, "s").state.born),
                     ST_OK);
    assert_false(is_there(bench, "s"));
}

static void one_from_before_the_stream_takes_the_others_life(void **state)
{
    struct bench *bench = *state;
    struct session_news news = news_of("s", BASE + 1, 7, 30, 40);

    bench->options.follows = NULL;
    reopen(bench);
    create(bench, "s", 100);
    commit(bench);
    bench->options.follows = "EVENTS";
    reopen(bench);
    assert_int_equal(owed(bench), 0);
    assert_int_equal(hear(bench, &news), ST_OK);
    assert_int_equal(find(bench, "s").acked, 100);
    assert_int_equal(offer(bench, "s").state.born, 7);
}

static void hearsay_moves_a_session_and_is_owed(void **state)
{
    struct bench *bench = *state;
    struct session_news news = news_of("s", BASE + 1, 7, 30, 30);

    assert_int_equal(hear(bench, &news), ST_OK);
    news.state.sent = 40;
    sessions_hear(sessions_of(bench), text_of("s"), &news.state);
    assert_int_equal(find(bench, "s").sent, 40);
    assert_int_equal(owed(bench), 1);
    news.state.born = 8;
    news.state.sent = 90;
    sessions_hear(sessions_of(bench), text_of("s"), &news.state);
    assert_int_equal(find(bench, "s").sent, 40); /* of another life */
}

static void beyond_the_limit_nothing_is_kept(void **state)
{
    struct bench *bench = *state;
    const struct session_news news = news_of("s", BASE + 1, 7, 30, 30);

    create(bench, "a", 1);
    create(bench, "b", 1);
    create(bench, "c", 1);
    assert_int_equal(hear(bench, &news), ST_FULL);
    assert_false(is_there(bench, "s"));
}

/* ---- on the disk --------------------------------------------------------- */

static void what_was_learned_and_what_is_owed_outlive_a_restart(void **state)
{
    struct bench *bench = *state;
    const struct session_news news = news_of("s", BASE + 5, 7, 30, 40);
    const struct session_news old = news_of("s", BASE + 4, 9, 1, 1);

    assert_int_equal(hear(bench, &news), ST_OK);
    create(bench, "t", 10);
    commit(bench);
    reopen(bench);
    assert_int_equal(find(bench, "s").acked, 30);
    assert_int_equal(find(bench, "s").sent, 40);
    assert_int_equal(hear(bench, &old), ST_OK);
    assert_int_equal(find(bench, "s").acked, 30);
    assert_int_equal(owed(bench), 1);
    assert_true(offer(bench, "t").is_owed);
}

static struct publish *step_with(const struct session_news *news,
                                 uint64_t after, uint64_t upto)
{
    const unsigned char row[] = {1};
    struct publish *publish = publish_create(0);

    publish->step = source_step_create(row, sizeof row);
    publish->step->after = after;
    publish->step->upto = upto;
    publish->step->first_id = BASE + 1;
    publish->step->news = must_malloc(sizeof *news);
    *publish->step->news = *news;
    publish->step->news_count = 1;
    return publish;
}

/* The bench commits what a publish brings, and nothing after it. */
static void a_step_brings_its_news_in_its_own_transaction(void **state)
{
    struct bench *bench = *state;
    const struct session_news news = news_of("s", BASE + 5, 7, 30, 40);
    struct source_stored stored;

    assert_int_equal(run_publish(bench, step_with(&news, 0, 5)), ST_OK);
    bench_shut(bench);
    bench_open(bench);
    assert_true(source_stored(bench->journal, &stored));
    assert_int_equal(stored.upto, 5);
    assert_int_equal(find(bench, "s").sent, 40);
}

static void one_unused_for_long_is_learned_when_it_is_used(void **state)
{
    struct bench *bench = *state;
    struct session_news news = news_of("s", BASE + 5, 7, 30, 40);
    struct session_view view;

    news.state.touched_ms = 5;
    assert_int_equal(run_publish(bench, step_with(&news, 0, 5)), ST_OK);
    assert_int_equal(sessions_find(sessions_of(bench), text_of("s"), &view),
                     ST_NOT_FOUND);
    assert_int_equal(hear(bench, &news), ST_OK);
    assert_int_equal(find(bench, "s").sent, 40);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, setup, bench_teardown_sessions)
    const struct CMUnitTest tests[] = {
        TEST(what_others_must_know_is_owed),
        TEST(the_next_request_owes_nothing),
        TEST(a_use_is_owed_now_and_then),
        TEST(a_change_while_it_is_told_stays_owed),
        TEST(what_is_taken_out_of_the_list_stays_owed),
        TEST(one_session_is_told_so_often_in_a_second),
        TEST(the_greater_positions_of_one_life_hold),
        TEST(an_older_message_says_nothing),
        TEST(another_life_begins_where_it_says),
        TEST(one_that_nobody_removed_outlives_one_begun_in_ignorance),
        TEST(what_the_stream_has_lost_is_owed),
        TEST(of_two_beginnings_that_in_the_stream_holds),
        TEST(the_end_of_an_earlier_life_ends_no_other),
        TEST(one_from_before_the_stream_takes_the_others_life),
        TEST(hearsay_moves_a_session_and_is_owed),
        TEST(beyond_the_limit_nothing_is_kept),
        TEST(what_was_learned_and_what_is_owed_outlive_a_restart),
        TEST(a_step_brings_its_news_in_its_own_transaction),
        TEST(one_unused_for_long_is_learned_when_it_is_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
