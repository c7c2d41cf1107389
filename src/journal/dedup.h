/* dedup.h -- remembers publishers' keys, so that a retry is not a second event.
 *
 * A key counts within its channel, an amendment's within what it amends, and for
 * the window of the settings. It is written in the transaction of its event:
 * either both are there or none.
 *
 * Threads   The journal's.
 * Memory    One digest context.
 * Units     Wall milliseconds.
 * Errors    ST_NO_SPACE, ST_IO from LMDB: the transaction must be undone.
 *           ST_NOT_FOUND the key is new.
 */
#ifndef JOURNAL_DEDUP_H
#define JOURNAL_DEDUP_H

#include "environment.h"

#include <tidings/event.h>

#define DEDUP_HASH_BYTES 16

struct dedup {
    const struct environment *environment; /* fixed at init */
    int64_t window_ms;                     /* fixed at init; 0 = off */
    struct evp_md_ctx_st *context;
    struct evp_md_st *digest;
    int64_t due_ms,
        settled_due_ms; /* the oldest key leaves; INT64_MAX = none */
};

struct dedup_key {
    unsigned char hash[DEDUP_HASH_BYTES];
};

void dedup_init(struct dedup *dedup, const struct environment *environment,
                int64_t window_ms);
void dedup_fini(struct dedup *dedup);

/* Hashes the event's channel and key; false if it has no key or keys are off.
 */
bool dedup_key_of(struct dedup *dedup, const struct event *event,
                  struct dedup_key *key_out);

/* The id under which the key was stored within the window. */
enum status dedup_find(struct dedup *dedup, MDB_txn *txn,
                       const struct dedup_key *key, int64_t now_ms,
                       uint64_t *id_out) MUST_USE;
enum status dedup_put(struct dedup *dedup, MDB_txn *txn,
                      const struct dedup_key *key, uint64_t id,
                      int64_t now_ms) MUST_USE;

/* The same for what has no event of its own: `id` is an older one. */
enum status dedup_put_late(struct dedup *dedup, MDB_txn *txn,
                           const struct dedup_key *key, uint64_t id,
                           int64_t now_ms) MUST_USE;

/* Forgets up to `keys` of each kind that left the window. */
enum status dedup_trim(struct dedup *dedup, MDB_txn *txn, int64_t now_ms,
                       unsigned keys) MUST_USE;

void dedup_settle(struct dedup *dedup);
void dedup_undo(struct dedup *dedup);

#endif
