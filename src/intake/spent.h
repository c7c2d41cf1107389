/* spent.h -- messages that are done with, on their way to be freed.
 *
 * The library frees messages on a thread of its own, and wakes it for each one
 * that it is given while it sleeps. So they are kept until there are many, or
 * until their owner has nothing else to do.
 *
 * Full      At SPENT_MAX messages, or SPENT_BYTES of data, all are given.
 *
 * Threads   One.
 * Memory    What was added belongs to it until it is given.
 * Units     Messages.
 * Errors    None.
 */
#ifndef TIDINGS_SPENT_H
#define TIDINGS_SPENT_H

#include <nats/nats.h>

#define SPENT_MAX   64
#define SPENT_BYTES (1 << 20)

struct spent {
    natsMsg *messages[SPENT_MAX];
    unsigned count;
    int bytes;
};

/* Takes the message; NULL is none. */
void spent_add(struct spent *spent, natsMsg **msg);

/* Gives all to the library. */
void spent_give(struct spent *spent);

#endif
