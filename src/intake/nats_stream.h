/* nats_stream.h -- follows the JetStream stream that is the log of record.
 *
 * A thread of its own reads the stream from the stored sequence on, makes events
 * of its messages and posts them to the journal with the position behind them.
 *
 * Full      The journal's mailbox has no room: the thread waits, the server keeps
 *           the rest. A publish that the journal refuses for want of space stops
 *           the following; it goes on from what is stored when there is room.
 *
 * Threads   start, stop, destroy: main. is_ready, state, id: any.
 * Memory    Of its own; on_stored is lent the publish and may take events out.
 * Units     Sequences, ids, milliseconds.
 * Errors    ST_BAD_INPUT a setting that cannot be, sentence in `why`.
 */
#ifndef TIDINGS_NATS_STREAM_H
#define TIDINGS_NATS_STREAM_H

#include <tidings/config.h>
#include <tidings/journal.h>

#include <nats/nats.h>

#include "message.h"

struct nats_link;
struct replies;
struct follower;

/* clang-format off */
/*    name        told by /readyz                   can it be read?  an alarm? */
#define FOLLOWER_STATES(S)                                                               \
    S(AWAY,       "not connected",                                       false, false) \
    S(LOOKING,    "looking at the stream",                               false, false) \
    S(MISSING,    "there is no such stream",                             false, true)  \
    S(REFUSED,    "the server refuses",                                  false, true)  \
    S(SILENT,     "nobody answers for the stream",                       false, true)  \
    S(FALLING,    "its ids would not rise above those of this journal",  false, true)  \
    S(NO_SPACE,   "the journal has no room",                             false, true)  \
    S(BEHIND,     "catching up",                                         false, false) \
    S(SEALED,     "sealed: takes no events",                             true,  true)  \
    S(REWOUND,    "rewound since the start",                             true,  true)  \
    S(FOLLOWED,   "ok",                                                  true,  false)
/* clang-format on */

enum follower_state {
#define S(name, text, is_ready, is_alarm) FOLLOWER_##name,
    FOLLOWER_STATES(S)
#undef S
};

/* Which of some events came with a mark. */
struct awaited {
    unsigned index;
    struct text mark;
};

/* Events that somebody sent to the stream with a mark have come back and are
 * stored, or were refused. On the journal's thread; must only enqueue. */
typedef void follower_stored_fn(void *arg, const struct awaited *awaited,
                                unsigned count, struct event *const *events);

struct follower_options {
    const struct config *config; /* outlives it */
    struct journal *journal;
    struct nats_link *link;
    struct replies *replies;
    struct message_rules rules;
    follower_stored_fn *on_stored;
    void *arg;
};

enum status follower_create(const struct follower_options *options,
                            struct follower **follower_out, char *why,
                            size_t why_bytes) MUST_USE;
void follower_start(struct follower *follower);

/* Reads no more; what was posted is answered until the journal has stopped. */
void follower_stop(struct follower *follower);
void follower_destroy(struct follower **follower);

bool follower_is_ready(const struct follower *follower);
const char *follower_state_text(const struct follower *follower);

/* An alarm that holds: of the state, or that it was rewound since the start; NULL:
 * none. */
const char *follower_alarm(const struct follower *follower);

/* The id of what the stream acknowledged just now; 0: not known, since it was
 * not looked at again after a loss of the connection. */
uint64_t follower_acked_id(struct follower *follower, uint64_t sequence);

/* Was it rewound, so that this is not known before the next message comes? */
bool follower_awaits_epoch(const struct follower *follower);

/* The ids that its messages can have; how many ranges, at most STREAM_EPOCHS_MAX;
 * 0: not known now. */
struct session_versions;
unsigned follower_kept_ids(struct follower *follower,
                           struct session_versions *kept);

/* Does the stream take messages about sessions? */
enum follower_taking { TAKING_UNKNOWN, TAKING_NONE, TAKING_ALL };
enum follower_taking follower_takes_sessions(const struct follower *follower);

/* The newest sequence that the journal has. */
uint64_t follower_stored_upto(struct follower *follower);

/* Header of a message that this process sent, and whose fate it awaits. */
#define STREAM_MARK_HEADER "Tidings-Publish"
#define STREAM_MARK_MAX    48

#endif
