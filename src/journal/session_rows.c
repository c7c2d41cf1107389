/* session_rows.c -- the rows of sessions, and which of them go.
 *
 *   key     name
 *   offset  bytes  what
 *        0      4  CRC-32 of the name and of all that follows
 *        4      8  acknowledged
 *       12      8  sent
 *       20      8  last used, unix milliseconds
 *                  and of one that other instances know of:
 *       28      8  born
 *       36      8  id of the newest message of the stream that is in it
 *       44      1  bit 0: changed since, and the stream does not have it yet;
 *                  bit 1: the stream has had this life of it; bit 2: which was
 *                  made where the stream had another one
 *
 * Every transaction writes all rows that are behind when it is about to be
 * committed. A change is in memory before its publish is posted, so the
 * transaction that answers the publish has it. Rows come at random places: each
 * changes a page, and a page that many of them share is changed once.
 *
 * A session goes when nobody can miss it: it has not been used since before the
 * oldest event that is kept, so what it could have resumed after is gone, and
 * not for `keep_ms` either, so that a quiet journal does not forget the clients
 * of last night. A sweep looks at part of the table in memory at a time and
 * begins no earlier than the one unused longest can be old enough.
 */
#include "session_rows.h"

#include "journal_state.h"
#include "little_endian.h"
#include "record.h"

#include <tidings/check.h>

#include <zlib.h>

#define ROW_BYTES     28
#define SHARED_BYTES  45
#define REST_PART     8 /* of keep_ms, between two sweeps */
#define REST_LEAST_MS 100
#define REST_MOST_MS  600000
#define TELL_MS       3600000 /* of sessions without a time to keep them */
#define PAGES_SINGLE  256 /* so many rows may each change a page of their own */
#define ROWS_PER_PAGE 8

/* Others keep a session by what they are told of its use, which is rarer. */
void session_rows_init(struct session_rows *rows, unsigned limit,
                       int64_t keep_ms, bool is_shared)
{
    int64_t tell_ms = 0;

    if (is_shared)
        tell_ms = keep_ms > 0 ? keep_ms / REST_PART + 1 : TELL_MS;
    *rows =
        (struct session_rows){.sessions = sessions_create_table(limit, tell_ms),
                              .keep_ms = keep_ms > 0 ? keep_ms + tell_ms : 0};
}

void session_rows_fini(struct session_rows *rows)
{
    sessions_destroy_table(&rows->sessions);
}

struct sessions *journal_sessions(struct journal *journal)
{
    return journal->sessions.sessions;
}

void journal_commit_sessions(struct journal *journal)
{
    struct publish *publish;

    if (!sessions_should_commit(journal->sessions.sessions))
        return;
    publish = publish_create(0);
    if (journal_post(journal, &publish) != ST_OK)
        publish_destroy(&publish); /* a busy journal comes to it by itself */
}

/* ---- one row ------------------------------------------------------------- */

static uint32_t checksum(struct text name, const unsigned char *row,
                         size_t bytes)
{
    return (uint32_t)crc32_z(
        crc32_z(0, (const unsigned char *)name.bytes, name.length), row + 4,
        bytes - 4);
}

static size_t encode_row(const struct session_row *row,
                         unsigned char bytes[SHARED_BYTES])
{
    const bool is_shared = row->born != 0 || row->version != 0;
    const size_t length = is_shared ? SHARED_BYTES : ROW_BYTES;

    put_u64(bytes + 4, row->acked);
    put_u64(bytes + 12, row->sent);
    put_u64(bytes + 20, (uint64_t)row->touched_ms);
    put_u64(bytes + 28, row->born);
    put_u64(bytes + 36, row->version);
    bytes[44] =
        (unsigned char)(row->is_owed | row->is_told << 1 | row->is_anew << 2);
    put_u32(bytes, checksum(row->name, bytes, length));
    return length;
}

static enum status put_row(const struct environment *environment, MDB_txn *txn,
                           const struct session_row *row)
{
    union {
        const char *name;
        void *memory;
    } lent = {row->name.bytes}; /* LMDB only reads keys */
    unsigned char bytes[SHARED_BYTES];
    MDB_val key = {row->name.length, lent.memory};
    MDB_val value = {encode_row(row, bytes), bytes};
    enum status st;

    if (row->is_removed) {
        st = from_lmdb(mdb_del(txn, environment->sessions, &key, NULL));
        return st == ST_NOT_FOUND ? ST_OK : st; /* it never was there */
    }
    return from_lmdb(mdb_put(txn, environment->sessions, &key, &value, 0));
}

static bool read_row(const MDB_val *key, const MDB_val *value,
                     struct session_row *row_out)
{
    const unsigned char *at = value->mv_data;
    const struct text name = {key->mv_data, key->mv_size};

    if (!session_name_is_valid(name) ||
        (value->mv_size != ROW_BYTES && value->mv_size != SHARED_BYTES) ||
        get_u32(at) != checksum(name, at, value->mv_size))
        return false;
    *row_out = (struct session_row){.acked = get_u64(at + 4),
                                    .sent = get_u64(at + 12),
                                    .touched_ms = (int64_t)get_u64(at + 20),
                                    .name = name};
    if (value->mv_size == ROW_BYTES)
        return true;
    row_out->born = get_u64(at + 28);
    row_out->version = get_u64(at + 36);
    row_out->is_owed = (at[44] & 1) != 0;
    row_out->is_told = (at[44] & 2) != 0;
    row_out->is_anew = (at[44] & 4) != 0;
    return true;
}

/* ---- all rows ------------------------------------------------------------ */

enum status session_rows_each(const struct environment *environment,
                              MDB_txn *txn, session_row_fn *each, void *arg)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    int code;

    if (environment->sessions == TABLE_ABSENT)
        return ST_OK;
    code = mdb_cursor_open(txn, environment->sessions, &cursor);
    if (code != 0)
        return from_lmdb(code);
    while ((code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        const struct text name = {key.mv_data, key.mv_size};
        struct session_row row;

        each(arg, name, read_row(&key, &value, &row) ? &row : NULL);
    }
    mdb_cursor_close(cursor);
    return code == MDB_NOTFOUND ? ST_OK : from_lmdb(code);
}

enum status journal_each_session(struct journal *journal, session_row_fn *each,
                                 void *arg)
{
    MDB_txn *txn;
    enum status st = from_lmdb(
        mdb_txn_begin(journal->environment.env, NULL, MDB_RDONLY, &txn));

    if (st != ST_OK)
        return st;
    st = session_rows_each(&journal->environment, txn, each, arg);
    mdb_txn_abort(txn);
    return st;
}

static void load_row(void *arg, struct text name, const struct session_row *row)
{
    struct session_rows *rows = arg;

    if (row != NULL)
        sessions_load(rows->sessions, row);
    else
        LOG_LINE(LOG_ERROR, "journal", "a stored session is damaged",
                 LOG_TXT("session", name));
}

enum status session_rows_load(struct session_rows *rows,
                              const struct environment *environment,
                              MDB_txn *txn)
{
    return session_rows_each(environment, txn, load_row, rows);
}

/* ---- the sweep ----------------------------------------------------------- */

int64_t session_rows_due_in(const struct session_rows *rows, int64_t wall_ms,
                            int64_t now_ms)
{
    const int64_t rest_ms = rows->sweep.pause_ends - now_ms;
    const int64_t due_ms = rows->sweep.due_ms - wall_ms;

    if (rows->sweep.is_running || sessions_are_behind(rows->sessions))
        return 0;
    if (sessions_count(rows->sessions) == 0)
        return -1;
    if (rest_ms <= 0 && due_ms <= 0)
        return 0;
    return rest_ms > due_ms ? rest_ms : due_ms;
}

/* `*time_ms_out` is untouched when nothing is kept. */
static enum status find_oldest_time(const struct environment *environment,
                                    MDB_txn *txn, int64_t *time_ms_out)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    struct record record;
    enum status st =
        from_lmdb(mdb_cursor_open(txn, environment->events, &cursor));

    if (st != ST_OK)
        return st;
    st = from_lmdb(mdb_cursor_get(cursor, &key, &value, MDB_FIRST));
    if (st == ST_OK &&
        record_decode(value.mv_data, value.mv_size, &record) == ST_OK)
        *time_ms_out = record.time_ms;
    mdb_cursor_close(cursor);
    return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status begin_sweep(struct session_rows *rows,
                               const struct environment *environment,
                               MDB_txn *txn, int64_t wall_ms)
{
    /* Without events and without a time to keep them nobody goes. */
    int64_t oldest_ms = rows->keep_ms > 0 ? wall_ms : 0;
    const enum status st = find_oldest_time(environment, txn, &oldest_ms);

    if (st != ST_OK)
        return st;
    rows->sweep.is_running = true;
    rows->sweep.oldest_ms = wall_ms;
    rows->sweep.before_ms = wall_ms - rows->keep_ms < oldest_ms
                                ? wall_ms - rows->keep_ms
                                : oldest_ms;
    return ST_OK;
}

static void end_sweep(struct session_rows *rows, int64_t now_ms)
{
    int64_t rest_ms = rows->keep_ms / REST_PART;

    if (rest_ms < REST_LEAST_MS)
        rest_ms = REST_LEAST_MS;
    if (rest_ms > REST_MOST_MS)
        rest_ms = REST_MOST_MS;
    rows->sweep.is_running = false;
    rows->sweep.due_ms = rows->sweep.oldest_ms + rows->keep_ms;
    rows->sweep.pause_ends = now_ms + rest_ms;
}

static bool is_sweep_due(const struct session_rows *rows, int64_t wall_ms,
                         int64_t now_ms)
{
    return rows->sweep.is_running ||
           (rows->sweep.due_ms <= wall_ms && rows->sweep.pause_ends <= now_ms &&
            sessions_count(rows->sessions) > 0);
}

static enum status sweep(struct session_rows *rows,
                         const struct environment *environment, MDB_txn *txn,
                         int64_t wall_ms, int64_t now_ms)
{
    enum status st = ST_OK;

    if (!rows->sweep.is_running)
        st = begin_sweep(rows, environment, txn, wall_ms);
    if (st != ST_OK)
        return st;
    sessions_expire(rows->sessions, rows->sweep.before_ms, &rows->sweep.cursor,
                    &rows->sweep.oldest_ms);
    if (rows->sweep.cursor == 0)
        end_sweep(rows, now_ms);
    return ST_OK;
}

/* ---- with a commit ------------------------------------------------------- */

enum status session_rows_write(struct session_rows *rows,
                               const struct environment *environment,
                               MDB_txn *txn, int64_t wall_ms, int64_t now_ms)
{
    const struct session_row *taken;
    unsigned count;
    enum status st = ST_OK;

    if (is_sweep_due(rows, wall_ms, now_ms))
        st = sweep(rows, environment, txn, wall_ms, now_ms);
    taken = sessions_take(rows->sessions, &count);
    for (unsigned i = 0; st == ST_OK && i < count; i++)
        st = put_row(environment, txn, &taken[i]);
    return st;
}

uint64_t session_rows_pages(const struct session_rows *rows)
{
    const unsigned count = sessions_taken_count(rows->sessions);

    return count <= PAGES_SINGLE
               ? count
               : PAGES_SINGLE + (count - PAGES_SINGLE) / ROWS_PER_PAGE;
}
