/* bench_reply.h -- the head of an HTTP answer, as far as the generator cares.
 *
 * Threads   Any.
 * Memory    The caller's; header values point into the text that was given.
 * Units     Bytes.
 * Errors    REPLY_SHORT more bytes needed.  REPLY_BAD not an answer that the
 *           generator can follow (no length, so chunked or endless).
 */
#ifndef BENCH_REPLY_H
#define BENCH_REPLY_H

#include <stddef.h>

enum reply_result { REPLY_OK, REPLY_SHORT, REPLY_BAD };

struct reply {
    unsigned status;
    size_t head_bytes;
    size_t body_bytes;
};

enum reply_result reply_read(const char *text, size_t bytes,
                             struct reply *reply_out);

/* The value of the header `name` (lower case, with its colon) within the head,
 * NULL if it is not there. */
const char *reply_header(const char *text, size_t head_bytes, const char *name,
                         size_t *bytes_out);

#endif
