/* replay.h -- the journal, slice by slice, for a subscriber that is behind.
 *
 * Threads   The subscriber's crew thread.
 * Memory    The frames are the caller's (unref). Slices of one channel are
 *           kept a while, so that many subscribers who fell behind together,
 *           or came back together, share what was read and encoded once.
 * Units     Events and bytes of their data.
 * Errors    ST_IO: the journal could not be read; the cursor stays. A damaged
 *           record is no error but a gap.
 */
#ifndef TIDINGS_REPLAY_H
#define TIDINGS_REPLAY_H

#include <tidings/crew.h>
#include <tidings/subscriber.h>

struct replay_cache;

struct replay_cache *replay_cache_create(void);
void replay_cache_destroy(struct replay_cache **cache);

struct replay {
    struct frames *frames; /* the caller's to unref; NULL: nothing there */
    bool is_caught_up;     /* the subscriber may go LIVE */
    bool is_rewound;       /* with has_gap: the stream took it back */
    bool has_gap;          /* retention took some of it before it was read */
    uint64_t resumed;      /* with a gap: the position really used */
};

/* What follows the subscriber's cursor, which is advanced. */
enum status replay_slice(struct crew *crew, struct subscriber *subscriber,
                         struct journal_trail *trail, unsigned max_events,
                         size_t max_bytes, struct replay *replay_out) MUST_USE;

/* Right after joining: what is gone by now is the business of who resolves the
 * position, what goes later is told by replay_slice. */
void replay_note_trimmed(struct crew *crew, struct subscriber *subscriber);

#endif
