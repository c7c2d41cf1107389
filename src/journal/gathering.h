/* gathering.h -- how long the journal waits for publishers who will come back.
 *
 * Threads   The journal's.
 * Memory    The caller's.
 * Units     Microseconds.
 * Errors    None.
 */
#ifndef JOURNAL_GATHERING_H
#define JOURNAL_GATHERING_H

#include <tidings/mailbox.h>

#include <stdint.h>

struct gathering {
    unsigned wanted;      /* publishes worth waiting for; 0, 1: none */
    unsigned patience_us; /* at most, after the first has come */
    unsigned skips;       /* times not to wait, since waiting was in vain */
    uint64_t commit_us;   /* what a commit takes, smoothed */
};

/* Who of these publishes waits for an answer (before they are handled). */
unsigned gathering_count(const struct msg *msgs);

/* After a commit: `answered` publishers were told, `waiting` are in the mailbox
 * already. */
void gathering_plan(struct gathering *gathering, unsigned answered,
                    unsigned waiting, uint64_t took_us);

#endif
