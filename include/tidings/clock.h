/* clock.h -- what time it is, and a way for tests to say so.
 *
 * Threads   Any.
 * Memory    None.
 * Units     Milliseconds; wall time since 1970 UTC, monotonic since anything.
 * Errors    None.
 */
#ifndef TIDINGS_CLOCK_H
#define TIDINGS_CLOCK_H

#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *arg);
    int64_t (*monotonic_ms)(void *arg);
    void *arg;
};

/* The machine's clocks. */
extern const struct clock system_clock;

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->arg);
}

static inline int64_t clock_monotonic_ms(const struct clock *clock)
{
    return clock->monotonic_ms(clock->arg);
}

#endif
