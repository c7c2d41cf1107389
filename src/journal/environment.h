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
/*          name       flags           needed   key -> value; a journal that lacks what is not needed is older */
#define JOURNAL_TABLES(TABLE)                                                                   \
    TABLE(events,    MDB_INTEGERKEY, true)  /* id -> record (record.h); append only          */ \
    TABLE(channels,  MDB_INTEGERKEY, true)  /* number -> row (channel_row.h); at checkpoints */ \
    TABLE(dedup,     0,              true)  /* hash of publisher's key -> id, time (dedup.c) */ \
    TABLE(dedup_age, MDB_INTEGERKEY, true)  /* id -> time, hash (dedup.c)                    */ \
    TABLE(dedup_late, 0,             false) /* time, hash -> time, hash (dedup.c)            */ \
    TABLE(sessions,  0,              false) /* name -> acked, sent, time (session_rows.c)    */ \
    TABLE(sources,   0,              false) /* name -> sequence, row (source.c)              */ \
    TABLE(meta,      0,              true)  /* name -> number; see environment_number        */
/* clang-format on */

/* Number `version` in `meta`: a journal of which something was amended is not
 * for programs that know nothing of that (amend.c). */
#define JOURNAL_VERSION         1
#define JOURNAL_VERSION_AMENDED 2

#define TABLE_ABSENT 0 /* read-only, and an older journal: nothing in it */

struct environment {
    MDB_env *env;
    int lock_descriptor; /* of writer.lock; -1 when read-only */
    bool is_read_only;
    char *ballast_path; /* of the file that is dropped when the disk is full */
    char *trial_path;   /* of one that is written to see whether it is */
    bool has_ballast;   /* it is there: the disk is believed to have room */
#define TABLE(name, flags, needed) MDB_dbi name;
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

/* Would a transaction of so many pages still leave the room in which retention
 * can delete something? See environment_room.c. */
bool environment_has_room(const struct environment *environment,
                          uint64_t pages);

/* The disk is full: gives it the ballast, for retention to work with. */
void environment_drop_ballast(struct environment *environment);

/* LMDB says only "input/output error" when a write of so many bytes stopped in
 * the middle: was that for want of room? Writes a file to find out. */
bool environment_is_disk_full(const struct environment *environment,
                              uint64_t bytes);

/* Tries to write the ballast, if it is not there. It stays only if the disk has
 * room for so many bytes beside it. */
void environment_load_ballast(struct environment *environment,
                              uint64_t spare_bytes);

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
