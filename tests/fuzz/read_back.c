/* read_back.c -- every format of an event, read back as a client would.
 *
 * The reader of event streams here follows the HTML standard line by line and
 * shares nothing with the writer: what it gets must be what went in, with each
 * line break of the data as LF, in one block with one id. JSON must be JSON,
 * without a line break.
 */
#include "fuzz.h"

/* The next line of a stream, which ends at CR LF, CR or LF. */
static bool next_line(struct text *rest, struct text *line_out)
{
    size_t length = 0;
    size_t skip = 1;

    if (rest->length == 0)
        return false;
    while (rest->bytes[length] != '\n' && rest->bytes[length] != '\r') {
        length++;
        CHECK(length < rest->length); /* every line is ended */
    }
    if (rest->bytes[length] == '\r' && length + 1 < rest->length &&
        rest->bytes[length + 1] == '\n')
        skip = 2;
    *line_out = (struct text){rest->bytes, length};
    rest->bytes += length + skip;
    rest->length -= length + skip;
    return true;
}

struct block {
    struct text type;
    struct buffer data;
    unsigned type_lines, data_lines, id_lines, blank_lines;
};

static bool has_field(struct text line, const char *field, struct text *value)
{
    size_t length = strlen(field);

    if (line.length < length || memcmp(line.bytes, field, length) != 0)
        return false;
    value->bytes = line.bytes + length;
    value->length = line.length - length;
    return true;
}

static void take_line(struct block *block, struct text line)
{
    struct text value;

    CHECK(block->blank_lines == 0); /* the blank line is the last */
    if (line.length == 0) {
        block->blank_lines++;
    } else if (has_field(line, "event: ", &value)) {
        block->type = value;
        block->type_lines++;
    } else if (has_field(line, "data: ", &value)) {
        if (block->data_lines++ > 0)
            buffer_append_char(&block->data, '\n');
        buffer_append_text(&block->data, value);
    } else {
        CHECK(has_field(line, "id: ", &value));
        CHECK(value.length > 0 && value.bytes[0] != ' ');
        block->id_lines++;
    }
}

/* The data as a reader gets it. */
static void append_with_lf(struct buffer *out, struct text data)
{
    size_t i;

    for (i = 0; i < data.length; i++) {
        bool is_first_of_pair = data.bytes[i] == '\r' && i + 1 < data.length &&
                                data.bytes[i + 1] == '\n';

        if (!is_first_of_pair)
            buffer_append_char(out,
                               data.bytes[i] == '\r' ? '\n' : data.bytes[i]);
    }
}

static void check_block(const struct event_view *event)
{
    struct block block = {.type = {NULL, 0}};
    struct buffer out, wanted;
    struct text rest, line;

    buffer_init(&out);
    buffer_init(&wanted);
    buffer_init(&block.data);
    sse_append_event(&out, event);
    rest = buffer_text(&out);
    while (next_line(&rest, &line))
        take_line(&block, line);
    append_with_lf(&wanted, event->data);
    CHECK(block.blank_lines == 1);
    CHECK(block.id_lines == (event->id != 0));
    CHECK(block.type_lines == (event->type.length > 0));
    CHECK(block.data_lines >= 1);
    CHECK(text_equals(block.type, event->type));
    CHECK(text_equals(buffer_text(&block.data), buffer_text(&wanted)));
    buffer_fini(&block.data);
    buffer_fini(&wanted);
    buffer_fini(&out);
}

static void check_json(struct buffer *out)
{
    CHECK(json_is_valid(buffer_text(out)));
    CHECK(memchr(out->bytes, '\n', out->length) == NULL);
    CHECK(memchr(out->bytes, '\r', out->length) == NULL);
    out->length = 0;
}

/* The parser of envelopes must find in ours what is in the event. */
static void check_envelope(struct buffer *out, const struct event_view *event)
{
    struct envelope envelope;
    const char *why;

    event_json_append_envelope(out, event);
    if (event->type.length > 0 && !json_is_valid(event->data)) {
        CHECK(envelope_parse(buffer_text(out), ENVELOPE_ALWAYS, &envelope,
                             &why) == ST_OK);
        CHECK(text_equals(envelope.type, event->type));
        CHECK(text_equals(envelope.data, event->data));
        buffer_fini(&envelope.scratch);
    }
}

void check_formats(const struct event_view *event)
{
    bool is_shallow = true;
    struct buffer out;
    size_t i, depth = 0;

    /* Around data that is 62 deep our own braces would pass the limit. */
    for (i = 0; i < event->data.length; i++)
        depth += event->data.bytes[i] == '[' || event->data.bytes[i] == '{';
    is_shallow = depth < 60;

    check_block(event);
    buffer_init(&out);
    event_json_append_data(&out, event);
    check_json(&out);
    if (is_shallow) {
        check_envelope(&out, event);
        check_json(&out);
        event_json_append(&out, event);
        check_json(&out);
    }
    buffer_fini(&out);
}
