/* directory.h -- all channels of one crew thread, and the turn that feeds them.
 *
 * Every commit passes every crew thread, in order of id. The directory finds
 * the actors that somebody here listens to, gives them their events, and at the
 * end of the turn lets each deliver once.
 *
 * Full      The crew's mailbox may have had no room for a batch. The next batch
 *           then does not follow the last one seen, and every LIVE subscriber
 *           here reads what is missing from the journal.
 *
 * Threads   The crew thread that owns it.
 * Memory    Channels and patterns exist while they have members (with patterns:
 *           also channels that had events lately, bounded by the registry).
 * Units     Ids.
 * Errors    None.
 */
#ifndef TIDINGS_DIRECTORY_H
#define TIDINGS_DIRECTORY_H

#include <tidings/journal.h>
#include <tidings/metrics.h>
#include <tidings/subscriber.h>

struct directory;
struct presence;

/* Runs of more than `run_limit_bytes` of one channel in one turn are left to
 * the journal. `seen_upto`: the newest id at the start. */
struct directory *directory_create(struct registry *registry,
                                   struct metrics *metrics,
                                   size_t run_limit_bytes, uint64_t seen_upto);
void directory_destroy(struct directory **directory);

/* Who subscribes to a channel by its name is counted there from now on; patterns
 * are not. Before anybody joins. */
void directory_count_in(struct directory *directory, struct presence *presence);

/* The newest id that passed here: who has read the journal up to it is live. */
uint64_t directory_seen_upto(const struct directory *directory);

/* Who is LIVE has been offered everything up to here: what came later in an
 * open turn is still to be delivered. */
uint64_t directory_given_upto(const struct directory *directory);

/* Nobody was here to see what is up to this id. */
void directory_skip_to(struct directory *directory, uint64_t seen_upto);

bool directory_is_empty(const struct directory *directory);

/* Joins all selectors (checked, without repeats); `after` of each membership is
 * set by the caller afterwards if it differs. The subscriber becomes REPLAYING.
 */
void directory_join(struct directory *directory, struct subscriber *subscriber,
                    const struct text *selectors, unsigned selector_count);
void directory_leave(struct directory *directory,
                     struct subscriber *subscriber);

/* The channel of a membership that is no pattern's; or whatever it selects. */
struct text directory_channel_name(const struct membership *member);
struct text directory_selector(const struct membership *member);

/* Takes note of a batch; nothing is offered before directory_deliver. */
void directory_commit(struct directory *directory, struct batch *batch);
void directory_deliver(struct directory *directory);

/* A batch up to `missed_upto` was not posted: all LIVE ones read the journal.
 */
void directory_overrun(struct directory *directory, uint64_t missed_upto);

/* Subscribers of this thread on a channel, or on a pattern as it is written. */
unsigned directory_local_count(struct directory *directory,
                               struct text selector);

/* The membership by which the subscriber gets the channel of that name, or
 * NULL. Of several the one that wants most of it. */
const struct membership *directory_covers(const struct subscriber *subscriber,
                                          struct text name, uint64_t hash);

#endif
