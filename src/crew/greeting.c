/* greeting.c -- the PROXY header that a trusted proxy says first, before TLS and
 * HTTP.
 *
 * No byte behind the header may be taken from the socket: it is the client's,
 * perhaps the first of a TLS handshake. So bytes are looked at before they are
 * taken: a header that is not whole yet is all header, and is taken; of one that
 * ends, no more than up to its end. A header must be there within head_ms and
 * is at most 4 KiB.
 */
#include "inside.h"

#include <tidings/check.h>
#include <tidings/platform.h>
#include <tidings/proxy_protocol.h>

void greeting_begin(struct connection *connection)
{
    connection_set_deadline(
        connection, standing_patience_ms(
                        connection, connection->crew->options.config->head_ms));
    connection_poll(connection);
}

static void refuse(struct connection *connection)
{
    metrics_add(&connection->crew->metrics, METRIC_proxy_headers_refused, 1);
    connection_close(connection);
}

void greeting_timeout(struct connection *connection)
{
    metrics_add(&connection->crew->metrics, METRIC_deadlines_missed, 1);
    refuse(connection);
}

static void finish(struct connection *connection,
                   const struct proxy_header *header)
{
    buffer_fini(&connection->input);
    if (header->has_address && !standing_introduce(connection, &header->source))
        connection_close(connection);
    else
        connection_meet(connection);
}

/* Takes so many bytes that were looked at. */
static bool take(struct connection *connection, size_t bytes)
{
    struct crew *crew = connection->crew;
    size_t taken = 0;

    if (platform_recv(connection->link.descriptor, crew->received, bytes,
                      &taken) != ST_OK ||
        taken != bytes)
        return false;
    buffer_append(&connection->input, crew->received, bytes);
    return true;
}

void greeting_readable(struct connection *connection)
{
    struct crew *crew = connection->crew;
    const size_t before = connection->input.length;
    struct proxy_header header;
    struct buffer both;
    size_t seen = 0;
    enum status st = platform_peek(connection->link.descriptor, crew->received,
                                   PROXY_HEADER_MAX_BYTES, &seen);

    if (st == ST_EMPTY)
        return;
    if (st != ST_OK) {
        connection_close(connection);
        return;
    }
    buffer_init(&both);
    buffer_append_text(&both, buffer_text(&connection->input));
    buffer_append(&both, crew->received, seen);
    st = proxy_header_parse(buffer_text(&both), &header);
    buffer_fini(&both);
    if (st == ST_BAD_INPUT ||
        !take(connection, st == ST_OK ? header.bytes - before : seen))
        refuse(connection);
    else if (st == ST_OK)
        finish(connection, &header);
}
