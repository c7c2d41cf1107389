/* bench_histogram.c -- times, counted so that percentiles come out.
 *
 * Logarithmic rows of 64 linear steps: a time's place is found with one count
 * of leading zeros, so that adding costs nothing beside the delivery it
 * measures. Row 0 holds 0..63 ns exactly; row n holds 2^(n+5) up to 2^(n+6), in
 * steps of 2^(n-1).
 */
#include "bench_histogram.h"

static unsigned place_of(uint64_t ns)
{
    unsigned shift;

    if (ns < HISTOGRAM_STEPS)
        return (unsigned)ns;
    shift = 57u - (unsigned)__builtin_clzll(ns); /* (ns >> shift) is 64..127 */
    if (shift > HISTOGRAM_ROWS - 2)
        return HISTOGRAM_ROWS * HISTOGRAM_STEPS - 1;
    return shift * HISTOGRAM_STEPS + (unsigned)(ns >> shift);
}

/* The upper end of a place. */
static double place_ns(unsigned place)
{
    uint64_t step = place % HISTOGRAM_STEPS;
    unsigned row = place / HISTOGRAM_STEPS;

    if (row == 0)
        return (double)step;
    return (double)((HISTOGRAM_STEPS + step + 1) << (row - 1));
}

void histogram_add(struct histogram *histogram, int64_t ns)
{
    histogram->counts[place_of(ns > 0 ? (uint64_t)ns : 0)]++;
    histogram->total++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_ROWS * HISTOGRAM_STEPS; i++)
        into->counts[i] += from->counts[i];
    into->total += from->total;
}

double histogram_us(const struct histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)histogram->total + 0.5);
    uint64_t seen = 0;

    if (histogram->total == 0)
        return 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < HISTOGRAM_ROWS * HISTOGRAM_STEPS; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted)
            return place_ns(i) / 1000.0;
    }
    return 0;
}
