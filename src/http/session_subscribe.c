/* session_subscribe.c -- from a session's name to a position, and back.
 *
 *     known     what the answer before had, if it was written whole, has
 *               arrived: acknowledged; then as a subscribe with the
 *               acknowledged id as its position
 *     unknown   the position is resolved here and stored as the session's;
 *               COMMITTING until it is on the disk; then as above
 *
 * Where sessions are shared with other instances, these are asked first what they
 * know of it, and a new one is told to them before it goes on; if they cannot be,
 * the client is sent away for a moment. An answer that was
 * begun here is told to them when it is written whole, and the next one does not
 * begin before that (intake/session_affair.c).
 *
 * A client can be quicker than the thread that answers it: it asks again before
 * that thread comes to note that all was written. So while an answer is being
 * written the next request first moves to its thread: if the answer is not
 * whole when it arrives there, it really is not, and is given again.
 *
 * A new session waits for the disk because its client may be answered nothing
 * at all: if a crash took the session back, the next request would begin at the
 * newest event and what came in between would be lost. All else is lazy: what a
 * crash takes back is repeated. So that it is one answer at most, no second one
 * is begun before the disk knows of the first; without room on the disk reading
 * goes on all the same.
 *
 * A client that says a position is believed about it: it gets what is after it,
 * and has what was sent up to it.
 */
#include "session_subscribe.h"

#include "access.h"
#include "over_limit.h"
#include "quota.h"
#include "resume.h"
#include "session_calls.h"
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

/* Without channels there is nothing to resume: a WebSocket that subscribes
 * later begins as it says then. */
static void start_after(struct order *order, uint64_t id)
{
    struct buffer digits;

    if (order->selector_count == 0)
        return;
    buffer_init(&digits);
    buffer_append_u64(&digits, id);
    order->position_text = arena_copy(&order->arena, buffer_text(&digits));
    order->position = (struct position){.kind = POSITION_ID, .number = id};
    buffer_fini(&digits);
}

/* ST_NOT_FOUND: it is a new one, or HEAD, which makes none. */
static enum status use(struct connection *connection, const struct order *order,
                       struct session_view *view)
{
    struct sessions *sessions = sessions_of(connection);
    enum status st;

    if (connection_is_head(connection)) {
        st = sessions_find(sessions, order->session, view);
        view->is_settled = true; /* nothing changes: nothing to wait for */
        view->is_answered = false;
        return st;
    }
    st = sessions_use(sessions, order->session, arrived_upto(order),
                      clock_wall_ms(&system_clock), view);
    journal_commit_sessions(crew_journal(connection_crew(connection)));
    return st;
}

/* New: resolved now, so that what comes until it is stored is not missed. */
static enum status create(struct connection *connection, struct order *order,
                          struct session_view *view)
{
    struct crew *crew = connection_crew(connection);
    const uint64_t before_all = journal_first_id(crew_journal(crew)) - 1;
    struct resume resume = {0};
    enum status st = resume_find(crew, order, &resume);

    view->is_settled = true;
    if (st != ST_OK || (resume.gap != GAP_NONE && order->rejects_gaps))
        return st; /* it is refused when it begins */
    if (resume.after < before_all)
        resume.after = before_all; /* else a small id could be acknowledged */
    st = sessions_create(sessions_of(connection), order->session, resume.after,
                         clock_wall_ms(&system_clock), view);
    if (st == ST_OK && order->position.kind == POSITION_LATEST &&
        says_position(order))
        start_after(order, resume.after);
    return st;
}

/* ---- waiting for the disk ------------------------------------------------ */

/* clang-format off */
/*     result      status  code             message                                           */
#define RESULTS(R)                                                                            \
    R(NO_SPACE,    507,    "no_space",      "the disk is full; the change may be forgotten")   \
    R(FULL,        503,    "overload",      "too much is waiting; come back in a moment")     \
    R(CLOSED,      503,    "stopping",      "the server is stopping; come back in a moment")  \
    R(TIMEOUT,     503,    "not_acknowledged", "the stream has not answered in time; try again") \
    R(BUSY,        503,    "stream_refuses", "the stream cannot take it now; try again")
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

void session_refuse_new(struct connection *connection, enum status st)
{
    if (st != ST_FULL) {
        session_refuse(connection, st);
        return;
    }
    metrics_add(crew_metrics(connection_crew(connection)),
                METRIC_over_sessions_max, 1);
    connection_refuse(connection, 503, "sessions_full",
                      "there are as many sessions as there may be",
                      text_of("Retry-After: 60\r\n"));
}

/* Others may know it, and cannot be asked; an EventSource would take any other
 * status for the end. */
static void send_away(struct connection *connection, struct order **order,
                      enum status st)
{
    if (order_comes_back(*order) && !connection_is_head(connection)) {
        stream_turn_away(connection, order);
        return;
    }
    order_destroy(order);
    session_refuse_new(connection, st);
}

static void begin(struct connection *connection, struct order **order,
                  const struct session_view *view)
{
    if (!says_position(*order))
        start_after(*order, view->acked);
    stream_open(connection, order);
}

/* What was waited for is stored, or cannot be: `st`. One that the disk knows,
 * with whatever position, loses nothing. */
static void go_on(struct connection *connection, enum status st)
{
    struct order *order = connection_role(connection);
    struct session_view view;
    bool is_there;

    if (crew_is_draining(connection_crew(connection))) {
        session_refuse(connection, ST_CLOSED);
        return;
    }
    if (!access_holds(connection)) { /* it waited for too long */
        access_refuse(connection);
        return;
    }
    is_there = use(connection, order, &view) == ST_OK;
    if (st != ST_OK && !(is_there && view.is_stored)) {
        session_refuse(connection, st);
        return;
    }
    order = connection_take_role(connection);
    if (is_there)
        begin(connection, &order, &view);
    else
        stream_open(connection, &order); /* removed meanwhile */
}

static void answered(struct connection *connection, struct publish *publish)
{
    enum status st = publish->result;

    publish_destroy(&publish);
    go_on(connection, st);
}

static void destroy(struct connection *connection)
{
    struct order *order = connection_role(connection);

    order_destroy(&order);
}

/* Its role is the order. */
static void wait_for_commit(struct connection *connection)
{
    struct publish *publish = publish_create(0);
    enum status why = ST_OK;

    if (connection_commit(connection, &publish, &why))
        return;
    publish_destroy(&publish);
    go_on(connection, why);
}

static void arrived(struct connection *connection)
{
    struct order *order = connection_role(connection);
    struct session_view view;

    if (access_holds(connection) && use(connection, order, &view) == ST_OK &&
        !view.is_settled)
        wait_for_commit(connection);
    else
        go_on(connection, ST_OK);
}

/* It is told to others, and on the disk. */
static void told(struct connection *connection, struct publish *publish)
{
    enum status stored;
    const enum status st = session_called(connection, publish, &stored);
    struct order *order;

    if (st == ST_OK) {
        go_on(connection, stored);
        return;
    }
    order = connection_take_role(connection);
    send_away(connection, &order, st);
}

static const struct role_calls telling_calls = {
    .name = "session told",
    .answered = told,
    .destroy = destroy,
};

static const struct role_calls waiting_calls = {
    .name = "session",
    .arrived = arrived,
    .answered = answered,
    .destroy = destroy,
};

/* Begins, perhaps on another thread, perhaps when the disk knows. */
static void settle(struct connection *connection, struct order **order,
                   const struct session_view *view)
{
    struct crew *crew = connection_crew(connection);

    if (!view->is_answered &&
        (view->is_settled || seeded_bug("session-unstored"))) {
        begin(connection, order, view);
        return;
    }
    connection_set_role(connection, &waiting_calls, *order);
    *order = NULL;
    if (view->is_answered)
        connection_move(connection, crew_numbered(crew, view->writer));
    else
        wait_for_commit(connection);
}

/* A new one goes on when others know of it. */
static void settle_new(struct connection *connection, struct order **order,
                       const struct session_view *view)
{
    enum status why;

    if (view->is_settled) {
        begin(connection, order, view); /* nothing was made */
        return;
    }
    connection_set_role(connection, &telling_calls, *order);
    if (session_call(connection, SESSION_TELL, (*order)->session, &why)) {
        *order = NULL;
        return;
    }
    (void)connection_take_role(connection);
    if (why == ST_OK) /* there are no others */
        settle(connection, order, view);
    else
        send_away(connection, order, why);
}

static void open_known(struct connection *connection, struct order **order)
{
    struct session_view view = {.is_settled = true};
    enum status st = use(connection, *order, &view);
    enum limit limit;
    int64_t wait_ms;
    bool is_new = false;

    if (st == ST_NOT_FOUND && !connection_is_head(connection)) {
        limit = quota_session(connection, &wait_ms);
        if (limit != LIMIT_NONE) {
            over_limit_turn_away(connection, order, limit, wait_ms);
            return;
        }
        st = create(connection, *order, &view);
        is_new = true;
    }
    if (st == ST_NOT_FOUND) {
        stream_open(connection, order);
    } else if (st == ST_OK && is_new) {
        settle_new(connection, order, &view);
    } else if (st == ST_OK) {
        settle(connection, order, &view);
    } else {
        order_destroy(order);
        session_refuse_new(connection, st);
    }
}

static void open_looked(struct connection *connection, struct order **order,
                        enum status st)
{
    if (session_goes_on(connection, (*order)->session, st))
        open_known(connection, order);
    else
        send_away(connection, order, st);
}

/* What others know is known now, or cannot be asked for. */
static void looked(struct connection *connection, struct publish *publish)
{
    const enum status st = session_called(connection, publish, NULL);
    struct order *order;

    if (crew_is_draining(connection_crew(connection))) {
        session_refuse(connection, ST_CLOSED);
    } else if (!access_holds(connection)) { /* it waited for too long */
        access_refuse(connection);
    } else {
        order = connection_take_role(connection);
        open_looked(connection, &order, st);
    }
}

static const struct role_calls looking_calls = {
    .name = "session looked for",
    .answered = looked,
    .destroy = destroy,
};

void session_open(struct connection *connection, struct order **order)
{
    const bool is_answered_once =
        (*order)->is_one_answer && !connection_is_head(connection);
    enum status why = ST_OK;

    connection_set_role(connection, &looking_calls, *order);
    if (!seeded_bug("session-unread") &&
        session_call(connection, is_answered_once ? SESSION_USE : SESSION_LOOK,
                     (*order)->session, &why)) {
        *order = NULL;
        return;
    }
    (void)connection_take_role(connection);
    open_looked(connection, order, why);
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

bool session_claims(struct stream *stream)
{
    struct session_view view;
    enum status why;

    return stream->session != NULL &&
           sessions_find(sessions_of(stream->connection),
                         name_of(stream->session), &view) == ST_OK &&
           !view.is_ours && !seeded_bug("session-unclaimed") &&
           session_call(stream->connection, SESSION_CLAIM,
                        name_of(stream->session), &why);
}

void session_answers(struct stream *stream, uint64_t id)
{
    if (stream->session == NULL)
        return;
    stream->session->sent = id;
    sessions_begin(sessions_of(stream->connection), name_of(stream->session),
                   id, crew_number(connection_crew(stream->connection)));
}

/* A role that ends with its connection has not written all. */
static void end_answer(struct stream *stream)
{
    struct sessions *sessions = sessions_of(stream->connection);
    const struct stream_session *session = stream->session;

    if (connection_state(stream->connection) == CONNECTION_GONE) {
        sessions_cut_off(sessions, name_of(session), session->sent);
        return;
    }
    sessions_written(sessions, name_of(session), session->sent);
    journal_commit_sessions(crew_journal(connection_crew(stream->connection)));
}

void session_end(struct stream *stream)
{
    if (stream->session == NULL)
        return;
    if (stream->session->sent > 0)
        end_answer(stream);
    free(stream->session);
    stream->session = NULL;
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
