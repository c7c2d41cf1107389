/* bench_histogram.h -- times, counted so that percentiles come out.
 *
 * Threads   One writer; read or merged after it has stopped.
 * Memory    The caller's; 30 KB each.
 * Units     Nanoseconds in, microseconds out, 1.6 % coarse.
 * Errors    None: what is longer than an hour counts as an hour.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64 /* per power of two */
#define HISTOGRAM_ROWS  38 /* 2^(6 + 36) ns is over an hour */

struct histogram {
    uint64_t total;
    uint64_t counts[HISTOGRAM_ROWS * HISTOGRAM_STEPS];
};

void histogram_add(struct histogram *histogram, int64_t ns);

void histogram_merge(struct histogram *into, const struct histogram *from);

/* The time that `share` (0 to 1) of all entries do not exceed; 0 if empty. */
double histogram_us(const struct histogram *histogram, double share);

#endif
