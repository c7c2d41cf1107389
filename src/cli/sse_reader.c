/* sse_reader.c -- the parser of the HTML standard, section "Interpreting an
 * event stream", line by line.
 *
 * Lines end in CR LF, LF or CR. Each is a field `name: value` (one space behind
 * the colon is dropped) or a comment; an empty one ends the event. An event
 * without a data field is none, but its id counts. An unfinished event is
 * thrown away with its connection: it will come again, for its id was not
 * taken.
 */
#include "sse_reader.h"

#define EVENT_LIMIT_BYTES ((size_t)80 << 20) /* over the largest setting */

void sse_reader_init(struct sse_reader *reader)
{
    buffer_init(&reader->line);
    buffer_init(&reader->type);
    buffer_init(&reader->data);
    buffer_init(&reader->said_id);
    buffer_init(&reader->id);
    reader->has_data = false;
    reader->skips_lf = false;
    reader->retry_ms = 0;
}

void sse_reader_fini(struct sse_reader *reader)
{
    buffer_fini(&reader->line);
    buffer_fini(&reader->type);
    buffer_fini(&reader->data);
    buffer_fini(&reader->said_id);
    buffer_fini(&reader->id);
}

static void forget_event(struct sse_reader *reader)
{
    reader->type.length = 0;
    reader->data.length = 0;
    reader->has_data = false;
}

static void set(struct buffer *field, struct text value)
{
    field->length = 0;
    buffer_append_text(field, value);
}

void sse_reader_restart(struct sse_reader *reader)
{
    forget_event(reader);
    set(&reader->said_id, buffer_text(&reader->id));
    reader->line.length = 0;
    reader->skips_lf = false;
}

static void read_retry(struct sse_reader *reader, struct text value)
{
    unsigned retry_ms = 0;

    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] < '0' || value.bytes[i] > '9' || i == 8)
            return;
        retry_ms = retry_ms * 10 + (unsigned)(value.bytes[i] - '0');
    }
    if (value.length > 0)
        reader->retry_ms = retry_ms;
}

static void read_field(struct sse_reader *reader, struct text name,
                       struct text value)
{
    if (text_is(name, "data")) {
        if (reader->has_data)
            buffer_append_char(&reader->data, '\n');
        buffer_append_text(&reader->data, value);
        reader->has_data = true;
    } else if (text_is(name, "event")) {
        set(&reader->type, value);
    } else if (text_is(name, "id")) {
        if (value.length == 0 ||
            memchr(value.bytes, '\0', value.length) == NULL)
            set(&reader->said_id, value);
    } else if (text_is(name, "retry")) {
        read_retry(reader, value);
    }
}

static void end_event(struct sse_reader *reader, sse_message_fn *each,
                      void *arg)
{
    const struct sse_message message = {buffer_text(&reader->type),
                                        buffer_text(&reader->data),
                                        buffer_text(&reader->said_id)};

    set(&reader->id, message.id);
    if (reader->has_data)
        each(arg, &message);
    forget_event(reader);
}

static void end_line(struct sse_reader *reader, sse_message_fn *each, void *arg)
{
    struct text name = buffer_text(&reader->line);
    struct text value = {"", 0};
    const char *colon;

    if (name.length == 0) {
        end_event(reader, each, arg);
        return;
    }
    colon = memchr(name.bytes, ':', name.length);
    if (colon != NULL) {
        value.bytes = colon + 1;
        value.length = name.length - (size_t)(colon - name.bytes) - 1;
        name.length = (size_t)(colon - name.bytes);
        if (value.length > 0 && value.bytes[0] == ' ') {
            value.bytes++;
            value.length--;
        }
    }
    read_field(reader, name, value);
    reader->line.length = 0;
}

static size_t bytes_to_line_end(struct text bytes)
{
    size_t i = 0;

    while (i < bytes.length && bytes.bytes[i] != '\n' && bytes.bytes[i] != '\r')
        i++;
    return i;
}

enum status sse_reader_feed(struct sse_reader *reader, struct text bytes,
                            sse_message_fn *each, void *arg)
{
    while (bytes.length > 0) {
        const size_t length = bytes_to_line_end(bytes);

        if (length == 0 && bytes.bytes[0] == '\n' && reader->skips_lf) {
            reader->skips_lf = false;
            bytes.bytes++;
            bytes.length--;
            continue;
        }
        reader->skips_lf = false;
        if (reader->line.length + reader->data.length + length >
            EVENT_LIMIT_BYTES)
            return ST_TOO_BIG;
        buffer_append(&reader->line, bytes.bytes, length);
        bytes.bytes += length;
        bytes.length -= length;
        if (bytes.length == 0)
            break;
        reader->skips_lf = bytes.bytes[0] == '\r';
        bytes.bytes++;
        bytes.length--;
        end_line(reader, each, arg);
    }
    return ST_OK;
}
