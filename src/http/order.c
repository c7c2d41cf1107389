/* order.c -- a subscribe request, understood.
 *
 *     GET /events/{selectors}[/{wait-key}]?parameters
 *
 * Position, first found wins: header, form, query. Flavor: header, form, query,
 * else what the request shows. Unknown parameters, a bare `?` and a trailing
 * empty segment are tolerated; selectors, position and flavor are not guessed
 * at.
 *
 * A WebSocket's handshake is checked elsewhere (websocket_stream.c).
 */
#include "order.h"

#include "session_subscribe.h"

#include <tidings/check.h>

#include <stdlib.h>
#include <string.h>

enum { WAIT_KEY_MAX = 128, WAIT_MAX_S = 300, ID_DIGITS = 20 };

static const char *const position_names[] = {
    "last_event_id", "lastEventId", "lastEventID", "lastId", "last_id",
};

struct reading {
    const struct handoff_request *request;
    const struct config *config;
    struct parameters parameters;
    struct order *order;
    const char *why;
};

static enum status wrong(struct reading *reading, const char *why)
{
    reading->why = why;
    return ST_BAD_INPUT;
}

/* ---- selectors
 * ---------------------------------------------------------------- */

static bool has_selector(const struct order *order, struct text selector)
{
    for (unsigned i = 0; i < order->selector_count; i++)
        if (text_equals(order->selectors[i], selector))
            return true;
    return false;
}

const char order_has_too_many[] = "too many channels on one connection";

static enum status add_selector(struct reading *reading, struct text selector)
{
    struct order *order = reading->order;

    if (!selector_is_valid(selector))
        return wrong(reading, "a channel is tokens of A-Z a-z 0-9 _ - joined "
                              "by dots, 1 to 200 bytes; a pattern may have * "
                              "as a token and > as the last");
    if (has_selector(order, selector))
        return ST_OK;
    if (order->selector_count == (unsigned)reading->config->selectors_max)
        return wrong(reading, order_has_too_many);
    order->selectors =
        must_realloc(order->selectors,
                     (order->selector_count + 1) * sizeof *order->selectors);
    order->selectors[order->selector_count++] = selector;
    return ST_OK;
}

static enum status add_selectors(struct reading *reading, struct text list)
{
    for (;;) {
        const char *comma = memchr(list.bytes, ',', list.length);
        struct text item = list;
        enum status st;

        if (comma != NULL)
            item.length = (size_t)(comma - list.bytes);
        st = add_selector(reading, item);
        if (st != ST_OK || comma == NULL)
            return st;
        list.bytes = comma + 1;
        list.length -= item.length + 1;
    }
}

static enum status copy_segment(struct reading *reading, struct text raw,
                                struct text *segment_out)
{
    struct buffer decoded;
    enum status st = ST_OK;

    buffer_init(&decoded);
    if (percent_decode(raw, &decoded))
        *segment_out =
            arena_copy(&reading->order->arena, buffer_text(&decoded));
    else
        st = wrong(reading, "the path has a bad percent-escape");
    buffer_fini(&decoded);
    return st;
}

/* The path behind "/events": up to two segments and an empty one. */
static enum status read_path(struct reading *reading)
{
    struct text rest = text_of(reading->request->raw_path + strlen("/events"));
    struct text segments[2] = {{NULL, 0}, {NULL, 0}};
    unsigned count = 0;

    while (rest.length > 0 && rest.bytes[0] == '/') {
        const char *slash;
        struct text segment;
        enum status st;

        rest.bytes++;
        rest.length--;
        slash = memchr(rest.bytes, '/', rest.length);
        segment = rest;
        if (slash != NULL)
            segment.length = (size_t)(slash - rest.bytes);
        rest.bytes += segment.length;
        rest.length -= segment.length;
        if (segment.length == 0 && rest.length == 0)
            break;
        if (count == 2)
            return wrong(reading, "the path is /events/{channels}/{wait-key}");
        st = copy_segment(reading, segment, &segments[count++]);
        if (st != ST_OK)
            return st;
    }
    if (segments[1].length > WAIT_KEY_MAX)
        return wrong(reading, "the wait key is over 128 bytes");
    if (segments[1].bytes != NULL)
        reading->order->wait_key = segments[1];
    if (segments[0].length == 0)
        return ST_OK;
    return add_selectors(reading, segments[0]);
}

static enum status read_channel_parameters(struct reading *reading,
                                           struct text source)
{
    size_t cursor = 0;
    bool is_bad = false, is_there;
    enum status st = ST_OK;

    do {
        struct buffer value;

        buffer_init(&value);
        is_there = form_find(source, "channel", &cursor, &value, &is_bad);
        if (is_bad)
            st = wrong(reading, "a parameter has a bad percent-escape");
        else if (is_there)
            st = add_selectors(reading, arena_copy(&reading->order->arena,
                                                   buffer_text(&value)));
        buffer_fini(&value);
    } while (st == ST_OK && is_there);
    return st;
}

static enum status read_selectors(struct reading *reading)
{
    enum status st = read_path(reading);

    if (st == ST_OK)
        st = read_channel_parameters(reading, reading->parameters.form);
    if (st == ST_OK)
        st = read_channel_parameters(reading, reading->parameters.query);
    return st;
}

/* ---- parameters
 * ------------------------------------------------------------------ */

static enum status find(struct reading *reading, const char *name,
                        struct text *value_out)
{
    enum status st = parameter_find(&reading->parameters, name,
                                    &reading->order->arena, value_out);

    return st == ST_OK ? st
                       : wrong(reading, "a parameter has a bad percent-escape");
}

/* The form's names before the query's, whichever of the five it is. */
static enum status find_position(struct reading *reading, struct text *text_out)
{
    const struct text sources[] = {reading->parameters.form,
                                   reading->parameters.query};

    for (unsigned s = 0; s < 2; s++) {
        struct parameters one = {sources[s], {NULL, 0}};

        for (unsigned i = 0; i < sizeof position_names / sizeof *position_names;
             i++) {
            if (parameter_find(&one, position_names[i], &reading->order->arena,
                               text_out) != ST_OK)
                return wrong(reading, "a parameter has a bad percent-escape");
            if (text_out->length > 0)
                return ST_OK;
        }
    }
    return ST_OK;
}

static enum status read_position(struct reading *reading)
{
    struct order *order = reading->order;
    struct text text = request_header(reading->request, "Last-Event-ID");
    enum status st = ST_OK;

    if (text.length > 0)
        order->position_text = arena_copy(&order->arena, text);
    else
        st = find_position(reading, &order->position_text);
    if (st != ST_OK)
        return st;
    return position_parse(order->position_text, &order->position,
                          &reading->why);
}

static enum status flavor_from(struct reading *reading, struct text text)
{
#define F(name, word)                                                          \
    if (text_is(text, word)) {                                                 \
        reading->order->flavor = FLAVOR_##name;                                \
        return ST_OK;                                                          \
    }
    FLAVORS(F)
#undef F
    return wrong(reading, "flavor is eventsource, long-poll, short-poll, "
                          "websocket or lines");
}

static enum status read_flavor(struct reading *reading)
{
    const struct handoff_request *request = reading->request;
    struct order *order = reading->order;
    struct text text = request_header(request, "flavor");
    bool is_stream =
        parameter_is_on(&reading->parameters, "xhr", &order->arena);
    enum status st;

    order->is_one_answer =
        parameter_is_on(&reading->parameters, "longpoll", &order->arena);
    order->is_ndjson =
        request_accepts(request, "Accept", "application/x-ndjson");
    if (text.length == 0) {
        st = find(reading, "flavor", &text);
        if (st != ST_OK)
            return st;
    }
    if (text.length > 0)
        return flavor_from(reading, text);
    if (request_accepts(request, "Upgrade", "websocket"))
        order->flavor = FLAVOR_WEBSOCKET;
    else if (is_stream || order->is_one_answer || order->is_ndjson)
        order->flavor = FLAVOR_LINES;
    else if (request_accepts(request, "Accept", "text/event-stream"))
        order->flavor = FLAVOR_EVENTSOURCE;
    else
        order->flavor = FLAVOR_LONG_POLL;
    return ST_OK;
}

/* A WebSocket may subscribe later, and its position comes with that. */
static enum status check_selectors(struct reading *reading)
{
    struct order *order = reading->order;

    if (order->selector_count > 0)
        return ST_OK;
    order->position = (struct position){.kind = POSITION_LATEST};
    return order->flavor == FLAVOR_WEBSOCKET
               ? ST_OK
               : wrong(reading, "which channel? /events/{channel}");
}

static enum status read_shape(struct reading *reading)
{
    struct order *order = reading->order;
    struct text format;
    enum status st = find(reading, "format", &format);

    if (st != ST_OK)
        return st;
    order->shape =
        order->flavor == FLAVOR_WEBSOCKET ||
                parameter_is_on(&reading->parameters, "envelope", &order->arena)
            ? SHAPE_OBJECT
            : SHAPE_DATA;
    if (format.length == 0)
        return ST_OK;
    if (text_is(format, "envelope"))
        order->shape = SHAPE_ENVELOPE;
    else if (text_is(format, "data"))
        order->shape = SHAPE_DATA;
    else
        return wrong(reading, "format is envelope or data");
    return ST_OK;
}

static enum status read_wait(struct reading *reading)
{
    struct order *order = reading->order;
    struct text timeout;
    uint64_t seconds = 0;
    enum status st = find(reading, "timeout", &timeout);

    if (st != ST_OK)
        return st;
    order->wait_ms = reading->config->longpoll_ms;
    if (timeout.length > 0) {
        if (!text_to_number(timeout, WAIT_MAX_S, &seconds))
            return wrong(reading, "timeout is 0 to 300 whole seconds");
        order->wait_ms = (int64_t)seconds * 1000;
    }
    if (order->flavor == FLAVOR_SHORT_POLL)
        order->wait_ms = 0;
    return ST_OK;
}

static enum status read_session(struct reading *reading)
{
    struct text *session = &reading->order->session;
    enum status st = find(reading, "session", session);

    if (st != ST_OK || session->bytes == NULL)
        return st;
    return session_admit(*session) == ST_OK ? ST_OK
                                            : wrong(reading, SESSION_NAME_RULE);
}

static enum status read_gap_choice(struct reading *reading)
{
    struct text gap;
    enum status st = find(reading, "gap", &gap);

    if (st != ST_OK)
        return st;
    if (gap.length > 0 && !text_is(gap, "reject") && !text_is(gap, "tell"))
        return wrong(reading, "gap is reject or tell");
    reading->order->rejects_gaps = text_is(gap, "reject");
    return ST_OK;
}

/* The query's word, else the setting of the first channel. */
static enum status read_keepalive(struct reading *reading)
{
    struct order *order = reading->order;
    const struct channel_config *channel =
        order->selector_count == 0
            ? NULL
            : config_channel(reading->config, order->selectors[0]);
    struct text keepalive;
    enum status st = find(reading, "keepalive", &keepalive);

    if (st != ST_OK)
        return st;
    if (keepalive.length == 0 && channel != NULL && channel->keepalive != NULL)
        keepalive = text_of(channel->keepalive);
    if (keepalive.length > 0 && !text_is(keepalive, "message") &&
        !text_is(keepalive, "comment"))
        return wrong(reading, "keepalive is comment or message");
    order->has_message_keepalive = text_is(keepalive, "message");
    return ST_OK;
}

/* Python's sseclient asks for gzip, because requests does, and then reads the
 * socket below what would unpack it. */
static bool reads_below_the_coding(const struct handoff_request *request)
{
    static const char agent[] = "python-requests/";
    struct text given = request_header(request, "User-Agent");

    return given.length >= strlen(agent) &&
           memcmp(given.bytes, agent, strlen(agent)) == 0;
}

/* Off for all if it is off for one of them: there is one stream. */
static enum status read_coding(struct reading *reading)
{
    struct order *order = reading->order;

    order->is_gzip = reading->config->gzip &&
                     request_takes_coding(reading->request, "gzip") &&
                     !(order->flavor == FLAVOR_EVENTSOURCE &&
                       reads_below_the_coding(reading->request));
    for (unsigned i = 0; order->is_gzip && i < order->selector_count; i++) {
        const struct channel_config *channel =
            config_channel(reading->config, order->selectors[i]);

        order->is_gzip = channel == NULL || strcmp(channel->gzip, "off") != 0;
    }
    return ST_OK;
}

static enum status read_all(struct reading *reading)
{
    enum status (*const steps[])(struct reading *) = {
        read_selectors, read_position, read_flavor,     check_selectors,
        read_shape,     read_wait,     read_gap_choice, read_keepalive,
        read_coding,    read_session};

    for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
        enum status st = steps[i](reading);

        if (st != ST_OK)
            return st;
    }
    reading->order->has_padding =
        reading->order->flavor != FLAVOR_WEBSOCKET &&
        parameter_is_on(&reading->parameters, "padding",
                        &reading->order->arena);
    reading->order->has_hello =
        parameter_is_on(&reading->parameters, "hello", &reading->order->arena);
    if (reading->order->flavor == FLAVOR_LONG_POLL ||
        reading->order->flavor == FLAVOR_SHORT_POLL)
        reading->order->is_one_answer = true;
    else if (reading->order->flavor != FLAVOR_LINES)
        reading->order->is_one_answer = false;
    return ST_OK;
}

enum status order_read(const struct handoff_request *request, struct text form,
                       const struct config *config, struct order **order_out,
                       const char **why_out)
{
    struct reading reading = {
        .request = request,
        .config = config,
        .parameters = {form, text_of(request->query)},
        .order = must_calloc(1, sizeof(struct order)),
        .why = "malformed request",
    };
    size_t size = strlen(request->raw_path) + form.length +
                  2 * strlen(request->query) + form.length;
    struct text id = request_header(request, "Last-Event-ID");
    enum status st;

    arena_init(&reading.order->arena,
               4 * size + id.length + ID_DIGITS + SESSION_NAME_MAX_BYTES);
    st = read_all(&reading);
    if (st != ST_OK) {
        *why_out = reading.why;
        order_destroy(&reading.order);
        return st;
    }
    *order_out = reading.order;
    return ST_OK;
}

void order_destroy(struct order **order)
{
    if (*order == NULL)
        return;
    arena_fini(&(*order)->arena);
    free((*order)->selectors);
    free(*order);
    *order = NULL;
}

/* HTTP/1.0 has no chunks, and an answer is framed as a whole. */
enum frame_format order_format(const struct order *order, bool is_http_10)
{
    static const enum frame_format sse[][3] = {
        {FRAME_SSE, FRAME_SSE_CHUNKED, FRAME_SSE_GZIP},
        {FRAME_SSE_OBJECT, FRAME_SSE_OBJECT_CHUNKED, FRAME_SSE_OBJECT_GZIP},
    };
    static const enum frame_format lines[][3] = {
        [SHAPE_DATA] = {FRAME_DATA, FRAME_DATA_CHUNKED, FRAME_DATA_GZIP},
        [SHAPE_ENVELOPE] = {FRAME_ENVELOPE, FRAME_ENVELOPE_CHUNKED,
                            FRAME_ENVELOPE_GZIP},
        [SHAPE_OBJECT] = {FRAME_OBJECT, FRAME_OBJECT_CHUNKED,
                          FRAME_OBJECT_GZIP},
    };
    static const enum frame_format messages[] = {
        [SHAPE_DATA] = FRAME_DATA_MESSAGE,
        [SHAPE_ENVELOPE] = FRAME_ENVELOPE_MESSAGE,
        [SHAPE_OBJECT] = FRAME_OBJECT_MESSAGE,
    };
    enum framing framing = is_http_10 || order->is_one_answer ? FRAMING_PLAIN
                           : order->is_gzip                   ? FRAMING_GZIP
                                                              : FRAMING_CHUNK;

    switch (order->flavor) {
    case FLAVOR_LONG_POLL:
    case FLAVOR_SHORT_POLL:
        return FRAME_LIST;
    case FLAVOR_LINES:
        return lines[order->shape][framing];
    case FLAVOR_WEBSOCKET:
        return messages[order->shape];
    case FLAVOR_EVENTSOURCE:
        break;
    }
    return sse[order->shape == SHAPE_OBJECT][framing];
}

bool order_comes_back(const struct order *order)
{
    return !order->is_one_answer && order->flavor != FLAVOR_WEBSOCKET;
}
