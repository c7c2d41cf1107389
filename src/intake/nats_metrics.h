/* nats_metrics.h -- the figures of this chapter, in a block of its own.
 *
 * Several of the library's threads count here, so unlike in other blocks every
 * addition is one locked instruction.
 *
 * Threads   register: main. count: any.
 * Memory    Static, so that a scrape may come when the intake has gone.
 * Units     In the table of metrics.h.
 * Errors    None.
 */
#ifndef TIDINGS_NATS_METRICS_H
#define TIDINGS_NATS_METRICS_H

#include <tidings/metrics.h>

void nats_metrics_register(void);                 /* harmless when repeated */
void nats_set(enum metric metric, int64_t value); /* a gauge */
void nats_count(enum metric metric, int64_t by);

#endif
