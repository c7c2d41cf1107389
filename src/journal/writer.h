/* writer.h -- the journal's thread: takes, writes, commits, answers.
 *
 * Threads   writer_run is the thread. A test without it may call the others
 *           itself, from one thread.
 * Memory    Takes over the publishes it is given; each is answered.
 * Units     Wall milliseconds for what is stored, monotonic for deadlines.
 * Errors    None: what goes wrong is answered, or ends the process.
 */
#ifndef JOURNAL_WRITER_H
#define JOURNAL_WRITER_H

#include "journal_state.h"

void writer_init(struct journal *journal);
void writer_fini(struct journal *journal);

/* The thread's function; `journal` is its argument. */
void writer_run(void *journal);

/* Commits and answers a list of publishes, in as many transactions as needed.
 */
void writer_handle(struct journal *journal, struct msg *msgs);

/* Does what is due without publishers. False if nothing was. */
bool writer_tick(struct journal *journal);

/* How long the thread may sleep when nobody posts. */
unsigned writer_wait_ms(const struct journal *journal);

/* Writes every row that is behind. */
void writer_checkpoint(struct journal *journal);

#endif
