/* sources.h -- how far the journal has read a stream that it follows.
 *
 * A journal that follows a stream does not number events itself: each comes with
 * the id that every instance gives it. With the events, in one transaction, goes
 * the position behind them, so that a start goes on exactly where the last
 * commit ended, whatever ended it.
 *
 * A step is one publish's piece of the stream. Steps join: each says where it
 * begins, and one that does not begin where the last stored one ended is
 * refused, so that the position can never pass an event that was not stored.
 * What a piece says of sessions is learned in the same transaction.
 *
 * Threads   A step belongs to whoever holds its publish. source_stored: any,
 *           but after journal_open only what was stored then.
 * Memory    step_create; destroyed with its publish.
 * Units     Sequences of the stream; ids.
 * Errors    None.
 */
#ifndef TIDINGS_SOURCES_H
#define TIDINGS_SOURCES_H

#include <stdbool.h>
#include <stdint.h>

#define SOURCE_NAME_MAX_BYTES 255
#define SOURCE_ROW_MAX_BYTES  2048

struct journal;
struct session_news;

struct source_step {
    uint64_t after;    /* the sequence that is stored already; 0: none */
    uint64_t upto;     /* and that which will be */
    uint64_t first_id; /* of the first event that any instance can have */
    uint64_t
        missing_id; /* events up to this id are not to be had; 0: all are */
    /* Ids between these two are of events that the stream has taken back, or of
     * none; both 0: nothing was taken back. */
    uint64_t rewound_after, rewound_upto;
    struct session_news *news; /* what it says of sessions; owned */
    unsigned news_count;
    uint32_t row_bytes;
    unsigned char row[]; /* what the follower wants to know at its next start */
};

struct source_step *source_step_create(const unsigned char *row,
                                       uint32_t row_bytes);
void source_step_destroy(struct source_step **step);

/* What was stored for the stream that the journal follows, when it was opened;
 * false: nothing yet. The row is the journal's. */
struct source_stored {
    uint64_t upto;
    const unsigned char *row;
    uint32_t row_bytes;
};
bool source_stored(const struct journal *journal, struct source_stored *out);

#endif
