/* outbox.h -- bytes on their way to one client.
 *
 * A short queue of slices of shared frames. Slices that follow each other in
 * the same frames become one. Two slices lie inside the outbox, so that an idle
 * or prompt reader costs no allocation.
 *
 * Full      The outbox has no limit of its own: whoever offers events asks
 *           outbox_cost() first and puts the subscriber back to replaying.
 *
 * Threads   The crew thread that owns the connection.
 * Memory    One reference per slice, dropped when its bytes are written.
 * Units     Bytes.
 * Errors    ST_CLOSED the socket is gone; ST_FULL it takes no more now.
 */
#ifndef CREW_OUTBOX_H
#define CREW_OUTBOX_H

#include "link.h"

#include <tidings/frames.h>
#include <tidings/metrics.h>
#include <tidings/status.h>

struct outbox_slice {
    struct frames *frames;
    uint32_t from, to;
};

enum { OUTBOX_INSIDE = 2 };

struct outbox {
    size_t bytes;
    struct outbox_slice *outside; /* NULL: the slices lie inside */
    uint32_t head, count, capacity;
    struct outbox_slice inside[OUTBOX_INSIDE];
};

void outbox_init(struct outbox *outbox);
void outbox_fini(struct outbox *outbox);

/* Takes a reference to the frames. */
void outbox_push(struct outbox *outbox, struct frames *frames, uint32_t from,
                 uint32_t to);

/* Writes until it is empty (ST_OK) or the socket takes no more (ST_FULL). */
enum status outbox_write(struct outbox *outbox, struct link *link,
                         struct metrics *metrics) MUST_USE;

/* Bytes that wait, and what it takes to keep them: a slice may be smaller than
 * its place in the queue. */
static inline size_t outbox_cost(const struct outbox *outbox)
{
    return outbox->bytes + outbox->count * sizeof(struct outbox_slice);
}

static inline bool outbox_is_empty(const struct outbox *outbox)
{
    return outbox->count == 0;
}

#endif
