/* reader.c -- events after a position, one short snapshot per slice.
 *
 * A read transaction that is left open makes the file grow without end, so each
 * slice renews the reader's transaction, copies out through the visitor, and
 * resets it. The crew writes to sockets between slices, never inside one.
 *
 * What "everything up to here" rests on. The writer publishes each channel's
 * last id, then the journal's newest id, both after the commit. A slice loads
 * the newest id N, then (for one channel) its last id H, then renews the
 * snapshot. So the snapshot holds everything up to N; and every event of the
 * channel with an id up to max(N, H) is reachable from H. The rest of the
 * snapshot may be newer than both, and is left to the next slice or to the live
 * feed.
 *
 *   one channel, H <= position   nothing was missed: not even a snapshot
 *   one channel, few events      walk the chain back, give forward (chain.c)
 *   all else                     scan forward and filter, up to the newest
 *
 * For a scan the end is the newest record of the snapshot, or N when retention
 * has taken that. Which way one channel is read is decided anew whenever the
 * trail is used up, also in the middle of a slice.
 *
 * The checksum is computed for what is given, and for what was withdrawn, not
 * for what is passed over: a flipped bit must not withdraw an event.
 */
#include "reader.h"

#include "base/seeded_bug.h"
#include "chain.h"
#include "recovery.h"

#include <tidings/check.h>
#include <tidings/logger.h>

#include <stdlib.h>

enum status journal_reader_open(struct journal *journal,
                                struct journal_reader **reader_out)
{
    struct journal_reader *reader = must_calloc(1, sizeof *reader);
    enum status st;

    reader->journal = journal;
    st = from_lmdb(mdb_txn_begin(journal->environment.env, NULL, MDB_RDONLY,
                                 &reader->txn));
    if (st == ST_OK)
        st = from_lmdb(mdb_cursor_open(reader->txn, journal->environment.events,
                                       &reader->cursor));
    if (st != ST_OK) {
        journal_reader_close(&reader);
        return st;
    }
    mdb_txn_reset(reader->txn);
    *reader_out = reader;
    return ST_OK;
}

void journal_reader_close(struct journal_reader **reader)
{
    struct journal_reader *mine = *reader;

    *reader = NULL;
    if (mine == NULL)
        return;
    if (mine->cursor != NULL)
        mdb_cursor_close(mine->cursor);
    if (mine->txn != NULL)
        mdb_txn_abort(mine->txn);
    journal_trail_fini(&mine->trail);
    free(mine);
}

void journal_trail_fini(struct journal_trail *trail)
{
    free(trail->ids);
    *trail = (struct journal_trail){NULL, 0, 0};
}

enum status reader_enter(struct journal_reader *reader)
{
    enum status st = from_lmdb(mdb_txn_renew(reader->txn));

    if (st != ST_OK)
        return st;
    st = from_lmdb(mdb_cursor_renew(reader->txn, reader->cursor));
    if (st != ST_OK)
        mdb_txn_reset(reader->txn);
    return st;
}

void reader_leave(struct journal_reader *reader)
{
    mdb_txn_reset(reader->txn);
}

enum status reader_get(struct journal_reader *reader, uint64_t id,
                       MDB_val *value_out, struct record *record_out)
{
    MDB_val key = {sizeof id, &id};
    const enum status st =
        from_lmdb(mdb_cursor_get(reader->cursor, &key, value_out, MDB_SET));

    if (st != ST_OK)
        return st;
    return record_decode(value_out->mv_data, value_out->mv_size, record_out);
}

enum status reader_end(struct journal_reader *reader, MDB_cursor_op end,
                       uint64_t *id_out)
{
    MDB_val key, value;
    const enum status st =
        from_lmdb(mdb_cursor_get(reader->cursor, &key, &value, end));

    if (st == ST_OK)
        memcpy(id_out, key.mv_data, sizeof *id_out);
    else if (st == ST_NOT_FOUND)
        *id_out = 0;
    return st == ST_NOT_FOUND ? ST_OK : st;
}

/* ---- giving -------------------------------------------------------------- */

static enum status report_damage(uint64_t id)
{
    LOG_LINE(LOG_ERROR, "journal", "a stored event is damaged",
             LOG_NUM("id", id));
    return ST_CORRUPT;
}

enum status slice_give(struct slice *slice, uint64_t id, const MDB_val *value,
                       const struct record *record,
                       const struct channel_entry *entry)
{
    const size_t bytes = record->type.length + record->data.length;
    const struct event_view view = {.id = id,
                                    .time_ms = record->time_ms,
                                    .channel = channel_entry_name(entry),
                                    .type = record->type,
                                    .data = record->data,
                                    .amended_by = record->amended_by,
                                    .is_withdrawn =
                                        record->fate == RECORD_WITHDRAWN};

    if (slice->events >= slice->query->max_events ||
        (slice->events > 0 && slice->bytes + bytes > slice->query->max_bytes)) {
        slice->is_full = true;
        return ST_OK;
    }
    if (!record_is_intact(value->mv_data, value->mv_size, id))
        return report_damage(id);
    slice->position = id;
    if (view.is_withdrawn && !slice->query->shows_withdrawn)
        return ST_OK;
    slice->visit(slice->visit_arg, &view);
    slice->events += 1;
    slice->bytes += bytes;
    return ST_OK;
}

/* ---- scanning ------------------------------------------------------------ */

/* The record's channel if it is wanted, else NULL. */
static const struct channel_entry *wanted(const struct slice *slice,
                                          uint32_t number, enum status *st_out)
{
    const struct journal_query *query = slice->query;
    const struct channel_entry *entry;

    if (query->only != NULL)
        return query->only->number == number ? query->only : NULL;
    entry = registry_by_number(slice->reader->journal->registry, number);
    if (entry == NULL)
        *st_out = ST_CORRUPT;
    else if (query->wants != NULL && !query->wants(query->wants_arg, entry))
        entry = NULL;
    return entry;
}

static enum status scan_one(struct slice *slice, uint64_t id,
                            const MDB_val *value)
{
    const struct channel_entry *entry;
    struct record record;
    enum status st = record_decode(value->mv_data, value->mv_size, &record);

    if (st != ST_OK)
        return report_damage(id);
    entry = wanted(slice, record.channel, &st);
    if (st != ST_OK)
        return report_damage(id);
    if (entry != NULL)
        return slice_give(slice, id, value, &record, entry);
    slice->position = id;
    return ST_OK;
}

/* Forward to `end_id`, after which nothing is wanted, or to a limit. */
static enum status scan(struct slice *slice, uint64_t end_id)
{
    MDB_cursor *cursor = slice->reader->cursor;
    uint64_t id = slice->position + 1;
    MDB_val key = {sizeof id, &id};
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);

    while (code == 0) {
        enum status st;

        memcpy(&id, key.mv_data, sizeof id);
        if (id > end_id)
            break;
        /* What lies before a limit is an answer too: up to the id before. */
        slice->position = id - 1;
        if (slice->scanned >= slice->query->max_scanned) {
            slice->is_full = true;
            return ST_OK;
        }
        slice->scanned += 1;
        st = scan_one(slice, id, &value);
        if (st != ST_OK || slice->is_full)
            return st;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    if (code != 0 && code != MDB_NOTFOUND)
        return from_lmdb(code);
    if (slice->position < slice->newest_id)
        slice->position = slice->newest_id;
    return ST_OK;
}

/* ---- one channel --------------------------------------------------------- */

static enum status read_only_channel(struct slice *slice, uint64_t head_id)
{
    const struct journal_query *query = slice->query;
    struct journal_trail *trail =
        query->trail != NULL ? query->trail : &slice->reader->trail;

    if (query->trail == NULL)
        trail->count = trail->next = 0;
    for (;;) {
        enum status st = chain_give(slice, trail);

        if (st != ST_OK || slice->is_full)
            return st;
        if (slice->position >= head_id)
            break;
        if (!chain_is_shorter(slice->reader->journal, query->only, head_id,
                              slice->position))
            return scan(slice, head_id);
        st = chain_walk(slice->reader, query->only, head_id, slice->position,
                        trail);
        if (st == ST_TOO_BIG || st == ST_CORRUPT)
            return scan(slice,
                        head_id); /* which finds damage only where it is */
        if (st != ST_OK)
            return st;
        if (trail->next == trail->count)
            break; /* retention took the rest */
    }
    if (slice->position < slice->newest_id)
        slice->position = slice->newest_id;
    return ST_OK;
}

static enum status read_all(struct slice *slice)
{
    uint64_t last_id;
    const enum status st = reader_end(slice->reader, MDB_LAST, &last_id);

    if (st != ST_OK)
        return st;
    if (last_id > slice->newest_id)
        slice->newest_id = last_id;
    return scan(slice, slice->newest_id);
}

/* ---- the call ------------------------------------------------------------ */

/* Beside another process the registry is as old as our last look. */
static enum status follow_writer(struct journal_reader *reader)
{
    enum status st;

    if (!reader->journal->environment.is_read_only)
        return ST_OK;
    st = reader_enter(reader);
    if (st != ST_OK)
        return st;
    st = recovery_follow(reader->journal, reader->txn);
    reader_leave(reader);
    return st;
}

/* Where the slice really starts: tests make it wrong on purpose. */
static uint64_t start_of(uint64_t after)
{
    if (seeded_bug("resume-off-by-one-early") && after > 0)
        return after - 1;
    if (seeded_bug("resume-off-by-one-late"))
        return after + 1;
    return after;
}

static void conclude(const struct slice *slice, uint64_t after,
                     struct journal_slice *slice_out)
{
    slice_out->upto = slice->position > after ? slice->position : after;
    slice_out->events = slice->events;
    slice_out->is_end = !slice->is_full && slice->position >= slice->newest_id;
}

enum status journal_read(struct journal_reader *reader,
                         const struct journal_query *query,
                         journal_visit_fn *visit, void *visit_arg,
                         struct journal_slice *slice_out)
{
    struct slice slice = {.reader = reader,
                          .query = query,
                          .visit = visit,
                          .visit_arg = visit_arg};
    uint64_t head_id = 0;
    enum status st = follow_writer(reader);

    CHECK(query->max_events > 0 && query->max_scanned > 0);
    if (st != ST_OK)
        return st;
    slice.position = start_of(query->after);
    slice.newest_id = journal_last_id(reader->journal); /* first: see above */
    if (query->only != NULL) {
        head_id =
            atomic_load_explicit(&query->only->last_id, memory_order_acquire);
        if (head_id > slice.newest_id)
            slice.newest_id = head_id;
        if (head_id <= slice.position) {
            slice.position = slice.newest_id;
            conclude(&slice, query->after, slice_out);
            return ST_OK;
        }
    }

    st = reader_enter(reader);
    if (st != ST_OK)
        return st;
    st = query->only != NULL ? read_only_channel(&slice, head_id)
                             : read_all(&slice);
    reader_leave(reader);
    if (st == ST_OK || st == ST_CORRUPT)
        conclude(&slice, query->after, slice_out);
    return st;
}

/* ---- by time ------------------------------------------------------------- */

enum status journal_find_time(struct journal_reader *reader, int64_t wall_ms,
                              uint64_t *after_out)
{
    uint64_t low,
        high = 0; /* ids below low are old enough, from high too new */
    uint64_t first_id = 0;
    enum status st = reader_enter(reader);

    if (st != ST_OK)
        return st;
    st = reader_end(reader, MDB_FIRST, &first_id);
    if (st == ST_OK)
        st = reader_end(reader, MDB_LAST, &high);
    low = first_id;
    high += st == ST_OK && first_id > 0;
    while (st == ST_OK && low < high) {
        const uint64_t middle = low + (high - low) / 2;
        uint64_t id = middle;
        MDB_val key = {sizeof id, &id};
        MDB_val value;
        struct record record;

        st = from_lmdb(
            mdb_cursor_get(reader->cursor, &key, &value, MDB_SET_RANGE));
        if (st == ST_OK)
            st = record_decode(value.mv_data, value.mv_size, &record);
        if (st != ST_OK)
            break;
        memcpy(&id, key.mv_data, sizeof id);
        if (record.time_ms <= wall_ms)
            low = id + 1;
        else
            high = middle;
    }
    reader_leave(reader);
    if (st == ST_OK)
        *after_out = low > first_id ? low - 1 : 0;
    return st;
}
