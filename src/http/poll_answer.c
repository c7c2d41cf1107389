/* poll_answer.c -- one request, one answer: long-poll, short-poll, lines.
 *
 * A thousand long-polls that wait for one event get the same bytes: the answer
 * to a whole run is built once and hangs on the run's frames.
 */
#include "stream.h"

#include <tidings/check.h>

#include <stdlib.h>

static bool is_list(const struct stream *stream)
{
    return stream->subscriber.format == FRAME_LIST;
}

static void append_headers(const struct stream *stream, uint64_t last_id,
                           size_t length, struct buffer *out)
{
    const struct config *config =
        crew_config(connection_crew(stream->connection));

    buffer_append_string(out, "Content-Type: ");
    if (is_list(stream))
        buffer_append_string(out, "application/json; charset=utf-8\r\n");
    else
        buffer_append_string(
            out, stream->is_ndjson ? "application/x-ndjson; charset=utf-8\r\n"
                                   : "text/plain; charset=utf-8\r\n");
    buffer_append_string(out, stream_headers);
    buffer_append_string(out, "x-ps-reconnect-in: ");
    buffer_append_u64(out,
                      stream->is_busy ? (uint64_t)config->longpoll_busy_s : 0);
    buffer_append_string(out, stream->is_busy
                                  ? "\r\nx-shortpoll-info: false\r\n"
                                  : "\r\nx-shortpoll-info: true\r\n");
    buffer_append_string(out, "Last-Event-ID: ");
    buffer_append_u64(out, last_id);
    buffer_append_string(out, "\r\nContent-Length: ");
    buffer_append_u64(out, length);
    buffer_append_string(out, "\r\n");
}

/* `events`: as frames have them, a comma before each if they are a list. */
static struct frames *make_answer(struct stream *stream, struct text events,
                                  uint64_t last_id)
{
    struct buffer headers;
    struct buffer *out = crew_scratch(connection_crew(stream->connection));
    struct frames *frames;

    if (is_list(stream) && events.length > 0) {
        events.bytes++;
        events.length--;
    }
    buffer_init(&headers);
    append_headers(stream, last_id, events.length + (is_list(stream) ? 2 : 0),
                   &headers);
    connection_append_head(stream->connection, out, 200,
                           !connection_keeps_alive(stream->connection),
                           buffer_text(&headers));
    if (is_list(stream))
        buffer_append_char(out, '[');
    buffer_append_text(out, events);
    if (is_list(stream))
        buffer_append_char(out, ']');
    frames = frames_from_text(buffer_text(out));
    buffer_fini(&headers);
    return frames;
}

static bool is_shareable(const struct stream *stream,
                         const struct frames *frames, uint32_t from,
                         uint32_t to)
{
    return is_list(stream) && from == 0 && to == frames->length &&
           !stream->is_busy && connection_keeps_alive(stream->connection) &&
           !connection_is_http_10(stream->connection);
}

void poll_answer_run(struct stream *stream, struct frames *frames,
                     uint32_t from, uint32_t to, uint64_t last_id)
{
    struct connection *connection = stream->connection;
    struct text events = {frames->bytes + from, to - from};
    struct frames *answer;

    if (!is_shareable(stream, frames, from, to)) {
        answer = make_answer(stream, events, last_id);
        connection_answer_frames(connection, answer);
        frames_unref(&answer);
        return;
    }
    if (frames->answer == NULL)
        frames->answer = make_answer(stream, events, last_id);
    connection_answer_frames(connection, frames->answer);
}

void poll_answer(struct stream *stream)
{
    struct buffer *body = &stream->gathering->body;
    struct frames *answer;

    if (body->length == 0 && !is_list(stream) && stream->has_message_keepalive)
        stream_append_keepalive(stream, body);
    answer = make_answer(stream, buffer_text(body), stream->subscriber.cursor);
    connection_answer_frames(stream->connection, answer);
    frames_unref(&answer);
}
