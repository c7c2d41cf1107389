/* test_intake.c -- from a real nats-server into a real journal and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include <tidings/check.h>
#include <tidings/clock.h>
#include <tidings/config.h>
#include <tidings/intake.h>
#include <tidings/journal.h>
#include <tidings/metrics.h>

#include "nats_server.h"

#define PATIENCE_MS 30000

/* ---- a journal that tells what it committed --------------------------------
 */

struct world {
    struct nats_server server;
    char directory[32];
    struct config config;
    struct journal *journal;
    struct intake *intake;
    natsConnection *publisher;

    uv_mutex_t mutex;
    uv_cond_t more;
    struct event **events; /* guarded by mutex: one reference each */
    unsigned count;        /* guarded by mutex */
};

static void on_batch(void *arg, struct batch *batch)
{
    struct world *world = arg;

    uv_mutex_lock(&world->mutex);
    world->events = must_realloc(world->events, (world->count + batch->count) *
                                                    sizeof *world->events);
    for (unsigned i = 0; i < batch->count; i++)
        world->events[world->count + i] = event_ref(batch->events[i]);
    world->count += batch->count;
    uv_cond_signal(&world->more);
    uv_mutex_unlock(&world->mutex);
}

/* The event with this number, from 0, when it is there. */
static struct event *await_event(struct world *world, unsigned number)
{
    const uint64_t deadline = uv_hrtime() + PATIENCE_MS * UINT64_C(1000000);
    struct event *event = NULL;

    uv_mutex_lock(&world->mutex);
    while (world->count <= number && uv_hrtime() < deadline)
        (void)uv_cond_timedwait(&world->more, &world->mutex, 100000000);
    if (world->count > number)
        event = world->events[number];
    uv_mutex_unlock(&world->mutex);
    assert_non_null(event);
    return event;
}

static void start_journal(struct world *world)
{
    struct journal_options options;
    char why[200] = "";

    memset(&options, 0, sizeof options);
    options.directory = world->directory;
    options.map_bytes = 256u << 20;
    options.first_id = 1000;
    options.dedup_window_ms = 1000000;
    options.channels_max = 3;
    options.mailbox_count = 100000;
    options.mailbox_bytes = 64u << 20;
    options.commit_events_max = 10000;
    options.clock = &system_clock;
    if (journal_open(&options, &world->journal, why, sizeof why) != ST_OK)
        fail_msg("%s", why);
    journal_add_listener(world->journal, on_batch, world);
    journal_start(world->journal);
}

static void set_word(char **word, const char *value)
{
    free(*word);
    *word = must_strdup(value);
}

static void start_intake(struct world *world)
{
    char why[200] = "";

    set_word(&world->config.nats, world->server.url);
    if (intake_start(&world->config, world->journal, &world->intake, why,
                     sizeof why) != ST_OK)
        fail_msg("%s", why);
}

/* Readiness has no event of its own; it is asked for, with an end. */
static bool becomes_ready(const struct world *world, bool ready)
{
    const uint64_t deadline = uv_hrtime() + PATIENCE_MS * UINT64_C(1000000);

    while (intake_is_ready(world->intake) != ready) {
        if (uv_hrtime() > deadline)
            return false;
        uv_sleep(1);
    }
    return true;
}

static void connect_publisher(struct world *world)
{
    natsConnection_Destroy(world->publisher);
    world->publisher = NULL;
    assert_int_equal(
        natsConnection_ConnectTo(&world->publisher, world->server.url),
        NATS_OK);
}

static int enter(void **state)
{
    struct world *world = must_calloc(1, sizeof *world);

    memcpy(world->directory, "/tmp/tidings-XXXXXX", 20);
    CHECK(mkdtemp(world->directory) != NULL);
    CHECK(uv_mutex_init(&world->mutex) == 0);
    CHECK(uv_cond_init(&world->more) == 0);
    config_init(&world->config);
    nats_server_start(&world->server, 0);
    start_journal(world);
    *state = world;
    return 0;
}

static int enter_ready(void **state)
{
    struct world *world;

    (void)enter(state);
    world = *state;
    start_intake(world);
    CHECK(becomes_ready(world, true));
    connect_publisher(world);
    return 0;
}

static void end_intake(struct world *world)
{
    if (world->intake != NULL)
        intake_quiesce(world->intake);
    if (world->journal != NULL)
        journal_stop(world->journal);
    intake_stop(&world->intake);
}

static void remove_directory(const char *directory)
{
    char command[80];

    (void)snprintf(command, sizeof command, "rm -rf %s", directory);
    CHECK(system(command) == 0); /* a name that mkdtemp made */
}

static int leave(void **state)
{
    struct world *world = *state;

    natsConnection_Destroy(world->publisher);
    end_intake(world);
    journal_close(&world->journal);
    nats_server_kill(&world->server);
    remove_directory(world->directory);
    for (unsigned i = 0; i < world->count; i++)
        event_unref(&world->events[i]);
    free(world->events);
    config_fini(&world->config);
    uv_cond_destroy(&world->more);
    uv_mutex_destroy(&world->mutex);
    free(world);
    return 0;
}

/* ---- publishing ------------------------------------------------------------
 */

static void publish(struct world *world, const char *subject, const char *data)
{
    assert_int_equal(
        natsConnection_PublishString(world->publisher, subject, data), NATS_OK);
}

static natsMsg *make(const char *subject, const char *data, const char *key)
{
    natsMsg *msg = NULL;

    CHECK(natsMsg_Create(&msg, subject, NULL, data, (int)strlen(data)) ==
          NATS_OK);
    if (key != NULL)
        CHECK(natsMsgHeader_Set(msg, "Nats-Msg-Id", key) == NATS_OK);
    return msg;
}

/* The answer to a request, for free(). */
static char *ask(struct world *world, const char *subject, const char *data,
                 const char *key)
{
    natsMsg *question = make(subject, data, key), *answer = NULL;
    const natsStatus status = natsConnection_RequestMsg(
        &answer, world->publisher, question, PATIENCE_MS);
    char *text;

    natsMsg_Destroy(question);
    assert_int_equal(status, NATS_OK);
    text = must_strdup(natsMsg_GetData(answer));
    natsMsg_Destroy(answer);
    return text;
}

static void assert_asked(struct world *world, const char *subject,
                         const char *data, const char *key, const char *answer)
{
    char *text = ask(world, subject, data, key);

    assert_string_equal(text, answer);
    free(text);
}

/* ---- the tests -------------------------------------------------------------
 */

static void a_message_reaches_the_journal(void **state)
{
    struct world *world = *state;
    const int64_t received = metrics_sum(METRIC_nats_received);
    const struct event *event;

    publish(world, "events.cheese.soft", "Brie");
    event = await_event(world, 0);
    assert_int_equal(event->id, 1000);
    assert_true(text_is(event_channel(event), "cheese.soft"));
    assert_true(text_is(event_data(event), "Brie"));
    assert_int_equal(metrics_sum(METRIC_nats_received), received + 1);
    assert_int_equal(metrics_sum(METRIC_nats_connected), 1);
}

static void a_request_is_answered_with_the_id(void **state)
{
    struct world *world = *state;

    assert_asked(world, "events.a", "x", NULL, "{\"id\":1000}");
    assert_asked(world, "events.a", "y", "key", "{\"id\":1001}");
    assert_asked(world, "events.a", "y", "key",
                 "{\"id\":1001,\"duplicate\":true}");
    assert_asked(world, "events.b", "z", NULL, "{\"id\":1002}");
}

static void a_refused_message_is_answered_counted_and_sent_on(void **state)
{
    struct world *world = *state;
    const int64_t refused = metrics_sum(METRIC_nats_rejected);
    natsSubscription *subscription = NULL;
    natsMsg *msg = NULL;

    assert_int_equal(natsConnection_SubscribeSync(
                         &subscription, world->publisher, "events_rejected.>"),
                     NATS_OK);
    assert_asked(world, "events.a", "\xff", NULL,
                 "{\"error\":\"not_utf8\","
                 "\"message\":\"the data is not UTF-8\"}");
    assert_int_equal(natsSubscription_NextMsg(&msg, subscription, PATIENCE_MS),
                     NATS_OK);
    assert_string_equal(natsMsg_GetSubject(msg), "events_rejected.not_utf8");
    assert_string_equal(natsMsg_GetData(msg), "\xff");
    natsMsg_Destroy(msg);

    publish(world, "events.a$b", "nobody asked");
    assert_int_equal(natsSubscription_NextMsg(&msg, subscription, PATIENCE_MS),
                     NATS_OK);
    assert_string_equal(natsMsg_GetSubject(msg), "events_rejected.bad_channel");
    natsMsg_Destroy(msg);
    natsSubscription_Destroy(subscription);
    assert_int_equal(metrics_sum(METRIC_nats_rejected), refused + 2);
}

static void what_the_journal_refuses_is_not_silent(void **state)
{
    struct world *world = *state;
    const int64_t refused = metrics_sum(METRIC_nats_rejected);
    natsSubscription *subscription = NULL;
    natsMsg *msg = NULL;

    assert_int_equal(natsConnection_SubscribeSync(
                         &subscription, world->publisher, "events_rejected.>"),
                     NATS_OK);
    for (unsigned i = 0; i < 3; i++) { /* channels_max */
        char subject[20];

        (void)snprintf(subject, sizeof subject, "events.c%u", i);
        free(ask(world, subject, "x", NULL));
    }
    assert_asked(world, "events.one-more", "x", NULL,
                 "{\"error\":\"too_many_channels\",\"message\":"
                 "\"there are as many channels as there may be\"}");
    publish(world, "events.one-more", "y");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(
            natsSubscription_NextMsg(&msg, subscription, PATIENCE_MS), NATS_OK);
        assert_string_equal(natsMsg_GetSubject(msg),
                            "events_rejected.too_many_channels");
        assert_string_equal(natsMsg_GetData(msg), i == 0 ? "x" : "y");
        natsMsg_Destroy(msg);
    }
    natsSubscription_Destroy(subscription);
    assert_int_equal(metrics_sum(METRIC_nats_rejected), refused + 2);
}

static void the_order_of_a_publisher_is_kept(void **state)
{
    enum { MESSAGES = 20000 };
    struct world *world = *state;

    for (unsigned i = 0; i < MESSAGES; i++) {
        char data[16];

        (void)snprintf(data, sizeof data, "%u", i);
        publish(world, "events.a", data);
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        const struct event *event = await_event(world, i);
        char data[16];

        (void)snprintf(data, sizeof data, "%u", i);
        assert_true(text_is(event_data(event), data));
        assert_int_equal(event->id, 1000 + i);
    }
    assert_int_equal(metrics_sum(METRIC_nats_dropped), 0);
}

static void a_server_that_dies_and_comes_back_is_found_again(void **state)
{
    struct world *world = *state;
    const int64_t reconnects = metrics_sum(METRIC_nats_reconnects);
    const unsigned port = world->server.port;

    assert_asked(world, "events.a", "before", NULL, "{\"id\":1000}");
    nats_server_kill(&world->server);
    assert_true(becomes_ready(world, false));
    assert_int_equal(metrics_sum(METRIC_nats_connected), 0);
    nats_server_start(&world->server, port);
    assert_true(becomes_ready(world, true));
    connect_publisher(world);
    assert_asked(world, "events.a", "after", NULL, "{\"id\":1001}");
    assert_int_equal(metrics_sum(METRIC_nats_reconnects), reconnects + 1);
    assert_int_equal(metrics_sum(METRIC_nats_connected), 1);
}

static void a_server_that_comes_later_is_found(void **state)
{
    struct world *world = *state;
    const unsigned port = world->server.port;

    nats_server_kill(&world->server);
    start_intake(world);
    assert_false(intake_is_ready(world->intake));
    nats_server_start(&world->server, port);
    assert_true(becomes_ready(world, true));
    connect_publisher(world);
    assert_asked(world, "events.a", "x", NULL, "{\"id\":1000}");
}

static void stopping_does_not_need_a_server(void **state)
{
    struct world *world = *state;
    uint64_t began;

    nats_server_kill(&world->server);
    start_intake(world);
    began = uv_hrtime();
    end_intake(world);
    print_message("stop without a server: %u ms\n",
                  (unsigned)((uv_hrtime() - began) / 1000000));

    journal_close(&world->journal);
    start_journal(world);
    nats_server_start(&world->server, 0);
    start_intake(world);
    assert_true(becomes_ready(world, true));
    nats_server_kill(&world->server);
    assert_true(becomes_ready(world, false));
    began = uv_hrtime();
    end_intake(world);
    print_message("stop after a lost server: %u ms\n",
                  (unsigned)((uv_hrtime() - began) / 1000000));
}

/* Counts an answer of ours. The server itself answers, without data, those
 * questions that came when we had stopped listening. False: none is left. */
static bool take_answer(natsSubscription *inbox, unsigned *answers)
{
    natsMsg *msg = NULL;
    const natsStatus status = natsSubscription_NextMsg(&msg, inbox, 0);

    if (status == NATS_OK && natsMsg_GetDataLength(msg) > 0)
        *answers += 1;
    natsMsg_Destroy(msg);
    return status == NATS_OK || status == NATS_NO_RESPONDERS;
}

/* What was taken before the stop is committed, and who asked is told. */
static void the_end_owes_nothing(void **state)
{
    enum { QUESTIONS = 20000 };
    struct world *world = *state;
    natsSubscription *inbox = NULL;
    unsigned answers = 0;

    assert_int_equal(
        natsConnection_SubscribeSync(&inbox, world->publisher, "answers"),
        NATS_OK);
    for (unsigned i = 0; i < QUESTIONS; i++)
        assert_int_equal(natsConnection_PublishRequestString(
                             world->publisher, "events.a", "answers", "x"),
                         NATS_OK);
    (void)await_event(world, 0); /* in the middle of it */
    end_intake(world);
    assert_int_equal(natsConnection_Flush(world->publisher), NATS_OK);
    while (take_answer(inbox, &answers))
        ;
    natsSubscription_Destroy(inbox);
    assert_int_equal(answers, world->count);
    assert_true(answers > 0);
}

static void a_bad_setting_is_a_sentence(void **state)
{
    struct world *world = *state;
    struct intake *intake = NULL;
    char why[200] = "";

    set_word(&world->config.nats, world->server.url);
    set_word(&world->config.nats_prefix, "events.>");
    assert_int_equal(
        intake_start(&world->config, world->journal, &intake, why, sizeof why),
        ST_BAD_INPUT);
    assert_non_null(strstr(why, "nats_prefix"));
    set_word(&world->config.nats_prefix, "events");
    set_word(&world->config.nats, ",");
    assert_int_equal(
        intake_start(&world->config, world->journal, &intake, why, sizeof why),
        ST_BAD_INPUT);
    assert_non_null(strstr(why, "NATS"));
    assert_null(intake);
}

static void several_servers_are_a_list(void **state)
{
    struct world *world = *state;
    char servers[200], why[200] = "";

    (void)snprintf(servers, sizeof servers, "nats://127.0.0.1:1, %s",
                   world->server.url);
    set_word(&world->config.nats, servers);
    assert_int_equal(intake_start(&world->config, world->journal,
                                  &world->intake, why, sizeof why),
                     ST_OK);
    assert_true(becomes_ready(world, true));
}

#define WITH(start, test) cmocka_unit_test_setup_teardown(test, start, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(enter_ready, a_message_reaches_the_journal),
        WITH(enter_ready, a_request_is_answered_with_the_id),
        WITH(enter_ready, a_refused_message_is_answered_counted_and_sent_on),
        WITH(enter_ready, what_the_journal_refuses_is_not_silent),
        WITH(enter_ready, the_order_of_a_publisher_is_kept),
        WITH(enter_ready, a_server_that_dies_and_comes_back_is_found_again),
        WITH(enter, a_server_that_comes_later_is_found),
        WITH(enter, stopping_does_not_need_a_server),
        WITH(enter_ready, the_end_owes_nothing),
        WITH(enter, a_bad_setting_is_a_sentence),
        WITH(enter, several_servers_are_a_list),
    };
    const int failed = cmocka_run_group_tests_name("intake", tests, NULL, NULL);

    nats_Close();
    return failed;
}
