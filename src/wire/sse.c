/* sse.c -- events as blocks of an event stream.
 *
 * A block is `event:` (only if there is a type), one `data:` line for each line
 * of the data, `id:`, and a blank line that makes the browser deliver it. The
 * format ends a line at CR LF, CR or LF, so data is split at all three: a CR
 * left inside would let a publisher forge fields and whole events. The reader
 * joins the lines with LF.
 *
 * Every field has one blank after its colon, always: the reader takes exactly
 * one away, so data that starts with a blank keeps it.
 *
 * The bytes are made once per event and shared by all its readers, yet it is
 * the hot path of a channel with few of them: measure, reserve once, copy.
 */
#include <tidings/wire.h>

#include "../base/seeded_bug.h"
#include "put.h"

static bool is_break(char c)
{
    return c == '\n' || (c == '\r' && !seeded_bug("cr-not-split"));
}

static const char *find_break(const char *at, const char *end)
{
    while (at < end && !is_break(*at))
        at++;
    return at;
}

/* What follows the line break at `at`. */
static const char *skip_break(const char *at, const char *end)
{
    bool is_pair = end - at >= 2 && at[0] == '\r' && at[1] == '\n';

    return at + (is_pair ? 2 : 1);
}

static bool is_one_line(struct text data)
{
    return data.length == 0 || (memchr(data.bytes, '\n', data.length) == NULL &&
                                memchr(data.bytes, '\r', data.length) == NULL);
}

/* As many as `data:` lines, or a few more. */
static size_t count_lines(struct text data)
{
    size_t count = 1;
    size_t i;

    for (i = 0; i < data.length; i++)
        count += data.bytes[i] == '\n' || data.bytes[i] == '\r';
    return count;
}

static char *put_data_lines(char *to, struct text data)
{
    const char *at = data.bytes;
    const char *end = data.bytes + data.length;

    for (;;) {
        const char *line_end = find_break(at, end);

        to = PUT_LITERAL(to, "data: ");
        to = put_bytes(to, at, (size_t)(line_end - at));
        *to++ = '\n';
        if (line_end == end)
            return to;
        at = skip_break(line_end, end);
    }
}

void sse_append_event(struct buffer *out, const struct event_view *event)
{
    bool is_simple = is_one_line(event->data);
    size_t lines = is_simple ? 1 : count_lines(event->data);
    size_t most = sizeof "event: \nid: \n\n" + PUT_U64_MAX_BYTES +
                  event->type.length + event->data.length +
                  lines * sizeof "data: \n";
    char *start = buffer_reserve(out, most);
    char *at = start;

    if (event->type.length > 0) {
        at = PUT_LITERAL(at, "event: ");
        at = put_text(at, event->type);
        *at++ = '\n';
    }
    if (is_simple) {
        at = PUT_LITERAL(at, "data: ");
        at = put_text(at, event->data);
        *at++ = '\n';
    } else {
        at = put_data_lines(at, event->data);
    }
    if (event->id != 0) {
        at = PUT_LITERAL(at, "id: ");
        at = put_u64(at, event->id);
        *at++ = '\n';
    }
    *at++ = '\n';
    out->length += (size_t)(at - start);
}

/* Without a blank line: the field works as soon as it is read, and some clients
 * deliver an empty message for a block that has no data. */
void sse_append_retry(struct buffer *out, unsigned retry_ms)
{
    char *start = buffer_reserve(out, sizeof "retry: \n" + PUT_U64_MAX_BYTES);
    char *at = PUT_LITERAL(start, "retry: ");

    at = put_u64(at, retry_ms);
    *at++ = '\n';
    out->length += (size_t)(at - start);
}
