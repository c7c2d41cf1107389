/* nats_subscription.c -- a ping between unsubscribing and destroying.
 *
 * The thread of nats.c 3.4 that reads a connection finds a message's subscription in a
 * table, lets go of the table, and locks the subscription, which it does not hold. If
 * that is unsubscribed and destroyed meanwhile, it locks freed memory, and the library
 * aborts. The answer to a ping is read by the same thread: when it is here, nothing
 * from before is under way there, and what is not in the table any more is not found.
 *
 * A connection that was just lost has no answer. Its thread ends the message that it
 * is at, and no other one comes before the library has connected again: the ping's
 * time, which is short then, lets it.
 *
 * That the handler has been left for good the library says by on_complete.
 */
#include "nats_subscription.h"

#include <tidings/check.h>

#define PING_MS 500
#define LOST_MS 20

void nats_unsubscribe(natsConnection *connection,
                      natsSubscription **subscription)
{
    int64_t ping_ms = PING_MS;

    if (*subscription == NULL)
        return;
    (void)natsSubscription_Unsubscribe(*subscription);
    if (natsConnection_Status(connection) != NATS_CONN_STATUS_CONNECTED)
        ping_ms = LOST_MS;
    (void)natsConnection_FlushTimeout(connection, ping_ms);
    natsSubscription_Destroy(*subscription);
    *subscription = NULL;
}

static void on_complete(void *arg)
{
    struct nats_subscription *subscription = arg;

    uv_sem_post(&subscription->completed);
}

bool nats_subscription_open(struct nats_subscription *subscription,
                            natsConnection *connection, const char *subject,
                            natsMsgHandler handler, void *arg)
{
    natsSubscription *handle = NULL;

    if (natsConnection_Subscribe(&handle, connection, subject, handler, arg) !=
        NATS_OK)
        return false;
    subscription->connection = connection;
    CHECK(uv_sem_init(&subscription->completed, 0) == 0);
    if (natsSubscription_SetOnCompleteCB(handle, on_complete, subscription) ==
        NATS_OK) {
        subscription->handle = handle;
        return true;
    }
    nats_unsubscribe(connection, &handle); /* closed in this moment */
    uv_sem_destroy(&subscription->completed);
    return false;
}

void nats_subscription_close(struct nats_subscription *subscription)
{
    if (subscription->handle == NULL)
        return;
    nats_unsubscribe(subscription->connection, &subscription->handle);
    uv_sem_wait(&subscription->completed);
    uv_sem_destroy(&subscription->completed);
}
