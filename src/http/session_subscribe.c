/* session_subscribe.c -- from a session's name to a position, and back.
 *
 *     known     what was sent with the answer before has arrived: acknowledged;
 *               then as a subscribe with the acknowledged id as its position
 *     unknown   the position is resolved here and stored as the session's;
 *               COMMITTING until it is on the disk; then as above
 *
 * A new session waits for the disk because its client may be answered nothing
 * at all: if a crash took the session back, the next request would begin at the
 * newest event and what came in between would be lost. All else is lazy: what
 * a crash takes back of `acked` or `sent` is repeated.
 *
 * A client that says a position is believed about it: it gets what is after it,
 * and has what was sent up to it.
 */
#include "session_subscribe.h"

#include "resume.h"
#include "stream.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>

#include <stdlib.h>

enum status session_admit(struct text name)
{
    return session_name_is_valid(name) ? ST_OK : ST_BAD_INPUT;
}

static struct sessions *sessions_of(struct connection *connection)
{
    return journal_sessions(crew_journal(connection_crew(connection)));
}

/* ---- positions ----------------------------------------------------------- */

static bool says_position(const struct order *order)
{
    return order->position_text.length > 0;
}

/* What of the answer before has arrived, as far as this request tells. */
static uint64_t arrived_upto(const struct order *order)
{
    if (!says_position(order))
        return UINT64_MAX;
    return order->position.kind == POSITION_ID ? order->position.number : 0;
}

static void start_after(struct order *order, uint64_t id)
{
    struct buffer digits;

    buffer_init(&digits);
    buffer_append_u64(&digits, id);
    order->position_text = arena_copy(&order->arena, buffer_text(&digits));
    order->position = (struct position){.kind = POSITION_ID, .number = id};
    buffer_fini(&digits);
}

/* Known: its position is the order's, unless that has one of its own. */
static enum status use_known(struct connection *connection, struct order *order,
                             struct session_view *view)
{
    enum status st;

    if (connection_is_head(connection)) {
        st = sessions_find(sessions_of(connection), order->session, view);
        view->is_stored = true; /* HEAD changes nothing: nothing to wait for */
    } else {
        st = sessions_use(sessions_of(connection), order->session,
                          arrived_upto(order), clock_wall_ms(&system_clock),
                          view);
        journal_commit_sessions(crew_journal(connection_crew(connection)));
    }
    if (st == ST_OK && !says_position(order))
        start_after(order, view->acked);
    return st;
}

/* New: resolved now, so that what comes until it is stored is not missed. */
static enum status create(struct connection *connection, struct order *order,
                          struct session_view *view)
{
    struct resume resume = {0};
    enum status st = resume_find(connection_crew(connection), order, &resume);

    view->is_stored = true;
    if (st != ST_OK || (resume.gap != GAP_NONE && order->rejects_gaps))
        return st; /* it is refused when it begins */
    st = sessions_create(sessions_of(connection), order->session, resume.after,
                         clock_wall_ms(&system_clock), view);
    if (st == ST_OK && order->position.kind == POSITION_LATEST)
        start_after(order, says_position(order) ? resume.after : view->acked);
    return st;
}

/* ---- waiting for the disk ------------------------------------------------ */

/* clang-format off */
/*     result      status  code             message                                           */
#define RESULTS(R)                                                                            \
    R(NO_SPACE,    507,    "no_space",      "the disk is full; the change may be forgotten")   \
    R(FULL,        503,    "overload",      "too much is waiting; come back in a moment")     \
    R(CLOSED,      503,    "stopping",      "the server is stopping; come back in a moment")
/* clang-format on */

void session_refuse(struct connection *connection, enum status st)
{
#define R(name, number, code, message)                                         \
    if (st == ST_##name) {                                                     \
        connection_refuse(connection, number, code, message,                   \
                          text_of("Retry-After: 2\r\n"));                      \
        return;                                                                \
    }
    RESULTS(R)
#undef R
    connection_refuse(connection, 500, "journal",
                      "the journal could not be read or written", text_of(""));
}

static void answered(struct connection *connection, struct publish *publish)
{
    enum status st = publish->result;
    struct order *order;

    publish_destroy(&publish);
    if (st == ST_OK && crew_is_draining(connection_crew(connection)))
        st = ST_CLOSED;
    if (st != ST_OK) {
        session_refuse(connection, st);
        return;
    }
    order = connection_take_role(connection);
    stream_open(connection, &order);
}

static void destroy(struct connection *connection)
{
    struct order *order = connection_role(connection);

    order_destroy(&order);
}

static const struct role_calls waiting_calls = {
    .name = "session",
    .answered = answered,
    .destroy = destroy,
};

static void open_when_stored(struct connection *connection,
                             struct order **order)
{
    struct publish *publish = publish_create(0);
    enum status why = ST_OK;

    connection_set_role(connection, &waiting_calls, *order);
    *order = NULL;
    if (connection_commit(connection, &publish, &why))
        return;
    publish_destroy(&publish);
    session_refuse(connection, why);
}

void session_open(struct connection *connection, struct order **order)
{
    struct session_view view = {.is_stored = true};
    enum status st = use_known(connection, *order, &view);

    if (st == ST_NOT_FOUND && !connection_is_head(connection))
        st = create(connection, *order, &view);
    if (st == ST_OK || st == ST_NOT_FOUND) {
        if (view.is_stored || seeded_bug("session-unstored"))
            stream_open(connection, order);
        else
            open_when_stored(connection, order);
        return;
    }
    order_destroy(order);
    if (st == ST_FULL)
        connection_refuse(connection, 503, "sessions_full",
                          "there are as many sessions as there may be",
                          text_of("Retry-After: 60\r\n"));
    else
        session_refuse(connection, st);
}

/* ---- of a stream ----------------------------------------------------------- */

struct stream_session *session_of_order(const struct order *order)
{
    struct stream_session *session;

    if (order->session.length == 0)
        return NULL;
    session = must_malloc(sizeof *session + order->session.length);
    session->sent = 0;
    session->name_bytes = (uint8_t)order->session.length;
    memcpy(session->name, order->session.bytes, order->session.length);
    return session;
}

static struct text name_of(const struct stream_session *session)
{
    return (struct text){session->name, session->name_bytes};
}

void session_note_sent(struct stream *stream, uint64_t id)
{
    if (stream->session == NULL)
        return;
    stream->session->sent = id;
    sessions_sent(sessions_of(stream->connection), name_of(stream->session),
                  id);
    journal_commit_sessions(crew_journal(connection_crew(stream->connection)));
}

void session_end(struct stream *stream)
{
    struct stream_session *session = stream->session;

    if (session == NULL)
        return;
    stream->session = NULL;
    /* Else its end came after the last byte was written. */
    if (session->sent > 0 &&
        connection_state(stream->connection) == CONNECTION_GONE)
        sessions_unsent(sessions_of(stream->connection), name_of(session),
                        session->sent);
    free(session);
}

enum status session_ack(struct stream *stream, uint64_t id)
{
    struct crew *crew = connection_crew(stream->connection);
    struct session_view view;
    enum status st;

    if (stream->session == NULL)
        return ST_NOT_FOUND;
    if (!resume_is_known(crew, id))
        return ST_BAD_INPUT;
    st = sessions_ack(sessions_of(stream->connection), name_of(stream->session),
                      id, clock_wall_ms(&system_clock), &view);
    journal_commit_sessions(crew_journal(crew));
    return st;
}
