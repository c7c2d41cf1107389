/* source.c -- one row per stream: the sequence, and what the follower remembers.
 *
 *   sources   name -> sequence, row, CRC-32
 *
 * The row is written once per transaction, with the events that it speaks of: a
 * crash leaves both or none. Each step names the sequence that it follows upon;
 * when a transaction was given up for want of room, the steps that were posted
 * behind it do not join any more and are refused, and the follower reads the
 * stream again from what is stored.
 *
 * Keys of publishers grow old by the time of the stream and not by the clock on
 * the wall: an instance that catches up reads an hour in a second and must
 * decide about each key as the others did.
 */
#include "source.h"

#include "base/seeded_bug.h"
#include "little_endian.h"

#include <tidings/check.h>
#include <tidings/session_sharing.h>

#include <stdlib.h>
#include <zlib.h>

enum { APART_MS = 100 }; /* of the mistakes below: there a kill shall fall */

#define HEAD_BYTES 8
#define CRC_BYTES  4

struct source_step *source_step_create(const unsigned char *row,
                                       uint32_t row_bytes)
{
    struct source_step *step = must_calloc(1, sizeof *step + row_bytes);

    CHECK(row_bytes <= SOURCE_ROW_MAX_BYTES);
    step->row_bytes = row_bytes;
    memcpy(step->row, row, row_bytes);
    return step;
}

void source_step_destroy(struct source_step **step)
{
    struct source_step *mine = *step;

    *step = NULL;
    if (mine == NULL)
        return;
    free(mine->news);
    free(mine);
}

static MDB_val name_of(const struct journal *journal)
{
    return (MDB_val){strlen(journal->source.name), journal->source.name};
}

static uint32_t crc_of(const unsigned char *bytes, size_t length)
{
    return (uint32_t)crc32(0, bytes, (uInt)length);
}

static enum status decode(struct source *source, const MDB_val *value)
{
    const unsigned char *bytes = value->mv_data;
    const size_t covered = value->mv_size - CRC_BYTES;

    if (value->mv_size < HEAD_BYTES + CRC_BYTES ||
        value->mv_size > HEAD_BYTES + SOURCE_ROW_MAX_BYTES + CRC_BYTES ||
        crc_of(bytes, covered) != get_u32(bytes + covered))
        return ST_CORRUPT;
    source->upto = source->opened_at = get_u64(bytes);
    source->row_bytes = (uint32_t)(covered - HEAD_BYTES);
    source->row = must_malloc(source->row_bytes + 1);
    memcpy(source->row, bytes + HEAD_BYTES, source->row_bytes);
    return ST_OK;
}

static enum status load_number(struct journal *journal, MDB_txn *txn,
                               const char *name, _Atomic uint64_t *number)
{
    uint64_t stored = 0;
    const enum status st =
        environment_number(&journal->environment, txn, name, &stored);

    atomic_store(number, stored);
    return st == ST_NOT_FOUND ? ST_OK : st;
}

enum status source_load(struct journal *journal, MDB_txn *txn)
{
    struct source *source = &journal->source;
    MDB_val key, value;
    enum status st =
        load_number(journal, txn, "missing_id", &source->missing_id);

    if (st == ST_OK)
        st = load_number(journal, txn, "rewound_after", &source->rewound_after);
    if (st == ST_OK)
        st = load_number(journal, txn, "rewound_upto", &source->rewound_upto);
    if (st != ST_OK || source->name == NULL ||
        journal->environment.sources == TABLE_ABSENT)
        return st;
    key = name_of(journal);
    st = from_lmdb(mdb_get(txn, journal->environment.sources, &key, &value));
    if (st == ST_NOT_FOUND)
        return ST_OK;
    return st == ST_OK ? decode(source, &value) : st;
}

bool source_stored(const struct journal *journal, struct source_stored *out)
{
    const struct source *source = &journal->source;

    if (source->row == NULL)
        return false;
    *out = (struct source_stored){source->opened_at, source->row,
                                  source->row_bytes};
    return true;
}

enum status source_look(const struct journal *journal,
                        const struct publish *publish)
{
    if (publish->step != NULL)
        return journal->source.name != NULL &&
                       publish->step->after == journal->draft.upto
                   ? ST_OK
                   : ST_BUSY;
    return journal->source.name != NULL && publish->count > 0 &&
                   !publish->is_question
               ? ST_RESERVED
               : ST_OK;
}

void source_begin(struct journal *journal)
{
    struct draft *draft = &journal->draft;

    draft->step = NULL;
    draft->upto = journal->source.upto;
    draft->has_changed_missing = false;
}

static void keep_what_was_told(struct journal *journal)
{
    struct draft *draft = &journal->draft;

    if (draft->has_changed_missing)
        return;
    draft->has_changed_missing = true;
    draft->missing_before = journal_missing_id(journal);
    journal_rewound(journal, &draft->rewound_before[0],
                    &draft->rewound_before[1]);
}

/* Known before anything behind the hole can be read. */
static void note_missing(struct journal *journal,
                         const struct source_step *step)
{
    struct source *source = &journal->source;

    if (step->missing_id > journal_missing_id(journal)) {
        keep_what_was_told(journal);
        atomic_store(&source->missing_id, step->missing_id);
    }
    if (step->rewound_upto > atomic_load(&source->rewound_upto)) {
        keep_what_was_told(journal);
        atomic_store(&source->rewound_after, step->rewound_after);
        atomic_store(&source->rewound_upto, step->rewound_upto);
    }
}

static void learn(struct journal *journal, const struct source_step *step)
{
    const int64_t keep_ms = journal->sessions.keep_ms;
    const int64_t since_ms =
        keep_ms > 0 ? clock_wall_ms(journal->options.clock) - keep_ms : 0;

    for (unsigned i = 0; i < step->news_count; i++)
        if (sessions_learn(journal->sessions.sessions, &step->news[i],
                           since_ms) != ST_OK)
            (void)atomic_fetch_add(&journal->figures.sessions_left_out, 1);
}

void source_advance(struct journal *journal, const struct source_step *step)
{
    if (!seeded_bug("session-apart"))
        learn(journal, step);
    journal->draft.step = step;
    journal->draft.upto = step->upto;
    note_missing(journal, step);
}

static enum status write_first_id(struct journal *journal)
{
    const uint64_t first_id = journal->draft.step->first_id;

    if (atomic_load(&journal->first_id) != 0 || first_id == 0)
        return ST_OK;
    return environment_put_number(&journal->environment, journal->draft.txn,
                                  "first_id", first_id);
}

static enum status write_missing(struct journal *journal)
{
    const struct environment *environment = &journal->environment;
    MDB_txn *txn = journal->draft.txn;
    uint64_t after, upto;
    enum status st;

    if (!journal->draft.has_changed_missing)
        return ST_OK;
    journal_rewound(journal, &after, &upto);
    st = environment_put_number(environment, txn, "missing_id",
                                journal_missing_id(journal));
    if (st == ST_OK)
        st = environment_put_number(environment, txn, "rewound_after", after);
    if (st == ST_OK)
        st = environment_put_number(environment, txn, "rewound_upto", upto);
    return st;
}

static enum status write_row(struct journal *journal, MDB_txn *txn)
{
    const struct source_step *step = journal->draft.step;
    const size_t covered = HEAD_BYTES + step->row_bytes;
    MDB_val key = name_of(journal);
    MDB_val value = {covered + CRC_BYTES, NULL};
    unsigned char *bytes;
    const enum status st = from_lmdb(
        mdb_put(txn, journal->environment.sources, &key, &value, MDB_RESERVE));

    if (st != ST_OK)
        return st;
    bytes = value.mv_data;
    put_u64(bytes, step->upto);
    memcpy(bytes + HEAD_BYTES, step->row, step->row_bytes);
    put_u32(bytes + covered, crc_of(bytes, covered));
    return ST_OK;
}

enum status source_write(struct journal *journal)
{
    enum status st;

    if (journal->draft.step == NULL)
        return ST_OK;
    st = write_first_id(journal);
    if (st == ST_OK)
        st = write_missing(journal);
    if (st == ST_OK && !seeded_bug("position-apart"))
        st = write_row(journal, journal->draft.txn);
    return st;
}

/* The mistake of the test build: the position goes in a transaction of its own,
 * and a crash is possible between the two. */
static void write_row_apart(struct journal *journal)
{
    MDB_txn *txn;

    CHECK(mdb_txn_begin(journal->environment.env, NULL, 0, &txn) == 0);
    CHECK(write_row(journal, txn) == ST_OK);
    CHECK(mdb_txn_commit(txn) == 0);
}

void source_settle(struct journal *journal)
{
    const struct source_step *step = journal->draft.step;

    if (step == NULL)
        return;
    if (seeded_bug("position-apart")) {
        uv_sleep(APART_MS);
        write_row_apart(journal);
    }
    if (seeded_bug("session-apart")) {
        uv_sleep(APART_MS);
        learn(journal, step); /* in the next transaction, if there is one */
    }
    if (atomic_load(&journal->first_id) == 0)
        atomic_store(&journal->first_id, step->first_id);
    journal->source.upto = step->upto;
    journal->draft.step = NULL;
}

void source_undo(struct journal *journal)
{
    struct draft *draft = &journal->draft;

    draft->step = NULL;
    if (draft->has_changed_missing) {
        atomic_store(&journal->source.missing_id, draft->missing_before);
        atomic_store(&journal->source.rewound_after, draft->rewound_before[0]);
        atomic_store(&journal->source.rewound_upto, draft->rewound_before[1]);
    }
    draft->has_changed_missing = false;
}

int64_t source_now_ms(const struct journal *journal)
{
    return journal->source.name != NULL ? journal->ledger.totals.last_ms
                                        : clock_wall_ms(journal->options.clock);
}
