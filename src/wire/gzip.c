/* gzip.c -- deflate in pieces, and the frame of RFC 1952 around them.
 *
 * Every segment starts from an empty window, so nothing in it points back into
 * what another stream has not seen; a full flush ends it with an empty stored
 * block (00 00 FF FF). That costs five bytes and what the window would have
 * saved, and is why one event is compressed once however many read it.
 *
 * The checksum of a stream is put together from those of its segments
 * (crc32_combine), never taken over the bytes again.
 *
 * A compressor is 270 KB of tables: one per thread, reset for each segment.
 */
#include <tidings/gzip.h>

#include <tidings/check.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    RAW_WINDOW = -15, /* deflate without zlib's own header */
    MEMORY_LEVEL = 8,
    FLUSH_BYTES = 64 /* more than any flush adds to deflateBound */
};

static _Thread_local z_stream *compressor;

static z_stream *fresh_compressor(void)
{
    if (compressor != NULL) {
        CHECK(deflateReset(compressor) == Z_OK);
        return compressor;
    }
    compressor = must_calloc(1, sizeof *compressor);
    CHECK(deflateInit2(compressor, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
                       RAW_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK);
    return compressor;
}

void gzip_thread_end(void)
{
    if (compressor == NULL)
        return;
    (void)deflateEnd(compressor);
    free(compressor);
    compressor = NULL;
}

static void append_u32(struct buffer *out, uint32_t number)
{
    for (unsigned shift = 0; shift < 32; shift += 8)
        buffer_append_char(out, (char)(number >> shift & 0xff));
}

void gzip_append_header(struct buffer *out)
{
    /* magic, deflate, no flags, no time, no hint, system unknown */
    static const char header[] = {0x1f, (char)0x8b, 8, 0, 0,
                                  0,    0,          0, 0, (char)0xff};

    buffer_append(out, header, sizeof header);
}

/* zlib takes its input without const and does not write to it. */
static Bytef *as_input(struct text plain)
{
    Bytef *bytes;

    memcpy(&bytes, &plain.bytes, sizeof bytes);
    return bytes;
}

struct gzip_sum gzip_append_segment(struct buffer *out, struct text plain)
{
    z_stream *stream = fresh_compressor();
    size_t most = deflateBound(stream, plain.length) + FLUSH_BYTES;

    CHECK(plain.length <= UINT32_MAX && most <= UINT32_MAX);
    stream->next_in = as_input(plain);
    stream->avail_in = (uInt)plain.length;
    stream->next_out = (Bytef *)buffer_reserve(out, most);
    stream->avail_out = (uInt)most;
    CHECK(deflate(stream, Z_FULL_FLUSH) == Z_OK);
    CHECK(stream->avail_in == 0 && stream->avail_out > 0);
    out->length += most - stream->avail_out;
    return (struct gzip_sum){
        (uint32_t)crc32(0, as_input(plain), (uInt)plain.length),
        (uint32_t)plain.length};
}

void gzip_append_trailer(struct buffer *out, struct gzip_sum sum)
{
    static const char last_block[] = {3, 0}; /* final, fixed codes, empty */

    buffer_append(out, last_block, sizeof last_block);
    append_u32(out, sum.crc);
    append_u32(out, sum.length);
}

void gzip_append_all(struct buffer *out, struct text plain)
{
    gzip_append_header(out);
    gzip_append_trailer(out, gzip_append_segment(out, plain));
}

void gzip_sum_add(struct gzip_sum *sum, struct gzip_sum next)
{
    sum->crc = (uint32_t)crc32_combine(sum->crc, next.crc, next.length);
    sum->length += next.length;
}
