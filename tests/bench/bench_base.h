/* bench_base.h -- the clock of the measurements, and how a tool gives up.
 *
 * The load generator stands alone: it shares no code with the server, so that
 * an error in one cannot hide an error in the other.
 *
 * Threads   Any.
 * Memory    bench_alloc returns zeroed memory for the life of the process.
 * Units     Nanoseconds on the monotonic clock.
 * Errors    None return: a tool that cannot measure says why, exits with 2.
 */
#ifndef BENCH_BASE_H
#define BENCH_BASE_H

#include <stddef.h>
#include <stdint.h>

int64_t bench_now_ns(void);

void *bench_alloc(size_t count, size_t bytes);

_Noreturn void bench_die(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
