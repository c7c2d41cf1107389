/* stream_bytes.c -- heads, retry, gaps, keep-alives, ends.
 *
 * What is said in a stream is a shape, as an event's is; stream_say puts the
 * framing of its format around it.
 */
#include "stream.h"

#include <tidings/announcement.h>
#include <tidings/clock.h>
#include <tidings/directory.h>

#include <inttypes.h>
#include <string.h>

enum { PADDING_BYTES = 2048 };

const char stream_headers[] =
    "Cache-Control: no-cache, no-store, must-revalidate, no-transform\r\n"
    "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
    "X-Accel-Buffering: no\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Vary: Accept-Encoding\r\n";

const char stream_gzip_header[] = "Content-Encoding: gzip\r\n";

static bool is_sse(const struct stream *stream)
{
    return stream->flavor == FLAVOR_EVENTSOURCE;
}

static const char *content_type(const struct stream *stream)
{
    if (is_sse(stream))
        return "text/event-stream; charset=utf-8";
    if (stream->flavor != FLAVOR_LINES)
        return "application/json; charset=utf-8";
    return stream->is_ndjson ? "application/x-ndjson; charset=utf-8"
                             : "text/plain; charset=utf-8";
}

/* Rounded up, so that nobody waits for less than that. */
static uint64_t keepalive_s(const struct stream *stream)
{
    int64_t ms = crew_config(connection_crew(stream->connection))->keepalive_ms;

    return (uint64_t)((ms + 999) / 1000);
}

static void append_chunk(struct buffer *out, struct text text)
{
    buffer_append_hex(out, text.length);
    buffer_append_string(out, "\r\n");
    buffer_append_text(out, text);
    buffer_append_string(out, "\r\n");
}

/* The client reads on behind it, as behind a head. */
static void append_gzip_start(struct buffer *out)
{
    struct buffer header;

    buffer_init(&header);
    gzip_append_header(&header);
    append_chunk(out, buffer_text(&header));
    buffer_fini(&header);
}

void stream_append_head(struct stream *stream, const struct resume *resume,
                        struct buffer *out)
{
    bool is_http_10 = connection_is_http_10(stream->connection);
    bool is_last = connection_is_head(stream->connection)
                       ? !connection_keeps_alive(stream->connection)
                       : is_http_10; /* only the end shows where it ends */
    bool is_gzip = frame_framing(stream_format(stream)) == FRAMING_GZIP;
    struct buffer headers;

    buffer_init(&headers);
    buffer_printf(&headers, "Content-Type: %s\r\n%s", content_type(stream),
                  stream_headers);
    if (!is_http_10)
        buffer_append_string(&headers, "Transfer-Encoding: chunked\r\n");
    if (is_gzip)
        buffer_append_string(&headers, stream_gzip_header);
    buffer_append_string(&headers, "x-tidings-keepalive: ");
    buffer_append_u64(&headers, keepalive_s(stream));
    buffer_append_string(&headers, "\r\n");
    if (resume != NULL)
        buffer_printf(&headers, "Last-Event-ID: %" PRIu64 "\r\n",
                      resume->after);
    connection_append_head(stream->connection, out, 200, is_last,
                           buffer_text(&headers));
    if (is_gzip && !connection_is_head(stream->connection))
        append_gzip_start(out);
    buffer_fini(&headers);
}

/* A fifth either way, so that a restart is no stampede. */
unsigned stream_jittered_retry_ms(struct crew *crew)
{
    int64_t retry_ms = crew_config(crew)->retry_ms;
    int64_t fifth = retry_ms / 5;

    return (unsigned)(retry_ms - fifth +
                      (int64_t)(crew_random(crew) % (uint64_t)(2 * fifth + 1)));
}

void stream_append_retry(const struct stream *stream, unsigned retry_ms,
                         struct buffer *out)
{
    if (!is_sse(stream))
        return;
    sse_append_retry(out, retry_ms);
    buffer_append_char(out, '\n'); /* a block of its own: protocol.md 3 */
}

/* Old clients and proxies show nothing before they have seen this much. */
static void append_padding(const struct stream *stream, struct buffer *out)
{
    char padding[PADDING_BYTES];

    memset(padding, ' ', sizeof padding);
    if (is_sse(stream))
        padding[0] = ':';
    padding[sizeof padding - 1] = '\n';
    buffer_append(out, padding, sizeof padding);
}

/* For pages whose EventSource or WebSocket shows them no headers. An EventSource
 * keeps its id: should the stream break before the first event, the browser comes
 * back to here. (Positions per channel are no single id: there its URL knows
 * better.) */
static void append_hello(const struct stream *stream, const struct order *order,
                         struct buffer *out)
{
    if (is_sse(stream))
        buffer_append_string(out, "data: ");
    buffer_append_string(out, "{\"action\":\"hello\",\"last_event_id\":\"");
    buffer_append_u64(out, stream->subscriber.cursor);
    buffer_append_string(out, "\",\"keepalive_secs\":");
    buffer_append_u64(out, keepalive_s(stream));
    buffer_append_string(out, "}\n");
    if (!is_sse(stream))
        return;
    if (order->position.kind != POSITION_CHANNELS) {
        buffer_append_string(out, "id: ");
        buffer_append_u64(out, stream->subscriber.cursor);
        buffer_append_char(out, '\n');
    }
    buffer_append_char(out, '\n');
}

void stream_append_opening(struct stream *stream, const struct order *order,
                           struct buffer *out)
{
    struct crew *crew = connection_crew(stream->connection);

    if (order->has_padding)
        append_padding(stream, out);
    if (stream->is_busy)
        stream_append_retry(
            stream, (unsigned)crew_config(crew)->longpoll_busy_s * 1000u, out);
    else
        stream_append_retry(stream, stream_jittered_retry_ms(crew), out);
    if (order->has_hello)
        append_hello(stream, order, out);
}

/* Empty: a WebSocket that subscribes later. */
static struct text first_selector(const struct subscriber *subscriber)
{
    return subscriber->membership_count > 0
               ? directory_selector(&subscriber->memberships[0])
               : text_of("");
}

void stream_append_gap(const struct stream *stream, struct text requested,
                       const struct resume *resume, struct buffer *out)
{
    struct buffer data;
    struct event_view gap = {.id = resume->after,
                             .time_ms = clock_wall_ms(&system_clock),
                             .channel = first_selector(&stream->subscriber),
                             .type = text_of("tidings.gap")};

    buffer_init(&data);
    buffer_append_string(&data, "{\"requested\":");
    json_append_string(&data, requested);
    buffer_append_string(&data, ",\"resumed\":\"");
    buffer_append_u64(&data, resume->after);
    buffer_append_string(&data, "\",\"reason\":\"");
    buffer_append_string(&data, gap_reason_text(resume->gap));
    buffer_append_string(&data, "\"}");
    gap.data = buffer_text(&data);
    frame_append_shape(out, stream_format(stream), &gap);
    buffer_fini(&data);
}

/* Its id is where the client is now: who takes ids from it keeps its place. */
void stream_append_announcement(const struct stream *stream, struct buffer *out)
{
    int64_t now_ms = clock_wall_ms(&system_clock);
    struct buffer data;
    struct event_view notice = {.id = stream->subscriber.cursor,
                                .time_ms = now_ms,
                                .channel = first_selector(&stream->subscriber),
                                .type = text_of("tidings.shutdown")};

    buffer_init(&data);
    buffer_append_char(&data, '{');
    announcement_append_members(
        &data, crew_shutdown_until(connection_crew(stream->connection)),
        now_ms);
    buffer_append_char(&data, '}');
    notice.data = buffer_text(&data);
    frame_append_notice(out, stream_format(stream), &notice,
                        (struct text){data.bytes + 1, data.length - 2});
    buffer_fini(&data);
}

void stream_append_keepalive(const struct stream *stream, struct buffer *out)
{
    if (!stream->has_message_keepalive) {
        buffer_append_string(out, is_sse(stream) ? ":\n" : "\n");
        return;
    }
    if (is_sse(stream))
        buffer_append_string(out, "data: ");
    buffer_append_string(out, "{\"action\":\"keep-alive\",\"timestamp\":\"");
    time_append_plain(out, clock_wall_ms(&system_clock));
    buffer_append_string(out, is_sse(stream) ? "\"}\n\n" : "\"}\n");
}

/* Without the trailer a decompressor would say that something is missing. */
static void append_gzip_end(const struct stream *stream, struct buffer *out)
{
    struct buffer trailer;

    buffer_init(&trailer);
    gzip_append_trailer(&trailer, stream->sum);
    append_chunk(out, buffer_text(&trailer));
    buffer_fini(&trailer);
}

void stream_append_end(const struct stream *stream, struct buffer *out)
{
    enum framing framing = frame_framing(stream_format(stream));

    if (framing == FRAMING_GZIP)
        append_gzip_end(stream, out);
    if (framing == FRAMING_GZIP || framing == FRAMING_CHUNK)
        buffer_append_string(out, "0\r\n\r\n");
}
