/* ledger.c -- figures that can be taken back.
 *
 * The first change of a channel in a transaction saves a copy of its books;
 * undo copies them back in the reverse order. The totals are small and saved
 * whole. So the path of an event writes the figures in place and never asks
 * whether the commit will work.
 *
 * Settling stores the touched figures into the registry's atomics. Readers load
 * them one by one; what must be seen together is ordered by the journal's
 * newest id, which is stored after them (see writer.c) and loaded before them
 * (see reader.c).
 */
#include "ledger.h"

#include <tidings/check.h>

#include <stdlib.h>

#define CHUNK_CHANNELS 4096u

struct ledger_saved {
    struct ledger_channel *channel;
    struct ledger_channel was;
};

void ledger_init(struct ledger *ledger, struct registry *registry,
                 const struct journal_options *options)
{
    *ledger = (struct ledger){.registry = registry,
                              .keep = options->keep,
                              .keep_arg = options->keep_arg};
    ledger->totals.next_due_ms = LEDGER_NEVER;
    ledger->settled = ledger->totals;
}

void ledger_fini(struct ledger *ledger)
{
    for (unsigned i = 0; i < ledger->chunk_count; i++)
        free(ledger->chunks[i]);
    free(ledger->chunks);
    free(ledger->saved);
}

static struct ledger_channel *place_for(struct ledger *ledger, uint32_t number)
{
    const unsigned chunk = number / CHUNK_CHANNELS;

    if (chunk >= ledger->chunk_count) {
        const unsigned count = (chunk + 1) * 2;

        ledger->chunks = must_realloc((void *)ledger->chunks,
                                      count * sizeof(ledger->chunks[0]));
        for (unsigned i = ledger->chunk_count; i < count; i++)
            ledger->chunks[i] = NULL;
        ledger->chunk_count = count;
    }
    if (ledger->chunks[chunk] == NULL)
        ledger->chunks[chunk] =
            must_calloc(CHUNK_CHANNELS, sizeof(struct ledger_channel));
    return &ledger->chunks[chunk][number % CHUNK_CHANNELS];
}

struct ledger_channel *ledger_channel(struct ledger *ledger,
                                      struct channel_entry *entry)
{
    struct ledger_channel *channel = place_for(ledger, entry->number);
    int64_t age_ms;

    if (channel->entry != NULL)
        return channel;
    channel->entry = entry;
    if (ledger->keep != NULL)
        channel->keep =
            ledger->keep(ledger->keep_arg, channel_entry_name(entry));
    age_ms = channel->keep.age_ms;
    if (age_ms > 0 &&
        (ledger->least_age_ms == 0 || age_ms < ledger->least_age_ms))
        ledger->least_age_ms = age_ms;
    return channel;
}

struct ledger_channel *ledger_by_number(struct ledger *ledger, uint32_t number)
{
    const unsigned chunk = number / CHUNK_CHANNELS;
    struct ledger_channel *channel;

    if (chunk >= ledger->chunk_count || ledger->chunks[chunk] == NULL)
        return NULL;
    channel = &ledger->chunks[chunk][number % CHUNK_CHANNELS];
    return channel->entry == NULL ? NULL : channel;
}

bool ledger_is_over(const struct ledger_channel *channel)
{
    const struct journal_keep *keep = &channel->keep;

    return (keep->count > 0 && channel->figures.count > keep->count) ||
           (keep->bytes > 0 && channel->figures.bytes > keep->bytes);
}

/* ---- transactions -------------------------------------------------------- */

void ledger_begin(struct ledger *ledger)
{
    CHECK(ledger->saved_count == 0);
    ledger->serial += 1;
}

static void touch(struct ledger *ledger, struct ledger_channel *channel)
{
    if (channel->touched_in == ledger->serial)
        return;
    if (ledger->saved_count == ledger->saved_room) {
        ledger->saved_room = ledger->saved_room * 2 + 64;
        ledger->saved = must_realloc(
            ledger->saved, ledger->saved_room * sizeof(ledger->saved[0]));
    }
    ledger->saved[ledger->saved_count].channel = channel;
    ledger->saved[ledger->saved_count].was = *channel;
    ledger->saved_count += 1;
    channel->touched_in = ledger->serial;
}

static void publish_figures(struct ledger_channel *channel)
{
    const struct channel_figures *figures = &channel->figures;
    struct channel_entry *entry = channel->entry;

    atomic_store_explicit(&entry->first_id, figures_first(figures),
                          memory_order_release);
    atomic_store_explicit(&entry->trimmed_ms, figures->trimmed_ms,
                          memory_order_release);
    atomic_store_explicit(&entry->trimmed_id, figures->trimmed_id,
                          memory_order_release);
    atomic_store_explicit(&entry->count, figures->count, memory_order_relaxed);
    atomic_store_explicit(&entry->bytes, figures->bytes, memory_order_relaxed);
    atomic_store_explicit(&entry->amended_id, channel->amended_id,
                          memory_order_release);
    atomic_store_explicit(&entry->last_id, figures->last_id,
                          memory_order_release);
}

void ledger_settle(struct ledger *ledger)
{
    for (unsigned i = 0; i < ledger->saved_count; i++) {
        struct ledger_channel *channel = ledger->saved[i].channel;

        channel->owes_row = false;
        publish_figures(channel);
    }
    ledger->saved_count = 0;
    ledger->settled = ledger->totals;
}

void ledger_undo(struct ledger *ledger)
{
    while (ledger->saved_count > 0) {
        struct ledger_saved *saved = &ledger->saved[--ledger->saved_count];
        /* Whether it stands in the checkpoint's list has not changed. */
        const bool is_changed = saved->channel->is_changed;

        *saved->channel = saved->was;
        saved->channel->is_changed = is_changed;
    }
    ledger->totals = ledger->settled;
}

unsigned ledger_touched_count(const struct ledger *ledger)
{
    return ledger->saved_count;
}

struct ledger_channel *ledger_touched(const struct ledger *ledger, unsigned i)
{
    return ledger->saved[i].channel;
}

/* ---- changes ------------------------------------------------------------- */

/* Takes the channel out of the totals that depend on its state... */
static void discount(struct ledger *ledger,
                     const struct ledger_channel *channel)
{
    ledger->totals.over -= ledger_is_over(channel);
    ledger->totals.lack_first -= figures_lack_first(&channel->figures);
    ledger->totals.count -= channel->figures.count;
    ledger->totals.bytes -= channel->figures.bytes;
}

/* ...and after the change puts it back. */
static void recount(struct ledger *ledger, const struct ledger_channel *channel)
{
    ledger->totals.over += ledger_is_over(channel);
    ledger->totals.lack_first += figures_lack_first(&channel->figures);
    ledger->totals.count += channel->figures.count;
    ledger->totals.bytes += channel->figures.bytes;
}

void ledger_add(struct ledger *ledger, struct ledger_channel *channel,
                uint64_t id, int64_t time_ms, uint64_t bytes)
{
    struct channel_figures *figures = &channel->figures;
    struct ledger_totals *totals = &ledger->totals;

    CHECK(id > totals->last_id && time_ms >= totals->last_ms);
    touch(ledger, channel);
    discount(ledger, channel);
    if (figures->count == 0)
        figures->first_id = id;
    figures->last_id = id;
    figures->count += 1;
    figures->bytes += bytes;
    recount(ledger, channel);

    if (totals->oldest_id == 0)
        totals->oldest_id = id;
    totals->last_id = id;
    totals->last_ms = time_ms;
    if (channel->keep.age_ms > 0 &&
        time_ms + channel->keep.age_ms < totals->next_due_ms)
        totals->next_due_ms = time_ms + channel->keep.age_ms;
}

/* Told before the commit that takes the event away: who reads the journal after
 * it must not find a hole that nobody has heard of. If the commit fails,
 * somebody may be told of a gap that is none. */
static void announce_trim(struct ledger *ledger, struct channel_entry *entry,
                          uint64_t id, int64_t time_ms)
{
    atomic_store_explicit(&entry->trimmed_ms, time_ms, memory_order_release);
    atomic_store_explicit(&entry->trimmed_id, id, memory_order_release);
    if (id >
        atomic_load_explicit(&ledger->newest_trimmed, memory_order_relaxed))
        atomic_store_explicit(&ledger->newest_trimmed, id,
                              memory_order_release);
}

void ledger_remove(struct ledger *ledger, struct ledger_channel *channel,
                   uint64_t id, int64_t time_ms, uint64_t bytes)
{
    struct channel_figures *figures = &channel->figures;

    CHECK(figures->count > 0 && id > figures->trimmed_id);
    touch(ledger, channel);
    discount(ledger, channel);
    figures->trimmed_id = id;
    figures->trimmed_ms = time_ms;
    figures->count -= 1;
    figures->bytes -= bytes < figures->bytes ? bytes : figures->bytes;
    figures->first_id = figures->count == 1 ? figures->last_id : 0;
    channel->owes_row = true;
    announce_trim(ledger, channel->entry, id, time_ms);
    recount(ledger, channel);
}

void ledger_amend(struct ledger *ledger, struct ledger_channel *channel,
                  uint64_t amended_by, uint64_t old_bytes, uint64_t new_bytes)
{
    touch(ledger, channel);
    discount(ledger, channel);
    channel->figures.bytes -= old_bytes;
    channel->figures.bytes += new_bytes;
    channel->amended_id = amended_by;
    channel->owes_row = true;
    recount(ledger, channel);
}

void ledger_found_first(struct ledger *ledger, struct ledger_channel *channel,
                        uint64_t id)
{
    touch(ledger, channel);
    discount(ledger, channel);
    channel->figures.first_id = id;
    recount(ledger, channel);
}

static void note_stored(struct ledger *ledger,
                        const struct ledger_channel *channel)
{
    if (channel->entry->number > ledger->totals.highest_stored)
        ledger->totals.highest_stored = channel->entry->number;
}

void ledger_stored(struct ledger *ledger, struct ledger_channel *channel)
{
    if (channel->is_stored)
        return;
    touch(ledger, channel);
    channel->is_stored = true;
    note_stored(ledger, channel);
}

void ledger_load(struct ledger *ledger, struct ledger_channel *channel,
                 const struct channel_figures *figures)
{
    touch(ledger, channel);
    discount(ledger, channel);
    channel->figures = *figures;
    channel->is_stored = true;
    if (figures->trimmed_id > 0)
        announce_trim(ledger, channel->entry, figures->trimmed_id,
                      figures->trimmed_ms);
    recount(ledger, channel);
}
