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
#include "session_subscribe.h"
#include "wait_keys.h"
#include "websocket_stream.h"

#include <tidings/crew.h>
#include <tidings/subscriber.h>

/* One answer is gathered here before it is known how much there is. */
struct gathering {
    struct buffer body;
    unsigned events;
    struct frames *answer; /* waits to be claimed; else NULL */
    uint64_t upto;         /* and up to which id it is */
};

struct stream {
    struct subscriber subscriber; /* first */
    struct connection *connection;
    struct order *order; /* NULL once begun */
    struct wait_key *key;
    struct gathering *gathering;    /* one answer: not NULL */
    struct websocket *websocket;    /* of that flavor: not NULL */
    struct stream_session *session; /* NULL: none */
    struct ahead *ahead;            /* its position is: not NULL */
    struct journal_trail trail;
    struct gzip_sum sum; /* of a compressed stream, so far */
    union {
        int32_t wait_ms; /* for one answer: how long at most */
        uint32_t ends_s; /* else: when its token ends, wall time; 0: never */
    } until;
    uint8_t flavor;
    bool is_ndjson : 1;
    bool is_spread : 1; /* the home sent it here */
    bool is_busy : 1;   /* its wait key is held by another */
    bool has_message_keepalive : 1;
    bool has_told_gap : 1;
    bool is_gzip : 1; /* the client takes Content-Encoding: gzip */
};

/* Takes the order; answers or subscribes, perhaps on another thread. */
void stream_open(struct connection *connection, struct order **order);

/* Takes the order, and begins a stream that ends at once and says when to come
 * back. */
void stream_turn_away(struct connection *connection, struct order **order);

/* ---- between the files of this room ---------------------------------------- */

/* stream.c */
extern const struct subscriber_calls stream_subscriber_calls;
struct stream *stream_of(struct connection *connection);
void stream_count(struct stream *stream, enum metric metric, int64_t by);
void stream_push(struct stream *stream, struct frames *frames, uint32_t from,
                 uint32_t to);
/* What is no event, in the framing of the stream's format. */
void stream_say(struct stream *stream, struct text shape);
/* Bytes as they are: heads, ends. */
void stream_push_raw(struct stream *stream, struct text bytes);
void stream_arm_keepalive(struct stream *stream);
/* Something was sent: the silence begins anew. */
void stream_touch_keepalive(struct stream *stream);
void stream_finish(struct stream *stream, bool says_retry);
/* Its token ends: now. Else a keep-alive is all that is due. */
bool stream_is_over(const struct stream *stream);
/* For want of a token that holds; `why` is counted. */
void stream_end_access(struct stream *stream, enum metric why);
void stream_revoked(struct connection *connection);
void stream_leave(struct stream *stream);
void stream_drained(struct connection *connection);
void stream_destroy(struct connection *connection);
void stream_go_live(struct stream *stream);
/* The one answer is on its way: no further offer may come. */
void stream_answer_now(struct stream *stream);

static inline enum frame_format stream_format(const struct stream *stream)
{
    return (enum frame_format)stream->subscriber.format;
}

/* Tells of the shutdown and ends; stream_announced leaves a poll that has not
 * read all that it missed to do so later. */
void stream_announced(struct connection *connection);
void stream_tell_shutdown(struct stream *stream);

/* stream_begin.c */
void stream_arrived(struct connection *connection);
void stream_begin(struct stream *stream);

/* stream_replay.c */
void stream_replay(struct connection *connection);
void stream_log_failure(enum status st);

/* stream_bytes.c: the head; then shapes of what is sent besides events, which
 * stream_say frames; the end. Appended to `out`. `resume` NULL: the head names no
 * position. */
void stream_append_head(struct stream *stream, const struct resume *resume,
                        struct buffer *out);
void stream_append_opening(struct stream *stream, const struct order *order,
                           struct buffer *out);
void stream_append_gap(const struct stream *stream, struct text requested,
                       const struct resume *resume, struct buffer *out);
/* The scheduled shutdown that is now: protocol.md 8. */
void stream_append_announcement(const struct stream *stream,
                                struct buffer *out);
void stream_append_keepalive(const struct stream *stream, struct buffer *out);
void stream_append_retry(const struct stream *stream, unsigned retry_ms,
                         struct buffer *out);
void stream_append_end(const struct stream *stream, struct buffer *out);
unsigned stream_jittered_retry_ms(struct crew *crew);
extern const char stream_headers[]; /* always sent: protocol.md 2 */
extern const char stream_gzip_header[];

/* poll_answer.c: the one answer of long-poll, short-poll and lines. */
void poll_answer(struct stream *stream); /* what was gathered, or nothing */
void poll_claimed(struct connection *connection, struct publish *publish);
/* Of an answer without its body: how long that would be is not known. */
void poll_append_head(struct stream *stream, uint64_t last_id,
                      struct buffer *out);
void poll_answer_run(struct stream *stream, struct frames *frames,
                     uint32_t from, uint32_t to, uint64_t last_id);

#endif
