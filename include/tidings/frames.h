/* frames.h -- a run of events in one wire format, encoded once, shared by all.
 *
 * A builder gathers events; finishing gives an immutable, counted piece of
 * memory with a mark after each event, so that a subscriber who needs only the
 * newer part takes a slice of the same bytes.
 *
 * Threads   The crew thread that built it: the count is not atomic.
 * Memory    One allocation per frames, freed by the last unref.
 * Units     Bytes from the start of the run.
 * Errors    None.
 */
#ifndef TIDINGS_FRAMES_H
#define TIDINGS_FRAMES_H

#include <tidings/buffer.h>
#include <tidings/event.h>

#include <stdint.h>

/* clang-format off */
/*    shape      chunked  how one event is written                            */
#define FRAME_FORMATS(F)                                                      \
    F(SSE,              false, "an event block")                              \
    F(SSE_CHUNKED,      true,  "an event block in a chunk")                   \
    F(DATA,             false, "a line: the data as JSON")                    \
    F(DATA_CHUNKED,     true,  "the same in a chunk")                         \
    F(ENVELOPE,         false, "a line: type and data")                       \
    F(ENVELOPE_CHUNKED, true,  "the same in a chunk")                         \
    F(OBJECT,           false, "a line: id, channel, time, type, data")       \
    F(OBJECT_CHUNKED,   true,  "the same in a chunk")                         \
    F(LIST,             false, "a comma and the object: element of an array")
/* clang-format on */

enum frame_format {
#define F(name, is_chunked, how) FRAME_##name,
    FRAME_FORMATS(F)
#undef F
        FRAME_FORMAT_COUNT
};

/* Appends one event; a chunked format makes it a chunk of its own. */
void frame_append(struct buffer *out, enum frame_format format,
                  const struct event_view *event);

/* Appends `text` as it is, in a chunk if the format has them. */
void frame_append_raw(struct buffer *out, enum frame_format format,
                      struct text text);

/* The end of the last event with an id <= this mark's. */
struct frame_mark {
    uint64_t id;
    uint32_t end;
};

struct frames {
    unsigned references;
    unsigned mark_count; /* 0: bytes that are no events (a head, an answer) */
    uint32_t length;
    struct frames
        *answer;       /* cached one-shot answer made of this run, or NULL */
    const char *bytes; /* behind the marks */
    struct frame_mark marks[];
};

struct frames_builder {
    struct buffer bytes;
    struct frame_mark *marks;
    unsigned mark_count, mark_capacity;
};

void frames_builder_init(struct frames_builder *builder);
void frames_builder_fini(struct frames_builder *builder);
void frames_builder_add(struct frames_builder *builder,
                        enum frame_format format,
                        const struct event_view *event);

/* What was added becomes frames (one reference); the builder is empty again. */
struct frames *frames_finish(struct frames_builder *builder);

/* Frames without events out of bytes. */
struct frames *frames_from_text(struct text text);

struct frames *frames_ref(struct frames *frames);
void frames_unref(struct frames **frames);

/* Where the events after `id` begin; `length` if there are none. */
uint32_t frames_offset_after(const struct frames *frames, uint64_t id);

#endif
