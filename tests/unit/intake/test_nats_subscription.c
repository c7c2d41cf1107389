/* test_nats_subscription.c -- subscriptions that end while messages come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nats/nats.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "intake/nats_subscription.h"
#include "nats_server.h"

#define ENDS    2000
#define BURST   200
#define HANDLED 200

struct world {
    struct nats_server server;
    natsConnection *connection, *publisher;
};

static int enter(void **state)
{
    static struct world world;

    *state = &world;
    nats_server_start(&world.server, 0);
    assert_int_equal(
        natsConnection_ConnectTo(&world.connection, world.server.url), NATS_OK);
    assert_int_equal(
        natsConnection_ConnectTo(&world.publisher, world.server.url), NATS_OK);
    return 0;
}

static int leave(void **state)
{
    struct world *world = *state;

    natsConnection_Destroy(world->connection);
    natsConnection_Destroy(world->publisher);
    nats_server_kill(&world->server);
    return 0;
}

/* The library's thread is then always about to give it one more. */
static void it_ends_in_the_middle_of_a_burst(void **state)
{
    struct world *world = *state;

    for (unsigned n = 0; n < ENDS; n++) {
        natsSubscription *subscription = NULL;
        natsMsg *msg = NULL;

        assert_int_equal(natsConnection_SubscribeSync(
                             &subscription, world->connection, "burst"),
                         NATS_OK);
        assert_int_equal(natsConnection_Flush(world->connection), NATS_OK);
        for (unsigned i = 0; i < BURST; i++)
            assert_int_equal(
                natsConnection_PublishString(world->publisher, "burst", "x"),
                NATS_OK);
        assert_int_equal(natsSubscription_NextMsg(&msg, subscription, 30000),
                         NATS_OK);
        natsMsg_Destroy(msg);
        nats_unsubscribe(world->connection, &subscription);
        assert_null(subscription);
    }
}

static void count(natsConnection *connection, natsSubscription *subscription,
                  natsMsg *msg, void *arg)
{
    atomic_uint *running = arg;

    (void)connection;
    (void)subscription;
    atomic_fetch_add(running, 1);
    natsMsg_Destroy(msg);
    atomic_fetch_sub(running, 1);
}

/* `running` is gone then; a handler that still ran would be seen by a sanitizer. */
static void a_handler_does_not_run_after_its_end(void **state)
{
    struct world *world = *state;

    for (unsigned n = 0; n < HANDLED; n++) {
        struct nats_subscription subscription = {0};
        atomic_uint *running = calloc(1, sizeof *running);

        assert_true(nats_subscription_open(&subscription, world->connection,
                                           "burst", count, running));
        assert_int_equal(natsConnection_Flush(world->connection), NATS_OK);
        for (unsigned i = 0; i < BURST; i++)
            assert_int_equal(
                natsConnection_PublishString(world->publisher, "burst", "x"),
                NATS_OK);
        assert_int_equal(natsConnection_Flush(world->publisher), NATS_OK);
        nats_subscription_close(&subscription);
        assert_int_equal(atomic_load(running), 0);
        free(running);
        nats_subscription_close(&subscription); /* none */
    }
}

static void one_of_a_lost_connection_ends_too(void **state)
{
    struct world *world = *state;
    struct nats_subscription handled = {0};
    natsSubscription *subscription = NULL;
    atomic_uint running = 0;

    assert_int_equal(
        natsConnection_SubscribeSync(&subscription, world->connection, "none"),
        NATS_OK);
    assert_true(nats_subscription_open(&handled, world->connection, "none",
                                       count, &running));
    natsConnection_Close(world->connection);
    nats_unsubscribe(world->connection, &subscription);
    assert_null(subscription);
    nats_unsubscribe(world->connection, &subscription); /* none */
    nats_subscription_close(&handled);
    assert_false(nats_subscription_open(&handled, world->connection, "none",
                                        count, &running));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_ends_in_the_middle_of_a_burst, enter,
                                        leave),
        cmocka_unit_test_setup_teardown(a_handler_does_not_run_after_its_end,
                                        enter, leave),
        cmocka_unit_test_setup_teardown(one_of_a_lost_connection_ends_too,
                                        enter, leave),
    };
    const int failed =
        cmocka_run_group_tests_name("nats_subscription", tests, NULL, NULL);

    nats_Close();
    return failed;
}
