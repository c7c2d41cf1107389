/* stream_message.h -- an event as a message of the stream, and its mark.
 *
 * Threads   Any.
 * Memory    A message that was made is the caller's.
 * Units     None.
 * Errors    The library's status; what its errors mean as ours.
 */
#ifndef TIDINGS_STREAM_MESSAGE_H
#define TIDINGS_STREAM_MESSAGE_H

#include <tidings/event.h>
#include <tidings/status.h>

#include <nats/nats.h>

#include "parcel.h"

struct stream_message {
    const char *stream, *prefix;
    uint64_t nonce;
    struct ticket ticket;
};

/* The type must come out of a header as it went in. */
bool stream_message_can_carry(const struct event *event);

natsStatus stream_message_make(const struct stream_message *message,
                               const struct event *event, natsMsg **msg_out);

/* "<nonce>.<slot>.<serial>" in hexadecimal. False: another process's, or none. */
bool stream_mark_parse(struct text mark, uint64_t nonce,
                       struct ticket *ticket_out);

/* What the server, or the library for it, says of a message. */
enum status stream_ack_status(const jsPubAckErr *error);
enum status stream_send_status(natsStatus status);

#endif
