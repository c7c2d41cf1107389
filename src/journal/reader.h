/* reader.h -- one slice of reading: a snapshot, and what is left of the limits.
 *
 * Threads   One at a time per reader.
 * Memory    A reader owns one reusable read transaction.
 * Units     Ids, events, bytes of type and data, records looked at.
 * Errors    ST_CORRUPT a record is not what it must be. ST_NOT_FOUND the id is
 *           not in the snapshot. ST_BUSY too many readers. ST_IO.
 */
#ifndef JOURNAL_READER_H
#define JOURNAL_READER_H

#include "journal_state.h"
#include "record.h"

struct journal_reader {
    struct journal *journal;
    MDB_txn *txn;       /* reset between slices; NULL before the first */
    MDB_cursor *cursor; /* on events, renewed with it */
    struct journal_trail trail; /* for queries that bring none */
};

/* A slice being read. */
struct slice {
    struct journal_reader *reader;
    const struct journal_query *query;
    journal_visit_fn *visit;
    void *visit_arg;
    uint64_t position;  /* everything wanted up to here was given */
    uint64_t newest_id; /* where the reading ends */
    unsigned events, scanned;
    size_t bytes;
    bool is_full; /* a limit was reached */
};

/* Begins the snapshot; reader_leave ends it. */
enum status reader_enter(struct journal_reader *reader) MUST_USE;
void reader_leave(struct journal_reader *reader);

/* The record under `id`, valid until reader_leave. */
enum status reader_get(struct journal_reader *reader, uint64_t id,
                       MDB_val *value_out, struct record *record_out) MUST_USE;

/* The id at one end of the snapshot; 0 = no events. */
enum status reader_end(struct journal_reader *reader, MDB_cursor_op end,
                       uint64_t *id_out) MUST_USE;

/* Gives one event if the limits allow it; else the slice is full. One that was
 * withdrawn is passed. */
enum status slice_give(struct slice *slice, uint64_t id, const MDB_val *value,
                       const struct record *record,
                       const struct channel_entry *entry) MUST_USE;

#endif
