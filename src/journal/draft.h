/* draft.h -- the transaction being filled: events, and the chores beside them.
 *
 * Life: draft_begin, draft_put for each publish, draft_chores, then
 * draft_commit; or at any point draft_abort, after which nothing of it has
 * happened.
 *
 * Threads   The journal's.
 * Memory    Publishes put in are linked in the draft until it ends; then the
 *           writer answers them. Their events are lent.
 * Units     Events, bytes of type and data, wall milliseconds.
 * Errors    ST_NO_SPACE: abort. ST_FULL, ST_BAD_INPUT and the refusals of
 *           amend.h: this publish is refused and nothing of it was put in. All else from LMDB ends the process.
 */
#ifndef JOURNAL_DRAFT_H
#define JOURNAL_DRAFT_H

#include "journal_state.h"

void draft_begin(struct journal *journal);
bool draft_has_room(const struct journal *journal,
                    const struct publish *publish);
enum status draft_put(struct journal *journal,
                      struct publish *publish) MUST_USE;

/* clang-format off */
#define CHORES(C)                                                              \
    C(BESIDE, "with publishes in the same transaction: short")                 \
    C(ALONE,  "nobody waits: longer slices")                                   \
    C(TIGHT,  "no room: delete a few events, change as few pages as can be")
/* clang-format on */

enum chores {
#define C(name, meaning) CHORES_##name,
    CHORES(C)
#undef C
};

/* Retention, forgotten keys, rows: a slice of each that is due; and sessions. */
enum status draft_chores(struct journal *journal, enum chores chores) MUST_USE;

/* What it puts in, and what a transaction changes besides; about. */
uint64_t draft_pages(const struct journal *journal);

/* No event, no key, no session: whether there is room for it says nothing. */
bool draft_is_empty(const struct journal *journal);

enum status draft_commit(struct journal *journal) MUST_USE;
void draft_abort(struct journal *journal);

#endif
