/* bench_lane.h -- one connection on which events are published.
 *
 * NATS: one connection, PUB after PUB. HTTP: POST after POST on a connection
 * that is kept alive, with at most `depth` requests unanswered.
 *
 * Threads   The publisher's.
 * Memory    The lane owns its socket and buffers for the process's life.
 * Units     Bytes, nanoseconds.
 * Errors    A refused publish or a lost connection ends the program.
 */
#ifndef BENCH_LANE_H
#define BENCH_LANE_H

#include "bench_histogram.h"
#include "bench_options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lane {
    const struct options *options;
    int fd;
    bool is_nats;
    unsigned step;    /* lanes in all: the distance between its channels */
    unsigned first;   /* its first channel */
    unsigned channel; /* the next event's */
    uint32_t number;  /* and its number there */
    unsigned unanswered;
    char *out;
    size_t out_bytes, out_sent;
    char *in;
    size_t in_bytes;
    int64_t *sent_ns; /* ring of `depth`: when each unanswered was sent */
    unsigned oldest;
};

void lane_open(struct lane *lane, const struct options *options, unsigned index,
               unsigned count);

/* Room for one more request, or event by NATS? */
bool lane_is_open(const struct lane *lane);

/* Puts the next event, or `lines` of them, behind the others. */
void lane_append(struct lane *lane, int64_t time_ns);

/* Sends what the socket takes. True: all is sent. */
bool lane_flush(struct lane *lane);

/* Reads what is there; returns the number of events answered. Their times go
 * to `replies` unless it is NULL. */
unsigned lane_receive(struct lane *lane, struct histogram *replies);

#endif
