/* sse_reader.h -- a stream of Server-Sent Events, read as a browser would.
 *
 * Bytes go in as they come, whole events come out. A pure function over bytes:
 * no socket, no clock.
 *
 * Threads   The owner.
 * Memory    init allocates nothing; fini frees. What the callback gets is valid
 *           during the call.
 * Units     Milliseconds.
 * Errors    ST_TOO_BIG an event or line is over 80 MiB: not a server of ours.
 */
#ifndef CLI_SSE_READER_H
#define CLI_SSE_READER_H

#include <tidings/buffer.h>
#include <tidings/status.h>

struct sse_message {
    struct text type; /* empty: none was said */
    struct text data;
    struct text id; /* the last one said, in this event or before */
};

typedef void sse_message_fn(void *arg, const struct sse_message *message);

struct sse_reader {
    struct buffer line, type, data;
    struct buffer said_id; /* in the event under way, or before */
    struct buffer id;      /* of the last whole event: where to go on */
    bool has_data;         /* also when the data is empty */
    bool skips_lf;         /* the last line ended in CR */
    unsigned retry_ms;     /* the server's wish; 0: none yet */
};

void sse_reader_init(struct sse_reader *reader);
void sse_reader_fini(struct sse_reader *reader);

/* A new connection: forgets the unfinished event, keeps id and retry. */
void sse_reader_restart(struct sse_reader *reader);

enum status sse_reader_feed(struct sse_reader *reader, struct text bytes,
                            sse_message_fn *each, void *arg) MUST_USE;

#endif
