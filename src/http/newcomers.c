/* newcomers.c -- a table of rows found by the channel's hash.
 *
 * A row says until when its channel is taken as counted, and in which round that
 * was done: a publish that is refused gives back the rows of its own round alone.
 * After that time the channel has been stored, and the registry knows it, or never
 * will be.
 */
#include "newcomers.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/registry.h>

#include <stdlib.h>

#define ROWS     1024 /* a power of two */
#define COUNT_MS 10000

struct row {
    uint64_t hash;
    int64_t until_ms; /* 0: nobody's */
    uint64_t round;
};

struct newcomers {
    uint64_t round;
    struct row rows[ROWS];
};

struct newcomers *newcomers_create(void)
{
    return must_calloc(1, sizeof(struct newcomers));
}

void newcomers_destroy(struct newcomers **newcomers)
{
    free(*newcomers);
    *newcomers = NULL;
}

static struct row *row_of(struct newcomers *newcomers, uint64_t hash)
{
    return &newcomers->rows[hash % ROWS];
}

/* Says whether it was not counted yet. */
static bool note(struct newcomers *newcomers, uint64_t hash, int64_t now_ms)
{
    struct row *row = row_of(newcomers, hash);

    if (row->hash == hash && row->until_ms > now_ms)
        return false;
    *row = (struct row){hash, now_ms + COUNT_MS, newcomers->round};
    return true;
}

uint64_t newcomers_count(struct newcomers *newcomers, struct registry *registry,
                         const struct publish *publish, int64_t now_ms)
{
    uint64_t count = 0;

    newcomers->round++;
    for (unsigned i = 0; i < publish->count; i++) {
        const struct text channel = event_channel(publish->events[i]);

        if (registry_find(registry, channel) == NULL)
            count += note(newcomers, registry_hash(channel), now_ms);
    }
    return count;
}

void newcomers_take_back(struct newcomers *newcomers,
                         const struct publish *publish)
{
    if (seeded_bug("limits-refused-is-counted"))
        return;
    for (unsigned i = 0; i < publish->count; i++) {
        const uint64_t hash = registry_hash(event_channel(publish->events[i]));
        struct row *row = row_of(newcomers, hash);

        if (row->hash == hash && row->round == newcomers->round)
            row->until_ms = 0;
    }
}
