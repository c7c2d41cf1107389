/* lobby.c -- where connections wait for a whole request, at no cost to others.
 *
 * Bytes are read into the crew's one buffer. If they hold a whole head (the
 * usual case) it is checked, lent to civetweb's parser and router, and the
 * handler decides; only what is left over is copied to the connection. The
 * check is ours because civetweb 1.15 and 1.16 accept heads that let a second
 * request be smuggled (docs/architecture.md).
 *
 * Requests wait their turn: while one is being answered, the bytes of the next
 * gather in the connection's input, and when that is full the connection is not
 * read until the answer is out.
 */
#include "inside.h"

#include <tidings/check.h>

#include <string.h>

static void consume(struct crew *crew, size_t bytes)
{
    CHECK(bytes <= crew->unread.length);
    crew->unread.bytes += bytes;
    crew->unread.length -= bytes;
}

/* ---- one head --------------------------------------------------------------
 */

static void refuse_head(struct connection *connection, unsigned status,
                        const char *why)
{
    struct crew *crew = connection->crew;

    metrics_add(&crew->metrics, METRIC_heads_refused, 1);
    consume(crew, crew->unread.length);
    connection->keeps_alive = false;
    connection->has_body_left = true; /* who knows what still comes */
    connection_refuse(
        connection, status, "bad_request", why,
        text_of(status == 405
                    ? "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n"
                    : ""));
}

static void on_routed(void *arg, const struct handoff_request *request)
{
    struct connection *connection = arg;
    struct crew *crew = connection->crew;

    crew->options.handler(crew->options.handler_arg, connection, request,
                          &crew->head);
}

/* The peer's addresses as civetweb wants them. */
static void describe_socket(const struct connection *connection,
                            struct handoff_socket *socket)
{
    memset(socket, 0, sizeof *socket);
    socket->descriptor = connection->link.descriptor;
    address_to_socket(&connection->standing.client, &socket->remote);
    socket->local.ss_family = socket->remote.ss_family;
}

/* The same head with spaces for tabs, and none before a line's end. A CR is
 * always one of CR LF: the head was checked. */
static struct text tidied(struct text head, char *room)
{
    size_t length = 0;

    for (size_t i = 0; i < head.length; i++) {
        while (head.bytes[i] == '\r' && length > 0 && room[length - 1] == ' ')
            length--;
        room[length++] = head.bytes[i] == '\t' ? ' ' : head.bytes[i];
    }
    return (struct text){room, length};
}

static void lend(struct connection *connection, struct text head)
{
    struct crew *crew = connection->crew;
    struct handoff_socket socket;
    char tidy[HEAD_MAX_BYTES];
    enum status st;

    if (crew->head.is_untidy) {
        CHECK(head.length <= sizeof tidy);
        head = tidied(head, tidy);
    }
    describe_socket(connection, &socket);
    crew->refusal.length = 0;
    st = handoff_lend(crew->lender, head, &socket, on_routed, connection,
                      &crew->refusal);
    if (st != ST_OK && connection->state == CONNECTION_LOBBY)
        refuse_head(connection, 400, "the request cannot be routed");
    CHECK(connection->state != CONNECTION_LOBBY);
}

/* Of a head that was not routed, or not yet. */
static bool asks_for_head(struct text head)
{
    while (head.length > 0 &&
           (head.bytes[0] == '\r' || head.bytes[0] == '\n')) {
        head.bytes++;
        head.length--;
    }
    return head.length > 5 && memcmp(head.bytes, "HEAD ", 5) == 0;
}

/* clang-format off */
/*    what    status  counted as                    sentence                                            */
#define HEAD_LIMITS(L)                                                                                   \
    L(URL,    414,    METRIC_over_url_max_bytes,    "the request's path and query are over the limit")   \
    L(BYTES,  431,    METRIC_over_head_max_bytes,   "the request's head is over the limit")              \
    L(COUNT,  431,    METRIC_over_headers_max,      "the request has more headers than it may have")
/* clang-format on */

enum head_limit {
#define L(name, status, metric, sentence) HEAD_##name,
    HEAD_LIMITS(L)
#undef L
        HEAD_IS_RIGHT
};

static const struct {
    unsigned status;
    enum metric metric;
    const char *sentence;
} head_limits[] = {
#define L(name, status, metric, sentence) {status, metric, sentence},
    HEAD_LIMITS(L)
#undef L
};

/* What the settings forbid beyond RFC 9112. A head that is not whole yet has
 * only its length. */
static enum head_limit head_limit(const struct crew *crew, bool is_whole,
                                  size_t bytes)
{
    const struct config *config = crew->options.config;

    if (is_whole && crew->head.target_bytes > (size_t)config->url_max_bytes)
        return HEAD_URL;
    /* One that has its end may be as long as that, another not. */
    if (bytes + !is_whole > (size_t)config->head_max_bytes)
        return HEAD_BYTES;
    if (is_whole && crew->head.header_count > (unsigned)config->headers_max)
        return HEAD_COUNT;
    return HEAD_IS_RIGHT;
}

static void refuse_over(struct connection *connection, enum head_limit over)
{
    metrics_add(&connection->crew->metrics, head_limits[over].metric, 1);
    refuse_head(connection, head_limits[over].status,
                head_limits[over].sentence);
}

/* The check knows the largest that these two limits can be. */
static void refuse_malformed(struct connection *connection, unsigned status,
                             const char *why)
{
    for (unsigned i = 0; i < HEAD_IS_RIGHT; i++)
        if (head_limits[i].status == status && i != HEAD_BYTES)
            metrics_add(&connection->crew->metrics, head_limits[i].metric, 1);
    refuse_head(connection, status, why);
}

/* TLS on a port without it: no head begins so. */
static bool is_handshake(struct text head)
{
    return head.length > 0 && head.bytes[0] == 0x16;
}

/* False: there is no whole head yet. */
static bool read_head(struct connection *connection)
{
    struct crew *crew = connection->crew;
    struct text head = crew->unread;
    unsigned http_status = 400;
    const char *why = "malformed request";
    enum status st = http_head_check(head, &crew->head, &http_status, &why);

    enum head_limit over;

    if (is_handshake(head)) {
        refuse_head(connection, 400,
                    "this port speaks HTTP without TLS: ask with http://");
        return true;
    }
    if (st == ST_EMPTY &&
        head.length < (size_t)crew->options.config->head_max_bytes) {
        if (!connection->has_begun && connection->standing.limit == LIMIT_NONE)
            connection_set_deadline(connection, crew->options.config->head_ms);
        connection->has_begun = true;
        return false;
    }
    connection->has_begun = false;
    connection->is_head = asks_for_head(head); /* refusals have no body then */
    if (st == ST_BAD_INPUT) {
        refuse_malformed(connection, http_status, why);
        return true;
    }
    over = head_limit(crew, st == ST_OK,
                      st == ST_OK ? crew->head.bytes : head.length);
    if (over != HEAD_IS_RIGHT) {
        refuse_over(connection, over);
        return true;
    }
    head.length = crew->head.bytes;
    consume(crew, head.length);
    metrics_add(&crew->metrics, METRIC_requests, 1);
    connection->is_http_10 = crew->head.is_http_10;
    connection->keeps_alive = crew->head.keeps_alive;
    connection->has_body_left = crew->head.body != HTTP_BODY_NONE;
    if (crew->is_draining || connection->standing.limit != LIMIT_NONE)
        connection->keeps_alive = false; /* the handler refuses, or the place
                                            is wanted */
    lend(connection, head);
    return true;
}

/* ---- bytes ------------------------------------------------------------------
 */

static bool is_listening(const struct connection *connection)
{
    return connection->state == CONNECTION_STREAMING &&
           connection->calls->received != NULL;
}

/* What came behind the head of a request that became a stream. */
void lobby_hand_on(struct connection *connection)
{
    struct buffer early = connection->input;

    if (early.length == 0 || !is_listening(connection))
        return;
    buffer_init(&connection->input);
    connection->calls->received(connection, buffer_text(&early));
    buffer_fini(&early);
}

/* Lets the connection take from crew->unread what is its turn. */
static void feed(struct connection *connection)
{
    struct crew *crew = connection->crew;

    while (crew->unread.length > 0) {
        if (connection->state == CONNECTION_LOBBY) {
            if (!read_head(connection))
                return;
        } else if (connection->state == CONNECTION_BODY) {
            body_feed(connection);
        } else {
            return;
        }
    }
}

static void feed_input(struct connection *connection)
{
    struct crew *crew = connection->crew;

    if (connection->state == CONNECTION_LOBBY)
        list_remove(
            &connection->work); /* its turn has come, in whichever way */
    crew->unread = buffer_text(&connection->input);
    feed(connection);
    buffer_consume(&connection->input,
                   connection->input.length - crew->unread.length);
    if (connection->input.length == 0)
        buffer_fini(&connection->input);
    lobby_hand_on(connection);
    connection_poll(connection);
}

static void feed_received(struct connection *connection, size_t received)
{
    struct crew *crew = connection->crew;

    if (connection->input.length > 0) {
        buffer_append(&connection->input, crew->received, received);
        feed_input(connection);
        return;
    }
    crew->unread = (struct text){crew->received, received};
    feed(connection);
    buffer_append_text(&connection->input, crew->unread);
    lobby_hand_on(connection);
    connection_poll(connection);
}

/* The client ended its side. What it asked for before is still answered. */
static void on_end(struct connection *connection)
{
    connection->peer_ended = true;
    if (connection->state == CONNECTION_COMMITTING ||
        connection->state == CONNECTION_ANSWERING)
        connection_poll(connection);
    else
        connection_close(connection);
}

static void take_received(struct connection *connection, size_t received)
{
    struct text bytes = {connection->crew->received, received};

    if (is_listening(connection))
        connection->calls->received(connection, bytes);
    else if (connection->state != CONNECTION_STREAMING &&
             connection->state != CONNECTION_CLOSING)
        feed_received(connection, received);
}

void lobby_readable(struct connection *connection)
{
    struct crew *crew = connection->crew;
    size_t received = 0;
    enum status st = link_read(&connection->link, crew->received,
                               CREW_RECEIVE_BYTES, &received);

    if (st == ST_EMPTY) {
        connection_poll(connection);
        return;
    }
    if (st == ST_OK)
        take_received(connection, received);
    if (st != ST_OK || link_has_ended(&connection->link))
        on_end(connection);
}

/* A fresh connection. */
void lobby_begin(struct connection *connection)
{
    connection_become(connection, CONNECTION_LOBBY);
    connection_set_deadline(
        connection, standing_patience_ms(
                        connection, connection->crew->options.config->head_ms));
    connection_poll(connection);
}

/* The answer is out: back to waiting for a head. */
void lobby_enter(struct connection *connection)
{
    struct crew *crew = connection->crew;

    connection_become(connection, CONNECTION_LOBBY);
    standing_end_request(connection);
    connection->has_begun = false;
    connection->is_head = false;
    connection->lines = NULL;
    connection_set_grant(connection, &(struct grant *){NULL}, CREDENTIAL_NONE);
    list_remove(&connection->work); /* a slice that the old role waited for */
    if (connection->input.length > 0) {
        list_append(&crew->to_resume, &connection->work);
        deadline_clear(&connection->deadline);
    } else {
        connection_set_deadline(
            connection, crew->is_draining ? 1 : crew->options.config->idle_ms);
    }
    connection_poll(connection);
}

/* The next request's bytes were already there. */
void lobby_resume(struct connection *connection)
{
    if (connection->state == CONNECTION_LOBBY)
        feed_input(connection);
}

void lobby_timeout(struct connection *connection)
{
    struct crew *crew = connection->crew;

    if (connection->state == CONNECTION_LOBBY && !connection->has_begun) {
        connection_close(connection); /* idle: nothing is owed */
        return;
    }
    metrics_add(&crew->metrics, METRIC_deadlines_missed, 1);
    connection->keeps_alive = false;
    connection->has_body_left = true;
    connection_refuse(connection, 408, "timeout",
                      "the request took too long to arrive", text_of(""));
}
