/* test_gzip.c -- segments that many streams share, and a trailer that is right.
 *
 * What is put together is given to zlib's own reader of gzip, which checks the
 * checksum and the length of the trailer.
 */
#include <tidings/check.h>
#include <tidings/frames.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

enum { GZIP_WINDOW = 15 + 16, PLAIN_MAX = 1 << 20 };

/* How much of `packed` can be read so far; Z_STREAM_END or Z_OK. */
static int unpack(const struct buffer *packed, struct buffer *plain)
{
    z_stream stream = {0};
    char *bytes = buffer_reserve(plain, PLAIN_MAX);
    int result;

    assert_int_equal(inflateInit2(&stream, GZIP_WINDOW), Z_OK);
    stream.next_in = (Bytef *)packed->bytes;
    stream.avail_in = (uInt)packed->length;
    stream.next_out = (Bytef *)bytes;
    stream.avail_out = PLAIN_MAX;
    result = inflate(&stream, Z_SYNC_FLUSH);
    plain->length += PLAIN_MAX - stream.avail_out;
    inflateEnd(&stream);
    return result;
}

static void assert_text(const struct buffer *buffer, const char *wanted)
{
    assert_int_equal(buffer->length, strlen(wanted));
    assert_memory_equal(buffer->bytes, wanted, buffer->length);
}

static void segments_are_readable_as_soon_as_they_are_there(void **state)
{
    struct buffer packed, plain;

    (void)state;
    buffer_init(&packed);
    buffer_init(&plain);
    gzip_append_header(&packed);
    (void)gzip_append_segment(&packed, text_of("one "));
    assert_int_equal(unpack(&packed, &plain), Z_OK);
    assert_text(&plain, "one ");
    buffer_fini(&plain);
    buffer_init(&plain);
    (void)gzip_append_segment(&packed, text_of("two"));
    assert_int_equal(unpack(&packed, &plain), Z_OK);
    assert_text(&plain, "one two");
    buffer_fini(&plain);
    buffer_fini(&packed);
}

static void streams_share_segments_in_any_order(void **state)
{
    static const char *const orders[] = {"abc", "cab", "bbb", "", "c"};
    static const char *const texts[] = {"the first event\n",
                                        "", /* nothing is a segment too */
                                        "the third event of the first\n"};
    struct buffer segments[3];
    struct gzip_sum sums[3];

    (void)state;
    for (int i = 0; i < 3; i++) {
        buffer_init(&segments[i]);
        sums[i] = gzip_append_segment(&segments[i], text_of(texts[i]));
    }
    for (size_t o = 0; o < sizeof orders / sizeof *orders; o++) {
        struct buffer packed, plain, wanted;
        struct gzip_sum sum = {0, 0};

        buffer_init(&packed);
        buffer_init(&plain);
        buffer_init(&wanted);
        gzip_append_header(&packed);
        for (const char *c = orders[o]; *c != '\0'; c++) {
            buffer_append_text(&packed, buffer_text(&segments[*c - 'a']));
            buffer_append_string(&wanted, texts[*c - 'a']);
            gzip_sum_add(&sum, sums[*c - 'a']);
        }
        gzip_append_trailer(&packed, sum);
        assert_int_equal(unpack(&packed, &plain), Z_STREAM_END);
        assert_int_equal(plain.length, wanted.length);
        if (wanted.length > 0)
            assert_memory_equal(plain.bytes, wanted.bytes, wanted.length);
        buffer_fini(&packed);
        buffer_fini(&plain);
        buffer_fini(&wanted);
    }
    for (int i = 0; i < 3; i++)
        buffer_fini(&segments[i]);
}

static void a_large_text_that_cannot_be_compressed_fits(void **state)
{
    struct buffer text, packed, plain;
    uint32_t x = 1;

    (void)state;
    buffer_init(&text);
    buffer_init(&packed);
    buffer_init(&plain);
    for (int i = 0; i < 300000; i++) {
        x = x * 1664525u + 1013904223u;
        buffer_append_char(&text, (char)(x >> 24));
    }
    gzip_append_all(&packed, buffer_text(&text));
    assert_int_equal(unpack(&packed, &plain), Z_STREAM_END);
    assert_int_equal(plain.length, text.length);
    assert_memory_equal(plain.bytes, text.bytes, text.length);
    buffer_fini(&text);
    buffer_fini(&packed);
    buffer_fini(&plain);
}

/* Of a run of `count` events with data of rising length. */
static struct frames *packed_run(unsigned count)
{
    struct frames_builder builder;
    struct frames *frames;

    frames_builder_init(&builder);
    for (unsigned i = 1; i <= count; i++) {
        struct event_view event = {
            .id = i, .channel = text_of("c"), .data = {"abcdefghi", i}};

        frames_builder_add(&builder, FRAME_DATA_GZIP, &event);
    }
    frames = frames_finish(&builder);
    frames_builder_fini(&builder);
    return frames;
}

/* A subscriber may take any part of a run: its sum is that part's. */
static void the_sum_of_a_slice_is_that_of_its_events(void **state)
{
    enum { COUNT = 9 };
    struct frames *frames = packed_run(COUNT);

    (void)state;
    for (unsigned from = 0; from <= COUNT; from++) {
        for (unsigned to = from; to <= COUNT; to++) {
            struct gzip_sum sum = {0, 0};
            char wanted[200] = "";

            for (unsigned i = from + 1; i <= to; i++)
                snprintf(wanted + strlen(wanted),
                         sizeof wanted - strlen(wanted), "\"%.*s\"\n", (int)i,
                         "abcdefghi");
            frames_sum(frames, frames_offset_after(frames, from),
                       frames_offset_after(frames, to), &sum);
            assert_int_equal(sum.length, strlen(wanted));
            assert_int_equal(
                sum.crc, crc32(0, (const Bytef *)wanted, (uInt)strlen(wanted)));
        }
    }
    frames_unref(&frames);
}

static int end_thread(void **state)
{
    (void)state;
    gzip_thread_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_are_readable_as_soon_as_they_are_there),
        cmocka_unit_test(streams_share_segments_in_any_order),
        cmocka_unit_test(a_large_text_that_cannot_be_compressed_fits),
        cmocka_unit_test(the_sum_of_a_slice_is_that_of_its_events),
    };

    return cmocka_run_group_tests(tests, NULL, end_thread);
}
