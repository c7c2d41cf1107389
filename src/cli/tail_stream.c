/* tail_stream.c -- events out of SSE or lines.
 *
 * A line is
 * {"id":N,"channel_id":"..","ts":"..","data":{"type":"..","data":..}}; an empty
 * one is a keep-alive, and so is an object without these members. As with SSE
 * an event counts when its end is here: the line feed.
 */
#include "tail_stream.h"

#include <tidings/wire.h>

#include "json_tokens.h"

#define LINE_LIMIT_BYTES ((size_t)80 << 20)

static void on_sse_message(void *arg, const struct sse_message *message)
{
    struct tail_stream *stream = arg;
    struct tail_event event = {.id = message->id,
                               .channel = stream->channel,
                               .type = message->type,
                               .data = message->data};

    stream->json.length = 0;
    json_append_data(&stream->json, message->data);
    event.data_json = buffer_text(&stream->json);
    stream->each(stream->arg, &event);
}

void tail_stream_init(struct tail_stream *stream, struct text channel,
                      tail_event_fn *each, void *arg)
{
    stream->by_lines = channel.length == 0;
    stream->channel = channel;
    stream->each = each;
    stream->arg = arg;
    sse_reader_init(&stream->sse);
    buffer_init(&stream->line);
    buffer_init(&stream->line_id);
    buffer_init(&stream->data);
    buffer_init(&stream->json);
}

void tail_stream_fini(struct tail_stream *stream)
{
    sse_reader_fini(&stream->sse);
    buffer_fini(&stream->line);
    buffer_fini(&stream->line_id);
    buffer_fini(&stream->data);
    buffer_fini(&stream->json);
}

struct text tail_stream_position(const struct tail_stream *stream)
{
    return buffer_text(stream->by_lines ? &stream->line_id : &stream->sse.id);
}

unsigned tail_stream_retry_ms(const struct tail_stream *stream)
{
    return stream->sse.retry_ms;
}

void tail_stream_restart(struct tail_stream *stream, struct text position)
{
    struct buffer *id = stream->by_lines ? &stream->line_id : &stream->sse.id;

    if (id->length == 0)
        buffer_append_text(id, position);
    stream->line.length = 0;
    sse_reader_restart(&stream->sse);
}

/* ---- lines -----------------------------------------------------------------
 */

static enum status tell_line(struct tail_stream *stream,
                             const struct json_tokens *json)
{
    const int body = json_member(json, 0, "data");
    const int data = json_member(json, body, "data");
    struct buffer type;
    struct tail_event event;
    enum status st = ST_OK;

    if (data < 0)
        return ST_OK; /* a keep-alive */
    buffer_init(&type);
    event.id = json_raw(json, json_member(json, 0, "id"));
    event.channel = json_raw(json, json_member(json, 0, "channel_id"));
    st = json_unescape(json_raw(json, json_member(json, body, "type")), &type);
    event.type = buffer_text(&type);
    stream->data.length = 0;
    stream->json.length = 0;
    if (json_is_string(json, data)) {
        if (st == ST_OK)
            st = json_unescape(json_raw(json, data), &stream->data);
        json_append_string(&stream->json, buffer_text(&stream->data));
    } else {
        buffer_append_text(&stream->data, json_raw(json, data));
        buffer_append_text(&stream->json, json_raw(json, data));
    }
    event.data = buffer_text(&stream->data);
    event.data_json = buffer_text(&stream->json);
    stream->line_id.length = 0;
    buffer_append_text(&stream->line_id, event.id);
    if (st == ST_OK)
        stream->each(stream->arg, &event);
    buffer_fini(&type);
    return st == ST_OK ? ST_OK : ST_CORRUPT;
}

static enum status end_line(struct tail_stream *stream)
{
    struct json_tokens json;
    enum status st = ST_OK;

    if (stream->line.length > 0) {
        st = json_tokens_init(&json, buffer_text(&stream->line));
        st = st == ST_OK ? tell_line(stream, &json) : ST_CORRUPT;
        json_tokens_fini(&json);
    }
    stream->line.length = 0;
    return st;
}

static enum status feed_lines(struct tail_stream *stream, struct text bytes)
{
    enum status st = ST_OK;

    while (bytes.length > 0 && st == ST_OK) {
        const char *end = memchr(bytes.bytes, '\n', bytes.length);
        const size_t length =
            end != NULL ? (size_t)(end - bytes.bytes) : bytes.length;

        if (stream->line.length + length > LINE_LIMIT_BYTES)
            return ST_TOO_BIG;
        buffer_append(&stream->line, bytes.bytes, length);
        bytes.bytes += length;
        bytes.length -= length;
        if (end != NULL) {
            bytes.bytes++;
            bytes.length--;
            st = end_line(stream);
        }
    }
    return st;
}

enum status tail_stream_feed(struct tail_stream *stream, struct text bytes)
{
    if (stream->by_lines)
        return feed_lines(stream, bytes);
    return sse_reader_feed(&stream->sse, bytes, on_sse_message, stream);
}
