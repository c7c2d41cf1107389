/* journal_state.h -- what struct journal is made of, for the journal's own
 * files.
 *
 * Threads   As grouped below.
 * Memory    One struct, made by journal_open, freed by journal_close.
 * Units     Ids; wall milliseconds; bytes.
 * Errors    None.
 */
#ifndef JOURNAL_STATE_H
#define JOURNAL_STATE_H

#include "checkpoint.h"
#include "dedup.h"
#include "environment.h"
#include "ledger.h"
#include "retention.h"
#include "session_rows.h"

#include <tidings/journal.h>
#include <tidings/logger.h>

struct listener {
    journal_listener_fn *listen;
    void *arg;
};

/* The transaction being filled. */
struct draft {
    MDB_txn *txn;
    MDB_cursor *cursor;         /* on events, at the end */
    struct msg *oldest, **tail; /* the publishes, to be answered */
    struct event **events;      /* lent: the publishes hold them */
    unsigned count, room;
    unsigned duplicates;
    unsigned late_keys; /* of amendments that had nothing to do */
    size_t bytes;
    int64_t now_ms; /* wall */
    uint64_t upto;  /* of the followed stream, with what is in here */
    const struct source_step *step; /* the last one put in; lent */
    uint64_t rewound_before[2];     /* as missing_before */
    uint64_t missing_before;        /* journal_missing_id, if it was changed */
    bool has_changed_missing;
};

/* The stream that the journal follows. */
struct source {
    char *name;         /* fixed at open; NULL: none */
    unsigned char *row; /* fixed at open; NULL: nothing was stored */
    uint32_t row_bytes; /* fixed at open */
    uint64_t opened_at; /* fixed at open: the sequence that was stored */
    uint64_t upto;      /* stored; the journal's thread */
    _Atomic uint64_t missing_id, rewound_after, rewound_upto;
};

struct journal {
    struct journal_options options; /* fixed at open; directory is not kept */
    struct environment environment; /* fixed at open */
    struct registry *registry;      /* has its own rules */
    _Atomic uint64_t first_id;      /* 0: a follower's that is not known */
    uint64_t start_id;              /* fixed at open: no new id is smaller */
    uint64_t resumed_id;            /* fixed at open: newest that was there */
    struct mailbox mailbox;

    uv_thread_t thread; /* main only */
    bool is_started;    /* main only */

    struct listener *listeners; /* fixed at start */
    unsigned listener_count;

    atomic_bool is_stopping; /* main to the journal's thread */

    /* Written by the journal's thread, read by all. */
    _Atomic uint64_t last_id;
    struct {
        _Atomic uint64_t commits, events, duplicates, trimmed, no_space;
        _Atomic uint64_t stored_bytes, kept, commit_us, oldest_id;
        _Atomic uint64_t sessions_left_out;
        atomic_bool can_commit;
    } figures;

    /* The journal's thread only (and main, while it does not run). */
    struct ledger ledger;
    struct checkpoint checkpoint;
    struct retention retention;
    struct dedup dedup;
    struct session_rows sessions;
    struct draft draft;
    struct source source;   /* but what is fixed at open */
    int64_t probe_ms;       /* monotonic: next try after a full disk */
    uint64_t refused_pages; /* of the transaction that found it full */
    struct log_limit full_limit, roomy_limit;
};

#endif
