/* session_rows.h -- sessions on the disk: loaded at open, written with commits.
 *
 * Threads   load: main, before the journal's thread runs. each: any, in its own
 *           transaction. The rest: the journal's.
 * Memory    init makes the table in memory, fini frees it.
 * Units     Wall milliseconds; pauses on the monotonic clock.
 * Errors    ST_NO_SPACE, ST_IO, ST_CORRUPT from LMDB: the transaction must be
 *           undone.
 */
#ifndef JOURNAL_SESSION_ROWS_H
#define JOURNAL_SESSION_ROWS_H

#include "environment.h"
#include "session_table.h"

struct session_rows {
    struct sessions *sessions; /* fixed at init; has its own rules */
    int64_t keep_ms;           /* fixed at init: unused ones, at least */
    struct {
        bool is_running;
        unsigned cursor;
        int64_t before_ms;  /* last use of those that go */
        int64_t oldest_ms;  /* last use of those that stay, so far */
        int64_t due_ms;     /* the next one finds nothing earlier */
        int64_t pause_ends; /* monotonic: nor begins */
    } sweep;
};

void session_rows_init(struct session_rows *rows, unsigned limit,
                       int64_t keep_ms, bool is_shared);
void session_rows_fini(struct session_rows *rows);

/* Damaged rows are passed over and logged. */
enum status session_rows_load(struct session_rows *rows,
                              const struct environment *environment,
                              MDB_txn *txn) MUST_USE;

/* Every row; `row` is NULL for a damaged one, whose name may be anything. */
typedef void session_row_fn(void *arg, struct text name,
                            const struct session_row *row);
enum status session_rows_each(const struct environment *environment,
                              MDB_txn *txn, session_row_fn *each,
                              void *arg) MUST_USE;

/* The same in a transaction of its own. */
enum status journal_each_session(struct journal *journal, session_row_fn *each,
                                 void *arg) MUST_USE;

/* How long until there is something to do; 0 = now, -1 = nothing to come. */
int64_t session_rows_due_in(const struct session_rows *rows, int64_t wall_ms,
                            int64_t now_ms);

/* A slice of the sweep, if it is due; then all rows that are behind. */
enum status session_rows_write(struct session_rows *rows,
                               const struct environment *environment,
                               MDB_txn *txn, int64_t wall_ms,
                               int64_t now_ms) MUST_USE;

/* What the rows of the open transaction change; about. */
uint64_t session_rows_pages(const struct session_rows *rows);

#endif
