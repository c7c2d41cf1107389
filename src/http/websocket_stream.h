/* websocket_stream.h -- the flavor in which the client talks too: protocol.md 6.
 *
 * A WebSocket is a stream like the others, with this beside it: what the client
 * sends is read here, answered, and may change what the subscriber wants.
 *
 * Threads   The crew thread of the connection.
 * Memory    struct websocket belongs to its stream. What ends a stream frees
 *           both: such calls say whether it is still there.
 * Units     Milliseconds; bytes.
 * Errors    None: the client is told, or the connection closed with a code.
 */
#ifndef HTTP_WEBSOCKET_STREAM_H
#define HTTP_WEBSOCKET_STREAM_H

#include "order.h"
#include "resume.h"

#include <tidings/client_message.h>
#include <tidings/connection.h>
#include <tidings/websocket.h>

struct stream;

struct websocket {
    struct websocket_reader reader;
    int64_t asked_ms; /* when the ping was sent that is not answered */
    int64_t paid_ms;  /* until when time has paid the debt */
    uint32_t owed;    /* bytes of answers that may wait in the outbox */
    uint32_t debt;    /* what changes of the subscription have cost */
    bool is_asked;
};

extern const struct role_calls websocket_calls;

struct websocket *websocket_create(struct crew *crew);
void websocket_destroy(struct websocket **websocket, struct crew *crew);

/* May this request be upgraded? False: it was refused. True: what the head
 * needs is in the order. */
bool websocket_is_right(struct connection *connection,
                        const struct handoff_request *request,
                        const struct config *config, struct order *order);

/* The head of the answer, 101. */
void websocket_append_head(struct stream *stream, const struct resume *resume,
                           struct buffer *out);

/* Our last frame; the stream is gone, but for waiting for the client's close. */
void websocket_close(struct stream *stream, enum websocket_close_code code,
                     const char *reason);

/* Counts an answer of that size. False: the stream is gone, since the client
 * does not take those that wait. */
bool websocket_may_answer(struct stream *stream, size_t bytes);

/* A text frame {"error":..,"message":..}. False: the stream is gone, since the
 * client takes no answers. */
bool websocket_complain(struct stream *stream, const char *code,
                        const char *message);

/* resubscribe.c: False: the stream is gone. */
bool resubscribe_add(struct stream *stream,
                     const struct client_message *message);
bool resubscribe_remove(struct stream *stream,
                        const struct client_message *message);

#endif
