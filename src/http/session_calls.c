/* session_calls.c -- a call is a publish without events on its way to who shares
 * sessions; it comes back to the connection like any other.
 *
 * Who cannot be asked now is done without, if the stream ever had the session: it
 * is then used as it is known here, and what others did meanwhile may be repeated,
 * but never left out. Of another one nothing is known that could be gone by: to
 * begin it anew would leave out what its client has not read.
 */
#include "session_calls.h"

#include "base/seeded_bug.h"

#include <tidings/check.h>
#include <tidings/crew.h>

static void note_alone(struct connection *connection, enum status st)
{
    if (st != ST_OK)
        metrics_add(crew_metrics(connection_crew(connection)),
                    METRIC_sessions_alone, 1);
}

bool session_call(struct connection *connection, enum session_op op,
                  struct text key, enum status *why_out)
{
    struct crew *crew = connection_crew(connection);
    struct sessions *sessions = journal_sessions(crew_journal(crew));
    struct publish *publish;

    *why_out = ST_OK;
    if (!sessions_are_shared(sessions))
        return false;
    publish = publish_create(0);
    publish->session = must_calloc(1, sizeof *publish->session);
    publish->session->op = op;
    session_name_set(&publish->session->name, key);
    if (connection_commit_by(connection, sessions_post, sessions, &publish,
                             why_out))
        return true;
    publish_destroy(&publish);
    if (*why_out == ST_FULL) /* of calls, not of sessions */
        *why_out = ST_BUSY;
    note_alone(connection, *why_out);
    return false;
}

enum status session_called(struct connection *connection,
                           struct publish *publish, enum status *stored_out)
{
    const enum status st = publish->session->result;

    if (stored_out != NULL)
        *stored_out = publish->result;
    publish_destroy(&publish);
    note_alone(connection, st);
    return st;
}

bool session_goes_on(struct connection *connection, struct text key,
                     enum status looked)
{
    struct session_view view;

    return looked == ST_OK || seeded_bug("session-unlooked") ||
           (sessions_find(
                journal_sessions(crew_journal(connection_crew(connection))),
                key, &view) == ST_OK &&
            view.is_told);
}
