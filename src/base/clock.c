/* clock.c -- the machine's clocks.
 *
 * Wall time is what events carry; it may step. Everything that waits counts on
 * the monotonic clock, which does not.
 */
#include <tidings/check.h>
#include <tidings/clock.h>

#include <stddef.h>
#include <time.h>
#include <uv.h>

static int64_t wall_ms(void *arg)
{
    struct timespec now;

    (void)arg;
    CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t monotonic_ms(void *arg)
{
    (void)arg;
    return (int64_t)(uv_hrtime() / 1000000);
}

const struct clock system_clock = {wall_ms, monotonic_ms, NULL};
