/* retention.h -- deletes what need not be kept any longer, oldest first.
 *
 * A sweep walks the events in order of id, a slice per transaction, and deletes
 * what its channel's limits (age, count, bytes) or the limit of the whole
 * journal let go. The channels that it took from owe their rows to the same
 * transaction (checkpoint_put_owed), so that no crash can leave a figure that
 * lies.
 *
 * Threads   The journal's.
 * Memory    A list of ids, of one slice.
 * Units     Events, bytes as stored, wall milliseconds; pauses on the monotonic
 *           clock.
 * Errors    ST_NO_SPACE, ST_IO, ST_CORRUPT: the transaction must be undone.
 */
#ifndef JOURNAL_RETENTION_H
#define JOURNAL_RETENTION_H

#include "environment.h"
#include "ledger.h"

struct sweep {
    bool is_running;
    bool is_front;      /* nothing was kept yet: this is the oldest end */
    bool trims_bytes;   /* the whole journal is over its limit */
    uint64_t next_id;   /* where the next slice begins */
    uint64_t spent_us;  /* by this sweep so far */
    int64_t due_ms;     /* earliest that something kept gets too old */
    int64_t pause_ends; /* monotonic: the next sweep begins no earlier */
};

struct retention {
    uint64_t keep_bytes; /* fixed at init; 0 = no limit */
    struct sweep sweep, settled;
    uint64_t *doomed; /* ids of the slice */
    unsigned doomed_count, doomed_room;
    uint64_t trimmed; /* events deleted by the open transaction */
};

/* How much one slice may do. */
struct retention_budget {
    unsigned visits, deletes;
};

void retention_init(struct retention *retention, uint64_t keep_bytes);
void retention_fini(struct retention *retention);

/* How long until a slice is useful; 0 = now, -1 = nothing to come. */
int64_t retention_due_in(const struct retention *retention,
                         const struct ledger *ledger, int64_t wall_ms,
                         int64_t now_ms);

enum status retention_slice(struct retention *retention,
                            const struct environment *environment,
                            struct ledger *ledger, MDB_txn *txn,
                            int64_t wall_ms, int64_t now_ms,
                            struct retention_budget budget) MUST_USE;

void retention_settle(struct retention *retention);
void retention_undo(struct retention *retention);

#endif
