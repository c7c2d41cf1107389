/* source.h -- the position in a followed stream, written with the events.
 *
 * Threads   load: main, at open. The rest: the journal's.
 * Memory    The row that was stored at open is the journal's for life.
 * Units     Sequences of the stream.
 * Errors    ST_NO_SPACE, ST_IO, ST_CORRUPT from LMDB. ST_BUSY a step that does
 *           not join; ST_RESERVED events that do not come from the stream.
 */
#ifndef JOURNAL_SOURCE_H
#define JOURNAL_SOURCE_H

#include "journal_state.h"

enum status source_load(struct journal *journal, MDB_txn *txn) MUST_USE;

/* May this publish be put in now? */
enum status source_look(const struct journal *journal,
                        const struct publish *publish) MUST_USE;

void source_begin(struct journal *journal);
void source_advance(struct journal *journal, const struct source_step *step);
/* The last thing before the commit. */
enum status source_write(struct journal *journal) MUST_USE;
void source_settle(struct journal *journal);
void source_undo(struct journal *journal);

/* The time by which keys grow old: of a follower's, the stream's. */
int64_t source_now_ms(const struct journal *journal);

#endif
