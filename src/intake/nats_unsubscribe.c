/* nats_unsubscribe.c -- a ping between unsubscribing and destroying.
 *
 * The thread of nats.c 3.4 that reads a connection finds a message's subscription in a
 * table, lets go of the table, and locks the subscription, which it does not hold. If
 * that is unsubscribed and destroyed meanwhile, it locks freed memory, and the library
 * aborts. The answer to a ping is read by the same thread: when it is here, nothing
 * from before is under way there, and what is not in the table any more is not found.
 *
 * Without an answer there is nothing that comes, either.
 */
#include "nats_unsubscribe.h"

#define PING_MS 500

void nats_unsubscribe(natsConnection *connection,
                      natsSubscription **subscription)
{
    if (*subscription == NULL)
        return;
    (void)natsSubscription_Unsubscribe(*subscription);
    if (natsConnection_Status(connection) == NATS_CONN_STATUS_CONNECTED)
        (void)natsConnection_FlushTimeout(connection, PING_MS);
    natsSubscription_Destroy(*subscription);
    *subscription = NULL;
}
