/* channel_row.h -- what the journal knows of one channel, and its stored row.
 *
 * Threads   Any: pure functions over bytes.
 * Memory    The caller's.
 * Units     Ids; bytes as stored; wall milliseconds.
 * Errors    ST_CORRUPT the bytes have not the form of a row.
 */
#ifndef JOURNAL_CHANNEL_ROW_H
#define JOURNAL_CHANNEL_ROW_H

#include <tidings/status.h>
#include <tidings/text.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_ROW_BYTES 56 /* and the name */

/* As in struct channel_entry, but private to whoever holds it. While the oldest
 * kept event is not known (retention took the one before it and has not met it
 * yet), first_id is 0 although count is not. */
struct channel_figures {
    uint64_t first_id, last_id, trimmed_id;
    int64_t trimmed_ms;
    uint64_t count, bytes;
};

static inline bool figures_lack_first(const struct channel_figures *figures)
{
    return figures->count > 0 && figures->first_id == 0;
}

/* The oldest kept id, or one below it that no kept event is older than. */
static inline uint64_t figures_first(const struct channel_figures *figures)
{
    return figures_lack_first(figures) ? figures->trimmed_id + 1
                                       : figures->first_id;
}

struct channel_row {
    struct channel_figures figures;
    uint64_t upto; /* the figures count every event up to this id */
    struct text name;
};

/* Writes CHANNEL_ROW_BYTES and the name. */
void channel_row_encode(unsigned char *at, const struct channel_row *row);
/* The name looks into the bytes. */
enum status channel_row_decode(const void *bytes, size_t length,
                               struct channel_row *row_out) MUST_USE;

#endif
