/* bench_crowd.h -- connections that want nothing, or want it very slowly.
 *
 * Threads   crowd_start, crowd_await, crowd_ended: main; a thread of its own.
 * Memory    Freed with the process.
 * Units     Connections.
 * Errors    None: a connection that the server ends is made anew and counted.
 */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "bench_options.h"

#include <stdint.h>

struct crowd;

/* NULL if the options ask for no crowd. */
struct crowd *crowd_start(const struct options *options);

/* Returns when every connection of it is made. */
void crowd_await(struct crowd *crowd);

/* Connections that the server has ended since. */
uint64_t crowd_ended(const struct crowd *crowd);

#endif
