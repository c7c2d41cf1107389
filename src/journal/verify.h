/* verify.h -- does what is stored keep the journal's promises?
 *
 * For `tidings log verify` and for tests. Reads everything in one snapshot:
 * beside a busy writer the file grows meanwhile.
 *
 * Threads   Any one.
 * Memory    Some 40 bytes per channel, and what recovery takes.
 * Units     Ids, events, bytes as stored.
 * Errors    ST_CORRUPT nothing could be loaded at all, told as a finding;
 * ST_IO.
 */
#ifndef JOURNAL_VERIFY_H
#define JOURNAL_VERIFY_H

#include <tidings/journal.h>

/* Gets a sentence for each thing that is wrong. */
typedef void verify_finding_fn(void *arg, const char *finding);

struct verify_result {
    uint64_t events, bytes, findings;
    uint64_t corrected, withdrawn; /* of these events */
    unsigned channels, sessions;
};

/* Checksums; ids rise; amendments are whole; times never decrease; every chain is whole from the
 * newest event back to what was trimmed; each channel's figures, loaded as a
 * start would load them, are those of its events; sessions' checksums. */
enum status journal_verify(struct journal *journal, verify_finding_fn *tell,
                           void *arg,
                           struct verify_result *result_out) MUST_USE;

#endif
