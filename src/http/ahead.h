/* ahead.h -- a client that has read more than this instance has.
 *
 * Instances of one stream give the same ids, but not at the same moment. A client
 * that comes from one that is further on is in front of the newest event here: it
 * waits, gets nothing that it has, and goes on when this instance has passed its
 * position. It waits `ahead_wait_ms` at most; then it is told a gap (future) and
 * gets what comes here, which it may have.
 *
 * Threads   The crew thread of the connection.
 * Memory    A note per waiting subscriber, freed when it waits no more.
 * Units     Ids; milliseconds.
 * Errors    None.
 */
#ifndef HTTP_AHEAD_H
#define HTTP_AHEAD_H

#include "resume.h"

#include <stdbool.h>

struct stream;

/* May an id that is newer than the newest here be one of another instance? */
bool ahead_is_plausible(const struct crew *crew, uint64_t id);

/* Begins the wait if the position is ahead; before the deadline is set. */
void ahead_begin(struct stream *stream, const struct resume *resume);

/* How long the next deadline may be: `otherwise_ms`, or less while it waits. */
int64_t ahead_deadline_ms(const struct stream *stream, int64_t otherwise_ms);

/* How long one answer waits: its own time, or, ahead, `ahead_wait_ms`. A
 * short-poll waits too, only then. */
int64_t ahead_patience_ms(const struct stream *stream);

/* A deadline has passed. If its patience is over, it is told; a poll gets its gap
 * into what is gathered. True: it was waiting, and does not wait any more. */
bool ahead_expired(struct stream *stream);

void ahead_end(struct stream *stream);

#endif
