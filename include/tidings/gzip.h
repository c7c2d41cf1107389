/* gzip.h -- a gzip stream (RFC 1952) put together from pieces that are shared.
 *
 * A piece is compressed once, on its own, and ends on a byte (a full flush):
 * every stream may take any pieces in any order, and what was sent is complete
 * for the reader at once. What a stream needs of its own is the sum of what it
 * took, for the trailer.
 *
 *     header, segment, segment, ..., trailer(sum of the segments)
 *
 * Threads   Any; each has a compressor of its own, made when first needed.
 * Memory    About 270 KB per thread that compressed, until it says
 *           gzip_thread_end.
 * Units     Bytes.
 * Errors    None.
 */
#ifndef TIDINGS_GZIP_H
#define TIDINGS_GZIP_H

#include <tidings/buffer.h>

#include <stdint.h>

/* Of bytes before compression; a stream begins with zeros. */
struct gzip_sum {
    uint32_t crc;    /* CRC-32 */
    uint32_t length; /* modulo 2^32 */
};

void gzip_append_header(struct buffer *out);
struct gzip_sum gzip_append_segment(struct buffer *out, struct text plain);
void gzip_append_trailer(struct buffer *out, struct gzip_sum sum);

/* A whole gzip stream of one text. */
void gzip_append_all(struct buffer *out, struct text plain);

/* The sum of what `sum` stands for followed by what `next` stands for. */
void gzip_sum_add(struct gzip_sum *sum, struct gzip_sum next);

/* The calling thread compresses no more. */
void gzip_thread_end(void);

#endif
