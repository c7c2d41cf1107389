/* turn.h -- what a directory is made of, for the channel chapter alone.
 *
 * Threads   The crew thread that owns the directory.
 * Memory    Owned by the directory.
 * Units     Ids.
 * Errors    None.
 */
#ifndef CHANNEL_TURN_H
#define CHANNEL_TURN_H

#include "channel.h"
#include "pattern.h"

#include <tidings/directory.h>

struct turn_event {
    struct channel *channel;
    unsigned index; /* in the channel's run */
};

struct directory {
    struct registry *registry; /* lent */
    struct metrics *metrics;   /* lent */
    struct presence *presence; /* lent; NULL: nobody wants to know */

    struct channel **buckets;
    unsigned channel_count, bucket_count;
    struct pattern_set patterns;
    struct list_node idle_patterns; /* without members; go when no turn runs */
    size_t run_limit_bytes;         /* a longer run is left to the journal */

    uint64_t seen_upto;  /* newest id that passed here */
    uint64_t turn_after; /* seen_upto when the turn began */
    struct batch **batches;
    unsigned batch_count, batch_capacity;
    struct list_node touched;
    struct turn_event *mixed_events; /* of channels with mixed members */
    unsigned mixed_count, mixed_capacity;
    struct frames_builder builder;
};

#endif
