/* checkpoint.h -- writes the figures of changed channels into their rows.
 *
 * Every 65,536 events, 5 seconds after the first change, and at stop; with very
 * many channels less often. A long list is written in slices, a few inside each
 * commit, so that no publisher waits for all of it.
 *
 * Threads   The journal's.
 * Memory    A list of the numbers of changed channels.
 * Units     Events, milliseconds (monotonic).
 * Errors    ST_NO_SPACE, ST_IO from LMDB: the transaction must be undone.
 */
#ifndef JOURNAL_CHECKPOINT_H
#define JOURNAL_CHECKPOINT_H

#include "environment.h"
#include "ledger.h"

#define CHECKPOINT_EVENTS     65536u
#define CHECKPOINT_MS         5000
#define CHECKPOINT_EVENTS_MAX (1u << 20) /* when there are very many channels */
#define CHECKPOINT_MS_MAX     60000

struct checkpoint {
    uint32_t *changed; /* numbers, each once: [head, end) */
    unsigned head, end, room;
    unsigned taken;     /* by the open transaction */
    bool ends_now;      /* the open transaction writes its end */
    unsigned left;      /* of the running checkpoint; 0 = none runs */
    uint64_t target_id; /* of the running one */
    uint64_t done_id;   /* of the last one */
    int64_t changed_ms; /* first change since it; 0 = none */
};

void checkpoint_init(struct checkpoint *checkpoint, uint64_t done_id);
void checkpoint_fini(struct checkpoint *checkpoint);

/* Notes that the channel's row is behind. */
void checkpoint_note(struct checkpoint *checkpoint,
                     struct ledger_channel *channel, int64_t now_ms);

/* Channels whose rows are behind. */
unsigned checkpoint_count(const struct checkpoint *checkpoint);

/* How long until there is something to write; 0 = now, -1 = nothing to come. */
int64_t checkpoint_due_in(const struct checkpoint *checkpoint,
                          const struct ledger *ledger, int64_t now_ms);

/* Starts a checkpoint of everything that has changed so far. */
void checkpoint_start(struct checkpoint *checkpoint,
                      const struct ledger *ledger);

/* Up to `rows` of the running one. */
enum status checkpoint_slice(struct checkpoint *checkpoint,
                             const struct environment *environment,
                             struct ledger *ledger, MDB_txn *txn,
                             unsigned rows) MUST_USE;

/* After the commit, or instead of it (after ledger_undo). */
void checkpoint_settle(struct checkpoint *checkpoint, int64_t now_ms);
void checkpoint_undo(struct checkpoint *checkpoint, struct ledger *ledger);

/* The rows without which a crash would leave figures that lie: of channels of
 * which the open transaction has trimmed or amended something. */
enum status checkpoint_put_owed(const struct environment *environment,
                                struct ledger *ledger, MDB_txn *txn) MUST_USE;

/* One row as the ledger has it now, counting all up to its newest id. */
enum status checkpoint_put_row(const struct environment *environment,
                               struct ledger *ledger, MDB_txn *txn,
                               struct ledger_channel *channel) MUST_USE;

#endif
