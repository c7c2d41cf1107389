/* stream_publish.h -- HTTP publishes go into the stream.
 *
 * A publish is posted here instead of to the journal, and is answered in the same
 * way: with ids once the stream has acknowledged it and, if that is asked for or
 * it is an amendment, once this journal has it too. Its events become messages,
 * one each; a batch is answered when all of them have an outcome.
 *
 * Full      So many events may wait for the stream; beyond it, ST_FULL.
 *
 * Threads   create, start, stop, destroy: main. post, stored: any.
 * Memory    A posted publish belongs to the publisher until its answer is called.
 * Units     Milliseconds.
 * Errors    ST_FULL; ST_CLOSED stopping; ST_BUSY no stream to be had now;
 *           ST_BAD_INPUT a type that no header can carry. As a result besides:
 *           ST_TIMEOUT no acknowledgement in time, stored or not; ST_TOO_BIG;
 *           what the journal says of an event (journal.h).
 */
#ifndef TIDINGS_STREAM_PUBLISH_H
#define TIDINGS_STREAM_PUBLISH_H

#include <tidings/config.h>
#include <tidings/journal.h>

struct awaited;
struct follower;
struct nats_link;
struct publisher;

struct publisher_options {
    const struct config *config; /* outlives it */
    struct journal *journal;
    struct nats_link *link;
    struct follower *follower;
    const char *prefix;
};

struct publisher *publisher_create(const struct publisher_options *options);
void publisher_start(struct publisher *publisher);

enum status publisher_post(struct publisher *publisher,
                           struct publish **publish) MUST_USE;

/* Events with marks came back from the stream and are stored or refused. */
void publisher_stored(struct publisher *publisher,
                      const struct awaited *awaited, unsigned count,
                      struct event *const *events);

/* Takes no more, waits a little for what is on its way, answers the rest. */
void publisher_stop(struct publisher *publisher);
/* After the link was closed: no callback of the library comes any more. */
void publisher_destroy(struct publisher **publisher);

#endif
