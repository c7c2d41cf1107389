/* replay.c -- from the cursor towards now, one slice at a time.
 *
 * A slice is copied out of the journal's map as encoded frames inside one short
 * read transaction, and queued after it ended. Caught up is who has read up to
 * the newest id that passed this thread: everything newer comes by the mailbox.
 *
 * The cache is direct-mapped: one slot per hash of (channel, format, position).
 * Subscribers that were demoted in one turn have the same position and hit it.
 * Who has positions per channel leaves events out: such slices are not shared.
 *
 * An amendment rewrites what the journal holds, so a slice is of use only while
 * its channel's newest amendment is the one that was known before the slice was
 * read. This is asked of the registry and not learnt from batches: a thread that
 * is behind, or has no subscribers, gets none.
 */
#include <tidings/replay.h>

#include "base/seeded_bug.h"

#include <tidings/check.h>

#include <stdlib.h>

enum {
    CACHE_SLOTS = 64,
    CACHE_FRAMES_MAX = 262144, /* larger slices are not kept */
    SCANNED_MAX = 65536        /* records looked at in one slice: some 4 ms */
};

struct replay_slot {
    const struct channel_entry *entry;
    uint64_t after, upto;
    uint64_t amended_id; /* of the channel, before the slice was read */
    struct frames *frames;
    unsigned max_events;
    uint8_t format;
};

struct replay_cache {
    struct replay_slot slots[CACHE_SLOTS];
};

struct replay_cache *replay_cache_create(void)
{
    return must_calloc(1, sizeof(struct replay_cache));
}

void replay_cache_destroy(struct replay_cache **cache)
{
    if (*cache == NULL)
        return;
    for (unsigned i = 0; i < CACHE_SLOTS; i++)
        frames_unref(&(*cache)->slots[i].frames);
    free(*cache);
    *cache = NULL;
}

/* One slice being read. */
struct slice {
    struct frames_builder builder;
    const struct subscriber *subscriber;
    bool has_own_positions; /* per channel: protocol.md 1 */
};

static bool wants(void *arg, const struct channel_entry *entry)
{
    const struct slice *slice = arg;

    return directory_covers(slice->subscriber, channel_entry_name(entry),
                            entry->hash) != NULL;
}

static void visit(void *arg, const struct event_view *event)
{
    struct slice *slice = arg;

    if (slice->has_own_positions) {
        const struct membership *member = directory_covers(
            slice->subscriber, event->channel, registry_hash(event->channel));

        if (member != NULL && event->id <= member->after)
            return;
    }
    frames_builder_add(&slice->builder,
                       (enum frame_format)slice->subscriber->format, event);
}

static struct replay_slot *slot_of(struct crew *crew,
                                   const struct channel_entry *entry,
                                   const struct subscriber *subscriber)
{
    uint64_t mix = entry->hash ^ (subscriber->cursor * 0x9e3779b97f4a7c15u);

    return &crew_replay_cache(crew)
                ->slots[((mix >> 32) + subscriber->format) % CACHE_SLOTS];
}

static uint64_t amended_id(const struct channel_entry *entry)
{
    return seeded_bug("amend-stale-slice")
               ? 0
               : atomic_load_explicit(&entry->amended_id, memory_order_acquire);
}

static bool take_cached(const struct replay_slot *slot,
                        const struct channel_entry *entry,
                        struct subscriber *subscriber, unsigned max_events,
                        struct frames **frames_out)
{
    if (slot->entry != entry || slot->after != subscriber->cursor ||
        slot->format != subscriber->format || slot->frames == NULL ||
        slot->max_events != max_events || slot->amended_id != amended_id(entry))
        return false;
    *frames_out = frames_ref(slot->frames);
    subscriber->cursor = slot->upto;
    return true;
}

/* What was read as `read` says, up to the subscriber's cursor. */
static void keep(struct replay_slot *slot, struct replay_slot read,
                 const struct subscriber *subscriber, struct frames *frames)
{
    if (frames->length > CACHE_FRAMES_MAX)
        return;
    frames_unref(&slot->frames);
    *slot = read;
    slot->upto = subscriber->cursor;
    slot->format = subscriber->format;
    slot->frames = frames_ref(frames);
}

static bool has_own_positions(const struct subscriber *subscriber)
{
    for (unsigned i = 0; i < subscriber->membership_count; i++)
        if (subscriber->memberships[i].after > 0)
            return true;
    return false;
}

/* A record that fails its checksum is gone like one that retention took: what
 * lies before it is given first, then the client is told and goes on behind it. */
static void skip_damaged(struct subscriber *subscriber, uint64_t upto,
                         struct replay *replay)
{
    subscriber->cursor = upto + 1;
    replay->has_gap = true;
    replay->resumed = subscriber->cursor;
}

static enum status read_slice(struct crew *crew, struct subscriber *subscriber,
                              struct journal_query *query,
                              struct replay *replay)
{
    struct slice slice = {.subscriber = subscriber,
                          .has_own_positions = has_own_positions(subscriber)};
    struct journal_slice read = {0};
    enum status st;

    query->after = subscriber->cursor;
    query->max_scanned = SCANNED_MAX;
    query->wants = wants;
    query->wants_arg = &slice;
    frames_builder_init(&slice.builder);
    st = journal_read(crew_reader(crew), query, visit, &slice, &read);
    if (st == ST_OK || st == ST_CORRUPT) {
        if (subscriber->cursor < read.upto)
            subscriber->cursor = read.upto;
        if (slice.builder.mark_count > 0)
            replay->frames = frames_finish(&slice.builder);
        else if (st == ST_CORRUPT)
            skip_damaged(subscriber, read.upto, replay);
        st = ST_OK;
    }
    frames_builder_fini(&slice.builder);
    return st;
}

static uint64_t more_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The newest id that the followed stream never gave, or took back. */
static uint64_t hole_id(const struct crew *crew)
{
    const struct journal *journal = crew_journal(crew);
    uint64_t after, upto;

    journal_rewound(journal, &after, &upto);
    return more_of(journal_missing_id(journal), upto);
}

static bool is_rewound(const struct crew *crew, uint64_t id, uint64_t told)
{
    uint64_t after, upto;

    journal_rewound(crew_journal(crew), &after, &upto);
    return upto > id && upto > told;
}

/* Who is told of a hole has missed something. */
static bool has_been_told(const struct crew *crew,
                          const struct subscriber *subscriber)
{
    const uint64_t hole = hole_id(crew);

    if (hole <= subscriber->cursor)
        return true;
    for (unsigned i = 0; i < subscriber->membership_count; i++)
        if (subscriber->memberships[i].told < hole)
            return false;
    return true;
}

/* Every channel is known, and none has anything newer than the cursor. */
static bool has_missed_nothing(const struct crew *crew,
                               const struct subscriber *subscriber)
{
    struct registry *registry = journal_registry(crew_journal(crew));

    if (!has_been_told(crew, subscriber))
        return false;
    for (unsigned i = 0; i < subscriber->membership_count; i++) {
        const struct membership *member = &subscriber->memberships[i];
        const struct channel_entry *entry;

        if (member->channel == NULL)
            return journal_last_id(crew_journal(crew)) <= subscriber->cursor;
        entry = registry_find(registry, directory_channel_name(member));
        if (entry != NULL && atomic_load(&entry->last_id) > subscriber->cursor)
            return false;
    }
    return true;
}

/* ---- what retention took meanwhile
 * ------------------------------------------- */

/* Of one membership: the newest id that is gone. For a pattern, of any channel:
 * looking at each would cost more than a needless word about a gap. */
static uint64_t trimmed_of(const struct crew *crew,
                           const struct membership *member)
{
    const struct channel_entry *entry;

    if (member->channel == NULL)
        return more_of(journal_trimmed_id(crew_journal(crew)), hole_id(crew));
    entry = registry_find(journal_registry(crew_journal(crew)),
                          directory_channel_name(member));
    return more_of(entry == NULL ? 0 : atomic_load(&entry->trimmed_id),
                   hole_id(crew));
}

void replay_note_trimmed(struct crew *crew, struct subscriber *subscriber)
{
    for (unsigned i = 0; i < subscriber->membership_count; i++)
        subscriber->memberships[i].told =
            trimmed_of(crew, &subscriber->memberships[i]);
}

/* After the slice was read: is anything gone that lay behind `after`? */
static void look_for_gap(const struct crew *crew, struct subscriber *subscriber,
                         uint64_t after, struct replay *replay)
{
    if (more_of(journal_trimmed_id(crew_journal(crew)), hole_id(crew)) <= after)
        return;
    for (unsigned i = 0; i < subscriber->membership_count; i++) {
        struct membership *member = &subscriber->memberships[i];
        uint64_t trimmed = trimmed_of(crew, member);

        if (trimmed <= after || trimmed <= member->told ||
            trimmed <= member->after)
            continue;
        replay->is_rewound = is_rewound(crew, after, member->told);
        member->told = trimmed;
        replay->has_gap = true;
        replay->resumed = subscriber_is_mixed(subscriber) ? after : trimmed;
    }
}

/* ---- one slice
 * ------------------------------------------------------------------ */

static enum status read_or_take(struct crew *crew,
                                struct subscriber *subscriber,
                                struct journal_query *query,
                                struct replay *replay)
{
    struct replay_slot read = {.entry = query->only,
                               .after = subscriber->cursor,
                               .max_events = query->max_events};
    struct replay_slot *slot = NULL;
    enum status st;

    if (query->only != NULL && !has_own_positions(subscriber)) {
        slot = slot_of(crew, query->only, subscriber);
        if (take_cached(slot, query->only, subscriber, query->max_events,
                        &replay->frames))
            return ST_OK;
        read.amended_id = amended_id(query->only);
    }
    st = read_slice(crew, subscriber, query, replay);
    if (st != ST_OK)
        return st;
    look_for_gap(crew, subscriber, read.after, replay);
    if (slot != NULL && replay->frames != NULL && !replay->has_gap)
        keep(slot, read, subscriber, replay->frames);
    return ST_OK;
}

enum status replay_slice(struct crew *crew, struct subscriber *subscriber,
                         struct journal_trail *trail, unsigned max_events,
                         size_t max_bytes, struct replay *replay_out)
{
    struct journal_query query = {.max_events = max_events,
                                  .max_bytes = max_bytes};
    enum status st;

    *replay_out = (struct replay){.is_caught_up = true};
    if (has_missed_nothing(crew, subscriber))
        return ST_OK;
    if (!subscriber_is_mixed(subscriber)) {
        query.only =
            registry_find(journal_registry(crew_journal(crew)),
                          directory_channel_name(&subscriber->memberships[0]));
        query.trail = trail;
    }
    st = read_or_take(crew, subscriber, &query, replay_out);
    if (st != ST_OK)
        return st;
    if (replay_out->frames != NULL)
        metrics_add(crew_metrics(crew), METRIC_replayed,
                    replay_out->frames->mark_count);
    replay_out->is_caught_up =
        subscriber->cursor >= directory_seen_upto(crew_directory(crew));
    return ST_OK;
}
