/* message.h -- a NATS message becomes an event.
 *
 * Threads   Any; a message is looked at by one thread at a time.
 * Memory    The event is the caller's; the message stays whose it was.
 * Units     Bytes; Event-Time in wall milliseconds.
 * Errors    A refusal: REFUSAL_NONE means that there is an event.
 */
#ifndef TIDINGS_MESSAGE_H
#define TIDINGS_MESSAGE_H

#include <tidings/event.h>
#include <tidings/wire.h>

#include <nats/nats.h>

#include "refusal.h"

struct message_rules {
    struct text prefix;
    size_t max_bytes;
    enum envelope_mode envelope;
};

enum refusal message_to_event(const struct message_rules *rules, natsMsg *msg,
                              struct event **event_out);

/* The payload as it came. */
struct text message_data(const natsMsg *msg);

#endif
