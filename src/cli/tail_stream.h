/* tail_stream.h -- the two kinds of stream that `tidings tail` reads, as one.
 *
 * One channel is read as Server-Sent Events, as a browser would. That format
 * does not tell the channel, so several channels, or a pattern, are read as
 * lines: one JSON object with everything per event.
 *
 * A pure function over bytes: no socket, no clock.
 *
 * Threads   The owner.
 * Memory    init allocates nothing; fini frees. What the callback gets is valid
 *           during the call.
 * Units     Milliseconds.
 * Errors    ST_TOO_BIG an event is over 80 MiB; ST_CORRUPT a line is no event.
 *           Neither comes from a server of ours.
 */
#ifndef CLI_TAIL_STREAM_H
#define CLI_TAIL_STREAM_H

#include "sse_reader.h"

struct tail_event {
    struct text id; /* empty: it has none */
    struct text channel, type;
    struct text data;      /* the text itself */
    struct text data_json; /* the same as JSON */
};

typedef void tail_event_fn(void *arg, const struct tail_event *event);

struct tail_stream {
    bool by_lines;       /* fixed at init */
    struct text channel; /* fixed at init: the one, when not by lines */
    tail_event_fn *each; /* fixed at init */
    void *arg;           /* fixed at init */

    struct sse_reader sse;
    struct buffer line;       /* unfinished */
    struct buffer line_id;    /* of the last whole line */
    struct buffer data, json; /* of the event being told */
};

/* `channel` empty: by lines. */
void tail_stream_init(struct tail_stream *stream, struct text channel,
                      tail_event_fn *each, void *arg);
void tail_stream_fini(struct tail_stream *stream);

/* A new connection, whose answer says that it goes on after `position`. */
void tail_stream_restart(struct tail_stream *stream, struct text position);

enum status tail_stream_feed(struct tail_stream *stream,
                             struct text bytes) MUST_USE;

/* Of the last whole event; empty: none yet. */
struct text tail_stream_position(const struct tail_stream *stream);

/* The server's wish, 0 if it said none. */
unsigned tail_stream_retry_ms(const struct tail_stream *stream);

#endif
