/* nats_unsubscribe.h -- the end of a subscription, without a race in the library.
 *
 * Threads   The one that uses the subscription; no callback of the connection.
 * Memory    The subscription is destroyed.
 * Units     None.
 * Errors    None: a connection that is lost or mute costs half a second at most.
 */
#ifndef INTAKE_NATS_UNSUBSCRIBE_H
#define INTAKE_NATS_UNSUBSCRIBE_H

#include <nats/nats.h>

/* NULL is none. An on-complete callback may still run after it. */
void nats_unsubscribe(natsConnection *connection,
                      natsSubscription **subscription);

#endif
