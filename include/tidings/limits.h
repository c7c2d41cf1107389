/* limits.h -- what nobody may have more of, and what is said to whoever would.
 *
 * A connection over a limit is not cut off unheard: as long as the reserve has
 * room it may publish and ask for health, and is told what it is over when it
 * wants something else (docs/operations.md, Limits).
 *
 * Threads   Any.
 * Memory    None.
 * Units     None.
 * Errors    None.
 */
#ifndef TIDINGS_LIMITS_H
#define TIDINGS_LIMITS_H

/* clang-format off */
/*    limit         setting (and METRIC_over_ it)        status  what is said                                     */
#define LIMITS(L)                                                                                                   \
    L(CONNECTIONS,  connections_max,                     503,    "the server has as many connections as it may have") \
    L(PER_ADDRESS,  connections_per_address,             429,    "your address has as many connections as it may have") \
    L(PER_SECOND,   connections_per_second,              503,    "too many connections come at once")               \
    L(ADDRESS_PER_SECOND, connections_per_address_per_second, 429, "too many connections come from your address at once") \
    L(STREAMS,      streams_per_subject,                 429,    "you have as many streams as you may have")         \
    L(EVENTS_PER_SECOND, publish_events_per_second,      429,    "you publish more events in a second than you may") \
    L(BYTES_PER_SECOND, publish_bytes_per_second,        429,    "you publish more bytes in a second than you may")  \
    L(CHANNELS_PER_SECOND, publish_channels_per_second,  429,    "you make more channels in a second than you may")  \
    L(SESSIONS_PER_SECOND, sessions_new_per_second,      429,    "you make more sessions in a second than you may")
/* clang-format on */

enum limit {
    LIMIT_NONE, /* nothing is over */
#define L(name, setting, status, sentence) LIMIT_##name,
    LIMITS(L)
#undef L
        LIMIT_COUNT
};

#endif
