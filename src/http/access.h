/* access.h -- who asks, and whether that one may: protocol.md 8.
 *
 * With keys configured nothing is given or taken without a right. A right comes
 * from the token of the request, or from the setting anonymous_subscribe. The
 * answers tell nobody what is there: 401 to who has no token that holds, else
 * 404, whether there is such a channel or not.
 *
 * Threads   The crew thread of the connection.
 * Memory    The grant of a token is the connection's until the next request.
 * Units     Wall milliseconds, seconds where said.
 * Errors    None returned: the client is answered.
 */
#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include "request.h"

#include <tidings/auth.h>
#include <tidings/connection.h>

struct token_cache;

/* Finds and checks the token in the request's head. A token that does not hold
 * counts as none. `may_be_cookie`: the request changes nothing. False: it was
 * refused, for the token is there twice. */
bool access_identify(struct connection *connection,
                     const struct handoff_request *request, bool may_be_cookie);

/* A subscribe's form has one, if the head had none. */
bool access_identify_form(struct connection *connection, struct text form);

/* Refuses what has nothing but a cookie that a foreign page sent along. */
bool access_refuse_foreign(struct connection *connection);

bool access_may(struct connection *connection, enum right right,
                struct text selector);

/* May anything be asked at all: is there a token, or something for everybody? */
bool access_may_ask(struct connection *connection);

/* The sub of the token; empty if there is none. */
struct text access_subject(const struct connection *connection);

/* A token with the claim admin. */
bool access_is_admin(const struct connection *connection);

/* A program on this machine and no proxy, as far as the request tells. */
bool access_is_local(const struct connection *connection,
                     const struct handoff_request *request);

/* Who may see how the server is: with keys, either of these. */
bool access_is_operator(struct connection *connection,
                        const struct handoff_request *request);

/* 401, or 403 to a token without the claim. */
void access_refuse_operator(struct connection *connection);

/* 401 or 404: what who may not is answered, and who asks for what is not there. */
void access_refuse(struct connection *connection);

/* The same, of an error that is told on a WebSocket. */
const char *access_why_not(const struct connection *connection);

/* Does the token still hold, some time after the request was identified? If not
 * it counts as none from here on. */
bool access_holds(struct connection *connection);

/* When a stream that begins now ends for the sake of its token: a little before
 * that, so that not all end at once. Wall seconds; 0: never. */
uint32_t access_ends_s(struct connection *connection);

#endif
