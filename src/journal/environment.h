/* environment.h -- the LMDB environment of one data directory.
 *
 * Opens it (for writing: at most one process), names its tables, translates its
 * error codes. Transactions are begun and ended by who needs them.
 *
 * Threads   open, close: main. Read transactions: any. A write transaction: the
 *           journal's thread.
 * Memory    The struct is the caller's; close frees what open made.
 * Units     Bytes.
 * Errors    ST_BUSY, ST_IO, ST_CORRUPT, ST_NO_SPACE, with a sentence in `why`.
 */
#ifndef JOURNAL_ENVIRONMENT_H
#define JOURNAL_ENVIRONMENT_H

#include <tidings/status.h>

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/*          name       flags           key -> value                                     */
#define JOURNAL_TABLES(TABLE)                                                            \
    TABLE(events,    MDB_INTEGERKEY) /* id -> record (record.h); append only           */ \
    TABLE(channels,  0)              /* name -> row (channel_row.h); at checkpoints    */ \
    TABLE(dedup,     0)              /* hash of publisher's key -> id, time (dedup.c)  */ \
    TABLE(dedup_age, MDB_INTEGERKEY) /* id -> time, hash (dedup.c)                     */ \
    TABLE(meta,      0)              /* name -> number; see environment_number         */
/* clang-format on */

struct environment {
    MDB_env *env;
    int lock_descriptor; /* of writer.lock; -1 when read-only */
    bool is_read_only;
#define TABLE(name, flags) MDB_dbi name;
    JOURNAL_TABLES(TABLE)
#undef TABLE
};

/* On failure nothing stays open. Read-only: nothing is created, and what is not
 * there is ST_NOT_FOUND. */
enum status environment_open(struct environment *environment,
                             const char *directory, size_t map_bytes,
                             bool is_read_only, char *why,
                             size_t why_bytes) MUST_USE;
void environment_close(struct environment *environment);

/* Would a transaction of so many pages still leave the map the room in which
 * retention can delete something? */
bool environment_has_room(const struct environment *environment,
                          uint64_t pages);

/* LMDB's and the system's codes. */
enum status from_lmdb(int code);

/* Numbers in the table `meta`. ST_NOT_FOUND if never put. */
enum status environment_number(const struct environment *environment,
                               MDB_txn *txn, const char *name,
                               uint64_t *number_out) MUST_USE;
enum status environment_put_number(const struct environment *environment,
                                   MDB_txn *txn, const char *name,
                                   uint64_t number) MUST_USE;

#endif
