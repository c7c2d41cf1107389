/* recovery.c -- start-up takes milliseconds, whatever the journal's size.
 *
 * Every channel has a row with its figures up to some id. All rows are loaded;
 * then the events after the last checkpoint are read, at most some ten
 * thousand, and each is added to its channel unless the row counts it already
 * (its id is not above the row's `upto`). That gives exactly the figures of the
 * last commit, however the process ended.
 *
 * The newest id ever is the newest of the table or, when retention took that,
 * the newest in any row: retention writes the rows of what it takes from. The
 * newest time likewise.
 *
 * Only the form of records is checked here; their checksums are checked when
 * they are read for somebody.
 */
#include "recovery.h"

#include "record.h"

#include <tidings/check.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_MAX   (1u << 28) /* beyond it a row's number is damage */
#define SETTLE_EVERY 4096 /* keeps the ledger's list of saved books short */

struct load {
    struct journal *journal;
    uint64_t *upto; /* by number: of the rows */
    uint32_t upto_count;
    uint64_t newest_id; /* in any row */
    int64_t newest_ms;
    unsigned unsettled;
    int64_t now_ms; /* monotonic */
};

static void note_upto(struct load *load, uint32_t number, uint64_t upto)
{
    if (number >= load->upto_count) {
        const uint32_t count = number * 2 + 1024;

        load->upto = must_realloc(load->upto, count * sizeof load->upto[0]);
        for (uint32_t i = load->upto_count; i < count; i++)
            load->upto[i] = 0;
        load->upto_count = count;
    }
    load->upto[number] = upto;
}

static uint64_t upto_of(const struct load *load, uint32_t number)
{
    return number < load->upto_count ? load->upto[number] : 0;
}

/* Everything so far becomes visible and the next change starts afresh. */
static void settle_some(struct load *load)
{
    if (++load->unsettled % SETTLE_EVERY != 0)
        return;
    ledger_settle(&load->journal->ledger);
    ledger_begin(&load->journal->ledger);
}

static enum status read_row(const MDB_val *key, const MDB_val *value,
                            uint64_t *number_out, struct channel_row *row_out)
{
    enum status st;

    if (key->mv_size != sizeof *number_out)
        return ST_CORRUPT;
    memcpy(number_out, key->mv_data, sizeof *number_out);
    st = channel_row_decode(value->mv_data, value->mv_size, row_out);
    if (st == ST_OK && (*number_out == 0 || *number_out > NUMBER_MAX ||
                        row_out->name.length > EVENT_CHANNEL_MAX_BYTES))
        st = ST_CORRUPT;
    return st;
}

static enum status load_row(struct load *load, const MDB_val *key,
                            const MDB_val *value)
{
    struct registry *registry = load->journal->registry;
    struct ledger *ledger = &load->journal->ledger;
    struct channel_row row;
    struct channel_entry *entry;
    uint64_t number;
    enum status st = read_row(key, value, &number, &row);

    if (st != ST_OK)
        return st;
    if (registry_find(registry, row.name) != NULL)
        return ST_CORRUPT;
    st = registry_intern(registry, row.name, (uint32_t)number, &entry);
    if (st != ST_OK)
        return st;
    ledger_load(ledger, ledger_channel(ledger, entry), &row.figures);
    note_upto(load, entry->number, row.upto);
    if (row.figures.last_id > load->newest_id)
        load->newest_id = row.figures.last_id;
    if (row.figures.trimmed_ms > load->newest_ms)
        load->newest_ms = row.figures.trimmed_ms;
    settle_some(load);
    return ST_OK;
}

static enum status load_event(struct load *load, const MDB_val *key,
                              const MDB_val *value)
{
    struct ledger *ledger = &load->journal->ledger;
    struct ledger_channel *channel;
    struct record record;
    uint64_t id;
    enum status st = record_decode(value->mv_data, value->mv_size, &record);

    if (st != ST_OK || key->mv_size != sizeof id)
        return ST_CORRUPT;
    memcpy(&id, key->mv_data, sizeof id);
    channel = ledger_by_number(ledger, record.channel);
    if (channel == NULL || record.time_ms < ledger->totals.last_ms)
        return ST_CORRUPT;
    if (id > upto_of(load, record.channel)) {
        ledger_add(ledger, channel, id, record.time_ms,
                   record_stored_bytes(value->mv_size));
        /* Its row is behind; the next checkpoint must not pass it over. */
        checkpoint_note(&load->journal->checkpoint, channel, load->now_ms);
    }
    settle_some(load);
    return ST_OK;
}

typedef enum status load_fn(struct load *load, const MDB_val *key,
                            const MDB_val *value);

/* Calls `each` for every row of a table, or from the integer key on. */
static enum status load_table(struct load *load, MDB_txn *txn, MDB_dbi table,
                              uint64_t from, load_fn *each)
{
    MDB_cursor *cursor;
    MDB_val key = {sizeof from, &from};
    MDB_val value;
    int code = mdb_cursor_open(txn, table, &cursor);
    enum status st = from_lmdb(code);

    if (st != ST_OK)
        return st;
    code = mdb_cursor_get(cursor, &key, &value,
                          from > 0 ? MDB_SET_RANGE : MDB_FIRST);
    while (code == 0 && st == ST_OK) {
        st = each(load, &key, &value);
        if (st == ST_OK)
            code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (st != ST_OK || code == 0)
        return st;
    return code == MDB_NOTFOUND ? ST_OK : from_lmdb(code);
}

/* Id and time at one end of the table; 0 and 0 when it is empty. */
static enum status load_end(struct journal *journal, MDB_txn *txn,
                            MDB_cursor_op end, uint64_t *id_out,
                            int64_t *time_ms_out)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    struct record record;
    enum status st =
        from_lmdb(mdb_cursor_open(txn, journal->environment.events, &cursor));

    *id_out = 0;
    *time_ms_out = 0;
    if (st != ST_OK)
        return st;
    st = from_lmdb(mdb_cursor_get(cursor, &key, &value, end));
    if (st == ST_OK)
        st = record_decode(value.mv_data, value.mv_size, &record);
    if (st == ST_OK) {
        memcpy(id_out, key.mv_data, sizeof *id_out);
        *time_ms_out = record.time_ms;
    }
    mdb_cursor_close(cursor);
    return st == ST_NOT_FOUND ? ST_OK : st;
}

static enum status load_ends(struct load *load, MDB_txn *txn)
{
    struct ledger_totals *totals = &load->journal->ledger.totals;
    uint64_t first_id, last_id;
    int64_t first_ms, last_ms;
    enum status st =
        load_end(load->journal, txn, MDB_FIRST, &first_id, &first_ms);

    if (st == ST_OK)
        st = load_end(load->journal, txn, MDB_LAST, &last_id, &last_ms);
    if (st != ST_OK)
        return st;
    totals->oldest_id = first_id;
    totals->last_id = last_id > load->newest_id ? last_id : load->newest_id;
    totals->last_ms = last_ms > load->newest_ms ? last_ms : load->newest_ms;
    totals->next_due_ms = load->journal->ledger.least_age_ms > 0
                              ? first_ms + load->journal->ledger.least_age_ms
                              : LEDGER_NEVER;
    return ST_OK;
}

static void publish_totals(struct journal *journal)
{
    const struct ledger_totals *totals = &journal->ledger.totals;

    ledger_settle(&journal->ledger);
    atomic_store(&journal->figures.stored_bytes, totals->bytes);
    atomic_store(&journal->figures.kept, totals->count);
    atomic_store(&journal->figures.oldest_id, totals->oldest_id);
    atomic_store(&journal->last_id, totals->last_id);
}

enum status recovery_load(struct journal *journal, MDB_txn *txn, char *why,
                          size_t why_bytes)
{
    struct load load = {.journal = journal,
                        .now_ms = clock_monotonic_ms(journal->options.clock)};
    const struct environment *environment = &journal->environment;
    uint64_t checkpoint_id = 0;
    enum status st =
        environment_number(environment, txn, "checkpoint", &checkpoint_id);

    if (st == ST_NOT_FOUND)
        st = ST_OK;
    checkpoint_init(&journal->checkpoint, checkpoint_id);
    ledger_begin(&journal->ledger);
    if (st == ST_OK)
        st = load_table(&load, txn, environment->channels, 0, load_row);
    if (st == ST_OK)
        st = load_table(&load, txn, environment->events, checkpoint_id + 1,
                        load_event);
    if (st == ST_OK)
        st = load_ends(&load, txn);
    free(load.upto);
    if (st != ST_OK) {
        snprintf(why, why_bytes,
                 "the stored journal cannot be understood (%s); the last "
                 "checkpoint was at id %" PRIu64,
                 status_text(st), checkpoint_id);
        return st;
    }
    publish_totals(journal);
    return ST_OK;
}

/* ---- a read-only journal ------------------------------------------------- */

/* Channels that another process added. */
static enum status follow_row(struct load *load, const MDB_val *key,
                              const MDB_val *value)
{
    struct channel_row row;
    uint64_t number;
    const enum status st = read_row(key, value, &number, &row);

    if (st != ST_OK ||
        registry_by_number(load->journal->registry, (uint32_t)number) != NULL)
        return st;
    return load_row(load, key, value);
}

static enum status follow_event(struct load *load, const MDB_val *key,
                                const MDB_val *value)
{
    return load_event(load, key, value);
}

enum status recovery_follow(struct journal *journal, MDB_txn *txn)
{
    struct load load = {.journal = journal,
                        .now_ms = clock_monotonic_ms(journal->options.clock)};
    struct ledger *ledger = &journal->ledger;
    const uint64_t known_id = ledger->totals.last_id;
    uint64_t last_id;
    int64_t last_ms;
    enum status st = load_end(journal, txn, MDB_LAST, &last_id, &last_ms);

    CHECK(journal->environment.is_read_only);
    if (st != ST_OK || last_id <= known_id)
        return st;
    ledger_begin(ledger);
    st = load_table(&load, txn, journal->environment.channels, 0, follow_row);
    if (st == ST_OK)
        st = load_table(&load, txn, journal->environment.events, known_id + 1,
                        follow_event);
    free(load.upto);
    if (st == ST_OK) {
        ledger->totals.last_id = last_id;
        ledger->totals.last_ms = last_ms;
    }
    publish_totals(journal);
    return st;
}
