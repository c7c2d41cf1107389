/* zone.h -- which instants a clock on the wall of this place shows.
 *
 * When clocks are set forward some times do not exist; when they are set back
 * some exist twice.
 *
 * Threads   Any.
 * Memory    None: the C library keeps the zone's tables (TZ, tzset).
 * Units     Civil seconds (civil.h), unix seconds.
 * Errors    None.
 */
#ifndef WIRE_ZONE_H
#define WIRE_ZONE_H

#include <stdint.h>

/* What the clock shows at an instant. */
int64_t zone_civil(int64_t unix_s);

/* The instant at which the clock shows this: the first, or the last if it does
 * so twice. If it never does: the instant at which it jumps over it. */
int64_t zone_first(int64_t civil_s);
int64_t zone_last(int64_t civil_s);

#endif
