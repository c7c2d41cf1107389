/* nats_subscription.h -- subscriptions that end without a race.
 *
 * Threads   The one that uses the subscription; no callback of the connection.
 * Memory    The subscription is destroyed with its end. A handler owns the messages
 *           that it is given.
 * Units     None.
 * Errors    Of opening: false, the connection is closed. An end has none: a
 *           connection that is mute costs half a second, a lost one 20 ms.
 */
#ifndef TIDINGS_NATS_SUBSCRIPTION_H
#define TIDINGS_NATS_SUBSCRIPTION_H

#include <nats/nats.h>
#include <stdbool.h>
#include <uv.h>

#include <tidings/status.h>

/* One with a handler, which runs on a thread of the library. All zero: none. */
struct nats_subscription {
    natsConnection *connection; /* outlives it */
    natsSubscription *handle;
    uv_sem_t completed; /* posted once: the handler does not run any more */
};

bool nats_subscription_open(struct nats_subscription *subscription,
                            natsConnection *connection, const char *subject,
                            natsMsgHandler handler, void *arg) MUST_USE;

/* When it returns, the handler does not run and will not. Of none: nothing. */
void nats_subscription_close(struct nats_subscription *subscription);

/* The end of one without a handler. NULL is none. */
void nats_unsubscribe(natsConnection *connection,
                      natsSubscription **subscription);

#endif
