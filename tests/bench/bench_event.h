/* bench_event.h -- the events that the generator sends and checks.
 *
 * An event is a JSON object of a fixed size with a running number and the time
 * at which it was published:
 *
 *     {"k":"#S=00000042 T=000000123456789012","pad":"xxxx..."}
 *
 * Whatever the server wraps around it, the reader only looks for "#S=": it
 * works on SSE, on long-poll answers and on another server's bytes alike, and
 * costs a comparison or two per event.
 *
 * Threads   A scan belongs to its reader.
 * Memory    The caller's. A scan holds no bytes: what it did not use up has to
 *           be given again, in front of the next.
 * Units     Bytes, nanoseconds.
 * Errors    None: loss, repetition and disorder are counted in the tally.
 */
#ifndef BENCH_EVENT_H
#define BENCH_EVENT_H

#include "bench_histogram.h"

#include <stddef.h>
#include <stdint.h>

#define EVENT_LEAST_BYTES 64
#define EVENT_MOST_BYTES  480

struct event_scan {
    uint32_t expected; /* the next event's number */
    uint32_t gap;      /* bytes between two events; learnt; 0: not yet */
};

struct event_tally {
    uint64_t delivered;          /* complete events, in order */
    uint64_t lost;               /* numbers skipped */
    uint64_t twice;              /* numbers that were there before */
    struct histogram *histogram; /* publish to read; NULL: not measured */
    int64_t now_ns;              /* when the bytes were read */
};

/* Writes exactly `bytes` bytes. */
void event_write(char *to, size_t bytes, uint32_t number, int64_t time_ns);

/* Counts the events that are complete in `text`; returns how many bytes were
 * used up. What is left is less than one event. */
size_t event_scan(struct event_scan *scan, const char *text, size_t bytes,
                  size_t event_bytes, struct event_tally *tally);

#endif
