/* resume.h -- from what a client says to the id that it really resumes after.
 *
 * Threads   The crew thread that serves the subscriber (its journal reader).
 * Memory    None.
 * Units     Ids.
 * Errors    ST_IO, ST_CORRUPT the journal could not be read.
 */
#ifndef HTTP_RESUME_H
#define HTTP_RESUME_H

#include "order.h"

#include <tidings/crew.h>

/* clang-format off */
/*    name       told to the client   when                                          */
#define GAP_REASONS(G)                                                               \
    G(NONE,      "",          "nothing is missing")                                  \
    G(TRIMMED,   "trimmed",   "retention took events that the client missed")        \
    G(UNKNOWN,   "unknown",   "the id is from before this journal: another one's")   \
    G(REWOUND,   "rewound",   "the stream took back what came before and after the position") \
    G(FUTURE,    "future",    "the id is newer than the newest event")
/* clang-format on */

enum gap_reason {
#define G(name, text, when) GAP_##name,
    GAP_REASONS(G)
#undef G
};

struct resume {
    uint64_t after;      /* the position really used */
    enum gap_reason gap; /* protocol.md 5 */
    uint64_t ahead_id; /* it has read up to here, and we have not yet; else 0 */
};

enum status resume_find(struct crew *crew, const struct order *order,
                        struct resume *resume_out) MUST_USE;

/* One channel of a position per channel, which can be no pattern. */
enum status resume_find_channel(struct crew *crew, struct text channel,
                                const struct position *position,
                                struct resume *resume_out) MUST_USE;

/* With a position per channel: where selector `index` of the order starts. */
enum status resume_find_own(struct crew *crew, const struct order *order,
                            unsigned index, uint64_t *after_out) MUST_USE;

/* Is the id no newer than the newest event? */
bool resume_is_known(struct crew *crew, uint64_t id);

/* The newest id, which is asked for more thoroughly if it is below `id`. */
uint64_t resume_newest_id(struct crew *crew, uint64_t id);

const char *gap_reason_text(enum gap_reason reason);

#endif
