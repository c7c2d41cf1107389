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
#include <tidings/gzip.h>

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/*    format            shape         framing   how one event is written      */
#define FRAME_FORMATS(F)                                                      \
    F(SSE,              BLOCK,        PLAIN,    "an event block")             \
    F(SSE_CHUNKED,      BLOCK,        CHUNK,    "the same in a chunk")        \
    F(SSE_GZIP,         BLOCK,        GZIP,     "the same, compressed, in a chunk") \
    F(SSE_OBJECT,         OBJECT_BLOCK, PLAIN,  "a block: the object as data, without the type") \
    F(SSE_OBJECT_CHUNKED, OBJECT_BLOCK, CHUNK,  "the same in a chunk")        \
    F(SSE_OBJECT_GZIP,    OBJECT_BLOCK, GZIP,   "the same, compressed, in a chunk") \
    F(DATA,             DATA,         PLAIN,    "a line: the data as JSON")   \
    F(DATA_CHUNKED,     DATA,         CHUNK,    "the same in a chunk")        \
    F(DATA_GZIP,        DATA,         GZIP,     "the same, compressed, in a chunk") \
    F(ENVELOPE,         ENVELOPE,     PLAIN,    "a line: type and data")      \
    F(ENVELOPE_CHUNKED, ENVELOPE,     CHUNK,    "the same in a chunk")        \
    F(ENVELOPE_GZIP,    ENVELOPE,     GZIP,     "the same, compressed, in a chunk") \
    F(OBJECT,           OBJECT,       PLAIN,    "a line: id, channel, time, type, data") \
    F(OBJECT_CHUNKED,   OBJECT,       CHUNK,    "the same in a chunk")        \
    F(OBJECT_GZIP,      OBJECT,       GZIP,     "the same, compressed, in a chunk") \
    F(LIST,             ELEMENT,      PLAIN,    "a comma and the object: element of an array") \
    F(DATA_MESSAGE,     RAW_DATA,     MESSAGE,  "a WebSocket message: the data as published") \
    F(ENVELOPE_MESSAGE, RAW_ENVELOPE, MESSAGE,  "the same with its type, if it has one") \
    F(OBJECT_MESSAGE,   RAW_OBJECT,   MESSAGE,  "a WebSocket message: the object")

/*    framing   what is around a shape                                        */
#define FRAMINGS(F)                                                           \
    F(PLAIN,    "nothing")                                                    \
    F(CHUNK,    "a chunk: RFC 9112 7.1")                                      \
    F(GZIP,     "a chunk with a segment of a gzip stream: gzip.h")            \
    F(MESSAGE,  "an unfragmented text frame: RFC 6455 5.2")
/* clang-format on */

enum frame_format {
#define F(name, shape, framing, how) FRAME_##name,
    FRAME_FORMATS(F)
#undef F
        FRAME_FORMAT_COUNT
};

enum framing {
#define F(name, around) FRAMING_##name,
    FRAMINGS(F)
#undef F
};

enum framing frame_framing(enum frame_format format);

/* Appends the shape of one event, without what is around it. */
void frame_append_shape(struct buffer *out, enum frame_format format,
                        const struct event_view *event);

/* What the stream says of itself: `event` without type and id where a client
 * sees the data alone or an event block; where it sees the object, that with
 * `members` ("name":value,..) beside its own. */
void frame_append_notice(struct buffer *out, enum frame_format format,
                         const struct event_view *event, struct text members);

/* The end of the last event with an id <= this mark's. */
struct frame_mark {
    uint64_t id;
    uint32_t end;
};

struct frames {
    unsigned references;
    unsigned mark_count; /* 0: bytes that are no events (a head, an answer) */
    uint32_t length;
    /* One-shot answers made of this run, kept; plain and compressed. */
    struct frames *answers[2];
    const char *bytes;     /* behind the marks and sums */
    struct gzip_sum *sums; /* GZIP: one per mark, or one; else NULL */
    struct frame_mark marks[];
};

struct frames_builder {
    struct buffer bytes;
    struct buffer shape; /* GZIP: of the event being compressed */
    struct frame_mark *marks;
    struct gzip_sum *sums;
    bool has_sums;
    unsigned mark_count, mark_capacity;
};

void frames_builder_init(struct frames_builder *builder);
void frames_builder_fini(struct frames_builder *builder);
void frames_builder_add(struct frames_builder *builder,
                        enum frame_format format,
                        const struct event_view *event);

/* What was added becomes frames (one reference); the builder is empty again. */
struct frames *frames_finish(struct frames_builder *builder);

/* Frames without events out of bytes as they are. */
struct frames *frames_from_text(struct text text);

/* Something that is no event, with what the format has around one. */
struct frames *frames_from_shape(enum frame_format format, struct text shape);

struct frames *frames_ref(struct frames *frames);
void frames_unref(struct frames **frames);

/* Where the events after `id` begin; `length` if there are none. */
uint32_t frames_offset_after(const struct frames *frames, uint64_t id);

/* GZIP: adds what lies in [from, to) to the sum of a stream. */
void frames_sum(const struct frames *frames, uint32_t from, uint32_t to,
                struct gzip_sum *sum);

#endif
