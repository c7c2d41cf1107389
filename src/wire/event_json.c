/* event_json.c -- events as JSON: long-poll answers, lines, WebSocket frames.
 *
 * Three shapes, from the whole to the part: the object with id, channel, time
 * and data; the envelope as it was published; the data alone. In all of them
 * data that is JSON goes in as it is and any other as a JSON string, and none
 * contains a line break, so that one line is one event.
 *
 * Channel names need no escaping (names.c).
 */
#include <tidings/wire.h>

#include "put.h"

static void append_envelope(struct buffer *out, const struct event_view *event)
{
    buffer_append(out, "{\"type\":", sizeof "{\"type\":" - 1);
    json_append_string(out, event->type);
    buffer_append(out, ",\"data\":", sizeof ",\"data\":" - 1);
    json_append_data(out, event->data);
    buffer_append_char(out, '}');
}

void event_json_append(struct buffer *out, const struct event_view *event)
{
    size_t most = sizeof "{\"id\":,\"channel_id\":\"\",\"ts\":\"" +
                  PUT_U64_MAX_BYTES + event->channel.length;
    char *start = buffer_reserve(out, most);
    char *at = PUT_LITERAL(start, "{\"id\":");

    at = put_u64(at, event->id);
    at = PUT_LITERAL(at, ",\"channel_id\":\"");
    at = put_text(at, event->channel);
    at = PUT_LITERAL(at, "\",\"ts\":\"");
    out->length += (size_t)(at - start);

    time_append_iso(out, event->time_ms);
    buffer_append(out, "\",\"data\":", sizeof "\",\"data\":" - 1);
    append_envelope(out, event);
    buffer_append_char(out, '}');
}

void event_json_append_envelope(struct buffer *out,
                                const struct event_view *event)
{
    if (event->type.length == 0)
        json_append_data(out, event->data);
    else
        append_envelope(out, event);
}

void event_json_append_data(struct buffer *out, const struct event_view *event)
{
    json_append_data(out, event->data);
}
