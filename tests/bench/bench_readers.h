/* bench_readers.h -- the subscribers of a run, on a few threads.
 *
 * A reader thread owns every n-th subscriber: it connects them (a few at a
 * time), reads with one large buffer, and counts complete events. Slow
 * subscribers are read at their own pace, outside epoll.
 *
 * Threads   start, await, merge: main. The rest: the reader itself.
 * Memory    Freed with the process.
 * Units     Events, nanoseconds.
 * Errors    A refused connection or a wrong answer ends the program; one that
 *           is closed later is counted in the flow.
 */
#ifndef BENCH_READERS_H
#define BENCH_READERS_H

#include "bench_flow.h"
#include "bench_histogram.h"

struct readers;

struct readers *readers_start(struct flow *flow);

/* Returns when every subscriber has its head (long-poll: has asked). */
void readers_await(struct readers *readers);

/* Adds up the publish-to-read times of all readers; call when drained. */
void readers_merge(const struct readers *readers, struct histogram *into);

#endif
