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
 * A slice takes from the head of the ring. What it took is forgotten when the
 * transaction is committed and put back when it is not.
 */
#include "checkpoint.h"

#include <tidings/check.h>

#include <stdlib.h>
#include <string.h>

void checkpoint_init(struct checkpoint *checkpoint, uint64_t done_id)
{
    *checkpoint = (struct checkpoint){.done_id = done_id};
}

void checkpoint_fini(struct checkpoint *checkpoint)
{
    free(checkpoint->changed);
}

static uint32_t *at(const struct checkpoint *checkpoint, unsigned i)
{
    return &checkpoint->changed[(checkpoint->head + i) % checkpoint->room];
}

static void grow(struct checkpoint *checkpoint)
{
    const unsigned room = checkpoint->room * 2 + 1024;
    uint32_t *changed = must_malloc(room * sizeof changed[0]);

    for (unsigned i = 0; i < checkpoint->count; i++)
        changed[i] = *at(checkpoint, i);
    free(checkpoint->changed);
    checkpoint->changed = changed;
    checkpoint->room = room;
    checkpoint->head = 0;
}

void checkpoint_note(struct checkpoint *checkpoint,
                     struct ledger_channel *channel, int64_t now_ms)
{
    if (channel->is_changed)
        return;
    CHECK(checkpoint->taken == 0);
    if (checkpoint->count == checkpoint->room)
        grow(checkpoint);
    *at(checkpoint, checkpoint->count) = channel->entry->number;
    checkpoint->count += 1;
    channel->is_changed = true;
    if (checkpoint->changed_ms == 0)
        checkpoint->changed_ms = now_ms;
}

int64_t checkpoint_due_in(const struct checkpoint *checkpoint,
                          const struct ledger *ledger, int64_t now_ms)
{
    int64_t passed_ms;

    if (checkpoint->left > 0)
        return 0;
    if (checkpoint->count == 0)
        return -1;
    if (ledger->totals.last_id - checkpoint->done_id >= CHECKPOINT_EVENTS)
        return 0;
    passed_ms = now_ms - checkpoint->changed_ms;
    return passed_ms >= CHECKPOINT_MS ? 0 : CHECKPOINT_MS - passed_ms;
}

void checkpoint_start(struct checkpoint *checkpoint,
                      const struct ledger *ledger)
{
    checkpoint->left = checkpoint->count;
    checkpoint->target_id = ledger->totals.last_id;
}

enum status checkpoint_put_row(const struct environment *environment,
                               struct ledger *ledger, MDB_txn *txn,
                               struct ledger_channel *channel)
{
    const struct channel_row row = {channel->entry->number, channel->figures,
                                    ledger->totals.last_id};
    unsigned char bytes[CHANNEL_ROW_BYTES];
    union {
        const char *name;
        void *memory;
    } lent = {channel->entry->name}; /* LMDB only reads keys */
    MDB_val key = {channel->entry->name_bytes, lent.memory};
    MDB_val value = {sizeof bytes, bytes};
    enum status st;

    channel_row_encode(bytes, &row);
    st = from_lmdb(mdb_put(txn, environment->channels, &key, &value, 0));
    if (st == ST_OK)
        ledger_stored(ledger, channel);
    return st;
}

enum status checkpoint_slice(struct checkpoint *checkpoint,
                             const struct environment *environment,
                             struct ledger *ledger, MDB_txn *txn, unsigned rows)
{
    enum status st = ST_OK;

    while (st == ST_OK && rows > 0 && checkpoint->taken < checkpoint->left) {
        struct ledger_channel *channel =
            ledger_by_number(ledger, *at(checkpoint, checkpoint->taken));

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
    checkpoint->count -= checkpoint->taken;
    checkpoint->left -= checkpoint->taken;
    if (checkpoint->room > 0)
        checkpoint->head =
            (checkpoint->head + checkpoint->taken) % checkpoint->room;
    checkpoint->taken = 0;
    if (!checkpoint->ends_now)
        return;
    checkpoint->ends_now = false;
    checkpoint->done_id = checkpoint->target_id;
    checkpoint->changed_ms = checkpoint->count > 0 ? now_ms : 0;
}

void checkpoint_undo(struct checkpoint *checkpoint, struct ledger *ledger)
{
    for (unsigned i = 0; i < checkpoint->taken; i++)
        ledger_by_number(ledger, *at(checkpoint, i))->is_changed = true;
    checkpoint->taken = 0;
    checkpoint->ends_now = false;
}
