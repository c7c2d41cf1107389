/* stream_message.h -- an event as a message of the stream, and its mark.
 *
 * Threads   Any.
 * Memory    A message that was made is the caller's.
 * Units     None.
 * Errors    The library's status.
 */
#ifndef TIDINGS_STREAM_MESSAGE_H
#define TIDINGS_STREAM_MESSAGE_H

#include <tidings/event.h>
#include <tidings/status.h>

#include <nats/nats.h>

#include "parcel.h"

struct stream_message {
    const char *stream, *prefix;
    struct text inbox;
    uint64_t nonce;
    struct ticket ticket;
};

/* The type must come out of a header as it went in. */
bool stream_message_can_carry(const struct event *event);

/* Its reply subject is <inbox>.<ticket>. */
natsStatus stream_message_make(const struct stream_message *message,
                               const struct event *event, natsMsg **msg_out);

/* "<slot>.<serial>" in hexadecimal. */
bool stream_ticket_parse(struct text text, struct ticket *ticket_out);

/* "<nonce>.<ticket>". False: another process's, or none. */
bool stream_mark_parse(struct text mark, uint64_t nonce,
                       struct ticket *ticket_out);

#endif
