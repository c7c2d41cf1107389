/* nats_presence.h -- tells NATS how many subscribe to what, and hears it of the
 * other instances.
 *
 * Subjects: <presence_prefix>.<channel> has the count of one instance;
 * <presence_prefix>_instance.<name> its signs of life.
 *
 * Full      What cannot be sent (NATS is gone or slow) stays in the table, where
 *           it is one entry per channel; what the library drops of what it
 *           receives is mended by the next change, or when the link comes back.
 *
 * Threads   start, stop: main. One thread of its own sends.
 * Memory    Of its own; link and presence are lent until stop.
 * Units     Milliseconds.
 * Errors    None: without NATS it waits.
 */
#ifndef TIDINGS_NATS_PRESENCE_H
#define TIDINGS_NATS_PRESENCE_H

#include <tidings/config.h>
#include <tidings/presence.h>

struct nats_link;
struct presence_teller;

struct presence_teller *presence_teller_start(const struct config *config,
                                              struct nats_link *link,
                                              struct presence *presence);

/* Says good-bye to the others, then joins. */
void presence_teller_stop(struct presence_teller **teller);

#endif
