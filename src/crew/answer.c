/* answer.c -- complete answers: head, body, and whether the client may go on.
 *
 * An answer is built in the crew's scratch and copied once into frames; one
 * that many clients share (a long-poll's) comes as frames already.
 */
#include <tidings/connection.h>

#include "inside.h"

#include <tidings/check.h>

#include <string.h>
#include <time.h>

/* clang-format off */
#define HTTP_REASONS(R)                                                       \
    R(101, "Switching Protocols")                                             \
    R(200, "OK") R(201, "Created") R(204, "No Content")                       \
    R(304, "Not Modified") R(308, "Permanent Redirect")                       \
    R(400, "Bad Request") R(401, "Unauthorized") R(403, "Forbidden")          \
    R(404, "Not Found") R(405, "Method Not Allowed")                          \
    R(408, "Request Timeout") R(409, "Conflict") R(410, "Gone")               \
    R(411, "Length Required") R(413, "Content Too Large")                     \
    R(414, "URI Too Long") R(415, "Unsupported Media Type")                   \
    R(417, "Expectation Failed") R(426, "Upgrade Required")                   \
    R(429, "Too Many Requests")                                               \
    R(431, "Request Header Fields Too Large")                                 \
    R(500, "Internal Server Error") R(501, "Not Implemented")                 \
    R(503, "Service Unavailable") R(505, "HTTP Version Not Supported")        \
    R(507, "Insufficient Storage")
/* clang-format on */

static const char *reason_of(unsigned status)
{
    switch (status) {
#define R(number, text)                                                        \
    case number:                                                               \
        return text;
        HTTP_REASONS(R)
#undef R
    }
    return "Other";
}

/* RFC 9110 6.6.1; made once a second. */
static const char *date_now(struct crew *crew)
{
    time_t now = time(NULL);
    struct tm parts;

    if (crew->date_ms != now && gmtime_r(&now, &parts) != NULL) {
        crew->date_ms = now;
        CHECK(strftime(crew->date, sizeof crew->date,
                       "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
    }
    return crew->date;
}

/* With a list of origins an answer depends on who asks: caches are told. */
static void append_origin_lines(const struct connection *connection,
                                struct buffer *out)
{
    if (connection->crew->options.config->origins[0] != '\0')
        buffer_append_string(out, "Vary: Origin\r\n");
    if (connection->lines != NULL)
        buffer_append_string(out, connection->lines);
}

void connection_append_head(struct connection *connection, struct buffer *out,
                            unsigned status, bool is_last, struct text headers)
{
    buffer_append_string(out, "HTTP/1.1 ");
    buffer_append_u64(out, status);
    buffer_append_char(out, ' ');
    buffer_append_string(out, reason_of(status));
    buffer_append_string(out, "\r\nDate: ");
    buffer_append_string(out, date_now(connection->crew));
    buffer_append_string(out, "\r\n");
    if (is_last)
        buffer_append_string(out, "Connection: close\r\n");
    else if (connection->is_http_10)
        buffer_append_string(out, "Connection: keep-alive\r\n");
    append_origin_lines(connection, out);
    buffer_append_text(out, headers);
    buffer_append_string(out, "\r\n");
}

void connection_answer_frames(struct connection *connection,
                              struct frames *frames)
{
    connection_become(connection, CONNECTION_ANSWERING);
    if (connection->has_body_left)
        connection->keeps_alive = false;
    outbox_push(&connection->outbox, frames, 0, frames->length);
    connection_touch(connection);
    deadline_set(&connection->crew->deadlines, &connection->deadline,
                 standing_patience_ms(
                     connection, connection->crew->options.config->stall_ms),
                 connection->crew->now_ms);
}

void connection_answer(struct connection *connection,
                       const struct answer *answer)
{
    struct buffer *out = &connection->crew->scratch;
    struct buffer headers;
    struct frames *frames;

    if (answer->is_last || connection->has_body_left)
        connection->keeps_alive = false;
    buffer_init(&headers);
    if (answer->type != NULL)
        buffer_printf(&headers, "Content-Type: %s\r\n", answer->type);
    if (answer->status != 304) { /* it would speak of the body left out */
        buffer_append_string(&headers, "Content-Length: ");
        buffer_append_u64(&headers, answer->body.length);
        buffer_append_string(&headers, "\r\n");
    }
    buffer_append_text(&headers, answer->headers);

    out->length = 0;
    connection_append_head(connection, out, answer->status,
                           !connection->keeps_alive, buffer_text(&headers));
    if (!connection->is_head)
        buffer_append_text(out, answer->body);
    frames = frames_from_text(buffer_text(out));
    connection_answer_frames(connection, frames);
    frames_unref(&frames);
    buffer_fini(&headers);
}

void connection_refuse(struct connection *connection, unsigned status,
                       const char *code, const char *message,
                       struct text headers)
{
    struct buffer body, all;

    buffer_init(&body);
    buffer_append_string(&body, "{\"error\":");
    json_append_string(&body, text_of(code));
    buffer_append_string(&body, ",\"message\":");
    json_append_string(&body, text_of(message));
    buffer_append_string(&body, "}\n");
    buffer_init(&all);
    buffer_append_string(&all, "X-Content-Type-Options: nosniff\r\n");
    buffer_append_text(&all, headers);
    connection_answer(connection, &(struct answer){
                                      .status = status,
                                      .type = "application/problem+json",
                                      .headers = buffer_text(&all),
                                      .body = buffer_text(&body),
                                  });
    buffer_fini(&all);
    buffer_fini(&body);
}
