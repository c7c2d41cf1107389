/* bench_subscriber.h -- one connection that listens: what it sends and reads.
 *
 * Threads   The reader that owns it.
 * Memory    In place; `held` keeps the bytes of an event or a head that has not
 *           arrived in full.
 * Units     Bytes.
 * Errors    A wrong answer ends the program.
 */
#ifndef BENCH_SUBSCRIBER_H
#define BENCH_SUBSCRIBER_H

#include "bench_event.h"
#include "bench_options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HELD_BYTES     1024u
#define POSITION_BYTES 160u

enum subscriber_state {
    SUB_CONNECTING,
    SUB_ASKED, /* the request is sent */
    SUB_LIVE,  /* SSE: the head is read; long-poll: inside a body */
    SUB_CLOSED
};

struct subscriber {
    int fd;
    struct tls_client *tls; /* NULL: without */
    enum subscriber_state state;
    unsigned number; /* of all in the run */
    uint32_t held_bytes;
    size_t body_left; /* long-poll */
    bool has_events;  /* long-poll: in this answer */
    struct event_scan scan;
    char position[POSITION_BYTES]; /* long-poll: header lines */
    char held[HELD_BYTES];
};

/* Sends the (next) request. */
void subscriber_ask(struct subscriber *sub, const struct options *options);

/* `text` begins with what was held. Counts events in `tally`; returns the
 * number of long-poll answers with events that were completed. */
unsigned subscriber_feed(struct subscriber *sub, const struct options *options,
                         const char *text, size_t bytes,
                         struct event_tally *tally);

#endif
