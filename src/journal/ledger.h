/* ledger.h -- the figures of all channels as the journal's thread knows them.
 *
 * A transaction changes them as it goes; nobody else sees that. When its commit
 * worked, ledger_settle publishes them in the registry; when it did not,
 * ledger_undo puts everything back.
 *
 * Life of a change: ledger_begin, then add, remove, amend, found_first in any
 * number, then ledger_settle or ledger_undo.
 *
 * Threads   The journal's; journal_open before it runs.
 * Memory    About 130 bytes per channel beside the registry's entry.
 * Units     Ids; bytes as stored; wall milliseconds.
 * Errors    ST_FULL the limit of channels is reached.
 */
#ifndef JOURNAL_LEDGER_H
#define JOURNAL_LEDGER_H

#include "channel_row.h"

#include <tidings/journal.h>

#define LEDGER_NEVER INT64_MAX

struct ledger_channel {
    struct channel_entry *entry;
    struct journal_keep keep;       /* asked for once, when it is first seen */
    struct channel_figures figures; /* with the open transaction's changes */
    uint64_t touched_in;            /* serial of the last that changed them */
    bool is_stored;                 /* its row is in the table */
    bool is_changed;                /* waits for a checkpoint (checkpoint.c) */
    bool owes_row;                  /* it must go with this transaction */
    uint64_t amended_id;            /* as in struct channel_entry */
};

/* All channels together. */
struct ledger_totals {
    uint64_t last_id;   /* newest ever; 0 = none */
    int64_t last_ms;    /* and its time: time never decreases */
    uint64_t oldest_id; /* no kept event is older; 0 = none kept */
    uint64_t count, bytes;
    uint64_t over;           /* channels over their count or bytes */
    uint64_t lack_first;     /* channels whose oldest event is not known */
    uint32_t highest_stored; /* number that has a row */
    int64_t next_due_ms; /* nothing kept grows too old before; LEDGER_NEVER */
};

struct ledger {
    struct registry *registry;
    struct journal_keep (*keep)(void *arg, struct text channel); /* or NULL */
    void *keep_arg;

    struct ledger_channel **chunks; /* by number */
    unsigned chunk_count;
    int64_t least_age_ms; /* of all channels that have one; 0 = none has */

    struct ledger_totals totals, settled; /* now; after the last commit */
    _Atomic uint64_t newest_trimmed;      /* of any channel; read by all */
    uint64_t serial;                      /* of the open transaction */
    struct ledger_saved *saved;           /* what it changed, as it was */
    unsigned saved_count, saved_room;
};

void ledger_init(struct ledger *ledger, struct registry *registry,
                 const struct journal_options *options);
void ledger_fini(struct ledger *ledger);

/* The channel's books, made when first asked for. */
struct ledger_channel *ledger_channel(struct ledger *ledger,
                                      struct channel_entry *entry);
/* NULL if there is no such channel. */
struct ledger_channel *ledger_by_number(struct ledger *ledger, uint32_t number);

void ledger_begin(struct ledger *ledger);
void ledger_settle(struct ledger *ledger);
void ledger_undo(struct ledger *ledger);

/* What the open transaction has touched, for the rows it must write. */
unsigned ledger_touched_count(const struct ledger *ledger);
struct ledger_channel *ledger_touched(const struct ledger *ledger, unsigned i);

void ledger_add(struct ledger *ledger, struct ledger_channel *channel,
                uint64_t id, int64_t time_ms, uint64_t bytes);
/* The channel's oldest event goes. */
void ledger_remove(struct ledger *ledger, struct ledger_channel *channel,
                   uint64_t id, int64_t time_ms, uint64_t bytes);
/* One of its events is stored with other content, of another size. */
void ledger_amend(struct ledger *ledger, struct ledger_channel *channel,
                  uint64_t amended_by, uint64_t old_bytes, uint64_t new_bytes);
/* Its oldest event was met. */
void ledger_found_first(struct ledger *ledger, struct ledger_channel *channel,
                        uint64_t id);
/* A row was written in this transaction. */
void ledger_stored(struct ledger *ledger, struct ledger_channel *channel);

/* Replaces the figures by a stored row's. */
void ledger_load(struct ledger *ledger, struct ledger_channel *channel,
                 const struct channel_figures *figures);

bool ledger_is_over(const struct ledger_channel *channel);

#endif
