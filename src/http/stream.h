/* stream.h -- a subscriber on a connection: what leaves, in every flavor.
 *
 * Threads   The crew thread of the connection.
 * Memory    A stream is the role of its connection and ends with it. The order
 *           is taken over, and freed once the stream has begun: what an idle
 *           subscriber costs is struct stream and its connection.
 * Units     Milliseconds.
 * Errors    None: the client is answered.
 */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "order.h"
#include "resume.h"
#include "wait_keys.h"

#include <tidings/crew.h>
#include <tidings/subscriber.h>

/* One answer is gathered here before it is known how much there is. */
struct gathering {
    struct buffer body;
    unsigned events;
};

struct stream {
    struct subscriber subscriber; /* first */
    struct connection *connection;
    struct order *order; /* NULL once begun */
    struct wait_key *key;
    struct gathering *gathering; /* one answer: not NULL */
    struct journal_trail trail;
    int32_t wait_ms;
    uint8_t flavor;
    bool is_ndjson : 1;
    bool is_spread : 1; /* the home sent it here */
    bool is_busy : 1;   /* its wait key is held by another */
    bool has_message_keepalive : 1;
    bool has_told_gap : 1;
};

/* Takes the order; answers or subscribes, perhaps on another thread. */
void stream_open(struct connection *connection, struct order **order);

/* stream_bytes.c: what is sent besides events. Appended to `out`. */
void stream_append_head(struct stream *stream, const struct order *order,
                        const struct resume *resume, struct buffer *out);
void stream_append_opening(struct stream *stream, const struct order *order,
                           struct buffer *out);
void stream_append_gap(const struct stream *stream, struct text requested,
                       const struct resume *resume, struct buffer *out);
void stream_append_keepalive(const struct stream *stream, struct buffer *out);
void stream_append_retry(const struct stream *stream, unsigned retry_ms,
                         struct buffer *out);
void stream_append_end(const struct stream *stream, struct buffer *out);
unsigned stream_jittered_retry_ms(struct crew *crew);
extern const char stream_headers[]; /* always sent: protocol.md 2 */

/* poll_answer.c: the one answer of long-poll, short-poll and lines. */
void poll_answer(struct stream *stream); /* what was gathered, or nothing */
void poll_answer_run(struct stream *stream, struct frames *frames,
                     uint32_t from, uint32_t to, uint64_t last_id);

#endif
