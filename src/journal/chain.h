/* chain.h -- reading a channel along its previous ids.
 *
 * Threads   One at a time per reader.
 * Memory    The trail is its owner's; walking gives it its list, whose first
 *           number is the position it was walked from.
 * Units     Ids, steps.
 * Errors    ST_TOO_BIG the way is too long: scan. As reader.h besides.
 */
#ifndef JOURNAL_CHAIN_H
#define JOURNAL_CHAIN_H

#include "reader.h"

#define CHAIN_TRAIL_IDS 1024u
#define CHAIN_STEPS_MAX 8192u

/* Is it cheaper to walk from `head_id` back to `after` than to scan forward? */
bool chain_is_shorter(const struct journal *journal,
                      const struct channel_entry *channel, uint64_t head_id,
                      uint64_t after);

/* Walks back and leaves in the trail the oldest ids after `after`, rising. */
enum status chain_walk(struct journal_reader *reader,
                       const struct channel_entry *channel, uint64_t head_id,
                       uint64_t after, struct journal_trail *trail) MUST_USE;

/* Gives the events of the trail after the slice's position. */
enum status chain_give(struct slice *slice,
                       struct journal_trail *trail) MUST_USE;

#endif
