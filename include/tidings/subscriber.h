/* subscriber.h -- a cursor in the journal that wants some channels.
 *
 * Everything that it wants with an id up to `cursor` has been queued for it;
 * all after it is still owed. REPLAYING, it reads the journal; LIVE, its
 * channels offer each commit. Whoever owns the subscriber (a connection) gives
 * the calls.
 *
 * Threads   The crew thread of its connection.
 * Memory    Embedded in its owner. Memberships belong to it, and lie in the
 *           lists of the channels and patterns that it joined.
 * Units     Ids of events.
 * Errors    offer: ST_FULL the outbox has no room, nothing was queued.
 */
#ifndef TIDINGS_SUBSCRIBER_H
#define TIDINGS_SUBSCRIBER_H

#include <tidings/frames.h>

#include <tidings/list.h>
#include <tidings/status.h>

#include <stdbool.h>
#include <stdint.h>

#define BIT(state) (1u << (unsigned)(state))

/* clang-format off */
/*     state      may move to                              meaning            */
#define SUBSCRIBER_STATES(S)                                                  \
    S(APART,     BIT(SUBSCRIBER_REPLAYING),                                   \
                                     "made, or left: in no channel's list")   \
    S(REPLAYING, BIT(SUBSCRIBER_LIVE) | BIT(SUBSCRIBER_APART),                \
                                     "reads from the journal what it missed") \
    S(LIVE,      BIT(SUBSCRIBER_REPLAYING) | BIT(SUBSCRIBER_APART),           \
                                     "gets each commit from its channels")
/* clang-format on */

enum subscriber_state {
#define S(name, moves, meaning) SUBSCRIBER_##name,
    SUBSCRIBER_STATES(S)
#undef S
};

struct channel;
struct pattern;
struct subscriber;

/* One selector of one subscriber, in the list of what it selects. */
struct membership {
    struct list_node node;
    struct subscriber *subscriber;
    struct channel *channel; /* or */
    struct pattern *pattern;
    uint64_t after; /* events up to here are not wanted from this channel */
    uint64_t told;  /* of what retention took, the client knows up to here */
};

struct subscriber_calls {
    /* Queue frames[from..to), events up to `last_id`. */
    enum status (*offer)(struct subscriber *subscriber, struct frames *frames,
                         uint32_t from, uint32_t to, uint64_t last_id);
    /* It is REPLAYING now: read the journal when there is room. */
    void (*demoted)(struct subscriber *subscriber);
};

struct subscriber {
    const struct subscriber_calls *calls;
    uint64_t cursor;
    uint8_t state;  /* enum subscriber_state; subscriber_move assigns it */
    uint8_t format; /* enum frame_format */
    uint16_t membership_count;
    struct membership *memberships; /* &single or an array */
    struct membership single;
};

void subscriber_init(struct subscriber *subscriber,
                     const struct subscriber_calls *calls,
                     enum frame_format format, uint64_t cursor);

/* The only assignment of the state; asserts that the move is legal. */
void subscriber_move(struct subscriber *subscriber, enum subscriber_state to);

/* LIVE -> REPLAYING from `upto` or its cursor, whichever is newer: the channels
 * have given it everything up to there. */
void subscriber_demote(struct subscriber *subscriber, uint64_t upto);

/* Positions of memberships that its cursor has passed mean nothing any more. */
void subscriber_forget_passed(struct subscriber *subscriber);

/* More than one channel may come: frames must interleave by id. */
static inline bool subscriber_is_mixed(const struct subscriber *subscriber)
{
    return subscriber->membership_count != 1 ||
           subscriber->memberships[0].channel == NULL;
}

#endif
