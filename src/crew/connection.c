/* connection.c -- a socket as a state machine.
 *
 * The crew owns descriptor and handle for life. One function assigns the state;
 * what is legal stands in the table of connection.h. Nothing is written where
 * it is decided: bytes go to the outbox, the connection is *touched*, and the
 * end of the turn writes each touched connection once.
 *
 * Closing. If the client may still be sending (a refused head, a body that
 * nobody wanted), closing at once would reset the connection and take the
 * answer with it. Then our side is shut down and the rest is read and dropped,
 * for at most LINGER_MS.
 */
#include <tidings/connection.h>

#include "inside.h"

#include <tidings/check.h>
#include <tidings/platform.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LINGER_MS = 2000, UNSENT_BYTES = 131072 };

static const unsigned legal_moves[] = {
#define S(name, moves, meaning) [CONNECTION_##name] = (moves),
    CONNECTION_STATES(S)
#undef S
};

void connection_become(struct connection *connection,
                       enum connection_state state)
{
    CHECK((legal_moves[connection->state] & BIT(state)) != 0);
    connection->state = (uint8_t)state;
}

/* ---- polling
 * ----------------------------------------------------------------- */

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct connection *connection =
        CONTAINER_OF(handle, struct connection, poll);

    connection->crew->now_ms = (int64_t)uv_now(&connection->crew->loop);
    if (status < 0) {
        connection_close(connection);
        return;
    }
    if (connection->state == CONNECTION_GREETING) {
        greeting_readable(connection);
        return;
    }
    if (connection->state == CONNECTION_HANDSHAKING) {
        handshake_ready(connection);
        return;
    }
    if ((events & link_events(&connection->link, true, false)) != 0)
        lobby_readable(connection);
    if ((events & link_events(&connection->link, false, true)) != 0 &&
        connection->state != CONNECTION_GONE &&
        connection->state != CONNECTION_MOVING)
        connection_flush(connection);
}

/* Full: not read until the requests that are there have had their turn. A
 * stream drops what its client says, and must see it end. */
static bool is_deaf(const struct connection *connection)
{
    return connection->state != CONNECTION_STREAMING &&
           connection->state != CONNECTION_CLOSING &&
           connection->input.length >= HEAD_MAX_BYTES;
}

static bool wants_to_read(const struct connection *connection)
{
    if (connection->state == CONNECTION_HANDSHAKING)
        return list_is_empty(&connection->work); /* its turn will come */
    return !is_deaf(connection) && !connection->peer_ended;
}

/* Starts polling for what this connection waits for now. */
void connection_poll(struct connection *connection)
{
    bool writes = !outbox_is_empty(&connection->outbox) &&
                  list_is_empty(&connection->turn);
    int wanted;

    if (connection->state == CONNECTION_GONE ||
        connection->state == CONNECTION_MOVING)
        return;
    wanted = link_events(&connection->link, wants_to_read(connection), writes);
    if (wanted == connection->polled)
        return;
    connection->polled = (uint8_t)wanted;
    if (wanted == 0)
        CHECK(uv_poll_stop(&connection->poll) == 0);
    else
        CHECK(uv_poll_start(&connection->poll, wanted, on_poll) == 0);
}

/* ---- birth, moving, death
 * ------------------------------------------------------ */

static void enter_crew(struct connection *connection, struct crew *crew)
{
    connection->crew = crew;
    list_append(&crew->connections, &connection->all);
    atomic_fetch_add_explicit(&crew->load, 1, memory_order_relaxed);
    metrics_add(&crew->metrics, METRIC_connections_open, 1);
    if (connection->standing.limit != LIMIT_NONE)
        metrics_add(&crew->metrics, METRIC_connections_reserved, 1);
}

static void leave_crew(struct connection *connection)
{
    struct crew *crew = connection->crew;

    list_remove(&connection->all);
    list_remove(&connection->turn);
    list_remove(&connection->work);
    deadline_clear(&connection->deadline);
    atomic_fetch_sub_explicit(&crew->load, 1, memory_order_relaxed);
    metrics_add(&crew->metrics, METRIC_connections_open, -1);
    if (connection->standing.limit != LIMIT_NONE)
        metrics_add(&crew->metrics, METRIC_connections_reserved, -1);
}

static int64_t stall_ms(const struct connection *connection)
{
    return standing_patience_ms(connection,
                                connection->crew->options.config->stall_ms);
}

void connection_create(struct crew *crew, const struct handoff_socket *fresh,
                       const struct admission *admission)
{
    struct connection *connection = must_calloc(1, sizeof *connection);
    const struct address peer = address_of_socket(&fresh->remote);

    list_init(&connection->all);
    list_init(&connection->turn);
    list_init(&connection->work);
    deadline_init(&connection->deadline);
    buffer_init(&connection->input);
    outbox_init(&connection->outbox);
    platform_limit_unsent(fresh->descriptor, UNSENT_BYTES);
    link_init(&connection->link, fresh->descriptor);
    connection->is_tls = fresh->is_tls;
    connection->state = CONNECTION_GREETING;
    connection->crew = crew;
    standing_begin(connection, &peer, admission);
    if (uv_poll_init(&crew->loop, &connection->poll, fresh->descriptor) != 0) {
        link_close(&connection->link);
        standing_end(connection);
        free(connection);
        return;
    }
    enter_crew(connection, crew);
    metrics_add(&crew->metrics, METRIC_connections_accepted, 1);
    if (admission->needs_header)
        greeting_begin(connection);
    else
        connection_meet(connection);
}

void connection_meet(struct connection *connection)
{
    if (connection->is_tls)
        handshake_begin(connection);
    else
        lobby_begin(connection);
}

static void free_connection(struct connection *connection)
{
    if (connection->grant != NULL)
        grant_unref(&connection->grant);
    link_close(&connection->link);
    standing_end(connection);
    buffer_fini(&connection->input);
    body_destroy(connection);
    free(connection);
}

static void on_handle_closed(uv_handle_t *handle)
{
    free_connection(CONTAINER_OF(handle, struct connection, poll));
}

void connection_end_role(struct connection *connection)
{
    const struct role_calls *calls = connection->calls;

    connection->calls = NULL;
    if (calls != NULL && calls->destroy != NULL)
        calls->destroy(connection);
    connection->role = NULL;
}

void connection_close(struct connection *connection)
{
    if (connection->state == CONNECTION_GONE)
        return;
    if (connection->state == CONNECTION_COMMITTING ||
        connection->state == CONNECTION_MOVING) {
        /* Another thread holds it: it comes back, and is closed then. */
        connection->peer_ended = true;
        connection_poll(connection);
        return;
    }
    if (connection->state == CONNECTION_HANDSHAKING)
        handshake_end(connection);
    connection_become(connection, CONNECTION_GONE);
    connection_end_role(connection);
    standing_end(connection); /* before the figures say that it is gone */
    leave_crew(connection);
    outbox_fini(&connection->outbox);
    (void)uv_poll_stop(&connection->poll);
    uv_close((uv_handle_t *)&connection->poll, on_handle_closed);
}

static void on_handle_left(uv_handle_t *handle)
{
    struct connection *connection =
        CONTAINER_OF(handle, struct connection, poll);
    struct crew_message *message = must_calloc(1, sizeof *message);
    struct msg *link = &message->link;

    message->tag = CREW_ADOPTED;
    message->as.adopted.connection = connection;
    if (mailbox_answer(&connection->move_to->mailbox, &link) == ST_OK)
        return;
    free(message);
    connection->state = CONNECTION_GONE; /* legal: MOVING -> GONE */
    connection_end_role(connection);
    free_connection(connection);
}

void connection_move(struct connection *connection, struct crew *to)
{
    if (to == connection->crew || !outbox_is_empty(&connection->outbox)) {
        connection->calls->arrived(connection);
        return;
    }
    connection_become(connection, CONNECTION_MOVING);
    connection->move_to = to;
    leave_crew(connection);
    (void)uv_poll_stop(&connection->poll);
    connection->polled = 0;
    uv_close((uv_handle_t *)&connection->poll, on_handle_left);
}

void connection_adopt(struct crew *crew, struct connection *connection)
{
    int failed = uv_poll_init(&crew->loop, &connection->poll,
                              connection->link.descriptor);

    enter_crew(connection, crew);
    if (failed != 0) {
        connection_become(connection, CONNECTION_GONE);
        connection_end_role(connection);
        leave_crew(connection);
        free_connection(connection);
        return;
    }
    connection->calls->arrived(connection);
    connection_go_on(connection);
}

void connection_go_on(struct connection *connection)
{
    const bool has_begun = connection->state == CONNECTION_STREAMING ||
                           connection->state == CONNECTION_WAITING;

    if (has_begun && connection->peer_ended) {
        connection_close(connection); /* while nobody looked */
        return;
    }
    lobby_hand_on(connection);
    connection_poll(connection);
}

/* ---- writing
 * ------------------------------------------------------------------- */

void connection_touch(struct connection *connection)
{
    if (list_is_empty(&connection->turn))
        list_append(&connection->crew->to_flush, &connection->turn);
}

void connection_push(struct connection *connection, struct frames *frames,
                     uint32_t from, uint32_t to)
{
    outbox_push(&connection->outbox, frames, from, to);
    /* A socket that takes no more is being polled: writing now is in vain. */
    if ((connection->polled & UV_WRITABLE) == 0)
        connection_touch(connection);
}

size_t connection_waiting_bytes(const struct connection *connection)
{
    return outbox_cost(&connection->outbox);
}

static void linger(struct connection *connection)
{
    if (connection->peer_ended || !connection->has_body_left) {
        connection_close(connection);
        return;
    }
    if (connection->state != CONNECTION_CLOSING)
        connection_become(connection, CONNECTION_CLOSING);
    connection->is_lingering = true;
    link_end_writing(&connection->link);
    deadline_set(&connection->crew->deadlines, &connection->deadline, LINGER_MS,
                 connection->crew->now_ms);
    connection_poll(connection);
}

static void on_written(struct connection *connection)
{
    connection_poll(connection);
    switch ((enum connection_state)connection->state) {
    case CONNECTION_ANSWERING:
        connection_end_role(connection);
        if (connection->keeps_alive && !connection->peer_ended)
            lobby_enter(connection);
        else
            linger(connection);
        return;
    case CONNECTION_CLOSING:
        linger(connection);
        return;
    case CONNECTION_STREAMING:
        if (connection->calls->drained != NULL)
            connection->calls->drained(connection);
        return;
    case CONNECTION_GREETING:
    case CONNECTION_HANDSHAKING:
    case CONNECTION_LOBBY:
    case CONNECTION_BODY:
    case CONNECTION_COMMITTING:
    case CONNECTION_MOVING:
    case CONNECTION_WAITING:
    case CONNECTION_GONE:
        return;
    }
}

void connection_flush(struct connection *connection)
{
    size_t before = connection->outbox.bytes;
    enum status st;

    list_remove(&connection->turn);
    if (connection->state == CONNECTION_GONE)
        return;
    st = outbox_write(&connection->outbox, &connection->link,
                      &connection->crew->metrics);
    if (st == ST_OK) {
        on_written(connection);
    } else if (st == ST_FULL) {
        if (connection->outbox.bytes < before &&
            (connection->state == CONNECTION_ANSWERING ||
             connection->state == CONNECTION_CLOSING))
            deadline_set(&connection->crew->deadlines, &connection->deadline,
                         stall_ms(connection), connection->crew->now_ms);
        connection_poll(connection);
    } else {
        outbox_fini(&connection->outbox);
        connection->peer_ended = true;
        connection_close(connection);
    }
}

void connection_finish(struct connection *connection)
{
    connection->keeps_alive = false;
    if (connection->state == CONNECTION_STREAMING) {
        connection_become(connection, CONNECTION_CLOSING);
        connection_end_role(connection);
    }
    deadline_set(&connection->crew->deadlines, &connection->deadline,
                 stall_ms(connection), connection->crew->now_ms);
    if ((connection->polled & UV_WRITABLE) == 0)
        connection_touch(connection);
}

/* ---- waiting
 * --------------------------------------------------------------------- */

void connection_begin(struct connection *connection,
                      enum connection_state state)
{
    CHECK(state == CONNECTION_STREAMING || state == CONNECTION_WAITING);
    connection_become(connection, state);
    if (connection->calls->received != NULL)
        connection->has_body_left = true; /* it talks: linger at the end */
    deadline_clear(&connection->deadline);
}

void connection_want_replay(struct connection *connection)
{
    if (list_is_empty(&connection->work))
        list_append(&connection->crew->to_replay, &connection->work);
}

void connection_set_deadline(struct connection *connection, int64_t after_ms)
{
    if (after_ms > 0)
        deadline_set(&connection->crew->deadlines, &connection->deadline,
                     after_ms, connection->crew->now_ms);
    else
        deadline_clear(&connection->deadline);
}

void connection_expire(struct connection *connection)
{
    switch ((enum connection_state)connection->state) {
    case CONNECTION_GREETING:
        greeting_timeout(connection);
        return;
    case CONNECTION_HANDSHAKING:
        handshake_timeout(connection);
        return;
    case CONNECTION_LOBBY:
    case CONNECTION_BODY:
        lobby_timeout(connection);
        return;
    case CONNECTION_STREAMING:
    case CONNECTION_WAITING:
        if (connection->calls->expired != NULL)
            connection->calls->expired(connection);
        return;
    case CONNECTION_ANSWERING:
    case CONNECTION_CLOSING:
        if (!connection->is_lingering)
            metrics_add(&connection->crew->metrics, METRIC_deadlines_missed, 1);
        connection_close(connection);
        return;
    case CONNECTION_COMMITTING:
    case CONNECTION_MOVING:
    case CONNECTION_GONE:
        return;
    }
}

/* ---- the journal
 * ------------------------------------------------------------------ */

/* On the journal's thread. */
static void on_journal_answer(struct publish *publish)
{
    struct crew_message *message = publish->asker;
    struct crew *crew = message->as.answered.connection->crew;
    struct msg *link = &message->link;

    message->as.answered.publish = publish;
    CHECK(mailbox_answer(&crew->mailbox, &link) == ST_OK);
}

static enum status post_to_journal(void *journal, struct publish **publish)
{
    return journal_post(journal, publish);
}

bool connection_commit(struct connection *connection, struct publish **publish,
                       enum status *why_out)
{
    return connection_commit_by(connection, post_to_journal,
                                connection->crew->options.journal, publish,
                                why_out);
}

bool connection_commit_by(struct connection *connection, publish_post_fn *post,
                          void *arg, struct publish **publish,
                          enum status *why_out)
{
    struct crew_message *message = must_calloc(1, sizeof *message);

    message->tag = CREW_ANSWERED;
    message->as.answered.connection = connection;
    (*publish)->answer = on_journal_answer;
    (*publish)->asker = message;
    connection_become(connection, CONNECTION_COMMITTING);
    deadline_clear(&connection->deadline);
    *why_out = post(arg, publish);
    if (*why_out == ST_OK)
        return true;
    free(message);
    return false;
}

/* ---- somebody else's work
 * -------------------------------------------------------------- */

void connection_await(struct connection *connection)
{
    connection_become(connection, CONNECTION_COMMITTING);
    deadline_clear(&connection->deadline);
}

/* On whichever thread; the connection stays where it is until told. */
void connection_end_await(struct connection *connection)
{
    struct crew_message *message = must_calloc(1, sizeof *message);
    struct msg *link = &message->link;

    message->tag = CREW_DONE;
    message->as.done.connection = connection;
    CHECK(mailbox_answer(&connection->crew->mailbox, &link) == ST_OK);
}
