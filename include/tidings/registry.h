/* registry.h -- the channels that have ever had an event, by name and by
 * number.
 *
 * The journal's thread adds entries and updates their figures; everybody else
 * looks up and reads. A figure is published before the batch that caused it is
 * posted, so "last_id <= my position" proves that nothing was missed so far.
 *
 * Threads   registry_intern and all writing of figures: the journal's thread
 *           (or journal_open). find, by_number, each, reading of figures: any.
 * Memory    Entries live as long as the registry; at most `limit` of them.
 * Units     Ids; bytes as stored; wall milliseconds.
 * Errors    ST_FULL the limit of channels is reached.
 */
#ifndef TIDINGS_REGISTRY_H
#define TIDINGS_REGISTRY_H

#include <tidings/status.h>
#include <tidings/text.h>

#include <stdatomic.h>
#include <stdint.h>

struct registry;

struct channel_entry {
    const char *name;    /* fixed; also ended by NUL */
    uint64_t hash;       /* fixed: registry_hash(name) */
    uint32_t number;     /* fixed: what records carry; from 1 */
    uint16_t name_bytes; /* fixed */

    /* Written by the journal's thread, read by all. */
    _Atomic uint64_t first_id;     /* oldest kept; 0 = none kept. For a moment
                                      after it was trimmed: some id that
                                      nothing kept is older than */
    _Atomic uint64_t last_id;      /* newest ever; stays when all is trimmed */
    _Atomic uint64_t trimmed_id;   /* newest that retention took; 0 = none */
    _Atomic int64_t trimmed_ms;    /* and its time */
    _Atomic uint64_t count, bytes; /* kept now */
    _Atomic uint64_t amended_id;   /* newest that amended one of its events
                                      since the start; 0 = none */

    /* Written by crew threads: connections of this process on this channel. */
    atomic_uint subscribers;
};

static inline struct text channel_entry_name(const struct channel_entry *entry)
{
    return (struct text){entry->name, entry->name_bytes};
}

/* 64-bit hash of a channel's name: chooses its home, finds its actor. */
uint64_t registry_hash(struct text name);

struct registry *registry_create(unsigned limit);
void registry_destroy(struct registry **registry);

/* NULL if no event was ever published there. */
struct channel_entry *registry_find(struct registry *registry,
                                    struct text name);
struct channel_entry *registry_by_number(struct registry *registry,
                                         uint32_t number);
unsigned registry_count(struct registry *registry);

/* Every entry, in order of number. */
typedef void registry_each_fn(void *arg, struct channel_entry *entry);
void registry_each(struct registry *registry, registry_each_fn *each,
                   void *arg);

/* Finds or adds. `number` 0: the next free one. Journal only. */
enum status registry_intern(struct registry *registry, struct text name,
                            uint32_t number,
                            struct channel_entry **entry_out) MUST_USE;

#endif
