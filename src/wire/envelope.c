/* envelope.c -- type and data out of a payload.
 *
 * Many publishers wrap what they say: {"type":"cheese_created","data":{...}}.
 * In the mode AUTO exactly that shape is taken apart, and whatever differs from
 * it in anything (a third member, a repeated one, a type that is no valid type)
 * is data as it is: guessing further would change what somebody meant to send.
 * ALWAYS is for publishers that agreed on the shape and want to hear of
 * mistakes.
 *
 * Data that is a JSON string means the text inside it; any other JSON value is
 * kept as it was written, byte for byte. Nothing is copied unless a string has
 * escapes; then room for all of them is reserved at once, so that the views
 * into the scratch buffer stay where they are.
 */
#include <tidings/wire.h>

#include "json_object.h"

/* Room for every string of `text` without its escapes, if it has any: so that
 * appending later moves nothing. */
static void reserve_for_escapes(struct buffer *scratch, struct text text)
{
    if (text.length > 0 && memchr(text.bytes, '\\', text.length) != NULL)
        (void)buffer_reserve(scratch, text.length);
}

/* The inside of a string without its escapes; appended to `scratch`, which has
 * room for it, only if there are any. */
static enum status string_value(struct text inside, struct buffer *scratch,
                                struct text *value_out)
{
    size_t start = scratch->length;
    enum status st;

    if (inside.length == 0 ||
        memchr(inside.bytes, '\\', inside.length) == NULL) {
        *value_out = inside;
        return ST_OK;
    }
    st = json_unescape(inside, scratch);
    if (st != ST_OK)
        return st;
    value_out->bytes = scratch->bytes + start;
    value_out->length = scratch->length - start;
    return ST_OK;
}

/* ---- the payload of one message ------------------------------------------ */

static enum status take_type(struct text value, struct envelope *envelope,
                             const char **why_out)
{
    struct text inside;

    if (!json_string_inside(value, &inside) ||
        string_value(inside, &envelope->scratch, &envelope->type) != ST_OK ||
        !event_type_is_valid(envelope->type)) {
        *why_out = "the type must be a string of at most 128 bytes "
                   "without control characters";
        return ST_BAD_INPUT;
    }
    return ST_OK;
}

static enum status take_data(struct text value, struct buffer *scratch,
                             struct text *data_out, const char **why_out)
{
    struct text inside;

    if (!json_string_inside(value, &inside)) {
        *data_out = value;
        return ST_OK;
    }
    if (string_value(inside, scratch, data_out) != ST_OK) {
        *why_out = "the data has an escape that is half a character";
        return ST_BAD_INPUT;
    }
    return ST_OK;
}

static enum status take_apart(struct text payload, struct envelope *envelope,
                              const char **why_out)
{
    struct text type, data;
    const struct json_wanted wanted[] = {{"type", &type}, {"data", &data}};
    enum status st = json_take_apart(payload, wanted, 2, why_out);

    if (st != ST_OK)
        return st;
    if (type.length == 0 || data.length == 0) {
        *why_out = "an envelope has the members type and data";
        return ST_BAD_INPUT;
    }
    reserve_for_escapes(&envelope->scratch, payload);
    st = take_type(type, envelope, why_out);
    if (st != ST_OK)
        return st;
    return take_data(data, &envelope->scratch, &envelope->data, why_out);
}

enum status envelope_parse(struct text payload, enum envelope_mode mode,
                           struct envelope *envelope_out, const char **why_out)
{
    struct envelope envelope = {.data = payload};
    enum status st = ST_OK;
    const char *why;

    buffer_init(&envelope.scratch);
    if (mode != ENVELOPE_NEVER)
        st = take_apart(payload, &envelope, &why);
    if (st != ST_OK) {
        buffer_fini(&envelope.scratch);
        envelope = (struct envelope){.data = payload};
        buffer_init(&envelope.scratch);
    }
    *envelope_out = envelope; /* also on failure: its scratch is empty */
    if (st == ST_OK || mode == ENVELOPE_AUTO)
        return ST_OK;
    *why_out = why;
    return st;
}

/* ---- a line of a batch --------------------------------------------------- */

#define TIME_MAX    INT64_C(9007199254740991) /* 2^53 - 1 */
#define TIME_DIGITS 16

/* The members as they stand in the line; length 0: not there. */
struct raw_line {
    struct text channel, type, data, key, time;
};

/* An absent member stays empty. */
static bool take_string(struct text value, struct buffer *scratch,
                        struct text *text_out)
{
    struct text inside;

    if (value.length == 0)
        return true;
    return json_string_inside(value, &inside) &&
           string_value(inside, scratch, text_out) == ST_OK;
}

static bool take_time(struct text value, int64_t *time_ms_out)
{
    int64_t time_ms = 0;
    size_t i;

    if (value.length > TIME_DIGITS)
        return false;
    for (i = 0; i < value.length; i++) {
        char c = value.bytes[i];

        if (c < '0' || c > '9')
            return false;
        time_ms = time_ms * 10 + (c - '0');
    }
    *time_ms_out = time_ms;
    return time_ms <= TIME_MAX;
}

static enum status take_line(const struct raw_line *raw,
                             struct batch_line *line, const char **why_out)
{
    struct buffer *scratch = &line->scratch;
    const char *why = NULL;

    if (!take_string(raw->channel, scratch, &line->channel) ||
        (raw->channel.length > 0 && !channel_name_is_valid(line->channel)))
        why = "the channel must be tokens of A-Z a-z 0-9 _ - joined by dots";
    else if (!take_string(raw->type, scratch, &line->type) ||
             !event_type_is_valid(line->type))
        why = "the type must be a string of at most 128 bytes "
              "without control characters";
    else if (!take_string(raw->key, scratch, &line->key) ||
             line->key.length > EVENT_KEY_MAX_BYTES)
        why = "the key must be a string of at most 256 bytes";
    else if (!take_time(raw->time, &line->time_ms))
        why = "the time must be an integer, unix milliseconds";
    if (why != NULL) {
        *why_out = why;
        return ST_BAD_INPUT;
    }
    return take_data(raw->data, scratch, &line->data, why_out);
}

enum status batch_line_parse(struct text line, struct batch_line *line_out,
                             const char **why_out)
{
    struct batch_line result = {.time_ms = 0};
    struct raw_line raw;
    const struct json_wanted wanted[] = {
        {"channel", &raw.channel}, {"type", &raw.type}, {"data", &raw.data},
        {"key", &raw.key},         {"time", &raw.time},
    };
    enum status st = json_take_apart(line, wanted,
                                     sizeof wanted / sizeof wanted[0], why_out);

    buffer_init(&result.scratch);
    if (st == ST_OK && raw.data.length == 0) {
        *why_out = "a line of a batch must have the member data";
        st = ST_BAD_INPUT;
    }
    if (st == ST_OK) {
        reserve_for_escapes(&result.scratch, line);
        st = take_line(&raw, &result, why_out);
    }
    if (st != ST_OK) {
        buffer_fini(&result.scratch);
        result = (struct batch_line){.time_ms = 0};
        buffer_init(&result.scratch);
    }
    *line_out = result; /* also on failure: its scratch is empty */
    return st;
}
