/* frames.c -- events as bytes, once per format and turn.
 *
 * The builder is the thread's and keeps its capacity from run to run; a
 * finished run is copied out into one allocation of exactly its size, because
 * ten thousand small channels must not each hold a half-empty block.
 *
 * A format is a shape (what an event looks like) and a framing (what is around
 * it). A chunk and a WebSocket frame need their length before their bytes: room
 * for the longest prefix is left, the shape is written behind it, and what was
 * too much is closed up: a move of some hundred bytes, once per event and
 * format. For gzip the shape goes through a buffer of its own.
 */
#include <tidings/frames.h>

#include <tidings/check.h>
#include <tidings/websocket.h>
#include <tidings/wire.h>

#include <stdlib.h>
#include <string.h>

enum {
    PREFIX_MAX = WEBSOCKET_FRAME_HEAD_MAX /* a chunk's: eight digits, CR LF */
};

enum shape {
    SHAPE_BLOCK,
    SHAPE_OBJECT_BLOCK,
    SHAPE_DATA,
    SHAPE_ENVELOPE,
    SHAPE_OBJECT,
    SHAPE_ELEMENT,
    SHAPE_RAW_DATA,
    SHAPE_RAW_ENVELOPE,
    SHAPE_RAW_OBJECT
};

static const struct format {
    enum shape shape;
    enum framing framing;
} formats[] = {
#define F(name, shape, framing, how)                                           \
    [FRAME_##name] = {SHAPE_##shape, FRAMING_##framing},
    FRAME_FORMATS(F)
#undef F
};

enum framing frame_framing(enum frame_format format)
{
    return formats[format].framing;
}

/* ---- shapes ----------------------------------------------------------------
 */

/* For pages: an EventSource hears only the types that it was told of. */
static void append_object_block(struct buffer *out,
                                const struct event_view *event)
{
    struct event_view block = {.id = event->id};
    struct buffer object;

    buffer_init(&object);
    event_json_append(&object, event);
    block.data = buffer_text(&object);
    sse_append_event(out, &block);
    buffer_fini(&object);
}

void frame_append_shape(struct buffer *out, enum frame_format format,
                        const struct event_view *event)
{
    switch (formats[format].shape) {
    case SHAPE_BLOCK:
        sse_append_event(out, event);
        return;
    case SHAPE_OBJECT_BLOCK:
        append_object_block(out, event);
        return;
    case SHAPE_DATA:
        event_json_append_data(out, event);
        break;
    case SHAPE_ENVELOPE:
        event_json_append_envelope(out, event);
        break;
    case SHAPE_OBJECT:
        event_json_append(out, event);
        break;
    case SHAPE_ELEMENT:
        buffer_append_char(out, ',');
        event_json_append(out, event);
        return;
    case SHAPE_RAW_ENVELOPE:
        if (event->type.length > 0)
            event_json_append_envelope(out, event);
        else
            buffer_append_text(out, event->data);
        return;
    case SHAPE_RAW_DATA:
        buffer_append_text(out, event->data);
        return;
    case SHAPE_RAW_OBJECT:
        event_json_append(out, event);
        return;
    }
    buffer_append_char(out, '\n');
}

static bool is_object(enum frame_format format)
{
    enum shape shape = formats[format].shape;

    return shape == SHAPE_OBJECT || shape == SHAPE_ELEMENT ||
           shape == SHAPE_RAW_OBJECT;
}

void frame_append_notice(struct buffer *out, enum frame_format format,
                         const struct event_view *event, struct text members)
{
    struct event_view shown = *event;
    bool is_line;

    if (!is_object(format)) {
        shown.id = 0;
        shown.type = text_of("");
        if (formats[format].shape == SHAPE_OBJECT_BLOCK)
            sse_append_event(out, &shown); /* bare, as all notices in a block */
        else
            frame_append_shape(out, format, &shown);
        return;
    }
    frame_append_shape(out, format, event);
    is_line = out->bytes[out->length - 1] == '\n';
    out->length -= is_line ? 2 : 1; /* the object is opened again */
    buffer_append_char(out, ',');
    buffer_append_text(out, members);
    buffer_append_string(out, is_line ? "}\n" : "}");
}

/* ---- framings --------------------------------------------------------------
 */

static size_t chunk_prefix(char prefix[PREFIX_MAX], size_t length)
{
    static const char digit[] = "0123456789abcdef";
    unsigned digits = 1;

    for (size_t rest = length >> 4; rest != 0; rest >>= 4)
        digits++;
    CHECK(digits + 2 <= PREFIX_MAX);
    for (unsigned i = digits; i > 0; i--, length >>= 4)
        prefix[i - 1] = digit[length & 15];
    prefix[digits] = '\r';
    prefix[digits + 1] = '\n';
    return digits + 2;
}

static size_t message_prefix(char prefix[PREFIX_MAX], size_t length)
{
    return (size_t)(websocket_put_head(prefix, WEBSOCKET_TEXT, length) -
                    prefix);
}

/* What follows PREFIX_MAX bytes of room at `start` gets its prefix. */
static void close_up(struct buffer *out, size_t start, enum framing framing)
{
    char prefix[PREFIX_MAX];
    size_t body = start + PREFIX_MAX;
    size_t length = out->length - body;
    size_t prefix_length = framing == FRAMING_MESSAGE
                               ? message_prefix(prefix, length)
                               : chunk_prefix(prefix, length);

    memcpy(out->bytes + start, prefix, prefix_length);
    memmove(out->bytes + start + prefix_length, out->bytes + body, length);
    out->length = start + prefix_length + length;
    if (framing != FRAMING_MESSAGE)
        buffer_append(out, "\r\n", 2);
}

static size_t open_frame(struct buffer *out)
{
    size_t start = out->length;

    (void)buffer_reserve(out, PREFIX_MAX);
    out->length += PREFIX_MAX;
    return start;
}

static struct gzip_sum compress_framed(struct buffer *out, struct text shape)
{
    size_t start = open_frame(out);
    struct gzip_sum sum = gzip_append_segment(out, shape);

    close_up(out, start, FRAMING_GZIP);
    return sum;
}

void frames_builder_init(struct frames_builder *builder)
{
    memset(builder, 0, sizeof *builder);
    buffer_init(&builder->bytes);
    buffer_init(&builder->shape);
}

void frames_builder_fini(struct frames_builder *builder)
{
    buffer_fini(&builder->bytes);
    buffer_fini(&builder->shape);
    free(builder->marks);
    free(builder->sums);
    memset(builder, 0, sizeof *builder);
}

static void make_room(struct frames_builder *builder)
{
    if (builder->mark_count < builder->mark_capacity)
        return;
    builder->mark_capacity =
        builder->mark_capacity == 0 ? 64 : builder->mark_capacity * 2;
    builder->marks = must_realloc(builder->marks, builder->mark_capacity *
                                                      sizeof *builder->marks);
    builder->sums = must_realloc(builder->sums, builder->mark_capacity *
                                                    sizeof *builder->sums);
}

static void append_event(struct frames_builder *builder,
                         enum frame_format format,
                         const struct event_view *event)
{
    enum framing framing = formats[format].framing;
    struct buffer *out = &builder->bytes;
    size_t start;

    switch (framing) {
    case FRAMING_PLAIN:
        frame_append_shape(out, format, event);
        return;
    case FRAMING_CHUNK:
    case FRAMING_MESSAGE:
        start = open_frame(out);
        frame_append_shape(out, format, event);
        close_up(out, start, framing);
        return;
    case FRAMING_GZIP:
        builder->shape.length = 0;
        frame_append_shape(&builder->shape, format, event);
        builder->sums[builder->mark_count] =
            compress_framed(out, buffer_text(&builder->shape));
        return;
    }
}

void frames_builder_add(struct frames_builder *builder,
                        enum frame_format format,
                        const struct event_view *event)
{
    make_room(builder);
    append_event(builder, format, event);
    builder->has_sums = formats[format].framing == FRAMING_GZIP;
    CHECK(builder->bytes.length <= UINT32_MAX);
    builder->marks[builder->mark_count++] =
        (struct frame_mark){event->id, (uint32_t)builder->bytes.length};
}

static struct frames *allocate(unsigned mark_count, unsigned sum_count,
                               size_t length)
{
    size_t marks_bytes = mark_count * sizeof(struct frame_mark);
    size_t sums_bytes = sum_count * sizeof(struct gzip_sum);
    struct frames *frames =
        must_malloc(sizeof *frames + marks_bytes + sums_bytes + length);

    CHECK(length <= UINT32_MAX);
    memset(frames, 0, sizeof *frames);
    frames->references = 1;
    frames->mark_count = mark_count;
    frames->length = (uint32_t)length;
    if (sum_count > 0)
        frames->sums = (void *)&frames->marks[mark_count];
    frames->bytes = (char *)frames + sizeof *frames + marks_bytes + sums_bytes;
    return frames;
}

/* The only writer of the bytes, before anybody else sees them. */
static void fill(struct frames *frames, struct text text)
{
    size_t offset = (size_t)(frames->bytes - (char *)frames);

    if (text.length > 0)
        memcpy((char *)frames + offset, text.bytes, text.length);
}

struct frames *frames_finish(struct frames_builder *builder)
{
    struct frames *frames = allocate(
        builder->mark_count, builder->has_sums ? builder->mark_count : 0,
        builder->bytes.length);

    if (builder->mark_count > 0)
        memcpy(frames->marks, builder->marks,
               builder->mark_count * sizeof *builder->marks);
    if (frames->sums != NULL)
        memcpy(frames->sums, builder->sums,
               builder->mark_count * sizeof *builder->sums);
    fill(frames, buffer_text(&builder->bytes));
    builder->mark_count = 0;
    builder->bytes.length = 0;
    return frames;
}

struct frames *frames_from_text(struct text text)
{
    struct frames *frames = allocate(0, 0, text.length);

    fill(frames, text);
    return frames;
}

struct frames *frames_from_shape(enum frame_format format, struct text shape)
{
    enum framing framing = formats[format].framing;
    struct buffer out;
    struct gzip_sum sum = {0, 0};
    struct frames *frames;

    if (framing == FRAMING_PLAIN)
        return frames_from_text(shape);
    buffer_init(&out);
    if (framing == FRAMING_GZIP) {
        sum = compress_framed(&out, shape);
    } else {
        size_t start = open_frame(&out);

        buffer_append_text(&out, shape);
        close_up(&out, start, framing);
    }
    frames = allocate(0, framing == FRAMING_GZIP, out.length);
    if (frames->sums != NULL)
        frames->sums[0] = sum;
    fill(frames, buffer_text(&out));
    buffer_fini(&out);
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
    frames_unref(&mine->answers[0]);
    frames_unref(&mine->answers[1]);
    free(mine);
}

/* How many marks lie at or before this id. */
static unsigned marks_upto(const struct frames *frames, uint64_t id)
{
    unsigned low = 0, high = frames->mark_count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (frames->marks[middle].id <= id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t frames_offset_after(const struct frames *frames, uint64_t id)
{
    unsigned upto = marks_upto(frames, id);

    return upto == 0 ? 0 : frames->marks[upto - 1].end;
}

/* How many marks end at or before this byte. */
static unsigned marks_before(const struct frames *frames, uint32_t from)
{
    unsigned low = 0, high = frames->mark_count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (frames->marks[middle].end <= from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void frames_sum(const struct frames *frames, uint32_t from, uint32_t to,
                struct gzip_sum *sum)
{
    CHECK(frames->sums != NULL);
    if (frames->mark_count == 0)
        gzip_sum_add(sum, frames->sums[0]);
    /* A long run may be taken event by event: no look at what lies before. */
    for (unsigned i = marks_before(frames, from);
         i < frames->mark_count && frames->marks[i].end <= to; i++)
        gzip_sum_add(sum, frames->sums[i]);
}
