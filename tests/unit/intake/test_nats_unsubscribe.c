/* test_nats_unsubscribe.c -- subscriptions that end while messages come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <nats/nats.h>

#include "intake/nats_unsubscribe.h"
#include "nats_server.h"

#define ENDS  2000
#define BURST 200

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

static void one_of_a_lost_connection_ends_too(void **state)
{
    struct world *world = *state;
    natsSubscription *subscription = NULL;

    assert_int_equal(
        natsConnection_SubscribeSync(&subscription, world->connection, "none"),
        NATS_OK);
    natsConnection_Close(world->connection);
    nats_unsubscribe(world->connection, &subscription);
    assert_null(subscription);
    nats_unsubscribe(world->connection, &subscription); /* none */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_ends_in_the_middle_of_a_burst, enter,
                                        leave),
        cmocka_unit_test_setup_teardown(one_of_a_lost_connection_ends_too,
                                        enter, leave),
    };
    const int failed =
        cmocka_run_group_tests_name("nats_unsubscribe", tests, NULL, NULL);

    nats_Close();
    return failed;
}
