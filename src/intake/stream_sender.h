/* stream_sender.h -- messages to the stream, and its acknowledgements.
 *
 * Each message has a ticket; what the stream answers comes back with it. A
 * message whose acknowledgement is lost, with a connection or otherwise, is heard
 * of no more: whoever sends has a deadline of his own.
 *
 * Threads   One, which creates or only uses it; on_ack is called on a thread of
 *           the library and must only enqueue.
 * Memory    Of its own; events are lent.
 * Units     None.
 * Errors    Of sending: ST_BUSY not connected, nothing sent; ST_TOO_BIG; ST_TIMEOUT
 *           sent or not. Those of an acknowledgement: stream_ack.h.
 */
#ifndef TIDINGS_STREAM_SENDER_H
#define TIDINGS_STREAM_SENDER_H

#include <tidings/event.h>

#include "parcel.h"
#include "stream_ack.h"

struct nats_link;
struct stream_sender;

struct stream_acked {
    struct ticket ticket;
    struct stream_ack ack;
};

/* Those that came together. */
typedef void stream_ack_fn(void *arg, const struct stream_acked *acked,
                           unsigned count);

struct stream_sender_options {
    struct nats_link *link;
    const char *stream, *prefix; /* outlive it */
    uint64_t nonce;              /* of the marks */
    stream_ack_fn *on_ack;
    void *arg;
};

struct stream_sender *
stream_sender_create(const struct stream_sender_options *options);

/* Takes the connection as it is now, if it is another one; to be called before
 * sending. */
void stream_sender_take_hold(struct stream_sender *sender);

enum status stream_sender_send(struct stream_sender *sender,
                               const struct event *event,
                               struct ticket ticket) MUST_USE;

/* Nothing is to be sent for now: frees what was. */
void stream_sender_rest(struct stream_sender *sender);

/* Gives the connection back. When it returns, on_ack does not run and will not. */
void stream_sender_let_go(struct stream_sender *sender);

void stream_sender_destroy(struct stream_sender **sender);

#endif
