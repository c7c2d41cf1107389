/* checkpoint.c -- rows, some at a time, and then one number.
 *
 * Start-up loads all rows and counts the events after the id in `checkpoint`; a
 * row's `upto` says which of those it counts already. So a row may be written
 * at any moment, alone, and only `checkpoint` itself has a condition: every
 * channel with an event up to that id must have a row that counts it.
 *
 * The list holds each changed channel once, oldest change first. A checkpoint
 * takes as its target the newest id at its start and writes the rows that are
 * in the list then; each row gets the figures of the moment it is written. A
 * channel that changes after that is appended again and its newer events are
 * after the target, so when the slices are through the number may be written.
 *
 * With very many channels every event changes another row, and a row costs more
 * than an event. Then a checkpoint is put off, until a row stands for 16 events,
 * up to a million events or a minute: start-up reads a million in a fifth of a
 * second.
 *
 * A slice takes from the head of the list. What it took is forgotten when the
 * transaction is committed and put back when it is not.
 */
#include "checkpoint.h"

#include <tidings/check.h>

#include <stdlib.h>
#include <string.h>

#define ROWS_FEW       1024u
#define EVENTS_PER_ROW 16u

void checkpoint_init(struct checkpoint *checkpoint, uint64_t done_id)
{
    *checkpoint = (struct checkpoint){.done_id = done_id};
}

void checkpoint_fini(struct checkpoint *checkpoint)
{
    free(checkpoint->changed);
}

void checkpoint_note(struct checkpoint *checkpoint,
                     struct ledger_channel *channel, int64_t now_ms)
{
    if (channel->is_changed)
        return;
    CHECK(checkpoint->taken == 0);
    if (checkpoint->end == checkpoint->room) {
        checkpoint->room = checkpoint->room * 2 + 1024;
        checkpoint->changed =
            must_realloc(checkpoint->changed,
                         checkpoint->room * sizeof checkpoint->changed[0]);
    }
    checkpoint->changed[checkpoint->end++] = channel->entry->number;
    channel->is_changed = true;
    if (checkpoint->changed_ms == 0)
        checkpoint->changed_ms = now_ms;
}

unsigned checkpoint_count(const struct checkpoint *checkpoint)
{
    return checkpoint->end - checkpoint->head;
}

/* Is a row written for many events, or are there few rows at all? */
static bool is_cheap(const struct checkpoint *checkpoint, uint64_t events)
{
    const unsigned rows = checkpoint_count(checkpoint);

    return rows <= ROWS_FEW || events / EVENTS_PER_ROW >= rows;
}

int64_t checkpoint_due_in(const struct checkpoint *checkpoint,
                          const struct ledger *ledger, int64_t now_ms)
{
    const uint64_t events = ledger->totals.last_id - checkpoint->done_id;
    int64_t passed_ms, wait_ms;

    if (checkpoint->left > 0)
        return 0;
    if (checkpoint_count(checkpoint) == 0)
        return -1;
    if (events >= CHECKPOINT_EVENTS_MAX ||
        (events >= CHECKPOINT_EVENTS && is_cheap(checkpoint, events)))
        return 0;
    passed_ms = now_ms - checkpoint->changed_ms;
    wait_ms = is_cheap(checkpoint, events) ? CHECKPOINT_MS : CHECKPOINT_MS_MAX;
    return passed_ms >= wait_ms ? 0 : wait_ms - passed_ms;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

void checkpoint_start(struct checkpoint *checkpoint,
                      const struct ledger *ledger)
{
    const unsigned count = checkpoint_count(checkpoint);

    CHECK(checkpoint->left == 0 && checkpoint->taken == 0);
    if (count > 0) {
        memmove(checkpoint->changed, checkpoint->changed + checkpoint->head,
                count * sizeof checkpoint->changed[0]);
        /* Neighbours in the table are written together. */
        qsort(checkpoint->changed, count, sizeof checkpoint->changed[0],
              compare_numbers);
    }
    checkpoint->head = 0;
    checkpoint->end = count;
    checkpoint->left = count;
    checkpoint->target_id = ledger->totals.last_id;
}

enum status checkpoint_put_row(const struct environment *environment,
                               struct ledger *ledger, MDB_txn *txn,
                               struct ledger_channel *channel)
{
    const struct channel_row row = {channel->figures, ledger->totals.last_id,
                                    channel_entry_name(channel->entry)};
    uint64_t number = channel->entry->number;
    MDB_val key = {sizeof number, &number};
    MDB_val value = {CHANNEL_ROW_BYTES + row.name.length, NULL};
    unsigned flags = MDB_RESERVE;
    enum status st;

    if (!channel->is_stored && number > ledger->totals.highest_stored)
        flags |= MDB_APPEND;
    st = from_lmdb(mdb_put(txn, environment->channels, &key, &value, flags));
    if (st != ST_OK)
        return st;
    channel_row_encode(value.mv_data, &row);
    ledger_stored(ledger, channel);
    return ST_OK;
}

enum status checkpoint_put_owed(const struct environment *environment,
                                struct ledger *ledger, MDB_txn *txn)
{
    const unsigned count = ledger_touched_count(ledger);

    for (unsigned i = 0; i < count; i++) {
        struct ledger_channel *channel = ledger_touched(ledger, i);
        enum status st;

        if (!channel->owes_row)
            continue;
        st = checkpoint_put_row(environment, ledger, txn, channel);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

enum status checkpoint_slice(struct checkpoint *checkpoint,
                             const struct environment *environment,
                             struct ledger *ledger, MDB_txn *txn, unsigned rows)
{
    enum status st = ST_OK;

    while (st == ST_OK && rows > 0 && checkpoint->taken < checkpoint->left) {
        struct ledger_channel *channel = ledger_by_number(
            ledger, checkpoint->changed[checkpoint->head + checkpoint->taken]);

        CHECK(channel != NULL);
        channel->is_changed = false;
        checkpoint->taken += 1;
        rows -= 1;
        if (channel->figures.last_id == 0)
            continue; /* its only commit failed */
        st = checkpoint_put_row(environment, ledger, txn, channel);
    }
    if (st == ST_OK && checkpoint->taken == checkpoint->left) {
        checkpoint->ends_now = true;
        st = environment_put_number(environment, txn, "checkpoint",
                                    checkpoint->target_id);
    }
    return st;
}

void checkpoint_settle(struct checkpoint *checkpoint, int64_t now_ms)
{
    checkpoint->head += checkpoint->taken;
    checkpoint->left -= checkpoint->taken;
    checkpoint->taken = 0;
    if (!checkpoint->ends_now)
        return;
    checkpoint->ends_now = false;
    checkpoint->done_id = checkpoint->target_id;
    checkpoint->changed_ms = checkpoint_count(checkpoint) > 0 ? now_ms : 0;
}

void checkpoint_undo(struct checkpoint *checkpoint, struct ledger *ledger)
{
    for (unsigned i = 0; i < checkpoint->taken; i++)
        ledger_by_number(ledger, checkpoint->changed[checkpoint->head + i])
            ->is_changed = true;
    checkpoint->taken = 0;
    checkpoint->ends_now = false;
    /* If it began in this transaction, its target is an id that was not given
     * after all, and that the next event gets. */
    if (checkpoint->target_id > ledger->totals.last_id)
        checkpoint->target_id = ledger->totals.last_id;
}
