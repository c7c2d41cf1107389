/* handshake.c -- from a fresh socket on a TLS port to the lobby.
 *
 * A client that is silent, slow or one of a flood must cost others nothing:
 *
 *     nothing is allocated for TLS before the first byte is there;
 *     all that handshakes ask for in a turn is done in one part of it, in the
 *     order in which it came, and not for longer than HANDSHAKE_TURN_NS: a
 *     signature takes a fraction of a millisecond, and thousands may wait;
 *     each has a deadline for the whole (handshake_ms);
 *     a crew thread has at most its share of handshakes_max under way. One more
 *     takes the place of the oldest: a good client needs a round trip or two,
 *     so the oldest is the one that will come to nothing. To refuse the newest
 *     instead would let whoever stalls enough of them lock everybody out.
 *
 * A connection waits in two lists meanwhile: in handshakes, by age (by the node
 * that later says "to be flushed"), and in to_shake when it can go on.
 *
 * The first byte tells what the client speaks. A letter is HTTP without TLS:
 * that gets an answer that a person understands.
 */
#include "inside.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/logger.h>
#include <tidings/platform.h>
#include <tidings/tls.h>

#include <string.h>

enum { HANDSHAKE_TURN_NS = 4000000, TLS_HANDSHAKE_RECORD = 0x16 };

/* ---- how many ---------------------------------------------------------------- */

static unsigned share_of(const struct crew *crew)
{
    const int64_t all = crew->options.config->handshakes_max;
    const int64_t share = all / crew->options.count;

    return share < 1 ? 1 : (unsigned)share;
}

static void drop_oldest(struct crew *crew)
{
    struct connection *oldest =
        CONTAINER_OF(crew->handshakes.next, struct connection, turn);

    metrics_add(&crew->metrics, METRIC_tls_handshakes_dropped, 1);
    connection_close(oldest);
}

void handshake_begin(struct connection *connection)
{
    struct crew *crew = connection->crew;

    connection_become(connection, CONNECTION_HANDSHAKING);
    list_append(&crew->handshakes, &connection->turn);
    metrics_add(&crew->metrics, METRIC_tls_handshaking, 1);
    if (!seeded_bug("handshake-forever"))
        connection_set_deadline(
            connection, standing_patience_ms(
                            connection, crew->options.config->handshake_ms));
    if (++crew->handshaking > share_of(crew) &&
        !seeded_bug("handshakes-unbounded"))
        drop_oldest(crew);
    connection_poll(connection);
}

/* Before it leaves the state, in whichever way. */
void handshake_end(struct connection *connection)
{
    struct crew *crew = connection->crew;

    CHECK(connection->state == CONNECTION_HANDSHAKING && crew->handshaking > 0);
    list_remove(&connection->turn);
    list_remove(&connection->work);
    metrics_add(&crew->metrics, METRIC_tls_handshaking, -1);
    crew->handshaking--;
}

/* ---- the steps ------------------------------------------------------------------- */

static void fail(struct connection *connection, const char *why)
{
    LOG_LINE(LOG_DEBUG, "crew", "a TLS handshake failed", LOG_STR("why", why));
    metrics_add(&connection->crew->metrics, METRIC_tls_handshakes_failed, 1);
    connection_close(connection);
}

static void answer_plain(struct connection *connection)
{
    metrics_add(&connection->crew->metrics, METRIC_tls_handshakes_failed, 1);
    handshake_end(connection);
    connection->keeps_alive = false;
    connection->has_body_left = true; /* its request */
    connection_refuse(connection, 400, "tls_only",
                      "this port speaks HTTPS: ask again with https://",
                      text_of(""));
}

/* True: it speaks TLS, or may yet. */
static bool begins_well(struct connection *connection)
{
    unsigned char first = 0;
    size_t seen = 0;
    enum status st =
        platform_peek(connection->link.descriptor, &first, sizeof first, &seen);

    if (st == ST_EMPTY)
        return false;
    if (st == ST_OK && first == TLS_HANDSHAKE_RECORD) {
        connection->link.tls = tls_link_create(connection->crew->options.tls,
                                               connection->link.descriptor);
        return true;
    }
    if (st == ST_OK && first >= 'A' && first <= 'Z')
        answer_plain(connection);
    else
        fail(connection, st == ST_OK ? "the first byte is not of TLS"
                                     : "the client went away");
    return false;
}

static void succeed(struct connection *connection)
{
    struct crew *crew = connection->crew;

    metrics_add(&crew->metrics, METRIC_tls_handshakes, 1);
    if (tls_link_was_resumed(connection->link.tls))
        metrics_add(&crew->metrics, METRIC_tls_resumed, 1);
    handshake_end(connection);
    lobby_begin(connection);
}

static void step(struct connection *connection)
{
    const char *why = "";
    enum status st;

    if (connection->link.tls == NULL && !begins_well(connection)) {
        connection_poll(connection);
        return;
    }
    st = tls_link_handshake(connection->link.tls, &why);
    if (st == ST_OK) {
        succeed(connection);
    } else if (st == ST_EMPTY || st == ST_FULL) {
        connection->link.read_wants_room = st == ST_FULL;
        connection_poll(connection);
    } else {
        fail(connection, why);
    }
}

/* ---- their turn -------------------------------------------------------------------- */

void handshake_ready(struct connection *connection)
{
    if (list_is_empty(&connection->work))
        list_append(&connection->crew->to_shake, &connection->work);
    connection_poll(connection); /* not again before its turn */
}

void handshake_some(struct crew *crew)
{
    uint64_t end_ns = uv_hrtime() + HANDSHAKE_TURN_NS;

    while (!list_is_empty(&crew->to_shake)) {
        struct list_node *node = crew->to_shake.next;

        list_remove(node);
        step(CONTAINER_OF(node, struct connection, work));
        if (uv_hrtime() >= end_ns)
            return;
    }
}

void handshake_timeout(struct connection *connection)
{
    metrics_add(&connection->crew->metrics, METRIC_deadlines_missed, 1);
    fail(connection, "it took too long");
}
