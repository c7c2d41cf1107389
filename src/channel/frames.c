/* frames.c -- events as bytes, once per format and turn.
 *
 * The builder is the thread's and keeps its capacity from run to run; a
 * finished run is copied out into one allocation of exactly its size, because
 * ten thousand small channels must not each hold a half-empty block.
 *
 * A chunk needs its length before its bytes. Room for the longest prefix is
 * left, the event is written behind it, and what was too much is closed up: a
 * move of some hundred bytes, once per event and format.
 */
#include <tidings/frames.h>

#include <tidings/check.h>
#include <tidings/wire.h>

#include <stdlib.h>
#include <string.h>

enum { CHUNK_PREFIX_MAX = 10 }; /* eight hex digits, CR LF */

static const bool is_chunked_format[] = {
#define F(name, is_chunked, how) [FRAME_##name] = (is_chunked),
    FRAME_FORMATS(F)
#undef F
};

static void append_shape(struct buffer *out, enum frame_format format,
                         const struct event_view *event)
{
    switch (format) {
    case FRAME_SSE:
    case FRAME_SSE_CHUNKED:
        sse_append_event(out, event);
        return;
    case FRAME_DATA:
    case FRAME_DATA_CHUNKED:
        event_json_append_data(out, event);
        break;
    case FRAME_ENVELOPE:
    case FRAME_ENVELOPE_CHUNKED:
        event_json_append_envelope(out, event);
        break;
    case FRAME_OBJECT:
    case FRAME_OBJECT_CHUNKED:
        event_json_append(out, event);
        break;
    case FRAME_LIST:
        buffer_append_char(out, ',');
        event_json_append(out, event);
        return;
    case FRAME_FORMAT_COUNT:
        CHECK(false);
    }
    buffer_append_char(out, '\n');
}

static void open_chunk(struct buffer *out)
{
    (void)buffer_reserve(out, CHUNK_PREFIX_MAX);
    out->length += CHUNK_PREFIX_MAX;
}

static void close_chunk(struct buffer *out, size_t start)
{
    static const char digit[] = "0123456789abcdef";
    char prefix[CHUNK_PREFIX_MAX];
    size_t at = sizeof prefix - 2;
    size_t body = start + CHUNK_PREFIX_MAX;
    size_t length = out->length - body;
    size_t prefix_length;

    prefix[sizeof prefix - 2] = '\r';
    prefix[sizeof prefix - 1] = '\n';
    for (size_t rest = length; rest != 0 || at == sizeof prefix - 2;
         rest >>= 4) {
        CHECK(at > 0);
        prefix[--at] = digit[rest & 15];
    }
    prefix_length = sizeof prefix - at;
    memcpy(out->bytes + start, prefix + at, prefix_length);
    memmove(out->bytes + start + prefix_length, out->bytes + body, length);
    out->length = start + prefix_length + length;
    buffer_append(out, "\r\n", 2);
}

void frame_append(struct buffer *out, enum frame_format format,
                  const struct event_view *event)
{
    size_t start = out->length;

    if (!is_chunked_format[format]) {
        append_shape(out, format, event);
        return;
    }
    open_chunk(out);
    append_shape(out, format, event);
    close_chunk(out, start);
}

void frame_append_raw(struct buffer *out, enum frame_format format,
                      struct text text)
{
    size_t start = out->length;

    if (!is_chunked_format[format]) {
        buffer_append_text(out, text);
        return;
    }
    open_chunk(out);
    buffer_append_text(out, text);
    close_chunk(out, start);
}

void frames_builder_init(struct frames_builder *builder)
{
    memset(builder, 0, sizeof *builder);
    buffer_init(&builder->bytes);
}

void frames_builder_fini(struct frames_builder *builder)
{
    buffer_fini(&builder->bytes);
    free(builder->marks);
    memset(builder, 0, sizeof *builder);
}

void frames_builder_add(struct frames_builder *builder,
                        enum frame_format format,
                        const struct event_view *event)
{
    if (builder->mark_count == builder->mark_capacity) {
        builder->mark_capacity =
            builder->mark_capacity == 0 ? 64 : builder->mark_capacity * 2;
        builder->marks = must_realloc(
            builder->marks, builder->mark_capacity * sizeof *builder->marks);
    }
    frame_append(&builder->bytes, format, event);
    CHECK(builder->bytes.length <= UINT32_MAX);
    builder->marks[builder->mark_count++] =
        (struct frame_mark){event->id, (uint32_t)builder->bytes.length};
}

static struct frames *allocate(unsigned mark_count, size_t length)
{
    size_t marks_bytes = mark_count * sizeof(struct frame_mark);
    struct frames *frames = must_malloc(sizeof *frames + marks_bytes + length);

    CHECK(length <= UINT32_MAX);
    frames->references = 1;
    frames->mark_count = mark_count;
    frames->length = (uint32_t)length;
    frames->answer = NULL;
    frames->bytes = (char *)frames + sizeof *frames + marks_bytes;
    return frames;
}

/* The only writer of the bytes, before anybody else sees them. */
static void fill(struct frames *frames, const char *bytes)
{
    size_t offset = sizeof *frames + frames->mark_count * sizeof *frames->marks;

    if (frames->length > 0)
        memcpy((char *)frames + offset, bytes, frames->length);
}

struct frames *frames_finish(struct frames_builder *builder)
{
    struct frames *frames =
        allocate(builder->mark_count, builder->bytes.length);

    if (builder->mark_count > 0)
        memcpy(frames->marks, builder->marks,
               builder->mark_count * sizeof *builder->marks);
    fill(frames, builder->bytes.bytes);
    builder->mark_count = 0;
    builder->bytes.length = 0;
    return frames;
}

struct frames *frames_from_text(struct text text)
{
    struct frames *frames = allocate(0, text.length);

    fill(frames, text.bytes);
    return frames;
}

struct frames *frames_ref(struct frames *frames)
{
    frames->references++;
    return frames;
}

void frames_unref(struct frames **frames)
{
    struct frames *mine = *frames;

    *frames = NULL;
    if (mine == NULL)
        return;
    CHECK(mine->references > 0);
    if (--mine->references > 0)
        return;
    frames_unref(&mine->answer);
    free(mine);
}

uint32_t frames_offset_after(const struct frames *frames, uint64_t id)
{
    unsigned low = 0, high = frames->mark_count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (frames->marks[middle].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? 0 : frames->marks[low - 1].end;
}
