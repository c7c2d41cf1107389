/* chain.c -- a sparse channel costs what it holds, not what lies between.
 *
 * Every record names the previous id of its channel. From the newest the walk
 * goes back until it passes the position or the chain ends (the channel began
 * there, or retention took the rest: ids up to `trimmed_id` are gone, and a
 * record that is not there ends the walk too).
 *
 * The walk goes the wrong way: what it finds first must be given last. Ids are
 * written into a ring of 1,024, so what is left at the end are the oldest,
 * which are given first; when they are used up, the walk is made again, and is
 * shorter by what was given. A walk of more than 8,192 steps is given up:
 * scanning is better then.
 *
 * The choice. A step costs about 1 us (a search from the root), a scanned
 * record a sixteenth of it. How many events the channel has after the position
 * is estimated as if they were spread evenly over its ids.
 *
 * The newest N of several channels: their heads form a heap; N times the newest
 * is taken and replaced by its predecessor.
 */
#include "chain.h"

#include <tidings/check.h>

#include <stdlib.h>

#define SCANS_PER_STEP 16
#define WITHDRAWN_MAX  16384 /* passed in search of the newest so many */

/* Records in (after, head], about. Ids rise by one but for the step to the
 * present that each start of the journal makes: the last step is known, older
 * ones are covered by the number of all that is kept. */
static uint64_t records_between(const struct journal *journal, uint64_t after,
                                uint64_t head_id)
{
    const uint64_t kept =
        atomic_load_explicit(&journal->figures.kept, memory_order_relaxed);
    const uint64_t step_from =
        after > journal->resumed_id ? after : journal->resumed_id;
    uint64_t between = head_id > after ? head_id - after : 0;

    if (step_from + 1 < journal->start_id && head_id >= journal->start_id)
        between -= journal->start_id - 1 - step_from;
    return between < kept ? between : kept;
}

/* Expected number of the channel's events in (after, head]. */
static uint64_t expected(const struct journal *journal,
                         const struct channel_entry *channel, uint64_t head_id,
                         uint64_t after)
{
    const uint64_t count =
        atomic_load_explicit(&channel->count, memory_order_relaxed);
    const uint64_t first_id =
        atomic_load_explicit(&channel->first_id, memory_order_relaxed);
    const uint64_t of = records_between(journal, first_id, head_id);
    double part;

    if (after < first_id || of == 0)
        return count + 1;
    part = (double)records_between(journal, after, head_id) / (double)of;
    return (uint64_t)((double)count * part) + 1;
}

bool chain_is_shorter(const struct journal *journal,
                      const struct channel_entry *channel, uint64_t head_id,
                      uint64_t after)
{
    const uint64_t events = expected(journal, channel, head_id, after);
    const uint64_t walks = events / CHAIN_TRAIL_IDS + 1;

    if (events > CHAIN_STEPS_MAX)
        return false;
    /* Each walk is half as long as all on average; giving is a step each. */
    return (walks + 1) * events / 2 + events <
           records_between(journal, after, head_id) / SCANS_PER_STEP + 1;
}

/* Brings the ring's content into rising order at the start of the list. */
static unsigned unroll(uint64_t *ids, uint64_t steps)
{
    const unsigned kept =
        steps < CHAIN_TRAIL_IDS ? (unsigned)steps : CHAIN_TRAIL_IDS;
    uint64_t rising[CHAIN_TRAIL_IDS];

    for (unsigned i = 0; i < kept; i++)
        rising[i] = ids[(steps - 1 - i) % CHAIN_TRAIL_IDS];
    memcpy(ids, rising, kept * sizeof rising[0]);
    return kept;
}

enum status chain_walk(struct journal_reader *reader,
                       const struct channel_entry *channel, uint64_t head_id,
                       uint64_t after, struct journal_trail *trail)
{
    const uint64_t trimmed_id =
        atomic_load_explicit(&channel->trimmed_id, memory_order_acquire);
    const uint64_t end_id = after > trimmed_id ? after : trimmed_id;
    uint64_t id = head_id;
    uint64_t steps = 0;
    uint64_t *ids;

    trail->count = trail->next = 0;
    if (trail->ids == NULL)
        trail->ids = must_malloc((1 + CHAIN_TRAIL_IDS) * sizeof trail->ids[0]);
    ids = trail->ids + 1;
    while (id > end_id) {
        MDB_val value;
        struct record record;
        const enum status st = reader_get(reader, id, &value, &record);

        if (st == ST_NOT_FOUND)
            break; /* retention was here */
        if (st != ST_OK)
            return st;
        if (record.channel != channel->number || record.previous_id >= id)
            return ST_CORRUPT;
        if (steps == CHAIN_STEPS_MAX)
            return ST_TOO_BIG;
        ids[steps++ % CHAIN_TRAIL_IDS] = id;
        id = record.previous_id;
    }
    trail->ids[0] = after;
    trail->next = 1;
    trail->count = 1 + unroll(ids, steps);
    return ST_OK;
}

/* Puts `next` where the position is; forgets a trail that begins after it. */
static void find_place(struct journal_trail *trail, uint64_t position)
{
    if (trail->count > 0 && trail->ids[0] > position)
        trail->count = trail->next = 0;
    while (trail->next > 1 && trail->ids[trail->next - 1] > position)
        trail->next -= 1;
    while (trail->next < trail->count && trail->ids[trail->next] <= position)
        trail->next += 1;
}

enum status chain_give(struct slice *slice, struct journal_trail *trail)
{
    find_place(trail, slice->position);
    while (trail->next < trail->count) {
        const uint64_t id = trail->ids[trail->next];
        MDB_val value;
        struct record record;
        enum status st;

        st = reader_get(slice->reader, id, &value, &record);
        if (st == ST_OK) {
            slice->position = id - 1;
            st = slice_give(slice, id, &value, &record, slice->query->only);
        } else if (st == ST_NOT_FOUND) {
            slice->position = id; /* retention was faster */
            st = ST_OK;
        }
        if (st != ST_OK || slice->is_full)
            return st;
        trail->next += 1;
    }
    return ST_OK;
}

/* ---- the newest so many ---------------------------------------------------
 */

/* Moves the number at `i` down to its place in a heap with the newest on top.
 */
static void sink(uint64_t *heap, size_t count, size_t i)
{
    for (;;) {
        size_t largest = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2; child++)
            if (child < count && heap[child] > heap[largest])
                largest = child;
        if (largest == i)
            return;
        {
            const uint64_t swapped = heap[i];

            heap[i] = heap[largest];
            heap[largest] = swapped;
        }
        i = largest;
    }
}

/* The channel's newest id that is in the snapshot; ids alone are enough, since
 * the record under an id knows its predecessor. */
static size_t make_heap(struct channel_entry *const *entries,
                        unsigned entry_count, uint64_t *heap)
{
    size_t count = 0;

    for (unsigned i = 0; i < entry_count; i++) {
        const uint64_t id =
            atomic_load_explicit(&entries[i]->last_id, memory_order_acquire);

        if (id >
            atomic_load_explicit(&entries[i]->trimmed_id, memory_order_acquire))
            heap[count++] = id;
    }
    for (size_t i = count / 2; i-- > 0;)
        sink(heap, count, i);
    return count;
}

static enum status take_newest(struct journal_reader *reader, uint64_t *heap,
                               size_t count, unsigned n, uint64_t *after_out)
{
    unsigned withdrawn = 0;

    while (n > 0 && count > 0 && withdrawn < WITHDRAWN_MAX) {
        MDB_val value;
        struct record record;
        const uint64_t id = heap[0];
        const enum status st = reader_get(reader, id, &value, &record);

        if (st != ST_OK && st != ST_NOT_FOUND)
            return st;
        if (st == ST_OK && record.fate == RECORD_WITHDRAWN) {
            withdrawn += 1;
        } else if (st == ST_OK) {
            *after_out = id - 1;
            n -= 1;
        }
        heap[0] = st == ST_OK ? record.previous_id : 0;
        if (heap[0] == 0 || heap[0] >= id)
            heap[0] = heap[--count];
        sink(heap, count, 0);
    }
    return ST_OK;
}

enum status journal_find_last(struct journal_reader *reader,
                              struct channel_entry *const *entries,
                              unsigned entry_count, unsigned n,
                              uint64_t *after_out)
{
    uint64_t after = journal_last_id(reader->journal);
    uint64_t *heap;
    size_t count;
    enum status st;

    if (entry_count == 0 || n == 0) {
        *after_out = after;
        return ST_OK;
    }
    heap = must_malloc(entry_count * sizeof heap[0]);
    count = make_heap(entries, entry_count, heap);
    st = reader_enter(reader);
    if (st == ST_OK) {
        st = take_newest(reader, heap, count, n, &after);
        reader_leave(reader);
    }
    free(heap);
    if (st == ST_OK)
        *after_out = after;
    return st;
}
