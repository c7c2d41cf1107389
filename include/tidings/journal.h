/* journal.h -- the durable log: every event is in it before anybody hears of
 * it.
 *
 * One LMDB environment, one writing thread. Publishers post; the thread takes
 * all that waits, writes it in one transaction, commits once, then answers
 * every publisher and hands the batch to the listeners. While one commit runs,
 * the next batch gathers.
 *
 * Full      The journal's mailbox is bounded by count and bytes: journal_post
 *           then says ST_FULL and the publisher is told to come back. A full
 *           disk is answered ST_NO_SPACE; readers go on and publishing resumes
 *           when there is room again.
 *
 * Threads   open, start, stop, close, add_listener: main, in this order. post:
 *           any. Answers and listeners are called on the journal's thread and
 *           may only enqueue. A reader is used by one thread at a time.
 * Memory    A posted publish belongs to the journal until its answer is
 *           called; then to whom answers. A batch is shared by count.
 * Units     Ids; wall milliseconds; bytes.
 * Errors    As named at each call. A failed commit other than for room ends
 *           the process: its outcome is unknown (see journal.c).
 */
#ifndef TIDINGS_JOURNAL_H
#define TIDINGS_JOURNAL_H

#include <tidings/clock.h>
#include <tidings/event.h>
#include <tidings/mailbox.h>
#include <tidings/registry.h>
#include <tidings/sessions.h>
#include <tidings/sources.h>
#include <tidings/status.h>

#include <stdbool.h>

struct journal;

/* ---- what is kept ------------------------------------------------------ */

/* Retention of the channels that a pattern covers; 0 = no limit of this kind.
 */
struct journal_keep {
    int64_t age_ms;
    uint64_t count;
    uint64_t bytes;
};

struct journal_options {
    const char *directory; /* created if missing */
    size_t map_bytes;      /* address space for LMDB; 0 = 64 GiB */
    uint64_t first_id;     /* of a new journal; 0 = unix seconds << 20 */
    const char *follows;   /* a stream that numbers its events; NULL: none */
    uint64_t keep_bytes;   /* of all channels together: trims the oldest end */
    int64_t dedup_window_ms;
    unsigned channels_max;
    unsigned sessions_max;
    int64_t session_keep_ms; /* unused ones, at least (sessions.h) */
    unsigned mailbox_count;
    size_t mailbox_bytes;
    unsigned commit_events_max; /* of one transaction */
    bool is_read_only;          /* beside a running writer; start is a bug */
    const struct clock *clock;

    /* What a channel keeps; called on the journal's thread. NULL: all. */
    struct journal_keep (*keep)(void *arg, struct text channel);
    void *keep_arg;
};

/* Opens or creates. ST_BUSY another process writes here; ST_CORRUPT; ST_IO;
 * ST_NO_SPACE; `why` gets a sentence for humans. */
enum status journal_open(const struct journal_options *options,
                         struct journal **journal_out, char *why,
                         size_t why_bytes) MUST_USE;
void journal_start(struct journal *journal);

/* Commits and answers everything that was posted, checkpoints, joins. */
void journal_stop(struct journal *journal);
void journal_close(struct journal **journal);

struct registry *journal_registry(struct journal *journal);

/* Newest id that is durable; 0 in an empty journal... then `journal_floor - 1`
 * is the position of "everything". Any thread. */
uint64_t journal_last_id(const struct journal *journal);

/* The first id that this journal ever gave or will give: smaller positions (but
 * 0 = earliest) are of another journal. Fixed at open, or, of a new one that
 * follows a stream, with the first step (till then 1). Any thread. */
uint64_t journal_first_id(const struct journal *journal);

/* The newest id that retention took from any channel; 0 = none. Like a
 * channel's own, it is told before the event is gone. Any thread. */
uint64_t journal_trimmed_id(const struct journal *journal);

/* Of what the followed stream had, events up to this id never came here; 0: none
 * are missing. Told before an event behind them is there. Any thread. */
uint64_t journal_missing_id(const struct journal *journal);

/* Ids above `after` up to `upto` are of events that the followed stream took
 * back, or of none; 0, 0: of none. Told likewise. */
void journal_rewound(const struct journal *journal, uint64_t *after_out,
                     uint64_t *upto_out);

/* ---- publishing -------------------------------------------------------- */

struct publish;

/* Called on the journal's thread when the outcome is known: `result` is set and
 * on ST_OK each event has its id. Must only enqueue. Takes the publish over. */
typedef void publish_answer_fn(struct publish *publish);

/* All or nothing, one commit. An amendment (event.h) is a publish of its own:
 * its event gets the id of the event that tells everybody, or with is_duplicate
 * the id of what was in force already. Without events: the answer comes after a
 * commit of what its poster has changed in the sessions (sessions.h).
 *
 * With a step it is a piece of the followed stream: its events have their
 * given_id and time, those that cannot be stored say so in `refused` and the
 * rest goes in all the same, and amendments may stand among them. BUSY: the step
 * does not join; RESERVED: the journal follows a stream, and this is not of it. */
struct publish {
    struct msg link;           /* first */
    publish_answer_fn *answer; /* NULL: the journal frees it */
    void *asker;
    bool is_question;         /* stores nothing: is_duplicate and id of each key
                                 that was seen, else refused: NOT_FOUND the
                                 event given_id is or was there; FULL it was
                                 refused here */
    struct source_step *step; /* sources.h; owned; NULL: not from a stream */
    struct session_call *session; /* session_sharing.h; owned; nothing to the
                                     journal */
    enum status result; /* OK, NO_SPACE, FULL (channels), CLOSED, BAD_INPUT;
                           amendments: NOT_FOUND, RESERVED, WITHDRAWN, CORRUPT */
    unsigned count;
    struct event *events[]; /* one reference each */
};

struct publish *publish_create(unsigned count); /* events are NULL: fill in */
void publish_destroy(struct publish **publish); /* unrefs the events */

/* ST_FULL: come back later. ST_CLOSED: stopping. On failure the caller keeps
 * the publish. */
enum status journal_post(struct journal *journal,
                         struct publish **publish) MUST_USE;

/* The same, waiting for room: for threads that may. */
enum status journal_post_before(struct journal *journal,
                                struct publish **publish,
                                unsigned wait_ms) MUST_USE;

/* ---- hearing of commits ------------------------------------------------ */

/* What one commit brought, in order of id, duplicates left out. */
struct batch {
    atomic_uint references;
    uint64_t after_id; /* the newest id before this batch */
    uint64_t last_id;
    unsigned count;
    struct event *events[]; /* one reference each */
};

struct batch *batch_ref(struct batch *batch);
void batch_unref(struct batch **batch);

/* Lent: the listener refs what it keeps. Every batch comes, in order. */
typedef void journal_listener_fn(void *arg, struct batch *batch);
void journal_add_listener(struct journal *journal, journal_listener_fn *listen,
                          void *arg);

/* ---- reading ----------------------------------------------------------- */

struct journal_reader;

enum status journal_reader_open(struct journal *journal,
                                struct journal_reader **reader_out) MUST_USE;
void journal_reader_close(struct journal_reader **reader);

/* Which channels: one, or all that `wants` says yes to (NULL: every one). */
typedef bool journal_wants_fn(void *arg, const struct channel_entry *channel);

/* Ids found by walking a chain, so that the next slice need not walk again.
 * Zeroed by its owner before the first slice; freed by journal_trail_fini. */
struct journal_trail {
    uint64_t *ids; /* rising */
    unsigned count, next;
};
void journal_trail_fini(struct journal_trail *trail);

struct journal_query {
    uint64_t after; /* exclusive */
    const struct channel_entry *only;
    journal_wants_fn *wants;
    void *wants_arg;
    struct journal_trail *trail; /* with `only`; NULL: none kept */
    unsigned max_events;
    size_t max_bytes;     /* of type and data together; one event always fits */
    unsigned max_scanned; /* records looked at, wanted or not */
    bool shows_withdrawn; /* as views without type and data; else left out */
};

/* The view is valid during the call. */
typedef void journal_visit_fn(void *arg, const struct event_view *event);

struct journal_slice {
    uint64_t upto;   /* everything wanted up to here was given */
    unsigned events; /* how many were given */
    bool is_end;     /* `upto` is the newest id of the snapshot */
};

/* One slice, oldest first, in one short read transaction. ST_CORRUPT: a record
 * failed its CRC (logged with its id; the slice ends before it, and `*slice_out`
 * says so: who wants to go on without it asks for what is after `upto` + 1). */
enum status journal_read(struct journal_reader *reader,
                         const struct journal_query *query,
                         journal_visit_fn *visit, void *visit_arg,
                         struct journal_slice *slice_out) MUST_USE;

/* The position after which exactly the newest `n` events of these channels
 * come. Walks the chains, newest head first; past very many withdrawn ones it
 * gives up, and fewer come. */
enum status journal_find_last(struct journal_reader *reader,
                              struct channel_entry *const *entries,
                              unsigned entry_count, unsigned n,
                              uint64_t *after_out) MUST_USE;

/* The newest id whose time is <= `wall_ms` (0 if none): events after that time
 * are the events after that id. */
enum status journal_find_time(struct journal_reader *reader, int64_t wall_ms,
                              uint64_t *after_out) MUST_USE;

/* ---- figures ----------------------------------------------------------- */

struct journal_figures {
    uint64_t commits, events, duplicates, trimmed, no_space, stored_bytes;
    uint64_t commit_us; /* time inside mdb_txn_commit */
    uint64_t oldest_id, last_id;
    uint64_t mailbox_count, mailbox_refused;
    uint64_t sessions;
    uint64_t sessions_owed;     /* the stream does not have all of them */
    uint64_t sessions_left_out; /* told by the stream; no room for them here */
    bool can_commit;            /* the last commit worked */
};
void journal_figures(struct journal *journal, struct journal_figures *out);

#endif
