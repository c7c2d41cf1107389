/* channel.h -- the actor: one channel, on one thread, and who listens there.
 *
 * State plus the table of the messages that it accepts. channel_receive() runs
 * on the crew thread that owns the channel, needs no lock, and is unit-tested
 * by calling it. A hot channel has an actor on every crew thread, each for its
 * own subscribers.
 *
 * The life of a turn: COMMITTED for each event of the batches that wait, then
 * one DELIVER, which encodes the run once per format and offers it to each LIVE
 * subscriber of only this channel. Subscribers of several channels are offered
 * event by event, in order of id over all channels, by the directory.
 *
 * Threads   The crew thread of the directory.
 * Memory    Owned by the directory; freed when nobody listens any more. Events
 *           of a run are lent by the turn's batches.
 * Units     Ids.
 * Errors    None: a subscriber whose offer fails is demoted to REPLAYING.
 */
#ifndef CHANNEL_CHANNEL_H
#define CHANNEL_CHANNEL_H

#include "pattern.h"
#include <tidings/frames.h>
#include <tidings/subscriber.h>

#include <tidings/event.h>
#include <tidings/list.h>
#include <tidings/registry.h>

#include <stdbool.h>

struct directory;
struct presence_entry;

/* clang-format off */
struct join      { struct membership *membership; bool is_mixed; };
struct leave     { struct membership *membership; };
struct committed { struct event *event; };
struct deliver   { uint64_t turn_after; };
struct done      { bool is_last; };

/*      tag        field      posted by    what the channel does with it        */
#define CHANNEL_MESSAGES(MSG)                                                   \
    MSG(JOIN,      join,      "connection", "list it: commits are offered")     \
    MSG(LEAVE,     leave,     "connection", "forget it")                        \
    MSG(COMMITTED, committed, "directory",  "add it to the run of this turn")   \
    MSG(DELIVER,   deliver,   "directory",  "encode the run, offer it to those of one channel") \
    MSG(DONE,      done,      "directory",  "forget the run: the turn is over")
/* clang-format on */

enum channel_tag {
#define MSG(TAG, field, by, does) CHANNEL_##TAG,
    CHANNEL_MESSAGES(MSG)
#undef MSG
};

struct channel_message {
    enum channel_tag tag;
    union {
#define MSG(TAG, field, by, does) struct field field;
        CHANNEL_MESSAGES(MSG)
#undef MSG
    } as;
};

struct channel {
    struct directory *directory;
    struct channel *next;            /* in the directory's bucket */
    struct channel_entry *entry;     /* NULL until an event is known */
    struct presence_entry *presence; /* NULL: not counted, or nobody there */

    struct list_node solo;  /* memberships of subscribers of this one channel */
    struct list_node mixed; /* of those of several */
    unsigned solo_count, mixed_count;

    struct pattern **patterns; /* that cover it, as of `generation` */
    unsigned pattern_count;
    uint64_t generation;

    struct list_node touched; /* in the directory's list during a turn */
    struct event **run;
    unsigned run_count, run_capacity;
    size_t run_bytes;
    struct frames *encoded[FRAME_FORMAT_COUNT]; /* the run, or NULL */

    uint64_t hash;
    uint16_t name_bytes;
    char name[];
};

static inline struct text channel_name(const struct channel *channel)
{
    return (struct text){channel->name, channel->name_bytes};
}

struct channel *channel_create(struct directory *directory, struct text name,
                               uint64_t hash);
void channel_destroy(struct channel **channel);

void channel_receive(struct channel *channel,
                     const struct channel_message *message);

/* The run of this turn in a format; encoded at the first call. Lent. */
struct frames *channel_run_in(struct channel *channel,
                              enum frame_format format);

/* Offers one event (`index` in the run) to a member of several channels. */
void channel_offer_one(struct channel *channel, unsigned index,
                       struct membership *member, uint64_t turn_after);

#endif
