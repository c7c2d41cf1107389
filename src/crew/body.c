/* body.c -- the body of a request, gathered until it is whole.
 *
 * A body that came together with its head is lent as it lies in the crew's
 * buffer. Otherwise it gathers in a buffer of its own, never larger than what
 * has really arrived nor than the limit.
 */
#include "inside.h"

#include <tidings/check.h>

#include <stdlib.h>

struct body {
    bool is_chunked;
    uint64_t left; /* by Content-Length */
    struct chunked chunked;
    size_t limit;
    struct buffer bytes;
};

void body_destroy(struct connection *connection)
{
    if (connection->body == NULL)
        return;
    buffer_fini(&connection->body->bytes);
    free(connection->body);
    connection->body = NULL;
}

static void refuse_size(struct connection *connection)
{
    metrics_add(&connection->crew->metrics, METRIC_over_body_max_bytes, 1);
    connection->keeps_alive = false;
    connection->has_body_left = true;
    connection_refuse(connection, 413, "too_big",
                      "the request's body is over the limit", text_of(""));
}

static void give(struct connection *connection, struct text bytes)
{
    connection->has_body_left = false;
    connection->calls->body(connection, bytes);
    CHECK(connection->state != CONNECTION_LOBBY &&
          connection->state != CONNECTION_BODY);
}

static void finish(struct connection *connection)
{
    struct buffer bytes = connection->body->bytes;

    buffer_init(&connection->body->bytes);
    body_destroy(connection);
    give(connection, buffer_text(&bytes));
    buffer_fini(&bytes);
}

static void take_length(struct connection *connection)
{
    struct text *unread = &connection->crew->unread;
    struct body *body = connection->body;
    size_t take =
        unread->length < body->left ? unread->length : (size_t)body->left;

    buffer_append(&body->bytes, unread->bytes, take);
    unread->bytes += take;
    unread->length -= take;
    body->left -= take;
    if (body->left == 0)
        finish(connection);
}

static void take_chunks(struct connection *connection)
{
    struct text *unread = &connection->crew->unread;
    struct body *body = connection->body;
    size_t used = 0;
    enum status st = chunked_decode(&body->chunked, *unread, body->limit,
                                    &body->bytes, &used);

    unread->bytes += used;
    unread->length -= used;
    if (st == ST_EMPTY)
        return;
    if (st == ST_OK) {
        finish(connection);
        return;
    }
    unread->length = 0;
    if (st == ST_TOO_BIG) {
        refuse_size(connection);
        return;
    }
    connection->keeps_alive = false;
    connection_refuse(connection, 400, "bad_request",
                      "the chunked body is malformed", text_of(""));
}

void body_feed(struct connection *connection)
{
    if (connection->body->is_chunked)
        take_chunks(connection);
    else
        take_length(connection);
}

static void say_continue(struct connection *connection)
{
    struct frames *frames =
        frames_from_text(text_of("HTTP/1.1 100 Continue\r\n\r\n"));

    connection_push(connection, frames, 0, frames->length);
    frames_unref(&frames);
}

/* Is it all there, in one piece, behind the head? Then no copy is needed. */
static bool give_at_once(struct connection *connection)
{
    struct crew *crew = connection->crew;
    struct text bytes = crew->unread;

    if (crew->head.body == HTTP_BODY_NONE) {
        give(connection, text_of(""));
        return true;
    }
    if (crew->head.body != HTTP_BODY_LENGTH ||
        bytes.length < crew->head.content_length)
        return false;
    bytes.length = (size_t)crew->head.content_length;
    crew->unread.bytes += bytes.length;
    crew->unread.length -= bytes.length;
    give(connection, bytes);
    return true;
}

void connection_read_body(struct connection *connection, size_t limit)
{
    struct crew *crew = connection->crew;
    struct body *body;

    if (crew->head.body == HTTP_BODY_LENGTH &&
        crew->head.content_length > limit) {
        refuse_size(connection);
        return;
    }
    if (give_at_once(connection))
        return;
    body = must_calloc(1, sizeof *body);
    body->is_chunked = crew->head.body == HTTP_BODY_CHUNKED;
    body->left = crew->head.content_length;
    body->limit = limit;
    buffer_init(&body->bytes);
    connection->body = body;
    connection_become(connection, CONNECTION_BODY);
    connection_set_deadline(
        connection,
        standing_patience_ms(connection, crew->options.config->body_ms));
    if (crew->head.expects_continue && crew->unread.length == 0)
        say_continue(connection);
}
