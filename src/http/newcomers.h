/* newcomers.h -- channels that were counted as new a moment ago.
 *
 * A channel is new until it is stored, which takes a commit, and through a stream
 * longer. What comes for it meanwhile does not make another one.
 *
 * Full      A row is given to whoever comes later; a channel that lost its row
 *           counts again.
 *
 * Threads   One each: its crew thread's, so a channel counts once per thread.
 * Memory    A table of fixed size.
 * Units     Monotonic milliseconds; channels.
 * Errors    None.
 */
#ifndef HTTP_NEWCOMERS_H
#define HTTP_NEWCOMERS_H

#include <tidings/journal.h>

struct newcomers;

struct newcomers *newcomers_create(void);
void newcomers_destroy(struct newcomers **newcomers);

/* The channels that this publish would make and that are not counted yet. */
uint64_t newcomers_count(struct newcomers *newcomers, struct registry *registry,
                         const struct publish *publish, int64_t now_ms);

/* It was refused: what was counted last counts again. */
void newcomers_take_back(struct newcomers *newcomers,
                         const struct publish *publish);

#endif
