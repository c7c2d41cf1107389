/* bench_flow.h -- what the generator's threads tell each other.
 *
 * Readers say how far they are, the publisher holds when they are too far
 * behind (a closed loop: "flat out without loss"), main takes the totals.
 *
 * Threads   Any. Each counter has one writer: its reader, or the publisher.
 * Memory    The caller's.
 * Units     Events, nanoseconds.
 * Errors    None.
 */
#ifndef BENCH_FLOW_H
#define BENCH_FLOW_H

#include "bench_options.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define FLOW_READERS_MAX 8

struct flow_reader {
    _Alignas(64) atomic_uint_fast32_t slowest; /* next number of the slowest */
    atomic_uint_fast64_t delivered;            /* events, all subscribers */
    atomic_uint_fast64_t answers; /* long-poll answers with events */
    atomic_uint_fast64_t lost;
    atomic_uint_fast64_t twice;
    atomic_uint_fast64_t closed; /* connections that the server ended */
};

struct flow {
    const struct options *options; /* fixed */
    unsigned reader_count;         /* fixed */
    uint64_t listeners;            /* fixed: subscribers that are not slow */
    int wake_fd;                   /* fixed: rouses the publisher */
    struct flow_reader readers[FLOW_READERS_MAX];
    _Alignas(64) atomic_bool is_waiting; /* the publisher, for room */
    atomic_bool is_measuring;
    atomic_bool is_stopping; /* the publisher is to finish */
    atomic_uint_fast64_t published;
    atomic_uint_fast64_t answered; /* publishes that got a 2xx */
};

struct flow_totals {
    int64_t at_ns;
    int64_t cpu_ns; /* the server's */
    uint64_t published, answered, delivered, answers, lost, twice, closed;
};

void flow_init(struct flow *flow, const struct options *options);

/* A reader has stored its counters: rouse the publisher if it may go on. */
void flow_report(struct flow *flow);

/* Events that may be published now; UINT64_MAX without a window, 0 while less
 * than a quarter of the window is free. */
uint64_t flow_room(struct flow *flow);

void flow_rouse(struct flow *flow);

void flow_take(struct flow *flow, struct flow_totals *totals_out);

/* Has every listener got every published event? */
bool flow_is_drained(struct flow *flow);

#endif
