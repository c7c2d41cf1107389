/* bench_publisher.h -- the thread that publishes, by NATS or by HTTP.
 *
 * Events of one channel are published in order on one connection; the channels
 * are dealt out to the connections in turn.
 *
 * Threads   start, stop: main. Within: its own thread.
 * Memory    Freed with the process.
 * Units     Nanoseconds.
 * Errors    A refused publish or a lost connection ends the program.
 */
#ifndef BENCH_PUBLISHER_H
#define BENCH_PUBLISHER_H

#include "bench_flow.h"
#include "bench_histogram.h"

struct publisher;

struct publisher *publisher_start(struct flow *flow);

/* Returns when everything that was begun is sent and answered. */
void publisher_stop(struct publisher *publisher);

/* HTTP: times from request to answer, while measuring. After the stop. */
const struct histogram *publisher_replies(const struct publisher *publisher);

#endif
