/* resume.c -- resolving positions, and noticing what cannot be served in full.
 *
 * Retention leaves in each channel's entry the newest id that it took, and its
 * time. A client whose position is older than that has lost something of this
 * channel: exactly then it is told. An id from before the journal began belongs
 * to another journal; the client gets everything, since nobody knows what it
 * missed. An id newer than the newest gets what comes from now on.
 *
 * The newest id that the journal tells may be a commit behind what a replaying
 * stream was given from the file: the figure follows the commit. So before an id
 * is called one from the future, the file is asked.
 */
#include "resume.h"

#include "ahead.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>

#include <stdlib.h>

const char *gap_reason_text(enum gap_reason reason)
{
    static const char *const texts[] = {
#define G(name, text, when) [GAP_##name] = (text),
        GAP_REASONS(G)
#undef G
    };

    return texts[reason];
}

/* The channels that the selectors cover now. */
struct covered {
    const struct text *selectors;
    unsigned selector_count;
    struct channel_entry **entries;
    unsigned count, capacity;
};

static void add_entry(struct covered *covered, struct channel_entry *entry)
{
    if (covered->count == covered->capacity) {
        covered->capacity = covered->capacity == 0 ? 8 : covered->capacity * 2;
        covered->entries =
            must_realloc(covered->entries,
                         covered->capacity * sizeof(struct channel_entry *));
    }
    covered->entries[covered->count++] = entry;
}

static void add_if_covered(void *arg, struct channel_entry *entry)
{
    struct covered *covered = arg;

    for (unsigned i = 0; i < covered->selector_count; i++) {
        if (selector_matches(covered->selectors[i],
                             channel_entry_name(entry))) {
            add_entry(covered, entry);
            return;
        }
    }
}

static void find_covered(struct registry *registry,
                         const struct text *selectors, unsigned count,
                         struct covered *covered)
{
    *covered = (struct covered){selectors, count, NULL, 0, 0};
    for (unsigned i = 0; i < count; i++) {
        if (selector_is_pattern(selectors[i])) {
            covered->count = 0;
            registry_each(registry, add_if_covered, covered);
            return;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        struct channel_entry *entry = registry_find(registry, selectors[i]);

        if (entry != NULL)
            add_entry(covered, entry);
    }
}

static bool is_trimmed_after_id(const struct covered *covered, uint64_t id)
{
    for (unsigned i = 0; i < covered->count; i++)
        if (atomic_load(&covered->entries[i]->trimmed_id) > id)
            return true;
    return false;
}

static bool is_trimmed_after_time(const struct covered *covered,
                                  int64_t wall_ms)
{
    for (unsigned i = 0; i < covered->count; i++)
        if (atomic_load(&covered->entries[i]->trimmed_id) > 0 &&
            atomic_load(&covered->entries[i]->trimmed_ms) > wall_ms)
            return true;
    return false;
}

/* A hole in what the stream gave, and nothing behind the position that was before
 * it: the position goes to its end, or a client that is told of it and asks again
 * would be told again, at once, until the next event. */
static uint64_t past_hole(const struct covered *covered, uint64_t id,
                          uint64_t hole)
{
    for (unsigned i = 0; i < covered->count; i++)
        if (atomic_load(&covered->entries[i]->last_id) > id)
            return id;
    return hole > id && !seeded_bug("told-again") ? hole : id;
}

uint64_t resume_newest_id(struct crew *crew, uint64_t id)
{
    uint64_t told = journal_last_id(crew_journal(crew)), stored;

    if (id <= told ||
        journal_find_time(crew_reader(crew), INT64_MAX, &stored) != ST_OK)
        return told;
    return stored > told ? stored : told;
}

bool resume_is_known(struct crew *crew, uint64_t id)
{
    return id <= resume_newest_id(crew, id) ||
           id < journal_first_id(crew_journal(crew));
}

static void resume_after_id(struct crew *crew, const struct covered *covered,
                            uint64_t id, struct resume *resume)
{
    uint64_t first = journal_first_id(crew_journal(crew));
    uint64_t last = resume_newest_id(crew, id);
    uint64_t missing = journal_missing_id(crew_journal(crew));
    uint64_t rewound_after, rewound_upto;

    journal_rewound(crew_journal(crew), &rewound_after, &rewound_upto);
    if (last < missing)
        last = missing; /* nobody is ahead of what is gone */
    resume->after = id;
    if (last < first - 1)
        last = first - 1; /* nothing published yet */
    if (id > rewound_after && id < rewound_upto) {
        resume->gap = GAP_REWOUND; /* whether this instance had it or not */
        resume->after = past_hole(covered, id, rewound_upto);
    } else if (id > last && ahead_is_plausible(crew, id)) {
        resume->ahead_id = id;
    } else if (id > last) {
        resume->gap = GAP_FUTURE;
        resume->after = last;
    } else if (id < first - 1 && id != 0) {
        resume->gap = GAP_UNKNOWN;
        resume->after = first - 1; /* all that is kept */
    } else if (id < missing || is_trimmed_after_id(covered, id)) {
        resume->gap = GAP_TRIMMED;
        resume->after = past_hole(covered, id, missing);
    }
}

/* A time says nothing of ids: what lies between the event before it and the next
 * one is looked at. */
static enum status resume_after_time(struct crew *crew,
                                     const struct covered *covered,
                                     int64_t wall_ms, struct resume *resume)
{
    const struct journal *journal = crew_journal(crew);
    const enum status st =
        journal_find_time(crew_reader(crew), wall_ms, &resume->after);
    uint64_t rewound_after, rewound_upto;

    if (st != ST_OK)
        return st;
    journal_rewound(journal, &rewound_after, &rewound_upto);
    if (resume->after > rewound_after && resume->after < rewound_upto)
        resume->gap = GAP_REWOUND;
    else if (resume->after < journal_missing_id(journal) ||
             is_trimmed_after_time(covered, wall_ms))
        resume->gap = GAP_TRIMMED;
    return ST_OK;
}

static enum status resolve_kind(struct crew *crew,
                                const struct covered *covered,
                                const struct position *position,
                                struct resume *resume)
{
    struct journal *journal = crew_journal(crew);
    uint64_t first = journal_first_id(journal);

    resume->gap = GAP_NONE;
    resume->after = 0;
    resume->ahead_id = 0;
    switch (position->kind) {
    case POSITION_LATEST:
        resume->after = journal_last_id(journal);
        if (resume->after < first - 1)
            resume->after = first - 1;
        return ST_OK;
    case POSITION_EARLIEST:
        resume->after = first - 1; /* all that is kept */
        return ST_OK;
    case POSITION_ID:
        resume_after_id(crew, covered, position->number, resume);
        return ST_OK;
    case POSITION_TIME:
        return resume_after_time(crew, covered, (int64_t)position->number,
                                 resume);
    case POSITION_LAST:
        return journal_find_last(crew_reader(crew), covered->entries,
                                 covered->count, (unsigned)position->number,
                                 &resume->after);
    case POSITION_CHANNELS:
        break;
    }
    CHECK(false);
}

static enum status resolve(struct crew *crew, const struct covered *covered,
                           const struct position *position,
                           struct resume *resume)
{
    /* Loaded first: what retention takes from here on is told as a gap. */
    uint64_t trimmed =
        covered->count == 1 ? atomic_load(&covered->entries[0]->trimmed_id) : 0;
    enum status st = resolve_kind(crew, covered, position, resume);

    /* Of one channel nothing is left up to what was trimmed: start there. */
    if (st == ST_OK && resume->after < trimmed)
        resume->after = trimmed;
    return st;
}

enum status resume_find_channel(struct crew *crew, struct text channel,
                                const struct position *position,
                                struct resume *resume_out)
{
    struct covered covered;
    enum status st;

    find_covered(journal_registry(crew_journal(crew)), &channel, 1, &covered);
    st = resolve(crew, &covered, position, resume_out);
    free(covered.entries);
    return st;
}

static bool is_asked_for(const struct order *order, struct text channel)
{
    for (unsigned i = 0; i < order->selector_count; i++)
        if (selector_matches(order->selectors[i], channel))
            return true;
    return false;
}

/* {"a":12,"b":40}: from the oldest of them; what a channel has beyond is left
 * out by its membership. A channel that is not named starts at the latest. One
 * that is not asked for says nothing, and nothing is said of it: there may be no
 * right to it. */
static enum status resolve_channels(struct crew *crew,
                                    const struct order *order,
                                    struct resume *resume)
{
    struct position latest = {.kind = POSITION_LATEST}, position;
    struct text channel;
    size_t cursor = 0;
    enum status st =
        resume_find_channel(crew, order->selectors[0], &latest, resume);

    while (st == ST_OK && position_next_channel(order->position.json, &cursor,
                                                &channel, &position)) {
        struct resume one;

        if (!is_asked_for(order, channel))
            continue;
        st = resume_find_channel(crew, channel, &position, &one);
        if (st == ST_OK && one.after < resume->after)
            resume->after = one.after;
        if (st == ST_OK && resume->gap == GAP_NONE)
            resume->gap = one.gap;
        if (st == ST_OK && resume->ahead_id < one.ahead_id)
            resume->ahead_id = one.ahead_id;
    }
    return st;
}

enum status resume_find_own(struct crew *crew, const struct order *order,
                            unsigned index, uint64_t *after_out)
{
    struct position position = {.kind = POSITION_LATEST}, one;
    struct text channel;
    struct resume resume = {0};
    size_t cursor = 0;
    enum status st;

    while (position_next_channel(order->position.json, &cursor, &channel, &one))
        if (text_equals(channel, order->selectors[index]))
            position = one;
    st = resume_find_channel(crew, order->selectors[index], &position, &resume);
    if (st == ST_OK)
        *after_out = resume.after;
    return st;
}

static bool is_in_hole(const struct crew *crew, const struct order *order)
{
    const struct journal *journal = crew_journal(crew);
    const uint64_t id = order->position.number;
    uint64_t after, upto;

    journal_rewound(journal, &after, &upto);
    return order->position.kind == POSITION_ID &&
           (id < journal_missing_id(journal) || (id > after && id < upto));
}

/* A pattern is matched against every channel that there is: only if it matters. */
static bool needs_covered(const struct crew *crew, const struct order *order)
{
    bool has_pattern = false;

    for (unsigned i = 0; i < order->selector_count; i++)
        has_pattern |= selector_is_pattern(order->selectors[i]);
    if (!has_pattern || order->position.kind == POSITION_LAST ||
        is_in_hole(crew, order))
        return true;
    return order->position.kind != POSITION_LATEST &&
           journal_trimmed_id(crew_journal(crew)) > 0;
}

enum status resume_find(struct crew *crew, const struct order *order,
                        struct resume *resume_out)
{
    struct covered covered = {0};
    enum status st;

    if (order->position.kind == POSITION_CHANNELS)
        return resolve_channels(crew, order, resume_out);
    if (needs_covered(crew, order))
        find_covered(journal_registry(crew_journal(crew)), order->selectors,
                     order->selector_count, &covered);
    st = resolve(crew, &covered, &order->position, resume_out);
    free(covered.entries);
    return st;
}
