/* nats_reply.h -- what is owed to those who published: answers, and what was
 * refused, sent on.
 *
 * A thread of its own writes to NATS, so that neither the journal (which knows
 * the outcome) nor the thread that receives ever waits for the network.
 *
 * Full      The mailbox is bounded by count and bytes. What has no room is
 *           dropped and counted: the requester times out and asks again, and
 * its Nats-Msg-Id makes that exact.
 *
 * Threads   create, start, stop, destroy: main, in this order. owe: any, and
 *           never waits.
 * Memory    A debt that was posted belongs to the thread, which frees it.
 * Units     Bytes.
 * Errors    None: what cannot be published is logged there.
 */
#ifndef TIDINGS_NATS_REPLY_H
#define TIDINGS_NATS_REPLY_H

#include <tidings/event.h>
#include <tidings/logger.h>
#include <tidings/mailbox.h>

#include <nats/nats.h>

#include "refusal.h"

struct nats_link;
struct replies;

/* One debt: an answer, something that was refused, or both. */
struct owed {
    struct msg link; /* first */
    struct replies *replies;
    enum refusal refusal; /* NONE: the answer is the id */
    uint64_t id;
    bool is_duplicate;   /* its key was seen before; it is in force already */
    const char *amends;  /* "corrects" or "withdraws"; NULL: a plain event */
    uint64_t amended_id; /* the event that it amends */
    natsMsg *message;    /* refused: ours, or NULL */
    struct event *event; /* refused when it was one already: ours, or NULL */
    char subject[];      /* of the answer, ended by NUL; "": none */
};

/* `prefix` outlives it. `sends_refused`: to <prefix>_rejected.<code>. */
struct replies *replies_create(const char *prefix, bool sends_refused);
void replies_start(struct replies *replies, struct nats_link *nats_link);

/* Pays everything that was owed before, then joins. Harmless if not started. */
void replies_stop(struct replies *replies);
void replies_destroy(struct replies **replies);

/* `subject` NULL: nobody asked for an answer. */
struct owed *owed_create(struct replies *replies, const char *subject);
void owed_destroy(struct owed **owed);

/* Counts and logs (as the limit allows) a message that did not become an event,
 * and owes it; takes it. `subject` as above. */
void replies_refuse(struct replies *replies, natsMsg **msg, const char *subject,
                    enum refusal refusal, struct log_limit *limit);

/* Posts it, or drops and counts it. */
void replies_owe(struct replies *replies, struct owed **owed);

#endif
