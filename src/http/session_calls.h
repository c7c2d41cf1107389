/* session_calls.h -- asking who shares sessions with other instances.
 *
 * Threads   The crew thread of the connection.
 * Memory    The publish of a call is destroyed by session_called.
 * Units     None.
 * Errors    ST_OK: other instances know, or there are none. Else they could not
 *           be asked or told in time, or ST_FULL (session_sharing.h), which is
 *           counted.
 */
#ifndef HTTP_SESSION_CALLS_H
#define HTTP_SESSION_CALLS_H

#include <tidings/connection.h>
#include <tidings/journal.h>
#include <tidings/session_sharing.h>

/* True: the role's answered() follows. False: it cannot be asked, `why_out`. */
bool session_call(struct connection *connection, enum session_op op,
                  struct text key, enum status *why_out);

/* In answered(): what became of it; `stored_out`, if not NULL, what the journal
 * made of a change. */
enum status session_called(struct connection *connection,
                           struct publish *publish, enum status *stored_out);

/* May the session be used after a look that ended so? */
bool session_goes_on(struct connection *connection, struct text key,
                     enum status looked);

#endif
