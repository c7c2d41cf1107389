/* rate.h -- so much a second, with a second's worth at once.
 *
 * A token bucket kept as one number: the time at which all that was taken will
 * have been earned. It may be a second ahead of now.
 *
 * Threads   Its owner.
 * Memory    A value; all zero is a full bucket.
 * Units     Microseconds, monotonic.
 * Errors    None.
 */
#ifndef TIDINGS_RATE_H
#define TIDINGS_RATE_H

#include <stdint.h>

struct rate {
    int64_t earned_us;
};

#define RATE_BURST_US INT64_C(1000000)

/* What the amount takes to earn: an hour at most, whatever was asked for. */
static inline int64_t rate_cost_us(uint64_t amount, uint64_t per_second)
{
    const double most_us = 3600e6;
    const double cost_us = (double)amount * 1e6 / (double)per_second;

    return (int64_t)(cost_us < most_us ? cost_us : most_us);
}

/* How long until so much may be taken; 0: now. More than a second's worth may
 * be when nothing is owed, and is paid off then. */
static inline int64_t rate_wait_us(const struct rate *rate, int64_t cost_us,
                                   int64_t now_us)
{
    const int64_t ahead_us = rate->earned_us - now_us;
    const int64_t room_us =
        RATE_BURST_US - (cost_us < RATE_BURST_US ? cost_us : RATE_BURST_US);

    return ahead_us > room_us && ahead_us > 0 ? ahead_us - room_us : 0;
}

static inline void rate_take(struct rate *rate, int64_t cost_us, int64_t now_us)
{
    if (rate->earned_us < now_us)
        rate->earned_us = now_us;
    rate->earned_us += cost_us;
}

#endif
