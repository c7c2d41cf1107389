/* session_inside.h -- what a session in memory is made of, for the files of this
 * chapter that change it.
 *
 * Threads   All under the table's mutex, but as grouped below.
 * Memory    As session_table.h has it.
 * Units     Ids; wall milliseconds, monotonic where said.
 * Errors    None.
 */
#ifndef JOURNAL_SESSION_INSIDE_H
#define JOURNAL_SESSION_INSIDE_H

#include "session_table.h"

#include <tidings/list.h>
#include <tidings/session_sharing.h>

#include <uv.h>

struct session {
    struct session *next_in_bucket;
    struct session *next_changed;
    uint64_t acked;
    uint64_t sent;    /* of answers that have begun; not stored */
    uint64_t written; /* of those that are written whole: sent, in its row */
    uint64_t stored;  /* `written` as the newest commit had it */
    int64_t touched_ms;
    unsigned writer; /* who began the answer up to `sent` */
    bool is_changed; /* in the list */
    bool is_stored;  /* a commit had it */
    bool is_removed; /* a mark: nobody finds it */
    bool is_ours;    /* the newest message of it that is known is from here */
    bool is_owed;    /* the stream does not have all of it */
    bool is_told;    /* the stream has had this life */
    bool is_anew;    /* session_sharing.h */
    struct list_node owed;
    uint64_t born, version, sequence; /* session_sharing.h */
    int64_t told_touched_ms;          /* as others know it */
    unsigned change;                  /* counts what became owed */
    unsigned told;                    /* messages in the second of told_s */
    int64_t told_s;                   /* monotonic seconds */
    uint8_t name_bytes;
    char name[];
};

struct sessions {
    uv_mutex_t mutex;
    unsigned limit;           /* fixed at create */
    unsigned bucket_count;    /* fixed at create: a power of two */
    int64_t tell_touch_ms;    /* fixed at create; 0: nothing is ever owed */
    struct session **buckets; /* guarded by mutex, and what follows */
    unsigned count;           /* marks too */
    struct session *changed;
    unsigned changed_count;
    bool is_commit_coming; /* asked for since the rows were taken last */
    struct list_node owed; /* oldest first */
    unsigned owed_count;   /* also those that were taken out to be told */
    bool must_wake;        /* at the unlock */

    const struct session_sharer *sharer; /* set by main; lent to wake */

    struct session_row *taken; /* the journal's thread only */
    unsigned taken_count, taken_room;
};

static inline struct text session_text(const struct session *session)
{
    return (struct text){session->name, session->name_bytes};
}

/* The mark of a removed one too. */
struct session *session_find_any_locked(struct sessions *sessions,
                                        struct text name);
struct session *session_find_locked(struct sessions *sessions,
                                    struct text name);

/* A new one, or the mark come to life; NULL: there is no room. */
struct session *session_open_locked(struct sessions *sessions,
                                    struct text name);

/* Its row is behind. */
void session_changed_locked(struct sessions *sessions, struct session *session);

void session_remove_locked(struct sessions *sessions, struct session *session);

/* session_sharing.c: others must be told, or need not any more. */
void session_owe_locked(struct sessions *sessions, struct session *session);
void session_settle_debt_locked(struct sessions *sessions,
                                struct session *session);

/* The unlock of whoever may have begun to owe something: wakes who tells. */
void sessions_unlock(struct sessions *sessions);

/* Chance; never 0, and exact in JSON. */
uint64_t session_birth(void);

#endif
