/* session_subscribe.h -- subscribing with a position that the server keeps:
 * protocol.md 2, `session`.
 *
 * Threads   The crew thread of the connection.
 * Memory    A stream with a session has a struct stream_session until it ends.
 * Units     Ids.
 * Errors    ST_BAD_INPUT, ST_NOT_FOUND as named; else the client is answered.
 */
#ifndef HTTP_SESSION_SUBSCRIBE_H
#define HTTP_SESSION_SUBSCRIBE_H

#include "order.h"

#include <tidings/crew.h>

struct stream;

struct stream_session {
    uint64_t sent; /* with the one answer; 0: not yet */
    uint8_t name_bytes;
    char name[];
};

#define SESSION_NAME_RULE "a session's name is 1 to 128 of A-Z a-z 0-9 . _ ~ -"

/* May this be used as the name of a session? Every request that names one asks
 * here first, and then whose it is (session_owner.h). */
enum status session_admit(struct text name) MUST_USE;

/* Takes an order that names a session: it goes on as stream_open, after the
 * session's position; a new session is on the disk before. */
void session_open(struct connection *connection, struct order **order);

/* A change of a session could not be stored. */
void session_refuse(struct connection *connection, enum status st);

/* The same, but ST_FULL says that there is no room for a session. */
void session_refuse_new(struct connection *connection, enum status st);

/* ---- of a stream ----------------------------------------------------------- */

/* NULL for an order without session. */
struct stream_session *session_of_order(const struct order *order);

/* Before the one answer, if it has events: true: the role's answered() follows,
 * when others know whom to ask what became of it, or cannot be told. */
bool session_claims(struct stream *stream);

/* The one answer, up to `id`, begins. */
void session_answers(struct stream *stream, uint64_t id);

/* The stream ends; with it an answer, written whole or not. */
void session_end(struct stream *stream);

/* The client of this stream has everything up to `id`; this does not wait for
 * the disk. ST_NOT_FOUND: it has no session (any more). ST_BAD_INPUT: there is
 * no such event yet. */
enum status session_ack(struct stream *stream, uint64_t id) MUST_USE;

#endif
