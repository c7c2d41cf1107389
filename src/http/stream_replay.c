/* stream_replay.c -- what a subscriber missed, out of the journal.
 *
 * A stream gets slices, each when the one before has drained. A request for one
 * answer gathers until the answer is full or nothing is left; with nothing
 * gathered it goes LIVE and waits.
 */
#include "stream.h"

#include "ahead.h"

#include <tidings/logger.h>
#include <tidings/replay.h>

enum {
    SLICE_EVENTS = 1000,
    SLICE_BYTES = 32768,
    ANSWER_EVENTS_MAX = 1000,
    ANSWER_BYTES_MAX = 1048576
};

void stream_log_failure(enum status st)
{
    LOG_LINE(LOG_ERROR, "http", "a stream could not read the journal",
             LOG_STR("why", status_text(st)));
}

/* Retention was faster than this reader: told in its place in the stream. */
static void append_gap(struct stream *stream, uint64_t cursor,
                       const struct replay *replay, struct buffer *out)
{
    struct resume resume = {.after = replay->resumed,
                            .gap =
                                replay->is_rewound ? GAP_REWOUND : GAP_TRIMMED};
    struct buffer requested;

    buffer_init(&requested);
    buffer_append_u64(&requested, cursor);
    stream_append_gap(stream, buffer_text(&requested), &resume, out);
    buffer_fini(&requested);
    stream_count(stream, METRIC_gaps, 1);
}

static void push_gap(struct stream *stream, uint64_t cursor,
                     const struct replay *replay)
{
    struct buffer out;

    buffer_init(&out);
    append_gap(stream, cursor, replay, &out);
    stream_say(stream, buffer_text(&out));
    buffer_fini(&out);
}

static void give_up(struct stream *stream)
{
    if (stream->websocket != NULL)
        websocket_close(stream, WEBSOCKET_CLOSE_FAILED,
                        "the journal could not be read");
    else
        stream_finish(stream, true);
}

static void replay_stream(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    uint64_t cursor = stream->subscriber.cursor;
    struct replay replay;
    enum status st;

    if (connection_waiting_bytes(stream->connection) > SLICE_BYTES)
        return; /* drained() asks again */
    st = replay_slice(crew, &stream->subscriber, &stream->trail, SLICE_EVENTS,
                      SLICE_BYTES, &replay);
    if (st != ST_OK) {
        stream_log_failure(st);
        give_up(stream);
        return;
    }
    if (replay.has_gap)
        push_gap(stream, cursor, &replay);
    if (replay.frames != NULL) {
        stream_count(stream, METRIC_deliveries, replay.frames->mark_count);
        stream_push(stream, replay.frames, 0, replay.frames->length);
        stream_touch_keepalive(stream);
    }
    if (replay.is_caught_up && stream->is_busy)
        stream_finish(stream, false);
    else if (replay.is_caught_up)
        stream_go_live(stream);
    else if (replay.frames == NULL)
        connection_want_replay(stream->connection);
    frames_unref(&replay.frames);
}

/* Nothing yet: wait for the first offer, if it may. */
static void wait_or_answer(struct stream *stream)
{
    if (crew_is_shut(connection_crew(stream->connection)))
        stream_tell_shutdown(stream);
    else if (stream->gathering->body.length > 0 ||
             (stream->until.wait_ms == 0 && stream->ahead == NULL) ||
             stream->is_busy ||
             crew_is_draining(connection_crew(stream->connection)))
        stream_answer_now(stream);
    else {
        stream_go_live(stream);
        connection_set_deadline(stream->connection, ahead_patience_ms(stream));
    }
}

static void gather(struct stream *stream, uint64_t cursor,
                   struct replay *replay)
{
    struct gathering *gathering = stream->gathering;

    if (replay->has_gap)
        append_gap(stream, cursor, replay, &gathering->body);
    if (replay->frames == NULL)
        return;
    stream_count(stream, METRIC_deliveries, replay->frames->mark_count);
    gathering->events += replay->frames->mark_count;
    buffer_append(&gathering->body, replay->frames->bytes,
                  replay->frames->length);
    frames_unref(&replay->frames);
}

static void replay_poll(struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    struct gathering *gathering = stream->gathering;
    uint64_t cursor = stream->subscriber.cursor;
    struct replay replay;
    enum status st =
        replay_slice(crew, &stream->subscriber, &stream->trail,
                     ANSWER_EVENTS_MAX - gathering->events,
                     ANSWER_BYTES_MAX - gathering->body.length, &replay);

    if (st != ST_OK) {
        stream_log_failure(st);
        connection_refuse(stream->connection, 500, "journal",
                          "the journal could not be read", text_of(""));
        stream_leave(stream);
        return;
    }
    gather(stream, cursor, &replay);
    if (gathering->events >= ANSWER_EVENTS_MAX ||
        gathering->body.length >= ANSWER_BYTES_MAX)
        stream_answer_now(stream);
    else if (replay.is_caught_up)
        wait_or_answer(stream);
    else
        connection_want_replay(stream->connection);
}

void stream_replay(struct connection *connection)
{
    struct stream *stream = stream_of(connection);

    if (stream->subscriber.state != SUBSCRIBER_REPLAYING)
        return;
    if (connection_state(connection) == CONNECTION_WAITING)
        replay_poll(stream);
    else if (connection_state(connection) == CONNECTION_STREAMING)
        replay_stream(stream);
}
