/* websocket_stream.c -- a stream whose client talks.
 *
 *     websocket_is_right     the request may be upgraded: else 4xx
 *     websocket_append_head  101; from here on the stream is like any other
 *     received               bytes of the client, item by item
 *     expired                silence: a ping; silence after a ping: the end
 *     websocket_close        our last frame, whoever wanted it
 *
 * What a client can make us do is limited. Answers (pongs, complaints, gaps of
 * what it asked for) that it does not take are owed to it, up to a limit; events are not among them, for
 * they have the outbox's own limit and the journal behind it. Changes of the
 * subscription cost more than bytes, so there may be only so many in a second.
 * Who goes beyond either is closed with 1008.
 *
 * A ping is sent when nothing else is. A client from which nothing at all comes
 * for two more intervals is taken for dead.
 *
 * After our close the client's is waited for, CLOSING_MS at most, and messages
 * on their way are stepped over: a browser calls it unclean if the connection
 * ends before it has answered. Who breaks the framing is not understood any
 * more, and is not waited for. Then the connection lingers, for a reset could
 * overtake what we sent.
 */
#include "stream.h"

#include "access.h"
#include "ahead.h"
#include "origins.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>

#include <stdlib.h>
#include <string.h>

enum {
    OWED_MAX = 65536,   /* of answers not taken */
    ANSWER_COST = 128,  /* what an answer costs besides its bytes */
    CHANGES_MAX = 1024, /* what changes may cost in a second */
    WALK_COST = 32,     /* of a selector that looks at much for its position */
    CLOSING_MS = 2000,  /* for the client's own close */
    UNANSWERED_INTERVALS = 2 /* of keepalive_ms */
};

static struct websocket *websocket_of(const struct stream *stream)
{
    CHECK(stream->websocket != NULL);
    return stream->websocket;
}

struct websocket *websocket_create(struct crew *crew)
{
    struct websocket *websocket = must_calloc(1, sizeof *websocket);

    websocket_reader_init(&websocket->reader);
    metrics_add(crew_metrics(crew), METRIC_websockets, 1);
    return websocket;
}

void websocket_destroy(struct websocket **websocket, struct crew *crew)
{
    struct websocket *mine = *websocket;

    *websocket = NULL;
    if (mine == NULL)
        return;
    metrics_add(crew_metrics(crew), METRIC_websockets, -1);
    websocket_reader_fini(&mine->reader);
    free(mine);
}

/* ---- the upgrade -----------------------------------------------------------
 */

/* Content-Length: 0 is no body. */
static bool has_body(const struct handoff_request *request)
{
    struct text length = request_header(request, "Content-Length");
    uint64_t bytes = 1;

    if (request_header(request, "Transfer-Encoding").bytes != NULL)
        return true;
    return length.bytes != NULL &&
           !(text_to_number(length, UINT64_MAX, &bytes) && bytes == 0);
}

bool websocket_is_right(struct connection *connection,
                        const struct handoff_request *request,
                        const struct config *config, struct order *order)
{
    struct websocket_handshake handshake = {0};
    const struct websocket_request asked = {
        .is_get = strcmp(request->method, "GET") == 0,
        .is_http_10 = connection_is_http_10(connection),
        .has_body = has_body(request)};
    unsigned http_status = 400;
    const char *why = "";

    for (unsigned i = 0; i < request->header_count; i++)
        websocket_note_header(&handshake, text_of(request->headers[i].name),
                              text_of(request->headers[i].value));
    if (websocket_check(&handshake, &asked, &http_status, &why) != ST_OK) {
        connection_refuse(
            connection, http_status,
            http_status == 426 ? "upgrade_required" : "bad_request", why,
            text_of(http_status == 426 ? websocket_upgrade_headers : ""));
        return false;
    }
    if (!origins_allow_request(config, request)) {
        connection_refuse(connection, 403, "foreign_origin",
                          "pages of that origin may not do this; the setting "
                          "origins lists those that may",
                          text_of(""));
        return false;
    }
    websocket_accept(handshake.key, order->websocket_accept);
    order->has_protocol = handshake.has_protocol;
    return true;
}

void websocket_append_head(struct stream *stream, const struct resume *resume,
                           struct buffer *out)
{
    struct buffer headers;

    buffer_init(&headers);
    buffer_printf(&headers,
                  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: %s\r\n",
                  stream->order->websocket_accept);
    if (stream->order->has_protocol)
        buffer_append_string(
            &headers, "Sec-WebSocket-Protocol: " WEBSOCKET_PROTOCOL "\r\n");
    buffer_append_string(&headers, "Last-Event-ID: ");
    buffer_append_u64(&headers, resume->after);
    buffer_append_string(&headers, "\r\n");
    connection_append_head(stream->connection, out, 101, false,
                           buffer_text(&headers));
    buffer_fini(&headers);
}

/* ---- saying something ------------------------------------------------------
 */

static void push_close(struct stream *stream, unsigned code, const char *reason)
{
    struct buffer out;

    buffer_init(&out);
    websocket_append_close(&out, code, text_of(reason));
    stream_push_raw(stream, buffer_text(&out));
    buffer_fini(&out);
}

/* All is said by both, or the client is not to be understood any more. */
static void end_with(struct stream *stream, unsigned code, const char *reason)
{
    push_close(stream, code, reason);
    connection_finish(stream->connection);
}

static void closing_received(struct connection *connection, struct text bytes)
{
    struct websocket *websocket = websocket_of(stream_of(connection));
    struct websocket_item item;
    const char *why;
    size_t used;

    while (bytes.length > 0) {
        enum status st =
            websocket_read(&websocket->reader, bytes, &used, &item, &why);

        if (st == ST_BAD_INPUT ||
            (st == ST_OK && item.opcode == WEBSOCKET_CLOSE)) {
            connection_finish(connection);
            return;
        }
        bytes.bytes += used;
        bytes.length -= used;
    }
}

static const struct role_calls closing_calls = {
    .name = "closing websocket",
    .received = closing_received,
    .expired = connection_finish,
    .destroy = stream_destroy,
};

void websocket_close(struct stream *stream, enum websocket_close_code code,
                     const char *reason)
{
    struct connection *connection = stream->connection;

    push_close(stream, code, reason);
    stream_leave(stream);
    websocket_discard(&websocket_of(stream)->reader);
    (void)connection_take_role(connection);
    connection_set_role(connection, &closing_calls, stream);
    connection_set_deadline(connection, CLOSING_MS);
}

bool websocket_may_answer(struct stream *stream, size_t bytes)
{
    struct websocket *websocket = websocket_of(stream);
    size_t waiting = connection_waiting_bytes(stream->connection);

    if (websocket->owed > waiting)
        websocket->owed = (uint32_t)waiting;
    if (websocket->owed + bytes + ANSWER_COST > OWED_MAX) {
        websocket_close(stream, WEBSOCKET_CLOSE_POLICY,
                        "too many answers wait to be read");
        return false;
    }
    websocket->owed += (uint32_t)(bytes + ANSWER_COST);
    return true;
}

static bool answer(struct stream *stream, enum websocket_opcode opcode,
                   struct text payload)
{
    struct buffer out;

    if (!websocket_may_answer(stream, payload.length))
        return false;
    buffer_init(&out);
    websocket_append_frame(&out, opcode, payload);
    stream_push_raw(stream, buffer_text(&out));
    buffer_fini(&out);
    return true;
}

bool websocket_complain(struct stream *stream, const char *code,
                        const char *message)
{
    struct buffer out;
    bool is_there;

    buffer_init(&out);
    buffer_append_string(&out, "{\"error\":");
    json_append_string(&out, text_of(code));
    buffer_append_string(&out, ",\"message\":");
    json_append_string(&out, text_of(message));
    buffer_append_char(&out, '}');
    is_there = answer(stream, WEBSOCKET_TEXT, buffer_text(&out));
    buffer_fini(&out);
    return is_there;
}

/* ---- what the client says --------------------------------------------------
 */

/* A pattern from a position looks at every channel that there is; the newest so
 * many are counted back, one by one. */
static uint32_t cost_of(const struct client_message *message)
{
    uint32_t cost = 1;

    for (unsigned i = 0; i < message->selector_count; i++)
        if (message->position.kind == POSITION_LAST ||
            (message->position.kind != POSITION_LATEST &&
             selector_is_pattern(message->selectors[i])))
            cost += WALK_COST;
    return cost;
}

/* What changes cost is a debt that time pays. One change alone may cost more than
 * a second pays: the next then waits for longer. */
static bool may_change(struct stream *stream,
                       const struct client_message *message)
{
    struct websocket *websocket = websocket_of(stream);
    int64_t now_ms = crew_now_ms(connection_crew(stream->connection)),
            paid = (now_ms - websocket->paid_ms) * CHANGES_MAX / 1000;

    websocket->debt -=
        (uint32_t)(paid < websocket->debt ? paid : websocket->debt);
    websocket->paid_ms = now_ms;
    if (websocket->debt >= CHANGES_MAX)
        return false;
    websocket->debt +=
        seeded_bug("websocket-patterns-for-nothing") ? 1 : cost_of(message);
    return true;
}

static bool acknowledge(struct stream *stream, uint64_t id)
{
    enum status st = session_ack(stream, id);

    if (st == ST_OK)
        return true;
    return websocket_complain(stream, "bad_request",
                              st == ST_BAD_INPUT
                                  ? "the id is newer than the newest event"
                                  : "there is no session here to acknowledge");
}

/* All of what it asks for, or nothing. */
static bool may_subscribe(const struct stream *stream,
                          const struct client_message *message)
{
    if (seeded_bug("websocket-subscribe-unchecked"))
        return true;
    for (unsigned i = 0; i < message->selector_count; i++)
        if (!access_may(stream->connection, RIGHT_SUBSCRIBE,
                        message->selectors[i]))
            return false;
    return true;
}

static bool obey(struct stream *stream, const struct client_message *message)
{
    if (message->action == CLIENT_ACKS)
        return acknowledge(stream, message->id);
    if (!may_change(stream, message)) {
        websocket_close(stream, WEBSOCKET_CLOSE_POLICY,
                        "too many changes of the subscription");
        return false;
    }
    if (message->action != CLIENT_SUBSCRIBES)
        return resubscribe_remove(stream, message);
    if (!may_subscribe(stream, message))
        return websocket_complain(stream, "not_found",
                                  access_why_not(stream->connection));
    return resubscribe_add(stream, message);
}

static bool take_text(struct stream *stream, struct text text)
{
    struct crew *crew = connection_crew(stream->connection);
    struct client_message message;
    const char *why = "malformed message";
    bool is_there;

    stream_count(stream, METRIC_websocket_messages, 1);
    if (client_message_parse(text, (unsigned)crew_config(crew)->selectors_max,
                             &message, &why) != ST_OK)
        return websocket_complain(stream, "bad_request", why);
    is_there = obey(stream, &message);
    client_message_fini(&message);
    return is_there;
}

static bool take(struct stream *stream, const struct websocket_item *item)
{
    switch (item->opcode) {
    case WEBSOCKET_TEXT:
        return take_text(stream, item->payload);
    case WEBSOCKET_PING:
        return answer(stream, WEBSOCKET_PONG, item->payload);
    case WEBSOCKET_CLOSE:
        end_with(stream, item->code, "");
        return false;
    case WEBSOCKET_PONG:
    case WEBSOCKET_CONTINUATION:
    case WEBSOCKET_BINARY:
        break;
    }
    return true;
}

/* Always false: the stream is gone. */
static bool refuse(struct stream *stream, const struct websocket_item *item,
                   const char *why)
{
    stream_count(stream, METRIC_websocket_violations, 1);
    if (item->goes_on)
        websocket_close(stream, (enum websocket_close_code)item->code, why);
    else
        end_with(stream, item->code, why);
    return false;
}

static void received(struct connection *connection, struct text bytes)
{
    struct stream *stream = stream_of(connection);
    struct websocket *websocket = websocket_of(stream);
    bool is_there = true;

    websocket->is_asked = false;
    while (is_there && bytes.length > 0) {
        struct websocket_item item;
        const char *why = "";
        size_t used;
        enum status st =
            websocket_read(&websocket->reader, bytes, &used, &item, &why);

        bytes.bytes += used;
        bytes.length -= used;
        if (st == ST_OK)
            is_there = take(stream, &item);
        else if (st == ST_BAD_INPUT)
            is_there = refuse(stream, &item, why);
    }
    if (!is_there && connection_state(connection) == CONNECTION_STREAMING)
        closing_received(connection, bytes); /* its close may be there, too */
}

/* ---- silence ---------------------------------------------------------------
 */

static void ping(struct stream *stream)
{
    struct websocket *websocket = websocket_of(stream);
    struct buffer out;

    buffer_init(&out);
    websocket_append_frame(&out, WEBSOCKET_PING, text_of(""));
    stream_push_raw(stream, buffer_text(&out));
    if (!websocket->is_asked)
        websocket->asked_ms = crew_now_ms(connection_crew(stream->connection));
    websocket->is_asked = true;
    if (stream->has_message_keepalive) {
        out.length = 0;
        stream_append_keepalive(stream, &out);
        stream_say(stream, buffer_text(&out));
    }
    buffer_fini(&out);
    stream_count(stream, METRIC_keepalives, 1);
}

static void expired(struct connection *connection)
{
    struct stream *stream = stream_of(connection);
    const struct websocket *websocket = websocket_of(stream);
    struct crew *crew = connection_crew(connection);
    int64_t patience_ms =
        crew_config(crew)->keepalive_ms * UNANSWERED_INTERVALS;

    if (websocket->is_asked &&
        crew_now_ms(crew) - websocket->asked_ms >= patience_ms) {
        stream_count(stream, METRIC_deadlines_missed, 1);
        websocket_close(stream, WEBSOCKET_CLOSE_POLICY,
                        "nothing came after a ping");
        return;
    }
    if (stream_is_over(stream)) {
        stream_end_access(stream, METRIC_streams_expired);
        return;
    }
    if (ahead_expired(stream)) {
        stream_arm_keepalive(stream);
        return;
    }
    stream_arm_keepalive(stream);
    if (connection_waiting_bytes(connection) == 0)
        ping(stream); /* else bytes are on their way: not silent */
}

static void farewell(struct connection *connection)
{
    websocket_close(stream_of(connection), WEBSOCKET_CLOSE_GOING_AWAY,
                    "the server is stopping");
}

const struct role_calls websocket_calls = {
    .name = "websocket",
    .arrived = stream_arrived,
    .received = received,
    .replay = stream_replay,
    .drained = stream_drained,
    .expired = expired,
    .announced = stream_announced,
    .revoked = stream_revoked,
    .farewell = farewell,
    .destroy = stream_destroy,
};
