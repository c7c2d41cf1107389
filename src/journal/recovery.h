/* recovery.h -- from what is stored to what the journal's thread knows.
 *
 * Threads   main in journal_open; a read-only journal's one reader.
 * Memory    Fills registry and ledger.
 * Units     Ids.
 * Errors    ST_CORRUPT, with a sentence in `why`; ST_IO.
 */
#ifndef JOURNAL_RECOVERY_H
#define JOURNAL_RECOVERY_H

#include "journal_state.h"

/* Rows, then the events after the checkpoint. */
enum status recovery_load(struct journal *journal, MDB_txn *txn, char *why,
                          size_t why_bytes) MUST_USE;

/* Read-only, beside a writer: what came since the last load or follow. */
enum status recovery_follow(struct journal *journal, MDB_txn *txn) MUST_USE;

#endif
