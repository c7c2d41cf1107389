/* gathering.c -- one commit for all publishers instead of two for half of them.
 *
 * Publishers who wait for their answer fall into two halves: while the commit
 * of one half runs the other half gathers, and each commit carries half of what
 * it could. After an answer the publisher's next event takes a fraction of a
 * commit to arrive; so when a commit ends, the next one starts when as many
 * publishes wait as were answered and were waiting already, or after half a
 * commit's time.
 *
 * A publisher who is alone is never waited for by anybody, and where waiting
 * was in vain (publishers who do not come back at once) it is left out for a
 * while.
 */
#include "gathering.h"

#include <tidings/journal.h>
#include <tidings/list.h>

enum { PATIENCE_MAX_US = 2000, SKIPS_AFTER_VAIN = 16, SMOOTHING = 8 };

unsigned gathering_count(const struct msg *msgs)
{
    unsigned count = 0;

    for (; msgs != NULL; msgs = msgs->next)
        count += CONTAINER_OF(msgs, const struct publish, link)->answer != NULL;
    return count;
}

void gathering_plan(struct gathering *gathering, unsigned answered,
                    unsigned waiting, uint64_t took_us)
{
    if (gathering->commit_us == 0)
        gathering->commit_us = took_us;
    gathering->commit_us +=
        took_us / SMOOTHING - gathering->commit_us / SMOOTHING;
    if (gathering->wanted > 1 && answered * 4 < gathering->wanted * 3)
        gathering->skips = SKIPS_AFTER_VAIN;

    gathering->wanted = answered > 0 ? answered + waiting : 0;
    if (gathering->skips > 0) {
        gathering->skips--;
        gathering->wanted = 0;
    }
    gathering->patience_us = gathering->commit_us / 2 < PATIENCE_MAX_US
                                 ? (unsigned)gathering->commit_us / 2
                                 : PATIENCE_MAX_US;
}
