/* sessions.h -- how far clients have read that cannot keep a position.
 *
 * A session has a name that its client chose. `acked` is the newest id that the
 * client is known to have; it only rises. `sent` is the newest id of an answer
 * that has begun; when that is written whole, the session's next request
 * acknowledges it. An answer in the middle is never acknowledged: its client may
 * be one that gave it up and asks again.
 *
 * The truth is in memory, loaded when the journal is opened; what changes is
 * written with the journal's next commit, whichever that is. Who must know that
 * it is on the disk posts a publish without events after the change: its answer
 * comes after a commit that has it. Who need not know calls
 * journal_commit_sessions.
 *
 * Life: made by sessions_create, used, removed by sessions_remove or, when
 * nobody has used it for long (session_rows.c), by the journal.
 *
 * Threads   Any. One short lock; nothing is read or written under it.
 * Memory    Some 200 bytes per session, at most `limit` of them. Views are
 *           copies.
 * Units     Ids; wall milliseconds.
 * Errors    ST_NOT_FOUND no such session. ST_FULL there is no room for a new
 *           one.
 */
#ifndef TIDINGS_SESSIONS_H
#define TIDINGS_SESSIONS_H

#include <tidings/status.h>
#include <tidings/text.h>

#include <stdint.h>

#define SESSION_NAME_MAX_BYTES 128

struct journal;
struct sessions;

struct session_view {
    uint64_t acked, sent;
    int64_t touched_ms; /* last used */
    bool is_stored;     /* it is on the disk, perhaps with an older position */
    bool is_told;       /* it was ever in the stream (session_sharing.h) */
    bool is_settled;    /* and so is every answer that is written whole */
    bool is_ours;       /* others ask here what it was answered last */
    bool is_answered;   /* just now: its newest answer is not written whole */
    unsigned writer;    /* of that one: the number that its begin gave */
};

/* 1 to 128 of A-Z a-z 0-9 . _ ~ - */
bool session_name_is_valid(struct text name);

struct sessions *journal_sessions(struct journal *journal);

/* Sees to it that changes so far are committed soon; does not wait. */
void journal_commit_sessions(struct journal *journal);

unsigned sessions_count(struct sessions *sessions);

enum status sessions_find(struct sessions *sessions, struct text name,
                          struct session_view *view_out) MUST_USE;

/* Finds it, or makes it with this position. */
enum status sessions_create(struct sessions *sessions, struct text name,
                            uint64_t acked, int64_t wall_ms,
                            struct session_view *view_out) MUST_USE;

/* Its client asks anew: what was written up to `upto` has arrived. */
enum status sessions_use(struct sessions *sessions, struct text name,
                         uint64_t upto, int64_t wall_ms,
                         struct session_view *view_out) MUST_USE;

/* The client says that it has everything up to `id`, which the caller has
 * checked. A lower one changes nothing. */
enum status sessions_ack(struct sessions *sessions, struct text name,
                         uint64_t id, int64_t wall_ms,
                         struct session_view *view_out) MUST_USE;

/* The life of an answer up to `id`: `writer` begins it, and it is written whole
 * or not. A session that is gone is passed over. */
void sessions_begin(struct sessions *sessions, struct text name, uint64_t id,
                    unsigned writer);
void sessions_written(struct sessions *sessions, struct text name, uint64_t id);
void sessions_cut_off(struct sessions *sessions, struct text name, uint64_t id);

enum status sessions_remove(struct sessions *sessions,
                            struct text name) MUST_USE;

#endif
