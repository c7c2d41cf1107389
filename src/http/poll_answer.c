/* poll_answer.c -- one request, one answer: long-poll, short-poll, lines.
 *
 * A thousand long-polls that wait for one event get the same bytes: the answer
 * to a whole run is built once, plain and compressed, and hangs on the run's
 * frames. Small answers are not worth compressing.
 */
#include "session_calls.h"
#include "stream.h"

#include <tidings/announcement.h>
#include <tidings/check.h>
#include <tidings/clock.h>

#include <stdlib.h>

enum { COMPRESS_FROM_BYTES = 256, SPREAD_MAX_S = 60, TIMER_MAX_S = 2000000 };

static bool is_list(const struct stream *stream)
{
    return stream->subscriber.format == FRAME_LIST;
}

/* When to come again, in seconds: clients that know nothing of shutdowns stay
 * away by it. They come in a while, not all at once; no browser's timer counts
 * more than 24 days. */
static uint64_t reconnect_in_s(const struct stream *stream)
{
    struct crew *crew = connection_crew(stream->connection);
    int64_t left_s;

    if (!crew_is_shut(crew))
        return stream->is_busy ? (uint64_t)crew_config(crew)->longpoll_busy_s
                               : 0;
    left_s = announcement_seconds(crew_shutdown_until(crew),
                                  clock_wall_ms(&system_clock));
    left_s += crew_random(crew) %
              (left_s / 5 < SPREAD_MAX_S ? left_s / 5 + 1 : SPREAD_MAX_S + 1);
    return (uint64_t)(left_s < TIMER_MAX_S ? left_s : TIMER_MAX_S);
}

/* What every answer says; how long it is comes behind it. */
static void append_headers(const struct stream *stream, uint64_t last_id,
                           struct buffer *out)
{
    buffer_append_string(out, "Content-Type: ");
    if (is_list(stream))
        buffer_append_string(out, "application/json; charset=utf-8\r\n");
    else
        buffer_append_string(
            out, stream->is_ndjson ? "application/x-ndjson; charset=utf-8\r\n"
                                   : "text/plain; charset=utf-8\r\n");
    buffer_append_string(out, stream_headers);
    buffer_append_string(out, "x-ps-reconnect-in: ");
    buffer_append_u64(out, reconnect_in_s(stream));
    buffer_append_string(out, stream->is_busy
                                  ? "\r\nx-shortpoll-info: false\r\n"
                                  : "\r\nx-shortpoll-info: true\r\n");
    buffer_append_string(out, "Last-Event-ID: ");
    buffer_append_u64(out, last_id);
    buffer_append_string(out, "\r\n");
}

static void append_length(size_t length, bool is_compressed, struct buffer *out)
{
    if (is_compressed)
        buffer_append_string(out, stream_gzip_header);
    buffer_append_string(out, "Content-Length: ");
    buffer_append_u64(out, length);
    buffer_append_string(out, "\r\n");
}

void poll_append_head(struct stream *stream, uint64_t last_id,
                      struct buffer *out)
{
    struct buffer headers;

    buffer_init(&headers);
    append_headers(stream, last_id, &headers);
    connection_append_head(stream->connection, out, 200,
                           !connection_keeps_alive(stream->connection),
                           buffer_text(&headers));
    buffer_fini(&headers);
}

/* `events`: as frames have them, a comma before each if they are a list. */
static void append_body(const struct stream *stream, struct text events,
                        struct buffer *body)
{
    if (!is_list(stream)) {
        buffer_append_text(body, events);
        return;
    }
    buffer_append_char(body, '[');
    if (events.length > 0)
        buffer_append(body, events.bytes + 1, events.length - 1);
    buffer_append_char(body, ']');
}

static struct frames *make_answer(struct stream *stream, struct text events,
                                  uint64_t last_id)
{
    bool is_compressed =
        stream->is_gzip && events.length >= COMPRESS_FROM_BYTES;
    struct buffer headers, body, compressed;
    struct buffer *out = crew_scratch(connection_crew(stream->connection));
    struct frames *frames;

    buffer_init(&headers);
    buffer_init(&body);
    buffer_init(&compressed);
    append_body(stream, events, &body);
    if (is_compressed)
        gzip_append_all(&compressed, buffer_text(&body));
    append_headers(stream, last_id, &headers);
    append_length(is_compressed ? compressed.length : body.length,
                  is_compressed, &headers);
    connection_append_head(stream->connection, out, 200,
                           !connection_keeps_alive(stream->connection),
                           buffer_text(&headers));
    buffer_append_text(out, buffer_text(is_compressed ? &compressed : &body));
    frames = frames_from_text(buffer_text(out));
    buffer_fini(&compressed);
    buffer_fini(&body);
    buffer_fini(&headers);
    return frames;
}

static bool is_shareable(const struct stream *stream,
                         const struct frames *frames, uint32_t from,
                         uint32_t to)
{
    return is_list(stream) && from == 0 && to == frames->length &&
           !stream->is_busy &&
           !crew_is_shut(connection_crew(stream->connection)) &&
           connection_lines(stream->connection) == NULL &&
           connection_keeps_alive(stream->connection) &&
           !connection_is_http_10(stream->connection);
}

static void begin_answer(struct stream *stream, struct frames *answer,
                         uint64_t last_id)
{
    session_answers(stream, last_id);
    connection_answer_frames(stream->connection, answer);
}

/* A client can be at another instance as soon as it has the events. */
static void answer_events(struct stream *stream, struct frames *answer,
                          uint64_t last_id)
{
    if (!session_claims(stream)) {
        begin_answer(stream, answer, last_id);
        return;
    }
    stream->gathering->answer = frames_ref(answer);
    stream->gathering->upto = last_id;
}

/* A poll that its client has left meanwhile is not answered, as before. */
void poll_claimed(struct connection *connection, struct publish *publish)
{
    struct stream *stream = stream_of(connection);

    (void)session_called(connection, publish, NULL);
    if (connection_has_ended(connection))
        connection_begin(connection, CONNECTION_WAITING); /* to be closed */
    else
        begin_answer(stream, stream->gathering->answer,
                     stream->gathering->upto);
}

void poll_answer_run(struct stream *stream, struct frames *frames,
                     uint32_t from, uint32_t to, uint64_t last_id)
{
    struct text events = {frames->bytes + from, to - from};
    struct frames **shared = &frames->answers[stream->is_gzip];
    struct frames *answer;

    if (!is_shareable(stream, frames, from, to)) {
        answer = make_answer(stream, events, last_id);
        answer_events(stream, answer, last_id);
        frames_unref(&answer);
        return;
    }
    if (*shared == NULL)
        *shared = make_answer(stream, events, last_id);
    answer_events(stream, *shared, last_id);
}

void poll_answer(struct stream *stream)
{
    struct buffer *body = &stream->gathering->body;
    struct frames *answer;

    if (body->length == 0 && !is_list(stream) && stream->has_message_keepalive)
        stream_append_keepalive(stream, body);
    answer = make_answer(stream, buffer_text(body), stream->subscriber.cursor);
    if (stream->gathering->events > 0)
        answer_events(stream, answer, stream->subscriber.cursor);
    else
        begin_answer(stream, answer, stream->subscriber.cursor);
    frames_unref(&answer);
}
