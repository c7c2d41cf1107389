/* session_table.h -- the journal's side of the sessions in memory.
 *
 * A row is a copy of a session that is to be written. The thread takes all rows
 * that are behind, writes them, and says how that ended: sessions_settle or
 * sessions_undo.
 *
 * Threads   create, load, destroy: main, before and after the others. The rest:
 *           the journal's thread.
 * Memory    A removed session is freed when its removal is settled. `taken`
 *           belongs to the table and is valid until settle or undo.
 * Units     Wall milliseconds.
 * Errors    None.
 */
#ifndef JOURNAL_SESSION_TABLE_H
#define JOURNAL_SESSION_TABLE_H

#include <tidings/sessions.h>

struct session;

struct session_row {
    uint64_t acked, sent;
    int64_t touched_ms;
    uint64_t born, version; /* session_sharing.h; 0: nobody shares it */
    bool is_owed, is_told, is_anew;
    struct text name;        /* of the session; fixed */
    struct session *session; /* of the table's own */
    bool is_removed;
};

/* `tell_touch_ms`: others are told of a use when the last that they know of is
 * so old; 0: others are told nothing. */
struct sessions *sessions_create_table(unsigned limit, int64_t tell_touch_ms);
void sessions_destroy_table(struct sessions **sessions);

/* As a row has it. Beyond the limit too: what is stored is kept. */
void sessions_load(struct sessions *sessions, const struct session_row *row);

/* Any thread: true for one caller while rows are behind and nobody has yet seen
 * to a commit of them. */
bool sessions_should_commit(struct sessions *sessions);

/* Are there rows that are behind? */
bool sessions_are_behind(struct sessions *sessions);

/* Takes all that are behind. */
const struct session_row *sessions_take(struct sessions *sessions,
                                        unsigned *count_out);

/* How many are taken now. */
unsigned sessions_taken_count(const struct sessions *sessions);

void sessions_settle(struct sessions *sessions);
void sessions_undo(struct sessions *sessions);

/* Looks at part of the table: removes those last used before `before_ms`.
 * `*cursor` starts at 0 and is 0 again at the end; `*oldest_ms` is lowered to
 * the last use of those that stay. */
void sessions_expire(struct sessions *sessions, int64_t before_ms,
                     unsigned *cursor, int64_t *oldest_ms);

#endif
